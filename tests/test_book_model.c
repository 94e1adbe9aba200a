/* test_book_model.c - a long random life of many books, held against the plain model after every step. */
#include "kdp/book.h"

#include <stdio.h>

#include "kdp_test.h"
#include "support/book_model.h"

#define BOOKS 48
#define STEPS 300000

struct pair {
    struct kdp_book *book;
    struct model_book model;
    struct kdp_tick_range ranges[KDP_BOOK_RANGES_MAX]; /* where its prices are drawn from */
    uint32_t range_count;
    uint32_t taking; /* percent of deltas that take size away: some books grow deep, some are nearly always
                        empty */
};

static uint64_t random_state;
static int64_t clock_ns;

static uint32_t
pick(uint32_t n)
{
    return (uint32_t)(kdp_test_random(&random_state) % n);
}

static int32_t
pick_price(const struct pair *pair)
{
    const struct kdp_tick_range *range;

    switch (pick(100)) {
    case 0:
        return (int32_t)pick(10001); /* anything */
    case 1:
        return (int32_t)pick(101) * 100;
    case 2:
        if (pick(10) == 0) /* the ends and just beyond */
            return pick(2) == 0 ? (int32_t)pick(3) - 1 : 9999 + (int32_t)pick(4);
        return pick(2) == 0 ? 0 : 10000;
    default:
        range = &pair->ranges[pick(pair->range_count)];
        return range->start_e4 +
               (int32_t)pick((uint32_t)((range->end_e4 - range->start_e4) / range->step_e4 + 1)) *
                   range->step_e4;
    }
}

static int64_t
pick_size(void)
{
    switch (pick(50)) {
    case 0:
        return INT64_MAX - (int64_t)pick(3);
    case 1:
        return (int64_t)(kdp_test_random(&random_state) >> (1 + pick(62)));
    default:
        return 1 + (int64_t)pick(100000);
    }
}

static void
set_grid(struct pair *pair)
{
    struct kdp_tick_range ranges[KDP_BOOK_RANGES_MAX];
    uint32_t count;

    if (pick(3) == 0) { /* random bands, some of them senseless */
        int32_t from = 0;

        count = 1 + pick(5);
        for (uint32_t i = 0; i < count; i++) {
            ranges[i].start_e4 = from;
            from = pick(10) == 0 ? (int32_t)pick(12000) - 1000 : from + 1 + (int32_t)pick(10000 / count);
            ranges[i].end_e4 = from;
            ranges[i].step_e4 =
                pick(4) == 0 ? (int32_t)pick(300) : (int32_t[]){1, 5, 10, 20, 50, 100}[pick(6)];
        }
    } else {
        const struct model_structure *structure = model_structure_at(pick(12));

        count = structure->count;
        memcpy(ranges, structure->ranges, sizeof structure->ranges);
    }
    CHECK_INT(kdp_book_set_grid(pair->book, ranges, count), model_set_grid(&pair->model, ranges, count));
    if (pair->model.range_count == count &&
        memcmp(pair->model.ranges, ranges, count * sizeof ranges[0]) == 0) {
        memcpy(pair->ranges, ranges, sizeof ranges);
        pair->range_count = count;
    }
}

static void
delta(struct pair *pair)
{
    uint8_t side = pick(500) == 0 ? (uint8_t)pick(256) : (uint8_t)(1 + pick(2));
    int32_t price = pick_price(pair);
    int64_t change = pick_size(), got = -1, want = -1;
    const struct model_side *levels = side == 1 || side == 2 ? &pair->model.sides[side - 1] : NULL;

    if (levels != NULL && levels->count > 0 &&
        pick(100) < pair->taking) { /* take from a level that is there, often the best */
        uint32_t best = side == KDP_SIDE_YES ? levels->count - 1 : 0;
        const struct kdp_book_level *level = &levels->levels[pick(2) == 0 ? best : pick(levels->count)];

        price = level->price_e4;
        change = pick(3) == 0 ? -1 - (int64_t)((uint64_t)change % (uint64_t)level->size_e2) : -level->size_e2;
        if (pick(2000) == 0)
            change = -level->size_e2 - 1;
    }
    if (pick(200) == 0)
        change = 0;
    CHECK_INT(kdp_book_apply(pair->book, side, price, change, &got),
              model_apply(&pair->model, side, price, change, &want));
    CHECK_INT(got, want);
}

