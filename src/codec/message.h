/* message.h - one frame of the exchange, decoded: strict about values, tolerant about what it does not know.
 *
 * Source of every fact: docs/exchange.md section 4.3 (replies), 4.4 (envelope), 4.5-4.8 (channels), 5 (numbers).
 * Texts are slices of the frame, or of the decoder's scratch where the frame had escapes: valid until the next decode
 * with the same decoder or until the frame's memory goes.  One decoder serves one thread; it allocates only in init. */
#ifndef KDPI_MESSAGE_H
#define KDPI_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"

#define KDPI_LEVELS_MAX 20002u /* of one snapshot: both sides of the finest grid */
#define KDPI_TICKER_MAX 200u   /* bytes of a ticker */
#define KDPI_FRAME_MAX (64u << 20)

struct kdp_text {
    const char *data;
    size_t len;
};

enum kdp_message_kind {
    KDP_MESSAGE_UNKNOWN = 0, /* a type we do not know, or none: tolerated and counted */
    KDP_MESSAGE_SUBSCRIBED,
    KDP_MESSAGE_OK,      /* reply to an update: consumes a seq when it has one */
    KDP_MESSAGE_OK_LIST, /* reply to list_subscriptions: msg is an array */
    KDP_MESSAGE_UNSUBSCRIBED,
    KDP_MESSAGE_ERROR,
    KDP_MESSAGE_SNAPSHOT,
    KDP_MESSAGE_DELTA,
    KDP_MESSAGE_TICKER,
    KDP_MESSAGE_TRADE,
    KDP_MESSAGE_LIFECYCLE, /* market_lifecycle_v2 and multivariate_market_lifecycle */
    KDP_MESSAGE_EVENT,     /* event_lifecycle and event_fee_update */
    KDP_MESSAGE_COMMAND,   /* a client's command found in a recording ({"id","cmd","params"}) */
    KDP_MESSAGE_KINDS
};

/* Why a frame, or part of it, was refused.  JSON kinds mean that nothing in the frame can be trusted; value kinds
 * mean that it is whole JSON and its envelope (sid, seq, market_ticker) was read. */
#define KDP_REFUSAL_LIST(X)                     \
    X(NONE, "")                                 \
    X(SYNTAX, "not JSON")                       \
    X(TRUNCATED, "ends too early")              \
    X(TRAILING, "text after the end")           \
    X(UTF8, "invalid UTF-8")                    \
    X(ESCAPE, "invalid escape")                 \
    X(CONTROL, "control character in a string") \
    X(NUMBER, "not a JSON number")              \
    X(DEPTH, "nested too deep")                 \
    X(DUPLICATE_KEY, "key given twice")         \
    X(TOO_LONG, "longer than its bound")        \
    X(NOT_OBJECT, "not a JSON object")          \
    X(TYPE, "wrong type of value")              \
    X(MISSING, "a member is missing")           \
    X(TOO_FINE, "finer than the scale")         \
    X(RANGE, "out of range")                    \
    X(TIME, "not a time")                       \
    X(ENUM, "unknown word")                     \
    X(CONFLICT, "members contradict each other")

enum kdp_refusal {
#define KDP_X(name, text) KDP_REFUSAL_##name,
    KDP_REFUSAL_LIST(KDP_X)
#undef KDP_X
        KDP_REFUSALS
};
const char *kdpi_refusal_text(enum kdp_refusal refusal);

struct kdp_message_level { /* of a snapshot; price as sent, in the leg the subscription uses */
    int32_t price_e4;
    uint8_t side; /* enum kdp_side */
    int64_t size_e2;
};

struct kdp_message {
    enum kdp_message_kind kind;
    enum kdp_refusal refusal;
    bool trusted;       /* false: the frame is not whole JSON; kind is UNKNOWN and only type may be set */
    size_t position;    /* byte of the frame at which it was refused */
    const char *member; /* name of the member refused, static text; "" where there is none */

