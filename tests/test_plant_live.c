/* test_plant_live.c - what only a live run has: notices, plans, timers, REST answers; and that a replay of the
 * same inputs, in which nobody listens, gives the same stream. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "plant_fixture.h"

#define ID(n) "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d" n

static void
subscribed(unsigned line, unsigned sid, const char *channel)
{
    frame(line, "{'id':7,'type':'subscribed','msg':{'channel':'%s','sid':%u}}", channel, sid);
}

static void
listed(const char *ticker, const char *status, const char *more)
{
    answer(KDP_REST_MARKETS, 1, "/markets?limit=1000",
           "{'markets':[{'ticker':'%s','event_ticker':'E','status':'%s','open_time':'2026-11-20T12:00:00Z','"
           "close_time':"
           "'2026-12-01T20:00:00Z'%s}],'cursor':'more'}",
           ticker, status, more);
}

/* ---- notices ---- */

KDP_TEST(replies_are_told_with_what_the_session_needs)
{
    const struct heard *h;

    listen_to_plant();
    begin();
    up(1);
    subscribed(1, 3, "orderbook_delta");
    h = must_hear(KDP_NOTICE_SUBSCRIBED);
    CHECK_INT(h->notice.line, 1);
    CHECK_INT(h->notice.sid, 3);
    CHECK(h->notice.reply.has_id);
    CHECK_INT(h->notice.reply.id, 7);
    CHECK_INT(h->notice.reply.channel, KDP_CHANNEL_BOOK);
    frame(1, "{'type':'ok','id':8,'sid':3,'seq':1,'msg':{'market_tickers':['A','B']}}");
    h = must_hear(KDP_NOTICE_OK);
    CHECK_INT(h->notice.reply.id, 8);
    CHECK_INT(h->notice.reply.tickers, 2);
    CHECK_INT(h->notice.reply.channel, KDP_CHANNEL_BOOK);
    frame(1, "{'id':9,'sid':3,'seq':2,'type':'error','msg':{'code':27,'msg':'too many markets'}}");
    h = must_hear(KDP_NOTICE_ERROR);
    CHECK_INT(h->notice.reply.code, 27);
    CHECK_INT(h->notice.sid, 3);
    CHECK_STR(h->text, "too many markets");
    frame(1, "{'id':10,'type':'error','msg':{'code':6,'msg':'Already subscribed'}}");
    h = must_hear(KDP_NOTICE_ERROR);
    CHECK_INT(h->notice.reply.id, 10);
    CHECK_INT(h->notice.sid, 0);
    frame(1, "{'id':11,'sid':3,'seq':3,'type':'unsubscribed'}");
    h = must_hear(KDP_NOTICE_UNSUBSCRIBED);
    CHECK_INT(h->notice.sid, 3);
    CHECK_INT(h->notice.reply.channel, KDP_CHANNEL_BOOK);
    again_is_the_same();
}

KDP_TEST(a_book_is_told_with_its_owner_and_the_snapshot_once)
{
    const struct heard *h;

    listen_to_plant();
    begin();
    up(1);
    up(2);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    h = must_hear(KDP_NOTICE_BOOK);
    CHECK_INT(h->notice.book.was, KDP_BOOK_STATE_NONE);
    CHECK_INT(h->notice.book.state, KDP_BOOK_STATE_LIVE);
    CHECK(h->notice.book.snapshot && h->notice.book.owner);
    CHECK_INT(h->notice.line, 1);
    CHECK_INT(h->notice.sid, 1);
    snapshot(2, 5, 1, "A", "[['0.4200','10.00']]", ""); /* another takes it over, live as it was */
    h = must_hear(KDP_NOTICE_BOOK);
    CHECK_INT(h->notice.book.was, KDP_BOOK_STATE_LIVE);
    CHECK(h->notice.book.snapshot && h->notice.book.owner);
    CHECK_INT(h->notice.line, 2);
    CHECK_INT(h->notice.sid, 5);
    delta(2, 5, 2, "A", "yes", "0.4200", "-11.00");
    h = must_hear(KDP_NOTICE_BOOK);
    CHECK_INT(h->notice.book.state, KDP_BOOK_STATE_STALE);
    CHECK_INT(h->notice.book.reason, KDP_REASON_NEGATIVE_LEVEL);
    CHECK(!h->notice.book.snapshot && h->notice.book.owner);
    snapshot(2, 5, 3, "A", "[['0.4200','10.00']]", "");
    CHECK(must_hear(KDP_NOTICE_BOOK)->notice.book.snapshot);
    down(2);
    h = must_hear(KDP_NOTICE_BOOK);
    CHECK_INT(h->notice.book.reason, KDP_REASON_DISCONNECTED);
    CHECK(!h->notice.book.owner);
    CHECK(heard(KDP_NOTICE_BOOK) == NULL);
    again_is_the_same();
}

