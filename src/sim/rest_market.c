/* rest_market.c - markets, their books and their trades over REST (docs/exchange.md 3.2 to 3.4, 3.6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

const char *const sim_statuses[9] = {"initialized", "initialized", "active",  "inactive", "closed",
                                     "determined",  "disputed",    "amended", "finalized"};

static void
bad(struct sim_conn *conn, const char *message)
{
    sim_http_error(conn, 400, "bad_request", message);
}

static void
answer(struct sim_conn *conn, struct sim_text *text)
{
    sim_http_answer(conn, 200, "", text->data, text->len);
    sim_text_free(text);
}

/* ---- Market objects ---- */
static void
put_text(struct sim_text *text, const char *key, const char *word)
{
    if (word == NULL)
        word = "";
    sim_puts(text, key);
    sim_put_json(text, word, strlen(word));
}

static void
put_time(struct sim_text *text, const char *key, int64_t ns)
{
    sim_puts(text, key);
    sim_put_time(text, ns, ns % KDP_NS_PER_S != 0 ? 6 : 0);
}

static void
put_dollars(struct sim_text *text, const char *key, int64_t price_e4)
{
    sim_puts(text, key);
    sim_put_price(text, price_e4);
    sim_lit(text, "\"");
}

static void
put_count(struct sim_text *text, const char *key, int64_t size_e2)
{
    sim_puts(text, key);
    sim_put_size(text, size_e2);
    sim_lit(text, "\"");
}

static void
put_strike(struct sim_text *text, const char *key, int64_t value_e6)
{
    if (value_e6 == KDP_INT64_NULL)
        return;
    sim_puts(text, key);
    if (value_e6 % 1000000 == 0)
        sim_put_int(text, value_e6 / 1000000);
    else
        sim_putf(text, "%s%lld.%06lld", value_e6 < 0 ? "-" : "", llabs((long long)value_e6 / 1000000),
                 llabs((long long)value_e6 % 1000000));
}

static void
put_prices(struct sim_text *text, const struct kdp_exchange_market *m)
{
    put_dollars(text, ",\"notional_value_dollars\":\"", 10000);
    put_dollars(text, ",\"yes_bid_dollars\":\"", m->bid_e4);
    put_dollars(text, ",\"yes_ask_dollars\":\"", m->ask_e4);
    put_dollars(text, ",\"no_bid_dollars\":\"", 10000 - m->ask_e4);
    put_dollars(text, ",\"no_ask_dollars\":\"", 10000 - m->bid_e4);
    put_count(text, ",\"yes_bid_size_fp\":\"", m->bid_size_e2);
    put_count(text, ",\"yes_ask_size_fp\":\"", m->ask_size_e2);
    put_dollars(text, ",\"last_price_dollars\":\"", m->last_e4 != KDP_PRICE_NULL ? m->last_e4 : 0);
    put_dollars(text, ",\"previous_yes_bid_dollars\":\"", 0);
    put_dollars(text, ",\"previous_yes_ask_dollars\":\"", 0);
    put_dollars(text, ",\"previous_price_dollars\":\"", 0);
    put_count(text, ",\"volume_fp\":\"", m->volume_e2);
    put_count(text, ",\"volume_24h_fp\":\"", m->volume_24h_e2);
    put_count(text, ",\"open_interest_fp\":\"", m->open_interest_e2);
}

