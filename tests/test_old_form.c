/* Messages of other recorders, put into the exchange's form: what becomes of them, and what is refused. */
#include <stdio.h>

#include "kdp_test.h"
#include "message.h"
#include "old_form.h"

/* What one line becomes; "" when it is left as it is, "!WHY" when it is refused. */
static const char *
becomes_of(struct kdp_old_form *old, const char *text, uint64_t number)
{
    static char scratch[8192], line[4096], out[8192];
    struct kdp_unwrapper *unwrapper = kdpi_unwrapper_open();
    struct kdp_unwrapped u;
    const char *member;
    size_t len = strlen(text);

    memset(line, 0, sizeof line);
    memcpy(line, text, len);
    kdpi_unwrap(unwrapper, line, len, scratch, &u);
    kdpi_unwrapper_close(unwrapper);
    kdpi_old_form(old, line, len, number, &u, &member);
    if (u.refusal != KDP_REFUSAL_NONE)
        snprintf(out, sizeof out, "!%s %zu %s", member, u.position, u.why);
    else if (u.form == KDP_LINE_MARK)
        snprintf(out, sizeof out, "mark %d of %u", (int)u.event, u.conn);
    else if ((u.text >= line && u.text < line + sizeof line) ||
             (u.text >= scratch && u.text < scratch + sizeof scratch))
        out[0] = '\0';
    else
        snprintf(out, sizeof out, "%.*s", (int)u.len, u.text);
    return out;
}

static const char *
becomes(const char *text)
{
    static struct kdp_old_form *old;

    kdpi_old_form_close(old);
    old = kdpi_old_form_open(0x1234);
    CHECK(old != NULL);
    return becomes_of(old, text, 7);
}

KDP_TEST(the_exchanges_own_frames_are_left_as_they_are)
{
    CHECK_STR(becomes("{\"type\":\"orderbook_delta\",\"sid\":2,\"seq\":3,\"msg\":{\"market_ticker\":\"X\","
                      "\"price_dollars\":\"0.5000\","
                      "\"delta_fp\":\"1.00\",\"side\":\"yes\"}}"),
              "");
    CHECK_STR(becomes("{\"type\":\"orderbook_delta\",\"sid\":2,\"seq\":3,\"msg\":{\"market_ticker\":\"X\","
                      "\"price\":50,\"delta\":-5,"
                      "\"side\":\"no\"}}"),
              "");
    CHECK_STR(becomes("{\"type\":\"orderbook_snapshot\",\"sid\":2,\"seq\":1,\"msg\":{\"market_ticker\":\"X\","
                      "\"yes\":[[8,300]],\"no\":null}}"),
              "");
    CHECK_STR(becomes("{\"type\":\"subscribed\",\"id\":1,\"msg\":{\"channel\":\"ticker\",\"sid\":1}}"), "");
    CHECK_STR(becomes("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"ticker\"]}}"), "");
    CHECK_STR(becomes("{\"channel\":\"trade\",\"message\":{\"type\":\"trade\",\"sid\":1,\"msg\":{\"market_"
                      "ticker\":\"X\",\"trade_id\":\"a\","
                      "\"yes_price\":5,\"count\":1}}}"),
              "");
    CHECK_STR(becomes("no JSON at all"), "");
}

KDP_TEST(flat_messages_get_an_envelope)
{
    CHECK_STR(becomes("{\"type\":\"orderbook_delta\",\"ticker\":\"X\",\"side\":\"yes\",\"price\":0.68,"
                      "\"delta\":500,\"seq\":12345}"),
              "{\"type\":\"orderbook_delta\",\"sid\":1073745255,\"seq\":12345,\"msg\":{\"market_ticker\":"
              "\"X\",\"price_dollars\":\"0.6800\","
              "\"delta_fp\":\"500.00\",\"side\":\"yes\"}}");
}

