/* book_model.c - see book_model.h. */
#include "book_model.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 big_int; /* holds any sum of int64 sizes there can be */

#define WHOLE(step)          \
    {                        \
        {                    \
            0, 10000, (step) \
        }                    \
    }
#define EDGES(edge, step, mid)                                \
    {                                                         \
        {0, (edge), (step)}, {(edge), 10000 - (edge), (mid)}, \
        {                                                     \
            10000 - (edge), 10000, (step)                     \
        }                                                     \
    }

static const struct model_structure structures[] = {
    {"linear_cent", WHOLE(100), 1, 101},
    {"deci_cent", WHOLE(10), 1, 1001},
    {"tapered_deci_cent", EDGES(1000, 10, 100), 3, 281},
    {"center_whole_edge_half_cent", EDGES(1000, 50, 100), 3, 121},
    {"center_whole_edge_quint_cent", EDGES(1000, 20, 100), 3, 181},
    {"center_half_edge_half_cent", EDGES(1000, 50, 50), 3, 201},
    {"center_half_edge_quint_cent", EDGES(1000, 20, 50), 3, 261},
    {"center_half_edge_deci_cent", EDGES(1000, 10, 50), 3, 361},
    {"center_quint_edge_quint_cent", EDGES(1000, 20, 20), 3, 501},
    {"center_quint_edge_deci_cent", EDGES(1000, 10, 20), 3, 601},
    {"center_centi_edge_centi_cent", WHOLE(1), 1, 10001},
    {"center_deci_edge_centi_cent", EDGES(100, 1, 10), 3, 1181},
};

const struct model_structure *
model_structure_at(unsigned index)
{
    return index < sizeof structures / sizeof structures[0] ? &structures[index] : NULL;
}

static void
empty_sides(struct model_book *model)
{
    model->sides[0].count = model->sides[1].count = 0;
}

void
model_open(struct model_book *model)
{
    memset(model, 0, sizeof *model);
    model->state = KDP_BOOK_STATE_STALE;
    model->last.bid_e4 = model->last.ask_e4 = KDP_PRICE_NULL;
    model->since_ns = KDP_TIME_NULL;
}

void
model_close(struct model_book *model)
{
    free(model->sides[0].levels);
    free(model->sides[1].levels);
}

static bool
on_grid(const struct model_book *model, int32_t price)
{
    for (uint32_t i = 0; i < model->range_count; i++) {
        const struct kdp_tick_range *range = &model->ranges[i];

        if (price >= range->start_e4 && price <= range->end_e4 &&
            (price - range->start_e4) % range->step_e4 == 0)
            return true;
    }
    return model->range_count == 0;
}

enum kdp_book_verdict
model_set_grid(struct model_book *model, const struct kdp_tick_range *ranges, uint32_t count)
{
    bool taken[10001] = {false}; /* open intervals between neighbouring prices */

    if (count == 0 || count > KDP_BOOK_RANGES_MAX)
        return KDP_BOOK_BAD_LEVEL;
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].start_e4 < 0 || ranges[i].end_e4 > 10000 || ranges[i].step_e4 <= 0 ||
            ranges[i].end_e4 <= ranges[i].start_e4)
            return KDP_BOOK_BAD_LEVEL;
        for (int32_t price = ranges[i].start_e4; price < ranges[i].end_e4; price++) {
            if (taken[price])
                return KDP_BOOK_BAD_LEVEL;
            taken[price] = true;
        }
    }
    memcpy(model->ranges, ranges, count * sizeof ranges[0]);
    model->range_count = count;
    return KDP_BOOK_APPLIED;
}

/* where finds the first level at or above a price. */
static uint32_t
where(const struct model_side *side, int32_t price)
{
    uint32_t i = 0;

    while (i < side->count && side->levels[i].price_e4 < price)
        i++;
    return i;
}

int64_t
model_size(const struct model_book *model, uint8_t side, int32_t price)
{
    const struct model_side *s = &model->sides[side - 1];
    uint32_t i = where(s, price);

    return i < s->count && s->levels[i].price_e4 == price ? s->levels[i].size_e2 : 0;
}

