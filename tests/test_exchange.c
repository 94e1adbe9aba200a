/* The simulator's exchange: the same events from the same seed, deltas that add up to the books, trades once, bounded memory. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "exchange_made.h"
#include "kdp_test.h"
#include "source.h"

#define NOW (INT64_C(1795359570) * KDP_NS_PER_S)

struct side { /* a plain list of sizes, in no order */
    uint32_t count, room;
    struct kdp_exchange_level *levels;
};

struct model { /* the books as a listener has them */
    struct kdp_exchange *ex;
    struct side (*book)[2];
    uint32_t markets, room;
    int64_t last_ns;
    uint64_t count[KDP_EXCHANGE_RAW + 1], digest, trades_next;
    uint64_t life[16], blocks, ties, created_ordinary;
    int64_t trade_ns;
};

static void
model_market(struct model *m, uint32_t index)
{
    while (m->room <= index) {
        uint32_t room = m->room == 0 ? 64 : 2 * m->room;

        m->book = realloc(m->book, room * sizeof *m->book);
        CHECK(m->book != NULL);
        memset(m->book + m->room, 0, (room - m->room) * sizeof *m->book);
        m->room = room;
    }
    if (m->markets <= index)
        m->markets = index + 1;
}

static void
model_add(struct model *m, uint32_t index, unsigned side, int32_t price_e4, int64_t delta_e2)
{
    struct side *s = &m->book[index][side];
    uint32_t i = 0;

    while (i < s->count && s->levels[i].price_e4 != price_e4)
        i++;
    if (i == s->count) {
        if (s->count == s->room) {
            s->room = s->room == 0 ? 8 : 2 * s->room;
            s->levels = realloc(s->levels, s->room * sizeof *s->levels);
            CHECK(s->levels != NULL);
        }
        s->levels[s->count++] = (struct kdp_exchange_level){price_e4, 0};
    }
    s->levels[i].size_e2 += delta_e2;
    CHECK(s->levels[i].size_e2 >= 0);
    if (s->levels[i].size_e2 == 0)
        s->levels[i] = s->levels[--s->count];
}

static void
model_clear(struct model *m, uint32_t index)
{
    m->book[index][0].count = m->book[index][1].count = 0;
}

static void
model_take(struct model *m, uint32_t index)
{
    struct kdp_exchange_market market;

    model_market(m, index);
    model_clear(m, index);
    kdp_exchange_market_at(m->ex, index, &market);
    for (unsigned side = 0; side < 2; side++)
        for (uint32_t i = 0; i < market.bid_count[side]; i++)
            model_add(m, index, side, market.bids[side][i].price_e4, market.bids[side][i].size_e2);
}

static void
model_check(struct model *m, uint32_t index)
{
    struct kdp_exchange_market market;

    kdp_exchange_market_at(m->ex, index, &market);
    for (unsigned side = 0; side < 2; side++) {
        const struct side *s = &m->book[index][side];

        CHECK_INT(market.bid_count[side], s->count);
        for (uint32_t i = 0; i < s->count; i++) {
            uint32_t at = 0;

            while (at < s->count && s->levels[at].price_e4 != market.bids[side][i].price_e4)
                at++;
            CHECK(at < s->count);
            CHECK_INT(market.bids[side][i].size_e2, s->levels[at].size_e2);
            CHECK(i == 0 || market.bids[side][i].price_e4 < market.bids[side][i - 1].price_e4);
        }
    }
}

static void
digest(struct model *m, int64_t value)
{
    m->digest = (m->digest ^ (uint64_t)value) * UINT64_C(0x9e3779b97f4a7c15);
    m->digest ^= m->digest >> 29;
}

