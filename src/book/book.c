/* book.c - levels in, best prices out.  Layouts are in book_grid.c, memory in book_pool.c. */
#include "kdp/book.h"

#include "book_private.h"
#include "error.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

uint64_t
kdp_level_hash(uint8_t side, int32_t price_e4, int64_t size_e2)
{
    return kdpi_level_hash(side, price_e4, size_e2);
}

/* A book that is no longer live stops the clock of its locked or crossed time at the last settle: what the
 * market did since is not known. */
static void
leave_live(struct kdp_book *book, enum kdp_book_state state)
{
    book->state = (uint8_t)state;
    book->market_state = KDP_MARKET_NORMAL;
    book->since_ns = KDP_TIME_NULL;
}

static enum kdp_book_verdict
refuse(struct kdp_book *book, enum kdp_book_verdict verdict)
{
    leave_live(book, KDP_BOOK_STATE_STALE);
    return verdict;
}

struct place { /* where one level stands */
    unsigned side;
    int slot;
    int32_t price_e4;
    int64_t *sizes; /* of the side */
    uint64_t *bits;
};

/* find_uncommon looks a price up that is not simply a whole cent of a whole-cent book. */
static __attribute__((noinline)) enum kdp_book_verdict
find_uncommon(struct kdp_book *book, struct place *place)
{
    const struct kdpi_layout *layout = book->layout;
    unsigned entry = layout->map[place->price_e4];

    if ((entry & KDPI_SLOT_MASK) == KDPI_NO_SLOT) {
        if (!kdpi_book_widen(book, place->price_e4))
            return KDP_BOOK_NO_MEMORY;
        layout = book->layout;
        entry = layout->map[place->price_e4];
    }
    place->slot = (int)(entry & KDPI_SLOT_MASK);
    if (place->side != 0)
        place->slot = (int)layout->slots - 1 - place->slot;
    place->sizes = kdpi_book_sizes(book, place->side);
    place->bits = kdpi_book_bits(book, place->side);
    return (entry & KDPI_OFF_GRID) != 0 ? KDP_BOOK_OFF_GRID : KDP_BOOK_APPLIED;
}

static inline enum kdp_book_verdict
find_place(struct kdp_book *book, uint8_t side, int32_t price_e4, struct place *place)
{
    unsigned cent;

    if (UNLIKELY((unsigned)side - 1u > 1u || (uint32_t)price_e4 > KDP_PRICE_MAX))
        return KDP_BOOK_BAD_LEVEL;
    place->side = side - 1u;
    place->price_e4 = price_e4;
    cent = (uint32_t)price_e4 / KDPI_CENT;
    if (UNLIKELY(book->wide != NULL || cent * KDPI_CENT != (uint32_t)price_e4 || book->holes))
        return find_uncommon(book, place);
    place->slot = (int)(place->side == 0 ? cent : KDPI_CENTS - cent);
    place->sizes = book->sizes[place->side];
    place->bits = book->bits[place->side];
    return KDP_BOOK_APPLIED;
}

/* best_vanished finds the next best level of a side, whose bit is already gone. */
static void
best_vanished(struct kdp_book *book, const struct place *place)
{
    unsigned side = place->side;
    int slot = kdpi_slot_below(place->bits, place->slot);

    book->best[side] = (int16_t)slot;
    if (slot < 0) {
        book->best_price[side] = KDPI_NO_PRICE;
        book->best_size[side] = 0;
        return;
    }
    book->best_price[side] = kdpi_slot_price(book->layout, side, (unsigned)slot);
    book->best_size[side] = place->sizes[slot];
}

/* change sets one level from old to new (they differ) and follows everything that is kept along. */
static inline void
change(struct kdp_book *book, const struct place *place, int64_t old, int64_t new)
{
    unsigned side = place->side;
    uint64_t bit = UINT64_C(1) << (place->slot & 63);
    uint64_t gone = kdpi_level_hash(side + 1u, place->price_e4, old);
    uint64_t come = kdpi_level_hash(side + 1u, place->price_e4, new);

    place->sizes[place->slot] = new;
    book->hash += (new != 0 ? come : 0) - (old != 0 ? gone : 0);
    if (new == 0) {
        place->bits[place->slot >> 6] &= ~bit;
        book->count[side]--;
        if (place->slot == book->best[side])
            best_vanished(book, place);
        return;
    }
    if (old == 0) {
        place->bits[place->slot >> 6] |= bit;
        book->count[side]++;
    }
    if (place->slot >= book->best[side]) {
        book->best[side] = (int16_t)place->slot;
        book->best_price[side] = (int16_t)place->price_e4;
        book->best_size[side] = new;
    }
}

