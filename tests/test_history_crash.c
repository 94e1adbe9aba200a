/* test_history_crash.c - history writers that are killed at every step, and beside a sealer: docs/design/history.md. */
#include <fcntl.h>
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
#include "kdp_test.h"
#include "manifest.h"
#include "support/history_fixture.h"

#define MARKETS 2u
#define EACH 40u /* trades of a market: one an hour, nearly two days */
#define STEP_NS HOUR_NS
#define END_NS (DAY_0 + 48 * HOUR_NS)

static void
kill_at(void *arg)
{
    int *left = arg;

    if (--*left == 0)
        kill(getpid(), SIGKILL);
}

static void
ok(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "%s\n", kdp_error_text());
    _exit(3);
}

/* What a backfill does: for each market whose window is missing all its trades, the first half filed before the rest is
 * there, and then the window; a candle for each, too. */
static void
fill(const char *dir, int steps)
{
    struct kdp_history_config config = {.dir = dir, .step = kill_at, .step_arg = &steps};
    unsigned table = (unsigned)kdp_history_table_find("candles");
    struct kdp_history *history;

    ok(kdp_history_open(&history, &config));
    for (unsigned market = 1; market <= MARKETS; market++) {
        const struct past past = {market, DAY_0, STEP_NS};
        const char *cells[20] = {NULL, "2026-11-18T01:00:00Z", "3600", "0.4300"};
        struct kdp_history_window *windows;
        char ticker[PAST_TICKER];
        size_t count;

        past_ticker(ticker, market);
        ok(kdp_history_missing(history, "trades", ticker, DAY_0, END_NS, &windows, &count));
        free(windows);
        if (count == 0)
            continue;
        history_give(history, &past, EACH / 2, EACH);
        if (market % 2 == 1)
            ok(kdp_history_flush(history));
        history_give(history, &past, 0, EACH / 2 + 5);
        ok(kdp_history_window(history, "trades", ticker, DAY_0, END_NS));
        cells[0] = ticker;
        ok(kdp_history_row(history, table, cells, 20));
        ok(kdp_history_flush(history));
    }
    kdp_history_close(history);
}

