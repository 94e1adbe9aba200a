/* pager.c - kdp preview --interactive: rows on a full screen, paged and searched as in less.
 *
 * Nothing is drawn but whole screens, each as one write; columns are as wide as what the screen shows of them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "pager_rows.h"
#include "screen.h"
#include "table.h"
#include "tty.h"

#define CELL_MOST 40u /* columns of a cell, unless it is the only one */
#define SCREEN_BYTES (512u << 10)
#define SEARCH_MAX 128u
#define ROWS_MOST 512u

struct pager {
    struct kdp_preview *preview;
    struct kdp_pager_rows rows;
    unsigned height, width;
    uint64_t top;          /* index of the first row shown */
    unsigned first_column; /* the first one shown, by place among those chosen */
    uint64_t found;        /* row marked, UINT64_MAX: none */
    uint64_t typed;        /* a number before g */
    char search[SEARCH_MAX];
    char message[256]; /* shown once in the last line */
    bool help;
    int64_t busy_ns; /* since when something is read, for the words in the last line */
    bool gave_up;
    char *out;
    size_t used;
};

/* ---- drawing ---- */

static void
put(struct pager *pager, const char *text, size_t len)
{
    if (len > SCREEN_BYTES - pager->used)
        len = SCREEN_BYTES - pager->used;
    memcpy(pager->out + pager->used, text, len);
    pager->used += len;
}

__attribute__((format(printf, 2, 3))) static void
put_words(struct pager *pager, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len > 0)
        put(pager, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

/* Puts text into exactly width columns, cut with a mark; right: against the right side. */
static void
put_cell(struct pager *pager, const char *text, unsigned width, bool right)
{
    size_t columns = kdp_text_columns(text);

    if (columns <= width) {
        for (size_t i = columns; right && i < width; i++)
            put(pager, " ", 1);
        put(pager, text, strlen(text));
        for (size_t i = columns; !right && i < width; i++)
            put(pager, " ", 1);
        return;
    }
    for (unsigned at = 0; *text != '\0' && (at + 1 < width || ((unsigned char)*text & 0xc0) == 0x80);
         text++) {
        put(pager, text, 1);
        at += ((unsigned char)text[1] & 0xc0) != 0x80;
    }
    if (width > 0)
        put_words(pager, "%s", kdp_cli_utf8() ? "…" : "~");
}

static void
cell_text(const struct kdp_preview_row *row, unsigned column, char *buf, size_t size)
{
    const struct kdp_field *field = NULL;
    char raw[512];

    for (unsigned i = 0; i < row->count && field == NULL; i++)
        if (row->fields[i].column == column)
            field = &row->fields[i];
    if (field == NULL || field->kind == KDP_JSON_NULL) {
        snprintf(buf, size, "-");
    } else {
        struct kdp_text text = field->kind == KDP_JSON_STRING ? kdp_rows_text(field, raw, sizeof raw)
                                                              : (struct kdp_text){field->data, field->len};

        kdpi_escape(buf, size, text.data, text.len < 160 ? text.len : 160);
    }
}

static bool
is_right(const struct kdp_preview_row *row, unsigned column)
{
    for (unsigned i = 0; i < row->count; i++)
        if (row->fields[i].column == column && row->fields[i].kind == KDP_JSON_STRING) {
            int64_t value;

            return kdp_bulk_number(&row->fields[i], &value) != 0;
        }
    return true;
}

static void
put_reverse(struct pager *pager, bool on)
{
    put_words(pager, "%s", on ? "\033[7m" : "\033[m");
}

static void
put_status(struct pager *pager, unsigned shown)
{
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], name[128], safe[256], text[640],
        line[640];

    kdp_bulk_input_name(&pager->preview->input, name, sizeof name);
    kdpi_escape(safe, sizeof safe, name, strlen(name));
    kdpi_screen_count(a, shown > 0 ? pager->top + 1 : 0);
    kdpi_screen_count(b, shown > 0 ? pager->top + shown : 0);
    kdpi_screen_count(c, pager->rows.known);
    if (pager->message[0] != '\0')
        snprintf(text, sizeof text, "%s", pager->message);
    else if (pager->rows.ended && pager->rows.error < 0 && pager->top + shown >= pager->rows.known)
        snprintf(text, sizeof text, "rows %s to %s of %s, then: %s", a, b, c, pager->rows.error_text);
    else
        snprintf(text, sizeof text, "%s  rows %s to %s of %s%s  h help  q end", safe, a, b, c,
                 pager->rows.ended ? "" : " or more");
    kdpi_escape(line, sizeof line, text, strlen(text));
    put_words(pager, "\033[%u;1H", pager->height);
    put_reverse(pager, true);
    put_cell(pager, line, pager->width - 1, false);
    put_reverse(pager, false);
    put_words(pager, "\033[K");
}

