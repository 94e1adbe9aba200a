/* test_recording.c - recordings in every form, whole, odd, damaged and cut. */
#include "kdp_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "error.h"
#include "raw.h"
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

KDP_TEST(escapes_become_what_they_stand_for)
{
    static const struct {
        const char *raw, *text;
    } cases[] = {
        {"\\\"\\\\\\/", "\"\\/"},
        {"\\b\\f\\n\\r\\t", "\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"plain \xc3\xa9 text", "plain \xc3\xa9 text"},
        {"", ""},
        {"\\\\\\\\\\\"\\\\", "\\\\\"\\"},
    };
    char line[4096], want[4096], pad[200];

    /* every escape at every place of the 64-byte steps */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t shift = 0; shift < 140; shift++) {
            struct kdp_recording *recording;

            memset(pad, 'x', shift);
            pad[shift] = '\0';
            for (int common = 0; common < 2;
                 common++) { /* the common line and one that only the JSON reader knows */
                snprintf(line, sizeof line,
                         common != 0 ? "{\"recv_ns\":1,\"conn\":2,\"raw\":\"%s%s%s\"}"
                                     : "{\"raw\":\"%s%s%s\", \"conn\":2,\"recv_ns\":1}",
                         pad, cases[i].raw, pad);
                snprintf(want, sizeof want, "%s%s%s", pad, cases[i].text, pad);
                recording = open_text(line);
                expect(recording, KDP_INPUT_FRAME, 2, 1, want);
                expect_end(recording);
            }
        }
    }
}

static void
expect_malformed(const char *line, enum kdp_refusal refusal, size_t position)
{
    char text[8192];
    struct kdp_recorded r;
    struct kdp_recording *recording;

    snprintf(text, sizeof text,
             "{\"recv_ns\":7,\"conn\":1,\"raw\":\"{}\"}\n\n%s\n{\"recv_ns\":8,\"conn\":1,\"raw\":\"[]\"}\n",
             line);
    recording = open_text(text);
    expect(recording, KDP_INPUT_FRAME, 1, 7, "{}");
    CHECK_INT(kdp_recording_next(recording, &r), 1);
    CHECK_INT(r.kind, KDP_RECORDED_MALFORMED);
    if (r.refusal != refusal || r.position != position)
        kdp_test_fail(__FILE__, __LINE__, "%s: refused for %s (%s) at %zu, want %s at %zu", line,
                      kdpi_refusal_text(r.refusal), r.why, r.position, kdpi_refusal_text(refusal), position);
    CHECK_INT(r.number, 3);
    CHECK(r.why[0] != '\0');
    CHECK_MEM(r.text, line, r.len);
    expect(recording, KDP_INPUT_FRAME, 1, 8, "[]"); /* and reading goes on */
    expect_end(recording);
}

KDP_TEST(broken_lines_are_named_and_passed)
{
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":\"{}", KDP_REFUSAL_TRUNCATED, 31);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":\"{\\q}\"}", KDP_REFUSAL_ESCAPE, 30);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":\"\\ud800\"}", KDP_REFUSAL_ESCAPE, 29);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":\"\x01\"}", KDP_REFUSAL_CONTROL, 29);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":\"{}\"} x", KDP_REFUSAL_TRAILING, 34);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":7}", KDP_REFUSAL_TYPE, 28);
    expect_malformed("{\"recv_ns\":1,\"conn\":65536,\"raw\":\"{}\"}", KDP_REFUSAL_RANGE, 20);
    expect_malformed("{\"recv_ns\":1,\"conn\":-1,\"raw\":\"{}\"}", KDP_REFUSAL_RANGE, 20);
    expect_malformed("{\"recv_ns\":-1,\"conn\":1,\"raw\":\"{}\"}", KDP_REFUSAL_RANGE, 11);
    expect_malformed("{\"recv_ns\":1.5,\"conn\":1,\"raw\":\"{}\"}", KDP_REFUSAL_TOO_FINE, 11);
    expect_malformed("{\"recv_ns\":99999999999999999999,\"conn\":1,\"raw\":\"{}\"}", KDP_REFUSAL_RANGE, 11);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"conn\":1,\"raw\":\"{}\"}", KDP_REFUSAL_DUPLICATE_KEY, 22);
    expect_malformed("{\"recv_ns\":1,\"conn\":1,\"raw\":\"{}\",\"message\":{},\"channel\":\"x\"}",
                     KDP_REFUSAL_CONFLICT, 43);
    expect_malformed("not json at all", KDP_REFUSAL_NOT_OBJECT, 0);
}

