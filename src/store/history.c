/* history.c - see history.h. */
#include "history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "history_private.h"
#include "memory.h"
#include "words.h"

#define MEMORY_BYTES (UINT64_C(512) << 20)
#define MEMORY_LEAST (UINT64_C(32) << 20)
#define ENGINE_LEAST (UINT64_C(64) << 20)
#define FILE_BYTES (UINT64_C(64) << 20)
#define ROW_BYTES_GUESS 36u /* of a trade in a file, until one is written */

void
history_step(const struct kdp_history *history)
{
    if (history->config.step != NULL)
        history->config.step(history->config.step_arg);
}

/* ---- names ---- */
void
history_name(struct kdp_history *history, char *name, size_t size)
{
    snprintf(name, size, "hist-%" PRIu64 "-%u.parquet", history->run, ++history->serial);
}

uint64_t
history_name_run(const char *path)
{
    const char *name = strrchr(path, '/');

    name = name != NULL ? name + 1 : path;
    return strncmp(name, "hist-", 5) == 0 ? strtoull(name + 5, NULL, 10) : 0;
}

static const char *
table_name(unsigned slot) /* 0: trades, then the others */
{
    return slot == 0 ? "trades" : kdp_history_tables(NULL)[slot - 1].name;
}

/* table_slot gives -1 for a table that has no history. */
static int
table_slot(const char *table)
{
    int found;

    if (strcmp(table, "trades") == 0)
        return 0;
    found = kdp_history_table_find(table);
    return found < 0 ? -1 : found + 1;
}

static int
no_table(const char *table)
{
    return kdpi_fail(KDP_EINVAL, "no table of history: %s", table);
}

/* ---- opening ---- */
/* sweep removes files of a killed history writer that no manifest names; a sealer's are its own business. */
static int
sweep(struct kdp_history *history, const char *table)
{
    char path[PATH_ROOM], named[KDP_MANIFEST_PATH + NAME_MAX];
    struct kdp_manifest manifest;
    struct dirent *day, *file;
    DIR *days, *files;
    int rc = kdp_manifest_read(&manifest, history->config.dir, table);
    bool lost;

    for (size_t i = 0; i < manifest.count && rc == 0; i++) {
        uint64_t run = history_name_run(manifest.files[i].path);

        history->run = run > history->run ? run : history->run;
    }
    snprintf(path, sizeof path, "%s/%s/manifest.json", history->config.dir, table);
    lost = access(path, F_OK) != 0;
    snprintf(path, sizeof path, "%s/%s", history->config.dir, table);
    days = rc == 0 ? opendir(path) : NULL;
    while (days != NULL && rc == 0 && (day = readdir(days)) != NULL) {
        if (strncmp(day->d_name, "date=", 5) != 0 && strcmp(day->d_name, "all") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", history->config.dir, table, day->d_name);
        files = opendir(path);
        while (files != NULL && rc == 0 && (file = readdir(files)) != NULL) {
            snprintf(named, sizeof named, "%.90s/%s", day->d_name, file->d_name);
            if (!lake_is_history(file->d_name) || kdp_manifest_find(&manifest, named) != NULL)
                continue;
            if (lost && file->d_name[0] != '.') {
                rc = kdpi_fail(KDP_EFORMAT, "the manifest is gone: %s/%s/manifest.json: it named %s",
                               history->config.dir, table, named);
                kdpi_hint("Put back a copy, or move the folder %s/%s aside: history is then fetched anew",
                          history->config.dir, table);
            } else {
                (void)unlinkat(dirfd(files), file->d_name, 0);
            }
        }
        if (files != NULL)
            closedir(files);
    }
    if (days != NULL)
        closedir(days);
    kdp_manifest_release(&manifest);
    return rc;
}

/* sweep_temp removes what a killed engine spilled. */
static void
sweep_temp(const char *dir)
{
    char path[PATH_ROOM];
    struct dirent *file;
    DIR *files;

    snprintf(path, sizeof path, "%s/.tmp-history", dir);
    files = opendir(path);
    if (files == NULL)
        return;
    while ((file = readdir(files)) != NULL)
        if (file->d_name[0] != '.')
            (void)unlinkat(dirfd(files), file->d_name, 0);
    closedir(files);
    (void)rmdir(path);
}

static int
open_duckdb(struct kdp_history *history, uint64_t bytes)
{
    const struct kdp_duckdb *duck = history->writer.duck;
    char temp[PATH_ROOM], memory[32], *error = NULL;
    duckdb_config config;
    int rc = 0;

    snprintf(temp, sizeof temp, "%s/.tmp-history", history->config.dir);
    snprintf(memory, sizeof memory, "%" PRIu64 "B", bytes);
    /* one thread: the order of rows must be that of the scan, and the other core fetches and decodes */
    const char *const settings[][2] = {
        {"threads", "1"},
        {"memory_limit", memory},
        {"temp_directory", temp},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
    };
    if (duck->create_config(&config) != DuckDBSuccess)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        duck->set_config(config, settings[i][0], settings[i][1]);
    if (duck->open_ext(NULL, &history->database, config, &error) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_ENOLIB, "cannot start DuckDB: %s", error != NULL ? error : "no reason given");
        duck->free(error);
    } else if (duck->connect(history->database, &history->writer.connection) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_ENOMEM, "cannot connect to DuckDB");
    }
    duck->destroy_config(&config);
    return rc;
}

