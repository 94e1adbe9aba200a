/* old_form.c - see old_form.h. */
#include "old_form.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "json.h"

#define TEXTS_BYTES 65536u
#define MARKETS_MAX 4096u /* flat messages with a seq of their own: sids are a table of 8,192 */
#define CONNECTIONS_MAX 256u
#define SID_BASE 0x40000000u /* far above what the exchange gives out */
#define NAME_BYTES 208u
#define PRICE_ONE 10000

enum type { TYPE_OTHER, TYPE_DELTA, TYPE_SNAPSHOT, TYPE_TRADE, TYPE_TICKER };

struct market {
    char ticker[NAME_BYTES];
    bool used;
};

struct connection {
    char name[NAME_BYTES];
    struct {
        char channel[32];
        int64_t sid;
    } channels[8]; /* as its subscribed replies said */
};

struct kdp_old_form {
    uint64_t identity;
    struct kdp_json json, inner;
    struct kdp_json_keys keys, inner_keys;
    char texts[TEXTS_BYTES], inner_texts[TEXTS_BYTES];
    char *out;
    size_t used, room;
    bool no_memory;
    struct market *markets; /* open addressing by ticker; index is the sid's */
    unsigned market_count;
    bool one_seq; /* flat messages count over all markets, as the exchange's do */
    bool decided;
    uint64_t last_seq;
    unsigned last_market;
    struct connection *connections;
    unsigned connection_count;
    /* of the message under way */
    enum kdp_refusal refusal;
    const char *why, *member;
    size_t position;
};

struct kdp_old_form *
kdpi_old_form_open(uint64_t identity)
{
    struct kdp_old_form *old = calloc(1, sizeof *old);

    if (old == NULL)
        return NULL;
    old->identity = identity;
    old->markets = calloc(2 * MARKETS_MAX, sizeof *old->markets);
    old->connections = calloc(CONNECTIONS_MAX, sizeof *old->connections);
    if (old->markets == NULL || old->connections == NULL) {
        kdpi_old_form_close(old);
        return NULL;
    }
    kdpi_json_init(&old->json, &old->keys, old->texts, sizeof old->texts);
    kdpi_json_init(&old->inner, &old->inner_keys, old->inner_texts, sizeof old->inner_texts);
    return old;
}

void
kdpi_old_form_close(struct kdp_old_form *old)
{
    if (old == NULL)
        return;
    free(old->markets);
    free(old->connections);
    free(old->out);
    free(old);
}

/* ---- the frame that is made ---- */

static void
put(struct kdp_old_form *old, const char *text, size_t len)
{
    if (old->used + len + KDPI_UNWRAP_SLACK > old->room) {
        size_t room = old->room != 0 ? old->room : 4096;
        char *grown;

        while (room < old->used + len + KDPI_UNWRAP_SLACK)
            room *= 2;
        grown = realloc(old->out, room);
        if (grown == NULL) {
            old->no_memory = true;
            return;
        }
        old->out = grown;
        old->room = room;
    }
    memcpy(old->out + old->used, text, len);
    old->used += len;
}

static void
put_word(struct kdp_old_form *old, const char *text)
{
    put(old, text, strlen(text));
}

/* A text as JSON has it. */
static void
put_text(struct kdp_old_form *old, struct kdp_text text)
{
    char escape[8];

    put(old, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\' || c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            put_word(old, escape);
        } else {
            put(old, (const char *)&text.data[i], 1);
        }
    }
    put(old, "\"", 1);
}

static void
put_decimal(struct kdp_old_form *old, int64_t value, unsigned scale)
{
    char digits[KDPI_DECIMAL_TEXT + 2];
    size_t len;

    digits[0] = '"';
    len = kdpi_decimal_format(digits + 1, value, scale) + 1;
    digits[len++] = '"';
    put(old, digits, len);
}

/* ---- values ---- */

static bool
refuse(struct kdp_old_form *old, enum kdp_refusal refusal, size_t position, const char *member,
       const char *why)
{
    if (old->refusal == KDP_REFUSAL_NONE) {
        old->refusal = refusal;
        old->position = position;
        old->member = member;
        old->why = why;
    }
    return false;
}

struct value {
    enum kdp_json_kind kind; /* NONE: not given, or null */
    struct kdp_text text;
    size_t at;
    const char *member;
};

static struct value
take(struct kdp_json *json, const char *member)
{
    struct value value = {.at = kdpi_json_offset(json), .member = member};

    value.kind = kdpi_json_scalar(json, &value.text);
    if (value.kind == KDP_JSON_NULL || (value.kind == KDP_JSON_STRING && value.text.len == 0))
        value.kind = KDP_JSON_NONE;
    return value;
}

static bool
has_point(struct kdp_text text)
{
    return memchr(text.data, '.', text.len) != NULL || memchr(text.data, 'e', text.len) != NULL ||
           memchr(text.data, 'E', text.len) != NULL;
}

