/* lake.h - the sealer: from the stream's durable part to Parquet files, one table and day at a time.
 *
 * Rules and formats: docs/design/lake.md.  One sealer per data directory (DIR/lake.lock); it is a reader of
 * the stream that never passes durable_seq, so nothing in the lake can be taken back by a crash.  Every step
 * can be killed: a file counts when a manifest names it, and what no manifest names is removed when the next
 * sealer starts.  One thread. */
#ifndef KDPI_LAKE_H
#define KDPI_LAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lake_table.h"

struct kdp_lake;

struct kdp_lake_config {
    const char *dir;         /* data directory */
    const char *compression; /* "snappy" (default, NULL), "zstd" or "uncompressed" */
    size_t batch_bytes;      /* memory for records; 0: 256 MiB */
    uint64_t part_rows;      /* records of the stream that make a part due; 0: 1,000,000 */
    int64_t part_span_ns;    /* so does the oldest one waiting this long; 0: 5 min */
    int64_t (*now_ns)(void); /* the wall clock, which decides what a closed day is; NULL: kdpi_now_ns */
    /* called with words in kdp_error_text when records that were not sealed cannot be had any more (retention,
     * kdp tape repair): sealing goes on behind them; NULL: none */
    void (*hole)(void *arg);
    void *hole_arg;
    void (*step)(
        void *arg); /* called between any two steps that change the disk: where tests kill; NULL: none */
    void *step_arg;
};

struct kdp_lake_totals { /* of this sealer, since open */
    uint64_t rows[KDP_LAKE_TABLES_MAX];
    uint64_t files, bytes; /* written */
    uint64_t days_closed;  /* pairs of table and day */
    uint64_t removed;      /* files no manifest named */
    uint64_t sealed_seq;
};

/* kdp_lake_open takes the lock (-KDP_EBUSY names the process), removes what no manifest names and loads
 * DuckDB. */
int kdp_lake_open(struct kdp_lake **lakep, const struct kdp_lake_config *config);
/* kdp_lake_work seals if a part is due and closes days that are over; 1 when it did something, 0, or an
 * error.  Files already named stay right whatever the error. */
int kdp_lake_work(struct kdp_lake *lake);
/* kdp_lake_drain seals everything durable now and closes every day before today. */
int kdp_lake_drain(struct kdp_lake *lake);
void kdp_lake_totals(const struct kdp_lake *lake, struct kdp_lake_totals *totals);
void kdp_lake_close(struct kdp_lake *lake);

/* kdp_lake_sealed gives the sequence number up to which every table is sealed: what retention of the tape may
 * count on. It needs neither DuckDB nor a lock. */
int kdp_lake_sealed(const char *dir, uint64_t *seqp);

#endif
