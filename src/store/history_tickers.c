/* history_tickers.c - the markets of a batch by number: a trade's record has a number where the ticker would be. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "history_private.h"
#include "memory.h"

static uint32_t
hash_text(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

const char *
history_ticker(void *arg, uint32_t number)
{
    const struct history_tickers *tickers = arg;

    return number == 0 || number > tickers->count ? NULL : tickers->text + tickers->at[number];
}

int
history_tickers_grow(struct history_tickers *tickers)
{
    size_t count = tickers->slot_count < 1024 ? 1024 : tickers->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);

    if (slots == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (uint32_t number = 1; number <= tickers->count; number++) {
        const char *text = tickers->text + tickers->at[number];
        size_t slot = hash_text(text, strlen(text)) & (count - 1);

        while (slots[slot] != 0)
            slot = (slot + 1) & (count - 1);
        slots[slot] = number;
    }
    free(tickers->slots);
    tickers->slots = slots;
    tickers->slot_count = count;
    return 0;
}

uint32_t
history_ticker_number(struct history_tickers *tickers, const char *text, size_t len)
{
    uint32_t *at;
    size_t slot;
    char *grown;

    if (((size_t)tickers->count + 1) * 2 > tickers->slot_count && history_tickers_grow(tickers) != 0)
        return 0;
    for (slot = hash_text(text, len) & (tickers->slot_count - 1); tickers->slots[slot] != 0;
         slot = (slot + 1) & (tickers->slot_count - 1)) {
        const char *known = tickers->text + tickers->at[tickers->slots[slot]];

        if (strncmp(known, text, len) == 0 && known[len] == '\0')
            return tickers->slots[slot];
    }
    at = kdpi_grow(tickers->at, &tickers->at_room, sizeof *at, (size_t)tickers->count + 2);
    if (at == NULL)
        return 0;
    tickers->at = at;
    grown = kdpi_grow(tickers->text, &tickers->room, 1, tickers->used + len + 1);
    if (grown == NULL)
        return 0;
    tickers->text = grown;
    memcpy(grown + tickers->used, text, len);
    grown[tickers->used + len] = '\0';
    tickers->at[++tickers->count] = (uint32_t)tickers->used;
    tickers->used += len + 1;
    tickers->slots[slot] = tickers->count;
    return tickers->count;
}

void
history_tickers_clear(struct history_tickers *tickers)
{
    memset(tickers->slots, 0, tickers->slot_count * sizeof *tickers->slots);
    tickers->count = 0;
    tickers->used = 0;
}

void
history_tickers_release(struct history_tickers *tickers)
{
    free(tickers->text);
    free(tickers->at);
    free(tickers->slots);
}
