/* test_message.c - the frame decoder: book, ticker and trade; envelopes, times and every refusal with its
 * member and place. */
#include "clock.h"
#include "message_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define UUID "0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03"
#define DELTA(members)                                                                                     \
    "{\"type\":\"orderbook_delta\",\"sid\":1,\"seq\":2,\"msg\":{\"market_ticker\":\"" TICKER "\"," members \
    "}}"
#define TICK(members) "{\"type\":\"ticker\",\"sid\":3,\"msg\":{\"market_ticker\":\"" TICKER "\"," members "}}"
#define SNAP(members)                                                                                        \
    "{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":1,\"msg\":{\"market_ticker\":\"" TICKER "\"" members \
    "}}"
#define TRADE_OF(members) \
    "{\"type\":\"trade\",\"sid\":2,\"seq\":41,\"msg\":{\"market_ticker\":\"" TICKER "\"," members "}}"
#define TRADE_ID "\"trade_id\":\"5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10\""

KDP_TEST(delta_in_full)
{
    good("{\"type\":\"orderbook_delta\",\"sid\":1,\"seq\":2,\"msg\":{\"market_ticker\":\"" TICKER
         "\",\"market_id\":\"" UUID "\","
         "\"price_dollars\":\"0.4200\",\"delta_fp\":\"-12.50\",\"side\":\"yes\",\"ts\":\"2026-11-20T14:03:07."
         "412345Z\","
         "\"ts_ms\":1795183387412},\"sending_ts_ms\":1795183387415}",
         KDP_MESSAGE_DELTA);
    CHECK(is(msg.type, "orderbook_delta") && is(msg.market_ticker, TICKER));
    CHECK(msg.has_sid && msg.has_seq && !msg.has_id);
    CHECK_INT(msg.sid, 1);
    CHECK_INT(msg.seq, 2);
    CHECK_INT(msg.sending_ts_ms, 1795183387415);
    CHECK_INT(msg.delta.price_e4, 4200);
    CHECK_INT(msg.delta.delta_e2, -1250);
    CHECK_INT(msg.delta.side, KDP_SIDE_YES);
    CHECK_INT(msg.ts_ms, 1795183387412);
    CHECK_INT(msg.exch_ns, 1795183387412345000);
    CHECK_INT(msg.unknown_members, 0);
}

