/* manifest.h - DIR/<table>/manifest.json: which files a table of the lake consists of and up to where it is
 * sealed.
 *
 * A file counts only when the manifest names it, and the manifest is replaced whole: written beside, synced,
 * renamed, its folder synced.  A reader therefore sees one state or the next, never a mixture, and takes no
 * lock.  Writers change it under a lock on DIR/<table>/manifest.lock held for the length of one replacement.
 */
#ifndef KDPI_MANIFEST_H
#define KDPI_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDP_MANIFEST_FORMAT 1
#define KDP_MANIFEST_PATH 96 /* bytes of a file's path with its NUL */

struct kdp_manifest_file {
    char path[KDP_MANIFEST_PATH]; /* below the table's folder: "date=2026-11-22/part-1-4711.parquet" */
    int32_t day;
    uint64_t from, to; /* lowest and highest seq in it */
    uint64_t rows, bytes;
    int64_t ns_min, ns_max; /* of timestamp */
};

struct kdp_manifest {
    uint64_t sealed_seq; /* every record of this table up to here is in the files */
    unsigned schema_version;
    size_t count, room;
    struct kdp_manifest_file *files;
};

/* kdp_manifest_read fills *manifest (a table without one is empty) or returns an error that names file and
 * byte.  The caller releases it in either case. */
int kdp_manifest_read(struct kdp_manifest *manifest, const char *dir, const char *table);
void kdp_manifest_release(struct kdp_manifest *manifest);
int kdp_manifest_add(struct kdp_manifest *manifest, const struct kdp_manifest_file *file);
/* kdp_manifest_remove takes a file out by its path; true when it was there. */
bool kdp_manifest_remove(struct kdp_manifest *manifest, const char *path);
const struct kdp_manifest_file *kdp_manifest_find(const struct kdp_manifest *manifest, const char *path);

/* kdp_manifest_lock waits for the table's lock and gives its descriptor (to be closed by unlock), or a
 * negative error. */
int kdp_manifest_lock(const char *dir, const char *table);
void kdp_manifest_unlock(int fd);
/* kdp_manifest_write replaces the manifest, durably. */
int kdp_manifest_write(const struct kdp_manifest *manifest, const char *dir, const char *table);

#endif
