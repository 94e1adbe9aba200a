/* test_book_memory.c - what a pool of books costs, what happens when it is used up, and that its memory is
 * used again. */
#include "kdp/book.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kdp_test.h"
#include "support/book_model.h"

#define YES KDP_SIDE_YES
#define NO KDP_SIDE_NO
#define MARKETS 100000u
#define MARKET_BYTES_MAX 2048u

/* resident_bytes is this process's memory in RAM. */
static size_t
resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all, resident;

    CHECK(file != NULL);
    CHECK_INT(fscanf(file, "%lu %lu", &all, &resident), 2);
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void
fill(struct kdp_book *book, uint32_t seed)
{
    kdp_book_begin(book);
    for (int32_t i = 0; i < 31; i++) { /* an average book of the exchange */
        int32_t price = (int32_t)(seed % 40u) * 100 + 100 + i / 2 * 100;

        CHECK_INT(kdp_book_put(book, i % 2 == 0 ? YES : NO, i % 2 == 0 ? price : 10000 - price, i + 1),
                  KDP_BOOK_APPLIED);
    }
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
}

KDP_TEST(whole_cent_market_takes_less_than_2_kib)
{
    size_t before = resident_bytes(), used, resident;
    struct kdp_book_pool *pool = kdp_book_pool_open(262144, (size_t)4 << 30);

    CHECK(pool != NULL);
    for (uint32_t i = 0; i < MARKETS; i++) {
        struct kdp_book *book = kdp_book_new(pool);

        CHECK(book != NULL);
        CHECK_INT(kdp_book_set_grid(book, model_structure_at(0)->ranges, 1), KDP_BOOK_APPLIED);
        fill(book, i);
    }
    used = kdp_book_pool_used(pool) / MARKETS;
    resident = (resident_bytes() - before) / MARKETS;
    printf("bytes per whole-cent market, of %u: %zu in the pool, %zu resident\n", MARKETS, used, resident);
    CHECK(used <= MARKET_BYTES_MAX);
#ifndef KDP_SANITIZED /* shadow memory counts as resident */
    CHECK(resident <= MARKET_BYTES_MAX);
#endif
    kdp_book_pool_close(pool);
}

/* put_all puts a level at the first count prices of a structure that lie on YES, and returns how many. */
static uint32_t
put_all(struct kdp_book *book, const struct model_structure *structure, uint32_t count)
{
    uint32_t n = 0;

    kdp_book_begin(book);
    for (uint32_t i = 0; i < structure->count; i++)
        for (int32_t price = structure->ranges[i].start_e4; price < structure->ranges[i].end_e4 && n < count;
             price += structure->ranges[i].step_e4, n++)
            CHECK_INT(kdp_book_put(book, YES, price, (int64_t)n + 1), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_level_count(book, YES), n);
    return n;
}

KDP_TEST(finer_market_takes_its_grid_only_when_its_levels_are_many)
{
    for (unsigned i = 0; model_structure_at(i) != NULL; i++) {
        const struct model_structure *structure = model_structure_at(i);
        struct kdp_book_pool *pool = kdp_book_pool_open(101, (size_t)64 << 20);
        size_t before, few, many;
        struct kdp_book *books[100];

        CHECK(pool != NULL);
        CHECK_INT(kdp_book_set_grid(kdp_book_new(pool), structure->ranges, structure->count),
                  KDP_BOOK_APPLIED);
        before = kdp_book_pool_used(pool);
        for (int n = 0; n < 100; n++) {
            CHECK((books[n] = kdp_book_new(pool)) != NULL);
            CHECK_INT(kdp_book_set_grid(books[n], structure->ranges, structure->count), KDP_BOOK_APPLIED);
            put_all(books[n], structure, 80);
        }
        few = (kdp_book_pool_used(pool) - before) / 100;
        for (int n = 0; n < 100; n++)
            put_all(books[n], structure, UINT32_MAX);
        many = (kdp_book_pool_used(pool) - before) / 100;
        printf("%-30s %5u prices %7zu bytes, %zu with more than 80 levels\n", structure->name,
               structure->prices, few, many);
        CHECK(few <= MARKET_BYTES_MAX);
        /* two arrays of 8 bytes a price, a bit a price, the book's own 1,792, and at most a quarter of slack
         */
        CHECK(many <= 1792 + (structure->prices == 101 ? 0 : 1024 + structure->prices * 21u));
        CHECK(many > few || structure->prices <= 101);
        kdp_book_pool_close(pool);
    }
}

