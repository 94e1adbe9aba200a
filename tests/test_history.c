/* test_history.c - what is filed of the past, and what a second time adds: docs/design/history.md. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "manifest.h"
#include "record.h"
#include "support/history_fixture.h"

KDP_TEST(trades_and_their_window_are_there_after_a_flush_and_a_second_time_adds_nothing)
{
    const struct past one = {1, DAY_0 + 20 * HOUR_NS, 30 * KDP_NS_PER_S}, /* over a midnight */
        two = {2, DAY_0 + 20 * HOUR_NS, KDP_NS_PER_S};
    struct kdp_history_totals totals;
    const char *dir = kdp_test_dir();
    struct kdp_history *history;

    lake_need_duckdb();
    for (int round = 0; round < 2; round++) {
        history = history_open(dir);
        history_give(history, &one, 0, 1000);
        history_give(history, &two, 0, 500);
        history_give(history, &two, 400, 500); /* a page that overlaps */
        CHECK_INT(kdp_history_window(history, "trades", "KXHIST-26NOV-T1", DAY_0, DAY_0 + 48 * HOUR_NS), 0);
        history_flush(history);
        kdp_history_totals(history, &totals);
        CHECK_INT(totals.given, 1600);
        CHECK_INT(totals.inserted, round == 0 ? 1500 : 0);
        CHECK_INT(totals.already, round == 0 ? 0 : 1500);
        CHECK_INT(totals.duplicates, 100);
        CHECK_INT(totals.files, round == 0 ? 2 : 0);
        CHECK_STR(history_misses(history, "KXHIST-26NOV-T1", DAY_0, DAY_0 + 49 * HOUR_NS), "172800-176400");
        CHECK_STR(history_misses(history, "KXHIST-26NOV-T2", DAY_0, DAY_0 + HOUR_NS), "0-3600");
        kdp_history_close(history);
    }
    /* a directory without any stream answers */
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM trades"), "1500");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM trades WHERE seq IS NULL AND origin = 'history'"),
              "1500");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(DISTINCT trade_id) FROM trades WHERE ticker LIKE '%%T1'"),
              "1000");
    CHECK_STR(lake_ask(dir, 0, "SELECT max(recv_ts) FROM trades"), "2026-12-29T16:00:00.000000000Z");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM bbo"), "0");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM candles"), "0");
}

KDP_TEST(what_comes_twice_in_a_run_is_told_apart_from_what_was_there)
{
    const struct past one = {1, DAY_0, KDP_NS_PER_S}, other = {2, DAY_0, KDP_NS_PER_S};
    struct kdp_history_totals totals;
    struct kdp_history *history;
    struct kdp_message msg;
    char ticker[PAST_TICKER];

    lake_need_duckdb();
    history = history_open(kdp_test_dir());
    history_give(history, &one, 0, 100);
    history_flush(history);
    history_give(history, &one, 50, 150); /* half of it written by this run already */
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.inserted, 150);
    CHECK_INT(totals.already, 0);
    CHECK_INT(totals.duplicates, 50);
    /* the id decides, together with market and day */
    past_trade(&msg, ticker, &one, 7);
    past_ticker(ticker, other.market);
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), 0);
    past_trade(&msg, ticker, &one, 7);
    msg.exch_ns += KDP_NS_PER_DAY;
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), 0);
    past_trade(&msg, ticker, &one, 7);
    msg.exch_ns += KDP_NS_PER_S; /* a time corrected within the day is no other trade */
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), 0);
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.inserted, 152);
    CHECK_INT(totals.duplicates, 51);
    kdp_history_close(history);
}

