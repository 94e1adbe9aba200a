/* session_model_exchange.c - the model's exchange: what it answers to commands and to REST requests. */
#include "session_model_private.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kdp_test.h"
#include "sequence.h"

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
    uint32_t market, count = 0, fresh = 0;

    m->subscribes++;
    while (channel < 5) {
        char word[64];

        snprintf(word, sizeof word, "\"channels\":[\"%s\"]", model_channels[channel]);
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
        model_reply(m, line, KDP_NOTICE_ERROR, id, 0, channel, 11);
        return;
    }
    if (m->subscription_max > 0 && count > m->subscription_max && !m->subscription_fills) {
        l->outstanding[channel] = 0;
        model_reply(m, line, KDP_NOTICE_ERROR, id, 0, channel, 26);
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
    model_reply(m, line, KDP_NOTICE_SUBSCRIBED, id, sub->sid, channel, 0);
    for (const char *p = at; p != NULL && (market = next_ticker(m, &p)) != UINT32_MAX;)
        fresh += !sub->in[market];
    if (m->subscription_fills && m->subscription_max > 0 && sub->members + fresh > m->subscription_max)
        model_reply(m, line, KDP_NOTICE_ERROR, id, sub->sid, channel, 26);
    while (at != NULL && (market = next_ticker(m, &at)) != UINT32_MAX) {
        bool was = sub->in[market];

        if (!was && m->subscription_max > 0 && sub->members >= m->subscription_max)
            continue;
        sub->members += !was;
        sub->in[market] = 1;
        if (channel == 0 && !was)
            model_snapshot(m, line, sub->sid, market);
    }
}

static void
do_update(struct model *m, uint16_t line, int64_t id, const char *json)
{
    uint32_t sid = (uint32_t)number_after(json, "\"sids\":["), market, count = 0;
    struct model_sub *sub = model_sub_by_sid(m, line, sid);
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
        model_reply(m, line, KDP_NOTICE_ERROR, id, sid, 0, 7);
        return;
    }
    for (const char *p = at; next_ticker(m, &p) != UINT32_MAX;)
        count++;
    if (add && sub->channel == 0 && refused(m, at)) {
        refusing(m, line);
        model_reply(m, line, KDP_NOTICE_ERROR, id, sid, 0, 11);
        return;
    }
    if (add && m->subscription_max > 0 && sub->members + count > m->subscription_max) {
        model_reply(m, line, KDP_NOTICE_ERROR, id, sid, sub->channel, 26);
        return;
    }
    while ((market = next_ticker(m, &at)) != UINT32_MAX) {
        if (add) {
            sub->members += !sub->in[market];
            sub->in[market] = 1;
            if (sub->channel == 0)
                model_snapshot(m, line, sid, market);
        } else if (del) {
            struct model_market *mk = &m->markets[market];

            if (!sub->in[market] && !excused(m, line))
                kdp_test_fail(__FILE__, __LINE__, "market %u is not in sid %u of line %u: %s", market, sid,
                              line, json);
            sub->members -= sub->in[market];
            sub->in[market] = 0;
            if (sub->channel == 0 && mk->line == line && mk->sid == sid) {
                if (mk->book != KDP_BOOK_STATE_CLOSED)
                    model_tell_book(m, market, KDP_BOOK_STATE_STALE, KDP_REASON_UNSUBSCRIBED, false, false);
                mk->line = 0;
                mk->sid = 0;
            }
        } else {
            CHECK(sub->channel == 0);
            CHECK(sub->in[market] || excused(m, line)); /* asked of the sid it is in, and of no other */
            if (sub->in[market] && ((uint64_t)m->get_snapshot_deaf >> line & 1) == 0)
                model_snapshot(m, line, sid, market);
        }
    }
    CHECK(!del || sub->members > 0 ||
          m->lines[line].was_deaf); /* the last one is unsubscribed, not deleted */
    if (!get)
        model_reply(m, line, KDP_NOTICE_OK, id, sid, sub->channel, 0);
}

static void
do_unsubscribe(struct model *m, uint16_t line, int64_t id, const char *json)
{
    uint32_t sid = (uint32_t)number_after(json, "\"sids\":[");
    struct model_sub *sub = model_sub_by_sid(m, line, sid);

    m->unsubscribes++;
    if (m->lines[line].deaf)
        return;
    if (sub == NULL) {
        model_reply(m, line, KDP_NOTICE_ERROR, id, sid, 0, 7);
        return;
    }
    model_reply(m, line, KDP_NOTICE_UNSUBSCRIBED, id, sid, sub->channel, 0);
    model_sub_end(m, line, sub, KDP_REASON_UNSUBSCRIBED);
}

