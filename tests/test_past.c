/* test_past.c - the past of the simulated exchange by itself: as many trades as asked for, in order, each found by number and time. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "past.h"

#define NOW_NS (INT64_C(1795400000) * KDP_NS_PER_S + 123456789)

static struct kdp_past *past;

static void
begin(uint64_t seed, uint32_t markets, uint64_t trades, int64_t hours)
{
    struct kdp_past_config config = {.now_ns = NOW_NS,
                                     .seed = seed,
                                     .markets = markets,
                                     .trades = trades,
                                     .span_ns = hours * 3600 * KDP_NS_PER_S};

    if (kdp_past_open(&past, &config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
}

static bool
on_grid(const struct kdp_exchange_market *m, int32_t price_e4)
{
    for (uint32_t i = 0; i < m->range_count; i++) {
        const struct kdp_definition_ranges *r = &m->ranges[i];

        if (price_e4 >= r->start_e4 && price_e4 <= r->end_e4 && (price_e4 - r->start_e4) % r->step_e4 == 0)
            return true;
    }
    return false;
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

struct sums {
    uint64_t trades, ties, blocks, fractions, whole_seconds;
    int64_t volume_e2;
};

/* All of it once, in the whole order, against what the markets say. */
static struct sums
check_all(void)
{
    uint64_t count = kdp_past_count(past);
    uint32_t markets = kdp_past_market_count(past);
    struct sums all = {0}, *each = calloc(markets, sizeof *each);
    struct kdp_exchange_market *m = calloc(markets, sizeof *m);
    uint8_t(*ids)[16] = malloc(count * 16 + 1);
    struct kdp_exchange_trade last = {.time_ns = INT64_MIN};

    CHECK(each != NULL && m != NULL && ids != NULL);
    for (uint32_t i = 0; i < markets; i++) {
        kdp_past_market_at(past, i, &m[i]);
        CHECK(m[i].created_ns <= m[i].open_ns && m[i].open_ns < m[i].close_ns);
        CHECK(m[i].close_ns <= m[i].settled_ns && m[i].settled_ns <= NOW_NS);
        CHECK_INT(kdp_past_find(past, m[i].ticker, strlen(m[i].ticker)), i);
    }
    for (uint64_t n = 0; n < count; n++) {
        struct kdp_exchange_trade trade = *kdp_past_at(past, n);
        const struct kdp_exchange_trade *own;

        CHECK(trade.time_ns >= last.time_ns && trade.time_ns % 1000 == 0);
        CHECK(trade.time_ns >= m[trade.market].open_ns && trade.time_ns < m[trade.market].close_ns);
        CHECK(trade.yes_price_e4 > 0 && trade.yes_price_e4 < 10000 && trade.count_e2 > 0);
        CHECK(on_grid(&m[trade.market], trade.yes_price_e4));
        own = kdp_past_market_trade(past, trade.market, each[trade.market].trades);
        CHECK_MEM(own->trade_id, trade.trade_id, 16);
        CHECK_INT(own->time_ns, trade.time_ns);
        all.ties += trade.time_ns == last.time_ns;
        all.blocks += trade.block;
        all.fractions += trade.count_e2 % 100 != 0;
        all.whole_seconds += trade.time_ns % KDP_NS_PER_S == 0;
        all.volume_e2 += trade.count_e2;
        each[trade.market].trades++;
        each[trade.market].volume_e2 += trade.count_e2;
        memcpy(ids[n], trade.trade_id, 16);
        last = trade;
    }
    for (uint32_t i = 0; i < markets; i++) {
        CHECK_INT(each[i].trades, kdp_past_market_trades(past, i));
        CHECK_INT(each[i].trades, m[i].trades);
        CHECK_INT(each[i].volume_e2, m[i].volume_e2);
        if (each[i].trades > 0)
            CHECK_INT(kdp_past_market_trade(past, i, each[i].trades - 1)->yes_price_e4, m[i].last_e4);
    }
    qsort(ids, count, 16, by_id);
    for (uint64_t n = 1; n < count; n++)
        CHECK(memcmp(ids[n - 1], ids[n], 16) != 0);
    all.trades = count;
    free(ids);
    free(m);
    free(each);
    return all;
}

