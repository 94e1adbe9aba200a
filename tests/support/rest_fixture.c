/* rest_fixture.c - see rest_fixture.h. */
#include "rest_fixture.h"

#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct kdp_rest_end rest_end;
unsigned rest_stop_after;
bool rest_terms;
int64_t rest_number;

static char lines[4 << 20];
static size_t used;
static unsigned items;

__attribute__((format(printf, 1, 2))) static void
put(const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(lines + used, sizeof lines - used, fmt, args);
    va_end(args);
    CHECK(n >= 0 && (size_t)n < sizeof lines - used);
    used += (size_t)n;
}

/* name=value, unless it is null */
static void
put_number(const char *name, int64_t value, int64_t null)
{
    if (value != null)
        put(" %s=%lld", name, (long long)value);
}

static void
put_text(const char *name, struct kdp_text text)
{
    if (text.len != 0)
        put(" %s=\"%.*s\"", name, (int)text.len, text.data);
}

static void
put_time(const char *name, int64_t ns)
{
    char buf[KDPI_TIME_TEXT];

    if (ns == KDP_TIME_NULL)
        return;
    kdpi_time_format(buf, ns, ns % KDP_NS_PER_S != 0 ? 6 : 0);
    put(" %s=%s", name, buf);
}

static bool
end_line(void)
{
    put("\n");
    return ++items != rest_stop_after;
}

static bool
each_trade(void *arg, const struct kdp_message *m)
{
    static const char *const sides[] = {"-", "yes", "no"};

    CHECK(arg == &rest_end);
    CHECK_INT(m->kind, KDP_MESSAGE_TRADE);
    CHECK_INT(m->refusal, KDP_REFUSAL_NONE);
    CHECK(m->ts_ms == m->exch_ns / KDP_NS_PER_MS);
    put("%.*s", (int)m->market_ticker.len, m->market_ticker.data);
    put(" %02x%02x..%02x%s", m->trade.trade_id[0], m->trade.trade_id[1], m->trade.trade_id[15],
        m->trade.trade_id_hashed ? " hashed" : "");
    put(" %d x %lld %s", m->trade.price_e4, (long long)m->trade.count_e2, sides[m->trade.taker_side]);
    put_time("at", m->exch_ns);
    if (m->trade.block)
        put(" block");
    return end_line();
}

static bool
each_market(void *arg, const struct kdp_rest_market *m)
{
    CHECK(arg == &rest_end);
    put("%.*s", (int)m->ticker.len, m->ticker.data);
    put_text("event", m->event_ticker);
    put_text("title", m->title);
    put_text("yes", m->yes_sub_title);
    put_text("no", m->no_sub_title);
    put_text("structure", m->structure);
    put_text("mve", m->mve_collection);
    put_number("status", m->status, 0);
    put_number("result", m->result, 0);
    put_number("strike", m->strike_type, 0);
    put_number("early", m->can_close_early, -1);
    put_number("index", m->exchange_index, -1);
    put_number("provisional", m->provisional, 0);
    put_time("open", m->open_ns);
    put_time("close", m->close_ns);
    put_time("expiry", m->expiry_ns);
    put_time("settled", m->settlement_ns);
    put_number("floor", m->floor_strike_e6, KDP_INT64_NULL);
    put_number("cap", m->cap_strike_e6, KDP_INT64_NULL);
    put_number("value", m->settlement_value_e6, KDP_INT64_NULL);
    put_number("volume", m->volume_e2, KDP_INT64_NULL);
    put_number("day", m->volume_24h_e2, KDP_INT64_NULL);
    put_number("interest", m->open_interest_e2, KDP_INT64_NULL);
    put_number("bid", m->bid_e4, KDP_PRICE_NULL);
    put_number("bid_size", m->bid_size_e2, KDP_INT64_NULL);
    put_number("ask", m->ask_e4, KDP_PRICE_NULL);
    put_number("ask_size", m->ask_size_e2, KDP_INT64_NULL);
    put_number("last", m->last_e4, KDP_PRICE_NULL);
    for (uint32_t i = 0; i < m->range_count; i++)
        put(" %d..%d/%d", m->ranges[i].start_e4, m->ranges[i].end_e4, m->ranges[i].step_e4);
    if (rest_terms) {
        put_time("created", m->created_ns);
        put_time("updated", m->updated_ns);
    }
    put_text("subtitle", m->subtitle);
    put_text("rules", m->rules_primary);
    put_text("rules2", m->rules_secondary);
    put_text("early_close", m->early_close_condition);
    put_text("expired", m->expiration_value);
    put_text("functional", m->functional_strike);
    put_text("custom", m->custom_strike);
    put_text("legs", m->legs);
    put_text("bounds", m->settlement_bounds);
    put_text("participant", m->primary_participant);
    return end_line();
}

