/* fuzz_raw.c - raw tape files from anywhere: reading, finding the end, mending.
 *
 * The first byte chooses what the rest is: bit 0, a file whose checksums are put right first, since a fuzzer
 * cannot; bit 1, the plain inputs of one block, which is compressed and framed.  What a reader gives must lie
 * within bounds and in order, every error must have words, and after a writer has mended the directory
 * reading it again must come to a clean end. */
#include "crc32c.h"
#include "error.h"
#include "raw.h"
#include "raw_format.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64], path[KDP_RAW_PATH];

static void
need(int holds)
{
    if (!holds)
        abort();
}

static void
remove_dir(void)
{
    char folder[80];

    unlink(path);
    snprintf(folder, sizeof folder, "%s/raw", dir);
    rmdir(folder);
    rmdir(dir);
}

static void
make_dir(void)
{
    char folder[80];

    snprintf(dir, sizeof dir, "/dev/shm/kdp-fuzz-raw.XXXXXX");
    need(mkdtemp(dir) != NULL);
    snprintf(folder, sizeof folder, "%s/raw", dir);
    need(mkdir(folder, 0755) == 0);
    kdpi_raw_path(path, dir, 1);
    atexit(remove_dir);
}

static void
put_header(uint8_t *file)
{
    struct kdp_raw_header header = {.version = KDP_RAW_VERSION, .first_index = 1, .number = 1};

    memcpy(header.magic, KDP_RAW_MAGIC, sizeof header.magic);
    header.crc = kdpi_raw_header_crc(&header);
    memcpy(file, &header, sizeof header);
}

static void
put_block(uint8_t *file, uint64_t offset, struct kdp_raw_block *block)
{
    block->magic = KDP_RAW_BLOCK_MAGIC;
    block->offset = offset;
    block->payload_crc =
        kdpi_crc32c(0, file + offset + sizeof *block, (size_t)kdpi_raw_block_bytes(block) - sizeof *block);
    block->header_crc = kdpi_raw_block_crc(block);
    memcpy(file + offset, block, sizeof *block);
}

/* Puts the checksums of the blocks right as far as their lengths lead. */
static void
mend_checksums(uint8_t *file, size_t size)
{
    struct kdp_raw_block block;

    if (size < KDP_RAW_HEADER)
        return;
    put_header(file);
    for (uint64_t at = KDP_RAW_HEADER; at + sizeof block <= size; at += kdpi_raw_block_bytes(&block)) {
        memcpy(&block, file + at, sizeof block);
        if (at + kdpi_raw_block_bytes(&block) > size)
            break;
        put_block(file, at, &block);
    }
}

/* A whole file around one block of these plain bytes. */
static size_t
frame_inputs(uint8_t **filep, const uint8_t *inputs, size_t size)
{
    struct kdp_raw_block block = {.first_index = 1, .plain = (uint32_t)(size & ~(size_t)7)};
    size_t room = KDP_RAW_HEADER + sizeof block + ZSTD_compressBound(size) + 8;
    struct kdp_input_head head = {0};

    *filep = calloc(1, room);
    need(*filep != NULL);
    put_header(*filep);
    block.compressed = (uint32_t)ZSTD_compress(*filep + KDP_RAW_HEADER + sizeof block,
                                               room - KDP_RAW_HEADER - sizeof block, inputs, block.plain, 1);
    if (size >= sizeof head)
        memcpy(&head, inputs, sizeof head);
    block.first_index = head.index;
    /* how many there are is a guess that the content makes true or not */
    for (size_t at = 0; at + sizeof head <= block.plain;
         at += (sizeof head + (size_t)head.length + 7) & ~(size_t)7) {
        memcpy(&head, inputs + at, sizeof head);
        block.count++;
    }
    put_block(*filep, KDP_RAW_HEADER, &block);
    return KDP_RAW_HEADER + (size_t)kdpi_raw_block_bytes(&block);
}

/* Reads to the end; returns how many inputs and errors there were. */
static void
read_all(const char *where, uint64_t *inputsp, uint64_t *errorsp)
{
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    uint64_t last = 0, sum = 0, seq_end;
    int rc;

    *inputsp = *errorsp = 0;
    rc = kdp_raw_reader_open(&reader, where);
    if (rc != 0) {
        need(kdp_error_text()[0] != '\0');
        (*errorsp)++;
        return;
    }
    while ((rc = kdp_raw_next(reader, &head)) != 0) {
        if (rc < 0) {
            need(kdp_error_text()[0] != '\0' && ++*errorsp < 100000);
            continue;
        }
        need(head->index != 0 && head->length <= KDP_INPUT_MAX && head->kind != 0);
        need(*errorsp > 0 || head->index > last);
        last = head->index;
        for (uint32_t i = 0; i < head->length; i++)
            sum += ((const uint8_t *)(head + 1))[i];
        kdp_raw_counts(reader, &seq_end);
        ++*inputsp;
    }
    need(sum != 1 || *inputsp > 0);
    kdp_raw_reader_close(reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kdp_raw_config config = {.dir = dir[0] != '\0' ? dir : (make_dir(), dir)};
    uint64_t inputs, errors, again, last, cut;
    struct kdp_raw_writer *writer;
    uint8_t *file = NULL;
    size_t len = 0;
    int fd;

    if (size == 0)
        return 0;
    if (data[0] & 2) {
        len = frame_inputs(&file, data + 1, size - 1);
    } else {
        len = size - 1;
        file = malloc(len + 1);
        need(file != NULL);
        memcpy(file, data + 1, len);
        if (data[0] & 1)
            mend_checksums(file, len);
    }
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    need(fd >= 0 && write(fd, file, len) == (ssize_t)len);
    close(fd);
    free(file);
    read_all(path, &inputs, &errors);
    need(kdp_raw_last_index(dir, &last) <= 0);
    if ((data[0] & 4) && kdp_raw_writer_open(&writer, &config, last + 1, &cut) == 0) {
        need(kdp_raw_writer_close(writer) == 0);
        read_all(dir, &again, &errors);
        need(again <= inputs);
    }
    return 0;
}