enum kdp_book_verdict
kdp_book_apply(struct kdp_book *book, uint8_t side, int32_t price_e4, int64_t delta_e2, int64_t *size_e2p)
{
    struct place place;
    enum kdp_book_verdict verdict;
    int64_t old, new, total;

    if (UNLIKELY(book->state != KDP_BOOK_STATE_LIVE))
        return KDP_BOOK_NOT_LIVE;
    verdict = find_place(book, side, price_e4, &place);
    if (UNLIKELY(verdict > KDP_BOOK_OFF_GRID))
        return refuse(book, verdict);
    old = place.sizes[place.slot];
    /* old size and total are never negative, so that only a positive delta can overflow */
    if (UNLIKELY(__builtin_add_overflow(old, delta_e2, &new) ||
                 __builtin_add_overflow(book->total[place.side], delta_e2, &total)))
        return refuse(book, KDP_BOOK_BAD_LEVEL);
    if (UNLIKELY(new < 0))
        return refuse(book, KDP_BOOK_NEGATIVE);
    *size_e2p = new;
    if (UNLIKELY(delta_e2 == 0))
        return verdict;
    book->total[place.side] = total;
    change(book, &place, old, new);
    return verdict;
}

void
kdp_book_prefetch(const struct kdp_book *book, uint8_t side, int32_t price_e4)
{
    unsigned cent = (uint32_t)price_e4 / KDPI_CENT % KDPI_CENT_SLOTS;

    __builtin_prefetch(book, 1);
    __builtin_prefetch(book->bits, 1);
    __builtin_prefetch(side == KDP_SIDE_YES ? &book->sizes[0][cent] : &book->sizes[1][KDPI_CENTS - cent], 1);
}

void
kdp_book_begin(struct kdp_book *book)
{
    kdpi_book_clear(book);
    book->state = KDP_BOOK_STATE_STALE;
    book->replacing = true;
    book->put_verdict = KDP_BOOK_APPLIED;
}

/* A refused level empties the book: half of a snapshot must not pass for a book, whatever its state says. */
static enum kdp_book_verdict
refuse_put(struct kdp_book *book, enum kdp_book_verdict verdict)
{
    kdpi_book_clear(book);
    book->put_verdict = (uint8_t)verdict;
    return refuse(book, verdict);
}

enum kdp_book_verdict
kdp_book_put(struct kdp_book *book, uint8_t side, int32_t price_e4, int64_t size_e2)
{
    struct place place;
    enum kdp_book_verdict verdict;
    int64_t total;

    KDP_ASSERT(book->replacing);
    if (book->put_verdict != KDP_BOOK_APPLIED)
        return (enum kdp_book_verdict)book->put_verdict;
    if (size_e2 < 0)
        return refuse_put(book, KDP_BOOK_BAD_LEVEL);
    verdict = find_place(book, side, price_e4, &place);
    if (verdict > KDP_BOOK_OFF_GRID)
        return refuse_put(book, verdict);
    if (place.sizes[place.slot] != 0 || __builtin_add_overflow(book->total[place.side], size_e2, &total))
        return refuse_put(book, KDP_BOOK_BAD_LEVEL);
    if (size_e2 == 0)
        return verdict;
    book->total[place.side] = total;
    change(book, &place, 0, size_e2);
    return verdict;
}

enum kdp_book_verdict
kdp_book_commit(struct kdp_book *book)
{
    KDP_ASSERT(book->replacing);
    book->replacing = false;
    if (book->put_verdict != KDP_BOOK_APPLIED)
        return (enum kdp_book_verdict)book->put_verdict;
    book->state = KDP_BOOK_STATE_LIVE;
    return KDP_BOOK_APPLIED;
}

/* follow adds the time since the last settle to what the market was then, and starts what it is now. */
static __attribute__((noinline)) void
follow(struct kdp_book *book, enum kdp_market_state now, int64_t now_ns)
{
    int64_t spent_ns = 0;

    if (book->market_state != KDP_MARKET_NORMAL && now_ns > book->followed_ns)
        spent_ns = now_ns - book->followed_ns;
    if (book->market_state == KDP_MARKET_LOCKED)
        book->locked_ns += spent_ns;
    else
        book->crossed_ns += spent_ns;
    if (book->market_state != now)
        book->since_ns = now == KDP_MARKET_NORMAL ? KDP_TIME_NULL : now_ns;
    book->market_state = (uint8_t)now;
    book->followed_ns = now_ns;
}

