/* session_list.c - the listing of markets, page by page: once for each --series, --event or list of tickers; open ones first,
 * then those that will open, then what is planned and was in neither. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "rest.h"
#include "session_private.h"

#define PAGES_MAX 5000u
#define HEARD_WAIT (3 * SECOND) /* the first listing waits so long for the lifecycle to be heard */
#define SOON (250 * MS)
#define NAMES_PATH 3000u /* bytes of a list of names that every server takes */
#define ABSENT_PAGES 50u /* requests for what was not listed, in one listing */

enum { PHASE_OPEN, PHASE_UNOPENED, PHASE_ABSENT };

static bool
plain(const char *glob)
{
    return strpbrk(glob, "*?") == NULL;
}

/* By names only when each is one: a glob can only be matched here. */
static bool
by_names(const struct kdp_rules *rules)
{
    for (unsigned i = 0; i < rules->ticker_count; i++)
        if (!plain(rules->tickers[i]))
            return false;
    return rules->ticker_count > 0 && rules->series_count == 0 && rules->event_count == 0;
}

const char *
listing_series(const struct kdp_session *s)
{
    const struct kdp_rules *rules = &s->rules.rules;

    return s->listing.asked && s->listing.asked_generation == s->listing.generation &&
                   s->listing.phase != PHASE_ABSENT && s->listing.filter < rules->series_count
               ? rules->series[s->listing.filter]
               : NULL;
}

static bool
escaped(struct kdp_session *s, const char *text)
{
    return out_escape(s, text, strlen(text));
}

/* The names of planned markets that this listing did not have: they may have ended while nobody heard of it. */
static bool
absent(struct kdp_session *s, uint32_t *nextp)
{
    uint32_t slot = s->listing.absent > 0 ? s->listing.absent : 1, count = 0;

    out_put(s, "&tickers=", 9);
    for (; slot < s->slots && s->out_len < NAMES_PATH; slot++) {
        const struct market *m = market_at(s, slot);
        const char *name;
        size_t len;

        if (m->instrument == 0 || (m->flags & MARKET_PLANNED) == 0 || m->seen == s->listing.pass)
            continue;
        name = market_name(s, m, &len);
        if (count++ > 0)
            out_put(s, ",", 1);
        out_escape(s, name, len);
    }
    *nextp = slot < s->slots ? slot : 0;
    return count > 0;
}

/* The filter the listing stands at; *nextp is the one after it, 0: it was the last.  False: there is nothing to ask. */
static bool
filter(struct kdp_session *s, uint32_t *nextp)
{
    const struct kdp_rules *rules = &s->rules.rules;
    uint32_t at = s->listing.filter, next = at + 1;

    if (s->listing.phase == PHASE_ABSENT)
        return absent(s, nextp);
    out_format(s, "&status=%s", s->listing.phase == PHASE_OPEN ? "open" : "unopened");
    if (rules->series_count > 0) {
        *nextp = next < rules->series_count ? next : 0;
        return out_put(s, "&series_ticker=", 15) && escaped(s, rules->series[at]);
    }
    if (rules->event_count > 0) {
        *nextp = next < rules->event_count ? next : 0;
        return out_put(s, "&event_ticker=", 14) && escaped(s, rules->events[at]);
    }
    if (by_names(rules)) {
        out_put(s, "&tickers=", 9);
        for (next = at; next < rules->ticker_count && s->out_len < NAMES_PATH; next++) {
            if (next > at)
                out_put(s, ",", 1);
            escaped(s, rules->tickers[next]);
        }
        *nextp = next < rules->ticker_count ? next : 0;
        return true;
    }
    *nextp = 0;
    return out_put(s, "&mve_filter=exclude", 19);
}

/* ---- when ---- */

/* A hole in the lifecycle may have held markets: the listing has them, and has them surely when REST lags no more. */
void
listing_lifecycle(struct kdp_session *s, bool on)
{
    bool first = on && !s->listing.heard;

    s->listing.heard |= on;
    s->dirty = true;
    if (first && !s->listing.running && !s->stats.listed) {
        s->listing.next_ns = s->mono;
        return;
    }
    if (!s->listing.hole)
        s->listing.first_hole_ns = s->mono;
    s->listing.hole = true;
    s->listing.last_hole_ns = s->mono;
    /* at once, but holes that do not stop may not make the listing all there is */
    if (!s->listing.running && s->listing.next_ns > s->mono + SOON) {
        int64_t soon = s->listing.began_ns + 4 * s->listing.took_ns;

        s->listing.next_ns = soon > s->mono + SOON ? soon : s->mono + SOON;
    }
}

