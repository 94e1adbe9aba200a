/* test_sim_past.c - history as the simulator serves it: two tiers, pages, candles, filters, terms, daily files; against its own list. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "json.h"
#include "kdp_test.h"
#include "rest.h"
#include "sim_past_fixture.h"

#define MARKETS_MAX 128u

/* ---- markets ---- */
struct market {
    char ticker[48], event[48], series[48];
    int64_t open_ns, close_ns, settled_ns, volume_e2;
    bool historical;
};
static struct market markets[MARKETS_MAX];
static uint32_t market_count;
static bool listing_historical;

static bool
on_market(void *arg, const struct kdp_rest_market *m)
{
    struct market *out = &markets[market_count++];
    const char *dash;

    (void)arg;
    CHECK(market_count <= MARKETS_MAX && m->ticker.len < sizeof out->ticker);
    CHECK_INT(m->status, KDP_MARKET_STATUS_FINALIZED);
    *out = (struct market){.open_ns = m->open_ns,
                           .close_ns = m->close_ns,
                           .settled_ns = m->settlement_ns,
                           .volume_e2 = m->volume_e2,
                           .historical = listing_historical};
    memcpy(out->ticker, m->ticker.data, m->ticker.len);
    memcpy(out->event, m->event_ticker.data, m->event_ticker.len);
    dash = strchr(out->ticker, '-');
    memcpy(out->series, out->ticker, (size_t)(dash - out->ticker));
    return true;
}

static uint32_t
list(const char *path, const char *query)
{
    char full[512];
    uint32_t from = market_count;
    struct kdp_http_answer *answer;

    listing_historical = path[1] == 'h';
    end.cursor[0] = 0;
    do {
        snprintf(full, sizeof full, "%s?limit=7%s%s%s", path, query, end.cursor[0] != 0 ? "&cursor=" : "",
                 end.cursor);
        answer = get(full);
        CHECK_INT(answer->status, 200);
        kdpi_rest_markets(rest, answer->body, answer->len, on_market, NULL, &end);
        CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
        kdp_http_answer_free(answer);
    } while (end.cursor[0] != 0);
    return market_count - from;
}

static void
list_all(void)
{
    market_count = 0;
    list("/markets", "");
    list("/historical/markets", "");
}

/* ---- trades ---- */
KDP_TEST(each_trade_comes_once_from_the_tier_it_is_in)
{
    int64_t cutoff_ns;
    uint32_t live;

    begin(kdp_test_seed(), 40, 12000, 72);
    read_truth();
    CHECK_INT(truth_count, 12000);
    cutoff_ns = cutoff();
    walk("/markets/trades", "", NULL);
    live = seen_count;
    walk("/historical/trades", "", NULL);
    CHECK(live > 1000 && live < 11000);
    for (uint32_t i = 0; i < seen_count; i++)
        CHECK_INT(seen[i].time_ns >= cutoff_ns, i < live);
    same_as_truth(true);
    /* and market by market */
    list_all();
    CHECK_INT(market_count, 40);
    seen_count = 0;
    for (uint32_t i = 0; i < market_count; i++) {
        char query[64];

        snprintf(query, sizeof query, "&ticker=%s", markets[i].ticker);
        walk("/markets/trades", query, NULL);
        walk("/historical/trades", query, NULL);
    }
    same_as_truth(true);
    finish();
}

KDP_TEST(nothing_is_missed_while_the_cutoff_moves)
{
    int64_t before_ns;

    begin(11, 30, 15000, 72);
    read_truth();
    before_ns = cutoff();
    walk("/markets/trades", "", "cutoff +1h"); /* what it moves over meanwhile is in the other tier then */
    CHECK(seen_count > 500);
    walk("/historical/trades", "", "cutoff +1h");
    CHECK(cutoff() > before_ns + 5 * 3600 * KDP_NS_PER_S);
    same_as_truth(false);
    free(sim_tell(&fixture, "cutoff now"));
    seen_count = 0;
    walk("/historical/trades", "", NULL);
    same_as_truth(true);
    finish();
}

