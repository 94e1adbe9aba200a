/* history_fixture.h - made-up trades of the past, and ways to give them to a history writer. */
#ifndef KDP_HISTORY_FIXTURE_H
#define KDP_HISTORY_FIXTURE_H

#include <stdint.h>

#include "history.h"
#include "message.h"
#include "lake_fixture.h"

#define DAY_0 INT64_C(1794960000000000000) /* 2026-11-18T00:00:00Z */
#define HOUR_NS (3600 * KDP_NS_PER_S)

/* Trades of a market: number n at first_ns + n * step_ns, with the same content each time. */
struct past {
    unsigned market; /* ticker KXHIST-26NOV-T<market> */
    int64_t first_ns, step_ns;
};
#define PAST_TICKER 64
void past_ticker(char ticker[PAST_TICKER], unsigned market);
void past_trade(struct kdp_message *msg, char ticker[PAST_TICKER], const struct past *past, uint64_t n);

/* history_open opens a writer and fails the test when it cannot. */
struct kdp_history *history_open(const char *dir);
struct kdp_history *history_open_with(const struct kdp_history_config *config);
/* history_give gives trades from up to, not with, to; newest first, as the exchange does. */
void history_give(struct kdp_history *history, const struct past *past, uint64_t from, uint64_t to);
void history_flush(struct kdp_history *history);
/* history_misses gives what is missing as "start-end ..." in seconds after DAY_0, valid until the next call. */
const char *history_misses(struct kdp_history *history, const char *scope, int64_t start_ns, int64_t end_ns);

/* A stream of chosen records: start, add, then lake_fixture_write as any other. */
struct lake_fixture *stream_start(const char *name);
void stream_market(struct lake_fixture *f, int64_t recv_ns, uint32_t instrument, const char *ticker);
void stream_trade(struct lake_fixture *f, int64_t recv_ns, int64_t exch_ns,
                  uint32_t instrument); /* 0: of none */
void stream_trade_of(struct lake_fixture *f, int64_t recv_ns, int64_t exch_ns, uint32_t instrument,
                     unsigned origin);
void stream_gap(struct lake_fixture *f, int64_t recv_ns, unsigned status, int64_t opened_ns);

#endif
