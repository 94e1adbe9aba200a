/* table.c - cells kept as one growing text, printed when all widths are known. */
#include "table.h"
#include "clock.h"
#include "error.h"
#include "screen.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 256
#define PROSE_MOST 100  /* columns of a terminal that prose uses */
#define PROSE_LEAST 12  /* in less than this it is not wrapped */
#define TICKER_LEAST 12 /* a ticker is not cut below this */

struct column {
    char *heading, *name;
    enum kdp_column_kind kind;
    size_t width;        /* of the widest cell, heading included */
    size_t whole, parts; /* KDP_COLUMN_DOT: columns before the point, and from the point on */
};

struct kdp_table {
    FILE *out;
    enum kdp_format format;
    struct column columns[COLUMNS_MAX];
    unsigned count, at; /* columns; the next cell's column */
    uint64_t rows;
    char *cells; /* NUL-terminated one after the other; a first byte of 1 stands for an absent value */
    size_t used, room;
    int width;
    bool rule, failed;
};

struct kdp_table *
kdp_table_new(FILE *out, enum kdp_format format)
{
    struct kdp_table *table = calloc(1, sizeof *table);

    KDP_ASSERT(table != NULL); /* 16 KiB at the start of an answer: not a state to go on from */
    table->out = out;
    table->format = format;
    table->width = kdp_cli_width(out);
    return table;
}

void
kdp_table_column(struct kdp_table *table, const char *heading, const char *name, enum kdp_column_kind kind)
{
    struct column *column = &table->columns[table->count];

    KDP_ASSERT(table->count < COLUMNS_MAX && table->rows == 0 && table->at == 0);
    column->heading = strdup(heading);
    column->name = strdup(name);
    KDP_ASSERT(column->heading != NULL && column->name != NULL);
    column->kind = kind;
    column->width = kdp_text_columns(heading);
    table->count++;
}

void
kdp_table_width(struct kdp_table *table, int width)
{
    table->width = width;
}

void
kdp_table_rule(struct kdp_table *table)
{
    table->rule = true;
}

size_t
kdp_text_columns(const char *text)
{
    size_t columns = 0;

    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static void
keep(struct kdp_table *table, const char *text)
{
    size_t len = strlen(text) + 1;

    if (table->used + len > table->room) {
        size_t room = (table->used + len) * 2;
        char *cells = realloc(table->cells, room);

        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->room = room;
    }
    memcpy(table->cells + table->used, text, len);
    table->used += len;
}

static void
measure(struct column *column, const char *text)
{
    size_t width = kdp_text_columns(text);

    if (column->kind == KDP_COLUMN_DOT) {
        const char *point = strchr(text, '.');
        size_t whole = point != NULL ? (size_t)(point - text) : width, parts = width - whole;

        column->whole = whole > column->whole ? whole : column->whole;
        column->parts = parts > column->parts ? parts : column->parts;
        width = column->whole + column->parts;
    }
    column->width = width > column->width ? width : column->width;
}

static void
put_json(struct kdp_table *table, const struct column *column, const char *text)
{
    if (table->at == 0)
        fputs(table->rows == 0 ? "[\n  {" : ",\n  {", table->out);
    else
        fputs(", ", table->out);
    kdpi_json_text(table->out, column->name, strlen(column->name));
    fputs(": ", table->out);
    if (text == NULL)
        fputs("null", table->out);
    else if (column->kind == KDP_COLUMN_NUMBER)
        fputs(text, table->out);
    else
        kdpi_json_text(table->out, text, strlen(text));
    if (table->at + 1 == table->count)
        fputc('}', table->out);
}

static void
put_csv_heading(struct kdp_table *table)
{
    for (unsigned i = 0; i < table->count; i++) {
        if (i > 0)
            fputc(',', table->out);
        kdp_cli_csv_text(table->out, table->columns[i].name, strlen(table->columns[i].name));
    }
    fputc('\n', table->out);
}

void
kdp_table_cell(struct kdp_table *table, const char *shown, const char *plain)
{
    struct column *column = &table->columns[table->at];

    if (shown != NULL && plain == NULL)
        plain = shown;
    switch (table->format) {
    case KDP_FORMAT_TABLE: {
        char safe[1024];
        const char *text = "-";

        if (shown != NULL)
            text = kdpi_escape(safe, sizeof safe, shown, strlen(shown));
        measure(column, text);
        keep(table, text);
        break;
    }
    case KDP_FORMAT_CSV:
        if (table->rows == 0 && table->at == 0)
            put_csv_heading(table);
        if (table->at > 0)
            fputc(',', table->out);
        if (shown != NULL)
            kdp_cli_csv_text(table->out, plain, strlen(plain));
        if (table->at + 1 == table->count)
            fputc('\n', table->out);
        break;
    case KDP_FORMAT_JSON:
        put_json(table, column, shown != NULL ? plain : NULL);
        break;
    }
    if (++table->at == table->count) {
        table->at = 0;
        table->rows++;
    }
}

/* ---- printing ----------------------------------------------------------------------------------- */

/* Narrows ticker columns, the widest first, until the line fits; numbers are never cut. */
static void
fit(struct kdp_table *table)
{
    size_t total = table->count > 0 ? 2 * (table->count - 1) : 0;

    for (unsigned i = 0; i < table->count; i++)
        total += table->columns[i].width;
    while (table->width > 0 && total > (size_t)table->width) {
        struct column *widest = NULL;

        for (unsigned i = 0; i < table->count; i++) {
            struct column *column = &table->columns[i];

            if (column->kind == KDP_COLUMN_TICKER && column->width > TICKER_LEAST &&
                (widest == NULL || column->width > widest->width))
                widest = column;
        }
        if (widest == NULL)
            return;
        widest->width--;
        total--;
    }
}

static void
spaces(FILE *out, size_t count)
{
    for (; count > 0; count--)
        fputc(' ', out);
}

/* Prints text in width columns without its middle: KXNFLGAM…NE-BUF. */
static void
put_cut(FILE *out, const char *text, size_t width)
{
    const char *mark = kdp_cli_utf8() ? "…" : "~";
    size_t columns = kdp_text_columns(text), head = (width - 1) / 2, tail = width - 1 - head, at = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (((unsigned char)*p & 0xc0) != 0x80) {
            if (at == head)
                fputs(mark, out);
            at++;
        }
        if (at <= head || at > columns - tail)
            fputc(*p, out);
    }
}

