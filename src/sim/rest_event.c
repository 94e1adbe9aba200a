/* rest_event.c - events and series over REST (docs/exchange.md 3.2): what the markets say of them. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

static void
answer(struct sim_conn *conn, struct sim_text *text)
{
    sim_http_answer(conn, 200, "", text->data, text->len);
    sim_text_free(text);
}

/* Most tickers begin with that of their event and series.  Nothing promises it, so who finds nothing that way looks at all. */
bool
sim_begins(const struct kdp_sim *sim, uint32_t market, const char *word, size_t len)
{
    size_t ticker_len;
    const char *ticker = sim_market_ticker(sim, market, &ticker_len);

    return ticker_len >= len && memcmp(ticker, word, len) == 0 && (ticker_len == len || ticker[len] == '-');
}

static bool
is_on(const struct sim_query *query, const char *name)
{
    const char *value = sim_query_get(query, name);

    return value != NULL && strcmp(value, "true") == 0;
}

/* The markets of an event as text, and one of them; false: there are none. */
static bool
find_event(struct kdp_sim *sim, const char *event, size_t len, struct sim_text *markets, uint32_t *onep)
{
    bool found = false;

    for (unsigned pass = 0; pass < 2 && !found; pass++) {
        for (uint32_t i = 0; i < sim_market_count(sim); i++) {
            struct kdp_exchange_market m;

            if (pass == 0 && !sim_begins(sim, i, event, len))
                continue;
            sim_market_at(sim, i, &m);
            if (strlen(m.event_ticker) != len || memcmp(m.event_ticker, event, len) != 0)
                continue;
            *onep = i;
            found = true;
            if (sim_is_historical(sim, &m)) /* listed there alone */
                continue;
            if (markets->len > 0)
                sim_lit(markets, ",");
            sim_put_market(sim, markets, i);
        }
    }
    return found;
}

void
sim_rest_event(struct sim_conn *conn, const struct sim_query *query, const char *ticker, size_t len)
{
    struct kdp_sim *sim = conn->sim;
    struct sim_text text = {0}, markets = {0};
    struct kdp_exchange_market m;
    uint32_t one;

    if (!find_event(sim, ticker, len, &markets, &one)) {
        sim_http_error(conn, 404, "not_found", "event not found");
        return;
    }
    sim_market_at(sim, one, &m);
    sim_lit(&text, "{\"event\":");
    sim_put_event(sim, &text, &m);
    if (is_on(query, "with_nested_markets")) {
        sim_lit(&text, ",\"markets\":[");
        sim_put(&text, markets.data, markets.len);
        sim_lit(&text, "]");
    }
    sim_lit(&text, "},\"markets\":[");
    sim_put(&text, markets.data, markets.len);
    sim_lit(&text, "]}");
    sim_text_free(&markets);
    answer(conn, &text);
}

#define PAGE_MAX 200

struct page { /* of events, by their first markets */
    uint32_t count;
    char events[PAGE_MAX][256];
    uint32_t first[PAGE_MAX];
    struct sim_text markets[PAGE_MAX];
};

static uint32_t
in_page(const struct page *page, const char *event)
{
    for (uint32_t i = page->count; i-- > 0;) { /* the last first: events mostly come in one piece */
        if (strcmp(page->events[i], event) == 0)
            return i;
    }
    return UINT32_MAX;
}

static void
nest(struct kdp_sim *sim, struct page *page)
{
    for (uint32_t i = 0; i < sim_market_count(sim); i++) {
        struct kdp_exchange_market m;
        struct sim_text *text;
        uint32_t at;

        sim_market_at(sim, i, &m);
        at = in_page(page, m.event_ticker);
        if (at == UINT32_MAX || sim_is_historical(sim, &m))
            continue;
        text = &page->markets[at];
        if (text->len > 0)
            sim_lit(text, ",");
        sim_put_market(sim, text, i);
    }
}

