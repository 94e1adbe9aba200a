/* lake_private.h - what the files of the lake's writers share; nobody else includes it.
 *
 * lake.c decides what is sealed when, history.c what is filed of the past, lake_file.c writes files and manifests. */
#ifndef KDPI_LAKE_PRIVATE_H
#define KDPI_LAKE_PRIVATE_H

#include <limits.h>

#include "duckdb_api.h"
#include "kdp/reader.h"
#include "lake.h"
#include "lake_batch.h"
#include "manifest.h"

#define PATH_ROOM (PATH_MAX + 128)

struct kdp_lake {
    struct kdp_lake_config config;
    const struct kdp_duckdb *duck;
    duckdb_database database;
    duckdb_connection connection;
    struct kdp_lake_batch *batch;
    struct kdp_reader *reader; /* stands behind the last record of the batch */
    int lock_fd;
    uint64_t sealed[KDP_LAKE_TABLES_MAX];
    uint64_t floor; /* lowest of them */
    uint64_t pending_floor;
    int64_t pending_since_ns; /* monotonic; since when something waits above pending_floor */
    bool pending_closed;      /* and whether it belongs to a day that is over */
    int64_t days_checked_ns;
    struct kdp_lake_totals totals;
};

/* What a file is written with: by the sealer or by the history writer. */
struct lake_writer {
    const struct kdp_duckdb *duck;
    duckdb_connection connection;
    const char *dir, *compression;
    unsigned schema_version;
    void (*step)(void *arg);
    void *step_arg;
};
int lake_writer_sql(const struct lake_writer *writer, const char *text);
/* lake_writer_file runs a SELECT into DIR/table/folder/name: beside its place, synced, renamed, the folder synced. file
 * gets path and bytes. */
int lake_writer_file(const struct lake_writer *writer, const char *table, const char *folder,
                     const char *name, const char *select, struct kdp_manifest_file *file);
/* lake_is_history tells files of the history writer, finished or not, by their names. */
bool lake_is_history(const char *name);

/* lake_lock takes DIR/name for this process: *fdp to keep open, or -KDP_EBUSY with words that name the one that has it. */
int lake_lock(int *fdp, const char *dir, const char *name, const char *doing);

/* lake_step tells a test that a step is done, where a crash may be tried. */
void lake_step(const struct kdp_lake *lake);
int lake_make_folder(const char *path);
int lake_sql(const struct kdp_lake *lake, const char *text);
/* lake_quoted writes a path as an SQL string. */
void lake_quoted(char *out, size_t size, const char *path);
/* lake_write_file runs a SELECT into a new file of a day: beside its place, synced, renamed.  file gets path and
 * bytes. */
int lake_write_file(struct kdp_lake *lake, const struct kdp_lake_table *table, int32_t day, const char *name,
                    const char *select, struct kdp_manifest_file *file);
/* lake_update replaces a table's manifest: new files in, old ones out, sealed moved up.  Old files are removed
 * afterwards: a query that still has the old manifest reads the new one and starts over. */
int lake_update(struct kdp_lake *lake, unsigned index, const struct kdp_manifest_file *added,
                size_t added_count, const struct kdp_manifest_file *gone, size_t gone_count, uint64_t sealed);

#endif
