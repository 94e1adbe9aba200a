/* instrument.c - one open-addressing index over an array and a text arena, all in reserved address space.
 *
 * The index begins with room for as many instruments as there may be books and doubles when it is half full,
 * from one of its two places to the other: were it as large as all ids need, the tickers' hashes would touch
 * all of it, 128 MB for the first 30,000 markets. */
#include "instrument.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "error.h"
#include "memory.h"

#define ARENA_PER_INSTRUMENT 512u /* reserved, not touched */
#define BOOKS_PER_INSTRUMENT 32u  /* most ids are of combinations, which have no book */

struct entry {
    uint32_t tag, id; /* tag: bits of the ticker's hash, the lowest of them say where the entry belongs */
};

struct kdp_instruments {
    struct kdp_instrument *items;
    struct entry *index;
    struct entry *places[2]; /* each of index_bytes; the index is in one of them */
    char *arena;
    size_t items_bytes, index_bytes, arena_bytes, arena_used;
    uint32_t mask, count;
    uint32_t max, next; /* next: id to give out */
};

struct kdp_instruments *
kdp_instruments_open(uint32_t max)
{
    struct kdp_instruments *table = calloc(1, sizeof *table);
    uint32_t size = 1024 * BOOKS_PER_INSTRUMENT;

    if (table == NULL)
        return NULL;
    while (size < max * 2u && size < (UINT32_C(1) << 30))
        size *= 2;
    table->max = max;
    table->next = 1;
    table->mask = size / BOOKS_PER_INSTRUMENT - 1;
    table->items_bytes = ((size_t)max + 1) * sizeof *table->items;
    table->index_bytes = (size_t)size * sizeof *table->index;
    table->arena_bytes = ((size_t)max + 1) * ARENA_PER_INSTRUMENT;
    table->items = kdpi_reserve(table->items_bytes);
    table->index = table->places[0] = kdpi_reserve(table->index_bytes);
    table->places[1] = kdpi_reserve(table->index_bytes);
    table->arena = kdpi_reserve(table->arena_bytes);
    if (table->items == NULL || table->places[0] == NULL || table->places[1] == NULL ||
        table->arena == NULL) {
        kdp_instruments_close(table);
        return NULL;
    }
    return table;
}

void
kdp_instruments_close(struct kdp_instruments *table)
{
    if (table == NULL)
        return;
    kdpi_unreserve(table->items, table->items_bytes);
    for (int i = 0; i < 2; i++)
        kdpi_unreserve(table->places[i], table->index_bytes);
    kdpi_unreserve(table->arena, table->arena_bytes);
    free(table);
}

static void *
take(struct kdp_instruments *table, size_t bytes, size_t align)
{
    size_t at = (table->arena_used + align - 1) & ~(align - 1);

    if (bytes > table->arena_bytes - at)
        return NULL;
    table->arena_used = at + bytes;
    return table->arena + at;
}

/* Gives the ticker's entry, or the free one where it belongs. */
static struct entry *
probe(const struct kdp_instruments *table, struct kdp_text ticker, uint32_t *tagp)
{
    uint32_t tag = (uint32_t)XXH3_64bits(ticker.data, ticker.len), at = tag & table->mask;

    *tagp = tag;
    for (; table->index[at].id != 0; at = (at + 1) & table->mask) {
        const struct kdp_instrument *item = &table->items[table->index[at].id];

        if (table->index[at].tag == tag && item->ticker_len == ticker.len &&
            memcmp(item->ticker, ticker.data, ticker.len) == 0)
            break;
    }
    return &table->index[at];
}

uint32_t
kdp_instruments_find(const struct kdp_instruments *table, struct kdp_text ticker)
{
    uint32_t tag;

    return ticker.len == 0 || ticker.len > KDPI_TICKER_MAX ? 0 : probe(table, ticker, &tag)->id;
}

