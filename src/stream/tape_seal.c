/* tape_seal.c - footers, and finishing what a killed run left. */
#include "tape_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "numbered.h"
#include "tape_scan.h"

int
kdpi_tape_seal(const struct kdpi_seal *seal, uint8_t hash[16])
{
    size_t index_bytes = seal->block_count * sizeof *seal->blocks;
    size_t hole_bytes = seal->hole_count * sizeof *seal->holes, dictionary_bytes = 0, footer_bytes, at;
    struct kdpi_tape_trailer trailer = {.version = 0};
    XXH3_state_t *state = NULL;
    uint8_t *footer = NULL;
    int rc;

    for (uint32_t i = 0; i < seal->id_count; i++)
        dictionary_bytes += kdpi_dict_entry_bytes(kdpi_dict_find(seal->dict, seal->ids[i]));
    footer_bytes = index_bytes + hole_bytes + dictionary_bytes;
    footer = malloc(footer_bytes + sizeof trailer);
    state = XXH3_createState();
    if (footer == NULL || state == NULL) {
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: footer of %s", seal->path);
        goto out;
    }
    if (index_bytes > 0)
        memcpy(footer, seal->blocks, index_bytes);
    if (hole_bytes > 0)
        memcpy(footer + index_bytes, seal->holes, hole_bytes);
    at = index_bytes + hole_bytes;
    for (uint32_t i = 0; i < seal->id_count; i++) {
        const struct kdpi_dict_item *item = kdpi_dict_find(seal->dict, seal->ids[i]);

        kdpi_dict_encode(footer + at, seal->ids[i], item);
        at += kdpi_dict_entry_bytes(item);
    }
    XXH3_copyState(state, seal->hash);
    XXH3_128bits_update(state, footer, footer_bytes);
    XXH128_canonicalFromHash((XXH128_canonical_t *)(void *)trailer.hash, XXH3_128bits_digest(state));
    trailer.index_offset = seal->end;
    trailer.index_count = seal->block_count;
    trailer.dictionary_bytes = dictionary_bytes;
    trailer.dictionary_count = seal->id_count;
    trailer.hole_count = seal->hole_count;
    trailer.records = seal->records;
    trailer.last_seq = seal->last_seq;
    trailer.recv_running_max_ns = seal->recv_running_max_ns;
    trailer.number = seal->number;
    trailer.session = seal->session;
    trailer.repaired = seal->repaired;
    trailer.footer_crc = kdpi_crc32c(0, footer, footer_bytes);
    kdpi_tape_trailer_finish(&trailer);
    memcpy(footer + footer_bytes, &trailer, sizeof trailer);
    rc = kdpi_file_write(seal->fd, footer, footer_bytes + sizeof trailer, seal->end, seal->path);
    if (rc != 0) {
        if (ftruncate(seal->fd, (off_t)seal->end) != 0)
            rc = kdpi_fail_errno(errno, "cannot shorten: %s", seal->path);
        goto out;
    }
    memcpy(hash, trailer.hash, sizeof trailer.hash);
    /* the mode goes to the disk with the inode, hence fsync and not fdatasync */
    if (fchmod(seal->fd, 0444) != 0 || fsync(seal->fd) != 0)
        rc = kdpi_fail_errno(errno, "cannot sync: %s", seal->path);
    else
        rc = kdpi_file_sync(seal->folder);
out:
    free(footer);
    if (state != NULL)
        XXH3_freeState(state);
    return rc;
}

/* ---- finding the end ---- */

struct survey { /* of an unsealed segment */
    struct kdpi_scan scan;
    struct kdp_tape_block *blocks;
    size_t block_count, block_room;
    struct kdpi_dict dict;
    uint32_t *ids;
    uint32_t id_count;
    size_t id_room;
    uint32_t mark;
    uint64_t records, last_seq;
    int64_t recv_running_max_ns;
    uint64_t family_count[4];
};

static int
survey_entry(void *arg, const struct kdp_tape_instrument *instrument)
{
    struct survey *survey = arg;
    uint32_t *mark, *ids;

    if (kdpi_dict_put(&survey->dict, instrument, false) < 0)
        return -KDP_ENOMEM;
    mark = kdpi_dict_mark(&survey->dict, instrument->id);
    if (*mark == survey->mark)
        return 0;
    ids = kdpi_grow(survey->ids, &survey->id_room, sizeof *ids, (size_t)survey->id_count + 1);
    if (ids == NULL)
        return -KDP_ENOMEM;
    survey->ids = ids;
    *mark = survey->mark;
    survey->ids[survey->id_count++] = instrument->id;
    return 0;
}

