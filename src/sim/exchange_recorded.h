/* exchange_recorded.h - recordings as a source of the exchange: reading is exchange_recorded.c's, the markets that come out of it
 * are exchange_recmarket.c's. */
#ifndef KDPI_EXCHANGE_RECORDED_H
#define KDPI_EXCHANGE_RECORDED_H

#include "exchange_private.h"
#include "recording.h"
#include "rest.h"
#include "sequence.h"
#include "trade_set.h"

struct
    recorded_owner { /* the subscription whose changes count for a book: that of its last snapshot; sid 0, line 0: none */
    uint32_t line, epoch, sid;
};

struct recorded_market {
    uint32_t index, next; /* in the exchange, NOWHERE: not yet; in the chain of its hash */
    char *ticker;
    size_t ticker_len;
    char *event_ticker, *title, *yes_sub_title, *structure; /* NULL: never said */
    struct kdp_definition_ranges *ranges;                   /* NULL: never said */
    uint32_t range_count;
    uint8_t grid;       /* what the prices seen need: of recorded_grids */
    bool created_first; /* the first word of it is that it was created: until then it is not there */
    bool has_book, had_orders;
    bool over; /* determined before the recording began again: a market does not live twice */
    bool has_ticker, ticker_newest; /* newest: newer than the last change of the book */
    uint8_t strike_type;
    int16_t exchange_index;
    int64_t expiry_ns, floor_strike_e6, cap_strike_e6;
    struct recorded_owner owner;
    struct kdp_exchange_level *levels[2]; /* best first */
    uint32_t count[2];
    size_t room[2];
    int32_t last_e4, bid_e4, ask_e4;
    int64_t bid_size_e2, ask_size_e2, last_size_e2, volume_e2, open_interest_e2, dollar_volume,
        dollar_open_interest;
};

struct recorded_event { /* which series an event belongs to */
    uint32_t next;
    size_t len;
    char *event_ticker, *series_ticker;
};

struct exchange_recorded {
    struct kdp_exchange *ex;
    char **inputs; /* paths, copies */
    struct kdp_recording *recording;
    struct kdp_decoder *decoder;
    struct kdp_rest_reader *rest;
    struct kdp_lines *lines;
    struct kdp_trade_set *trades;
    struct kdp_recorded in; /* the next input */
    int64_t due_ns;         /* when, INT64_MAX: none comes any more */
    unsigned input;         /* file being read, from 1 */
    int64_t from_ns;        /* recorded time that stands for base_ns */
    int64_t base_ns, last_recv_ns, now_ns;
    double speed;
    uint64_t in_pass; /* frames since the beginning of the inputs */
    uint64_t loop;
    bool scanning, started, held;

    struct recorded_market **markets;
    size_t market_room;
    uint32_t market_count, *heads, head_count;
    struct recorded_event *events;
    size_t event_room;
    uint32_t event_count, *event_heads;
    size_t bytes;                        /* of texts and levels */
    struct kdp_exchange_level *fresh[2]; /* of the snapshot at hand, KDPI_LEVELS_MAX each */
};

#define RECORDED_EVENT_HEADS 65536u
#define RECORDED_MARKETS_MAX KDP_GEN_MARKETS_MAX

/* exchange_recorded.c */
int64_t recorded_time(const struct exchange_recorded *rec,
                      int64_t recorded_ns); /* shifted; KDP_TIME_NULL stays */
/* The event's own time where it has one; what claims to come from later than it was received does not. */
int64_t recorded_time_of(const struct exchange_recorded *rec, const struct kdp_message *msg);
/* recorded_trade takes over a trade that was not there yet and tells it. */
void recorded_trade(struct exchange_recorded *rec, struct recorded_market *market,
                    const struct kdp_message *msg);

/* exchange_recrest.c: the REST answer at hand */
void recorded_rest(struct exchange_recorded *rec);

/* exchange_recmarket.c: NULL where there is no memory or no place */
struct recorded_market *recorded_market_get(struct exchange_recorded *rec, struct kdp_text ticker);
bool recorded_market_born(struct exchange_recorded *rec, struct recorded_market *market, bool tell);
void recorded_events_put(struct exchange_recorded *rec, struct kdp_text event, struct kdp_text series);
bool recorded_text(struct exchange_recorded *rec, char **at, struct kdp_text text);
/* recorded_book_change adds to a level and tells it; false: the level has not so much, nothing is done. */
bool recorded_book_change(struct exchange_recorded *rec, struct recorded_market *market, unsigned side,
                          int32_t price_e4, int64_t delta_e2, int64_t time_ns);
/* recorded_book_become makes the book what rec->fresh holds, telling the difference. */
void recorded_book_become(struct exchange_recorded *rec, struct recorded_market *market,
                          const uint32_t count[2], int64_t time_ns);
void recorded_grid_see(struct exchange_recorded *rec, struct recorded_market *market, int32_t price_e4,
                       int64_t time_ns);
void recorded_define(struct exchange_recorded *rec, struct recorded_market *market,
                     const struct kdp_message *msg);
void recorded_markets_free(struct exchange_recorded *rec);

#endif
