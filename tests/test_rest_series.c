/* test_rest_series.c - series, events and their markets, the terms of markets, fees, costs, and where history begins. */
#include "rest_fixture.h"

#include "clock.h"

#include <stdio.h>

/* ---- series ---- */

KDP_TEST(series_of_a_list_and_a_single_one)
{
    CHECK_STR(
        rest_decode(
            "series",
            "{\"series\":[{\"ticker\":\"KXHIGHNY\",\"title\":\"Highest \\\"t\\\" in "
            "NYC\",\"category\":\"Climate\",\"frequency\":\"daily\",\"categories\":[\"Climate\"],"
            "\"tags\":[\"a\", \"b\"],\"settlement_sources\":[{\"name\":\"NWS\",\"url\":\"https://x\"}],"
            "\"contract_url\":\"https://c\",\"contract_terms_url\":\"https://t\",\"fee_type\":\"quadratic\","
            "\"fee_multiplier\":0.035,\"additional_prohibitions\":[\"p\"],\"volume_fp\":\"12.50\",\"volume\":"
            "12,\"exchange_index\":0},{\"ticker\":\"B\",\"tags\":null,\"fee_multiplier\":1}]}"),
        "KXHIGHNY title=\"Highest \"t\" in NYC\" category=\"Climate\" frequency=\"daily\" fee=\"quadratic\" "
        "multiplier=35000 contract=\"https://c\" terms=\"https://t\" tags=\"[\"a\", \"b\"]\" "
        "sources=\"[{\"name\":\"NWS\",\"url\":\"https://x\"}]\" prohibited=\"[\"p\"]\" volume=1250 index=0\n"
        "B multiplier=1000000\n");
    CHECK_INT(rest_end.refused, 0);
    CHECK_STR(rest_decode("series", "{\"series\":{\"ticker\":\"B\",\"volume\":7}}"), "B volume=700\n");
    CHECK_STR(rest_decode("series", "{\"series\":null}"), "");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
}

KDP_TEST(series_that_cannot_be_kept)
{
    CHECK_STR(rest_decode("series", "{\"series\":[{\"title\":\"x\"},7,{\"ticker\":\"A\",\"title\":[]},"
                                    "{\"ticker\":\"B\",\"volume_fp\":\"x\"},{\"ticker\":\"C\"}]}"),
              "C\n");
    CHECK_INT(rest_end.refused, 4);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_MISSING);
    CHECK_STR(rest_end.member, "ticker");
    rest_decode("series", "{\"series\":[{\"ticker\":\"A\",\"title\":[]}]}");
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TYPE);
    CHECK_STR(rest_end.member, "title");
    /* a multiplier that is no exact 1e-6 is left out, and its series stays */
    CHECK_STR(rest_decode("series", "{\"series\":{\"ticker\":\"A\",\"fee_multiplier\":0.30000000000000004}}"),
              "A\n");
    CHECK_INT(rest_end.refused, 0);
    rest_decode("series", "{\"serie\":[]}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_MISSING);
    CHECK_STR(rest_end.member, "series");
    rest_decode("series", "{\"series\":\"A\"}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_TYPE);
}

/* ---- events ---- */

#define MARKET(name) "{\"ticker\":\"" name "\",\"status\":\"active\"}"

KDP_TEST(an_event_with_everything)
{
    CHECK_STR(
        rest_events(
            "{\"events\":[{\"event_ticker\":\"E-1\",\"series_ticker\":\"E\",\"title\":\"T\",\"sub_"
            "title\":\"S \\u00b0\",\"category\":\"C\",\"collateral_return_type\":\"MECNET\",\"mutually_"
            "exclusive\":true,\"strike_date\":\"2026-11-22T00:00:00Z\",\"strike_period\":\"\",\"exchange_"
            "index\":3,\"markets\":[" MARKET(
                "M") "],\"product_metadata\":{\"a\":[]},\"settlement_"
                     "sources\":null},{\"event_ticker\":\"E-2\",\"mutually_exclusive\":false,\"strike_date\":"
                     "null,\"strike_period\":\"Q3\"}],\"cursor\":\"c\"}"),
        "E-1 series=\"E\" title=\"T\" sub=\"S \u00b0\" category=\"C\" collateral=\"MECNET\" "
        "date=2026-11-22T00:00:00Z exclusive=1 index=3\nE-2 period=\"Q3\" exclusive=0\n");
    CHECK_STR(rest_end.cursor, "c");
    rest_events("{\"event\":{\"event_ticker\":\"E\",\"mutually_exclusive\":\"yes\"}}");
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TYPE);
    CHECK_STR(rest_end.member, "mutually_exclusive");
    rest_events("{\"event\":{\"event_ticker\":\"E\",\"exchange_index\":256}}");
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_RANGE);
}

