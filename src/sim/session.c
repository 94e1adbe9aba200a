/* session.c - one client's WebSocket session: what it is subscribed to, and what is sent to it.
 *
 * Memory only: frames go into the kdp_ws of the connection, whose output the server writes to the socket.  Snapshots are not
 * made when they are asked for but when the output has room (sim_session_pump), so that a client which asks for 100,000 of them
 * does not need 150 MB here; until a market's first snapshot is out it gets no changes, as those are in the snapshot. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define PUMP_BELOW (256u << 10) /* bytes of output under which snapshots are made */

const struct sim_channel_row sim_channels[SIM_CHANNELS] = {
    [SIM_BOOK] = {"orderbook_delta", "book", true, true},
    [SIM_TRADE] = {"trade", "trade", true, true},
    [SIM_TICKER] = {"ticker", "ticker", false, true},
    [SIM_LIFE] = {"market_lifecycle_v2", "lifecycle", true, false},
    [SIM_COMBO_LIFE] = {"multivariate_market_lifecycle", "combo", true, false},
    [SIM_FILL] = {"fill", "fill", false, true},
    [SIM_POSITIONS] = {"market_positions", "positions", false, true},
    [SIM_ORDERS] = {"user_orders", "orders", false, true},
    [SIM_ORDER_GROUPS] = {"order_group_updates", "groups", true, false},
    [SIM_COMMUNICATIONS] = {"communications", "communications", true, false},
    [SIM_CFBENCHMARKS] = {"cfbenchmarks_value", "cfbenchmarks", true, false},
    [SIM_CFBENCHMARKS_5HZ] = {"cfbenchmarks_value_5hz", "cfbenchmarks5", true, false},
    [SIM_PYTH] = {"pyth_value", "pyth", true, false},
};

/* ---- sets of markets ---- */
bool
sim_bit(const struct sim_bits *bits, uint32_t market)
{
    return market / 64 < bits->size && (bits->words[market / 64] >> (market % 64) & 1) != 0;
}

bool
sim_bit_set(struct sim_bits *bits, uint32_t market)
{
    if (market / 64 >= bits->size) {
        size_t size = bits->size != 0 ? bits->size : 16;
        uint64_t *grown;

        while (size <= market / 64)
            size *= 2;
        grown = realloc(bits->words, size * sizeof *grown);
        KDP_ASSERT(grown != NULL);
        memset(grown + bits->size, 0, (size - bits->size) * sizeof *grown);
        bits->words = grown;
        bits->size = size;
    }
    if (sim_bit(bits, market))
        return false;
    bits->words[market / 64] |= UINT64_C(1) << (market % 64);
    bits->count++;
    return true;
}

bool
sim_bit_clear(struct sim_bits *bits, uint32_t market)
{
    if (!sim_bit(bits, market))
        return false;
    bits->words[market / 64] &= ~(UINT64_C(1) << (market % 64));
    bits->count--;
    return true;
}

void
sim_bits_free(struct sim_bits *bits)
{
    free(bits->words);
    *bits = (struct sim_bits){0};
}

/* ---- sessions ---- */
struct sim_session *
sim_session_open(struct kdp_sim *sim, uint32_t number, struct kdp_ws *ws)
{
    struct sim_session *session = calloc(1, sizeof *session);

    KDP_ASSERT(session != NULL);
    session->sim = sim;
    session->number = number;
    session->ws = ws;
    session->next_sid = 1;
    session->next = sim->sessions;
    sim->sessions = session;
    sim->session_count++;
    sim->stats.clients_seen++;
    return session;
}

void
sim_session_close(struct sim_session *session)
{
    struct sim_session **at = &session->sim->sessions;

    for (unsigned i = 0; i < SIM_CHANNELS; i++)
        sim_session_drop(session, (enum sim_channel)i);
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    session->sim->session_count--;
    free(session->frames);
    free(session);
}

void
sim_session_drop(struct sim_session *session, enum sim_channel channel)
{
    struct sim_sub *sub = &session->subs[channel];

    if (!sub->on)
        return;
    session->sim->sub_count[channel]--;
    sim_bits_free(&sub->wanted);
    sim_bits_free(&sub->active);
    free(sub->asks);
    *sub = (struct sim_sub){0};
}