KDP_TEST(a_trade_that_cannot_be_filed_is_refused)
{
    const struct past one = {1, DAY_0, KDP_NS_PER_S};
    struct kdp_history *history;
    struct kdp_message msg;
    char ticker[PAST_TICKER], longer[300];

    lake_need_duckdb();
    history = history_open(kdp_test_dir());
    past_trade(&msg, ticker, &one, 1);
    msg.exch_ns = KDP_TIME_NULL;
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), -KDP_EINVAL);
    past_trade(&msg, ticker, &one, 1);
    msg.market_ticker.len = 0;
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), -KDP_EINVAL);
    memset(longer, 'A', sizeof longer);
    msg.market_ticker = (struct kdp_text){longer, sizeof longer};
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), -KDP_EINVAL);
    past_trade(&msg, ticker, &one, 1);
    ticker[3] = '\0';
    CHECK_INT(kdp_history_trade(history, &msg, DAY_0), -KDP_EINVAL);
    CHECK_INT(kdp_history_window(history, "trades", "", 0, 1), -KDP_EINVAL);
    CHECK_INT(kdp_history_window(history, "trades", "X", 1, 1), -KDP_EINVAL);
    CHECK_INT(kdp_history_window(history, "bbo", "X", 0, 1), -KDP_EINVAL);
    kdp_history_close(history);
}

KDP_TEST(a_second_writer_is_refused_and_told_who_has_it)
{
    struct kdp_history_config config = {.dir = kdp_test_dir()};
    struct kdp_history *first, *second;
    char pid[32];

    lake_need_duckdb();
    first = history_open(config.dir);
    CHECK_INT(kdp_history_open(&second, &config), -KDP_EBUSY);
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    CHECK(strstr(kdp_error_text(), pid) != NULL);
    kdp_history_close(first);
    kdp_history_close(history_open(config.dir));
}

/* ---- windows ---- */
KDP_TEST(windows_of_all_markets_count_for_each_and_what_is_forgotten_is_missing_again)
{
    const char *dir = kdp_test_dir();
    struct kdp_history *history;

    lake_need_duckdb();
    history = history_open(dir);
    CHECK_INT(
        kdp_history_window(history, "trades", "*", DAY_0 + 100 * KDP_NS_PER_S, DAY_0 + 200 * KDP_NS_PER_S),
        0);
    CHECK_INT(
        kdp_history_window(history, "trades", "A", DAY_0 + 150 * KDP_NS_PER_S, DAY_0 + 300 * KDP_NS_PER_S),
        0);
    CHECK_INT(
        kdp_history_window(history, "trades", "A", DAY_0 + 400 * KDP_NS_PER_S, DAY_0 + 500 * KDP_NS_PER_S),
        0);
    CHECK_STR(history_misses(history, "A", DAY_0, DAY_0 + 600 * KDP_NS_PER_S),
              "0-600"); /* it counts with a flush */
    history_flush(history);
    CHECK_STR(history_misses(history, "A", DAY_0, DAY_0 + 600 * KDP_NS_PER_S), "0-100 300-400 500-600");
    CHECK_STR(history_misses(history, "B", DAY_0, DAY_0 + 600 * KDP_NS_PER_S), "0-100 200-600");
    CHECK_STR(history_misses(history, "*", DAY_0, DAY_0 + 150 * KDP_NS_PER_S), "0-100");
    CHECK_STR(history_misses(history, "A", DAY_0 + 110 * KDP_NS_PER_S, DAY_0 + 290 * KDP_NS_PER_S), "");
    CHECK_INT(
        kdp_history_forget(history, "trades", "A", DAY_0 + 210 * KDP_NS_PER_S, DAY_0 + 220 * KDP_NS_PER_S),
        0);
    CHECK_INT(kdp_history_forget(history, "trades", "A", DAY_0, DAY_0 + KDP_NS_PER_S), 0); /* nothing there */
    CHECK_STR(history_misses(history, "A", DAY_0 + 110 * KDP_NS_PER_S, DAY_0 + 290 * KDP_NS_PER_S),
              "210-220");
    /* what waits for a flush is taken back too */
    CHECK_INT(
        kdp_history_window(history, "trades", "A", DAY_0 + 210 * KDP_NS_PER_S, DAY_0 + 215 * KDP_NS_PER_S),
        0);
    CHECK_INT(
        kdp_history_forget(history, "trades", "A", DAY_0 + 214 * KDP_NS_PER_S, DAY_0 + 220 * KDP_NS_PER_S),
        0);
    history_flush(history);
    CHECK_STR(history_misses(history, "A", DAY_0 + 110 * KDP_NS_PER_S, DAY_0 + 290 * KDP_NS_PER_S),
              "210-220");
    kdp_history_close(history);
    history = history_open(dir); /* and so it stays */
    CHECK_STR(history_misses(history, "A", DAY_0 + 110 * KDP_NS_PER_S, DAY_0 + 290 * KDP_NS_PER_S),
              "210-220");
    /* candles have windows of their own */
    CHECK_INT(kdp_history_window(history, "candles", "A/60", DAY_0, DAY_0 + HOUR_NS), 0);
    history_flush(history);
    kdp_history_close(history);
}

