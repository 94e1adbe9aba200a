/* rows.c - see rows.h.
 *
 * The buffer always ends in zeros: a zero is no part of any JSON text, so the scan needs no check of its end within a row; when
 * it stops at one, it is asked whether that is the end of the buffer, and then more is read and the row begun again. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "error.h"
#include "rows_scan.h"

#define BUFFER_BYTES (512u << 10)
#define READ_BYTES (128u << 10) /* what was read is still in the second-level cache when it is looked at */
#define SLACK 64u
#define SEPARATOR_MAX 48u
#define NAME_MAX_BYTES 256u

struct separator { /* from the end of a value to the next one's first byte: {"date":" or ,"price": */
    uint8_t len;   /* 0: none learnt */
    uint16_t column;
    char text[SEPARATOR_MAX];
};

struct column {
    char *name;
    uint64_t seen; /* number of the last row that had it */
};

enum state { AT_START, AT_FIRST, AT_ROW, AT_END, FAILED };

struct kdp_rows {
    kdp_rows_read_t read;
    void *arg;
    char *name;
    char *buffer;
    size_t capacity, begin, end;
    uint64_t base;   /* offset in the text of buffer[0] */
    uint64_t number; /* rows given */
    enum state state;
    bool array, at_end;
    int source_error; /* kept until all text before it is used up */
    int error;
    char error_text[640], error_hint[320];
    struct separator separators[KDP_ROWS_COLUMNS_MAX + 1];
    struct column columns[KDP_ROWS_COLUMNS_MAX];
    unsigned column_count;
    struct kdp_field fields[KDP_ROWS_COLUMNS_MAX];
};

static int
fail_kept(struct kdp_rows *rows, int error)
{
    rows->state = FAILED;
    rows->error = error;
    snprintf(rows->error_text, sizeof rows->error_text, "%s", kdp_error_text());
    snprintf(rows->error_hint, sizeof rows->error_hint, "%s", kdp_error_hint());
    return error;
}

static int
say_again(int error, const char *text, const char *hint)
{
    kdpi_fail((enum kdp_error) - error, "%s", text);
    if (hint[0] != '\0')
        kdpi_hint("%s", hint);
    return error;
}

int
kdp_rows_open(struct kdp_rows **rowsp, const char *name, kdp_rows_read_t read, void *arg)
{
    struct kdp_rows *rows = calloc(1, sizeof *rows);

    *rowsp = NULL;
    if (rows != NULL) {
        rows->capacity = BUFFER_BYTES;
        rows->buffer = calloc(1, rows->capacity + SLACK);
        rows->name = strdup(name);
    }
    if (rows == NULL || rows->buffer == NULL || rows->name == NULL) {
        kdp_rows_close(rows);
        return kdpi_fail(KDP_ENOMEM, "cannot read: %s: out of memory", name);
    }
    rows->read = read;
    rows->arg = arg;
    *rowsp = rows;
    return 0;
}

void
kdp_rows_close(struct kdp_rows *rows)
{
    if (rows == NULL)
        return;
    for (unsigned i = 0; i < rows->column_count; i++)
        free(rows->columns[i].name);
    free(rows->buffer);
    free(rows->name);
    free(rows);
}

unsigned
kdp_rows_columns(const struct kdp_rows *rows)
{
    return rows->column_count;
}

const char *
kdp_rows_column(const struct kdp_rows *rows, unsigned column)
{
    return rows->columns[column].name;
}

