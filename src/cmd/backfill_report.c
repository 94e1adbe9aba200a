/* backfill_report.c - how a backfill went: for people, as csv, as one JSON object whose members scripts rely on. */
#include "backfill_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "screen.h"
#include "words.h"

#define GAPS_SHOWN 10u

/* ---- words ---- */
static void
day_words(char *buf, size_t size, int64_t ns, bool month)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(ns / KDP_NS_PER_S);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    if (month)
        snprintf(buf, size, "%d %.3s", tm.tm_mday, months + 3 * tm.tm_mon);
    else
        snprintf(buf, size, "%d", tm.tm_mday);
}

static int
month_of(int64_t ns)
{
    time_t seconds = (time_t)(ns / KDP_NS_PER_S);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    return tm.tm_year * 12 + tm.tm_mon;
}

static void
time_words(char buf[KDPI_TIME_TEXT], int64_t ns)
{
    kdpi_time_format(buf, ns, 0);
    buf[10] = ' ';
    buf[19] = '\0';
}

/* "6 days (10 to 15 Nov; the end day is not included)", or both times when they are no midnights. */
static void
range_words(char *buf, size_t size, int64_t start_ns, int64_t end_ns)
{
    int64_t days = (end_ns - start_ns) / KDP_NS_PER_DAY;
    char from[KDPI_TIME_TEXT], to[KDPI_TIME_TEXT];

    if (start_ns % KDP_NS_PER_DAY != 0 || end_ns % KDP_NS_PER_DAY != 0) {
        time_words(from, start_ns);
        time_words(to, end_ns);
        snprintf(buf, size, "%s to %s UTC", from, to);
        return;
    }
    day_words(to, sizeof to, end_ns - 1, true);
    if (days == 1) {
        snprintf(buf, size, "1 day (%s; the end day is not included)", to);
        return;
    }
    day_words(from, sizeof from, start_ns, month_of(start_ns) != month_of(end_ns - 1));
    snprintf(buf, size, "%" PRId64 " days (%s to %s; the end day is not included)", days, from, to);
}

static const char *
tier_words(const struct backfill_run *run)
{
    if (run->cutoff_ns == KDP_TIME_NULL)
        return "both tiers";
    if (run->end_ns <= run->cutoff_ns - KDP_NS_PER_DAY)
        return "historical tier";
    return run->start_ns >= run->cutoff_ns + KDP_NS_PER_DAY ? "live tier" : "both tiers";
}

/* "11 s", "1 h 4 min", "as fast as it goes". */
static void
took_words(char buf[KDPI_SCREEN_TEXT], double seconds, bool limited)
{
    char span[KDPI_SCREEN_TEXT];

    if (!limited)
        snprintf(buf, KDPI_SCREEN_TEXT, "as fast as it goes");
    else if (seconds < 60)
        snprintf(buf, KDPI_SCREEN_TEXT, "about %.0f s", seconds < 1 ? 1 : seconds);
    else
        snprintf(buf, KDPI_SCREEN_TEXT, "about %s", kdpi_screen_span(span, (int64_t)seconds * KDP_NS_PER_S));
}

static double
seconds_for(const struct backfill_run *run, double requests, const char **tierp)
{
    static struct kdp_asker_stats asked;
    int64_t rate;

    kdp_asker_stats(run->ask.asker, &asked);
    *tierp = asked.tier[0] != '\0' ? asked.tier : run->ask.signer != NULL ? "signed" : "no key";
    rate = asked.tokens_per_s > 0 ? asked.tokens_per_s : 0;
    return rate > 0 ? requests * 10 / (double)rate : 0;
}

void
kdp_backfill_say_asking(const struct backfill_run *run)
{
    char range[160], markets[KDPI_SCREEN_TEXT], took[KDPI_SCREEN_TEXT];
    const char *tier;
    double seconds = seconds_for(run, run->weight, &tier);

    range_words(range, sizeof range, run->start_ns, run->end_ns);
    took_words(took, seconds, seconds > 0);
    kdpi_screen_count(markets, run->market_count);
    if (run->all || run->market_count == 1)
        kdp_cli_say(run->cli, "asking     %s, %s, %s: %s", range, tier_words(run), tier, took);
    else
        kdp_cli_say(run->cli, "asking     %s of %s markets, %s, %s: %s", range, markets, tier_words(run),
                    tier, took);
}

