/* raw_write.c - the writer of the raw tape; see raw.h and docs/design/stream.md. */
#include "raw.h"
#include "raw_format.h"

#include "crc32c.h"
#include "error.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define SEGMENT_BYTES (UINT64_C(256) << 20)
#define LEVEL (-1)

struct kdp_raw_writer {
    char dir[KDP_RAW_PATH - 32];
    char path[KDP_RAW_PATH]; /* of the open file */
    int folder_fd;           /* DIR/raw, to sync names */
    int fd;                  /* -1: the next append begins a file */
    uint64_t number;         /* of the open file or the last one */
    uint64_t offset;         /* where the next block goes */
    uint64_t synced;         /* of which on the disk */
    uint64_t next_index;
    uint64_t session, segment_bytes;
    ZSTD_CCtx *zstd;
    uint8_t *out; /* a block: header, frame, padding */
    size_t out_room;
    bool dirty, folder_dirty;
};

/* Makes the open file read-only and lets go of it. */
static int
seal(struct kdp_raw_writer *writer)
{
    int rc = kdp_raw_sync(writer);

    if (rc != 0 || writer->fd < 0)
        return rc;
    if (fchmod(writer->fd, 0444) != 0)
        rc = kdpi_fail_errno(errno, "cannot make %s read-only", writer->path);
    if (close(writer->fd) != 0 && rc == 0)
        rc = kdpi_fail_errno(errno, "cannot close %s", writer->path);
    writer->fd = -1;
    return rc;
}

static int
begin_file(struct kdp_raw_writer *writer)
{
    struct kdp_raw_header header = {.version = KDP_RAW_VERSION,
                                    .session = writer->session,
                                    .first_index = writer->next_index,
                                    .number = writer->number + 1};
    int rc;

    memcpy(header.magic, KDP_RAW_MAGIC, sizeof header.magic);
    header.crc = kdpi_raw_header_crc(&header);
    kdpi_raw_path(writer->path, writer->dir, header.number);
    writer->fd = open(writer->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (writer->fd < 0)
        return kdpi_fail_errno(errno, "cannot write %s", writer->path);
    rc = kdpi_file_write(writer->fd, &header, sizeof header, 0, writer->path);
    if (rc != 0) {
        close(writer->fd);
        writer->fd = -1;
        unlink(writer->path);
        return rc;
    }
    writer->number = header.number;
    writer->offset = sizeof header;
    writer->synced = 0;
    writer->dirty = writer->folder_dirty = true;
    return 0;
}

/* Cuts the torn tail of an earlier run's last file, or removes it when it holds nothing.  Damage within stays
 * as it is, with all behind it: readers name it. */
static int
mend_last(struct kdp_raw_writer *writer, uint64_t number, uint64_t *cutp)
{
    char path[KDP_RAW_PATH], head[KDP_RAW_HEADER];
    uint64_t end, last_index;
    int64_t newest_ns;
    struct stat st;
    ssize_t got;
    int fd, rc;

    kdpi_raw_path(path, writer->dir, number);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == EACCES)
        return 0; /* read-only: sealed in order */
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = kdpi_fail_errno(errno, "cannot open %s", path);
        goto out;
    }
    got = pread(fd, head, sizeof head, 0);
    rc = got < 0 ? kdpi_fail_errno(errno, "cannot read %s", path)
                 : kdpi_raw_check_header(head, (size_t)got, path);
    if (rc == -KDP_EVERSION || (rc != 0 && st.st_size > (off_t)KDP_RAW_HEADER))
        goto out; /* of a newer kdp, or something of value behind a damaged header: not ours to cut */
    if (rc != 0) {
        *cutp += (uint64_t)st.st_size;
        rc = unlink(path) != 0 ? kdpi_fail_errno(errno, "cannot remove %s", path) : 0;
        goto out;
    }
    rc = kdpi_raw_scan(fd, path, true, &end, &last_index, &newest_ns);
    if (rc >= 0 && last_index == 0) {
        *cutp += (uint64_t)st.st_size - KDP_RAW_HEADER;
        rc = unlink(path) != 0 ? kdpi_fail_errno(errno, "cannot remove %s", path) : 0;
        goto out;
    }
    if (rc >= 0 && end < (uint64_t)st.st_size) {
        *cutp += (uint64_t)st.st_size - end;
        if (ftruncate(fd, (off_t)end) != 0)
            rc = kdpi_fail_errno(errno, "cannot cut %s", path);
    }
    if (rc >= 0 && (fdatasync(fd) != 0 || fchmod(fd, 0444) != 0))
        rc = kdpi_fail_errno(errno, "cannot seal %s", path);
