/* test_render.c - records as JSON, csv and words. */
#include "error.h"
#include "kdp_test.h"
#include "render.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

static alignas(8) uint8_t memory[KDP_RECORD_MAX];
static char text[KDPI_RENDER_MAX];

/* 2026-11-22T15:06:11.902117384Z */
#define RECV_NS INT64_C(1795359971902117384)

static void *
start(struct kdp_builder *b, uint8_t id)
{
    struct kdp_head *head;

    memset(memory, 0xa5, sizeof memory);
    head = kdpi_build_start(b, memory, id);
    head->seq = 784203;
    head->exch_ns = RECV_NS - 2000000;
    head->recv_ns = RECV_NS;
    head->instrument = 7;
    head->pub_delay_ns = 900;
    head->src_seq = 8814;
    head->line = 2;
    head->flags = KDP_FLAGS_LAST;
    head->origin = KDP_ORIGIN_WS;
    return head;
}

static void
give(struct kdp_builder *b, const char *string)
{
    kdpi_build_text(b, (struct kdp_text){string, strlen(string)});
}

static const struct kdp_head *
end(struct kdp_builder *b)
{
    size_t size = kdpi_build_finish(b);

    CHECK_INT(kdpi_record_size(memory, size), (long long)size);
    return (const struct kdp_head *)memory;
}

static const char *
json(struct kdp_builder *b)
{
    const struct kdp_head *rec = end(b);
    size_t len = kdpi_render_json(text, sizeof text, rec, "KXHIGHNY-26NOV22-B51.5");

    CHECK(len < sizeof text);
    CHECK_INT(strlen(text), len);
    return text;
}

static const char *
what(struct kdp_builder *b)
{
    const struct kdp_head *rec = end(b);
    size_t len = kdpi_render_what(text, sizeof text, rec, NULL);

    CHECK_INT(strlen(text), len);
    return text;
}

/* What every JSON line of start() begins with. */
#define HEAD(type)                                                                                     \
    "{\"seq\":784203,\"type\":\"" type "\",\"ticker\":\"KXHIGHNY-26NOV22-B51.5\","                     \
    "\"timestamp\":\"2026-11-22T15:06:11.900117384Z\",\"recv_ts\":\"2026-11-22T15:06:11.902117384Z\"," \
    "\"sequence\":8814,\"line\":2,\"origin\":\"ws\",\"flags\":[\"last\"],\"instrument\":7,"            \
    "\"exch_ts\":\"2026-11-22T15:06:11.900117384Z\",\"pub_delay_ns\":900,"

static struct kdp_trade *
trade(struct kdp_builder *b)
{
    struct kdp_trade *rec = start(b, KDP_TEMPLATE_TRADE);

    for (uint8_t i = 0; i < 16; i++)
        rec->trade_id[i] = (uint8_t)(0xf0 + i);
    rec->price_e4 = 4400;
    rec->count_e2 = 1250;
    rec->taker_side = KDP_SIDE_YES;
    return rec;
}

KDP_TEST(trade)
{
    struct kdp_builder b;

    trade(&b);
    CHECK_STR(json(&b),
              HEAD("trade") "\"trade_id\":\"f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff\",\"price\":\"0.4400\","
                            "\"taker_side\":\"yes\",\"is_block\":false,\"volume\":\"12.50\"}");
    CHECK_STR(what(&b), "0.44 x 12.50, taker YES");
    trade(&b)->taker_side = KDP_SIDE_NO;
    ((struct kdp_trade *)memory)->block = KDP_BOOL_YES;
    CHECK_STR(what(&b), "0.44 x 12.50, taker NO (at 0.56), block");
    CHECK(strstr(json(&b), "\"is_block\":true") != NULL);
    trade(&b)->taker_side = KDP_SIDE_NONE;
    CHECK_STR(what(&b), "0.44 x 12.50");
}

