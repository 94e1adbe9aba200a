/* fuzz_book.c - operations on three books out of any bytes, held against the plain model after each.
 *
 * The pool is small on purpose: what does not fit must make a book stale and nothing else.  The model knows
 * no memory, so that after NO_MEMORY the book is set aside and a fresh pair takes its place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/book_model.h"

#define BOOKS 3
#define POOL_BYTES ((size_t)400 << 10) /* two books of the finest grid, or some more of others */

struct bytes {
    const uint8_t *at, *end;
};

static uint64_t
take(struct bytes *in, unsigned n)
{
    uint64_t value = 0;

    for (; n > 0 && in->at < in->end; n--)
        value = value << 8 | *in->at++;
    return value;
}

static void
must(bool good, const char *words)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_book: %s differs from the model\n", words);
    abort();
}

/* take_price prefers prices that exist; every value of int32 is possible. */
static int32_t
take_price(struct bytes *in)
{
    uint64_t form = take(in, 1);

    if (form < 160)
        return (int32_t)(take(in, 1) % 101) * 100;
    if (form < 220)
        return (int32_t)(take(in, 2) % 1001) * 10;
    if (form < 250)
        return (int32_t)(take(in, 2) % 10001);
    return (int32_t)(uint32_t)take(in, 4);
}

static int64_t
take_delta(struct bytes *in)
{
    uint64_t form = take(in, 1);

    if (form < 200)
        return (int64_t)form - 100;
    if (form < 240)
        return (int64_t)(int16_t)(uint16_t)take(in, 2);
    return (int64_t)take(in, 8);
}

struct pair {
    struct kdp_book *book;
    struct model_book model;
};

static void
renew(struct kdp_book_pool *pool, struct pair *pair)
{
    if (pair->book != NULL) {
        kdp_book_free(pool, pair->book);
        model_close(&pair->model);
    }
    pair->book = kdp_book_new(pool);
    must(pair->book != NULL, "a book that the pool has room for");
    model_open(&pair->model);
    kdp_book_set_state(pair->book, KDP_BOOK_STATE_LIVE);
    model_set_state(&pair->model, KDP_BOOK_STATE_LIVE);
}

static void
set_grid(struct pair *pair, struct bytes *in)
{
    struct kdp_tick_range ranges[KDP_BOOK_RANGES_MAX + 1];
    uint32_t count = (uint32_t)take(in, 1);
    enum kdp_book_verdict verdict;

    if (count < 128) {
        const struct model_structure *structure = model_structure_at(count % 12);

        count = structure->count;
        memcpy(ranges, structure->ranges, sizeof structure->ranges);
    } else {
        count %= KDP_BOOK_RANGES_MAX + 2;
        for (uint32_t i = 0; i < count; i++) {
            ranges[i].start_e4 = take_price(in);
            ranges[i].end_e4 = take_price(in);
            ranges[i].step_e4 = (int32_t)take(in, 1) - 3;
        }
    }
    verdict = kdp_book_set_grid(pair->book, ranges, count);
    if (verdict != KDP_BOOK_NO_MEMORY) /* the grid is then as it was */
        must(verdict == model_set_grid(&pair->model, ranges, count), "verdict of set_grid");
}

static bool
delta(struct pair *pair, uint8_t side, bool any_side, struct bytes *in)
{
    int32_t price = take_price(in);
    int64_t change = take_delta(in), got = -1, want = -1;
    enum kdp_book_verdict verdict;

    if (any_side)
        side = (uint8_t)take(in, 1);
    kdp_book_prefetch(pair->book, side, price);
    verdict = kdp_book_apply(pair->book, side, price, change, &got);
    if (verdict == KDP_BOOK_NO_MEMORY) {
        model_set_state(&pair->model, KDP_BOOK_STATE_STALE);
        must(model_difference(&pair->model, pair->book) == NULL, "book after NO_MEMORY");
        return false;
    }
    must(verdict == model_apply(&pair->model, side, price, change, &want), "verdict of apply");
    must(got == want, "size after a delta");
    return true;
}