/* Events in the order of their first markets; the cursor is the market to look at next. */
void
sim_rest_events(struct sim_conn *conn, const struct sim_query *query, bool combos)
{
    static const char *const words[] = {"unopened", "open", "closed", "settled"};
    static const uint8_t least[] = {KDP_MARKET_STATUS_INITIALIZED, KDP_MARKET_STATUS_ACTIVE,
                                    KDP_MARKET_STATUS_CLOSED, KDP_MARKET_STATUS_FINALIZED};
    static const uint8_t most[] = {KDP_MARKET_STATUS_INITIALIZED, KDP_MARKET_STATUS_INACTIVE,
                                   KDP_MARKET_STATUS_AMENDED, KDP_MARKET_STATUS_FINALIZED};
    static struct page page; /* 50 KB: not on the stack; one thread */
    struct kdp_sim *sim = conn->sim;
    const char *series = sim_query_get(query, "series_ticker"), *status = sim_query_get(query, "status");
    const char *cursor = sim_query_get(query, "cursor"), *tickers = sim_query_get(query, "tickers");
    uint32_t total = sim_market_count(sim);
    struct sim_text text = {0};
    char *end;
    int64_t limit, min_close_s, min_updated_s;
    uint64_t index = 0;
    unsigned which = 4;
    bool more = false;

    if (!sim_query_int(query, "limit", combos ? 100 : 200, 1, PAGE_MAX, &limit)) {
        sim_http_error(conn, 400, "bad_request", "limit is 1 to 200");
        return;
    }
    if (!sim_query_int(query, "min_close_ts", 0, 0, INT64_C(20000000000), &min_close_s) ||
        !sim_query_int(query, "min_updated_ts", 0, 0, INT64_C(20000000000), &min_updated_s)) {
        sim_http_error(conn, 400, "bad_request", "a time is Unix seconds");
        return;
    }
    for (unsigned i = 0; status != NULL && i < 4; i++)
        which = strcmp(status, words[i]) == 0 ? i : which;
    if (status != NULL && status[0] != 0 && which == 4) {
        sim_http_error(conn, 400, "bad_request", "unknown status");
        return;
    }
    if (cursor != NULL && cursor[0] != 0) {
        index = strtoull(cursor + 1, &end, 16) ^ sim_trade_key(sim);
        if (cursor[0] != 'E' || *end != 0 || index > total) {
            sim_http_error(conn, 400, "bad_request", "invalid cursor");
            return;
        }
    }
    page.count = 0;
    for (; index < total; index++) {
        struct kdp_exchange_market m;

        sim_market_at(sim, (uint32_t)index, &m);
        if (m.combo != combos || (series != NULL && strcmp(series, m.series_ticker) != 0) ||
            (tickers != NULL && tickers[0] != 0 && !sim_listed(tickers, m.event_ticker)) ||
            (min_close_s > 0 && (m.close_ns == KDP_TIME_NULL || m.close_ns / KDP_NS_PER_S < min_close_s)) ||
            (min_updated_s > 0 && sim_terms_updated(sim, &m) / KDP_NS_PER_S < min_updated_s) ||
            (which < 4 && (m.status < least[which] || m.status > most[which])) ||
            in_page(&page, m.event_ticker) != UINT32_MAX)
            continue;
        if (page.count == limit) {
            more = true;
            break;
        }
        KDP_ASSERT(strlen(m.event_ticker) < sizeof page.events[0]);
        strcpy(page.events[page.count], m.event_ticker);
        page.first[page.count++] = (uint32_t)index;
    }
    if (is_on(query, "with_nested_markets"))
        nest(sim, &page);
    sim_lit(&text, "{\"events\":[");
    for (uint32_t i = 0; i < page.count; i++) {
        struct kdp_exchange_market m;

        sim_market_at(sim, page.first[i], &m);
        if (i > 0)
            sim_lit(&text, ",");
        sim_put_event(sim, &text, &m);
        if (is_on(query, "with_nested_markets")) {
            sim_lit(&text, ",\"markets\":[");
            sim_put(&text, page.markets[i].data, page.markets[i].len);
            sim_lit(&text, "]");
            sim_text_free(&page.markets[i]);
        }
        sim_lit(&text, "}");
    }
    sim_lit(&text, "],");
    if (more)
        sim_putf(&text, "\"cursor\":\"E%016llx\"}", (unsigned long long)(index ^ sim_trade_key(sim)));
    else
        sim_lit(&text, "\"cursor\":\"\"}");
    answer(conn, &text);
}

#define SERIES_MAX 4096u

static uint32_t
place_of(char (*names)[64], uint32_t count, const char *name) /* count: it is not there */
{
    uint32_t i = 0;

    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* All series, or one; in the order of their first markets. */
void
sim_rest_series(struct sim_conn *conn, const struct sim_query *query, const char *ticker, size_t len)
{
    static char names[SERIES_MAX][64];
    static int64_t volumes[SERIES_MAX];
    static uint32_t first[SERIES_MAX]; /* market */
    struct kdp_sim *sim = conn->sim;
    const char *category = sim_query_get(query, "category");
    bool volume = is_on(query, "include_volume");
    struct sim_text text = {0};
    uint32_t count = 0, put = 0;

    for (uint32_t i = 0, total = sim_market_count(sim); i < total; i++) {
        struct kdp_exchange_market m;
        uint32_t at;

        if (ticker != NULL && count > 0 && !volume)
            break;
        sim_market_at(sim, i, &m);
        if (m.series_ticker == NULL || strlen(m.series_ticker) >= sizeof *names || m.series_ticker[0] == 0 ||
            (ticker != NULL && (strlen(m.series_ticker) != len || memcmp(m.series_ticker, ticker, len) != 0)))
            continue;
        at = place_of(names, count, m.series_ticker);
        if (at == count) {
            if (count == SERIES_MAX)
                continue;
            strcpy(names[count], m.series_ticker);
            volumes[count] = 0;
            first[count++] = i;
        }
        volumes[at] += m.volume_e2;
    }
    if (ticker != NULL && count == 0) {
        sim_http_error(conn, 404, "not_found", "series not found");
        return;
    }
    sim_puts(&text, ticker == NULL ? "{\"series\":[" : "{\"series\":");
    for (uint32_t i = 0; i < count; i++) {
        struct kdp_exchange_market m;

        if (category != NULL && category[0] != 0 && strcmp(category, sim_category(names[i])) != 0)
            continue;
        if (put++ > 0)
            sim_lit(&text, ",");
        sim_market_at(sim, first[i], &m);
        sim_put_series(sim, &text, names[i], m.title, volume ? volumes[i] : -1);
    }
    sim_puts(&text, ticker == NULL ? "]}" : "}");
    answer(conn, &text);
}
