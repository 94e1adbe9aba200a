/* asker_share.c - the bucket that askers share, the account's limits and what requests cost. */
#include "asker_private.h"

#include "clock.h"
#include "json.h"
#include "rest.h"

#include <stdlib.h>
#include <string.h>

#define COST_MAX 100000 /* what is dearer is a mistake */

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

struct costs {
    struct asker_share *share;
    const char *base_path;
};

static bool
each_cost(void *arg, const struct kdp_rest_cost *row)
{
    const struct costs *costs = arg;
    struct asker_share *share = costs->share;
    struct asker_cost *cost = &share->cost[share->costs];
    struct kdp_text path = row->path;
    size_t base = strlen(costs->base_path);

    if (!kdpi_text_is(row->method, "GET"))
        return true;
    if (base > 1 && path.len > base &&
        memcmp(path.data, costs->base_path, base) == 0) { /* either way of writing it */
        path.data += base;
        path.len -= base;
    }
    if (path.len == 0 || path.len >= sizeof cost->path || row->cost < 0 || row->cost > COST_MAX)
        return true;
    memcpy(cost->path, path.data, path.len);
    cost->path[path.len] = '\0';
    cost->cost = row->cost;
    return ++share->costs < ASKER_COSTS;
}

void
asker_share_costs(struct asker_share *share, const char *base_path, const char *body, size_t len)
{
    struct kdp_rest_reader *reader = kdpi_rest_open();
    struct costs costs = {share, base_path};
    struct kdp_rest_end end;
    int64_t usual = KDP_PACE_COST;

    if (reader == NULL)
        return;
    pthread_mutex_lock(&share->lock);
    share->costs = 0;
    kdpi_rest_costs(reader, body, len, each_cost, &costs, &end, &usual);
    share->default_cost = usual > 0 && usual <= COST_MAX ? usual : KDP_PACE_COST;
    pthread_mutex_unlock(&share->lock);
    kdpi_rest_close(reader);
}
