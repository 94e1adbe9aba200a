/* lake_batch.c - see lake_batch.h. */
#include "lake_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "memory.h"

#define CHUNK 2048u
#define COUNTS_MAX \
    (size_t)(1u << 24) /* counters of the counting sort, 128 MiB at most; beyond it rows are compared */

/* A row: where its record lies (in 8-byte words), which item of it, and what the sort asks, so that sorting
 * does not touch the records: they are far more than a cache holds. */
struct ref {
    int64_t ns; /* timestamp */
    uint32_t instrument;
    uint32_t word;
    uint32_t item;
};

struct rows {
    struct ref *at;
    size_t count, room;
};

struct kdp_lake_batch {
    uint8_t *arena; /* address space for bytes_max; pages are taken as they are used */
    size_t used, bytes_max;
    struct rows tables[KDP_LAKE_TABLES_MAX];
    /* of the table sorted last */
    unsigned sorted_table;
    size_t day; /* found last */
    int64_t day_first_ns, day_end_ns;
    struct ref *sorted;
    size_t sorted_room;
    struct kdp_lake_day *days;
    size_t day_count, day_room;
    uint32_t instrument_max;
    kdp_lake_ticker_t ticker;
    void *ticker_arg;
    const struct kdp_duckdb *duck;
};

int
kdp_lake_batch_open(struct kdp_lake_batch **batchp, size_t bytes_max)
{
    struct kdp_lake_batch *batch = calloc(1, sizeof *batch);

    *batchp = NULL;
    if (batch == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    batch->bytes_max = bytes_max;
    batch->arena = kdpi_reserve(bytes_max);
    if (batch->arena == NULL) {
        free(batch);
        return kdpi_fail(KDP_ENOMEM, "no address space for %zu bytes of records", bytes_max);
    }
    *batchp = batch;
    return 0;
}

void
kdp_lake_batch_close(struct kdp_lake_batch *batch)
{
    if (batch == NULL)
        return;
    kdpi_unreserve(batch->arena, batch->bytes_max);
    for (unsigned i = 0; i < KDP_LAKE_TABLES_MAX; i++)
        free(batch->tables[i].at);
    free(batch->sorted);
    free(batch->days);
    free(batch);
}

void
kdp_lake_batch_clear(struct kdp_lake_batch *batch)
{
    batch->used = 0;
    batch->day_count = 0;
    for (unsigned i = 0; i < KDP_LAKE_TABLES_MAX; i++)
        batch->tables[i].count = 0;
}

static const struct kdp_head *
record_at(const struct kdp_lake_batch *batch, struct ref ref)
{
    return (const void *)(batch->arena + (size_t)ref.word * 8);
}

static int64_t
time_of(const struct kdp_head *rec)
{
    return rec->exch_ns != KDP_TIME_NULL ? rec->exch_ns : rec->recv_ns;
}

int
kdp_lake_batch_add(struct kdp_lake_batch *batch, unsigned table, const struct kdp_head *rec, size_t size)
{
    struct rows *rows = &batch->tables[table];
    uint32_t count = kdp_lake_rows(&kdp_lake_tables(NULL)[table], rec);
    struct ref *at;

    if (size > batch->bytes_max - batch->used)
        return -KDP_EFULL;
    at = kdpi_grow(rows->at, &rows->room, sizeof *at, rows->count + count);
    if (at == NULL)
        return -KDP_ENOMEM;
    rows->at = at;
    memcpy(batch->arena + batch->used, rec, size);
    for (uint32_t i = 0; i < count; i++)
        rows->at[rows->count++] = (struct ref){.ns = time_of(rec),
                                               .instrument = rec->instrument,
                                               .word = (uint32_t)(batch->used / 8),
                                               .item = i};
    batch->used += size;
    return 0;
}

size_t
kdp_lake_batch_rows(const struct kdp_lake_batch *batch, unsigned table)
{
    return batch->tables[table].count;
}

int
kdp_lake_batch_reserve(struct kdp_lake_batch *batch, unsigned table, size_t count)
{
    struct rows *rows = &batch->tables[table];
    struct ref *at = kdpi_grow(rows->at, &rows->room, sizeof *at, count),
               *sorted =
                   at != NULL ? kdpi_grow(batch->sorted, &batch->sorted_room, sizeof *sorted, count) : NULL;

    if (at != NULL)
        rows->at = at;
    if (sorted == NULL)
        return -KDP_ENOMEM;
    batch->sorted = sorted;
    return 0;
}

const struct kdp_head *
kdp_lake_batch_record(const struct kdp_lake_batch *batch, unsigned table, size_t row)
{
    return record_at(batch, batch->tables[table].at[row]);
}

void
kdp_lake_batch_drop(struct kdp_lake_batch *batch, unsigned table, const uint8_t *drop)
{
    struct rows *rows = &batch->tables[table];
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++)
        if (drop[i] == 0)
            rows->at[kept++] = rows->at[i];
    rows->count = kept;
}

