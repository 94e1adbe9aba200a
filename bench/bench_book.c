/* bench_book.c - one book update and the best prices after it, at 200, 10,000 and 100,000 markets.
 *
 * Contestants, fed with the same operations: "floor" adds the delta to one number at a random place of an
 * array as large as our books, which is the least any dense book must do; "kdp" is kdp_book_apply and
 * kdp_book_settle; "prefetch" is kdp with kdp_book_prefetch eight messages ahead (a batch of frames in hand
 * allows that); "vector" is the usual book, a sorted array of price and size per side with binary search,
 * best at its end, which checks no more than a negative size and keeps no hash.
 *
 * Popularity is Zipf (1/rank); what an operation does to its book is dealt as in recorded traffic (place_op).
 * A run ends where it began, so that every run does the same. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "kdp/book.h"

#define OPS_MAX 1000000u
#define LEVELS 16 /* a side at the start */
#define AHEAD 8u

struct op {
    uint32_t market;
    int32_t delta;
    int16_t price;
    uint8_t side;
};

struct vector_side {
    struct kdp_book_level *levels; /* rising towards the best */
    uint32_t count, room;
};
struct vector_book {
    struct vector_side sides[2];
    struct kdp_top last;
};

struct bench_case {
    const char *name;
    uint32_t markets, ops;
    bool tapered;
};
static const struct bench_case cases[] = {
    {"cents-200", 200, 400000, false},          {"cents-10k", 10000, 1000000, false},
    {"cents-100k", 100000, 1000000, false},     {"tapered-deci-200", 200, 400000, true},
    {"tapered-deci-10k", 10000, 1000000, true}, {"tapered-deci-100k", 100000, 1000000, true},
};

static const struct kdp_tick_range tapered[] = {{0, 1000, 10}, {1000, 9000, 100}, {9000, 10000, 10}};

static struct op *ops;
static uint32_t op_count;
static struct kdp_book **books;
static struct vector_book *vectors;
static int64_t *floor_sizes;

#define FLOOR_STRIDE (1792u / sizeof(int64_t)) /* one of our books */

static int64_t *
floor_place(const struct op *op)
{
    return &floor_sizes[op->market * FLOOR_STRIDE + (op->side - 1u) * 101u + (uint32_t)op->price / 100u];
}

/* A run plays the first count / 2 operations forwards and then backwards with the sign turned. */
static uint64_t
run_floor(void *arg, uint64_t count)
{
    (void)arg;
    for (uint64_t i = 0; i < count / 2; i++)
        *floor_place(&ops[i]) += ops[i].delta;
    for (uint64_t i = count / 2; i-- > 0;)
        *floor_place(&ops[i]) -= ops[i].delta;
    return (uint64_t)floor_sizes[0];
}

/* kdp_one returns whether the best prices changed. */
static inline uint64_t
kdp_one(const struct op *op, int64_t delta)
{
    struct kdp_book *book = books[op->market];
    struct kdp_top top;
    int64_t size = 0;

    if (kdp_book_apply(book, op->side, op->price, delta, &size) != KDP_BOOK_APPLIED) {
        fprintf(stderr, "bench_book: an operation was refused\n");
        exit(1);
    }
    return kdp_book_settle(book, 0, &top);
}

static uint64_t
run_kdp(void *arg, uint64_t count)
{
    uint64_t changes = 0;

    (void)arg;
    for (uint64_t i = 0; i < count / 2; i++)
        changes += kdp_one(&ops[i], ops[i].delta);
    for (uint64_t i = count / 2; i-- > 0;)
        changes += kdp_one(&ops[i], -(int64_t)ops[i].delta);
    return changes;
}

static uint64_t
run_prefetch(void *arg, uint64_t count)
{
    uint64_t changes = 0, half = count / 2;

    (void)arg;
    for (uint64_t i = 0; i < half; i++) {
        const struct op *next = &ops[i + AHEAD < half ? i + AHEAD : i];

        kdp_book_prefetch(books[next->market], next->side, next->price);
        changes += kdp_one(&ops[i], ops[i].delta);
    }
    for (uint64_t i = half; i-- > 0;) {
        const struct op *next = &ops[i >= AHEAD ? i - AHEAD : i];

        kdp_book_prefetch(books[next->market], next->side, next->price);
        changes += kdp_one(&ops[i], -(int64_t)ops[i].delta);
    }
    return changes;
}

