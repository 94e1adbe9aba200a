/* test_book.c - what an order book promises, one promise a case. */
#include "kdp/book.h"

#include "kdp_test.h"
#include "support/book_model.h"

#define YES KDP_SIDE_YES
#define NO KDP_SIDE_NO
#define MS INT64_C(1000000)

static struct kdp_book_pool *pool;

/* new_book gives a live, empty book out of a fresh pool. */
static struct kdp_book *
new_book(void)
{
    struct kdp_book *book;

    if (pool == NULL)
        pool = kdp_book_pool_open(64, (size_t)8 << 20);
    CHECK(pool != NULL);
    book = kdp_book_new(pool);
    CHECK(book != NULL);
    kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
    return book;
}

static int64_t
apply(struct kdp_book *book, uint8_t side, int32_t price, int64_t delta)
{
    int64_t size = -1;

    CHECK_INT(kdp_book_apply(book, side, price, delta, &size), KDP_BOOK_APPLIED);
    return size;
}

static int64_t
size_at(const struct kdp_book *book, uint8_t side, int32_t price)
{
    struct kdp_book_level levels[64];
    uint32_t n = kdp_book_depth(book, side, levels, 64);

    for (uint32_t i = 0; i < n; i++)
        if (levels[i].price_e4 == price)
            return levels[i].size_e2;
    return 0;
}

static void
check_top(const struct kdp_book *book, int32_t bid, int64_t bid_size, int32_t ask, int64_t ask_size)
{
    struct kdp_top top;

    kdp_book_top(book, &top);
    CHECK_INT(top.bid_e4, bid);
    CHECK_INT(top.bid_size_e2, bid_size);
    CHECK_INT(top.ask_e4, ask);
    CHECK_INT(top.ask_size_e2, ask_size);
}

static void
set_structure(struct kdp_book *book, const char *name)
{
    for (unsigned i = 0; model_structure_at(i) != NULL; i++) {
        const struct model_structure *structure = model_structure_at(i);

        if (strcmp(structure->name, name) == 0) {
            CHECK_INT(kdp_book_set_grid(book, structure->ranges, structure->count), KDP_BOOK_APPLIED);
            return;
        }
    }
    kdp_test_fail(__FILE__, __LINE__, "no structure %s", name);
}

KDP_TEST(a_new_book_is_stale_and_empty)
{
    struct kdp_book *book;

    new_book();
    book = kdp_book_new(pool);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
    check_top(book, KDP_PRICE_NULL, 0, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_hash(book), 0);
    CHECK_INT(kdp_book_level_count(book, YES) + kdp_book_level_count(book, NO), 0);
    CHECK_INT(kdp_book_mid_e5(book), KDP_PRICE_NULL);
    CHECK_INT(kdp_book_spread_e4(book), KDP_PRICE_NULL);
}

KDP_TEST(best_bid_is_the_highest_yes_and_best_ask_the_lowest_no)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 4200, 8700);
    apply(book, YES, 4100, 100);
    apply(book, NO, 4500, 300);
    apply(book, NO, 4400, 3325);
    check_top(book, 4200, 8700, 4400, 3325);
    CHECK_INT(kdp_book_mid_e5(book), 43000);
    CHECK_INT(kdp_book_spread_e4(book), 200);
    CHECK_INT(kdp_book_size_total(book, YES), 8800);
    CHECK_INT(kdp_book_size_total(book, NO), 3625);
}

KDP_TEST(next_best_level_comes_forward_when_the_best_vanishes)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 100, 5);
    apply(book, YES, 9900, 7);
    apply(book, NO, 9950 - 50, 1);
    apply(book, NO, 10000, 2);
    CHECK_INT(apply(book, YES, 9900, -7), 0);
    CHECK_INT(apply(book, NO, 9900, -1), 0);
    check_top(book, 100, 5, 10000, 2);
    CHECK_INT(apply(book, YES, 100, -5), 0);
    check_top(book, KDP_PRICE_NULL, 0, 10000, 2);
}

