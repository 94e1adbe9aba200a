/* ring.h - the recent end of the stream, in shared memory: one writer, any number of readers, and beside it the raw ring
 * of inputs and the counters, all in one object that outlives the process which wrote it.
 *
 * Records lie back to back at 8-byte alignment; offsets are virtual (they only grow), the place is offset modulo the size.
 * A record never wraps: a pad (template_id KDP_RING_PAD, blockLength unused) fills the end.  The writer publishes an intent
 * counter before it overwrites; a reader copies, then proves that it was not overtaken.  What the tape agent has not taken
 * is never overwritten (kdp_ring_claim then returns NULL); every other reader may be overrun.  The memory is touched at
 * creation.  Fields shared between threads are C11 atomics, each alone on its cache line with its writer named. */
#ifndef KDPI_RING_H
#define KDPI_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "kdp/records.h"

#define KDP_RING_PAD 0xffffu
#define KDP_COUNTERS_MAX 256

struct kdp_ring;

struct kdp_ring_config {
    const char
        *name;    /* of the shared memory object ("/kdp-..."), NULL: private memory, for tests and benches */
    size_t bytes; /* of records, a power of two from 64 KiB; default 256 MiB */
    size_t raw_bytes; /* of inputs, a power of two from 64 KiB */
    uint64_t session;
    uint64_t start_seq;   /* first sequence number, >= 1 */
    uint64_t start_input; /* first input index, >= 1 */
    const char *tape_dir; /* absolute data directory, kept in the header */
    bool unreliable;      /* no tape agent: nothing ever waits (benches) */
};

/* kdp_ring_create makes and touches the object; too little shared memory is -KDP_EFULL with words that name the space
 * there is and the option (--ring-size).  An object of that name is an error (-KDP_EEXIST): see kdp_ring_attach. */
int kdp_ring_create(struct kdp_ring **ringp, const struct kdp_ring_config *config);
/* kdp_ring_attach maps an existing object after checking magic, version, sizes and that the file is as long as it says.
 * writable is for the agent and for draining after a crash. */
int kdp_ring_attach(struct kdp_ring **ringp, const char *name, bool writable);
void kdp_ring_close(struct kdp_ring *ring); /* unmaps; the object stays */
int kdp_ring_unlink(const char *name);      /* removes the object */
/* kdp_ring_recover puts a writable ring whose plant has died (the caller holds the directory's lock) in order: head,
 * applied and input index become those of the last publication, by the rule at publish() in ring.c.  What does not fit
 * together is -KDP_EFORMAT. */
int kdp_ring_recover(struct kdp_ring *ring);

/* ---- the plant thread ---- */
/* kdp_ring_claim gives room for one record of at most size bytes (a multiple of 8, <= KDP_RECORD_MAX), NULL when that
 * would overwrite what is not on the tape yet; it then publishes what was committed, so that the agent can make room
 * even for an input whose records fill the ring.  kdp_ring_commit accepts what was written there (its size); the record's
 * head.seq must be kdp_ring_next_seq.  Nothing is visible before kdp_ring_publish or kdp_ring_input_applied. */
void *kdp_ring_claim(struct kdp_ring *ring, size_t size);
void kdp_ring_commit(struct kdp_ring *ring, size_t size);
void kdp_ring_publish(struct kdp_ring *ring);
uint64_t kdp_ring_next_seq(const struct kdp_ring *ring);
/* kdp_ring_skip_to moves the next sequence number forward (an unused range after a lost ring); only before any commit. */
void kdp_ring_skip_to(struct kdp_ring *ring, uint64_t seq);

/* kdp_ring_input_claim gives room for an input of length payload bytes (head included in the room, <= kdp_ring_input_max),
 * NULL while the raw tape is behind.  kdp_ring_input_commit publishes it with the next index and returns that index.
 * kdp_ring_input_applied publishes every record committed and says, in the same step, that these are all records of
 * inputs up to index: the cheap and usual end of an input, with or without records.  A kdp_ring_publish before it is
 * allowed (a crash between the two is told apart, see kdp_ring_recover) and not needed. */
