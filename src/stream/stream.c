/* stream.c - opening and closing a data directory for writing: the rules of restart, as in
 * docs/design/stream.md.
 *
 * What a start finds decides how the sequence goes on:
 *
 *     DIR/plant   ring object     the run before           next number
 *     none        -               none, or without a tape  end of the tape + 1 (1 in an empty directory)
 *     closed      -               ended in order           start_seq of DIR/plant
 *     starting    any             died before it wrote     start_seq of DIR/plant
 *     running     whole           was killed               ring is drained; its last + 1
 *     running     gone, foreign,  power or memory lost     end of the tape + 1 + ring capacity in records
 *                 torn
 *
 * and where it is not the tape's end + 1, START.unused_from names the hole.  Each step leaves the directory
 * in a state of this table, so that a start may itself be killed at any point and the next one ends at the
 * same number. */
#include "stream.h"

#include "clock.h"
#include "error.h"
#include "plantfile.h"
#include "ring_layout.h"
#include "stream_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_BYTES ((size_t)256 << 20)
#define RAW_RING_BYTES ((size_t)64 << 20)
#define SYNC_NS (10 * KDP_NS_PER_MS)
#define TAPE_KEEP_NS (2 * KDP_NS_PER_DAY)
#define RAW_KEEP_NS (7 * KDP_NS_PER_DAY)
#define DRAIN_RUN ((size_t)1 << 20)
#define DEFINITION_MIN 120u /* bytes of the shortest Definition with a ticker */
/* Ids that may have been given out and seen in a ring that is lost, but never reached the disk.  The ring
 * could hold more definitions than this; but they are durable within a sync interval, and so many new markets
 * in that time do not exist. */
#define IDS_LOST_MAX 65536u

struct found { /* what the run before left, after it was tidied up */
    struct kdp_plantfile file;
    uint64_t tape_last, raw_last; /* 0: none */
    uint64_t ring_last;           /* last number published in the ring that was drained, 0: no ring */
    uint64_t applied;
    bool ring_lost;    /* it cannot be had, or is not to be believed */
    bool ring_foreign; /* it is another directory's and stays */
};

static int
random_session(uint64_t *sessionp)
{
    do
        if (getrandom(sessionp, sizeof *sessionp, 0) != sizeof *sessionp)
            return kdpi_fail_errno(errno, "cannot draw a random session number");
    while (*sessionp == 0);
    return 0;
}

static void
fill_defaults(struct kdp_stream_config *config)
{
    if (config->ring_bytes == 0)
        config->ring_bytes = RING_BYTES;
    if (config->raw_ring_bytes == 0)
        config->raw_ring_bytes = RAW_RING_BYTES;
    if (config->sync_interval_ns == 0)
        config->sync_interval_ns = SYNC_NS;
    if (config->tape_keep_ns == 0)
        config->tape_keep_ns = TAPE_KEEP_NS;
    if (config->raw_keep_ns == 0)
        config->raw_keep_ns = RAW_KEEP_NS;
}

static int
open_folder(struct kdp_stream *stream, const char *dir)
{
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        int errnum = errno, rc = kdpi_fail_errno(errnum, "cannot make the data folder %s", dir);

        kdpi_folder_hint(errnum);
        return rc;
    }
    if (realpath(dir, stream->dir) == NULL)
        return kdpi_fail_errno(errno, "cannot open data directory %s", dir);
    if (strlen(stream->dir) + 64 >= sizeof stream->dir)
        return kdpi_fail(KDP_EINVAL, "path of the data directory is too long: %.64s...", stream->dir);
    stream->config.dir = stream->dir;
    stream->started_ns = kdpi_now_ns();
    stream->lock_fd = kdpi_plant_lock(stream->dir, stream->started_ns);
    return stream->lock_fd < 0 ? stream->lock_fd : 0;
}

/* ---- taking over what a killed run left in its ring ---- */

