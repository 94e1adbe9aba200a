/* session_trades.c - windows of exchange time in which trades may be missing, and audits that find what no gap revealed.
 *
 * A window is read at once, so that trades come back early, and again when REST can no longer lag behind; it is verified when
 * such a reading, begun at least trade_settle_ns after its end, added nothing.  Long windows are read slice by slice, oldest
 * first, so that what is verified stays verified. */
#include <stdio.h>
#include <string.h>

#include "rest.h"
#include "session_private.h"

#define SLICE (3600 * SECOND)
#define UNITE (60 * SECOND) /* a window that is not longer takes in the next hole */
#define EARLY_MAX (300 * SECOND)
#define BEFORE (5 * SECOND)      /* an input may have been received so long before it is worked off */
#define LONG_OPEN (600 * SECOND) /* then a person is told */
#define PAGES_MAX 20000u
#define OLD (900 * SECOND) /* what is older may be in the historical tier alone; which is so is asked */
#define CUTOFF_AGAIN (600 * SECOND)
#define STOP_READ (10 * SECOND) /* for the one look at the end */

static int64_t
floor_s(int64_t ns)
{
    return ns - ns % SECOND;
}

static int64_t
ceil_s(int64_t ns)
{
    return floor_s(ns + SECOND - 1);
}

/* The plant's time, in which gaps are opened: it stands still while a wall clock that was set back catches up. */
static int64_t
input_now(const struct kdp_session *s)
{
    return s->wall > s->wall_max ? s->wall : s->wall_max;
}

/* ---- opening ---- */

static struct window *
window_free(struct kdp_session *s)
{
    for (unsigned i = 0; i < WINDOWS_MAX; i++)
        if (!s->windows[i].used)
            return &s->windows[i];
    return NULL;
}

/* Between two readings of one window: 2 s. */
static int64_t
again_ns(const struct kdp_session *s)
{
    return s->config.trade_settle_ns / 10;
}

/* The same, of one that brought something.  Without a key answers may come out of a cache: of a window that has just ended,
 * what is asked less than 15 s later may be the same answer, and then says nothing. */
static int64_t
again_of(const struct kdp_session *s, const struct window *w)
{
    bool young = w->slice_ns > session_exchange_now(s) - 3 * s->config.trade_settle_ns;

    return s->config.keyless && young ? s->config.trade_settle_ns : again_ns(s);
}

/* How long after a window's end a reading must begin to be sure.  At the end a twentieth less, so that the wait, answer
 * included, is over with the settling time; REST lags 15 s of the 20 at most. */
static int64_t
settle_ns(const struct kdp_session *s)
{
    return s->stopping ? s->config.trade_settle_ns - s->config.trade_settle_ns / 20
                       : s->config.trade_settle_ns;
}

/* The time from which a reading of what is left can verify: of its first slice. */
static void
due_from(const struct kdp_session *s, struct window *w)
{
    int64_t end = w->to_ns - w->from_ns > SLICE ? w->from_ns + SLICE : w->to_ns;
    int64_t wait = end + settle_ns(s) - session_exchange_now(s);

    /* at the end there is time for one reading that adds nothing: what REST learns late is fetched before it */
    if (s->stopping && wait > s->config.trade_settle_ns / 4)
        wait = s->config.trade_settle_ns / 4;
    w->due_ns = s->mono + (wait > 0 ? wait : 0);
}

static struct window *
window_new(struct kdp_session *s, int64_t from_ns, int64_t to_ns, bool hole)
{
    struct window *w = window_free(s);

    if (w == NULL)
        return NULL;
    memset(w, 0, sizeof *w);
    w->serial = s->window_serial++ % (UINT32_MAX / WINDOWS_MAX);
    w->used = true;
    w->hole = hole;
    w->begin_ns = w->from_ns = w->early_ns = from_ns;
    w->to_ns = to_ns;
    w->early = hole && to_ns - from_ns <= EARLY_MAX; /* a long one is read whole soon enough */
    w->quick_ns = s->mono - again_ns(s);
    w->opened_mono_ns = s->mono;
    w->opened_ns = input_now(s) - BEFORE;
    due_from(s, w);
    s->dirty = true;
    return w;
}

/* What of the hole lies in a window that is open already is read early with it; the rest makes the last one longer, or is a
 * window of its own: so what is verified is never verified again, however fast holes follow one another. */
