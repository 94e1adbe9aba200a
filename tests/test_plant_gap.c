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

/* ---- gaps that outlive their subscription or connection ---- */

static const struct kdp_gap *
gap_is(enum kdp_gap_kind kind, enum kdp_gap_status status, enum kdp_healed_by by)
{
    const struct kdp_gap *gap = must(KDP_TEMPLATE_GAP);

    CHECK_INT(gap->kind, kind);
    CHECK_INT(gap->status, status);
    CHECK_INT(gap->healed_by, by);
    return gap;
}

#define OPEN(kind) gap_is(KDP_GAP_KIND_##kind, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE)
#define HEALED(kind, by) gap_is(KDP_GAP_KIND_##kind, KDP_GAP_STATUS_HEALED, KDP_HEALED_BY_##by)

KDP_TEST(gap_goes_on_over_a_lost_connection_until_its_books_are_live_again)
{
    const struct kdp_gap *gap;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    snapshot(1, 2, 1, "C", "[['0.4200','10.00']]", "");
    delta(1, 1, 5, "A", "yes", "0.4300", "1.00");
    CHECK_INT(OPEN(SEQUENCE)->markets, 2);
    down(1);
    CHECK_INT(OPEN(LINE_DOWN)->markets, 1); /* C was live */
    up(1);
    up(2);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(2, 9, 1, "B", "[['0.4200','10.00']]", ""); /* wherever that is */
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    snapshot(1, 1, 2, "C", "[['0.4200','10.00']]", "");
    gap = HEALED(SEQUENCE, RECONNECT); /* in the order in which they began */
    CHECK_INT(gap->expected, 3);
    CHECK_INT(gap->seen, 5);
    CHECK_INT(gap->sid, 1);
    CHECK_INT(gap->epoch, 1);
    gap = HEALED(LINE_DOWN, RECONNECT);
    CHECK_INT(gap->markets, 1);
    CHECK_INT(gap->healed_ns, now - 1000);
    CHECK_INT(totals().gaps_healed, 1);
    CHECK_INT(counter("kalshi_sequence_gaps_healed_total"), 1);
}

KDP_TEST(gap_goes_on_over_a_subscription_that_is_made_anew)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    delta(1, 1, 4, "A", "yes", "0.4300", "1.00");
    OPEN(SEQUENCE);
    frame(1, "{'id':6,'sid':1,'seq':5,'type':'unsubscribed'}");
    snapshot(1, 2, 1, "A", "[['0.4200','10.00']]", "");
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    delta(1, 2, 3, "A", "yes", "0.4300", "1.00"); /* and a further gap meanwhile, of the new one */
    OPEN(SEQUENCE);
    snapshot(1, 2, 4, "A", "[['0.4200','10.00']]", "");
    HEALED(SEQUENCE, SNAPSHOT);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL); /* B is still waited for */
    snapshot(1, 2, 5, "B", "[['0.4200','10.00']]", "");
    HEALED(SEQUENCE, RESUBSCRIBE);
    CHECK_INT(totals().gaps_healed, 2);
    frame(1, "{'sid':2,'seq':7,'type':'error','msg':{'code':25,'msg':'Subscription buffer overflow'}}");
    OPEN(SEQUENCE); /* 6 */
    snapshot(1, 3, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 3, 2, "B", "[['0.4200','10.00']]", "");
    HEALED(SEQUENCE, RESUBSCRIBE);
    CHECK_INT(totals().gaps, 3);
    CHECK_INT(totals().gaps_healed, 3);
}

KDP_TEST(gap_does_not_wait_for_what_is_no_longer_planned_or_closed)
{
    begin();
    up(1);
    reload("+A\n+B\n+C");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 3, "C", "[['0.4200','10.00']]", "");
    delta(1, 1, 5, "A", "yes", "0.4300", "1.00");
    OPEN(SEQUENCE);
    frame(
        1,
        "{'id':4,'sid':1,'seq':6,'type':'ok','msg':{'market_tickers':['A','C']}}"); /* B moves to another line */
    snapshot(1, 1, 7, "A", "[['0.4200','10.00']]", "");
    frame(
        1,
        "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'C','event_type':'determined',"
        "'determination_ts':1796155300,'result':'yes'}}");
    CHECK(next(KDP_TEMPLATE_GAP) == NULL); /* with a plan B is waited for, whoever has it */
    reload("-B");
    HEALED(SEQUENCE, CLOSED);
}

