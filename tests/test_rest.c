/* test_rest.c - REST bodies: pages, trades, books, events, errors; markets are in test_rest_market.c, the schedule in
 * test_rest_time.c. */
#include "rest_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define ID "-8a5e-4a7e-9a51-0c2b7a6f9d10"
#define TIME "\"created_time\":\"2026-11-20T14:03:07.412345Z\""
#define AT " at=2026-11-20T14:03:07.412345Z"
/* a trade with one value left to say */
#define TRADE(members) "{\"trade_id\":\"5b0e7c1e" ID "\",\"ticker\":\"A\"," TIME "," members "}"
#define FULL "\"count_fp\":\"12.50\",\"yes_price_dollars\":\"0.4350\",\"no_price_dollars\":\"0.5650\""

/* ---- pages ---- */

KDP_TEST(trades_of_a_page)
{
    CHECK_STR(
        rest_trades(
            "{\"trades\":[{\"trade_id\":\"5b0e7c1e" ID "\",\"ticker\":\"KXDEMO-26DEC01-T3\"," FULL
            ",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\",\"taker_side\":\"yes\"," TIME
            ",\"is_block_trade\":false},"
            "{\"count_fp\":3,\"no_price_dollars\":0.0001,\"taker_book_side\":\"ask\",\"is_block_trade\":true,"
            "\"ticker\":\"B\",\"trade_id\":\"not a uuid\",\"created_time\":\"2026-11-20T09:03:07.4-05:00\","
            "\"new_member\":{\"a\":[1,{}]},\"taker_side\":null}],\"cursor\":\"Cg0I=\",\"more\":[[]]}"),
        "KXDEMO-26DEC01-T3 5b0e..10 4350 x 1250 yes" AT "\n"
        "B 5252..a4 hashed 9999 x 300 no at=2026-11-20T14:03:07.400000Z block\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(rest_end.cursor, "Cg0I=");
    CHECK_INT(rest_end.items, 2);
    CHECK_INT(rest_end.refused, 0);
    CHECK_STR(rest_end.member, "");
}

KDP_TEST(the_last_page_has_no_cursor)
{
    static const char *const bodies[] = {"{\"trades\":[],\"cursor\":\"\"}", "{\"trades\":[],\"cursor\":null}",
                                         "{\"trades\":[]}", "{\"cursor\":null,\"trades\":null}"};

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        CHECK_STR(rest_trades(bodies[i]), "");
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
        CHECK_STR(rest_end.cursor, "");
    }
}

