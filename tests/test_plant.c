/* test_plant.c - frames in, records out: what each message does to books, states and the stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "plant_fixture.h"

KDP_TEST(first_record_of_a_market_is_its_definition)
{
    const struct kdp_head *rec;

    begin();
    up(1);
    while ((rec = next(0)) != NULL) /* the START's and the line's own */
        ;
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00']]");
    rec = must(0);
    CHECK_INT(rec->template_id, KDP_TEMPLATE_DEFINITION);
    CHECK_INT(rec->instrument, 1);
    CHECK_INT(((const struct kdp_definition *)(const void *)rec)->provisional, 1);
    CHECK_MEM(kdpi_record_text(rec, 0).data, "A", 1);
    rec = must(0);
    CHECK_INT(rec->template_id, KDP_TEMPLATE_STATE);
    rec = must(0);
    CHECK_INT(rec->template_id, KDP_TEMPLATE_BOOK_SNAPSHOT);
    rec = must(0);
    CHECK_INT(rec->template_id, KDP_TEMPLATE_BBO);
    CHECK(next(0) == NULL);
}

KDP_TEST(sequence_has_no_hole_and_starts_at_1)
{
    const struct kdp_head *rec;
    uint64_t seq = 1;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4300", "1.00");
    while ((rec = next(0)) != NULL)
        CHECK_INT(rec->seq, seq++);
    CHECK_INT(seq - 1, totals().records);
}

KDP_TEST(no_prices_stand_on_the_yes_scale)
{
    struct kdp_plant_market m;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00'],['0.0100','1.00']]");
    m = market("A");
    CHECK_INT(m.top.bid_e4, 4200);
    CHECK_INT(m.top.ask_e4, 4400);
    CHECK_INT(m.top.ask_size_e2, 500);
    CHECK_INT(m.ask_levels, 2);
    delta(1, 1, 2, "A", "no", "0.5700", "2.50");
    CHECK_INT(market("A").top.ask_e4, 4300);
    CHECK_INT(market("A").top.ask_size_e2, 250);
}

KDP_TEST(yes_leg_is_taken_from_the_command_and_flips_nothing_twice)
{
    begin();
    up(1);
    frame(1, "{'id':1,'cmd':'subscribe','params':{'channels':['orderbook_delta'],'market_tickers':['A'],'use_"
             "yes_price':true}}");
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.4400','5.00']]");
    CHECK_INT(market("A").top.ask_e4, 4400);
    delta(1, 1, 2, "A", "no", "0.4300", "1.00");
    CHECK_INT(market("A").top.ask_e4, 4300);
    up(2); /* another connection said nothing: NO leg */
    snapshot(2, 1, 1, "B", "", "[['0.5600','5.00']]");
    CHECK_INT(market("B").top.ask_e4, 4400);
    input_flags = KDP_INPUT_LEG_YES;
    up(3);
    snapshot(3, 1, 1, "C", "", "[['0.4400','5.00']]");
    CHECK_INT(market("C").top.ask_e4, 4400);
}

KDP_TEST(command_that_says_nothing_of_the_leg_means_the_no_leg)
{
    begin();
    up(1);
    frame(1, "{'id':1,'cmd':'subscribe','params':{'channels':['orderbook_delta'],'market_tickers':['A'],'use_"
             "yes_price':true}}");
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    frame(1, "{'id':2,'cmd':'subscribe','params':{'channels':['orderbook_delta'],'market_tickers':['B']}}");
    frame(1, "{'id':2,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':2}}");
    snapshot(1, 1, 1, "A", "", "[['0.4400','5.00']]");
    snapshot(1, 2, 1, "B", "", "[['0.5600','5.00']]");
    CHECK_INT(market("A").top.ask_e4, 4400);
    CHECK_INT(market("B").top.ask_e4, 4400);
}

