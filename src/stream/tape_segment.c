/* tape_segment.c - one segment file, open for reading. */
#include "tape_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crc32c.h"
#include "error.h"
#include "tape_scan.h"

static int
damage(const struct kdpi_segment *segment, const struct kdp_tape_block *block, const char *why)
{
    int rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte %llu, sequences %llu to %llu%s%s",
                       segment->path, (unsigned long long)block->offset, (unsigned long long)block->first_seq,
                       (unsigned long long)(block->first_seq + block->count - 1), why == NULL ? "" : ": ",
                       why == NULL ? "" : why);

    kdpi_tape_hint(segment->folder);
    return rc;
}

void
kdpi_segment_close(struct kdpi_segment *segment)
{
    if (segment->fd >= 0)
        close(segment->fd);
    if (segment->map != NULL)
        munmap(segment->map, segment->size - segment->map_begin);
    free(segment->own);
    free(segment->dictionaries);
    free(segment->path);
    memset(segment, 0, sizeof *segment);
    segment->fd = -1;
}

void
kdpi_segment_rest(struct kdpi_segment *segment)
{
    if (segment->sealed && segment->fd >= 0) {
        close(segment->fd);
        segment->fd = -1;
    }
}

bool
kdpi_segment_contiguous(const struct kdpi_segment *segment)
{
    return segment->sealed && segment->trailer.hole_count == 0 && segment->trailer.records > 0 &&
           segment->trailer.records == segment->last_seq - segment->first_seq + 1;
}

/* ---- growing segments ---- */