static bool
read_number(struct kdp_old_form *old, const struct value *value, unsigned scale, int64_t *numberp)
{
    if (value->kind != KDP_JSON_NUMBER && value->kind != KDP_JSON_STRING)
        return refuse(old, KDP_REFUSAL_TYPE, value->at, value->member, "neither a number nor a text");
    switch (kdpi_decimal_parse(value->text.data, value->text.len, scale, numberp)) {
    case KDP_DECIMAL_OK:
        return true;
    case KDP_DECIMAL_TOO_FINE:
        return refuse(old, KDP_REFUSAL_TOO_FINE, value->at, value->member,
                      scale == 2 ? "finer than 0.01 contract" : "finer than 0.0001 dollar");
    case KDP_DECIMAL_TOO_BIG:
        return refuse(old, KDP_REFUSAL_RANGE, value->at, value->member, "out of range");
    default:
        return refuse(old, KDP_REFUSAL_TYPE, value->at, value->member, "not a number");
    }
}

/* A price in 1e-4 dollar; dollars: its name says so. */
static bool
read_price(struct kdp_old_form *old, const struct value *value, bool dollars, int64_t *pricep)
{
    int64_t price;

    if (!dollars && (value->kind == KDP_JSON_NUMBER || value->kind == KDP_JSON_STRING) &&
        !has_point(value->text)) {
        if (!read_number(old, value, 0, &price))
            return false;
        price = price >= -100 && price <= 100 ? price * 100 : PRICE_ONE + 1;
    } else {
        /* at a finer scale first: 68.5 are cents, and whether it fits is asked of what it comes to */
        if (kdpi_decimal_parse(value->text.data, value->text.len, 2, &price) == KDP_DECIMAL_OK &&
            price > 100 && !dollars)
            ; /* cents with their hundredths are 1e-4 dollar */
        else if (!read_number(old, value, 4, &price))
            return false;
    }
    if (price < 0 || price > PRICE_ONE)
        return refuse(old, KDP_REFUSAL_RANGE, value->at, value->member, "a price is between 0 and 1 dollar");
    *pricep = price;
    return true;
}

/* Any time: seconds, ms, us or ns by its size, or a date. */
static bool
read_time(const struct value *value, int64_t *nsp)
{
    static const struct {
        int64_t below;
        unsigned scale;
    } units[] = {{INT64_C(100000000000), 9},
                 {INT64_C(100000000000000), 6},
                 {INT64_C(100000000000000000), 3},
                 {INT64_MAX, 0}};
    int64_t whole = 0;

    if (value->kind == KDP_JSON_STRING && memchr(value->text.data, '-', value->text.len) != NULL) {
        char zoned[48];

        if (kdpi_time_parse(value->text.data, value->text.len, nsp) == 0)
            return true;
        if (value->text.len + 2 > sizeof zoned) /* without a zone it is UTC: Python's isoformat() */
            return false;
        memcpy(zoned, value->text.data, value->text.len);
        if (value->text.len > 10 && zoned[10] == ' ')
            zoned[10] = 'T';
        zoned[value->text.len] = 'Z';
        return kdpi_time_parse(zoned, value->text.len + 1, nsp) == 0;
    }
    if (value->kind != KDP_JSON_NUMBER && value->kind != KDP_JSON_STRING)
        return false;
    for (size_t i = 0; i < value->text.len && value->text.data[i] >= '0' && value->text.data[i] <= '9' &&
                       whole < INT64_MAX / 10 - 9;
         i++)
        whole = whole * 10 + (value->text.data[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (whole < units[i].below) {
            size_t len = value->text.len;
            const char *point = memchr(value->text.data, '.', len);

            /* a float's digits beyond the nanosecond say nothing */
            if (point != NULL && len > (size_t)(point - value->text.data) + 1 + units[i].scale)
                len = (size_t)(point - value->text.data) + 1 + units[i].scale - (units[i].scale == 0);
            return kdpi_decimal_parse(value->text.data, len, units[i].scale, nsp) == KDP_DECIMAL_OK &&
                   *nsp >= 0;
        }
    }
    return false;
}

/* ---- one message ---- */

#define LEVELS_NONE SIZE_MAX

struct message { /* what was found, under any of its names */
    enum type type;
    struct value ticker, price, no_price, count, delta, side, id, time, ts_ms, bid, ask, bid_size, ask_size,
        volume, open_interest, block;
    bool price_dollars, no_dollars, bid_dollars, ask_dollars;
    size_t yes_at, no_at, bids_at, asks_at; /* arrays, LEVELS_NONE */
    bool odd;                               /* something in it is not in the exchange's own form */
};

enum slot {
    S_NONE,
    S_TICKER,
    S_PRICE,
    S_NO_PRICE,
    S_COUNT,
    S_DELTA,
    S_SIDE,
    S_ID,
    S_TIME,
    S_TS_MS,
    S_BID,
    S_ASK,
    S_BID_SIZE,
    S_ASK_SIZE,
    S_VOLUME,
    S_OPEN,
    S_BLOCK,
    S_YES,
    S_NO,
    S_BIDS,
    S_ASKS
};

/* own: the exchange has, or had, this name itself.  types: a bit for each type in which the name means this. */
static const struct {
    const char *name;
    enum slot slot;
    unsigned types;
    bool own, dollars;
} names[] = {
#define ALL 0x1eu
#define DELTA (1u << TYPE_DELTA)
#define SNAPSHOT (1u << TYPE_SNAPSHOT)
#define TRADE (1u << TYPE_TRADE)
#define TICKER (1u << TYPE_TICKER)
    {"market_ticker", S_TICKER, ALL, true, false},
    {"ticker", S_TICKER, ALL, false, false},
    {"market", S_TICKER, ALL, false, false},
    {"symbol", S_TICKER, ALL, false, false},
    {"ts_ms", S_TS_MS, ALL, true, false},
    {"ts", S_TIME, ALL, true, false},
    {"time", S_TIME, ALL, true, false},
    {"timestamp", S_TIME, ALL, false, false},
    {"created_time", S_TIME, ALL, false, false},
    {"price", S_PRICE, DELTA | TRADE | TICKER, true, false},
    {"price_dollars", S_PRICE, DELTA | TRADE | TICKER, true, true},
    {"last_price", S_PRICE, TICKER, false, false},
    {"yes_price", S_PRICE, TRADE, true, false},
    {"yes_price_dollars", S_PRICE, TRADE, true, true},
    {"no_price", S_NO_PRICE, TRADE, true, false},
    {"no_price_dollars", S_NO_PRICE, TRADE, true, true},
    {"count", S_COUNT, TRADE, true, false},
    {"count_fp", S_COUNT, TRADE, true, false},
    {"size", S_COUNT, TRADE, false, false},
    {"quantity", S_COUNT, TRADE, false, false},
    {"volume", S_COUNT, TRADE, false, false},
    {"delta", S_DELTA, DELTA, true, false},
    {"delta_fp", S_DELTA, DELTA, true, false},
    {"delta_size", S_DELTA, DELTA, false, false},
    {"size_delta", S_DELTA, DELTA, false, false},
    {"side", S_SIDE, DELTA | TRADE, true, false},
    {"taker_side", S_SIDE, TRADE, true, false},
    {"taker_outcome_side", S_SIDE, TRADE, true, false},
    {"trade_id", S_ID, TRADE, true, false},
    {"id", S_ID, TRADE, false, false},
    {"is_block_trade", S_BLOCK, TRADE, true, false},
    {"yes_bid", S_BID, TICKER, true, false},
    {"yes_bid_dollars", S_BID, TICKER, true, true},
    {"bid", S_BID, TICKER, false, false},
    {"best_bid", S_BID, TICKER, false, false},
    {"yes_ask", S_ASK, TICKER, true, false},
    {"yes_ask_dollars", S_ASK, TICKER, true, true},
    {"ask", S_ASK, TICKER, false, false},
    {"best_ask", S_ASK, TICKER, false, false},
    {"bid_size", S_BID_SIZE, TICKER, false, false},
    {"yes_bid_size_fp", S_BID_SIZE, TICKER, true, false},
    {"ask_size", S_ASK_SIZE, TICKER, false, false},
    {"yes_ask_size_fp", S_ASK_SIZE, TICKER, true, false},
    {"volume", S_VOLUME, TICKER, true, false},
    {"volume_fp", S_VOLUME, TICKER, true, false},
    {"open_interest", S_OPEN, TICKER, true, false},
    {"open_interest_fp", S_OPEN, TICKER, true, false},
    {"yes", S_YES, SNAPSHOT, true, false},
    {"yes_dollars", S_YES, SNAPSHOT, true, true},
    {"yes_dollars_fp", S_YES, SNAPSHOT, true, true},
    {"no", S_NO, SNAPSHOT, true, false},
    {"no_dollars", S_NO, SNAPSHOT, true, true},
    {"no_dollars_fp", S_NO, SNAPSHOT, true, true},
    {"bids", S_BIDS, SNAPSHOT, false, false},
    {"asks", S_ASKS, SNAPSHOT, false, false}};

static int
find_name(struct kdp_text key, enum type type)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((names[i].types >> type & 1u) != 0 && kdpi_text_equal(key, names[i].name, strlen(names[i].name)))
            return (int)i;
    return -1;
}

