/* fuzz_ws.c - WebSocket bytes from anywhere, to both ends, with and without compression, cut anywhere.
 *
 * First byte: bit 0 the server's end, bit 1 permessage-deflate, bit 2 without context takeover, bits 3 to 5 window bits less 8,
 * bit 6 small messages only, bit 7 the rest is plain frames that are masked here (a fuzzer finds no masks).  Second byte: how
 * the bytes are cut.  The same bytes in one piece and in pieces must give the same messages and the same verdict; what is
 * answered must be readable by the other end; what was heard, sent on by a peer, must be heard again. */
#include "error.h"
#include "ws.h"
#include "ws_utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    uint64_t hash;
    unsigned count;
    int rc;
    uint16_t close_code;
};

static struct kdp_ws *
open_ws(const struct kdp_ws_config *config, bool other_end)
{
    struct kdp_ws_config own = *config;
    struct kdp_ws *ws;

    if (other_end)
        own.server = !own.server;
    KDP_ASSERT(kdp_ws_open(&ws, &own) == 0);
    return ws;
}

static void
put_in(struct kdp_ws *ws, const uint8_t *bytes, size_t len)
{
    size_t room;
    void *to = kdp_ws_room(ws, &room);

    KDP_ASSERT(to != NULL && room >= 16384 && len <= room);
    if (len > 0)
        memcpy(to, bytes, len);
    kdp_ws_received(ws, len);
}

static void
listen_to(struct kdp_ws *ws, const struct kdp_ws_config *config, struct heard *heard, struct kdp_ws *echo)
{
    struct kdp_ws_message message;

    while ((heard->rc = kdp_ws_next(ws, &message)) > 0) {
        struct kdp_utf8 utf8 = {0, 0, 0};

        KDP_ASSERT(message.len <= config->message_max || message.kind >= KDP_WS_CLOSE);
        if (message.kind == KDP_WS_TEXT || message.kind == KDP_WS_CLOSE)
            KDP_ASSERT(kdp_utf8_go_on(&utf8, message.data, message.len) && kdp_utf8_whole(&utf8));
        if (message.kind >= KDP_WS_CLOSE)
            KDP_ASSERT(message.len <= 125);
        heard->hash = heard->hash * 31 + message.kind + message.close_code;
        for (size_t i = 0; i < message.len; i++)
            heard->hash = heard->hash * 31 + (uint8_t)message.data[i];
        heard->count++;
        if (message.kind == KDP_WS_CLOSE)
            heard->close_code = message.close_code;
        else if (echo != NULL)
            KDP_ASSERT(kdp_ws_put(echo, message.kind, message.data, message.len) == 0);
    }
    if (heard->rc < 0) {
        KDP_ASSERT(heard->rc == -KDP_EFORMAT && kdp_error_text()[0] != '\0' && kdp_ws_closing(ws));
        KDP_ASSERT(kdp_ws_next(ws, &message) == heard->rc);
    }
}

/* All output of one end is protocol for the other. */
static void
carry(struct kdp_ws *from, struct kdp_ws *to)
{
    size_t len;
    const uint8_t *out = kdp_ws_output(from, &len);
    struct kdp_ws_message message;

    for (size_t at = 0, piece; at < len; at += piece) {
        piece = len - at < 16384 ? len - at : 16384;
        put_in(to, out + at, piece);
        while (kdp_ws_next(to, &message) > 0)
            ;
        KDP_ASSERT(kdp_ws_next(to, &message) == 0);
    }
    kdp_ws_sent(from, len);
}

static size_t
masked(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t used = 0;

    while (size >= 2) {
        size_t len = data[1] & 0x7f;

        if (len > 125 || len > size - 2)
            len = size - 2 < 125 ? size - 2 : 125;
        out[used++] = data[0];
        out[used++] = (uint8_t)(0x80 | len);
        for (unsigned k = 0; k < 4; k++)
            out[used++] = (uint8_t)(k * 77);
        for (size_t i = 0; i < len; i++)
            out[used++] = (uint8_t)(data[2 + i] ^ (i % 4 * 77));
        data += 2 + len;
        size -= 2 + len;
    }
    return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kdp_ws_config config = {.mask_seed = 3};
    struct heard whole = {0}, cut = {0}, again = {0};
    struct kdp_ws *ws, *echo, *back;
    uint8_t *bytes;
    unsigned how, seed;
    size_t len;

    if (size < 2 || size > 4000)
        return 0;
    how = data[0];
    seed = data[1];
    config.server = (how & 1) != 0;
    config.deflate.on = (how & 2) != 0;
    config.deflate.server_no_context_takeover = config.deflate.client_no_context_takeover = (how & 4) != 0;
    config.deflate.server_max_window_bits = config.deflate.client_max_window_bits =
        (uint8_t)(8 + (how >> 3 & 7));
    config.message_max = (how & 64) != 0 ? 300 : 100000;
    KDP_ASSERT((bytes = malloc(size * 5)) != NULL);
    if ((how & 128) != 0 && config.server) {
        len = masked(data + 2, size - 2, bytes);
    } else {
        len = size - 2;
        memcpy(bytes, data + 2, len);
    }

    ws = open_ws(&config, false);
    echo = open_ws(&config, true);
    if (len <= 16384)
        put_in(ws, bytes, len);
    else
        len = 0;
    listen_to(ws, &config, &whole, echo);
    back = open_ws(&config, true);
    carry(ws, back); /* its pongs, and its close */
    KDP_ASSERT(whole.rc == 0 || kdp_ws_closing(back));
    kdp_ws_close(back);
    kdp_ws_close(ws);

    ws = open_ws(&config, false);
    for (size_t at = 0; at < len;) {
        size_t piece = seed == 0 ? 1 : 1 + (seed * 7919 + at * 31) % (seed + 1);

        if (piece > len - at)
            piece = len - at;
        put_in(ws, bytes + at, piece);
        at += piece;
        listen_to(ws, &config, &cut, NULL);
        if (cut.rc < 0)
            break;
    }
    /* one piece more may be checked before the wrong byte ends all, so the words may differ, but no message does */
    KDP_ASSERT(whole.rc == cut.rc && whole.count == cut.count && whole.hash == cut.hash);
    kdp_ws_close(ws);

    /* The messages as our other end sends them.  With a small window what comes out fits in what the peer agreed to read. */
    ws = open_ws(&config, false);
    {
        size_t out_len;
        const uint8_t *out = kdp_ws_output(echo, &out_len);

        for (size_t at = 0, piece; at < out_len; at += piece) {
            piece = out_len - at < 16384 ? out_len - at : 16384;
            put_in(ws, out + at, piece);
            listen_to(ws, &config, &again, NULL);
            KDP_ASSERT(again.rc == 0);
        }
    }
    KDP_ASSERT(again.count == whole.count - (whole.close_code != 0 ? 1u : 0));
    if (whole.close_code == 0)
        KDP_ASSERT(again.hash == whole.hash);
    kdp_ws_close(ws);
    kdp_ws_close(echo);
    free(bytes);
    return 0;
}