KDP_TEST(gap_of_a_subscription_without_books_is_healed_by_a_new_one)
{
    begin();
    up(1);
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}");
    delta(1, 1, 3, "A", "yes", "0.4200", "5.00");
    OPEN(SEQUENCE);
    frame(1, "{'id':6,'sid':1,'seq':4,'type':'unsubscribed'}");
    HEALED(SEQUENCE, RESUBSCRIBE);
    CHECK_INT(totals().gaps_healed, 1);
}

KDP_TEST(gap_of_a_subscription_without_books_is_healed_by_what_is_asked_for)
{
    begin();
    up(1);
    snapshot(1, 1, 3, "B", "[['0.4200','10.00']]", ""); /* the first two are lost */
    OPEN(SEQUENCE);
    delta(1, 1, 5, "B", "yes", "0.4300", "1.00"); /* and one more, of a book that is known: told together */
    OPEN(SEQUENCE);
    snapshot(1, 1, 6, "B", "[['0.4200','10.00']]", "");
    CHECK(next(KDP_TEMPLATE_GAP) == NULL); /* A is not there yet */
    frame(1,
          "{'type':'orderbook_snapshot','id':9,'sid':1,'seq':7,'msg':{'market_ticker':'A','yes_dollars_fp':"
          "[['0.4200','10.00']]}}");
    CHECK_INT(HEALED(SEQUENCE, SNAPSHOT)->seen, 5);
    CHECK_INT(totals().gaps_healed, 2);
}

KDP_TEST(gap_of_a_subscription_without_books_ends_when_every_planned_book_is_live)
{
    begin();
    up(1);
    reload("+A\n+B");
    snapshot(1, 1, 3, "B", "[['0.4200','10.00']]", "");
    OPEN(SEQUENCE);
    timer(KDP_TIMER_TICK, 0, 0);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    up(2);
    snapshot(2, 1, 1, "A", "[['0.4200','10.00']]", "");
    timer(KDP_TIMER_TICK, 0, 0);
    HEALED(SEQUENCE, SNAPSHOT);
    again_is_the_same();
}

KDP_TEST(lost_line_is_a_gap_until_it_is_back_with_its_books)
{
    const struct kdp_gap *gap;

    begin();
    up(1);
    down(1); /* nothing was subscribed */
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "", "");
    down(1);
    gap = OPEN(LINE_DOWN);
    CHECK_INT(gap->head.line, 1);
    CHECK_INT(gap->epoch, 2);
    CHECK_INT(gap->markets, 2);
    up(2);
    snapshot(2, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(2, 1, 2, "B", "[['0.4200','10.00']]", ""); /* both are live, on another line */
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    up(1);
    HEALED(LINE_DOWN, RECONNECT);
    CHECK_INT(totals().gaps, 0); /* no number is missing */
    CHECK_INT(totals().gaps_healed, 0);
}

KDP_TEST(hole_in_the_trades_is_open_until_rest_has_filled_it)
{
    const struct kdp_gap *gap;
    int64_t first;

    begin();
    up(1);
    reload("all\n+A");
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    trade(1, 2, 5, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d11");
    OPEN(SEQUENCE);
    CHECK_INT(totals().trades_unhealed, 3);
    first = now;
    trade(1, 2, 8, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d12");
    OPEN(SEQUENCE);
    CHECK_INT(totals().trades_unhealed, 5);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)first);
    gap = HEALED(SEQUENCE, REST);
    CHECK_INT(gap->expected, 2);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    CHECK_INT(totals().trades_unhealed, 2);
    down(1);
    OPEN(LINE_DOWN);
    OPEN(TRADES); /* what was traded while the line was down */
    up(1);
    HEALED(LINE_DOWN, RECONNECT);
    timer(KDP_TIMER_TRADES_LOST, 0, (uint64_t)now);
    gap = gap_is(KDP_GAP_KIND_SEQUENCE, KDP_GAP_STATUS_LOST, KDP_HEALED_BY_NONE);
    CHECK_INT(gap->expected, 6);
    gap_is(KDP_GAP_KIND_TRADES, KDP_GAP_STATUS_LOST, KDP_HEALED_BY_NONE);
    CHECK_INT(totals().trades_unhealed, 2); /* for good */
    CHECK_INT(totals().gaps_healed, 1);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    again_is_the_same();
}

static void
activated(unsigned seq)
{
    frame(1,
          "{'type':'market_lifecycle_v2','sid':3,'seq':%u,'msg':{'market_ticker':'A','event_type':'activated'"
          ",'is_deactivated':false}}",
          seq);
}

