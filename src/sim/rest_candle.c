/* rest_candle.c - candlesticks over REST (docs/exchange.md 3.5), made of the trades that the exchange keeps.
 *
 * A candle holds the trades later than its beginning and not later than end_period_ts.  Periods without a trade have none.  Quotes
 * of the past are not kept: a candle's bids and asks are its trade prices and one cent to each side, which no test may rely on. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define ONE_MAX 5000  /* candles of one market in an answer */
#define ALL_MAX 10000 /* of several markets */
#define MARKETS_MAX 100

struct candle {
    int64_t end_s;
    int32_t open_e4, high_e4, low_e4, close_e4, previous_e4; /* previous: KDP_PRICE_NULL */
    int64_t volume_e2, cash_e6;
    bool traded;
};
struct candles {
    struct candle *list;
    size_t count, size;
    int64_t start_s, end_s, period_s;
    bool latest_before;
};

static struct candle *
add(struct candles *c, int64_t end_s, int32_t previous_e4)
{
    if (c->count == c->size) {
        size_t size = c->size != 0 ? 2 * c->size : 64;
        struct candle *grown = realloc(c->list, size * sizeof *grown);

        KDP_ASSERT(grown != NULL);
        c->list = grown;
        c->size = size;
    }
    c->list[c->count] = (struct candle){.end_s = end_s, .previous_e4 = previous_e4};
    return &c->list[c->count++];
}

/* Trades come newest first, so candles do: each is begun by its close, and tells in the end what came before it. */
static void
collect(const struct kdp_sim *sim, uint32_t market, struct candles *c)
{
    const struct kdp_exchange_trade *trade;
    struct candle *candle = NULL;
    struct sim_walk walk;
    int32_t before_e4 = KDP_PRICE_NULL;

    c->count = 0;
    sim_walk_begin(&walk, sim, market, c->end_s / c->period_s * c->period_s * KDP_NS_PER_S);
    while ((trade = sim_walk_next(&walk)) != NULL) {
        int64_t s =
            (trade->time_ns + KDP_NS_PER_S - 1) / KDP_NS_PER_S; /* the second that it is not later than */
        int64_t end_s = (s + c->period_s - 1) / c->period_s * c->period_s;

        if (end_s < c->start_s) {
            before_e4 = trade->yes_price_e4;
            break;
        }
        if (candle == NULL || candle->end_s != end_s) {
            candle = add(c, end_s, KDP_PRICE_NULL);
            candle->traded = true;
            candle->close_e4 = candle->high_e4 = candle->low_e4 = trade->yes_price_e4;
        }
        candle->open_e4 = trade->yes_price_e4;
        if (trade->yes_price_e4 > candle->high_e4)
            candle->high_e4 = trade->yes_price_e4;
        if (trade->yes_price_e4 < candle->low_e4)
            candle->low_e4 = trade->yes_price_e4;
        candle->volume_e2 += trade->count_e2;
        candle->cash_e6 += trade->count_e2 * trade->yes_price_e4;
    }
    if (c->latest_before) /* one without trades, that tells the price before the range */
        add(c, c->start_s, before_e4);
    for (size_t i = 0; i < c->count / 2; i++) {
        struct candle other = c->list[i];

        c->list[i] = c->list[c->count - 1 - i];
        c->list[c->count - 1 - i] = other;
    }
    for (size_t i = 0; i < c->count; i++) {
        c->list[i].previous_e4 = before_e4;
        if (c->list[i].traded)
            before_e4 = c->list[i].close_e4;
    }
}

/* ---- printing ---- */
static void
put_price(struct sim_text *text, const char *name, const char *suffix, bool given, int64_t price_e4)
{
    sim_putf(text, "\"%s%s\":", name, suffix);
    if (!given) {
        sim_lit(text, "null");
        return;
    }
    sim_lit(text, "\"");
    sim_put_price(text, price_e4 < 0 ? 0 : price_e4 > 10000 ? 10000 : price_e4);
    sim_lit(text, "\"");
}

static void
put_quote(struct sim_text *text, const char *name, const char *suffix, const struct candle *c,
          int32_t shift_e4)
{
    sim_putf(text, ",\"%s\":{", name);
    put_price(text, "open", suffix, c->traded, c->open_e4 + shift_e4);
    sim_lit(text, ",");
    put_price(text, "low", suffix, c->traded, c->low_e4 + shift_e4);
    sim_lit(text, ",");
    put_price(text, "high", suffix, c->traded, c->high_e4 + shift_e4);
    sim_lit(text, ",");
    put_price(text, "close", suffix, c->traded, c->close_e4 + shift_e4);
    sim_lit(text, "}");
}

