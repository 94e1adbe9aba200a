/* test_tape.c - writing a tape and reading it back: blocks, segments, dictionaries, seeking. */
#include "crc32c.h"
#include "error.h"
#include "kdp_test.h"
#include "made_records.h"
#include "tape.h"
#include "tape_fixture.h"
#include "tape_format.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

KDP_TEST(a_folder_without_a_tape_is_an_empty_tape)
{
    struct kdp_tape *tape;

    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    CHECK_INT(kdp_tape_block_count(tape), 0);
    CHECK_INT(kdp_tape_first_seq(tape), 0);
    CHECK_INT(kdp_tape_last_seq(tape), 0);
    CHECK_INT(kdp_tape_find(tape, 1), 0);
    CHECK_INT(kdp_tape_find_time(tape, 1), 0);
    CHECK_INT(kdp_tape_refresh(tape), 0);
    kdp_tape_close(tape);
}

KDP_TEST(what_is_appended_is_read_back)
{
    struct tape_fixture *f = tape_fixture_new(3000000, 1, 50);

    tape_fixture_write(f, kdp_test_dir(), UINT64_C(1) << 40, 100000, true);
    tape_fixture_check(f, kdp_test_dir());
    tape_fixture_free(f);
}

KDP_TEST(several_segments_are_one_tape)
{
    struct tape_fixture *f = tape_fixture_new(2000000, 1, 50);
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;
    struct stat st;
    size_t count = 0;

    tape_fixture_write(f, kdp_test_dir(), 200000, 30000, true);
    tape_fixture_check(f, kdp_test_dir());
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    while (kdp_tape_segment_at(tape, count, &segment)) {
        CHECK(segment.sealed);
        CHECK_INT(segment.number, count + 1);
        CHECK_INT(stat(segment.path, &st), 0);
        CHECK_INT(st.st_mode & 0777, 0444);
        CHECK_INT(st.st_size, segment.bytes);
        count++;
    }
    CHECK(count >= 8);
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(an_unsealed_segment_can_be_read)
{
    struct tape_fixture *f = tape_fixture_new(500000, 1, 20);

    tape_fixture_write(f, kdp_test_dir(), 200000, 20000, false);
    tape_fixture_check(f, kdp_test_dir());
    tape_fixture_free(f);
}

KDP_TEST(blocks_tell_what_they_hold)
{
    struct tape_fixture *f = tape_fixture_new(400000, 1, 300);
    int64_t running = INT64_MIN;
    uint64_t families[4] = {0};
    struct kdp_tape *tape;

    tape_fixture_write(f, kdp_test_dir(), 100000, 9000, true);
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        struct kdp_tape_block block = *kdp_tape_block_at(tape, i);
        uint64_t instruments[4] = {0};
        int64_t min = INT64_MAX, max = INT64_MIN;
        uint32_t mask = 0, count = 0;
        const void *records;

        CHECK_INT(kdp_tape_load(tape, i, &records), 0);
        for (const uint8_t *at = records, *end = at + block.bytes; at < end; count++) {
            struct kdp_head head;

            memcpy(&head, at, sizeof head);
            if (head.recv_ns < min)
                min = head.recv_ns;
            if (head.recv_ns > max)
                max = head.recv_ns;
            mask |= 1u << head.template_id;
            if (head.instrument != 0) {
                unsigned bit = (head.instrument * 0x9e3779b1u) >> 24;

                instruments[bit / 64] |= UINT64_C(1) << (bit % 64);
            }
            for (unsigned family = 0; family < 4;
                 family++) { /* streams 1001 to 1004; the rest goes into all */
                unsigned t = head.template_id;
                unsigned of = t == 1 ? 0 : t == 2 ? 1 : t == 3 ? 2 : t == 4 || t == 5 ? 3 : 4;

                families[family] += of == family || of == 4;
            }
            at += kdpi_tape_record_size(at, (size_t)(end - at));
        }
        if (max > running)
            running = max;
        CHECK_INT(block.kind, 0);
        CHECK_INT(block.count, count);
        CHECK_INT(block.recv_min_ns, min);
        CHECK_INT(block.recv_max_ns, max);
        CHECK_INT(block.recv_running_max_ns, running);
        CHECK_INT(block.template_mask, mask);
        CHECK_MEM(block.instruments, instruments, sizeof instruments);
        CHECK_MEM(block.family_count, families, sizeof families);
        CHECK_INT(block.input_index, block.first_seq * 2);
    }
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(a_block_is_never_larger_than_its_bound)
{
    struct tape_fixture *f = tape_fixture_new(5 << 20, 7, 10);
    struct kdp_tape *tape;

    tape_fixture_write(f, kdp_test_dir(), UINT64_C(1) << 40, 5 << 20, true); /* one call */
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    CHECK(kdp_tape_block_count(tape) >= 5);
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++)
        CHECK(kdp_tape_block_at(tape, i)->bytes <= KDP_TAPE_BLOCK_MAX);
    kdp_tape_close(tape);
    tape_fixture_check(f, kdp_test_dir());
    tape_fixture_free(f);
}

