/* test_session_books.c - the ladder that heals books, subscription limits, moving books, audits. */
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
live(struct model *m, uint32_t markets, uint32_t connections)
{
    model_begin(m, markets);
    m->config.connections = connections;
    CHECK(model_until(m, 30 * S_NS, model_live));
    model_run(m, S_NS); /* replies that are still on their way */
}

static uint32_t
recoverings(const struct model *m)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < m->market_count; i++)
        sum += m->markets[i].recoverings;
    return sum;
}

KDP_TEST(a_gap_asks_for_all_its_books_at_once)
{
    struct model m;

    live(&m, 1000, 2);
    model_run(&m, 5 * S_NS);
    model_gap(&m, 1, 0);
    CHECK(!model_live(&m));
    CHECK(model_until(&m, 100 * MS_NS, model_live));
    CHECK_INT(m.snapshot_commands, 2); /* 500 books, 250 in a command */
    CHECK_INT(recoverings(&m), 500);
    CHECK_INT(m.unsubscribes + m.deletes, 0);
    CHECK_INT(m.lines[1].connects, 1);
    model_end(&m);
}

KDP_TEST(a_gap_while_waiting_asks_again)
{
    struct model m;

    live(&m, 100, 1);
    model_run(&m, 5 * S_NS);
    m.latency_ns = 300 * MS_NS;
    model_gap(&m, 1, 0);
    model_run(&m, 100 * MS_NS);
    CHECK_INT(m.snapshot_commands, 1);
    model_gap(&m, 1, 0);
    model_run(&m, 10 * MS_NS);
    CHECK_INT(m.snapshot_commands, 2);
    CHECK(model_until(&m, S_NS, model_live));
    CHECK_INT(recoverings(&m), 100); /* one episode, told once */
    model_end(&m);
}

KDP_TEST(an_unanswered_get_snapshot_climbs_the_ladder)
{
    struct model m;

    live(&m, 100, 2);
    model_run(&m, 5 * S_NS);
    m.get_snapshot_deaf = 1u << 2;
    model_gap(&m, 2, 0);
    model_run(&m, 5 * S_NS); /* asked, and twice more */
    CHECK_INT(m.snapshot_commands, 3);
    CHECK_INT(m.unsubscribes, 0);
    CHECK(model_until(&m, 5 * S_NS, model_live));
    CHECK_INT(m.unsubscribes, 1); /* and subscribed anew, which brings the books */
    CHECK_INT(m.lines[2].connects, 1);
    model_end(&m);
}

KDP_TEST(a_deaf_subscription_ends_in_a_reconnect)
{
    struct model m;

    live(&m, 100, 2);
    model_run(&m, 5 * S_NS);
    m.lines[2].deaf = true;
    model_gap(&m, 2, 0);
    model_run(&m, 20 * S_NS);
    CHECK_INT(m.lines[2].connects, 1);
    model_run(&m, 20 * S_NS);
    CHECK(m.lines[2].connects >= 2);
    m.lines[2].deaf = false;
    CHECK(model_until(&m, 60 * S_NS, model_live));
    CHECK_INT(m.lines[1].connects, 1);
    model_end(&m);
}

KDP_TEST(what_nothing_heals_gets_a_rest_book)
{
    struct model m;

    live(&m, 40, 2);
    model_run(&m, 5 * S_NS);
    for (uint32_t i = 0; i < 40; i++)
        m.markets[i].mute = true;
    model_gap(&m, 2, 0);
    model_run(&m, 60 * S_NS);
    CHECK(m.unsubscribes >= 1);
    CHECK(m.lines[2].connects >= 2);
    CHECK(m.book_gets >= 20);
    CHECK(model_live(&m)); /* by REST */
    for (uint32_t i = 0; i < 40; i++)
        m.markets[i].mute = false;
    model_run(&m, 120 * S_NS);
    for (uint32_t i = 0; i < 40; i++)
        CHECK(m.markets[i].line != 0); /* and by the stream again */
    model_end(&m);
}

