/* session_status.c - exchange status, schedule, limits, and the series of events: small requests that steer the rest. */
#include <string.h>

#include "rest.h"
#include "session_private.h"

#define STATUS_EVERY (5 * SECOND)  /* at most, while something is odd */
#define PAUSED_EVERY (10 * SECOND) /* while the exchange pauses */
#define SCHEDULE_EVERY (24 * 3600 * SECOND)
#define SCHEDULE_AGAIN (300 * SECOND)
#define AHEAD (8 * KDP_NS_PER_DAY)

void
status_want(struct kdp_session *s)
{
    if (!s->status_absent)
        s->status_wanted = s->dirty = true;
}

bool
status_ask(struct kdp_session *s, struct request *request)
{
    uint32_t index;
    size_t len;
    const char *name;

    out_begin(s);
    if (s->stopping)
        return false;
    if (s->status_wanted && !s->status_asked) {
        if (s->status_ns == 0 || s->mono >= s->status_ns + STATUS_EVERY) {
            s->status_asked = true;
            request->what = ASK_STATUS;
            return out_format(s, "/exchange/status");
        }
        session_wake(s, s->status_ns + STATUS_EVERY);
    }
    if (!s->limits_asked) {
        s->limits_asked = true;
        request->what = ASK_LIMITS;
        return out_format(s, "/account/limits");
    }
    if (!s->schedule_asked) {
        if (s->mono >= s->schedule_ns) {
            s->schedule_asked = true;
            request->what = ASK_SCHEDULE;
            return out_format(s, "/exchange/schedule");
        }
        session_wake(s, s->schedule_ns);
    }
    if (market_event_ask(s, &index)) {
        request->what = ASK_EVENT;
        request->object = index;
        name = name_text(s, s->events[index].name, &len);
        return out_put(s, "/events/", 8) && out_escape(s, name, len);
    }
    return false;
}

static void
exchange_status(struct kdp_session *s, int status, const char *body, size_t len)
{
    struct kdp_rest_status now;

    s->status_asked = false;
    if (status == 0) /* still wanted */
        return;
    s->status_ns = s->mono;
    s->status_wanted = false;
    if (status >= 300) {
        s->status_absent = true; /* it has none: what is silent is then always a fault */
        return;
    }
    if (kdpi_rest_status(s->reader, body, len, &now) != KDP_REFUSAL_NONE)
        return;
    s->status_known = true;
    s->paused = now.shards > 0 ? now.shards_trading == 0 : !(now.exchange_active && now.trading_active);
    s->resume_ns = now.resume_ns;
}

static void
schedule(struct kdp_session *s, int status, const char *body, size_t len)
{
    struct kdp_rest_pause pauses[32];
    enum kdp_refusal refusal = KDP_REFUSAL_NONE;
    int64_t now = session_exchange_now(s);

    s->schedule_asked = false;
    s->schedule_ns = s->mono + (status == 0 ? SCHEDULE_AGAIN : SCHEDULE_EVERY);
    if (status == 0 || status >= 300)
        return;
    s->pause_count =
        kdpi_rest_schedule(s->reader, body, len, now - KDP_NS_PER_DAY, now + AHEAD, pauses, 32, &refusal);
    if (refusal != KDP_REFUSAL_NONE)
        s->pause_count = 0;
    for (uint32_t i = 0; i < s->pause_count; i++) {
        s->pauses[i].start_ns = pauses[i].start_ns;
        s->pauses[i].end_ns = pauses[i].end_ns;
    }
}

static bool
first_event(void *arg, const struct kdp_rest_event *event)
{
    struct {
        struct kdp_session *s;
        uint32_t index;
        bool found;
    } *found = arg;

    found->found = event->series_ticker.len > 0;
    if (found->found)
        market_event_answer(found->s, found->index, event->series_ticker, true);
    return false;
}

void
status_answer(struct kdp_session *s, const struct request *request, int status, const char *body, size_t len)
{
    struct kdp_rest_limits limits;
    struct kdp_rest_end end;
    struct kdp_text none = {"", 0};
    struct {
        struct kdp_session *s;
        uint32_t index;
        bool found;
    } found = {s, request->object, false};

    body = body != NULL ? body : "";
    switch (request->what) {
    case ASK_STATUS:
        exchange_status(s, status, body, len);
        break;
    case ASK_LIMITS:
        if (status == 0)
            s->limits_asked = false;
        else if (status < 300 && kdpi_rest_limits(s->reader, body, len, &limits) == KDP_REFUSAL_NONE &&
                 limits.read_refill > 0) {
            s->rate = limits.read_refill < 1000000 ? limits.read_refill : 1000000;
            s->capacity = limits.read_capacity > 10 ? limits.read_capacity : limits.read_refill;
            s->capacity = s->capacity < 10 ? 10 : s->capacity > 4000000 ? 4000000 : s->capacity;
        }
        break;
    case ASK_SCHEDULE:
        schedule(s, status, body, len);
        break;
    case ASK_EVENT:
        if (status >= 200 && status < 300)
            kdpi_rest_events(s->reader, body, len, first_event, &found, &end);
        if (!found.found)
            market_event_answer(s, request->object, none, status != 0);
        break;
    default:
        break;
    }
}

/* status_work keeps an eye on the schedule and tells the plant when a pause begins and ends. */
bool
status_work(struct kdp_session *s, struct kdp_action *action)
{
    int64_t now = session_exchange_now(s), resume = KDP_TIME_NULL;
    bool was = s->scheduled, quiet;

    s->scheduled = false;
    for (uint32_t i = 0; i < s->pause_count; i++) {
        int64_t edge = now < s->pauses[i].start_ns ? s->pauses[i].start_ns : s->pauses[i].end_ns;

        if (now >= s->pauses[i].start_ns && now < s->pauses[i].end_ns) {
            s->scheduled = true;
            resume = s->pauses[i].end_ns;
        }
        if (edge > now)
            session_wake(s, s->mono + (edge - now));
    }
    if (s->scheduled != was)
        status_want(s);
    if (s->paused || s->scheduled) {
        if (s->paused_ask_ns <= s->mono) {
            s->paused_ask_ns = s->mono + PAUSED_EVERY;
            status_want(s);
        }
        session_wake(s, s->paused_ask_ns);
    }
    if (s->paused && s->resume_ns == KDP_TIME_NULL)
        s->resume_ns = resume;
    else if (!s->paused)
        s->resume_ns = resume;
    /* a status that says "open" in a scheduled window is believed: only silence is then no fault */
    quiet = s->paused || (s->scheduled && !s->status_known);
    if (quiet == s->pause_told)
        return false;
    s->pause_told = quiet;
    if (!quiet)
        for (uint32_t i = 1; i <= s->line_count; i++)
            if (s->lines[i].state == LINE_WAITING) {
                int64_t at = s->mono + session_jitter(s, 2 * SECOND);

                s->lines[i].tries = 0;
                s->lines[i].at_ns = at < s->lines[i].at_ns ? at : s->lines[i].at_ns;
            }
    session_say(s, KDP_ACTION_NOTICE, "", quiet ? "the exchange pauses" : "the exchange is open again");
    action->kind = KDP_ACTION_TIMER;
    action->timer.kind = quiet ? KDP_TIMER_PAUSED : KDP_TIMER_RESUMED;
    action->timer.arg = quiet && s->resume_ns != KDP_TIME_NULL ? (uint64_t)s->resume_ns : 0;
    return true;
}
