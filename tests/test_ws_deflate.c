/* test_ws_deflate.c - permessage-deflate: the RFC's examples, every agreement, and what is sent to exhaust. */
#include "error.h"
#include "kdp_test.h"
#include "ws.h"

#include <stdlib.h>
#include <zlib.h>

static struct kdp_ws *
open_ws(bool server, struct kdp_ws_deflate deflate, size_t message_max)
{
    struct kdp_ws_config config = {
        .server = server, .message_max = message_max, .deflate = deflate, .mask_seed = 7};
    struct kdp_ws *ws;

    CHECK_INT(kdp_ws_open(&ws, &config), 0);
    return ws;
}

/* Feeds all of bytes, in pieces of at most piece; the first thing kdp_ws_next gives that is not 0. */
static int
feed(struct kdp_ws *ws, const void *bytes, size_t len, size_t piece, struct kdp_ws_message *message)
{
    const char *p = bytes;
    int rc = 0;

    while (len > 0 && rc == 0) {
        size_t room = 0, n = len < piece ? len : piece;
        char *to = kdp_ws_room(ws, &room);

        CHECK(to != NULL);
        if (n > room)
            n = room;
        memcpy(to, p, n);
        kdp_ws_received(ws, n);
        p += n;
        len -= n;
        rc = kdp_ws_next(ws, message);
    }
    return rc;
}

static void
hello_is_heard(struct kdp_ws *ws, const void *bytes, size_t len, size_t piece)
{
    struct kdp_ws_message message;

    CHECK_INT(feed(ws, bytes, len, piece, &message), 1);
    CHECK_INT(message.kind, KDP_WS_TEXT);
    CHECK_INT(message.len, 5);
    CHECK_MEM(message.data, "Hello", 5);
    CHECK_INT(kdp_ws_next(ws, &message), 0);
}

#define BYTES(literal) literal, sizeof(literal) - 1
static const struct kdp_ws_deflate packed = {.on = true};