/* A trade of the running exchange is in the same order, and changes its tier like any other. */
KDP_TEST(trades_of_now_continue_the_past)
{
    uint32_t live;

    fixture.config.exchange.markets = 10;
    fixture.config.exchange.rate = 5000;
    begin(4, 10, 5000, 48);
    for (unsigned i = 0; i < 500 && truth_count < 5200; i++)
        read_truth();
    free(sim_tell(&fixture, "quiet"));
    read_truth();
    CHECK(truth_count >= 5200);
    walk("/markets/trades", "", NULL);
    live = seen_count;
    walk("/historical/trades", "", NULL);
    same_as_truth(true);
    seen_count = 0;
    free(sim_tell(&fixture, "cutoff now"));
    walk("/markets/trades", "", NULL);
    CHECK(seen_count < live);
    walk("/historical/trades", "", NULL);
    same_as_truth(true);
    finish();
}

KDP_TEST(trades_are_filtered_by_time_and_kind)
{
    char query[128];
    uint32_t want = 0, blocks = 0;
    int64_t from_s, to_s;

    begin(5, 40, 20000, 72);
    free(sim_tell(&fixture, "cutoff now"));
    read_truth();
    from_s = truth[5000].time_ns / KDP_NS_PER_S;
    to_s = truth[9000].time_ns / KDP_NS_PER_S;
    for (uint32_t i = 0; i < truth_count; i++) {
        want += truth[i].time_ns >= from_s * KDP_NS_PER_S && truth[i].time_ns <= to_s * KDP_NS_PER_S;
        blocks += truth[i].block;
    }
    snprintf(query, sizeof query, "&min_ts=%lld&max_ts=%lld", (long long)from_s, (long long)to_s);
    walk("/historical/trades", query, NULL);
    CHECK_INT(seen_count, want);
    seen_count = 0;
    walk("/historical/trades", "&is_block_trade=true", NULL);
    CHECK_INT(seen_count, blocks);
    CHECK(blocks > 0);
    walk("/historical/trades", "&is_block_trade=false", NULL);
    CHECK_INT(seen_count, truth_count);
    seen_count = 0;
    walk("/historical/trades", "&ticker=KXNOBODY", NULL);
    CHECK_INT(seen_count, 0);
    CHECK_INT(status_of("/historical/trades?limit=1001"), 400);
    CHECK_INT(status_of("/historical/trades?min_ts=yesterday"), 400);
    CHECK_INT(status_of("/historical/trades?cursor=Cx"), 400);
    finish();
}

/* ---- candles ---- */
struct candle_sums {
    int64_t volume_e2, last_end_ns;
    int32_t high_e4, low_e4, open_e4, close_e4;
    uint32_t count;
    const char *ticker; /* NULL: whatever comes */
};

static bool
on_candle(void *arg, const struct kdp_rest_candle *c)
{
    struct candle_sums *s = arg;

    if (s->ticker != NULL && !kdpi_text_equal(c->ticker, s->ticker, strlen(s->ticker)))
        return true;
    CHECK(c->end_ns > s->last_end_ns && c->price.low_e4 <= c->price.high_e4);
    s->last_end_ns = c->end_ns;
    s->volume_e2 += c->volume_e2;
    if (s->count++ == 0) {
        s->open_e4 = c->price.open_e4;
        s->low_e4 = s->high_e4 = c->price.open_e4;
    } else {
        CHECK_INT(c->previous_e4, s->close_e4);
    }
    s->close_e4 = c->price.close_e4;
    s->high_e4 = c->price.high_e4 > s->high_e4 ? c->price.high_e4 : s->high_e4;
    s->low_e4 = c->price.low_e4 < s->low_e4 ? c->price.low_e4 : s->low_e4;
    return true;
}

static void
add_candles(const char *path, struct candle_sums *sums)
{
    struct kdp_http_answer *answer = get(path);
    int64_t adjusted;

    if (answer->status != 200)
        kdp_test_fail(__FILE__, __LINE__, "%s: %d %.*s", path, answer->status, (int)answer->len,
                      answer->body);
    kdpi_rest_candles(rest, answer->body, answer->len, on_candle, sums, &end, &adjusted);
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(end.refused, 0);
    kdp_http_answer_free(answer);
}

static void
check_sums(const struct candle_sums *sums, const struct candle_sums *want)
{
    CHECK_INT(sums->volume_e2, want->volume_e2);
    CHECK_INT(sums->high_e4, want->high_e4);
    CHECK_INT(sums->low_e4, want->low_e4);
    CHECK_INT(sums->open_e4, want->open_e4);
    CHECK_INT(sums->close_e4, want->close_e4);
}