void
model_command(struct model *m, uint16_t line, const char *json)
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
    if (!model_speaks(l) || l->deaf)
        l->was_deaf = true;
    if (!model_speaks(l))
        return;
    if (m->commands_max > 0 && l->in_second > m->commands_max) {
        l->was_deaf = true;
        l->outstanding[0] = strstr(json, "orderbook_delta") != NULL ? 0 : l->outstanding[0];
        for (unsigned channel = 0; channel < 5; channel++)
            if (strstr(json, model_channels[channel]) != NULL)
                l->outstanding[channel] = 0;
        model_reply(m, line, KDP_NOTICE_ERROR, id, 0, 0, 27);
        return;
    }
    if (strstr(json, "\"cmd\":\"subscribe\"") != NULL)
        do_subscribe(m, line, id, json);
    else if (strstr(json, "\"cmd\":\"update_subscription\"") != NULL)
        do_update(m, line, id, json);
    else if (strstr(json, "\"cmd\":\"unsubscribe\"") != NULL)
        do_unsubscribe(m, line, id, json);
    else if (strstr(json, "\"cmd\":\"list_subscriptions\"") != NULL)
        model_reply(m, line, KDP_NOTICE_OK, id, 0, 0, 0);
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

    m->quoting = KDP_REST_KIND(request) == KDP_REST_QUOTES;
    m->listings += !m->quoting;
    m->quote_gets += m->quoting;
    CHECK(!m->quoting || by_name);
    CHECK(exclude == (!by_series && !by_event && !by_name));
    CHECK(param(path, "status=", status, sizeof status) || by_name);
    CHECK(!param(path, "cursor=", cursor, sizeof cursor) || strncmp(cursor, "c+/", 3) == 0);
    for (at = cursor[0] != '\0' ? (uint32_t)strtoul(cursor + 3, NULL, 10) : 0;
         at < m->market_count && items < most; at++) {
        const struct model_market *market = &m->markets[at];
        char its_event[32], its_series[32];

        model_names(m, at, its_event, its_series);
        if (market->unlisted || (exclude && market->combo) ||
            (by_series && strcmp(series, its_series) != 0) || (by_event && strcmp(event, its_event) != 0) ||
            (by_name && !in_list(names_, market->ticker)))
            continue;
        if (status[0] != 0 && market->status != (strcmp(status, "open") == 0 ? KDP_MARKET_STATUS_ACTIVE
                                                                             : KDP_MARKET_STATUS_INITIALIZED))
            continue;
        model_tell_market(m, at, true);
        m->markets[at].quotes += m->quoting;
        items++;
    }
    m->quoting = false;
    if (at < m->market_count)
        snprintf(next, sizeof next, "c+/%u", at);
    notice.rest.items = items;
    notice.rest.oldest_ns = notice.rest.newest_ns = KDP_TIME_NULL;
    notice.rest.cursor = model_text(next);
    answer(m, request, &notice, 200, "{}");
}

/* The moment whose state an answer shows: with a cache, that of the first one who asked the same. */
static int64_t
as_of(struct model *m, const char *path)
{
    uint64_t hash = 14695981039346656037u;
    unsigned place;

    if (m->cache_ns == 0 || strstr(path, "cursor=") != NULL) /* a cursor names a state of its own */
        return m->wall;
    for (const char *p = path; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    place = (unsigned)(hash % 256);
    if (m->cached[place].path != hash || m->wall - m->cached[place].at_ns >= m->cache_ns) {
        m->cached[place].path = hash;
        /* it may have been asked by somebody else before us */
        m->cached[place].at_ns = m->wall - (int64_t)model_random(m, (uint64_t)m->cache_ns);
    }
    return m->cached[place].at_ns;
}

/* Newest first, with whole seconds for bounds; what the plant has already is not fresh. */
static void
answer_trades(struct model *m, uint64_t request, const char *path)
{
    char value[64] = "", cursor[64] = "", next[32] = "";
    int64_t from = INT64_MIN, to = INT64_MAX;
    uint32_t most = m->page > 0 ? m->page : 1000;
    struct kdp_notice notice = {0};
    bool past = strncmp(path, "/historical", 11) == 0, polled = KDP_REST_KIND(request) == KDP_REST_POLL;
    int64_t newest = as_of(m, path) - m->rest_lag_ns;
    size_t at;

    CHECK_INT(polled, m->config.keyless);
    m->past_pages += past;
    m->trade_pages++;
    snprintf(m->last_trades_get, sizeof m->last_trades_get, "%s", path);
    if (param(path, "min_ts=", value, sizeof value)) {
        if (m->no_bounds) {
            answer(m, request, &notice, 400, "{\"code\":\"bad_request\"}");
            return;
        }
        from = strtoll(value, NULL, 10) * S_NS;
    }
    if (m->asked_from_ns == 0 || from < m->asked_from_ns)
        m->asked_from_ns = from;
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
        if (trade->ns > to || trade->ns > newest || (m->cutoff_ns > 0 && (trade->ns < m->cutoff_ns) != past))
            continue;
        notice.rest.items++;
        if (polled && !trade->known) {
            struct kdp_notice told = {.kind = KDP_NOTICE_TRADE, .trade.exch_ns = trade->ns};

            kdp_session_notice(m->session, &told);
        }
        notice.rest.fresh += !trade->known;
        trade->from_rest |= !trade->known;
        trade->known = true;
        notice.rest.oldest_ns = trade->ns;
        if (notice.rest.newest_ns == KDP_TIME_NULL)
            notice.rest.newest_ns = trade->ns;
    }
    if (at > 0 && m->trades[at - 1].ns >= from)
        snprintf(next, sizeof next, "c+/%zu", at);
    if (m->page_circle && next[0] != '\0') /* two pages that lead to each other */
        snprintf(next, sizeof next, "c+/%zu",
                 m->trade_count -
                     (strtoull(cursor[0] != '\0' ? cursor + 3 : "0", NULL, 10) == m->trade_count));
    notice.rest.cursor = model_text(next);
    answer(m, request, &notice, 200, "{}");
}

