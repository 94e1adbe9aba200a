/* ring_cursor.c - the readers' side of ring.h: cursors, what anybody may ask, counters. */
#include "ring_layout.h"

#include "error.h"
#include "record.h"

#include <string.h>

/* The template ids whose records are their fixed part alone: their length stands in their first two bytes. */
static bool
is_fixed(unsigned template_id)
{
    const unsigned fixed = 1u << KDP_TEMPLATE_TRADE | 1u << KDP_TEMPLATE_BBO | 1u << KDP_TEMPLATE_TICKER |
                           1u << KDP_TEMPLATE_LEVEL | 1u << KDP_TEMPLATE_LIFECYCLE;

    return template_id < 32 && (fixed >> template_id & 1) != 0;
}

static size_t
fixed_size(unsigned block_length)
{
    return (8 + (size_t)block_length + 7) & ~(size_t)7;
}

size_t
kdpi_ring_record_size(const void *rec, size_t avail)
{
    const struct kdp_head *head = rec;
    size_t size;

    if (avail < KDP_RING_RECORD_MIN)
        return 0;
    if (!is_fixed(head->template_id))
        return kdpi_record_size(rec, avail);
    size = fixed_size(head->block_length);
    return size >= KDP_RING_RECORD_MIN && size <= avail && size <= KDP_RECORD_MAX ? size : 0;
}

/* Copies memory that the writer may be overwriting; whether it was is asked afterwards.  Each word is read
 * once, whole, with a plain load, which is what a relaxed atomic load is on every machine we know.
 * ThreadSanitizer must not look: the writer's stores are the plain ones of a record being built in place, so
 * a torn copy is a race by its book, and one that overtaken() finds. */
__attribute__((no_sanitize("thread"), noinline)) static void
copy_out(uint64_t *to, const void *from, size_t words)
{
    const volatile uint64_t *at = from;

    for (size_t i = 0; i < words; i++)
        to[i] = at[i];
}

/* Says whether a copy made from offset may have been overwritten meanwhile. */
static inline bool
overtaken(const struct kdp_ring *ring, uint64_t offset)
{
#if defined(__SANITIZE_THREAD__)
    __asm__ volatile("" ::: "memory"); /* as in ring.c: not modelled, and warned of */
#else
    /* pairs with the release fence in claim_slow: had the copy taken in one byte written after that fence,
     * the load below would give the intent stored before it */
    atomic_thread_fence(memory_order_acquire);
#endif
    return atomic_load_explicit(&ring->shared->intent.offset, memory_order_relaxed) >
           offset + ring->record_bytes;
}

int
kdp_ring_next(struct kdp_ring_cursor *cursor, void *buf)
{
    const struct kdp_ring *ring = cursor->ring;
    uint64_t *words = buf;

    for (;;) {
        uint64_t offset = cursor->offset, left = ring->record_bytes - (offset & (ring->record_bytes - 1));
        const uint8_t *at = ring->records + (offset & (ring->record_bytes - 1));
        const struct kdp_head *head = buf;
        bool fixed;
        size_t size;

        /* pairs with publish() */
        if (offset >= atomic_load_explicit(&ring->shared->head.offset, memory_order_acquire))
            return 0;
        copy_out(words, at, 1);
        if (head->template_id == KDP_RING_PAD) {
            if (overtaken(ring, offset))
                return -KDP_EOVERRUN;
            cursor->offset = offset + left;
            continue;
        }
        /* a length that is not known yet, or torn: all that a record can be, and see afterwards */
        fixed = is_fixed(head->template_id);
        size = fixed ? fixed_size(head->block_length) : KDP_RECORD_MAX;
        if (size > KDP_RECORD_MAX)
            size = KDP_RECORD_MAX;
        if (size > left)
            size = left;
        copy_out(words, at, size / 8);
        if (overtaken(ring, offset))
            return -KDP_EOVERRUN;
        size = fixed ? kdpi_ring_record_size(buf, size) : kdpi_record_size(buf, size);
        if (size == 0)
            return kdpi_fail(KDP_EFORMAT, "ring of session %016llx: no record at offset %llu",
                             (unsigned long long)ring->header->session, (unsigned long long)offset);
        if (head->seq != cursor->seq)
            return -KDP_EOVERRUN; /* the table's entry was of another lap */
        cursor->offset = offset + size;
        cursor->seq++;
        return (int)size;
    }
}