out:
    if (fd >= 0)
        close(fd);
    writer->folder_dirty = true;
    return rc < 0 ? rc : 0;
}

static int
open_folder(struct kdp_raw_writer *writer)
{
    char folder[KDP_RAW_PATH];

    snprintf(folder, sizeof folder, "%s/raw", writer->dir);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return kdpi_fail_errno(errno, "cannot make %s", folder);
    writer->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (writer->folder_fd < 0)
        return kdpi_fail_errno(errno, "cannot open %s", folder);
    return 0;
}

/* All memory of the writer, so that an append allocates nothing: zstd makes its tables at the first frame of
 * a size. */
static int
warm_up(struct kdp_raw_writer *writer, int level)
{
    uint8_t *zeros = calloc(1, KDP_RAW_BLOCK_PLAIN);
    size_t done;

    writer->out_room = KDP_RAW_BLOCK + ZSTD_compressBound(KDP_RAW_PLAIN_MAX) + 8;
    writer->out = malloc(writer->out_room);
    writer->zstd = ZSTD_createCCtx();
    if (zeros == NULL || writer->out == NULL || writer->zstd == NULL) {
        free(zeros);
        return kdpi_fail(KDP_ENOMEM, "no memory for the raw tape's writer");
    }
    done = ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(done))
        done = ZSTD_compress2(writer->zstd, writer->out, writer->out_room, zeros, KDP_RAW_BLOCK_PLAIN);
    free(zeros);
    if (ZSTD_isError(done))
        return kdpi_fail(KDP_EINVAL, "raw tape: zstd level %d: %s", level, ZSTD_getErrorName(done));
    return 0;
}

static void
writer_free(struct kdp_raw_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->folder_fd >= 0)
        close(writer->folder_fd);
    ZSTD_freeCCtx(writer->zstd);
    free(writer->out);
    free(writer);
}

