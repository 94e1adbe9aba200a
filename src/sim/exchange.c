/* exchange.c - the exchange's state and clock: markets by ticker, the log of trades, who is told what, and when what is due. */
#include "exchange_private.h"

#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "memory.h"

#define PART_NS (KDP_NS_PER_DAY / DAY_PARTS)

const char *
kdp_exchange_ticker(const struct kdp_exchange *ex, uint32_t index, size_t *lenp)
{
    const struct exchange_market *market = &ex->markets[index];

    return market->made != NOWHERE ? exchange_made_ticker(ex, market->made, lenp)
                                   : exchange_recorded_ticker(market->rec, lenp);
}

static uint64_t
hash_of(const char *text, size_t len, uint64_t seed)
{
    uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static uint32_t *
head_of(const struct kdp_exchange *ex, const char *ticker, size_t len)
{
    return &ex->heads[hash_of(ticker, len, 0) & (ex->head_count - 1)];
}

uint32_t
kdp_exchange_find(const struct kdp_exchange *ex, const char *ticker, size_t len)
{
    for (uint32_t i = *head_of(ex, ticker, len); i != NOWHERE; i = ex->markets[i].hash_next) {
        size_t n;
        const char *name = kdp_exchange_ticker(ex, i, &n);

        if (n == len && memcmp(name, ticker, len) == 0)
            return i;
    }
    return NOWHERE;
}

void
kdp_exchange_market_id(const struct kdp_exchange *ex, uint32_t index, char id[37])
{
    static const char hex[] = "0123456789abcdef";
    size_t len;
    const char *ticker = kdp_exchange_ticker(ex, index, &len);
    uint64_t a = hash_of(ticker, len, 1), b = hash_of(ticker, len, 2);

    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *id++ = '-';
        *id++ = i == 12 ? '4' : i == 16 ? '9' : hex[(i < 16 ? a : b) >> (60 - 4 * (i % 16)) & 15];
    }
    *id = '\0';
}

static void
link_name(struct kdp_exchange *ex, uint32_t index)
{
    size_t len;
    const char *ticker = kdp_exchange_ticker(ex, index, &len);
    uint32_t *head = head_of(ex, ticker, len);

    ex->markets[index].hash_next = *head;
    *head = index;
}

void
exchange_name(struct kdp_exchange *ex, uint32_t index)
{
    link_name(ex, index);
}

void
exchange_unname(struct kdp_exchange *ex, uint32_t index)
{
    size_t len;
    const char *ticker = kdp_exchange_ticker(ex, index, &len);
    uint32_t *at = head_of(ex, ticker, len);

    while (*at != NOWHERE && *at != index)
        at = &ex->markets[*at].hash_next;
    if (*at == index)
        *at = ex->markets[index].hash_next;
    ex->markets[index].hash_next = NOWHERE;
}

static bool
grow_heads(struct kdp_exchange *ex, uint32_t wanted)
{
    uint32_t count = ex->head_count == 0 ? 1024 : ex->head_count;
    uint32_t *heads;

    while (count < wanted)
        count *= 2;
    if (count == ex->head_count)
        return true;
    heads = malloc(count * sizeof *heads);
    if (heads == NULL)
        return false;
    memset(heads, 0xff, count * sizeof *heads);
    free(ex->heads);
    ex->heads = heads;
    ex->head_count = count;
    for (uint32_t i = 0; i < ex->market_count; i++)
        link_name(ex, i);
    return true;
}

uint32_t
exchange_market_add(struct kdp_exchange *ex)
{
    if (ex->market_count == ex->market_room) {
        void *grown = kdpi_grow(ex->markets, &ex->market_room, sizeof *ex->markets, ex->market_count + 1u);

        if (grown == NULL)
            return NOWHERE;
        ex->markets = grown;
    }
    if (ex->market_count >= ex->head_count && !grow_heads(ex, 2 * ex->market_count))
        return NOWHERE;
    ex->markets[ex->market_count] = (struct exchange_market){.hash_next = NOWHERE,
                                                             .made = NOWHERE,
                                                             .created_ns = KDP_TIME_NULL,
                                                             .open_ns = KDP_TIME_NULL,
                                                             .close_ns = KDP_TIME_NULL,
                                                             .determined_ns = KDP_TIME_NULL,
                                                             .settled_ns = KDP_TIME_NULL,
                                                             .updated_ns = KDP_TIME_NULL,
                                                             .settlement_value_e6 = KDP_INT64_NULL};
    return ex->market_count++;
}