static void
put_candles(struct sim_text *text, const struct candles *c, int64_t open_interest_e2, bool historical)
{
    const char *suffix = historical ? "" : "_dollars", *fp = historical ? "" : "_fp";

    sim_lit(text, "[");
    for (size_t i = 0; i < c->count; i++) {
        const struct candle *candle = &c->list[i];

        sim_putf(text, "%s{\"end_period_ts\":%lld", i == 0 ? "" : ",", (long long)candle->end_s);
        put_quote(text, "yes_bid", suffix, candle, -100);
        put_quote(text, "yes_ask", suffix, candle, 100);
        put_quote(text, "price", suffix, candle, 0);
        text->len--; /* its last brace: the price has two members more */
        sim_lit(text, ",");
        put_price(text, "mean", suffix, candle->traded,
                  candle->volume_e2 > 0 ? candle->cash_e6 / candle->volume_e2 : candle->close_e4);
        sim_lit(text, ",");
        put_price(text, "previous", suffix, candle->previous_e4 != KDP_PRICE_NULL, candle->previous_e4);
        sim_putf(text, "},\"volume%s\":\"", fp);
        sim_put_size(text, candle->volume_e2);
        sim_putf(text, "\",\"open_interest%s\":\"", fp);
        sim_put_size(text, open_interest_e2);
        sim_lit(text, "\"}");
    }
    sim_lit(text, "]");
}

/* ---- requests ---- */
static bool
read_range(struct sim_conn *conn, const struct sim_query *query, struct candles *c)
{
    const char *latest = sim_query_get(query, "include_latest_before_start");
    int64_t period;

    if (sim_query_get(query, "start_ts") == NULL || sim_query_get(query, "end_ts") == NULL ||
        !sim_query_int(query, "start_ts", 0, 0, INT64_C(9000000000), &c->start_s) ||
        !sim_query_int(query, "end_ts", 0, 0, INT64_C(9000000000), &c->end_s) || c->end_s < c->start_s) {
        sim_http_error(conn, 400, "bad_request", "start_ts and end_ts are Unix seconds, in order");
        return false;
    }
    if (!sim_query_int(query, "period_interval", 0, 0, 1440, &period) ||
        (period != 1 && period != 60 && period != 1440)) {
        sim_http_error(conn, 400, "bad_request", "period_interval is 1, 60 or 1440");
        return false;
    }
    c->period_s = period * 60;
    c->latest_before = latest != NULL && strcmp(latest, "true") == 0;
    return true;
}

static bool
in_tier(const struct kdp_sim *sim, uint32_t market, bool historical, int64_t *open_interest_e2p)
{
    struct kdp_exchange_market m;

    sim_market_at(sim, market, &m);
    *open_interest_e2p = m.open_interest_e2;
    return sim_is_historical(sim, &m) == historical;
}

static void
answer(struct sim_conn *conn, struct sim_text *text)
{
    sim_http_answer(conn, 200, "", text->data, text->len);
    sim_text_free(text);
}

static void
one_market(struct sim_conn *conn, const struct sim_query *query, const char *ticker, size_t len,
           bool historical)
{
    struct kdp_sim *sim = conn->sim;
    uint32_t market = sim_market_find(sim, ticker, len);
    struct candles c = {0};
    struct sim_text text = {0};
    int64_t interest_e2;

    if (!read_range(conn, query, &c))
        return;
    if (market == UINT32_MAX || !in_tier(sim, market, historical, &interest_e2)) {
        sim_http_error(conn, 404, "not_found", "market not found");
        return;
    }
    if ((c.end_s - c.start_s) / c.period_s > ONE_MAX) {
        sim_http_error(conn, 400, "bad_request", "more than 5000 candlesticks");
        return;
    }
    collect(sim, market, &c);
    sim_lit(&text, "{\"ticker\":");
    sim_put_json(&text, ticker, len);
    sim_lit(&text, ",\"candlesticks\":");
    put_candles(&text, &c, interest_e2, historical);
    sim_lit(&text, "}");
    free(c.list);
    answer(conn, &text);
}

