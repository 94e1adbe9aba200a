/* test_ws.c - the WebSocket core over memory: the RFC's own examples, every cut, everything it must refuse, and its bounds. */
#include "error.h"
#include "kdp_test.h"
#include "ws.h"
#include "ws_utf8.h"

#include <stdio.h>
#include <stdlib.h>

/* What came out of a connection: kinds and texts one after another, for comparing. */
struct heard {
    char text[1 << 16];
    size_t len;
    unsigned count;
    int rc;
    struct kdp_ws_message last;
};

static struct kdp_ws *
open_ws(bool server, struct kdp_ws_deflate deflate, size_t message_max)
{
    struct kdp_ws_config config = {
        .server = server, .message_max = message_max, .deflate = deflate, .mask_seed = 7};
    struct kdp_ws *ws;

    CHECK_INT(kdp_ws_open(&ws, &config), 0);
    return ws;
}

static void
receive(struct kdp_ws *ws, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        size_t room = 0, piece;
        char *to = kdp_ws_room(ws, &room);

        CHECK(to != NULL && room >= 16384);
        piece = len < room ? len : room;
        memcpy(to, p, piece);
        kdp_ws_received(ws, piece);
        p += piece;
        len -= piece;
        if (len > 0) { /* the caller of this takes messages only behind the last piece */
            struct kdp_ws_message message;

            CHECK_INT(kdp_ws_next(ws, &message), 0);
        }
    }
}

static void
listen_to(struct kdp_ws *ws, struct heard *heard)
{
    struct kdp_ws_message message;

    while ((heard->rc = kdp_ws_next(ws, &message)) > 0) {
        int n = snprintf(heard->text + heard->len, sizeof heard->text - heard->len,
                         "[%d:%u:", (int)message.kind, message.close_code);

        heard->len += (size_t)n;
        CHECK(heard->len + message.len + 2 < sizeof heard->text);
        memcpy(heard->text + heard->len, message.data, message.len);
        heard->len += message.len;
        heard->text[heard->len++] = ']';
        heard->text[heard->len] = '\0';
        heard->count++;
        heard->last = message;
    }
}

/* A stream fed whole. */
static void
hear(struct heard *heard, bool server, struct kdp_ws_deflate deflate, const void *bytes, size_t len)
{
    struct kdp_ws *ws = open_ws(server, deflate, 0);

    heard->len = heard->count = 0;
    heard->text[0] = '\0';
    receive(ws, bytes, len);
    listen_to(ws, heard);
    kdp_ws_close(ws);
}

static const struct kdp_ws_deflate plain = {.on = false}, packed = {.on = true};
static struct heard heard, other;

#define BYTES(literal) literal, sizeof(literal) - 1

