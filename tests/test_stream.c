/* test_stream.c - a data directory from start to start: every row of the table in stream.c, full disks,
 * retention. */
#include "stream.h"

#include "clock.h"
#include "error.h"
#include "instruments.h"
#include "kdp_test.h"
#include "plantfile.h"
#include "raw_format.h"
#include "ring_layout.h"
#include "stream_fill.h"
#include "stream_private.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING (256u << 10)

static struct kdp_stream *
open_with(struct kdp_stream_config config, struct kdp_input_start *start)
{
    struct kdp_stream *stream;

    if (config.dir == NULL)
        config.dir = kdp_test_dir();
    config.ring_bytes = config.raw_ring_bytes = RING;
    if (kdp_stream_open(&stream, &config, start) != 0)
        kdp_test_fail(__FILE__, __LINE__, "open: %s", kdp_error_text());
    return stream;
}

static struct kdp_stream *
open_plain(struct kdp_input_start *start)
{
    return open_with((struct kdp_stream_config){0}, start);
}

static void
fill_some(struct fill *fill, int inputs)
{
    for (int i = 0; i < inputs; i++)
        CHECK(fill_input(fill));
}

static struct kdp_stream *dropped[16]; /* so that their memory is not called leaked */
static unsigned dropped_count;

/* Ends a run as a SIGKILL does: nothing is tidied up; the lock goes with the process. */
static void
drop(struct kdp_stream *stream)
{
    close(stream->lock_fd);
    dropped[dropped_count++ % 16] = stream;
}

/* One run in this process that ends in order; returns how it began. */
static struct kdp_input_start
run_once(int inputs)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start;
    struct kdp_stream *stream = open_plain(&start);

    fill_start(&fill, stream, &start);
    fill_some(&fill, inputs);
    CHECK_INT(kdp_stream_close(stream), 0);
    return start;
}

static void
ring_name_of(char name[64])
{
    struct kdp_plantfile file;

    CHECK_INT(kdpi_plantfile_read(kdp_test_dir(), &file), 0);
    snprintf(name, 64, "%s", file.ring);
}

KDP_TEST(an_empty_directory_begins_at_one_and_goes_on_without_a_break)
{
    struct kdp_input_start start = run_once(1000);
    struct fill_seen first, second;
    struct kdp_plant_info info;
    uint64_t inputs;

    CHECK_INT(start.next_seq, 1);
    CHECK_INT(start.next_instrument, 1);
    CHECK_INT(start.flags, KDP_START_FRESH);
    CHECK_INT(start.unused_from, 0);
    CHECK_INT(start.applied, 0);
    fill_check(kdp_test_dir(), 1, &first);
    CHECK(first.records > 1400 && first.inputs == 1001);
    CHECK_INT(kdp_plant_info(kdp_test_dir(), &info), -KDP_ENOENT);

    inputs = first.last_input;
    start = run_once(1000);
    CHECK_INT(start.next_seq, first.last_seq + 1);
    CHECK_INT(start.next_instrument, first.last_instrument + 1);
    CHECK_INT(start.flags, 0);
    CHECK_INT(start.unused_from, 0);
    CHECK_INT(start.applied, inputs);
    fill_check(kdp_test_dir(), 1, &second);
    CHECK_INT(second.unused, 0);
    CHECK_INT(second.inputs, 2002);
    CHECK(second.definitions > first.definitions);
}

