/* test_stream_disk.c - full disks, quotas, retention, and the log of instruments. */
#include "stream.h"

#include "clock.h"
#include "error.h"
#include "instruments.h"
#include "kdp_test.h"
#include "raw_format.h"
#include "ring_layout.h"
#include "stream_fill.h"
#include "stream_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING (256u << 10)
#ifdef KDP_SANITIZED
#define STRIDE 7 /* every byte is for the plain build */
#else
#define STRIDE 1
#endif

static struct kdp_stream *
open_with(struct kdp_stream_config config, struct kdp_input_start *start)
{
    struct kdp_stream *stream;

    if (config.dir == NULL)
        config.dir = kdp_test_dir();
    config.ring_bytes = config.raw_ring_bytes = RING;
    if (kdp_stream_open(&stream, &config, start) != 0)
        kdp_test_fail(__FILE__, __LINE__, "open: %s", kdp_error_text());
    return stream;
}

/* Fills until the writer would have to wait for the tape; true when that came. */
static bool
fill_until_blocked(struct fill *fill, int inputs)
{
    for (int i = 0; i < inputs; i++)
        if (!fill_input(fill))
            return true;
    return false;
}

/* What a full disk must look like, wherever its limit comes from: capture waits, says why, goes on by itself.
 */
static void
full_disk_story(const char *dir, void (*make_room)(void), const char *why)
{
    struct fill fill = {.by_hand = true, .mono_ns = KDP_NS_PER_S};
    struct kdp_input_start start;
    struct kdp_stream *stream = open_with((struct kdp_stream_config){.dir = dir}, &start);
    struct fill_seen seen;
    uint64_t head, durable;

    fill_start(&fill, stream, &start);
    CHECK(fill_until_blocked(&fill, 100000));
    CHECK_STR(kdp_stream_blocked(stream), why);
    CHECK_INT(kdp_stream_failed(stream), 0);
    CHECK_INT(kdp_stream_agent_drain(stream), -KDP_EFULL);
    CHECK(strstr(kdp_error_text(), why) != NULL);
    head = kdp_ring_head_seq(fill.ring);
    durable = kdp_ring_durable_seq(fill.ring);
    CHECK(head > durable);
    /* it tries again every 200 ms, not before, and keeps what it has */
    fill.mono_ns += KDP_NS_PER_S;
    CHECK_INT(kdp_stream_agent_work(stream, fill.mono_ns), 0);
    make_room();
    CHECK_INT(kdp_stream_agent_work(stream, fill.mono_ns + 199 * KDP_NS_PER_MS), 0);
    CHECK(kdp_stream_blocked(stream) != NULL);
    CHECK(kdp_stream_agent_work(stream, fill.mono_ns + 200 * KDP_NS_PER_MS) > 0);
    CHECK(kdp_stream_blocked(stream) == NULL);
    CHECK_INT(kdp_ring_durable_seq(fill.ring), head);
    for (int i = 0; i < 1000; i++)
        CHECK(fill_input(&fill));
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(dir, 1, &seen);
    CHECK(seen.last_seq > head);
}

static void
lift_limit(void)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

KDP_TEST(a_file_size_limit_makes_capture_wait)
{
    struct rlimit limit = {.rlim_cur = 3 << 20, .rlim_max = RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    full_disk_story(kdp_test_dir(), lift_limit, "no space left on device");
}

static char ballast[600], mount_point[600];

static void
remove_ballast(void)
{
    CHECK_INT(unlink(ballast), 0);
}

static void
unmount(void)
{
    umount2(mount_point, MNT_DETACH);
}

KDP_TEST(a_full_disk_makes_capture_wait)
{
    char data[640];
    FILE *file;

    snprintf(mount_point, sizeof mount_point, "%s/small", kdp_test_dir());
    CHECK_INT(mkdir(mount_point, 0755), 0);
    if (mount("tmpfs", mount_point, "tmpfs", 0, "size=16m") != 0)
        kdp_test_skip("no tmpfs can be mounted here: %s", strerror(errno));
    atexit(unmount);
    snprintf(ballast, sizeof ballast, "%s/ballast", mount_point);
    file = fopen(ballast, "w");
    CHECK(file != NULL);
    for (int i = 0; i < 13; i++) {
        static const char mib[1 << 20];

        CHECK(fwrite(mib, sizeof mib, 1, file) == 1);
    }
    CHECK_INT(fclose(file), 0);
    snprintf(data, sizeof data, "%s/data", mount_point);
    full_disk_story(data, remove_ballast, "no space left on device");
    unmount();
}

KDP_TEST(closing_on_a_full_disk_leaves_the_rest_to_the_next_start)
{
    struct rlimit limit = {.rlim_cur = 2 << 20, .rlim_max = RLIM_INFINITY};
    struct fill fill = {.by_hand = true};
    struct kdp_input_start start, again;
    struct kdp_stream *stream = open_with((struct kdp_stream_config){0}, &start);
    struct fill_seen seen;
    uint64_t head;

    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill_start(&fill, stream, &start);
    CHECK(fill_until_blocked(&fill, 100000));
    head = kdp_ring_head_seq(fill.ring);
    CHECK_INT(kdp_stream_close(stream), -KDP_EFULL);
    lift_limit();
    stream = open_with((struct kdp_stream_config){0}, &again);
    CHECK_INT(again.next_seq, head + 1);
    CHECK_INT(again.unused_from, 0);
    CHECK_INT(again.flags, KDP_START_KILLED);
    CHECK(kdp_stream_taken_over(stream) > 0);
    fill_start(&fill, stream, &again);
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen);
}

