/* agent.c - the tape agent: the one reliable reader of both rings, writer of both tapes.
 *
 * A cycle fixes where the published records end, then where the committed inputs end (in this order: every
 * input whose records are below the first mark is below the second), and then
 *
 *     inputs -> raw tape, fdatasync -> new ids -> DIR/instruments, fdatasync -> records -> tape, fdatasync ->
 * durable_seq
 *
 * so that no record is in a file before its input and its id are on the disk.  The records wait in the ring
 * meanwhile: it is the buffer, nothing is copied, and their room is given back only after the last of these
 * syncs.  Hence at any moment the numbers given out are at most the ring's capacity beyond what a loss of
 * power leaves on the tape, which is the jump that a start after a lost ring makes.  Inputs are compressed
 * and written as they come, 256 KiB at a time, so that a cycle has little left to do; their room is free once
 * they are written, a kill does not take them from the page cache. */
#include "ring_layout.h"
#include "stream_private.h"

#include "clock.h"
#include "error.h"
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INPUT_RUN (256u << 10)        /* bytes of inputs worth a block */
#define RECORD_RUN KDP_TAPE_BLOCK_MAX /* bytes of records taken at once */
#define CYCLE_BYTES (8u << 20)        /* records that begin a cycle before its time */
#define RETRY_NS (200 * KDP_NS_PER_MS)
#define RETENTION_NS (5 * KDP_NS_PER_S)
#define IDLE_NS (2 * KDP_NS_PER_MS)

static const char disk_full[] = "no space left on device";

/* Writes the committed inputs below end, whole runs of INPUT_RUN only when all is false. */
static int
write_inputs(struct kdp_stream *stream, uint64_t end, bool all)
{
    struct kdp_ring *ring = stream->ring;
    const void *inputs;
    size_t bytes;
    int rc;

    while (ring->agent.input_taken < end && (all || end - ring->agent.input_taken >= INPUT_RUN)) {
        bytes = kdp_ring_input_take(ring, INPUT_RUN, &inputs);
        if (bytes == 0)
            break;
        if (stream->raw != NULL) {
            rc = kdp_raw_append(stream->raw, inputs, bytes);
            if (rc != 0)
                return rc;
        }
        kdp_ring_input_taken(ring, bytes);
        stream->agent.written += bytes;
        kdp_counter_add(stream->agent.input_bytes, bytes);
    }
    return 0;
}

int
kdpi_agent_note(struct kdp_stream *stream, const void *records, size_t bytes, uint64_t *last_seqp)
{
    const uint8_t *at = records, *end = at + bytes;
    const struct kdp_head *head = NULL;
    struct kdp_text ticker;
    size_t size;
    int rc;

    for (; at < end; at += size) {
        size = kdpi_ring_record_size(at, (size_t)(end - at));
        if (size == 0)
            return kdpi_fail(KDP_EFORMAT, "ring: no record behind sequence %" PRIu64,
                             head != NULL ? head->seq : 0);
        head = (const void *)at;
        if (head->recv_ns > stream->agent.newest_ns)
            stream->agent.newest_ns = head->recv_ns;
        if (head->template_id != KDP_TEMPLATE_DEFINITION ||
            head->instrument <= kdpi_instruments_max(stream->instruments))
            continue;
        ticker = kdpi_record_text(head, 0);
        rc = kdpi_instruments_add(stream->instruments, head->instrument, ticker.data, ticker.len);
        if (rc != 0)
            return rc;
    }
    if (head != NULL)
        *last_seqp = head->seq;
    return 0;
}

/* Writes the published records below end. */
static int
write_records(struct kdp_stream *stream, uint64_t end, uint64_t input_index)
{
    struct kdp_ring *ring = stream->ring;
    const void *records;
    size_t bytes;
    int rc;

    while (ring->agent.passed < end) {
        uint64_t last_seq = stream->agent.appended_seq;

        bytes = kdp_ring_take(ring, RECORD_RUN, &records);
        if (bytes == 0)
            break;
        if (bytes > end - ring->agent.passed)
            bytes =
                (size_t)(end - ring->agent.passed); /* published since: their inputs may not be written yet */
        if (stream->tape != NULL) {
            rc = kdpi_agent_note(stream, records, bytes, &last_seq);
            if (rc == 0)
                rc = kdpi_instruments_sync(stream->instruments);
            if (rc == 0)
                rc = kdp_tape_append(stream->tape, records, bytes, input_index);
            if (rc != 0)
                return rc;
        } else {
            rc = kdpi_agent_note(stream, records, bytes, &last_seq);
            if (rc != 0)
                return rc;
        }
        stream->agent.appended_seq = last_seq;
        stream->agent.written += bytes;
        kdp_counter_add(stream->agent.tape_bytes, bytes);
        kdp_ring_passed(ring, bytes);
    }
    return 0;
}