KDP_TEST(markets_inside_events_and_beside_one)
{
    CHECK_STR(rest_decode("event markets",
                          "{\"events\":[{\"event_ticker\":\"E\",\"markets\":[" MARKET("A") "," MARKET(
                              "B") "]},{\"event_ticker\":\"F\"},{\"event_ticker\":\"G\",\"markets\":null},{"
                                   "\"markets\":[" MARKET("C") "]}],\"cursor\":\"next\"}"),
              "A status=2\nB status=2\nC status=2\n");
    CHECK_INT(rest_end.items, 3);
    CHECK_STR(rest_end.cursor, "next");
    CHECK_STR(
        rest_decode("event markets", "{\"event\":{\"event_ticker\":\"E\"},\"markets\":[" MARKET("A") "]}"),
        "A status=2\n");
    CHECK_STR(
        rest_decode("event markets", "{\"event\":{\"event_ticker\":\"E\",\"markets\":[" MARKET("A") "]}}"),
        "A status=2\n");
    /* said twice, told once */
    CHECK_STR(rest_decode("event markets",
                          "{\"event\":{\"markets\":[" MARKET("A") "]},\"markets\":[" MARKET("A") "]}"),
              "A status=2\n");
    CHECK_STR(rest_decode("event markets",
                          "{\"markets\":[" MARKET("A") "],\"event\":{\"markets\":[" MARKET("A") "]}}"),
              "A status=2\n");
    rest_stop_after = 1;
    CHECK_STR(rest_decode("event markets", "{\"events\":[{\"markets\":[" MARKET("A") "," MARKET("B") "]}]}"),
              "A status=2\n");
    rest_stop_after = 0;
    CHECK_STR(rest_decode("event markets", "{\"events\":[{\"markets\":[{},7," MARKET("B") "]},7]}"),
              "B status=2\n");
    CHECK_INT(rest_end.refused, 3);
    rest_decode("event markets", "{\"markets\":[]}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_MISSING);
}

/* ---- terms of a market ---- */

KDP_TEST(terms_come_when_they_are_wanted)
{
    static const char body[] =
        "{\"market\":{\"ticker\":\"A-1\",\"subtitle\":\"s\",\"no_sub_title\":\"n\",\"rules_primary\":\"If "
        "\\\"x\\\"\\n\",\"rules_secondary\":\"r\",\"early_close_condition\":\"e\",\"expiration_value\":"
        "\"51\","
        "\"functional_strike\":\"f\",\"custom_strike\":{\"a\" : "
        "[1]},\"mve_selected_legs\":[{\"side\":\"yes\"}],"
        "\"settlement_bounds_type\":\"floor\",\"primary_participant_key\":\"p\",\"created_time\":"
        "\"2026-11-01T00:00:00Z\",\"updated_time\":\"2026-11-02T00:00:00Z\"}}";

    CHECK_STR(rest_markets(body), "A-1 no=\"n\"\n");
    rest_terms = true;
    CHECK_STR(rest_markets(body),
              "A-1 no=\"n\" created=2026-11-01T00:00:00Z updated=2026-11-02T00:00:00Z subtitle=\"s\" "
              "rules=\"If \"x\"\n\" rules2=\"r\" early_close=\"e\" expired=\"51\" functional=\"f\" "
              "custom=\"{\"a\" : [1]}\" legs=\"[{\"side\":\"yes\"}]\" bounds=\"floor\" participant=\"p\"\n");
    CHECK_STR(rest_markets("{\"market\":{\"ticker\":\"A-1\",\"rules_primary\":null,\"custom_strike\":null,"
                           "\"created_time\":\"0001-01-01T00:00:00Z\"}}"),
              "A-1\n");
    rest_markets("{\"market\":{\"ticker\":\"A-1\",\"rules_primary\":{}}}");
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TYPE);
    CHECK_STR(rest_end.member, "rules_primary");
    rest_terms = false;
    rest_markets("{\"market\":{\"ticker\":\"A-1\",\"rules_primary\":{}}}"); /* stepped over */
    CHECK_INT(rest_end.refused, 0);
}