static int
drain_inputs(struct kdp_stream *stream, struct kdp_ring *ring, struct found *found)
{
    struct kdp_raw_config config = {.dir = stream->dir,
                                    .session = kdp_ring_session(ring),
                                    .segment_bytes = stream->config.segment_bytes,
                                    .level = stream->config.raw_level};
    struct kdp_raw_writer *writer = NULL;
    struct kdp_input_head head;
    const void *inputs;
    uint64_t cut;
    size_t bytes, skip;
    int rc = 0, closed;

    while (rc == 0 && (bytes = kdp_ring_input_take(ring, DRAIN_RUN, &inputs)) > 0) {
        /* written, and killed before their room was given back */
        for (skip = 0; skip < bytes; skip += (sizeof head + head.length + 7) & ~(size_t)7) {
            memcpy(&head, (const uint8_t *)inputs + skip, sizeof head);
            if (head.index > found->raw_last)
                break;
        }
        if (skip < bytes && writer == NULL)
            rc = kdp_raw_writer_open(&writer, &config, head.index, &cut);
        if (skip < bytes && rc == 0)
            rc = kdp_raw_append(writer, (const uint8_t *)inputs + skip, bytes - skip);
        if (rc == 0)
            kdp_ring_input_taken(ring, bytes);
    }
    if (writer == NULL)
        return rc;
    if (rc == 0)
        found->raw_last = kdp_raw_written(writer);
    closed = kdp_raw_writer_close(writer); /* syncs: before any record that they made is written */
    return rc != 0 ? rc : closed;
}

static int
drain_records(struct kdp_stream *stream, struct kdp_ring *ring, struct found *found)
{
    struct kdp_tape_config config = {
        .dir = stream->dir, .session = kdp_ring_session(ring), .segment_bytes = stream->config.segment_bytes};
    struct kdp_tape_writer *writer = NULL;
    const void *run;
    uint64_t cut, last = 0;
    size_t bytes;
    int rc = 0, closed;

    /* the whole run, since its records are looked at one by one here: the memory is not trusted as a live
     * ring's is */
    while (rc == 0 && (bytes = kdp_ring_take(ring, SIZE_MAX, &run)) > 0) {
        const uint8_t *at = run, *end = at + bytes, *from = at;

        while (rc == 0 && from < end) {
            size_t size = 0;

            for (at = from; at < end && (size_t)(at - from) < DRAIN_RUN; at += size) {
                size = kdpi_ring_record_size(at, (size_t)(end - at));
                if (size == 0 || ((const struct kdp_head *)(const void *)at)->seq <= found->tape_last)
                    break;
            }
            if (at > from) {
                if (writer == NULL)
                    rc = kdp_tape_writer_open(&writer, &config,
                                              ((const struct kdp_head *)(const void *)from)->seq, &cut);
                if (rc == 0)
                    rc = kdpi_agent_note(stream, from, (size_t)(at - from), &last);
                if (rc == 0)
                    rc = kdpi_instruments_sync(stream->instruments);
                if (rc == 0)
                    rc = kdp_tape_append(writer, from, (size_t)(at - from), found->raw_last);
                if (rc != 0)
                    break;
                stream->taken_over += last - ((const struct kdp_head *)(const void *)from)->seq + 1;
                found->tape_last = last;
                from = at;
            } else if (size == 0) {
                rc = kdpi_fail(KDP_EFORMAT, "ring %s: no record behind sequence %" PRIu64, found->file.ring,
                               found->tape_last);
            } else {
                from = at + size; /* on the tape already */
            }
        }
        kdp_ring_passed(ring, bytes);
    }
    if (writer == NULL)
        return rc;
    if (rc == 0)
        rc = kdp_tape_sync(writer);
    closed = kdp_tape_writer_close(writer);
    return rc != 0 ? rc : closed;
}

/* Says whether a ring belongs to this directory.  A copy of a directory carries the DIR/plant of the
 * original, whose ring may be alive; a directory that was moved has its own ring, with a path that is no
 * more. */
