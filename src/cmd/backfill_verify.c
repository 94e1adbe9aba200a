/* backfill_verify.c - is it whole?  The lake by market and UTC day against the exchange's candles; what is short is fetched again. */
#include "backfill_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "memory.h"
#include "screen.h"

#define MINUTE (60 * KDP_NS_PER_S)
#define SQL_MEMORY (UINT64_C(384) << 20)
#define TICKERS_MAX 500u   /* named in a statement; of more the whole range is read */
#define SLICE_ROWS 2000000 /* trades that one statement counts: ids must be held to find one twice */

struct look {
    struct backfill_run *run;
    struct kdp_sql *sql;
    int64_t from_ns, to_ns; /* what candles can prove: whole minutes */
    char *which;            /* AND ticker IN (...), or "" */
};

/* ---- the lake ---- */
static void
time_text(char *buf, int64_t ns)
{
    kdpi_time_format(buf, ns, 9);
    buf[strlen(buf) - 1] = '\0'; /* the column has no zone, it is UTC */
}

static char *
which_tickers(const struct backfill_run *run)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    if (!run->all && run->market_count <= TICKERS_MAX && run->market_count > 0) {
        fputs(" AND ticker IN (", out);
        for (size_t i = 0; i < run->market_count; i++) {
            fputs(i > 0 ? ",'" : "'", out);
            for (const char *at = run->markets[i].ticker; *at != '\0'; at++) {
                if (*at == '\'')
                    putc('\'', out);
                putc(*at, out);
            }
            putc('\'', out);
        }
        putc(')', out);
    }
    return fclose(out) == 0 ? text : NULL;
}

static int
ask(struct look *look, int64_t from_ns, int64_t to_ns, const char *select, const char *tail,
    const char *ticker, struct kdp_sql_result **resultp)
{
    char from[KDPI_TIME_TEXT], to[KDPI_TIME_TEXT], *text = NULL;
    int rc;

    time_text(from, from_ns);
    time_text(to, to_ns);
    kdp_sql_narrow(look->sql, from_ns, to_ns, 0);
    if (asprintf(&text,
                 "SELECT %s FROM (SELECT ticker, price, volume, trade_id, epoch_ns(\"timestamp\") AS t FROM "
                 "trades WHERE "
                 "\"timestamp\" >= TIMESTAMP_NS '%s' AND \"timestamp\" < TIMESTAMP_NS '%s'%s) %s",
                 select, from, to, look->which, tail) < 0)
        return kdpi_fail(KDP_ENOMEM, "no memory for a statement");
    rc = kdp_sql_ask(look->sql, text, &ticker, ticker != NULL ? 1 : 0, resultp);
    free(text);
    return rc;
}

/* The market of a row; one that only the lake knows is taken in with --all. */
static struct backfill_market *
market_of(struct look *look, struct kdp_sql_result *result)
{
    const char *ticker = kdp_sql_cell(result, 0);

    return ticker != NULL ? kdp_backfill_market_find(look->run, ticker) : NULL;
}

static int64_t
number(struct kdp_sql_result *result, unsigned column)
{
    int64_t value = 0;

    return kdp_sql_int(result, column, &value) ? value : 0;
}

/* --all: the markets are those that have trades. */
static int
take_markets(struct look *look)
{
    struct backfill_run *run = look->run;
    struct kdp_sql_result *result;
    int rc = ask(look, run->start_ns, run->end_ns, "ticker, min(t), max(t), sum(volume)::DECIMAL(18,2)",
                 "GROUP BY ticker", NULL, &result);
    int more;

    if (rc != 0)
        return rc;
    while ((more = kdp_sql_next(result)) > 0 && rc == 0) {
        const char *ticker = kdp_sql_cell(result, 0);
        struct backfill_market *market;

        if (ticker == NULL || strcmp(ticker, "*") == 0) /* which means all, wherever a scope is named */
            continue;
        market = kdp_backfill_market_add(run, ticker, strlen(ticker));
        if (market == NULL) {
            rc = -KDP_ENOMEM;
            break;
        }
        /* days without a trade of it are not looked at: its life is not known */
        market->from_ns = number(result, 1) / KDP_NS_PER_DAY * KDP_NS_PER_DAY;
        market->to_ns = (number(result, 2) / KDP_NS_PER_DAY + 1) * KDP_NS_PER_DAY;
        market->here_e2 = number(result, 3);
        if (market->from_ns < run->start_ns)
            market->from_ns = run->start_ns;
        if (market->to_ns > run->end_ns)
            market->to_ns = run->end_ns;
    }
    kdp_sql_free(result);
    kdp_backfill_markets_sort(run);
    return more < 0 ? more : rc;
}

