/* test_session.c - the session: start, lines, listing, plan, pauses, refusals; against a model exchange in virtual time. */
#include <stdio.h>

#include "clock.h"
#include "kdp_test.h"
#include "session_model.h"

static struct kdp_session_stats
stats(const struct model *m)
{
    struct kdp_session_stats out;

    kdp_session_stats(m->session, &out);
    return out;
}

KDP_TEST(start_brings_every_open_market_live)
{
    struct model m;

    model_begin(&m, 2500);
    m.page = 1000;
    CHECK(model_until(&m, 20 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 2500);
    CHECK(m.all);
    CHECK_STR(m.rules_words, "all open ordinary markets");
    CHECK_INT(m.lines[1].connects + m.lines[2].connects, 2);
    CHECK(model_sub(&m, 1, 1) != NULL && model_sub(&m, 1, 1)->all);
    CHECK(model_sub(&m, 1, 3) != NULL && model_sub(&m, 1, 4) != NULL);
    CHECK(model_sub(&m, 2, 1) == NULL);
    CHECK_INT(model_sub(&m, 1, 0)->members + model_sub(&m, 2, 0)->members, 2500);
    CHECK(model_sub(&m, 2, 0)->members > 1000);
    CHECK_INT(stats(&m).markets_planned, 2500);
    CHECK_INT(m.warnings + m.failures, 0);
    model_end(&m);
}

KDP_TEST(markets_of_a_series_are_listed_and_subscribed_by_name)
{
    static const char *const series[] = {"KXS1", "KXS3"};
    struct model m;

    model_begin(&m, 300);
    m.rules.series = series;
    m.rules.series_count = 2;
    m.page = 7; /* many pages: the cursor is percent-encoded, filters are sent again */
    m.markets[60].unlisted = true;
    CHECK(model_until(&m, 20 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 99);
    CHECK(!m.all);
    CHECK_STR(m.rules_words, "series KXS1 KXS3");
    model_run(&m, S_NS);
    CHECK_INT(model_sub(&m, 1, 1)->members, 99);
    CHECK(!model_sub(&m, 1, 1)->all && !model_sub(&m, 1, 2)->all);
    CHECK_INT(m.event_gets, 0);
    /* a new market of a series we want: known by its event; one of another series is not asked for twice */
    m.markets[60].unlisted = false;
    model_market(&m, 60);
    model_market(&m, 10);
    model_market(&m, 11);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    model_run(&m, 2 * S_NS);
    CHECK_INT(model_planned(&m), 100);
    CHECK_INT(m.event_gets, 1); /* of the event of 10 and 11: that of 60 is known from the listing */
    CHECK_INT(model_sub(&m, 1, 1)->members, 100);
    model_end(&m);
}

KDP_TEST(without_a_planned_market_nothing_is_subscribed_by_name)
{
    static const char *const series[] = {"KXNONE"};
    struct model m;

    model_begin(&m, 100);
    m.rules.series = series;
    m.rules.series_count = 1;
    model_run(&m, 30 * S_NS);
    CHECK_INT(model_planned(&m), 0);
    CHECK(model_sub(&m, 1, 0) == NULL && model_sub(&m, 1, 1) == NULL && model_sub(&m, 1, 2) == NULL);
    CHECK(model_sub(&m, 1, 3) != NULL);
    model_end(&m);
}

KDP_TEST(plain_names_are_listed_by_name_and_globs_are_matched_here)
{
    static const char *const plain[] = {"KXS0-E1-M5", "KXS0-E1-M6"}, *const globs[] = {"KXS0-E?-*5"};
    struct model m;

    model_begin(&m, 100);
    m.rules.tickers = plain;
    m.rules.ticker_count = 2;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 2);
    CHECK_INT(m.listings, 2);
    model_end(&m);

    model_begin(&m, 100);
    m.rules.tickers = globs;
    m.rules.ticker_count = 1;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 5);
    model_end(&m);
}

