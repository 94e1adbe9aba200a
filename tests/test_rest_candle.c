/* test_rest_candle.c - candlesticks: four bodies, two sets of names, and whose candles they are. */
#include "rest_fixture.h"

#include "clock.h"

#include <stdio.h>

#define T1 "\"end_period_ts\":1795348860"
#define AT "@1795348860"

static const char *
candles(const char *body)
{
    return rest_decode("candles", body);
}

static void
refused(const char *body, enum kdp_refusal refusal, const char *member)
{
    CHECK_STR(candles(body), "");
    if (rest_end.refusal != refusal)
        CHECK_STR(body, kdpi_refusal_text(rest_end.refusal));
    CHECK_STR(rest_end.member, member);
}

/* One candle refused, the other handed out. */
static void
item_refused(const char *members, enum kdp_refusal refusal, const char *member)
{
    char body[1024];

    snprintf(body, sizeof body, "{\"candlesticks\":[{%s},{" T1 ",\"volume_fp\":\"1.00\"}]}", members);
    CHECK_STR(candles(body), AT " volume=100\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_end.refused, 1);
    if (rest_end.item_refusal != refusal)
        CHECK_STR(members, kdpi_refusal_text(rest_end.item_refusal));
    CHECK_STR(rest_end.member, member);
}

KDP_TEST(a_live_candle)
{
    CHECK_STR(
        candles("{\"ticker\":\"KXDEMO-26DEC01-T3\",\"candlesticks\":[{" T1
                ",\"yes_bid\":{\"open_dollars\":\"0.4100\",\"low_dollars\":\"0.4000\",\"high_dollars\":\"0."
                "4300\",\"close_dollars\":\"0.4200\"},"
                "\"yes_ask\":{\"open_dollars\":\"0.4400\",\"low_dollars\":\"0.4300\",\"high_dollars\":\"0."
                "4500\",\"close_dollars\":\"0.4400\"},"
                "\"price\":{\"open_dollars\":\"0.4300\",\"low_dollars\":\"0.4250\",\"high_dollars\":\"0."
                "4400\",\"close_dollars\":\"0.4399\",\"mean_dollars\":\"0.431622\",\"previous_dollars\":\"0."
                "4201\",\"min_dollars\":\"0.4202\",\"max_dollars\":\"0.4401\"},"
                "\"volume_fp\":\"310.25\",\"open_interest_fp\":\"9120.00\"}]}"),
        "KXDEMO-26DEC01-T3" AT " bid=4100/4300/4000/4200 ask=4400/4500/4300/4400 "
        "price=4300/4400/4250/4399 mean=431622 previous=4201 min=4202 max=4401 volume=31025 "
        "interest=912000\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_end.refused, 0);
    CHECK_INT(rest_number, 0);
}

KDP_TEST(a_historical_candle_has_other_names)
{
    CHECK_STR(candles("{\"ticker\":\"A\",\"candlesticks\":[{" T1
                      ",\"yes_bid\":{\"open\":\"0.4100\",\"low\":\"0.4000\",\"high\":\"0.4300\",\"close\":"
                      "\"0.4200\"},"
                      "\"yes_ask\":{\"open\":\"0.44\",\"low\":\"0.43\",\"high\":\"0.45\",\"close\":\"0.44\"},"
                      "\"price\":{\"open\":\"0.4300\",\"low\":\"0.4250\",\"high\":\"0.4400\",\"close\":\"0."
                      "4399\",\"mean\":\"0.4316\",\"previous\":\"0.4201\"},"
                      "\"volume\":\"310.25\",\"open_interest\":\"9120.00\"}]}"),
              "A" AT " bid=4100/4300/4000/4200 ask=4400/4500/4300/4400 price=4300/4400/4250/4399 "
              "mean=431600 previous=4201 volume=31025 interest=912000\n");
}

KDP_TEST(cents_stand_beside_dollars_and_never_for_them)
{
    /* the mixed form of January 2026, in both orders */
    CHECK_STR(candles("{\"candlesticks\":[{" T1 ",\"price\":{\"close\":11,\"close_dollars\":\"0.1150\","
                      "\"open_dollars\":\"0.1000\",\"open\":10,\"previous\":12,\"mean\":11},\"volume\":12,"
                      "\"volume_fp\":\"12.50\",\"open_interest_fp\":\"7.25\",\"open_interest\":7}]}"),
              AT " price=1000/-/-/1150 volume=1250 interest=725\n");
    /* cents alone have no unit: 1 is a cent or a dollar */
    CHECK_STR(candles("{\"candlesticks\":[{" T1
                      ",\"yes_bid\":{\"open\":1,\"high\":0,\"low\":99,\"close\":100},\"volume\":3}]}"),
              AT " bid=-/0/-/- volume=300\n");
    /* numbers with a point are dollars under any name */
    CHECK_STR(candles("{\"candlesticks\":[{" T1
                      ",\"yes_bid\":{\"open\":0.5,\"high\":1.0,\"low_dollars\":0,\"close_dollars\":1}}]}"),
              AT " bid=5000/10000/0/10000\n");
}

KDP_TEST(a_period_without_a_trade)
{
    CHECK_STR(candles("{\"candlesticks\":[{" T1 ",\"price\":{\"open_dollars\":null,\"high_dollars\":null,"
                      "\"low_dollars\":null,\"close_dollars\":null,\"mean_dollars\":null,\"open\":null,"
                      "\"previous_dollars\":\"0.1100\"},\"volume_fp\":\"0.00\"},"
                      "{\"end_period_ts\":1795348920,\"price\":{},\"yes_bid\":null,\"yes_ask\":{\"open_"
                      "dollars\":\"\"},\"volume_fp\":null},"
                      "{\"end_period_ts\":\"1795348980\"}]}"),
              AT " previous=1100 volume=0\n@1795348920\n@1795348980\n");
    CHECK_INT(rest_end.refused, 0);
}

KDP_TEST(the_name_may_stand_behind_the_candles)
{
    CHECK_STR(candles("{\"candlesticks\":[{" T1 "},{\"end_period_ts\":1795348920}],\"x\":{\"ticker\":\"B\"},"
                      "\"ticker\":\"A\"}"),
              "A" AT "\nA@1795348920\n");
    CHECK_STR(candles("{\"markets\":[{\"candlesticks\":[{" T1 "}],\"market_ticker\":\"A\"},"
                      "{\"market_ticker\":\"B\",\"candlesticks\":[{" T1 "}]},"
                      "{\"market_ticker\":\"C\",\"candlesticks\":null},"
                      "{\"candlesticks\":[{" T1 "}],\"\\u0074icker\":\"D\\u0045\"}],\"more\":1}"),
              "A" AT "\nB" AT "\nDE" AT "\n");
    CHECK_INT(rest_end.refused, 0);
}

KDP_TEST(candles_of_an_event)
{
    static const char *const bodies[] = {
        "{\"market_tickers\":[\"A\",\"B\\u002d1\",\"C\"],\"market_candlesticks\":[[{" T1 "}],[{" T1
        "},{\"end_period_ts\":1795348920}],[]],\"adjusted_end_ts\":1795348920}",
        "{\"adjusted_end_ts\":1795348920,\"market_candlesticks\":[[{" T1 "}],[{" T1
        "},{\"end_period_ts\":1795348920}],null],\"market_tickers\":[\"A\",\"B\\u002d1\",\"C\"]}"};

    for (size_t i = 0; i < 2; i++) {
        CHECK_STR(candles(bodies[i]), "A" AT "\nB-1" AT "\nB-1@1795348920\n");
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
        CHECK_INT(rest_number, 1795348920);
    }
    CHECK_STR(candles("{\"market_tickers\":null,\"market_candlesticks\":[]}"), "");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(rest_number, 0);
}

KDP_TEST(no_candle_goes_under_anothers_name)
{
    refused("{\"market_tickers\":[\"A\"],\"market_candlesticks\":[[{" T1 "}],[{" T1 "}]]}",
            KDP_REFUSAL_CONFLICT, "market_tickers");
    refused("{\"market_candlesticks\":[[{" T1 "}]],\"market_tickers\":[\"A\",\"B\"]}", KDP_REFUSAL_CONFLICT,
            "market_tickers");
    refused("{\"market_candlesticks\":[[{" T1 "}]]}", KDP_REFUSAL_MISSING, "market_tickers");
    refused("{\"market_candlesticks\":[[{" T1 "}]],\"market_tickers\":[null]}", KDP_REFUSAL_MISSING,
            "market_tickers");
    refused("{\"market_candlesticks\":[[{" T1 "}]],\"market_tickers\":[7]}", KDP_REFUSAL_TYPE, "ticker");
    refused("{\"market_candlesticks\":[[{" T1 "}]],\"market_tickers\":\"A\"}", KDP_REFUSAL_TYPE,
            "market_tickers");
    refused("{\"market_candlesticks\":{},\"market_tickers\":[]}", KDP_REFUSAL_TYPE, "market_candlesticks");
    refused("{\"candlesticks\":[{" T1 "}],\"ticker\":{}}", KDP_REFUSAL_TYPE, "ticker");
    /* of a batch, only the market without a name is lost */
    CHECK_STR(candles("{\"markets\":[{\"candlesticks\":[{" T1
                      "}]},{\"market_ticker\":\"B\",\"candlesticks\":[{" T1 "}]},7]}"),
              "B" AT "\n");
    CHECK_INT(rest_end.refused, 2);
    CHECK_INT(rest_end.item_refusal, KDP_REFUSAL_MISSING);
    CHECK_STR(rest_end.member, "market_ticker");
}

KDP_TEST(values_that_cannot_be_kept_cost_their_candle)
{
    item_refused("\"end_period_ts\":null", KDP_REFUSAL_MISSING, "end_period_ts");
    item_refused("\"end_period_ts\":\"soon\"", KDP_REFUSAL_TIME, "end_period_ts");
    item_refused(T1 ",\"price\":{\"open_dollars\":\"0.12345\"}", KDP_REFUSAL_TOO_FINE, "price");
    item_refused(T1 ",\"yes_bid\":{\"open\":\"1.0001\"}", KDP_REFUSAL_RANGE, "yes_bid");
    item_refused(T1 ",\"yes_ask\":{\"low_dollars\":-0.01}", KDP_REFUSAL_RANGE, "yes_ask");
    item_refused(T1 ",\"yes_ask\":{\"low_dollars\":\"1e400\"}", KDP_REFUSAL_RANGE, "yes_ask");
    item_refused(T1 ",\"yes_ask\":{\"low_dollars\":\"half\"}", KDP_REFUSAL_TYPE, "yes_ask");
    item_refused(T1 ",\"yes_ask\":{\"low_dollars\":true}", KDP_REFUSAL_TYPE, "yes_ask");
    item_refused(T1 ",\"price\":[]", KDP_REFUSAL_TYPE, "price");
    item_refused(T1 ",\"volume_fp\":\"0.001\"", KDP_REFUSAL_TOO_FINE, "volume_fp");
    item_refused(T1 ",\"volume\":-1", KDP_REFUSAL_RANGE, "volume");
    /* a mean is a quotient */
    CHECK_STR(candles("{\"candlesticks\":[{" T1 ",\"price\":{\"mean_dollars\":\"0.3333333333\"}}]}"),
              AT "\n");
    CHECK_INT(rest_end.refused, 0);
}

KDP_TEST(bodies_without_candles_and_cut_ones)
{
    refused("{}", KDP_REFUSAL_MISSING, "markets");
    refused("[]", KDP_REFUSAL_NOT_OBJECT, "");
    refused("{\"candlesticks\":7}", KDP_REFUSAL_TYPE, "");
    refused("{\"candlesticks\":[{" T1 "}],\"ticker\":\"A\"", KDP_REFUSAL_TRUNCATED, "");
    refused("{\"markets\":[{\"candlesticks\":[{" T1 "}],\"market_", KDP_REFUSAL_TRUNCATED, "");
    refused("{\"market_candlesticks\":[[{" T1 "}]],", KDP_REFUSAL_TRUNCATED, "");
    CHECK_STR(candles("{\"candlesticks\":null}"), "");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    /* what was handed out before stands */
    CHECK_STR(candles("{\"ticker\":\"A\",\"candlesticks\":[{" T1 "},{\"end_period_ts\":17953489"),
              "A" AT "\n");
    CHECK_INT(rest_end.refusal, KDP_REFUSAL_TRUNCATED);
}

KDP_TEST(a_reader_that_has_had_enough)
{
    static const char *const bodies[] = {
        "{\"candlesticks\":[{" T1 "},{" T1 "}],\"ticker\":\"A\"}",
        "{\"markets\":[{\"market_ticker\":\"A\",\"candlesticks\":[{" T1 "},{" T1 "}]}]}",
        "{\"market_tickers\":[\"A\"],\"market_candlesticks\":[[{" T1 "},{" T1 "}]]}"};

    rest_stop_after = 1;
    for (size_t i = 0; i < 3; i++) {
        CHECK_STR(candles(bodies[i]), "A" AT "\n");
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
    }
    rest_stop_after = 0;
}

KDP_TEST(every_cut_of_candles_is_refused_and_none_is_nameless)
{
    static const char *const bodies[] = {
        "{\"candlesticks\":[{" T1 ",\"price\":{\"mean_dollars\":\"0.5\"}}],\"ticker\":\"A\\u0041\"}",
        "{\"markets\":[{\"candlesticks\":[{" T1 "}],\"market_ticker\":\"AA\"}]}",
        "{\"market_candlesticks\":[[{" T1 "}]],\"adjusted_end_ts\":5,\"market_tickers\":[\"AA\"]}",
        "{\"market_tickers\":[\"AA\"],\"market_candlesticks\":[[{" T1 "}]]}"};

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        for (size_t len = 0; len < strlen(bodies[i]); len++) {
            const char *lines = rest_lines("candles", bodies[i], len);

            CHECK(rest_end.refusal != KDP_REFUSAL_NONE && rest_end.position <= len);
            CHECK(lines[0] == '\0' || strncmp(lines, "AA@", 3) == 0);
        }
        CHECK(strncmp(candles(bodies[i]), "AA@", 3) == 0);
        CHECK_INT(rest_end.refusal, KDP_REFUSAL_NONE);
        CHECK_INT(rest_end.items, 1);
    }
}