static void
check_candles(const struct market *m, const struct candle_sums *want)
{
    static const int64_t periods[] = {1, 60, 1440};
    char path[512];

    for (unsigned p = 0; p < 3; p++) {
        int64_t period_s = periods[p] * 60, from_s = m->open_ns / KDP_NS_PER_S;
        int64_t to_s = m->close_ns / KDP_NS_PER_S + period_s;
        struct candle_sums sums = {0}, batch = {.ticker = m->ticker};

        while (from_s <= to_s) { /* at most 5,000 at once */
            int64_t until_s = from_s + 4900 * period_s < to_s ? from_s + 4900 * period_s : to_s;

            if (m->historical)
                snprintf(path, sizeof path, "/historical/markets/%s/candlesticks?", m->ticker);
            else
                snprintf(path, sizeof path, "/series/%s/markets/%s/candlesticks?", m->series, m->ticker);
            snprintf(path + strlen(path), sizeof path - strlen(path),
                     "start_ts=%lld&end_ts=%lld&period_interval=%lld", (long long)from_s, (long long)until_s,
                     (long long)periods[p]);
            add_candles(path, &sums);
            from_s = until_s + 1;
        }
        check_sums(&sums, want);
        if (m->historical || p == 0)
            continue;
        snprintf(path, sizeof path,
                 "/markets/candlesticks?market_tickers=%s&start_ts=%lld&end_ts=%lld&period_interval=%lld",
                 m->ticker, (long long)(m->open_ns / KDP_NS_PER_S), (long long)to_s, (long long)periods[p]);
        add_candles(path, &batch);
        check_sums(&batch, want);
        snprintf(path, sizeof path,
                 "/series/%s/events/%s/candlesticks?start_ts=%lld&end_ts=%lld&period_interval=%lld",
                 m->series, m->event, (long long)(m->open_ns / KDP_NS_PER_S), (long long)to_s,
                 (long long)periods[p]);
        batch = (struct candle_sums){.ticker = m->ticker};
        add_candles(path, &batch);
        check_sums(&batch, want);
    }
}

static void
check_seed(uint64_t seed)
{
    begin(seed, 20, 4000, 96);
    read_truth();
    list_all();
    for (uint32_t i = 0; i < market_count; i++) {
        struct candle_sums want = {0};

        for (uint32_t t = 0; t < truth_count; t++) {
            if (strcmp(truth[t].ticker, markets[i].ticker) != 0)
                continue;
            CHECK(truth[t].time_ns >= markets[i].open_ns && truth[t].time_ns < markets[i].close_ns);
            if (want.volume_e2 == 0)
                want.open_e4 = want.high_e4 = want.low_e4 = truth[t].price_e4;
            want.close_e4 = truth[t].price_e4;
            want.high_e4 = truth[t].price_e4 > want.high_e4 ? truth[t].price_e4 : want.high_e4;
            want.low_e4 = truth[t].price_e4 < want.low_e4 ? truth[t].price_e4 : want.low_e4;
            want.volume_e2 += truth[t].count_e2;
        }
        CHECK_INT(markets[i].volume_e2, want.volume_e2);
        check_candles(&markets[i], &want);
    }
    finish();
}

KDP_TEST(candles_volumes_and_trades_add_up)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        fixture = (struct sim_fixture){0};
        check_seed(kdp_test_seed() + seed);
    }
}