KDP_TEST(a_market_opens_and_closes_by_our_own_timers)
{
    struct model m;

    model_begin(&m, 10);
    m.markets[3].status = KDP_MARKET_STATUS_INITIALIZED;
    m.markets[3].open_ns = m.wall + 100 * S_NS;
    m.markets[4].close_ns = m.wall + 200 * S_NS;
    CHECK(model_until(&m, 20 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 9);
    model_run(&m, 100 * S_NS);
    CHECK_INT(m.markets[3].opened, 1);
    CHECK_INT(m.markets[3].book, KDP_BOOK_STATE_LIVE);
    CHECK_INT(m.markets[4].closed, 0);
    m.markets[4].close_ns += 50 * S_NS; /* the close is moved, as the lifecycle tells */
    model_market(&m, 4);
    model_run(&m, 110 * S_NS);
    CHECK_INT(m.markets[4].closed, 0);
    model_run(&m, 50 * S_NS);
    CHECK_INT(m.markets[4].closed, 1);
    CHECK(m.markets[4].planned); /* it stays subscribed: cancels after the close are still to come */
    model_run(&m, 3601 * S_NS);
    CHECK(!m.markets[4].planned);
    m.markets[5].status = KDP_MARKET_STATUS_DETERMINED;
    model_market(&m, 5);
    model_run(&m, 2 * S_NS);
    CHECK(!m.markets[5].planned);
    CHECK_INT(m.deletes, 2);
    CHECK_INT(model_planned(&m), 8);
    CHECK_INT(stats(&m).markets_known, 8);
    model_end(&m);
}

KDP_TEST(the_last_market_of_a_subscription_is_unsubscribed)
{
    static const char *const plain[] = {"KXS0-E1-M5"};
    struct model m;

    model_begin(&m, 10);
    m.config.connections = 1;
    m.rules.tickers = plain;
    m.rules.ticker_count = 1;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.markets[5].status = KDP_MARKET_STATUS_FINALIZED;
    model_market(&m, 5);
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.deletes, 0);
    CHECK_INT(m.unsubscribes, 3); /* book, trade, ticker */
    CHECK(model_sub(&m, 1, 0) == NULL && model_sub(&m, 1, 1) == NULL && model_sub(&m, 1, 2) == NULL);
    CHECK_INT(stats(&m).windows_open, 0);
    model_end(&m);
}

KDP_TEST(other_rules_change_the_plan_without_a_hole)
{
    static const char *const one[] = {"KXS0"}, *const two[] = {"KXS1", "KXS0"};
    struct kdp_rules rules = {.series = two, .series_count = 2};
    struct model m;

    model_begin(&m, 150);
    m.rules.series = one;
    m.rules.series_count = 1;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 50);
    CHECK_INT(kdp_session_reload(m.session, &rules), 0);
    model_run(&m, 10 * S_NS);
    CHECK(model_live(&m));
    CHECK_INT(model_planned(&m), 100);
    CHECK_STR(m.rules_words, "series KXS1 KXS0");
    for (uint32_t i = 0; i < 50; i++)
        CHECK_INT(m.markets[i].snapshots, 1); /* those that stay are not touched */
    rules.series_count = 1;
    CHECK_INT(kdp_session_reload(m.session, &rules), 0);
    model_run(&m, 10 * S_NS);
    CHECK_INT(model_planned(&m), 50);
    CHECK(!m.markets[10].planned && m.markets[60].planned);
    CHECK_INT(m.markets[60].snapshots, 1);
    CHECK_INT(model_sub(&m, 1, 0)->members + model_sub(&m, 2, 0)->members, 50);
    rules.series_count = 0;
    CHECK_INT(kdp_session_reload(m.session, &rules), 0);
    model_run(&m, 20 * S_NS);
    CHECK_INT(model_planned(&m), 150);
    CHECK(m.all && model_sub(&m, 1, 1)->all);
    model_run(&m, 60 * S_NS);
    CHECK(model_settled(&m));
    model_end(&m);
}