static int
count_slice(struct look *look, int64_t from_ns, int64_t to_ns)
{
    char select[1400];
    struct kdp_sql_result *result;
    struct backfill_run *run = look->run;
    int rc, more;

    /* a day's provable part begins at its midnight, the first one's at from; the second behind the last part is read too */
    snprintf(select, sizeof select,
             "ticker, t // %" PRId64 " AS d, count(*) FILTER (t >= %" PRId64 " AND t < %" PRId64
             "), count(DISTINCT trade_id) FILTER (t >= %" PRId64 " AND t < %" PRId64
             "), sum(volume) FILTER (t >= %" PRId64 " AND t < %" PRId64
             ")::DECIMAL(18,2), sum(volume) FILTER (t = greatest(t // %" PRId64 " * %" PRId64 ", %" PRId64
             "))::DECIMAL(18,2), sum(volume) FILTER (t - greatest(t // %" PRId64 " * %" PRId64 ", %" PRId64
             ") BETWEEN 0 AND 999999999)::DECIMAL(18,2), sum(volume) FILTER (t >= %" PRId64
             " AND t < %" PRId64 ")::DECIMAL(18,2), min(t), max(t), sum(volume) FILTER (t = %" PRId64
             ")::DECIMAL(18,2), sum(volume) FILTER (t >= %" PRId64 " AND t < %" PRId64 ")::DECIMAL(18,2)",
             KDP_NS_PER_DAY, run->start_ns, run->end_ns, run->start_ns, run->end_ns, look->from_ns,
             look->to_ns, KDP_NS_PER_DAY, KDP_NS_PER_DAY, look->from_ns, KDP_NS_PER_DAY, KDP_NS_PER_DAY,
             look->from_ns, run->start_ns, run->end_ns, look->to_ns, look->to_ns, look->to_ns + KDP_NS_PER_S);
    rc = ask(look, from_ns, to_ns, select, "GROUP BY 1, 2", NULL, &result);
    if (rc != 0)
        return rc;
    while ((more = kdp_sql_next(result)) > 0) {
        struct backfill_market *market = market_of(look, result);
        struct kdp_proof_day *day;

        if (market == NULL)
            continue;
        run->trades_here += (uint64_t)number(result, 2);
        run->duplicates += (uint64_t)(number(result, 2) - number(result, 3));
        run->volume_e2 += number(result, 7);
        if (market->known && number(result, 2) > 0 &&
            ((market->open_ns != KDP_TIME_NULL &&
              number(result, 8) < market->open_ns - KDP_BACKFILL_TOLERANCE) ||
             (market->close_ns != KDP_TIME_NULL &&
              number(result, 9) > market->close_ns + KDP_BACKFILL_TOLERANCE)))
            market->outside = true;
        day =
            market->proof.days != NULL ? kdp_proof_day_at(&market->proof, (int32_t)number(result, 1)) : NULL;
        if (day == NULL)
            continue;
        day->trades += (uint64_t)number(result, 2);
        day->lake_e2 += number(result, 4);
        day->instant_e2 += number(result, 5);
        day->second_e2 += number(result, 6);
        if (look->to_ns % KDP_NS_PER_DAY != 0 && number(result, 1) == kdpi_day_of(look->to_ns) &&
            day + 1 == &market->proof.days[market->proof.count]) { /* a range that ends within a day */
            day[1].instant_e2 += number(result, 10);
            day[1].second_e2 += number(result, 11);
        }
    }
    kdp_sql_free(result);
    return more;
}

