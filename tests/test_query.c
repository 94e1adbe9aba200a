/* test_query.c - what SQL gives: values to the digit, words of the engine's errors, and the fence around a
 * statement. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "book_at.h"
#include "clock.h"
#include "error.h"
#include "history.h"
#include "kdp_test.h"
#include "record.h"
#include "support/lake_fixture.h"

#define DAY_0 INT64_C(1794960000000000000) /* 2026-11-18T00:00:00Z */

/* ---- values ---- */
struct writing {
    uint8_t bytes[1 << 16];
    size_t len;
    uint64_t seq;
};

static void *
start(struct writing *w, struct kdp_builder *b, unsigned template_id, uint32_t instrument, int64_t exch_ns)
{
    struct kdp_head *head = kdpi_build_start(b, w->bytes + w->len, (uint8_t)template_id);

    head->seq = ++w->seq;
    head->exch_ns = exch_ns;
    head->recv_ns = DAY_0 + (int64_t)w->seq * 1000 + 7;
    head->instrument = instrument;
    head->origin = KDP_ORIGIN_WS;
    return head;
}

static void
done(struct writing *w, struct kdp_builder *b)
{
    w->len += kdpi_build_finish(b);
}

static struct kdp_text
text_of(const char *text)
{
    return (struct kdp_text){text, strlen(text)};
}

static void
define(struct writing *w, uint32_t instrument, const char *ticker, const char *title)
{
    struct kdp_definition_ranges *ranges;
    struct kdp_builder b;
    struct kdp_definition *at = start(w, &b, KDP_TEMPLATE_DEFINITION, instrument, KDP_TIME_NULL);

    at->open_ns = DAY_0 - 1;
    at->close_ns = at->expiry_ns = KDP_TIME_NULL;
    at->floor_strike_e6 = -1500000;
    at->cap_strike_e6 = KDP_INT64_NULL;
    at->strike_type = KDP_STRIKE_TYPE_BETWEEN;
    at->status = KDP_MARKET_STATUS_ACTIVE;
    at->combo = KDP_BOOL_YES;
    ranges = kdpi_build_group(&b, 2);
    ranges[0] = (struct kdp_definition_ranges){.start_e4 = 0, .end_e4 = 1000, .step_e4 = 10};
    ranges[1] = (struct kdp_definition_ranges){.start_e4 = 1000, .end_e4 = 10000, .step_e4 = 100};
    kdpi_build_text(&b, text_of(ticker));
    kdpi_build_text(&b, text_of("KXTEST"));
    kdpi_build_text(&b, text_of(""));
    kdpi_build_text(&b, text_of(title));
    kdpi_build_text(&b, text_of("51\xc2\xb0 to 52\xc2\xb0"));
    kdpi_build_text(&b, text_of("linear_cent"));
    done(w, &b);
}

static void
write_tape(const char *dir, const struct writing *w)
{
    struct kdp_tape_config config = {.dir = dir, .session = 1};
    struct kdp_tape_writer *writer;
    uint64_t cut;

    CHECK_INT(kdp_tape_writer_open(&writer, &config, 1, &cut), 0);
    CHECK_INT(kdp_tape_append(writer, w->bytes, w->len, 1), 0);
    CHECK_INT(kdp_tape_writer_close(writer), 0);
}

static void
check_answer(const char *dir, const char *text, const char *want)
{
    char *got = lake_dump(dir, 0, text);

    CHECK_STR(got, want);
    free(got);
}

