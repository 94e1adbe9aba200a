/* book_private.h - how a book, its layout and its pool lie in memory; for the files of src/book and nobody
 * else.
 *
 * Both sides are told by keys, which rise towards the better price: the price on the YES side, 10000 - price
 * on the NO side.  A side is an array of sizes, one slot per price of the book's layout, and a bitmap of the
 * slots that are not 0; slots rise with keys.  So "best" is the highest bit on either side, one piece of code
 * serves both, and a market is crossed when its two best keys add up to more than 10000.
 *
 * The array lies in the book itself when the layout has whole cents only.  A book of finer ticks begins with
 * few levels, sorted by key, in that same room, and gets its array, in a block of the pool, with the level
 * that finds no room there: most markets never have that many, and the finest grids would take 22 KB each. */
#ifndef KDPI_BOOK_PRIVATE_H
#define KDPI_BOOK_PRIVATE_H

#include <assert.h>

#include "kdp/book.h"

#define KDPI_CENT 100u  /* 1e-4 dollar in a cent */
#define KDPI_CENTS 100u /* cents in a dollar: buckets of a layout; the price 10000 stands after the last */
#define KDPI_CENT_SLOTS 101u /* slots of a side at whole cents */
#define KDPI_PRICES (KDP_PRICE_MAX + 1u)
#define KDPI_FEW 80u          /* levels of a side that are few */
#define KDPI_LAYOUTS_MAX 128u /* distinct layouts of a pool; the exchange has a dozen structures */
#define KDPI_NO_SLOT 0x7fffu
#define KDPI_SLOT_MASK 0x7fffu
#define KDPI_OFF_GRID 0x8000u
#define KDPI_NO_KEY (-1)

/* A layout says which prices have a slot and which are on the market's known grid.  Layouts are few and
 * shared by all books of a pool: each is built once and found again by its bands and steps. */
struct kdpi_layout {
    struct kdp_book_pool *pool;
    uint64_t key;   /* of ranges and steps, to find it quickly */
    uint32_t books; /* that lie on it; 0 and not pinned: its place may be used again */
    uint32_t slots; /* of a side */
    uint32_t words; /* of a side's bitmap */
    uint32_t range_count;
    struct kdp_tick_range ranges[KDP_BOOK_RANGES_MAX]; /* the known grid; none when range_count is 0 */
    uint8_t steps[KDPI_CENTS];    /* distance of slots within each cent: a divisor of 100 */
    bool natural;                 /* has the slots that the bands ask for, and whole cents, and no more */
    bool cents;                   /* whole cents only: the sizes lie in the book itself */
    bool plain;                   /* cents, and every slot is on the known grid */
    size_t block_bytes;           /* of the block that holds both sides; 0 for cents */
    uint16_t map[KDPI_PRICES];    /* price -> slot on the YES side or KDPI_NO_SLOT, with KDPI_OFF_GRID */
    uint16_t prices[KDPI_PRICES]; /* slot on the YES side -> price */
};

/* The two hot lines hold all that a change of one level and a settle touch, but the size itself.  The place
 * of that size within a whole-cent book depends on the book's address and the price alone, so the processor
 * fetches it while the header is still on its way: with many markets this halves the cost of a miss. */
struct kdp_book {
    uint64_t hash;
    uint64_t *wide; /* bitmaps and sizes of a layout finer than cents whose levels are many, else NULL */
    struct kdpi_layout *layout;
    uint8_t state;        /* enum kdp_book_state */
    uint8_t market_state; /* enum kdp_market_state as of the last settle */
    uint8_t put_verdict;  /* first refusal since begin */
    bool replacing;       /* between begin and commit */
    bool plain;           /* whole cents only, none of them off the known grid */
    uint8_t wide_class;   /* size class of the block at wide */
    uint8_t few_count[2]; /* of a side, when its levels are few */
    uint16_t reserved[4];
    int16_t best_key[2]; /* KDPI_NO_KEY: empty side */
    int16_t last_key[2]; /* as of the last settle, as is last_size */
    int64_t total[2];

    uint64_t bits[2][2];
    int64_t best_size[2];
    int64_t last_size[2];

    union { /* zero while wide is set */
        int64_t sizes[2][KDPI_CENT_SLOTS];
        struct { /* rising keys; zero from few_count on */
            int16_t keys[2][KDPI_FEW];
            int64_t sizes[2][KDPI_FEW];
        } few;
    };

    int64_t since_ns, followed_ns, locked_ns, crossed_ns;
    struct kdp_book *next_free;
};
static_assert(offsetof(struct kdp_book, bits) == 64, "first hot line");
static_assert(offsetof(struct kdp_book, sizes) == 128, "second hot line");
static_assert(sizeof(((struct kdp_book *)0)->few) <= sizeof(((struct kdp_book *)0)->sizes), "few levels fit");

#define KDPI_BOOK_BYTES ((sizeof(struct kdp_book) + 63u) / 64u * 64u)
static_assert(KDPI_BOOK_BYTES <= 1792, "a whole-cent book stays well under 2 KiB");

static inline uint64_t
kdpi_level_hash(unsigned side, int32_t price_e4, int64_t size_e2)
{
    uint64_t x =
        (uint64_t)size_e2 + UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)side << 16 | (uint64_t)price_e4);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline int32_t
