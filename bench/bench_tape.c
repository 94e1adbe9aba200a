/* bench_tape.c - the tape: writing 72-byte records and reading them, beside what the kernel alone takes for
 * the bytes.
 *
 *   bench_tape [FOLDER]         by default /dev/shm: the program's cost, not the disk's
 *
 * Writing: floor makes a file and writes the same bytes in the same calls of 64 KiB, then syncs; append makes
 * a tape of them and seals it.  Reading: read_floor reads a file of the same length in steps of 1 MiB; scan
 * loads each block (checksum, framing, order); run and next go through the reader, a block or a record at a
 * time. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "error.h"
#include "kdp/reader.h"
#include "tape.h"

#define RECORDS 400000u
#define CALL (65536u / sizeof(struct kdp_level) * sizeof(struct kdp_level))
#define INSTRUMENTS 600u

struct work {
    char dir[512], file[600], segment[600];
    struct kdp_level *levels;
    size_t bytes;
    uint8_t *buffer;
};

static void
fail(const char *what)
{
    fprintf(stderr, "bench_tape: %s: %s\n", what, kdp_error_text());
    exit(1);
}

static void
make_levels(struct work *work)
{
    uint64_t random = 88172645463325252u;

    work->bytes = RECORDS * sizeof *work->levels;
    work->levels = aligned_alloc(64, (work->bytes + 63) & ~(size_t)63);
    work->buffer = malloc(1 << 20);
    if (work->levels == NULL || work->buffer == NULL)
        fail("no memory");
    memset(work->levels, 0, work->bytes);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct kdp_level *level = &work->levels[i];

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        level->head.block_length = sizeof *level - 8;
        level->head.template_id = KDP_TEMPLATE_LEVEL;
        level->head.schema_id = KDP_SCHEMA_ID;
        level->head.version = KDP_SCHEMA_VERSION;
        level->head.seq = i + 1;
        level->head.exch_ns = level->head.recv_ns = INT64_C(1795000000000000000) + i * 200000;
        level->head.instrument = 1 + (uint32_t)(random >> 33) % INSTRUMENTS;
        level->price_e4 = (int32_t)(random % 100) * 100;
        level->side = KDP_SIDE_YES;
        level->delta_e2 = 100;
        level->size_e2 = 5000;
    }
}

static uint64_t
write_floor(void *arg, uint64_t count)
{
    struct work *work = arg;
    const uint8_t *bytes = (const uint8_t *)work->levels;
    size_t len = count * sizeof *work->levels;
    int fd;

    unlink(work->file);
    fd = open(work->file, O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        fail("cannot make a file");
    for (size_t at = 0; at < len; at += CALL) {
        size_t part = len - at < CALL ? len - at : CALL;

        if (pwrite(fd, bytes + at, part, (off_t)at) != (ssize_t)part)
            fail("cannot write");
    }
    if (fsync(fd) != 0)
        fail("cannot sync");
    close(fd);
    return count;
}

static uint64_t
write_tape(void *arg, uint64_t count)
{
    struct work *work = arg;
    struct kdp_tape_config config = {.dir = work->dir, .session = 1};
    const uint8_t *bytes = (const uint8_t *)work->levels;
    size_t len = count * sizeof *work->levels;
    struct kdp_tape_writer *writer;
    uint64_t cut;

    unlink(work->segment);
    if (kdp_tape_writer_open(&writer, &config, 1, &cut) != 0)
        fail("open");
    for (size_t at = 0; at < len; at += CALL)
        if (kdp_tape_append(writer, bytes + at, len - at < CALL ? len - at : CALL, at) != 0)
            fail("append");
    if (kdp_tape_writer_close(writer) != 0)
        fail("close");
    return count;
}

static uint64_t
read_floor(void *arg, uint64_t count)
{
    struct work *work = arg;
    uint64_t sum = 0;
    ssize_t got;
    int fd = open(work->file, O_RDONLY);

    (void)count;
    while ((got = read(fd, work->buffer, 1 << 20)) > 0)
        sum += work->buffer[got - 1];
    close(fd);
    return sum;
}

static uint64_t
scan(void *arg, uint64_t count)
{
    struct work *work = arg;
    struct kdp_tape *tape;
    uint64_t sum = 0;

    (void)count;
    if (kdp_tape_open(&tape, work->dir) != 0)
        fail("open");
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        const void *records;

        if (kdp_tape_load(tape, i, &records) != 0)
            fail("load");
        sum += kdp_tape_block_at(tape, i)->count;
    }
    kdp_tape_close(tape);
    return sum;
}

static uint64_t
read_runs(void *arg, uint64_t count)
{
    struct work *work = arg;
    struct kdp_reader *reader;
    const void *records;
    uint64_t sum = 0;
    size_t bytes;

    (void)count;
    if (kdp_reader_open(&reader, work->dir, "oldest", 0) != 0)
        fail("open");
    while (kdp_reader_run(reader, &records, &bytes) > 0)
        sum += bytes;
    kdp_reader_close(reader);
    return sum;
}

static uint64_t
read_next(void *arg, uint64_t count)
{
    struct work *work = arg;
    struct kdp_reader *reader;
    const struct kdp_head *rec;
    uint64_t sum = 0;

    (void)count;
    if (kdp_reader_open(&reader, work->dir, "oldest", 0) != 0)
        fail("open");
    while (kdp_reader_next(reader, &rec) > 0)
        sum += rec->seq;
    kdp_reader_close(reader);
    return sum;
}

int
main(int argc, char **argv)
{
    static struct work work;
    static struct bench_contestant writing[] = {
        {.name = "tape_write_floor", .run = write_floor, .arg = &work},
        {.name = "tape_append", .run = write_tape, .arg = &work}};
    static struct bench_contestant reading[] = {{.name = "tape_read_floor", .run = read_floor, .arg = &work},
                                                {.name = "tape_scan", .run = scan, .arg = &work},
                                                {.name = "reader_run", .run = read_runs, .arg = &work},
                                                {.name = "reader_next", .run = read_next, .arg = &work}};

    snprintf(work.dir, sizeof work.dir, "%s/kdp-bench-tape-XXXXXX", argc > 1 ? argv[1] : "/dev/shm");
    if (mkdtemp(work.dir) == NULL) {
        perror(work.dir);
        return 1;
    }
    snprintf(work.file, sizeof work.file, "%s/floor", work.dir);
    snprintf(work.segment, sizeof work.segment, "%s/tape/00000001.seg", work.dir);
    make_levels(&work);
    bench_machine();
    bench_compare(writing, 2, RECORDS);
    printf("name=tape_append_over_floor ratio=%.2f ns_more=%.1f mb_per_s=%.0f\n",
           writing[1].p50 / writing[0].p50, writing[1].p50 - writing[0].p50,
           sizeof(struct kdp_level) / writing[1].p50 * 1e3);
    bench_compare(reading, 4, RECORDS);
    for (unsigned i = 1; i < 4; i++)
        printf("name=%s_rate records_per_s_million=%.1f over_floor=%.2f\n", reading[i].name,
               1e3 / reading[i].p50, reading[i].p50 / reading[0].p50);
    unlink(work.file);
    unlink(work.segment);
    snprintf(work.file, sizeof work.file, "%s/tape", work.dir);
    rmdir(work.file);
    rmdir(work.dir);
    return 0;
}