KDP_TEST(a_gap_is_told_after_its_books_and_a_bad_first_number_as_well)
{
    const struct heard *h;

    listen_to_plant();
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    must_hear(KDP_NOTICE_BOOK);
    delta(1, 1, 4, "A", "yes", "0.4200", "1.00");
    h = must_hear(KDP_NOTICE_BOOK);
    CHECK_INT(h->notice.book.reason, KDP_REASON_GAP);
    h = must_hear(KDP_NOTICE_GAP);
    CHECK_INT(h->notice.gap.expected, 2);
    CHECK_INT(h->notice.gap.seen, 4);
    CHECK_INT(h->notice.gap.channel, KDP_CHANNEL_BOOK);
    CHECK(heard(KDP_NOTICE_BAD_FIRST) == NULL);
    trade(1, 9, 3, "A", ID("10"));
    h = must_hear(KDP_NOTICE_BAD_FIRST);
    CHECK_INT(h->notice.sid, 9);
    CHECK_INT(h->notice.gap.seen, 3);
    CHECK_INT(h->notice.gap.channel, KDP_CHANNEL_TRADE);
    CHECK_INT(must_hear(KDP_NOTICE_TRADE)->notice.trade.exch_ns, INT64_C(1795183387412000000));
    CHECK_INT(totals().missed[KDP_CHANNEL_BOOK], 2);
    CHECK_INT(totals().missed[KDP_CHANNEL_TRADE], 2);
    again_is_the_same();
}

KDP_TEST(numbers_that_go_back_for_good_are_told)
{
    listen_to_plant();
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    delta(1, 1, 1000000000, "A", "yes", "0.4200", "1.00"); /* one that is far too high */
    for (unsigned seq = 3; seq < 34; seq++)
        delta(1, 1, seq, "A", "yes", "0.4200", "1.00");
    CHECK(heard(KDP_NOTICE_REPEATS) == NULL);
    delta(1, 1, 34, "A", "yes", "0.4200", "1.00");
    CHECK_INT(must_hear(KDP_NOTICE_REPEATS)->notice.sid, 1);
    again_is_the_same();
}

KDP_TEST(a_missed_control_reply_counts_with_its_subscription)
{
    begin();
    up(1);
    subscribed(1, 4, "trade");
    trade(1, 4, 1, "A", ID("10"));
    frame(1,
          "{'type':'ok','id':8,'sid':4,'seq':3,'msg':{'market_tickers':['A']}}"); /* 2 was the reply before */
    CHECK_INT(totals().missed[KDP_CHANNEL_TRADE], 1);
    CHECK_INT(totals().missed[KDP_CHANNEL_BOOK], 0);
    CHECK_INT(totals().trades_unhealed, 1);
}

KDP_TEST(markets_and_events_are_told_as_they_are_learnt)
{
    const struct heard *h;

    listen_to_plant();
    begin();
    up(1);
    frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'A','event_type':'created'"
             ",'open_ts':1795176000,'close_ts':1796155200,'additional_metadata':{'name':'n','title':'T',"
             "'event_ticker':'E'}}}");
    h = must_hear(KDP_NOTICE_MARKET);
    CHECK_STR(h->ticker, "A");
    CHECK_STR(h->text, "E");
    CHECK_INT(h->notice.market.open_ns, INT64_C(1795176000000000000));
    CHECK_INT(h->notice.market.status, KDP_MARKET_STATUS_INITIALIZED);
    CHECK_INT(h->notice.market.volume_e2, KDP_INT64_NULL);
    CHECK(!h->notice.market.listed && !h->notice.market.combo && !h->notice.market.was_live);
    frame(1, "{'type':'event_lifecycle','sid':4,'seq':2,'msg':{'event_ticker':'E','title':'t','subtitle':'s',"
             "'collateral_return_type':'','series_ticker':'S'}}");
    h = must_hear(KDP_NOTICE_EVENT);
    CHECK_STR(h->ticker, "E");
    CHECK_STR(h->text, "S");
    listed("A", "active", ",'volume_24h_fp':'12.00'");
    h = must_hear(KDP_NOTICE_MARKET);
    CHECK(h->notice.market.listed);
    CHECK_INT(h->notice.market.volume_e2, 1200);
    CHECK_INT(h->notice.market.status, KDP_MARKET_STATUS_ACTIVE);
    h = must_hear(KDP_NOTICE_REST);
    CHECK_INT(h->notice.rest.items, 1);
    CHECK_INT(h->notice.rest.request, KDP_REST_REQUEST(KDP_REST_MARKETS, 1));
    CHECK_STR(h->text, "more");
    CHECK(!h->notice.rest.refused);
    listed("KXMVE-1", "active", ",'mve_collection_ticker':'C'");
    CHECK(must_hear(KDP_NOTICE_MARKET)->notice.market.combo);
    again_is_the_same();
}

