/* test_run_screen.c - the live table of a run, drawn into memory, and the lines that stand for it. */
#include "kdp_test.h"

#include "cli_private.h"
#include "clock.h"
#include "run_busy.h"
#include "run_screen.h"
#include "table.h"

#include <locale.h>
#include <pty.h>
#include <poll.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define S KDP_NS_PER_S
#define START_WALL INT64_C(1795359840000000000) /* 2026-11-22 15:04:00 UTC */

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

/* Four markets of different kinds, their rates constant but for the first, whose rate grows. */
static struct kdp_plant_market markets[4];
static struct kdp_plant_totals totals_now;
static struct kdp_histogram age, to_ring;
static struct kdp_run_view view;
static struct kdp_run_screen *screen;

static bool
market_at(const void *plant, uint32_t index, struct kdp_plant_market *market)
{
    (void)plant;
    if (index >= 4)
        return false;
    *market = markets[index];
    return true;
}

static bool
messages_at(const void *plant, uint32_t index, uint64_t *messagesp)
{
    (void)plant;
    if (index >= 4)
        return false;
    *messagesp = markets[index].messages;
    return true;
}

static void
totals(const void *plant, struct kdp_plant_totals *out)
{
    (void)plant;
    *out = totals_now;
}

static void
begin(const char *setting, const char *value)
{
    static const int64_t none = KDP_INT64_NULL;

    atexit(forget);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
    unsetenv("LINES");
    cli_now = (struct kdp_cli){.command = &command};
    CHECK_INT(kdpi_settings_new(&cli_now.settings), 0);
    if (setting != NULL)
        CHECK_INT(kdpi_settings_flag(cli_now.settings, kdpi_setting_find(setting), value), 0);
    markets[0] = (struct kdp_plant_market){.ticker = "KXBTC15M-26NOV221015-15",
                                           .state = KDP_BOOK_STATE_LIVE,
                                           .top = {9640, 9680, 41250, 8800},
                                           .last_price_e4 = 9660,
                                           .volume_e2 = 9123375};
    markets[1] = (struct kdp_plant_market){.ticker = "KXNFLGAME-26NOV22BUFNE-BUF",
                                           .state = KDP_BOOK_STATE_STALE,
                                           .top = {6600, 6700, 100, 100},
                                           .last_price_e4 = 6400,
                                           .volume_e2 = 120455125};
    markets[2] = (struct kdp_plant_market){.ticker = "KXHIGHNY-26NOV22-B51.5",
                                           .state = KDP_BOOK_STATE_CLOSED,
                                           .top = {KDP_PRICE_NULL, KDP_PRICE_NULL, 0, 0},
                                           .last_price_e4 = 4300,
                                           .volume_e2 = 9187075};
    markets[3] = (struct kdp_plant_market){.ticker = "KXFEDDECISION-26DEC-H0",
                                           .state = KDP_BOOK_STATE_LIVE,
                                           .top = {8815, KDP_PRICE_NULL, 4830000, 0},
                                           .last_price_e4 = KDP_PRICE_NULL,
                                           .volume_e2 = none};
    totals_now =
        (struct kdp_plant_totals){.planned = 600, .planned_live = 588, .planned_stale = 12, .gaps = 7};
    for (int i = 0; i < 98; i++) {
        kdp_histogram_add(&age, 400000);
        kdp_histogram_add(&to_ring, 400);
    }
    kdp_histogram_add(&age, 2100000);
    kdp_histogram_add(&age, 2100000);
    kdp_histogram_add(&to_ring, 900);
    kdp_histogram_add(&to_ring, 900);
    view = (struct kdp_run_view){.what = "SIMULATED",
                                 .age = &age,
                                 .to_ring = &to_ring,
                                 .lake = true,
                                 .sql_behind_ns = S / 10,
                                 .market_at = market_at,
                                 .messages_at = messages_at,
                                 .totals = totals};
    screen = kdp_run_screen_open(&cli_now, &view, 0, START_WALL);
    CHECK(screen != NULL);
}

