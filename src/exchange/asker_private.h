/* asker_private.h - what the files of the asker share. */
#ifndef KDPI_ASKER_PRIVATE_H
#define KDPI_ASKER_PRIVATE_H

#include <pthread.h>

#include "asker.h"
#include "kdp/error.h"
#include "pace.h"

#define ASKER_COSTS 256u /* endpoints with a cost of their own; the exchange names some ten */

/* The account's bucket, shared by all askers of the process that sign for the same place; an unsigned one has its own. */
struct asker_share {
    struct asker_share *next;
    char *place;
    unsigned users;
    pthread_mutex_t lock; /* of what follows */
    struct kdp_pace pace;
    bool asked; /* limits and costs, by some asker */
    char tier[32];
    int64_t default_cost;
    unsigned costs;
    struct asker_cost {
        char path[96];
        int64_t cost;
    } cost[ASKER_COSTS];
};
/* asker_share_take finds or makes the bucket of a place; place NULL: one that nobody else finds. */
struct asker_share *asker_share_take(const char *place, int64_t rate, uint64_t seed, unsigned percent);
void asker_share_give(struct asker_share *share);
/* The cost of a GET of path, under the lock. */
int64_t asker_share_cost(const struct asker_share *share, const char *path);
/* Answers to the asker's own requests. */
void asker_share_limits(struct asker_share *share, const char *body, size_t len);
void asker_share_costs(struct asker_share *share, const char *base_path, const char *body, size_t len);

/* asker_whole says whether text is one JSON object from brace to brace, by its braces and quotes alone: a body cut short never is.
 * What is wrong inside is for the reader of its values. */
bool asker_whole(const char *text, size_t len);

enum asker_trouble { /* why a request must be asked again */
                     ASKER_FINE,
                     ASKER_NO_ANSWER, /* the words are those of net/http.h */
                     ASKER_LIMITED,   /* 429 */
                     ASKER_FAILED,    /* 408, 425, 5xx */
                     ASKER_NOT_JSON,
                     ASKER_UNREADABLE /* the caller's words */
};
/* One request of the caller's, until its answer is freed. */
struct asker_ask {
    struct kdp_asker_answer answer; /* first: the caller frees by it */
    struct kdp_asker *asker;
    struct kdp_http_answer *http; /* NULL: none now */
    struct asker_ask *next;
    struct asker_ask *all_prev, *all_next; /* of those not given */
    char *path;
    int64_t due_ns;
    bool healed;     /* refused for its time once */
    bool own;        /* of the asker: limits, costs */
    const char *why; /* of ASKER_UNREADABLE */
};

struct kdp_asker {
    struct kdp_asker_config config; /* texts are copies */
    char *base_url, *base_url_from, *token, host[256], base_path[1024];
    struct kdp_http *http;
    struct asker_share *share;
    uint64_t random;
    struct asker_ask *all;
    struct asker_ask *fresh, **fresh_last; /* not sent yet */
    struct asker_ask **waiting;            /* to be asked again: a heap by due_ns */
    unsigned waiting_count, waiting_room;
    unsigned pending, out; /* out: with http */
    unsigned room;         /* most that are */
    uint64_t asked, repeats;
    int64_t said_ns;   /* 0: nothing yet */
    unsigned troubles; /* in a row */
    bool spoke;        /* some answer came since it was opened */
    int late_rc;       /* of a request that could not be sent while an answer was given */
    uint64_t late_request;
    uint64_t limited, bytes;
    int64_t last_ns;
    /* under share->lock, written on the thread of the requests */
    uint64_t sent;
    int64_t first_ns;
};

/* asker_gave_up keeps the words for a request that is not asked again, and returns the negative error. */
int asker_gave_up(const struct asker_ask *ask, enum asker_trouble trouble, bool budget);

#endif
