/* demo_ask.c - what kdp demo asks of an event, and which of its markets it shows; see demo.h. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "kdp/book.h"

#define MARKETS_MAX 5000 /* of one event */

void
kdp_demo_path(struct kdp_demo_want *want, const char *before, const char *name, const char *behind)
{
    char escaped[3 * KDP_DEMO_NAME + 1] = "";

    kdpi_query_escape(escaped, sizeof escaped, name, strlen(name));
    snprintf(want->path, sizeof want->path, "%s%s%s", before, escaped, behind);
}

int
kdp_demo_get(struct kdp_demo *demo, struct kdp_demo_want *wants, unsigned count)
{
    struct kdp_asker *asker = demo->ask.asker;
    struct kdp_asker_answer *answer;
    uint64_t request;
    int rc = 0;

    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = kdp_asker_get(asker, i, wants[i].path);
    while (rc == 0 && kdp_asker_pending(asker) > 0) {
        struct kdp_demo_want *want;

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

void
kdp_demo_copy(char *to, size_t size, struct kdp_text from)
{
    kdpi_escape(to, size, from.data, from.len);
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
    kdp_demo_copy(m->ticker, sizeof m->ticker, market->ticker);
    kdp_demo_copy(m->event, sizeof m->event, market->event_ticker);
    kdp_demo_copy(m->yes, sizeof m->yes, market->yes_sub_title);
    kdp_demo_copy(m->title, sizeof m->title, market->title);
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

    kdp_demo_copy(demo->about.ticker, sizeof demo->about.ticker, event->event_ticker);
    kdp_demo_copy(demo->about.series, sizeof demo->about.series, event->series_ticker);
    kdp_demo_copy(demo->about.title, sizeof demo->about.title, event->title);
    kdp_demo_copy(demo->about.sub_title, sizeof demo->about.sub_title, event->sub_title);
    kdp_demo_copy(demo->about.category, sizeof demo->about.category, event->category);
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

/* Asks for markets by another way, unless there are some. */
static int
find_markets(struct kdp_demo *demo, const char *before, const char *name, const char *behind)
{
    struct kdp_demo_want want = {.take = take_markets};

    if (demo->market_count > 0)
        return 0;
    kdp_demo_path(&want, before, name, behind);
    return kdp_demo_get(demo, &want, 1);
}

static int
ask_event(struct kdp_demo *demo)
{
    char name[KDP_DEMO_NAME];
    struct kdp_demo_want event = {.take = take_event};
    int rc;

    snprintf(name, sizeof name, "%s", demo->about.ticker);
    kdp_demo_path(&event, "/events/", name, "");
    rc = kdp_demo_get(demo, &event, 1);
    if (rc != 0)
        return rc;
    /* its markets may be listed where it is not described; those settled long ago are in the other tier */
    rc = find_markets(demo, "/markets?event_ticker=", name, "&limit=1000");
    if (rc == 0)
        rc = find_markets(demo, "/historical/markets?event_ticker=", name, "&limit=1000");
    if (rc != 0)
        return rc;
    if (event.missing && demo->market_count == 0) {
        kdpi_fail(KDP_ENOENT, "no event %s on the exchange", name);
        kdpi_hint("Those that are open, by series: kdp demo --series %.*s", (int)strcspn(name, "-"), name);
        return -KDP_ENOENT;
    }
    if (demo->market_count == 0) {
        kdpi_fail(KDP_ENOENT, "the exchange lists no market of %s", name);
        kdpi_hint("Its trades may be there: kdp backfill --event %s", name);
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
    int rc = find_markets(demo, "/markets/", demo->ticker, "");

    if (rc == 0)
        rc = find_markets(demo, "/historical/markets/", demo->ticker, "");
    if (rc != 0)
        return rc;
    if (demo->market_count == 0) {
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
    struct kdp_demo_want wants[2] = {{.take = take_book}, {.take = take_trades}};
    char limit[64];
    int rc;

    demo->trades = calloc(demo->trades_wanted, sizeof *demo->trades);
    if (demo->trades == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    kdp_demo_path(&wants[0], "/markets/", demo->busiest->ticker, "/orderbook");
    snprintf(limit, sizeof limit, "&limit=%u", demo->trades_wanted);
    kdp_demo_path(&wants[1], "/markets/trades?ticker=", demo->busiest->ticker, limit);
    rc = kdp_demo_get(demo, wants, 2);
    demo->no_book = wants[0].missing;
    if (rc != 0 || demo->trade_count > 0 || demo->busiest->volume_e2 <= 0)
        return rc;
    /* it was traded, and not of late */
    kdp_demo_path(&wants[1], "/historical/trades?ticker=", demo->busiest->ticker, limit);
    return kdp_demo_get(demo, &wants[1], 1);
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
        rc = kdp_demo_choose(demo);
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
