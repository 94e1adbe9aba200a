/* test_reader.c - tape and ring read as one stream, whatever the plant does meanwhile. */
#include "clock.h"
#include "error.h"
#include "kdp/reader.h"
#include "kdp_test.h"
#include "made_records.h"
#include "place.h"
#include "stream.h"
#include "tape.h"
#include "tape_fixture.h"
#include "tape_format.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS KDP_NS_PER_MS

/* ---- a plant's writing side, by hand ---- */

struct plant {
    const struct tape_fixture *f;
    struct kdp_stream *stream;
    struct kdp_ring *ring;
    uint64_t at; /* records of the fixture published */
    int64_t mono_ns;
};

static void
plant_open(struct plant *plant, const struct tape_fixture *f, const char *dir, size_t ring_bytes)
{
    struct kdp_stream_config config = {
        .dir = dir, .ring_bytes = ring_bytes, .raw_off = true, .segment_bytes = 60000, .sync_interval_ns = 1};
    struct kdp_input_start start;

    plant->f = f;
    plant->mono_ns = kdpi_mono_ns();
    if (kdp_stream_open(&plant->stream, &config, &start) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    plant->ring = kdp_stream_ring(plant->stream);
    plant->at = start.next_seq - f->first_seq;
}

/* One duty cycle of the agent: what is published goes to the tape and is synced. */
static void
plant_work(struct plant *plant)
{
    plant->mono_ns += 20 * MS;
    CHECK(kdp_stream_agent_work(plant->stream, plant->mono_ns) >= 0);
}

static void
plant_publish(struct plant *plant, uint64_t count)
{
    for (; count > 0 && plant->at < plant->f->count; count--, plant->at++) {
        size_t size = plant->f->offsets[plant->at + 1] - plant->f->offsets[plant->at];
        void *room;

        while ((room = kdp_ring_claim(plant->ring, size)) == NULL) {
            kdp_ring_publish(plant->ring);
            plant_work(plant);
        }
        memcpy(room, plant->f->bytes + plant->f->offsets[plant->at], size);
        kdp_ring_commit(plant->ring, size);
    }
    kdp_ring_publish(plant->ring);
}

static void
plant_close(struct plant *plant)
{
    CHECK_INT(kdp_stream_close(plant->stream), 0);
}

/* ---- reading ---- */

static struct kdp_reader *
reader_at(const char *dir, const char *from, unsigned flags)
{
    struct kdp_reader *reader;

    if (kdp_reader_open(&reader, dir, from, flags) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    return reader;
}

/* Reads until there is none at the moment; each must be the fixture's next.  *nextp is the index of the next
 * expected. */
static uint64_t
read_on(struct kdp_reader *reader, const struct tape_fixture *f, uint64_t *nextp, uint64_t max)
{
    uint64_t came = 0;

    while (came < max) {
        const struct kdp_head *rec;
        int size = kdp_reader_next(reader, &rec);

        if (size < 0)
            kdp_test_fail(__FILE__, __LINE__, "at %llu: %s", (unsigned long long)*nextp, kdp_error_text());
        if (size == 0)
            break;
        if (rec->seq != f->first_seq + *nextp)
            kdp_test_fail(__FILE__, __LINE__, "got sequence %llu, want %llu", (unsigned long long)rec->seq,
                          (unsigned long long)(f->first_seq + *nextp));
        CHECK_INT(size, f->offsets[*nextp + 1] - f->offsets[*nextp]);
        CHECK_MEM(rec, f->bytes + f->offsets[*nextp], (size_t)size);
        ++*nextp;
        came++;
    }
    return came;
}

static void
reads_exactly(const char *dir, const char *from, const struct tape_fixture *f, uint64_t first, uint64_t end)
{
    struct kdp_reader *reader = reader_at(dir, from, 0);

    read_on(reader, f, &first, UINT64_MAX);
    CHECK_INT(first, end);
    kdp_reader_close(reader);
}

/* ---- places ---- */

KDP_TEST(a_folder_that_is_not_there_is_an_error)
{
    struct kdp_reader *reader;
    char dir[600];

    snprintf(dir, sizeof dir, "%s/none", kdp_test_dir());
    CHECK_INT(kdp_reader_open(&reader, dir, "oldest", 0), -KDP_ENOENT);
    CHECK(reader == NULL);
    CHECK_INT(kdp_reader_open(&reader, kdp_test_dir(), "15:04", 0), -KDP_EUSAGE);
    CHECK(reader == NULL);
}

/* ---- tape alone ---- */

KDP_TEST(a_tape_without_a_plant_reads_from_any_place)
{
    struct tape_fixture *f = tape_fixture_new(300000, 1, 20);
    const char *dir = kdp_test_dir();
    struct kdp_reader *reader;
    const struct kdp_head *rec;
    char from[32];

    tape_fixture_write(f, dir, 60000, 4000, true);
    reads_exactly(dir, "oldest", f, 0, f->count);
    reads_exactly(dir, "0", f, 0, f->count);
    for (uint64_t seq = 1; seq <= f->count; seq += 1 + f->count / 40) {
        snprintf(from, sizeof from, "%llu", (unsigned long long)seq);
        reads_exactly(dir, from, f, seq - 1, f->count);
    }
    reader = reader_at(dir, "now", 0);
    CHECK_INT(kdp_reader_next(reader, &rec), 0);
    CHECK_INT(kdp_reader_seq(reader), f->count + 1);
    CHECK_INT(kdp_reader_head(reader), f->count);
    CHECK_INT(kdp_reader_oldest(reader), 1);
    CHECK_INT(kdp_reader_wait(reader, 30), 0);
    CHECK_INT(kdp_reader_seek(reader, 5), 0);
    CHECK(kdp_reader_next(reader, &rec) > 0);
    CHECK_INT(rec->seq, 5);
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

/* The first record received at or after the time: at a record's own time, one ns before and after, before
 * all, after all. */
KDP_TEST(a_time_finds_the_first_record_received_at_or_after_it)
{
    struct tape_fixture *f = tape_fixture_new(60000, 1, 5);
    const char *dir = kdp_test_dir();
    char from[KDPI_TIME_TEXT];

    tape_fixture_write(f, dir, 20000, 2000, true);
    for (uint64_t i = 0; i < f->count; i += 7) {
        for (int64_t shift = -1; shift <= 1; shift++) {
            struct kdp_head head;
            int64_t ns;
            uint64_t want = 0;

            memcpy(&head, f->bytes + f->offsets[i], sizeof head);
            ns = head.recv_ns + shift;
            while (want < f->count) {
                memcpy(&head, f->bytes + f->offsets[want], sizeof head);
                if (head.recv_ns >= ns)
                    break;
                want++;
            }
            kdpi_time_format(from, ns, 9);
            reads_exactly(dir, from, f, want, f->count);
        }
    }
    reads_exactly(dir, "1970-01-01", f, 0, f->count);
    {
        struct kdp_reader *reader = reader_at(dir, "2200-01-01", 0);
        const struct kdp_head *rec;

        CHECK_INT(kdp_reader_next(reader, &rec), 0);
        kdp_reader_close(reader);
    }
    tape_fixture_free(f);
}

KDP_TEST(runs_hold_the_same_records)
{
    struct tape_fixture *f = tape_fixture_new(300000, 1, 20);
    const char *dir = kdp_test_dir();

    tape_fixture_write(f, dir, 60000, 4000, true);
    for (uint64_t first = 0; first < f->count; first += 211) {
        struct kdp_reader *reader;
        const void *records;
        size_t bytes, at = f->offsets[first];
        unsigned runs = 0;

        CHECK_INT(kdp_reader_open_seq(&reader, dir, first + 1, 0), 0);
        while (kdp_reader_run(reader, &records, &bytes) > 0) {
            CHECK(at + bytes <= f->len);
            CHECK_MEM(records, f->bytes + at, bytes);
            at += bytes;
            runs++;
        }
        CHECK_INT(at, f->len);
        CHECK(runs < (f->len - f->offsets[first]) / 2500 + 10); /* blocks, not records */
        CHECK_INT(kdp_reader_seq(reader), f->count + 1);
        kdp_reader_close(reader);
    }
    tape_fixture_free(f);
}

KDP_TEST(a_filter_skips_blocks_and_no_record_asked_for)
{
    struct tape_fixture *f = tape_fixture_new(400000, 1, 400);
    const char *dir = kdp_test_dir();
    uint64_t wanted = 0, came = 0, all = 0;
    const struct kdp_head *rec;
    struct kdp_reader *reader;

    tape_fixture_write(f, dir, 60000, 1500, true);
    for (uint64_t i = 0; i < f->count; i++) {
        struct kdp_head head;

        memcpy(&head, f->bytes + f->offsets[i], sizeof head);
        wanted += head.instrument == 300;
    }
    CHECK(wanted > 0);
    reader = reader_at(dir, "oldest", 0);
    kdp_reader_filter(reader, UINT32_MAX, 300);
    while (kdp_reader_next(reader, &rec) > 0) {
        came += rec->instrument == 300;
        all++;
    }
    CHECK_INT(came, wanted);
    CHECK(all < f->count / 4);
    CHECK_INT(kdp_reader_seek(reader, 0), 0);
    kdp_reader_filter(reader, 1u << KDP_TEMPLATE_TICKER, 0); /* there are none */
    CHECK_INT(kdp_reader_next(reader, &rec), 0);
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

KDP_TEST(damage_is_told_once_and_reading_goes_on_behind_it)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 20);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct kdp_tape_block bad;
    struct kdp_tape *tape;
    struct kdp_reader *reader;
    const struct kdp_head *rec;
    uint64_t next = 0;
    uint8_t byte;
    int fd, size, errors = 0;

    tape_fixture_write(f, dir, 60000, 4000, true);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    CHECK(kdp_tape_segment_at(tape, 1, &segment));
    bad = *kdp_tape_block_at(tape, kdp_tape_find(tape, segment.first_seq) + 2);
    CHECK_INT(chmod(segment.path, 0644), 0);
    fd = open(segment.path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &byte, 1, (off_t)bad.offset + 250) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, (off_t)bad.offset + 250) == 1);
    close(fd);
    kdp_tape_close(tape);
    reader = reader_at(dir, "oldest", 0);
    while ((size = kdp_reader_next(reader, &rec)) != 0) {
        if (size < 0) {
            CHECK_INT(size, -KDP_ECHECKSUM);
            CHECK(strstr(kdp_error_text(), "bad checksum: ") != NULL);
            CHECK_INT(next + 1, bad.first_seq);
            next += bad.count;
            errors++;
            continue;
        }
        CHECK_INT(rec->seq, ++next);
    }
    CHECK_INT(next, f->count);
    CHECK_INT(errors, 1);
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

/* ---- the ring, and the seam ---- */

KDP_TEST(records_that_are_not_on_the_tape_yet_come_from_the_ring)
{
    struct tape_fixture *f = tape_fixture_new(100000, 1, 20);
    const char *dir = kdp_test_dir();
    struct plant plant;
    char from[32];

    plant_open(&plant, f, dir, 1 << 20);
    reads_exactly(dir, "oldest", f, 0, 0);
    plant_publish(&plant, UINT64_MAX);
    reads_exactly(dir, "oldest", f, 0, f->count);
    reads_exactly(dir, "now", f, f->count, f->count);
    for (uint64_t seq = 1; seq <= f->count; seq += 97) {
        snprintf(from, sizeof from, "%llu", (unsigned long long)seq);
        reads_exactly(dir, from, f, seq - 1, f->count);
    }
    plant_close(&plant);
    reads_exactly(dir, "oldest", f, 0, f->count);
    tape_fixture_free(f);
}

/* The border between tape and ring at many places, readers that start before it, at it and behind it. */
KDP_TEST(the_seam_is_not_seen)
{
    struct tape_fixture *f = tape_fixture_new(120000, 1, 20);
    const char *dir = kdp_test_dir();
    uint64_t next = 0;
    struct kdp_reader *follower;
    struct plant plant;

    plant_open(&plant, f, dir, 1 << 20);
    follower = reader_at(dir, "oldest", 0);
    while (plant.at < f->count) {
        plant_publish(&plant, 83);
        plant_work(&plant); /* the tape ends here */
        plant_publish(&plant, 41);
        for (uint64_t back = 0; back < 130 && back <= plant.at; back += 13) {
            char from[32];

            snprintf(from, sizeof from, "%llu", (unsigned long long)(plant.at - back + 1));
            reads_exactly(dir, from, f, plant.at - back, plant.at);
        }
        read_on(follower, f, &next, UINT64_MAX);
        CHECK_INT(next, plant.at);
    }
    kdp_reader_close(follower);
    plant_close(&plant);
    tape_fixture_free(f);
}

KDP_TEST(a_time_is_found_in_the_ring_too)
{
    struct tape_fixture *f = tape_fixture_new(60000, 1, 5);
    const char *dir = kdp_test_dir();
    char from[KDPI_TIME_TEXT];
    struct plant plant;

    plant_open(&plant, f, dir, 1 << 20);
    plant_publish(&plant, f->count / 2);
    plant_work(&plant);
    plant_publish(&plant, UINT64_MAX);
    for (uint64_t i = f->count / 4; i < f->count; i += 11) {
        struct kdp_head head;
        uint64_t want = 0;
        int64_t ns;

        memcpy(&head, f->bytes + f->offsets[i], sizeof head);
        ns = head.recv_ns;
        for (; want < f->count; want++) {
            memcpy(&head, f->bytes + f->offsets[want], sizeof head);
            if (head.recv_ns >= ns)
                break;
        }
        kdpi_time_format(from, ns, 9);
        reads_exactly(dir, from, f, want, f->count);
    }
    plant_close(&plant);
    tape_fixture_free(f);
}

/* A ring of 64 KiB goes round many times while the reader stands still; it then goes on from the tape, and
 * from there into the ring again. */
KDP_TEST(a_reader_that_was_overrun_goes_on_from_the_tape)
{
    struct tape_fixture *f = tape_fixture_new(900000, 1, 20);
    const char *dir = kdp_test_dir();
    struct kdp_reader *reader;
    uint64_t next = 0, overruns = 0;
    struct plant plant;

    plant_open(&plant, f, dir, 65536);
    reader = reader_at(dir, "oldest", 0);
    while (plant.at < f->count) {
        plant_publish(&plant, 50);
        CHECK(read_on(reader, f, &next, 20) > 0); /* from the ring, at first */
        plant_publish(&plant, 900);               /* more than a ring */
        /* what the ring is about to overwrite may be on the tape only after the agent's next turn */
        if (read_on(reader, f, &next, 300) < 300)
            plant_work(&plant);
        if (plant.at < f->count / 2)
            continue;
        read_on(reader, f, &next, UINT64_MAX);
        plant_work(&plant);
        read_on(reader, f, &next, UINT64_MAX); /* all the way into the ring again */
        CHECK_INT(next, plant.at);
        CHECK(kdp_reader_overruns(reader) >= overruns);
        overruns = kdp_reader_overruns(reader);
    }
    read_on(reader, f, &next, UINT64_MAX);
    CHECK_INT(next, f->count);
    CHECK(overruns >= 2);
    kdp_reader_close(reader);
    plant_close(&plant);
    tape_fixture_free(f);
}

KDP_TEST(a_durable_reader_stops_at_what_is_synced)
{
    struct tape_fixture *f = tape_fixture_new(100000, 1, 20);
    const char *dir = kdp_test_dir();
    uint64_t next = 0, swift_next = 0;
    struct kdp_reader *store, *swift;
    struct plant plant;

    plant_open(&plant, f, dir, 1 << 20);
    store = reader_at(dir, "oldest", KDP_READER_DURABLE);
    swift = reader_at(dir, "oldest", 0);
    while (plant.at < f->count) {
        uint64_t synced = plant.at;

        plant_publish(&plant, 57);
        read_on(store, f, &next, UINT64_MAX);
        CHECK_INT(next, synced);
        CHECK_INT(kdp_reader_wait(store, 0), 0);
        read_on(swift, f, &swift_next, UINT64_MAX);
        CHECK_INT(swift_next, plant.at);
        plant_work(&plant);
        CHECK_INT(kdp_reader_wait(store, 0), 1);
        read_on(store, f, &next, UINT64_MAX);
        CHECK_INT(next, plant.at);
        CHECK(kdp_ring_durable_seq(plant.ring) >= next);
    }
    kdp_reader_close(store);
    kdp_reader_close(swift);
    plant_close(&plant);
    tape_fixture_free(f);
}

/* ---- plants that come and go ---- */

static bool
wait_for(struct kdp_reader *reader, const struct tape_fixture *f, uint64_t *nextp, uint64_t want)
{
    for (int tries = 0; tries < 100 && *nextp < want; tries++) {
        kdp_reader_wait(reader, 50);
        read_on(reader, f, nextp, UINT64_MAX);
    }
    return *nextp == want;
}

KDP_TEST(a_reader_outlives_the_plant_and_finds_the_next_one)
{
    struct tape_fixture *f = tape_fixture_new(100000, 1, 20);
    const char *dir = kdp_test_dir();
    struct kdp_reader *reader = reader_at(dir, "oldest", 0);
    uint64_t next = 0;

    while (next < f->count) {
        uint64_t want;
        struct plant plant;

        plant_open(&plant, f, dir, 1 << 20);
        plant_publish(&plant, 100);
        CHECK(wait_for(reader, f, &next, plant.at)); /* found, and read from its ring */
        plant_publish(&plant, 100);
        want = plant.at;
        plant_close(&plant);
        CHECK(wait_for(reader, f, &next, want)); /* the rest, from its tape */
    }
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

/* A run that was killed leaves a ring with records that the tape lacks. */
KDP_TEST(a_reader_goes_through_a_plant_that_was_killed)
{
    struct tape_fixture *f = tape_fixture_new(100000, 1, 20);
    const char *dir = kdp_test_dir();
    struct kdp_reader *reader;
    uint64_t next = 0;
    struct plant plant;
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        plant_open(&plant, f, dir, 1 << 20);
        plant_publish(&plant, 300);
        plant_work(&plant);
        plant_publish(&plant, 200);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    reader = reader_at(dir, "oldest", 0);
    read_on(reader, f, &next, UINT64_MAX);
    CHECK_INT(next, 500); /* all that was published, though 200 of it stand in a dead ring only */
    plant_open(&plant, f, dir, 1 << 20);
    CHECK_INT(plant.at, 500);
    plant_publish(&plant, 100);
    CHECK(wait_for(reader, f, &next, 600));
    plant_publish(&plant, UINT64_MAX);
    CHECK(wait_for(reader, f, &next, f->count));
    plant_close(&plant);
    reads_exactly(dir, "oldest", f, 0, f->count);
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

/* Numbers between two runs were never given out: no record is missing, so nobody is told of an error. */
KDP_TEST(unused_numbers_are_passed_without_an_error)
{
    struct tape_fixture *a = tape_fixture_new(50000, 1, 20), *b = tape_fixture_new(50000, 90000, 20);
    const char *dir = kdp_test_dir();
    struct kdp_reader *reader;
    uint64_t next = 0;

    tape_fixture_write(a, dir, 30000, 3000, true);
    tape_fixture_write(b, dir, 30000, 3000, true);
    reader = reader_at(dir, "oldest", 0);
    read_on(reader, a, &next, a->count);
    CHECK_INT(next, a->count);
    next = 0;
    read_on(reader, b, &next, UINT64_MAX);
    CHECK_INT(next, b->count);
    kdp_reader_close(reader);
    tape_fixture_free(a);
    tape_fixture_free(b);
}

KDP_TEST(numbers_never_given_out_before_the_first_record_are_no_hole)
{
    struct tape_fixture *f =
        tape_fixture_new(100000, 349526, 20); /* a ring was lost before anything was on the tape */
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    const struct kdp_head *rec;
    struct kdp_reader *reader;
    struct kdp_tape *tape;

    tape_fixture_write(f, dir, 20000, 4000, true);
    CHECK_INT(kdp_reader_open_seq(&reader, dir, 1, 0), 0);
    CHECK_INT(kdp_reader_oldest(reader), 1);
    CHECK(kdp_reader_next(reader, &rec) > 0);
    CHECK_INT(rec->seq, 349526);
    kdp_reader_close(reader);

    /* with that first segment gone it cannot be known any more what was before the next */
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    CHECK(kdp_tape_segment_at(tape, 0, &segment));
    CHECK_INT(unlink(segment.path), 0);
    kdp_tape_close(tape);
    CHECK_INT(kdp_reader_open_seq(&reader, dir, 1, 0), 0);
    CHECK_INT(kdp_reader_oldest(reader), segment.last_seq + 1);
    CHECK_INT(kdp_reader_next(reader, &rec), -KDP_ERANGE);
    CHECK(kdp_reader_next(reader, &rec) > 0);
    CHECK_INT(rec->seq, segment.last_seq + 1);
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

KDP_TEST(a_hole_made_by_retention_is_told_once)
{
    struct tape_fixture *f = tape_fixture_new(300000, 1, 20);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;
    struct kdp_reader *reader;
    const struct kdp_head *rec;
    uint64_t next = 0, oldest;
    int size;

    tape_fixture_write(f, dir, 60000, 4000, true);
    reader = reader_at(dir, "oldest", 0);
    read_on(reader, f, &next, 100);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK(kdp_tape_segment_at(tape, i, &segment));
        CHECK_INT(unlink(segment.path), 0);
    }
    CHECK(kdp_tape_segment_at(tape, 3, &segment));
    kdp_tape_close(tape);
    /* what is open may be read on; at a seek, or when the tape is looked at again, the oldest is another one
     */
    CHECK_INT(kdp_reader_seek(reader, next + 1), 0);
    oldest = kdp_reader_oldest(reader);
    CHECK_INT(oldest, segment.first_seq);
    size = kdp_reader_next(reader, &rec);
    CHECK_INT(size, -KDP_ERANGE);
    CHECK(strstr(kdp_error_text(), "sequences 101 to ") != NULL);
    next = oldest - 1;
    read_on(reader, f, &next, UINT64_MAX); /* and no error any more */
    CHECK_INT(next, f->count);
    kdp_reader_close(reader);
    tape_fixture_free(f);
}

/* ---- instruments ---- */

KDP_TEST(tickers_are_known_from_ring_and_tape)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 60);
    const char *dir = kdp_test_dir();
    struct kdp_reader *now;
    struct plant plant;
    char ticker[40];

    plant_open(&plant, f, dir, 1 << 20);
    now = reader_at(dir, "oldest", 0);
    for (unsigned part = 0; part < 4; part++) {
        uint32_t defined = 0;

        plant_publish(&plant, f->count / 8);
        if (part % 2 == 1)
            plant_work(&plant);
        for (uint64_t i = 0; i < plant.at; i++) {
            struct kdp_head head;

            memcpy(&head, f->bytes + f->offsets[i], sizeof head);
            if (head.template_id == KDP_TEMPLATE_DEFINITION)
                defined = head.instrument;
        }
        CHECK_INT(kdp_reader_instrument_max(now), defined);
        for (uint32_t id = 1; id <= defined; id++) { /* without having read a single record */
            made_ticker(ticker, id);
            CHECK_STR(kdp_reader_ticker(now, id), ticker);
            CHECK_INT(kdp_reader_instrument(now, ticker), id);
        }
        CHECK(kdp_reader_ticker(now, defined + 1) == NULL);
        CHECK(kdp_reader_ticker(now, 0) == NULL);
        CHECK_INT(kdp_reader_instrument(now, "KXNONE"), 0);
    }
    plant_close(&plant);
    kdp_reader_close(now);
    now = reader_at(dir, "now", 0);
    made_ticker(ticker, 7);
    CHECK_STR(kdp_reader_ticker(now, 7), ticker);
    kdp_reader_close(now);
    tape_fixture_free(f);
}

/* ---- threads ---- */

struct writing {
    struct plant plant;
    pthread_t thread;
    atomic_bool done;
};

static void *
write_thread(void *arg)
{
    struct writing *writing = arg;
    struct plant *plant = &writing->plant;

    while (plant->at < plant->f->count) {
        uint64_t until = plant->at + 40;

        for (; plant->at < until && plant->at < plant->f->count; plant->at++) {
            size_t size = plant->f->offsets[plant->at + 1] - plant->f->offsets[plant->at];
            struct timespec nap = {.tv_nsec = 200000};
            void *room;

            while ((room = kdp_ring_claim(plant->ring, size)) == NULL)
                nanosleep(&nap, NULL); /* the agent's thread makes room */
            memcpy(room, plant->f->bytes + plant->f->offsets[plant->at], size);
            kdp_ring_commit(plant->ring, size);
        }
        kdp_ring_publish(plant->ring);
    }
    atomic_store(&writing->done, true);
    return NULL;
}

/* One writes, the agent follows, three read: one as fast as it can, one that naps and is overrun, one
 * durable. */
static void *
slow_thread(void *arg)
{
    const struct tape_fixture *f = ((struct writing *)arg)->plant.f;
    struct kdp_reader *reader = reader_at(kdp_test_dir(), "oldest", 0);
    struct timespec nap = {.tv_nsec = 3000000};
    uint64_t next = 0;

    while (next < f->count) {
        if (read_on(reader, f, &next, 200) == 0)
            kdp_reader_wait(reader, 100);
        nanosleep(&nap, NULL);
    }
    kdp_reader_close(reader);
    return NULL;
}

static void *
durable_thread(void *arg)
{
    const struct tape_fixture *f = ((struct writing *)arg)->plant.f;
    struct kdp_reader *reader = reader_at(kdp_test_dir(), "oldest", KDP_READER_DURABLE);
    uint64_t next = 0;

    while (next < f->count)
        if (read_on(reader, f, &next, 1000) == 0)
            kdp_reader_wait(reader, 100);
    kdp_reader_close(reader);
    return NULL;
}

KDP_TEST(readers_follow_a_writer_thread)
{
    struct tape_fixture *f = tape_fixture_new(1500000, 1, 50);
    struct writing writing = {.done = false};
    struct kdp_reader *reader;
    pthread_t slow, durable;
    uint64_t next = 0;

    plant_open(&writing.plant, f, kdp_test_dir(), 65536);
    CHECK_INT(kdp_stream_agent_start(writing.plant.stream), 0);
    reader = reader_at(kdp_test_dir(), "oldest", 0);
    CHECK_INT(pthread_create(&slow, NULL, slow_thread, &writing), 0);
    CHECK_INT(pthread_create(&durable, NULL, durable_thread, &writing), 0);
    CHECK_INT(pthread_create(&writing.thread, NULL, write_thread, &writing), 0);
    while (next < f->count)
        if (read_on(reader, f, &next, UINT64_MAX) == 0)
            kdp_reader_wait(reader, 100);
    CHECK_INT(pthread_join(writing.thread, NULL), 0);
    CHECK_INT(pthread_join(slow, NULL), 0);
    CHECK_INT(pthread_join(durable, NULL), 0);
    kdp_reader_close(reader);
    plant_close(&writing.plant);
    reads_exactly(kdp_test_dir(), "oldest", f, 0, f->count);
    tape_fixture_free(f);
}

/* Without a tape (comparisons) a reader that is overtaken cannot get back what the ring lost: told once, with the range. */
KDP_TEST(without_a_tape_an_overrun_is_told)
{
    struct tape_fixture *f = tape_fixture_new(400000, 1, 20);
    struct kdp_stream_config config = {
        .dir = kdp_test_dir(), .ring_bytes = 65536, .raw_off = true, .tape_off = true, .sync_interval_ns = 1};
    struct plant plant = {.f = f, .mono_ns = kdpi_mono_ns()};
    struct kdp_input_start start;
    struct kdp_reader *reader;
    const struct kdp_head *rec;
    uint64_t next = 0;

    CHECK_INT(kdp_stream_open(&plant.stream, &config, &start), 0);
    plant.ring = kdp_stream_ring(plant.stream);
    reader = reader_at(kdp_test_dir(), "oldest", 0);
    plant_publish(&plant, 100);
    read_on(reader, f, &next, 50);
    CHECK_INT(next, 50);
    plant_publish(&plant, 2000);
    CHECK_INT(kdp_reader_next(reader, &rec), -KDP_ERANGE);
    CHECK(strstr(kdp_error_text(), "sequences 51 to ") != NULL);
    next = kdp_reader_seq(reader) - 1;
    CHECK(next > 1000);
    read_on(reader, f, &next, UINT64_MAX);
    CHECK_INT(next, plant.at);
    kdp_reader_close(reader);
    plant_close(&plant);
    tape_fixture_free(f);
}