struct named {
    uint32_t count, wanted;
    uint8_t seen[512];
};

static void
note_instrument(void *arg, const struct kdp_tape_instrument *instrument)
{
    struct named *named = arg;
    char ticker[40];

    made_ticker(ticker, instrument->id);
    CHECK_INT(instrument->ticker_len, strlen(ticker));
    CHECK_MEM(instrument->ticker, ticker, strlen(ticker));
    CHECK_INT(instrument->range_count, 1 + instrument->id % 3);
    CHECK_INT(instrument->ranges[0].step_e4, 10);
    CHECK(instrument->id < sizeof named->seen && !named->seen[instrument->id]);
    named->seen[instrument->id] = 1;
    named->count++;
}

/* Each segment moved to a folder of its own, with or without its footer, still names every instrument its
 * records name. */
static void
alone(const char *dir, bool sealed)
{
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;

    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    for (size_t i = 0; kdp_tape_segment_at(tape, i, &segment); i++) {
        char folder[512], command[2048];
        struct named named = {.count = 0};
        struct kdp_tape *one;

        snprintf(folder, sizeof folder, "%s/alone-%zu", kdp_test_dir(), i);
        snprintf(command, sizeof command, "mkdir -p %s/tape && cp %s %s/tape/ && chmod u+w %s/tape/*", folder,
                 segment.path, folder, folder);
        CHECK_INT(system(command), 0);
        if (!sealed) {
            struct kdpi_tape_trailer trailer;
            char path[1024];
            int fd;

            snprintf(path, sizeof path, "%s/tape%s", folder, strrchr(segment.path, '/'));
            fd = open(path, O_RDWR);
            CHECK(fd >= 0);
            CHECK(pread(fd, &trailer, sizeof trailer, (off_t)(segment.bytes - sizeof trailer)) ==
                  sizeof trailer);
            CHECK_INT(ftruncate(fd, (off_t)trailer.index_offset), 0);
            close(fd);
        }
        CHECK_INT(kdp_tape_open(&one, folder), 0);
        CHECK_INT(kdp_tape_dictionary(one, note_instrument, &named), 0);
        for (size_t b = 0; b < kdp_tape_block_count(one); b++) {
            uint32_t bytes = kdp_tape_block_at(one, b)->bytes;
            const void *records;

            CHECK_INT(kdp_tape_load(one, b, &records), 0);
            for (const uint8_t *at = records, *end = at + bytes; at < end;) {
                struct kdp_head head;

                memcpy(&head, at, sizeof head);
                if (head.instrument != 0 && !named.seen[head.instrument])
                    kdp_test_fail(__FILE__, __LINE__, "%s names %u without a dictionary entry", segment.path,
                                  head.instrument);
                at += kdpi_tape_record_size(at, (size_t)(end - at));
            }
        }
        kdp_tape_close(one);
    }
    kdp_tape_close(tape);
}

KDP_TEST(each_segment_alone_names_its_instruments)
{
    struct tape_fixture *f = tape_fixture_new(900000, 3, 200);

    tape_fixture_write(f, kdp_test_dir(), 150000, 20000, true);
    alone(kdp_test_dir(), true);
    tape_fixture_free(f);
}

KDP_TEST(each_torn_segment_alone_names_its_instruments)
{
    struct tape_fixture *f = tape_fixture_new(900000, 3, 200);

    tape_fixture_write(f, kdp_test_dir(), 150000, 20000, true);
    alone(kdp_test_dir(), false);
    tape_fixture_free(f);
}

