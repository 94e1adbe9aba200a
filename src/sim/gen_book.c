/* gen_book.c - the true books: how they begin, how quotes follow the chances, and what takers take. */
#include "gen_private.h"

/* A resting size as people and programs choose them: round numbers over three orders of magnitude, some
 * fractional. */
static int32_t
draw_size(struct kdp_gen *gen)
{
    static const uint16_t lots[16] = {1, 1, 1, 2, 5, 5, 10, 10, 10, 25, 25, 50, 100, 100, 250, 500};
    uint64_t draw = gen_random(gen);
    int32_t size = (int32_t)(1 + (draw & 15)) * lots[draw >> 8 & 15] * 100;

    if ((draw >> 16 & 7) == 0)
        size += (int32_t)((draw >> 20) % 99 + 1);
    return size;
}

/* How far down the ladder an order goes: one tick below the best about every second time, rarely far. */
static unsigned
draw_depth(struct kdp_gen *gen)
{
    uint64_t draw = gen_random(gen);
    unsigned depth = 0;

    while ((draw & 3) != 0 && depth < 24) {
        depth++;
        draw = draw >> 2 | UINT64_C(1) << 62;
    }
    return depth;
}

static unsigned
find_level(const struct gen_book *book, unsigned side, int32_t price_e4)
{
    const struct gen_level *levels = book->levels[side];
    unsigned i = 0, count = book->count[side];

    while (i < count && levels[i].price_e4 > price_e4)
        i++;
    return i;
}

bool
gen_book_change(struct gen_book *book, unsigned side, int32_t price_e4, int32_t delta_e2)
{
    struct gen_level *levels = book->levels[side];
    unsigned i = find_level(book, side, price_e4), count = book->count[side];

    if (i < count && levels[i].price_e4 == price_e4) {
        int64_t size = (int64_t)levels[i].size_e2 + delta_e2;

        if (size < 0 || size > INT32_MAX)
            return false;
        levels[i].size_e2 = (int32_t)size;
        if (size == 0) {
            memmove(&levels[i], &levels[i + 1], (count - i - 1) * sizeof levels[0]);
            book->count[side]--;
        }
        return true;
    }
    if (delta_e2 <= 0 || count == LEVELS_MAX)
        return false;
    memmove(&levels[i + 1], &levels[i], (count - i) * sizeof levels[0]);
    levels[i] = (struct gen_level){price_e4, delta_e2};
    book->count[side]++;
    return true;
}

/* The best price a side quotes, in its own leg, when the market is worth fair: a tick or so below it, 0 for
 * none. */
static int32_t
quote_of(const struct gen_market *market, unsigned side, int32_t fair_e4, int32_t half_e4)
{
    int32_t own = side == GEN_YES ? fair_e4 : 10000 - fair_e4;

    return gen_tick_floor(market->structure, own - half_e4);
}

/* Half of the spread beyond the grid's own rounding: nothing in a busy market, up to two ticks in a quiet
 * one. */
static int32_t
half_of(const struct gen_market *market, int32_t fair_e4, unsigned wide)
{
    int32_t tick = fair_e4 - gen_tick_below(market->structure, fair_e4);

    return 1 + (int32_t)wide * (tick < 10 ? 10 : tick);
}

void
gen_book_fill(struct kdp_gen *gen, struct gen_market *market, bool quiet)
{
    unsigned wide = quiet ? gen_below(gen, 3) : 0, kind = gen_below(gen, 100);
    int32_t fair = gen_fair(gen, market), half = half_of(market, fair, wide);

    market->last_e4 = gen_tick_floor(market->structure, fair);
    for (unsigned side = 0; side < 2; side++) {
        int32_t price = quote_of(market, side, fair, half);
        unsigned count = quiet ? 1 + gen_below(gen, 8) : 6 + gen_below(gen, 16);

        /* some quiet books have one side, some none */
        if (quiet && (kind < 3 || (kind < 15 && kind % 2 == side)))
            count = 0;
        for (unsigned i = 0; i < count && price > 0; i++) {
            gen_book_change(&market->book, side, price, draw_size(gen));
            for (unsigned skip = gen_below(gen, 8) == 0 ? 1 + gen_below(gen, 5) : 1; skip > 0 && price > 0;
                 skip--)
                price = gen_tick_below(market->structure, price);
        }
    }
}

static void
change(struct kdp_gen *gen, uint32_t index, unsigned side, int32_t price_e4, int32_t delta_e2)
{
    if (gen_book_change(&gen->markets[index].book, side, price_e4, delta_e2))
        gen_put_delta(gen, index, side, price_e4, delta_e2, false);
}

static void
note_trade(struct gen_market *market, int32_t yes_e4, int32_t count_e2)
{
    market->last_e4 = yes_e4;
    market->last_size_e2 = count_e2;
    market->trades++;
    market->volume_e2 += count_e2;
    market->volume_cash_e6 += (int64_t)yes_e4 * count_e2;
}

void
gen_trade(struct kdp_gen *gen, uint32_t index, int32_t yes_e4, int32_t count_e2, unsigned taker)
{
    struct gen_market *market = &gen->markets[index];

    note_trade(market, yes_e4, count_e2);
    market->open_interest_e2 +=
        gen_below(gen, 3) != 0 ? count_e2
                               : -(market->open_interest_e2 < count_e2 ? market->open_interest_e2 : count_e2);
    gen_put_trade(gen, index, yes_e4, count_e2, taker, false);
}