KDP_TEST(examples_of_rfc7692_7_2_3)
{
    for (size_t piece = 1; piece < 40; piece += 38) {
        struct kdp_ws *ws = open_ws(false, packed, 0);
        struct kdp_ws_message message;

        hello_is_heard(ws, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), piece);
        hello_is_heard(ws, BYTES("\xc1\x05\xf2\x00\x11\x00\x00"), piece); /* out of the window */
        hello_is_heard(ws, BYTES("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), piece);
        hello_is_heard(ws, BYTES("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), piece);
        hello_is_heard(ws, BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), piece); /* a final block */
        hello_is_heard(ws, BYTES("\xc1\x05\xf2\x00\x11\x00\x00"), piece); /* and the window is still known */
        hello_is_heard(ws, BYTES("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), piece);
        CHECK_INT(feed(ws, BYTES("\xc1\x01\x00"), piece, &message), 1);
        CHECK_INT(message.len, 0);
        kdp_ws_close(ws);
    }
}

KDP_TEST(a_message_that_ends_with_its_final_block_is_whole)
{
    struct kdp_ws *ws = open_ws(false, packed, 0);

    hello_is_heard(ws, BYTES("\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00"), 99);
    hello_is_heard(ws, BYTES("\xc1\x05\xf2\x00\x11\x00\x00"), 99);
    kdp_ws_close(ws);
}

KDP_TEST(without_context_takeover_the_window_is_forgotten)
{
    struct kdp_ws_deflate fresh = {.on = true, .server_no_context_takeover = true};
    struct kdp_ws *ws = open_ws(false, fresh, 0);
    struct kdp_ws_message message;

    hello_is_heard(ws, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), 99);
    hello_is_heard(ws, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), 99);
    CHECK_INT(feed(ws, BYTES("\xc1\x05\xf2\x00\x11\x00\x00"), 99, &message), -KDP_EFORMAT);
    kdp_ws_close(ws);
}

/* Words that compress, with repeats from near and far. */
static size_t
made_text(uint64_t *state, char *text, size_t size)
{
    size_t len = kdp_test_random(state) % size, i = 0;

    while (i < len) {
        size_t back = 1 + kdp_test_random(state) % (i + 1), run = 3 + kdp_test_random(state) % 40;

        if (i > 40 && back <= i && kdp_test_random(state) % 3 != 0)
            for (; run > 0 && i < len; run--, i++)
                text[i] = text[i - back];
        else
            for (; run > 0 && i < len; run--)
                text[i++] = (char)(' ' + kdp_test_random(state) % 90);
    }
    return len;
}

KDP_TEST(every_agreement_carries_every_text_both_ways)
{
    static char text[40000];
    uint64_t state = kdp_test_seed();

    for (unsigned bits = 8; bits <= 15; bits++) {
        for (unsigned fresh = 0; fresh < 4; fresh++) {
            struct kdp_ws_deflate agreed = {.on = true,
                                            .server_no_context_takeover = (fresh & 1) != 0,
                                            .client_no_context_takeover = (fresh & 2) != 0,
                                            .server_max_window_bits = (uint8_t)bits,
                                            .client_max_window_bits = (uint8_t)(23 - bits)};
            struct kdp_ws *ends[2] = {open_ws(false, agreed, 0), open_ws(true, agreed, 0)};

            for (unsigned round = 0; round < 16; round++) {
                struct kdp_ws *from = ends[round & 1], *to = ends[1 - (round & 1)];
                struct kdp_ws_message message;
                size_t len = made_text(&state, text, round < 4 ? 200 : sizeof text), out_len;
                const unsigned char *out;

                CHECK_INT(kdp_ws_put(from, KDP_WS_TEXT, text, len), 0);
                out = kdp_ws_output(from, &out_len);
                CHECK_INT(out[0], len >= 64 ? 0xc1 : 0x81);
                CHECK_INT(feed(to, out, out_len, 1 + kdp_test_random(&state) % 5000, &message), 1);
                CHECK_INT(message.len, len);
                CHECK_MEM(message.data, text, len);
                kdp_ws_sent(from, out_len);
            }
            kdp_ws_close(ends[0]);
            kdp_ws_close(ends[1]);
        }
    }
}

/* size bytes of zeros, compressed into frames of a server. */
static char *
zeros(size_t size, size_t *lenp)
{
    struct kdp_ws *server = open_ws(true, packed, 0);
    char *bytes = calloc(1, size), *frame;
    const void *out;

    CHECK(bytes != NULL);
    CHECK_INT(kdp_ws_put(server, KDP_WS_BINARY, bytes, size), 0);
    out = kdp_ws_output(server, lenp);
    CHECK((frame = malloc(*lenp)) != NULL);
    memcpy(frame, out, *lenp);
    free(bytes);
    kdp_ws_close(server);
    return frame;
}

KDP_TEST(a_bomb_is_refused_when_the_limit_is_passed)
{
    struct kdp_ws_message message;
    size_t len;
    char *bomb = zeros(48u << 20, &len);
    struct kdp_ws *ws = open_ws(false, packed, 1u << 20);

    CHECK(len < 300000);
    CHECK_INT(feed(ws, bomb, len, 4096, &message), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "more than 1048576 bytes") != NULL);
    kdp_ws_close(ws);
    ws = open_ws(false, packed, 0); /* within the usual limit it is a message */
    CHECK_INT(feed(ws, bomb, len, len, &message), 1);
    CHECK_INT(message.len, 48u << 20);
    kdp_ws_close(ws);
    free(bomb);
}

KDP_TEST(the_limit_is_met_to_the_byte)
{
    for (size_t size = 99999; size <= 100001; size++) {
        struct kdp_ws_message message;
        size_t len;
        char *frame = zeros(size, &len);
        struct kdp_ws *ws = open_ws(false, packed, 100000);

        CHECK_INT(feed(ws, frame, len, 7, &message), size <= 100000 ? 1 : -KDP_EFORMAT);
        kdp_ws_close(ws);
        ws = open_ws(true, packed, 0);
        kdp_ws_close(ws);
        free(frame);
    }
}

KDP_TEST(endless_final_blocks_are_refused)
{
    /* 03 00 is an empty final block: two bytes that cost a copy of the window each */
    char frame[4 + 4000] = "\xc2\x7e\x0f\xa0";
    struct kdp_ws_message message;
    struct kdp_ws *ws = open_ws(false, packed, 0);

    for (size_t i = 4; i < sizeof frame; i += 2)
        memcpy(frame + i, "\x03", 2);
    CHECK_INT(feed(ws, frame, sizeof frame, 99999, &message), -KDP_EFORMAT);
    kdp_ws_close(ws);
}

KDP_TEST(compressed_bytes_longer_than_the_limit_may_hold_a_message_within_it)
{
    /* random bytes do not compress: the frame is longer than the message of just the limit */
    static unsigned char bytes[70000];
    static char frame[80000];
    struct kdp_ws *ws = open_ws(false, packed, sizeof bytes);
    struct kdp_ws_message message;
    uint64_t state = 5;
    z_stream z = {0};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)kdp_test_random(&state);
    CHECK_INT(deflateInit2(&z, 0, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = bytes;
    z.avail_in = sizeof bytes;
    z.next_out = (unsigned char *)frame + 10;
    z.avail_out = sizeof frame - 10;
    CHECK_INT(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    size_t len = (size_t)z.total_out - 4;
    deflateEnd(&z);
    CHECK(len > sizeof bytes);
    memcpy(frame, "\xc2\x7f\0\0\0\0\0", 7);
    frame[7] = (char)(len >> 16);
    frame[8] = (char)(len >> 8);
    frame[9] = (char)len;
    CHECK_INT(feed(ws, frame, len + 10, 5000, &message), 1);
    CHECK_INT(message.len, sizeof bytes);
    CHECK_MEM(message.data, bytes, sizeof bytes);
    kdp_ws_close(ws);
}

KDP_TEST(compressed_text_is_checked_over_its_fragments)
{
    /* a character cut by the compression's own pieces, and by fragments; then one that is never finished */
    static const char good[] = "\x41\x07\x00\x02\x00\xfd\xff\x61\xe2\x80\x08\x00\x02\x00\xfd\xff\x82\xac\x00";
    static const char bad[] = "\xc1\x08\x00\x02\x00\xfd\xff\x61\xe2\x00";
    struct kdp_ws *ws = open_ws(false, packed, 0);
    struct kdp_ws_message message;

    CHECK_INT(feed(ws, good, sizeof good - 1, 1, &message), 1);
    CHECK_INT(message.len, 4);
    CHECK_MEM(message.data, "a\xe2\x82\xac", 4);
    CHECK_INT(feed(ws, bad, sizeof bad - 1, 1, &message), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "not UTF-8") != NULL);
    kdp_ws_close(ws);
}