/* ---- facts ---- */
struct fact {
    const char *name;
    enum { WHOLE, REAL, TEXT, SIZE, TRUTH } kind;
    int64_t value;
    double real;
    const char *text;
};

static double
per_second(double value, double seconds)
{
    return seconds > 0 ? value / seconds : 0;
}

static unsigned
facts(const struct backfill_run *run, bool complete, struct fact *f, char start[KDPI_TIME_TEXT],
      char end[KDPI_TIME_TEXT])
{
    double seconds = (double)(kdpi_mono_ns() - run->began_ns) / 1e9;
    int64_t cpu_ns = kdp_backfill_cpu_ns(true), parse_ns = run->driver.parse_ns,
            store_ns = run->store_ns + run->driver.sink_ns;
    struct kdp_asker_stats asked;
    unsigned n = 0;

    kdp_asker_stats(run->ask.asker, &asked);
    kdpi_time_format(start, run->start_ns, 0);
    kdpi_time_format(end, run->end_ns, 0);
#define W(n_, v) f[n++] = (struct fact){.name = n_, .kind = WHOLE, .value = (int64_t)(v)}
#define R(n_, v)                              \
    f[n++] = (struct fact)                    \
    {                                         \
        .name = n_, .kind = REAL, .real = (v) \
    }
    f[n++] =
        (struct fact){.name = "simulated", .kind = TRUTH, .value = kdp_cli_switch(run->cli, "simulated")};
    f[n++] = (struct fact){.name = "start", .kind = TEXT, .text = start};
    f[n++] = (struct fact){.name = "end", .kind = TEXT, .text = end};
    f[n++] = (struct fact){.name = "complete", .kind = TRUTH, .value = complete};
    f[n++] = (struct fact){.name = "stopped", .kind = TRUTH, .value = run->stopped};
    W("markets", run->market_count);
    W("trades_inserted", run->totals.inserted);
    W("already_here", run->totals.already);
    W("duplicates", run->duplicates);
    W("impossible", run->impossible);
    W("trades_here", run->trades_here);
    f[n++] = (struct fact){.name = "volume", .kind = SIZE, .value = run->volume_e2};
    f[n++] = (struct fact){.name = "volume_proven", .kind = SIZE, .value = run->proven_e2};
    f[n++] = (struct fact){.name = "volume_of_candles", .kind = SIZE, .value = run->candle_volume_e2};
    f[n++] = (struct fact){.name = "volume_over", .kind = SIZE, .value = run->surplus_e2};
    W("days", run->days);
    W("days_complete", run->days_complete);
    W("days_not_provable", run->days_not_provable);
    W("markets_not_asked", run->not_asked);
    W("markets_total_short", run->total_short);
    f[n++] = (struct fact){.name = "total_short_volume", .kind = SIZE, .value = run->total_short_e2};
    W("tries", run->tries);
    W("windows", run->windows);
    W("given_up", run->given_up);
    W("candles_read", run->candle_rows);
    W("markets_read", run->terms);
    W("repeated", run->totals.duplicates);
    W("outside", run->driver.outside + run->driver.strange);
    W("loops", run->driver.looped);
    W("cutoff_moved", run->driver.moved);
    W("pages", run->driver.pages);
    W("requests", asked.requests);
    W("retries", asked.retried);
    W("answered_429", asked.limited);
    W("bytes", asked.bytes);
    R("duration_seconds", seconds);
    R("requests_per_second",
      per_second((double)asked.requests, (double)(asked.last_ns - asked.first_ns) / 1e9));
    R("trades_per_second", per_second((double)run->driver.given, seconds));
    R("budget_used", asked.budget_used);
    R("cpu_network_seconds",
      (double)(cpu_ns - parse_ns - store_ns > 0 ? cpu_ns - parse_ns - store_ns : 0) / 1e9);
    R("cpu_parse_seconds", (double)parse_ns / 1e9);
    R("cpu_store_seconds", (double)store_ns / 1e9);
#undef W
#undef R
    return n;
}

