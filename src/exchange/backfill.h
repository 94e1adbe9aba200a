/* backfill.h - which requests bring past trades, what their answers mean, and when a range of time is whole: a state machine
 * without I/O.  The caller sends what kdp_backfill_next names, gives the answers back in any order, and files what the sink gets.
 *
 * A range of a scope (a market, or "*": all) is read as one or more jobs, each a chain of pages in one tier after the other:
 * - Pages come newest first.  What is strictly newer than the oldest instant seen is whole: trades of one microsecond may go on
 *   upon the next page.  kdp_backfill_settle says these windows at any moment, so that a run that is killed or capped goes on
 *   below them.  When a page is not in that order, only the end of the chain counts, and what was said is taken back.
 * - Trades only ever move from the live tier to the historical one, so a job that needs both reads live first.  A window read
 *   from live alone is said only when a cutoff read afterwards still lies before it; else the historical tier is asked too.
 * - A chain that leads nowhere (cursor or page repeated, cursor refused) is begun anew below what is whole.
 * - An idle place takes the older half of the longest chain.
 * Rules and reasons: docs/design/backfill.md.  One thread; memory grows with the number of jobs alone. */
#ifndef KDPI_BACKFILL_H
#define KDPI_BACKFILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDPI_BACKFILL_PATH 4096u /* bytes that hold any path of a request */

struct kdp_message;
struct kdp_backfill;

struct kdp_backfill_sink { /* each returns 0, or an error that ends the run */
    void *arg;
    /* a trade of a range that was added, from a page that is whole; it may come again from another page, tier or job */
    int (*trade)(void *arg, const struct kdp_message *trade, int64_t got_ns);
    /* all trades of [start, end) were given */
    int (*window)(void *arg, const char *scope, int64_t start_ns, int64_t end_ns);
    /* they were not, after all */
    int (*forget)(void *arg, const char *scope, int64_t start_ns, int64_t end_ns);
};

struct kdp_backfill_config {
    struct kdp_backfill_sink sink;
    unsigned parallel;    /* chains at once, 0: 4 */
    unsigned page;        /* trades asked for at once, 0: 1,000 */
    int64_t margin_ns;    /* so near to the cutoff both tiers are asked, 0: a day */
    int64_t (*cpu)(void); /* for the stats; NULL: they are 0 */
};
int kdp_backfill_open(struct kdp_backfill **backfillp, const struct kdp_backfill_config *config);
void kdp_backfill_close(struct kdp_backfill *backfill);

/* kdp_backfill_cutoff tells the border of the tiers, read before anything is asked; KDP_TIME_NULL (also when never called):
 * unknown, both are asked for everything. */
void kdp_backfill_cutoff(struct kdp_backfill *backfill, int64_t cutoff_ns);
/* kdp_backfill_add adds a range of a scope.  weight: requests it may take, for the progress alone.  attempt: 0, or which
 * repetition it is: both tiers then, with wider seconds around the range, so that no cache has the answer. */
int kdp_backfill_add(struct kdp_backfill *backfill, const char *scope, int64_t start_ns, int64_t end_ns,
                     double weight, unsigned attempt);

/* kdp_backfill_next gives the next request (path of KDPI_BACKFILL_PATH bytes); false: none before another answer came. */
bool kdp_backfill_next(struct kdp_backfill *backfill, uint64_t *requestp, char *path);
/* kdp_backfill_look asks for the cutoff with the next request, so that what is whole can be settled. */
void kdp_backfill_look(struct kdp_backfill *backfill);

enum kdp_backfill_verdict {
    KDP_BACKFILL_TAKEN,
    KDP_BACKFILL_AGAIN,  /* a body that cannot be read: ask the same again */
    KDP_BACKFILL_REFUSED /* its range is given up; the caller has the exchange's words */
};
/* kdp_backfill_answer takes an answer of the exchange.  A negative error is one of the sink's. */
int kdp_backfill_answer(struct kdp_backfill *backfill, uint64_t request, int status, const char *body,
                        size_t len, int64_t got_ns);
/* kdp_backfill_failed: there will be no answer; the range is given up, what was whole of it stays. */
void kdp_backfill_failed(struct kdp_backfill *backfill, uint64_t request);
/* kdp_backfill_settle says all windows that are sure by now: after a kdp_backfill_look was answered, before rows are flushed. */
int kdp_backfill_settle(struct kdp_backfill *backfill);
/* kdp_backfill_looking: a look was wanted and is not answered yet. */
bool kdp_backfill_looking(const struct kdp_backfill *backfill);
bool kdp_backfill_look_due(const struct kdp_backfill *backfill); /* wanted, and the next request */
bool kdp_backfill_done(const struct kdp_backfill *backfill);     /* nothing is left to ask or to wait for */

/* kdp_backfill_given_up lists what was given up: false past the end.  scope lives as long as backfill. */
bool kdp_backfill_given_up(const struct kdp_backfill *backfill, size_t index, const char **scopep,
                           int64_t *start_nsp, int64_t *end_nsp, const char **whyp);
void kdp_backfill_pardon(struct kdp_backfill *backfill); /* forgets that list */

struct kdp_backfill_stats {
    uint64_t pages, rows;      /* answered; trades on them */
    uint64_t given;            /* to the sink */
    uint64_t outside;          /* later or earlier than was asked for: left out */
    uint64_t strange;          /* of another market than was asked for: left out */
    uint64_t refused;          /* trades that cannot be represented or contradict themselves: left out */
    uint64_t looped;           /* chains begun anew */
    uint64_t unordered;        /* chains that were not newest first */
    uint64_t unfiltered;       /* ranges read without min_ts, which the exchange refused */
    uint64_t moved;            /* windows that the cutoff passed while they were read */
    uint64_t absent;           /* chains answered 404: the tier does not know the market */
    int64_t cutoff_ns;         /* as read last */
    int64_t parse_ns, sink_ns; /* by cpu: reading pages; the sink's trades */
    double weight, weight_done;
};
void kdp_backfill_stats(const struct kdp_backfill *backfill, struct kdp_backfill_stats *stats);

#endif
