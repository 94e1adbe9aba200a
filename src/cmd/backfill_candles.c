/* backfill_candles.c - candles of the run's markets: of hours and minutes for the proof, of the wanted length for the table.
 *
 * A market of the live tier is asked for with others in one request, one of the historical tier alone.  A market that was not told
 * of in one tier is asked for in the other, twice over: it may have moved meanwhile. */
#include "backfill_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "memory.h"

#define ONE_MAX 5000      /* candles of one market in an answer */
#define ALL_MAX 9500      /* of several; the exchange says 10,000 */
#define TOGETHER_MAX 100u /* markets in a request */
#define ROUNDS 4          /* tiers tried, in turn */
#define MINUTE (60 * KDP_NS_PER_S)

struct request {
    bool old, alone;
    unsigned minutes;
    int64_t start_ns, end_ns;
    size_t first, count; /* of order */
};

struct asking {
    struct backfill_run *run;
    bool table;    /* rows for the table candles, else proof */
    size_t *order; /* markets of this round */
    size_t order_count;
    struct request *requests;
    size_t request_count, request_room, next;
    size_t outstanding;
    bool no_batch; /* the exchange has no request for several */
    struct asked {
        unsigned wanted, good;
        bool done, bad, left_out;
        int64_t from_ns, to_ns; /* of the table: what is missing */
    } * asked;                  /* by market */
    const struct request *current;
    size_t market;   /* of an answer about one */
    int table_index; /* candles */
    const char *interval;
    int rc;
};

/* ---- which candles ---- */
#define PARTS 3u /* minutes up to an hour, hours, minutes */

/* part_of gives one part of what is asked of a market; false: none of it. */
static bool
part_of(const struct asking *a, size_t index, unsigned part, struct kdp_proof_span *span)
{
    const struct backfill_market *market = &a->run->markets[index];
    int64_t hour = 60 * MINUTE, unit = a->run->interval_min * MINUTE;
    struct kdp_proof_span parts[PARTS];

    if (a->table) {
        *span = (struct kdp_proof_span){a->asked[index].from_ns / unit * unit,
                                        a->asked[index].to_ns / unit * unit, a->run->interval_min};
        return part == 0 && span->start_ns < span->end_ns;
    }
    if (part >= kdp_proof_spans(a->run->start_ns, a->run->end_ns, parts))
        return false;
    *span = parts[part];
    if (span->start_ns < market->from_ns / hour * hour)
        span->start_ns = market->from_ns / hour * hour;
    if (span->end_ns > (market->to_ns + hour - 1) / hour * hour)
        span->end_ns = (market->to_ns + hour - 1) / hour * hour;
    return span->start_ns < span->end_ns;
}

static struct request *
add(struct asking *a)
{
    struct request *requests =
        kdpi_grow(a->requests, &a->request_room, sizeof *requests, a->request_count + 1);

    if (requests == NULL)
        return NULL;
    a->requests = requests;
    return &requests[a->request_count++];
}

/* Requests of one market, as long as an answer may be. */
static int
add_alone(struct asking *a, size_t at, const struct kdp_proof_span *span, bool old)
{
    int64_t longest = (int64_t)span->minutes * MINUTE * (ONE_MAX - 10);

    for (int64_t from = span->start_ns; from < span->end_ns; from += longest) {
        struct request *request = add(a);

        if (request == NULL)
            return -KDP_ENOMEM;
        *request = (struct request){
            old, true, span->minutes, from, span->end_ns - from > longest ? from + longest : span->end_ns,
            at,  1};
        a->asked[a->order[at]].wanted++;
    }
    return 0;
}

