/* reader.c - one reader over the whole stream: tape first, then the ring.
 *
 * Where a record is read from follows from its number alone: the tape has it, or else the ring has it.  What
 * the ring has lost the tape has, since the ring's writer waits for the tape agent; so a reader that was
 * overtaken asks the tape again, and one that comes to the tape's end asks the ring.  DIR/plant is looked at
 * now and then to find a plant that began or ended; all that a plant published is on the tape before the next
 * one makes its ring. */
#include "kdp/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "place.h"
#include "plantfile.h"
#include "reader_private.h"
#include "ring.h"
#include "stream.h"
#include "tape.h"
#include "tape_dict.h"
#include "tape_format.h"

#define PLANT_CHECK_NS (100 * KDP_NS_PER_MS)
#define ANY UINT64_C(0) /* next_seq of a reader that takes whatever comes first */
#define SEAM_TRIES 100  /* to catch up with a tape that grows while it is read */

static uint64_t
seq_of(const void *record)
{
    uint64_t seq;

    memcpy(&seq, (const uint8_t *)record + offsetof(struct kdp_head, seq), sizeof seq);
    return seq;
}

static int64_t
recv_of(const void *record)
{
    int64_t ns;

    memcpy(&ns, (const uint8_t *)record + offsetof(struct kdp_head, recv_ns), sizeof ns);
    return ns;
}

static void
nap(int64_t ns)
{
    struct timespec span = {.tv_sec = ns / KDP_NS_PER_S, .tv_nsec = ns % KDP_NS_PER_S};

    nanosleep(&span, NULL);
}

/* ---- the plant ---- */

static void
leave_ring(struct kdp_reader *reader)
{
    kdp_ring_close(reader->ring);
    reader->ring = NULL;
    reader->in_ring = false;
    reader->ring_learnt = 0;
}

/* Looks whether a plant runs, at most every PLANT_CHECK_NS: true when the ring is another one than before.
 * The ring of a run that was killed stays in use: what it holds beyond the tape is still to come. */
static bool
look_for_plant(struct kdp_reader *reader, bool now)
{
    int64_t ns = kdpi_mono_ns();
    struct kdp_plant_info info;
    bool there;

    if (!now && reader->plant_checked_ns != 0 && ns - reader->plant_checked_ns < PLANT_CHECK_NS)
        return false;
    reader->plant_checked_ns = ns;
    there = kdp_plant_info(reader->dir, &info) == 0;
    reader->plant_runs = there && info.alive;
    if (reader->ring != NULL && there && kdp_ring_session(reader->ring) == info.session)
        return false;
    if (reader->ring != NULL) {
        leave_ring(reader);
        if (!there)
            return true;
    }
    if (!there || kdp_ring_attach(&reader->ring, info.ring, false) != 0) {
        reader->ring = NULL;
        return false;
    }
    if (kdp_ring_session(reader->ring) != info.session) {
        leave_ring(reader); /* between two runs: the next look will do */
        return false;
    }
    reader->plant = info;
    return true;
}

/* How far a durable reader may go. */
static uint64_t
limit_of(const struct kdp_reader *reader)
{
    if (!(reader->flags & KDP_READER_DURABLE))
        return UINT64_MAX;
    if (reader->ring != NULL)
        return kdp_ring_durable_seq(reader->ring);
    return reader->plant_runs ? 0 : UINT64_MAX; /* a plant that ended synced its tape */
}

/* ---- the tape ---- */

/* Sequences that cannot be had any more: says so once and goes on behind them. */
static int
gone(struct kdp_reader *reader, uint64_t first, uint64_t last, const char *why)
{
    reader->next_seq = last + 1;
    return kdpi_fail(KDP_ERANGE, "sequences %llu to %llu cannot be had: %s: %s", (unsigned long long)first,
                     (unsigned long long)last, reader->dir, why);
}

