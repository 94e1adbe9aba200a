/* history_rows.c - the tables without records: rows of text cells, filed as versions.
 *
 * Cells are kept as text until a flush, cast by DuckDB to the columns' types, and held against the newest row of the same
 * key: a row that says the same is not written again, so that asking a second time costs nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "history_private.h"
#include "memory.h"
#include "words.h"

#define CHUNK 2048u
#define NO_CELL UINT32_MAX
#define CELLS_MAX 64u

struct history_rows {
    const struct kdp_history_table *table;
    unsigned number;
    unsigned cells;              /* of a row: columns that are not own */
    unsigned columns[CELLS_MAX]; /* which column each cell is */
    size_t count;                /* rows */
    char *text;
    size_t used, room;
    uint32_t *at; /* where each cell's text begins */
    size_t at_room;
    int64_t *seen_ns; /* of each row */
    size_t seen_room;
};

/* ---- giving rows ---- */
static size_t
bytes_of(const struct history_rows *rows)
{
    return rows->used + rows->count * (rows->cells * sizeof *rows->at + sizeof *rows->seen_ns);
}

static size_t
bytes_of_all(const struct kdp_history *history)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < HISTORY_TABLES_MAX; i++)
        bytes += history->rows[i] != NULL ? bytes_of(history->rows[i]) : 0;
    return bytes;
}

bool
history_rows_full(const struct kdp_history *history)
{
    return bytes_of_all(history) >= history->rows_bytes_max / 8 * 7;
}

static int
check_row(const struct history_rows *rows, const char *const *cells, unsigned count, size_t *lenp)
{
    const struct kdp_history_table *table = rows->table;

    *lenp = 0;
    if (count != rows->cells)
        return kdpi_fail(KDP_EINVAL, "a row of %s has %u cells, not %u", table->name, rows->cells, count);
    for (unsigned i = 0; i < count; i++) {
        const char *name = table->columns[rows->columns[i]].name;
        size_t len = cells[i] != NULL ? strlen(cells[i]) : 0;

        if (len > UINT32_MAX / 4 || !kdpi_utf8_whole(cells[i] != NULL ? cells[i] : "", len))
            return kdpi_fail(KDP_EINVAL, "not a text: %s.%s", table->name, name);
        if (cells[i] == NULL && !kdp_history_nullable(table, rows->columns[i]))
            return kdpi_fail(KDP_EINVAL, "a row without its key: %s.%s", table->name, name);
        *lenp += len + 1;
    }
    return 0;
}

int
kdp_history_row(struct kdp_history *history, unsigned table, const char *const *cells, unsigned count)
{
    struct history_rows *rows;
    int64_t *seen, now_ns;
    uint32_t *at;
    size_t bytes;
    char *text;
    int rc;

    if (table >= HISTORY_TABLES_MAX || history->rows[table] == NULL)
        return kdpi_fail(KDP_EINVAL, "no table of history: number %u", table);
    rows = history->rows[table];
    rc = check_row(rows, cells, count, &bytes);
    if (rc == 0 && rows->count > 0 &&
        (bytes_of_all(history) + bytes > history->rows_bytes_max || rows->used + bytes >= NO_CELL))
        rc = history_make_room(history);
    if (rc != 0)
        return rc;
    text = kdpi_grow(rows->text, &rows->room, 1, rows->used + bytes);
    if (text != NULL)
        rows->text = text;
    at = kdpi_grow(rows->at, &rows->at_room, sizeof *at, (rows->count + 1) * rows->cells);
    if (at != NULL)
        rows->at = at;
    seen = kdpi_grow(rows->seen_ns, &rows->seen_room, sizeof *seen, rows->count + 1);
    if (seen != NULL)
        rows->seen_ns = seen;
    if (text == NULL || at == NULL || seen == NULL)
        return -KDP_ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        size_t len = cells[i] != NULL ? strlen(cells[i]) + 1 : 0;

        at[rows->count * rows->cells + i] = cells[i] != NULL ? (uint32_t)rows->used : NO_CELL;
        if (len > 0)
            memcpy(text + rows->used, cells[i], len);
        rows->used += len;
    }
    now_ns = history->seen_ns != 0 ? history->seen_ns : kdpi_now_ns();
    seen[rows->count++] = now_ns;
    return 0;
}