/* ---- listings ---- */

KDP_TEST(a_listing_is_a_definition_where_it_says_something_new)
{
    const struct kdp_definition *def;
    uint32_t count;

    begin();
    reload("all\n");
    listed("A", "active",
           ",'title':'First','price_ranges':[{'start':'0.0000','end':'1.0000','step':'0.0010'}]");
    def = must(KDP_TEMPLATE_DEFINITION);
    CHECK_INT(def->provisional, KDP_BOOL_NO);
    CHECK_INT(def->head.origin, KDP_ORIGIN_POLL);
    CHECK_INT(def->status, KDP_MARKET_STATUS_ACTIVE);
    CHECK_INT(((const struct kdp_definition_ranges *)kdpi_record_group(def, &count))->step_e4, 10);
    CHECK_INT(count, 1);
    listed("A", "active",
           ",'title':'First','price_ranges':[{'start':'0.0000','end':'1.0000','step':'0.0010'}]");
    CHECK(next(KDP_TEMPLATE_DEFINITION) == NULL); /* nothing new */
    listed("A", "active", ",'title':'Second'");
    def = must(KDP_TEMPLATE_DEFINITION);
    CHECK_MEM(kdpi_record_text(def, 3).data, "Second", 6);
    kdpi_record_group(def, &count);
    CHECK_INT(count, 1); /* what was said before still holds */
    CHECK(next(KDP_TEMPLATE_LIFECYCLE) == NULL);
    again_is_the_same();
}

KDP_TEST(a_market_that_ended_unseen_is_closed_by_the_listing)
{
    const struct kdp_lifecycle *life;
    const struct kdp_state *state;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    listed("A", "active", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    count_left(0);
    listed("A", "determined", ",'result':'yes','settlement_value_dollars':'1.0000'");
    life = must(KDP_TEMPLATE_LIFECYCLE);
    CHECK_INT(life->kind, KDP_LIFECYCLE_KIND_DETERMINED);
    CHECK_INT(life->result, KDP_RESULT_YES);
    CHECK_INT(life->head.origin, KDP_ORIGIN_POLL);
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_CLOSED);
    CHECK_INT(state->head.origin, KDP_ORIGIN_POLL);
    state_is("A", KDP_BOOK_STATE_CLOSED);
    snapshot(1, 1, 2, "A", "[['0.4200','10.00']]", "");
    state_is("A", KDP_BOOK_STATE_CLOSED); /* for good */
    listed("A", "determined", ",'result':'yes','settlement_value_dollars':'1.0000'");
    CHECK(next(KDP_TEMPLATE_LIFECYCLE) == NULL);
    listed("A", "finalized", ",'result':'yes','settlement_value_dollars':'1.0000'");
    CHECK_INT(((const struct kdp_lifecycle *)must(KDP_TEMPLATE_LIFECYCLE))->kind, KDP_LIFECYCLE_KIND_SETTLED);
    listed("NEW", "finalized", ""); /* its end was never news to us */
    CHECK(next(KDP_TEMPLATE_LIFECYCLE) == NULL);
    again_is_the_same();
}

/* ---- trades ---- */

#define REST_TRADE(id, time)                                                                                 \
    "{'trade_id':'" ID(id) "','ticker':'A','created_time':'2026-11-20T14:03:" time "Z','count_fp':'1.00',"   \
                           "'yes_price_dollars':'0.4400','no_price_dollars':'0.5600','taker_outcome_side':'" \
                           "no','is_block_trade':false}"