KDP_TEST(asks_become_no_bids)
{
    CHECK_STR(becomes("{\"channel\":\"orderbook_snapshot\",\"message\":{\"ticker\":\"X\",\"bids\":[[0.4,10]],"
                      "\"asks\":[{\"price\":0.45,"
                      "\"size\":2.5}]}}"),
              "{\"type\":\"orderbook_snapshot\",\"msg\":{\"market_ticker\":\"X\",\"yes_dollars_fp\":[[\"0."
              "4000\",\"10.00\"]],"
              "\"no_dollars_fp\":[[\"0.5500\",\"2.50\"]]}}");
    CHECK_STR(
        becomes(
            "{\"type\":\"orderbook_delta\",\"ticker\":\"X\",\"side\":\"ask\",\"price\":0.45,\"delta\":-1}"),
        "{\"type\":\"orderbook_delta\",\"msg\":{\"market_ticker\":\"X\",\"price_dollars\":\"0.5500\",\"delta_"
        "fp\":\"-1.00\","
        "\"side\":\"no\"}}");
}

KDP_TEST(prices_are_cents_or_dollars_by_how_they_are_written)
{
    static const struct {
        const char *written, *meant;
    } prices[] = {{"1", "0.0100"},     {"1.0", "1.0000"},      {"68", "0.6800"},     {"68.5", "0.6850"},
                  {"0.685", "0.6850"}, {"\"0.68\"", "0.6800"}, {"\"68\"", "0.6800"}, {"0", "0.0000"},
                  {"99.75", "0.9975"}, {"6.8e-1", "0.6800"}};
    char line[256], want[64];

    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        const char *got;

        snprintf(line, sizeof line, "{\"type\":\"ticker\",\"ticker\":\"X\",\"price\":%s}", prices[i].written);
        snprintf(want, sizeof want, "\"price_dollars\":\"%s\"", prices[i].meant);
        got = becomes(line);
        if (strstr(got, want) == NULL)
            kdp_test_fail(__FILE__, __LINE__, "%s: %s", line, got);
    }
}

KDP_TEST(what_is_finer_is_refused_with_its_place)
{
    CHECK_STR(becomes("{\"type\":\"ticker\",\"ticker\":\"X\",\"price\":0.68000000000000005}"),
              "!price 38 finer than 0.0001 dollar");
    CHECK_STR(becomes("{\"type\":\"ticker\",\"ticker\":\"X\",\"volume\":1.005}"),
              "!volume 39 finer than 0.01 contract");
    CHECK_STR(becomes("{\"type\":\"ticker\",\"ticker\":\"X\",\"price\":101}"),
              "!price 38 a price is between 0 and 1 dollar");
    CHECK_STR(becomes("{\"type\":\"ticker\",\"ticker\":\"X\",\"price\":-0.5}"),
              "!price 38 a price is between 0 and 1 dollar");
    CHECK_STR(
        becomes("{\"type\":\"orderbook_delta\",\"ticker\":\"X\",\"side\":\"yes\",\"price\":0.5,\"size\":5}"),
        "!delta 0 a member is missing");
    CHECK_STR(becomes("{\"type\":\"trade\",\"price\":0.5,\"count\":5}"),
              "!market_ticker 0 a member is missing");
    CHECK_STR(
        becomes("{\"type\":\"trade\",\"ticker\":\"X\",\"price\":0.5,\"count\":5,\"taker_side\":\"maybe\"}"),
        "!taker_side 64 unknown word");
}

KDP_TEST(an_object_that_is_no_message_is_not_passed_over)
{
    CHECK_STR(becomes("{\"foo\":1}"), "!type 0 no message: it has no type");
    CHECK_STR(becomes("{\"when\":1,\"data\":{\"type\":\"ticker\",\"msg\":{}}}"),
              "!type 0 no message: it has no type");
    CHECK_STR(becomes("{\"type\":\"of tomorrow\",\"msg\":{}}"), "");
}

