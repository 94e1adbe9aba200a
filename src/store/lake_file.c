/* lake_file.c - the lake's files and manifests: each there whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "file.h"
#include "lake_private.h"

void
lake_step(const struct kdp_lake *lake)
{
    if (lake->config.step != NULL)
        lake->config.step(lake->config.step_arg);
}

int
lake_lock(int *fdp, const char *dir, const char *name, const char *doing)
{
    char path[PATH_ROOM], pid[32] = "";
    ssize_t len;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    *fdp = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fdp < 0)
        return kdpi_fail_errno(errno, "cannot open %s", path);
    if (flock(*fdp, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return kdpi_fail_errno(errno, "cannot lock %s", path);
        len = read(*fdp, pid, sizeof pid - 1);
        pid[len > 0 ? len : 0] = '\0';
        pid[strspn(pid, "0123456789")] = '\0';
        return kdpi_fail(KDP_EBUSY, "the lake of %s is %s by another process: pid %s", dir, doing,
                         pid[0] != '\0' ? pid : "unknown");
    }
    len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(*fdp, 0) != 0 || pwrite(*fdp, pid, (size_t)len, 0) != len)
        return kdpi_fail_errno(errno, "cannot write %s", path);
    return 0;
}

int
lake_make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return kdpi_fail_errno(errno, "cannot make the folder %s", path);
    return 0;
}

bool
lake_is_history(const char *name)
{
    return strncmp(name, "hist-", 5) == 0 || strncmp(name, ".tmp-hist-", 10) == 0;
}

int
lake_writer_sql(const struct lake_writer *writer, const char *text)
{
    duckdb_result result;
    int rc = 0;

    if (writer->duck->query(writer->connection, text, &result) != DuckDBSuccess) {
        const char *words = writer->duck->result_error(&result);
        bool full =
            words != NULL && (strstr(words, "No space left") != NULL || strstr(words, "Disk quota") != NULL);

        rc = kdpi_fail(full ? KDP_EFULL : KDP_EIO, "cannot write the lake: %s: %s", writer->dir,
                       words != NULL ? words : "DuckDB gave no reason");
    }
    writer->duck->destroy_result(&result);
    return rc;
}

static struct lake_writer
writer_of(const struct kdp_lake *lake)
{
    return (struct lake_writer){.duck = lake->duck,
                                .connection = lake->connection,
                                .dir = lake->config.dir,
                                .compression = lake->config.compression,
                                .schema_version = KDP_LAKE_SCHEMA_VERSION,
                                .step = lake->config.step,
                                .step_arg = lake->config.step_arg};
}

int
lake_sql(const struct kdp_lake *lake, const char *text)
{
    struct lake_writer writer = writer_of(lake);

    return lake_writer_sql(&writer, text);
}

void
lake_quoted(char *out, size_t size, const char *path)
{
    size_t used = 0;

    out[used++] = '\'';
    for (; *path != '\0' && used + 4 < size; path++) {
        if (*path == '\'')
            out[used++] = '\'';
        out[used++] = *path;
    }
    out[used++] = '\'';
    out[used] = '\0';
}

static void
writer_step(const struct lake_writer *writer)
{
    if (writer->step != NULL)
        writer->step(writer->step_arg);
}

/* copy writes the file beside its place.  A sealer that starts removes folders it finds empty, so that the one just made
 * may be gone again: then once more. */
static int
copy(const struct lake_writer *writer, const char *folder, const char *beside, const char *text)
{
    int rc = 0;

    for (int attempt = 0; attempt < 5; attempt++) {
        rc = lake_make_folder(folder);
        if (rc != 0)
            return rc;
        writer_step(writer);
        rc = lake_writer_sql(writer, text);
        if (rc == 0 || access(folder, F_OK) == 0)
            break;
    }
    writer_step(writer);
    return rc == 0 ? kdpi_file_sync(beside) : rc;
}

