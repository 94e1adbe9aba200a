/* run_busy.c - see run_busy.h. */
#include "run_busy.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define STEP 256u                   /* markets between two looks at the clock */
#define ROUND_NS (2 * KDP_NS_PER_S) /* a round begins no sooner after the one before */

struct followed {
    uint32_t index;
    uint32_t head, count;           /* history: a ring of the last seconds */
    uint64_t at[KDP_BUSY_SPAN + 1]; /* messages so far */
    int64_t at_ns[KDP_BUSY_SPAN + 1];
};

struct candidate {
    uint32_t index;
    uint32_t fresh; /* messages since the round before */
    uint64_t total;
};

struct kdp_busy {
    kdp_busy_count_fn count;
    const void *arg;
    uint32_t *before; /* by index: messages when the walk last came by, modulo 2^32 */
    uint32_t room;
    uint32_t next; /* the walk's place */
    int64_t round_ns, second_ns;
    struct candidate found[KDP_BUSY_MAX]; /* of this round: a heap, the least first */
    unsigned found_count;
    struct followed followed[KDP_BUSY_MAX];
    unsigned followed_count;
};

struct kdp_busy *
kdp_busy_open(kdp_busy_count_fn count, const void *arg)
{
    struct kdp_busy *busy = calloc(1, sizeof *busy);

    if (busy == NULL)
        return NULL;
    busy->count = count;
    busy->arg = arg;
    busy->round_ns = busy->second_ns = INT64_MIN;
    return busy;
}

void
kdp_busy_close(struct kdp_busy *busy)
{
    if (busy == NULL)
        return;
    free(busy->before);
    free(busy);
}

static bool
less(const struct candidate *a, const struct candidate *b)
{
    if (a->fresh != b->fresh)
        return a->fresh < b->fresh;
    return a->total != b->total ? a->total < b->total : a->index > b->index;
}

/* Keeps the busiest: the heap's first is the least of them and gives way. */
static void
offer(struct kdp_busy *busy, struct candidate fresh)
{
    struct candidate *heap = busy->found;
    unsigned at;

    if (busy->found_count < KDP_BUSY_MAX) {
        at = busy->found_count++;
        for (; at > 0 && less(&fresh, &heap[(at - 1) / 2]); at = (at - 1) / 2)
            heap[at] = heap[(at - 1) / 2];
        heap[at] = fresh;
        return;
    }
    if (!less(&heap[0], &fresh))
        return;
    at = 0;
    for (unsigned child; (child = 2 * at + 1) < KDP_BUSY_MAX; at = child) {
        if (child + 1 < KDP_BUSY_MAX && less(&heap[child + 1], &heap[child]))
            child++;
        if (!less(&heap[child], &fresh))
            break;
        heap[at] = heap[child];
    }
    heap[at] = fresh;
}

static bool
grow(struct kdp_busy *busy, uint32_t index)
{
    uint32_t room = busy->room;
    uint32_t *before;

    if (index < room)
        return true;
    room = index < 2048 ? 4096 : index > UINT32_MAX / 4 ? UINT32_MAX / 2 : index * 2;
    before = index < room ? realloc(busy->before, (size_t)room * sizeof *before) : NULL;
    if (before == NULL)
        return false; /* the markets behind it are not looked at */
    memset(before + busy->room, 0, (size_t)(room - busy->room) * sizeof *before);
    busy->before = before;
    busy->room = room;
    return true;
}

static void
take_down(struct followed *followed, uint64_t messages, int64_t mono_ns)
{
    followed->head = (followed->head + 1) % (KDP_BUSY_SPAN + 1);
    followed->at[followed->head] = messages;
    followed->at_ns[followed->head] = mono_ns;
    if (followed->count <= KDP_BUSY_SPAN)
        followed->count++;
}

static void
end_round(struct kdp_busy *busy, int64_t mono_ns)
{
    struct followed kept[KDP_BUSY_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < busy->found_count; i++) {
        const struct candidate *found = &busy->found[i];
        unsigned at = 0;

        while (at < busy->followed_count && busy->followed[at].index != found->index)
            at++;
        if (at < busy->followed_count) {
            kept[count++] = busy->followed[at];
            continue;
        }
        kept[count] = (struct followed){.index = found->index, .head = KDP_BUSY_SPAN};
        take_down(&kept[count++], found->total, mono_ns);
    }
    memcpy(busy->followed, kept, count * sizeof *kept);
    busy->followed_count = count;
    busy->found_count = 0;
    busy->next = 0;
}