/* Trap 5: what is finer than a cent or a contract stays exact. */
KDP_TEST(sub_cent_prices_and_fractional_sizes_stay_exact)
{
    static const struct {
        const char *price, *delta;
        int price_e4;
        int64_t delta_e2;
    } cases[] = {
        {"\"0.0001\"", "\"0.01\"", 1, 1},
        {"\"0.8815\"", "\"-0.01\"", 8815, -1},
        {"\"0.9999\"", "\"1406474.86\"", 9999, 140647486},
        {"0.4205", "12.5", 4205, 1250},
        {"\"0.42\"", "\"7\"", 4200, 700},
        {"\"0.620000\"", "\"-3.100\"", 6200, -310},
        {"0", "-0.25", 0, -25},
        {"1", "100000000", 10000, INT64_C(10000000000)},
        {"\"1.0000\"", "\"0.00\"", 10000, 0},
        {"42e-2", "1e2", 4200, 10000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char frame[400];

        snprintf(frame, sizeof frame, DELTA("\"price_dollars\":%s,\"delta_fp\":%s,\"side\":\"no\""),
                 cases[i].price, cases[i].delta);
        good(frame, KDP_MESSAGE_DELTA);
        CHECK_INT(msg.delta.price_e4, cases[i].price_e4);
        CHECK_INT(msg.delta.delta_e2, cases[i].delta_e2);
        CHECK_INT(msg.delta.side, KDP_SIDE_NO);
    }
}

/* Trap 6: time comes as text, in seconds and in milliseconds. */
KDP_TEST(time_in_all_its_forms)
{
    static const struct {
        const char *members;
        int64_t ts_ms, exch_ns;
    } cases[] = {
        {"", KDP_INT64_NULL, KDP_TIME_NULL},
        {",\"ts_ms\":1795183387412", 1795183387412, 1795183387412000000},
        {",\"ts_ms\":\"1795183387412\"", 1795183387412, 1795183387412000000},
        {",\"ts\":1795183387", 1795183387000, 1795183387000000000},
        {",\"ts\":\"1795183387\"", 1795183387000, 1795183387000000000},
        {",\"ts\":\"2026-11-20T14:03:07.412Z\"", 1795183387412, 1795183387412000000},
        {",\"ts\":\"2026-11-20T14:03:07.412345Z\"", 1795183387412, 1795183387412345000},
        {",\"ts\":\"2026-11-20T09:03:07.412345678-05:00\"", 1795183387412, 1795183387412345678},
        {",\"ts\":\"2026-11-20T14:03:07Z\"", 1795183387000, 1795183387000000000},
        {",\"time\":\"2026-11-20T14:03:07.412345Z\",\"ts\":1795183387,\"ts_ms\":1795183387412", 1795183387412,
         1795183387412345000},
        {",\"ts_ms\":1795183387412,\"ts\":1795183387", 1795183387412, 1795183387412000000},
        /* the fine one says another millisecond: ts_ms stands */
        {",\"ts\":\"2026-11-20T14:03:07.413345Z\",\"ts_ms\":1795183387412", 1795183387412,
         1795183387412000000},
        {",\"ts\":null,\"ts_ms\":null,\"time\":\"\"", KDP_INT64_NULL, KDP_TIME_NULL},
        {",\"ts_ms\":9223372036854", 9223372036854, 9223372036854000000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char frame[400];

        snprintf(frame, sizeof frame,
                 DELTA("\"price_dollars\":\"0.42\",\"delta_fp\":\"1.00\",\"side\":\"no\"%s"),
                 cases[i].members);
        good(frame, KDP_MESSAGE_DELTA);
        if (msg.ts_ms != cases[i].ts_ms || msg.exch_ns != cases[i].exch_ns)
            kdp_test_fail(__FILE__, __LINE__, "%s: got %lld and %lld", cases[i].members, (long long)msg.ts_ms,
                          (long long)msg.exch_ns);
    }
}

/* A minute that frames share, and its ends. */
KDP_TEST(time_across_minutes)
{
    static const char *const times[] = {"2026-11-20T14:03:59.999999Z", "2026-11-20T14:04:00.000000Z",
                                        "2026-11-20T14:04:60.000001Z", "2026-11-20T14:04:01.000001Z",
                                        "2028-02-29T23:59:59.123456Z", "2026-11-20T14:04:02.000002Z"};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char frame[400];
        int64_t ns;

        snprintf(frame, sizeof frame,
                 DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.00\",\"side\":\"no\",\"ts\":\"%s\""),
                 times[i]);
        good(frame, KDP_MESSAGE_DELTA);
        CHECK(kdpi_time_parse(times[i], strlen(times[i]), &ns) == 0);
        CHECK_INT(msg.exch_ns, ns);
    }
}

KDP_TEST(old_delta_in_cents)
{
    good(DELTA("\"price\":42,\"delta\":-13,\"side\":\"no\""), KDP_MESSAGE_DELTA);
    CHECK_INT(msg.delta.price_e4, 4200);
    CHECK_INT(msg.delta.delta_e2, -1300);
    /* both forms side by side, in either order: the new one counts */
    good(DELTA("\"price\":42,\"price_dollars\":\"0.4250\",\"delta_fp\":\"1.50\",\"delta\":1,\"side\":\"no\""),
         KDP_MESSAGE_DELTA);
    CHECK_INT(msg.delta.price_e4, 4250);
    CHECK_INT(msg.delta.delta_e2, 150);
    bad(DELTA("\"price\":0.42,\"delta\":1,\"side\":\"no\""), KDP_REFUSAL_TOO_FINE, "price", "0.42,");
    bad(DELTA("\"price\":101,\"delta\":1,\"side\":\"no\""), KDP_REFUSAL_RANGE, "price", "101");
}

static void
check_level(size_t index, int side, int price_e4, long long size_e2)
{
    CHECK(index < msg.snapshot.count);
    CHECK_INT(msg.snapshot.levels[index].side, side);
    CHECK_INT(msg.snapshot.levels[index].price_e4, price_e4);
    CHECK_INT(msg.snapshot.levels[index].size_e2, size_e2);
}

