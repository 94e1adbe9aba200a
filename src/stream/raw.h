/* raw.h - the raw tape: DIR/raw/00000001.raw and on, the log of the plant's inputs in zstd-compressed blocks.
 *
 * A file is a 4,096-byte header and blocks; a block is a 64-byte header (magic, compressed and plain bytes, first input
 * index, count, min and max receive time, two CRC-32C) and one zstd frame holding whole inputs back to back, each padded to a
 * multiple of 8.  A file begins anywhere, needs no other to be read, and its torn tail is cut like a tape's. */
#ifndef KDPI_RAW_H
#define KDPI_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"

struct kdp_raw_writer;
struct kdp_raw_config {
    const char *dir; /* data directory; DIR/raw is made */
    uint64_t session;
    uint64_t segment_bytes; /* compressed; default 256 MiB */
    int level;              /* zstd level, negative ones are faster; 0: the default, -1 */
};
/* kdp_raw_writer_open goes on after the last file of dir: its torn tail is cut (*cutp: bytes), it becomes read-only, and a new
 * file begins with the first append, whose first input has first_index. */
int kdp_raw_writer_open(struct kdp_raw_writer **writerp, const struct kdp_raw_config *config,
                        uint64_t first_index, uint64_t *cutp);
/* kdp_raw_append compresses whole inputs (as they lie in the ring) and writes them at once, as blocks of at most 256 KiB of
 * inputs: after it returns only a loss of power loses them.  Give it much at a time.  -KDP_EFULL: nothing of this call is on
 * the tape and it may be repeated. */
int kdp_raw_append(struct kdp_raw_writer *writer, const void *inputs, size_t bytes);
int kdp_raw_sync(struct kdp_raw_writer *writer); /* fdatasync, when there is anything to sync */
uint64_t kdp_raw_written(
    const struct kdp_raw_writer *writer); /* index of the last input appended, first_index - 1: none */
int kdp_raw_writer_close(struct kdp_raw_writer *writer);

/* A reader over one file or over a directory's whole raw tape in order.  next gives an input (head and payload lie together,
 * valid until the next call): 1, 0 at the end, or an error that names file and byte; asked again after -KDP_ECHECKSUM,
 * -KDP_EFORMAT or -KDP_ETRUNCATED it goes on with the next good block.  A torn tail is an error in a file read alone or
 * followed by others, and the end in the last file of a directory, where the next start cuts it. */
struct kdp_raw_reader;
int kdp_raw_reader_open(struct kdp_raw_reader **readerp, const char *path); /* file, DIR or DIR/raw */
int kdp_raw_next(struct kdp_raw_reader *reader, const struct kdp_input_head **headp);
/* kdp_raw_reader_from, before the first next, leaves out inputs below an index as far as whole files and blocks hold nothing else:
 * of those no content is read.  Inputs below it may still be given. */
void kdp_raw_reader_from(struct kdp_raw_reader *reader, uint64_t index);
void kdp_raw_reader_close(struct kdp_raw_reader *reader);
/* kdp_raw_counts says whether the input that next gave belongs to what the stream was made of: false when a later START of
 * the directory says that it was never applied.  *seq_endp is then the first sequence number its run never gave out, UINT64_MAX
 * when nothing is known: records from there on were not part of the stream (see struct kdp_input_start). */
bool kdp_raw_counts(const struct kdp_raw_reader *reader, uint64_t *seq_endp);
/* kdp_raw_last_start gives the index of the newest START of dir's raw tape that is not above applied, 0: none. */
int kdp_raw_last_start(const char *dir, uint64_t applied, uint64_t *indexp);
/* kdp_raw_where gives file and byte of the block that holds the input. */
const char *kdp_raw_where(const struct kdp_raw_reader *reader, uint64_t *offsetp);
/* kdp_raw_last_index gives the index of the last whole input of dir's raw tape, 0: none. */
int kdp_raw_last_index(const char *dir, uint64_t *indexp);
/* kdp_raw_is says whether the first bytes of a file are a raw tape's. */
int kdp_raw_is(const void *bytes, size_t len);

#endif