    struct kdp_text type; /* the frame's own word */
    bool has_id, has_sid, has_seq;
    int64_t id;
    uint32_t sid;
    uint64_t seq;
    int64_t sending_ts_ms; /* KDP_INT64_NULL where absent */

    struct kdp_text market_ticker; /* len 0 where absent */
    int64_t ts_ms;   /* as sent; derived from ts or time where only those came; KDP_INT64_NULL if none */
    int64_t exch_ns; /* the finest time given that agrees with ts_ms; KDP_TIME_NULL if none */

    uint32_t unknown_members; /* members we do not know, in envelope and msg */

    union {
        struct {
            struct kdp_text channel;
        } subscribed;
        struct {
            uint32_t
                count; /* tickers in the full set; the list itself stays in the frame (see kdpi_message_tickers) */
        } ok;
        struct {
            int64_t code;
            struct kdp_text text;
        } error;
        struct {
            const struct kdp_message_level
                *levels; /* in the decoder's memory, in the order sent, yes side and no side */
            uint32_t count;
            bool has_yes, has_no; /* the keys were there; absent means an empty side */
        } snapshot;
        struct {
            int32_t price_e4; /* as sent */
            uint8_t side;
            int64_t delta_e2;
        } delta;
        struct { /* null members: KDP_PRICE_NULL, KDP_INT64_NULL */
            int32_t price_e4, bid_e4, ask_e4;
            int64_t bid_size_e2, ask_size_e2, last_size_e2, volume_e2, open_interest_e2;
            int64_t dollar_volume, dollar_open_interest;
        } ticker;
        struct {
            uint8_t trade_id
                [16]; /* the UUID's bytes; of another text its XXH3-128 (and trade_id_hashed is set) */
            bool trade_id_hashed;
            int32_t price_e4; /* YES scale */
            int64_t count_e2;
            uint8_t
                taker_side; /* the outcome bought; from taker_outcome_side, taker_book_side or taker_side */
            bool block;
        } trade;
        struct { /* times KDP_TIME_NULL where absent */
            uint8_t kind, result;
            bool multivariate;
            int64_t open_ns, close_ns, at_ns, expiry_ns;
            int64_t settlement_value_e6, floor_strike_e6, cap_strike_e6; /* KDP_INT64_NULL where absent */
            uint8_t strike_type;
            int8_t can_close_early; /* -1 absent */
            int16_t exchange_index; /* -1 absent */
            struct kdp_text event_ticker, title, yes_sub_title, structure;
            uint32_t range_count; /* 0: none given */
            struct kdp_definition_ranges ranges[16];
        } lifecycle;
        struct {
            uint8_t kind;
            int16_t exchange_index;
            int64_t fee_multiplier_e6;
            struct kdp_text event_ticker, series_ticker, title, sub_title, collateral, fee_type;
        } event;
        struct {
            struct kdp_text cmd;
            bool books;           /* subscribe to orderbook_delta: what use_yes_price speaks of */
            int8_t use_yes_price; /* -1 not said */
        } command;
    };
};

struct kdp_decoder;

/* kdpi_decoder_open allocates everything the decoder will ever use (about 1 MiB); NULL when there is no memory. */
struct kdp_decoder *kdpi_decoder_open(void);
void kdpi_decoder_close(struct kdp_decoder *decoder);

/* kdpi_decode reads one frame into *msg and returns msg->refusal (KDP_REFUSAL_NONE: all good).  It checks the whole frame:
 * JSON per RFC 8259, UTF-8, no key twice in one object, at most 32 levels deep, nothing after the end. */
enum kdp_refusal kdpi_decode(struct kdp_decoder *decoder, const char *frame, size_t len,
                             struct kdp_message *msg);

/* kdpi_message_tickers calls each for every ticker of an ok reply's list or a command's market_tickers, in order, until
 * it returns false.  frame must be the frame that was decoded. */
void kdpi_message_tickers(const char *frame, size_t len, bool (*each)(void *arg, struct kdp_text ticker),
                          void *arg);

#endif
