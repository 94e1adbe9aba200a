/* market_show.h - kdp market's answers: for people, as csv and as json. */
#ifndef KDPI_MARKET_SHOW_H
#define KDPI_MARKET_SHOW_H

#include "command.h"
#include "market_load.h"

/* kdp_market_show prints the version shown as a person reads it. */
void kdp_market_show(const struct kdp_cli *cli, const struct kdp_market *market);
/* kdp_market_list prints all versions, one a line, with what changed; 0 or a negative error. */
int kdp_market_list(const struct kdp_cli *cli, const struct kdp_market *market);
/* kdp_market_csv and _json give the version shown, or all with versions set. */
int kdp_market_csv(const struct kdp_market *market, bool versions);
void kdp_market_json(const struct kdp_market *market, bool versions);

#endif
