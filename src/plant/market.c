/* market.c - what one message does to one market: its book, its state, and the records that tell of it. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "plant_private.h"
#include "rest.h"
#include "screen.h"

uint32_t
market_of(struct kdp_plant *plant, struct kdp_text ticker)
{
    uint32_t id = kdp_instruments_intern(plant->instruments, ticker);

    if (id == 0) {
        plant_count(plant, COUNT_POOL_FULL, 1);
        return 0;
    }
    market_announce(plant, id);
    return id;
}

void
market_announce(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    if (item->announced)
        return;
    emit_definition(plant, id, NULL); /* provisional when only the ticker is known */
    item->day = plant->day;
}

/* ---- ownership ---- */

static void
disown(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    struct kdp_sub *sub;

    if (item->sub == 0)
        return;
    sub = kdp_sub_at(plant->lines, item->sub - 1);
    if (item->prev != 0)
        kdp_instruments_at(plant->instruments, item->prev)->next = item->next;
    else
        sub->first_instrument = item->next;
    if (item->next != 0)
        kdp_instruments_at(plant->instruments, item->next)->prev = item->prev;
    sub->books--;
    item->sub = item->prev = item->next = 0;
}

static void
own(struct kdp_plant *plant, uint32_t id, struct kdp_sub *sub)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    uint32_t index = kdp_sub_index(plant->lines, sub) + 1;

    if (item->sub == index)
        return;
    disown(plant, id);
    item->sub = index;
    item->next = sub->first_instrument;
    if (item->next != 0)
        kdp_instruments_at(plant->instruments, item->next)->prev = id;
    sub->first_instrument = id;
    sub->books++;
}

void
market_disown_all(struct kdp_plant *plant, struct kdp_sub *sub)
{
    while (sub->first_instrument != 0)
        disown(plant, sub->first_instrument);
}

/* ---- states ---- */

/* A book's part in the totals of planned books, taken out before it changes and put in after. */
static void
count_book(struct kdp_plant *plant, const struct kdp_instrument *item, int64_t sign)
{
    if (!item->planned)
        return;
    plant->totals.planned += (uint64_t)sign;
    if (item->state == KDP_BOOK_STATE_LIVE)
        plant->totals.planned_live += (uint64_t)sign;
    else if (item->state == KDP_BOOK_STATE_SAMPLED)
        plant->totals.planned_sampled += (uint64_t)sign;
    else if (item->state != KDP_BOOK_STATE_CLOSED)
        plant->waiting += (uint64_t)sign;
}

void
market_put_state(struct kdp_plant *plant, struct kdp_instrument *item, enum kdp_book_state state)
{
    if (item->state == KDP_BOOK_STATE_SAMPLED && state != KDP_BOOK_STATE_SAMPLED)
        sample_left(plant, item);
    count_book(plant, item, -1);
    item->state = (uint8_t)state;
    count_book(plant, item, 1);
}

void
market_plan(struct kdp_plant *plant, uint32_t id, bool planned)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    if (item->planned == planned)
        return;
    count_book(plant, item, -1);
    item->planned = planned;
    item->ever_planned = item->ever_planned || planned;
    count_book(plant, item, 1);
    if (!planned && item->state == KDP_BOOK_STATE_SAMPLED) /* nobody looks at it any more */
        market_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_UNSUBSCRIBED, NULL, 0, 0);
    if (!planned)
        gap_book_done(plant, id, KDP_HEALED_BY_CLOSED);
}

void
market_write_state(struct kdp_plant *plant, uint32_t id, enum kdp_book_state state, enum kdp_reason reason,
                   const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    char words[96];
    struct kdp_text detail = {words, 0};

    if (item->book != NULL)
        kdp_book_set_state(item->book, state);
    if (item->state == state)
        return;
    if ((state == KDP_BOOK_STATE_LIVE || state == KDP_BOOK_STATE_SAMPLED) && item->book != NULL) {
        char span[KDPI_SCREEN_TEXT];
        uint32_t levels =
            kdp_book_level_count(item->book, KDP_SIDE_YES) + kdp_book_level_count(item->book, KDP_SIDE_NO);

        detail.len = (size_t)snprintf(
            words, sizeof words, "%u levels%s%s", levels, item->not_live_ns != 0 ? ", after " : "",
            item->not_live_ns != 0 ? kdpi_screen_span(span, plant->now_ns - item->not_live_ns) : "");
    }
    item->not_live_ns = state == KDP_BOOK_STATE_LIVE || state == KDP_BOOK_STATE_SAMPLED ? 0 : plant->now_ns;
    market_put_state(plant, item, state);
    emit_state(plant, KDP_SUBJECT_INSTRUMENT, id, state, reason, sub, from_seq, to_seq, detail);
}

