/* history_private.h - what the files of the history writer share; nobody else includes it.
 *
 * history.c: lock, windows, the order of a flush; history_limit.c: what is the plant's; history_trades.c: trades, with
 * history_tickers.c, and history_known.c, which holds them against what the lake has;
 * history_rows.c: the tables without records; history_table.c: what those tables are. */
#ifndef KDPI_HISTORY_PRIVATE_H
#define KDPI_HISTORY_PRIVATE_H

#include <string.h>

#include "duckdb_api.h"
#include "history.h"
#include "lake_batch.h"
#include "lake_private.h"
#include "manifest.h"
#include "record.h"

#define HISTORY_TABLES_MAX 16u

#define KDP_BULK_TABLES 2u
extern const struct kdp_history_table kdp_history_bulk_tables[KDP_BULK_TABLES];
#define HISTORY_SCHEMA_VERSION 1u

struct history_tickers { /* texts by number, from 1; emptied with the batch */
    char *text;
    size_t used, room;
    uint32_t *at; /* where number i begins */
    size_t at_room;
    uint32_t count;
    uint32_t *slots; /* open addressing: number, 0 free */
    size_t slot_count;
};

struct history_trades {
    unsigned table; /* of kdp_lake_tables */
    struct kdp_lake_batch *batch;
    size_t rows_max, added; /* rows, and records taken since the batch was emptied */
    size_t tickers_max;     /* bytes of their texts */
    struct history_tickers tickers;
    uint32_t *slots; /* by trade id: row + 1, 0 free */
    size_t slot_count;
    uint8_t *known; /* by row, while a flush looks: what the lake has */
    uint8_t mark;
};

/* What a batch's rows are marked with before it is written. */
#define HISTORY_MARK_LAKE 1  /* there before this run, or captured */
#define HISTORY_MARK_RUN 2   /* written by this run */
#define HISTORY_MARK_LATER 3 /* behind the limit */

static inline const struct kdp_trade *
history_trade_at(const struct history_trades *trades, size_t row)
{
    return (const void *)kdp_lake_batch_record(trades->batch, trades->table, row);
}

static inline size_t
history_slot_of(const struct history_trades *trades, const uint8_t id[16])
{
    uint64_t high, low;

    memcpy(&high, id, 8);
    memcpy(&low, id + 8, 8);
    high = (high ^ low * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    return (size_t)(high ^ high >> 32) & (trades->slot_count - 1);
}

struct history_rows; /* of one table, see history_rows.c */

struct history_pending { /* windows whose rows have all been given */
    struct kdp_manifest_window *windows;
    size_t count, room;
};

struct history_cache { /* windows of a table as last read: nobody else changes them while we hold the lock */
    struct kdp_manifest manifest;
    bool valid;
};

struct kdp_history {
    struct kdp_history_config config;
    struct lake_writer writer;
    duckdb_database database;
    int lock_fd;
    uint64_t run;    /* number of this writer in the folder: part of the names of its files */
    unsigned serial; /* of its files */
    int64_t seen_ns; /* set by the caller, 0: the clock */
    struct history_trades trades;
    struct history_rows *rows[HISTORY_TABLES_MAX];
    struct history_pending pending[1 + HISTORY_TABLES_MAX]; /* trades, then the others */
    struct history_cache cache[1 + HISTORY_TABLES_MAX];
    size_t rows_bytes_max;                /* of all other tables together */
    uint64_t bytes_written, rows_written; /* of trades: how large a file becomes */
    struct kdp_history_totals totals;
};

void history_step(const struct kdp_history *history);
/* history_name gives the next file's name. */
void history_name(struct kdp_history *history, char *name, size_t size);
/* history_name_run gives the run that a path's file is of, 0: not a file of history. */
uint64_t history_name_run(const char *path);
/* history_make_room flushes because a caller went on beyond "full". */
int history_make_room(struct kdp_history *history);
/* history_unwrite removes files that no manifest names yet, when the rest of their batch could not be written: the disk may
 * be full. */
void history_unwrite(const struct kdp_history *history, const char *table,
                     const struct kdp_manifest_file *files, size_t count);
/* history_manifest_first makes the table's folder and an empty manifest where there is none: so that a file without a
 * manifest always means that one was lost. */
int history_manifest_first(struct kdp_history *history, const char *table);
/* history_named names files and the windows that wait in the manifest of a table (0: trades, then the others) in one
 * replacement. */
int history_named(struct kdp_history *history, unsigned slot, unsigned schema_version,
                  const struct kdp_manifest_file *files, size_t count);

/* history_row_bytes gives what a trade takes in a file, by those written so far. */
uint64_t history_row_bytes(const struct kdp_history *history);

int history_tickers_grow(struct history_tickers *tickers);
/* history_ticker_number gives a ticker's number, a new one when it is new; 0: no memory.  history_ticker is the way back
 * (arg: the tickers), NULL for none. */
uint32_t history_ticker_number(struct history_tickers *tickers, const char *text, size_t len);
const char *history_ticker(void *arg, uint32_t number);
void history_tickers_clear(struct history_tickers *tickers);
void history_tickers_release(struct history_tickers *tickers);

/* history_known_mark marks the rows that the lake or the tape has; days are those of the batch. */
int history_known_register(struct kdp_history *history);
int history_known_mark(struct kdp_history *history, const struct kdp_lake_day *days, size_t day_count);

int history_trades_open(struct kdp_history *history, uint64_t bytes);
void history_trades_close(struct kdp_history *history);
bool history_trades_full(const struct kdp_history *history);
/* history_trades_flush writes what is new below limit_ns (KDP_TIME_NULL: all). */
int history_trades_flush(struct kdp_history *history, int64_t limit_ns);

int history_rows_open(struct kdp_history *history);
void history_rows_close(struct kdp_history *history);
bool history_rows_full(const struct kdp_history *history);
int history_rows_flush(struct kdp_history *history, unsigned table);

#endif
