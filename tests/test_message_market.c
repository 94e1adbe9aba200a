/* test_message_market.c - the frame decoder: lifecycle channels, replies and commands. */
#include "message_fixture.h"

#include <stdio.h>

#define LIFE(members)                                                                            \
    "{\"type\":\"market_lifecycle_v2\",\"sid\":4,\"seq\":9,\"msg\":{\"market_ticker\":\"" TICKER \
    "\"," members "}}"

KDP_TEST(lifecycle_created)
{
    good("{\"type\":\"market_lifecycle_v2\",\"sid\":4,\"seq\":9,\"msg\":{\"market_ticker\":\"" TICKER
         "\",\"event_type\":\"created\","
         "\"exchange_index\":2,\"open_ts\":1795176000,\"close_ts\":1796155200,\"price_level_structure\":"
         "\"tapered_deci_cent\","
         "\"price_ranges\":[{\"start\":\"0.0000\",\"end\":\"0.1000\",\"step\":\"0.0010\"},{\"start\":\"0."
         "1000\",\"end\":\"0.9000\",\"step\":"
         "\"0.0100\"},{\"start\":\"0.9000\",\"end\":\"1.0000\",\"step\":\"0.0010\"}],\"additional_metadata\":"
         "{\"name\":\"n\",\"title\":\"A "
         "\\\"t\\\"\",\"yes_sub_title\":\"y\",\"no_sub_title\":\"n\",\"rules_primary\":\"a\\nb\",\"rules_"
         "secondary\":\"\",\"can_close_early\":"
         "true,\"event_ticker\":\"KXDEMO-26DEC01\",\"expected_expiration_ts\":1796158800,\"strike_type\":"
         "\"between\",\"floor_strike\":3,"
         "\"cap_strike\":69499.99,\"custom_strike\":{\"a\":[1]}}}}",
         KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_CREATED);
    CHECK(!msg.lifecycle.multivariate);
    CHECK_INT(msg.lifecycle.exchange_index, 2);
    CHECK_INT(msg.lifecycle.open_ns, NS(1795176000));
    CHECK_INT(msg.lifecycle.close_ns, NS(1796155200));
    CHECK_INT(msg.lifecycle.expiry_ns, NS(1796158800));
    CHECK_INT(msg.lifecycle.at_ns, KDP_TIME_NULL);
    CHECK(is(msg.lifecycle.structure, "tapered_deci_cent") && is(msg.lifecycle.title, "A \"t\""));
    CHECK(is(msg.lifecycle.yes_sub_title, "y") && is(msg.lifecycle.event_ticker, "KXDEMO-26DEC01"));
    CHECK_INT(msg.lifecycle.can_close_early, 1);
    CHECK_INT(msg.lifecycle.strike_type, KDP_STRIKE_TYPE_BETWEEN);
    CHECK_INT(msg.lifecycle.floor_strike_e6, 3000000);
    CHECK_INT(msg.lifecycle.cap_strike_e6, 69499990000);
    CHECK_INT(msg.lifecycle.settlement_value_e6, KDP_INT64_NULL);
    CHECK_INT(msg.lifecycle.range_count, 3);
    CHECK_INT(msg.lifecycle.ranges[0].end_e4, 1000);
    CHECK_INT(msg.lifecycle.ranges[1].step_e4, 100);
    CHECK_INT(msg.lifecycle.ranges[2].start_e4, 9000);
    CHECK_INT(msg.unknown_members, 0);
}

KDP_TEST(strike_finer_than_we_keep_costs_only_itself)
{
    good("{\"type\":\"market_lifecycle_v2\",\"sid\":4,\"seq\":9,\"msg\":{\"market_ticker\":\"A\",\"event_"
         "type\":\"created\","
         "\"open_ts\":1795176000,\"additional_metadata\":{\"floor_strike\":0.00001234567,\"cap_strike\":2.5}}"
         "}",
         KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.floor_strike_e6, KDP_INT64_NULL);
    CHECK_INT(msg.lifecycle.cap_strike_e6, 2500000);
    CHECK_INT(msg.unknown_members, 1);
}