KDP_TEST(a_lost_line_comes_back_with_its_books)
{
    struct model m;

    model_begin(&m, 200);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    model_reset(&m, 2);
    CHECK(!model_live(&m));
    CHECK(model_until(&m, 3 * S_NS, model_live));
    CHECK_INT(stats(&m).reconnects, 1);
    CHECK_INT(m.lines[2].connects, 2);
    CHECK_INT(m.lines[1].connects, 1);
    model_end(&m);
}

KDP_TEST(reconnects_back_off_with_jitter_and_forget_after_a_minute)
{
    struct model m;
    int64_t last = 0, longest = 0;

    model_begin(&m, 20);
    m.config.connections = 1;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.connect_status = 503;
    model_reset(&m, 1);
    model_run(&m, 300 * S_NS);
    CHECK(m.lines[1].connects > 8 && m.lines[1].connects < 40);
    for (uint32_t i = 2; i < m.lines[1].connects; i++) {
        int64_t span = m.lines[1].connect_ns[i] - m.lines[1].connect_ns[i - 1];

        CHECK(span != last); /* jitter */
        CHECK(span <= 31 * S_NS);
        last = span;
        longest = span > longest ? span : longest;
    }
    CHECK(longest > 15 * S_NS);
    m.connect_status = 0;
    CHECK(model_until(&m, 60 * S_NS, model_live));
    model_run(&m, 61 * S_NS);
    model_reset(&m, 1);
    CHECK(model_until(&m, 2 * S_NS, model_live));
    CHECK_INT(m.failures, 0);
    model_end(&m);
}

KDP_TEST(a_refused_key_ends_the_run_at_its_beginning_only)
{
    struct model m;

    model_begin(&m, 20);
    m.connect_status = 401;
    m.connect_body = "{\"code\":\"invalid_signature\"}";
    model_run(&m, 5 * S_NS);
    CHECK_INT(m.failures, 1);
    CHECK_INT(m.failure_code, KDP_EREFUSED);
    CHECK(strstr(m.failure_hint, "kdp status") != NULL);
    CHECK(kdp_session_drained(m.session, m.mono, NULL));
    model_end(&m);

    model_begin(&m, 20);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.connect_status = 401;
    model_reset(&m, 1);
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.failures, 0);
    CHECK(m.warnings > 0 && m.warnings < 4);
    m.connect_status = 0;
    CHECK(model_until(&m, 40 * S_NS, model_live));
    model_end(&m);
}

KDP_TEST(an_expired_timestamp_is_tried_again_at_once)
{
    struct model m;

    model_begin(&m, 20);
    m.config.connections = 1;
    m.connect_status = 401;
    m.connect_body = "{\"error\":{\"code\":\"header_timestamp_expired\"}}";
    model_run(&m, 50 * MS_NS);
    CHECK_INT(m.failures, 0);
    CHECK(m.lines[1].connects >= 2);
    m.connect_status = 0;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    model_end(&m);
}

KDP_TEST(a_wrong_address_or_certificate_ends_the_run_at_its_beginning)
{
    struct model m;

    model_begin(&m, 20);
    m.connect_status = 404;
    model_run(&m, 5 * S_NS);
    CHECK_INT(m.failures, 1);
    CHECK(strncmp(m.failure, "wrong URL", 9) == 0);
    model_end(&m);

    model_begin(&m, 20);
    m.connect_code = KDP_EREFUSED;
    model_run(&m, 5 * S_NS);
    CHECK_INT(m.failures, 1);
    CHECK_STR(m.failure, "words of the client");
    CHECK_STR(m.failure_hint, "hint of the client");
    model_end(&m);

    model_begin(&m, 20); /* a network that is down may come up */
    m.connect_code = KDP_ENET;
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.failures, 0);
    m.connect_code = 0;
    CHECK(model_until(&m, 40 * S_NS, model_live));
    model_end(&m);
}

KDP_TEST(a_silent_line_is_pinged_and_then_given_up)
{
    struct model m;

    model_begin(&m, 20);
    m.config.stall_ns = 100 * S_NS;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.lines[2].silent = true;
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.lines[2].pings, 1);
    CHECK_INT(m.lines[2].connects, 1);
    CHECK(m.status_gets >= 2);
    model_run(&m, 15 * S_NS);
    CHECK_INT(m.lines[2].connects, 2);
    CHECK(model_live(&m));
    model_end(&m);
}