KDP_TEST(one_stubborn_market_never_takes_the_others_down)
{
    struct model m;

    model_begin(&m, 2000);
    m.markets[7].mute = true;
    m.config.connections = 1;
    model_run(&m, 60 * S_NS);
    CHECK_INT(m.unsubscribes, 0);
    CHECK_INT(m.lines[1].connects, 1);
    CHECK(m.deletes >= 1);
    CHECK(m.markets[7].rest_books >= 1);
    for (uint32_t i = 0; i < 2000; i++)
        CHECK(i == 7 || m.markets[i].snapshots == 1);
    model_run(&m, 600 * S_NS);
    CHECK(m.markets[7].rest_books < 25); /* once in a while, not all the time */
    m.markets[7].mute = false;
    model_run(&m, 60 * S_NS);
    CHECK_INT(m.markets[7].line, 1);
    model_end(&m);
}

KDP_TEST(a_market_without_a_first_snapshot_is_asked_for)
{
    struct model m;

    model_begin(&m, 100);
    m.lose_snapshot = 300;
    model_run(&m, 3 * S_NS);
    m.lose_snapshot = 0;
    CHECK(model_until(&m, 10 * S_NS, model_live));
    CHECK(m.snapshot_commands >= 1);
    CHECK_INT(m.unsubscribes, 0);
    model_end(&m);
}

KDP_TEST(a_late_or_lost_reply_does_not_matter)
{
    struct model m;

    model_begin(&m, 3000);
    m.lose_reply = 1000; /* every one: sids are learnt from the data */
    m.trades_per_s = 10;
    m.config.connections = 1;
    model_run(&m, 14 * S_NS);
    CHECK_INT(model_sub(&m, 1, 0)->members, 3000);
    CHECK(model_live(&m));
    CHECK_INT(m.lines[1].connects, 1);
    model_end(&m);
}

KDP_TEST(one_book_that_goes_stale_is_asked_for_alone)
{
    struct model m;

    live(&m, 100, 1);
    model_run(&m, 5 * S_NS);
    model_stale(&m, 5, KDP_REASON_NEGATIVE_LEVEL);
    CHECK(model_until(&m, 100 * MS_NS, model_live));
    CHECK_INT(m.snapshot_commands, 1);
    CHECK_INT(m.markets[5].snapshots, 2);
    CHECK_INT(m.markets[6].snapshots, 1);
    /* again and again at once: paced */
    for (int i = 0; i < 100; i++) {
        model_run(&m, 20 * MS_NS);
        model_stale(&m, 5, KDP_REASON_MALFORMED);
    }
    CHECK(m.snapshot_commands < 6);
    CHECK(model_until(&m, 3 * S_NS, model_live));
    model_end(&m);
}

KDP_TEST(terminal_errors_subscribe_anew_with_back_off)
{
    struct model m;

    live(&m, 100, 2);
    model_run(&m, 5 * S_NS);
    model_error(&m, 2, 0, 10);
    CHECK(!model_live(&m));
    CHECK(model_until(&m, S_NS, model_live));
    CHECK_INT(m.lines[2].connects, 1);
    CHECK(model_sub(&m, 2, 0)->sid == 2);
    for (int i = 0; i < 20; i++) {
        model_run(&m, S_NS);
        model_error(&m, 2, 0, 10);
    }
    CHECK(m.subscribes < 30); /* slower and slower */
    CHECK(model_until(&m, 60 * S_NS, model_live));
    model_end(&m);
}

KDP_TEST(an_overflow_that_repeats_moves_half_of_the_books)
{
    struct model m;

    live(&m, 100, 1);
    model_run(&m, 5 * S_NS);
    model_error(&m, 1, 0, 25);
    CHECK(model_until(&m, 5 * S_NS, model_live));
    CHECK_INT(stats(&m).lines_wanted, 1);
    model_error(&m, 1, 0, 25);
    CHECK(model_until(&m, 5 * S_NS, model_live));
    CHECK_INT(stats(&m).lines_wanted, 2);
    model_run(&m, S_NS);
    CHECK_INT(model_sub(&m, 1, 0)->members, 50);
    CHECK_INT(model_sub(&m, 2, 0)->members, 50);
    model_end(&m);
}

