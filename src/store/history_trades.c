/* history_trades.c - trades of the past: kept as records, held against what the lake and the tape have, filed by day.
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
#include "lake_scan.h"
#include "memory.h"
#include "message.h"
#include "record.h"

#define ROW_BYTES \
    168u /* record, its place before and after sorting, id slots, a mark, and as much again as sorting may take */
#define ROWS_LEAST 40000u
#define TICKER_MAX 200u
#define TICKERS_NAMED 40u /* that many are asked for by name, more by their range */
#define PAGES_ROWS 20000u /* room that is left when a flush is due: the pages under way */
#define ATTEMPTS 5

/* ---- tickers ---- */
static uint32_t
hash_text(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

static const char *
ticker_at(void *arg, uint32_t number)
{
    const struct history_tickers *tickers = arg;

    return number == 0 || number > tickers->count ? NULL : tickers->text + tickers->at[number];
}

static int
tickers_grow(struct history_tickers *tickers)
{
    size_t count = tickers->slot_count < 1024 ? 1024 : tickers->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);

    if (slots == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (uint32_t number = 1; number <= tickers->count; number++) {
        const char *text = tickers->text + tickers->at[number];
        size_t slot = hash_text(text, strlen(text)) & (count - 1);

        while (slots[slot] != 0)
            slot = (slot + 1) & (count - 1);
        slots[slot] = number;
    }
    free(tickers->slots);
    tickers->slots = slots;
    tickers->slot_count = count;
    return 0;
}

/* ticker_number gives a ticker's number, a new one when it is new; 0: no memory. */
static uint32_t
ticker_number(struct history_tickers *tickers, const char *text, size_t len)
{
    uint32_t *at;
    size_t slot;
    char *grown;

    if (((size_t)tickers->count + 1) * 2 > tickers->slot_count && tickers_grow(tickers) != 0)
        return 0;
    for (slot = hash_text(text, len) & (tickers->slot_count - 1); tickers->slots[slot] != 0;
         slot = (slot + 1) & (tickers->slot_count - 1)) {
        const char *known = tickers->text + tickers->at[tickers->slots[slot]];

        if (strncmp(known, text, len) == 0 && known[len] == '\0')
            return tickers->slots[slot];
    }
    at = kdpi_grow(tickers->at, &tickers->at_room, sizeof *at, (size_t)tickers->count + 2);
    if (at == NULL)
        return 0;
    tickers->at = at;
    grown = kdpi_grow(tickers->text, &tickers->room, 1, tickers->used + len + 1);
    if (grown == NULL)
        return 0;
    tickers->text = grown;
    memcpy(grown + tickers->used, text, len);
    grown[tickers->used + len] = '\0';
    tickers->at[++tickers->count] = (uint32_t)tickers->used;
    tickers->used += len + 1;
    tickers->slots[slot] = tickers->count;
    return tickers->count;
}

/* ---- trades by id ---- */
static const struct kdp_trade *
trade_at(const struct history_trades *trades, size_t row)
{
    return (const void *)kdp_lake_batch_record(trades->batch, trades->table, row);
}

static size_t
slot_of(const struct history_trades *trades, const uint8_t id[16])
{
    uint64_t high, low;

    memcpy(&high, id, 8);
    memcpy(&low, id + 8, 8);
    high = (high ^ low * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
    return (size_t)(high ^ high >> 32) & (trades->slot_count - 1);
}

static void
forget_batch(struct history_trades *trades)
{
    kdp_lake_batch_clear(trades->batch);
    memset(trades->slots, 0, trades->slot_count * sizeof *trades->slots);
    memset(trades->tickers.slots, 0, trades->tickers.slot_count * sizeof *trades->tickers.slots);
    trades->tickers.count = 0;
    trades->tickers.used = 0;
    trades->added = 0;
}

/* refill_slots finds the rows again, after some were taken out. */
static void
refill_slots(struct history_trades *trades)
{
    size_t rows = kdp_lake_batch_rows(trades->batch, trades->table), slot;

    memset(trades->slots, 0, trades->slot_count * sizeof *trades->slots);
    for (size_t row = 0; row < rows; row++) {
        for (slot = slot_of(trades, trade_at(trades, row)->trade_id); trades->slots[slot] != 0;
             slot = (slot + 1) & (trades->slot_count - 1))
            ;
        trades->slots[slot] = (uint32_t)row + 1;
    }
}

static bool
no_room(const struct history_trades *trades)
{
    /* by records, not rows: a flush that failed has taken rows out, their records are still there */
    return trades->added >= trades->rows_max || trades->tickers.used + TICKER_MAX >= trades->tickers_max;
}

int
kdp_history_trade(struct kdp_history *history, const struct kdp_message *msg, int64_t recv_ns)
{
    struct history_trades *trades = &history->trades;
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    size_t slot;
    struct kdp_builder b;
    struct kdp_trade *rec;
    uint32_t number;
    int rc;

    if (msg->kind != KDP_MESSAGE_TRADE || msg->market_ticker.len == 0 ||
        msg->market_ticker.len > TICKER_MAX ||
        memchr(msg->market_ticker.data, 0, msg->market_ticker.len) != NULL || msg->exch_ns < 0)
        return kdpi_fail(KDP_EINVAL, "not a trade with ticker, time and id");
    if (no_room(trades)) { /* the caller went on beyond "full" */
        rc = kdp_history_flush(history);
        if (rc != 0)
            return rc;
    }
    history->totals.given++;
    number = ticker_number(&trades->tickers, msg->market_ticker.data, msg->market_ticker.len);
    if (number == 0)
        return -KDP_ENOMEM;
    for (slot = slot_of(trades, msg->trade.trade_id); trades->slots[slot] != 0;
         slot = (slot + 1) & (trades->slot_count - 1)) {
        const struct kdp_trade *other = trade_at(trades, trades->slots[slot] - 1);

        if (memcmp(other->trade_id, msg->trade.trade_id, sizeof other->trade_id) == 0 &&
            other->head.instrument == number &&
            kdpi_day_of(other->head.exch_ns) == kdpi_day_of(msg->exch_ns)) {
            history->totals.duplicates++;
            return 0;
        }
    }
    rec = kdpi_build_start(&b, mem, KDP_TEMPLATE_TRADE);
    rec->head.exch_ns = msg->exch_ns;
    rec->head.recv_ns = recv_ns;
    rec->head.instrument = number;
    rec->head.origin = KDP_ORIGIN_HISTORY;
    rec->head.flags = KDP_FLAGS_LAST;
    memcpy(rec->trade_id, msg->trade.trade_id, sizeof rec->trade_id);
    rec->price_e4 = msg->trade.price_e4;
    rec->taker_side = msg->trade.taker_side;
    rec->block = msg->trade.block;
    rec->count_e2 = msg->trade.count_e2;
    rc = kdp_lake_batch_add(trades->batch, trades->table, &rec->head, kdpi_build_finish(&b));
    trades->added += rc == 0;
    if (rc == 0)
        trades->slots[slot] = (uint32_t)kdp_lake_batch_rows(trades->batch, trades->table);
    return rc;
}

bool
history_trades_full(const struct kdp_history *history)
{
    const struct history_trades *trades = &history->trades;
    size_t rows = kdp_lake_batch_rows(trades->batch, trades->table);

    return rows + PAGES_ROWS >= trades->rows_max ||
           trades->tickers.used + PAGES_ROWS * 32 >= trades->tickers_max ||
           rows * history_row_bytes(history) >= history->config.file_bytes;
}

/* ---- what the lake has ---- */
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
        for (size_t slot = slot_of(trades, id); trades->slots[slot] != 0;
             slot = (slot + 1) & (trades->slot_count - 1)) {
            uint32_t row = trades->slots[slot] - 1, len;
            const struct kdp_trade *trade = trade_at(trades, row);
            const char *ticker, *text;

            if (memcmp(trade->trade_id, id, sizeof id) != 0 ||
                kdpi_day_of(trade->head.exch_ns) != kdpi_day_of(times[i]))
                continue;
            ticker = ticker_at(&trades->tickers, trade->head.instrument);
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

static int
register_known(struct kdp_history *history)
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
        texts[i] = ticker_at(&trades->tickers, i + 1);
    qsort(texts, count, sizeof *texts, compare_texts);
    fprintf(out,
            " WHERE \"timestamp\" BETWEEN make_timestamp_ns(%" PRId64 ") AND make_timestamp_ns(%" PRId64
            ") AND ",
            from_ns, to_ns);
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
        rc = lake_writer_sql(&history->writer, text);
    free(text);
    return rc;
}

/* concerns says whether a file may hold trades of the batch. */
static bool
concerns(const struct kdp_manifest_file *file, const struct kdp_lake_day *days, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (days[i].day == file->day && file->ns_max >= days[i].ns_min && file->ns_min <= days[i].ns_max)
            return true;
    return false;
}

#define MARK_LAKE 1 /* there before this run, or captured */
#define MARK_RUN 2  /* written by this run */
#define MARK_LATER 3

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

        if (own != (mark == MARK_RUN) || !concerns(file, days, day_count))
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
    return look(history, from, days, day_count, MARK_LAKE);
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

/* look_everywhere marks the rows that the lake or the tape has.  A sealer may replace files meanwhile, and remove the
 * old ones: then it is done over. */
static int
look_everywhere(struct kdp_history *history, const struct kdp_lake_day *days, size_t day_count)
{
    int rc = 0;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct kdp_manifest manifest, now;
        bool same;

        rc = kdp_manifest_read(&manifest, history->config.dir, "trades");
        if (rc == 0)
            rc = look_at_files(history, &manifest, days, day_count, MARK_RUN);
        if (rc == 0)
            rc = look_at_files(history, &manifest, days, day_count, MARK_LAKE);
        if (rc == 0)
            rc = look_at_tape(history, manifest.sealed_seq, days, day_count);
        if (rc != -KDP_EIO) {
            kdp_manifest_release(&manifest);
            return rc;
        }
        same = kdp_manifest_read(&now, history->config.dir, "trades") != 0 || same_files(&manifest, &now);
        kdp_manifest_release(&manifest);
        kdp_manifest_release(&now);
        if (same)
            break;
    }
    return rc;
}

/* ---- writing ---- */
static int
write_days(struct kdp_history *history, const struct kdp_lake_day *days, size_t day_count,
           struct kdp_manifest_file *files)
{
    struct history_trades *trades = &history->trades;
    int rc = 0;

    for (size_t i = 0; i < day_count && rc == 0; i++) {
        char name[64], folder[32], date[16], select[64];

        kdpi_day_format(date, days[i].day);
        snprintf(folder, sizeof folder, "date=%s", date);
        snprintf(select, sizeof select, "FROM kdp_batch(%u, %zu)", trades->table, i);
        history_name(history, name, sizeof name);
        rc = lake_writer_file(&history->writer, "trades", folder, name, select, &files[i]);
        files[i].day = days[i].day;
        files[i].rows = days[i].count;
        files[i].ns_min = days[i].ns_min;
        files[i].ns_max = days[i].ns_max;
        history->rows_written += files[i].rows;
        history->bytes_written += files[i].bytes;
    }
    return rc;
}

/* leave_out takes the rows that are known, or the plant's business, out of the batch. */
static void
leave_out(struct kdp_history *history)
{
    struct history_trades *trades = &history->trades;
    size_t rows = kdp_lake_batch_rows(trades->batch, trades->table);

    for (size_t i = 0; i < rows; i++) {
        history->totals.already += trades->known[i] == MARK_LAKE;
        history->totals.duplicates += trades->known[i] == MARK_RUN;
        history->totals.later += trades->known[i] == MARK_LATER;
    }
    kdp_lake_batch_drop(trades->batch, trades->table, trades->known);
}

static int
sort(struct history_trades *trades, const struct kdp_lake_day **daysp, size_t *countp)
{
    *daysp = NULL;
    *countp = 0;
    if (kdp_lake_batch_rows(trades->batch, trades->table) == 0)
        return 0;
    return kdp_lake_batch_sort(trades->batch, trades->table, trades->tickers.count, ticker_at,
                               &trades->tickers, daysp, countp);
}

int
history_trades_flush(struct kdp_history *history, int64_t limit_ns)
{
    struct history_trades *trades = &history->trades;
    size_t rows = kdp_lake_batch_rows(trades->batch, trades->table), day_count = 0;
    const struct kdp_lake_day *days = NULL;
    struct kdp_manifest_file *files = NULL;
    int rc;

    if (rows == 0 && history->pending[0].count == 0)
        return 0;
    trades->known = calloc(rows > 0 ? rows : 1, 1);
    if (trades->known == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    for (size_t i = 0; i < rows && limit_ns != KDP_TIME_NULL; i++)
        if (trade_at(trades, i)->head.exch_ns >= limit_ns)
            trades->known[i] = MARK_LATER;
    rc = sort(trades, &days, &day_count);
    if (rc == 0 && day_count > 0)
        rc = look_everywhere(history, days, day_count);
    if (rc == 0) {
        leave_out(history);
        rc = sort(trades, &days, &day_count);
    }
    files = calloc(day_count > 0 ? day_count : 1, sizeof *files);
    if (rc == 0 && files == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    if (rc == 0)
        rc = history_manifest_first(history, "trades");
    if (rc == 0)
        rc = write_days(history, days, day_count, files);
    if (rc == 0)
        rc =
            history_named(history, "trades", KDP_LAKE_SCHEMA_VERSION, files, day_count, &history->pending[0]);
    if (rc == 0) {
        history->totals.inserted += kdp_lake_batch_rows(trades->batch, trades->table);
        forget_batch(trades);
    } else {
        refill_slots(trades); /* it may be tried again */
    }
    free(files);
    free(trades->known);
    trades->known = NULL;
    return rc;
}

int
history_trades_open(struct kdp_history *history, uint64_t bytes)
{
    struct history_trades *trades = &history->trades;
    int rc;

    trades->table = (unsigned)kdp_lake_table_of(KDP_TEMPLATE_TRADE);
    trades->rows_max = (size_t)(bytes / ROW_BYTES);
    if (trades->rows_max < ROWS_LEAST)
        trades->rows_max = ROWS_LEAST;
    trades->tickers_max = bytes / 8 < UINT32_MAX / 2 ? (size_t)(bytes / 8) : UINT32_MAX / 2;
    trades->slot_count = 1024;
    while (trades->slot_count < trades->rows_max * 3 / 2)
        trades->slot_count *= 2;
    trades->slots = calloc(trades->slot_count, sizeof *trades->slots);
    if (trades->slots == NULL || tickers_grow(&trades->tickers) != 0)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    rc = kdp_lake_batch_open(&trades->batch, trades->rows_max * sizeof(struct kdp_trade));
    if (rc == 0)
        rc = kdp_lake_batch_reserve(trades->batch, trades->table, trades->rows_max);
    if (rc == 0)
        rc = kdp_lake_batch_register(trades->batch, history->writer.duck, history->writer.connection);
    if (rc == 0)
        rc = kdp_lake_scan_register(history->writer.duck, history->writer.connection, history->config.dir);
    return rc == 0 ? register_known(history) : rc;
}

void
history_trades_close(struct kdp_history *history)
{
    struct history_trades *trades = &history->trades;

    kdp_lake_batch_close(trades->batch);
    free(trades->slots);
    free(trades->tickers.text);
    free(trades->tickers.at);
    free(trades->tickers.slots);
}