static int
survey_block(void *arg, const struct kdpi_tape_block_head *head)
{
    struct survey *survey = arg;
    struct kdp_tape_block *blocks;
    int rc;

    if (head->kind == KDPI_TAPE_KIND_DICTIONARY) {
        rc = kdpi_tape_pread(survey->scan.fd, survey->scan.buffer, head->bytes, head->offset + sizeof *head,
                             survey->scan.path);
        if (rc <= 0)
            return rc;
        /* a damaged dictionary is left to kdp tape verify; the rest of the segment is worth its seal */
        if (kdpi_crc32c(0, survey->scan.buffer, head->bytes) == head->payload_crc)
            kdpi_dict_decode(survey->scan.buffer, head->bytes, head->count, survey_entry, survey);
        return 0;
    }
    blocks = kdpi_grow(survey->blocks, &survey->block_room, sizeof *blocks, survey->block_count + 1);
    if (blocks == NULL)
        return -KDP_ENOMEM;
    survey->blocks = blocks;
    kdpi_tape_block_of(head, &survey->blocks[survey->block_count++]);
    memcpy(survey->family_count, head->family_count, sizeof survey->family_count);
    survey->records += head->count;
    survey->last_seq = head->first_seq + head->count - 1;
    survey->recv_running_max_ns = head->recv_running_max_ns;
    return 0;
}

static int
hash_file(XXH3_state_t *state, const struct kdpi_scan *scan)
{
    for (uint64_t at = 0; at < scan->end;) {
        size_t len = scan->end - at < KDP_TAPE_BLOCK_MAX ? (size_t)(scan->end - at) : KDP_TAPE_BLOCK_MAX;
        int rc = kdpi_tape_pread(scan->fd, scan->buffer, len, at, scan->path);

        if (rc < 0)
            return rc;
        if (rc == 0)
            return kdpi_fail(KDP_ETRUNCATED, "ends too early: %s: byte %llu", scan->path,
                             (unsigned long long)at);
        XXH3_128bits_update(state, scan->buffer, len);
        at += len;
    }
    return 0;
}

static int
finish(struct survey *survey, const struct kdpi_tape_header *header, const char *folder,
       struct kdpi_tape_end *end)
{
    XXH3_state_t *state = XXH3_createState();
    struct kdpi_seal seal = {
        .fd = survey->scan.fd,
        .path = survey->scan.path,
        .folder = folder,
        .number = header->number,
        .session = header->session,
        .end = survey->scan.end,
        .blocks = survey->blocks,
        .block_count = survey->block_count,
        .dict = &survey->dict,
        .ids = survey->ids,
        .id_count = survey->id_count,
        .records = survey->records,
        .last_seq = survey->last_seq,
        .recv_running_max_ns = survey->recv_running_max_ns,
        .hash = state,
    };
    int rc;

