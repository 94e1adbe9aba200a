/* fuzz_tape.c - any bytes as a segment file: open, find, load, dictionary, reader, verify, repair, and going
 * on writing.
 *
 * The first byte picks what is done, the rest is the file.  Inputs that come from real segments die at their
 * checksums, so with bit 7 set the sums of header, heads and trailer are made right first: the checks behind
 * them are what is tried. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "kdp/reader.h"
#include "tape.h"
#include "tape_check.h"
#include "tape_format.h"

static char dir[64], path[128];

static void
clean(void)
{
    static const char *const suffixes[] = {"1.seg",           "1.seg.new", "1.seg.damaged",
                                           "1.seg.damaged.2", "2.seg",     "3.seg"};

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[160];

        snprintf(name, sizeof name, "%s/tape/0000000%s", dir, suffixes[i]);
        chmod(name, 0644);
        unlink(name);
    }
}

static void
leave(void)
{
    char name[160];

    clean();
    snprintf(name, sizeof name, "%s/tape", dir);
    rmdir(name);
    snprintf(name, sizeof name, "%s/plant.lock", dir);
    unlink(name);
    rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char name[160];

    (void)argc;
    (void)argv;
    snprintf(dir, sizeof dir, "%s/kdp-fuzz-tape-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(dir) == NULL)
        abort();
    snprintf(name, sizeof name, "%s/tape", dir);
    mkdir(name, 0777);
    snprintf(path, sizeof path, "%s/tape/00000001.seg", dir);
    atexit(leave);
    return 0;
}

static void
make_sums_right(uint8_t *bytes, size_t size)
{
    struct kdpi_tape_trailer trailer;
    struct kdpi_tape_header header;
    size_t at = KDPI_TAPE_HEADER_BYTES, end = size;

    if (size >= sizeof header) {
        memcpy(&header, bytes, sizeof header);
        header.number = 1;
        kdpi_tape_header_finish(&header);
        memcpy(bytes, &header, sizeof header);
    }
    if (size >= sizeof header + sizeof trailer) {
        memcpy(&trailer, bytes + size - sizeof trailer, sizeof trailer);
        if (memcmp(trailer.magic, KDPI_TAPE_SEAL_MAGIC, 8) == 0 &&
            trailer.index_offset <= size - sizeof trailer) {
            end = trailer.index_offset;
            trailer.number = 1;
            trailer.footer_crc = kdpi_crc32c(0, bytes + end, size - sizeof trailer - end);
            kdpi_tape_trailer_finish(&trailer);
            memcpy(bytes + size - sizeof trailer, &trailer, sizeof trailer);
        }
    }
    while (at + sizeof(struct kdpi_tape_block_head) <= end) {
        struct kdpi_tape_block_head head;

        memcpy(&head, bytes + at, sizeof head);
        if (head.bytes > end - at - sizeof head)
            break;
        head.number = 1;
        head.offset = at;
        head.payload_crc = kdpi_crc32c(0, bytes + at + sizeof head, head.bytes);
        kdpi_tape_head_finish(&head);
        memcpy(bytes + at, &head, sizeof head);
        at += sizeof head + head.bytes;
    }
}

static void
look(void *arg, const struct kdp_tape_instrument *instrument)
{
    uint64_t *sum = arg;

    for (size_t i = 0; i < instrument->ticker_len; i++)
        *sum += (uint8_t)instrument->ticker[i];
    for (uint32_t i = 0; i < instrument->range_count; i++)
        *sum += (uint32_t)instrument->ranges[i].step_e4;
}

static void
tell(void *arg, const struct kdp_tape_finding *finding)
{
    (void)arg;
    fprintf(stderr, "%s at %llu, sequences %llu to %llu\n", finding->what,
            (unsigned long long)finding->offset, (unsigned long long)finding->first_seq,
            (unsigned long long)finding->last_seq);
}

static void
read_tape(void)
{
    const struct kdp_head *rec;
    struct kdp_reader *reader;
    struct kdp_tape *tape;
    uint64_t sum = 0;
    int errors = 0;

    if (kdp_tape_open(&tape, dir) == 0) {
        size_t count = kdp_tape_block_count(tape);

        kdp_tape_find(tape, kdp_tape_last_seq(tape) / 2);
        kdp_tape_find_time(tape, 1795000000000000000);
        for (size_t i = 0; i < count && i < 200; i++) {
            const struct kdp_tape_block *block = kdp_tape_block_at(tape, i);
            const void *records;

            if (kdp_tape_load(tape, i, &records) != 0 && kdp_tape_load(tape, i, &records) != 0)
                continue;
            for (const uint8_t *at = records, *end = at + block->bytes; at < end;) {
                size_t size = kdpi_tape_record_size(at, (size_t)(end - at));

                if (size == 0)
                    abort(); /* load vouched for the framing */
                at += size;
            }
        }
        kdp_tape_dictionary(tape, look, &sum);
        kdp_tape_refresh(tape);
        kdp_tape_close(tape);
    }
    if (kdp_reader_open(&reader, dir, "oldest", 0) == 0) {
        uint64_t last = 0;

        for (int i = 0; i < 5000 && errors < 300; i++) {
            int size = kdp_reader_next(reader, &rec);

            if (size == 0)
                break;
            if (size < 0) {
                errors++;
                continue;
            }
            if (rec->seq <= last)
                abort(); /* in order of seq, whatever the file says */
            last = rec->seq;
            kdp_reader_ticker(reader, rec->instrument);
        }
        kdp_reader_instrument_max(reader);
        kdp_reader_close(reader);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kdp_tape_config config = {.dir = dir, .session = 9, .segment_bytes = 1 << 20};
    struct kdp_tape_totals totals;
    struct kdp_tape_writer *writer;
    uint64_t cut;
    uint8_t *bytes;
    int fd;

    if (size < 1 || size > 1 << 20)
        return 0;
    bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 0x80)
        make_sums_right(bytes, size - 1);
    clean();
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, bytes, size - 1) != (ssize_t)(size - 1))
        abort();
    close(fd);
    free(bytes);
    read_tape();
    if (data[0] & 1)
        kdp_tape_verify(dir, NULL, &totals);
    if (data[0] & 2 && kdp_tape_repair(dir, true, NULL, NULL) > 0) {
        if (kdp_tape_verify(dir, NULL, &totals) == 0 && totals.damages > 0) { /* what was repaired is whole */
            struct kdp_tape_check check = {.finding = tell};

            kdp_tape_verify(dir, &check, &totals);
            abort();
        }
        read_tape();
    }
    if (data[0] & 4 && kdp_tape_writer_open(&writer, &config, UINT64_MAX / 4, &cut) == 0) {
        kdp_tape_writer_close(writer);
        read_tape();
    }
    return 0;
}
