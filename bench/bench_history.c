/* bench_history.c - what filing trades of the past costs: taking them, holding them against the lake, writing; beside DuckDB's
 * plain COPY of the same rows, made from its own files with one thread.
 *
 *   bench_history [ROWS [MARKETS [DAYS]]]
 *
 * Trades come market by market and newest first, as a backfill fetches them.  CPU is that of the process. */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"
#include "duckdb_api.h"
#include "error.h"
#include "history.h"
#include "message.h"

#define FIRST_NS INT64_C(1788220800000000000) /* 2026-09-01 */

static char work[PATH_MAX];
static uint64_t rows = 5000000, markets = 300, days = 30;

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
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_history: %s\n  %s\n", kdp_error_text(), kdp_error_hint());
    exit(1);
}

static uint64_t
mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A number that grows once in a while and is not foreseeable: times as an exchange has them, in microseconds. */
static void
trade(struct kdp_message *msg, char *ticker, uint64_t market, uint64_t n, uint64_t of)
{
    uint64_t state = market << 40 | n, a = mix(&state), b = mix(&state), c = mix(&state);
    int64_t span_us = (int64_t)days * (KDP_NS_PER_DAY / 1000);

    msg->kind = KDP_MESSAGE_TRADE;
    msg->market_ticker.data = ticker;
    msg->market_ticker.len =
        (size_t)sprintf(ticker, "KXBENCH-26SEP%03u-T%u", (unsigned)(market / 8), (unsigned)market);
    msg->exch_ns =
        FIRST_NS +
        (span_us / (int64_t)of * (int64_t)n + (int64_t)(c % (uint64_t)(span_us / (int64_t)of))) * 1000;
    memcpy(msg->trade.trade_id, &a, 8);
    memcpy(msg->trade.trade_id + 8, &b, 8);
    msg->trade.price_e4 = (int32_t)(100 * (1 + (market + n / 50) % 99));
    msg->trade.count_e2 = (int64_t)(100 + 100 * (b % 50));
    msg->trade.taker_side = (uint8_t)(1 + a % 2);
}

static void
run(const char *name, bool again)
{
    struct kdp_history_config config = {.dir = work};
    struct kdp_history_totals totals;
    struct kdp_message msg = {0};
    struct kdp_history *history;
    double open_s, flush_s = 0, from = process_cpu(), made_s;
    uint64_t of = rows / markets;
    struct rusage usage;
    char ticker[64];

    for (uint64_t i = 0; i < rows; i++) /* what making them up costs, to be taken off */
        trade(&msg, ticker, i / of % markets, of - 1 - i % of, of);
    made_s = process_cpu() - from;
    check(kdp_history_open(&history, &config));
    open_s = process_cpu() - from - made_s;
    from = process_cpu();
    for (uint64_t market = 0; market < markets; market++) {
        for (uint64_t n = of; n-- > 0;) {
            trade(&msg, ticker, market, n, of);
            check(kdp_history_trade(history, &msg, FIRST_NS + (int64_t)days * KDP_NS_PER_DAY));
        }
        check(kdp_history_window(history, "trades", ticker, FIRST_NS,
                                 FIRST_NS + (int64_t)days * KDP_NS_PER_DAY));
        if (kdp_history_full(history) || market + 1 == markets) {
            double at = process_cpu();

            check(kdp_history_flush(history));
            flush_s += process_cpu() - at;
        }
    }
    from = process_cpu() - from - made_s - flush_s;
    kdp_history_totals(history, &totals);
    getrusage(RUSAGE_SELF, &usage);
    printf("bench=%s rows=%" PRIu64 " inserted=%" PRIu64 " already=%" PRIu64
           " take_ns=%.0f flush_ns=%.0f krows_per_cpu_s=%.0f "
           "open_ms=%.0f files=%" PRIu64 " bytes_per_row=%.1f max_rss_mb=%ld\n",
           name, totals.given, totals.inserted, totals.already, from * 1e9 / (double)totals.given,
           flush_s * 1e9 / (double)totals.given, (double)totals.given / (from + flush_s) / 1e3, open_s * 1e3,
           totals.files, totals.inserted > 0 ? (double)totals.bytes / (double)totals.inserted : 0,
           usage.ru_maxrss / 1024);
    if (totals.inserted != (again ? 0 : of * markets)) {
        fprintf(stderr, "bench_history: not what was given\n");
        exit(1);
    }
    kdp_history_close(history);
}

