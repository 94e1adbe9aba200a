/* run_busy.h - which of very many markets are the busiest, at a cost that does not grow with their number.
 *
 * A walk over all markets' message counts never ends: a slice of bounded time at each call, 4 bytes kept a market.  At the end
 * of a round the KDP_BUSY_MAX markets with the most messages since the round before are followed second by second; rates,
 * order and the sparkline come from those histories.  A market that was not followed so far has a shorter one, and says so
 * by its length.  One thread. */
#ifndef KDPI_RUN_BUSY_H
#define KDPI_RUN_BUSY_H

#include <stdbool.h>
#include <stdint.h>

#define KDP_BUSY_MAX 64u   /* markets followed */
#define KDP_BUSY_SPAN 60u  /* seconds of history */
#define KDP_BUSY_CELLS 6u  /* of a sparkline, 10 s each */
#define KDP_BUSY_RATE_S 10 /* rates are means of so many seconds */

struct kdp_busy;

/* of market index (from 0) its messages so far; false past the last market */
typedef bool (*kdp_busy_count_fn)(const void *arg, uint32_t index, uint64_t *messagesp);

struct kdp_busy *kdp_busy_open(kdp_busy_count_fn count, const void *arg); /* NULL: no memory */
void kdp_busy_close(struct kdp_busy *busy);
/* kdp_busy_walk goes on with the walk for at most slice_ns (0: to the end of a round) and takes down the followed markets'
 * counts when a second has begun.  clock_ns is asked for the time within the slice. */
void kdp_busy_walk(struct kdp_busy *busy, int64_t mono_ns, int64_t slice_ns, int64_t (*clock_ns)(void));

struct kdp_busy_market {
    uint32_t index;
    uint64_t messages;
    double rate;                  /* messages a second */
    double cells[KDP_BUSY_CELLS]; /* messages a second, oldest first; below 0: not followed then */
};
/* kdp_busy_list gives the busiest, most first, and returns how many. */
unsigned kdp_busy_list(struct kdp_busy *busy, int64_t mono_ns, struct kdp_busy_market *markets, unsigned max);

#endif
