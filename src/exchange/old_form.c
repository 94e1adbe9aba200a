/* old_form.c - what a line of a recording is; see old_form.h. */
#include "old_form_private.h"

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

/* ---- one message ---- */

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
    if (e.type.len == 0 &&
        channel.len == 0) { /* an object, and no message: kept aside rather than passed over */
        old->refusal = KDP_REFUSAL_MISSING;
        old->position = 0;
        old->why = "no message: it has no type";
        old->member = "type";
        return true;
    }
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
    kdpi_old_message(old, &m, head, e.msg_at == SIZE_MAX, &e.seq, number);
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
        kdpi_old_put(old, p.text, p.len);
        learn_sid(old, connection, p.text, p.len);
    } else if (type_of(p.event) != TYPE_OTHER) {
        const char *channel = type_of(p.event) == TYPE_TICKER  ? "ticker"
                              : type_of(p.event) == TYPE_TRADE ? "trade"
                                                               : "orderbook_delta";
        kdpi_old_word(old, "{\"type\":");
        kdpi_old_text(old, p.event);
        for (unsigned i = 0; i < 8; i++) {
            if (strcmp(connection->channels[i].channel, channel) != 0)
                continue;
            snprintf(head, sizeof head, ",\"sid\":%" PRId64, connection->channels[i].sid);
            kdpi_old_word(old, head);
        }
        if (p.seq.kind == KDP_JSON_NUMBER && p.seq.text.len < 20) {
            snprintf(head, sizeof head, ",\"seq\":%.*s", (int)p.seq.text.len, p.seq.text.data);
            kdpi_old_word(old, head);
        }
        kdpi_old_word(old, ",\"msg\":");
        kdpi_old_put(old, p.text, p.len);
        kdpi_old_put(old, "}", 1);
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