/* Whether the value of a price is one that the exchange never wrote: a number with a point under a name of the cents form. */
static bool
odd_price(const struct value *value, bool dollars)
{
    return !dollars && value->kind != KDP_JSON_NONE && has_point(value->text);
}

static void
fill(struct value *slot, bool *dollarsp, struct value value, bool dollars)
{
    if (value.kind == KDP_JSON_NONE ||
        (slot->kind != KDP_JSON_NONE && !(dollars && dollarsp != NULL && !*dollarsp)))
        return; /* the first counts, and dollars before cents */
    *slot = value;
    if (dollarsp != NULL)
        *dollarsp = dollars;
}

/* Looks at an array of levels: objects, or prices with a point under a name of cents, are not the exchange's own. */
static bool
odd_levels(struct kdp_old_form *old, struct kdp_json *json, bool dollars)
{
    bool odd = false;
    (void)old;

    if (kdpi_json_peek(json) != KDP_JSON_ARRAY) {
        kdpi_json_skip(json);
        return false;
    }
    kdpi_json_array(json);
    while (kdpi_json_element(json)) {
        struct kdp_text text;

        if (kdpi_json_peek(json) == KDP_JSON_OBJECT) {
            odd = true;
            kdpi_json_skip(json);
        } else if (kdpi_json_peek(json) == KDP_JSON_ARRAY) {
            kdpi_json_array(json);
            for (unsigned part = 0; kdpi_json_element(json); part++)
                if (kdpi_json_scalar(json, &text) != KDP_JSON_NONE && part == 0 && !dollars &&
                    has_point(text))
                    odd = true;
        } else {
            kdpi_json_skip(json);
        }
    }
    return odd;
}

