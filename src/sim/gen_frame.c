/* gen_frame.c - the frames' texts, written straight into the step's memory. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "gen_private.h"

#define LIT(at, text) (memcpy((at), (text), sizeof(text) - 1), (at) += sizeof(text) - 1)

/* Room for need more bytes and one more item; false (and out_of_memory set) when there is none. */
static bool
room(struct kdp_gen *gen, size_t need)
{
    if (gen->text_size - gen->text_used < need) {
        size_t size = gen->text_size * 2 + need;
        char *grown = realloc(gen->text, size);

        if (grown == NULL)
            gen->out_of_memory = true;
        else {
            gen->text = grown;
            gen->text_size = size;
        }
    }
    if (gen->item_count == gen->item_max) {
        struct gen_item *grown = realloc(gen->items, 2 * gen->item_max * sizeof *grown);

        if (grown == NULL)
            gen->out_of_memory = true;
        else {
            gen->items = grown;
            gen->item_max *= 2;
        }
    }
    return !gen->out_of_memory;
}

/* Times: the exchange stamps microseconds; what it sends arrives some milliseconds later, often together with
 * the frame before.  Arrival times never go back. */
static void
tick(struct kdp_gen *gen)
{
    gen->now_ns += 1000 * (int64_t)(1 + gen_below(gen, 20));
}

static int64_t
arrival(struct kdp_gen *gen)
{
    uint64_t draw = gen_random(gen);
    int64_t late_ns = 3600000 + (int64_t)(draw & 0x1fffff) + (int64_t)(draw >> 24 & 0x1fffff);

    if ((draw >> 48 & 63) == 0)
        late_ns += (int64_t)(draw >> 54) * 10000;
    if ((draw >> 56 & 3) != 0 && gen->last_recv_ns + 2000000 > gen->now_ns + late_ns)
        return gen->last_recv_ns; /* read in one batch */
    if (gen->now_ns + late_ns > gen->last_recv_ns)
        gen->last_recv_ns = gen->now_ns + late_ns;
    return gen->last_recv_ns;
}

static struct gen_item *
queue(struct kdp_gen *gen, uint32_t conn, enum kdp_gen_kind kind, enum gen_channel channel, const char *end)
{
    struct gen_item *item = &gen->items[gen->item_count++];

    *item = (struct gen_item){.offset = (uint32_t)gen->text_used,
                              .kind = (uint8_t)kind,
                              .conn = (uint8_t)conn,
                              .channel = (uint8_t)channel};
    item->len = (uint32_t)(end - gen->text) - item->offset;
    item->recv_ns = arrival(gen);
    gen->text_used += item->len;
    return item;
}

char *
gen_put_price(char *at, int32_t price_e4)
{
    uint32_t value = (uint32_t)price_e4;

    at[0] = (char)('0' + value / 10000);
    at[1] = '.';
    at[2] = (char)('0' + value / 1000 % 10);
    at[3] = (char)('0' + value / 100 % 10);
    at[4] = (char)('0' + value / 10 % 10);
    at[5] = (char)('0' + value % 10);
    return at + 6;
}

static char *
put_size(char *at, int64_t size_e2)
{
    uint64_t value;

    if (size_e2 < 0)
        *at++ = '-';
    value = (uint64_t)(size_e2 < 0 ? -size_e2 : size_e2);
    at = gen_decimal(at, value / 100);
    *at++ = '.';
    *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

/* now_ns in milliseconds, in seconds, and as RFC 3339 with microseconds; the date's text is kept for the
 * second. */
static char *
put_ms(const struct kdp_gen *gen, char *at)
{
    return gen_decimal(at, (uint64_t)(gen->now_ns / 1000000));
}

static char *
put_s(const struct kdp_gen *gen, char *at)
{
    return gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S));
}

static char *
put_rfc(struct kdp_gen *gen, char *at)
{
    int64_t second = gen->now_ns / KDP_NS_PER_S;
    uint32_t us = (uint32_t)(gen->now_ns % KDP_NS_PER_S / 1000);

    if (second != gen->second) {
        char text[KDPI_TIME_TEXT];

        kdpi_time_format(text, second * KDP_NS_PER_S, 0);
        memcpy(gen->date, text, 19);
        gen->second = second;
    }
    memcpy(at, gen->date, 19);
    at[19] = '.';
    for (unsigned i = 25; i > 19; i--, us /= 10)
        at[i] = (char)('0' + us % 10);
    at[26] = 'Z';
    return at + 27;
}