static bool
is_ours(const struct kdp_stream *stream, const struct kdp_ring *ring, uint64_t session)
{
    struct stat here, there;

    if (kdp_ring_session(ring) != session || stat(stream->dir, &here) != 0)
        return false;
    return stat(ring->header->tape_dir, &there) != 0 ||
           (here.st_dev == there.st_dev && here.st_ino == there.st_ino);
}

/* Brings what the ring of a killed run holds to the tapes.  A ring that cannot be had, or is not to be
 * believed, is lost: no error.  An error is one of the disk's, and the ring stays for the next start. */
static int
take_over(struct kdp_stream *stream, struct found *found)
{
    struct kdp_ring *ring;
    int rc = kdp_ring_attach(&ring, found->file.ring, true);

    if (rc != 0) {
        found->ring_lost = true;
        return 0;
    }
    found->ring_foreign = !is_ours(stream, ring, found->file.session);
    if (found->ring_foreign || kdp_ring_recover(ring) != 0) {
        found->ring_lost = true;
        kdp_ring_close(ring);
        return 0;
    }
    rc = found->file.raw ? drain_inputs(stream, ring, found) : 0;
    if (rc == 0 && found->file.tape)
        rc = drain_records(stream, ring, found);
    if (rc == -KDP_EFORMAT) {
        found->ring_lost = true;
        rc = 0;
    }
    found->ring_last = kdp_ring_head_seq(ring);
    found->applied = kdp_ring_applied_input(ring);
    if (kdp_ring_head_input(ring) > found->raw_last)
        found->raw_last = kdp_ring_head_input(ring); /* the raw tape was off */
    kdp_ring_close(ring);
    return rc;
}

static int
look_at_tape(struct kdp_stream *stream, struct found *found)
{
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;
    int rc = kdp_tape_open(&tape, stream->dir);

    if (rc != 0)
        return rc;
    found->tape_last = kdp_tape_last_seq(tape);
    for (size_t i = 0; kdp_tape_segment_at(tape, i, &segment); i++)
        if (segment.recv_running_max_ns > stream->agent.newest_ns)
            stream->agent.newest_ns = segment.recv_running_max_ns;
    kdp_tape_close(tape);
    return kdp_raw_last_index(stream->dir, &found->raw_last);
}

/* Finds out what there is and brings it in order. */
static int
tidy_up(struct kdp_stream *stream, struct found *found)
{
    int rc = kdpi_plantfile_read(stream->dir, &found->file);

    if (rc == -KDP_EFORMAT || rc == -KDP_ECHECKSUM) {
        /* that a run had begun is all it says: believe the least, a ring of the usual size and lost */
        found->file = (struct kdp_plantfile){.state = KDP_PLANT_RUNNING, .start_seq = 1};
        rc = 0;
    }
    if (rc == 0)
        rc = look_at_tape(stream, found);
    if (rc == 0 && stream->config.refuse_existing &&
        (found->tape_last != 0 || found->raw_last != 0 || found->file.state == KDP_PLANT_RUNNING)) {
        kdpi_fail(KDP_EEXIST, "data directory %s has a tape already", stream->dir);
        kdpi_hint("--append goes on behind it, --data DIR takes another directory");
        return -KDP_EEXIST;
    }
    if (rc == 0)
        rc = kdpi_instruments_open(&stream->instruments, stream->dir);
    found->applied = found->raw_last;
    if (rc == 0 && found->file.state == KDP_PLANT_RUNNING)
        rc = take_over(stream, found);
    if (rc == 0 && stream->taken_over > 0) {
        /* the list is as read at open: what was taken over may name instruments, which must not get new ids
         */
        kdpi_instruments_close(stream->instruments);
        rc = kdpi_instruments_open(&stream->instruments, stream->dir);
    }
    return rc;
}

/* ---- how the run begins ---- */

static uint64_t
largest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Keeps count ids from being given out. */
static int
reserve_ids(struct kdp_stream *stream, uint64_t count)
{
    uint32_t max = kdpi_instruments_max(stream->instruments);
    int rc;

    if (count == 0)
        return 0;
    if (count > UINT32_MAX - 1 - max)
        return kdpi_fail(KDP_ERANGE, "%s: instrument ids are used up", stream->dir);
    rc = kdpi_instruments_add(stream->instruments, max + (uint32_t)count, "", 0);
    return rc != 0 ? rc : kdpi_instruments_sync(stream->instruments);
}

