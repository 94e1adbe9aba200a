/* test_tape_repair.c - kdp tape repair: what is whole is saved, what is lost is noted, the damaged file
 * stays. */
#include "error.h"
#include "kdp/reader.h"
#include "kdp_test.h"
#include "made_records.h"
#include "stream.h"
#include "tape.h"
#include "tape_check.h"
#include "tape_fixture.h"
#include "tape_format.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct mended {
    unsigned count;
    uint64_t lost, lost_first, lost_last, records;
    char path[700], kept[700];
};

static void
note(void *arg, const struct kdp_tape_mend *mend)
{
    struct mended *mended = arg;

    mended->count++;
    mended->lost += mend->lost;
    mended->records = mend->records;
    mended->lost_first = mend->lost_first;
    mended->lost_last = mend->lost_last;
    snprintf(mended->path, sizeof mended->path, "%s", mend->path);
    snprintf(mended->kept, sizeof mended->kept, "%s", mend->kept == NULL ? "" : mend->kept);
}

static uint64_t
damages(const char *dir)
{
    struct kdp_tape_totals totals;

    CHECK_INT(kdp_tape_verify(dir, NULL, &totals), 0);
    return totals.damages;
}

static void
flip(const char *path, uint64_t offset)
{
    uint8_t byte;
    int fd;

    CHECK_INT(chmod(path, 0644), 0);
    fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1);
    byte ^= 0x10;
    CHECK(pwrite(fd, &byte, 1, (off_t)offset) == 1);
    CHECK_INT(fchmod(fd, 0444), 0);
    close(fd);
}

static struct kdp_tape_segment
segment_at(const char *dir, size_t index, struct kdp_tape_block *third)
{
    static char path[700];
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;

    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    CHECK(kdp_tape_segment_at(tape, index, &segment));
    if (third != NULL)
        *third = *kdp_tape_block_at(tape, kdp_tape_find(tape, segment.first_seq) + 2);
    snprintf(path, sizeof path, "%s", segment.path);
    segment.path = path;
    kdp_tape_close(tape);
    return segment;
}

/* After a repair: the tape is clean, all but the lost records come, the reader tells of the loss once, and a
 * plant goes on. */
static void
is_mended(const struct tape_fixture *f, const char *dir, uint64_t lost_first, uint64_t lost_last)
{
    uint64_t lost = lost_last == 0 ? 0 : lost_last - lost_first + 1, next = 0, came = 0, last;
    struct kdp_tape_config config = {.dir = dir, .session = 99};
    struct kdp_tape_writer *writer;
    const struct kdp_head *rec;
    struct kdp_reader *reader;
    unsigned errors, told = 0;
    int size;

    CHECK_INT(damages(dir), 0);
    CHECK_INT(kdp_tape_repair(dir, false, NULL, NULL), 0);
    CHECK_INT(tape_fixture_read(f, dir, &last, &errors), f->count - lost);
    CHECK_INT(errors, 0); /* it is noted, so nothing is in doubt any more */
    CHECK_INT(kdp_reader_open(&reader, dir, "oldest", 0), 0);
    while ((size = kdp_reader_next(reader, &rec)) != 0) {
        if (size < 0) {
            CHECK_INT(size, -KDP_ERANGE);
            CHECK(strstr(kdp_error_text(), "as kdp tape repair noted") != NULL);
            told++;
            next = kdp_reader_seq(reader) - 1;
            continue;
        }
        CHECK_INT(rec->seq, ++next);
        came++;
    }
    CHECK_INT(came, f->count - lost);
    CHECK_INT(told, lost > 0);
    kdp_reader_close(reader);
    CHECK_INT(kdp_tape_writer_open(&writer, &config, f->count + 1, &last), 0);
    CHECK_INT(kdp_tape_writer_close(writer), 0);
}

