/* test_session_trades.c - trades that the stream did not bring come back over REST, and it is told when all have. */
#include <stdio.h>
#include <stdlib.h>

#include "kdp_test.h"
#include "session_model.h"

static struct kdp_session_stats
stats(const struct model *m)
{
    struct kdp_session_stats out;

    kdp_session_stats(m->session, &out);
    return out;
}

static uint32_t
recovered(const struct model *m)
{
    uint32_t count = 0;

    for (size_t i = 0; i < m->trade_count; i++)
        count += m->trades[i].from_rest;
    return count;
}

static void
begin(struct model *m)
{
    model_begin(m, 50);
    m->trades_per_s = 50;
    m->page = 100;
}

static void
live(struct model *m)
{
    CHECK(model_until(m, 30 * S_NS, model_live));
    model_run(m, 20 * S_NS);
}

KDP_TEST(a_gap_of_trades_is_refilled_and_then_verified)
{
    struct model m;
    int64_t gap_ns;

    begin(&m);
    m.rest_lag_ns = 3 * S_NS;
    live(&m);
    CHECK_INT(recovered(&m), 0);
    CHECK_INT(stats(&m).windows_open, 0);
    m.lose_trade = 1000;
    model_run(&m, 200 * MS_NS);
    m.lose_trade = 0;
    gap_ns = m.wall;
    model_run(&m, 100 * MS_NS);
    CHECK_INT(stats(&m).windows_open, 1);
    CHECK(model_trades_missing(&m, gap_ns) >= 9);
    CHECK_INT(m.healed, 0);
    model_run(&m, 15 * S_NS);
    CHECK_INT(m.healed, 0); /* REST may still lag */
    model_run(&m, 25 * S_NS);
    CHECK_INT(model_trades_missing(&m, gap_ns), 0);
    CHECK_INT(m.healed, 1);
    CHECK(m.healed_before_ns > gap_ns);
    CHECK_INT(stats(&m).windows_open, 0);
    model_end(&m);
}

KDP_TEST(trades_come_back_early_when_rest_has_them)
{
    struct model m;

    begin(&m);
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    model_run(&m, 2 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall), 0);
    CHECK_INT(m.healed, 0);
    model_end(&m);
}

KDP_TEST(a_window_that_still_brings_trades_is_read_again)
{
    struct model m;
    int64_t gap_ns;

    begin(&m);
    m.rest_lag_ns =
        45 * S_NS; /* longer than the exchange is believed to lag: known by what the second reading brings */
    m.config.trade_settle_ns = 36 * S_NS;
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    gap_ns = m.wall;
    model_run(&m, 150 * S_NS);
    CHECK_INT(model_trades_missing(&m, gap_ns), 0);
    CHECK_INT(stats(&m).windows_open, 0);
    model_end(&m);
}

KDP_TEST(a_lost_line_of_trades_is_a_hole)
{
    struct model m;

    begin(&m);
    live(&m);
    m.connect_status = 503;
    model_reset(&m, 1);
    model_run(&m, 40 * S_NS);
    CHECK_INT(stats(&m).windows_open, 1);
    m.connect_status = 0;
    model_run(&m, 100 * S_NS);
    CHECK(model_settled(&m));
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    CHECK(m.healed >= 1);
    model_end(&m);
}

KDP_TEST(a_terminal_error_of_the_trade_channel_is_a_hole)
{
    struct model m;

    begin(&m);
    live(&m);
    model_error(&m, 1, 1, 25);
    CHECK_INT(stats(&m).windows_open, 1);
    model_run(&m, 60 * S_NS);
    CHECK_INT(stats(&m).windows_open, 0);
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    CHECK_INT(m.lines[1].connects, 1);
    model_end(&m);
}

KDP_TEST(audits_find_what_no_number_revealed)
{
    struct model m;
    int64_t then;

    begin(&m);
    m.lose_tail = true;
    live(&m);
    m.lose_trade = 20;
    model_run(&m, 30 * S_NS);
    m.lose_trade = 0;
    then = m.wall;
    CHECK(model_trades_missing(&m, then) > 5);
    model_run(&m, 150 * S_NS);
    CHECK_INT(model_trades_missing(&m, then), 0);
    CHECK_INT(stats(&m).windows_open, 0);
    CHECK(stats(&m).trades_audits >= 2);
    model_end(&m);
}