/* vector_apply returns whether the best prices changed, -1 when the level would be negative. */
static __attribute__((noinline)) int
vector_apply(struct vector_book *book, unsigned side, int32_t price, int64_t delta)
{
    struct vector_side *s = &book->sides[side];
    int32_t key = side == 0 ? price : 10000 - price;
    uint32_t low = 0, high = s->count;
    struct kdp_top top = {KDP_PRICE_NULL, KDP_PRICE_NULL, 0, 0};
    bool changed;

    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (s->levels[mid].price_e4 < key)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < s->count && s->levels[low].price_e4 == key) {
        int64_t size = s->levels[low].size_e2 + delta;

        if (size < 0)
            return -1;
        if (size == 0) {
            memmove(&s->levels[low], &s->levels[low + 1], (s->count - low - 1) * sizeof s->levels[0]);
            s->count--;
        } else {
            s->levels[low].size_e2 = size;
        }
    } else {
        if (delta < 0)
            return -1;
        if (s->count == s->room) {
            s->room = s->room == 0 ? 16 : s->room * 2;
            s->levels = realloc(s->levels, s->room * sizeof s->levels[0]);
            if (s->levels == NULL)
                exit(1);
        }
        memmove(&s->levels[low + 1], &s->levels[low], (s->count - low) * sizeof s->levels[0]);
        s->levels[low] = (struct kdp_book_level){key, delta};
        s->count++;
    }
    if (book->sides[0].count > 0) {
        top.bid_e4 = book->sides[0].levels[book->sides[0].count - 1].price_e4;
        top.bid_size_e2 = book->sides[0].levels[book->sides[0].count - 1].size_e2;
    }
    if (book->sides[1].count > 0) {
        top.ask_e4 = 10000 - book->sides[1].levels[book->sides[1].count - 1].price_e4;
        top.ask_size_e2 = book->sides[1].levels[book->sides[1].count - 1].size_e2;
    }
    changed = memcmp(&top, &book->last, sizeof top) != 0;
    book->last = top;
    return changed;
}

static uint64_t
run_vector(void *arg, uint64_t count)
{
    uint64_t changes = 0;

    (void)arg;
    for (uint64_t i = 0; i < count / 2; i++)
        changes +=
            (uint64_t)vector_apply(&vectors[ops[i].market], ops[i].side - 1u, ops[i].price, ops[i].delta);
    for (uint64_t i = count / 2; i-- > 0;)
        changes += (uint64_t)vector_apply(&vectors[ops[i].market], ops[i].side - 1u, ops[i].price,
                                          -(int64_t)ops[i].delta);
    return changes;
}

static uint64_t
draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void *
must(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "bench_book: out of memory\n");
        exit(1);
    }
    return memory;
}

/* zipf fills picks with numbers below n, popularity 1/rank, ranks dealt at random. */
static void
zipf(uint32_t *picks, size_t count, uint32_t n, uint64_t seed)
{
    double *sums = must(malloc(n * sizeof *sums)), sum = 0;
    uint32_t *numbers = must(malloc(n * sizeof *numbers));

    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = (uint32_t)(draw(&seed) % (i + 1u));

        sum += 1.0 / (i + 1u);
        sums[i] = sum;
        numbers[i] = numbers[j];
        numbers[j] = i;
    }
    for (size_t i = 0; i < count; i++) {
        double at = (double)(draw(&seed) >> 11) * 0x1p-53 * sum;
        uint32_t low = 0, high = n - 1;

        while (low < high) {
            uint32_t mid = low + (high - low) / 2;

            if (sums[mid] < at)
                low = mid + 1;
            else
                high = mid;
        }
        picks[i] = numbers[low];
    }
    free(sums);
    free(numbers);
}

/* both applies one operation to both books; false when it makes no sense. */
static bool
both(const struct op *op)
{
    if (vector_apply(&vectors[op->market], op->side - 1u, op->price, op->delta) < 0)
        return false;
    kdp_one(op, op->delta);
    return true;
}