static int
cycle(struct kdp_stream *stream)
{
    struct kdp_ring *ring = stream->ring;
    /* acquire, and in this order: see the top of the file */
    uint64_t end = atomic_load_explicit(&ring->shared->head.offset, memory_order_acquire);
    uint64_t input_end = atomic_load_explicit(&ring->shared->input.offset, memory_order_acquire);
    uint64_t index;
    int rc = write_inputs(stream, input_end, true);

    if (rc == 0 && stream->raw != NULL)
        rc = kdp_raw_sync(stream->raw);
    if (rc != 0)
        return rc;
    index = stream->raw != NULL ? kdp_raw_written(stream->raw) : kdp_ring_head_input(ring);
    rc = write_records(stream, end, index);
    if (rc == 0 && stream->tape != NULL)
        rc = kdp_tape_sync(stream->tape);
    if (rc != 0)
        return rc;
    kdp_ring_set_durable(ring, stream->agent.appended_seq, index);
    kdp_ring_taken(ring, 0);
    return 0;
}

static void
block(struct kdp_stream *stream, const char *why, int64_t mono_ns)
{
    stream->agent.retry_ns = mono_ns + RETRY_NS;
    if (atomic_load_explicit(&stream->blocked, memory_order_relaxed) == NULL)
        kdp_counter_add(stream->agent.blocked, 1);
    atomic_store_explicit(&stream->blocked, why, memory_order_release);
}

static int
give_up(struct kdp_stream *stream, int rc)
{
    snprintf(stream->failed_text, sizeof stream->failed_text, "%s", kdp_error_text());
    atomic_store_explicit(&stream->failed, rc, memory_order_release);
    return rc;
}

/* What a step's result means: a full disk is waited for, anything else ends the agent. */
static int
judge(struct kdp_stream *stream, int rc, const char *why, int64_t mono_ns)
{
    if (rc == -KDP_EFULL) {
        block(stream, why, mono_ns);
        return rc;
    }
    return rc < 0 ? give_up(stream, rc) : 0;
}

static int
keep_in_bounds(struct kdp_stream *stream, int64_t mono_ns)
{
    uint64_t quota = stream->config.quota_bytes;
    bool full = quota != 0 && stream->agent.used + stream->agent.written > quota;

    if (!full && mono_ns < stream->agent.retention_ns)
        return 0;
    stream->agent.retention_ns = mono_ns + RETENTION_NS;
    return judge(stream, kdpi_retention(stream), stream->quota_text, mono_ns);
}

/* Makes durable what is published now, whatever the time: 0, -KDP_EFULL (blocked says why), or the error that stopped the
 * agent. */
static int
judged_cycle(struct kdp_stream *stream, int64_t mono_ns)
{
    int64_t begun_ns = kdpi_mono_ns(), took_ns;
    int rc = kdp_stream_failed(stream);

    stream->agent.last_sync_ns = mono_ns;
    if (rc == 0)
        rc = keep_in_bounds(stream, mono_ns);
    if (rc != 0)
        return rc;
    rc = judge(stream, cycle(stream), disk_full, mono_ns);
    if (rc == -KDP_EFULL) {
        /* make room if the rules allow, for the next try */
        stream->agent.retention_ns = mono_ns;
        return rc;
    }
    if (rc != 0)
        return rc;
    atomic_store_explicit(&stream->blocked, NULL, memory_order_release);
    took_ns = kdpi_mono_ns() - begun_ns;
    kdp_counter_add(stream->agent.syncs, 1);
    if ((uint64_t)took_ns > kdp_counter_get(stream->agent.sync_ns_max))
        kdp_counter_set(stream->agent.sync_ns_max, (uint64_t)took_ns);
    return 0;
}