KDP_TEST(exactly_so_many_trades_each_in_its_place)
{
    static const struct {
        uint32_t markets;
        uint64_t trades;
        int64_t hours;
    } sizes[] = {{1, 1, 1},       {1, 500, 2},       {7, 3, 24},
                 {40, 30000, 72}, {300, 60000, 720}, {900, 20000, 24 * 400}};

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sums sums;

        begin(kdp_test_seed() + i, sizes[i].markets, sizes[i].trades, sizes[i].hours);
        CHECK_INT(kdp_past_market_count(past), sizes[i].markets);
        sums = check_all();
        CHECK_INT(sums.trades, sizes[i].trades);
        kdp_past_close(past);
    }
}

/* What paging by time and adding up have to survive is there. */
KDP_TEST(ties_blocks_fractions_and_whole_seconds_come)
{
    struct sums sums;

    begin(kdp_test_seed(), 60, 50000, 240);
    sums = check_all();
    CHECK(sums.ties > sums.trades / 10);
    CHECK(sums.blocks > sums.trades / 1000 && sums.blocks < sums.trades / 200);
    CHECK(sums.fractions > sums.trades / 5 && sums.fractions < sums.trades / 2);
    CHECK(sums.whole_seconds > sums.trades / 100);
    kdp_past_close(past);
}

KDP_TEST(a_time_is_found_as_if_all_were_looked_at)
{
    uint64_t state = kdp_test_seed(), count;

    begin(9, 30, 20000, 100);
    count = kdp_past_count(past);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t n = kdp_test_random(&state) % count, later;
        struct kdp_exchange_trade trade = *kdp_past_at(past, n);
        int64_t ns = trade.time_ns - (int64_t)(i % 3) + 1; /* its own time, one more, one less */

        later = kdp_past_after(past, ns);
        CHECK(later == count || kdp_past_at(past, later)->time_ns > ns);
        CHECK(later == 0 || kdp_past_at(past, later - 1)->time_ns <= ns);
        later = kdp_past_market_after(past, trade.market, ns);
        CHECK(later == kdp_past_market_trades(past, trade.market) ||
              kdp_past_market_trade(past, trade.market, later)->time_ns > ns);
        CHECK(later == 0 || kdp_past_market_trade(past, trade.market, later - 1)->time_ns <= ns);
    }
    CHECK_INT(kdp_past_after(past, 0), 0);
    CHECK_INT(kdp_past_after(past, NOW_NS), count);
    kdp_past_close(past);
}

KDP_TEST(the_same_seed_is_the_same_past)
{
    struct kdp_past *first;
    uint64_t same = 0;

    begin(5, 30, 10000, 100);
    first = past;
    begin(5, 30, 10000, 100);
    for (uint64_t n = 0; n < 10000; n += 7) {
        struct kdp_exchange_trade trade = *kdp_past_at(first, n);

        CHECK_MEM(&trade, kdp_past_at(past, n), sizeof trade);
    }
    kdp_past_close(past);
    begin(6, 30, 10000, 100);
    for (uint64_t n = 0; n < 10000; n += 7)
        same += memcmp(kdp_past_at(first, n)->trade_id, kdp_past_at(past, n)->trade_id, 16) == 0;
    CHECK_INT(same, 0);
    kdp_past_close(past);
    kdp_past_close(first);
}

