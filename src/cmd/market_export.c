/* market_export.c - the terms of a market for programs: csv and json; see market_show.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "market_show.h"
#include "words.h"

/* A version that is in force has no end; in SQL it is infinity, which compares, but which readers of times do not know. */
static const char *
cell_at(const struct kdp_market_rows *rows, size_t row, unsigned column)
{
    const char *cell = rows->cells[row * rows->columns + column];

    return cell != NULL && strcmp(rows->names[column], "valid_to") == 0 && strcmp(cell, "infinity") == 0
               ? NULL
               : cell;
}

static void
csv_text(const char *text)
{
    if (text != NULL)
        kdp_cli_csv_text(stdout, text, strlen(text));
}

int
kdp_market_csv(const struct kdp_market *market, bool versions)
{
    const struct kdp_market_rows *rows = &market->versions;
    size_t first = versions ? 0 : market->shown, end = versions ? rows->count : market->shown + 1;

    for (unsigned i = 0; i < rows->columns; i++)
        printf("%s%s", i > 0 ? "," : "", rows->names[i]);
    puts(versions ? "" : ",rules_primary,rules_secondary,early_close_condition");
    for (size_t row = first; row < end; row++) {
        for (unsigned i = 0; i < rows->columns; i++) {
            if (i > 0)
                putchar(',');
            csv_text(cell_at(rows, row, i));
        }
        if (!versions) {
            putchar(',');
            csv_text(market->rules_primary);
            putchar(',');
            csv_text(market->rules_secondary);
            putchar(',');
            csv_text(market->early_close);
        }
        putchar('\n');
    }
    return 0;
}

static void
json_value(const struct kdp_market_rows *rows, size_t row, unsigned column)
{
    const char *cell = cell_at(rows, row, column), *name = rows->names[column];

    if (cell == NULL)
        fputs("null", stdout);
    else if (rows->classes[column] == KDP_SQL_BOOL)
        fputs(cell, stdout);
    else if (strcmp(name, "exchange_index") == 0 || strcmp(name, "custom_strike") == 0 ||
             strcmp(name, "legs") == 0 || strcmp(name, "price_ranges") == 0 || strcmp(name, "tags") == 0 ||
             strcmp(name, "settlement_sources") == 0)
        fputs(cell, stdout); /* a number, or JSON as it came, which was checked then */
    else
        kdpi_json_text(stdout, cell, strlen(cell)); /* decimals too, so that they stay exact */
}

static void
json_members(const struct kdp_market_rows *rows, size_t row)
{
    for (unsigned i = 0; i < rows->columns; i++) {
        if (strcmp(rows->names[i], "later") == 0)
            continue;
        printf("%s\"%s\": ", i > 0 ? ", " : "", rows->names[i]);
        json_value(rows, row, i);
    }
}

static void
json_object(const char *name, const struct kdp_market_rows *rows)
{
    printf(",\n \"%s\": ", name);
    if (rows->count == 0) {
        fputs("null", stdout);
        return;
    }
    putchar('{');
    json_members(rows, 0);
    putchar('}');
}

static void
json_text(const char *name, const char *text)
{
    printf(",\n \"%s\": ", name);
    if (text == NULL)
        fputs("null", stdout);
    else
        kdpi_json_text(stdout, text, strlen(text));
}

static void
json_changed(const struct kdp_market *market, size_t version)
{
    unsigned said = 0;

    fputs("\"changed\": [", stdout);
    for (unsigned i = 0; i < market->versions.columns; i++) {
        if (kdp_market_changed(market, version, i))
            printf("%s\"%s\"", said++ > 0 ? ", " : "", market->versions.names[i]);
    }
    putchar(']');
}

void
kdp_market_json(const struct kdp_market *market, bool versions)
{
    const struct kdp_market_rows *rows = &market->versions;
    char at[KDPI_TIME_TEXT];

    kdpi_time_format(at, market->at_ns, 9);
    fputs("{\"ticker\": ", stdout);
    kdpi_json_text(stdout, market->ticker, strlen(market->ticker));
    printf(", \"at\": \"%s\", \"versions\": %zu", at, rows->count);
    if (versions) {
        fputs(",\n \"history\": [", stdout);
        for (size_t i = 0; i < rows->count; i++) {
            fputs(i > 0 ? ",\n  {" : "\n  {", stdout);
            json_members(rows, i);
            fputs(", ", stdout);
            json_changed(market, i);
            putchar('}');
        }
        puts("]}");
        return;
    }
    printf(", \"version\": %zu,\n \"market\": {", market->shown + 1);
    json_members(rows, market->shown);
    fputs("},\n ", stdout);
    json_changed(market, market->shown);
    json_text("rules_primary", market->rules_primary);
    json_text("rules_secondary", market->rules_secondary);
    json_text("early_close_condition", market->early_close);
    json_object("event", &market->event);
    json_object("series", &market->series);
    fputs(",\n \"fee_changes\": [", stdout);
    for (size_t i = 0; i < market->fees.count; i++) {
        fputs(i > 0 ? ", {" : "{", stdout);
        json_members(&market->fees, i);
        putchar('}');
    }
    puts("]}");
}