/* Days, in slices that one statement may hold the ids of. */
static int
count_days(struct look *look)
{
    struct backfill_run *run = look->run;
    int64_t last_ns = run->end_ns + KDP_NS_PER_S, at = run->start_ns, rows = 0;
    struct kdp_sql_result *result;
    struct {
        int64_t day, rows;
    } *days = NULL;
    size_t count = 0, room = 0;
    char select[80];
    int rc, more = 0;

    snprintf(select, sizeof select, "t // %" PRId64 " AS d, count(*)", KDP_NS_PER_DAY);
    rc = ask(look, run->start_ns, last_ns, select, "GROUP BY d ORDER BY d", NULL, &result);
    if (rc != 0)
        return rc;
    while ((more = kdp_sql_next(result)) > 0) {
        void *grown = kdpi_grow(days, &room, sizeof *days, count + 1);

        if (grown == NULL) {
            more = -KDP_ENOMEM;
            break;
        }
        days = grown;
        days[count].day = number(result, 0);
        days[count++].rows = number(result, 1);
    }
    kdp_sql_free(result);
    rc = more;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rows += days[i].rows;
        if (i + 1 == count || rows + days[i + 1].rows > SLICE_ROWS) {
            int64_t to = i + 1 == count ? last_ns : (days[i].day + 1) * KDP_NS_PER_DAY;

            rc = at < to ? count_slice(look, at, to) : 0;
            at = to;
            rows = 0;
        }
    }
    free(days);
    return rc;
}

static void
impossible(struct backfill_run *run, uint64_t count, const char *ticker, const char *what, const char *price)
{
    run->impossible += count;
    if (run->impossible_words[0] == '\0')
        snprintf(run->impossible_words, sizeof run->impossible_words, "a trade of %s %s%s", ticker, what,
                 price);
}

/* Prices that no market of that grid can have, and trades outside a market's life. */
static int
count_impossible(struct look *look)
{
    struct backfill_run *run = look->run;
    struct kdp_sql_result *result;
    char text[KDPI_SCREEN_TEXT];
    int more,
        rc = ask(look, run->start_ns, run->end_ns, "ticker, price, count(*)",
                 run->all ? "WHERE price <= 0 OR price >= 1 OR price IS NULL GROUP BY 1, 2" : "GROUP BY 1, 2",
                 NULL, &result);

    if (rc != 0)
        return rc;
    while ((more = kdp_sql_next(result)) > 0) {
        struct backfill_market *market = market_of(look, result);
        int64_t price_e4 = 0;

        if (market == NULL)
            continue;
        kdp_sql_int(result, 1, &price_e4);
        if (!kdp_proof_on_grid((int32_t)price_e4, market->ranges, market->range_count))
            impossible(run, (uint64_t)number(result, 2), market->ticker, "off its grid of prices, at ",
                       kdpi_screen_price(text, (int32_t)price_e4));
    }
    kdp_sql_free(result);
    for (size_t i = 0; i < run->market_count && more >= 0; i++) {
        struct backfill_market *market = &run->markets[i];
        char select[200];
        int64_t count = 0;

        if (!market->outside)
            continue;
        snprintf(select, sizeof select,
                 "count(*) FILTER (ticker = $1 AND (t < %" PRId64 " OR t > %" PRId64 "))",
                 market->open_ns != KDP_TIME_NULL ? market->open_ns - KDP_BACKFILL_TOLERANCE : INT64_MIN,
                 market->close_ns != KDP_TIME_NULL ? market->close_ns + KDP_BACKFILL_TOLERANCE : INT64_MAX);
        rc = ask(look, run->start_ns, run->end_ns, select, "", market->ticker, &result);
        if (rc != 0)
            return rc;
        rc = kdp_sql_next(result);
        if (rc > 0)
            count = number(result, 0);
        kdp_sql_free(result);
        if (rc < 0)
            return rc;
        if (count > 0)
            impossible(run, (uint64_t)count, market->ticker, "before it opened or after it closed", "");
    }
    return more < 0 ? more : 0;
}

/* ---- gaps ---- */
static int
add_gap(struct backfill_run *run, size_t market, int32_t day, int64_t missing_e2)
{
    struct backfill_gap *gaps = kdpi_grow(run->gaps, &run->gap_room, sizeof *gaps, run->gap_count + 1);

    if (gaps == NULL)
        return -KDP_ENOMEM;
    run->gaps = gaps;
    gaps[run->gap_count++] = (struct backfill_gap){market, day, missing_e2};
    return 0;
}

