/* demo_ask.c - what kdp demo asks, and which event and market it chooses; see demo.h. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "json.h"
#include "kdp/book.h"
#include "screen.h"
#include "words.h"

#define PATH_MAX_BYTES 2048
#define PAGES_MAX 10 /* of 1,000 open markets: the largest series has some thousands, combinations apart */
#define MARKETS_MAX 5000 /* of one event */
#define EVENTS_MAX 10000
#define NEAREST 3

/* One request, and what its body is for. */
struct want {
    char path[PATH_MAX_BYTES];
    bool (*take)(struct kdp_demo *demo, void *arg, const char *body, size_t len);
    void *arg;
    bool missing; /* answered 404 */
};

static void
set_path(struct want *want, const char *before, const char *name, const char *behind)
{
    char escaped[3 * KDP_DEMO_NAME + 1] = "";

    kdpi_query_escape(escaped, sizeof escaped, name, strlen(name));
    snprintf(want->path, sizeof want->path, "%s%s%s", before, escaped, behind);
}

/* Asks count things at once and takes their bodies; a 404 is for the caller to judge.  0, or an error with its words. */
static int
ask(struct kdp_demo *demo, struct want *wants, unsigned count)
{
    struct kdp_asker *asker = demo->ask.asker;
    struct kdp_asker_answer *answer;
    uint64_t request;
    int rc = 0;

    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = kdp_asker_get(asker, i, wants[i].path);
    while (rc == 0 && kdp_asker_pending(asker) > 0) {
        struct want *want;

        rc = kdp_asker_next(asker, &answer, &request);
        if (rc != 0)
            break;
        want = &wants[answer->request];
        if (answer->status == 404) {
            want->missing = true;
        } else if (answer->status != 200) {
            rc = kdp_asker_refused(asker, answer);
        } else if (!want->take(demo, want->arg, answer->body, answer->len)) {
            rc = kdp_asker_again(asker, answer, "its body cannot be read");
            continue;
        } else if (answer->age_ns > demo->age_ns) {
            demo->age_ns = answer->age_ns;
        }
        kdp_asker_free(answer);
    }
    return rc;
}

static void
copy(char *to, size_t size, struct kdp_text from)
{
    kdpi_escape(to, size, from.data, from.len);
}

/* ---- the series, and its open event that closes first ---- */

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
    copy(arg, KDP_DEMO_WORDS, series->title);
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
    copy(ticker, sizeof ticker, series->ticker);
    distance = kdpi_word_distance(near->typed, ticker);
    if (distance > 3 && !(strlen(near->typed) >= 4 && strstr(ticker, near->typed) != NULL))
        return true;
    for (at = near->count; at > 0 && near->found[at - 1].distance > distance; at--)
        if (at < NEAREST)
            near->found[at] = near->found[at - 1];
    if (at == NEAREST)
        return true;
    memcpy(near->found[at].ticker, ticker, sizeof ticker);
    copy(near->found[at].title, sizeof near->found[at].title, series->title);
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
    static struct want list = {.path = "/series", .take = take_nearest, .arg = &near};
    char known[KDPI_SCREEN_TEXT], hint[NEAREST * KDP_DEMO_NAME + KDP_DEMO_WORDS] = "";
    size_t used = 0;
    int rc;

    near.typed = demo->series;
    rc = ask(demo, &list, 1);
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
    copy(arg, KDP_DEMO_NAME, event->event_ticker);
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
    struct want want = {.take = take_any_event, .arg = event};
    int rc;

    set_path(&want, "/events?series_ticker=", demo->series, "&limit=1");
    rc = ask(demo, &want, 1);
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

