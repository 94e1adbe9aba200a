/* gen_life.c - connections and subscriptions, and the lives of markets from created to settled. */
#include <stdlib.h>

#include "clock.h"
#include "gen_private.h"

#define LIT(at, text) (memcpy((at), (text), sizeof(text) - 1), (at) += sizeof(text) - 1)

static bool
idle(const struct gen_conn *c)
{
    return c->cursor == c->asked && c->asked == c->count && c->ack_after == 0;
}

int
gen_list_add(struct kdp_gen *gen, uint32_t conn, uint32_t index)
{
    struct gen_conn *c = &gen->conns[conn];
    struct gen_market *market = &gen->markets[index];

    if (c->count == c->capacity) {
        uint32_t capacity = c->capacity == 0 ? 64 : 2 * c->capacity;
        uint32_t *grown = realloc(c->list, capacity * sizeof *grown);

        if (grown == NULL) {
            gen->out_of_memory = true;
            return -1;
        }
        c->list = grown;
        c->capacity = capacity;
    }
    market->place = c->count;
    market->flags |= GEN_LISTED;
    c->list[c->count++] = index;
    return 0;
}

/* Takes a market out of an idle connection's list. */
static void
list_remove(struct kdp_gen *gen, uint32_t conn, uint32_t index)
{
    struct gen_conn *c = &gen->conns[conn];
    struct gen_market *market = &gen->markets[index];
    uint32_t last = c->list[--c->count];

    c->list[market->place] = last;
    gen->markets[last].place = market->place;
    market->flags &= (uint8_t) ~(GEN_LISTED | GEN_SUBSCRIBED);
    c->asked = c->cursor = c->count;
}

static void
subscribe(struct kdp_gen *gen, uint32_t conn, enum gen_channel channel)
{
    struct gen_conn *c = &gen->conns[conn];

    c->subs[channel].sid = c->next_sid++;
    c->subs[channel].seq = 0;
    c->next_id++;
    if (channel != GEN_BOOK) {
        gen_put_command(gen, conn, "{\"id\":%u,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"%s\"]}}",
                        c->next_id, gen_channel_names[channel]);
        gen_put_subscribed(gen, conn, c->next_id, channel);
        return;
    }
    c->asked = c->count < LIST_MAX ? c->count : LIST_MAX;
    c->cursor = 0;
    c->resync = UINT32_MAX;
    gen_put_list_command(gen, conn, c->next_id,
                         "\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"]", 0, c->asked);
    if (gen_chance(gen, gen->config.fault_ppm[KDP_GEN_FAULT_REORDER_ACK]) && c->count > 0) {
        c->ack_after = 1 + gen_below(gen, c->asked < 4 ? c->asked : 4);
        c->ack_id = c->next_id;
    } else {
        gen_put_subscribed(gen, conn, c->next_id, GEN_BOOK);
    }
}

static void
drop_books(struct kdp_gen *gen, struct gen_conn *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        gen->markets[c->list[i]].flags &= (uint8_t)~GEN_SUBSCRIBED;
    c->cursor = c->asked = 0;
    c->resync = UINT32_MAX;
    c->ack_after = 0;
}

static void
connect_line(struct kdp_gen *gen, uint32_t conn)
{
    struct gen_conn *c = &gen->conns[conn];

    gen_put_mark(gen, conn, KDP_GEN_CONNECTED);
    c->next_sid = 1;
    c->next_id = 0;
    for (unsigned channel = 0; channel < GEN_CHANNELS; channel++)
        c->subs[channel].sid = 0;
    if (conn == 0)
        subscribe(gen, conn, GEN_TICKER);
    if (c->count > 0)
        subscribe(gen, conn, GEN_BOOK);
    if (conn == (gen->config.connections > 1 ? 1 : 0))
        subscribe(gen, conn, GEN_TRADE);
    if (conn == 0) {
        subscribe(gen, conn, GEN_LIFE);
        subscribe(gen, conn, GEN_MULTI);
    }
}

void
gen_reconnect(struct kdp_gen *gen, uint32_t conn)
{
    drop_books(gen, &gen->conns[conn]);
    gen_put_mark(gen, conn, KDP_GEN_DISCONNECTED);
    gen->now_ns += 150 * KDP_NS_PER_MS + (int64_t)gen_below(gen, 400) * KDP_NS_PER_MS;
    connect_line(gen, conn);
}