enum day_state { DAY_WHOLE, DAY_NOT_PROVABLE, DAY_SHORT };

/* The whole life of a market lies in the range: its total says as much as its candles. */
static bool
whole_life(const struct backfill_run *run, const struct backfill_market *market)
{
    return market->known && market->volume_e2 != KDP_INT64_NULL && market->open_ns != KDP_TIME_NULL &&
           market->close_ns != KDP_TIME_NULL && market->open_ns >= run->start_ns &&
           market->close_ns <= run->end_ns;
}

static int
judge(struct backfill_run *run, size_t index, unsigned char *states, int32_t first_day)
{
    struct backfill_market *market = &run->markets[index];
    int64_t lake_e2 = 0, candles_e2 = 0;
    bool by_total = false;
    int rc = 0;

    for (unsigned i = 0; i < market->proof.count; i++) {
        lake_e2 += market->proof.days[i].lake_e2;
        candles_e2 += market->proof.days[i].candles_e2;
    }
    if (whole_life(run, market)) {
        by_total = lake_e2 == market->volume_e2;
        if ((!market->candles || !market->proof.any_candle) && lake_e2 < market->volume_e2) {
            market->total_short = true;
            run->total_short++;
            run->total_short_e2 += market->volume_e2 - lake_e2;
        }
        run->volume_differs += market->candles && market->proof.any_candle && candles_e2 != market->volume_e2;
    }
    for (unsigned i = 0; i < market->proof.count && rc == 0; i++) {
        int64_t missing_e2;
        enum kdp_proof_verdict verdict = kdp_proof_judge(&market->proof, i, market->candles, &missing_e2);
        unsigned char *state = &states[market->proof.first + (int32_t)i - first_day];

        if (verdict != KDP_PROOF_NOT_PROVABLE)
            run->proven_e2 += market->proof.days[i].lake_e2;
        if (verdict == KDP_PROOF_NOT_PROVABLE && by_total)
            verdict = KDP_PROOF_WHOLE;
        if (verdict == KDP_PROOF_SHORT) {
            *state = DAY_SHORT;
            rc = add_gap(run, index, market->proof.first + (int32_t)i, missing_e2);
        } else if (verdict == KDP_PROOF_NOT_PROVABLE && *state == DAY_WHOLE) {
            *state = DAY_NOT_PROVABLE;
        } else if (verdict == KDP_PROOF_OVER) {
            run->surplus_e2 -= missing_e2;
        }
    }
    run->candle_volume_e2 += candles_e2;
    return rc;
}

static int
judge_all(struct backfill_run *run)
{
    int32_t first = kdpi_day_of(run->start_ns), last = kdpi_day_of(run->end_ns - 1);
    unsigned char *states = calloc((size_t)(last - first) + 1, 1);
    int rc = states != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "no memory for the days");

    run->gap_count = 0;
    run->days = (unsigned)(last - first) + 1;
    run->days_complete = run->days_not_provable = 0;
    run->candle_volume_e2 = run->surplus_e2 = run->proven_e2 = 0;
    run->volume_differs = run->total_short = 0;
    run->total_short_e2 = 0;
    for (size_t i = 0; i < run->market_count && rc == 0; i++)
        rc = judge(run, i, states, first);
    for (unsigned i = 0; i < run->days && rc == 0; i++) {
        run->days_complete += states[i] == DAY_WHOLE;
        run->days_not_provable += states[i] == DAY_NOT_PROVABLE;
    }
    free(states);
    return rc;
}

/* ---- the whole ---- */
static int
open_lake(struct look *look)
{
    struct kdp_sql_config config = {
        .dir = look->run->dir, .memory_bytes = SQL_MEMORY, .stopped = kdp_cli_interrupted};
    struct stat st;

    if (stat(look->run->dir, &st) != 0)
        return 0; /* nothing is here yet */
    return kdp_sql_open(&look->sql, &config);
}

