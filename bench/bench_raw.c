/* bench_raw.c - the raw tape's cost for a frame and what it makes of its bytes, by zstd level.
 *
 *   kdp gen --out FRAMES ...; bench_raw FRAMES DIR     one input a line; DIR is a scratch directory, removed
 * files and all
 *
 * The floor copies the inputs and sums them (CRC-32C), which is what writing them uncompressed would cost. */
#include "bench.h"
#include "crc32c.h"
#include "raw.h"

#include <unistd.h>

#define RUN (256u << 10) /* bytes of an append, as the tape agent makes them */

static uint8_t *inputs, *copy;
static size_t bytes, frames;

static int
load(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, capacity = 0;
    ssize_t len;

    if (file == NULL)
        return -1;
    while ((len = getline(&line, &room, file)) > 0 && bytes < (size_t)256 << 20) {
        struct kdp_input_head head = {.length = (uint32_t)len - 1,
                                      .kind = KDP_INPUT_FRAME,
                                      .line = 1,
                                      .index = ++frames,
                                      .recv_ns = 1795183380000000000 + (int64_t)frames * 40000};

        while (bytes + sizeof head + (size_t)len + 8 > capacity) {
            capacity = capacity == 0 ? 1 << 20 : capacity * 2;
            inputs = realloc(inputs, capacity);
            if (inputs == NULL)
                return -1;
        }
        memcpy(inputs + bytes, &head, sizeof head);
        memcpy(inputs + bytes + sizeof head, line, (size_t)len - 1);
        memset(inputs + bytes + sizeof head + len - 1, 0, 8);
        bytes += (sizeof head + (size_t)len - 1 + 7) & ~(size_t)7;
    }
    free(line);
    fclose(file);
    copy = malloc(bytes);
    return frames > 0 && copy != NULL ? 0 : -1;
}

/* Appends everything once; returns the CPU nanoseconds. */
static int64_t
write_once(const char *dir, int level)
{
    struct kdp_raw_config config = {.dir = dir, .level = level, .segment_bytes = UINT64_C(1) << 40};
    struct kdp_raw_writer *writer;
    struct kdp_input_head head;
    int64_t start;
    uint64_t cut;

    if (kdp_raw_writer_open(&writer, &config, 1, &cut) != 0)
        exit(1);
    start = bench_cpu_ns();
    for (size_t at = 0, end = 0; at < bytes; at = end) {
        while (end < bytes) {
            memcpy(&head, inputs + end, sizeof head);
            if (end != at && end - at + head.length + 32 > RUN)
                break;
            end += (sizeof head + head.length + 7) & ~(size_t)7;
        }
        if (kdp_raw_append(writer, inputs + at, end - at) != 0)
            exit(1);
    }
    start = bench_cpu_ns() - start;
    kdp_raw_writer_close(writer);
    return start;
}

int
main(int argc, char **argv)
{
    static const int levels[] = {-5, -1, 1, 3};
    char path[4096];
    double best[4], plain_best = 1e18;
    long size[4] = {0};

    if (argc != 3 || load(argv[1]) != 0) {
        fprintf(stderr, "usage: bench_raw FRAMES DIR\n");
        return 2;
    }
    bench_machine();
    snprintf(path, sizeof path, "%s/raw/00000001.raw", argv[2]);
    for (int i = 0; i < 4; i++)
        best[i] = 1e18;
    for (int round = 0; round < 5; round++) {
        int64_t start = bench_cpu_ns();
        volatile uint32_t sum;

        memcpy(copy, inputs, bytes);
        sum = kdpi_crc32c(0, copy, bytes);
        (void)sum;
        plain_best =
            (double)(bench_cpu_ns() - start) < plain_best ? (double)(bench_cpu_ns() - start) : plain_best;
        for (int i = 0; i < 4; i++) {
            double ns = (double)write_once(argv[2], levels[i]);
            FILE *file = fopen(path, "r");

            best[i] = ns < best[i] ? ns : best[i];
            if (file != NULL) {
                fseek(file, 0, SEEK_END);
                size[i] = ftell(file);
                fclose(file);
            }
            unlink(path);
        }
    }
    printf("name=raw.floor_copy_crc ns_frame=%.1f frames=%zu bytes_frame=%.1f\n", plain_best / (double)frames,
           frames, (double)bytes / (double)frames);
    for (int i = 0; i < 4; i++)
        printf("name=raw.append level=%d ns_frame=%.1f ratio=%.2f bytes_frame=%.1f\n", levels[i],
               best[i] / (double)frames, (double)bytes / (double)size[i], (double)size[i] / (double)frames);
    return 0;
}