/* One member of the message's body. */
static void
body_member(struct kdp_old_form *old, struct kdp_json *json, struct message *m, struct kdp_text key)
{
    int which = find_name(key, m->type);
    struct value value;
    size_t *arrayp;

    if (which < 0)
        return;
    m->odd = m->odd || !names[which].own;
    if (names[which].slot >= S_YES) {
        arrayp = names[which].slot == S_YES    ? &m->yes_at
                 : names[which].slot == S_NO   ? &m->no_at
                 : names[which].slot == S_BIDS ? &m->bids_at
                                               : &m->asks_at;
        if (*arrayp == LEVELS_NONE || names[which].dollars)
            *arrayp = kdpi_json_offset(json) | (names[which].dollars ? (size_t)1 << 62 : 0);
        m->odd = odd_levels(old, json, names[which].dollars) || m->odd;
        return;
    }
    value = take(json, names[which].name);
    switch (names[which].slot) {
    case S_TICKER:
        fill(&m->ticker, NULL, value, false);
        break;
    case S_PRICE:
        m->odd = m->odd || odd_price(&value, names[which].dollars);
        fill(&m->price, &m->price_dollars, value, names[which].dollars);
        break;
    case S_NO_PRICE:
        m->odd = m->odd || odd_price(&value, names[which].dollars);
        fill(&m->no_price, &m->no_dollars, value, names[which].dollars);
        break;
    case S_COUNT:
        fill(&m->count, NULL, value, false);
        break;
    case S_DELTA:
        fill(&m->delta, NULL, value, false);
        break;
    case S_SIDE:
        m->odd = m->odd || (value.kind == KDP_JSON_STRING && !kdpi_text_is(value.text, "yes") &&
                            !kdpi_text_is(value.text, "no"));
        fill(&m->side, NULL, value, false);
        break;
    case S_ID:
        fill(&m->id, NULL, value, false);
        break;
    case S_TIME:
        fill(&m->time, NULL, value, false);
        break;
    case S_TS_MS:
        fill(&m->ts_ms, NULL, value, false);
        break;
    case S_BID:
        m->odd = m->odd || odd_price(&value, names[which].dollars);
        fill(&m->bid, &m->bid_dollars, value, names[which].dollars);
        break;
    case S_ASK:
        m->odd = m->odd || odd_price(&value, names[which].dollars);
        fill(&m->ask, &m->ask_dollars, value, names[which].dollars);
        break;
    case S_BID_SIZE:
        fill(&m->bid_size, NULL, value, false);
        break;
    case S_ASK_SIZE:
        fill(&m->ask_size, NULL, value, false);
        break;
    case S_VOLUME:
        fill(&m->volume, NULL, value, false);
        break;
    case S_OPEN:
        fill(&m->open_interest, NULL, value, false);
        break;
    case S_BLOCK:
        fill(&m->block, NULL, value, false);
        break;
    default:
        break;
    }
}

static enum type
type_of(struct kdp_text text)
{
    static const struct {
        const char *name;
        enum type type;
    } types[] = {{"orderbook_delta", TYPE_DELTA},
                 {"orderbook_update", TYPE_DELTA},
                 {"orderbook_snapshot", TYPE_SNAPSHOT},
                 {"orderbook", TYPE_SNAPSHOT},
                 {"trade", TYPE_TRADE},
                 {"trades", TYPE_TRADE},
                 {"ticker", TYPE_TICKER},
                 {"ticker_v2", TYPE_TICKER}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kdpi_text_equal(text, types[i].name, strlen(types[i].name)))
            return types[i].type;
    return TYPE_OTHER;
}

/* ---- writing it in today's form ---- */

/* A flat message's number: of its market, or of all markets together, whichever the recording counts. */
static void
put_seq(struct kdp_old_form *old, struct kdp_text ticker, uint64_t seq)
{
    uint64_t hash = 14695981039346656037u;
    char text[64];
    unsigned slot;

    if (ticker.len >= NAME_BYTES)
        return;
    for (size_t i = 0; i < ticker.len; i++)
        hash = (hash ^ (unsigned char)ticker.data[i]) * 1099511628211u;
    for (slot = (unsigned)(hash % (2 * MARKETS_MAX)); old->markets[slot].used;
         slot = (slot + 1) % (2 * MARKETS_MAX))
        if (strncmp(old->markets[slot].ticker, ticker.data, ticker.len) == 0 &&
            old->markets[slot].ticker[ticker.len] == '\0')
            break;
    if (!old->markets[slot].used) {
        if (old->market_count == MARKETS_MAX)
            return; /* without a number nothing can be missed, and nothing found missing */
        old->markets[slot].used = true;
        memcpy(old->markets[slot].ticker, ticker.data, ticker.len);
        old->market_count++;
    }
    if (!old->decided && old->market_count > 1 && slot != old->last_market) {
        old->decided = true; /* the first change of market tells how numbers run */
        old->one_seq = seq == old->last_seq + 1;
    }
    old->last_seq = seq;
    if (!old->decided)
        old->last_market = slot;
    snprintf(text, sizeof text, ",\"sid\":%u,\"seq\":%" PRIu64,
             SID_BASE + (old->one_seq ? old->last_market : slot), seq);
    put_word(old, text);
}