void
gen_trade_block(struct kdp_gen *gen, uint32_t index, int32_t yes_e4, int32_t count_e2, unsigned taker)
{
    struct gen_market *market = &gen->markets[index];

    note_trade(market, yes_e4, count_e2);
    market->open_interest_e2 += count_e2;
    gen_put_trade(gen, index, yes_e4, count_e2, taker, true);
}

/* A taker buys the outcome taker: it takes the other side's bids from the best on.  Trade and change come in
 * either order. */
static void
take(struct kdp_gen *gen, uint32_t index, unsigned taker, unsigned levels_max)
{
    struct gen_book *book = &gen->markets[index].book;
    unsigned side = 1 - taker;
    uint64_t draw = gen_random(gen);
    bool trade_first = (draw & 1) != 0;
    int32_t wanted = draw_size(gen);

    if ((draw >> 1 & 15) != 0 && wanted > 5000)
        wanted = (int32_t)(100 + (draw >> 8) % 4900);
    for (unsigned i = 0; i < levels_max && wanted > 0 && book->count[side] > 0; i++) {
        struct gen_level best = book->levels[side][0];
        int32_t count = wanted < best.size_e2 ? wanted : best.size_e2;
        int32_t yes_e4 = side == GEN_YES ? best.price_e4 : 10000 - best.price_e4;

        if (trade_first)
            gen_trade(gen, index, yes_e4, count, taker);
        change(gen, index, side, best.price_e4, -count);
        if (!trade_first)
            gen_trade(gen, index, yes_e4, count, taker);
        wanted -= count;
    }
}

/* Prices that no longer fit the chances: who is too high is hit or goes away, then the better price is
 * quoted. */
static unsigned
correct(struct kdp_gen *gen, uint32_t index, unsigned side, int32_t quote_e4)
{
    struct gen_book *book = &gen->markets[index].book;
    unsigned done = 0;

    while (book->count[side] > 0 && book->levels[side][0].price_e4 > quote_e4 && done < 4) {
        if (gen_below(gen, 4) == 0)
            take(gen, index, 1 - side, 1);
        else
            change(gen, index, side, book->levels[side][0].price_e4, -book->levels[side][0].size_e2);
        done++;
    }
    if (done < 4 && quote_e4 > 0 && (book->count[side] == 0 || book->levels[side][0].price_e4 < quote_e4)) {
        /* never against a bid of the other side that has not gone yet: a trade would have come of it */
        if (book->count[1 - side] == 0 || book->levels[1 - side][0].price_e4 + quote_e4 < 10000) {
            if (book->count[side] == LEVELS_MAX)
                change(gen, index, side, book->levels[side][LEVELS_MAX - 1].price_e4,
                       -book->levels[side][LEVELS_MAX - 1].size_e2);
            change(gen, index, side, quote_e4, draw_size(gen));
            done++;
        }
    }
    return done;
}

/* Orders that come, go and change behind the best price. */
static void
shuffle(struct kdp_gen *gen, uint32_t index, unsigned side)
{
    struct gen_market *market = &gen->markets[index];
    struct gen_book *book = &market->book;
    unsigned depth = draw_depth(gen);
    uint64_t draw = gen_random(gen);
    int32_t price;

    if (book->count[side] == 0)
        return;
    price = book->levels[side][0].price_e4;
    for (unsigned i = 0; i < depth && price > 0; i++)
        price = gen_tick_below(market->structure, price);
    if (price == 0)
        price = book->levels[side][0].price_e4;
    if (book->count[side] == LEVELS_MAX) /* make room at the far end, as old orders expire */
        change(gen, index, side, book->levels[side][LEVELS_MAX - 1].price_e4,
               -book->levels[side][LEVELS_MAX - 1].size_e2);
    else {
        unsigned i = find_level(book, side, price);
        bool there = i < book->count[side] && book->levels[side][i].price_e4 == price;

        if (!there || (draw & 7) < 3) {
            change(gen, index, side, price, draw_size(gen));
        } else {
            int32_t size = book->levels[side][i].size_e2, part = draw_size(gen);

            change(gen, index, side, price, -(part < size && (draw >> 3 & 1) != 0 ? part : size));
        }
    }
}

void
gen_step_quotes(struct kdp_gen *gen, uint32_t index)
{
    struct gen_market *market = &gen->markets[index];
    uint64_t draw = gen_random(gen);
    uint32_t trades = market->trades;
    unsigned side = draw & 1, done = 0;
    int32_t fair;

    if ((draw >> 1 & 3) == 0)
        gen_fair_step(gen, &gen->events[market->event]);
    fair = gen_fair(gen, market);
    if ((draw >> 3 & 3) == 0) {
        int32_t half = half_of(market, fair, (draw >> 8 & 15) == 0);

        for (unsigned i = 0; i < 2; i++)
            done += correct(gen, index, (side + i) & 1, quote_of(market, (side + i) & 1, fair, half));
    }
    if (done == 0) {
        if ((draw >> 12 & 31) == 0)
            take(gen, index, side, 3);
        else
            shuffle(gen, index, side);
    }
    if (gen_below(gen, 16) == 0 || (market->trades != trades && gen_below(gen, 2) == 0))
        gen_put_ticker(gen, index);
}

void
gen_mass_cancel(struct kdp_gen *gen, uint32_t index)
{
    struct gen_book *book = &gen->markets[index].book;

    for (unsigned side = 0; side < 2; side++) {
        while (book->count[side] > 0)
            change(gen, index, side, book->levels[side][book->count[side] - 1u].price_e4,
                   -book->levels[side][book->count[side] - 1u].size_e2);
    }
}