int
kdp_raw_writer_open(struct kdp_raw_writer **writerp, const struct kdp_raw_config *config,
                    uint64_t first_index, uint64_t *cutp)
{
    struct kdp_raw_writer *writer = calloc(1, sizeof *writer);
    uint64_t *numbers = NULL;
    size_t count = 0;
    int rc;

    *writerp = NULL;
    *cutp = 0;
    if (writer == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the raw tape's writer");
    writer->fd = writer->folder_fd = -1;
    writer->session = config->session;
    writer->segment_bytes = config->segment_bytes != 0 ? config->segment_bytes : SEGMENT_BYTES;
    writer->next_index = first_index;
    if (strlen(config->dir) >= sizeof writer->dir) {
        rc = kdpi_fail(KDP_EINVAL, "path of the data directory is too long");
        goto err;
    }
    memcpy(writer->dir, config->dir, strlen(config->dir) + 1);
    rc = open_folder(writer);
    if (rc == 0)
        rc = kdpi_raw_numbers(writer->dir, &numbers, &count);
    if (rc == 0 && count > 0) {
        writer->number = numbers[count - 1];
        rc = mend_last(writer, writer->number, cutp);
    }
    if (rc == 0)
        rc = warm_up(writer, config->level != 0 ? config->level : LEVEL);
    if (rc != 0)
        goto err;
    free(numbers);
    *writerp = writer;
    return 0;
err:
    free(numbers);
    writer_free(writer);
    return rc;
}

static size_t
room_of(const struct kdp_input_head *input)
{
    return (sizeof *input + (size_t)input->length + 7) & ~(size_t)7;
}

/* Writes the inputs from the front of bytes that make one block; *usedp says how many bytes. */
static int
put_block(struct kdp_raw_writer *writer, const uint8_t *inputs, size_t bytes, size_t *usedp)
{
    struct kdp_raw_block block = {.magic = KDP_RAW_BLOCK_MAGIC,
                                  .first_index = writer->next_index,
                                  .recv_min_ns = INT64_MAX,
                                  .recv_max_ns = INT64_MIN,
                                  .offset = writer->offset,
                                  .synced = writer->synced};
    struct kdp_input_head input;
    size_t used = 0, done, size;
    int rc;

    while (used < bytes) {
        memcpy(&input, inputs + used, bytes - used < sizeof input ? bytes - used : sizeof input);
        size = room_of(&input);
        /* from our own ring: anything else is a bug, and would be written for ever */
        KDP_ASSERT(bytes - used >= sizeof input && size <= bytes - used && input.length <= KDP_INPUT_MAX);
        KDP_ASSERT(input.index == block.first_index + block.count);
        if (used != 0 && used + size > KDP_RAW_BLOCK_PLAIN)
            break;
        if (input.recv_ns < block.recv_min_ns)
            block.recv_min_ns = input.recv_ns;
        if (input.recv_ns > block.recv_max_ns)
            block.recv_max_ns = input.recv_ns;
        block.count++;
        used += size;
    }
    done = ZSTD_compress2(writer->zstd, writer->out + sizeof block, writer->out_room - sizeof block - 8,
                          inputs, used);
    if (ZSTD_isError(done))
        return kdpi_fail(KDP_EIO, "cannot compress for %s: %s", writer->path, ZSTD_getErrorName(done));
    block.compressed = (uint32_t)done;
    block.plain = (uint32_t)used;
    size = (size_t)kdpi_raw_block_bytes(&block);
    memset(writer->out + sizeof block + done, 0, size - sizeof block - done);
    block.payload_crc = kdpi_crc32c(0, writer->out + sizeof block, size - sizeof block);
    block.header_crc = kdpi_raw_block_crc(&block);
    memcpy(writer->out, &block, sizeof block);
    rc = kdpi_file_write(writer->fd, writer->out, size, writer->offset, writer->path);
    if (rc != 0)
        return rc;
    writer->offset += size;
    writer->next_index += block.count;
    writer->dirty = true;
    *usedp = used;
    return 0;
}

int
kdp_raw_append(struct kdp_raw_writer *writer, const void *inputs, size_t bytes)
{
    uint64_t offset, next_index;
    size_t at = 0, used = 0;
    int rc = 0;

    if (bytes == 0)
        return 0;
    if (writer->fd >= 0 && writer->offset >= writer->segment_bytes)
        rc = seal(writer);
    if (rc == 0 && writer->fd < 0)
        rc = begin_file(writer);
    if (rc != 0)
        return rc;
    offset = writer->offset;
    next_index = writer->next_index;
    for (; at < bytes && rc == 0; at += used)
        rc = put_block(writer, (const uint8_t *)inputs + at, bytes - at, &used);
    if (rc != 0) {
        /* take back what this call wrote, so that it can be repeated; what cannot be cut away is overwritten
         * by the repetition or cut by the next start */
        writer->offset = offset;
        writer->next_index = next_index;
        (void)!ftruncate(writer->fd, (off_t)offset);
    }
    return rc;
}

int
kdp_raw_sync(struct kdp_raw_writer *writer)
{
    if (writer->dirty && fdatasync(writer->fd) != 0)
        return kdpi_fail_errno(errno, "cannot sync %s", writer->path);
    writer->dirty = false;
    writer->synced = writer->fd >= 0 ? writer->offset : 0;
    /* the name too, or the file would be gone after a loss of power */
    if (writer->folder_dirty && fsync(writer->folder_fd) != 0)
        return kdpi_fail_errno(errno, "cannot sync %s/raw", writer->dir);
    writer->folder_dirty = false;
    return 0;
}

uint64_t
kdp_raw_written(const struct kdp_raw_writer *writer)
{
    return writer->next_index - 1;
}

int
kdp_raw_writer_close(struct kdp_raw_writer *writer)
{
    int rc;

    if (writer == NULL)
        return 0;
    rc = seal(writer);
    writer_free(writer);
    return rc;
}
