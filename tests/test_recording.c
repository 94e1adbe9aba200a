/* test_recording.c - recordings in every form, whole, odd, damaged and cut. */
#include "kdp_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "error.h"
#include "recording.h"
#include "unwrap.h"

#define DELTA                                                                                        \
    "{\"type\":\"orderbook_delta\",\"sid\":1,\"seq\":2,\"msg\":{\"market_ticker\":\"KXA-1\",\"ts\":" \
    "\"2026-11-20T14:03:07.412345Z\",\"ts_ms\":1795183387412}}"
#define DELTA_NS INT64_C(1795183387412345000)
#define SUBSCRIBED "{\"type\":\"subscribed\",\"id\":1,\"msg\":{\"channel\":\"trade\",\"sid\":2}}"

static const char *
write_file(const char *name, const void *bytes, size_t len)
{
    static char path[4][512];
    static unsigned turn;
    char *p = path[turn++ % 4];
    FILE *f;

    snprintf(p, sizeof path[0], "%s/%s", kdp_test_dir(), name);
    f = fopen(p, "wb");
    CHECK(f != NULL);
    CHECK_INT(fwrite(bytes, 1, len, f), len);
    CHECK_INT(fclose(f), 0);
    return p;
}

static struct kdp_recording *
open_text(const char *text)
{
    struct kdp_recording *recording;

    CHECK_INT(kdp_recording_open(&recording, write_file("r.jsonl", text, strlen(text))), 0);
    return recording;
}

static void
expect(struct kdp_recording *recording, int kind, uint16_t line, int64_t recv_ns, const char *text)
{
    struct kdp_recorded r;

    CHECK_INT(kdp_recording_next(recording, &r), 1);
    CHECK_INT(r.kind, kind);
    CHECK_INT(r.line, line);
    CHECK_INT(r.recv_ns, recv_ns);
    CHECK_INT(r.len, strlen(text));
    CHECK_MEM(r.text, text, r.len);
}

static void
expect_end(struct kdp_recording *recording)
{
    struct kdp_recorded r;

    CHECK_INT(kdp_recording_next(recording, &r), 0);
    CHECK_INT(kdp_recording_next(recording, &r), 0);
    kdp_recording_close(recording);
}

KDP_TEST(wrapped_lines_give_marks_and_frames)
{
    struct kdp_recording *recording = open_text(
        "{\"recv_ns\":1778501852035217920,\"conn\":1,\"event\":\"connected\"}\n"
        "{\"recv_ns\":1778501852130176000,\"conn\":1,\"raw\":\"{\\\"type\\\":\\\"x\\\",\\\"sid\\\":1}\"}\n"
        "{\"recv_ns\":5,\"conn\":65535,\"raw\":\"{}\"}\n"
        "{\"recv_ns\":6,\"conn\":1,\"event\":\"disconnected\"}\n");

    expect(recording, KDP_INPUT_CONNECTED, 1, 1778501852035217920, "");
    expect(recording, KDP_INPUT_FRAME, 1, 1778501852130176000, "{\"type\":\"x\",\"sid\":1}");
    expect(recording, KDP_INPUT_FRAME, 65535, 5, "{}");
    expect(recording, KDP_INPUT_DISCONNECTED, 1, 6, "");
    expect_end(recording);
}

KDP_TEST(members_come_in_any_order_with_space_and_strangers)
{
    struct kdp_recording *recording =
        open_text(" { \"raw\" : \"{\\\"a\\\":1}\" , \"x\":{\"y\":[1,2,{\"z\":null}],\"q\":\"\\u00e9\"}, "
                  "\"conn\" : 7 ,\t\"recv_ns\" : "
                  "42 } \r\n\r\n   \n{\"conn\":3,\"r\\u0061w\":{\"b\":[true,-1.5e3]},\"recv_ns\":\"43\"}");

    expect(recording, KDP_INPUT_FRAME, 7, 42, "{\"a\":1}");
    expect(recording, KDP_INPUT_FRAME, 3, 43, "{\"b\":[true,-1.5e3]}");
    expect_end(recording);
}