KDP_TEST(leg_is_what_the_command_for_books_said_and_nothing_else)
{
    begin();
    up(1);
    frame(1, "{'id':1,'cmd':'subscribe','params':{'channels':['trade'],'use_yes_price':true}}"); /* not for
                                                                                                    books */
    snapshot(1, 1, 1, "A", "", "[['0.5600','5.00']]");
    CHECK_INT(market("A").top.ask_e4, 4400);
    up(2);
    frame(
        2,
        "{'id':1,'cmd':'subscribe','params':{'use_yes_price':true,'channels':['trade','orderbook_delta']}}");
    frame(
        2,
        "{'id':2,'cmd':'subscribe','params':{'channels':['orderbook_delta']}}"); /* the exchange's default */
    frame(2, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    frame(2, "{'id':2,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':2}}");
    snapshot(2, 1, 1, "B", "", "[['0.4300','5.00']]");
    snapshot(2, 2, 1, "C", "", "[['0.5600','5.00']]");
    CHECK_INT(market("B").top.ask_e4, 4300);
    CHECK_INT(market("C").top.ask_e4, 4400);
    input_flags = KDP_INPUT_LEG_YES; /* for where the recording does not say */
    up(3);
    frame(3, "{'id':1,'cmd':'subscribe','params':{'channels':['orderbook_delta'],'use_yes_price':false}}");
    snapshot(3, 1, 1, "D", "", "[['0.5600','5.00']]");
    CHECK_INT(market("D").top.ask_e4, 4400);
    input_flags = 0;
}

KDP_TEST(leg_of_one_recording_does_not_reach_into_the_next)
{
    begin();
    input_flags = KDP_INPUT_BARE;
    frame(1, "{'id':1,'cmd':'subscribe','params':{'channels':['orderbook_delta'],'use_yes_price':true}}");
    snapshot(1, 1, 1, "A", "", "[['0.4300','5.00']]");
    CHECK_INT(market("A").top.ask_e4, 4300);
    down(1);
    snapshot(1, 1, 1, "B", "", "[['0.5600','5.00']]");
    CHECK_INT(market("B").top.ask_e4, 4400);
    input_flags = 0;
}

KDP_TEST(absent_side_of_a_snapshot_is_empty)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00']]");
    frame(1, "{'type':'orderbook_snapshot','sid':1,'seq':2,'id':9,'msg':{'market_ticker':'A','yes_dollars_fp'"
             ":[['0.4100','1.00']]}}");
    CHECK_INT(market("A").ask_levels, 0);
    CHECK_INT(market("A").top.ask_e4, KDP_PRICE_NULL);
    CHECK_INT(market("A").top.bid_e4, 4100);
}

KDP_TEST(subcent_prices_and_fractional_sizes_leave_no_ghosts)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.0010','0.01'],['0.9999','0.33']]", "");
    delta(1, 1, 2, "A", "yes", "0.9999", "-0.33");
    delta(1, 1, 3, "A", "yes", "0.0010", "0.32");
    delta(1, 1, 4, "A", "yes", "0.0010", "-0.33");
    CHECK_INT(market("A").bid_levels, 0);
    CHECK_INT(market("A").bid_size_total_e2, 0);
    state_is("A", KDP_BOOK_STATE_LIVE);
}

KDP_TEST(negative_level_makes_the_book_stale_never_wrong)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "-10.01");
    state_is("A", KDP_BOOK_STATE_STALE);
    CHECK_INT(market("A").top.bid_size_e2, 1000);
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    CHECK_INT(market("A").top.bid_size_e2, 1000);
}

KDP_TEST(value_too_fine_is_refused_and_only_its_book_goes_stale)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    delta(1, 1, 3, "A", "yes", "0.42001", "1.00");
    CHECK_INT(totals().malformed, 1);
    CHECK_INT(totals().gaps, 0);
    state_is("A", KDP_BOOK_STATE_STALE);
    state_is("B", KDP_BOOK_STATE_LIVE);
    delta(1, 1, 4, "B", "yes", "0.4200", "1.00");
    CHECK_INT(totals().gaps, 0);
}

