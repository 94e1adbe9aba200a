/* past.h - what happened on the exchange before it began to run: markets that have opened, closed and were settled, and their trades.
 *
 * Nothing in it ever changes; which tier a market or a trade is served from is the reader's to tell by the cutoff.  Two sources:
 * made up, where a trade is a pure function of (seed, market, stretch of time, number in it), so that twenty million of them cost
 * no memory; and trades that were recorded over REST.  Whole-exchange order is by time, then market, then the market's own order;
 * a market's trades are in the same order in both walks.  One thread. */
#ifndef KDPI_PAST_H
#define KDPI_PAST_H

#include "exchange.h"

#define KDP_PAST_MARKETS_MAX 20000u
#define KDP_PAST_TRADES_MAX (UINT64_C(100) * 1000 * 1000)

struct kdp_past;

struct kdp_past_config {
    int64_t now_ns; /* everything lies before it */
    /* made up */
    uint64_t seed, trades; /* trades: exactly so many; 0: none are made up */
    uint32_t markets;
    int64_t span_ns; /* it begins so long before now */
    /* recorded: trades over REST, one object or page a line, or comma-separated with a header */
    const char *const *files;
    unsigned file_count;
    bool no_shift; /* at the times they had; else the newest trade is a minute old */
    /* recorded market objects (answers of /markets and the like), for terms of those markets; files or folders of them */
    const char *const *answers;
    unsigned answer_count;
};

int kdp_past_open(struct kdp_past **pastp, const struct kdp_past_config *config);
void kdp_past_close(struct kdp_past *past);
size_t kdp_past_memory(const struct kdp_past *past);
/* Times of its oldest and newest trade; KDP_TIME_NULL without any. */
void kdp_past_span(const struct kdp_past *past, int64_t *first_nsp, int64_t *last_nsp);

uint32_t kdp_past_market_count(const struct kdp_past *past);
/* kdp_past_market_at fills in what kdp_exchange_market_at would; texts live as long as the past. */
void kdp_past_market_at(const struct kdp_past *past, uint32_t market, struct kdp_exchange_market *out);
const char *kdp_past_ticker(const struct kdp_past *past, uint32_t market, size_t *lenp);
uint32_t kdp_past_find(const struct kdp_past *past, const char *ticker, size_t len); /* UINT32_MAX: no */

/* All trades by number, 0 the oldest.  after: the number of the first one later than that, the count when there is none.
 * What at gives (its market is an index of this past) is valid until some calls later: copy what is to stay. */
uint64_t kdp_past_count(const struct kdp_past *past);
uint64_t kdp_past_after(struct kdp_past *past, int64_t time_ns);
const struct kdp_exchange_trade *kdp_past_at(struct kdp_past *past, uint64_t number);
/* The same of one market. */
uint64_t kdp_past_market_trades(const struct kdp_past *past, uint32_t market);
uint64_t kdp_past_market_after(struct kdp_past *past, uint32_t market, int64_t time_ns);
const struct kdp_exchange_trade *kdp_past_market_trade(struct kdp_past *past, uint32_t market,
                                                       uint64_t number);

#endif
