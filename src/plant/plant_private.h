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
                     COUNT_GAPS_UNTRACKED,
                     COUNT_TRADES_RECOVERED,
                     COUNT_AUDITS,
                     COUNT_AUDITS_UNKNOWN,
                     COUNT_DISAGREEMENTS,
                     COUNT_DRIFTS,
                     COUNT_LATENCY_SUM, /* ns, receipt to publication; with its count the mean */
                     COUNT_LATENCY_COUNT,
                     COUNTS
};
static_assert(COUNTS <= 32, "one bit each");

struct kdp_rest_market;
struct kdp_rest_book;
struct plant_page;

#define HOLES_MAX 256u
#define GAPS_MAX 4096u

struct plant_gap {   /* an open gap: see gap.c */
    uint8_t kind;    /* enum kdp_gap_kind */
    uint8_t channel; /* enum kdp_channel */
    uint16_t line;   /* it began on, 0: none */
    uint8_t ended;   /* enum kdp_healed_by: how its subscription ended, NONE: it goes on */
    bool trades;     /* REST heals it, and a timer says so */
    bool listing;    /* so, by a listing of the markets */
    bool nobody;     /* whose numbers were missing cannot be told: see gap_asked */
    uint32_t sid, epoch;
    uint32_t sub;     /* subscription it belongs to while that goes on, + 1 */
    uint32_t count;   /* gaps told as one */
    uint32_t markets; /* books made stale */
    uint64_t expected, seen, missed;
    int64_t opened_ns, learnt_ns; /* when it began, and the input time of learning of it */
    uint32_t root;                /* first of its group, + 1; 0: free */
    uint32_t next;                /* in the group, or of the free ones, + 1 */
    uint32_t last, left;          /* of the root alone: end of the chain, and what is waited for */
};

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
    struct plant_gap *gaps;            /* GAPS_MAX */
    struct plant_gap holes[HOLES_MAX]; /* in the trades of the runs before, not filled; until START */
    uint32_t holes_count;
    uint32_t gaps_used, gaps_free, gaps_nobody; /* the last: gaps that do not know their books */
    uint64_t waiting;                           /* planned books that are neither live nor closed */
    bool paused;                                /* the exchange is */
    bool plan_all, planning; /* all ordinary markets are wanted; there was a RELOAD at all */
    int64_t resumed_ns;      /* newest time of the runs before, KDP_TIME_NULL: none, or not known */
    int64_t
        started_ns; /* so: input time of this run's START, KDP_TIME_NULL: nothing of before is waited for */
    bool trades_resumed; /* what the pause cost in trades was told */
    struct kdp_rest_reader *rest;
    struct plant_page *page;
    struct plant_audits *audits;
    /* of the input being worked on */
    const struct kdp_input_head *input;
    int64_t now_ns;   /* its receive time, never running backwards: for durations only */
    uint8_t flags;    /* of the records it makes */
    uint8_t origin;   /* so */
    int wait_error;   /* why the ring's writer gave up */
    uint32_t lists;   /* ok replies with a list so far */
    uint64_t seq_end; /* see kdp_plant_end */
    /* what this run gave out before its process began anew is made once more and not given out: see kdp_plant_catch_up */
    bool catching_up;
    uint64_t again_seq, again_end; /* the next of them, and the first that was not given out */
    uint8_t *again;                /* a record's room */
    /* markets whose end was told, oldest first: their books are given back after a day */
    uint32_t settled_first, settled_last;
    uint32_t sample_first, sample_last; /* sampled books, the one looked at longest ago first */
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
/* emit_again: the next record was given out before, by the process that had this run. */
bool emit_again(const struct kdp_plant *plant);
/* emit_start gives a zeroed record of a template in the ring with its head filled from the input; emit_end
 * publishes nothing yet.  NULL when the ring stays full and waiting was given up (plant->wait_error). */
void *emit_start(struct kdp_plant *plant, uint8_t template_id, uint32_t instrument,
                 const struct kdp_message *msg);
struct kdp_text emit_bounded(struct kdp_text text, size_t max); /* cut between characters */
void emit_end(struct kdp_plant *plant, void *rec, size_t size);
void emit_state(struct kdp_plant *plant, enum kdp_subject subject, uint32_t id, enum kdp_book_state state,
                enum kdp_reason reason, const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq,
                struct kdp_text detail);
void emit_snapshot(struct kdp_plant *plant, uint32_t id, enum kdp_reason reason,
                   const struct kdp_message *msg);
