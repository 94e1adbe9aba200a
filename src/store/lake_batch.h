/* lake_batch.h - records on their way into the lake, held in memory and sorted there.
 *
 * One pass over the stream collects the rows of all tables; per table they are then put into (day, ticker,
 * time, seq) order by counting sorts over two small ranges, which costs a fraction of what DuckDB's ORDER BY
 * takes for the same rows (docs/design/lake.md), and handed to DuckDB by the table function kdp_batch(table,
 * day).  Memory: the records once and 24 bytes a row, and as much again for the table being sorted.  One
 * thread. */
#ifndef KDPI_LAKE_BATCH_H
#define KDPI_LAKE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "duckdb_api.h"
#include "lake_fill.h"
#include "lake_table.h"

struct kdp_lake_batch;

struct kdp_lake_day { /* the rows of one table and day */
    int32_t day;
    size_t first, count;        /* among the sorted rows */
    size_t first_row, last_row; /* among the rows as they came */
    uint64_t seq_min, seq_max;
    int64_t ns_min, ns_max; /* of timestamp */
};

int kdp_lake_batch_open(struct kdp_lake_batch **batchp, size_t bytes_max);
void kdp_lake_batch_close(struct kdp_lake_batch *batch);
/* kdp_lake_batch_clear empties it and keeps its memory. */
void kdp_lake_batch_clear(struct kdp_lake_batch *batch);

/* kdp_lake_batch_add copies a valid record: 0, -KDP_EFULL when it does not fit any more (the record is not in
 * it then), or -KDP_ENOMEM.  Records must come in order of seq, or
 * all without one. */
int kdp_lake_batch_add(struct kdp_lake_batch *batch, unsigned table, const struct kdp_head *rec, size_t size);
size_t kdp_lake_batch_rows(const struct kdp_lake_batch *batch, unsigned table);
/* kdp_lake_batch_reserve makes room for so many rows at once: address space, not memory. */
int kdp_lake_batch_reserve(struct kdp_lake_batch *batch, unsigned table, size_t rows);
/* kdp_lake_batch_record gives the record of a row, by the order in which rows were added. */
const struct kdp_head *kdp_lake_batch_record(const struct kdp_lake_batch *batch, unsigned table, size_t row);
/* kdp_lake_batch_drop takes out the rows whose byte in drop is not 0; their records stay in memory until clear. */
void kdp_lake_batch_drop(struct kdp_lake_batch *batch, unsigned table, const uint8_t *drop);

/* kdp_lake_batch_sort sorts one table (and forgets the order of the one sorted before) and gives its days,
 * ascending; they are valid until the next sort.  Tickers come from ticker(arg, id); ids above instrument_max
 * have none. */
int kdp_lake_batch_sort(struct kdp_lake_batch *batch, unsigned table, uint32_t instrument_max,
                        kdp_lake_ticker_t ticker, void *arg, const struct kdp_lake_day **daysp,
                        size_t *countp);

/* kdp_lake_batch_register adds kdp_batch(table, index): the rows of day number index of the table sorted
 * last. */
int kdp_lake_batch_register(struct kdp_lake_batch *batch, const struct kdp_duckdb *duck,
                            duckdb_connection connection);

#endif