void
exchange_forget(struct kdp_exchange *ex, uint32_t index)
{
    uint64_t end = ex->markets[index].trades_end;

    if (ex->log_oldest < end) {
        ex->stats.trades_forgotten += end - ex->log_oldest;
        ex->log_oldest = end;
    }
}

/* ---- telling ---- */

void
exchange_tell(struct kdp_exchange *ex, struct kdp_exchange_event *event)
{
    if (event->time_ns < ex->last_ns)
        event->time_ns = ex->last_ns;
    ex->last_ns = event->time_ns;
    ex->told++;
    ex->stats.events[event->kind]++;
    if (ex->listener != NULL)
        ex->listener(ex->listener_arg, event);
}

void
exchange_tell_delta(struct kdp_exchange *ex, uint32_t index, int64_t time_ns, unsigned side, int32_t price_e4,
                    int64_t delta_e2)
{
    struct kdp_exchange_event event = {.kind = KDP_EXCHANGE_DELTA, .market = index, .time_ns = time_ns};

    event.delta.side = side == GEN_YES ? KDP_SIDE_YES : KDP_SIDE_NO;
    event.delta.price_e4 = price_e4;
    event.delta.delta_e2 = delta_e2;
    exchange_tell(ex, &event);
}

void
exchange_tell_life(struct kdp_exchange *ex, uint32_t index, int64_t time_ns, uint8_t kind)
{
    struct kdp_exchange_event event = {.kind = KDP_EXCHANGE_MARKET, .market = index, .time_ns = time_ns};

    event.lifecycle = kind;
    ex->markets[index].updated_ns = time_ns > ex->last_ns ? time_ns : ex->last_ns;
    exchange_tell(ex, &event);
}

void
exchange_tell_market(struct kdp_exchange *ex, enum kdp_exchange_event_kind kind, uint32_t index,
                     int64_t time_ns)
{
    struct kdp_exchange_event event = {.kind = kind, .market = index, .time_ns = time_ns};

    exchange_tell(ex, &event);
}

/* Moves the parts of the day on to the one of now; those in between had no trade. */
static void
turn_parts(struct exchange_market *market, int64_t now_ns)
{
    int32_t part = (int32_t)(now_ns / PART_NS);

    for (int32_t n = 0; market->part < part && n < DAY_PARTS; n++)
        market->part_e2[++market->part % DAY_PARTS] = 0;
    if (market->part < part)
        market->part = part;
}

void
exchange_tell_trade(struct kdp_exchange *ex, struct kdp_exchange_trade *trade, bool silent)
{
    struct exchange_market *market = &ex->markets[trade->market];
    struct kdp_exchange_event event = {
        .kind = KDP_EXCHANGE_TRADE, .market = trade->market, .time_ns = trade->time_ns};

    trade->time_ns = trade->time_ns / 1000 * 1000; /* whole microseconds, and never back */
    if (trade->time_ns < ex->last_ns)
        trade->time_ns = (ex->last_ns + 999) / 1000 * 1000;
    event.time_ns = trade->time_ns;
    ex->last_ns = trade->time_ns;
    if (ex->log_count - ex->log_oldest == LOG_MAX) {
        ex->log_oldest++;
        ex->stats.trades_forgotten++;
    }
    ex->log[ex->log_count % LOG_MAX] = *trade;
    ex->log_before[ex->log_count % LOG_MAX] = market->trades_end;
    event.trade = &ex->log[ex->log_count % LOG_MAX];
    market->trades++;
    market->trades_end = ++ex->log_count;
    turn_parts(market, trade->time_ns);
    exchange_add(&market->part_e2[market->part % DAY_PARTS], trade->count_e2);
    if (!silent)
        exchange_tell(ex, &event);
}

/* ---- life ---- */