/* ---- retention ---- */

static size_t
files_in(const char *folder)
{
    char command[700];
    FILE *pipe;
    int count = 0;

    snprintf(command, sizeof command, "ls %s/%s | wc -l", kdp_test_dir(), folder);
    pipe = popen(command, "r");
    CHECK(pipe != NULL && fscanf(pipe, "%d", &count) == 1);
    pclose(pipe);
    return (size_t)count;
}

static struct kdp_stream_config
small_segments(void)
{
    return (struct kdp_stream_config){.segment_bytes = 16 << 10};
}

KDP_TEST(what_is_too_old_by_receive_time_goes_and_the_rest_reads_on)
{
    struct fill fill = {.by_hand = true, .step_ns = 10 * KDP_NS_PER_S}; /* 5,000 inputs: 14 hours */
    struct kdp_stream_config config = small_segments();
    struct kdp_input_start start;
    struct kdp_stream *stream;
    struct fill_seen all, seen;
    size_t tape_files, raw_files;

    config.tape_keep_ns = 4 * 3600 * KDP_NS_PER_S;
    config.raw_keep_ns = 8 * 3600 * KDP_NS_PER_S;
    stream = open_with(config, &start);
    fill_start(&fill, stream, &start);
    for (int i = 0; i < 1000; i++)
        CHECK(fill_input(&fill));
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    fill_check(kdp_test_dir(), 1, &all); /* 2.8 hours: nothing is old yet */
    for (int i = 0; i < 4000; i++)
        CHECK(fill_input(&fill));
    for (int i = 0; i < 3; i++) {
        fill.mono_ns += 10 * KDP_NS_PER_S;
        CHECK(fill_input(&fill));
        kdp_stream_agent_work(stream, fill.mono_ns);
    }
    tape_files = files_in("tape");
    raw_files = files_in("raw");
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 0, &seen);
    CHECK(seen.first_seq > all.last_seq / 2);
    CHECK(seen.inputs < seen.last_input && seen.inputs > 2000);
    /* what is left covers what is to be kept: 4 hours of records are 1,440 inputs' */
    CHECK(seen.records > 1440 * 3 / 2);
    CHECK(tape_files >= 2 && tape_files < 40 && raw_files >= 2);
}

KDP_TEST(with_a_lake_the_tape_waits_until_it_is_sealed)
{
    struct fill fill = {.by_hand = true, .step_ns = 10 * KDP_NS_PER_S};
    struct kdp_stream_config config = small_segments();
    struct kdp_input_start start;
    struct kdp_stream *stream;
    struct fill_seen seen;

    config.tape_keep_ns = KDP_NS_PER_S;
    config.lake = true;
    stream = open_with(config, &start);
    fill_start(&fill, stream, &start);
    for (int i = 0; i < 3000; i++)
        CHECK(fill_input(&fill));
    kdp_stream_agent_work(stream, fill.mono_ns += 10 * KDP_NS_PER_S);
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    fill_check(kdp_test_dir(), 1, &seen); /* all of it */
    kdp_stream_sealed_floor(stream, 2000);
    CHECK(fill_input(&fill));
    kdp_stream_agent_work(stream, fill.mono_ns += 10 * KDP_NS_PER_S);
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 0, &seen);
    CHECK(seen.first_seq > 1 && seen.first_seq <= 2001);
}

KDP_TEST(the_quota_takes_the_oldest_and_then_makes_capture_wait)
{
    struct fill fill = {.by_hand = true};
    struct kdp_stream_config config = small_segments();
    struct kdp_input_start start;
    struct kdp_stream *stream;
    struct fill_seen seen;

    config.quota_bytes = 1 << 20;
    stream = open_with(config, &start);
    fill_start(&fill, stream, &start);
    for (int i = 0; i < 20000; i++) /* some 4 MiB */
        CHECK(fill_input(&fill));
    CHECK_INT(kdp_stream_agent_drain(stream), 0);
    CHECK(stream->agent.used <= config.quota_bytes);
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 0, &seen);
    CHECK(seen.first_seq > 10000);
    /* with a lake that has sealed nothing, only raw files may go: in the end capture waits, and goes on when
     * it has */
    config.lake = true;
    stream = open_with(config, &start);
    fill_start(&fill, stream, &start);
    CHECK(fill_until_blocked(&fill, 100000));
    CHECK(strstr(kdp_stream_blocked(stream), "quota of") != NULL);
    CHECK_INT(kdp_stream_agent_drain(stream), -KDP_EFULL);
    kdp_stream_sealed_floor(stream, UINT64_MAX);
    fill.mono_ns += KDP_NS_PER_S;
    CHECK(kdp_stream_agent_work(stream, fill.mono_ns) > 0);
    CHECK(kdp_stream_blocked(stream) == NULL);
    CHECK(fill_input(&fill));
    CHECK_INT(kdp_stream_close(stream), 0);
    fill_check(kdp_test_dir(), 0, &seen);
}