static int
walk(struct kdp_ring_cursor *cursor, uint64_t seq)
{
    uint64_t buf[KDP_RECORD_MAX / 8];
    struct kdp_ring_cursor probe;
    int rc;

    while (cursor->seq < seq) {
        rc = kdp_ring_next(cursor, buf);
        if (rc <= 0)
            return rc < 0 ? rc : -KDP_EOVERRUN;
    }
    probe = *cursor;
    rc = kdp_ring_next(&probe, buf);
    return rc < 0 ? rc : 0;
}

/* Puts the cursor before the first record that the agent has not given back: the writer stops in front of it,
 * so it can be read when the table's entry before it no longer can. */
static void
start_at_taken(struct kdp_ring_cursor *cursor, const struct kdp_ring *ring)
{
    uint64_t at = atomic_load_explicit(&ring->shared->taken.offset, memory_order_acquire);
    uint64_t mask = ring->record_bytes - 1, words[sizeof(struct kdp_head) / 8];
    const struct kdp_head *head = (const void *)words;

    copy_out(words, ring->records + (at & mask), 1);
    if ((words[0] >> 16 & 0xffff) == KDP_RING_PAD)
        at = (at | mask) + 1;
    if (mask + 1 - (at & mask) < sizeof words)
        at = (at | mask) + 1; /* no record begins so near the end */
    copy_out(words, ring->records + (at & mask), sizeof words / 8);
    cursor->offset = at;
    cursor->seq = head->seq;
}

/* Puts the cursor before record seq, which is published or the next to be. */
static int
walk_to(struct kdp_ring_cursor *cursor, const struct kdp_ring *ring, uint64_t seq, uint64_t head_seq)
{
    uint64_t start_seq = kdp_ring_start_seq(ring),
             entry = (seq > head_seq ? head_seq : seq) / KDP_RING_TABLE_STEP;
    int rc;

    cursor->ring = ring;
    cursor->offset = 0;
    cursor->seq = start_seq;
    if (entry * KDP_RING_TABLE_STEP >= start_seq && head_seq >= start_seq) {
        cursor->seq = entry * KDP_RING_TABLE_STEP;
        /* written before head.seq reached it, see kdp_ring_commit; of another lap: found by the record's
         * number */
        cursor->offset =
            atomic_load_explicit(&ring->table[entry & (ring->table_entries - 1)], memory_order_relaxed);
    }
    rc = walk(cursor, seq);
    if (rc != -KDP_EOVERRUN || ring->unreliable)
        return rc;
    start_at_taken(cursor, ring);
    return cursor->seq <= seq ? walk(cursor, seq) : -KDP_EOVERRUN;
}

int
kdp_ring_seek(struct kdp_ring_cursor *cursor, const struct kdp_ring *ring, uint64_t seq)
{
    uint64_t head_seq = kdp_ring_head_seq(ring);
    int rc = 0;

    if (seq > head_seq + 1)
        rc = -KDP_ERANGE;
    else if (seq < kdp_ring_start_seq(ring))
        rc = -KDP_EOVERRUN;
    else
        rc = walk_to(cursor, ring, seq, head_seq);
    if (rc == 0 || (rc != -KDP_EOVERRUN && rc != -KDP_ERANGE))
        return rc;
    /* to the head; a writer that laps a small ring meanwhile makes it a moving target, hence again, not for
     * ever */
    for (int tries = 0; tries < 1000; tries++) {
        head_seq = kdp_ring_head_seq(ring);
        if (walk_to(cursor, ring, head_seq + 1, head_seq) == 0)
            break;
    }
    return rc;
}

/* ---- anybody ---- */

uint64_t
kdp_ring_head_seq(const struct kdp_ring *ring)
{
    /* pairs with publish(): what has this number can be read */
    return atomic_load_explicit(&ring->shared->head.seq, memory_order_acquire);
}