KDP_TEST(a_quiet_line_is_not_a_stalled_one)
{
    struct model m;

    model_begin(&m, 20);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.data_every_ns = 0; /* a quiet market: nothing but answers */
    model_run(&m, 600 * S_NS);
    CHECK_INT(m.lines[1].connects + m.lines[2].connects, 2);
    CHECK(m.snapshot_commands > 2); /* it was asked for something that must be answered */
    CHECK(m.snapshot_commands < 100);
    m.data_every_ns = S_NS;
    m.next_data_ns = m.mono;
    model_run(&m, 100 * S_NS);
    m.lines[1].stalled = true; /* answers pings, brings nothing */
    model_run(&m, 45 * S_NS);
    CHECK_INT(m.lines[1].connects, 2);
    CHECK(model_live(&m));
    model_end(&m);
}

KDP_TEST(a_pause_is_told_and_silence_in_it_is_no_fault)
{
    struct model m;
    uint32_t connects;

    model_begin(&m, 20);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.paused = true;
    m.lines[1].silent = m.lines[2].silent = true;
    m.connect_status = 503;
    model_run(&m, 25 * S_NS);
    CHECK_INT(m.paused_timers, 1);
    CHECK(stats(&m).paused);
    model_reset(&m, 2);
    connects = m.lines[2].connects;
    model_run(&m, 600 * S_NS);
    CHECK_INT(m.lines[1].connects, 1);
    CHECK(m.lines[2].connects - connects < 200); /* paced: 5 s at least */
    CHECK_INT(m.resumed_timers, 0);
    m.paused = false;
    m.connect_status = 0;
    m.lines[1].silent = false;
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.resumed_timers, 1);
    CHECK_INT(m.lines[1].connects, 1);
    CHECK(model_until(&m, 20 * S_NS, model_live));
    CHECK_INT(m.warnings, 0);
    model_end(&m);
}

KDP_TEST(a_window_of_the_schedule_is_no_fault_either)
{
    char body[512];
    char from[KDPI_TIME_TEXT], to[KDPI_TIME_TEXT];
    struct model m;

    model_begin(&m, 20);
    kdpi_time_format(from, m.wall + 100 * S_NS, 0);
    kdpi_time_format(to, m.wall + 400 * S_NS, 0);
    snprintf(body, sizeof body,
             "{\"schedule\":{\"standard_hours\":[],\"maintenance_windows\":[{\"start_datetime\":\"%s\",\"end_"
             "datetime\":"
             "\"%s\"}]}}",
             from, to);
    m.schedule = body;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    model_run(&m, 100 * S_NS);
    m.lines[1].silent = m.lines[2].silent = true;
    model_run(&m, 200 * S_NS);
    CHECK_INT(m.lines[1].connects + m.lines[2].connects, 2);
    CHECK_INT(m.paused_timers, 0); /* the status says that it is open */
    m.lines[1].silent = m.lines[2].silent = false;
    model_run(&m, 150 * S_NS);
    CHECK_INT(m.lines[1].connects + m.lines[2].connects, 2);
    m.lines[1].silent = true;
    model_run(&m, 60 * S_NS);
    CHECK_INT(m.lines[1].connects, 2);
    model_end(&m);
}

KDP_TEST(requests_keep_to_the_budget_and_429_is_waited_out)
{
    struct model m;
    uint64_t gets;

    model_begin(&m, 5000);
    m.page = 20;
    m.rest_latency_ns = MS_NS;
    model_run(&m, 5 * S_NS);
    gets = m.gets;
    CHECK(gets <= 20 + 5 * 20 + 1); /* 200 tokens at once, then 200 a second, 10 each */
    CHECK(gets >= 100);
    m.rest_429 = 3;
    model_run(&m, 30 * S_NS);
    CHECK_INT(stats(&m).requests_limited, 3);
    CHECK(model_live(&m));
    CHECK_INT(model_planned(&m), 5000);
    model_end(&m);
}