/* ---- DIR/instruments ---- */

static void
log_path(char path[700])
{
    snprintf(path, 700, "%s/instruments", kdp_test_dir());
}

/* Three runs of some instruments each; returns the highest id. */
static uint32_t
some_instruments(void)
{
    struct kdp_input_start start;
    struct fill fill = {.by_hand = true};

    for (int run = 0; run < 3; run++) {
        struct kdp_stream *stream = open_with((struct kdp_stream_config){0}, &start);

        fill_start(&fill, stream, &start);
        for (int i = 0; i < 200; i++)
            CHECK(fill_input(&fill));
        CHECK_INT(kdp_stream_close(stream), 0);
    }
    return fill.next_instrument - 1;
}

static void
instruments_are_complete(uint32_t max)
{
    const struct kdp_stream_instrument *items;
    struct kdpi_instruments *log;
    char want[32];
    size_t count;

    CHECK_INT(kdpi_instruments_open(&log, kdp_test_dir()), 0);
    items = kdpi_instruments_list(log, &count);
    CHECK_INT(count, max);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(want, sizeof want, "KXTEST-%u", i + 1);
        CHECK_INT(items[i].id, i + 1);
        CHECK_STR(items[i].ticker, want);
    }
    CHECK_INT(kdpi_instruments_max(log), max);
    kdpi_instruments_close(log);
}

KDP_TEST(the_log_of_instruments_is_mended_wherever_it_is_torn_or_flipped)
{
    uint32_t max = some_instruments();
    char path[700], *text;
    struct stat st;
    FILE *file;
    size_t size;

    log_path(path);
    CHECK_INT(stat(path, &st), 0);
    size = (size_t)st.st_size;
    text = malloc(size);
    file = fopen(path, "r");
    CHECK(text != NULL && file != NULL && fread(text, 1, size, file) == size);
    fclose(file);
    instruments_are_complete(max);
    for (size_t at = 0; at < size; at += STRIDE) {
        if (at == 0 ||
            text[at - 1] != '\n') { /* cut between two lines it is whole, and synced lines are not cut */
            file = fopen(path, "w");
            CHECK(file != NULL && fwrite(text, 1, at, file) == at);
            fclose(file);
            instruments_are_complete(max);
        }
        text[at] ^= 0x10;
        file = fopen(path, "w");
        CHECK(file != NULL && fwrite(text, 1, size, file) == size);
        fclose(file);
        text[at] ^= 0x10;
        instruments_are_complete(max);
    }
    unlink(path);
    instruments_are_complete(max);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_size, size);
    free(text);
}

KDP_TEST(any_ticker_survives_the_log_and_used_up_ids_are_remembered)
{
    static const char *const tickers[] = {"KXPLAIN-26",        "-",  "two words", "100%", "line\nbreak",
                                          "\xc3\xa9t\xc3\xa9", "%41"};
    const struct kdp_stream_instrument *items;
    struct kdpi_instruments *log;
    size_t count;

    CHECK_INT(kdpi_instruments_open(&log, kdp_test_dir()), 0);
    for (uint32_t i = 0; i < 7; i++)
        CHECK_INT(kdpi_instruments_add(log, i + 1, tickers[i], strlen(tickers[i])), 0);
    CHECK_INT(kdpi_instruments_add(log, 5000, "", 0), 0);
    CHECK_INT(kdpi_instruments_sync(log), 0);
    CHECK_INT(kdpi_instruments_add(log, 5001, "AFTER", 5), 0);
    CHECK_INT(kdpi_instruments_sync(log), 0);
    CHECK_INT(kdpi_instruments_sync(log), 0);
    kdpi_instruments_close(log);
    CHECK_INT(kdpi_instruments_open(&log, kdp_test_dir()), 0);
    items = kdpi_instruments_list(log, &count);
    CHECK_INT(count, 8);
    for (uint32_t i = 0; i < 7; i++)
        CHECK_STR(items[i].ticker, tickers[i]);
    CHECK_INT(items[7].id, 5001);
    CHECK_INT(kdpi_instruments_max(log), 5001);
    kdpi_instruments_close(log);
}
