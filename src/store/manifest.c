/* manifest.c - see manifest.h. */
#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"

#define MANIFEST_MAX (256u << 20) /* bytes; a year of days with all their parts is far below */

void
kdp_manifest_release(struct kdp_manifest *manifest)
{
    free(manifest->files);
    memset(manifest, 0, sizeof *manifest);
}

int
kdp_manifest_add(struct kdp_manifest *manifest, const struct kdp_manifest_file *file)
{
    struct kdp_manifest_file *files =
        kdpi_grow(manifest->files, &manifest->room, sizeof *files, manifest->count + 1);

    if (files == NULL)
        return -KDP_ENOMEM;
    manifest->files = files;
    manifest->files[manifest->count++] = *file;
    return 0;
}

const struct kdp_manifest_file *
kdp_manifest_find(const struct kdp_manifest *manifest, const char *path)
{
    for (size_t i = 0; i < manifest->count; i++)
        if (strcmp(manifest->files[i].path, path) == 0)
            return &manifest->files[i];
    return NULL;
}

bool
kdp_manifest_remove(struct kdp_manifest *manifest, const char *path)
{
    const struct kdp_manifest_file *file = kdp_manifest_find(manifest, path);
    size_t at;

    if (file == NULL)
        return false;
    at = (size_t)(file - manifest->files);
    memmove(&manifest->files[at], &manifest->files[at + 1],
            (manifest->count - at - 1) * sizeof *manifest->files);
    manifest->count--;
    return true;
}

/* path_is_ours accepts date=YYYY-MM-DD/NAME.parquet with a NAME of letters, digits and '-' only: it ends up
 * in SQL. */
static bool
path_is_ours(const char *path, int32_t *dayp)
{
    const char *name = path + strlen("date=2026-11-22/");
    size_t len = strlen(path), stem;
    int64_t ns;

    if (len < strlen("date=2026-11-22/a.parquet") || strncmp(path, "date=", 5) != 0 || path[15] != '/' ||
        kdpi_time_parse(path + 5, 10, &ns) != 0)
        return false;
    stem = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    *dayp = kdpi_day_of(ns);
    return stem > 0 && strcmp(name + stem, ".parquet") == 0;
}

static int
read_whole(const char *path, char **textp, size_t *lenp)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;
    char *text = NULL;
    size_t len = 0;

    *textp = NULL;
    *lenp = 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : kdpi_fail_errno(errno, "cannot open %s", path);
    if (fstat(fd, &st) != 0)
        rc = kdpi_fail_errno(errno, "cannot read %s", path);
    else if (st.st_size > (off_t)MANIFEST_MAX)
        rc = kdpi_fail(KDP_EFORMAT, "not a manifest: %s: over %u bytes", path, MANIFEST_MAX);
    else if ((text = malloc((size_t)st.st_size + 1)) == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    while (rc == 0 && len < (size_t)st.st_size) {
        ssize_t got = read(fd, text + len, (size_t)st.st_size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = kdpi_fail_errno(errno, "cannot read %s", path);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    close(fd);
    if (rc != 0) {
        free(text);
        return rc;
    }
    *textp = text;
    *lenp = len;
    return 0;
}

static uint64_t
take_count(struct kdp_json *json)
{
    int64_t value = 0;
    size_t at = kdpi_json_offset(json);

    if (kdpi_json_int64(json, &value) && value < 0)
        kdpi_json_refuse(json, KDP_REFUSAL_RANGE, at, "a count below zero");
    return (uint64_t)value;
}

static void
take_file(struct kdp_json *json, struct kdp_manifest *manifest, int *rcp)
{
    struct kdp_manifest_file file = {.ns_min = KDP_TIME_NULL, .ns_max = KDP_TIME_NULL};
    struct kdp_text key, text;
    size_t at = kdpi_json_offset(json);

    if (!kdpi_json_object(json))
        return;
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "path")) {
            if (kdpi_json_string(json, &text) && text.len < sizeof file.path &&
                memchr(text.data, 0, text.len) == NULL)
                memcpy(file.path, text.data, text.len);
        } else if (kdpi_text_is(key, "from")) {
            file.from = take_count(json);
        } else if (kdpi_text_is(key, "to")) {
            file.to = take_count(json);
        } else if (kdpi_text_is(key, "rows")) {
            file.rows = take_count(json);
        } else if (kdpi_text_is(key, "bytes")) {
            file.bytes = take_count(json);
        } else if (kdpi_text_is(key, "first")) {
            kdpi_json_int64(json, &file.ns_min);
        } else if (kdpi_text_is(key, "last")) {
            kdpi_json_int64(json, &file.ns_max);
        }
    }
    if (json->refusal != KDP_REFUSAL_NONE)
        return;
    if (!path_is_ours(file.path, &file.day)) {
        kdpi_json_refuse(json, KDP_REFUSAL_ENUM, at, "a file without a path of the lake's form");
        return;
    }
    if (*rcp == 0)
        *rcp = kdp_manifest_add(manifest, &file);
}

