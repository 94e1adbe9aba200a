/* raw_read.c - the reader of the raw tape: one file, or all of a directory in order; see raw.h. */
#include "raw.h"
#include "raw_format.h"

#include "crc32c.h"
#include "error.h"
#include "numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* What the START at the beginning of a file says about the inputs before it. */
struct raw_start {
    bool known, resumed;
    uint64_t index, applied, seq_end;
};

struct kdp_raw_reader {
    char folder[KDP_RAW_PATH - 32]; /* of a directory's files; "" for a file alone */
    char path[KDP_RAW_PATH];        /* of the open file */
    uint64_t *numbers;
    struct raw_start *starts; /* by file */
    size_t count, index;      /* files, and the one open or to be opened next */
    int fd;                   /* -1: none open */
    uint64_t offset;          /* of the next block */
    struct kdp_raw_block block;
    ZSTD_DCtx *zstd;
    uint8_t *compressed, *plain;
    size_t compressed_room, plain_room;
    size_t at, plain_bytes; /* within plain */
    uint32_t given;         /* inputs of this block */
    uint64_t last_index;    /* 0: none yet in this file */
    uint64_t from;          /* blocks that end below it are stepped over */
    struct kdp_input_head head;
    bool lost; /* the last block was bad: look for the next good one */
};

static int
grow(uint8_t **bufp, size_t *roomp, size_t room)
{
    uint8_t *grown;

    if (room <= *roomp)
        return 0;
    grown = realloc(*bufp, room);
    if (grown == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a raw tape block of %zu bytes", room);
    *bufp = grown;
    *roomp = room;
    return 0;
}

static int
open_file(struct kdp_raw_reader *reader)
{
    uint8_t header[KDP_RAW_HEADER];
    ssize_t got;
    int rc;

    if (reader->folder[0] != '\0')
        snprintf(reader->path, sizeof reader->path, "%s/%08" PRIu64 ".raw", reader->folder,
                 reader->numbers[reader->index]);
    reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0)
        return kdpi_fail_errno(errno, "cannot open %s", reader->path);
    posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    got = pread(reader->fd, header, sizeof header, 0);
    rc = got < 0 ? kdpi_fail_errno(errno, "cannot read %s", reader->path)
                 : kdpi_raw_check_header(header, (size_t)got, reader->path);
    if (rc != 0) {
        close(reader->fd);
        reader->fd = -1;
    }
    reader->offset = KDP_RAW_HEADER;
    reader->at = reader->plain_bytes = 0;
    reader->last_index = 0;
    reader->lost = false;
    return rc;
}

static void
close_file(struct kdp_raw_reader *reader)
{
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
    reader->index++;
}

static int
bad_block(struct kdp_raw_reader *reader, const char *why)
{
    reader->lost = true;
    return kdpi_fail(KDP_ECHECKSUM, "%s: block at byte %" PRIu64 " (after input %" PRIu64 "): %s",
                     reader->path, reader->offset, reader->last_index, why);
}

/* Reads the block at offset into plain: 1, 2 when it was stepped over, 0 at the file's end, or an error. */
static int
load_block(struct kdp_raw_reader *reader)
{
    struct kdp_raw_block *block = &reader->block;
    bool last_of_folder = reader->folder[0] != '\0' && reader->index + 1 == reader->count;
    ssize_t got = pread(reader->fd, block, sizeof *block, (off_t)reader->offset);
    uint64_t bytes, end;
    struct stat st;
    size_t done;
    int rc;

    if (got < 0 || fstat(reader->fd, &st) != 0)
        return kdpi_fail_errno(errno, "cannot read %s", reader->path);
    if (got == 0)
        return 0;
    if ((size_t)got == sizeof *block && !kdpi_raw_block_is_good(block, reader->offset))
        return bad_block(reader, "header damaged");
    end = (size_t)got == sizeof *block ? reader->offset + kdpi_raw_block_bytes(block) : UINT64_MAX;
    if (end > (uint64_t)st.st_size) {
        if (last_of_folder)
            return 0; /* a torn tail, or a block that is being written */
        reader->lost = true;
        return kdpi_fail(KDP_ETRUNCATED,
                         "%s: ends within the block at byte %" PRIu64 " (after input %" PRIu64 ")",
                         reader->path, reader->offset, reader->last_index);
    }
    if (block->count > 0 && block->first_index + (block->count - 1) < reader->from) {
        reader->offset = end;
        reader->last_index = block->first_index + (block->count - 1);
        reader->lost = false;
        return 2;
    }
    bytes = kdpi_raw_block_bytes(block) - sizeof *block;
    rc = grow(&reader->compressed, &reader->compressed_room, (size_t)bytes);
    if (rc == 0)
        rc = grow(&reader->plain, &reader->plain_room, block->plain + sizeof(struct kdp_input_head));
    if (rc != 0)
        return rc;
    for (uint64_t have = 0; have < bytes; have += (uint64_t)got) {
        got = pread(reader->fd, reader->compressed + have, (size_t)(bytes - have),
                    (off_t)(reader->offset + sizeof *block + have));
        if (got < 0)
            return kdpi_fail_errno(errno, "cannot read %s", reader->path);
        if (got == 0)
            return bad_block(reader, "file shrank while it was read");
    }
    if (kdpi_crc32c(0, reader->compressed, (size_t)bytes) != block->payload_crc)
        return bad_block(reader, "checksum of its content is wrong");
    for (uint64_t i = block->compressed; i < bytes; i++)
        if (reader->compressed[i] != 0)
            return bad_block(reader, "padding is not zero");
    done =
        ZSTD_decompressDCtx(reader->zstd, reader->plain, block->plain, reader->compressed, block->compressed);
    if (ZSTD_isError(done))
        return bad_block(reader, ZSTD_getErrorName(done));
    if (done != block->plain)
        return bad_block(reader, "holds fewer bytes than its header says");
    if (reader->last_index != 0 && block->first_index <= reader->last_index)
        return bad_block(reader, "its inputs come before those of the block in front");
    if (reader->last_index != 0 && block->first_index != reader->last_index + 1 && !reader->lost)
        return bad_block(reader, "inputs are missing in front of it");
    reader->offset = end;
    reader->plain_bytes = block->plain;
    reader->at = 0;
    reader->given = 0;
    reader->lost = false;
    return 1;
}