/* ---- fees, costs, cutoff, shards ---- */

KDP_TEST(changes_of_fees)
{
    CHECK_STR(rest_decode("fee changes",
                          "{\"series_fee_change_arr\":[{\"id\":\"1\",\"series_ticker\":\"S\",\"fee_type\":"
                          "\"quadratic\",\"fee_multiplier\":0.5,\"scheduled_ts\":\"2027-01-01T00:00:00Z\"},"
                          "{\"id\":\"2\",\"fee_type\":\"flat\"}]}"),
              "S id=\"1\" fee=\"quadratic\" multiplier=500000 from=2027-01-01T00:00:00Z\n");
    CHECK_INT(rest_end.refused, 1);
    CHECK_STR(rest_end.member, "series_ticker");
    /* both null: the override ends */
    CHECK_STR(
        rest_decode("fee changes",
                    "{\"event_fee_changes\":[{\"id\":\"2\",\"event_ticker\":\"E\",\"series_ticker\":\"S\","
                    "\"fee_type_override\":null,\"fee_multiplier_override\":null,\"scheduled_ts\":"
                    "\"2027-02-01T00:00:00Z\"},{\"event_ticker\":\"F\",\"fee_type_override\":\"flat\",\"fee_"
                    "multiplier_override\":0}],\"cursor\":\"c\"}"),
        "E event id=\"2\" from=2027-02-01T00:00:00Z\nF event fee=\"flat\" multiplier=0\n");
    CHECK_STR(rest_end.cursor, "c");
    CHECK_STR(rest_decode("fee changes", "{\"series_fee_change_arr\":[]}"), "");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    rest_decode("fee changes", "{\"fees\":[]}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_MISSING);
}

KDP_TEST(costs_of_requests)
{
    CHECK_STR(rest_decode("costs",
                          "{\"endpoint_costs\":[{\"method\":\"GET\",\"path\":\"/a/{b}\",\"cost\":2},"
                          "{\"method\":\"GET\",\"path\":\"/c\",\"cost\":2.5},{\"path\":\"/d\"},{\"cost\":1}],"
                          "\"default_cost\":12}"),
              "GET /a/{b} 2\n");
    CHECK_INT(rest_end.refused, 3);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_TOO_FINE);
    CHECK_INT(rest_number, 12);
    CHECK_STR(rest_decode("costs", "{\"endpoint_costs\":null}"), "");
    CHECK_INT(rest_number, 10);
    rest_decode("costs", "{\"default_cost\":3}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_number, 3);
    rest_decode("costs", "{\"default_cost\":\"x\"}");
    CHECK_INT(rest_number, 10);
    rest_decode("costs", "{}");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_MISSING);
}

static enum kdp_refusal
cutoff_of(const char *body, struct kdp_rest_cutoff *cutoff)
{
    return kdpi_rest_cutoff(rest_reader(), body, strlen(body), cutoff);
}

