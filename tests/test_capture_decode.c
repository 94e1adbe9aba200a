/* test_capture_decode.c - every frame of the recorded traffic decodes without a refusal, and says what its
 * text says. */
#include "clock.h"
#include "json.h"
#include "kdp_test.h"
#include "message.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

struct tally {
    uint64_t frames, kinds[KDP_MESSAGE_KINDS], unknown, fine_times, levels;
};

static char *
read_file(const char *path, size_t *lenp)
{
    FILE *file = fopen(path, "rb");
    char *data;
    long size;

    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    CHECK(size >= 0);
    rewind(file);
    data = malloc((size_t)size + 1);
    CHECK(data != NULL);
    *lenp = fread(data, 1, (size_t)size, file);
    CHECK_INT(*lenp, size);
    fclose(file);
    return data;
}

static char *
read_zstd(const char *path, size_t *lenp)
{
    size_t packed_len, cap = 1u << 20;
    char *packed = read_file(path, &packed_len), *data = malloc(cap);
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed, packed_len, 0};
    ZSTD_outBuffer out = {data, cap, 0};

    CHECK(data != NULL && stream != NULL);
    while (in.pos < in.size || out.pos == out.size) {
        if (out.pos == out.size) {
            out.size *= 2;
            out.dst = data = realloc(data, out.size);
            CHECK(data != NULL);
        }
        if (ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)))
            kdp_test_fail(__FILE__, __LINE__, "%s does not decompress", path);
    }
    ZSTD_freeDStream(stream);
    free(packed);
    *lenp = out.pos;
    return data;
}

static void
decode(struct kdp_decoder *decoder, struct kdp_text frame, struct tally *tally)
{
    static struct kdp_message msg;
    enum kdp_refusal refusal = kdpi_decode(decoder, frame.data, frame.len, &msg);

    if (refusal != KDP_REFUSAL_NONE)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s at %zu: %.*s", kdpi_refusal_text(refusal), msg.member,
                      msg.position, (int)frame.len, frame.data);
    tally->frames++;
    tally->kinds[msg.kind]++;
    tally->unknown += msg.unknown_members;
    if (msg.kind == KDP_MESSAGE_DELTA || msg.kind == KDP_MESSAGE_TICKER) {
        CHECK(msg.has_sid && msg.market_ticker.len > 0);
        CHECK(msg.ts_ms != KDP_INT64_NULL && msg.exch_ns / KDP_NS_PER_MS == msg.ts_ms);
        tally->fine_times += msg.exch_ns % KDP_NS_PER_MS != 0;
    }
    if (msg.kind == KDP_MESSAGE_DELTA || msg.kind == KDP_MESSAGE_SNAPSHOT)
        CHECK(msg.has_seq);
    if (msg.kind == KDP_MESSAGE_SNAPSHOT)
        tally->levels += msg.snapshot.count;
}

/* Lines {"recv_ns","conn","raw"}, or bare frames. */
static void
decode_lines(struct kdp_decoder *decoder, const char *data, size_t len, struct tally *tally)
{
    static struct kdp_json_keys keys;
    static char scratch[1u << 20];
    struct kdp_json json;
    const char *end = data + len;

    kdpi_json_init(&json, &keys, scratch, sizeof scratch);
    while (data < end) {
        const char *eol = memchr(data, '\n', (size_t)(end - data));
        struct kdp_text key, frame = {data, 0};
        bool wrapped = false, event = false;

        if (eol == NULL)
            eol = end;
        frame.len = (size_t)(eol - data);
        kdpi_json_begin(&json, data, frame.len);
        CHECK(kdpi_json_object(&json));
        while (kdpi_json_member(&json, &key)) {
            event = event || kdpi_text_is(key, "event");
            if (kdpi_text_is(key, "raw"))
                wrapped = kdpi_json_string(&json, &frame);
        }
        CHECK(kdpi_json_end(&json));
        if (!event || wrapped)
            decode(decoder, frame, tally);
        data = eol + 1;
    }
}

KDP_TEST(every_recorded_line_decodes)
{
    const char *root = kdp_test_captures();
    struct kdp_decoder *decoder = kdpi_decoder_open();
    struct tally tally = {0};
    char path[2048];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/ws", root);
    dir = opendir(path);
    if (dir == NULL)
        kdp_test_skip("no %s", path);
    while ((entry = readdir(dir)) != NULL) {
        size_t len;
        char *data;

        snprintf(path, sizeof path, "%s/ws/%s", root, entry->d_name);
        if (strstr(entry->d_name, ".jsonl.zst") != NULL)
            data = read_zstd(path, &len);
        else if (strstr(entry->d_name, ".jsonl") != NULL)
            data = read_file(path, &len);
        else
            continue;
        decode_lines(decoder, data, len, &tally);
        free(data);
    }
    closedir(dir);
    kdpi_decoder_close(decoder);
    /* counts of captures/README.md */
    CHECK_INT(tally.kinds[KDP_MESSAGE_DELTA], 728576);
    CHECK_INT(tally.kinds[KDP_MESSAGE_SNAPSHOT], 39);
    CHECK_INT(tally.kinds[KDP_MESSAGE_TICKER], 7779);
    CHECK_INT(tally.kinds[KDP_MESSAGE_OK], 4);
    CHECK_INT(tally.kinds[KDP_MESSAGE_UNKNOWN], 0);
    CHECK_INT(tally.unknown, 0);
    CHECK(tally.levels > 1000 && tally.fine_times > 700000);
}

KDP_TEST(old_ticker_form_decodes)
{
    const char *root = kdp_test_captures();
    static struct kdp_json_keys keys;
    static char scratch[4096];
    struct kdp_decoder *decoder = kdpi_decoder_open();
    struct tally tally = {0};
    struct kdp_json json;
    struct kdp_text frame;
    char path[2048];
    size_t len;
    char *data;

    snprintf(path, sizeof path, "%s/ws/old_format_ticker_2025-01-16.json", root);
    data = read_file(path, &len);
    kdpi_json_init(&json, &keys, scratch, sizeof scratch);
    kdpi_json_begin(&json, data, len);
    CHECK(kdpi_json_array(&json));
    while (kdpi_json_element(&json)) {
        CHECK(kdpi_json_raw(&json, &frame));
        decode(decoder, frame, &tally);
    }
    CHECK(kdpi_json_end(&json));
    CHECK_INT(tally.kinds[KDP_MESSAGE_TICKER], 302);
    CHECK_INT(tally.frames, 302);
    CHECK_INT(tally.unknown, 0);
    free(data);
    kdpi_decoder_close(decoder);
}
