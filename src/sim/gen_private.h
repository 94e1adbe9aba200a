/* gen_private.h - the generator's insides, shared by the files gen*.c. */
#ifndef KDPI_GEN_PRIVATE_H
#define KDPI_GEN_PRIVATE_H

#include <string.h>

#include "gen.h"

#define LEVELS_MAX 32u   /* per side; a full side only changes and loses levels */
#define OUTCOMES_MAX 12u /* of an event, hidden ones included */
#define BURST_MAX 128u   /* no step makes more frames than this */
#define TEXT_MAX 2048u   /* of a frame without lists */
#define LIST_MAX \
    3000u                /* markets: beyond this the client asks for replies without lists (skip_ticker_ack) \
                          */
#define BATCH_MAX 10000u /* markets added by one command */
#define COMBOS_MAX 64u   /* combinations that may still trade */
#define PENDING_MAX 4096u /* events on their way from closed to settled */

enum gen_side { GEN_YES, GEN_NO }; /* both hold bids, each priced in its own leg */

struct gen_level {
    int32_t price_e4, size_e2;
};
struct gen_book {
    struct gen_level levels[2][LEVELS_MAX]; /* best first */
    uint8_t count[2];
};

enum gen_flag {
    GEN_ACTIVE = 1,     /* takes orders */
    GEN_SUBSCRIBED = 2, /* the client has its snapshot: changes are sent */
    GEN_LISTED = 4,     /* in its connection's subscription */
    GEN_CLOSED = 8,
    GEN_COMBO = 16, /* no book, trades only */
    GEN_SEEN = 32   /* named in a frame given out */
};

struct gen_market {
    uint32_t event, place; /* place in the connection's list */
    uint32_t name;         /* offset of ticker, NUL, then the text "market_ticker":"...","market_id":"..." */
    uint16_t ticker_len, ident_len;
    uint8_t strike, structure, flags;
    int32_t last_e4;
    int32_t last_size_e2;
    uint32_t trades;
    int64_t volume_e2, open_interest_e2, volume_cash_e6;
    struct gen_book book;
};

/* What the client must have; allocated only when it is asked for. */
struct gen_client {
    struct gen_book book;
    int32_t top[4];
    uint32_t trades, bbo_changes;
    uint8_t state; /* enum kdp_gen_state */
    bool final;    /* determined: closed whatever comes */
};

struct gen_event {
    uint32_t first, slot; /* market; slot of the first market in the popularity table */
    uint32_t turn;        /* which of its series: date, teams */
    uint8_t series, markets, outcomes, structure, conn;
    bool closing;
    int64_t close_s;
    uint32_t weight[OUTCOMES_MAX]; /* chances are weight / sum */
    uint32_t sum;
};

enum gen_channel { GEN_BOOK, GEN_TICKER, GEN_TRADE, GEN_LIFE, GEN_MULTI, GEN_CHANNELS };
struct gen_sub {
    uint32_t sid; /* 0: not subscribed */
    uint64_t seq;
    uint64_t delivered; /* last seq the client got */
    uint32_t skip;      /* frames still to be lost */
    bool hole;          /* frames were lost that the client has not noticed yet */
};
struct gen_conn {
    struct gen_sub subs[GEN_CHANNELS];
    uint32_t next_sid, next_id;
    uint32_t *list; /* markets of the book subscription */
    uint32_t count, capacity;
    uint32_t asked, cursor; /* list entries subscribed to, and snapshots sent of them */
    uint32_t resync;        /* next list entry to snapshot again, UINT32_MAX: none */
    uint32_t resync_id;
    int64_t resync_ns;
    uint32_t ack_after; /* frames until the late subscribed reply, 0: none waits */
    uint32_t ack_id;
};