/* The open event that closes first; of those that close together the one with most trading. */
static int
choose_event(struct kdp_demo *demo)
{
    struct open_events open = {.now_ns = kdpi_now_ns()};
    char title[KDP_DEMO_WORDS] = "", last[sizeof open.cursor] = "";
    struct want wants[2] = {{.take = take_open, .arg = &open}, {.take = take_series, .arg = title}};
    const struct open_event *best = NULL;
    unsigned pages = 0;
    int rc;

    set_path(&wants[0], "/markets?series_ticker=", demo->series, "&status=open&limit=1000");
    set_path(&wants[1], "/series/", demo->series, "");
    rc = ask(demo, wants, 2);
    for (pages = 1; rc == 0 && open.cursor[0] != '\0' && strcmp(open.cursor, last) != 0; pages++) {
        if (pages == PAGES_MAX) {
            open.full = true;
            break;
        }
        snprintf(last, sizeof last, "%s", open.cursor);
        set_path(&wants[0], "/markets?series_ticker=", demo->series, "&status=open&limit=1000&cursor=");
        wants[0].missing = !kdpi_query_escape(wants[0].path, sizeof wants[0].path, last, strlen(last));
        rc = ask(demo, wants, 1);
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

/* ---- the event ---- */

static bool
each_market(void *arg, const struct kdp_rest_market *market)
{
    struct kdp_demo *demo = arg;
    struct kdp_demo_market *m;

    demo->market_all++;
    if (demo->market_count == MARKETS_MAX)
        return true;
    if (demo->market_count == demo->market_room) {
        uint32_t room = demo->market_room > 0 ? 2 * demo->market_room : 16;
        struct kdp_demo_market *grown = realloc(demo->markets, room * sizeof *grown);

        demo->no_memory |= grown == NULL;
        if (grown == NULL)
            return false;
        demo->markets = grown;
        demo->market_room = room;
    }
    m = &demo->markets[demo->market_count++];
    memset(m, 0, sizeof *m);
    copy(m->ticker, sizeof m->ticker, market->ticker);
    copy(m->event, sizeof m->event, market->event_ticker);
    copy(m->yes, sizeof m->yes, market->yes_sub_title);
    copy(m->title, sizeof m->title, market->title);
    m->status = market->status;
    m->strike_type = market->strike_type;
    m->result = market->result;
    m->floor_e6 = market->floor_strike_e6;
    m->cap_e6 = market->cap_strike_e6;
    m->open_ns = market->open_ns;
    m->close_ns = market->close_ns;
    m->volume_e2 = market->volume_e2;
    m->volume_24h_e2 = market->volume_24h_e2;
    m->open_interest_e2 = market->open_interest_e2;
    /* the exchange writes an empty side as the price at which nobody buys or sells */
    m->bid_e4 = market->bid_e4 > 0 ? market->bid_e4 : KDP_PRICE_NULL;
    m->ask_e4 = market->ask_e4 < KDP_PRICE_MAX ? market->ask_e4 : KDP_PRICE_NULL;
    m->last_e4 = market->last_e4 > 0 ? market->last_e4 : KDP_PRICE_NULL;
    return true;
}

static bool
each_event(void *arg, const struct kdp_rest_event *event)
{
    struct kdp_demo *demo = arg;

    copy(demo->about.ticker, sizeof demo->about.ticker, event->event_ticker);
    copy(demo->about.series, sizeof demo->about.series, event->series_ticker);
    copy(demo->about.title, sizeof demo->about.title, event->title);
    copy(demo->about.sub_title, sizeof demo->about.sub_title, event->sub_title);
    copy(demo->about.category, sizeof demo->about.category, event->category);
    demo->about.exclusive = event->mutually_exclusive;
    return false;
}

static bool
take_event(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct kdp_rest_end end;

    (void)arg;
    demo->market_count = demo->market_all = 0;
    kdpi_rest_events(demo->reader, body, len, each_event, demo, &end);
    if (end.refusal != KDP_REFUSAL_NONE)
        return false;
    kdpi_rest_event_markets(demo->reader, body, len, each_market, demo, &end);
    return end.refusal == KDP_REFUSAL_NONE;
}

static bool
take_markets(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct kdp_rest_end end;

    (void)arg;
    demo->market_count = demo->market_all = 0;
    kdpi_rest_markets(demo->reader, body, len, each_market, demo, &end);
    return end.refusal == KDP_REFUSAL_NONE;
}

/* By strike where there is one ("46 or below" before "47 to 48" before "55 or above"), else the likelier first. */
static int64_t
strike_place(const struct kdp_demo_market *m, int *afterp)
{
    bool below = m->strike_type == KDP_STRIKE_TYPE_LESS || m->strike_type == KDP_STRIKE_TYPE_LESS_OR_EQUAL;
    bool above =
        m->strike_type == KDP_STRIKE_TYPE_GREATER || m->strike_type == KDP_STRIKE_TYPE_GREATER_OR_EQUAL;

    *afterp = below ? -1 : above ? 1 : 0;
    if (below && m->cap_e6 != KDP_INT64_NULL)
        return m->cap_e6;
    return m->floor_e6 != KDP_INT64_NULL ? m->floor_e6 : m->cap_e6;
}

static int
in_order(const void *a, const void *b)
{
    const struct kdp_demo_market *x = a, *y = b;
    int x_after, y_after;
    int64_t x_strike = strike_place(x, &x_after), y_strike = strike_place(y, &y_after);

    if ((x_strike == KDP_INT64_NULL) != (y_strike == KDP_INT64_NULL))
        return x_strike == KDP_INT64_NULL ? 1 : -1;
    if (x_strike != KDP_INT64_NULL && x_strike != y_strike)
        return x_strike < y_strike ? -1 : 1;
    if (x_strike != KDP_INT64_NULL && x_after != y_after)
        return x_after - y_after;
    if (x_strike == KDP_INT64_NULL && x->bid_e4 != y->bid_e4)
        return x->bid_e4 > y->bid_e4 ? -1 : 1;
    return strcmp(x->ticker, y->ticker);
}

/* Most traded in 24 hours, then in all; of an event with open markets, an open one. */
static bool
busier(const struct kdp_demo_market *a, const struct kdp_demo_market *b)
{
    bool a_open = a->status == KDP_MARKET_STATUS_ACTIVE, b_open = b->status == KDP_MARKET_STATUS_ACTIVE;

    if (a_open != b_open)
        return a_open;
    if (a->volume_24h_e2 != b->volume_24h_e2)
        return a->volume_24h_e2 > b->volume_24h_e2;
    return a->volume_e2 > b->volume_e2;
}

static int
ask_event(struct kdp_demo *demo)
{
    char name[KDP_DEMO_NAME];
    struct want event = {.take = take_event}, list = {.take = take_markets};
    int rc;

    snprintf(name, sizeof name, "%s", demo->about.ticker);
    set_path(&event, "/events/", name, "");
    rc = ask(demo, &event, 1);
    if (rc != 0)
        return rc;
    if (demo->market_count == 0) { /* its markets may be listed where it is not described */
        set_path(&list, "/markets?event_ticker=", name, "&limit=1000");
        rc = ask(demo, &list, 1);
        if (rc != 0)
            return rc;
    }
    if (event.missing && demo->market_count == 0) {
        kdpi_fail(KDP_ENOENT, "no event %s on the exchange", name);
        kdpi_hint("Those that are open, by series: kdp demo --series %.*s", (int)strcspn(name, "-"), name);
        return -KDP_ENOENT;
    }
    if (demo->market_count == 0) {
        kdpi_fail(KDP_ENOENT, "no market of %s is served any more: it was settled long ago", name);
        kdpi_hint("Its trades are kept: kdp backfill --event %s", name);
        return -KDP_ENOENT;
    }
    if (event.missing)
        snprintf(demo->about.title, sizeof demo->about.title, "%s", demo->markets[0].title);
    demo->now_ns = kdpi_now_ns();
    qsort(demo->markets, demo->market_count, sizeof *demo->markets, in_order);
    for (uint32_t i = 0; i < demo->market_count; i++) {
        const struct kdp_demo_market *m = &demo->markets[i];

        if (demo->ticker != NULL ? strcmp(m->ticker, demo->ticker) == 0
                                 : demo->busiest == NULL || busier(m, demo->busiest))
            demo->busiest = m;
    }
    if (demo->busiest != NULL)
        return 0;
    kdpi_fail(KDP_ENOENT, "no market %s in its event %s", demo->ticker, name);
    kdpi_hint("Its markets: kdp demo --event %s", name);
    return -KDP_ENOENT;
}

static int
ask_ticker(struct kdp_demo *demo)
{
    struct want want = {.take = take_markets};
    int rc;

    set_path(&want, "/markets/", demo->ticker, "");
    rc = ask(demo, &want, 1);
    if (rc != 0)
        return rc;
    if (want.missing || demo->market_count == 0) {
        kdpi_fail(KDP_ENOENT, "no market %s on the exchange", demo->ticker);
        kdpi_hint("Those that are open, by series: kdp demo --series %.*s", (int)strcspn(demo->ticker, "-"),
                  demo->ticker);
        return -KDP_ENOENT;
    }
    snprintf(demo->about.ticker, sizeof demo->about.ticker, "%s", demo->markets[0].event);
    if (demo->about.ticker[0] == '\0')
        return kdpi_fail(KDP_EFORMAT, "the exchange names no event of %s", demo->ticker);
    return 0;
}

/* ---- the busiest market ---- */

static int
higher_first(const void *a, const void *b)
{
    const struct kdp_ladder_level *x = a, *y = b;

    return (y->price_e4 > x->price_e4) - (y->price_e4 < x->price_e4);
}

static bool
each_book(void *arg, const struct kdp_rest_book *book)
{
    struct kdp_demo *demo = arg;
    struct kdp_ladder_level *levels = calloc(book->count > 0 ? book->count : 1, sizeof *levels);
    uint32_t bids = 0, offers = 0;

    demo->no_memory |= levels == NULL;
    if (levels == NULL)
        return false;
    for (uint32_t i = 0; i < book->count; i++)
        bids += book->levels[i].side == KDP_SIDE_YES && book->levels[i].size_e2 > 0;
    free(demo->bids);
    demo->bids = levels;
    demo->offers = levels + bids;
    demo->bid_count = bids;
    bids = 0;
    for (uint32_t i = 0; i < book->count; i++) {
        const struct kdp_message_level *level = &book->levels[i];

        if (level->size_e2 == 0)
            continue;
        if (level->side == KDP_SIDE_YES)
            demo->bids[bids++] = (struct kdp_ladder_level){level->price_e4, level->size_e2};
        else /* a bid for NO is an offer of YES at what is left of a dollar */
            demo->offers[offers++] =
                (struct kdp_ladder_level){KDP_PRICE_MAX - level->price_e4, level->size_e2};
    }
    demo->offer_count = offers;
    qsort(demo->bids, demo->bid_count, sizeof *levels, higher_first);
    qsort(demo->offers, demo->offer_count, sizeof *levels, higher_first);
    for (uint32_t i = 0; i < offers / 2; i++) {
        struct kdp_ladder_level low = demo->offers[offers - 1 - i];

        demo->offers[offers - 1 - i] = demo->offers[i];
        demo->offers[i] = low;
    }
    return false;
}

static bool
take_book(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct kdp_rest_end end;

    (void)arg;
    kdpi_rest_books(demo->reader, body, len, each_book, demo, &end);
    return end.refusal == KDP_REFUSAL_NONE && end.refused == 0;
}

static bool
each_trade(void *arg, const struct kdp_message *m)
{
    struct kdp_demo *demo = arg;
    struct kdp_demo_trade *trade;

    if (demo->trade_count == demo->trades_wanted)
        return false;
    trade = &demo->trades[demo->trade_count++];
    memcpy(trade->id, m->trade.trade_id, sizeof trade->id);
    trade->id_hashed = m->trade.trade_id_hashed;
    trade->taker_side = m->trade.taker_side;
    trade->block = m->trade.block;
    trade->price_e4 = m->trade.price_e4;
    trade->count_e2 = m->trade.count_e2;
    trade->at_ns = m->exch_ns;
    return true;
}

static int
newest_first(const void *a, const void *b)
{
    const struct kdp_demo_trade *x = a, *y = b;

    return (y->at_ns > x->at_ns) - (y->at_ns < x->at_ns);
}

static bool
take_trades(struct kdp_demo *demo, void *arg, const char *body, size_t len)
{
    struct kdp_rest_end end;

    (void)arg;
    demo->trade_count = 0;
    kdpi_rest_trades(demo->reader, body, len, each_trade, demo, &end);
    /* newest first is what the exchange does and does not promise */
    qsort(demo->trades, demo->trade_count, sizeof *demo->trades, newest_first);
    return end.refusal == KDP_REFUSAL_NONE;
}

static int
ask_market(struct kdp_demo *demo)
{
    struct want wants[2] = {{.take = take_book}, {.take = take_trades}};
    char limit[64];
    int rc;

    demo->trades = calloc(demo->trades_wanted, sizeof *demo->trades);
    if (demo->trades == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    set_path(&wants[0], "/markets/", demo->busiest->ticker, "/orderbook");
    snprintf(limit, sizeof limit, "&limit=%u", demo->trades_wanted);
    set_path(&wants[1], "/markets/trades?ticker=", demo->busiest->ticker, limit);
    rc = ask(demo, wants, 2);
    demo->no_book = wants[0].missing;
    return rc;
}

int
kdp_demo_ask(struct kdp_demo *demo)
{
    int rc;

    demo->about.exclusive = -1;
    demo->reader = kdpi_rest_open();
    if (demo->reader == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    else if (demo->ticker != NULL)
        rc = ask_ticker(demo);
    else if (demo->series != NULL)
        rc = choose_event(demo);
    else
        rc = (snprintf(demo->about.ticker, sizeof demo->about.ticker, "%s", demo->event), 0);
    if (rc == 0)
        rc = ask_event(demo);
    if (rc == 0)
        rc = ask_market(demo);
    if (rc == 0 && demo->no_memory)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    if (rc == 0)
        return 0;
    return rc == -KDP_ESTOPPED ? kdp_cli_stopped(demo->cli) : kdp_cli_error(demo->cli, rc);
}

void
kdp_demo_release(struct kdp_demo *demo)
{
    kdpi_rest_close(demo->reader);
    free(demo->markets);
    free(demo->bids);
    free(demo->trades);
}