void emit_bbo(struct kdp_plant *plant, uint32_t id, const struct kdp_top *top, const struct kdp_message *msg);
void emit_gap(struct kdp_plant *plant, const struct plant_gap *gap, enum kdp_gap_status status,
              enum kdp_healed_by by, const char *detail);

/* ---- line.c ---- */
void line_up(struct kdp_plant *plant, uint16_t number, bool marked, uint32_t epoch, struct kdp_text url);
void line_down(struct kdp_plant *plant, uint16_t number, enum kdp_reason reason);
/* sub_ends: its books are stale and nobody's, its numbers are over. */
void sub_ends(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason, uint64_t seq);

/* ---- gap.c ---- */
/* gap_sequence tells of numbers missing in a subscription, after its books were told as stale. */
void gap_sequence(struct kdp_plant *plant, struct kdp_sub *sub, uint64_t expected, uint64_t seen);
/* gap_sub_ends carries a subscription's open gap over: it ends when its books are live again, wherever. */
void gap_sub_ends(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_healed_by how);
/* gap_asked: a snapshot that was asked for came, which makes good what a subscription without books had missed;
 * so does gap_tick, when every planned book is live, and so does a new subscription. */
void gap_asked(struct kdp_plant *plant, const struct kdp_sub *sub);
void gap_tick(struct kdp_plant *plant);
/* gap_line_down tells that a line with subscriptions was lost, after its books were told as stale and before it lets
 * go of them; gap_line_up that it is back. */
void gap_line_down(struct kdp_plant *plant, struct kdp_line *line, uint32_t hit);
void gap_line_up(struct kdp_plant *plant, struct kdp_line *line, uint16_t number);
void gap_restore(struct kdp_plant *plant, const struct kdp_gap *rec);
void gap_restart(struct kdp_plant *plant);
/* gap_trades_resumed tells that the trades of the pause before this run are not there yet. */
void gap_trades_resumed(struct kdp_plant *plant, const struct kdp_sub *sub);
/* gap_trades_polled: the same, of a run that polls them. */
void gap_trades_polled(struct kdp_plant *plant);
/* gap_trades_behind: polls brought what they could, and that it is all has not been verified since then. */
void gap_trades_behind(struct kdp_plant *plant, int64_t since_ns);
/* gap_book_done says that a book is live, or waited for no more. */
void gap_book_done(struct kdp_plant *plant, uint32_t id, enum kdp_healed_by by);
/* gap_trades ends every trade gap that was learnt of before until_ns. */
void gap_trades(struct kdp_plant *plant, int64_t until_ns, bool healed);
/* gap_listed ends every gap of the lifecycle that was learnt of before until_ns: a listing has what it took. */
void gap_listed(struct kdp_plant *plant, int64_t until_ns);

/* ---- answer.c ---- */
struct plant_page *answer_page_open(void); /* free() takes it back */
void answer_input(struct kdp_plant *plant, const struct kdp_input_rest *rest, const char *text, size_t len);

/* ---- audit.c ---- */
bool audit_open(struct kdp_plant *plant);
void audit_close(struct kdp_plant *plant);
void audit_begin(struct kdp_plant *plant, uint32_t id);
/* audit_push keeps the hash of a book that is being audited. */
void audit_push(struct kdp_plant *plant, const struct kdp_instrument *item);
static inline void
audit_note(struct kdp_plant *plant, const struct kdp_instrument *item)
{
    if (item->audit != 0)
        audit_push(plant, item);
}
void audit_book(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_book *book);

/* ---- tell.c: notices to the session, nothing when nobody listens ---- */
void tell_market(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *listed, bool quoted,
                 bool was_live);
void tell_event(struct kdp_plant *plant, struct kdp_text event_ticker, struct kdp_text series_ticker);
void tell_book(struct kdp_plant *plant, uint32_t id, enum kdp_book_state was, enum kdp_reason reason,
               bool snapshot);
void tell_reply(struct kdp_plant *plant, enum kdp_notice_kind kind, const struct kdp_message *msg,
                enum kdp_channel channel);
void tell_gap(struct kdp_plant *plant, enum kdp_notice_kind kind, const struct kdp_sub *sub,
              uint64_t expected, uint64_t seen);
void tell_trade(struct kdp_plant *plant, const struct kdp_message *msg);

