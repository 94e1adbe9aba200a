/* test_terminal.c - what a person at a terminal sees: colour, width, the bar.  A pseudo-terminal stands for
 * the person's. */
#include "kdp_test.h"

#include "cli_private.h"
#include "clock.h"
#include "table.h"

#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int
no_run(struct kdp_cli *cli)
{
    (void)cli;
    return 0;
}

static const struct kdp_command command = {"test", "ask", "", "test", "",    "output: progress",
                                           NULL,   "",    0,  0,      no_run};

static struct kdp_cli cli_now;

static void
forget(void)
{
    kdpi_settings_free(cli_now.settings);
}

static struct kdp_cli *
invocation(const char *setting, const char *value)
{
    if (cli_now.settings == NULL)
        atexit(forget);
    kdpi_settings_free(cli_now.settings);
    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    cli_now = (struct kdp_cli){.command = &command};
    CHECK_INT(kdpi_settings_new(&cli_now.settings), 0);
    if (setting != NULL)
        CHECK_INT(kdpi_settings_flag(cli_now.settings, kdpi_setting_find(setting), value), 0);
    return &cli_now;
}

static int master = -1;

/* Makes stderr a terminal of so many columns; what is drawn there is read with drawn(). */
static void
terminal(unsigned short columns)
{
    struct winsize size = {.ws_row = 25, .ws_col = columns};
    int slave;

    CHECK_INT(openpty(&master, &slave, NULL, NULL, &size), 0);
    CHECK(dup2(slave, STDERR_FILENO) == STDERR_FILENO);
    close(slave);
    CHECK(fcntl(master, F_SETFL, O_NONBLOCK) == 0);
}

/* What was drawn since the last call.  A pseudo-terminal hands bytes over in its own time: a drawing is whole
 * when it ends with the sequence that clears the rest of the line; that nothing comes is believed after a
 * while. */
static const char *
drawn(void)
{
    static char text[4096];
    size_t len = 0;

    fflush(stderr);
    for (int waited_ms = 0; waited_ms < (len > 0 ? 5000 : 150);) {
        struct pollfd in = {.fd = master, .events = POLLIN};
        ssize_t got = poll(&in, 1, 50) > 0 ? read(master, text + len, sizeof text - 1 - len) : 0;

        waited_ms = got > 0 ? 0 : waited_ms + 50;
        len += got > 0 ? (size_t)got : 0;
        if (len > 3 && memcmp(text + len - 3, "\033[K", 3) == 0)
            break;
    }
    text[len] = '\0';
    return text;
}

KDP_TEST(width_is_the_terminals_and_zero_for_a_pipe)
{
    FILE *pipe_end = popen("cat", "w");

    invocation(NULL, NULL);
    terminal(72);
    CHECK_INT(kdp_cli_width(stderr), 72);
    setenv("COLUMNS", "132", 1);
    CHECK_INT(kdp_cli_width(stderr), 132);
    setenv("COLUMNS", "nonsense", 1);
    CHECK_INT(kdp_cli_width(stderr), 72);
    setenv("COLUMNS", "3", 1);
    CHECK_INT(kdp_cli_width(stderr), 20);
    CHECK(pipe_end != NULL);
    CHECK_INT(kdp_cli_width(pipe_end), 0);
    pclose(pipe_end);
}

KDP_TEST(colour_is_for_terminals_that_want_it)
{
    struct kdp_cli *cli = invocation(NULL, NULL);
    FILE *pipe_end = popen("cat", "w");

    terminal(80);
    CHECK(kdp_cli_color(cli, stderr));
    CHECK(!kdp_cli_color(cli, pipe_end));
    CHECK_STR(kdp_cli_paint(cli, stderr, KDP_PAINT_YES), "\033[38;5;32m");
    CHECK_STR(kdp_cli_paint(cli, stderr, KDP_PAINT_NO), "\033[38;5;166m");
    CHECK_STR(kdp_cli_paint(cli, pipe_end, KDP_PAINT_YES), "");
    setenv("NO_COLOR", "1", 1);
    CHECK(!kdp_cli_color(cli, stderr));
    setenv("NO_COLOR", "", 1); /* empty is not set, by the convention's own words */
    CHECK(kdp_cli_color(cli, stderr));
    setenv("TERM", "dumb", 1);
    CHECK(!kdp_cli_color(cli, stderr));
    CHECK(!kdp_cli_color(invocation("color", "never"), stderr));
    cli = invocation("color", "always");
    setenv("NO_COLOR", "1", 1);
    CHECK(kdp_cli_color(cli, pipe_end)); /* a wish on the command line is the stronger one */
    pclose(pipe_end);
}

static void
half_a_second_later(struct kdp_progress *progress)
{
    progress->started_ns -= KDP_NS_PER_S / 2;
    progress->drawn_ns -= KDP_NS_PER_S / 2;
}

