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
    unsigned slot;
    int32_t price_e4;
    int64_t *sizes; /* of the side */
    uint64_t *bits; /* NULL: slot is a place among few levels */
    bool missing;   /* among few levels there is none at this price; it would be at slot */
};

static inline bool
level_good(uint8_t side, int32_t price_e4)
{
    return (side == KDP_SIDE_YES || side == KDP_SIDE_NO) && (uint32_t)price_e4 <= KDP_PRICE_MAX;
}

/* find_place finds where a level stands, and makes a place where there is none. */
static enum kdp_book_verdict
find_place(struct kdp_book *book, uint8_t side, int32_t price_e4, struct place *place)
{
    const struct kdpi_layout *layout = book->layout;
    unsigned entry;

    if (!level_good(side, price_e4))
        return KDP_BOOK_BAD_LEVEL;
    entry = layout->map[price_e4];
    if ((entry & KDPI_SLOT_MASK) == KDPI_NO_SLOT) {
        if (!kdpi_book_widen(book, price_e4))
            return KDP_BOOK_NO_MEMORY;
        layout = book->layout;
        entry = layout->map[price_e4];
    }
    *place = (struct place){.side = side - 1u, .price_e4 = price_e4};
    if (kdpi_book_few(book)) {
        place->missing =
            !kdpi_few_find(book, place->side, kdpi_mirrored(price_e4, place->side), &place->slot);
        place->sizes = book->few.sizes[place->side];
        if (!place->missing || book->few_count[place->side] < KDPI_FEW)
            return (entry & KDPI_OFF_GRID) != 0 ? KDP_BOOK_OFF_GRID : KDP_BOOK_APPLIED;
        if (!kdpi_book_unfold(book))
            return KDP_BOOK_NO_MEMORY;
        place->missing = false;
    }
    place->slot = entry & KDPI_SLOT_MASK;
    if (place->side != 0)
        place->slot = layout->slots - 1u - place->slot;
    place->sizes = kdpi_book_sizes(book, place->side);
    place->bits = kdpi_book_bits(book, place->side);
    return (entry & KDPI_OFF_GRID) != 0 ? KDP_BOOK_OFF_GRID : KDP_BOOK_APPLIED;
}

static inline int64_t
size_at(const struct place *place)
{
    return place->missing ? 0 : place->sizes[place->slot];
}

/* best_vanished finds the next best level of a side, whose bit is already gone. */
static __attribute__((noinline)) void
best_vanished(struct kdp_book *book, unsigned side, unsigned slot, const int64_t *sizes, const uint64_t *bits)
{
    int next = kdpi_slot_below(bits, (int)slot);

    book->best_key[side] = KDPI_NO_KEY;
    book->best_size[side] = 0;
    if (next >= 0) {
        book->best_key[side] =
            (int16_t)kdpi_mirrored(kdpi_slot_price(book->layout, side, (unsigned)next), side);
        book->best_size[side] = sizes[next];
    }
}

static void
change_few(struct kdp_book *book, const struct place *place, int32_t key, int64_t new)
{
    unsigned side = place->side, count;

    if (place->missing) {
        if (new != 0)
            kdpi_few_insert(book, side, place->slot, key, new);
    } else if (new != 0) {
        place->sizes[place->slot] = new;
    } else {
        kdpi_few_remove(book, side, place->slot);
    }
    count = book->few_count[side];
    book->best_key[side] = count > 0 ? book->few.keys[side][count - 1] : KDPI_NO_KEY;
    book->best_size[side] = count > 0 ? book->few.sizes[side][count - 1] : 0;
}

static inline __attribute__((always_inline)) void
change_slot(struct kdp_book *book, const struct place *place, int32_t key, int64_t new)
{
    unsigned side = place->side;
    uint64_t *word = &place->bits[place->slot >> 6], shift = place->slot & 63u, stays = new != 0;

    place->sizes[place->slot] = new;
    *word = (*word & ~(UINT64_C(1) << shift)) | stays << shift;
    if (key >= book->best_key[side]) {
        if (LIKELY(new != 0)) {
            book->best_key[side] = (int16_t)key;
            book->best_size[side] = new;
        } else if (key == book->best_key[side]) { /* else: a delta of nothing, better than the best */
            best_vanished(book, side, place->slot, place->sizes, place->bits);
        }
    }
}

/* change sets one level from old to new and follows everything that is kept along.  Whether a level comes or
 * goes is as good as random from one message to the next and costs no branch; that it is not the best one can
 * be guessed. */
static inline __attribute__((always_inline)) void
change(struct kdp_book *book, const struct place *place, int64_t old, int64_t new)
{
    unsigned side = place->side;
    int32_t key = kdpi_mirrored(place->price_e4, side);

    if (place->bits != NULL)
        change_slot(book, place, key, new);
    else
        change_few(book, place, key, new);
    book->hash += (kdpi_level_hash(side + 1u, place->price_e4, new) & (0 - (uint64_t)(new != 0))) -
                  (kdpi_level_hash(side + 1u, place->price_e4, old) & (0 - (uint64_t)(old != 0)));
}

static inline __attribute__((always_inline)) enum kdp_book_verdict
apply_at(struct kdp_book *book, const struct place *place, int64_t delta_e2, int64_t *size_e2p)
{
    int64_t old = size_at(place), new, total;

    /* old size and total are never negative, so that only a positive delta can overflow */
    if (UNLIKELY(__builtin_add_overflow(old, delta_e2, &new) ||
                 __builtin_add_overflow(book->total[place->side], delta_e2, &total)))
        return refuse(book, KDP_BOOK_BAD_LEVEL);
    if (UNLIKELY(new < 0))
        return refuse(book, KDP_BOOK_NEGATIVE);
    *size_e2p = new;
    book->total[place->side] = total;
    change(book, place, old, new);
    return KDP_BOOK_APPLIED;
}