/* A run on a raw tape that is replayed began behind a hole: so does the replay of it. */
static int
jump_as_recorded(struct kdp_stream *stream)
{
    const struct kdp_stream_config *config = &stream->config;
    uint32_t next = kdpi_instruments_max(stream->instruments) + 1;

    if (config->next_seq <= stream->start.next_seq)
        return 0;
    stream->start.next_seq = config->next_seq;
    stream->start.flags |= KDP_START_RING_LOST;
    return reserve_ids(stream, config->next_instrument > next ? config->next_instrument - next : 0);
}

static int
plan_start(struct kdp_stream *stream, const struct found *found)
{
    struct kdp_input_start *start = &stream->start;
    const struct kdp_plantfile *file = &found->file;
    uint64_t last = found->tape_last, ring_bytes, ids;
    int rc = random_session(&start->session);

    if (rc != 0)
        return rc;
    start->applied = found->applied;
    start->next_seq = largest(largest(last + 1, file->start_seq), found->ring_last + 1);
    /* a start that died before it wrote anything leaves the directory as fresh as it was */
    if ((file->state == KDP_PLANT_NONE || file->state == KDP_PLANT_STARTING) && start->next_seq == 1 &&
        found->raw_last == 0 && kdpi_instruments_max(stream->instruments) == 0)
        start->flags = KDP_START_FRESH;
    else if (file->state == KDP_PLANT_STARTING || file->state == KDP_PLANT_RUNNING)
        start->flags = KDP_START_KILLED;
    if (found->ring_lost) {
        /* room is given back only after it is synced, so that no more than a ring full can have been seen
         * beyond the tape's end */
        ring_bytes =
            file->ring_bytes != 0 ? file->ring_bytes : largest(RING_BYTES, stream->config.ring_bytes);
        start->next_seq =
            largest(start->next_seq, largest(last + 1, file->start_seq) + ring_bytes / KDP_RING_RECORD_MIN);
        start->flags |= KDP_START_RING_LOST;
        ids = ring_bytes / DEFINITION_MIN < IDS_LOST_MAX ? ring_bytes / DEFINITION_MIN : IDS_LOST_MAX;
        rc = reserve_ids(stream, ids);
        if (rc != 0)
            return rc;
    }
    rc = jump_as_recorded(stream);
    if (rc != 0)
        return rc;
    if (start->next_seq > last + 1 && (file->tape || (start->flags & KDP_START_RING_LOST) != 0 || last != 0))
        start->unused_from = last + 1;
    start->next_instrument = kdpi_instruments_max(stream->instruments) + 1;
    /* of the records, not of the inputs: a replay, which has the records, says the same */
    start->last_ns = stream->agent.newest_ns > INT64_MIN ? stream->agent.newest_ns : KDP_TIME_NULL;
    stream->tape_last = last;
    return 0;
}

static void
remove_ring(const char *name)
{
    if (name[0] != '\0')
        kdp_ring_unlink(name); /* gone is as good as removed */
}

