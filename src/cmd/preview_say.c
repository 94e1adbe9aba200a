/* preview_say.c - the answer of kdp preview: for a person, as csv, as json; see preview.h. */
#include "preview.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "screen.h"
#include "table.h"
#include "words.h"

#define CELL_MAX 1024

struct kdp_preview_row *
kdp_preview_keep(const struct kdp_row *row)
{
    struct kdp_preview_row *kept = malloc(sizeof *kept + row->count * sizeof *row->fields + row->len + 1);
    char *text;

    if (kept == NULL)
        return NULL;
    text = (char *)(kept->fields + row->count);
    memcpy(text, row->text, row->len);
    *kept = (struct kdp_preview_row){.number = row->number, .count = row->count, .len = row->len};
    for (unsigned i = 0; i < row->count; i++) {
        kept->fields[i] = row->fields[i];
        kept->fields[i].data = text + (row->fields[i].data - row->text);
    }
    return kept;
}

int
kdp_preview_choose(struct kdp_preview *preview)
{
    const struct kdp_rows *rows = preview->input.rows;
    const char *const *names;
    unsigned count = kdp_cli_list(preview->cli, "columns", &names);

    preview->shown_count = 0;
    preview->fixed_count = count == 0 ? kdp_rows_columns(rows) : KDP_ROWS_COLUMNS_MAX;
    if (count == 0) {
        while (preview->shown_count < kdp_rows_columns(rows)) {
            preview->shown[preview->shown_count] = (uint16_t)preview->shown_count;
            preview->shown_count++;
        }
        return 0;
    }
    for (unsigned i = 0; i < count && i < KDP_ROWS_COLUMNS_MAX; i++) {
        int column = kdp_rows_column_find(rows, names[i]);

        if (column < 0) {
            kdpi_fail(KDP_ENOENT, "no column %s: %s: no row has a member of that name", names[i],
                      preview->input.name);
            kdpi_hint("kdp preview without --columns lists them");
            return kdp_cli_error(preview->cli, -KDP_ENOENT);
        }
        preview->shown[preview->shown_count++] = (uint16_t)column;
    }
    return 0;
}

static const struct kdp_field *
field_of(unsigned count, const struct kdp_field *fields, unsigned column, unsigned guess)
{
    if (guess < count && fields[guess].column == column)
        return &fields[guess];
    for (unsigned i = 0; i < count; i++)
        if (fields[i].column == column)
            return &fields[i];
    return NULL;
}

/* ---- csv and json ---- */

static void
write_head(struct kdp_preview *preview)
{
    preview->head_written = true;
    if (kdp_cli_format(preview->cli) == KDP_FORMAT_JSON)
        return;
    for (unsigned i = 0; i < preview->shown_count; i++) {
        const char *name = kdp_rows_column(preview->input.rows, preview->shown[i]);

        if (i > 0)
            putchar(',');
        kdp_cli_csv_text(stdout, name, strlen(name));
    }
    putchar('\n');
}

static void
write_json_value(const struct kdp_field *field)
{
    if (field == NULL) {
        fputs("null", stdout);
    } else if (field->kind == KDP_JSON_STRING) { /* as it was written: whole JSON already */
        putchar('"');
        fwrite(field->data, 1, field->len, stdout);
        putchar('"');
    } else {
        fwrite(field->data, 1, field->len, stdout);
    }
}

void
kdp_preview_write_row(struct kdp_preview *preview, unsigned count, const struct kdp_field *fields)
{
    bool json = kdp_cli_format(preview->cli) == KDP_FORMAT_JSON;
    char buf[65536];

    if (!preview->head_written)
        write_head(preview);
    if (json)
        fputs(preview->written == 0 ? "[\n  {" : ",\n  {", stdout);
    for (unsigned i = 0; i < preview->shown_count; i++) {
        const struct kdp_field *field = field_of(count, fields, preview->shown[i], i);

        if (json) {
            const char *name = kdp_rows_column(preview->input.rows, preview->shown[i]);

            if (i > 0)
                fputs(", ", stdout);
            kdpi_json_text(stdout, name, strlen(name));
            fputs(": ", stdout);
            write_json_value(field);
        } else {
            if (i > 0)
                putchar(',');
            if (field != NULL && field->kind != KDP_JSON_NULL) {
                struct kdp_text text = field->kind == KDP_JSON_STRING
                                           ? kdp_rows_text(field, buf, sizeof buf)
                                           : (struct kdp_text){field->data, field->len};

                kdp_cli_csv_text(stdout, text.data, text.len);
            }
        }
    }
    for (unsigned i = 0; i < count; i++)
        preview->new_columns += fields[i].column >= preview->fixed_count;
    fputs(json ? "}" : "\n", stdout);
    preview->written++;
}

