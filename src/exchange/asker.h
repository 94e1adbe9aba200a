/* asker.h - REST for the commands that ask on their own (demo, backfill, market, status): within the account's budget, tried
 * again where that helps, and with one clear sentence where it does not.
 *
 * Over net/http.h.  A request costs tokens of one bucket that all requests of the process share: its rate and capacity come
 * from /account/limits when there is a signer, the costs from /account/endpoint_costs, else Basic is taken (docs/exchange.md
 * 2.1).  429, 408, 5xx, no answer, a body cut short, too long or that is no JSON object are tried again after 2^n s (at
 * most 60 s, with jitter), each request at most tries times and all together at most budget times; while nothing has answered
 * at all yet, a request that does not get through is tried but twice.  Everything else is an answer: also what /exchange/status
 * and /exchange/schedule say with 500, 503 or 504, when it is no error.  401 header_timestamp_expired is healed from Date and
 * tried again at once.  Unsigned requests take nothing of an account: they are paced as the basic tier is, 20 a second.  One
 * thread calls this; requests go out on another, whether or not it waits in kdp_asker_next (docs/design/asker.md). */
#ifndef KDPI_ASKER_H
#define KDPI_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"

struct kdp_asker;

struct kdp_asker_config {
    const char *base_url, *ca_file, *token;
    const char *base_url_from; /* for words: "base-url, .env line 3"; NULL: none */
    struct kdp_signer *signer; /* NULL: unsigned; not owned */
    unsigned parallel;         /* requests under way at once, 0: 8 */
    int64_t tokens_per_s;      /* 0: of the account, unsigned 200; INT64_MAX: no limit */
    unsigned tries;            /* of one request, 0: 8 */
    unsigned budget;           /* repeats in all, 0: 1,000 and a tenth of the requests */
    int64_t timeout_ns;        /* of one try, 0: 15 s */
    size_t body_max;           /* 0: 16 MiB */
    uint64_t seed;             /* of the jitter */
    int (*stopped)(void);      /* asked at least every 100 ms while waiting; NULL: never */
    /* told, from kdp_asker_next, when a request has failed three times and waits, at most every 30 s; NULL: nobody */
    void (*say)(const void *arg, const char *words);
    const void *say_arg;
    unsigned pace_percent; /* of tests: waits after a failure are this share of theirs; 0: 100 */
};
/* kdp_asker_open connects nothing yet; limits are asked for with the first request. */
int kdp_asker_open(struct kdp_asker **askerp, const struct kdp_asker_config *config);
void kdp_asker_close(struct kdp_asker *asker); /* gives up what is under way */

struct kdp_asker_answer {
    uint64_t request;
    const char *path; /* as asked */
    int status;       /* of HTTP: 200, or what cannot be mended by asking again (400, 401, 403, 404 ...) */
    const char *body; /* valid until the answer is freed */
    size_t len;
    int64_t got_ns;  /* wall clock */
    int64_t date_ns; /* the exchange's clock, to the second before; KDP_TIME_NULL */
    int64_t age_ns;  /* how old the exchange's cache says it is, 0: fresh or not said */
    unsigned tries;  /* it took, 1 at least */
};
/* kdp_asker_get queues a GET of path below the base URL (copied).  Requests go out in order as tokens allow, repeats first, from
 * the next kdp_asker_next on. */
int kdp_asker_get(struct kdp_asker *asker, uint64_t request, const char *path);
/* kdp_asker_next waits for the next answer.  0 with *answerp, or an error whose words stand in kdp_error_text with a next
 * step: -KDP_ENET, -KDP_ETIMEOUT, -KDP_EREFUSED and so on when a request or the budget is used up (its path is in the words;
 * *answerp is NULL, *requestp tells which; the others go on), -KDP_ESTOPPED, -KDP_ENOENT when nothing is asked.  requestp may be NULL. */
int kdp_asker_next(struct kdp_asker *asker, struct kdp_asker_answer **answerp, uint64_t *requestp);
void kdp_asker_free(struct kdp_asker_answer *answer);
/* kdp_asker_again gives an answer back whose body the caller could not read (why: static words): tried again like a cut one,
 * counted against the same limits. 0, or the error as of kdp_asker_next when its tries are used up.  Frees the answer. */
int kdp_asker_again(struct kdp_asker *asker, struct kdp_asker_answer *answer, const char *why);
/* kdp_asker_one asks one thing and waits for it; -KDP_EBUSY when something else is under way. */
int kdp_asker_one(struct kdp_asker *asker, const char *path, struct kdp_asker_answer **answerp);
/* kdp_asker_refused turns an answer that is not 200 into words (the exchange's own, quoted; 401 as experience.md says) and
 * gives the negative error. */
int kdp_asker_refused(const struct kdp_asker *asker, const struct kdp_asker_answer *answer);
unsigned kdp_asker_pending(const struct kdp_asker *asker); /* asked and not yet given */

struct kdp_asker_stats {
    uint64_t requests;              /* sent, repeats included */
    uint64_t retried;               /* of them */
    uint64_t limited;               /* answered 429 */
    uint64_t bytes;                 /* of bodies */
    int64_t first_ns, last_ns;      /* monotonic: first request sent, last answer */
    int64_t tokens_per_s, capacity; /* in force; 0: no limit */
    double budget_used; /* share of the tokens there were between first and last request, 0 to 1 */
    char tier[32];      /* "" unknown (unsigned) */
    int64_t wait_ns;    /* until the next request may go; 0 */
};
void kdp_asker_stats(const struct kdp_asker *asker, struct kdp_asker_stats *stats);

#endif