KDP_TEST(bbo)
{
    struct kdp_builder b;
    struct kdp_bbo *rec = start(&b, KDP_TEMPLATE_BBO);

    rec->bid_e4 = 4200;
    rec->bid_size_e2 = 124000;
    rec->ask_e4 = 4400;
    rec->ask_size_e2 = 2075;
    rec->book_hash = UINT64_C(0x0f3c2b1e77a04d15);
    rec->book_state = KDP_BOOK_STATE_LIVE;
    CHECK_STR(json(&b),
              HEAD("bbo") "\"yes_bid\":\"0.4200\",\"yes_ask\":\"0.4400\",\"yes_bid_size\":\"1240.00\","
                          "\"yes_ask_size\":\"20.75\",\"book_hash\":\"0f3c2b1e77a04d15\","
                          "\"book_state\":\"live\"}");
    CHECK_STR(what(&b), "0.42 x 1,240 / 0.44 x 20.75");
    rec->bid_e4 = KDP_PRICE_NULL;
    rec->bid_size_e2 = KDP_INT64_NULL;
    rec->book_state = KDP_BOOK_STATE_STALE;
    CHECK(strstr(json(&b), "\"yes_bid\":null,\"yes_ask\":\"0.4400\",\"yes_bid_size\":null,") != NULL);
    CHECK_STR(what(&b), "- / 0.44 x 20.75, STALE");
    rec->ask_e4 = KDP_PRICE_NULL;
    rec->book_state = KDP_BOOK_STATE_CLOSED;
    CHECK_STR(what(&b), "- / -, closed");
}

KDP_TEST(ticker)
{
    struct kdp_builder b;
    struct kdp_ticker *rec = start(&b, KDP_TEMPLATE_TICKER);

    rec->price_e4 = 8815;
    rec->bid_e4 = 8810;
    rec->ask_e4 = 8820;
    rec->last_size_e2 = 1250;
    rec->bid_size_e2 = 4830000;
    rec->ask_size_e2 = KDP_INT64_NULL;
    rec->volume_e2 = 9123375;
    rec->open_interest_e2 = 4021100;
    rec->dollar_volume = 45000;
    rec->dollar_open_interest = KDP_INT64_NULL;
    CHECK_STR(
        json(&b),
        HEAD("ticker") "\"price\":\"0.8815\",\"yes_bid\":\"0.8810\",\"yes_ask\":\"0.8820\","
                       "\"yes_bid_size\":\"48300.00\",\"yes_ask_size\":null,\"last_trade_size\":\"12.50\","
                       "\"volume\":\"91233.75\",\"open_interest\":\"40211.00\",\"dollar_volume\":\"45000\","
                       "\"dollar_open_interest\":null}");
    CHECK_STR(what(&b),
              "last 0.8815 x 12.50, 0.881 x 48,300 / 0.882, volume 91,233.75, open interest 40,211");
    rec->price_e4 = KDP_PRICE_NULL;
    rec->volume_e2 = rec->open_interest_e2 = KDP_INT64_NULL;
    CHECK_STR(what(&b), "last -, 0.881 x 48,300 / 0.882");
}

KDP_TEST(level)
{
    struct kdp_builder b;
    struct kdp_level *rec = start(&b, KDP_TEMPLATE_LEVEL);

    rec->price_e4 = 4200;
    rec->side = KDP_SIDE_YES;
    rec->delta_e2 = 20000;
    rec->size_e2 = 124000;
    CHECK_STR(
        json(&b),
        HEAD(
            "level") "\"price\":\"0.4200\",\"side\":\"yes\",\"delta_size\":\"200.00\",\"size\":\"1240.00\"}");
    CHECK_STR(what(&b), "bid 0.42 +200, now 1,240");
    rec->side = KDP_SIDE_NO;
    rec->delta_e2 = -1250;
    rec->size_e2 = 0;
    CHECK(strstr(json(&b), "\"side\":\"no\",\"delta_size\":\"-12.50\",\"size\":\"0.00\"}") != NULL);
    CHECK_STR(what(&b), "ask 0.42 -12.50, gone");
}

