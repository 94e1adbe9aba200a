/* bulk_look.h - which rows of a bulk file are wanted, and what can be said of them all: schema, sums, markets, values.
 *
 * Members are known by their names (ticker_name or ticker, report_ticker or series_ticker, create_ts or another time); any
 * other member is looked at without being understood.  Sums are exact (1e-6, 128 bits).  Constant memory: 16 MiB at most,
 * nearly all of it the set of markets met. */
#ifndef KDPI_BULK_LOOK_H
#define KDPI_BULK_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "rows.h"

__extension__ typedef __int128 kdp_int128;

enum kdp_bulk_role { /* what a member is, by its name */
                     KDP_BULK_OTHER = 0,
                     KDP_BULK_TICKER,
                     KDP_BULK_SERIES,
                     KDP_BULK_TIME,
                     KDP_BULK_KIND /* few different texts: status, payout_type */
};

struct kdp_bulk_columns { /* roles of the members met so far */
    unsigned known;
    uint8_t role[KDP_ROWS_COLUMNS_MAX];
};
void kdp_bulk_columns_learn(struct kdp_bulk_columns *columns, const struct kdp_rows *rows);
/* kdp_bulk_time reads a time as these files have it: RFC 3339, or with a blank for the T, or a day; false when it is none. */
bool kdp_bulk_time(const struct kdp_field *field, int64_t *nsp);
/* kdp_bulk_number reads a number or a text that holds one at 1e-6: 1, 0 for no number, -1 for one that is finer or too large. */
int kdp_bulk_number(const struct kdp_field *field, int64_t *valuep);

/* ---- which rows ---- */

#define KDP_BULK_WHERE_MAX 16

struct kdp_bulk_filter {
    const char *const *tickers, *const *series;
    unsigned ticker_count, series_count, where_count;
    int64_t start_ns, end_ns; /* INT64_MIN, INT64_MAX: no bound */
    bool any;                 /* there is something to look at */
    struct kdp_bulk_where {
        char column[64], value[192];
        enum {
            KDP_WHERE_EQ,
            KDP_WHERE_NE,
            KDP_WHERE_LT,
            KDP_WHERE_LE,
            KDP_WHERE_GT,
            KDP_WHERE_GE,
            KDP_WHERE_GLOB
        } op;
        bool numeric;
        int64_t number; /* 1e-6 */
    } where[KDP_BULK_WHERE_MAX];
};
/* kdp_bulk_filter_read takes --ticker, --series, --start, --end, --date (a day of a --file or --url) and --where: 0, or an exit
 * code after saying what is wrong. */
int kdp_bulk_filter_read(struct kdp_bulk_filter *filter, struct kdp_cli *cli);
bool kdp_bulk_filter_row(const struct kdp_bulk_filter *filter, const struct kdp_bulk_columns *columns,
                         const struct kdp_rows *rows, const struct kdp_row *row);
/* kdp_bulk_filter_lacks gives the option that has no member to look at, NULL: none. */
const char *kdp_bulk_filter_lacks(const struct kdp_bulk_filter *filter,
                                  const struct kdp_bulk_columns *columns, const struct kdp_rows *rows,
                                  const char **whatp);

/* ---- what they say ---- */

#define KDP_BULK_EXAMPLES 3u
#define KDP_BULK_EXAMPLE_BYTES 40u
#define KDP_BULK_VALUES 12u

struct kdp_bulk_column {
    uint64_t nulls, bools, numbers, number_texts, texts, nested; /* values by type */
    uint64_t unsummed; /* numbers that are finer than 1e-6 or beyond 9e12 */
    int64_t min_e6, max_e6;
    kdp_int128 sum_e6;
    unsigned example_count, value_count;
    char examples[KDP_BULK_EXAMPLES][KDP_BULK_EXAMPLE_BYTES];
    struct { /* of a member of few values */
        char text[KDP_BULK_EXAMPLE_BYTES];
        uint64_t rows;
    } values[KDP_BULK_VALUES];
    uint64_t other_values; /* rows whose value found no place among them */
};

struct kdp_bulk_look {
    uint64_t rows, left_out;   /* rows looked at; members beyond the bound */
    uint64_t markets;          /* different tickers */
    bool markets_more;         /* and some that found no room in the set */
    int64_t first_ns, last_ns; /* of the time member, KDP_TIME_NULL */
    uint64_t *set;             /* of tickers, by hash; 0: free */
    size_t set_size;
    struct kdp_bulk_column columns[KDP_ROWS_COLUMNS_MAX];
};
int kdp_bulk_look_open(struct kdp_bulk_look *look);
void kdp_bulk_look_close(struct kdp_bulk_look *look);
void kdp_bulk_look_row(struct kdp_bulk_look *look, const struct kdp_bulk_columns *columns,
                       const struct kdp_row *row);

/* kdp_bulk_look_type gives a column's type in words: "number, text", "number in text". */
void kdp_bulk_look_type(const struct kdp_bulk_column *column, char *buf, size_t size);
/* kdp_bulk_sum_text writes a sum without zeros that say nothing; with commas for a screen (64 bytes will do). */
void kdp_bulk_sum_text(kdp_int128 sum_e6, bool commas, char *buf, size_t size);

#endif
