/* exchange_recmarket.c - markets that come out of recordings: what is known about them, and their books.
 *
 * A recording seldom says everything.  An event that no lifecycle message named is the ticker up to its last '-', a series up to
 * its first one: that is how the exchange makes names, and a made-up exchange may rely on it.  A grid that was never said is the
 * coarsest that holds every price seen so far. */
#include "exchange_recorded.h"

#include <stdlib.h>

#include "clock.h"
#include "memory.h"

#define LIFE_NS (7 * KDP_NS_PER_DAY) /* before and after, of a market whose times are not known */

static const uint8_t grids[] = {0, 1, 3, 2}; /* of gen_structures: cents, tapered, tenths, hundredths */

static uint64_t
hash_of(struct kdp_text text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

bool
recorded_text(struct exchange_recorded *rec, char **at, struct kdp_text text)
{
    char *copy;

    if (*at != NULL && strlen(*at) == text.len && memcmp(*at, text.data, text.len) == 0)
        return true;
    copy = malloc(text.len + 1);
    if (copy == NULL)
        return false;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    rec->bytes += text.len + 1;
    if (*at != NULL)
        rec->bytes -= strlen(*at) + 1;
    free(*at);
    *at = copy;
    return true;
}

static bool
grow_heads(struct exchange_recorded *rec)
{
    uint32_t count = rec->head_count == 0 ? 1024 : 4 * rec->head_count;
    uint32_t *heads = malloc(count * sizeof *heads);

    if (heads == NULL)
        return false;
    memset(heads, 0xff, count * sizeof *heads);
    for (uint32_t i = 0; i < rec->market_count; i++) {
        struct recorded_market *m = rec->markets[i];
        uint32_t *head = &heads[hash_of((struct kdp_text){m->ticker, m->ticker_len}) & (count - 1)];

        m->next = *head;
        *head = i;
    }
    free(rec->heads);
    rec->heads = heads;
    rec->head_count = count;
    return true;
}

struct recorded_market *
recorded_market_get(struct exchange_recorded *rec, struct kdp_text ticker)
{
    uint64_t hash = hash_of(ticker);
    struct recorded_market *market;
    void *grown;

    if (ticker.len == 0)
        return NULL;
    if (rec->head_count > 0)
        for (uint32_t i = rec->heads[hash & (rec->head_count - 1)]; i != NOWHERE; i = rec->markets[i]->next) {
            market = rec->markets[i];
            if (market->ticker_len == ticker.len && memcmp(market->ticker, ticker.data, ticker.len) == 0)
                return market;
        }
    if (rec->market_count == RECORDED_MARKETS_MAX ||
        (rec->market_count >= rec->head_count && !grow_heads(rec)))
        return NULL;
    if (rec->market_count == rec->market_room) {
        grown = kdpi_grow(rec->markets, &rec->market_room, sizeof *rec->markets, rec->market_count + 1u);
        if (grown == NULL)
            return NULL;
        rec->markets = grown;
    }
    market = calloc(1, sizeof *market);
    if (market == NULL || !recorded_text(rec, &market->ticker, ticker)) {
        free(market);
        return NULL;
    }
    market->ticker_len = ticker.len;
    market->index = NOWHERE;
    market->last_e4 = KDP_PRICE_NULL;
    market->ask_e4 = 10000;
    market->expiry_ns = KDP_TIME_NULL;
    market->floor_strike_e6 = market->cap_strike_e6 = KDP_INT64_NULL;
    market->next = rec->heads[hash & (rec->head_count - 1)];
    rec->heads[hash & (rec->head_count - 1)] = rec->market_count;
    rec->markets[rec->market_count++] = market;
    return market;
}

/* The market takes its place in the exchange. */
bool
recorded_market_born(struct exchange_recorded *rec, struct recorded_market *market, bool tell)
{
    struct kdp_exchange *ex = rec->ex;
    int64_t now_ns = tell ? rec->now_ns : ex->config.now_ns;
    uint32_t index = exchange_market_add(ex);
    struct exchange_market *place;

    if (index == NOWHERE)
        return false;
    market->index = index;
    place = &ex->markets[index];
    place->rec = market;
    place->state = KDP_MARKET_STATUS_ACTIVE;
    place->combo = market->ticker_len >= 5 && memcmp(market->ticker, "KXMVE", 5) == 0;
    place->created_ns = tell ? now_ns : now_ns - LIFE_NS;
    place->open_ns = tell ? now_ns : now_ns - LIFE_NS;
    place->close_ns = now_ns + LIFE_NS;
    place->updated_ns = now_ns;
    exchange_name(ex, index);
    if (tell)
        exchange_tell_life(ex, index, now_ns, KDP_LIFECYCLE_KIND_CREATED);
    return true;
}

static struct recorded_event *
find_event(const struct exchange_recorded *rec, struct kdp_text name)
{
    uint32_t i = rec->event_heads[hash_of(name) % RECORDED_EVENT_HEADS];

    while (i != NOWHERE &&
           (rec->events[i].len != name.len || memcmp(rec->events[i].event_ticker, name.data, name.len) != 0))
        i = rec->events[i].next;
    return i != NOWHERE ? &rec->events[i] : NULL;
}

void
recorded_events_put(struct exchange_recorded *rec, struct kdp_text event, struct kdp_text series)
{
    struct recorded_event *item;
    uint32_t *head;

    if (event.len == 0 || series.len == 0 || find_event(rec, event) != NULL ||
        rec->event_count == RECORDED_MARKETS_MAX)
        return;
    if (rec->event_count == rec->event_room) {
        void *grown = kdpi_grow(rec->events, &rec->event_room, sizeof *rec->events, rec->event_count + 1u);

        if (grown == NULL)
            return;
        rec->events = grown;
    }
    item = &rec->events[rec->event_count];
    *item = (struct recorded_event){.len = event.len};
    if (!recorded_text(rec, &item->event_ticker, event) ||
        !recorded_text(rec, &item->series_ticker, series)) {
        free(item->event_ticker);
        return;
    }
    head = &rec->event_heads[hash_of(event) % RECORDED_EVENT_HEADS];
    item->next = *head;
    *head = rec->event_count++;
}

/* ---- definitions ---- */

void
recorded_define(struct exchange_recorded *rec, struct recorded_market *market, const struct kdp_message *msg)
{
    const struct kdp_text texts[4] = {msg->lifecycle.event_ticker, msg->lifecycle.title,
                                      msg->lifecycle.yes_sub_title, msg->lifecycle.structure};
    char **const at[4] = {&market->event_ticker, &market->title, &market->yes_sub_title, &market->structure};

    for (unsigned i = 0; i < 4; i++)
        if (texts[i].len > 0)
            recorded_text(rec, at[i], texts[i]);
    if (msg->lifecycle.range_count > 0) {
        size_t bytes = msg->lifecycle.range_count * sizeof *market->ranges;
        struct kdp_definition_ranges *ranges = malloc(bytes);

        if (ranges != NULL) {
            memcpy(ranges, msg->lifecycle.ranges, bytes);
            rec->bytes += bytes;
            rec->bytes -= market->range_count * sizeof *ranges;
            free(market->ranges);
            market->ranges = ranges;
            market->range_count = msg->lifecycle.range_count;
        }
    }
    if (msg->lifecycle.strike_type != KDP_STRIKE_TYPE_NONE)
        market->strike_type = msg->lifecycle.strike_type;
    if (msg->lifecycle.floor_strike_e6 != KDP_INT64_NULL)
        market->floor_strike_e6 = msg->lifecycle.floor_strike_e6;
    if (msg->lifecycle.cap_strike_e6 != KDP_INT64_NULL)
        market->cap_strike_e6 = msg->lifecycle.cap_strike_e6;
    if (msg->lifecycle.exchange_index >= 0)
        market->exchange_index = msg->lifecycle.exchange_index;
    if (msg->lifecycle.expiry_ns != KDP_TIME_NULL)
        market->expiry_ns = recorded_time(rec, msg->lifecycle.expiry_ns);
    if (market->index != NOWHERE) {
        struct exchange_market *place = &rec->ex->markets[market->index];

        if (msg->lifecycle.open_ns != KDP_TIME_NULL)
            place->open_ns = recorded_time(rec, msg->lifecycle.open_ns);
        if (msg->lifecycle.close_ns != KDP_TIME_NULL)
            place->close_ns = recorded_time(rec, msg->lifecycle.close_ns);
    }
}

static bool
fits(uint8_t grid, int32_t price_e4)
{
    switch (grid) {
    case 0:
        return price_e4 % 100 == 0;
    case 1:
        return price_e4 % (price_e4 > 1000 && price_e4 < 9000 ? 100 : 10) == 0;
    case 2:
        return price_e4 % 10 == 0;
    default:
        return true;
    }
}

void
recorded_grid_see(struct exchange_recorded *rec, struct recorded_market *market, int32_t price_e4,
                  int64_t time_ns)
{
    uint8_t was = market->grid;

    while (!fits(market->grid, price_e4))
        market->grid++;
    if (market->grid != was && market->ranges == NULL && !rec->scanning && market->index != NOWHERE)
        exchange_tell_life(rec->ex, market->index, time_ns, KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED);
}

/* ---- books ---- */

static uint32_t
find_level(const struct recorded_market *market, unsigned side, int32_t price_e4)
{
    const struct kdp_exchange_level *levels = market->levels[side];
    uint32_t low = 0, high = market->count[side];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (levels[middle].price_e4 > price_e4)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
recorded_book_change(struct exchange_recorded *rec, struct recorded_market *market, unsigned side,
                     int32_t price_e4, int64_t delta_e2, int64_t time_ns)
{
    uint32_t i = find_level(market, side, price_e4), *count = &market->count[side];
    struct kdp_exchange_level *levels = market->levels[side];

    if (i < *count && levels[i].price_e4 == price_e4) {
        int64_t size_e2;

        if (__builtin_add_overflow(levels[i].size_e2, delta_e2, &size_e2) || size_e2 < 0)
            return false;
        levels[i].size_e2 = size_e2;
        if (levels[i].size_e2 == 0) {
            memmove(&levels[i], &levels[i + 1], (*count - i - 1) * sizeof *levels);
            (*count)--;
        }
    } else {
        if (delta_e2 <= 0)
            return delta_e2 == 0;
        recorded_grid_see(rec, market, price_e4, time_ns);
        if (*count == market->room[side]) {
            void *grown;

            rec->bytes -= market->room[side] * sizeof *levels;
            grown = kdpi_grow(levels, &market->room[side], sizeof *levels, *count + 1u);
            rec->bytes += market->room[side] * sizeof *levels;
            if (grown == NULL)
                return false;
            levels = market->levels[side] = grown;
        }
        memmove(&levels[i + 1], &levels[i], (*count - i) * sizeof *levels);
        levels[i] = (struct kdp_exchange_level){price_e4, delta_e2};
        (*count)++;
    }
    market->had_orders = true;
    market->ticker_newest = false;
    if (!rec->scanning)
        exchange_tell_delta(rec->ex, market->index, time_ns, side, price_e4, delta_e2);
    return true;
}

/* First what goes, then what comes, so that the two sides do not cross on the way. */
void
recorded_book_become(struct exchange_recorded *rec, struct recorded_market *market, const uint32_t count[2],
                     int64_t time_ns)
{
    for (unsigned side = 0; side < 2; side++) {
        uint32_t j = 0;

        for (uint32_t i = 0; i < market->count[side];) {
            struct kdp_exchange_level old = market->levels[side][i];
            int64_t size = 0;

            while (j < count[side] && rec->fresh[side][j].price_e4 > old.price_e4)
                j++;
            if (j < count[side] && rec->fresh[side][j].price_e4 == old.price_e4)
                size = rec->fresh[side][j].size_e2;
            if (size < old.size_e2) {
                recorded_book_change(rec, market, side, old.price_e4, size - old.size_e2, time_ns);
                rec->ex->stats.differences++;
            }
            i += size > 0;
        }
    }
    for (unsigned side = 0; side < 2; side++)
        for (uint32_t j = 0; j < count[side]; j++) {
            struct kdp_exchange_level level = rec->fresh[side][j];
            uint32_t i = find_level(market, side, level.price_e4);
            int64_t old = i < market->count[side] && market->levels[side][i].price_e4 == level.price_e4
                              ? market->levels[side][i].size_e2
                              : 0;

            if (level.size_e2 > old) {
                recorded_book_change(rec, market, side, level.price_e4, level.size_e2 - old, time_ns);
                rec->ex->stats.differences++;
            }
        }
}

void
recorded_markets_free(struct exchange_recorded *rec)
{
    for (uint32_t i = 0; i < rec->market_count; i++) {
        struct recorded_market *market = rec->markets[i];

        free(market->ticker);
        free(market->event_ticker);
        free(market->title);
        free(market->yes_sub_title);
        free(market->structure);
        free(market->ranges);
        free(market->levels[0]);
        free(market->levels[1]);
        free(market);
    }
    for (uint32_t i = 0; i < rec->event_count; i++) {
        free(rec->events[i].event_ticker);
        free(rec->events[i].series_ticker);
    }
    free(rec->markets);
    free(rec->heads);
    free(rec->events);
}

/* ---- looks and acts ---- */

const char *
exchange_recorded_ticker(const struct recorded_market *market, size_t *lenp)
{
    *lenp = market->ticker_len;
    return market->ticker;
}

static size_t
cut(const char *text, size_t len, bool last)
{
    size_t at = last ? len : 0;

    if (last)
        while (at > 0 && text[at - 1] != '-')
            at--;
    else
        while (at < len && text[at] != '-')
            at++;
    return last ? (at > 0 ? at - 1 : len) : at;
}

static void
look_names(const struct kdp_exchange *ex, const struct recorded_market *market,
           struct kdp_exchange_market *out)
{
    struct exchange_texts *texts = ex->texts;
    const struct recorded_event *event;
    size_t len;

    if (market->event_ticker != NULL) {
        out->event_ticker = market->event_ticker;
    } else {
        len = cut(market->ticker, market->ticker_len, true);
        memcpy(texts->event_ticker, market->ticker, len);
        texts->event_ticker[len] = '\0';
        out->event_ticker = texts->event_ticker;
    }
    event = find_event(ex->recorded, (struct kdp_text){out->event_ticker, strlen(out->event_ticker)});
    if (event != NULL) {
        out->series_ticker = event->series_ticker;
    } else {
        len = cut(market->ticker, market->ticker_len, false);
        memcpy(texts->series_ticker, market->ticker, len);
        texts->series_ticker[len] = '\0';
        out->series_ticker = texts->series_ticker;
    }
    out->title = market->title != NULL ? market->title : market->ticker;
    out->yes_sub_title = market->yes_sub_title != NULL ? market->yes_sub_title : "";
}

void
exchange_recorded_look(const struct kdp_exchange *ex, uint32_t index, struct kdp_exchange_market *out)
{
    const struct recorded_market *market = ex->markets[index].rec;
    const struct gen_structure *s = &gen_structures[grids[market->grid]];

    look_names(ex, market, out);
    out->structure = market->structure != NULL ? market->structure : s->name;
    if (market->ranges != NULL) {
        out->range_count = market->range_count;
        memcpy(out->ranges, market->ranges, market->range_count * sizeof *market->ranges);
    } else {
        out->structure = s->name;
        out->range_count = s->bands;
        for (unsigned i = 0; i < s->bands; i++)
            out->ranges[i] = (struct kdp_definition_ranges){
                .start_e4 = s->band[i].start_e4, .end_e4 = s->band[i].end_e4, .step_e4 = s->band[i].step_e4};
    }
    out->strike_type = market->strike_type;
    out->exchange_index = market->exchange_index;
    out->expiry_ns = market->expiry_ns != KDP_TIME_NULL ? market->expiry_ns : out->close_ns;
    out->floor_strike_e6 = market->floor_strike_e6;
    out->cap_strike_e6 = market->cap_strike_e6;
    for (unsigned side = 0; side < 2; side++) {
        out->bid_count[side] = market->count[side];
        out->bids[side] = market->levels[side];
    }
    out->bid_e4 = market->bid_e4;
    out->ask_e4 = market->ask_e4;
    out->bid_size_e2 = market->bid_size_e2;
    out->ask_size_e2 = market->ask_size_e2;
    if (!market->ticker_newest && (market->has_book || market->count[0] + market->count[1] > 0)) {
        bool bid = market->count[GEN_YES] > 0, ask = market->count[GEN_NO] > 0;

        out->bid_e4 = bid ? market->levels[GEN_YES][0].price_e4 : 0;
        out->bid_size_e2 = bid ? market->levels[GEN_YES][0].size_e2 : 0;
        out->ask_e4 = ask ? 10000 - market->levels[GEN_NO][0].price_e4 : 10000;
        out->ask_size_e2 = ask ? market->levels[GEN_NO][0].size_e2 : 0;
    }
    out->last_e4 = market->last_e4;
    out->last_size_e2 = market->last_size_e2;
    out->volume_e2 = market->volume_e2;
    out->open_interest_e2 = market->open_interest_e2;
    out->dollar_volume = market->dollar_volume;
    out->dollar_open_interest = market->dollar_open_interest;
}

/* An act happens now. */
static int64_t
act_now(const struct kdp_exchange *ex)
{
    return ex->clock_ns / 1000 * 1000;
}

void
exchange_recorded_cancel(struct kdp_exchange *ex, uint32_t index)
{
    struct recorded_market *market = ex->markets[index].rec;

    for (unsigned side = 0; side < 2; side++)
        while (market->count[side] > 0) {
            struct kdp_exchange_level level = market->levels[side][market->count[side] - 1];

            recorded_book_change(ex->recorded, market, side, level.price_e4, -level.size_e2, act_now(ex));
        }
}

void
exchange_recorded_ticks(struct kdp_exchange *ex, uint32_t index)
{
    struct recorded_market *market = ex->markets[index].rec;

    /* never a coarser one: the recording's prices must stay on it */
    free(market->ranges);
    market->ranges = NULL;
    market->range_count = 0;
    market->grid = market->grid < 3 ? market->grid + 1 : 3;
    exchange_tell_life(ex, index, act_now(ex), KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED);
}

void
exchange_recorded_trade(struct kdp_exchange *ex, uint32_t index)
{
    struct recorded_market *market = ex->markets[index].rec;
    unsigned side = market->count[GEN_NO] > 0 ? GEN_NO : GEN_YES;
    struct kdp_exchange_trade trade = {.market = index,
                                       .yes_price_e4 = market->last_e4 > 0 ? market->last_e4 : 5000,
                                       .count_e2 = 100,
                                       .taker_side = side == GEN_NO ? KDP_SIDE_YES : KDP_SIDE_NO,
                                       .time_ns = act_now(ex)};
    uint64_t a = ex->log_count * UINT64_C(0x9e3779b97f4a7c15);
    bool book = market->count[side] > 0;
    struct kdp_exchange_level best = {0, 0};

    if (book) {
        best = market->levels[side][0];
        trade.yes_price_e4 = side == GEN_YES ? best.price_e4 : 10000 - best.price_e4;
        trade.count_e2 = best.size_e2 < 100 ? best.size_e2 : 100;
    }
    for (unsigned i = 0; i < 8; i++) {
        trade.trade_id[i] = (uint8_t)(a >> 8 * i);
        trade.trade_id[8 + i] = (uint8_t)(ex->log_count >> 8 * (7 - i));
    }
    trade.trade_id[6] = (trade.trade_id[6] & 15) | 0x40;
    trade.trade_id[8] = 0x90;
    market->last_e4 = trade.yes_price_e4;
    market->last_size_e2 = trade.count_e2;
    exchange_add(&market->volume_e2, trade.count_e2);
    exchange_tell_trade(ex, &trade, false);
    if (book)
        recorded_book_change(ex->recorded, market, side, best.price_e4, -trade.count_e2, trade.time_ns);
}