int
kdp_exchange_open(struct kdp_exchange **exchangep, const struct kdp_exchange_config *config)
{
    struct kdp_exchange *ex;
    int rc;

    *exchangep = NULL;
    if (config->markets == 0 && config->input_count == 0 && !config->empty) {
        rc = kdpi_fail(KDP_EUSAGE, "no source for the exchange: neither markets to make up nor a recording");
        kdpi_hint("Give a number of markets, or a recording to serve, or both");
        return rc;
    }
    ex = calloc(1, sizeof *ex);
    if (ex == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the exchange");
    ex->config = *config;
    if (ex->config.speed <= 0)
        ex->config.speed = 1;
    ex->clock_ns = config->now_ns;
    ex->last_ns = INT64_MIN;
    ex->texts = calloc(1, sizeof *ex->texts);
    ex->log = kdpi_reserve(LOG_MAX * sizeof *ex->log); /* pages are taken as trades come */
    ex->log_before = kdpi_reserve(LOG_MAX * sizeof *ex->log_before);
    rc = kdpi_fail(KDP_ENOMEM, "no memory for the exchange");
    if (ex->texts == NULL || ex->log == NULL || ex->log_before == NULL || !grow_heads(ex, config->markets))
        goto err;
    if (config->markets > 0) {
        rc = exchange_made_open(ex);
        if (rc != 0)
            goto err;
    }
    if (config->input_count > 0) {
        rc = exchange_recorded_open(ex);
        if (rc != 0)
            goto err;
    }
    *exchangep = ex;
    return 0;
err:
    kdp_exchange_close(ex);
    return rc;
}

void
kdp_exchange_close(struct kdp_exchange *ex)
{
    if (ex == NULL)
        return;
    exchange_made_close(ex);
    exchange_recorded_close(ex);
    kdpi_unreserve(ex->log, LOG_MAX * sizeof *ex->log);
    kdpi_unreserve(ex->log_before, LOG_MAX * sizeof *ex->log_before);
    free(ex->texts);
    free(ex->markets);
    free(ex->heads);
    free(ex);
}

void
kdp_exchange_listen(struct kdp_exchange *ex, kdp_exchange_listener listener, void *arg)
{
    ex->listener = listener;
    ex->listener_arg = arg;
}

int64_t
kdp_exchange_run(struct kdp_exchange *ex, int64_t now_ns, unsigned max)
{
    uint64_t end = max == 0 ? UINT64_MAX : ex->told + max;

    if (ex->error != 0)
        return ex->error;
    if (now_ns > ex->clock_ns)
        ex->clock_ns = now_ns;
    for (;;) {
        int64_t made = exchange_made_due(ex), recorded = exchange_recorded_due(ex);
        int64_t due = made < recorded ? made : recorded;

        if (due > now_ns || ex->told >= end)
            return due;
        if (made <= recorded) {
            exchange_made_step(ex);
        } else {
            int rc = exchange_recorded_step(ex);

            if (rc < 0) {
                ex->error = rc;
                return rc;
            }
        }
    }
}

/* ---- state ---- */

uint32_t
kdp_exchange_market_count(const struct kdp_exchange *ex)
{
    return ex->market_count;
}

/* What time alone tells: an order book opens and closes by the clock, and nothing is said about it. */
static uint8_t
status_now(const struct exchange_market *market, int64_t now_ns)
{
    if (market->state != KDP_MARKET_STATUS_ACTIVE)
        return market->state;
    if (market->open_ns != KDP_TIME_NULL && now_ns < market->open_ns)
        return KDP_MARKET_STATUS_INITIALIZED;
    if (market->close_ns != KDP_TIME_NULL && now_ns >= market->close_ns)
        return KDP_MARKET_STATUS_CLOSED;
    return market->held ? KDP_MARKET_STATUS_INACTIVE : KDP_MARKET_STATUS_ACTIVE;
}

void
kdp_exchange_market_at(const struct kdp_exchange *ex, uint32_t index, struct kdp_exchange_market *out)
{
    const struct exchange_market *market = &ex->markets[index];
    int32_t part = (int32_t)(ex->clock_ns / PART_NS);
    size_t len;

    memset(out, 0, sizeof *out);
    out->ticker = kdp_exchange_ticker(ex, index, &len);
    kdp_exchange_market_id(ex, index, out->market_id);
    out->status = status_now(market, ex->clock_ns);
    out->result = market->result;
    out->combo = market->combo;
    out->created_ns = market->created_ns;
    out->open_ns = market->open_ns;
    out->close_ns = market->close_ns;
    out->determined_ns = market->determined_ns;
    out->settled_ns = market->settled_ns;
    out->updated_ns = market->updated_ns;
    out->settlement_value_e6 = market->settlement_value_e6;
    out->floor_strike_e6 = out->cap_strike_e6 = KDP_INT64_NULL;
    out->trades = market->trades;
    for (int32_t p = part; p > part - DAY_PARTS; p--) {
        if (p <= market->part && p > market->part - DAY_PARTS && p >= 0)
            exchange_add(&out->volume_24h_e2, market->part_e2[p % DAY_PARTS]);
    }
    if (market->made != NOWHERE)
        exchange_made_look(ex, index, out);
    else
        exchange_recorded_look(ex, index, out);
}

uint64_t
kdp_exchange_trade_count(const struct kdp_exchange *ex)
{
    return ex->log_count;
}

uint64_t
kdp_exchange_trade_oldest(const struct kdp_exchange *ex)
{
    return ex->log_oldest;
}

const struct kdp_exchange_trade *
kdp_exchange_trade_at(const struct kdp_exchange *ex, uint64_t number)
{
    return number >= ex->log_oldest && number < ex->log_count ? &ex->log[number % LOG_MAX] : NULL;
}

static uint64_t
kept(const struct kdp_exchange *ex, uint64_t end) /* end: one more than its number, 0: none */
{
    return end > ex->log_oldest ? end - 1 : UINT64_MAX;
}

uint64_t
kdp_exchange_trade_last(const struct kdp_exchange *ex, uint32_t market)
{
    return kept(ex, ex->markets[market].trades_end);
}

uint64_t
kdp_exchange_trade_before(const struct kdp_exchange *ex, uint64_t number)
{
    return kept(ex, ex->log_before[number % LOG_MAX]);
}

size_t
kdp_exchange_memory(const struct kdp_exchange *ex)
{
    uint64_t log = ex->log_count < LOG_MAX ? ex->log_count : LOG_MAX;

    return sizeof *ex + sizeof *ex->texts + ex->market_room * sizeof *ex->markets +
           ex->head_count * sizeof *ex->heads + log * (sizeof *ex->log + sizeof *ex->log_before) +
           exchange_made_memory(ex) + exchange_recorded_memory(ex);
}

void
kdp_exchange_stats(const struct kdp_exchange *ex, struct kdp_exchange_stats *stats)
{
    *stats = ex->stats;
}

/* ---- acts ---- */

void
kdp_exchange_mass_cancel(struct kdp_exchange *ex, uint32_t index)
{
    if (ex->markets[index].made != NOWHERE)
        exchange_made_cancel(ex, index);
    else
        exchange_recorded_cancel(ex, index);
}

void
kdp_exchange_change_ticks(struct kdp_exchange *ex, uint32_t index)
{
    if (ex->markets[index].made != NOWHERE)
        exchange_made_ticks(ex, index);
    else
        exchange_recorded_ticks(ex, index);
}

int
kdp_exchange_burst(struct kdp_exchange *ex, unsigned events)
{
    uint64_t before = ex->told;

    if (ex->made == NULL)
        return kdpi_fail(KDP_EUSAGE, "no burst: this exchange has no generated part");
    exchange_made_burst(ex, events);
    return (int)(ex->told - before);
}

void
kdp_exchange_trade(struct kdp_exchange *ex, uint32_t index, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (ex->markets[index].made != NOWHERE)
            exchange_made_trade(ex, index);
        else
            exchange_recorded_trade(ex, index);
    }
}

int
kdp_exchange_act(struct kdp_exchange *ex, enum kdp_exchange_act act, uint32_t index)
{
    if (ex->made == NULL || (index != NOWHERE && ex->markets[index].made == NOWHERE))
        return kdpi_fail(KDP_EUSAGE, "a recorded market does what it did: this is for made-up ones");
    return exchange_made_act(ex, act, index);
}