KDP_TEST(prices_zero_and_one_dollar_are_levels_like_any_other)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 0, 11);
    apply(book, NO, 10000, 12);
    check_top(book, 0, 11, 10000, 12);
    apply(book, YES, 10000, 13);
    apply(book, NO, 0, 14);
    check_top(book, 10000, 13, 0, 14);
    CHECK_INT(kdp_book_mid_e5(book), 50000);
    CHECK_INT(kdp_book_spread_e4(book), -10000);
}

KDP_TEST(mid_between_neighbouring_ticks_is_exact)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 4211, 1);
    apply(book, NO, 4212, 1);
    CHECK_INT(kdp_book_mid_e5(book), 42115);
}

KDP_TEST(one_sided_books_have_a_best_price_and_no_mid)
{
    struct kdp_book *book = new_book();

    apply(book, NO, 600, 40);
    check_top(book, KDP_PRICE_NULL, 0, 600, 40);
    CHECK_INT(kdp_book_mid_e5(book), KDP_PRICE_NULL);
    CHECK_INT(kdp_book_spread_e4(book), KDP_PRICE_NULL);
    CHECK_INT(kdp_book_level_count(book, YES), 0);
}

/* Trap: sizes rounded to whole contracts leave ghost levels behind. */
KDP_TEST(fractional_sizes_add_up_to_exactly_nothing)
{
    struct kdp_book *book = new_book();

    for (int i = 0; i < 100; i++)
        apply(book, YES, 5000, 33); /* 0.33 contract */
    CHECK_INT(apply(book, YES, 5000, -3299), 1);
    check_top(book, 5000, 1, KDP_PRICE_NULL, 0);
    CHECK_INT(apply(book, YES, 5000, -1), 0);
    check_top(book, KDP_PRICE_NULL, 0, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_level_count(book, YES), 0);
    CHECK_INT(kdp_book_hash(book), 0);
}

/* Trap: sub-cent prices rounded to cents merge levels and cross the book. */
KDP_TEST(sub_cent_prices_stay_apart)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 9640, 41250);
    apply(book, NO, 9680, 8800);
    apply(book, YES, 9641, 100);
    apply(book, NO, 9679, 200);
    check_top(book, 9641, 100, 9679, 200);
    CHECK_INT(size_at(book, YES, 9640), 41250);
    CHECK_INT(kdp_book_level_count(book, YES), 2);
    CHECK_INT(kdp_book_spread_e4(book), 38);
}

/* Trap: an absent side in a snapshot means that the side is empty, not that it stays as it was. */
KDP_TEST(snapshot_without_a_side_empties_it)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 4000, 100);
    apply(book, NO, 6000, 100);
    kdp_book_begin(book);
    CHECK_INT(kdp_book_put(book, YES, 4100, 55), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    check_top(book, 4100, 55, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_level_count(book, YES), 1);
    kdp_book_begin(book);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    check_top(book, KDP_PRICE_NULL, 0, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_hash(book), 0);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_LIVE);
}

KDP_TEST(delta_before_a_snapshot_is_ignored)
{
    static const enum kdp_book_state states[] = {KDP_BOOK_STATE_STALE, KDP_BOOK_STATE_RECOVERING,
                                                 KDP_BOOK_STATE_CLOSED, KDP_BOOK_STATE_SAMPLED,
                                                 KDP_BOOK_STATE_EXCHANGE_PAUSED};
    struct kdp_book *book = new_book();
    int64_t size = 77;

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        kdp_book_set_state(book, states[i]);
        CHECK_INT(kdp_book_apply(book, YES, 4000, 100, &size), KDP_BOOK_NOT_LIVE);
        CHECK_INT(kdp_book_state(book), states[i]);
    }
    kdp_book_begin(book);
    CHECK_INT(kdp_book_apply(book, YES, 4000, 100, &size), KDP_BOOK_NOT_LIVE);
    CHECK_INT(size, 77);
    CHECK_INT(kdp_book_level_count(book, YES), 0);
}