static struct writing *
some_records(void)
{
    static struct writing w;
    struct kdp_builder b;
    struct kdp_trade *trade;
    struct kdp_bbo *bbo;
    struct kdp_ticker *ticker;
    struct kdp_level *level;
    struct kdp_book_snapshot *snapshot;
    struct kdp_book_snapshot_levels *levels;
    struct kdp_lifecycle *life;
    struct kdp_event *event;
    struct kdp_state *state;
    struct kdp_gap *gap;

    memset(&w, 0, sizeof w);
    define(&w, 1, "KXTEST-A", "A \"quoted\", title\nof two lines");
    define(&w, 2, "KXTEST-B", "B");
    trade = start(&w, &b, KDP_TEMPLATE_TRADE, 1, DAY_0 + 123456789);
    for (unsigned i = 0; i < 16; i++)
        trade->trade_id[i] = (uint8_t)(0xf0 + i);
    trade->price_e4 = 8815;
    trade->taker_side = KDP_SIDE_NO;
    trade->block = KDP_BOOL_YES;
    trade->count_e2 = 1;
    trade->head.src_seq = 4294967295u;
    trade->head.line = 3;
    done(&w, &b);
    trade = start(&w, &b, KDP_TEMPLATE_TRADE, 2, KDP_TIME_NULL);
    trade->price_e4 = 0;
    trade->count_e2 = INT64_C(99999999999999999);
    trade->head.origin = KDP_ORIGIN_REST_REFILL;
    trade->head.flags = 255;
    done(&w, &b);
    bbo = start(&w, &b, KDP_TEMPLATE_BBO, 1, DAY_0);
    bbo->bid_e4 = KDP_PRICE_NULL;
    bbo->bid_size_e2 = KDP_INT64_NULL;
    bbo->ask_e4 = 10000;
    bbo->ask_size_e2 = 3325;
    bbo->book_hash = UINT64_MAX;
    bbo->book_state = KDP_BOOK_STATE_LIVE;
    done(&w, &b);
    bbo = start(&w, &b, KDP_TEMPLATE_BBO, 1, DAY_0);
    bbo->bid_e4 = 1;
    bbo->bid_size_e2 = 1;
    bbo->ask_e4 = KDP_PRICE_NULL;
    bbo->ask_size_e2 = KDP_INT64_NULL;
    bbo->book_state = KDP_BOOK_STATE_STALE;
    done(&w, &b);
    ticker = start(&w, &b, KDP_TEMPLATE_TICKER, 2, DAY_0 + 5);
    ticker->price_e4 = ticker->ask_e4 = KDP_PRICE_NULL;
    ticker->bid_e4 = 4400;
    ticker->bid_size_e2 = ticker->ask_size_e2 = ticker->last_size_e2 = KDP_INT64_NULL;
    ticker->volume_e2 = 100;
    ticker->open_interest_e2 = 0;
    ticker->dollar_volume = 12345;
    ticker->dollar_open_interest = KDP_INT64_NULL;
    done(&w, &b);
    level = start(&w, &b, KDP_TEMPLATE_LEVEL, 2, DAY_0 + 6);
    level->price_e4 = 1234;
    level->side = KDP_SIDE_YES;
    level->delta_e2 = -150;
    level->size_e2 = 0;
    done(&w, &b);
    snapshot = start(&w, &b, KDP_TEMPLATE_BOOK_SNAPSHOT, 2, KDP_TIME_NULL);
    snapshot->levels_total = 3;
    snapshot->parts = 2;
    snapshot->reason = KDP_REASON_SUBSCRIBE;
    snapshot->book_state = KDP_BOOK_STATE_LIVE;
    levels = kdpi_build_group(&b, 2);
    levels[0] = (struct kdp_book_snapshot_levels){.price_e4 = 100, .side = KDP_SIDE_YES, .size_e2 = 50};
    levels[1] = (struct kdp_book_snapshot_levels){.price_e4 = 9900, .side = KDP_SIDE_NO, .size_e2 = 25};
    done(&w, &b);
    snapshot = start(&w, &b, KDP_TEMPLATE_BOOK_SNAPSHOT, 2, KDP_TIME_NULL);
    snapshot->levels_total = 3;
    snapshot->part = 1;
    snapshot->parts = 2;
    snapshot->reason = KDP_REASON_SUBSCRIBE;
    snapshot->book_state = KDP_BOOK_STATE_LIVE;
    levels = kdpi_build_group(&b, 1);
    levels[0] = (struct kdp_book_snapshot_levels){.price_e4 = 9950, .side = KDP_SIDE_NO, .size_e2 = 1};
    done(&w, &b);
    snapshot = start(&w, &b, KDP_TEMPLATE_BOOK_SNAPSHOT, 1, KDP_TIME_NULL); /* an empty book */
    snapshot->parts = 1;
    snapshot->reason = KDP_REASON_DAY;
    snapshot->book_state = KDP_BOOK_STATE_LIVE;
    (void)kdpi_build_group(&b, 0);
    done(&w, &b);
    life = start(&w, &b, KDP_TEMPLATE_LIFECYCLE, 1, DAY_0);
    life->kind = KDP_LIFECYCLE_KIND_SETTLED;
    life->result = KDP_RESULT_NONE;
    life->open_ns = life->close_ns = KDP_TIME_NULL;
    life->at_ns = DAY_0 + 1;
    life->settlement_value_e6 = 1;
    done(&w, &b);
    event = start(&w, &b, KDP_TEMPLATE_EVENT, 0, DAY_0);
    event->kind = KDP_EVENT_KIND_FEE_OVERRIDE;
    event->fee_multiplier_e6 = 500000;
    kdpi_build_text(&b, text_of("KXTEST"));
    for (unsigned i = 0; i < 5; i++)
        kdpi_build_text(&b, text_of(""));
    done(&w, &b);
    state = start(&w, &b, KDP_TEMPLATE_STATE, 0, KDP_TIME_NULL);
    state->subject = KDP_SUBJECT_LINE;
    state->state = 77; /* a word of a later version */
    state->reason = KDP_REASON_GAP;
    state->sid = 4294967295u;
    state->from_seq = UINT64_MAX;
    kdpi_build_text(&b, text_of("wss://x"));
    done(&w, &b);
    gap = start(&w, &b, KDP_TEMPLATE_GAP, 0, KDP_TIME_NULL);
    gap->kind = KDP_GAP_KIND_SEQUENCE;
    gap->status = KDP_GAP_STATUS_OPEN;
    gap->opened_ns = DAY_0;
    gap->healed_ns = KDP_TIME_NULL;
    kdpi_build_text(&b, text_of(""));
    done(&w, &b);
    return &w;
}

