/* cmd_tap.c - kdp tap: the stream itself, from ring and tape, as lines for people, csv or json.
 *
 * Lines are written as they come: a table's widths are fixed at the start from what is known then, so that
 * nothing has to be kept. */
#include "command.h"
#include "commands.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "kdp/reader.h"
#include "place.h"
#include "render.h"
#include "stream.h"

#define MARKET_WIDTH_MAX 48
#define CELL_WIDTH_MIN 8
#define WAIT_MS 200
#define OUTPUT_BUFFER (1u << 18)
#define SAID_MAX 10 /* troubles named one by one */

struct tap {
    struct kdp_cli *cli;
    struct kdp_reader *reader;
    enum kdp_format format;
    uint32_t mask;            /* of templates asked for */
    const char *const *globs; /* of tickers; none: every record */
    unsigned glob_count;
    uint8_t *matches; /* by instrument: 0 not asked yet, 1 no, 2 yes */
    uint32_t matches_room;
    uint64_t to_seq; /* last one to show */
    int64_t to_ns;   /* records received from here on end it */
    bool to_end;     /* to_seq was fixed when it began */
    uint64_t limit, shown, seen, troubles;
    int64_t deadline_ns;
    struct kdpi_render_columns columns;
    unsigned widths[KDPI_RENDER_COLUMNS];
    unsigned seq_width, type_width, market_width;
    int terminal; /* its columns, 0: none */
    int32_t day;
    int code;
    char text[KDPI_RENDER_MAX + 2];
};

/* ---- what is asked for ---- */

static int
type_mask(const struct kdp_cli *cli, const char *word, size_t len, uint32_t *maskp)
{
    char names[400] = "";
    size_t used = 0;

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        if (desc == NULL)
            continue;
        if ((strlen(desc->name) == len && memcmp(desc->name, word, len) == 0) ||
            (strlen(desc->table) == len && memcmp(desc->table, word, len) == 0)) {
            *maskp |= 1u << id;
            return 0;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used == 0 ? "Types are " : ", ",
                                 desc->name);
    }
    return kdp_cli_usage(cli, names, "no record type \"%.*s\"", (int)(len < 60 ? len : 60), word);
}

static int
read_types(struct tap *tap)
{
    const char *const *values;
    unsigned count = kdp_cli_list(tap->cli, "types", &values);
    int code;

    for (unsigned i = 0; i < count; i++) {
        const char *at = values[i];

        for (;;) {
            size_t len = strcspn(at, ",");

            code = type_mask(tap->cli, at, len, &tap->mask);
            if (code != 0)
                return code;
            if (at[len] == '\0')
                break;
            at += len + 1;
        }
    }
    if (count == 0)
        tap->mask = UINT32_MAX;
    return 0;
}

/* --columns a,b --columns c is a,b,c. */
static int
read_columns(struct tap *tap)
{
    const char *const *values;
    unsigned count = kdp_cli_list(tap->cli, "columns", &values);
    char list[4096] = "";
    size_t used = 0;
    int rc;

    if (count > 0 && tap->format == KDP_FORMAT_JSON)
        return kdp_cli_usage(tap->cli, "json gives all members; pick with jq, or use --format csv",
                             "--columns goes with table and csv");
    for (unsigned i = 0; i < count; i++) {
        int len = snprintf(list + used, sizeof list - used, "%s%s", used == 0 ? "" : ",", values[i]);

        if (len < 0 || (size_t)len >= sizeof list - used)
            return kdp_cli_usage(tap->cli, NULL, "--columns is too long");
        used += (size_t)len;
    }
    rc = kdpi_render_select(&tap->columns, tap->mask, count == 0 ? NULL : list);
    if (count == 0 && tap->format == KDP_FORMAT_TABLE)
        tap->columns.count = 0; /* the four columns for people, and what */
    return rc != 0 ? kdp_cli_error(tap->cli, rc) : 0;
}

/* Where it ends.  Without --to it goes on while a plant can bring more; a folder without one is read to its
 * end. */
static int
read_to(struct tap *tap, const char *from)
{
    const char *text = kdp_cli_text(tap->cli, "to");
    struct kdp_plant_info info;
    struct kdp_place place;

    tap->to_seq = UINT64_MAX;
    tap->to_ns = INT64_MAX;
    if (text == NULL && !kdp_cli_switch(tap->cli, "follow") && strcmp(from, "now") != 0 &&
        (kdp_plant_info(kdp_cli_text(tap->cli, "data"), &info) != 0 || !info.alive))
        text = "end";
    if (text == NULL)
        return 0;
    if (kdpi_place_parse(text, &place) != 0)
        return kdp_cli_error(tap->cli, -KDP_EUSAGE);
    if (place.kind == KDP_PLACE_TIME) {
        tap->to_ns = place.ns;
    } else if (place.kind == KDP_PLACE_SEQ) {
        tap->to_seq = place.seq;
    } else {
        tap->to_seq = kdp_reader_head(tap->reader);
        tap->to_end = true;
    }
    return 0;
}