static void
on_event(void *arg, const struct kdp_exchange_event *event)
{
    struct model *m = arg;
    size_t len;

    CHECK(event->time_ns >= m->last_ns);
    m->last_ns = event->time_ns;
    m->count[event->kind]++;
    if (event->market == UINT32_MAX)
        return;
    model_market(m, event->market);
    digest(m, event->time_ns);
    digest(m, (int64_t)event->kind << 32 | event->market);
    switch (event->kind) {
    case KDP_EXCHANGE_DELTA:
        model_add(m, event->market, event->delta.side == KDP_SIDE_YES ? 0 : 1, event->delta.price_e4,
                  event->delta.delta_e2);
        digest(m, event->delta.price_e4);
        digest(m, event->delta.delta_e2);
        break;
    case KDP_EXCHANGE_SNAPSHOT:
        model_take(m, event->market);
        break;
    case KDP_EXCHANGE_TRADE:
        CHECK(kdp_exchange_trade_at(m->ex, m->trades_next) == event->trade);
        CHECK_INT(kdp_exchange_trade_count(m->ex), m->trades_next + 1);
        m->trades_next++;
        m->blocks += event->trade->block;
        m->ties += event->trade->time_ns == m->trade_ns;
        m->trade_ns = event->trade->time_ns;
        CHECK_INT(event->trade->time_ns % 1000, 0);
        digest(m, event->trade->yes_price_e4);
        digest(m, event->trade->trade_id[15]);
        break;
    case KDP_EXCHANGE_MARKET:
        m->life[event->lifecycle]++;
        if (event->lifecycle == KDP_LIFECYCLE_KIND_CREATED) {
            model_clear(m, event->market);
            m->created_ordinary += strncmp(kdp_exchange_ticker(m->ex, event->market, &len), "KXMVE", 5) != 0;
        }
        break;
    default:
        break;
    }
}

static struct kdp_exchange *
open_made(struct model *m, uint32_t markets, uint32_t rate, uint32_t combo_rate)
{
    struct kdp_exchange_config config = {
        .now_ns = NOW, .seed = 7, .markets = markets, .rate = rate, .combo_rate = combo_rate};

    *m = (struct model){.last_ns = INT64_MIN, .trade_ns = INT64_MIN};
    CHECK_INT(kdp_exchange_open(&m->ex, &config), 0);
    kdp_exchange_listen(m->ex, on_event, m);
    for (uint32_t i = 0; i < kdp_exchange_market_count(m->ex); i++)
        model_take(m, i);
    return m->ex;
}

static void
check_all(struct model *m)
{
    for (uint32_t i = 0; i < kdp_exchange_market_count(m->ex); i++)
        model_check(m, i);
}

static void
close_model(struct model *m)
{
    kdp_exchange_close(m->ex);
    for (uint32_t i = 0; i < m->room; i++) {
        free(m->book[i][0].levels);
        free(m->book[i][1].levels);
    }
    free(m->book);
}

KDP_TEST(deltas_add_up_to_the_books)
{
    struct model m;
    struct kdp_exchange *ex = open_made(&m, 100, 1000, 1);
    int64_t now = NOW;

    for (unsigned i = 0; i < 200; i++) {
        int64_t due;

        now += KDP_NS_PER_S / 2;
        while ((due = kdp_exchange_run(ex, now, 100)) <= now)
            CHECK(due > 0);
        check_all(&m);
    }
    CHECK(m.count[KDP_EXCHANGE_DELTA] > 50000);
    CHECK(m.count[KDP_EXCHANGE_TRADE] > 1000);
    CHECK(m.count[KDP_EXCHANGE_TICKER] > 1000);
    close_model(&m);
}

KDP_TEST(the_same_seed_gives_the_same_events)
{
    struct model a, b;

    open_made(&a, 300, 5000, 5);
    open_made(&b, 300, 5000, 5);
    /* whatever the pieces in which time goes by */
    for (unsigned i = 1; i <= 20; i++)
        kdp_exchange_run(a.ex, NOW + i * KDP_NS_PER_S, 0);
    for (int64_t now = NOW; now < NOW + 20 * KDP_NS_PER_S; now += 1777 * KDP_NS_PER_MS / 1000)
        while (kdp_exchange_run(b.ex, now, 7) <= now)
            ;
    kdp_exchange_run(b.ex, NOW + 20 * KDP_NS_PER_S, 0);
    CHECK(a.digest == b.digest);
    CHECK_INT(a.count[KDP_EXCHANGE_DELTA], b.count[KDP_EXCHANGE_DELTA]);
    check_all(&a);
    check_all(&b);
    close_model(&a);
    close_model(&b);
}

