/* history_wait.c - see history_wait.h. */
#include "history_wait.h"

#include <time.h>

#include "clock.h"
#include "error.h"

#define LOOK_NS (100 * KDP_NS_PER_MS)
#define SAY_NS KDP_NS_PER_S /* shorter than that nobody wonders */

int
kdp_history_open_waiting(const struct kdp_cli *cli, struct kdp_history **historyp,
                         const struct kdp_history_config *config, int64_t wait_ns)
{
    const struct timespec look = {.tv_nsec = LOOK_NS};
    int64_t started_ns = kdpi_mono_ns(), waited_ns;
    bool said = false;
    int rc;

    while ((rc = kdp_history_open(historyp, config)) == -KDP_EBUSY) {
        waited_ns = kdpi_mono_ns() - started_ns;
        if (waited_ns >= wait_ns)
            return rc;
        if (kdp_cli_interrupted() != 0)
            return kdpi_fail(KDP_ESTOPPED, "stopped");
        if (!said && waited_ns >= SAY_NS) {
            kdp_cli_notice(cli, "Waiting a little for it to end", "%s", kdp_error_text());
            said = true;
        }
        nanosleep(&look, NULL);
    }
    return rc;
}