KDP_TEST(rest_that_fails_is_asked_again_until_the_listing_is_whole)
{
    struct model m;

    model_begin(&m, 500);
    m.page = 50;
    m.rest_status = 503;
    model_run(&m, 60 * S_NS);
    CHECK_INT(model_planned(&m), 0);
    CHECK(!stats(&m).listed);
    CHECK_INT(m.failures, 0);
    m.rest_status = 0;
    m.rest_fails = 300;
    CHECK(model_until(&m, 300 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 500);
    model_end(&m);
}

KDP_TEST(a_gap_of_the_lifecycle_lists_at_once_and_when_rest_lags_no_more)
{
    struct model m;
    int64_t gap_ns;

    model_begin(&m, 50);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.listings = 0;
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.listings, 0);
    gap_ns = m.wall;
    model_gap(&m, 1, 3);
    model_run(&m, S_NS);
    CHECK_INT(m.listings, 2);
    CHECK_INT(m.listed_timers, 0);
    model_run(&m, 25 * S_NS);
    CHECK_INT(m.listings, 4);
    CHECK_INT(m.listed_timers, 1);
    CHECK(m.listed_before_ns > gap_ns && m.listed_before_ns < m.wall);
    model_run(&m, 620 * S_NS);
    CHECK_INT(m.listings, 6); /* and every ten minutes */
    CHECK_INT(m.listed_timers, 1);
    model_end(&m);
}

KDP_TEST(what_the_lifecycle_lost_is_found_by_the_listing)
{
    struct model m;

    model_begin(&m, 50);
    m.markets[7].unlisted = true;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 49);
    m.markets[7].unlisted = false;                      /* made while the line was down */
    m.markets[9].status = KDP_MARKET_STATUS_DETERMINED; /* and this one ended */
    model_reset(&m, 1);
    model_run(&m, 3 * S_NS);
    CHECK(m.markets[7].planned);
    CHECK(!m.markets[9].planned);
    CHECK(model_live(&m));
    /* the end waits until the listing is sure */
    kdp_session_stop(m.session, m.mono, m.wall);
    model_run(&m, 10 * S_NS);
    CHECK(!kdp_session_drained(m.session, m.mono, NULL));
    model_run(&m, 15 * S_NS);
    CHECK(kdp_session_drained(m.session, m.mono, NULL));
    CHECK_INT(m.listed_timers, 1);
    model_end(&m);
}

KDP_TEST(a_market_of_an_earlier_run_that_the_exchange_has_forgotten_is_given_up)
{
    struct model m;

    model_begin(&m, 100);
    m.config.restarted = true;
    m.config.last_wall_ns = MODEL_BEGIN_NS - 60 * S_NS;
    m.markets[7].unlisted = m.markets[7].refused = m.markets[7].gone = true;
    model_run(&m, 0);
    model_market(&m, 7); /* as START tells of it: before any line is up */
    model_run(&m, 30 * S_NS);
    CHECK(!m.markets[7].planned);
    CHECK_INT(model_planned(&m), 99);
    CHECK_INT(stats(&m).markets_planned, 99);
    CHECK(model_live(&m));
    CHECK_INT(m.warnings + m.failures, 0);
    m.markets[7].unlisted = m.markets[7].refused = m.markets[7].gone = false;
    model_market(&m, 7); /* it is there after all */
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 100);
    model_end(&m);
}

KDP_TEST(combinations_cost_nothing_until_they_are_wanted)
{
    struct model m;

    model_begin(&m, 1000);
    for (uint32_t i = 500; i < 1000; i++)
        m.markets[i].combo = true;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    for (uint32_t i = 500; i < 1000; i++)
        model_market(&m, i);
    model_run(&m, 5 * S_NS);
    CHECK_INT(model_planned(&m), 500);
    CHECK_INT(stats(&m).markets_known, 500);
    model_end(&m);

    model_begin(&m, 1000);
    m.rules.combos = true;
    for (uint32_t i = 500; i < 1000; i++)
        m.markets[i].combo = true;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    for (uint32_t i = 500; i < 1000; i++)
        model_market(&m, i);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    model_run(&m, S_NS);
    CHECK(model_live(&m));
    CHECK_INT(model_planned(&m), 1000);
    model_end(&m);
}