KDP_TEST(level_below_zero_is_refused_and_the_book_goes_stale)
{
    struct kdp_book *book = new_book();
    int64_t size = 77;
    uint64_t hash;

    apply(book, NO, 4400, 3325);
    hash = kdp_book_hash(book);
    CHECK_INT(kdp_book_apply(book, NO, 4400, -3326, &size), KDP_BOOK_NEGATIVE);
    CHECK_INT(size, 77);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
    check_top(book, KDP_PRICE_NULL, 0, 4400, 3325);
    CHECK(kdp_book_hash(book) == hash);
    CHECK_INT(kdp_book_apply(book, NO, 4400, 1, &size), KDP_BOOK_NOT_LIVE);
    kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
    CHECK_INT(kdp_book_apply(book, YES, 4400, INT64_MIN, &size), KDP_BOOK_NEGATIVE);
    CHECK_INT(kdp_book_level_count(book, YES), 0);
}

KDP_TEST(size_beyond_int64_is_refused)
{
    struct kdp_book *book = new_book();
    int64_t size;

    apply(book, YES, 4000, INT64_MAX - 5);
    apply(book, NO, 6000, INT64_MAX);
    CHECK_INT(kdp_book_apply(book, YES, 4000, 6, &size), KDP_BOOK_BAD_LEVEL);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
    check_top(book, 4000, INT64_MAX - 5, 6000, INT64_MAX);
    kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
    /* each level fits, their sum does not */
    CHECK_INT(kdp_book_apply(book, YES, 4100, 6, &size), KDP_BOOK_BAD_LEVEL);
    CHECK_INT(kdp_book_size_total(book, YES), INT64_MAX - 5);
    CHECK_INT(kdp_book_level_count(book, YES), 1);
    kdp_book_begin(book);
    CHECK_INT(kdp_book_put(book, YES, 100, INT64_MAX), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_put(book, YES, 200, 1), KDP_BOOK_BAD_LEVEL);
}

KDP_TEST(price_or_side_out_of_range_is_refused)
{
    static const struct {
        uint8_t side;
        int32_t price;
    } bad[] = {{YES, -1}, {YES, 10001}, {NO, INT32_MIN}, {NO, INT32_MAX}, {KDP_SIDE_NONE, 5000},
               {3, 5000}, {255, 0}};
    struct kdp_book *book = new_book();
    int64_t size = 77;

    apply(book, YES, 5000, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
        CHECK_INT(kdp_book_apply(book, bad[i].side, bad[i].price, 1, &size), KDP_BOOK_BAD_LEVEL);
        CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
        check_top(book, 5000, 1, KDP_PRICE_NULL, 0);
        kdp_book_prefetch(book, bad[i].side, bad[i].price);
    }
    CHECK_INT(size, 77);
}

KDP_TEST(bad_level_in_a_snapshot_leaves_an_empty_stale_book)
{
    struct kdp_book *book = new_book();

    for (int kind = 0; kind < 4; kind++) {
        kdp_book_begin(book);
        CHECK_INT(kdp_book_put(book, YES, 4000, 10), KDP_BOOK_APPLIED);
        if (kind == 0) /* given twice */
            CHECK_INT(kdp_book_put(book, YES, 4000, 10), KDP_BOOK_BAD_LEVEL);
        if (kind == 1) /* given twice, once as nothing */
            CHECK_INT(kdp_book_put(book, YES, 4000, 0), KDP_BOOK_BAD_LEVEL);
        if (kind == 2)
            CHECK_INT(kdp_book_put(book, NO, 5000, -1), KDP_BOOK_BAD_LEVEL);
        if (kind == 3)
            CHECK_INT(kdp_book_put(book, NO, 10001, 1), KDP_BOOK_BAD_LEVEL);
        CHECK_INT(kdp_book_put(book, NO, 5000, 1), KDP_BOOK_BAD_LEVEL);
        CHECK_INT(kdp_book_commit(book), KDP_BOOK_BAD_LEVEL);
        CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
        check_top(book, KDP_PRICE_NULL, 0, KDP_PRICE_NULL, 0);
        CHECK_INT(kdp_book_hash(book), 0);
    }
    kdp_book_begin(book); /* and the next snapshot heals it */
    CHECK_INT(kdp_book_put(book, NO, 5000, 1), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_LIVE);
    check_top(book, KDP_PRICE_NULL, 0, 5000, 1);
}

