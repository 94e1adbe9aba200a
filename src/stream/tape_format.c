/* tape_format.c - checks and small parts shared by writer, reader, check and repair. */
#include "tape_format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "error.h"
#include "kdp/version.h"
#include "numbered.h"
#include "record.h"

#define SEQ_MAX (UINT64_MAX / 2) /* beyond is no sequence number but damage; sums below cannot overflow */

static bool
all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

const char *
kdpi_tape_header_fault(const struct kdpi_tape_header *header, uint64_t number)
{
    if (memcmp(header->magic, KDPI_TAPE_MAGIC, sizeof header->magic) != 0)
        return "not a tape segment";
    if (kdpi_crc32c(0, header, offsetof(struct kdpi_tape_header, crc)) != header->crc)
        return "bad checksum of the header";
    if (header->version != KDP_TAPE_VERSION)
        return "another format version";
    if (header->header_bytes != KDPI_TAPE_HEADER_BYTES ||
        !all_zero(header->reserved, sizeof header->reserved))
        return "reserved bytes of the header are set";
    if (header->number != number)
        return "belongs to another segment number";
    if (header->first_seq == 0 || header->first_seq > SEQ_MAX ||
        header->previous_last_seq >= header->first_seq || header->previous_number >= number)
        return "impossible sequence numbers in the header";
    return NULL;
}

bool
kdpi_tape_header_torn(const void *bytes, uint64_t file_bytes)
{
    size_t len = file_bytes < KDPI_TAPE_HEADER_BYTES ? (size_t)file_bytes : KDPI_TAPE_HEADER_BYTES;
    size_t written = 0;

    if (all_zero(bytes, len))
        return true;
    if (file_bytes >= KDPI_TAPE_HEADER_BYTES)
        return false;
    /* the beginning of the magic, then the rest of it or, after a loss of power, zeros that were never written */
    while (written < len && written < 8 && ((const char *)bytes)[written] == KDPI_TAPE_MAGIC[written])
        written++;
    return written == 8 || all_zero((const uint8_t *)bytes + written, len - written);
}

const char *
kdpi_tape_head_fault(const struct kdpi_tape_block_head *head, uint64_t number, uint64_t offset)
{
    if (head->magic != KDPI_TAPE_BLOCK_MAGIC)
        return "no block begins here";
    if (kdpi_crc32c(0, &head->kind, sizeof *head - offsetof(struct kdpi_tape_block_head, kind)) != head->crc)
        return "bad checksum of a block's head";
    if (head->offset != offset || head->number != number)
        return "a block of another place";
    if (head->kind > KDPI_TAPE_KIND_DICTIONARY || head->reserved1 != 0 ||
        !all_zero(head->reserved, sizeof head->reserved))
        return "unknown kind of block";
    if (head->bytes == 0 || head->bytes % 8 != 0 || head->bytes > KDP_TAPE_BLOCK_MAX || head->count == 0 ||
        head->count > head->bytes / 8 || head->synced > offset)
        return "impossible lengths in a block's head";
    if (head->first_seq == 0 || head->first_seq > SEQ_MAX)
        return "impossible sequence numbers in a block's head";
    return NULL;
}