KDP_TEST(a_limit_of_markets_is_met_by_more_connections)
{
    struct model m;

    model_begin(&m, 3000);
    m.config.connections = 1;
    m.subscription_max = 400;
    CHECK(model_until(&m, 60 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 3000);
    CHECK(stats(&m).lines_wanted >= 8 && stats(&m).lines_wanted <= 10);
    for (uint16_t i = 1; i < MODEL_LINES; i++)
        CHECK(model_sub(&m, i, 0) == NULL || model_sub(&m, i, 0)->members <= 400);
    CHECK_INT(m.unsubscribes, 0);
    model_end(&m);
}

KDP_TEST(more_markets_than_all_connections_take_are_told)
{
    struct model m;

    model_begin(&m, 500);
    m.config.connections = 1;
    m.subscription_max = 10;
    model_run(&m, 60 * S_NS);
    CHECK(!model_live(&m));
    CHECK_INT(stats(&m).lines_wanted, KDP_LINES_LIVE_MAX);
    CHECK(m.warnings >= 1);
    CHECK(strstr(m.last_warning, "no more than") != NULL);
    m.subscription_max = 0;
    model_end(&m);
}

/* The exchange may take the first markets of a command that it refuses: then the others must not be asked for for ever. */
KDP_TEST(a_subscription_that_a_refused_command_filled_is_begun_anew)
{
    for (uint32_t markets = 16; markets <= 60; markets++)
        for (uint32_t most = 3; most <= 9; most += 2) {
            struct model m;

            model_begin(&m, markets);
            m.config.connections = 2;
            m.subscription_max = most;
            m.subscription_fills = true;
            model_run(&m, 90 * S_NS);
            if (!model_live(&m))
                kdp_test_fail(__FILE__, __LINE__, "%u markets, %u in a subscription: not all are live",
                              markets, most);
            model_end(&m);
        }
}

KDP_TEST(a_refused_ticker_does_not_take_its_batch_with_it)
{
    struct model m;

    model_begin(&m, 1000);
    m.config.connections = 1;
    m.markets[3].refused = m.markets[700].refused = true;
    model_run(&m, 40 * S_NS);
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(m.markets[i].refused || m.markets[i].snapshots > 0);
    CHECK(m.markets[3].rest_books > 0 && m.markets[700].rest_books > 0);
    CHECK_INT(m.unsubscribes, 0);
    CHECK_INT(m.warnings, 1);
    CHECK(m.commands < 120);
    m.markets[3].refused = m.markets[700].refused = false;
    model_run(&m, 60 * S_NS);
    CHECK(m.markets[3].line == 1 && m.markets[700].line == 1);
    model_end(&m);
}

/* An ok reply lists the whole subscription, so that one add for each new market would cost more than all else. */
KDP_TEST(new_markets_of_a_long_subscription_are_added_together)
{
    struct model m;
    uint64_t adds, deletes;
    int64_t begin;

    model_begin(&m, 20000);
    m.config.connections = 1;
    begin = m.wall + 30 * S_NS;
    for (uint32_t i = 0; i < 200; i++) {
        m.markets[i * 97].status = KDP_MARKET_STATUS_INITIALIZED;
        m.markets[i * 97].open_ns = begin + (int64_t)i * 10 * MS_NS;
    }
    model_run(&m, 29 * S_NS);
    CHECK(model_live(&m));
    CHECK_INT(model_sub(&m, 1, 0)->members, 19800);
    adds = m.adds;
    model_run(&m, 3200 * MS_NS); /* the last one opens 3 s from here on */
    CHECK(model_live(&m));
    CHECK_INT(model_sub(&m, 1, 0)->members, 20000);
    CHECK(m.adds - adds >= 5 && m.adds - adds <= 12); /* one each 0.2 s */
    deletes = m.deletes;
    for (uint32_t i = 0; i < 200; i++) {
        m.markets[i * 97].status = KDP_MARKET_STATUS_DETERMINED;
        model_market(&m, i * 97);
        model_run(&m, 10 * MS_NS);
    }
    model_run(&m, 500 * MS_NS);
    CHECK_INT(model_sub(&m, 1, 0)->members, 19800);
    CHECK(m.deletes - deletes >= 5 && m.deletes - deletes <= 13);
    model_end(&m);
}

KDP_TEST(books_of_a_line_that_cannot_be_had_go_to_the_others)
{
    struct model m;

    model_begin(&m, 300);
    m.config.connections = 3;
    m.connections_max = 2;
    CHECK(model_until(&m, 200 * S_NS, model_live));
    CHECK_INT(m.failures, 0);
    CHECK(m.warnings >= 1);
    CHECK_INT(model_sub(&m, 1, 0)->members + model_sub(&m, 2, 0)->members, 300);
    m.connections_max = 0;
    model_run(&m, 60 * S_NS);
    CHECK_INT(stats(&m).lines_up, 3);
    CHECK(model_live(&m));
    model_end(&m);
}

KDP_TEST(too_many_commands_are_slowed_down_and_repeated)
{
    struct model m;

    model_begin(&m, 20000);
    m.commands_max = 5;
    m.config.connections = 1;
    m.config.subscribe_batch = 200;
    CHECK(model_until(&m, 120 * S_NS, model_live));
    CHECK_INT(model_planned(&m), 20000);
    model_end(&m);
}

KDP_TEST(a_moved_book_is_subscribed_there_before_it_is_deleted_here)
{
    struct model m;
    uint32_t moved = 0;

    live(&m, 100, 2);
    for (int round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 100; i++)
            kdp_session_load(m.session, i + 1, m.markets[i].line == 1 ? 30 : 1);
        model_run(&m, 500 * MS_NS);
        CHECK(model_live(&m)); /* at no time without a book */
    }
    for (uint32_t i = 0; i < 100; i++)
        moved += m.markets[i].snapshots > 1;
    CHECK(moved >= 10);
    CHECK(m.deletes >= 1);
    CHECK_INT(model_sub(&m, 1, 0)->members + model_sub(&m, 2, 0)->members, 100);
    CHECK_INT(recoverings(&m), 0);
    model_end(&m);
}