/* row makes levels side by side, enough that they are not few any more. */
static bool
row(struct pair *pair, uint8_t side, struct bytes *in)
{
    int32_t price = (int32_t)take(in, 2) % 10001, apart = (int32_t)take(in, 1) % 64 + 1;
    int64_t change = take_delta(in), got = -1, want = -1;

    for (uint64_t n = 60 + take(in, 1) % 64; n > 0 && price <= 10000; n--, price += apart) {
        enum kdp_book_verdict verdict = kdp_book_apply(pair->book, side, price, change, &got);

        if (verdict == KDP_BOOK_NO_MEMORY) {
            model_set_state(&pair->model, KDP_BOOK_STATE_STALE);
            must(model_difference(&pair->model, pair->book) == NULL, "book after NO_MEMORY in a row");
            return false;
        }
        must(verdict == model_apply(&pair->model, side, price, change, &want), "verdict of a row");
        must(got == want, "size in a row");
    }
    return true;
}

/* step does one operation; false when the pool was used up by it. */
static bool
step(struct pair *pair, struct bytes *in, int64_t *clock_ns)
{
    uint8_t what = (uint8_t)take(in, 1), side = (uint8_t)(what & 1 ? KDP_SIDE_YES : KDP_SIDE_NO);
    enum kdp_book_verdict got;
    struct kdp_top top, model_top;
    int32_t price;
    int64_t size;

    switch (what >> 4) {
    case 0:
        set_grid(pair, in);
        return true;
    case 1:
        kdp_book_set_state(pair->book, (enum kdp_book_state)(what & 7));
        model_set_state(&pair->model, (enum kdp_book_state)(what & 7));
        return true;
    case 2:
    case 3:
        kdp_book_begin(pair->book);
        model_begin(&pair->model);
        got = KDP_BOOK_APPLIED;
        for (unsigned n = what & 31u; n > 0; n--) {
            price = take_price(in);
            size = take_delta(in);
            side = (uint8_t)(take(in, 1) % 3); /* sometimes no side */
            got = kdp_book_put(pair->book, side, price, size);
            if (got == KDP_BOOK_NO_MEMORY)
                break;
            must(got == model_put(&pair->model, side, price, size), "verdict of put");
        }
        if (got == KDP_BOOK_NO_MEMORY) {
            must(kdp_book_commit(pair->book) == KDP_BOOK_NO_MEMORY, "commit after a refused put");
            must(kdp_book_state(pair->book) == KDP_BOOK_STATE_STALE, "state after a refused put");
            must(kdp_book_hash(pair->book) == 0, "hash after a refused put");
            return false;
        }
        must(kdp_book_commit(pair->book) == model_commit(&pair->model), "verdict of commit");
        return true;
    case 4:
    case 5:
    case 6:
        *clock_ns += (int64_t)take(in, 2);
        must(kdp_book_settle(pair->book, *clock_ns, &top) ==
                 model_settle(&pair->model, *clock_ns, &model_top),
             "BBO change");
        must(memcmp(&top, &model_top, sizeof top) == 0, "top of settle");
        return true;
    case 7:
        return row(pair, side, in);
    default:
        return delta(pair, side, what == 0xff, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, data + size};
    struct kdp_book_pool *pool = kdp_book_pool_open(BOOKS, POOL_BYTES);
    struct pair pairs[BOOKS] = {{NULL, {0}}};
    int64_t clock_ns = 0;

    if (pool == NULL)
        return 0;
    for (int i = 0; i < BOOKS; i++)
        renew(pool, &pairs[i]);
    while (in.at < in.end) {
        struct pair *pair = &pairs[take(&in, 1) % BOOKS];
        const char *words;

        if (!step(pair, &in, &clock_ns)) {
            renew(pool, pair);
            continue;
        }
        words = model_difference(&pair->model, pair->book);
        must(words == NULL, words);
    }
    for (int i = 0; i < BOOKS; i++) {
        kdp_book_free(pool, pairs[i].book);
        model_close(&pairs[i].model);
    }
    kdp_book_pool_close(pool);
    return 0;
}