KDP_TEST(snapshot_level_of_size_zero_is_no_level)
{
    struct kdp_book *book = new_book();

    kdp_book_begin(book);
    CHECK_INT(kdp_book_put(book, YES, 4000, 0), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_put(book, YES, 3900, 10), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    check_top(book, 3900, 10, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_level_count(book, YES), 1);
}

KDP_TEST(delta_of_nothing_changes_nothing)
{
    struct kdp_book *book = new_book();

    CHECK_INT(apply(book, YES, 4000, 0), 0);
    CHECK_INT(kdp_book_level_count(book, YES), 0);
    check_top(book, KDP_PRICE_NULL, 0, KDP_PRICE_NULL, 0);
    apply(book, YES, 4000, 5);
    CHECK_INT(apply(book, YES, 4000, 0), 5);
    CHECK_INT(apply(book, YES, 4100, 0), 0);
    check_top(book, 4000, 5, KDP_PRICE_NULL, 0);
}

KDP_TEST(every_price_of_every_tick_structure_is_on_its_grid)
{
    for (unsigned i = 0; model_structure_at(i) != NULL; i++) {
        const struct model_structure *structure = model_structure_at(i);
        struct kdp_book *book = new_book();
        uint32_t applied = 0, off = 0;
        int64_t size;

        CHECK_INT(kdp_book_set_grid(book, structure->ranges, structure->count), KDP_BOOK_APPLIED);
        for (uint32_t r = 0; r < structure->count; r++)
            for (int32_t p = structure->ranges[r].start_e4; p <= structure->ranges[r].end_e4;
                 p += structure->ranges[r].step_e4)
                for (uint8_t side = YES; side <= NO; side++)
                    CHECK_INT(kdp_book_apply(book, side, p, p + side, &size), KDP_BOOK_APPLIED);
        CHECK_INT(kdp_book_level_count(book, YES), structure->prices);
        CHECK_INT(kdp_book_level_count(book, NO), structure->prices);
        /* and no other price is */
        for (int32_t p = 0; p <= 10000; p++) {
            enum kdp_book_verdict verdict = kdp_book_apply(book, YES, p, 1, &size);

            applied += verdict == KDP_BOOK_APPLIED;
            off += verdict == KDP_BOOK_OFF_GRID;
        }
        CHECK_INT(applied, structure->prices);
        CHECK_INT(off, 10001 - structure->prices);
        CHECK_INT(kdp_book_level_count(book, YES), 10001);
        check_top(book, 10000, 10002, 0, 2);
    }
}

KDP_TEST(price_off_the_known_grid_is_applied_and_told)
{
    struct kdp_book *book = new_book();
    int64_t size = 0;

    set_structure(book, "linear_cent");
    apply(book, YES, 4200, 10);
    CHECK_INT(kdp_book_apply(book, YES, 4250, 20, &size), KDP_BOOK_OFF_GRID);
    CHECK_INT(size, 20);
    check_top(book, 4250, 20, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_apply(book, YES, 4251, 30, &size), KDP_BOOK_OFF_GRID);
    CHECK_INT(kdp_book_apply(book, YES, 4200, 1, &size), KDP_BOOK_APPLIED);
    CHECK_INT(size, 11);
    CHECK_INT(kdp_book_level_count(book, YES), 3);
    kdp_book_begin(book);
    CHECK_INT(kdp_book_put(book, NO, 4255, 5), KDP_BOOK_OFF_GRID);
    CHECK_INT(kdp_book_put(book, NO, 4300, 5), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    check_top(book, KDP_PRICE_NULL, 0, 4255, 5);
}

KDP_TEST(whole_cents_between_coarser_bands_are_off_the_grid_too)
{
    static const struct kdp_tick_range coarse[] = {{1000, 9000, 500}};
    struct kdp_book *book = new_book();
    int64_t size;

    CHECK_INT(kdp_book_set_grid(book, coarse, 1), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_apply(book, YES, 1500, 1, &size), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_apply(book, YES, 1600, 2, &size), KDP_BOOK_OFF_GRID);
    CHECK_INT(kdp_book_apply(book, YES, 500, 3, &size), KDP_BOOK_OFF_GRID);
    check_top(book, 1600, 2, KDP_PRICE_NULL, 0);
}

KDP_TEST(without_a_definition_no_price_is_off_the_grid)
{
    struct kdp_book *book = new_book();

    apply(book, YES, 4200, 10);
    apply(book, YES, 421, 20);
    apply(book, YES, 1, 30);
    apply(book, NO, 9999, 40);
    apply(book, NO, 5137, 50);
    check_top(book, 4200, 10, 5137, 50);
    CHECK_INT(size_at(book, YES, 421), 20);
    CHECK_INT(size_at(book, YES, 1), 30);
    CHECK_INT(size_at(book, NO, 9999), 40);
}

KDP_TEST(tick_change_keeps_every_level)
{
    struct kdp_book *book = new_book();
    uint64_t hash;

    apply(book, YES, 4200, 10);
    apply(book, YES, 100, 11);
    apply(book, NO, 4400, 12);
    apply(book, NO, 9900, 13);
    hash = kdp_book_hash(book);
    for (unsigned i = 0; model_structure_at(i) != NULL; i++) {
        set_structure(book, model_structure_at(i)->name);
        CHECK(kdp_book_hash(book) == hash);
        check_top(book, 4200, 10, 4400, 12);
        CHECK_INT(size_at(book, YES, 100), 11);
        CHECK_INT(size_at(book, NO, 9900), 13);
        CHECK_INT(kdp_book_size_total(book, NO), 25);
    }
    /* from fine to coarse with levels that only the fine grid has */
    apply(book, YES, 33, 14);
    hash = kdp_book_hash(book);
    set_structure(book, "linear_cent");
    CHECK(kdp_book_hash(book) == hash);
    CHECK_INT(size_at(book, YES, 33), 14);
    CHECK_INT(apply(book, YES, 4200, 1), 11);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_LIVE);
}

KDP_TEST(senseless_bands_leave_the_grid_as_it_was)
{
    static const struct kdp_tick_range bad[][2] = {
        {{0, 5000, 100}, {4900, 10000, 100}}, {{0, 10001, 100}, {0, 0, 0}}, {{-100, 100, 10}, {0, 0, 0}},
        {{0, 10000, 0}, {0, 0, 0}},           {{0, 10000, -1}, {0, 0, 0}},  {{5000, 5000, 10}, {0, 0, 0}},
        {{5000, 4000, 10}, {0, 0, 0}},
    };
    struct kdp_tick_range many[KDP_BOOK_RANGES_MAX + 1];
    struct kdp_book *book = new_book();
    int64_t size;

    for (int i = 0; i <= (int)KDP_BOOK_RANGES_MAX; i++)
        many[i] = (struct kdp_tick_range){i * 100, i * 100 + 100, 10};
    set_structure(book, "linear_cent");
    apply(book, YES, 4200, 10);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_INT(kdp_book_set_grid(book, bad[i], i == 0 ? 2 : 1), KDP_BOOK_BAD_LEVEL);
    CHECK_INT(kdp_book_set_grid(book, bad[0], 0), KDP_BOOK_BAD_LEVEL);
    CHECK_INT(kdp_book_set_grid(book, many, KDP_BOOK_RANGES_MAX + 1), KDP_BOOK_BAD_LEVEL);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_LIVE);
    check_top(book, 4200, 10, KDP_PRICE_NULL, 0);
    CHECK_INT(kdp_book_apply(book, YES, 4210, 1, &size), KDP_BOOK_OFF_GRID);
    CHECK_INT(kdp_book_set_grid(book, many, KDP_BOOK_RANGES_MAX), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_apply(book, YES, 1610, 1, &size), KDP_BOOK_OFF_GRID);
    CHECK_INT(kdp_book_apply(book, YES, 1590, 1, &size), KDP_BOOK_APPLIED);
}

