/* instrument.c - one open-addressing index over an array and a text arena, all in reserved address space. */
#include "instrument.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "error.h"

#define ARENA_PER_INSTRUMENT 512u /* reserved, not touched */

struct entry {
    uint32_t tag, id;
};

struct kdp_instruments {
    struct kdp_instrument *items;
    struct entry *index;
    char *arena;
    size_t items_bytes, index_bytes, arena_bytes, arena_used;
    uint32_t mask, max, next; /* next: id to give out */
};

static void *
reserve(size_t bytes)
{
    void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return mem == MAP_FAILED ? NULL : mem;
}

struct kdp_instruments *
kdp_instruments_open(uint32_t max)
{
    struct kdp_instruments *table = calloc(1, sizeof *table);
    uint32_t size = 1024;

    if (table == NULL)
        return NULL;
    while (size < max * 2u && size < (UINT32_C(1) << 30))
        size *= 2;
    table->max = max;
    table->next = 1;
    table->mask = size - 1;
    table->items_bytes = ((size_t)max + 1) * sizeof *table->items;
    table->index_bytes = (size_t)size * sizeof *table->index;
    table->arena_bytes = ((size_t)max + 1) * ARENA_PER_INSTRUMENT;
    table->items = reserve(table->items_bytes);
    table->index = reserve(table->index_bytes);
    table->arena = reserve(table->arena_bytes);
    if (table->items == NULL || table->index == NULL || table->arena == NULL) {
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
    if (table->items != NULL)
        munmap(table->items, table->items_bytes);
    if (table->index != NULL)
        munmap(table->index, table->index_bytes);
    if (table->arena != NULL)
        munmap(table->arena, table->arena_bytes);
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
    uint64_t hash = XXH3_64bits(ticker.data, ticker.len);
    uint32_t tag = (uint32_t)(hash >> 32) | 1, at = (uint32_t)hash & table->mask;

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
                                    .day = INT32_MIN};
    entry->tag = tag;
    entry->id = id;
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
    return table->arena_used + (size_t)table->next * (sizeof *table->items + sizeof *table->index * 2);
}
