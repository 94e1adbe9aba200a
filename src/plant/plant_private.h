/* plant_private.h - what the files of src/plant share; nobody else includes it.
 *
 * plant.c hands out inputs and keeps the totals, line.c has connections, frame.c takes frames apart, market.c
 * changes books and their states, emit.c writes records. */
#ifndef KDPI_PLANT_PRIVATE_H
#define KDPI_PLANT_PRIVATE_H

#include <xxhash.h>

#include "instrument.h"
#include "plant.h"
#include "record.h"
#include "sequence.h"
#include "trade_set.h"

#define TYPES_MAX 64

enum plant_counter { /* names in plant.c */
                     COUNT_FRAMES,
                     COUNT_TRADES,
                     COUNT_BBO,
                     COUNT_DELTAS,
                     COUNT_SNAPSHOTS,
                     COUNT_TICKERS,
                     COUNT_GAPS,
                     COUNT_GAPS_HEALED,
                     COUNT_MISSED,
                     COUNT_MALFORMED,
                     COUNT_DUPLICATES,
                     COUNT_TRADE_REPEATS,
                     COUNT_NOT_OWNER,
                     COUNT_NOT_LIVE,
                     COUNT_OFF_GRID,
                     COUNT_NEGATIVE,
                     COUNT_UNKNOWN_TYPES,
                     COUNT_UNKNOWN_MEMBERS,
                     COUNT_POOL_FULL,
                     COUNT_RING_WAITS,
                     COUNT_INPUTS_IGNORED,
                     COUNT_LATENCY_SUM, /* ns, receipt to publication; with its count the mean */
                     COUNT_LATENCY_COUNT,
                     COUNTS
};
static_assert(COUNTS <= 32, "one bit each");

struct kdp_plant {
    struct kdp_plant_config config;
    struct kdp_ring *ring;
    struct kdp_lines *lines;
    struct kdp_instruments *instruments;
    struct kdp_book_pool *pool;
    struct kdp_trade_set *trades;
    struct kdp_decoder *decoder;
    XXH3_state_t *hash;
    struct kdp_book_level *depth; /* KDPI_LEVELS_MAX, for snapshots */
    struct kdp_counter *counters[COUNTS];
    uint64_t counts[COUNTS]; /* since the last input; those of the dirty bits are not 0 */
    uint32_t dirty;
    struct kdp_plant_totals totals;
    struct {
        char name[64];
        size_t len;
        uint64_t count;
    } types[TYPES_MAX];
    unsigned type_count;
    /* of the input being worked on */
    const struct kdp_input_head *input;
    int64_t now_ns;   /* its receive time, never running backwards: for durations only */
    uint8_t flags;    /* of the records it makes */
    int wait_error;   /* why the ring's writer gave up */
    uint64_t seq_end; /* see kdp_plant_end */
    /* markets whose end was told, oldest first: their books are given back after a day */
    uint32_t settled_first, settled_last;
    /* the day */
    int32_t day;
    uint32_t day_cursor; /* next instrument to be written down for the day, 0: done */
};

static inline void
plant_count(struct kdp_plant *plant, enum plant_counter which, uint64_t n)
{
    plant->counts[which] += n;
    plant->dirty |= (uint32_t)(n != 0) << which;
}

/* ---- emit.c ---- */
/* emit_start gives a zeroed record of a template in the ring with its head filled from the input; emit_end
 * publishes nothing yet.  NULL when the ring stays full and waiting was given up (plant->wait_error). */
void *emit_start(struct kdp_plant *plant, uint8_t template_id, uint32_t instrument,
                 const struct kdp_message *msg);
void emit_end(struct kdp_plant *plant, void *rec, size_t size);
void emit_definition(struct kdp_plant *plant, uint32_t id, const struct kdp_message *msg);
void emit_state(struct kdp_plant *plant, enum kdp_subject subject, uint32_t id, enum kdp_book_state state,
                enum kdp_reason reason, const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq,
                struct kdp_text detail);
void emit_snapshot(struct kdp_plant *plant, uint32_t id, enum kdp_reason reason,
                   const struct kdp_message *msg);
void emit_bbo(struct kdp_plant *plant, uint32_t id, const struct kdp_top *top, const struct kdp_message *msg);
void emit_gap(struct kdp_plant *plant, const struct kdp_sub *sub, enum kdp_gap_status status,
              enum kdp_healed_by by, uint32_t markets, uint64_t expected, uint64_t seen, int64_t opened_ns);

/* ---- line.c ---- */
void line_up(struct kdp_plant *plant, uint16_t number, bool marked, uint32_t epoch, struct kdp_text url);
void line_down(struct kdp_plant *plant, uint16_t number, enum kdp_reason reason);
/* sub_ends: its books are stale and nobody's, its numbers are over. */
void sub_ends(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason, uint64_t seq);

/* ---- frame.c ---- */
void frame_input(struct kdp_plant *plant, const char *frame, size_t len);

/* ---- market.c ---- */
/* market_of interns a ticker and writes its first Definition; 0 when it cannot be. */
uint32_t market_of(struct kdp_plant *plant, struct kdp_text ticker);
void market_state(struct kdp_plant *plant, uint32_t id, enum kdp_book_state state, enum kdp_reason reason,
                  const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq);
/* market_leave takes a market out of a subscription that goes on: stale unless closed, and waited for no more. */
void market_leave(struct kdp_plant *plant, uint32_t id, struct kdp_sub *sub, uint64_t seq);
/* market_all_stale makes every book of a subscription stale and returns how many were not already. */
uint32_t market_all_stale(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason,
                          uint64_t from_seq, uint64_t to_seq, bool heals_gap);
void market_disown_all(struct kdp_plant *plant, struct kdp_sub *sub);
void market_snapshot(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg);
void market_delta(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg);
void market_trade(struct kdp_plant *plant, const struct kdp_message *msg);
void market_ticker(struct kdp_plant *plant, const struct kdp_message *msg);
void market_lifecycle(struct kdp_plant *plant, const struct kdp_message *msg);
void market_event(struct kdp_plant *plant, const struct kdp_message *msg);
/* market_settled_free gives back the book of a market that was settled 24 h ago, one with each call. */
void market_settled_free(struct kdp_plant *plant);
/* market_day writes one instrument down for the day: Definition, and its book when that is live. */
void market_day(struct kdp_plant *plant, uint32_t id);

#endif
