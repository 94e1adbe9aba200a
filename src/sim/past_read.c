/* past_read.c - a past that was recorded: trades over REST, a JSON object, page or array a file or line, or comma-separated.
 *
 * What the trades do not say is derived: event and series from the ticker, the ticks from the prices, the life of a market from its
 * first and last trade, the result from its last price. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "past_private.h"
#include "rest.h"
#include "source.h"

#define FILE_MAX_BYTES ((size_t)4 << 30)
#define MINUTE_NS (60 * KDP_NS_PER_S)
#define LINE_MAX_BYTES 65536u

struct reading {
    struct kdp_past *past;
    struct kdp_rest_reader *rest;
    char *line;       /* of LINE_MAX_BYTES: a trade dressed up as a page */
    uint64_t refused; /* objects that are no trades */
    bool no_memory;
};

/* ---- trades in ---- */

static bool
take(void *arg, const struct kdp_message *msg)
{
    struct reading *r = arg;
    struct kdp_past *past = r->past;
    struct kdp_exchange_trade *trade;
    uint32_t market = kdp_past_find(past, msg->market_ticker.data, msg->market_ticker.len);

    if (past->count == past->stored_room) {
        void *grown = past->count < KDP_PAST_TRADES_MAX
                          ? kdpi_grow(past->stored, &past->stored_room, sizeof *past->stored, past->count + 1)
                          : NULL;

        if (grown == NULL) {
            r->no_memory = true;
            return false;
        }
        past->stored = grown;
    }
    if (market == PAST_NOWHERE) {
        struct past_market *m = past_market_add(past);

        market = past->market_count - 1;
        if (m == NULL ||
            (m->ticker = past_text(past, msg->market_ticker.data, msg->market_ticker.len)) == NULL ||
            past_name(past, market) != 0) {
            r->no_memory = true;
            return false;
        }
    }
    trade = &past->stored[past->count++];
    *trade = (struct kdp_exchange_trade){.market = market,
                                         .yes_price_e4 = msg->trade.price_e4,
                                         .count_e2 = msg->trade.count_e2,
                                         .taker_side = msg->trade.taker_side,
                                         .block = msg->trade.block,
                                         .time_ns = msg->exch_ns / 1000 * 1000};
    memcpy(trade->trade_id, msg->trade.trade_id, sizeof trade->trade_id);
    return true;
}

/* Bytes that are a page already. */
static bool
take_page(struct reading *r, const char *text, size_t len)
{
    struct kdp_rest_end end;

    kdpi_rest_trades(r->rest, text, len, take, r, &end);
    r->refused += end.refused;
    return end.refusal == KDP_REFUSAL_NONE && end.items + end.refused > 0;
}

static void
take_object(struct reading *r, const char *text, size_t len)
{
    int n;

    if (len == 0)
        return;
    n = len < LINE_MAX_BYTES - 64
            ? snprintf(r->line, LINE_MAX_BYTES, "{\"trades\":[%.*s],\"cursor\":\"\"}", (int)len, text)
            : 0;
    if (n <= 0 || !take_page(r, r->line, (size_t)n))
        r->refused++;
}

/* ---- comma-separated ---- */

static size_t
split(const char *text, size_t len, struct kdp_text fields[16])
{
    size_t count = 0, at = 0;

    while (count < 16) {
        size_t n = 0;

        while (at + n < len && text[at + n] != ',')
            n++;
        fields[count++] = (struct kdp_text){text + at, n};
        at += n + 1;
        if (at > len)
            break;
    }
    return count;
}

static void
take_row(struct reading *r, const struct kdp_text *names, size_t count, const char *text, size_t len)
{
    struct kdp_text fields[16];
    size_t got = split(text, len, fields), used = 0;
    char row[4096];

    if (len == 0)
        return;
    if (got != count) {
        r->refused++;
        return;
    }
    row[used++] = '{';
    for (size_t i = 0; i < count && used < sizeof row - 512; i++) {
        /* the names that others gave to what the exchange calls otherwise */
        struct kdp_text name = kdpi_text_is(names[i], "price")   ? (struct kdp_text){"yes_price_dollars", 17}
                               : kdpi_text_is(names[i], "count") ? (struct kdp_text){"count_fp", 8}
                                                                 : names[i];
        int n = snprintf(row + used, sizeof row - used, "%s\"%.*s\":\"%.*s\"", i == 0 ? "" : ",",
                         (int)name.len, name.data, (int)fields[i].len, fields[i].data);

        if (n < 0 || (size_t)n >= sizeof row - used) {
            r->refused++;
            return;
        }
        used += (size_t)n;
    }
    row[used++] = '}';
    take_object(r, row, used);
}