/* Whoever waits for a plant that is not there is told what it waits for. */
static void
tell_waits(const struct tap *tap, const char *dir)
{
    struct kdp_plant_info info;

    if (tap->to_end || tap->to_seq != UINT64_MAX || tap->to_ns != INT64_MAX ||
        (kdp_plant_info(dir, &info) == 0 && info.alive))
        return;
    kdp_cli_notice(tap->cli, "What is there already: kdp tap --from oldest. Ctrl-C ends it",
                   "no plant is running in %s: waiting for one", dir);
}

/* ---- which records ---- */

static bool
any_glob(const struct tap *tap, const char *ticker)
{
    for (unsigned i = 0; i < tap->glob_count; i++)
        if (fnmatch(tap->globs[i], ticker, 0) == 0)
            return true;
    return false;
}

static bool
market_matches(struct tap *tap, uint32_t instrument)
{
    const char *ticker;

    if (tap->glob_count == 0)
        return true;
    if (instrument == 0)
        return false;
    if (instrument < tap->matches_room && tap->matches[instrument] != 0)
        return tap->matches[instrument] == 2;
    ticker = kdp_reader_ticker(tap->reader, instrument);
    if (ticker == NULL)
        return false;
    if (instrument >= tap->matches_room && instrument < (1u << 26)) {
        uint32_t room = tap->matches_room == 0 ? 4096 : tap->matches_room;
        uint8_t *grown;

        while (room <= instrument)
            room *= 2;
        grown = realloc(tap->matches, room);
        if (grown != NULL) {
            memset(grown + tap->matches_room, 0, room - tap->matches_room);
            tap->matches = grown;
            tap->matches_room = room;
        }
    }
    if (instrument < tap->matches_room)
        tap->matches[instrument] = any_glob(tap, ticker) ? 2 : 1;
    return any_glob(tap, ticker);
}

/* One market named without * or ?: blocks of the tape without it are not even read. */
static void
set_filter(struct tap *tap)
{
    uint32_t instrument = 0;

    if (tap->glob_count == 1 && strpbrk(tap->globs[0], "*?[\\") == NULL)
        instrument = kdp_reader_instrument(tap->reader, tap->globs[0]);
    kdp_reader_filter(tap->reader, tap->mask, instrument);
}

/* ---- lines ---- */

static void
fix_widths(struct tap *tap)
{
    uint64_t head = kdp_reader_head(tap->reader);
    uint32_t instruments = kdp_reader_instrument_max(tap->reader);

    tap->terminal = kdp_cli_width(stdout);
    tap->seq_width = 6;
    for (uint64_t power = 1000000; power <= head && power < UINT64_MAX / 10; power *= 10)
        tap->seq_width++;
    tap->type_width = 4;
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        if (desc != NULL && tap->mask >> id & 1 && strlen(desc->name) > tap->type_width)
            tap->type_width = (unsigned)strlen(desc->name);
    }
    tap->market_width = 12;
    for (uint32_t id = 1; id <= instruments && id <= 300000; id++) {
        const char *ticker = kdp_reader_ticker(tap->reader, id);
        size_t len = ticker == NULL ? 0 : strlen(ticker);

        if (len > tap->market_width && len <= MARKET_WIDTH_MAX &&
            (tap->glob_count == 0 || any_glob(tap, ticker)))
            tap->market_width = (unsigned)len;
    }
    for (unsigned i = 0; i < tap->columns.count; i++) {
        const char *name = tap->columns.columns[i].name;

        tap->widths[i] = strlen(name) > CELL_WIDTH_MIN ? (unsigned)strlen(name) : CELL_WIDTH_MIN;
        if (strcmp(name, "ticker") == 0)
            tap->widths[i] = tap->market_width;
        else if (strcmp(name, "type") == 0)
            tap->widths[i] = tap->type_width;
        else if (strstr(name, "ts") != NULL || strcmp(name, "timestamp") == 0)
            tap->widths[i] = 30;
    }
}

/* Cuts a line at the terminal's width, between characters. */
static void
put_line(const struct tap *tap, const char *text)
{
    size_t len = 0;
    int columns = 0;

    if (tap->terminal <= 0) {
        fputs(text, stdout);
    } else {
        for (; text[len] != '\0'; len++) {
            if (((unsigned char)text[len] & 0xc0) == 0x80)
                continue;
            if (columns == tap->terminal)
                break;
            columns++;
        }
        fwrite(text, 1, len, stdout);
    }
    putchar('\n');
}