KDP_TEST(book_snapshot)
{
    struct kdp_builder b;
    struct kdp_book_snapshot *rec = start(&b, KDP_TEMPLATE_BOOK_SNAPSHOT);
    struct kdp_book_snapshot_levels *levels = kdpi_build_group(&b, 2);

    rec->head.exch_ns = KDP_TIME_NULL;
    rec->head.flags = KDP_FLAGS_SNAPSHOT | KDP_FLAGS_LAST;
    rec->book_hash = 5;
    rec->levels_total = 38;
    rec->parts = 1;
    rec->reason = KDP_REASON_RECOVERY;
    rec->book_state = KDP_BOOK_STATE_LIVE;
    levels[0] = (struct kdp_book_snapshot_levels){.price_e4 = 4200, .side = KDP_SIDE_YES, .size_e2 = 124000};
    levels[1] = (struct kdp_book_snapshot_levels){.price_e4 = 4400, .side = KDP_SIDE_NO, .size_e2 = 2075};
    CHECK_STR(
        json(&b),
        "{\"seq\":784203,\"type\":\"book_snapshot\",\"ticker\":\"KXHIGHNY-26NOV22-B51.5\","
        "\"timestamp\":\"2026-11-22T15:06:11.902117384Z\",\"recv_ts\":\"2026-11-22T15:06:11.902117384Z\","
        "\"sequence\":8814,\"line\":2,\"origin\":\"ws\",\"flags\":[\"snapshot\",\"last\"],\"instrument\":7,"
        "\"exch_ts\":null,\"pub_delay_ns\":900,\"book_hash\":\"0000000000000005\",\"levels_total\":38,"
        "\"part\":0,"
        "\"parts\":1,\"reason\":\"recovery\",\"book_state\":\"live\",\"levels\":["
        "{\"price\":\"0.4200\",\"side\":\"yes\",\"size\":\"1240.00\"},"
        "{\"price\":\"0.4400\",\"side\":\"no\",\"size\":\"20.75\"}]}");
    CHECK_STR(what(&b), "38 levels, recovery, book live, hash 0000000000000005");
    rec->part = 1;
    rec->parts = 3;
    CHECK_STR(what(&b), "38 levels, part 2 of 3 with 2, recovery, book live, hash 0000000000000005");
    start(&b, KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK(strstr(json(&b), "\"levels\":[]}") != NULL);
}

KDP_TEST(definition)
{
    struct kdp_builder b;
    struct kdp_definition *rec = start(&b, KDP_TEMPLATE_DEFINITION);
    struct kdp_definition_ranges *ranges = kdpi_build_group(&b, 2);

    rec->open_ns = KDP_TIME_NULL;
    rec->close_ns = INT64_C(1795359971) * 1000000000;
    rec->expiry_ns = KDP_TIME_NULL;
    rec->floor_strike_e6 = 51500000;
    rec->cap_strike_e6 = KDP_INT64_NULL;
    rec->strike_type = KDP_STRIKE_TYPE_BETWEEN;
    rec->status = KDP_MARKET_STATUS_ACTIVE;
    ranges[0] = (struct kdp_definition_ranges){.start_e4 = 0, .end_e4 = 1000, .step_e4 = 10};
    ranges[1] = (struct kdp_definition_ranges){.start_e4 = 1000, .end_e4 = 10000, .step_e4 = 100};
    give(&b, "KXHIGHNY-26NOV22-B51.5");
    give(&b, "KXHIGHNY-26NOV22");
    give(&b, "");
    give(&b, "Highest \"temperature\"");
    give(&b, "51\xc2\xb0 to 52\xc2\xb0");
    CHECK(kdpi_render_json(text, sizeof text, end(&b), NULL) < sizeof text);
    CHECK_STR(
        text,
        HEAD("definition") "\"open_time\":null,\"close_time\":\"2026-11-22T15:06:11.000000000Z\","
                           "\"expiration_time\":null,\"floor_strike\":\"51.500000\",\"cap_strike\":null,"
                           "\"strike_type\":\"between\",\"status\":\"active\",\"provisional\":false,"
                           "\"combo\":false,\"can_close_early\":false,\"exchange_index\":0,\"ranges\":["
                           "{\"start\":\"0.0000\",\"end\":\"0.1000\",\"step\":\"0.0010\"},"
                           "{\"start\":\"0.1000\",\"end\":\"1.0000\",\"step\":\"0.0100\"}],"
                           "\"event_ticker\":\"KXHIGHNY-26NOV22\",\"series_ticker\":null,"
                           "\"title\":\"Highest \\\"temperature\\\"\",\"yes_sub_title\":\"51\xc2\xb0 to "
                           "52\xc2\xb0\","
                           "\"price_level_structure\":null}");
    CHECK_STR(what(&b), "Highest \"temperature\": 51\xc2\xb0 to 52\xc2\xb0, active, ticks 0.001 to 0.01, "
                        "closes 2026-11-22T15:06:11Z");
    rec = start(&b, KDP_TEMPLATE_DEFINITION);
    rec->provisional = KDP_BOOL_YES;
    CHECK_STR(what(&b), "provisional: only the ticker is known");
}

KDP_TEST(lifecycle)
{
    struct kdp_builder b;
    struct kdp_lifecycle *rec = start(&b, KDP_TEMPLATE_LIFECYCLE);

    rec->kind = KDP_LIFECYCLE_KIND_DETERMINED;
    rec->result = KDP_RESULT_YES;
    rec->open_ns = rec->close_ns = KDP_TIME_NULL;
    rec->at_ns = RECV_NS;
    rec->settlement_value_e6 = 1000000;
    CHECK_STR(json(&b),
              HEAD("lifecycle") "\"event_type\":\"determined\",\"result\":\"yes\",\"open_time\":null,"
                                "\"close_time\":null,\"at_time\":\"2026-11-22T15:06:11.902117384Z\","
                                "\"settlement_value\":\"1.000000\"}");
    CHECK_STR(what(&b), "determined: YES, value 1.00, at 2026-11-22T15:06:11.902117384Z");
    rec->kind = KDP_LIFECYCLE_KIND_CLOSE_DATE_UPDATED;
    rec->result = KDP_RESULT_NONE;
    rec->close_ns = INT64_C(1795359971) * 1000000000;
    rec->at_ns = KDP_TIME_NULL;
    rec->settlement_value_e6 = KDP_INT64_NULL;
    CHECK_STR(what(&b), "close date updated, closes 2026-11-22T15:06:11Z");
}

KDP_TEST(event)
{
    struct kdp_builder b;
    struct kdp_event *rec = start(&b, KDP_TEMPLATE_EVENT);

    rec->kind = KDP_EVENT_KIND_FEE_OVERRIDE;
    rec->fee_multiplier_e6 = 500000;
    give(&b, "KXHIGHNY-26NOV22");
    give(&b, "KXHIGHNY");
    give(&b, "Highest temperature");
    give(&b, "");
    give(&b, "MECNET");
    give(&b, "quadratic");
    CHECK_STR(
        json(&b),
        HEAD("event") "\"event_type\":\"fee_override\",\"exchange_index\":0,\"fee_multiplier\":\"0.500000\","
                      "\"event_ticker\":\"KXHIGHNY-26NOV22\",\"series_ticker\":\"KXHIGHNY\","
                      "\"title\":\"Highest temperature\",\"sub_title\":null,"
                      "\"collateral_return_type\":\"MECNET\",\"fee_type\":\"quadratic\"}");
    CHECK_STR(what(&b), "fee override KXHIGHNY-26NOV22: Highest temperature, fee quadratic, multiplier 0.50");
}

KDP_TEST(state)
{
    struct kdp_builder b;
    struct kdp_state *rec = start(&b, KDP_TEMPLATE_STATE);

    rec->subject = KDP_SUBJECT_INSTRUMENT;
    rec->state = KDP_BOOK_STATE_STALE;
    rec->reason = KDP_REASON_GAP;
    rec->sid = 3;
    rec->epoch = 1;
    rec->from_seq = 8814;
    rec->to_seq = 8816;
    CHECK_STR(json(&b),
              HEAD("state") "\"subject\":\"instrument\",\"state\":\"stale\",\"reason\":\"gap\",\"sid\":3,"
                            "\"epoch\":1,\"from_seq\":8814,\"to_seq\":8816,\"detail\":null}");
    CHECK_STR(what(&b), "STALE: connection 2 skipped 8814-8816");
    rec->to_seq = 8814;
    CHECK_STR(what(&b), "STALE: connection 2 skipped 8814");
    rec = start(&b, KDP_TEMPLATE_STATE);
    rec->subject = KDP_SUBJECT_INSTRUMENT;
    rec->state = KDP_BOOK_STATE_LIVE;
    rec->reason = KDP_REASON_RECOVERY;
    give(&b, "38 levels, after 32 ms");
    CHECK_STR(what(&b), "live: snapshot, 38 levels, after 32 ms");
    rec = start(&b, KDP_TEMPLATE_STATE);
    rec->subject = KDP_SUBJECT_LINE;
    rec->state = KDP_BOOK_STATE_CLOSED;
    rec->reason = KDP_REASON_DISCONNECTED;
    CHECK_STR(what(&b), "connection 2 closed: disconnected");
    rec = start(&b, KDP_TEMPLATE_STATE);
    rec->subject = KDP_SUBJECT_PLANT;
    rec->state = KDP_BOOK_STATE_STALE;
    rec->reason = KDP_REASON_DISK_FULL;
    CHECK_STR(what(&b), "plant STALE: disk full");
    rec = start(&b, KDP_TEMPLATE_STATE);
    rec->subject = KDP_SUBJECT_INSTRUMENT;
    rec->state = KDP_BOOK_STATE_STALE;
    rec->reason = KDP_REASON_NEGATIVE_LEVEL;
    rec->from_seq = rec->to_seq = 8814;
    CHECK_STR(what(&b), "STALE: negative level at 8814");
}

KDP_TEST(gap)
{
    struct kdp_builder b;
    struct kdp_gap *rec = start(&b, KDP_TEMPLATE_GAP);

    rec->kind = KDP_GAP_KIND_SEQUENCE;
    rec->status = KDP_GAP_STATUS_HEALED;
    rec->healed_by = KDP_HEALED_BY_SNAPSHOT;
    rec->sid = 3;
    rec->markets = 1300;
    rec->expected = 8814;
    rec->seen = 8817;
    rec->opened_ns = RECV_NS - 32000000;
    rec->healed_ns = RECV_NS;
    give(&b, "orderbook_delta");
    CHECK_STR(json(&b),
              HEAD("gap") "\"kind\":\"sequence\",\"status\":\"healed\",\"healed_by\":\"snapshot\",\"sid\":3,"
                          "\"epoch\":0,\"markets\":1300,\"expected\":8814,\"seen\":8817,"
                          "\"opened_ts\":\"2026-11-22T15:06:11.870117384Z\","
                          "\"healed_ts\":\"2026-11-22T15:06:11.902117384Z\",\"detail\":\"orderbook_delta\"}");
    CHECK_STR(what(&b),
              "connection 2 skipped 8814-8816 of sid 3, 1,300 books stale, healed by snapshot after 32 ms, "
              "orderbook_delta");
    rec = start(&b, KDP_TEMPLATE_GAP);
    rec->kind = KDP_GAP_KIND_UNUSED_RANGE;
    rec->status = KDP_GAP_STATUS_LOST;
    rec->expected = 1000;
    rec->seen = 2000;
    rec->opened_ns = rec->healed_ns = KDP_TIME_NULL;
    CHECK_STR(what(&b), "sequence 1000-1999 was never used, lost");
    rec = start(&b, KDP_TEMPLATE_GAP);
    rec->kind = KDP_GAP_KIND_SEQUENCE;
    rec->status = KDP_GAP_STATUS_OPEN;
    rec->sid = 1;
    rec->expected = 9;
    rec->seen = 7;
    rec->markets = 1;
    rec->opened_ns = RECV_NS;
    rec->healed_ns = KDP_TIME_NULL;
    CHECK_STR(what(&b), "connection 2 sent 7 where 9 was due of sid 1, 1 book stale, open");
}

KDP_TEST(words_for_every_value_and_none_for_others)
{
    struct kdp_builder b;
    const struct kdp_enum_desc *reasons = kdpi_enum_find("reason"), *states = kdpi_enum_find("book_state");
    char want[64];

    for (unsigned value = 0; value < 256; value++) {
        struct kdp_state *rec = start(&b, KDP_TEMPLATE_STATE);

        rec->reason = (uint8_t)value;
        rec->state = (uint8_t)value;
        rec->head.origin = (uint8_t)value;
        snprintf(want, sizeof want, "\"reason\":\"%s\"",
                 value < reasons->count ? reasons->words[value] : "?");
        CHECK(strstr(json(&b), want) != NULL);
        snprintf(want, sizeof want, "\"state\":\"%s\"", value < states->count ? states->words[value] : "?");
        CHECK(strstr(text, want) != NULL);
        CHECK((strstr(text, "\"origin\":\"?\"") != NULL) == (value > KDP_ORIGIN_TIMER));
        what(&b);
    }
    trade(&b)->block = 2;
    CHECK(strstr(json(&b), "\"is_block\":\"?\"") != NULL);
}

KDP_TEST(flags_are_a_list_of_words)
{
    struct kdp_builder b;

    start(&b, KDP_TEMPLATE_EVENT);
    ((struct kdp_head *)memory)->flags = 0xfc;
    CHECK(strstr(json(&b),
                 "\"flags\":[\"maybe_bad_book\",\"bad_ts_recv\",\"mbp\",\"snapshot\",\"tob\",\"last\"]") !=
          NULL);
    start(&b, KDP_TEMPLATE_EVENT);
    ((struct kdp_head *)memory)->flags = 0;
    CHECK(strstr(json(&b), "\"flags\":[]") != NULL);
}

KDP_TEST(text_from_outside_cannot_move_a_cursor_or_break_json)
{
    struct kdp_builder b;

    start(&b, KDP_TEMPLATE_STATE);
    give(&b, "a\x1b[2J\n\\\"\x7f\xc2\x9b\xff\xe2\x82\xed\xa0\x80 \xf0\x9f\x8e\xb2");
    CHECK(strstr(json(&b), "\"detail\":\"a\\u001b["
                           "2J\\u000a\\\\\\\"\\u007f\\u009b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                           "\xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x8e\xb2\"}") != NULL);
    CHECK_STR(what(&b),
              "none none: none, "
              "a\\x1b[2J\\x0a\\\"\\x7f\\x9b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
              "\xef\xbf\xbd \xf0\x9f\x8e\xb2");
}

KDP_TEST(an_unknown_ticker_is_null)
{
    struct kdp_builder b;

    trade(&b);
    kdpi_render_json(text, sizeof text, end(&b), NULL);
    CHECK(strstr(text, "\"ticker\":null,") != NULL);
}

KDP_TEST(csv_of_one_type)
{
    struct kdp_builder b;
    struct kdpi_render_columns columns;

    trade(&b);
    CHECK_INT(kdpi_render_select(&columns, 1u << KDP_TEMPLATE_TRADE, NULL), 0);
    kdpi_render_csv_header(text, sizeof text, &columns);
    CHECK_STR(text, "seq,type,ticker,timestamp,recv_ts,sequence,line,origin,flags,trade_id,price,taker_side,"
                    "is_block,volume");
    kdpi_render_csv_row(text, sizeof text, &columns, end(&b), "KXA,\"B\"");
    CHECK_STR(text, "784203,trade,\"KXA,\"\"B\"\"\",2026-11-22T15:06:11.900117384Z,2026-11-22T15:06:11."
                    "902117384Z,8814,2,ws,last,"
                    "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff,0.4400,yes,false,12.50");
}

KDP_TEST(csv_of_chosen_columns_over_mixed_records)
{
    struct kdp_builder b;
    struct kdpi_render_columns columns;
    struct kdp_bbo *bbo;
    struct kdp_book_snapshot *snapshot;
    struct kdp_book_snapshot_levels *levels;

    CHECK_INT(kdpi_render_select(&columns, 0, "type,yes_bid,price,levels,part,what,exch_ts,flags"), 0);
    CHECK_INT(kdpi_render_csv_header(text, sizeof text, &columns), 49);
    CHECK_STR(text, "type,yes_bid,price,levels,part,what,exch_ts,flags");
    trade(&b);
    kdpi_render_csv_row(text, sizeof text, &columns, end(&b), NULL);
    CHECK_STR(text, "trade,,0.4400,,,\"0.44 x 12.50, taker YES\",2026-11-22T15:06:11.900117384Z,last");
    bbo = start(&b, KDP_TEMPLATE_BBO);
    bbo->head.exch_ns = KDP_TIME_NULL;
    bbo->head.flags |= KDP_FLAGS_TOB;
    bbo->bid_e4 = bbo->ask_e4 = KDP_PRICE_NULL;
    bbo->book_state = KDP_BOOK_STATE_LIVE;
    kdpi_render_csv_row(text, sizeof text, &columns, end(&b), NULL);
    CHECK_STR(text, "bbo,,,,,- / -,,tob last");
    snapshot = start(&b, KDP_TEMPLATE_BOOK_SNAPSHOT);
    levels = kdpi_build_group(&b, 1);
    levels[0] = (struct kdp_book_snapshot_levels){.price_e4 = 4200, .side = KDP_SIDE_YES, .size_e2 = 100};
    snapshot->head.exch_ns = KDP_TIME_NULL;
    snapshot->levels_total = 1;
    snapshot->parts = 1;
    kdpi_render_csv_row(text, sizeof text, &columns, end(&b), NULL);
    CHECK_STR(text, "book_snapshot,,,\"[{\"\"price\"\":\"\"0.4200\"\",\"\"side\"\":\"\"yes\"\",\"\"size\"\":"
                    "\"\"1.00\"\"}]\",0,"
                    "\"1 level, none, book none, hash 0000000000000000\",,last");
}

KDP_TEST(all_columns_of_all_records_are_named_once)
{
    struct kdpi_render_columns columns;

    CHECK_INT(kdpi_render_select(&columns, ~0u, NULL), 0);
    for (unsigned i = 0; i < columns.count; i++) {
        for (unsigned k = 0; k < i; k++)
            CHECK(strcmp(columns.columns[i].name, columns.columns[k].name) != 0);
    }
    CHECK(columns.count > 60 && columns.count < KDPI_RENDER_COLUMNS);
}

KDP_TEST(an_unknown_column_is_named_with_the_nearest)
{
    struct kdpi_render_columns columns;

    CHECK_INT(kdpi_render_select(&columns, 0, "seq,prise"), -KDP_EUSAGE);
    CHECK_STR(kdp_error_text(), "no column prise in any record");
    CHECK_STR(kdp_error_hint(), "Did you mean price?");
    CHECK_INT(kdpi_render_select(&columns, 0, "xxxxxxxxxxxxxxxxxxx"), -KDP_EUSAGE);
    CHECK(strstr(kdp_error_hint(), "docs/design/records.md") != NULL);
    CHECK_INT(kdpi_render_select(&columns, 0, "seq,price,seq"), -KDP_EUSAGE);
    CHECK_STR(kdp_error_text(), "column seq stands twice");
    CHECK_INT(kdpi_render_select(&columns, 0, "seq,"), -KDP_EUSAGE);
    CHECK_STR(kdp_error_text(), "a name is missing in the list of columns");
    CHECK_INT(kdpi_render_select(&columns, 0, ""), -KDP_EUSAGE);
    CHECK_INT(kdpi_render_select(&columns, 0, "seq,\x1b[2J"), -KDP_EUSAGE);
    CHECK_STR(kdp_error_text(), "no column \\x1b[2J in any record");
}

KDP_TEST(a_small_buffer_cuts_and_tells_the_length)
{
    struct kdp_builder b;
    const struct kdp_head *rec;
    size_t len;

    trade(&b);
    rec = end(&b);
    len = kdpi_render_json(text, sizeof text, rec, "T");
    for (size_t size = 0; size <= len + 1; size++) {
        char *small = malloc(size + (size == 0));

        CHECK(small != NULL);
        CHECK_INT(kdpi_render_json(small, size, rec, "T"), (long long)len);
        if (size > 0) {
            size_t shown = size <= len ? size - 1 : len;

            CHECK_INT(strlen(small), (long long)shown);
            CHECK_MEM(small, text, shown);
        }
        free(small);
    }
}

/* The longest there is: full of characters that grow when escaped, of digits, of levels. */
KDP_TEST(no_record_needs_more_than_render_max)
{
    char ugly[KDP_RECORD_MAX], name[201];
    struct kdpi_render_columns columns;
    struct kdp_builder b;
    size_t longest = 0;

    memset(name, 1, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_INT(kdpi_render_select(&columns, ~0u, NULL), 0);
    for (int fill = 0; fill < 3; fill++) {
        memset(ugly, fill == 0 ? 1 : fill == 1 ? '"' : 0xff, sizeof ugly);
        for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
            const struct kdp_record_desc *desc = kdpi_record_desc(id);
            const struct kdp_head *rec;
            size_t len;

            start(&b, (uint8_t)id);
            for (unsigned i = 0; i < desc->field_count; i++)
                memory[desc->fields[i].offset] = 0x81;
            if (desc->group != NULL && fill == 0) {
                uint32_t count = kdpi_build_group_max(id);
                uint8_t *items = kdpi_build_group(&b, count);

                for (uint32_t i = 0; i < count; i++) {
                    for (unsigned k = 0; k < desc->group_field_count; k++) {
                        const struct kdp_field_desc *field = &desc->group_fields[k];
                        /* INT32_MIN + 1 and INT64_MIN + 1 have the most digits */
                        size_t width = field->kind == KDP_FIELD_SIZE    ? 8
                                       : field->kind == KDP_FIELD_PRICE ? 4
                                                                        : 1;

                        items[i * desc->group_item + field->offset] = 1;
                        items[i * desc->group_item + field->offset + width - 1] |= width > 1 ? 0x80 : 0;
                    }
                }
            }
            for (unsigned i = 0; i < desc->text_count; i++)
                kdpi_build_text(&b, (struct kdp_text){ugly, sizeof ugly});
            rec = end(&b);
            len = kdpi_render_json(text, sizeof text, rec, name);
            longest = len > longest ? len : longest;
            CHECK(len < sizeof text);
            len = kdpi_render_csv_row(text, sizeof text, &columns, rec, name);
            longest = len > longest ? len : longest;
            CHECK(len < sizeof text);
            len = kdpi_render_what(text, sizeof text, rec, name);
            CHECK(len > 0 && len < sizeof text); /* every template has its words */
        }
    }
    CHECK(longest > 8000); /* the case is as hard as it says */
}
