/* session_model.c - see session_model.h. */
#include "session_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "kdp_test.h"
#include "sequence.h"

enum event_kind { EVENT_UP, EVENT_REFUSED, EVENT_REPLY, EVENT_SNAPSHOT, EVENT_ANSWER, EVENT_PONG };
struct model_event {
    int64_t at_ns;
    uint64_t order;
    uint8_t kind, reply; /* enum kdp_notice_kind */
    uint16_t line;
    uint32_t epoch, sid, market, tickers;
    int64_t id;
    int code;
    uint8_t channel;
    uint64_t request;
    char *path;
};

static const char *const channels[] = {"orderbook_delta", "trade", "ticker", "market_lifecycle_v2",
                                       "multivariate_market_lifecycle"};
static const uint8_t channel_kinds[] = {KDP_CHANNEL_BOOK, KDP_CHANNEL_TRADE, KDP_CHANNEL_TICKER,
                                        KDP_CHANNEL_LIFECYCLE, KDP_CHANNEL_LIFECYCLE};

uint64_t
model_random(struct model *m, uint64_t below)
{
    return below == 0 ? 0 : kdp_test_random(&m->random) % below;
}

static bool
chance(struct model *m, uint32_t in_thousand)
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

static struct kdp_text
text(const char *words)
{
    return (struct kdp_text){words, strlen(words)};
}

static void
names(const struct model *m, uint32_t market, char event[32], char series[32])
{
    snprintf(event, 32, "KXS%u-E%u", market / m->per_event / 10, market / m->per_event);
    snprintf(series, 32, "KXS%u", market / m->per_event / 10);
}

static void
tell_market(struct model *m, uint32_t index, bool listed)
{
    const struct model_market *market = &m->markets[index];
    char event[32], series[32];
    struct kdp_notice notice = {.kind = KDP_NOTICE_MARKET, .instrument = index + 1};

    names(m, index, event, series);
    notice.market.ticker = text(market->ticker);
    notice.market.event_ticker = text(event);
    notice.market.open_ns = market->open_ns;
    notice.market.close_ns = market->close_ns;
    notice.market.volume_e2 = listed ? market->volume_e2 : KDP_INT64_NULL;
    notice.market.status = market->status;
    notice.market.combo = market->combo;
    notice.market.listed = listed;
    kdp_session_notice(m->session, &notice);
}

void
model_market(struct model *m, uint32_t index)
{
    tell_market(m, index, false);
}

static void
tell_book(struct model *m, uint32_t index, uint8_t state, uint8_t reason, bool snapshot, bool owner)
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
        tell_book(m, index, KDP_BOOK_STATE_STALE, reason, false, false);
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
    notice.reply.text = text("words of the exchange");
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

static struct model_sub *
sub_by_sid(struct model *m, uint16_t line, uint32_t sid)
{
    for (uint32_t i = 0; i < m->lines[line].sub_count; i++)
        if (m->lines[line].subs[i].alive && m->lines[line].subs[i].sid == sid)
            return &m->lines[line].subs[i];
    return NULL;
}

static void
sub_end(struct model *m, uint16_t line, struct model_sub *sub, uint8_t reason)
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
            tell_book(m, i, KDP_BOOK_STATE_STALE, reason, false, false);
        market->line = 0;
        market->sid = 0;
    }
}