KDP_TEST(examples_of_rfc6455_5_7)
{
    static char big[65536 + 10] = "\x82\x7f\0\0\0\0\0\1\0\0";
    struct kdp_ws *ws = open_ws(false, plain, 0);
    struct kdp_ws_message message;

    hear(&heard, false, plain, BYTES("\x81\x05Hello"));
    CHECK_STR(heard.text, "[1:0:Hello]");
    hear(&heard, true, plain, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
    CHECK_STR(heard.text, "[1:0:Hello]");
    hear(&heard, false, plain, BYTES("\x01\x03Hel\x80\x02lo"));
    CHECK_STR(heard.text, "[1:0:Hello]");
    hear(&heard, false, plain, BYTES("\x89\x05Hello"));
    CHECK_STR(heard.text, "[9:0:Hello]");
    hear(&heard, true, plain, BYTES("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
    CHECK_STR(heard.text, "[10:0:Hello]");
    memset(big + 10, 'x', 65536);
    receive(ws, big, sizeof big);
    CHECK_INT(kdp_ws_next(ws, &message), 1);
    CHECK_INT(message.kind, KDP_WS_BINARY);
    CHECK_INT(message.len, 65536);
    CHECK_MEM(message.data, big + 10, 65536);
    kdp_ws_close(ws);
}

/* What one end writes. */
static void
put(struct kdp_ws *ws, enum kdp_ws_kind kind, const char *text)
{
    CHECK_INT(kdp_ws_put(ws, kind, text, strlen(text)), 0);
}

static void
output_is(struct kdp_ws *ws, const void *want, size_t len)
{
    size_t have;
    const void *out = kdp_ws_output(ws, &have);

    CHECK_INT(have, len);
    CHECK_MEM(out, want, len);
    kdp_ws_sent(ws, len);
}

KDP_TEST(a_server_writes_the_examples_too)
{
    struct kdp_ws *ws = open_ws(true, plain, 0);
    static char text[65536], frame[65546];

    put(ws, KDP_WS_TEXT, "Hello");
    output_is(ws, BYTES("\x81\x05Hello"));
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_TEXT, "Hel", 3, false), 0);
    put(ws, KDP_WS_PING, "p");
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "lo", 2, true), 0);
    output_is(ws, BYTES("\x01\x03Hel\x89\x01p\x80\x02lo"));
    CHECK_INT(kdp_ws_put(ws, KDP_WS_BINARY, text, 256), 0);
    memcpy(frame, "\x82\x7e\1\0", 4);
    output_is(ws, frame, 4 + 256);
    CHECK_INT(kdp_ws_put(ws, KDP_WS_BINARY, text, 125), 0);
    memcpy(frame, "\x82\x7d", 2);
    memset(frame + 2, 0, 2);
    output_is(ws, frame, 2 + 125);
    CHECK_INT(kdp_ws_put(ws, KDP_WS_BINARY, text, 65536), 0);
    memcpy(frame, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
    output_is(ws, frame, 10 + 65536);
    kdp_ws_close(ws);
}

/* Moves all output of one end into the other. */
static void
pump(struct kdp_ws *from, struct kdp_ws *to)
{
    size_t len;
    const void *out = kdp_ws_output(from, &len);

    receive(to, out, len);
    kdp_ws_sent(from, len);
}

KDP_TEST(a_client_masks_every_frame_with_another_mask)
{
    struct kdp_ws_config config = {.server = false};
    struct kdp_ws *client, *server = open_ws(true, plain, 0);
    const unsigned char *out;
    uint32_t masks[300];
    size_t len;

    CHECK_INT(kdp_ws_open(&client, &config), 0); /* masks from the system */
    for (unsigned i = 0; i < 300; i++) {
        put(client, KDP_WS_TEXT, "Hello, world");
        out = kdp_ws_output(client, &len);
        CHECK_INT(len, 2 + 4 + 12);
        CHECK_INT(out[1], 0x80 | 12);
        memcpy(&masks[i], out + 2, 4);
        for (unsigned k = 0; k < 12; k++)
            CHECK_INT(out[6 + k] ^ out[2 + k % 4], "Hello, world"[k]);
        pump(client, server);
        heard.len = 0;
        listen_to(server, &heard);
        CHECK_STR(heard.text, "[1:0:Hello, world]");
    }
    for (unsigned i = 0, same = 0; i < 300; i++) {
        for (unsigned k = 0; k < i; k++)
            same += masks[i] == masks[k];
        CHECK(same < 3); /* by chance once in 100,000 runs */
    }
    kdp_ws_close(client);
    kdp_ws_close(server);
}