void
kdp_preview_write_end(struct kdp_preview *preview)
{
    if (!preview->head_written)
        write_head(preview);
    if (kdp_cli_format(preview->cli) == KDP_FORMAT_JSON)
        fputs(preview->written == 0 ? "[]\n" : "\n]\n", stdout);
}

/* ---- for a person ---- */

/* What the file is, by the members it has. */
static const char *
what_it_is(const struct kdp_preview *preview)
{
    const struct kdp_rows *rows = preview->input.rows;

    if (kdp_rows_column_find(rows, "contracts_traded") >= 0)
        return "trades";
    if (kdp_rows_column_find(rows, "daily_volume") >= 0)
        return "markets of a day";
    return "rows";
}

static void
print_columns(struct kdp_preview *preview)
{
    struct kdp_table *table = kdp_table_new(stdout, KDP_FORMAT_TABLE);
    char type[128], low[64], high[64], nulls[32], examples[KDP_BULK_EXAMPLES * (KDP_BULK_EXAMPLE_BYTES + 2)];

    kdp_table_column(table, "COLUMN", "column", KDP_COLUMN_TEXT);
    kdp_table_column(table, "TYPE", "type", KDP_COLUMN_TEXT);
    kdp_table_column(table, "NULL", "null", KDP_COLUMN_RIGHT);
    kdp_table_column(table, "LEAST", "least", KDP_COLUMN_RIGHT);
    kdp_table_column(table, "MOST", "most", KDP_COLUMN_RIGHT);
    kdp_table_column(table, "EXAMPLES", "examples", KDP_COLUMN_TEXT);
    for (unsigned i = 0; i < kdp_rows_columns(preview->input.rows); i++) {
        const struct kdp_bulk_column *column = &preview->look.columns[i];
        uint64_t there =
            column->numbers + column->number_texts + column->texts + column->bools + column->nested;
        bool numeric = column->max_e6 != INT64_MIN;
        size_t used = 0;

        examples[0] = '\0';
        for (unsigned e = 0; e < column->example_count; e++)
            used += (size_t)snprintf(examples + used, sizeof examples - used, "%s%s", e > 0 ? ", " : "",
                                     column->examples[e]);
        kdp_bulk_look_type(column, type, sizeof type);
        kdp_bulk_sum_text(column->min_e6, true, low, sizeof low);
        kdp_bulk_sum_text(column->max_e6, true, high, sizeof high);
        kdpi_screen_count(nulls, preview->look.rows - there);
        kdp_table_cell(table, kdp_rows_column(preview->input.rows, i), NULL);
        kdp_table_cell(table, type, NULL);
        kdp_table_cell(table, nulls, NULL);
        kdp_table_cell(table, numeric ? low : NULL, NULL);
        kdp_table_cell(table, numeric ? high : NULL, NULL);
        kdp_table_cell(table, examples, NULL);
    }
    kdp_table_end(table);
}

/* cell_text gives a member as a table shows it, escaped; NULL: absent. */
static const char *
cell_text(const struct kdp_preview *preview, const struct kdp_preview_row *row, unsigned i,
          char cell[CELL_MAX])
{
    const struct kdp_field *field = field_of(row->count, row->fields, preview->shown[i], i);
    char buf[CELL_MAX];
    struct kdp_text text;

    if (field == NULL || field->kind == KDP_JSON_NULL)
        return NULL;
    text = field->kind == KDP_JSON_STRING ? kdp_rows_text(field, buf, sizeof buf)
                                          : (struct kdp_text){field->data, field->len};
    return kdpi_escape(cell, CELL_MAX, text.data, text.len < 200 ? text.len : 200);
}