void
sim_put_market(struct kdp_sim *sim, struct sim_text *text, uint32_t index)
{
    static const char *const results[] = {"", "yes", "no", "scalar"};
    static const char *const strikes[] = {"",           "greater",       "greater_or_equal",
                                          "less",       "less_or_equal", "between",
                                          "functional", "custom",        "structured"};
    struct kdp_exchange_market m;

    sim_market_at(sim, index, &m);
    if (m.raw != NULL) {
        sim_puts(text, m.raw);
        return;
    }
    put_text(text, "{\"ticker\":", m.ticker);
    put_text(text, ",\"event_ticker\":", m.event_ticker);
    put_text(text, ",\"market_type\":\"binary\",\"title\":", m.title);
    put_text(text, ",\"yes_sub_title\":", m.yes_sub_title);
    put_time(text, ",\"created_time\":", m.created_ns);
    put_time(text, ",\"updated_time\":", sim_terms_updated(sim, &m));
    put_time(text, ",\"open_time\":", m.open_ns);
    put_time(text, ",\"close_time\":", m.close_ns);
    put_time(text, ",\"latest_expiration_time\":", m.expiry_ns);
    if (m.expiry_ns != KDP_TIME_NULL)
        put_time(text, ",\"expected_expiration_time\":", m.expiry_ns);
    sim_putf(text, ",\"settlement_timer_seconds\":60,\"status\":\"%s\"", sim_statuses[m.status % 9]);
    put_prices(text, &m);
    sim_putf(text, ",\"result\":\"%s\"", results[m.result % 4]);
    put_text(text, ",\"price_level_structure\":", m.structure);
    sim_lit(text, ",\"price_ranges\":");
    sim_put_ranges(text, &m);
    if (m.strike_type != KDP_STRIKE_TYPE_NONE)
        sim_putf(text, ",\"strike_type\":\"%s\"", strikes[m.strike_type % 9]);
    put_strike(text, ",\"floor_strike\":", m.floor_strike_e6);
    put_strike(text, ",\"cap_strike\":", m.cap_strike_e6);
    if (m.settlement_value_e6 != KDP_INT64_NULL)
        put_dollars(text, ",\"settlement_value_dollars\":\"", m.settlement_value_e6 / 100);
    if (m.settled_ns != KDP_TIME_NULL)
        put_time(text, ",\"settlement_ts\":", m.settled_ns);
    if (m.combo)
        put_text(text, ",\"mve_collection_ticker\":", m.series_ticker);
    if (m.exchange_index >= 0)
        sim_putf(text, ",\"exchange_index\":%d", m.exchange_index);
    sim_put_terms(sim, text, &m); /* the last: it may look at other markets */
    sim_lit(text, "}");
}

void
sim_rest_market(struct sim_conn *conn, const char *ticker, size_t len, bool historical)
{
    struct kdp_sim *sim = conn->sim;
    uint32_t index = sim_market_find(sim, ticker, len);
    struct kdp_exchange_market m;
    struct sim_text text = {0};

    if (index != UINT32_MAX)
        sim_market_at(sim, index, &m);
    if (index == UINT32_MAX || sim_is_historical(sim, &m) != historical) {
        sim_http_error(conn, 404, "not_found", "market not found");
        return;
    }
    sim_lit(&text, "{\"market\":");
    sim_put_market(sim, &text, index);
    sim_lit(&text, "}");
    answer(conn, &text);
}

/* ---- the listing ---- */
enum span { CREATED, UPDATED, CLOSE, SETTLED, SPANS };

struct filter {
    const char *event, *series, *tickers;
    int status; /* 0 none, else 1 + index of its word */
    int mve;    /* 0, 1 only, 2 exclude */
    bool historical;
    bool given[SPANS];
    int64_t min_s[SPANS], max_s[SPANS];
};

static const char *const status_words[] = {"unopened", "open", "paused", "closed", "settled"};

