/* test_tape_damage.c - tapes that were torn, cut, flipped, lost or written by somebody else: a clear error or
 * the records that are whole, never a crash, never a wrong record, never a hole that nobody is told of. */
#include "error.h"
#include "kdp_test.h"
#include "made_records.h"
#include "tape.h"
#include "tape_check.h"
#include "tape_fixture.h"
#include "tape_format.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files as bytes ---- */

struct file {
    char path[700];
    uint8_t *bytes;
    size_t len;
};

static struct file
slurp(const char *dir, unsigned number)
{
    struct file f;
    struct stat st;
    int fd;

    snprintf(f.path, sizeof f.path, "%s/tape/%08u.seg", dir, number);
    fd = open(f.path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    f.len = (size_t)st.st_size;
    f.bytes = malloc(f.len + 1);
    CHECK(f.bytes != NULL && read(fd, f.bytes, f.len) == (ssize_t)f.len);
    close(fd);
    return f;
}

static void
spill(const struct file *f, const void *bytes, size_t len, mode_t mode)
{
    int fd;

    unlink(f->path);
    fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    CHECK_INT(fchmod(fd, mode), 0);
    close(fd);
}

/* Where each block begins, and the end of the last. */
static size_t
block_ends(const struct file *f, size_t *offsets, size_t max)
{
    size_t count = 0, at = KDPI_TAPE_HEADER_BYTES;

    while (at + sizeof(struct kdpi_tape_block_head) <= f->len) {
        struct kdpi_tape_block_head head;

        memcpy(&head, f->bytes + at, sizeof head);
        if (kdpi_tape_head_fault(&head, head.number, at) != NULL)
            break;
        CHECK(count < max);
        offsets[count++] = at;
        at += sizeof head + head.bytes;
    }
    CHECK(count < max);
    offsets[count] = at;
    return count;
}

static uint64_t
records_before(const struct file *f, const size_t *offsets, size_t count, size_t limit)
{
    uint64_t records = 0;

    for (size_t i = 0; i < count && offsets[i + 1] <= limit; i++) {
        struct kdpi_tape_block_head head;

        memcpy(&head, f->bytes + offsets[i], sizeof head);
        records += head.kind == KDPI_TAPE_KIND_RECORDS ? head.count : 0;
    }
    return records;
}

static uint64_t
damages(const char *dir)
{
    struct kdp_tape_totals totals;

    CHECK_INT(kdp_tape_verify(dir, NULL, &totals), 0);
    return totals.damages;
}

/* Opens for writing, goes on with the fixture's next records, and expects kept + those. */
static void
go_on(const struct tape_fixture *f, const char *dir, uint64_t kept, uint64_t want_cut)
{
    struct kdp_tape_config config = {.dir = dir, .session = 43, .segment_bytes = 1 << 20};
    struct kdp_tape_writer *writer;
    uint64_t cut, last;
    unsigned errors;

    CHECK_INT(kdp_tape_writer_open(&writer, &config, f->first_seq + kept, &cut), 0);
    CHECK_INT(cut, want_cut);
    CHECK_INT(kdp_tape_append(writer, f->bytes + f->offsets[kept], f->len - f->offsets[kept], 9), 0);
    CHECK_INT(kdp_tape_writer_close(writer), 0);
    CHECK_INT(tape_fixture_read(f, dir, &last, &errors), f->count);
    CHECK_INT(errors, 0);
    CHECK_INT(damages(dir), 0);
}

static void
wipe(const char *dir)
{
    char command[700];

    snprintf(command, sizeof command, "rm -rf %s/tape", dir);
    CHECK_INT(system(command), 0);
    snprintf(command, sizeof command, "%s/tape", dir);
    CHECK_INT(mkdir(command, 0777), 0);
}

/* ---- torn tails ---- */

/* The file as a killed run leaves it, cut at every byte of its last two blocks and one before. */
KDP_TEST(a_tail_torn_at_any_byte_is_cut_at_the_last_whole_block)
{
    struct tape_fixture *f = tape_fixture_new(9000, 1, 4);
    const char *dir = kdp_test_dir();
    size_t offsets[64], count;
    struct file file;

    tape_fixture_write(f, dir, 1 << 20, 1400, false);
    file = slurp(dir, 1);
    count = block_ends(&file, offsets, 64);
    CHECK(count >= 5);
    CHECK_INT(offsets[count], file.len);
    for (size_t len = offsets[count - 3]; len <= file.len; len++) {
        uint64_t kept = records_before(&file, offsets, count, len), last;
        unsigned errors;

        wipe(dir);
        spill(&file, file.bytes, len, 0644);
        CHECK_INT(tape_fixture_read(f, dir, &last, &errors), kept);
        CHECK_INT(errors, 0);
        CHECK_INT(last, kept);
        CHECK_INT(damages(dir), 0);
        if (kept < f->count) {
            size_t whole = 0;

            while (whole < count && offsets[whole + 1] <= len)
                whole++;
            /* each goes on costs several syncs: at every byte near a border, else now and then */
            if (len - offsets[whole] < 4 || offsets[whole + 1] - len < 4 || len % 29 == 0)
                go_on(f, dir, kept, len - offsets[whole]);
        }
    }
    free(file.bytes);
    tape_fixture_free(f);
}

/* Pages that never reached the disk read as zeros: the file has its length, its tail has not its bytes. */
KDP_TEST(a_tail_of_zeros_is_cut_at_the_last_whole_block)
{
    struct tape_fixture *f = tape_fixture_new(9000, 1, 4);
    const char *dir = kdp_test_dir();
    size_t offsets[64], count;
    struct file file;

    tape_fixture_write(f, dir, 1 << 20, 1400, false);
    file = slurp(dir, 1);
    count = block_ends(&file, offsets, 64);
    for (size_t from = offsets[count - 1]; from < file.len; from += 13) {
        uint64_t kept = records_before(&file, offsets, count, offsets[count - 1]), last;
        uint8_t *torn = malloc(file.len);
        unsigned errors;

        CHECK(torn != NULL);
        memcpy(torn, file.bytes, file.len);
        memset(torn + from, 0, file.len - from);
        if (memcmp(torn, file.bytes, file.len) != 0) {
            wipe(dir);
            spill(&file, torn, file.len, 0644);
            CHECK_INT(tape_fixture_read(f, dir, &last, &errors), kept);
            CHECK_INT(errors, 0);
            go_on(f, dir, kept, file.len - offsets[count - 1]);
        }
        free(torn);
    }
    free(file.bytes);
    tape_fixture_free(f);
}

/* Two blocks written, none synced, and of the first a page is gone: nothing says that it ever was on the
 * disk, so both go. Had a later block been written after a sync, the first would be damage, and the later
 * ones stay. */
KDP_TEST(what_was_never_synced_may_go_and_what_was_may_not)
{
    const char *dir = kdp_test_dir();

    for (unsigned synced = 0; synced < 2; synced++) {
        struct tape_fixture *f = tape_fixture_new(12000, 1, 1);
        struct kdp_tape_config config = {.dir = dir, .session = 5, .segment_bytes = 1 << 20};
        struct kdp_tape_writer *writer;
        struct file file;
        uint64_t cut, last, third = f->count / 3, came;
        size_t offsets[64], count;
        unsigned errors;

        wipe(dir);
        CHECK_INT(kdp_tape_writer_open(&writer, &config, 1, &cut), 0);
        for (unsigned i = 0; i < 3; i++) {
            CHECK_INT(kdp_tape_append(writer, f->bytes + f->offsets[i * third],
                                      f->offsets[(i + 1) * third] - f->offsets[i * third], 1),
                      0);
            if (synced)
                CHECK_INT(kdp_tape_sync(writer), 0);
        }
        file = slurp(dir, 1);
        count = block_ends(&file, offsets, 64);
        CHECK_INT(count, 4);                  /* one dictionary */
        file.bytes[offsets[2] + 300] ^= 0xff; /* in the payload of the second block of records */
        CHECK_INT(kdp_tape_writer_close(writer), 0);
        spill(&file, file.bytes, file.len, 0644);
        came = tape_fixture_read(f, dir, &last, &errors);
        CHECK_INT(came, synced ? 2 * third : third);
        CHECK_INT(errors, synced);
        CHECK_INT(last, synced ? 3 * third : third);
        CHECK_INT(damages(dir) > 0, synced);
        CHECK_INT(kdp_tape_writer_open(&writer, &config, 3 * third + 1, &cut), 0);
        CHECK_INT(cut, synced ? 0 : file.len - offsets[2]);
        CHECK_INT(kdp_tape_writer_close(writer), 0);
        CHECK_INT(tape_fixture_read(f, dir, &last, &errors),
                  came); /* sealed now, and the damage still told of */
        CHECK_INT(errors, synced);
        free(file.bytes);
        tape_fixture_free(f);
    }
}

/* ---- flipped bits ---- */

/* One bit of every byte of a sealed file, and all bits of every eighth: verify must find it; reading must
 * give nothing wrong, and where records are missing somebody must have been told. */
KDP_TEST(a_flipped_bit_anywhere_in_a_sealed_segment_is_found)
{
    struct tape_fixture *f = tape_fixture_new(5000, 1, 3);
    const char *dir = kdp_test_dir();
    uint64_t random = kdp_test_seed();
    struct file file;

    tape_fixture_write(f, dir, 1 << 20, 1400, true);
    file = slurp(dir, 1);
    CHECK_INT(damages(dir), 0);
    for (size_t at = 0; at < file.len; at++) {
        unsigned all = at % 8 == 3 && (at < 256 || at > 4000);

        for (unsigned bit = 0; bit < (all ? 8 : 1); bit++) {
            uint8_t mask = (uint8_t)(1u << (all ? bit : kdp_test_random(&random) % 8));
            struct kdp_tape_totals totals;
            struct kdp_tape *tape;
            int rc;

            file.bytes[at] ^= mask;
            spill(&file, file.bytes, file.len, 0444);
            rc = kdp_tape_verify(dir, NULL, &totals);
            if (rc == 0 ? totals.damages == 0 : rc != -KDP_EVERSION)
                kdp_test_fail(__FILE__, __LINE__, "byte %zu, mask %02x: verify gives %d", at, mask, rc);
            rc = kdp_tape_open(&tape, dir);
            if (rc == 0) {
                unsigned errors;
                uint64_t came;

                kdp_tape_close(tape);
                came = tape_fixture_read(f, dir, NULL, &errors);
                if (came < f->count && errors == 0)
                    kdp_test_fail(__FILE__, __LINE__,
                                  "byte %zu, mask %02x: %llu of %llu records, and no word", at, mask,
                                  (unsigned long long)came, (unsigned long long)f->count);
            } else {
                CHECK(rc == -KDP_ECHECKSUM || rc == -KDP_EFORMAT || rc == -KDP_EVERSION);
                CHECK(strstr(kdp_error_text(), file.path) != NULL);
            }
            file.bytes[at] ^= mask;
        }
    }
    free(file.bytes);
    tape_fixture_free(f);
}

/* The same in a file that is not sealed; the last block may then pass for a torn tail. */
KDP_TEST(a_flipped_bit_in_a_growing_segment_gives_nothing_wrong)
{
    struct tape_fixture *f = tape_fixture_new(5000, 1, 3);
    const char *dir = kdp_test_dir();
    uint64_t random = kdp_test_seed(), last_block;
    size_t offsets[64], count;
    struct file file;

    tape_fixture_write(f, dir, 1 << 20, 1400, false);
    file = slurp(dir, 1);
    count = block_ends(&file, offsets, 64);
    last_block = f->count - records_before(&file, offsets, count, offsets[count - 1]);
    for (size_t at = KDPI_TAPE_HEADER_BYTES; at < file.len; at++) {
        uint8_t mask = (uint8_t)(1u << (kdp_test_random(&random) % 8));
        bool dictionary = false;
        unsigned errors;
        uint64_t came;

        for (size_t i = 0; i < count; i++)
            if (at >= offsets[i] && at < offsets[i + 1])
                dictionary = file.bytes[offsets[i] + offsetof(struct kdpi_tape_block_head, kind)] != 0;
        file.bytes[at] ^= mask;
        spill(&file, file.bytes, file.len, 0644);
        came = tape_fixture_read(f, dir, NULL, &errors);
        if (dictionary || at >= offsets[count - 1]) /* reading records asks no dictionary; and nothing proves
                                                       the last block */
            CHECK(came == f->count || came == f->count - last_block || errors > 0);
        else if (came == f->count || errors == 0)
            kdp_test_fail(__FILE__, __LINE__, "byte %zu: %llu of %llu records, %u errors", at,
                          (unsigned long long)came, (unsigned long long)f->count, errors);
        file.bytes[at] ^= mask;
    }
    free(file.bytes);
    tape_fixture_free(f);
}

KDP_TEST(damage_is_told_with_file_byte_sequences_and_what_to_do)
{
    struct tape_fixture *f = tape_fixture_new(40000, 100, 3);
    const char *dir = kdp_test_dir();
    struct kdp_tape_block block;
    struct kdp_tape *tape;
    char want[1000];
    const void *records;
    struct file file;

    tape_fixture_write(f, dir, 1 << 20, 4000, true);
    file = slurp(dir, 1);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    block = *kdp_tape_block_at(tape, 3);
    kdp_tape_close(tape);
    file.bytes[block.offset + 192 + 77] ^= 4;
    spill(&file, file.bytes, file.len, 0444);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    CHECK_INT(kdp_tape_load(tape, 3, &records), -KDP_ECHECKSUM);
    CHECK(records == NULL);
    snprintf(want, sizeof want, "bad checksum: %s: byte %llu, sequences %llu to %llu", file.path,
             (unsigned long long)block.offset, (unsigned long long)block.first_seq,
             (unsigned long long)(block.first_seq + block.count - 1));
    CHECK_STR(kdp_error_text(), want);
    snprintf(want, sizeof want, "kdp tape repair %s/tape shows what can be saved and asks before it writes",
             dir);
    CHECK_STR(kdp_error_hint(), want);
    CHECK_INT(kdp_tape_load(tape, 4, &records), 0); /* goes on behind it */
    kdp_tape_close(tape);
    free(file.bytes);
    tape_fixture_free(f);
}

/* ---- other files ---- */

KDP_TEST(a_future_version_is_named_and_nothing_is_touched)
{
    struct tape_fixture *f = tape_fixture_new(20000, 1, 3);
    const char *dir = kdp_test_dir();
    struct kdp_tape_config config = {.dir = dir, .session = 5};
    struct kdp_tape_totals totals;
    struct kdp_tape_writer *writer;
    struct kdp_tape *tape;
    struct file file, after;
    uint64_t cut;
    char want[1000];

    tape_fixture_write(f, dir, 1 << 20, 4000, true);
    file = slurp(dir, 1);
    file.bytes[8] = 3;
    spill(&file, file.bytes, file.len, 0444);
    snprintf(want, sizeof want, "tape format 3: %s: kdp 0.1.0 reads 1", file.path);
    CHECK_INT(kdp_tape_open(&tape, dir), -KDP_EVERSION);
    CHECK_STR(kdp_error_text(), want);
    CHECK_INT(kdp_tape_writer_open(&writer, &config, 100000, &cut), -KDP_EVERSION);
    CHECK_STR(kdp_error_text(), want);
    CHECK_INT(kdp_tape_verify(dir, NULL, &totals), -KDP_EVERSION);
    after = slurp(dir, 1);
    CHECK_INT(after.len, file.len);
    CHECK_MEM(after.bytes, file.bytes, file.len);
    free(after.bytes);
    free(file.bytes);
    tape_fixture_free(f);
}

KDP_TEST(a_file_that_is_no_segment_is_an_error_and_stays)
{
    static const char text[] = "This is a letter and not a tape. It has more than eight bytes.";
    struct tape_fixture *f = tape_fixture_new(60000, 1, 3);
    const char *dir = kdp_test_dir();
    struct kdp_tape_config config = {.dir = dir, .session = 5};

    for (unsigned which = 1; which <= 3; which++) { /* first, middle, last */
        struct kdp_tape_segment segment;
        struct kdp_tape_writer *writer;
        struct kdp_tape *tape;
        struct file file, after;
        uint64_t cut;

        wipe(dir);
        tape_fixture_write(f, dir, 24000, 4000, true);
        CHECK_INT(kdp_tape_open(&tape, dir), 0);
        CHECK(kdp_tape_segment_at(tape, 2, &segment) && !kdp_tape_segment_at(tape, 3, &segment));
        kdp_tape_close(tape);
        file = slurp(dir, which);
        spill(&file, text, sizeof text, 0644);
        CHECK_INT(kdp_tape_open(&tape, dir), -KDP_EFORMAT);
        CHECK(strstr(kdp_error_text(), "not a tape segment: ") != NULL);
        CHECK(strstr(kdp_error_text(), file.path) != NULL);
        CHECK(damages(dir) > 0);
        if (which == 3) {
            CHECK(kdp_tape_writer_open(&writer, &config, 100000, &cut) < 0);
            after = slurp(dir, which);
            CHECK_INT(after.len, sizeof text);
            free(after.bytes);
        }
        free(file.bytes);
    }
    tape_fixture_free(f);
}

/* A segment just begun when the power went: no bytes, a byte, a part of the header, zeros. */
KDP_TEST(a_segment_that_was_only_begun_holds_nothing)
{
    static const size_t lengths[] = {0, 1, 7, 8, 100, 4095, 4096, 9000};
    struct tape_fixture *f = tape_fixture_new(30000, 1, 3);
    const char *dir = kdp_test_dir();

    for (unsigned zeros = 0; zeros < 2; zeros++) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            size_t len = lengths[i];
            struct file first, begun;
            uint8_t bytes[9000] = {0};
            unsigned errors;

            wipe(dir);
            tape_fixture_write_part(f, dir, 1 << 20, 4000, 0, f->count / 2, true);
            first = slurp(dir, 1);
            begun = first;
            snprintf(begun.path, sizeof begun.path, "%s/tape/00000002.seg", dir);
            if (!zeros)
                memcpy(bytes, first.bytes, len < 4095 ? len : 4095);
            if (!zeros && len > 4095)
                len = 4095;
            spill(&begun, bytes, len, 0644);
            CHECK_INT(tape_fixture_read(f, dir, NULL, &errors), f->count / 2);
            CHECK_INT(errors, 0);
            CHECK_INT(damages(dir), 0);
            go_on(f, dir, f->count / 2, len > 4096 ? len - 4096 : 0);
            free(first.bytes);
        }
    }
    tape_fixture_free(f);
}