/* Records are missing before block index, which begins behind next_seq. */
static int
step_over(struct kdp_reader *reader, size_t index)
{
    const struct kdp_tape_block *block = kdp_tape_block_at(reader->tape, index);
    struct kdp_tape_segment segment;
    uint64_t first, last, begin;

    if (kdp_tape_segment_at(reader->tape, 0, &segment) && index == 0 &&
        reader->next_seq < segment.first_seq) {
        begin = kdp_tape_begin(reader->tape);
        if (begin > segment.first_seq)
            begin = segment.first_seq; /* its first blocks are lost, which is another matter */
        if (reader->next_seq < begin)
            return gone(reader, reader->next_seq, begin - 1, "the tape begins later (retention)");
    }
    reader->next_seq = block->first_seq;
    switch (kdp_tape_gap(reader->tape, index, &first, &last)) {
    case KDP_TAPE_GAP_LOST:
        return kdpi_tape_lost(reader->tape, index, first, last);
    case KDP_TAPE_GAP_NOTED:
        return kdpi_fail(KDP_ERANGE,
                         "sequences %llu to %llu cannot be had: %s: lost, as kdp tape repair noted",
                         (unsigned long long)first, (unsigned long long)last, reader->dir);
    case KDP_TAPE_GAP_UNUSED: /* never given out; the block's first record says so */
    case KDP_TAPE_GAP_NONE:
        break;
    }
    return 0;
}

static bool
passes(const struct kdp_reader *reader, const struct kdp_tape_block *block)
{
    if ((block->template_mask & reader->template_mask) == 0)
        return false;
    if (reader->instrument != 0) {
        unsigned bit = kdpi_tape_filter_bit(reader->instrument);

        return block->instruments[bit / 64] >> (bit % 64) & 1;
    }
    return true;
}

/* Makes the block's records from next_seq on (not behind limit) the run to read. */
static int
enter_block(struct kdp_reader *reader, size_t index, uint64_t limit)
{
    struct kdp_tape_block block = *kdp_tape_block_at(reader->tape, index);
    const void *records;
    const uint8_t *at, *end;
    int rc = kdpi_tape_load_block(reader->tape, index, &records);

    if (rc == -KDP_EOVERRUN) {
        rc = kdp_tape_refresh(reader->tape);
        return rc < 0 ? rc : 0;
    }
    if (rc != 0) {
        if (block.count > 0)
            reader->next_seq = block.first_seq + block.count; /* goes on behind the damage */
        return rc;
    }
    at = records;
    end = at + block.bytes;
    while (at < end && seq_of(at) < reader->next_seq)
        at += kdpi_tape_record_size(at, (size_t)(end - at));
    reader->at = at;
    reader->run_end_seq = block.first_seq + block.count;
    if (limit < block.first_seq + block.count - 1) {
        reader->run_end_seq = limit + 1;
        while (at < end && seq_of(at) <= limit)
            at += kdpi_tape_record_size(at, (size_t)(end - at));
        end = at;
    }
    reader->end = end;
    reader->definitions = block.template_mask >> KDP_TEMPLATE_DEFINITION & 1;
    return 1;
}

/* 1: a run is there, 0: the tape ends before next_seq (*endp) or may not be read further yet, negative:
 * error. */
