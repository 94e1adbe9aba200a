/* The simulator's exchange: the same events from the same seed, deltas that add up to the books, trades once, bounded memory. */
#include <stdlib.h>

#include "clock.h"
#include "exchange.h"
#include "kdp_test.h"

#define NOW (INT64_C(1795359570) * KDP_NS_PER_S)

struct model { /* the books as a listener has them: a plain table of sizes */
    struct kdp_exchange *ex;
    int64_t (*size)[2][10001];
    uint32_t markets, room;
    int64_t last_ns;
    uint64_t count[KDP_EXCHANGE_RAW + 1], digest, trades_next;
    uint64_t life[16], blocks, ties, combos_traded;
    int64_t trade_ns;
};

static void
model_market(struct model *m, uint32_t index)
{
    while (m->room <= index) {
        uint32_t room = m->room == 0 ? 64 : 2 * m->room;

        m->size = realloc(m->size, room * sizeof *m->size);
        CHECK(m->size != NULL);
        memset(m->size + m->room, 0, (room - m->room) * sizeof *m->size);
        m->room = room;
    }
    if (m->markets <= index)
        m->markets = index + 1;
}

static void
model_take(struct model *m, uint32_t index)
{
    struct kdp_exchange_market market;

    model_market(m, index);
    memset(m->size[index], 0, sizeof m->size[index]);
    kdp_exchange_market_at(m->ex, index, &market);
    for (unsigned side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < market.bid_count[side]; i++)
            m->size[index][side][market.bids[side][i].price_e4] = market.bids[side][i].size_e2;
    }
}

static void
model_check(struct model *m, uint32_t index)
{
    struct kdp_exchange_market market;

    kdp_exchange_market_at(m->ex, index, &market);
    for (unsigned side = 0; side < 2; side++) {
        uint32_t n = 0;

        for (int32_t price = 10000; price >= 0; price--) {
            if (m->size[index][side][price] == 0)
                continue;
            CHECK(n < market.bid_count[side]);
            CHECK_INT(market.bids[side][n].price_e4, price);
            CHECK_INT(market.bids[side][n].size_e2, m->size[index][side][price]);
            n++;
        }
        CHECK_INT(n, market.bid_count[side]);
    }
}

static void
digest(struct model *m, int64_t value)
{
    m->digest = (m->digest ^ (uint64_t)value) * UINT64_C(0x9e3779b97f4a7c15);
    m->digest ^= m->digest >> 29;
}

static void
on_event(void *arg, const struct kdp_exchange_event *event)
{
    struct model *m = arg;

    CHECK(event->time_ns >= m->last_ns);
    m->last_ns = event->time_ns;
    m->count[event->kind]++;
    model_market(m, event->market);
    digest(m, event->time_ns);
    digest(m, (int64_t)event->kind << 32 | event->market);
    switch (event->kind) {
    case KDP_EXCHANGE_DELTA: {
        int64_t *size =
            &m->size[event->market][event->delta.side == KDP_SIDE_YES ? 0 : 1][event->delta.price_e4];

        *size += event->delta.delta_e2;
        CHECK(*size >= 0);
        digest(m, event->delta.price_e4);
        digest(m, event->delta.delta_e2);
        break;
    }
    case KDP_EXCHANGE_SNAPSHOT:
        model_take(m, event->market);
        break;
    case KDP_EXCHANGE_TRADE:
        CHECK(kdp_exchange_trade_at(m->ex, m->trades_next) == event->trade);
        CHECK_INT(kdp_exchange_trade_count(m->ex), m->trades_next + 1);
        m->trades_next++;
        m->blocks += event->trade->block;
        m->ties += event->trade->time_ns == m->trade_ns;
        m->trade_ns = event->trade->time_ns;
        CHECK_INT(event->trade->time_ns % 1000, 0);
        digest(m, event->trade->yes_price_e4);
        digest(m, event->trade->trade_id[15]);
        break;
    case KDP_EXCHANGE_MARKET:
        m->life[event->lifecycle]++;
        if (event->lifecycle == KDP_LIFECYCLE_KIND_CREATED)
            memset(m->size[event->market], 0, sizeof m->size[event->market]);
        break;
    default:
        break;
    }
}

static struct kdp_exchange *
open_made(struct model *m, uint32_t markets, uint32_t rate, uint32_t combo_rate)
{
    struct kdp_exchange_config config = {
        .now_ns = NOW, .seed = 7, .markets = markets, .rate = rate, .combo_rate = combo_rate};

    *m = (struct model){.last_ns = INT64_MIN, .trade_ns = INT64_MIN};
    CHECK_INT(kdp_exchange_open(&m->ex, &config), 0);
    kdp_exchange_listen(m->ex, on_event, m);
    for (uint32_t i = 0; i < kdp_exchange_market_count(m->ex); i++)
        model_take(m, i);
    return m->ex;
}

static void
check_all(struct model *m)
{
    for (uint32_t i = 0; i < kdp_exchange_market_count(m->ex); i++)
        model_check(m, i);
}

static void
close_model(struct model *m)
{
    kdp_exchange_close(m->ex);
    free(m->size);
}

KDP_TEST(deltas_add_up_to_the_books)
{
    struct model m;
    struct kdp_exchange *ex = open_made(&m, 100, 1000, 1);
    int64_t now = NOW;

    for (unsigned i = 0; i < 200; i++) {
        int64_t due;

        now += KDP_NS_PER_S / 2;
        while ((due = kdp_exchange_run(ex, now, 100)) <= now)
            CHECK(due > 0);
        check_all(&m);
    }
    CHECK(m.count[KDP_EXCHANGE_DELTA] > 50000);
    CHECK(m.count[KDP_EXCHANGE_TRADE] > 1000);
    CHECK(m.count[KDP_EXCHANGE_TICKER] > 1000);
    close_model(&m);
}
