/* run_draw.c - the live table as text: two lines of numbers, the busiest markets, what happened last. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "run_screen_private.h"
#include "screen.h"
#include "table.h"

#define TICKER_LEAST 12
#define LINES_BESIDE 2 /* of a terminal, beside what is counted: the heading, and the line of the end */

enum { MARKET, STATE, BID_SIZE, BID, ASK, ASK_SIZE, LAST, VOLUME, RATE, SPARK };

static const char *const headings[RUN_COLUMN_COUNT] = {"MARKET",   "STATE", "BID SIZE", "BID",   "ASK",
                                                       "ASK SIZE", "LAST",  "VOLUME",   "MSG/S", "60 S"};

/* ---- words that wrap ---------------------------------------------------------------------------- */

/* Pieces of a line, set apart by gaps; one that does not fit begins a new line, and is wrapped itself when it is longer. */
struct prose {
    FILE *out;
    int width, column, indent;
};

static void
new_line(struct prose *prose)
{
    fprintf(prose->out, "\n%*s", prose->indent, "");
    prose->column = prose->indent;
}

static void
put_words(struct prose *prose, const char *text)
{
    int blanks = 0;

    while (*text != '\0') {
        int len = (int)strcspn(text, " "), columns;
        char word[256];

        snprintf(word, sizeof word, "%.*s", len, text);
        columns = (int)kdp_text_columns(word);
        if (prose->column > prose->indent && prose->column + blanks + columns > prose->width) {
            new_line(prose);
            blanks = 0;
        }
        fprintf(prose->out, "%*s%s", blanks, "", word);
        prose->column += blanks + columns;
        text += len;
        blanks = (int)strspn(text, " ");
        text += blanks;
    }
}

static void
put_piece(struct prose *prose, int gap, const char *before, const char *after, const char *text)
{
    int columns = (int)kdp_text_columns(text);

    if (prose->column > 0 && prose->column + gap + columns > prose->width) {
        new_line(prose);
    } else if (prose->column > 0) {
        fprintf(prose->out, "%*s", gap, "");
        prose->column += gap;
    }
    fputs(before, prose->out);
    put_words(prose, text);
    fputs(after, prose->out);
}

/* Two spans in one unit, that of the larger: "p50 0.4 p99 2.1 ms"; each with its own where one unit would hide the
 * smaller: "p50 37.2 us p99 13.6 ms". */
static void
put_spans(char *buf, size_t size, const char *what, uint64_t p50_ns, uint64_t p99_ns)
{
    const char *unit = p99_ns >= 10 * (uint64_t)KDP_NS_PER_S ? "s" : p99_ns >= 1000000 ? "ms" : "us";
    double scale = *unit == 's' ? 1e9 : *unit == 'm' ? 1e6 : 1e3;
    double a = (double)p50_ns / scale, b = (double)p99_ns / scale;

    if (p99_ns == 0) { /* nothing measured yet */
        snprintf(buf, size, "%s -", what);
        return;
    }
    if (a < 0.05 && p50_ns > 0) { /* the larger is of ms or s: the smaller is of the next unit down */
        a *= 1e3;
        snprintf(buf, size, "%s p50 %.1f %s p99 %.*f %s", what, a, *unit == 's' ? "ms" : "us",
                 b < 99.95 ? 1 : 0, b, unit);
        return;
    }
    snprintf(buf, size, "%s p50 %.*f p99 %.*f %s", what, a < 99.95 ? 1 : 0, a, b < 99.95 ? 1 : 0, b, unit);
}

static const char *
paint(const struct kdp_run_screen *screen, const struct kdp_run_look *look, enum kdp_paint color)
{
    return look->color ? kdp_cli_paint(screen->cli, stderr, color) : "";
}

