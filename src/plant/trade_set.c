/* trade_set.c - two generations of 16-byte ids; see trade_set.h.
 *
 * A generation is an array that ids are added to behind one another, and an open-addressing index of 4 bytes
 * each into it.  Ids straight in the table would be simpler, but every new one then falls on a page never
 * touched: two faults and a flushed TLB for each of the first 16,000 trades, 0.2 s of a replay of 50,000. */
#include "trade_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define CAPACITY_MAX (UINT32_C(1) << 24)
/* A hole that REST does not fill for hours is read again with all around it: ids are kept as long as there is room. */
#define KEEP_NS (12 * KDP_TRADES_SPAN_NS)

struct id {
    uint64_t lo, hi;
};

struct generation {
    struct id *ids;
    uint32_t *index; /* number of the id + 1 and, above it, bits of its hash; 0: free */
    uint32_t count;
    int64_t since_ns;
};

struct kdp_trade_set {
    struct generation gen[2];
    unsigned young;
    uint32_t mask, capacity;
    uint64_t early;
};

static size_t
ids_bytes(const struct kdp_trade_set *set)
{
    return set->capacity * sizeof(struct id);
}

static size_t
index_bytes(const struct kdp_trade_set *set)
{
    return ((size_t)set->mask + 1) * sizeof(uint32_t);
}

struct kdp_trade_set *
kdp_trade_set_open(uint32_t capacity)
{
    struct kdp_trade_set *set = calloc(1, sizeof *set);
    uint32_t size = 1024;

    if (set == NULL)
        return NULL;
    while (size < capacity && size < CAPACITY_MAX)
        size *= 2;
    set->capacity = size;
    set->mask = size * 2 - 1; /* at most half full */
    for (int i = 0; i < 2; i++) {
        set->gen[i].ids = kdpi_reserve(ids_bytes(set));
        set->gen[i].index = kdpi_reserve(index_bytes(set));
        if (set->gen[i].ids == NULL || set->gen[i].index == NULL) {
            kdp_trade_set_close(set);
            return NULL;
        }
        /* its places are picked at random; a kernel that refuses costs speed only */
        if (index_bytes(set) >= HUGE_PAGE)
            (void)madvise(set->gen[i].index, index_bytes(set), MADV_HUGEPAGE);
    }
    return set;
}

void
kdp_trade_set_close(struct kdp_trade_set *set)
{
    if (set == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        kdpi_unreserve(set->gen[i].ids, ids_bytes(set));
        kdpi_unreserve(set->gen[i].index, index_bytes(set));
    }
    free(set);
}

/* Gives the id's place in the index, or the free one where it belongs; *tagp gets the bits that stand above
 * its number there. */
static uint32_t *
probe(const struct kdp_trade_set *set, const struct generation *gen, struct id id, uint32_t *tagp)
{
    uint64_t hash = (id.lo ^ (id.hi << 31 | id.hi >> 33)) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t number_mask = set->mask, at = (uint32_t)(hash >> 32) & set->mask, entry;

    *tagp = (uint32_t)hash & ~number_mask;
    for (; (entry = gen->index[at]) != 0; at = (at + 1) & set->mask) {
        const struct id *known = &gen->ids[(entry & number_mask) - 1];

        if ((entry & ~number_mask) == *tagp && known->lo == id.lo && known->hi == id.hi)
            break;
    }
    return &gen->index[at];
}

static void
turn(struct kdp_trade_set *set, int64_t recv_ns)
{
    struct generation *gen = &set->gen[set->young ^ 1];

    set->young ^= 1;
    if (gen->count > 0) { /* reads as zeros again, and gives the pages back */
        madvise(gen->index, index_bytes(set), MADV_DONTNEED);
        madvise(gen->ids, ids_bytes(set), MADV_DONTNEED);
    }
    gen->count = 0;
    gen->since_ns = recv_ns;
}

bool
kdp_trade_set_add(struct kdp_trade_set *set, const uint8_t id[16], int64_t recv_ns)
{
    struct generation *young = &set->gen[set->young], *old = &set->gen[set->young ^ 1];
    struct id key;
    uint32_t *entry, tag;

    memcpy(&key, id, sizeof key);
    entry = probe(set, young, key, &tag);
    if (*entry != 0)
        return false;
    if (old->count > 0 && *probe(set, old, key, &tag) != 0)
        return false;
    if (young->count == 0)
        young->since_ns = recv_ns;
    if (young->count >= set->capacity || recv_ns - young->since_ns > KEEP_NS) {
        set->early += recv_ns - young->since_ns <= KDP_TRADES_SPAN_NS;
        turn(set, recv_ns);
        young = &set->gen[set->young];
        entry = probe(set, young, key, &tag);
    }
    young->ids[young->count++] = key;
    *entry = tag | young->count; /* at most the capacity, which is within the mask */
    return true;
}

uint64_t
kdp_trade_set_early(const struct kdp_trade_set *set)
{
    return set->early;
}
