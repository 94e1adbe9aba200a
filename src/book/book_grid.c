/* book_grid.c - layouts: which prices have a slot, and how a book moves from one layout to another.
 *
 * A layout has a step for each of the 100 cents; slots stand at whole cents and at every step between them.
 * That holds every structure of the exchange exactly (their bands end at whole cents, their steps divide a
 * cent) and any other bands with some slots to spare.  Layouts are shared and kept in a table of the pool, so
 * that setting the grid of the hundred-thousandth market of a structure is a look-up. */
#include <stdlib.h>
#include <string.h>

#include "book_private.h"
#include "error.h"

static uint64_t
mix(uint64_t key, uint64_t value)
{
    return kdpi_level_hash(1, 0, (int64_t)(key + value));
}

static uint64_t
layout_key(const struct kdp_tick_range *ranges, uint32_t count, const uint8_t *steps)
{
    uint64_t key = count;

    for (uint32_t i = 0; i < count; i++) {
        key = mix(key, (uint64_t)(uint32_t)ranges[i].start_e4 << 32 | (uint32_t)ranges[i].end_e4);
        key = mix(key, (uint32_t)ranges[i].step_e4);
    }
    for (unsigned cent = 0; cent < KDPI_CENTS; cent++)
        key = mix(key, steps[cent]);
    return key;
}

static bool
same_ranges(const struct kdpi_layout *layout, const struct kdp_tick_range *ranges, uint32_t count)
{
    return layout->range_count == count &&
           (count == 0 || memcmp(layout->ranges, ranges, count * sizeof ranges[0]) == 0);
}