struct kdp_input_head *kdp_ring_input_claim(struct kdp_ring *ring, size_t length);
size_t
kdp_ring_input_max(const struct kdp_ring *ring); /* payload bytes of the longest input the ring takes */
uint64_t kdp_ring_input_commit(struct kdp_ring *ring, struct kdp_input_head *head);
void kdp_ring_input_applied(struct kdp_ring *ring, uint64_t index);

/* ---- the tape agent's thread ---- */
/* kdp_ring_take gives the longest run of whole published records not taken yet that lies without a wrap, at most max
 * bytes; returns its bytes (0: none).  kdp_ring_taken gives the room back.  The same pair for inputs.  kdp_ring_passed lets
 * the next take go on behind bytes and keeps their room: what is written and not synced may still be asked for by the next
 * process; the next kdp_ring_taken gives it all back. */
size_t kdp_ring_take(struct kdp_ring *ring, size_t max, const void **recordsp); /* max >= KDP_RECORD_MAX */
void kdp_ring_passed(struct kdp_ring *ring, size_t bytes);
void kdp_ring_taken(struct kdp_ring *ring, size_t bytes);
size_t kdp_ring_input_take(struct kdp_ring *ring, size_t max,
                           const void **inputsp); /* one longer input comes alone */
void kdp_ring_input_taken(struct kdp_ring *ring, size_t bytes);
void kdp_ring_set_durable(struct kdp_ring *ring, uint64_t seq, uint64_t input_index);

/* ---- anybody ---- */
uint64_t
kdp_ring_head_seq(const struct kdp_ring *ring); /* last published sequence number, start_seq - 1: none */
uint64_t kdp_ring_tail_seq(const struct kdp_ring *ring); /* about the oldest that can still be read */
uint64_t kdp_ring_durable_seq(const struct kdp_ring *ring);
uint64_t kdp_ring_applied_input(const struct kdp_ring *ring);
uint64_t kdp_ring_session(const struct kdp_ring *ring);
uint64_t kdp_ring_start_seq(const struct kdp_ring *ring);
uint64_t kdp_ring_head_input(const struct kdp_ring *ring); /* index of the last committed input */
size_t kdp_ring_capacity(const struct kdp_ring *ring);     /* bytes of records */
size_t kdp_ring_lacking(const struct kdp_ring *ring);      /* bytes of published records not taken yet */
size_t kdp_ring_input_lacking(const struct kdp_ring *ring);
double kdp_ring_backlog(
    const struct kdp_ring *ring); /* share of the fuller of the two rings that the tape lacks, 0..1 */

/* A cursor reads the ring as an unreliable reader.  seek goes to a sequence number, which may be the one after the head
 * (-KDP_EOVERRUN: no longer there, -KDP_ERANGE: beyond the next one; the cursor then stands at the head).  next copies the next record into buf (KDP_RECORD_MAX
 * bytes): its size, 0 when there is none yet, -KDP_EOVERRUN when the writer overtook. */
struct kdp_ring_cursor {
    const struct kdp_ring *ring;
    uint64_t offset;
    uint64_t seq; /* of the record that next will give */
};
int kdp_ring_seek(struct kdp_ring_cursor *cursor, const struct kdp_ring *ring, uint64_t seq);
int kdp_ring_next(struct kdp_ring_cursor *cursor, void *buf);

/* Counters live in the same object, so that any process can read them: 64-byte slots of a name (at most 55 bytes) and a
 * value, registered once by the writer before it is ready, added to with relaxed atomics (one writer thread per counter).
 * A name registered before gives the same cell. */
struct kdp_counter; /* opaque 64-bit cell */
struct kdp_counter *kdp_ring_counter(struct kdp_ring *ring,
                                     const char *name); /* NULL when the table is full */
void kdp_counter_add(struct kdp_counter *counter, uint64_t n);
void kdp_counter_set(struct kdp_counter *counter, uint64_t value);
uint64_t kdp_counter_get(const struct kdp_counter *counter);
/* kdp_ring_counter_at lists them: returns the name, NULL past the end. */
const char *kdp_ring_counter_at(const struct kdp_ring *ring, unsigned index, uint64_t *valuep);

#endif
