/* test_backfill.c - past trades: whatever the pages are like, what is said to be whole is whole, and all of it is in the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backfill_proof.h"
#include "clock.h"
#include "kdp/records.h"
#include "kdp_test.h"
#include "past_model.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define START_US (INT64_C(20000) * DAY_US)
#define END_US (START_US + 30 * DAY_US)
#define START_NS (START_US * PAST_US)
#define END_NS (END_US * PAST_US)

static struct past past;

static struct kdp_backfill *
driver(unsigned parallel, unsigned page)
{
    struct kdp_backfill_config config = {.sink = past_sink(&past), .parallel = parallel, .page = page};
    struct kdp_backfill *backfill;

    CHECK_INT(kdp_backfill_open(&backfill, &config), 0);
    kdp_backfill_cutoff(backfill, past.cutoff_us * PAST_US);
    return backfill;
}

static struct kdp_backfill_stats
stats(const struct kdp_backfill *backfill)
{
    struct kdp_backfill_stats out;

    kdp_backfill_stats(backfill, &out);
    return out;
}

static void
whole(unsigned market)
{
    CHECK_INT(past_missing(&past, market, START_NS, END_NS), 0);
    CHECK(past_covered(&past, market, START_NS, END_NS));
}

/* Everything of all markets, from nothing; the stats. */
static struct kdp_backfill_stats
fetch_all(unsigned parallel, unsigned page)
{
    struct kdp_backfill *backfill = driver(parallel, page);
    struct kdp_backfill_stats out;

    CHECK_INT(past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS), 1);
    CHECK(past_run(&past, backfill, parallel, 7, 0));
    whole(PAST_MARKETS);
    out = stats(backfill);
    kdp_backfill_close(backfill);
    return out;
}

static struct kdp_backfill_stats
fetch_one(unsigned market)
{
    struct kdp_backfill *backfill = driver(4, 50);
    struct kdp_backfill_stats out;

    CHECK_INT(past_add(&past, backfill, market, START_NS, END_NS), 1);
    CHECK(past_run(&past, backfill, 4, 7, 0));
    whole(market);
    out = stats(backfill);
    kdp_backfill_close(backfill);
    return out;
}

