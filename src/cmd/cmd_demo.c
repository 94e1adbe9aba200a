/* cmd_demo.c - kdp demo: an event of the exchange, its markets, the busiest book and its last trades.  No key is needed. */
#include "commands.h"
#include "demo.h"

#include <string.h>

#include "kdp/book.h"
#include "screen.h"

#define DEPTH 5  /* levels a side on the screen, when not asked for others */
#define TRADES 5 /* lines of trades there */
#define TRADES_LEAST 100u
#define TRADES_MOST 1000u    /* of one request */
#define TRIES 4              /* a person waits: 1, 2 and 4 s */
#define BODY_MAX (64u << 20) /* the list of all series */

/* The one value of a setting that may be given once; false after the words are said. */
static bool
one_name(const struct kdp_cli *cli, const char *setting, const char **namep, unsigned *givenp)
{
    const char *const *values;
    unsigned count = kdp_cli_list(cli, setting, &values);

    if (count == 0)
        return true;
    ++*givenp;
    *namep = values[0];
    if (count > 1 || strpbrk(values[0], "*?") != NULL || values[0][0] == '\0' ||
        strlen(values[0]) > KDPI_TICKER_MAX) {
        kdp_cli_usage(cli, NULL, "kdp demo takes one --%s, written out", setting);
        return false;
    }
    return true;
}

static void
say_asked(const struct kdp_demo *demo)
{
    char took[KDPI_SCREEN_TEXT], age[KDPI_SCREEN_TEXT];
    struct kdp_asker_stats stats;

    kdp_asker_stats(demo->ask.asker, &stats);
    kdpi_screen_span(took, stats.last_ns - stats.first_ns);
    if (demo->more_open)
        kdp_cli_notice(demo->cli, "Choose it yourself: kdp demo --event E",
                       "%s has more open markets than were looked at: another event may close before this",
                       demo->series);
    if (demo->ask.signer != NULL)
        kdp_cli_say(demo->cli, "%llu requests, %s.", (unsigned long long)stats.requests, took);
    else if (demo->age_ns > 0)
        kdp_cli_say(demo->cli,
                    "%llu requests, %s. Without a key the exchange's answers may be old; these: %s.",
                    (unsigned long long)stats.requests, took, kdpi_screen_span(age, demo->age_ns));
    else
        kdp_cli_say(demo->cli, "%llu requests, %s. Without a key the exchange's answers may be 15 s old.",
                    (unsigned long long)stats.requests, took);
}

int
kdp_cmd_demo(struct kdp_cli *cli)
{
    struct kdp_asker_config wants = {.tries = TRIES, .body_max = BODY_MAX};
    enum kdp_format format = kdp_cli_format(cli);
    uint32_t depth = (uint32_t)kdp_cli_count(cli, "depth");
    int64_t limit = kdp_cli_count(cli, "limit");
    struct kdp_demo demo = {.cli = cli};
    unsigned given = 0;
    uint32_t rows;
    int code;

    if (!one_name(cli, "series", &demo.series, &given) || !one_name(cli, "event", &demo.event, &given) ||
        !one_name(cli, "ticker", &demo.ticker, &given))
        return KDP_EXIT_USAGE;
    if (given != 1)
        return kdp_cli_usage(cli, "For example: kdp demo --series KXHIGHNY",
                             given == 0 ? "kdp demo needs a --series, an --event or a --ticker"
                                        : "kdp demo takes --series, --event or --ticker, one of them");
    if (limit > TRADES_MOST)
        return kdp_cli_usage(cli, "More of them: kdp backfill --ticker T", "--limit is at most 1,000");
    rows = limit > 0 ? (uint32_t)limit : format == KDP_FORMAT_TABLE ? TRADES : TRADES_LEAST;
    if (depth == 0)
        depth = format == KDP_FORMAT_TABLE ? DEPTH : KDP_PRICE_MAX + 1;
    demo.trades_wanted = rows > TRADES_LEAST ? rows : TRADES_LEAST;
    code = kdp_ask_open(&demo.ask, cli, &wants);
    if (code != 0)
        return code;
    code = kdp_demo_ask(&demo);
    if (code == 0) {
        if (format == KDP_FORMAT_TABLE)
            kdp_demo_table(&demo, depth, rows);
        else if (format == KDP_FORMAT_CSV)
            kdp_demo_csv(&demo);
        else
            kdp_demo_json(&demo, depth, rows);
        say_asked(&demo);
    }
    kdp_demo_release(&demo);
    kdp_ask_close(&demo.ask);
    return code;
}