KDP_TEST(the_bar_comes_after_half_a_second_and_is_wiped)
{
    static const char want[] = "\rreplay     25 % ▕█████               ▏ 1000 frames  ";
    const char *text;
    struct kdp_cli *cli = invocation(NULL, NULL);
    struct kdp_progress progress;

    setlocale(LC_CTYPE, "C.UTF-8");
    terminal(100);
    kdp_progress_start(&progress, cli, "replay");
    progress.drawn_ns += 100 * KDP_NS_PER_S; /* as if no time had gone by, whatever this machine did */
    kdp_progress_update(&progress, 1, 4, "%d frames", 1000);
    progress.drawn_ns -= 100 * KDP_NS_PER_S;
    CHECK_STR(drawn(), "");
    half_a_second_later(&progress);
    CHECK(kdp_progress_due(&progress));
    kdp_progress_update(&progress, 1, 4, "%d frames", 1000);
    /* how long is left depends on how busy this machine is */
    text = drawn();
    CHECK(strncmp(text, want, sizeof want - 1) == 0);
    CHECK(strstr(text, " s left\033[K") != NULL);
    progress.drawn_ns += 100 * KDP_NS_PER_S;
    kdp_progress_update(&progress, 2, 4, "%d frames", 2000); /* too soon to redraw */
    CHECK_STR(drawn(), "");
    kdp_progress_end(&progress);
    CHECK_STR(drawn(), "\r\033[K");
    kdp_progress_end(&progress);
    CHECK_STR(drawn(), "");
}

KDP_TEST(the_bar_stays_within_80_columns_and_the_terminal)
{
    struct kdp_cli *cli = invocation(NULL, NULL);
    struct kdp_progress progress;
    static const unsigned short widths[] = {40, 60, 200};

    setlocale(LC_CTYPE, "C");
    for (unsigned i = 0; i < 3; i++) {
        const char *text;
        char line[512];
        size_t len;

        terminal(widths[i]);
        kdp_progress_start(&progress, cli, "replay");
        half_a_second_later(&progress);
        kdp_progress_update(&progress, 50, 100, "%s",
                            "words that go on and on and on and on and on and on and on");
        text = drawn();
        len = strlen(text);
        CHECK(len > 4 && text[0] == '\r' && strcmp(text + len - 3, "\033[K") == 0);
        snprintf(line, sizeof line, "%.*s", (int)(len - 4), text + 1);
        CHECK(kdp_text_columns(line) < (widths[i] > 80 ? 80 : widths[i]));
        CHECK(strstr(line, "50 %") != NULL);
        CHECK(widths[i] < 60 || strstr(line, "[##########          ]") != NULL); /* no UTF-8: by '#' */
    }
}

KDP_TEST(without_a_terminal_no_bar_unless_asked_for_lines)
{
    struct kdp_progress progress;
    char text[512] = "";
    int ends[2];
    ssize_t got;

    CHECK_INT(pipe(ends), 0);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    kdp_progress_start(&progress, invocation(NULL, NULL), "replay");
    progress.drawn_ns -= 11 * KDP_NS_PER_S;
    kdp_progress_update(&progress, 1, 4, "x");
    CHECK(read(ends[0], text, sizeof text) < 0);
    kdp_progress_start(&progress, invocation("progress", "yes"), "replay");
    half_a_second_later(&progress);
    kdp_progress_update(&progress, 1, 4, "x");
    CHECK(read(ends[0], text, sizeof text) < 0);
    progress.drawn_ns -= 10 * KDP_NS_PER_S;
    progress.started_ns -= 10 * KDP_NS_PER_S;
    kdp_progress_update(&progress, 1, 4, "%d frames", 7);
    got = read(ends[0], text, sizeof text - 1);
    CHECK(got > 0);
    text[got] = '\0';
    CHECK(strncmp(text, "replay     25 % 7 frames  3", 27) == 0); /* 32 s left, or a little more */
    CHECK(strstr(text, " s left\n") != NULL);
}

KDP_TEST(no_progress_and_quiet_mean_no_bar)
{
    struct kdp_progress progress;

    terminal(80);
    kdp_progress_start(&progress, invocation("progress", "no"), "replay");
    half_a_second_later(&progress);
    CHECK(!kdp_progress_due(&progress));
    kdp_progress_update(&progress, 1, 4, "x");
    CHECK_STR(drawn(), "");
    kdp_progress_start(&progress, invocation("quiet", "yes"), "replay");
    half_a_second_later(&progress);
    kdp_progress_update(&progress, 1, 4, "x");
    CHECK_STR(drawn(), "");
}

KDP_TEST(control_characters_of_an_error_are_escaped)
{
    char text[512] = "";
    int ends[2];
    ssize_t got;

    CHECK_INT(pipe(ends), 0);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    kdp_cli_warning(invocation(NULL, NULL), "next", "bad \033[2J\n%s", "x");
    kdp_cli_warning(invocation("quiet", "yes"), NULL, "unseen");
    got = read(ends[0], text, sizeof text - 1);
    CHECK(got > 0);
    text[got] = '\0';
    CHECK_STR(text, "kdp: warning: bad \\x1b[2J\\x0ax\n  next\n");
}
