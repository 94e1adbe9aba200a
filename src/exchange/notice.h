/* notice.h - what the plant tells the session while it consumes an input: the one way knowledge goes from the stream back to
 * what is asked of the exchange.
 *
 * The plant stays a function of its inputs: a notice changes nothing in it, a replay has nobody who listens.  Called on the
 * plant's thread, inside kdp_plant_input; texts are valid during the call. */
#ifndef KDPI_NOTICE_H
#define KDPI_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

enum kdp_notice_kind {
    KDP_NOTICE_MARKET,       /* a market is known, or known better: market */
    KDP_NOTICE_EVENT,        /* event_ticker belongs to series_ticker: event */
    KDP_NOTICE_BOOK,         /* a book's state changed, or a snapshot came for it: book */
    KDP_NOTICE_SUBSCRIBED,   /* reply */
    KDP_NOTICE_OK,           /* reply: tickers = size of the full set, 0 when it was not listed */
    KDP_NOTICE_UNSUBSCRIBED, /* reply */
    KDP_NOTICE_ERROR,        /* reply */
    KDP_NOTICE_GAP,          /* gap: after every book of it was told as stale */
    KDP_NOTICE_BAD_FIRST,    /* gap: the first number of a new live sid was not 1 */
    KDP_NOTICE_REPEATS,      /* gap: a sid sends nothing but numbers seen before */
    KDP_NOTICE_TRADE,        /* trade: a trade from the stream, or one that was polled (line 0), went by */
    KDP_NOTICE_REST,         /* rest: the plant has worked off a REST answer */
    KDP_NOTICE_AUDIT         /* audit: one market of an audit answer was compared */
};

struct kdp_notice {
    enum kdp_notice_kind kind;
    uint16_t line;
    uint32_t sid;
    uint32_t instrument; /* 0: none */
    union {
        struct {
            struct kdp_text ticker, event_ticker;
            int64_t open_ns, close_ns; /* KDP_TIME_NULL */
            int64_t volume_e2;         /* of 24 h by the last listing, KDP_INT64_NULL */
            uint8_t status;            /* enum kdp_market_status */
            bool combo;
            bool quoted;   /* from a REST answer that asked for it by name, whatever the listing stands at */
            bool listed;   /* from a REST listing; else from the lifecycle, or from an earlier run */
            bool was_live; /* from an earlier run: its book was live or waited for when that ended */
        } market;
        struct {
            struct kdp_text event_ticker, series_ticker;
        } event;
        struct {
            uint8_t state, was; /* enum kdp_book_state */
            uint8_t reason;     /* enum kdp_reason */
            bool snapshot;      /* a snapshot was taken over (state may be as it was) */
            bool owner;         /* line and sid own the book now */
        } book;
        struct {
            bool has_id;
            int64_t id;
            uint8_t channel; /* enum kdp_channel (sequence.h) */
            int64_t code;    /* of ERROR */
            uint32_t tickers;
            struct kdp_text text;
        } reply;
        struct {
            uint8_t channel;
            uint64_t expected, seen;
        } gap;
        struct {
            int64_t exch_ns;
        } trade;
        struct {
            uint64_t request;
            uint32_t status;
            bool refused;                 /* the body could not be read */
            uint32_t items;               /* markets, trades or books in it */
            uint32_t fresh;               /* of trades: those that were not in the stream */
            int64_t oldest_ns, newest_ns; /* of trades: exchange time, KDP_TIME_NULL when none */
            struct kdp_text cursor;
        } rest;
        struct {
            bool agrees, drift; /* drift: the third disagreement in a row, the book is stale now */
        } audit;
    };
};

typedef void (*kdp_notice_fn)(void *arg, const struct kdp_notice *notice);

#endif