static char *
put_ranges(const struct gen_market *market, char *at)
{
    const struct gen_structure *s = &gen_structures[market->structure];

    LIT(at, "\"price_level_structure\":\"");
    at = gen_string(at, s->name);
    LIT(at, "\",\"price_ranges\":[");
    for (unsigned i = 0; i < s->bands; i++) {
        const int32_t parts[3] = {s->band[i].start_e4, s->band[i].end_e4, s->band[i].step_e4};
        static const char *const keys[3] = {"{\"start\":\"", "\",\"end\":\"", "\",\"step\":\""};

        for (unsigned j = 0; j < 3; j++)
            at = gen_put_price(gen_string(at, keys[j]), parts[j]);
        LIT(at, "\"},");
    }
    at[-1] = ']';
    return at;
}

static char *
put_ticker_member(const struct kdp_gen *gen, const struct gen_market *market, char *at)
{
    LIT(at, "\"market_ticker\":\"");
    memcpy(at, gen_ticker(gen, market), market->ticker_len);
    at += market->ticker_len;
    *at++ = '"';
    return at;
}

static void
put_event_created(struct kdp_gen *gen, const struct gen_event *event)
{
    char *at = gen_life_begin(gen, GEN_LIFE, "event_lifecycle");

    if (at == NULL)
        return;
    LIT(at, "\"event_ticker\":\"");
    at = gen_put_event_ticker(gen, event, at);
    LIT(at, "\",\"exchange_index\":0,\"title\":\"");
    at = gen_put_event_title(gen, event, at);
    LIT(at, "\",\"subtitle\":\"\",\"collateral_return_type\":\"");
    at = gen_string(at, gen_event_exclusive(event) ? "MECNET" : "");
    LIT(at, "\",\"series_ticker\":\"");
    at = gen_put_series(event, at);
    *at++ = '"';
    gen_life_end(gen, at, UINT32_MAX, GEN_NOTHING);
}

static void
put_market_created(struct kdp_gen *gen, uint32_t index)
{
    const struct gen_market *market = &gen->markets[index];
    const struct gen_event *event = &gen->events[market->event];
    char *at = gen_life_begin(gen, GEN_LIFE, "market_lifecycle_v2");

    if (at == NULL)
        return;
    at = put_ticker_member(gen, market, at);
    LIT(at, ",\"event_type\":\"created\",\"exchange_index\":0,\"open_ts\":");
    at = gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S));
    LIT(at, ",\"close_ts\":");
    at = gen_decimal(at, (uint64_t)event->close_s);
    *at++ = ',';
    at = put_ranges(market, at);
    LIT(at, ",\"additional_metadata\":{\"name\":\"");
    at = gen_put_sub_title(gen, market, at);
    LIT(at, "\",\"title\":\"");
    at = gen_put_market_title(gen, market, at);
    LIT(at, "\",\"yes_sub_title\":\"");
    at = gen_put_sub_title(gen, market, at);
    LIT(at, "\",\"no_sub_title\":\"");
    at = gen_put_sub_title(gen, market, at);
    LIT(at, "\",\"rules_primary\":\"If it is so, then the market resolves to "
            "Yes.\",\"rules_secondary\":\"\",\"can_close_early\":true,"
            "\"event_ticker\":\"");
    at = gen_put_event_ticker(gen, event, at);
    LIT(at, "\",\"expected_expiration_ts\":");
    at = gen_decimal(at, (uint64_t)event->close_s + 3600);
    *at++ = ',';
    at = gen_put_strike(gen, market, at);
    *at++ = '}';
    gen_life_end(gen, at, index, GEN_NAMED);
}

static void
put_event_and_markets(struct kdp_gen *gen, uint32_t index)
{
    const struct gen_event *event = &gen->events[index];

    put_event_created(gen, event);
    for (uint32_t i = 0; i < event->markets; i++)
        put_market_created(gen, event->first + i);
}

static char *
begin_market_message(struct kdp_gen *gen, const struct gen_market *market, const char *type)
{
    char *at = gen_life_begin(gen, GEN_LIFE, "market_lifecycle_v2");

    if (at == NULL)
        return NULL;
    at = put_ticker_member(gen, market, at);
    LIT(at, ",\"event_type\":\"");
    at = gen_string(at, type);
    *at++ = '"';
    return at;
}

/* A market that takes or no longer takes orders. */
static void
put_active(struct kdp_gen *gen, uint32_t index, bool active)
{
    char *at = begin_market_message(gen, &gen->markets[index], active ? "activated" : "deactivated");

    if (at == NULL)
        return;
    at = gen_string(at, active ? ",\"is_deactivated\":false" : ",\"is_deactivated\":true");
    gen_life_end(gen, at, index, GEN_NAMED);
}