static inline int32_t
price_out(int16_t price)
{
    return price < 0 ? KDP_PRICE_NULL : price;
}

void
kdp_book_top(const struct kdp_book *book, struct kdp_top *topp)
{
    topp->bid_e4 = price_out(book->best_price[0]);
    topp->ask_e4 = price_out(book->best_price[1]);
    topp->bid_size_e2 = book->best_size[0];
    topp->ask_size_e2 = book->best_size[1];
}

bool
kdp_book_settle(struct kdp_book *book, int64_t now_ns, struct kdp_top *topp)
{
    int16_t bid = book->best_price[0], ask = book->best_price[1];
    enum kdp_market_state now = KDP_MARKET_NORMAL;
    bool changed;

    kdp_book_top(book, topp);
    changed = bid != book->last_price[0] || ask != book->last_price[1] ||
              book->best_size[0] != book->last_size[0] || book->best_size[1] != book->last_size[1];
    book->last_price[0] = bid;
    book->last_price[1] = ask;
    book->last_size[0] = book->best_size[0];
    book->last_size[1] = book->best_size[1];
    if (UNLIKELY(ask >= 0 && bid >= ask && book->state == KDP_BOOK_STATE_LIVE))
        now = bid == ask ? KDP_MARKET_LOCKED : KDP_MARKET_CROSSED;
    if (UNLIKELY(now != KDP_MARKET_NORMAL || book->market_state != KDP_MARKET_NORMAL))
        follow(book, now, now_ns);
    return changed;
}

enum kdp_book_state
kdp_book_state(const struct kdp_book *book)
{
    return (enum kdp_book_state)book->state;
}

void
kdp_book_set_state(struct kdp_book *book, enum kdp_book_state state)
{
    KDP_ASSERT(!book->replacing);
    if (state == KDP_BOOK_STATE_LIVE)
        book->state = KDP_BOOK_STATE_LIVE;
    else
        leave_live(book, state);
}

uint64_t
kdp_book_hash(const struct kdp_book *book)
{
    return book->hash;
}

uint32_t
kdp_book_level_count(const struct kdp_book *book, uint8_t side)
{
    KDP_ASSERT(side == KDP_SIDE_YES || side == KDP_SIDE_NO);
    return book->count[side - 1];
}

int64_t
kdp_book_size_total(const struct kdp_book *book, uint8_t side)
{
    KDP_ASSERT(side == KDP_SIDE_YES || side == KDP_SIDE_NO);
    return book->total[side - 1];
}

uint32_t
kdp_book_depth(const struct kdp_book *book, uint8_t side, struct kdp_book_level *levels, uint32_t max)
{
    const uint64_t *bits;
    const int64_t *sizes;
    uint32_t n = 0;
    unsigned index;

    KDP_ASSERT(side == KDP_SIDE_YES || side == KDP_SIDE_NO);
    index = side - 1u;
    bits = kdpi_book_bits(book, index);
    sizes = kdpi_book_sizes(book, index);
    for (int slot = book->best[index]; slot >= 0 && n < max; slot = kdpi_slot_below(bits, slot), n++) {
        levels[n].price_e4 = kdpi_slot_price(book->layout, index, (unsigned)slot);
        levels[n].size_e2 = sizes[slot];
    }
    return n;
}

int32_t
kdp_book_mid_e5(const struct kdp_book *book)
{
    if (book->best_price[0] < 0 || book->best_price[1] < 0)
        return KDP_PRICE_NULL;
    return (book->best_price[0] + book->best_price[1]) * 5;
}

int32_t
kdp_book_spread_e4(const struct kdp_book *book)
{
    if (book->best_price[0] < 0 || book->best_price[1] < 0)
        return KDP_PRICE_NULL;
    return book->best_price[1] - book->best_price[0];
}

enum kdp_market_state
kdp_book_market_state(const struct kdp_book *book, int64_t *since_nsp, int64_t *locked_nsp,
                      int64_t *crossed_nsp)
{
    *since_nsp = book->since_ns;
    *locked_nsp = book->locked_ns;
    *crossed_nsp = book->crossed_ns;
    return (enum kdp_market_state)book->market_state;
}
