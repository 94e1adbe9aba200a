/* test_raw.c - the raw tape: round trip, torn tails, flipped bits, several files, what a START says of those
 * before. */
#include "error.h"
#include "kdp_test.h"
#include "raw.h"
#include "raw_format.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef KDP_SANITIZED
#define STRIDE 7 /* every byte is for the plain build */
#else
#define STRIDE 1
#endif

/* Input number index: its length, kind and bytes follow from it. */
static size_t
length_of(uint64_t index)
{
    uint64_t state = index;

    return (size_t)(kdp_test_random(&state) % (index % 97 == 0 ? 5000 : 300));
}

static size_t
room_of(uint64_t index)
{
    return (sizeof(struct kdp_input_head) + length_of(index) + 7) & ~(size_t)7;
}

static void
build(uint8_t *mem, uint64_t index)
{
    static const char text[] = "{\"type\":\"orderbook_delta\",\"msg\":";
    struct kdp_input_head head = {.length = (uint32_t)length_of(index),
                                  .kind = KDP_INPUT_FRAME,
                                  .line = (uint16_t)(index % 5),
                                  .index = index,
                                  .recv_ns = (int64_t)(index * 1000)};

    memset(mem, 0, room_of(index));
    memcpy(mem, &head, sizeof head);
    for (size_t i = 0; i < head.length; i++)
        mem[sizeof head + i] = (uint8_t)(text[i % 32] + (i % 7 == 0 ? (int)(index % 10) : 0));
}

static void
check_input(const struct kdp_input_head *head, uint64_t index)
{
    uint8_t *want = malloc(room_of(index));

    CHECK(want != NULL);
    build(want, index);
    CHECK_INT(head->index, index);
    CHECK_MEM(head, want, sizeof *head + length_of(index));
    free(want);
}

/* Appends inputs first..last, many in one call, as one block or more. */
static int
append(struct kdp_raw_writer *writer, uint64_t first, uint64_t last)
{
    size_t bytes = 0, at = 0;
    uint8_t *run;
    int rc;

    for (uint64_t i = first; i <= last; i++)
        bytes += room_of(i);
    run = malloc(bytes);
    CHECK(run != NULL);
    for (uint64_t i = first; i <= last; at += room_of(i++))
        build(run + at, i);
    rc = kdp_raw_append(writer, run, bytes);
    free(run);
    return rc;
}

static struct kdp_raw_writer *
writer_new(uint64_t first_index, uint64_t segment_bytes)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 9, .segment_bytes = segment_bytes};
    struct kdp_raw_writer *writer;
    uint64_t cut;

    CHECK_INT(kdp_raw_writer_open(&writer, &config, first_index, &cut), 0);
    return writer;
}

static const char *
file_path(uint64_t number)
{
    static char path[KDP_RAW_PATH];

    kdpi_raw_path(path, kdp_test_dir(), number);
    return path;
}

static uint8_t *
slurp(const char *path, size_t *sizep)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    uint8_t *bytes;

    CHECK(file != NULL && stat(path, &st) == 0);
    bytes = malloc((size_t)st.st_size + 1);
    CHECK(bytes != NULL && fread(bytes, 1, (size_t)st.st_size, file) == (size_t)st.st_size);
    fclose(file);
    *sizep = (size_t)st.st_size;
    return bytes;
}

static void
spill(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file;

    unlink(path);
    file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, size, file) == size);
    fclose(file);
}

/* Reads from first on and checks each; returns the last index, and the error that ended it. */
static uint64_t
read_all(const char *path, uint64_t first, int *rcp)
{
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    uint64_t index = first;

    *rcp = kdp_raw_reader_open(&reader, path);
    if (*rcp != 0)
        return first - 1;
    while ((*rcp = kdp_raw_next(reader, &head)) == 1)
        check_input(head, index++);
    kdp_raw_reader_close(reader);
    return index - 1;
}

