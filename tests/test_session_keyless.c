/* test_session_keyless.c - a run without a key: every trade is polled, books are sampled, no line is ever asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kdp_test.h"
#include "session_model.h"

static struct kdp_session_stats
stats(const struct model *m)
{
    struct kdp_session_stats out;

    kdp_session_stats(m->session, &out);
    return out;
}

static void
begin(struct model *m, uint32_t markets)
{
    model_begin(m, markets);
    m->config.keyless = true;
    m->trades_per_s = 50;
    m->page = 100;
}

static uint32_t
connects(const struct model *m)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < MODEL_LINES; i++)
        count += m->lines[i].connects;
    return count;
}

/* The stop: what was traded until then is there when it is drained, and how long that took. */
static int64_t
stop(struct model *m, int64_t *stopped_nsp)
{
    int64_t began = m->mono;

    *stopped_nsp = m->wall;
    kdp_session_stop(m->session, m->mono, m->wall);
    while (!kdp_session_drained(m->session, m->mono, NULL)) {
        CHECK(m->mono - began < 60 * S_NS);
        model_run(m, 100 * MS_NS);
    }
    return m->mono - began;
}

KDP_TEST(trades_are_polled_and_no_line_is_asked_for)
{
    struct model m;

    begin(&m, 50);
    model_run(&m, 60 * S_NS);
    CHECK_INT(connects(&m), 0);
    CHECK_INT(m.commands, 0);
    CHECK(m.all && m.keyless);
    CHECK(stats(&m).answered);
    CHECK_INT(model_trades_missing(&m, m.wall - 5 * S_NS), 0);
    CHECK_INT(m.failures + m.warnings, 0);
    /* verified up to a round and the settling time ago */
    CHECK(stats(&m).complete_ns > m.wall - 60 * S_NS);
    CHECK(stats(&m).requests < 60 * 5); /* polite: a poll each 2 s, audits, samples of 50 books */
    model_end(&m);
}

KDP_TEST(more_trades_than_a_page_between_two_polls_are_all_read)
{
    struct model m;

    begin(&m, 10);
    m.trades_per_s = 900; /* 18 pages for each poll */
    model_run(&m, 20 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 8 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(a_cache_of_15_s_makes_trades_late_and_loses_none)
{
    struct model m;
    int64_t stopped, took;

    begin(&m, 50);
    m.cache_ns = 15 * S_NS;
    model_run(&m, 300 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 40 * S_NS), 0);
    took = stop(&m, &stopped);
    CHECK_INT(model_trades_missing(&m, stopped), 0);
    CHECK(took <= 29 * S_NS);
    model_end(&m);
}

KDP_TEST(a_storm_of_refusals_is_waited_out_and_made_good)
{
    struct model m;
    int64_t stopped;

    begin(&m, 50);
    model_run(&m, 30 * S_NS);
    m.rest_status = 429;
    model_run(&m, 90 * S_NS);
    CHECK(model_trades_missing(&m, m.wall) > 4000);
    m.rest_status = 0;
    m.rest_fails = 300; /* three of ten */
    model_run(&m, 200 * S_NS);
    m.rest_fails = 0;
    model_run(&m, 60 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 40 * S_NS), 0);
    CHECK_INT(m.failures, 0);
    stop(&m, &stopped);
    CHECK_INT(model_trades_missing(&m, stopped), 0);
    model_end(&m);
}