static void
several(struct sim_conn *conn, const struct sim_query *query)
{
    struct kdp_sim *sim = conn->sim;
    const char *at = sim_query_get(query, "market_tickers");
    struct candles c = {0};
    struct sim_text text = {0};
    unsigned asked = 0;

    if (!read_range(conn, query, &c))
        return;
    for (const char *p = at; p != NULL && *p != 0; p++)
        asked += *p == ',';
    if (at == NULL || *at == 0 || asked + 1 > MARKETS_MAX ||
        (c.end_s - c.start_s) / c.period_s * (asked + 1) > ALL_MAX) {
        sim_http_error(conn, 400, "bad_request", "market_tickers: 1 to 100, and 10000 candlesticks at most");
        return;
    }
    sim_lit(&text, "{\"markets\":[");
    for (bool first = true; *at != 0;) {
        size_t len = strcspn(at, ",");
        uint32_t market = sim_market_find(sim, at, len);
        int64_t interest_e2;

        if (market != UINT32_MAX && in_tier(sim, market, false, &interest_e2)) {
            collect(sim, market, &c);
            sim_puts(&text, first ? "{\"market_ticker\":" : ",{\"market_ticker\":");
            sim_put_json(&text, at, len);
            sim_lit(&text, ",\"candlesticks\":");
            put_candles(&text, &c, interest_e2, false);
            sim_lit(&text, "}");
            first = false;
        }
        at += len + (at[len] == ',');
    }
    sim_lit(&text, "]}");
    free(c.list);
    answer(conn, &text);
}

/* All markets of an event; when they would be too many candles the range is cut, and adjusted_end_ts says where to go on. */
static void
one_event(struct sim_conn *conn, const struct sim_query *query, const char *event, size_t len)
{
    struct kdp_sim *sim = conn->sim;
    uint32_t markets[MARKETS_MAX];
    struct candles c = {0};
    struct sim_text text = {0}, lists = {0};
    unsigned count = 0;

    if (!read_range(conn, query, &c))
        return;
    for (uint32_t i = 0; count < MARKETS_MAX && i < sim_market_count(sim); i++) {
        struct kdp_exchange_market m;

        sim_market_at(sim, i, &m);
        if (strlen(m.event_ticker) == len && memcmp(m.event_ticker, event, len) == 0)
            markets[count++] = i;
    }
    if (count == 0) {
        sim_http_error(conn, 404, "not_found", "event not found");
        return;
    }
    if ((c.end_s - c.start_s) / c.period_s * count > ONE_MAX)
        c.end_s = c.start_s + ONE_MAX / count * c.period_s;
    sim_lit(&text, "{\"market_tickers\":[");
    for (unsigned i = 0; i < count; i++) {
        int64_t interest_e2;
        size_t ticker_len;
        const char *ticker = sim_market_ticker(sim, markets[i], &ticker_len);

        if (i > 0) {
            sim_lit(&text, ",");
            sim_lit(&lists, ",");
        }
        sim_put_json(&text, ticker, ticker_len);
        c.count = 0;
        if (in_tier(sim, markets[i], false, &interest_e2)) /* else they are in the historical tier alone */
            collect(sim, markets[i], &c);
        put_candles(&lists, &c, interest_e2, false);
    }
    sim_lit(&text, "],\"market_candlesticks\":[");
    sim_put(&text, lists.data, lists.len);
    sim_putf(&text, "],\"adjusted_end_ts\":%lld}", (long long)c.end_s);
    sim_text_free(&lists);
    free(c.list);
    answer(conn, &text);
}

/* Whether path is PREFIX name MIDDLE name /candlesticks; the last name. */
static bool
path_is(const char *path, const char *prefix, const char *middle, const char **namep, size_t *lenp)
{
    size_t n = strlen(prefix);
    const char *at = path + n;

    if (strncmp(path, prefix, n) != 0)
        return false;
    if (middle[0] != 0) {
        at = strchr(at, '/');
        n = strlen(middle);
        if (at == NULL || strncmp(at, middle, n) != 0)
            return false;
        at += n;
    }
    *namep = at;
    *lenp = strcspn(at, "/");
    return *lenp > 0 && strcmp(at + *lenp, "/candlesticks") == 0;
}

bool
sim_rest_candles(struct sim_conn *conn, const struct sim_query *query)
{
    const char *name;
    size_t len;

    if (strcmp(query->path, "/markets/candlesticks") == 0)
        several(conn, query);
    else if (path_is(query->path, "/series/", "/markets/", &name, &len))
        one_market(conn, query, name, len, false);
    else if (path_is(query->path, "/series/", "/events/", &name, &len))
        one_event(conn, query, name, len);
    else if (path_is(query->path, "/historical/markets/", "", &name, &len))
        one_market(conn, query, name, len, true);
    else
        return false;
    return true;
}