const char *
kdpi_tape_trailer_fault(const struct kdpi_tape_trailer *trailer, uint64_t number, uint64_t file_bytes)
{
    uint64_t room;

    if (memcmp(trailer->magic, KDPI_TAPE_SEAL_MAGIC, sizeof trailer->magic) != 0)
        return "no trailer";
    if (kdpi_crc32c(0, trailer, offsetof(struct kdpi_tape_trailer, crc)) != trailer->crc)
        return "bad checksum of the trailer";
    if (trailer->version != KDP_TAPE_VERSION || trailer->trailer_bytes != KDPI_TAPE_TRAILER_BYTES ||
        trailer->number != number || !all_zero(trailer->reserved, sizeof trailer->reserved))
        return "a trailer of another file";
    if (file_bytes < KDPI_TAPE_HEADER_BYTES + KDPI_TAPE_TRAILER_BYTES || trailer->index_offset % 8 != 0 ||
        trailer->index_offset < KDPI_TAPE_HEADER_BYTES ||
        trailer->index_offset > file_bytes - KDPI_TAPE_TRAILER_BYTES)
        return "impossible lengths in the trailer";
    room = file_bytes - KDPI_TAPE_TRAILER_BYTES - trailer->index_offset;
    if (trailer->index_count > room / sizeof(struct kdp_tape_block) ||
        trailer->hole_count > room / sizeof(struct kdpi_tape_hole) || trailer->dictionary_bytes > room ||
        trailer->index_count * sizeof(struct kdp_tape_block) +
                trailer->hole_count * sizeof(struct kdpi_tape_hole) + trailer->dictionary_bytes !=
            room ||
        trailer->dictionary_bytes % 8 != 0 || trailer->dictionary_count > trailer->dictionary_bytes / 8)
        return "impossible lengths in the trailer";
    if (trailer->repaired > 1 || trailer->last_seq > SEQ_MAX ||
        (trailer->index_count == 0) != (trailer->records == 0))
        return "impossible sequence numbers in the trailer";
    return NULL;
}

/* Whole length of the records without group or text, 0 for the others. */
static const uint16_t fixed_size[16] = {
    [KDP_TEMPLATE_TRADE] = sizeof(struct kdp_trade),         [KDP_TEMPLATE_BBO] = sizeof(struct kdp_bbo),
    [KDP_TEMPLATE_TICKER] = sizeof(struct kdp_ticker),       [KDP_TEMPLATE_LEVEL] = sizeof(struct kdp_level),
    [KDP_TEMPLATE_LIFECYCLE] = sizeof(struct kdp_lifecycle),
};

size_t
kdpi_tape_record_size(const void *record, size_t avail)
{
    struct kdp_head head;

    if (avail < sizeof head)
        return 0;
    memcpy(&head, record, 8);
    if (head.template_id < 16 && fixed_size[head.template_id] != 0 &&
        head.block_length == fixed_size[head.template_id] - 8u && head.schema_id == KDP_SCHEMA_ID &&
        head.version == KDP_SCHEMA_VERSION)
        return head.block_length + 8u <= avail ? head.block_length + 8u : 0;
    return kdpi_record_size(record, avail);
}

const char *
kdpi_tape_payload_fault(const void *payload, uint32_t bytes, uint64_t first_seq, uint32_t count)
{
    const uint8_t *at = payload, *end = at + bytes;
    uint32_t seen = 0;

    while (at < end) {
        size_t size = kdpi_tape_record_size(at, (size_t)(end - at));
        uint64_t seq;

        if (size == 0)
            return "a record is malformed";
        memcpy(&seq, at + offsetof(struct kdp_head, seq), sizeof seq);
        if (seq != first_seq + seen)
            return "a record's sequence number is out of order";
        seen++;
        at += size;
    }
    return seen == count ? NULL : "the number of records differs from the block's head";
}

void
kdpi_tape_families(uint64_t counts[4], unsigned template_id, uint64_t n)
{
    switch (template_id) {
    case KDP_TEMPLATE_TRADE:
        counts[0] += n;
        break;
    case KDP_TEMPLATE_BBO:
        counts[1] += n;
        break;
    case KDP_TEMPLATE_TICKER:
        counts[2] += n;
        break;
    case KDP_TEMPLATE_LEVEL:
    case KDP_TEMPLATE_BOOK_SNAPSHOT:
        counts[3] += n;
        break;
    default: /* definitions, states, gaps and the like go into every family's feed */
        for (unsigned family = 0; family < 4; family++)
            counts[family] += n;
    }
}