KDP_TEST(a_bare_line_that_is_no_json_is_a_frame_like_any_other)
{
    struct kdp_recording *recording = open_text(DELTA "\nnonsense\n{\"type\":\"x\n" DELTA "\n");

    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, DELTA);
    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS,
           "nonsense"); /* for the decoder to refuse, and on the raw tape */
    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, "{\"type\":\"x");
    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, DELTA);
    expect_end(recording);
}

KDP_TEST(other_names_of_the_receive_time)
{
    struct kdp_recording *recording = open_text("{\"recv_ms\":1782873420598,\"raw\":\"{}\"}\n"
                                                "{\"recv_ms\":1782873420598.125,\"raw\":\"{}\"}\n"
                                                "{\"recv_ts_ns\":1782873420598000001,\"raw\":\"{}\"}\n"
                                                "{\"recv_ts_ns\":\"5\",\"raw\":{\"a\":[]}}\n"
                                                "{\"raw\":\"[1]\",\"recv_ms\":6}\n");

    expect(recording, KDP_INPUT_FRAME, 1, 1782873420598000000, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 1782873420598125000, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 1782873420598000001, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 5, "{\"a\":[]}");
    expect(recording, KDP_INPUT_FRAME, 1, 6000000, "[1]");
    expect_end(recording);
}

KDP_TEST(channel_and_message)
{
    struct kdp_recording *recording = open_text(
        "{\"channel\":\"orderbook_delta\",\"message\":" DELTA "}\n"
        "{\"message\":\"{\\\"type\\\":\\\"x\\\"}\",\"channel\":\"x\",\"recv_ns\":1795183388000000000}\n"
        "{\"channel\":\"x\",\"message\":{\"type\":\"y\"},\"ts\":1795183389}\n"
        "{\"channel\":\"x\",\"message\":{},\"timestamp\":1795183390123}\n"
        "{\"channel\":\"x\",\"message\":{},\"time\":\"2026-11-20T14:03:11.5Z\"}\n"
        "{\"channel\":\"x\",\"message\":{},\"ts\":1795183392.25}\n"
        "{\"channel\":\"x\",\"message\":{},\"ts\":\"yesterday\"}\n"
        "{\"type\":\"error\",\"msg\":{},\"message\":\"a frame's own\",\"channel\":\"x\"}\n");

    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, DELTA);
    expect(recording, KDP_INPUT_FRAME, 1, 1795183388000000000, "{\"type\":\"x\"}");
    expect(recording, KDP_INPUT_FRAME, 1, 1795183389000000000, "{\"type\":\"y\"}");
    expect(recording, KDP_INPUT_FRAME, 1, 1795183390123000000, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 1795183391500000000, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 1795183392250000000, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 1795183392250000000, "{}");
    expect(recording, KDP_INPUT_FRAME, 1, 1795183392250000000,
           "{\"type\":\"error\",\"msg\":{},\"message\":\"a frame's own\",\"channel\":\"x\"}");
    expect_end(recording);
}