static char *
put_ident(const struct kdp_gen *gen, const struct gen_market *market, char *at)
{
    memcpy(at, gen->names + market->name + market->ticker_len + 1, market->ident_len);
    return at + market->ident_len;
}

static char *
put_sid_seq(char *at, struct gen_sub *sub)
{
    LIT(at, "\"sid\":");
    at = gen_decimal(at, sub->sid);
    LIT(at, ",\"seq\":");
    return gen_decimal(at, ++sub->seq);
}

/* Closes msg and frame. */
static char *
put_end(struct kdp_gen *gen, char *at)
{
    if (gen->config.fault_ppm[KDP_GEN_FAULT_UNKNOWN] != 0 &&
        gen_chance(gen, gen->config.fault_ppm[KDP_GEN_FAULT_UNKNOWN]))
        LIT(at, ",\"x_not_yet_known\":{\"list\":[1,\"two\",null,{\"deep\":[true]}],\"text\":\"\\u00e9\\n\"}");
    *at++ = '}';
    if (gen->sending) {
        LIT(at, ",\"sending_ts_ms\":");
        at = gen_decimal(at, (uint64_t)(gen->now_ns / 1000000) + 2);
    }
    *at++ = '}';
    return at;
}

static struct gen_sub *
sub_of(struct kdp_gen *gen, uint32_t conn, enum gen_channel channel)
{
    return &gen->conns[conn].subs[channel];
}

/* The connection whose subscription to a channel for all markets is this one. */
static uint32_t
conn_of(const struct kdp_gen *gen, enum gen_channel channel)
{
    return channel == GEN_TRADE && gen->config.connections > 1 ? 1 : 0;
}

void
gen_put_delta(struct kdp_gen *gen, uint32_t index, unsigned side, int32_t price_e4, int32_t delta_e2,
              bool negative)
{
    const struct gen_market *market = &gen->markets[index];
    uint32_t conn = gen->events[market->event].conn;
    struct gen_sub *sub = sub_of(gen, conn, GEN_BOOK);
    struct gen_item *item;
    char *at;

    if (gen->sink != NULL) {
        gen->sink->delta(gen->sink->arg, index, side, price_e4, delta_e2);
        return;
    }
    if ((market->flags & GEN_SUBSCRIBED) == 0 || sub->sid == 0 || !room(gen, TEXT_MAX))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"orderbook_delta\",");
    at = put_sid_seq(at, sub);
    LIT(at, ",\"msg\":{");
    at = put_ident(gen, market, at);
    LIT(at, ",\"price_dollars\":\"");
    at = gen_put_price(at, side == GEN_NO && gen->config.leg_yes ? 10000 - price_e4 : price_e4);
    LIT(at, "\",\"delta_fp\":\"");
    at = put_size(at, delta_e2);
    if (side == GEN_YES)
        LIT(at, "\",\"side\":\"yes\",\"ts\":\"");
    else
        LIT(at, "\",\"side\":\"no\",\"ts\":\"");
    at = put_rfc(gen, at);
    LIT(at, "\",\"ts_ms\":");
    at = put_ms(gen, at);
    item = queue(gen, conn, KDP_GEN_FRAME, GEN_BOOK, put_end(gen, at));
    item->seq = sub->seq;
    item->market = index;
    item->effect = negative ? GEN_NEGATIVE_LEVEL : GEN_DELTA;
    item->side = (uint8_t)side;
    item->price_e4 = price_e4;
    item->delta_e2 = delta_e2;
}

void
gen_put_snapshot(struct kdp_gen *gen, uint32_t index, uint32_t id)
{
    static const char *const keys[2] = {",\"yes_dollars_fp\":[", ",\"no_dollars_fp\":["};
    struct gen_market *market = &gen->markets[index];
    uint32_t conn = gen->events[market->event].conn;
    struct gen_sub *sub = sub_of(gen, conn, GEN_BOOK);
    struct gen_item *item;
    char *at;

    if (sub->sid == 0 || !room(gen, TEXT_MAX + 2 * LEVELS_MAX * 32))
        return;
    tick(gen);
    market->flags |= GEN_SUBSCRIBED;
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"orderbook_snapshot\",");
    at = put_sid_seq(at, sub);
    if (id != 0) {
        LIT(at, ",\"id\":");
        at = gen_decimal(at, id);
    }
    LIT(at, ",\"msg\":{");
    at = put_ident(gen, market, at);
    for (unsigned side = 0; side < 2; side++) {
        const struct gen_level *levels = market->book.levels[side];

        if (market->book.count[side] == 0) /* an empty side is an absent key */
            continue;
        at = gen_string(at, keys[side]);
        for (unsigned i = market->book.count[side]; i-- > 0;) {
            LIT(at, "[\"");
            at = gen_put_price(at, side == GEN_NO && gen->config.leg_yes ? 10000 - levels[i].price_e4
                                                                         : levels[i].price_e4);
            LIT(at, "\",\"");
            at = put_size(at, levels[i].size_e2);
            LIT(at, "\"],");
        }
        at[-1] = ']';
    }
    item = queue(gen, conn, KDP_GEN_FRAME, GEN_BOOK, put_end(gen, at));
    item->seq = sub->seq;
    item->market = index;
    item->effect = GEN_SNAPSHOT;
    item->asked = id != 0;
}

