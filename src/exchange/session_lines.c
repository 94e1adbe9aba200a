/* session_lines.c - connections: making them, back-off with jitter, and the watchdog that tells a quiet market from a stalled
 * line and both from a pause of the exchange. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "session_private.h"

#define STEADY (60 * SECOND) /* up for so long: the back-off begins anew */
#define PROBE_WAIT (2 * SECOND)
#define PROBES 2u
#define BAR_AFTER 8u             /* tries in vain */
#define QUIET_MAX (300 * SECOND) /* no line is so quiet that it is not looked at after this */
#define PAUSED_MIN (5 * SECOND)
#define PAUSED_MAX (60 * SECOND)

bool
session_quiet(const struct kdp_session *s)
{
    return s->paused || s->scheduled;
}

void
line_reconnect(struct kdp_session *s, uint16_t at, const char *fmt, ...)
{
    struct line *line = &s->lines[at];
    va_list args;

    if (line->state != LINE_UP || line->close_now)
        return;
    va_start(args, fmt);
    vsnprintf(line->close_words, sizeof line->close_words, fmt, args);
    va_end(args);
    line->close_now = true;
    s->dirty = true;
}

static bool
any_up(const struct kdp_session *s)
{
    for (uint32_t i = 1; i <= s->line_count; i++)
        if (s->lines[i].state == LINE_UP)
            return true;
    return false;
}

static void
later(struct kdp_session *s, struct line *line, bool at_once)
{
    int64_t wait = s->config.backoff_min_ns << (line->tries < 16 ? line->tries : 16);

    if (wait > s->config.backoff_max_ns)
        wait = s->config.backoff_max_ns;
    if (session_quiet(s)) { /* paced to the resume time, and not all lines at one moment */
        int64_t left = s->resume_ns != KDP_TIME_NULL ? s->resume_ns - session_exchange_now(s) : 0;

        wait = left > PAUSED_MAX ? PAUSED_MAX : left > PAUSED_MIN ? left : PAUSED_MIN;
        at_once = false;
    }
    if (++line->tries == BAR_AFTER && !line->barred && !session_quiet(s) && any_up(s))
        place_bar(s, (uint16_t)(line - s->lines));
    line->state = LINE_WAITING;
    line->at_ns = s->mono + (at_once ? 0 : session_jitter(s, wait));
    s->dirty = true;
}

/* ---- what happened ---- */

void
kdp_session_up(struct kdp_session *s, uint16_t at, int64_t mono_ns)
{
    struct line *line;

    if (at == 0 || at > s->line_count)
        return;
    line = &s->lines[at];
    s->mono = mono_ns;
    if (line->state != LINE_CONNECTING)
        return;
    line->state = LINE_UP;
    line->up_ns = line->heard_ns = line->data_ns = mono_ns;
    line->mean_gap_ns = 0;
    line->probes = 0;
    line->probe_ns = 0;
    line->pinged = line->close_now = line->refusal_said = line->barred = false;
    line->hold_ns = 0;
    line->adds_out = 0;
    for (unsigned chan = 0; chan < CHANS; chan++) {
        line->subs[chan].dead_sid = 0; /* sids begin anew */
        line->subs[chan].state = SUB_OFF;
        line->subs[chan].tries = 0;
    }
    if (line->ever_up)
        line->reconnects++;
    s->stats.reconnects += line->ever_up;
    line->ever_up = s->ever_up = true;
    s->dirty = true;
}

static void
ended(struct kdp_session *s, uint16_t at, const char *words)
{
    struct line *line = &s->lines[at];

    snprintf(line->last_words, sizeof line->last_words, "%s", words != NULL ? words : "");
    for (unsigned chan = 0; chan < CHANS; chan++) {
        if (line->subs[chan].state != SUB_OFF)
            sub_ended(s, at, (enum chan)chan, 0);
        line->subs[chan].dead_sid = 0;
    }
    line->close_now = false;
}