KDP_TEST(a_new_run_knows_instruments_of_earlier_segments)
{
    struct tape_fixture *f = tape_fixture_new(400000, 3, 100);
    struct named named = {.count = 0};
    struct kdp_tape *tape;

    /* every call to write is a run of its own; the definitions are all in the first half */
    tape_fixture_write_part(f, kdp_test_dir(), 60000, 5000, 0, f->count / 2, true);
    tape_fixture_write_part(f, kdp_test_dir(), 60000, 5000, f->count / 2, f->count, true);
    tape_fixture_check(f, kdp_test_dir());
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    CHECK_INT(kdp_tape_dictionary(tape, note_instrument, &named), 0);
    CHECK_INT(named.count, 100);
    kdp_tape_close(tape);
    alone(kdp_test_dir(), true);
    tape_fixture_free(f);
}

KDP_TEST(find_by_sequence_at_every_record)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1000, 20);
    struct kdp_tape *tape;

    tape_fixture_write(f, kdp_test_dir(), 30000, 3000, true);
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    CHECK_INT(kdp_tape_first_seq(tape), 1000);
    CHECK_INT(kdp_tape_last_seq(tape), 1000 + f->count - 1);
    CHECK_INT(kdp_tape_find(tape, 0), 0);
    CHECK_INT(kdp_tape_find(tape, 999), 0);
    CHECK_INT(kdp_tape_find(tape, 1000 + f->count), kdp_tape_block_count(tape));
    for (uint64_t seq = 1000; seq < 1000 + f->count; seq++) {
        const struct kdp_tape_block *block = kdp_tape_block_at(tape, kdp_tape_find(tape, seq));

        CHECK(block->first_seq <= seq && seq < block->first_seq + block->count);
    }
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(find_by_time_goes_by_the_running_maximum)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 20);
    struct kdp_tape *tape;
    size_t block = 0;
    int64_t running = INT64_MIN;

    tape_fixture_write(f, kdp_test_dir(), 30000, 3000, true);
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    CHECK_INT(kdp_tape_find_time(tape, INT64_MIN), 0);
    CHECK_INT(kdp_tape_find_time(tape, INT64_MAX), kdp_tape_block_count(tape));
    for (uint64_t i = 0; i < f->count; i++) {
        struct kdp_head head;
        const struct kdp_tape_block *at;

        memcpy(&head, f->bytes + f->offsets[i], sizeof head);
        at = kdp_tape_block_at(tape, block);
        if (head.seq >= at->first_seq + at->count)
            block++;
        if (head.recv_ns > running) { /* the first record received at or after its own time */
            running = head.recv_ns;
            CHECK_INT(kdp_tape_find_time(tape, running), block);
        }
    }
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(a_reader_sees_blocks_and_segments_as_they_come)
{
    struct tape_fixture *f = tape_fixture_new(300000, 1, 20);
    struct kdp_tape_config config = {.dir = kdp_test_dir(), .session = 77, .segment_bytes = 50000};
    struct kdp_tape_writer *writer;
    struct kdp_tape *tape;
    uint64_t cut, at = 0;

    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    CHECK_INT(kdp_tape_writer_open(&writer, &config, 1, &cut), 0);
    CHECK_INT(kdp_tape_refresh(tape), 0);
    while (at < f->count) {
        uint64_t to = at + 37 < f->count ? at + 37 : f->count;
        size_t before = kdp_tape_block_count(tape);
        const void *records;

        CHECK_INT(kdp_tape_append(writer, f->bytes + f->offsets[at], f->offsets[to] - f->offsets[at], to), 0);
        if (at % 3 == 0)
            CHECK_INT(kdp_tape_sync(writer), 0);
        CHECK_INT(kdp_tape_refresh(tape), 1);
        CHECK_INT(kdp_tape_last_seq(tape), to);
        CHECK_INT(kdp_tape_block_count(tape), before + 1);
        CHECK_INT(kdp_tape_load(tape, before, &records), 0);
        CHECK_MEM(records, f->bytes + f->offsets[at], f->offsets[to] - f->offsets[at]);
        at = to;
    }
    CHECK_INT(kdp_tape_writer_close(writer), 0);
    CHECK_INT(kdp_tape_refresh(tape), 1); /* sealed now */
    CHECK_INT(kdp_tape_refresh(tape), 0);
    kdp_tape_close(tape);
    tape_fixture_check(f, kdp_test_dir());
    tape_fixture_free(f);
}