KDP_TEST(pool_used_up_gives_no_book_and_a_freed_one_again)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(3, 0);
    struct kdp_book *books[3], *again;
    struct kdp_top top;
    int64_t since, locked, crossed;
    size_t empty = kdp_book_pool_used(pool);

    for (int i = 0; i < 3; i++)
        CHECK((books[i] = kdp_book_new(pool)) != NULL);
    CHECK(kdp_book_new(pool) == NULL);
    fill(books[1], 7);
    kdp_book_settle(books[1], 1, &top);
    kdp_book_free(pool, books[1]);
    again = kdp_book_new(pool);
    CHECK(again == books[1]);
    /* nothing of the market before is left */
    CHECK_INT(kdp_book_state(again), KDP_BOOK_STATE_STALE);
    CHECK_INT(kdp_book_level_count(again, YES) + kdp_book_level_count(again, NO), 0);
    CHECK_INT(kdp_book_hash(again), 0);
    CHECK(!kdp_book_settle(again, 2, &top));
    CHECK_INT(kdp_book_market_state(again, &since, &locked, &crossed), KDP_MARKET_NORMAL);
    CHECK_INT(locked + crossed, 0);
    CHECK(kdp_book_new(pool) == NULL);
    for (int i = 0; i < 3; i++)
        kdp_book_free(pool, books[i]);
    CHECK_INT(kdp_book_pool_used(pool), empty);
    kdp_book_pool_close(pool);
}

KDP_TEST(no_room_for_many_levels_makes_the_book_stale_not_wrong)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(2, 0);
    struct kdp_book *book = kdp_book_new(pool);
    int64_t size = 77;
    uint64_t hash;

    fill(book, 0);
    for (int32_t i = 0; i < 80; i++) /* 16 of them stand already; what finds no place is the 81st level */
        CHECK_INT(kdp_book_apply(book, YES, i < 64 ? 4250 + i : 100 * (i - 63), 1, &size), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_level_count(book, YES), 80);
    hash = kdp_book_hash(book);
    size = 77;
    CHECK_INT(kdp_book_apply(book, YES, 4240, 1, &size), KDP_BOOK_NO_MEMORY);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
    CHECK(kdp_book_hash(book) == hash);
    CHECK_INT(kdp_book_level_count(book, YES), 80);
    CHECK_INT(size, 77);
    kdp_book_begin(book);
    for (int32_t i = 0; i < 80; i++)
        CHECK_INT(kdp_book_put(book, YES, 4200 + i, 1), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_put(book, YES, 4300, 1), KDP_BOOK_NO_MEMORY);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_NO_MEMORY);
    CHECK_INT(kdp_book_level_count(book, YES), 0);
    CHECK_INT(kdp_book_state(book), KDP_BOOK_STATE_STALE);
    /* 81 whole cents have their places without a block, but not on a finer grid: it is known all the same */
    CHECK_INT(kdp_book_set_grid(book, model_structure_at(0)->ranges, 1), KDP_BOOK_APPLIED);
    kdp_book_begin(book);
    for (int32_t i = 1; i <= 81; i++)
        CHECK_INT(kdp_book_put(book, YES, i * 100, i), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_commit(book), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_set_grid(book, model_structure_at(2)->ranges, 3), KDP_BOOK_APPLIED);
    CHECK_INT(kdp_book_level_count(book, YES), 81);
    CHECK_INT(kdp_book_apply(book, YES, 4200, 1, &size), KDP_BOOK_APPLIED);
    CHECK_INT(size, 43);
    CHECK_INT(kdp_book_apply(book, YES, 9910, 1, &size), KDP_BOOK_NO_MEMORY);
    kdp_book_pool_close(pool);
}

KDP_TEST(few_levels_become_many_and_few_grids_finer_without_loss)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(2, (size_t)1 << 20);
    struct kdp_book *book = kdp_book_new(pool);
    struct kdp_book_level levels[200];
    struct kdp_top top;
    int64_t size;

    kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
    /* from the middle outwards, so that levels are inserted at both ends and the 81st moves all of them */
    for (int32_t i = 0; i < 100; i++) {
        int32_t price = 5000 + (i % 2 == 0 ? i : -i) * 10;

        CHECK_INT(kdp_book_apply(book, NO, price, 100 + i, &size), KDP_BOOK_APPLIED);
        CHECK_INT(kdp_book_apply(book, NO, price, i, &size), KDP_BOOK_APPLIED);
        CHECK_INT(size, 100 + 2 * i);
        CHECK_INT(kdp_book_level_count(book, NO), i + 1);
        kdp_book_top(book, &top);
        CHECK_INT(top.ask_e4, i % 2 == 0 && i > 0 ? 5000 - (i - 1) * 10 : 5000 - i * 10);
    }
    CHECK_INT(kdp_book_depth(book, NO, levels, 200), 100);
    for (int32_t i = 1; i < 100; i++)
        CHECK(levels[i].price_e4 > levels[i - 1].price_e4);
    for (int32_t i = 0; i < 100; i++) {
        int32_t price = 5000 + (i % 2 == 0 ? i : -i) * 10;

        CHECK_INT(kdp_book_apply(book, NO, price, -(100 + 2 * i) - 1, &size), KDP_BOOK_NEGATIVE);
        kdp_book_set_state(book, KDP_BOOK_STATE_LIVE);
        CHECK_INT(kdp_book_apply(book, NO, price, -(100 + 2 * i), &size), KDP_BOOK_APPLIED);
    }
    CHECK_INT(kdp_book_level_count(book, NO), 0);
    CHECK_INT(kdp_book_hash(book), 0);
    CHECK_INT(kdp_book_size_total(book, NO), 0);
    kdp_book_pool_close(pool);
}