KDP_TEST(what_was_appended_is_read_back_over_several_files)
{
    struct kdp_raw_writer *writer = writer_new(1, 64 << 10);
    uint64_t last, *numbers;
    struct stat st;
    size_t count;
    int rc;

    for (uint64_t i = 1; i <= 20000; i += 500)
        CHECK_INT(append(writer, i, i + 499), 0);
    CHECK_INT(kdp_raw_written(writer), 20000);
    CHECK_INT(kdp_raw_sync(writer), 0);
    CHECK_INT(read_all(kdp_test_dir(), 1, &rc), 20000); /* while the writer has it open */
    CHECK_INT(rc, 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    CHECK_INT(kdpi_raw_numbers(kdp_test_dir(), &numbers, &count), 0);
    CHECK(count > 3);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(numbers[i], i + 1);
        CHECK_INT(stat(file_path(numbers[i]), &st), 0);
        CHECK_INT(st.st_mode & 0777, 0444);
    }
    free(numbers);
    CHECK_INT(read_all(kdp_test_dir(), 1, &rc), 20000);
    CHECK_INT(rc, 0);
    CHECK_INT(kdp_raw_last_index(kdp_test_dir(), &last), 0);
    CHECK_INT(last, 20000);
    /* a file needs no other to be read */
    for (uint64_t first = 1, number = 1; number <= count; number++, first = last + 1) {
        last = read_all(file_path(number), first, &rc);
        CHECK_INT(rc, 0);
        CHECK(last >= first);
    }
    CHECK_INT(last, 20000);
}

KDP_TEST(reading_from_an_input_steps_over_what_lies_below_it)
{
    struct kdp_raw_writer *writer = writer_new(1, 200 << 10);
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    const uint64_t count = 20000;

    for (uint64_t i = 1; i <= count; i += 500)
        CHECK_INT(append(writer, i, i + 499), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    for (uint64_t from = 1; from <= count + 1000; from += 777) {
        uint64_t next = 0, first = 0;

        CHECK_INT(kdp_raw_reader_open(&reader, kdp_test_dir()), 0);
        kdp_raw_reader_from(reader, from);
        while (kdp_raw_next(reader, &head) > 0) {
            if (first == 0)
                first = next = head->index;
            check_input(head, next++);
        }
        kdp_raw_reader_close(reader);
        if (from > count) {
            CHECK_INT(first, 0);
            continue;
        }
        /* nothing from there on is left out, and of what is below at most the rest of its block comes */
        CHECK(first <= from && from - first < 500);
        CHECK_INT(next, count + 1);
    }
}

KDP_TEST(one_input_longer_than_a_block_lies_alone)
{
    struct kdp_raw_writer *writer = writer_new(1, 0);
    size_t length = 3 << 20, room = sizeof(struct kdp_input_head) + length;
    struct kdp_input_head *big = calloc(1, room);
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;

    CHECK(big != NULL);
    *big = (struct kdp_input_head){.length = (uint32_t)length, .kind = KDP_INPUT_REST, .index = 1};
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)(big + 1))[i] = (uint8_t)(i * 2654435761u >> 13);
    CHECK_INT(kdp_raw_append(writer, big, room), 0);
    CHECK_INT(append(writer, 2, 10), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    CHECK_INT(kdp_raw_reader_open(&reader, kdp_test_dir()), 0);
    CHECK_INT(kdp_raw_next(reader, &head), 1);
    CHECK_MEM(head, big, room);
    for (uint64_t i = 2; i <= 10; i++) {
        CHECK_INT(kdp_raw_next(reader, &head), 1);
        check_input(head, i);
    }
    CHECK_INT(kdp_raw_next(reader, &head), 0);
    kdp_raw_reader_close(reader);
    free(big);
}

