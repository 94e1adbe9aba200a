/* lake_file.c - the lake's files and manifests: each there whole or not at all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
lake_make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return kdpi_fail_errno(errno, "cannot make the folder %s", path);
    return 0;
}

int
lake_sql(const struct kdp_lake *lake, const char *text)
{
    duckdb_result result;
    int rc = 0;

    if (lake->duck->query(lake->connection, text, &result) != DuckDBSuccess) {
        const char *words = lake->duck->result_error(&result);
        bool full =
            words != NULL && (strstr(words, "No space left") != NULL || strstr(words, "Disk quota") != NULL);

        rc = kdpi_fail(full ? KDP_EFULL : KDP_EIO, "cannot write the lake: %s: %s", lake->config.dir,
                       words != NULL ? words : "DuckDB gave no reason");
    }
    lake->duck->destroy_result(&result);
    return rc;
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

int
lake_write_file(struct kdp_lake *lake, const struct kdp_lake_table *table, int32_t day, const char *name,
                const char *select, struct kdp_manifest_file *file)
{
    char folder[PATH_ROOM], beside[PATH_ROOM + 160], path[PATH_ROOM + 160], literal[2 * PATH_ROOM], date[16],
        *text;
    struct stat st;
    int rc;

    kdpi_day_format(date, day);
    snprintf(folder, sizeof folder, "%s/%s", lake->config.dir, table->name);
    rc = lake_make_folder(folder);
    if (rc != 0)
        return rc;
    snprintf(folder, sizeof folder, "%s/%s/date=%s", lake->config.dir, table->name, date);
    rc = lake_make_folder(folder);
    if (rc != 0)
        return rc;
    snprintf(beside, sizeof beside, "%s/.tmp-%s", folder, name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(file->path, sizeof file->path, "date=%s/%s", date, name);
    file->day = day;
    lake_quoted(literal, sizeof literal, beside);
    text = malloc(strlen(select) + sizeof literal + 512);
    if (text == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    sprintf(text,
            "COPY (%s) TO %s (FORMAT parquet, COMPRESSION %s, PARQUET_VERSION v2, ROW_GROUP_SIZE 61440, "
            "WRITE_BLOOM_FILTER false, "
            "KV_METADATA {kdp_table: '%s', kdp_schema_version: '%u'})",
            select, literal, lake->config.compression, table->name, KDP_LAKE_SCHEMA_VERSION);
    lake_step(lake);
    rc = lake_sql(lake, text);
    free(text);
    lake_step(lake);
    if (rc == 0)
        rc = kdpi_file_sync(beside);
    if (rc == 0 && stat(beside, &st) != 0)
        rc = kdpi_fail_errno(errno, "cannot read %s", beside);
    if (rc == 0 && rename(beside, path) != 0)
        rc = kdpi_fail_errno(errno, "cannot rename %s", beside);
    if (rc == 0)
        rc = kdpi_file_sync(folder);
    lake_step(lake);
    if (rc != 0) {
        (void)unlink(beside);
        return rc;
    }
    file->bytes = (uint64_t)st.st_size;
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
