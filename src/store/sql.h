/* sql.h - SQL over a data directory: sealed files and the stream's tail as one set of tables, at one cut.
 *
 * An in-memory DuckDB with one view per table of the lake (and bbo_live): the files its manifest names, then
 * the stream from there to S.  S is fixed when the engine is opened, so that everything asked of it shows one
 * cut: nothing twice, nothing missing.  No lock is taken and nothing is written.  What a user types is fenced
 * in: no files but the tables' own, no settings, no extensions, no statements that read or write outside. */
#ifndef KDPI_SQL_H
#define KDPI_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kdp_sql;
struct kdp_sql_result;

struct kdp_sql_config {
    const char *dir;
    uint64_t at_seq;       /* the cut; 0: the stream's head now */
    uint64_t memory_bytes; /* limit of the engine; 0: half of the machine's */
    unsigned threads;      /* 0: 2 */
    int (*stopped)(void);  /* asked while a statement runs; not 0: give up with -KDP_ESTOPPED.  NULL: never */
};

/* kdp_sql_open: -KDP_ENOENT when dir does not exist, -KDP_ERANGE when at_seq lies behind the head,
 * -KDP_ENOLIB without DuckDB.  One thread. */
int kdp_sql_open(struct kdp_sql **sqlp, const struct kdp_sql_config *config);
void kdp_sql_close(struct kdp_sql *sql);
uint64_t kdp_sql_cut(const struct kdp_sql *sql); /* S; 0: there is no stream, though there may be history */
bool kdp_sql_empty(const struct kdp_sql *sql);   /* neither stream nor history */
/* kdp_sql_cut_ns gives the receive time of record S, KDP_TIME_NULL when it cannot be told. */
int64_t kdp_sql_cut_ns(struct kdp_sql *sql);
/* kdp_sql_hole lists the sequence numbers that are neither in the lake nor on the tape any more: answers are without them.
 * false: no more of them. */
bool kdp_sql_hole(const struct kdp_sql *sql, unsigned index, uint64_t *fromp, uint64_t *top);

/* kdp_sql_narrow leaves files out that lie wholly outside the times (of the column timestamp, from_ns
 * included, to_ns not) or below a sequence number: for questions that have that condition too, so that no
 * footer of them is read. */
void kdp_sql_narrow(struct kdp_sql *sql, int64_t from_ns, int64_t to_ns, uint64_t from_seq);

/* kdp_sql_run runs what a user typed: one or more statements, of which the last one's result is given.  An
 * error of the engine is -KDP_EINVAL with its own words. */
int kdp_sql_run(struct kdp_sql *sql, const char *text, struct kdp_sql_result **resultp);
/* kdp_sql_ask runs one statement of our own with text parameters (NULL: SQL NULL is not offered, give ""). */
int kdp_sql_ask(struct kdp_sql *sql, const char *text, const char *const *parameters, unsigned count,
                struct kdp_sql_result **resultp);

/* The order of trades as one number: exchange time, live before refilled before history, sequence; history has none, any
 * order that is the same each time will do. */
#define KDP_SQL_TRADE_ORDER                                                                       \
    "(epoch_ns(\"timestamp\")::HUGEINT * 3 + CASE origin WHEN 'ws' THEN 0 WHEN 'history' THEN 2 " \
    "ELSE 1 END) * 9223372036854775808 + coalesce(seq, (hash(trade_id) // 2)::BIGINT)"

enum kdp_sql_class { KDP_SQL_TEXT, KDP_SQL_NUMBER, KDP_SQL_BOOL, KDP_SQL_NESTED };

unsigned kdp_sql_columns(const struct kdp_sql_result *result);
const char *kdp_sql_name(const struct kdp_sql_result *result, unsigned column);
enum kdp_sql_class kdp_sql_class(const struct kdp_sql_result *result, unsigned column);
/* kdp_sql_next steps to the next row: 1, 0 behind the last, or an error. */
int kdp_sql_next(struct kdp_sql_result *result);
/* kdp_sql_cell gives a cell of the row as text, NULL for SQL NULL; valid until the next kdp_sql_cell.  Times
 * are RFC 3339 with the digits of their type, decimals have all their digits, nested values are JSON. */
const char *kdp_sql_cell(struct kdp_sql_result *result, unsigned column);
/* kdp_sql_int reads an integer, decimal (as its scaled integer) or time cell; false for NULL. */
bool kdp_sql_int(struct kdp_sql_result *result, unsigned column, int64_t *valuep);
void kdp_sql_free(struct kdp_sql_result *result);

#endif
