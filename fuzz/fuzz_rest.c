/* fuzz_rest.c - REST bodies: the first byte chooses the decoder.  Slices lie in the body or in the scratch, values in their
 * ranges, counts agree, and a body says the same whatever was decoded before. */
#include "error.h"
#include "rest_private.h"

#include <stdlib.h>

#define KINDS 16u /* so that the digits 0 to 7 are the first eight */

static struct kdp_rest_reader *reader;
static const char *body_start;
static size_t body_size;

/* What one decoding handed out, folded into a number. */
struct seen {
    uint64_t items, fold;
};

static void
fold(struct seen *seen, uint64_t value)
{
    seen->fold = (seen->fold ^ value) * 0x9e3779b97f4a7c15u;
    seen->fold ^= seen->fold >> 29;
}

static void
check_text(struct seen *seen, struct kdp_text text, size_t max)
{
    const char *scratch = reader->d->scratch;

    KDP_ASSERT(text.data != NULL && text.len <= max);
    if (text.len == 0)
        return;
    KDP_ASSERT((text.data >= body_start && text.data + text.len <= body_start + body_size) ||
               (text.data >= scratch && text.data + text.len <= scratch + sizeof reader->d->scratch));
    for (size_t i = 0; i < text.len; i++)
        fold(seen, (unsigned char)text.data[i]);
}

static void
check_price(struct seen *seen, int32_t price)
{
    KDP_ASSERT(price == KDP_PRICE_NULL || (price >= 0 && price <= 10000));
    fold(seen, (uint64_t)price);
}

static void
check_size(struct seen *seen, int64_t size)
{
    KDP_ASSERT(size == KDP_INT64_NULL || size >= 0);
    fold(seen, (uint64_t)size);
}

static bool
each_trade(void *arg, const struct kdp_message *m)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(m->kind == KDP_MESSAGE_TRADE && m->refusal == KDP_REFUSAL_NONE);
    KDP_ASSERT(m->market_ticker.len > 0 && m->exch_ns != KDP_TIME_NULL && m->exch_ns >= 0);
    KDP_ASSERT(m->trade.price_e4 != KDP_PRICE_NULL && m->trade.count_e2 >= 0 &&
               m->trade.taker_side <= KDP_SIDE_NO);
    check_text(seen, m->market_ticker, KDPI_TICKER_MAX);
    check_price(seen, m->trade.price_e4);
    fold(seen, (uint64_t)m->trade.count_e2);
    return true;
}

static bool
each_market(void *arg, const struct kdp_rest_market *m)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(m->ticker.len > 0 && m->status <= KDP_MARKET_STATUS_FINALIZED &&
               m->strike_type <= KDP_STRIKE_TYPE_STRUCTURED);
    KDP_ASSERT(m->result <= KDP_RESULT_SCALAR && m->can_close_early >= -1 && m->can_close_early <= 1);
    KDP_ASSERT(m->exchange_index >= -1 && m->exchange_index <= UINT8_MAX && m->range_count <= 16);
    check_text(seen, m->ticker, KDPI_TICKER_MAX);
    check_text(seen, m->event_ticker, KDPI_TICKER_MAX);
    check_text(seen, m->mve_collection, KDPI_TICKER_MAX);
    check_text(seen, m->title, 4096);
    check_text(seen, m->yes_sub_title, 4096);
    check_text(seen, m->no_sub_title, 4096);
    check_text(seen, m->structure, 4096);
    check_price(seen, m->bid_e4);
    check_price(seen, m->ask_e4);
    check_price(seen, m->last_e4);
    check_size(seen, m->bid_size_e2);
    check_size(seen, m->ask_size_e2);
    check_size(seen, m->volume_e2);
    check_size(seen, m->volume_24h_e2);
    check_size(seen, m->open_interest_e2);
    check_size(seen, m->settlement_value_e6);
    check_text(seen, m->subtitle, 4096);
    check_text(seen, m->rules_primary, KDPI_REST_TERMS_MAX);
    check_text(seen, m->rules_secondary, KDPI_REST_TERMS_MAX);
    check_text(seen, m->early_close_condition, KDPI_REST_TERMS_MAX);
    check_text(seen, m->expiration_value, 4096);
    check_text(seen, m->functional_strike, 4096);
    check_text(seen, m->custom_strike, body_size);
    check_text(seen, m->legs, body_size);
    check_text(seen, m->settlement_bounds, 4096);
    check_text(seen, m->primary_participant, 4096);
    for (uint32_t i = 0; i < m->range_count; i++) {
        check_price(seen, m->ranges[i].start_e4);
        check_price(seen, m->ranges[i].end_e4);
        KDP_ASSERT(m->ranges[i].step_e4 > 0 && m->ranges[i].start_e4 <= m->ranges[i].end_e4);
    }
    return true;
}