/* ---- listings ---- */
KDP_TEST(markets_are_listed_in_the_tier_they_settled_in)
{
    int64_t cutoff_ns;
    char query[200];
    uint32_t all, part;

    begin(8, 60, 3000, 72);
    cutoff_ns = cutoff();
    list_all();
    CHECK_INT(market_count, 60);
    for (uint32_t i = 0; i < market_count; i++) {
        CHECK_INT(markets[i].settled_ns < cutoff_ns, markets[i].historical);
        snprintf(query, sizeof query, "/%smarkets/%s", markets[i].historical ? "historical/" : "",
                 markets[i].ticker);
        CHECK_INT(status_of(query), 200);
        snprintf(query, sizeof query, "/%smarkets/%s", markets[i].historical ? "" : "historical/",
                 markets[i].ticker);
        CHECK_INT(status_of(query), 404);
    }
    all = market_count;
    market_count = 0;
    snprintf(query, sizeof query, "&min_settled_ts=%lld", (long long)(cutoff_ns / KDP_NS_PER_S + 40000));
    part = list("/markets", query);
    snprintf(query, sizeof query, "&max_settled_ts=%lld&status=settled",
             (long long)(cutoff_ns / KDP_NS_PER_S + 39999));
    CHECK(part > 0);
    part += list("/markets", query);
    CHECK_INT(part + list("/historical/markets", ""), all);
    market_count = 0;
    CHECK(list("/historical/markets", "&series_ticker=KXHIGHNY") +
              list("/markets", "&series_ticker=KXHIGHNY") >=
          6);
    snprintf(query, sizeof query, "&event_ticker=%s", markets[0].event);
    CHECK(list(markets[0].historical ? "/historical/markets" : "/markets", query) > 0);
    snprintf(query, sizeof query, "&tickers=%s,%s", markets[0].ticker, "KXNOBODY");
    CHECK_INT(list(markets[0].historical ? "/historical/markets" : "/markets", query), 1);
    CHECK_INT(list("/markets", "&status=open"), 0);
    CHECK_INT(status_of("/markets?status=open&min_close_ts=1"), 400);
    CHECK_INT(status_of("/markets?status=closed&min_settled_ts=1"), 400);
    CHECK_INT(status_of("/markets?status=settled&max_created_ts=1"), 400);
    CHECK_INT(status_of("/markets?status=open,closed"), 400);
    CHECK_INT(status_of("/markets?min_close_ts=1&min_settled_ts=1"), 400);
    CHECK_INT(status_of("/historical/markets?tickers=A&series_ticker=B"), 400);
    finish();
}

/* ---- terms ---- */
static char rules[2][2048];
static unsigned rules_count;

static bool
on_terms(void *arg, const struct kdp_rest_market *m)
{
    (void)arg;
    CHECK(rules_count < 2);
    snprintf(rules[rules_count++], sizeof rules[0], "%.*s", (int)m->rules_primary.len, m->rules_primary.data);
    CHECK(m->rules_secondary.len > 50 && m->no_sub_title.len > 0 && m->early_close_condition.len > 0);
    return true;
}

static uint64_t fee_changes, fee_events;

static bool
on_fee(void *arg, const struct kdp_rest_fee_change *change)
{
    const struct market *m = arg;

    fee_changes++;
    fee_events += change->event;
    CHECK(kdpi_text_equal(change->ticker, change->event ? m->event : m->series,
                          strlen(change->event ? m->event : m->series)));
    CHECK_INT(change->fee_multiplier_e6, change->event ? 500000 : 1500000);
    return true;
}

static void
terms_of(const char *path)
{
    struct kdp_http_answer *answer = get(path);

    CHECK_INT(answer->status, 200);
    kdpi_rest_markets(rest, answer->body, answer->len, on_terms, NULL, &end);
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    kdp_http_answer_free(answer);
}

KDP_TEST(terms_change_on_command)
{
    char path[300];
    struct kdp_http_answer *answer;
    uint32_t at = 0;

    begin(3, 30, 500, 72);
    list_all();
    while (markets[at].historical)
        at++;
    kdpi_rest_want_terms(rest, true);
    snprintf(path, sizeof path, "/markets/%s", markets[at].ticker);
    terms_of(path);
    snprintf(path, sizeof path, "terms %s", markets[at].ticker);
    free(sim_tell(&fixture, path));
    /* it is the only one that was updated since */
    snprintf(path, sizeof path, "/markets?mve_filter=exclude&min_updated_ts=%lld",
             (long long)(kdpi_now_ns() / KDP_NS_PER_S - 30));
    terms_of(path);
    CHECK_INT(rules_count, 2);
    CHECK(strcmp(rules[0], rules[1]) != 0);
    snprintf(path, sizeof path, "fees %s", markets[at].ticker);
    free(sim_tell(&fixture, path));
    answer = get("/events/fee_changes");
    kdpi_rest_fee_changes(rest, answer->body, answer->len, on_fee, &markets[at], &end);
    kdp_http_answer_free(answer);
    answer = get("/series/fee_changes");
    kdpi_rest_fee_changes(rest, answer->body, answer->len, on_fee, &markets[at], &end);
    kdp_http_answer_free(answer);
    CHECK_INT(fee_changes, 2);
    CHECK_INT(fee_events, 1);
    finish();
}