KDP_TEST(the_rate_is_met_in_the_mean)
{
    static const uint32_t rates[] = {20, 1000, 50000};

    for (unsigned i = 0; i < 3; i++) {
        struct model m;
        int64_t seconds = rates[i] > 10000 ? 60 : 2000;
        double mean;

        open_made(&m, 200, rates[i], 0);
        kdp_exchange_listen(m.ex, NULL, NULL);
        kdp_exchange_run(m.ex, NOW + seconds * KDP_NS_PER_S, 0);
        {
            struct kdp_exchange_stats stats;
            uint64_t all = 0;

            kdp_exchange_stats(m.ex, &stats);
            for (unsigned k = 0; k <= KDP_EXCHANGE_RAW; k++)
                all += stats.events[k];
            mean = (double)all / (double)seconds;
        }
        if (mean < 0.8 * rates[i] || mean > 1.3 * rates[i])
            kdp_test_fail(__FILE__, __LINE__, "rate %u: %.1f events a second", rates[i], mean);
        close_model(&m);
    }
}

/* Two days of a small exchange: everything happens to markets, and memory is what it was. */
KDP_TEST(days_are_bounded_and_trading_goes_on)
{
    struct model m;
    struct kdp_exchange *ex = open_made(&m, 200, 30, 1);
    size_t memory = 0;
    uint32_t markets = 0;
    uint64_t trades = 0;

    for (unsigned hour = 1; hour <= 48; hour++) {
        kdp_exchange_run(ex, NOW + hour * 3600 * KDP_NS_PER_S, 0);
        CHECK(kdp_exchange_trade_count(ex) > trades + 1000);
        trades = kdp_exchange_trade_count(ex);
        if (hour == 36) {
            memory = kdp_exchange_memory(ex);
            markets = kdp_exchange_market_count(ex);
        }
        if (hour % 6 == 0)
            check_all(&m);
    }
    CHECK(kdp_exchange_market_count(ex) <= markets + 200);
    CHECK(kdp_exchange_memory(ex) <= memory + memory / 4);
    for (unsigned kind = KDP_LIFECYCLE_KIND_CREATED; kind <= KDP_LIFECYCLE_KIND_METADATA_UPDATED; kind++)
        if (kind != KDP_LIFECYCLE_KIND_OPENED && kind != KDP_LIFECYCLE_KIND_CLOSED)
            CHECK(m.life[kind] > 0); /* those two the exchange never says */
    /* more were created than there are places: those of settled ones were used again */
    CHECK(m.life[KDP_LIFECYCLE_KIND_CREATED] > 2 * kdp_exchange_market_count(ex));
    CHECK(m.created_ordinary > 1000);
    CHECK(m.count[KDP_EXCHANGE_SNAPSHOT] > 0);
    CHECK(m.count[KDP_EXCHANGE_EVENT] > 0);
    CHECK(m.blocks > 0);
    CHECK(m.ties > 0);
    for (uint64_t n = kdp_exchange_trade_oldest(ex); n < trades; n++) {
        const struct kdp_exchange_trade *trade = kdp_exchange_trade_at(ex, n);
        const struct kdp_exchange_trade *next = kdp_exchange_trade_at(ex, n + 1);

        CHECK(trade != NULL && trade->market < kdp_exchange_market_count(ex));
        CHECK(next == NULL || next->time_ns >= trade->time_ns);
    }
    CHECK(kdp_exchange_trade_at(ex, trades) == NULL);
    close_model(&m);
}

/* Events that close before their time leave timers behind that are due in months. */
KDP_TEST(timers_of_what_closed_early_do_not_pile_up)
{
    struct model m;
    struct kdp_exchange *ex = open_made(&m, 8, 1000, 0);
    struct exchange_made *made = ex->made;
    size_t room = made->heap_room;
    uint32_t birth = made->places[0].birth;

    for (unsigned i = 0; i < 10000; i++) {
        made->places[0].birth = birth + 1 + i;
        made_later(made, NOW + KDP_NS_PER_DAY * (1 + i % 90), MADE_CLOSE, 0);
    }
    made->places[0].birth = birth;
    CHECK_INT(made->heap_room, room);
    kdp_exchange_run(ex, NOW + 1800 * KDP_NS_PER_S, 0);
    CHECK(m.life[KDP_LIFECYCLE_KIND_CREATED] > 0); /* the quarter closed and has its successor */
    check_all(&m);
    close_model(&m);
}