/* Lets so many half seconds go by. */
static void
pass(int64_t *now, int halves)
{
    for (int i = 0; i < halves; i++) {
        *now += S / 2;
        markets[0].messages += 300 + (uint64_t)(*now / S) * 4;
        markets[1].messages += 48;
        markets[2].messages += 35;
        markets[3].messages += 15;
        totals_now.frames += 2600;
        kdp_run_screen_poll(screen, *now, START_WALL + *now);
    }
}

static char *
look(int columns, int lines, bool utf8, bool color)
{
    static char *text;
    size_t len;
    FILE *out;

    free(text);
    out = open_memstream(&text, &len);
    CHECK(out != NULL);
    kdp_run_screen_look(screen, out, &(struct kdp_run_look){columns, lines, true, utf8, color});
    CHECK_INT(fclose(out), 0);
    return text;
}

static void
no_line_is_wider(const char *text, size_t columns)
{
    char line[1024];

    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
        if (kdp_text_columns(line) > columns)
            kdp_test_fail(__FILE__, __LINE__, "%zu columns, more than %zu: %s", kdp_text_columns(line),
                          columns, line);
    }
}

/* A terminal of so many columns as stderr, whose other end is master. */
static int master = -1;

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

static const char *
drawn(void)
{
    static char text[65536];
    size_t len = 0;

    for (;;) {
        struct pollfd in = {.fd = master, .events = POLLIN};
        ssize_t got = poll(&in, 1, 100) > 0 ? read(master, text + len, sizeof text - 1 - len) : 0;

        if (got <= 0)
            break;
        len += (size_t)got;
    }
    text[len] = '\0';
    return text;
}

static int64_t
watched(const char *setting, const char *value, unsigned short columns)
{
    int64_t now = 0;

    setlocale(LC_ALL, "C.UTF-8");
    terminal(columns);
    begin(setting, value);
    for (int i = 0; i < 70; i++) {
        char drop[65536];

        pass(&now, 2);
        while (read(master, drop, sizeof drop) > 0)
            ;
    }
    drawn();
    kdp_run_screen_event(screen, START_WALL + now - S / 10,
                         "gap on connection 2: 14 missed, 300 books stale, 288 healed");
    return now;
}

#define HEAD_80                                                    \
    "kdp run  SIMULATED  2026-11-22 15:05:10 UTC  up 1 min 10 s\n" \
    "         600 books: 588 live, 12 STALE   lost 0\n"            \
    "frames 364,000 (5,200/s)  feed age p50 0.4 p99 2.1 ms\n"      \
    "       to ring p50 0.4 p99 0.9 us  lake 0.1 s behind\n"

KDP_TEST(the_whole_table_takes_100_columns)
{
    watched(NULL, NULL, 100);
    CHECK_STR(
        look(140, 30, true, false),
        "kdp run  SIMULATED  2026-11-22 15:05:10 UTC  up 1 min 10 s   600 books: 588 live, 12 STALE   lost "
        "0\n"
        "frames 364,000 (5,200/s)  feed age p50 0.4 p99 2.1 ms  to ring p50 0.4 p99 0.9 us  lake 0.1 s "
        "behind\n"
        "MARKET                     STATE   BID SIZE BID    ASK    ASK SIZE LAST         VOLUME MSG/S 60 S\n"
        "KXBTC15M-26NOV221015-15    live      412.50 0.964  0.968     88    0.966     91,233.75 1,120 "
        "▃▃▄▄▅▅\n"
        "KXNFLGAME-26NOV22BUFNE-BUF STALE       -    -      -          -    0.64   1,204,551.25    96 "
        "▄▄▄▄▄▄\n"
        "KXHIGHNY-26NOV22-B51.5     closed      -    -      -          -    0.43      91,870.75    70 "
        "▄▄▄▄▄▄\n"
        "KXFEDDECISION-26DEC-H0     live   48,300    0.8815 -          -    -              -       30 "
        "▄▄▄▄▄▄\n"
        "4 of 600, busiest first   15:05:09.900 gap on connection 2: 14 missed, 300 books stale, 288 "
        "healed\n");
}