KDP_TEST(what_rest_learns_late_is_found_by_the_windows)
{
    struct model m;

    begin(&m, 50);
    m.rest_lag_ns = 15 * S_NS;
    model_run(&m, 120 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 40 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(the_end_waits_for_what_rest_learns_late)
{
    struct model m;
    int64_t stopped, took;

    begin(&m, 50);
    m.rest_lag_ns = 14 * S_NS;
    model_run(&m, 40 * S_NS);
    CHECK(model_trades_missing(&m, m.wall) > 500);
    took = stop(&m, &stopped);
    CHECK_INT(model_trades_missing(&m, stopped), 0);
    CHECK(took >= 18 * S_NS && took <= 29 * S_NS);
    model_end(&m);
}

KDP_TEST(a_restart_fetches_the_pause)
{
    struct model m;

    begin(&m, 20);
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall;
    m.trades_from_ns = m.wall;
    m.trade_room = 20000;
    m.trades = calloc(m.trade_room, sizeof *m.trades);
    CHECK(m.trades != NULL);
    for (unsigned i = 0; i < 6000; i++) /* what was traded while nobody looked: ten minutes */
        m.trades[m.trade_count++].ns = m.wall + i * 100 * MS_NS;
    m.wall += 600 * S_NS;
    m.mono += 600 * S_NS;
    model_run(&m, 90 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 45 * S_NS), 0);
    CHECK(m.healed >= 1);
    CHECK_INT(stats(&m).polled_from_ns, m.wall - 90 * S_NS);
    model_end(&m);
}

/* Nothing but the stream tells a restart what a run before could not read, however long that was. */
KDP_TEST(what_a_killed_run_could_not_verify_is_fetched_by_the_next)
{
    struct model m;

    begin(&m, 20);
    model_run(&m, 120 * S_NS);
    CHECK_INT(m.behinds, 0);
    m.rest_status = 503;
    model_run(&m, 400 * S_NS);
    CHECK_INT(m.behinds, 1); /* once, and the gap it opens is open */
    CHECK(m.behind_ns <= m.wall - 400 * S_NS);
    CHECK(m.behind_ns >= m.wall - 460 * S_NS);
    CHECK(model_trades_missing(&m, m.wall) > 1000);
    model_kill(&m);
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall; /* other records came meanwhile */
    m.config.trades_open_ns = m.behind_ns;
    m.config.last_trade_ns = 0; /* none in the last 2 h */
    m.rest_status = 0;
    model_run(&m, 200 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 60 * S_NS), 0);
    CHECK(m.healed >= 1);
    model_end(&m);
}

KDP_TEST(what_could_not_be_verified_for_minutes_is_healed_by_the_same_run)
{
    struct model m;
    int64_t now;

    begin(&m, 20);
    model_run(&m, 60 * S_NS);
    m.rest_status = 503;
    model_run(&m, 300 * S_NS);
    CHECK_INT(m.behinds, 1);
    CHECK_INT(m.healed, 0);
    m.rest_status = 0;
    now = m.wall;
    model_run(&m, 120 * S_NS);
    CHECK(m.healed_before_ns > now - 200 * S_NS); /* the gap was learnt of before */
    CHECK(m.behinds <= 2); /* what came after the first of them was late by then, too */
    CHECK_INT(model_trades_missing(&m, m.wall - 60 * S_NS), 0);
    CHECK(stats(&m).complete_ns > m.wall - 70 * S_NS);
    model_end(&m);
}

KDP_TEST(no_trade_from_before_the_stream_is_read_with_a_clock_that_is_behind)
{
    struct model m;

    begin(&m, 20);
    m.trades_per_s = 0;
    m.wall -= 3600 * S_NS; /* ours; the exchange's are the trades' */
    model_run(&m, 10 * MS_NS);
    CHECK_INT(m.trade_pages, 0);     /* nothing was answered yet */
    kdp_session_clock(m.session, 0); /* as each second */
    model_run(&m, 10 * MS_NS);
    CHECK_INT(m.trade_pages, 0);
    model_run(&m, 200 * MS_NS);
    CHECK_INT(m.trade_pages, 0);
    kdp_session_clock(m.session, 3600 * S_NS); /* by the first answer */
    model_run(&m, 60 * S_NS);
    CHECK(m.trade_pages > 10);
    CHECK(m.asked_from_ns >= MODEL_BEGIN_NS - S_NS);
    model_end(&m);
}