static void
put(FILE *out, const struct fact *f, bool json)
{
    char text[KDPI_DECIMAL_TEXT];

    switch (f->kind) {
    case WHOLE:
        fprintf(out, "%" PRId64, f->value);
        break;
    case REAL:
        fprintf(out, "%.3f", f->real);
        break;
    case TRUTH:
        fputs(f->value ? "true" : "false", out);
        break;
    case SIZE:
        kdpi_decimal_format(text, f->value, 2);
        fprintf(out, json ? "\"%s\"" : "%s", text);
        break;
    case TEXT:
        if (json)
            kdpi_json_text(out, f->text, strlen(f->text));
        else
            kdp_cli_csv_text(out, f->text, strlen(f->text));
        break;
    }
}

static void
print_json(const struct backfill_run *run, const struct fact *f, unsigned count)
{
    char text[KDPI_DECIMAL_TEXT], date[16];

    for (unsigned i = 0; i < count; i++) {
        printf("%s\"%s\": ", i > 0 ? ", " : "{", f[i].name);
        put(stdout, &f[i], true);
    }
    fputs(", \"gaps\": [", stdout);
    for (size_t i = 0; i < run->gap_count; i++) {
        const struct backfill_gap *gap = &run->gaps[i];

        printf("%s{\"ticker\": ", i > 0 ? ", " : "");
        kdpi_json_text(stdout, run->markets[gap->market].ticker, strlen(run->markets[gap->market].ticker));
        kdpi_day_format(date, gap->day);
        kdpi_decimal_format(text, gap->missing_e2, 2);
        printf(", \"date\": \"%s\", \"missing_volume\": \"%s\"}", date, text);
    }
    puts("]}");
}

static void
print_csv(const struct backfill_run *run, const struct fact *f, unsigned count)
{
    char text[KDPI_DECIMAL_TEXT], date[16];

    puts("name,value");
    for (unsigned i = 0; i < count; i++) {
        printf("%s,", f[i].name);
        put(stdout, &f[i], false);
        putchar('\n');
    }
    for (size_t i = 0; i < run->gap_count; i++) {
        kdpi_day_format(date, run->gaps[i].day);
        kdpi_decimal_format(text, run->gaps[i].missing_e2, 2);
        printf("gap,%s %s %s\n", run->markets[run->gaps[i].market].ticker, date, text);
    }
}

/* ---- for people ---- */

static void
print_time(FILE *out, int64_t ns)
{
    char text[KDPI_TIME_TEXT];

    kdpi_time_format(text, ns, 0);
    if (ns % KDP_NS_PER_DAY == 0)
        text[10] = '\0';
    fputs(text, out);
}

static void
print_next(FILE *out, const struct backfill_run *run, int64_t start_ns, int64_t end_ns, const char *ticker,
           bool verify)
{
    /* what was asked for, and where: without them the same words would mean another exchange, or other rows */
    static const char typed[] = "what interval read-tokens base-url ca-file env-file";
    const char *dir = kdp_cli_text(run->cli, "data");

    fprintf(out, "next       kdp backfill%s", verify ? " --verify" : "");
    if (ticker != NULL)
        fprintf(out, " --ticker %s", ticker);
    else
        kdp_cli_typed(out, run->cli, "all ticker series event");
    fputs(" --start ", out);
    print_time(out, start_ns);
    fputs(" --end ", out);
    print_time(out, end_ns);
    kdp_cli_typed(out, run->cli, typed);
    if (kdp_cli_given(run->cli, "data"))
        fprintf(out, " --data %s", dir);
    fputc('\n', out);
}