static void
put_times(struct kdp_old_form *old, const struct message *m)
{
    char text[96], iso[KDPI_TIME_TEXT];
    int64_t ns = KDP_TIME_NULL, ms_ns = KDP_TIME_NULL;

    if (m->time.kind != KDP_JSON_NONE && !read_time(&m->time, &ns))
        ns = KDP_TIME_NULL;
    if (m->ts_ms.kind != KDP_JSON_NONE && read_time(&m->ts_ms, &ms_ns) &&
        (ns == KDP_TIME_NULL || ns / KDP_NS_PER_MS != ms_ns / KDP_NS_PER_MS))
        ns = ms_ns;
    if (ns == KDP_TIME_NULL)
        return;
    kdpi_time_format(iso, ns, 9);
    snprintf(text, sizeof text, ",\"ts\":\"%s\",\"ts_ms\":%" PRId64, iso, ns / KDP_NS_PER_MS);
    put_word(old, text);
}

static bool
put_price(struct kdp_old_form *old, const char *name, const struct value *value, bool dollars)
{
    int64_t price;

    if (value->kind == KDP_JSON_NONE)
        return true;
    if (!read_price(old, value, dollars, &price))
        return false;
    put_word(old, name);
    put_decimal(old, price, 4);
    return true;
}

static bool
put_size(struct kdp_old_form *old, const char *name, const struct value *value)
{
    int64_t size;

    if (value->kind == KDP_JSON_NONE)
        return true;
    if (!read_number(old, value, 2, &size))
        return false;
    put_word(old, name);
    put_decimal(old, size, 2);
    return true;
}

/* One level: [price, size] or {"price":..,"size":..}; other: on the YES scale of the other side. */
static void
put_level(struct kdp_old_form *old, struct kdp_json *json, bool dollars, bool other, bool first)
{
    struct value price = {.kind = KDP_JSON_NONE}, size = {.kind = KDP_JSON_NONE};
    size_t at = kdpi_json_offset(json);
    struct kdp_text key;
    int64_t price_e4, size_e2;
    unsigned parts = 0;

    if (kdpi_json_peek(json) == KDP_JSON_ARRAY) {
        kdpi_json_array(json);
        for (; kdpi_json_element(json); parts++) {
            if (parts == 0)
                price = take(json, "price");
            else if (parts == 1)
                size = take(json, "size");
        }
    } else if (kdpi_json_peek(json) == KDP_JSON_OBJECT) {
        kdpi_json_object(json);
        while (kdpi_json_member(json, &key)) {
            if (kdpi_text_is(key, "price"))
                price = take(json, "price");
            else if (kdpi_text_is(key, "size") || kdpi_text_is(key, "quantity") || kdpi_text_is(key, "count"))
                size = take(json, "size");
        }
    } else {
        kdpi_json_skip(json);
    }
    if (price.kind == KDP_JSON_NONE || size.kind == KDP_JSON_NONE) {
        refuse(old, KDP_REFUSAL_TYPE, at, "levels", "a level is a price and a size");
        return;
    }
    if (!read_price(old, &price, dollars, &price_e4) || !read_number(old, &size, 2, &size_e2))
        return;
    put_word(old, first ? "[" : ",[");
    put_decimal(old, other ? PRICE_ONE - price_e4 : price_e4, 4);
    put(old, ",", 1);
    put_decimal(old, size_e2, 2);
    put(old, "]", 1);
}

static void
put_side(struct kdp_old_form *old, struct kdp_json *json, const char *name, size_t own_at, size_t plain_at,
         bool other)
{
    bool dollars = own_at != LEVELS_NONE && (own_at >> 62 & 1) != 0, first = true;
    size_t at = own_at != LEVELS_NONE ? own_at & ~((size_t)1 << 62) : plain_at;

    if (at == LEVELS_NONE)
        return;
    kdpi_json_seek(json, at);
    put_word(old, name);
    if (kdpi_json_peek(json) == KDP_JSON_ARRAY) {
        kdpi_json_array(json);
        while (kdpi_json_element(json)) {
            put_level(old, json, dollars, other && own_at == LEVELS_NONE, first);
            first = false;
        }
    }
    put(old, "]", 1);
}

static bool
missing(struct kdp_old_form *old, const char *member)
{
    return refuse(old, KDP_REFUSAL_MISSING, 0, member, "a member is missing");
}

static bool
put_delta(struct kdp_old_form *old, const struct message *m)
{
    bool ask = m->side.kind == KDP_JSON_STRING &&
               (kdpi_text_is(m->side.text, "ask") || kdpi_text_is(m->side.text, "sell")),
         bid = m->side.kind == KDP_JSON_STRING &&
               (kdpi_text_is(m->side.text, "bid") || kdpi_text_is(m->side.text, "buy"));
    int64_t price, delta;

    if (m->price.kind == KDP_JSON_NONE)
        return missing(old, "price");
    if (m->delta.kind == KDP_JSON_NONE)
        return missing(old, "delta");
    if (m->side.kind == KDP_JSON_NONE)
        return missing(old, "side");
    if (!read_price(old, &m->price, m->price_dollars, &price) || !read_number(old, &m->delta, 2, &delta))
        return false;
    put_word(old, ",\"price_dollars\":");
    put_decimal(old, ask ? PRICE_ONE - price : price, 4);
    put_word(old, ",\"delta_fp\":");
    put_decimal(old, delta, 2);
    put_word(old, ",\"side\":");
    put_text(old, ask ? (struct kdp_text){"no", 2} : bid ? (struct kdp_text){"yes", 3} : m->side.text);
    return true;
}

