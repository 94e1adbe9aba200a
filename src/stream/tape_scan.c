/* tape_scan.c - finding the blocks of a segment file by walking their heads. */
#include "tape_scan.h"

#include <string.h>

#include "crc32c.h"
#include "tape_dict.h"

#define WINDOW 65536u /* bytes looked through at a time when resuming after damage */

/* 1: a whole head stands there and its payload lies within the file; 0: no; negative: error. */
static int
head_at(const struct kdpi_scan *scan, uint64_t offset, struct kdpi_tape_block_head *head)
{
    int rc;

    if (offset + sizeof *head > scan->size)
        return 0;
    rc = kdpi_tape_pread(scan->fd, head, sizeof *head, offset, scan->path);
    if (rc <= 0)
        return rc;
    return kdpi_tape_head_fault(head, scan->number, offset) == NULL &&
           head->bytes <= scan->size - offset - sizeof *head;
}

static int
payload_good(const struct kdpi_scan *scan, const struct kdpi_tape_block_head *head)
{
    int rc = kdpi_tape_pread(scan->fd, scan->buffer, head->bytes, head->offset + sizeof *head, scan->path);

    if (rc <= 0)
        return rc;
    if (kdpi_crc32c(0, scan->buffer, head->bytes) != head->payload_crc)
        return 0;
    if (head->kind == KDPI_TAPE_KIND_DICTIONARY)
        return kdpi_dict_decode(scan->buffer, head->bytes, head->count, NULL, NULL) == NULL;
    return kdpi_tape_payload_fault(scan->buffer, head->bytes, head->first_seq, head->count) == NULL;
}

/* Finds the next whole head at or after offset: 1 with *head, 0 when there is none. */
static int
next_head(const struct kdpi_scan *scan, uint64_t offset, struct kdpi_tape_block_head *head)
{
    static const uint32_t magic = KDPI_TAPE_BLOCK_MAGIC;

    offset = (offset + 7) & ~UINT64_C(7);
    while (offset + sizeof *head <= scan->size) {
        size_t len = scan->size - offset < WINDOW ? (size_t)(scan->size - offset) : WINDOW;
        int rc = kdpi_tape_pread(scan->fd, scan->buffer, len, offset, scan->path);

        if (rc <= 0)
            return rc;
        for (size_t i = 0; i + sizeof magic <= len; i += 8) { /* blocks begin at multiples of 8 */
            if (memcmp(scan->buffer + i, &magic, sizeof magic) != 0)
                continue;
            rc = head_at(scan, offset + i, head);
            if (rc != 0)
                return rc;
        }
        offset += len & ~(size_t)7;
        if (len < WINDOW)
            break;
    }
    return 0;
}

/* What stands at scan->end is no block.  Is it damage to what was once on the disk, or a torn tail?  1:
 * damage, *first is the next block; 0: torn. */
static int
judge(const struct kdpi_scan *scan, struct kdpi_tape_block_head *first)
{
    struct kdpi_tape_block_head head;
    uint64_t at = scan->end + 8;
    bool any = false;

    for (;;) {
        int rc = next_head(scan, at, &head);

        if (rc < 0)
            return rc;
        if (rc == 0)
            return 0;
        if (!any)
            *first = head;
        any = true;
        if (scan->thorough || head.synced > scan->end)
            return 1;
        at = head.offset + sizeof head + head.bytes;
    }
}

static int
accept(struct kdpi_scan *scan, const struct kdpi_tape_block_head *head)
{
    scan->end = head->offset + sizeof *head + head->bytes;
    if (head->synced > scan->synced)
        scan->synced = head->synced;
    return scan->each(scan->arg, head);
}

/* The heads are whole up to where; checks the payloads that nothing proves to have been synced.  Returns the
 * offset of the first bad one, else where. */
static int
check_tail(struct kdpi_scan *scan, uint64_t where, uint64_t *goodp)
{
    struct kdpi_tape_block_head head;
    uint64_t at = scan->checked;

    while (at < where) {
        int rc = head_at(scan, at, &head);

        if (rc > 0 && at + sizeof head + head.bytes > scan->synced)
            rc = payload_good(scan, &head);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        at += sizeof head + head.bytes;
    }
    *goodp = at;
    return 0;
}

int
kdpi_tape_scan(struct kdpi_scan *scan)
{
    struct kdpi_tape_block_head head;
    uint64_t at, good, last_gap;
    int rc;

    scan->skipped = 0;
    if (scan->thorough) { /* every whole head, whatever lies between */
        while (scan->end < scan->size) {
            rc = head_at(scan, scan->end, &head);
            if (rc == 0) {
                rc = judge(scan, &head);
                if (rc > 0)
                    scan->skipped += head.offset - scan->end;
            }
            if (rc <= 0)
                return rc;
            rc = accept(scan, &head);
            if (rc != 0)
                return rc;
        }
        return 0;
    }
    /* first pass: how far do heads go, and what was synced? */
    at = scan->end;
    last_gap = 0;
    for (;;) {
        struct kdpi_scan probe = *scan;

        rc = head_at(scan, at, &head);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            if (at >= scan->size || at + sizeof head > scan->size || scan->refused == scan->size)
                break;
            probe.end = at;
            rc = judge(&probe, &head);
            if (rc < 0)
                return rc;
            if (rc == 0) {
                scan->refused = scan->size;
                break;
            }
            last_gap = head.offset;
        }
        if (head.synced > scan->synced)
            scan->synced = head.synced;
        at = head.offset + sizeof head + head.bytes;
    }
    if (last_gap > scan->checked)
        scan->checked = last_gap;
    if (scan->checked < scan->end)
        scan->checked = scan->end;
    /* second pass: the part not proven synced must have good payloads to be taken */
    rc = check_tail(scan, at, &good);
    if (rc < 0)
        return rc;
    scan->checked = good;
    while (scan->end < good) {
        rc = head_at(scan, scan->end, &head);
        if (rc == 0) {
            rc = judge(scan, &head);
            if (rc > 0)
                scan->skipped += head.offset - scan->end;
        }
        if (rc < 0)
            return rc;
        if (rc == 0 || head.offset >= good)
            break;
        rc = accept(scan, &head);
        if (rc != 0)
            return rc;
    }
    return 0;
}