KDP_TEST(lifecycle_steps)
{
    good(LIFE("\"event_type\":\"determined\",\"determination_ts\":1796155300,\"result\":\"yes\",\"settlement_"
              "value\":\"0.333333\""),
         KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_DETERMINED);
    CHECK_INT(msg.lifecycle.result, KDP_RESULT_YES);
    CHECK_INT(msg.lifecycle.at_ns, NS(1796155300));
    CHECK_INT(msg.lifecycle.settlement_value_e6, 333333);
    CHECK_INT(msg.lifecycle.can_close_early, -1);
    CHECK_INT(msg.lifecycle.exchange_index, -1);
    good(LIFE("\"event_type\":\"settled\",\"settled_ts\":1796155400"), KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_SETTLED);
    CHECK_INT(msg.lifecycle.at_ns, NS(1796155400));
    good(LIFE("\"event_type\":\"deactivated\",\"is_deactivated\":true"), KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_DEACTIVATED);
    good(LIFE("\"event_type\":\"activated\",\"is_deactivated\":false"), KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_ACTIVATED);
    good(LIFE("\"event_type\":\"close_date_updated\",\"close_ts\":1796155200"), KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_CLOSE_DATE_UPDATED);
    good(LIFE("\"event_type\":\"price_level_structure_updated\",\"price_level_structure\":\"deci_cent\","
              "\"price_ranges\":[{\"start\":0,"
              "\"end\":1,\"step\":0.001}]"),
         KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED);
    CHECK_INT(msg.lifecycle.ranges[0].step_e4, 10);
    good(LIFE("\"event_type\":\"metadata_updated\",\"strike_type\":\"less\",\"cap_strike\":\"-1.5\",\"yes_"
              "sub_title\":\"z\""),
         KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.cap_strike_e6, -1500000);
    /* a zero time is no time */
    good(LIFE("\"event_type\":\"created\",\"open_ts\":0,\"close_ts\":-62135596800"), KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.open_ns, KDP_TIME_NULL);
    CHECK_INT(msg.lifecycle.close_ns, KDP_TIME_NULL);
    /* words to come are counted, not refused */
    good(LIFE("\"event_type\":\"renamed\",\"strike_type\":\"fuzzy\""), KDP_MESSAGE_LIFECYCLE);
    CHECK_INT(msg.lifecycle.kind, KDP_LIFECYCLE_KIND_NONE);
    CHECK_INT(msg.unknown_members, 2);
    good("{\"type\":\"multivariate_market_lifecycle\",\"sid\":5,\"seq\":1,\"msg\":{\"market_ticker\":"
         "\"KXMVEX\",\"event_type\":\"created\"}}",
         KDP_MESSAGE_LIFECYCLE);
    CHECK(msg.lifecycle.multivariate);
}

KDP_TEST(bad_lifecycle_values_are_refused)
{
    char frame[2000];
    size_t len;

    bad(LIFE("\"result\":\"yes\""), KDP_REFUSAL_MISSING, "event_type", "{\"market_ticker");
    bad(LIFE("\"event_type\":\"determined\",\"result\":\"perhaps\""), KDP_REFUSAL_ENUM, "result",
        "\"perhaps");
    bad(LIFE("\"event_type\":\"created\",\"open_ts\":-5"), KDP_REFUSAL_TIME, "open_ts", "-5");
    bad(LIFE("\"event_type\":\"created\",\"price_ranges\":[{\"start\":0,\"end\":1}]"), KDP_REFUSAL_MISSING,
        "price_ranges", "{\"start");
    bad(LIFE("\"event_type\":\"created\",\"price_ranges\":[{\"start\":1,\"end\":0,\"step\":0.01}]"),
        KDP_REFUSAL_CONFLICT, "price_ranges", "{\"start");
    bad(LIFE("\"event_type\":\"created\",\"price_ranges\":[{\"start\":0,\"end\":1,\"step\":0}]"),
        KDP_REFUSAL_RANGE, "step", "0}");
    bad(LIFE("\"event_type\":\"created\",\"price_ranges\":7"), KDP_REFUSAL_TYPE, "price_ranges", "7}");
    bad(LIFE("\"event_type\":\"created\",\"additional_metadata\":[]"), KDP_REFUSAL_TYPE,
        "additional_metadata", "[]");
    bad(LIFE("\"event_type\":\"created\",\"exchange_index\":256"), KDP_REFUSAL_RANGE, "exchange_index",
        "256");
    len = (size_t)snprintf(
        frame, sizeof frame,
        "{\"type\":\"market_lifecycle_v2\",\"msg\":{\"market_ticker\":\"X\",\"event_type\":\"created\","
        "\"price_ranges\":[");
    for (int i = 0; i < 17; i++)
        len += (size_t)snprintf(frame + len, sizeof frame - len, "%s{\"start\":0,\"end\":1,\"step\":0.%02d}",
                                i > 0 ? "," : "", i + 1);
    snprintf(frame + len, sizeof frame - len, "]}}");
    bad(frame, KDP_REFUSAL_TOO_LONG, "price_ranges", "{\"start\":0,\"end\":1,\"step\":0.17");
    CHECK_INT(msg.lifecycle.range_count, 16);
}