KDP_TEST(snapshot_in_full)
{
    good("{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":1,\"id\":5,\"msg\":{\"market_ticker\":\"" TICKER
         "\",\"market_id\":\"" UUID "\",\"yes_dollars_fp\":[[\"0.0100\",\"500.00\"],[\"0.4200\",\"87.00\"]],"
         "\"no_dollars_fp\":[[\"0.5600\",\"33.25\"]]}}",
         KDP_MESSAGE_SNAPSHOT);
    CHECK(msg.has_id && msg.id == 5 && msg.snapshot.has_yes && msg.snapshot.has_no);
    CHECK_INT(msg.snapshot.count, 3);
    check_level(0, KDP_SIDE_YES, 100, 50000);
    check_level(1, KDP_SIDE_YES, 4200, 8700);
    check_level(2, KDP_SIDE_NO, 5600, 3325);
    CHECK_INT(msg.exch_ns, KDP_TIME_NULL);
    CHECK_INT(msg.ts_ms, KDP_INT64_NULL);
}

/* Trap 7: an absent side is an empty side. */
KDP_TEST(snapshot_with_an_absent_side)
{
    good(SNAP(",\"no_dollars_fp\":[[\"0.56\",\"1\"]]"), KDP_MESSAGE_SNAPSHOT);
    CHECK(!msg.snapshot.has_yes && msg.snapshot.has_no);
    CHECK_INT(msg.snapshot.count, 1);
    good(SNAP(""), KDP_MESSAGE_SNAPSHOT);
    CHECK(!msg.snapshot.has_yes && !msg.snapshot.has_no);
    CHECK_INT(msg.snapshot.count, 0);
    good(SNAP(",\"yes_dollars_fp\":null,\"no_dollars_fp\":[]"), KDP_MESSAGE_SNAPSHOT);
    CHECK(msg.snapshot.has_yes && msg.snapshot.has_no);
    CHECK_INT(msg.snapshot.count, 0);
}

KDP_TEST(old_snapshot_in_cents)
{
    good(SNAP(",\"yes\":[[1,500],[42,87]],\"no\":[[56,33]]"), KDP_MESSAGE_SNAPSHOT);
    CHECK_INT(msg.snapshot.count, 3);
    check_level(1, KDP_SIDE_YES, 4200, 8700);
    check_level(2, KDP_SIDE_NO, 5600, 3300);
    /* several forms of one side: the finest counts, whatever comes first */
    good(SNAP(",\"yes\":[[1,500]],\"no_dollars_fp\":[[\"0.5\",\"2.5\"]],\"yes_dollars\":[[\"0.0120\",5],[\"0."
              "0130\",6]],"
              "\"no\":[[50,2]]"),
         KDP_MESSAGE_SNAPSHOT);
    CHECK_INT(msg.snapshot.count, 3);
    check_level(0, KDP_SIDE_NO, 5000, 250);
    check_level(1, KDP_SIDE_YES, 120, 500);
    check_level(2, KDP_SIDE_YES, 130, 600);
}

KDP_TEST(bad_levels_are_refused)
{
    bad(SNAP(",\"yes_dollars_fp\":[[\"0.01\",\"1\"],[\"0.00005\",\"1\"]]"), KDP_REFUSAL_TOO_FINE,
        "yes_dollars_fp", "\"0.00005");
    bad(SNAP(",\"yes_dollars_fp\":[[\"0.01\",\"1.005\"]]"), KDP_REFUSAL_TOO_FINE, "yes_dollars_fp",
        "\"1.005");
    bad(SNAP(",\"no_dollars_fp\":[[\"1.01\",\"1\"]]"), KDP_REFUSAL_RANGE, "no_dollars_fp", "\"1.01");
    bad(SNAP(",\"no_dollars_fp\":[[\"0.01\",\"-1\"]]"), KDP_REFUSAL_RANGE, "no_dollars_fp", "\"-1");
    bad(SNAP(",\"no_dollars_fp\":[[\"0.01\"]]"), KDP_REFUSAL_TYPE, "no_dollars_fp", "[\"0.01\"]");
    bad(SNAP(",\"no_dollars_fp\":[[\"0.01\",\"1\",\"2\"]]"), KDP_REFUSAL_TYPE, "no_dollars_fp", "[\"0.01\"");
    bad(SNAP(",\"no_dollars_fp\":[\"0.01\",\"1\"]"), KDP_REFUSAL_TYPE, "no_dollars_fp", "\"0.01\"");
    bad(SNAP(",\"no_dollars_fp\":[[null,\"1\"]]"), KDP_REFUSAL_TYPE, "no_dollars_fp", "[null");
    bad(SNAP(",\"no_dollars_fp\":{\"0.01\":1}"), KDP_REFUSAL_TYPE, "no_dollars_fp", "{\"0.01\"");
    bad(SNAP(",\"yes\":[[\"0.42\",1]]"), KDP_REFUSAL_TOO_FINE, "yes", "\"0.42\"");
}

