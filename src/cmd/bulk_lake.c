/* bulk_lake.c - see bulk_lake.h. */
#include "bulk_lake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "history_wait.h"

#define SCOPE "file"
#define CELLS 10u

enum { MARKETS, TRADES };

struct cell {
    const char *name; /* of the member; NULL: made here */
    enum { C_TICKER, C_TIME, C_NUMBER, C_TEXT, C_SIZE, C_PRICE } what;
};
/* in the order of the tables' columns (history_bulk.c) */
static const struct cell cells_of[2][CELLS] = {[MARKETS] = {{"ticker_name", C_TICKER},
                                                            {NULL, C_TIME},
                                                            {"report_ticker", C_TEXT},
                                                            {"payout_type", C_TEXT},
                                                            {"status", C_TEXT},
                                                            {"open_interest", C_SIZE},
                                                            {"daily_volume", C_SIZE},
                                                            {"block_volume", C_SIZE},
                                                            {"high", C_PRICE},
                                                            {"low", C_PRICE}},
                                               [TRADES] = {{"ticker_name", C_TICKER},
                                                           {"create_ts", C_TIME},
                                                           {NULL, C_NUMBER},
                                                           {"report_ticker", C_TEXT},
                                                           {"price", C_PRICE},
                                                           {"contracts_traded", C_SIZE}}};
static const unsigned cell_counts[2] = {[MARKETS] = 10, [TRADES] = 6};
static const char *const table_names[2] = {[MARKETS] = "bulk_markets", [TRADES] = "bulk_trades"};

int
kdp_bulk_lake_open(struct kdp_bulk_lake *lake, const struct kdp_cli *cli, const char *file)
{
    struct kdp_history_config config = {.dir = kdp_cli_text(cli, "data"), .stopped = kdp_cli_interrupted};

    *lake = (struct kdp_bulk_lake){.cli = cli,
                                   .file = file,
                                   .table = -1,
                                   .day_ns = KDP_TIME_NULL,
                                   .one_day = true,
                                   .rejects = {.cli = cli, .dir = config.dir, .bytes_max = 64u << 20}};
    return kdp_history_open_waiting(cli, &lake->history, &config, KDP_HISTORY_WAIT_NS);
}

static const struct kdp_field *
field_named(const struct kdp_rows *rows, const struct kdp_row *row, const char *name)
{
    for (unsigned i = 0; i < row->count; i++)
        if (strcmp(kdp_rows_column(rows, row->fields[i].column), name) == 0)
            return row->fields[i].kind != KDP_JSON_NULL ? &row->fields[i] : NULL;
    return NULL;
}

static int64_t
day_of(const struct kdp_rows *rows, const struct kdp_row *row)
{
    const struct kdp_field *field = field_named(rows, row, "date");
    int64_t ns;

    if (field == NULL)
        field = field_named(rows, row, "create_ts");
    return field != NULL && kdp_bulk_time(field, &ns) ? (int64_t)kdpi_day_of(ns) * KDP_NS_PER_DAY
                                                      : KDP_TIME_NULL;
}

/* Learns from the first row what the file is and whether its day is there. */
static int
learn(struct kdp_bulk_lake *lake, const struct kdp_rows *rows, const struct kdp_row *row)
{
    struct kdp_history_window *windows = NULL;
    size_t count = 1;
    int rc = 0;

    if (field_named(rows, row, "ticker_name") != NULL && field_named(rows, row, "contracts_traded") != NULL)
        lake->table = TRADES;
    else if (field_named(rows, row, "ticker_name") != NULL && kdp_rows_column_find(rows, "daily_volume") >= 0)
        lake->table = MARKETS;
    if (lake->table < 0) {
        rc = kdpi_fail(
            KDP_EUNSUPPORTED,
            "not a bulk file of the exchange: %s: no ticker_name with contracts_traded or daily_volume",
            lake->file);
        kdpi_hint("Other files can be made csv or json: kdp preview --format csv");
        return rc;
    }
    lake->day_ns = day_of(rows, row);
    if (lake->day_ns == KDP_TIME_NULL)
        return kdpi_fail(KDP_EFORMAT, "no day in it: %s: row %" PRIu64 " has neither date nor create_ts",
                         lake->file, row->number);
    rc = kdp_history_missing(lake->history, table_names[lake->table], SCOPE, lake->day_ns,
                             lake->day_ns + KDP_NS_PER_DAY, &windows, &count);
    free(windows);
    lake->there = rc == 0 && count == 0;
    return rc;
}

