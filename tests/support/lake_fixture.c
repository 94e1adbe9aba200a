/* lake_fixture.c - see lake_fixture.h. */
#include "lake_fixture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "duckdb_api.h"
#include "error.h"
#include "kdp_test.h"
#include "lake_table.h"
#include "made_records.h"

void
lake_need_duckdb(void)
{
    const struct kdp_duckdb *duck;

    if (kdp_duckdb_load(&duck) != 0)
        kdp_test_skip("%s", kdp_error_text());
}

struct lake_fixture *
lake_fixture_new(uint64_t seed, uint64_t count, int64_t first_ns, int64_t step_ns)
{
    struct lake_fixture *f = calloc(1, sizeof *f);
    uint64_t record[KDP_RECORD_MAX / 8];
    struct made_records made;
    size_t room = 0;

    CHECK(f != NULL);
    snprintf(f->dir, sizeof f->dir, "%s/%" PRIu64, kdp_test_dir(), seed);
    CHECK_INT(mkdir(f->dir, 0777), 0);
    f->count = count;
    f->offsets = calloc(count + 1, sizeof *f->offsets);
    CHECK(f->offsets != NULL);
    made_records_start(&made, seed, 1, 40);
    made.recv_ns = first_ns;
    made.step_ns = step_ns;
    for (uint64_t i = 0; i < count; i++) {
        size_t size = made_records_next(&made, record);

        if (f->len + size > room) {
            room = room * 2 + (1 << 20);
            f->bytes = realloc(f->bytes, room);
            CHECK(f->bytes != NULL);
        }
        /* now and then a record without the exchange's time, as snapshots and states are */
        if (kdp_test_random(&seed) % 8 == 0)
            ((struct kdp_head *)(void *)record)->exch_ns = KDP_TIME_NULL;
        memcpy(f->bytes + f->len, record, size);
        f->offsets[i] = f->len;
        f->len += size;
    }
    f->offsets[count] = f->len;
    return f;
}

void
lake_fixture_free(struct lake_fixture *f)
{
    if (f->writer != NULL)
        kdp_tape_writer_close(f->writer);
    free(f->bytes);
    free(f->offsets);
    free(f);
}

const struct kdp_head *
lake_fixture_at(const struct lake_fixture *f, uint64_t index)
{
    return (const void *)(f->bytes + f->offsets[index]);
}

