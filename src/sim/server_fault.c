/* server_fault.c - faults done: at once, or when their moment comes (armed); those by the clock are server_script.c's.
 *
 * A fault of messages waits in a short list until a message comes that it fits; "any" means whoever comes first, and a fault of
 * several messages then stays with that subscription.  One bit per kind says whether any waits, so that a session asks nothing
 * more while none does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

uint64_t
sim_step(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t
sim_random(struct kdp_sim *sim, uint64_t below)
{
    return sim_step(&sim->random) % below;
}

/* ---- armed faults ---- */
void
sim_disarm(struct kdp_sim *sim, uint32_t index)
{
    memmove(&sim->armed[index], &sim->armed[index + 1], (--sim->armed_count - index) * sizeof *sim->armed);
    sim->armed_mask = 0;
    for (uint32_t i = 0; i < sim->armed_count; i++)
        sim->armed_mask |= UINT64_C(1) << (unsigned)sim->armed[i].fault.kind;
}

void
sim_armed_forget(struct kdp_sim *sim, uint32_t conn)
{
    for (uint32_t i = sim->armed_count; i-- > 0;) {
        if (sim->armed[i].conn == conn)
            sim_disarm(sim, i);
    }
}

static const struct kdp_sim_fault *
take(struct kdp_sim *sim, uint32_t index)
{
    sim->taken = sim->armed[index].fault;
    sim->stats.faults_done++;
    if (sim->armed[index].left != UINT32_MAX && --sim->armed[index].left == 0)
        sim_disarm(sim, index);
    return &sim->taken;
}

const struct kdp_sim_fault *
sim_armed_take(struct kdp_sim *sim, enum kdp_sim_fault_kind kind, uint32_t conn, const struct sim_sub *sub)
{
    for (uint32_t i = 0; i < sim->armed_count; i++) {
        struct sim_armed *armed = &sim->armed[i];
        const struct kdp_sim_fault *fault = &armed->fault;

        if (fault->kind != kind || armed->until_ns <= sim->mono_ns ||
            (armed->conn != 0 && armed->conn != conn) ||
            (armed->sid != 0 && (sub == NULL || sub->sid != armed->sid)))
            continue;
        if (sub != NULL && fault->sid != 0 && sub->sid != fault->sid)
            continue;
        if (sub != NULL && fault->channel != UINT32_MAX && (uint32_t)sub->channel != fault->channel)
            continue;
        armed->conn = conn; /* from here on it is theirs */
        if (sub != NULL)
            armed->sid = sub->sid;
        return take(sim, i);
    }
    return NULL;
}

/* Faults of requests: whoever asks, as long as the path fits. */
const struct kdp_sim_fault *
sim_armed_path(struct kdp_sim *sim, enum kdp_sim_fault_kind kind, const char *path)
{
    for (uint32_t i = 0; i < sim->armed_count; i++) {
        const struct kdp_sim_fault *fault = &sim->armed[i].fault;

        if (fault->kind == kind && sim->armed[i].until_ns > sim->mono_ns &&
            strncmp(path, fault->path, strlen(fault->path)) == 0)
            return take(sim, i);
    }
    return NULL;
}

static int
arm_one(struct kdp_sim *sim, const struct kdp_sim_fault *fault, uint32_t conn)
{
    if (sim->armed_count == SIM_ARMED_MAX)
        return kdpi_fail(KDP_EFULL, "%s: %u faults wait already", kdp_sim_fault_word(fault->kind),
                         SIM_ARMED_MAX);
    sim->armed[sim->armed_count++] =
        (struct sim_armed){.fault = *fault,
                           .conn = conn,
                           .left = fault->count != 0 ? fault->count : UINT32_MAX,
                           .until_ns = fault->seconds_ns != 0 ? sim->mono_ns + fault->seconds_ns : INT64_MAX};
    sim->armed_mask |= UINT64_C(1) << (unsigned)fault->kind;
    return 0;
}

static int
arm(struct kdp_sim *sim, const struct kdp_sim_fault *fault)
{
    int rc = 0;

    if (fault->conn != KDP_SIM_CONN_ALL)
        return arm_one(sim, fault, fault->conn);
    for (struct sim_session *s = sim->sessions; s != NULL && rc == 0; s = s->next)
        rc = arm_one(sim, fault, s->number);
    return rc;
}

/* ---- whom it meets ---- */
static struct sim_sub *
sub_of(struct sim_session *session, const struct kdp_sim_fault *fault)
{
    if (fault->sid == 0 && fault->channel < SIM_CHANNELS)
        return session->subs[fault->channel].on ? &session->subs[fault->channel] : NULL;
    for (unsigned i = 0; i < SIM_CHANNELS; i++) {
        if (session->subs[i].on && (fault->sid == 0 || session->subs[i].sid == fault->sid))
            return &session->subs[i];
    }
    return NULL;
}