/* Books of a run without a key: each named market was looked at. */
static void
answer_sample(struct model *m, uint64_t request, const char *path, int status)
{
    struct kdp_notice notice = {0};

    m->sample_gets++;
    notice.rest.cursor = model_text("");
    for (const char *at = path; status == 200 && (at = strstr(at, "tickers=")) != NULL;) {
        char name[64];
        uint32_t index;

        at += 8;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "&"), at);
        index = by_path(m, name);
        CHECK(index < m->market_count && m->markets[index].planned);
        if (m->markets[index].samples > 0 &&
            m->wall - m->markets[index].sample_ns > m->markets[index].sample_gap_ns)
            m->markets[index].sample_gap_ns = m->wall - m->markets[index].sample_ns;
        m->markets[index].sample_ns = m->wall;
        m->markets[index].samples++;
        notice.rest.items++;
    }
    CHECK(notice.rest.items <= 100);
    answer(m, request, &notice, status, "{}");
}

static void
answer_book(struct model *m, uint64_t request)
{
    uint32_t index = (uint32_t)request - 1;
    struct model_market *market = &m->markets[index];
    struct kdp_notice notice = {0};

    CHECK(index < m->market_count);
    notice.rest.items = 1;
    notice.rest.cursor = model_text("");
    if (KDP_REST_KIND(request) == KDP_REST_BOOK) {
        m->book_gets++;
        market->rest_books++;
        if (market->book != KDP_BOOK_STATE_LIVE)
            model_tell_book(m, index, KDP_BOOK_STATE_LIVE, KDP_REASON_RECOVERY, true, false);
    } else {
        m->audit_gets++;
    }
    answer(m, request, &notice, 200, "{}");
}

void
model_answer_get(struct model *m, const struct model_event *event)
{
    const char *path = event->path;
    struct kdp_notice none = {0};
    char body[256], its_event[32], series[32], cutoff[KDPI_TIME_TEXT];

    none.rest.cursor = model_text("");
    if (m->unreachable) {
        answer(m, event->request, NULL, 0, "");
    } else if (m->rest_status != 0 || model_chance(m, m->rest_fails)) {
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
    } else if (strncmp(path, "/historical/trades?", 19) == 0 && m->cutoff_ns > 0 && !m->no_history) {
        answer_trades(m, event->request, path);
    } else if (strcmp(path, "/historical/cutoff") == 0 && m->cutoff_ns > 0) {
        m->cutoff_gets++;
        kdpi_time_format(cutoff, m->cutoff_ns, 0);
        snprintf(body, sizeof body, "{\"trades_created_ts\":\"%s\"}", cutoff);
        answer(m, event->request, &none, 200, body);
    } else if (strncmp(path, "/markets/orderbooks?", 20) == 0 && m->config.keyless) {
        CHECK_INT(KDP_REST_KIND(event->request), KDP_REST_SAMPLE);
        answer_sample(m, event->request, path, m->books_private ? 401 : m->no_batch ? 404 : 200);
    } else if (strncmp(path, "/markets/orderbooks?", 20) == 0) {
        m->audit_gets++;
        CHECK_INT(KDP_REST_KIND(event->request), KDP_REST_AUDIT);
        answer(m, event->request, &none, m->no_batch ? 404 : 200, "{}");
    } else if (strncmp(path, "/markets/", 9) == 0) {
        uint32_t market = by_path(m, path + 9);

        if (m->config.keyless && market < m->market_count) {
            CHECK_INT(KDP_REST_KIND(event->request), KDP_REST_SAMPLE);
            CHECK(m->markets[market].planned);
            m->sample_gets++;
            m->markets[market].samples += !m->books_private;
            none.rest.items = 1;
            answer(m, event->request, &none, m->books_private ? 401 : 200, "{}");
        } else if (market < m->market_count && m->markets[market].gone)
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
        model_names(m, (uint32_t)strtoul(number + 2, NULL, 10) * m->per_event, its_event, series);
        snprintf(body, sizeof body,
                 "{\"event\":{\"event_ticker\":\"%s\",\"series_ticker\":\"%s\",\"title\":\"t\",\"sub_title\":"
                 "\"\"},\"markets\":[]}",
                 its_event, series);
        answer(m, event->request, &none, 200, body);
    } else {
        answer(m, event->request, &none, 404, "{\"code\":\"not_found\"}");
    }
}
