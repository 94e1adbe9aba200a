/* lake_scan.c - see lake_scan.h. */
#include "lake_scan.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "kdp/reader.h"
#include "lake_fill.h"

/* Sequence numbers a thread takes at a time: some twenty tape blocks, so that the two it shares with its
 * neighbours do not count, and small enough to keep two threads busy. */
#define SHARE (UINT64_C(1) << 18)
#define ROWS_MAX 2048u
#define ARENA (ROWS_MAX * 128u + KDP_RECORD_MAX)

struct extra { /* of the registered function */
    const struct kdp_duckdb *duck;
    char *dir;
};

struct bound { /* one call in a statement */
    const struct extra *extra;
    const struct kdp_lake_table *table;
    uint64_t from, to;
};

struct scan { /* one execution */
    const struct bound *bound;
    unsigned column_count;
    const struct kdp_lake_column *columns[KDP_LAKE_COLUMNS_MAX]; /* NULL: none of ours, as in count(*) */
    atomic_uint_fast64_t
        next; /* first sequence number not taken by a thread; relaxed: it guards nothing else */
};

struct local { /* one thread of one execution */
    const struct scan *scan;
    struct kdp_reader *reader;
    struct kdp_lake_fill fill;
    bool fill_ready;
    uint64_t at, end; /* the share: next sequence number wanted, last one */
    bool sought;
    const uint8_t *run; /* rest of the run that the reader gave */
    size_t run_bytes;
    size_t used; /* of arena */
    size_t count;
    struct kdp_lake_row rows[ROWS_MAX];
    uint8_t arena[ARENA] __attribute__((aligned(8)));
};

static void
free_extra(void *data)
{
    struct extra *extra = data;

    free(extra->dir);
    free(extra);
}

static void
free_local(void *data)
{
    struct local *local = data;

    if (local->fill_ready)
        kdp_lake_fill_release(&local->fill);
    kdp_reader_close(local->reader);
    free(local);
}

static void
bind(duckdb_bind_info info)
{
    /* the functions needed before the library's table is at hand come through the extra info */
    const struct kdp_duckdb *duck;
    const struct extra *extra;
    const struct kdp_lake_table *tables;
    struct bound *bound;
    int64_t argument[3];
    unsigned table_count;

    if (kdp_duckdb_load(&duck) != 0)
        return;
    extra = duck->bind_get_extra_info(info);
    for (unsigned i = 0; i < 3; i++) {
        duckdb_value value = duck->bind_get_parameter(info, i);

        argument[i] = duck->get_int64(value);
        duck->destroy_value(&value);
    }
    tables = kdp_lake_tables(&table_count);
    if (argument[0] < 0 || argument[0] >= (int64_t)table_count || argument[1] < 0 || argument[2] < 0) {
        duck->bind_set_error(info, "kdp_tape(table, from, to): no such table, or a negative sequence number");
        return;
    }
    bound = calloc(1, sizeof *bound);
    if (bound == NULL) {
        duck->bind_set_error(info, "out of memory");
        return;
    }
    bound->extra = extra;
    bound->table = &tables[argument[0]];
    bound->from = argument[1] > 0 ? (uint64_t)argument[1] : 1;
    bound->to = (uint64_t)argument[2];
    duck->bind_set_bind_data(info, bound, free);
    kdp_lake_bind(duck, bound->table, info);
    duck->bind_set_cardinality(info, bound->to >= bound->from ? bound->to - bound->from + 1 : 0, false);
}

static void
init(duckdb_init_info info)
{
    const struct kdp_duckdb *duck;
    const struct bound *bound;
    struct scan *scan = calloc(1, sizeof *scan);

    if (kdp_duckdb_load(&duck) != 0)
        return;
    if (scan == NULL) {
        duck->init_set_error(info, "out of memory");
        return;
    }
    bound = duck->init_get_bind_data(info);
    scan->bound = bound;
    scan->column_count = (unsigned)duck->init_get_column_count(info);
    for (unsigned i = 0; i < scan->column_count && i < KDP_LAKE_COLUMNS_MAX; i++) {
        idx_t index = duck->init_get_column_index(info, i);

        scan->columns[i] = index < bound->table->column_count ? &bound->table->columns[index] : NULL;
    }
    atomic_init(&scan->next, bound->from);
    duck->init_set_max_threads(info, bound->to > bound->from ? (bound->to - bound->from) / SHARE + 1 : 1);
    duck->init_set_init_data(info, scan, free);
}

static void
init_local(duckdb_init_info info)
{
    const struct kdp_duckdb *duck;
    struct local *local = calloc(1, sizeof *local);

    if (kdp_duckdb_load(&duck) != 0)
        return;
    if (local == NULL) {
        duck->init_set_error(info, "out of memory");
        return;
    }
    duck->init_set_init_data(info, local, free_local);
}

static const char *
reader_ticker(void *arg, uint32_t instrument)
{
    return kdp_reader_ticker(arg, instrument);
}