static void
set_state(struct kdp_plant *plant, uint32_t id, enum kdp_book_state state, enum kdp_reason reason,
          const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq)
{
    enum kdp_book_state was = (enum kdp_book_state)kdp_instruments_at(plant->instruments, id)->state;

    market_write_state(plant, id, state, reason, sub, from_seq, to_seq);
    if (was != state)
        tell_book(plant, id, was, reason, false);
}

void
market_state(struct kdp_plant *plant, uint32_t id, enum kdp_book_state state, enum kdp_reason reason,
             const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq)
{
    set_state(plant, id, state, reason, sub, from_seq, to_seq);
    if (state == KDP_BOOK_STATE_CLOSED)
        gap_book_done(plant, id, KDP_HEALED_BY_CLOSED);
}

void
market_leave(struct kdp_plant *plant, uint32_t id, struct kdp_sub *sub, uint64_t seq)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    if (item->state != KDP_BOOK_STATE_CLOSED)
        set_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_UNSUBSCRIBED, sub, seq, 0);
    if (!plant->planning) /* a plan says itself what is waited for no more */
        gap_book_done(plant, id, KDP_HEALED_BY_CLOSED);
    disown(plant, id);
}

uint32_t
market_all_stale(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason, uint64_t from_seq,
                 uint64_t to_seq)
{
    uint32_t hit = 0;

    for (uint32_t id = sub->first_instrument, next; id != 0; id = next) {
        struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        next = item->next;
        if (item->state == KDP_BOOK_STATE_CLOSED) {
            item->holed = true; /* nothing more is expected of it: should it come, it is not the whole */
            continue;
        }
        hit += item->state == KDP_BOOK_STATE_LIVE;
        set_state(plant, id, KDP_BOOK_STATE_STALE, reason, sub, from_seq, to_seq);
    }
    return hit;
}

/* Makes one book stale for a fault of its own; the rest of its subscription is not touched. */
static void
stale(struct kdp_plant *plant, uint32_t id, enum kdp_reason reason, const struct kdp_sub *sub,
      const struct kdp_message *msg)
{
    if (kdp_instruments_at(plant->instruments, id)->state != KDP_BOOK_STATE_CLOSED)
        set_state(plant, id, KDP_BOOK_STATE_STALE, reason, sub, msg->has_seq ? msg->seq : 0,
                  msg->has_seq ? msg->seq : 0);
}

/* ---- books ---- */

void
market_grid(struct kdp_plant *plant, uint32_t id, const struct kdp_definition_ranges *ranges, uint32_t count)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    struct kdp_tick_range grid[16];

    if (item->book == NULL || count == 0 || count > 16)
        return;
    for (uint32_t i = 0; i < count; i++)
        grid[i] = (struct kdp_tick_range){ranges[i].start_e4, ranges[i].end_e4, ranges[i].step_e4};
    /* a grid that makes no sense leaves whole cents */
    if (kdp_book_set_grid(item->book, grid, count) == KDP_BOOK_NO_MEMORY &&
        item->state != KDP_BOOK_STATE_CLOSED)
        set_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_POOL_FULL, NULL, 0, 0);
}

bool
market_have_book(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    const struct kdp_definition_ranges *ranges;
    uint32_t count;

    if (item->book != NULL)
        return true;
    item->book = kdp_book_new(plant->pool);
    if (item->book == NULL) {
        plant_count(plant, COUNT_POOL_FULL, 1);
        if (!item->pool_full)
            emit_state(plant, KDP_SUBJECT_INSTRUMENT, id, KDP_BOOK_STATE_STALE, KDP_REASON_POOL_FULL, NULL, 0,
                       0, (struct kdp_text){"", 0});
        item->pool_full = true;
        return false;
    }
    ranges = item->definition != NULL ? kdpi_record_group(item->definition, &count) : NULL;
    if (ranges != NULL)
        market_grid(plant, id, ranges, count);
    return true;
}

static int32_t
yes_scale(const struct kdp_plant *plant, const struct kdp_sub *sub, uint8_t side, int32_t price_e4)
{
    /* what the client's own command said counts before what somebody says of the recording */
    bool leg_yes =
        sub->leg == KDP_LEG_UNSAID ? (plant->input->flags & KDP_INPUT_LEG_YES) != 0 : sub->leg == KDP_LEG_YES;

    return side == KDP_SIDE_NO && !leg_yes ? KDP_PRICE_MAX - price_e4 : price_e4;
}

