/* rest.h - REST bodies of the exchange, decoded: as strict about values and as tolerant about the rest as message.h.
 *
 * Source: docs/exchange.md 2 and 3.  Texts are slices of the body or of the reader's memory, valid during the callback.  A
 * callback that returns false ends the reading (no refusal).  One reader serves one thread. */
#ifndef KDPI_REST_H
#define KDPI_REST_H

#include "message.h"

struct kdp_rest_reader;
struct kdp_rest_reader *kdpi_rest_open(void);
void kdpi_rest_close(struct kdp_rest_reader *reader);

struct kdp_rest_end { /* how a body ended */
    enum kdp_refusal refusal;
    size_t position;
    const char *member;
    uint32_t items;   /* handed out */
    uint32_t refused; /* items that held a value that cannot be represented: not handed out, the rest is */
    enum kdp_refusal
        item_refusal;  /* of the first of them; member and position are its own while refusal is NONE */
    char cursor[1024]; /* "" on the last page */
};

/* Trades of /markets/trades and /historical/trades; each is a kdp_message of kind TRADE with market_ticker, exch_ns
 * (microseconds) and ts_ms set. */
void kdpi_rest_trades(struct kdp_rest_reader *reader, const char *body, size_t len,
                      bool (*each)(void *arg, const struct kdp_message *trade), void *arg,
                      struct kdp_rest_end *end);

struct kdp_rest_market { /* a Market object; null members as in kdp_message */
    struct kdp_text ticker, event_ticker, title, yes_sub_title, no_sub_title, structure, mve_collection;
    uint8_t status; /* enum kdp_market_status */
    uint8_t strike_type, result;
    int8_t can_close_early;
    int16_t exchange_index;
    bool provisional;                     /* is_provisional */
    int64_t open_ns, close_ns, expiry_ns; /* expiry: expected_expiration_time, else latest_expiration_time */
    int64_t floor_strike_e6, cap_strike_e6, settlement_value_e6, settlement_ns;
    int64_t volume_e2, volume_24h_e2, open_interest_e2;
    int32_t bid_e4, ask_e4, last_e4;
    int64_t bid_size_e2, ask_size_e2;
    uint32_t range_count;
    struct kdp_definition_ranges ranges[16];
    int64_t created_ns, updated_ns; /* KDP_TIME_NULL where absent */
    /* the terms, filled only after kdpi_rest_want_terms: unescaped texts; custom_strike and legs as the JSON they came in */
    struct kdp_text subtitle, rules_primary, rules_secondary, early_close_condition, expiration_value,
        functional_strike, custom_strike, legs, settlement_bounds, primary_participant;
};
/* kdpi_rest_want_terms says whether this reader fills in the terms of markets (they are two thirds of a body). */
void kdpi_rest_want_terms(struct kdp_rest_reader *reader, bool wanted);
/* The page of /markets, or the one object of /markets/{ticker}. */
void kdpi_rest_markets(struct kdp_rest_reader *reader, const char *body, size_t len,
                       bool (*each)(void *arg, const struct kdp_rest_market *market), void *arg,
                       struct kdp_rest_end *end);

struct kdp_rest_book {
    struct kdp_text ticker; /* empty for /markets/{ticker}/orderbook, whose body does not name it */
    const struct kdp_message_level *levels; /* prices in their own leg: NO levels on the NO scale */
    uint32_t count;
};
/* Both forms: the single book and the batch. */
void kdpi_rest_books(struct kdp_rest_reader *reader, const char *body, size_t len,
                     bool (*each)(void *arg, const struct kdp_rest_book *book), void *arg,
                     struct kdp_rest_end *end);

struct kdp_rest_event {
    struct kdp_text event_ticker, series_ticker, title, sub_title, category, collateral, strike_period;
    int64_t strike_date_ns;    /* KDP_TIME_NULL */
    int8_t mutually_exclusive; /* -1 absent */
    int16_t exchange_index;
};
/* /events, /events/multivariate, /events/{ticker}: the events themselves. */
void kdpi_rest_events(struct kdp_rest_reader *reader, const char *body, size_t len,
                      bool (*each)(void *arg, const struct kdp_rest_event *event), void *arg,
                      struct kdp_rest_end *end);
/* The markets nested in events (with_nested_markets=true) or beside the one event, event by event. */
void kdpi_rest_event_markets(struct kdp_rest_reader *reader, const char *body, size_t len,
                             bool (*each)(void *arg, const struct kdp_rest_market *market), void *arg,
                             struct kdp_rest_end *end);

struct kdp_rest_series {
    struct kdp_text ticker, title, category, frequency, fee_type, contract_url, contract_terms_url;
    struct kdp_text tags, settlement_sources, additional_prohibitions; /* as the JSON they came in */
    int64_t fee_multiplier_e6;                                         /* KDP_INT64_NULL */
    int64_t volume_e2; /* with include_volume; KDP_INT64_NULL */
    int16_t exchange_index;
};
/* /series, /series/{ticker} */
void kdpi_rest_series(struct kdp_rest_reader *reader, const char *body, size_t len,
                      bool (*each)(void *arg, const struct kdp_rest_series *series), void *arg,
                      struct kdp_rest_end *end);

