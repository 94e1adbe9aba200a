/* ring.c - the writer's and the tape agent's sides of ring.h.
 *
 * Offsets are virtual: they only grow, and offset modulo the size is the place.  Four of them order
 * everything:
 *
 *     taken  <=  head.offset  <=  plant.offset  <=  intent  and  plant.offset <= taken + record_bytes
 *
 * head says what may be read, intent what may already be overwritten, taken what need not be kept.
 *
 * Rejected: a head per record in front of the payload (Aeron) - 8 bytes more per record and a second format
 * beside the tape's; a lock or futex on the writer's side - a reader could stop it; sequence numbers written
 * into each cache line - records would not be contiguous any more, so neither tape nor packets could take
 * them as they lie. */
#include "ring_layout.h"

#include "error.h"
#include "record.h"

#include <string.h>

static inline void
fence_release(void)
{
#if defined(__SANITIZE_THREAD__)
    /* gcc's ThreadSanitizer does not model fences and warns of each; the accesses this one orders are not
     * instrumented (see copy_out in ring_cursor.c) */
    atomic_signal_fence(memory_order_seq_cst);
    __asm__ volatile("" ::: "memory");
#else
    atomic_thread_fence(memory_order_release);
#endif
}

/* Publishes what was committed.  A kill can come between any two stores, and the next process must then know
 * exactly which records count and which input they complete.  One store decides: head.offset.  Everything
 * else it means is written before it into the mark not in use, which names the offset it belongs to; after a
 * kill, kdp_ring_recover takes the mark whose offset is head.offset, so that it sees all of a publication or
 * nothing of it:
 *   - killed before the store of head.offset: the other mark still belongs to head.offset; the records
 * written behind it were seen by nobody, their numbers are given out anew;
 *   - killed after it: this mark belongs to it.
 * An input without records moves applied alone, with head.offset unchanged.  Then the store of mark.offset
 * decides: both marks belong to head.offset and the greater applied counts; while the mark is being rewritten
 * its offset says "none". A publication in the middle of an input (kdp_ring_publish, or a claim that had to
 * wait) leaves applied behind and seq > applied_seq: recovery counts the input applied + 1 as begun, and the
 * START of the next run says up to which sequence number its records were given out, so a replay of the raw
 * tape ends it at the same record. */
static void
publish(struct kdp_ring *ring)
{
    struct kdp_ring_shared *shared = ring->shared;
    struct kdp_ring_mark *mark = &shared->marks.mark[ring->plant.mark ^= 1];

    /* plain program order is all that a kill can see; the release stores keep the compiler to it */
    atomic_store_explicit(&mark->offset, KDP_RING_NO_OFFSET, memory_order_relaxed);
    atomic_store_explicit(&mark->seq, ring->plant.seq - 1, memory_order_release);
    atomic_store_explicit(&mark->applied, ring->plant.applied, memory_order_release);
    atomic_store_explicit(&mark->applied_seq, ring->plant.applied_seq, memory_order_release);
    atomic_store_explicit(&mark->offset, ring->plant.offset, memory_order_release);
    /* pairs with the acquire loads in kdp_ring_take and kdp_ring_next: who sees the offset sees the records
     * below it */
    atomic_store_explicit(&shared->head.offset, ring->plant.offset, memory_order_release);
    /* after the offset: who sees the number finds its record (kdp_ring_seek) */
    atomic_store_explicit(&shared->head.seq, ring->plant.seq - 1, memory_order_release);
    atomic_store_explicit(&shared->head.applied, ring->plant.applied, memory_order_release);
    ring->plant.published = ring->plant.offset;
}

/* What claim does when the room it knows of is used up: ask the agent for more, announce what will be
 * overwritten, go round the end. */
static void *
claim_slow(struct kdp_ring *ring, size_t size)
{
    uint64_t bytes = ring->record_bytes, mask = bytes - 1, offset = ring->plant.offset;
    uint64_t left = bytes - (offset & mask);
    uint64_t begin = left < size ? offset + left : offset, end = begin + size;

    if (end > ring->plant.limit && !ring->unreliable) {
        /* pairs with the release store in kdp_ring_taken: the agent has done reading what will be overwritten
         */
        ring->plant.limit = atomic_load_explicit(&ring->shared->taken.offset, memory_order_acquire) + bytes;
        if (end > ring->plant.limit) {
            if (ring->plant.published != offset)
                publish(ring);
            return NULL;
        }
    }
    if (end > ring->plant.intent) {
        ring->plant.intent = (end + ring->intent_step - 1) / ring->intent_step * ring->intent_step;
        if (!ring->unreliable && ring->plant.intent > ring->plant.limit)
            ring->plant.intent =
                ring->plant.limit; /* what is not on the tape stays readable to the last record */
        atomic_store_explicit(&ring->shared->intent.offset, ring->plant.intent, memory_order_relaxed);
        /* pairs with the acquire fence in kdp_ring_next: a reader that copied a byte of what is written from
         * here on finds this intent, and drops its copy */
        fence_release();
    }
    if (begin != offset) {
        struct kdp_head *pad = (struct kdp_head *)(void *)(ring->records + (offset & mask));

        pad->block_length = 0;
        pad->template_id = KDP_RING_PAD;
        pad->schema_id = 0;
        pad->version = 0;
        /* seen by the agent through the head that passes it, see kdp_ring_take */
        atomic_store_explicit(&ring->shared->pads.records[offset / bytes & 1], offset, memory_order_relaxed);
        ring->plant.offset = begin;
    }
    ring->plant.until = (begin | mask) + 1;
    if (ring->plant.until > ring->plant.intent)
        ring->plant.until = ring->plant.intent;
    if (!ring->unreliable && ring->plant.until > ring->plant.limit)
        ring->plant.until = ring->plant.limit;
    return ring->records + (begin & mask);
}