static const char *
filter_read(struct filter *f, const struct sim_query *query)
{
    static const char *const spans[SPANS] = {"created", "updated", "close", "settled"};
    const char *word = sim_query_get(query, "status"), *mve = sim_query_get(query, "mve_filter");
    char name[32];

    f->event = sim_query_get(query, "event_ticker");
    f->series = sim_query_get(query, "series_ticker");
    f->tickers = sim_query_get(query, "tickers");
    if (f->event != NULL && strchr(f->event, ',') != NULL)
        return "one event_ticker only";
    if (word != NULL && word[0] != 0) {
        for (unsigned i = 0; i < 5; i++) {
            if (strcmp(word, status_words[i]) == 0)
                f->status = (int)i + 1;
        }
        if (f->status == 0)
            return strchr(word, ',') != NULL ? "one status only" : "unknown status";
    }
    if (mve != NULL && mve[0] != 0) {
        f->mve = strcmp(mve, "only") == 0 ? 1 : strcmp(mve, "exclude") == 0 ? 2 : 0;
        if (f->mve == 0)
            return "mve_filter is only or exclude";
    }
    for (unsigned i = 0; i < SPANS; i++) {
        snprintf(name, sizeof name, "min_%s_ts", spans[i]);
        if (!sim_query_int(query, name, INT64_MIN, 0, INT64_C(20000000000), &f->min_s[i]))
            return "a time is Unix seconds";
        snprintf(name, sizeof name, "max_%s_ts", spans[i]);
        if (!sim_query_int(query, name, INT64_MAX, 0, INT64_C(20000000000), &f->max_s[i]))
            return "a time is Unix seconds";
        f->given[i] = f->min_s[i] != INT64_MIN || f->max_s[i] != INT64_MAX;
    }
    if (f->given[CREATED] + f->given[UPDATED] + f->given[CLOSE] + f->given[SETTLED] > 1)
        return "timestamp filters exclude each other";
    if (f->given[CREATED] && f->status > 2)
        return "created filters go with unopened or open";
    if (f->given[CLOSE] && f->status != 0 && f->status != 4)
        return "close filters go with closed";
    if (f->given[SETTLED] && f->status != 0 && f->status != 5)
        return "settled filters go with settled";
    if (f->given[UPDATED] && (f->status != 0 || f->mve == 1 || f->event != NULL || f->tickers != NULL))
        return "updated filters go with mve_filter=exclude and series_ticker only";
    if (f->historical && (f->event != NULL) + (f->series != NULL) + (f->tickers != NULL) + (f->mve != 0) > 1)
        return "filters exclude each other";
    return NULL;
}

