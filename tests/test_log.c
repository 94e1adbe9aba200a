/* test_log.c - the log: form of a line, folding of repeats, levels, threads. */
#include "kdp_test.h"

#include "clock.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t hand_ns;

static int64_t
by_hand(void)
{
    return hand_ns;
}

static char path[4096], text[1 << 20];

static void
start(enum kdp_log_level level)
{
    snprintf(path, sizeof path, "%s/log", kdp_test_dir());
    hand_ns = INT64_C(1795348800) * KDP_NS_PER_S;
    kdpi_log_set_clock(by_hand);
    kdpi_log_open(path, level);
}

static const char *
written(void)
{
    FILE *file;
    size_t len = 0;

    kdpi_log_close();
    file = fopen(path, "r");
    if (file != NULL) {
        len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    text[len] = '\0';
    return text;
}

static unsigned
lines(const char *of)
{
    unsigned count = 0;

    for (; *of != '\0'; of++)
        count += *of == '\n';
    return count;
}

KDP_TEST(a_line_is_time_level_event_and_words)
{
    start(KDP_LOG_INFO);
    hand_ns += 123456789;
    kdpi_log(KDP_LOG_WARNING, "gap", "line=%d missed=%d", 2, 14);
    CHECK_STR(written(), "time=2026-11-22T12:00:00.123456789Z level=warning event=gap line=2 missed=14\n");
}

KDP_TEST(lines_below_the_level_are_not_written_and_no_file_is_made)
{
    start(KDP_LOG_WARNING);
    kdpi_log(KDP_LOG_INFO, "start", "");
    CHECK_STR(written(), "");
    CHECK(fopen(path, "r") == NULL);
}

KDP_TEST(levels_are_read_in_any_case)
{
    CHECK_INT(kdpi_log_level("DEBUG"), KDP_LOG_DEBUG);
    CHECK_INT(kdpi_log_level("Info"), KDP_LOG_INFO);
    CHECK_INT(kdpi_log_level("warn"), KDP_LOG_WARNING);
    CHECK_INT(kdpi_log_level("CRITICAL"), KDP_LOG_ERROR);
    CHECK_INT(kdpi_log_level("loud"), -1);
}

KDP_TEST(repeats_are_counted_with_first_and_last)
{
    start(KDP_LOG_INFO);
    for (int i = 0; i < 42; i++) {
        kdpi_log(KDP_LOG_WARNING, "gap", "line=2 of=\"x\"");
        hand_ns += KDP_NS_PER_S;
    }
    CHECK_STR(
        written(),
        "time=2026-11-22T12:00:00.000000000Z level=warning event=gap line=2 of=\"x\"\n"
        "time=2026-11-22T12:00:42.000000000Z level=warning event=repeated of=\"gap line=2 of='x'\" count=41 "
        "first=2026-11-22T12:00:01.000000000Z last=2026-11-22T12:00:41.000000000Z\n");
    CHECK_INT(kdpi_log_warnings(NULL, 0), 42);
}

KDP_TEST(a_minute_later_the_line_is_written_again)
{
    start(KDP_LOG_INFO);
    kdpi_log(KDP_LOG_WARNING, "gap", "a");
    kdpi_log(KDP_LOG_WARNING, "gap", "a");
    hand_ns += 61 * KDP_NS_PER_S;
    kdpi_log(KDP_LOG_WARNING, "gap", "a");
    CHECK_INT(lines(written()), 3);
}

KDP_TEST(more_kinds_than_are_remembered_lose_no_line)
{
    start(KDP_LOG_INFO);
    for (int i = 0; i < 500; i++) {
        kdpi_log(KDP_LOG_INFO, "kind", "n=%d", i);
        hand_ns++;
    }
    CHECK_INT(lines(written()), 500);
}

KDP_TEST(control_characters_cannot_move_the_cursor)
{
    start(KDP_LOG_INFO);
    kdpi_log(KDP_LOG_INFO, "text", "a=%s", "x\033[2J\ny");
    CHECK_STR(written(), "time=2026-11-22T12:00:00.000000000Z level=info event=text a=x\\x1b[2J\\x0ay\n");
}

static void *
many(void *arg)
{
    for (int i = 0; i < 200; i++)
        kdpi_log(KDP_LOG_INFO, "thread", "n=%d i=%d", *(int *)arg, i);
    return NULL;
}

KDP_TEST(lines_of_several_threads_stay_whole)
{
    pthread_t threads[4];
    int numbers[4];

    start(KDP_LOG_INFO);
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, many, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    written();
    CHECK_INT(lines(text), 800);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        CHECK(strncmp(line, "time=2026-11-22T12:00:00.000000000Z level=info event=thread n=", 62) == 0);
}