static bool
each_book(void *arg, const struct kdp_rest_book *book)
{
    struct seen *seen = arg;

    seen->items++;
    check_text(seen, book->ticker, KDPI_TICKER_MAX);
    KDP_ASSERT(book->count <= KDPI_LEVELS_MAX);
    for (uint32_t i = 0; i < book->count; i++) {
        check_price(seen, book->levels[i].price_e4);
        KDP_ASSERT(book->levels[i].price_e4 >= 0 && book->levels[i].size_e2 >= 0);
        KDP_ASSERT(book->levels[i].side == KDP_SIDE_YES || book->levels[i].side == KDP_SIDE_NO);
    }
    return true;
}

static bool
each_event(void *arg, const struct kdp_rest_event *event)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(event->event_ticker.len > 0);
    check_text(seen, event->event_ticker, KDPI_TICKER_MAX);
    check_text(seen, event->series_ticker, KDPI_TICKER_MAX);
    check_text(seen, event->title, 4096);
    check_text(seen, event->sub_title, 4096);
    check_text(seen, event->category, 4096);
    check_text(seen, event->collateral, 4096);
    check_text(seen, event->strike_period, 4096);
    KDP_ASSERT(event->mutually_exclusive >= -1 && event->mutually_exclusive <= 1);
    KDP_ASSERT(event->exchange_index >= -1 && event->exchange_index <= UINT8_MAX);
    return true;
}

static bool
each_series(void *arg, const struct kdp_rest_series *series)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(series->ticker.len > 0);
    check_text(seen, series->ticker, KDPI_TICKER_MAX);
    check_text(seen, series->title, 4096);
    check_text(seen, series->category, 4096);
    check_text(seen, series->frequency, 4096);
    check_text(seen, series->fee_type, 4096);
    check_text(seen, series->contract_url, 4096);
    check_text(seen, series->contract_terms_url, 4096);
    check_text(seen, series->tags, body_size);
    check_text(seen, series->settlement_sources, body_size);
    check_text(seen, series->additional_prohibitions, body_size);
    check_size(seen, series->volume_e2);
    fold(seen, (uint64_t)series->fee_multiplier_e6);
    return true;
}

static bool
each_fee_change(void *arg, const struct kdp_rest_fee_change *change)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(change->ticker.len > 0);
    check_text(seen, change->ticker, KDPI_TICKER_MAX);
    check_text(seen, change->id, KDPI_TICKER_MAX);
    check_text(seen, change->fee_type, 4096);
    fold(seen, (uint64_t)change->fee_multiplier_e6 + change->event);
    return true;
}

static void
check_ohlc(struct seen *seen, const struct kdp_rest_ohlc *ohlc)
{
    check_price(seen, ohlc->open_e4);
    check_price(seen, ohlc->high_e4);
    check_price(seen, ohlc->low_e4);
    check_price(seen, ohlc->close_e4);
}

static bool
each_candle(void *arg, const struct kdp_rest_candle *candle)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(candle->end_ns != KDP_TIME_NULL && candle->ticker.data != NULL);
    KDP_ASSERT(candle->ticker.len <= KDPI_TICKER_MAX);
    KDP_ASSERT(candle->ticker.len == 0 || candle->ticker.data == reader->candle_ticker);
    for (size_t i = 0; i < candle->ticker.len; i++)
        fold(seen, (unsigned char)candle->ticker.data[i]);
    check_ohlc(seen, &candle->bid);
    check_ohlc(seen, &candle->ask);
    check_ohlc(seen, &candle->price);
    check_price(seen, candle->previous_e4);
    check_price(seen, candle->min_e4);
    check_price(seen, candle->max_e4);
    check_size(seen, candle->mean_e6);
    check_size(seen, candle->volume_e2);
    check_size(seen, candle->open_interest_e2);
    return true;
}

static bool
each_cost(void *arg, const struct kdp_rest_cost *cost)
{
    struct seen *seen = arg;

    seen->items++;
    KDP_ASSERT(cost->path.len > 0 && cost->cost >= 0);
    check_text(seen, cost->method, 4096);
    check_text(seen, cost->path, 4096);
    fold(seen, (uint64_t)cost->cost);
    return true;
}

static void
check_status(const char *body, size_t size, struct seen *seen)
{
    struct kdp_rest_status status;

    if (kdpi_rest_status(reader, body, size, &status) != KDP_REFUSAL_NONE)
        return;
    KDP_ASSERT(status.shards_trading <= status.shards);
    for (uint32_t i = 0; i < status.shards && i < KDPI_REST_SHARDS_MAX; i++) {
        const char *words = status.shard[i].description;

        KDP_ASSERT(memchr(words, '\0', sizeof status.shard[i].description) != NULL);
        for (; *words != '\0'; words++)
            KDP_ASSERT((unsigned char)*words >= 0x20 && *words != 0x7f);
        fold(seen, (uint64_t)status.shard[i].index + status.shard[i].trading);
    }
}

static void
check_cutoff(const char *body, size_t size, struct seen *seen)
{
    struct kdp_rest_cutoff cutoff;
    enum kdp_refusal refusal = kdpi_rest_cutoff(reader, body, size, &cutoff);

    KDP_ASSERT(refusal < KDP_REFUSALS);
    KDP_ASSERT(refusal == KDP_REFUSAL_NONE ||
               (cutoff.market_settled_ns == KDP_TIME_NULL && cutoff.trades_created_ns == KDP_TIME_NULL));
    fold(seen, (uint64_t)cutoff.market_settled_ns + (uint64_t)cutoff.trades_created_ns);
}