KDP_TEST(unknown_types_and_members_are_tolerated_and_use_up_numbers)
{
    uint64_t n = 0;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'type':'shiny_new','sid':1,'seq':2,'msg':{'market_ticker':'A','x':[1,{'y':null}]},'zz':true}");
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    CHECK_INT(totals().gaps, 0);
    CHECK_INT(totals().unknown_types, 1);
    for (unsigned i = 0; kdp_plant_type_at(plant, i, &n) != NULL; i++)
        if (strcmp(kdp_plant_type_at(plant, i, &n), "shiny_new") == 0)
            break;
    CHECK_INT(n, 1);
}

KDP_TEST(bbo_is_written_when_one_of_four_numbers_changes)
{
    const struct kdp_bbo *bbo;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "", "");
    CHECK_INT(market("A").bbo_changes, 0);
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00"); /* the first non-empty counts */
    CHECK_INT(market("A").bbo_changes, 1);
    delta(1, 1, 3, "A", "yes", "0.4100", "1.00"); /* deeper */
    CHECK_INT(market("A").bbo_changes, 1);
    delta(1, 1, 4, "A", "yes", "0.4200", "1.00"); /* size */
    CHECK_INT(market("A").bbo_changes, 2);
    snapshot(1, 1, 5, "A", "[['0.4200','2.00'],['0.0100','9.00']]", ""); /* same best */
    CHECK_INT(market("A").bbo_changes, 2);
    delta(1, 1, 6, "A", "yes", "0.4200", "-2.00");
    CHECK_INT(market("A").bbo_changes, 3);
    for (unsigned i = 0; i < 3; i++) {
        bbo = must(KDP_TEMPLATE_BBO);
        CHECK(bbo != NULL && bbo->book_state == KDP_BOOK_STATE_LIVE);
    }
    CHECK_INT(bbo->bid_e4, 100);
    CHECK_INT(bbo->ask_e4, KDP_PRICE_NULL);
    CHECK_INT(bbo->ask_size_e2, KDP_INT64_NULL);
    CHECK(next(KDP_TEMPLATE_BBO) == NULL);
}

static int64_t
a_little_later(void)
{
    return now + 250;
}

KDP_TEST(counters_in_shared_memory_say_what_happened)
{
    clock_of_plant = a_little_later;
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'A','event_type':'price_"
             "level_structure_"
             "updated','price_level_structure':'linear_cent','price_ranges':[{'start':'0.0000','end':'1.0000'"
             ",'step':"
             "'0.0100'}]}}");
    delta(1, 1, 2, "A", "yes", "0.4250", "1.00"); /* best, and off its grid */
    delta(1, 1, 2, "A", "yes", "0.4250", "1.00");
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    trade(1, 2, 2, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    frame(1, "{'type':'ticker','sid':3,'msg':{'market_ticker':'A','price_dollars':'0.4200'}}");
    frame(1, "{'type':'shiny','sid':3,'new':1}");
    frame(1, "{'type':");
    delta(1, 1, 6, "A", "yes", "0.4100", "1.00"); /* 3 to 5 are missing */
    snapshot(1, 1, 7, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 8, "A", "yes", "0.4200", "-10.01");
    delta(1, 5, 1, "A", "yes", "0.4200", "1.00"); /* not the owner */
    CHECK_INT(counter("kalshi_frames_total"), 13);
    CHECK_INT(counter("kalshi_trades_processed_total"), 1);
    CHECK_INT(counter("kalshi_trade_repeats_total"), 1);
    CHECK_INT(counter("kalshi_bbo_updates_total"), 3);
    CHECK_INT(counter("kalshi_orderbook_deltas_total"), 4); /* the repeat is none */
    CHECK_INT(counter("kalshi_orderbook_snapshots_total"), 2);
    CHECK_INT(counter("kalshi_ticker_updates_total"), 1);
    CHECK_INT(counter("kalshi_sequence_gaps_total"), 1);
    CHECK_INT(counter("kalshi_sequence_gaps_healed_total"), 1);
    CHECK_INT(counter("kalshi_messages_missed_total"), 3);
    CHECK_INT(totals().missed[KDP_CHANNEL_BOOK], 3);
    CHECK_INT(counter("kalshi_malformed_frames_total"), 1);
    CHECK_INT(counter("kalshi_duplicate_messages_total"), 1);
    CHECK_INT(counter("kalshi_unknown_types_total"), 1);
    CHECK_INT(counter("kalshi_unknown_members_total"), 1);
    CHECK_INT(counter("kalshi_off_grid_prices_total"), 1);
    CHECK_INT(counter("kalshi_negative_levels_total"), 1);
    CHECK_INT(counter("kalshi_not_owner_messages_total"), 1);
    CHECK_INT(counter("kalshi_not_live_messages_total"), 1); /* the one that showed the gap */
    CHECK(counter("kalshi_processing_latency_seconds_count") > 10);
    CHECK_INT(counter("kalshi_processing_latency_seconds_sum_ns"),
              250 * counter("kalshi_processing_latency_seconds_count"));
    clock_of_plant = NULL;
}