KDP_TEST(what_was_not_flushed_is_gone_and_its_window_with_it)
{
    const struct past one = {1, DAY_0, KDP_NS_PER_S};
    const char *dir = kdp_test_dir();
    struct kdp_history *history;

    lake_need_duckdb();
    history = history_open(dir);
    history_give(history, &one, 0, 100);
    CHECK_INT(kdp_history_window(history, "trades", "KXHIST-26NOV-T1", DAY_0, DAY_0 + HOUR_NS), 0);
    kdp_history_close(history);
    history = history_open(dir);
    CHECK_STR(history_misses(history, "KXHIST-26NOV-T1", DAY_0, DAY_0 + HOUR_NS), "0-3600");
    kdp_history_close(history);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM trades"), "0");
}

/* ---- beside a stream ---- */
/* Gives back to the history writer what a query of ticker, time in ns and trade id lists. */
static uint64_t
give_rows(struct kdp_history *history, const char *rows)
{
    uint64_t count = 0;

    for (const char *line = rows; *line != '\0'; line = strchr(line, '\n') + 1, count++) {
        struct kdp_message msg = {.kind = KDP_MESSAGE_TRADE};
        const char *time = strchr(line, '|') + 1, *id = strchr(time, '|') + 1;
        unsigned byte;

        msg.market_ticker = (struct kdp_text){line, (size_t)(time - line) - 1};
        msg.exch_ns = strtoll(time, NULL, 10);
        for (unsigned i = 0; i < 16; i++, id += 2) {
            id += *id == '-';
            CHECK_INT(sscanf(id, "%2x", &byte), 1);
            msg.trade.trade_id[i] = (uint8_t)byte;
        }
        msg.trade.price_e4 = 100;
        msg.trade.count_e2 = 100;
        if (kdp_history_trade(history, &msg, DAY_0) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    }
    return count;
}

KDP_TEST(trades_that_were_captured_are_not_filed_again_be_they_sealed_or_on_the_tape)
{
    const struct past one = {1, DAY_0 + 12 * HOUR_NS, KDP_NS_PER_S};
    struct kdp_history_totals totals;
    struct kdp_history *history;
    struct lake_fixture *f;
    int64_t limit_ns;
    uint64_t given;
    char *rows;

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed(), 9000, DAY_0 + 10 * HOUR_NS, 4 * KDP_NS_PER_S); /* 10 h */
    lake_fixture_write(f, 7000, false);
    lake_seal(f->dir, NULL, NULL);
    lake_fixture_write(f, 9000, true);
    history = history_open(f->dir);
    CHECK_INT(kdp_history_limit(history, &limit_ns), 0);
    CHECK(limit_ns > DAY_0 + 12 * HOUR_NS && limit_ns < DAY_0 + 18 * HOUR_NS);
    rows = lake_dump(
        f->dir, 0,
        "SELECT ticker, epoch_ns(\"timestamp\")::BIGINT, trade_id FROM trades WHERE ticker IS NOT NULL");
    given = give_rows(history, rows);
    free(rows);
    CHECK(given > 500);
    history_give(history, &one, 0, 10);
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.given, given + 10);
    CHECK_INT(totals.inserted, 10);
    CHECK(totals.already > given / 2 && totals.later > given / 10); /* the rest is behind the limit */
    CHECK_INT(totals.already + totals.later, given);
    kdp_history_close(history);
    CHECK_STR(lake_ask(f->dir, 0, "SELECT count(*) - count(DISTINCT trade_id) FROM trades"), "0");
    /* sealing, closing the day and querying go on as before, and leave history alone */
    lake_seal(f->dir, NULL, NULL);
    CHECK_STR(lake_ask(f->dir, 0, "SELECT count(*) FROM trades WHERE origin = 'history'"), "10");
    CHECK_STR(lake_ask(f->dir, 1, "SELECT count(*) FROM trades WHERE origin = 'history'"),
              "10"); /* at any cut */
    CHECK_STR(lake_ask(f->dir, 0, "SELECT count(*) - count(DISTINCT trade_id) FROM trades"), "0");
    lake_fixture_free(f);
}

