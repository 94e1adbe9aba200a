/* market_load.c - see market_load.h. */
#include "market_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"

#define VERSIONS_MAX 100000u

static void
rows_free(struct kdp_market_rows *rows)
{
    for (size_t i = 0; i < rows->count * rows->columns; i++)
        free(rows->cells[i]);
    for (unsigned i = 0; i < rows->columns; i++)
        free(rows->names[i]);
    free(rows->cells);
    free(rows->names);
    free(rows->classes);
    *rows = (struct kdp_market_rows){0};
}

static int
no_memory(void)
{
    return kdpi_fail(KDP_ENOMEM, "out of memory");
}

static int
rows_start(struct kdp_market_rows *rows, const struct kdp_sql_result *result)
{
    unsigned columns = kdp_sql_columns(result);

    rows->names = calloc(columns, sizeof *rows->names);
    rows->classes = calloc(columns, sizeof *rows->classes);
    if (rows->names == NULL || rows->classes == NULL)
        return no_memory();
    rows->columns = columns;
    for (unsigned i = 0; i < columns; i++) {
        rows->classes[i] = kdp_sql_class(result, i);
        rows->names[i] = strdup(kdp_sql_name(result, i));
        if (rows->names[i] == NULL)
            return no_memory();
    }
    return 0;
}

static int
rows_add(struct kdp_market_rows *rows, struct kdp_sql_result *result)
{
    if (rows->count == rows->room) {
        size_t room = rows->room > 0 ? rows->room * 2 : 16;
        char **cells = realloc(rows->cells, room * rows->columns * sizeof *cells);

        if (cells == NULL)
            return no_memory();
        rows->cells = cells;
        rows->room = room;
    }
    memset(&rows->cells[rows->count * rows->columns], 0, rows->columns * sizeof *rows->cells);
    rows->count++;
    for (unsigned i = 0; i < rows->columns; i++) {
        const char *cell = kdp_sql_cell(result, i);
        char **kept = &rows->cells[(rows->count - 1) * rows->columns + i];

        if (cell != NULL && (*kept = strdup(cell)) == NULL)
            return no_memory();
    }
    return 0;
}

/* Asks and keeps all rows, at most VERSIONS_MAX. */
static int
ask(struct kdp_market_rows *rows, struct kdp_sql *sql, const char *text, const char *const *parameters,
    unsigned count)
{
    struct kdp_sql_result *result = NULL;
    int rc = kdp_sql_ask(sql, text, parameters, count, &result);

    if (rc != 0)
        return rc;
    rc = rows_start(rows, result);
    while (rc == 0 && rows->count < VERSIONS_MAX && (rc = kdp_sql_next(result)) > 0)
        rc = rows_add(rows, result);
    kdp_sql_free(result);
    return rc < 0 ? rc : 0;
}

const char *
kdp_market_cell(const struct kdp_market_rows *rows, size_t row, const char *name)
{
    if (row >= rows->count)
        return NULL;
    for (unsigned i = 0; i < rows->columns; i++) {
        if (strcmp(rows->names[i], name) == 0)
            return rows->cells[row * rows->columns + i];
    }
    return NULL;
}

const char *
kdp_market_now(const struct kdp_market *market, const char *name)
{
    return kdp_market_cell(&market->versions, market->shown, name);
}

bool
kdp_market_changed(const struct kdp_market *market, size_t version, unsigned column)
{
    /* what tells of the version itself, not of the market */
    static const char *const about[] = {"ticker", "valid_from", "valid_to", "seen_ts", "source", "assumed"};
    const struct kdp_market_rows *rows = &market->versions;
    const char *was, *is;

    if (version == 0 || version >= rows->count)
        return false;
    for (unsigned i = 0; i < sizeof about / sizeof about[0]; i++) {
        if (strcmp(rows->names[column], about[i]) == 0)
            return false;
    }
    was = rows->cells[(version - 1) * rows->columns + column];
    is = rows->cells[version * rows->columns + column];
    return (was == NULL) != (is == NULL) || (was != NULL && strcmp(was, is) != 0);
}

/* ---- what belongs to the version shown ---- */

/* The newest version of an event or series that was known at a time, else the oldest there is. */
static int
load_versioned(struct kdp_market_rows *rows, bool *laterp, struct kdp_sql *sql, const char *table,
               const char *key, const char *value, const char *at)
{
    char text[512];
    const char *parameters[] = {value, at};
    int rc;

    if (value == NULL)
        return 0;
    snprintf(text, sizeof text,
             "SELECT *, seen_ts > $2::TIMESTAMP_NS AS later FROM %s WHERE %s = $1 ORDER BY later, CASE WHEN "
             "later THEN seen_ts END, seen_ts DESC LIMIT 1",
             table, key);
    rc = ask(rows, sql, text, parameters, 2);
    if (rc == 0 && rows->count > 0)
        *laterp = strcmp(kdp_market_cell(rows, 0, "later"), "true") == 0;
    return rc;
}

