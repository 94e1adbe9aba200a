/* rows.h - the rows of a large JSON file: an array of flat objects or one object a line, read as a stream.
 *
 * For the exchange's daily bulk files (docs/exchange.md section 7) and whatever looks like them: which members there are is
 * learnt from the rows, none is expected.  Strict as json.h is (RFC 8259, well-formed UTF-8, no key twice in a row, at most
 * 32 levels of values within a row, nothing behind the end), but no row is ever in memory with more than its neighbours:
 * about 1 MiB, whatever the file's length.  Rows before a fault are given; the fault names its byte.
 *
 * The separators between values are the same in nearly every row, so each is compared with that of the row before first
 * (docs/design/bulk.md).  One thread. */
#ifndef KDPI_ROWS_H
#define KDPI_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define KDP_ROWS_COLUMNS_MAX 128u   /* different members; further ones are counted and left out */
#define KDP_ROWS_ROW_MAX (4u << 20) /* bytes of one row */
#define KDP_ROWS_DEPTH_MAX 32u

struct kdp_field {
    uint16_t column; /* see kdp_rows_column */
    uint8_t kind;    /* enum kdp_json_kind */
    bool escaped;    /* of a string: it has escapes, kdp_rows_text undoes them */
    uint32_t len;
    const char *data; /* a string without its quotes, anything else as written; valid until the next row */
};

struct kdp_row {
    uint64_t number; /* from 1 */
    uint64_t offset; /* of its first byte in the text */
    const char *text;
    size_t len;
    unsigned count, left_out; /* members given, and members beyond KDP_ROWS_COLUMNS_MAX */
    const struct kdp_field *fields;
};

struct kdp_rows;

/* read gives up to size bytes into buf, 0 at the end, or a negative error with its words kept (as kdp_source_read). */
typedef int64_t (*kdp_rows_read_t)(void *arg, void *buf, size_t size);

/* kdp_rows_open; name is for messages and copied.  NULL words of its own only for lack of memory. */
int kdp_rows_open(struct kdp_rows **rowsp, const char *name, kdp_rows_read_t read, void *arg);
void kdp_rows_close(struct kdp_rows *rows);

/* kdp_rows_next gives the next row: 1; 0 at the end; or an error, which it then repeats: -KDP_EFORMAT (what is wrong at
 * which byte), -KDP_ETRUNCATED (ends within a row or an array), -KDP_ENOENT (nothing in it), or that of read. */
int kdp_rows_next(struct kdp_rows *rows, struct kdp_row *row);
/* kdp_rows_at goes on with a row met before, read being at its offset: nothing before it is looked at again. */
void kdp_rows_at(struct kdp_rows *rows, uint64_t offset, uint64_t number);

/* Members met so far, in order of first appearance; names are NUL-terminated and unescaped. */
unsigned kdp_rows_columns(const struct kdp_rows *rows);
const char *kdp_rows_column(const struct kdp_rows *rows, unsigned column);
int kdp_rows_column_find(const struct kdp_rows *rows, const char *name); /* -1: not met */
uint64_t kdp_rows_offset(const struct kdp_rows *rows);                   /* bytes of text taken */

/* kdp_rows_text gives a string field's text, unescaped into buf when it has to be (cut at size - 1). */
struct kdp_text kdp_rows_text(const struct kdp_field *field, char *buf, size_t size);

#endif
