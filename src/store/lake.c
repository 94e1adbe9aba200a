/* lake.c - see lake.h. */
#include "lake.h"

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
#include "duckdb_api.h"
#include "error.h"
#include "file.h"
#include "kdp/reader.h"
#include "lake_batch.h"
#include "lake_private.h"
#include "manifest.h"
#include "record.h"

#define BATCH_BYTES ((size_t)256 << 20)
#define PART_ROWS UINT64_C(1000000)
#define PART_SPAN_NS (300 * KDP_NS_PER_S)
#define CLOSE_DELAY_NS (900 * KDP_NS_PER_S) /* after midnight: late messages of the day have come by then */
/* Records of a day that is over by the wall clock (a recording being replayed) wait for more of them, so that
 * the day is sorted and written once instead of in parts first. */
#define CLOSED_PART_FACTOR 3u

static int64_t
now_ns(const struct kdp_lake *lake)
{
    return lake->config.now_ns != NULL ? lake->config.now_ns() : kdpi_now_ns();
}

/* day_is_over: at a drain with the day itself, else a while after midnight. */
static bool
day_is_over(const struct kdp_lake *lake, int32_t day, bool drain)
{
    int64_t now = now_ns(lake);

    return drain ? day < kdpi_day_of(now) : day < kdpi_day_of(now - CLOSE_DELAY_NS);
}

/* ---- opening ---- */
static int
take_lock(struct kdp_lake *lake)
{
    int rc = lake_lock(&lake->lock_fd, lake->config.dir, "lake.lock", "being sealed");

    if (rc == -KDP_EBUSY)
        kdpi_hint("kdp run seals by itself; queries need no sealer");
    return rc;
}

static bool
is_leftover(const char *name)
{
    size_t len = strlen(name);

    return strncmp(name, ".tmp-", 5) == 0 || (len > 8 && strcmp(name + len - 8, ".parquet") == 0);
}

/* sweep removes the files of one table that its manifest does not name: what a killed sealer left behind.  Those of a
 * history writer, which may be at work, are its own business. */
static int
sweep(struct kdp_lake *lake, const char *table, const struct kdp_manifest *manifest)
{
    char path[PATH_ROOM], named[KDP_MANIFEST_PATH + NAME_MAX];
    struct dirent *day, *file;
    DIR *days, *files;
    bool lost;

    /* a table's first manifest is older than its first file, so files without one are no leftovers: it was lost */
    snprintf(path, sizeof path, "%s/%s/manifest.json", lake->config.dir, table);
    lost = access(path, F_OK) != 0;

    snprintf(path, sizeof path, "%s/%s", lake->config.dir, table);
    days = opendir(path);
    if (days == NULL)
        return errno == ENOENT ? 0 : kdpi_fail_errno(errno, "cannot read %s", path);
    while ((day = readdir(days)) != NULL) {
        if (strncmp(day->d_name, "date=", 5) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", lake->config.dir, table, day->d_name);
        files = opendir(path);
        if (files == NULL)
            continue;
        while ((file = readdir(files)) != NULL) {
            snprintf(named, sizeof named, "%.90s/%s", day->d_name, file->d_name);
            if (!is_leftover(file->d_name) || kdp_manifest_find(manifest, named) != NULL)
                continue;
            if (lost && strncmp(file->d_name, ".tmp-", 5) != 0) {
                closedir(files);
                closedir(days);
                kdpi_fail(KDP_EFORMAT, "the manifest is gone: %s/%s/manifest.json: it named %s",
                          lake->config.dir, table, named);
                kdpi_hint(
                    "Put back a copy, or move the folder %s/%s aside: it is sealed anew as far as the tape "
                    "reaches",
                    lake->config.dir, table);
                return -KDP_EFORMAT;
            }
            if (lake_is_history(file->d_name))
                continue;
            if (unlinkat(dirfd(files), file->d_name, 0) == 0)
                lake->totals.removed++;
        }
        closedir(files);
        (void)rmdir(path); /* succeeds only when nothing is left in it */
    }
    closedir(days);
    return 0;
}

static int
open_duckdb(struct kdp_lake *lake)
{
    const struct kdp_duckdb *duck = lake->duck;
    duckdb_config config;
    char temp[PATH_ROOM], *error = NULL;
    int rc = 0;

    /* one thread: the sealer lives beside the plant, and the order of rows must be that of the scan */
    static const char *const settings[][2] = {
        {"threads", "1"},
        {"memory_limit", "512MB"},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
    };
    if (duck->create_config(&config) != DuckDBSuccess)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        duck->set_config(config, settings[i][0], settings[i][1]);
    snprintf(temp, sizeof temp, "%s/.tmp-lake", lake->config.dir);
    duck->set_config(config, "temp_directory", temp);
    if (duck->open_ext(NULL, &lake->database, config, &error) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_ENOLIB, "cannot start DuckDB: %s", error != NULL ? error : "no reason given");
        duck->free(error);
    } else if (duck->connect(lake->database, &lake->connection) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_ENOMEM, "cannot connect to DuckDB");
    }
    duck->destroy_config(&config);
    return rc != 0 ? rc : kdp_lake_batch_register(lake->batch, duck, lake->connection);
}

