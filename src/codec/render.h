/* render.h - one record as text: a JSON object, csv cells, or a line of words for people.
 *
 * JSON keys and csv columns are the columns of the lake's tables (kdp_field_desc.column, else the field's
 * name), so that what is read here can be pasted into SQL.  Prices have always 4 digits behind the point,
 * sizes 2, other decimals those of their scale, all as strings, so that nobody's floating point touches them;
 * times are RFC 3339 with 9 digits and Z; words of enumerations are lower case; hashes have 16 hex digits.
 * What is not known is null in JSON and an empty cell in csv: a null of the schema, an empty text, a ticker
 * nobody could give.
 *
 * rec must be a whole valid record (kdpi_record_size).  Its values are not trusted: a number without a word
 * is "?", bytes that are not UTF-8 become U+FFFD, control characters are escaped.  ticker is that of
 * rec->instrument, NULL if unknown.
 *
 * Functions that write text return the length it has (without NUL), as snprintf does: when that is size or
 * more, the text was cut.  KDPI_RENDER_MAX bytes hold every JSON object and every csv row of at most one
 * column of a name. */
#ifndef KDPI_RENDER_H
#define KDPI_RENDER_H

#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define KDPI_RENDER_MAX 32768u
#define KDPI_RENDER_COLUMNS 128u

/* kdpi_render_json writes one object on one line, without a newline: type and the whole head, then the
 * record's own fields, its group as an array of objects, its texts. */
size_t kdpi_render_json(char *buf, size_t size, const struct kdp_head *rec, const char *ticker);

/* A choice of columns for rows of mixed records: a record that has no such column leaves the cell empty. */
struct kdpi_render_columns {
    unsigned count;
    struct kdpi_render_column {
        const char *name;
        uint8_t source[KDP_TEMPLATE_MAX + 1]; /* by template: private to render.c */
    } columns[KDPI_RENDER_COLUMNS];
};

/* kdpi_render_select fills in the columns of list ("seq,price,volume").  NULL is all there are for the
 * templates of mask (bit n: template id n): seq, type, ticker, timestamp, recv_ts, sequence, line, origin,
 * flags, then their own in order. A list may also name instrument, exch_ts, pub_delay_ns and what.  Returns
 * 0, or -KDP_EUSAGE with words that name the column nobody knows, or that stands twice. */
int kdpi_render_select(struct kdpi_render_columns *columns, uint32_t mask, const char *list);

/* Lines of csv (RFC 4180 quoting) without a newline.  A group is one cell, its JSON array. */
size_t kdpi_render_csv_header(char *buf, size_t size, const struct kdpi_render_columns *columns);
size_t kdpi_render_csv_row(char *buf, size_t size, const struct kdpi_render_columns *columns,
                           const struct kdp_head *rec, const char *ticker);
/* kdpi_render_cell writes one cell as csv has it, unquoted: for tables. */
size_t kdpi_render_cell(char *buf, size_t size, const struct kdpi_render_column *column,
                        const struct kdp_head *rec, const char *ticker);

/* kdpi_render_what writes the record as one line of words and numbers of screen.h: "0.44 x 12.50, taker YES".
 */
size_t kdpi_render_what(char *buf, size_t size, const struct kdp_head *rec, const char *ticker);

#endif
