/* test_lake.c - what is sealed, when, and what a query sees meanwhile: the rules of docs/design/lake.md. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "lake.h"
#include "manifest.h"
#include "support/lake_fixture.h"

#define DAY_0 INT64_C(1794960000000000000) /* 2026-11-18T00:00:00Z */
#define HOUR_NS (3600 * KDP_NS_PER_S)

static int64_t wall_ns; /* what the sealer takes for now */

static int64_t
wall(void)
{
    return wall_ns;
}

static char *
whole_table(const char *dir, const char *table)
{
    char text[256];

    snprintf(text, sizeof text, "SELECT * FROM %s ORDER BY ALL", table);
    return lake_dump(dir, 0, text);
}

static unsigned
occurs(const char *text, const char *what)
{
    unsigned count = 0;

    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        count++;
    return count;
}

KDP_TEST(rows_are_the_records_before_half_and_all_sealed)
{
    struct lake_fixture *f;
    char *before[KDP_LAKE_TABLES_MAX];
    const struct kdp_lake_table *tables;
    unsigned count;

    lake_need_duckdb();
    tables = kdp_lake_tables(&count);
    f = lake_fixture_new(kdp_test_seed(), 12000, DAY_0 + 20 * HOUR_NS,
                         2 * KDP_NS_PER_S); /* over a midnight */
    lake_fixture_write(f, 5000, false);
    lake_check(f, 5000); /* nothing sealed */
    lake_seal(f->dir, NULL, NULL);
    lake_check(f, 5000); /* all sealed */
    lake_fixture_write(f, 12000, true);
    lake_check(f, 12000); /* half of it on the tape only */
    for (unsigned i = 0; i < count; i++)
        before[i] = whole_table(f->dir, tables[i].name);
    lake_seal(f->dir, NULL, NULL);
    lake_check(f, 12000);
    /* and every cell is the same, whether it came from the tape or from a file */
    for (unsigned i = 0; i < count; i++) {
        char *after = whole_table(f->dir, tables[i].name);

        CHECK_STR(after, before[i]);
        free(after);
        free(before[i]);
    }
    lake_fixture_free(f);
}

KDP_TEST(the_same_cut_gives_the_same_answer)
{
    static const uint64_t cuts[] = {1, 999, 3000, 3001, 5999};
    struct lake_fixture *f;

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed() + 1, 6000, DAY_0 + 20 * HOUR_NS, 4 * KDP_NS_PER_S);
    lake_fixture_write(f, 3000, false);
    lake_seal(f->dir, NULL, NULL);
    lake_fixture_write(f, 6000, true);
    for (unsigned i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        lake_check(f, cuts[i]); /* partly below what is sealed, partly above */
    lake_seal(f->dir, NULL, NULL);
    for (unsigned i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        lake_check(f, cuts[i]);
    lake_fixture_free(f);
}

KDP_TEST(a_cut_beyond_the_head_is_refused)
{
    struct kdp_sql_config config = {.at_seq = 101};
    struct lake_fixture *f;
    struct kdp_sql *sql;

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed(), 100, DAY_0, 1000);
    lake_fixture_write(f, 100, true);
    config.dir = f->dir;
    CHECK_INT(kdp_sql_open(&sql, &config), -KDP_ERANGE);
    CHECK(strstr(kdp_error_text(), "ends at 100") != NULL);
    lake_fixture_free(f);
}

KDP_TEST(sealing_again_changes_nothing)
{
    const struct kdp_lake_table *tables;
    struct kdp_lake_totals totals;
    struct lake_fixture *f;
    char *before[KDP_LAKE_TABLES_MAX];
    unsigned count;

    lake_need_duckdb();
    tables = kdp_lake_tables(&count);
    f = lake_fixture_new(kdp_test_seed() + 2, 4000, DAY_0 + 22 * HOUR_NS, 2 * KDP_NS_PER_S);
    lake_fixture_write(f, 4000, true);
    lake_seal(f->dir, NULL, NULL);
    for (unsigned i = 0; i < count; i++)
        before[i] = lake_files(f->dir, tables[i].name);
    lake_seal(f->dir, NULL, &totals);
    CHECK_INT(totals.files, 0);
    CHECK_INT(totals.removed, 0);
    for (unsigned i = 0; i < count; i++) {
        char *after = lake_files(f->dir, tables[i].name);

        CHECK_STR(after, before[i]);
        free(after);
        free(before[i]);
    }
    lake_fixture_free(f);
}

