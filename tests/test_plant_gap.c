/* test_plant_gap.c - sequence numbers, connections and whose book it is; gaps, and what ends them. */
#include "plant_fixture.h"

KDP_TEST(control_replies_use_up_sequence_numbers)
{
    begin();
    up(1);
    frame(1, "{'type':'subscribed','id':2,'msg':{'channel':'orderbook_delta','sid':1}}");
    frame(1, "{'type':'ok','id':6,'sid':1,'seq':1,'msg':{'market_tickers':['A','B']}}");
    snapshot(1, 1, 2, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'type':'ok','id':7,'sid':1,'seq':3,'msg':{'market_tickers':['A','B']}}");
    snapshot(1, 1, 4, "B", "[['0.4200','10.00']]", "");
    frame(1, "{'sid':1,'seq':5,'type':'error','msg':{'code':27,'msg':'too many'}}");
    delta(1, 1, 6, "A", "yes", "0.4300", "1.00");
    CHECK_INT(totals().gaps, 0);
    state_is("A", KDP_BOOK_STATE_LIVE);
    state_is("B", KDP_BOOK_STATE_LIVE);
}

KDP_TEST(gap_makes_all_books_of_the_sid_stale_and_says_so_first)
{
    const struct kdp_state *state;
    const struct kdp_gap *gap;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    snapshot(1, 2, 1, "C", "[['0.4200','10.00']]", "");
    count_left(0);
    delta(1, 1, 5, "A", "yes", "0.4300", "1.00");
    state = must(KDP_TEMPLATE_STATE);
    CHECK(state != NULL && state->state == KDP_BOOK_STATE_STALE && state->reason == KDP_REASON_GAP);
    CHECK_INT(state->from_seq, 3);
    CHECK_INT(state->to_seq, 4);
    CHECK(next(KDP_TEMPLATE_STATE) != NULL);
    gap = must(KDP_TEMPLATE_GAP);
    CHECK(gap != NULL && gap->status == KDP_GAP_STATUS_OPEN);
    CHECK_INT(gap->expected, 3);
    CHECK_INT(gap->seen, 5);
    CHECK_INT(gap->markets, 2);
    CHECK_INT(count_left(KDP_TEMPLATE_LEVEL), 0);
    state_is("A", KDP_BOOK_STATE_STALE);
    state_is("B", KDP_BOOK_STATE_STALE);
    state_is("C", KDP_BOOK_STATE_LIVE);
    CHECK_INT(totals().gaps, 1);
    CHECK_INT(market("A").top.bid_e4, 4200); /* as after the last message applied */
}

KDP_TEST(stale_book_ignores_changes_until_its_snapshot_replaces_both_sides)
{
    const struct kdp_gap *gap;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00']]");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    delta(1, 1, 4, "A", "yes", "0.4300", "1.00");
    delta(1, 1, 5, "A", "yes", "0.4300", "1.00");
    CHECK_INT(market("A").bid_levels, 1);
    snapshot(1, 1, 6, "A", "[['0.4000','1.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    CHECK_INT(market("A").top.bid_e4, 4000);
    CHECK_INT(market("A").ask_levels, 0);
    state_is("B", KDP_BOOK_STATE_STALE);
    count_left(0);
    snapshot(1, 1, 7, "B", "[['0.4000','1.00']]", "");
    gap = must(KDP_TEMPLATE_GAP);
    CHECK(gap != NULL && gap->status == KDP_GAP_STATUS_HEALED && gap->healed_by == KDP_HEALED_BY_SNAPSHOT);
    CHECK_INT(gap->expected, 3);
    CHECK_INT(totals().gaps, 1);
}

KDP_TEST(duplicate_change_is_not_applied_twice)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "5.00");
    delta(1, 1, 2, "A", "yes", "0.4200", "5.00");
    CHECK_INT(market("A").top.bid_size_e2, 1500);
    CHECK_INT(totals().gaps, 0);
    CHECK_INT(totals().duplicates, 1);
    state_is("A", KDP_BOOK_STATE_LIVE);
}

KDP_TEST(first_number_of_a_connection_must_be_1)
{
    begin();
    up(1);
    delta(1, 1, 2, "A", "yes", "0.4200", "5.00"); /* its snapshot, number 1, was lost */
    CHECK_INT(totals().gaps, 1);
    state_is("A", KDP_BOOK_STATE_STALE);
    CHECK_INT(market("A").bid_levels, 0);
    down(1); /* a mark that got lost makes no tail of a recording of what follows */
    delta(1, 1, 7, "A", "yes", "0.4200", "5.00");
    CHECK_INT(totals().gaps, 2);
    CHECK_INT(totals().connections, 2);
}

KDP_TEST(reconnect_begins_sids_and_numbers_again_and_books_go_stale)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4300", "1.00");
    up(1);
    state_is("A", KDP_BOOK_STATE_STALE);
    delta(1, 1, 1, "A", "yes", "0.4300", "1.00"); /* the old book must not take it */
    CHECK_INT(market("A").top.bid_size_e2, 100);
    snapshot(1, 1, 2, "A", "[['0.1000','3.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    CHECK_INT(market("A").bid_levels, 1); /* replaced, not merged */
    CHECK_INT(market("A").top.bid_e4, 1000);
    CHECK_INT(totals().gaps, 0);
    CHECK_INT(totals().connections, 2);
}

KDP_TEST(same_sid_on_two_connections_is_two_subscriptions)
{
    begin();
    up(1);
    up(2);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(2, 1, 1, "B", "[['0.4300','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00");
    delta(2, 1, 2, "B", "yes", "0.4300", "1.00");
    CHECK_INT(totals().gaps, 0);
    CHECK_INT(totals().duplicates, 0);
    CHECK_INT(market("A").top.bid_size_e2, 1100);
    CHECK_INT(market("B").top.bid_size_e2, 1100);
}

