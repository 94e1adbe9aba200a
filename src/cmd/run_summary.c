/* run_summary.c - see run_summary.h; the JSON members' names are a promise to scripts. */
#include "run_summary.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lake_table.h"
#include "record.h"
#include "screen.h"
#include "sequence.h"
#include "table.h"
#include "words.h"

#define WIDTH 100
#define INDENT 11

void
kdp_run_result_start(struct kdp_run_result *result, uint64_t seq_first, int64_t mono_ns, int64_t wall_ns)
{
    result->seq_first = seq_first;
    result->tick_mono_ns = mono_ns;
    result->start_wall_ns = wall_ns;
}

static void
tick(struct kdp_run_result *result, const struct kdp_plant_totals *totals, int64_t mono_ns)
{
    if (mono_ns > result->tick_mono_ns)
        result->book_ns += (int64_t)(totals->planned_live + totals->planned_sampled + totals->planned_stale) *
                           (mono_ns - result->tick_mono_ns);
    result->tick_mono_ns = mono_ns;
}

void
kdp_run_result_tick(struct kdp_run_result *result, const struct kdp_plant *plant, int64_t mono_ns)
{
    struct kdp_plant_totals totals;

    kdp_plant_totals(plant, &totals);
    tick(result, &totals, mono_ns);
}

void
kdp_run_result_stop(struct kdp_run_result *result, const struct kdp_plant *plant, int64_t mono_ns)
{
    struct kdp_plant_totals totals;

    if (result->stopped)
        return;
    kdp_plant_totals(plant, &totals);
    tick(result, &totals, mono_ns);
    result->live_at_stop = totals.planned_live + totals.planned_sampled;
    result->planned_at_stop = result->live_at_stop + totals.planned_stale;
    result->stale_at_stop_ns = totals.stale_ns;
    kdp_replay_collect_markets(&result->plant, plant);
    result->stopped = true;
}

/* Trades that came in during the drain are counted with their market; its book stays what it was. */
static void
late_trades(struct kdp_replay_result *result, const struct kdp_plant *plant)
{
    for (uint32_t i = 0; i < result->market_count; i++) {
        struct kdp_plant_market *market = &result->markets[i], now;

        if (kdp_plant_market_at(plant, market->instrument - 1, &now)) {
            market->trades = now.trades;
            market->last_ts_ms = now.last_ts_ms;
        }
    }
}

void
kdp_run_result_end(struct kdp_run_result *result, const struct kdp_plant *plant, int64_t wall_ns)
{
    kdp_run_result_stop(result, plant, result->tick_mono_ns);
    late_trades(&result->plant, plant);
    kdp_replay_collect_counts(&result->plant, plant);
    result->end_wall_ns = wall_ns;
}

uint64_t
kdp_run_lost(const struct kdp_plant_totals *totals, uint64_t not_taped)
{
    return totals->trades_unhealed + not_taped;
}

void
kdp_run_result_release(struct kdp_run_result *result)
{
    kdp_replay_release(&result->plant);
}

/* ---- rows --------------------------------------------------------------------------------------- */

static uint64_t
rows_of(const struct kdp_plant_totals *totals, const struct kdp_lake_table *table)
{
    uint64_t rows = 0;
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count);

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++)
        if (kdp_lake_table_of(id) == table - tables)
            rows += table->per_item ? totals->snapshot_rows : totals->records_by_template[id];
    return rows;
}

/* ---- json --------------------------------------------------------------------------------------- */

