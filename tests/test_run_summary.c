/* test_run_summary.c - what a run says at its end: the block of lines, and the members a live run adds to replay's object. */
#include "kdp_test.h"

#include "cli_private.h"
#include "clock.h"
#include "run_summary.h"
#include "sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define S KDP_NS_PER_S
#define START_WALL INT64_C(1795359840000000000) /* 2026-11-22 15:04:00 UTC */

static int
no_run(struct kdp_cli *cli)
{
    (void)cli;
    return 0;
}

static const struct kdp_command command = {"test", "capture", "", "test", "",    "output: summary",
                                           NULL,   "",        0,  0,      no_run};
static struct kdp_cli cli_now;
static struct kdp_run_result result;
static char folder[4096];

static void
forget(void)
{
    kdpi_settings_free(cli_now.settings);
}

static void
put_file(const char *name, size_t size)
{
    char path[8192];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    file = fopen(path, "w");
    CHECK(file != NULL);
    for (size_t i = 0; i < size; i++)
        fputc('x', file);
    CHECK_INT(fclose(file), 0);
}

/* A run of 132 s with gaps. */
static void
made_run(const char *summary)
{
    struct kdp_plant_totals *totals = &result.plant.totals;

    atexit(forget);
    cli_now = (struct kdp_cli){.command = &command};
    CHECK_INT(kdpi_settings_new(&cli_now.settings), 0);
    if (summary != NULL)
        CHECK_INT(kdpi_settings_flag(cli_now.settings, kdpi_setting_find("summary"), summary), 0);
    snprintf(folder, sizeof folder, "%s", kdp_test_dir());
    put_file("tape/1.seg", 75300);
    put_file("raw/1.raw", 26100);
    put_file("trades/date=2026-11-22/1.parquet", 7900);
    put_file("log/kdp.log", 100);
    result = (struct kdp_run_result){.dir = folder,
                                     .what = "SIMULATED",
                                     .run = 1,
                                     .connections = 2,
                                     .reconnects = 1,
                                     .seq_next = 784874,
                                     .lake = true,
                                     .lake_whole = true,
                                     .start_wall_ns = START_WALL,
                                     .end_wall_ns = START_WALL + 132 * S,
                                     .book_ns = 79200 * S,
                                     .live_at_stop = 600,
                                     .planned_at_stop = 600,
                                     .stale_at_stop_ns = 81200000000u};
    totals->frames = 687214;
    totals->gaps = totals->gaps_healed = 7;
    totals->missed[KDP_CHANNEL_BOOK] = 47;
    totals->missed[KDP_CHANNEL_TRADE] = 12;
    totals->missed[KDP_CHANNEL_LIFECYCLE] = 2;
    totals->trades_recovered = 12;
    totals->records = 784873;
    totals->records_by_template[KDP_TEMPLATE_TRADE] = 8114;
    totals->records_by_template[KDP_TEMPLATE_LEVEL] = 541310;
    totals->records_by_template[KDP_TEMPLATE_BOOK_SNAPSHOT] = 888;
    totals->snapshot_rows = 18412;
    for (int i = 0; i < 9990; i++)
        kdp_histogram_add(&result.latency, i < 9890 ? 400 : 900);
    for (int i = 0; i < 10; i++)
        kdp_histogram_add(&result.latency, 3100);
    kdp_histogram_add(&result.latency, 41303000);
}

static const char *
printed(void)
{
    static char text[65536];
    char path[8192];
    FILE *file;
    size_t len;

    snprintf(path, sizeof path, "%s.out", folder);
    CHECK(freopen(path, "w", stdout) != NULL);
    kdp_run_result_print(&result, &cli_now);
    fflush(stdout);
    file = fopen(path, "r");
    CHECK(file != NULL);
    len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    unlink(path);
    return text;
}