KDP_TEST(hole_in_the_lifecycle_is_open_until_a_listing_has_filled_it)
{
    int64_t first;

    begin();
    up(1);
    reload("all\n+A");
    activated(1);
    activated(4);
    OPEN(SEQUENCE);
    first = now;
    activated(7);
    OPEN(SEQUENCE);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now); /* says nothing of these */
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    timer(KDP_TIMER_LISTED, 0, (uint64_t)first); /* a listing begun after the first and before the second */
    CHECK_INT(HEALED(SEQUENCE, REST)->expected, 2);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    CHECK_INT(totals().gaps_healed, 1);
    timer(KDP_TIMER_LISTED, 0, (uint64_t)now);
    CHECK_INT(HEALED(SEQUENCE, REST)->expected, 5);
    CHECK_INT(totals().gaps_healed, totals().gaps);
    CHECK_INT(totals().trades_unhealed, 0);
    again_is_the_same();
}

KDP_TEST(more_open_gaps_than_there_is_room_for_are_told_and_counted)
{
    unsigned n = 0;

    begin();
    up(1);
    for (unsigned i = 0; i < 4200; i++)
        frame(
            1,
            "{'type':'trade','sid':2,'seq':%u,'msg':{'trade_id':'%u','market_ticker':'A','yes_price_dollars':"
            "'0.4350','count_fp':'1.00','taker_outcome_side':'yes','ts_ms':1795183387412}}",
            2 * i + 2, i);
    n = count_left(KDP_TEMPLATE_GAP);
    CHECK_INT(n, 4200);
    CHECK_INT(counter("kalshi_gaps_untracked_total"), 104);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    CHECK_INT(count_left(KDP_TEMPLATE_GAP), 4096);
    CHECK_INT(totals().gaps_healed, 4096);
    CHECK_INT(totals().trades_unhealed, 104); /* what is not followed up is never called healed */
}

/* ---- what a restart tells ---- */

KDP_TEST(restart_says_what_is_not_live_and_each_line_what_the_pause_cost)
{
    const struct kdp_state *state;
    const struct kdp_gap *gap;
    const struct heard *h;
    int64_t ended;

    listen_to_plant();
    begin();
    up(1);
    up(2);
    frame(1,
          "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'A','event_type':'created',"
          "'open_ts':1795176000,'close_ts':1796155200,'additional_metadata':{'name':'n','title':'T',"
          "'event_ticker':'E'}}}");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(2, 1, 1, "B", "[['0.4200','10.00']]", "");
    snapshot(2, 1, 2, "C", "[['0.4200','10.00']]", "");
    frame(
        2,
        "{'id':4,'sid':1,'seq':3,'type':'ok','msg':{'market_tickers':['B']}}"); /* C is not wanted any more */
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    ended = now;
    now += INT64_C(60000000000);
    restart(KDP_START_KILLED, ended);
    CHECK_INT(((const struct kdp_state *)must(KDP_TEMPLATE_STATE))->subject, KDP_SUBJECT_PLANT);
    CHECK_INT(((const struct kdp_definition *)must(0))->open_ns,
              INT64_C(1795176000000000000)); /* its terms are known */
    for (unsigned i = 0; i < 2; i++) {
        state = must(KDP_TEMPLATE_STATE);
        CHECK_INT(state->state, KDP_BOOK_STATE_STALE);
        CHECK_INT(state->reason, KDP_REASON_RESTART);
    }
    CHECK(next(0) == NULL); /* C was stale already */
    for (unsigned i = 0; i < 2; i++) {
        h = must_hear(KDP_NOTICE_MARKET);
        CHECK(h->notice.market.was_live && !h->notice.market.listed);
        CHECK_STR(h->ticker, i == 0 ? "A" : "B");
    }
    CHECK(heard(KDP_NOTICE_MARKET) == NULL);
    state_is("A", KDP_BOOK_STATE_STALE);
    reload("all\n+A\n+B");
    CHECK_INT(totals().planned, 2);
    up(1);
    gap = OPEN(LINE_DOWN);
    CHECK_INT(gap->opened_ns, ended);
    CHECK_INT(gap->markets, 1);
    up(2);
    OPEN(LINE_DOWN);
    frame(1, "{'id':1,'type':'subscribed','msg':{'channel':'trade','sid':2}}");
    gap = OPEN(TRADES);
    CHECK_INT(gap->opened_ns, ended);
    snapshot(2, 1, 1, "A", "[['0.4200','10.00']]", ""); /* on another line than before */
    HEALED(LINE_DOWN, RECONNECT);
    CHECK_INT(must_hear(KDP_NOTICE_BOOK)->notice.book.reason, KDP_REASON_RECOVERY);
    snapshot(2, 1, 2, "B", "[['0.4200','10.00']]", "");
    HEALED(LINE_DOWN, RECONNECT);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    HEALED(TRADES, REST);
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    CHECK_INT(market("A").trades, 0); /* it stands in the stream */
    down(2);
    OPEN(LINE_DOWN);
    up(2);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL); /* what the pause cost is told once */
}