/* Markets that follow each other in order are asked for together, as long as their candles are not too many. */
static int
add_together(struct asking *a, size_t *atp, unsigned part)
{
    int64_t start_ns = 0, end_ns = 0, unit = MINUTE;
    size_t first = *atp, at = first;
    struct kdp_proof_span span;
    struct request *request;
    unsigned minutes = 1;

    for (; at < a->order_count && at - first < TOGETHER_MAX; at++) {
        int64_t from, to;

        if (!part_of(a, a->order[at], part, &span))
            continue;
        minutes = span.minutes;
        unit = minutes * MINUTE;
        from = start_ns == 0 || span.start_ns < start_ns ? span.start_ns : start_ns;
        to = span.end_ns > end_ns ? span.end_ns : end_ns;
        if (at > first && ((to - from) / unit + 1) * (int64_t)(at - first + 1) > ALL_MAX)
            break;
        start_ns = from;
        end_ns = to;
    }
    *atp = at;
    if (start_ns == end_ns)
        return 0;
    for (int64_t from = start_ns; from < end_ns; from += unit * (ONE_MAX - 10)) {
        int64_t to = end_ns - from > unit * (ONE_MAX - 10) ? from + unit * (ONE_MAX - 10) : end_ns;

        request = add(a);
        if (request == NULL)
            return -KDP_ENOMEM;
        *request = (struct request){false, false, minutes, from, to, first, at - first};
        for (size_t i = first; i < at; i++)
            a->asked[a->order[i]].wanted++;
    }
    return 0;
}

static const struct asking *sorting; /* for qsort, which has no argument */

static int
by_life(const void *x, const void *y)
{
    const struct backfill_market *a = &sorting->run->markets[*(const size_t *)x],
                                 *b = &sorting->run->markets[*(const size_t *)y];

    return a->from_ns != b->from_ns ? (a->from_ns < b->from_ns ? -1 : 1) : strcmp(a->ticker, b->ticker);
}

static int
plan(struct asking *a, bool old)
{
    struct kdp_proof_span span;
    int rc = 0;

    a->request_count = a->next = 0;
    sorting = a;
    qsort(a->order, a->order_count, sizeof *a->order, by_life);
    for (size_t i = 0; i < a->order_count; i++) {
        struct asked *asked = &a->asked[a->order[i]];

        asked->wanted = asked->good = 0;
        asked->bad = false;
    }
    for (unsigned part = 0; part < PARTS; part++)
        for (size_t at = 0; at < a->order_count && rc == 0;) {
            if (!old && !a->no_batch) {
                rc = add_together(a, &at, part);
                continue;
            }
            if (part_of(a, a->order[at], part, &span))
                rc = add_alone(a, at, &span, old);
            at++;
        }
    return rc;
}

static int
send(struct asking *a)
{
    const struct request *r = &a->requests[a->next];
    char path[24 * 1024];
    size_t used;
    bool fits = true;

    if (r->alone) {
        const struct backfill_market *market = &a->run->markets[a->order[r->first]];

        if (r->old) {
            strcpy(path, "/historical/markets/");
        } else { /* the series of a market is not told; its event's first part is */
            strcpy(path, "/series/");
            fits = kdpi_query_escape(
                path, sizeof path, market->ticker,
                strcspn(market->event != NULL && market->event[0] != '\0' ? market->event : market->ticker,
                        "-"));
            strcat(path, "/markets/");
        }
        fits = fits && kdpi_query_escape(path, sizeof path, market->ticker, strlen(market->ticker));
        strcat(path, "/candlesticks?");
    } else {
        strcpy(path, "/markets/candlesticks?market_tickers=");
        for (size_t i = 0; i < r->count && fits; i++) {
            const char *ticker = a->run->markets[a->order[r->first + i]].ticker;

            if (i > 0)
                strcat(path, ",");
            fits = strlen(path) + 4 * strlen(ticker) + 128 < sizeof path &&
                   kdpi_query_escape(path, sizeof path, ticker, strlen(ticker));
        }
        strcat(path, "&");
    }
    if (!fits)
        return kdpi_fail(KDP_ERANGE, "too many markets in one request for candles");
    used = strlen(path);
    snprintf(path + used, sizeof path - used, "start_ts=%" PRId64 "&end_ts=%" PRId64 "&period_interval=%u",
             r->start_ns / KDP_NS_PER_S, r->end_ns / KDP_NS_PER_S, r->minutes);
    return kdp_asker_get(a->run->ask.asker, a->next++, path);
}

