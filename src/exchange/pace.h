/* pace.h - when the next request may go: a model of the account's token bucket at the exchange, and back-off; no clock of its own.
 *
 * The exchange's bucket refills at rate and holds capacity; each request takes its cost when it arrives there, which is some time
 * after it went, and not always the same time.  Ours holds at most half of that capacity (and a second's worth), and refills
 * at 98 % of the rate: what our bucket lets through in any span plus what jitter can push together then always fits theirs.
 * A 429 says that the model is wrong, or that someone else uses the account: share and burst are lowered and come back slowly
 * (docs/design/asker.md). */
#ifndef KDPI_PACE_H
#define KDPI_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define KDP_PACE_RATE 200 /* tokens a second of the basic tier, the least there is */
#define KDP_PACE_COST 10  /* tokens of a request that has no cost of its own */

struct kdp_pace {
    int64_t rate, capacity; /* the exchange's; rate 0: no limit */
    unsigned percent;       /* holds are this share of theirs, for tests */
    uint64_t random;        /* of the jitter */
    /* the rest is its own */
    double tokens, burst, share; /* share: of the rate that is taken */
    int64_t at_ns;               /* tokens are of that time */
    int64_t refused_ns,
        held_ns;           /* refused: requests sent before then say nothing new; held: none goes before */
    unsigned refusals;     /* in a row, by requests sent one after the other's refusal */
    double spent, offered; /* tokens taken; those there were since the first was taken */
    double first, until;   /* of spent the first; offered when the last was taken */
    bool started;
};

/* kdp_pace_init begins with a quarter of a second's worth; capacity 0: unknown, a second's worth.  now_ns is monotonic here and
 * everywhere below. */
void kdp_pace_init(struct kdp_pace *pace, int64_t rate, int64_t capacity, uint64_t seed, int64_t now_ns);
/* kdp_pace_limits takes what the exchange says of the account. */
void kdp_pace_limits(struct kdp_pace *pace, int64_t rate, int64_t capacity, int64_t now_ns);
/* kdp_pace_take: 0 when a request of that cost may go now (its tokens are taken), else ns until it may.  *_wait takes nothing. */
int64_t kdp_pace_take(struct kdp_pace *pace, int64_t cost, int64_t now_ns);
int64_t kdp_pace_wait(struct kdp_pace *pace, int64_t cost, int64_t now_ns);
/* What became of a request sent at sent_ns: answered 429, or anything else that has a status. */
void kdp_pace_refused(struct kdp_pace *pace, int64_t sent_ns, int64_t now_ns);
void kdp_pace_passed(struct kdp_pace *pace, int64_t sent_ns);
/* kdp_pace_used gives the share of the account's tokens that was taken between the first request and the last, 0 to 1. */
double kdp_pace_used(const struct kdp_pace *pace);

/* kdp_backoff_ns gives the wait before repeat n (0, 1, ...): 2^n s, at most 60 s, less up to a quarter by chance. */
int64_t kdp_backoff_ns(unsigned n, uint64_t *random);

#endif