void *
kdp_ring_claim(struct kdp_ring *ring, size_t size)
{
    KDP_ASSERT(size <= KDP_RECORD_MAX && size >= KDP_RING_RECORD_MIN && size % 8 == 0);
    if (size > ring->plant.until - ring->plant.offset)
        return claim_slow(ring, size);
    return ring->records + (ring->plant.offset & (ring->record_bytes - 1));
}

void
kdp_ring_commit(struct kdp_ring *ring, size_t size)
{
    uint64_t offset = ring->plant.offset, seq = ring->plant.seq;
    const struct kdp_head *head = (const void *)(ring->records + (offset & (ring->record_bytes - 1)));

    KDP_ASSERT(size <= ring->plant.until - offset && size >= KDP_RING_RECORD_MIN && size % 8 == 0);
    KDP_ASSERT(head->seq == seq);
    if (seq % KDP_RING_TABLE_STEP == 0)
        /* a seek reads it only for numbers up to head.seq, whose store comes later */
        atomic_store_explicit(&ring->table[seq / KDP_RING_TABLE_STEP & (ring->table_entries - 1)], offset,
                              memory_order_relaxed);
    ring->plant.offset = offset + size;
    ring->plant.seq = seq + 1;
}

void
kdp_ring_publish(struct kdp_ring *ring)
{
    if (ring->plant.published != ring->plant.offset)
        publish(ring);
}

uint64_t
kdp_ring_next_seq(const struct kdp_ring *ring)
{
    return ring->plant.seq;
}

void
kdp_ring_skip_to(struct kdp_ring *ring, uint64_t seq)
{
    KDP_ASSERT(ring->plant.offset == 0 && seq >= ring->plant.seq);
    ring->plant.seq = seq;
    ring->plant.applied_seq = seq - 1;
    atomic_store_explicit(&ring->shared->pads.start_seq, seq, memory_order_release);
    publish(ring);
}

/* ---- inputs ---- */

size_t
kdp_ring_input_max(const struct kdp_ring *ring)
{
    /* two of them fit whatever the place of the first, so that a claim is granted in the end */
    uint64_t max = ring->raw_bytes / 2 - sizeof(struct kdp_input_head);

    return max < KDP_INPUT_MAX ? max : KDP_INPUT_MAX;
}

static size_t
input_room(size_t length)
{
    return (sizeof(struct kdp_input_head) + length + 7) & ~(size_t)7;
}

struct kdp_input_head *
kdp_ring_input_claim(struct kdp_ring *ring, size_t length)
{
    uint64_t bytes = ring->raw_bytes, mask = bytes - 1, offset = ring->plant.input_offset;
    uint64_t left = bytes - (offset & mask), begin, end;
    size_t size = input_room(length);

    KDP_ASSERT(length <= kdp_ring_input_max(ring));
    begin = left < size ? offset + left : offset;
    end = begin + size;
    if (end > ring->plant.input_limit && !ring->unreliable) {
        /* pairs with the release store in kdp_ring_input_taken */
        ring->plant.input_limit =
            atomic_load_explicit(&ring->shared->input_taken.offset, memory_order_acquire) + bytes;
        if (end > ring->plant.input_limit)
            return NULL;
    }
    if (begin != offset) {
        uint32_t filler[2] = {KDP_RING_INPUT_PAD, 0};

        memcpy(ring->raw + (offset & mask), filler, sizeof filler);
        atomic_store_explicit(&ring->shared->pads.inputs[offset / bytes & 1], offset, memory_order_relaxed);
        ring->plant.input_offset = begin;
    }
    return (struct kdp_input_head *)(void *)(ring->raw + (begin & mask));
}

