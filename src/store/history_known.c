/* history_known.c - which trades of a batch the lake or the tape has.
 *
 * A batch knows its rows by trade id, so that looking is one pass over the ids of the lake's files for the days in
 * question: each id is looked up among ours.  Memory is that of the batch, however many trades those days have. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "history_private.h"
#include "kdp/reader.h"

#define TICKERS_NAMED 40u /* that many are asked for by name, more by their range */
#define ATTEMPTS 5
/* The stream has a trade's time in milliseconds, REST in microseconds: the same trade is looked for so far around. */
#define AROUND_NS KDP_NS_PER_S

/* kdp_known(trade_id, ticker, timestamp) is true where the batch has that trade, and marks it. */
static void
known(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct kdp_duckdb *duck;
    struct history_trades *trades;
    const duckdb_hugeint *ids;
    const duckdb_string_t *tickers;
    const int64_t *times;
    const uint64_t *valid[3];
    bool *out;
    idx_t count;

    if (kdp_duckdb_load(&duck) != 0)
        return;
    trades = duck->scalar_function_get_extra_info(info);
    count = duck->data_chunk_get_size(input);
    for (unsigned i = 0; i < 3; i++)
        valid[i] = duck->vector_get_validity(duck->data_chunk_get_vector(input, i));
    ids = duck->vector_get_data(duck->data_chunk_get_vector(input, 0));
    tickers = duck->vector_get_data(duck->data_chunk_get_vector(input, 1));
    times = duck->vector_get_data(duck->data_chunk_get_vector(input, 2));
    out = duck->vector_get_data(output);
    for (idx_t i = 0; i < count; i++) {
        uint64_t high = __builtin_bswap64((uint64_t)ids[i].upper ^ UINT64_C(1) << 63);
        uint64_t low = __builtin_bswap64(ids[i].lower);
        uint8_t id[16];
        bool null = false;

        out[i] = false;
        for (unsigned c = 0; c < 3; c++)
            null |= valid[c] != NULL && (valid[c][i / 64] >> (i % 64) & 1) == 0;
        if (null)
            continue;
        memcpy(id, &high, 8);
        memcpy(id + 8, &low, 8);
        for (size_t slot = history_slot_of(trades, id); trades->slots[slot] != 0;
             slot = (slot + 1) & (trades->slot_count - 1)) {
            uint32_t row = trades->slots[slot] - 1, len;
            const struct kdp_trade *trade = history_trade_at(trades, row);
            const char *ticker, *text;

            if (memcmp(trade->trade_id, id, sizeof id) != 0 ||
                kdpi_day_of(trade->head.exch_ns) != kdpi_day_of(times[i]))
                continue;
            ticker = history_ticker(&trades->tickers, trade->head.instrument);
            text = kdp_duckdb_string(&tickers[i], &len);
            if (strlen(ticker) != len || memcmp(ticker, text, len) != 0)
                continue;
            out[i] = true;
            if (trades->known[row] == 0)
                trades->known[row] = trades->mark;
            break;
        }
    }
}

int
history_known_register(struct kdp_history *history)
{
    static const duckdb_type types[] = {DUCKDB_TYPE_UUID, DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_TIMESTAMP_NS};
    const struct kdp_duckdb *duck = history->writer.duck;
    duckdb_scalar_function function = duck->create_scalar_function();
    duckdb_logical_type type;
    duckdb_state state;

    duck->scalar_function_set_name(function, "kdp_known");
    for (unsigned i = 0; i < 3; i++) {
        type = duck->create_logical_type(types[i]);
        duck->scalar_function_add_parameter(function, type);
        duck->destroy_logical_type(&type);
    }
    type = duck->create_logical_type(DUCKDB_TYPE_BOOLEAN);
    duck->scalar_function_set_return_type(function, type);
    duck->destroy_logical_type(&type);
    duck->scalar_function_set_volatile(function); /* it marks what it finds */
    duck->scalar_function_set_extra_info(function, &history->trades, NULL);
    duck->scalar_function_set_function(function, known);
    state = duck->register_scalar_function(history->writer.connection, function);
    duck->destroy_scalar_function(&function);
    return state == DuckDBSuccess ? 0 : kdpi_fail(KDP_EUNSUPPORTED, "DuckDB refused the function kdp_known");
}