/* New markets into the subscription: the ok with the whole list, then a snapshot for each. */
static void
add_markets(struct kdp_gen *gen, uint32_t conn, uint32_t first, uint32_t count)
{
    struct gen_conn *c = &gen->conns[conn];
    bool was_idle = idle(c);

    for (uint32_t i = 0; i < count; i++) {
        if (gen_list_add(gen, conn, first + i) != 0)
            return;
    }
    if (c->subs[GEN_BOOK].sid == 0) {
        subscribe(gen, conn, GEN_BOOK);
        return;
    }
    if (!was_idle) /* the burst under way will come to them */
        return;
    c->next_id++;
    gen_put_list_command(gen, conn, c->next_id, NULL, c->count - count, c->count);
    c->asked = c->count;
    gen_put_ok(gen, conn, c->next_id, UINT32_MAX);
}

static void
delete_market(struct kdp_gen *gen, uint32_t index)
{
    uint32_t conn = gen->events[gen->markets[index].event].conn;
    struct gen_conn *c = &gen->conns[conn];

    if (!idle(c) || c->count < 2 || (gen->markets[index].flags & GEN_LISTED) == 0)
        return;
    c->next_id++;
    gen_put_command(
        gen, conn,
        "{\"id\":%u,\"cmd\":\"update_subscription\",\"params\":{\"sids\":[%u],\"action\":\"delete_markets\","
        "\"market_tickers\":[\"%s\"]}}",
        c->next_id, c->subs[GEN_BOOK].sid, gen_ticker(gen, &gen->markets[index]));
    list_remove(gen, conn, index);
    gen_put_ok(gen, conn, c->next_id, index);
}

bool
gen_step_start(struct kdp_gen *gen)
{
    if (gen->connected < gen->config.connections) {
        connect_line(gen, gen->connected++);
        return true;
    }
    if (gen->config.created && gen->created_next < gen->initial_events) {
        put_event_and_markets(gen, gen->created_next++);
        return true;
    }
    for (uint32_t conn = 0; conn < gen->config.connections; conn++) {
        struct gen_conn *c = &gen->conns[conn];

        if (c->subs[GEN_BOOK].sid == 0 || idle(c))
            continue;
        if (c->cursor == c->asked && c->asked < c->count) {
            uint32_t from = c->asked;

            c->asked = c->count - c->asked < BATCH_MAX ? c->count : c->asked + BATCH_MAX;
            c->next_id++;
            gen_put_list_command(gen, conn, c->next_id, NULL, from, c->asked);
            gen_put_ok(gen, conn, c->next_id, UINT32_MAX);
            return true;
        }
        if (c->cursor < c->asked)
            gen_put_snapshot(gen, c->list[c->cursor++], 0);
        if (c->ack_after > 0 && (--c->ack_after == 0 || c->cursor == c->asked)) {
            c->ack_after = 0;
            gen_put_subscribed(gen, conn, c->ack_id, GEN_BOOK);
        }
        return true;
    }
    return false;
}

static void
push_pending(struct kdp_gen *gen, uint32_t event, uint8_t stage, uint32_t frames)
{
    struct gen_pending *p = &gen->pending[(gen->pending_head + gen->pending_count) % PENDING_MAX];

    if (gen->pending_count == PENDING_MAX)
        return;
    *p = (struct gen_pending){event, stage, gen->now_ns + gen->gap_ns * frames};
    gen->pending_count++;
}

/* Trading ends: the resting orders go, and the exchange says so with a snapshot that has no levels. */
static void
close_event(struct kdp_gen *gen, uint32_t index)
{
    struct gen_event *event = &gen->events[index];

    /* only when its successor will find room: a session must not run dry */
    if (event->closing || gen->pending_count == PENDING_MAX ||
        gen->market_max - gen->market_count < gen->promised + event->markets ||
        gen->event_max - gen->event_count <= gen->pending_count)
        return;
    event->closing = true;
    gen->promised += event->markets;
    for (uint32_t i = 0; i < event->markets; i++) {
        struct gen_market *market = &gen->markets[event->first + i];

        market->flags = (uint8_t)((market->flags | GEN_CLOSED) & ~GEN_ACTIVE);
        market->book.count[GEN_YES] = market->book.count[GEN_NO] = 0;
        if ((market->flags & GEN_SUBSCRIBED) == 0)
            continue;
        for (uint32_t times = 1 + gen_below(gen, 2); times > 0; times--)
            gen_put_snapshot(gen, event->first + i, 0);
    }
    push_pending(gen, index, 0, 100 + gen_below(gen, 400));
}

