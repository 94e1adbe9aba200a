/* test_plant_sample.c - what a run without a key writes: trades that were polled, books and prices that were looked at. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "plant_fixture.h"

#define ID(n) "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d" n
#define S KDP_NS_PER_S

static void
sample(const char *ticker, const char *yes, const char *no)
{
    answer(KDP_REST_SAMPLE, 1, "/markets/orderbooks?tickers=A&tickers=B",
           "{'orderbooks':[{'ticker':'%s','orderbook_fp':{'yes_dollars':%s,'no_dollars':%s}}]}", ticker, yes,
           no);
}

static void
quote(const char *ticker, const char *status, const char *bid)
{
    answer(KDP_REST_QUOTES, 2, "/markets?limit=1000&tickers=A",
           "{'markets':[{'ticker':'%s','event_ticker':'E','status':'%s','open_time':'2026-11-20T12:00:00Z',"
           "'close_time':'2026-12-01T20:00:00Z','yes_bid_dollars':'%s','yes_ask_dollars':'0.4400',"
           "'yes_bid_size_fp':'12.50','yes_ask_size_fp':'3.00','last_price_dollars':'0.4300',"
           "'volume_fp':'100.00','volume_24h_fp':'50.00','open_interest_fp':'7.00'}],'cursor':''}",
           ticker, status, bid);
}

static void
keyless(const char *more)
{
    char text[128];

    snprintf(text, sizeof text, "rules all open ordinary markets\nall\nkeyless\n%s", more);
    reload(text);
}

KDP_TEST(a_sample_is_a_snapshot_and_no_best_price)
{
    const struct kdp_book_snapshot *snap;
    const struct kdp_state *state;
    struct kdp_plant_market m;
    uint64_t hash;

    begin();
    keyless("+A");
    CHECK_INT(totals().planned_stale, 1);
    count_left(0);
    sample("A", "[['0.4200','10.00'],['0.4300','2.00']]", "[['0.5600','4.00']]");
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_SAMPLED);
    CHECK_INT(state->reason, KDP_REASON_SAMPLE);
    CHECK_INT(state->head.origin, KDP_ORIGIN_REST_SAMPLE);
    snap = must(KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK_INT(snap->reason, KDP_REASON_SAMPLE);
    CHECK_INT(snap->book_state, KDP_BOOK_STATE_SAMPLED);
    CHECK_INT(snap->head.origin, KDP_ORIGIN_REST_SAMPLE);
    CHECK_INT(snap->head.flags & KDP_FLAGS_MAYBE_BAD_BOOK, 0);
    CHECK_INT(snap->head.exch_ns, KDP_TIME_NULL);
    CHECK_INT(snap->levels_total, 3);
    hash = snap->book_hash;
    CHECK(next(0) == NULL);
    m = market("A");
    CHECK_INT(m.state, KDP_BOOK_STATE_SAMPLED);
    CHECK_INT(m.top.bid_e4, 4300);
    CHECK_INT(m.top.ask_e4, 4400); /* NO at 0.56 */
    CHECK_INT(totals().planned_sampled, 1);
    CHECK_INT(totals().planned_stale, 0);
    CHECK_INT(totals().planned_live, 0);
    /* the same again says nothing */
    sample("A", "[['0.4300','2.00'],['0.4200','10.00']]", "[['0.5600','4.00']]");
    CHECK(next(0) == NULL);
    sample("A", "[['0.4300','2.00']]", "[['0.5600','4.00']]");
    snap = must(0);
    CHECK_INT(snap->head.template_id, KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK_INT(snap->levels_total, 2);
    CHECK(snap->book_hash != hash);
    CHECK(next(0) == NULL);
    CHECK_INT(totals().records_by_template[KDP_TEMPLATE_BBO], 0);
    CHECK_INT(totals().records_by_template[KDP_TEMPLATE_LEVEL], 0);
    again_is_the_same();
}