KDP_TEST(a_whole_exchange_is_carried_cheaply)
{
    struct model m;

    model_begin(&m, 121000);
    m.config.connections = 4;
    m.rest_latency_ns = MS_NS;
    CHECK(model_until(&m, 60 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 121000);
    CHECK_INT(m.snapshot_commands, 0); /* every snapshot came by itself and in time */
    CHECK(m.commands < 1000);
    model_reset(&m, 1);
    CHECK(model_until(&m, 30 * S_NS, model_live));
    CHECK_INT(stats(&m).markets_planned, 121000);
    model_end(&m);
}

KDP_TEST(rules_of_another_kind_leave_alone_what_fits_both)
{
    static const char *const series[] = {"KXS0"}, *const globs[] = {"KXS*"}, *const event[] = {"KXS0-E0"};
    struct kdp_rules by_series = {.series = series, .series_count = 1},
                     by_event = {.events = event, .event_count = 1};
    struct model m;

    model_begin(&m, 150);
    m.rules.tickers = globs;
    m.rules.ticker_count = 1;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 150);
    CHECK_INT(kdp_session_reload(m.session, &by_series), 0);
    model_run(&m, 30 * S_NS);
    CHECK_INT(model_planned(&m), 50);
    for (uint32_t i = 0; i < 50; i++)
        CHECK_INT(m.markets[i].snapshots, 1);
    CHECK_INT(kdp_session_reload(m.session, &by_event), 0);
    model_run(&m, 30 * S_NS);
    CHECK_INT(model_planned(&m), 5);
    for (uint32_t i = 0; i < 5; i++)
        CHECK_INT(m.markets[i].snapshots, 1);
    model_end(&m);
}

KDP_TEST(a_refused_listing_fills_no_hole_of_the_lifecycle)
{
    struct model m;
    uint64_t listings;

    model_begin(&m, 50);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    model_run(&m, 60 * S_NS);
    m.rest_status = 400;
    model_gap(&m, 1, 3);
    listings = m.listings;
    model_run(&m, 120 * S_NS);
    CHECK_INT(m.listed_timers, 0);
    CHECK(m.listings < listings + 10); /* and it is no loop */
    m.rest_status = 0;
    model_run(&m, 700 * S_NS);
    CHECK_INT(m.listed_timers, 1);
    model_end(&m);
}

KDP_TEST(a_line_whose_numbers_go_back_is_made_anew)
{
    struct kdp_notice notice = {.kind = KDP_NOTICE_REPEATS, .line = 1, .sid = 1};
    struct model m;

    model_begin(&m, 50);
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK_INT(m.lines[1].connects, 1);
    kdp_session_notice(m.session, &notice);
    model_run(&m, 10 * S_NS);
    CHECK_INT(m.lines[1].connects, 2);
    CHECK(model_live(&m));
    model_end(&m);
}

KDP_TEST(a_schedule_that_is_wrong_does_not_keep_a_dead_line)
{
    char body[512], from[KDPI_TIME_TEXT], to[KDPI_TIME_TEXT];
    struct model m;

    model_begin(&m, 20);
    kdpi_time_format(from, m.wall - 3600 * S_NS, 0);
    kdpi_time_format(to, m.wall + 36000 * S_NS, 0);
    snprintf(body, sizeof body,
             "{\"schedule\":{\"standard_hours\":[],\"maintenance_windows\":[{\"start_datetime\":\"%s\","
             "\"end_datetime\":\"%s\"}]}}",
             from, to);
    m.schedule = body;
    m.data_every_ns = S_NS;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    m.lines[1].silent = true; /* for ever: only another connection helps */
    model_run(&m, 200 * S_NS);
    CHECK_INT(m.lines[1].connects, 1);
    model_run(&m, 200 * S_NS);
    CHECK(m.lines[1].connects >= 2);
    CHECK_INT(m.lines[2].connects, 1);
    model_end(&m);
}