KDP_TEST(event_messages)
{
    good("{\"type\":\"event_lifecycle\",\"sid\":4,\"seq\":11,\"msg\":{\"event_ticker\":\"KXDEMO-26DEC02\","
         "\"exchange_index\":0,\"title\":\"t\","
         "\"subtitle\":\"s\",\"collateral_return_type\":\"MECNET\",\"series_ticker\":\"KXDEMO\"}}",
         KDP_MESSAGE_EVENT);
    CHECK_INT(msg.event.kind, KDP_EVENT_KIND_CREATED);
    CHECK(is(msg.event.event_ticker, "KXDEMO-26DEC02") && is(msg.event.series_ticker, "KXDEMO") &&
          is(msg.event.title, "t"));
    CHECK(is(msg.event.sub_title, "s") && is(msg.event.collateral, "MECNET") && is(msg.event.fee_type, ""));
    CHECK_INT(msg.event.exchange_index, 0);
    CHECK_INT(msg.event.fee_multiplier_e6, KDP_INT64_NULL);
    good("{\"type\":\"event_fee_update\",\"sid\":4,\"seq\":12,\"msg\":{\"event_ticker\":\"KXDEMO-26DEC02\","
         "\"fee_type_override\":\"flat\","
         "\"fee_multiplier_override\":0.07}}",
         KDP_MESSAGE_EVENT);
    CHECK_INT(msg.event.kind, KDP_EVENT_KIND_FEE_OVERRIDE);
    CHECK(is(msg.event.fee_type, "flat"));
    CHECK_INT(msg.event.fee_multiplier_e6, 70000);
    good("{\"type\":\"event_fee_update\",\"msg\":{\"event_ticker\":\"X\",\"fee_type_override\":null,\"fee_"
         "multiplier_override\":null}}",
         KDP_MESSAGE_EVENT);
    CHECK_INT(msg.event.fee_multiplier_e6, KDP_INT64_NULL);
    bad("{\"type\":\"event_lifecycle\",\"msg\":{\"title\":\"t\"}}", KDP_REFUSAL_MISSING, "event_ticker",
        "{\"title");
}

KDP_TEST(replies)
{
    good("{\"id\":1,\"type\":\"subscribed\",\"msg\":{\"channel\":\"orderbook_delta\",\"sid\":7}}",
         KDP_MESSAGE_SUBSCRIBED);
    CHECK(msg.has_id && msg.id == 1 && msg.has_sid && msg.sid == 7 && !msg.has_seq);
    CHECK(is(msg.subscribed.channel, "orderbook_delta"));
    good("{\"id\":6,\"sid\":1,\"seq\":91,\"type\":\"unsubscribed\"}", KDP_MESSAGE_UNSUBSCRIBED);
    CHECK(msg.has_seq && msg.seq == 91 && msg.sid == 1);
    good("{\"id\":9,\"type\":\"error\",\"msg\":{\"code\":8,\"msg\":\"Unknown channel "
         "\\\"name\\\"\",\"market_ticker\":\"" TICKER "\"}}",
         KDP_MESSAGE_ERROR);
    CHECK_INT(msg.error.code, 8);
    CHECK(is(msg.error.text, "Unknown channel \"name\"") && is(msg.market_ticker, TICKER) && !msg.has_sid);
    good("{\"sid\":1,\"seq\":92,\"type\":\"error\",\"msg\":{\"code\":25,\"msg\":\"Subscription buffer "
         "overflow\"}}",
         KDP_MESSAGE_ERROR);
    CHECK_INT(msg.error.code, 25);
    CHECK(msg.has_sid && msg.seq == 92);
    good("{\"id\":7,\"type\":\"ok\",\"msg\":[{\"channel\":\"orderbook_delta\",\"sid\":1},{\"channel\":"
         "\"trade\",\"sid\":2}]}",
         KDP_MESSAGE_OK_LIST);
    CHECK_INT(msg.ok.count, 2);
    bad("{\"type\":\"subscribed\",\"msg\":{\"channel\":\"ticker\"}}", KDP_REFUSAL_MISSING, "sid",
        "{\"channel");
}