KDP_TEST(an_empty_sample_is_an_empty_book_and_one_book_alone_is_named_by_its_path)
{
    const struct kdp_book_snapshot *snap;

    begin();
    keyless("+A");
    answer(KDP_REST_SAMPLE, 3, "/markets/A/orderbook",
           "{'orderbook_fp':{'yes_dollars':[['0.4200','1.00']],'no_dollars':[]}}");
    CHECK_INT(((const struct kdp_book_snapshot *)must(KDP_TEMPLATE_BOOK_SNAPSHOT))->levels_total, 1);
    sample("A", "null", "[]");
    snap = must(KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK_INT(snap->levels_total, 0);
    CHECK_INT(snap->book_hash, 0);
    state_is("A", KDP_BOOK_STATE_SAMPLED);
    again_is_the_same();
}

KDP_TEST(a_sample_that_is_too_old_is_stale)
{
    const struct kdp_state *state;

    begin();
    keyless("+A\n+B");
    sample("A", "[['0.4200','10.00']]", "[]");
    now += 60 * S;
    sample("B", "[['0.4200','10.00']]", "[]");
    timer(KDP_TIMER_TICK, 0, 0);
    state_is("A", KDP_BOOK_STATE_SAMPLED);
    now += 31 * S;
    count_left(0);
    timer(KDP_TIMER_TICK, 0, 0);
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_STALE);
    CHECK_INT(state->reason, KDP_REASON_SAMPLE);
    state_is("A", KDP_BOOK_STATE_STALE);
    state_is("B", KDP_BOOK_STATE_SAMPLED); /* looked at since */
    CHECK_INT(totals().planned_stale, 1);
    sample("B", "[['0.4200','10.00']]", "[]"); /* unchanged: it counts as looked at all the same */
    now += 80 * S;
    timer(KDP_TIMER_TICK, 0, 0);
    state_is("B", KDP_BOOK_STATE_SAMPLED);
    count_left(0);
    sample("A", "[['0.4200','10.00']]", "[]"); /* as before, and told anew: it was stale */
    CHECK_INT(((const struct kdp_state *)must(KDP_TEMPLATE_STATE))->state, KDP_BOOK_STATE_SAMPLED);
    must(KDP_TEMPLATE_BOOK_SNAPSHOT);
    again_is_the_same();
}

KDP_TEST(a_book_that_is_wanted_no_more_is_no_sample)
{
    begin();
    keyless("+A\n+B");
    sample("A", "[['0.4200','10.00']]", "[]");
    sample("B", "[['0.4200','10.00']]", "[]");
    reload("-A");
    state_is("A", KDP_BOOK_STATE_STALE);
    CHECK_INT(totals().planned, 1);
    CHECK_INT(totals().planned_sampled, 1);
    count_left(0);
    sample("A", "[['0.4300','10.00']]", "[]"); /* an answer under way */
    CHECK(next(0) == NULL);
    state_is("A", KDP_BOOK_STATE_STALE);
    again_is_the_same();
}

KDP_TEST(a_market_that_ended_is_closed_and_a_cached_book_of_before_does_not_open_it)
{
    begin();
    keyless("+A");
    quote("A", "active", "0.4200");
    sample("A", "[['0.4200','10.00']]", "[]");
    quote("A", "closed", "0.4200");
    state_is("A", KDP_BOOK_STATE_CLOSED);
    count_left(0);
    sample("A", "[['0.4200','9.00']]", "[]");
    CHECK(next(0) == NULL);
    state_is("A", KDP_BOOK_STATE_CLOSED);
    quote("A", "active", "0.4200"); /* its close was moved */
    sample("A", "[['0.4200','9.00']]", "[]");
    state_is("A", KDP_BOOK_STATE_SAMPLED);
    quote("A", "determined", "0.0000");
    state_is("A", KDP_BOOK_STATE_CLOSED);
    again_is_the_same();
}

KDP_TEST(a_day_begins_with_every_sampled_book)
{
    const struct kdp_book_snapshot *snap;

    begin();
    keyless("+A");
    sample("A", "[['0.4200','10.00']]", "[]");
    count_left(0);
    now += KDP_NS_PER_DAY;
    timer(KDP_TIMER_OPEN, 999, 0); /* any input */
    timer(KDP_TIMER_OPEN, 999, 0);
    must(KDP_TEMPLATE_DEFINITION);
    snap = must(KDP_TEMPLATE_BOOK_SNAPSHOT);
    CHECK_INT(snap->reason, KDP_REASON_DAY);
    CHECK_INT(snap->head.origin, KDP_ORIGIN_REST_SAMPLE);
    CHECK_INT(snap->book_state, KDP_BOOK_STATE_SAMPLED);
    again_is_the_same();
}