KDP_TEST(durable_follows_the_sync_interval_by_the_clock_that_is_passed_in)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start;
    struct kdp_stream *stream =
        open_with((struct kdp_stream_config){.sync_interval_ns = 10 * KDP_NS_PER_MS}, &start);
    struct kdp_ring *ring = kdp_stream_ring(stream);
    struct fill_seen seen;
    int64_t t = 1000 * KDP_NS_PER_S;
    uint64_t head;

    fill_start(&fill, stream, &start);
    CHECK(kdp_stream_agent_work(stream, t) > 0);
    fill_some(&fill, 50);
    head = kdp_ring_head_seq(ring);
    CHECK(kdp_ring_durable_seq(ring) < head);
    CHECK_INT(kdp_stream_agent_work(stream, t + 9 * KDP_NS_PER_MS), 0);
    CHECK(kdp_ring_durable_seq(ring) < head);
    CHECK(kdp_stream_agent_work(stream, t + 10 * KDP_NS_PER_MS) > 0);
    CHECK_INT(kdp_ring_durable_seq(ring), head);
    CHECK_INT(kdp_ring_lacking(ring), 0);
    CHECK_INT(kdp_stream_agent_work(stream, t + 100 * KDP_NS_PER_MS), 0); /* nothing new, nothing to do */
    /* a quarter of the ring does not wait for the interval */
    while (kdp_ring_lacking(ring) < RING / 4)
        CHECK(fill_input(&fill));
    CHECK(kdp_stream_agent_work(stream, t + 101 * KDP_NS_PER_MS) > 0);
    CHECK_INT(kdp_ring_durable_seq(ring), kdp_ring_head_seq(ring));
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen);
}

KDP_TEST(a_killed_run_is_taken_over_without_a_break)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start, again;
    struct kdp_stream *stream = open_plain(&start);
    struct kdp_plant_info info;
    struct fill_seen seen;
    const struct kdp_stream_instrument *known;
    size_t known_count;
    uint64_t head, inputs;
    char name[64];

    fill_start(&fill, stream, &start);
    fill_some(&fill, 300);
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    fill_some(&fill, 80); /* in the ring only */
    head = kdp_ring_head_seq(fill.ring);
    inputs = kdp_ring_head_input(fill.ring);
    ring_name_of(name);
    CHECK_INT(kdp_plant_info(kdp_test_dir(), &info), 0);
    CHECK(info.alive && info.pid == getpid() && strcmp(info.ring, name) == 0 &&
          info.session == start.session);
    drop(stream);
    CHECK_INT(kdp_plant_info(kdp_test_dir(), &info), 0);
    CHECK(!info.alive);

    stream = open_plain(&again);
    CHECK_INT(again.flags, KDP_START_KILLED);
    CHECK_INT(again.next_seq, head + 1);
    CHECK_INT(again.unused_from, 0);
    CHECK_INT(again.applied, inputs);
    CHECK_INT(again.next_instrument, fill.next_instrument);
    known = kdp_stream_instruments(
        stream, &known_count); /* the ones that only the ring knew too: they keep their ids */
    CHECK_INT(known_count, fill.next_instrument - 1);
    CHECK_INT(known[known_count - 1].id, fill.next_instrument - 1);
    CHECK(kdp_stream_taken_over(stream) > 80);
    CHECK(shm_unlink(name) != 0); /* its ring is gone */
    fill_start(&fill, stream, &again);
    fill_some(&fill, 100);
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen);
    CHECK_INT(seen.unused, 0);
    CHECK_INT(seen.inputs, 1 + 380 + 1 + 100);
}

KDP_TEST(an_input_that_was_logged_and_not_applied_does_not_count)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start, again;
    struct kdp_stream *stream = open_plain(&start);
    struct kdp_input_head *head;

    fill_start(&fill, stream, &start);
    fill_some(&fill, 6);
    for (int i = 0; i < 3; i++) { /* received, logged, and then the process died */
        head = kdp_ring_input_claim(fill.ring, 0);
        *head = (struct kdp_input_head){.kind = KDP_INPUT_STOP};
        kdp_ring_input_commit(fill.ring, head);
    }
    drop(stream);
    stream = open_plain(&again);
    CHECK_INT(again.applied, 7);
    CHECK_INT(kdp_ring_head_input(kdp_stream_ring(stream)), 10);
    CHECK_INT(kdp_stream_close(stream), 0);
}