KDP_TEST(times_are_derived_where_none_were_recorded)
{
    static const char later[] =
        "{\"type\":\"trade\",\"msg\":{\"ts_ms\":1795183390000},\"sending_ts_ms\":1795183390002}";
    static const char earlier[] = "{\"type\":\"trade\",\"msg\":{\"ts\":1795183380}}";
    static const char absurd[] = "{\"type\":\"trade\",\"msg\":{\"ts_ms\":9795183390000}}";
    static const char next[] = "{\"type\":\"ticker\",\"msg\":{\"time\":\"2026-11-20T14:03:11Z\"}}";
    struct kdp_recording *recording;
    struct kdp_recorded r;
    char text[4096];

    snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%s\n%s\n", SUBSCRIBED, DELTA, later, earlier, absurd, next);
    recording = open_text(text);
    CHECK_INT(kdp_recording_next(recording, &r), 1); /* before the first known time: that one */
    CHECK_INT(r.recv_ns, DELTA_NS);
    CHECK_INT(r.flags, KDP_INPUT_TS_DERIVED | KDP_INPUT_BARE);
    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, DELTA);
    expect(recording, KDP_INPUT_FRAME, 1, 1795183390002000000, later);
    expect(recording, KDP_INPUT_FRAME, 1, 1795183390002000000, earlier); /* never back */
    expect(recording, KDP_INPUT_FRAME, 1, 1795183390002000000, absurd);  /* nor to the year 2280 */
    expect(recording, KDP_INPUT_FRAME, 1, 1795183391000000000, next);
    expect_end(recording);

    recording = open_text("{\"type\":\"x\"}\n{\"type\":\"y\"}\n"); /* none anywhere */
    expect(recording, KDP_INPUT_FRAME, 1, 0, "{\"type\":\"x\"}");
    expect(recording, KDP_INPUT_FRAME, 1, 0, "{\"type\":\"y\"}");
    expect_end(recording);
}

KDP_TEST(the_look_ahead_is_bounded)
{
    static char text[5000 * 16 + sizeof DELTA];

    for (int far = 0; far < 2; far++) {
        size_t len = 0;
        int lines = far != 0 ? 4096 : 4095;
        struct kdp_recording *recording;

        for (int i = 0; i < lines; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "{\"type\":\"x\"}\n");
        snprintf(text + len, sizeof text - len, "%s\n", DELTA);
        recording = open_text(text);
        for (int i = 0; i < lines; i++)
            expect(recording, KDP_INPUT_FRAME, 1, far != 0 ? 0 : DELTA_NS, "{\"type\":\"x\"}");
        expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, DELTA);
        expect_end(recording);
    }
}

KDP_TEST(marks_say_which_frames_are_bare)
{
    struct kdp_recording *recording =
        open_text("{\"recv_ns\":1,\"conn\":1,\"raw\":\"{}\"}\n"
                  "{\"recv_ns\":2,\"conn\":2,\"event\":\"connected\"}\n"
                  "{\"recv_ns\":3,\"conn\":2,\"event\":\"rotated\"}\n"
                  "{\"recv_ns\":4,\"conn\":2,\"raw\":\"{}\"}\n"
                  "{\"recv_ns\":5,\"conn\":0,\"raw\":\"{}\"}\n"
                  "{\"recv_ns\":6,\"conn\":2,\"event\":\"closed\",\"why\":\"1006\"}\n");
    struct kdp_recorded r;

    CHECK_INT(kdp_recording_next(recording, &r), 1);
    CHECK_INT(r.flags, KDP_INPUT_BARE);
    expect(recording, KDP_INPUT_CONNECTED, 2, 2, "");
    CHECK_INT(kdp_recording_next(recording, &r), 1); /* a mark of another kind is passed over */
    CHECK_INT(r.recv_ns, 4);
    CHECK_INT(r.flags, 0);
    expect(recording, KDP_INPUT_FRAME, 65535, 5, "{}");
    expect(recording, KDP_INPUT_DISCONNECTED, 2, 6, "");
    expect_end(recording);
}

KDP_TEST(commands_are_told_from_frames)
{
    static const char *const lines[] = {
        "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"use_yes_price\":true}}",
        "{\"params\":{},\"cmd\":\"x\",\"id\":2}", "{\"type\":\"x\",\"cmd\":\"y\"}",
        "{\"a\":1,\"type\":\"x\",\"cmd\":\"y\"}", "{\"msg\":{\"cmd\":1}}"};
    char text[4096];
    struct kdp_recording *recording;

    snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%s\n", lines[0], lines[1], lines[2], lines[3], lines[4]);
    recording = open_text(text);
    for (int i = 0; i < 5; i++)
        expect(recording, i < 2 ? KDP_INPUT_COMMAND : KDP_INPUT_FRAME, 1, 0, lines[i]);
    expect_end(recording);
}