static int
from_tape(struct kdp_reader *reader, bool *endp)
{
    uint64_t limit = limit_of(reader);
    size_t index = reader->next_seq == ANY ? 0 : kdp_tape_find(reader->tape, reader->next_seq);

    *endp = false;
    for (; index < kdp_tape_block_count(reader->tape); index++) {
        const struct kdp_tape_block *block = kdp_tape_block_at(reader->tape, index);
        int rc;

        if (block->count == 0) /* unreadable: load tells why */
            return enter_block(reader, index, limit);
        if (block->first_seq > limit)
            return 0;
        if (reader->next_seq == ANY) {
            struct kdp_tape_segment segment;

            kdp_tape_segment_at(reader->tape, 0, &segment);
            reader->next_seq = segment.first_seq;
        }
        if (block->first_seq > reader->next_seq) {
            rc = step_over(reader, index);
            if (rc != 0)
                return rc;
        }
        if (passes(reader, block)) {
            rc = enter_block(reader, index, limit);
            if (rc != 0 || reader->at < reader->end)
                return rc;
            return 0; /* refreshed, or nothing of it within the limit */
        }
        if (block->first_seq + block->count - 1 > limit)
            return 0;
        reader->next_seq = block->first_seq + block->count;
        if (block->recv_running_max_ns >= reader->skip_ns)
            reader->skip_ns = KDP_TIME_NULL;
    }
    if (reader->next_seq == ANY && kdp_tape_last_seq(reader->tape) != 0) {
        /* a tape that has sequences and no block: all of it is lost */
        struct kdp_tape_segment segment;

        if (kdp_tape_segment_at(reader->tape, 0, &segment))
            reader->next_seq = segment.first_seq;
    }
    if (reader->next_seq != ANY && reader->next_seq <= kdp_tape_last_seq(reader->tape))
        return gone(reader, reader->next_seq, kdp_tape_last_seq(reader->tape),
                    "lost, as kdp tape repair noted");
    *endp = true;
    return 0;
}

/* ---- the seam ---- */

/* The tape ended before next_seq.  1: the cursor stands in the ring, 0: nothing there, -KDP_EOVERRUN: it was
 * on the ring and is on the tape by now. */
static int
enter_ring(struct kdp_reader *reader)
{
    uint64_t want = reader->next_seq;
    int rc;

    if (reader->ring == NULL)
        return 0;
    if (want == ANY)
        want = kdp_ring_tail_seq(reader->ring);
    rc = kdp_ring_seek(&reader->cursor, reader->ring, want);
    if (rc == -KDP_ERANGE)
        rc = 0; /* a number not given out yet: wait at the head for it */
    if (rc == 0)
        reader->in_ring = true;
    return rc < 0 ? rc : 1;
}

/* Does anybody take this ring's records to the tape?  In comparisons nobody does. */
static bool
tape_follows(const struct kdp_reader *reader)
{
    struct kdp_plantfile file;

    return kdpi_plantfile_read(reader->dir, &file) != 0 || file.tape;
}

/* Finds where next_seq is read from: 1 (a run of the tape, or in_ring), 0, or an error. */
static int
find_source(struct kdp_reader *reader)
{
    uint64_t tail;
    int rc;

    if (reader->ring == NULL)
        look_for_plant(reader, false);
    for (int tries = 0; tries < SEAM_TRIES; tries++) {
        bool end;

        rc = from_tape(reader, &end);
        if (rc != 0 || !end)
            return rc;
        rc = kdp_tape_refresh(reader->tape);
        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        rc = enter_ring(reader);
        if (rc != -KDP_EOVERRUN)
            return rc;
        /* the ring no longer has it, so the tape must; it was looked at before the ring, so look once more */
        rc = kdp_tape_refresh(reader->tape);
        if (rc < 0)
            return rc;
        if (rc > 0 || reader->next_seq == ANY)
            continue;
        if (reader->next_seq >= kdp_ring_start_seq(reader->ring))
            break;
        /* all of the runs before was on the tape before this ring was made: the rest was never given out */
        reader->next_seq = kdp_ring_start_seq(reader->ring);
    }
    /* A writer that is about to overwrite says so early, up to a step of the ring: what it announced to
     * overwrite may not have been taken to the tape yet, and will be before it is overwritten.  While the
     * disk is full that takes long. */
    if (reader->ring == NULL || reader->next_seq == ANY || tape_follows(reader))
        return 0;
    tail = kdp_ring_tail_seq(reader->ring);
    return gone(reader, reader->next_seq, tail > reader->next_seq ? tail - 1 : reader->next_seq,
                "the ring has lost them, and there is no tape");
}