int
kdp_stream_agent_work(struct kdp_stream *stream, int64_t mono_ns)
{
    struct kdp_ring *ring = stream->ring;
    size_t records, inputs, early = kdp_ring_capacity(ring) / 4;
    uint64_t input_end;
    bool unsynced;

    if (atomic_load_explicit(&stream->failed, memory_order_relaxed) != 0)
        return 0;
    if (atomic_load_explicit(&stream->blocked, memory_order_relaxed) != NULL &&
        mono_ns < stream->agent.retry_ns)
        return 0;
    records = kdp_ring_lacking(ring);
    inputs = kdp_ring_input_lacking(ring);
    if (early > CYCLE_BYTES)
        early = CYCLE_BYTES;
    unsynced =
        stream->raw != NULL && kdp_raw_written(stream->raw) >
                                   atomic_load_explicit(&ring->shared->durable.index, memory_order_relaxed);
    if (records >= early || inputs >= ring->raw_bytes / 4 ||
        ((records > 0 || inputs > 0 || unsynced) &&
         mono_ns - stream->agent.last_sync_ns >= stream->config.sync_interval_ns))
        return judged_cycle(stream, mono_ns) == 0 ? (int)(1 + records / KDP_RECORD_MAX) : 0;
    if (inputs < INPUT_RUN || atomic_load_explicit(&stream->blocked, memory_order_relaxed) != NULL)
        return 0;
    input_end = atomic_load_explicit(&ring->shared->input.offset, memory_order_acquire);
    return judge(stream, write_inputs(stream, input_end, false), disk_full, mono_ns) == 0;
}

/* ---- the thread ---- */

static void *
run(void *arg)
{
    struct kdp_stream *stream = arg;
    struct timespec until;
    int64_t wake_ns;
    int did, rc;

    pthread_mutex_lock(&stream->mutex);
    while (!stream->stop) {
        uint64_t wanted = stream->drains_wanted;

        pthread_mutex_unlock(&stream->mutex);
        if (wanted > stream->drains_done) { /* drains_done is this thread's alone to write */
            rc = judged_cycle(stream, kdpi_mono_ns());
            pthread_mutex_lock(&stream->mutex);
            stream->drains_done = wanted;
            stream->drain_rc = rc;
            pthread_cond_broadcast(&stream->done);
            continue;
        }
        did = kdp_stream_agent_work(stream, kdpi_mono_ns());
        pthread_mutex_lock(&stream->mutex);
        if (did > 0 || stream->stop || stream->drains_wanted > stream->drains_done)
            continue;
        /* a sleep and not a signal from the plant: that would cost it a system call where it must not */
        wake_ns = kdpi_mono_ns() +
                  (IDLE_NS < stream->config.sync_interval_ns ? IDLE_NS : stream->config.sync_interval_ns);
        until = (struct timespec){.tv_sec = wake_ns / KDP_NS_PER_S, .tv_nsec = wake_ns % KDP_NS_PER_S};
        pthread_cond_timedwait(&stream->wake, &stream->mutex, &until);
    }
    pthread_mutex_unlock(&stream->mutex);
    return NULL;
}

int
kdp_stream_agent_start(struct kdp_stream *stream)
{
    int rc;

    KDP_ASSERT(!stream->running);
    stream->stop = false;
    rc = pthread_create(&stream->thread, NULL, run, stream);
    if (rc != 0)
        return kdpi_fail_errno(rc, "cannot start the tape agent");
    stream->running = true;
    return 0;
}

static void
explain(struct kdp_stream *stream, int rc)
{
    const char *blocked = kdp_stream_blocked(stream);

    if (rc == -KDP_EFULL && blocked != NULL)
        kdpi_fail(KDP_EFULL, "the tape of %s cannot be written: %s", stream->dir, blocked);
    else if (rc != 0)
        kdp_stream_failed(stream);
}

int
kdp_stream_agent_drain(struct kdp_stream *stream)
{
    uint64_t wanted;
    int rc;

    if (!stream->running) {
        rc = judged_cycle(stream, stream->agent.last_sync_ns); /* by the clock of who steps it */
        explain(stream, rc);
        return rc;
    }
    pthread_mutex_lock(&stream->mutex);
    wanted = ++stream->drains_wanted;
    pthread_cond_signal(&stream->wake);
    while (stream->drains_done < wanted)
        pthread_cond_wait(&stream->done, &stream->mutex);
    rc = stream->drain_rc;
    pthread_mutex_unlock(&stream->mutex);
    explain(stream, rc);
    return rc;
}

const char *
kdp_stream_blocked(const struct kdp_stream *stream)
{
    return atomic_load_explicit(&stream->blocked, memory_order_acquire);
}

int
kdp_stream_failed(const struct kdp_stream *stream)
{
    int rc = atomic_load_explicit(&stream->failed, memory_order_acquire);

    return rc == 0 ? 0 : kdpi_fail((enum kdp_error) - rc, "the tape agent stopped: %s", stream->failed_text);
}

void
kdp_stream_sealed_floor(struct kdp_stream *stream, uint64_t seq)
{
    atomic_store_explicit(&stream->sealed_floor, seq, memory_order_release);
}