struct kdp_rest_fee_change { /* of a series (scheduled) or an event (override) */
    struct kdp_text id, ticker, fee_type;
    int64_t fee_multiplier_e6, scheduled_ns;
    bool event;
};
/* /series/fee_changes, /events/fee_changes */
void kdpi_rest_fee_changes(struct kdp_rest_reader *reader, const char *body, size_t len,
                           bool (*each)(void *arg, const struct kdp_rest_fee_change *change), void *arg,
                           struct kdp_rest_end *end);

struct kdp_rest_candle {    /* null members: KDP_PRICE_NULL, KDP_INT64_NULL */
    struct kdp_text ticker; /* empty where the body does not name it: a single market's */
    int64_t end_ns;         /* end_period_ts, included in the period */
    struct kdp_rest_ohlc {
        int32_t open_e4, high_e4, low_e4, close_e4;
    } bid, ask, price;
    int64_t mean_e6;
    int32_t previous_e4, min_e4, max_e4;
    int64_t volume_e2, open_interest_e2;
};
/* All forms: live, batch, event and historical (whose keys have no _dollars and _fp).  adjusted_end_tsp: of the event form, 0
 * elsewhere; NULL allowed. */
void kdpi_rest_candles(struct kdp_rest_reader *reader, const char *body, size_t len,
                       bool (*each)(void *arg, const struct kdp_rest_candle *candle), void *arg,
                       struct kdp_rest_end *end, int64_t *adjusted_end_tsp);

struct kdp_rest_cutoff { /* /historical/cutoff; KDP_TIME_NULL where absent */
    int64_t market_settled_ns, trades_created_ns;
};
enum kdp_refusal kdpi_rest_cutoff(struct kdp_rest_reader *reader, const char *body, size_t len,
                                  struct kdp_rest_cutoff *cutoff);

struct kdp_rest_cost {
    struct kdp_text method, path; /* "/markets/{ticker}" with its braces */
    int64_t cost;
};
/* /account/endpoint_costs: the exceptions; *default_costp is 10 where the body does not say. */
void kdpi_rest_costs(struct kdp_rest_reader *reader, const char *body, size_t len,
                     bool (*each)(void *arg, const struct kdp_rest_cost *cost), void *arg,
                     struct kdp_rest_end *end, int64_t *default_costp);

#define KDPI_REST_SHARDS_MAX 16u
struct kdp_rest_shard {   /* of exchange_index_statuses */
    int16_t index;        /* exchange_index; -1 not said */
    bool active, trading; /* exchange_active, true where it is not said; trading_active */
    bool transfers;       /* intra_exchange_transfers_active */
    char description[48]; /* escaped and cut for a screen; "" */
};
struct kdp_rest_status {
    bool exchange_active, trading_active;
    int64_t resume_ns;               /* KDP_TIME_NULL */
    uint32_t shards, shards_trading; /* those beyond KDPI_REST_SHARDS_MAX are counted, and not described */
    struct kdp_rest_shard shard[KDPI_REST_SHARDS_MAX];
};
enum kdp_refusal kdpi_rest_status(struct kdp_rest_reader *reader, const char *body, size_t len,
                                  struct kdp_rest_status *status);

struct kdp_rest_pause { /* one window in which the exchange does not trade */
    int64_t start_ns, end_ns;
    bool weekly; /* from the standard hours; else a maintenance window */
};
/* kdpi_rest_schedule turns the schedule into the pauses that touch [from_ns, to_ns), in order: maintenance windows, and what the
 * standard hours (Eastern Time, with its summer time) leave closed.  Returns how many, at most max. */
uint32_t kdpi_rest_schedule(struct kdp_rest_reader *reader, const char *body, size_t len, int64_t from_ns,
                            int64_t to_ns, struct kdp_rest_pause *pauses, uint32_t max,
                            enum kdp_refusal *refusalp);

struct kdp_rest_limits {
    char tier[32];
    int64_t read_refill, read_capacity; /* tokens a second, tokens; 0 unknown */
};
enum kdp_refusal kdpi_rest_limits(struct kdp_rest_reader *reader, const char *body, size_t len,
                                  struct kdp_rest_limits *limits);

/* kdpi_rest_error finds the exchange's own words in any of the three error shapes; code and message are NUL-terminated and may
 * be "". */
void kdpi_rest_error(const char *body, size_t len, char code[64], char message[256]);

/* kdpi_query_escape appends text to buf percent-encoded for a query; false when it does not fit. */
bool kdpi_query_escape(char *buf, size_t size, const char *text, size_t len);

#endif