KDP_TEST(second_subscribe_merges_into_the_sid)
{
    begin();
    up(1);
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'id':2,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    CHECK_INT(totals().gaps, 0);
    state_is("A", KDP_BOOK_STATE_LIVE);
    CHECK_INT(totals().connections, 1);
}

KDP_TEST(ownership_passes_at_the_snapshot_and_strangers_are_dropped)
{
    begin();
    up(1);
    up(2);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(2, 1, 1, "A", "yes", "0.4200", "5.00");
    CHECK_INT(market("A").top.bid_size_e2, 1000);
    snapshot(2, 1, 2, "A", "[['0.4200','7.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "5.00");
    CHECK_INT(market("A").top.bid_size_e2, 700);
    delta(2, 1, 3, "A", "yes", "0.4200", "1.00");
    CHECK_INT(market("A").top.bid_size_e2, 800);
    delta(1, 1, 9, "A", "yes", "0.4200", "5.00"); /* a gap of the old owner is no gap of this book */
    state_is("A", KDP_BOOK_STATE_LIVE);
}

KDP_TEST(frame_that_is_not_json_is_revealed_by_the_next_number)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'type':'orderbook_delta','sid':1,'seq':2,'msg':{'market_ticker':'A','price_doll");
    CHECK_INT(totals().malformed, 1);
    state_is("A", KDP_BOOK_STATE_LIVE);
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    CHECK_INT(totals().gaps, 1);
    state_is("A", KDP_BOOK_STATE_STALE);
}

KDP_TEST(message_whose_type_cannot_be_told_makes_the_books_stale)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 2, 1, "B", "[['0.4200','10.00']]", "");
    frame(1,
          "{'type':7,'sid':1,'seq':2,'msg':{'market_ticker':'A','price_dollars':'0.4200','delta_fp':'1.00',"
          "'side':'yes'}}");
    state_is("A", KDP_BOOK_STATE_STALE);
    state_is("B", KDP_BOOK_STATE_LIVE);
    snapshot(1, 1, 3, "A", "[['0.4200','10.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    frame(1, "{'sid':1,'seq':4,'msg':{'market_ticker':'A','price_dollars':'0.4200','delta_fp':'1.00','side':'"
             "yes'}}");
    state_is("A", KDP_BOOK_STATE_STALE);
    CHECK_INT(totals().malformed, 2);
    CHECK_INT(totals().gaps, 0);
}

KDP_TEST(frames_without_sid_and_seq_are_one_subscription)
{
    begin();
    frame(1,
          "{'type':'orderbook_snapshot','msg':{'market_ticker':'A','yes_dollars_fp':[['0.4200','10.00']]}}");
    frame(1, "{'type':'orderbook_delta','msg':{'market_ticker':'A','price_dollars':'0.4300','delta_fp':'2.00'"
             ",'side':'yes'}}");
    state_is("A", KDP_BOOK_STATE_LIVE);
    CHECK_INT(market("A").top.bid_e4, 4300);
    CHECK_INT(totals().gaps, 0);
}

KDP_TEST(terminal_errors_and_unsubscribed_end_the_subscription)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(1, "{'sid':1,'seq':2,'type':'error','msg':{'code':25,'msg':'Subscription buffer overflow'}}");
    state_is("A", KDP_BOOK_STATE_STALE);
    snapshot(1, 2, 1, "A", "[['0.4200','10.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    frame(1, "{'id':6,'sid':2,'seq':2,'type':'unsubscribed'}");
    state_is("A", KDP_BOOK_STATE_STALE);
}

KDP_TEST(market_deleted_from_a_subscription_is_not_called_live)
{
    begin();
    up(1);
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    frame(1, "{'id':4,'sid':1,'seq':3,'type':'ok','msg':{'market_tickers':['A']}}");
    state_is("A", KDP_BOOK_STATE_LIVE);
    state_is("B", KDP_BOOK_STATE_STALE);
    delta(1, 1, 4, "B", "yes", "0.4200", "1.00"); /* late: its number counts, its content does not */
    CHECK_INT(market("B").top.bid_size_e2, 1000);
    CHECK_INT(totals().gaps, 0);
}

KDP_TEST(gap_does_not_wait_for_a_market_that_was_deleted)
{
    const struct kdp_gap *gap;

    begin();
    up(1);
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    delta(1, 1, 5, "A", "yes", "0.4300", "1.00");
    frame(1, "{'id':4,'sid':1,'seq':6,'type':'ok','msg':{'market_tickers':['A']}}");
    count_left(0);
    snapshot(1, 1, 7, "A", "[['0.4200','10.00']]", "");
    gap = must(KDP_TEMPLATE_GAP);
    CHECK(gap->status == KDP_GAP_STATUS_HEALED && gap->healed_by == KDP_HEALED_BY_SNAPSHOT);
    delta(1, 1, 9, "A", "yes", "0.4300", "1.00"); /* nor does the next one */
    snapshot(1, 1, 10, "A", "[['0.4200','10.00']]", "");
    CHECK(must(KDP_TEMPLATE_GAP) != NULL);
    gap = must(KDP_TEMPLATE_GAP);
    CHECK_INT(gap->status, KDP_GAP_STATUS_HEALED);
}

KDP_TEST(recording_without_marks_that_starts_again_is_a_new_connection)
{
    begin();
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00");
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    snapshot(1, 1, 1, "A", "[['0.1000','3.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.1000", "1.00");
    CHECK_INT(market("A").bid_levels, 1);
    CHECK_INT(market("A").top.bid_size_e2, 400);
    CHECK_INT(totals().connections, 2);
    CHECK_INT(totals().gaps, 0);
    CHECK_INT(totals().duplicates, 0);
}
