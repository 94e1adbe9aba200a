/* instrument.h - the markets the plant knows: ticker to id, and what the plant keeps of each.
 *
 * Ids run from 1 in order of first appearance and are never reused.  All memory is address space reserved at
 * open and touched as it is used; nothing is freed before close. */
#ifndef KDPI_INSTRUMENT_H
#define KDPI_INSTRUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/book.h"
#include "message.h"

struct kdp_instrument {
    const char *ticker;    /* NUL-terminated; NULL: id not used */
    struct kdp_book *book; /* NULL: no book yet, or the pool was full */
    uint8_t *definition;   /* the last Definition record, as written */
    uint16_t ticker_len;
    uint16_t definition_room;
    uint8_t state;              /* enum kdp_book_state as told to readers; NONE before the first */
    bool closed_for_good;       /* by its lifecycle: changes still apply, the state stays */
    bool announced;             /* its Definition is in this run's stream */
    bool pool_full;             /* told once */
    bool planned;               /* the session wants its book */
    bool ever_planned;          /* in this run: its trades are ours even when they are learnt late */
    bool holed;                 /* closed, and a change of it may have been missed since */
    bool unsure;                /* its book came by REST: flagged until the line brings a snapshot */
    bool open_told, close_told; /* by our own timers, for the times its Definition has */
    uint8_t disagreed;          /* audits in a row that did not agree */
    uint8_t audit;              /* its history of hashes + 1, 0: not audited */
    uint8_t before;             /* enum kdp_book_state at the end of the runs before, until START */
    bool waited;                /* so: it was live, or waited for */
    uint16_t before_line;       /* so: line that had its book, 0 unknown */
    uint32_t gap;               /* open gap that it must be live for, in the plant's table, + 1 */
    uint32_t sub;               /* owner: subscription index + 1, 0: none */
    uint32_t prev, next;        /* books of one subscription */
    uint32_t listed;            /* the last list of a subscription it stood in, by the plant's count */
    int64_t settled_ns;         /* input time at which its end was told */
    uint32_t settled_next;      /* in the plant's queue of settled markets that still have a book */
    uint32_t sample_prev, sample_next; /* sampled books, the one looked at longest ago first */
    int64_t sampled_ns;                /* so: input time at which it was */
    uint64_t quote;                    /* of its last Ticker from a listing, 0: none in this run */
    int64_t not_live_ns;        /* input time since which it is not live, 0: it is */
    int32_t day;                /* UTC day of its last day snapshot */
    int32_t last_price_e4;
    int64_t last_trade_ns; /* exchange time of the trade that gave it */
    int64_t last_ts_ms;
    int64_t volume_e2;
    uint64_t bbo_changes, trades, messages;
};

struct kdp_instruments;
struct kdp_instruments *kdp_instruments_open(uint32_t max);
void kdp_instruments_close(struct kdp_instruments *table);
/* kdp_instruments_intern gives the id of a ticker, a new one when it was never seen; 0 when the table is full
 * or the ticker is empty or longer than KDPI_TICKER_MAX. */
uint32_t kdp_instruments_intern(struct kdp_instruments *table, struct kdp_text ticker);
uint32_t kdp_instruments_find(const struct kdp_instruments *table, struct kdp_text ticker);
/* kdp_instruments_restore gives an id of an earlier run its ticker; ids ascend. */
int kdp_instruments_restore(struct kdp_instruments *table, uint32_t id, struct kdp_text ticker);
/* kdp_instruments_skip_to makes the next new id at least id. */
void kdp_instruments_skip_to(struct kdp_instruments *table, uint32_t id);
struct kdp_instrument *kdp_instruments_at(struct kdp_instruments *table, uint32_t id);
uint32_t kdp_instruments_max(const struct kdp_instruments *table); /* highest id given out */
/* kdp_instruments_keep gives room for a definition of size bytes: the one there is when it fits. */
uint8_t *kdp_instruments_keep(struct kdp_instruments *table, struct kdp_instrument *instrument, size_t size);
size_t kdp_instruments_used(const struct kdp_instruments *table); /* bytes touched */

#endif
