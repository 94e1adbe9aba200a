/* test_rest.c - REST bodies: trades, markets, books, events, errors; the schedule is in test_rest_time.c. */
#include "rest.h"

#include "clock.h"
#include "kdp_test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct kdp_rest_reader *reader;
static struct kdp_rest_end end;

/* Items as text, one a line, so that a case shows all it got. */
static char got[1 << 16];
static size_t got_len;
static uint32_t stop_after; /* 0: never */

static void
begin(void)
{
    if (reader == NULL)
        reader = kdpi_rest_open();
    CHECK(reader != NULL);
    got[got_len = 0] = '\0';
    memset(&end, 0xee, sizeof end);
}

__attribute__((format(printf, 1, 2))) static bool
put(const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(got + got_len, sizeof got - got_len, fmt, args);
    va_end(args);
    CHECK(n >= 0 && (size_t)n < sizeof got - got_len);
    got_len += (size_t)n;
    return stop_after == 0 || --stop_after > 0;
}

#define TEXT(t) (int)(t).len, (t).data

static bool
put_trade(void *arg, const struct kdp_message *m)
{
    char at[KDPI_TIME_TEXT];

    CHECK(arg == &end);
    CHECK_INT(m->kind, KDP_MESSAGE_TRADE);
    kdpi_time_format(at, m->exch_ns, 9);
    return put("%.*s %02x%02x %d x %lld %s %s%s\n", TEXT(m->market_ticker), m->trade.trade_id[0],
               m->trade.trade_id[15], m->trade.price_e4, (long long)m->trade.count_e2,
               m->trade.taker_side == KDP_SIDE_YES  ? "yes"
               : m->trade.taker_side == KDP_SIDE_NO ? "no"
                                                    : "-",
               at, m->trade.block ? " block" : "");
}

static void
trades(const char *body)
{
    begin();
    kdpi_rest_trades(reader, body, strlen(body), put_trade, &end, &end);
}

#define TRADE(id, ticker, members)                                                                       \
    "{\"trade_id\":\"" id "-8a5e-4a7e-9a51-0c2b7a6f9d10\",\"ticker\":\"" ticker "\",\"created_time\":\"" \
    "2026-11-20T14:03:07.412345Z\"" members "}"

KDP_TEST(trades_of_a_page)
{
    trades("{\"trades\":[" TRADE(
        "5b0e7c1e", "KXDEMO-26DEC01-T3",
        ",\"count_fp\":\"12.50\",\"yes_price_dollars\":\"0.4350\",\"no_price_dollars\":"
        "\"0.5650\",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\","
        "\"is_block_trade\":false") "," TRADE("00000001", "A",
                                              ",\"count_fp\":3,\"no_price_dollars\":0.01,\"taker_book_side\":"
                                              "\"ask\","
                                              "\"is_block_trade\":true,\"new_member\":{\"a\":[1,{}]},\"taker_"
                                              "side\":null") "],\"cursor\":\"Cg0I=\"}");
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(got, "KXDEMO-26DEC01-T3 5b10 4350 x 1250 yes 2026-11-20T14:03:07.412345000Z\n"
                   "A 0010 9900 x 300 no 2026-11-20T14:03:07.412345000Z block\n");
    CHECK_STR(end.cursor, "Cg0I=");
    CHECK_INT(end.items, 2);
    CHECK_INT(end.refused, 0);
}

static bool
put_market(void *arg, const struct kdp_rest_market *m)
{
    (void)arg;
    return put("%.*s of %.*s status %u bid %d x %lld ask %d ranges %u close %lld\n", TEXT(m->ticker),
               TEXT(m->event_ticker), m->status, m->bid_e4, (long long)m->bid_size_e2, m->ask_e4,
               m->range_count, (long long)m->close_ns);
}

KDP_TEST(a_market_alone)
{
    static const char body[] = "{\"market\":{\"ticker\":\"A-1\",\"event_ticker\":\"A\",\"status\":\"active\","
                               "\"rules_primary\":\"If \\\"x\\\"\\n\","
                               "\"yes_bid_dollars\":\"0.4200\",\"yes_bid_size_fp\":\"87.00\",\"yes_ask_"
                               "dollars\":\"\",\"close_time\":"
                               "\"1970-01-01T00:00:01Z\",\"price_ranges\":[{\"start\":\"0.0000\",\"end\":\"1."
                               "0000\",\"step\":\"0.0010\"}]}}";

    begin();
    kdpi_rest_markets(reader, body, strlen(body), put_market, NULL, &end);
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(got, "A-1 of A status 2 bid 4200 x 8700 ask -2147483648 ranges 1 close 1000000000\n");
}

static bool
put_book(void *arg, const struct kdp_rest_book *book)
{
    (void)arg;
    put("%.*s:", TEXT(book->ticker));
    for (uint32_t i = 0; i < book->count; i++)
        put(" %c%d x %lld", book->levels[i].side == KDP_SIDE_YES ? 'Y' : 'N', book->levels[i].price_e4,
            (long long)book->levels[i].size_e2);
    return put("\n");
}

static void
books(const char *body)
{
    begin();
    kdpi_rest_books(reader, body, strlen(body), put_book, NULL, &end);
}

KDP_TEST(books_in_both_forms)
{
    books(
        "{\"orderbook_fp\":{\"yes_dollars\":[[\"0.0100\",\"500.00\"],[\"0.4150\",\"12.50\"]],\"no_dollars\":"
        "[[\"0.5600\",\"33.25\"]]}}");
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(got, ": Y100 x 50000 Y4150 x 1250 N5600 x 3325\n");
    books("{\"orderbooks\":[{\"ticker\":\"A\",\"orderbook_fp\":{\"yes_dollars\":null,\"no_dollars\":[]}},{"
          "\"orderbook_fp\":"
          "{\"no_dollars\":[[\"0.9980\",\"300.00\"]]},\"ticker\":\"B\"}]}");
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(got, "A:\nB: N9980 x 30000\n");
}