KDP_TEST(prices_of_a_listing_are_a_ticker_when_they_changed)
{
    const struct kdp_ticker *rec;
    const struct heard *h;

    listen_to_plant();
    begin();
    keyless("+A");
    quote("A", "active", "0.4200");
    rec = must(KDP_TEMPLATE_TICKER);
    CHECK_INT(rec->head.origin, KDP_ORIGIN_REST_SAMPLE);
    CHECK_INT(rec->head.exch_ns, KDP_TIME_NULL);
    CHECK_INT(rec->bid_e4, 4200);
    CHECK_INT(rec->ask_e4, 4400);
    CHECK_INT(rec->bid_size_e2, 1250);
    CHECK_INT(rec->price_e4, 4300);
    CHECK_INT(rec->volume_e2, 10000);
    CHECK_INT(rec->open_interest_e2, 700);
    h = must_hear(KDP_NOTICE_MARKET);
    CHECK(h->notice.market.listed && h->notice.market.quoted);
    quote("A", "active", "0.4200");
    CHECK(next(0) == NULL);
    quote("A", "active", "0.4100");
    CHECK_INT(((const struct kdp_ticker *)must(KDP_TEMPLATE_TICKER))->bid_e4, 4100);
    quote("B", "active", "0.4100"); /* a listing's market that nobody chose */
    CHECK(next(KDP_TEMPLATE_TICKER) == NULL);
    again_is_the_same();
}

#define TRADE(id, ticker, time)                                                             \
    "{'trade_id':'" ID(id) "','ticker':'" ticker "','created_time':'2026-11-20T14:03:" time \
                           "Z','count_fp':'1.00','yes_price_dollars':'0.4400','taker_outcome_side':'no'}"

KDP_TEST(polled_trades_are_of_all_markets_once_and_not_recovered)
{
    const struct kdp_trade *rec;
    const struct heard *h;

    listen_to_plant();
    begin();
    reload("rules series KXA\nall\nkeyless\n+A");
    answer(KDP_REST_POLL, 1, "/markets/trades?limit=1000",
           "{'trades':[" TRADE("12", "Z", "09.5") "," TRADE("11", "A", "08.5") "],'cursor':'c'}");
    rec = must(KDP_TEMPLATE_TRADE);
    CHECK_INT(rec->trade_id[15], 0x11);
    CHECK_INT(rec->head.origin, KDP_ORIGIN_POLL);
    must(KDP_TEMPLATE_TRADE); /* of a market that no rule names */
    CHECK_INT(totals().trades_recovered, 0);
    CHECK_INT(counter("kalshi_trades_recovered_total"), 0);
    h = must_hear(KDP_NOTICE_TRADE);
    CHECK_INT(h->notice.line, 0);
    CHECK_INT(h->notice.trade.exch_ns, INT64_C(1795183388500000000));
    must_hear(KDP_NOTICE_TRADE);
    h = must_hear(KDP_NOTICE_REST);
    CHECK_INT(h->notice.rest.fresh, 2);
    answer(KDP_REST_POLL, 2, "/markets/trades?limit=1000",
           "{'trades':[" TRADE("12", "Z", "09.5") "," TRADE("10", "A", "07.5") "],'cursor':''}");
    CHECK_INT(((const struct kdp_trade *)must(KDP_TEMPLATE_TRADE))->trade_id[15], 0x10);
    CHECK_INT(must_hear(KDP_NOTICE_REST)->notice.rest.fresh, 1);
    CHECK_INT(counter("kalshi_trade_repeats_total"), 0); /* pages overlap on purpose */
    CHECK_INT(market("A").trades, 2);
    again_is_the_same();
}

/* ---- from one kind of run to the other, in one folder ---- */

KDP_TEST(what_is_not_verified_for_long_is_a_gap_from_then_on)
{
    const struct kdp_gap *gap;
    int64_t since;

    begin();
    keyless("+A");
    since = now;
    now += 90 * S;
    count_left(0);
    timer(KDP_TIMER_TRADES_BEHIND, 0, (uint64_t)since);
    gap = must(KDP_TEMPLATE_GAP);
    CHECK_INT(gap->kind, KDP_GAP_KIND_TRADES);
    CHECK_INT(gap->status, KDP_GAP_STATUS_OPEN);
    CHECK_INT(gap->opened_ns, since);
    timer(KDP_TIMER_TRADES_HEALED, 0,
          (uint64_t)since + 60 * S); /* of an older one: this one was learnt of later */
    count_left(0);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    gap = must(KDP_TEMPLATE_GAP);
    CHECK_INT(gap->status, KDP_GAP_STATUS_HEALED);
    CHECK_INT(gap->opened_ns, since);
    timer(KDP_TIMER_TRADES_BEHIND, 0, UINT64_MAX); /* of no raw tape of ours */
    CHECK_INT(((const struct kdp_gap *)must(KDP_TEMPLATE_GAP))->opened_ns, now - 1000);
    again_is_the_same();
}