/* Candles of an hour, a fifth as many as trades: text to typed rows, held against the newest of their key. */
static void
run_candles(const char *name)
{
    struct kdp_history_config config = {.dir = work};
    struct kdp_history_totals totals;
    struct kdp_history *history;
    unsigned table = (unsigned)kdp_history_table_find("candles");
    uint64_t count = rows / 5, hours = count / markets;
    double from = process_cpu();

    check(kdp_history_open(&history, &config));
    for (uint64_t i = 0; i < hours * markets; i++) {
        char ticker[64], time[KDPI_TIME_TEXT], price[8][16], volume[24];
        const char *cells[20];

        snprintf(ticker, sizeof ticker, "KXBENCH-26SEP%03u-T%u", (unsigned)(i / hours / 8),
                 (unsigned)(i / hours));
        kdpi_time_format(time, FIRST_NS + (int64_t)(i % hours) * 3600 * KDP_NS_PER_S, 0);
        snprintf(volume, sizeof volume, "%u.00", (unsigned)(i * 7919 % 10000));
        for (unsigned c = 0; c < 8; c++)
            snprintf(price[c], sizeof price[c], "0.%02u00", (unsigned)((i + c) % 100));
        for (unsigned c = 0; c < 20; c++)
            cells[c] = price[c % 8];
        cells[0] = ticker;
        cells[1] = time;
        cells[2] = "3600";
        cells[17] = volume;
        cells[19] = "historical";
        check(kdp_history_row(history, table, cells, 20));
        if (kdp_history_full(history))
            check(kdp_history_flush(history));
    }
    check(kdp_history_flush(history));
    kdp_history_totals(history, &totals);
    kdp_history_close(history);
    from = process_cpu() - from;
    printf("bench=%s rows=%" PRIu64 " written=%" PRIu64 " files=%" PRIu64
           " krows_per_cpu_s=%.0f bytes_per_row=%.1f\n",
           name, hours * markets, totals.rows[table], totals.files, (double)(hours * markets) / from / 1e3,
           totals.rows[table] > 0 ? (double)totals.bytes / (double)totals.rows[table] : 0);
}

static void
sql(const struct kdp_duckdb *duck, duckdb_connection connection, const char *text)
{
    duckdb_result result;

    if (duck->query(connection, text, &result) != DuckDBSuccess) {
        fprintf(stderr, "bench_history: %s\n", duck->result_error(&result));
        exit(1);
    }
    duck->destroy_result(&result);
}

static void
plain(void)
{
    const struct kdp_duckdb *duck;
    duckdb_connection connection;
    duckdb_database database;
    duckdb_config config;
    char text[3 * PATH_MAX];
    double from;

    check(kdp_duckdb_load(&duck));
    if (duck->create_config(&config) != DuckDBSuccess ||
        duck->set_config(config, "threads", "1") != DuckDBSuccess ||
        duck->open_ext(NULL, &database, config, NULL) != DuckDBSuccess ||
        duck->connect(database, &connection) != DuckDBSuccess)
        exit(1);
    duck->destroy_config(&config);
    for (int sorted = 0; sorted < 2; sorted++) {
        snprintf(text, sizeof text,
                 "COPY (FROM read_parquet('%s/trades/*/*.parquet', hive_partitioning = false)%s) TO "
                 "'%s/plain.parquet'",
                 work, sorted ? " ORDER BY ticker, \"timestamp\"" : "", work);
        from = process_cpu();
        sql(duck, connection, text);
        from = process_cpu() - from;
        printf("bench=plain_copy%s rows=%" PRIu64 " ns=%.0f krows_per_cpu_s=%.0f\n", sorted ? "_sorted" : "",
               rows, from * 1e9 / (double)rows, (double)rows / from / 1e3);
    }
    duck->disconnect(&connection);
    duck->close(&database);
}

int
main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    char command[2 * PATH_MAX];

    if (argc > 1)
        rows = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        markets = strtoull(argv[2], NULL, 10);
    if (argc > 3)
        days = strtoull(argv[3], NULL, 10);
    if (markets == 0 || days == 0 || rows < markets) {
        fprintf(stderr, "bench_history [ROWS [MARKETS [DAYS]]]\n");
        return 2;
    }
    snprintf(work, sizeof work, "%.3000s/kdp-bench-history.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(work) == NULL) {
        perror(work);
        return 1;
    }
    bench_machine();
    run("history_new", false);
    run("history_again", true);
    plain();
    run_candles("candles_new");
    run_candles("candles_again");
    snprintf(command, sizeof command, "rm -rf '%s'", work);
    return system(command) == 0 ? 0 : 1;
}
