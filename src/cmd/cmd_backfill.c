/* cmd_backfill.c - kdp backfill: past trades of both tiers, each filed once, proven complete. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backfill_run.h"
#include "clock.h"
#include "commands.h"
#include "error.h"
#include "history_wait.h"
#include "meta_fetch.h"
#include "screen.h"

/* One scope, and what of it. */
static int
read_scope(struct backfill_run *run)
{
    const struct kdp_cli *cli = run->cli;
    const char *const *values;
    unsigned tickers = kdp_cli_list(cli, "ticker", &values), series = kdp_cli_list(cli, "series", &values),
             events = kdp_cli_list(cli, "event", &values), count;

    run->all = kdp_cli_switch(cli, "all");
    if ((tickers > 0) + (series > 0) + (events > 0) + run->all != 1)
        return kdp_cli_usage(cli, "One of --ticker T, --series S, --event E (each may be repeated), --all",
                             tickers + series + events == 0 && !run->all
                                 ? "which trades? No scope is given"
                                 : "two scopes are given, and one is taken");
    count = kdp_cli_list(cli, "what", &values);
    run->trades = count == 0;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(values[i], "trades") == 0)
            run->trades = true;
        else if (strcmp(values[i], "candles") == 0)
            run->candles = true;
        else if (strcmp(values[i], "markets") == 0)
            run->markets_too = true;
        else
            return kdp_cli_usage(cli, "trades, candles, markets; commas between them",
                                 "--what %s is not known", values[i]);
    }
    if (run->all && run->candles)
        return kdp_cli_usage(cli, "Name them: --series S",
                             "--what candles of every market there is would take weeks");
    if (kdp_cli_count(cli, "interval") == 60 * KDP_NS_PER_S)
        run->interval_min = 1;
    else if (kdp_cli_count(cli, "interval") == 3600 * KDP_NS_PER_S)
        run->interval_min = 60;
    else if (kdp_cli_count(cli, "interval") == KDP_NS_PER_DAY)
        run->interval_min = 1440;
    else
        return kdp_cli_usage(cli, "1m, 1h or 1d",
                             "--interval: the exchange has candles of a minute, an hour, a day");
    run->dry = kdp_cli_switch(cli, "dry-run");
    run->verify_alone = kdp_cli_switch(cli, "verify");
    run->parallel = (unsigned)kdp_cli_count(cli, "parallel");
    return 0;
}

/* The end is what can be known by now, and not what is the plant's. */
static int
clip(struct backfill_run *run)
{
    int64_t sure_ns = kdpi_now_ns() - run->ahead_ns - KDP_BACKFILL_LAG, limit_ns = KDP_TIME_NULL;
    char text[KDPI_TIME_TEXT], ahead[KDPI_SCREEN_TEXT];
    int rc = run->history != NULL ? kdp_history_limit(run->history, &limit_ns) : 0;

    if (rc != 0)
        return rc;
    if (run->end_ns > sure_ns) {
        run->end_ns = sure_ns / KDP_NS_PER_S * KDP_NS_PER_S;
        kdpi_time_format(text, run->end_ns, 0);
        if (run->ahead_ns > KDP_BACKFILL_LAG)
            kdp_cli_notice(run->cli, NULL, "the end is taken as %s: this clock is %s ahead of the exchange's",
                           text, kdpi_screen_span(ahead, run->ahead_ns));
        else
            kdp_cli_notice(run->cli, NULL, "the end is taken as %s: answers of the exchange may be 15 s old",
                           text);
    }
    if (limit_ns != KDP_TIME_NULL && run->end_ns > limit_ns) {
        run->end_ns = limit_ns;
        kdpi_time_format(text, run->end_ns, 0);
        kdp_cli_notice(
            run->cli, NULL,
            "the end is taken as %s: what is newer belongs to the stream in %s, which fetches it itself",
            text, run->dir);
    }
    if (run->start_ns < run->end_ns)
        return 0;
    kdpi_time_format(text, run->end_ns, 0);
    rc = kdpi_fail(KDP_EUSAGE, "--start is not before %s, where the past ends that can be fetched", text);
    kdpi_hint("What is newer comes by the stream: kdp run");
    return rc;
}