void
lake_fixture_write(struct lake_fixture *f, uint64_t count, bool seal)
{
    struct kdp_tape_config config = {.dir = f->dir, .session = 7, .segment_bytes = 4 << 20};
    uint64_t cut;

    if (f->writer == NULL && kdp_tape_writer_open(&f->writer, &config, f->written + 1, &cut) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    while (f->written < count) {
        /* blocks of some 64 KiB, so that there are many */
        uint64_t to = f->written;

        while (to < count && f->offsets[to + 1] - f->offsets[f->written] < (64 << 10))
            to++;
        if (to == f->written)
            to++;
        CHECK_INT(kdp_tape_append(f->writer, f->bytes + f->offsets[f->written],
                                  f->offsets[to] - f->offsets[f->written], 2 * to),
                  0);
        f->written = to;
    }
    CHECK_INT(kdp_tape_sync(f->writer), 0);
    if (seal) {
        CHECK_INT(kdp_tape_writer_close(f->writer), 0);
        f->writer = NULL;
    }
}

uint64_t
lake_fixture_rows(const struct lake_fixture *f, unsigned table, uint64_t seq)
{
    uint64_t rows = 0;

    for (uint64_t i = 0; i < seq && i < f->count; i++) {
        const struct kdp_head *rec = lake_fixture_at(f, i);

        if (kdp_lake_tables(NULL)[table].desc->template_id != rec->template_id)
            continue;
        if (rec->template_id == KDP_TEMPLATE_BOOK_SNAPSHOT) {
            const struct kdp_group_size *group =
                (const void *)((const uint8_t *)rec + sizeof(struct kdp_book_snapshot));
            rows += group->count > 0 ? group->count : 1;
        } else {
            rows++;
        }
    }
    return rows;
}

void
lake_seal(const char *dir, int64_t (*now_ns)(void), struct kdp_lake_totals *totals)
{
    struct kdp_lake_config config = {.dir = dir, .now_ns = now_ns};
    struct kdp_lake_totals own;
    struct kdp_lake *lake;

    if (kdp_lake_open(&lake, &config) != 0 || kdp_lake_drain(lake) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    kdp_lake_totals(lake, totals != NULL ? totals : &own);
    kdp_lake_close(lake);
}

static struct kdp_sql *
open_sql(const char *dir, uint64_t at_seq)
{
    struct kdp_sql_config config = {.dir = dir, .at_seq = at_seq};
    struct kdp_sql *sql;

    if (kdp_sql_open(&sql, &config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s %s", kdp_error_text(), kdp_error_hint());
    return sql;
}

static char *
dump(struct kdp_sql *sql, const char *text)
{
    struct kdp_sql_result *result = NULL;
    char *out_text = NULL;
    size_t len;
    FILE *out = open_memstream(&out_text, &len);
    int rc;

    CHECK(out != NULL);
    rc = kdp_sql_run(sql, text, &result);
    while (rc == 0 && (rc = kdp_sql_next(result)) > 0) {
        for (unsigned i = 0; i < kdp_sql_columns(result); i++) {
            const char *cell = kdp_sql_cell(result, i);

            fprintf(out, "%s%s", i > 0 ? "|" : "", cell != NULL ? cell : "NULL");
        }
        putc('\n', out);
        rc = 0;
    }
    if (rc < 0)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s %s", text, kdp_error_text(), kdp_error_hint());
    kdp_sql_free(result);
    fclose(out);
    return out_text;
}

char *
lake_dump(const char *dir, uint64_t at_seq, const char *text)
{
    struct kdp_sql *sql = open_sql(dir, at_seq);
    char *got = dump(sql, text);

    kdp_sql_close(sql);
    return got;
}

const char *
lake_ask(const char *dir, uint64_t at_seq, const char *fmt, ...)
{
    static char cell[4096];
    char text[4096], *got;
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    got = lake_dump(dir, at_seq, text);
    snprintf(cell, sizeof cell, "%.*s", (int)strcspn(got, "|\n"), got);
    free(got);
    return cell;
}

void
lake_check(const struct lake_fixture *f, uint64_t seq)
{
    struct kdp_sql *sql = open_sql(f->dir, seq);
    const struct kdp_lake_table *tables;
    unsigned count;

    tables = kdp_lake_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        uint64_t records = 0, sum = 0;
        char want[256], text[256], *got;

        for (uint64_t r = 0; r < seq && r < f->count; r++) {
            const struct kdp_head *rec = lake_fixture_at(f, r);

            if (rec->template_id == tables[i].desc->template_id) {
                records++;
                sum += rec->seq;
            }
        }
        snprintf(want, sizeof want, "%" PRIu64 "|%" PRIu64 "|%" PRIu64 "\n", lake_fixture_rows(f, i, seq),
                 records, sum);
        snprintf(text, sizeof text,
                 "SELECT count(*), count(DISTINCT seq), coalesce(sum(DISTINCT seq), 0)::HUGEINT FROM %s",
                 tables[i].name);
        got = dump(sql, text);
        if (strcmp(got, want) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s up to %" PRIu64 ": got %swant %s", tables[i].name, seq, got,
                          want);
        free(got);
    }
    kdp_sql_close(sql);
}

char *
lake_files(const char *dir, const char *table)
{
    char command[4096], *list = NULL;
    size_t len;
    FILE *out = open_memstream(&list, &len), *in;
    int c;

    /* %i: a file written anew has another inode, even with the same bytes */
    snprintf(command, sizeof command,
             "cd '%s/%s' 2>/dev/null && find . -type f -printf '%%P %%s %%i\\n' | sort", dir, table);
    in = popen(command, "r");
    CHECK(out != NULL && in != NULL);
    while ((c = getc(in)) != EOF)
        putc(c, out);
    pclose(in);
    fclose(out);
    return list;
}