KDP_TEST(a_snapshot_holds_the_finest_grid_and_no_more)
{
    size_t cap = 1u << 20, len;
    char *frame = malloc(cap);

    CHECK(frame != NULL);
    for (unsigned n = 20002; n <= 20003; n++) {
        len = (size_t)snprintf(
            frame, cap,
            "{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":1,\"msg\":{\"market_ticker\":\"X\","
            "\"yes_dollars_fp\":[");
        for (unsigned i = 0; i < n; i++)
            len += (size_t)snprintf(frame + len, cap - len, "%s[\"0.%04u\",\"1.00\"]", i > 0 ? "," : "",
                                    i % 10000);
        len += (size_t)snprintf(frame + len, cap - len, "]}}");
        decode_bytes(frame, len);
        CHECK_INT(msg.refusal, n == 20002 ? KDP_REFUSAL_NONE : KDP_REFUSAL_TOO_LONG);
        CHECK_INT(msg.snapshot.count, 20002);
    }
    CHECK_STR(msg.member, "yes_dollars_fp");
    free(frame);
}

KDP_TEST(ticker_in_full)
{
    good("{\"type\":\"ticker\",\"sid\":3,\"msg\":{\"market_ticker\":\"" TICKER "\",\"market_id\":\"" UUID
         "\",\"price_dollars\":\"0.4350\","
         "\"yes_bid_dollars\":\"0.4200\",\"yes_ask_dollars\":\"0.4400\",\"yes_bid_size_fp\":\"87.00\",\"yes_"
         "ask_size_fp\":\"33.25\","
         "\"last_trade_size_fp\":\"12.50\",\"volume_fp\":\"91233.75\",\"open_interest_fp\":\"40211.00\","
         "\"dollar_volume\":39712,"
         "\"dollar_open_interest\":-17410,\"ts\":1795183387,\"ts_ms\":1795183387412,\"time\":\"2026-11-20T14:"
         "03:07.412345Z\"}}",
         KDP_MESSAGE_TICKER);
    CHECK(!msg.has_seq && msg.sid == 3);
    CHECK_INT(msg.ticker.price_e4, 4350);
    CHECK_INT(msg.ticker.bid_e4, 4200);
    CHECK_INT(msg.ticker.ask_e4, 4400);
    CHECK_INT(msg.ticker.bid_size_e2, 8700);
    CHECK_INT(msg.ticker.ask_size_e2, 3325);
    CHECK_INT(msg.ticker.last_size_e2, 1250);
    CHECK_INT(msg.ticker.volume_e2, 9123375);
    CHECK_INT(msg.ticker.open_interest_e2, 4021100);
    CHECK_INT(msg.ticker.dollar_volume, 39712);
    CHECK_INT(msg.ticker.dollar_open_interest, -17410);
    CHECK_INT(msg.exch_ns, 1795183387412345000);
}

KDP_TEST(ticker_with_missing_prices_and_the_old_form)
{
    good(TICK("\"price_dollars\":\"\",\"yes_bid_dollars\":null,\"Clock\":77,\"no_such\":[1]"),
         KDP_MESSAGE_TICKER);
    CHECK_INT(msg.ticker.price_e4, KDP_PRICE_NULL);
    CHECK_INT(msg.ticker.bid_e4, KDP_PRICE_NULL);
    CHECK_INT(msg.ticker.ask_e4, KDP_PRICE_NULL);
    CHECK_INT(msg.ticker.volume_e2, KDP_INT64_NULL);
    CHECK_INT(msg.ticker.dollar_volume, KDP_INT64_NULL);
    CHECK_INT(msg.unknown_members, 1);
    good("{\"type\":\"ticker\",\"sid\":1,\"msg\":{\"market_id\":\"" UUID "\",\"market_ticker\":\"" TICKER
         "\",\"price\":25,\"yes_bid\":24,"
         "\"yes_ask\":26,\"volume\":196,\"open_interest\":32,\"dollar_volume\":98,\"dollar_open_interest\":"
         "16,\"ts\":1737064763}}",
         KDP_MESSAGE_TICKER);
    CHECK_INT(msg.ticker.price_e4, 2500);
    CHECK_INT(msg.ticker.bid_e4, 2400);
    CHECK_INT(msg.ticker.ask_e4, 2600);
    CHECK_INT(msg.ticker.volume_e2, 19600);
    CHECK_INT(msg.ticker.open_interest_e2, 3200);
    CHECK_INT(msg.ticker.dollar_volume, 98);
    CHECK_INT(msg.ts_ms, 1737064763000);
    CHECK_INT(msg.exch_ns, NS(1737064763));
    bad(TICK("\"volume_fp\":\"-1.00\""), KDP_REFUSAL_RANGE, "volume_fp", "\"-1.00");
    bad(TICK("\"dollar_volume\":1.5"), KDP_REFUSAL_TOO_FINE, "dollar_volume", "1.5");
}

