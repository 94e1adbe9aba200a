/* demo_series.c - the event of a series that kdp demo shows, and what is said when there is none; see demo.h. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "json.h"
#include "screen.h"
#include "words.h"

#define PAGES_MAX 10 /* of 1,000 open markets: the largest series has some thousands, combinations apart */
#define EVENTS_MAX 10000
#define NEAREST 3

/* ---- open events ---- */

struct open_event {
    char ticker[KDP_DEMO_NAME];
    int64_t close_ns, volume_e2;
};

struct open_events {
    struct open_event *events;
    uint32_t count, last; /* last: where the last market went */
    char cursor[sizeof((struct kdp_rest_end *)NULL)->cursor];
    bool full;
    int64_t now_ns;
};

static struct open_event *
open_event(struct open_events *open, struct kdp_text ticker)
{
    struct open_event *grown;

    if (open->last < open->count &&
        kdpi_text_equal(ticker, open->events[open->last].ticker, strlen(open->events[open->last].ticker)))
        return &open->events[open->last];
    for (uint32_t i = 0; i < open->count; i++) {
        if (kdpi_text_equal(ticker, open->events[i].ticker, strlen(open->events[i].ticker))) {
            open->last = i;
            return &open->events[i];
        }
    }
    if (open->count == EVENTS_MAX || ticker.len >= KDP_DEMO_NAME) {
        open->full = true;
        return NULL;
    }
    if ((open->count & (open->count - 1)) == 0) {
        grown = realloc(open->events, (open->count > 0 ? 2 * (size_t)open->count : 1) * sizeof *grown);
        open->full |= grown == NULL;
        if (grown == NULL)
            return NULL;
        open->events = grown;
    }
    open->last = open->count;
    grown = &open->events[open->count++];
    memcpy(grown->ticker, ticker.data, ticker.len);
    grown->ticker[ticker.len] = '\0';
    grown->close_ns = INT64_MAX;
    grown->volume_e2 = 0;
    return grown;
}

static bool
each_open(void *arg, const struct kdp_rest_market *market)
{
    struct open_events *open = arg;
    struct open_event *event;

    /* a list of open markets may name some that have just closed */
    if (market->status != KDP_MARKET_STATUS_ACTIVE || market->event_ticker.len == 0 ||
        market->close_ns == KDP_TIME_NULL || market->close_ns <= open->now_ns)
        return true;
    event = open_event(open, market->event_ticker);
    if (event == NULL)
        return true; /* beyond the bound, and told */
    if (market->close_ns < event->close_ns)
        event->close_ns = market->close_ns;
    if (market->volume_24h_e2 != KDP_INT64_NULL)
        event->volume_e2 += market->volume_24h_e2;
    return true;
}

static bool
take_open(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct open_events *open = arg;
    struct kdp_rest_end end;

    open->cursor[0] = '\0';
    kdpi_rest_markets(demo->reader, body, len, each_open, open, &end);
    if (end.refusal != KDP_REFUSAL_NONE)
        return false;
    snprintf(open->cursor, sizeof open->cursor, "%s", end.cursor);
    return true;
}

static bool
first_series(void *arg, const struct kdp_rest_series *series)
{
    kdp_demo_copy(arg, KDP_DEMO_WORDS, series->title);
    return false;
}

static bool
take_series(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct kdp_rest_end end;

    kdpi_rest_series(demo->reader, body, len, first_series, arg, &end);
    return end.refusal == KDP_REFUSAL_NONE;
}

struct nearest {
    const char *typed;
    uint64_t known;
    struct {
        char ticker[KDP_DEMO_NAME], title[KDP_DEMO_WORDS];
        unsigned distance;
    } found[NEAREST];
    unsigned count;
};

static bool
each_series(void *arg, const struct kdp_rest_series *series)
{
    struct nearest *near = arg;
    char ticker[KDP_DEMO_NAME];
    unsigned distance, at;

    near->known++;
    kdp_demo_copy(ticker, sizeof ticker, series->ticker);
    distance = kdpi_word_distance(near->typed, ticker);
    if (distance > 3 && !(strlen(near->typed) >= 4 && strstr(ticker, near->typed) != NULL))
        return true;
    for (at = near->count; at > 0 && near->found[at - 1].distance > distance; at--)
        if (at < NEAREST)
            near->found[at] = near->found[at - 1];
    if (at == NEAREST)
        return true;
    memcpy(near->found[at].ticker, ticker, sizeof ticker);
    kdp_demo_copy(near->found[at].title, sizeof near->found[at].title, series->title);
    near->found[at].distance = distance;
    near->count += near->count < NEAREST;
    return true;
}