bool
sim_listed(const char *list, const char *ticker)
{
    size_t len = strlen(ticker);

    for (const char *at = list; *at != 0;) {
        size_t n = strcspn(at, ",");

        if (n == len && memcmp(at, ticker, n) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

static bool
status_matches(int filter, uint8_t status)
{
    switch (filter) {
    case 1:
        return status == KDP_MARKET_STATUS_INITIALIZED;
    case 2:
        return status == KDP_MARKET_STATUS_ACTIVE;
    case 3:
        return status == KDP_MARKET_STATUS_INACTIVE;
    case 4:
        return status >= KDP_MARKET_STATUS_CLOSED && status <= KDP_MARKET_STATUS_AMENDED;
    case 5:
        return status == KDP_MARKET_STATUS_FINALIZED;
    default:
        return true;
    }
}

static bool
matches(const struct kdp_sim *sim, const struct filter *f, const struct kdp_exchange_market *m)
{
    int64_t times[SPANS] = {m->created_ns, sim_terms_updated(sim, m), m->close_ns, m->settled_ns};

    if (f->historical != sim_is_historical(sim, m) || !status_matches(f->status, m->status) ||
        (f->mve == 1 && !m->combo) || (f->mve == 2 && m->combo))
        return false;
    if ((f->event != NULL && strcmp(f->event, m->event_ticker) != 0) ||
        (f->series != NULL && strcmp(f->series, m->series_ticker) != 0) ||
        (f->tickers != NULL && f->tickers[0] != 0 && !sim_listed(f->tickers, m->ticker)))
        return false;
    for (unsigned i = 0; i < SPANS; i++) {
        if (f->given[i] && (times[i] == KDP_TIME_NULL || times[i] / KDP_NS_PER_S < f->min_s[i] ||
                            times[i] / KDP_NS_PER_S > f->max_s[i]))
            return false;
    }
    return true;
}

void
sim_rest_markets(struct sim_conn *conn, const struct sim_query *query, bool historical)
{
    struct kdp_sim *sim = conn->sim;
    struct filter filter = {.historical = historical};
    const char *wrong = filter_read(&filter, query);
    uint32_t total = sim_market_count(sim);
    struct sim_text text = {0};
    int64_t limit, count = 0;
    uint64_t index = 0;
    const char *prefix = filter.event != NULL ? filter.event : filter.series;
    bool given, more = false;

    if (wrong != NULL) {
        bad(conn, wrong);
        return;
    }
    if (!sim_query_int(query, "limit", 100, 0, 1000, &limit)) {
        bad(conn, "limit is 0 to 1000");
        return;
    }
    if (!sim_cursor_read(sim, query, &index, &given) || index > total) {
        bad(conn, "invalid cursor");
        return;
    }
    limit = conn->harm.empty ? 0 : limit == 0 ? 100 : limit;
    sim_lit(&text, "{\"markets\":[");
    for (; index < total; index++) {
        struct kdp_exchange_market m;

        if (prefix != NULL && !sim_begins(sim, (uint32_t)index, prefix, strlen(prefix))) {
            if (index + 1 == total && count == 0 && !given) { /* names that do not follow the custom */
                prefix = NULL;
                index = UINT64_MAX; /* from the beginning */
            }
            continue;
        }
        sim_market_at(sim, (uint32_t)index, &m);
        if (!matches(sim, &filter, &m))
            continue;
        if (count == limit) {
            more = true;
            break;
        }
        if (count++ > 0)
            sim_lit(&text, ",");
        sim_put_market(sim, &text, (uint32_t)index);
    }
    sim_lit(&text, "],");
    sim_put_cursor(conn, query, &text, more, index);
    sim_lit(&text, "}");
    answer(conn, &text);
}

/* ---- books ---- */
static void
put_side(struct sim_text *text, const char *key, const struct kdp_exchange_level *levels, uint32_t count,
         int64_t depth)
{
    if (depth > 0 && count > depth)
        count = (uint32_t)depth; /* the best are first here, and last on the wire */
    sim_puts(text, key);
    for (uint32_t i = count; i-- > 0;) {
        sim_puts(text, i + 1 == count ? "[\"" : ",[\"");
        sim_put_price(text, levels[i].price_e4);
        sim_lit(text, "\",\"");
        sim_put_size(text, levels[i].size_e2);
        sim_lit(text, "\"]");
    }
    sim_lit(text, "]");
}

static void
put_book(struct kdp_sim *sim, struct sim_text *text, uint32_t index, int64_t depth)
{
    struct kdp_exchange_market m;

    sim_market_at(sim, index, &m);
    sim_lit(text, "\"orderbook_fp\":{");
    put_side(text, "\"yes_dollars\":[", m.bids[0], m.bid_count[0], depth);
    put_side(text, ",\"no_dollars\":[", m.bids[1], m.bid_count[1], depth);
    sim_lit(text, "}");
}

void
sim_rest_orderbook(struct sim_conn *conn, const struct sim_query *query, const char *ticker, size_t len)
{
    struct kdp_sim *sim = conn->sim;
    uint32_t index = sim_market_find(sim, ticker, len);
    struct sim_text text = {0};
    int64_t depth;

    if (index == UINT32_MAX) {
        sim_http_error(conn, 404, "not_found", "market not found");
        return;
    }
    if (!sim_query_int(query, "depth", 0, 0, 100, &depth)) {
        bad(conn, "depth is 0 to 100");
        return;
    }
    sim_lit(&text, "{");
    put_book(sim, &text, index, depth);
    sim_lit(&text, "}");
    answer(conn, &text);
}

/* Unknown tickers are left out: what the exchange does with them is not known. */
void
sim_rest_orderbooks(struct sim_conn *conn, const struct sim_query *query)
{
    struct kdp_sim *sim = conn->sim;
    struct sim_text text = {0};
    unsigned asked = 0;
    bool first = true;

    sim_lit(&text, "{\"orderbooks\":[");
    for (unsigned i = 0; i < query->count; i++) {
        uint32_t index;

        if (strcmp(query->params[i].name, "tickers") != 0)
            continue;
        asked++;
        index = sim_market_find(sim, query->params[i].value, strlen(query->params[i].value));
        if (index == UINT32_MAX)
            continue;
        sim_puts(&text, first ? "{\"ticker\":" : ",{\"ticker\":");
        sim_put_json(&text, query->params[i].value, strlen(query->params[i].value));
        sim_lit(&text, ",");
        put_book(sim, &text, index, 0);
        sim_lit(&text, "}");
        first = false;
    }
    sim_lit(&text, "]}");
    if (asked == 0 || asked > 100) {
        sim_text_free(&text);
        bad(conn, "tickers: 1 to 100, repeated");
        return;
    }
    answer(conn, &text);
}