uint64_t
kdp_ring_tail_seq(const struct kdp_ring *ring)
{
    uint64_t intent = atomic_load_explicit(&ring->shared->intent.offset, memory_order_relaxed);
    uint64_t start_seq = kdp_ring_start_seq(ring), head_seq = kdp_ring_head_seq(ring), low, high;

    if (intent <= ring->record_bytes)
        return start_seq;
    /* the oldest entry of the table that is not being overwritten; offsets grow with the entries of one lap
     */
    high = head_seq / KDP_RING_TABLE_STEP;
    low = (start_seq + KDP_RING_TABLE_STEP - 1) / KDP_RING_TABLE_STEP;
    if (high - low >= ring->table_entries && high >= low)
        low = high - ring->table_entries + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t offset =
            atomic_load_explicit(&ring->table[middle & (ring->table_entries - 1)], memory_order_relaxed);

        if (offset >= intent - ring->record_bytes)
            high = middle;
        else
            low = middle + 1;
    }
    return low * KDP_RING_TABLE_STEP;
}

uint64_t
kdp_ring_durable_seq(const struct kdp_ring *ring)
{
    return atomic_load_explicit(&ring->shared->durable.seq, memory_order_acquire);
}

uint64_t
kdp_ring_applied_input(const struct kdp_ring *ring)
{
    return atomic_load_explicit(&ring->shared->head.applied, memory_order_acquire);
}

uint64_t
kdp_ring_head_input(const struct kdp_ring *ring)
{
    return atomic_load_explicit(&ring->shared->input.index, memory_order_acquire);
}

uint64_t
kdp_ring_session(const struct kdp_ring *ring)
{
    return ring->header->session;
}

uint64_t
kdp_ring_start_seq(const struct kdp_ring *ring)
{
    return atomic_load_explicit(&ring->shared->pads.start_seq, memory_order_acquire);
}

size_t
kdp_ring_capacity(const struct kdp_ring *ring)
{
    return ring->record_bytes;
}

static size_t
behind(const _Atomic uint64_t *head, const _Atomic uint64_t *taken)
{
    /* taken first: the other way round it could have passed the head that was read */
    uint64_t from = atomic_load_explicit(taken, memory_order_acquire);

    return atomic_load_explicit(head, memory_order_acquire) - from;
}

size_t
kdp_ring_lacking(const struct kdp_ring *ring)
{
    return behind(&ring->shared->head.offset, &ring->shared->taken.offset);
}

size_t
kdp_ring_input_lacking(const struct kdp_ring *ring)
{
    return behind(&ring->shared->input.offset, &ring->shared->input_taken.offset);
}

double
kdp_ring_backlog(const struct kdp_ring *ring)
{
    double records = (double)kdp_ring_lacking(ring) / (double)ring->record_bytes;
    double inputs = (double)kdp_ring_input_lacking(ring) / (double)ring->raw_bytes;

    return records > inputs ? records : inputs;
}

/* ---- counters ---- */

struct kdp_counter *
kdp_ring_counter(struct kdp_ring *ring, const char *name)
{
    uint64_t count = atomic_load_explicit(&ring->shared->counters.count, memory_order_relaxed);
    struct kdp_ring_counter_slot *slot = ring->slots;
    size_t len = strlen(name);

    KDP_ASSERT(len > 0 && len < sizeof slot->name);
    for (uint64_t i = 0; i < count; i++, slot++)
        if (strcmp(slot->name, name) == 0)
            return &slot->counter;
    if (count == KDP_COUNTERS_MAX)
        return NULL;
    memcpy(slot->name, name, len + 1);
    /* pairs with the acquire load in kdp_ring_counter_at: the name is there before it is counted */
    atomic_store_explicit(&ring->shared->counters.count, count + 1, memory_order_release);
    return &slot->counter;
}

void
kdp_counter_add(struct kdp_counter *counter, uint64_t n)
{
    /* one writer: no locked instruction is needed */
    atomic_store_explicit(&counter->value, atomic_load_explicit(&counter->value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

void
kdp_counter_set(struct kdp_counter *counter, uint64_t value)
{
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

uint64_t
kdp_counter_get(const struct kdp_counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

const char *
kdp_ring_counter_at(const struct kdp_ring *ring, unsigned index, uint64_t *valuep)
{
    uint64_t count = atomic_load_explicit(&ring->shared->counters.count, memory_order_acquire);
    const struct kdp_ring_counter_slot *slot = &ring->slots[index < KDP_COUNTERS_MAX ? index : 0];

    if (index >= count || index >= KDP_COUNTERS_MAX || slot->name[sizeof slot->name - 1] != '\0')
        return NULL;
    *valuep = kdp_counter_get(&slot->counter);
    return slot->name;
}