/* ---- files ---- */

int
past_file(const char *path, char **textp, size_t *lenp)
{
    struct kdp_source *source;
    size_t room = 0, len = 0;
    char *text = NULL;
    int64_t got = 0;
    int rc = kdp_source_open(&source, path);

    if (rc != 0)
        return rc;
    do {
        char *grown = len < FILE_MAX_BYTES ? kdpi_grow(text, &room, 1, len + (1u << 20)) : NULL;

        if (grown == NULL) {
            rc = kdpi_fail(KDP_ENOMEM, "no memory to read %s", path);
            break;
        }
        text = grown;
        got = kdp_source_read(source, text + len, room - len - 1);
        if (got < 0)
            rc = (int)got;
        else
            len += (size_t)got;
    } while (got > 0);
    kdp_source_close(source);
    if (rc != 0) {
        free(text);
        return rc;
    }
    *textp = text;
    *lenp = len;
    return 0;
}

static void
read_lines(struct reading *r, const char *text, size_t len, bool rows)
{
    struct kdp_text names[16];
    size_t columns = 0;

    while (len > 0 && !r->no_memory) {
        const char *end = memchr(text, '\n', len);
        size_t n = end != NULL ? (size_t)(end - text) : len, bare = n > 0 && text[n - 1] == '\r' ? n - 1 : n;

        if (!rows && bare >= 9 && memcmp(text, "{\"trades\"", 9) == 0) {
            if (!take_page(r, text, bare))
                r->refused++;
        } else if (!rows) {
            take_object(r, text, bare);
        } else if (columns == 0) {
            columns = split(text, bare, names);
        } else {
            take_row(r, names, columns, text, bare);
        }
        n = n < len ? n + 1 : n;
        text += n;
        len -= n;
    }
}

