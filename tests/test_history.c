/* test_history.c - what is filed of the past, what a second time adds, and what a kill leaves: docs/design/history.md. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "history.h"
#include "kdp_test.h"
#include "manifest.h"
#include "message.h"
#include "support/lake_fixture.h"

#define DAY_0 INT64_C(1794960000000000000) /* 2026-11-18T00:00:00Z */
#define HOUR_NS (3600 * KDP_NS_PER_S)

/* Trade number n of a market, always the same. */
static void
make_trade(struct kdp_message *msg, char *ticker, unsigned market, uint64_t n, int64_t first_ns,
           int64_t step_ns)
{
    uint64_t random = (uint64_t)market << 32 | n, a = kdp_test_random(&random), b = kdp_test_random(&random);

    memset(msg, 0, sizeof *msg);
    msg->kind = KDP_MESSAGE_TRADE;
    msg->market_ticker.data = ticker;
    msg->market_ticker.len = (size_t)sprintf(ticker, "KXHIST-26NOV-T%u", market);
    msg->exch_ns = first_ns + (int64_t)n * step_ns;
    memcpy(msg->trade.trade_id, &a, 8);
    memcpy(msg->trade.trade_id + 8, &b, 8);
    msg->trade.price_e4 = (int32_t)(100 + a % 9800);
    msg->trade.count_e2 = (int64_t)(100 + b % 100000);
    msg->trade.taker_side = KDP_SIDE_YES;
}

static struct kdp_history *
open_history(const char *dir)
{
    struct kdp_history_config config = {.dir = dir};
    struct kdp_history *history;

    if (kdp_history_open(&history, &config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    return history;
}

static void
give(struct kdp_history *history, unsigned market, uint64_t from, uint64_t to, int64_t first_ns,
     int64_t step_ns)
{
    struct kdp_message msg;
    char ticker[64];

    for (uint64_t n = to; n-- > from;) { /* newest first, as the exchange does */
        make_trade(&msg, ticker, market, n, first_ns, step_ns);
        if (kdp_history_trade(history, &msg, DAY_0 + 100 * HOUR_NS) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    }
}

static void
flush(struct kdp_history *history)
{
    if (kdp_history_flush(history) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
}

KDP_TEST(trades_and_their_window_are_there_after_a_flush_and_a_second_time_adds_nothing)
{
    struct kdp_history_window *missing;
    struct kdp_history_totals totals;
    const char *dir = kdp_test_dir();
    struct kdp_history *history;
    size_t count;

    lake_need_duckdb();
    for (int round = 0; round < 2; round++) {
        history = open_history(dir);
        give(history, 1, 0, 1000, DAY_0 + 20 * HOUR_NS, 30 * KDP_NS_PER_S); /* over a midnight */
        give(history, 2, 0, 500, DAY_0 + 20 * HOUR_NS, KDP_NS_PER_S);
        give(history, 2, 400, 500, DAY_0 + 20 * HOUR_NS, KDP_NS_PER_S); /* a page that overlaps */
        CHECK_INT(kdp_history_window(history, "trades", "KXHIST-26NOV-T1", DAY_0, DAY_0 + 48 * HOUR_NS), 0);
        flush(history);
        kdp_history_totals(history, &totals);
        CHECK_INT(totals.given, 1600);
        CHECK_INT(totals.inserted, round == 0 ? 1500 : 0);
        CHECK_INT(totals.already, round == 0 ? 0 : 1500);
        CHECK_INT(totals.duplicates, 100);
        CHECK_INT(totals.files, round == 0 ? 2 : 0);
        CHECK_INT(kdp_history_missing(history, "trades", "KXHIST-26NOV-T1", DAY_0, DAY_0 + 49 * HOUR_NS,
                                      &missing, &count),
                  0);
        CHECK_INT(count, 1);
        CHECK_INT(missing[0].start_ns, DAY_0 + 48 * HOUR_NS);
        CHECK_INT(missing[0].end_ns, DAY_0 + 49 * HOUR_NS);
        free(missing);
        CHECK_INT(kdp_history_missing(history, "trades", "KXHIST-26NOV-T2", DAY_0, DAY_0 + HOUR_NS, &missing,
                                      &count),
                  0);
        CHECK_INT(count, 1);
        free(missing);
        kdp_history_close(history);
    }
    /* a directory without any stream answers */
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM trades"), "1500");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM trades WHERE seq IS NULL AND origin = 'history'"),
              "1500");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(DISTINCT trade_id) FROM trades WHERE ticker LIKE '%%T1'"),
              "1000");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM bbo"), "0");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM candles"), "0");
}

KDP_TEST(rows_equal_to_the_newest_of_their_key_are_not_written_again)
{
    const char *cells[20] = {"KXA-1", "2026-11-18T01:00:00Z", "3600"};
    const char *dir = kdp_test_dir();
    struct kdp_history_totals totals;
    struct kdp_history *history;
    unsigned table;

    lake_need_duckdb();
    table = (unsigned)kdp_history_table_find("candles");
    history = open_history(dir);
    cells[3] = "0.4300";
    cells[17] = "12.50";
    for (int i = 0; i < 2; i++)
        CHECK_INT(kdp_history_row(history, table, cells, 20), 0); /* twice the same */
    flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.rows[table], 1);
    kdp_history_close(history);
    history = open_history(dir);
    CHECK_INT(kdp_history_row(history, table, cells, 20), 0); /* the same again */
    cells[3] = "0.4400";
    CHECK_INT(kdp_history_row(history, table, cells, 20), 0); /* another */
    cells[3] = "0.4300";
    CHECK_INT(kdp_history_row(history, table, cells, 20), 0); /* and back: a version of its own */
    cells[1] = "2026-11-19T01:00:00Z";
    CHECK_INT(kdp_history_row(history, table, cells, 20), 0); /* another day */
    flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.rows[table], 3);
    CHECK_INT(totals.files, 2);
    kdp_history_close(history);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM candles"), "4");
    CHECK_STR(
        lake_ask(dir, 0,
                 "SELECT arg_max(yes_bid_open, seen_ts) FROM candles WHERE \"timestamp\" < '2026-11-19'"),
        "0.4300");
}