static bool
put_trade(struct kdp_old_form *old, const struct message *m, uint64_t number)
{
    char id[64];

    put_word(old, ",\"trade_id\":");
    if (m->id.kind != KDP_JSON_NONE) {
        put_text(old, m->id.text);
    } else { /* made of recording and line: there is none other in the stream, and the same recording gives it again */
        snprintf(id, sizeof id, "%016" PRIx64 " line %" PRIu64, old->identity, number);
        put_text(old, (struct kdp_text){id, strlen(id)});
    }
    if (m->price.kind == KDP_JSON_NONE && m->no_price.kind == KDP_JSON_NONE)
        return missing(old, "price");
    if (m->count.kind == KDP_JSON_NONE)
        return missing(old, "count");
    if (!put_price(old, ",\"yes_price_dollars\":", &m->price, m->price_dollars) ||
        !put_price(old, ",\"no_price_dollars\":", &m->no_price, m->no_dollars) ||
        !put_size(old, ",\"count_fp\":", &m->count))
        return false;
    if (m->side.kind == KDP_JSON_STRING) {
        bool yes = kdpi_text_is(m->side.text, "yes") || kdpi_text_is(m->side.text, "buy") ||
                   kdpi_text_is(m->side.text, "bid");
        bool no = kdpi_text_is(m->side.text, "no") || kdpi_text_is(m->side.text, "sell") ||
                  kdpi_text_is(m->side.text, "ask");

        if (!yes && !no)
            return refuse(old, KDP_REFUSAL_ENUM, m->side.at, m->side.member, "unknown word");
        put_word(old, yes ? ",\"taker_side\":\"yes\"" : ",\"taker_side\":\"no\"");
    }
    if (m->block.kind == KDP_JSON_TRUE)
        put_word(old, ",\"is_block_trade\":true");
    return true;
}

static bool
put_ticker(struct kdp_old_form *old, const struct message *m)
{
    return put_price(old, ",\"price_dollars\":", &m->price, m->price_dollars) &&
           put_price(old, ",\"yes_bid_dollars\":", &m->bid, m->bid_dollars) &&
           put_price(old, ",\"yes_ask_dollars\":", &m->ask, m->ask_dollars) &&
           put_size(old, ",\"yes_bid_size_fp\":", &m->bid_size) &&
           put_size(old, ",\"yes_ask_size_fp\":", &m->ask_size) &&
           put_size(old, ",\"volume_fp\":", &m->volume) &&
           put_size(old, ",\"open_interest_fp\":", &m->open_interest);
}

static void
put_message(struct kdp_old_form *old, const struct message *m, const char *head, bool flat,
            const struct value *seq, uint64_t number)
{
    static const char *const words[] = {"", "orderbook_delta", "orderbook_snapshot", "trade", "ticker"};
    int64_t seq_number;

    old->used = 0;
    put_word(old, "{\"type\":\"");
    put_word(old, words[m->type]);
    put(old, "\"", 1);
    put_word(old, head);
    if (m->ticker.kind != KDP_JSON_STRING) {
        missing(old, "market_ticker");
        return;
    }
    if (flat && seq->kind != KDP_JSON_NONE && (m->type == TYPE_DELTA || m->type == TYPE_SNAPSHOT)) {
        if (!read_number(old, seq, 0, &seq_number) || seq_number < 0) {
            refuse(old, KDP_REFUSAL_RANGE, seq->at, "seq", "out of range");
            return;
        }
        put_seq(old, m->ticker.text, (uint64_t)seq_number);
    }
    put_word(old, ",\"msg\":{\"market_ticker\":");
    put_text(old, m->ticker.text);
    put_times(old, m);
    if (m->type == TYPE_SNAPSHOT) {
        put_side(old, &old->json, ",\"yes_dollars_fp\":[", m->yes_at, m->bids_at, false);
        put_side(old, &old->json, ",\"no_dollars_fp\":[", m->no_at, m->asks_at, true);
    } else if (m->type == TYPE_DELTA) {
        put_delta(old, m);
    } else if (m->type == TYPE_TRADE) {
        put_trade(old, m, number);
    } else {
        put_ticker(old, m);
    }
    put_word(old, "}}");
}

/* ---- reading ---- */

/* The word of the wrapper's channel. */
static bool
channel_of(struct kdp_old_form *old, const char *line, size_t len, struct kdp_text *channelp)
{
    struct kdp_json *json = &old->inner;
    struct kdp_text key;
    bool found = false;

    kdpi_json_begin(json, line, len);
    if (kdpi_json_peek(json) != KDP_JSON_OBJECT)
        return false;
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key))
        if (kdpi_text_is(key, "channel") && kdpi_json_peek(json) == KDP_JSON_STRING)
            found = kdpi_json_string(json, channelp);
    return found;
}

struct envelope {
    struct kdp_text type;
    struct value sid, seq;
    size_t msg_at;
    bool cmd;
};

/* The outer object: what it is, and where its parts are. */
static bool
read_envelope(struct kdp_json *json, struct envelope *e)
{
    struct kdp_text key;

    *e = (struct envelope){.type = {"", 0}, .msg_at = SIZE_MAX};
    if (kdpi_json_peek(json) != KDP_JSON_OBJECT)
        return false;
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "type") && kdpi_json_peek(json) == KDP_JSON_STRING)
            kdpi_json_string(json, &e->type);
        else if (kdpi_text_is(key, "msg") && kdpi_json_peek(json) == KDP_JSON_OBJECT)
            e->msg_at = kdpi_json_offset(json);
        else if (kdpi_text_is(key, "cmd"))
            e->cmd = true;
        else if (kdpi_text_is(key, "sid"))
            e->sid = take(json, "sid");
        else if (kdpi_text_is(key, "seq") || kdpi_text_is(key, "sequence"))
            e->seq = take(json, "seq");
    }
    return kdpi_json_end(json);
}