KDP_TEST(the_next_command_can_be_pasted)
{
    char name[] = "it's mine";
    const char *text;

    made_run(NULL);
    result.dir = name; /* there is none of that name */
    text = printed();
    CHECK(strstr(text, "FROM trades LIMIT 5\" --data 'it'\\''s mine'") != NULL);
    CHECK(strstr(text, "kdp run --data 'it'\\''s mine' (goes on at sequence ") != NULL);
    CHECK_INT(kdpi_settings_flag(cli_now.settings, kdpi_setting_find("env-file"), "sim/sim.env"), 0);
    CHECK(strstr(printed(), "kdp run --env-file sim/sim.env --data 'it'\\''s mine' (goes on at sequence ") !=
          NULL);
}

KDP_TEST(a_person_reads_nine_lines)
{
    char want[8192];

    made_run(NULL);
    result.dir = "./data"; /* there is none here: nothing is said of the disk */
    CHECK_INT(chdir(folder), 0);
    snprintf(want, sizeof want, "%s", printed());
    *strstr(want, "next ") = '\0';
    CHECK_STR(
        want,
        "captured   2026-11-22 15:04:00 to 15:06:12 UTC, 2 min 12 s, SIMULATED, ./data run 1\n"
        "frames     687,214 (5,206/s), malformed 0, connections 2, reconnects 1\n"
        "books      600 of 600 live when stopped; not live 0.10 % of the time (81.2 of 79,200 book-seconds)\n"
        "gaps       7, healed 7; missed 61: orderbook_delta 47, trade 12 (fetched again 12), other 2; lost "
        "0\n"
        "latency    receive to ring  p50 0.4  p99 0.9  p99.9 3.2  max 41,303 us\n"
        "rows       784,873 records on the tape are 567,836 rows in SQL: orderbook_deltas 541,310,\n"
        "           orderbook_snapshots 18,412, trades 8,114\n");
    CHECK(
        strstr(printed(),
               "\nnext       kdp query \"FROM trades LIMIT 5\"     kdp run (goes on at sequence 784874)\n"));
}

KDP_TEST(the_disk_line_tells_tape_raw_tape_and_lake_apart)
{
    char want[8192];

    made_run(NULL);
    snprintf(want, sizeof want, "\ndisk       %s 109.4 kB: tape 75.3 kB, raw tape 26.1 kB, lake 7.9 kB\n",
             folder);
    CHECK(strstr(printed(), want) != NULL);
}

KDP_TEST(lost_counts_trades_not_refilled_and_records_not_taped)
{
    made_run(NULL);
    result.plant.totals.trades_unhealed = 3;
    result.not_taped = 4;
    CHECK(strstr(printed(), "; lost 7\n") != NULL);
    CHECK(strstr(printed(), "784,869 records on the tape") != NULL);
}

KDP_TEST(a_loss_no_number_told_of_is_said_when_it_was_fetched_again)
{
    made_run(NULL);
    memset(result.plant.totals.missed, 0, sizeof result.plant.totals.missed);
    CHECK(strstr(printed(), "7, healed 7; missed 0, 12 trades came by REST alone; lost 0\n") != NULL);
}

KDP_TEST(json_is_replays_object_and_more)
{
    made_run("json");
    CHECK_STR(
        printed(),
        "{\"frames\":687214,\"by_type\":{},\"malformed\":0,\"gaps\":7,\"connections\":0,\"records\":784873,"
        "\"stream_hash\":null,\"markets\":[],\"reconnects\":1,\"gaps_healed\":7,\"trades_recovered\":12,"
        "\"missed\":{\"orderbook_delta\":47,\"trade\":12,\"market_lifecycle\":2,\"other\":0},\"lost\":0,"
        "\"book_stale_ms\":81200,\"rows\":{\"trades\":8114,\"bbo\":0,\"ticker\":0,\"orderbook_deltas\":"
        "541310,"
        "\"orderbook_snapshots\":18412,\"definitions\":0,\"lifecycle\":0,\"events\":0,\"states\":0,\"gaps\":"
        "0},"
        "\"latency_us\":{\"p50\":0.415,\"p99\":0.927,\"p999\":3.199,\"max\":41303.000}}\n");
}

