/* asker_share.c - the bucket that askers share, the account's limits and what requests cost. */
#include "asker_private.h"

#include "clock.h"
#include "rest.h"

#include <stdlib.h>
#include <string.h>

static pthread_mutex_t shares_lock = PTHREAD_MUTEX_INITIALIZER;
static struct asker_share *shares;

struct asker_share *
asker_share_take(const char *place, int64_t rate, uint64_t seed, unsigned percent)
{
    struct asker_share *share = NULL;

    pthread_mutex_lock(&shares_lock);
    if (place != NULL)
        for (share = shares; share != NULL && (share->place == NULL || strcmp(share->place, place) != 0);)
            share = share->next;
    if (share != NULL) {
        share->users++;
    } else if ((share = calloc(1, sizeof *share)) != NULL &&
               (place == NULL || (share->place = strdup(place)) != NULL)) {
        pthread_mutex_init(&share->lock, NULL);
        kdp_pace_init(&share->pace, rate, 0, seed, kdpi_mono_ns());
        share->pace.percent = percent;
        share->default_cost = KDP_PACE_COST;
        share->users = 1;
        share->next = shares;
        shares = share;
    } else {
        free(share);
        share = NULL;
    }
    pthread_mutex_unlock(&shares_lock);
    return share;
}

void
asker_share_give(struct asker_share *share)
{
    struct asker_share **at = &shares;

    if (share == NULL)
        return;
    pthread_mutex_lock(&shares_lock);
    if (--share->users == 0) {
        while (*at != share)
            at = &(*at)->next;
        *at = share->next;
        pthread_mutex_destroy(&share->lock);
        free(share->place);
        free(share);
    }
    pthread_mutex_unlock(&shares_lock);
}

/* Whether a path, up to its query, is of the form "/markets/{ticker}". */
static bool
fits(const char *form, const char *path)
{
    size_t len = strcspn(path, "?");
    const char *end = path + len;

    while (*form != '\0') {
        if (*form == '{') {
            if (path == end || *path == '/')
                return false;
            form += strcspn(form, "}");
            form += *form == '}';
            while (path < end && *path != '/')
                path++;
        } else if (path == end || *form++ != *path++) {
            return false;
        }
    }
    return path == end;
}

int64_t
asker_share_cost(const struct asker_share *share, const char *path)
{
    for (unsigned i = 0; i < share->costs; i++)
        if (fits(share->cost[i].path, path))
            return share->cost[i].cost;
    return share->default_cost;
}

void
asker_share_limits(struct asker_share *share, const char *body, size_t len)
{
    struct kdp_rest_reader *reader = kdpi_rest_open();
    struct kdp_rest_limits limits;

    if (reader == NULL)
        return;
    if (kdpi_rest_limits(reader, body, len, &limits) == KDP_REFUSAL_NONE && limits.read_refill > 0) {
        pthread_mutex_lock(&share->lock);
        memcpy(share->tier, limits.tier, sizeof share->tier);
        kdp_pace_limits(&share->pace, limits.read_refill, limits.read_capacity, kdpi_mono_ns());
        pthread_mutex_unlock(&share->lock);
    }
    kdpi_rest_close(reader);
}