/* In a window that is too narrow for all members those go that tell least: first what is the same in every row, then the
 * series, which stands in the ticker, then times; numbers and tickers stay.  Wishes of --columns are shown whatever happens. */
static void
fit_rows(const struct kdp_preview *preview, bool hide[KDP_ROWS_COLUMNS_MAX])
{
    size_t width = (size_t)kdp_cli_width(stdout), need = 4, wide[KDP_ROWS_COLUMNS_MAX];
    bool same[KDP_ROWS_COLUMNS_MAX];
    char cell[CELL_MAX], before[CELL_MAX];

    memset(hide, 0, KDP_ROWS_COLUMNS_MAX * sizeof *hide);
    if (width == 0 || kdp_cli_given(preview->cli, "columns"))
        return;
    for (unsigned i = 0; i < preview->shown_count; i++) {
        wide[i] = kdp_text_columns(kdp_rows_column(preview->input.rows, preview->shown[i]));
        same[i] = true;
        for (const struct kdp_preview_row *row = preview->first; row != NULL; row = row->next) {
            const char *text = cell_text(preview, row, i, cell);
            size_t columns = kdp_text_columns(text != NULL ? text : "-");

            wide[i] = columns > wide[i] ? columns : wide[i];
            same[i] = same[i] && (row == preview->first || strcmp(before, text != NULL ? text : "-") == 0);
            snprintf(before, sizeof before, "%s", text != NULL ? text : "-");
        }
        if (preview->columns.role[preview->shown[i]] == KDP_BULK_TICKER && wide[i] > 14)
            wide[i] = 14; /* it may lose its middle */
        need += wide[i] + 2;
    }
    for (unsigned pass = 0; pass < 3; pass++)
        for (unsigned i = 0; i < preview->shown_count && need > width; i++) {
            unsigned role = preview->columns.role[preview->shown[i]];

            if (hide[i] || role == KDP_BULK_TICKER || (pass == 0 && !same[i]) ||
                (pass == 1 && role != KDP_BULK_SERIES) ||
                (pass == 2 && preview->look.columns[preview->shown[i]].texts == 0))
                continue;
            hide[i] = true;
            need -= wide[i] + 2;
        }
}

static void
print_rows(struct kdp_preview *preview)
{
    struct kdp_table *table = kdp_table_new(stdout, KDP_FORMAT_TABLE);
    bool hide[KDP_ROWS_COLUMNS_MAX], hidden = false;
    char number[32], cell[CELL_MAX];

    fit_rows(preview, hide);
    kdp_table_column(table, "ROW", "row", KDP_COLUMN_RIGHT);
    for (unsigned i = 0; i < preview->shown_count; i++) {
        const struct kdp_bulk_column *column = &preview->look.columns[preview->shown[i]];
        const char *name = kdp_rows_column(preview->input.rows, preview->shown[i]);
        enum kdp_bulk_role role = (enum kdp_bulk_role)preview->columns.role[preview->shown[i]];

        if (hide[i])
            continue;
        kdp_table_column(table, name, name,
                         column->numbers + column->number_texts > 0 && column->texts == 0 ? KDP_COLUMN_DOT
                         : role == KDP_BULK_TICKER || role == KDP_BULK_SERIES             ? KDP_COLUMN_TICKER
                                                                                          : KDP_COLUMN_RIGHT);
    }
    for (const struct kdp_preview_row *row = preview->first; row != NULL; row = row->next) {
        snprintf(number, sizeof number, "%" PRIu64, row->number);
        kdp_table_cell(table, number, NULL);
        for (unsigned i = 0; i < preview->shown_count; i++)
            if (!hide[i])
                kdp_table_cell(table, cell_text(preview, row, i, cell), NULL);
    }
    kdp_table_end(table);
    for (unsigned i = 0; i < preview->shown_count; i++)
        if (hide[i]) {
            printf("%s%s", hidden ? ", " : "not shown here: ",
                   kdp_rows_column(preview->input.rows, preview->shown[i]));
            hidden = true;
        }
    if (hidden)
        puts(" (--columns, or a wider window)");
}

