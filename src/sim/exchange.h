/* exchange.h - a made-up or recorded exchange, as it is: markets, true books, trades, status; no clients, no I/O.
 *
 * Everything is bounded: a market is named by its index, and the index of a market that was settled is given to a new one when
 * room is needed; MARKET with CREATED says so, and who keeps something by index drops it then.  The trades that named the old
 * market are forgotten before that.  A listener may look at the exchange and must not run it or act on it.
 *
 * Sources make things happen (generator: gen.h's state machine; recorded: any file that replay accepts, shifted in time), the
 * exchange keeps the resulting state and tells a listener of each event in the order in which they happened.  The server
 * (server.h) is the listener: it numbers and formats for each of its clients.  One thread. */
#ifndef KDPI_SIM_EXCHANGE_H
#define KDPI_SIM_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"
#include "message.h"

struct kdp_exchange;

struct kdp_exchange_config {
    int64_t now_ns; /* the present: everything is shifted so that the sources begin here */
    /* generated */
    uint64_t seed;
    uint32_t markets;    /* 0: no generated part */
    uint32_t rate;       /* messages a second, all channels; 0: nothing moves by itself */
    uint32_t combo_rate; /* combination markets created each second */
    /* recorded */
    const char *const *inputs;
    unsigned input_count;
    double speed; /* 0: 1 */
    bool leg_yes; /* NO prices are on the YES scale where the recording does not say */
    bool loop;    /* begin again at the end, shifted on */
    bool hold;    /* stand at the beginning until kdp_exchange_release */
    /* history made up before now_ns, so that REST has something to serve: trades of that long */
    int64_t history_ns;
    bool empty; /* it may have no source at all: there is a past (past.h) to serve */
};

struct kdp_exchange_level {
    int32_t price_e4; /* in its own leg: a NO bid at 0.56 is 5600 */
    int64_t size_e2;
};

struct kdp_exchange_market {
    const char *ticker, *event_ticker, *series_ticker, *title, *event_title, *yes_sub_title, *structure;
    char market_id[37];
    const char *raw; /* the object as it was recorded, to be served as it is; NULL: there is none */
    uint8_t status;  /* enum kdp_market_status as REST gives it, by open and close times too */
    uint8_t strike_type, result;
    bool combo, exclusive; /* exclusive: of the event's markets one pays */
    int16_t exchange_index;
    int64_t created_ns, open_ns, close_ns, expiry_ns, determined_ns, settled_ns,
        updated_ns; /* KDP_TIME_NULL: not yet */
    int64_t floor_strike_e6, cap_strike_e6, settlement_value_e6;
    uint32_t range_count;
    struct kdp_definition_ranges ranges[16];
    uint32_t bid_count[2];                    /* levels of YES (0) and NO (1) bids */
    const struct kdp_exchange_level *bids[2]; /* best first */
    /* YES scale, as a ticker says them: 0 and 10000 where there is none; of a recorded market without book the last ticker's */
    int32_t bid_e4, ask_e4;
    int64_t bid_size_e2, ask_size_e2;
    int32_t last_e4; /* KDP_PRICE_NULL: no trade yet */
    int64_t last_size_e2, volume_e2, volume_24h_e2, open_interest_e2, dollar_volume, dollar_open_interest;
    uint64_t trades;
};

struct kdp_exchange_trade {
    uint8_t trade_id[16];
    uint32_t market;
    int32_t yes_price_e4;
    int64_t count_e2;
    uint8_t taker_side; /* enum kdp_side */
    bool block;
    int64_t time_ns; /* whole microseconds; several may share one */
};

enum kdp_exchange_event_kind {
    KDP_EXCHANGE_DELTA,    /* delta */
    KDP_EXCHANGE_SNAPSHOT, /* a snapshot nobody asked for: at the close, with no levels */
    KDP_EXCHANGE_TRADE,    /* trade */
    KDP_EXCHANGE_TICKER,   /* the market as it is now */
    KDP_EXCHANGE_MARKET,   /* lifecycle: what happened to a market */
    KDP_EXCHANGE_EVENT,    /* an event was created, or its fees changed */
    KDP_EXCHANGE_RAW /* text: a recorded frame of a kind that is passed on as it is; envelope members are replaced */
};
struct kdp_exchange_event {
    enum kdp_exchange_event_kind kind;
    uint32_t market; /* UINT32_MAX: of none (a recorded EVENT, RAW) */
    int64_t time_ns;
    union {
        struct {
            uint8_t side;     /* enum kdp_side: whose bids */
            int32_t price_e4; /* in that leg */
            int64_t delta_e2;
        } delta;
        const struct kdp_exchange_trade *trade;
        uint8_t lifecycle; /* enum kdp_lifecycle_kind; details in the market */
        struct {
            const char *event_ticker, *series_ticker, *title, *sub_title, *collateral, *fee_type;
            bool fee_update;
            int64_t fee_multiplier_e6; /* KDP_INT64_NULL */
        } event;
        struct kdp_text raw;
    };
};
typedef void (*kdp_exchange_listener)(void *arg, const struct kdp_exchange_event *event);

