/* tape_fixture.c - made-up records in memory, written to a tape and compared with what comes back. */
#include "tape_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kdp_test.h"
#include "made_records.h"
#include "tape.h"
#include "tape_format.h"

struct tape_fixture *
tape_fixture_new(size_t bytes, uint64_t first_seq, uint32_t instruments)
{
    struct tape_fixture *f = calloc(1, sizeof *f);
    struct made_records made;
    size_t at = 0;

    CHECK(f != NULL);
    f->bytes = aligned_alloc(64, (bytes + KDP_RECORD_MAX + 63) & ~(size_t)63);
    CHECK(f->bytes != NULL);
    made_records_start(&made, kdp_test_seed(), first_seq, instruments);
    f->len = made_records_fill(&made, f->bytes, bytes, &f->count);
    f->first_seq = first_seq;
    f->session = 42;
    f->offsets = calloc(f->count + 1, sizeof *f->offsets);
    CHECK(f->offsets != NULL);
    for (uint64_t i = 0; i < f->count; i++) {
        f->offsets[i] = at;
        at += kdpi_tape_record_size(f->bytes + at, f->len - at);
    }
    f->offsets[f->count] = at;
    CHECK_INT(at, f->len);
    return f;
}

void
tape_fixture_free(struct tape_fixture *f)
{
    free(f->bytes);
    free(f->offsets);
    free(f);
}

static void
write_part(const struct tape_fixture *f, const char *dir, uint64_t segment_bytes, size_t call, uint64_t from,
           uint64_t to, bool sealed)
{
    struct kdp_tape_config config = {.dir = dir, .session = f->session, .segment_bytes = segment_bytes};
    struct kdp_tape_writer *writer;
    uint64_t cut;

    CHECK_INT(kdp_tape_writer_open(&writer, &config, f->first_seq + from, &cut), 0);
    CHECK_INT(cut, 0);
    while (from < to) {
        uint64_t end = from + 1;

        while (end < to && f->offsets[end + 1] - f->offsets[from] <= call)
            end++;
        CHECK_INT(kdp_tape_append(writer, f->bytes + f->offsets[from], f->offsets[end] - f->offsets[from],
                                  (f->first_seq + from) * 2),
                  0);
        CHECK_INT(kdp_tape_sync(writer), 0);
        from = end;
    }
    if (!sealed)
        _exit(0);
    CHECK_INT(kdp_tape_writer_close(writer), 0);
}

void
tape_fixture_write_part(const struct tape_fixture *f, const char *dir, uint64_t segment_bytes, size_t call,
                        uint64_t from, uint64_t to, bool sealed)
{
    int status;
    pid_t pid;

    if (sealed) {
        write_part(f, dir, segment_bytes, call, from, to, true);
        return;
    }
    pid = fork(); /* a writer that goes away without a word */
    CHECK(pid >= 0);
    if (pid == 0)
        write_part(f, dir, segment_bytes, call, from, to, false);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
}

void
tape_fixture_write(const struct tape_fixture *f, const char *dir, uint64_t segment_bytes, size_t call,
                   bool sealed)
{
    tape_fixture_write_part(f, dir, segment_bytes, call, 0, f->count, sealed);
}

uint64_t
tape_fixture_read(const struct tape_fixture *f, const char *dir, uint64_t *lastp, unsigned *errorsp)
{
    uint64_t came = 0, last = 0;
    struct kdp_tape *tape;
    unsigned errors = 0;

    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    for (size_t i = 0; i < kdp_tape_block_count(tape);) {
        struct kdp_tape_block block = *kdp_tape_block_at(tape, i);
        const void *records;
        int rc = kdp_tape_load(tape, i, &records);
        uint64_t from;

        if (rc != 0) {
            if (++errors > 10000)
                kdp_test_fail(__FILE__, __LINE__, "errors without end");
            rc = kdp_tape_load(tape, i, &records); /* a loss is said once, a damaged block stays damaged */
        }
        i++;
        if (rc != 0)
            continue;
        from = block.first_seq - f->first_seq;
        CHECK(block.first_seq >= f->first_seq && from + block.count <= f->count);
        CHECK(block.first_seq > last);
        CHECK_INT(block.bytes, f->offsets[from + block.count] - f->offsets[from]);
        CHECK_MEM(records, f->bytes + f->offsets[from], block.bytes);
        came += block.count;
        last = block.first_seq + block.count - 1;
    }
    kdp_tape_close(tape);
    if (lastp != NULL)
        *lastp = last;
    if (errorsp != NULL)
        *errorsp = errors;
    return came;
}

void
tape_fixture_check(const struct tape_fixture *f, const char *dir)
{
    uint64_t last;
    unsigned errors;

    CHECK_INT(tape_fixture_read(f, dir, &last, &errors), f->count);
    CHECK_INT(last, f->first_seq + f->count - 1);
    CHECK_INT(errors, 0);
}