KDP_TEST(a_refilled_trade_that_is_only_on_the_tape_is_known)
{
    struct kdp_history_totals totals;
    struct kdp_history *history;
    struct lake_fixture *f;
    char *rows;

    lake_need_duckdb();
    f = stream_start("tape");
    stream_market(f, DAY_0, 1, "KXHIST-26NOV-T1");
    stream_market(f, DAY_0, 2, "KXHIST-26NOV-T2");
    for (unsigned i = 1; i < 20; i++)
        stream_trade(f, DAY_0 + i * HOUR_NS, DAY_0 + i * HOUR_NS, 1);
    lake_fixture_write(f, f->count, false);
    lake_seal(f->dir, NULL, NULL);
    stream_trade(f, DAY_0 + 20 * HOUR_NS, DAY_0 + 5 * HOUR_NS + 1, 2); /* learnt late, not sealed yet */
    lake_fixture_write(f, f->count, true);
    history = history_open(f->dir);
    rows = lake_dump(
        f->dir, 0,
        "SELECT ticker, epoch_ns(\"timestamp\")::BIGINT, trade_id FROM trades WHERE ticker LIKE '%T2'");
    CHECK_INT(give_rows(history, rows), 1);
    free(rows);
    rows = lake_dump(
        f->dir, 0,
        "SELECT 'KXHIST-26NOV-T1', epoch_ns(\"timestamp\")::BIGINT, trade_id FROM trades WHERE ticker LIKE "
        "'%T2'");
    CHECK_INT(give_rows(history, rows), 1); /* the same id of another market is another trade */
    free(rows);
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.already, 1);
    CHECK_INT(totals.inserted, 1);
    kdp_history_close(history);
    lake_fixture_free(f);
}

KDP_TEST(a_captured_trade_is_known_by_its_id_though_the_stream_has_its_time_in_milliseconds)
{
    static const char *const looks[] = {
        "SELECT ticker, epoch_ns(\"timestamp\")::BIGINT + 876543, trade_id FROM trades ORDER BY "
        "\"timestamp\" LIMIT 1",
        "SELECT ticker, epoch_ns(\"timestamp\")::BIGINT - 456789, trade_id FROM trades ORDER BY seq DESC "
        "LIMIT 1",
        "SELECT ticker, epoch_ns(\"timestamp\")::BIGINT + 876543, trade_id FROM trades WHERE "
        "hour(\"timestamp\") = 9",
    };
    struct kdp_history_totals totals;
    struct kdp_history *history;
    struct lake_fixture *f;

    lake_need_duckdb();
    f = stream_start("fine");
    stream_market(f, DAY_0, 1, "KXHIST-26NOV-T1");
    for (unsigned i = 1; i < 20; i++)
        stream_trade(f, DAY_0 + i * HOUR_NS, DAY_0 + i * HOUR_NS, 1);
    lake_fixture_write(f, f->count, false);
    lake_seal(f->dir, NULL, NULL);
    stream_trade(f, DAY_0 + 20 * HOUR_NS, DAY_0 + 5 * HOUR_NS + HOUR_NS / 2, 1); /* on the tape alone */
    lake_fixture_write(f, f->count, true);
    history = history_open(f->dir);
    for (unsigned i = 0; i < sizeof looks / sizeof looks[0];
         i++) { /* alone in its batch: the oldest and the newest */
        char *rows = lake_dump(f->dir, 0, looks[i]);

        CHECK_INT(give_rows(history, rows), 1);
        free(rows);
        history_flush(history);
    }
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.already, 3);
    CHECK_INT(totals.inserted, 0);
    kdp_history_close(history);
    lake_fixture_free(f);
}