/* One record of the ring into buf: its size, 0, or -KDP_EOVERRUN after leaving the ring. */
static int
from_ring(struct kdp_reader *reader)
{
    int rc;

    if (reader->flags & KDP_READER_DURABLE && reader->cursor.seq > kdp_ring_durable_seq(reader->ring))
        rc = 0;
    else
        rc = kdp_ring_next(&reader->cursor, reader->buf);
    if (rc == 0 && look_for_plant(reader, false))
        return -KDP_EOVERRUN; /* another ring, or none: what came last is on the tape */
    if (rc == -KDP_EOVERRUN) {
        reader->overruns++;
        reader->in_ring = false;
    }
    return rc;
}

/* ---- records ---- */

/* Is the record behind the place asked for? */
static bool
counts(struct kdp_reader *reader, const void *record)
{
    if (reader->skip_ns == KDP_TIME_NULL)
        return true;
    if (recv_of(record) < reader->skip_ns)
        return false;
    reader->skip_ns = KDP_TIME_NULL;
    return true;
}

static int
tell_pending(struct kdp_reader *reader)
{
    int rc = kdpi_fail((enum kdp_error) - reader->pending, "%s", reader->pending_text);

    if (reader->pending_hint[0] != '\0')
        kdpi_hint("%s", reader->pending_hint);
    reader->pending = 0;
    return rc;
}

int
kdp_reader_next(struct kdp_reader *reader, const struct kdp_head **recp)
{
    *recp = NULL;
    if (reader->pending != 0)
        return tell_pending(reader);
    for (;;) {
        const uint8_t *record;
        int size;

        if (reader->at < reader->end) {
            record = reader->at;
            size = (int)kdpi_tape_record_size(record, (size_t)(reader->end - record));
            reader->at += size;
        } else {
            if (!reader->in_ring) {
                int rc = find_source(reader);

                if (rc <= 0)
                    return rc;
                if (!reader->in_ring)
                    continue;
            }
            size = from_ring(reader);
            if (size == -KDP_EOVERRUN)
                continue;
            if (size <= 0)
                return size;
            record = (const uint8_t *)reader->buf;
            if (seq_of(record) < reader->next_seq)
                continue; /* asked for a number that had not been given out */
        }
        reader->next_seq = seq_of(record) + 1;
        if (((const struct kdp_head *)(const void *)record)->template_id == KDP_TEMPLATE_DEFINITION)
            kdpi_reader_learn(reader, record, (size_t)size);
        if (!counts(reader, record))
            continue;
        *recp = (const struct kdp_head *)(const void *)record;
        return size;
    }
}

int
kdp_reader_run(struct kdp_reader *reader, const void **recordsp, size_t *bytesp)
{
    const struct kdp_head *head;
    const uint8_t *from;
    int size;

    *recordsp = NULL;
    *bytesp = 0;
    from = reader->at;
    if (reader->at >= reader->end || reader->skip_ns != KDP_TIME_NULL) {
        /* the first record alone: it brings the reader to the run it lies in */
        size = kdp_reader_next(reader, &head);
        if (size <= 0)
            return size;
        from = (const uint8_t *)head;
        if (reader->in_ring) {
            *recordsp = head;
            *bytesp = (size_t)size;
            return size;
        }
    }
    for (const uint8_t *at = reader->at; reader->definitions && at < reader->end;) {
        size_t len = kdpi_tape_record_size(at, (size_t)(reader->end - at));

        if (((const struct kdp_head *)(const void *)at)->template_id == KDP_TEMPLATE_DEFINITION)
            kdpi_reader_learn(reader, at, len);
        at += len;
    }
    *recordsp = from;
    *bytesp = (size_t)(reader->end - from);
    reader->at = reader->end;
    reader->next_seq = reader->run_end_seq;
    return (int)*bytesp;
}

