/* tape_segment.h - one segment file, open for reading: sealed (its footer is the index) or still growing.
 *
 * Of a sealed file the footer is mapped: its index is searched where it lies.  Payloads are read with pread, of sealed and
 * growing files alike: measured on this class of machine, filling page tables costs more than the copy (bench_tape), and a
 * mapping of a file that somebody cuts ends in SIGBUS.  One thread. */
#ifndef KDPI_TAPE_SEGMENT_H
#define KDPI_TAPE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tape_dict.h"
#include "tape_format.h"

struct kdpi_segment {
    uint64_t number;
    char *path;
    const char *folder; /* the tape's */
    int fd;             /* of one that grows, or of a sealed one being read; -1: none */
    bool sealed, indexed;
    bool last;     /* no later segment exists */
    bool gone;     /* its file is no longer there */
    bool stale;    /* a block was not where the index says: look at the file anew */
    uint64_t size; /* of a sealed file; what was seen of a growing one */
    uint64_t inode;
    uint64_t session, first_seq, previous_number, previous_last_seq;
    int64_t created_ns;
    struct kdpi_tape_trailer trailer; /* of a sealed one */
    uint8_t *map;                     /* of the file from map_begin on: the footer */
    uint64_t map_begin;
    const struct kdp_tape_block *blocks; /* in the map, or own */
    struct kdp_tape_block *own;
    size_t block_count, own_room;
    const struct kdpi_tape_hole *holes; /* in the map */
    uint32_t hole_count;
    uint64_t last_seq; /* 0: nothing yet */
    int64_t recv_running_max_ns;
    uint64_t scan_end, scan_checked, scan_synced, scan_refused;
    struct kdpi_segment_entry *dictionaries; /* dictionary blocks of a growing one */
    size_t dictionary_count, dictionary_room;
};
struct kdpi_segment_entry {
    uint64_t offset;
    uint32_t bytes, count, crc;
};

/* kdpi_segment_open opens folder's segment; last says that no later one exists, so that a file without header or blocks is
 * one just begun.  buffer is KDP_TAPE_BLOCK_MAX bytes of the caller, for this call. */
int kdpi_segment_open(struct kdpi_segment *segment, const char *folder, uint64_t number, bool last,
                      uint8_t *buffer);
void kdpi_segment_close(struct kdpi_segment *segment);
/* kdpi_segment_refresh looks for what a growing one has more: 1, 0 or an error. */
int kdpi_segment_refresh(struct kdpi_segment *segment, bool last, uint8_t *buffer);
/* kdpi_segment_index makes blocks and holes of a sealed one ready: 0 or an error. */
int kdpi_segment_index(struct kdpi_segment *segment);
/* kdpi_segment_load gives a block's payload, checked, in buffer.  -KDP_EOVERRUN: the end of a growing segment was taken back
 * (disk full, restart), or retention removed the file; refresh. */
int kdpi_segment_load(struct kdpi_segment *segment, size_t index, uint8_t *buffer, const void **recordsp);
/* kdpi_segment_dictionary calls each for every entry of the segment, later ones counting more than earlier. */
int kdpi_segment_dictionary(struct kdpi_segment *segment, uint8_t *buffer, kdpi_dict_each each, void *arg);
/* kdpi_segment_contiguous: no sequence between first and last is missing (by the sums of the trailer). */
bool kdpi_segment_contiguous(const struct kdpi_segment *segment);
/* kdpi_segment_rest closes the file of a sealed segment; it is opened again when read. */
void kdpi_segment_rest(struct kdpi_segment *segment);

#endif
