/* session_list.c - the listing of markets, page by page: once for each --series, --event or list of tickers, open ones first,
 * then those that will open. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "rest.h"
#include "session_private.h"

#define PAGES_MAX 5000u

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
                   rules->series_count > 0 && s->listing.filter < rules->series_count
               ? rules->series[s->listing.filter]
               : NULL;
}

static bool
escaped(struct kdp_session *s, const char *text)
{
    return out_escape(s, text, strlen(text));
}

/* The filter the listing stands at; *nextp is the one after it, 0: it was the last. */
static bool
filter(struct kdp_session *s, uint32_t *nextp)
{
    const struct kdp_rules *rules = &s->rules.rules;
    uint32_t at = s->listing.filter, next = at + 1;
    bool fits = true;

    if (rules->series_count > 0) {
        fits = out_put(s, "&series_ticker=", 15) && escaped(s, rules->series[at]);
        *nextp = next < rules->series_count ? next : 0;
    } else if (rules->event_count > 0) {
        fits = out_put(s, "&event_ticker=", 14) && escaped(s, rules->events[at]);
        *nextp = next < rules->event_count ? next : 0;
    } else if (by_names(rules)) {
        fits = out_put(s, "&tickers=", 9);
        for (next = at; next < rules->ticker_count && s->out_len < 3000; next++)
            fits = fits && (next == at || out_put(s, ",", 1)) && escaped(s, rules->tickers[next]);
        *nextp = next < rules->ticker_count ? next : 0;
    } else {
        fits = out_put(s, "&mve_filter=exclude", 19);
        *nextp = 0;
    }
    return fits;
}

bool
listing_ask(struct kdp_session *s)
{
    static const char *const status[] = {"open", "unopened"};
    uint32_t next;

    if (s->listing.asked || s->stopping)
        return false;
    if (!s->listing.running) {
        if (s->mono < s->listing.next_ns) {
            session_wake(s, s->listing.next_ns);
            return false;
        }
        s->listing.running = true;
        s->listing.soon = false;
        s->listing.status = 0;
        s->listing.filter = s->listing.pages = 0;
        s->listing.cursor[0] = '\0';
    }
    out_begin(s);
    out_format(s, "/markets?limit=1000&status=%s", status[s->listing.status]);
    filter(s, &next);
    if (s->listing.cursor[0] != '\0') {
        out_put(s, "&cursor=", 8);
        escaped(s, s->listing.cursor);
    }
    s->listing.asked = true;
    s->listing.asked_generation = s->listing.generation;
    return true;
}

static void
done(struct kdp_session *s)
{
    s->listing.running = false;
    s->listing.whole = true;
    s->listing.next_ns = s->mono + (s->listing.soon ? 5 * SECOND : s->config.relist_ns);
    s->dirty = true;
    if (!s->stats.listed)
        session_say(s, KDP_ACTION_NOTICE, "", "listing complete: %u markets planned", s->planned);
    s->stats.listed = true;
}

static void
next_filter(struct kdp_session *s)
{
    uint32_t next = 0;

    out_begin(s);
    filter(s, &next);
    s->listing.cursor[0] = '\0';
    s->listing.pages = 0;
    s->listing.filter = next;
    if (next == 0 && ++s->listing.status > 1)
        done(s);
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
        /* a filter the exchange does not take: told, and the others go on */
        if (!s->stats.listed && s->listing.status == 0 && (status == 404 || status == 401 || status == 403)) {
            if (status == 404)
                session_fail(s, KDP_EREFUSED,
                             "Is it the address of the exchange's API? See --base-url (KALSHI_BASE_URL)",
                             "wrong URL: /markets: %s", words);
            else
                session_fail(
                    s, KDP_EREFUSED,
                    "Do ID and file belong together, and to this environment (KALSHI_BASE_URL)? Try again "
                    "with: kdp status",
                    "the exchange refused the key: /markets: %s", words);
            return;
        }
        session_say(s, KDP_ACTION_WARN,
                    "It goes on with what else there is, and asks again with the next listing",
                    "a listing was refused: %s", words);
        next_filter(s);
        return;
    }
    if (request->cursor[0] == '\0' || strcmp(request->cursor, s->listing.cursor) == 0 ||
        ++s->listing.pages >= PAGES_MAX) {
        next_filter(s);
        return;
    }
    snprintf(s->listing.cursor, sizeof s->listing.cursor, "%s", request->cursor);
}
