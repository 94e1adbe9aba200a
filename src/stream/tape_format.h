/* tape_format.h - the bytes of a segment file and the checks on them; docs/design/tape.md draws and argues them.
 *
 *   header 4,096 | block head 192, payload | block head, payload | ... | footer: index, holes, dictionary, trailer 128
 *
 * All numbers are little-endian, and so is the machine: structs are the layout.  Reserved bytes are zero and checked. */
#ifndef KDPI_TAPE_FORMAT_H
#define KDPI_TAPE_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "tape.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structs are the layout on disk");

#define KDPI_TAPE_HEADER_BYTES 4096u
#define KDPI_TAPE_BLOCK_HEAD_BYTES 192u
#define KDPI_TAPE_TRAILER_BYTES 128u
#define KDPI_TAPE_MAGIC "KDPTAPE"         /* 8 bytes with its NUL */
#define KDPI_TAPE_SEAL_MAGIC "KDPSEAL"    /* 8 bytes with its NUL */
#define KDPI_TAPE_BLOCK_MAGIC 0x4b4c424bu /* "KBLK" */
#define KDPI_TAPE_KIND_RECORDS 0u
#define KDPI_TAPE_KIND_DICTIONARY 1u

struct kdpi_tape_header {
    uint8_t magic[8];         /* 0: KDPI_TAPE_MAGIC */
    uint32_t version;         /* 8: KDP_TAPE_VERSION */
    uint32_t header_bytes;    /* 12: 4096 */
    uint64_t session;         /* 16: names the run that wrote it */
    uint64_t number;          /* 24: of this segment, as in its name */
    uint64_t first_seq;       /* 32: of its first record */
    int64_t created_ns;       /* 40: wall clock */
    uint64_t previous_number; /* 48: of the segment before it, 0: none */
    uint64_t
        previous_last_seq; /* 56: where that ended; numbers from there to first_seq were never given out */
    uint8_t previous_hash[16];   /* 64: from its trailer */
    int64_t recv_running_max_ns; /* 80: over all segments before, KDP_TIME_NULL: none */
    uint64_t family_count[4];    /* 88: of the session, before this segment */
    uint8_t reserved[3972];      /* 120 */
    uint32_t crc;                /* 4092: CRC-32C of the bytes before */
};
static_assert(sizeof(struct kdpi_tape_header) == KDPI_TAPE_HEADER_BYTES, "header");
static_assert(offsetof(struct kdpi_tape_header, previous_hash) == 64, "header");
static_assert(offsetof(struct kdpi_tape_header, reserved) == 120, "header");
static_assert(offsetof(struct kdpi_tape_header, crc) == 4092, "header");

struct kdpi_tape_block_head {
    uint32_t magic;              /* 0: KDPI_TAPE_BLOCK_MAGIC */
    uint32_t crc;                /* 4: CRC-32C of bytes 8 to 191 */
    uint32_t kind;               /* 8 */
    uint32_t bytes;              /* 12: of payload, a multiple of 8 */
    uint32_t count;              /* 16: records, or dictionary entries */
    uint32_t payload_crc;        /* 20 */
    uint64_t offset;             /* 24: of this head in the file: bytes copied elsewhere are no block */
    uint64_t first_seq;          /* 32: of a dictionary: of the record after it */
    int64_t recv_min_ns;         /* 40: of a dictionary: KDP_TIME_NULL */
    int64_t recv_max_ns;         /* 48: the same */
    int64_t recv_running_max_ns; /* 56 */
    uint32_t template_mask;      /* 64 */
    uint32_t reserved1;          /* 68 */
    uint64_t instruments[4];     /* 72 */
    uint64_t family_count[4];    /* 104 */
    uint64_t input_index;        /* 136 */
    uint64_t session;            /* 144: as the header's, so that a lost header can be made anew */
    uint64_t number;             /* 152: of the segment */
    uint64_t synced;      /* 160: bytes of the file that were known to be on the disk when this was written */
    uint8_t reserved[24]; /* 168 */
};
static_assert(sizeof(struct kdpi_tape_block_head) == KDPI_TAPE_BLOCK_HEAD_BYTES, "block head");
static_assert(offsetof(struct kdpi_tape_block_head, instruments) == 72, "block head");
static_assert(offsetof(struct kdpi_tape_block_head, synced) == 160, "block head");

/* The footer's index holds struct kdp_tape_block as it is in memory, so that a mapping of it is the index. */
static_assert(sizeof(struct kdp_tape_block) == 136, "index entry");
static_assert(offsetof(struct kdp_tape_block, first_seq) == 16, "index entry");
static_assert(offsetof(struct kdp_tape_block, template_mask) == 48, "index entry");
static_assert(offsetof(struct kdp_tape_block, instruments) == 56, "index entry");
static_assert(offsetof(struct kdp_tape_block, family_count) == 88, "index entry");
static_assert(offsetof(struct kdp_tape_block, input_index) == 120, "index entry");
static_assert(offsetof(struct kdp_tape_block, crc) == 128, "index entry");

struct kdpi_tape_hole { /* sequences that are lost and known to be */
    uint64_t first, last;
};