/* Five million trades: nothing near their size is held, and single ones are found at once. */
KDP_TEST(many_trades_take_no_memory)
{
    uint64_t state = 1;
    int64_t began_ns;

    begin(3, 300, 5000000, 720);
    CHECK(kdp_past_memory(past) < (size_t)64 << 20);
    began_ns = kdpi_mono_ns();
    for (unsigned i = 0; i < 50; i++) {
        uint64_t n = kdp_test_random(&state) % 5000000;
        struct kdp_exchange_trade trade = *kdp_past_at(past, n);

        CHECK(kdp_past_after(past, trade.time_ns) > n);
    }
    CHECK(kdpi_mono_ns() - began_ns < 2 * KDP_NS_PER_S);
    kdp_past_close(past);
}

KDP_TEST(what_cannot_be_made_up_is_refused)
{
    struct kdp_past_config config = {.now_ns = NOW_NS, .markets = 5, .trades = 10, .span_ns = KDP_NS_PER_S};

    CHECK_INT(kdp_past_open(&past, &config), -KDP_ERANGE);
    config.span_ns = 3600 * KDP_NS_PER_S;
    config.trades = KDP_PAST_TRADES_MAX + 1;
    CHECK_INT(kdp_past_open(&past, &config), -KDP_ERANGE);
    CHECK(past == NULL);
}

/* ---- recorded ---- */

static const char *
written(const char *name, const char *text)
{
    static char path[2][600];
    static unsigned turn;
    FILE *file;

    snprintf(path[turn & 1], sizeof path[0], "%s/%s", kdp_test_dir(), name);
    file = fopen(path[turn & 1], "w");
    CHECK(file != NULL);
    fputs(text, file);
    CHECK_INT(fclose(file), 0);
    return path[turn++ & 1];
}

#define TRADE(id, ticker, time, price, count)                                                           \
    "{\"trade_id\":\"00000000-0000-4000-8000-0000000000" id "\",\"ticker\":\"" ticker                   \
    "\",\"count_fp\":\"" count "\",\"yes_price_dollars\":\"" price                                      \
    "\",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\",\"created_time\":\"2026-05-15T" time \
    "Z\",\"is_block_trade\":false}"

KDP_TEST(recorded_trades_keep_what_they_say)
{
    const char *files[2];
    struct kdp_past_config config = {.now_ns = NOW_NS, .files = files, .file_count = 2, .no_shift = true};
    struct kdp_exchange_market m;

    files[0] = written("a.jsonl", TRADE("02", "KXA-26MAY15-T1", "10:00:05.5", "0.4350", "12.50") "\n" /* */
                       TRADE("01", "KXA-26MAY15-T1", "10:00:05.25", "0.9900", "1.00") "\nnonsense\n"  /* */
                       TRADE("02", "KXA-26MAY15-T1", "10:00:05.5", "0.4350", "12.50") "\n"); /* again */
    files[1] = written(
        "b.csv", "ticker,created_time,price,count,taker_side,trade_id\r\n"
                 "KXB-X-Y,2026-05-15T09:59:59.123456Z,0.5,7,no,c7e7366c-2f1e-5400-cea1-2ef084faf8ab\r\n");
    CHECK_INT(kdp_past_open(&past, &config), 0);
    CHECK_INT(kdp_past_count(past), 3);
    CHECK_INT(kdp_past_market_count(past), 2);
    CHECK_INT(kdp_past_at(past, 0)->time_ns % KDP_NS_PER_S, 123456000);
    CHECK_INT(kdp_past_at(past, 0)->count_e2, 700);
    CHECK_INT(kdp_past_at(past, 1)->yes_price_e4, 9900);
    CHECK_INT(kdp_past_at(past, 2)->count_e2, 1250);
    kdp_past_market_at(past, kdp_past_find(past, "KXA-26MAY15-T1", 14), &m);
    CHECK_STR(m.event_ticker, "KXA-26MAY15");
    CHECK_STR(m.series_ticker, "KXA");
    CHECK_INT(m.volume_e2, 1350);
    CHECK_INT(m.last_e4, 4350);
    CHECK(on_grid(&m, 4350) && on_grid(&m, 9900));
    kdp_past_close(past);
    /* shifted: the same seconds of a minute, some minutes ago */
    config.no_shift = false;
    CHECK_INT(kdp_past_open(&past, &config), 0);
    CHECK_INT(kdp_past_at(past, 2)->time_ns % (60 * KDP_NS_PER_S), INT64_C(5500000000));
    CHECK(kdp_past_at(past, 2)->time_ns > NOW_NS - 300 * KDP_NS_PER_S);
    check_all();
    kdp_past_close(past);
}