/* ---- daily files ---- */
static char *
fetch_plain(const char *path, size_t *lenp) /* below the host, not below the API */
{
    struct kdp_http *other;
    struct kdp_http_answer *answer;
    struct kdp_http_config config = {
        .base_url = fixture.base, .timeout_ns = 5 * KDP_NS_PER_S, .body_max = 64u << 20};
    char host[64], *body;

    snprintf(host, sizeof host, "%.*s", (int)(strlen(fixture.base) - strlen("/trade-api/v2")), fixture.base);
    config.base_url = host;
    CHECK_INT(kdp_http_open(&other, &config), 0);
    CHECK_INT(kdp_http_get(other, 1, path), 0);
    while ((answer = kdp_http_take(other)) == NULL) {
        struct pollfd p = {.fd = kdp_http_fd(other), .events = POLLIN};

        CHECK(poll(&p, 1, 10000) > 0);
    }
    *lenp = answer->len;
    body = answer->status == 200 ? malloc(answer->len + 1) : NULL;
    if (body != NULL) {
        memcpy(body, answer->body, answer->len);
        body[answer->len] = 0;
    }
    kdp_http_answer_free(answer);
    kdp_http_close(other);
    return body;
}

static unsigned
count_of(const char *text, const char *word)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

KDP_TEST(a_daily_file_has_the_trades_of_its_day)
{
    char day[12], path[100], *body, *text = malloc(8u << 20);
    int64_t now_ns = kdpi_now_ns(), from_ns = (now_ns / KDP_NS_PER_DAY - 20) * KDP_NS_PER_DAY;
    uint32_t want = 0;
    size_t len;
    uLong bound = 16 + MAX_WBITS;
    z_stream z = {0};

    begin(2, 40, 20000, 24 * 40);
    read_truth();
    for (uint32_t i = 0; i < truth_count; i++)
        want += truth[i].time_ns >= from_ns && truth[i].time_ns < from_ns + KDP_NS_PER_DAY;
    CHECK(want > 50);
    kdpi_day_format(day, kdpi_day_of(from_ns));
    snprintf(path, sizeof path, "/reporting/trade_data_%s.json.gz", day);
    CHECK(fetch_plain(path, &len) == NULL); /* of an old day there is no .gz */
    snprintf(path, sizeof path, "/reporting/trade_data_%s.json", day);
    body = fetch_plain(path, &len);
    CHECK(body != NULL && body[0] == '[');
    CHECK_INT(count_of(body, "\"create_ts\":"), want);
    free(body);
    snprintf(path, sizeof path, "/reporting/market_data_%s.json", day);
    body = fetch_plain(path, &len);
    CHECK(body != NULL && count_of(body, "\"payout_type\":\"Binary Option\"") > 0);
    free(body);
    /* of a recent one there is nothing else */
    from_ns = (now_ns / KDP_NS_PER_DAY - 3) * KDP_NS_PER_DAY;
    want = 0;
    for (uint32_t i = 0; i < truth_count; i++)
        want += truth[i].time_ns >= from_ns && truth[i].time_ns < from_ns + KDP_NS_PER_DAY;
    kdpi_day_format(day, kdpi_day_of(from_ns));
    snprintf(path, sizeof path, "/reporting/trade_data_%s.json.gz", day);
    body = fetch_plain(path, &len);
    CHECK(body != NULL && text != NULL);
    CHECK_INT(inflateInit2(&z, (int)bound), Z_OK);
    z.next_in = (unsigned char *)body;
    z.avail_in = (unsigned)len;
    z.next_out = (unsigned char *)text;
    z.avail_out = (8u << 20) - 1;
    CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
    text[z.total_out] = 0;
    inflateEnd(&z);
    CHECK_INT(count_of(text, "\"create_ts\":"), want);
    CHECK(strcmp(text + strlen(text) - 3, "}]\n") == 0);
    CHECK(fetch_plain("/reporting/trade_data_2020-01-01.json", &len) == NULL);
    CHECK(fetch_plain("/reporting/trade_data_.json", &len) == NULL);
    free(body);
    free(text);
    finish();
}