KDP_TEST(trades_by_rest_are_written_once_in_the_order_they_happened)
{
    const struct kdp_trade *rec;
    const struct heard *h;

    listen_to_plant();
    begin();
    up(1);
    reload("+A");
    trade(1, 2, 1, "A", ID("11")); /* at 07.412 */
    trade(1, 2, 3, "A", ID("14"));
    CHECK_INT(totals().trades_unhealed, 1);
    count_left(0);
    /* the newest first, as the exchange gives them; two are in the stream */
    answer(
        KDP_REST_TRADES, 5, "/markets/trades?ticker=A",
        "{'trades':[" REST_TRADE("14", "07.412") "," REST_TRADE("13", "07.300") "," REST_TRADE(
            "12", "07.200") "," REST_TRADE("15", "07.200") "," REST_TRADE("11", "07.100") "],'cursor':''}");
    rec = must(KDP_TEMPLATE_TRADE);
    CHECK_INT(rec->trade_id[15], 0x15); /* of one time the older stands further down the page */
    CHECK_INT(rec->head.origin, KDP_ORIGIN_REST_REFILL);
    CHECK_INT(rec->head.exch_ns, INT64_C(1795183387200000000));
    CHECK_INT(rec->taker_side, KDP_SIDE_NO);
    CHECK_INT(((const struct kdp_trade *)must(KDP_TEMPLATE_TRADE))->trade_id[15], 0x12);
    CHECK_INT(((const struct kdp_trade *)must(KDP_TEMPLATE_TRADE))->trade_id[15], 0x13);
    CHECK(next(KDP_TEMPLATE_TRADE) == NULL);
    CHECK_INT(totals().trades_recovered, 3);
    CHECK_INT(market("A").trades, 5);
    CHECK_INT(market("A").last_price_e4, 4350); /* a late trade is not the last one */
    h = must_hear(KDP_NOTICE_REST);
    CHECK_INT(h->notice.rest.items, 5);
    CHECK_INT(h->notice.rest.fresh, 3);
    CHECK_INT(h->notice.rest.oldest_ns, INT64_C(1795183387100000000));
    CHECK_INT(h->notice.rest.newest_ns, INT64_C(1795183387412000000));
    trade(1, 2, 4, "A", ID("12")); /* the line brings it after all */
    CHECK(next(KDP_TEMPLATE_TRADE) == NULL);
    again_is_the_same();
}

KDP_TEST(trades_of_markets_that_nobody_wanted_are_not_ours)
{
    begin();
    reload("rules tickers B\n+B");
    answer(KDP_REST_TRADES, 5, "/markets/trades", "{'trades':[" REST_TRADE("14", "07.412") "],'cursor':''}");
    CHECK_INT(totals().trades_recovered, 0);
    reload("+A");
    reload("-A"); /* no longer wanted: its trades of before still are */
    answer(KDP_REST_TRADES, 6, "/markets/trades", "{'trades':[" REST_TRADE("14", "07.412") "],'cursor':''}");
    CHECK_INT(totals().trades_recovered, 1);
    reload("rules all open ordinary markets\nall\n-B");
    answer(KDP_REST_TRADES, 7, "/markets/trades",
           "{'trades':[{'trade_id':'" ID(
               "20") "','ticker':'KXMVE-9','created_time':'2026-11-20T14:03:07Z','count_fp':'1.00',"
                     "'yes_price_dollars':'0.44','taker_outcome_side':'no'}],'cursor':''}");
    CHECK_INT(totals().trades_recovered, 2);
    again_is_the_same();
}

KDP_TEST(an_answer_that_is_none_changes_nothing)
{
    struct {
        struct kdp_input_rest head;
        char words[16];
    } refused = {{.status = 503, .path_len = 4, .request = KDP_REST_REQUEST(KDP_REST_TRADES, 9)}, "/x/yno"};
    const struct heard *h;
    uint64_t before;

    listen_to_plant();
    begin();
    reload("all");
    before = totals().records;
    answer(KDP_REST_TRADES, 8, "/markets/trades", "{'trades':[{'trade_id':");
    h = must_hear(KDP_NOTICE_REST);
    CHECK(h->notice.rest.refused);
    CHECK_INT(h->notice.rest.status, 200);
    input(KDP_INPUT_REST, 0, &refused, sizeof refused);
    h = must_hear(KDP_NOTICE_REST);
    CHECK_INT(h->notice.rest.status, 503);
    CHECK_INT(h->notice.rest.items, 0);
    refused.head.path_len = 4000000000u; /* nothing that stands in an input is trusted */
    refused.head.status = 200;
    input(KDP_INPUT_REST, 0, &refused, sizeof refused);
    input(KDP_INPUT_REST, 0, &refused, 8);
    input(KDP_INPUT_TIMER, 0, &refused, 8);
    timer((enum kdp_timer_kind)99, 0, 0);
    timer(KDP_TIMER_OPEN, 4000000000u, 0);
    timer(KDP_TIMER_AUDIT, 4000000000u, 0);
    timer(KDP_TIMER_RECOVERING, 77, 0);
    CHECK_INT(totals().records, before);
    again_is_the_same();
}