static void
window_open(struct kdp_session *s, int64_t from_ns, int64_t to_ns, int64_t opened_ns)
{
    struct window *last = NULL, *w;

    if (from_ns < s->trades_from_ns - SECOND)
        from_ns = s->trades_from_ns - SECOND;
    if (to_ns <= from_ns)
        to_ns = from_ns + SECOND;
    for (unsigned i = 0; i < WINDOWS_MAX; i++) {
        w = &s->windows[i];
        if (!w->used || !w->hole || w->to_ns < from_ns || w->from_ns > to_ns)
            continue;
        if (!w->early || w->early_ns > from_ns)
            w->early_ns = from_ns > w->from_ns ? from_ns : w->from_ns;
        w->early = true;
        if (w->opened_ns > opened_ns)
            w->opened_ns = opened_ns;
        w->told = true;
        if (w->from_ns <= from_ns && (last == NULL || w->to_ns > last->to_ns))
            last = w;
    }
    s->dirty = true;
    if (last != NULL && last->to_ns >= to_ns)
        return;
    if (last != NULL && to_ns - last->from_ns < UNITE) {
        last->to_ns = to_ns;
        due_from(s, last);
        return;
    }
    if (last != NULL)
        from_ns = last->to_ns;
    w = window_new(s, from_ns, to_ns, true);
    if (w == NULL) { /* all taken: one grows, and a reading under way does not cover it */
        w = last != NULL ? last : &s->windows[0];
        w->fresh += w->reading && from_ns < w->start_ns;
        w->from_ns = w->from_ns < from_ns ? w->from_ns : from_ns;
        w->to_ns = w->to_ns > to_ns ? w->to_ns : to_ns;
        w->hole = true;
        due_from(s, w);
    }
    w->told = true;
    if (w->opened_ns > opened_ns)
        w->opened_ns = opened_ns;
}

/* The last moment up to which every trade is known to be here, or to have come. */
static int64_t
known_to(const struct kdp_session *s)
{
    return (s->last_trade_ns > s->audited_ns ? s->last_trade_ns : s->audited_ns) - s->config.window_pad_ns;
}

void
trades_open(struct kdp_session *s)
{
    s->last_trade_ns = s->audited_ns = s->trades_from_ns = KDP_TIME_NULL;
}

void
trades_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    if (notice->line == 1)
        sub_on(s, 1, CHAN_TRADE, notice->sid); /* a trade may overtake the reply, or stand for it */
    if (notice->trade.exch_ns > s->last_trade_ns)
        s->last_trade_ns = notice->trade.exch_ns;
}

void
trades_gap(struct kdp_session *s)
{
    s->early_gap |= !s->trades_begun;
    if (s->trades_begun && !s->hole_open)
        window_open(s, known_to(s), session_exchange_now(s) + (s->stopping ? 0 : s->config.window_pad_ns),
                    input_now(s) - BEFORE);
}

void
trades_lost(struct kdp_session *s)
{
    if (!s->trades_begun || s->hole_open)
        return;
    s->hole_open = true;
    /* with it, what the lost line did not bring and no number will reveal any more */
    s->hole_from_ns = s->audited_ns - s->config.window_pad_ns;
    s->hole_opened_ns = input_now(s) - BEFORE;
}

/* So old may be what a run has not verified, with a settling time on top, before its stream says so: the next run reaches back
 * so far.  With a key each minute is audited, and what was lost has its gap. */
static int64_t
reach_ns(const struct kdp_session *s)
{
    int64_t most = 3 * s->config.trade_settle_ns;

    return s->config.trade_audit_ns > most ? s->config.trade_audit_ns : most;
}

/* No run asks for what was before the first one. A newest trade from before it says that the clock of that time was ahead. */
static int64_t
not_before_the_stream(const struct kdp_session *s, int64_t from_ns)
{
    int64_t first_ns = s->config.first_wall_ns + s->ahead_ns;

    if (s->config.first_wall_ns <= 0)
        return from_ns;
    if (s->config.last_trade_ns > 0 && s->config.last_trade_ns < first_ns)
        first_ns = s->config.last_trade_ns;
    return from_ns > first_ns ? from_ns : first_ns;
}

