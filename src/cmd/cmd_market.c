/* cmd_market.c - kdp market: the terms of one market, now or as they were; asks the exchange for one that is not known here. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ask_setup.h"
#include "clock.h"
#include "command.h"
#include "commands.h"
#include "error.h"
#include "history_wait.h"
#include "market_load.h"
#include "market_show.h"
#include "meta_fetch.h"
#include "screen.h"
#include "sql.h"
#include "sql_say.h"

/* load reads what is here: 0 also where there is nothing, not even the folder. */
static int
load(struct kdp_market *market, const char *dir, const char *ticker, int64_t at_ns)
{
    struct kdp_sql_config config = {.dir = dir, .stopped = kdp_cli_interrupted};
    struct kdp_sql *sql;
    int rc = kdp_sql_open(&sql, &config);

    *market = (struct kdp_market){.at_ns = at_ns};
    snprintf(market->ticker, sizeof market->ticker, "%s", ticker);
    if (rc != 0)
        return rc == -KDP_ENOENT ? 0 : rc;
    rc = kdp_market_load(market, sql, ticker, at_ns);
    kdp_sql_close(sql);
    return rc;
}

/* Neither here nor, when it was asked, on the exchange: the nearest names that are known here. */
static int
unknown(const char *dir, const char *ticker, bool asked)
{
    char hint[1024];
    struct kdp_sql_config config = {.dir = dir, .stopped = kdp_cli_interrupted};
    struct kdp_sql *sql = NULL;
    int rc;

    if (kdp_sql_open(&sql, &config) != 0)
        sql = NULL;
    rc = kdp_say_unknown_ticker(dir, sql, ticker);
    kdp_sql_close(sql);
    if (!asked)
        return rc;
    snprintf(hint, sizeof hint, "%s", kdp_error_hint());
    rc = kdpi_fail(KDP_ENOENT, "no market %s: neither in %s nor on the exchange", ticker, dir);
    if (strncmp(hint, "Nearest", 7) == 0)
        kdpi_hint("%s", hint);
    else
        kdpi_hint("kdp query \"SELECT DISTINCT ticker FROM market_terms\" lists those that were asked for");
    return rc;
}

/* fetch asks the exchange and files what it says: 0 with *foundp, or an exit code after the words are said.  When something is
 * known already, that the exchange is away is only a warning. */
static int
fetch(const struct kdp_cli *cli, const char *dir, const char *ticker, bool known, bool *foundp)
{
    const struct kdp_asker_config wants = {.tries = 4};
    struct kdp_history_config config = {.dir = dir, .stopped = kdp_cli_interrupted};
    struct kdp_meta_scope scope = {.tickers = &ticker, .ticker_count = 1};
    int64_t started_ns = kdpi_mono_ns();
    struct kdp_meta_totals totals = {0};
    struct kdp_history *history = NULL;
    char span[KDPI_SCREEN_TEXT];
    struct kdp_ask ask;
    int rc, code;

    *foundp = false;
    code = kdp_ask_open(&ask, cli, &wants);
    if (code != 0)
        return code;
    rc = kdp_history_open_waiting(cli, &history, &config, KDP_HISTORY_WAIT_NS);
    if (rc == 0)
        rc = kdp_meta_fetch(ask.asker, history, &scope, NULL, &totals);
    if (rc == 0)
        rc = kdp_history_flush(history);
    kdp_history_close(history);
    kdp_ask_close(&ask);
    if (rc == -KDP_ESTOPPED)
        return kdp_cli_stopped(cli);
    if (rc != 0 && known) {
        kdp_cli_warning(cli, "Shown is what is here; --no-fetch does not ask", "%s", kdp_error_text());
        return 0;
    }
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    *foundp = totals.markets > 0;
    if (totals.refused > 0)
        kdp_cli_warning(cli, "It is left out", "%s", totals.refused_why);
    if (*foundp)
        kdp_cli_say(cli, "asked the exchange: %" PRIu64 " requests in %s; filed in %s", totals.requests,
                    kdpi_screen_span(span, kdpi_mono_ns() - started_ns), dir);
    return 0;
}