/* ---- what they say ---- */
static void
put_price(char cell[KDPI_DECIMAL_TEXT], const char **cellp, int64_t value, bool null, unsigned scale)
{
    *cellp = NULL;
    if (null)
        return;
    kdpi_decimal_format(cell, value, scale);
    *cellp = cell;
}

struct cell {
    const char *name;
    int64_t value;
    bool null;
    unsigned scale;
};

static int
add_row(struct asking *a, const struct backfill_market *market, const struct kdp_rest_candle *c)
{
    const struct kdp_history_table *table = &kdp_history_tables(NULL)[a->table_index];
    char texts[40][KDPI_DECIMAL_TEXT], end[KDPI_TIME_TEXT];
    const char *cells[40];
    unsigned count = 0;
#define PRICE(name, value)                        \
    {                                             \
        name, value, (value) == KDP_PRICE_NULL, 4 \
    }
    const struct cell values[] = {
        PRICE("yes_bid_open", c->bid.open_e4),
        PRICE("yes_bid_high", c->bid.high_e4),
        PRICE("yes_bid_low", c->bid.low_e4),
        PRICE("yes_bid_close", c->bid.close_e4),
        PRICE("yes_ask_open", c->ask.open_e4),
        PRICE("yes_ask_high", c->ask.high_e4),
        PRICE("yes_ask_low", c->ask.low_e4),
        PRICE("yes_ask_close", c->ask.close_e4),
        PRICE("price_open", c->price.open_e4),
        PRICE("price_high", c->price.high_e4),
        PRICE("price_low", c->price.low_e4),
        PRICE("price_close", c->price.close_e4),
        PRICE("price_previous", c->previous_e4),
        {"price_mean", c->mean_e6, c->mean_e6 == KDP_INT64_NULL, 6},
        {"volume", c->volume_e2, c->volume_e2 == KDP_INT64_NULL, 2},
        {"open_interest", c->open_interest_e2, c->open_interest_e2 == KDP_INT64_NULL, 2},
        {"interval_s", a->run->interval_min * 60, false, 0},
    };
#undef PRICE

    kdpi_time_format(end, c->end_ns, 9);
    for (unsigned i = 0; i < table->column_count && count < 40; i++) {
        const char *name = table->columns[i].name;

        if (table->columns[i].own)
            continue;
        cells[count] = NULL;
        if (strcmp(name, "ticker") == 0)
            cells[count] = market->ticker;
        else if (strcmp(name, "timestamp") == 0)
            cells[count] = end;
        else if (strcmp(name, "tier") == 0)
            cells[count] = a->current->old ? "historical" : "live";
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            if (strcmp(values[v].name, name) == 0)
                put_price(texts[count], &cells[count], values[v].value, values[v].null, values[v].scale);
        count++;
    }
    a->run->candle_rows++;
    return kdp_history_row(a->run->history, (unsigned)a->table_index, cells, count);
}

static bool
each(void *arg, const struct kdp_rest_candle *candle)
{
    struct asking *a = arg;
    const struct request *r = a->current;
    struct backfill_market *market = NULL;
    char ticker[256];

    if (candle->end_ns <= r->start_ns || candle->end_ns > r->end_ns)
        return true;
    if (r->alone) {
        market = &a->run->markets[a->market];
    } else if (candle->ticker.len < sizeof ticker) {
        snprintf(ticker, sizeof ticker, "%.*s", (int)candle->ticker.len, candle->ticker.data);
        market = kdp_backfill_market_find(a->run, ticker);
    }
    if (market == NULL || market->candles || a->asked[market - a->run->markets].done)
        return true; /* not asked for */
    if (a->table) {
        a->rc = add_row(a, market, candle);
        return a->rc == 0;
    }
    if (candle->volume_e2 != KDP_INT64_NULL && candle->volume_e2 != 0)
        kdp_proof_candle(&market->proof, candle->end_ns, candle->volume_e2);
    return true;
}

/* An answer about several names each market that it tells of, also one without candles. */
static bool
names(const char *body, size_t len, const char *ticker)
{
    char quoted[260];
    int n = snprintf(quoted, sizeof quoted, "\"%s\"", ticker);

    return n > 0 && (size_t)n < sizeof quoted && memmem(body, len, quoted, (size_t)n) != NULL;
}

