/* history.h - the exchange's past, filed into the lake beside what was captured: trades into the table trades (seq NULL, origin
 * history), and the tables that no record of the stream has (candles, markets, series, events, texts).
 *
 * The manifest is the journal (docs/design/history.md): a file and the windows it completes are named in one replacement, so
 * that a run killed at any moment has either the rows and the window or neither.  A window is a range of exchange time of one
 * scope ("KXABC-26DEC01-T3": a market; "*": all markets) that is whole in the lake.  Rows that the lake has already, by
 * (ticker, day, trade_id), from earlier windows, runs or live capture, are not written again.  Works beside a running plant.
 * Memory is bounded by memory_bytes.  One history writer per data directory (DIR/history.lock).  One thread. */
#ifndef KDPI_HISTORY_H
#define KDPI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct kdp_history;
struct kdp_manifest;
struct kdp_message;

struct kdp_history_config {
    const char *dir;         /* data directory; made when missing */
    const char *compression; /* as kdp_lake_config */
    uint64_t memory_bytes;   /* 0: 512 MiB, rows and engine together */
    uint64_t file_bytes;     /* a batch is written when it would make a file of about so much, 0: 64 MiB */
    int (*stopped)(
        void); /* asked where the writer would flush by itself: then -KDP_ESTOPPED instead.  A flush that was asked
                             for is seconds, and goes to its end.  NULL: never */
    void (*step)(void *arg); /* between any two steps that change the disk: where tests kill; NULL: none */
    void *step_arg;
};
/* kdp_history_open takes the lock (-KDP_EBUSY names the process), removes own files that no manifest names, loads DuckDB. */
int kdp_history_open(struct kdp_history **historyp, const struct kdp_history_config *config);
/* kdp_history_close drops what was not flushed: it is asked for again by the next run. */
void kdp_history_close(struct kdp_history *history);

/* kdp_history_limit gives the exchange time behind which trades are the plant's business: what is sealed of a stream in this
 * directory, KDP_TIME_NULL when it has none (then only the caller's clock bounds the end). */
int kdp_history_limit(const struct kdp_history *history, int64_t *ns);

struct kdp_history_window {
    int64_t start_ns, end_ns; /* exchange time, end not included */
};
/* kdp_history_missing gives the parts of [start, end) that no window of scope or of "*" covers, in order; *windowsp is the
 * caller's to free.  The plant's own capture does not count as covered: it may have had holes. */
int kdp_history_missing(struct kdp_history *history, const char *table, const char *scope, int64_t start_ns,
                        int64_t end_ns, struct kdp_history_window **windowsp, size_t *countp);
/* kdp_history_forget takes windows away again, so that the range is asked for anew (verification found it short).  Rows stay:
 * asked again, they are known by their ids.  Windows that wait for a flush and touch the range are dropped whole. */
int kdp_history_forget(struct kdp_history *history, const char *table, const char *scope, int64_t start_ns,
                       int64_t end_ns);

/* kdp_history_trade takes a decoded trade; ticker, time and id are in it.  0, or an error.  The same id twice in a batch is
 * counted and kept once. */
int kdp_history_trade(struct kdp_history *history, const struct kdp_message *trade, int64_t recv_ns);
/* kdp_history_row takes a row of one of the other tables, its cells as text (exact decimals, RFC 3339 times), NULL for SQL NULL,
 * in the order of kdp_history_tables, leaving out the columns marked own. */
int kdp_history_row(struct kdp_history *history, unsigned table, const char *const *cells, unsigned count);
/* kdp_history_seen sets seen_ts of the rows given from now on; without it (or 0) it is the wall clock when a row is given. */
void kdp_history_seen(struct kdp_history *history, int64_t ns);
/* kdp_history_window says that all rows of [start, end) of the scope have been given; it counts with the next flush. */
int kdp_history_window(struct kdp_history *history, const char *table, const char *scope, int64_t start_ns,
                       int64_t end_ns);
/* kdp_history_full: a flush is due (the batch has its size); call it between pages. */
bool kdp_history_full(const struct kdp_history *history);
/* kdp_history_flush writes files and names them with their windows, table by table. */
int kdp_history_flush(struct kdp_history *history);

struct kdp_history_totals { /* since open */
    uint64_t given;         /* trades */
    uint64_t inserted;      /* of them, new in the lake */
    uint64_t already;       /* were in the lake before this run: of capture or of an earlier backfill */
    uint64_t duplicates;    /* came twice in this run (pages and tiers overlap) */
    uint64_t later;         /* behind kdp_history_limit when it came to writing: the plant brings them */
    uint64_t rows[16];      /* of the other tables, by number */
    uint64_t files, bytes;
    int64_t store_ns; /* monotonic time spent writing */
};
void kdp_history_totals(const struct kdp_history *history, struct kdp_history_totals *totals);

/* ---- the tables that only history has ---- */
struct kdp_history_column {
    const char *name, *sql, *about; /* sql: "DECIMAL(9,4)", "TIMESTAMP_NS", "VARCHAR" ... */
    bool own;                       /* filled by the writer: seen_ts */
};
struct kdp_history_table {
    const char *name, *about;
    const struct kdp_history_column *columns;
    unsigned column_count;
    const char *
        key; /* columns that name a row: a row equal in all but seen_ts to the newest of its key is not written */
    const char *sort; /* ORDER BY within a file */
    bool by_day;      /* date= folders by day of the column timestamp; else one folder "all" */
    bool newest;      /* its view gives the newest row of each key only, not all versions */
};
const struct kdp_history_table *kdp_history_tables(unsigned *countp);
int kdp_history_table_find(const char *name); /* -1: none */
/* kdp_history_nullable says whether a column may be NULL: not what names a row, nor what the writer fills. */
bool kdp_history_nullable(const struct kdp_history_table *table, unsigned column);
/* kdp_history_select writes a SELECT of all rows of a table, typed also where there are none; of a table by day the files
 * that touch [from_ns, to_ns). */
void kdp_history_select(FILE *out, const struct kdp_history_table *table, const char *dir,
                        const struct kdp_manifest *manifest, int64_t from_ns, int64_t to_ns);

#endif
