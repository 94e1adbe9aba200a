/* cmd_replay.c - kdp replay: recorded sessions through the plant, at any speed, with the same stream as the
 * live line gave. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "error.h"
#include "play.h"

int
kdp_cmd_replay(struct kdp_cli *cli)
{
    static struct kdp_play play; /* large, and a command runs once */
    const char *const *inputs, *leg = kdp_cli_text(cli, "leg");
    unsigned count = kdp_cli_list(cli, "input", &inputs);
    int rc;

    play.cli = cli;
    play.name = "replay";
    play.dir = kdp_cli_text(cli, "data");
    play.leg_flags = leg != NULL && strcmp(leg, "yes") == 0 ? KDP_INPUT_LEG_YES : 0;
    play.config = (struct kdp_topology_config){.dir = play.dir,
                                               .lake = kdp_cli_switch(cli, "lake"),
                                               .hash = true,
                                               .refuse_existing = !kdp_cli_switch(cli, "append")};
    rc = kdp_play_speed(&play);
    for (unsigned i = 0; i < count && rc == 0; i++)
        if (strcmp(inputs[i], "-") != 0 && access(inputs[i], R_OK) != 0) {
            rc = kdpi_fail_errno(errno, "cannot read %s", inputs[i]);
            kdpi_hint("Is the name right? - is standard input; kdp gen --output FILE makes a session to "
                      "practise on");
        }
    if (rc == 0)
        rc = kdp_play_open(&play);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    for (unsigned i = 0; i < count && rc == 0; i++) {
        if (i > 0)
            rc = kdp_play_take_down(&play);
        if (rc == 0)
            rc = kdp_play_file(&play, inputs[i]);
        if (rc == -KDP_ESTOPPED)
            rc = 0; /* not the recording's fault: the run ends in order */
        if (kdp_cli_interrupted() != 0)
            break;
    }
    rc = kdp_play_stop(&play, rc);
    return kdp_cli_finish(cli, kdp_play_close(&play, rc));
}