KDP_TEST(where_history_begins)
{
    struct kdp_rest_cutoff cutoff;

    CHECK_INT(
        cutoff_of("{\"market_settled_ts\":\"2026-07-27T00:00:00Z\",\"trades_created_ts\":\"2026-07-28T01:"
                  "02:03.5Z\",\"orders_updated_ts\":\"x\",\"market_positions_last_updated_ts\":7}",
                  &cutoff),
        KDP_REFUSAL_NONE);
    CHECK_INT(cutoff.market_settled_ns, INT64_C(1785110400) * KDP_NS_PER_S);
    CHECK_INT(cutoff.trades_created_ns, INT64_C(1785200523) * KDP_NS_PER_S + 500 * KDP_NS_PER_MS);
    CHECK_INT(cutoff_of("{\"trades_created_ts\":1785200523}", &cutoff), KDP_REFUSAL_NONE);
    CHECK(cutoff.market_settled_ns == KDP_TIME_NULL);
    CHECK_INT(cutoff.trades_created_ns, INT64_C(1785200523) * KDP_NS_PER_S);
    CHECK_INT(cutoff_of("{}", &cutoff), KDP_REFUSAL_MISSING);
    CHECK_INT(cutoff_of("[]", &cutoff), KDP_REFUSAL_NOT_OBJECT);
    CHECK_INT(cutoff_of("{\"trades_created_ts\":\"2026-13-01\"}", &cutoff), KDP_REFUSAL_TIME);
    CHECK_INT(cutoff_of("{\"trades_created_ts\":\"2026-07-28T00:00:00Z\"", &cutoff), KDP_REFUSAL_TRUNCATED);
    CHECK(cutoff.trades_created_ns == KDP_TIME_NULL);
}

KDP_TEST(shards_are_described)
{
    struct kdp_rest_status status;
    char body[4096] = "{\"exchange_active\":true,\"exchange_index_statuses\":[";
    size_t used = strlen(body);

    for (unsigned i = 0; i < 20; i++)
        used += (size_t)snprintf(
            body + used, sizeof body - used,
            "%s{\"exchange_index\":%u,\"description\":\"S\\u0007 %u\",\"exchange_active\":%s,"
            "\"trading_active\":true,\"intra_exchange_transfers_active\":true}",
            i > 0 ? "," : "", i, i, i == 1 ? "false" : "true");
    snprintf(body + used, sizeof body - used, "]}");
    CHECK_INT(kdpi_rest_status(rest_reader(), body, strlen(body), &status), KDP_REFUSAL_NONE);
    CHECK_INT(status.shards, 20);
    CHECK_INT(status.shards_trading, 19);
    CHECK_INT(status.shard[1].index, 1);
    CHECK(!status.shard[1].active && status.shard[1].trading && status.shard[1].transfers);
    CHECK_STR(status.shard[15].description, "S\\x07 15");
    CHECK_INT(kdpi_rest_status(rest_reader(), "{\"exchange_active\":true}", 24, &status), KDP_REFUSAL_NONE);
    CHECK_INT(status.shards, 0);
}

KDP_TEST(every_cut_of_a_body_is_refused)
{
    static const struct {
        const char *what, *body;
    } all[] = {{"series", "{\"series\":[{\"ticker\":\"A\",\"tags\":[\"\\u00e9\"],\"title\":\"a\\\"b\"}]}"},
               {"event markets", "{\"event\":{\"event_ticker\":\"E\"},\"markets\":[" MARKET("A") "]}"},
               {"event markets", "{\"events\":[{\"markets\":[" MARKET("A") "]}],\"cursor\":\"c\"}"},
               {"fee changes", "{\"event_fee_changes\":[{\"event_ticker\":\"E\"}]}"},
               {"costs", "{\"default_cost\":1,\"endpoint_costs\":[{\"path\":\"/a\",\"cost\":2}]}"}};

    rest_terms = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t len = 0; len < strlen(all[i].body); len++) {
            rest_lines(all[i].what, all[i].body, len);
            CHECK(rest_end.refusal != KDP_REFUSAL_NONE && rest_end.position <= len);
        }
        rest_decode(all[i].what, all[i].body);
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
        CHECK_INT(rest_end.items, 1);
    }
    rest_terms = false;
}