static void
print_gaps(FILE *out, const struct backfill_run *run)
{
    char size[KDPI_SCREEN_TEXT], date[16], tries[32] = "";
    const char *ticker = run->gap_count > 0 ? run->markets[run->gaps[0].market].ticker : NULL;
    int64_t start_ns = run->end_ns, end_ns = run->start_ns;
    bool one = true;

    if (run->tries > 0)
        snprintf(tries, sizeof tries, "; %u %s", run->tries, run->tries == 1 ? "try" : "tries");
    fprintf(out, "%sINCOMPLETE%s", kdp_cli_paint(run->cli, stdout, KDP_PAINT_ALERT),
            kdp_cli_paint(run->cli, stdout, KDP_PAINT_OFF));
    if (run->verified)
        fprintf(out, " %u of %u %s:", run->days_complete, run->days, run->days == 1 ? "day" : "days");
    for (size_t i = 0; i < run->gap_count; i++) {
        const struct backfill_gap *gap = &run->gaps[i];
        int64_t day_ns = (int64_t)gap->day * KDP_NS_PER_DAY;

        one = one && strcmp(run->markets[gap->market].ticker, ticker) == 0;
        start_ns = day_ns < start_ns ? day_ns : start_ns;
        end_ns = day_ns + KDP_NS_PER_DAY > end_ns ? day_ns + KDP_NS_PER_DAY : end_ns;
        if (i >= GAPS_SHOWN)
            continue;
        kdpi_day_format(date, gap->day);
        kdpi_screen_size(size, gap->missing_e2);
        if (run->market_count == 1)
            fprintf(out, "%s%s is %s contracts short of the exchange's candles%s",
                    i == 0 ? " " : "\n           ", date, size, tries);
        else
            fprintf(out, "\n           %s on %s is %s contracts short of the exchange's candles%s",
                    run->markets[gap->market].ticker, date, size, tries);
    }
    if (run->total_short > 0)
        fprintf(
            out,
            "%sof %" PRIu64 " %s without candles the exchange's total is %s contracts more than is here%s",
            run->gap_count > 0 ? "\n           " : " ", run->total_short,
            run->total_short == 1 ? "market" : "markets", kdpi_screen_size(size, run->total_short_e2), tries);
    if (run->gap_count > GAPS_SHOWN)
        fprintf(out, "\n           and %zu more; --format json has all", run->gap_count - GAPS_SHOWN);
    if (run->given_up > 0)
        fprintf(out, "%s%" PRIu64 " %s could not be read: %s",
                run->gap_count + run->total_short > 0 ? "\n           " : " ", run->given_up,
                run->given_up == 1 ? "range" : "ranges", run->given_up_words);
    else if (run->stopped)
        fprintf(out, " stopped before it was all here");
    else if (run->gap_count + run->total_short == 0)
        fprintf(out, " not everything was fetched yet");
    fputc('\n', out);
    if (run->gap_count > 0 && run->given_up == 0 && !run->stopped)
        print_next(out, run, start_ns > run->start_ns ? start_ns : run->start_ns,
                   end_ns < run->end_ns ? end_ns : run->end_ns, one ? ticker : NULL, !run->verify_alone);
    else
        print_next(out, run, run->start_ns, run->end_ns, NULL, false);
}

