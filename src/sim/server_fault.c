/* server_fault.c - faults done: at once, when their moment comes (armed), or when the clock says so (script, random).
 *
 * A fault of messages waits in a short list until a message comes that it fits; "any" means whoever comes first, and a fault of
 * several messages then stays with that subscription.  One bit per kind says whether any waits, so that a session asks nothing
 * more while none does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "log.h"
#include "server_private.h"

static uint64_t
step(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t
sim_random(struct kdp_sim *sim, uint64_t below)
{
    return step(&sim->random) % below;
}

/* ---- armed faults ---- */
static void
disarm(struct kdp_sim *sim, uint32_t index)
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
            disarm(sim, i);
    }
}

static const struct kdp_sim_fault *
take(struct kdp_sim *sim, uint32_t index)
{
    sim->taken = sim->armed[index].fault;
    sim->stats.faults_done++;
    if (sim->armed[index].left != UINT32_MAX && --sim->armed[index].left == 0)
        disarm(sim, index);
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
        disarm(sim, sim->armed_count - 1);
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

/* ---- lines of scripts ---- */
int
sim_fault_line(struct kdp_sim *sim, const char *line)
{
    enum kdp_sim_when when;
    struct kdp_sim_fault fault;
    struct sim_text reply = {0};
    const char *rest;
    int64_t span_ns;
    int rc = kdp_sim_line_when(line, &when, &span_ns, &rest);

    if (rc != 0 || *rest == 0)
        return rc;
    if (when == KDP_SIM_NOW) {
        rc = sim_control_line(sim, rest, &reply);
        sim_text_free(&reply);
        return rc;
    }
    /* judged now, so that a script with an error in it does not start */
    if (strcmp(rest, "quiet") != 0 && strcmp(rest, "go") != 0 && strncmp(rest, "cutoff ", 7) != 0 &&
        (rc = kdp_sim_fault_parse(&fault, rest)) != 0)
        return rc;
    if (sim->timed_count == SIM_TIMED_MAX)
        return kdpi_fail(KDP_EFULL, "more than %u lines with AT or EVERY", SIM_TIMED_MAX);
    sim->timed[sim->timed_count] = (struct sim_timed){.line = strdup(rest),
                                                      .at_ns = sim->mono_ns + span_ns,
                                                      .every_ns = when == KDP_SIM_EVERY ? span_ns : 0};
    if (sim->timed[sim->timed_count].line == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a line");
    sim->timed_count++;
    return 0;
}

int
sim_fault_script(struct kdp_sim *sim, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[1024];
    unsigned number = 0;
    int rc = 0;

    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot read the script: %s", path);
    while (rc == 0 && fgets(line, sizeof line, file) != NULL) {
        number++;
        line[strcspn(line, "\r\n")] = 0;
        rc = sim_fault_line(sim, line);
    }
    if (rc != 0) {
        char words[512], hint[512];

        snprintf(words, sizeof words, "%s", kdp_error_text());
        snprintf(hint, sizeof hint, "%s", kdp_error_hint());
        rc = kdpi_fail((enum kdp_error) - rc, "%s line %u: %s", path, number, words);
        if (hint[0] != 0)
            kdpi_hint("%s", hint);
    } else if (ferror(file) != 0) {
        rc = kdpi_fail_errno(errno, "cannot read the script: %s", path);
    }
    fclose(file);
    return rc;
}

static void
mix_later(struct kdp_sim *sim, const char *line, int64_t seconds)
{
    uint32_t i = 0;

    while (i < sim->timed_count &&
           sim->timed[i].at_ns != INT64_MAX) /* a line that is done with gives its place */
        i++;
    if (i == SIM_TIMED_MAX)
        return;
    if (i == sim->timed_count)
        sim->timed[sim->timed_count++].line = NULL;
    free(sim->timed[i].line);
    sim->timed[i] = (struct sim_timed){
        .line = strdup(line), .at_ns = sim->mono_ns + seconds * KDP_NS_PER_S, .every_ns = 0};
    KDP_ASSERT(sim->timed[i].line != NULL);
}

/* One fault of the mix, chosen by weight and with other figures than the table's defaults. */
static void
mix_one(struct kdp_sim *sim)
{
    struct kdp_sim_fault fault;
    uint64_t total = 0, at;
    unsigned kind = 0;
    static const uint16_t refusals[] = {401, 503, 429}, failures[] = {500, 503, 429, 504},
                          closes[] = {1000, 1001, 1006, 1011, 1013};

    for (unsigned i = 0; i < KDP_SIM_FAULTS; i++)
        total += kdp_sim_fault_mix((enum kdp_sim_fault_kind)i);
    at = step(&sim->mix_random) % total;
    while (at >= kdp_sim_fault_mix((enum kdp_sim_fault_kind)kind))
        at -= kdp_sim_fault_mix((enum kdp_sim_fault_kind)kind++);
    KDP_ASSERT(kdp_sim_fault_parse(&fault, kdp_sim_fault_word((enum kdp_sim_fault_kind)kind)) == 0);
    at = step(&sim->mix_random);
    if (fault.kind == KDP_SIM_FAULT_GAP) {
        fault.count = 1 + (uint32_t)(at % 14);
        fault.channel = at >> 8 & 3 ? SIM_BOOK : SIM_TRADE;
    } else if (fault.kind == KDP_SIM_FAULT_LOSE || fault.kind == KDP_SIM_FAULT_TAIL) {
        fault.count = 1 + (uint32_t)(at % 4);
    } else if (fault.kind == KDP_SIM_FAULT_OVERFLOW || fault.kind == KDP_SIM_FAULT_CHANNEL_ERROR) {
        fault.channel = at & 1 ? SIM_BOOK : SIM_TRADE;
    } else if (fault.kind == KDP_SIM_FAULT_CLOSE) {
        fault.status = closes[at % 5] == 1006 ? 1012 : closes[at % 5];
    } else if (fault.kind == KDP_SIM_FAULT_REFUSE) {
        fault.status = refusals[1 + at % 2];
        fault.seconds_ns = (int64_t)(1 + at / 4 % 3) * KDP_NS_PER_S;
    } else if (fault.kind == KDP_SIM_FAULT_REST_ERROR || fault.kind == KDP_SIM_FAULT_REST_CUT ||
               fault.kind == KDP_SIM_FAULT_REST_HANG) {
        fault.status = failures[at % 4];
        fault.seconds_ns = (int64_t)(1 + at / 4 % 4) * KDP_NS_PER_S;
    } else if (fault.kind == KDP_SIM_FAULT_STALL) {
        fault.seconds_ns = (int64_t)(2 + at / 4 % 20) * KDP_NS_PER_S;
        fault.pings = (at & 1) != 0;
    } else if (fault.kind == KDP_SIM_FAULT_BURST) {
        fault.count = 200 + (uint32_t)(at % 5000);
    }
    if (fault.kind == KDP_SIM_FAULT_DEACTIVATE) /* what pauses goes on some seconds later */
        mix_later(sim, "activate", 2 + (int64_t)(at % 8));
    if (sim_fault_do(sim, &fault, NULL) != 0)
        sim->faults_missed++; /* nobody there whom it could meet */
    else
        kdpi_log(KDP_LOG_INFO, "fault", "kind=%s count=%u", kdp_sim_fault_word(fault.kind), fault.count);
}

void
sim_fault_work(struct kdp_sim *sim)
{
    if (sim->paused_until_ns != 0 && !sim_paused(sim)) {
        sim->paused_until_ns = 0;
        sim->catching = true;
    }
    for (uint32_t i = sim->armed_count; i-- > 0;) {
        if (sim->armed[i].until_ns <= sim->mono_ns)
            disarm(sim, i);
    }
    for (uint32_t i = 0; i < sim->timed_count; i++) {
        struct sim_timed *timed = &sim->timed[i];
        struct sim_text reply = {0};

        if (timed->at_ns > sim->mono_ns)
            continue;
        if (sim_control_line(sim, timed->line, &reply) != 0) {
            sim->faults_missed++;
            kdpi_log(KDP_LOG_WARNING, "fault_missed", "line=\"%s\" why=\"%s\"", timed->line,
                     kdp_error_text());
        }
        sim_text_free(&reply);
        timed->at_ns = timed->every_ns != 0 ? timed->at_ns + timed->every_ns : INT64_MAX;
    }
    while (sim->mix_rate_e6 != 0 && sim->mix_next_ns <= sim->mono_ns) {
        int64_t mean_ns = INT64_C(1000000) * KDP_NS_PER_S / sim->mix_rate_e6;

        mix_one(sim);
        sim->mix_next_ns += mean_ns / 2 + (int64_t)(step(&sim->mix_random) % (uint64_t)(mean_ns + 1));
    }
}

int64_t
sim_fault_due(const struct kdp_sim *sim)
{
    int64_t due = sim->mix_rate_e6 != 0 ? sim->mix_next_ns : INT64_MAX;

    for (uint32_t i = 0; i < sim->timed_count; i++) {
        if (sim->timed[i].at_ns < due)
            due = sim->timed[i].at_ns;
    }
    return due;
}

void
sim_fault_close(struct kdp_sim *sim)
{
    for (uint32_t i = 0; i < sim->timed_count; i++)
        free(sim->timed[i].line);
}