KDP_TEST(a_tail_torn_at_any_byte_is_cut_at_the_last_good_block)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 9};
    struct kdp_raw_writer *writer = writer_new(1, 0);
    size_t whole, before, size;
    uint64_t cut, last;
    uint8_t *bytes;
    struct stat st;
    char path[KDP_RAW_PATH];
    int rc;

    CHECK_INT(append(writer, 1, 30), 0);
    CHECK_INT(stat(file_path(1), &st), 0);
    before = (size_t)st.st_size;
    CHECK_INT(append(writer, 31, 40), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    snprintf(path, sizeof path, "%s", file_path(1));
    bytes = slurp(path, &whole);
    for (size = before; size < whole; size += STRIDE) {
        spill(path, bytes, size);
        /* alone the file is said to end too early; in a directory the tail is the next start's business */
        CHECK_INT(read_all(path, 1, &rc), 30);
        CHECK_INT(rc, size == before ? 0 : -KDP_ETRUNCATED);
        CHECK_INT(read_all(kdp_test_dir(), 1, &rc), 30);
        CHECK_INT(rc, 0);
        CHECK_INT(kdp_raw_last_index(kdp_test_dir(), &last), 0);
        CHECK_INT(last, 30);
        CHECK_INT(kdp_raw_writer_open(&writer, &config, 31, &cut), 0);
        CHECK_INT(cut, size - before);
        CHECK_INT(stat(path, &st), 0);
        CHECK_INT(st.st_size, before);
        if (size % 64 == 0) {
            CHECK_INT(append(writer, 31, 50), 0);
            CHECK_INT(read_all(kdp_test_dir(), 1, &rc), 50);
            CHECK_INT(rc, 0);
        }
        CHECK_INT(kdp_raw_writer_close(writer), 0);
        unlink(file_path(2));
    }
    free(bytes);
}

KDP_TEST(a_file_torn_within_its_beginning_is_removed)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 9};
    struct kdp_raw_writer *writer = writer_new(1, 0);
    uint8_t *bytes;
    size_t size;
    uint64_t cut, last;

    CHECK_INT(append(writer, 1, 30), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    bytes = slurp(file_path(1), &size);
    for (size_t len = 0; len <= KDP_RAW_HEADER + KDP_RAW_BLOCK; len += len < 64 ? 1 : 509) {
        spill(file_path(2), bytes, len);
        CHECK_INT(kdp_raw_last_index(kdp_test_dir(), &last), 0);
        CHECK_INT(last, 30);
        CHECK_INT(kdp_raw_writer_open(&writer, &config, 31, &cut), 0);
        CHECK(access(file_path(2), F_OK) != 0);
        CHECK_INT(kdp_raw_writer_close(writer), 0);
    }
    free(bytes);
}

KDP_TEST(every_flipped_bit_is_a_named_error_and_the_rest_is_still_read)
{
    struct kdp_raw_writer *writer = writer_new(1, 0);
    char path[KDP_RAW_PATH];
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    uint8_t *bytes;
    size_t size;
    int rc;

    CHECK_INT(append(writer, 1, 10), 0);
    CHECK_INT(append(writer, 11, 20), 0);
    CHECK_INT(append(writer, 21, 30), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    snprintf(path, sizeof path, "%s", file_path(1));
    bytes = slurp(path, &size);
    for (size_t at = 0; at < size; at += at >= 40 && at < KDP_RAW_HEADER - 64 ? 61 : 1) {
        int errors = 0, inputs = 0;

        bytes[at] ^= (uint8_t)(1u << at % 8);
        spill(path, bytes, size);
        bytes[at] ^= (uint8_t)(1u << at % 8);
        rc = kdp_raw_reader_open(&reader, path);
        if (at < KDP_RAW_HEADER) {
            CHECK(rc == -KDP_ECHECKSUM || rc == -KDP_EFORMAT || rc == -KDP_EVERSION);
            CHECK(strstr(kdp_error_text(), path) != NULL);
            continue;
        }
        CHECK_INT(rc, 0);
        while ((rc = kdp_raw_next(reader, &head)) != 0) {
            if (rc < 0) {
                CHECK(rc == -KDP_ECHECKSUM || rc == -KDP_ETRUNCATED);
                CHECK(strstr(kdp_error_text(), path) != NULL && strstr(kdp_error_text(), "byte ") != NULL);
                CHECK(errors++ < 3);
                continue;
            }
            check_input(head, head->index);
            inputs++;
        }
        CHECK_INT(inputs, 20);
        CHECK(errors >= 1);
        kdp_raw_reader_close(reader);
    }
    free(bytes);
}

KDP_TEST(damage_to_what_was_synced_is_never_cut)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 9};
    struct kdp_raw_writer *writer = writer_new(1, 0);
    uint64_t cut, last;
    uint8_t *bytes;
    size_t size, after;

    CHECK_INT(append(writer, 1, 10), 0);
    CHECK_INT(kdp_raw_sync(writer), 0);
    CHECK_INT(append(writer, 11, 20), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    bytes = slurp(file_path(1), &size);
    bytes[KDP_RAW_HEADER + 100] ^= 1;
    spill(file_path(1), bytes, size);
    CHECK_INT(kdp_raw_last_index(kdp_test_dir(), &last), 0);
    CHECK_INT(last, 20);
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 21, &cut), 0);
    CHECK_INT(cut, 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    free(bytes);
    bytes = slurp(file_path(1), &after);
    CHECK_INT(after, size);
    free(bytes);
}