/* find_day sets batch->day to the place of a time's day in batch->days, adding it in order; most often it is
 * there. */
static int
find_day(struct kdp_lake_batch *batch, int64_t ns)
{
    size_t low = 0, high = batch->day_count;
    struct kdp_lake_day *days;
    int32_t day;

    if (batch->day < high && ns >= batch->day_first_ns && ns < batch->day_end_ns)
        return 0;
    day = kdpi_day_of(ns);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (batch->days[mid].day < day)
            low = mid + 1;
        else
            high = mid;
    }
    batch->day = low;
    batch->day_first_ns = day * KDP_NS_PER_DAY;
    batch->day_end_ns = batch->day_first_ns + KDP_NS_PER_DAY;
    if (low < batch->day_count && batch->days[low].day == day)
        return 0;
    days = kdpi_grow(batch->days, &batch->day_room, sizeof *days, batch->day_count + 1);
    if (days == NULL)
        return -KDP_ENOMEM;
    batch->days = days;
    memmove(&batch->days[low + 1], &batch->days[low], (batch->day_count - low) * sizeof *batch->days);
    batch->day_count++;
    batch->days[low] = (struct kdp_lake_day){.day = day, .ns_min = INT64_MAX, .ns_max = INT64_MIN};
    return 0;
}

/* known_id puts all ids that cannot have a ticker into one. */
static uint32_t
known_id(const struct kdp_lake_batch *batch, uint32_t instrument)
{
    return instrument <= batch->instrument_max ? instrument : batch->instrument_max + 1;
}

struct name {
    const char *ticker;
    uint32_t id;
};

static int
compare_names(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    /* no ticker comes last, as NULL does in DuckDB's ORDER BY */
    if (x->ticker == NULL || y->ticker == NULL)
        return (x->ticker == NULL) - (y->ticker == NULL);
    return strcmp(x->ticker, y->ticker);
}

/* rank_tickers gives each instrument that occurs its rank in order of ticker; rank 0 is the first. */
static int
rank_tickers(struct kdp_lake_batch *batch, const struct rows *rows, uint32_t *rank, uint32_t *countp)
{
    struct name *names = NULL;
    size_t count = 0, room = 0;
    struct name *grown;
    int rc = 0;

    memset(rank, 0, ((size_t)batch->instrument_max + 2) * sizeof *rank);
    for (size_t i = 0; i < rows->count && rc == 0; i++) {
        uint32_t id = known_id(batch, rows->at[i].instrument);

        if (rank[id] != 0)
            continue;
        rank[id] = 1;
        grown = kdpi_grow(names, &room, sizeof *names, count + 1);
        if (grown == NULL) {
            rc = -KDP_ENOMEM;
            break;
        }
        names = grown;
        names[count].ticker =
            id == 0 || id > batch->instrument_max ? NULL : batch->ticker(batch->ticker_arg, id);
        names[count++].id = id;
    }
    if (rc == 0 && count > 0) {
        qsort(names, count, sizeof *names, compare_names);
        for (size_t i = 0; i < count; i++)
            rank[names[i].id] = (uint32_t)i;
    }
    *countp = (uint32_t)count;
    free(names);
    return rc;
}

/* order_by_time mends the order within one ticker: rows come by seq, which nearly always is the order of time
 * too. */