void
gen_put_trade(struct kdp_gen *gen, uint32_t index, int32_t yes_e4, int32_t count_e2, unsigned taker,
              bool block)
{
    static const char hex[] = "0123456789abcdef";
    const struct gen_market *market = &gen->markets[index];
    uint32_t conn = conn_of(gen, GEN_TRADE);
    struct gen_sub *sub = sub_of(gen, conn, GEN_TRADE);
    uint64_t a = gen_random(gen), b = gen_random(gen);
    struct gen_item *item;
    char *at;

    if (gen->sink != NULL) {
        gen->sink->trade(gen->sink->arg, index, yes_e4, count_e2, taker, block, a, b);
        return;
    }
    if (sub->sid == 0 || !room(gen, TEXT_MAX))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"trade\",");
    at = put_sid_seq(at, sub);
    LIT(at, ",\"msg\":{\"trade_id\":\"");
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        *at++ = i == 12 ? '4' : i == 16 ? '9' : hex[(i < 16 ? a : b) >> (60 - 4 * (i % 16)) & 15];
    }
    LIT(at, "\",\"market_ticker\":\"");
    memcpy(at, gen_ticker(gen, market), market->ticker_len);
    at += market->ticker_len;
    LIT(at, "\",\"yes_price_dollars\":\"");
    at = gen_put_price(at, yes_e4);
    LIT(at, "\",\"no_price_dollars\":\"");
    at = gen_put_price(at, 10000 - yes_e4);
    LIT(at, "\",\"count_fp\":\"");
    at = put_size(at, count_e2);
    if (gen->taker_side)
        at = gen_string(at, taker == GEN_YES ? "\",\"taker_side\":\"yes" : "\",\"taker_side\":\"no");
    at = gen_string(at, taker == GEN_YES ? "\",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\""
                                         : "\",\"taker_outcome_side\":\"no\",\"taker_book_side\":\"ask\"");
    at = gen_string(at, block ? ",\"is_block_trade\":true,\"ts\":" : ",\"is_block_trade\":false,\"ts\":");
    at = put_s(gen, at);
    LIT(at, ",\"ts_ms\":");
    at = put_ms(gen, at);
    item = queue(gen, conn, KDP_GEN_FRAME, GEN_TRADE, put_end(gen, at));
    item->seq = sub->seq;
    item->market = index;
    item->effect = GEN_TRADED;
}