static const char *
scope_of(const struct asking *a, size_t index, char *buf, size_t size)
{
    snprintf(buf, size, "%s:%s", a->run->markets[index].ticker, a->interval);
    return buf;
}

/* A market of the table that is whole becomes a window. */
static int
row_window(struct asking *a, size_t market)
{
    struct asked *asked = &a->asked[market];
    char scope[256];

    if (asked->done || asked->bad || asked->good != asked->wanted)
        return 0;
    asked->done = true;
    return kdp_history_window(a->run->history, "candles", scope_of(a, market, scope, sizeof scope),
                              asked->from_ns, asked->to_ns);
}

static int
take(struct asking *a, struct kdp_asker_answer *answer)
{
    const struct request *r = &a->requests[answer->request];
    struct kdp_rest_end end;
    bool good = answer->status == 200;

    a->current = r;
    a->market = a->order[r->first];
    a->rc = 0;
    if (good) {
        kdpi_rest_candles(a->run->reader, answer->body, answer->len, each, a, &end, NULL);
        if (a->rc != 0) {
            kdp_asker_free(answer);
            return a->rc;
        }
        good = end.refusal == KDP_REFUSAL_NONE && end.refused == 0;
    } else if (answer->status == 404 && !r->alone) {
        a->no_batch = true;
    }
    for (size_t i = 0; i < r->count; i++) {
        size_t market = a->order[r->first + i];

        if (good && (r->alone || names(answer->body, answer->len, a->run->markets[market].ticker)))
            a->asked[market].good++;
        else
            a->asked[market].bad = true;
        if (a->rc == 0 && a->table)
            a->rc = row_window(a, market);
    }
    kdp_asker_free(answer);
    if (a->rc == 0 && a->table && kdp_history_full(a->run->history))
        a->rc = kdp_history_flush(a->run->history);
    return a->rc;
}

static int
round_of(struct asking *a, bool old)
{
    struct backfill_run *run = a->run;
    int rc = plan(a, old);

    while (rc == 0 && (a->next < a->request_count || kdp_asker_pending(run->ask.asker) > 0)) {
        struct kdp_asker_answer *answer;
        uint64_t request;

        while (rc == 0 && a->next < a->request_count && kdp_asker_pending(run->ask.asker) < 4 * run->parallel)
            rc = send(a);
        if (rc != 0)
            break;
        rc = kdp_asker_next(run->ask.asker, &answer, &request);
        if (rc == 0) {
            rc = take(a, answer);
        } else if (rc != -KDP_ESTOPPED) { /* what cannot be had is not proven */
            for (size_t i = 0; i < a->requests[request].count; i++)
                a->asked[a->order[a->requests[request].first + i]].bad = true;
            rc = 0;
        }
        if (kdp_progress_due(&run->progress))
            kdp_progress_update(&run->progress, (double)a->next, (double)a->request_count,
                                "%zu of %zu for candles", a->next, a->request_count);
    }
    for (size_t i = 0; i < a->order_count; i++) {
        struct backfill_market *market = &run->markets[a->order[i]];
        struct asked *asked = &a->asked[a->order[i]];

        if (rc == 0 && !asked->bad && asked->good == asked->wanted) {
            asked->done = true;
            continue;
        }
        for (unsigned d = 0; !a->table && market->proof.days != NULL && d < market->proof.count; d++)
            market->proof.days[d].candles_e2 = 0;
        market->proof.any_candle = false;
    }
    return rc;
}

/* Which tier a market's candles are in, as far as can be told. */
static bool
settled_long_ago(const struct backfill_run *run, const struct backfill_market *market)
{
    if (market->old)
        return true;
    return market->settled_ns != KDP_TIME_NULL && run->market_cutoff_ns != KDP_TIME_NULL &&
           market->settled_ns < run->market_cutoff_ns;
}

