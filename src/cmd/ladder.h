/* ladder.h - one book's levels as a ladder for people, and as a list in json: for kdp book and kdp demo. */
#ifndef KDPI_LADDER_H
#define KDPI_LADDER_H

#include <stdint.h>

#include "command.h"

struct kdp_ladder_level {
    int32_t price_e4; /* YES scale */
    int64_t size_e2;
};

/* kdp_ladder_draw prints heading, offers of YES (which are bids for NO), the middle, and bids; both sides are given best first.
 * Its bars shrink where the terminal is narrow. */
void kdp_ladder_draw(const struct kdp_cli *cli, const struct kdp_ladder_level *bids, uint32_t bid_count,
                     const struct kdp_ladder_level *offers, uint32_t offer_count);
/* kdp_ladder_json prints a further member of a json object: a list of prices and sizes. */
void kdp_ladder_json(const char *name, const struct kdp_ladder_level *levels, uint32_t count);

#endif
