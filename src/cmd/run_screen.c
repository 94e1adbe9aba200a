/* run_screen.c - when the screen of a run is drawn, and how it gets out without holding anything up.
 *
 * A terminal that takes nothing (Ctrl-S, a dead link) or a pipe nobody reads must not stop capture: the terminal or pipe is
 * opened once more, so that not blocking is a property of our own file description and not of the shell's, and what does not
 * go out stays until it does, the drawings between are left out. */
#include "run_screen_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_private.h"
#include "clock.h"
#include "error.h"

#define FIRST_MINUTE_NS (60 * KDP_NS_PER_S)
#define LATER_LINE_NS (60 * KDP_NS_PER_S)
#define WINDOW_NS (10 * KDP_NS_PER_S) /* of percentiles */
#define LAST_WORDS_MS 2000            /* waited for what is not out at the end */

static bool
messages_at(const void *arg, uint32_t index, uint64_t *messagesp)
{
    const struct kdp_run_view *view = arg;

    return view->messages_at != NULL ? view->messages_at(view->plant, index, messagesp)
                                     : kdp_plant_messages_at(view->plant, index, messagesp);
}

void
run_totals(const struct kdp_run_screen *screen, struct kdp_plant_totals *totals)
{
    if (screen->view->totals != NULL)
        screen->view->totals(screen->view->plant, totals);
    else
        kdp_plant_totals(screen->view->plant, totals);
}

/* ---- where it goes ------------------------------------------------------------------------------ */

static void
open_out(struct kdp_run_screen *screen)
{
    struct stat st;

    screen->fd = STDERR_FILENO;
    if (fstat(STDERR_FILENO, &st) != 0 || !(S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)))
        return; /* a file has an offset that is shared, and does not block */
    screen->fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    screen->opened = screen->fd >= 0;
    if (!screen->opened)
        screen->fd = STDERR_FILENO;
}

/* Writes what is left of the frame; false: it is not all out yet. */
static bool
push(struct kdp_run_screen *screen)
{
    struct pollfd out = {screen->fd, POLLOUT, 0};

    while (screen->frame_at < screen->frame_len) {
        ssize_t n;

        if (!screen->opened && (poll(&out, 1, 0) <= 0 || (out.revents & POLLOUT) == 0))
            return false;
        n = write(screen->fd, screen->frame + screen->frame_at, screen->frame_len - screen->frame_at);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (n < 0)
            break; /* nobody is there any more */
        screen->frame_at += (size_t)n;
    }
    free(screen->frame);
    screen->frame = NULL;
    screen->frame_len = screen->frame_at = 0;
    return true;
}

static void
push_whole(struct kdp_run_screen *screen)
{
    int64_t until_ns = kdpi_mono_ns() + LAST_WORDS_MS * KDP_NS_PER_MS;

    while (!push(screen) && kdpi_mono_ns() < until_ns) {
        struct pollfd out = {screen->fd, POLLOUT, 0};

        poll(&out, 1, 100);
    }
}

static void
send_frame(struct kdp_run_screen *screen, char *text, size_t len)
{
    screen->frame = text;
    screen->frame_len = len;
    screen->frame_at = 0;
    push(screen);
}

/* ---- drawing in place --------------------------------------------------------------------------- */

/* The terminal's lines that the drawing takes now: one that was narrowed since has broken our lines. */
static int
lines_taken(const struct kdp_run_screen *screen, int columns)
{
    int lines = 0;

    for (int i = 0; i < screen->rows; i++)
        lines += screen->row_columns[i] > columns ? (screen->row_columns[i] + columns - 1) / columns : 1;
    return lines;
}

/* Columns a drawn line takes: letters, without the sequences that colour them. */
static int
columns_of(const char *text, size_t len)
{
    int columns = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\033') {
            while (i < len && text[i] != 'm')
                i++;
        } else {
            columns += ((unsigned char)text[i] & 0xc0) != 0x80;
        }
    }
    return columns;
}

static void
draw_table(struct kdp_run_screen *screen)
{
    char *text = NULL, *frame = NULL;
    size_t len = 0, frame_len = 0;
    FILE *out = open_memstream(&text, &len), *whole;
    int up = lines_taken(screen, screen->look.columns);

    if (out == NULL)
        return;
    run_draw(screen, out, &screen->look);
    whole = fclose(out) == 0 ? open_memstream(&frame, &frame_len) : NULL;
    if (whole == NULL) {
        free(text);
        return;
    }
    /* each line is wiped before it is written, so that nothing flickers; what is below goes at the end */
    fputc('\r', whole);
    if (up > 0)
        fprintf(whole, "\033[%dA", up);
    screen->rows = 0;
    for (char *line = text, *end; line < text + len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + len - line));
        fputs("\033[2K", whole);
        fwrite(line, 1, (size_t)(end + 1 - line), whole);
        if (screen->rows < (int)(sizeof screen->row_columns / sizeof *screen->row_columns))
            screen->row_columns[screen->rows++] = columns_of(line, (size_t)(end - line));
    }
    fputs("\033[J", whole);
    free(text);
    if (fclose(whole) == 0)
        send_frame(screen, frame, frame_len);
    else
        free(frame);
}