static unsigned
gcd(unsigned a, unsigned b)
{
    while (b != 0) {
        unsigned rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* natural_steps gives each cent the widest step that reaches every price of the bands in it. */
static void
natural_steps(const struct kdp_tick_range *ranges, uint32_t count, uint8_t *steps)
{
    memset(steps, KDPI_CENT, KDPI_CENTS);
    for (uint32_t i = 0; i < count; i++) {
        for (int32_t price = ranges[i].start_e4; price <= ranges[i].end_e4; price += ranges[i].step_e4) {
            uint8_t *step = &steps[(uint32_t)price / KDPI_CENT % KDPI_CENTS];

            *step = (uint8_t)gcd(*step, (uint32_t)price % KDPI_CENT);
        }
    }
}

/* layout_build fills in everything that follows from ranges and steps. */
static void
layout_build(struct kdpi_layout *layout, const struct kdp_tick_range *ranges, uint32_t count,
             const uint8_t *steps)
{
    uint8_t natural[KDPI_CENTS];
    uint16_t slot = 0;

    if (count != 0)
        memcpy(layout->ranges, ranges, count * sizeof ranges[0]);
    layout->range_count = count;
    memcpy(layout->steps, steps, sizeof layout->steps);
    natural_steps(ranges, count, natural);
    layout->natural = memcmp(natural, steps, sizeof natural) == 0;
    layout->cents = layout->plain = true;
    for (uint32_t price = 0; price < KDPI_PRICES; price++)
        layout->map[price] = KDPI_NO_SLOT | (count != 0 ? KDPI_OFF_GRID : 0);
    for (uint32_t i = 0; i < count; i++)
        for (int32_t price = ranges[i].start_e4; price <= ranges[i].end_e4; price += ranges[i].step_e4)
            layout->map[price] = KDPI_NO_SLOT;
    for (uint32_t cent = 0; cent <= KDPI_CENTS; cent++) {
        uint32_t step = cent < KDPI_CENTS ? steps[cent] : KDPI_CENT;

        if (step != KDPI_CENT)
            layout->cents = layout->plain = false;
        for (uint32_t rest = 0; rest < KDPI_CENT && cent * KDPI_CENT + rest < KDPI_PRICES; rest += step) {
            uint32_t price = cent * KDPI_CENT + rest;

            layout->prices[slot] = (uint16_t)price;
            layout->map[price] = (uint16_t)((layout->map[price] & KDPI_OFF_GRID) | slot);
            if ((layout->map[price] & KDPI_OFF_GRID) != 0)
                layout->plain = false;
            slot++;
        }
    }
    layout->slots = slot;
    layout->words = (slot + 63u) / 64u;
    layout->block_bytes = layout->cents ? 0 : 2u * sizeof(uint64_t) * (layout->words + layout->slots);
}

/* layout_get finds or builds the layout of these bands and steps; NULL when every place of the table is in
 * use. */
static struct kdpi_layout *
layout_get(struct kdp_book_pool *pool, const struct kdp_tick_range *ranges, uint32_t count,
           const uint8_t *steps)
{
    struct kdpi_layout *layouts = kdpi_pool_layouts(pool), *unused = NULL;
    uint32_t *usedp = kdpi_pool_layout_count(pool);
    uint64_t key = layout_key(ranges, count, steps);

    for (uint32_t i = 0; i < *usedp; i++) {
        struct kdpi_layout *layout = &layouts[i];

        if (layout->key == key && same_ranges(layout, ranges, count) &&
            memcmp(layout->steps, steps, sizeof layout->steps) == 0)
            return layout;
        if (layout->books == 0 && i >= 2) /* the first two are pinned */
            unused = layout;
    }
    if (*usedp < KDPI_LAYOUTS_MAX)
        unused = &layouts[(*usedp)++];
    if (unused == NULL)
        return NULL;
    unused->pool = pool;
    unused->key = key;
    unused->books = 0;
    layout_build(unused, ranges, count, steps);
    return unused;
}

/* natural_layout finds the layout that the bands alone ask for; building steps costs as much as building a
 * layout. */
static struct kdpi_layout *
natural_layout(struct kdp_book_pool *pool, const struct kdp_tick_range *ranges, uint32_t count)
{
    struct kdpi_layout *layouts = kdpi_pool_layouts(pool);
    uint8_t steps[KDPI_CENTS];

    for (uint32_t i = 0; i < *kdpi_pool_layout_count(pool); i++)
        if (layouts[i].natural && same_ranges(&layouts[i], ranges, count))
            return &layouts[i];
    natural_steps(ranges, count, steps);
    return layout_get(pool, ranges, count, steps);
}

void
kdpi_layouts_open(struct kdp_book_pool *pool)
{
    uint8_t steps[KDPI_CENTS];

    memset(steps, KDPI_CENT, sizeof steps);
    layout_get(pool, NULL, 0, steps);
    memset(steps, 1, sizeof steps);
    layout_get(pool, NULL, 0, steps);
}

void
kdpi_book_attach(struct kdp_book *book, struct kdpi_layout *layout)
{
    layout->books++;
    book->layout = layout;
    book->plain = layout->plain;
}

void
kdpi_book_detach(struct kdp_book *book)
{
    book->layout->books--;
    book->layout = NULL;
}

static void
clear_slots(struct kdp_book *book, unsigned side)
{
    uint64_t *bits = kdpi_book_bits(book, side);
    int64_t *sizes = kdpi_book_sizes(book, side);

    /* only slots in use: a wide book's arrays are long and mostly never touched */
    for (unsigned word = 0; word < kdpi_book_words(book); word++) {
        for (; bits[word] != 0; bits[word] &= bits[word] - 1)
            sizes[word * 64u + (unsigned)__builtin_ctzll(bits[word])] = 0;
    }
}

void
kdpi_book_clear(struct kdp_book *book)
{
    for (unsigned side = 0; side < 2; side++) {
        if (kdpi_book_few(book))
            kdpi_few_clear(book, side);
        else
            clear_slots(book, side);
        book->best_key[side] = KDPI_NO_KEY;
        book->best_size[side] = 0;
        book->total[side] = 0;
    }
    book->hash = 0;
}

/* place_level puts a level where the book's layout wants it; levels come best first. */
static void
place_level(struct kdp_book *book, unsigned side, int32_t price_e4, int64_t size_e2)
{
    const struct kdpi_layout *layout = book->layout;
    unsigned slot;

    if (kdpi_book_few(book)) {
        kdpi_few_insert(book, side, 0, kdpi_mirrored(price_e4, side), size_e2);
        return;
    }
    slot = layout->map[price_e4] & KDPI_SLOT_MASK;
    KDP_ASSERT(slot != KDPI_NO_SLOT);
    if (side != 0)
        slot = layout->slots - 1u - slot;
    kdpi_book_bits(book, side)[slot / 64u] |= UINT64_C(1) << (slot % 64u);
    kdpi_book_sizes(book, side)[slot] = size_e2;
}

/* move lays every level out anew: in block when there is one, else in the book itself. */
static void
move(struct kdp_book *book, struct kdpi_layout *to, uint64_t *block, uint8_t class_index)
{
    struct kdp_book was = *book;

    if (was.wide == NULL) { /* a wide book has nothing there */
        memset(book->sizes, 0, sizeof book->sizes);
        memset(book->bits, 0, sizeof book->bits);
        book->few_count[0] = book->few_count[1] = 0;
    }
    kdpi_book_detach(book);
    kdpi_book_attach(book, to);
    book->wide = block;
    book->wide_class = class_index;
    for (unsigned side = 0; side < 2; side++)
        for (int at = kdpi_level_best(&was, side); at >= 0; at = kdpi_level_below(&was, side, at))
            place_level(book, side, kdpi_level_price(&was, side, at), kdpi_level_size(&was, side, at));
    if (was.wide != NULL) {
        clear_slots(&was, 0);
        clear_slots(&was, 1);
        kdpi_block_give(to->pool, was.wide, was.wide_class);
    }
}

static bool
move_to_block(struct kdp_book *book, struct kdpi_layout *to)
{
    uint8_t class_index;
    uint64_t *block = kdpi_block_take(to->pool, to->block_bytes, &class_index);

    if (block != NULL)
        move(book, to, block, class_index);
    return block != NULL;
}

bool
kdpi_book_unfold(struct kdp_book *book)
{
    return move_to_block(book, book->layout);
}

/* relayout moves the book to another layout, which has a slot for each of its levels; false when there is no
 * block.  A book that had one keeps one: a market that was deep once will be again. */
static bool
relayout(struct kdp_book *book, struct kdpi_layout *to)
{
    bool same = memcmp(book->layout->steps, to->steps, sizeof to->steps) == 0;

    if (same || (kdpi_book_few(book) && !to->cents)) { /* few levels are told by price, not by slot */
        kdpi_book_detach(book);
        kdpi_book_attach(book, to);
    } else if (to->cents || (book->wide == NULL && kdp_book_level_count(book, KDP_SIDE_YES) <= KDPI_FEW &&
                             kdp_book_level_count(book, KDP_SIDE_NO) <= KDPI_FEW)) {
        move(book, to, NULL, 0);
    } else {
        return move_to_block(book, to);
    }
    return true;
}

/* refine makes room for price in steps.  One price of a finer tick is seldom alone, and the exchange refines
 * towards both ends alike; so the whole zone gets the step: the outermost cents, those up to ten cents, or
 * the middle. */
static void
refine(uint8_t *steps, int32_t price_e4)
{
    unsigned cent = (uint32_t)price_e4 / KDPI_CENT, rest = (uint32_t)price_e4 % KDPI_CENT;
    unsigned inner = cent < KDPI_CENTS / 2 ? cent : KDPI_CENTS - 1u - cent;
    unsigned first = inner >= 10 ? 10 : inner >= 1 ? 1 : 0, end = inner >= 10 ? 50 : inner >= 1 ? 10 : 1;

    if (rest == 0)
        return;
    for (unsigned i = first; i < end; i++) {
        steps[i] = (uint8_t)gcd(steps[i], rest);
        steps[KDPI_CENTS - 1u - i] = (uint8_t)gcd(steps[KDPI_CENTS - 1u - i], rest);
    }
}

bool
kdpi_book_widen(struct kdp_book *book, int32_t price_e4)
{
    struct kdpi_layout *from = book->layout, *to;
    uint8_t steps[KDPI_CENTS];

    memcpy(steps, from->steps, sizeof steps);
    refine(steps, price_e4);
    to = layout_get(from->pool, from->ranges, from->range_count, steps);
    if (to == NULL) /* the table is full: every price has a slot on the second layout, which knows no grid */
        to = &kdpi_pool_layouts(from->pool)[1];
    return relayout(book, to);
}

static bool
ranges_good(const struct kdp_tick_range *ranges, uint32_t count)
{
    if (count == 0 || count > KDP_BOOK_RANGES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].start_e4 < 0 || ranges[i].end_e4 > KDP_PRICE_MAX || ranges[i].step_e4 < 1 ||
            ranges[i].start_e4 >= ranges[i].end_e4)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (ranges[j].start_e4 < ranges[i].end_e4 && ranges[i].start_e4 < ranges[j].end_e4)
                return false;
    }
    return true;
}