/* Takes the next input out of plain. */
static int
next_input(struct kdp_raw_reader *reader, const struct kdp_input_head **headp)
{
    const uint8_t *at = reader->plain + reader->at;
    size_t left = reader->plain_bytes - reader->at, room;
    const char *why = NULL;

    if (left < sizeof reader->head) {
        why = "an input is cut";
        goto bad;
    }
    memcpy(&reader->head, at, sizeof reader->head);
    room = (sizeof reader->head + (size_t)reader->head.length + 7) & ~(size_t)7;
    if (reader->head.length > KDP_INPUT_MAX || room > left)
        why = "an input is longer than the block";
    else if (reader->head.index != reader->block.first_index + reader->given)
        why = "inputs are not in order";
    else if (reader->head.kind == 0)
        why = "an input has no kind";
    else if (left == room && reader->given + 1 != reader->block.count)
        why = "fewer inputs than its header says";
    else if (left != room && reader->given + 1 == reader->block.count)
        why = "more inputs than its header says";
    if (why == NULL)
        for (size_t i = sizeof reader->head + reader->head.length; i < room; i++)
            if (at[i] != 0)
                why = "padding of an input is not zero";
    if (why != NULL)
        goto bad;
    reader->at += room;
    reader->given++;
    reader->last_index = reader->head.index;
    *headp = (const void *)at; /* realloc aligns, inputs keep a multiple of 8 */
    return 1;
bad:
    reader->at = reader->plain_bytes;
    return kdpi_fail(KDP_EFORMAT, "%s: block at byte %" PRIu64 ": %s", reader->path, reader->block.offset,
                     why);
}

int
kdp_raw_next(struct kdp_raw_reader *reader, const struct kdp_input_head **headp)
{
    int rc;

    *headp = NULL;
    while (reader->at == reader->plain_bytes) {
        reader->at = reader->plain_bytes = 0;
        if (reader->index == reader->count)
            return 0;
        if (reader->fd < 0) {
            rc = open_file(reader);
            if (rc != 0) {
                reader->index++;
                return rc;
            }
        }
        if (reader->lost) {
            rc = kdpi_raw_find(reader->fd, reader->path, reader->offset + 8, &reader->offset);
            if (rc != 0) {
                close_file(reader);
                return rc;
            }
        }
        rc = load_block(reader);
        if (rc == -KDP_EIO)
            close_file(reader);
        if (rc < 0)
            return rc;
        if (rc == 0)
            close_file(reader);
    }
    return next_input(reader, headp);
}