static int
load_text(char **textp, struct kdp_sql *sql, const char *hash)
{
    struct kdp_market_rows rows = {0};
    int rc;

    if (hash == NULL)
        return 0;
    rc = ask(&rows, sql, "SELECT text FROM texts WHERE hash = $1::UUID LIMIT 1", &hash, 1);
    if (rc == 0 && rows.count > 0 && rows.cells[0] != NULL) {
        *textp = rows.cells[0];
        rows.cells[0] = NULL;
    }
    rows_free(&rows);
    return rc;
}

/* Changes of the fees of its series and event, from REST and from the stream, oldest first. */
static int
load_fees(struct kdp_market *market, struct kdp_sql *sql)
{
    const char *event = kdp_market_now(market, "event_ticker");
    const char *series = kdp_market_now(market, "series_ticker");
    const char *parameters[] = {series != NULL ? series : "", event != NULL ? event : ""};

    return ask(&market->fees, sql,
               "SELECT subject, ticker, scheduled_time, fee_type, fee_multiplier FROM ("
               "SELECT subject, ticker, scheduled_time, fee_type, fee_multiplier FROM fee_changes "
               "QUALIFY row_number() OVER (PARTITION BY id ORDER BY seen_ts DESC) = 1 "
               "UNION SELECT 'event', event_ticker, timestamp, fee_type, fee_multiplier FROM events "
               "WHERE event_type = 'fee_override') WHERE (subject = 'series' AND ticker = $1) OR "
               "(subject = 'event' AND ticker = $2) ORDER BY scheduled_time, subject",
               parameters, 2);
}

static int
count_rows(uint64_t *countp, struct kdp_sql *sql, const char *text, const char *ticker)
{
    struct kdp_market_rows rows = {0};
    int rc = ask(&rows, sql, text, &ticker, 1);

    *countp = rc == 0 && rows.count > 0 ? strtoull(rows.cells[0], NULL, 10) : 0;
    rows_free(&rows);
    return rc;
}

/* The version in force at the time: the last that begins by then. */
static void
choose(struct kdp_market *market, const char *at)
{
    market->shown = market->versions.count;
    for (size_t i = 0; i < market->versions.count; i++) {
        /* RFC 3339 with nine digits: the order of texts is that of times */
        if (strcmp(kdp_market_cell(&market->versions, i, "valid_from"), at) <= 0)
            market->shown = i;
    }
}

int
kdp_market_load(struct kdp_market *market, struct kdp_sql *sql, const char *ticker, int64_t at_ns)
{
    char at[KDPI_TIME_TEXT];
    uint64_t count = 0;
    int rc;

    *market = (struct kdp_market){.at_ns = at_ns};
    snprintf(market->ticker, sizeof market->ticker, "%s", ticker);
    kdpi_time_format(at, at_ns, 9);
    rc = ask(&market->versions, sql, "SELECT * FROM markets_asof WHERE ticker = $1 ORDER BY valid_from",
             &ticker, 1);
    if (rc == 0)
        rc = count_rows(&count, sql, "SELECT count(*) FROM market_terms WHERE ticker = $1", ticker);
    market->from_rest = count > 0;
    if (rc == 0)
        rc = count_rows(
            &count, sql,
            "SELECT count(*) FROM series_terms WHERE series_ticker IN (SELECT series_ticker FROM "
            "event_terms WHERE event_ticker IN (SELECT event_ticker FROM market_terms WHERE ticker "
            "= $1))",
            ticker);
    market->complete = market->from_rest && count > 0;
    if (rc == 0 && market->versions.count == 0) {
        rc = count_rows(&count, sql, "SELECT count(*) FROM definitions WHERE ticker = $1", ticker);
        market->named_only = count > 0;
    }
    if (rc != 0)
        return rc;
    choose(market, at);
    if (market->shown == market->versions.count)
        return 0;
    rc = load_versioned(&market->event, &market->event_later, sql, "event_terms", "event_ticker",
                        kdp_market_now(market, "event_ticker"), at);
    if (rc == 0)
        rc = load_versioned(&market->series, &market->series_later, sql, "series_terms", "series_ticker",
                            kdp_market_now(market, "series_ticker"), at);
    if (rc == 0)
        rc = load_fees(market, sql);
    if (rc == 0)
        rc = load_text(&market->rules_primary, sql, kdp_market_now(market, "rules_primary_hash"));
    if (rc == 0)
        rc = load_text(&market->rules_secondary, sql, kdp_market_now(market, "rules_secondary_hash"));
    if (rc == 0)
        rc = load_text(&market->early_close, sql, kdp_market_now(market, "early_close_hash"));
    return rc;
}

void
kdp_market_free(struct kdp_market *market)
{
    rows_free(&market->versions);
    rows_free(&market->event);
    rows_free(&market->series);
    rows_free(&market->fees);
    free(market->rules_primary);
    free(market->rules_secondary);
    free(market->early_close);
    *market = (struct kdp_market){0};
}