static void
set_size(struct model_side *side, int32_t price, int64_t size)
{
    uint32_t i = where(side, price);
    bool there = i < side->count && side->levels[i].price_e4 == price;

    if (there && size == 0) {
        memmove(&side->levels[i], &side->levels[i + 1], (side->count - i - 1) * sizeof side->levels[0]);
        side->count--;
        return;
    }
    if (!there && size == 0)
        return;
    if (!there) {
        if (side->count == side->room) {
            side->room = side->room == 0 ? 16 : side->room * 2;
            side->levels = realloc(side->levels, side->room * sizeof side->levels[0]);
            if (side->levels == NULL)
                abort();
        }
        memmove(&side->levels[i + 1], &side->levels[i], (side->count - i) * sizeof side->levels[0]);
        side->count++;
        side->levels[i].price_e4 = price;
    }
    side->levels[i].size_e2 = size;
}

static big_int
total(const struct model_side *side)
{
    big_int sum = 0;

    for (uint32_t i = 0; i < side->count; i++)
        sum += side->levels[i].size_e2;
    return sum;
}

void
model_set_state(struct model_book *model, enum kdp_book_state state)
{
    model->state = state;
    if (state != KDP_BOOK_STATE_LIVE) {
        model->market = KDP_MARKET_NORMAL;
        model->since_ns = KDP_TIME_NULL;
    }
}

static enum kdp_book_verdict
went_stale(struct model_book *model, enum kdp_book_verdict verdict)
{
    model_set_state(model, KDP_BOOK_STATE_STALE);
    return verdict;
}

enum kdp_book_verdict
model_apply(struct model_book *model, uint8_t side, int32_t price, int64_t delta, int64_t *sizep)
{
    big_int old, sum;

    if (model->state != KDP_BOOK_STATE_LIVE)
        return KDP_BOOK_NOT_LIVE;
    if ((side != KDP_SIDE_YES && side != KDP_SIDE_NO) || price < 0 || price > 10000)
        return went_stale(model, KDP_BOOK_BAD_LEVEL);
    old = model_size(model, side, price);
    sum = total(&model->sides[side - 1]);
    if (old + delta > INT64_MAX || sum + delta > INT64_MAX)
        return went_stale(model, KDP_BOOK_BAD_LEVEL);
    if (old + delta < 0)
        return went_stale(model, KDP_BOOK_NEGATIVE);
    *sizep = (int64_t)(old + delta);
    set_size(&model->sides[side - 1], price, *sizep);
    return on_grid(model, price) ? KDP_BOOK_APPLIED : KDP_BOOK_OFF_GRID;
}

void
model_begin(struct model_book *model)
{
    empty_sides(model);
    model->state = KDP_BOOK_STATE_STALE;
    model->replacing = true;
    model->refused = KDP_BOOK_APPLIED;
}

enum kdp_book_verdict
model_put(struct model_book *model, uint8_t side, int32_t price, int64_t size)
{
    if (model->refused != KDP_BOOK_APPLIED)
        return model->refused;
    if ((side != KDP_SIDE_YES && side != KDP_SIDE_NO) || price < 0 || price > 10000 || size < 0 ||
        model_size(model, side, price) != 0 || total(&model->sides[side - 1]) + size > INT64_MAX) {
        empty_sides(model);
        model->refused = KDP_BOOK_BAD_LEVEL;
        return went_stale(model, KDP_BOOK_BAD_LEVEL);
    }
    set_size(&model->sides[side - 1], price, size);
    return on_grid(model, price) ? KDP_BOOK_APPLIED : KDP_BOOK_OFF_GRID;
}

enum kdp_book_verdict
model_commit(struct model_book *model)
{
    model->replacing = false;
    if (model->refused == KDP_BOOK_APPLIED)
        model->state = KDP_BOOK_STATE_LIVE;
    return model->refused;
}

static struct kdp_top
top_of(const struct model_book *model)
{
    const struct model_side *yes = &model->sides[0], *no = &model->sides[1];
    struct kdp_top top = {KDP_PRICE_NULL, KDP_PRICE_NULL, 0, 0};

    if (yes->count > 0) {
        top.bid_e4 = yes->levels[yes->count - 1].price_e4;
        top.bid_size_e2 = yes->levels[yes->count - 1].size_e2;
    }
    if (no->count > 0) {
        top.ask_e4 = no->levels[0].price_e4;
        top.ask_size_e2 = no->levels[0].size_e2;
    }
    return top;
}