KDP_TEST(a_damaged_block_is_cut_out_and_noted)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 30);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct kdp_tape_block block;
    struct mended mended = {.count = 0};
    struct stat before, after;

    tape_fixture_write(f, dir, 60000, 4000, true);
    segment = segment_at(dir, 1, &block);
    flip(segment.path, block.offset + 192 + 40);
    CHECK(damages(dir) > 0);
    CHECK_INT(stat(segment.path, &before), 0);

    CHECK_INT(kdp_tape_repair(dir, false, note, &mended), 1); /* only looks */
    CHECK_INT(stat(segment.path, &after), 0);
    CHECK(before.st_ino == after.st_ino && before.st_size == after.st_size);
    CHECK_STR(mended.path, segment.path);
    CHECK_INT(mended.lost_first, block.first_seq);
    CHECK_INT(mended.lost_last, block.first_seq + block.count - 1);
    CHECK_INT(mended.lost, block.count);

    memset(&mended, 0, sizeof mended);
    CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
    CHECK_INT(mended.lost, block.count);
    CHECK_INT(stat(mended.kept, &after), 0);
    CHECK(before.st_ino == after.st_ino &&
          before.st_size == after.st_size); /* untouched under its new name */
    is_mended(f, dir, block.first_seq, block.first_seq + block.count - 1);
    tape_fixture_free(f);
}

KDP_TEST(a_damaged_head_header_footer_and_trailer_lose_nothing_else)
{
    /* place: 0 header, 1 a block's head, 2 index, 3 dictionary in the footer, 4 trailer, 5 the first
     * dictionary block */
    for (unsigned place = 0; place < 6; place++) {
        for (unsigned which = 0; which < 2; which++) { /* a segment in the middle, and the last */
            struct tape_fixture *f = tape_fixture_new(120000, 1, 30);
            struct mended mended = {.count = 0};
            struct kdp_tape_segment segment;
            struct kdp_tape_block block;
            uint64_t lost_first = 0, lost_last = 0, offset;
            char dir[600];

            snprintf(dir, sizeof dir, "%s/%u-%u", kdp_test_dir(), place, which);
            tape_fixture_write(f, dir, 50000, 4000, true);
            segment = segment_at(dir, which == 0 ? 1 : 2, &block);
            offset = place == 0   ? 40
                     : place == 1 ? block.offset + 30
                     : place == 2 ? segment.bytes - 128 - 2000
                     : place == 3 ? segment.bytes - 128 - 40
                     : place == 4 ? segment.bytes - 60
                                  : 4096 + 192 + 12;
            if (place == 1) {
                lost_first = block.first_seq;
                lost_last = block.first_seq + block.count - 1;
            }
            flip(segment.path, offset);
            CHECK(damages(dir) > 0);
            CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
            CHECK_INT(mended.lost, lost_last == 0 ? 0 : block.count);
            is_mended(f, dir, lost_first, lost_last);
            tape_fixture_free(f);
        }
    }
}

static char seen[512];

static void
see(void *arg, const struct kdp_tape_instrument *instrument)
{
    char ticker[40];

    ++*(unsigned *)arg;
    made_ticker(ticker, instrument->id);
    CHECK_MEM(instrument->ticker, ticker, instrument->ticker_len);
    CHECK_INT(instrument->range_count, 1 + instrument->id % 3);
    seen[instrument->id] = 1;
}

/* All dictionaries of a segment damaged: the other segments know the instruments, since ids are never reused.
 */
