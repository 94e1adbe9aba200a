/* tape_dict.c - instruments by id. */
#include "tape_dict.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "record.h"
#include "tape_format.h"

#define CHUNK_BYTES 65536u
#define TICKER_BYTES_MAX KDP_RECORD_MAX

struct kdpi_dict_chunk {
    struct kdpi_dict_chunk *next;
    size_t used;
    _Alignas(8) uint8_t bytes[CHUNK_BYTES];
};

void
kdpi_dict_init(struct kdpi_dict *dict)
{
    memset(dict, 0, sizeof *dict);
}

void
kdpi_dict_release(struct kdpi_dict *dict)
{
    for (uint32_t i = 0; i < dict->page_count; i++)
        free(dict->pages[i]);
    free(dict->pages);
    free(dict->by_ticker);
    while (dict->chunks != NULL) {
        struct kdpi_dict_chunk *next = dict->chunks->next;

        free(dict->chunks);
        dict->chunks = next;
    }
    kdpi_dict_init(dict);
}

static struct kdpi_dict_page *
page_of(struct kdpi_dict *dict, uint32_t id)
{
    uint32_t index = id / KDPI_DICT_PAGE;

    if (index >= dict->page_count) {
        uint32_t wanted = index + 1 > dict->page_count * 2 ? index + 1 : dict->page_count * 2;
        struct kdpi_dict_page **grown = realloc(dict->pages, wanted * sizeof(struct kdpi_dict_page *));

        if (grown == NULL)
            return NULL;
        memset(grown + dict->page_count, 0, (wanted - dict->page_count) * sizeof(struct kdpi_dict_page *));
        dict->pages = grown;
        dict->page_count = wanted;
    }
    if (dict->pages[index] == NULL)
        dict->pages[index] = calloc(1, sizeof *dict->pages[index]);
    return dict->pages[index];
}

/* Memory that stays: text and ranges of instruments are small and live as long as the dictionary. */
static void *
keep_bytes(struct kdpi_dict *dict, const void *bytes, size_t len, size_t room)
{
    size_t whole = (room + 7) & ~(size_t)7;
    struct kdpi_dict_chunk *chunk = dict->chunks;
    void *place;

    KDP_ASSERT(whole <= CHUNK_BYTES);
    if (chunk == NULL || CHUNK_BYTES - chunk->used < whole) {
        chunk = malloc(sizeof *chunk);
        if (chunk == NULL)
            return NULL;
        chunk->next = dict->chunks;
        chunk->used = 0;
        dict->chunks = chunk;
    }
    place = chunk->bytes + chunk->used;
    chunk->used += whole;
    if (len > 0)
        memcpy(place, bytes, len);
    memset((uint8_t *)place + len, 0, whole - len);
    return place;
}

const struct kdpi_dict_item *
kdpi_dict_find(const struct kdpi_dict *dict, uint32_t id)
{
    uint32_t index = id / KDPI_DICT_PAGE;

    if (index >= dict->page_count || dict->pages[index] == NULL)
        return NULL;
    return dict->pages[index]->item[id % KDPI_DICT_PAGE].ticker == NULL
               ? NULL
               : &dict->pages[index]->item[id % KDPI_DICT_PAGE];
}

uint32_t *
kdpi_dict_mark(struct kdpi_dict *dict, uint32_t id)
{
    struct kdpi_dict_page *page = page_of(dict, id);

    return page == NULL ? NULL : &page->mark[id % KDPI_DICT_PAGE];
}

static uint64_t
ticker_hash(const char *ticker, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)ticker[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 29);
}

static bool
same_ticker(const struct kdpi_dict *dict, uint32_t id, const char *ticker, size_t len)
{
    const struct kdpi_dict_item *item = kdpi_dict_find(dict, id);

    return item != NULL && item->ticker_len == len && memcmp(item->ticker, ticker, len) == 0;
}

static void
by_ticker_add(struct kdpi_dict *dict, uint32_t id, const struct kdpi_dict_item *item)
{
    uint32_t mask = dict->by_ticker_size - 1;
    uint32_t at = (uint32_t)ticker_hash(item->ticker, item->ticker_len) & mask;

    while (dict->by_ticker[at] != 0) {
        if (same_ticker(dict, dict->by_ticker[at], item->ticker, item->ticker_len)) {
            dict->by_ticker[at] = id; /* the later id of a ticker counts */
            return;
        }
        at = (at + 1) & mask;
    }
    dict->by_ticker[at] = id;
    dict->by_ticker_count++;
}

static bool
by_ticker_make(struct kdpi_dict *dict)
{
    uint32_t size = 1024, *table;

    while (size < (dict->count + 1) * 2 && size < (1u << 31))
        size *= 2;
    table = calloc(size, sizeof *table);
    if (table == NULL)
        return false;
    free(dict->by_ticker);
    dict->by_ticker = table;
    dict->by_ticker_size = size;
    dict->by_ticker_count = 0;
    for (uint32_t page = 0; page < dict->page_count; page++)
        for (uint32_t i = 0; dict->pages[page] != NULL && i < KDPI_DICT_PAGE; i++)
            if (dict->pages[page]->item[i].ticker != NULL)
                by_ticker_add(dict, page * KDPI_DICT_PAGE + i, &dict->pages[page]->item[i]);
    return true;
}

uint32_t
kdpi_dict_id(struct kdpi_dict *dict, const char *ticker)
{
    size_t len = strlen(ticker);

    if (dict->count == 0 || (dict->by_ticker == NULL && !by_ticker_make(dict)))
        return 0;
    for (uint32_t at = (uint32_t)ticker_hash(ticker, len);; at++) {
        uint32_t id = dict->by_ticker[at & (dict->by_ticker_size - 1)];

        if (id == 0 || same_ticker(dict, id, ticker, len))
            return id;
    }
}