/* ---- books by REST ---- */

#define REST_BOOK                                                                                            \
    "{'orderbook_fp':{'yes_dollars':[['0.4100','2.00'],['0.4200','3.00']],'no_dollars':[['0.5600','5.00']]}" \
    "}"

KDP_TEST(a_book_by_rest_is_flagged_until_a_snapshot_of_the_line)
{
    const struct kdp_book_snapshot *snap;
    const struct kdp_level *level;
    const struct kdp_state *state;
    const struct kdp_bbo *bbo;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    answer(KDP_REST_BOOK, 3, "/markets/A/orderbook", REST_BOOK);
    CHECK_INT(market("A").bid_levels, 1); /* a live book needs none */
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    state_is("A", KDP_BOOK_STATE_STALE);
    count_left(0);
    answer(KDP_REST_BOOK, 4, "/markets/A/orderbook?depth=0", REST_BOOK);
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_LIVE);
    CHECK_INT(state->reason, KDP_REASON_RECOVERY);
    CHECK_INT(state->head.origin, KDP_ORIGIN_REST_BOOK);
    CHECK((state->head.flags & KDP_FLAGS_MAYBE_BAD_BOOK) != 0);
    snap = must(KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK((snap->head.flags & KDP_FLAGS_MAYBE_BAD_BOOK) != 0);
    CHECK((snap->head.flags & KDP_FLAGS_LAST) != 0);
    CHECK_INT(snap->head.origin, KDP_ORIGIN_REST_BOOK);
    CHECK_INT(snap->levels_total, 3);
    bbo = must(KDP_TEMPLATE_BBO);
    CHECK_INT(bbo->ask_e4, 4400); /* the NO leg, on the YES scale */
    CHECK_INT(bbo->bid_e4, 4200);
    CHECK((bbo->head.flags & KDP_FLAGS_MAYBE_BAD_BOOK) != 0);
    CHECK_INT(((const struct kdp_gap *)must(KDP_TEMPLATE_GAP))->healed_by, KDP_HEALED_BY_REST);
    delta(1, 1, 4, "A", "yes", "0.4200", "1.00");
    level = must(KDP_TEMPLATE_LEVEL);
    CHECK_INT(level->size_e2, 400);
    CHECK_INT(level->head.origin, KDP_ORIGIN_WS);
    CHECK((level->head.flags & KDP_FLAGS_MAYBE_BAD_BOOK) != 0);
    trade(1, 2, 1, "A", ID("10"));
    CHECK_INT(((const struct kdp_head *)must(KDP_TEMPLATE_TRADE))->flags & KDP_FLAGS_MAYBE_BAD_BOOK, 0);
    snapshot(1, 1, 5, "A", "[['0.4200','10.00']]", "");
    snap = must(KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK_INT(snap->head.flags & KDP_FLAGS_MAYBE_BAD_BOOK, 0);
    delta(1, 1, 6, "A", "yes", "0.4200", "1.00");
    CHECK_INT(((const struct kdp_head *)must(KDP_TEMPLATE_LEVEL))->flags & KDP_FLAGS_MAYBE_BAD_BOOK, 0);
    again_is_the_same();
}

KDP_TEST(a_book_by_rest_goes_on_with_who_changes_it)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    up(1);
    delta(1, 1, 1, "A", "yes", "0.4200", "1.00");
    state_is("A", KDP_BOOK_STATE_STALE);
    answer(KDP_REST_BOOK, 4, "/markets/A/orderbook", REST_BOOK);
    state_is("A", KDP_BOOK_STATE_LIVE);
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00");
    CHECK_INT(market("A").top.bid_size_e2, 400);
    delta(1, 1, 9, "A", "yes", "0.4200", "1.00"); /* and is stale with its gaps */
    state_is("A", KDP_BOOK_STATE_STALE);
}