    if (state == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: hash of %s", seal.path);
    XXH3_128bits_reset(state);
    rc = hash_file(state, &survey->scan);
    if (rc == 0 && ftruncate(seal.fd, (off_t)seal.end) != 0)
        rc = kdpi_fail_errno(errno, "cannot shorten: %s", seal.path);
    if (rc == 0)
        rc = kdpi_tape_seal(&seal, end->hash);
    XXH3_freeState(state);
    if (rc != 0)
        return rc;
    end->number = header->number;
    end->last_seq = survey->last_seq;
    end->session = header->session;
    end->recv_running_max_ns = survey->recv_running_max_ns;
    memcpy(end->family_count, survey->family_count, sizeof end->family_count);
    return 0;
}

static int
remove_segment(const char *path, const char *folder)
{
    if (unlink(path) != 0)
        return kdpi_fail_errno(errno, "cannot remove: %s", path);
    return kdpi_file_sync(folder);
}

/* An unsealed segment: 1 when it was finished, 0 when it held no record and is gone. */
static int
recover(struct survey *survey, const struct kdpi_tape_header *header, const char *header_fault,
        const char *folder, struct kdpi_tape_end *end, uint64_t *cutp)
{
    int rc;

    survey->scan.each = survey_block;
    survey->scan.arg = survey;
    survey->scan.end = survey->scan.checked = KDPI_TAPE_HEADER_BYTES;
    survey->recv_running_max_ns = header_fault == NULL ? header->recv_running_max_ns : KDP_TIME_NULL;
    rc = survey->scan.size > KDPI_TAPE_HEADER_BYTES ? kdpi_tape_scan(&survey->scan) : 0;
    if (rc < 0)
        return rc;
    if (header_fault != NULL && survey->scan.synced > 0)
        header_fault = "the header is gone";
    if (header_fault != NULL &&
        (survey->scan.synced > 0 || !kdpi_tape_header_torn(header, survey->scan.size))) {
        rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte 0: %s", survey->scan.path, header_fault);
        kdpi_tape_hint(folder);
        return rc;
    }
    if (header_fault != NULL || survey->block_count == 0) {
        /* begun, but nothing of it was ever on the disk for certain */
        *cutp += survey->scan.size > KDPI_TAPE_HEADER_BYTES ? survey->scan.size - KDPI_TAPE_HEADER_BYTES : 0;
        rc = remove_segment(survey->scan.path, folder);
        return rc < 0 ? rc : 0;
    }
    *cutp += survey->scan.size - survey->scan.end;
    rc = finish(survey, header, folder, end);
    return rc < 0 ? rc : 1;
}

/* The family counts of a sealed segment stand in its last block's index entry. */
static int
last_counts(int fd, const struct kdpi_tape_trailer *trailer, struct kdpi_tape_end *end, const char *path)
{
    struct kdp_tape_block block;
    int rc;

    if (trailer->index_count == 0)
        return 0;
    rc = kdpi_tape_pread(fd, &block, sizeof block,
                         trailer->index_offset + (trailer->index_count - 1) * sizeof block, path);
    if (rc > 0)
        memcpy(end->family_count, block.family_count, sizeof end->family_count);
    return rc < 0 ? rc : 0;
}

/* 1: the segment ends the tape, *end says how; 0: it held nothing and is gone; negative: error. */
static int
segment_end(const char *folder, uint64_t number, struct kdpi_tape_end *end, uint64_t *cutp)
{
    char path[KDPI_TAPE_PATH];
    struct kdpi_tape_trailer trailer;
    struct kdpi_tape_header header = {.version = 0}; /* what the file does not fill reads as zero */
    const char *fault = "the file ends inside its header";
    struct survey survey = {.mark = 1};
    struct stat st;
    int fd, rc;

    rc = kdpi_tape_path(path, sizeof path, folder, number);
    if (rc != 0)
        return rc;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = kdpi_fail_errno(errno, "cannot open: %s", path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    rc = kdpi_tape_pread(fd, &header, sizeof header, 0, path);
    if (rc > 0) {
        fault = kdpi_tape_header_fault(&header, number);
        if (fault != NULL && memcmp(header.magic, KDPI_TAPE_MAGIC, sizeof header.magic) == 0 &&
            header.version > KDP_TAPE_VERSION)
            rc = kdpi_tape_version_fail(path, header.version);
    }
    if (rc < 0)
        goto out;
    if (rc > 0 && fault == NULL && (uint64_t)st.st_size >= sizeof header + sizeof trailer) {
        rc = kdpi_tape_pread(fd, &trailer, sizeof trailer, (uint64_t)st.st_size - sizeof trailer, path);
        if (rc < 0)
            goto out;
        if (rc > 0 && kdpi_tape_trailer_fault(&trailer, number, (uint64_t)st.st_size) == NULL) {
            end->number = number;
            end->last_seq = trailer.last_seq;
            end->session = trailer.session;
            end->recv_running_max_ns = trailer.recv_running_max_ns;
            memcpy(end->hash, trailer.hash, sizeof end->hash);
            memcpy(end->family_count, header.family_count, sizeof end->family_count);
            rc = last_counts(fd, &trailer, end, path);
            rc = rc < 0 ? rc : 1;
            goto out;
        }
    }
    close(fd);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && chmod(path, 0644) == 0) /* read-only, but its footer is not whole */
        fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot open: %s", path);
    kdpi_dict_init(&survey.dict);
    survey.scan.fd = fd;
    survey.scan.path = path;
    survey.scan.number = number;
    survey.scan.size = (uint64_t)st.st_size;
    survey.scan.buffer = malloc(KDP_TAPE_BLOCK_MAX);
    if (survey.scan.buffer == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: scan of %s", path);
    else
        rc = recover(&survey, &header, fault, folder, end, cutp);
    free(survey.scan.buffer);
    free(survey.blocks);
    free(survey.ids);
    kdpi_dict_release(&survey.dict);
out:
    close(fd);
    return rc;
}

int
kdpi_tape_find_end(const char *folder, struct kdpi_tape_end *end, uint64_t *cutp)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    int rc;

    memset(end, 0, sizeof *end);
    end->recv_running_max_ns = KDP_TIME_NULL;
    rc = kdpi_numbered(folder, ".seg", &numbers, &count);
    for (int found = 0; rc == 0 && found == 0 && count > 0; count--) {
        found = segment_end(folder, numbers[count - 1], end, cutp);
        if (found < 0)
            rc = found;
    }
    free(numbers);
    return rc;
}