KDP_TEST(an_array_of_frames)
{
    struct kdp_recording *recording =
        open_text("\xef\xbb\xbf [\n  {\n    \"type\": \"a]}\\\"\"\n  },\n  " DELTA " ,{}\n]\n");

    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, "{\n    \"type\": \"a]}\\\"\"\n  }");
    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, DELTA);
    expect(recording, KDP_INPUT_FRAME, 1, DELTA_NS, "{}");
    expect_end(recording);
}

KDP_TEST(empty_files_end_at_once)
{
    static const char *const texts[] = {"", "\n\n", " \r\n\t\n", "\xef\xbb\xbf", "[]", "[\n]\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect_end(open_text(texts[i]));
}

/* 300 lines of different lengths; what reading must give is kept beside them. */
static size_t
make_lines(char *text, size_t size, int64_t *recv_ns)
{
    uint64_t random = kdp_test_seed();
    size_t len = 0;

    for (int i = 0; i < 300; i++) {
        recv_ns[i] = 1000 + i;
        len += (size_t)snprintf(
            text + len, size - len,
            "{\"recv_ns\":%d,\"conn\":1,\"raw\":\"{\\\"n\\\":%d,\\\"r\\\":\\\"%0*llx\\\"}\"}\n", 1000 + i, i,
            (int)(1 + kdp_test_random(&random) % 60), (unsigned long long)kdp_test_random(&random));
        CHECK(len < size);
    }
    return len;
}

static size_t
pack(int zstd, const char *text, size_t len, unsigned char *out, size_t size)
{
    if (zstd != 0) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        size_t packed;

        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        packed = ZSTD_compress2(c, out, size, text, len);
        CHECK(!ZSTD_isError(packed));
        ZSTD_freeCCtx(c);
        return packed;
    } else {
        z_stream z = {0};
        size_t packed;

        CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)(uintptr_t)text;
        z.avail_in = (unsigned)len;
        z.next_out = out;
        z.avail_out = (unsigned)size;
        CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
        packed = size - z.avail_out;
        deflateEnd(&z);
        return packed;
    }
}

/* Reads a file whose lines are make_lines' from the first on: how many came, and how it ended. */
static int
read_all(const char *path, uint64_t *linesp)
{
    struct kdp_recording *recording;
    struct kdp_recorded r;
    int rc = kdp_recording_open(&recording, path);

    *linesp = 0;
    if (rc != 0)
        return rc;
    while ((rc = kdp_recording_next(recording, &r)) == 1) {
        CHECK_INT(r.kind, KDP_INPUT_FRAME);
        CHECK_INT(r.recv_ns, 1000 + (int64_t)(*linesp % 300));
        ++*linesp;
    }
    kdp_recording_close(recording);
    return rc;
}

KDP_TEST(gzip_and_zstd_by_content_and_in_pieces)
{
    static char text[65536];
    static unsigned char packed[3 * 65536];
    int64_t recv_ns[300];
    size_t len = make_lines(text, sizeof text, recv_ns);
    uint64_t lines;

    for (int zstd = 0; zstd < 2; zstd++) {
        size_t size = pack(zstd, text, len, packed, sizeof packed);
        size_t half = len / 2;

        CHECK_INT(read_all(write_file("named.txt", packed, size), &lines), 0);
        CHECK_INT(lines, 300);
        /* members one after another, the cut within a line; an empty one between them */
        size = pack(zstd, text, half, packed, sizeof packed);
        size += pack(zstd, "", 0, packed + size, sizeof packed - size);
        size += pack(zstd, text + half, len - half, packed + size, sizeof packed - size);
        CHECK_INT(read_all(write_file("pieces", packed, size), &lines), 0);
        CHECK_INT(lines, 300);
    }
    /* gzip padded with zeros, as tapes are; something else behind it */
    {
        size_t size = pack(0, text, len, packed, sizeof packed);

        memset(packed + size, 0, 512);
        CHECK_INT(read_all(write_file("padded.gz", packed, size + 512), &lines), 0);
        CHECK_INT(lines, 300);
        packed[size + 100] = 'x';
        CHECK_INT(read_all(write_file("padded.gz", packed, size + 512), &lines), -KDP_EFORMAT);
        CHECK_INT(lines, 300);
    }
}