/* ---- audits ---- */

static void
audited(const char *yes)
{
    answer(
        KDP_REST_AUDIT, 2, "/markets/orderbooks?tickers=A",
        "{'orderbooks':[{'ticker':'A','orderbook_fp':{'yes_dollars':%s,'no_dollars':[['0.5600','5.00']]}}]}",
        yes);
}

KDP_TEST(an_audit_agrees_with_any_book_since_its_timer)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00']]");
    timer(KDP_TIMER_AUDIT, market("A").instrument, 0);
    delta(1, 1, 2, "A", "yes", "0.4200", "1.00");
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    audited("[['0.4200','10.00']]"); /* REST lags by two messages */
    CHECK_INT(totals().audits, 1);
    CHECK_INT(totals().disagreements, 0);
    timer(KDP_TIMER_AUDIT, market("A").instrument, 0);
    audited("[['0.4200','10.00']]"); /* that was long ago */
    CHECK_INT(totals().disagreements, 1);
    audited("[['0.4200','99.00']]"); /* nobody asked */
    CHECK_INT(totals().audits, 2);
    again_is_the_same();
}

KDP_TEST(three_disagreements_in_a_row_are_drift)
{
    const struct kdp_state *state;
    const struct heard *h;

    listen_to_plant();
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00']]");
    for (unsigned i = 0; i < 5; i++) {
        timer(KDP_TIMER_AUDIT, market("A").instrument, 0);
        audited(i == 2 ? "[['0.4200','10.00']]"
                       : "[['0.4200','9.00']]"); /* the third agrees: from the start again */
        state_is("A", KDP_BOOK_STATE_LIVE);
        h = must_hear(KDP_NOTICE_AUDIT);
        CHECK_INT(h->notice.audit.agrees, i == 2);
        CHECK(!h->notice.audit.drift);
    }
    count_left(0);
    timer(KDP_TIMER_AUDIT, market("A").instrument, 0);
    audited("[['0.4200','9.00']]");
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_STALE);
    CHECK_INT(state->reason, KDP_REASON_DRIFT);
    CHECK(must_hear(KDP_NOTICE_AUDIT)->notice.audit.drift);
    CHECK_INT(totals().disagreements, 5);
    CHECK_INT(totals().drifts, 1);
    timer(KDP_TIMER_AUDIT, market("A").instrument, 0);
    audited("[['0.4200','9.00']]"); /* known to be wrong: no news */
    CHECK_INT(totals().disagreements, 5);
    snapshot(1, 1, 2, "A", "[['0.4200','9.00']]", "[['0.5600','5.00']]");
    state_is("A", KDP_BOOK_STATE_LIVE);
    again_is_the_same();
}

KDP_TEST(a_history_that_ran_over_proves_nothing)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "[['0.5600','5.00']]");
    timer(KDP_TIMER_AUDIT, market("A").instrument, 0);
    for (unsigned i = 0; i < 5000; i++)
        delta(1, 1, i + 2, "A", "yes", "0.4200", "1.00");
    audited("[['0.4200','10.00']]");
    CHECK_INT(totals().audits, 1);
    CHECK_INT(totals().disagreements, 0);
    CHECK_INT(counter("kalshi_book_audits_unknown_total"), 1);
}

KDP_TEST(more_audits_than_there_is_room_for_give_up_the_oldest)
{
    char ticker[16];

    begin();
    up(1);
    for (unsigned i = 0; i < 70; i++) {
        snprintf(ticker, sizeof ticker, "M%u", i);
        snapshot(1, 1, i + 1, ticker, "[['0.4200','10.00']]", "[['0.5600','5.00']]");
        timer(KDP_TIMER_AUDIT, market(ticker).instrument, 0);
    }
    CHECK_INT(counter("kalshi_book_audits_unknown_total"), 6);
    answer(KDP_REST_AUDIT, 2, "/markets/M0/orderbook",
           "{'orderbook_fp':{'yes_dollars':[['0.1000','1.00']]}}");
    CHECK_INT(totals().audits, 0);
    answer(KDP_REST_AUDIT, 2, "/markets/M69/orderbook",
           "{'orderbook_fp':{'yes_dollars':[['0.1000','1.00']]}}");
    CHECK_INT(totals().disagreements, 1);
}

/* ---- timers ---- */

