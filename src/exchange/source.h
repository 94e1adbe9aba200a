/* source.h - the bytes of a file or of standard input, decompressed on the way when they begin like gzip or
 * zstd.
 *
 * What a file is decides its content, never its name.  Members or frames one after another count as one text,
 * as gzip -c and zstd -c make them.  A damaged or cut file gives every byte that can be had and then the
 * error. */
#ifndef KDPI_SOURCE_H
#define KDPI_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct kdp_source;

/* kdp_source_open opens path, "-" for standard input.  The caller closes it. */
int kdp_source_open(struct kdp_source **sourcep, const char *path);
/* kdp_source_open_read takes its bytes from read (as kdp_source_read gives them) in the place of a file; size 0: unknown. */
int kdp_source_open_read(struct kdp_source **sourcep, const char *name,
                         int64_t (*read)(void *arg, void *buf, size_t size), void *arg, uint64_t size);
/* kdp_source_read puts up to size (> 0) bytes into buf: how many, 0 at the end, or an error that names the
 * file and says how much was read.  After an error or the end it goes on giving the same. */
int64_t kdp_source_read(struct kdp_source *source, void *buf, size_t size);
void kdp_source_close(struct kdp_source *source);

/* kdp_source_head gives the first bytes as they lie in the file (at most 64), for a look at its magic. */
const void *kdp_source_head(const struct kdp_source *source, size_t *lenp);
const char *
kdp_source_name(const struct kdp_source *source); /* for messages: the path, or "standard input" */
/* Bytes of the file taken so far and its size (0 when unknown), for a progress bar. */
uint64_t kdp_source_taken(const struct kdp_source *source);
uint64_t kdp_source_size(const struct kdp_source *source);

#endif