/* What a run without a key has to say of itself; others have no such member. */
static void
json_keyless(const struct kdp_run_result *result, FILE *out)
{
    const struct kdp_session_stats *session = &result->session;
    const struct kdp_histogram *age = &result->age;
    char to[KDPI_TIME_TEXT];

    fprintf(out,
            ",\"keyless\":{\"polls\":%" PRIu64 ",\"books\":%" PRIu64 ",\"books_sampled\":%" PRIu64
            ",\"samples\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"limited\":%" PRIu64,
            session->polls, result->planned_at_stop, result->live_at_stop, session->samples,
            session->requests, session->requests_limited);
    if (age->count > 0)
        fprintf(out, ",\"delay_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
                (double)kdp_histogram_at(age, 0.5) / 1e6, (double)kdp_histogram_at(age, 0.99) / 1e6,
                (double)age->max / 1e6);
    else
        fputs(",\"delay_ms\":{\"p50\":null,\"p99\":null,\"max\":null}", out);
    kdpi_time_format(to, session->complete_ns, 0);
    if (session->answered && session->windows_open == 0)
        fprintf(out, ",\"complete_to\":\"%s\"}", to);
    else
        fputs(",\"complete_to\":null}", out);
}

static void
print_json(const struct kdp_run_result *result, FILE *out)
{
    const struct kdp_plant_totals *totals = &result->plant.totals;
    const struct kdp_histogram *latency = &result->latency;
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count);

    kdp_replay_json(&result->plant, out);
    fprintf(out,
            ",\"reconnects\":%" PRIu64 ",\"gaps_healed\":%" PRIu64 ",\"trades_recovered\":%" PRIu64
            ",\"missed\":{",
            result->reconnects, totals->gaps_healed, totals->trades_recovered);
    for (unsigned i = KDP_CHANNEL_BOOK; i < KDP_CHANNELS; i++)
        if (i != KDP_CHANNEL_TICKER) /* it has no numbers: what is missed cannot be known */
            fprintf(out, "%s\"%s\":%" PRIu64, i > KDP_CHANNEL_BOOK ? "," : "",
                    kdpi_channel_name((enum kdp_channel)i), totals->missed[i]);
    fprintf(out, "},\"lost\":%" PRIu64 ",\"book_stale_ms\":%" PRIu64 ",\"rows\":{",
            kdp_run_lost(totals, result->not_taped), result->stale_at_stop_ns / 1000000);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", tables[i].name, rows_of(totals, &tables[i]));
    fputs("},\"latency_us\":{", out);
    if (latency->count == 0)
        fputs("\"p50\":null,\"p99\":null,\"p999\":null,\"max\":null", out);
    else
        fprintf(out, "\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f",
                (double)kdp_histogram_at(latency, 0.5) / 1e3, (double)kdp_histogram_at(latency, 0.99) / 1e3,
                (double)kdp_histogram_at(latency, 0.999) / 1e3, (double)latency->max / 1e3);
    fputs("}", out);
    if (result->keyless)
        json_keyless(result, out);
    fputs("}\n", out);
}

/* ---- for a person ------------------------------------------------------------------------------- */

/* One line of the block: its word, then text that goes on under itself where it is longer than WIDTH. */
static void
put_line(FILE *out, const char *what, const char *text)
{
    size_t column = INDENT;

    fprintf(out, "%-*s", INDENT, what);
    while (*text != '\0') {
        size_t len = strcspn(text, " "), blanks = strspn(text + len, " ");

        if (column > INDENT && column + len > WIDTH) {
            fprintf(out, "\n%*s", INDENT, "");
            column = INDENT;
        }
        fwrite(text, 1, len, out);
        column += len;
        text += len;
        /* blanks belong to the word behind them: none at a line's end */
        if (*text != '\0' && column + blanks + strcspn(text + blanks, " ") <= WIDTH) {
            fprintf(out, "%*s", (int)blanks, "");
            column += blanks;
        } else if (*text != '\0') {
            column = WIDTH + 1;
        }
        text += blanks;
    }
    fputc('\n', out);
}

/* Always microseconds: 0.4, 41, 12,303. */
static const char *
put_us(char *buf, uint64_t ns)
{
    if (ns < 99950)
        snprintf(buf, KDPI_SCREEN_TEXT, "%.1f", (double)ns / 1e3);
    else
        kdpi_screen_count(buf, (ns + 500) / 1000);
    return buf;
}

