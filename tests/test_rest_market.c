/* test_rest_market.c - Market objects of REST. */
#include "rest_fixture.h"

#include <stdio.h>

KDP_TEST(a_market_with_everything)
{
    CHECK_STR(
        rest_markets(
            "{\"markets\":[{\"ticker\":\"KXDEMO-26DEC01-T3\",\"event_ticker\":\"KXDEMO-26DEC01\",\"market_"
            "type\":\"binary\","
            "\"title\":\"A \\\"t\\\"\",\"yes_sub_title\":\"3 or "
            "more\",\"no_sub_title\":\"less\",\"created_time\":"
            "\"2026-11-01T00:00:00Z\",\"updated_time\":\"2026-11-01T00:00:00Z\",\"open_time\":\"2026-11-"
            "20T00:00:00Z\","
            "\"close_time\":\"2026-12-01T15:00:00Z\",\"expected_expiration_time\":\"2026-12-01T16:00:00Z\","
            "\"latest_expiration_time\":\"2026-12-08T15:00:00Z\",\"settlement_timer_seconds\":300,\"status\":"
            "\"active\","
            "\"notional_value_dollars\":\"1.0000\",\"yes_bid_dollars\":\"0.4200\",\"yes_bid_size_fp\":\"87."
            "00\","
            "\"yes_ask_dollars\":\"0.4400\",\"yes_ask_size_fp\":\"33.25\",\"no_bid_dollars\":\"0.5600\","
            "\"last_price_dollars\":"
            "\"0.4350\",\"volume_fp\":\"91233.75\",\"volume_24h_fp\":\"12.00\",\"open_interest_fp\":\"40211."
            "00\",\"result\":\"\","
            "\"can_close_early\":true,\"expiration_value\":\"\",\"rules_primary\":\"If "
            "\\\"x\\\"\\n...\",\"rules_secondary\":\"\","
            "\"price_level_structure\":\"tapered_deci_cent\",\"price_ranges\":[{\"start\":\"0.0000\",\"end\":"
            "\"0.1000\",\"step\":"
            "\"0.0010\"},{\"start\":\"0.1000\",\"end\":\"0.9000\",\"step\":\"0.0100\"},{\"start\":\"0.9000\","
            "\"end\":\"1.0000\","
            "\"step\":\"0.0010\"}],\"strike_type\":\"between\",\"floor_strike\":69000.01,\"cap_strike\":"
            "69499.99,"
            "\"custom_strike\":{\"a\":[1]},\"exchange_index\":2,\"is_provisional\":true,\"settlement_value_"
            "dollars\":null,"
            "\"mve_collection_ticker\":\"KXMVE\"}],\"cursor\":\"\"}"),
        "KXDEMO-26DEC01-T3 event=\"KXDEMO-26DEC01\" title=\"A \"t\"\" yes=\"3 or more\" no=\"less\" "
        "structure=\"tapered_deci_cent\" mve=\"KXMVE\" status=2 strike=5 early=1 index=2 provisional=1 "
        "open=2026-11-20T00:00:00Z close=2026-12-01T15:00:00Z expiry=2026-12-01T16:00:00Z floor=69000010000 "
        "cap=69499990000 "
        "volume=9123375 day=1200 interest=4021100 bid=4200 bid_size=8700 ask=4400 ask_size=3325 last=4350 "
        "0..1000/10 "
        "1000..9000/100 9000..10000/10\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_end.refused, 0);
}

KDP_TEST(one_market_with_almost_nothing)
{
    CHECK_STR(rest_markets("{\"market\":{\"ticker\":\"A-1\"}}"), "A-1\n");
    CHECK_STR(rest_markets("{\"market\":{\"ticker\":\"A-1\",\"event_ticker\":null,\"title\":\"\",\"status\":"
                           "null,\"price_ranges\":"
                           "null,\"last_price_dollars\":\"\",\"close_time\":null,\"is_provisional\":null,"
                           "\"floor_strike\":null,"
                           "\"can_close_early\":null,\"result\":null,\"yes_bid_size_fp\":null}}"),
              "A-1\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
}

KDP_TEST(a_settled_market)
{
    CHECK_STR(
        rest_markets(
            "{\"market\":{\"ticker\":\"A-1\",\"status\":\"finalized\",\"result\":\"scalar\",\"settlement_"
            "value_dollars"
            "\":\"0.123456\",\"settlement_ts\":\"2026-11-20T14:03:07.5Z\",\"yes_bid_dollars\":\"0.0000\","
            "\"yes_ask_dollars\":\"1.0000\"}}"),
        "A-1 status=8 result=3 settled=2026-11-20T14:03:07.500000Z value=123456 bid=0 ask=10000\n");
}

KDP_TEST(words_the_exchange_may_add)
{
    CHECK_STR(rest_markets("{\"market\":{\"ticker\":\"A-1\",\"status\":\"resting\",\"result\":\"void\","
                           "\"strike_type\":\"odd\"}}"),
              "A-1\n");
    CHECK_INT(rest_end.refused, 0);
}

KDP_TEST(times_that_mean_never)
{
    CHECK_STR(
        rest_markets("{\"market\":{\"ticker\":\"A-1\",\"open_time\":\"0001-01-01T00:00:00Z\",\"close_time\":"
                     "\"9999-12-31T00:00:00Z\",\"latest_expiration_time\":\"2026-12-08T15:00:00Z\"}}"),
        "A-1 expiry=2026-12-08T15:00:00Z\n");
}

KDP_TEST(numbers_as_numbers_and_older_names)
{
    CHECK_STR(rest_markets("{\"market\":{\"ticker\":\"A-1\",\"volume\":12,\"volume_fp\":\"12.50\",\"volume_"
                           "24h\":3,\"open_interest\":"
                           "0,\"yes_bid_dollars\":0.42,\"yes_bid\":41,\"yes_ask_dollars\":\"0.440000\","
                           "\"last_price_dollars\":1e-2}}"),
              "A-1 volume=1250 day=300 interest=0 bid=4200 ask=4400 last=100\n");
}

static void
market_refused(const char *members, enum kdp_refusal refusal, const char *member)
{
    char body[4096];

    snprintf(body, sizeof body,
             "{\"markets\":[{\"ticker\":\"A-1\",%s},{\"ticker\":\"A-2\"}],\"cursor\":\"c\"}", members);
    CHECK_STR(rest_markets(body), "A-2\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_end.refused, 1);
    if (rest_end.item_refusal != refusal)
        CHECK_STR(members, kdpi_refusal_text(rest_end.item_refusal));
    CHECK_STR(rest_end.member, member);
    CHECK_STR(rest_end.cursor, "c");
}

KDP_TEST(a_value_that_cannot_be_kept_costs_its_market)
{
    char ranges[2048] = "\"price_ranges\":[";

    market_refused("\"yes_bid_dollars\":\"0.42001\"", KDP_REFUSAL_TOO_FINE, "yes_bid_dollars");
    market_refused("\"yes_ask_dollars\":\"1.5\"", KDP_REFUSAL_RANGE, "yes_ask_dollars");
    market_refused("\"last_price_dollars\":\"-0.1\"", KDP_REFUSAL_RANGE, "last_price_dollars");
    market_refused("\"volume_fp\":\"0.001\"", KDP_REFUSAL_TOO_FINE, "volume_fp");
    market_refused("\"open_interest_fp\":true", KDP_REFUSAL_TYPE, "open_interest_fp");
    market_refused("\"settlement_value_dollars\":\"0.1234567\"", KDP_REFUSAL_TOO_FINE,
                   "settlement_value_dollars");
    market_refused("\"close_time\":\"soon\"", KDP_REFUSAL_TIME, "close_time");
    market_refused("\"open_time\":{}", KDP_REFUSAL_TYPE, "open_time");
    market_refused("\"is_provisional\":1", KDP_REFUSAL_TYPE, "is_provisional");
    market_refused("\"status\":3", KDP_REFUSAL_TYPE, "status");
    market_refused("\"title\":[]", KDP_REFUSAL_TYPE, "title");
    market_refused("\"exchange_index\":300", KDP_REFUSAL_RANGE, "exchange_index");
    market_refused("\"price_ranges\":[{\"start\":\"0\",\"end\":\"1\",\"step\":\"0.00001\"}]",
                   KDP_REFUSAL_TOO_FINE, "step");
    market_refused("\"price_ranges\":[{\"start\":\"0\",\"end\":\"1\"}]", KDP_REFUSAL_MISSING, "price_ranges");
    market_refused("\"price_ranges\":{}", KDP_REFUSAL_TYPE, "price_ranges");
    for (int i = 0; i < 17; i++)
        strcat(ranges, i == 0 ? "{\"start\":\"0\",\"end\":\"1\",\"step\":\"0.01\"}"
                              : ",{\"start\":\"0\",\"end\":\"1\",\"step\":\"0.01\"}");
    strcat(ranges, "]");
    market_refused(ranges, KDP_REFUSAL_TOO_LONG, "price_ranges");
    CHECK_STR(rest_markets("{\"markets\":[{\"title\":\"t\"},{\"ticker\":\"\"},{\"ticker\":\"A\"}]}"), "A\n");
    CHECK_INT(rest_end.refused, 2);
}

KDP_TEST(a_ticker_has_a_bound)
{
    char ticker[300], body[400];

    memset(ticker, 'T', sizeof ticker);
    snprintf(body, sizeof body, "{\"market\":{\"ticker\":\"%.200s\"}}", ticker);
    rest_markets(body);
    CHECK_INT(rest_end.items, 1);
    snprintf(body, sizeof body, "{\"market\":{\"ticker\":\"%.201s\"}}", ticker);
    rest_markets(body);
    CHECK_INT(rest_end.items, 0);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TOO_LONG);
}

/* Strikes describe a market and are no money: a digit too many costs the digit alone. */
KDP_TEST(a_strike_too_fine_is_left_out)
{
    CHECK_STR(
        rest_markets("{\"market\":{\"ticker\":\"A\",\"floor_strike\":0.00001234567,\"cap_strike\":2.5}}"),
        "A cap=2500000\n");
    CHECK_INT(rest_end.refused, 0);
}

KDP_TEST(a_member_given_twice_refuses_the_page)
{
    rest_markets(
        "{\"markets\":[{\"ticker\":\"A\",\"close_time\":null,\"close_time\":\"2026-12-01T15:00:00Z\"}]}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_DUPLICATE_KEY);
    CHECK_INT(rest_end.items, 0);
}