static void
put_text(FILE *out, const struct column *column, const char *text, bool heading, bool last)
{
    size_t width = kdp_text_columns(text), before = 0, after;

    if (width > column->width) {
        put_cut(out, text, column->width);
        spaces(out, last ? 0 : 2);
        return;
    }
    if (column->kind == KDP_COLUMN_DOT && !heading) {
        const char *point = strchr(text, '.');
        size_t whole = point != NULL ? (size_t)(point - text) : width;

        before = column->width - column->whole - column->parts + column->whole - whole;
    } else if (column->kind != KDP_COLUMN_TEXT && column->kind != KDP_COLUMN_TICKER) {
        before = column->width - width;
    }
    after = column->width - before - width;
    spaces(out, before);
    fputs(text, out);
    spaces(out, last ? 0 : after + 2);
}

/* Prose in the last column goes on under its own beginning. */
static void
put_prose(struct kdp_table *table, const char *text)
{
    size_t at = 0, column, limit = table->width > PROSE_MOST ? PROSE_MOST : (size_t)table->width;

    for (unsigned i = 0; i + 1 < table->count; i++)
        at += table->columns[i].width + 2;
    column = at;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        char word[256];

        snprintf(word, sizeof word, "%.*s", (int)len, text);
        if (column > at && limit >= at + PROSE_LEAST && column + 1 + kdp_text_columns(word) > limit) {
            fputc('\n', table->out);
            spaces(table->out, at);
            column = at;
        } else if (column > at) {
            fputc(' ', table->out);
            column++;
        }
        fwrite(text, 1, len, table->out);
        column += kdp_text_columns(word);
        text += len + strspn(text + len, " ");
    }
}

static void
print(struct kdp_table *table)
{
    bool prose =
        table->width > 0 && table->count > 1 && table->columns[table->count - 1].kind == KDP_COLUMN_TEXT;
    const char *cell = table->cells;

    fit(table);
    for (unsigned i = 0; i < table->count; i++)
        put_text(table->out, &table->columns[i], table->columns[i].heading, true, i + 1 == table->count);
    fputc('\n', table->out);
    for (unsigned i = 0; table->rule && i < table->count; i++) {
        for (size_t n = 0; n < table->columns[i].width; n++)
            fputc('-', table->out);
        fputs(i + 1 < table->count ? "  " : "\n", table->out);
    }
    for (uint64_t row = 0; row < table->rows; row++) {
        for (unsigned i = 0; i < table->count; i++) {
            if (prose && i + 1 == table->count)
                put_prose(table, cell);
            else
                put_text(table->out, &table->columns[i], cell, false, i + 1 == table->count);
            cell += strlen(cell) + 1;
        }
        fputc('\n', table->out);
    }
}

int
kdp_table_end(struct kdp_table *table)
{
    bool failed = table->failed;

    KDP_ASSERT(table->at == 0); /* rows are whole */
    if (!failed && table->format == KDP_FORMAT_TABLE)
        print(table);
    else if (table->format == KDP_FORMAT_JSON)
        fputs(table->rows == 0 ? "[]\n" : "\n]\n", table->out);
    else if (table->format == KDP_FORMAT_CSV && table->rows == 0)
        put_csv_heading(table);
    for (unsigned i = 0; i < table->count; i++) {
        free(table->columns[i].heading);
        free(table->columns[i].name);
    }
    free(table->cells);
    free(table);
    return failed ? kdpi_fail(KDP_ENOMEM, "out of memory: the table is too large; use --format csv") : 0;
}