/* take_share gives the thread its next range of sequence numbers: 1, 0 when all are taken, or an error. */
static int
take_share(struct local *local, struct scan *scan)
{
    const struct bound *bound = scan->bound;
    uint64_t from = atomic_fetch_add_explicit(&scan->next, SHARE, memory_order_relaxed);
    int rc;

    if (from > bound->to)
        return 0;
    local->end = bound->to - from < SHARE ? bound->to : from + SHARE - 1;
    if (local->reader == NULL) {
        rc = kdp_reader_open_seq(&local->reader, bound->extra->dir, from, 0);
        if (rc != 0)
            return rc;
        kdp_reader_filter(local->reader, 1u << bound->table->desc->template_id, 0);
        rc = kdp_lake_fill_init(&local->fill, bound->extra->duck, kdp_reader_instrument_max(local->reader),
                                reader_ticker, local->reader);
        if (rc != 0)
            return rc;
        local->fill_ready = true;
    } else if (from != local->at) {
        rc = kdp_reader_seek(local->reader, from);
        if (rc != 0)
            return rc;
        local->run_bytes = 0;
    }
    local->at = from;
    local->sought = true;
    return 1;
}

/* gather copies the next rows of the thread's share to its arena: their number, 0 at the end of the share, or
 * an error. */
static int
gather(struct local *local, const struct kdp_lake_table *table)
{
    local->count = 0;
    local->used = 0;
    for (;;) {
        while (local->run_bytes > 0) {
            const struct kdp_head *rec = (const void *)local->run;
            size_t size = kdpi_record_size_trusted(rec);
            uint32_t rows;

            if (rec->seq > local->end) {
                local->at = local->end + 1;
                local->sought = false;
                return (int)local->count;
            }
            if (rec->template_id == table->desc->template_id && rec->seq >= local->at) {
                rows = kdp_lake_rows(table, rec);
                if (local->count + rows > ROWS_MAX || local->used + size > ARENA)
                    return (int)local->count;
                memcpy(local->arena + local->used, rec, size);
                for (uint32_t i = 0; i < rows; i++) {
                    local->rows[local->count].rec = (const void *)(local->arena + local->used);
                    local->rows[local->count++].item = i;
                }
                local->used += size;
            }
            if (rec->seq >= local->at)
                local->at = rec->seq + 1;
            local->run += size;
            local->run_bytes -= size;
        }
        if (local->at > local->end) {
            local->sought = false;
            return (int)local->count;
        }
        const void *run;
        int rc;

        do /* what cannot be had any more is kdp_sql_hole's to tell */
            rc = kdp_reader_run(local->reader, &run, &local->run_bytes);
        while (rc == -KDP_ERANGE);
        if (rc <= 0) {
            local->run_bytes = 0;
            local->sought = false;
            return rc < 0 ? rc : (int)local->count;
        }
        local->run = run;
    }
}

static void
scan_chunk(duckdb_function_info info, duckdb_data_chunk output)
{
    const struct kdp_duckdb *duck;
    struct local *local;
    struct scan *scan;
    int rc = kdp_duckdb_load(&duck);

    if (rc != 0)
        return;
    scan = duck->function_get_init_data(info);
    local = duck->function_get_local_init_data(info);
    do {
        if (!local->sought) {
            rc = take_share(local, scan);
            if (rc <= 0)
                break;
        }
        rc = gather(local, scan->bound->table);
    } while (rc == 0);
    for (unsigned i = 0; rc > 0 && i < scan->column_count; i++) {
        duckdb_vector vector = duck->data_chunk_get_vector(output, i);

        if (scan->columns[i] != NULL) {
            int filled =
                kdp_lake_fill_column(&local->fill, scan->columns[i], vector, local->rows, local->count);
            if (filled != 0)
                rc = filled;
        }
        /* else: count(*) asks for a column without content; nobody reads it, and its type is not ours to
         * guess */
    }
    if (rc < 0) {
        char words[1024];
        const char *hint = kdp_error_hint();

        snprintf(words, sizeof words, "%s%s%s", kdp_error_text(), hint[0] != '\0' ? "\n" : "", hint);
        duck->function_set_error(info, words);
        return;
    }
    duck->data_chunk_set_size(output, rc > 0 ? local->count : 0);
}

int
kdp_lake_scan_register(const struct kdp_duckdb *duck, duckdb_connection connection, const char *dir)
{
    duckdb_table_function function = duck->create_table_function();
    duckdb_logical_type bigint = duck->create_logical_type(DUCKDB_TYPE_BIGINT);
    struct extra *extra = calloc(1, sizeof *extra);
    duckdb_state state;

    if (extra == NULL || (extra->dir = strdup(dir)) == NULL) {
        free(extra);
        duck->destroy_logical_type(&bigint);
        duck->destroy_table_function(&function);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    extra->duck = duck;
    duck->table_function_set_name(function, "kdp_tape");
    for (unsigned i = 0; i < 3; i++)
        duck->table_function_add_parameter(function, bigint);
    duck->table_function_set_extra_info(function, extra, free_extra);
    duck->table_function_set_bind(function, bind);
    duck->table_function_set_init(function, init);
    duck->table_function_set_local_init(function, init_local);
    duck->table_function_set_function(function, scan_chunk);
    duck->table_function_supports_projection_pushdown(function, true);
    state = duck->register_table_function(connection, function);
    duck->destroy_logical_type(&bigint);
    duck->destroy_table_function(&function);
    if (state != DuckDBSuccess)
        return kdpi_fail(KDP_EUNSUPPORTED, "DuckDB refused the table function kdp_tape");
    return 0;
}