KDP_TEST(our_own_timers_open_and_close_once_and_leave_the_book)
{
    const struct kdp_lifecycle *life;
    uint32_t id;

    begin();
    up(1);
    listed("A", "active", "");
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    id = market("A").instrument;
    count_left(0);
    timer(KDP_TIMER_OPEN, id, 0);
    life = must(KDP_TEMPLATE_LIFECYCLE);
    CHECK_INT(life->kind, KDP_LIFECYCLE_KIND_OPENED);
    CHECK_INT(life->head.origin, KDP_ORIGIN_TIMER);
    CHECK_INT(life->head.instrument, id);
    CHECK_INT(life->open_ns, INT64_C(1795176000) * KDP_NS_PER_S);
    timer(KDP_TIMER_CLOSE, id, 0);
    CHECK_INT(((const struct kdp_lifecycle *)must(KDP_TEMPLATE_LIFECYCLE))->kind, KDP_LIFECYCLE_KIND_CLOSED);
    timer(KDP_TIMER_CLOSE, id, 0);
    timer(KDP_TIMER_OPEN, id, 0);
    CHECK(next(KDP_TEMPLATE_LIFECYCLE) == NULL);
    state_is("A", KDP_BOOK_STATE_LIVE); /* orders are still cancelled */
    delta(1, 1, 2, "A", "yes", "0.4200", "-1.00");
    CHECK_INT(market("A").top.bid_size_e2, 900);
    frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'A','event_type':"
             "'close_date_updated','close_ts':1796155300}}");
    count_left(0);
    timer(KDP_TIMER_CLOSE, id, 0); /* the new time has come */
    CHECK_INT(((const struct kdp_lifecycle *)must(KDP_TEMPLATE_LIFECYCLE))->close_ns,
              INT64_C(1796155300) * KDP_NS_PER_S);
    again_is_the_same();
}

static void
plant_says(enum kdp_book_state state, enum kdp_reason reason, const char *words)
{
    const struct kdp_state *rec = must(KDP_TEMPLATE_STATE);
    char detail[256];

    CHECK_INT(rec->subject, KDP_SUBJECT_PLANT);
    CHECK_INT(rec->state, state);
    CHECK_INT(rec->reason, reason);
    CHECK_INT(rec->head.origin, KDP_ORIGIN_TIMER);
    snprintf(detail, sizeof detail, "%.*s", (int)kdpi_record_text(rec, 0).len, kdpi_record_text(rec, 0).data);
    CHECK_STR(detail, words);
}

KDP_TEST(pauses_clock_steps_and_waits_stand_in_the_stream)
{
    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    count_left(0);
    timer(KDP_TIMER_PAUSED, 0, UINT64_C(1795190400) * KDP_NS_PER_S);
    plant_says(KDP_BOOK_STATE_EXCHANGE_PAUSED, KDP_REASON_PAUSED,
               "trading is to resume at 2026-11-20T16:00:00Z");
    timer(KDP_TIMER_CLOCK_STEP, 0, (uint64_t)(-1500 * KDP_NS_PER_MS));
    plant_says(KDP_BOOK_STATE_EXCHANGE_PAUSED, KDP_REASON_CLOCK_STEP,
               "the wall clock was moved back by 1.500 s");
    timer(KDP_TIMER_RESUMED, 0, 0);
    plant_says(KDP_BOOK_STATE_LIVE, KDP_REASON_PAUSED, "trading has resumed");
    timer(KDP_TIMER_TAPE_WAITED, 0, (uint64_t)(3 * KDP_NS_PER_S));
    plant_says(KDP_BOOK_STATE_LIVE, KDP_REASON_DISK_FULL, "capture waited 3.0 s for the tape");
    timer(KDP_TIMER_PAUSED, 0, 0);
    plant_says(KDP_BOOK_STATE_EXCHANGE_PAUSED, KDP_REASON_PAUSED,
               "the exchange does not say when trading resumes");
    state_is("A", KDP_BOOK_STATE_LIVE);
    again_is_the_same();
}

KDP_TEST(a_store_that_was_too_slow_is_a_gap)
{
    const struct kdp_gap *gap;

    begin();
    timer(KDP_TIMER_RETENTION, 2, 4711);
    gap = must(KDP_TEMPLATE_GAP);
    CHECK_INT(gap->kind, KDP_GAP_KIND_RETENTION);
    CHECK_INT(gap->status, KDP_GAP_STATUS_LOST);
    CHECK_INT(gap->expected, 4711);
}