void
trades_begin(struct kdp_session *s, int64_t since_ns)
{
    int64_t now = session_exchange_now(s), pad = s->config.window_pad_ns, from;

    s->trades_begun = true;
    /* since it was asked for: what was the first to come may have been lost.  A request names whole seconds. */
    s->audited_ns = s->trades_from_ns = floor_s(now - (s->mono - since_ns));
    s->audit_due_ns = s->mono + s->config.trade_audit_ns;
    if (!s->config.restarted || s->config.last_wall_ns == KDP_TIME_NULL || s->config.last_wall_ns <= 0) {
        if (s->early_gap)
            window_open(s, s->trades_from_ns, now + pad, input_now(s) - BEFORE);
        return;
    }
    /* what the run before had not yet verified when it ended belongs to the hole */
    from = s->config.last_wall_ns + s->ahead_ns - pad - reach_ns(s) - s->config.trade_settle_ns - BEFORE;
    if (s->config.trades_open_ns > 0 && s->config.trades_open_ns + s->ahead_ns - pad < from)
        from = s->config.trades_open_ns + s->ahead_ns - pad;
    /* the clock of that time may have been ahead of today's */
    if (s->config.last_trade_ns > 0 && s->config.last_trade_ns - pad < from)
        from = s->config.last_trade_ns - pad;
    from = not_before_the_stream(s, from);
    if (from > s->trades_from_ns)
        from = s->trades_from_ns - pad;
    s->trades_from_ns = from;
    window_open(s, from, now + pad, input_now(s) - BEFORE);
}

void
trades_on(struct kdp_session *s)
{
    if (!s->trades_begun) {
        trades_begin(s, s->lines[1].subs[CHAN_TRADE].at_ns);
        return;
    }
    if (s->hole_open)
        window_open(s, s->hole_from_ns, session_exchange_now(s) + s->config.window_pad_ns, s->hole_opened_ns);
    s->hole_open = false;
}

/* What was reckoned from our clock moves with what is known of the exchange's. */
void
trades_clock(struct kdp_session *s, int64_t by_ns)
{
    if (!s->trades_begun || (by_ns < BEFORE && by_ns > -BEFORE))
        return;
    s->trades_from_ns += by_ns;
    s->audited_ns += by_ns;
    for (unsigned i = 0; i < WINDOWS_MAX; i++) {
        s->windows[i].begin_ns += by_ns;
        s->windows[i].from_ns += by_ns;
        s->windows[i].to_ns += by_ns;
        s->windows[i].early_ns += by_ns;
    }
}

/* ---- reading ---- */

static bool
page(struct kdp_session *s, struct window *w, struct request *request, bool quick)
{
    if (!w->reading) {
        w->reading = true;
        w->quick = quick;
        if (quick) {
            w->early = false;
            w->quick_ns = s->mono;
        }
        w->began_wall_ns = session_exchange_now(s);
        w->start_ns = quick ? w->early_ns : w->from_ns;
        w->slice_ns = w->to_ns - w->start_ns > SLICE ? w->start_ns + SLICE : w->to_ns;
        w->pages = w->fresh = 0;
        w->circle = (struct circle){0};
        w->cursor[0] = '\0';
        /* the live tier first: what moves to the other meanwhile is met there.  The cutoff never goes back. */
        w->past = s->cutoff_ns != KDP_TIME_NULL && w->slice_ns + SECOND < s->cutoff_ns;
    }
    request->what = ASK_WINDOW;
    request->object = (uint32_t)(w - s->windows) + WINDOWS_MAX * w->serial;
    w->asked = true;
    return trades_path(s, w->past, w->start_ns, w->slice_ns, w->cursor);
}

bool
trades_path(struct kdp_session *s, bool past, int64_t from_ns, int64_t to_ns, const char *cursor)
{
    out_begin(s);
    out_format(s, "%s?limit=1000", past ? "/historical/trades" : "/markets/trades");
    if (!s->no_bounds)
        out_format(s, "&min_ts=%lld", (long long)(floor_s(from_ns) / SECOND));
    if (!s->no_bounds && to_ns != KDP_TIME_NULL)
        out_format(s, "&max_ts=%lld", (long long)(ceil_s(to_ns) / SECOND));
    if (cursor[0] != '\0') {
        out_put(s, "&cursor=", 8);
        out_escape(s, cursor, strlen(cursor));
    }
    return true;
}

/* ---- two tiers ---- */

/* Whether a window reaches back so far that a part of it may be in the historical tier. */
static bool
is_old(const struct kdp_session *s, const struct window *w)
{
    return w->used && w->from_ns < session_exchange_now(s) - OLD;
}

