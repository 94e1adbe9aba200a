/* tape_scan.h - finding the blocks of a segment file by walking their heads: of a file that still grows, of one that a
 * killed run left behind, and of a damaged one. */
#ifndef KDPI_TAPE_SCAN_H
#define KDPI_TAPE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "tape_format.h"

struct kdpi_scan {
    int fd;
    const char *path; /* for words */
    uint64_t number;
    uint64_t end; /* in: where to begin; out: behind the last block accepted */
    uint64_t
        checked; /* in, out: blocks before this offset had their payload checked, or were known to be synced */
    uint64_t synced;  /* in, out: bytes of the file that some block says were on the disk */
    uint64_t size;    /* in: of the file, or where its footer begins */
    uint64_t skipped; /* out: bytes of damage stepped over */
    uint64_t refused; /* in, out: the size at which nothing was found behind end; spares looking again */
    bool thorough;    /* in: step over any damage and take every head that is whole (check and repair) */
    /* each block accepted, in order; not 0 ends the scan with that value */
    int (*each)(void *arg, const struct kdpi_tape_block_head *head);
    void *arg;
    uint8_t *buffer; /* of KDP_TAPE_BLOCK_MAX bytes, for payloads */
};

/* kdpi_tape_scan walks from end on.  Where no block begins it looks for later ones: bytes before what any of them calls
 * synced were on the disk once, so this is damage and is stepped over; else the tail is torn, and the scan ends before it.
 * In the part not known to be synced the payloads are checked too.  Returns 0 or an error. */
int kdpi_tape_scan(struct kdpi_scan *scan);

#endif