KDP_TEST(a_closed_day_is_one_file_in_order_of_ticker_time_seq)
{
    struct lake_fixture *f;
    char *files;

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed() + 3, 9000, DAY_0 + 23 * HOUR_NS, KDP_NS_PER_S); /* 1 h, 1.5 h */
    lake_fixture_write(f, 9000, true);
    lake_seal(f->dir, NULL, NULL);
    files = lake_files(f->dir, "orderbook_deltas");
    CHECK_INT(occurs(files, ".parquet"), 2);
    CHECK_INT(occurs(files, "date=2026-11-18/day.parquet"), 1);
    CHECK_INT(occurs(files, "date=2026-11-19/day.parquet"), 1);
    free(files);
    /* DuckDB reads the file by itself, and its rows lie in order */
    CHECK_STR(
        lake_ask(f->dir, 0,
                 "SELECT count(*) FROM (SELECT file_row_number AS n, row_number() OVER (ORDER BY ticker, "
                 "\"timestamp\", seq) - 1 AS r FROM "
                 "read_parquet('%s/orderbook_deltas/date=2026-11-18/day.parquet', "
                 "file_row_number = true)) WHERE n <> r",
                 f->dir),
        "0");
    CHECK_STR(
        lake_ask(f->dir, 0,
                 "SELECT count(*) FROM read_parquet('%s/orderbook_deltas/date=2026-11-18/day.parquet') WHERE "
                 "\"timestamp\" >= '2026-11-19'",
                 f->dir),
        "0");
    CHECK_STR(
        lake_ask(f->dir, 0,
                 "SELECT decode(value) FROM parquet_kv_metadata('%s/bbo/date=2026-11-18/day.parquet') WHERE "
                 "decode(key) = 'kdp_schema_version'",
                 f->dir),
        "1");
    CHECK_STR(lake_ask(f->dir, 0,
                       "SELECT string_agg(DISTINCT compression) FROM "
                       "parquet_metadata('%s/bbo/date=2026-11-18/day.parquet')",
                       f->dir),
              "SNAPPY");
    lake_fixture_free(f);
}

/* A sealer as it runs beside the plant: parts of the open day, then midnight, then the one file. */
KDP_TEST(parts_of_the_open_day_become_one_file_a_quarter_past_midnight)
{
    struct kdp_lake_config config = {.now_ns = wall, .part_rows = 1500};
    struct lake_fixture *f;
    struct kdp_lake *lake;
    char *files;

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed() + 4, 9000, DAY_0 + 22 * HOUR_NS,
                         KDP_NS_PER_S); /* 2 h and half an hour */
    config.dir = f->dir;
    wall_ns = DAY_0 + 23 * HOUR_NS;
    lake_fixture_write(f, 3600, false);
    CHECK_INT(kdp_lake_open(&lake, &config), 0);
    CHECK_INT(kdp_lake_work(lake), 1);
    lake_fixture_write(f, 4000, false);
    CHECK_INT(kdp_lake_work(lake), 0); /* 400 records are no part yet */
    lake_check(f, 4000);
    lake_fixture_write(f, 7000, false);
    CHECK_INT(kdp_lake_work(lake), 1);
    files = lake_files(f->dir, "orderbook_deltas");
    CHECK_INT(occurs(files, "date=2026-11-18/part-"), 2);
    CHECK_INT(occurs(files, "day.parquet"), 0);
    free(files);
    kdp_lake_close(lake);
    lake_check(f, 7000);

    wall_ns = DAY_0 + 24 * HOUR_NS + 14 * 60 * KDP_NS_PER_S;
    lake_fixture_write(f, 8000, false);
    CHECK_INT(kdp_lake_open(&lake, &config), 0);
    CHECK_INT(kdp_lake_work(lake), 0); /* too early for the day, too little for a part */
    kdp_lake_close(lake);
    wall_ns += 60 * KDP_NS_PER_S;
    CHECK_INT(kdp_lake_open(&lake, &config), 0);
    CHECK_INT(kdp_lake_work(lake), 1);
    kdp_lake_close(lake);
    files = lake_files(f->dir, "orderbook_deltas");
    CHECK_INT(occurs(files, "date=2026-11-18/"), 1);
    CHECK_INT(occurs(files, "date=2026-11-18/day.parquet"), 1);
    CHECK_INT(occurs(files, "date=2026-11-19/part-"), 1);
    free(files);
    CHECK_STR(
        lake_ask(f->dir, 0,
                 "SELECT count(*) FROM (SELECT file_row_number AS n, row_number() OVER (ORDER BY ticker, "
                 "\"timestamp\", seq) - 1 AS r FROM "
                 "read_parquet('%s/orderbook_deltas/date=2026-11-18/day.parquet', "
                 "file_row_number = true)) WHERE n <> r",
                 f->dir),
        "0");
    lake_check(f, 8000);
    lake_fixture_write(f, 9000, true);
    lake_check(f, 9000);
    lake_fixture_free(f);
}