/* ---- out ---- */
static void
overflow(struct sim_session *session)
{
    enum sim_channel most = SIM_CHANNELS;

    for (unsigned i = 0; i < SIM_CHANNELS; i++) {
        if (session->subs[i].on &&
            (most == SIM_CHANNELS || session->subs[i].bytes > session->subs[most].bytes))
            most = (enum sim_channel)i;
    }
    if (most ==
        SIM_CHANNELS) { /* nothing left that could be ended: a client that only asks and never reads */
        session->overrun = true;
        return;
    }
    session->sim->overflows++;
    session->subs[most].bytes = 0; /* before the error, which comes through here again */
    sim_session_error(session, false, 0, &session->subs[most], 25, "Subscription buffer overflow");
    sim_session_drop(session, most);
}

void
sim_session_frame(struct sim_session *session, enum kdp_ws_kind kind, const void *bytes, size_t len)
{
    size_t before, after;

    kdp_ws_output(session->ws, &before);
    if (kdp_ws_put(session->ws, kind, bytes, len) != 0)
        return; /* closing: nothing more is taken */
    kdp_ws_output(session->ws, &after);
    if (after > 2 * SIM_OUTPUT_MAX + session->allowed) /* a client that only asks and never reads */
        session->overrun = true;
    sim_session_count(session, after - before);
    session->sim->stats.frames_sent++;
}

void
sim_session_count(struct sim_session *session, size_t len)
{
    if (session->frame_count == session->frame_size) {
        uint32_t size = session->frame_size != 0 ? 2 * session->frame_size : 256;
        uint32_t *grown = malloc(size * sizeof *grown);

        KDP_ASSERT(grown != NULL);
        for (uint32_t i = 0; i < session->frame_count; i++)
            grown[i] = session->frames[(session->frame_first + i) % session->frame_size];
        free(session->frames);
        session->frames = grown;
        session->frame_first = 0;
        session->frame_size = size;
    }
    if (session->frame_count == 0)
        session->frames_since_ns = session->sim->mono_ns;
    session->frames[(session->frame_first + session->frame_count++) % session->frame_size] = (uint32_t)len;
}

static void
put_tail(struct kdp_sim *sim, struct sim_text *body, bool has_id, int64_t id)
{
    if (has_id) {
        sim_lit(body, ",\"id\":");
        sim_put_int(body, id);
    }
    if (sim->config.sending_ts) {
        sim_lit(body, ",\"sending_ts_ms\":");
        sim_put_int(body, sim->now_ns / KDP_NS_PER_MS);
    }
    sim_lit(body, "}");
}

/* What faults do to a message that is about to go; true: it does not go.  seq 0: the message carries none. */
static bool
harmed(struct sim_session *session, enum sim_channel channel, uint64_t seq, struct sim_text *body)
{
    struct kdp_sim *sim = session->sim;
    struct sim_sub *sub = &session->subs[channel];

    if (seq != 0 && sim_is_armed(sim, KDP_SIM_FAULT_GAP) &&
        sim_armed_take(sim, KDP_SIM_FAULT_GAP, session->number, sub) != NULL) {
        sim->lost_frames++;
        return true;
    }
    if (channel == SIM_TRADE && sim_is_armed(sim, KDP_SIM_FAULT_TAIL) &&
        sim_armed_take(sim, KDP_SIM_FAULT_TAIL, session->number, sub) != NULL) {
        sim->lost_frames++;
        return true;
    }
    if (seq != 0 && sim_is_armed(sim, KDP_SIM_FAULT_MALFORMED) &&
        sim_armed_take(sim, KDP_SIM_FAULT_MALFORMED, session->number, sub) != NULL) {
        sim_session_frame(session, KDP_WS_TEXT, body->data + SIM_HEAD, (body->len - SIM_HEAD) / 2);
        return true;
    }
    if (sim_is_armed(sim, KDP_SIM_FAULT_UNKNOWN_TYPE) &&
        sim_armed_take(sim, KDP_SIM_FAULT_UNKNOWN_TYPE, session->number, sub) != NULL) {
        static const char strange[] =
            "{\"type\":\"weather_report\",\"sid\":0,\"msg\":{\"sky\":[\"blue\",null,{\"deep\":-1e3}]}}";

        sim_session_frame(session, KDP_WS_TEXT, strange, sizeof strange - 1);
    }
    if (sim_is_armed(sim, KDP_SIM_FAULT_UNKNOWN_FIELDS) && body->data[body->len - 1] == '}' &&
        sim_armed_take(sim, KDP_SIM_FAULT_UNKNOWN_FIELDS, session->number, sub) != NULL) {
        body->len--;
        sim_lit(body,
                ",\"novelty\":{\"kind\":\"\\u00e9\\n\",\"list\":[1,2.5e-3,null,true,{}]},\"subaccount\":0}");
    }
    return false;
}