void
gen_put_ticker(struct kdp_gen *gen, uint32_t index)
{
    const struct gen_market *market = &gen->markets[index];
    const struct gen_book *book = &market->book;
    struct gen_sub *sub = sub_of(gen, conn_of(gen, GEN_TICKER), GEN_TICKER);
    int32_t bid = book->count[GEN_YES] > 0 ? book->levels[GEN_YES][0].price_e4 : 0;
    int32_t ask = book->count[GEN_NO] > 0 ? 10000 - book->levels[GEN_NO][0].price_e4 : 10000;
    struct gen_item *item;
    char *at;

    if (gen->sink != NULL) {
        gen->sink->ticker(gen->sink->arg, index);
        return;
    }
    if (sub->sid == 0 || !room(gen, TEXT_MAX))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"ticker\",\"sid\":");
    at = gen_decimal(at, sub->sid);
    LIT(at, ",\"msg\":{");
    at = put_ident(gen, market, at);
    LIT(at, ",\"price_dollars\":\"");
    if (market->trades > 0) /* before the first trade there is no price */
        at = gen_put_price(at, market->last_e4);
    LIT(at, "\",\"yes_bid_dollars\":\"");
    at = gen_put_price(at, bid);
    LIT(at, "\",\"yes_ask_dollars\":\"");
    at = gen_put_price(at, ask);
    LIT(at, "\",\"yes_bid_size_fp\":\"");
    at = put_size(at, book->count[GEN_YES] > 0 ? book->levels[GEN_YES][0].size_e2 : 0);
    LIT(at, "\",\"yes_ask_size_fp\":\"");
    at = put_size(at, book->count[GEN_NO] > 0 ? book->levels[GEN_NO][0].size_e2 : 0);
    LIT(at, "\",\"last_trade_size_fp\":\"");
    at = put_size(at, market->last_size_e2);
    LIT(at, "\",\"volume_fp\":\"");
    at = put_size(at, market->volume_e2);
    LIT(at, "\",\"open_interest_fp\":\"");
    at = put_size(at, market->open_interest_e2);
    LIT(at, "\",\"dollar_volume\":");
    at = gen_decimal(at, (uint64_t)(market->volume_cash_e6 / 1000000));
    LIT(at, ",\"dollar_open_interest\":");
    at = gen_decimal(at, (uint64_t)(market->open_interest_e2 * market->last_e4 / 1000000));
    LIT(at, ",\"ts\":");
    at = put_s(gen, at);
    LIT(at, ",\"ts_ms\":");
    at = put_ms(gen, at);
    LIT(at, ",\"time\":\"");
    at = put_rfc(gen, at);
    *at++ = '"';
    item = queue(gen, conn_of(gen, GEN_TICKER), KDP_GEN_FRAME, GEN_CHANNELS, put_end(gen, at));
    item->market = index;
    item->effect = GEN_NAMED;
}

const char *const gen_channel_names[GEN_CHANNELS] = {"orderbook_delta", "ticker", "trade",
                                                     "market_lifecycle_v2", "multivariate_market_lifecycle"};

void
gen_put_subscribed(struct kdp_gen *gen, uint32_t conn, uint32_t id, enum gen_channel channel)
{
    char *at;

    if (!room(gen, TEXT_MAX))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"subscribed\",\"id\":");
    at = gen_decimal(at, id);
    LIT(at, ",\"msg\":{\"channel\":\"");
    at = gen_string(at, gen_channel_names[channel]);
    LIT(at, "\",\"sid\":");
    at = gen_decimal(at, gen->conns[conn].subs[channel].sid);
    LIT(at, "}}");
    queue(gen, conn, KDP_GEN_FRAME, GEN_CHANNELS, at);
}

void
gen_put_ok(struct kdp_gen *gen, uint32_t conn, uint32_t id, uint32_t removed)
{
    const struct gen_conn *c = &gen->conns[conn];
    struct gen_sub *sub = sub_of(gen, conn, GEN_BOOK);
    uint32_t count = c->asked <= LIST_MAX ? c->asked : 0;
    struct gen_item *item;
    char *at;

    if (!room(gen, TEXT_MAX + (size_t)count * 96))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"ok\",\"id\":");
    at = gen_decimal(at, id);
    *at++ = ',';
    at = put_sid_seq(at, sub);
    LIT(at, ",\"msg\":{");
    if (count > 0) {
        LIT(at, "\"market_tickers\":[");
        for (uint32_t i = 0; i < count; i++) {
            const struct gen_market *market = &gen->markets[c->list[i]];

            *at++ = '"';
            memcpy(at, gen_ticker(gen, market), market->ticker_len);
            at += market->ticker_len;
            LIT(at, "\",");
        }
        at[-1] = ']';
    }
    LIT(at, "}}");
    item = queue(gen, conn, KDP_GEN_FRAME, GEN_BOOK, at);
    item->seq = sub->seq;
    if (removed != UINT32_MAX && count > 0) {
        item->market = removed;
        item->effect = GEN_REMOVED;
    }
}

void
gen_put_ok_list(struct kdp_gen *gen, uint32_t conn, uint32_t id)
{
    char *at;

    if (!room(gen, TEXT_MAX))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"ok\",\"id\":");
    at = gen_decimal(at, id);
    LIT(at, ",\"msg\":[");
    for (unsigned channel = 0; channel < GEN_CHANNELS; channel++) {
        if (gen->conns[conn].subs[channel].sid == 0)
            continue;
        LIT(at, "{\"channel\":\"");
        at = gen_string(at, gen_channel_names[channel]);
        LIT(at, "\",\"sid\":");
        at = gen_decimal(at, gen->conns[conn].subs[channel].sid);
        LIT(at, "},");
    }
    if (at[-1] == ',')
        at--;
    LIT(at, "]}");
    queue(gen, conn, KDP_GEN_FRAME, GEN_CHANNELS, at);
}