KDP_TEST(a_repaired_segment_still_describes_its_instruments)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 30);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct mended mended = {.count = 0};
    unsigned count = 0;
    char command[2048];
    struct kdp_tape *tape;

    tape_fixture_write(f, dir, 60000, 4000, true);
    segment = segment_at(dir, 2, NULL);
    flip(segment.path, 4096 + 192 + 12);
    flip(segment.path, segment.bytes - 128 - 40);
    CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
    is_mended(f, dir, 0, 0);
    snprintf(command, sizeof command, "mkdir -p %s/alone/tape && cp %s %s/alone/tape/", dir, segment.path,
             dir);
    CHECK_INT(system(command), 0);
    snprintf(command, sizeof command, "%s/alone", dir);
    CHECK_INT(kdp_tape_open(&tape, command), 0);
    CHECK_INT(kdp_tape_dictionary(tape, see, &count), 0);
    CHECK_INT(count, 30);
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        const void *records;

        CHECK_INT(kdp_tape_load(tape, i, &records), 0);
        for (const uint8_t *at = records, *end = at + kdp_tape_block_at(tape, i)->bytes; at < end;) {
            struct kdp_head head;

            memcpy(&head, at, sizeof head);
            CHECK(head.instrument == 0 || seen[head.instrument]);
            at += kdpi_tape_record_size(at, (size_t)(end - at));
        }
    }
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(a_missing_segment_becomes_a_note)
{
    for (unsigned missing = 1; missing <= 3; missing++) {
        struct tape_fixture *f = tape_fixture_new(300000, 1, 30);
        struct kdp_tape_segment first, last;
        struct mended mended = {.count = 0};
        char dir[600], path[700];

        snprintf(dir, sizeof dir, "%s/%u", kdp_test_dir(), missing);
        tape_fixture_write(f, dir, 50000, 4000, true);
        first = segment_at(dir, 1, NULL);
        last = segment_at(dir, missing, NULL);
        for (unsigned i = 0; i < missing; i++) {
            snprintf(path, sizeof path, "%s/tape/%08u.seg", dir, i + 2);
            CHECK_INT(unlink(path), 0);
        }
        CHECK(damages(dir) > 0);
        CHECK_INT(kdp_tape_repair(dir, true, note, &mended), missing);
        CHECK_INT(mended.lost, last.last_seq - first.first_seq + 1);
        CHECK_STR(mended.kept, "");
        is_mended(f, dir, first.first_seq, last.last_seq);
        tape_fixture_free(f);
    }
}

KDP_TEST(a_file_that_is_no_segment_is_kept_and_replaced_by_a_note)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 30);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct mended mended = {.count = 0};
    char text[64] = "";
    int fd;

    tape_fixture_write(f, dir, 60000, 4000, true);
    segment = segment_at(dir, 1, NULL);
    CHECK_INT(unlink(segment.path), 0);
    fd = open(segment.path, O_WRONLY | O_CREAT, 0644);
    CHECK(fd >= 0 && write(fd, "not a tape", 10) == 10);
    close(fd);
    CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
    CHECK_INT(mended.lost, segment.last_seq - segment.first_seq + 1);
    fd = open(mended.kept, O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) == 10);
    close(fd);
    CHECK_STR(text, "not a tape");
    is_mended(f, dir, segment.first_seq, segment.last_seq);
    tape_fixture_free(f);
}

KDP_TEST(a_second_damage_keeps_the_first_note)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 30);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct kdp_tape_block first, second;
    struct kdp_tape_totals totals;
    struct mended mended = {.count = 0};

    tape_fixture_write(f, dir, 60000, 4000, true);
    segment = segment_at(dir, 1, &first);
    flip(segment.path, first.offset + 250);
    CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
    segment = segment_at(dir, 1, &second); /* the third block is another one now */
    CHECK(second.first_seq > first.first_seq);
    flip(segment.path, second.offset + 250);
    CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
    CHECK(strstr(mended.kept, ".damaged.2") != NULL);
    CHECK_INT(damages(dir), 0);
    CHECK_INT(kdp_tape_verify(dir, NULL, &totals), 0);
    CHECK_INT(totals.lost, first.count + second.count);
    tape_fixture_free(f);
}