static int
open_history(struct backfill_run *run)
{
    struct kdp_history_config config = {.dir = run->dir,
                                        .compression = kdp_cli_text(run->cli, "lake-compression"),
                                        .stopped = kdp_cli_interrupted};
    struct stat st;
    int rc;

    /* what only looks makes no folder */
    if ((run->dry || run->verify_alone) && stat(run->dir, &st) != 0)
        return 0;
    if (!run->dry && !run->verify_alone)
        return kdp_history_open_waiting(run->cli, &run->history, &config, KDP_HISTORY_WAIT_NS);
    rc = kdp_history_open(&run->history, &config);
    if (rc == -KDP_EBUSY) {
        kdp_cli_notice(run->cli, NULL, "%s; what it has fetched is not counted as fetched yet",
                       kdp_error_text());
        rc = 0;
    }
    return rc;
}

/* Were all windows of the scope fetched by some run? */
static int
all_here(struct backfill_run *run, bool *herep)
{
    struct backfill_ranges ranges = {0};
    struct backfill_run looking = *run; /* its counts are not of this run */
    int rc = run->history != NULL ? kdp_backfill_plan(&looking, &ranges) : 0;

    *herep = rc == 0 && run->history != NULL && ranges.count == 0;
    free(ranges.list);
    return rc;
}

static int
fetch(struct backfill_run *run)
{
    int rc = 0;

    run->lists_refused = run->given_up;
    for (unsigned attempt = 0; attempt < KDP_BACKFILL_TRIES && rc == 0 && !run->stopped; attempt++) {
        struct backfill_ranges ranges = {0};
        struct backfill_run planning = *run;

        rc = kdp_backfill_plan(attempt == 0 ? run : &planning, &ranges); /* what is left counts once */
        if (rc == 0 && ranges.count > 0) {
            if (attempt == 0)
                kdp_backfill_say_asking(run);
            if (run->lists_refused == 0)
                run->given_up_words[0] = '\0';
            rc = kdp_backfill_fetch(run, &ranges, attempt);
        } else if (rc == 0 && attempt == 0) {
            kdp_cli_say(run->cli, "nothing to do: all of it was fetched before; looking whether it is whole");
        }
        free(ranges.list);
        if (run->given_up == run->lists_refused || ranges.count == 0)
            break;
    }
    return rc;
}

/* A ticker that neither tier knows and that has no trade: there is no such market. */
static int
unknown(struct backfill_run *run)
{
    int rc = 0;

    for (size_t i = 0; i < run->market_count; i++)
        if (run->markets[i].known)
            return 0;
    if (run->all || run->trades_here > 0 || run->market_count == 0)
        return 0;
    for (size_t i = 0; i < run->market_count && run->history != NULL && rc == 0;
         i++) /* of nothing, nothing is whole */
        rc = kdp_history_forget(run->history, "trades", run->markets[i].ticker, run->markets[i].from_ns,
                                run->markets[i].to_ns);
    if (rc == 0 && run->history != NULL)
        rc = kdp_history_flush(run->history);
    if (rc != 0)
        return rc;
    rc = kdpi_fail(KDP_ENOENT, "no market %s on the exchange", run->markets[0].ticker);
    kdpi_hint("kdp demo --series S shows the markets of a series");
    return rc;
}