static void
touch(struct kdp_instrument *item, const struct kdp_message *msg)
{
    if (msg->ts_ms != KDP_INT64_NULL)
        item->last_ts_ms = msg->ts_ms;
}

/* Writes the best prices when they changed, or when readers must be told that they count again. */
static void
settle(struct kdp_plant *plant, uint32_t id, bool tell, const struct kdp_message *msg)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    struct kdp_top top;
    bool changed = kdp_book_settle(item->book, plant->now_ns, &top);

    item->bbo_changes += changed;
    if (changed || tell)
        emit_bbo(plant, id, &top, msg);
}

void
market_snapshot(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg)
{
    uint32_t id = market_of(plant, msg->market_ticker);
    enum kdp_book_verdict verdict;
    struct kdp_instrument *item;
    enum kdp_reason reason = KDP_REASON_SUBSCRIBE;
    uint8_t was;
    bool again, moved;

    if (id == 0 || !market_have_book(plant, id))
        return;
    item = kdp_instruments_at(plant->instruments, id);
    item->messages++;
    was = item->state;
    /* at the close the exchange sends a snapshot that nobody asked for with no levels at all, often after the
     * last orders were cancelled one by one; a repeated first snapshot of a market that never had an order is
     * none of those */
    if (was == KDP_BOOK_STATE_STALE || was == KDP_BOOK_STATE_RECOVERING || msg->has_id)
        reason = KDP_REASON_RECOVERY;
    else if (msg->snapshot.count == 0 && item->sub == kdp_sub_index(plant->lines, sub) + 1 &&
             (was == KDP_BOOK_STATE_CLOSED || (was == KDP_BOOK_STATE_LIVE && item->bbo_changes > 0)))
        reason = KDP_REASON_CLOSE;
    moved = item->sub != 0 && item->sub != kdp_sub_index(plant->lines, sub) + 1;
    own(plant, id, sub);
    kdp_book_begin(item->book);
    for (uint32_t i = 0; i < msg->snapshot.count; i++) {
        const struct kdp_message_level *level = &msg->snapshot.levels[i];

        verdict = kdp_book_put(item->book, level->side, yes_scale(plant, sub, level->side, level->price_e4),
                               level->size_e2);
        plant_count(plant, COUNT_OFF_GRID, verdict == KDP_BOOK_OFF_GRID);
    }
    verdict = kdp_book_commit(item->book);
    if (verdict != KDP_BOOK_APPLIED && verdict != KDP_BOOK_OFF_GRID) {
        plant->totals.malformed++;
        plant_count(plant, COUNT_MALFORMED, 1);
        if (was == KDP_BOOK_STATE_CLOSED)
            market_put_state(plant, item, KDP_BOOK_STATE_STALE);
        stale(plant, id, verdict == KDP_BOOK_NO_MEMORY ? KDP_REASON_POOL_FULL : KDP_REASON_MALFORMED, sub,
              msg);
        kdp_book_set_state(item->book, KDP_BOOK_STATE_STALE);
        return;
    }
    again = was != KDP_BOOK_STATE_LIVE && was != KDP_BOOK_STATE_NONE;
    item->unsure = item->holed = false;
    if (reason == KDP_REASON_CLOSE || item->closed_for_good)
        market_write_state(plant, id, KDP_BOOK_STATE_CLOSED, KDP_REASON_CLOSE, sub, 0, 0);
    else
        market_write_state(plant, id, KDP_BOOK_STATE_LIVE, reason, sub, 0, 0);
    emit_snapshot(plant, id, reason, msg);
    settle(plant, id, again && item->state == KDP_BOOK_STATE_LIVE, msg);
    audit_note(plant, item);
    gap_book_done(plant, id, moved ? KDP_HEALED_BY_RESUBSCRIBE : KDP_HEALED_BY_SNAPSHOT);
    if (msg->has_id)
        gap_asked(plant, sub);
    tell_book(plant, id, (enum kdp_book_state)was, reason, true);
    item->day = plant->day;
    touch(item, msg);
}

