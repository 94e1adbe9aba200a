/* Rows of large JSON files: what is read, from pieces of any size, and what is refused, at which byte. */
#include <stdio.h>
#include <stdlib.h>

#include "bulk.h"
#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "kdp/records.h"
#include "kdp_test.h"
#include "rows.h"

struct text { /* a source that gives its bytes in pieces, and an error at the end when asked to */
    const char *bytes;
    size_t len, at, piece;
    int error;
};

static int64_t
read_text(void *arg, void *buf, size_t size)
{
    struct text *text = arg;
    size_t left = text->len - text->at, count = left < size ? left : size;

    if (text->piece != 0 && count > text->piece)
        count = text->piece;
    if (count == 0 && text->error != 0)
        return kdpi_fail((enum kdp_error) - text->error, "the source says so");
    memcpy(buf, text->bytes + text->at, count);
    text->at += count;
    return (int64_t)count;
}

static struct kdp_rows *
open_text(struct text *text, const char *bytes, size_t piece)
{
    struct kdp_rows *rows;

    *text = (struct text){.bytes = bytes, .len = strlen(bytes), .piece = piece};
    CHECK_INT(kdp_rows_open(&rows, "bulk.json", read_text, text), 0);
    return rows;
}

/* Reads to the end: the rows given, the result in *rcp. */
static uint64_t
count_rows(const char *bytes, size_t piece, int *rcp)
{
    struct text text;
    struct kdp_rows *rows = open_text(&text, bytes, piece);
    struct kdp_row row;
    uint64_t count = 0;

    while ((*rcp = kdp_rows_next(rows, &row)) == 1)
        count++;
    CHECK_INT(kdp_rows_next(rows, &row), *rcp); /* it goes on saying the same */
    kdp_rows_close(rows);
    return count;
}

static void
refused(const char *bytes, int want_rc, uint64_t want_rows, const char *want_words)
{
    static const size_t pieces[] = {0, 1, 7};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int rc;
        uint64_t count = count_rows(bytes, pieces[i], &rc);

        if (rc != want_rc || count != want_rows || strstr(kdp_error_text(), want_words) == NULL)
            kdp_test_fail(__FILE__, __LINE__, "%s by %zu: %d after %llu rows: %s", bytes, pieces[i], rc,
                          (unsigned long long)count, kdp_error_text());
    }
}

KDP_TEST(rows_come_with_their_members_in_any_form)
{
    static const char bytes[] =
        "\xef\xbb\xbf [ {\"a\":1,\"b\":\"x\"} ,\n{\"b\" : null , \"a\":-1.5e3,\"c\":[1,{\"d\":[]}]},"
        "{},{\"a\":true,\"\\u0062\":\"q\\\"\\u00e9\\ud83d\\ude00\"}]\n ";
    struct text text;

    for (size_t piece = 0; piece < 9; piece++) {
        struct kdp_rows *rows = open_text(&text, bytes, piece);
        struct kdp_row row;
        struct kdp_text t;
        char buf[64];

        CHECK_INT(kdp_rows_next(rows, &row), 1);
        CHECK_INT(row.number, 1);
        CHECK_INT(row.offset, 6);
        CHECK_INT(row.len, 15);
        CHECK_INT(row.count, 2);
        CHECK_INT(row.fields[0].kind, KDP_JSON_NUMBER);
        CHECK_INT(row.fields[0].len, 1);
        CHECK_STR(kdp_rows_column(rows, row.fields[1].column), "b");
        CHECK(memcmp(row.fields[1].data, "x", 1) == 0 && row.fields[1].len == 1);
        CHECK_INT(kdp_rows_next(rows, &row), 1);
        CHECK_INT(row.count, 3);
        CHECK_STR(kdp_rows_column(rows, row.fields[0].column), "b");
        CHECK_INT(row.fields[0].kind, KDP_JSON_NULL);
        CHECK(memcmp(row.fields[1].data, "-1.5e3", 6) == 0 && row.fields[1].len == 6);
        CHECK_INT(row.fields[2].kind, KDP_JSON_ARRAY);
        CHECK_INT(row.fields[2].len, 12);
        CHECK_INT(kdp_rows_next(rows, &row), 1);
        CHECK_INT(row.count, 0);
        CHECK_INT(kdp_rows_next(rows, &row), 1);
        CHECK_INT(row.fields[0].kind, KDP_JSON_TRUE);
        CHECK_STR(kdp_rows_column(rows, row.fields[1].column), "b");
        t = kdp_rows_text(&row.fields[1], buf, sizeof buf);
        CHECK(t.len == 8 && memcmp(t.data, "q\"\xc3\xa9\xf0\x9f\x98\x80", 8) == 0);
        CHECK_INT(kdp_rows_next(rows, &row), 0);
        CHECK_INT(kdp_rows_columns(rows), 3);
        kdp_rows_close(rows);
    }
}