KDP_TEST(depth_is_best_first_on_both_sides)
{
    struct kdp_book *book = new_book();
    struct kdp_book_level levels[4];

    for (int32_t p = 100; p <= 900; p += 100) {
        apply(book, YES, p, p);
        apply(book, NO, 10000 - p, p);
    }
    CHECK_INT(kdp_book_depth(book, YES, levels, 4), 4);
    CHECK_INT(levels[0].price_e4, 900);
    CHECK_INT(levels[3].price_e4, 600);
    CHECK_INT(levels[3].size_e2, 600);
    CHECK_INT(kdp_book_depth(book, NO, levels, 4), 4);
    CHECK_INT(levels[0].price_e4, 9100);
    CHECK_INT(levels[3].price_e4, 9400);
    CHECK_INT(kdp_book_depth(book, NO, levels, 0), 0);
}

KDP_TEST(hash_depends_on_the_levels_alone)
{
    static const int32_t prices[] = {100, 4200, 4100, 9900, 4250, 33, 0, 10000};
    struct kdp_book *a = new_book(), *b = new_book(), *c = new_book();

    for (int i = 0; i < 8; i++) {
        apply(a, YES, prices[i], 100 + i);
        apply(a, NO, prices[i], 200 + i);
    }
    /* in another order, through detours, on another grid */
    set_structure(b, "center_centi_edge_centi_cent");
    for (int i = 7; i >= 0; i--) {
        apply(b, NO, prices[i], 1000);
        apply(b, YES, prices[i], 100 + i);
        apply(b, NO, prices[i], 200 + i - 1000);
        apply(b, YES, 5000, 3);
    }
    apply(b, YES, 5000, -24);
    CHECK(kdp_book_hash(a) == kdp_book_hash(b));
    kdp_book_begin(c);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(kdp_book_put(c, YES, prices[7 - i], 107 - i), KDP_BOOK_APPLIED);
        CHECK_INT(kdp_book_put(c, NO, prices[i], 200 + i), KDP_BOOK_APPLIED);
    }
    CHECK_INT(kdp_book_commit(c), KDP_BOOK_APPLIED);
    CHECK(kdp_book_hash(a) == kdp_book_hash(c));
    /* and tells side, price and size apart */
    CHECK(kdp_level_hash(YES, 4200, 1) != kdp_level_hash(NO, 4200, 1));
    CHECK(kdp_level_hash(YES, 4200, 1) != kdp_level_hash(YES, 4201, 1));
    CHECK(kdp_level_hash(YES, 4200, 1) != kdp_level_hash(YES, 4200, 2));
    for (int i = 0; i < 8; i++) {
        apply(a, YES, prices[i], -100 - i);
        apply(a, NO, prices[i], -200 - i);
    }
    CHECK_INT(kdp_book_hash(a), 0);
}