KDP_TEST(a_clean_tape_is_left_alone_and_a_running_plant_too)
{
    struct tape_fixture *f = tape_fixture_new(100000, 1, 30);
    const char *dir = kdp_test_dir();
    struct kdp_stream_config config = {.dir = dir, .ring_bytes = 1 << 20, .raw_off = true};
    struct kdp_input_start start;
    struct kdp_stream *stream;
    char none[600];

    tape_fixture_write(f, dir, 60000, 4000, true);
    CHECK_INT(kdp_tape_repair(dir, true, NULL, NULL), 0);
    tape_fixture_check(f, dir);
    CHECK_INT(kdp_stream_open(&stream, &config, &start), 0);
    CHECK_INT(kdp_tape_repair(dir, true, NULL, NULL), -KDP_EBUSY);
    CHECK_INT(kdp_stream_close(stream), 0);
    snprintf(none, sizeof none, "%s/none", dir);
    CHECK_INT(kdp_tape_repair(none, true, NULL, NULL), -KDP_ENOENT);
    tape_fixture_free(f);
}

/* The only block of a tape is lost: nothing can be read, and that is told, not passed over as an empty tape.
 */
KDP_TEST(a_tape_that_is_lost_whole_says_so)
{
    struct tape_fixture *f = tape_fixture_new(20000, 1, 30);
    const char *dir = kdp_test_dir();
    struct mended mended = {.count = 0};
    const struct kdp_head *rec;
    struct kdp_reader *reader;
    struct kdp_tape_segment segment;
    struct kdp_tape_block block;
    struct kdp_tape *tape;

    tape_fixture_write(f, dir, 60000, 40000, true);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    CHECK_INT(kdp_tape_block_count(tape), 1);
    block = *kdp_tape_block_at(tape, 0);
    CHECK(kdp_tape_segment_at(tape, 0, &segment));
    flip(segment.path, block.offset + 1000);
    kdp_tape_close(tape);
    for (unsigned repaired = 0; repaired < 2; repaired++) {
        CHECK_INT(kdp_reader_open(&reader, dir, "oldest", 0), 0);
        CHECK(kdp_reader_next(reader, &rec) < 0);
        CHECK(strstr(kdp_error_text(), "sequences 1 to ") != NULL);
        CHECK_INT(kdp_reader_next(reader, &rec), 0);
        CHECK_INT(kdp_reader_seq(reader), f->count + 1);
        kdp_reader_close(reader);
        if (!repaired)
            CHECK_INT(kdp_tape_repair(dir, true, note, &mended), 1);
    }
    CHECK_INT(mended.lost, f->count);
    tape_fixture_free(f);
}

/* Repair puts another file in the place of one that is open: the tape takes the new one in at its next look. */
KDP_TEST(an_open_tape_takes_in_what_repair_replaced)
{
    struct tape_fixture *f = tape_fixture_new(200000, 1, 30);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct kdp_tape_block block;
    struct kdp_tape *tape;
    const void *records;
    uint64_t came = 0;
    unsigned noted = 0;

    tape_fixture_write(f, dir, 60000, 4000, true);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    segment = segment_at(dir, 1, &block);
    flip(segment.path, block.offset + 250);
    CHECK_INT(kdp_tape_repair(dir, true, NULL, NULL), 1);
    for (size_t i = 0; i < kdp_tape_block_count(tape);) {
        int rc = kdp_tape_load(tape, i, &records);

        if (rc == -KDP_EOVERRUN) {
            CHECK(kdp_tape_refresh(tape) >= 0);
            i = kdp_tape_find(tape, came + 1);
            continue;
        }
        CHECK_INT(rc, 0);
        if (kdp_tape_block_at(tape, i)->first_seq != came + 1) {
            uint64_t first, last;

            CHECK_INT(kdp_tape_gap(tape, i, &first, &last), KDP_TAPE_GAP_NOTED);
            CHECK_INT(first, block.first_seq);
            CHECK_INT(last, block.first_seq + block.count - 1);
            noted++;
        }
        came = kdp_tape_block_at(tape, i)->first_seq + kdp_tape_block_at(tape, i)->count - 1;
        i++;
    }
    CHECK_INT(came, f->count);
    CHECK_INT(noted, 1);
    kdp_tape_close(tape);
    tape_fixture_free(f);
}