static bool
has_arg(const struct kdp_sim_fault *fault, enum kdp_sim_arg arg)
{
    return (fault->given >> (unsigned)arg & 1) != 0;
}

/* The sessions a fault of connections is for: how many; with any, one of those that have what it is about. */
static uint32_t
choose(struct kdp_sim *sim, const struct kdp_sim_fault *fault,
       struct sim_session *chosen[SIM_CONNECTIONS_MAX])
{
    uint32_t count = 0;

    for (struct sim_session *s = sim->sessions; s != NULL && count < SIM_CONNECTIONS_MAX; s = s->next) {
        if (fault->conn != KDP_SIM_CONN_ANY && fault->conn != KDP_SIM_CONN_ALL && fault->conn != s->number)
            continue;
        if (has_arg(fault, KDP_SIM_ARG_SID) && sub_of(s, fault) == NULL)
            continue;
        chosen[count++] = s;
    }
    if (fault->conn == KDP_SIM_CONN_ANY && count > 1) {
        chosen[0] = chosen[sim_random(sim, count)];
        count = 1;
    }
    return count;
}

static int
choose_market(struct kdp_sim *sim, const struct kdp_sim_fault *fault, uint32_t *marketp)
{
    /* a paused market is the only one that can go on */
    uint8_t status =
        fault->kind == KDP_SIM_FAULT_ACTIVATE ? KDP_MARKET_STATUS_INACTIVE : KDP_MARKET_STATUS_ACTIVE;
    uint32_t total = kdp_exchange_market_count(sim->exchange);

    if (fault->market[0] != 0) {
        *marketp = kdp_exchange_find(sim->exchange, fault->market, strlen(fault->market));
        return *marketp != UINT32_MAX ? 0 : kdpi_fail(KDP_ENOENT, "no market %s", fault->market);
    }
    *marketp = total > 0 ? (uint32_t)sim_random(sim, total) : 0;
    for (uint32_t i = 0; i < total; i++, *marketp = (*marketp + 1) % total) {
        struct kdp_exchange_market m;

        kdp_exchange_market_at(sim->exchange, *marketp, &m);
        if (m.status == status && !m.combo)
            return 0;
    }
    return kdpi_fail(KDP_ENOENT,
                     fault->kind == KDP_SIM_FAULT_ACTIVATE ? "no market is paused" : "no market is open");
}

/* ---- doing ---- */
static void
raw(struct sim_session *session, const char *bytes, size_t len)
{
    if (session->raw_len == 0) {
        memcpy(session->raw, bytes, len);
        session->raw_len = len;
    }
}

static void
strike(struct kdp_sim *sim, const struct kdp_sim_fault *fault, struct sim_session *session)
{
    static const char bad_utf8[] = "{\"type\":\"ticker\",\"msg\":\"\xc3\x28\"}";
    struct sim_conn *conn = sim_conn_find(sim, session->number);
    struct sim_sub *sub;

    switch (fault->kind) {
    case KDP_SIM_FAULT_OVERFLOW:
    case KDP_SIM_FAULT_CHANNEL_ERROR:
        sub = sub_of(session, fault);
        if (sub == NULL)
            break;
        if (fault->kind == KDP_SIM_FAULT_OVERFLOW)
            sim_session_error(session, false, 0, sub, 25, "Subscription buffer overflow");
        else
            sim_session_error(session, false, 0, sub, 10, "Channel error");
        sim_session_drop(session, sub->channel);
        break;
    case KDP_SIM_FAULT_BAD_UTF8:
        sim_session_frame(session, KDP_WS_TEXT, bad_utf8, sizeof bad_utf8 - 1);
        break;
    case KDP_SIM_FAULT_OVERSIZED:
        raw(session, "\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00{\"type\":", 18);
        break;
    case KDP_SIM_FAULT_BAD_FRAME:
        raw(session, "\xb1\x02{}", 4);
        break;
    case KDP_SIM_FAULT_CLOSE:
        kdp_ws_put_close(session->ws, (uint16_t)fault->status, "closed on purpose");
        break;
    case KDP_SIM_FAULT_RESET:
        if (conn != NULL)
            sim_conn_end(conn, true);
        break;
    case KDP_SIM_FAULT_STALL:
        if (conn == NULL)
            break;
        if (fault->pings) {
            conn->mute_until_ns = sim->mono_ns + fault->seconds_ns;
            session->muted = true;
        } else {
            conn->stall_until_ns = sim->mono_ns + fault->seconds_ns;
        }
        break;
    case KDP_SIM_FAULT_SLOW:
        if (conn == NULL)
            break;
        conn->slow_bytes = fault->bytes;
        conn->slow_until_ns = sim->mono_ns + fault->seconds_ns;
        conn->slow_at_ns = sim->mono_ns;
        conn->slow_credit = 0;
        break;
    default:
        break;
    }
}