/* The first line of numbers; where it does not fit, the date goes first, then how long it is up. */
static void
draw_first(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look,
           const struct kdp_plant_totals *totals)
{
    struct prose prose = {.out = out, .width = look->columns, .indent = 9};
    const struct kdp_run_view *view = screen->view;
    uint64_t stale = totals->planned_stale; /* closed books wait for nothing */
    char what[48] = "", stamp[KDPI_TIME_TEXT], day[16] = "", at[32], when[64], up[48], books[96], stales[48],
         lost[48];
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT];
    const char *off = paint(screen, look, KDP_PAINT_OFF), *alert = paint(screen, look, KDP_PAINT_ALERT);
    int64_t up_ns = screen->mono_ns - screen->start_mono_ns;
    int columns;

    if (view->what != NULL)
        snprintf(what, sizeof what, "%s", view->what);
    kdpi_time_format(stamp, screen->wall_ns, 0);
    snprintf(day, sizeof day, "%.10s ", stamp);
    snprintf(at, sizeof at, "%.8s UTC", stamp + 11);
    if (up_ns < 60 * KDP_NS_PER_S)
        snprintf(up, sizeof up, "up %d s", (int)(up_ns / KDP_NS_PER_S));
    else
        snprintf(up, sizeof up, "up %s", kdpi_screen_span(a, up_ns));
    if (view->keyless)
        snprintf(books, sizeof books, "%s books: %s SAMPLED,",
                 kdpi_screen_count(a, totals->planned_sampled + stale),
                 kdpi_screen_count(b, totals->planned_sampled));
    else
        snprintf(books, sizeof books, "%s books: %s live,",
                 kdpi_screen_count(a, totals->planned_live + stale),
                 kdpi_screen_count(b, totals->planned_live));
    snprintf(stales, sizeof stales, "%s STALE", kdpi_screen_count(a, stale));
    snprintf(lost, sizeof lost, "lost %s", kdpi_screen_count(a, view->lost));
    columns = (int)(7 + (what[0] != '\0' ? 2 + strlen(what) : 0) + 2 + strlen(day) + strlen(at) + 2 +
                    strlen(up) + 3 + strlen(books) + 1 + strlen(stales) + 3 + strlen(lost));
    if (columns > look->columns && look->columns >= RUN_COLUMNS_MOST) {
        columns -= (int)strlen(day);
        day[0] = '\0';
        if (columns > look->columns)
            up[0] = '\0';
    }
    snprintf(when, sizeof when, "%s%s", day, at);

    put_piece(&prose, 2, paint(screen, look, KDP_PAINT_HEAD), off, "kdp run");
    if (what[0] != '\0')
        put_piece(&prose, 2, alert, off, what);
    put_piece(&prose, 2, "", "", when);
    if (up[0] != '\0')
        put_piece(&prose, 2, "", "", up);
    put_piece(&prose, 3, "", "", books);
    put_piece(&prose, 1, stale > 0 ? alert : "", stale > 0 ? off : "", stales);
    put_piece(&prose, 3, view->lost > 0 ? alert : "", view->lost > 0 ? off : "", lost);
    fputc('\n', out);
}

/* The second; in a window of full width it keeps to one line by leaving out what can be guessed. */
static void
draw_second(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look,
            const struct kdp_plant_totals *totals)
{
    struct prose prose = {.out = out, .width = look->columns, .indent = 7};
    const struct kdp_run_view *view = screen->view;
    char frames[80], age[80] = "", ring[80] = "", lake[48], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT];

    snprintf(frames, sizeof frames, "%s %s (%s/s)", view->keyless ? "trades" : "frames",
             kdpi_screen_count(a, run_counted(screen, totals)),
             kdpi_screen_count(
                 b, (uint64_t)(run_rate(screen, run_counted(screen, totals), screen->mono_ns) + 0.5)));
    for (int shorter = 0; shorter < 3; shorter++) {
        if (view->age != NULL)
            put_spans(age, sizeof age, shorter < 2 ? "feed age" : "age",
                      run_percentile(view->age, &screen->age_then[0], 0.5),
                      run_percentile(view->age, &screen->age_then[0], 0.99));
        if (view->keyless && view->age != NULL)
            put_spans(age, sizeof age, shorter < 2 ? "late by" : "late",
                      run_percentile(view->age, &screen->age_then[0], 0.5),
                      run_percentile(view->age, &screen->age_then[0], 0.99));
        if (view->keyless)
            snprintf(ring, sizeof ring, "requests %s", kdpi_screen_count(a, view->requests));
        else if (view->to_ring != NULL)
            put_spans(ring, sizeof ring, shorter < 2 ? "to ring" : "ring",
                      run_percentile(view->to_ring, &screen->to_ring_then[0], 0.5),
                      run_percentile(view->to_ring, &screen->to_ring_then[0], 0.99));
        if (!view->lake)
            strcpy(lake, "no lake");
        else if (view->lake_waits)
            strcpy(lake, "lake waits");
        else
            snprintf(lake, sizeof lake, "lake %.1f s%s", (double)view->sql_behind_ns / 1e9,
                     shorter < 1 ? " behind" : "");
        if (strlen(frames) + 2 + strlen(age) + 2 + strlen(ring) + 2 + strlen(lake) <= (size_t)look->columns ||
            look->columns < RUN_COLUMNS_MOST)
            break;
    }
    put_piece(&prose, 2, "", "", frames);
    if (age[0] != '\0')
        put_piece(&prose, 2, "", "", age);
    if (ring[0] != '\0')
        put_piece(&prose, 2, "", "", ring);
    put_piece(&prose, 2, view->lake_waits ? paint(screen, look, KDP_PAINT_ALERT) : "",
              view->lake_waits ? paint(screen, look, KDP_PAINT_OFF) : "", lake);
    fputc('\n', out);
}