void
sim_session_send(struct sim_session *session, enum sim_channel channel, const char *type,
                 struct sim_text *body, int64_t id)
{
    struct kdp_sim *sim = session->sim;
    struct sim_sub *sub = &session->subs[channel];
    char head[SIM_HEAD];
    struct sim_text text = {head, 0, sizeof head}; /* never grows: the types are ours */
    size_t len = body->len, start, out;
    char last = body->data[len - 1]; /* faults may write over it */
    uint64_t seq = 0;

    if (channel == SIM_TRADE && sim_is_armed(sim, KDP_SIM_FAULT_LOSE) &&
        sim_armed_take(sim, KDP_SIM_FAULT_LOSE, session->number, sub) != NULL) {
        sim->lost_frames++;
        return;
    }
    if (sim_channels[channel].numbered)
        seq = ++sub->seq;
    if (session->muted) {
        sim->lost_frames++;
        return;
    }
    if (sim->armed_mask != 0 && harmed(session, channel, seq, body)) {
        body->len = len;
        body->data[len - 1] = last;
        return;
    }
    sim_lit(&text, "{\"type\":\"");
    sim_puts(&text, type);
    sim_lit(&text, "\",\"sid\":");
    sim_put_int(&text, sub->sid);
    if (seq != 0) {
        sim_lit(&text, ",\"seq\":");
        sim_put_int(&text, (int64_t)seq);
    }
    sim_lit(&text, ",\"msg\":");
    KDP_ASSERT(text.data == head);
    start = SIM_HEAD - text.len;
    memcpy(body->data + start, head, text.len);
    put_tail(sim, body, id != 0, id);
    sim_session_frame(session, KDP_WS_TEXT, body->data + start, body->len - start);
    sub->bytes += body->len - start;
    body->len = len;
    body->data[len - 1] = last;
    kdp_ws_output(session->ws, &out);
    if (out > SIM_OUTPUT_MAX + session->allowed)
        overflow(session);
}

/* An error reply: of a subscription when sub is not NULL, which then consumes a number where its channel has them. */
void
sim_session_error(struct sim_session *session, bool has_id, int64_t id, struct sim_sub *sub, int code,
                  const char *words)
{
    struct sim_text text = {0};

    sim_lit(&text, "{");
    if (has_id && id != 0)
        sim_putf(&text, "\"id\":%lld,", (long long)id);
    if (sub != NULL) {
        sim_putf(&text, "\"sid\":%u,", sub->sid);
        if (sim_channels[sub - session->subs].numbered)
            sim_putf(&text, "\"seq\":%llu,", (unsigned long long)++sub->seq);
    }
    sim_putf(&text, "\"type\":\"error\",\"msg\":{\"code\":%d,\"msg\":", code);
    sim_put_json(&text, words, strlen(words));
    sim_lit(&text, "}");
    put_tail(session->sim, &text, false, 0);
    if (!session->muted)
        sim_session_frame(session, KDP_WS_TEXT, text.data, text.len);
    sim_text_free(&text);
}

/* ---- snapshots ---- */
void
sim_session_ask(struct sim_sub *sub, uint32_t market, bool asked, int64_t id)
{
    if (sub->ask_count == sub->ask_size) {
        uint32_t size = sub->ask_size != 0 ? 2 * sub->ask_size : 64;
        struct sim_ask *grown = malloc(size * sizeof *grown);

        KDP_ASSERT(grown != NULL);
        for (uint32_t i = 0; i < sub->ask_count; i++)
            grown[i] = sub->asks[(sub->ask_first + i) % sub->ask_size];
        free(sub->asks);
        sub->asks = grown;
        sub->ask_first = 0;
        sub->ask_size = size;
    }
    sub->asks[(sub->ask_first + sub->ask_count++) % sub->ask_size] = (struct sim_ask){market, asked, id};
}

bool
sim_session_owes(const struct sim_session *session)
{
    return session->subs[SIM_BOOK].ask_count > 0 || session->subs[SIM_TICKER].ask_count > 0;
}