KDP_TEST(cut_files_give_what_they_have_and_then_say_so)
{
    static char text[65536];
    static unsigned char packed[65536];
    int64_t recv_ns[300];
    size_t len = make_lines(text, sizeof text, recv_ns);

    for (int zstd = 0; zstd < 2; zstd++) {
        size_t size = pack(zstd, text, len / 8, packed, sizeof packed);
        uint64_t before = 0;

        for (size_t cut = 4; cut < size; cut++) {
            uint64_t lines;

            CHECK_INT(read_all(write_file("cut", packed, cut), &lines), -KDP_ETRUNCATED);
            CHECK(strstr(kdp_error_text(), "/cut: ") != NULL &&
                  strstr(kdp_error_text(), "bytes of text read") != NULL);
            CHECK(kdp_error_hint()[0] != '\0');
            CHECK(lines >= before && lines <= 300); /* whole lines only, and no fewer from a longer piece */
            before = lines;
        }
        CHECK(before > 0);
    }
}

KDP_TEST(damaged_files_end_in_an_error)
{
    static char text[65536];
    static unsigned char packed[65536];
    int64_t recv_ns[300];
    size_t len = make_lines(text, sizeof text, recv_ns);
    unsigned errors = 0;

    for (int zstd = 0; zstd < 2; zstd++) {
        size_t size = pack(zstd, text, len, packed, sizeof packed);

        for (size_t at = 20; at < size; at += 97) {
            struct kdp_recording *recording;
            struct kdp_recorded r;
            int rc;

            packed[at] ^= 0x10;
            CHECK_INT(kdp_recording_open(&recording, write_file("damaged", packed, size)), 0);
            while ((rc = kdp_recording_next(recording, &r)) == 1)
                ;
            errors += rc == -KDP_EFORMAT || rc == -KDP_ETRUNCATED;
            CHECK(rc < 0);
            CHECK_INT(kdp_recording_next(recording, &r), rc); /* and it stays so */
            kdp_recording_close(recording);
            packed[at] ^= 0x10;
        }
    }
    CHECK(errors > 50);
}

KDP_TEST(missing_files_and_folders_have_words)
{
    struct kdp_recording *recording;

    CHECK_INT(kdp_recording_open(&recording, "/nonexistent/x.jsonl"), -KDP_ENOENT);
    CHECK(strstr(kdp_error_text(), "/nonexistent/x.jsonl") != NULL);
    CHECK(recording == NULL);
    CHECK(kdp_recording_open(&recording, kdp_test_dir()) < 0); /* a folder without a raw tape */
    CHECK(kdp_error_text()[0] != '\0');
}

KDP_TEST(long_lines_grow_the_buffer_and_have_a_bound)
{
    static const size_t sizes[] = {100, 262000, 262144, 262200, 3000000};
    size_t huge = (size_t)KDP_RECORDING_LINE_MAX + 100000, len;
    const char *path;
    struct kdp_recording *recording;
    struct kdp_recorded r;
    char *text = malloc(huge + 1024);

    CHECK(text != NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        len = (size_t)sprintf(text, "{\"recv_ns\":1,\"conn\":1,\"raw\":\"");
        memset(text + len, 'y', sizes[i]);
        len += sizes[i];
        len += (size_t)sprintf(text + len, "\"}\n{\"recv_ns\":2,\"conn\":1,\"raw\":\"{}\"}\n");
        CHECK_INT(kdp_recording_open(&recording, write_file("long", text, len)), 0);
        CHECK_INT(kdp_recording_next(recording, &r), 1);
        CHECK_INT(r.len, sizes[i]);
        CHECK(r.text[0] == 'y' && r.text[r.len - 1] == 'y');
        expect(recording, KDP_INPUT_FRAME, 1, 2, "{}");
        expect_end(recording);
    }
    memset(text, 'z', huge);
    len = huge + (size_t)sprintf(text + huge, "\n{\"recv_ns\":2,\"conn\":1,\"raw\":\"{}\"}\n");
    path = write_file("huge", text, len);
    free(text);
    CHECK_INT(kdp_recording_open(&recording, path), 0);
    CHECK_INT(kdp_recording_next(recording, &r), 1);
    CHECK_INT(r.kind, KDP_RECORDED_MALFORMED);
    CHECK_INT(r.refusal, KDP_REFUSAL_TOO_LONG);
    CHECK_INT(r.number, 1);
    CHECK_INT(kdp_recording_next(recording, &r), 1);
    CHECK_INT(r.recv_ns, 2);
    CHECK_INT(r.number, 2);
    expect_end(recording);
}