KDP_TEST(good_blocks_behind_a_hole_that_was_never_synced_are_cut_with_it)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 9};
    struct kdp_raw_writer *writer = writer_new(1, 0);
    uint64_t cut, last;
    uint8_t *bytes;
    size_t size, first, second;
    struct stat st;
    int rc;

    CHECK_INT(append(writer, 1, 10), 0);
    CHECK_INT(kdp_raw_sync(writer), 0);
    CHECK_INT(stat(file_path(1), &st), 0);
    first = (size_t)st.st_size;
    CHECK_INT(append(writer, 11, 20), 0);
    CHECK_INT(stat(file_path(1), &st), 0);
    second = (size_t)st.st_size;
    CHECK_INT(append(writer, 21, 30), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    bytes = slurp(file_path(1), &size);
    memset(bytes + first, 0, second - first); /* a loss of power that brought the later pages to the disk */
    spill(file_path(1), bytes, size);
    CHECK_INT(kdp_raw_last_index(kdp_test_dir(), &last), 0);
    CHECK_INT(last, 10);
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 11, &cut), 0);
    CHECK_INT(cut, size - first);
    CHECK_INT(append(writer, 11, 15), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    CHECK_INT(read_all(kdp_test_dir(), 1, &rc), 15);
    CHECK_INT(rc, 0);
    free(bytes);
}

KDP_TEST(foreign_files_and_newer_versions_are_refused_by_name)
{
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 9};
    struct kdp_raw_writer *writer = writer_new(1, 0);
    struct kdp_raw_header header;
    uint8_t *bytes;
    uint64_t cut;
    size_t size;
    int rc;

    CHECK_INT(append(writer, 1, 10), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    bytes = slurp(file_path(1), &size);
    CHECK(kdp_raw_is(bytes, size) && !kdp_raw_is(bytes, 7) && !kdp_raw_is("{\"type\":1}", 10));
    memcpy(&header, bytes, sizeof header);
    header.version = 2;
    header.crc = kdpi_raw_header_crc(&header);
    memcpy(bytes, &header, sizeof header);
    spill(file_path(1), bytes, size);
    read_all(file_path(1), 1, &rc);
    CHECK_INT(rc, -KDP_EVERSION);
    CHECK(strstr(kdp_error_text(), "version 2") != NULL);
    /* and a writer does not touch it */
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 11, &cut), -KDP_EVERSION);
    spill(file_path(1), (const uint8_t *)"hello world, not a tape", 23);
    read_all(file_path(1), 1, &rc);
    CHECK_INT(rc, -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "is not a raw tape") != NULL);
    read_all("/nonexistent/raw", 1, &rc);
    CHECK_INT(rc, -KDP_ENOENT);
    free(bytes);
}