KDP_TEST(what_was_written_and_not_given_back_is_not_written_twice)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start, again;
    struct kdp_stream *stream = open_plain(&start);
    struct kdp_ring *ring = kdp_stream_ring(stream);
    struct fill_seen seen;
    uint64_t taken, input_taken;

    fill_start(&fill, stream, &start);
    fill_some(&fill, 100);
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    taken = atomic_load(&ring->shared->taken.offset);
    input_taken = atomic_load(&ring->shared->input_taken.offset);
    fill_some(&fill, 100);
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    fill_some(&fill, 50);
    /* killed after the writes, before the two stores that give the room back */
    atomic_store(&ring->shared->taken.offset, taken);
    atomic_store(&ring->shared->input_taken.offset, input_taken);
    drop(stream);
    stream = open_plain(&again);
    CHECK_INT(again.unused_from, 0);
    CHECK(kdp_stream_taken_over(stream) >= 75 && kdp_stream_taken_over(stream) < 100);
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen);
    CHECK_INT(seen.inputs, 251);
}

KDP_TEST(a_lost_ring_leaves_a_named_hole_of_its_capacity)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start, again, third;
    struct kdp_stream *stream = open_plain(&start);
    struct fill_seen before, seen;
    char name[64];
    int rounds;

    fill_start(&fill, stream, &start);
    fill_some(&fill, 300);
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    fill_check(kdp_test_dir(), 1, &before);
    fill_some(&fill, 80);
    ring_name_of(name);
    drop(stream);
    CHECK_INT(shm_unlink(name), 0);
    /* a start that dies, or ends before its first record, keeps the jump and its hole */
    for (rounds = 0; rounds < 3; rounds++) {
        stream = open_plain(&again);
        CHECK_INT(again.next_seq, before.last_seq + 1 + RING / 48);
        CHECK_INT(again.unused_from, before.last_seq + 1);
        CHECK(again.next_instrument > fill.next_instrument);
        if (rounds == 0)
            CHECK_INT(again.flags, KDP_START_KILLED | KDP_START_RING_LOST);
        if (rounds == 1)
            drop(stream);
        else
            CHECK_INT(kdp_stream_close(stream), 0);
    }
    stream = open_plain(&third);
    CHECK_INT(third.next_seq, again.next_seq);
    CHECK_INT(third.next_instrument, again.next_instrument);
    fill_start(&fill, stream, &third);
    fill_some(&fill, 100);
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen);
    CHECK_INT(seen.unused, RING / 48);
    third = run_once(10);
    CHECK_INT(third.next_seq, seen.last_seq + 1);
    CHECK_INT(third.unused_from, 0);
}

KDP_TEST(a_torn_or_foreign_ring_is_a_lost_one)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start;
    struct kdp_stream *stream;
    struct fill_seen seen;
    char name[64];
    int fd;

    for (int kind = 0; kind < 3; kind++) {
        uint8_t garbage[64];

        memset(garbage, 0xa5, sizeof garbage);
        stream = open_plain(&start);
        fill_start(&fill, stream, &start);
        fill_some(&fill, 100);
        CHECK_INT(kdp_stream_agent_drain(stream), 0);
        fill_some(&fill, 10);
        ring_name_of(name);
        drop(stream);
        fd = shm_open(name, O_RDWR, 0);
        CHECK(fd >= 0);
        if (kind == 0)
            CHECK_INT(ftruncate(fd, 5000), 0);
        else if (kind == 1)
            CHECK_INT(pwrite(fd, garbage, sizeof garbage, 64), sizeof garbage);
        else /* offsets that do not fit together */
            CHECK_INT(pwrite(fd, garbage, sizeof garbage, KDP_RING_PAGE), sizeof garbage);
        close(fd);
        stream = open_plain(&start);
        CHECK((start.flags & KDP_START_RING_LOST) != 0);
        CHECK(start.unused_from != 0);
        fill_start(&fill, stream, &start);
        CHECK_INT(kdp_stream_close(stream), 0);
        fill_check(kdp_test_dir(), 1, &seen);
    }
}