struct disk {
    const char *dir;
    size_t dir_len;
    uint64_t total, tape, raw, log;
};
static struct disk disk; /* nftw has no argument */

static int
count_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    uint64_t size = (uint64_t)st->st_size;

    (void)at;
    if (type != FTW_F)
        return 0;
    disk.total += size;
    if (strncmp(path + disk.dir_len, "/tape/", 6) == 0)
        disk.tape += size;
    else if (strncmp(path + disk.dir_len, "/raw/", 5) == 0)
        disk.raw += size;
    else if (strncmp(path + disk.dir_len, "/log", 4) == 0)
        disk.log += size;
    return 0;
}

static const struct kdp_lake_table *
next_table(const struct kdp_plant_totals *totals, uint64_t below, const struct kdp_lake_table *after)
{
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count), *best = NULL;

    for (const struct kdp_lake_table *table = tables; table < tables + count; table++) {
        uint64_t rows = rows_of(totals, table);

        if (rows > 0 && (rows < below || (rows == below && after != NULL && table > after)) &&
            (best == NULL || rows > rows_of(totals, best)))
            best = table;
    }
    return best;
}

static void
print_gaps(const struct kdp_run_result *result, FILE *out)
{
    const struct kdp_plant_totals *totals = &result->plant.totals;
    char text[512], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], d[KDPI_SCREEN_TEXT];
    uint64_t missed = 0, other = 0;
    size_t len;

    for (unsigned i = 0; i < KDP_CHANNELS; i++) {
        missed += totals->missed[i];
        other += i != KDP_CHANNEL_BOOK && i != KDP_CHANNEL_TRADE ? totals->missed[i] : 0;
    }
    len = (size_t)snprintf(text, sizeof text, "%s, healed %s; missed %s", kdpi_screen_count(a, totals->gaps),
                           kdpi_screen_count(b, totals->gaps_healed), kdpi_screen_count(c, missed));
    if (missed > 0)
        len += (size_t)snprintf(
            text + len, sizeof text - len, ": %s %s, %s %s (fetched again %s), other %s",
            kdpi_channel_name(KDP_CHANNEL_BOOK), kdpi_screen_count(a, totals->missed[KDP_CHANNEL_BOOK]),
            kdpi_channel_name(KDP_CHANNEL_TRADE), kdpi_screen_count(b, totals->missed[KDP_CHANNEL_TRADE]),
            kdpi_screen_count(c, totals->trades_recovered), kdpi_screen_count(d, other));
    else if (totals->trades_recovered > 0) /* no number told of their loss */
        len += (size_t)snprintf(text + len, sizeof text - len, ", %s trades came by REST alone",
                                kdpi_screen_count(a, totals->trades_recovered));
    snprintf(text + len, sizeof text - len, "; lost %s",
             kdpi_screen_count(a, kdp_run_lost(totals, result->not_taped)));
    put_line(out, "gaps", text);
}

/* A run without a key has no frames; it has trades, and says how late they came. */
static void
print_polled(const struct kdp_run_result *result, int64_t span_ns, FILE *out)
{
    const struct kdp_session_stats *session = &result->session;
    uint64_t trades = result->plant.totals.records_by_template[KDP_TEMPLATE_TRADE];
    char text[512], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], to[KDPI_TIME_TEXT];
    size_t len;

    len = (size_t)snprintf(
        text, sizeof text, "%s (%s/s)", kdpi_screen_count(a, trades),
        kdpi_screen_count(b, span_ns > 0 ? (uint64_t)((double)trades / ((double)span_ns / 1e9) + 0.5) : 0));
    if (result->age.count > 0)
        len += (size_t)snprintf(text + len, sizeof text - len, ", late by p50 %s p99 %s max %s",
                                kdpi_screen_span(a, (int64_t)kdp_histogram_at(&result->age, 0.5)),
                                kdpi_screen_span(b, (int64_t)kdp_histogram_at(&result->age, 0.99)),
                                kdpi_screen_span(c, (int64_t)result->age.max));
    kdpi_time_format(to, session->complete_ns, 0);
    if (session->answered && session->windows_open == 0)
        snprintf(text + len, sizeof text - len, "; complete to %.8s UTC", to + 11);
    else
        snprintf(text + len, sizeof text - len,
                 "; INCOMPLETE: %" PRIu64 " windows not verified, the next run reads them",
                 session->windows_open);
    put_line(out, "trades", text);
    snprintf(text, sizeof text, "%s, answered 429: %s, malformed %s", kdpi_screen_count(a, session->requests),
             kdpi_screen_count(b, session->requests_limited),
             kdpi_screen_count(c, result->plant.totals.malformed));
    put_line(out, "requests", text);
}