static void
print_table(FILE *out, const struct backfill_run *run, bool complete)
{
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], d[KDPI_SCREEN_TEXT];
    char budget[40] = "no limit";
    struct kdp_asker_stats asked;
    double seconds;

    kdp_asker_stats(run->ask.asker, &asked);
    seconds = (double)(asked.last_ns - asked.first_ns) / 1e9;
    if (kdp_cli_switch(run->cli, "simulated"))
        fprintf(out, "exchange   %sSIMULATED%s\n", kdp_cli_paint(run->cli, stdout, KDP_PAINT_ALERT),
                kdp_cli_paint(run->cli, stdout, KDP_PAINT_OFF));
    if (run->verify_alone)
        fprintf(out, "trades     %s here, %s duplicates, %s impossible\n",
                kdpi_screen_count(a, run->trades_here), kdpi_screen_count(c, run->duplicates),
                kdpi_screen_count(d, run->impossible));
    else if (run->trades)
        fprintf(out, "trades     %s inserted, %s already here, %s duplicates, %s impossible\n",
                kdpi_screen_count(a, run->totals.inserted), kdpi_screen_count(b, run->totals.already),
                kdpi_screen_count(c, run->duplicates), kdpi_screen_count(d, run->impossible));
    if (run->candles)
        fprintf(out, "candles    %s read\n", kdpi_screen_count(a, run->candle_rows));
    if (run->markets_too)
        fprintf(out, "markets    %s, their terms read\n", kdpi_screen_count(a, run->terms));
    if (run->impossible_words[0] != '\0')
        fprintf(out, "           for example %s\n", run->impossible_words);
    if (!run->trades)
        complete = complete || run->given_up == 0;
    if (!complete) {
        print_gaps(out, run);
    } else if (run->verified) {
        bool none = run->days_complete == 0 && run->days_not_provable > 0;

        if (none)
            fprintf(out,
                    "complete   %u %s fetched to the end: %s contracts; not provable, the exchange has no "
                    "candles of them\n",
                    run->days, run->days == 1 ? "day" : "days", kdpi_screen_size(a, run->volume_e2));
        else
            fprintf(out,
                    "complete   %u of %u %s, no gaps: %s contracts %s %s by the exchange's own candles\n",
                    run->days_complete, run->days, run->days == 1 ? "day" : "days",
                    kdpi_screen_size(a, run->proven_e2),
                    run->proven_e2 == run->candle_volume_e2 ? "=" : "against",
                    kdpi_screen_size(b, run->candle_volume_e2));
        if (run->volume_e2 != run->proven_e2 && !none)
            fprintf(out, "           %s more are of times or markets that no candle tells of\n",
                    kdpi_screen_size(a, run->volume_e2 - run->proven_e2));
        if (run->days_not_provable > 0 && !none)
            fprintf(
                out,
                "           %u %s not provable: the exchange has no candles of every market that traded\n",
                run->days_not_provable, run->days_not_provable == 1 ? "day is" : "days are");
        if (run->not_asked > 0)
            fprintf(
                out,
                "           candles of the %s smallest markets were not asked for; --verify asks for all\n",
                kdpi_screen_count(a, run->not_asked));
        if (run->surplus_e2 > 0)
            fprintf(out, "           %s contracts more are here than the candles say; none is thrown away\n",
                    kdpi_screen_size(a, run->surplus_e2));
        if (run->volume_differs > 0)
            fprintf(out, "           of %s %s the exchange's total is another number than its candles'\n",
                    kdpi_screen_count(a, run->volume_differs),
                    run->volume_differs == 1 ? "market" : "markets");
    }
    if (asked.tokens_per_s > 0)
        snprintf(budget, sizeof budget, "%.0f %% of the budget", asked.budget_used * 100);
    fprintf(out, "requests   %s in %.1f s (%.1f/s, %s), %s retried, %s answered 429\n",
            kdpi_screen_count(a, asked.requests), seconds, per_second((double)asked.requests, seconds),
            budget, kdpi_screen_count(b, asked.retried), kdpi_screen_count(c, asked.limited));
}

/* Lines as wide as the terminal, their further parts under the first; a command to type stays one line. */
static void
print_wrapped(FILE *out, const char *text, size_t width)
{
    enum { INDENT = 11 };

    while (*text != '\0') {
        size_t len = strcspn(text, "\n"), column = 0;
        const char *end = text + len, *word = text;

        if (strncmp(text, "next ", 5) == 0 || width < 2 * INDENT) {
            fwrite(text, 1, len, out);
            word = end;
        }
        while (word < end) {
            size_t blanks = strspn(word, " "), letters = strcspn(word + blanks, " \n"), columns = 0;

            for (size_t i = 0; i < letters; i++) {
                const char *at = word + blanks + i;

                if (*at == '\033') /* a colour takes no column */
                    i += strcspn(at, "m");
                else
                    columns += ((unsigned char)*at & 0xc0) != 0x80;
            }
            if (column > INDENT && column + blanks + columns > width) {
                fprintf(out, "\n%*s", INDENT, "");
                column = INDENT;
                word += blanks;
                blanks = 0;
            }
            fwrite(word, 1, blanks + letters, out);
            column += blanks + columns;
            word += blanks + letters;
        }
        fputc('\n', out);
        text = *end == '\n' ? end + 1 : end;
    }
}