/* A stream with everything in it, as one end writes it. */
static size_t
assorted(bool from_server, struct kdp_ws_deflate deflate, char *bytes, size_t size)
{
    struct kdp_ws *ws = open_ws(from_server, deflate, 0);
    static char long_text[400];
    size_t len;
    const void *out;

    for (unsigned i = 0; i < sizeof long_text; i++)
        long_text[i] = (char)('a' + i % 23);
    put(ws, KDP_WS_TEXT, "");
    put(ws, KDP_WS_TEXT, "plain");
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_TEXT, "z\xc3", 2, false), 0);
    put(ws, KDP_WS_PING, "heartbeat");
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "", 0, false), 0);
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "\xa4\xf0\x9f", 3, false), 0);
    put(ws, KDP_WS_PONG, "");
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "\x98\x80.", 3, true), 0);
    CHECK_INT(kdp_ws_put(ws, KDP_WS_TEXT, long_text, sizeof long_text), 0);
    CHECK_INT(kdp_ws_put(ws, KDP_WS_BINARY, "\0\xff\xfe", 3), 0);
    put(ws, KDP_WS_TEXT, "\xe2\x82\xac");
    CHECK_INT(kdp_ws_put(ws, KDP_WS_TEXT, long_text, 126), 0);
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_BINARY, "once", 4, true), 0);
    CHECK_INT(kdp_ws_put_close(ws, 1001, "going away \xe2\x82\xac"), 0);
    CHECK_INT(kdp_ws_put(ws, KDP_WS_TEXT, "x", 1), -KDP_ECLOSED);
    CHECK_INT(kdp_ws_put_part(ws, KDP_WS_TEXT, "x", 1, true), -KDP_ECLOSED);
    CHECK_INT(kdp_ws_put_close(ws, 1000, ""), -KDP_ECLOSED);
    out = kdp_ws_output(ws, &len);
    CHECK(len < size);
    memcpy(bytes, out, len);
    kdp_ws_close(ws);
    return len;
}

KDP_TEST(cut_at_any_byte_the_messages_are_the_same)
{
    static char bytes[4096];

    for (unsigned form = 0; form < 4; form++) {
        bool from_server = (form & 1) != 0;
        struct kdp_ws_deflate deflate = (form & 2) != 0 ? packed : plain;
        size_t len = assorted(from_server, deflate, bytes, sizeof bytes);
        struct kdp_ws *ws;

        hear(&heard, !from_server, deflate, bytes, len);
        CHECK_INT(heard.rc, 0);
        CHECK_INT(heard.count, 11);
        CHECK(memmem(heard.text, heard.len, "[1:0:z\xc3\xa4\xf0\x9f\x98\x80.]", 13) != NULL);
        CHECK(strstr(heard.text + heard.len - 30, "[8:1001:going away \xe2\x82\xac]") != NULL);
        for (size_t cut = 0; cut <= len; cut++) {
            ws = open_ws(!from_server, deflate, 0);
            other.len = 0;
            receive(ws, bytes, cut);
            listen_to(ws, &other);
            CHECK_INT(other.rc, 0);
            receive(ws, bytes + cut, len - cut);
            listen_to(ws, &other);
            CHECK_INT(other.rc, 0);
            CHECK_INT(other.len, heard.len);
            CHECK_MEM(other.text, heard.text, heard.len);
            CHECK(kdp_ws_closed(ws));
            kdp_ws_close(ws);
        }
        ws = open_ws(!from_server, deflate, 0); /* a byte at a time */
        other.len = 0;
        for (size_t i = 0; i < len; i++) {
            receive(ws, bytes + i, 1);
            listen_to(ws, &other);
        }
        CHECK_INT(other.len, heard.len);
        CHECK_MEM(other.text, heard.text, heard.len);
        kdp_ws_close(ws);
    }
}