static void
put_quoted(FILE *out, const char *text)
{
    putc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            putc('\'', out);
        putc(*text, out);
    }
    putc('\'', out);
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* put_condition narrows to the tickers and times of the batch: row groups of other markets are not read. */
static int
put_condition(FILE *out, struct history_trades *trades, const struct kdp_lake_day *days, size_t day_count)
{
    uint32_t count = trades->tickers.count;
    const char **texts = calloc(count > 0 ? count : 1, sizeof *texts);
    int64_t from_ns = INT64_MAX, to_ns = INT64_MIN;

    if (texts == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (size_t i = 0; i < day_count; i++) {
        from_ns = days[i].ns_min < from_ns ? days[i].ns_min : from_ns;
        to_ns = days[i].ns_max > to_ns ? days[i].ns_max : to_ns;
    }
    for (uint32_t i = 0; i < count; i++)
        texts[i] = history_ticker(&trades->tickers, i + 1);
    qsort(texts, count, sizeof *texts, compare_texts);
    fprintf(out,
            " WHERE \"timestamp\" BETWEEN make_timestamp_ns(%" PRId64 ") AND make_timestamp_ns(%" PRId64
            ") AND ",
            from_ns - AROUND_NS, to_ns + AROUND_NS);
    if (count <= TICKERS_NAMED) {
        fputs("ticker IN (", out);
        for (uint32_t i = 0; i < count; i++) {
            fputs(i > 0 ? "," : "", out);
            put_quoted(out, texts[i]);
        }
        putc(')', out);
    } else {
        fputs("ticker BETWEEN ", out);
        put_quoted(out, texts[0]);
        fputs(" AND ", out);
        put_quoted(out, texts[count - 1]);
    }
    fputs(" AND kdp_known(trade_id, ticker, \"timestamp\")", out);
    free(texts);
    return 0;
}

/* ask runs a query for what it marks; the first line of DuckDB's words is enough. */
static int
ask(struct kdp_history *history, const char *text)
{
    const struct kdp_duckdb *duck = history->writer.duck;
    duckdb_result result;
    int rc = 0;

    if (duck->query(history->writer.connection, text, &result) != DuckDBSuccess) {
        const char *words = duck->result_error(&result);

        if (words == NULL)
            words = "DuckDB gave no reason";
        rc = kdpi_fail(KDP_EIO, "cannot read the lake: %s/trades: %.*s", history->config.dir,
                       (int)strcspn(words, "\n"), words);
        kdpi_hint("Put back a copy of the file, or move the folder %s/trades aside: kdp seal makes it anew "
                  "as far as "
                  "the tape reaches, kdp backfill the rest",
                  history->config.dir);
    }
    duck->destroy_result(&result);
    return rc;
}

/* look marks what one source has. */
static int
look(struct kdp_history *history, const char *from, const struct kdp_lake_day *days, size_t day_count,
     uint8_t mark)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int rc;

    if (out == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    fprintf(out, "SELECT count(*) FROM %s", from);
    rc = put_condition(out, &history->trades, days, day_count);
    if (fclose(out) != 0)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    history->trades.mark = mark;
    if (rc == 0)
        rc = ask(history, text);
    free(text);
    return rc;
}

/* concerns says whether a file may hold trades of the batch. */
static bool
concerns(const struct kdp_manifest_file *file, const struct kdp_lake_day *days, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (days[i].day == file->day && file->ns_max >= days[i].ns_min - AROUND_NS &&
            file->ns_min <= days[i].ns_max + AROUND_NS)
            return true;
    return false;
}

static int
look_at_files(struct kdp_history *history, const struct kdp_manifest *manifest,
              const struct kdp_lake_day *days, size_t day_count, uint8_t mark)
{
    unsigned files = 0;
    char *from = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&from, &len);
    int rc = 0;

    if (out == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    fputs("read_parquet([", out);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct kdp_manifest_file *file = &manifest->files[i];
        bool own = history_name_run(file->path) == history->run;
        char path[PATH_ROOM + KDP_MANIFEST_PATH];

        if (own != (mark == HISTORY_MARK_RUN) || !concerns(file, days, day_count))
            continue;
        snprintf(path, sizeof path, "%s/trades/%s", history->config.dir, file->path);
        fputs(files++ > 0 ? "," : "", out);
        put_quoted(out, path);
    }
    fputs("], hive_partitioning = false)", out);
    if (fclose(out) != 0)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    if (rc == 0 && files > 0)
        rc = look(history, from, days, day_count, mark);
    free(from);
    return rc;
}

static int
look_at_tape(struct kdp_history *history, uint64_t sealed, const struct kdp_lake_day *days, size_t day_count)
{
    struct kdp_reader *reader;
    char from[128];
    uint64_t head;
    int rc = kdp_reader_open_seq(&reader, history->config.dir, 0, 0);

    if (rc != 0)
        return rc;
    head = kdp_reader_head(reader);
    kdp_reader_close(reader);
    if (head <= sealed)
        return 0;
    snprintf(from, sizeof from, "kdp_tape(%u, %" PRIu64 ", %" PRIu64 ")", history->trades.table, sealed + 1,
             head);
    return look(history, from, days, day_count, HISTORY_MARK_LAKE);
}

/* same_files says whether a manifest read again names the files of the one before. */
static bool
same_files(const struct kdp_manifest *a, const struct kdp_manifest *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (kdp_manifest_find(b, a->files[i].path) == NULL)
            return false;
    return true;
}

int
history_known_mark(struct kdp_history *history, const struct kdp_lake_day *days, size_t day_count)
{
    int rc = 0;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct kdp_manifest manifest, now;
        bool same;

        rc = kdp_manifest_read(&manifest, history->config.dir, "trades");
        if (rc == 0)
            rc = look_at_files(history, &manifest, days, day_count, HISTORY_MARK_RUN);
        if (rc == 0)
            rc = look_at_files(history, &manifest, days, day_count, HISTORY_MARK_LAKE);
        if (rc == 0)
            rc = look_at_tape(history, manifest.sealed_seq, days, day_count);
        if (rc != -KDP_EIO) {
            kdp_manifest_release(&manifest);
            return rc;
        }
        /* did a sealer replace files meanwhile, and remove the old ones?  Then once more */
        same = kdp_manifest_read(&now, history->config.dir, "trades") != 0 || same_files(&manifest, &now);
        kdp_manifest_release(&manifest);
        kdp_manifest_release(&now);
        if (same)
            break;
    }
    return rc;
}