KDP_TEST(sparkline_and_volume_go_first_at_80_columns)
{
    watched(NULL, NULL, 100);
    CHECK_STR(look(80, 30, true, false),
              HEAD_80 "MARKET                     STATE   BID SIZE BID    ASK    ASK SIZE LAST   MSG/S\n"
                      "KXBTC15M-26NOV221015-15    live      412.50 0.964  0.968     88    0.966  1,120\n"
                      "KXNFLGAME-26NOV22BUFNE-BUF STALE       -    -      -          -    0.64      96\n"
                      "KXHIGHNY-26NOV22-B51.5     closed      -    -      -          -    0.43      70\n"
                      "KXFEDDECISION-26DEC-H0     live   48,300    0.8815 -          -    -         30\n"
                      "4 of 600, busiest first\n"
                      "  15:05:09.900 gap on connection 2: 14 missed, 300 books stale, 288 healed\n");
}

KDP_TEST(then_last_goes_and_tickers_lose_their_middle)
{
    watched(NULL, NULL, 100);
    CHECK_STR(look(70, 30, true, false),
              HEAD_80 "MARKET                   STATE   BID SIZE BID    ASK    ASK SIZE MSG/S\n"
                      "KXBTC15M-26NOV221015-15  live      412.50 0.964  0.968     88    1,120\n"
                      "KXNFLGAME-2…V22BUFNE-BUF STALE       -    -      -          -       96\n"
                      "KXHIGHNY-26NOV22-B51.5   closed      -    -      -          -       70\n"
                      "KXFEDDECISION-26DEC-H0   live   48,300    0.8815 -          -       30\n"
                      "4 of 600, busiest first\n"
                      "  15:05:09.900 gap on connection 2: 14 missed, 300 books stale, 288\n"
                      "  healed\n");
}

KDP_TEST(at_60_columns_numbers_are_whole_and_ascii_will_do)
{
    watched(NULL, NULL, 100);
    CHECK_STR(look(60, 30, false, false),
              HEAD_80 "MARKET         STATE   BID SIZE BID    ASK    ASK SIZE MSG/S\n"
                      "KXBTC1~1015-15 live      412.50 0.964  0.968     88    1,120\n"
                      "KXNFLG~FNE-BUF STALE       -    -      -          -       96\n"
                      "KXHIGH~2-B51.5 closed      -    -      -          -       70\n"
                      "KXFEDD~6DEC-H0 live   48,300    0.8815 -          -       30\n"
                      "4 of 600, busiest first\n"
                      "  15:05:09.900 gap on connection 2: 14 missed, 300 books\n"
                      "  stale, 288 healed\n");
}

KDP_TEST(no_width_has_a_line_that_is_wider)
{
    watched(NULL, NULL, 100);
    for (int columns = 60; columns <= 120; columns++)
        no_line_is_wider(look(columns, 30, true, false), (size_t)(columns < 100 ? columns : 100));
}

KDP_TEST(large_numbers_keep_to_two_lines_at_full_width)
{
    char line[256];
    const char *text;

    watched(NULL, NULL, 100);
    totals_now.frames = 1234567890;
    totals_now.planned_live = 120988;
    text = look(100, 30, true, false);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    CHECK_STR(
        line,
        "kdp run  SIMULATED  15:05:10 UTC  up 1 min 10 s   121,000 books: 120,988 live, 12 STALE   lost 0");
    text += strcspn(text, "\n") + 1;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    CHECK(strncmp(line, "frames 1,234,567,890 (", 22) == 0);
    CHECK(strstr(line, "/s)  age p50 0.4 p99 2.1 ms  ring p50 0.4 p99 0.9 us  lake 0.1 s") != NULL);
}

KDP_TEST(a_lake_that_waits_or_is_none_is_said)
{
    watched(NULL, NULL, 100);
    view.lake_waits = true;
    CHECK(strstr(look(100, 30, true, false), "  lake waits\n") != NULL);
    view.lake = false;
    CHECK(strstr(look(100, 30, true, false), "  no lake\n") != NULL);
    age = to_ring = (struct kdp_histogram){0}; /* what was not measured is no zero */
    CHECK(strstr(look(100, 30, true, false), "  feed age -  to ring -  no lake\n") != NULL);
}