static int
make_ring(struct kdp_stream *stream, const struct found *found)
{
    struct kdp_plantfile file = {.state = KDP_PLANT_STARTING,
                                 .session = stream->start.session,
                                 .start_seq = stream->start.next_seq,
                                 .ring_bytes = stream->config.ring_bytes,
                                 .started_ns = stream->started_ns,
                                 .pid = getpid(),
                                 .raw = !stream->config.raw_off,
                                 .tape = !stream->config.tape_off};
    struct kdp_ring_config config = {.name = stream->ring_name,
                                     .bytes = stream->config.ring_bytes,
                                     .raw_bytes = stream->config.raw_ring_bytes,
                                     .session = stream->start.session,
                                     .start_seq = stream->start.next_seq,
                                     .start_input = found->raw_last + 1,
                                     .tape_dir = stream->dir};
    int rc;

    snprintf(stream->ring_name, sizeof stream->ring_name, "/kdp-%016" PRIx64, stream->start.session);
    memcpy(file.ring, stream->ring_name, sizeof file.ring);
    if (!found->ring_foreign)
        memcpy(file.old_ring, found->file.ring, sizeof file.old_ring);
    remove_ring(found->file.old_ring); /* that one was drained by a start before */
    rc = kdpi_plantfile_write(stream->dir, &file);
    if (rc != 0)
        return rc;
    if (!found->ring_foreign)
        remove_ring(found->file.ring);
    rc = kdp_ring_create(&stream->ring, &config);
    if (rc != 0)
        return rc;
    file.state = KDP_PLANT_RUNNING;
    file.old_ring[0] = '\0';
    return kdpi_plantfile_write(stream->dir, &file);
}

static int
open_writers(struct kdp_stream *stream, const struct found *found)
{
    struct kdp_raw_config raw = {.dir = stream->dir,
                                 .session = stream->start.session,
                                 .segment_bytes = stream->config.segment_bytes,
                                 .level = stream->config.raw_level};
    struct kdp_tape_config tape = {
        .dir = stream->dir, .session = stream->start.session, .segment_bytes = stream->config.segment_bytes};
    uint64_t cut;
    int rc = 0;

    if (!stream->config.raw_off)
        rc = kdp_raw_writer_open(&stream->raw, &raw, found->raw_last + 1, &cut);
    if (rc == 0 && !stream->config.tape_off)
        rc = kdp_tape_writer_open(&stream->tape, &tape, stream->start.next_seq, &cut);
    return rc;
}

static void
make_counters(struct kdp_stream *stream)
{
    /* the table is empty, so none of these is refused */
    stream->agent.tape_bytes = kdp_ring_counter(stream->ring, "kdp_tape_bytes_total");
    stream->agent.input_bytes = kdp_ring_counter(stream->ring, "kdp_input_bytes_total");
    stream->agent.syncs = kdp_ring_counter(stream->ring, "kdp_tape_syncs_total");
    stream->agent.sync_ns_max = kdp_ring_counter(stream->ring, "kdp_tape_sync_ns_max");
    stream->agent.blocked = kdp_ring_counter(stream->ring, "kdp_tape_blocked_total");
}

static int
init_threading(struct kdp_stream *stream)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0 || pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&stream->wake, &attr) != 0 || pthread_cond_init(&stream->done, &attr) != 0 ||
        pthread_mutex_init(&stream->mutex, NULL) != 0)
        return kdpi_fail(KDP_ENOMEM, "no memory for the tape agent");
    pthread_condattr_destroy(&attr);
    return 0;
}

static void
stream_free(struct kdp_stream *stream)
{
    kdpi_retention_close(stream);
    kdpi_instruments_close(stream->instruments);
    kdp_ring_close(stream->ring);
    if (stream->lock_fd >= 0)
        close(stream->lock_fd);
    pthread_mutex_destroy(&stream->mutex);
    pthread_cond_destroy(&stream->wake);
    pthread_cond_destroy(&stream->done);
    free(stream);
}

/* The ring was made and then something failed: nothing was published in it, so DIR/plant goes back to
 * "starting".  What fails here as well is left to the next start; the first error's words stay. */
static void
abandon(struct kdp_stream *stream)
{
    char text[512], hint[512];
    struct kdp_plantfile file;

    snprintf(text, sizeof text, "%s", kdp_error_text());
    snprintf(hint, sizeof hint, "%s", kdp_error_hint());
    if (kdpi_plantfile_read(stream->dir, &file) == 0) {
        file.state = KDP_PLANT_STARTING;
        if (kdpi_plantfile_write(stream->dir, &file) == 0)
            remove_ring(stream->ring_name);
    }
    kdpi_fail(KDP_EIO, "%s", text);
    if (hint[0] != '\0')
        kdpi_hint("%s", hint);
}

