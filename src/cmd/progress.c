/* progress.c - the bar: "replay    63 % ▕████████████▋       ▏ 134,000 frames  4 s left". */
#include "cli_private.h"
#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BAR_CELLS 20
#define FIRST_NS (KDP_NS_PER_S / 2)
#define REDRAW_NS (KDP_NS_PER_S / 10)
#define PLAIN_NS (10 * KDP_NS_PER_S)

void
kdp_progress_start(struct kdp_progress *progress, const struct kdp_cli *cli, const char *what)
{
    bool terminal = kdp_cli_width(stderr) >= 40, off = false, asked = false;

    memset(progress, 0, sizeof *progress);
    if (kdp_command_takes(cli->command, kdpi_setting_find("progress"))) {
        asked = kdp_cli_switch(cli, "progress");
        off = kdp_cli_given(cli, "progress") && !asked;
    }
    progress->what = what;
    progress->plain = !terminal;
    progress->on = !off && !kdp_cli_quiet(cli) && (terminal || asked);
    progress->started_ns = kdpi_mono_ns();
    /* the first drawing is due after half a second, or ten on a log */
    progress->drawn_ns = progress->plain ? progress->started_ns : progress->started_ns + FIRST_NS - REDRAW_NS;
}

bool
kdp_progress_due(const struct kdp_progress *progress)
{
    return progress->on && kdpi_mono_ns() - progress->drawn_ns >= (progress->plain ? PLAIN_NS : REDRAW_NS);
}

/* Twenty cells by eighths; without UTF-8 by whole cells of '#'. */
static void
draw_bar(char *out, double share)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int eighth = (int)(share * BAR_CELLS * 8), full = eighth / 8;
    bool utf8 = kdp_cli_utf8();
    char *p = out;

    p += sprintf(p, "%s", utf8 ? "▕" : "[");
    for (int i = 0; i < BAR_CELLS; i++) {
        const char *cell = i < full ? (utf8 ? "█" : "#") : i == full && utf8 ? eighths[eighth % 8] : " ";

        p += sprintf(p, "%s", cell);
    }
    sprintf(p, "%s", utf8 ? "▏" : "]");
}

static void
left_words(char *out, size_t size, double done, double total, int64_t spent_ns)
{
    double seconds = (double)spent_ns / 1e9 * (total - done) / done;

    if (seconds < 100)
        snprintf(out, size, "  %.0f s left", seconds + 0.5);
    else if (seconds < 100 * 60)
        snprintf(out, size, "  %.0f min left", seconds / 60);
    else
        snprintf(out, size, "  %.0f h left", seconds / 3600);
}

void
kdp_progress_update(struct kdp_progress *progress, double done, double total, const char *fmt, ...)
{
    char text[256], left[48] = "", bar[128] = "", share_text[16] = "";
    int64_t now_ns = kdpi_mono_ns();
    double share = total > 0 ? done / total : 0;
    int width = kdp_cli_width(stderr), room;
    va_list args;

    if (!kdp_progress_due(progress))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    if (total > 0) {
        snprintf(share_text, sizeof share_text, "%3d %%", (int)(share * 100));
        if (share > 0)
            left_words(left, sizeof left, done < total ? done : total, total, now_ns - progress->started_ns);
    }
    progress->drawn_ns = now_ns;
    if (progress->plain) {
        fprintf(stderr, "%-9s %s %s%s\n", progress->what, share_text, text, left);
        return;
    }
    if (total > 0)
        draw_bar(bar, share);
    width = width > 80 ? 80 : width;
    room = width - 1 - 10 - (total > 0 ? 6 + BAR_CELLS + 3 : 0);
    fprintf(stderr, "\r%-9s %s%s%s%s", progress->what, share_text, total > 0 ? " " : "", bar,
            total > 0 ? " " : "");
    strncat(text, left, sizeof text - strlen(text) - 1);
    fprintf(stderr, "%.*s\033[K", room > 0 ? room : 0, text);
    fflush(stderr);
    progress->drawn = true;
    kdp_bar_drawn = 1;
}

void
kdp_progress_end(struct kdp_progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
    progress->on = false;
    kdp_bar_drawn = 0;
}