KDP_TEST(a_copied_directory_leaves_the_ring_of_the_original_alone)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start;
    struct kdp_stream *stream = open_plain(&start), *other;
    char copy[600], command[1400];

    fill_start(&fill, stream, &start);
    fill_some(&fill, 100);
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    fill_some(&fill, 50);
    snprintf(copy, sizeof copy, "%s/copy", kdp_test_dir());
    snprintf(command, sizeof command,
             "mkdir %s && cp -r %s/plant %s/plant.lock %s/instruments %s/tape %s/raw %s", copy,
             kdp_test_dir(), kdp_test_dir(), kdp_test_dir(), kdp_test_dir(), kdp_test_dir(), copy);
    CHECK_INT(system(command), 0);
    other = open_with((struct kdp_stream_config){.dir = copy}, &start);
    CHECK((start.flags & KDP_START_RING_LOST) != 0);
    CHECK_INT(kdp_stream_close(other), 0);
    fill_some(&fill, 50); /* the original goes on as if nothing had happened */
    CHECK_INT(kdp_stream_close(stream), 0);
    start = run_once(1);
    CHECK_INT(start.flags, 0);
}

KDP_TEST(a_damaged_plant_file_is_believed_the_least)
{
    struct kdp_input_start start = run_once(100);
    struct fill_seen seen;
    char path[600];
    FILE *file;

    fill_check(kdp_test_dir(), 1, &seen);
    snprintf(path, sizeof path, "%s/plant", kdp_test_dir());
    file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("state=running\nring=/etc/passwd\nstart_seq=7\ncrc=00000000\n", file);
    fclose(file);
    start = run_once(100);
    CHECK((start.flags & KDP_START_RING_LOST) != 0);
    CHECK_INT(start.unused_from, seen.last_seq + 1);
    fill_check(kdp_test_dir(), 1, &seen);
}

KDP_TEST(a_tape_cut_after_an_orderly_end_leaves_a_named_hole)
{
    struct kdp_input_start start = run_once(1000);
    struct fill_seen whole, seen;
    char path[600];

    fill_check(kdp_test_dir(), 1, &whole);
    snprintf(path, sizeof path, "%s/tape/00000001.seg", kdp_test_dir());
    CHECK_INT(chmod(path, 0644), 0);
    CHECK_INT(truncate(path, 16384), 0); /* its header and, at most, a part of the records */
    start = run_once(10);
    CHECK_INT(start.next_seq,
              whole.last_seq + 1); /* a store that has what was cut never sees a number again */
    CHECK(start.unused_from >= 1 && start.unused_from <= whole.last_seq);
    fill_check(kdp_test_dir(), 1, &seen);
    CHECK(seen.unused > 0);
}

KDP_TEST(a_second_plant_is_told_who_holds_the_directory)
{
    struct kdp_stream_config config = {.dir = kdp_test_dir(), .ring_bytes = RING, .raw_ring_bytes = RING};
    struct kdp_input_start start, second;
    struct kdp_stream *stream = open_plain(&start), *other;
    char want[64];
    pid_t child;
    int status;

    snprintf(want, sizeof want, "pid %d, since 20", (int)getpid());
    CHECK_INT(kdp_stream_open(&other, &config, &second), -KDP_EBUSY);
    CHECK(other == NULL);
    if (strstr(kdp_error_text(), want) == NULL || strstr(kdp_error_hint(), "--data") == NULL)
        kdp_test_fail(__FILE__, __LINE__, "\"%s\" / \"%s\"", kdp_error_text(), kdp_error_hint());
    child = fork();
    if (child == 0)
        _exit(kdp_stream_open(&other, &config, &second) == -KDP_EBUSY ? 0 : 1);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(kdp_stream_close(stream), 0);
    CHECK_INT(kdp_stream_open(&stream, &config, &start), 0);
    CHECK_INT(kdp_stream_close(stream), 0);
}