static int
open_all(struct kdp_history *history)
{
    uint64_t bytes = history->config.memory_bytes, engine;
    unsigned count;
    int rc = lake_make_folder(history->config.dir);

    if (rc == 0)
        rc = lake_lock(&history->lock_fd, history->config.dir, "history.lock", "being filled with history");
    if (rc == -KDP_EBUSY)
        kdpi_hint("Wait until it has ended: one at a time files history");
    else if (rc != 0)
        kdpi_hint("Is the data folder right? It is named with --data (KDP_DATA)");
    kdp_history_tables(&count);
    for (unsigned slot = 0; slot <= count && rc == 0; slot++)
        rc = sweep(history, table_name(slot));
    history->run++;
    if (rc == 0)
        sweep_temp(history->config.dir);
    /* of the memory, a quarter (64 MiB at least) is the engine's, an eighth the other tables', the rest the trades' */
    engine = bytes / 4 > ENGINE_LEAST ? bytes / 4 : ENGINE_LEAST;
    history->rows_bytes_max = (size_t)(bytes / 8);
    if (rc == 0)
        rc = open_duckdb(history, engine);
    if (rc == 0)
        rc = history_trades_open(history, bytes / 2);
    if (rc == 0)
        rc = history_rows_open(history);
    return rc;
}