static void
determine(struct kdp_gen *gen, uint32_t index)
{
    const struct gen_event *event = &gen->events[index];
    uint32_t outcome = gen_outcome(gen, event);
    bool scalar = gen_below(gen, 32) == 0;

    for (uint32_t i = 0; i < event->markets; i++) {
        const struct gen_market *market = &gen->markets[event->first + i];
        bool won = gen_market_won(event, market, outcome);
        char *at = begin_market_message(gen, market, "determined");

        if (at == NULL)
            return;
        LIT(at, ",\"determination_ts\":");
        at = gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S));
        if (scalar)
            at = gen_string(at, ",\"result\":\"scalar\",\"settlement_value\":\"0.5000\"");
        else
            at = gen_string(at, won ? ",\"result\":\"yes\",\"settlement_value\":\"1.0000\""
                                    : ",\"result\":\"no\",\"settlement_value\":\"0.0000\"");
        gen_life_end(gen, at, event->first + i, GEN_DETERMINED);
    }
    push_pending(gen, index, 1, 200 + gen_below(gen, 400));
}

static void
settle(struct kdp_gen *gen, uint32_t index)
{
    const struct gen_event *event = &gen->events[index];

    for (uint32_t i = 0; i < event->markets; i++) {
        char *at = begin_market_message(gen, &gen->markets[event->first + i], "settled");

        if (at == NULL)
            return;
        LIT(at, ",\"settled_ts\":");
        at = gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S));
        gen_life_end(gen, at, event->first + i, GEN_DETERMINED);
    }
    push_pending(gen, index, 2, 20 + gen_below(gen, 100));
}

/* The settled event's markets leave the subscription, and the next event of the series takes its place. */
static void
succeed(struct kdp_gen *gen, uint32_t index)
{
    uint32_t next;

    for (uint32_t i = 0; i < gen->events[index].markets; i++)
        delete_market(gen, gen->events[index].first + i);
    gen->promised -= gen->events[index].markets;
    next = gen_event_add(gen, gen->events[index].series, gen->events[index].markets, index);
    if (next == UINT32_MAX)
        return;
    for (uint32_t i = 0; i < gen->quarters; i++) {
        if (gen->quarter[i] == index)
            gen->quarter[i] = next;
    }
    put_event_and_markets(gen, next);
    add_markets(gen, gen->events[next].conn, gen->events[next].first, gen->events[next].markets);
}

static bool
step_resync(struct kdp_gen *gen, uint32_t conn)
{
    struct gen_conn *c = &gen->conns[conn];

    if (c->resync == UINT32_MAX || gen->now_ns < c->resync_ns || !idle(c) || gen_below(gen, 2) != 0)
        return false;
    if (c->resync == 0)
        c->resync_id = ++c->next_id;
    for (unsigned i = 0; i < 8 && c->resync < c->count; i++)
        gen_put_snapshot(gen, c->list[c->resync++], c->resync_id);
    if (c->resync >= c->count)
        c->resync = UINT32_MAX;
    return true;
}

bool
gen_step_due(struct kdp_gen *gen)
{
    for (uint32_t conn = 0; conn < gen->config.connections; conn++) {
        if (step_resync(gen, conn))
            return true;
    }
    if (gen->mending_count > 0 && gen->now_ns >= gen->mending_ns) {
        uint32_t index = gen->mending[--gen->mending_count];

        if ((gen->markets[index].flags & GEN_SUBSCRIBED) != 0)
            gen_put_snapshot(gen, index, ++gen->conns[gen->events[gen->markets[index].event].conn].next_id);
        return true;
    }
    for (uint32_t i = 0; i < gen->quarters; i++) {
        const struct gen_event *event = &gen->events[gen->quarter[i]];

        if (!event->closing && event->close_s * KDP_NS_PER_S <= gen->now_ns) {
            close_event(gen, gen->quarter[i]);
            return true;
        }
    }
    if (gen->pending_count > 0 && gen->pending[gen->pending_head].due_ns <= gen->now_ns) {
        struct gen_pending p = gen->pending[gen->pending_head];

        gen->pending_head = (gen->pending_head + 1) % PENDING_MAX;
        gen->pending_count--;
        (p.stage == 0 ? determine : p.stage == 1 ? settle : succeed)(gen, p.event);
        return true;
    }
    return false;
}