static bool
same_top(const struct kdp_top *a, const struct kdp_top *b)
{
    return a->bid_e4 == b->bid_e4 && a->ask_e4 == b->ask_e4 && a->bid_size_e2 == b->bid_size_e2 &&
           a->ask_size_e2 == b->ask_size_e2;
}

bool
model_settle(struct model_book *model, int64_t now_ns, struct kdp_top *topp)
{
    struct kdp_top top = top_of(model);
    bool changed = !same_top(&top, &model->last),
         both = top.bid_e4 != KDP_PRICE_NULL && top.ask_e4 != KDP_PRICE_NULL;
    enum kdp_market_state market = KDP_MARKET_NORMAL;

    if (model->market == KDP_MARKET_LOCKED)
        model->locked_ns += now_ns - model->settled_ns;
    if (model->market == KDP_MARKET_CROSSED)
        model->crossed_ns += now_ns - model->settled_ns;
    if (both && model->state == KDP_BOOK_STATE_LIVE && top.bid_e4 > top.ask_e4)
        market = KDP_MARKET_CROSSED;
    if (both && model->state == KDP_BOOK_STATE_LIVE && top.bid_e4 == top.ask_e4)
        market = KDP_MARKET_LOCKED;
    if (market == KDP_MARKET_NORMAL)
        model->since_ns = KDP_TIME_NULL;
    else if (market != model->market)
        model->since_ns = now_ns;
    model->market = market;
    model->settled_ns = now_ns;
    model->last = top;
    *topp = top;
    return changed;
}

/* level_hash follows the formula in kdp/book.h word by word. */
static uint64_t
level_hash(uint64_t side, uint64_t price, uint64_t size)
{
    uint64_t x = size + 0x9e3779b97f4a7c15u * (side * 65536u + price);

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static const char *
side_difference(const struct model_book *model, const struct kdp_book *book, uint8_t side, uint64_t *hashp)
{
    static struct kdp_book_level levels[10001];
    const struct model_side *want = &model->sides[side - 1];
    uint32_t got = kdp_book_depth(book, side, levels, 10001), few;

    if (kdp_book_level_count(book, side) != want->count)
        return "number of levels";
    if (kdp_book_size_total(book, side) != (int64_t)total(want))
        return "total size";
    if (got != want->count)
        return "number of levels in depth";
    for (uint32_t i = 0; i < got; i++) {
        const struct kdp_book_level *level = &want->levels[side == KDP_SIDE_YES ? got - 1 - i : i];

        if (levels[i].price_e4 != level->price_e4 || levels[i].size_e2 != level->size_e2)
            return "a level";
        *hashp += level_hash(side, (uint64_t)level->price_e4, (uint64_t)level->size_e2);
    }
    few = kdp_book_depth(book, side, levels, 3);
    if (few != (got < 3 ? got : 3))
        return "depth 3";
    return NULL;
}

const char *
model_difference(const struct model_book *model, const struct kdp_book *book)
{
    struct kdp_top want = top_of(model), got;
    int64_t since_ns, locked_ns, crossed_ns;
    uint64_t hash = 0;
    const char *words;
    bool both = want.bid_e4 != KDP_PRICE_NULL && want.ask_e4 != KDP_PRICE_NULL;

    for (uint8_t side = KDP_SIDE_YES; side <= KDP_SIDE_NO; side++)
        if ((words = side_difference(model, book, side, &hash)) != NULL)
            return words;
    kdp_book_top(book, &got);
    if (!same_top(&want, &got))
        return "best prices";
    if (kdp_book_hash(book) != hash)
        return "hash";
    if (kdp_book_state(book) != model->state)
        return "state";
    if (kdp_book_mid_e5(book) != (both ? (want.bid_e4 * 10 + want.ask_e4 * 10) / 2 : KDP_PRICE_NULL))
        return "mid";
    if (kdp_book_spread_e4(book) != (both ? want.ask_e4 - want.bid_e4 : KDP_PRICE_NULL))
        return "spread";
    if (kdp_book_market_state(book, &since_ns, &locked_ns, &crossed_ns) != model->market)
        return "locked or crossed";
    if (since_ns != model->since_ns)
        return "locked or crossed since";
    if (locked_ns != model->locked_ns || crossed_ns != model->crossed_ns)
        return "time locked or crossed";
    return NULL;
}