KDP_TEST(a_missing_block_is_told)
{
    struct kdp_raw_writer *writer = writer_new(1, 0);
    struct kdp_raw_block block;
    uint8_t *bytes;
    size_t size, first;
    int rc;

    CHECK_INT(append(writer, 1, 10), 0);
    CHECK_INT(append(writer, 11, 20), 0);
    CHECK_INT(append(writer, 21, 30), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    bytes = slurp(file_path(1), &size);
    memcpy(&block, bytes + KDP_RAW_HEADER, sizeof block);
    first = (size_t)kdpi_raw_block_bytes(&block);
    memmove(bytes + KDP_RAW_HEADER, bytes + KDP_RAW_HEADER + first, size - KDP_RAW_HEADER - first);
    spill(file_path(1), bytes, size - first);
    read_all(file_path(1), 11, &rc);
    CHECK_INT(rc, -KDP_ECHECKSUM); /* a block that stands where it was not written */
    free(bytes);
}

/* ---- a full disk ---- */

KDP_TEST(an_append_that_found_no_space_can_be_repeated)
{
    struct rlimit limit = {.rlim_cur = 40000, .rlim_max = RLIM_INFINITY};
    struct kdp_raw_writer *writer;
    int refused = 0, rc;

    signal(SIGXFSZ, SIG_IGN);
    writer = writer_new(1, 0);
    for (uint64_t i = 1; i <= 20000; i += 5000) {
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
        rc = append(writer, i, i + 4999); /* several blocks: some of them found room */
        if (rc != 0) {
            CHECK_INT(rc, -KDP_EFULL);
            CHECK_INT(kdp_raw_written(writer), i - 1);
            refused++;
            limit.rlim_cur = RLIM_INFINITY;
            CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
            CHECK_INT(append(writer, i, i + 4999), 0);
        }
        limit.rlim_cur = 40000 + i * 40;
    }
    CHECK(refused > 0);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    CHECK_INT(read_all(kdp_test_dir(), 1, &rc), 20000);
    CHECK_INT(rc, 0);
}

/* ---- runs ---- */

static void
append_start(struct kdp_raw_writer *writer, size_t bytes, uint64_t index, uint64_t applied,
             uint64_t next_seq, uint64_t unused_from)
{
    struct {
        struct kdp_input_head head;
        struct kdp_input_start start;
    } input = {.head = {.length = (uint32_t)bytes, .kind = KDP_INPUT_START, .index = index},
               .start = {.next_seq = next_seq, .unused_from = unused_from, .applied = applied}};

    CHECK_INT(kdp_raw_append(writer, &input, sizeof input.head + bytes), 0);
}

KDP_TEST(a_start_says_which_inputs_before_it_count)
{
    struct kdp_raw_writer *writer = writer_new(1, 0);
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    uint64_t seq_end;

    append_start(writer, sizeof(struct kdp_input_start), 1, 0, 1, 0);
    CHECK_INT(append(writer, 2, 100), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    writer = writer_new(101, 0);
    append_start(writer, KDP_START_V1_BYTES, 101, 97, 5001, 0); /* killed after 97; of an earlier version */
    CHECK_INT(append(writer, 102, 200), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    writer = writer_new(201, 0);
    append_start(writer, sizeof(struct kdp_input_start), 201, 200, 900000, 7001); /* its ring was lost */
    CHECK_INT(append(writer, 202, 210), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    CHECK_INT(kdp_raw_reader_open(&reader, kdp_test_dir()), 0);
    for (uint64_t i = 1; i <= 210; i++) {
        CHECK_INT(kdp_raw_next(reader, &head), 1);
        CHECK_INT(head->index, i);
        CHECK_INT(kdp_raw_counts(reader, &seq_end), !(i > 97 && i <= 100));
        CHECK_INT((int64_t)seq_end, i <= 100 ? 5001 : i <= 200 ? 7001 : -1);
    }
    CHECK_INT(kdp_raw_next(reader, &head), 0);
    kdp_raw_reader_close(reader);
}
