/* raw_format.c - what the writer and the reader of the raw tape share; see raw_format.h. */
#include "raw_format.h"

#include "crc32c.h"
#include "error.h"
#include "numbered.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint32_t
kdpi_raw_header_crc(const struct kdp_raw_header *header)
{
    struct kdp_raw_header copy = *header;

    copy.crc = 0;
    return kdpi_crc32c(0, &copy, sizeof copy);
}

uint32_t
kdpi_raw_block_crc(const struct kdp_raw_block *block)
{
    struct kdp_raw_block copy = *block;

    copy.header_crc = 0;
    return kdpi_crc32c(0, &copy, sizeof copy);
}

uint64_t
kdpi_raw_block_bytes(const struct kdp_raw_block *block)
{
    return KDP_RAW_BLOCK + (((uint64_t)block->compressed + 7) & ~UINT64_C(7));
}

bool
kdpi_raw_block_is_good(const struct kdp_raw_block *block, uint64_t offset)
{
    return block->magic == KDP_RAW_BLOCK_MAGIC && kdpi_raw_block_crc(block) == block->header_crc &&
           block->offset == offset && block->synced <= offset && block->compressed > 0 &&
           block->compressed <= KDP_RAW_COMPRESSED_MAX && block->plain <= KDP_RAW_PLAIN_MAX &&
           block->plain % 8 == 0 && block->count > 0 &&
           block->count <= block->plain / sizeof(struct kdp_input_head) && block->first_index > 0;
}

int
kdpi_raw_check_header(const void *bytes, size_t len, const char *path)
{
    struct kdp_raw_header header;

    if (!kdp_raw_is(bytes, len))
        return kdpi_fail(KDP_EFORMAT, "%s is not a raw tape", path);
    if (len < sizeof header)
        return kdpi_fail(KDP_ETRUNCATED, "%s: ends within its header", path);
    memcpy(&header, bytes, sizeof header);
    if (header.version > KDP_RAW_VERSION) {
        kdpi_fail(KDP_EVERSION, "%s: format version %u, this program knows %u", path, header.version,
                  KDP_RAW_VERSION);
        kdpi_hint("read it with the version of kdp that wrote it, or a newer one");
        return -KDP_EVERSION;
    }
    if (kdpi_raw_header_crc(&header) != header.crc)
        return kdpi_fail(KDP_ECHECKSUM, "%s: header damaged (byte 0 to %u)", path, KDP_RAW_HEADER - 1);
    if (header.version == 0 || header.first_index == 0)
        return kdpi_fail(KDP_EFORMAT, "%s: header holds no version or no first index", path);
    for (size_t i = 0; i < sizeof header.reserved; i++)
        if (header.reserved[i] != 0)
            return kdpi_fail(KDP_EFORMAT, "%s: reserved byte %zu is not zero", path,
                             offsetof(struct kdp_raw_header, reserved) + i);
    return 0;
}

int
kdp_raw_is(const void *bytes, size_t len)
{
    return len >= 8 && memcmp(bytes, KDP_RAW_MAGIC, 8) == 0;
}

/* 1 when the block's payload lies in the file and has its checksum, 0, or an I/O error. */
static int
payload_is_good(int fd, const char *path, const struct kdp_raw_block *block, uint64_t size)
{
    uint64_t at = block->offset + KDP_RAW_BLOCK, end = block->offset + kdpi_raw_block_bytes(block);
    uint8_t chunk[16384];
    uint32_t crc = 0;

    if (end > size)
        return 0;
    while (at < end) {
        size_t want = end - at < sizeof chunk ? (size_t)(end - at) : sizeof chunk;
        ssize_t got = pread(fd, chunk, want, (off_t)at);

        if (got < 0)
            return kdpi_fail_errno(errno, "cannot read %s", path);
        if (got == 0)
            return 0;
        crc = kdpi_crc32c(crc, chunk, (size_t)got);
        at += (uint64_t)got;
    }
    return crc == block->payload_crc;
}

int
kdpi_raw_find(int fd, const char *path, uint64_t from, uint64_t *foundp)
{
    uint8_t chunk[64 << 10];
    struct kdp_raw_block block;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return kdpi_fail_errno(errno, "cannot look at %s", path);
    *foundp = (uint64_t)st.st_size;
    /* every block begins at a multiple of 8; chunks overlap by a header */
    for (uint64_t at = (from + 7) & ~UINT64_C(7); at + KDP_RAW_BLOCK <= (uint64_t)st.st_size;) {
        ssize_t got = pread(fd, chunk, sizeof chunk, (off_t)at);
        size_t i = 0;

        if (got < 0)
            return kdpi_fail_errno(errno, "cannot read %s", path);
        if ((size_t)got < KDP_RAW_BLOCK)
            return 0;
        for (; i + KDP_RAW_BLOCK <= (size_t)got; i += 8) {
            memcpy(&block, chunk + i, sizeof block);
            if (kdpi_raw_block_is_good(&block, at + i)) {
                *foundp = at + i;
                return 0;
            }
        }
        at += i;
    }
    return 0;
}