static void
subs_end(struct model *m, uint16_t line, uint8_t reason)
{
    for (uint32_t i = 0; i < m->lines[line].sub_count; i++)
        if (m->lines[line].subs[i].alive)
            sub_end(m, line, &m->lines[line].subs[i], reason);
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

static bool
speaks(const struct model_line *line)
{
    return line->up && !line->stalled && !line->silent;
}

void
model_gap(struct model *m, uint16_t line, unsigned channel)
{
    struct model_sub *sub = model_sub(m, line, channel);
    struct kdp_notice notice = {.kind = KDP_NOTICE_GAP, .line = line};

    if (sub == NULL || !speaks(&m->lines[line]))
        return;
    kdp_session_heard(m->session, line, true, m->mono);
    if (channel == 0)
        for (uint32_t i = 0; i < m->market_count; i++)
            if (m->markets[i].line == line && m->markets[i].sid == sub->sid &&
                m->markets[i].book == KDP_BOOK_STATE_LIVE)
                tell_book(m, i, KDP_BOOK_STATE_STALE, KDP_REASON_GAP, false, false);
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

    if (sub == NULL || !speaks(&m->lines[line]))
        return;
    event.sid = sub->sid;
    event.channel = sub->channel;
    kdp_session_heard(m->session, line, true, m->mono);
    sub_end(m, line, sub, code == 25 ? KDP_REASON_OVERFLOW : KDP_REASON_CHANNEL_ERROR);
    tell_reply(m, &event);
}

static void
reply(struct model *m, uint16_t line, uint8_t kind, int64_t id, uint32_t sid, unsigned channel, int code)
{
    struct model_event event = {
        .kind = EVENT_REPLY, .line = line, .reply = kind, .id = id, .sid = sid, .code = code};

    if (m->lines[line].deaf || chance(m, m->lose_reply))
        return;
    event.at_ns = m->mono + m->latency_ns;
    event.epoch = m->lines[line].epoch;
    event.channel = (uint8_t)channel;
    event_put(m, event);
}

static void
snapshot(struct model *m, uint16_t line, uint32_t sid, uint32_t market)
{
    struct model_event event = {.kind = EVENT_SNAPSHOT, .line = line, .sid = sid, .market = market};

    if (m->lines[line].deaf || m->markets[market].mute || chance(m, m->lose_snapshot))
        return;
    event.at_ns = m->mono + m->latency_ns + MS_NS;
    event.epoch = m->lines[line].epoch;
    event_put(m, event);
}

/* ---- commands ---- */

static int64_t
number_after(const char *json, const char *key)
{
    const char *at = strstr(json, key);

    return at != NULL ? strtoll(at + strlen(key), NULL, 10) : -1;
}

/* The tickers of a command, one after the other: UINT32_MAX at the end. */
static uint32_t
next_ticker(const struct model *m, const char **atp)
{
    const char *at = *atp, *end;
    uint32_t market;

    if (*at != '"')
        return UINT32_MAX;
    end = strchr(at + 1, '"');
    CHECK(end != NULL && end - at > 4);
    at = end;
    while (at[-1] >= '0' && at[-1] <= '9')
        at--;
    market = (uint32_t)strtoul(at, NULL, 10);
    CHECK(market < m->market_count);
    CHECK(strncmp(m->markets[market].ticker, *atp + 1, (size_t)(end - *atp - 1)) == 0);
    *atp = end + 1 + (end[1] == ',');
    return market;
}

static const char *
tickers_of(const char *json)
{
    const char *at = strstr(json, "\"market_tickers\":[");

    if (at == NULL)
        return NULL;
    at += strlen("\"market_tickers\":[");
    CHECK(*at == '"'); /* an empty list subscribes to everything */
    return at;
}

static bool
refused(const struct model *m, const char *at)
{
    uint32_t market;

    while (at != NULL && (market = next_ticker(m, &at)) != UINT32_MAX)
        if (m->markets[market].refused)
            return true;
    return false;
}

/* A refusal is known when its reply has come: until then, or if that is lost, a command may name what is not in. */
static void
refusing(struct model *m, uint16_t line)
{
    m->lines[line].refused_ns = m->mono;
    m->lines[line].was_deaf |= m->lose_reply > 0;
}

static bool
excused(const struct model *m, uint16_t line)
{
    const struct model_line *l = &m->lines[line];

    return l->was_deaf || (l->refused_ns != 0 && m->mono <= l->refused_ns + m->latency_ns);
}

static void
do_subscribe(struct model *m, uint16_t line, int64_t id, const char *json)
{
    struct model_line *l = &m->lines[line];
    const char *at = tickers_of(json);
    unsigned channel = 0;
    struct model_sub *sub;
    uint32_t market, count = 0;

    m->subscribes++;
    while (channel < 5) {
        char word[64];

        snprintf(word, sizeof word, "\"channels\":[\"%s\"]", channels[channel]);
        if (strstr(json, word) != NULL)
            break;
        channel++;
    }
    CHECK(channel < 5);
    CHECK((channel == 0) == (strstr(json, "\"use_yes_price\":true") != NULL));
    CHECK(channel != 0 || at != NULL);
    CHECK(at != NULL || channel >= 3 || m->all || m->subscription_max > 0);
    /* one outstanding subscribe of a channel at a time: a reply, or its time is up */
    CHECK(l->outstanding[channel] == 0 || m->mono - l->outstanding_ns[channel] >= 5 * S_NS);
    l->outstanding[channel] = id;
    l->outstanding_ns[channel] = m->mono;
    if (l->deaf)
        return;
    for (const char *p = at; p != NULL && next_ticker(m, &p) != UINT32_MAX;)
        count++;
    if (channel == 0 && refused(m, at)) {
        l->outstanding[channel] = 0;
        refusing(m, line);
        reply(m, line, KDP_NOTICE_ERROR, id, 0, channel, 11);
        return;
    }
    if (m->subscription_max > 0 && count > m->subscription_max) {
        l->outstanding[channel] = 0;
        reply(m, line, KDP_NOTICE_ERROR, id, 0, channel, 26);
        return;
    }
    if (channel == 1 && m->trades_from_ns == 0 && !m->config.restarted)
        m->trades_from_ns = m->wall;
    sub = model_sub(m, line, channel);
    if (sub == NULL) {
        CHECK(l->sub_count < MODEL_SUBS);
        sub = &l->subs[l->sub_count++];
        memset(sub, 0, sizeof *sub);
        sub->alive = true;
        sub->channel = (uint8_t)channel;
        sub->sid = ++l->next_sid;
        sub->in = calloc(m->market_count + 1, 1);
    }
    sub->all = at == NULL;
    reply(m, line, KDP_NOTICE_SUBSCRIBED, id, sub->sid, channel, 0);
    while (at != NULL && (market = next_ticker(m, &at)) != UINT32_MAX) {
        bool was = sub->in[market];

        sub->members += !was;
        sub->in[market] = 1;
        if (channel == 0 && !was)
            snapshot(m, line, sub->sid, market);
    }
}

static void
do_update(struct model *m, uint16_t line, int64_t id, const char *json)
{
    uint32_t sid = (uint32_t)number_after(json, "\"sids\":["), market, count = 0;
    struct model_sub *sub = sub_by_sid(m, line, sid);
    const char *at = tickers_of(json);
    bool add = strstr(json, "\"add_markets\"") != NULL, del = strstr(json, "\"delete_markets\"") != NULL;
    bool get = strstr(json, "\"get_snapshot\"") != NULL;

    CHECK(at != NULL && add + del + get == 1);
    m->adds += add;
    m->deletes += del;
    m->snapshot_commands += get;
    if (m->lines[line].deaf)
        return;
    if (sub == NULL) {
        reply(m, line, KDP_NOTICE_ERROR, id, sid, 0, 7);
        return;
    }
    for (const char *p = at; next_ticker(m, &p) != UINT32_MAX;)
        count++;
    if (add && sub->channel == 0 && refused(m, at)) {
        refusing(m, line);
        reply(m, line, KDP_NOTICE_ERROR, id, sid, 0, 11);
        return;
    }
    if (add && m->subscription_max > 0 && sub->members + count > m->subscription_max) {
        reply(m, line, KDP_NOTICE_ERROR, id, sid, sub->channel, 26);
        return;
    }
    while ((market = next_ticker(m, &at)) != UINT32_MAX) {
        if (add) {
            sub->members += !sub->in[market];
            sub->in[market] = 1;
            if (sub->channel == 0)
                snapshot(m, line, sid, market);
        } else if (del) {
            struct model_market *mk = &m->markets[market];

            if (!sub->in[market] && !excused(m, line))
                kdp_test_fail(__FILE__, __LINE__, "market %u is not in sid %u of line %u: %s", market, sid,
                              line, json);
            sub->members -= sub->in[market];
            sub->in[market] = 0;
            if (sub->channel == 0 && mk->line == line && mk->sid == sid) {
                if (mk->book != KDP_BOOK_STATE_CLOSED)
                    tell_book(m, market, KDP_BOOK_STATE_STALE, KDP_REASON_UNSUBSCRIBED, false, false);
                mk->line = 0;
                mk->sid = 0;
            }
        } else {
            CHECK(sub->channel == 0);
            CHECK(sub->in[market] || excused(m, line)); /* asked of the sid it is in, and of no other */
            if (sub->in[market] && ((uint64_t)m->get_snapshot_deaf >> line & 1) == 0)
                snapshot(m, line, sid, market);
        }
    }
    CHECK(!del || sub->members > 0 ||
          m->lines[line].was_deaf); /* the last one is unsubscribed, not deleted */
    if (!get)
        reply(m, line, KDP_NOTICE_OK, id, sid, sub->channel, 0);
}

static void
do_unsubscribe(struct model *m, uint16_t line, int64_t id, const char *json)
{
    uint32_t sid = (uint32_t)number_after(json, "\"sids\":[");
    struct model_sub *sub = sub_by_sid(m, line, sid);

    m->unsubscribes++;
    if (m->lines[line].deaf)
        return;
    if (sub == NULL) {
        reply(m, line, KDP_NOTICE_ERROR, id, sid, 0, 7);
        return;
    }
    reply(m, line, KDP_NOTICE_UNSUBSCRIBED, id, sid, sub->channel, 0);
    sub_end(m, line, sub, KDP_REASON_UNSUBSCRIBED);
}

static void
command(struct model *m, uint16_t line, const char *json)
{
    struct model_line *l = &m->lines[line];
    int64_t id = number_after(json, "{\"id\":");

    CHECK(l->up);
    CHECK(id > l->last_id); /* unique and growing */
    l->last_id = id;
    l->commands++;
    m->commands++;
    snprintf(m->last_command, sizeof m->last_command, "%s", json);
    if (m->mono - l->second >= S_NS) {
        l->second = m->mono;
        l->in_second = 0;
    }
    if (++l->in_second > m->commands_second_max)
        m->commands_second_max = l->in_second;
    CHECK(l->in_second <= 130);
    if (!speaks(l) || l->deaf)
        l->was_deaf = true;
    if (!speaks(l))
        return;
    if (m->commands_max > 0 && l->in_second > m->commands_max) {
        l->was_deaf = true;
        l->outstanding[0] = strstr(json, "orderbook_delta") != NULL ? 0 : l->outstanding[0];
        for (unsigned channel = 0; channel < 5; channel++)
            if (strstr(json, channels[channel]) != NULL)
                l->outstanding[channel] = 0;
        reply(m, line, KDP_NOTICE_ERROR, id, 0, 0, 27);
        return;
    }
    if (strstr(json, "\"cmd\":\"subscribe\"") != NULL)
        do_subscribe(m, line, id, json);
    else if (strstr(json, "\"cmd\":\"update_subscription\"") != NULL)
        do_update(m, line, id, json);
    else if (strstr(json, "\"cmd\":\"unsubscribe\"") != NULL)
        do_unsubscribe(m, line, id, json);
    else if (strstr(json, "\"cmd\":\"list_subscriptions\"") != NULL)
        reply(m, line, KDP_NOTICE_OK, id, 0, 0, 0);
    else
        kdp_test_fail(__FILE__, __LINE__, "not a command of the exchange: %s", json);
}

/* ---- REST ---- */

static bool
param(const char *path, const char *name, char *out, size_t size)
{
    const char *at = strstr(path, name);
    size_t n = 0;

    if (at == NULL)
        return false;
    for (at += strlen(name); *at != '\0' && *at != '&' && n + 1 < size; at++) {
        char c = *at;

        if (c == '%') {
            char hex[3] = {at[1], at[2], 0};

            c = (char)strtoul(hex, NULL, 16);
            at += 2;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static void
answer(struct model *m, uint64_t request, struct kdp_notice *notice, int status, const char *body)
{
    if (notice != NULL) {
        notice->kind = KDP_NOTICE_REST;
        notice->rest.request = request;
        notice->rest.status = (uint32_t)status;
        kdp_session_notice(m->session, notice);
    }
    kdp_session_answer(m->session, request, status, status == 0 ? KDP_ETIMEOUT : 0, body, strlen(body),
                       status == 200 ? "" : "words of the client", m->mono, m->wall);
}

static bool
in_list(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
        if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
            return true;
    return false;
}

/* The market of "/markets/TICKER/orderbook". */
static uint32_t
by_path(const struct model *m, const char *name)
{
    size_t len = strcspn(name, "/?");
    uint32_t at = 0;

    while (at < m->market_count &&
           (strncmp(m->markets[at].ticker, name, len) != 0 || m->markets[at].ticker[len] != '\0'))
        at++;
    return at;
}

static void
answer_markets(struct model *m, uint64_t request, const char *path)
{
    char status[32] = "", cursor[64] = "", series[64], event[64], names_[4096], next[32] = "";
    bool by_series = param(path, "series_ticker=", series, sizeof series);
    bool by_event = param(path, "event_ticker=", event, sizeof event);
    bool by_name = param(path, "&tickers=", names_, sizeof names_),
         exclude = strstr(path, "mve_filter=exclude") != NULL;
    uint32_t at, items = 0, most = m->page > 0 ? m->page : 1000;
    struct kdp_notice notice = {0};

    m->listings++;
    CHECK(exclude == (!by_series && !by_event && !by_name));
    CHECK(param(path, "status=", status, sizeof status) || by_name);
    CHECK(!param(path, "cursor=", cursor, sizeof cursor) || strncmp(cursor, "c+/", 3) == 0);
    for (at = cursor[0] != '\0' ? (uint32_t)strtoul(cursor + 3, NULL, 10) : 0;
         at < m->market_count && items < most; at++) {
        const struct model_market *market = &m->markets[at];
        char its_event[32], its_series[32];

        names(m, at, its_event, its_series);
        if (market->unlisted || (exclude && market->combo) ||
            (by_series && strcmp(series, its_series) != 0) || (by_event && strcmp(event, its_event) != 0) ||
            (by_name && !in_list(names_, market->ticker)))
            continue;
        if (status[0] != 0 && market->status != (strcmp(status, "open") == 0 ? KDP_MARKET_STATUS_ACTIVE
                                                                             : KDP_MARKET_STATUS_INITIALIZED))
            continue;
        tell_market(m, at, true);
        items++;
    }
    if (at < m->market_count)
        snprintf(next, sizeof next, "c+/%u", at);
    notice.rest.items = items;
    notice.rest.oldest_ns = notice.rest.newest_ns = KDP_TIME_NULL;
    notice.rest.cursor = text(next);
    answer(m, request, &notice, 200, "{}");
}

/* Newest first, with whole seconds for bounds; what the plant has already is not fresh. */
static void
answer_trades(struct model *m, uint64_t request, const char *path)
{
    char value[64] = "", cursor[64] = "", next[32] = "";
    int64_t from = INT64_MIN, to = INT64_MAX;
    uint32_t most = m->page > 0 ? m->page : 1000;
    struct kdp_notice notice = {0};
    size_t at;

    m->trade_pages++;
    snprintf(m->last_trades_get, sizeof m->last_trades_get, "%s", path);
    if (param(path, "min_ts=", value, sizeof value)) {
        if (m->no_bounds) {
            answer(m, request, &notice, 400, "{\"code\":\"bad_request\"}");
            return;
        }
        from = strtoll(value, NULL, 10) * S_NS;
    }
    if (param(path, "max_ts=", value, sizeof value))
        to = strtoll(value, NULL, 10) * S_NS;
    CHECK(!param(path, "cursor=", cursor, sizeof cursor) || strncmp(cursor, "c+/", 3) == 0);
    notice.rest.oldest_ns = notice.rest.newest_ns = KDP_TIME_NULL;
    at = cursor[0] != '\0' ? strtoull(cursor + 3, NULL, 10) : m->trade_count;
    while (at > 0 && notice.rest.items < most) {
        struct model_trade *trade = &m->trades[at - 1];

        if (trade->ns < from)
            break;
        at--;
        if (trade->ns > to || trade->ns > m->wall - m->rest_lag_ns)
            continue;
        notice.rest.items++;
        notice.rest.fresh += !trade->known;
        trade->from_rest |= !trade->known;
        trade->known = true;
        notice.rest.oldest_ns = trade->ns;
        if (notice.rest.newest_ns == KDP_TIME_NULL)
            notice.rest.newest_ns = trade->ns;
    }
    if (at > 0 && m->trades[at - 1].ns >= from)
        snprintf(next, sizeof next, "c+/%zu", at);
    notice.rest.cursor = text(next);
    answer(m, request, &notice, 200, "{}");
}

static void
answer_book(struct model *m, uint64_t request)
{
    uint32_t index = (uint32_t)request - 1;
    struct model_market *market = &m->markets[index];
    struct kdp_notice notice = {0};

    CHECK(index < m->market_count);
    notice.rest.items = 1;
    notice.rest.cursor = text("");
    if (KDP_REST_KIND(request) == KDP_REST_BOOK) {
        m->book_gets++;
        market->rest_books++;
        if (market->book != KDP_BOOK_STATE_LIVE)
            tell_book(m, index, KDP_BOOK_STATE_LIVE, KDP_REASON_RECOVERY, true, false);
    } else {
        m->audit_gets++;
    }
    answer(m, request, &notice, 200, "{}");
}

static void
answer_get(struct model *m, const struct model_event *event)
{
    const char *path = event->path;
    struct kdp_notice none = {0};
    char body[256], its_event[32], series[32];

    none.rest.cursor = text("");
    if (m->rest_status != 0 || chance(m, m->rest_fails)) {
        answer(m, event->request, &none,
               m->rest_status != 0  ? m->rest_status
               : model_random(m, 2) ? 503
                                    : 0,
               "{}");
    } else if (m->rest_429 > 0) {
        m->rest_429--;
        answer(m, event->request, &none, 429, "{\"error\":\"too many requests\"}");
    } else if (strncmp(path, "/markets?", 9) == 0) {
        answer_markets(m, event->request, path);
    } else if (strncmp(path, "/markets/trades?", 16) == 0) {
        answer_trades(m, event->request, path);
    } else if (strncmp(path, "/markets/orderbooks?", 20) == 0) {
        m->audit_gets++;
        CHECK_INT(KDP_REST_KIND(event->request), KDP_REST_AUDIT);
        answer(m, event->request, &none, m->no_batch ? 404 : 200, "{}");
    } else if (strncmp(path, "/markets/", 9) == 0) {
        uint32_t market = by_path(m, path + 9);

        if (market < m->market_count && m->markets[market].gone)
            answer(m, event->request, &none, 404, "{\"error\":{\"code\":\"not_found\"}}");
        else
            answer_book(m, event->request);
    } else if (strcmp(path, "/exchange/status") == 0) {
        m->status_gets++;
        snprintf(body, sizeof body,
                 "{\"exchange_active\":%s,\"trading_active\":%s,\"exchange_estimated_resume_time\":null}",
                 m->paused ? "false" : "true", m->paused ? "false" : "true");
        answer(m, event->request, &none, m->no_status ? 404 : 200, body);
    } else if (strcmp(path, "/exchange/schedule") == 0) {
        answer(m, event->request, &none, m->schedule != NULL ? 200 : 404,
               m->schedule != NULL ? m->schedule : "{}");
    } else if (strncmp(path, "/events/", 8) == 0) {
        const char *number = strstr(path, "-E");

        m->event_gets++;
        CHECK(number != NULL);
        names(m, (uint32_t)strtoul(number + 2, NULL, 10) * m->per_event, its_event, series);
        snprintf(body, sizeof body,
                 "{\"event\":{\"event_ticker\":\"%s\",\"series_ticker\":\"%s\",\"title\":\"t\",\"sub_title\":"
                 "\"\"},\"markets\":[]}",
                 its_event, series);
        answer(m, event->request, &none, 200, body);
    } else {
        answer(m, event->request, &none, 404, "{\"code\":\"not_found\"}");
    }
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
        tell_book(m, index, KDP_BOOK_STATE_RECOVERING, KDP_REASON_RECOVERY, false, false);
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
        command(m, action->line, action->text);
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
        if (event->epoch != line->epoch || !speaks(line))
            break;
        for (unsigned channel = 0; channel < 5; channel++)
            if (line->outstanding[channel] == event->id)
                line->outstanding[channel] = 0;
        kdp_session_heard(m->session, event->line, true, m->mono);
        tell_reply(m, event);
        break;
    case EVENT_SNAPSHOT:
        sub = sub_by_sid(m, event->line, event->sid);
        if (event->epoch != line->epoch || !speaks(line) || sub == NULL || !sub->in[event->market])
            break;
        kdp_session_heard(m->session, event->line, true, m->mono);
        line->outstanding[0] = 0; /* its sid is known by this as well */
        m->markets[event->market].line = event->line;
        m->markets[event->market].sid = event->sid;
        m->markets[event->market].snapshots++;
        tell_book(m, event->market, KDP_BOOK_STATE_LIVE, KDP_REASON_SUBSCRIBE, true, true);
        break;
    case EVENT_ANSWER:
        answer_get(m, event);
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
    if (sub == NULL || !speaks(&m->lines[1]))
        return;
    if (chance(m, m->lose_trade)) {
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
            if (speaks(&m->lines[i]))
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
