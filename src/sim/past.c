/* past.c - the past's markets by ticker, and its trades by number and time, whatever they come from. */
#include "past_private.h"

#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "memory.h"

uint64_t
past_mix(uint64_t value)
{
    uint64_t z = value + UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- markets ---- */

static uint32_t *
head_of(const struct kdp_past *past, const char *ticker, size_t len)
{
    uint64_t h = len;

    for (size_t i = 0; i < len; i++)
        h = past_mix(h ^ (unsigned char)ticker[i]);
    return &past->heads[h & (past->head_count - 1)];
}

uint32_t
kdp_past_find(const struct kdp_past *past, const char *ticker, size_t len)
{
    for (uint32_t i = *head_of(past, ticker, len); i != PAST_NOWHERE; i = past->markets[i].hash_next) {
        if (past->markets[i].ticker_len == len && memcmp(past->markets[i].ticker, ticker, len) == 0)
            return i;
    }
    return PAST_NOWHERE;
}

struct past_market *
past_market_add(struct kdp_past *past)
{
    struct past_market *market;

    if (past->market_count == KDP_PAST_MARKETS_MAX)
        return NULL;
    if (past->market_count == past->market_room) {
        void *grown =
            kdpi_grow(past->markets, &past->market_room, sizeof *past->markets, past->market_count + 1u);

        if (grown == NULL)
            return NULL;
        past->markets = grown;
    }
    market = &past->markets[past->market_count++];
    *market = (struct past_market){.hash_next = PAST_NOWHERE,
                                   .refined_ns = KDP_TIME_NULL,
                                   .status = KDP_MARKET_STATUS_FINALIZED,
                                   .updated_ns = KDP_TIME_NULL,
                                   .said_e2 = KDP_INT64_NULL,
                                   .created_ns = KDP_TIME_NULL,
                                   .open_ns = KDP_TIME_NULL,
                                   .close_ns = KDP_TIME_NULL,
                                   .determined_ns = KDP_TIME_NULL,
                                   .settled_ns = KDP_TIME_NULL,
                                   .strike_e6 = KDP_INT64_NULL,
                                   .settlement_value_e6 = KDP_INT64_NULL,
                                   .last_e4 = KDP_PRICE_NULL};
    return market;
}

const char *
past_text(struct kdp_past *past, const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (past->text_count == past->text_room) {
        void *grown = kdpi_grow(past->texts, &past->text_room, sizeof *past->texts, past->text_count + 1);

        if (grown == NULL) {
            free(copy);
            return NULL;
        }
        past->texts = grown;
    }
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    past->text_bytes += len + 1;
    return past->texts[past->text_count++] = copy;
}

int
past_name(struct kdp_past *past, uint32_t market)
{
    struct past_market *m = &past->markets[market];
    uint32_t *head;

    if (m->ticker == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a market of the past");
    m->ticker_len = strlen(m->ticker);
    head = head_of(past, m->ticker, m->ticker_len);
    m->hash_next = *head;
    *head = market;
    return 0;
}

uint32_t
kdp_past_market_count(const struct kdp_past *past)
{
    return past != NULL ? past->market_count : 0;
}

const char *
kdp_past_ticker(const struct kdp_past *past, uint32_t market, size_t *lenp)
{
    *lenp = past->markets[market].ticker_len;
    return past->markets[market].ticker;
}

void
kdp_past_market_at(const struct kdp_past *past, uint32_t market, struct kdp_exchange_market *out)
{
    const struct past_market *m = &past->markets[market];
    const struct gen_structure *s = &gen_structures[m->structure];

    memset(out, 0, sizeof *out);
    out->ticker = m->ticker;
    out->event_ticker = m->event_ticker;
    out->series_ticker = m->series_ticker;
    out->title = m->title;
    out->event_title = m->title;
    out->yes_sub_title = m->sub_title;
    out->structure = s->name;
    out->status = m->status;
    out->combo = m->combo;
    out->raw = m->raw;
    out->strike_type = m->strike_type;
    out->result = m->result;
    out->created_ns = m->created_ns;
    out->open_ns = m->open_ns;
    out->close_ns = out->expiry_ns = m->close_ns;
    out->determined_ns = m->determined_ns;
    out->settled_ns = m->settled_ns;
    out->updated_ns = m->updated_ns != KDP_TIME_NULL ? m->updated_ns : m->settled_ns;
    out->floor_strike_e6 = m->strike_e6;
    out->cap_strike_e6 = KDP_INT64_NULL;
    out->settlement_value_e6 = m->settlement_value_e6;
    out->range_count = s->bands;
    for (unsigned i = 0; i < s->bands; i++)
        out->ranges[i] = (struct kdp_definition_ranges){
            .start_e4 = s->band[i].start_e4, .end_e4 = s->band[i].end_e4, .step_e4 = s->band[i].step_e4};
    out->ask_e4 = 10000;
    out->last_e4 = m->last_e4;
    out->last_size_e2 = m->last_size_e2;
    out->volume_e2 = m->said_e2 != KDP_INT64_NULL ? m->said_e2 : m->volume_e2;
    out->open_interest_e2 = m->volume_e2 / 8 * 3;
    out->dollar_volume = m->cash_e6 / 1000000;
    out->dollar_open_interest = out->dollar_volume / 8 * 3;
    out->trades = m->trades;
}

/* ---- trades ---- */

uint64_t
kdp_past_count(const struct kdp_past *past)
{
    return past != NULL ? past->count : 0;
}

static uint32_t
bucket_of_number(const struct kdp_past *past,
                 uint64_t number) /* the last bucket that begins at or before it */
{
    uint32_t low = 0, high = past->buckets;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (past->bucket_first[middle] <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

const struct kdp_exchange_trade *
kdp_past_at(struct kdp_past *past, uint64_t number)
{
    uint32_t bucket;

    if (past->stored != NULL)
        return &past->stored[number];
    bucket = bucket_of_number(past, number);
    return &past_made_page(past, PAST_NOWHERE, bucket)->trades[number - past->bucket_first[bucket]];
}

static size_t
later(const struct kdp_exchange_trade *trades, size_t count, int64_t time_ns)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (trades[middle].time_ns > time_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint64_t
kdp_past_after(struct kdp_past *past, int64_t time_ns)
{
    int64_t bucket;
    const struct past_page *page;

    if (past->stored != NULL)
        return later(past->stored, past->count, time_ns);
    if (past->buckets == 0 || time_ns < past->begin_s * KDP_NS_PER_S)
        return 0;
    bucket = (time_ns / KDP_NS_PER_S - past->begin_s) / past->bucket_s;
    if (bucket >= past->buckets)
        return past->count;
    page = past_made_page(past, PAST_NOWHERE, (uint32_t)bucket);
    return past->bucket_first[bucket] + later(page->trades, page->count, time_ns);
}

uint64_t
kdp_past_market_trades(const struct kdp_past *past, uint32_t market)
{
    return past->markets[market].trades;
}

const struct kdp_exchange_trade *
kdp_past_market_trade(struct kdp_past *past, uint32_t market, uint64_t number)
{
    const struct past_market *m = &past->markets[market];
    const uint32_t *cells;
    uint32_t low = 0, high = m->buckets;

    if (past->stored != NULL)
        return &past->stored[past->numbers[m->list + number]];
    cells = &past->cells[m->cell];
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (cells[middle] <= number)
            low = middle;
        else
            high = middle;
    }
    return &past_made_page(past, market, m->bucket + low)->trades[number - cells[low]];
}

uint64_t
kdp_past_market_after(struct kdp_past *past, uint32_t market, int64_t time_ns)
{
    const struct past_market *m = &past->markets[market];
    uint64_t low = 0, high = m->trades;
    const struct past_page *page;
    int64_t bucket;

    if (past->stored != NULL) {
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;

            if (past->stored[past->numbers[m->list + middle]].time_ns > time_ns)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }
    if (m->buckets == 0 || time_ns < past->begin_s * KDP_NS_PER_S)
        return 0;
    bucket = (time_ns / KDP_NS_PER_S - past->begin_s) / past->bucket_s - m->bucket;
    if (bucket < 0)
        return 0;
    if (bucket >= m->buckets)
        return m->trades;
    page = past_made_page(past, market, m->bucket + (uint32_t)bucket);
    return past->cells[m->cell + (size_t)bucket] + later(page->trades, page->count, time_ns);
}

/* ---- life ---- */

void
kdp_past_span(const struct kdp_past *past, int64_t *first_nsp, int64_t *last_nsp)
{
    *first_nsp = *last_nsp = KDP_TIME_NULL;
    if (past->stored != NULL && past->count > 0) {
        *first_nsp = past->stored[0].time_ns;
        *last_nsp = past->stored[past->count - 1].time_ns;
    } else if (past->count > 0) {
        *first_nsp = past->begin_s * KDP_NS_PER_S;
        *last_nsp = past->end_s * KDP_NS_PER_S;
    }
}

size_t
kdp_past_memory(const struct kdp_past *past)
{
    size_t bytes = sizeof *past + past->market_room * sizeof *past->markets + past->text_bytes +
                   past->head_count * sizeof *past->heads + past->cell_count * sizeof *past->cells +
                   past->buckets * sizeof *past->bucket_first + past->stored_room * sizeof *past->stored +
                   past->key_room * sizeof *past->keys + past->unsorted_room * sizeof *past->unsorted;

    for (unsigned i = 0; i < PAST_PAGES; i++)
        bytes += past->pages[i].room * sizeof *past->pages[i].trades;
    return bytes;
}

int
kdp_past_open(struct kdp_past **pastp, const struct kdp_past_config *config)
{
    struct kdp_past *past = calloc(1, sizeof *past);
    int rc = kdpi_fail(KDP_ENOMEM, "no memory for a past");

    *pastp = NULL;
    if (past == NULL)
        return rc;
    past->config = *config;
    past->head_count = 65536;
    past->heads = malloc(past->head_count * sizeof *past->heads);
    if (past->heads != NULL) {
        memset(past->heads, 0xff, past->head_count * sizeof *past->heads);
        rc = config->file_count > 0 || config->answer_count > 0 ? past_read_open(past) : past_made_open(past);
    }
    if (rc != 0) {
        kdp_past_close(past);
        return rc;
    }
    *pastp = past;
    return 0;
}

void
kdp_past_close(struct kdp_past *past)
{
    if (past == NULL)
        return;
    for (size_t i = 0; i < past->text_count; i++)
        free(past->texts[i]);
    for (unsigned i = 0; i < PAST_PAGES; i++)
        free(past->pages[i].trades);
    free(past->texts);
    free(past->markets);
    free(past->heads);
    free(past->bucket_first);
    free(past->cells);
    free(past->keys);
    free(past->unsorted);
    free(past->stored);
    free(past->numbers);
    free(past);
}
