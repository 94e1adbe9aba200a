/* bench_copy.c - the floor of a replay: recordings decompressed, their text compressed again as the raw tape
 * does it, written.
 *
 *   bench_copy OUTPUT RECORDING.zst...
 *
 * A program that keeps what was received cannot do less; this one looks at no byte of it. */
#include <zstd.h>

#include "bench.h"

#define BLOCK (256u << 10) /* as much as the raw tape compresses at once, at its level */
#define LEVEL (-1)

struct copy {
    ZSTD_DCtx *reader;
    ZSTD_CCtx *writer;
    FILE *output;
    const char *output_name;
    ZSTD_outBuffer text;
    void *packed;
    unsigned long long read, written;
};

static void
fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_copy: %s: %s\n", what, why);
    exit(1);
}

static void
keep(struct copy *copy)
{
    size_t size = ZSTD_compressCCtx(copy->writer, copy->packed, ZSTD_compressBound(BLOCK), copy->text.dst,
                                    copy->text.pos, LEVEL);

    if (ZSTD_isError(size))
        fail(copy->output_name, ZSTD_getErrorName(size));
    if (fwrite(copy->packed, 1, size, copy->output) != size)
        fail(copy->output_name, "cannot be written");
    copy->read += copy->text.pos;
    copy->written += size;
    copy->text.pos = 0;
}

static void
take(struct copy *copy, const char *name)
{
    static char bytes[1u << 17];
    FILE *input = fopen(name, "rb");
    ZSTD_inBuffer in = {bytes, 0, 0};

    if (input == NULL)
        fail(name, "cannot be read");
    while ((in.size = fread(bytes, 1, sizeof bytes, input)) > 0)
        for (in.pos = 0; in.pos < in.size;) {
            size_t rc = ZSTD_decompressStream(copy->reader, &copy->text, &in);

            if (ZSTD_isError(rc))
                fail(name, ZSTD_getErrorName(rc));
            if (copy->text.pos == copy->text.size)
                keep(copy);
        }
    fclose(input);
}

int
main(int argc, char **argv)
{
    struct copy copy = {.reader = ZSTD_createDCtx(),
                        .writer = ZSTD_createCCtx(),
                        .text = {malloc(BLOCK), BLOCK, 0},
                        .packed = malloc(ZSTD_compressBound(BLOCK))};

    if (argc < 3) {
        fprintf(stderr, "usage: bench_copy OUTPUT RECORDING.zst...\n");
        return 2;
    }
    if (copy.reader == NULL || copy.writer == NULL || copy.text.dst == NULL || copy.packed == NULL)
        fail("start", "out of memory");
    copy.output_name = argv[1];
    copy.output = fopen(argv[1], "wb");
    if (copy.output == NULL)
        fail(argv[1], "cannot be written");
    for (int i = 2; i < argc; i++)
        take(&copy, argv[i]);
    keep(&copy);
    if (fclose(copy.output) != 0)
        fail(argv[1], "cannot be written");
    printf("name=copy text_bytes=%llu written_bytes=%llu\n", copy.read, copy.written);
    return 0;
}