KDP_TEST(restart_with_other_rules_does_not_wait_for_books_that_nobody_wants)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    restart(KDP_START_KILLED, now);
    reload("rules tickers A\n+A");
    up(1);
    CHECK_INT(OPEN(LINE_DOWN)->markets, 2);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    timer(KDP_TIMER_TICK, 0, 0);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    now += INT64_C(300) * 1000000000;
    timer(KDP_TIMER_TICK, 0, 0);
    HEALED(LINE_DOWN, RECONNECT);
    state_is("B", KDP_BOOK_STATE_STALE);
}

KDP_TEST(start_of_an_earlier_version_says_nothing_of_the_runs_before)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    restart(KDP_START_KILLED, KDP_TIME_NULL);
    CHECK_INT(((const struct kdp_head *)must(0))->template_id, KDP_TEMPLATE_STATE);
    CHECK(next(0) == NULL);
    up(1);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    CHECK_INT(((const struct kdp_book_snapshot *)must(KDP_TEMPLATE_BOOK_SNAPSHOT))->reason,
              KDP_REASON_SUBSCRIBE);
}

KDP_TEST(market_that_ended_in_an_earlier_run_stays_closed)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    frame(
        1,
        "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'A','event_type':'determined',"
        "'determination_ts':1796155300,'result':'yes'}}");
    restart(0, now);
    CHECK_INT(count_left(KDP_TEMPLATE_STATE), 1); /* the plant's own */
    up(1);
    CHECK_INT(OPEN(LINE_DOWN)->markets, 0);
    HEALED(LINE_DOWN, RECONNECT);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    state_is("A", KDP_BOOK_STATE_CLOSED);
}

/* missed: a frame that cannot be read, NULL: it never came. */
static void
closed_and_missed(const char *missed)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00");
    snapshot(1, 1, 3, "A", "[]", "");
    state_is("A", KDP_BOOK_STATE_CLOSED);
    if (missed != NULL)
        frame(1, "%s", missed);
    delta(1, 1, 5, "A", "yes", "0.4200", "5.00");
    state_is("A", KDP_BOOK_STATE_STALE);
    snapshot(1, 1, 6, "A", "[['0.4200','15.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    delta(1, 1, 7, "A", "yes", "0.4200", "1.00");
    CHECK_INT(market("A").top.bid_size_e2, 1600);
}

KDP_TEST(closed_book_that_missed_something_does_not_open_by_a_change)
{
    closed_and_missed(NULL);
}

KDP_TEST(closed_book_whose_change_could_not_be_read_does_not_open_by_the_next)
{
    closed_and_missed("{'type':'orderbook_delta','sid':1,'seq':4,'msg':{'market_ticker':'A',"
                      "'price_dollars':'0.42001','delta_fp':'1.00','side':'yes'}}");
}

KDP_TEST(holes_of_an_earlier_run_are_told_as_filled_by_the_next)
{
    const struct kdp_gap *gap;
    int64_t filled, open, ended;

    begin();
    up(1);
    reload("all");
    trade(1, 2, 1, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10");
    now += INT64_C(1000000000);
    filled = now;
    trade(1, 2, 3, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d11");
    OPEN(SEQUENCE);
    now += INT64_C(1000000000);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    CHECK_INT(HEALED(SEQUENCE, REST)->head.line, 1); /* though it is a timer that says so */
    now += INT64_C(1000000000);
    open = now;
    trade(1, 2, 6, "A", "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d12");
    OPEN(SEQUENCE);
    ended = now;
    now += INT64_C(60000000000);
    restart(KDP_START_KILLED, ended);
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
    CHECK(filled < open && totals().trades_unhealed == 0);
    up(1);
    OPEN(LINE_DOWN);
    HEALED(LINE_DOWN, RECONNECT);
    now += INT64_C(1000000000);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    gap = HEALED(SEQUENCE, REST);
    CHECK(gap->opened_ns >= open && gap->expected == 4 && gap->seen == 6 && gap->head.line == 1);
    CHECK_INT(totals().gaps_healed, 0); /* it was counted where it began */
    CHECK(next(KDP_TEMPLATE_GAP) == NULL);
}
