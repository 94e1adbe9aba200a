/* history_trades.c - trades of the past: kept as records, held against what the lake and the tape have, filed by day. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "history_private.h"
#include "lake_scan.h"
#include "memory.h"
#include "message.h"
#include "record.h"

#define ROW_BYTES \
    168u /* record, its place before and after sorting, id slots, a mark, and as much again as sorting may take */
#define ROWS_LEAST 40000u
#define TICKER_MAX 200u
#define PAGES_ROWS 20000u /* room that is left when a flush is due: the pages under way */

static void
forget_batch(struct history_trades *trades)
{
    kdp_lake_batch_clear(trades->batch);
    memset(trades->slots, 0, trades->slot_count * sizeof *trades->slots);
    history_tickers_clear(&trades->tickers);
    trades->added = 0;
}

/* refill_slots finds the rows again, after some were taken out. */
static void
refill_slots(struct history_trades *trades)
{
    size_t rows = kdp_lake_batch_rows(trades->batch, trades->table), slot;

    memset(trades->slots, 0, trades->slot_count * sizeof *trades->slots);
    for (size_t row = 0; row < rows; row++) {
        for (slot = history_slot_of(trades, history_trade_at(trades, row)->trade_id);
             trades->slots[slot] != 0; slot = (slot + 1) & (trades->slot_count - 1))
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
        rc = history_make_room(history);
        if (rc != 0)
            return rc;
    }
    history->totals.given++;
    number = history_ticker_number(&trades->tickers, msg->market_ticker.data, msg->market_ticker.len);
    if (number == 0)
        return -KDP_ENOMEM;
    for (slot = history_slot_of(trades, msg->trade.trade_id); trades->slots[slot] != 0;
         slot = (slot + 1) & (trades->slot_count - 1)) {
        const struct kdp_trade *other = history_trade_at(trades, trades->slots[slot] - 1);

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
    if (rc != 0)
        history_unwrite(history, "trades", files, day_count);
    return rc;
}

/* leave_out takes the rows that are known, or the plant's business, out of the batch. */
static void
leave_out(struct kdp_history *history)
{
    struct history_trades *trades = &history->trades;
    size_t rows = kdp_lake_batch_rows(trades->batch, trades->table);

    for (size_t i = 0; i < rows; i++) {
        history->totals.already += trades->known[i] == HISTORY_MARK_LAKE;
        history->totals.duplicates += trades->known[i] == HISTORY_MARK_RUN;
        history->totals.later += trades->known[i] == HISTORY_MARK_LATER;
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
    return kdp_lake_batch_sort(trades->batch, trades->table, trades->tickers.count, history_ticker,
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
        if (history_trade_at(trades, i)->head.exch_ns >= limit_ns)
            trades->known[i] = HISTORY_MARK_LATER;
    rc = sort(trades, &days, &day_count);
    if (rc == 0 && day_count > 0)
        rc = history_known_mark(history, days, day_count);
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
        rc = history_named(history, 0, KDP_LAKE_SCHEMA_VERSION, files, day_count);
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
    if (trades->slots == NULL || history_tickers_grow(&trades->tickers) != 0)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    rc = kdp_lake_batch_open(&trades->batch, trades->rows_max * sizeof(struct kdp_trade));
    if (rc == 0)
        rc = kdp_lake_batch_reserve(trades->batch, trades->table, trades->rows_max);
    if (rc == 0)
        rc = kdp_lake_batch_register(trades->batch, history->writer.duck, history->writer.connection);
    if (rc == 0)
        rc = kdp_lake_scan_register(history->writer.duck, history->writer.connection, history->config.dir);
    return rc == 0 ? history_known_register(history) : rc;
}

void
history_trades_close(struct kdp_history *history)
{
    struct history_trades *trades = &history->trades;

    kdp_lake_batch_close(trades->batch);
    free(trades->slots);
    history_tickers_release(&trades->tickers);
}