static int
rounds(struct asking *a)
{
    int rc = 0;

    for (int round = 0; round < ROUNDS && rc == 0; round++) {
        for (int old = 0; old < 2 && rc == 0; old++) { /* each tier its own; in the next round the other's */
            a->order_count = 0;
            for (size_t i = 0; i < a->run->market_count; i++)
                if (!a->asked[i].done &&
                    (settled_long_ago(a->run, &a->run->markets[i]) ^ (round % 2 == 1)) == (old == 1))
                    a->order[a->order_count++] = i;
            if (a->order_count > 0)
                rc = round_of(a, old == 1);
        }
    }
    return rc;
}

/* Most that --all asks candles for after a fetch: about as many requests as the trades took. */
static size_t
asked_most(const struct backfill_run *run)
{
    return run->all && !run->verify_alone ? 2000 + 2 * (size_t)run->driver.pages : SIZE_MAX;
}

static int
by_volume(const void *x, const void *y)
{
    const struct backfill_market *a = &sorting->run->markets[*(const size_t *)x],
                                 *b = &sorting->run->markets[*(const size_t *)y];

    return a->here_e2 != b->here_e2 ? (a->here_e2 > b->here_e2 ? -1 : 1) : strcmp(a->ticker, b->ticker);
}

/* Leaves out the markets of least volume where there are too many. */
static void
leave_out(struct asking *a, size_t most)
{
    struct backfill_run *run = a->run;

    run->not_asked = 0;
    if (run->market_count <= most)
        return;
    for (size_t i = 0; i < run->market_count; i++)
        a->order[i] = i;
    sorting = a;
    qsort(a->order, run->market_count, sizeof *a->order, by_volume);
    for (size_t i = most; i < run->market_count; i++)
        a->asked[a->order[i]].done = a->asked[a->order[i]].left_out = true;
    run->not_asked = run->market_count - most;
}

static int
begin(struct asking *a, struct backfill_run *run, bool table)
{
    *a = (struct asking){.run = run, .table = table};
    a->order = calloc(run->market_count + 1, sizeof *a->order);
    a->asked = calloc(run->market_count + 1, sizeof *a->asked);
    return a->order != NULL && a->asked != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "no memory for candles");
}

static void
end(struct asking *a)
{
    free(a->order);
    free(a->asked);
    free(a->requests);
}

int
kdp_backfill_prove(struct backfill_run *run)
{
    struct asking a;
    int rc = begin(&a, run, false);

    for (size_t i = 0; i < run->market_count && rc == 0; i++)
        a.asked[i].done = run->markets[i].candles;
    if (rc == 0)
        leave_out(&a, asked_most(run));
    rc = rc == 0 ? rounds(&a) : rc;
    for (size_t i = 0; i < run->market_count && a.asked != NULL; i++)
        run->markets[i].candles = run->markets[i].candles || (a.asked[i].done && !a.asked[i].left_out);
    end(&a);
    return rc;
}

int
kdp_backfill_fetch_candles(struct backfill_run *run)
{
    struct asking a;
    uint64_t without = 0;
    char scope[256];
    int rc = begin(&a, run, true);

    a.interval = run->interval_min == 1 ? "1m" : run->interval_min == 60 ? "1h" : "1d";
    a.table_index = kdp_history_table_find("candles");
    KDP_ASSERT(a.table_index >= 0);
    for (size_t i = 0; i < run->market_count && rc == 0; i++) {
        struct kdp_history_window *windows = NULL;
        size_t count = 0;

        rc = kdp_history_missing(run->history, "candles", scope_of(&a, i, scope, sizeof scope),
                                 run->markets[i].from_ns, run->markets[i].to_ns, &windows, &count);
        if (rc == 0 && count > 0) {
            a.asked[i].from_ns = windows[0].start_ns;
            a.asked[i].to_ns = windows[count - 1].end_ns;
        }
        a.asked[i].done = count == 0;
        free(windows);
    }
    rc = rc == 0 ? rounds(&a) : rc;
    for (size_t i = 0; i < run->market_count && rc == 0; i++)
        without += !a.asked[i].done;
    if (without > 0)
        kdp_cli_notice(run->cli, NULL, "the exchange has no candles of %" PRIu64 " of %zu markets", without,
                       run->market_count);
    if (rc == 0)
        rc = kdp_history_flush(run->history);
    end(&a);
    return rc;
}