static void
read_body(struct kdp_old_form *old, struct message *m)
{
    struct kdp_json *json = &old->json;
    struct kdp_text key;

    kdpi_json_object(json);
    while (kdpi_json_member(json, &key))
        body_member(old, json, m, key);
}

/* Puts a frame into today's form when it is in none of the exchange's: true when it was. */
static bool
translate(struct kdp_old_form *old, const char *frame, size_t len, struct kdp_text channel, uint64_t number)
{
    struct kdp_json *json = &old->json;
    struct message m = {
        .yes_at = LEVELS_NONE, .no_at = LEVELS_NONE, .bids_at = LEVELS_NONE, .asks_at = LEVELS_NONE};
    struct envelope e;
    char head[96] = "";

    kdpi_json_begin(json, frame, len);
    if (!read_envelope(json, &e) || e.cmd)
        return false;
    m.type = type_of(e.type.len != 0 ? e.type : channel);
    if (m.type == TYPE_OTHER)
        return false;
    /* texts with escapes were written to scratch: begun anew, they are written again in the same order */
    kdpi_json_begin(json, frame, len);
    if (e.msg_at == SIZE_MAX) {
        m.odd = true;
        read_body(old, &m);
    } else {
        kdpi_json_seek(json, e.msg_at);
        m.odd = e.type.len == 0;
        read_body(old, &m);
    }
    if (m.type == TYPE_TRADE && m.id.kind == KDP_JSON_NONE)
        m.odd = true; /* the exchange's trades of before 2025 had no id */
    if (!m.odd || json->refusal != KDP_REFUSAL_NONE)
        return false;
    if (e.msg_at != SIZE_MAX) {
        size_t used = 0;

        if (e.sid.kind == KDP_JSON_NUMBER && e.sid.text.len < 12)
            used += (size_t)snprintf(head + used, sizeof head - used, ",\"sid\":%.*s", (int)e.sid.text.len,
                                     e.sid.text.data);
        if (e.seq.kind == KDP_JSON_NUMBER && e.seq.text.len < 20)
            snprintf(head + used, sizeof head - used, ",\"seq\":%.*s", (int)e.seq.text.len, e.seq.text.data);
    }
    put_message(old, &m, head, e.msg_at == SIZE_MAX, &e.seq, number);
    return true;
}

/* ---- the envelope with payload_json ---- */

struct payload {
    struct kdp_text event, connection;
    struct value seq, recv;
    const char *text;
    size_t len;
};

static struct connection *
connection_of(struct kdp_old_form *old, struct kdp_text name)
{
    for (unsigned i = 0; i < old->connection_count; i++)
        if (strncmp(old->connections[i].name, name.data, name.len) == 0 &&
            old->connections[i].name[name.len] == '\0')
            return &old->connections[i];
    if (old->connection_count == CONNECTIONS_MAX || name.len >= NAME_BYTES)
        return &old->connections[0];
    memcpy(old->connections[old->connection_count].name, name.data, name.len);
    return &old->connections[old->connection_count++];
}

/* What a subscribed reply says of its channel's sid. */
static void
learn_sid(struct kdp_old_form *old, struct connection *connection, const char *frame, size_t len)
{
    struct kdp_json *json = &old->json;
    struct kdp_text key, channel = {"", 0};
    int64_t sid = -1;

    kdpi_json_begin(json, frame, len);
    if (!kdpi_json_object(json))
        return;
    while (kdpi_json_member(json, &key)) {
        if (!kdpi_text_is(key, "msg") || kdpi_json_peek(json) != KDP_JSON_OBJECT)
            continue;
        kdpi_json_object(json);
        while (kdpi_json_member(json, &key)) {
            if (kdpi_text_is(key, "channel") && kdpi_json_peek(json) == KDP_JSON_STRING)
                kdpi_json_string(json, &channel);
            else if (kdpi_text_is(key, "sid") && kdpi_json_peek(json) == KDP_JSON_NUMBER)
                kdpi_json_int64(json, &sid);
        }
    }
    for (unsigned i = 0; sid >= 0 && channel.len > 0 && channel.len < 32 && i < 8; i++) {
        if (connection->channels[i].channel[0] != '\0' &&
            !(strncmp(connection->channels[i].channel, channel.data, channel.len) == 0 &&
              connection->channels[i].channel[channel.len] == '\0'))
            continue;
        memcpy(connection->channels[i].channel, channel.data, channel.len);
        connection->channels[i].channel[channel.len] = '\0';
        connection->channels[i].sid = sid;
        return;
    }
}