KDP_TEST(without_utf8_bars_are_digits)
{
    watched(NULL, NULL, 100);
    CHECK(strstr(look(100, 30, false, false), "91,233.75 1,120 334455\n") != NULL);
    for (const char *p = look(100, 30, false, false); *p != '\0'; p++)
        CHECK((unsigned char)*p < 0x80);
}

KDP_TEST(colours_add_and_change_no_word)
{
    char plain[8192], *to = plain;
    const char *text;

    watched("color", "always", 100);
    text = look(80, 30, true, true);
    CHECK(strstr(text, "\033[7mSTALE\033[0m ") != NULL);
    CHECK(strstr(text, "\033[38;5;32m0.964 \033[0m \033[38;5;166m0.968 \033[0m") != NULL);
    for (; *text != '\0'; text++) {
        if (*text == '\033')
            text = strchr(text, 'm');
        else
            *to++ = *text;
    }
    *to = '\0';
    CHECK_STR(plain, look(80, 30, true, false));
}

KDP_TEST(a_low_window_shows_fewer_markets)
{
    watched(NULL, NULL, 100);
    CHECK(strstr(look(100, 7, true, false), "2 of 600, busiest first") != NULL);
    CHECK(strstr(look(100, 7, true, false), "KXHIGHNY") == NULL);
}

/* What is drawn and not seen would scroll the window twice a second: the more lines a narrow one needs for its numbers and
 * for what happened last, the fewer markets it has. */
KDP_TEST(the_drawing_is_lower_than_the_window)
{
    watched(NULL, NULL, 100);
    for (int keyless = 0; keyless < 2; keyless++) {
        view.what = keyless ? "SIMULATED, KEYLESS" : "SIMULATED";
        view.keyless = keyless;
        for (int columns = 60; columns <= 100; columns += 5) {
            for (int lines = 12; lines <= 16; lines++) {
                int drawn_lines = 0;

                for (const char *p = look(columns, lines, true, false); *p != '\0'; p++)
                    drawn_lines += *p == '\n';
                CHECK(drawn_lines < lines);
            }
        }
    }
}

KDP_TEST(a_stale_book_shows_no_prices_and_recovering_is_stale)
{
    watched(NULL, NULL, 100);
    markets[0].state = KDP_BOOK_STATE_RECOVERING;
    CHECK(strstr(look(100, 30, true, false), "KXBTC15M-26NOV221015-15    STALE       -    -      -") != NULL);
    CHECK(strstr(look(100, 30, true, false), "0.964") == NULL);
}

/* Without a key there are no frames and no live books: nothing on the screen may look as if there were. */
KDP_TEST(without_a_key_it_says_sampled_and_how_late_trades_come)
{
    char *text;

    watched(NULL, NULL, 100);
    view.what = "SIMULATED, KEYLESS";
    view.keyless = true;
    view.requests = 1812;
    memset(&age, 0, sizeof age);
    for (int i = 0; i < 100; i++)
        kdp_histogram_add(&age, i < 98 ? 3 * S : 14 * S);
    markets[0].state = KDP_BOOK_STATE_SAMPLED;
    totals_now = (struct kdp_plant_totals){.planned = 100, .planned_sampled = 98, .planned_stale = 2};
    totals_now.records_by_template[KDP_TEMPLATE_TRADE] = 8114;
    text = look(100, 24, true, false);
    CHECK(strstr(text, "SIMULATED, KEYLESS") != NULL);
    CHECK(strstr(text, "100 books: 98 SAMPLED, 2 STALE") != NULL);
    CHECK(strstr(text, "trades 8,114 (") != NULL);
    CHECK(strstr(text, "late by p50 3.") != NULL);
    CHECK(strstr(text, "requests 1,812") != NULL);
    CHECK(strstr(text, "KXBTC15M-26NOV221015-15    sample") != NULL);
    CHECK(strstr(text, "frames") == NULL && strstr(text, "to ring") == NULL &&
          strstr(text, " live,") == NULL);
    no_line_is_wider(text, 100);
    no_line_is_wider(look(60, 24, true, false), 60);
}