KDP_TEST(of_trades_of_one_time_live_comes_before_refilled_before_history)
{
    const struct past past = {1, DAY_0 + 5 * HOUR_NS, HOUR_NS};
    struct kdp_history *history;
    struct lake_fixture *f;

    lake_need_duckdb();
    f = stream_start("order");
    stream_market(f, DAY_0, 1, "KXHIST-26NOV-T1");
    stream_trade_of(f, DAY_0 + 6 * HOUR_NS, DAY_0 + 5 * HOUR_NS, 1, KDP_ORIGIN_REST_REFILL);
    stream_trade(f, DAY_0 + 7 * HOUR_NS, DAY_0 + 5 * HOUR_NS, 1); /* learnt later, but live */
    stream_trade(f, DAY_0 + 20 * HOUR_NS, DAY_0 + 20 * HOUR_NS, 1);
    lake_fixture_write(f, f->count, true);
    lake_seal(f->dir, NULL, NULL);
    history = history_open(f->dir);
    history_give(history, &past, 0, 2);
    history_flush(history);
    kdp_history_close(history);
    CHECK_STR(
        lake_ask(f->dir, 0,
                 "SELECT string_agg(origin || ' ' || hour(\"timestamp\"), ', ' ORDER BY " KDP_SQL_TRADE_ORDER
                 ") FROM trades"),
        "ws 5, rest_refill 5, history 5, history 6, ws 20");
    lake_fixture_free(f);
}

static int64_t
limit_of(const struct lake_fixture *f)
{
    struct kdp_history *history = history_open(f->dir);
    int64_t limit_ns;

    CHECK_INT(kdp_history_limit(history, &limit_ns), 0);
    kdp_history_close(history);
    return limit_ns == KDP_TIME_NULL ? -1 : (limit_ns - DAY_0) / KDP_NS_PER_S;
}

KDP_TEST(the_limit_is_behind_everything_the_plant_may_still_bring)
{
    struct lake_fixture *f;

    lake_need_duckdb();
    f = stream_start("limit");
    CHECK_INT(limit_of(f), -1); /* no stream: the caller's clock decides */
    stream_trade(f, DAY_0 + 3600 * KDP_NS_PER_S, DAY_0 + 3600 * KDP_NS_PER_S, 0);
    stream_trade(f, DAY_0 + 36000 * KDP_NS_PER_S, DAY_0 + 35990 * KDP_NS_PER_S, 0);
    lake_fixture_write(f, 2, false);
    CHECK_INT(limit_of(f), 3600 - 5); /* nothing sealed: what was before the stream */
    lake_seal(f->dir, NULL, NULL);
    CHECK_INT(limit_of(f), 35990 - 900); /* a restart asks from its newest trade on */
    stream_gap(f, DAY_0 + 40000 * KDP_NS_PER_S, KDP_GAP_STATUS_OPEN, DAY_0 + 30000 * KDP_NS_PER_S);
    stream_trade(f, DAY_0 + 50000 * KDP_NS_PER_S, DAY_0 + 50000 * KDP_NS_PER_S, 0);
    lake_fixture_write(f, 4, false);
    CHECK_INT(limit_of(f),
              30000 - 900); /* a hole that the plant has still to fill, also before it is sealed */
    lake_seal(f->dir, NULL, NULL);
    CHECK_INT(limit_of(f), 30000 - 900);
    stream_gap(f, DAY_0 + 60000 * KDP_NS_PER_S, KDP_GAP_STATUS_HEALED, DAY_0 + 30000 * KDP_NS_PER_S);
    lake_fixture_write(f, 5, false);
    CHECK_INT(limit_of(f), 50000 - 900);
    stream_gap(f, DAY_0 + 90000 * KDP_NS_PER_S, KDP_GAP_STATUS_HEALED, DAY_0 + 30000 * KDP_NS_PER_S);
    lake_fixture_write(f, 6, true);
    lake_seal(f->dir, NULL, NULL);
    CHECK_INT(limit_of(f), 90000 - 7200 - 900); /* a quiet night holds it back for two hours */
    lake_fixture_free(f);
}