/* A refusal: its close code in the output, its words, and the same again ever after. */
static void
refused(bool server, struct kdp_ws_deflate deflate, const void *bytes, size_t len, unsigned code,
        const char *words)
{
    struct kdp_ws *ws = open_ws(server, deflate, 1000);
    struct kdp_ws_message message;
    const unsigned char *out;
    size_t out_len;
    int rc;

    receive(ws, bytes, len);
    while ((rc = kdp_ws_next(ws, &message)) > 0)
        ;
    if (rc != -KDP_EFORMAT || strstr(kdp_error_text(), words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "%s: got %d, \"%s\"", words, rc, kdp_error_text());
    CHECK_INT(kdp_ws_next(ws, &message), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), words) != NULL);
    CHECK(kdp_ws_closing(ws));
    out = kdp_ws_output(ws, &out_len);
    CHECK(out_len >= 4 && out[0] == 0x88);
    if (server)
        CHECK_INT(out[2] << 8 | out[3], code);
    else
        CHECK_INT((out[6] ^ out[2]) << 8 | (out[7] ^ out[3]), code);
    kdp_ws_close(ws);
}

KDP_TEST(what_the_protocol_forbids_is_refused_with_its_close_code)
{
    static const struct {
        const char *bytes;
        unsigned len, code;
        const char *words;
    } bad[] = {
#define BAD(literal, code, words) {literal, sizeof(literal) - 1, code, words}
        BAD("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1002, "a masked frame from a server"),
        BAD("\xc1\x01x", 1002, "reserved bits 0x40"),
        BAD("\xa1", 1002, "reserved bits 0x20"),
        BAD("\x91", 1002, "reserved bits 0x10"),
        BAD("\x83", 1002, "unknown opcode 3"),
        BAD("\x87\x01", 1002, "unknown opcode 7"),
        BAD("\x8b", 1002, "unknown opcode 11"),
        BAD("\x8f", 1002, "unknown opcode 15"),
        BAD("\x09\x01p", 1002, "a control frame in fragments"),
        BAD("\x08", 1002, "a control frame in fragments"),
        BAD("\x89\x7e", 1002, "a control frame of more than 125 bytes"),
        BAD("\x8a\x7f", 1002, "a control frame of more than 125 bytes"),
        BAD("\x80\x01x", 1002, "a fragment of no message"),
        BAD("\x00", 1002, "a fragment of no message"),
        BAD("\x01\x01x\x81\x01y", 1002, "a new message inside a fragmented one"),
        BAD("\x01\x01x\x02\x01y", 1002, "a new message inside a fragmented one"),
        BAD("\x01\x01x\x80\x01y\x80\x01z", 1002, "a fragment of no message"),
        BAD("\x82\x7e\x00\x7d", 1002, "length 125 not in its shortest form"),
        BAD("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 1002, "length 65535 not in its shortest form"),
        BAD("\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00", 1002, "highest bit"),
        BAD("\x88\x01\x03", 1002, "a close frame of one byte"),
        BAD("\x88\x02\x03\xe7", 1002, "close code 999"),
        BAD("\x88\x02\x03\xec", 1002, "close code 1004"),
        BAD("\x88\x02\x03\xed", 1002, "close code 1005"),
        BAD("\x88\x02\x03\xee", 1002, "close code 1006"),
        BAD("\x88\x02\x03\xf7", 1002, "close code 1015"),
        BAD("\x88\x02\x0b\xb7", 1002, "close code 2999"),
        BAD("\x88\x02\x13\x88", 1002, "close code 5000"),
        BAD("\x88\x03\x03\xe8\xff", 1007, "a close reason that is not UTF-8"),
        BAD("\x88\x04\x03\xe8\xe2\x82", 1007, "a close reason that is not UTF-8"),
        BAD("\x81\x01\xff", 1007, "text that is not UTF-8"),
        BAD("\x81\x02\xe2\x82", 1007, "text that is not UTF-8"),
        BAD("\x01\x02\xe2\x82\x80\x00", 1007, "text that is not UTF-8"),
        BAD("\x82\x7e\x03\xe9", 1009, "a message of more than 1000 bytes"),
        BAD("\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", 1009, "a message of more than 1000 bytes"),
        BAD("\x02\x01x\x80\x7e\x03\xe8", 1009, "a message of more than 1000 bytes"),
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(false, plain, bad[i].bytes, bad[i].len, bad[i].code, bad[i].words);
    refused(true, plain, BYTES("\x81\x05Hello"), 1002, "a frame without a mask");
    refused(true, plain, BYTES("\x81\x00"), 1002, "a frame without a mask");
    refused(false, packed, BYTES("\xc9\x00"), 1002, "a control frame marked as compressed");
    refused(false, packed, BYTES("\x01\x01x\xc0\x01y"), 1002, "a later fragment marked as compressed");
    refused(false, packed, BYTES("\xe1\x00"), 1002, "reserved bits 0x60");
    refused(false, packed, BYTES("\xc1\x02\xff\xff"), 1007, "cannot be decompressed");
    refused(false, packed, BYTES("\xc1\x03\xf2\x48\xcd"), 1007,
            "cannot be decompressed");                                             /* cut inside a block */
    refused(false, packed, BYTES("\xc1\x05\xf2\x00\x11\x00\x00"), 1007, "cannot"); /* no such distance */
}

KDP_TEST(every_other_close_code_is_taken_and_echoed)
{
    for (unsigned code = 0; code < 65536; code++) {
        bool valid =
            (code >= 1000 && code < 1015 && (code < 1004 || code > 1006)) || (code >= 3000 && code < 5000);
        unsigned char bytes[] = {0x88, 2, (unsigned char)(code >> 8), (unsigned char)code};
        struct kdp_ws *ws = open_ws(false, plain, 0);
        struct kdp_ws_message message;
        size_t len;
        const unsigned char *out;

        receive(ws, bytes, sizeof bytes);
        if (valid) {
            CHECK_INT(kdp_ws_next(ws, &message), 1);
            CHECK_INT(message.close_code, code);
            CHECK_INT(message.len, 0);
            CHECK(kdp_ws_closed(ws));
            out = kdp_ws_output(ws, &len);
            CHECK_INT(len, 8);
            CHECK_INT((out[6] ^ out[2]) << 8 | (out[7] ^ out[3]), code);
        } else {
            CHECK_INT(kdp_ws_next(ws, &message), -KDP_EFORMAT);
        }
        kdp_ws_close(ws);
    }
}

KDP_TEST(close_in_both_orders_and_nothing_counts_behind_it)
{
    struct kdp_ws *client = open_ws(false, plain, 0), *server = open_ws(true, plain, 0);
    struct kdp_ws_message message;
    size_t len;

    /* the client begins; what the server still sends comes through until its CLOSE */
    CHECK_INT(kdp_ws_put_close(client, 1000, "done"), 0);
    CHECK(kdp_ws_closing(client) && !kdp_ws_closed(client));
    put(server, KDP_WS_TEXT, "late");
    pump(server, client);
    CHECK_INT(kdp_ws_next(client, &message), 1);
    CHECK_INT(message.kind, KDP_WS_TEXT);
    pump(client, server);
    CHECK_INT(kdp_ws_next(server, &message), 1);
    CHECK_INT(message.kind, KDP_WS_CLOSE);
    CHECK_INT(message.close_code, 1000);
    CHECK_INT(message.len, 4);
    CHECK_MEM(message.data, "done", 4);
    CHECK(kdp_ws_closed(server));
    pump(server, client);
    CHECK_INT(kdp_ws_next(client, &message), 1);
    CHECK_INT(message.close_code, 1000);
    CHECK(kdp_ws_closed(client));
    /* garbage behind a CLOSE is not even looked at */
    receive(client, BYTES("\xff\xff\xff"));
    CHECK_INT(kdp_ws_next(client, &message), 0);
    kdp_ws_output(client, &len);
    CHECK_INT(len, 0);
    kdp_ws_close(client);
    kdp_ws_close(server);

    /* no code */
    client = open_ws(false, plain, 0);
    receive(client, BYTES("\x88\x00"));
    CHECK_INT(kdp_ws_next(client, &message), 1);
    CHECK_INT(message.close_code, 1005);
    kdp_ws_output(client, &len);
    CHECK_INT(len, 6); /* an empty one comes back */
    kdp_ws_close(client);

    /* a reason that is too long ends at a whole character */
    server = open_ws(true, plain, 0);
    {
        char reason[200];

        memset(reason, 'r', 122);
        strcpy(reason + 122, "\xe2\x82\xac and more");
        CHECK_INT(kdp_ws_put_close(server, 1011, reason), 0);
        kdp_ws_output(server, &len);
        CHECK_INT(len, 2 + 2 + 122);
    }
    kdp_ws_close(server);
}

KDP_TEST(pings_are_answered_and_a_flood_of_them_costs_no_memory)
{
    struct kdp_ws *ws = open_ws(true, plain, 0), *client = open_ws(false, plain, 0);
    struct kdp_ws_message message;
    char ping[32];
    size_t len, before;
    unsigned pongs = 0;

    receive(ws, BYTES("\x89\x89\0\0\0\0heartbeat"));
    CHECK_INT(kdp_ws_next(ws, &message), 1);
    output_is(ws, BYTES("\x8a\x09heartbeat"));
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(ping, sizeof ping, "%6u", i);
        put(client, KDP_WS_PING, ping);
        pump(client, ws);
        CHECK_INT(kdp_ws_next(ws, &message), 1);
    }
    kdp_ws_output(ws, &before);
    CHECK(before > 60000 && before < 70000);
    pump(ws, client); /* the rest was not answered, but the last one is */
    while (kdp_ws_next(client, &message) == 1)
        pongs++;
    CHECK_INT(pongs * 8, before);
    kdp_ws_output(ws, &len);
    CHECK_INT(len, 8);
    pump(ws, client);
    CHECK_INT(kdp_ws_next(client, &message), 1);
    CHECK_MEM(message.data, " 99999", 6);
    kdp_ws_close(ws);
    kdp_ws_close(client);
}

KDP_TEST(a_message_in_one_frame_is_handed_out_where_it_was_received)
{
    for (unsigned server = 0; server < 2; server++) {
        struct kdp_ws *ws = open_ws(server != 0, plain, 0), *peer = open_ws(server == 0, plain, 0);
        struct kdp_ws_message message;
        size_t room, len;
        char *at;
        const void *out;

        for (unsigned i = 0; i < 60; i++)
            put(peer, KDP_WS_TEXT, "{\"type\":\"orderbook_delta\"}");
        out = kdp_ws_output(peer, &len);
        at = kdp_ws_room(ws, &room);
        CHECK(room > len);
        memcpy(at, out, len);
        kdp_ws_received(ws, len);
        for (unsigned i = 0; i < 60; i++) {
            size_t head = server ? 6 : 2;

            CHECK_INT(kdp_ws_next(ws, &message), 1);
            CHECK(message.data == at + i * (26 + head) + head);
        }
        CHECK_INT(kdp_ws_next(ws, &message), 0);
        CHECK(kdp_ws_room(ws, &room) == at); /* all taken: from the front again */
        kdp_ws_close(ws);
        kdp_ws_close(peer);
    }
}

KDP_TEST(big_messages_grow_the_room_and_give_it_back)
{
    struct kdp_ws *client = open_ws(false, plain, 0), *server = open_ws(true, plain, 0);
    struct kdp_ws_message message;
    size_t size = 20u << 20, sent = 0, len, room = 0;
    char *big = malloc(size);
    const char *out;

    CHECK(big != NULL);
    for (size_t i = 0; i < size; i++)
        big[i] = (char)('a' + i % 25);
    CHECK_INT(kdp_ws_put(server, KDP_WS_TEXT, big, size), 0);
    out = kdp_ws_output(server, &len);
    while (sent < len) {
        size_t piece = 70001;
        void *to = kdp_ws_room(client, &room);

        CHECK_INT(kdp_ws_next(client, &message), 0);
        if (piece > room)
            piece = room;
        if (piece > len - sent)
            piece = len - sent;
        memcpy(to, out + sent, piece);
        kdp_ws_received(client, piece);
        sent += piece;
    }
    CHECK(room > 1u << 20);
    CHECK_INT(kdp_ws_next(client, &message), 1);
    CHECK_INT(message.len, size);
    CHECK_MEM(message.data, big, size);
    CHECK_INT(kdp_ws_next(client, &message), 0);
    CHECK(kdp_ws_room(client, &room) != NULL);
    CHECK(room <= 1u << 20);
    kdp_ws_sent(server, len);
    free(big);
    kdp_ws_close(client);
    kdp_ws_close(server);
}

KDP_TEST(reads_as_big_as_the_room_lose_nothing)
{
    /* what is left of a frame at the end of the buffer moves to its front; text that was checked is not checked again */
    for (unsigned server = 0; server < 2; server++) {
        struct kdp_ws *ws = open_ws(server != 0, plain, 0), *peer = open_ws(server == 0, plain, 0);
        struct kdp_ws_message message;
        static char text[90000];
        uint64_t state = kdp_test_seed();
        size_t len, at = 0;
        unsigned sent = 0, had = 0;
        const char *out;
        int rc;

        for (size_t i = 0; i + 3 <= sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 3);
        for (; sent < 1500; sent++) {
            size_t size = kdp_test_random(&state) % (sent % 40 == 0 ? 30000 : 1500) * 3;

            CHECK_INT(kdp_ws_put(peer, KDP_WS_TEXT, text, size), 0);
        }
        state = kdp_test_seed();
        out = kdp_ws_output(peer, &len);
        CHECK(len > 4u << 20);
        while (at < len) {
            size_t room;
            char *to = kdp_ws_room(ws, &room);
            size_t piece = room < len - at ? room : len - at;

            memcpy(to, out + at, piece);
            kdp_ws_received(ws, piece);
            at += piece;
            while ((rc = kdp_ws_next(ws, &message)) > 0) {
                CHECK_INT(message.len, kdp_test_random(&state) % (had % 40 == 0 ? 30000 : 1500) * 3);
                CHECK_MEM(message.data, text, message.len);
                had++;
            }
            CHECK_INT(rc, 0);
            CHECK(room <= 1u << 20); /* and the room does not grow without need */
        }
        CHECK_INT(had, sent);
        kdp_ws_close(ws);
        kdp_ws_close(peer);
    }
}

KDP_TEST(input_that_nobody_takes_is_bounded)
{
    struct kdp_ws *ws = open_ws(false, plain, 100000);
    size_t room, all = 0;
    void *to;

    while ((to = kdp_ws_room(ws, &room)) != NULL) {
        memset(to, 0, room);
        kdp_ws_received(ws, room);
        CHECK((all += room) < 4u << 20);
    }
    CHECK(strstr(kdp_error_text(), "not taken") != NULL);
    kdp_ws_close(ws);
}

/* ---- UTF-8 ---- */

/* Held against the definition: decode, and look at the number. */
static size_t
first_wrong(const unsigned char *p, size_t len, bool *wholep)
{
    size_t i = 0;

    while (i < len) {
        unsigned need = p[i] < 0x80                   ? 0
                        : p[i] >= 0xc0 && p[i] < 0xe0 ? 1
                        : p[i] >= 0xe0 && p[i] < 0xf0 ? 2
                                                      : 3;
        uint32_t lowest = need == 1 ? 0x80 : need == 2 ? 0x800 : need == 3 ? 0x10000 : 0, low, high;

        *wholep = true;
        if (p[i] >= 0x80 && (p[i] < 0xc0 || p[i] >= 0xf8))
            return i;
        low = high = need == 0 ? p[i] : p[i] & (0x3fu >> need);
        for (unsigned k = 0; k <= need; k++) {
            if (k > 0) {
                if (i + k == len) {
                    *wholep = false;
                    return len;
                }
                if ((p[i + k] & 0xc0) != 0x80)
                    return i + k;
                low = high = low << 6 | (p[i + k] & 0x3fu);
            }
            /* the smallest and greatest character this may become */
            uint32_t from = low << 6 * (need - k),
                     to = (high << 6 * (need - k)) | ((1u << 6 * (need - k)) - 1);

            if (to < lowest || from > 0x10ffff || (from >= 0xd800 && to <= 0xdfff))
                return i + k;
        }
        i += need + 1;
    }
    *wholep = true;
    return len;
}

KDP_TEST(utf8_is_refused_at_the_first_byte_that_cannot_be_right)
{
    uint64_t state = kdp_test_seed();
    unsigned char text[96];
    unsigned wrong = 0, whole_ones = 0;

    for (unsigned round = 0; round < 300000; round++) {
        size_t len = kdp_test_random(&state) % (round % 8 == 0 ? sizeof text : 7), at, ascii;
        struct kdp_utf8 utf8 = {0, 0, 0}, bytewise = {0, 0, 0};
        size_t wrong_at = SIZE_MAX;
        bool whole = true, good;

        ascii = round % 8 == 0 ? kdp_test_random(&state) % (len + 1) : 0;
        for (size_t i = 0; i < len; i++) {
            uint64_t r = kdp_test_random(&state);
            static const unsigned char edge[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                                 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                                 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5};

            text[i] = i < ascii      ? 'a'
                      : (r & 3) != 0 ? edge[(r >> 8) % sizeof edge]
                                     : (unsigned char)(r >> 16);
        }
        at = first_wrong(text, len, &whole);
        good = kdp_utf8_go_on(&utf8, (const char *)text, len);
        CHECK_INT(good, at == len);
        for (size_t i = 0; i < len && wrong_at == SIZE_MAX; i++)
            if (!kdp_utf8_go_on(&bytewise, (const char *)text + i, 1))
                wrong_at = i;
        CHECK_INT(wrong_at, at == len ? SIZE_MAX : at);
        if (good) {
            CHECK_INT(kdp_utf8_whole(&utf8), whole);
            CHECK_INT(kdp_utf8_whole(&bytewise), whole);
            whole_ones += whole;
        } else {
            wrong++;
        }
    }
    CHECK(wrong > 1000 && whole_ones > 1000);
}

KDP_TEST(wrong_text_is_refused_before_its_frame_is_whole)
{
    struct kdp_ws_message message;
    struct kdp_ws *ws = open_ws(false, plain, 0);

    receive(ws, BYTES("\x81\x7e\x10\x00 some text that goes on \xed"));
    CHECK_INT(kdp_ws_next(ws, &message), 0);
    receive(ws, BYTES("\xa0"));
    CHECK_INT(kdp_ws_next(ws, &message), -KDP_EFORMAT);
    kdp_ws_close(ws);
    ws = open_ws(false, plain, 0); /* in a fragment */
    receive(ws, BYTES("\x01\x7e\x10\x00 text \xf5"));
    CHECK_INT(kdp_ws_next(ws, &message), -KDP_EFORMAT);
    kdp_ws_close(ws);
    ws = open_ws(true, plain, 0); /* masked */
    receive(ws, BYTES("\x81\xfe\x10\x00\0\0\0\0 text \xc0"));
    CHECK_INT(kdp_ws_next(ws, &message), -KDP_EFORMAT);
    kdp_ws_close(ws);
    ws = open_ws(false, packed, 0); /* compressed: a stored block of 255 bytes, of which three came */
    receive(ws, BYTES("\xc1\x7e\x10\x00\x00\xff\x00\x00\xff"
                      "a\xff"));
    CHECK_INT(kdp_ws_next(ws, &message), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "not UTF-8") != NULL);
    kdp_ws_close(ws);
}