static int
read_file(struct reading *r, const char *path)
{
    char *text = NULL;
    size_t len = 0, at = 0;
    uint64_t before = r->past->count, refused = r->refused;
    int rc = past_file(path, &text, &len);

    if (rc != 0)
        return rc;
    while (at < len && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        at++;
    if (at < len && text[at] == '[') {
        struct kdp_rest_end end = {0};
        char *page = malloc(len + 32);

        if (page != NULL) {
            int n = snprintf(page, 16, "{\"trades\":");

            memcpy(page + n, text, len);
            page[(size_t)n + len] = '}';
            kdpi_rest_trades(r->rest, page, (size_t)n + len + 1, take, r, &end);
            r->refused += end.refused;
        }
        r->no_memory = r->no_memory || page == NULL;
        free(page);
    } else if (at < len) {
        read_lines(r, text, len, text[at] != '{');
    }
    free(text);
    if (r->no_memory)
        return kdpi_fail(KDP_ENOMEM, "no memory for the trades of %s: more than %u markets or %llu trades?",
                         path, KDP_PAST_MARKETS_MAX, (unsigned long long)KDP_PAST_TRADES_MAX);
    if (r->past->count == before) {
        rc = kdpi_fail(KDP_EFORMAT, "no trades in %s: %llu lines that are none", path,
                       (unsigned long long)(r->refused - refused));
        kdpi_hint(
            "One trade object of the exchange a line, a page or array of them, or columns with a header");
        return rc;
    }
    return 0;
}

/* ---- order ---- */

static int
by_id(const void *a, const void *b)
{
    const struct kdp_exchange_trade *x = a, *y = b;
    int order = memcmp(x->trade_id, y->trade_id, sizeof x->trade_id);

    return order != 0 ? order : x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static int
by_time(const void *a, const void *b)
{
    const struct kdp_exchange_trade *x = a, *y = b;

    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->market != y->market)
        return x->market < y->market ? -1 : 1;
    return memcmp(x->trade_id, y->trade_id, sizeof x->trade_id);
}

/* One of each id, in order of time; then each market's own list. */
static int
put_in_order(struct kdp_past *past)
{
    uint64_t kept = 0, at = 0, *next;

    if (past->count == 0)
        return 0;
    qsort(past->stored, past->count, sizeof *past->stored, by_id);
    for (uint64_t i = 0; i < past->count; i++) {
        if (i == 0 || memcmp(past->stored[i].trade_id, past->stored[kept - 1].trade_id, 16) != 0)
            past->stored[kept++] = past->stored[i];
    }
    past->count = kept;
    qsort(past->stored, past->count, sizeof *past->stored, by_time);
    past->numbers = malloc(past->count * sizeof *past->numbers);
    next = calloc(past->market_count, sizeof *next);
    if (past->numbers == NULL || next == NULL) {
        free(next);
        return kdpi_fail(KDP_ENOMEM, "no memory for the order of %llu trades",
                         (unsigned long long)past->count);
    }
    for (uint64_t i = 0; i < past->count; i++)
        past->markets[past->stored[i].market].trades++;
    for (uint32_t i = 0; i < past->market_count; i++) {
        past->markets[i].list = at;
        at += past->markets[i].trades;
    }
    for (uint64_t i = 0; i < past->count; i++) {
        uint32_t market = past->stored[i].market;

        past->numbers[past->markets[market].list + next[market]++] = (uint32_t)i;
    }
    free(next);
    return 0;
}

/* ---- markets out of trades ---- */

static uint8_t
grid_of(const struct kdp_past *past, const struct past_market *m)
{
    static const uint8_t grids[] = {0, 1, 3, 2}; /* cents, tapered, tenths, hundredths */

    for (unsigned g = 0; g < 3; g++) {
        bool fits = true;

        for (uint64_t i = 0; fits && i < m->trades; i++) {
            int32_t price = past->stored[past->numbers[m->list + i]].yes_price_e4;

            fits = gen_tick_floor(grids[g], price) == price;
        }
        if (fits)
            return grids[g];
    }
    return grids[3];
}

static int
define(struct kdp_past *past, struct past_market *m)
{
    const char *dash = strrchr(m->ticker, '-'), *first = strchr(m->ticker, '-');
    const struct kdp_exchange_trade *oldest, *newest;

    if (m->trades == 0)
        return 0;
    for (uint64_t i = 0; i < m->trades; i++) {
        const struct kdp_exchange_trade *trade = &past->stored[past->numbers[m->list + i]];

        exchange_add(&m->volume_e2, trade->count_e2);
        exchange_add(&m->cash_e6, trade->count_e2 * trade->yes_price_e4);
    }
    if (m->raw != NULL) /* it has said all the rest itself */
        return 0;
    oldest = &past->stored[past->numbers[m->list]];
    newest = &past->stored[past->numbers[m->list + m->trades - 1]];
    m->event_ticker = past_text(past, m->ticker, dash != NULL ? (size_t)(dash - m->ticker) : m->ticker_len);
    m->series_ticker =
        past_text(past, m->ticker, first != NULL ? (size_t)(first - m->ticker) : m->ticker_len);
    if (m->event_ticker == NULL || m->series_ticker == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a market of the past");
    m->title = m->event_ticker;
    m->sub_title = dash != NULL ? dash + 1 : m->ticker;
    m->structure = grid_of(past, m);
    m->last_e4 = newest->yes_price_e4;
    m->last_size_e2 = newest->count_e2;
    m->open_ns = oldest->time_ns / MINUTE_NS * MINUTE_NS;
    m->created_ns = m->open_ns - 60 * MINUTE_NS;
    m->close_ns = (newest->time_ns / MINUTE_NS + 1) * MINUTE_NS;
    m->determined_ns = m->close_ns + 10 * KDP_NS_PER_S;
    m->settled_ns = m->close_ns + MINUTE_NS;
    m->result = m->last_e4 >= 5000 ? KDP_RESULT_YES : KDP_RESULT_NO;
    m->settlement_value_e6 = m->last_e4 >= 5000 ? 1000000 : 0;
    return 0;
}

int
past_read_open(struct kdp_past *past)
{
    struct reading r = {.past = past, .rest = kdpi_rest_open(), .line = malloc(LINE_MAX_BYTES)};
    int64_t shift_ns = 0;
    int rc = r.rest == NULL || r.line == NULL ? kdpi_fail(KDP_ENOMEM, "no memory for a past") : 0;

    for (unsigned i = 0; rc == 0 && i < past->config.file_count; i++)
        rc = read_file(&r, past->config.files[i]);
    kdpi_rest_close(r.rest);
    free(r.line);
    if (rc == 0)
        rc = past_answers(past);
    if (rc == 0)
        rc = put_in_order(past);
    if (rc != 0)
        return rc;
    /* so that the last market was settled some seconds ago; whole minutes, so that seconds stay what they were */
    if (past->count > 0 && !past->config.no_shift && past->config.answer_count == 0)
        shift_ns = (past->config.now_ns - 3 * MINUTE_NS - past->stored[past->count - 1].time_ns) / MINUTE_NS *
                   MINUTE_NS;
    for (uint64_t i = 0; i < past->count; i++)
        past->stored[i].time_ns += shift_ns;
    for (uint32_t i = 0; rc == 0 && i < past->market_count; i++)
        rc = define(past, &past->markets[i]);
    return rc;
}