/* There may be more: not 0 then, or when next would tell an error, which is kept for it. */
static int
may_have_more(struct kdp_reader *reader)
{
    if (reader->at < reader->end || reader->pending != 0)
        return 1;
    if (reader->in_ring) {
        uint64_t head = reader->flags & KDP_READER_DURABLE ? kdp_ring_durable_seq(reader->ring)
                                                           : kdp_ring_head_seq(reader->ring);

        if (head >= reader->cursor.seq)
            return 1;
        if (!look_for_plant(reader, false))
            return 0;
        reader->in_ring = false;
    }
    reader->pending = find_source(reader);
    if (reader->pending >= 0) {
        reader->pending = 0;
        if (!reader->in_ring)
            return reader->at < reader->end;
        return kdp_ring_head_seq(reader->ring) >= reader->cursor.seq && !(reader->flags & KDP_READER_DURABLE);
    }
    snprintf(reader->pending_text, sizeof reader->pending_text, "%s", kdp_error_text());
    snprintf(reader->pending_hint, sizeof reader->pending_hint, "%s", kdp_error_hint());
    return 1;
}

int
kdp_reader_wait(struct kdp_reader *reader, int timeout_ms)
{
    int64_t until = kdpi_mono_ns() + timeout_ms * KDP_NS_PER_MS, span = 50000;

    for (;;) {
        int64_t left = until - kdpi_mono_ns();
        int rc = may_have_more(reader);

        if (rc != 0)
            return 1;
        if (left <= 0)
            return 0;
        nap(span < left ? span : left);
        /* soon for the first, then seldom: beside a busy plant a sleeper must cost nothing */
        if (span < (reader->ring != NULL ? 2 : 20) * KDP_NS_PER_MS)
            span *= 2;
    }
}

/* ---- opening and seeking ---- */

static int
open_at(struct kdp_reader **readerp, const char *dir, const struct kdp_place *place, unsigned flags)
{
    struct kdp_reader *reader;
    struct stat st;
    int rc;

    *readerp = NULL;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        rc = kdpi_fail(KDP_ENOENT, "no data folder: %s", dir);
        kdpi_hint("Name it with --data DIR; kdp run and kdp replay make one");
        return rc;
    }
    reader = calloc(1, sizeof *reader);
    if (reader == NULL || (reader->dir = strdup(dir)) == NULL) {
        free(reader);
        return kdpi_fail(KDP_ENOMEM, "out of memory: reader of %s", dir);
    }
    reader->flags = flags;
    reader->template_mask = UINT32_MAX;
    reader->skip_ns = KDP_TIME_NULL;
    kdpi_dict_init(&reader->dict);
    rc = kdp_tape_open(&reader->tape, dir);
    if (rc != 0) {
        kdp_reader_close(reader);
        return rc;
    }
    look_for_plant(reader, true);
    switch (place->kind) {
    case KDP_PLACE_OLDEST:
        reader->next_seq = ANY;
        break;
    case KDP_PLACE_SEQ:
        reader->next_seq = place->seq;
        break;
    case KDP_PLACE_NOW:
    case KDP_PLACE_END:
        reader->next_seq = kdp_reader_head(reader);
        if (reader->next_seq != 0)
            reader->next_seq++; /* of an empty stream: whatever comes first */
        break;
    case KDP_PLACE_TIME: {
        size_t index = kdp_tape_find_time(reader->tape, place->ns);

        if (index < kdp_tape_block_count(reader->tape))
            reader->next_seq = kdp_tape_block_at(reader->tape, index)->first_seq;
        else
            reader->next_seq =
                kdp_tape_last_seq(reader->tape) == 0 ? ANY : kdp_tape_last_seq(reader->tape) + 1;
        reader->skip_ns = place->ns;
        break;
    }
    }
    *readerp = reader;
    return 0;
}

