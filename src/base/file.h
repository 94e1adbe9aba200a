/* file.h - files that are there whole or not at all.
 *
 * Every function returns 0 or a negative error with its words kept.  A full disk, a quota and a limit on file sizes are
 * all -KDP_EFULL: whoever can wait for space waits for each of them. */
#ifndef KDPI_FILE_H
#define KDPI_FILE_H

#include <stddef.h>
#include <stdint.h>

/* kdpi_file_write writes all of bytes at offset of an open file; path is for the words.  After an error part of it may
 * stand there. */
int kdpi_file_write(int fd, const void *bytes, size_t len, uint64_t offset, const char *path);
/* kdpi_file_sync makes a file, or the names in a folder, durable. */
int kdpi_file_sync(const char *path);
/* kdpi_file_replace puts text in the place of the file at path in one step: written beside as PATH.new, synced, renamed,
 * the folder synced.  Synced before it gets its name, since after a loss of power the name must not lead to a file that
 * is empty.  The old file stays when it fails. */
int kdpi_file_replace(const char *path, const void *text, size_t len);

#endif