/* Fills in a process of its own; true when it was killed at the step. */
static bool
fill_until_killed(const char *dir, int steps)
{
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        fill(dir, steps);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* What must be so after any kill: no trade twice, and all of a market whose window is named. */
static void
check_promises(const char *dir, bool whole)
{
    struct kdp_manifest manifest;
    char want[PAST_TICKER + 8];
    const char *got;

    got = lake_ask(dir, 0,
                   "SELECT 'twice ' || (SELECT count(*) - count(DISTINCT trade_id) FROM trades) || ' ' || "
                   "(SELECT count(*) "
                   "- count(DISTINCT ticker) FROM candles) || coalesce((SELECT string_agg(' ' || ticker || "
                   "'=' || c, '') FROM "
                   "(SELECT ticker, count(*) AS c FROM trades GROUP BY ticker)), '') || ' '");
    CHECK_INT(strncmp(got, "twice 0 0 ", 10), 0);
    CHECK_INT(kdp_manifest_read(&manifest, dir, "trades"), 0);
    if (whole)
        CHECK_INT(manifest.window_count, MARKETS);
    for (size_t i = 0; i < manifest.window_count; i++) {
        CHECK_INT(manifest.windows[i].start_ns, DAY_0);
        CHECK_INT(manifest.windows[i].end_ns, END_NS);
        snprintf(want, sizeof want, " %s=%u ", manifest.windows[i].scope, EACH);
        if (strstr(got, want) == NULL)
            kdp_test_fail(__FILE__, __LINE__, "a window without its trades: %s in:%s", want, got);
    }
    kdp_manifest_release(&manifest);
}

/* Every file of the table is named by its manifest, and nothing else lies there. */
static void
check_files(const char *dir, const char *table)
{
    char *files = lake_files(dir, table);
    struct kdp_manifest manifest;
    size_t count = 0;

    for (const char *at = files; (at = strstr(at, ".parquet")) != NULL; at++)
        count++;
    CHECK(strstr(files, ".tmp-") == NULL);
    CHECK_INT(kdp_manifest_read(&manifest, dir, table), 0);
    CHECK_INT(count, manifest.count);
    kdp_manifest_release(&manifest);
    free(files);
}

static void
kill_at_steps(int from, int by)
{
    bool killed = true;
    char dir[600];
    int step = from;

    lake_need_duckdb();
    for (; killed; step += by) {
        snprintf(dir, sizeof dir, "%s/%d", kdp_test_dir(), step);
        CHECK_INT(mkdir(dir, 0777), 0);
        killed = fill_until_killed(dir, step);
        check_promises(dir, false);
        if (step % 3 == 0 &&
            fill_until_killed(dir, 1 + step / 2)) /* and the one that takes over, elsewhere */
            check_promises(dir, false);
        fill_until_killed(dir, 0);
        check_promises(dir, true);
        check_files(dir, "trades");
        check_files(dir, "candles");
    }
    CHECK(step > 20); /* there were that many steps to be killed at */
}

KDP_TEST(a_writer_killed_at_any_step_neither_loses_nor_doubles_a_trade_1)
{
    kill_at_steps(1, 4);
}

KDP_TEST(a_writer_killed_at_any_step_neither_loses_nor_doubles_a_trade_2)
{
    kill_at_steps(2, 4);
}

KDP_TEST(a_writer_killed_at_any_step_neither_loses_nor_doubles_a_trade_3)
{
    kill_at_steps(3, 4);
}

KDP_TEST(a_writer_killed_at_any_step_neither_loses_nor_doubles_a_trade_4)
{
    kill_at_steps(4, 4);
}

/* ---- beside a sealer ---- */
static void
send(int fd, char byte)
{
    CHECK_INT(write(fd, &byte, 1), 1);
}

/* A sealer that is started anew for each piece of the stream, so that it sweeps each time, and closes the days. */
static void
seal_along(const struct lake_fixture *f, int from_parent)
{
    char byte;

    while (read(from_parent, &byte, 1) == 1) {
        struct kdp_lake_config config = {.dir = f->dir, .part_rows = 100};
        struct kdp_lake *lake;

        ok(kdp_lake_open(&lake, &config));
        ok(byte == 'd' ? kdp_lake_drain(lake) : kdp_lake_work(lake));
        kdp_lake_close(lake);
    }
}

KDP_TEST(a_writer_and_a_sealer_work_on_one_table_and_day_without_losing_a_row)
{
    const struct past past = {1, DAY_0, 20 * KDP_NS_PER_S}; /* 11 hours of the day that is being sealed */
    struct kdp_history *history = NULL;
    struct kdp_manifest manifest;
    struct lake_fixture *f;
    int trades, pipes[2], status;
    pid_t pid;

    lake_need_duckdb();
    trades = kdp_lake_table_find("trades");
    f = lake_fixture_new(kdp_test_seed(), 6000, DAY_0 + 16 * HOUR_NS, 4 * KDP_NS_PER_S);
    lake_fixture_write(f, 200, false);
    CHECK_INT(pipe(pipes), 0);
    fcntl(pipes[1], F_SETFD, FD_CLOEXEC);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(pipes[1]);
        seal_along(f, pipes[0]);
        _exit(0);
    }
    close(pipes[0]);
    for (uint64_t round = 0; round < 20; round++) {
        send(pipes[1], round % 5 == 4 ? 'd' : 'w');
        if (round % 4 == 0) { /* a new writer sweeps, too */
            kdp_history_close(history);
            history = history_open(f->dir);
        }
        history_give(history, &past, round * 100, (round + 1) * 100);
        CHECK_INT(kdp_history_window(history, "trades", "KXHIST-26NOV-T1",
                                     past.first_ns + (int64_t)round * 100 * past.step_ns,
                                     past.first_ns + (int64_t)(round + 1) * 100 * past.step_ns),
                  0);
        lake_fixture_write(f, 200 + (round + 1) * 290, false);
        history_flush(history);
    }
    CHECK_STR(history_misses(history, "KXHIST-26NOV-T1", DAY_0, DAY_0 + 40000 * KDP_NS_PER_S), "");
    kdp_history_close(history);
    close(pipes[1]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    lake_fixture_write(f, f->count, true);
    lake_seal(f->dir, NULL, NULL);
    CHECK_STR(lake_ask(f->dir, 0, "SELECT count(*) FROM trades WHERE origin = 'history'"), "2000");
    CHECK_INT(strtoull(lake_ask(f->dir, 0, "SELECT count(*) FROM trades WHERE seq IS NOT NULL"), NULL, 10),
              lake_fixture_rows(f, (unsigned)trades, f->count));
    CHECK_STR(lake_ask(f->dir, 0, "SELECT count(*) - count(DISTINCT trade_id) FROM trades"), "0");
    check_files(f->dir, "trades");
    CHECK_INT(kdp_manifest_read(&manifest, f->dir, "trades"), 0);
    CHECK_INT(manifest.window_count, 1);
    CHECK_INT(manifest.sealed_seq, f->count);
    kdp_manifest_release(&manifest);
    lake_fixture_free(f);
}

/* Each leaves alone what the other is writing, and removes what one of its own left. */
KDP_TEST(each_writer_sweeps_its_own_leftovers_only)
{
    const struct past past = {1, DAY_0, KDP_NS_PER_S};
    static const char *const left[] = {"hist-7-1.parquet", ".tmp-hist-7-2.parquet", "part-1-2.parquet",
                                       ".tmp-day.parquet"};
    struct kdp_history *history;
    struct lake_fixture *f;
    char path[800];

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed(), 400, DAY_0 + 16 * HOUR_NS, 60 * KDP_NS_PER_S);
    lake_fixture_write(f, 400, true);
    lake_seal(f->dir, NULL, NULL);
    for (int sealer = 0; sealer < 2; sealer++) {
        for (unsigned i = 0; i < 4; i++) {
            snprintf(path, sizeof path, "%s/trades/date=2026-11-18/%s", f->dir, left[i]);
            close(open(path, O_CREAT | O_WRONLY, 0666));
        }
        if (sealer == 1) {
            lake_seal(f->dir, NULL, NULL);
        } else {
            history = history_open(f->dir);
            history_give(history, &past, 0, 10);
            history_flush(history);
            kdp_history_close(history);
        }
        for (unsigned i = 0; i < 4; i++) {
            snprintf(path, sizeof path, "%s/trades/date=2026-11-18/%s", f->dir, left[i]);
            CHECK_INT(access(path, F_OK) == 0, (i < 2) == (sealer == 1));
        }
    }
    kdp_history_close(history_open(f->dir));
    check_files(f->dir, "trades");
    CHECK_STR(lake_ask(f->dir, 0, "SELECT count(*) FROM trades WHERE origin = 'history'"), "10");
    lake_fixture_free(f);
}

KDP_TEST(a_lost_manifest_is_told_not_taken_for_an_empty_table)
{
    const struct past past = {1, DAY_0, KDP_NS_PER_S};
    struct kdp_history_config config = {.dir = kdp_test_dir()};
    struct kdp_lake_config lake_config = {.dir = kdp_test_dir()};
    struct kdp_history *history;
    struct kdp_lake *lake;
    char path[800];

    lake_need_duckdb();
    history = history_open(config.dir);
    history_give(history, &past, 0, 10);
    history_flush(history);
    kdp_history_close(history);
    snprintf(path, sizeof path, "%s/trades/manifest.json", config.dir);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(kdp_history_open(&history, &config), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "the manifest is gone") != NULL);
    CHECK_INT(kdp_lake_open(&lake, &lake_config), -KDP_EFORMAT);
    snprintf(path, sizeof path, "%s/trades/date=2026-11-18/hist-1-1.parquet", config.dir);
    CHECK_INT(access(path, F_OK), 0);
}