static int
order_by_time(struct ref *at, size_t count)
{
    size_t ordered = 1, run;
    struct ref *from = at, *to, *spare;

    while (ordered < count && at[ordered - 1].ns <= at[ordered].ns)
        ordered++;
    if (ordered >= count)
        return 0;
    spare = malloc(count * sizeof *spare);
    if (spare == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory to sort %zu rows", count);
    to = spare;
    for (run = 1; run < count; run *= 2) {
        struct ref *swap;

        for (size_t low = 0; low < count; low += 2 * run) {
            size_t mid = low + run < count ? low + run : count,
                   end = low + 2 * run < count ? low + 2 * run : count;
            size_t a = low, b = mid, out = low;

            /* stable: of equal times the left one, with the lower seq, goes first */
            while (a < mid && b < end)
                to[out++] = from[b].ns < from[a].ns ? from[b++] : from[a++];
            while (a < mid)
                to[out++] = from[a++];
            while (b < end)
                to[out++] = from[b++];
        }
        swap = from;
        from = to;
        to = swap;
    }
    if (from != at)
        memcpy(at, from, count * sizeof *at);
    free(spare);
    return 0;
}

struct sort_key { /* what sort_rows compares by */
    const struct kdp_lake_batch *batch;
    const uint32_t *rank;
};

static int
compare_rows(const void *a, const void *b, void *arg)
{
    const struct sort_key *key = arg;
    const struct ref *x = a, *y = b;
    int32_t x_day = kdpi_day_of(x->ns), y_day = kdpi_day_of(y->ns);
    uint32_t x_rank = key->rank[known_id(key->batch, x->instrument)];
    uint32_t y_rank = key->rank[known_id(key->batch, y->instrument)];

    if (x_day != y_day)
        return x_day < y_day ? -1 : 1;
    if (x_rank != y_rank)
        return x_rank < y_rank ? -1 : 1;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1; /* in order of seq, as they came */
    return (x->item > y->item) - (x->item < y->item);
}

static int
sort_by_comparing(struct kdp_lake_batch *batch, const struct rows *rows, const uint32_t *rank)
{
    struct sort_key key = {.batch = batch, .rank = rank};

    memcpy(batch->sorted, rows->at, rows->count * sizeof *rows->at);
    qsort_r(batch->sorted, rows->count, sizeof *batch->sorted, compare_rows, &key);
    return 0;
}

/* sort_by_counting is one counting sort over (day, ticker); it keeps the order of seq within each. */
static int
sort_by_counting(struct kdp_lake_batch *batch, const struct rows *rows, const uint32_t *rank, uint32_t ranks)
{
    size_t keys = batch->day_count * ranks;
    size_t *start = calloc(keys + 1, sizeof *start);
    int rc = 0;

    if (start == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory to sort %zu rows", rows->count);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < rows->count; i++) {
            size_t key;

            (void)find_day(batch, rows->at[i].ns); /* there since the first pass */
            key = batch->day * ranks + rank[known_id(batch, rows->at[i].instrument)];
            if (pass == 0)
                start[key + 1]++;
            else
                batch->sorted[start[key]++] = rows->at[i];
        }
        for (size_t i = 1; i <= keys && pass == 0; i++)
            start[i] += start[i - 1];
    }
    /* start[k] is now where key k ends */
    for (size_t i = 0, from = 0; i < keys && rc == 0; from = start[i++])
        if (start[i] > from + 1)
            rc = order_by_time(batch->sorted + from, start[i] - from);
    free(start);
    return rc;
}