/* ---- the table ---------------------------------------------------------------------------------- */

struct row {
    char cell[RUN_COLUMN_COUNT][256];
    bool stale;
};

/* Four eighths are the market's own mean of the minute: steady is a flat line, and what grows rises. */
static void
put_spark(char *out, const double *cells, bool utf8)
{
    static const char *const eighths[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double sum = 0;
    int known = 0;

    for (unsigned i = 0; i < KDP_BUSY_CELLS; i++) {
        sum += cells[i] >= 0 ? cells[i] : 0;
        known += cells[i] >= 0;
    }
    *out = '\0';
    for (unsigned i = 0; i < KDP_BUSY_CELLS; i++) {
        double mean = known > 0 ? sum / known : 0;
        int level = mean > 0 && cells[i] > 0 ? (int)(cells[i] / mean * 4 + 0.5) : 0;

        level = level > 8 ? 8 : level;
        if (cells[i] < 0)
            out = stpcpy(out, " ");
        else if (utf8)
            out = stpcpy(out, eighths[level > 0 ? level - 1 : 0]);
        else
            out += sprintf(out, "%d", level);
    }
}

static const char *
state_of(const struct kdp_plant_market *market)
{
    switch (market->state) {
    case KDP_BOOK_STATE_LIVE:
        return "live";
    case KDP_BOOK_STATE_CLOSED:
        return "closed";
    case KDP_BOOK_STATE_SAMPLED:
        return "sample";
    case KDP_BOOK_STATE_STALE:
    case KDP_BOOK_STATE_RECOVERING:
        return "STALE";
    default:
        return "-"; /* no book of it is wanted */
    }
}

static void
fill(struct row *row, const struct kdp_plant_market *market, const struct kdp_busy_market *busy, bool utf8)
{
    const struct kdp_top *top = &market->top;
    /* a stale book shows no prices */
    bool priced = market->state == KDP_BOOK_STATE_LIVE || market->state == KDP_BOOK_STATE_SAMPLED;
    bool bid = priced && top->bid_e4 != KDP_PRICE_NULL, ask = priced && top->ask_e4 != KDP_PRICE_NULL;

    kdpi_escape(row->cell[MARKET], sizeof *row->cell, market->ticker, strlen(market->ticker));
    snprintf(row->cell[STATE], sizeof *row->cell, "%s", state_of(market));
    row->stale = strcmp(row->cell[STATE], "STALE") == 0;
    kdpi_screen_size_column(row->cell[BID_SIZE], bid ? top->bid_size_e2 : KDP_INT64_NULL);
    kdpi_screen_price_column(row->cell[BID], bid ? top->bid_e4 : KDP_PRICE_NULL);
    kdpi_screen_price_column(row->cell[ASK], ask ? top->ask_e4 : KDP_PRICE_NULL);
    kdpi_screen_size_column(row->cell[ASK_SIZE], ask ? top->ask_size_e2 : KDP_INT64_NULL);
    kdpi_screen_price_column(row->cell[LAST], market->last_price_e4);
    kdpi_screen_size_column(row->cell[VOLUME], market->volume_e2);
    kdpi_screen_count(row->cell[RATE], (uint64_t)(busy->rate + 0.5));
    put_spark(row->cell[SPARK], busy->cells, utf8);
}

static bool
shown(const int *widths, unsigned column)
{
    return widths[column] > 0;
}

static int
line_columns(const int *widths)
{
    int columns = -1;

    for (unsigned i = 0; i < RUN_COLUMN_COUNT; i++)
        columns += shown(widths, i) ? widths[i] + 1 : 0;
    return columns;
}

/* Sparkline, volume and last go first, then tickers lose their middle; numbers are never cut. */
static void
fit(struct kdp_run_screen *screen, const struct row *rows, unsigned count, int columns, int *widths)
{
    static const unsigned go[] = {SPARK, VOLUME, LAST};

    if (screen->widths_for != columns) {
        for (unsigned i = 0; i < RUN_COLUMN_COUNT; i++)
            screen->widths[i] = (int)kdp_text_columns(headings[i]);
        screen->widths[STATE] = 6;
        screen->widths[SPARK] = KDP_BUSY_CELLS;
        screen->widths_for = columns;
    }
    for (unsigned r = 0; r < count; r++)
        for (unsigned i = 0; i < RUN_COLUMN_COUNT; i++) {
            int width = (int)kdp_text_columns(rows[r].cell[i]);

            screen->widths[i] = width > screen->widths[i] ? width : screen->widths[i];
        }
    memcpy(widths, screen->widths, sizeof screen->widths);
    for (unsigned i = 0; i < sizeof go / sizeof *go && line_columns(widths) > columns; i++)
        widths[go[i]] = 0;
    if (line_columns(widths) > columns) {
        widths[MARKET] -= line_columns(widths) - columns;
        widths[MARKET] = widths[MARKET] < TICKER_LEAST ? TICKER_LEAST : widths[MARKET];
    }
}

/* A ticker without its middle: the strike is at the end. */
static void
put_ticker(FILE *out, const char *ticker, int width, bool utf8)
{
    int len = (int)strlen(ticker), head = (width - 1) / 2; /* tickers are ASCII; others were escaped */

    if (len <= width)
        fprintf(out, "%-*s", width, ticker);
    else
        fprintf(out, "%.*s%s%s", head, ticker, utf8 ? "…" : "~", ticker + len - (width - 1 - head));
}

static void
put_row(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look, const int *widths,
        const struct row *row)
{
    const char *off = paint(screen, look, KDP_PAINT_OFF), *color;
    bool first = true;

    for (unsigned i = 0; i < RUN_COLUMN_COUNT; i++) {
        if (!shown(widths, i))
            continue;
        fputs(first ? "" : " ", out);
        first = false;
        color = i == BID || i == BID_SIZE   ? paint(screen, look, KDP_PAINT_YES)
                : i == ASK || i == ASK_SIZE ? paint(screen, look, KDP_PAINT_NO)
                : i == STATE && row->stale  ? paint(screen, look, KDP_PAINT_ALERT)
                                            : "";
        if (i == MARKET) {
            put_ticker(out, row->cell[i], widths[i], look->utf8);
        } else if (i == STATE) {
            fprintf(out, "%s%s%s%*s", color, row->cell[i], *color != '\0' ? off : "",
                    widths[i] - (int)strlen(row->cell[i]), "");
        } else if (i == SPARK) {
            fputs(row->cell[i], out);
        } else {
            fprintf(out, "%s%*s%s", color, widths[i], row->cell[i], *color != '\0' ? off : "");
        }
    }
    fputc('\n', out);
}

static void
put_heading(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look, const int *widths)
{
    bool first = true;

    fputs(paint(screen, look, KDP_PAINT_HEAD), out);
    for (unsigned i = 0; i < RUN_COLUMN_COUNT; i++) {
        /* over numbers at their right end, but prices start at their left as their dots are in line */
        bool left = i == MARKET || i == STATE || i == BID || i == ASK || i == LAST || i == SPARK;

        if (!shown(widths, i))
            continue;
        fprintf(out,
                left && i != SPARK ? "%s%-*s"
                : i == SPARK       ? "%s%.*s"
                                   : "%s%*s",
                first ? "" : " ", i == SPARK ? (int)KDP_BUSY_CELLS : widths[i], headings[i]);
        first = false;
    }
    fprintf(out, "%s\n", paint(screen, look, KDP_PAINT_OFF));
}

static bool
market_at(const struct kdp_run_view *view, uint32_t index, struct kdp_plant_market *market)
{
    return view->market_at != NULL ? view->market_at(view->plant, index, market)
                                   : kdp_plant_market_at(view->plant, index, market);
}

static void
draw_caption(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look, unsigned count,
             uint64_t of)
{
    struct prose prose = {.out = out, .width = look->columns};
    char text[RUN_EVENT_TEXT + 128], a[KDPI_SCREEN_TEXT], stamp[KDPI_TIME_TEXT];

    snprintf(text, sizeof text, "%u of %s, busiest first", count, kdpi_screen_count(a, of));
    put_piece(&prose, 2, "", "", text);
    if (screen->event[0] != '\0') {
        kdpi_time_format(stamp, screen->event_ns, 3);
        snprintf(text, sizeof text, "%.12s %s", stamp + 11, screen->event);
        prose.indent = 2;
        put_piece(&prose, 3, "", "", text);
    }
    fputc('\n', out);
    if (screen->warnings > 0) {
        prose.column = 0;
        prose.indent = 2;
        snprintf(text, sizeof text, "warning: %s", screen->warning);
        if (screen->warnings > 1)
            snprintf(text + strlen(text), sizeof text - strlen(text), " (the last of %s)",
                     kdpi_screen_count(a, screen->warnings));
        put_piece(&prose, 2, "", "", text);
        fputc('\n', out);
    }
}

/* Above and below the markets stand as many lines as a narrow window makes of them: they are drawn once to be counted. */
static int
lines_beside(struct kdp_run_screen *screen, const struct kdp_run_look *look,
             const struct kdp_plant_totals *totals)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int lines = LINES_BESIDE;

    if (out == NULL)
        return LINES_BESIDE + 6;
    draw_first(screen, out, look, totals);
    draw_second(screen, out, look, totals);
    draw_caption(screen, out, look, KDP_RUN_ROWS_MAX, totals->planned);
    if (fclose(out) == 0)
        for (size_t i = 0; i < size; i++)
            lines += text[i] == '\n';
    free(text);
    return lines;
}