static void
draw_help(struct pager *pager)
{
    static const char *const lines[] = {
        "arrows, j k     a row down or up; left and right: columns",
        "space, f, b     a screen down, up (Page Down, Page Up)",
        "g, G            first row, last row (Home, End); 500g: row 500",
        "/TEXT           look for text from here on; capitals only as written",
        "n, N            the next one, the one before",
        "h               this",
        "q, Ctrl-C       end",
        "",
        "Any key goes back."};

    for (unsigned i = 0; i < sizeof lines / sizeof *lines && i + 1 < pager->height; i++) {
        put_words(pager, "\033[%u;1H", i + 1);
        put_cell(pager, lines[i], pager->width - 1, false);
    }
}

static void
draw(struct pager *pager)
{
    unsigned body = pager->height > 2 ? pager->height - 2 : 1, widths[KDP_ROWS_COLUMNS_MAX], count, shown, at,
             columns;
    char text[1024], number[KDPI_SCREEN_TEXT];
    unsigned number_width;

    if (body > ROWS_MOST)
        body = ROWS_MOST;
    pager->used = 0;
    put_words(pager, "\033[H\033[2J");
    if (pager->help) {
        draw_help(pager);
        kdp_tty_write(pager->out, pager->used);
        return;
    }
    shown = kdp_pager_rows_window(&pager->rows, pager->top, body);
    columns = kdp_rows_columns(pager->rows.rows);
    kdpi_screen_count(number, shown > 0 ? pager->rows.window[shown - 1]->number : 0);
    number_width = (unsigned)strlen(number) > 3 ? (unsigned)strlen(number) : 3;
    for (unsigned i = 0; i < columns; i++) {
        widths[i] = (unsigned)kdp_text_columns(kdp_rows_column(pager->rows.rows, i));
        for (unsigned r = 0; r < shown; r++) {
            unsigned width;

            cell_text(pager->rows.window[r], i, text, sizeof text);
            width = (unsigned)kdp_text_columns(text);
            widths[i] = width > widths[i] ? width : widths[i];
        }
        if (widths[i] > CELL_MOST)
            widths[i] = CELL_MOST;
    }
    if (pager->first_column >= columns)
        pager->first_column = columns > 0 ? columns - 1 : 0;
    for (unsigned r = 0; r <= shown; r++) { /* 0: the heading */
        const struct kdp_preview_row *row = r > 0 ? pager->rows.window[r - 1] : NULL;
        bool marked = row != NULL && pager->top + r - 1 == pager->found;

        if (r + 1 > pager->height - 1 && r > 0)
            break;
        put_words(pager, "\033[%u;1H", r + 1);
        if (row == NULL)
            put_words(pager, "\033[1m");
        if (marked)
            put_reverse(pager, true);
        kdpi_screen_count(number, row != NULL ? row->number : 0);
        at = number_width < pager->width ? number_width : pager->width;
        put_cell(pager, row == NULL ? "ROW" : number, at, true);
        for (count = pager->first_column; count < columns && at + 2 < pager->width; count++) {
            unsigned width = widths[count];

            if (at + 2 + width > pager->width)
                width = pager->width - at - 2;
            put(pager, "  ", 2);
            if (row == NULL)
                snprintf(text, sizeof text, "%s", kdp_rows_column(pager->rows.rows, count));
            else
                cell_text(row, count, text, sizeof text);
            if (row == NULL) {
                char safe[sizeof text];

                put_cell(pager, kdpi_escape(safe, sizeof safe, text, strlen(text)), width,
                         shown > 0 && is_right(pager->rows.window[0], count));
            } else {
                put_cell(pager, text, width, is_right(row, count));
            }
            at += 2 + width;
        }
        put_reverse(pager, false);
    }
    put_status(pager, shown);
    kdp_tty_write(pager->out, pager->used);
}

/* ---- while much is read ---- */

