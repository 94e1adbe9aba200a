/* bulk_lake.h - kdp preview --to-lake: rows of a daily bulk file into the tables bulk_markets and bulk_trades.
 *
 * The lake's manifest remembers a day that was filed whole, so that a second time adds nothing; a run that was killed in
 * between gives rows once more, and those that are there are known by their keys. */
#ifndef KDPI_BULK_LAKE_H
#define KDPI_BULK_LAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "bulk_look.h"
#include "history.h"
#include "rejects.h"

struct kdp_bulk_lake {
    const struct kdp_cli *cli;
    struct kdp_history *history;
    struct kdp_rejects rejects; /* rows that the lake's types cannot hold exactly */
    const char *file;
    int table;           /* -1: not known yet */
    int64_t day_ns;      /* of the file, KDP_TIME_NULL: not known yet */
    bool one_day, there; /* all rows are of that day; it was filed before */
    uint64_t given, inserted;
};

int kdp_bulk_lake_open(struct kdp_bulk_lake *lake, const struct kdp_cli *cli, const char *file);
/* kdp_bulk_lake_row takes a row: 0, or an error; of a day that is in the lake already nothing is filed (there). */
int kdp_bulk_lake_row(struct kdp_bulk_lake *lake, const struct kdp_rows *rows, const struct kdp_row *row);
/* kdp_bulk_lake_end files what was given; whole: all rows of the file were, so that the day counts as filed. */
int kdp_bulk_lake_end(struct kdp_bulk_lake *lake, bool whole);
void kdp_bulk_lake_close(struct kdp_bulk_lake *lake);

#endif