void
run_draw(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *asked)
{
    struct kdp_busy_market busy[KDP_RUN_ROWS_MAX];
    struct row rows[KDP_RUN_ROWS_MAX];
    struct kdp_run_look look = *asked;
    struct kdp_plant_totals totals;
    int widths[RUN_COLUMN_COUNT], most;
    unsigned count, filled = 0;

    look.columns = look.columns > RUN_COLUMNS_MOST ? RUN_COLUMNS_MOST : look.columns;
    run_totals(screen, &totals);
    most = look.lines - lines_beside(screen, &look, &totals);
    most = most < 1 ? 1 : most > (int)KDP_RUN_ROWS_MAX ? (int)KDP_RUN_ROWS_MAX : most;
    draw_first(screen, out, &look, &totals);
    draw_second(screen, out, &look, &totals);
    count = kdp_busy_list(screen->busy, screen->mono_ns, busy, (unsigned)most);
    for (unsigned i = 0; i < count; i++) {
        struct kdp_plant_market market;

        if (market_at(screen->view, busy[i].index, &market) && market.ticker != NULL)
            fill(&rows[filled++], &market, &busy[i], look.utf8);
    }
    fit(screen, rows, filled, look.columns, widths);
    put_heading(screen, out, &look, widths);
    for (unsigned i = 0; i < filled; i++)
        put_row(screen, out, &look, widths, &rows[i]);
    draw_caption(screen, out, &look, filled, totals.planned > filled ? totals.planned : filled);
}

