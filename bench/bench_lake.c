/* bench_lake.c - what sealing costs and how many bytes a row takes, beside DuckDB's plain COPY of the same
 * rows as csv; and how fast the tape's tail and the sealed files are scanned.
 *
 *   kdp replay --input FILE --data DIR --no-lake; bench_lake DIR
 *
 * The tape of DIR is read, nothing in DIR is written.  CPU is that of the process, all threads. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "duckdb_api.h"
#include "error.h"
#include "kdp/reader.h"
#include "lake.h"
#include "lake_scan.h"
#include "manifest.h"
#include "sql.h"

static char work[PATH_MAX];

static double
process_cpu(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
check(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench_lake: %s\n  %s\n", kdp_error_text(), kdp_error_hint());
    exit(1);
}

static void
clear(const char *name)
{
    char command[2 * PATH_MAX];

    snprintf(command, sizeof command, "rm -rf '%s/%s'", work, name);
    if (system(command) != 0)
        exit(1);
}

/* seal seals the tape into a folder of its own and prints what that cost. */
static void
seal(const char *tape, const char *compression, uint64_t records)
{
    struct kdp_lake_config config = {.compression = compression};
    const struct kdp_lake_table *tables;
    struct kdp_lake_totals totals;
    struct kdp_lake *lake;
    char dir[PATH_MAX + 32], link[PATH_MAX + 64];
    double open_s, seal_s, from = process_cpu();
    unsigned count;

    snprintf(dir, sizeof dir, "%s/%s", work, compression);
    snprintf(link, sizeof link, "%s/tape", dir);
    if (mkdir(dir, 0777) != 0 || symlink(tape, link) != 0) {
        perror(dir);
        exit(1);
    }
    config.dir = dir;
    check(kdp_lake_open(&lake, &config));
    open_s = process_cpu() - from;
    from = process_cpu();
    check(kdp_lake_drain(lake));
    seal_s = process_cpu() - from;
    kdp_lake_totals(lake, &totals);
    kdp_lake_close(lake);
    printf("bench=lake_seal compression=%s records=%" PRIu64
           " open_cpu_ms=%.0f seal_cpu_ms=%.0f cpu_ns_per_record=%.0f "
           "mrecords_per_cpu_s=%.2f files=%" PRIu64 "\n",
           compression, records, open_s * 1e3, seal_s * 1e3, seal_s * 1e9 / (double)records,
           (double)records / seal_s / 1e6, totals.files);
    tables = kdp_lake_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        struct kdp_manifest manifest;
        uint64_t rows = 0, bytes = 0;

        check(kdp_manifest_read(&manifest, dir, tables[i].name));
        for (size_t f = 0; f < manifest.count; f++) {
            rows += manifest.files[f].rows;
            bytes += manifest.files[f].bytes;
        }
        kdp_manifest_release(&manifest);
        if (rows > 0)
            printf("bench=lake_bytes compression=%s table=%s rows=%" PRIu64 " bytes_per_row=%.2f\n",
                   compression, tables[i].name, rows, (double)bytes / (double)rows);
    }
}

static void
run_sql(const struct kdp_duckdb *duck, duckdb_connection connection, const char *text)
{
    duckdb_result result;

    if (duck->query(connection, text, &result) != DuckDBSuccess) {
        fprintf(stderr, "bench_lake: %s\n", duck->result_error(&result));
        exit(1);
    }
    duck->destroy_result(&result);
}

