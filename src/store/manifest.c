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
#include "words.h"

#define MANIFEST_MAX (256u << 20) /* bytes; a year of days with all their parts is far below */

void
kdp_manifest_release(struct kdp_manifest *manifest)
{
    free(manifest->files);
    for (size_t i = 0; i < manifest->window_count; i++)
        free(manifest->windows[i].scope);
    free(manifest->windows);
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

/* path_is_ours accepts date=YYYY-MM-DD/NAME.parquet and all/NAME.parquet with a NAME of letters, digits and '-' only: it
 * ends up in SQL. */
static bool
path_is_ours(const char *path, int32_t *dayp)
{
    size_t len = strlen(path), stem;
    const char *name;
    int64_t ns;

    if (strncmp(path, "all/", 4) == 0) {
        name = path + 4;
        *dayp = KDP_MANIFEST_DAY_ALL;
    } else {
        if (len < strlen("date=2026-11-22/a.parquet") || strncmp(path, "date=", 5) != 0 || path[15] != '/' ||
            kdpi_time_parse(path + 5, 10, &ns) != 0)
            return false;
        name = path + strlen("date=2026-11-22/");
        *dayp = kdpi_day_of(ns);
    }
    stem = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return stem > 0 && strcmp(name + stem, ".parquet") == 0;
}

/* ---- windows ---- */
static int
compare_windows(const void *a, const void *b)
{
    const struct kdp_manifest_window *x = a, *y = b;
    int order = strcmp(x->scope, y->scope);

    return order != 0 ? order : (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* settle puts the windows in order and makes one of those of a scope that touch. */
static void
settle(struct kdp_manifest *manifest)
{
    struct kdp_manifest_window *windows = manifest->windows;
    size_t ordered = 1, kept = 0;

    while (ordered < manifest->window_count && compare_windows(&windows[ordered - 1], &windows[ordered]) <= 0)
        ordered++;
    if (ordered < manifest->window_count) /* never, of a manifest just read */
        qsort(windows, manifest->window_count, sizeof *windows, compare_windows);
    for (size_t i = 0; i < manifest->window_count; i++) {
        struct kdp_manifest_window *last = kept > 0 ? &windows[kept - 1] : NULL;

        if (last != NULL && windows[i].start_ns <= last->end_ns &&
            strcmp(last->scope, windows[i].scope) == 0) {
            if (windows[i].end_ns > last->end_ns)
                last->end_ns = windows[i].end_ns;
            free(windows[i].scope);
        } else {
            windows[kept++] = windows[i];
        }
    }
    manifest->window_count = kept;
}

int
kdp_manifest_windows(struct kdp_manifest *manifest, const struct kdp_manifest_window *windows, size_t count)
{
    struct kdp_manifest_window *all =
        kdpi_grow(manifest->windows, &manifest->window_room, sizeof *all, manifest->window_count + count);
    int rc = 0;

    if (all == NULL)
        return -KDP_ENOMEM;
    manifest->windows = all;
    for (size_t i = 0; i < count && rc == 0; i++) {
        size_t len = windows[i].scope != NULL ? strlen(windows[i].scope) : 0;

        if (len == 0 || len > KDP_MANIFEST_SCOPE_MAX || !kdpi_utf8_whole(windows[i].scope, len) ||
            windows[i].start_ns >= windows[i].end_ns) {
            rc = kdpi_fail(KDP_EINVAL, "not a window: %.*s: it needs a scope of 1 to %d bytes and a range",
                           (int)(len < 60 ? len : 60), len > 0 ? windows[i].scope : "",
                           KDP_MANIFEST_SCOPE_MAX);
            break;
        }
        all[manifest->window_count] = windows[i];
        all[manifest->window_count].scope = strdup(windows[i].scope);
        if (all[manifest->window_count].scope == NULL)
            rc = kdpi_fail(KDP_ENOMEM, "out of memory");
        else
            manifest->window_count++;
    }
    settle(manifest);
    return rc;
}

const struct kdp_manifest_window *
kdp_manifest_scope(const struct kdp_manifest *manifest, const char *scope, size_t *countp)
{
    size_t low = 0, high = manifest->window_count, end;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (strcmp(manifest->windows[mid].scope, scope) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < manifest->window_count && strcmp(manifest->windows[end].scope, scope) == 0; end++)
        ;
    *countp = end - low;
    return manifest->windows + low;
}

int
kdp_manifest_forget(struct kdp_manifest *manifest, const char *scope, int64_t start_ns, int64_t end_ns)
{
    struct kdp_manifest_window rest = {0};
    size_t count, first = (size_t)(kdp_manifest_scope(manifest, scope, &count) - manifest->windows),
                  kept = first;
    bool found = false;

    for (size_t i = first; i < manifest->window_count; i++) {
        struct kdp_manifest_window *window = &manifest->windows[i];

        if (i < first + count && window->start_ns < end_ns && window->end_ns > start_ns) {
            found = true;
            if (window->end_ns > end_ns) { /* one at most: they are apart */
                rest = *window;
                rest.start_ns = end_ns;
                rest.scope = (char *)(uintptr_t)scope;
            }
            if (window->start_ns >= start_ns) {
                free(window->scope);
                continue;
            }
            window->end_ns = start_ns;
        }
        manifest->windows[kept++] = *window;
    }
    manifest->window_count = kept;
    if (rest.scope != NULL) {
        int rc = kdp_manifest_windows(manifest, &rest, 1);

        if (rc != 0)
            return rc;
    }
    return found ? 1 : 0;
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

static void
take_window(struct kdp_json *json, struct kdp_manifest *manifest, int *rcp)
{
    struct kdp_text key, scope = {"", 0};
    size_t at = kdpi_json_offset(json);
    int64_t start_ns = 0, end_ns = 0;
    struct kdp_manifest_window *windows;

    if (!kdpi_json_object(json))
        return;
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "scope"))
            kdpi_json_string(json, &scope);
        else if (kdpi_text_is(key, "start"))
            kdpi_json_int64(json, &start_ns);
        else if (kdpi_text_is(key, "end"))
            kdpi_json_int64(json, &end_ns);
    }
    if (json->refusal != KDP_REFUSAL_NONE || *rcp != 0)
        return;
    if (scope.len == 0 || scope.len > KDP_MANIFEST_SCOPE_MAX || memchr(scope.data, 0, scope.len) != NULL ||
        start_ns >= end_ns) {
        kdpi_json_refuse(json, KDP_REFUSAL_RANGE, at, "a window without a scope or a range");
        return;
    }
    windows =
        kdpi_grow(manifest->windows, &manifest->window_room, sizeof *windows, manifest->window_count + 1);
    if (windows == NULL) {
        *rcp = -KDP_ENOMEM;
        return;
    }
    manifest->windows = windows;
    windows += manifest->window_count;
    windows->start_ns = start_ns;
    windows->end_ns = end_ns;
    windows->scope = strndup(scope.data, scope.len);
    if (windows->scope == NULL)
        *rcp = kdpi_fail(KDP_ENOMEM, "out of memory");
    else
        manifest->window_count++;
}

int
kdp_manifest_read(struct kdp_manifest *manifest, const char *dir, const char *table)
{
    struct kdp_json_keys *keys;
    struct kdp_json json;
    struct kdp_text key;
    char path[PATH_MAX], *scratch, *text;
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
    scratch = malloc(len + 1); /* texts with escapes, all of them */
    if (keys == NULL || scratch == NULL) {
        free(keys);
        free(scratch);
        free(text);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    kdpi_json_init(&json, keys, scratch, len + 1);
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
        else if (kdpi_text_is(key, "windows") && kdpi_json_array(&json))
            while (kdpi_json_element(&json))
                take_window(&json, manifest, &rc);
    }
    if (!kdpi_json_end(&json)) {
        rc = kdpi_fail(KDP_EFORMAT, "damaged manifest: %s: byte %zu: %s", path, json.position,
                       json.why != NULL ? json.why : kdpi_refusal_text(json.refusal));
        kdpi_hint(
            "Put back a copy, or move the folder %s/%s aside: it is sealed anew as far as the tape reaches",
            dir, table);
    } else if (rc == 0 && (format < 1 || format > KDP_MANIFEST_FORMAT)) {
        rc = kdpi_fail(KDP_EVERSION, "manifest format %" PRId64 ": %s: this kdp reads up to %d", format, path,
                       KDP_MANIFEST_FORMAT);
        kdpi_hint("Use a later kdp. Nothing was changed");
    }
    if (rc == 0)
        settle(manifest);
    free(keys);
    free(scratch);
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

/* format_of gives the lowest format that says all of it. */
static int
format_of(const struct kdp_manifest *manifest)
{
    if (manifest->window_count > 0)
        return KDP_MANIFEST_FORMAT;
    for (size_t i = 0; i < manifest->count; i++)
        if (kdp_manifest_is_history(&manifest->files[i]))
            return KDP_MANIFEST_FORMAT;
    return 1;
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
            format_of(manifest), table, manifest->schema_version, manifest->sealed_seq);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct kdp_manifest_file *file = &manifest->files[i];

        fprintf(out,
                "%s\n  {\"path\": \"%s\", \"from\": %" PRIu64 ", \"to\": %" PRIu64 ", \"rows\": %" PRIu64
                ", \"bytes\": %" PRIu64 ", \"first\": %" PRId64 ", \"last\": %" PRId64 "}",
                i > 0 ? "," : "", file->path, file->from, file->to, file->rows, file->bytes, file->ns_min,
                file->ns_max);
    }
    fprintf(out, "%s]", manifest->count > 0 ? "\n" : "");
    for (size_t i = 0; i < manifest->window_count; i++) {
        fputs(i > 0 ? ",\n  {\"scope\": " : ", \"windows\": [\n  {\"scope\": ", out);
        kdpi_json_text(out, manifest->windows[i].scope, strlen(manifest->windows[i].scope));
        fprintf(out, ", \"start\": %" PRId64 ", \"end\": %" PRId64 "}", manifest->windows[i].start_ns,
                manifest->windows[i].end_ns);
    }
    fprintf(out, "%s}\n", manifest->window_count > 0 ? "\n]" : "");
    if (fclose(out) != 0)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: %s", path);
    else
        rc = kdpi_file_replace(path, text, len);
    free(text);
    return rc;
}