KDP_TEST(trade_in_full)
{
    static const uint8_t id[16] = {0x5b, 0x0e, 0x7c, 0x1e, 0x8a, 0x5e, 0x4a, 0x7e,
                                   0x9a, 0x51, 0x0c, 0x2b, 0x7a, 0x6f, 0x9d, 0x10};

    good(TRADE_OF(TRADE_ID ",\"yes_price_dollars\":\"0.4350\",\"no_price_dollars\":\"0.5650\",\"count_fp\":"
                           "\"12.50\",\"taker_side\":\"yes\","
                           "\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\",\"is_block_trade\":"
                           "true,\"ts\":1795183387,"
                           "\"ts_ms\":1795183387412"),
         KDP_MESSAGE_TRADE);
    CHECK_MEM(msg.trade.trade_id, id, 16);
    CHECK(!msg.trade.trade_id_hashed && msg.trade.block);
    CHECK_INT(msg.trade.price_e4, 4350);
    CHECK_INT(msg.trade.count_e2, 1250);
    CHECK_INT(msg.trade.taker_side, KDP_SIDE_YES);
    CHECK_INT(msg.exch_ns, 1795183387412000000);
    /* one leg is enough; the old form is whole cents and contracts */
    good(TRADE_OF(TRADE_ID ",\"no_price_dollars\":\"0.5650\",\"count_fp\":\"1.00\""), KDP_MESSAGE_TRADE);
    CHECK_INT(msg.trade.price_e4, 4350);
    CHECK_INT(msg.trade.taker_side, KDP_SIDE_NONE);
    good(TRADE_OF(TRADE_ID ",\"yes_price\":43,\"no_price\":57,\"count\":3,\"taker_side\":\"no\""),
         KDP_MESSAGE_TRADE);
    CHECK_INT(msg.trade.price_e4, 4300);
    CHECK_INT(msg.trade.count_e2, 300);
    CHECK_INT(msg.trade.taker_side, KDP_SIDE_NO);
}

KDP_TEST(trade_ids_that_are_no_uuid_are_hashed)
{
    uint8_t first[16];

    good(TRADE_OF("\"trade_id\":\"t-1\",\"yes_price_dollars\":\"0.5\",\"count_fp\":\"1\""),
         KDP_MESSAGE_TRADE);
    CHECK(msg.trade.trade_id_hashed);
    memcpy(first, msg.trade.trade_id, sizeof first);
    good(TRADE_OF("\"trade_id\":\"t-2\",\"yes_price_dollars\":\"0.5\",\"count_fp\":\"1\""),
         KDP_MESSAGE_TRADE);
    CHECK(memcmp(first, msg.trade.trade_id, sizeof first) != 0);
    good(TRADE_OF("\"trade_id\":\"t-1\",\"yes_price_dollars\":\"0.6\",\"count_fp\":\"1\""),
         KDP_MESSAGE_TRADE);
    CHECK_MEM(msg.trade.trade_id, first, sizeof first);
    good(TRADE_OF("\"trade_id\":\"5B0E7C1E-8A5E-4A7E-9A51-0C2B7A6F9D1g\",\"yes_price_dollars\":\"0.6\","
                  "\"count_fp\":\"1\""),
         KDP_MESSAGE_TRADE);
    CHECK(msg.trade.trade_id_hashed);
}

