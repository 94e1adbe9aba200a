/* gen.h - a made-up exchange as a sequence of frames: the same seed gives the same bytes on any machine.
 *
 * A state machine with a virtual clock: it holds a true order book for every market, moves prices, trades,
 * opens, closes and settles markets, and writes what the real exchange would send to a client with some
 * connections (docs/exchange.md sections 4, 5, 6 and 10).  kdp_gen_next gives the next frame and the time at
 * which it would arrive; no clock or file is read, no floating point is used.  Faults, when asked for, happen
 * between the exchange and the client: the generator also keeps the books as a client must have them after
 * exactly the frames that were given out (kdp_gen_market_at).
 *
 * Popularity is heavy-tailed: the n-th event is chosen about 1/n^1.25 of the time.  Within an event of
 * several outcomes the chances add up to 1 and move as a bounded random walk; quotes follow them with a
 * spread of one or two ticks where the market is busy.  One thread per generator; memory grows to a bound set
 * by the number of markets, then no new markets appear. */
#ifndef KDPI_GEN_H
#define KDPI_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDP_GEN_MARKETS_MAX 2000000u
#define KDP_GEN_CONNECTIONS_MAX 16u

/* Faults: name, default chance per million frames, words. */
#define KDP_GEN_FAULT_LIST(X)                                                                   \
    X(GAP, "gap", 200, "1 to 14 numbered frames of a subscription are lost")                    \
    X(RESYNC, "resync", 1000000, "after a gap the client asks for snapshots and gets them")     \
    X(DUP, "dup", 500, "a frame comes twice")                                                   \
    X(RECONNECT, "reconnect", 30, "a connection breaks and is made anew")                       \
    X(MALFORMED, "malformed", 200, "a frame that is no JSON comes between the others")          \
    X(NEGATIVE, "negative", 50, "a change takes more from a level than it has")                 \
    X(REORDER_ACK, "reorder-ack", 1000000, "the first data come before their subscribed reply") \
    X(UNKNOWN, "unknown", 1000, "types and members that nobody has seen before")

enum kdp_gen_fault {
#define KDP_X(name, word, ppm, text) KDP_GEN_FAULT_##name,
    KDP_GEN_FAULT_LIST(KDP_X)
#undef KDP_X
        KDP_GEN_FAULTS
};

struct kdp_gen_config {
    uint64_t seed;
    uint32_t markets;     /* at the start, 1 or more; settled ones get successors */
    uint32_t connections; /* 1 to KDP_GEN_CONNECTIONS_MAX; an event's markets are all on one */
    uint32_t rate;        /* frames a second, mean after the start */
    int64_t start_ns;     /* 2017 to 2099 */
    uint64_t frames;      /* give exactly so many frames, 0: no bound */
    int64_t span_ns;      /* stop after so much virtual time, 0: no bound */
    bool leg_yes;         /* NO levels on the YES scale (use_yes_price) */
    bool commands;        /* give the client's commands too */
    bool created;         /* begin with the created message of every market */
    bool track;           /* keep the client's books (always kept when there are faults) */
    uint32_t fault_ppm[KDP_GEN_FAULTS];
};

enum kdp_gen_kind { KDP_GEN_FRAME, KDP_GEN_CONNECTED, KDP_GEN_DISCONNECTED, KDP_GEN_COMMAND };

struct kdp_gen_frame {
    enum kdp_gen_kind kind;
    uint16_t conn; /* from 1 */
    int64_t recv_ns;
    const char *text; /* valid until the next call */
    size_t len;
};

struct kdp_gen;

/* kdp_gen_config_init fills in the defaults: 100 markets, one connection, 1,000 frames a second, created
 * messages, seed 1. */
void kdp_gen_config_init(struct kdp_gen_config *config);
/* kdp_gen_faults_parse reads "gap,dup=0.001": names, each with a chance per frame where the default is not
 * wanted. */
int kdp_gen_faults_parse(const char *list, uint32_t fault_ppm[KDP_GEN_FAULTS]);

int kdp_gen_open(struct kdp_gen **genp, const struct kdp_gen_config *config);
/* kdp_gen_next gives the next frame: 1, or 0 when frames or span_ns is reached (the last burst is finished
 * first), or -KDP_ENOMEM. */
int kdp_gen_next(struct kdp_gen *gen, struct kdp_gen_frame *frame);
void kdp_gen_close(struct kdp_gen *gen);

/* A market as the client must see it after the frames given out so far (with track), or as it truly is at the
 * exchange. */
enum kdp_gen_state { KDP_GEN_UNSEEN, KDP_GEN_LIVE, KDP_GEN_STALE, KDP_GEN_CLOSED };
struct kdp_gen_level {
    int32_t price_e4; /* YES scale */
    int64_t size_e2;
};
struct kdp_gen_market {
    const char *ticker;
    enum kdp_gen_state state;
    uint32_t bid_levels, ask_levels;
    const struct kdp_gen_level *bids, *asks; /* best first, valid until the next call on this generator */
    int64_t bid_size_total_e2, ask_size_total_e2;
    uint64_t trades, bbo_changes;
};
uint32_t kdp_gen_market_count(const struct kdp_gen *gen);
void kdp_gen_market_at(struct kdp_gen *gen, uint32_t index, bool client, struct kdp_gen_market *market);

/* Bytes of memory the generator holds, for those who ask how it grows. */
size_t kdp_gen_memory(const struct kdp_gen *gen);

#endif
