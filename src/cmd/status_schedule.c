/* status_schedule.c - the exchange's pauses to come, in UTC and here, and its shards. */
#include "status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "kdp/records.h"

#define WEEK_AHEAD (8 * KDP_NS_PER_DAY) /* of the standard hours: one of each weekday, and a bit */
#define PAUSES_SHOWN 4u                 /* on the screen */
#define PAUSES_LISTED 40u               /* for programs */

/* ---- times for people ---- */

/* "Thu 26 Nov 08:00" of a broken-down time; with day false "08:00". */
static size_t
put_time(char *buf, size_t size, const struct tm *tm, bool day)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int n = day ? snprintf(buf, size, "%.3s %d %.3s %02d:%02d", days + 3 * tm->tm_wday, tm->tm_mday,
                           months + 3 * tm->tm_mon, tm->tm_hour, tm->tm_min)
                : snprintf(buf, size, "%02d:%02d", tm->tm_hour, tm->tm_min);

    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static bool
same_day(const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

/* "Thu 26 Nov 08:00 to 10:00 UTC (here 09:00 to 11:00 CET)"; start_ns null: the end alone. */
void
kdp_status_span(char *buf, size_t size, int64_t start_ns, int64_t end_ns)
{
    time_t start = start_ns != KDP_TIME_NULL ? start_ns / KDP_NS_PER_S : 0, end = end_ns / KDP_NS_PER_S;
    struct tm utc[2], here[2];
    size_t n = 0;

    gmtime_r(&start, &utc[0]);
    gmtime_r(&end, &utc[1]);
    localtime_r(&start, &here[0]);
    localtime_r(&end, &here[1]);
    if (start_ns != KDP_TIME_NULL) {
        n = put_time(buf, size, &utc[0], true);
        n += (size_t)snprintf(buf + n, size - n, " to ");
    }
    n += put_time(buf + n, size - n, &utc[1], start_ns == KDP_TIME_NULL || !same_day(&utc[0], &utc[1]));
    n += (size_t)snprintf(buf + n, size - n, " UTC");
    if (here[1].tm_gmtoff == 0 && (start_ns == KDP_TIME_NULL || here[0].tm_gmtoff == 0))
        return;
    n += (size_t)snprintf(buf + n, size - n, " (here ");
    if (start_ns != KDP_TIME_NULL) {
        n += put_time(buf + n, size - n, &here[0], !same_day(&utc[0], &here[0]));
        n += (size_t)snprintf(buf + n, size - n, " to ");
    }
    n += put_time(buf + n, size - n, &here[1],
                  start_ns == KDP_TIME_NULL ? !same_day(&utc[1], &here[1]) : !same_day(&here[0], &here[1]));
    snprintf(buf + n, size - n, " %s)", here[1].tm_zone != NULL ? here[1].tm_zone : "local time");
}

/* ---- pauses ---- */

/* A time as a script takes it: local, with its offset. */
static void
local_fact(struct kdp_status *status, const char *name, int64_t ns)
{
    time_t at = ns / KDP_NS_PER_S;
    char text[40];
    struct tm tm;
    size_t n;

    localtime_r(&at, &tm);
    n = strftime(text, sizeof text - 1, "%Y-%m-%dT%H:%M:%S%z", &tm);
    if (n > 2) { /* +0100 as +01:00 */
        memmove(text + n - 1, text + n - 2, 3);
        text[n - 2] = ':';
    }
    kdp_status_text(status, "exchange", name, text);
}

static const char *
kind_of(const struct kdp_rest_pause *pause)
{
    return pause->weekly ? "weekly" : "maintenance";
}

/* The pauses to come: the first few for people, each weekday's once; all of them for programs. */
void
kdp_status_pauses(struct kdp_status *status, const struct kdp_rest_pause *pauses, uint32_t count,
                  int64_t now_ns)
{
    const struct kdp_rest_pause *next = NULL;
    unsigned shown = 0, more = 0;
    char span[128];

    for (uint32_t i = 0; i < count; i++) {
        const struct kdp_rest_pause *pause = &pauses[i];

        if (pause->start_ns <= now_ns || (pause->weekly && pause->start_ns > now_ns + WEEK_AHEAD))
            continue;
        if (next == NULL)
            next = pause;
        if (shown == PAUSES_SHOWN) {
            more++;
            continue;
        }
        kdp_status_span(span, sizeof span, pause->start_ns, pause->end_ns);
        kdp_status_line(status, "", shown == 0 ? "next pause" : "then", false, "%s, %s", span,
                        pause->weekly ? "weekly pause" : "maintenance");
        shown++;
    }
    if (more > 0)
        kdp_status_line(status, "", "", false, "and %u more: --format json", more);
    kdp_status_time(status, "exchange", "next_pause_start", next != NULL ? next->start_ns : KDP_TIME_NULL);
    kdp_status_time(status, "exchange", "next_pause_end", next != NULL ? next->end_ns : KDP_TIME_NULL);
    kdp_status_text(status, "exchange", "next_pause_kind", next != NULL ? kind_of(next) : NULL);
}

void
kdp_status_list_pauses(struct kdp_status *status, const struct kdp_rest_pause *pauses, uint32_t count,
                       int64_t now_ns)
{
    kdp_status_list(status, "exchange", "pauses");
    for (uint32_t i = 0; i < count && status->row < PAUSES_LISTED; i++) {
        if (pauses[i].weekly && pauses[i].start_ns > now_ns + WEEK_AHEAD)
            continue;
        kdp_status_row(status);
        kdp_status_time(status, "exchange", "start", pauses[i].start_ns);
        kdp_status_time(status, "exchange", "end", pauses[i].end_ns);
        local_fact(status, "start_local", pauses[i].start_ns);
        local_fact(status, "end_local", pauses[i].end_ns);
        kdp_status_text(status, "exchange", "kind", kind_of(&pauses[i]));
    }
    kdp_status_list_end(status);
}

/* ---- shards ---- */

static uint32_t
shards_described(const struct kdp_rest_status *exchange)
{
    return exchange->shards < KDPI_REST_SHARDS_MAX ? exchange->shards : KDPI_REST_SHARDS_MAX;
}

static const char *
shard_state(const struct kdp_rest_shard *shard)
{
    return !shard->active ? "closed" : shard->trading ? "open" : "no trading";
}

/* "2 Crypto", as much of it as is known. */
static void
put_shard(char *buf, size_t size, const struct kdp_rest_shard *shard, unsigned place)
{
    if (shard->index < 0)
        snprintf(buf, size, "number %u%s%s", place + 1, shard->description[0] != '\0' ? " " : "",
                 shard->description);
    else
        snprintf(buf, size, "%d%s%s", shard->index, shard->description[0] != '\0' ? " " : "",
                 shard->description);
}

/* Those that trade on one line, each of the others on one of its own.  Where the body names none, nothing is told. */
void
kdp_status_shards(struct kdp_status *status, const struct kdp_rest_status *exchange, bool paused)
{
    uint32_t count = shards_described(exchange);
    char all[480] = "", name[80];
    bool named = false;
    size_t used = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct kdp_rest_shard *shard = &exchange->shard[i];

        if (!shard->active || !shard->trading)
            continue;
        named |= shard->index >= 0 || shard->description[0] != '\0';
        put_shard(name, sizeof name, shard, i);
        if (used + strlen(name) + 3 < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", used > 0 ? ", " : "", name);
    }
    if (named)
        kdp_status_line(status, "", "trading", false, "%s", all);
    for (uint32_t i = 0; i < count; i++) {
        const struct kdp_rest_shard *shard = &exchange->shard[i];

        if (shard->active && shard->trading)
            continue;
        put_shard(name, sizeof name, shard, i);
        kdp_status_line(status, "", shard_state(shard), !paused, "%s", name);
    }
}

void
kdp_status_list_shards(struct kdp_status *status, const struct kdp_rest_status *exchange)
{
    uint32_t count = shards_described(exchange);

    kdp_status_list(status, "exchange", "shard_states");
    for (uint32_t i = 0; i < count; i++) {
        const struct kdp_rest_shard *shard = &exchange->shard[i];

        kdp_status_row(status);
        if (shard->index >= 0)
            kdp_status_number(status, "exchange", "index", "%d", shard->index);
        else
            kdp_status_text(status, "exchange", "index", NULL);
        kdp_status_text(status, "exchange", "description",
                        shard->description[0] != '\0' ? shard->description : NULL);
        kdp_status_text(status, "exchange", "state", shard_state(shard));
        kdp_status_switch(status, "exchange", "exchange_active", shard->active);
        kdp_status_switch(status, "exchange", "trading_active", shard->trading);
    }
    kdp_status_list_end(status);
}
