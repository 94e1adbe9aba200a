/* trade_set.c - two open-addressing tables of 16-byte ids in reserved pages; see trade_set.h. */
#include "trade_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct slot {
    uint64_t lo, hi; /* both 0: free (the nil UUID is kept apart) */
};

struct generation {
    struct slot *slots;
    uint32_t count;
    int64_t since_ns;
    bool has_nil;
};

struct kdp_trade_set {
    struct generation gen[2];
    unsigned young;
    uint32_t mask, capacity;
    uint64_t early;
};

static size_t
table_bytes(const struct kdp_trade_set *set)
{
    return ((size_t)set->mask + 1) * sizeof(struct slot);
}

struct kdp_trade_set *
kdp_trade_set_open(uint32_t capacity)
{
    struct kdp_trade_set *set = calloc(1, sizeof *set);
    uint32_t size = 1024;

    if (set == NULL)
        return NULL;
    while (size < capacity && size < (UINT32_C(1) << 30))
        size *= 2;
    set->capacity = size;
    set->mask = size * 2 - 1; /* at most half full */
    for (int i = 0; i < 2; i++) {
        void *mem = mmap(NULL, table_bytes(set), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (mem == MAP_FAILED) {
            kdp_trade_set_close(set);
            return NULL;
        }
        set->gen[i].slots = mem;
    }
    return set;
}

void
kdp_trade_set_close(struct kdp_trade_set *set)
{
    if (set == NULL)
        return;
    for (int i = 0; i < 2; i++)
        if (set->gen[i].slots != NULL)
            munmap(set->gen[i].slots, table_bytes(set));
    free(set);
}

/* Gives the id's slot, or the free one where it belongs. */
static struct slot *
probe(const struct kdp_trade_set *set, const struct generation *gen, uint64_t lo, uint64_t hi)
{
    uint32_t at = (uint32_t)(((lo ^ (hi << 31 | hi >> 33)) * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & set->mask;

    while ((gen->slots[at].lo | gen->slots[at].hi) != 0 &&
           (gen->slots[at].lo != lo || gen->slots[at].hi != hi))
        at = (at + 1) & set->mask;
    return &gen->slots[at];
}

static void
turn(struct kdp_trade_set *set, int64_t recv_ns)
{
    struct generation *gen = &set->gen[set->young ^ 1];

    set->young ^= 1;
    if (gen->count > 0)
        madvise(gen->slots, table_bytes(set),
                MADV_DONTNEED); /* reads as zeros again, and gives the pages back */
    gen->count = 0;
    gen->has_nil = false;
    gen->since_ns = recv_ns;
}

bool
kdp_trade_set_add(struct kdp_trade_set *set, const uint8_t id[16], int64_t recv_ns)
{
    struct generation *young = &set->gen[set->young], *old = &set->gen[set->young ^ 1];
    struct slot *slot;
    uint64_t lo, hi;

    memcpy(&lo, id, 8);
    memcpy(&hi, id + 8, 8);
    if ((lo | hi) == 0) {
        if (young->has_nil || old->has_nil)
            return false;
        young->has_nil = true;
        return true;
    }
    slot = probe(set, young, lo, hi);
    if ((slot->lo | slot->hi) != 0)
        return false;
    if (old->count > 0) {
        const struct slot *was = probe(set, old, lo, hi);

        if ((was->lo | was->hi) != 0)
            return false;
    }
    if (young->count == 0)
        young->since_ns = recv_ns;
    if (young->count >= set->capacity || recv_ns - young->since_ns > KDP_TRADES_SPAN_NS) {
        set->early += recv_ns - young->since_ns <= KDP_TRADES_SPAN_NS;
        turn(set, recv_ns);
        young = &set->gen[set->young];
        slot = probe(set, young, lo, hi);
    }
    slot->lo = lo;
    slot->hi = hi;
    young->count++;
    return true;
}

uint64_t
kdp_trade_set_early(const struct kdp_trade_set *set)
{
    return set->early;
}
