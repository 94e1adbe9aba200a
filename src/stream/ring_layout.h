/* ring_layout.h - what lies in the shared memory object, byte by byte; see docs/design/stream.md.
 *
 * Page 0 is constant after creation and carries a checksum; page 1 holds what threads and processes share; then counters,
 * table, records and inputs, each at a multiple of 4,096.  Every shared cache line has one writer: "plant" is the thread
 * that claims and publishes, "agent" the tape agent's.  Fields that one thread always stores together share a line, since
 * one line moving between two cores costs less than two. */
#ifndef KDPI_RING_LAYOUT_H
#define KDPI_RING_LAYOUT_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"

#define KDP_RING_MAGIC "KDPRING" /* 8 bytes with its NUL */
#define KDP_RING_VERSION 1u
#define KDP_RING_PAGE 4096u
#define KDP_RING_LINE 64u /* bytes; a cache line of x86-64 and of most ARM cores */
#define KDP_RING_BYTES_MIN (UINT64_C(64) << 10)
#define KDP_RING_BYTES_MAX (UINT64_C(1) << 36)
#define KDP_RING_RECORD_MIN 48u  /* bytes of the shortest record there could be: the head alone */
#define KDP_RING_TABLE_STEP 256u /* every 256th record has an entry in the table */
#define KDP_RING_NO_OFFSET UINT64_MAX
#define KDP_RING_INPUT_PAD UINT32_MAX /* length of the filler at the end of the input ring */

struct kdp_ring_header {
    char magic[8];          /* 0 */
    uint32_t version;       /* 8 */
    uint32_t crc;           /* 12: CRC-32C of this page with crc taken as 0 */
    uint64_t total_bytes;   /* 16 */
    uint64_t record_bytes;  /* 24: power of two */
    uint64_t raw_bytes;     /* 32: power of two */
    uint64_t table_entries; /* 40: power of two */
    uint64_t counters_at;   /* 48 */
    uint64_t table_at;      /* 56 */
    uint64_t records_at;    /* 64 */
    uint64_t raw_at;        /* 72 */
    uint64_t session;       /* 80 */
    uint64_t start_input;   /* 88 */
    int64_t pid;            /* 96: of the process that made it */
    uint32_t unreliable;    /* 104 */
    uint32_t reserved;      /* 108 */
    char tape_dir[3984];    /* 112: NUL-terminated */
};
static_assert(sizeof(struct kdp_ring_header) == KDP_RING_PAGE, "ring header");

/* What a publication says beside the offset, kept twice: see publish() in ring.c. */
struct kdp_ring_mark {
    _Atomic uint64_t offset;  /* of the publication it belongs to */
    _Atomic uint64_t seq;     /* last sequence number published with it */
    _Atomic uint64_t applied; /* all records of inputs up to this index are published */
    _Atomic uint64_t
        applied_seq; /* seq when applied last moved: a greater seq belongs to input applied + 1 */
};

struct kdp_ring_shared {
    struct { /* plant: the end of what is published */
        alignas(KDP_RING_LINE) _Atomic uint64_t offset;
        _Atomic uint64_t seq;
        _Atomic uint64_t applied;
    } head;
    struct { /* plant: everything below intent - record_bytes may be overwritten at any moment */
        alignas(KDP_RING_LINE) _Atomic uint64_t offset;
    } intent;
    struct { /* plant: read only after its death */
        alignas(KDP_RING_LINE) struct kdp_ring_mark mark[2];
    } marks;
    struct { /* plant: where the filler begins, by lap modulo 2, and the first sequence number */
        alignas(KDP_RING_LINE) _Atomic uint64_t records[2];
        _Atomic uint64_t inputs[2];
        _Atomic uint64_t start_seq;
    } pads;
    struct { /* plant: the end of the committed inputs */
        alignas(KDP_RING_LINE) _Atomic uint64_t offset;
        _Atomic uint64_t index;
    } input;
    struct { /* agent: records below are on the tape, their room may be used again */
        alignas(KDP_RING_LINE) _Atomic uint64_t offset;
    } taken;
    struct { /* agent: inputs likewise */
        alignas(KDP_RING_LINE) _Atomic uint64_t offset;
    } input_taken;
    struct { /* agent: what the tapes have synced */
        alignas(KDP_RING_LINE) _Atomic uint64_t seq;
        _Atomic uint64_t index;
    } durable;
    struct { /* plant: counters registered */
        alignas(KDP_RING_LINE) _Atomic uint64_t count;
    } counters;
};
static_assert(sizeof(struct kdp_ring_shared) == 9 * KDP_RING_LINE, "shared lines");
static_assert(sizeof(_Atomic uint64_t) == 8, "atomics are plain words");

struct kdp_counter {
    _Atomic uint64_t value;
};
struct kdp_ring_counter_slot {
    char name[56]; /* NUL-terminated */
    struct kdp_counter counter;
};
static_assert(sizeof(struct kdp_ring_counter_slot) == KDP_RING_LINE, "one counter, one line");

struct kdp_ring {
    /* the same for all */
    struct kdp_ring_header *header;
    struct kdp_ring_shared *shared;
    struct kdp_ring_counter_slot *slots;
    _Atomic uint64_t *table;
    uint8_t *records;
    uint8_t *raw;
    uint64_t record_bytes, raw_bytes, table_entries;
    uint64_t intent_step;
    size_t mapped_bytes;
    bool writable, unreliable;
    struct {                                    /* the plant thread's own copies */
        alignas(KDP_RING_LINE) uint64_t offset; /* where the next record goes */
        uint64_t until; /* a record that ends here or before needs no further question */
        uint64_t seq;   /* of the next record */
        uint64_t limit; /* taken + record_bytes when last read */
        uint64_t intent;
        uint64_t published;
        uint64_t applied, applied_seq;
        unsigned mark;
        uint64_t input_offset, input_limit, input_index;
    } plant;
    struct {                                    /* the agent thread's own copies */
        alignas(KDP_RING_LINE) uint64_t passed; /* taken or about to be */
        uint64_t input_taken;
    } agent;
};

/* kdpi_ring_record_size gives a record's length when avail bytes at rec hold a whole record, else 0. */
size_t kdpi_ring_record_size(const void *rec, size_t avail);

#endif