void
market_delta(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg)
{
    uint32_t id = market_of(plant, msg->market_ticker);
    int32_t price_e4 = yes_scale(plant, sub, msg->delta.side, msg->delta.price_e4);
    enum kdp_book_verdict verdict;
    struct kdp_instrument *item;
    struct kdp_level *rec;
    struct kdp_top top;
    int64_t size_e2 = 0;
    bool changed, closed;

    if (id == 0)
        return;
    item = kdp_instruments_at(plant->instruments, id);
    item->messages++;
    plant_count(plant, COUNT_DELTAS, 1);
    if (item->sub == 0 && item->unsure && item->state == KDP_BOOK_STATE_LIVE)
        own(plant, id, sub); /* a book that came by REST goes on with who changes it first */
    if (item->book == NULL || item->sub != kdp_sub_index(plant->lines, sub) + 1) {
        /* before its snapshot, or from a subscription that does not own the book */
        if (item->state == KDP_BOOK_STATE_NONE && market_have_book(plant, id))
            set_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_NOT_SUBSCRIBED, sub, msg->seq, msg->seq);
        plant_count(plant, item->sub != 0 ? COUNT_NOT_OWNER : COUNT_NOT_LIVE, 1);
        return;
    }
    if (item->state != KDP_BOOK_STATE_LIVE && item->state != KDP_BOOK_STATE_CLOSED) {
        plant_count(plant, COUNT_NOT_LIVE, 1);
        return;
    }
    if (item->holed && item->state == KDP_BOOK_STATE_CLOSED && !item->closed_for_good) {
        item->holed = false;
        set_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_GAP, sub, msg->seq, msg->seq);
        plant_count(plant, COUNT_NOT_LIVE, 1);
        return;
    }
    if (item->day != plant->day)
        market_day(plant, id); /* the day's files begin with the book before its first change */
    /* orders are still cancelled after a market's close: its book goes on, its state stays */
    closed = item->closed_for_good;
    if (item->state == KDP_BOOK_STATE_CLOSED) {
        if (closed)
            kdp_book_set_state(item->book, KDP_BOOK_STATE_LIVE);
        else
            set_state(plant, id, KDP_BOOK_STATE_LIVE, KDP_REASON_INPUT, sub, 0, 0);
    }
    verdict = kdp_book_apply(item->book, msg->delta.side, price_e4, msg->delta.delta_e2, &size_e2);
    if (closed)
        kdp_book_set_state(item->book, KDP_BOOK_STATE_CLOSED);
    if (verdict != KDP_BOOK_APPLIED && verdict != KDP_BOOK_OFF_GRID) {
        plant_count(plant, COUNT_NEGATIVE, verdict == KDP_BOOK_NEGATIVE);
        stale(plant, id,
              verdict == KDP_BOOK_NEGATIVE    ? KDP_REASON_NEGATIVE_LEVEL
              : verdict == KDP_BOOK_NO_MEMORY ? KDP_REASON_POOL_FULL
                                              : KDP_REASON_MALFORMED,
              sub, msg);
        return;
    }
    plant_count(plant, COUNT_OFF_GRID, verdict == KDP_BOOK_OFF_GRID);
    audit_note(plant, item);
    changed = kdp_book_settle(item->book, plant->now_ns, &top);
    rec = emit_start(plant, KDP_TEMPLATE_LEVEL, id, msg);
    if (rec == NULL)
        return;
    rec->head.flags |= (uint8_t)(KDP_FLAGS_MBP | (changed ? 0 : KDP_FLAGS_LAST));
    rec->price_e4 = price_e4;
    rec->side = msg->delta.side;
    rec->delta_e2 = msg->delta.delta_e2;
    rec->size_e2 = size_e2;
    emit_end(plant, rec, sizeof *rec);
    if (changed) {
        item->bbo_changes++;
        emit_bbo(plant, id, &top, msg);
    }
    touch(item, msg);
}

/* The last resort: a book that only REST could give.  Nothing ties it to the line's sequence numbers, so that it
 * and all that is made of it is flagged until a snapshot of the line replaces it. */
void
market_rest_book(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_book *book)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    enum kdp_book_state was = (enum kdp_book_state)item->state;
    enum kdp_book_verdict verdict;

    if (was == KDP_BOOK_STATE_LIVE || was == KDP_BOOK_STATE_CLOSED || item->closed_for_good ||
        !market_have_book(plant, id))
        return;
    kdp_book_begin(item->book);
    for (uint32_t i = 0; i < book->count; i++) {
        const struct kdp_message_level *level = &book->levels[i];

        kdp_book_put(item->book, level->side,
                     level->side == KDP_SIDE_NO ? KDP_PRICE_MAX - level->price_e4 : level->price_e4,
                     level->size_e2);
    }
    verdict = kdp_book_commit(item->book);
    if (verdict != KDP_BOOK_APPLIED && verdict != KDP_BOOK_OFF_GRID) {
        kdp_book_set_state(item->book, KDP_BOOK_STATE_STALE);
        plant_count(plant, COUNT_MALFORMED, 1);
        return;
    }
    market_announce(plant, id);
    item->unsure = true;
    market_write_state(plant, id, KDP_BOOK_STATE_LIVE, KDP_REASON_RECOVERY, NULL, 0, 0);
    emit_snapshot(plant, id, KDP_REASON_RECOVERY, NULL);
    settle(plant, id, true, NULL);
    audit_note(plant, item);
    gap_book_done(plant, id, KDP_HEALED_BY_REST);
    tell_book(plant, id, was, KDP_REASON_RECOVERY, false);
}