static int
add_block(void *arg, const struct kdpi_tape_block_head *head)
{
    struct kdpi_segment *segment = arg;

    if (head->kind == KDPI_TAPE_KIND_DICTIONARY) {
        if (segment->dictionary_count == segment->dictionary_room) {
            size_t room = segment->dictionary_room == 0 ? 64 : segment->dictionary_room * 2;
            struct kdpi_segment_entry *grown = realloc(segment->dictionaries, room * sizeof *grown);

            if (grown == NULL)
                return kdpi_fail(KDP_ENOMEM, "out of memory: index of %s", segment->path);
            segment->dictionaries = grown;
            segment->dictionary_room = room;
        }
        segment->dictionaries[segment->dictionary_count++] = (struct kdpi_segment_entry){
            head->offset + sizeof *head, head->bytes, head->count, head->payload_crc};
        return 0;
    }
    if (head->first_seq <= segment->last_seq || head->first_seq < segment->first_seq)
        return 0; /* not in order: whole by its checksum, and yet no part of this tape */
    if (segment->block_count == segment->own_room) {
        size_t room = segment->own_room == 0 ? 256 : segment->own_room * 2;
        struct kdp_tape_block *grown = realloc(segment->own, room * sizeof *grown);

        if (grown == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory: index of %s", segment->path);
        segment->own = grown;
        segment->own_room = room;
        segment->blocks = grown;
    }
    kdpi_tape_block_of(head, &segment->own[segment->block_count++]);
    segment->last_seq = head->first_seq + head->count - 1;
    segment->recv_running_max_ns = head->recv_running_max_ns;
    return 0;
}

static void
forget(struct kdpi_segment *segment)
{
    segment->block_count = 0;
    segment->dictionary_count = 0;
    segment->last_seq = 0;
    segment->scan_end = segment->scan_checked = KDPI_TAPE_HEADER_BYTES;
    segment->scan_synced = 0;
    segment->scan_refused = 0;
    segment->stale = false;
}

/* Blocks of a file without a footer, from where the last look ended. */
static int
grow(struct kdpi_segment *segment, uint64_t size, uint8_t *buffer)
{
    struct kdpi_scan scan = {
        .fd = segment->fd,
        .path = segment->path,
        .number = segment->number,
        .end = segment->scan_end,
        .checked = segment->scan_checked,
        .synced = segment->scan_synced,
        .size = size,
        .refused = segment->scan_refused,
        /* what is sealed, or has a segment after it, was whole once: a bad block there is damage, never a
           torn tail */
        .thorough = segment->sealed || !segment->last,
        .each = add_block,
        .arg = segment,
        .buffer = buffer,
    };
    int rc = kdpi_tape_scan(&scan);

    segment->scan_end = scan.end;
    segment->scan_checked = scan.checked;
    segment->scan_synced = scan.synced;
    segment->scan_refused = scan.refused;
    segment->size = size;
    return rc;
}

/* ---- opening ---- */

/* 1: a whole trailer stands at the end, 0: none. */
static int
read_trailer(struct kdpi_segment *segment, uint64_t size)
{
    int rc;

    if (size < KDPI_TAPE_HEADER_BYTES + sizeof segment->trailer)
        return 0;
    rc = kdpi_tape_pread(segment->fd, &segment->trailer, sizeof segment->trailer,
                         size - sizeof segment->trailer, segment->path);
    if (rc <= 0)
        return rc;
    return kdpi_tape_trailer_fault(&segment->trailer, segment->number, size) == NULL &&
           segment->trailer.last_seq >= segment->first_seq &&
           segment->trailer.records <= segment->trailer.last_seq - segment->first_seq + 1;
}

static void
become_sealed(struct kdpi_segment *segment, uint64_t size)
{
    segment->sealed = true;
    segment->indexed = false;
    segment->size = size;
    segment->block_count = segment->trailer.index_count;
    segment->last_seq = segment->trailer.last_seq;
    segment->recv_running_max_ns = segment->trailer.recv_running_max_ns;
    close(segment->fd);
    segment->fd = -1;
}

/* 1: a header stands there, 0: the file was only just begun. */
static int
read_header(struct kdpi_segment *segment, uint64_t size, bool last)
{
    struct kdpi_tape_header header = {.version = 0};
    const char *fault = "the file ends inside its header";
    int rc = kdpi_tape_pread(segment->fd, &header, sizeof header, 0, segment->path);

    if (rc < 0)
        return rc;
    if (rc > 0)
        fault = kdpi_tape_header_fault(&header, segment->number);
    if (fault == NULL) {
        segment->session = header.session;
        segment->first_seq = header.first_seq;
        segment->previous_number = header.previous_number;
        segment->previous_last_seq = header.previous_last_seq;
        segment->created_ns = header.created_ns;
        segment->recv_running_max_ns = header.recv_running_max_ns;
        return 1;
    }
    if (last && kdpi_tape_header_torn(&header, size))
        return 0;
    if (memcmp(header.magic, KDPI_TAPE_MAGIC, sizeof header.magic) == 0 && header.version > KDP_TAPE_VERSION)
        return kdpi_tape_version_fail(segment->path, header.version);
    if (memcmp(header.magic, KDPI_TAPE_MAGIC, sizeof header.magic) != 0)
        rc = kdpi_fail(KDP_EFORMAT, "not a tape segment: %s: its first bytes are not those of one",
                       segment->path);
    else
        rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte 0: %s", segment->path, fault);
    kdpi_tape_hint(segment->folder);
    return rc;
}

int
kdpi_segment_open(struct kdpi_segment *segment, const char *folder, uint64_t number, bool last,
                  uint8_t *buffer)
{
    char path[KDPI_TAPE_PATH];
    struct stat st;
    int rc;

    memset(segment, 0, sizeof *segment);
    segment->fd = -1;
    segment->number = number;
    segment->folder = folder;
    segment->last = last;
    segment->recv_running_max_ns = KDP_TIME_NULL;
    rc = kdpi_tape_path(path, sizeof path, folder, number);
    if (rc != 0)
        return rc;
    segment->path = strdup(path);
    if (segment->path == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: %s", path);
    segment->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (segment->fd < 0 || fstat(segment->fd, &st) != 0) {
        rc = kdpi_fail_errno(errno, "cannot open: %s", path);
        goto err;
    }
    forget(segment);
    segment->inode = st.st_ino;
    rc = read_header(segment, (uint64_t)st.st_size, last);
    if (rc > 0) {
        rc = read_trailer(segment, (uint64_t)st.st_size);
        if (rc > 0) {
            become_sealed(segment, (uint64_t)st.st_size);
            return 0;
        }
        if (rc == 0)
            rc = grow(segment, (uint64_t)st.st_size, buffer);
    }
    if (rc >= 0)
        return 0;
err:
    kdpi_segment_close(segment);
    return rc;
}

int
kdpi_segment_refresh(struct kdpi_segment *segment, bool last, uint8_t *buffer)
{
    uint64_t before = segment->last_seq;
    size_t count = segment->block_count;
    struct stat st;
    int rc;

    if (segment->sealed)
        return 0;
    if (segment->last != last) {
        segment->last = last;
        segment->scan_refused = 0;
        segment->stale = segment->block_count > 0;
    }
    if (fstat(segment->fd, &st) != 0)
        return kdpi_fail_errno(errno, "cannot look at: %s", segment->path);
    if (segment->block_count == 0) {
        /* an empty one may have been removed and begun anew under the same name */
        struct kdpi_segment anew;

        if (st.st_nlink != 0 && (uint64_t)st.st_size == segment->size)
            return 0;
        rc = kdpi_segment_open(&anew, segment->folder, segment->number, last, buffer);
        if (rc == -KDP_ENOENT)
            return 0;
        if (rc != 0)
            return rc;
        kdpi_segment_close(segment);
        *segment = anew;
        return segment->block_count > 0;
    }
    if ((uint64_t)st.st_size == segment->size && !segment->stale)
        return 0;
    if ((uint64_t)st.st_size < segment->scan_end || segment->stale)
        forget(segment);
    rc = read_trailer(segment, (uint64_t)st.st_size);
    if (rc > 0)
        become_sealed(segment, (uint64_t)st.st_size);
    else if (rc == 0)
        rc = grow(segment, (uint64_t)st.st_size, buffer);
    if (rc < 0)
        return rc;
    return segment->last_seq != before || segment->block_count != count || segment->sealed;
}

/* ---- sealed segments ---- */

static bool
index_good(const struct kdpi_segment *segment, const struct kdp_tape_block *blocks)
{
    uint64_t offset = KDPI_TAPE_HEADER_BYTES, seq = segment->first_seq, records = 0;
    int64_t running = KDP_TIME_NULL;

    for (size_t i = 0; i < segment->trailer.index_count; i++) {
        const struct kdp_tape_block *block = &blocks[i];

        if (block->kind != KDPI_TAPE_KIND_RECORDS || block->offset < offset || block->offset % 8 != 0 ||
            block->bytes == 0 || block->bytes > KDP_TAPE_BLOCK_MAX || block->count == 0 ||
            block->count > block->bytes / 8 || block->first_seq < seq || block->recv_running_max_ns < running)
            return false;
        offset = block->offset + KDPI_TAPE_BLOCK_HEAD_BYTES + block->bytes;
        if (block->offset > segment->trailer.index_offset || offset > segment->trailer.index_offset)
            return false;
        seq = block->first_seq + block->count;
        running = block->recv_running_max_ns;
        records += block->count;
        if (seq > segment->trailer.last_seq + 1)
            return false;
    }
    return records == segment->trailer.records;
}

static int
open_sealed(struct kdpi_segment *segment)
{
    struct stat st;

    if (segment->fd >= 0)
        return 0;
    segment->fd = open(segment->path, O_RDONLY | O_CLOEXEC);
    if (segment->fd < 0 || fstat(segment->fd, &st) != 0) {
        segment->gone = errno == ENOENT;
        return kdpi_fail_errno(errno, "cannot open: %s", segment->path);
    }
    if ((uint64_t)st.st_size == segment->size && st.st_ino == segment->inode)
        return 0;
    close(segment->fd);
    segment->fd = -1;
    segment->gone = true; /* repaired, or cut: what was learnt of it is of another file */
    return kdpi_fail(KDP_EFORMAT, "changed while it was being read: %s", segment->path);
}

/* The footer is damaged, its trailer is not: the heads tell the same.  The number of blocks must stay what
 * was said of it, so a head that cannot be found leaves an empty block, which load refuses. */
static int
index_from_heads(struct kdpi_segment *segment)
{
    size_t wanted = segment->trailer.index_count;
    uint8_t *buffer = malloc(KDP_TAPE_BLOCK_MAX);
    int rc = open_sealed(segment);

    if (rc == 0 && buffer == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: %s", segment->path);
    if (rc == 0) {
        uint64_t size = segment->size;

        forget(segment);
        rc = grow(segment, segment->trailer.index_offset, buffer);
        segment->size = size;
        segment->last_seq = segment->trailer.last_seq;
        segment->recv_running_max_ns = segment->trailer.recv_running_max_ns;
    }
    free(buffer);
    if (rc == 0 && segment->block_count < wanted) {
        struct kdp_tape_block *grown = realloc(segment->own, wanted * sizeof *grown);

        if (grown == NULL) {
            rc = kdpi_fail(KDP_ENOMEM, "out of memory: index of %s", segment->path);
        } else {
            segment->own = grown;
            segment->blocks = grown;
            for (size_t i = segment->block_count; i < wanted; i++) {
                memset(&grown[i], 0, sizeof *grown);
                grown[i].first_seq = segment->last_seq + 1;
                grown[i].recv_running_max_ns = segment->recv_running_max_ns;
            }
        }
    }
    segment->block_count = wanted;
    return rc;
}

/* The footer, from the page it begins in: the map begins there. */
static int
map_footer(struct kdpi_segment *segment)
{
    uint64_t begin = segment->trailer.index_offset & ~UINT64_C(4095);
    void *map;
    int rc = open_sealed(segment);

    if (rc != 0)
        return rc;
    map = mmap(NULL, segment->size - begin, PROT_READ, MAP_SHARED, segment->fd, (off_t)begin);
    if (map == MAP_FAILED)
        return kdpi_fail_errno(errno, "cannot map: %s", segment->path);
    segment->map = map;
    segment->map_begin = begin;
    return 0;
}

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

/* Brings the mapped footer into memory, and where the file was cut or the disk fails turns a SIGBUS into an
 * error.  Kernels that do not know it leave both as they were. */
static int
bring_in(const struct kdpi_segment *segment)
{
    uint64_t len = segment->size - segment->map_begin;

    if (madvise(segment->map, len, MADV_POPULATE_READ) == 0 || errno == EINVAL)
        return 0;
    return kdpi_fail(KDP_EIO, "cannot read: %s: byte %llu: the file was cut, or the disk fails",
                     segment->path, (unsigned long long)segment->trailer.index_offset);
}

int
kdpi_segment_index(struct kdpi_segment *segment)
{
    const struct kdpi_tape_trailer *trailer = &segment->trailer;
    const struct kdp_tape_block *blocks;
    uint64_t footer;
    int rc = 0;

    if (!segment->sealed || segment->indexed)
        return 0;
    if (segment->map == NULL)
        rc = map_footer(segment);
    if (rc == 0)
        rc = bring_in(segment);
    if (rc != 0)
        return rc;
    footer = segment->size - sizeof *trailer - trailer->index_offset;
    blocks = (const struct kdp_tape_block *)(const void *)(segment->map +
                                                           (trailer->index_offset - segment->map_begin));
    if (kdpi_crc32c(0, blocks, footer) == trailer->footer_crc && index_good(segment, blocks)) {
        segment->blocks = blocks;
        segment->holes = (const struct kdpi_tape_hole *)(const void *)(blocks + trailer->index_count);
        segment->hole_count = trailer->hole_count;
    } else {
        rc = index_from_heads(segment);
    }
    segment->indexed = rc == 0;
    return rc;
}

/* ---- payloads ---- */

static const char *
compare_head(const struct kdpi_segment *segment, const struct kdp_tape_block *block, const void *bytes)
{
    struct kdpi_tape_block_head head;
    struct kdp_tape_block said;
    const char *fault;

    memcpy(&head, bytes, sizeof head);
    fault = kdpi_tape_head_fault(&head, segment->number, block->offset);
    if (fault != NULL)
        return fault;
    kdpi_tape_block_of(&head, &said);
    return memcmp(&said, block, sizeof said) == 0 ? NULL : "head and index differ";
}

int
kdpi_segment_load(struct kdpi_segment *segment, size_t index, uint8_t *buffer, const void **recordsp)
{
    struct kdp_tape_block entry, *block = &entry; /* a copy: what was checked cannot change under us */
    uint8_t head[KDPI_TAPE_BLOCK_HEAD_BYTES];
    struct iovec parts[2];
    const char *fault;
    ssize_t got;
    int rc = kdpi_segment_index(segment);

    *recordsp = NULL;
    if (rc != 0)
        return segment->gone ? -KDP_EOVERRUN : rc;
    KDP_ASSERT(index < segment->block_count);
    entry = segment->blocks[index];
    if (block->count == 0 || block->bytes > KDP_TAPE_BLOCK_MAX ||
        (segment->sealed && (block->offset > segment->size ||
                             block->offset + KDPI_TAPE_BLOCK_HEAD_BYTES + block->bytes > segment->size))) {
        rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte %llu: footer and blocks are damaged",
                       segment->path, (unsigned long long)segment->trailer.index_offset);
        kdpi_tape_hint(segment->folder);
        return rc;
    }
    if (segment->sealed && open_sealed(segment) != 0)
        return segment->gone ? -KDP_EOVERRUN : -KDP_EIO;
    parts[0] = (struct iovec){head, sizeof head};
    parts[1] = (struct iovec){buffer, block->bytes};
    do {
        got = preadv(segment->fd, parts, 2, (off_t)block->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return kdpi_fail_errno(errno, "cannot read: %s: byte %llu", segment->path,
                               (unsigned long long)block->offset);
    if ((size_t)got != sizeof head + block->bytes)
        fault = "the file was cut";
    else
        fault = compare_head(segment, block, head);
    if (fault != NULL && !segment->sealed) {
        segment->stale = true;
        return kdpi_fail(KDP_EOVERRUN, "the end of the tape was written anew: %s: byte %llu", segment->path,
                         (unsigned long long)block->offset);
    }
    if (fault != NULL)
        return damage(segment, block, fault);
    if (kdpi_crc32c(0, buffer, block->bytes) != block->crc)
        return damage(segment, block, NULL);
    fault = kdpi_tape_payload_fault(buffer, block->bytes, block->first_seq, block->count);
    if (fault != NULL)
        return damage(segment, block, fault);
    *recordsp = buffer;
    return 0;
}

static int
dictionary_fail(const struct kdpi_segment *segment, uint64_t offset, const char *why)
{
    int rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte %llu: %s", segment->path,
                       (unsigned long long)offset, why);

    kdpi_tape_hint(segment->folder);
    return rc;
}

int
kdpi_segment_dictionary(struct kdpi_segment *segment, uint8_t *buffer, kdpi_dict_each each, void *arg)
{
    const char *fault;
    int rc = kdpi_segment_index(segment);

    if (rc != 0)
        return rc;
    if (segment->sealed && segment->own == NULL) {
        const struct kdpi_tape_trailer *trailer = &segment->trailer;
        uint64_t offset = segment->size - sizeof *trailer - trailer->dictionary_bytes;

        fault = kdpi_dict_decode(segment->map + (offset - segment->map_begin), trailer->dictionary_bytes,
                                 trailer->dictionary_count, each, arg);
        return fault == NULL ? 0 : dictionary_fail(segment, offset, fault);
    }
    for (size_t i = 0; i < segment->dictionary_count; i++) {
        const struct kdpi_segment_entry *entry = &segment->dictionaries[i];

        rc = segment->sealed ? open_sealed(segment) : 0;
        if (rc == 0)
            rc = kdpi_tape_pread(segment->fd, buffer, entry->bytes, entry->offset, segment->path);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            segment->stale = !segment->sealed;
            return 0;
        }
        fault = kdpi_crc32c(0, buffer, entry->bytes) != entry->crc
                    ? "a dictionary"
                    : kdpi_dict_decode(buffer, entry->bytes, entry->count, each, arg);
        if (fault != NULL)
            return dictionary_fail(segment, entry->offset, fault);
    }
    return 0;
}
