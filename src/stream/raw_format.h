/* raw_format.h - the bytes of a raw tape file and what writer and reader share; the document is
 * docs/design/stream.md. */
#ifndef KDPI_RAW_FORMAT_H
#define KDPI_RAW_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"

#define KDP_RAW_MAGIC "KDPRAW\x1a\n" /* 8 bytes: a text conversion on the way shows at once */
#define KDP_RAW_VERSION 1u
#define KDP_RAW_HEADER 4096u
#define KDP_RAW_BLOCK_MAGIC 0x3142524bu /* "KRB1" */
#define KDP_RAW_BLOCK 64u               /* bytes of a block's header */
#define KDP_RAW_BLOCK_PLAIN \
    (256u << 10) /* bytes of inputs that a block aims at; one longer input has a block alone */
#define KDP_RAW_PLAIN_MAX (KDP_INPUT_MAX + 32u)
#define KDP_RAW_COMPRESSED_MAX \
    (KDP_RAW_PLAIN_MAX + (KDP_RAW_PLAIN_MAX >> 7)) /* no zstd frame of it is longer */
#define KDP_RAW_PATH 4160                          /* bytes that hold any path of a file */

struct kdp_raw_header {
    char magic[8];          /* 0 */
    uint32_t version;       /* 8 */
    uint32_t crc;           /* 12: CRC-32C of the 4,096 bytes with crc taken as 0 */
    uint64_t session;       /* 16 */
    uint64_t first_index;   /* 24 */
    uint64_t number;        /* 32: of the file, as in its name */
    uint8_t reserved[4056]; /* 40: zero */
};
static_assert(sizeof(struct kdp_raw_header) == KDP_RAW_HEADER, "raw header");

struct kdp_raw_block {
    uint32_t magic;       /* 0 */
    uint32_t header_crc;  /* 4: CRC-32C of these 64 bytes with header_crc taken as 0 */
    uint32_t payload_crc; /* 8: CRC-32C of the frame and its padding */
    uint32_t compressed;  /* 12: bytes of the zstd frame; zeros follow to a multiple of 8 */
    uint32_t plain;       /* 16: bytes of the inputs */
    uint32_t count;       /* 20: inputs */
    uint64_t first_index; /* 24 */
    int64_t recv_min_ns;  /* 32 */
    int64_t recv_max_ns;  /* 40 */
    uint64_t offset;      /* 48: of this block in the file, so that a misplaced one shows */
    uint64_t synced;      /* 56: bytes of the file that were known to be on the disk when this was written */
};
static_assert(sizeof(struct kdp_raw_block) == KDP_RAW_BLOCK, "raw block");

uint32_t kdpi_raw_header_crc(const struct kdp_raw_header *header);
uint32_t kdpi_raw_block_crc(const struct kdp_raw_block *block);
/* kdpi_raw_block_is_good says whether 64 bytes read at offset are a block's header. */
bool kdpi_raw_block_is_good(const struct kdp_raw_block *block, uint64_t offset);
uint64_t kdpi_raw_block_bytes(const struct kdp_raw_block *block); /* with header and padding */
/* kdpi_raw_check_header checks a file's first bytes (len of them); path is for the words. */
int kdpi_raw_check_header(const void *bytes, size_t len, const char *path);

/* kdpi_raw_scan walks the blocks of an open file: *endp where its torn tail begins (its size when there is
 * none), *last_indexp the last input before that (0: none), *newest_nsp the greatest receive time.  A bad
 * block whose place some later block calls synced is damage: it is stepped over, and what follows stays.  One
 * that was never synced is the beginning of the tail, whatever good blocks a loss of power left behind it.
 * With payload it checks every payload's CRC.  Returns 1 when there is damage, 0, or an I/O error. */
int kdpi_raw_scan(int fd, const char *path, bool payload, uint64_t *endp, uint64_t *last_indexp,
                  int64_t *newest_nsp);
/* kdpi_raw_find gives the offset of the first good block header at or after from, the file's size when there
 * is none. */
int kdpi_raw_find(int fd, const char *path, uint64_t from, uint64_t *foundp);

/* kdpi_raw_numbers lists the numbers of dir's raw files, ascending, in memory the caller frees.  A missing
 * folder is an empty list. */
int kdpi_raw_numbers(const char *dir, uint64_t **numbersp, size_t *countp);
void kdpi_raw_path(char path[KDP_RAW_PATH], const char *dir, uint64_t number);

#endif