bool
sim_session_snapshot(struct sim_session *session, uint32_t market, bool asked, int64_t id)
{
    struct kdp_sim *sim = session->sim;
    struct sim_sub *sub = &session->subs[SIM_BOOK];
    const struct kdp_sim_fault *fault;

    if (!sim_bit(&sub->wanted, market))
        return false; /* deleted meanwhile */
    sim_bit_set(&sub->active, market);
    if (!asked && sim_is_armed(sim, KDP_SIM_FAULT_NO_SNAPSHOT) &&
        sim_armed_take(sim, KDP_SIM_FAULT_NO_SNAPSHOT, session->number, sub) != NULL)
        return false;
    sim_body_snapshot(sim, market, sub->yes_price, &sim->body[0]);
    if (sim_is_armed(sim, KDP_SIM_FAULT_BIG_SNAPSHOT) &&
        (fault = sim_armed_take(sim, KDP_SIM_FAULT_BIG_SNAPSHOT, session->number, sub)) != NULL &&
        (size_t)fault->bytes > sim->body[0].len) {
        struct sim_text *body = &sim->body[0];
        size_t pad = (size_t)fault->bytes - body->len;

        session->allowed = (size_t)fault->bytes; /* asked for: no overflow */
        body->len--; /* blanks before its last brace: JSON of any size that says the same */
        sim_text_room(body, pad + 2);
        memset(body->data + body->len, ' ', pad);
        body->len += pad;
        sim_lit(body, "}");
    }
    sim_session_send(session, SIM_BOOK, "orderbook_snapshot", &sim->body[0], asked ? id : 0);
    if (sub->on && sim_is_armed(sim, KDP_SIM_FAULT_DUPLICATE) &&
        sim_armed_take(sim, KDP_SIM_FAULT_DUPLICATE, session->number, sub) != NULL)
        sim_session_send(session, SIM_BOOK, "orderbook_snapshot", &sim->body[0], asked ? id : 0);
    return true;
}

static bool
take_ask(struct sim_sub *sub, struct sim_ask *ask)
{
    if (sub->ask_count == 0)
        return false;
    *ask = sub->asks[sub->ask_first];
    sub->ask_first = (sub->ask_first + 1) % sub->ask_size;
    sub->ask_count--;
    return true;
}

void
sim_session_pump(struct sim_session *session)
{
    struct sim_ask ask;

    for (unsigned i = 0; i < 500; i++) { /* then the others have their turn */
        size_t out;

        kdp_ws_output(session->ws, &out);
        if (out >= PUMP_BELOW)
            return;
        if (take_ask(&session->subs[SIM_BOOK], &ask))
            sim_session_snapshot(session, ask.market, ask.asked, ask.id);
        else if (take_ask(&session->subs[SIM_TICKER], &ask))
            sim_send_ticker(session, ask.market);
        else
            return;
    }
}

/* ---- the exchange's events ---- */
static bool
wants(const struct sim_sub *sub, uint32_t market)
{
    return sub->on && (sub->all || sim_bit(&sub->wanted, market));
}

static void
send_negative(struct sim_session *session, const struct kdp_exchange_event *event)
{
    struct kdp_exchange_event harm = *event;

    harm.delta.delta_e2 = -INT64_C(100000000); /* a million contracts are on no level */
    sim_body_delta(session->sim, &harm, session->subs[SIM_BOOK].yes_price, &session->sim->other);
    sim_session_send(session, SIM_BOOK, "orderbook_delta", &session->sim->other, 0);
}

static void
tell_delta(struct kdp_sim *sim, const struct kdp_exchange_event *event)
{
    bool made[2] = {false, false};

    for (struct sim_session *s = sim->sessions; s != NULL; s = s->next) {
        struct sim_sub *sub = &s->subs[SIM_BOOK];

        if (!sub->on || !sim_bit(&sub->active, event->market))
            continue;
        if (!made[sub->yes_price]) {
            sim_body_delta(sim, event, sub->yes_price, &sim->body[sub->yes_price]);
            made[sub->yes_price] = true;
        }
        if (sim_is_armed(sim, KDP_SIM_FAULT_NEGATIVE) &&
            sim_armed_take(sim, KDP_SIM_FAULT_NEGATIVE, s->number, sub) != NULL)
            send_negative(s, event);
        else
            sim_session_send(s, SIM_BOOK, "orderbook_delta", &sim->body[sub->yes_price], 0);
    }
}

static void
tell(struct kdp_sim *sim, enum sim_channel channel, uint32_t market, const char *type, struct sim_text *body)
{
    for (struct sim_session *s = sim->sessions; s != NULL; s = s->next) {
        if (sim_channels[channel].filtered ? wants(&s->subs[channel], market) : s->subs[channel].on)
            sim_session_send(s, channel, type, body, 0);
    }
}