/* ---- one line ----------------------------------------------------------------------------------- */

void
run_line(const struct kdp_run_screen *screen, FILE *out)
{
    const struct kdp_run_view *view = screen->view;
    struct kdp_plant_totals totals;
    char stamp[KDPI_TIME_TEXT], lag[KDPI_SCREEN_TEXT] = "-";

    run_totals(screen, &totals);
    kdpi_time_format(stamp, screen->wall_ns, 0);
    if (view->age != NULL && view->age->count > 0)
        kdpi_screen_span(lag, (int64_t)run_percentile(view->age, &screen->age_then[0], 0.99));
    fprintf(out,
            "%s %s %" PRIu64 " rate %.0f/s books %" PRIu64 " stale %" PRIu64 " gaps %" PRIu64 " lost %" PRIu64
            " lag %s%s%s\n",
            stamp, view->keyless ? "trades" : "frames", run_counted(screen, &totals),
            run_rate(screen, run_counted(screen, &totals), screen->mono_ns),
            totals.planned_live + totals.planned_sampled + totals.planned_stale, totals.planned_stale,
            totals.gaps, view->lost, lag, view->what != NULL ? " " : "",
            view->what != NULL ? view->what : "");
}

void
run_stop_line(FILE *out, int signo, const char *words, int64_t left_ns)
{
    fprintf(out, "%sstopping: %s", signo == SIGINT ? "^C " : signo == SIGTERM ? "SIGTERM " : "", words);
    if (left_ns > 0)
        fprintf(out, ", %" PRId64 " s left (Ctrl-C: at once)", (left_ns + KDP_NS_PER_S - 1) / KDP_NS_PER_S);
}