KDP_TEST(markets_are_found_by_ticker_and_wholly_described)
{
    struct model m;
    struct kdp_exchange *ex = open_made(&m, 3000, 1000, 10);
    unsigned status[16] = {0}, combos = 0, one_sided = 0, empty = 0, fractional = 0;

    for (unsigned i = 0; i < 1200; i++)
        kdp_exchange_run(ex, NOW + i * KDP_NS_PER_S / 4, 0);
    for (uint32_t i = 0; i < kdp_exchange_market_count(ex); i++) {
        struct kdp_exchange_market market;

        kdp_exchange_market_at(ex, i, &market);
        CHECK_INT(kdp_exchange_find(ex, market.ticker, strlen(market.ticker)), i);
        CHECK(strlen(market.ticker) <= 57);
        CHECK(strlen(market.event_ticker) >= 8);
        CHECK(strncmp(market.ticker, market.event_ticker, strlen(market.event_ticker)) == 0);
        CHECK(strncmp(market.ticker, market.series_ticker, strlen(market.series_ticker)) == 0);
        CHECK_INT(strlen(market.market_id), 36);
        CHECK(market.close_ns > market.open_ns);
        CHECK(market.range_count > 0);
        CHECK_INT(market.ranges[0].start_e4, 0);
        CHECK_INT(market.ranges[market.range_count - 1].end_e4, 10000);
        status[market.status]++;
        combos += market.combo;
        one_sided += (market.bid_count[0] == 0) != (market.bid_count[1] == 0);
        empty += market.bid_count[0] + market.bid_count[1] == 0;
        for (unsigned side = 0; side < 2; side++)
            for (uint32_t j = 0; j < market.bid_count[side]; j++)
                fractional += market.bids[side][j].size_e2 % 100 != 0;
        if (market.bid_count[0] > 0 && market.bid_count[1] > 0)
            CHECK(market.bid_e4 < market.ask_e4);
        if (market.status == KDP_MARKET_STATUS_FINALIZED) {
            CHECK(market.settled_ns >= market.determined_ns && market.result != KDP_RESULT_NONE);
            CHECK_INT(market.bid_count[0] + market.bid_count[1], 0);
        }
    }
    CHECK(status[KDP_MARKET_STATUS_INITIALIZED] > 0 && status[KDP_MARKET_STATUS_ACTIVE] > 2000);
    CHECK(status[KDP_MARKET_STATUS_CLOSED] + status[KDP_MARKET_STATUS_DETERMINED] > 0);
    CHECK(status[KDP_MARKET_STATUS_FINALIZED] > 0);
    CHECK(combos > 1000 && one_sided > 0 && empty > 0 && fractional > 0);
    CHECK_INT(kdp_exchange_find(ex, "KXNONE", 6), UINT32_MAX);
    close_model(&m);
}

KDP_TEST(history_lies_before_the_beginning)
{
    struct kdp_exchange_config config = {
        .now_ns = NOW, .seed = 3, .markets = 50, .rate = 1000, .history_ns = 3600 * KDP_NS_PER_S};
    struct kdp_exchange *ex, *other;
    uint64_t count;

    CHECK_INT(kdp_exchange_open(&ex, &config), 0);
    CHECK_INT(kdp_exchange_open(&other, &config), 0);
    count = kdp_exchange_trade_count(ex);
    CHECK(count > 3600 * 10);
    CHECK_INT(kdp_exchange_trade_oldest(ex), 0);
    for (uint64_t i = 0; i < count; i++) {
        const struct kdp_exchange_trade *trade = kdp_exchange_trade_at(ex, i);

        CHECK(trade->time_ns >= NOW - config.history_ns && trade->time_ns <= NOW + KDP_NS_PER_MS);
        CHECK(trade->yes_price_e4 > 0 && trade->yes_price_e4 < 10000 && trade->count_e2 > 0);
        CHECK_MEM(trade, kdp_exchange_trade_at(other, i), sizeof *trade);
    }
    kdp_exchange_close(ex);
    kdp_exchange_close(other);
}