KDP_TEST(cursors_that_lead_in_a_circle_do_not_make_it_ask_for_ever)
{
    struct model m;
    uint64_t before;

    begin(&m, 5);
    m.page = 50;
    model_run(&m, 60 * S_NS);
    m.page_circle = true;
    m.trades_per_s = 0; /* the cursors stay the same */
    before = m.trade_pages;
    model_run(&m, 120 * S_NS);
    CHECK(m.trade_pages - before < 120 * 5);            /* ten a second are allowed */
    CHECK(stats(&m).complete_ns < m.wall - 100 * S_NS); /* nothing is said to be whole */
    m.page_circle = false;
    model_run(&m, 90 * S_NS);
    CHECK(stats(&m).complete_ns > m.wall - 60 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 60 * S_NS), 0);
    model_end(&m);
}

/* ---- two tiers ---- */

static void
old_pause(struct model *m, bool keyless)
{
    begin(m, 20);
    m->config.keyless = keyless;
    m->trades_per_s = 0;
    m->config.restarted = true;
    m->config.last_wall_ns = m->wall - 10 * 3600 * S_NS;
    m->trades_from_ns = m->config.last_wall_ns;
    m->trade_room = 20000;
    m->trades = calloc(m->trade_room, sizeof *m->trades);
    CHECK(m->trades != NULL);
    for (int64_t ns = m->config.last_wall_ns; ns < m->wall; ns += 10 * S_NS)
        m->trades[m->trade_count++].ns = ns;
    m->cutoff_ns = m->wall - 5 * 3600 * S_NS;
}

KDP_TEST(what_is_older_than_the_live_tier_is_asked_of_the_historical)
{
    for (unsigned keyless = 0; keyless < 2; keyless++) {
        struct model m;

        old_pause(&m, keyless != 0);
        model_run(&m, 200 * S_NS);
        CHECK_INT(model_trades_missing(&m, m.wall - 40 * S_NS), 0);
        CHECK_INT(m.cutoff_gets, 1);
        CHECK(m.past_pages >= 18);
        CHECK_INT(m.losts, 0);
        CHECK(m.healed >= 1);
        CHECK_INT(stats(&m).windows_open, 0);
        model_end(&m);
    }
}

