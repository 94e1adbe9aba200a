/* market_load.h - what the data folder says of one market, for kdp market: its versions, event, series, fees and texts.
 *
 * Columns are those of the view markets_asof, found by name; every cell is text, NULL where SQL has NULL.  One thread. */
#ifndef KDPI_MARKET_LOAD_H
#define KDPI_MARKET_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sql.h"

struct kdp_market_rows { /* the rows of one statement, kept */
    unsigned columns;
    size_t count, room;
    char **names;
    enum kdp_sql_class *classes;
    char **cells; /* row by row */
};

struct kdp_market {
    char ticker[256];
    int64_t at_ns; /* what was asked about */
    struct kdp_market_rows versions;
    size_t shown;    /* the version in force then; versions.count: none yet */
    bool from_rest;  /* REST has been asked for it at some time: rules are known */
    bool complete;   /* and for its event and series, so for its fees */
    bool named_only; /* the stream has its ticker and no more */
    struct kdp_market_rows event, series, fees;
    /* the first was seen after the time asked about, so it may have been other then */
    bool event_later, series_later;
    char *rules_primary, *rules_secondary, *early_close; /* of the version shown; NULL: none or not here */
};

/* kdp_market_load reads everything of a ticker; nothing known is no error.  _free releases it in either case. */
int kdp_market_load(struct kdp_market *market, struct kdp_sql *sql, const char *ticker, int64_t at_ns);
void kdp_market_free(struct kdp_market *market);

/* kdp_market_cell gives a cell by its column's name. */
const char *kdp_market_cell(const struct kdp_market_rows *rows, size_t row, const char *name);
/* kdp_market_now is that of the version shown. */
const char *kdp_market_now(const struct kdp_market *market, const char *name);
/* kdp_market_changed says whether a column is one of the terms and differs from the version before. */
bool kdp_market_changed(const struct kdp_market *market, size_t version, unsigned column);

#endif
