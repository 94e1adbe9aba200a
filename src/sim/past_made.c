/* past_made.c - a past made up: markets and trades that are pure functions of the seed.
 *
 * Time is cut into buckets of about 4,096 trades.  A cell is one market in one bucket: how many trades it has is fixed at the
 * start (the whole number asked for, dealt out by popularity, bursts and the time the market was open), and they are made, in
 * order, whenever somebody asks for them; a bucket is its cells, sorted.  So a time, a number and a market's number are each
 * found by a binary search and the making of one bucket or cell.  The last few are kept.
 *
 * Holding the trades was ruled out (a gigabyte for twenty million), and so was one sequence in time that chooses a market for each
 * trade: a page of one market would have to make everybody's. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "memory.h"
#include "past_private.h"

#define BUCKET_TRADES 4096u
#define BUCKETS_MAX 16384
#define CELLS_MAX (4u << 20)
#define POPULARITY_MAX 512u
#define POSITION_BITS 27 /* of a trade in its bucket, in a sorting key */

static const struct shape { /* of the events of a series */
    const char *series, *title;
    int64_t life_s;
    uint32_t markets, base, step;
    uint8_t structure;
} shapes[] = {
    {"KXFEDDECISION", "Rate after the meeting of", INT64_C(60) * 86400, 5, 25, 25, 2},
    {"KXHIGHNY", "Highest temperature in New York on", 129600, 6, 47, 2, 0},
    {"KXBTCD", "Bitcoin price on", 86400, 10, 98000, 500, 3},
    {"KXNFLGAME", "Winner of the game of", 604800, 2, 1, 1, 0},
    {"KXBTC15M", "Bitcoin up in the 15 minutes to", 900, 1, 0, 1, 1},
    {"KXCPIYOY", "Inflation published on", 1209600, 6, 21, 2, 5},
    {"KXRAINNYC", "Rain in New York on", 259200, 1, 0, 1, 10},
    {"KXNEXTTEAMNBA", "Next team, known by", INT64_C(20) * 86400, 8, 1, 1, 11},
    {"KXETHD", "Ethereum price on", 86400, 10, 3000, 40, 9},
    {"KXATPMATCH", "Winner of the match of", 172800, 2, 1, 1, 8},
    {"KXGASAAA", "Price of gas on", 604800, 6, 301, 5, 12},
    {"KXTSAW", "Travellers in the week to", 604800, 5, 18, 1, 7},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static uint64_t
draw(const struct kdp_past *past, uint64_t what, uint64_t a, uint64_t b)
{
    return past_mix(past_mix(past_mix(past->config.seed ^ what << 56) + a) + b);
}

/* ---- markets ---- */

static int
make_market(struct kdp_past *past, const struct shape *shape, const char *event, const char *series,
            const char *when, uint32_t number, uint32_t winner)
{
    uint32_t index = past->market_count, strike = shape->base + number * shape->step;
    struct past_market *m = past_market_add(past);
    char buf[256];

    if (m == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a market of the past");
    m->event_ticker = event;
    m->series_ticker = series;
    m->structure = shape->structure;
    snprintf(buf, sizeof buf, "%s-T%u%s", event, strike, shape->step >= 40 ? ".99" : "");
    m->ticker = past_text(past, buf, strlen(buf));
    snprintf(buf, sizeof buf, "%s %s", shape->title, when);
    m->title = past_text(past, buf, strlen(buf));
    snprintf(buf, sizeof buf, "%u or above", strike);
    m->sub_title = past_text(past, buf, strlen(buf));
    m->strike_type = KDP_STRIKE_TYPE_GREATER;
    m->strike_e6 = (int64_t)strike * 1000000;
    m->result = number <= winner ? KDP_RESULT_YES : KDP_RESULT_NO; /* above that, so above all lower ones */
    m->settlement_value_e6 = number <= winner ? 1000000 : 0;
    /* half of the markets are little looked at, one in 32 very much */
    m->popularity = 1 + (POPULARITY_MAX - 1) / (1 + (uint32_t)(draw(past, 1, index, 0) % 32));
    if (m->title == NULL || m->sub_title == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a market of the past");
    return past_name(past, index);
}

static int
make_event(struct kdp_past *past, uint32_t event, uint32_t left)
{
    static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                         "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
    const struct shape *shape = &shapes[event % SHAPES];
    int64_t span_s = past->end_s - past->begin_s, tail_s = span_s / 32 < 3600 ? span_s / 32 : 3600;
    int64_t life_s = shape->life_s < span_s * 7 / 8 ? shape->life_s : span_s * 7 / 8;
    int64_t room_s = span_s - life_s - tail_s, close_s;
    uint64_t r = draw(past, 2, event, 0);
    uint32_t count = shape->markets < left ? shape->markets : left, first = past->market_count;
    uint32_t winner = (uint32_t)(r >> 40) % (count + 1);
    char ticker[96], day[11 + 1], when[32];
    const char *event_text, *series_text;
    struct tm tm;
    time_t at;

    close_s = past->begin_s + life_s + (room_s > 0 ? (int64_t)(r % (uint64_t)room_s) : 0);
    if (close_s % 60 != 0 && close_s / 60 * 60 - life_s >= past->begin_s)
        close_s = close_s / 60 * 60;
    at = (time_t)close_s;
    gmtime_r(&at, &tm);
    snprintf(ticker, sizeof ticker, "%s-%02d%s%02d%02d%02dP%u", shape->series, tm.tm_year % 100,
             months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, event);
    kdpi_day_format(day, kdpi_day_of(close_s * KDP_NS_PER_S));
    snprintf(when, sizeof when, "%s %02d:%02d", day, tm.tm_hour, tm.tm_min);
    event_text = past_text(past, ticker, strlen(ticker));
    series_text = past_text(past, shape->series, strlen(shape->series));
    if (event_text == NULL || series_text == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for an event of the past");
    for (uint32_t i = 0; i < count; i++) {
        int rc = make_market(past, shape, event_text, series_text, when, i, winner == 0 ? 0 : winner - 1);

        if (rc != 0)
            return rc;
    }
    for (uint32_t i = first; i < past->market_count; i++) {
        struct past_market *m = &past->markets[i];
        int64_t late_s = 1 + (int64_t)(r >> 32) % (tail_s / 2 > 0 ? tail_s / 2 : 1);

        m->open_ns = (close_s - life_s) * KDP_NS_PER_S;
        m->created_ns = m->open_ns - 3600 * KDP_NS_PER_S;
        m->close_ns = close_s * KDP_NS_PER_S;
        m->determined_ns = m->close_ns + late_s / 2 * KDP_NS_PER_S;
        m->settled_ns = m->close_ns + late_s * KDP_NS_PER_S;
        if (m->structure != 0 && i % 4 == 0) /* its ticks became finer at some time */
            m->refined_ns = (close_s - life_s / 2) * KDP_NS_PER_S;
    }
    return 0;
}

/* ---- cells ---- */

static uint64_t
weight(const struct kdp_past *past, const struct past_market *m, uint32_t market, uint32_t bucket)
{
    int64_t from_s = past->begin_s + bucket * past->bucket_s, to_s = from_s + past->bucket_s;
    uint64_t r = draw(past, 3, market, bucket);
    int64_t open_s = m->open_ns / KDP_NS_PER_S, close_s = m->close_ns / KDP_NS_PER_S;

    from_s = from_s < open_s ? open_s : from_s;
    to_s = to_s > close_s ? close_s : to_s;
    if (to_s <= from_s)
        return 0;
    /* in a rush every eighth time; in proportion to the time it was open, in quarters of a bucket */
    return m->popularity * (uint64_t)((r & 7) == 0 ? 8 : 1 + (r >> 8 & 1)) *
           (uint64_t)((4 * (to_s - from_s) + past->bucket_s - 1) / past->bucket_s);
}

static void
reach(struct kdp_past *past) /* which buckets each market touches */
{
    past->cell_count = 0;
    for (uint32_t i = 0; i < past->market_count; i++) {
        struct past_market *m = &past->markets[i];
        int64_t first = (m->open_ns / KDP_NS_PER_S - past->begin_s) / past->bucket_s;
        int64_t last = (m->close_ns / KDP_NS_PER_S - 1 - past->begin_s) / past->bucket_s;

        m->bucket = (uint32_t)first;
        m->buckets = (uint32_t)(last - first + 1);
        m->cell = past->cell_count;
        past->cell_count += m->buckets + 1u;
    }
}

static void
cut_time(struct kdp_past *past)
{
    int64_t span_s = past->end_s - past->begin_s, count = (int64_t)(past->config.trades / BUCKET_TRADES);

    if (count < span_s / 43200 + 1)
        count = span_s / 43200 + 1;
    if (count > BUCKETS_MAX)
        count = BUCKETS_MAX;
    do {
        past->bucket_s = (span_s + count - 1) / count;
        past->buckets = (uint32_t)((span_s + past->bucket_s - 1) / past->bucket_s);
        reach(past);
        count /= 2;
    } while (past->cell_count > CELLS_MAX && count > 1);
}

/* Deals the trades out: each cell gets what its share of the running sum comes to, so that they add up exactly. */
static void
deal(struct kdp_past *past)
{
    uint64_t all = 0, sum = 0, dealt = 0;

    for (uint32_t i = 0; i < past->market_count; i++)
        for (uint32_t b = 0; b < past->markets[i].buckets; b++)
            all += weight(past, &past->markets[i], i, past->markets[i].bucket + b);
    KDP_ASSERT(all > 0); /* every market is open for some seconds */
    for (uint32_t i = 0; i < past->market_count; i++) {
        struct past_market *m = &past->markets[i];
        uint32_t *cell = &past->cells[m->cell];

        for (uint32_t b = 0; b < m->buckets; b++) {
            uint64_t end;

            sum += weight(past, m, i, m->bucket + b);
            end = sum * past->config.trades / all; /* at most 4 M cells of 2^14, 10^8 trades: below 2^64 */
            past->bucket_first[m->bucket + b + 1] += end - dealt;
            cell[b + 1] = cell[b] + (uint32_t)(end - dealt);
            dealt = end;
        }
        m->trades = cell[m->buckets];
    }
    for (uint32_t b = 0; b < past->buckets; b++)
        past->bucket_first[b + 1] += past->bucket_first[b];
    past->count = past->bucket_first[past->buckets];
    KDP_ASSERT(past->count == past->config.trades);
}

/* ---- trades ---- */

/* What a market was worth: lattices of chance of three widths, smoothly joined; in the end it knows. */
static int32_t
fair_at(const struct kdp_past *past, const struct past_market *m, uint32_t market, int64_t time_ns)
{
    static const uint32_t points[3] = {7, 43, 257}, weights[3] = {5, 3, 2};
    int64_t life_ms = (m->close_ns - m->open_ns) / KDP_NS_PER_MS;
    int64_t at = (time_ns - m->open_ns) / KDP_NS_PER_MS * 65536 / (life_ms > 0 ? life_ms : 1);
    int64_t sum = 0, tail;

    for (unsigned k = 0; k < 3; k++) {
        int64_t place = at * points[k], rest = place & 65535;
        int64_t a = (int64_t)(draw(past, 4 + k, market, (uint64_t)(place >> 16)) >> 50);
        int64_t b = (int64_t)(draw(past, 4 + k, market, (uint64_t)(place >> 16) + 1) >> 50);

        sum += weights[k] * (a + ((b - a) * rest >> 16)); /* 0 to 16383 each */
    }
    sum = 300 + sum * 9400 / (16384 * 10);
    tail = at - 57344; /* the last eighth */
    if (tail > 0)
        sum += ((m->result == KDP_RESULT_YES ? 9930 : 70) - sum) * tail / 8192;
    return (int32_t)sum;
}

static void
put_id(uint8_t id[16], uint64_t key, uint32_t market, uint64_t number)
{
    /* past_mix is one-to-one and all 64 bits of its value stand in the id, so no two are the same */
    uint64_t a = past_mix(key ^ ((uint64_t)market << 32 | number)), b = past_mix(a);
    uint64_t high = (a & ~UINT64_C(0xf000)) | 0x4000;
    uint64_t low = UINT64_C(9) << 60 | (a >> 12 & 15) << 56 | b >> 8;

    for (unsigned i = 0; i < 8; i++) {
        id[i] = (uint8_t)(high >> (56 - 8 * i));
        id[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}

static int32_t
on_grid(const struct past_market *m, int64_t time_ns, int32_t price_e4)
{
    uint8_t structure = m->refined_ns != KDP_TIME_NULL && time_ns < m->refined_ns ? 0 : m->structure;
    int32_t price = gen_tick_floor(structure, price_e4 > 9999 ? 9999 : price_e4);

    return price > 0 ? price : gen_structures[structure].band[0].step_e4;
}

/* The trades of one cell, in order, to out; their number. */
static size_t
make_cell(const struct kdp_past *past, uint32_t market, uint32_t bucket, struct kdp_exchange_trade *out)
{
    /* most times are to the microsecond, some coarser, down to whole seconds with many trades in each */
    static const int64_t grains_ns[16] = {1000, 1000, 1000,  1000,   1000,    1000,    1000,     1000,
                                          1000, 1000, 10000, 100000, 1000000, 1000000, 10000000, 1000000000};
    const struct past_market *m = &past->markets[market];
    const uint32_t *cell = &past->cells[m->cell + bucket - m->bucket];
    uint32_t count = cell[1] - cell[0];
    int64_t from_ns = (past->begin_s + bucket * past->bucket_s) * KDP_NS_PER_S;
    int64_t to_ns = from_ns + past->bucket_s * KDP_NS_PER_S, time_ns = 0, step_us;
    uint64_t seed = draw(past, 8, market, bucket), key = past_mix(past->config.seed);
    int64_t grain_ns = grains_ns[seed & 15];
    int32_t fair = 0;

    from_ns = from_ns < m->open_ns ? m->open_ns : from_ns;
    to_ns = to_ns > m->close_ns ? m->close_ns : to_ns;
    step_us = count > 0 ? (to_ns - from_ns) / 1000 / count : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct kdp_exchange_trade *trade = &out[i];
        uint64_t r = past_mix(seed + i), q = past_mix(r);

        if (i == 0 || (r & 3) != 0) { /* else another level of the same order, in the same microsecond */
            int64_t us = (to_ns - from_ns) / 1000 * i / count + (step_us * (int64_t)(r >> 48) >> 16);

            time_ns = (from_ns + us * 1000) / grain_ns * grain_ns;
        }
        if (i % 8 == 0)
            fair = fair_at(past, m, market, time_ns);
        put_id(trade->trade_id, key, market, cell[0] + i);
        trade->market = market;
        trade->time_ns = time_ns;
        trade->yes_price_e4 = on_grid(m, time_ns, fair + (int32_t)(r >> 8 & 511) - 256);
        trade->taker_side = r >> 20 & 1 ? KDP_SIDE_YES : KDP_SIDE_NO;
        trade->block = q % 509 == 0;
        trade->count_e2 = trade->block         ? (int64_t)(5000 + (q >> 32) % 50000) * 100
                          : (q >> 20) % 3 == 0 ? 1 + (int64_t)((q >> 32) % 5000)
                                               : (1 + (int64_t)((q >> 32) % 250)) * 100;
    }
    return count;
}

static int
compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void
room_for(struct past_page *page, size_t count)
{
    if (page->room < count) {
        free(page->trades);
        page->room = count + count / 4 + 64;
        page->trades = malloc(page->room * sizeof *page->trades);
        KDP_ASSERT(page->trades !=
                   NULL); /* a tool for tests: without memory there is nothing it could serve */
    }
    page->count = count;
}

static void
make_bucket(struct kdp_past *past, uint32_t bucket, struct past_page *page)
{
    size_t count = past->bucket_first[bucket + 1] - past->bucket_first[bucket], got = 0;
    int64_t from_ns = (past->begin_s + bucket * past->bucket_s) * KDP_NS_PER_S;

    room_for(page, count);
    for (uint32_t i = 0; i < past->market_count && got < count; i++) {
        if (bucket >= past->markets[i].bucket && bucket - past->markets[i].bucket < past->markets[i].buckets)
            got += make_cell(past, i, bucket, past->unsorted + got);
    }
    KDP_ASSERT(got == count && count <= past->key_room);
    for (size_t i = 0; i < count; i++)
        past->keys[i] = (uint64_t)((past->unsorted[i].time_ns - from_ns) / 1000) << POSITION_BITS | i;
    qsort(past->keys, count, sizeof *past->keys, compare);
    for (size_t i = 0; i < count; i++)
        page->trades[i] = past->unsorted[past->keys[i] & ((UINT64_C(1) << POSITION_BITS) - 1)];
}

const struct past_page *
past_made_page(struct kdp_past *past, uint32_t market, uint32_t bucket)
{
    struct past_page *page;

    if (market == PAST_NOWHERE)
        page = &past->pages[bucket % PAST_WHOLE];
    else
        page =
            &past->pages[PAST_WHOLE + past_mix((uint64_t)market << 32 | bucket) % (PAST_PAGES - PAST_WHOLE)];
    if (page->filled && page->market == market && page->bucket == bucket)
        return page;
    page->filled = true;
    page->market = market;
    page->bucket = bucket;
    if (market == PAST_NOWHERE) {
        make_bucket(past, bucket, page);
    } else {
        const uint32_t *cell =
            &past->cells[past->markets[market].cell + bucket - past->markets[market].bucket];

        room_for(page, cell[1] - cell[0]);
        make_cell(past, market, bucket, page->trades);
    }
    return page;
}

/* What a market says of its trades is found by making all of them once. */
static void
add_up(struct kdp_past *past, uint32_t market)
{
    struct past_market *m = &past->markets[market];

    for (uint32_t b = 0; b < m->buckets; b++) {
        size_t count = make_cell(past, market, m->bucket + b, past->unsorted);

        for (size_t i = 0; i < count; i++) {
            m->volume_e2 += past->unsorted[i].count_e2;
            m->cash_e6 += past->unsorted[i].count_e2 * past->unsorted[i].yes_price_e4;
        }
        if (count > 0) {
            m->last_e4 = past->unsorted[count - 1].yes_price_e4;
            m->last_size_e2 = past->unsorted[count - 1].count_e2;
        }
    }
}

int
past_made_open(struct kdp_past *past)
{
    const struct kdp_past_config *config = &past->config;
    size_t most = 0;

    if (config->trades == 0)
        return 0;
    if (config->markets == 0 || config->markets > KDP_PAST_MARKETS_MAX ||
        config->trades > KDP_PAST_TRADES_MAX)
        return kdpi_fail(KDP_ERANGE, "a past of %u markets and %llu trades: at most %u and %llu",
                         config->markets, (unsigned long long)config->trades, KDP_PAST_MARKETS_MAX,
                         (unsigned long long)KDP_PAST_TRADES_MAX);
    if (config->span_ns < 600 * KDP_NS_PER_S)
        return kdpi_fail(KDP_ERANGE, "a past of less than 10 minutes has no room for trades");
    past->end_s = config->now_ns / KDP_NS_PER_S;
    past->begin_s = past->end_s - config->span_ns / KDP_NS_PER_S;
    for (uint32_t event = 0; past->market_count < config->markets; event++) {
        int rc = make_event(past, event, config->markets - past->market_count);

        if (rc != 0)
            return rc;
    }
    cut_time(past);
    past->cells = calloc(past->cell_count, sizeof *past->cells);
    past->bucket_first = calloc(past->buckets + 1u, sizeof *past->bucket_first);
    if (past->cells == NULL || past->bucket_first == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the order of %llu trades",
                         (unsigned long long)config->trades);
    deal(past);
    for (uint32_t b = 0; b < past->buckets; b++)
        if (past->bucket_first[b + 1] - past->bucket_first[b] > most)
            most = past->bucket_first[b + 1] - past->bucket_first[b];
    past->keys = malloc((most + 1) * sizeof *past->keys);
    past->unsorted = malloc((most + 1) * sizeof *past->unsorted);
    if (past->keys == NULL || past->unsorted == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for %zu trades at once", most);
    past->key_room = past->unsorted_room = most + 1;
    for (uint32_t i = 0; i < past->market_count; i++)
        add_up(past, i);
    return 0;
}