KDP_TEST(what_is_lost_and_the_last_warning_are_said)
{
    watched(NULL, NULL, 100);
    drawn();
    view.lost = 3;
    kdp_run_screen_warn(screen, START_WALL, "one", NULL);
    kdp_run_screen_warn(screen, START_WALL, "disk full: ./data/tape: capture waits", "Free space");
    CHECK(strstr(look(100, 30, true, false), "   lost 3\n") != NULL);
    CHECK(strstr(look(100, 30, true, false),
                 "\nwarning: disk full: ./data/tape: capture waits. Free space (the last of 2)\n") != NULL);
    CHECK_STR(drawn(), ""); /* it stands in the table, not across it */
}

KDP_TEST(it_is_redrawn_in_place_twice_a_second)
{
    int64_t now = watched("color", "never", 100);
    const char *text;
    int drawings = 0;

    drawn();
    for (int i = 0; i < 50; i++) { /* a second in steps of 20 ms */
        now += S / 50;
        kdp_run_screen_poll(screen, now, START_WALL + now);
    }
    text = drawn();
    for (const char *p = text; (p = strstr(p, "kdp run")) != NULL; p++)
        drawings++;
    CHECK_INT(drawings, 2);
    CHECK(strncmp(text, "\r\033[8A\033[2Kkdp run", 16) == 0); /* up over the 8 lines that stand there */
}

KDP_TEST(a_terminal_that_takes_nothing_holds_nothing_up)
{
    int64_t now = watched(NULL, NULL, 100), before;

    pass(&now, 20); /* nobody reads: its buffer is full by now */
    before = kdpi_mono_ns();
    pass(&now, 100);
    CHECK(kdpi_mono_ns() - before < 2 * S);
    CHECK(strstr(drawn(), "kdp run") != NULL);
    kdp_run_screen_poll(screen, now + S, START_WALL + now + S);
    CHECK(strlen(drawn()) > 0);
}

KDP_TEST(a_narrow_window_gets_a_notice_and_a_line_each_10_s)
{
    const char *text;
    int64_t now = 0;
    int lines = 0;

    setlocale(LC_ALL, "C.UTF-8");
    terminal(52);
    begin(NULL, NULL);
    pass(&now, 240);
    text = drawn();
    CHECK(strncmp(text,
                  "kdp: notice: 52 columns, the live table needs 60\r\n"
                  "  A line each 10 s instead; the table returns when the window grows\r\n",
                  119) == 0);
    CHECK(strstr(text + 1, "notice") == strstr(text, "notice"));
    for (const char *p = text; (p = strstr(p, "frames")) != NULL; p++)
        lines++;
    CHECK_INT(lines, 12);
}

static void
resize(unsigned short columns)
{
    struct winsize size = {.ws_row = 25, .ws_col = columns};

    CHECK_INT(ioctl(master, TIOCSWINSZ, &size), 0);
}

KDP_TEST(a_window_that_shrinks_and_grows_again_gets_its_table_back)
{
    int64_t now = watched("color", "never", 100);
    const char *text;

    resize(52);
    pass(&now, 1);
    text = drawn();
    /* the 8 lines that stood there took 15 or 16 of the narrow window: up over all of them, and wiped */
    CHECK(strncmp(text, "\r\033[1", 4) == 0 && strstr(text, "A\033[J") != NULL);
    CHECK(strstr(text, "kdp: notice: 52 columns, the live table needs 60") != NULL);
    CHECK(strstr(text, "kdp run  ") == NULL);
    resize(100);
    pass(&now, 1);
    text = drawn();
    CHECK(strncmp(text, "\r\033[2Kkdp run  SIMULATED", 23) == 0); /* nothing stands there to go up over */
    resize(70);
    pass(&now, 1);
    text = drawn();
    CHECK(strncmp(text, "\r\033[1", 4) == 0); /* 8 lines of 100 columns are more of 70 */
    CHECK(strstr(text, "KXNFLGAME-2") != NULL);
}