static void
snapshot(struct pair *pair)
{
    uint32_t levels = pick(3) == 0 ? 0 : pick(4) == 0 ? pick(600) : pick(60);

    kdp_book_begin(pair->book);
    model_begin(&pair->model);
    for (uint32_t i = 0; i < levels; i++) {
        uint8_t side = (uint8_t)(1 + pick(2));
        int32_t price = pick_price(pair);
        int64_t size = 1 + (int64_t)pick(100000);

        if (pair->model.refused == KDP_BOOK_APPLIED && price >= 0 && price <= 10000 && pick(200) != 0 &&
            model_size(&pair->model, side, price) != 0)
            continue; /* a level given twice, most times, is not what we are after */
        if (pick(500) == 0)
            size = pick(2) == 0 ? 0 : -size;
        CHECK_INT(kdp_book_put(pair->book, side, price, size), model_put(&pair->model, side, price, size));
    }
    CHECK_INT(kdp_book_commit(pair->book), model_commit(&pair->model));
}

static void
settle(struct pair *pair)
{
    struct kdp_top got, want;

    clock_ns += pick(1000000);
    CHECK_INT(kdp_book_settle(pair->book, clock_ns, &got), model_settle(&pair->model, clock_ns, &want));
    CHECK_MEM(&got, &want, sizeof got);
}

static void
renew(struct kdp_book_pool *pool, struct pair *pair)
{
    if (pair->book != NULL) {
        kdp_book_free(pool, pair->book);
        model_close(&pair->model);
    }
    pair->book = kdp_book_new(pool);
    CHECK(pair->book != NULL);
    model_open(&pair->model);
    pair->ranges[0] = (struct kdp_tick_range){0, 10000, 100};
    pair->range_count = 1;
    pair->taking = 10 + pick(80);
}

KDP_TEST(a_random_life_equals_the_plain_model_after_every_step)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(BOOKS, (size_t)64 << 20);
    static struct pair pairs[BOOKS];
    uint32_t live = 0, deepest = 0;

    CHECK(pool != NULL);
    random_state = kdp_test_seed();
    for (int i = 0; i < BOOKS; i++)
        renew(pool, &pairs[i]);
    for (int step = 0; step < STEPS; step++) {
        struct pair *pair = &pairs[pick(BOOKS)];
        const char *words;
        uint32_t what = pick(1000);

        if (what < 2)
            renew(pool, pair);
        else if (what < 12)
            set_grid(pair);
        else if (what < 16)
            snapshot(pair);
        else if (what < 18) {
            enum kdp_book_state state = (enum kdp_book_state)(1 + pick(6));

            kdp_book_set_state(pair->book, state);
            model_set_state(&pair->model, state);
        } else
            delta(pair);
        if (pair->model.state != KDP_BOOK_STATE_LIVE && pick(10) == 0)
            snapshot(pair);
        if (pick(8) != 0)
            settle(pair);
        live += pair->model.state == KDP_BOOK_STATE_LIVE;
        if (pair->model.sides[0].count > deepest)
            deepest = pair->model.sides[0].count;
        words = model_difference(&pair->model, pair->book);
        if (words != NULL)
            kdp_test_fail(__FILE__, __LINE__, "step %d, book %d: %s differs from the model", step,
                          (int)(pair - pairs), words);
    }
    printf("%d steps, live in %u, up to %u levels a side, %zu bytes of pool\n", STEPS, live, deepest,
           kdp_book_pool_used(pool));
    CHECK(live > STEPS / 2);
    CHECK(deepest > 100);
    for (int i = 0; i < BOOKS; i++) {
        kdp_book_free(pool, pairs[i].book);
        model_close(&pairs[i].model);
    }
    kdp_book_pool_close(pool);
}