/* --what markets: the terms of the scope, as versions. */
static int
fetch_terms(struct backfill_run *run)
{
    const char **tickers = calloc(run->market_count + 1, sizeof *tickers); /* globs are names by now */
    struct kdp_meta_scope scope = {.all = run->all, .tickers = tickers};
    struct kdp_meta_totals totals = {0};
    int rc;

    if (tickers == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the markets");
    scope.series_count = kdp_cli_list(run->cli, "series", &scope.series);
    scope.event_count = kdp_cli_list(run->cli, "event", &scope.events);
    for (size_t i = 0; i < run->market_count && scope.series_count + scope.event_count == 0 && !run->all; i++)
        tickers[scope.ticker_count++] = run->markets[i].ticker;
    rc = kdp_meta_fetch(run->ask.asker, run->history, &scope, NULL, &totals);
    free(tickers);
    run->terms = totals.markets;
    if (rc == -KDP_ESTOPPED) {
        run->stopped = true;
        rc = 0;
    }
    return rc == 0 ? kdp_history_flush(run->history) : rc;
}

static int
work(struct backfill_run *run, bool *completep)
{
    bool here = false;
    int rc = open_history(run);

    rc = rc == 0 ? clip(run) : rc;
    rc = rc == 0 ? kdp_backfill_tiers(run) : rc;
    rc = rc == 0 && run->ahead_ns > 2 * KDP_NS_PER_S ? clip(run) : rc; /* less is in the lag */
    if (rc == 0 && !run->all)
        rc = kdp_backfill_find_markets(run);
    if (rc != 0)
        return rc;
    if (run->dry) {
        struct backfill_ranges ranges = {0};

        rc = kdp_backfill_plan(run, &ranges);
        if (rc == 0)
            kdp_backfill_report_dry(run, &ranges);
        free(ranges.list);
        return rc;
    }
    if (run->trades && !run->verify_alone)
        rc = fetch(run);
    if (rc == 0 && run->markets_too && !run->verify_alone && !run->stopped)
        rc = fetch_terms(run);
    if (rc == 0 && run->candles && !run->verify_alone && !run->stopped)
        rc = kdp_backfill_fetch_candles(run);
    if (rc == 0 && run->trades && !run->stopped)
        rc = kdp_backfill_verify(run);
    if (rc == 0 && run->trades && !run->stopped)
        rc = unknown(run);
    if (rc == 0 && run->trades && !run->stopped && !run->verify_alone)
        rc = kdp_backfill_again(run);
    if (rc == 0 && run->trades && !run->stopped)
        rc = all_here(run, &here);
    /* captured or fetched, it is whole; of all markets only windows tell, since those that are known are those with trades here */
    if (run->verify_alone && !run->all && run->gap_count == 0 && run->days_not_provable == 0)
        here = true;
    *completep = rc == 0 && run->gap_count == 0 && run->total_short == 0 && !run->stopped &&
                 (here || !run->trades) && run->given_up == 0;
    return rc;
}

int
kdp_cmd_backfill(struct kdp_cli *cli)
{
    struct kdp_asker_config wants = {.stopped = kdp_backfill_stopped};
    struct backfill_run run = {.cli = cli, .dir = kdp_cli_text(cli, "data"), .began_ns = kdpi_mono_ns()};
    bool complete = false;
    int rc = read_scope(&run);

    if (rc == 0)
        rc = kdp_cli_range(cli, &run.start_ns, &run.end_ns);
    if (rc != 0)
        return rc;
    wants.parallel = run.parallel;
    if (kdp_cli_given(cli, "read-tokens"))
        wants.tokens_per_s =
            kdp_cli_count(cli, "read-tokens") > 0 ? kdp_cli_count(cli, "read-tokens") : INT64_MAX;
    rc = kdp_ask_open(&run.ask, cli, &wants);
    if (rc != 0)
        return rc;
    run.reader = kdpi_rest_open();
    kdp_progress_start(&run.progress, cli, "backfill");
    rc = run.reader != NULL ? work(&run, &complete) : kdpi_fail(KDP_ENOMEM, "out of memory");
    kdp_progress_end(&run.progress);
    if (rc == -KDP_ESTOPPED || (rc == 0 && kdp_cli_interrupted() != 0))
        run.stopped = true;
    if (run.stopped)
        rc = 0;
    if (rc == 0 && !run.dry)
        kdp_backfill_report(&run, complete && !run.stopped);
    if (rc != 0)
        rc = kdp_cli_error(cli, rc);
    else if (run.stopped)
        rc = kdp_cli_stopped(cli);
    else
        rc = complete || run.dry ? KDP_EXIT_DONE : KDP_EXIT_FAILED;
    kdp_history_close(run.history);
    kdp_backfill_markets_release(&run);
    free(run.gaps);
    kdpi_rest_close(run.reader);
    kdp_ask_close(&run.ask);
    return rc;
}