KDP_TEST(a_cutoff_that_moves_during_the_reading_loses_nothing)
{
    struct model m;

    old_pause(&m, true);
    m.rest_latency_ns = 300 * MS_NS;
    for (unsigned i = 0; i < 300; i++) {
        model_run(&m, S_NS);
        m.cutoff_ns += 30 * S_NS;
    }
    CHECK_INT(model_trades_missing(&m, m.wall - 40 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(what_no_tier_serves_any_more_is_told_as_lost)
{
    struct model m;

    old_pause(&m, false);
    m.no_history = true;
    model_run(&m, 200 * S_NS);
    CHECK_INT(m.losts, 1);
    CHECK(m.lost_before_ns > m.config.last_wall_ns);
    CHECK(m.warnings >= 1);
    CHECK_INT(stats(&m).windows_open, 0);
    /* what the live tier has was fetched all the same */
    for (size_t i = 0; i < m.trade_count; i++)
        CHECK_INT(m.trades[i].known, m.trades[i].ns >= m.cutoff_ns);
    model_end(&m);
}

/* ---- books ---- */

static uint32_t
sampled(const struct model *m)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->market_count; i++)
        count += m->markets[i].samples > 0;
    return count;
}

KDP_TEST(without_rules_the_busiest_hundred_are_sampled)
{
    struct model m;

    begin(&m, 1000); /* volume grows with the number */
    model_run(&m, 60 * S_NS);
    CHECK_INT(sampled(&m), 100);
    for (uint32_t i = 900; i < 1000; i++) {
        CHECK(m.markets[i].samples >= 4);
        CHECK_INT(m.markets[i].quotes, m.markets[i].samples);
        CHECK(m.markets[i].sample_gap_ns < 15 * S_NS);
    }
    CHECK(strstr(m.last_notice, "busiest 100 of 1000") != NULL);
    CHECK_INT(stats(&m).sampled, 100);
    model_end(&m);
}

KDP_TEST(rules_choose_what_is_sampled_and_all_trades_are_polled)
{
    static const char *const series[] = {"KXS1"};
    struct model m;

    begin(&m, 200);
    m.rules.series = series;
    m.rules.series_count = 1;
    model_run(&m, 60 * S_NS);
    CHECK_INT(sampled(&m), 50);
    for (uint32_t i = 50; i < 100; i++)
        CHECK(m.markets[i].samples >= 4);
    CHECK(m.all);
    CHECK_INT(model_trades_missing(&m, m.wall - 5 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(more_than_can_be_asked_for_politely_is_said)
{
    static const char *const tickers[] = {"KX*"};
    struct model m;

    begin(&m, 3000);
    m.page = 0;
    m.rules.tickers = tickers;
    m.rules.ticker_count = 1;
    model_run(&m, 90 * S_NS);
    CHECK_INT(sampled(&m), 2000);
    CHECK_INT(m.warnings, 1);
    CHECK(strstr(m.last_warning, "busiest 2000 of 3000") != NULL);
    for (uint32_t i = 1000; i < 3000; i++)
        CHECK(m.markets[i].sample_gap_ns < 30 * S_NS); /* well within what the plant takes for stale */
    CHECK(stats(&m).requests < 90 * 10 + 20);
    model_end(&m);
}

KDP_TEST(books_come_one_by_one_where_there_are_no_batches)
{
    struct model m;

    begin(&m, 300);
    m.no_batch = true;
    model_run(&m, 60 * S_NS);
    CHECK_INT(sampled(&m), 100);
    for (uint32_t i = 200; i < 300; i++)
        CHECK(m.markets[i].samples >= 2 && m.markets[i].quotes >= 2);
    CHECK_INT(m.warnings, 0);
    CHECK_INT(model_trades_missing(&m, m.wall - 6 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(books_that_are_not_public_leave_trades_and_prices)
{
    struct model m;

    begin(&m, 20);
    m.books_private = true;
    model_run(&m, 60 * S_NS);
    CHECK_INT(sampled(&m), 0);
    CHECK(m.markets[5].quotes >= 3);
    CHECK_INT(m.warnings, 1);
    CHECK(m.sample_gets < 30); /* not asked for ever */
    CHECK_INT(m.failures, 0);
    CHECK_INT(model_trades_missing(&m, m.wall - 5 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(a_market_that_opens_is_sampled_and_one_that_ends_no_more)
{
    static const char *const tickers[] = {"KX*"};
    struct model m;
    uint32_t before;

    begin(&m, 20);
    m.rules.tickers = tickers;
    m.rules.ticker_count = 1;
    m.markets[3].status = KDP_MARKET_STATUS_INITIALIZED;
    m.markets[3].open_ns = m.wall + 30 * S_NS;
    model_run(&m, 25 * S_NS);
    CHECK_INT(m.markets[3].samples, 0);
    model_run(&m, 30 * S_NS);
    CHECK(m.markets[3].samples >= 1);
    m.markets[4].status = KDP_MARKET_STATUS_DETERMINED;
    model_run(&m, 30 * S_NS); /* its own prices say so */
    before = m.markets[4].samples;
    model_run(&m, 60 * S_NS);
    CHECK_INT(m.markets[4].samples, before);
    CHECK(!m.markets[4].planned);
    model_end(&m);
}

KDP_TEST(markets_that_come_and_go_do_not_keep_a_round_from_its_end)
{
    static const char *const tickers[] = {"KX*"};
    struct model m;

    begin(&m, 1500);
    m.page = 0;
    m.trades_per_s = 1;
    m.rules.tickers = tickers;
    m.rules.ticker_count = 1;
    for (uint32_t i = 0; i < 100; i++) { /* one opens each second, and one closes */
        m.markets[i].status = KDP_MARKET_STATUS_INITIALIZED;
        m.markets[i].open_ns = m.wall + (int64_t)(20 + i) * S_NS;
    }
    model_run(&m, 20 * S_NS);
    for (uint32_t i = 0; i < 100; i++) {
        m.markets[100 + i].status = KDP_MARKET_STATUS_CLOSED;
        model_run(&m, S_NS);
    }
    for (uint32_t i = 200; i < 1500; i++) {
        CHECK(m.markets[i].samples >= 4);
        CHECK(m.markets[i].sample_gap_ns < 30 * S_NS);
        CHECK(m.wall - m.markets[i].sample_ns < 30 * S_NS);
    }
    CHECK(m.markets[50].samples >= 1);
    model_end(&m);
}

/* ---- an address without an exchange ---- */

static bool
failed(const struct model *m)
{
    return m->failures > 0;
}

KDP_TEST(an_address_that_never_answers_ends_the_run)
{
    struct model m;

    begin(&m, 20);
    m.rest_fails = 0;
    m.unreachable = true;
    CHECK(model_until(&m, 120 * S_NS, failed));
    CHECK_INT(m.failure_code, KDP_ENET);
    CHECK(m.mono - 1000 * S_NS >= 30 * S_NS && m.mono - 1000 * S_NS < 70 * S_NS);
    CHECK(strstr(m.failure, "no trades could be read in 30 s: ") == m.failure);
    CHECK(strstr(m.failure_hint, "--base-url") != NULL);
    model_end(&m);
}

KDP_TEST(an_exchange_that_is_overloaded_is_waited_for)
{
    struct model m;

    begin(&m, 20);
    m.rest_status = 503;
    model_run(&m, 300 * S_NS);
    CHECK_INT(m.failures, 0);
    m.rest_status = 0;
    model_run(&m, 60 * S_NS);
    CHECK(stats(&m).answered);
    CHECK_INT(model_trades_missing(&m, m.wall - 40 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(an_answer_that_is_no_exchange_ends_the_run)
{
    struct model m;

    begin(&m, 20);
    m.rest_status = 404;
    CHECK(model_until(&m, 120 * S_NS, failed));
    CHECK_INT(m.failure_code, KDP_EREFUSED);
    model_end(&m);
}

/* Thirty minutes of everything at once, from a seed. */
KDP_TEST(whatever_happens_no_trade_is_lost)
{
    for (unsigned round = 0; round < 10; round++) {
        struct model m;
        int64_t stopped;

        begin(&m, 60);
        m.random += round;
        m.trades_per_s = 5 + (uint32_t)model_random(&m, 60);
        m.page = 100 + (uint32_t)model_random(&m, 400);
        m.cache_ns = (int64_t)model_random(&m, 2) * 15 * S_NS;
        m.rest_lag_ns = m.cache_ns == 0 ? (int64_t)model_random(&m, 15) * S_NS : 0;
        m.rest_fails = (uint32_t)model_random(&m, 200);
        for (unsigned minute = 0; minute < 30; minute++) {
            m.rest_status = model_random(&m, 5) == 0 ? 503 : 0;
            m.rest_429 = (uint32_t)model_random(&m, 4) == 0 ? 30 : 0;
            model_run(&m, 60 * S_NS);
        }
        m.rest_status = 0;
        m.rest_429 = m.rest_fails = 0;
        model_run(&m, 90 * S_NS);
        CHECK_INT(model_trades_missing(&m, m.wall - 60 * S_NS), 0);
        stop(&m, &stopped);
        CHECK_INT(model_trades_missing(&m, stopped), 0);
        CHECK_INT(m.failures, 0);
        model_end(&m);
    }
}