enum kdp_book_verdict
kdp_book_set_grid(struct kdp_book *book, const struct kdp_tick_range *ranges, uint32_t count)
{
    struct kdpi_layout *to;
    uint8_t steps[KDPI_CENTS];
    bool enough = true;

    if (!ranges_good(ranges, count))
        return KDP_BOOK_BAD_LEVEL;
    to = natural_layout(book->layout->pool, ranges, count);
    if (to == NULL)
        return KDP_BOOK_NO_MEMORY;
    memcpy(steps, to->steps, sizeof steps);
    for (unsigned side = 0; side < 2; side++) {
        for (int at = kdpi_level_best(book, side); at >= 0; at = kdpi_level_below(book, side, at)) {
            int32_t price = kdpi_level_price(book, side, at);

            if ((to->map[price] & KDPI_SLOT_MASK) == KDPI_NO_SLOT) {
                refine(steps, price);
                enough = false;
            }
        }
    }
    if (!enough)
        to = layout_get(book->layout->pool, ranges, count, steps);
    if (to != NULL && relayout(book, to))
        return KDP_BOOK_APPLIED;
    /* No block for the finer layout: know the grid, keep the storage and widen it when such a price comes. */
    to = layout_get(book->layout->pool, ranges, count, book->layout->steps);
    return to != NULL && relayout(book, to) ? KDP_BOOK_APPLIED : KDP_BOOK_NO_MEMORY;
}
