/* lake_fill.h - from records to DuckDB's vectors, one column at a time: what the scan of the tape and the
 * sealer share. */
#ifndef KDPI_LAKE_FILL_H
#define KDPI_LAKE_FILL_H

#include <stddef.h>
#include <stdint.h>

#include "duckdb_api.h"
#include "lake_table.h"

struct kdp_lake_row {
    const struct kdp_head *rec; /* valid as long as the fill */
    uint32_t item;              /* of the group, of tables with a row per item */
};

/* A market's name by instrument id, or NULL: of a reader or of a batch. */
typedef const char *(*kdp_lake_ticker_t)(void *arg, uint32_t instrument);

/* struct kdp_lake_fill belongs to one thread.  Tickers go out as slices of one dictionary vector that is
 * filled as ids turn up: a ticker is copied once, not once a row.  Ids above instrument_max are NULL. */
struct kdp_lake_fill {
    const struct kdp_duckdb *duck;
    kdp_lake_ticker_t ticker;
    void *ticker_arg;
    uint32_t instrument_max;
    duckdb_vector dictionary;
    uint8_t *known; /* by id: 1 in the dictionary, 2 has no ticker */
};

int kdp_lake_fill_init(struct kdp_lake_fill *fill, const struct kdp_duckdb *duck, uint32_t instrument_max,
                       kdp_lake_ticker_t ticker, void *arg);
void kdp_lake_fill_release(struct kdp_lake_fill *fill);

/* kdp_lake_fill_column writes count (up to the vector size) values of a column.  0, or -KDP_ENOMEM. */
int kdp_lake_fill_column(struct kdp_lake_fill *fill, const struct kdp_lake_column *column,
                         duckdb_vector vector, const struct kdp_lake_row *rows, size_t count);

/* kdp_lake_bind adds the table's columns to a table function's result.  Words are ENUM there (a byte a row,
 * which Parquet takes as they are and reads back as VARCHAR). */
void kdp_lake_bind(const struct kdp_duckdb *duck, const struct kdp_lake_table *table, duckdb_bind_info info);

#endif
