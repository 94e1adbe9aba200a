/* tape.h - segment files of records: DIR/tape/00000001.seg and on.
 *
 * Format with every byte: docs/design/tape.md.  A segment is a 4,096-byte header, blocks, and once sealed a footer with
 * the block index, the dictionary and an XXH3-128 of all before it.  A block is a 192-byte header with its own checksum and
 * a payload: either whole records back to back, or (kind dictionary) instruments not named in this segment before; a
 * dictionary block stands before the first block that names its instruments, so that even a torn segment describes itself.
 * Everything is little-endian; reserved bytes are zero and checked. */
#ifndef KDPI_TAPE_H
#define KDPI_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"

#define KDP_TAPE_VERSION 1u
#define KDP_TAPE_BLOCK_MAX (1u << 20) /* bytes of a block's payload */

struct kdp_tape_block { /* what a block's header tells, by whatever way it was learnt */
    uint64_t offset;      /* in the file */
    uint32_t bytes;       /* of payload */
    uint32_t count;       /* records */
    uint64_t first_seq;
    int64_t recv_min_ns, recv_max_ns;
    int64_t recv_running_max_ns; /* over the whole tape so far: what the time index searches */
    uint32_t template_mask;      /* bit n: template id n occurs */
    uint32_t kind;               /* 0 records, 1 dictionary */
    uint64_t instruments[4];     /* 256-bit filter: bit (id * 0x9e3779b1u >> 24) of each instrument */
    uint64_t family_count[4];    /* records of streams 1001..1004 since the session began, this block included */
    uint64_t input_index;        /* inputs up to this one were on the raw tape when it was written */
    uint32_t crc;                /* CRC-32C of the payload */
};

/* ---- writing (the tape agent's thread) --------------------------------------------------------------------------- */
struct kdp_tape_writer;
struct kdp_tape_config {
    const char *dir; /* data directory; DIR/tape is made */
    uint64_t session;
    uint64_t segment_bytes; /* a segment is sealed when it has passed this; default 256 MiB */
    /* the ticker of an id that neither this run nor a segment still there has defined; NULL, or gives NULL: unknown */
    const char *(*ticker)(void *arg, uint32_t id);
    void *ticker_arg;
};
/* kdp_tape_writer_open continues after the last segment of dir: an unsealed one is cut at its last good block (what was cut
 * is counted in *cutp, bytes) and sealed; a new segment begins with first_seq. */
int kdp_tape_writer_open(struct kdp_tape_writer **writerp, const struct kdp_tape_config *config, uint64_t first_seq, uint64_t *cutp);
/* kdp_tape_append writes whole records as blocks; not durable before kdp_tape_sync.  Each call costs a block's head (192
 * bytes), an index entry and a write: give it what has come since the last sync, not record by record.  -KDP_EFULL: nothing of this call is on
 * the tape and it may be repeated when there is space. */
int kdp_tape_append(struct kdp_tape_writer *writer, const void *records, size_t bytes, uint64_t input_index);
int kdp_tape_sync(struct kdp_tape_writer *writer);
/* kdp_tape_writer_close seals the open segment (footer, read-only) and frees the writer. */
int kdp_tape_writer_close(struct kdp_tape_writer *writer);

/* ---- reading ----------------------------------------------------------------------------------------------------- */
struct kdp_tape; /* an open tape: all segments of a directory, refreshed on demand; one thread */
int kdp_tape_open(struct kdp_tape **tapep, const char *dir); /* a directory without a tape is an empty tape */
void kdp_tape_close(struct kdp_tape *tape);
/* kdp_tape_refresh looks for blocks and segments written since; returns 1 when there is more, 0, or an error. */
int kdp_tape_refresh(struct kdp_tape *tape);
uint64_t kdp_tape_first_seq(const struct kdp_tape *tape); /* 0: empty */
/* kdp_tape_begin gives the number from which on all that was ever given out is here: that of the first record, or a lower one
 * where those between were never given out (the run that began the tape had lost a ring).  0: empty. */
uint64_t kdp_tape_begin(const struct kdp_tape *tape);
/* kdp_tape_segment_at lists the segments, oldest first: false past the end.  path is valid until refresh or close. */
struct kdp_tape_segment {
    const char *path;
    uint64_t number, session, first_seq, last_seq; /* last_seq 0: nothing yet */
    uint64_t bytes;
    int64_t created_ns, recv_running_max_ns;
    size_t blocks;
    bool sealed;
};
bool kdp_tape_segment_at(const struct kdp_tape *tape, size_t index, struct kdp_tape_segment *segment);
uint64_t kdp_tape_last_seq(const struct kdp_tape *tape);
/* kdp_tape_block_count and _at give the record blocks in order of sequence, over all segments. */
size_t kdp_tape_block_count(const struct kdp_tape *tape);
const struct kdp_tape_block *kdp_tape_block_at(const struct kdp_tape *tape, size_t index);
/* kdp_tape_find gives the index of the block that holds seq, or the first after it; block_count when there is none.
 * kdp_tape_find_time: the first block whose running maximum of receive time reaches ns. */
size_t kdp_tape_find(const struct kdp_tape *tape, uint64_t seq);
size_t kdp_tape_find_time(const struct kdp_tape *tape, int64_t ns);
/* kdp_tape_load gives a block's payload after checking its CRC and the framing of every record: a pointer into a mapping
 * or a buffer of the tape, valid until the next load, refresh or close on it.  Damage is -KDP_ECHECKSUM with words that name
 * file, byte and sequences, and the hint to kdp tape repair.  When sequences between the block loaded before and this one
 * are lost (a damaged or missing segment), that is said once in the same way, and asking again gives the block.
 * -KDP_EOVERRUN: the unsealed end was written anew; refresh and find again. */
int kdp_tape_load(struct kdp_tape *tape, size_t index, const void **recordsp);
/* kdp_tape_gap says what lies directly before a block: nothing, numbers that were never given out (the Gap record that
 * begins the block names them), a loss noted by kdp tape repair, or an unexplained loss.  firstp and lastp get the range. */
enum kdp_tape_gap { KDP_TAPE_GAP_NONE, KDP_TAPE_GAP_UNUSED, KDP_TAPE_GAP_NOTED, KDP_TAPE_GAP_LOST };
enum kdp_tape_gap kdp_tape_gap(const struct kdp_tape *tape, size_t index, uint64_t *firstp, uint64_t *lastp);
/* kdp_tape_dictionary calls each for every instrument the tape's segments name (ticker as of the last segment naming it). */
struct kdp_tape_instrument {
    uint32_t id;
    const char *ticker;
    size_t ticker_len;
    const struct kdp_definition_ranges *ranges;
    uint32_t range_count;
};
int kdp_tape_dictionary(struct kdp_tape *tape, void (*each)(void *arg, const struct kdp_tape_instrument *instrument), void *arg);

#endif