/* Members whose values add up to something: counts and money, no prices, no times. */
static bool
adds_up(const char *name)
{
    static const char *const words[] = {"contracts", "volume",   "open_interest",
                                        "count",     "quantity", "amount"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i]) != NULL)
            return true;
    return false;
}

static void
print_values(const struct kdp_preview *preview)
{
    char count[KDPI_SCREEN_TEXT], safe[KDP_BULK_EXAMPLE_BYTES * 4];

    for (unsigned i = 0; i < kdp_rows_columns(preview->input.rows); i++) {
        const struct kdp_bulk_column *column = &preview->look.columns[i];

        if (preview->columns.role[i] != KDP_BULK_KIND || column->value_count == 0)
            continue;
        printf("%-16s ", kdp_rows_column(preview->input.rows, i));
        for (unsigned v = 0; v < column->value_count; v++)
            printf("%s%s %s", v > 0 ? ", " : "",
                   kdpi_escape(safe, sizeof safe, column->values[v].text, strlen(column->values[v].text)),
                   kdpi_screen_count(count, column->values[v].rows));
        if (column->other_values > 0)
            printf(", others %s", kdpi_screen_count(count, column->other_values));
        putchar('\n');
    }
}

static void
print_totals(const struct kdp_preview *preview)
{
    const struct kdp_bulk_look *look = &preview->look;
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], sum[64], first[KDPI_TIME_TEXT], last[KDPI_TIME_TEXT];
    bool tickers = false;

    for (unsigned i = 0; i < preview->columns.known; i++)
        tickers = tickers || preview->columns.role[i] == KDP_BULK_TICKER;
    printf("%-16s %s", "rows", kdpi_screen_count(a, look->rows));
    if (preview->filter.any)
        printf(" of %s", kdpi_screen_count(b, preview->read));
    if (!preview->complete)
        printf("  INCOMPLETE: the file was not read to its end");
    putchar('\n');
    if (tickers)
        printf("%-16s %s%s\n", "markets", look->markets_more ? "more than " : "",
               kdpi_screen_count(a, look->markets));
    for (unsigned i = 0; i < kdp_rows_columns(preview->input.rows); i++) {
        const struct kdp_bulk_column *column = &look->columns[i];
        const char *name = kdp_rows_column(preview->input.rows, i);

        if (column->max_e6 == INT64_MIN || !adds_up(name))
            continue;
        kdp_bulk_sum_text(column->sum_e6, true, sum, sizeof sum);
        printf("%-16s %s in all", name, sum);
        if (column->unsummed > 0)
            printf(", without %s values finer than 0.000001 or too large",
                   kdpi_screen_count(a, column->unsummed));
        putchar('\n');
    }
    print_values(preview);
    if (look->first_ns != KDP_TIME_NULL) {
        kdpi_time_format(first, look->first_ns, 6);
        kdpi_time_format(last, look->last_ns, 6);
        printf("%-16s %s to %s\n", "times", first, last);
    }
}

int
kdp_preview_table(struct kdp_preview *preview)
{
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], name[256], safe[1024];
    uint64_t taken = kdp_source_taken(preview->input.source), text = kdp_rows_offset(preview->input.rows);
    int code = kdp_preview_choose(preview);

    if (code != 0)
        return code;
    kdp_bulk_input_name(&preview->input, name, sizeof name);
    kdpi_escape(safe, sizeof safe, name, strlen(name));
    printf("%s: %s, %s", safe, what_it_is(preview), kdpi_screen_bytes(a, text));
    if (taken != text && taken != 0)
        printf(" in %s", kdpi_screen_bytes(b, taken));
    putchar('\n');
    if (preview->look.rows > 0) {
        putchar('\n');
        print_columns(preview);
        putchar('\n');
        print_rows(preview);
        putchar('\n');
    }
    print_totals(preview);
    if (preview->look.left_out > 0)
        kdp_cli_warning(preview->cli, NULL, "%s values of more than %u different members were left out",
                        kdpi_screen_count(a, preview->look.left_out), KDP_ROWS_COLUMNS_MAX);
    return 0;
}