/* ---- the table function kdp_rows(number): cells as text, seen_ts, and n, the order in which rows came ---- */
struct scan {
    size_t at;
    unsigned column_count;
    idx_t columns[CELLS_MAX + 2];
};

static struct history_rows *
rows_of(struct kdp_history *history, int64_t number)
{
    return number >= 0 && number < (int64_t)HISTORY_TABLES_MAX ? history->rows[number] : NULL;
}

static void
bind(duckdb_bind_info info)
{
    const struct kdp_duckdb *duck;
    struct history_rows *rows;
    duckdb_logical_type type;
    duckdb_value value;
    char name[16];

    if (kdp_duckdb_load(&duck) != 0)
        return;
    value = duck->bind_get_parameter(info, 0);
    rows = rows_of(duck->bind_get_extra_info(info), duck->get_int64(value));
    duck->destroy_value(&value);
    if (rows == NULL) {
        duck->bind_set_error(info, "kdp_rows: no such table");
        return;
    }
    type = duck->create_logical_type(DUCKDB_TYPE_VARCHAR);
    for (unsigned i = 0; i < rows->cells; i++) {
        snprintf(name, sizeof name, "c%u", i);
        duck->bind_add_result_column(info, name, type);
    }
    duck->destroy_logical_type(&type);
    type = duck->create_logical_type(DUCKDB_TYPE_TIMESTAMP_NS);
    duck->bind_add_result_column(info, "seen", type);
    duck->destroy_logical_type(&type);
    type = duck->create_logical_type(DUCKDB_TYPE_BIGINT);
    duck->bind_add_result_column(info, "n", type);
    duck->destroy_logical_type(&type);
    duck->bind_set_bind_data(info, rows, NULL);
    duck->bind_set_cardinality(info, rows->count, true);
}

static void
init(duckdb_init_info info)
{
    const struct kdp_duckdb *duck;
    struct scan *scan = calloc(1, sizeof *scan);

    if (kdp_duckdb_load(&duck) != 0)
        return;
    if (scan == NULL) {
        duck->init_set_error(info, "out of memory");
        return;
    }
    duck->init_set_init_data(info, scan, free);
    scan->column_count = (unsigned)duck->init_get_column_count(info);
    if (scan->column_count > sizeof scan->columns / sizeof scan->columns[0]) {
        duck->init_set_error(info, "kdp_rows: too many columns");
        return;
    }
    for (unsigned i = 0; i < scan->column_count; i++)
        scan->columns[i] = duck->init_get_column_index(info, i);
    duck->init_set_max_threads(info, 1);
}