KDP_TEST(a_healthy_run_recovers_nothing_and_asks_little)
{
    struct model m;

    begin(&m);
    m.page = 0;
    live(&m);
    m.trade_pages = 0;
    model_run(&m, 600 * S_NS);
    CHECK_INT(recovered(&m), 0);
    CHECK_INT(stats(&m).trades_audits, 10);
    CHECK(m.trade_pages <= 50); /* 3,500 trades an audit */
    CHECK_INT(m.healed, 0);
    model_end(&m);
}

KDP_TEST(a_restart_asks_for_what_the_pause_cost)
{
    struct model m;

    begin(&m);
    m.wall += 4 * 3600 * S_NS;
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall - 2 * 3600 * S_NS - 600 * S_NS;
    m.trade_room = 40000;
    m.trades = calloc(m.trade_room, sizeof *m.trades);
    CHECK(m.trades != NULL);
    for (int64_t t = m.config.last_wall_ns - 100 * S_NS; t < m.wall; t += S_NS / 2) {
        m.trades[m.trade_count].ns = t;
        m.trades[m.trade_count++].known = t < m.config.last_wall_ns;
    }
    m.page = 1000;
    CHECK(model_trades_missing(&m, m.wall) > 15000);
    CHECK(model_until(&m, 30 * S_NS, model_live));
    model_run(&m, 90 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    CHECK_INT(stats(&m).windows_open, 0);
    CHECK_INT(m.healed, 1);
    model_end(&m);
}

KDP_TEST(a_restart_does_not_ask_for_what_was_before_the_stream)
{
    struct model m;

    begin(&m);
    m.wall += 4 * 3600 * S_NS;
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall - 60 * S_NS;
    m.config.first_wall_ns = m.wall - 70 * S_NS; /* the run before lasted 10 s */
    m.trade_room = 64;
    m.trades = calloc(m.trade_room, sizeof *m.trades);
    CHECK(m.trades != NULL);
    m.trades[m.trade_count++].ns = m.wall - 75 * S_NS;
    m.trades[m.trade_count++].ns = m.wall - 65 * S_NS;
    CHECK(model_until(&m, 30 * S_NS, model_live));
    model_run(&m, 60 * S_NS);
    CHECK(!m.trades[0].known); /* history's */
    CHECK(m.trades[1].known);
    model_end(&m);
}

KDP_TEST(a_gap_of_an_earlier_run_is_not_forgotten)
{
    struct model m;

    begin(&m);
    m.wall += 4 * 3600 * S_NS;
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall - 60 * S_NS;
    m.config.trades_open_ns = m.wall - 3600 * S_NS;
    m.trade_room = 64;
    m.trades = calloc(m.trade_room, sizeof *m.trades);
    CHECK(m.trades != NULL);
    m.trades[m.trade_count++].ns = m.wall - 3601 * S_NS;
    CHECK(model_until(&m, 30 * S_NS, model_live));
    model_run(&m, 60 * S_NS);
    CHECK(m.trades[0].known);
    model_end(&m);
}

KDP_TEST(without_bounds_it_pages_back_from_now)
{
    struct model m;
    int64_t gap_ns;

    begin(&m);
    m.no_bounds = true;
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    gap_ns = m.wall;
    model_run(&m, 60 * S_NS);
    CHECK_INT(model_trades_missing(&m, gap_ns), 0);
    CHECK_INT(stats(&m).windows_open, 0);
    model_end(&m);
}

KDP_TEST(a_window_waits_for_rest_as_long_as_it_takes)
{
    struct model m;

    begin(&m);
    live(&m);
    m.rest_status = 503;
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    model_run(&m, 700 * S_NS);
    CHECK(stats(&m).windows_open >= 1);
    CHECK(m.warnings >= 1);
    CHECK_INT(m.healed, 0);
    m.rest_status = 0;
    model_run(&m, 150 * S_NS);
    CHECK_INT(stats(&m).windows_open, 0);
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    CHECK(m.healed >= 1);
    model_end(&m);
}

KDP_TEST(gaps_that_do_not_stop_are_healed_all_the_same)
{
    struct model m;

    begin(&m);
    m.page = 1000;
    live(&m);
    m.lose_trade = 10;
    model_run(&m, 600 * S_NS);
    CHECK(m.healed > 5); /* windows end while new ones open */
    CHECK(m.healed_before_ns > m.wall - 120 * S_NS);
    CHECK(stats(&m).windows_open < 10);
    CHECK_INT(model_trades_missing(&m, m.wall - 90 * S_NS), 0);
    m.lose_trade = 0;
    model_run(&m, 90 * S_NS);
    CHECK_INT(stats(&m).windows_open, 0);
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    model_end(&m);
}

KDP_TEST(the_end_takes_one_look_at_the_recent_trades)
{
    struct model m;
    int64_t left = 0, then;

    begin(&m);
    m.lose_tail = true;
    live(&m);
    m.lose_trade = 50;
    model_run(&m, 10 * S_NS);
    m.lose_trade = 0;
    m.trades_per_s = 0;
    model_run(&m, 100 * MS_NS);
    then = m.wall;
    CHECK(model_trades_missing(&m, then) > 5);
    kdp_session_stop(m.session, m.mono, m.wall);
    CHECK(!kdp_session_drained(m.session, m.mono, &left));
    CHECK(left > 0 && left <= 20 * S_NS);
    model_run(&m, 2 * S_NS);
    CHECK(kdp_session_drained(m.session, m.mono, &left));
    CHECK_INT(model_trades_missing(&m, then), 0);
    model_end(&m);
}

KDP_TEST(what_no_number_revealed_before_a_lost_line_comes_back_with_it)
{
    struct model m;
    int64_t then;

    begin(&m);
    m.lose_tail = true;
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS / 2);
    m.lose_trade = 0;
    then = m.wall;
    model_run(&m, 15 * S_NS); /* longer ago than the pad */
    CHECK(model_trades_missing(&m, then) > 10);
    model_reset(&m, 1);
    model_run(&m, 3 * S_NS);
    CHECK_INT(model_trades_missing(&m, then), 0);
    model_end(&m);

    begin(&m); /* and at the end, whatever else is open then */
    m.lose_tail = true;
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS / 2);
    m.lose_trade = 0;
    then = m.wall;
    model_run(&m, 15 * S_NS);
    model_gap(&m, 1, 1);
    kdp_session_stop(m.session, m.mono, m.wall);
    model_run(&m, 25 * S_NS);
    CHECK(kdp_session_drained(m.session, m.mono, NULL));
    CHECK_INT(model_trades_missing(&m, then), 0);
    model_end(&m);
}