uint64_t
kdp_ring_input_commit(struct kdp_ring *ring, struct kdp_input_head *head)
{
    size_t size = input_room(head->length);
    uint64_t index = ring->plant.input_index + 1;

    KDP_ASSERT((uint8_t *)head == ring->raw + (ring->plant.input_offset & (ring->raw_bytes - 1)));
    KDP_ASSERT(head->length <= kdp_ring_input_max(ring));
    head->index = index;
    memset((uint8_t *)(head + 1) + head->length, 0, size - sizeof *head - head->length);
    ring->plant.input_index = index;
    ring->plant.input_offset += size;
    /* pairs with the acquire load in kdp_ring_input_take; this one store decides whether a killed run had the
     * input. The index may then be one behind; kdp_ring_recover reads it from the inputs themselves. */
    atomic_store_explicit(&ring->shared->input.offset, ring->plant.input_offset, memory_order_release);
    atomic_store_explicit(&ring->shared->input.index, index, memory_order_release);
    return index;
}

void
kdp_ring_input_applied(struct kdp_ring *ring, uint64_t index)
{
    ring->plant.applied = index;
    ring->plant.applied_seq = ring->plant.seq - 1;
    publish(ring);
}

/* ---- the tape agent's thread ---- */

/* Gives the end of the run that begins at *fromp and lies without a wrap, moving *fromp over a filler.  Sound
 * because the writer is never a whole lap ahead of taken: the filler of this lap is still the one noted, and
 * that of the next has its own place. */
static uint64_t
run_end(uint64_t *fromp, uint64_t head, uint64_t bytes, const _Atomic uint64_t pads[2])
{
    uint64_t from = *fromp, lap_end = (from | (bytes - 1)) + 1, pad;

    if (head < lap_end)
        return head;
    pad = atomic_load_explicit(&pads[from / bytes & 1], memory_order_relaxed);
    if (pad != KDP_RING_NO_OFFSET && pad / bytes == from / bytes && pad >= from) {
        if (pad > from)
            return pad;
        *fromp = lap_end;
        return run_end(fromp, head, bytes, pads);
    }
    return lap_end;
}

size_t
kdp_ring_take(struct kdp_ring *ring, size_t max, const void **recordsp)
{
    /* pairs with publish() */
    uint64_t head = atomic_load_explicit(&ring->shared->head.offset, memory_order_acquire);
    uint64_t from = ring->agent.passed,
             end = run_end(&from, head, ring->record_bytes, ring->shared->pads.records);
    const uint8_t *at = ring->records + (from & (ring->record_bytes - 1));
    size_t avail = end - from, used = 0, size;

    KDP_ASSERT(max >= KDP_RECORD_MAX);
    *recordsp = at;
    if (from != ring->agent.passed) /* over the filler, which no record brings along */
        kdp_ring_passed(ring, from - ring->agent.passed);
    if (avail <= max)
        return avail;
    while (used + KDP_RECORD_MAX <= max) {
        size = kdpi_ring_record_size(at + used, avail - used);
        KDP_ASSERT(size != 0);
        used += size;
    }
    return used;
}

void
kdp_ring_passed(struct kdp_ring *ring, size_t bytes)
{
    ring->agent.passed += bytes;
}

void
kdp_ring_taken(struct kdp_ring *ring, size_t bytes)
{
    ring->agent.passed += bytes;
    /* pairs with the acquire load in claim_slow */
    atomic_store_explicit(&ring->shared->taken.offset, ring->agent.passed, memory_order_release);
}

size_t
kdp_ring_input_take(struct kdp_ring *ring, size_t max, const void **inputsp)
{
    /* pairs with kdp_ring_input_commit */
    uint64_t head = atomic_load_explicit(&ring->shared->input.offset, memory_order_acquire);
    uint64_t from = ring->agent.input_taken,
             end = run_end(&from, head, ring->raw_bytes, ring->shared->pads.inputs);
    const uint8_t *at = ring->raw + (from & (ring->raw_bytes - 1));
    size_t avail = end - from, used = 0, size;
    struct kdp_input_head input;

    *inputsp = at;
    if (from != ring->agent.input_taken)
        kdp_ring_input_taken(ring, from - ring->agent.input_taken);
    if (avail <= max)
        return avail;
    do {
        memcpy(&input, at + used, sizeof input);
        size = input_room(input.length);
        KDP_ASSERT(size <= avail - used);
        if (used != 0 && used + size > max)
            break;
        used += size;
    } while (used < max);
    return used;
}

void
kdp_ring_input_taken(struct kdp_ring *ring, size_t bytes)
{
    ring->agent.input_taken += bytes;
    /* pairs with the acquire load in kdp_ring_input_claim */
    atomic_store_explicit(&ring->shared->input_taken.offset, ring->agent.input_taken, memory_order_release);
}

void
kdp_ring_set_durable(struct kdp_ring *ring, uint64_t seq, uint64_t input_index)
{
    atomic_store_explicit(&ring->shared->durable.index, input_index, memory_order_release);
    /* pairs with the acquire load in kdp_ring_durable_seq: a store that sees it finds the records on the tape
     */
    atomic_store_explicit(&ring->shared->durable.seq, seq, memory_order_release);
}