static void
put_heading(struct tap *tap)
{
    size_t used = 0;

    switch (tap->format) {
    case KDP_FORMAT_CSV:
        kdpi_render_csv_header(tap->text, sizeof tap->text, &tap->columns);
        puts(tap->text);
        return;
    case KDP_FORMAT_JSON:
        return;
    case KDP_FORMAT_TABLE:
        break;
    }
    if (tap->columns.count == 0) {
        snprintf(tap->text, sizeof tap->text, "%*s  %-18s  %-*s  %-*s  %s", (int)tap->seq_width, "SEQ",
                 "RECEIVED (UTC)", (int)tap->type_width, "TYPE", (int)tap->market_width, "MARKET", "WHAT");
    } else {
        for (unsigned i = 0; i < tap->columns.count && used < KDPI_RENDER_MAX; i++) {
            size_t start = used;

            used += (size_t)snprintf(tap->text + used, sizeof tap->text - used, "%-*s  ", (int)tap->widths[i],
                                     tap->columns.columns[i].name);
            for (; start < used; start++)
                if (tap->text[start] >= 'a' && tap->text[start] <= 'z')
                    tap->text[start] = (char)(tap->text[start] - 'a' + 'A');
        }
        while (used > 0 && tap->text[used - 1] == ' ')
            tap->text[--used] = '\0';
    }
    put_line(tap, tap->text);
}

static void
put_table_row(struct tap *tap, const struct kdp_head *rec, const char *ticker)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(rec->template_id);
    char time[KDPI_TIME_TEXT], market[256] = "-";
    size_t used;
    int32_t day = kdpi_day_of(rec->recv_ns);

    if (ticker != NULL)
        kdpi_escape(market, sizeof market, ticker, strlen(ticker));
    if (day != tap->day) {
        char date[16];

        kdpi_day_format(date, day);
        if (tap->day != INT32_MIN) /* the first is of the day one asked for */
            printf("%*s  %s\n", (int)tap->seq_width, "", date);
        tap->day = day;
    }
    kdpi_time_format(time, rec->recv_ns, 9);
    used = (size_t)snprintf(tap->text, sizeof tap->text, "%*" PRIu64 "  %.18s  %-*s  %-*s  ",
                            (int)tap->seq_width, rec->seq, time + sizeof "2026-11-22", (int)tap->type_width,
                            desc == NULL ? "?" : desc->name, (int)tap->market_width, market);
    kdpi_render_what(tap->text + used, sizeof tap->text - used, rec, ticker);
    put_line(tap, tap->text);
}

static void
put_cells(struct tap *tap, const struct kdp_head *rec, const char *ticker)
{
    size_t used = 0;

    for (unsigned i = 0; i < tap->columns.count; i++) {
        static char cell[KDPI_RENDER_MAX];

        kdpi_render_cell(cell, sizeof cell, &tap->columns.columns[i], rec, ticker);
        if (used >= KDPI_RENDER_MAX)
            break;
        used += (size_t)snprintf(tap->text + used, sizeof tap->text - used, "%-*s  ", (int)tap->widths[i],
                                 cell[0] == '\0' ? "-" : cell);
    }
    if (used > KDPI_RENDER_MAX)
        used = KDPI_RENDER_MAX;
    while (used > 0 && tap->text[used - 1] == ' ')
        used--;
    tap->text[used] = '\0';
    put_line(tap, tap->text);
}

static void
put_record(struct tap *tap, const struct kdp_head *rec)
{
    const char *ticker = rec->instrument == 0 ? NULL : kdp_reader_ticker(tap->reader, rec->instrument);

    switch (tap->format) {
    case KDP_FORMAT_CSV:
        kdpi_render_csv_row(tap->text, sizeof tap->text, &tap->columns, rec, ticker);
        puts(tap->text);
        break;
    case KDP_FORMAT_JSON:
        kdpi_render_json(tap->text, sizeof tap->text, rec, ticker);
        puts(tap->text);
        break;
    case KDP_FORMAT_TABLE:
        if (tap->columns.count == 0)
            put_table_row(tap, rec, ticker);
        else
            put_cells(tap, rec, ticker);
        break;
    }
    tap->shown++;
}

/* ---- the loop ---- */