KDP_TEST(a_raw_tape_passes_through)
{
    struct {
        struct kdp_input_head head;
        char text[24];
    } in[3];
    struct kdp_raw_config config = {.dir = kdp_test_dir(), .session = 5};
    struct kdp_raw_writer *writer;
    struct kdp_recording *recording;
    struct kdp_recorded r;
    uint64_t cut;

    memset(in, 0, sizeof in);
    for (unsigned i = 0; i < 3; i++) {
        in[i].head = (struct kdp_input_head){
            20 + i, (uint8_t)(KDP_INPUT_FRAME + i), (uint8_t)i, (uint16_t)(7 + i), 1 + i, 100 + i};
        snprintf(in[i].text, sizeof in[i].text, "input number %u", i);
    }
    CHECK_INT(kdp_raw_writer_open(&writer, &config, 1, &cut), 0);
    CHECK_INT(kdp_raw_append(writer, in, sizeof in), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    for (int file = 0; file < 2; file++) {
        char path[512];

        snprintf(path, sizeof path, "%s%s", config.dir, file != 0 ? "/raw/00000001.raw" : "");
        CHECK_INT(kdp_recording_open(&recording, path), 0);
        for (unsigned i = 0; i < 3; i++) {
            CHECK_INT(kdp_recording_next(recording, &r), 1);
            CHECK_INT(r.kind, KDP_INPUT_FRAME + i);
            CHECK_INT(r.flags, i);
            CHECK_INT(r.line, 7 + i);
            CHECK_INT(r.recv_ns, 100 + i);
            CHECK_INT(r.number, 1 + i);
            CHECK_INT(r.head->index, 1 + i);
            CHECK_INT(r.len, 20 + i);
            CHECK_MEM(r.text, in[i].text, r.len);
        }
        expect_end(recording);
    }
}

KDP_TEST(recorded_files_read_whole)
{
    static const struct {
        const char *name;
        uint64_t frames, marks;
    } files[] = {{"kxbtc15m_20260513T1259Z.jsonl.zst", 44491, 3},
                 {"demo_multi5_2026-07-01.jsonl", 2895, 0},
                 {"old_format_ticker_2025-01-16.json", 302, 0}};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[1024];
        struct kdp_recording *recording;
        struct kdp_recorded r;
        uint64_t frames = 0, marks = 0, taken, size;
        int64_t last_ns = 0;
        int rc;

        snprintf(path, sizeof path, "%s/ws/%s", kdp_test_captures(), files[i].name);
        CHECK_INT(kdp_recording_open(&recording, path), 0);
        while ((rc = kdp_recording_next(recording, &r)) == 1) {
            CHECK(r.kind == KDP_INPUT_FRAME || r.kind == KDP_INPUT_CONNECTED);
            CHECK(r.recv_ns >= last_ns);
            CHECK(r.recv_ns > INT64_C(1700000000000000000));
            last_ns = r.recv_ns;
            frames += r.kind == KDP_INPUT_FRAME;
            marks += r.kind == KDP_INPUT_CONNECTED;
        }
        CHECK_INT(rc, 0);
        CHECK_INT(frames, files[i].frames);
        CHECK_INT(marks, files[i].marks);
        kdp_recording_progress(recording, &taken, &size);
        CHECK_INT(taken, size);
        kdp_recording_close(recording);
    }
}