KDP_TEST(acts_happen_at_once_and_are_told)
{
    struct model m;
    struct kdp_exchange *ex = open_made(&m, 20, 0, 0);
    struct kdp_exchange_market market;
    uint64_t deltas, trades;

    CHECK_INT(kdp_exchange_run(ex, NOW + 3600 * KDP_NS_PER_S, 0), INT64_MAX); /* rate 0: nothing by itself */
    CHECK_INT(m.count[KDP_EXCHANGE_DELTA], 0);
    CHECK(kdp_exchange_burst(ex, 5000) >= 5000);
    CHECK(m.last_ns >= NOW + 3600 * KDP_NS_PER_S);
    check_all(&m);
    kdp_exchange_market_at(ex, 0, &market);
    CHECK(market.bid_count[0] + market.bid_count[1] > 2);
    deltas = m.count[KDP_EXCHANGE_DELTA];
    trades = kdp_exchange_trade_count(ex);
    kdp_exchange_trade(ex, 0, 5);
    CHECK_INT(kdp_exchange_trade_count(ex), trades + 5);
    CHECK_INT(m.count[KDP_EXCHANGE_DELTA], deltas + 5);
    check_all(&m);
    kdp_exchange_mass_cancel(ex, 0);
    kdp_exchange_market_at(ex, 0, &market);
    CHECK_INT(market.bid_count[0] + market.bid_count[1], 0);
    check_all(&m);
    kdp_exchange_trade(ex, 0, 1); /* without a book */
    CHECK_INT(kdp_exchange_trade_count(ex), trades + 6);
    kdp_exchange_change_ticks(ex, 0);
    CHECK_INT(m.life[KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED], 1);
    close_model(&m);
}

/* ---- recordings ---- */

static struct kdp_exchange *
open_recorded(struct model *m, const char *path, double speed, bool loop)
{
    struct kdp_exchange_config config = {
        .now_ns = NOW, .inputs = &path, .input_count = 1, .speed = speed, .loop = loop};

    *m = (struct model){.last_ns = INT64_MIN, .trade_ns = INT64_MIN};
    CHECK_INT(kdp_exchange_open(&m->ex, &config), 0);
    kdp_exchange_listen(m->ex, on_event, m);
    for (uint32_t i = 0; i < kdp_exchange_market_count(m->ex); i++) {
        model_market(m, i);
        model_take(m, i);
    }
    return m->ex;
}