static void
fill_cells(const struct kdp_duckdb *duck, const struct history_rows *rows, unsigned cell, size_t first,
           size_t count, duckdb_vector vector)
{
    uint64_t *valid = NULL;

    for (size_t i = 0; i < count; i++) {
        uint32_t at = rows->at[(first + i) * rows->cells + cell];

        if (at != NO_CELL) {
            duck->vector_assign_string_element_len(vector, i, rows->text + at, strlen(rows->text + at));
            continue;
        }
        if (valid == NULL) {
            duck->vector_ensure_validity_writable(vector);
            valid = duck->vector_get_validity(vector);
        }
        valid[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
}

static void
scan_chunk(duckdb_function_info info, duckdb_data_chunk output)
{
    const struct kdp_duckdb *duck;
    const struct history_rows *rows;
    struct scan *scan;
    size_t count;

    if (kdp_duckdb_load(&duck) != 0)
        return;
    scan = duck->function_get_init_data(info);
    rows = duck->function_get_bind_data(info);
    count = rows->count - scan->at < CHUNK ? rows->count - scan->at : CHUNK;
    for (unsigned i = 0; i < scan->column_count; i++) {
        duckdb_vector vector = duck->data_chunk_get_vector(output, i);

        if (scan->columns[i] < rows->cells) {
            fill_cells(duck, rows, (unsigned)scan->columns[i], scan->at, count, vector);
        } else if (scan->columns[i] <= rows->cells + 1) {
            int64_t *out = duck->vector_get_data(vector);

            for (size_t row = 0; row < count; row++)
                out[row] = scan->columns[i] == rows->cells ? rows->seen_ns[scan->at + row]
                                                           : (int64_t)(scan->at + row);
        }
    }
    scan->at += count;
    duck->data_chunk_set_size(output, count);
}

static int
register_rows(struct kdp_history *history)
{
    const struct kdp_duckdb *duck = history->writer.duck;
    duckdb_table_function function = duck->create_table_function();
    duckdb_logical_type bigint = duck->create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_state state;

    duck->table_function_set_name(function, "kdp_rows");
    duck->table_function_add_parameter(function, bigint);
    duck->table_function_set_extra_info(function, history, NULL);
    duck->table_function_set_bind(function, bind);
    duck->table_function_set_init(function, init);
    duck->table_function_set_function(function, scan_chunk);
    duck->table_function_supports_projection_pushdown(function, true);
    state = duck->register_table_function(history->writer.connection, function);
    duck->destroy_logical_type(&bigint);
    duck->destroy_table_function(&function);
    return state == DuckDBSuccess ? 0
                                  : kdpi_fail(KDP_EUNSUPPORTED, "DuckDB refused the table function kdp_rows");
}

/* ---- filing ---- */
static int
run(struct kdp_history *history, FILE *out, char **textp)
{
    int rc =
        fclose(out) != 0 ? kdpi_fail(KDP_ENOMEM, "out of memory") : lake_writer_sql(&history->writer, *textp);

    free(*textp);
    *textp = NULL;
    return rc;
}

/* put_columns lists the columns, own ones too, as the table has them. */
static void
put_columns(FILE *out, const struct kdp_history_table *table)
{
    for (unsigned i = 0; i < table->column_count; i++)
        fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", table->columns[i].name);
}

/* cast_rows makes the table fresh of what was given, typed. */
static int
cast_rows(struct kdp_history *history, const struct history_rows *rows)
{
    char *text = NULL;
    size_t len;
    unsigned cell = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    fputs("CREATE OR REPLACE TEMP TABLE fresh AS SELECT ", out);
    for (unsigned i = 0; i < rows->table->column_count; i++) {
        const struct kdp_history_column *column = &rows->table->columns[i];

        if (column->own)
            fprintf(out, "seen AS \"%s\", ", column->name);
        else
            fprintf(out, "CAST(c%u AS %s) AS \"%s\", ", cell++, column->sql, column->name);
    }
    fprintf(out, "n FROM kdp_rows(%u)", rows->number);
    return run(history, out, &text);
}

/* keep_changes makes the table kept of the rows that differ from the one before them of their key: in the lake, or here. */
static int
keep_changes(struct kdp_history *history, const struct kdp_history_table *table,
             const struct kdp_manifest *manifest, int64_t from_ns, int64_t to_ns)
{
    char *text = NULL;
    size_t len;
    unsigned members = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    fputs("CREATE OR REPLACE TEMP TABLE kept AS WITH old AS (SELECT ", out);
    put_columns(out, table);
    fputs(", -1::BIGINT AS n FROM (", out);
    kdp_history_select(out, table, history->config.dir, manifest, from_ns, to_ns);
    fprintf(out,
            ") SEMI JOIN fresh USING (%s) QUALIFY row_number() OVER (PARTITION BY %s ORDER BY seen_ts DESC) "
            "= 1), "
            "both_ AS (SELECT * FROM old UNION ALL BY NAME SELECT * FROM fresh) SELECT ",
            table->key, table->key);
    put_columns(out, table);
    fprintf(out,
            " FROM both_ WINDOW w AS (PARTITION BY %s ORDER BY n) QUALIFY n >= 0 AND (lag(n) OVER w IS NULL",
            table->key);
    for (int side = 0; side < 2; side++) {
        fputs(side == 0 ? " OR lag({" : "}) OVER w IS DISTINCT FROM {", out);
        members = 0;
        for (unsigned i = 0; i < table->column_count; i++)
            if (!table->columns[i].own)
                fprintf(out, "%s'm%u': \"%s\"", members++ > 0 ? ", " : "", i, table->columns[i].name);
    }
    fputs("})", out);
    return run(history, out, &text);
}

struct day {
    int64_t day, rows, ns_min, ns_max; /* day 0 for a table that has none */
};

/* ask_days fills days with what a query of four numbers a row gives. */
static int
ask_days(struct kdp_history *history, const char *text, struct day **daysp, size_t *countp)
{
    const struct kdp_duckdb *duck = history->writer.duck;
    size_t room = 0;
    duckdb_result result;
    duckdb_data_chunk chunk;
    int rc = 0;

    *daysp = NULL;
    *countp = 0;
    if (duck->query(history->writer.connection, text, &result) != DuckDBSuccess) {
        rc = kdpi_fail(KDP_EIO, "cannot write the lake: %s: %s", history->config.dir,
                       duck->result_error(&result));
        duck->destroy_result(&result);
        return rc;
    }
    while (rc == 0 && (chunk = duck->fetch_chunk(result)) != NULL) {
        idx_t rows = duck->data_chunk_get_size(chunk);
        struct day *days = kdpi_grow(*daysp, &room, sizeof *days, *countp + rows);

        if (days == NULL) {
            rc = -KDP_ENOMEM;
        } else {
            *daysp = days;
            for (unsigned c = 0; c < 4; c++) {
                const int64_t *values = duck->vector_get_data(duck->data_chunk_get_vector(chunk, c));

                for (idx_t i = 0; i < rows; i++)
                    memcpy((char *)&days[*countp + i] + c * sizeof(int64_t), &values[i], sizeof(int64_t));
            }
            *countp += rows;
        }
        duck->destroy_data_chunk(&chunk);
    }
    duck->destroy_result(&result);
    return rc;
}

static int
write_day(struct kdp_history *history, const struct kdp_history_table *table, const struct day *day,
          struct kdp_manifest_file *file)
{
    struct lake_writer writer = history->writer;
    char name[64], folder[32] = "all", date[16], *select = NULL;
    size_t len;
    FILE *out = open_memstream(&select, &len);
    int rc;

    if (out == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    fputs("SELECT ", out);
    put_columns(out, table);
    fputs(" FROM kept", out);
    if (table->by_day) {
        kdpi_day_format(date, (int32_t)day->day);
        snprintf(folder, sizeof folder, "date=%s", date);
        fprintf(out, " WHERE epoch_ns(\"timestamp\") BETWEEN %" PRId64 " AND %" PRId64, day->ns_min,
                day->ns_max);
    }
    fprintf(out, " ORDER BY %s", table->sort);
    if (fclose(out) != 0) {
        free(select);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    writer.schema_version = HISTORY_SCHEMA_VERSION;
    history_name(history, name, sizeof name);
    rc = lake_writer_file(&writer, table->name, folder, name, select, file);
    free(select);
    file->day = table->by_day ? (int32_t)day->day : KDP_MANIFEST_DAY_ALL;
    file->rows = (uint64_t)day->rows;
    file->ns_min = day->ns_min;
    file->ns_max = day->ns_max;
    return rc;
}

static int
file_rows(struct kdp_history *history, struct history_rows *rows, struct kdp_manifest_file **filesp,
          size_t *countp, uint64_t *writtenp)
{
    static const char
        by_day[] =
            "SELECT epoch_ns(\"timestamp\") // 86400000000000 AS day, count(*), "
            "min(epoch_ns(\"timestamp\")), max(epoch_ns(\"timestamp\")) FROM %s GROUP BY day ORDER BY day",
        whole[] = "SELECT 0::BIGINT, count(*), min(epoch_ns(seen_ts)), max(epoch_ns(seen_ts)) FROM %s "
                  "HAVING count(*) > 0";
    const struct kdp_history_table *table = rows->table;
    struct kdp_manifest manifest;
    struct day *days = NULL;
    size_t day_count = 0;
    char text[400];
    int rc = cast_rows(history, rows);

    snprintf(text, sizeof text, table->by_day ? by_day : whole, "fresh");
    if (rc == 0)
        rc = ask_days(history, text, &days, &day_count);
    if (rc == 0)
        rc = kdp_manifest_read(&manifest, history->config.dir, table->name);
    if (rc == 0) {
        if (day_count > 0)
            rc = keep_changes(history, table, &manifest, days[0].ns_min, days[day_count - 1].ns_max + 1);
        kdp_manifest_release(&manifest);
    }
    free(days);
    snprintf(text, sizeof text, table->by_day ? by_day : whole, "kept");
    if (rc == 0)
        rc = ask_days(history, text, &days, &day_count);
    else
        days = NULL;
    *filesp = calloc(day_count > 0 ? day_count : 1, sizeof **filesp);
    if (rc == 0 && *filesp == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    for (size_t i = 0; i < day_count && rc == 0; i++) {
        rc = write_day(history, table, &days[i], &(*filesp)[i]);
        *writtenp += (uint64_t)days[i].rows;
    }
    if (rc != 0 && *filesp != NULL)
        history_unwrite(history, table->name, *filesp, day_count);
    *countp = day_count;
    free(days);
    return rc;
}

int
history_rows_flush(struct kdp_history *history, unsigned number)
{
    struct history_rows *rows = history->rows[number];
    struct kdp_manifest_file *files = NULL;
    uint64_t written = 0;
    size_t count = 0;
    int rc;

    if (rows->count == 0 && history->pending[1 + number].count == 0)
        return 0;
    rc = history_manifest_first(history, rows->table->name);
    if (rc == 0 && rows->count > 0)
        rc = file_rows(history, rows, &files, &count, &written);
    if (rc == 0)
        rc = history_named(history, 1 + number, HISTORY_SCHEMA_VERSION, files, count);
    if (rc == 0) {
        history->totals.rows[number] += written;
        rows->count = 0;
        rows->used = 0;
    }
    free(files);
    (void)lake_writer_sql(&history->writer, "DROP TABLE IF EXISTS fresh; DROP TABLE IF EXISTS kept");
    return rc;
}

int
history_rows_open(struct kdp_history *history)
{
    const struct kdp_history_table *tables;
    unsigned count;

    tables = kdp_history_tables(&count);
    for (unsigned i = 0; i < count; i++) {
        struct history_rows *rows = calloc(1, sizeof *rows);

        if (rows == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory");
        rows->table = &tables[i];
        rows->number = i;
        for (unsigned c = 0; c < tables[i].column_count; c++)
            if (!tables[i].columns[c].own) {
                KDP_ASSERT(rows->cells < CELLS_MAX);
                rows->columns[rows->cells++] = c;
            }
        history->rows[i] = rows;
    }
    return register_rows(history);
}

void
history_rows_close(struct kdp_history *history)
{
    for (unsigned i = 0; i < HISTORY_TABLES_MAX; i++) {
        struct history_rows *rows = history->rows[i];

        if (rows == NULL)
            continue;
        free(rows->text);
        free(rows->at);
        free(rows->seen_ns);
        free(rows);
    }
}