KDP_TEST(blocks_of_freed_books_are_used_again)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(16, (size_t)1 << 20);
    size_t empty = kdp_book_pool_used(pool), filled = 0;
    int64_t size;

    for (int round = 0; round < 1000;
         round++) { /* 16 books of at least 4.5 KiB each, 70 times what the pool has */
        struct kdp_book *books[16];

        for (int i = 0; i < 16; i++) {
            CHECK((books[i] = kdp_book_new(pool)) != NULL);
            kdp_book_set_state(books[i], KDP_BOOK_STATE_LIVE);
            for (int32_t n = 0; n <= 80; n++)
                CHECK_INT(kdp_book_apply(books[i], YES, 4200 + n * 10, 5, &size), KDP_BOOK_APPLIED);
            CHECK_INT(kdp_book_apply(books[i], NO, 15 + round % 5, 6, &size), KDP_BOOK_APPLIED);
            CHECK_INT(kdp_book_level_count(books[i], YES), 81);
            CHECK_INT(kdp_book_level_count(books[i], NO), 1);
        }
        if (round == 0)
            filled = kdp_book_pool_used(pool);
        for (int i = 0; i < 16; i++)
            kdp_book_free(pool, books[i]);
    }
    CHECK(filled > empty + 16 * 4608);
    kdp_book_pool_close(pool);
}

KDP_TEST(more_kinds_of_grid_than_the_pool_keeps_lose_no_price)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(512, (size_t)256 << 20);
    struct kdp_book *books[300];
    uint32_t refused = 0;
    int64_t size;

    for (int i = 0; i < 300; i++) {
        struct kdp_tick_range range = {0, 100 * (i % 100) + 100, 1 + i / 100 * 10};

        CHECK((books[i] = kdp_book_new(pool)) != NULL);
        kdp_book_set_state(books[i], KDP_BOOK_STATE_LIVE);
        refused += kdp_book_set_grid(books[i], &range, 1) == KDP_BOOK_NO_MEMORY;
        CHECK(kdp_book_apply(books[i], YES, 9999, 5, &size) <= KDP_BOOK_OFF_GRID);
        CHECK(kdp_book_apply(books[i], NO, 4237, 6, &size) <= KDP_BOOK_OFF_GRID);
        CHECK(kdp_book_apply(books[i], NO, 4237, -6, &size) <= KDP_BOOK_OFF_GRID);
        CHECK_INT(kdp_book_level_count(books[i], YES), 1);
        CHECK_INT(kdp_book_level_count(books[i], NO), 0);
    }
    CHECK(refused > 0);
    /* once those books are gone, so are their grids */
    for (int i = 0; i < 300; i++)
        kdp_book_free(pool, books[i]);
    for (int i = 0; i < 100; i++) {
        struct kdp_tick_range range = {i, 5000 + i, 50};
        struct kdp_book *book = kdp_book_new(pool);

        CHECK_INT(kdp_book_set_grid(book, &range, 1), KDP_BOOK_APPLIED);
    }
    kdp_book_pool_close(pool);
}

KDP_TEST(pool_larger_than_the_address_space_is_refused)
{
    CHECK(kdp_book_pool_open(1, SIZE_MAX - 4096) == NULL);
    CHECK(kdp_book_pool_open(1, (size_t)1 << 60) == NULL);
}

#ifdef __SANITIZE_ADDRESS__
/* dies_of runs what in a child and tells whether the sanitizer ended it. */
static bool
dies_of(void (*what)(struct kdp_book_pool *pool, struct kdp_book *book))
{
    struct kdp_book_pool *pool = kdp_book_pool_open(4, (size_t)1 << 20);
    struct kdp_book *book = kdp_book_new(pool);
    pid_t child;
    int status;

    CHECK_INT(kdp_book_set_grid(book, model_structure_at(2)->ranges, 3), KDP_BOOK_APPLIED);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDERR_FILENO); /* its report is what we expect: no noise in the log */
        what(pool, book);
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    kdp_book_pool_close(pool);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void
nothing_wrong(struct kdp_book_pool *pool, struct kdp_book *book)
{
    fill(book, 1);
    kdp_book_free(pool, book);
    kdp_book_free(pool, kdp_book_new(pool));
}

static void
use_after_free(struct kdp_book_pool *pool, struct kdp_book *book)
{
    kdp_book_free(pool, book);
    (void)kdp_book_hash(book);
}

static void
free_twice(struct kdp_book_pool *pool, struct kdp_book *book)
{
    kdp_book_free(pool, book);
    kdp_book_free(pool, book);
}

KDP_TEST(address_sanitizer_sees_use_after_free_in_the_pool)
{
    CHECK(!dies_of(nothing_wrong));
    CHECK(dies_of(use_after_free));
    CHECK(dies_of(free_twice));
}
#endif
