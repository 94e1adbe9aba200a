/* cmd_version.c - kdp version. */
#include "command.h"
#include "commands.h"
#include "kdp/version.h"

int
kdp_cmd_version(struct kdp_cli *cli)
{
    (void)cli;
    printf("kdp %s (%s, %s %s)\n", KDP_VERSION, KDP_BUILD,
#ifdef __clang__
           "clang", __clang_version__
#else
           "gcc", __VERSION__
#endif
    );
    return KDP_EXIT_DONE;
}