void
market_drift(struct kdp_plant *plant, uint32_t id)
{
    set_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_DRIFT, NULL, 0, 0);
}

void
market_day(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    if (item->ticker == NULL || item->day == plant->day)
        return;
    item->day = plant->day;
    if (item->book == NULL || item->state == KDP_BOOK_STATE_CLOSED || item->state == KDP_BOOK_STATE_NONE)
        return;
    emit_definition(plant, id, NULL);
    if (item->state == KDP_BOOK_STATE_LIVE)
        emit_snapshot(plant, id, KDP_REASON_DAY, NULL);
    else if (item->state == KDP_BOOK_STATE_SAMPLED)
        sample_day(plant, id);
    else
        emit_state(plant, KDP_SUBJECT_INSTRUMENT, id, item->state, KDP_REASON_DAY, NULL, 0, 0,
                   (struct kdp_text){"", 0});
}

/* ---- trades, tickers, lifecycle ---- */

bool
market_trade(struct kdp_plant *plant, const struct kdp_message *msg)
{
    uint32_t id;
    struct kdp_instrument *item;
    struct kdp_trade *rec;

    bool late = plant->origin != KDP_ORIGIN_WS; /* pages overlap, and the newest is not always the last */

    if (!kdp_trade_set_add(plant->trades, msg->trade.trade_id, plant->now_ns)) {
        plant_count(plant, COUNT_TRADE_REPEATS, !late);
        return false;
    }
    id = market_of(plant, msg->market_ticker);
    if (id == 0)
        return false;
    item = kdp_instruments_at(plant->instruments, id);
    item->messages++;
    item->trades++;
    item->volume_e2 += msg->trade.count_e2;
    if (!late || item->last_trade_ns == KDP_TIME_NULL || msg->exch_ns >= item->last_trade_ns) {
        item->last_price_e4 = msg->trade.price_e4;
        item->last_trade_ns = msg->exch_ns;
        touch(item, msg);
    }
    rec = emit_start(plant, KDP_TEMPLATE_TRADE, id, msg);
    if (rec == NULL)
        return false;
    rec->head.flags |= KDP_FLAGS_LAST;
    memcpy(rec->trade_id, msg->trade.trade_id, sizeof rec->trade_id);
    rec->price_e4 = msg->trade.price_e4;
    rec->taker_side = msg->trade.taker_side;
    rec->block = msg->trade.block;
    rec->count_e2 = msg->trade.count_e2;
    emit_end(plant, rec, sizeof *rec);
    plant_count(plant, COUNT_TRADES, 1);
    return true;
}

void
market_ticker(struct kdp_plant *plant, const struct kdp_message *msg)
{
    uint32_t id = market_of(plant, msg->market_ticker);
    struct kdp_instrument *item;
    struct kdp_ticker *rec;

    if (id == 0)
        return;
    item = kdp_instruments_at(plant->instruments, id);
    item->messages++;
    touch(item, msg);
    rec = emit_start(plant, KDP_TEMPLATE_TICKER, id, msg);
    if (rec == NULL)
        return;
    rec->head.flags |= KDP_FLAGS_LAST;
    rec->price_e4 = msg->ticker.price_e4;
    rec->bid_e4 = msg->ticker.bid_e4;
    rec->ask_e4 = msg->ticker.ask_e4;
    rec->bid_size_e2 = msg->ticker.bid_size_e2;
    rec->ask_size_e2 = msg->ticker.ask_size_e2;
    rec->last_size_e2 = msg->ticker.last_size_e2;
    rec->volume_e2 = msg->ticker.volume_e2;
    rec->open_interest_e2 = msg->ticker.open_interest_e2;
    rec->dollar_volume = msg->ticker.dollar_volume;
    rec->dollar_open_interest = msg->ticker.dollar_open_interest;
    emit_end(plant, rec, sizeof *rec);
    plant_count(plant, COUNT_TICKERS, 1);
}