KDP_TEST(a_file_without_trades_is_refused)
{
    const char *file = written("none.jsonl", "{\"a\":1}\nnothing\n");
    struct kdp_past_config config = {.now_ns = NOW_NS, .files = &file, .file_count = 1};

    CHECK_INT(kdp_past_open(&past, &config), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "no trades in") != NULL);
}

#define MARKET(ticker, status, title)                                                                      \
    "{\"ticker\":\"" ticker "\",\"event_ticker\":\"KXA-26MAY15\",\"title\":\"" title                       \
    "\",\"status\":\"" status                                                                              \
    "\",\"open_time\":\"2026-05-15T09:00:00Z\",\"close_time\":\"2026-05-15T11:00:00Z\","                   \
    "\"settlement_ts\":\"2026-05-15T11:05:00Z\",\"volume_fp\":\"99.00\",\"price_level_structure\":\"deci_" \
    "cent\"}"

/* A page, and polls with something around the objects; the last of a ticker counts, and its text stays what it was. */
KDP_TEST(recorded_markets_are_given_out_as_they_were)
{
    const char *answers[2];
    struct kdp_past_config config = {.now_ns = NOW_NS, .answers = answers, .answer_count = 2};
    struct kdp_exchange_market m;

    answers[0] = written("page.json", "{\"markets\":[" MARKET("KXA-26MAY15-T1", "active", "first") "," MARKET(
                                          "KXA-26MAY15-T2", "finalized", "other") "],\"cursor\":\"\"}");
    answers[1] = written("polls.jsonl", "{\"capture\":1,\"markets\":{\"x\":" MARKET(
                                            "KXA-26MAY15-T1", "active",
                                            "second") "}}\n"
                                                      "not JSON\n{\"markets\":{\"x\":" MARKET(
                                                          "KXA-26MAY15-T1", "determined", "third") "}}\n");
    CHECK_INT(kdp_past_open(&past, &config), 0);
    CHECK_INT(kdp_past_market_count(past), 2);
    CHECK_INT(kdp_past_count(past), 0);
    kdp_past_market_at(past, kdp_past_find(past, "KXA-26MAY15-T1", 14), &m);
    CHECK_STR(m.raw, MARKET("KXA-26MAY15-T1", "determined", "third"));
    CHECK_INT(m.status, KDP_MARKET_STATUS_DETERMINED);
    CHECK_STR(m.structure, "deci_cent");
    CHECK_INT(m.volume_e2, 9900);
    CHECK_INT(m.close_ns - m.open_ns, 7200 * KDP_NS_PER_S);
    kdp_past_close(past);
    answers[1] = written("none.json", "{\"ticker\":\"KXA\"}");
    CHECK_INT(kdp_past_open(&past, &config), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "no market objects in") != NULL);
}

KDP_TEST(recorded_captures_are_served_whole)
{
    char path[2][600];
    const char *files[2] = {path[0], path[1]};
    struct kdp_past_config config = {.now_ns = NOW_NS, .files = files, .file_count = 2, .no_shift = true};

    snprintf(path[0], sizeof path[0], "%s/trades/kxeth15m_trades_26MAY15.jsonl.zst", kdp_test_captures());
    snprintf(path[1], sizeof path[1], "%s/trades/sports_trades_2025-11-08_09.csv.zst", kdp_test_captures());
    CHECK_INT(kdp_past_open(&past, &config), 0);
    CHECK_INT(check_all().trades, 81547 + 31254);
    CHECK_INT(kdp_past_market_count(past), 95 + 24);
    kdp_past_close(past);
}