KDP_TEST(late_rows_of_a_closed_day_get_a_further_file)
{
    struct lake_fixture *f;
    char *before, *files;

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed() + 5, 3000, DAY_0 + 10 * HOUR_NS, KDP_NS_PER_S);
    lake_fixture_write(f, 2000, false);
    lake_seal(f->dir, NULL, NULL);
    before = lake_files(f->dir, "trades");
    lake_fixture_write(f, 3000, true);
    lake_seal(f->dir, NULL, NULL);
    files = lake_files(f->dir, "trades");
    CHECK_INT(occurs(files, "date=2026-11-18/day.parquet"), 1);
    CHECK_INT(occurs(files, "date=2026-11-18/part-"), 1);
    /* the first file was not touched: the same bytes and inode */
    *strchr(before, '\n') = '\0';
    CHECK(strstr(files, before) != NULL);
    free(before);
    free(files);
    lake_check(f, 3000);
    lake_fixture_free(f);
}

/* ---- killed sealers ---- */
static void
kill_at(void *arg)
{
    int *left = arg;

    if (--*left == 0)
        kill(getpid(), SIGKILL);
}

static bool
seal_until_killed(const char *dir, int steps, bool drain)
{
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0) {
        struct kdp_lake_config config = {.dir = dir,
                                         .step = kill_at,
                                         .step_arg = &steps,
                                         .now_ns = wall,
                                         .part_rows = 500,
                                         .batch_bytes = 1 << 20};
        struct kdp_lake *lake;

        if (kdp_lake_open(&lake, &config) != 0 || (drain ? kdp_lake_drain(lake) : kdp_lake_work(lake)) < 0) {
            fprintf(stderr, "%s\n", kdp_error_text());
            _exit(3);
        }
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void
kill_with(uint64_t seed)
{
    uint64_t written = 0, random = seed;
    struct lake_fixture *f;
    unsigned killed = 0;

    f = lake_fixture_new(seed, 6000, DAY_0 + 23 * HOUR_NS, KDP_NS_PER_S);
    wall_ns = DAY_0 + 23 * HOUR_NS;
    while (written < f->count) {
        written += 500 + kdp_test_random(&random) % 2500;
        written = written < f->count ? written : f->count;
        lake_fixture_write(f, written, false);
        wall_ns += 40 * 60 * KDP_NS_PER_S; /* the day is over in between */
        killed += seal_until_killed(f->dir, 1 + (int)(kdp_test_random(&random) % 60),
                                    kdp_test_random(&random) % 2 == 0);
        lake_check(f, written);
    }
    CHECK(killed > 0);
    wall_ns = DAY_0 + 72 * HOUR_NS;
    lake_seal(f->dir, wall, NULL);
    lake_check(f, f->count);
    /* every table's files are those of its manifest, nothing else is left */
    for (unsigned i = 0; i < 2; i++) {
        struct kdp_manifest manifest;
        const char *table = i == 0 ? "trades" : "orderbook_snapshots";
        char *files = lake_files(f->dir, table);

        CHECK_INT(kdp_manifest_read(&manifest, f->dir, table), 0);
        CHECK_INT(occurs(files, ".parquet"), manifest.count);
        CHECK_INT(occurs(files, ".tmp-"), 0);
        CHECK_INT(manifest.sealed_seq, f->count);
        kdp_manifest_release(&manifest);
        free(files);
    }
    lake_fixture_free(f);
}

KDP_TEST(a_killed_sealer_neither_loses_nor_doubles_a_row_seeds_1_to_5)
{
    lake_need_duckdb();
    for (uint64_t seed = 1; seed <= 5; seed++)
        kill_with(seed);
}

KDP_TEST(a_killed_sealer_neither_loses_nor_doubles_a_row_seeds_6_to_10)
{
    lake_need_duckdb();
    for (uint64_t seed = 6; seed <= 10; seed++)
        kill_with(seed);
}

KDP_TEST(a_killed_sealer_neither_loses_nor_doubles_a_row_seeds_11_to_15)
{
    lake_need_duckdb();
    for (uint64_t seed = 11; seed <= 15; seed++)
        kill_with(seed);
}

KDP_TEST(a_killed_sealer_neither_loses_nor_doubles_a_row_seeds_16_to_20)
{
    lake_need_duckdb();
    for (uint64_t seed = 16; seed <= 20; seed++)
        kill_with(seed);
}

/* ---- beside others ---- */
KDP_TEST(files_no_manifest_names_are_ignored_by_queries_and_removed_by_the_next_sealer)
{
    struct kdp_lake_totals totals;
    struct lake_fixture *f;
    char path[4096], stray[4096], command[9000];

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed() + 6, 1000, DAY_0 + 10 * HOUR_NS, KDP_NS_PER_S);
    lake_fixture_write(f, 1000, true);
    lake_seal(f->dir, NULL, NULL);
    snprintf(path, sizeof path, "%s/trades/date=2026-11-18/day.parquet", f->dir);
    snprintf(stray, sizeof stray, "%s/trades/date=2026-11-18/part-1-2.parquet", f->dir);
    snprintf(command, sizeof command,
             "cp '%s' '%s' && cp '%s' '%s/trades/date=2026-11-18/.tmp-x.parquet' && touch "
             "'%s/trades/date=2026-11-18/notes.txt'",
             path, stray, path, f->dir, f->dir);
    CHECK_INT(system(command), 0);
    lake_check(f, 1000);
    CHECK_INT(access(stray, F_OK), 0); /* a query removes nothing */
    lake_seal(f->dir, NULL, &totals);
    CHECK_INT(totals.removed, 2);
    CHECK(access(stray, F_OK) != 0);
    snprintf(path, sizeof path, "%s/trades/date=2026-11-18/notes.txt", f->dir);
    CHECK_INT(access(path, F_OK), 0); /* nor is anything removed that cannot be ours */
    lake_check(f, 1000);
    lake_fixture_free(f);
}

