/* sample.c - what a run without a key sees of a book: how it was when REST was asked, now and then.
 *
 * A sample says nothing of the time between two of them, so it makes neither changes nor best prices: its state is sampled, its
 * levels are a BookSnapshot (reason sample, origin rest_sample), and only when it differs from the one before, or a day begins.
 * A book that a line brings is none: live wins, and a sample of it is dropped.  One that was not looked at for SAMPLE_LATE_NS
 * is stale, so "sampled" is never older than that. */
#include <xxhash.h>

#include "clock.h"
#include "plant_private.h"
#include "rest.h"

#define SAMPLE_LATE_NS (90 * KDP_NS_PER_S) /* six rounds of the session's */

/* ---- the books that are sampled, in the order in which they were looked at ---- */

static void
unlink_sample(struct kdp_plant *plant, struct kdp_instrument *item)
{
    if (item->sample_prev != 0)
        kdp_instruments_at(plant->instruments, item->sample_prev)->sample_next = item->sample_next;
    else
        plant->sample_first = item->sample_next;
    if (item->sample_next != 0)
        kdp_instruments_at(plant->instruments, item->sample_next)->sample_prev = item->sample_prev;
    else
        plant->sample_last = item->sample_prev;
    item->sample_prev = item->sample_next = 0;
}

static void
append_sample(struct kdp_plant *plant, uint32_t id, struct kdp_instrument *item)
{
    item->sampled_ns = plant->now_ns;
    item->sample_prev = plant->sample_last;
    item->sample_next = 0;
    if (plant->sample_last != 0)
        kdp_instruments_at(plant->instruments, plant->sample_last)->sample_next = id;
    else
        plant->sample_first = id;
    plant->sample_last = id;
}

void
sample_left(struct kdp_plant *plant, struct kdp_instrument *item)
{
    unlink_sample(plant, item);
}

/* ---- one sample ---- */

/* A closed market is looked at again when the exchange says that it trades: a cached answer may be older than its close. */
static bool
may_sample(struct kdp_plant *plant, const struct kdp_instrument *item)
{
    const struct kdp_definition *def = definition_of(item);

    if (!item->planned || item->closed_for_good || item->sub != 0 || item->state == KDP_BOOK_STATE_LIVE ||
        item->state == KDP_BOOK_STATE_RECOVERING) {
        plant_count(plant, COUNT_NOT_OWNER, 1);
        return false;
    }
    return item->state != KDP_BOOK_STATE_CLOSED || (def != NULL && def->status == KDP_MARKET_STATUS_ACTIVE);
}

void
sample_book(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_book *book)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    enum kdp_book_verdict verdict;
    uint64_t before;
    bool was;

    if (!may_sample(plant, item) || !market_have_book(plant, id))
        return;
    was = item->state == KDP_BOOK_STATE_SAMPLED;
    before = kdp_book_hash(item->book);
    kdp_book_begin(item->book);
    for (uint32_t i = 0; i < book->count; i++) {
        const struct kdp_message_level *level = &book->levels[i];

        verdict = kdp_book_put(item->book, level->side,
                               level->side == KDP_SIDE_NO ? KDP_PRICE_MAX - level->price_e4 : level->price_e4,
                               level->size_e2);
        plant_count(plant, COUNT_OFF_GRID, verdict == KDP_BOOK_OFF_GRID);
    }
    verdict = kdp_book_commit(item->book);
    if (verdict != KDP_BOOK_APPLIED && verdict != KDP_BOOK_OFF_GRID) {
        plant->totals.malformed++;
        plant_count(plant, COUNT_MALFORMED, 1);
        market_state(plant, id, KDP_BOOK_STATE_STALE,
                     verdict == KDP_BOOK_NO_MEMORY ? KDP_REASON_POOL_FULL : KDP_REASON_MALFORMED, NULL, 0, 0);
        kdp_book_set_state(item->book, KDP_BOOK_STATE_STALE);
        return;
    }
    market_announce(plant, id);
    item->unsure = item->holed = false;
    market_write_state(plant, id, KDP_BOOK_STATE_SAMPLED, KDP_REASON_SAMPLE, NULL, 0, 0);
    if (was)
        unlink_sample(plant, item);
    append_sample(plant, id, item);
    if (was && before == kdp_book_hash(item->book) && item->day == plant->day)
        return;
    item->messages++;
    item->day = plant->day;
    emit_snapshot(plant, id, KDP_REASON_SAMPLE, NULL);
}

void
sample_quote(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *market)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    const int64_t numbers[] = {market->last_e4,         market->bid_e4,      market->ask_e4,
                               market->bid_size_e2,     market->ask_size_e2, market->volume_e2,
                               market->open_interest_e2};
    struct kdp_message msg = {.kind = KDP_MESSAGE_TICKER, .exch_ns = KDP_TIME_NULL, .ts_ms = KDP_INT64_NULL};
    uint64_t quote = XXH3_64bits(numbers, sizeof numbers) | 1;
    uint8_t origin = plant->origin;

    if (!item->planned || item->sub != 0 || item->quote == quote)
        return;
    item->quote = quote;
    msg.market_ticker = (struct kdp_text){item->ticker, item->ticker_len};
    msg.ticker.price_e4 = market->last_e4;
    msg.ticker.bid_e4 = market->bid_e4;
    msg.ticker.ask_e4 = market->ask_e4;
    msg.ticker.bid_size_e2 = market->bid_size_e2;
    msg.ticker.ask_size_e2 = market->ask_size_e2;
    msg.ticker.last_size_e2 = KDP_INT64_NULL;
    msg.ticker.volume_e2 = market->volume_e2;
    msg.ticker.open_interest_e2 = market->open_interest_e2;
    msg.ticker.dollar_volume = msg.ticker.dollar_open_interest = KDP_INT64_NULL;
    plant->origin = KDP_ORIGIN_REST_SAMPLE;
    market_ticker(plant, &msg);
    plant->origin = origin;
}

/* ---- time ---- */

void
sample_tick(struct kdp_plant *plant)
{
    while (plant->sample_first != 0) {
        uint32_t id = plant->sample_first;

        if (plant->now_ns - kdp_instruments_at(plant->instruments, id)->sampled_ns < SAMPLE_LATE_NS)
            return;
        market_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_SAMPLE, NULL, 0, 0);
    }
}

void
sample_end(struct kdp_plant *plant)
{
    while (plant->sample_first != 0)
        market_state(plant, plant->sample_first, KDP_BOOK_STATE_STALE, KDP_REASON_INPUT, NULL, 0, 0);
}

void
sample_day(struct kdp_plant *plant, uint32_t id)
{
    uint8_t origin = plant->origin;

    plant->origin = KDP_ORIGIN_REST_SAMPLE;
    emit_snapshot(plant, id, KDP_REASON_DAY, NULL);
    plant->origin = origin;
}
