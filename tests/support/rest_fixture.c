/* rest_fixture.c - see rest_fixture.h. */
#include "rest_fixture.h"

#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct kdp_rest_end rest_end;
unsigned rest_stop_after;

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
    if (strcmp(what, "trades") == 0)
        kdpi_rest_trades(rest_reader(), copy, len, each_trade, &rest_end, &rest_end);
    else if (strcmp(what, "markets") == 0)
        kdpi_rest_markets(rest_reader(), copy, len, each_market, &rest_end, &rest_end);
    else if (strcmp(what, "books") == 0)
        kdpi_rest_books(rest_reader(), copy, len, each_book, &rest_end, &rest_end);
    else
        kdpi_rest_events(rest_reader(), copy, len, each_event, &rest_end, &rest_end);
    free(copy);
    CHECK_INT(rest_end.items, items);
    CHECK(rest_end.member != NULL);
    CHECK(memchr(rest_end.cursor, '\0', sizeof rest_end.cursor) != NULL);
    return lines;
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