static int
strike_chosen(struct kdp_sim *sim, const struct kdp_sim_fault *fault, struct sim_text *reply)
{
    struct sim_session *chosen[SIM_CONNECTIONS_MAX];
    uint32_t count = choose(sim, fault, chosen);

    if (count == 0)
        return kdpi_fail(KDP_ENOENT, "%s: no connection it could meet", kdp_sim_fault_word(fault->kind));
    for (uint32_t i = 0; i < count; i++) {
        if (reply != NULL)
            sim_putf(reply, "%sconnection %u", i == 0 ? "" : ", ", chosen[i]->number);
        strike(sim, fault, chosen[i]);
        sim->stats.faults_done++;
    }
    return 0;
}

static int
tail(struct kdp_sim *sim, const struct kdp_sim_fault *fault)
{
    struct kdp_sim_fault each = *fault;
    uint32_t market, before = sim->armed_count;
    int rc = choose_market(sim, fault, &market);

    if (rc != 0)
        return rc;
    if (fault->count == 0 || fault->count > 10000)
        return kdpi_fail(KDP_EUSAGE, "tail count=%u: not 1 to 10000", fault->count);
    each.channel = SIM_TRADE;
    for (struct sim_session *s = sim->sessions; s != NULL && rc == 0; s = s->next) {
        if (s->subs[SIM_TRADE].on)
            rc = arm_one(sim, &each, s->number);
    }
    if (rc == 0)
        kdp_exchange_trade(sim->exchange, market, fault->count);
    while (sim->armed_count > before) /* what was armed and found no message is no fault of later ones */
        sim_disarm(sim, sim->armed_count - 1);
    return rc;
}

bool
sim_paused(const struct kdp_sim *sim)
{
    return sim->paused_until_ns > sim->mono_ns;
}

static int
act(struct kdp_sim *sim, const struct kdp_sim_fault *fault, struct sim_text *reply)
{
    struct kdp_exchange_market m;
    uint32_t market;
    int rc = choose_market(sim, fault, &market);

    if (rc != 0)
        return rc;
    kdp_exchange_market_at(sim->exchange, market, &m);
    if (reply != NULL)
        sim_puts(reply, m.ticker);
    switch (fault->kind) {
    case KDP_SIM_FAULT_MASS_CANCEL:
        kdp_exchange_mass_cancel(sim->exchange, market);
        return 0;
    case KDP_SIM_FAULT_TICKS:
        kdp_exchange_change_ticks(sim->exchange, market);
        return 0;
    case KDP_SIM_FAULT_DEACTIVATE:
        return kdp_exchange_act(sim->exchange, KDP_EXCHANGE_PAUSE, market);
    case KDP_SIM_FAULT_ACTIVATE:
        return kdp_exchange_act(sim->exchange, KDP_EXCHANGE_RESUME, market);
    case KDP_SIM_FAULT_CLOSE_LATER:
        return kdp_exchange_act(sim->exchange, KDP_EXCHANGE_LATER, market);
    case KDP_SIM_FAULT_CLOSE_NOW:
        return kdp_exchange_act(sim->exchange, KDP_EXCHANGE_CLOSE, market);
    default:
        return kdp_exchange_act(sim->exchange, KDP_EXCHANGE_SETTLE, market);
    }
}

/* What a market is about: of the running exchange its listener hears of it, which keeps it; of the past it is kept at once. */
static int
change(struct kdp_sim *sim, const struct kdp_sim_fault *fault, struct sim_text *reply)
{
    bool fees = fault->kind == KDP_SIM_FAULT_FEES;
    uint32_t market = fault->market[0] != 0 ? sim_market_find(sim, fault->market, strlen(fault->market)) : 0;
    uint32_t past = kdp_past_market_count(sim->past);
    struct kdp_exchange_market m;
    char series[256];
    int rc = 0;

    if (fault->market[0] == 0 && (rc = choose_market(sim, fault, &market)) == 0)
        market += past;
    if (rc != 0 || market == UINT32_MAX)
        return rc != 0 ? rc : kdpi_fail(KDP_ENOENT, "no market %s", fault->market);
    sim_market_at(sim, market, &m);
    if (reply != NULL)
        sim_puts(reply, m.ticker);
    snprintf(series, sizeof series, "%s", m.series_ticker);
    if (market >= past)
        rc = kdp_exchange_act(sim->exchange, fees ? KDP_EXCHANGE_FEES : KDP_EXCHANGE_TERMS, market - past);
    else if (fees)
        sim_terms_fee(sim, m.event_ticker, true, "quadratic", 500000, sim->now_ns);
    else
        sim_terms_change(sim, m.ticker);
    if (rc == 0 && fees)
        sim_terms_fee(sim, series, false, "quadratic_with_maker_fees", 1500000,
                      sim->now_ns + 7 * KDP_NS_PER_DAY);
    return rc;
}