struct kdpi_tape_entry {  /* of a dictionary: then range_count ranges, the ticker, zeros to a multiple of 8 */
    uint32_t id;          /* 0 */
    uint16_t ticker_len;  /* 4 */
    uint16_t range_count; /* 6 */
};
static_assert(sizeof(struct kdpi_tape_entry) == 8, "dictionary entry");

struct kdpi_tape_trailer {       /* the last bytes of a sealed file */
    uint8_t magic[8];            /* 0: KDPI_TAPE_SEAL_MAGIC */
    uint32_t version;            /* 8 */
    uint32_t trailer_bytes;      /* 12: 128 */
    uint64_t index_offset;       /* 16: where the footer begins, a multiple of 8 */
    uint64_t index_count;        /* 24: record blocks */
    uint64_t dictionary_bytes;   /* 32 */
    uint32_t dictionary_count;   /* 40 */
    uint32_t hole_count;         /* 44 */
    uint64_t records;            /* 48 */
    uint64_t last_seq;           /* 56: of the last record or hole */
    int64_t recv_running_max_ns; /* 64 */
    uint64_t number;             /* 72 */
    uint64_t session;            /* 80 */
    uint8_t hash[16];     /* 88: XXH3-128 of all bytes before the trailer, canonical (big-endian) form */
    uint32_t footer_crc;  /* 104: CRC-32C of index, holes and dictionary */
    uint32_t repaired;    /* 108: 1: written by kdp tape repair, the next header names the hash before that */
    uint8_t reserved[12]; /* 112 */
    uint32_t crc;         /* 124: CRC-32C of the bytes before */
};
static_assert(sizeof(struct kdpi_tape_trailer) == KDPI_TAPE_TRAILER_BYTES, "trailer");
static_assert(offsetof(struct kdpi_tape_trailer, hash) == 88, "trailer");
static_assert(offsetof(struct kdpi_tape_trailer, crc) == 124, "trailer");

/* Checks: NULL when all is well, else why not, in a few words. */
const char *kdpi_tape_header_fault(const struct kdpi_tape_header *header, uint64_t number);
const char *kdpi_tape_head_fault(const struct kdpi_tape_block_head *head, uint64_t number, uint64_t offset);
const char *kdpi_tape_trailer_fault(const struct kdpi_tape_trailer *trailer, uint64_t number,
                                    uint64_t file_bytes);
/* kdpi_tape_payload_fault checks the framing of a record block: whole records, count of them, in order from first_seq. */
const char *kdpi_tape_payload_fault(const void *payload, uint32_t bytes, uint64_t first_seq, uint32_t count);

/* kdpi_tape_record_size gives a record's length, 0 when the avail bytes hold none.  The common records have one length
 * and need no more than a look at their header; the rest goes to kdpi_record_size. */
size_t kdpi_tape_record_size(const void *record, size_t avail);
/* kdpi_tape_families adds n records of a template to the counts of the feed families they go to. */
void kdpi_tape_families(uint64_t counts[4], unsigned template_id, uint64_t n);
static inline unsigned
kdpi_tape_filter_bit(uint32_t instrument)
{
    return (instrument * 0x9e3779b1u) >> 24;
}

/* kdpi_tape_header_finish and the like set magic, version and checksum. */
void kdpi_tape_header_finish(struct kdpi_tape_header *header);
void kdpi_tape_head_finish(struct kdpi_tape_block_head *head);
void kdpi_tape_trailer_finish(struct kdpi_tape_trailer *trailer);
void kdpi_tape_block_of(const struct kdpi_tape_block_head *head, struct kdp_tape_block *block);

/* ---- files ------------------------------------------------------------------------------------------------------- */
#define KDPI_TAPE_PATH 4096

/* kdpi_tape_folder writes the folder of segments of dir: dir/tape, or dir itself when that holds segments. */
int kdpi_tape_folder(char *buf, size_t size, const char *dir);
int kdpi_tape_path(char *buf, size_t size, const char *folder, uint64_t number);
/* kdpi_tape_pread reads exactly len bytes: 1, 0 when the file ends before, or an error. */
int kdpi_tape_pread(int fd, void *buf, size_t len, uint64_t offset, const char *path);
/* kdpi_tape_hint adds the hint that goes with damage in folder. */
void kdpi_tape_hint(const char *folder);
int kdpi_tape_version_fail(const char *path, uint32_t version);
/* kdpi_tape_header_torn says that the first bytes of a file are those of a segment begun and never written out: nothing, a
 * part of a header, or zeros.  Such a file holds no record; anything else that is no header is damage. */
bool kdpi_tape_header_torn(const void *bytes, uint64_t file_bytes);
/* kdpi_tape_segment_dictionary calls each for the instruments that one segment names. */
int kdpi_tape_segment_dictionary(const char *folder, uint64_t number,
                                 int (*each)(void *arg, const struct kdp_tape_instrument *instrument),
                                 void *arg);

/* kdpi_tape_load_block is kdp_tape_load without a look at what lies between: for readers that ask kdp_tape_gap themselves,
 * and kdpi_tape_lost keeps the words for what that found and returns the error. */
int kdpi_tape_load_block(struct kdp_tape *tape, size_t index, const void **recordsp);
int kdpi_tape_lost(const struct kdp_tape *tape, size_t index, uint64_t first, uint64_t last);

#endif