static void
wipe_table(struct kdp_run_screen *screen)
{
    char text[64];

    if (screen->rows == 0)
        return;
    snprintf(text, sizeof text, "\r\033[%dA\033[J", lines_taken(screen, screen->look.columns));
    screen->rows = 0;
    send_frame(screen, strdup(text), strlen(text));
}

static void
draw_line(struct kdp_run_screen *screen)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return;
    run_line(screen, out);
    if (fclose(out) == 0)
        send_frame(screen, text, len);
    else
        free(text);
}

/* ---- what it looks like ------------------------------------------------------------------------- */

static void
look_around(struct kdp_run_screen *screen)
{
    struct winsize size = {0};
    const char *lines = getenv("LINES"), *term = getenv("TERM");
    int n = lines != NULL ? atoi(lines) : 0;

    screen->look.columns = kdp_cli_width(stderr);
    if (n <= 0)
        n = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
    screen->look.lines = n;
    /* a dumb terminal cannot go back up, whatever it may do with colours */
    screen->look.table =
        screen->look.columns >= RUN_COLUMNS_LEAST && (term == NULL || strcmp(term, "dumb") != 0);
}

struct kdp_run_screen *
kdp_run_screen_open(const struct kdp_cli *cli, const struct kdp_run_view *view, int64_t mono_ns,
                    int64_t wall_ns)
{
    struct kdp_run_screen *screen = calloc(1, sizeof *screen);

    if (screen == NULL)
        return NULL;
    screen->busy = kdp_busy_open(messages_at, view);
    if (screen->busy == NULL) {
        free(screen);
        return NULL;
    }
    screen->cli = cli;
    screen->view = view;
    screen->fd = -1;
    screen->start_mono_ns = screen->mono_ns = screen->then_ns = screen->line_ns = mono_ns;
    screen->wall_ns = wall_ns;
    screen->drawn_ns = INT64_MIN;
    screen->look.utf8 = kdp_cli_utf8();
    screen->look.color = kdp_cli_color(cli, stderr);
    if (!kdp_cli_quiet(cli)) {
        open_out(screen);
        look_around(screen);
    }
    return screen;
}

void
kdp_run_screen_close(struct kdp_run_screen *screen)
{
    if (screen == NULL)
        return;
    if (screen->fd >= 0) {
        push_whole(screen);
        if (screen->stopping && screen->look.table)
            send_frame(screen, strdup("\n"), 1);
        push_whole(screen);
        kdp_bar_drawn = 0;
    }
    if (screen->opened)
        close(screen->fd);
    free(screen->frame);
    kdp_busy_close(screen->busy);
    free(screen);
}

/* ---- rates -------------------------------------------------------------------------------------- */

static void
sample(struct kdp_run_screen *screen)
{
    const struct kdp_run_view *view = screen->view;
    struct kdp_plant_totals totals;

    run_totals(screen, &totals);
    screen->samples[screen->sample_next] = (struct run_sample){screen->mono_ns, run_counted(screen, &totals)};
    screen->sample_next = (screen->sample_next + 1) % RUN_RATE_SAMPLES;
    if (screen->sample_count < RUN_RATE_SAMPLES)
        screen->sample_count++;
    if (screen->mono_ns - screen->then_ns < WINDOW_NS)
        return;
    screen->then_ns = screen->mono_ns;
    screen->age_then[0] = screen->age_then[1];
    screen->to_ring_then[0] = screen->to_ring_then[1];
    if (view->age != NULL)
        screen->age_then[1] = *view->age;
    if (view->to_ring != NULL)
        screen->to_ring_then[1] = *view->to_ring;
}

uint64_t
run_counted(const struct kdp_run_screen *screen, const struct kdp_plant_totals *totals)
{
    return screen->view->keyless ? totals->records_by_template[KDP_TEMPLATE_TRADE] : totals->frames;
}

double
run_rate(const struct kdp_run_screen *screen, uint64_t frames, int64_t mono_ns)
{
    const struct run_sample *oldest =
        &screen->samples[screen->sample_count < RUN_RATE_SAMPLES ? 0 : screen->sample_next];
    int64_t since_ns = screen->sample_count > 0 ? oldest->mono_ns : screen->start_mono_ns;
    uint64_t before = screen->sample_count > 0 ? oldest->frames : 0;

    return mono_ns > since_ns ? (double)(frames - before) / ((double)(mono_ns - since_ns) / 1e9) : 0;
}

uint64_t
run_percentile(const struct kdp_histogram *now, const struct kdp_histogram *then, double q)
{
    struct kdp_histogram lately = *now;

    if (now->count <= then->count)
        return kdp_histogram_at(now, q); /* nothing came lately: what is known */
    lately.count -= then->count;
    lately.sum -= then->sum;
    for (unsigned i = 0; i < KDP_HISTOGRAM_BUCKETS; i++)
        lately.buckets[i] -= then->buckets[i];
    return kdp_histogram_at(&lately, q);
}