KDP_TEST(trades_and_windows_behind_the_limit_are_left_to_the_plant)
{
    const struct past one = {1, DAY_0, 60 * KDP_NS_PER_S};
    struct kdp_history_totals totals;
    struct kdp_history *history;
    struct lake_fixture *f;

    lake_need_duckdb();
    f = stream_start("limit");
    stream_trade(f, DAY_0 + 3605 * KDP_NS_PER_S, DAY_0 + 3605 * KDP_NS_PER_S, 0);
    lake_fixture_write(f, 1, true);
    history = history_open(f->dir);
    history_give(history, &one, 0, 100);
    CHECK_INT(kdp_history_window(history, "trades", "KXHIST-26NOV-T1", DAY_0, DAY_0 + 2 * HOUR_NS), 0);
    CHECK_INT(
        kdp_history_window(history, "trades", "KXHIST-26NOV-T1", DAY_0 + 3 * HOUR_NS, DAY_0 + 4 * HOUR_NS),
        0);
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.inserted, 60);
    CHECK_INT(totals.later, 40);
    CHECK_STR(history_misses(history, "KXHIST-26NOV-T1", DAY_0, DAY_0 + 4 * HOUR_NS), "3600-14400");
    kdp_history_close(history);
    lake_fixture_free(f);
}

/* ---- bounds ---- */
static unsigned
files_in(const char *dir, const char *table)
{
    char *files = lake_files(dir, table);
    unsigned count = 0;

    for (const char *at = files; (at = strstr(at, ".parquet")) != NULL; at++)
        count++;
    free(files);
    return count;
}

KDP_TEST(small_memory_and_many_days_are_filed_in_several_goes)
{
    struct kdp_history_config config = {.dir = kdp_test_dir(),
                                        .memory_bytes = 8 << 20}; /* 32 MiB, the least */
    struct past past = {0, DAY_0, 10 * KDP_NS_PER_S};
    struct kdp_history_totals totals;
    struct kdp_history *history;
    char path[4096];

    lake_need_duckdb();
    history = history_open_with(&config);
    for (past.market = 1; past.market <= 12; past.market++)
        history_give(history, &past, 0, 25000); /* nearly 3 days each; the writer flushes by itself */
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.inserted, 300000);
    CHECK(totals.files >= 9); /* three goes at least */
    CHECK_INT(files_in(config.dir, "trades"), totals.files);
    kdp_history_close(history);
    CHECK_STR(lake_ask(config.dir, 0, "SELECT count(DISTINCT (ticker, trade_id)) FROM trades"), "300000");
    snprintf(path, sizeof path, "%s/.tmp-history", config.dir);
    CHECK(access(path, F_OK) != 0);
}

static int stop;

static int
stopped(void)
{
    return stop;
}

KDP_TEST(a_writer_that_is_stopped_does_not_flush_by_itself)
{
    struct kdp_history_config config = {.dir = kdp_test_dir(), .memory_bytes = 8 << 20, .stopped = stopped};
    const struct past past = {1, DAY_0, 10 * KDP_NS_PER_S};
    struct kdp_history *history;
    struct kdp_message msg;
    char ticker[PAST_TICKER];
    uint64_t given = 0;
    int rc = 0;

    lake_need_duckdb();
    history = history_open_with(&config);
    stop = 1;
    while (rc == 0 && given < 1000000) {
        past_trade(&msg, ticker, &past, given);
        rc = kdp_history_trade(history, &msg, DAY_0);
        given += rc == 0;
    }
    CHECK_INT(rc, -KDP_ESTOPPED);
    history_flush(history); /* what was fetched is filed all the same */
    kdp_history_close(history);
    CHECK_INT(strtoull(lake_ask(config.dir, 0, "SELECT count(*) FROM trades"), NULL, 10), given);
}

