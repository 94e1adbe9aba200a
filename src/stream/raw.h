/* raw.h - the raw tape: DIR/raw/00000001.raw and on, the log of the plant's inputs in zstd-compressed blocks.
 *
 * A file is a 4,096-byte header and blocks; a block is a 64-byte header (magic, compressed and plain bytes, first input
 * index, count, min and max receive time, CRC-32C) and one zstd frame holding whole inputs back to back, each padded to a
 * multiple of 8.  A file begins anywhere, needs no other to be read, and its torn tail is cut like a tape's. */
#ifndef KDPI_RAW_H
#define KDPI_RAW_H

#include <stddef.h>
#include <stdint.h>

#include "input.h"

struct kdp_raw_writer;
struct kdp_raw_config {
    const char *dir; /* data directory; DIR/raw is made */
    uint64_t session;
    uint64_t segment_bytes; /* compressed; default 256 MiB */
    int level;              /* zstd level, negative ones are faster; default -1 */
};
int kdp_raw_writer_open(struct kdp_raw_writer **writerp, const struct kdp_raw_config *config, uint64_t first_index, uint64_t *cutp);
int kdp_raw_append(struct kdp_raw_writer *writer, const void *inputs, size_t bytes);
int kdp_raw_sync(struct kdp_raw_writer *writer); /* compresses what is pending, writes, fdatasync */
int kdp_raw_writer_close(struct kdp_raw_writer *writer);

/* A reader over one file or over a directory's whole raw tape in order.  next gives an input (head and payload lie together,
 * valid until the next call): 1, 0 at the end, or an error that names file and byte. */
struct kdp_raw_reader;
int kdp_raw_reader_open(struct kdp_raw_reader **readerp, const char *path); /* file, DIR or DIR/raw */
int kdp_raw_next(struct kdp_raw_reader *reader, const struct kdp_input_head **headp);
void kdp_raw_reader_close(struct kdp_raw_reader *reader);
/* kdp_raw_last_index gives the index of the last whole input of dir's raw tape, 0: none. */
int kdp_raw_last_index(const char *dir, uint64_t *indexp);
/* kdp_raw_is says whether the first bytes of a file are a raw tape's. */
int kdp_raw_is(const void *bytes, size_t len);

#endif