KDP_TEST(removed_segments_leave_the_list)
{
    struct tape_fixture *f = tape_fixture_new(300000, 1, 20);
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;
    const void *records;
    size_t count;
    uint64_t last;

    tape_fixture_write(f, kdp_test_dir(), 30000, 3000, true);
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    last = kdp_tape_last_seq(tape);
    for (size_t i = 0; i < 3; i++) {
        CHECK(kdp_tape_segment_at(tape, i, &segment));
        CHECK_INT(unlink(segment.path), 0);
    }
    CHECK_INT(kdp_tape_refresh(tape), 0);
    CHECK(kdp_tape_segment_at(tape, 0, &segment));
    CHECK_INT(segment.number, 4);
    CHECK_INT(kdp_tape_first_seq(tape), segment.first_seq);
    CHECK_INT(kdp_tape_last_seq(tape), last);
    count = kdp_tape_block_count(tape);
    for (size_t i = 0; i < count; i++)
        CHECK_INT(kdp_tape_load(tape, i, &records), 0); /* a tape may begin anywhere: nothing is lost */
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(unused_numbers_between_runs_are_no_loss)
{
    struct tape_fixture *a = tape_fixture_new(50000, 1, 20), *b = tape_fixture_new(50000, 90000, 20);
    uint64_t first, last;
    struct kdp_tape *tape;
    size_t gaps = 0;

    tape_fixture_write(a, kdp_test_dir(), 30000, 3000, true);
    tape_fixture_write(b, kdp_test_dir(), 30000, 3000, true);
    CHECK_INT(kdp_tape_open(&tape, kdp_test_dir()), 0);
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        const void *records;

        CHECK_INT(kdp_tape_load(tape, i, &records), 0);
        if (kdp_tape_gap(tape, i, &first, &last) == KDP_TAPE_GAP_NONE)
            continue;
        CHECK_INT(kdp_tape_gap(tape, i, &first, &last), KDP_TAPE_GAP_UNUSED);
        CHECK_INT(first, a->count + 1);
        CHECK_INT(last, 89999);
        gaps++;
    }
    CHECK_INT(gaps, 1);
    kdp_tape_close(tape);
    tape_fixture_free(a);
    tape_fixture_free(b);
}

KDP_TEST(a_sequence_never_goes_back)
{
    struct tape_fixture *f = tape_fixture_new(50000, 1, 20);
    struct kdp_tape_config config = {.dir = kdp_test_dir(), .session = 77, .segment_bytes = 30000};
    struct kdp_tape_writer *writer;
    uint64_t cut;

    tape_fixture_write(f, kdp_test_dir(), 30000, 3000, true);
    CHECK_INT(kdp_tape_writer_open(&writer, &config, f->count, &cut), -KDP_EINVAL);
    CHECK(writer == NULL);
    CHECK_INT(kdp_tape_writer_open(&writer, &config, f->count + 1, &cut), 0);
    /* records that do not follow on, or are none, are refused whole */
    CHECK_INT(kdp_tape_append(writer, f->bytes, f->offsets[3], 1), -KDP_EFORMAT);
    CHECK_INT(kdp_tape_append(writer, f->bytes + 8, 64, 1), -KDP_EFORMAT);
    CHECK_INT(kdp_tape_writer_close(writer), 0);
    tape_fixture_check(f, kdp_test_dir());
    tape_fixture_free(f);
}

KDP_TEST(family_counts_go_on_within_a_session_only)
{
    struct tape_fixture *f = tape_fixture_new(60000, 1, 5);
    struct kdp_tape *tape;
    uint64_t before, after;
    size_t split;

    for (unsigned same = 0; same < 2; same++) {
        char dir[600];

        snprintf(dir, sizeof dir, "%s/%u", kdp_test_dir(), same);
        f->session = 5;
        tape_fixture_write_part(f, dir, 1 << 20, 4000, 0, f->count / 2, false);
        f->session = same ? 5 : 6;
        tape_fixture_write_part(f, dir, 1 << 20, 4000, f->count / 2, f->count, true);
        CHECK_INT(kdp_tape_open(&tape, dir), 0);
        split = kdp_tape_find(tape, f->count / 2 + 1);
        before = kdp_tape_block_at(tape, split - 1)->family_count[3];
        after = kdp_tape_block_at(tape, split)->family_count[3];
        CHECK(before > 50);
        CHECK_INT(after >= before, same);
        kdp_tape_close(tape);
    }
    tape_fixture_free(f);
}