static void
done(struct kdp_session *s)
{
    int64_t sure = s->listing.began_ns - s->config.trade_settle_ns;

    s->listing.running = false;
    s->listing.took_ns = s->mono - s->listing.began_ns;
    s->listing.next_ns = s->mono + s->config.relist_ns;
    s->dirty = true;
    if (s->listing.hole && !s->listing.refused && s->listing.first_hole_ns < sure) {
        s->listing.tell = true;
        s->listing.told_ns = s->listing.began_wall_ns - s->config.trade_settle_ns;
        s->listing.first_hole_ns = sure;
        s->listing.hole = s->listing.last_hole_ns >= sure;
    }
    if (s->listing.hole && !s->listing.refused) { /* refused, it fills no hole; nor will it at once */
        int64_t again = s->listing.last_hole_ns + s->config.trade_settle_ns + SOON;

        s->listing.next_ns = again > s->mono + SOON ? again : s->mono + SOON;
    }
    s->keyless.choose = true;
    if (!s->stats.listed && !s->config.keyless)
        session_say(s, KDP_ACTION_NOTICE, "", "listing complete: %u markets planned", s->planned);
    s->stats.listed = true;
}

bool
listing_work(struct kdp_session *s, struct kdp_action *action)
{
    if (!s->listing.tell)
        return false;
    s->listing.tell = false;
    action->kind = KDP_ACTION_TIMER;
    action->timer.kind = KDP_TIMER_LISTED;
    action->timer.arg = (uint64_t)s->listing.told_ns;
    return true;
}

static void
begin(struct kdp_session *s)
{
    s->listing.running = true;
    s->listing.phase = PHASE_OPEN;
    if (++s->listing.pass == 0)
        s->listing.pass = 1; /* 0: in none */
    s->listing.refused = false;
    s->listing.filter = s->listing.pages = s->listing.absent = 0;
    s->listing.cursor[0] = '\0';
    s->listing.circle = (struct circle){0};
    s->listing.began_ns = s->mono;
    s->listing.began_wall_ns = s->wall;
}

static void
next_filter(struct kdp_session *s, uint32_t next)
{
    s->listing.cursor[0] = '\0';
    s->listing.circle = (struct circle){0};
    if (s->listing.phase == PHASE_ABSENT) {
        s->listing.absent = next;
        if (next == 0 && !s->listing.refused)
            markets_unknown(s);
        if (next == 0 || ++s->listing.pages >= ABSENT_PAGES)
            done(s);
        return;
    }
    s->listing.pages = 0;
    s->listing.filter = next;
    if (next == 0)
        s->listing.phase++;
}

bool
listing_ask(struct kdp_session *s)
{
    uint32_t next = 0;

    if (s->listing.asked || (s->stopping && !s->listing.hole))
        return false;
    if (!s->listing.running) {
        /* what is created between the listing and the first word of the lifecycle would be in neither */
        if (!s->listing.heard && s->listing.next_ns == 0)
            s->listing.next_ns = s->mono + HEARD_WAIT;
        if (s->mono < s->listing.next_ns) {
            session_wake(s, s->listing.next_ns);
            return false;
        }
        begin(s);
    }
    out_begin(s);
    out_format(s, "/markets?limit=1000");
    if (!filter(s, &next)) { /* nothing was absent */
        next_filter(s, next);
        return false;
    }
    if (s->listing.cursor[0] != '\0') {
        out_put(s, "&cursor=", 8);
        escaped(s, s->listing.cursor);
    }
    s->listing.asked = true;
    s->listing.asked_generation = s->listing.generation;
    s->listing.asked_next = next;
    return true;
}

void
listing_answer(struct kdp_session *s, const struct request *request, int status, const char *words)
{
    s->listing.asked = false;
    s->dirty = true;
    if (s->listing.asked_generation != s->listing.generation) /* of the rules before */
        return;
    if (status == 0) /* no answer: the same page again */
        return;
    if (status >= 300) {
        if (!s->stats.listed && s->listing.phase == PHASE_OPEN && status == 404) {
            session_fail(s, KDP_EREFUSED,
                         "Is it the address of the exchange's API? See --base-url (KALSHI_BASE_URL)",
                         "wrong URL: /markets: %s", words);
            return;
        }
        if (!s->stats.listed && s->listing.phase == PHASE_OPEN && (status == 401 || status == 403) &&
            !s->config.keyless) {
            session_fail(
                s, KDP_EREFUSED,
                "Do ID and file belong together, and to this environment (KALSHI_BASE_URL)? Try again "
                "with: kdp status",
                "the exchange refused the key: /markets: %s", words);
            return;
        }
        /* a filter the exchange does not take: told, and the others go on */
        session_say(s, KDP_ACTION_WARN,
                    "It goes on with what else there is, and asks again with the next listing",
                    "a listing was refused: %s", words);
        s->listing.refused = true;
        next_filter(s, s->listing.asked_next);
        return;
    }
    if (request->cursor[0] == '\0' || strcmp(request->cursor, s->listing.cursor) == 0 ||
        s->listing.phase == PHASE_ABSENT || ++s->listing.pages >= PAGES_MAX ||
        rest_circle(&s->listing.circle, request->cursor)) {
        next_filter(s, s->listing.asked_next);
        return;
    }
    snprintf(s->listing.cursor, sizeof s->listing.cursor, "%s", request->cursor);
}