void
kdp_session_down(struct kdp_session *s, uint16_t at, uint32_t reason, const char *words, int64_t mono_ns)
{
    struct line *line;

    (void)reason;
    if (at == 0 || at > s->line_count)
        return;
    line = &s->lines[at];
    s->mono = mono_ns;
    if (line->state != LINE_UP && line->state != LINE_CLOSING)
        return;
    if (mono_ns - line->up_ns >= STEADY)
        line->tries = 0;
    ended(s, at, words);
    if (!s->stopping && !session_quiet(s))
        session_say(s, KDP_ACTION_NOTICE, "", "connection %u lost: %s", at, words != NULL ? words : "");
    status_want(s);
    later(s, line, false);
}

void
kdp_session_refused(struct kdp_session *s, uint16_t at, int status, int code, const char *body,
                    const char *words, const char *hint, int64_t mono_ns)
{
    struct line *line;
    bool expired = body != NULL && strstr(body, "header_timestamp_expired") != NULL;

    if (at == 0 || at > s->line_count)
        return;
    line = &s->lines[at];
    s->mono = mono_ns;
    if (line->state != LINE_CONNECTING)
        return;
    if (code < 0)
        code = -code;
    words = words != NULL ? words : "";
    hint = hint != NULL ? hint : "";
    snprintf(line->last_words, sizeof line->last_words, "%s", words);
    if (!s->ever_up && !expired && !session_quiet(s)) {
        if (status == 401 || status == 403)
            session_fail(
                s, KDP_EREFUSED,
                "Do ID and file belong together, and to this environment (KALSHI_BASE_URL)? Try again with: "
                "kdp status",
                "%s", words);
        else if (status >= 300 && status < 500 && status != 429 && status != 408)
            session_fail(s, KDP_EREFUSED,
                         "Is it a WebSocket address of the exchange? See --ws-url (KALSHI_WS_URL)",
                         "wrong URL: %s", words);
        else if (status == 0 && (code == KDP_EREFUSED || code == KDP_ENOENT || code == KDP_EFORMAT))
            session_fail(s, code, hint, "%s", words);
    }
    if (s->failed)
        return;
    if (!session_quiet(s) && !expired && !line->refusal_said) {
        line->refusal_said = true; /* once for each time it was lost */
        session_say(s, status == 401 || status == 403 || !s->ever_up ? KDP_ACTION_WARN : KDP_ACTION_NOTICE,
                    hint[0] != '\0' ? hint : "It is tried again, each 30 s at the latest", "%s", words);
    }
    status_want(s);
    later(s, line, expired && line->tries == 0); /* the signer has learnt the clock from the refusal */
}

void
kdp_session_heard(struct kdp_session *s, uint16_t at, bool data, int64_t mono_ns)
{
    struct line *line;

    s->mono = mono_ns;
    if (at == 0 || at > s->line_count)
        return;
    line = &s->lines[at];
    line->heard_ns = mono_ns;
    line->pinged = false;
    if (!data)
        return;
    line->mean_gap_ns += (mono_ns - line->data_ns - line->mean_gap_ns) / 16;
    line->data_ns = mono_ns;
    line->probes = 0;
}

/* ---- what to do ---- */

static bool
connect_line(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];

    if (s->mono < line->at_ns) {
        session_wake(s, line->at_ns);
        return false;
    }
    line->state = LINE_CONNECTING;
    action->kind = KDP_ACTION_CONNECT;
    action->line = at;
    return true;
}

static bool
disconnect(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];

    line->state = LINE_CLOSING;
    action->kind = KDP_ACTION_DISCONNECT;
    action->line = at;
    action->reason = KDP_REASON_DISCONNECTED;
    action->text = line->close_words;
    action->len = strlen(line->close_words);
    s->dirty = true;
    return true;
}

