/* lake_fixture.h - a stream of records over several days in memory, written to a tape piece by piece, and
 * what the tables of the lake must then hold. */
#ifndef KDP_LAKE_FIXTURE_H
#define KDP_LAKE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lake.h"
#include "sql.h"
#include "tape.h"

struct lake_fixture {
    uint8_t *bytes;
    size_t len;
    size_t *offsets; /* of record i and, one more, the end */
    uint64_t count;  /* records; their sequence numbers run from 1 */
    char dir[512];   /* a folder of its own below the case's, named by the seed */
    struct kdp_tape_writer *writer;
    uint64_t written; /* records on the tape */
};

/* Skips the test, visibly, where there is no libduckdb.so. */
void lake_need_duckdb(void);

/* lake_fixture_new makes count records received from first_ns on, step_ns apart. */
struct lake_fixture *lake_fixture_new(uint64_t seed, uint64_t count, int64_t first_ns, int64_t step_ns);
void lake_fixture_free(struct lake_fixture *f);
const struct kdp_head *lake_fixture_at(const struct lake_fixture *f,
                                       uint64_t index); /* record of seq index + 1 */
/* lake_fixture_write brings the tape up to record count (and syncs it); seal ends the segment. */
void lake_fixture_write(struct lake_fixture *f, uint64_t count, bool seal);

/* lake_fixture_rows counts the rows a table must have from records up to seq. */
uint64_t lake_fixture_rows(const struct lake_fixture *f, unsigned table, uint64_t seq);

/* lake_seal runs a sealer to the durable end; now_ns NULL: the wall clock. */
void lake_seal(const char *dir, int64_t (*now_ns)(void), struct kdp_lake_totals *totals);

/* lake_ask runs SQL on a directory (at_seq 0: its head) and gives the first cell of the first row, "" for
 * NULL or no row, valid until the next call. */
const char *lake_ask(const char *dir, uint64_t at_seq, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* lake_dump gives a whole result as text, cells by | and rows by newline; the caller frees it. */
char *lake_dump(const char *dir, uint64_t at_seq, const char *text);
/* lake_check compares every table with the fixture: rows, distinct and summed sequence numbers up to seq. */
void lake_check(const struct lake_fixture *f, uint64_t seq);
/* lake_files lists the files of a table's folder (path and bytes a line, sorted); the caller frees it. */
char *lake_files(const char *dir, const char *table);

#endif