static bool
read_payload(struct kdp_old_form *old, const char *line, size_t len, struct payload *p)
{
    struct kdp_json *json = &old->inner;
    struct kdp_text key, raw;

    *p = (struct payload){.event = {"", 0}, .connection = {"", 0}};
    kdpi_json_begin(json, line, len);
    if (kdpi_json_peek(json) != KDP_JSON_OBJECT)
        return false;
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "payload_json")) {
            enum kdp_json_kind kind = kdpi_json_peek(json);

            if (kind == KDP_JSON_STRING ? kdpi_json_string(json, &raw)
                                        : kind == KDP_JSON_OBJECT && kdpi_json_raw(json, &raw)) {
                p->text = raw.data;
                p->len = raw.len;
            }
        } else if (kdpi_text_is(key, "event_type") && kdpi_json_peek(json) == KDP_JSON_STRING) {
            kdpi_json_string(json, &p->event);
        } else if (kdpi_text_is(key, "connection_id") && kdpi_json_peek(json) == KDP_JSON_STRING) {
            kdpi_json_string(json, &p->connection);
        } else if (kdpi_text_is(key, "sequence_number")) {
            p->seq = take(json, "sequence_number");
        } else if (kdpi_text_is(key, "local_recv_ns")) {
            p->recv = take(json, "local_recv_ns");
        }
    }
    return kdpi_json_end(json) && p->text != NULL && p->event.len != 0;
}

/* True when the line was such an envelope. */
static bool
unwrap_payload(struct kdp_old_form *old, const char *line, size_t len, struct kdp_unwrapped *u)
{
    struct connection *connection;
    struct payload p;
    char head[128];
    int64_t ns;

    if (memmem(line, len, "\"payload_json\"", 14) == NULL || !read_payload(old, line, len, &p))
        return false;
    connection = connection_of(old, p.connection);
    u->conn = (uint16_t)(connection - old->connections + 1);
    u->form = KDP_LINE_WRAPPED;
    u->refusal = KDP_REFUSAL_NONE;
    u->exch_ns = KDP_TIME_NULL;
    u->recv_ns = p.recv.kind == KDP_JSON_NUMBER &&
                         kdpi_decimal_parse(p.recv.text.data, p.recv.text.len, 0, &ns) == KDP_DECIMAL_OK &&
                         ns >= 0
                     ? ns
                     : KDP_TIME_NULL;
    if (kdpi_text_is(p.event, "ws_connected") || kdpi_text_is(p.event, "ws_disconnected")) {
        u->form = KDP_LINE_MARK;
        u->event = kdpi_text_is(p.event, "ws_connected") ? KDP_LINE_CONNECTED : KDP_LINE_DISCONNECTED;
        return true;
    }
    old->used = 0;
    if (kdpi_text_is(p.event, "ws_subscribed")) {
        put(old, p.text, p.len);
        learn_sid(old, connection, p.text, p.len);
    } else if (type_of(p.event) != TYPE_OTHER) {
        const char *channel = type_of(p.event) == TYPE_TICKER  ? "ticker"
                              : type_of(p.event) == TYPE_TRADE ? "trade"
                                                               : "orderbook_delta";
        put_word(old, "{\"type\":");
        put_text(old, p.event);
        for (unsigned i = 0; i < 8; i++) {
            if (strcmp(connection->channels[i].channel, channel) != 0)
                continue;
            snprintf(head, sizeof head, ",\"sid\":%" PRId64, connection->channels[i].sid);
            put_word(old, head);
        }
        if (p.seq.kind == KDP_JSON_NUMBER && p.seq.text.len < 20) {
            snprintf(head, sizeof head, ",\"seq\":%.*s", (int)p.seq.text.len, p.seq.text.data);
            put_word(old, head);
        }
        put_word(old, ",\"msg\":");
        put(old, p.text, p.len);
        put(old, "}", 1);
    } else { /* a note of the recorder's own */
        u->form = KDP_LINE_MARK;
        u->event = KDP_LINE_OTHER_EVENT;
        return true;
    }
    u->text = old->out;
    u->len = old->used;
    return true;
}

void
kdpi_old_form(struct kdp_old_form *old, const char *line, size_t len, uint64_t number,
              struct kdp_unwrapped *u, const char **memberp)
{
    struct kdp_text channel = {"", 0};

    *memberp = "";
    old->refusal = KDP_REFUSAL_NONE;
    old->no_memory = false;
    if (u->refusal != KDP_REFUSAL_NONE || u->form == KDP_LINE_MARK)
        return;
    if (u->form == KDP_LINE_BARE && unwrap_payload(old, line, len, u))
        goto done;
    /* the exchange's form of today, which nearly all lines have */
    if (u->len > 8 && memcmp(u->text, "{\"type\":", 8) == 0 &&
        memmem(u->text, u->len, "\"msg\":", 6) != NULL &&
        (memmem(u->text, u->len, "_dollars", 8) != NULL || memmem(u->text, u->len, "_fp\"", 4) != NULL) &&
        memmem(u->text, u->len, "\"ticker\":", 9) == NULL)
        return;
    if (u->form == KDP_LINE_MESSAGE && !channel_of(old, line, len, &channel))
        channel = (struct kdp_text){"", 0};
    if (!translate(old, u->text, u->len, channel, number))
        return;
    if (old->refusal != KDP_REFUSAL_NONE) {
        u->refusal = old->refusal;
        u->position =
            old->position + (u->text >= line && u->text < line + len ? (size_t)(u->text - line) : 0);
        u->why = old->why;
        *memberp = old->member;
        return;
    }
    u->text = old->out;
    u->len = old->used;
done:
    if (old->no_memory) {
        u->refusal = KDP_REFUSAL_TOO_LONG;
        u->why = "no memory for its translation";
        return;
    }
    if (u->form == KDP_LINE_BARE)
        u->form = KDP_LINE_WRAPPED; /* its time is looked for in what it became */
}