static bool
pause_reading(void *arg)
{
    struct pager *pager = arg;
    char rows[KDPI_SCREEN_TEXT], line[128];
    int64_t now_ns = kdpi_mono_ns();
    unsigned key;

    if (kdp_cli_interrupted() != 0)
        return true;
    if (now_ns - pager->busy_ns < KDP_NS_PER_S / 5)
        return false;
    pager->busy_ns = now_ns;
    pager->used = 0;
    snprintf(line, sizeof line, "reading: %s rows so far  (any key ends it)",
             kdpi_screen_count(rows, pager->rows.known));
    put_words(pager, "\033[%u;1H", pager->height);
    put_reverse(pager, true);
    put_cell(pager, line, pager->width - 1, false);
    put_reverse(pager, false);
    kdp_tty_write(pager->out, pager->used);
    key = kdp_tty_key(0);
    if (key == KDP_KEY_NONE || key == KDP_KEY_RESIZE)
        return false;
    pager->gave_up = true;
    return true;
}

/* ---- keys ---- */

static unsigned
body_height(const struct pager *pager)
{
    unsigned body = pager->height > 2 ? pager->height - 2 : 1;

    return body > ROWS_MOST ? ROWS_MOST : body;
}

/* Moves the first row shown; not beyond the last screen, as far as that is known. */
static void
move_to(struct pager *pager, uint64_t top)
{
    unsigned body = body_height(pager), have;

    pager->busy_ns = kdpi_mono_ns();
    pager->gave_up = false;
    have = kdp_pager_rows_window(&pager->rows, top, body);
    if (have < body && pager->rows.ended)
        top = pager->rows.known > body ? pager->rows.known - body : 0;
    else if (have == 0)
        top = pager->rows.known > body ? pager->rows.known - body : 0; /* given up on the way */
    pager->top = top;
}

static void
move_to_end(struct pager *pager)
{
    pager->busy_ns = kdpi_mono_ns();
    pager->gave_up = false;
    if (!kdp_pager_rows_all(&pager->rows))
        snprintf(pager->message, sizeof pager->message, "given up: the rows so far; G goes on");
    move_to(pager, pager->rows.known > body_height(pager) ? pager->rows.known - body_height(pager) : 0);
}

static void
search(struct pager *pager, bool back)
{
    uint64_t from = pager->found != UINT64_MAX && pager->found >= pager->top &&
                            pager->found < pager->top + body_height(pager)
                        ? pager->found + !back
                        : pager->top,
             found;

    if (pager->search[0] == '\0') {
        snprintf(pager->message, sizeof pager->message, "nothing to look for yet: /TEXT");
        return;
    }
    pager->busy_ns = kdpi_mono_ns();
    pager->gave_up = false;
    found = kdp_pager_rows_search(&pager->rows, pager->search, from, back);
    if (found == UINT64_MAX) {
        snprintf(pager->message, sizeof pager->message,
                 pager->gave_up ? "given up looking for: %s" : "not found: %s", pager->search);
        return;
    }
    pager->found = found;
    if (found < pager->top || found >= pager->top + body_height(pager))
        move_to(pager, found > 2 ? found - 2 : 0);
}

/* Takes the text to look for in the last line; false when it was given up. */
static bool
ask_search(struct pager *pager)
{
    char text[SEARCH_MAX] = "";
    size_t len = 0;

    for (;;) {
        unsigned key;

        pager->used = 0;
        put_words(pager, "\033[%u;1H\033[K/%s\033[?25h", pager->height, text);
        kdp_tty_write(pager->out, pager->used);
        key = kdp_tty_key(500);
        if (kdp_cli_interrupted() != 0 || key == KDP_KEY_CLOSED || key == KDP_KEY_ESCAPE || key == 3)
            break;
        if (key == '\r' || key == '\n') {
            if (len > 0) /* nothing typed: the same again */
                memcpy(pager->search, text, sizeof text);
            kdp_tty_write("\033[?25l", 6);
            return true;
        }
        if (key == 0x7f || key == '\b') {
            if (len == 0)
                break;
            do
                text[--len] = '\0';
            while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80);
        } else if (key >= ' ' && key < 0x80 && len + 1 < sizeof text) {
            text[len++] = (char)key;
            text[len] = '\0';
        }
    }
    kdp_tty_write("\033[?25l", 6);
    return false;
}