static void
print_lines(const struct backfill_run *run, bool complete)
{
    int width = kdp_cli_width(stdout);
    char *text = NULL;
    size_t size;
    FILE *out = width > 0 ? open_memstream(&text, &size) : NULL;

    if (out == NULL) {
        print_table(stdout, run, complete);
        return;
    }
    print_table(out, run, complete);
    if (fclose(out) == 0)
        print_wrapped(stdout, text, (size_t)width);
    free(text);
}

void
kdp_backfill_report(struct backfill_run *run, bool complete)
{
    const char *summary = kdp_cli_text(run->cli, "summary");
    char start[KDPI_TIME_TEXT], end[KDPI_TIME_TEXT];
    struct fact f[60];
    unsigned count = facts(run, complete, f, start, end);

    if ((summary != NULL && strcmp(summary, "json") == 0) || kdp_cli_format(run->cli) == KDP_FORMAT_JSON)
        print_json(run, f, count);
    else if (kdp_cli_format(run->cli) == KDP_FORMAT_CSV)
        print_csv(run, f, count);
    else
        print_lines(run, complete);
}

void
kdp_backfill_report_dry(const struct backfill_run *run, const struct backfill_ranges *ranges)
{
    const char *summary = kdp_cli_text(run->cli, "summary"), *tier;
    double requests = run->weight, seconds;
    char start[KDPI_TIME_TEXT], end[KDPI_TIME_TEXT], range[160], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT],
        took[KDPI_SCREEN_TEXT];
    struct kdp_asker_stats asked;

    /* near the cutoff both tiers are asked */
    if (strcmp(tier_words(run), "both tiers") == 0)
        requests += (double)ranges->count;
    seconds = seconds_for(run, requests, &tier);
    kdp_asker_stats(run->ask.asker, &asked);
    kdpi_time_format(start, run->start_ns, 0);
    kdpi_time_format(end, run->end_ns, 0);
    if ((summary != NULL && strcmp(summary, "json") == 0) || kdp_cli_format(run->cli) != KDP_FORMAT_TABLE) {
        bool json = kdp_cli_format(run->cli) != KDP_FORMAT_CSV || summary != NULL;

        printf(json ? "{\"dry_run\": true, \"start\": \"%s\", \"end\": \"%s\", \"markets\": %zu, "
                      "\"windows\": %" PRIu64 ", \"windows_here\": %" PRIu64
                      ", \"tier\": \"%s\", \"requests\": %.0f, \"duration_seconds\": %.1f}\n"
                    : "name,value\nstart,%s\nend,%s\nmarkets,%zu\nwindows,%" PRIu64 "\nwindows_here,%" PRIu64
                      "\ntier,%s\nrequests,%.0f\nduration_seconds,%.1f\n",
               start, end, run->market_count, run->windows, run->windows_here, tier_words(run), requests,
               seconds);
        return;
    }
    range_words(range, sizeof range, run->start_ns, run->end_ns);
    printf("would ask  %s, %s\n", range, tier_words(run));
    printf("windows    %s to fetch", kdpi_screen_count(a, run->windows));
    if (!run->all)
        printf(" of %s %s, %s whole here already", kdpi_screen_count(b, run->market_count),
               run->market_count == 1 ? "market" : "markets", kdpi_screen_count(took, run->windows_here));
    printf("\nrequests   about %s: ", kdpi_screen_count(a, (uint64_t)(requests + 0.5)));
    took_words(took, seconds, seconds > 0);
    if (asked.tokens_per_s > 0)
        printf("%s at %.0f a second (%s)\n", took, (double)asked.tokens_per_s / 10, tier);
    else
        printf("%s (%s)\n", took, tier);
    printf("           by %s; no trade was asked for, nothing was written\n",
           run->all ? "what the exchange traded in such months" : "the exchange's volumes");
}