static void
check_schedule(const char *body, size_t size, struct seen *seen)
{
    struct kdp_rest_pause pauses[16];
    enum kdp_refusal refusal;
    int64_t from_ns = INT64_C(1795348800) * KDP_NS_PER_S, to_ns = from_ns + 30 * KDP_NS_PER_DAY;
    uint32_t n = kdpi_rest_schedule(reader, body, size, from_ns, to_ns, pauses, 16, &refusal);

    KDP_ASSERT(n <= 16 && refusal < KDP_REFUSALS);
    for (uint32_t i = 0; i < n; i++) {
        KDP_ASSERT(pauses[i].start_ns < pauses[i].end_ns && pauses[i].end_ns > from_ns &&
                   pauses[i].start_ns < to_ns);
        KDP_ASSERT(i == 0 || pauses[i - 1].start_ns <= pauses[i].start_ns);
        fold(seen, (uint64_t)pauses[i].start_ns + pauses[i].weekly);
    }
    fold(seen, refusal);
}

static void
check_errors(const char *body, size_t size)
{
    char code[64], message[256];

    kdpi_rest_error(body, size, code, message);
    KDP_ASSERT(memchr(code, '\0', sizeof code) != NULL && memchr(message, '\0', sizeof message) != NULL);
    for (const char *p = message; *p != '\0'; p++)
        KDP_ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void
check_end(const struct kdp_rest_end *end, struct seen *seen)
{
    KDP_ASSERT(end->refusal < KDP_REFUSALS && end->item_refusal < KDP_REFUSALS);
    KDP_ASSERT(end->items == seen->items && end->position <= body_size && end->member != NULL);
    KDP_ASSERT((end->refused == 0) == (end->item_refusal == KDP_REFUSAL_NONE));
    KDP_ASSERT(memchr(end->cursor, '\0', sizeof end->cursor) != NULL);
    fold(seen, end->refusal * 131u + end->refused);
}

static struct seen
decode(unsigned kind, const char *body, size_t size)
{
    struct seen seen = {0, 0};
    struct kdp_rest_end end;
    struct kdp_rest_limits limits;
    int64_t number = -1;

    memset(&end, 0xa5, sizeof end);
    kdpi_rest_want_terms(reader, kind == 8);
    switch (kind) {
    case 0:
        kdpi_rest_trades(reader, body, size, each_trade, &seen, &end);
        check_end(&end, &seen);
        break;
    case 1:
        kdpi_rest_markets(reader, body, size, each_market, &seen, &end);
        check_end(&end, &seen);
        break;
    case 2:
        kdpi_rest_books(reader, body, size, each_book, &seen, &end);
        check_end(&end, &seen);
        break;
    case 3:
        kdpi_rest_events(reader, body, size, each_event, &seen, &end);
        check_end(&end, &seen);
        break;
    case 4:
        check_status(body, size, &seen);
        break;
    case 5:
        check_schedule(body, size, &seen);
        break;
    case 6:
        if (kdpi_rest_limits(reader, body, size, &limits) == KDP_REFUSAL_NONE)
            KDP_ASSERT(limits.read_refill >= 0 && limits.read_capacity >= 0 &&
                       strlen(limits.tier) < sizeof limits.tier);
        break;
    case 7:
        check_errors(body, size);
        break;
    case 8: /* with their terms */
        kdpi_rest_event_markets(reader, body, size, each_market, &seen, &end);
        check_end(&end, &seen);
        break;
    case 9:
        kdpi_rest_series(reader, body, size, each_series, &seen, &end);
        check_end(&end, &seen);
        break;
    case 10:
        kdpi_rest_fee_changes(reader, body, size, each_fee_change, &seen, &end);
        check_end(&end, &seen);
        break;
    case 11:
        kdpi_rest_candles(reader, body, size, each_candle, &seen, &end, &number);
        check_end(&end, &seen);
        KDP_ASSERT(number >= 0);
        break;
    case 12:
        kdpi_rest_costs(reader, body, size, each_cost, &seen, &end, &number);
        check_end(&end, &seen);
        KDP_ASSERT(number >= 0);
        break;
    default:
        check_cutoff(body, size, &seen);
        break;
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen first, again;
    char *copy;

    if (size == 0)
        return 0;
    if (reader == NULL)
        reader = kdpi_rest_open();
    KDP_ASSERT(reader != NULL);
    copy = malloc(size);
    KDP_ASSERT(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    body_start = copy;
    body_size = size - 1;
    first = decode(data[0] % KINDS, copy, size - 1);
    /* in the middle of something else before */
    decode((data[0] + 1u) % KINDS, copy, size - 1);
    again = decode(data[0] % KINDS, copy, size - 1);
    KDP_ASSERT(first.items == again.items && first.fold == again.fold);
    free(copy);
    return 0;
}