KDP_TEST(one_object_a_line_is_read_too)
{
    int rc;

    CHECK_INT(count_rows("{\"a\":1}\r\n\n{\"a\":2}\n{\"a\":3}", 0, &rc), 3);
    CHECK_INT(rc, 0);
    CHECK_INT(count_rows("[]", 0, &rc), 0);
    CHECK_INT(rc, 0);
    refused("{\"a\":1}\n{\"a\":", -KDP_ETRUNCATED, 1, "cut: bulk.json: ends at byte 13, in row 2");
    refused("{\"a\":1},\n{\"a\":2}", -KDP_EFORMAT, 1, "byte 7");
}

KDP_TEST(a_fault_names_its_byte_and_leaves_the_rows_before)
{
    refused("", -KDP_ENOENT, 0, "0 bytes, no row");
    refused(" \n", -KDP_ENOENT, 0, "2 bytes, no row");
    refused("[", -KDP_ETRUNCATED, 0, "ends at byte 1, before row 1");
    refused("[{\"a\":1}", -KDP_ETRUNCATED, 1, "ends at byte 8, before row 2");
    refused("[{\"a\":1},{\"a\":12", -KDP_ETRUNCATED, 1, "in row 2");
    refused("[{\"a\":1},{\"a\":\"x", -KDP_ETRUNCATED, 1, "in row 2");
    refused("[{\"a\":1},{\"a\":tr", -KDP_ETRUNCATED, 1, "in row 2");
    refused("hello", -KDP_EFORMAT, 0, "byte 0");
    refused("[1,2]", -KDP_EFORMAT, 0, "byte 1");
    refused("[{\"a\":1} {\"a\":2}]            ", -KDP_EFORMAT, 1, "byte 9, in row 2: expected \",\"");
    refused("[{\"a\":1},]                   ", -KDP_EFORMAT, 1, "byte 9");
    refused("[{\"a\":1}]x", -KDP_EFORMAT, 1, "byte 9, in row 2: text behind the end");
    refused("[{\"a\":01}]", -KDP_EFORMAT, 0, "not a JSON number");
    refused("[{\"a\":1.}]", -KDP_EFORMAT, 0, "not a JSON number");
    refused("[{\"a\":+1}]", -KDP_EFORMAT, 0, "byte 6");
    refused("[{\"a\":nul}]", -KDP_EFORMAT, 0, "byte 6");
    refused("[{\"a\":1,}]", -KDP_EFORMAT, 0, "byte 8");
    refused("[{\"a\" 1}]", -KDP_EFORMAT, 0, "byte 6");
    refused("[{a:1}]", -KDP_EFORMAT, 0, "byte 2");
    refused("[{\"a\":\"\t\"}]", -KDP_EFORMAT, 0, "byte 7");
    refused("[{\"a\":\"\\x\"}]", -KDP_EFORMAT, 0, "byte 7");
    refused("[{\"a\":\"\\ud800\"}]", -KDP_EFORMAT, 0, "byte 7");
    refused("[{\"a\":\"\xff\"}]", -KDP_EFORMAT, 0, "byte 7, in row 1: invalid UTF-8");
    refused("[{\"a\":\"\xc0\x80\"}]", -KDP_EFORMAT, 0, "byte 7");
    refused("[{\"a\":1,\"a\":2}]", -KDP_EFORMAT, 0, "given twice");
    refused("[{\"a\":[1,]}]", -KDP_EFORMAT, 0, "byte 9");
    refused("[{\"a\":[1}}]", -KDP_EFORMAT, 0, "byte 8");
    refused("[{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}]",
            -KDP_EFORMAT, 0, "too deep");
}

KDP_TEST(the_error_of_the_source_comes_behind_the_rows_before_it)
{
    struct text text;
    struct kdp_rows *rows = open_text(&text, "[{\"a\":1},{\"a\":2}]", 0);
    struct kdp_row row;

    text.error = -KDP_ECHECKSUM; /* as of a gzip member whose sum is wrong: all bytes, then the error */
    CHECK_INT(kdp_rows_next(rows, &row), 1);
    CHECK_INT(kdp_rows_next(rows, &row), 1);
    CHECK_INT(kdp_rows_next(rows, &row), -KDP_ECHECKSUM);
    CHECK_STR(kdp_error_text(), "the source says so");
    kdp_rows_close(rows);
}

KDP_TEST(too_many_members_are_counted_and_left_out)
{
    char *bytes = malloc(100000);
    struct text text;
    struct kdp_rows *rows;
    struct kdp_row row;
    size_t len = 1;

    bytes[0] = '[';
    for (unsigned i = 0; i < 300; i++)
        len += (size_t)sprintf(bytes + len, "%s\"m%u\":%u", i == 0 ? "{" : ",", i, i);
    len += (size_t)sprintf(bytes + len, "}]");
    rows = open_text(&text, bytes, 0);
    CHECK_INT(kdp_rows_next(rows, &row), 1);
    CHECK_INT(row.count, KDP_ROWS_COLUMNS_MAX);
    CHECK_INT(row.left_out, 300 - KDP_ROWS_COLUMNS_MAX);
    CHECK_INT(kdp_rows_next(rows, &row), 0);
    kdp_rows_close(rows);
    free(bytes);
}