/* What the generator says that a client must have in the end, a market a line. */
static unsigned
check_books(struct kdp_exchange *ex, const char *path, bool trades)
{
    struct kdp_source *source;
    static char text[1 << 22];
    size_t len = 0;
    int64_t n;
    unsigned live = 0;

    CHECK_INT(kdp_source_open(&source, path), 0);
    while ((n = kdp_source_read(source, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)n;
    CHECK_INT(n, 0);
    kdp_source_close(source);
    text[len] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char ticker[128], state[16], *at = strstr(line, "\"bid_levels\"");
        unsigned bids, asks;
        double bid_total, ask_total, total[2] = {0, 0};
        long bbo;
        unsigned long traded;
        struct kdp_exchange_market market;
        uint32_t index;

        if (sscanf(line, "{\"ticker\":\"%127[^\"]\",\"state\":\"%15[^\"]\"", ticker, state) != 2)
            continue;
        if (strcmp(state, "live") != 0)
            continue;
        CHECK(at != NULL);
        CHECK_INT(sscanf(at,
                         "\"bid_levels\":%u,\"ask_levels\":%u,\"bid_size_total\":\"%lf\",\"ask_size_total\":"
                         "\"%lf\",\"bbo_changes\":%ld,\"trades\":%lu",
                         &bids, &asks, &bid_total, &ask_total, &bbo, &traded),
                  6);
        index = kdp_exchange_find(ex, ticker, strlen(ticker));
        CHECK(index != UINT32_MAX);
        kdp_exchange_market_at(ex, index, &market);
        for (unsigned side = 0; side < 2; side++)
            for (uint32_t i = 0; i < market.bid_count[side]; i++)
                total[side] += (double)market.bids[side][i].size_e2 / 100;
        CHECK_INT(market.bid_count[0], bids);
        CHECK_INT(market.bid_count[1], asks);
        CHECK_INT((long long)(total[0] * 100 + 0.5), (long long)(bid_total * 100 + 0.5));
        CHECK_INT((long long)(total[1] * 100 + 0.5), (long long)(ask_total * 100 + 0.5));
        if (trades)
            CHECK_INT(market.trades, traded);
        live++;
    }
    return live;
}

static void
play_sample(const char *name, unsigned live_min, bool trades)
{
    char recording[256], books[256];
    struct model m;
    struct kdp_exchange *ex;
    int64_t due = NOW;

    snprintf(recording, sizeof recording, "%s/%s.jsonl.%s", KDP_SOURCE_DIR "/tests/data", name,
             strcmp(name, "bare") == 0 ? "gz" : "zst");
    snprintf(books, sizeof books, "%s/%s.books.json.gz", KDP_SOURCE_DIR "/tests/data", name);
    ex = open_recorded(&m, recording, 1, false);
    for (unsigned i = 0; (due = kdp_exchange_run(ex, due, 50)) != INT64_MAX; i++) {
        CHECK(due >= NOW);
        if (i % 20 == 0)
            check_all(&m);
    }
    check_all(&m);
    CHECK(check_books(ex, books, trades) >= live_min);
    CHECK(m.count[KDP_EXCHANGE_TRADE] > 0 && m.count[KDP_EXCHANGE_TICKER] > 0);
    close_model(&m);
}

KDP_TEST(a_recording_ends_with_its_books)
{
    play_sample("session", 50, true);
    play_sample("bare", 0, false); /* its holes are never mended: every book is stale in the end */
}

KDP_TEST(a_recording_with_faults_ends_with_its_books)
{
    play_sample("faults", 20, false);
}

KDP_TEST(a_recording_is_shifted_and_sped_up)
{
    struct model slow, fast;
    char path[256];
    int64_t due = NOW;

    snprintf(path, sizeof path, "%s/session.jsonl.zst", KDP_SOURCE_DIR "/tests/data");
    open_recorded(&slow, path, 1, false);
    open_recorded(&fast, path, 4, false);
    CHECK_INT(kdp_exchange_run(slow.ex, INT64_MAX - 1, 0), INT64_MAX);
    CHECK_INT(kdp_exchange_run(fast.ex, INT64_MAX - 1, 0), INT64_MAX);
    CHECK_INT(slow.count[KDP_EXCHANGE_DELTA], fast.count[KDP_EXCHANGE_DELTA]);
    CHECK(slow.last_ns > NOW + KDP_NS_PER_S);
    CHECK_INT((slow.last_ns - NOW) / 4 / KDP_NS_PER_MS / 50, (fast.last_ns - NOW) / KDP_NS_PER_MS / 50);
    close_model(&slow);
    close_model(&fast);
    /* and again and again */
    open_recorded(&slow, path, 100, true);
    for (unsigned i = 0; i < 5; i++) {
        due += KDP_NS_PER_S * 3;
        CHECK(kdp_exchange_run(slow.ex, due, 0) > due);
        check_all(&slow);
    }
    {
        struct kdp_exchange_stats stats;

        kdp_exchange_stats(slow.ex, &stats);
        CHECK(stats.loops >= 5);
    }
    close_model(&slow);
}

KDP_TEST(both_sources_at_once)
{
    char path[256];
    const char *input = path;
    struct kdp_exchange_config config = {.now_ns = NOW,
                                         .seed = 1,
                                         .markets = 100,
                                         .rate = 1000,
                                         .combo_rate = 1,
                                         .inputs = &input,
                                         .input_count = 1};
    struct model m = {.last_ns = INT64_MIN, .trade_ns = INT64_MIN};
    unsigned combos = 0;

    snprintf(path, sizeof path, "%s/session.jsonl.zst", KDP_SOURCE_DIR "/tests/data");
    CHECK_INT(kdp_exchange_open(&m.ex, &config), 0);
    kdp_exchange_listen(m.ex, on_event, &m);
    for (uint32_t i = 0; i < kdp_exchange_market_count(m.ex); i++) {
        model_market(&m, i);
        model_take(&m, i);
    }
    for (unsigned i = 1; i < 100; i++) {
        kdp_exchange_run(m.ex, NOW + i * KDP_NS_PER_S, 0);
        check_all(&m);
    }
    for (uint32_t i = 0; i < kdp_exchange_market_count(m.ex); i++) {
        size_t len;
        const char *ticker = kdp_exchange_ticker(m.ex, i, &len);

        struct kdp_exchange_market market;

        CHECK_INT(kdp_exchange_find(m.ex, ticker, len), i); /* no name twice */
        kdp_exchange_market_at(m.ex, i, &market);
        CHECK(strncmp(market.ticker, market.event_ticker, strlen(market.event_ticker)) == 0);
        CHECK(strncmp(market.event_ticker, market.series_ticker, strlen(market.series_ticker)) == 0);
        if (market.combo) /* which they are known by */
            CHECK(strncmp(market.ticker, "KXMVE", 5) == 0);
        combos += market.combo;
    }
    CHECK(combos > 50);
    close_model(&m);
}