void
kdp_raw_reader_from(struct kdp_raw_reader *reader, uint64_t index)
{
    struct kdp_raw_header header;

    KDP_ASSERT(reader->last_index == 0 && reader->at == reader->plain_bytes);
    reader->from = index;
    /* a file is left out when the one behind it begins by then; what is wrong with a file is said when it is read */
    while (reader->fd < 0 && reader->index + 1 < reader->count) {
        char path[KDP_RAW_PATH];
        bool behind;
        int fd;

        snprintf(path, sizeof path, "%s/%08" PRIu64 ".raw", reader->folder,
                 reader->numbers[reader->index + 1]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        behind = fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
                 kdpi_raw_check_header(&header, sizeof header, path) == 0 && header.first_index <= index;
        if (fd >= 0)
            close(fd);
        if (!behind)
            return;
        reader->index++;
    }
}

/* Learns what the STARTs at the beginning of the files say, from each file's first block. */
static int
learn_starts(struct kdp_raw_reader *reader)
{
    const struct kdp_input_head *head;
    struct kdp_input_start start;
    struct raw_start *known;

    reader->starts = calloc(reader->count + 1, sizeof *reader->starts);
    if (reader->starts == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the list of raw tape files");
    for (size_t i = 0; i < reader->count; i++) {
        reader->index = i;
        /* what is wrong with a file is said when it is read */
        if (open_file(reader) == 0 && load_block(reader) == 1 && next_input(reader, &head) == 1 &&
            head->kind == KDP_INPUT_START && head->length >= KDP_START_V1_BYTES) {
            known = &reader->starts[i];
            memcpy(&start, head + 1, KDP_START_V1_BYTES); /* the rest is nothing we need */
            known->known = true;
            known->resumed = (start.flags & KDP_START_RESUMED) != 0;
            known->index = head->index;
            known->applied = start.applied;
            known->seq_end = start.unused_from != 0 ? start.unused_from : start.next_seq;
        }
        if (reader->fd >= 0)
            close(reader->fd);
        reader->fd = -1;
        reader->at = reader->plain_bytes = 0;
        reader->last_index = 0;
    }
    reader->index = 0;
    return 0;
}

static int
open_path(struct kdp_raw_reader *reader, const char *path)
{
    struct stat st;
    int rc;

    if (strlen(path) + 8 >= sizeof reader->folder)
        return kdpi_fail(KDP_EINVAL, "path is too long: %.64s...", path);
    if (stat(path, &st) != 0)
        return kdpi_fail_errno(errno, "cannot open %s", path);
    if (!S_ISDIR(st.st_mode)) {
        snprintf(reader->path, sizeof reader->path, "%s", path);
        reader->count = 1;
        reader->starts = calloc(2, sizeof *reader->starts);
        if (reader->starts == NULL)
            return kdpi_fail(KDP_ENOMEM, "no memory to read %s", path);
        return open_file(reader);
    }
    snprintf(reader->folder, sizeof reader->folder, "%s/raw", path);
    if (stat(reader->folder, &st) != 0 || !S_ISDIR(st.st_mode))
        snprintf(reader->folder, sizeof reader->folder, "%s", path);
    rc = kdpi_numbered(reader->folder, ".raw", &reader->numbers, &reader->count);
    if (rc == 0 && reader->count == 0) {
        rc = kdpi_fail(KDP_ENOENT, "no raw tape in %s", path);
        kdpi_hint("Name the data folder of a run, or one recording by its file");
    }
    return rc == 0 ? learn_starts(reader) : rc;
}

int
kdp_raw_reader_open(struct kdp_raw_reader **readerp, const char *path)
{
    struct kdp_raw_reader *reader = calloc(1, sizeof *reader);
    int rc;

    *readerp = NULL;
    if (reader == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory to read %s", path);
    reader->fd = -1;
    reader->zstd = ZSTD_createDCtx();
    rc = reader->zstd != NULL ? open_path(reader, path) : kdpi_fail(KDP_ENOMEM, "no memory to read %s", path);
    if (rc != 0) {
        kdp_raw_reader_close(reader);
        return rc;
    }
    *readerp = reader;
    return 0;
}

void
kdp_raw_reader_close(struct kdp_raw_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->fd >= 0)
        close(reader->fd);
    ZSTD_freeDCtx(reader->zstd);
    free(reader->compressed);
    free(reader->plain);
    free(reader->numbers);
    free(reader->starts);
    free(reader);
}

bool
kdp_raw_counts(const struct kdp_raw_reader *reader, uint64_t *seq_endp)
{
    /* the file open now ends its run's words at the next file that begins with a START; an input of this
     * file's own START and behind it belongs to the run that it begins */
    for (size_t i = reader->index + 1; i < reader->count; i++) {
        if (!reader->starts[i].known)
            continue;
        *seq_endp = UINT64_MAX;
        for (size_t j = i; j < reader->count; j++) {
            if (!reader->starts[j].known || reader->starts[j].resumed)
                continue; /* a run that goes on gives out what it had begun */
            *seq_endp = reader->starts[j].seq_end;
            break;
        }
        return reader->head.index <= reader->starts[i].applied;
    }
    *seq_endp = UINT64_MAX;
    return true;
}

int
kdp_raw_last_start(const char *dir, uint64_t applied, uint64_t *indexp)
{
    struct kdp_raw_reader *reader;
    int rc = kdp_raw_reader_open(&reader, dir);

    *indexp = 0;
    if (rc == -KDP_ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < reader->count; i++)
        if (reader->starts[i].known && reader->starts[i].index <= applied)
            *indexp = reader->starts[i].index;
    kdp_raw_reader_close(reader);
    return 0;
}

const char *
kdp_raw_where(const struct kdp_raw_reader *reader, uint64_t *offsetp)
{
    *offsetp = reader->block.offset;
    return reader->path;
}