KDP_TEST(a_closed_market_is_not_waited_for)
{
    struct model m;

    live(&m, 20, 1);
    model_run(&m, 5 * S_NS);
    m.markets[3].mute = true;
    m.markets[3].book = KDP_BOOK_STATE_CLOSED;
    {
        struct kdp_notice notice = {
            .kind = KDP_NOTICE_BOOK, .line = 1, .sid = m.markets[3].sid, .instrument = 4};

        notice.book.state = KDP_BOOK_STATE_CLOSED;
        kdp_session_notice(m.session, &notice);
    }
    model_gap(&m, 1, 0);
    model_run(&m, 60 * S_NS);
    CHECK_INT(m.snapshot_commands, 1);
    CHECK_INT(m.deletes + m.book_gets, 0);
    model_end(&m);
}

KDP_TEST(books_are_audited_round_robin)
{
    struct model m;
    uint32_t audited = 0;

    live(&m, 100, 1);
    model_run(&m, 200 * S_NS);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(m.markets[i].audits <= 2);
        audited += m.markets[i].audits > 0;
    }
    CHECK(audited >= 80);
    CHECK(m.audit_gets >= 5 && m.audit_gets <= 7);
    m.no_batch = true; /* single requests, a few in a round */
    m.audit_gets = 0;
    model_run(&m, 120 * S_NS);
    CHECK(m.audit_gets >= 10 && m.audit_gets <= 30);
    model_end(&m);
}

KDP_TEST(a_hopeless_market_does_not_keep_the_others_off_the_ladder)
{
    struct model m;

    live(&m, 100, 1);
    m.markets[7].mute = true;
    model_stale(&m, 7, KDP_REASON_MALFORMED);
    model_run(&m, 60 * S_NS);
    for (int i = 1; i <= 4; i++) {
        m.get_snapshot_deaf = 1u << 1;
        model_gap(&m, 1, 0);
        model_run(&m, 10 * S_NS);
        m.get_snapshot_deaf = 0;
        model_run(&m, 90 * S_NS);
        CHECK_INT(m.lines[1].connects, 1); /* each time it is the subscribe that heals */
        for (uint32_t k = 0; k < 100; k++)
            CHECK(k == 7 || m.markets[k].rest_books == 0);
    }
    model_end(&m);
}

KDP_TEST(a_sid_that_is_unknown_again_and_again_is_asked_for_more_and_more_rarely)
{
    struct model m;

    live(&m, 100, 1);
    model_run(&m, 5 * S_NS);
    for (int i = 0; i < 60; i++) {
        model_run(&m, S_NS / 2);
        model_error(&m, 1, 0, 7);
    }
    CHECK(m.subscribes < 30);
    CHECK(model_until(&m, 60 * S_NS, model_live));
    model_end(&m);
}