KDP_TEST(a_snapshot_that_was_asked_for_makes_a_stale_book_recovering)
{
    const struct kdp_state *state;

    begin();
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    timer(KDP_TIMER_RECOVERING, market("A").instrument, 0);
    state_is("A", KDP_BOOK_STATE_LIVE); /* nothing to recover */
    delta(1, 1, 3, "A", "yes", "0.4200", "1.00");
    count_left(0);
    timer(KDP_TIMER_RECOVERING, market("A").instrument, 0);
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_RECOVERING);
    CHECK_INT(state->reason, KDP_REASON_RECOVERY);
    delta(1, 1, 4, "A", "yes", "0.4200", "1.00");
    CHECK_INT(market("A").top.bid_size_e2, 1000); /* it takes no changes meanwhile */
    delta(1, 1, 6, "A", "yes", "0.4200", "1.00");
    state_is("A", KDP_BOOK_STATE_STALE); /* one more hole: what was asked for may be too old */
    snapshot(1, 1, 7, "A", "[['0.4200','3.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    CHECK_INT(totals().gaps_healed, 2);
    again_is_the_same();
}

/* ---- plans and the time books were not live ---- */

KDP_TEST(planned_books_and_the_time_they_were_not_live)
{
    begin();
    up(1);
    reload("+A\n+B\n+C");
    CHECK_INT(totals().planned, 3);
    CHECK_INT(totals().planned_live, 0);
    now += KDP_NS_PER_S;
    timer(KDP_TIMER_TICK, 0, 0);
    CHECK_INT(totals().stale_ns, 3 * (KDP_NS_PER_S + 1000));
    snapshot(1, 1, 1, "A", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 2, "B", "[['0.4200','10.00']]", "");
    snapshot(1, 1, 3, "D", "[['0.4200','10.00']]", ""); /* not planned: does not count */
    CHECK_INT(totals().planned_live, 2);
    reload("-C\n-NOBODY\n+A");
    CHECK_INT(totals().planned, 2);
    now += KDP_NS_PER_S;
    timer(KDP_TIMER_TICK, 0, 0);
    CHECK_INT(totals().planned_live, 2);
    {
        uint64_t before = totals().stale_ns;

        now += KDP_NS_PER_S;
        timer(KDP_TIMER_TICK, 0, 0);
        CHECK_INT(totals().stale_ns, before); /* all are live */
        delta(1, 1, 5, "A", "yes", "0.4200", "1.00");
        now += KDP_NS_PER_S;
        snapshot(1, 1, 6, "A", "[['0.4200','10.00']]", "");
        CHECK_INT(totals().stale_ns, before + 2 * (KDP_NS_PER_S + 1000)); /* up to the input that healed A */
        now -= 10 * KDP_NS_PER_S;
        timer(KDP_TIMER_TICK, 0, 0); /* a clock that goes back takes no time away, and B's goes on after it */
        CHECK_INT(totals().stale_ns, before + 2 * (KDP_NS_PER_S + 1000));
        now += 10 * KDP_NS_PER_S;
        frame(1, "{'type':'market_lifecycle_v2','sid':4,'seq':1,'msg':{'market_ticker':'B','event_type':"
                 "'determined','determination_ts':1796155300,'result':'yes'}}");
        before = totals().stale_ns;
        now += 10 * KDP_NS_PER_S;
        timer(KDP_TIMER_TICK, 0, 0);
        CHECK_INT(totals().stale_ns, before); /* what is closed is waited for no more */
    }
    CHECK_INT(totals().planned_live, 1);
    again_is_the_same();
}

KDP_TEST(rules_stand_in_the_stream_and_a_clock_known_to_be_wrong_is_flagged)
{
    const struct kdp_state *state;

    begin();
    count_left(0);
    input_flags = KDP_INPUT_CLOCK_OFF;
    reload("rules series KXA; tickers *-T5\nnonsense\n");
    input_flags = 0;
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->subject, KDP_SUBJECT_PLANT);
    CHECK_MEM(kdpi_record_text(state, 0).data, "rules series KXA; tickers *-T5", 30);
    CHECK((state->head.flags & KDP_FLAGS_BAD_TS_RECV) != 0);
    CHECK_INT(counter("kalshi_inputs_ignored_total"), 1);
    reload("+A");
    CHECK_INT(((const struct kdp_head *)must(KDP_TEMPLATE_DEFINITION))->flags & KDP_FLAGS_BAD_TS_RECV, 0);
}