int
kdp_lake_batch_sort(struct kdp_lake_batch *batch, unsigned table, uint32_t instrument_max,
                    kdp_lake_ticker_t ticker, void *arg, const struct kdp_lake_day **daysp, size_t *countp)
{
    const struct rows *rows = &batch->tables[table];
    uint32_t *rank = malloc(((size_t)instrument_max + 2) * sizeof *rank), ranks = 0;
    struct ref *sorted;
    int rc = 0;

    batch->sorted_table = table;
    batch->instrument_max = instrument_max;
    batch->ticker = ticker;
    batch->ticker_arg = arg;
    batch->day_count = 0;
    *daysp = NULL;
    *countp = 0;
    if (rank == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for %u markets", instrument_max);
    rc = rank_tickers(batch, rows, rank, &ranks);
    for (size_t i = 0; i < rows->count && rc == 0; i++) {
        const struct ref *row = &rows->at[i];
        struct kdp_lake_day *day;

        rc = find_day(batch, row->ns);
        if (rc != 0)
            break;
        day = &batch->days[batch->day];
        if (day->count++ == 0)
            day->first_row = i;
        day->last_row = i;
        if (row->ns < day->ns_min)
            day->ns_min = row->ns;
        if (row->ns > day->ns_max)
            day->ns_max = row->ns;
    }
    /* rows come in order of seq */
    for (size_t i = 0; i < batch->day_count && rc == 0; i++) {
        batch->days[i].seq_min = record_at(batch, rows->at[batch->days[i].first_row])->seq;
        batch->days[i].seq_max = record_at(batch, rows->at[batch->days[i].last_row])->seq;
    }
    if (rc == 0) {
        sorted = kdpi_grow(batch->sorted, &batch->sorted_room, sizeof *sorted, rows->count);
        if (sorted == NULL)
            rc = -KDP_ENOMEM;
        else
            batch->sorted = sorted;
    }
    if (rc != 0 || rows->count == 0) {
        free(rank);
        return rc;
    }
    rc = batch->day_count * ranks <= COUNTS_MAX ? sort_by_counting(batch, rows, rank, ranks)
                                                : sort_by_comparing(batch, rows, rank);
    for (size_t i = 0, first = 0; i < batch->day_count; i++) {
        batch->days[i].first = first;
        first += batch->days[i].count;
    }
    free(rank);
    if (rc == 0) {
        *daysp = batch->days;
        *countp = batch->day_count;
    }
    return rc;
}

/* ---- the table function ---- */
struct bound {
    struct kdp_lake_batch *batch;
    const struct kdp_lake_table *table;
    struct kdp_lake_day day;
};

struct scan {
    const struct bound *bound;
    struct kdp_lake_fill fill;
    bool fill_ready;
    size_t at;
    unsigned column_count;
    const struct kdp_lake_column *columns[KDP_LAKE_COLUMNS_MAX];
};

static void
bind(duckdb_bind_info info)
{
    const struct kdp_duckdb *duck;
    struct kdp_lake_batch *batch;
    struct bound *bound = calloc(1, sizeof *bound);
    int64_t argument[2];

    if (kdp_duckdb_load(&duck) != 0)
        return;
    batch = duck->bind_get_extra_info(info);
    for (unsigned i = 0; i < 2; i++) {
        duckdb_value value = duck->bind_get_parameter(info, i);

        argument[i] = duck->get_int64(value);
        duck->destroy_value(&value);
    }
    if (bound == NULL || argument[0] != (int64_t)batch->sorted_table || argument[1] < 0 ||
        argument[1] >= (int64_t)batch->day_count) {
        free(bound);
        duck->bind_set_error(info, "kdp_batch: this table and day are not the ones sorted last");
        return;
    }
    bound->batch = batch;
    bound->table = &kdp_lake_tables(NULL)[argument[0]];
    bound->day = batch->days[argument[1]];
    duck->bind_set_bind_data(info, bound, free);
    kdp_lake_bind(duck, bound->table, info);
    duck->bind_set_cardinality(info, bound->day.count, true);
}

static void
free_scan(void *data)
{
    struct scan *scan = data;

    if (scan->fill_ready)
        kdp_lake_fill_release(&scan->fill);
    free(scan);
}

static void
init(duckdb_init_info info)
{
    const struct kdp_duckdb *duck;
    struct scan *scan = calloc(1, sizeof *scan);
    const struct kdp_lake_batch *batch;

    if (kdp_duckdb_load(&duck) != 0)
        return;
    if (scan == NULL) {
        duck->init_set_error(info, "out of memory");
        return;
    }
    scan->bound = duck->init_get_bind_data(info);
    batch = scan->bound->batch;
    duck->init_set_init_data(info, scan, free_scan);
    if (kdp_lake_fill_init(&scan->fill, duck, batch->instrument_max, batch->ticker, batch->ticker_arg) != 0) {
        duck->init_set_error(info, kdp_error_text());
        return;
    }
    scan->fill_ready = true;
    scan->column_count = (unsigned)duck->init_get_column_count(info);
    for (unsigned i = 0; i < scan->column_count && i < KDP_LAKE_COLUMNS_MAX; i++) {
        idx_t index = duck->init_get_column_index(info, i);

        scan->columns[i] =
            index < scan->bound->table->column_count ? &scan->bound->table->columns[index] : NULL;
    }
    duck->init_set_max_threads(info, 1); /* the order of rows is the point */
}

static void
scan_chunk(duckdb_function_info info, duckdb_data_chunk output)
{
    const struct kdp_duckdb *duck;
    struct kdp_lake_row rows[CHUNK];
    const struct kdp_lake_day *day;
    struct scan *scan;
    size_t count = 0;

    if (kdp_duckdb_load(&duck) != 0)
        return;
    scan = duck->function_get_init_data(info);
    day = &scan->bound->day;
    for (; count < CHUNK && scan->at < day->count; count++, scan->at++) {
        struct ref ref = scan->bound->batch->sorted[day->first + scan->at];

        rows[count].rec = record_at(scan->bound->batch, ref);
        rows[count].item = ref.item;
    }
    for (unsigned i = 0; count > 0 && i < scan->column_count; i++)
        if (scan->columns[i] != NULL &&
            kdp_lake_fill_column(&scan->fill, scan->columns[i], duck->data_chunk_get_vector(output, i), rows,
                                 count) != 0) {
            duck->function_set_error(info, "out of memory");
            return;
        }
    duck->data_chunk_set_size(output, count);
}

int
kdp_lake_batch_register(struct kdp_lake_batch *batch, const struct kdp_duckdb *duck,
                        duckdb_connection connection)
{
    duckdb_table_function function = duck->create_table_function();
    duckdb_logical_type bigint = duck->create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_state state;

    batch->duck = duck;
    duck->table_function_set_name(function, "kdp_batch");
    for (unsigned i = 0; i < 2; i++)
        duck->table_function_add_parameter(function, bigint);
    duck->table_function_set_extra_info(function, batch, NULL);
    duck->table_function_set_bind(function, bind);
    duck->table_function_set_init(function, init);
    duck->table_function_set_function(function, scan_chunk);
    duck->table_function_supports_projection_pushdown(function, true);
    state = duck->register_table_function(connection, function);
    duck->destroy_logical_type(&bigint);
    duck->destroy_table_function(&function);
    return state == DuckDBSuccess
               ? 0
               : kdpi_fail(KDP_EUNSUPPORTED, "DuckDB refused the table function kdp_batch");
}