KDP_TEST(the_end_waits_for_an_open_window_but_not_for_ever)
{
    struct model m;
    int64_t left = 0, begun;

    begin(&m);
    m.rest_lag_ns = 10 * S_NS;
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    model_run(&m, S_NS);
    m.trades_per_s = 0;
    kdp_session_stop(m.session, m.mono, m.wall);
    begun = m.mono;
    CHECK(!kdp_session_drained(m.session, m.mono, &left));
    while (!kdp_session_drained(m.session, m.mono, &left))
        model_run(&m, 100 * MS_NS);
    CHECK(m.mono - begun <= 20 * S_NS + 100 * MS_NS);
    CHECK_INT(stats(&m).windows_open, 0);
    CHECK_INT(model_trades_missing(&m, m.wall - 15 * S_NS), 0);
    model_end(&m);

    begin(&m);
    live(&m);
    m.rest_status = 503;
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    model_run(&m, S_NS);
    kdp_session_stop(m.session, m.mono, m.wall);
    begun = m.mono;
    while (!kdp_session_drained(m.session, m.mono, &left))
        model_run(&m, 100 * MS_NS);
    CHECK(m.mono - begun <= 20 * S_NS + 100 * MS_NS);
    CHECK(stats(&m).windows_open >= 1);
    model_end(&m);
}