/* What a frame does to the client's books, applied when it is given out. */
enum gen_effect {
    GEN_NOTHING,
    GEN_SNAPSHOT,
    GEN_DELTA,
    GEN_NEGATIVE_LEVEL,
    GEN_TRADED,
    GEN_DETERMINED,
    GEN_NAMED,
    GEN_REMOVED, /* an ok whose list lacks the market */
    GEN_UNSUBSCRIBED
};
struct gen_item {
    uint32_t offset, len;
    int64_t recv_ns;
    uint64_t seq;
    uint32_t market;
    int32_t price_e4, delta_e2;
    uint8_t kind, conn, channel, effect, side; /* channel GEN_CHANNELS: none */
    bool asked;                                /* a snapshot with an id */
};

struct gen_pending {
    uint32_t event;
    uint8_t stage; /* 0: to be determined, 1: to be settled, 2: to be succeeded */
    int64_t due_ns;
};

struct gen_alias {
    uint32_t limit, other;
};

/* Who is told what happens instead of a client: with a sink the generator is an exchange (exchange_made.c), formats nothing,
 * and its time is the sink's owner's. */
struct gen_sink {
    void (*delta)(void *arg, uint32_t market, unsigned side, int32_t price_e4, int32_t delta_e2);
    void (*trade)(void *arg, uint32_t market, int32_t yes_e4, int32_t count_e2, unsigned taker, bool block,
                  uint64_t id_high, uint64_t id_low);
    void (*ticker)(void *arg, uint32_t market);
    void *arg;
    bool renamed; /* names begin with KY instead of KX, but for combinations, which are known by theirs */
};
#define GEN_NAME_MAX \
    64u /* with a sink a market has so many bytes for its ticker and NUL, at its number's place */

struct kdp_gen {
    struct kdp_gen_config config;
    const struct gen_sink *sink; /* NULL: frames for a client */
    uint64_t random;
    int64_t now_ns, last_recv_ns, gap_ns, owed_ns; /* gap_ns: mean time of a frame */
    uint64_t frames;
    bool finished, ending, out_of_memory, faulty, sending, taker_side;
    uint32_t paused, removed; /* a market that is deactivated, out of its subscription; UINT32_MAX: none */
    uint32_t initial_events, created_next; /* next event whose created messages are due */
    uint32_t connected;                    /* connections made so far */

    struct gen_market *markets;
    struct gen_client *clients;
    struct gen_event *events;
    uint32_t market_count, market_max, event_count, event_max;
    uint32_t promised; /* places kept for successors of events that are closing */
    char *names;
    size_t names_used, names_size;
    struct gen_alias *alias;
    uint32_t *slots; /* popularity slot -> market */
    uint32_t slot_count;
    uint32_t turns[64]; /* next event of each series */
    uint32_t last_event;
    uint32_t quarter[8], quarters; /* events that close by the clock */

    struct gen_conn conns[KDP_GEN_CONNECTIONS_MAX];
    struct gen_pending pending[PENDING_MAX];
    uint32_t pending_head, pending_count;
    uint32_t mending[64], mending_count; /* single books to be snapshotted again */
    int64_t mending_ns;
    uint32_t combos[COMBOS_MAX], combo_count;

    char *text; /* of the step under way */
    size_t text_used, text_size;
    struct gen_item *items;
    uint32_t item_next, item_count, item_max;
    bool twice;  /* the last item is given out again */
    bool junked; /* junk was given out before the next item */
    char *junk;
    size_t junk_size;
    unsigned idle_steps;

    enum gen_channel life_channel; /* of the lifecycle message under way */
    int64_t second;                /* whose text stands in date */
    char date[24];
    struct kdp_gen_level shown[2][LEVELS_MAX];
};