/* A market that trades, by popularity; UINT32_MAX when none is found soon. */
static uint32_t
pick_active(struct kdp_gen *gen)
{
    for (unsigned tries = 0; tries < 16; tries++) {
        uint32_t index = gen_pick(gen);

        if ((gen->markets[index].flags & (GEN_ACTIVE | GEN_SUBSCRIBED)) == (GEN_ACTIVE | GEN_SUBSCRIBED))
            return index;
    }
    return UINT32_MAX;
}

static void
step_pause(struct kdp_gen *gen)
{
    uint32_t index = gen->paused;

    if (index != UINT32_MAX) {
        gen->paused = UINT32_MAX;
        if ((gen->markets[index].flags & GEN_CLOSED) != 0)
            return;
        put_active(gen, index, true);
        gen_mass_cancel(gen, index); /* reactivation cancels every resting order */
        gen->markets[index].flags |= GEN_ACTIVE;
        return;
    }
    index = pick_active(gen);
    if (index == UINT32_MAX)
        return;
    gen->paused = index;
    gen->markets[index].flags &= (uint8_t)~GEN_ACTIVE;
    put_active(gen, index, false);
}

static void
step_remove(struct kdp_gen *gen)
{
    uint32_t index = gen->removed, conn;

    if (index != UINT32_MAX) {
        conn = gen->events[gen->markets[index].event].conn;
        if (!idle(&gen->conns[conn]))
            return;
        gen->removed = UINT32_MAX;
        if ((gen->markets[index].flags & (GEN_LISTED | GEN_CLOSED)) == 0)
            add_markets(gen, conn, index, 1);
        return;
    }
    index = pick_active(gen);
    if (index == UINT32_MAX)
        return;
    delete_market(gen, index);
    if ((gen->markets[index].flags & GEN_LISTED) == 0)
        gen->removed = index;
}

static void
step_ticks(struct kdp_gen *gen, uint32_t index)
{
    struct gen_market *market = &gen->markets[index];
    char *at;

    if (gen->slot_count > 64 && gen->events[market->event].slot < 24)
        return; /* those that everybody looks at keep theirs, so that their prices stay familiar */
    market->structure = (uint8_t)gen_below(gen, GEN_STRUCTURES);
    at = begin_market_message(gen, market, "price_level_structure_updated");
    if (at == NULL)
        return;
    *at++ = ',';
    gen_life_end(gen, put_ranges(market, at), index, GEN_NAMED);
}

static void
step_metadata(struct kdp_gen *gen, uint32_t index)
{
    const struct gen_market *market = &gen->markets[index];
    char *at = begin_market_message(gen, market, "metadata_updated");

    if (at == NULL)
        return;
    LIT(at, ",\"yes_sub_title\":\"");
    at = gen_put_sub_title(gen, market, at);
    LIT(at, "\",");
    gen_life_end(gen, gen_put_strike(gen, market, at), index, GEN_NAMED);
}

static void
step_close_date(struct kdp_gen *gen, uint32_t index)
{
    struct gen_event *event = &gen->events[gen->markets[index].event];

    if (gen_event_is_timed(event))
        return;
    event->close_s += 3600;
    for (uint32_t i = 0; i < event->markets; i++) {
        char *at = begin_market_message(gen, &gen->markets[event->first + i], "close_date_updated");

        if (at == NULL)
            return;
        LIT(at, ",\"close_ts\":");
        gen_life_end(gen, gen_decimal(at, (uint64_t)event->close_s), event->first + i, GEN_NAMED);
    }
}

static void
step_fee(struct kdp_gen *gen, uint32_t index)
{
    char *at = gen_life_begin(gen, GEN_LIFE, "event_fee_update");

    if (at == NULL)
        return;
    LIT(at, "\"event_ticker\":\"");
    at = gen_put_event_ticker(gen, &gen->events[gen->markets[index].event], at);
    at = gen_string(at, gen_below(gen, 2) != 0
                            ? "\",\"fee_type_override\":\"quadratic\",\"fee_multiplier_override\":0.5"
                            : "\",\"fee_type_override\":null,\"fee_multiplier_override\":null");
    gen_life_end(gen, at, UINT32_MAX, GEN_NOTHING);
}