KDP_TEST(windows_are_of_the_exchange_s_clock)
{
    struct model m;

    begin(&m);
    CHECK(model_until(&m, 30 * S_NS, model_live));
    kdp_session_clock(m.session, 3600 * S_NS); /* this clock is an hour behind, as an answer tells */
    model_run(&m, 20 * S_NS);
    model_gap(&m, 1, 1);
    model_run(&m, S_NS);
    {
        const char *to = strstr(m.last_trades_get, "max_ts=");
        long long seconds = 0;

        CHECK(to != NULL && sscanf(to, "max_ts=%lld", &seconds) == 1);
        CHECK(seconds > m.wall / S_NS + 3600 && seconds < m.wall / S_NS + 3620);
    }
    model_end(&m);
}

static long long
asked_from(const struct model *m)
{
    const char *from = strstr(m->last_trades_get, "min_ts=");
    long long seconds = 0;

    CHECK(from != NULL && sscanf(from, "min_ts=%lld", &seconds) == 1);
    return seconds;
}

KDP_TEST(a_step_of_our_clock_moves_no_window)
{
    for (int way = -1; way <= 1; way += 2) {
        struct model m;
        int64_t begun, gap_ns;

        begin(&m);
        live(&m);
        m.trades_per_s = 0;
        model_run(&m, 90 * S_NS); /* audited */
        m.rest_status = 503;
        gap_ns = m.wall;
        model_gap(&m, 1, 1);
        model_run(&m, S_NS);
        begun = m.wall / S_NS;
        m.wall += way * 3600 * S_NS; /* set by a person; the exchange's stays */
        model_run(&m, S_NS);
        kdp_session_clock(m.session, -way * 3600 * S_NS);
        model_run(&m, S_NS);
        m.rest_status = 0;
        model_run(&m, 40 * S_NS);
        CHECK(asked_from(&m) > begun - 90 && asked_from(&m) < begun + 30);
        CHECK_INT(stats(&m).windows_open, 0);
        CHECK(m.healed > 0 && m.healed_before_ns > gap_ns);
        /* and the audits go on */
        m.last_trades_get[0] = '\0';
        model_run(&m, 70 * S_NS);
        CHECK(asked_from(&m) > begun - 20 && asked_from(&m) < begun + 150);
        model_end(&m);
    }
}

KDP_TEST(what_came_first_of_a_subscription_may_have_been_lost)
{
    struct model m;

    begin(&m);
    m.lose_trade =
        1000; /* and the reply, so that the first to be heard says that the ones before are missing */
    m.lose_reply = 1000;
    model_run(&m, 2 * S_NS);
    m.lose_trade = 0;
    m.lose_reply = 0;
    model_run(&m, 60 * S_NS);
    CHECK(model_settled(&m));
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    CHECK(m.healed > 0);
    model_end(&m);
}

KDP_TEST(a_run_whose_clock_was_ahead_is_followed_without_a_hole)
{
    struct model m;

    begin(&m);
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall + 3600 * S_NS;
    live(&m);
    m.lose_trade = 1000;
    model_run(&m, S_NS);
    m.lose_trade = 0;
    model_run(&m, 60 * S_NS);
    CHECK_INT(model_trades_missing(&m, m.wall - 30 * S_NS), 0);
    CHECK_INT(stats(&m).windows_open, 0);
    model_end(&m);
}

KDP_TEST(the_newest_trade_of_the_run_before_says_more_than_its_clock)
{
    struct model m;

    begin(&m);
    m.wall += 4 * 3600 * S_NS;
    m.config.restarted = true;
    m.config.last_wall_ns = m.wall - 1800 * S_NS; /* that clock was half an hour ahead */
    m.config.last_trade_ns = m.wall - 3600 * S_NS;
    m.trade_room = 64;
    m.trades = calloc(m.trade_room, sizeof *m.trades);
    CHECK(m.trades != NULL);
    m.trades[m.trade_count++].ns = m.wall - 3500 * S_NS;
    CHECK(model_until(&m, 30 * S_NS, model_live));
    model_run(&m, 60 * S_NS);
    CHECK(m.trades[0].known);
    model_end(&m);
}