void
kdpi_tape_header_finish(struct kdpi_tape_header *header)
{
    memcpy(header->magic, KDPI_TAPE_MAGIC, sizeof header->magic);
    header->version = KDP_TAPE_VERSION;
    header->header_bytes = KDPI_TAPE_HEADER_BYTES;
    header->crc = kdpi_crc32c(0, header, offsetof(struct kdpi_tape_header, crc));
}

void
kdpi_tape_head_finish(struct kdpi_tape_block_head *head)
{
    head->magic = KDPI_TAPE_BLOCK_MAGIC;
    head->crc = kdpi_crc32c(0, &head->kind, sizeof *head - offsetof(struct kdpi_tape_block_head, kind));
}

void
kdpi_tape_trailer_finish(struct kdpi_tape_trailer *trailer)
{
    memcpy(trailer->magic, KDPI_TAPE_SEAL_MAGIC, sizeof trailer->magic);
    trailer->version = KDP_TAPE_VERSION;
    trailer->trailer_bytes = KDPI_TAPE_TRAILER_BYTES;
    trailer->crc = kdpi_crc32c(0, trailer, offsetof(struct kdpi_tape_trailer, crc));
}

void
kdpi_tape_block_of(const struct kdpi_tape_block_head *head, struct kdp_tape_block *block)
{
    memset(block, 0, sizeof *block); /* the padding goes to disk */
    block->offset = head->offset;
    block->bytes = head->bytes;
    block->count = head->count;
    block->first_seq = head->first_seq;
    block->recv_min_ns = head->recv_min_ns;
    block->recv_max_ns = head->recv_max_ns;
    block->recv_running_max_ns = head->recv_running_max_ns;
    block->template_mask = head->template_mask;
    block->kind = head->kind;
    memcpy(block->instruments, head->instruments, sizeof block->instruments);
    memcpy(block->family_count, head->family_count, sizeof block->family_count);
    block->input_index = head->input_index;
    block->crc = head->payload_crc;
}

/* ---- files ---- */

int
kdpi_tape_folder(char *buf, size_t size, const char *dir)
{
    struct stat st;
    uint64_t *numbers = NULL;
    size_t count = 0;
    int len = snprintf(buf, size, "%s/tape", dir);

    if (len < 0 || (size_t)len >= size)
        return kdpi_fail(KDP_EINVAL, "name too long: %s", dir);
    if (stat(buf, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : kdpi_fail(KDP_EFORMAT, "not a folder: %s", buf);
    /* "kdp tape verify data/tape" means what it says */
    if (kdpi_numbered(dir, ".seg", &numbers, &count) == 0 && count > 0)
        snprintf(buf, size, "%s", dir);
    free(numbers);
    return 0;
}

int
kdpi_tape_path(char *buf, size_t size, const char *folder, uint64_t number)
{
    int len = snprintf(buf, size, "%s/%08llu.seg", folder, (unsigned long long)number);

    return len > 0 && (size_t)len < size ? 0 : kdpi_fail(KDP_EINVAL, "name too long: %s", folder);
}

int
kdpi_tape_pread(int fd, void *buf, size_t len, uint64_t offset, const char *path)
{
    uint8_t *at = buf;

    while (len > 0) {
        ssize_t got = pread(fd, at, len, (off_t)offset);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            return kdpi_fail_errno(errno, "cannot read: %s: byte %llu", path, (unsigned long long)offset);
        }
        if (got == 0)
            return 0;
        at += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 1;
}

void
kdpi_tape_hint(const char *folder)
{
    kdpi_hint("kdp tape repair %s shows what can be saved and asks before it writes", folder);
}

int
kdpi_tape_version_fail(const char *path, uint32_t version)
{
    int rc = kdpi_fail(KDP_EVERSION, "tape format %u: %s: kdp %s reads %u", version, path, KDP_VERSION,
                       KDP_TAPE_VERSION);

    kdpi_hint("Use a later kdp. Nothing was changed");
    return rc;
}