static bool
collect(void *arg, struct kdp_text ticker)
{
    char *out = arg;
    size_t len = strlen(out);

    snprintf(out + len, 200 - len, "%.*s ", (int)ticker.len, ticker.data);
    return strstr(out, "stop") == NULL;
}

static const char *
tickers(const char *frame)
{
    static char out[200];

    out[0] = '\0';
    kdpi_message_tickers(frame, strlen(frame), collect, out);
    return out;
}

KDP_TEST(ok_with_its_list_in_both_places)
{
    static const char inner[] = "{\"id\":3,\"sid\":1,\"seq\":57,\"type\":\"ok\",\"msg\":{\"market_ids\":[],"
                                "\"market_tickers\":[\"A\",\"B-\\u0031\"]}}";
    static const char top[] =
        "{\"market_tickers\":[\"A\",\"B\",\"C\"],\"id\":3,\"sid\":1,\"seq\":57,\"type\":\"ok\"}";
    static const char first[] = "{\"msg\":{\"market_tickers\":[\"A\"]},\"type\":\"ok\",\"sid\":1,\"seq\":58}";

    good(inner, KDP_MESSAGE_OK);
    CHECK_INT(msg.ok.count, 2);
    CHECK(msg.has_seq && msg.seq == 57 && msg.id == 3);
    CHECK_STR(tickers(inner), "A B-1 ");
    good(top, KDP_MESSAGE_OK);
    CHECK_INT(msg.ok.count, 3);
    CHECK_STR(tickers(top), "A B C ");
    good(first, KDP_MESSAGE_OK);
    CHECK_INT(msg.ok.count, 1);
    good("{\"type\":\"ok\",\"sid\":1,\"seq\":59,\"msg\":{}}", KDP_MESSAGE_OK);
    CHECK_INT(msg.ok.count, 0);
    bad("{\"type\":\"ok\",\"msg\":{\"market_tickers\":[\"A\",7]}}", KDP_REFUSAL_TYPE, "market_tickers", "7");
    bad("{\"type\":\"ok\",\"msg\":{\"market_tickers\":\"A\"}}", KDP_REFUSAL_TYPE, "market_tickers", "\"A\"");
    CHECK_STR(tickers("{\"msg\":{\"market_tickers\":[\"A\",\"stop\",\"B\"]}}"), "A stop ");
}

KDP_TEST(client_commands)
{
    static const char sub[] = "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\","
                              "\"trade\"],\"market_tickers\":[\"A\",\"B\"],"
                              "\"use_yes_price\":true}}";
    static const char one[] = "{\"params\":{\"use_yes_price\":false,\"market_ticker\":\"A\",\"sids\":[1],"
                              "\"new\":1},\"cmd\":\"update_subscription\"}";

    good(sub, KDP_MESSAGE_COMMAND);
    CHECK(is(msg.command.cmd, "subscribe") && msg.command.use_yes_price == 1 && msg.id == 1 && !msg.has_sid);
    CHECK(msg.command.books);
    CHECK_STR(tickers(sub), "A B ");
    good(one, KDP_MESSAGE_COMMAND);
    CHECK(msg.command.use_yes_price == 0 && is(msg.market_ticker, "A") && !msg.command.books);
    CHECK_INT(msg.unknown_members, 1);
    CHECK_STR(tickers(one), "A ");
    good("{\"id\":7,\"cmd\":\"list_subscriptions\"}", KDP_MESSAGE_COMMAND);
    CHECK_INT(msg.command.use_yes_price, -1);
    good("{\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"trade\",\"ticker\",1]}}", KDP_MESSAGE_COMMAND);
    CHECK(!msg.command.books);
    bad("{\"id\":7,\"cmd\":\"subscribe\",\"params\":[]}", KDP_REFUSAL_TYPE, "params", "[]");
}
