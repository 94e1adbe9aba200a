/* backfill_fetch.c - carries out exchange/backfill.h: its requests over the asker, its trades and windows into the history. */
#include "backfill_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "memory.h"
#include "message.h"
#include "screen.h"

#define FLUSH_EVERY (120 * KDP_NS_PER_S)
#define FINISH_NS (3 * KDP_NS_PER_S) /* what a first Ctrl-C leaves for a clean end */
#define CONTRACTS 150.0              /* of a trade, on average: only for what a run may take */
#define AHEAD 2u                     /* chains that wait for tokens, so that none are left lying */

static int64_t finish_by_ns; /* 0: not finishing */

int
kdp_backfill_stopped(void)
{
    if (finish_by_ns != 0)
        return kdpi_mono_ns() > finish_by_ns ? 1 : 0;
    return kdp_cli_interrupted();
}

void
kdp_backfill_finishing(bool on)
{
    finish_by_ns = on ? kdpi_mono_ns() + FINISH_NS : 0;
}

int64_t
kdp_backfill_cpu_ns(bool process)
{
    struct timespec ts;

    if (clock_gettime(process ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID, &ts) != 0)
        return 0;
    return (int64_t)ts.tv_sec * KDP_NS_PER_S + ts.tv_nsec;
}

/* ---- what is missing here ---- */
static int
add_range(struct backfill_ranges *ranges, const char *scope, int64_t start_ns, int64_t end_ns, double weight)
{
    struct backfill_range *list = kdpi_grow(ranges->list, &ranges->room, sizeof *list, ranges->count + 1);

    if (list == NULL)
        return -KDP_ENOMEM;
    ranges->list = list;
    list[ranges->count++] = (struct backfill_range){scope, start_ns, end_ns, weight};
    return 0;
}

/* The first instant of the month after ns. */
static int64_t
next_month(int64_t ns)
{
    time_t seconds = (time_t)(ns / KDP_NS_PER_S);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    tm.tm_mon++;
    tm.tm_mday = 1;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    return (int64_t)timegm(&tm) * KDP_NS_PER_S;
}

/* pages of a market's trades in so much of its life */
static double
weight_of(const struct backfill_market *market, int64_t start_ns, int64_t end_ns)
{
    int64_t life_from = market->open_ns, life_to = market->close_ns;
    double share = 1;

    if (market->volume_e2 == KDP_INT64_NULL || market->volume_e2 <= 0)
        return 1;
    if (life_from != KDP_TIME_NULL && life_to != KDP_TIME_NULL && life_to > life_from) {
        int64_t from = start_ns > life_from ? start_ns : life_from, to = end_ns < life_to ? end_ns : life_to;

        share = to > from ? (double)(to - from) / (double)(life_to - life_from) : 0;
    }
    return 1 + share * (double)market->volume_e2 / 100 / CONTRACTS / 1000;
}

/* Pages of all trades in so long: what the exchange traded in those years (docs/exchange.md 6). */
static double
weight_of_all(int64_t start_ns, int64_t end_ns)
{
    static const struct {
        int32_t from;  /* day */
        double trades; /* a day, about */
    } years[] = {{0, 1e4},
                 {19723, 6e4},
                 {20089, 2.7e5},
                 {20454, 2.5e6},
                 {20635, 1.2e7}}; /* 2024, 2025, 2026, July 2026 */
    size_t year = 0;

    while (year + 1 < sizeof years / sizeof years[0] && kdpi_day_of(start_ns) >= years[year + 1].from)
        year++;
    return 1 + years[year].trades / 1000 * (double)(end_ns - start_ns) / (double)KDP_NS_PER_DAY;
}

static int
plan_scope(struct backfill_run *run, struct backfill_ranges *ranges, const char *scope, int64_t start_ns,
           int64_t end_ns, const struct backfill_market *market)
{
    struct kdp_history_window whole = {start_ns, end_ns}, *windows = &whole;
    size_t count = 1;
    int rc = run->history == NULL
                 ? 0
                 : kdp_history_missing(run->history, "trades", scope, start_ns, end_ns, &windows, &count);

    if (rc != 0)
        return rc;
    run->windows_here += count == 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        /* months: a chain of pages is never longer */
        for (int64_t at = windows[i].start_ns, to; at < windows[i].end_ns && rc == 0; at = to) {
            double weight;

            to = next_month(market != NULL && market->from_ns > at ? market->from_ns : at);
            /* behind its life there is nothing, as far as is known: one question for all that is left */
            if (to > windows[i].end_ns || (market != NULL && to >= market->to_ns))
                to = windows[i].end_ns;
            weight = market != NULL ? weight_of(market, at, to) : weight_of_all(at, to);
            run->weight += weight;
            run->windows++;
            rc = add_range(ranges, scope, at, to, weight);
        }
    }
    if (windows != &whole)
        free(windows);
    return rc;
}

int
kdp_backfill_plan(struct backfill_run *run, struct backfill_ranges *ranges)
{
    int rc = 0;

    if (run->all)
        return plan_scope(run, ranges, "*", run->start_ns, run->end_ns, NULL);
    for (size_t i = 0; i < run->market_count && rc == 0; i++) {
        const struct backfill_market *market = &run->markets[i];

        rc = plan_scope(run, ranges, market->ticker, run->start_ns, run->end_ns, market);
    }
    return rc;
}