KDP_TEST(a_sealed_segment_cut_at_any_length_is_noticed)
{
    struct tape_fixture *f = tape_fixture_new(40000, 1, 3);
    const char *dir = kdp_test_dir();
    struct kdp_tape *tape;
    struct file file;

    tape_fixture_write(f, dir, 20000, 3000, true);
    file = slurp(dir, 1);
    for (size_t len = 0; len < file.len; len += len < 4200 ? 97 : 641) {
        unsigned errors;
        uint64_t came;

        spill(&file, file.bytes, len, 0444);
        CHECK(damages(dir) > 0);
        if (kdp_tape_open(&tape, dir) != 0) {
            CHECK(strstr(kdp_error_text(), file.path) != NULL);
            continue;
        }
        kdp_tape_close(tape);
        came = tape_fixture_read(f, dir, NULL, &errors);
        if (came == f->count)
            CHECK(len > file.len / 2); /* only the footer is gone */
        else if (errors == 0) {
            /* all its blocks are gone, and a tape may begin anywhere: verify alone can tell */
            CHECK(len < 4096 + 192 + 3000 + 192 + 3000);
        }
    }
    free(file.bytes);
    tape_fixture_free(f);
}

KDP_TEST(a_missing_segment_is_named_with_its_sequences)
{
    struct tape_fixture *f = tape_fixture_new(100000, 1, 3);
    const char *dir = kdp_test_dir();
    struct kdp_tape_segment segment;
    struct kdp_tape *tape;
    char want[1000], path[700];
    uint64_t first = 0, last = 0;
    const void *records;
    unsigned told = 0;

    tape_fixture_write(f, dir, 20000, 3000, true);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    CHECK(kdp_tape_segment_at(tape, 1, &segment));
    first = segment.first_seq;
    last = segment.last_seq;
    snprintf(path, sizeof path, "%s", segment.path);
    kdp_tape_close(tape);
    CHECK_INT(unlink(path), 0);
    CHECK(damages(dir) > 0);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        if (kdp_tape_load(tape, i, &records) == 0)
            continue;
        snprintf(want, sizeof want, "segment missing: %s: sequences %llu to %llu", path,
                 (unsigned long long)first, (unsigned long long)last);
        CHECK_STR(kdp_error_text(), want);
        CHECK(strstr(kdp_error_hint(), "kdp tape repair") != NULL);
        CHECK_INT(kdp_tape_block_at(tape, i)->first_seq, last + 1);
        CHECK_INT(kdp_tape_load(tape, i, &records), 0); /* said once */
        told++;
    }
    CHECK_INT(told, 1);
    kdp_tape_close(tape);
    tape_fixture_free(f);
}