/* The index doubles: half a millisecond for 65,536 instruments, a few times in a run's life. */
static void
grow(struct kdp_instruments *table)
{
    struct entry *old = table->index, *index = table->places[old == table->places[0]];
    uint32_t mask = table->mask * 2 + 1;

    for (uint32_t i = 0; i <= table->mask; i++) {
        uint32_t at = old[i].tag & mask;

        if (old[i].id == 0)
            continue;
        while (index[at].id != 0)
            at = (at + 1) & mask;
        index[at] = old[i];
    }
    table->index = index;
    table->mask = mask;
    madvise(old, table->index_bytes, MADV_DONTNEED); /* reads as zeros when its turn comes */
}

static uint32_t
add(struct kdp_instruments *table, struct entry *entry, uint32_t tag, uint32_t id, struct kdp_text ticker)
{
    struct kdp_instrument *item = &table->items[id];
    char *copy = take(table, ticker.len + 1, 1);

    if (copy == NULL)
        return 0;
    memcpy(copy, ticker.data, ticker.len);
    copy[ticker.len] = '\0';
    *item = (struct kdp_instrument){.ticker = copy,
                                    .ticker_len = (uint16_t)ticker.len,
                                    .last_price_e4 = KDP_PRICE_NULL,
                                    .last_ts_ms = KDP_INT64_NULL,
                                    .last_trade_ns = KDP_TIME_NULL,
                                    .day = INT32_MIN};
    entry->tag = tag;
    entry->id = id;
    if (++table->count > table->mask / 2 &&
        ((size_t)table->mask + 1) * 2 * sizeof *table->index <= table->index_bytes)
        grow(table);
    return id;
}

uint32_t
kdp_instruments_intern(struct kdp_instruments *table, struct kdp_text ticker)
{
    struct entry *entry;
    uint32_t tag;

    if (ticker.len == 0 || ticker.len > KDPI_TICKER_MAX)
        return 0;
    entry = probe(table, ticker, &tag);
    if (entry->id != 0)
        return entry->id;
    if (table->next > table->max)
        return 0;
    return add(table, entry, tag, table->next++, ticker);
}

int
kdp_instruments_restore(struct kdp_instruments *table, uint32_t id, struct kdp_text ticker)
{
    struct entry *entry;
    uint32_t tag;

    if (id == 0 || id > table->max || ticker.len == 0 || ticker.len > KDPI_TICKER_MAX)
        return kdpi_fail(KDP_ERANGE, "instrument %u \"%.*s\" does not fit (at most %u)", id, (int)ticker.len,
                         ticker.data, table->max);
    entry = probe(table, ticker, &tag);
    if (entry->id != 0 || table->items[id].ticker != NULL)
        return kdpi_fail(KDP_EFORMAT, "instrument %u \"%.*s\" is named twice", id, (int)ticker.len,
                         ticker.data);
    if (add(table, entry, tag, id, ticker) == 0)
        return kdpi_fail(KDP_ENOMEM, "no room for instrument %u", id);
    if (id >= table->next)
        table->next = id + 1;
    return 0;
}

void
kdp_instruments_skip_to(struct kdp_instruments *table, uint32_t id)
{
    if (id > table->next)
        table->next = id;
}

struct kdp_instrument *
kdp_instruments_at(struct kdp_instruments *table, uint32_t id)
{
    return &table->items[id];
}

uint32_t
kdp_instruments_max(const struct kdp_instruments *table)
{
    return table->next - 1;
}

uint8_t *
kdp_instruments_keep(struct kdp_instruments *table, struct kdp_instrument *item, size_t size)
{
    uint8_t *room;

    if (item->definition != NULL && size <= item->definition_room)
        return item->definition;
    room = take(table, size, 8);
    if (room == NULL)
        return NULL;
    item->definition = room;
    item->definition_room = (uint16_t)size;
    return room;
}

size_t
kdp_instruments_used(const struct kdp_instruments *table)
{
    return table->arena_used + (size_t)table->next * sizeof *table->items +
           ((size_t)table->mask + 1) * sizeof *table->index;
}