int
kdp_history_open(struct kdp_history **historyp, const struct kdp_history_config *config)
{
    struct kdp_history *history = calloc(1, sizeof *history);
    int rc;

    *historyp = NULL;
    if (history == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    history->config = *config;
    history->lock_fd = -1;
    if (history->config.compression == NULL)
        history->config.compression = "snappy";
    if (history->config.memory_bytes == 0)
        history->config.memory_bytes = MEMORY_BYTES;
    if (history->config.memory_bytes < MEMORY_LEAST)
        history->config.memory_bytes = MEMORY_LEAST;
    if (history->config.file_bytes == 0)
        history->config.file_bytes = FILE_BYTES;
    history->writer = (struct lake_writer){.dir = history->config.dir,
                                           .compression = history->config.compression,
                                           .schema_version = KDP_LAKE_SCHEMA_VERSION,
                                           .step = history->config.step,
                                           .step_arg = history->config.step_arg};
    rc = kdp_duckdb_load(&history->writer.duck);
    if (rc == 0)
        rc = open_all(history);
    if (rc != 0) {
        kdp_history_close(history);
        return rc;
    }
    *historyp = history;
    return 0;
}

static void
forget_pending(struct history_pending *pending)
{
    for (size_t i = 0; i < pending->count; i++)
        free(pending->windows[i].scope);
    pending->count = 0;
}

void
kdp_history_close(struct kdp_history *history)
{
    if (history == NULL)
        return;
    if (history->writer.connection != NULL)
        history->writer.duck->disconnect(&history->writer.connection);
    if (history->database != NULL)
        history->writer.duck->close(&history->database);
    history_trades_close(history);
    history_rows_close(history);
    for (unsigned i = 0; i < 1 + HISTORY_TABLES_MAX; i++) {
        kdp_manifest_release(&history->cache[i].manifest);
        forget_pending(&history->pending[i]);
        free(history->pending[i].windows);
    }
    if (history->lock_fd >= 0)
        close(history->lock_fd);
    free(history);
}

/* ---- windows ---- */
static void
forget_cache(struct history_cache *cache)
{
    kdp_manifest_release(&cache->manifest);
    cache->valid = false;
}

/* next_covered gives the first part of [from, to) that the windows cover. */
static bool
next_covered(const struct kdp_manifest_window *windows, size_t count, int64_t from_ns, int64_t to_ns,
             struct kdp_history_window *covered)
{
    for (size_t i = 0; i < count && windows[i].start_ns < to_ns; i++) {
        if (windows[i].end_ns <= from_ns)
            continue;
        covered->start_ns = windows[i].start_ns > from_ns ? windows[i].start_ns : from_ns;
        covered->end_ns = windows[i].end_ns;
        return true;
    }
    return false;
}

int
kdp_history_missing(struct kdp_history *history, const char *table, const char *scope, int64_t start_ns,
                    int64_t end_ns, struct kdp_history_window **windowsp, size_t *countp)
{
    const struct kdp_manifest_window *own, *all;
    size_t own_count, all_count, room = 0;
    int slot = table_slot(table), rc = 0;
    struct history_cache *cache;

    *windowsp = NULL;
    *countp = 0;
    if (slot < 0)
        return no_table(table);
    cache = &history->cache[slot];
    if (!cache->valid) {
        forget_cache(cache);
        rc = kdp_manifest_read(&cache->manifest, history->config.dir, table);
        cache->valid = rc == 0;
    }
    own = kdp_manifest_scope(&cache->manifest, scope, &own_count);
    all = kdp_manifest_scope(&cache->manifest, "*", &all_count);
    while (rc == 0 && start_ns < end_ns) {
        struct kdp_history_window a, b, *grown;
        bool has_a = next_covered(own, own_count, start_ns, end_ns, &a);
        bool has_b = next_covered(all, all_count, start_ns, end_ns, &b);
        int64_t covered_ns, next_ns;

        if (!has_a || (has_b && b.start_ns < a.start_ns))
            a = b;
        covered_ns = has_a || has_b ? a.start_ns : end_ns;
        next_ns = has_a || has_b ? a.end_ns : end_ns;
        if (covered_ns > start_ns) {
            grown = kdpi_grow(*windowsp, &room, sizeof *grown, *countp + 1);
            if (grown == NULL) {
                rc = -KDP_ENOMEM;
                break;
            }
            *windowsp = grown;
            grown[(*countp)++] = (struct kdp_history_window){start_ns, covered_ns};
        }
        start_ns = next_ns;
    }
    if (rc != 0) {
        free(*windowsp);
        *windowsp = NULL;
        *countp = 0;
    }
    return rc;
}

/* forget_said drops windows that wait for a flush and touch the range, whole: what is asked for twice costs less than a hole. */
static void
forget_said(struct history_pending *pending, const char *scope, int64_t start_ns, int64_t end_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < pending->count; i++) {
        struct kdp_manifest_window *window = &pending->windows[i];

        if (strcmp(window->scope, scope) == 0 && window->start_ns < end_ns && window->end_ns > start_ns)
            free(window->scope);
        else
            pending->windows[kept++] = *window;
    }
    pending->count = kept;
}

int
kdp_history_forget(struct kdp_history *history, const char *table, const char *scope, int64_t start_ns,
                   int64_t end_ns)
{
    struct kdp_manifest manifest;
    int slot = table_slot(table), fd, rc;

    if (slot < 0)
        return no_table(table);
    forget_cache(&history->cache[slot]);
    forget_said(&history->pending[slot], scope, start_ns, end_ns);
    rc = history_manifest_first(history, table);
    fd = rc == 0 ? kdp_manifest_lock(history->config.dir, table) : rc;
    if (fd < 0)
        return fd;
    rc = kdp_manifest_read(&manifest, history->config.dir, table);
    if (rc == 0)
        rc = kdp_manifest_forget(&manifest, scope, start_ns, end_ns);
    if (rc > 0) {
        history_step(history);
        rc = kdp_manifest_write(&manifest, history->config.dir, table);
        history_step(history);
    }
    kdp_manifest_unlock(fd);
    kdp_manifest_release(&manifest);
    return rc;
}

int
kdp_history_window(struct kdp_history *history, const char *table, const char *scope, int64_t start_ns,
                   int64_t end_ns)
{
    int slot = table_slot(table);
    struct kdp_manifest_window *windows;
    struct history_pending *pending;
    size_t len = strlen(scope);
    char *copy;

    if (slot < 0)
        return no_table(table);
    if (len == 0 || len > KDP_MANIFEST_SCOPE_MAX || !kdpi_utf8_whole(scope, len) || start_ns >= end_ns)
        return kdpi_fail(KDP_EINVAL, "not a window of history: it needs a scope of 1 to %d bytes and a range",
                         KDP_MANIFEST_SCOPE_MAX);
    pending = &history->pending[slot];
    windows = kdpi_grow(pending->windows, &pending->room, sizeof *windows, pending->count + 1);
    if (windows == NULL)
        return -KDP_ENOMEM;
    pending->windows = windows;
    copy = strdup(scope);
    if (copy == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    windows[pending->count++] = (struct kdp_manifest_window){copy, start_ns, end_ns};
    return 0;
}

/* clip shortens the windows of trades to what is not the plant's business. */
static void
clip(struct history_pending *pending, int64_t limit_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < pending->count; i++) {
        struct kdp_manifest_window *window = &pending->windows[i];

        if (window->end_ns > limit_ns)
            window->end_ns = limit_ns;
        if (window->start_ns < window->end_ns)
            pending->windows[kept++] = *window;
        else
            free(window->scope);
    }
    pending->count = kept;
}

