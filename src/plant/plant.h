/* plant.h - from inputs to records: the same code for recorded and live input, a function of its inputs
 * alone.
 *
 * It reads no clock, file or setting but through kdp_plant_input.  One thread; no allocation after open
 * except through the book pool's reserved memory. */
#ifndef KDPI_PLANT_H
#define KDPI_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "kdp/book.h"
#include "message.h"
#include "notice.h"
#include "ring.h"
#include "stream.h"

#define KDP_TRADES_SPAN_NS \
    (INT64_C(7200) * 1000000000) /* for so long a trade id is known to be in the stream */

struct kdp_plant;

struct kdp_plant_config {
    struct kdp_ring *ring;
    uint32_t max_markets; /* 0: 262,144 */
    bool hash;            /* keep the stream hash */
    /* wait is called when the ring is full (the tape is behind); it returns 0 to try again or an error to
     * give up. NULL: a full ring is a bug. */
    int (*wait)(void *arg);
    void *wait_arg;
    /* rejected is told of every frame refused, with its words; may be NULL */
    void (*rejected)(void *arg, const struct kdp_input_head *input, const char *frame,
                     const struct kdp_message *msg);
    void *rejected_arg;
    int64_t (*now_ns)(void); /* for pub_delay_ns only; NULL: delay is 0 (replay) */
    kdp_notice_fn notice;    /* told what the session must know; NULL: nobody asks (replay) */
    void *notice_arg;
};

int kdp_plant_open(struct kdp_plant **plantp, const struct kdp_plant_config *config);
void kdp_plant_close(struct kdp_plant *plant);
/* kdp_plant_restore gives the plant the ids of earlier runs before its first input. */
int kdp_plant_restore(struct kdp_plant *plant, const struct kdp_stream_instrument *instruments, size_t count);

/* kdp_plant_restore_trade says that a trade stands in the stream already; oldest first, before the first
 * input. */
void kdp_plant_restore_trade(struct kdp_plant *plant, const uint8_t trade_id[16], int64_t recv_ns);

/* kdp_plant_restore_record gives the plant a Definition, a Gap or an instrument's State of an earlier run, oldest first, before
 * the first input: terms are known from the start, START says of every book that was live that it is not, and holes in the
 * trades are told as filled when they are. */
void kdp_plant_restore_record(struct kdp_plant *plant, const void *record);

/* kdp_plant_follow makes the stream hash go on where that of a plant of the same directory ended. */
void kdp_plant_follow(struct kdp_plant *plant, const struct kdp_plant *before);

/* kdp_plant_end says that no record from seq on is to be made (UINT64_MAX: no end): a run whose raw tape is replayed was
 * killed before it gave them out. */
void kdp_plant_end(struct kdp_plant *plant, uint64_t seq);

/* kdp_plant_catch_up makes the plant go over the run again that its ring goes on with: records from from_seq on are made, hashed
 * and counted, and given out only from the ring's next number on.  Inputs need not be in the raw ring meanwhile, and are not said to
 * be applied.  kdp_plant_caught_up ends that: 0, or -KDP_EFORMAT when the inputs were others than those of the run. */
int kdp_plant_catch_up(struct kdp_plant *plant, uint64_t from_seq);
int kdp_plant_caught_up(struct kdp_plant *plant);

/* kdp_plant_input consumes one input that is already in the raw ring: decodes, applies, writes and publishes
 * records. */
int kdp_plant_input(struct kdp_plant *plant, const struct kdp_input_head *input, const void *payload);

struct kdp_plant_market { /* what replay's summary says of a market */
    const char *ticker;
    uint32_t instrument;
    enum kdp_book_state state;
    struct kdp_top top;
    uint32_t bid_levels, ask_levels;
    int64_t bid_size_total_e2, ask_size_total_e2;
    uint64_t bbo_changes, trades, messages;
    int64_t last_ts_ms; /* KDP_INT64_NULL: none */
    int32_t last_price_e4;
    int64_t volume_e2;
};
struct kdp_plant_totals {
    uint64_t frames, malformed, gaps, gaps_healed, connections, records, duplicates, unknown_types;
    uint64_t missed[8];        /* by enum kdp_channel: sequenced messages that never reached us */
    uint64_t trades_recovered; /* got by REST because the stream had not brought them */
    uint64_t trades_unhealed;  /* missed on the trade channel and not (yet) verified as refilled */
    uint64_t
        stale_ns; /* of planned books: time they were not live, those still not live up to the last input */
    uint64_t planned, planned_live; /* books planned at the moment, and those of them that are live */
    uint64_t planned_sampled;       /* planned, and looked at over REST now and then */
    uint64_t planned_stale;         /* planned and neither live, sampled nor closed */
    uint64_t audits, disagreements, drifts;
    uint64_t records_by_template[KDP_TEMPLATE_MAX + 1];
    uint64_t snapshot_rows; /* levels of all BookSnapshot records, one of an empty part: their rows in SQL */
};
void kdp_plant_totals(const struct kdp_plant *plant, struct kdp_plant_totals *totals);
/* kdp_plant_types lists counts by the frames' own type: index from 0, NULL past the end. */
const char *kdp_plant_type_at(const struct kdp_plant *plant, unsigned index, uint64_t *countp);
/* kdp_plant_market_at lists markets by id: false past the end. */
bool kdp_plant_market_at(const struct kdp_plant *plant, uint32_t index, struct kdp_plant_market *market);
/* kdp_plant_messages_at gives a market's messages so far and touches nothing else of it: for finding the busiest of many. */
bool kdp_plant_messages_at(const struct kdp_plant *plant, uint32_t index, uint64_t *messagesp);
/* kdp_plant_memory gives the bytes in use by books and by what is kept of markets (names, terms, counts). */
void kdp_plant_memory(const struct kdp_plant *plant, size_t *booksp, size_t *marketsp);
/* kdp_plant_hash gives the stream hash so far, 32 hex digits and NUL. */
void kdp_plant_hash(const struct kdp_plant *plant, char out[33]);

#endif
