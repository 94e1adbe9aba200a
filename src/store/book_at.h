/* book_at.h - one market's book as it stood at an instant, rebuilt from the stream's tape or from the lake.
 *
 * The rule is the same for both: the last whole snapshot received by then, every change after it, and the
 * state that the State records say.  "Received by" is a matter of each record's own recv_ns.  The day's first
 * snapshot of an open book is in that day's files, so one day alone is enough.  One thread; the struct is
 * large (160 KB). */
#ifndef KDPI_BOOK_AT_H
#define KDPI_BOOK_AT_H

#include <stdbool.h>
#include <stdint.h>

#include "kdp/book.h"
#include "kdp/records.h"

#define KDP_BOOK_AT_PRICES (KDP_PRICE_MAX + 1)
#define KDP_BOOK_AT_NAME 256

struct kdp_book_at {
    bool found;                             /* a snapshot was there: the rest means something */
    uint8_t state;                          /* enum kdp_book_state */
    uint8_t reason;                         /* why it is in that state */
    uint64_t seq;                           /* of the last record that changed levels or state */
    int64_t changed_ns;                     /* its time: the exchange's, else that of receipt */
    int64_t state_ns;                       /* receipt of the record that set the state */
    uint64_t snapshot_seq;                  /* first record of the snapshot it stands on */
    uint64_t deltas;                        /* changes applied to that */
    char title[KDP_BOOK_AT_NAME];           /* the market's YES words, "" when unknown */
    int64_t size_e2[2][KDP_BOOK_AT_PRICES]; /* bids, offers, by price; 0: no level */
};

uint64_t kdp_book_at_hash(const struct kdp_book_at *book);

/* kdp_book_at_tape rebuilds from tape and ring: 1, 0 when they do not reach back far enough (ask the lake),
 * or an error. at_ns KDP_TIME_NULL: now.  A ticker the stream does not know gives 0 and *knownp false. */
int kdp_book_at_tape(struct kdp_book_at *book, const char *dir, const char *ticker, int64_t at_ns,
                     bool *knownp);

/* kdp_book_at_lake rebuilds with SQL from the files of the day and the tail: 1, 0 when there is no snapshot,
 * or an error. */
struct kdp_sql;
int kdp_book_at_lake(struct kdp_book_at *book, struct kdp_sql *sql, const char *ticker, int64_t at_ns,
                     bool *knownp);

#endif