KDP_TEST(every_trade_of_both_tiers_comes_and_each_tier_is_asked_for_its_own)
{
    past_make(&past, kdp_test_seed(), 5000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    fetch_all(4, 100);
    CHECK_INT(past.twice_given, 0); /* neither by pages nor by tiers */
    CHECK(past.asked < 5000 / 100 + 40);
    CHECK(past.asked_historical > 20 && past.asked_historical < 40);
}

KDP_TEST(what_lies_far_from_the_cutoff_is_asked_for_in_one_tier)
{
    past_make(&past, kdp_test_seed(), 100, START_US, END_US);
    past.cutoff_us = END_US + 3 * DAY_US;
    fetch_one(0);
    CHECK_INT(past.asked, past.asked_historical);
    CHECK_INT(past.asked_cutoff, 0);
    past_make(&past, kdp_test_seed(), 100, START_US, END_US);
    past.cutoff_us = START_US - 3 * DAY_US;
    fetch_one(0);
    CHECK_INT(past.asked_historical, 0);
    CHECK(past.asked_cutoff > 0); /* live alone counts only when the cutoff is where it was */
}

KDP_TEST(an_unknown_cutoff_asks_both_tiers)
{
    struct kdp_backfill *backfill;

    past_make(&past, kdp_test_seed(), 2000, START_US, END_US);
    past.cutoff_us = START_US + 11 * DAY_US;
    backfill = driver(3, 100);
    kdp_backfill_cutoff(backfill, KDP_TIME_NULL);
    past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
    CHECK(past_run(&past, backfill, 3, 5, 0));
    whole(PAST_MARKETS);
    kdp_backfill_close(backfill);
}

KDP_TEST(trades_of_one_microsecond_stay_together_at_the_border_of_pages)
{
    past_make(&past, kdp_test_seed(), 600, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    for (unsigned i = 0; i < past.count; i++) /* 25 of each instant, 10 on a page */
        past.trades[i].us = START_US + i / 25 * DAY_US;
    past.limit = 10;
    fetch_all(1, 10);
    past_make(&past, kdp_test_seed(), 600, START_US, END_US);
    past.cutoff_us = START_US - 9 * DAY_US;
    for (unsigned i = 0; i < past.count; i++)
        past.trades[i].us = START_US + i / 25 * DAY_US;
    past.limit = 10;
    fetch_all(3, 10);
}

KDP_TEST(a_cutoff_that_moves_over_the_windows_loses_nothing)
{
    uint64_t seed = kdp_test_seed();

    for (unsigned round = 0; round < 30; round++) {
        struct kdp_backfill_stats out;

        past_make(&past, seed + round, 3000, START_US, END_US);
        past.cutoff_us = START_US - 2 * DAY_US;
        past.cutoff_step_us = DAY_US / (4 + round);
        out = fetch_all(1 + round % 5, 100);
        if (round == 0)
            CHECK(out.moved > 0);
    }
}

KDP_TEST(a_capped_or_killed_run_goes_on_below_what_is_whole)
{
    unsigned asked, lives = 0;

    past_make(&past, kdp_test_seed(), 8000, START_US, END_US);
    past.cutoff_us = START_US + 10 * DAY_US;
    for (;; lives++) {
        struct kdp_backfill *backfill = driver(2, 50);
        bool done;

        past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
        done = past_run(&past, backfill, 2, 4, 20); /* of 160 pages, twenty each time */
        kdp_backfill_close(backfill);
        past_kill(&past);
        if (done)
            break;
        CHECK(lives < 200);
    }
    whole(PAST_MARKETS);
    asked = past.asked;
    CHECK(lives >= 8);
    CHECK(asked < 160 * 2); /* nothing is begun anew each time */
}

KDP_TEST(a_cursor_that_leads_nowhere_is_left)
{
    struct kdp_backfill_stats out;

    past_make(&past, kdp_test_seed(), 4000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.loops = 5;
    out = fetch_all(3, 50);
    CHECK(out.looped >= 5);
    past_make(&past, kdp_test_seed(), 4000, START_US, END_US);
    past.refused_cursors = 5;
    out = fetch_all(3, 50);
    CHECK_INT(out.looped, 5);
}

KDP_TEST(a_404_behind_a_cursor_is_no_end_and_of_all_markets_no_answer)
{
    static const int statuses[] = {404, 410, 422};
    struct kdp_backfill *backfill;

    for (unsigned i = 0; i < 3; i++) {
        past_make(&past, kdp_test_seed(), 4000, START_US, END_US);
        past.cutoff_us = START_US + 15 * DAY_US;
        past.refused_cursors = 5;
        past.cursor_status = statuses[i];
        CHECK_INT(fetch_all(3, 50).looped, 5);
        past_make(&past, kdp_test_seed(), 4000, START_US, END_US);
        past.refused_cursors = 5;
        past.cursor_status = statuses[i];
        CHECK_INT(fetch_one(1).looped, 5);
    }
    /* an address where nothing is */
    past_make(&past, kdp_test_seed(), 400, START_US, END_US);
    past.dead = UINT32_MAX;
    past.dead_status = 404;
    backfill = driver(2, 50);
    kdp_backfill_cutoff(backfill, KDP_TIME_NULL);
    past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
    CHECK(past_run(&past, backfill, 2, 0, 0));
    CHECK(!past_covered(&past, PAST_MARKETS, START_NS, END_NS));
    CHECK_INT(past.said_count, 0);
    kdp_backfill_close(backfill);
}

KDP_TEST(pages_that_never_go_on_are_given_up_and_named)
{
    struct kdp_backfill *backfill;
    const char *scope, *why;
    int64_t start_ns, end_ns;

    past_make(&past, kdp_test_seed(), 500, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    for (unsigned i = 0; i < past.count; i++)
        past.trades[i].us = START_US + 5 * DAY_US; /* one instant, so that nothing moves on */
    past.refused_cursors = 1000;
    backfill = driver(2, 50);
    past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
    CHECK(past_run(&past, backfill, 2, 0, 0));
    CHECK(kdp_backfill_given_up(backfill, 0, &scope, &start_ns, &end_ns, &why));
    CHECK_STR(scope, "*");
    CHECK_STR(why, "its cursor is refused");
    CHECK(!past_covered(&past, PAST_MARKETS, START_NS, END_NS));
    CHECK(past.asked < 20);
    kdp_backfill_close(backfill);
}

KDP_TEST(empty_pages_with_a_cursor_are_gone_through)
{
    past_make(&past, kdp_test_seed(), 2000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.empty = 20;
    fetch_all(3, 50);
    CHECK_INT(past.empty, 0);
}

KDP_TEST(a_full_page_that_says_it_is_the_last_is_not_believed)
{
    struct kdp_backfill *backfill;
    const char *scope, *why;
    int64_t start_ns, end_ns;

    past_make(&past, kdp_test_seed(), 2000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.no_cursors = true;
    fetch_all(3, 100);
    /* more of one instant than a page holds, and no way to the rest: not whole */
    for (unsigned i = 1000; i < 1150; i++)
        past.trades[i].us = past.trades[1000].us;
    memset(past.given, 0, sizeof past.given);
    past.said_count = past.sure_count = 0;
    backfill = driver(3, 100);
    past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
    CHECK(past_run(&past, backfill, 3, 7, 0));
    CHECK(kdp_backfill_given_up(backfill, 0, &scope, &start_ns, &end_ns, &why));
    CHECK_STR(why, "more trades at a time than a page holds, and no cursor");
    CHECK(!past_covered(&past, PAST_MARKETS, START_NS, END_NS));
    kdp_backfill_close(backfill);
}

KDP_TEST(a_body_cut_short_is_asked_for_again_and_gives_nothing)
{
    struct kdp_backfill_stats out;

    past_make(&past, kdp_test_seed(), 2000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.cut = 25;
    out = fetch_all(3, 50);
    CHECK_INT(past.cut, 0);
    CHECK_INT(past.twice_given, 0);
    CHECK_INT(out.refused, 0);
}

KDP_TEST(pages_that_are_not_newest_first_count_only_when_all_are_read)
{
    struct kdp_backfill_stats out;

    past_make(&past, kdp_test_seed(), 3000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.oldest_first = true;
    past.lenient = true;
    out = fetch_all(3, 50);
    CHECK(out.unordered > 0);
    past_make(&past, kdp_test_seed(), 3000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.mixed = 4;
    past.lenient = true;
    fetch_all(3, 50);
}

KDP_TEST(windows_said_before_a_page_came_out_of_order_are_taken_back)
{
    struct kdp_backfill *backfill;

    past_make(&past, kdp_test_seed(), 3000, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    backfill = driver(1, 50);
    past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
    CHECK(!past_run(&past, backfill, 1, 3, 12));
    CHECK(past.sure_count > 0 && past.forgotten == 0);
    past.mixed = 1;
    past.lenient = true;
    CHECK(past_run(&past, backfill, 1, 3, 0));
    CHECK(past.forgotten > 0);
    whole(PAST_MARKETS);
    kdp_backfill_close(backfill);
}

KDP_TEST(an_exchange_that_refuses_or_ignores_min_ts_is_read_without)
{
    struct kdp_backfill_stats out;

    past_make(&past, kdp_test_seed(), 3000, START_US - 30 * DAY_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.refuse_min = true;
    out = fetch_one(1);
    CHECK_INT(out.unfiltered, 1);
    CHECK_INT(out.given, 3000 - past_missing(&past, PAST_MARKETS, 0, INT64_MAX));
    past_make(&past, kdp_test_seed(), 3000, START_US - 30 * DAY_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.ignore_min = true;
    out = fetch_one(1);
    CHECK(out.outside > 0);
    CHECK(past.asked < 3000 / 50);
}

KDP_TEST(trades_that_were_not_asked_for_are_left_out_and_counted)
{
    struct kdp_backfill_stats out;

    past_make(&past, kdp_test_seed(), 2000, START_US, END_US);
    past.cutoff_us = START_US + 15 * DAY_US;
    past.strays = past.strangers = past.twice = true;
    out = fetch_one(2);
    CHECK(out.outside > 5 && out.strange > 5);
    fetch_all(3, 50);
}

KDP_TEST(a_page_of_another_market_says_nothing_of_this_one)
{
    struct kdp_backfill_stats out;

    past_make(&past, kdp_test_seed(), 2000, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    past.foreign = 6;
    out = fetch_one(2);
    CHECK_INT(past.foreign, 0);
    CHECK(out.strange > 0);
}

KDP_TEST(where_a_trade_cannot_be_kept_nothing_is_said_to_be_whole)
{
    for (unsigned tier = 0; tier < 3; tier++) {
        struct kdp_backfill *backfill;
        const char *scope, *why;
        int64_t start_ns, end_ns;
        unsigned open = 0;

        past_make(&past, kdp_test_seed(), 8000, START_US, END_US);
        past.cutoff_us = tier == 0   ? START_US - 9 * DAY_US
                         : tier == 1 ? END_US + 9 * DAY_US
                                     : START_US + 15 * DAY_US;
        past.poison = 4001;
        backfill = driver(2, 50);
        past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
        CHECK(past_run(&past, backfill, 2, 7, 0));
        CHECK(stats(backfill).refused > 0);
        CHECK_INT(past_missing(&past, PAST_MARKETS, START_NS, END_NS), 1);
        CHECK(!past_covered(&past, PAST_MARKETS, START_NS, END_NS));
        CHECK(kdp_backfill_given_up(backfill, 0, &scope, &start_ns, &end_ns, &why));
        CHECK_STR(why, "some of its trades cannot be kept");
        CHECK(start_ns <= past.trades[4001].us * PAST_US && end_ns > past.trades[4001].us * PAST_US);
        /* the rest is whole: a few pages around it are not */
        for (unsigned i = 0; i < past.count; i++)
            open += !past_covered(&past, PAST_MARKETS, past.trades[i].us * PAST_US,
                                  past.trades[i].us * PAST_US + 1);
        CHECK(open >= 1 && open < 1000);
        kdp_backfill_close(backfill);
    }
}

KDP_TEST(an_idle_place_takes_the_older_half_of_the_longest_chain)
{
    struct kdp_backfill *backfill;
    char path[KDPI_BACKFILL_PATH];
    uint64_t requests[8];
    unsigned most = 0;

    past_make(&past, kdp_test_seed(), 4000, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    backfill = driver(6, 50);
    past_add(&past, backfill, PAST_MARKETS, START_NS, END_NS);
    CHECK(!past_run(&past, backfill, 6, 0, 8));
    while (most < 8 && kdp_backfill_next(backfill, &requests[most], path))
        most++;
    CHECK(most > 0);
    kdp_backfill_close(backfill);
    past_make(&past, kdp_test_seed(), 4000, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    fetch_all(6, 50);
    CHECK(past.asked < 4000 / 50 + 30); /* it costs little */
}

KDP_TEST(a_refused_request_gives_its_range_up_and_the_others_go_on)
{
    struct kdp_backfill *backfill;
    const char *scope, *why;
    int64_t start_ns, end_ns;

    past_make(&past, kdp_test_seed(), 800, START_US, END_US);
    past.cutoff_us = END_US + 9 * DAY_US;
    past.dead = 1;
    backfill = driver(1, 100);
    past_add(&past, backfill, 0, START_NS, END_NS);
    past_add(&past, backfill, 1, START_NS, END_NS);
    CHECK(past_run(&past, backfill, 1, 0, 0));
    CHECK(kdp_backfill_given_up(backfill, 0, &scope, &start_ns, &end_ns, &why));
    CHECK_STR(scope, "KXPAST-0");
    CHECK_INT(start_ns, START_NS);
    CHECK_INT(end_ns, END_NS);
    CHECK(!kdp_backfill_given_up(backfill, 1, &scope, &start_ns, &end_ns, &why));
    whole(1);
    CHECK(!past_covered(&past, 0, START_NS, END_NS));
    kdp_backfill_close(backfill);
}

KDP_TEST(an_answer_to_nothing_is_nothing)
{
    struct kdp_backfill *backfill;

    past_make(&past, kdp_test_seed(), 10, START_US, END_US);
    backfill = driver(1, 100);
    CHECK_INT(kdp_backfill_answer(backfill, 4711, 200, "{", 1, 0), KDP_BACKFILL_TAKEN);
    kdp_backfill_failed(backfill, 4711);
    kdp_backfill_failed(backfill, UINT64_MAX);
    CHECK(kdp_backfill_done(backfill));
    kdp_backfill_close(backfill);
}

/* Anything at once, killed now and then: windows that are said are whole at every moment (past_model.c looks), and in the end all
 * is there. */
KDP_TEST(any_mix_of_faults_and_kills_is_survived)
{
    uint64_t seed = kdp_test_seed();

    for (unsigned round = 0; round < 60; round++) {
        uint64_t random = seed + round * 977;
        unsigned market = kdp_test_random(&random) % 3 == 0
                              ? (unsigned)(kdp_test_random(&random) % PAST_MARKETS)
                              : PAST_MARKETS;
        unsigned lives = 0;

        past_make(&past, random, 1 + (unsigned)(kdp_test_random(&random) % 3000), START_US - DAY_US,
                  END_US + DAY_US);
        past.cutoff_us = START_US + (int64_t)(kdp_test_random(&random) % 40) * DAY_US - 5 * DAY_US;
        if (kdp_test_random(&random) % 2 == 0)
            past.cutoff_step_us = (int64_t)(kdp_test_random(&random) % (uint64_t)(DAY_US / 2));
        past.refuse_min = kdp_test_random(&random) % 4 == 0;
        past.ignore_min = kdp_test_random(&random) % 4 == 0;
        past.no_cursors = kdp_test_random(&random) % 8 == 0;
        past.twice = kdp_test_random(&random) % 4 == 0;
        past.strays = kdp_test_random(&random) % 4 == 0 && !past.no_cursors;
        past.loops = (unsigned)(kdp_test_random(&random) % 4);
        past.cut = (unsigned)(kdp_test_random(&random) % 8);
        past.empty = past.no_cursors ? 0 : (unsigned)(kdp_test_random(&random) % 8); /* else it would lie */
        past.refused_cursors = (unsigned)(kdp_test_random(&random) % 3);
        if (kdp_test_random(&random) % 8 == 0) {
            past.oldest_first = true;
            past.lenient = true;
            past.no_cursors = false;
        }
        for (;; lives++) {
            unsigned parallel = 1 + (unsigned)(kdp_test_random(&random) % 8);
            struct kdp_backfill *backfill = driver(parallel, 100);
            unsigned steps = lives < 30 ? 5 + (unsigned)(kdp_test_random(&random) % 60) : 0;
            bool done;

            past_add(&past, backfill, market, START_NS, END_NS);
            done = past_run(&past, backfill, parallel, 1 + (unsigned)(kdp_test_random(&random) % 9), steps);
            kdp_backfill_close(backfill);
            past_kill(&past);
            if (done && past_covered(&past, market, START_NS, END_NS))
                break;
            CHECK(lives < 60);
        }
        if (past_missing(&past, market, START_NS, END_NS) != 0)
            kdp_test_fail(__FILE__, __LINE__, "round %u: %u trades missing", round,
                          past_missing(&past, market, START_NS, END_NS));
    }
}

/* ---- the proof ---- */
static void
day(struct kdp_proof *proof, unsigned index, int64_t lake, int64_t instant, int64_t second, int64_t candles)
{
    proof->days[index].lake_e2 = lake;
    proof->days[index].instant_e2 = instant;
    proof->days[index].second_e2 = second;
    if (candles != 0)
        kdp_proof_candle(proof, ((int64_t)proof->first + index) * KDP_NS_PER_DAY + 3600 * KDP_NS_PER_S,
                         candles);
}

KDP_TEST(a_day_is_short_whole_or_over_by_any_reading_of_its_borders)
{
    struct kdp_proof proof = {0};
    int64_t missing;

    CHECK_INT(kdp_proof_open(&proof, START_NS, START_NS + 3 * KDP_NS_PER_DAY), 0);
    CHECK_INT(proof.count, 3);
    day(&proof, 0, 500, 0, 0, 500);
    day(&proof, 1, 800, 30, 100, 801);
    day(&proof, 2, 200, 0, 50, 300);
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_WHOLE);
    CHECK_INT(kdp_proof_judge(&proof, 1, true, &missing), KDP_PROOF_SHORT);
    CHECK_INT(missing, 1);
    CHECK_INT(kdp_proof_judge(&proof, 2, true, &missing), KDP_PROOF_SHORT);
    CHECK_INT(missing, 100);
    CHECK_INT(kdp_proof_judge(&proof, 2, false, &missing), KDP_PROOF_NOT_PROVABLE);
    /* the exchange counts a trade at midnight, or of its second, for the day before */
    proof.days[0].candles_e2 = 530;
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_WHOLE);
    proof.days[0].candles_e2 = 600;
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_WHOLE);
    proof.days[0].candles_e2 = 550; /* a large trade at midnight hides no other that is missing */
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_SHORT);
    CHECK_INT(missing, 20);
    proof.days[0].candles_e2 = 601;
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_SHORT);
    CHECK_INT(missing, 1);
    proof.days[0].candles_e2 = 499;
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_OVER);
    CHECK_INT(missing, -1);
    kdp_proof_release(&proof);
}

KDP_TEST(a_market_without_any_candle_is_not_provable_where_it_traded)
{
    struct kdp_proof proof = {0};
    int64_t missing;

    CHECK_INT(kdp_proof_open(&proof, START_NS, START_NS + 2 * KDP_NS_PER_DAY), 0);
    day(&proof, 0, 500, 0, 0, 0);
    CHECK_INT(kdp_proof_judge(&proof, 0, true, &missing), KDP_PROOF_NOT_PROVABLE);
    CHECK_INT(kdp_proof_judge(&proof, 1, true, &missing), KDP_PROOF_WHOLE);
    kdp_proof_release(&proof);
}

KDP_TEST(a_candle_belongs_to_the_day_it_ends_in_and_midnight_to_the_day_before)
{
    struct kdp_proof proof = {0};
    int64_t hour = 3600 * KDP_NS_PER_S;

    CHECK_INT(kdp_proof_open(&proof, START_NS, START_NS + KDP_NS_PER_DAY), 0);
    kdp_proof_candle(&proof, START_NS, 1); /* of the day before */
    kdp_proof_candle(&proof, START_NS + hour, 10);
    kdp_proof_candle(&proof, START_NS + KDP_NS_PER_DAY, 100);
    kdp_proof_candle(&proof, START_NS + KDP_NS_PER_DAY + hour, 1000);
    CHECK_INT(proof.days[0].candles_e2, 110);
    kdp_proof_release(&proof);
}

KDP_TEST(a_range_is_proven_by_hours_and_by_minutes_at_its_ends)
{
    int64_t minute = 60 * KDP_NS_PER_S, hour = 60 * minute;
    struct kdp_proof_span spans[3];

    CHECK_INT(kdp_proof_spans(START_NS, END_NS, spans), 1);
    CHECK_INT(spans[0].minutes, 60);
    CHECK_INT(kdp_proof_spans(START_NS + 90 * minute + 1, START_NS + 5 * hour + 59 * KDP_NS_PER_S, spans), 2);
    CHECK_INT(spans[0].minutes, 1);
    CHECK_INT(spans[0].start_ns, START_NS + 91 * minute);
    CHECK_INT(spans[0].end_ns, START_NS + 2 * hour);
    CHECK_INT(spans[1].minutes, 60);
    CHECK_INT(spans[1].end_ns, START_NS + 5 * hour);
    CHECK_INT(kdp_proof_spans(START_NS + minute, START_NS + 50 * minute, spans), 1);
    CHECK_INT(spans[0].minutes, 1);
    CHECK_INT(kdp_proof_spans(START_NS + 1, START_NS + minute, spans), 0);
}

KDP_TEST(whole_cents_and_the_markets_own_bands_are_on_the_grid)
{
    const struct kdp_definition_ranges tapered[] = {
        {0, 1000, 10, {0}}, {1000, 9000, 100, {0}}, {9000, 10000, 10, {0}}};

    CHECK(kdp_proof_on_grid(4300, tapered, 3));
    CHECK(kdp_proof_on_grid(120, tapered, 3));
    CHECK(kdp_proof_on_grid(9990, tapered, 3));
    CHECK(!kdp_proof_on_grid(4310, tapered, 3));
    CHECK(!kdp_proof_on_grid(0, tapered, 3));
    CHECK(!kdp_proof_on_grid(10000, tapered, 3));
    CHECK(kdp_proof_on_grid(4301, NULL, 0));
}