/* random numbers: splitmix64 */
static inline uint64_t
gen_random(struct kdp_gen *gen)
{
    uint64_t z = gen->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
/* gen_below gives 0 to bound - 1 (bound below 2^32), evenly enough for made-up data. */
static inline uint32_t
gen_below(struct kdp_gen *gen, uint32_t bound)
{
    return (uint32_t)(((gen_random(gen) >> 32) * bound) >> 32);
}
static inline bool
gen_chance(struct kdp_gen *gen, uint32_t ppm)
{
    return ppm != 0 && gen_below(gen, 1000000) < ppm;
}
static inline const char *
gen_ticker(const struct kdp_gen *gen, const struct gen_market *market)
{
    return gen->names + market->name;
}

/* gen_series.c: names and texts */
enum gen_naming { BY_QUARTER, BY_TEAMS, BY_TEMPERATURE, BY_RATE, BY_VALUE, BY_WORD, BY_DAY };
#define GEN_SERIES 16u
struct gen_series {
    const char *names[4]; /* turn by turn; NULL ends */
    uint8_t naming, markets, outcomes, structure,
        calm; /* calm: a step of the chances moves one by 1/2^calm */
    uint8_t team_set;
};
extern const struct gen_series gen_series_table[GEN_SERIES];
int64_t gen_close_of(const struct kdp_gen *gen, unsigned series, uint32_t turn);
char *gen_put_market_suffix(const struct kdp_gen *gen, const struct gen_event *event, unsigned strike,
                            char *at);

/* gen.c */
/* gen_pick_trading gives a market that trades; every fourth time a neighbour of the last one, since an event's strikes move
 * together.  UINT32_MAX: none found. */
uint32_t gen_pick_trading(struct kdp_gen *gen);
/* gen_pause draws an exponential pause, in 1/1,024 of its mean. */
uint32_t gen_pause(uint64_t draw);

/* gen_universe.c: events, markets, ticks, chances */
/* gen_universe_open makes config.markets markets; with market_max set there is room for so many, else for a quarter more. */
int gen_universe_open(struct kdp_gen *gen);
/* gen_event_make makes the next event of a series in the places given, without orders. */
bool gen_event_make(struct kdp_gen *gen, uint8_t series, uint32_t count, uint32_t index, uint32_t first,
                    uint32_t slot);
uint8_t gen_series_left(const struct kdp_gen *gen, uint8_t series);
bool gen_combo_make(struct kdp_gen *gen, uint32_t index);
/* gen_event_add makes the next event of a series; keep_slots: it takes over the popularity of event old.
 * UINT32_MAX: full. */
uint32_t gen_event_add(struct kdp_gen *gen, uint8_t series, uint32_t markets_max, uint32_t old);
uint32_t gen_combo_add(struct kdp_gen *gen);
int32_t gen_fair(const struct kdp_gen *gen, const struct gen_market *market);
void gen_fair_step(struct kdp_gen *gen, struct gen_event *event);
uint32_t gen_pick(struct kdp_gen *gen);
bool gen_event_is_timed(const struct gen_event *event);

#define GEN_STRUCTURES 14u
struct gen_band {
    int32_t start_e4, end_e4, step_e4;
};
struct gen_structure {
    const char *name;
    uint8_t bands;
    struct gen_band band[3];
};
extern const struct gen_structure gen_structures[GEN_STRUCTURES];
int32_t gen_tick_floor(uint8_t structure, int32_t price_e4); /* highest grid price <= price, >= 0 */
int32_t gen_tick_below(uint8_t structure, int32_t price_e4); /* highest grid price < price, 0 at the end */

/* texts of an event for its lifecycle messages, written to at; each returns the end */
char *gen_put_event_ticker(const struct kdp_gen *gen, const struct gen_event *event, char *at);
char *gen_put_event_title(const struct kdp_gen *gen, const struct gen_event *event, char *at);
char *gen_put_series(const struct gen_event *event, char *at);
char *gen_put_market_title(const struct kdp_gen *gen, const struct gen_market *market, char *at);
char *gen_put_sub_title(const struct kdp_gen *gen, const struct gen_market *market, char *at);
char *gen_put_strike(const struct kdp_gen *gen, const struct gen_market *market,
                     char *at); /* "strike_type":... members */
bool gen_event_exclusive(const struct gen_event *event);
/* gen_outcome draws which outcome comes true; gen_market_won says whether that pays YES. */
uint32_t gen_outcome(struct kdp_gen *gen, const struct gen_event *event);
bool gen_market_won(const struct gen_event *event, const struct gen_market *market, uint32_t outcome);

/* gen_book.c: the true books */
void gen_book_fill(struct kdp_gen *gen, struct gen_market *market, bool quiet);
void gen_step_quotes(struct kdp_gen *gen, uint32_t market);
/* gen_book_change adds delta to a level: false (and nothing done) when it would not fit or go below zero. */
bool gen_book_change(struct gen_book *book, unsigned side, int32_t price_e4, int32_t delta_e2);
void gen_mass_cancel(struct kdp_gen *gen, uint32_t market);
/* gen_trade counts a trade in the market and tells it; gen_trade_block one that was agreed outside the book. */
void gen_trade(struct kdp_gen *gen, uint32_t market, int32_t yes_e4, int32_t count_e2, unsigned taker);
void gen_trade_block(struct kdp_gen *gen, uint32_t market, int32_t yes_e4, int32_t count_e2, unsigned taker);

/* gen_frame.c: texts of frames into the step's queue; each takes its seq where its channel has one */
void gen_put_delta(struct kdp_gen *gen, uint32_t market, unsigned side, int32_t price_e4, int32_t delta_e2,
                   bool negative);
void gen_put_snapshot(struct kdp_gen *gen, uint32_t market, uint32_t id);
void gen_put_trade(struct kdp_gen *gen, uint32_t market, int32_t yes_e4, int32_t count_e2, unsigned taker,
                   bool block);
void gen_put_ticker(struct kdp_gen *gen, uint32_t market);
void gen_put_subscribed(struct kdp_gen *gen, uint32_t conn, uint32_t id, enum gen_channel channel);
/* removed: the market that the list has lost, UINT32_MAX: none */
void gen_put_ok(struct kdp_gen *gen, uint32_t conn, uint32_t id, uint32_t removed);
void gen_put_ok_list(struct kdp_gen *gen, uint32_t conn, uint32_t id);
void gen_put_unsubscribed(struct kdp_gen *gen, uint32_t conn, uint32_t id);
void gen_put_mark(struct kdp_gen *gen, uint32_t conn, enum kdp_gen_kind kind);
/* a message of a lifecycle channel: begin writes up to msg's first member, the caller appends members, end
 * closes and queues */
char *gen_life_begin(struct kdp_gen *gen, enum gen_channel channel, const char *type);
void gen_life_end(struct kdp_gen *gen, char *at, uint32_t market, enum gen_effect effect);
void gen_put_command(struct kdp_gen *gen, uint32_t conn, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A command with tickers of the connection's list; what: its members up to params' first, NULL for
 * add_markets. */
void gen_put_list_command(struct kdp_gen *gen, uint32_t conn, uint32_t id, const char *what, uint32_t from,
                          uint32_t to);
void gen_put_text(struct kdp_gen *gen, uint32_t conn, const char *text, size_t len);
extern const char *const gen_channel_names[GEN_CHANNELS];
char *gen_put_price(char *at, int32_t price_e4);
char *gen_decimal(char *at, uint64_t value);
char *gen_string(char *at, const char *text);

/* gen_life.c: connections, subscriptions, the lives of markets */
bool gen_step_start(struct kdp_gen *gen); /* false when there is nothing of the kind to do */
bool gen_step_due(struct kdp_gen *gen);
void gen_step_life(struct kdp_gen *gen);
void gen_reconnect(struct kdp_gen *gen, uint32_t conn);
int gen_list_add(struct kdp_gen *gen, uint32_t conn, uint32_t market);

/* gen_fault.c: between the exchange and the client */
/* gen_deliver gives an item to the client: false when it was lost. */
bool gen_deliver(struct kdp_gen *gen, struct gen_item *item);
void gen_step_faults(struct kdp_gen *gen);
/* gen_step_notice makes sure that no hole is unnoticed: true when it queued a frame for that. */
bool gen_step_notice(struct kdp_gen *gen);
void gen_disconnect_client(struct kdp_gen *gen, uint32_t conn);

#endif