int
kdp_reader_open(struct kdp_reader **readerp, const char *dir, const char *from, unsigned flags)
{
    struct kdp_place place;
    int rc = kdpi_place_parse(from, &place);

    *readerp = NULL;
    return rc != 0 ? rc : open_at(readerp, dir, &place, flags);
}

int
kdp_reader_open_seq(struct kdp_reader **readerp, const char *dir, uint64_t seq, unsigned flags)
{
    struct kdp_place place = {.kind = KDP_PLACE_SEQ, .seq = seq};

    return open_at(readerp, dir, &place, flags);
}

void
kdp_reader_close(struct kdp_reader *reader)
{
    if (reader == NULL)
        return;
    kdp_tape_close(reader->tape);
    if (reader->ring != NULL)
        kdp_ring_close(reader->ring);
    kdpi_dict_release(&reader->dict);
    free(reader->dir);
    free(reader);
}

void
kdp_reader_filter(struct kdp_reader *reader, uint32_t template_mask, uint32_t instrument)
{
    reader->template_mask = template_mask;
    reader->instrument = instrument;
}

int
kdp_reader_seek(struct kdp_reader *reader, uint64_t seq)
{
    reader->next_seq = seq; /* 0 is ANY */
    reader->skip_ns = KDP_TIME_NULL;
    reader->at = reader->end = NULL;
    reader->in_ring = false;
    reader->pending = 0;
    return 0;
}

uint64_t
kdp_reader_seq(const struct kdp_reader *reader)
{
    return reader->next_seq;
}

uint64_t
kdp_reader_head(struct kdp_reader *reader)
{
    uint64_t last;

    look_for_plant(reader, false);
    if (reader->ring != NULL && kdp_ring_head_seq(reader->ring) >= kdp_ring_start_seq(reader->ring))
        return kdp_ring_head_seq(reader->ring);
    if (reader->at >= reader->end) /* else the run handed out would move */
        kdp_tape_refresh(reader->tape);
    last = kdp_tape_last_seq(reader->tape);
    return last;
}

uint64_t
kdp_reader_oldest(struct kdp_reader *reader)
{
    uint64_t first;

    if (reader->at >= reader->end)
        kdp_tape_refresh(reader->tape);
    first = kdp_tape_begin(reader->tape);
    if (first == 0 && reader->ring != NULL &&
        kdp_ring_head_seq(reader->ring) >= kdp_ring_start_seq(reader->ring))
        first = kdp_ring_tail_seq(reader->ring);
    return first;
}

/* Clips first..last to from..to: false when nothing is left. */
static bool
clip(uint64_t from, uint64_t to, uint64_t *firstp, uint64_t *lastp)
{
    if (*firstp < from)
        *firstp = from;
    if (*lastp > to)
        *lastp = to;
    return *firstp <= *lastp;
}

int
kdp_reader_hole(struct kdp_reader *reader, uint64_t from, uint64_t to, uint64_t *firstp, uint64_t *lastp)
{
    uint64_t oldest = kdp_reader_oldest(reader), next = from;
    const struct kdp_tape *tape = reader->tape;

    *firstp = 1;
    *lastp = oldest == 0 ? to : oldest - 1;
    if (clip(from, to, firstp, lastp))
        return 1;
    for (size_t i = kdp_tape_find(tape, from); i < kdp_tape_block_count(tape); i++) {
        const struct kdp_tape_block *block = kdp_tape_block_at(tape, i);

        if (block->first_seq > next && kdp_tape_gap(tape, i, firstp, lastp) == KDP_TAPE_GAP_NOTED &&
            clip(from, to, firstp, lastp))
            return 1;
        next = block->first_seq + block->count;
        if (next > to)
            return 0;
    }
    *firstp = next;
    *lastp = kdp_tape_last_seq(tape);
    return *firstp > kdp_tape_begin(tape) && clip(from, to, firstp, lastp);
}

uint64_t
kdp_reader_overruns(const struct kdp_reader *reader)
{
    return reader->overruns;
}