static bool
cutoff_due(const struct kdp_session *s)
{
    return !s->cutoff_known || s->mono - s->cutoff_at_ns > CUTOFF_AGAIN;
}

bool
cutoff_ask(struct kdp_session *s, struct request *request)
{
    bool wanted = false;

    for (unsigned i = 0; i < WINDOWS_MAX; i++)
        wanted = wanted || (is_old(s, &s->windows[i]) && !s->windows[i].reading);
    if (!wanted || s->cutoff_asked || !cutoff_due(s))
        return false;
    s->cutoff_asked = true;
    request->what = ASK_CUTOFF;
    out_begin(s);
    return out_format(s, "/historical/cutoff");
}

void
cutoff_answer(struct kdp_session *s, int status, const char *body, size_t len)
{
    struct kdp_rest_cutoff cutoff;

    s->cutoff_asked = false;
    s->dirty = true;
    if (status == 0)
        return;
    s->cutoff_known = true; /* one that has no such address has one tier */
    s->cutoff_at_ns = s->mono;
    if (status < 300 && kdpi_rest_cutoff(s->reader, body, len, &cutoff) == KDP_REFUSAL_NONE &&
        cutoff.trades_created_ns != KDP_TIME_NULL)
        s->cutoff_ns = cutoff.trades_created_ns;
}

bool
trades_ask(struct kdp_session *s, struct request *request, bool backlog)
{
    struct window *best = NULL;
    bool quick = false;
    int64_t first = INT64_MAX;

    for (unsigned i = 0; i < WINDOWS_MAX; i++) {
        struct window *w = &s->windows[i];
        bool early;
        int64_t due;

        if (!w->used || w->asked || (w->to_ns - w->begin_ns > EARLY_MAX) != backlog)
            continue;
        if (!w->reading && is_old(s, w) && cutoff_due(s))
            continue; /* which tier has it is being asked */
        early = w->early && !w->reading && w->quick_ns + again_ns(s) < w->due_ns;
        due = w->reading ? s->mono : early ? w->quick_ns + again_ns(s) : w->due_ns;
        if (due < w->hold_ns)
            due = w->hold_ns;
        if (s->mono < due) {
            session_wake(s, due);
        } else if (due < first) {
            first = due;
            best = w;
            quick = early;
        }
    }
    return best != NULL && page(s, best, request, quick);
}

static void
closed(struct kdp_session *s, struct window *w)
{
    w->used = false;
    s->dirty = true;
    /* what is verified without a break since the last audit needs none */
    if ((!w->hole || w->begin_ns <= s->audited_ns) && w->to_ns > s->audited_ns)
        s->audited_ns = w->to_ns;
    if (w->hole && !w->lost) {
        s->healed_tell = true;
    } else if (w->hole) {
        s->lost_opened_ns =
            s->lost_tell && s->lost_opened_ns < w->opened_ns ? s->lost_opened_ns : w->opened_ns;
        s->lost_tell = true;
    }
}

/* A reading came to its end: what is verified by it, and when to read again. */
static void
read_whole(struct kdp_session *s, struct window *w)
{
    int64_t sure = w->began_wall_ns - settle_ns(s);

    w->reading = false;
    w->tries = 0;
    if (w->quick) {
        due_from(s, w);
        return;
    }
    if (w->once) { /* what it found is in the stream */
        closed(s, w);
        return;
    }
    if (w->fresh > 0) {
        w->hole = true; /* an audit that found something is verified like any hole */
        due_from(s, w);
        w->hold_ns = s->mono + again_of(s, w);
        return;
    }
    if (sure > w->slice_ns)
        sure = w->slice_ns;
    if (sure > w->from_ns)
        w->from_ns = sure;
    if (w->from_ns >= w->to_ns)
        closed(s, w);
    else
        due_from(s, w);
}