/* Of a run without a key: 8,114 trades, 1,204 looks at 100 books. */
static void
made_keyless(const char *summary)
{
    made_run(summary);
    result.what = "KEYLESS";
    result.keyless = true;
    result.connections = 0;
    result.plant.totals.frames = result.plant.totals.gaps = result.plant.totals.gaps_healed = 0;
    memset(result.plant.totals.missed, 0, sizeof result.plant.totals.missed);
    result.live_at_stop = result.planned_at_stop = 100;
    result.session = (struct kdp_session_stats){.answered = true,
                                                .complete_ns = START_WALL + 132 * S,
                                                .polls = 61,
                                                .samples = 1204,
                                                .sample_round_ns = S,
                                                .requests = 812,
                                                .requests_limited = 3};
    for (int i = 0; i < 100; i++)
        kdp_histogram_add(&result.age, i < 98 ? 3 * S : 14 * S);
}

KDP_TEST(without_a_key_it_says_how_late_trades_came_and_to_when_they_are_complete)
{
    const char *text;

    made_keyless(NULL);
    text = printed();
    CHECK(strstr(text, "KEYLESS") != NULL);
    CHECK(strstr(text, "trades     8,114 (61/s), late by p50 ") != NULL);
    CHECK(strstr(text, "complete to 15:06:12 UTC") != NULL);
    CHECK(strstr(text, "requests   812, answered 429: 3, malformed 0") != NULL);
    CHECK(strstr(text, "books      100 of 100 SAMPLED when stopped, 1,204 looks") != NULL);
    CHECK(strstr(text, "reconnects") == NULL && strstr(text, "frames") == NULL &&
          strstr(text, "live") == NULL);
    CHECK(strstr(text, "kdp run --keyless") != NULL);
    result.session.windows_open = 2;
    text = printed();
    CHECK(strstr(text, "INCOMPLETE: 2 windows not verified") != NULL);
    CHECK(strstr(text, "complete to") == NULL);
}

KDP_TEST(without_a_key_json_has_all_members_and_one_more)
{
    const char *text;

    made_keyless("json");
    text = printed();
    CHECK(strstr(text, "\"frames\":0,") != NULL);
    CHECK(strstr(text, "\"missed\":{\"orderbook_delta\":0,") != NULL);
    CHECK(strstr(text, "\"book_stale_ms\":81200,") != NULL);
    CHECK(strstr(text, "\"reconnects\":") != NULL && strstr(text, "\"lost\":") != NULL);
    CHECK(strstr(text, "\"keyless\":{\"polls\":61,\"books\":100,\"books_sampled\":100,\"samples\":1204,"
                       "\"requests\":812,\"limited\":3,\"delay_ms\":{\"p50\":") != NULL);
    CHECK(strstr(text, "\"complete_to\":\"2026-11-22T15:06:12Z\"}}") != NULL);
    result.session.windows_open = 1;
    CHECK(strstr(printed(), "\"complete_to\":null}}") != NULL);
}

KDP_TEST(without_a_frame_latency_is_null)
{
    made_run("json");
    memset(&result.latency, 0, sizeof result.latency);
    CHECK(strstr(printed(), "\"latency_us\":{\"p50\":null,\"p99\":null,\"p999\":null,\"max\":null}}\n") !=
          NULL);
}

KDP_TEST(a_command_is_not_broken_over_lines)
{
    char want[8192];

    made_run(NULL);
    snprintf(want, sizeof want,
             "\nnext       kdp query \"FROM trades LIMIT 5\" --data %s\n"
             "           kdp run --data %s (goes on at sequence 784874)\n",
             folder, folder);
    CHECK(strstr(printed(), want) != NULL);
}