KDP_TEST(a_flush_is_due_when_the_file_would_have_its_size)
{
    struct kdp_history_config config = {.dir = kdp_test_dir(), .file_bytes = 100000};
    const struct past one = {1, DAY_0, KDP_NS_PER_S};
    struct kdp_history *history;

    lake_need_duckdb();
    history = history_open_with(&config);
    CHECK(!kdp_history_full(history));
    history_give(history, &one, 0, 1000);
    CHECK(!kdp_history_full(history));
    history_give(history, &one, 1000, 5000);
    CHECK(kdp_history_full(history));
    history_flush(history);
    CHECK(!kdp_history_full(history));
    kdp_history_close(history);
}

/* A full disk, for example: the caller waits and flushes again. */
KDP_TEST(a_flush_that_fails_can_be_repeated_and_leaves_no_files)
{
    const struct past one = {1, DAY_0 + 20 * HOUR_NS, 60 * KDP_NS_PER_S}; /* two days */
    const char *cells[20] = {"KXA-1", "2026-11-19T01:00:00Z", "3600"};
    struct kdp_history_totals totals;
    const char *dir = kdp_test_dir();
    struct kdp_history *history;
    char path[4096];

    lake_need_duckdb();
    history = history_open(dir);
    history_give(history, &one, 0, 10);
    CHECK_INT(kdp_history_row(history, (unsigned)kdp_history_table_find("candles"), cells, 20), 0);
    history_flush(history);
    history_give(history, &one, 0, 400); /* some are known */
    cells[3] = "0.4300";
    CHECK_INT(kdp_history_row(history, (unsigned)kdp_history_table_find("candles"), cells, 20), 0);
    CHECK_INT(kdp_history_window(history, "trades", "KXHIST-26NOV-T1", DAY_0, DAY_0 + 48 * HOUR_NS), 0);
    snprintf(path, sizeof path, "%s/trades/date=2026-11-19", dir); /* where the second file should go */
    CHECK_INT(close(creat(path, 0666)), 0);
    for (int i = 0; i < 2; i++) {
        CHECK(kdp_history_flush(history) < 0);
        CHECK(strstr(kdp_error_text(), "date=2026-11-19") != NULL || strstr(kdp_error_text(), dir) != NULL);
        CHECK_STR(history_misses(history, "KXHIST-26NOV-T1", DAY_0, DAY_0 + HOUR_NS), "0-3600");
    }
    CHECK_INT(files_in(dir, "trades"), 1);
    history_give(history, &one, 390, 410); /* more comes meanwhile */
    CHECK_INT(unlink(path), 0);
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.inserted, 410);
    CHECK_INT(totals.duplicates, 20);
    CHECK_INT(files_in(dir, "trades"), 3);
    CHECK_INT(files_in(dir, "candles"), 2);
    CHECK_STR(history_misses(history, "KXHIST-26NOV-T1", DAY_0, DAY_0 + HOUR_NS), "");
    kdp_history_close(history);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) || ' ' || count(DISTINCT trade_id) FROM trades"), "410 410");
}

KDP_TEST(a_damaged_file_of_history_is_named_with_the_way_out)
{
    const struct past one = {1, DAY_0, KDP_NS_PER_S};
    struct kdp_sql_config config = {.dir = kdp_test_dir()};
    struct kdp_sql_result *result;
    struct kdp_history *history;
    struct kdp_sql *sql;
    char path[4096];

    lake_need_duckdb();
    history = history_open(config.dir);
    history_give(history, &one, 0, 1000);
    history_flush(history);
    kdp_history_close(history);
    snprintf(path, sizeof path, "%s/trades/date=2026-11-18/hist-1-1.parquet", config.dir);
    CHECK_INT(truncate(path, 1000), 0);
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK_INT(kdp_sql_run(sql, "SELECT sum(price) FROM trades", &result), -KDP_ECHECKSUM);
    CHECK(strstr(kdp_error_text(), "hist-1-1.parquet") != NULL);
    CHECK(strstr(kdp_error_hint(), "kdp backfill the rest") != NULL);
    kdp_sql_close(sql);
    /* nothing is filed beside it as if it were not there */
    history = history_open(config.dir);
    history_give(history, &one, 0, 10);
    CHECK(kdp_history_flush(history) < 0);
    CHECK(strstr(kdp_error_text(), "cannot read the lake") != NULL);
    CHECK(strstr(kdp_error_text(), "hist-1-1.parquet") != NULL);
    CHECK(strchr(kdp_error_text(), '\n') == NULL);
    kdp_history_close(history);
}