/* What a key does; false: the end. */
static bool
on_key(struct pager *pager, unsigned key)
{
    uint64_t typed = pager->typed;
    unsigned body = body_height(pager);

    pager->message[0] = '\0';
    pager->typed = 0;
    if (pager->help && key != KDP_KEY_RESIZE) {
        pager->help = false;
        return key != 3 && key != KDP_KEY_CLOSED;
    }
    switch (key) {
    case 'q':
    case 'Q':
    case 3: /* Ctrl-C */
    case KDP_KEY_CLOSED:
        return false;
    case 26: /* Ctrl-Z */
        kdp_tty_suspend();
        break;
    case KDP_KEY_RESIZE:
        kdp_tty_size(&pager->height, &pager->width);
        move_to(pager, pager->top);
        break;
    case KDP_KEY_DOWN:
    case 'j':
    case '\r':
        move_to(pager, pager->top + 1);
        break;
    case KDP_KEY_UP:
    case 'k':
        move_to(pager, pager->top > 0 ? pager->top - 1 : 0);
        break;
    case KDP_KEY_PAGE_DOWN:
    case ' ':
    case 'f':
        move_to(pager, pager->top + body);
        break;
    case KDP_KEY_PAGE_UP:
    case 'b':
        move_to(pager, pager->top > body ? pager->top - body : 0);
        break;
    case KDP_KEY_LEFT:
        pager->first_column -= pager->first_column > 0;
        break;
    case KDP_KEY_RIGHT:
        pager->first_column += pager->first_column + 1 < kdp_rows_columns(pager->rows.rows);
        break;
    case KDP_KEY_HOME:
    case 'g':
        move_to(pager, typed > 0 ? typed - 1 : 0);
        break;
    case KDP_KEY_END:
    case 'G':
        if (typed > 0)
            move_to(pager, typed - 1);
        else
            move_to_end(pager);
        break;
    case '/':
        if (ask_search(pager))
            search(pager, false);
        break;
    case 'n':
        search(pager, false);
        break;
    case 'N':
        search(pager, true);
        break;
    case 'h':
    case 'H':
    case '?':
        pager->help = true;
        break;
    default:
        if (key >= '0' && key <= '9' && typed < UINT64_MAX / 100)
            pager->typed = typed * 10 + (key - '0');
        break;
    }
    return true;
}

int
kdp_pager_run(struct kdp_preview *preview)
{
    struct pager *pager = calloc(1, sizeof *pager);
    int rc = pager == NULL ? kdpi_fail(KDP_ENOMEM, "out of memory for the screen") : 0;
    bool opened = false;

    if (rc == 0) {
        pager->preview = preview;
        pager->found = UINT64_MAX;
        pager->rows.fd = -1;
        pager->out = malloc(SCREEN_BYTES);
        rc = pager->out == NULL ? kdpi_fail(KDP_ENOMEM, "out of memory for the screen")
                                : kdp_pager_rows_open(&pager->rows, preview);
    }
    if (rc == 0) { /* what cannot be read at all is said on the ordinary screen */
        kdp_pager_rows_window(&pager->rows, 0, 1);
        if (pager->rows.known == 0 && pager->rows.error < 0) {
            rc = kdpi_fail((enum kdp_error) - pager->rows.error, "%s", pager->rows.error_text);
        } else {
            rc = kdp_tty_open();
            opened = rc == 0;
        }
    }
    if (rc == 0) {
        unsigned key;

        pager->rows.pause = pause_reading;
        pager->rows.pause_arg = pager;
        kdp_tty_size(&pager->height, &pager->width);
        pager->busy_ns = kdpi_mono_ns();
        do {
            if (pager->width < 20 || pager->height < 3) { /* nothing fits; the window may grow again */
                kdp_tty_write("\033[H\033[2J", 7);
            } else {
                draw(pager);
            }
            do
                key = kdp_tty_key(1000);
            while (key == KDP_KEY_NONE && kdp_cli_interrupted() == 0);
        } while (kdp_cli_interrupted() == 0 && on_key(pager, key));
    }
    if (opened)
        kdp_tty_close();
    if (rc == 0 && pager->rows.error < 0) { /* what the last line said stays to be read */
        rc = kdpi_fail((enum kdp_error) - pager->rows.error, "%s", pager->rows.error_text);
    }
    rc = rc != 0                      ? kdp_cli_error(preview->cli, rc)
         : kdp_cli_interrupted() != 0 ? kdp_cli_stopped(preview->cli)
                                      : 0;
    if (pager != NULL) {
        kdp_pager_rows_close(&pager->rows);
        free(pager->out);
    }
    free(pager);
    return rc;
}