kdpi_mirrored(int32_t price_e4, unsigned side)
{
    int32_t mask = -(int32_t)side;

    return (price_e4 ^ mask) + (mask & (KDP_PRICE_MAX + 1)); /* price, or 10000 - price; its own inverse */
}

/* kdpi_book_few tells whether the levels are few; else there are bits and sizes by slot. */
static inline bool
kdpi_book_few(const struct kdp_book *book)
{
    return book->wide == NULL && !book->layout->cents;
}

static inline uint64_t *
kdpi_book_bits(const struct kdp_book *book, unsigned side)
{
    return book->wide == NULL ? (uint64_t *)(uintptr_t)book->bits[side]
                              : book->wide + side * book->layout->words;
}

static inline int64_t *
kdpi_book_sizes(const struct kdp_book *book, unsigned side)
{
    if (book->wide == NULL)
        return (int64_t *)(uintptr_t)book->sizes[side];
    return (int64_t *)(book->wide + 2u * book->layout->words) + side * book->layout->slots;
}

static inline unsigned
kdpi_book_words(const struct kdp_book *book)
{
    return book->wide == NULL ? 2u : book->layout->words;
}

/* kdpi_slot_price gives the price of a slot of side 0 (YES) or 1 (NO). */
static inline int16_t
kdpi_slot_price(const struct kdpi_layout *layout, unsigned side, unsigned slot)
{
    return (int16_t)layout->prices[side == 0 ? slot : layout->slots - 1u - slot];
}

/* kdpi_slot_below gives the highest set bit below slot, or -1. */
static inline int
kdpi_slot_below(const uint64_t *bits, int slot)
{
    int word = slot >> 6;
    uint64_t rest = bits[word] & ((UINT64_C(1) << (slot & 63)) - 1u);

    while (rest == 0) {
        if (word == 0)
            return -1;
        rest = bits[--word];
    }
    return word * 64 + 63 - __builtin_clzll(rest);
}

/* kdpi_slot_top gives the highest set bit of all, or -1. */
static inline int
kdpi_slot_top(const uint64_t *bits, unsigned words)
{
    for (unsigned word = words; word-- > 0;)
        if (bits[word] != 0)
            return (int)(word * 64u + 63u) - __builtin_clzll(bits[word]);
    return -1;
}

/* Levels by position, best first: a position is a slot, or a place among the few; -1 is behind the last. */
static inline int
kdpi_level_best(const struct kdp_book *book, unsigned side)
{
    return kdpi_book_few(book) ? book->few_count[side] - 1
                               : kdpi_slot_top(kdpi_book_bits(book, side), kdpi_book_words(book));
}

static inline int
kdpi_level_below(const struct kdp_book *book, unsigned side, int at)
{
    return kdpi_book_few(book) ? at - 1 : kdpi_slot_below(kdpi_book_bits(book, side), at);
}

static inline int32_t
kdpi_level_price(const struct kdp_book *book, unsigned side, int at)
{
    return kdpi_book_few(book) ? kdpi_mirrored(book->few.keys[side][at], side)
                               : kdpi_slot_price(book->layout, side, (unsigned)at);
}

static inline int64_t
kdpi_level_size(const struct kdp_book *book, unsigned side, int at)
{
    return kdpi_book_few(book) ? book->few.sizes[side][at] : kdpi_book_sizes(book, side)[at];
}

/* book_grid.c */

/* kdpi_layouts_open makes the two pinned layouts: whole cents (index 0) and every price (index 1), no grid
 * known. */
void kdpi_layouts_open(struct kdp_book_pool *pool);
/* kdpi_book_widen lays the book out so that price has a slot too; false when the pool is used up. */
bool kdpi_book_widen(struct kdp_book *book, int32_t price_e4);
/* kdpi_book_clear takes every level away; the memory it leaves behind is zero again. */
void kdpi_book_clear(struct kdp_book *book);
/* kdpi_book_attach and _detach count the books on a layout. */
void kdpi_book_attach(struct kdp_book *book, struct kdpi_layout *layout);
void kdpi_book_detach(struct kdp_book *book);

/* kdpi_book_unfold gives few levels an array of their own; false when the pool is used up. */
bool kdpi_book_unfold(struct kdp_book *book);

/* book_few.c */

/* kdpi_few_find tells whether a level stands at key; *atp is where it is or would be. */
bool kdpi_few_find(const struct kdp_book *book, unsigned side, int32_t key, unsigned *atp);
/* kdpi_few_insert takes the room of one level, which there must be. */
void kdpi_few_insert(struct kdp_book *book, unsigned side, unsigned at, int32_t key, int64_t size_e2);
void kdpi_few_remove(struct kdp_book *book, unsigned side, unsigned at);
void kdpi_few_clear(struct kdp_book *book, unsigned side);

/* book_pool.c */

struct kdpi_layout *kdpi_pool_layouts(struct kdp_book_pool *pool);
/* kdpi_pool_layout_slots counts the places of the table that were ever used. */
uint32_t *kdpi_pool_layout_count(struct kdp_book_pool *pool);
/* kdpi_block_take gives a zeroed block of at least bytes, NULL when the pool is used up; kdpi_block_give
 * takes it back, zeroed again by its last user. */
uint64_t *kdpi_block_take(struct kdp_book_pool *pool, size_t bytes, uint8_t *classp);
void kdpi_block_give(struct kdp_book_pool *pool, uint64_t *block, uint8_t class_index);

#endif