static bool
each_book(void *arg, const struct kdp_rest_book *book)
{
    CHECK(arg == &rest_end);
    put("%.*s:", (int)book->ticker.len, book->ticker.data);
    for (uint32_t i = 0; i < book->count; i++)
        put(" %c%dx%lld", book->levels[i].side == KDP_SIDE_YES ? 'Y' : 'N', book->levels[i].price_e4,
            (long long)book->levels[i].size_e2);
    return end_line();
}

static bool
each_event(void *arg, const struct kdp_rest_event *event)
{
    CHECK(arg == &rest_end);
    put("%.*s", (int)event->event_ticker.len, event->event_ticker.data);
    put_text("series", event->series_ticker);
    put_text("title", event->title);
    put_text("sub", event->sub_title);
    put_text("category", event->category);
    put_text("collateral", event->collateral);
    put_text("period", event->strike_period);
    put_time("date", event->strike_date_ns);
    put_number("exclusive", event->mutually_exclusive, -1);
    put_number("index", event->exchange_index, -1);
    return end_line();
}

static bool
each_series(void *arg, const struct kdp_rest_series *series)
{
    CHECK(arg == &rest_end);
    put("%.*s", (int)series->ticker.len, series->ticker.data);
    put_text("title", series->title);
    put_text("category", series->category);
    put_text("frequency", series->frequency);
    put_text("fee", series->fee_type);
    put_number("multiplier", series->fee_multiplier_e6, KDP_INT64_NULL);
    put_text("contract", series->contract_url);
    put_text("terms", series->contract_terms_url);
    put_text("tags", series->tags);
    put_text("sources", series->settlement_sources);
    put_text("prohibited", series->additional_prohibitions);
    put_number("volume", series->volume_e2, KDP_INT64_NULL);
    put_number("index", series->exchange_index, -1);
    return end_line();
}

static bool
each_fee_change(void *arg, const struct kdp_rest_fee_change *change)
{
    CHECK(arg == &rest_end);
    put("%.*s%s", (int)change->ticker.len, change->ticker.data, change->event ? " event" : "");
    put_text("id", change->id);
    put_text("fee", change->fee_type);
    put_number("multiplier", change->fee_multiplier_e6, KDP_INT64_NULL);
    put_time("from", change->scheduled_ns);
    return end_line();
}

static void
put_price(const char *before, int32_t price)
{
    if (price == KDP_PRICE_NULL)
        put("%s-", before);
    else
        put("%s%d", before, price);
}

static void
put_ohlc(const char *name, const struct kdp_rest_ohlc *ohlc)
{
    if (ohlc->open_e4 == KDP_PRICE_NULL && ohlc->high_e4 == KDP_PRICE_NULL &&
        ohlc->low_e4 == KDP_PRICE_NULL && ohlc->close_e4 == KDP_PRICE_NULL)
        return;
    put(" %s=", name);
    put_price("", ohlc->open_e4);
    put_price("/", ohlc->high_e4);
    put_price("/", ohlc->low_e4);
    put_price("/", ohlc->close_e4);
}