void
sim_send_ticker(struct sim_session *session, uint32_t market)
{
    if (!wants(&session->subs[SIM_TICKER], market))
        return;
    sim_body_ticker(session->sim, market, sim_exchange_now(session->sim), &session->sim->body[0]);
    sim_session_send(session, SIM_TICKER, "ticker", &session->sim->body[0], 0);
}

static bool
is_combo(const char *ticker)
{
    return strncmp(ticker, "KXMVE", 5) == 0;
}

/* A recorded message of a kind that is passed on as it is: its msg goes out under this session's numbers. */
static void
tell_raw(struct kdp_sim *sim, const struct kdp_exchange_event *event)
{
    struct kdp_text key, type = {NULL, 0}, msg = {NULL, 0};
    char word[64];

    kdpi_json_begin(&sim->json, event->raw.data, event->raw.len);
    kdpi_json_object(&sim->json);
    while (kdpi_json_member(&sim->json, &key)) {
        if (kdpi_text_is(key, "type"))
            kdpi_json_string(&sim->json, &type);
        else if (kdpi_text_is(key, "msg"))
            kdpi_json_raw(&sim->json, &msg);
    }
    if (!kdpi_json_end(&sim->json) || type.len == 0 || type.len >= sizeof word || msg.len == 0)
        return;
    memcpy(word, type.data, type.len);
    word[type.len] = 0;
    sim_body_begin(&sim->body[0]);
    sim_put(&sim->body[0], msg.data, msg.len);
    tell(sim, SIM_LIFE, 0, word, &sim->body[0]);
}

void
sim_event(void *arg, const struct kdp_exchange_event *event)
{
    struct kdp_sim *sim = arg;
    enum sim_channel channel;
    size_t len;

    switch (event->kind) {
    case KDP_EXCHANGE_DELTA:
        if (sim->sub_count[SIM_BOOK] > 0)
            tell_delta(sim, event);
        break;
    case KDP_EXCHANGE_SNAPSHOT:
        for (struct sim_session *s = sim->sessions; s != NULL; s = s->next) {
            if (s->subs[SIM_BOOK].on && sim_bit(&s->subs[SIM_BOOK].active, event->market))
                sim_session_snapshot(s, event->market, true, 0);
        }
        break;
    case KDP_EXCHANGE_TRADE:
        if (sim->sub_count[SIM_TRADE] == 0)
            break;
        sim_body_trade(sim, event->trade, &sim->body[0]);
        tell(sim, SIM_TRADE, event->market, "trade", &sim->body[0]);
        break;
    case KDP_EXCHANGE_TICKER:
        if (sim->sub_count[SIM_TICKER] == 0)
            break;
        sim_body_ticker(sim, event->market, event->time_ns, &sim->body[0]);
        tell(sim, SIM_TICKER, event->market, "ticker", &sim->body[0]);
        break;
    case KDP_EXCHANGE_MARKET:
        if (event->lifecycle == KDP_LIFECYCLE_KIND_CREATED)
            sim_renamed(sim, event->market);
        if (event->lifecycle == KDP_LIFECYCLE_KIND_METADATA_UPDATED)
            sim_terms_change(sim, kdp_exchange_ticker(sim->exchange, event->market, &len));
        channel =
            is_combo(kdp_exchange_ticker(sim->exchange, event->market, &len)) ? SIM_COMBO_LIFE : SIM_LIFE;
        if (sim->sub_count[channel] > 0 && sim_body_lifecycle(sim, event, &sim->body[0]))
            tell(sim, channel, event->market, sim_channels[channel].name, &sim->body[0]);
        break;
    case KDP_EXCHANGE_EVENT:
        if (event->event.fee_update)
            sim_terms_fee(sim, event->event.event_ticker, true, event->event.fee_type,
                          event->event.fee_multiplier_e6, event->time_ns);
        channel = is_combo(event->event.event_ticker) ? SIM_COMBO_LIFE : SIM_LIFE;
        if (sim->sub_count[channel] == 0 || (channel == SIM_COMBO_LIFE && event->event.fee_update))
            break;
        sim_body_event(sim, event, &sim->body[0]);
        tell(sim, channel, 0, event->event.fee_update ? "event_fee_update" : "event_lifecycle",
             &sim->body[0]);
        break;
    case KDP_EXCHANGE_RAW:
        if (sim->sub_count[SIM_LIFE] > 0)
            tell_raw(sim, event);
        break;
    }
}