static bool
take_nearest(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct nearest *near = arg;
    struct kdp_rest_end end;

    near->count = 0;
    near->known = 0;
    kdpi_rest_series(demo->reader, body, len, each_series, near, &end);
    return end.refusal == KDP_REFUSAL_NONE;
}

/* There is no such series: the words name those that were probably meant. */
static int
unknown_series(struct kdp_demo *demo)
{
    static struct nearest near;
    static struct kdp_demo_want list = {.path = "/series", .take = take_nearest, .arg = &near};
    char known[KDPI_SCREEN_TEXT], hint[NEAREST * KDP_DEMO_NAME + KDP_DEMO_WORDS] = "";
    size_t used = 0;
    int rc;

    near.typed = demo->series;
    rc = kdp_demo_get(demo, &list, 1);
    if (rc != 0)
        return rc;
    if (list.missing || near.known == 0) {
        kdpi_fail(KDP_ENOENT, "no series %s on the exchange", demo->series);
    } else {
        kdpi_fail(KDP_ENOENT, "no series %s on the exchange (%s known)", demo->series,
                  kdpi_screen_count(known, near.known));
        for (unsigned i = 0; i < near.count; i++)
            used += (size_t)snprintf(hint + used, sizeof hint - used, i == 0 ? "%s (%s)" : ", %s",
                                     near.found[i].ticker, near.found[i].title);
    }
    if (used > 0)
        kdpi_hint("Nearest: %s", hint);
    else
        kdpi_hint("A series is the first part of a ticker: KXHIGHNY of KXHIGHNY-26NOV22-B51.5");
    return -KDP_ENOENT;
}

static bool
first_event(void *arg, const struct kdp_rest_event *event)
{
    kdp_demo_copy(arg, KDP_DEMO_NAME, event->event_ticker);
    return false;
}

static bool
take_any_event(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct kdp_rest_end end;

    kdpi_rest_events(demo->reader, body, len, first_event, arg, &end);
    return end.refusal == KDP_REFUSAL_NONE;
}

/* Nothing of the series is open: any event that is not is the next step. */
static int
nothing_open(struct kdp_demo *demo, const char *title)
{
    char event[KDP_DEMO_NAME] = "";
    struct kdp_demo_want want = {.take = take_any_event, .arg = event};
    int rc;

    kdp_demo_path(&want, "/events?series_ticker=", demo->series, "&limit=1");
    rc = kdp_demo_get(demo, &want, 1);
    if (rc != 0)
        return rc;
    kdpi_fail(KDP_ENOENT, "no open event in %s%s%s%s", demo->series, title[0] != '\0' ? " (" : "", title,
              title[0] != '\0' ? ")" : "");
    if (event[0] != '\0')
        kdpi_hint("One that is not open: kdp demo --event %s", event);
    else
        kdpi_hint("It has no event at all now; kdp backfill fetches what was traded before");
    return -KDP_ENOENT;
}

int
kdp_demo_choose(struct kdp_demo *demo)
{
    struct open_events open = {.now_ns = kdpi_now_ns()};
    char title[KDP_DEMO_WORDS] = "", last[sizeof open.cursor] = "";
    struct kdp_demo_want wants[2] = {{.take = take_open, .arg = &open}, {.take = take_series, .arg = title}};
    const struct open_event *best = NULL;
    unsigned pages = 0;
    int rc;

    kdp_demo_path(&wants[0], "/markets?series_ticker=", demo->series, "&status=open&limit=1000");
    kdp_demo_path(&wants[1], "/series/", demo->series, "");
    rc = kdp_demo_get(demo, wants, 2);
    for (pages = 1; rc == 0 && open.cursor[0] != '\0' && strcmp(open.cursor, last) != 0; pages++) {
        if (pages == PAGES_MAX) {
            open.full = true;
            break;
        }
        snprintf(last, sizeof last, "%s", open.cursor);
        kdp_demo_path(&wants[0], "/markets?series_ticker=", demo->series, "&status=open&limit=1000&cursor=");
        wants[0].missing = !kdpi_query_escape(wants[0].path, sizeof wants[0].path, last, strlen(last));
        rc = kdp_demo_get(demo, wants, 1);
    }
    for (uint32_t i = 0; i < open.count && rc == 0; i++) {
        const struct open_event *event = &open.events[i];

        if (best == NULL || event->close_ns < best->close_ns ||
            (event->close_ns == best->close_ns && event->volume_e2 > best->volume_e2))
            best = event;
    }
    demo->more_open = open.full;
    if (best != NULL)
        snprintf(demo->about.ticker, sizeof demo->about.ticker, "%s", best->ticker);
    else if (rc == 0)
        rc = wants[1].missing ? unknown_series(demo) : nothing_open(demo, title);
    free(open.events);
    return rc;
}
