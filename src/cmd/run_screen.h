/* run_screen.h - what a person sees while kdp run works: on a terminal a live table of the busiest markets, redrawn in place
 * twice a second; elsewhere, with less than 60 columns too, a line each 10 s (after the first minute each 60 s).
 *
 * All of it goes to stderr and can be thrown away.  It lives on the feed thread, between inputs: a call of
 * kdp_run_screen_poll that has nothing to draw takes a clock read; looking for the busiest of 100,000 markets is spread over
 * many calls, KDP_RUN_SCAN_NS each at most.  A NULL screen (before it is open, after its end) says nothing.  One thread. */
#ifndef KDPI_RUN_SCREEN_H
#define KDPI_RUN_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "histogram.h"
#include "plant.h"

#define KDP_RUN_ROWS_MAX 20u                       /* markets in the table */
#define KDP_RUN_SCAN_NS (INT64_C(300) * 1000)      /* of one call for finding the busiest */
#define KDP_RUN_DRAW_NS (INT64_C(500) * 1000000)   /* the table is redrawn this often */
#define KDP_RUN_LINE_NS (INT64_C(10) * 1000000000) /* a line this often where there is no table */

struct kdp_run_screen;

/* Where the numbers come from; all of it is the caller's, stays while the screen is open and is read at each drawing. */
struct kdp_run_view {
    const char *what;                          /* "SIMULATED", "KEYLESS", both or NULL: what this is not */
    const struct kdp_plant *plant;             /* totals, and the markets */
    bool keyless;      /* no line: trades polled (age is their delay), books sampled */
    uint64_t requests; /* so: asked until now */
    const struct kdp_histogram *age, *to_ring; /* ns, of the whole run; NULL: not known */
    bool lake, lake_waits;                     /* there is a lake; its writer is dead at the moment */
    int64_t sql_behind_ns;                     /* how long a record waits until SQL sees it */
    uint64_t lost;                             /* as the summary will say it: kdp_run_lost */
    /* NULL: the plant's own; a test hands in markets and counts */
    bool (*market_at)(const void *plant, uint32_t index, struct kdp_plant_market *market);
    bool (*messages_at)(const void *plant, uint32_t index, uint64_t *messagesp);
    void (*totals)(const void *plant, struct kdp_plant_totals *totals);
};

/* kdp_run_screen_open looks at stderr (terminal, columns, lines), --quiet, --color and the locale, and draws nothing yet.
 * NULL: no memory.  view is read later, by kdp_run_screen_poll. */
struct kdp_run_screen *kdp_run_screen_open(const struct kdp_cli *cli, const struct kdp_run_view *view,
                                           int64_t mono_ns, int64_t wall_ns);

/* kdp_run_screen_poll draws when it is due.  Call it often (struct kdp_live_config.idle does); it never blocks longer than
 * the terminal does. */
void kdp_run_screen_poll(struct kdp_run_screen *screen, int64_t mono_ns, int64_t wall_ns);

/* kdp_run_screen_event takes the last thing that happened (KDP_ACTION_NOTICE): it stands under the table with its time; with
 * lines instead of a table it is not said, the log has it. */
void kdp_run_screen_event(struct kdp_run_screen *screen, int64_t wall_ns, const char *text);

/* kdp_run_screen_warn says a warning (KDP_ACTION_WARN) with its next step: under the table the last one with its count, else
 * as kdp_cli_warning does. */
void kdp_run_screen_warn(struct kdp_run_screen *screen, int64_t wall_ns, const char *text, const char *hint);

/* kdp_run_screen_stopping says what the end waits for: words as "tape synced 0.4 s, lake sealed; last look for late trades";
 * left_ns > 0 adds the countdown and "Ctrl-C: at once".  The table stands as it was last drawn, its books are over; the
 * line below it is drawn anew at each call (a log gets one line, when words change).  signo: 0, SIGINT or SIGTERM. */
void kdp_run_screen_stopping(struct kdp_run_screen *screen, int signo, const char *words, int64_t left_ns);

/* kdp_run_screen_close leaves the cursor below what was drawn; say the summary after it.  NULL is nothing. */
void kdp_run_screen_close(struct kdp_run_screen *screen);

/* For tests: the screen as kdp_run_screen_poll would draw it now, onto out, for a terminal of columns by lines. */
struct kdp_run_look {
    int columns, lines;
    bool table, utf8, color;
};
void kdp_run_screen_look(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look);

#endif