KDP_TEST(a_second_sealer_is_refused_and_told_who_has_it)
{
    struct kdp_lake_config config = {0};
    struct kdp_lake *first, *second;
    char pid[32];

    lake_need_duckdb();
    config.dir = kdp_test_dir();
    CHECK_INT(kdp_lake_open(&first, &config), 0);
    CHECK_INT(kdp_lake_open(&second, &config), -KDP_EBUSY);
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    CHECK(strstr(kdp_error_text(), pid) != NULL);
    kdp_lake_close(first);
    CHECK_INT(kdp_lake_open(&second, &config), 0);
    kdp_lake_close(second);
}

/* The engine knows its files from the manifest; a day that is closed before the statement runs takes them
 * away. */
KDP_TEST(a_statement_whose_files_are_replaced_starts_over_at_the_same_cut)
{
    struct kdp_sql_config config = {0};
    struct kdp_sql_result *result;
    struct lake_fixture *f;
    struct kdp_sql *sql;
    char want[64], *files;
    int table = kdp_lake_table_find("orderbook_deltas");

    lake_need_duckdb();
    f = lake_fixture_new(kdp_test_seed() + 7, 4000, DAY_0 + 10 * HOUR_NS, KDP_NS_PER_S);
    wall_ns = DAY_0 + 12 * HOUR_NS;
    for (uint64_t i = 1; i <= 3; i++) {
        lake_fixture_write(f, i * 1000, false);
        lake_seal(f->dir, wall, NULL);
    }
    config.dir = f->dir;
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK_INT(kdp_sql_cut(sql), 3000);
    lake_fixture_write(f, 4000, true);
    wall_ns = DAY_0 + 40 * HOUR_NS;
    lake_seal(f->dir, wall, NULL); /* three parts and the tail go into day.parquet */
    files = lake_files(f->dir, "orderbook_deltas");
    CHECK_INT(occurs(files, ".parquet"), 1);
    free(files);
    if (kdp_sql_run(sql, "SELECT count(*) FROM orderbook_deltas", &result) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    CHECK_INT(kdp_sql_next(result), 1);
    snprintf(want, sizeof want, "%" PRIu64, lake_fixture_rows(f, (unsigned)table, 3000));
    CHECK_STR(kdp_sql_cell(result, 0), want);
    kdp_sql_free(result);
    kdp_sql_close(sql);
    lake_fixture_free(f);
}

struct appender {
    struct lake_fixture *f;
    atomic_uint_fast64_t done;
};

static void *
append_slowly(void *arg)
{
    struct appender *appender = arg;

    for (uint64_t to = 400; to <= appender->f->count; to += 400) {
        lake_fixture_write(appender->f, to, false);
        atomic_store(&appender->done, to);
        usleep(10000);
    }
    return NULL;
}

KDP_TEST(queries_and_a_sealer_beside_a_writer_see_whole_cuts)
{
    struct kdp_lake_config lake_config = {.part_rows = 700};
    struct appender appender = {0};
    struct kdp_lake *lake;
    pthread_t thread;
    uint64_t seen = 0;

    lake_need_duckdb();
    appender.f = lake_fixture_new(kdp_test_seed() + 8, 8000, DAY_0 + 10 * HOUR_NS, KDP_NS_PER_S);
    lake_config.dir = appender.f->dir;
    lake_fixture_write(appender.f, 400, false);
    CHECK_INT(kdp_lake_open(&lake, &lake_config), 0);
    CHECK_INT(pthread_create(&thread, NULL, append_slowly, &appender), 0);
    while (seen < appender.f->count) {
        struct kdp_sql_config config = {.dir = appender.f->dir};
        uint64_t before = atomic_load(&appender.done);
        struct kdp_sql_result *result;
        struct kdp_sql *sql;

        CHECK(kdp_lake_work(lake) >= 0);
        if (kdp_sql_open(&sql, &config) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
        seen = kdp_sql_cut(sql);
        CHECK(seen >= before);
        CHECK(kdp_lake_work(lake) >= 0); /* sealed between the cut and the statement */
        if (kdp_sql_run(sql,
                        "SELECT count(DISTINCT seq) FROM (SELECT seq FROM trades UNION ALL SELECT seq FROM "
                        "orderbook_deltas UNION ALL SELECT seq FROM orderbook_snapshots UNION ALL SELECT seq "
                        "FROM bbo "
                        "UNION ALL SELECT seq FROM states UNION ALL SELECT seq FROM definitions)",
                        &result) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
        CHECK_INT(kdp_sql_next(result), 1);
        CHECK_INT(strtoull(kdp_sql_cell(result, 0), NULL, 10), seen);
        kdp_sql_free(result);
        kdp_sql_close(sql);
    }
    pthread_join(thread, NULL);
    CHECK_INT(kdp_lake_drain(lake), 0);
    kdp_lake_close(lake);
    lake_check(appender.f, appender.f->count);
    lake_fixture_free(appender.f);
}

/* ---- manifests ---- */
static void
put_manifest(const char *dir, const char *text)
{
    char path[4096];
    FILE *out;

    snprintf(path, sizeof path, "%s/trades", dir);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/trades/manifest.json", dir);
    out = fopen(path, "w");
    CHECK(out != NULL);
    fputs(text, out);
    CHECK_INT(fclose(out), 0);
}

KDP_TEST(a_manifest_that_is_not_ours_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        int code;
        const char *words;
    } cases[] = {
        {"{\"format\": 1, \"sealed_seq\": 5, \"files\": [", -KDP_EFORMAT, "byte"},
        {"", -KDP_EFORMAT, "damaged manifest"},
        {"{\"format\": 3}", -KDP_EVERSION, "manifest format 3"},
        {"{\"format\": 1, \"sealed_seq\": -1, \"files\": []}", -KDP_EFORMAT, "below zero"},
        {"{\"format\": 1, \"files\": [{\"path\": \"../../etc/passwd\"}]}", -KDP_EFORMAT, "path"},
        {"{\"format\": 1, \"files\": [{\"path\": \"date=2026-11-18/a'b.parquet\"}]}", -KDP_EFORMAT, "path"},
        {"{\"format\": 1, \"files\": [{\"path\": \"date=2026-11-18/../x.parquet\"}]}", -KDP_EFORMAT, "path"},
    };
    const char *dir = kdp_test_dir();
    struct kdp_manifest manifest;

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_manifest(dir, cases[i].text);
        CHECK_INT(kdp_manifest_read(&manifest, dir, "trades"), cases[i].code);
        if (strstr(kdp_error_text(), cases[i].words) == NULL)
            kdp_test_fail(__FILE__, __LINE__, "case %u: %s", i, kdp_error_text());
        CHECK(strstr(kdp_error_text(), "trades/manifest.json") != NULL);
        kdp_manifest_release(&manifest);
    }
    put_manifest(
        dir, "{\"format\": 1, \"later\": [1, {}], \"schema_version\": 1, \"sealed_seq\": 7, \"files\": []}");
    CHECK_INT(kdp_manifest_read(&manifest, dir, "trades"), 0);
    CHECK_INT(manifest.sealed_seq, 7);
    kdp_manifest_release(&manifest);
}

KDP_TEST(manifests_come_back_as_written)
{
    struct kdp_manifest_file file = {.path = "date=2026-11-18/part-1-9.parquet",
                                     .from = 1,
                                     .to = 9,
                                     .rows = 9,
                                     .bytes = 4096,
                                     .ns_min = DAY_0,
                                     .ns_max = DAY_0 + 1};
    struct kdp_manifest manifest = {.sealed_seq = UINT64_C(9000000000000000000), .schema_version = 1}, again;
    const char *dir = kdp_test_dir();
    uint64_t floor;

    put_manifest(dir, "{}");
    CHECK_INT(kdp_manifest_add(&manifest, &file), 0);
    CHECK_INT(kdp_manifest_write(&manifest, dir, "trades"), 0);
    CHECK_INT(kdp_manifest_read(&again, dir, "trades"), 0);
    CHECK_INT(again.count, 1);
    CHECK(again.sealed_seq == manifest.sealed_seq);
    CHECK_STR(again.files[0].path, file.path);
    CHECK_INT(again.files[0].day, kdpi_day_of(DAY_0));
    CHECK_INT(again.files[0].ns_max, DAY_0 + 1);
    CHECK(kdp_manifest_remove(&again, file.path));
    CHECK(!kdp_manifest_remove(&again, file.path));
    CHECK_INT(kdp_lake_sealed(dir, &floor), 0);
    CHECK_INT(floor, 0); /* the other tables have sealed nothing */
    kdp_manifest_release(&again);
    kdp_manifest_release(&manifest);
}