/* ---- restart.c ---- */
/* restart_input takes up what was restored, and tells readers which books are not live any more. */
void restart_input(struct kdp_plant *plant, const struct kdp_input_start *start);
/* restart_tick waits no more for books of before that nobody has planned since. */
void restart_tick(struct kdp_plant *plant);

/* ---- timer.c ---- */
void timer_input(struct kdp_plant *plant, const struct kdp_input_timer *timer);
void reload_input(struct kdp_plant *plant, const char *text, size_t len);

/* ---- frame.c ---- */
void frame_input(struct kdp_plant *plant, const char *frame, size_t len);

/* ---- definition.c ---- */
bool definition_combo(const struct kdp_instrument *item); /* by its ticker, before anybody says */
const struct kdp_definition *
definition_of(const struct kdp_instrument *item); /* NULL: only its ticker is known */
void emit_definition(struct kdp_plant *plant, uint32_t id, const struct kdp_message *msg);
/* definition_listed takes over what a listing says: true when it is not what was known. */
bool definition_listed(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *listed);
void definition_restore(struct kdp_plant *plant, uint32_t id, const struct kdp_definition *def);

/* ---- sample.c: what a run without a key sees of books ---- */
void sample_book(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_book *book);
void sample_quote(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *market);
/* sample_tick makes stale what was not looked at for too long; sample_end all of them: the run is over. */
void sample_tick(struct kdp_plant *plant);
void sample_end(struct kdp_plant *plant);
/* sample_left: its book is not a sample any more. */
void sample_left(struct kdp_plant *plant, struct kdp_instrument *item);
/* sample_day writes a sampled book down for the day. */
void sample_day(struct kdp_plant *plant, uint32_t id);

/* ---- market.c ---- */
/* market_of interns a ticker and writes its first Definition; 0 when it cannot be. */
uint32_t market_of(struct kdp_plant *plant, struct kdp_text ticker);
/* market_announce writes its first Definition of this run. */
void market_announce(struct kdp_plant *plant, uint32_t id);
void market_state(struct kdp_plant *plant, uint32_t id, enum kdp_book_state state, enum kdp_reason reason,
                  const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq);
/* market_leave takes a market out of a subscription that goes on: stale unless closed, and waited for no more. */
void market_leave(struct kdp_plant *plant, uint32_t id, struct kdp_sub *sub, uint64_t seq);
/* market_all_stale makes every book of a subscription stale and returns how many were live. */
uint32_t market_all_stale(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason,
                          uint64_t from_seq, uint64_t to_seq);
/* market_have_book gives it a book, laid out for its ticks; false: the pool is full, which is told once. */
bool market_have_book(struct kdp_plant *plant, uint32_t id);
/* market_write_state writes a new state down; the session is told by who knows whether a snapshot came with it. */
void market_write_state(struct kdp_plant *plant, uint32_t id, enum kdp_book_state state,
                        enum kdp_reason reason, const struct kdp_sub *sub, uint64_t from_seq,
                        uint64_t to_seq);
/* market_put_state keeps the totals right; it writes nothing. */
void market_put_state(struct kdp_plant *plant, struct kdp_instrument *item, enum kdp_book_state state);
/* market_final: its end was told, nothing opens it again. */
void market_final(struct kdp_plant *plant, uint32_t id);
void market_grid(struct kdp_plant *plant, uint32_t id, const struct kdp_definition_ranges *ranges,
                 uint32_t count);
void market_rest_book(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_book *book);
void market_drift(struct kdp_plant *plant, uint32_t id);
/* market_plan says whether the session wants a market's book. */
void market_plan(struct kdp_plant *plant, uint32_t id, bool planned);
void market_disown_all(struct kdp_plant *plant, struct kdp_sub *sub);
void market_snapshot(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg);
void market_delta(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg);
/* market_trade writes a trade that is not in the stream yet; false: it is. */
bool market_trade(struct kdp_plant *plant, const struct kdp_message *msg);
void market_ticker(struct kdp_plant *plant, const struct kdp_message *msg);
void market_lifecycle(struct kdp_plant *plant, const struct kdp_message *msg);
void market_event(struct kdp_plant *plant, const struct kdp_message *msg);
/* market_settled_free gives back the book of a market that was settled 24 h ago, one with each call. */
void market_settled_free(struct kdp_plant *plant);
/* market_day writes one instrument down for the day: Definition, and its book when that is live. */
void market_day(struct kdp_plant *plant, uint32_t id);

#endif