/* No version was in force yet at the time asked about. */
static int
too_early(const struct kdp_market *market)
{
    const char *first = kdp_market_cell(&market->versions, 0, "valid_from");

    kdpi_fail(KDP_ENOENT, "%s was not there yet at that time: its first version is of %s", market->ticker,
              first);
    kdpi_hint("kdp market --ticker %s --at %s", market->ticker, first);
    return -KDP_ENOENT;
}

static int
answer(const struct kdp_cli *cli, const struct kdp_market *market)
{
    bool versions = kdp_cli_switch(cli, "versions");
    enum kdp_format format = kdp_cli_format(cli);
    int rc = 0;

    if (!versions && market->shown == market->versions.count)
        return too_early(market);
    if (format == KDP_FORMAT_CSV)
        return kdp_market_csv(market, versions);
    if (format == KDP_FORMAT_JSON) {
        kdp_market_json(market, versions);
        return 0;
    }
    if (versions) {
        rc = kdp_market_list(cli, market);
    } else {
        kdp_market_show(cli, market);
        if (market->versions.count > 1)
            kdp_cli_say(cli, "%zu versions; --versions lists them, --at TIME shows another",
                        market->versions.count);
    }
    return rc;
}

int
kdp_cmd_market(struct kdp_cli *cli)
{
    const char *dir = kdp_cli_text(cli, "data");
    bool offline = !kdp_cli_switch(cli, "fetch"), refresh = kdp_cli_switch(cli, "refresh"), found;
    const char *const *tickers;
    struct kdp_market market;
    int64_t at_ns;
    int rc, code = 0;

    if (kdp_cli_list(cli, "ticker", &tickers) != 1 || strpbrk(tickers[0], "*?") != NULL)
        return kdp_cli_usage(
            cli, "Those in the data folder: kdp query \"SELECT DISTINCT ticker FROM definitions\"",
            "kdp market takes one --ticker, written out");
    if (strlen(tickers[0]) > 200)
        return kdp_cli_usage(cli, "The longest are about 60 letters", "a ticker of %zu letters",
                             strlen(tickers[0]));
    if (offline && refresh)
        return kdp_cli_usage(cli, NULL, "--refresh asks the exchange and --no-fetch forbids it");
    rc = kdp_cli_time(cli, "at", &at_ns);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    if (at_ns == KDP_TIME_NULL)
        at_ns = kdpi_now_ns();
    rc = load(&market, dir, tickers[0], at_ns);
    if (rc == 0 && !offline && (refresh || !market.complete)) {
        code = fetch(cli, dir, tickers[0], market.versions.count > 0, &found);
        if (code == 0 && found) {
            if (!kdp_cli_given(cli, "at"))
                at_ns = kdpi_now_ns();
            kdp_market_free(&market);
            rc = load(&market, dir, tickers[0], at_ns);
        }
    }
    if (rc == 0 && code != 0) {
        kdp_market_free(&market); /* said already */
        return code;
    }
    if (rc == 0 && market.versions.count > 0 && !market.from_rest)
        kdp_cli_notice(cli, NULL, "no rules and fees: only what the stream said of it is known here");
    if (rc == 0 && market.versions.count > 0)
        rc = answer(cli, &market);
    else if (rc == 0 && market.named_only)
        rc = kdpi_fail(KDP_ENOENT, "only the name of %s is known in %s%s", tickers[0], dir,
                       offline ? "" : ", and the exchange has no such market");
    else if (rc == 0)
        rc = unknown(dir, tickers[0], !offline);
    kdp_market_free(&market);
    return rc == 0 ? KDP_EXIT_DONE : rc == -KDP_ESTOPPED ? kdp_cli_stopped(cli) : kdp_cli_error(cli, rc);
}