#define SETTLED_KEEP_NS (24 * INT64_C(3600) * KDP_NS_PER_S)

static void
settled_add(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    item->settled_ns = plant->now_ns;
    if (plant->settled_last != 0)
        kdp_instruments_at(plant->instruments, plant->settled_last)->settled_next = id;
    else
        plant->settled_first = id;
    plant->settled_last = id;
}

void
market_final(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    if (item->closed_for_good)
        return;
    item->closed_for_good = true;
    settled_add(plant, id);
}

void
market_settled_free(struct kdp_plant *plant)
{
    uint32_t id = plant->settled_first;
    struct kdp_instrument *item;

    if (id == 0)
        return;
    item = kdp_instruments_at(plant->instruments, id);
    if (plant->now_ns - item->settled_ns < SETTLED_KEEP_NS)
        return;
    plant->settled_first = item->settled_next;
    if (plant->settled_first == 0)
        plant->settled_last = 0;
    disown(plant, id);
    if (item->book != NULL)
        kdp_book_free(plant->pool, item->book);
    item->book = NULL;
}

void
market_lifecycle(struct kdp_plant *plant, const struct kdp_message *msg)
{
    uint32_t id = kdp_instruments_intern(plant->instruments, msg->market_ticker);
    struct kdp_instrument *item;
    struct kdp_lifecycle *rec;

    if (id == 0) {
        plant_count(plant, COUNT_POOL_FULL, 1);
        return;
    }
    item = kdp_instruments_at(plant->instruments, id);
    item->messages++;
    if (msg->lifecycle.open_ns != KDP_TIME_NULL)
        item->open_told = false;
    if (msg->lifecycle.close_ns != KDP_TIME_NULL)
        item->close_told = false;
    emit_definition(plant, id, msg); /* what it means comes before what happened to it */
    item->day = plant->day;
    rec = emit_start(plant, KDP_TEMPLATE_LIFECYCLE, id, msg);
    if (rec == NULL)
        return;
    rec->head.flags |= KDP_FLAGS_LAST;
    rec->kind = msg->lifecycle.kind;
    rec->result = msg->lifecycle.result;
    rec->open_ns = msg->lifecycle.open_ns;
    rec->close_ns = msg->lifecycle.close_ns;
    rec->at_ns = msg->lifecycle.at_ns;
    rec->settlement_value_e6 = msg->lifecycle.settlement_value_e6;
    emit_end(plant, rec, sizeof *rec);
    market_grid(plant, id, msg->lifecycle.ranges, msg->lifecycle.range_count);
    if (msg->lifecycle.kind == KDP_LIFECYCLE_KIND_DETERMINED ||
        msg->lifecycle.kind == KDP_LIFECYCLE_KIND_SETTLED) {
        market_final(plant, id);
        market_state(plant, id, KDP_BOOK_STATE_CLOSED,
                     msg->lifecycle.kind == KDP_LIFECYCLE_KIND_SETTLED ? KDP_REASON_SETTLED
                                                                       : KDP_REASON_CLOSE,
                     NULL, 0, 0);
    }
    touch(item, msg);
    tell_market(plant, id, NULL, false, false);
}

void
market_event(struct kdp_plant *plant, const struct kdp_message *msg)
{
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    const struct kdp_text texts[6] = {msg->event.event_ticker, msg->event.series_ticker, msg->event.title,
                                      msg->event.sub_title,    msg->event.collateral,    msg->event.fee_type};
    struct kdp_event *rec = emit_start(plant, KDP_TEMPLATE_EVENT, 0, msg), *out;
    struct kdp_builder b;
    size_t size;

    if (rec == NULL)
        return;
    out = kdpi_build_start(&b, mem, KDP_TEMPLATE_EVENT);
    out->head = rec->head;
    out->head.flags |= KDP_FLAGS_LAST;
    out->kind = msg->event.kind;
    out->exchange_index = msg->event.exchange_index > 0 ? (uint8_t)msg->event.exchange_index : 0;
    out->fee_multiplier_e6 = msg->event.fee_multiplier_e6;
    for (unsigned i = 0; i < 6; i++)
        kdpi_build_text(&b, texts[i]);
    size = kdpi_build_finish(&b);
    memcpy(rec, mem, size);
    emit_end(plant, rec, size);
    tell_event(plant, msg->event.event_ticker, msg->event.series_ticker);
}