static void
set_floor(struct kdp_lake *lake)
{
    unsigned count;

    kdp_lake_tables(&count);
    lake->floor = lake->sealed[0];
    for (unsigned i = 1; i < count; i++)
        if (lake->sealed[i] < lake->floor)
            lake->floor = lake->sealed[i];
    lake->totals.sealed_seq = lake->floor;
}

int
kdp_lake_open(struct kdp_lake **lakep, const struct kdp_lake_config *config)
{
    struct kdp_lake *lake = calloc(1, sizeof *lake);
    const struct kdp_lake_table *tables;
    unsigned count;
    int rc;

    *lakep = NULL;
    if (lake == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    lake->config = *config;
    lake->lock_fd = -1;
    if (lake->config.compression == NULL)
        lake->config.compression = "snappy";
    if (lake->config.batch_bytes == 0)
        lake->config.batch_bytes = BATCH_BYTES;
    if (lake->config.part_rows == 0)
        lake->config.part_rows = PART_ROWS;
    if (lake->config.part_span_ns == 0)
        lake->config.part_span_ns = PART_SPAN_NS;
    tables = kdp_lake_tables(&count);
    rc = kdp_duckdb_load(&lake->duck);
    if (rc == 0)
        rc = take_lock(lake);
    for (unsigned i = 0; i < count && rc == 0; i++) {
        struct kdp_manifest manifest;

        rc = kdp_manifest_read(&manifest, config->dir, tables[i].name);
        lake->sealed[i] = manifest.sealed_seq;
        if (rc == 0 && manifest.count > 0 && manifest.schema_version > KDP_LAKE_SCHEMA_VERSION)
            rc = kdpi_fail(KDP_EVERSION, "lake schema %u: %s/%s: this kdp writes %u", manifest.schema_version,
                           config->dir, tables[i].name, KDP_LAKE_SCHEMA_VERSION);
        if (rc == 0)
            rc = sweep(lake, tables[i].name, &manifest);
        kdp_manifest_release(&manifest);
    }
    if (rc == 0)
        rc = kdp_lake_batch_open(&lake->batch, lake->config.batch_bytes);
    if (rc == 0)
        rc = open_duckdb(lake);
    set_floor(lake);
    if (rc == 0)
        rc = kdp_reader_open_seq(&lake->reader, config->dir, lake->floor + 1, KDP_READER_DURABLE);
    if (rc != 0) {
        kdp_lake_close(lake);
        return rc;
    }
    *lakep = lake;
    return 0;
}

void
kdp_lake_close(struct kdp_lake *lake)
{
    if (lake == NULL)
        return;
    kdp_reader_close(lake->reader);
    if (lake->connection != NULL)
        lake->duck->disconnect(&lake->connection);
    if (lake->database != NULL)
        lake->duck->close(&lake->database);
    kdp_lake_batch_close(lake->batch);
    if (lake->lock_fd >= 0)
        close(lake->lock_fd);
    free(lake);
}

/* ---- writing files ---- */
static bool
has_day(const struct kdp_manifest *manifest, int32_t day)
{
    for (size_t i = 0; i < manifest->count; i++)
        if (manifest->files[i].day == day && !kdp_manifest_is_history(&manifest->files[i]))
            return true;
    return false;
}

static const char *
reader_ticker(void *arg, uint32_t instrument)
{
    return kdp_reader_ticker(arg, instrument);
}

/* seal_table writes one table's rows of the batch, which ends with sequence number upto.  A day that is over
 * and has no file yet becomes its sorted file at once when nothing more of it can come: the stream is past
 * it, or drained. */
static int
seal_table(struct kdp_lake *lake, unsigned index, uint64_t upto, int64_t recv_max_ns, bool drain)
{
    const struct kdp_lake_table *table = &kdp_lake_tables(NULL)[index];
    const struct kdp_lake_day *days = NULL;
    struct kdp_manifest manifest = {0};
    struct kdp_manifest_file *files = NULL;
    size_t day_count = 0;
    int rc = 0;

    if (kdp_lake_batch_rows(lake->batch, index) > 0)
        rc = kdp_lake_batch_sort(lake->batch, index, kdp_reader_instrument_max(lake->reader), reader_ticker,
                                 lake->reader, &days, &day_count);
    if (rc == 0 && day_count > 0) {
        rc = kdp_manifest_read(&manifest, lake->config.dir, table->name);
        files = calloc(day_count, sizeof *files);
        if (files == NULL && rc == 0)
            rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    if (rc == 0 && day_count > 0 && manifest.schema_version == 0)
        rc = lake_update(lake, index, NULL, 0, NULL, 0, 0); /* the first: see sweep */
    for (size_t i = 0; i < day_count && rc == 0; i++) {
        const struct kdp_lake_day *day = &days[i];
        bool past = drain || recv_max_ns >= (day->day + 1) * KDP_NS_PER_DAY + CLOSE_DELAY_NS;
        bool whole = past && day_is_over(lake, day->day, drain) && !has_day(&manifest, day->day);
        char name[64], select[128];

        if (whole)
            snprintf(name, sizeof name, "day.parquet");
        else
            snprintf(name, sizeof name, "part-%" PRIu64 "-%" PRIu64 ".parquet", day->seq_min, day->seq_max);
        snprintf(select, sizeof select, "FROM kdp_batch(%u, %zu)", index, i);
        rc = lake_write_file(lake, table, day->day, name, select, &files[i]);
        files[i].from = day->seq_min;
        files[i].to = day->seq_max;
        files[i].rows = day->count;
        files[i].ns_min = day->ns_min;
        files[i].ns_max = day->ns_max;
        lake->totals.rows[index] += day->count;
        lake->totals.days_closed += whole ? 1 : 0;
    }
    if (rc == 0)
        rc = lake_update(lake, index, files, day_count, NULL, 0, upto);
    free(files);
    kdp_manifest_release(&manifest);
    return rc;
}

/* seal_batch writes what the batch holds; every table is sealed up to upto afterwards. */
static int
seal_batch(struct kdp_lake *lake, uint64_t upto, int64_t recv_max_ns, bool drain)
{
    unsigned count;
    int rc = 0;

    kdp_lake_tables(&count);
    for (unsigned i = 0; i < count && rc == 0; i++)
        if (lake->sealed[i] < upto)
            rc = seal_table(lake, i, upto, recv_max_ns, drain);
    kdp_lake_batch_clear(lake->batch);
    set_floor(lake);
    return rc;
}

/* note_hole puts numbers from *fromp (0: none) to last, which cannot be sealed any more, among the gaps, under the last of
 * them; before_ns and recv_ns are the times of the records before (as far as this round has seen any) and behind them. */
static int
note_hole(struct kdp_lake *lake, uint64_t *fromp, uint64_t last, int64_t before_ns, int64_t recv_ns,
          uint64_t *uptop)
{
    static const char words[] = "left the tape before it was sealed";
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    unsigned table = (unsigned)kdp_lake_table_of(KDP_TEMPLATE_GAP);
    struct kdp_builder b;
    struct kdp_gap *gap;
    size_t size;
    int rc = 0;

    if (*fromp == 0)
        return 0;
    gap = kdpi_build_start(&b, mem, KDP_TEMPLATE_GAP);
    gap->head.seq = last;
    gap->head.exch_ns = gap->healed_ns = KDP_TIME_NULL;
    gap->head.recv_ns = recv_ns != INT64_MIN ? recv_ns : now_ns(lake);
    gap->opened_ns = before_ns; /* null and INT64_MIN are the same number */
    gap->kind = KDP_GAP_KIND_RETENTION;
    gap->status = KDP_GAP_STATUS_LOST;
    gap->expected = *fromp;
    gap->seen = last + 1;
    kdpi_build_text(&b, (struct kdp_text){words, sizeof words - 1});
    size = kdpi_build_finish(&b);
    if (last > lake->sealed[table])
        rc = kdp_lake_batch_add(lake->batch, table, &gap->head, size);
    if (rc == -KDP_EFULL) {
        rc = seal_batch(lake, *uptop, recv_ns, false);
        if (rc == 0)
            rc = kdp_lake_batch_add(lake->batch, table, &gap->head, size);
    }
    *uptop = last;
    *fromp = 0;
    return rc;
}

/* seal_all reads the stream from the floor to its durable end and seals it, in batches where memory asks for
 * it. */
static int
seal_all(struct kdp_lake *lake, bool drain)
{
    int64_t recv_max_ns = INT64_MIN;
    uint64_t upto = lake->floor, hole_from = 0, hole_to = 0;
    const void *run;
    size_t bytes;
    int rc;

    kdp_lake_batch_clear(lake->batch);
    rc = kdp_reader_seek(lake->reader, lake->floor + 1);
    while (rc == 0) {
        uint64_t next = kdp_reader_seq(lake->reader);
        const uint8_t *at;

        rc = kdp_reader_run(lake->reader, &run, &bytes);
        if (rc == -KDP_ERANGE) {
            if (lake->config.hole != NULL)
                lake->config.hole(lake->config.hole_arg);
            hole_from = hole_from != 0 ? hole_from : next;
            hole_to = kdp_reader_seq(lake->reader) - 1;
            rc = 0;
            continue;
        }
        if (rc <= 0)
            break;
        rc =
            note_hole(lake, &hole_from, hole_to, recv_max_ns, ((const struct kdp_head *)run)->recv_ns, &upto);
        for (at = run; bytes > 0 && rc == 0;) {
            const struct kdp_head *rec = (const void *)at;
            size_t size = kdpi_record_size_trusted(rec);
            int table = kdp_lake_table_of(rec->template_id);

            if (rec->seq > lake->floor && table >= 0 && rec->seq > lake->sealed[table]) {
                rc = kdp_lake_batch_add(lake->batch, (unsigned)table, rec, size);
                if (rc == -KDP_EFULL) {
                    rc = seal_batch(lake, upto, recv_max_ns, false);
                    continue; /* the same record again, into the emptied batch */
                }
            }
            if (rec->recv_ns > recv_max_ns)
                recv_max_ns = rec->recv_ns;
            if (rec->seq > upto)
                upto = rec->seq;
            at += size;
            bytes -= size;
        }
    }
    if (rc == 0)
        rc = note_hole(lake, &hole_from, hole_to, recv_max_ns, recv_max_ns, &upto);
    if (rc == 0 && upto > lake->floor)
        rc = seal_batch(lake, upto, recv_max_ns, drain);
    return rc;
}

/* ---- closing days ---- */
/* close_day makes one sorted file of a day's parts.  A single part is that already and only gets the name. */
static int
close_day(struct kdp_lake *lake, unsigned index, const struct kdp_manifest *manifest, int32_t day)
{
    const struct kdp_lake_table *table = &kdp_lake_tables(NULL)[index];
    struct kdp_manifest_file *parts = calloc(manifest->count, sizeof *parts), file = {.from = UINT64_MAX};
    char literal[2 * PATH_ROOM], path[PATH_ROOM + 160], *select, date[16];
    size_t count = 0, used;
    int rc = 0;

    select = malloc((manifest->count + 1) * sizeof literal + 256);
    if (parts == NULL || select == NULL) {
        free(parts);
        free(select);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    used = (size_t)sprintf(select, "SELECT * FROM read_parquet([");
    for (size_t i = 0; i < manifest->count; i++) {
        const struct kdp_manifest_file *part = &manifest->files[i];

        if (part->day != day || kdp_manifest_is_history(part))
            continue; /* files of history stay as they are: what they hold is in order, and has no seq */
        snprintf(path, sizeof path, "%s/%s/%s", lake->config.dir, table->name, part->path);
        lake_quoted(literal, sizeof literal, path);
        used += (size_t)sprintf(select + used, "%s%s", count > 0 ? "," : "", literal);
        parts[count++] = *part;
        file.rows += part->rows;
        file.from = part->from < file.from ? part->from : file.from;
        file.to = part->to > file.to ? part->to : file.to;
        file.ns_min = count == 1 || part->ns_min < file.ns_min ? part->ns_min : file.ns_min;
        file.ns_max = count == 1 || part->ns_max > file.ns_max ? part->ns_max : file.ns_max;
    }
    sprintf(select + used, "], hive_partitioning = false) ORDER BY ticker, \"timestamp\", seq");
    if (count == 1) {
        kdpi_day_format(date, day);
        file = parts[0];
        snprintf(file.path, sizeof file.path, "date=%s/day.parquet", date);
        snprintf(path, sizeof path, "%s/%s/%s", lake->config.dir, table->name, parts[0].path);
        snprintf(literal, sizeof literal, "%s/%s/%s", lake->config.dir, table->name, file.path);
        (void)unlink(literal); /* no manifest names it */
        lake_step(lake);
        if (link(path, literal) != 0)
            rc = kdpi_fail_errno(errno, "cannot link %s", literal);
        if (rc == 0) {
            snprintf(path, sizeof path, "%s/%s/date=%s", lake->config.dir, table->name, date);
            rc = kdpi_file_sync(path);
        }
    } else {
        rc = lake_write_file(lake, table, day, "day.parquet", select, &file);
    }
    if (rc == 0)
        rc = lake_update(lake, index, &file, 1, parts, count, 0);
    if (rc == 0)
        lake->totals.days_closed++;
    free(parts);
    free(select);
    return rc;
}

/* close_table closes the days of one table that are over and have no sorted file yet: how many, or an error.
 */
static int
close_table(struct kdp_lake *lake, unsigned index, bool drain, bool only_look)
{
    const struct kdp_lake_table *table = &kdp_lake_tables(NULL)[index];
    struct kdp_manifest manifest;
    int done = 0, rc = kdp_manifest_read(&manifest, lake->config.dir, table->name);

    for (size_t i = 0; i < manifest.count && rc == 0; i++) {
        int32_t day = manifest.files[i].day;
        bool first = true, sorted = false;

        if (kdp_manifest_is_history(&manifest.files[i]))
            continue;
        for (size_t other = 0; other < manifest.count; other++) {
            if (manifest.files[other].day != day || kdp_manifest_is_history(&manifest.files[other]))
                continue;
            if (other < i)
                first = false;
            if (strcmp(strchr(manifest.files[other].path, '/'), "/day.parquet") == 0)
                sorted = true;
        }
        if (!first || sorted || !day_is_over(lake, day, drain))
            continue;
        done++;
        if (!only_look)
            rc = close_day(lake, index, &manifest, day);
    }
    kdp_manifest_release(&manifest);
    return rc != 0 ? rc : done;
}

static int
close_days(struct kdp_lake *lake, bool drain, bool only_look)
{
    unsigned count;
    int done = 0;

    kdp_lake_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        int rc = close_table(lake, i, drain, only_look);

        if (rc < 0)
            return rc;
        done += rc;
    }
    return done;
}

/* ---- the duty cycle ---- */
/* part_is_due looks at what waits above the floor without reading it all. */
static int
part_is_due(struct kdp_lake *lake)
{
    uint64_t head = kdp_reader_head(lake->reader), waiting;
    int64_t mono = kdpi_mono_ns(), recv_ns;
    const struct kdp_head *rec;
    uint64_t rows = lake->config.part_rows;
    int rc;

    if (head <= lake->floor) {
        lake->pending_since_ns = 0;
        return 0;
    }
    if (lake->pending_since_ns == 0 || lake->pending_floor != lake->floor) {
        rc = kdp_reader_seek(lake->reader, lake->floor + 1);
        if (rc == 0)
            do
                rc = kdp_reader_next(lake->reader, &rec);
            while (rc == -KDP_ERANGE); /* seal_all tells of it */
        if (rc <= 0)
            return rc; /* published, not durable yet */
        recv_ns = rec->recv_ns;
        /* back: a reader in the middle of a block would not look for what comes behind it */
        rc = kdp_reader_seek(lake->reader, lake->floor + 1);
        if (rc != 0)
            return rc;
        lake->pending_floor = lake->floor;
        lake->pending_since_ns = mono;
        lake->pending_closed = kdpi_day_of(recv_ns) < kdpi_day_of(now_ns(lake));
    }
    if (lake->pending_closed)
        rows *= CLOSED_PART_FACTOR;
    waiting = head - lake->floor;
    return waiting >= rows || mono - lake->pending_since_ns >= lake->config.part_span_ns;
}

int
kdp_lake_work(struct kdp_lake *lake)
{
    int64_t mono = kdpi_mono_ns();
    int due = part_is_due(lake), rc;

    if (due < 0)
        return due;
    if (due > 0) {
        rc = seal_all(lake, false);
        if (rc != 0)
            return rc;
    }
    /* once a minute: is a day over?  Everything received up to now is sealed first, so that the sorted file
     * is whole. */
    if (lake->days_checked_ns == 0 || mono - lake->days_checked_ns >= 60 * KDP_NS_PER_S) {
        lake->days_checked_ns = mono;
        rc = close_days(lake, false, true);
        if (rc > 0) {
            rc = seal_all(lake, false);
            if (rc == 0)
                rc = close_days(lake, false, false);
            due = 1;
        }
        if (rc < 0)
            return rc;
    }
    return due;
}

int
kdp_lake_drain(struct kdp_lake *lake)
{
    int rc = seal_all(lake, true);

    if (rc == 0)
        rc = close_days(lake, true, false);
    return rc < 0 ? rc : 0;
}

void
kdp_lake_totals(const struct kdp_lake *lake, struct kdp_lake_totals *totals)
{
    *totals = lake->totals;
}

int
kdp_lake_sealed(const char *dir, uint64_t *seqp)
{
    const struct kdp_lake_table *tables;
    unsigned count;

    tables = kdp_lake_tables(&count);
    *seqp = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        struct kdp_manifest manifest;
        int rc = kdp_manifest_read(&manifest, dir, tables[i].name);

        if (manifest.sealed_seq < *seqp)
            *seqp = manifest.sealed_seq;
        kdp_manifest_release(&manifest);
        if (rc != 0)
            return rc;
    }
    return 0;
}