void
kdp_busy_walk(struct kdp_busy *busy, int64_t mono_ns, int64_t slice_ns, int64_t (*clock_ns)(void))
{
    uint64_t messages;

    if (busy->second_ns == INT64_MIN || mono_ns - busy->second_ns >= KDP_NS_PER_S) {
        busy->second_ns = busy->second_ns == INT64_MIN || mono_ns - busy->second_ns >= 2 * KDP_NS_PER_S
                              ? mono_ns
                              : busy->second_ns + KDP_NS_PER_S;
        for (unsigned i = 0; i < busy->followed_count; i++)
            if (busy->count(busy->arg, busy->followed[i].index, &messages))
                take_down(&busy->followed[i], messages, mono_ns);
    }
    if (busy->next == 0) {
        if (busy->round_ns != INT64_MIN && mono_ns - busy->round_ns < ROUND_NS)
            return;
        busy->round_ns = mono_ns;
    }
    do {
        for (uint32_t end = busy->next + STEP; busy->next < end; busy->next++) {
            struct candidate fresh = {.index = busy->next};

            if (!busy->count(busy->arg, busy->next, &fresh.total) || !grow(busy, busy->next)) {
                end_round(busy, mono_ns);
                return;
            }
            fresh.fresh = (uint32_t)fresh.total - busy->before[busy->next];
            busy->before[busy->next] = (uint32_t)fresh.total;
            if (fresh.total > 0)
                offer(busy, fresh);
        }
    } while (slice_ns <= 0 || clock_ns() - mono_ns < slice_ns);
}

/* ---- rates -------------------------------------------------------------------------------------- */

/* The messages a market had at a time, between two counts taken down; false when it was not followed yet. */
static bool
messages_at(const struct followed *followed, int64_t ns, uint64_t now_messages, int64_t now_ns,
            double *messagesp)
{
    double later = (double)now_messages;
    int64_t later_ns = now_ns;

    for (unsigned back = 0; back < followed->count; back++) {
        unsigned at = (followed->head + KDP_BUSY_SPAN + 1 - back) % (KDP_BUSY_SPAN + 1);
        double earlier = (double)followed->at[at];

        if (followed->at_ns[at] <= ns) {
            double span = (double)(later_ns - followed->at_ns[at]);

            *messagesp =
                span > 0 ? earlier + (later - earlier) * (double)(ns - followed->at_ns[at]) / span : earlier;
            return true;
        }
        later = earlier;
        later_ns = followed->at_ns[at];
    }
    *messagesp = later; /* of the oldest there is */
    return false;
}

static int64_t
oldest_ns(const struct followed *followed)
{
    return followed->at_ns[(followed->head + KDP_BUSY_SPAN + 2 - followed->count) % (KDP_BUSY_SPAN + 1)];
}

/* Messages a second from one time to a later one, below 0 where nothing is known of it. */
static double
rate(const struct followed *followed, int64_t from_ns, int64_t to_ns, uint64_t now_messages, int64_t now_ns)
{
    double from, to;

    if (followed->count == 0 || oldest_ns(followed) >= to_ns)
        return -1;
    if (from_ns < oldest_ns(followed))
        from_ns = oldest_ns(followed);
    messages_at(followed, from_ns, now_messages, now_ns, &from);
    messages_at(followed, to_ns, now_messages, now_ns, &to);
    return to > from ? (to - from) / ((double)(to_ns - from_ns) / 1e9) : 0;
}

static int
by_rate(const void *a, const void *b)
{
    const struct kdp_busy_market *x = a, *y = b;

    if (x->rate > y->rate || x->rate < y->rate)
        return x->rate < y->rate ? 1 : -1;
    if (x->messages != y->messages)
        return x->messages < y->messages ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

unsigned
kdp_busy_list(struct kdp_busy *busy, int64_t mono_ns, struct kdp_busy_market *markets, unsigned max)
{
    struct kdp_busy_market all[KDP_BUSY_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < busy->followed_count; i++) {
        const struct followed *followed = &busy->followed[i];
        struct kdp_busy_market *market = &all[count];
        int64_t cell_ns = KDP_BUSY_SPAN / KDP_BUSY_CELLS * KDP_NS_PER_S;
        uint64_t now_messages;

        if (!busy->count(busy->arg, followed->index, &now_messages))
            continue;
        market->index = followed->index;
        market->messages = now_messages;
        market->rate =
            rate(followed, mono_ns - KDP_BUSY_RATE_S * KDP_NS_PER_S, mono_ns, now_messages, mono_ns);
        market->rate = market->rate < 0 ? 0 : market->rate;
        for (unsigned cell = 0; cell < KDP_BUSY_CELLS; cell++) {
            int64_t to_ns = mono_ns - (int64_t)(KDP_BUSY_CELLS - 1 - cell) * cell_ns;

            market->cells[cell] = rate(followed, to_ns - cell_ns, to_ns, now_messages, mono_ns);
        }
        count++;
    }
    qsort(all, count, sizeof *all, by_rate);
    count = count < max ? count : max;
    memcpy(markets, all, count * sizeof *markets);
    return count;
}