int
kdp_rows_column_find(const struct kdp_rows *rows, const char *name)
{
    for (unsigned i = 0; i < rows->column_count; i++)
        if (strcmp(rows->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

uint64_t
kdp_rows_offset(const struct kdp_rows *rows)
{
    return rows->base + rows->begin;
}

void
kdp_rows_at(struct kdp_rows *rows, uint64_t offset, uint64_t number)
{
    rows->base = offset;
    rows->begin = rows->end = 0;
    rows->number = number - 1;
    rows->at_end = false;
    rows->source_error = rows->error = 0;
    rows->state = AT_FIRST;
    memset(rows->buffer, 0, SLACK);
    for (unsigned i = 0; i < rows->column_count; i++)
        rows->columns[i].seen = 0; /* numbers are met again */
}

/* Gets more text behind what is there: true, or false when there is none (at_end, source_error). */
static bool
more(struct kdp_rows *rows)
{
    int64_t got;

    if (rows->at_end || rows->source_error != 0)
        return false;
    if (rows->capacity - rows->end < READ_BYTES) {
        size_t kept = rows->end - rows->begin;

        memmove(rows->buffer, rows->buffer + rows->begin, kept);
        rows->base += rows->begin;
        rows->begin = 0;
        rows->end = kept;
    }
    if (rows->capacity - rows->end < READ_BYTES) {
        char *grown = realloc(rows->buffer, rows->capacity * 2 + SLACK);

        if (grown == NULL) {
            kdpi_fail(KDP_ENOMEM, "cannot read: %s: no memory for row %llu", rows->name,
                      (unsigned long long)rows->number + 1);
            rows->source_error = fail_kept(rows, -KDP_ENOMEM);
            return false;
        }
        rows->buffer = grown;
        rows->capacity *= 2;
    }
    got = rows->read(rows->arg, rows->buffer + rows->end, READ_BYTES);
    if (got < 0) {
        rows->source_error = (int)got;
        snprintf(rows->error_text, sizeof rows->error_text, "%s", kdp_error_text());
        snprintf(rows->error_hint, sizeof rows->error_hint, "%s", kdp_error_hint());
        return false;
    }
    rows->at_end = got == 0;
    rows->end += (size_t)got;
    memset(rows->buffer + rows->end, 0, SLACK);
    return got > 0;
}

struct kdp_text
kdp_rows_text(const struct kdp_field *field, char *buf, size_t size)
{
    if (!field->escaped)
        return (struct kdp_text){field->data, field->len};
    return (struct kdp_text){buf, kdpi_rows_unescape(field->data, field->len, buf, size)};
}

/* The number of the column of that name, made when new; KDP_ROWS_COLUMNS_MAX when there is no room. */
static unsigned
column_of(struct kdp_rows *rows, const char *data, size_t len, bool escaped)
{
    char buf[NAME_MAX_BYTES];
    unsigned i;

    if (escaped) {
        len = kdpi_rows_unescape(data, len, buf, sizeof buf);
        data = buf;
    }
    for (i = 0; i < rows->column_count; i++)
        if (strncmp(rows->columns[i].name, data, len) == 0 && rows->columns[i].name[len] == '\0')
            return i;
    if (i == KDP_ROWS_COLUMNS_MAX || len >= NAME_MAX_BYTES || memchr(data, '\0', len) != NULL)
        return KDP_ROWS_COLUMNS_MAX;
    rows->columns[i].name = strndup(data, len);
    if (rows->columns[i].name == NULL)
        return KDP_ROWS_COLUMNS_MAX;
    rows->columns[i].seen = 0;
    rows->column_count++;
    return i;
}

static inline bool
same_separator(const char *p, const struct separator *separator)
{
#ifdef __SSE2__
    uint64_t equal = 0;

    if (separator->len == 0)
        return false;
    for (unsigned i = 0; i < SEPARATOR_MAX; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(separator->text + i));

        equal |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) << i;
    }
    return (~equal & ((UINT64_C(1) << separator->len) - 1)) == 0;
#else
    return separator->len != 0 && strncmp(p, separator->text, separator->len) == 0;
#endif
}

/* From the end of a value (or the row's start) to the next value: which column it is of. *columnp is COLUMNS_MAX for one that is
 * left out.  NULL with the fault noted, or at the row's closing brace with *columnp UINT32_MAX. */
static const char *
pass_separator(struct kdp_rows *rows, const char *p, unsigned index, unsigned *columnp,
               struct kdp_rows_scan *scan)
{
    struct separator *separator = &rows->separators[index];
    const char *first = p, *name;
    bool escaped = false;

    if (index > 0 || *p != '{') {
        p = kdpi_rows_blanks(p);
        if (*p == '}') {
            *columnp = UINT32_MAX;
            return p;
        }
        if (*p != ',') {
            scan->fault = p;
            scan->why = "expected \",\" or \"}\"";
            return NULL;
        }
    }
    p = kdpi_rows_blanks(p + 1);
    if (index == 0 && *p == '}') {
        *columnp = UINT32_MAX;
        return p;
    }
    if (*p != '"') {
        scan->fault = p;
        scan->why = "expected a member's name";
        return NULL;
    }
    name = p + 1;
    p = kdpi_rows_string(name, &escaped, scan);
    if (p == NULL)
        return NULL;
    *columnp = column_of(rows, name, (size_t)(p - name), escaped);
    p = kdpi_rows_blanks(p + 1);
    if (*p != ':') {
        scan->fault = p;
        scan->why = "expected \":\" behind a member's name";
        return NULL;
    }
    p = kdpi_rows_blanks(p + 1);
    separator->len = 0;
    if ((size_t)(p - first) < SEPARATOR_MAX && *columnp < KDP_ROWS_COLUMNS_MAX) {
        memset(separator->text, 0, sizeof separator->text);
        memcpy(separator->text, first, (size_t)(p - first));
        separator->len = (uint8_t)(p - first);
        separator->column = (uint16_t)*columnp;
    }
    return p;
}

/* The row at text (its opening brace): the place behind it, or NULL. */
static const char *
scan_row(struct kdp_rows *rows, const char *text, struct kdp_row *row, struct kdp_rows_scan *scan)
{
    const char *p = text;
    unsigned members = 0, given = 0;

    for (;;) {
        unsigned index = members < KDP_ROWS_COLUMNS_MAX ? members : KDP_ROWS_COLUMNS_MAX, column;
        struct kdp_field field = {.kind = KDP_JSON_NONE};
        const char *value;

        if (same_separator(p, &rows->separators[index])) {
            p = kdpi_rows_blanks(
                p + rows->separators[index].len); /* this row may have more of them than the last */
            column = rows->separators[index].column;
        } else {
            p = pass_separator(rows, p, index, &column, scan);
            if (p == NULL)
                return NULL;
            if (column == UINT32_MAX)
                break;
        }
        members++;
        if (column < KDP_ROWS_COLUMNS_MAX) {
            if (rows->columns[column].seen == rows->number + 1 && given > 0) {
                for (unsigned i = 0; i < given; i++) {
                    if (rows->fields[i].column ==
                        column) { /* not of a scan of this row that was begun before */
                        scan->fault = p;
                        scan->why = "a member given twice in one row";
                        return NULL;
                    }
                }
            }
            rows->columns[column].seen = rows->number + 1;
        }
        value = p;
        if (*p == '"') {
            field.kind = KDP_JSON_STRING;
            value = p + 1;
            p = kdpi_rows_string(value, &field.escaped, scan);
            if (p == NULL)
                return NULL;
            field.len = (uint32_t)(p - value);
            p++;
        } else {
            if (*p == '{' || *p == '[') {
                field.kind = *p == '{' ? KDP_JSON_OBJECT : KDP_JSON_ARRAY;
                p = kdpi_rows_nested(p, scan);
            } else {
                p = kdpi_rows_scalar(p, &field.kind, &field.escaped, scan);
            }
            if (p == NULL)
                return NULL;
            field.len = (uint32_t)(p - value);
        }
        if (column == KDP_ROWS_COLUMNS_MAX)
            continue;
        field.column = (uint16_t)column;
        field.data = value;
        rows->fields[given++] = field;
    }
    row->count = given;
    row->left_out = members - given;
    return p + 1;
}

/* ---- between rows ---- */

static int
malformed(struct kdp_rows *rows, const char *at, const char *why)
{
    uint64_t offset = rows->base + (uint64_t)(at - rows->buffer);
    int rc;

    rc = kdpi_fail(KDP_EFORMAT, "not the JSON of a bulk file: %s: byte %llu, in row %llu: %s", rows->name,
                   (unsigned long long)offset, (unsigned long long)rows->number + 1, why);
    kdpi_hint("%llu rows before that place were read. Get the file again, or look there: tail -c +%llu FILE "
              "| head -c 200",
              (unsigned long long)rows->number, (unsigned long long)offset + 1);
    return fail_kept(rows, rc);
}

/* The text ends where it may not: cut, or the source's own error. */
static int
ends_early(struct kdp_rows *rows)
{
    uint64_t offset = rows->base + rows->end;
    int rc;

    if (rows->state == FAILED)
        return rows->error;
    if (rows->source_error != 0) {
        rows->state = FAILED;
        rows->error = rows->source_error;
        return say_again(rows->error, rows->error_text, rows->error_hint);
    }
    if (rows->state == AT_START) {
        rc = kdpi_fail(KDP_ENOENT, "nothing in it: %s: %llu bytes, no row", rows->name,
                       (unsigned long long)offset);
        kdpi_hint("A day without trades is \"[]\". Get the file again");
    } else {
        rc = kdpi_fail(KDP_ETRUNCATED, "the file is cut: %s: ends at byte %llu, %s row %llu", rows->name,
                       (unsigned long long)offset, rows->begin < rows->end ? "in" : "before",
                       (unsigned long long)rows->number + 1);
        kdpi_hint("%llu whole rows were read. The rest is missing: get the file again",
                  (unsigned long long)rows->number);
    }
    return fail_kept(rows, rc);
}

/* The next byte that is not blank; NULL at the end of the text or after an error. */
static const char *
next_byte(struct kdp_rows *rows)
{
    for (;;) {
        const char *p = kdpi_rows_blanks(rows->buffer + rows->begin);

        rows->begin = (size_t)(p - rows->buffer);
        if (rows->begin < rows->end)
            return p;
        rows->begin = rows->end;
        if (!more(rows))
            return NULL;
    }
}

/* The beginning: byte order mark, and whether it is an array. */
static int
begin(struct kdp_rows *rows)
{
    const char *p;

    while (rows->end - rows->begin < 3 && more(rows))
        ;
    if (rows->end - rows->begin >= 3 && memcmp(rows->buffer + rows->begin, "\xef\xbb\xbf", 3) == 0)
        rows->begin += 3;
    p = next_byte(rows);
    if (p == NULL)
        return ends_early(rows);
    rows->array = *p == '[';
    if (!rows->array && *p != '{')
        return malformed(rows, p, "expected \"[\" or \"{\": neither an array of rows nor a row a line");
    rows->begin += rows->array;
    rows->state = AT_FIRST;
    return 0;
}

/* Behind the end of the array only blanks may stand, and the source must end well: its checksum comes last. */
static int
finish(struct kdp_rows *rows)
{
    const char *p = next_byte(rows);

    if (p != NULL)
        return malformed(rows, p, "text behind the end of the array");
    if (rows->source_error != 0)
        return ends_early(rows);
    rows->state = AT_END;
    return 0;
}

/* To the opening brace of the next row: 1, 0 at the end, or an error. */
static int
to_row(struct kdp_rows *rows)
{
    const char *p;
    int rc;

    if (rows->state == AT_START) {
        rc = begin(rows);
        if (rc != 0)
            return rc;
    }
    p = next_byte(rows);
    if (p == NULL) {
        if (!rows->array && rows->source_error == 0 && rows->state != FAILED) {
            rows->state = AT_END;
            return 0;
        }
        return ends_early(rows);
    }
    if (rows->array) {
        if (*p == ']') {
            rows->begin++;
            return finish(rows);
        }
        if (rows->state == AT_ROW) {
            if (*p != ',')
                return malformed(rows, p, "expected \",\" or \"]\" behind a row");
            rows->begin++;
            p = next_byte(rows);
            if (p == NULL)
                return ends_early(rows);
        }
    }
    return *p == '{' ? 1 : malformed(rows, p, "expected \"{\": a row is an object");
}

int
kdp_rows_next(struct kdp_rows *rows, struct kdp_row *row)
{
    int rc;

    if (rows->state == AT_END)
        return 0;
    if (rows->state == FAILED)
        return say_again(rows->error, rows->error_text, rows->error_hint);
    rc = to_row(rows);
    if (rc <= 0)
        return rc;
    for (;;) {
        const char *text = rows->buffer + rows->begin, *limit = rows->buffer + rows->end;
        struct kdp_rows_scan scan = {NULL, NULL};
        const char *end = scan_row(rows, text, row, &scan);

        if (end != NULL && end <= limit) {
            rows->begin = (size_t)(end - rows->buffer);
            row->number = ++rows->number;
            row->offset = rows->base + (uint64_t)(text - rows->buffer);
            row->text = text;
            row->len = (size_t)(end - text);
            row->fields = rows->fields;
            rows->state = AT_ROW;
            return 1;
        }
        /* a fault within the text's last bytes may be but their end */
        if (end == NULL && scan.fault + 12 < limit)
            return malformed(rows, scan.fault, scan.why);
        if ((size_t)(limit - text) > KDP_ROWS_ROW_MAX)
            return malformed(rows, text, "a row longer than 4 MiB");
        if (!more(rows)) {
            if (end == NULL && scan.fault < rows->buffer + rows->end && rows->source_error == 0)
                return malformed(rows, scan.fault, scan.why);
            return ends_early(rows);
        }
    }
}