/* ---- the sink ---- */
static int
stored(struct backfill_run *run, int rc)
{
    run->store_failed = run->store_failed || rc != 0;
    return rc;
}

static int
on_trade(void *arg, const struct kdp_message *trade, int64_t got_ns)
{
    struct backfill_run *run = arg;

    return stored(run, kdp_history_trade(run->history, trade, got_ns));
}

static int
on_window(void *arg, const char *scope, int64_t start_ns, int64_t end_ns)
{
    struct backfill_run *run = arg;

    return stored(run, kdp_history_window(run->history, "trades", scope, start_ns, end_ns));
}

static int
on_forget(void *arg, const char *scope, int64_t start_ns, int64_t end_ns)
{
    struct backfill_run *run = arg;

    return stored(run, kdp_history_forget(run->history, "trades", scope, start_ns, end_ns));
}

/* ---- the loop ---- */
struct fetch {
    struct backfill_run *run;
    struct kdp_backfill *driver;
    bool flush_due; /* the batch is full: as soon as the cutoff was looked at */
};

/* The words of the first range that could not be read; how many there are the driver knows. */
static void
give_up(struct backfill_run *run, const char *words)
{
    if (run->given_up_words[0] == '\0')
        snprintf(run->given_up_words, sizeof run->given_up_words, "%s", words);
}

/* What the driver gave up is told with its own words where the exchange's are missing. */
static void
count_given_up(struct backfill_run *run, const struct kdp_backfill *driver)
{
    char words[512], start[KDPI_TIME_TEXT], end[KDPI_TIME_TEXT];
    const char *scope, *why;
    int64_t start_ns, end_ns;
    size_t count = 0;

    while (kdp_backfill_given_up(driver, count, &scope, &start_ns, &end_ns, &why)) {
        kdpi_time_format(start, start_ns, 0);
        kdpi_time_format(end, end_ns, 0);
        snprintf(words, sizeof words, "%s, %s to %s: %s", strcmp(scope, "*") == 0 ? "all markets" : scope,
                 start, end, why);
        give_up(run, words);
        count++;
    }
    run->given_up = run->lists_refused + count;
}

static void
draw(struct fetch *fetch)
{
    struct kdp_backfill_stats now;
    struct kdp_asker_stats asked;
    char rows[KDPI_SCREEN_TEXT];
    double seconds;

    if (!kdp_progress_due(&fetch->run->progress))
        return;
    kdp_backfill_stats(fetch->driver, &now);
    kdp_asker_stats(fetch->run->ask.asker, &asked);
    seconds = (double)(kdpi_mono_ns() - asked.first_ns) / 1e9;
    kdp_progress_update(&fetch->run->progress, now.weight_done, now.weight, "%s trades  %.1f req/s",
                        kdpi_screen_count(rows, now.given + fetch->run->driver.given),
                        seconds > 0 ? (double)asked.requests / seconds : 0.0);
}

static int
flush(struct fetch *fetch)
{
    int64_t cpu_ns = kdp_backfill_cpu_ns(true);
    int rc = kdp_backfill_settle(fetch->driver);

    if (rc == 0)
        rc = stored(fetch->run, kdp_history_flush(fetch->run->history));
    fetch->run->store_ns += kdp_backfill_cpu_ns(true) - cpu_ns;
    fetch->flush_due = false;
    return rc;
}

static int64_t
thread_cpu_ns(void)
{
    return kdp_backfill_cpu_ns(false);
}

/* take gives an answer to the driver. */
static int
take(struct fetch *fetch, struct kdp_asker_answer *answer)
{
    struct backfill_run *run = fetch->run;
    int rc = kdp_backfill_answer(fetch->driver, answer->request, answer->status, answer->body, answer->len,
                                 answer->got_ns);

    if (rc == KDP_BACKFILL_AGAIN) {
        uint64_t request = answer->request;

        rc = kdp_asker_again(run->ask.asker, answer, "not a page of trades");
        if (rc == 0 || rc == -KDP_ESTOPPED)
            return rc;
        give_up(run, kdp_error_text());
        kdp_backfill_failed(fetch->driver, request);
        return 0;
    }
    if (rc == KDP_BACKFILL_REFUSED) {
        int why = kdp_asker_refused(run->ask.asker, answer);

        give_up(run, kdp_error_text());
        if (answer->status == 401 || answer->status == 403) {
            kdp_asker_free(answer);
            return why; /* all the others would be refused too */
        }
        rc = 0;
    }
    kdp_asker_free(answer);
    return rc;
}