/* neighbour gives the price steps ticks away from the best, on the market's grid. */
static int32_t
neighbour(const struct bench_case *what, int32_t best, uint8_t side, int32_t steps)
{
    int32_t away = side == KDP_SIDE_YES ? -1 : 1;

    for (; steps != 0; steps += steps > 0 ? -1 : 1) {
        bool edge = what->tapered && (best < 1000 || best > 9000 || (best == 1000 && away * steps < 0) ||
                                      (best == 9000 && away * steps > 0));

        best += (edge ? 10 : 100) * (steps > 0 ? away : -away);
    }
    return best < 10 ? 0 : best > 9990 ? 10000 : best;
}

static void
make_markets(const struct bench_case *what, struct kdp_book_pool *pool, uint64_t *seed)
{
    for (uint32_t m = 0; m < what->markets; m++) {
        int32_t mid = (int32_t)(500 + draw(seed) % 9000) / 100 * 100;

        books[m] = kdp_book_new(pool);
        if (books[m] == NULL ||
            (what->tapered && kdp_book_set_grid(books[m], tapered, 3) != KDP_BOOK_APPLIED)) {
            fprintf(stderr, "bench_book: the pool is used up\n");
            exit(1);
        }
        kdp_book_set_state(books[m], KDP_BOOK_STATE_LIVE);
        vectors[m].last = (struct kdp_top){KDP_PRICE_NULL, KDP_PRICE_NULL, 0, 0};
        for (int32_t i = 0; i < LEVELS; i++) {
            for (uint8_t side = KDP_SIDE_YES; side <= KDP_SIDE_NO; side++) {
                struct op op = {m, (int32_t)(100 + draw(seed) % 100000), 0, side};

                op.price = (int16_t)neighbour(what, mid + (side == KDP_SIDE_NO ? 100 : 0), side, i);
                if (op.price > 0 && op.price < 10000 && !both(&op))
                    exit(1);
            }
        }
    }
}

/* place_op chooses side, price and delta of one operation the way recorded traffic has them (157,501 deltas
 * of two recordings of KXBTC15M): 3 % better than the best, 25 % at it, the rest ever rarer below; 7 % make a
 * level, 7 % end one, 45 % take from one, 41 % add to one.  False: try again. */
static bool
place_op(const struct bench_case *what, struct op *op, uint64_t *seed)
{
    static const uint8_t below[] = {26, 42, 52, 59, 64, 68,
                                    72, 75, 77, 79, 80}; /* percent at or above the n-th level */
    const struct vector_side *side = &vectors[op->market].sides[op->side - 1];
    uint32_t at = (uint32_t)(draw(seed) % 80), kind = (uint32_t)(draw(seed) % 100), nth = 0;
    const struct kdp_book_level *level;
    int32_t price;

    op->delta = (int32_t)(1 + draw(seed) % 50000);
    while (below[nth] <= at)
        nth++;
    if (side->count <= nth) { /* a book that has run low grows again, away from the other side */
        const struct vector_side *other = &vectors[op->market].sides[2 - op->side];

        price = other->count > 0           ? other->levels[other->count - 1].price_e4
                : op->side == KDP_SIDE_YES ? 5500
                                           : 4500;
        if (other->count > 0 && op->side == KDP_SIDE_YES)
            price = 10000 - price;
        op->price = (int16_t)neighbour(what, price, op->side, 1 + (int32_t)(draw(seed) % 12));
        return op->price > 0 && op->price < 10000;
    }
    level = &side->levels[side->count - 1 - nth];
    price = op->side == KDP_SIDE_YES ? level->price_e4 : 10000 - level->price_e4;
    if (kind < 7) { /* in front of it, when that place is free */
        price = neighbour(what, price, op->side, -1);
        if (nth > 0 &&
            side->levels[side->count - nth].price_e4 == (op->side == KDP_SIDE_YES ? price : 10000 - price))
            return false;
    } else if (kind < 14) {
        op->delta = -(int32_t)level->size_e2;
    } else if (kind < 59) {
        op->delta = -(1 + op->delta % (int32_t)level->size_e2);
        if (-op->delta == level->size_e2)
            return false;
    } else if (level->size_e2 > 1000000000) {
        return false;
    }
    op->price = (int16_t)price;
    /* crossed books are one in a thousand there: none here */
    side = &vectors[op->market].sides[2 - op->side];
    if (side->count > 0 &&
        side->levels[side->count - 1].price_e4 + (op->side == KDP_SIDE_YES ? price : 10000 - price) >= 10000)
        return false;
    return price > 0 && price < 10000;
}