/* ---- the tables without records ---- */
#define CANDLE_CELLS 20

KDP_TEST(rows_equal_to_the_newest_of_their_key_are_not_written_again)
{
    const char *cells[CANDLE_CELLS] = {"KXA-1", "2026-11-18T01:00:00Z", "3600"};
    const char *dir = kdp_test_dir();
    struct kdp_history_totals totals;
    struct kdp_history *history;
    unsigned table;

    lake_need_duckdb();
    table = (unsigned)kdp_history_table_find("candles");
    history = history_open(dir);
    cells[3] = "0.4300";
    cells[17] = "12.50";
    kdp_history_seen(history, DAY_0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), 0); /* twice the same */
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.rows[table], 1);
    kdp_history_close(history);
    history = history_open(dir);
    CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), 0); /* the same again */
    cells[3] = "0.4400";
    CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), 0); /* another */
    cells[3] = "0.4300";
    CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), 0); /* and back: a version of its own */
    cells[1] = "2026-11-19T01:00:00Z";
    CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), 0); /* another day */
    history_flush(history);
    kdp_history_totals(history, &totals);
    CHECK_INT(totals.rows[table], 3);
    CHECK_INT(totals.files, 2);
    kdp_history_close(history);
    /* the view has one candle a period, the newest; the files have all that was said of it */
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM candles"), "2");
    CHECK_STR(lake_ask(dir, 0,
                       "SELECT count(*) FROM read_parquet(['%s/candles/date=2026-11-18/hist-1-1.parquet', "
                       "'%s/candles/date=2026-11-18/hist-2-1.parquet'])",
                       dir, dir),
              "3");
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM candles WHERE seen_ts = '2026-11-18'"), "0");
    CHECK_STR(
        lake_ask(dir, 0,
                 "SELECT arg_max(yes_bid_open, seen_ts) FROM candles WHERE \"timestamp\" < '2026-11-19'"),
        "0.4300");
}

KDP_TEST(a_row_that_is_none_is_refused_and_names_its_column)
{
    const char *cells[CANDLE_CELLS] = {"KXA-1", NULL, "3600"};
    struct kdp_history *history;
    unsigned table;

    lake_need_duckdb();
    table = (unsigned)kdp_history_table_find("candles");
    history = history_open(kdp_test_dir());
    CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), -KDP_EINVAL);
    CHECK(strstr(kdp_error_text(), "candles.timestamp") != NULL);
    CHECK_INT(kdp_history_row(history, table, cells, 3), -KDP_EINVAL);
    CHECK_INT(kdp_history_row(history, 99, cells, 3), -KDP_EINVAL);
    cells[1] = "2026-11-18T01:00:00Z";
    cells[19] = "\xff";
    CHECK_INT(kdp_history_row(history, table, cells, CANDLE_CELLS), -KDP_EINVAL);
    CHECK(strstr(kdp_error_text(), "candles.tier") != NULL);
    CHECK_INT(kdp_history_table_find("trades"), -1);
    kdp_history_close(history);
}

KDP_TEST(every_table_of_history_answers_typed_when_it_is_empty)
{
    const struct kdp_history_table *tables;
    const char *dir = kdp_test_dir();
    unsigned count;

    lake_need_duckdb();
    tables = kdp_history_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        char list[8000] = "", want[2000] = "";
        size_t used = 0, wanted = 0;

        for (unsigned c = 0; c < tables[i].column_count; c++) {
            const char *comma = c > 0 ? ";" : "";

            used += (size_t)snprintf(list + used, sizeof list - used, "%s typeof(any_value(\"%s\"))",
                                     c > 0 ? " || ';' ||" : "", tables[i].columns[c].name);
            wanted += (size_t)snprintf(want + wanted, sizeof want - wanted, "%s%s", comma,
                                       tables[i].columns[c].sql);
        }
        CHECK_STR(lake_ask(dir, 0, "SELECT %s FROM %s", list, tables[i].name), want);
    }
}
