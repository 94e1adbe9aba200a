/* run_screen_private.h - what run_screen.c (when, and where to) and run_draw.c (what it looks like) share. */
#ifndef KDPI_RUN_SCREEN_PRIVATE_H
#define KDPI_RUN_SCREEN_PRIVATE_H

#include "run_busy.h"
#include "run_screen.h"

#define RUN_COLUMNS_MOST 100 /* of a terminal that the table uses */
#define RUN_COLUMNS_LEAST 60 /* with less there is no table */
#define RUN_EVENT_TEXT 512
#define RUN_RATE_SAMPLES 16u /* of frames, one a drawing */
#define RUN_COLUMN_COUNT 10u

struct run_sample {
    int64_t mono_ns;
    uint64_t frames;
};

struct kdp_run_screen {
    const struct kdp_cli *cli;
    const struct kdp_run_view *view;
    struct kdp_busy *busy;
    int64_t start_mono_ns, mono_ns, wall_ns;
    struct kdp_run_look look;
    /* rates and percentiles of the last seconds */
    struct run_sample samples[RUN_RATE_SAMPLES];
    unsigned sample_count, sample_next;
    struct kdp_histogram age_then[2], to_ring_then[2]; /* the counts 10 to 20 s ago, and 0 to 10 s ago */
    int64_t then_ns;
    /* what was said last */
    char event[RUN_EVENT_TEXT], warning[RUN_EVENT_TEXT];
    int64_t event_ns;
    uint64_t warnings;
    /* widths of the table's columns: they only grow while the window stays as it is, so that nothing jumps */
    int widths[RUN_COLUMN_COUNT], widths_for;
    /* drawing */
    int64_t drawn_ns, line_ns; /* when last; INT64_MIN: not yet */
    int fd;                    /* where to; -1: none (--quiet) */
    bool opened;               /* fd is ours, and does not block */
    bool told_narrow, stopping;
    char stop_words[RUN_EVENT_TEXT];
    int stop_columns; /* of the stopping line that stands there */
    char *frame;      /* what is being written */
    size_t frame_len, frame_at;
    int row_columns[KDP_RUN_ROWS_MAX + 16]; /* of the table that stands on the screen, line by line */
    int rows;
};

/* run_totals and run_market ask the view. */
void run_totals(const struct kdp_run_screen *screen, struct kdp_plant_totals *totals);
/* what the rate is of: frames, without a key trades */
uint64_t run_counted(const struct kdp_run_screen *screen, const struct kdp_plant_totals *totals);
/* frames a second over the last samples */
double run_rate(const struct kdp_run_screen *screen, uint64_t frames, int64_t mono_ns);
/* run_percentile of what a histogram counted in the last 10 to 20 s (of the whole run while that is shorter) */
uint64_t run_percentile(const struct kdp_histogram *now, const struct kdp_histogram *then, double q);

/* run_draw writes the whole table, a line each with its end; run_line the one line that stands for it. */
void run_draw(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look);
void run_line(const struct kdp_run_screen *screen, FILE *out);
void run_stop_line(FILE *out, int signo, const char *words, int64_t left_ns);

#endif