static void
clear(struct backfill_run *run)
{
    run->trades_here = run->duplicates = run->impossible = 0;
    run->volume_e2 = 0;
    run->impossible_words[0] = '\0';
    for (size_t i = 0; i < run->market_count; i++) {
        struct kdp_proof *proof = &run->markets[i].proof;

        run->markets[i].outside = run->markets[i].total_short = false;
        for (unsigned d = 0; proof->days != NULL && d <= proof->count; d++)
            proof->days[d] = (struct kdp_proof_day){.candles_e2 = proof->days[d].candles_e2};
    }
}

int
kdp_backfill_verify(struct backfill_run *run)
{
    struct look look = {.run = run};
    struct kdp_proof_span spans[3];
    unsigned count = kdp_proof_spans(run->start_ns, run->end_ns, spans);
    int rc = open_lake(&look);

    look.from_ns = count > 0 ? spans[0].start_ns : run->start_ns;
    look.to_ns = count > 0 ? spans[count - 1].end_ns : run->start_ns;
    look.which = which_tickers(run);
    if (rc == 0 && look.which == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "no memory for a statement");
    if (rc == 0 && run->all && run->market_count == 0 && look.sql != NULL)
        rc = take_markets(&look);
    for (size_t i = 0; i < run->market_count && rc == 0; i++)
        if (run->markets[i].proof.days == NULL)
            rc = kdp_proof_open(&run->markets[i].proof, run->markets[i].from_ns, run->markets[i].to_ns);
    if (rc == 0)
        rc = kdp_backfill_prove(run); /* what is known already is not asked for again */
    clear(run);
    if (rc == 0 && look.sql != NULL)
        rc = count_days(&look);
    if (rc == 0 && look.sql != NULL)
        rc = count_impossible(&look);
    if (rc == 0)
        rc = judge_all(run);
    run->impossible += run->driver.refused;
    if (run->driver.refused > 0 && run->impossible_words[0] == '\0')
        snprintf(
            run->impossible_words, sizeof run->impossible_words,
            "trades whose values cannot be kept or contradict each other (yes and no prices are 1 together)");
    kdp_sql_close(look.sql);
    free(look.which);
    run->verified = rc == 0;
    return rc;
}

static int
ask_again(struct backfill_run *run, struct backfill_ranges *ranges, const struct backfill_market *market,
          int64_t from_ns, int64_t to_ns)
{
    struct backfill_range *list = kdpi_grow(ranges->list, &ranges->room, sizeof *list, ranges->count + 1);

    if (list == NULL)
        return -KDP_ENOMEM;
    ranges->list = list;
    from_ns = from_ns > run->start_ns ? from_ns : run->start_ns;
    to_ns = to_ns < run->end_ns ? to_ns : run->end_ns;
    list[ranges->count++] = (struct backfill_range){market->ticker, from_ns, to_ns, 1};
    return kdp_history_forget(run->history, "trades", market->ticker, from_ns, to_ns);
}

int
kdp_backfill_again(struct backfill_run *run)
{
    uint64_t given_up = run->given_up;      /* of the fetch itself: a gap tells of these */
    uint64_t already = run->totals.already; /* what is asked for again is no news */
    int rc = 0;

    run->tries = 1;
    while (rc == 0 && run->gap_count + run->total_short > 0 && run->tries < KDP_BACKFILL_TRIES &&
           !run->stopped) {
        struct backfill_ranges ranges = {0};

        for (size_t i = 0; i < run->gap_count && rc == 0; i++) {
            int64_t from = (int64_t)run->gaps[i].day * KDP_NS_PER_DAY;

            rc = ask_again(run, &ranges, &run->markets[run->gaps[i].market], from, from + KDP_NS_PER_DAY);
        }
        for (size_t i = 0; i < run->market_count && rc == 0; i++) /* no candle says which day it is */
            if (run->markets[i].total_short)
                rc = ask_again(run, &ranges, &run->markets[i], run->start_ns, run->end_ns);
        if (rc == 0)
            rc = kdp_backfill_fetch(run, &ranges, run->tries);
        free(ranges.list);
        run->tries++;
        run->totals.already = already;
        run->given_up = given_up;
        if (rc == 0 && !run->stopped)
            rc = kdp_backfill_verify(run);
    }
    return rc;
}