KDP_TEST(a_segment_under_another_number_is_refused)
{
    struct tape_fixture *f = tape_fixture_new(60000, 1, 3);
    const char *dir = kdp_test_dir();
    struct kdp_tape *tape;
    struct file file;

    tape_fixture_write(f, dir, 20000, 3000, true);
    file = slurp(dir, 2);
    snprintf(file.path, sizeof file.path, "%s/tape/00000077.seg", dir);
    spill(&file, file.bytes, file.len, 0444);
    CHECK_INT(kdp_tape_open(&tape, dir), -KDP_ECHECKSUM);
    CHECK(strstr(kdp_error_text(), "belongs to another segment number") != NULL);
    free(file.bytes);
    tape_fixture_free(f);
}

/* ---- full disk ---- */

/* Writes until the disk is full, lets some room come back, goes on: all records must be there once. */
static void
fill_and_go_on(const char *dir, void (*more_room)(unsigned step))
{
    struct tape_fixture *f = tape_fixture_new(700000, 1, 30);
    struct kdp_tape_config config = {.dir = dir, .session = 5, .segment_bytes = 100000};
    struct kdp_tape_writer *writer;
    uint64_t cut, at = 0, last;
    unsigned full = 0, errors;
    int rc;

    CHECK_INT(kdp_tape_writer_open(&writer, &config, 1, &cut), 0);
    while (at < f->count) {
        uint64_t to = at + 61 < f->count ? at + 61 : f->count;

        rc = kdp_tape_append(writer, f->bytes + f->offsets[at], f->offsets[to] - f->offsets[at], at);
        if (rc == 0)
            rc = kdp_tape_sync(writer);
        if (rc == 0) {
            at = to;
            continue;
        }
        CHECK_INT(rc, -KDP_EFULL);
        CHECK(kdp_error_text()[0] != '\0');
        CHECK_INT(tape_fixture_read(f, dir, &last, &errors), at); /* whole, up to what was taken */
        CHECK_INT(errors, 0);
        CHECK_INT(kdp_tape_append(writer, f->bytes + f->offsets[at], f->offsets[to] - f->offsets[at], at),
                  -KDP_EFULL);
        more_room(++full);
        CHECK(full < 100);
    }
    CHECK(full >= 3);
    for (rc = -KDP_EFULL; rc == -KDP_EFULL;) { /* the footer needs room too */
        more_room(++full);
        rc = kdp_tape_writer_close(writer);
    }
    CHECK_INT(rc, 0);
    tape_fixture_check(f, dir);
    CHECK_INT(damages(dir), 0);
    tape_fixture_free(f);
}

