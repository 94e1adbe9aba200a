/* sql_say.c - see sql_say.h. */
#include "sql_say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "kdp/reader.h"
#include "words.h"

#define NEAREST 3

void
kdp_sql_say_hole(const struct kdp_cli *cli, const struct kdp_sql *sql)
{
    uint64_t from, to;

    for (unsigned i = 0; kdp_sql_hole(sql, i, &from, &to); i++)
        kdp_cli_warning(cli, "The answer is without them. kdp tape info tells what there is",
                        "sequences %" PRIu64 " to %" PRIu64 " are neither in the lake nor on the tape", from,
                        to);
}

void
kdp_sql_say_cut(const struct kdp_cli *cli, struct kdp_sql *sql, int64_t took_ns, const char *tail,
                const char *fmt, ...)
{
    char words[256], when[64] = "", repeat[128] = "", time[KDPI_TIME_TEXT];
    int64_t cut_ns = kdp_sql_cut_ns(sql);
    va_list args;

    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    if (cut_ns != KDP_TIME_NULL) {
        kdpi_time_format(time, cut_ns, 3);
        time[strlen(time) - 1] = '\0'; /* the Z: the zone is written out */
        /* today's times without their date */
        if (kdpi_day_of(cut_ns) == kdpi_day_of(kdpi_now_ns())) {
            snprintf(when, sizeof when, ", as of %s UTC", time + strlen("2026-11-22T"));
        } else {
            time[10] = ' ';
            snprintf(when, sizeof when, ", as of %s UTC", time);
        }
    }
    if (tail != NULL)
        snprintf(repeat, sizeof repeat, "; %s", tail);
    else if (kdp_sql_cut(sql) > 0)
        snprintf(repeat, sizeof repeat, "; again: --at-seq %" PRIu64, kdp_sql_cut(sql));
    kdp_cli_say(cli, "%s in %.1f ms%s%s", words, (double)took_ns / 1e6, when, repeat);
}

struct near {
    char ticker[208];
    unsigned distance;
};

static void
consider(struct near *best, const char *ticker, const char *wanted)
{
    unsigned distance = kdpi_word_distance(wanted, ticker);
    size_t common = 0;

    /* a shared beginning says more than letters in common: KXHIGHNY-26NOV22 is near all its markets */
    while (wanted[common] != '\0' && wanted[common] == ticker[common])
        common++;
    distance = distance * 2 > common ? distance * 2 - (unsigned)common : 0;
    for (int i = 0; i < NEAREST; i++) {
        if (strcmp(best[i].ticker, ticker) == 0)
            return;
        if (best[i].ticker[0] != '\0' && best[i].distance <= distance)
            continue;
        memmove(&best[i + 1], &best[i], (size_t)(NEAREST - 1 - i) * sizeof *best);
        best[i].distance = distance;
        snprintf(best[i].ticker, sizeof best[i].ticker, "%s", ticker);
        return;
    }
}

int
kdp_say_unknown_ticker(const char *dir, struct kdp_sql *sql, const char *ticker)
{
    struct near best[NEAREST + 1] = {0};
    struct kdp_sql_result *result = NULL;
    struct kdp_reader *reader = NULL;
    char list[3 * sizeof best[0].ticker + 64] = "";
    size_t used = 0;

    if (kdp_reader_open_seq(&reader, dir, 0, 0) == 0)
        for (uint32_t id = 1; id <= kdp_reader_instrument_max(reader); id++)
            if (kdp_reader_ticker(reader, id) != NULL)
                consider(best, kdp_reader_ticker(reader, id), ticker);
    kdp_reader_close(reader);
    if (best[0].ticker[0] == '\0' && sql != NULL &&
        kdp_sql_ask(
            sql,
            "SELECT ticker FROM definitions WHERE ticker IS NOT NULL UNION SELECT ticker FROM market_terms",
            NULL, 0, &result) == 0) {
        while (kdp_sql_next(result) > 0)
            consider(best, kdp_sql_cell(result, 0), ticker);
        kdp_sql_free(result);
    }
    for (int i = 0; i < NEAREST && best[i].ticker[0] != '\0'; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", best[i].ticker);
    kdpi_fail(KDP_ENOENT, "no market %s in %s", ticker, dir);
    if (used > 0)
        kdpi_hint("Nearest: %s", list);
    else
        kdpi_hint("There are no markets in it yet: kdp run, replay and backfill --what markets bring some");
    return -KDP_ENOENT;
}