void
trades_answer(struct kdp_session *s, const struct request *request, int status, const char *words)
{
    struct window *w = &s->windows[request->object % WINDOWS_MAX];
    bool older;

    if (!w->used || w->serial != request->object / WINDOWS_MAX)
        return; /* it was given up, and its place may be another's */
    w->asked = false;
    if (w->past && (status == 404 || status == 410)) {
        char from[KDPI_TIME_TEXT];

        /* the live tier has it no more, and there is no other: it cannot be had, and waiting does not help */
        kdpi_time_format(from, w->start_ns, 0);
        if (!w->lost)
            session_say(s, KDP_ACTION_WARN,
                        "They are counted as lost; kdp query \"FROM gaps\" names the hole",
                        "missed trades from %s on are served no longer: %s", from, words);
        w->lost = true;
        read_whole(s, w);
        return;
    }
    if (status == 0)
        return; /* the same page again, when requests are answered again */
    if (status >= 300) {
        w->reading = false; /* a cursor may have grown old: from the first page */
        if (status == 400 && !s->no_bounds && w->cursor[0] == '\0') {
            s->no_bounds = true;
            session_say(s, KDP_ACTION_NOTICE, "",
                        "the exchange takes no times for trades: paging back from now");
            return;
        }
        w->hold_ns = s->mono + (10 * SECOND << (w->tries < 5 ? w->tries : 5));
        if (w->tries < UINT8_MAX)
            w->tries++;
        if (!w->warned)
            session_say(s, KDP_ACTION_WARN,
                        "The window stays open and is asked again; it is counted as not healed",
                        "missed trades cannot be fetched: %s", words);
        w->warned = true;
        return;
    }
    /* without bounds the newest pages are beyond the window, and the stream may still bring what is in them */
    older = !s->no_bounds || request->oldest_ns == KDP_TIME_NULL || request->oldest_ns <= w->slice_ns;
    w->fresh += older ? request->fresh : 0;
    if (request->cursor[0] != '\0' &&
        ((request->items > 0 && strcmp(request->cursor, w->cursor) == 0) ||
         (strcmp(request->cursor, w->cursor) != 0 && rest_circle(&w->circle, request->cursor)))) {
        /* a cursor that leads to its own page, or to one of before: what lies behind it was not read, so nothing is verified */
        w->reading = false;
        w->hold_ns = s->mono + again_ns(s) * (w->tries < 5 ? ++w->tries : 5);
        return;
    }
    if (request->cursor[0] == '\0' || strcmp(request->cursor, w->cursor) == 0 || ++w->pages >= PAGES_MAX ||
        (s->no_bounds && request->oldest_ns != KDP_TIME_NULL && request->oldest_ns < w->start_ns)) {
        if (!w->past && s->cutoff_ns != KDP_TIME_NULL && w->start_ns < s->cutoff_ns + OLD) {
            w->past = true; /* it may have moved on since it was asked */
            w->pages = 0;
            w->circle = (struct circle){0};
            w->cursor[0] = '\0';
            return;
        }
        read_whole(s, w);
        return;
    }
    snprintf(w->cursor, sizeof w->cursor, "%s", request->cursor);
}

/* ---- audits, and what is told ---- */

static void
audit(struct kdp_session *s)
{
    int64_t from, to;
    struct window *w;

    if (!s->trades_begun || s->stopping)
        return;
    if (s->mono < s->audit_due_ns) {
        session_wake(s, s->audit_due_ns);
        return;
    }
    s->audit_due_ns = s->mono + s->config.trade_audit_ns;
    session_wake(s, s->audit_due_ns);
    for (unsigned i = 0; i < WINDOWS_MAX; i++)
        if (s->windows[i].used && !s->windows[i].hole)
            return; /* the one before is not done */
    from = s->audited_ns - s->config.window_pad_ns;
    from = from < s->trades_from_ns ? s->trades_from_ns : from;
    to = session_exchange_now(s) - s->config.trade_settle_ns;
    for (unsigned i = 0; i < WINDOWS_MAX; i++) /* holes are verified by themselves */
        if (s->windows[i].used && s->windows[i].begin_ns < to && s->windows[i].to_ns > from)
            to = s->windows[i].begin_ns;
    if (to <= from)
        return;
    w = window_new(s, from, to, false);
    if (w != NULL)
        s->stats.trades_audits++;
}

/* Polls are no proof, so a run that could verify nothing for a while and is then killed would leave holes of which nobody knows:
 * from then on a gap tells of what is not verified, and it is healed like any other. */
static bool
behind_timer(struct kdp_session *s, struct kdp_action *action)
{
    int64_t now = session_exchange_now(s), since = s->audited_ns,
            due = since + reach_ns(s) + s->config.trade_settle_ns;

    if (!s->config.keyless || !s->trades_begun || s->stopping)
        return false;
    for (unsigned i = 0; i < WINDOWS_MAX; i++)
        if (s->windows[i].used && s->windows[i].told)
            return false;
    if (now < due) {
        session_wake(s, s->mono + (due - now));
        return false;
    }
    window_open(s, since - s->config.window_pad_ns, now, input_now(s) - BEFORE);
    action->kind = KDP_ACTION_TIMER;
    action->timer.kind = KDP_TIMER_TRADES_BEHIND;
    action->timer.arg = (uint64_t)(since - s->ahead_ns);
    return true;
}