/* probe asks for something that must be answered with data. */
static bool
probe(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[CHAN_BOOK];
    uint32_t count = 0;

    if (!command_may(s, at))
        return false;
    line->probes++;
    line->probe_ns = s->mono;
    session_wake(s, s->mono + PROBE_WAIT);
    if (sub->state == SUB_ON && line->live > 0)
        for (uint32_t n = 1; n < s->slots; n++) {
            struct market *m;

            s->probe_cursor = s->probe_cursor + 1 < s->slots ? s->probe_cursor + 1 : 1;
            m = market_at(s, s->probe_cursor);
            if (m->instrument != 0 && m->line == at && (m->flags & MARKET_MEMBER) != 0 &&
                m->book == KDP_BOOK_STATE_LIVE) {
                command_begin(s, at, COMMAND_SNAP, CHAN_BOOK);
                command_ticker(s, m, &count);
                return command_end(s, at, count, action);
            }
        }
    command_begin(s, at, COMMAND_LIST, CHAN_LIFE);
    return command_end(s, at, 0, action);
}

static bool
subscribed(const struct line *line)
{
    for (unsigned chan = 0; chan < CHANS; chan++)
        if (line->subs[chan].state != SUB_OFF && line->subs[chan].state != SUB_LATER)
            return true;
    return false;
}

static bool
watch(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    int64_t silent = s->mono - line->heard_ns, dry = s->mono - line->data_ns;
    int64_t stall = 20 * line->mean_gap_ns;

    if (session_quiet(s)) { /* silence is no fault; time begins anew when it is over */
        line->quiet_said = true;
        if (silent >= s->config.silence_ns / 2 && !line->pinged) {
            line->pinged = true;
            action->kind = KDP_ACTION_PING;
            action->line = at;
            return true;
        }
        session_wake(s, line->heard_ns + QUIET_MAX);
        if (s->paused || silent < QUIET_MAX)
            return false;
        /* a schedule may be wrong, and the status does not say so: the line may be dead */
        line_reconnect(s, at, "silent for %lld s", (long long)(silent / SECOND));
        return disconnect(s, at, action);
    }
    if (line->quiet_said) {
        line->quiet_said = false;
        line->heard_ns = line->data_ns = s->mono;
        line->pinged = false;
        silent = dry = 0;
    }
    if (silent >= s->config.silence_ns) {
        line_reconnect(s, at, "silent for %lld s", (long long)(silent / SECOND));
        return disconnect(s, at, action);
    }
    if (silent >= s->config.silence_ns / 2 && !line->pinged) {
        line->pinged = true;
        status_want(s);
        action->kind = KDP_ACTION_PING;
        action->line = at;
        session_wake(s, line->heard_ns + s->config.silence_ns);
        return true;
    }
    session_wake(s, line->heard_ns + (line->pinged ? s->config.silence_ns : s->config.silence_ns / 2));
    stall = stall > QUIET_MAX ? QUIET_MAX : stall;
    stall = stall < s->config.stall_ns ? s->config.stall_ns : stall;
    if (!subscribed(line) || dry < stall) {
        session_wake(s, line->data_ns + stall);
        return false;
    }
    if (line->probes > 0 && s->mono < line->probe_ns + PROBE_WAIT) {
        session_wake(s, line->probe_ns + PROBE_WAIT);
        return false;
    }
    if (line->probes >= PROBES) {
        line_reconnect(s, at,
                       line->heard_ns > line->data_ns
                           ? "stalled: it answers pings but brings no data for %lld s"
                           : "dead: nothing for %lld s, and no answer to a probe",
                       (long long)(dry / SECOND));
        return disconnect(s, at, action);
    }
    status_want(s);
    return probe(s, at, action);
}

bool
lines_work(struct kdp_session *s, struct kdp_action *action)
{
    for (uint16_t at = 1; at <= s->line_count; at++) {
        struct line *line = &s->lines[at];

        if (line->state == LINE_WAITING && connect_line(s, at, action))
            return true;
        if (line->state != LINE_UP)
            continue;
        if (line->close_now)
            return disconnect(s, at, action);
        if (watch(s, at, action) || channel_work(s, at, action) || books_work(s, at, action))
            return true;
        if (line->close_now)
            return disconnect(s, at, action);
    }
    return false;
}