static int
new_markets(struct kdp_sim *sim, uint32_t count)
{
    int rc = 0;

    for (uint32_t i = 0; i < count && i < 1000 && rc == 0; i++)
        rc = kdp_exchange_act(sim->exchange, KDP_EXCHANGE_NEW, UINT32_MAX);
    return rc;
}

static int
mix(struct kdp_sim *sim, const struct kdp_sim_fault *fault)
{
    sim->mix_rate_e6 = fault->rate_e6;
    sim->mix_random = fault->seed;
    sim->mix_next_ns = sim->mono_ns;
    return 0;
}

int
sim_fault_do(struct kdp_sim *sim, const struct kdp_sim_fault *fault, struct sim_text *reply)
{
    bool on = strcmp(fault->value, "on") == 0;
    uint64_t done = sim->stats.faults_done;
    int rc = 0;

    switch (fault->kind) {
    case KDP_SIM_FAULT_OVERFLOW:
    case KDP_SIM_FAULT_CHANNEL_ERROR:
    case KDP_SIM_FAULT_BAD_UTF8:
    case KDP_SIM_FAULT_OVERSIZED:
    case KDP_SIM_FAULT_BAD_FRAME:
    case KDP_SIM_FAULT_RESET:
    case KDP_SIM_FAULT_CLOSE:
    case KDP_SIM_FAULT_STALL:
    case KDP_SIM_FAULT_SLOW:
        return strike_chosen(sim, fault, reply);
    case KDP_SIM_FAULT_TAIL:
        return tail(sim, fault);
    case KDP_SIM_FAULT_CAP:
        sim->sub_markets_max = fault->count;
        break;
    case KDP_SIM_FAULT_BURST:
        rc = kdp_exchange_burst(sim->exchange, fault->count != 0 ? fault->count : 1);
        rc = rc < 0 ? rc : 0; /* it tells how many it made */
        break;
    case KDP_SIM_FAULT_DEFLATE:
        sim->config.deflate = on;
        break;
    case KDP_SIM_FAULT_SENDING_TS:
        sim->config.sending_ts = on;
        break;
    case KDP_SIM_FAULT_TAKER_SIDE:
        sim->config.taker_side = on;
        break;
    case KDP_SIM_FAULT_ERROR_SHAPE:
        sim->error_shape = fault->value[0] == 'f'   ? 0
                           : fault->value[0] == 'w' ? 1
                           : fault->value[1] == 'e' ? 2
                                                    : 3;
        break;
    case KDP_SIM_FAULT_UNKNOWN_TICKER:
        sim->unknown_shape = fault->value[0] == 'e' ? 0 : fault->value[2] == '4' ? 1 : 2;
        break;
    case KDP_SIM_FAULT_STALE_CACHE:
        sim->stale = on;
        break;
    case KDP_SIM_FAULT_CLOCK:
        sim->clock_offset_ns = fault->offset_ns;
        break;
    case KDP_SIM_FAULT_MAINTENANCE:
        sim->paused_until_ns = sim->mono_ns + fault->seconds_ns;
        for (struct sim_session *s = sim->sessions; s != NULL; s = s->next)
            kdp_ws_put_close(s->ws, 1001, "maintenance");
        break;
    case KDP_SIM_FAULT_MASS_CANCEL:
    case KDP_SIM_FAULT_TICKS:
    case KDP_SIM_FAULT_DEACTIVATE:
    case KDP_SIM_FAULT_ACTIVATE:
    case KDP_SIM_FAULT_CLOSE_NOW:
    case KDP_SIM_FAULT_CLOSE_LATER:
    case KDP_SIM_FAULT_SETTLE_NOW:
        rc = act(sim, fault, reply);
        break;
    case KDP_SIM_FAULT_TERMS:
    case KDP_SIM_FAULT_FEES:
        rc = change(sim, fault, reply);
        break;
    case KDP_SIM_FAULT_NEW_MARKET:
        rc = new_markets(sim, fault->count);
        break;
    case KDP_SIM_FAULT_RANDOM:
        rc = mix(sim, fault);
        break;
    default: /* those that wait for their message or request; counted when it comes */
        return arm(sim, fault);
    }
    if (rc == 0 && sim->stats.faults_done == done)
        sim->stats.faults_done++;
    return rc;
}