int kdp_exchange_open(struct kdp_exchange **exchangep, const struct kdp_exchange_config *config);
void kdp_exchange_close(struct kdp_exchange *exchange);
void kdp_exchange_listen(struct kdp_exchange *exchange, kdp_exchange_listener listener, void *arg);
/* kdp_exchange_run makes everything happen that is due by now_ns: the time of the next event (INT64_MAX: none will come), or
 * a negative error.  At most max events (0: no bound), so that a server can look at its sockets in between; then now_ns or
 * earlier is returned.  What was begun is finished: one event's close may pass max by some hundreds. */
int64_t kdp_exchange_run(struct kdp_exchange *exchange, int64_t now_ns, unsigned max);
/* kdp_exchange_release lets recordings that are held go: their first frame is now.  Before that their markets are there with their
 * first books, so that a client can subscribe and miss nothing. */
void kdp_exchange_release(struct kdp_exchange *exchange, int64_t now_ns);

/* ---- state ---- */
uint32_t kdp_exchange_market_count(const struct kdp_exchange *exchange);
/* kdp_exchange_market_at fills in everything; texts and levels are valid until the next call or until the exchange runs on.
 * kdp_exchange_ticker is the cheap way to a name (valid until the exchange runs on); kdp_exchange_market_id writes 36 characters
 * and NUL, the same for the same ticker always. */
void kdp_exchange_market_at(const struct kdp_exchange *exchange, uint32_t index,
                            struct kdp_exchange_market *market);
const char *kdp_exchange_ticker(const struct kdp_exchange *exchange, uint32_t index, size_t *lenp);
void kdp_exchange_market_id(const struct kdp_exchange *exchange, uint32_t index, char id[37]);
uint32_t kdp_exchange_find(const struct kdp_exchange *exchange, const char *ticker,
                           size_t len); /* UINT32_MAX: no */
/* Trades by number, from 0 for the oldest ever; the newest kept is trade_count - 1, the oldest kept trade_oldest.  Times never go
 * back with the number.  trade_at gives NULL for a number that is not kept. */
uint64_t
kdp_exchange_trade_count(const struct kdp_exchange *exchange); /* all so far; the oldest may be forgotten */
uint64_t
kdp_exchange_trade_oldest(const struct kdp_exchange *exchange); /* number of the oldest kept, from 0 */
const struct kdp_exchange_trade *kdp_exchange_trade_at(const struct kdp_exchange *exchange, uint64_t number);
/* One market's: the number of its newest trade, and of the one before a trade that is kept; UINT64_MAX: none is kept. */
uint64_t kdp_exchange_trade_last(const struct kdp_exchange *exchange, uint32_t market);
uint64_t kdp_exchange_trade_before(const struct kdp_exchange *exchange, uint64_t number);
size_t kdp_exchange_memory(const struct kdp_exchange *exchange); /* bytes held at most, so far */

struct kdp_exchange_stats {
    uint64_t events[KDP_EXCHANGE_RAW + 1]; /* told, by kind */
    uint64_t trades_forgotten;
    uint64_t combos_left_out; /* created later than asked for: no place was free */
    /* recorded */
    uint64_t frames, frames_refused;
    uint64_t differences; /* deltas told because a snapshot differed from the book */
    uint64_t loops;
};
void kdp_exchange_stats(const struct kdp_exchange *exchange, struct kdp_exchange_stats *stats);

/* ---- acts from outside, for tests and faults; each tells the listener like any other event ---- */
void kdp_exchange_mass_cancel(struct kdp_exchange *exchange,
                              uint32_t market); /* every level goes, change by change */
void kdp_exchange_change_ticks(struct kdp_exchange *exchange,
                               uint32_t market); /* the next tick structure, in place */
int kdp_exchange_burst(struct kdp_exchange *exchange, unsigned events); /* so many at once */
/* count trades made now, each told and kept like any other; each takes one contract from the book where it has one */
void kdp_exchange_trade(struct kdp_exchange *exchange, uint32_t market, unsigned count);

enum kdp_exchange_act {
    KDP_EXCHANGE_PAUSE,  /* deactivated */
    KDP_EXCHANGE_RESUME, /* activated; every resting order is cancelled */
    KDP_EXCHANGE_CLOSE,  /* with the whole event: its close date moves to now, then it closes */
    KDP_EXCHANGE_LATER,  /* the close of its event moves on by an hour */
    KDP_EXCHANGE_SETTLE, /* with the whole event: closed when it is not, determined, settled */
    KDP_EXCHANGE_TERMS,  /* its metadata was changed */
    KDP_EXCHANGE_FEES,   /* the fees of its event are others, or, every second time, what they were */
    KDP_EXCHANGE_NEW     /* one more event of a series like the market's; index UINT32_MAX: of any */
};
/* kdp_exchange_act: 0, or -KDP_EUSAGE with words when the market is not in a state for it, or is a recorded one. */
int kdp_exchange_act(struct kdp_exchange *exchange, enum kdp_exchange_act act, uint32_t market);

#endif