struct walk {
    int fd;
    const char *path;
    uint64_t size, at;
    bool payload;
    struct kdp_raw_block block; /* the last good one */
};

/* Steps over the block at walk->at: 1 when it is good, and at is then behind it; 0 when it is not. */
static int
step(struct walk *walk)
{
    struct kdp_raw_block block;
    ssize_t got = pread(walk->fd, &block, sizeof block, (off_t)walk->at);
    int rc;

    if (got < 0)
        return kdpi_fail_errno(errno, "cannot read %s", walk->path);
    if ((size_t)got != sizeof block || !kdpi_raw_block_is_good(&block, walk->at) ||
        walk->at + kdpi_raw_block_bytes(&block) > walk->size)
        return 0;
    rc = walk->payload ? payload_is_good(walk->fd, walk->path, &block, walk->size) : 1;
    if (rc != 1)
        return rc;
    walk->block = block;
    walk->at += kdpi_raw_block_bytes(&block);
    return 1;
}

/* Says up to where the good blocks behind a bad one at walk.at call the file synced. */
static int
synced_behind(struct walk walk, uint64_t *syncedp)
{
    int rc = 0;

    *syncedp = 0;
    while (rc >= 0 && walk.at < walk.size) {
        rc = kdpi_raw_find(walk.fd, walk.path, walk.at + 8, &walk.at);
        while (rc >= 0 && walk.at < walk.size && (rc = step(&walk)) == 1)
            if (walk.block.synced > *syncedp)
                *syncedp = walk.block.synced;
    }
    return rc < 0 ? rc : 0;
}

int
kdpi_raw_scan(int fd, const char *path, bool payload, uint64_t *endp, uint64_t *last_indexp,
              int64_t *newest_nsp)
{
    struct walk walk = {.fd = fd, .path = path, .at = KDP_RAW_HEADER, .payload = payload};
    bool asked = false, damaged = false;
    uint64_t synced = 0;
    struct stat st;
    int rc = 0;

    *last_indexp = 0;
    *newest_nsp = INT64_MIN;
    if (fstat(fd, &st) != 0)
        return kdpi_fail_errno(errno, "cannot look at %s", path);
    walk.size = (uint64_t)st.st_size;
    while (walk.at < walk.size) {
        rc = step(&walk);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            *last_indexp = walk.block.first_index + walk.block.count - 1;
            if (walk.block.recv_max_ns > *newest_nsp)
                *newest_nsp = walk.block.recv_max_ns;
            continue;
        }
        if (!asked) {
            walk.payload = true; /* from here on no head is believed alone */
            rc = synced_behind(walk, &synced);
            if (rc != 0)
                return rc;
            asked = true;
        }
        if (walk.at >= synced)
            break;
        damaged = true;
        rc = kdpi_raw_find(fd, path, walk.at + 8, &walk.at);
        if (rc != 0)
            return rc;
    }
    *endp = walk.at < walk.size ? walk.at : walk.size;
    return damaged;
}

int
kdpi_raw_numbers(const char *dir, uint64_t **numbersp, size_t *countp)
{
    char folder[KDP_RAW_PATH];

    snprintf(folder, sizeof folder, "%s/raw", dir);
    return kdpi_numbered(folder, ".raw", numbersp, countp);
}

void
kdpi_raw_path(char path[KDP_RAW_PATH], const char *dir, uint64_t number)
{
    snprintf(path, KDP_RAW_PATH, "%s/raw/%08" PRIu64 ".raw", dir, number);
}

int
kdp_raw_last_index(const char *dir, uint64_t *indexp)
{
    char path[KDP_RAW_PATH];
    uint64_t *numbers, end;
    int64_t newest_ns;
    size_t count;
    int fd, rc;

    *indexp = 0;
    rc = kdpi_raw_numbers(dir, &numbers, &count);
    /* the last file may be a torn beginning without an input; then the one before tells */
    while (rc >= 0 && count > 0 && *indexp == 0) {
        kdpi_raw_path(path, dir, numbers[--count]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            rc = kdpi_fail_errno(errno, "cannot open %s", path);
            break;
        }
        rc = kdpi_raw_scan(fd, path, true, &end, indexp, &newest_ns);
        close(fd);
    }
    free(numbers);
    return rc < 0 ? rc : 0;
}