KDP_TEST(trade_stands_in_the_stream_once)
{
    begin();
    up(1);
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    trade(1, 2, 2, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    trade(1, 2, 3, "A",
          "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d11"); /* same time, price and size: another trade */
    CHECK_INT(market("A").trades, 2);
    CHECK_INT(count_left(KDP_TEMPLATE_TRADE), 2);
    CHECK_INT(totals().gaps, 0);
}

KDP_TEST(trade_of_an_earlier_run_is_not_repeated)
{
    static const uint8_t id[16] = {0x5b, 0x0e, 0x7c, 0x1e, 0x8a, 0x5e, 0x4a, 0x7e,
                                   0x9a, 0x51, 0x0c, 0x2b, 0x7a, 0x6f, 0x9d, 0x10};

    begin();
    kdp_plant_restore_trade(plant, id, now);
    up(1);
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    trade(1, 2, 2, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d11");
    CHECK_INT(market("A").trades, 1);
}

KDP_TEST(snapshot_without_levels_at_the_close_closes)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "A", "", "");
    state_is("A", KDP_BOOK_STATE_CLOSED);
    snapshot(1, 1, 3, "A", "", "");
    state_is("A", KDP_BOOK_STATE_CLOSED);
    up(1);
    state_is("A", KDP_BOOK_STATE_CLOSED); /* a lost connection takes nothing from a closed market */
    snapshot(1, 1, 1, "B", "", "");
    state_is("B", KDP_BOOK_STATE_LIVE); /* an empty book is not a closed one */
    snapshot(1, 1, 2, "B", "", "");
    state_is("B", KDP_BOOK_STATE_LIVE); /* nor is its snapshot twice */
    delta(1, 1, 3, "B", "yes", "0.4200", "5.00");
    delta(1, 1, 4, "B", "yes", "0.4200", "-5.00");
    snapshot(1, 1, 5, "B", "", "");
    state_is("B", KDP_BOOK_STATE_CLOSED);
}

