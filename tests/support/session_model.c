/* session_model.c - see session_model.h. */
#include "session_model_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "kdp_test.h"
#include "sequence.h"
const char *const model_channels[MODEL_CHANNELS] = {"orderbook_delta", "trade", "ticker",
                                                    "market_lifecycle_v2", "multivariate_market_lifecycle"};
static const uint8_t channel_kinds[] = {KDP_CHANNEL_BOOK, KDP_CHANNEL_TRADE, KDP_CHANNEL_TICKER,
                                        KDP_CHANNEL_LIFECYCLE, KDP_CHANNEL_LIFECYCLE};

uint64_t
model_random(struct model *m, uint64_t below)
{
    return below == 0 ? 0 : kdp_test_random(&m->random) % below;
}

bool
model_chance(struct model *m, uint32_t in_thousand)
{
    return in_thousand > 0 && model_random(m, 1000) < in_thousand;
}

/* ---- events to come ---- */

static bool
before(const struct model_event *a, const struct model_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void
event_put(struct model *m, struct model_event event)
{
    size_t i;

    if (m->event_count == m->event_room) {
        m->event_room = m->event_room * 2 + 64;
        m->events = realloc(m->events, m->event_room * sizeof *m->events);
        CHECK(m->events != NULL);
    }
    event.order = m->event_order++;
    for (i = m->event_count++; i > 0 && before(&event, &m->events[(i - 1) / 2]); i = (i - 1) / 2)
        m->events[i] = m->events[(i - 1) / 2];
    m->events[i] = event;
}

static struct model_event
event_take(struct model *m)
{
    struct model_event first = m->events[0], last = m->events[--m->event_count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < m->event_count) {
        if (child + 1 < m->event_count && before(&m->events[child + 1], &m->events[child]))
            child++;
        if (!before(&m->events[child], &last))
            break;
        m->events[i] = m->events[child];
        i = child;
    }
    if (m->event_count > 0)
        m->events[i] = last;
    return first;
}

/* ---- notices ---- */

struct kdp_text
model_text(const char *words)
{
    return (struct kdp_text){words, strlen(words)};
}

void
model_names(const struct model *m, uint32_t market, char event[32], char series[32])
{
    snprintf(event, 32, "KXS%u-E%u", market / m->per_event / 10, market / m->per_event);
    snprintf(series, 32, "KXS%u", market / m->per_event / 10);
}

void
model_tell_market(struct model *m, uint32_t index, bool listed)
{
    const struct model_market *market = &m->markets[index];
    char event[32], series[32];
    struct kdp_notice notice = {.kind = KDP_NOTICE_MARKET, .instrument = index + 1};

    model_names(m, index, event, series);
    notice.market.ticker = model_text(market->ticker);
    notice.market.event_ticker = model_text(event);
    notice.market.open_ns = market->open_ns;
    notice.market.close_ns = market->close_ns;
    notice.market.volume_e2 = listed ? market->volume_e2 : KDP_INT64_NULL;
    notice.market.status = market->status;
    notice.market.combo = market->combo;
    notice.market.listed = listed;
    notice.market.quoted = m->quoting;
    kdp_session_notice(m->session, &notice);
}

void
model_market(struct model *m, uint32_t index)
{
    model_tell_market(m, index, false);
}

void
model_tell_book(struct model *m, uint32_t index, uint8_t state, uint8_t reason, bool snapshot, bool owner)
{
    struct model_market *market = &m->markets[index];
    struct kdp_notice notice = {
        .kind = KDP_NOTICE_BOOK, .line = market->line, .sid = market->sid, .instrument = index + 1};

    notice.book.was = market->book;
    notice.book.state = market->book = state;
    notice.book.reason = reason;
    notice.book.snapshot = snapshot;
    notice.book.owner = owner;
    kdp_session_notice(m->session, &notice);
}

void
model_stale(struct model *m, uint32_t index, uint8_t reason)
{
    if (m->markets[index].book == KDP_BOOK_STATE_LIVE)
        model_tell_book(m, index, KDP_BOOK_STATE_STALE, reason, false, false);
}

static void
tell_reply(struct model *m, const struct model_event *event)
{
    struct kdp_notice notice = {
        .kind = (enum kdp_notice_kind)event->reply, .line = event->line, .sid = event->sid};

    if (m->log)
        fprintf(stderr, "          line %u sid %u says %u to %lld, code %d\n", event->line, event->sid,
                event->reply, (long long)event->id, event->code);
    notice.reply.has_id = event->id > 0;
    notice.reply.id = event->id;
    notice.reply.channel = channel_kinds[event->channel];
    notice.reply.code = event->code;
    notice.reply.tickers = event->tickers;
    notice.reply.text = model_text("words of the exchange");
    kdp_session_notice(m->session, &notice);
}

/* ---- lines ---- */

struct model_sub *
model_sub(struct model *m, uint16_t line, unsigned channel)
{
    for (uint32_t i = 0; i < m->lines[line].sub_count; i++)
        if (m->lines[line].subs[i].alive && m->lines[line].subs[i].channel == channel)
            return &m->lines[line].subs[i];
    return NULL;
}

struct model_sub *
model_sub_by_sid(struct model *m, uint16_t line, uint32_t sid)
{
    for (uint32_t i = 0; i < m->lines[line].sub_count; i++)
        if (m->lines[line].subs[i].alive && m->lines[line].subs[i].sid == sid)
            return &m->lines[line].subs[i];
    return NULL;
}

void
model_sub_end(struct model *m, uint16_t line, struct model_sub *sub, uint8_t reason)
{
    sub->alive = false;
    free(sub->in);
    sub->in = NULL;
    if (sub->channel != 0)
        return;
    for (uint32_t i = 0; i < m->market_count; i++) {
        struct model_market *market = &m->markets[i];

        if (market->line != line || market->sid != sub->sid)
            continue;
        if (market->book == KDP_BOOK_STATE_LIVE || market->book == KDP_BOOK_STATE_RECOVERING)
            model_tell_book(m, i, KDP_BOOK_STATE_STALE, reason, false, false);
        market->line = 0;
        market->sid = 0;
    }
}

static void
subs_end(struct model *m, uint16_t line, uint8_t reason)
{
    for (uint32_t i = 0; i < m->lines[line].sub_count; i++)
        if (m->lines[line].subs[i].alive)
            model_sub_end(m, line, &m->lines[line].subs[i], reason);
    m->lines[line].sub_count = 0;
}

static void
line_down(struct model *m, uint16_t line, const char *words)
{
    struct model_line *l = &m->lines[line];

    if (!l->up)
        return;
    l->up = l->was_deaf = l->trade_gap = l->stalled = l->silent = false;
    l->epoch++;
    subs_end(m, line, KDP_REASON_DISCONNECTED);
    memset(l->outstanding, 0, sizeof l->outstanding);
    kdp_session_down(m->session, line, KDP_REASON_DISCONNECTED, words, m->mono);
}

void
model_reset(struct model *m, uint16_t line)
{
    line_down(m, line, "connection reset");
}

bool
model_speaks(const struct model_line *line)
{
    return line->up && !line->stalled && !line->silent;
}

void
model_gap(struct model *m, uint16_t line, unsigned channel)
{
    struct model_sub *sub = model_sub(m, line, channel);
    struct kdp_notice notice = {.kind = KDP_NOTICE_GAP, .line = line};

    if (sub == NULL || !model_speaks(&m->lines[line]))
        return;
    kdp_session_heard(m->session, line, true, m->mono);
    if (channel == 0)
        for (uint32_t i = 0; i < m->market_count; i++)
            if (m->markets[i].line == line && m->markets[i].sid == sub->sid &&
                m->markets[i].book == KDP_BOOK_STATE_LIVE)
                model_tell_book(m, i, KDP_BOOK_STATE_STALE, KDP_REASON_GAP, false, false);
    notice.sid = sub->sid;
    notice.gap.channel = channel_kinds[channel];
    notice.gap.expected = 10;
    notice.gap.seen = 12;
    kdp_session_notice(m->session, &notice);
}

void
model_error(struct model *m, uint16_t line, unsigned channel, int code)
{
    struct model_sub *sub = model_sub(m, line, channel);
    struct model_event event = {.line = line, .reply = KDP_NOTICE_ERROR, .code = code};

    if (sub == NULL || !model_speaks(&m->lines[line]))
        return;
    event.sid = sub->sid;
    event.channel = sub->channel;
    kdp_session_heard(m->session, line, true, m->mono);
    model_sub_end(m, line, sub, code == 25 ? KDP_REASON_OVERFLOW : KDP_REASON_CHANNEL_ERROR);
    tell_reply(m, &event);
}

void
model_reply(struct model *m, uint16_t line, uint8_t kind, int64_t id, uint32_t sid, unsigned channel,
            int code)
{
    struct model_event event = {
        .kind = EVENT_REPLY, .line = line, .reply = kind, .id = id, .sid = sid, .code = code};

    if (m->lines[line].deaf || model_chance(m, m->lose_reply))
        return;
    event.at_ns = m->mono + m->latency_ns;
    event.epoch = m->lines[line].epoch;
    event.channel = (uint8_t)channel;
    event_put(m, event);
}

void
model_snapshot(struct model *m, uint16_t line, uint32_t sid, uint32_t market)
{
    struct model_event event = {.kind = EVENT_SNAPSHOT, .line = line, .sid = sid, .market = market};

    if (m->lines[line].deaf || m->markets[market].mute || model_chance(m, m->lose_snapshot))
        return;
    event.at_ns = m->mono + m->latency_ns + MS_NS;
    event.epoch = m->lines[line].epoch;
    event_put(m, event);
}

/* ---- actions ---- */

static void
timer(struct model *m, const struct kdp_input_timer *timer)
{
    uint32_t index = timer->arg32 - 1;
    struct model_market *market = &m->markets[index < m->market_count ? index : 0];

    switch (timer->kind) {
    case KDP_TIMER_OPEN:
        market->opened++;
        CHECK(market->open_ns <= m->wall);
        market->status = KDP_MARKET_STATUS_ACTIVE;
        break;
    case KDP_TIMER_CLOSE:
        market->closed++;
        CHECK(market->close_ns <= m->wall);
        break;
    case KDP_TIMER_AUDIT:
        market->audits++;
        break;
    case KDP_TIMER_RECOVERING:
        market->recoverings++;
        CHECK_INT(market->book, KDP_BOOK_STATE_STALE);
        model_tell_book(m, index, KDP_BOOK_STATE_RECOVERING, KDP_REASON_RECOVERY, false, false);
        break;
    case KDP_TIMER_PAUSED:
        m->paused_timers++;
        break;
    case KDP_TIMER_RESUMED:
        m->resumed_timers++;
        break;
    case KDP_TIMER_LISTED:
        m->listed_timers++;
        m->listed_before_ns = (int64_t)timer->arg;
        break;
    case KDP_TIMER_TRADES_BEHIND:
        m->behinds++;
        m->behind_ns = (int64_t)timer->arg;
        break;
    case KDP_TIMER_TRADES_LOST:
        m->losts++;
        m->lost_before_ns = (int64_t)timer->arg;
        break;
    case KDP_TIMER_TRADES_HEALED:
        m->healed++;
        CHECK((int64_t)timer->arg > m->healed_before_ns);
        m->healed_before_ns = (int64_t)timer->arg;
        break;
    default:
        kdp_test_fail(__FILE__, __LINE__, "not a timer of the session: %u", timer->kind);
    }
}

static void
reload(struct model *m, const char *at)
{
    m->reloads++;
    while (*at != '\0') {
        const char *end = strchr(at, '\n');

        CHECK(end != NULL);
        if (strncmp(at, "rules ", 6) == 0) {
            snprintf(m->rules_words, sizeof m->rules_words, "%.*s", (int)(end - at - 6), at + 6);
            m->all = false;
        } else if (strncmp(at, "all\n", 4) == 0) {
            m->all = true;
        } else if (strncmp(at, "keyless\n", 8) == 0) {
            m->keyless = true;
        } else {
            const char *digits = end;
            uint32_t index;

            CHECK(*at == '+' || *at == '-');
            while (digits[-1] >= '0' && digits[-1] <= '9')
                digits--;
            index = (uint32_t)strtoul(digits, NULL, 10);
            CHECK(index < m->market_count && m->markets[index].planned != (*at == '+'));
            m->markets[index].planned = *at == '+';
        }
        at = end + 1;
    }
}

static void
act(struct model *m, const struct kdp_action *action)
{
    struct model_line *line = &m->lines[action->line];
    struct model_event event = {.line = action->line, .epoch = line->epoch, .at_ns = m->mono + m->latency_ns};

    m->actions++;
    if (m->log > 0)
        fprintf(stderr, "%9.3f %u line %u req %llx timer %u/%u %.900s\n", (double)m->mono / 1e9, action->kind,
                action->line, (unsigned long long)action->request, action->timer.kind, action->timer.arg32,
                action->text != NULL ? action->text : "");
    switch (action->kind) {
    case KDP_ACTION_CONNECT:
        CHECK(!line->up && !line->connecting);
        line->connecting = true;
        line->connect_ns[line->connects++ % 64] = m->mono;
        event.kind = (m->connections_max > 0 && action->line > m->connections_max) ||
                             m->connect_status != 0 || m->connect_code != 0
                         ? EVENT_REFUSED
                         : EVENT_UP;
        event_put(m, event);
        break;
    case KDP_ACTION_DISCONNECT:
        CHECK(line->up);
        line_down(m, action->line, action->text);
        break;
    case KDP_ACTION_COMMAND:
        model_command(m, action->line, action->text);
        break;
    case KDP_ACTION_PING:
        CHECK(line->up);
        line->pings++;
        event.kind = EVENT_PONG;
        if (!line->silent)
            event_put(m, event);
        break;
    case KDP_ACTION_GET:
        m->gets++;
        CHECK(action->text[0] == '/' && strlen(action->text) == action->len);
        snprintf(m->last_get, sizeof m->last_get, "%s", action->text);
        event.kind = EVENT_ANSWER;
        event.at_ns = m->mono + m->rest_latency_ns;
        event.request = action->request;
        event.path = strdup(action->text);
        event_put(m, event);
        break;
    case KDP_ACTION_TIMER:
        timer(m, &action->timer);
        break;
    case KDP_ACTION_RELOAD:
        CHECK(action->len < 1000000 && strlen(action->text) == action->len);
        reload(m, action->text);
        break;
    case KDP_ACTION_WARN:
        m->warnings++;
        snprintf(m->last_warning, sizeof m->last_warning, "%s", action->text);
        break;
    case KDP_ACTION_NOTICE:
        snprintf(m->last_notice, sizeof m->last_notice, "%s", action->text);
        break;
    case KDP_ACTION_FAIL:
        m->failures++;
        m->failure_code = action->code;
        snprintf(m->failure, sizeof m->failure, "%s", action->text);
        snprintf(m->failure_hint, sizeof m->failure_hint, "%s", action->hint != NULL ? action->hint : "");
        break;
    }
}

static void
happen(struct model *m, struct model_event *event)
{
    struct model_line *line = &m->lines[event->line];
    struct model_sub *sub;

    switch (event->kind) {
    case EVENT_UP:
        line->connecting = false;
        line->up = true;
        line->next_sid = 0;
        kdp_session_up(m->session, event->line, m->mono);
        break;
    case EVENT_REFUSED:
        line->connecting = false;
        line->refusals++;
        kdp_session_refused(m->session, event->line, m->connections_max > 0 ? 429 : m->connect_status,
                            m->connect_code, m->connect_body != NULL ? m->connect_body : "",
                            "words of the client", "hint of the client", m->mono);
        break;
    case EVENT_REPLY:
        if (event->epoch != line->epoch || !model_speaks(line))
            break;
        for (unsigned channel = 0; channel < 5; channel++)
            if (line->outstanding[channel] == event->id)
                line->outstanding[channel] = 0;
        kdp_session_heard(m->session, event->line, true, m->mono);
        tell_reply(m, event);
        break;
    case EVENT_SNAPSHOT:
        sub = model_sub_by_sid(m, event->line, event->sid);
        if (event->epoch != line->epoch || !model_speaks(line) || sub == NULL || !sub->in[event->market])
            break;
        kdp_session_heard(m->session, event->line, true, m->mono);
        line->outstanding[0] = 0; /* its sid is known by this as well */
        m->markets[event->market].line = event->line;
        m->markets[event->market].sid = event->sid;
        m->markets[event->market].snapshots++;
        model_tell_book(m, event->market, KDP_BOOK_STATE_LIVE, KDP_REASON_SUBSCRIBE, true, true);
        break;
    case EVENT_ANSWER:
        model_answer_get(m, event);
        free(event->path);
        break;
    case EVENT_PONG:
        if (event->epoch == line->epoch && line->up)
            kdp_session_heard(m->session, event->line, false, m->mono);
        break;
    default:
        break;
    }
}

static void
trade(struct model *m)
{
    struct model_sub *sub = model_sub(m, 1, 1);
    struct kdp_notice notice = {.kind = KDP_NOTICE_TRADE, .line = 1};

    if (m->trade_count == m->trade_room) {
        m->trade_room = m->trade_room * 2 + 256;
        m->trades = realloc(m->trades, m->trade_room * sizeof *m->trades);
        CHECK(m->trades != NULL);
    }
    m->trades[m->trade_count] = (struct model_trade){.ns = m->wall - MS_NS};
    m->trade_count++;
    if (sub == NULL || !model_speaks(&m->lines[1]))
        return;
    if (model_chance(m, m->lose_trade)) {
        m->lines[1].trade_gap = !m->lose_tail;
        return;
    }
    if (m->lines[1].trade_gap) {
        m->lines[1].trade_gap = false;
        model_gap(m, 1, 1);
    }
    m->trades[m->trade_count - 1].known = true;
    kdp_session_heard(m->session, 1, true, m->mono);
    m->lines[1].outstanding[1] = 0;
    notice.sid = sub->sid;
    notice.trade.exch_ns = m->wall - MS_NS;
    kdp_session_notice(m->session, &notice);
}

static void
drain(struct model *m)
{
    struct kdp_action action;
    uint32_t n = 0;

    while (kdp_session_next(m->session, m->mono, m->wall, &action)) {
        CHECK(++n < 2000000);
        act(m, &action);
    }
}

static void
start(struct model *m)
{
    if (m->session != NULL)
        return;
    m->config.rules = &m->rules;
    if (m->config.keyless && m->trades_from_ns == 0 && !m->config.restarted)
        m->trades_from_ns = m->wall;
    CHECK_INT(kdp_session_open(&m->session, &m->config), 0);
    drain(m);
}

static void
step(struct model *m, int64_t until)
{
    int64_t next = until, due = kdp_session_due(m->session);

    if (m->event_count > 0 && m->events[0].at_ns < next)
        next = m->events[0].at_ns;
    if (due < next)
        next = due;
    if (m->trades_per_s > 0 && m->next_trade_ns < next)
        next = m->next_trade_ns;
    if (m->data_every_ns > 0 && m->next_data_ns < next)
        next = m->next_data_ns;
    if (next > m->mono) {
        m->wall += next - m->mono;
        m->mono = next;
    }
    if (m->trades_per_s > 0 && m->mono >= m->next_trade_ns) {
        trade(m);
        m->next_trade_ns = m->mono + S_NS / m->trades_per_s;
    }
    if (m->data_every_ns > 0 && m->mono >= m->next_data_ns) {
        for (uint16_t i = 1; i < MODEL_LINES; i++)
            if (model_speaks(&m->lines[i]))
                kdp_session_heard(m->session, i, true, m->mono);
        m->next_data_ns = m->mono + m->data_every_ns;
    }
    while (m->event_count > 0 && m->events[0].at_ns <= m->mono) {
        struct model_event event = event_take(m);

        happen(m, &event);
    }
    drain(m);
}

void
model_run(struct model *m, int64_t ns)
{
    int64_t end = m->mono + ns;

    start(m);
    while (m->mono < end)
        step(m, end);
}

bool
model_until(struct model *m, int64_t ns, bool (*done)(const struct model *m))
{
    int64_t end = m->mono + ns;

    start(m);
    while (m->mono < end) {
        step(m, end);
        if (done(m))
            return true;
    }
    return false;
}

bool
model_live(const struct model *m)
{
    struct kdp_session_stats stats;

    kdp_session_stats(m->session, &stats);
    if (!stats.listed)
        return false;
    for (uint32_t i = 0; i < m->market_count; i++)
        if (m->markets[i].planned && m->markets[i].book != KDP_BOOK_STATE_LIVE &&
            m->markets[i].book != KDP_BOOK_STATE_CLOSED)
            return false;
    return true;
}

bool
model_settled(const struct model *m)
{
    struct kdp_session_stats stats;

    kdp_session_stats(m->session, &stats);
    return stats.windows_open == 0 && model_live(m);
}

uint32_t
model_planned(const struct model *m)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->market_count; i++)
        count += m->markets[i].planned;
    return count;
}