void
gen_put_unsubscribed(struct kdp_gen *gen, uint32_t conn, uint32_t id)
{
    struct gen_sub *sub = sub_of(gen, conn, GEN_BOOK);
    struct gen_item *item;
    char *at;

    if (!room(gen, TEXT_MAX))
        return;
    tick(gen);
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"unsubscribed\",\"id\":");
    at = gen_decimal(at, id);
    *at++ = ',';
    at = put_sid_seq(at, sub);
    *at++ = '}';
    item = queue(gen, conn, KDP_GEN_FRAME, GEN_BOOK, at);
    item->seq = sub->seq;
    item->effect = GEN_UNSUBSCRIBED;
}

void
gen_put_mark(struct kdp_gen *gen, uint32_t conn, enum kdp_gen_kind kind)
{
    struct gen_item *item;

    if (!room(gen, TEXT_MAX))
        return;
    item = queue(gen, conn, kind, GEN_CHANNELS, gen->text + gen->text_used);
    item->recv_ns = gen->now_ns > gen->last_recv_ns ? gen->now_ns : gen->last_recv_ns;
    gen->last_recv_ns = item->recv_ns;
}

void
gen_put_command(struct kdp_gen *gen, uint32_t conn, const char *fmt, ...)
{
    va_list args;
    int len;

    if (!gen->config.commands || !room(gen, TEXT_MAX))
        return;
    va_start(args, fmt);
    len = vsnprintf(gen->text + gen->text_used, TEXT_MAX, fmt, args);
    va_end(args);
    queue(gen, conn, KDP_GEN_COMMAND, GEN_CHANNELS, gen->text + gen->text_used + len);
}

void
gen_put_list_command(struct kdp_gen *gen, uint32_t conn, uint32_t id, const char *what, uint32_t from,
                     uint32_t to)
{
    const struct gen_conn *c = &gen->conns[conn];
    char *at;

    if (!gen->config.commands || !room(gen, TEXT_MAX + (size_t)(to - from) * 96))
        return;
    at = gen->text + gen->text_used;
    LIT(at, "{\"id\":");
    at = gen_decimal(at, id);
    *at++ = ',';
    if (what != NULL) {
        at = gen_string(at, what);
        at = gen_string(at, gen->config.leg_yes ? ",\"use_yes_price\":true" : ",\"use_yes_price\":false");
        if (to < c->count)
            LIT(at, ",\"skip_ticker_ack\":true");
    } else {
        LIT(at, "\"cmd\":\"update_subscription\",\"params\":{\"sid\":");
        at = gen_decimal(at, c->subs[GEN_BOOK].sid);
        LIT(at, ",\"action\":\"add_markets\"");
    }
    LIT(at, ",\"market_tickers\":[");
    for (uint32_t i = from; i < to; i++) {
        const struct gen_market *market = &gen->markets[c->list[i]];

        *at++ = '"';
        memcpy(at, gen_ticker(gen, market), market->ticker_len);
        at += market->ticker_len;
        LIT(at, "\",");
    }
    if (to > from)
        at--;
    LIT(at, "]}}");
    queue(gen, conn, KDP_GEN_COMMAND, GEN_CHANNELS, at);
}

void
gen_put_text(struct kdp_gen *gen, uint32_t conn, const char *text, size_t len)
{
    if (!room(gen, len + 1))
        return;
    memmove(gen->text + gen->text_used, text, len);
    queue(gen, conn, KDP_GEN_FRAME, GEN_CHANNELS, gen->text + gen->text_used + len);
}

char *
gen_life_begin(struct kdp_gen *gen, enum gen_channel channel, const char *type)
{
    struct gen_sub *sub = sub_of(gen, conn_of(gen, channel), channel);
    char *at;

    if (sub->sid == 0 || !room(gen, 2 * TEXT_MAX))
        return NULL;
    tick(gen);
    gen->life_channel = channel;
    at = gen->text + gen->text_used;
    LIT(at, "{\"type\":\"");
    at = gen_string(at, type);
    LIT(at, "\",");
    at = put_sid_seq(at, sub);
    LIT(at, ",\"msg\":{");
    return at;
}

void
gen_life_end(struct kdp_gen *gen, char *at, uint32_t index, enum gen_effect effect)
{
    uint32_t conn = conn_of(gen, gen->life_channel);
    struct gen_item *item = queue(gen, conn, KDP_GEN_FRAME, gen->life_channel, put_end(gen, at));

    item->seq = sub_of(gen, conn, gen->life_channel)->seq;
    item->market = index;
    item->effect = (uint8_t)effect;
}