/* make_ops draws operations that make sense one after the other; the books end where all of them lead. */
static void
make_ops(const struct bench_case *what, uint64_t *seed)
{
    uint32_t *picks = must(malloc(what->ops * sizeof *picks));

    zipf(picks, what->ops, what->markets, *seed);
    for (op_count = 0; op_count < what->ops;) {
        struct op op = {picks[op_count], 0, 0, (uint8_t)(1 + draw(seed) % 2)};

        if (place_op(what, &op, seed) && both(&op))
            ops[op_count++] = op;
    }
    free(picks);
}

/* check holds the two books against each other: a bench of a wrong book is worth nothing. */
static void
check(const struct bench_case *what)
{
    for (uint32_t m = 0; m < what->markets; m++) {
        struct kdp_top top;

        kdp_book_top(books[m], &top);
        if (memcmp(&top, &vectors[m].last, sizeof top) != 0 ||
            kdp_book_level_count(books[m], KDP_SIDE_YES) != vectors[m].sides[0].count) {
            fprintf(stderr, "bench_book: market %u differs from the sorted vector\n", m);
            exit(1);
        }
    }
}

static void
run_case(const struct bench_case *what)
{
    struct kdp_book_pool *pool = must(kdp_book_pool_open(what->markets, (size_t)2 << 30));
    struct bench_contestant contestants[] = {
        {.name = "floor", .run = run_floor},
        {.name = "kdp", .run = run_kdp},
        {.name = "prefetch", .run = run_prefetch},
        {.name = "vector", .run = run_vector},
    };
    uint64_t seed = 7;

    books = must(calloc(what->markets, sizeof *books));
    vectors = must(calloc(what->markets, sizeof *vectors));
    floor_sizes = must(calloc(what->markets, FLOOR_STRIDE * sizeof *floor_sizes));
    make_markets(what, pool, &seed);
    make_ops(what, &seed);
    check(what);
    /* a run plays forwards first: go back to where the operations begin */
    for (uint32_t i = op_count; i-- > 0;) {
        struct op op = ops[i];

        op.delta = -op.delta;
        if (!both(&op))
            exit(1);
    }
    printf("name=case case=%s markets=%u pool_bytes_per_market=%zu\n", what->name, what->markets,
           kdp_book_pool_used(pool) / what->markets);
    bench_compare(contestants, 4, 2ull * op_count);
    check(what);
    if (contestants[1].sum != contestants[3].sum) {
        fprintf(stderr, "bench_book: kdp and vector saw different changes of the best prices\n");
        exit(1);
    }
    printf("name=ratios case=%s bbo_changes=%.2f kdp/floor=%.2f prefetch/floor=%.2f kdp/vector=%.2f "
           "prefetch/vector=%.2f\n",
           what->name, (double)contestants[1].sum / (bench_reps() + 1) / (2.0 * op_count),
           contestants[1].p50 / contestants[0].p50, contestants[2].p50 / contestants[0].p50,
           contestants[1].p50 / contestants[3].p50, contestants[2].p50 / contestants[3].p50);
    for (uint32_t m = 0; m < what->markets; m++) {
        free(vectors[m].sides[0].levels);
        free(vectors[m].sides[1].levels);
    }
    free(books);
    free(vectors);
    free(floor_sizes);
    kdp_book_pool_close(pool);
}

int
main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    bool found = false;

    ops = must(malloc(OPS_MAX * sizeof *ops));
    bench_machine();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (only != NULL && strcmp(only, cases[i].name) != 0)
            continue;
        found = true;
        run_case(&cases[i]);
    }
    free(ops);
    if (!found)
        fprintf(stderr, "usage: bench_book [cents-200|cents-10k|cents-100k|tapered-deci-200|...]\n");
    return found ? 0 : 2;
}
