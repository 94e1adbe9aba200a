/* bench_unwrap.c - a recording's line taken apart: from its bytes to the frame inside.
 *
 *   bench_unwrap RECORDING      lines as {"recv_ns":N,"conn":N,"raw":"..."}, kdp gen's for example
 *
 * Contestants, in turn over the same lines: floor finds each line's end and copies the line, which nobody can
 * do without; bytewise frees the text of its escapes byte by byte, as one would write it first; line is
 * kdpi_unwrap; file is the whole reader on the file as it lies there, decompression included. */
#include "bench.h"
#include "error.h"
#include "recording.h"
#include "source.h"
#include "unwrap.h"

struct lines {
    char *text;
    size_t size, at;
    char *scratch;
    struct kdp_unwrapper *unwrapper;
    const char *path;
    struct kdp_recording *recording;
};

static const char *
next_line(struct lines *lines, size_t *lenp)
{
    const char *line = lines->text + lines->at, *end = memchr(line, '\n', lines->size - lines->at);

    *lenp = (size_t)(end - line);
    lines->at += *lenp + 1;
    if (lines->at == lines->size)
        lines->at = 0;
    return line;
}

static uint64_t
run_floor(void *arg, uint64_t count)
{
    struct lines *lines = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        size_t len;
        const char *line = next_line(lines, &len);

        memcpy(lines->scratch, line, len);
        sum += len + (unsigned char)lines->scratch[len / 2];
    }
    return sum;
}

static uint64_t
run_bytewise(void *arg, uint64_t count)
{
    struct lines *lines = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        size_t len;
        const char *line = next_line(lines, &len), *end = line + len - 2,
                   *p = memmem(line, len, "\"raw\":\"", 7);
        char *out = lines->scratch;

        if (p == NULL || p > end)
            continue;
        for (p += 7; p < end; p++) {
            if (*p == '\\')
                p++;
            *out++ = *p;
        }
        sum += (uint64_t)(out - lines->scratch);
    }
    return sum;
}

static uint64_t
run_line(void *arg, uint64_t count)
{
    struct lines *lines = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        struct kdp_unwrapped u;
        size_t len;
        const char *line = next_line(lines, &len);

        kdpi_unwrap(lines->unwrapper, line, len, lines->scratch, &u);
        sum += u.len + (uint64_t)u.recv_ns;
    }
    return sum;
}

static uint64_t
run_file(void *arg, uint64_t count)
{
    struct lines *lines = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        struct kdp_recorded in;

        if (lines->recording == NULL && kdp_recording_open(&lines->recording, lines->path) != 0)
            abort();
        if (kdp_recording_next(lines->recording, &in) != 1) {
            kdp_recording_close(lines->recording);
            lines->recording = NULL;
            continue;
        }
        sum += in.len;
    }
    return sum;
}

static int
load(struct lines *lines, const char *path)
{
    struct kdp_source *source;
    size_t room = 64u << 20;
    int64_t got;
    int rc = kdp_source_open(&source, path);

    if (rc != 0)
        return rc;
    lines->path = path;
    lines->text = malloc(room + KDPI_UNWRAP_SLACK);
    lines->scratch = malloc(room + KDPI_UNWRAP_SLACK);
    lines->unwrapper = kdpi_unwrapper_open();
    if (lines->text == NULL || lines->scratch == NULL || lines->unwrapper == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: %s", path);
    while (lines->size < room &&
           (got = kdp_source_read(source, lines->text + lines->size, room - lines->size)) > 0)
        lines->size += (size_t)got;
    kdp_source_close(source);
    while (lines->size > 0 && lines->text[lines->size - 1] != '\n')
        lines->size--;
    return lines->size > 0 ? 0 : kdpi_fail(KDP_EFORMAT, "no lines: %s", path);
}

int
main(int argc, char **argv)
{
    static struct lines lines;
    struct bench_contestant contestants[] = {{.name = "unwrap.floor", .run = run_floor, .arg = &lines},
                                             {.name = "unwrap.bytewise", .run = run_bytewise, .arg = &lines},
                                             {.name = "unwrap.line", .run = run_line, .arg = &lines},
                                             {.name = "unwrap.file", .run = run_file, .arg = &lines}};
    uint64_t count = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: bench_unwrap RECORDING\n");
        return 2;
    }
    if (load(&lines, argv[1]) != 0) {
        fprintf(stderr, "bench_unwrap: %s\n", kdp_error_text());
        return 1;
    }
    for (size_t i = 0; i < lines.size; i++)
        count += lines.text[i] == '\n';
    bench_machine();
    printf("name=unwrap.input lines=%llu bytes_per_line=%.1f\n", (unsigned long long)count,
           (double)lines.size / (double)count);
    bench_compare(contestants, 4, count < 20000 ? count : 20000);
    printf("name=unwrap.ratio line_over_floor=%.2f line_over_bytewise=%.2f\n",
           contestants[2].p50 / contestants[0].p50, contestants[2].p50 / contestants[1].p50);
    free(lines.text);
    free(lines.scratch);
    kdpi_unwrapper_close(lines.unwrapper);
    kdp_recording_close(lines.recording);
    return 0;
}