static void
print_books(const struct kdp_run_result *result, FILE *out)
{
    char text[256], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT];
    size_t len;
    double stale = (double)result->stale_at_stop_ns / 1e9, all = (double)result->book_ns / 1e9;

    stale = stale > all ? all : stale;
    len = (size_t)snprintf(
        text, sizeof text, "%s of %s %s when stopped", kdpi_screen_count(a, result->live_at_stop),
        kdpi_screen_count(b, result->planned_at_stop), result->keyless ? "SAMPLED" : "live");
    if (result->keyless && result->session.sample_round_ns > 0)
        len += (size_t)snprintf(text + len, sizeof text - len, ", %s looks",
                                kdpi_screen_count(a, result->session.samples));
    snprintf(text + len, sizeof text - len, "; not %s %.2f %% of the time (%s of %s book-seconds)",
             result->keyless ? "known" : "live", all > 0 ? stale / all * 100 : 0.0,
             kdpi_screen_cash(c, (int64_t)(stale * 10 + 0.5), 1),
             kdpi_screen_count((char[KDPI_SCREEN_TEXT]){""}, (uint64_t)(all + 0.5)));
    put_line(out, "books", text);
}

static void
print_rows(const struct kdp_run_result *result, FILE *out)
{
    const struct kdp_plant_totals *totals = &result->plant.totals;
    char text[1024], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT];
    const struct kdp_lake_table *table = NULL, *tables;
    uint64_t rows = 0, below = UINT64_MAX;
    unsigned count;
    size_t len;

    tables = kdp_lake_tables(&count);
    for (unsigned i = 0; i < count; i++)
        rows += rows_of(totals, &tables[i]);
    /* a book snapshot is a row for each of its levels */
    len = (size_t)snprintf(text, sizeof text, "%s records on the tape %s %s rows in SQL",
                           kdpi_screen_count(a, totals->records - result->not_taped),
                           rows == totals->records ? "=" : "are", kdpi_screen_count(b, rows));
    for (unsigned i = 0; (table = next_table(totals, below, table)) != NULL; i++) {
        below = rows_of(totals, table);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s %s %s", i == 0 ? ":" : ",", table->name,
                                kdpi_screen_count(a, below));
    }
    put_line(out, "rows", text);
}

static void
print_disk(const struct kdp_run_result *result, FILE *out)
{
    char text[512], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], d[KDPI_SCREEN_TEXT];
    uint64_t parts;

    disk = (struct disk){.dir = result->dir, .dir_len = strlen(result->dir)};
    if (nftw(result->dir, count_file, 16, FTW_PHYS) != 0)
        return;
    parts = disk.tape + disk.raw + disk.log;
    snprintf(text, sizeof text, "%s %s: tape %s, raw tape %s, lake %s", result->dir,
             kdpi_screen_bytes(a, disk.total), kdpi_screen_bytes(b, disk.tape),
             kdpi_screen_bytes(c, disk.raw),
             kdpi_screen_bytes(d, disk.total > parts ? disk.total - parts : 0));
    put_line(out, "disk", text);
}