int
kdpi_dict_put(struct kdpi_dict *dict, const struct kdp_tape_instrument *instrument, bool keep)
{
    struct kdpi_dict_page *page;
    struct kdpi_dict_item *item, fresh;
    bool known;

    if (instrument->id == 0 || instrument->ticker_len == 0)
        return 0;
    page = page_of(dict, instrument->id);
    if (page == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: instruments of the tape");
    item = &page->item[instrument->id % KDPI_DICT_PAGE];
    known = item->ticker != NULL;
    if (known &&
        (keep ||
         (item->ticker_len == instrument->ticker_len && item->range_count == instrument->range_count &&
          memcmp(item->ticker, instrument->ticker, item->ticker_len) == 0 &&
          (item->range_count == 0 ||
           memcmp(item->ranges, instrument->ranges, item->range_count * sizeof *item->ranges) == 0))))
        return 0;
    fresh.ticker_len = (uint16_t)instrument->ticker_len;
    fresh.range_count = (uint16_t)instrument->range_count;
    fresh.ticker = keep_bytes(dict, instrument->ticker, instrument->ticker_len, instrument->ticker_len + 1);
    fresh.ranges = NULL;
    if (fresh.ticker != NULL && fresh.range_count > 0)
        fresh.ranges = keep_bytes(dict, instrument->ranges, fresh.range_count * sizeof *fresh.ranges,
                                  fresh.range_count * sizeof *fresh.ranges);
    if (fresh.ticker == NULL || (fresh.range_count > 0 && fresh.ranges == NULL))
        return kdpi_fail(KDP_ENOMEM, "out of memory: instruments of the tape");
    *item = fresh;
    if (!known) {
        dict->count++;
        if (instrument->id > dict->id_max)
            dict->id_max = instrument->id;
    }
    if (dict->by_ticker != NULL) {
        if ((dict->by_ticker_count + 1) * 2 > dict->by_ticker_size) {
            free(dict->by_ticker);
            dict->by_ticker = NULL; /* made anew, larger, when somebody asks */
        } else {
            by_ticker_add(dict, instrument->id, item);
        }
    }
    return 1;
}

size_t
kdpi_dict_entry_bytes(const struct kdpi_dict_item *item)
{
    size_t bytes =
        sizeof(struct kdpi_tape_entry) + item->range_count * sizeof *item->ranges + item->ticker_len;

    return (bytes + 7) & ~(size_t)7;
}

void
kdpi_dict_encode(uint8_t *at, uint32_t id, const struct kdpi_dict_item *item)
{
    struct kdpi_tape_entry entry = {id, item->ticker_len, item->range_count};
    size_t ranges = item->range_count * sizeof *item->ranges;

    memset(at, 0, kdpi_dict_entry_bytes(item));
    memcpy(at, &entry, sizeof entry);
    if (ranges > 0)
        memcpy(at + sizeof entry, item->ranges, ranges);
    memcpy(at + sizeof entry + ranges, item->ticker, item->ticker_len);
}

const char *
kdpi_dict_decode(const void *payload, uint64_t bytes, uint32_t count, kdpi_dict_each each, void *arg)
{
    const uint8_t *base = payload;
    uint64_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct kdp_tape_instrument instrument;
        struct kdpi_tape_entry entry;
        uint64_t ranges, whole;

        if (bytes - at < sizeof entry)
            return "the dictionary ends too early";
        memcpy(&entry, base + at, sizeof entry);
        ranges = entry.range_count * sizeof(struct kdp_definition_ranges);
        whole = (sizeof entry + ranges + entry.ticker_len + 7) & ~UINT64_C(7);
        if (entry.id == 0 || entry.ticker_len == 0 || entry.ticker_len > TICKER_BYTES_MAX ||
            ranges > KDP_RECORD_MAX || whole > bytes - at)
            return "the dictionary is malformed";
        instrument.id = entry.id;
        /* entries begin at multiples of 8, so the ranges are aligned */
        instrument.ranges = (const struct kdp_definition_ranges *)(const void *)(base + at + sizeof entry);
        instrument.range_count = entry.range_count;
        instrument.ticker = (const char *)base + at + sizeof entry + ranges;
        instrument.ticker_len = entry.ticker_len;
        for (uint64_t pad = sizeof entry + ranges + entry.ticker_len; pad < whole; pad++)
            if (base[at + pad] != 0)
                return "the dictionary is malformed";
        if (memchr(instrument.ticker, 0, instrument.ticker_len) != NULL)
            return "the dictionary is malformed";
        if (each != NULL && each(arg, &instrument) != 0)
            return NULL;
        at += whole;
    }
    return at == bytes ? NULL : "the dictionary is longer than its entries";
}

bool
kdpi_dict_of_definition(const void *record, size_t size, struct kdp_tape_instrument *instrument)
{
    struct kdp_head head;
    struct kdp_text ticker;
    uint32_t count = 0;

    memcpy(&head, record, sizeof head);
    if (head.template_id != KDP_TEMPLATE_DEFINITION || head.instrument == 0 ||
        size < sizeof(struct kdp_definition))
        return false;
    ticker = kdpi_record_text(record, 0);
    if (ticker.len == 0 || ticker.len > TICKER_BYTES_MAX || memchr(ticker.data, 0, ticker.len) != NULL)
        return false;
    instrument->id = head.instrument;
    instrument->ranges = kdpi_record_group(record, &count);
    instrument->range_count = count;
    instrument->ticker = ticker.data;
    instrument->ticker_len = ticker.len;
    return true;
}