KDP_TEST(a_cursor_keeps_its_bytes_or_is_refused)
{
    char body[2048], cursor[1100];

    rest_trades("{\"cursor\":\"a\\\"\\u00e9/+= %\",\"trades\":[]}");
    CHECK_STR(rest_end.cursor, "a\"\xc3\xa9/+= %");
    memset(cursor, 'c', sizeof cursor);
    for (size_t len = 1022; len <= 1024; len++) {
        snprintf(body, sizeof body, "{\"trades\":[],\"cursor\":\"%.*s\"}", (int)len, cursor);
        rest_trades(body);
        CHECK_INT(rest_end.refusal, len <= 1023 ? KDP_REFUSAL_NONE : KDP_REFUSAL_TOO_LONG);
        CHECK_INT(strlen(rest_end.cursor), len <= 1023 ? len : 0);
    }
    CHECK_STR(rest_end.member, "cursor");
    rest_trades("{\"trades\":[],\"cursor\":17}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_TYPE);
    rest_trades("{\"trades\":[],\"cursor\":\"a\\u0000b\"}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_TYPE);
}

static void
refused(const char *body, enum kdp_refusal refusal)
{
    rest_trades(body);
    if (rest_end.refusal != refusal)
        CHECK_STR(body, kdpi_refusal_text(rest_end.refusal));
}

KDP_TEST(bodies_that_are_none)
{
    refused("", KDP_REFUSAL_TRUNCATED);
    refused("  ", KDP_REFUSAL_TRUNCATED);
    refused("null", KDP_REFUSAL_NOT_OBJECT);
    refused("[]", KDP_REFUSAL_NOT_OBJECT);
    refused("\"trades\"", KDP_REFUSAL_NOT_OBJECT);
    refused("<html>", KDP_REFUSAL_SYNTAX);
    refused("{}", KDP_REFUSAL_MISSING);
    CHECK_STR(rest_end.member, "trades");
    refused("{\"error\":\"too many requests\"}", KDP_REFUSAL_MISSING);
    refused("{\"markets\":[]}", KDP_REFUSAL_MISSING);
    refused("{\"trades\":{}}", KDP_REFUSAL_TYPE);
    refused("{\"trades\":\"\"}", KDP_REFUSAL_TYPE);
    refused("{\"trades\":[]} x", KDP_REFUSAL_TRAILING);
    refused("{\"trades\":[]", KDP_REFUSAL_TRUNCATED);
    refused("{\"trades\":[],\"trades\":[]}", KDP_REFUSAL_DUPLICATE_KEY);
    refused("{\"cursor\":\"a\",\"trades\":[],\"cursor\":\"b\"}", KDP_REFUSAL_DUPLICATE_KEY);
    refused("{\"trades\":[" TRADE(FULL ",\"ticker\":\"B\"") "]}", KDP_REFUSAL_DUPLICATE_KEY);
    refused("{\"trades\":[" TRADE(FULL ",\"count\\u005ffp\":\"1.00\"") "]}", KDP_REFUSAL_DUPLICATE_KEY);
    refused("{\"trades\":[" TRADE(FULL) "," TRADE(FULL) "]}",
            KDP_REFUSAL_NONE); /* each item its own object */
    refused("{\"trades\":[" TRADE(FULL ",\"new\":1,\"new\":2") "]}", KDP_REFUSAL_DUPLICATE_KEY);
    refused("{\"trades\":[],\"x\":\"\xff\"}", KDP_REFUSAL_UTF8);
    refused("{\"trades\":[{\"trade_id\":\"\t\"}]}", KDP_REFUSAL_CONTROL);
    refused("{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", KDP_REFUSAL_DEPTH);
}

KDP_TEST(every_cut_of_a_body_is_refused)
{
    static const char *const kinds[] = {"trades", "markets", "books", "events"};
    static const char *const bodies[] = {
        "{\"trades\":[" TRADE(FULL ",\"x\":{\"a\":[1,\"\\u00e9\"]}") "],\"cursor\":\"abc\"}",
        "{\"markets\":[{\"ticker\":\"A\",\"price_ranges\":[{\"start\":\"0\",\"end\":\"1\",\"step\":\"0.01\"}]"
        ",\"title\":\"a\\\"b\"}]}",
        "{\"orderbooks\":[{\"ticker\":\"A\",\"orderbook_fp\":{\"yes_dollars\":[[\"0.1\",\"1\"]],\"no_"
        "dollars\":[]}}]}",
        "{\"events\":[{\"event_ticker\":\"A\",\"markets\":[{\"ticker\":\"A-1\"}]}],\"cursor\":\"\"}"};

    for (size_t i = 0; i < 4; i++) {
        for (size_t len = 0; len < strlen(bodies[i]); len++) {
            rest_lines(kinds[i], bodies[i], len);
            CHECK(rest_end.refusal != KDP_REFUSAL_NONE);
            CHECK(rest_end.position <= len);
        }
        rest_lines(kinds[i], bodies[i], strlen(bodies[i]));
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
        CHECK_INT(rest_end.items, 1);
    }
}

KDP_TEST(a_callback_may_end_the_reading)
{
    rest_stop_after = 2;
    rest_trades("{\"trades\":[" TRADE(FULL) "," TRADE(FULL) "," TRADE(FULL) "],\"cursor\":\"x\"}");
    CHECK_INT(rest_end.items, 2);
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(rest_end.cursor, "");
    rest_stop_after = 0;
    rest_trades("{\"trades\":[" TRADE(FULL) "]}"); /* and the reader is as new */
    CHECK_INT(rest_end.items, 1);
}

/* A page may hold more text with escapes than the reader has memory for, an item may not. */
KDP_TEST(texts_with_escapes_do_not_add_up)
{
    size_t len = 0, title = 3000, count = 1000;
    char *body = malloc(count * (title + 100));
    const char *lines;

    CHECK(body != NULL);
    len += (size_t)sprintf(body + len, "{\"events\":[");
    for (size_t i = 0; i < count; i++) {
        len +=
            (size_t)sprintf(body + len, "%s{\"event_ticker\":\"E%zu\",\"title\":\"\\n", i == 0 ? "" : ",", i);
        memset(body + len, 't', title);
        len += title;
        len += (size_t)sprintf(body + len, "\"}");
    }
    len += (size_t)sprintf(body + len, "]}");
    lines = rest_lines("events", body, len);
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_end.items, count);
    CHECK(strstr(lines, "\nttt") != NULL);
    free(body);
}

/* ---- trades ---- */

static void
item_refused(const char *trade, enum kdp_refusal refusal, const char *member)
{
    char body[2048];

    snprintf(body, sizeof body, "{\"trades\":[" TRADE(FULL) ",%s," TRADE(FULL) "],\"cursor\":\"c\"}", trade);
    CHECK_STR(rest_trades(body), "A 5b0e..10 4350 x 1250 -" AT "\nA 5b0e..10 4350 x 1250 -" AT "\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE); /* the page is whole, the rest of it is good */
    CHECK_STR(rest_end.cursor, "c");
    CHECK_INT(rest_end.refused, 1);
    if (rest_end.item_refusal != refusal)
        CHECK_STR(trade, kdpi_refusal_text(rest_end.item_refusal));
    CHECK_STR(rest_end.member, member);
    CHECK(rest_end.position > strlen(TRADE(FULL)));
}

KDP_TEST(a_value_that_cannot_be_kept_costs_its_trade)
{
    item_refused(TRADE("\"count_fp\":\"12.505\",\"yes_price_dollars\":\"0.4350\""), KDP_REFUSAL_TOO_FINE,
                 "count_fp");
    item_refused(TRADE("\"count_fp\":\"12.50\",\"yes_price_dollars\":\"0.43505\""), KDP_REFUSAL_TOO_FINE,
                 "yes_price_dollars");
    item_refused(TRADE("\"count_fp\":\"12.50\",\"yes_price_dollars\":\"1.0001\""), KDP_REFUSAL_RANGE,
                 "yes_price_dollars");
    item_refused(TRADE("\"count_fp\":\"-1.00\",\"yes_price_dollars\":\"0.5\""), KDP_REFUSAL_RANGE,
                 "count_fp");
    item_refused(TRADE("\"count_fp\":\"99999999999999999999\",\"yes_price_dollars\":\"0.5\""),
                 KDP_REFUSAL_RANGE, "count_fp");
    item_refused(TRADE("\"count_fp\":\"many\",\"yes_price_dollars\":\"0.5\""), KDP_REFUSAL_TYPE, "count_fp");
    item_refused(TRADE("\"count_fp\":[],\"yes_price_dollars\":\"0.5\""), KDP_REFUSAL_TYPE, "count_fp");
    item_refused(TRADE("\"yes_price_dollars\":\"0.5\""), KDP_REFUSAL_MISSING, "count_fp");
    item_refused(TRADE("\"count_fp\":\"1\""), KDP_REFUSAL_MISSING, "yes_price_dollars");
    item_refused(TRADE("\"count_fp\":\"1\",\"yes_price_dollars\":\"0.5\",\"no_price_dollars\":\"0.4\""),
                 KDP_REFUSAL_CONFLICT, "no_price_dollars");
    item_refused(TRADE(FULL ",\"taker_outcome_side\":\"maybe\""), KDP_REFUSAL_ENUM, "taker_outcome_side");
    item_refused(TRADE(FULL ",\"is_block_trade\":\"yes\""), KDP_REFUSAL_TYPE, "is_block_trade");
    item_refused("{\"trade_id\":\"x\",\"ticker\":\"A\"," FULL "}", KDP_REFUSAL_MISSING, "created_time");
    item_refused("{\"trade_id\":\"x\",\"ticker\":\"A\"," FULL ",\"created_time\":\"noon\"}", KDP_REFUSAL_TIME,
                 "created_time");
    item_refused("{\"trade_id\":\"x\"," TIME "," FULL "}", KDP_REFUSAL_MISSING, "market_ticker");
    item_refused("{\"ticker\":\"A\"," TIME "," FULL "}", KDP_REFUSAL_MISSING, "trade_id");
    item_refused("null", KDP_REFUSAL_TYPE, "trades");
    item_refused("[1]", KDP_REFUSAL_TYPE, "trades");
}

KDP_TEST(trades_of_older_forms)
{
    CHECK_STR(
        rest_trades(
            "{\"trades\":[{\"count\":7,\"created_time\":\"2026-01-12T15:00:20.897212Z\",\"no_price\":94,"
            "\"no_price_dollars\":\"0.9400\",\"price\":0.06,\"taker_side\":\"no\",\"ticker\":\"KXOLD-99\","
            "\"trade_id\":\"5b0e7c1e" ID "\",\"yes_price\":6,\"yes_price_dollars\":\"0.0600\"}]}"),
        "KXOLD-99 5b0e..10 600 x 700 no at=2026-01-12T15:00:20.897212Z\n");
    /* cents alone */
    CHECK_STR(
        rest_trades(
            "{\"trades\":[{\"count\":7,\"created_time\":\"2026-01-12T15:00:20Z\",\"taker_side\":\"yes\","
            "\"ticker\":\"KXOLD-99\",\"trade_id\":\"5b0e7c1e" ID "\",\"yes_price\":6}]}"),
        "KXOLD-99 5b0e..10 600 x 700 yes at=2026-01-12T15:00:20Z\n");
}

/* ---- books ---- */

KDP_TEST(books_in_both_forms)
{
    CHECK_STR(rest_books("{\"orderbook_fp\":{\"yes_dollars\":[[\"0.0100\",\"500.00\"],[\"0.4150\",\"12.50\"]]"
                         ",\"no_dollars\":"
                         "[[\"0.5600\",\"33.25\"]]}}"),
              ": Y100x50000 Y4150x1250 N5600x3325\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_STR(
        rest_books(
            "{\"orderbooks\":[{\"ticker\":\"A\",\"orderbook_fp\":{\"yes_dollars\":null,\"no_dollars\":[]}},"
            "{\"orderbook_fp\":{\"no_dollars\":[[0.998,300]]},\"ticker\":\"B\",\"x\":1},"
            "{\"ticker\":\"C\",\"orderbook_fp\":null}]}"),
        "A:\nB: N9980x30000\nC:\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_end.items, 3);
}

KDP_TEST(books_of_older_forms)
{
    CHECK_STR(rest_books("{\"orderbook\":{\"no\":[[56,33]],\"no_dollars\":[[\"0.5600\",33]],\"yes\":null,"
                         "\"yes_dollars\":null}}"),
              ": N5600x3300\n");
    CHECK_STR(rest_books("{\"orderbook\":{\"yes\":[[42,13]],\"no\":[]}}"), ": Y4200x1300\n");
    /* of both the new one counts, in either order */
    CHECK_STR(rest_books("{\"orderbook\":{\"yes\":[[42,13]]},\"orderbook_fp\":{\"yes_dollars\":[[\"0.4250\","
                         "\"12.50\"]]}}"),
              ": Y4250x1250\n");
    CHECK_STR(rest_books("{\"orderbook_fp\":{\"yes_dollars\":[[\"0.4250\",\"12.50\"]]},\"orderbook\":{"
                         "\"yes\":[[42,13]]}}"),
              ": Y4250x1250\n");
}

KDP_TEST(a_level_that_cannot_be_kept_costs_its_book)
{
    static const char *const levels[] = {"[\"0.42005\",\"1.00\"]",
                                         "[\"0.42\",\"1.005\"]",
                                         "[\"1.01\",\"1\"]",
                                         "[\"0.42\",\"-1\"]",
                                         "[\"0.42\"]",
                                         "[\"0.42\",\"1\",\"1\"]",
                                         "\"0.42\"",
                                         "[null,\"1\"]",
                                         "{}"};
    char body[512];

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        snprintf(
            body, sizeof body,
            "{\"orderbooks\":[{\"ticker\":\"A\",\"orderbook_fp\":{\"yes_dollars\":[[\"0.1\",\"1\"],%s]}},"
            "{\"ticker\":\"B\",\"orderbook_fp\":{\"yes_dollars\":[[\"0.1\",\"1\"]]}}]}",
            levels[i]);
        CHECK_STR(rest_books(body), "B: Y1000x100\n");
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
        CHECK_INT(rest_end.refused, 1);
        CHECK_STR(rest_end.member, "yes_dollars");
        snprintf(body, sizeof body, "{\"orderbook_fp\":{\"yes_dollars\":[[\"0.1\",\"1\"],%s]}}", levels[i]);
        CHECK_STR(rest_books(body), "");
        CHECK_INT(rest_end.refused, 1);
    }
}

KDP_TEST(books_that_say_too_little_or_too_much)
{
    CHECK_STR(rest_books("{\"orderbooks\":[{\"ticker\":\"A\"},{\"orderbook_fp\":{}}]}"), "");
    CHECK_INT(rest_end.refused, 2);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_MISSING);
    CHECK_STR(rest_end.member, "orderbook_fp");
    rest_books("{\"cursor\":\"\"}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_MISSING);
    rest_books("{\"orderbook_fp\":{},\"orderbook_fp\":{}}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_DUPLICATE_KEY);
    rest_books("{\"orderbook_fp\":{\"yes_dollars\":[],\"yes_dollars\":[]}}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_DUPLICATE_KEY);
    rest_books("{\"orderbooks\":[{\"ticker\":\"A\",\"ticker\":\"B\",\"orderbook_fp\":{}}]}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_DUPLICATE_KEY);
    rest_books("{\"orderbook_fp\":[]}");
    CHECK_INT(rest_end.refused, 1);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TYPE);
}

/* Both sides of the finest grid fit; one level more is refused, not written behind the end. */
KDP_TEST(a_book_has_a_bound)
{
    char *body = malloc((KDPI_LEVELS_MAX + 2) * 16 + 100);
    size_t len = 0;

    CHECK(body != NULL);
    len += (size_t)sprintf(body, "{\"orderbook_fp\":{\"yes_dollars\":[[0,1]");
    for (uint32_t i = 1; i < KDPI_LEVELS_MAX; i++)
        len += (size_t)sprintf(body + len, ",[0.%04u,1]", i % 10000);
    strcpy(body + len, "]}}");
    rest_lines("books", body, len + 3);
    CHECK_INT(rest_end.items, 1);
    strcpy(body + len, ",[1,1]]}}");
    rest_lines("books", body, len + 9);
    CHECK_INT(rest_end.items, 0);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TOO_LONG);
    free(body);
}

/* ---- events ---- */

KDP_TEST(events_and_one_event)
{
    CHECK_STR(rest_events("{\"events\":[{\"event_ticker\":\"KXDEMO-26DEC01\",\"series_ticker\":\"KXDEMO\","
                          "\"title\":\"A \\\"t\\\"\","
                          "\"markets\":[{\"ticker\":\"X\",\"title\":\"no\"}],\"settlement_sources\":null},"
                          "{\"event_ticker\":\"B\",\"title\":null}],\"milestones\":[],\"cursor\":\"next\"}"),
              "KXDEMO-26DEC01 series=\"KXDEMO\" title=\"A \"t\"\"\nB\n");
    CHECK_STR(rest_end.cursor, "next");
    CHECK_STR(rest_events("{\"event\":{\"event_ticker\":\"B\",\"series_ticker\":\"S\"},\"markets\":[]}"),
              "B series=\"S\"\n");
    CHECK_STR(rest_events("{\"events\":[{\"title\":\"t\"},{\"event_ticker\":7},{\"event_ticker\":\"C\"}]}"),
              "C\n");
    CHECK_INT(rest_end.refused, 2);
    CHECK_STR(rest_end.member, "event_ticker");
}

/* ---- what the exchange says of itself ---- */

static enum kdp_refusal
status_of(const char *body, struct kdp_rest_status *status)
{
    return kdpi_rest_status(rest_reader(), body, strlen(body), status);
}

KDP_TEST(status_of_the_exchange)
{
    struct kdp_rest_status status;

    CHECK_INT(
        status_of(
            "{\"exchange_active\":true,\"trading_active\":true,\"intra_exchange_transfers_active\":true,"
            "\"exchange_estimated_resume_time\":null,\"exchange_index_statuses\":[{\"exchange_index\":0,"
            "\"description\":\"Default\",\"exchange_active\":true,\"trading_active\":true},{\"exchange_"
            "index\":2,"
            "\"exchange_active\":true,\"trading_active\":false},{\"exchange_active\":false,\"trading_"
            "active\":true}]}",
            &status),
        KDP_REFUSAL_NONE);
    CHECK(status.exchange_active && status.trading_active);
    CHECK_INT(status.shards, 3);
    CHECK_INT(status.shards_trading, 1);
    CHECK_INT(status.resume_ns, KDP_TIME_NULL);
    CHECK_INT(status_of("{\"exchange_active\":true,\"trading_active\":false,\"exchange_estimated_resume_"
                        "time\":\"2026-11-26T10:"
                        "00:00Z\"}",
                        &status),
              KDP_REFUSAL_NONE);
    CHECK(status.exchange_active && !status.trading_active);
    CHECK_INT(status.shards, 0);
    CHECK_INT(status.resume_ns, INT64_C(1795687200000000000));
    CHECK_INT(status_of("{\"trading_active\":true}", &status), KDP_REFUSAL_MISSING);
    CHECK_INT(status_of("{\"exchange_active\":\"yes\"}", &status), KDP_REFUSAL_TYPE);
    CHECK_INT(status_of("{\"exchange_active\":true,\"exchange_index_statuses\":[1]}", &status),
              KDP_REFUSAL_TYPE);
    CHECK_INT(status_of("{\"exchange_active\":tr", &status), KDP_REFUSAL_TRUNCATED);
    CHECK_INT(status_of("[]", &status), KDP_REFUSAL_TYPE);
    CHECK(status_of("", &status) != KDP_REFUSAL_NONE);
}

static enum kdp_refusal
limits_of(const char *body, struct kdp_rest_limits *limits)
{
    return kdpi_rest_limits(rest_reader(), body, strlen(body), limits);
}

KDP_TEST(limits_of_an_account)
{
    struct kdp_rest_limits limits;

    CHECK_INT(limits_of("{\"usage_tier\":\"basic\",\"read\":{\"refill_rate\":200,\"bucket_capacity\":600},"
                        "\"write\":{\"refill_"
                        "rate\":100,\"bucket_capacity\":300},\"grants\":[]}",
                        &limits),
              KDP_REFUSAL_NONE);
    CHECK_STR(limits.tier, "basic");
    CHECK_INT(limits.read_refill, 200);
    CHECK_INT(limits.read_capacity, 600);
    CHECK_INT(limits_of("{\"usage_tier\":null,\"read\":{\"refill_rate\":\"12.75\",\"bucket_capacity\":-1}}",
                        &limits),
              KDP_REFUSAL_NONE);
    CHECK_STR(limits.tier, "");
    CHECK_INT(limits.read_refill, 12);
    CHECK_INT(limits.read_capacity, 0);
    CHECK_INT(limits_of("{\"read\":null}", &limits), KDP_REFUSAL_NONE);
    CHECK_INT(limits_of("{\"read\":", &limits), KDP_REFUSAL_TRUNCATED);
    CHECK_INT(limits.read_refill, 0);
    CHECK_INT(limits_of("{\"usage_tier\":\"\\u001b[31m\"}", &limits), KDP_REFUSAL_NONE);
    CHECK_STR(limits.tier, "\\x1b[31m");
    CHECK_INT(limits_of("7", &limits), KDP_REFUSAL_TYPE);
}

static void
error_of(const char *body, const char *want_code, const char *want_message)
{
    char code[64], message[256];

    memset(code, 'x', sizeof code);
    memset(message, 'x', sizeof message);
    kdpi_rest_error(body, strlen(body), code, message);
    CHECK_STR(code, want_code);
    CHECK_STR(message, want_message);
}

KDP_TEST(errors_of_three_shapes)
{
    char body[2048], long_text[1000];

    error_of("{\"code\":\"bad_request\",\"message\":\"bad request\",\"details\":\"limit\"}", "bad_request",
             "bad request");
    error_of("{\"error\":{\"code\":\"header_timestamp_expired\",\"message\":\"header timestamp "
             "expired\",\"service\":\"x\"}}",
             "header_timestamp_expired", "header timestamp expired");
    error_of("{\"error\":\"too many requests\"}", "", "too many requests");
    error_of("{\"code\":7}", "7", "");
    error_of("{\"error\":{\"error\":{\"code\":\"deep\"}}}", "", "");
    error_of("{\"error\":null,\"message\":[1]}", "", "");
    error_of("{\"message\":\"a\\u001b\\u0000b\"}", "", "a\\x1b\\x00b");
    error_of("<html>502 Bad Gateway</html>", "", "");
    error_of("{\"code\":\"a\",\"message\":\"b\"", "", "");
    error_of("", "", "");
    error_of("\"text\"", "", "");
    memset(long_text, 'm', sizeof long_text);
    snprintf(body, sizeof body, "{\"code\":\"%.999s\",\"message\":\"%.999s\"}", long_text, long_text);
    {
        char code[64], message[256];

        kdpi_rest_error(body, strlen(body), code, message);
        CHECK(strlen(code) > 50 && strlen(message) > 240);
    }
}

KDP_TEST(texts_in_a_query)
{
    char buf[16] = "t=";

    CHECK(kdpi_query_escape(buf, sizeof buf, "A-b_1.~", 7));
    CHECK_STR(buf, "t=A-b_1.~");
    CHECK(kdpi_query_escape(buf, sizeof buf, "&/", 2));
    CHECK_STR(buf, "t=A-b_1.~%26%2F");
    CHECK(!kdpi_query_escape(buf, sizeof buf, "x", 1));
    CHECK_STR(buf, "t=A-b_1.~%26%2F");
    buf[0] = '\0';
    CHECK(kdpi_query_escape(buf, sizeof buf, "\xc3\xa9\0=", 4));
    CHECK_STR(buf, "%C3%A9%00%3D");
    CHECK(!kdpi_query_escape(buf, sizeof buf, "++", 2));
}