static void
raise_limit(unsigned step)
{
    struct rlimit limit = {9000 + step * 9000, RLIM_INFINITY};

    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

KDP_TEST(a_file_size_limit_is_like_a_full_disk)
{
    const char *dir = kdp_test_dir();

    signal(SIGXFSZ, SIG_IGN);
    raise_limit(0);
    fill_and_go_on(dir, raise_limit);
}

static char tmpfs[600];

static void
grow_tmpfs(unsigned step)
{
    char options[64];

    snprintf(options, sizeof options, "size=%u", 100000 + step * 150000);
    CHECK_INT(mount("none", tmpfs, "tmpfs", MS_REMOUNT, options), 0);
}

static void
unmount_tmpfs(void)
{
    umount2(tmpfs, MNT_DETACH);
}

KDP_TEST(a_full_disk_keeps_the_tape_whole_and_writing_goes_on)
{
    snprintf(tmpfs, sizeof tmpfs, "%s/small", kdp_test_dir());
    CHECK_INT(mkdir(tmpfs, 0777), 0);
    if (mount("none", tmpfs, "tmpfs", 0, "size=100000") != 0)
        kdp_test_skip("mounting a tmpfs is not allowed here");
    atexit(unmount_tmpfs);
    fill_and_go_on(tmpfs, grow_tmpfs);
    unmount_tmpfs();
}

KDP_TEST(a_header_begun_is_told_from_damage)
{
    uint8_t bytes[26] = {'K', 'D', 'P'}; /* then zeros: the file grew, and the rest never came */

    CHECK(kdpi_tape_header_torn(bytes, sizeof bytes));
    CHECK(kdpi_tape_header_torn(KDPI_TAPE_MAGIC, 5));
    bytes[20] = 1;
    CHECK(!kdpi_tape_header_torn(bytes, sizeof bytes));
    memcpy(bytes, KDPI_TAPE_MAGIC, 8);
    CHECK(kdpi_tape_header_torn(bytes, sizeof bytes));
    bytes[0] = 'X';
    CHECK(!kdpi_tape_header_torn(bytes, sizeof bytes));
}