KDP_TEST(lifecycle_defines_changes_ticks_and_closes)
{
    const struct kdp_definition *def;
    const struct kdp_lifecycle *life;
    uint32_t count;

    begin();
    up(1);
    count_left(0);
    frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'A','event_type':'created'"
             ",'exchange_index':0,'open_ts':1795176000,"
             "'close_ts':1796155200,'price_level_structure':'linear_cent','price_ranges':[{'start':'0.0000','"
             "end':'1.0000','step':'0.0100'}],"
             "'additional_metadata':{'name':'n','title':'Title','yes_sub_title':'above "
             "3','no_sub_title':'n','rules_primary':'r','event_ticker':'E',"
             "'strike_type':'greater','floor_strike':3}}}");
    def = must(KDP_TEMPLATE_DEFINITION);
    CHECK(def != NULL && def->provisional == 0);
    CHECK_INT(def->floor_strike_e6, 3000000);
    CHECK_INT(def->open_ns, INT64_C(1795176000000000000));
    CHECK_MEM(kdpi_record_text(def, 1).data, "E", 1);
    CHECK_MEM(kdpi_record_text(def, 3).data, "Title", 5);
    life = must(KDP_TEMPLATE_LIFECYCLE);
    CHECK(life != NULL && life->kind == KDP_LIFECYCLE_KIND_CREATED);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':2,'msg':{'market_ticker':'A','event_type':'price_"
             "level_structure_updated',"
             "'price_level_structure':'deci_cent','price_ranges':[{'start':'0.0000','end':'1.0000','step':'0."
             "0010'}]}}");
    def = must(KDP_TEMPLATE_DEFINITION);
    CHECK(def != NULL);
    CHECK_INT(((const struct kdp_definition_ranges *)kdpi_record_group(def, &count))->step_e4, 10);
    CHECK_MEM(kdpi_record_text(def, 3).data, "Title", 5); /* what was said before still holds */
    CHECK_INT(market("A").top.bid_size_e2, 1000);
    delta(1, 1, 2, "A", "yes", "0.4210", "1.00");
    CHECK_INT(market("A").top.bid_e4, 4210);
    frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':3,'msg':{'market_ticker':'A','event_type':'"
             "determined','determination_ts':1796155300,"
             "'result':'yes','settlement_value':'1.0000'}}");
    state_is("A", KDP_BOOK_STATE_CLOSED);
    delta(1, 1, 3, "A", "yes", "0.4210", "-1.00"); /* orders are cancelled after the close */
    state_is("A", KDP_BOOK_STATE_CLOSED);
    CHECK_INT(market("A").top.bid_e4, 4200);
}

KDP_TEST(books_are_given_back_a_day_after_settlement)
{
    char ticker[16];

    begin();
    up(1);
    for (unsigned i = 0; i < 1000; i++) { /* as many as there are books */
        snprintf(ticker, sizeof ticker, "M%u", i);
        snapshot(1, 1, i + 1, ticker, "[['0.4200','10.00']]", "");
    }
    snapshot(1, 1, 1001, "LATE", "[['0.4200','10.00']]", "");
    CHECK_INT(market("LATE").bid_levels, 0); /* refused, told and counted */
    for (unsigned i = 0; i < 10; i++)
        frame(1,
              "{'type':'market_lifecycle_v2','sid':4,'seq':%u,'msg':{'market_ticker':'M%u','event_type':'"
              "settled','settled_ts':1795183387}}",
              i + 1, i);
    now += 23 * 3600 * KDP_NS_PER_S;
    snapshot(1, 1, 1002, "LATE", "[['0.4200','10.00']]", "");
    CHECK_INT(market("LATE").bid_levels, 0);
    now += 2 * 3600 * KDP_NS_PER_S;
    snapshot(1, 1, 1003, "LATE", "[['0.4200','10.00']]", "");
    CHECK_INT(market("LATE").bid_levels, 1);
    state_is("LATE", KDP_BOOK_STATE_LIVE);
    snapshot(1, 1, 1004, "LATER", "[['0.4200','10.00']]", "");
    state_is("LATER", KDP_BOOK_STATE_LIVE);
    state_is("M0", KDP_BOOK_STATE_CLOSED);
}

KDP_TEST(new_day_writes_every_open_book_down)
{
    const struct kdp_book_snapshot *snap;

    begin();
    up(1);
    for (unsigned i = 0; i < 20; i++) {
        char ticker[8];

        snprintf(ticker, sizeof ticker, "M%u", i);
        snapshot(1, 1, i + 1, ticker, "[['0.4200','10.00']]", "");
    }
    count_left(0);
    now += KDP_NS_PER_DAY;
    delta(1, 1, 21, "M19", "yes", "0.4200",
          "1.00"); /* M19's turn would come later: its book comes before its change */
    for (unsigned i = 0; i < 9; i++) {
        snap = must(KDP_TEMPLATE_BOOK_SNAPSHOT);
        CHECK(snap != NULL && snap->reason == KDP_REASON_DAY);
    }
    CHECK_INT(snap->head.instrument, 20);
    CHECK(next(KDP_TEMPLATE_LEVEL) != NULL);
    delta(1, 1, 22, "M0", "yes", "0.4200", "1.00");
    delta(1, 1, 23, "M0", "yes", "0.4200", "1.00");
    delta(1, 1, 24, "M0", "yes", "0.4200", "1.00");
    CHECK_INT(count_left(KDP_TEMPLATE_BOOK_SNAPSHOT), 11); /* paced, each once */
}