KDP_TEST(the_taker_side_is_the_outcome_bought)
{
    static const struct {
        const char *members;
        int side;
    } cases[] = {
        {"\"taker_book_side\":\"bid\"", KDP_SIDE_YES},
        {"\"taker_book_side\":\"ask\"", KDP_SIDE_NO},
        {"\"taker_side\":\"yes\",\"taker_book_side\":\"ask\"", KDP_SIDE_NO},
        {"\"taker_book_side\":\"ask\",\"taker_outcome_side\":\"yes\"", KDP_SIDE_YES},
        {"\"taker_outcome_side\":null,\"taker_book_side\":\"\",\"taker_side\":\"no\"", KDP_SIDE_NO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char frame[500];

        snprintf(frame, sizeof frame,
                 TRADE_OF(TRADE_ID ",\"yes_price_dollars\":\"0.5000\",\"no_price_dollars\":\"0.5000\","
                                   "\"count_fp\":\"1.00\",%s"),
                 cases[i].members);
        good(frame, KDP_MESSAGE_TRADE);
        CHECK_INT(msg.trade.taker_side, cases[i].side);
    }
}

KDP_TEST(a_trade_whose_legs_do_not_add_up_is_refused)
{
    bad(TRADE_OF(TRADE_ID
                 ",\"yes_price_dollars\":\"0.4350\",\"no_price_dollars\":\"0.5600\",\"count_fp\":\"12.50\""),
        KDP_REFUSAL_CONFLICT, "no_price_dollars", "\"0.5600");
    bad(TRADE_OF(TRADE_ID ",\"no_price\":58,\"yes_price\":43,\"count\":1"), KDP_REFUSAL_CONFLICT,
        "no_price_dollars", "58");
}

KDP_TEST(unknown_types_and_members_are_tolerated)
{
    good("{\"type\":\"fill\",\"sid\":9,\"seq\":4,\"msg\":{\"price_dollars\":[]},\"later\":{}}",
         KDP_MESSAGE_UNKNOWN);
    CHECK(is(msg.type, "fill") && msg.has_seq);
    CHECK_INT(msg.unknown_members, 1);
    good("{}", KDP_MESSAGE_UNKNOWN);
    CHECK_INT(msg.type.len, 0);
    good("{\"msg\":{\"market_ticker\":7}}", KDP_MESSAGE_UNKNOWN);
    good("{\"type\":\"\",\"n\":null}", KDP_MESSAGE_UNKNOWN);
    good(DELTA("\"price_dollars\":\"0.4200\",\"later\":{\"a\":[{}]},\"delta_fp\":\"1.00\",\"more\":1e9,"
               "\"side\":\"yes\",\"last_update_reason\":"
               "\"Trade\",\"subaccount\":1"),
         KDP_MESSAGE_DELTA);
    CHECK_INT(msg.unknown_members, 2);
    /* one unknown member of a plain value stays on the fast way */
    good(DELTA("\"price_dollars\":\"0.4200\",\"later\":12,\"delta_fp\":\"1.00\",\"side\":\"yes\""),
         KDP_MESSAGE_DELTA);
    CHECK_INT(msg.unknown_members, 1);
}

KDP_TEST(values_of_a_delta_are_refused_where_they_stand)
{
#define REST ",\"delta_fp\":\"1.00\",\"side\":\"no\""
    bad(DELTA("\"price_dollars\":\"0.42005\"" REST), KDP_REFUSAL_TOO_FINE, "price_dollars", "\"0.42005");
    bad(DELTA("\"price_dollars\":0.42005" REST), KDP_REFUSAL_TOO_FINE, "price_dollars", "0.42005");
    bad(DELTA("\"price_dollars\":\"1.0001\"" REST), KDP_REFUSAL_RANGE, "price_dollars", "\"1.0001");
    bad(DELTA("\"price_dollars\":\"-0.0100\"" REST), KDP_REFUSAL_RANGE, "price_dollars", "\"-0.01");
    bad(DELTA("\"price_dollars\":1e30" REST), KDP_REFUSAL_RANGE, "price_dollars", "1e30");
    bad(DELTA("\"price_dollars\":\"0.4a00\"" REST), KDP_REFUSAL_TYPE, "price_dollars", "\"0.4a");
    bad(DELTA("\"price_dollars\":\"0x4200\"" REST), KDP_REFUSAL_TYPE, "price_dollars", "\"0x42");
    bad(DELTA("\"price_dollars\":\" 0.420\"" REST), KDP_REFUSAL_TYPE, "price_dollars", "\" 0.42");
    bad(DELTA("\"price_dollars\":true" REST), KDP_REFUSAL_TYPE, "price_dollars", "true");
    bad(DELTA("\"price_dollars\":[0.42]" REST), KDP_REFUSAL_TYPE, "price_dollars", "[0.42");
    bad(DELTA("\"price_dollars\":\"\"" REST), KDP_REFUSAL_MISSING, "price_dollars", "{\"market_ticker");
    bad(DELTA("\"side\":\"no\",\"price_dollars\":\"0.4200\""), KDP_REFUSAL_MISSING, "delta_fp",
        "{\"market_ticker");
    bad(DELTA("\"delta_fp\":\"1.00\",\"price_dollars\":\"0.4200\""), KDP_REFUSAL_MISSING, "side",
        "{\"market_ticker");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.005\",\"side\":\"no\""), KDP_REFUSAL_TOO_FINE,
        "delta_fp", "\"1.005");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"01.00\",\"side\":\"no\""), KDP_REFUSAL_TYPE,
        "delta_fp", "\"01.00");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.0b\",\"side\":\"no\""), KDP_REFUSAL_TYPE,
        "delta_fp", "\"1.0b");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"--1.00\",\"side\":\"no\""), KDP_REFUSAL_TYPE,
        "delta_fp", "\"--1");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"92233720368547758.08\",\"side\":\"no\""),
        KDP_REFUSAL_RANGE, "delta_fp", "\"922");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.00\",\"side\":\"maybe\""), KDP_REFUSAL_ENUM,
        "side", "\"maybe");
    bad(DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.00\",\"side\":1"), KDP_REFUSAL_TYPE, "side",
        "1}");
    bad(DELTA("\"price_dollars\":\"0.4200\"" REST ",\"ts\":\"yesterday\""), KDP_REFUSAL_TIME, "ts",
        "\"yesterday");
    bad(DELTA("\"price_dollars\":\"0.4200\"" REST ",\"ts\":\"2026-13-20T14:03:07.412345Z\""),
        KDP_REFUSAL_TIME, "ts", "\"2026-13");
    bad(DELTA("\"price_dollars\":\"0.4200\"" REST ",\"ts\":\"2026-11-20T14:03:61.412345Z\""),
        KDP_REFUSAL_TIME, "ts", "\"2026-11");
    bad(DELTA("\"price_dollars\":\"0.4200\"" REST ",\"ts_ms\":-1"), KDP_REFUSAL_TIME, "ts_ms", "-1");
    bad(DELTA("\"price_dollars\":\"0.4200\"" REST ",\"ts_ms\":9223372036855"), KDP_REFUSAL_TIME, "ts_ms",
        "92233");
    bad(DELTA("\"price_dollars\":\"0.4200\"" REST ",\"ts_ms\":1795183387412.5"), KDP_REFUSAL_TIME, "ts_ms",
        "17951");