KDP_TEST(trades_without_an_id_get_one_of_file_and_line)
{
    CHECK_STR(
        becomes("{\"type\":\"trade\",\"sid\":11,\"msg\":{\"market_ticker\":\"X\",\"yes_price\":36,\"no_"
                "price\":64,\"count\":136,"
                "\"taker_side\":\"no\",\"ts\":1669149841}}"),
        "{\"type\":\"trade\",\"sid\":11,\"msg\":{\"market_ticker\":\"X\",\"ts\":\"2022-11-22T20:44:01."
        "000000000Z\","
        "\"ts_ms\":1669149841000,\"trade_id\":\"0000000000001234 line 7\",\"yes_price_dollars\":\"0.3600\","
        "\"no_price_dollars\":\"0.6400\",\"count_fp\":\"136.00\",\"taker_side\":\"no\"}}");
}

KDP_TEST(flat_numbers_are_of_the_market_or_of_all_as_the_recording_has_it)
{
    static const char form[] = "{\"type\":\"orderbook_delta\",\"ticker\":\"%s\",\"side\":\"yes\",\"price\":0."
                               "5,\"delta\":1,\"seq\":%d}";
    struct kdp_old_form *old = kdpi_old_form_open(1);
    char line[256], first[32], other[32];

    snprintf(line, sizeof line, form, "A", 5);
    CHECK(sscanf(becomes_of(old, line, 1), "{\"type\":\"orderbook_delta\",\"sid\":%31[0-9]", first) == 1);
    snprintf(line, sizeof line, form, "B", 6); /* goes on: one count for all */
    CHECK(sscanf(becomes_of(old, line, 2), "{\"type\":\"orderbook_delta\",\"sid\":%31[0-9]", other) == 1);
    CHECK_STR(other, first);
    kdpi_old_form_close(old);
    old = kdpi_old_form_open(1);
    snprintf(line, sizeof line, form, "A", 5);
    becomes_of(old, line, 1);
    snprintf(line, sizeof line, form, "B", 1); /* begins: a count of its own */
    CHECK(sscanf(becomes_of(old, line, 2), "{\"type\":\"orderbook_delta\",\"sid\":%31[0-9]", other) == 1);
    CHECK(strcmp(other, first) != 0);
    snprintf(line, sizeof line, form, "A", 6);
    CHECK(sscanf(becomes_of(old, line, 3), "{\"type\":\"orderbook_delta\",\"sid\":%31[0-9]", other) == 1);
    CHECK_STR(other, first);
    kdpi_old_form_close(old);
}

KDP_TEST(an_envelope_with_a_payload_is_taken_off)
{
    struct kdp_old_form *old = kdpi_old_form_open(1);

    CHECK_STR(becomes_of(old,
                         "{\"event_type\":\"ws_connected\",\"connection_id\":\"c1\",\"local_recv_ns\":5,"
                         "\"payload_json\":{}}",
                         1),
              "mark 1 of 1");
    CHECK_STR(becomes_of(old,
                         "{\"event_type\":\"ws_subscribed\",\"connection_id\":\"c1\",\"local_recv_ns\":6,"
                         "\"payload_json\":{\"id\":1,"
                         "\"msg\":{\"channel\":\"orderbook_delta\",\"sid\":2},\"type\":\"subscribed\"}}",
                         2),
              "{\"id\":1,\"msg\":{\"channel\":\"orderbook_delta\",\"sid\":2},\"type\":\"subscribed\"}");
    CHECK_STR(becomes_of(old,
                         "{\"event_type\":\"orderbook_delta\",\"connection_id\":\"c1\",\"local_recv_ns\":7,"
                         "\"sequence_number\":3,"
                         "\"payload_json\":{\"market_ticker\":\"X\",\"price_dollars\":\"0.2900\",\"delta_"
                         "fp\":\"-50.00\",\"side\":\"yes\"}}",
                         3),
              "{\"type\":\"orderbook_delta\",\"sid\":2,\"seq\":3,\"msg\":{\"market_ticker\":\"X\",\"price_"
              "dollars\":\"0.2900\","
              "\"delta_fp\":\"-50.00\",\"side\":\"yes\"}}");
    CHECK_STR(
        becomes_of(
            old, "{\"event_type\":\"watch_market\",\"connection_id\":\"c1\",\"payload_json\":{\"a\":1}}", 4),
        "mark 3 of 1");
    kdpi_old_form_close(old);
}