static void
check_values(const char *dir)
{
    check_answer(dir, "FROM trades ORDER BY seq",
                 "KXTEST-A|2026-11-18T00:00:00.123456789Z|2026-11-18T00:00:00.000003007Z|"
                 "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff|0.8815|no|true|0.01|4294967295|3|ws|0|3\n"
                 "KXTEST-B|2026-11-18T00:00:00.000004007Z|2026-11-18T00:00:00.000004007Z|"
                 "00000000-0000-0000-0000-000000000000|0.0000|NULL|false|999999999999999.99|NULL|NULL|rest_"
                 "refill|255|4\n");
    check_answer(
        dir,
        "SELECT yes_bid, yes_ask, yes_bid_size, yes_ask_size, book_hash, book_state FROM bbo ORDER BY seq",
        "NULL|1.0000|NULL|33.25|18446744073709551615|live\n0.0001|NULL|0.01|NULL|0|stale\n");
    check_answer(dir, "SELECT seq FROM bbo_live", "5\n");
    check_answer(dir,
                 "SELECT price, yes_bid, yes_ask, yes_bid_size, volume, open_interest, dollar_volume, "
                 "dollar_open_interest FROM ticker",
                 "NULL|0.4400|NULL|NULL|1.00|0.00|12345|NULL\n");
    check_answer(dir, "SELECT price, side, delta_size, size FROM orderbook_deltas",
                 "0.1234|yes|-1.50|0.00\n");
    check_answer(
        dir,
        "SELECT ticker, seq, part, parts, levels_total, side, price, size FROM orderbook_snapshots ORDER BY "
        "seq, side DESC",
        "KXTEST-B|9|0|2|3|yes|0.0100|0.50\nKXTEST-B|9|0|2|3|no|0.9900|0.25\n"
        "KXTEST-B|10|1|2|3|no|0.9950|0.01\nKXTEST-A|11|0|1|0|NULL|NULL|NULL\n");
    check_answer(dir, "SELECT event_type, result, open_time, at_time, settlement_value FROM lifecycle",
                 "settled|NULL|NULL|2026-11-18T00:00:00.000000001Z|0.000001\n");
    check_answer(dir, "SELECT ticker, event_type, fee_multiplier, event_ticker, title FROM events",
                 "NULL|fee_override|0.500000|KXTEST|NULL\n");
    check_answer(dir, "SELECT ticker, subject, state, reason, sid, from_seq, to_seq, detail FROM states",
                 "NULL|line|?|gap|4294967295|18446744073709551615|0|wss://x\n");
    check_answer(dir, "SELECT kind, status, healed_by, opened_ts, healed_ts, detail FROM gaps",
                 "sequence|open|NULL|2026-11-18T00:00:00.000000000Z|NULL|NULL\n");
    check_answer(
        dir,
        "SELECT ticker, open_time, close_time, floor_strike, cap_strike, strike_type, status, combo, "
        "provisional, "
        "event_ticker, series_ticker, title, yes_sub_title, price_ranges FROM definitions WHERE ticker = "
        "'KXTEST-A'",
        "KXTEST-A|2026-11-17T23:59:59.999999999Z|NULL|-1.500000|NULL|between|active|true|false|KXTEST|NULL|A "
        "\"quoted\", title\nof two lines|51\xc2\xb0 to "
        "52\xc2\xb0|[{\"start\":\"0.0000\",\"end\":\"0.1000\",\"step\":"
        "\"0.0010\"},{\"start\":\"0.1000\",\"end\":\"1.0000\",\"step\":\"0.0100\"}]\n");
}

