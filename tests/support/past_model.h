/* past_model.h - an exchange with a past in two tiers that answers paths with bodies, and a lake that holds the driver of
 * exchange/backfill.h to its word: a window may only be said when every trade of it was given. */
#ifndef KDP_PAST_MODEL_H
#define KDP_PAST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backfill.h"

#define PAST_TRADES_MAX 40000u
#define PAST_WINDOWS_MAX 4096u
#define PAST_MARKETS 4u
#define PAST_US INT64_C(1000) /* ns */

struct past_window {
    unsigned market; /* PAST_MARKETS: all */
    int64_t start_ns, end_ns;
};

struct past {
    /* the exchange */
    struct {
        int64_t us;
        unsigned market;
    } trades[PAST_TRADES_MAX]; /* oldest first; a trade's id is its index */
    unsigned count;
    unsigned poison;                   /* a trade with a size that cannot be kept, 0: none */
    int64_t cutoff_us, cutoff_step_us; /* moves so far with each answer */
    unsigned limit;                    /* trades on a page, at most; 0: as asked */
    bool refuse_min, ignore_min, oldest_first, twice, no_cursors, strays, strangers, batch_404;
    int cursor_status; /* of a refused cursor, 0: 400 */
    int dead_status;   /* of a dead answer, 0: 410 */
    unsigned loops, refused_cursors, cut, empty, mixed, dead,
        foreign; /* so many answers of the kind are to come */
    uint64_t random;
    unsigned asked, asked_historical, asked_cutoff;

    /* the lake */
    bool given[PAST_TRADES_MAX], kept[PAST_TRADES_MAX]; /* kept: flushed */
    struct past_window said[PAST_WINDOWS_MAX], sure[PAST_WINDOWS_MAX];
    unsigned said_count, sure_count; /* sure: flushed */
    unsigned forgotten, twice_given;
    bool lenient; /* windows may be said too early, when they are taken back: pages out of order */
};

void past_make(struct past *past, uint64_t seed, unsigned count, int64_t start_us, int64_t end_us);
struct kdp_backfill_sink past_sink(struct past *past);
/* past_answer writes what the exchange says to path; the status. */
int past_answer(struct past *past, const char *path, char **bodyp, size_t *lenp);

/* past_run drives until the driver is done, or steps answers were given (0: no bound); flush_every: a look, settle and flush
 * after so many answers, 0: only at the end.  True when it is done (and flushed). */
bool past_run(struct past *past, struct kdp_backfill *backfill, unsigned in_flight, unsigned flush_every,
              unsigned steps);
void past_kill(struct past *past); /* what was not flushed is gone */
/* past_add adds what no sure window covers of [start, end): of a market, PAST_MARKETS: of all. */
unsigned past_add(struct past *past, struct kdp_backfill *backfill, unsigned market, int64_t start_ns,
                  int64_t end_ns);
unsigned past_missing(const struct past *past, unsigned market, int64_t start_ns, int64_t end_ns);
/* past_covered: sure windows cover the whole range. */
bool past_covered(const struct past *past, unsigned market, int64_t start_ns, int64_t end_ns);

#endif