KDP_TEST(a_directory_with_a_tape_is_refused_unless_appending)
{
    struct kdp_stream_config config = {
        .dir = kdp_test_dir(), .ring_bytes = RING, .raw_ring_bytes = RING, .refuse_existing = true};
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start;
    struct kdp_stream *stream;

    CHECK_INT(kdp_stream_open(&stream, &config, &start), 0); /* empty: welcome */
    fill_start(&fill, stream, &start);
    fill_some(&fill, 5);
    CHECK_INT(kdp_stream_close(stream), 0);
    CHECK_INT(kdp_stream_open(&stream, &config, &start), -KDP_EEXIST);
    CHECK(strstr(kdp_error_hint(), "--append") != NULL);
    config.refuse_existing = false;
    CHECK_INT(kdp_stream_open(&stream, &config, &start), 0);
    CHECK_INT(kdp_stream_close(stream), 0);
}

KDP_TEST(too_little_shared_memory_leaves_a_fresh_directory_fresh)
{
    struct kdp_stream_config config = {
        .dir = kdp_test_dir(), .ring_bytes = (size_t)1 << 36, .raw_ring_bytes = RING};
    struct kdp_input_start start;
    struct kdp_stream *stream;

    CHECK_INT(kdp_stream_open(&stream, &config, &start), -KDP_EFULL);
    CHECK(strstr(kdp_error_hint(), "--ring-size") != NULL);
    stream = open_plain(&start);
    CHECK_INT(start.flags, KDP_START_FRESH);
    CHECK_INT(start.next_seq, 1);
    CHECK_INT(kdp_stream_close(stream), 0);
}

KDP_TEST(without_tapes_everything_is_passed_over)
{
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start;
    struct kdp_stream *stream =
        open_with((struct kdp_stream_config){.raw_off = true, .tape_off = true}, &start);
    struct fill_seen seen;

    fill_start(&fill, stream, &start);
    fill_some(&fill, 20000); /* many laps of both rings */
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    CHECK_INT(kdp_ring_durable_seq(fill.ring), kdp_ring_head_seq(fill.ring));
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 0, &seen);
    CHECK_INT(seen.records + seen.inputs, 0);
}

KDP_TEST(the_agent_on_its_thread_keeps_up_and_drains)
{
    struct fill fill = {0};
    struct kdp_input_start start;
    struct kdp_stream *stream = open_plain(&start);
    struct fill_seen seen;

    CHECK_INT(kdp_stream_agent_start(stream), 0);
    fill_start(&fill, stream, &start);
    for (int round = 0; round < 4; round++) {
        fill_some(&fill, 5000);
        CHECK_INT(kdp_stream_agent_drain(stream), 0);
        CHECK_INT(kdp_ring_durable_seq(fill.ring), kdp_ring_head_seq(fill.ring));
    }
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen);
    CHECK_INT(seen.inputs, 20001);
}

KDP_TEST(a_lock_that_outlives_its_plant_for_a_moment_is_waited_for)
{
    int64_t now_ns = kdpi_now_ns();
    int ends[2], status, fd;
    pid_t child;
    char byte;

    CHECK_INT(pipe(ends), 0);
    child = fork();
    if (child ==
        0) { /* a plant that is killed between fork and exec of its sealer: the lock is the sealer's too */
        fd = kdpi_plant_lock(kdp_test_dir(), now_ns);
        if (fork() != 0)
            _exit(fd >= 0 ? 0 : 1);
        (void)!write(ends[1], "x", 1);
        usleep(50000);
        _exit(0);
    }
    CHECK_INT(read(ends[0], &byte, 1), 1);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fd = kdpi_plant_lock(kdp_test_dir(), now_ns);
    CHECK(fd >= 0);
    close(fd);
}