#undef REST
}

KDP_TEST(the_envelope_is_refused_and_read_as_far_as_it_goes)
{
    char frame[1000], ticker[300];

    bad("{\"type\":\"ticker\",\"sid\":4294967296,\"msg\":{\"market_ticker\":\"A\"}}", KDP_REFUSAL_RANGE,
        "sid", "4294967296");
    CHECK(!msg.has_sid && is(msg.market_ticker, "A"));
    bad("{\"type\":\"ticker\",\"sid\":-1,\"msg\":{\"market_ticker\":\"A\"}}", KDP_REFUSAL_RANGE, "sid", "-1");
    bad("{\"type\":\"ticker\",\"sid\":1,\"seq\":\"x\",\"msg\":{\"market_ticker\":\"A\"}}", KDP_REFUSAL_TYPE,
        "seq", "\"x\"");
    bad("{\"type\":\"ticker\",\"sid\":1,\"seq\":1.5,\"msg\":{\"market_ticker\":\"A\"}}", KDP_REFUSAL_TOO_FINE,
        "seq", "1.5");
    bad("{\"type\":7,\"sid\":1}", KDP_REFUSAL_TYPE, "type", "7");
    bad("{\"sid\":1,\"type\":\"ticker\"}", KDP_REFUSAL_MISSING, "msg", "{");
    bad("{\"sid\":1,\"type\":\"ticker\",\"msg\":\"x\"}", KDP_REFUSAL_TYPE, "msg", "\"x\"");
    bad("{\"sid\":1,\"type\":\"ticker\",\"msg\":{}}", KDP_REFUSAL_MISSING, "market_ticker", "{}");
    bad("{\"sid\":1,\"type\":\"ticker\",\"msg\":{\"market_ticker\":\"\"}}", KDP_REFUSAL_MISSING,
        "market_ticker", "{\"market");
    bad("{\"sid\":1,\"type\":\"ticker\",\"msg\":{\"market_ticker\":12}}", KDP_REFUSAL_TYPE, "market_ticker",
        "12");
    /* the rest of a refused message is read: a gap can be told from its seq, a book from its ticker */
    bad("{\"type\":\"orderbook_delta\",\"msg\":{\"price_dollars\":\"7\",\"market_ticker\":\"A\"},\"sid\":5,"
        "\"seq\":6}",
        KDP_REFUSAL_RANGE, "price_dollars", "\"7\"");
    CHECK(msg.has_sid && msg.sid == 5 && msg.has_seq && msg.seq == 6 && is(msg.market_ticker, "A"));
    CHECK_INT(msg.kind, KDP_MESSAGE_DELTA);
    for (size_t len = KDPI_TICKER_MAX; len <= KDPI_TICKER_MAX + 1; len++) {
        memset(ticker, 'A', len);
        ticker[len] = '\0';
        snprintf(frame, sizeof frame, "{\"type\":\"ticker\",\"msg\":{\"market_ticker\":\"%s\"}}", ticker);
        if (len == KDPI_TICKER_MAX)
            good(frame, KDP_MESSAGE_TICKER);
        else
            bad(frame, KDP_REFUSAL_TOO_LONG, "market_ticker", "\"AAA");
    }
}