/* ---- writing ---- */
void
history_unwrite(const struct kdp_history *history, const char *table, const struct kdp_manifest_file *files,
                size_t count)
{
    char path[PATH_ROOM + KDP_MANIFEST_PATH];

    for (size_t i = 0; i < count && files[i].path[0] != '\0'; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", history->config.dir, table, files[i].path);
        (void)unlink(path);
    }
}

int
history_manifest_first(struct kdp_history *history, const char *table)
{
    struct kdp_manifest manifest;
    char path[PATH_ROOM];
    int fd, rc;

    snprintf(path, sizeof path, "%s/%s/manifest.json", history->config.dir, table);
    if (access(path, F_OK) == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", history->config.dir, table);
    rc = lake_make_folder(path);
    if (rc != 0)
        return rc;
    fd = kdp_manifest_lock(history->config.dir, table);
    if (fd < 0)
        return fd;
    rc = kdp_manifest_read(&manifest, history->config.dir, table); /* a sealer may have been first */
    if (rc == 0 && manifest.schema_version == 0) {
        manifest.schema_version =
            strcmp(table, "trades") == 0 ? KDP_LAKE_SCHEMA_VERSION : HISTORY_SCHEMA_VERSION;
        history_step(history);
        rc = kdp_manifest_write(&manifest, history->config.dir, table);
        history_step(history);
    }
    kdp_manifest_unlock(fd);
    kdp_manifest_release(&manifest);
    return rc;
}

int
history_named(struct kdp_history *history, unsigned slot, unsigned schema_version,
              const struct kdp_manifest_file *files, size_t count)
{
    struct history_pending *pending = &history->pending[slot];
    const char *table = table_name(slot);
    struct kdp_manifest manifest;
    int fd = kdp_manifest_lock(history->config.dir, table), rc;

    if (fd < 0)
        return fd;
    rc = kdp_manifest_read(&manifest, history->config.dir, table);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = kdp_manifest_add(&manifest, &files[i]);
    if (rc == 0 && pending->count > 0)
        rc = kdp_manifest_windows(&manifest, pending->windows, pending->count);
    if (rc == 0 && (count > 0 || pending->count > 0)) {
        manifest.schema_version = schema_version;
        forget_cache(&history->cache[slot]);
        history_step(history);
        rc = kdp_manifest_write(&manifest, history->config.dir, table);
        history_step(history);
    }
    kdp_manifest_unlock(fd);
    kdp_manifest_release(&manifest);
    if (rc == 0) {
        forget_pending(pending);
        for (size_t i = 0; i < count; i++) {
            history->totals.files++;
            history->totals.bytes += files[i].bytes;
        }
    }
    return rc;
}

bool
kdp_history_full(const struct kdp_history *history)
{
    return history_trades_full(history) || history_rows_full(history);
}

uint64_t
history_row_bytes(const struct kdp_history *history)
{
    return history->rows_written > 0 ? history->bytes_written / history->rows_written + 1 : ROW_BYTES_GUESS;
}

int
kdp_history_flush(struct kdp_history *history)
{
    int64_t begun_ns = kdpi_mono_ns(), limit_ns;
    unsigned count;
    int rc = kdp_history_limit(history, &limit_ns);

    if (rc == 0 && limit_ns != KDP_TIME_NULL)
        clip(&history->pending[0], limit_ns);
    if (rc == 0)
        rc = history_trades_flush(history, limit_ns);
    kdp_history_tables(&count);
    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = history_rows_flush(history, i);
    history->totals.store_ns += kdpi_mono_ns() - begun_ns;
    return rc;
}

int
history_make_room(struct kdp_history *history)
{
    if (history->config.stopped != NULL && history->config.stopped() != 0)
        return kdpi_fail(KDP_ESTOPPED, "stopped");
    return kdp_history_flush(history);
}

void
kdp_history_seen(struct kdp_history *history, int64_t ns)
{
    history->seen_ns = ns;
}

void
kdp_history_totals(const struct kdp_history *history, struct kdp_history_totals *totals)
{
    *totals = history->totals;
}