/* ---- one JSON object ---- */

static void
json_column(const struct kdp_preview *preview, unsigned i)
{
    const struct kdp_bulk_column *column = &preview->look.columns[i];
    const char *name = kdp_rows_column(preview->input.rows, i);
    uint64_t there = column->numbers + column->number_texts + column->texts + column->bools + column->nested;
    char text[64];

    fputs(i > 0 ? ",{\"name\":" : "{\"name\":", stdout);
    kdpi_json_text(stdout, name, strlen(name));
    printf(",\"numbers\":%" PRIu64 ",\"number_texts\":%" PRIu64 ",\"texts\":%" PRIu64 ",\"booleans\":%" PRIu64
           ",\"nested\":%" PRIu64 ",\"nulls\":%" PRIu64 ",\"missing\":%" PRIu64,
           column->numbers, column->number_texts, column->texts, column->bools, column->nested, column->nulls,
           preview->look.rows - there - column->nulls);
    if (column->max_e6 != INT64_MIN) {
        kdp_bulk_sum_text(column->min_e6, false, text, sizeof text);
        printf(",\"least\":\"%s\"", text);
        kdp_bulk_sum_text(column->max_e6, false, text, sizeof text);
        printf(",\"most\":\"%s\"", text);
        kdp_bulk_sum_text(column->sum_e6, false, text, sizeof text);
        printf(",\"sum\":\"%s\",\"unsummed\":%" PRIu64, text, column->unsummed);
    }
    if (preview->columns.role[i] == KDP_BULK_KIND) {
        fputs(",\"values\":{", stdout);
        for (unsigned v = 0; v < column->value_count; v++) {
            fputs(v > 0 ? "," : "", stdout);
            kdpi_json_text(stdout, column->values[v].text, strlen(column->values[v].text));
            printf(":%" PRIu64, column->values[v].rows);
        }
        printf("},\"other_values\":%" PRIu64, column->other_values);
    }
    fputs(",\"examples\":[", stdout);
    for (unsigned e = 0; e < column->example_count; e++) {
        fputs(e > 0 ? "," : "", stdout);
        kdpi_json_text(stdout, column->examples[e], strlen(column->examples[e]));
    }
    fputs("]}", stdout);
}

void
kdp_preview_json(struct kdp_preview *preview)
{
    const struct kdp_bulk_look *look = &preview->look;
    char first[KDPI_TIME_TEXT], last[KDPI_TIME_TEXT];

    kdpi_time_format(first, look->first_ns, 9);
    kdpi_time_format(last, look->last_ns, 9);
    fputs("{\"file\":", stdout);
    kdpi_json_text(stdout, preview->input.name, strlen(preview->input.name));
    printf(",\"complete\":%s,\"bytes\":%" PRIu64 ",\"text_bytes\":%" PRIu64 ",\"rows_read\":%" PRIu64
           ",\"rows\":%" PRIu64 ",\"markets\":%" PRIu64 ",\"markets_exact\":%s,\"resumed\":%u",
           preview->complete ? "true" : "false", kdp_source_taken(preview->input.source),
           kdp_rows_offset(preview->input.rows), preview->read, look->rows, look->markets,
           look->markets_more ? "false" : "true",
           preview->input.download != NULL ? kdp_download_resumed(preview->input.download) : 0u);
    if (look->first_ns != KDP_TIME_NULL)
        printf(",\"first\":\"%s\",\"last\":\"%s\"", first, last);
    fputs(",\"error\":", stdout);
    if (preview->error != 0)
        kdpi_json_text(stdout, preview->error_text, strlen(preview->error_text));
    else
        fputs("null", stdout);
    fputs(",\"columns\":[", stdout);
    for (unsigned i = 0; i < kdp_rows_columns(preview->input.rows); i++)
        json_column(preview, i);
    fputs("]}\n", stdout);
}