KDP_TEST(the_end_and_a_restart_say_that_no_sample_is_current)
{
    const struct kdp_state *state;
    const struct kdp_gap *gap;
    int64_t ended;

    listen_to_plant();
    begin();
    keyless("+A\n+B");
    sample("A", "[['0.4200','10.00']]", "[]");
    sample("B", "[['0.4200','10.00']]", "[]");
    reload("-B");
    count_left(0);
    input(KDP_INPUT_STOP, 0, "", 0);
    state = must(KDP_TEMPLATE_STATE);
    CHECK_INT(state->state, KDP_BOOK_STATE_STALE);
    CHECK_INT(state->reason, KDP_REASON_INPUT);
    CHECK(next(0) == NULL);
    ended = now;
    now += 60 * S;
    restart(0, ended);
    count_left(0);
    keyless("+A");
    gap = must(KDP_TEMPLATE_GAP); /* what was traded in the pause is not here yet */
    CHECK_INT(gap->kind, KDP_GAP_KIND_TRADES);
    CHECK_INT(gap->status, KDP_GAP_STATUS_OPEN);
    CHECK_INT(gap->opened_ns, ended);
    keyless("");
    CHECK(next(KDP_TEMPLATE_GAP) == NULL); /* once */
    sample("A", "[['0.4200','10.00']]", "[]");
    state_is("A", KDP_BOOK_STATE_SAMPLED);
    timer(KDP_TIMER_TRADES_HEALED, 0, (uint64_t)now);
    gap = must(KDP_TEMPLATE_GAP);
    CHECK_INT(gap->status, KDP_GAP_STATUS_HEALED);
    CHECK_INT(gap->healed_by, KDP_HEALED_BY_REST);
}

KDP_TEST(a_killed_run_leaves_no_sample_behind_and_a_key_makes_it_live)
{
    const struct kdp_state *state;
    int64_t ended;

    listen_to_plant();
    begin();
    keyless("+A");
    sample("A", "[['0.4200','10.00']]", "[]");
    ended = now;
    now += S;
    restart(KDP_START_KILLED, ended);
    must(KDP_TEMPLATE_STATE);         /* the plant's */
    state = must(KDP_TEMPLATE_STATE); /* the book's */
    CHECK_INT(state->state, KDP_BOOK_STATE_STALE);
    CHECK_INT(state->reason, KDP_REASON_RESTART);
    reload("all\n+A");
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4300','1.00']]", "");
    state_is("A", KDP_BOOK_STATE_LIVE);
    must(KDP_TEMPLATE_BBO);
    count_left(0);
    sample("A", "[['0.1000','1.00']]", "[]"); /* live wins */
    CHECK(next(0) == NULL);
    delta(1, 1, 2, "A", "yes", "0.4300", "1.00");
    CHECK_INT(((const struct kdp_level *)must(KDP_TEMPLATE_LEVEL))->size_e2, 200);
}

KDP_TEST(a_live_book_of_before_is_stale_and_then_sampled)
{
    int64_t ended;

    listen_to_plant();
    begin();
    reload("all\n+A");
    up(1);
    snapshot(1, 1, 1, "A", "[['0.4300','1.00']]", "");
    ended = now;
    now += S;
    restart(KDP_START_KILLED, ended);
    state_is("A", KDP_BOOK_STATE_STALE);
    keyless("+A");
    sample("A", "[['0.4200','10.00']]", "[]");
    state_is("A", KDP_BOOK_STATE_SAMPLED);
    delta(1, 1, 2, "A", "yes", "0.4300", "1.00"); /* of no line that owns it */
    state_is("A", KDP_BOOK_STATE_SAMPLED);
}

KDP_TEST(a_sample_that_cannot_be_read_leaves_no_wrong_book)
{
    begin();
    keyless("+A");
    sample("A", "[['0.4200','10.00']]", "[]");
    count_left(0);
    sample("A", "[['0.42001','10.00']]", "[]"); /* finer than any price: dropped, and counted */
    CHECK(next(KDP_TEMPLATE_BOOK_SNAPSHOT) == NULL);
    CHECK(counter("kalshi_malformed_frames_total") > 0);
    answer(KDP_REST_SAMPLE, 1, "/markets/orderbooks?tickers=A", "{'orderbooks':[{'ticker':");
    CHECK(next(0) == NULL);
    again_is_the_same();
}