/* apply_uncommon is apply for all that is not simply a whole cent of a whole-cent book. */
static __attribute__((noinline)) enum kdp_book_verdict
apply_uncommon(struct kdp_book *book, uint8_t side, int32_t price_e4, int64_t delta_e2, int64_t *size_e2p)
{
    struct place place;
    enum kdp_book_verdict found, applied;

    if (book->state != KDP_BOOK_STATE_LIVE)
        return KDP_BOOK_NOT_LIVE;
    found = find_place(book, side, price_e4, &place);
    if (found > KDP_BOOK_OFF_GRID)
        return refuse(book, found);
    applied = apply_at(book, &place, delta_e2, size_e2p);
    return applied == KDP_BOOK_APPLIED ? found : applied;
}

enum kdp_book_verdict
kdp_book_apply(struct kdp_book *book, uint8_t side, int32_t price_e4, int64_t delta_e2, int64_t *size_e2p)
{
    unsigned index = (unsigned)side - KDP_SIDE_YES, cents = (uint32_t)price_e4 / KDPI_CENT;
    struct place place;

    if (UNLIKELY(book->state != KDP_BOOK_STATE_LIVE || !book->plain || index > 1u ||
                 (uint32_t)price_e4 > KDP_PRICE_MAX || cents * KDPI_CENT != (uint32_t)price_e4))
        return apply_uncommon(book, side, price_e4, delta_e2, size_e2p);
    place.side = index;
    place.slot = (cents ^ (0 - index)) + ((0 - index) & (KDPI_CENTS + 1u)); /* NO: 100 - cents */
    place.price_e4 = price_e4;
    place.sizes = book->sizes[index];
    place.bits = book->bits[index];
    place.missing = false;
    return apply_at(book, &place, delta_e2, size_e2p);
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
    if (size_at(&place) != 0 || __builtin_add_overflow(book->total[place.side], size_e2, &total))
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

void
kdp_book_top(const struct kdp_book *book, struct kdp_top *topp)
{
    int bid = book->best_key[0], ask = book->best_key[1];

    topp->bid_e4 = bid < 0 ? KDP_PRICE_NULL : bid;
    topp->ask_e4 = ask < 0 ? KDP_PRICE_NULL : KDP_PRICE_MAX - ask;
    topp->bid_size_e2 = book->best_size[0];
    topp->ask_size_e2 = book->best_size[1];
}

bool
kdp_book_settle(struct kdp_book *book, int64_t now_ns, struct kdp_top *topp)
{
    int16_t bid = book->best_key[0], ask = book->best_key[1];
    enum kdp_market_state now = KDP_MARKET_NORMAL;
    int64_t differ;

    kdp_book_top(book, topp);
    /* one test, no guessing which of the four it was */
    differ = (bid ^ book->last_key[0]) | (ask ^ book->last_key[1]) |
             (book->best_size[0] ^ book->last_size[0]) | (book->best_size[1] ^ book->last_size[1]);
    book->last_key[0] = bid;
    book->last_key[1] = ask;
    book->last_size[0] = book->best_size[0];
    book->last_size[1] = book->best_size[1];
    if (UNLIKELY(bid + ask >= KDP_PRICE_MAX && book->state == KDP_BOOK_STATE_LIVE))
        now = bid + ask == KDP_PRICE_MAX ? KDP_MARKET_LOCKED : KDP_MARKET_CROSSED;
    if (UNLIKELY(now != KDP_MARKET_NORMAL || book->market_state != KDP_MARKET_NORMAL))
        follow(book, now, now_ns);
    return differ != 0;
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
    const uint64_t *bits;
    uint32_t count = 0;

    KDP_ASSERT(side == KDP_SIDE_YES || side == KDP_SIDE_NO);
    if (kdpi_book_few(book))
        return book->few_count[side - 1];
    bits = kdpi_book_bits(book, side - 1u);
    for (unsigned word = 0; word < kdpi_book_words(book); word++)
        count += (uint32_t)__builtin_popcountll(bits[word]);
    return count;
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
    uint32_t n = 0;
    unsigned index;

    KDP_ASSERT(side == KDP_SIDE_YES || side == KDP_SIDE_NO);
    index = side - 1u;
    for (int at = kdpi_level_best(book, index); at >= 0 && n < max;
         at = kdpi_level_below(book, index, at), n++) {
        levels[n].price_e4 = kdpi_level_price(book, index, at);
        levels[n].size_e2 = kdpi_level_size(book, index, at);
    }
    return n;
}

int32_t
kdp_book_mid_e5(const struct kdp_book *book)
{
    struct kdp_top top;

    kdp_book_top(book, &top);
    if (top.bid_e4 == KDP_PRICE_NULL || top.ask_e4 == KDP_PRICE_NULL)
        return KDP_PRICE_NULL;
    return (top.bid_e4 + top.ask_e4) * 5;
}

int32_t
kdp_book_spread_e4(const struct kdp_book *book)
{
    struct kdp_top top;

    kdp_book_top(book, &top);
    if (top.bid_e4 == KDP_PRICE_NULL || top.ask_e4 == KDP_PRICE_NULL)
        return KDP_PRICE_NULL;
    return top.ask_e4 - top.bid_e4;
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