/* ---- the calls ---------------------------------------------------------------------------------- */

static void
narrow(struct kdp_run_screen *screen)
{
    char text[160];

    if (screen->look.columns == 0 || screen->look.columns >= RUN_COLUMNS_LEAST || screen->told_narrow)
        return;
    screen->told_narrow = true;
    snprintf(text, sizeof text,
             "kdp: notice: %d columns, the live table needs %d\n"
             "  A line each 10 s instead; the table returns when the window grows\n",
             screen->look.columns, RUN_COLUMNS_LEAST);
    send_frame(screen, strdup(text), strlen(text));
}

void
kdp_run_screen_poll(struct kdp_run_screen *screen, int64_t mono_ns, int64_t wall_ns)
{
    bool was_table, first;
    int64_t line_ns;

    if (screen == NULL || screen->fd < 0)
        return;
    screen->mono_ns = mono_ns;
    screen->wall_ns = wall_ns;
    if (screen->look.table && !screen->stopping)
        kdp_busy_walk(screen->busy, mono_ns, KDP_RUN_SCAN_NS, kdpi_mono_ns);
    if (screen->stopping || (screen->drawn_ns != INT64_MIN && mono_ns - screen->drawn_ns < KDP_RUN_DRAW_NS))
        return;
    if (screen->frame != NULL && !push(screen))
        return;
    first = screen->drawn_ns == INT64_MIN;
    screen->drawn_ns = mono_ns;
    was_table = screen->look.table;
    look_around(screen);
    if (screen->look.table) {
        screen->told_narrow = false;
        if (first || !was_table)
            kdp_busy_walk(screen->busy, mono_ns, KDP_RUN_SCAN_NS, kdpi_mono_ns);
        draw_table(screen);
    } else {
        if (was_table)
            wipe_table(screen);
        if (screen->frame == NULL)
            narrow(screen);
        line_ns =
            screen->look.columns > 0 || mono_ns - screen->start_mono_ns <= FIRST_MINUTE_NS + WINDOW_NS / 2
                ? KDP_RUN_LINE_NS
                : LATER_LINE_NS;
        if (screen->frame == NULL && mono_ns - screen->line_ns >= line_ns) {
            screen->line_ns += line_ns;
            if (mono_ns - screen->line_ns >= line_ns)
                screen->line_ns = mono_ns;
            draw_line(screen);
        }
    }
    sample(screen);
}

void
kdp_run_screen_event(struct kdp_run_screen *screen, int64_t wall_ns, const char *text)
{
    if (screen == NULL)
        return;
    screen->event_ns = wall_ns;
    kdpi_escape(screen->event, sizeof screen->event, text, strlen(text));
}

void
kdp_run_screen_warn(struct kdp_run_screen *screen, int64_t wall_ns, const char *text, const char *hint)
{
    (void)wall_ns;
    if (screen == NULL)
        return;
    screen->warnings++;
    if (hint != NULL && *hint != '\0') {
        char both[RUN_EVENT_TEXT];

        snprintf(both, sizeof both, "%s. %s", text, hint);
        kdpi_escape(screen->warning, sizeof screen->warning, both, strlen(both));
    } else {
        kdpi_escape(screen->warning, sizeof screen->warning, text, strlen(text));
    }
    if (screen->fd >= 0 && (!screen->look.table || screen->drawn_ns == INT64_MIN))
        kdp_cli_warning(screen->cli, hint, "%s", text);
}

void
kdp_run_screen_stopping(struct kdp_run_screen *screen, int signo, const char *words, int64_t left_ns)
{
    char *text = NULL;
    size_t len = 0, before = 0;
    FILE *out;
    bool same;

    if (screen == NULL || screen->fd < 0)
        return;
    same = screen->stopping && strcmp(screen->stop_words, words) == 0;
    screen->stopping = true;
    snprintf(screen->stop_words, sizeof screen->stop_words, "%s", words);
    if (!screen->look.table && same)
        return;
    if (screen->frame != NULL && !push(screen))
        return;
    out = open_memstream(&text, &len);
    if (out == NULL)
        return;
    if (screen->look.table) {
        int up = (screen->stop_columns > 0 ? screen->stop_columns - 1 : 0) / screen->look.columns;

        fputc('\r', out);
        if (up > 0)
            fprintf(out, "\033[%dA", up);
        fputs("\033[J", out);
        fflush(out);
        before = len;
        kdp_bar_drawn = 1;
    }
    run_stop_line(out, signo, words, left_ns);
    fputs(screen->look.table ? "" : "\n", out);
    if (fclose(out) == 0) {
        screen->stop_columns = columns_of(text + before, len - before);
        send_frame(screen, text, len);
    } else {
        free(text);
    }
}

void
kdp_run_screen_look(struct kdp_run_screen *screen, FILE *out, const struct kdp_run_look *look)
{
    if (look->table && look->columns >= RUN_COLUMNS_LEAST)
        run_draw(screen, out, look);
    else
        run_line(screen, out);
}