/* Damage or a hole: told, and reading goes on behind it; the answer is then not the whole. */
static bool
trouble(struct tap *tap, int rc, uint64_t *standp)
{
    uint64_t stand = kdp_reader_seq(tap->reader);
    char text[1024], hint[512];

    if (stand == *standp || rc == -KDP_ENOMEM) { /* no way round it */
        tap->code = kdp_cli_error(tap->cli, rc);
        return false;
    }
    *standp = stand;
    if (++tap->troubles <= SAID_MAX) {
        snprintf(text, sizeof text, "%s", kdp_error_text());
        snprintf(hint, sizeof hint, "%s", kdp_error_hint());
        kdp_cli_warning(tap->cli, hint[0] == '\0' ? NULL : hint, "%s", text);
    }
    tap->code = KDP_EXIT_FAILED;
    return true;
}

static bool
at_end(const struct tap *tap)
{
    return kdp_reader_seq(tap->reader) > tap->to_seq || tap->to_seq == 0 ||
           (tap->limit != 0 && tap->shown >= tap->limit) ||
           (tap->deadline_ns != 0 && kdpi_mono_ns() >= tap->deadline_ns);
}

static void
run_tap(struct tap *tap)
{
    uint64_t stand = UINT64_MAX, first = kdp_reader_seq(tap->reader), last = 0;
    bool whole = false;

    if (first == 0)
        first = kdp_reader_oldest(tap->reader);
    while (!at_end(tap) && !kdp_cli_interrupted() && !kdp_cli_output_failed()) {
        const struct kdp_head *rec;
        int size = kdp_reader_next(tap->reader, &rec);

        if (size < 0) {
            if (!trouble(tap, size, &stand))
                break;
            continue;
        }
        if (size == 0) {
            fflush(stdout);
            if (tap->to_end && kdp_reader_wait(tap->reader, 0) == 0)
                break; /* the tape ends before what its headers say, and that was told */
            kdp_reader_wait(tap->reader, WAIT_MS);
            continue;
        }
        if (rec->seq > tap->to_seq || rec->recv_ns >= tap->to_ns)
            break;
        if (first == 0 || first > rec->seq)
            first = rec->seq;
        last = rec->seq;
        if ((tap->mask >> rec->template_id & 1) && market_matches(tap, rec->instrument))
            put_record(tap, rec);
    }
    fflush(stdout);
    /* blocks of the tape that cannot hold what was asked for count as looked through */
    whole = tap->to_end && kdp_reader_seq(tap->reader) > tap->to_seq;
    if (whole && tap->to_seq > last)
        last = tap->to_seq;
    tap->seen = last == 0 || first == 0 || last < first ? 0 : last - first + 1;
}

int
kdp_cmd_tap(struct kdp_cli *cli)
{
    static char buffer[OUTPUT_BUFFER];
    const char *from = kdp_cli_text(cli, "from"), *dir = kdp_cli_text(cli, "data");
    struct tap *tap = calloc(1, sizeof *tap);
    struct kdp_place place;
    int64_t span;
    int code;

    if (tap == NULL) {
        kdpi_fail(KDP_ENOMEM, "out of memory");
        return kdp_cli_error(cli, -KDP_ENOMEM);
    }
    tap->cli = cli;
    tap->format = kdp_cli_format(cli);
    tap->day = INT32_MIN;
    tap->glob_count = kdp_cli_list(cli, "ticker", &tap->globs);
    tap->limit = (uint64_t)kdp_cli_count(cli, "limit");
    span = kdp_cli_count(cli, "seconds");
    if (from == NULL)
        from = "now";
    code = read_types(tap);
    if (code == 0)
        code = read_columns(tap);
    if (code == 0 && kdpi_place_parse(from, &place) != 0)
        code = kdp_cli_error(cli, -KDP_EUSAGE);
    if (code == 0) {
        int rc = kdp_reader_open(&tap->reader, dir, from, 0);

        code = rc != 0 ? kdp_cli_error(cli, rc) : read_to(tap, from);
        if (code == 0)
            tell_waits(tap, dir);
    }
    if (code == 0) {
        setvbuf(stdout, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof buffer);
        if (tap->format == KDP_FORMAT_TABLE)
            fix_widths(tap);
        set_filter(tap);
        put_heading(tap);
        if (kdp_cli_given(cli, "seconds"))
            tap->deadline_ns = kdpi_mono_ns() + span;
        run_tap(tap);
        code = tap->code;
        if (tap->troubles > SAID_MAX)
            kdp_cli_say(cli, "and %" PRIu64 " more of these", tap->troubles - SAID_MAX);
        if (tap->format == KDP_FORMAT_TABLE)
            kdp_cli_say(cli, "%" PRIu64 " of %" PRIu64 " records", tap->shown, tap->seen);
    }
    kdp_reader_close(tap->reader);
    free(tap->matches);
    free(tap);
    return code;
}