int
lake_writer_file(const struct lake_writer *writer, const char *table, const char *folder, const char *name,
                 const char *select, struct kdp_manifest_file *file)
{
    char within[PATH_ROOM], beside[PATH_ROOM + 160], path[PATH_ROOM + 160], literal[2 * PATH_ROOM], *text;
    struct stat st;
    int rc;

    snprintf(within, sizeof within, "%s/%s", writer->dir, table);
    rc = lake_make_folder(within);
    if (rc != 0)
        return rc;
    snprintf(within, sizeof within, "%s/%s/%s", writer->dir, table, folder);
    snprintf(beside, sizeof beside, "%s/.tmp-%s", within, name);
    snprintf(path, sizeof path, "%s/%s", within, name);
    snprintf(file->path, sizeof file->path, "%s/%s", folder, name);
    lake_quoted(literal, sizeof literal, beside);
    text = malloc(strlen(select) + sizeof literal + 512);
    if (text == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    sprintf(text,
            "COPY (%s) TO %s (FORMAT parquet, COMPRESSION %s, PARQUET_VERSION v2, ROW_GROUP_SIZE 61440, "
            "WRITE_BLOOM_FILTER false, "
            "KV_METADATA {kdp_table: '%s', kdp_schema_version: '%u'})",
            select, literal, writer->compression, table, writer->schema_version);
    rc = copy(writer, within, beside, text);
    free(text);
    if (rc == 0 && stat(beside, &st) != 0)
        rc = kdpi_fail_errno(errno, "cannot read %s", beside);
    if (rc == 0 && rename(beside, path) != 0)
        rc = kdpi_fail_errno(errno, "cannot rename %s", beside);
    if (rc == 0)
        rc = kdpi_file_sync(within);
    writer_step(writer);
    if (rc != 0) {
        (void)unlink(beside);
        return rc;
    }
    file->bytes = (uint64_t)st.st_size;
    return 0;
}

int
lake_write_file(struct kdp_lake *lake, const struct kdp_lake_table *table, int32_t day, const char *name,
                const char *select, struct kdp_manifest_file *file)
{
    struct lake_writer writer = writer_of(lake);
    char folder[32], date[16];
    int rc;

    kdpi_day_format(date, day);
    snprintf(folder, sizeof folder, "date=%s", date);
    rc = lake_writer_file(&writer, table->name, folder, name, select, file);
    if (rc != 0)
        return rc;
    file->day = day;
    lake->totals.files++;
    lake->totals.bytes += file->bytes;
    return 0;
}

int
lake_update(struct kdp_lake *lake, unsigned index, const struct kdp_manifest_file *added, size_t added_count,
            const struct kdp_manifest_file *gone, size_t gone_count, uint64_t sealed)
{
    const struct kdp_lake_table *table = &kdp_lake_tables(NULL)[index];
    struct kdp_manifest manifest = {0};
    char path[PATH_ROOM + 160];
    int fd, rc;

    snprintf(path, sizeof path, "%s/%s", lake->config.dir, table->name);
    rc = lake_make_folder(path);
    if (rc != 0)
        return rc;
    fd = kdp_manifest_lock(lake->config.dir, table->name);
    if (fd < 0)
        return fd;
    rc = kdp_manifest_read(&manifest, lake->config.dir, table->name);
    for (size_t i = 0; i < gone_count && rc == 0; i++)
        kdp_manifest_remove(&manifest, gone[i].path);
    for (size_t i = 0; i < added_count && rc == 0; i++)
        rc = kdp_manifest_add(&manifest, &added[i]);
    if (rc == 0) {
        manifest.schema_version = KDP_LAKE_SCHEMA_VERSION;
        if (sealed > manifest.sealed_seq)
            manifest.sealed_seq = sealed;
        lake_step(lake);
        rc = kdp_manifest_write(&manifest, lake->config.dir, table->name);
        lake_step(lake);
    }
    if (rc == 0)
        lake->sealed[index] = manifest.sealed_seq;
    kdp_manifest_unlock(fd);
    kdp_manifest_release(&manifest);
    for (size_t i = 0; i < gone_count && rc == 0; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", lake->config.dir, table->name, gone[i].path);
        (void)unlink(path); /* if that fails, the next start does it */
        lake_step(lake);
    }
    return rc;
}