/* A number at 1e-6 of the file's unit as text of the lake's: NULL and *whyp when it does not fit. */
static const char *
number_text(const struct kdp_field *field, bool price, char *buf, const char **whyp)
{
    int64_t value;

    if (kdp_bulk_number(field, &value) != 1) {
        *whyp = "not a number, or one finer than 0.000001";
        return NULL;
    }
    /* cents at 1e-4 and contracts at 1e-2: both leave four digits of the six */
    if (value % 10000 != 0) {
        *whyp = price ? "finer than 0.0001 dollar" : "finer than 0.01 contract";
        return NULL;
    }
    if (price && (value < 0 || value > INT64_C(100) * 1000000)) {
        *whyp = "a price is between 0 and 100 cents";
        return NULL;
    }
    kdpi_decimal_format(buf, value / 10000, price ? 4 : 2);
    return buf;
}

int
kdp_bulk_lake_row(struct kdp_bulk_lake *lake, const struct kdp_rows *rows, const struct kdp_row *row)
{
    static char texts[CELLS][512]; /* one lake a process */
    const char *cells[CELLS], *why = NULL, *member = "";
    int rc = 0;

    if (lake->table < 0)
        rc = learn(lake, rows, row);
    if (rc != 0 || lake->there)
        return rc;
    lake->one_day = lake->one_day && day_of(rows, row) == lake->day_ns;
    for (unsigned i = 0; i < cell_counts[lake->table] && why == NULL; i++) {
        const struct cell *cell = &cells_of[lake->table][i];
        const struct kdp_field *field = cell->name != NULL ? field_named(rows, row, cell->name) : NULL;
        struct kdp_text text;
        int64_t ns;

        cells[i] = NULL;
        member = cell->name != NULL ? cell->name : "";
        switch (cell->what) {
        case C_NUMBER:
            snprintf(texts[i], sizeof texts[i], "%" PRIu64, row->number);
            cells[i] = texts[i];
            break;
        case C_TIME:
            ns = field == NULL ? day_of(rows, row) : KDP_TIME_NULL;
            if (field != NULL && !kdp_bulk_time(field, &ns))
                why = "not a time";
            else if (ns == KDP_TIME_NULL)
                why = "no time";
            kdpi_time_format(texts[i], ns, 9);
            cells[i] = texts[i];
            break;
        case C_SIZE:
        case C_PRICE:
            if (field != NULL)
                cells[i] = number_text(field, cell->what == C_PRICE, texts[i], &why);
            break;
        default:
            if (field == NULL || field->kind != KDP_JSON_STRING) {
                if (cell->what == C_TICKER || field != NULL)
                    why = "not a text";
                break;
            }
            text = kdp_rows_text(field, texts[i], sizeof texts[i]);
            if (text.len >= sizeof texts[i] || memchr(text.data, '\0', text.len) != NULL) {
                why = "longer than 511 bytes";
                break;
            }
            memmove(texts[i], text.data, text.len);
            texts[i][text.len] = '\0';
            cells[i] = texts[i];
            break;
        }
    }
    if (why != NULL) {
        kdp_rejects_add(&lake->rejects, true, lake->file, row->number, 0, member, why, row->text,
                        row->len < 4096 ? row->len : 4096);
        return 0;
    }
    rc = kdp_history_row(lake->history, (unsigned)kdp_history_table_find(table_names[lake->table]), cells,
                         cell_counts[lake->table]);
    lake->given += rc == 0;
    if (rc == 0 && kdp_history_full(lake->history))
        rc = kdp_history_flush(lake->history);
    return rc;
}

int
kdp_bulk_lake_end(struct kdp_bulk_lake *lake, bool whole)
{
    struct kdp_history_totals totals;
    int rc = 0;

    if (lake->table < 0 || lake->there)
        return 0;
    if (whole && lake->one_day && lake->rejects.count == 0)
        rc = kdp_history_window(lake->history, table_names[lake->table], SCOPE, lake->day_ns,
                                lake->day_ns + KDP_NS_PER_DAY);
    if (rc == 0)
        rc = kdp_history_flush(lake->history);
    kdp_history_totals(lake->history, &totals);
    lake->inserted = totals.rows[kdp_history_table_find(table_names[lake->table])];
    return rc;
}

void
kdp_bulk_lake_close(struct kdp_bulk_lake *lake)
{
    kdp_rejects_close(&lake->rejects);
    if (lake->history != NULL)
        kdp_history_close(lake->history);
    lake->history = NULL;
}