/* plain is the straightforward way: the rows as csv, and DuckDB makes Parquet of it with its defaults. */
static void
plain(const char *source, uint64_t head)
{
    const struct kdp_lake_table *tables;
    const struct kdp_duckdb *duck;
    duckdb_connection connection;
    duckdb_database database;
    duckdb_config config;
    unsigned count;
    struct stat st;

    check(kdp_duckdb_load(&duck));
    if (duck->create_config(&config) != DuckDBSuccess ||
        duck->set_config(config, "threads", "1") != DuckDBSuccess ||
        duck->open_ext(NULL, &database, config, NULL) != DuckDBSuccess ||
        duck->connect(database, &connection) != DuckDBSuccess)
        exit(1);
    duck->destroy_config(&config);
    check(kdp_lake_scan_register(duck, connection, source));
    tables = kdp_lake_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        char csv[PATH_MAX + 64], parquet[PATH_MAX + 64], text[4 * PATH_MAX];
        double from, took;
        duckdb_result result;
        uint64_t rows;

        snprintf(csv, sizeof csv, "%s/rows.csv", work);
        snprintf(parquet, sizeof parquet, "%s/rows.parquet", work);
        snprintf(text, sizeof text, "COPY (FROM kdp_tape(%u, 1, %" PRIu64 ")) TO '%s' (HEADER)", i, head,
                 csv);
        if (duck->query(connection, text, &result) != DuckDBSuccess)
            exit(1);
        duckdb_data_chunk chunk = duck->fetch_chunk(result);
        rows = (uint64_t)((int64_t *)duck->vector_get_data(duck->data_chunk_get_vector(chunk, 0)))[0];
        duck->destroy_data_chunk(&chunk);
        duck->destroy_result(&result);
        if (rows == 0)
            continue;
        snprintf(text, sizeof text, "COPY (FROM read_csv('%s')) TO '%s' (FORMAT parquet)", csv, parquet);
        from = process_cpu();
        run_sql(duck, connection, text);
        took = process_cpu() - from;
        if (stat(parquet, &st) == 0)
            printf("bench=lake_plain table=%s rows=%" PRIu64 " bytes_per_row=%.2f cpu_ns_per_row=%.0f\n",
                   tables[i].name, rows, (double)st.st_size / (double)rows, took * 1e9 / (double)rows);
    }
    duck->disconnect(&connection);
    duck->close(&database);
}

/* scan times one statement on a folder, best of five, with the engine open already. */
static void
scan(const char *dir, const char *where, const char *what, const char *text)
{
    struct kdp_sql_config config = {.dir = dir};
    struct kdp_sql_result *result;
    struct kdp_sql *sql;
    double best = 1e9;
    int64_t rows = 0;

    check(kdp_sql_open(&sql, &config));
    check(kdp_sql_run(sql, "SELECT count(*) FROM orderbook_deltas", &result));
    if (kdp_sql_next(result) > 0)
        kdp_sql_int(result, 0, &rows);
    kdp_sql_free(result);
    for (int i = 0; i < 5; i++) {
        int64_t from = bench_now_ns();

        check(kdp_sql_run(sql, text, &result));
        while (kdp_sql_next(result) > 0)
            ;
        kdp_sql_free(result);
        best = (double)(bench_now_ns() - from) < best ? (double)(bench_now_ns() - from) : best;
    }
    kdp_sql_close(sql);
    printf("bench=lake_scan from=%s what=%s rows=%" PRId64 " best_ms=%.2f mrows_per_s=%.1f\n", where, what,
           rows, best / 1e6, (double)rows * 1e3 / best);
}

int
main(int argc, char **argv)
{
    static const char *const statements[][2] = {
        {"two_columns", "SELECT sum(delta_size), max(price) FROM orderbook_deltas"},
        {"by_ticker", "SELECT ticker, sum(delta_size) FROM orderbook_deltas GROUP BY 1"},
        {"all_columns", "SELECT sum(hash(COLUMNS(*))) FROM orderbook_deltas"},
    };
    struct kdp_reader *reader;
    char tape[PATH_MAX], path[PATH_MAX], sealed[PATH_MAX + 32];
    uint64_t head;

    snprintf(path, sizeof path, "%s/tape", argc == 2 ? argv[1] : "");
    if (argc != 2 || realpath(path, tape) == NULL) {
        fprintf(stderr, "usage: bench_lake DIR   (a data folder with a tape)\n");
        return 2;
    }
    bench_machine();
    snprintf(work, sizeof work, "%s/kdp-bench-lake.XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(work) == NULL) {
        perror(work);
        return 1;
    }
    check(kdp_reader_open_seq(&reader, argv[1], 0, 0));
    head = kdp_reader_head(reader);
    kdp_reader_close(reader);
    seal(tape, "snappy", head);
    seal(tape, "zstd", head);
    snprintf(path, sizeof path, "%s/plain", work);
    snprintf(sealed, sizeof sealed, "%s/plain/tape", work);
    if (mkdir(path, 0777) != 0 || symlink(tape, sealed) != 0)
        return 1;
    plain(path, head);
    snprintf(sealed, sizeof sealed, "%s/snappy", work);
    for (unsigned i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        scan(path, "tape", statements[i][0], statements[i][1]);
        scan(sealed, "files", statements[i][0], statements[i][1]);
    }
    clear("");
    return 0;
}