KDP_TEST(a_frame_that_is_not_json_is_not_trusted)
{
    static const struct {
        const char *frame;
        enum kdp_refusal refusal;
        size_t position;
    } cases[] = {
        {"", KDP_REFUSAL_TRUNCATED, 0},
        {"{\"type\":\"ticker\"", KDP_REFUSAL_TRUNCATED, 16},
        {"{\"type\":\"ticker\"} x", KDP_REFUSAL_TRAILING, 18},
        {"{\"type\":\"ticker\",}", KDP_REFUSAL_SYNTAX, 17},
        {"{\"type\":\"t\xff\"}", KDP_REFUSAL_UTF8, 10},
        {"{\"type\":\"t\\q\"}", KDP_REFUSAL_ESCAPE, 10},
        {"{\"type\":\"t\n\"}", KDP_REFUSAL_CONTROL, 10},
        {"{\"sid\":01}", KDP_REFUSAL_NUMBER, 8},
        {"{\"sid\":1,\"sid\":1}", KDP_REFUSAL_DUPLICATE_KEY, 9},
        {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", KDP_REFUSAL_DEPTH, 36},
        {"[1]", KDP_REFUSAL_NOT_OBJECT, 0},
        {" 7", KDP_REFUSAL_NOT_OBJECT, 0},
        {"[1", KDP_REFUSAL_TRUNCATED, 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        decode_bytes(cases[i].frame, strlen(cases[i].frame));
        if (msg.refusal != cases[i].refusal || msg.position != cases[i].position)
            kdp_test_fail(__FILE__, __LINE__, "%s: %s at %zu", cases[i].frame, kdpi_refusal_text(msg.refusal),
                          msg.position);
        CHECK(!msg.trusted && !msg.has_sid);
        CHECK_INT(msg.kind, KDP_MESSAGE_UNKNOWN);
        CHECK_INT(msg.market_ticker.len, 0);
    }
    CHECK_INT(kdpi_decode(decoder(), "{}", (size_t)KDPI_FRAME_MAX + 1, &msg), KDP_REFUSAL_TOO_LONG);
}

/* A key twice is found in the members that the fast way reads as well. */
KDP_TEST(a_key_given_twice_in_a_delta_is_refused)
{
    static const char frame[] =
        DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.00\",\"side\":\"no\",\"side\":\"no\"");
    static const char odd[] =
        DELTA("\"price_dollars\":\"0.4200\",\"delta_fp\":\"1.00\",\"odd\":1,\"side\":\"no\",\"odd\":1");

    decode_bytes(frame, sizeof frame - 1);
    CHECK_INT(msg.refusal, KDP_REFUSAL_DUPLICATE_KEY);
    CHECK(!msg.trusted);
    decode_bytes(odd, sizeof odd - 1);
    CHECK_INT(msg.refusal, KDP_REFUSAL_DUPLICATE_KEY);
}

KDP_TEST(every_refusal_has_words)
{
    for (unsigned i = 1; i < KDP_REFUSALS; i++)
        CHECK(kdpi_refusal_text((enum kdp_refusal)i)[0] != '\0');
    CHECK_STR(kdpi_refusal_text(KDP_REFUSAL_NONE), "");
    CHECK_STR(kdpi_refusal_text(KDP_REFUSALS), "?");
}