KDP_TEST(level_hash_has_its_published_values)
{
    /* computed apart from this code by the formula in kdp/book.h; stored hashes would change their meaning
     * with it */
    CHECK(kdp_level_hash(YES, 0, 1) == UINT64_C(0x03021344499ff884));
    CHECK(kdp_level_hash(NO, 10000, 150000) == UINT64_C(0xffe5d8745f7a08ed));
}

KDP_TEST(bbo_change_is_any_of_the_four_numbers)
{
    struct kdp_book *book = new_book();
    struct kdp_top top;

    CHECK(!kdp_book_settle(book, 1, &top)); /* two empty sides, as a new book has */
    apply(book, YES, 4200, 10);
    CHECK(kdp_book_settle(book, 2, &top)); /* the first that is not empty counts */
    CHECK_INT(top.bid_e4, 4200);
    CHECK_INT(top.ask_e4, KDP_PRICE_NULL);
    CHECK(!kdp_book_settle(book, 3, &top));
    apply(book, YES, 4100, 10);
    CHECK(!kdp_book_settle(book, 4, &top)); /* below the best */
    apply(book, YES, 4200, 1);
    CHECK(kdp_book_settle(book, 5, &top)); /* bid size */
    CHECK_INT(top.bid_size_e2, 11);
    apply(book, NO, 4400, 5);
    CHECK(kdp_book_settle(book, 6, &top)); /* ask price */
    apply(book, NO, 4400, 1);
    CHECK(kdp_book_settle(book, 7, &top)); /* ask size */
    apply(book, YES, 4200, -11);
    CHECK(kdp_book_settle(book, 8, &top)); /* bid price */
    CHECK_INT(top.bid_e4, 4100);
    apply(book, YES, 4100, 7);
    apply(book, YES, 4100, -7);
    CHECK(!kdp_book_settle(book, 9, &top)); /* only what stands after the message counts */
    kdp_book_begin(book);
    CHECK_INT(kdp_book_put(book, YES, 4100, 10), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_put(book, NO, 4400, 6), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_put(book, NO, 4500, 6), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    CHECK(!kdp_book_settle(book, 10, &top)); /* a snapshot with the same best prices */
    kdp_book_begin(book);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    CHECK(kdp_book_settle(book, 11, &top)); /* back to nothing is a change too */
}

KDP_TEST(locked_and_crossed_time_is_followed)
{
    struct kdp_book *book = new_book();
    struct kdp_top top;
    int64_t since, locked, crossed;

    apply(book, YES, 5000, 10);
    apply(book, NO, 5100, 10);
    kdp_book_settle(book, 100 * MS, &top);
    CHECK_INT(kdp_book_market_state(book, &since, &locked, &crossed), KDP_MARKET_NORMAL);
    CHECK_INT(since, KDP_TIME_NULL);
    apply(book, YES, 5100, 10);
    kdp_book_settle(book, 200 * MS, &top); /* locked from here */
    CHECK_INT(kdp_book_market_state(book, &since, &locked, &crossed), KDP_MARKET_LOCKED);
    CHECK_INT(since, 200 * MS);
    CHECK_INT(locked, 0);
    kdp_book_settle(book, 230 * MS, &top);
    kdp_book_market_state(book, &since, &locked, &crossed);
    CHECK_INT(since, 200 * MS);
    CHECK_INT(locked, 30 * MS);
    apply(book, YES, 5200, 10);
    kdp_book_settle(book, 250 * MS, &top); /* crossed from here */
    CHECK_INT(kdp_book_market_state(book, &since, &locked, &crossed), KDP_MARKET_CROSSED);
    CHECK_INT(since, 250 * MS);
    CHECK_INT(locked, 50 * MS);
    CHECK_INT(kdp_book_spread_e4(book), -100);
    apply(book, NO, 5100, -10);
    kdp_book_settle(book, 257 * MS, &top); /* one side is empty: neither */
    CHECK_INT(kdp_book_market_state(book, &since, &locked, &crossed), KDP_MARKET_NORMAL);
    CHECK_INT(since, KDP_TIME_NULL);
    CHECK_INT(locked, 50 * MS);
    CHECK_INT(crossed, 7 * MS);
    kdp_book_settle(book, 900 * MS, &top);
    kdp_book_market_state(book, &since, &locked, &crossed);
    CHECK_INT(locked + crossed, 57 * MS);
}

KDP_TEST(time_in_which_a_book_is_not_live_counts_as_neither)
{
    struct kdp_book *book = new_book();
    struct kdp_top top;
    int64_t since, locked, crossed;

    apply(book, YES, 5200, 10);
    apply(book, NO, 5100, 10);
    kdp_book_settle(book, 100 * MS, &top);
    kdp_book_settle(book, 110 * MS, &top);
    kdp_book_set_state(book, KDP_BOOK_STATE_STALE);
    CHECK_INT(kdp_book_market_state(book, &since, &locked, &crossed), KDP_MARKET_NORMAL);
    CHECK_INT(crossed, 10 * MS);
    kdp_book_settle(book, 500 * MS, &top);
    CHECK_INT(kdp_book_market_state(book, &since, &locked, &crossed), KDP_MARKET_NORMAL);
    kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
    kdp_book_settle(book, 600 * MS, &top); /* crossed anew */
    kdp_book_settle(book, 605 * MS, &top);
    kdp_book_market_state(book, &since, &locked, &crossed);
    CHECK_INT(since, 600 * MS);
    CHECK_INT(crossed, 15 * MS);
    kdp_book_settle(book, 600 * MS, &top); /* a clock that stepped back takes nothing away */
    kdp_book_market_state(book, &since, &locked, &crossed);
    CHECK_INT(crossed, 15 * MS);
}
