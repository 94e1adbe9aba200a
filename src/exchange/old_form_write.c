/* old_form_write.c - a message, found under whatever names, in the form of today; see old_form.h. */
#include "old_form_private.h"

/* ---- the frame that is made ---- */

void
kdpi_old_put(struct kdp_old_form *old, const char *text, size_t len)
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

void
kdpi_old_word(struct kdp_old_form *old, const char *text)
{
    kdpi_old_put(old, text, strlen(text));
}

void
kdpi_old_text(struct kdp_old_form *old, struct kdp_text text)
{
    char escape[8];

    kdpi_old_put(old, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\' || c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            kdpi_old_word(old, escape);
        } else {
            kdpi_old_put(old, (const char *)&text.data[i], 1);
        }
    }
    kdpi_old_put(old, "\"", 1);
}

static void
put_decimal(struct kdp_old_form *old, int64_t value, unsigned scale)
{
    char digits[KDPI_DECIMAL_TEXT + 2];
    size_t len;

    digits[0] = '"';
    len = kdpi_decimal_format(digits + 1, value, scale) + 1;
    digits[len++] = '"';
    kdpi_old_put(old, digits, len);
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
    kdpi_old_word(old, text);
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
    kdpi_old_word(old, text);
}

static bool
put_price(struct kdp_old_form *old, const char *name, const struct value *value, bool dollars)
{
    int64_t price;

    if (value->kind == KDP_JSON_NONE)
        return true;
    if (!read_price(old, value, dollars, &price))
        return false;
    kdpi_old_word(old, name);
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
    kdpi_old_word(old, name);
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
    kdpi_old_word(old, first ? "[" : ",[");
    put_decimal(old, other ? PRICE_ONE - price_e4 : price_e4, 4);
    kdpi_old_put(old, ",", 1);
    put_decimal(old, size_e2, 2);
    kdpi_old_put(old, "]", 1);
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
    kdpi_old_word(old, name);
    if (kdpi_json_peek(json) == KDP_JSON_ARRAY) {
        kdpi_json_array(json);
        while (kdpi_json_element(json)) {
            put_level(old, json, dollars, other && own_at == LEVELS_NONE, first);
            first = false;
        }
    }
    kdpi_old_put(old, "]", 1);
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
    kdpi_old_word(old, ",\"price_dollars\":");
    put_decimal(old, ask ? PRICE_ONE - price : price, 4);
    kdpi_old_word(old, ",\"delta_fp\":");
    put_decimal(old, delta, 2);
    kdpi_old_word(old, ",\"side\":");
    kdpi_old_text(old, ask ? (struct kdp_text){"no", 2} : bid ? (struct kdp_text){"yes", 3} : m->side.text);
    return true;
}

static bool
put_trade(struct kdp_old_form *old, const struct message *m, uint64_t number)
{
    char id[64];

    kdpi_old_word(old, ",\"trade_id\":");
    if (m->id.kind != KDP_JSON_NONE) {
        kdpi_old_text(old, m->id.text);
    } else { /* made of recording and line: there is none other in the stream, and the same recording gives it again */
        snprintf(id, sizeof id, "%016" PRIx64 " line %" PRIu64, old->identity, number);
        kdpi_old_text(old, (struct kdp_text){id, strlen(id)});
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
        kdpi_old_word(old, yes ? ",\"taker_side\":\"yes\"" : ",\"taker_side\":\"no\"");
    }
    if (m->block.kind == KDP_JSON_TRUE)
        kdpi_old_word(old, ",\"is_block_trade\":true");
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

void
kdpi_old_message(struct kdp_old_form *old, const struct message *m, const char *head, bool flat,
                 const struct value *seq, uint64_t number)
{
    static const char *const words[] = {"", "orderbook_delta", "orderbook_snapshot", "trade", "ticker"};
    int64_t seq_number;

    old->used = 0;
    kdpi_old_word(old, "{\"type\":\"");
    kdpi_old_word(old, words[m->type]);
    kdpi_old_put(old, "\"", 1);
    kdpi_old_word(old, head);
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
    kdpi_old_word(old, ",\"msg\":{\"market_ticker\":");
    kdpi_old_text(old, m->ticker.text);
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
    kdpi_old_word(old, "}}");
}