KDP_TEST(a_row_longer_than_its_bound_is_refused_and_a_long_one_is_read)
{
    size_t len = KDP_ROWS_ROW_MAX + (2u << 20);
    char *bytes = malloc(len + 16);
    struct text text;
    struct kdp_rows *rows;
    struct kdp_row row;

    memset(bytes, 'x', len + 15);
    bytes[len + 15] = '\0';
    memcpy(bytes, "[{\"a\":\"", 7);
    memcpy(bytes + (3u << 20), "\"}]", 4);
    rows = open_text(&text, bytes, 0);
    CHECK_INT(kdp_rows_next(rows, &row), 1);
    CHECK_INT(row.len, (3u << 20) + 1);
    CHECK_INT(kdp_rows_next(rows, &row), 0);
    kdp_rows_close(rows);
    memset(bytes + 7, 'x', len);
    rows = open_text(&text, bytes, 0);
    CHECK_INT(kdp_rows_next(rows, &row), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "byte 1, in row 1: a row longer") != NULL);
    kdp_rows_close(rows);
    free(bytes);
}

/* A member's text as a decimal, quotes or not. */
static int64_t
decimal_of(const struct kdp_rows *rows, const struct kdp_row *row, const char *name, unsigned scale)
{
    int column = kdp_rows_column_find(rows, name);
    int64_t value = 0;

    for (unsigned i = 0; i < row->count; i++) {
        if (row->fields[i].column != column)
            continue;
        if (row->fields[i].kind == KDP_JSON_NULL)
            return KDP_INT64_NULL;
        CHECK_INT(kdpi_decimal_parse(row->fields[i].data, row->fields[i].len, scale, &value), KDP_DECIMAL_OK);
        return value;
    }
    kdp_test_fail(__FILE__, __LINE__, "no member %s", name);
}

KDP_TEST(a_made_up_bulk_file_is_read_as_it_was_made)
{
    for (int kind = 0; kind < 2; kind++) {
        struct kdp_bulk bulk = {.kind = (enum kdp_bulk_kind)kind, .day = 20715, .seed = 5, .rows = 3000};
        char *bytes = malloc(bulk.rows * KDP_BULK_ROW_MAX);
        struct kdp_bulk_row want;
        struct kdp_rows *rows;
        struct kdp_row row;
        struct text text;
        size_t len = 0;

        for (uint64_t i = 0; i < bulk.rows; i++)
            len += kdp_bulk_text(&bulk, i, bytes + len);
        rows = open_text(&text, bytes, 977);
        for (uint64_t i = 0; i < bulk.rows; i++) {
            CHECK_INT(kdp_rows_next(rows, &row), 1);
            kdp_bulk_row(&bulk, i, &want);
            CHECK(row.fields[1].len == strlen(want.ticker) &&
                  memcmp(row.fields[1].data, want.ticker, row.fields[1].len) == 0);
            if (kind == KDP_BULK_TRADES) {
                CHECK_INT(decimal_of(rows, &row, "contracts_traded", 2), want.contracts_e2);
                CHECK_INT(decimal_of(rows, &row, "price", 2), want.price_e4);
            } else {
                CHECK_INT(decimal_of(rows, &row, "daily_volume", 2), want.contracts_e2);
                CHECK_INT(decimal_of(rows, &row, "open_interest", 2), want.open_interest_e2);
                CHECK_INT(decimal_of(rows, &row, "block_volume", 2), want.block_e2);
                CHECK_INT(decimal_of(rows, &row, "high", 2), want.high_e4);
                CHECK_INT(decimal_of(rows, &row, "low", 2), want.low_e4);
            }
        }
        CHECK_INT(kdp_rows_next(rows, &row), 0);
        kdp_rows_close(rows);
        free(bytes);
    }
}

KDP_TEST(reading_goes_on_at_a_row_met_before)
{
    struct kdp_bulk bulk = {.kind = KDP_BULK_TRADES, .day = 20715, .seed = 9, .rows = 2000};
    char *bytes = malloc(bulk.rows * KDP_BULK_ROW_MAX);
    uint64_t *offsets = malloc(bulk.rows * sizeof *offsets), state = kdp_test_seed();
    struct kdp_rows *rows;
    struct kdp_row row;
    struct text text;
    size_t len = 0;

    for (uint64_t i = 0; i < bulk.rows; i++)
        len += kdp_bulk_text(&bulk, i, bytes + len);
    rows = open_text(&text, bytes, 0);
    for (uint64_t i = 0; kdp_rows_next(rows, &row) == 1; i++)
        offsets[i] = row.offset;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t from = kdp_test_random(&state) % bulk.rows;

        text.at = offsets[from];
        kdp_rows_at(rows, offsets[from], from + 1);
        for (uint64_t i = from; i < from + 40 && i < bulk.rows; i++) {
            CHECK_INT(kdp_rows_next(rows, &row), 1);
            CHECK_INT(row.number, i + 1);
            CHECK_INT(row.offset, offsets[i]);
        }
    }
    kdp_rows_close(rows);
    free(offsets);
    free(bytes);
}