/* Combinations have no book here, only a beginning and trades. */
static void
step_combo(struct kdp_gen *gen)
{
    uint32_t index;
    int32_t count;
    char *at;

    if (gen->combo_count > 4 && gen_below(gen, 4) != 0) {
        struct gen_market *market;

        index = gen->combos[gen_below(gen, gen->combo_count)];
        market = &gen->markets[index];
        market->trades++;
        count = (int32_t)(100 + gen_below(gen, 20000)); /* draws one by one: arguments have no order */
        gen_put_trade(gen, index, market->last_e4, count, gen_below(gen, 2), false);
        return;
    }
    if (gen->market_max - gen->market_count <= gen->market_max / 8 + gen->promised)
        return; /* the rest is for successors */
    index = gen_combo_add(gen);
    if (index == UINT32_MAX)
        return;
    if (gen->combo_count < COMBOS_MAX)
        gen->combos[gen->combo_count++] = index;
    else
        gen->combos[gen_below(gen, COMBOS_MAX)] = index;
    at = gen_life_begin(gen, GEN_MULTI, "multivariate_market_lifecycle");
    if (at == NULL)
        return;
    at = put_ticker_member(gen, &gen->markets[index], at);
    LIT(at, ",\"event_type\":\"created\",\"exchange_index\":1,\"open_ts\":");
    at = gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S));
    LIT(at, ",\"close_ts\":");
    at = gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S) + 86400);
    *at++ = ',';
    at = put_ranges(&gen->markets[index], at);
    LIT(at, ",\"additional_metadata\":{\"name\":\"\",\"title\":\"yes Buffalo,yes Over 44.5 points scored,no "
            "Denver\","
            "\"yes_sub_title\":\"\",\"no_sub_title\":\"\",\"rules_primary\":\"\",\"rules_secondary\":\"\","
            "\"can_close_early\":true,"
            "\"event_ticker\":\"");
    memcpy(at, gen_ticker(gen, &gen->markets[index]), gen->markets[index].ticker_len - 12u);
    at += gen->markets[index].ticker_len - 12u;
    LIT(at, "\",\"expected_expiration_ts\":");
    at = gen_decimal(at, (uint64_t)(gen->now_ns / KDP_NS_PER_S) + 90000);
    LIT(at, ",\"strike_type\":\"custom\"}");
    gen_life_end(gen, at, index, GEN_NAMED);
}

static void
step_resubscribe(struct kdp_gen *gen, uint32_t index)
{
    uint32_t conn = gen->events[gen->markets[index].event].conn;
    struct gen_conn *c = &gen->conns[conn];

    if (!idle(c) || c->count > LIST_MAX || gen_below(gen, 8) != 0)
        return;
    c->next_id++;
    gen_put_command(gen, conn, "{\"id\":%u,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[%u]}}", c->next_id,
                    c->subs[GEN_BOOK].sid);
    gen_put_unsubscribed(gen, conn, c->next_id);
    drop_books(gen, c);
    subscribe(gen, conn, GEN_BOOK);
}

void
gen_step_life(struct kdp_gen *gen)
{
    uint32_t index = pick_active(gen), event;
    int32_t count;

    if (index == UINT32_MAX)
        return;
    switch (gen_below(gen, 16)) {
    case 0:
    case 1:
        step_pause(gen);
        break;
    case 2:
        step_ticks(gen, index);
        break;
    case 3:
        step_metadata(gen, index);
        break;
    case 4:
        step_close_date(gen, index);
        break;
    case 5:
        step_fee(gen, index);
        break;
    case 6: /* asked for, with the id of the question */
        gen_put_snapshot(gen, index, ++gen->conns[gen->events[gen->markets[index].event].conn].next_id);
        break;
    case 7: /* or not asked for */
        gen_put_snapshot(gen, index, 0);
        break;
    case 8:
        gen_put_ok_list(gen, gen->events[gen->markets[index].event].conn,
                        ++gen->conns[gen->events[gen->markets[index].event].conn].next_id);
        break;
    case 9:
    case 10:
        step_remove(gen);
        break;
    case 11: /* any event but the busiest, which end by the clock */
        event = gen_below(gen, gen->event_count);
        if (event >= gen->initial_events / 16 && !gen_event_is_timed(&gen->events[event]))
            close_event(gen, event);
        break;
    case 12:
        step_resubscribe(gen, index);
        break;
    case 13: /* agreed outside the book */
        gen->markets[index].trades++;
        count = (int32_t)(100000 + 100 * gen_below(gen, 9000));
        gen_put_trade(gen, index, gen->markets[index].last_e4 > 0 ? gen->markets[index].last_e4 : 100, count,
                      gen_below(gen, 2), true);
        break;
    default:
        step_combo(gen);
        break;
    }
}