KDP_TEST(values_are_exact_to_the_digit_and_null_on_the_tape_and_sealed)
{
    const char *dir = kdp_test_dir();

    lake_need_duckdb();
    write_tape(dir, some_records());
    check_values(dir);
    lake_seal(dir, NULL, NULL);
    check_values(dir);
}

KDP_TEST(an_empty_folder_has_every_table_with_no_rows)
{
    const char *dir = kdp_test_dir();
    unsigned records, others;
    char count[16];

    lake_need_duckdb();
    kdp_lake_tables(&records);
    kdp_history_tables(&others);
    snprintf(count, sizeof count, "%u\n", records + others + 2); /* and bbo_live, markets_asof */
    check_answer(dir, "SELECT count(*) FROM trades", "0\n");
    check_answer(dir, "SELECT count(*) FROM bbo_live", "0\n");
    check_answer(dir, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main'", count);
    lake_seal(dir, NULL, NULL);
    check_answer(dir, "SELECT count(*) FROM gaps", "0\n");
}

KDP_TEST(columns_have_the_same_types_before_and_after_sealing)
{
    const struct kdp_lake_table *tables;
    const char *dir = kdp_test_dir();
    unsigned count;

    lake_need_duckdb();
    write_tape(dir, some_records());
    tables = kdp_lake_tables(&count);
    for (int sealed = 0; sealed < 2; sealed++) {
        for (unsigned i = 0; i < count; i++) {
            char text[128], *want = NULL, *got;
            size_t len;
            FILE *out = open_memstream(&want, &len);

            CHECK(out != NULL);
            for (unsigned c = 0; c < tables[i].column_count; c++)
                fprintf(out, "%s|%s\n", tables[i].columns[c].name, tables[i].columns[c].sql);
            fclose(out);
            snprintf(text, sizeof text, "SELECT column_name, column_type FROM (DESCRIBE %s)", tables[i].name);
            got = lake_dump(dir, 0, text);
            CHECK_STR(got, want);
            free(got);
            free(want);
        }
        lake_seal(dir, NULL, NULL);
    }
}

KDP_TEST(nested_values_are_json_and_odd_ones_keep_their_digits)
{
    const char *dir = kdp_test_dir();

    lake_need_duckdb();
    check_answer(dir, "SELECT [1, NULL, 3], {'a': 1.50, 'b': 'x\"y'}, MAP {'k': DATE '2026-01-02'}, [[1]]",
                 "[1,null,3]|{\"a\":1.50,\"b\":\"x\\\"y\"}|{\"k\":\"2026-01-02\"}|[[1]]\n");
    check_answer(dir,
                 "SELECT (-170141183460469231731687303715884105727)::HUGEINT, (-0.01)::DECIMAL(38,2), "
                 "(-5)::TINYINT, 0.1::DOUBLE, "
                 "1e300::DOUBLE, 1.1::FLOAT, 18446744073709551615::UBIGINT",
                 "-170141183460469231731687303715884105727|-0.01|-5|0.1|1e+300|1.1|18446744073709551615\n");
    check_answer(
        dir,
        "SELECT TIMESTAMP '1960-01-02 03:04:05.000006', TIMESTAMP_S '2026-01-01', TIMESTAMP_MS '2026-01-01 "
        "00:00:00.5', DATE '0001-01-01', TIME '01:02:03', INTERVAL 90 MINUTE, 'infinity'::TIMESTAMP",
        "1960-01-02T03:04:05.000006Z|2026-01-01T00:00:00Z|2026-01-01T00:00:00.500Z|0001-01-01|01:02:03."
        "000000|0 "
        "months 0 days 01:30:00.000000|infinity\n");
    check_answer(dir, "SELECT NULL, true, 'abc'::BLOB, 'a'::ENUM('a', 'b')", "NULL|true|616263|a\n");
}

KDP_TEST(of_several_statements_the_last_one_answers)
{
    const char *dir = kdp_test_dir();

    lake_need_duckdb();
    check_answer(dir, "CREATE TABLE t AS SELECT 41 AS x; UPDATE t SET x = x + 1; SELECT x FROM t", "42\n");
}

/* ---- the fence ---- */
static void
refused(struct kdp_sql *sql, const char *pattern, const char *path)
{
    const char *place = strstr(pattern, "FILE");
    struct kdp_sql_result *result = NULL;
    char text[4096];

    snprintf(text, sizeof text, "%.*s%s%s", (int)(place - pattern), pattern, path, place + strlen("FILE"));
    if (kdp_sql_run(sql, text, &result) != -KDP_EINVAL)
        kdp_test_fail(__FILE__, __LINE__, "was run: %s", text);
    CHECK(result == NULL);
    CHECK(kdp_error_text()[0] != '\0');
}

KDP_TEST(a_statement_reaches_no_file_but_the_tables_own)
{
    static const char *const outside[] = {
        "SELECT * FROM read_csv('FILE')",
        "SELECT * FROM read_text('FILE')",
        "SELECT * FROM read_blob('FILE')",
        "SELECT * FROM 'FILE'",
        "SELECT * FROM glob('FILE*')",
        "COPY (SELECT 1) TO 'FILE'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'FILE'",
        "PREPARE p AS COPY (SELECT 1) TO 'FILE'",
        "CREATE TABLE t (x INTEGER); COPY t FROM 'FILE'",
        "ATTACH 'FILE' AS other",
        "EXPORT DATABASE 'FILE'",
        "IMPORT DATABASE 'FILE'",
        "SET temp_directory = 'FILE'",
        "SET enable_external_access = true; SELECT 'FILE'",
        "PRAGMA temp_directory='FILE'",
        "SET allowed_directories = ['/']; SELECT 'FILE'",
        "SET lock_configuration = false; SELECT 'FILE'",
        "RESET allowed_paths; SELECT 'FILE'",
        "INSTALL httpfs; SELECT 'FILE'",
        "LOAD 'FILE'",
        "CALL pragma_version(); SELECT 'FILE'",
    };
    struct kdp_sql_config config = {0};
    const char *dir = kdp_test_dir();
    struct kdp_sql *sql;
    char secret[4096], inside[4096], *before, *after;
    FILE *out;

    lake_need_duckdb();
    write_tape(dir, some_records());
    lake_seal(dir, NULL, NULL);
    snprintf(secret, sizeof secret, "%s/secret.csv", dir); /* in the data folder, but no file of a table */
    out = fopen(secret, "w");
    CHECK(out != NULL && fputs("a\n1\n", out) >= 0 && fclose(out) == 0);
    before = lake_files(dir, "");
    config.dir = dir;
    for (unsigned i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        CHECK_INT(kdp_sql_open(&sql, &config), 0);
        refused(sql, outside[i], secret);
        kdp_sql_close(sql);
        CHECK_INT(kdp_sql_open(&sql, &config), 0);
        refused(sql, outside[i], "/etc/passwd");
        kdp_sql_close(sql);
    }
    /* the tables' own files can be read and not written */
    snprintf(inside, sizeof inside, "%s/trades/date=2026-11-18/day.parquet", dir);
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    refused(sql, "COPY (SELECT 1) TO 'FILE' (FORMAT parquet)", inside);
    refused(sql, "EXPLAIN ANALYZE COPY (SELECT 1) TO 'FILE'", inside);
    refused(sql, "/* */ explain analyze copy (SELECT 1) TO 'FILE'", inside);
    kdp_sql_close(sql);
    CHECK_STR(lake_ask(dir, 0, "SELECT count(*) FROM read_parquet('%s')", inside), "2");
    after = lake_files(dir, "");
    CHECK_STR(after, before);
    free(before);
    free(after);
}

KDP_TEST(errors_are_the_engines_own_words)
{
    struct kdp_sql_config config = {0};
    struct kdp_sql_result *result;
    struct kdp_sql *sql;

    lake_need_duckdb();
    config.dir = kdp_test_dir();
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK_INT(kdp_sql_run(sql, "selec 1", &result), -KDP_EINVAL);
    CHECK_STR(kdp_error_text(), "Parser Error: syntax error at or near \"selec\"");
    CHECK_INT(kdp_sql_run(sql, "SELECT nope FROM trades", &result), -KDP_EINVAL);
    CHECK(strstr(kdp_error_text(), "\"nope\" not found") != NULL);
    CHECK_INT(kdp_sql_run(sql, "  ", &result), -KDP_EINVAL);
    CHECK_STR(kdp_error_text(), "no statement in that SQL");
    CHECK_INT(kdp_sql_run(sql, "SELECT 1/0, error('mine')", &result), -KDP_EINVAL);
    CHECK(strstr(kdp_error_text(), "mine") != NULL);
    /* and the engine goes on */
    CHECK_INT(kdp_sql_run(sql, "SELECT 1", &result), 0);
    kdp_sql_free(result);
    kdp_sql_close(sql);
}

static int stops;

static int
stopped(void)
{
    return ++stops > 3;
}

KDP_TEST(a_long_statement_can_be_stopped)
{
    struct kdp_sql_config config = {.stopped = stopped};
    struct kdp_sql_result *result;
    struct kdp_sql *sql;

    lake_need_duckdb();
    config.dir = kdp_test_dir();
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK_INT(kdp_sql_run(sql, "SELECT count(*) FROM range(1000000000000) a, range(1000000) b", &result),
              -KDP_ESTOPPED);
    kdp_sql_close(sql);
}

KDP_TEST(memory_is_limited)
{
    struct kdp_sql_config config = {.memory_bytes = 64 << 20};
    struct kdp_sql_result *result;
    struct kdp_sql *sql;

    lake_need_duckdb();
    config.dir = kdp_test_dir();
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK_INT(kdp_sql_run(sql, "SELECT list(a.range) FROM range(20000000) a", &result), -KDP_EINVAL);
    CHECK(strstr(kdp_error_text(), "Out of Memory") != NULL || strstr(kdp_error_text(), "memory") != NULL);
    kdp_sql_close(sql);
}

/* Some 600,000 records are three shares of a scan: two threads take them, each with a reader of its own. */
KDP_TEST(a_long_tail_is_scanned_by_several_threads_once)
{
    uint64_t count = 600000, rows = 0, sum = 0;
    char want[256], *got;
    struct lake_fixture *f;

    lake_need_duckdb();
    f = lake_fixture_new(11, count, DAY_0, 1000);
    lake_fixture_write(f, count, true);
    for (uint64_t i = 0; i < count; i++) {
        if (lake_fixture_at(f, i)->template_id == KDP_TEMPLATE_LEVEL) {
            rows++;
            sum += i + 1;
        }
    }
    snprintf(want, sizeof want, "%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|40\n", rows, rows, sum);
    for (unsigned i = 0; i < 3; i++) {
        got = lake_dump(f->dir, 0,
                        "SELECT count(*), count(DISTINCT seq), sum(seq), count(DISTINCT ticker) FROM "
                        "orderbook_deltas WHERE line = 1");
        CHECK_STR(got, want);
        free(got);
    }
    lake_fixture_free(f);
}

KDP_TEST(damage_on_the_tape_ends_the_statement_with_its_place)
{
    struct kdp_sql_config config = {0};
    struct kdp_sql_result *result = NULL;
    struct lake_fixture *f;
    struct kdp_sql *sql;
    char path[4096];
    FILE *segment;

    lake_need_duckdb();
    f = lake_fixture_new(3, 4000, DAY_0, 1000);
    lake_fixture_write(f, 4000, true);
    snprintf(path, sizeof path, "%s/tape/00000001.seg", f->dir);
    CHECK_INT(chmod(path, 0644), 0);
    segment = fopen(path, "r+");
    CHECK(segment != NULL && fseek(segment, 200000, SEEK_SET) == 0);
    CHECK(fputs("damage", segment) >= 0 && fclose(segment) == 0);
    config.dir = f->dir;
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK(kdp_sql_run(sql, "SELECT sum(delta_size) FROM orderbook_deltas", &result) < 0);
    CHECK(strstr(kdp_error_text(), "00000001.seg") != NULL);
    kdp_sql_close(sql);
    lake_fixture_free(f);
}

KDP_TEST(without_the_library_the_way_to_get_it_is_told)
{
    struct kdp_sql_config config = {0};
    struct kdp_sql *sql;

    setenv("KDP_DUCKDB_LIB", "/nonexistent/libduckdb.so", 1);
    config.dir = kdp_test_dir();
    CHECK_INT(kdp_sql_open(&sql, &config), -KDP_ENOLIB);
    CHECK(strstr(kdp_error_text(), "/nonexistent/libduckdb.so") != NULL);
    CHECK(strstr(kdp_error_hint(), "./run --build-only") != NULL);
}

/* ---- books at an instant ---- */
/* A market's life with a restart and a gap in it; after each record the book is kept in the simplest form
 * there is. */
struct told_book {
    int64_t size_e2[2][101]; /* whole cents are enough here */
    unsigned state;
};
#define STEPS 600

static void
tell(struct writing *w, uint64_t *random, struct told_book *told)
{
    struct kdp_builder b;
    uint64_t pick = kdp_test_random(random) % 100;

    if (told->state != KDP_BOOK_STATE_LIVE || pick < 2) {
        struct kdp_book_snapshot_levels *levels;
        struct kdp_book_snapshot *at = start(w, &b, KDP_TEMPLATE_BOOK_SNAPSHOT, 1, KDP_TIME_NULL);
        uint32_t count = (uint32_t)(kdp_test_random(random) % 6);

        memset(told, 0, sizeof *told);
        told->state = KDP_BOOK_STATE_LIVE;
        at->parts = 1;
        at->levels_total = count;
        at->reason = KDP_REASON_RECOVERY;
        at->book_state = KDP_BOOK_STATE_LIVE;
        levels = kdpi_build_group(&b, count);
        for (uint32_t i = 0; i < count; i++) {
            levels[i].side = i % 2 == 0 ? KDP_SIDE_YES : KDP_SIDE_NO;
            levels[i].price_e4 = (int32_t)(10 + i * 10) * 100;
            levels[i].size_e2 = 100 + i;
            told->size_e2[i % 2][10 + i * 10] = 100 + i;
        }
    } else if (pick < 4) {
        struct kdp_state *at = start(w, &b, KDP_TEMPLATE_STATE, pick == 2 ? 1 : 0, KDP_TIME_NULL);

        /* a gap, or the plant's start after it was killed */
        at->subject = pick == 2 ? KDP_SUBJECT_INSTRUMENT : KDP_SUBJECT_PLANT;
        at->state = pick == 2 ? KDP_BOOK_STATE_STALE : KDP_BOOK_STATE_LIVE;
        at->reason = pick == 2 ? KDP_REASON_GAP : KDP_REASON_RESTART;
        kdpi_build_text(&b, text_of(""));
        told->state = KDP_BOOK_STATE_STALE;
    } else {
        uint32_t market = pick < 20 ? 2 : 1; /* another market's changes must not count */
        struct kdp_level *at = start(w, &b, KDP_TEMPLATE_LEVEL, market, DAY_0 + (int64_t)w->seq);
        unsigned cent = 1 + (unsigned)(kdp_test_random(random) % 99),
                 side = (unsigned)(kdp_test_random(random) % 2);

        at->price_e4 = (int32_t)cent * 100;
        at->side = (uint8_t)(KDP_SIDE_YES + side);
        at->size_e2 = (int64_t)(kdp_test_random(random) % 3) * 50;
        at->delta_e2 = 50;
        if (market == 1)
            told->size_e2[side][cent] = at->size_e2;
    }
    done(w, &b);
}

static void
check_book(const struct kdp_book_at *book, const struct told_book *told)
{
    CHECK(book->found);
    CHECK_INT(book->state, told->state);
    for (unsigned side = 0; side < 2; side++)
        for (unsigned price = 0; price <= KDP_PRICE_MAX; price++)
            CHECK_INT(book->size_e2[side][price], price % 100 == 0 ? told->size_e2[side][price / 100] : 0);
}

KDP_TEST(a_book_at_any_instant_is_the_same_from_tape_and_lake)
{
    static struct writing w;
    static struct told_book told[STEPS];
    static struct kdp_book_at book;
    struct kdp_sql_config config = {0};
    const char *dir = kdp_test_dir();
    uint64_t random = kdp_test_seed();
    struct told_book now = {0};
    bool known;

    lake_need_duckdb();
    memset(&w, 0, sizeof w);
    define(&w, 1, "KXTEST-A", "A");
    define(&w, 2, "KXTEST-B", "B");
    for (unsigned i = 0; i < STEPS; i++) {
        tell(&w, &random, &now);
        told[i] = now;
    }
    write_tape(dir, &w);
    lake_seal(dir, NULL, NULL);
    config.dir = dir;
    for (unsigned i = 0; i < STEPS; i += 13) {
        int64_t at_ns = DAY_0 + (int64_t)(i + 3) * 1000 + 7; /* of record i + 3: two definitions come first */
        struct kdp_sql *sql;

        CHECK_INT(kdp_book_at_tape(&book, dir, "KXTEST-A", at_ns, &known), 1);
        CHECK(known);
        check_book(&book, &told[i]);
        CHECK_STR(book.title, "51\xc2\xb0 to 52\xc2\xb0");
        CHECK_INT(kdp_sql_open(&sql, &config), 0);
        CHECK_INT(kdp_book_at_lake(&book, sql, "KXTEST-A", at_ns, &known), 1);
        CHECK(known);
        check_book(&book, &told[i]);
        CHECK_STR(book.title, "51\xc2\xb0 to 52\xc2\xb0");
        kdp_sql_close(sql);
    }
    /* just before its first record there is none */
    CHECK_INT(kdp_book_at_tape(&book, dir, "KXTEST-A", DAY_0 + 2999, &known), 1);
    CHECK(!book.found);
    CHECK_INT(kdp_book_at_tape(&book, dir, "KXTEST-Z", KDP_TIME_NULL, &known), 0);
    CHECK(!known);
}

KDP_TEST(a_days_files_alone_rebuild_the_days_books)
{
    static struct writing w;
    static struct kdp_book_at book;
    struct kdp_sql_config config = {0};
    const char *dir = kdp_test_dir();
    struct told_book now = {0};
    uint64_t random = 5;
    struct kdp_sql *sql;
    char command[4096];
    bool known;

    lake_need_duckdb();
    memset(&w, 0, sizeof w);
    define(&w, 1, "KXTEST-A", "A");
    for (unsigned i = 0; i < STEPS; i++)
        tell(&w, &random, &now);
    write_tape(dir, &w);
    lake_seal(dir, NULL, NULL);
    snprintf(command, sizeof command, "rm -r '%s/tape' && find '%s' -name '*.lock' -delete", dir, dir);
    CHECK_INT(system(command), 0);
    config.dir = dir;
    CHECK_INT(kdp_book_at_tape(&book, dir, "KXTEST-A", KDP_TIME_NULL, &known), 0);
    CHECK_INT(kdp_sql_open(&sql, &config), 0);
    CHECK_INT(kdp_sql_cut(sql), w.seq);
    CHECK_INT(kdp_book_at_lake(&book, sql, "KXTEST-A", KDP_TIME_NULL, &known), 1);
    check_book(&book, &now);
    kdp_sql_close(sql);
}