static void
print_block(const struct kdp_run_result *result, const struct kdp_cli *cli, FILE *out)
{
    const struct kdp_plant_totals *totals = &result->plant.totals;
    char text[1024], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], from[KDPI_TIME_TEXT],
        to[KDPI_TIME_TEXT], data[512] = "", again[4096], *typed = NULL;
    int64_t span_ns = result->end_wall_ns - result->start_wall_ns;
    size_t len;
    FILE *words;

    kdpi_time_format(from, result->start_wall_ns, 0);
    kdpi_time_format(to, result->end_wall_ns, 0);
    len = (size_t)snprintf(text, sizeof text, "%.10s %.8s to ", from, from + 11);
    if (strncmp(from, to, 10) != 0)
        len += (size_t)snprintf(text + len, sizeof text - len, "%.10s ", to);
    len += (size_t)snprintf(text + len, sizeof text - len, "%.8s UTC, %s%s%s, %s", to + 11,
                            span_ns < KDP_NS_PER_S ? "0 s" : kdpi_screen_span(a, span_ns),
                            result->what != NULL ? ", " : "", result->what != NULL ? result->what : "",
                            result->dir);
    if (result->run > 0)
        snprintf(text + len, sizeof text - len, " run %" PRIu32, result->run);
    put_line(out, "captured", text);

    if (result->keyless)
        print_polled(result, span_ns, out);
    snprintf(text, sizeof text, "%s (%s/s), malformed %s, connections %u, reconnects %" PRIu64,
             kdpi_screen_count(a, totals->frames),
             kdpi_screen_count(
                 b, span_ns > 0 ? (uint64_t)((double)totals->frames / ((double)span_ns / 1e9) + 0.5) : 0),
             kdpi_screen_count(c, totals->malformed), result->connections, result->reconnects);
    if (!result->keyless)
        put_line(out, "frames", text);
    print_books(result, out);
    print_gaps(result, out);
    if (result->latency.count > 0) {
        char d[KDPI_SCREEN_TEXT];

        snprintf(text, sizeof text, "receive to ring  p50 %s  p99 %s  p99.9 %s  max %s us",
                 put_us(a, kdp_histogram_at(&result->latency, 0.5)),
                 put_us(b, kdp_histogram_at(&result->latency, 0.99)),
                 put_us(c, kdp_histogram_at(&result->latency, 0.999)), put_us(d, result->latency.max));
        put_line(out, "latency", text);
    }
    print_rows(result, out);
    if (result->lake && !result->lake_whole)
        put_line(out, "lake",
                 "its writer did not end well: SQL reads the rest from the tape; the next run files it");
    print_disk(result, out);
    if (strcmp(result->dir, "./data") != 0) {
        strcpy(data, " --data ");
        kdp_cli_shell_word(data + strlen(data), sizeof data - strlen(data), result->dir);
    }
    snprintf(text, sizeof text, "kdp query \"FROM trades LIMIT 5\"%s", data);
    words = open_memstream(&typed, &len);
    if (words != NULL) { /* without them it would be another exchange, or other markets */
        kdp_cli_typed(words, cli,
                      "env-file base-url ws-url ca-file rules series event ticker min-volume combos");
        fclose(words);
    }
    snprintf(again, sizeof again, "kdp run%s%s%s (goes on at sequence %" PRIu64 ")",
             result->keyless ? " --keyless" : "", typed != NULL ? typed : "", data, result->seq_next);
    free(typed);
    if (INDENT + strlen(text) + 5 + strlen(again) <=
        WIDTH) { /* a command is not broken while there is room */
        strcat(text, "     ");
        strcat(text, again);
        again[0] = '\0';
    }
    put_line(out, "next", text);
    if (again[0] != '\0')
        fprintf(out, "%*s%s\n", INDENT, "", again); /* a command that is typed stays one line */
}

void
kdp_run_result_print(const struct kdp_run_result *result, const struct kdp_cli *cli)
{
    const char *summary = kdp_cli_text(cli, "summary");

    if (summary != NULL && strcmp(summary, "json") == 0)
        print_json(result, stdout);
    else
        print_block(result, cli, stdout);
}