KDP_TEST(clock_that_jumps_back_harms_nothing)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5800','1.00']]");
    now -= 5 * KDP_NS_PER_S;
    delta(1, 1, 2, "A", "yes", "0.4300", "1.00");
    state_is("A", KDP_BOOK_STATE_LIVE);
    CHECK_INT(market("A").top.bid_e4, 4300);
}

KDP_TEST(restart_makes_books_stale_and_a_lost_ring_names_its_hole)
{
    struct kdp_input_start start = {
        .next_seq = 1000, .unused_from = 500, .next_instrument = 70, .flags = KDP_START_RING_LOST};
    const struct kdp_gap *gap;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    count_left(0);
    {
        struct kdp_input_start plain = {.next_seq = kdp_ring_next_seq(ring)};

        input(KDP_INPUT_START, 0, &plain, sizeof plain);
    }
    state_is("A", KDP_BOOK_STATE_STALE);
    CHECK_INT(count_left(KDP_TEMPLATE_GAP), 0);
    /* a fresh process: the ring begins behind the hole */
    kdp_plant_close(plant);
    kdp_ring_close(ring);
    {
        struct kdp_ring_config config = {
            .bytes = 1 << 20, .raw_bytes = 1 << 20, .start_seq = 1000, .start_input = 9, .unreliable = true};
        struct kdp_plant_config plant_config = {.max_markets = 1000};

        CHECK_INT(kdp_ring_create(&ring, &config), 0);
        plant_config.ring = ring;
        CHECK_INT(kdp_plant_open(&plant, &plant_config), 0);
        CHECK_INT(kdp_ring_seek(&cursor, ring, 1000), 0);
    }
    input(KDP_INPUT_START, 0, &start, sizeof start);
    gap = must(0);
    CHECK(gap != NULL && gap->head.template_id == KDP_TEMPLATE_GAP && gap->kind == KDP_GAP_KIND_UNUSED_RANGE);
    CHECK_INT(gap->head.seq, 1000);
    CHECK_INT(gap->expected, 500);
    CHECK_INT(gap->seen, 1000);
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    CHECK_INT(market("A").instrument, 70); /* ids are not reused either */
}

KDP_TEST(exchange_time_is_kept_to_the_microsecond)
{
    const struct kdp_level *level;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00");
    level = must(KDP_TEMPLATE_LEVEL);
    CHECK(level != NULL);
    CHECK_INT(level->head.exch_ns, INT64_C(1795183387412345000));
    CHECK_INT(level->delta_e2, 100);
    CHECK_INT(level->size_e2, 1100);
    CHECK_INT(level->head.src_seq, 2);
    CHECK_INT(market("A").last_ts_ms, INT64_C(1795183387412));
}

KDP_TEST(large_snapshot_is_a_run_of_parts_that_each_fit_a_packet)
{
    const struct kdp_book_snapshot *snap;
    char yes[8000];
    size_t at = 0;
    uint32_t levels = 0, count;

    begin();
    up(1);
    for (unsigned i = 1; i <= 200; i++)
        at += (size_t)snprintf(yes + at, sizeof yes - at, "%s['0.%04u','1.00']", i > 1 ? "," : "[", i * 10);
    snprintf(yes + at, sizeof yes - at, "]");
    snapshot(1, 1, 1, "A", yes, "");
    CHECK_INT(market("A").bid_levels, 200);
    for (unsigned part = 0; (snap = next(KDP_TEMPLATE_BOOK_SNAPSHOT)) != NULL; part++) {
        kdpi_record_group(snap, &count);
        levels += count;
        CHECK_INT(snap->part, part);
        CHECK_INT(snap->levels_total, 200);
        CHECK_INT((snap->head.flags & KDP_FLAGS_LAST) != 0, part + 1 == snap->parts);
        if (part + 1 == snap->parts)
            break;
    }
    CHECK_INT(levels, 200);
}