int
kdp_stream_open(struct kdp_stream **streamp, const struct kdp_stream_config *config,
                struct kdp_input_start *startp)
{
    struct kdp_stream *stream = aligned_alloc(64, (sizeof *stream + 63) / 64 * 64);
    struct found found = {0};
    int rc;

    *streamp = NULL;
    if (stream == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a stream");
    memset(stream, 0, sizeof *stream);
    stream->lock_fd = -1;
    stream->config = *config;
    stream->agent.newest_ns = INT64_MIN;
    fill_defaults(&stream->config);
    snprintf(stream->quota_text, sizeof stream->quota_text, "quota of %.1f GiB is used up",
             (double)stream->config.quota_bytes / (double)(1 << 30));
    rc = init_threading(stream);
    if (rc == 0)
        rc = open_folder(stream, config->dir);
    if (rc == 0)
        rc = tidy_up(stream, &found);
    if (rc == 0)
        rc = plan_start(stream, &found);
    if (rc == 0)
        rc = make_ring(stream, &found);
    if (rc == 0)
        rc = open_writers(stream, &found);
    if (rc != 0) {
        if (stream->ring != NULL)
            abandon(stream);
        kdp_raw_writer_close(stream->raw);
        stream_free(stream);
        return rc;
    }
    make_counters(stream);
    stream->agent.appended_seq = stream->start.next_seq - 1;
    *startp = stream->start;
    *streamp = stream;
    return 0;
}

struct kdp_ring *
kdp_stream_ring(struct kdp_stream *stream)
{
    return stream->ring;
}

const struct kdp_stream_instrument *
kdp_stream_instruments(const struct kdp_stream *stream, size_t *countp)
{
    return kdpi_instruments_list(stream->instruments, countp);
}

uint64_t
kdp_stream_taken_over(const struct kdp_stream *stream)
{
    return stream->taken_over;
}

/* ---- closing ---- */

static void
stop_agent(struct kdp_stream *stream)
{
    if (!stream->running)
        return;
    pthread_mutex_lock(&stream->mutex);
    stream->stop = true;
    pthread_cond_signal(&stream->wake);
    pthread_mutex_unlock(&stream->mutex);
    pthread_join(stream->thread, NULL);
    stream->running = false;
}

/* All is on the tapes.  First DIR/plant says so, then the ring goes, so that a kill between the two is no
 * lost ring. */
static int
leave_in_order(struct kdp_stream *stream)
{
    struct kdp_plantfile file;
    int rc = kdpi_plantfile_read(stream->dir, &file);
    bool keep;

    if (rc != 0)
        return rc;
    /* the next start must not fall back behind a jump that no record has shown yet, nor behind the end of a
     * tape that is whole now and cut then: stores may have what it lost, and a number must not mean two
     * things */
    keep = (stream->start.unused_from != 0 && stream->agent.appended_seq < stream->start.next_seq) ||
           (file.tape && stream->agent.appended_seq > 0);
    file.state = KDP_PLANT_CLOSED;
    file.start_seq = stream->agent.appended_seq + 1;
    rc = kdpi_plantfile_write(stream->dir, &file);
    if (rc != 0)
        return rc;
    rc = kdp_ring_unlink(stream->ring_name);
    if (rc != 0 || !keep)
        return rc != 0 && rc != -KDP_ENOENT ? rc : kdpi_plantfile_remove(stream->dir);
    file.ring[0] = '\0';
    return kdpi_plantfile_write(stream->dir, &file);
}

int
kdp_stream_close(struct kdp_stream *stream)
{
    int rc, later;
    bool drained;

    if (stream == NULL)
        return 0;
    rc = kdp_stream_agent_drain(stream);
    drained = rc == 0;
    stop_agent(stream);
    later = kdp_raw_writer_close(stream->raw);
    rc = rc != 0 ? rc : later;
    later = kdp_tape_writer_close(stream->tape);
    rc = rc != 0 ? rc : later;
    if (drained) {
        later = leave_in_order(stream);
        rc = rc != 0 ? rc : later;
    }
    stream_free(stream);
    return rc;
}
