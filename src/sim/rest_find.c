/* rest_find.c - what REST sees: the past and the running exchange as one list of markets and one order of trades, and the border
 * between the tiers (docs/exchange.md 3.6).
 *
 * A market of the past has its own number, those of the running exchange come behind.  The past's trades are all older than the
 * first of the running exchange, so the whole order is the one behind the other.  Positions count trades from the oldest, so
 * that a position stays what it is while trades happen and while the log forgets. */
#include "clock.h"
#include "server_private.h"

#define MINUTE_NS (60 * KDP_NS_PER_S)

uint32_t
sim_market_count(const struct kdp_sim *sim)
{
    return kdp_past_market_count(sim->past) + kdp_exchange_market_count(sim->exchange);
}

void
sim_market_at(const struct kdp_sim *sim, uint32_t market, struct kdp_exchange_market *out)
{
    uint32_t past = kdp_past_market_count(sim->past);

    if (market < past)
        kdp_past_market_at(sim->past, market, out);
    else
        kdp_exchange_market_at(sim->exchange, market - past, out);
}

const char *
sim_market_ticker(const struct kdp_sim *sim, uint32_t market, size_t *lenp)
{
    uint32_t past = kdp_past_market_count(sim->past);

    return market < past ? kdp_past_ticker(sim->past, market, lenp)
                         : kdp_exchange_ticker(sim->exchange, market - past, lenp);
}

uint32_t
sim_market_find(const struct kdp_sim *sim, const char *ticker, size_t len)
{
    uint32_t index = kdp_exchange_find(sim->exchange, ticker, len);

    if (index != UINT32_MAX)
        return kdp_past_market_count(sim->past) + index;
    return sim->past != NULL ? kdp_past_find(sim->past, ticker, len) : UINT32_MAX;
}

/* ---- tiers ---- */

/* It moves with time, from minute to minute, and by control lines. */
int64_t
sim_cutoff_ns(const struct kdp_sim *sim)
{
    return (sim->now_ns - sim->cutoff_back_ns) / MINUTE_NS * MINUTE_NS;
}

bool
sim_cutoff_move(struct kdp_sim *sim, int64_t ns)
{
    if (ns <= 0 || sim->cutoff_back_ns <= 0)
        return false;
    sim->cutoff_back_ns = sim->cutoff_back_ns > ns ? sim->cutoff_back_ns - ns : 0;
    return true;
}

bool
sim_is_historical(const struct kdp_sim *sim, const struct kdp_exchange_market *m)
{
    return m->settled_ns != KDP_TIME_NULL && m->settled_ns < sim_cutoff_ns(sim);
}

/* ---- trades ---- */

/* The first number in the log whose trade is later than that. */
static uint64_t
log_after(const struct kdp_exchange *ex, int64_t time_ns)
{
    uint64_t low = kdp_exchange_trade_oldest(ex), high = kdp_exchange_trade_count(ex);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (kdp_exchange_trade_at(ex, middle)->time_ns > time_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

uint64_t
sim_trade_count(const struct kdp_sim *sim)
{
    return kdp_past_count(sim->past) + kdp_exchange_trade_count(sim->exchange);
}

uint64_t
sim_trade_from(const struct kdp_sim *sim, int64_t time_ns)
{
    struct sim_walk walk;

    sim_walk_begin(&walk, sim, UINT32_MAX, time_ns - 1);
    return walk.at;
}

bool
sim_trade_at(const struct kdp_sim *sim, uint64_t number, struct kdp_exchange_trade *trade)
{
    uint64_t count = kdp_past_count(sim->past);
    const struct kdp_exchange_trade *found = number < count
                                                 ? kdp_past_at(sim->past, number)
                                                 : kdp_exchange_trade_at(sim->exchange, number - count);

    if (found == NULL)
        return false;
    *trade = *found;
    if (number >= count)
        trade->market += kdp_past_market_count(sim->past);
    return true;
}

void
sim_walk_begin(struct sim_walk *walk, const struct kdp_sim *sim, uint32_t market, int64_t max_ns)
{
    uint32_t past = kdp_past_market_count(sim->past);

    walk->sim = sim;
    walk->market = market;
    if (market < past) {
        walk->at = kdp_past_market_after(sim->past, market, max_ns);
    } else if (market != UINT32_MAX) {
        uint64_t number = kdp_exchange_trade_last(sim->exchange, market - past);

        while (number != UINT64_MAX && kdp_exchange_trade_at(sim->exchange, number)->time_ns > max_ns)
            number = kdp_exchange_trade_before(sim->exchange, number);
        walk->at = number + 1; /* none: 0 */
    } else {
        walk->at = kdp_past_count(sim->past) + log_after(sim->exchange, max_ns);
        if (walk->at == kdp_past_count(sim->past) + kdp_exchange_trade_oldest(sim->exchange))
            walk->at = sim->past != NULL ? kdp_past_after(sim->past, max_ns) : 0;
    }
}

bool
sim_walk_from(struct sim_walk *walk, const struct kdp_sim *sim, uint32_t market, uint64_t at)
{
    uint32_t past = kdp_past_market_count(sim->past);

    walk->sim = sim;
    walk->market = market;
    walk->at = at;
    if (market < past)
        return at <= kdp_past_market_trades(sim->past, market);
    if (market != UINT32_MAX)
        return at <= kdp_exchange_trade_count(sim->exchange);
    return at <= kdp_past_count(sim->past) + kdp_exchange_trade_count(sim->exchange);
}

static const struct kdp_exchange_trade *
log_next(struct sim_walk *walk, uint32_t past)
{
    const struct kdp_exchange *ex = walk->sim->exchange;
    const struct kdp_exchange_trade *trade;
    uint64_t before;

    while (walk->at > 0) {
        trade = kdp_exchange_trade_at(ex, walk->at - 1);
        if (trade == NULL)
            break;
        if (trade->market + past != walk->market) { /* a position of another market's walk */
            walk->at--;
            continue;
        }
        walk->trade = *trade;
        before = kdp_exchange_trade_before(ex, walk->at - 1);
        walk->at = before == UINT64_MAX ? 0 : before + 1;
        return trade;
    }
    walk->at = 0;
    return NULL;
}

const struct kdp_exchange_trade *
sim_walk_next(struct sim_walk *walk)
{
    const struct kdp_sim *sim = walk->sim;
    uint32_t past = kdp_past_market_count(sim->past);
    uint64_t count = kdp_past_count(sim->past);
    const struct kdp_exchange_trade *trade;

    if (walk->market != UINT32_MAX && walk->market >= past) {
        if (log_next(walk, past) == NULL)
            return NULL;
        walk->trade.market += past;
        return &walk->trade;
    }
    if (walk->at == 0)
        return NULL;
    if (walk->market != UINT32_MAX) {
        walk->trade = *kdp_past_market_trade(sim->past, walk->market, --walk->at);
        return &walk->trade;
    }
    if (walk->at > count) {
        trade = kdp_exchange_trade_at(sim->exchange, walk->at - 1 - count);
        if (trade != NULL) {
            walk->trade = *trade;
            walk->trade.market += past;
            walk->at--;
            return &walk->trade;
        }
        walk->at = count; /* the log has forgotten it: the past comes next */
        if (count == 0)
            return NULL;
    }
    walk->trade = *kdp_past_at(sim->past, --walk->at);
    return &walk->trade;
}