uint32_t
model_trades_missing(const struct model *m, int64_t before_ns)
{
    uint32_t count = 0;

    for (size_t i = 0; i < m->trade_count; i++)
        count += !m->trades[i].known && m->trades[i].ns < before_ns && m->trades[i].ns >= m->trades_from_ns;
    return count;
}

void
model_begin(struct model *m, uint32_t markets)
{
    memset(m, 0, sizeof *m);
    m->log = getenv("KDP_MODEL_LOG") != NULL; /* for a person */
    m->mono = 1000 * S_NS;
    m->wall = MODEL_BEGIN_NS;
    m->random = kdp_test_seed();
    m->market_count = markets;
    m->per_event = 5;
    m->markets = calloc(markets + 1, sizeof *m->markets);
    CHECK(m->markets != NULL);
    for (uint32_t i = 0; i < markets; i++) {
        struct model_market *market = &m->markets[i];

        snprintf(market->ticker, sizeof market->ticker, "KXS%u-E%u-M%u", i / m->per_event / 10,
                 i / m->per_event, i);
        market->status = KDP_MARKET_STATUS_ACTIVE;
        market->open_ns = m->wall - 3600 * S_NS;
        market->close_ns = m->wall + 86400 * S_NS;
        market->volume_e2 = 100 * i;
    }
    m->latency_ns = 5 * MS_NS;
    m->rest_latency_ns = 20 * MS_NS;
    m->data_every_ns = S_NS;
    m->config.connections = 2;
    m->config.seed = kdp_test_seed();
    m->config.last_wall_ns = KDP_TIME_NULL;
}

void
model_kill(struct model *m)
{
    kdp_session_close(m->session);
    m->session = NULL;
    for (uint32_t i = 0; i < m->market_count; i++)
        m->markets[i].planned = false;
    while (m->event_count > 0) {
        struct model_event event = event_take(m);

        free(event.path);
    }
}

void
model_end(struct model *m)
{
    kdp_session_close(m->session);
    for (uint16_t line = 0; line < MODEL_LINES; line++)
        for (uint32_t i = 0; i < m->lines[line].sub_count; i++)
            free(m->lines[line].subs[i].in);
    while (m->event_count > 0) {
        struct model_event event = event_take(m);

        free(event.path);
    }
    free(m->events);
    free(m->markets);
    free(m->trades);
}