/* A window that cannot be had any more is told when none is open that began before it. */
static bool
lost_timer(struct kdp_session *s, int64_t before, struct kdp_action *action)
{
    if (!s->lost_tell || before <= s->lost_opened_ns)
        return false;
    s->lost_tell = false;
    if (before > s->healed_told_ns)
        s->healed_told_ns = before;
    action->kind = KDP_ACTION_TIMER;
    action->timer.kind = KDP_TIMER_TRADES_LOST;
    action->timer.arg = (uint64_t)before;
    return true;
}

bool
trades_work(struct kdp_session *s, struct kdp_action *action)
{
    int64_t before = input_now(s);
    bool none = !s->hole_open;

    audit(s);
    if (behind_timer(s, action))
        return true;
    for (unsigned i = 0; i < WINDOWS_MAX; i++) {
        struct window *w = &s->windows[i];

        if (!w->used || !w->hole)
            continue;
        none = false;
        if (w->opened_ns < before)
            before = w->opened_ns;
        if (!w->warned && s->mono - w->opened_mono_ns > LONG_OPEN) {
            w->warned = true;
            session_say(s, KDP_ACTION_WARN, "It stays open and is asked again; kdp status shows how many",
                        "missed trades are not fetched back after 10 min");
        }
    }
    if (s->hole_open && s->hole_opened_ns < before)
        before = s->hole_opened_ns;
    if (s->healed_tell && s->lost_tell && s->lost_opened_ns < before) {
        none = false;
        before = s->lost_opened_ns;
    }
    if (!s->healed_tell)
        return lost_timer(s, before, action);
    s->healed_tell = false;
    if (none && s->wall < s->wall_max)
        before += BEFORE; /* all that there is, though the plant's time stands still */
    else if (before <= s->healed_told_ns)
        return lost_timer(s, before, action);
    s->healed_told_ns = before;
    action->kind = KDP_ACTION_TIMER;
    action->timer.kind = KDP_TIMER_TRADES_HEALED;
    action->timer.arg = (uint64_t)before;
    return true;
}

/* ---- the end ---- */

uint32_t
trades_open_windows(const struct kdp_session *s)
{
    uint32_t open = s->hole_open;

    for (unsigned i = 0; i < WINDOWS_MAX; i++)
        open += s->windows[i].used && (s->windows[i].hole || s->windows[i].once);
    return open;
}

void
trades_stop(struct kdp_session *s)
{
    int64_t now = session_exchange_now(s), from;
    struct window *once;

    s->stop_until_ns = s->mono + STOP_READ;
    if (!s->trades_begun)
        return;
    if (s->hole_open) {
        s->hole_open = false;
        window_open(s, s->hole_from_ns, now, s->hole_opened_ns);
    }
    for (unsigned i = 0; i < WINDOWS_MAX; i++) {
        struct window *w = &s->windows[i];

        if (!w->used)
            continue;
        if (!w->hole) {
            w->used = false; /* the last look covers what it was to find */
            continue;
        }
        if (w->to_ns > now) /* what comes after the stop is not this run's */
            w->to_ns = now > w->from_ns ? now : w->from_ns + 1;
        due_from(s, w);
        s->stop_until_ns = s->mono + settle_ns(s) + SECOND; /* 20 s with the second for the last answer */
    }
    /* what no number revealed since the last audit, beside the windows that are open */
    from = s->audited_ns - s->config.window_pad_ns;
    if (s->config.keyless && !s->stats.answered)
        return; /* nobody is there */
    once = window_new(s, from < s->trades_from_ns ? s->trades_from_ns : from,
                      s->config.keyless ? now : now + SECOND, false);
    if (once != NULL) {
        once->once = true;
        /* a stream has brought everything but what was lost; what is polled comes as late as REST lags */
        once->due_ns = s->mono + (s->config.keyless ? settle_ns(s) : 0);
        if (s->config.keyless) {
            s->keyless.stop_ns = now;
            s->keyless.due_ns = s->mono; /* polls go on, so that ending it at once costs little */
            s->stop_until_ns = s->mono + settle_ns(s) + STOP_READ / 4;
        }
    }
}