int
kdp_manifest_read(struct kdp_manifest *manifest, const char *dir, const char *table)
{
    struct kdp_json_keys *keys;
    struct kdp_json json;
    struct kdp_text key;
    char path[PATH_MAX], scratch[1024], *text;
    int64_t format = 0;
    size_t len;
    int rc;

    memset(manifest, 0, sizeof *manifest);
    if ((size_t)snprintf(path, sizeof path, "%s/%s/manifest.json", dir, table) >= sizeof path)
        return kdpi_fail(KDP_ERANGE, "path too long: %s", dir);
    rc = read_whole(path, &text, &len);
    if (rc != 0 || text == NULL)
        return rc;
    keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        free(text);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    kdpi_json_init(&json, keys, scratch, sizeof scratch);
    kdpi_json_begin(&json, text, len);
    kdpi_json_object(&json);
    while (kdpi_json_member(&json, &key)) {
        if (kdpi_text_is(key, "format"))
            kdpi_json_int64(&json, &format);
        else if (kdpi_text_is(key, "schema_version"))
            manifest->schema_version = (unsigned)take_count(&json);
        else if (kdpi_text_is(key, "sealed_seq"))
            manifest->sealed_seq = take_count(&json);
        else if (kdpi_text_is(key, "files") && kdpi_json_array(&json))
            while (kdpi_json_element(&json))
                take_file(&json, manifest, &rc);
    }
    if (!kdpi_json_end(&json)) {
        rc = kdpi_fail(KDP_EFORMAT, "damaged manifest: %s: byte %zu: %s", path, json.position,
                       json.why != NULL ? json.why : kdpi_refusal_text(json.refusal));
        kdpi_hint(
            "Put back a copy, or move the folder %s/%s aside: it is sealed anew as far as the tape reaches",
            dir, table);
    } else if (rc == 0 && format != KDP_MANIFEST_FORMAT) {
        rc = kdpi_fail(KDP_EVERSION, "manifest format %" PRId64 ": %s: this kdp reads %d", format, path,
                       KDP_MANIFEST_FORMAT);
        kdpi_hint("Use a later kdp. Nothing was changed");
    }
    free(keys);
    free(text);
    return rc;
}

int
kdp_manifest_lock(const char *dir, const char *table)
{
    char path[PATH_MAX];
    int fd;

    if ((size_t)snprintf(path, sizeof path, "%s/%s/manifest.lock", dir, table) >= sizeof path)
        return kdpi_fail(KDP_ERANGE, "path too long: %s", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot open %s", path);
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            int rc = kdpi_fail_errno(errno, "cannot lock %s", path);
            close(fd);
            return rc;
        }
    }
    return fd;
}

void
kdp_manifest_unlock(int fd)
{
    close(fd);
}

int
kdp_manifest_write(const struct kdp_manifest *manifest, const char *dir, const char *table)
{
    char path[PATH_MAX], *text = NULL;
    size_t len = 0;
    FILE *out;
    int rc;

    if ((size_t)snprintf(path, sizeof path, "%s/%s/manifest.json", dir, table) >= sizeof path)
        return kdpi_fail(KDP_ERANGE, "path too long: %s", dir);
    out = open_memstream(&text, &len);
    if (out == NULL)
        return kdpi_fail_errno(errno, "cannot write %s", path);
    fprintf(out,
            "{\"format\": %d, \"table\": \"%s\", \"schema_version\": %u, \"sealed_seq\": %" PRIu64
            ", \"files\": [",
            KDP_MANIFEST_FORMAT, table, manifest->schema_version, manifest->sealed_seq);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct kdp_manifest_file *file = &manifest->files[i];

        fprintf(out,
                "%s\n  {\"path\": \"%s\", \"from\": %" PRIu64 ", \"to\": %" PRIu64 ", \"rows\": %" PRIu64
                ", \"bytes\": %" PRIu64 ", \"first\": %" PRId64 ", \"last\": %" PRId64 "}",
                i > 0 ? "," : "", file->path, file->from, file->to, file->rows, file->bytes, file->ns_min,
                file->ns_max);
    }
    fprintf(out, "%s]}\n", manifest->count > 0 ? "\n" : "");
    if (fclose(out) != 0)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: %s", path);
    else
        rc = kdpi_file_replace(path, text, len);
    free(text);
    return rc;
}