static bool
each_candle(void *arg, const struct kdp_rest_candle *candle)
{
    CHECK(arg == &rest_end);
    put("%.*s@%lld", (int)candle->ticker.len, candle->ticker.data,
        (long long)(candle->end_ns / KDP_NS_PER_S));
    put_ohlc("bid", &candle->bid);
    put_ohlc("ask", &candle->ask);
    put_ohlc("price", &candle->price);
    put_number("mean", candle->mean_e6, KDP_INT64_NULL);
    put_number("previous", candle->previous_e4, KDP_PRICE_NULL);
    put_number("min", candle->min_e4, KDP_PRICE_NULL);
    put_number("max", candle->max_e4, KDP_PRICE_NULL);
    put_number("volume", candle->volume_e2, KDP_INT64_NULL);
    put_number("interest", candle->open_interest_e2, KDP_INT64_NULL);
    return end_line();
}

static bool
each_cost(void *arg, const struct kdp_rest_cost *cost)
{
    CHECK(arg == &rest_end);
    put("%.*s %.*s %lld", (int)cost->method.len, cost->method.data, (int)cost->path.len, cost->path.data,
        (long long)cost->cost);
    return end_line();
}

struct kdp_rest_reader *
rest_reader(void)
{
    static struct kdp_rest_reader *reader;

    if (reader == NULL)
        reader = kdpi_rest_open();
    CHECK(reader != NULL);
    return reader;
}

const char *
rest_lines(const char *what, const char *body, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);

    CHECK(copy != NULL);
    memcpy(copy, body, len);
    lines[used = 0] = '\0';
    items = 0;
    memset(&rest_end, 0xee, sizeof rest_end);
    kdpi_rest_want_terms(rest_reader(), rest_terms);
    if (strcmp(what, "trades") == 0)
        kdpi_rest_trades(rest_reader(), copy, len, each_trade, &rest_end, &rest_end);
    else if (strcmp(what, "markets") == 0)
        kdpi_rest_markets(rest_reader(), copy, len, each_market, &rest_end, &rest_end);
    else if (strcmp(what, "books") == 0)
        kdpi_rest_books(rest_reader(), copy, len, each_book, &rest_end, &rest_end);
    else if (strcmp(what, "events") == 0)
        kdpi_rest_events(rest_reader(), copy, len, each_event, &rest_end, &rest_end);
    else if (strcmp(what, "event markets") == 0)
        kdpi_rest_event_markets(rest_reader(), copy, len, each_market, &rest_end, &rest_end);
    else if (strcmp(what, "series") == 0)
        kdpi_rest_series(rest_reader(), copy, len, each_series, &rest_end, &rest_end);
    else if (strcmp(what, "fee changes") == 0)
        kdpi_rest_fee_changes(rest_reader(), copy, len, each_fee_change, &rest_end, &rest_end);
    else if (strcmp(what, "candles") == 0)
        kdpi_rest_candles(rest_reader(), copy, len, each_candle, &rest_end, &rest_end, &rest_number);
    else if (strcmp(what, "costs") == 0)
        kdpi_rest_costs(rest_reader(), copy, len, each_cost, &rest_end, &rest_end, &rest_number);
    else
        CHECK_STR(what, "a kind of body");
    free(copy);
    CHECK_INT(rest_end.items, items);
    CHECK(rest_end.member != NULL);
    CHECK(memchr(rest_end.cursor, '\0', sizeof rest_end.cursor) != NULL);
    return lines;
}

const char *
rest_decode(const char *what, const char *body)
{
    return rest_lines(what, body, strlen(body));
}

const char *
rest_trades(const char *body)
{
    return rest_lines("trades", body, strlen(body));
}

const char *
rest_markets(const char *body)
{
    return rest_lines("markets", body, strlen(body));
}

const char *
rest_books(const char *body)
{
    return rest_lines("books", body, strlen(body));
}

const char *
rest_events(const char *body)
{
    return rest_lines("events", body, strlen(body));
}