KDP_TEST(elsewhere_a_line_each_10_s_then_each_60)
{
    char text[16384];
    int64_t now = 0;
    int ends[2], lines = 0;
    ssize_t got;

    CHECK_INT(pipe(ends), 0);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    begin(NULL, NULL);
    pass(&now, 2 * 60 * 5 + 2);
    got = read(ends[0], text, sizeof text - 1);
    CHECK(got > 0);
    text[got] = '\0';
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    CHECK_INT(lines, 6 + 4);
    CHECK(
        strncmp(
            text,
            "2026-11-22T15:04:10Z frames 52000 rate 5200/s books 600 stale 12 gaps 7 lost 0 lag 2.1 ms"
            " SIMULATED\n2026-11-22T15:04:20Z ",
            strlen("2026-11-22T15:04:10Z frames 52000 rate 5200/s books 600 stale 12 gaps 7 lost 0 lag 2.1 ms"
                   " SIMULATED\n2026-11-22T15:04:20Z ")) == 0);
    CHECK(strstr(text, "\n2026-11-22T15:05:00Z ") != NULL && strstr(text, "\n2026-11-22T15:06:00Z ") != NULL);
    CHECK(strstr(text, "\n2026-11-22T15:05:30Z ") == NULL);
}

KDP_TEST(stopping_counts_down_on_its_own_line)
{
    watched(NULL, NULL, 100);
    drawn();
    kdp_run_screen_stopping(screen, 2, "tape synced 0.4 s, lake sealed; last look for late trades",
                            13400000000);
    CHECK_STR(drawn(),
              "\r\033[J^C stopping: tape synced 0.4 s, lake sealed; last look for late trades, 14 s left "
              "(Ctrl-C: at once)");
    kdp_run_screen_stopping(screen, 2, "tape synced", 0);
    CHECK_STR(drawn(), "\r\033[J^C stopping: tape synced");
    kdp_run_screen_close(screen);
    CHECK_STR(drawn(), "\r\n");
}

KDP_TEST(quiet_draws_nothing)
{
    int64_t now = 0;

    terminal(100);
    begin("quiet", "yes");
    pass(&now, 100);
    kdp_run_screen_warn(screen, START_WALL, "one", NULL);
    kdp_run_screen_stopping(screen, 2, "tape synced", S);
    kdp_run_screen_close(screen);
    CHECK_STR(drawn(), "");
}

/* ---- the busiest of many ---- */

#define MANY 100000u
static uint64_t many[MANY];

static bool
one_of_many(const void *arg, uint32_t index, uint64_t *messagesp)
{
    (void)arg;
    if (index >= MANY)
        return false;
    *messagesp = many[index];
    return true;
}

KDP_TEST(the_busiest_of_100000_are_found_in_slices)
{
    struct kdp_busy *busy = kdp_busy_open(one_of_many, NULL);
    struct kdp_busy_market list[KDP_RUN_ROWS_MAX];
    int64_t longest = 0;

    CHECK(busy != NULL);
    for (int call = 0; call < 2000; call++) {
        int64_t before;

        for (uint32_t i = 0; i < MANY; i += 1000)
            many[i]++;
        for (uint32_t i = 0; i < 20; i++)
            many[99999 - 7 * i] += 40 - i;
        before = kdpi_mono_ns();
        kdp_busy_walk(busy, before, KDP_RUN_SCAN_NS, kdpi_mono_ns);
        longest = kdpi_mono_ns() - before > longest ? kdpi_mono_ns() - before : longest;
        if (call % 100 == 99)
            usleep(2000);
    }
    kdp_busy_walk(busy, kdpi_mono_ns() + 5 * S, 0, kdpi_mono_ns);
    CHECK_INT(kdp_busy_list(busy, kdpi_mono_ns() + 6 * S, list, KDP_RUN_ROWS_MAX), KDP_RUN_ROWS_MAX);
    for (uint32_t i = 0; i < KDP_RUN_ROWS_MAX; i++)
        CHECK_INT(list[i].index, 99999 - 7 * i);
    printf("longest slice %lld us\n", (long long)(longest / 1000));
    kdp_busy_close(busy);
}
