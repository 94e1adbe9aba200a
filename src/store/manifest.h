/* manifest.h - DIR/<table>/manifest.json: which files a table of the lake consists of, up to where it is sealed,
 * and which ranges of the exchange's past are whole in it (history.h).
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

/* 2: files of history and windows.  A kdp that knows only 1 would merge the files into the sealer's and drop the windows
 * with its next replacement, so it must not write there; a manifest without either is written as 1, as it always was. */
#define KDP_MANIFEST_FORMAT 2
#define KDP_MANIFEST_PATH 96       /* bytes of a file's path with its NUL */
#define KDP_MANIFEST_SCOPE_MAX 200 /* bytes of a window's scope */
#define KDP_MANIFEST_DAY_ALL INT32_MIN

struct kdp_manifest_file {
    char path
        [KDP_MANIFEST_PATH]; /* below the table's folder: "date=2026-11-22/part-1-4711.parquet", "all/hist-1-1.parquet" */
    int32_t day;             /* KDP_MANIFEST_DAY_ALL for the folder "all" */
    uint64_t from, to; /* lowest and highest seq in it; both 0: rows of history, which have none */
    uint64_t rows, bytes;
    int64_t ns_min, ns_max; /* of timestamp */
};

struct kdp_manifest_window { /* all there is of a scope in [start, end) is in the files */
    char *scope;             /* a market's ticker, or "*" */
    int64_t start_ns, end_ns;
};

struct kdp_manifest {
    uint64_t sealed_seq; /* every record of this table up to here is in the files */
    unsigned schema_version;
    size_t count, room;
    struct kdp_manifest_file *files;
    size_t window_count, window_room;
    struct kdp_manifest_window *windows; /* in order of scope and start, apart from one another */
};

static inline bool
kdp_manifest_is_history(const struct kdp_manifest_file *file)
{
    return file->to == 0;
}

/* kdp_manifest_read fills *manifest (a table without one is empty) or returns an error that names file and
 * byte.  The caller releases it in either case. */
int kdp_manifest_read(struct kdp_manifest *manifest, const char *dir, const char *table);
void kdp_manifest_release(struct kdp_manifest *manifest);
int kdp_manifest_add(struct kdp_manifest *manifest, const struct kdp_manifest_file *file);
/* kdp_manifest_remove takes a file out by its path; true when it was there. */
bool kdp_manifest_remove(struct kdp_manifest *manifest, const char *path);
const struct kdp_manifest_file *kdp_manifest_find(const struct kdp_manifest *manifest, const char *path);

/* kdp_manifest_windows adds windows, at once since each costs a pass: those of a scope that touch or overlap become one.
 * -KDP_EINVAL for an empty range, or a scope that is no UTF-8 or not 1 to KDP_MANIFEST_SCOPE_MAX bytes long. */
int kdp_manifest_windows(struct kdp_manifest *manifest, const struct kdp_manifest_window *windows,
                         size_t count);
/* kdp_manifest_forget takes [start, end) out of the windows of a scope; 1 when something of it was there, 0, or an error. */
int kdp_manifest_forget(struct kdp_manifest *manifest, const char *scope, int64_t start_ns, int64_t end_ns);
/* kdp_manifest_scope gives the windows of one scope. */
const struct kdp_manifest_window *kdp_manifest_scope(const struct kdp_manifest *manifest, const char *scope,
                                                     size_t *countp);

/* kdp_manifest_lock waits for the table's lock and gives its descriptor (to be closed by unlock), or a
 * negative error. */
int kdp_manifest_lock(const char *dir, const char *table);
void kdp_manifest_unlock(int fd);
/* kdp_manifest_write replaces the manifest, durably. */
int kdp_manifest_write(const struct kdp_manifest *manifest, const char *dir, const char *table);

#endif
