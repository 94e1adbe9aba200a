/* run_rules.h - the rules of a run: from its options, and from a file that SIGHUP reads again. */
#ifndef KDPI_RUN_RULES_H
#define KDPI_RUN_RULES_H

#include "command.h"
#include "rules.h"

#define KDP_RUN_RULES_MAX 10000u /* entries of one kind */

struct kdp_run_list {
    char **texts;
    unsigned count;
};
struct kdp_run_rules { /* owns the texts that rules points to */
    struct kdp_rules rules;
    struct kdp_run_list series, events, tickers;
};

/* kdp_run_rules_read takes the options and, when there is one, the --rules file: what both name adds up.  0, or -KDP_EUSAGE
 * with words; out is then as it was. */
int kdp_run_rules_read(struct kdp_run_rules *out, const struct kdp_cli *cli);
void kdp_run_rules_release(struct kdp_run_rules *rules);

#endif