static int
step(struct fetch *fetch)
{
    struct backfill_run *run = fetch->run;
    struct kdp_asker_answer *answer;
    char path[KDPI_BACKFILL_PATH];
    uint64_t request;
    int rc = 0;

    /* also by time: of many quiet markets the windows are worth more than the rows */
    if (!fetch->flush_due &&
        (kdp_history_full(run->history) || kdpi_mono_ns() - run->look_ns > FLUSH_EVERY)) {
        fetch->flush_due = true;
        kdp_backfill_look(fetch->driver);
        run->look_ns = kdpi_mono_ns();
    }
    while (rc == 0 && kdp_backfill_next(fetch->driver, &request, path))
        rc = kdp_asker_get(run->ask.asker, request, path);
    if (rc != 0)
        return rc;
    rc = kdp_asker_next(run->ask.asker, &answer, &request);
    if (rc == -KDP_ESTOPPED)
        return rc;
    if (rc == -KDP_ENOENT && kdp_asker_pending(run->ask.asker) == 0)
        return kdpi_fail(KDP_EINCOMPLETE,
                         "nothing is asked for and something is missing"); /* of the driver: a bug */
    if (rc != 0) {                                                         /* tried as often as may be */
        give_up(run, kdp_error_text());
        kdp_backfill_failed(fetch->driver, request);
        return 0;
    }
    rc = take(fetch, answer);
    if (rc == 0 && fetch->flush_due && !kdp_backfill_looking(fetch->driver))
        rc = flush(fetch);
    return rc;
}

/* After Ctrl-C: one look at the cutoff, so that what was read of the live tier counts, then what is whole is kept. */
static int
keep(struct fetch *fetch)
{
    char path[KDPI_BACKFILL_PATH];
    uint64_t request;
    int rc = 0;

    kdp_backfill_finishing(true);
    if (!kdp_backfill_looking(fetch->driver))
        kdp_backfill_look(fetch->driver);
    if (kdp_backfill_look_due(fetch->driver) && kdp_backfill_next(fetch->driver, &request, path))
        rc = kdp_asker_get(fetch->run->ask.asker, request, path);
    /* pages that come meanwhile are taken: they move what is whole */
    while (rc == 0 && kdp_backfill_looking(fetch->driver)) {
        struct kdp_asker_answer *answer;

        if (kdp_asker_next(fetch->run->ask.asker, &answer, &request) != 0)
            break;
        rc = take(fetch, answer);
    }
    rc = rc == 0 ? flush(fetch) : rc;
    kdp_backfill_finishing(false);
    return rc;
}

/* An error of the exchange's ends the run; what was whole by then is kept, and the words are the error's. */
static int
keep_and_fail(struct fetch *fetch, int rc)
{
    char words[1024], hint[1024];

    if (fetch->run->store_failed)
        return rc;
    snprintf(words, sizeof words, "%s", kdp_error_text());
    snprintf(hint, sizeof hint, "%s", kdp_error_hint());
    if (flush(fetch) != 0)
        return rc;
    kdpi_fail((enum kdp_error) - rc, "%s", words);
    if (hint[0] != '\0')
        kdpi_hint("%s", hint);
    return rc;
}

static void
add_stats(struct kdp_backfill_stats *sum, const struct kdp_backfill_stats *more)
{
    sum->pages += more->pages;
    sum->rows += more->rows;
    sum->given += more->given;
    sum->outside += more->outside;
    sum->strange += more->strange;
    sum->refused += more->refused;
    sum->looped += more->looped;
    sum->unordered += more->unordered;
    sum->unfiltered += more->unfiltered;
    sum->moved += more->moved;
    sum->absent += more->absent;
    sum->parse_ns += more->parse_ns;
    sum->sink_ns += more->sink_ns;
    sum->cutoff_ns = more->cutoff_ns;
}

int
kdp_backfill_fetch(struct backfill_run *run, const struct backfill_ranges *ranges, unsigned attempt)
{
    struct kdp_backfill_config config = {.sink = {run, on_trade, on_window, on_forget},
                                         .parallel = run->parallel + AHEAD,
                                         .cpu = thread_cpu_ns};
    struct fetch fetch = {.run = run};
    struct kdp_backfill_stats stats;
    int rc = kdp_backfill_open(&fetch.driver, &config);

    if (rc != 0)
        return rc;
    kdp_backfill_cutoff(fetch.driver, run->cutoff_ns);
    run->look_ns = kdpi_mono_ns();
    for (size_t i = 0; i < ranges->count && rc == 0; i++)
        rc = kdp_backfill_add(fetch.driver, ranges->list[i].scope, ranges->list[i].start_ns,
                              ranges->list[i].end_ns, ranges->list[i].weight, attempt);
    while (rc == 0 && !kdp_backfill_done(fetch.driver)) {
        rc = step(&fetch);
        draw(&fetch);
    }
    if (rc == -KDP_ESTOPPED) {
        run->stopped = true;
        rc = keep(&fetch);
    } else {
        rc = rc == 0 ? flush(&fetch) : keep_and_fail(&fetch, rc);
    }
    count_given_up(run, fetch.driver);
    kdp_backfill_stats(fetch.driver, &stats);
    add_stats(&run->driver, &stats);
    if (stats.cutoff_ns != KDP_TIME_NULL)
        run->cutoff_ns = stats.cutoff_ns;
    kdp_history_totals(run->history, &run->totals);
    kdp_backfill_close(fetch.driver);
    return rc;
}
