/* preview.h - what the parts of kdp preview share: the run, its answer in three forms, and the pager. */
#ifndef KDPI_PREVIEW_H
#define KDPI_PREVIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "bulk_input.h"
#include "bulk_lake.h"
#include "bulk_look.h"
#include "command.h"

/* A row kept until the answer is printed: its text and its fields, which point into it. */
struct kdp_preview_row {
    struct kdp_preview_row *next;
    uint64_t number;
    unsigned count;
    size_t len;
    struct kdp_field fields[]; /* the text stands behind them */
};
struct kdp_preview_row *kdp_preview_keep(const struct kdp_row *row); /* NULL: no memory */

struct kdp_preview {
    struct kdp_cli *cli;
    struct kdp_bulk_input input;
    struct kdp_bulk_filter filter;
    struct kdp_bulk_columns columns;
    struct kdp_bulk_look look;
    struct kdp_preview_row *first, **lastp; /* rows kept */
    uint64_t kept, kept_bytes, limit;       /* limit 0: none */
    bool to_lake;
    struct kdp_bulk_lake lake;
    uint64_t read; /* rows of the file, wanted or not */
    int64_t started_ns, took_ns;
    bool complete; /* read to its end */
    bool enough;   /* no more was asked for */
    int error;     /* what ended the reading early, its words below */
    char error_text[640], error_hint[320];
    /* of csv and json: columns are fixed by the first rows */
    bool head_written;
    uint64_t written, new_columns;
    unsigned shown_count, fixed_count;    /* columns shown; met when they were fixed */
    uint16_t shown[KDP_ROWS_COLUMNS_MAX]; /* columns shown, in order */
};

/* kdp_preview_choose fixes the columns to show: --columns, or all met so far; an exit code when one is not there. */
int kdp_preview_choose(struct kdp_preview *preview);
/* The rows as csv or json while they come. */
void kdp_preview_write_row(struct kdp_preview *preview, unsigned count, const struct kdp_field *fields);
void kdp_preview_write_end(struct kdp_preview *preview);
/* The whole answer for a person, and as one JSON object. */
int kdp_preview_table(struct kdp_preview *preview);
void kdp_preview_json(struct kdp_preview *preview);

/* kdp_pager_run shows the rows on the terminal until the person has enough: an exit code. */
int kdp_pager_run(struct kdp_preview *preview);

#endif
