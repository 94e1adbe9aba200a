/* ws.c - what comes in: frames parsed where they lie, messages put together, everything the RFC forbids refused.
 *
 * Payload is taken in as it comes, not only when the frame is whole: it is unmasked, decompressed and checked at once, so wrong
 * text ends the connection with the byte that is wrong, and a compressed or fragmented message needs no room in the input buffer.
 * Only an uncompressed message in one frame stays where it was received and is handed out there. */
#include "ws.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ws_private.h"

char *
kdp_ws_bytes_room(struct kdp_ws_bytes *bytes, size_t len)
{
    size_t have = bytes->to - bytes->from, size = bytes->size;
    char *grown;

    if (bytes->size - bytes->to >= len)
        return bytes->data + bytes->to;
    /* Moved down only when that frees at least as much as it moves: else every byte could be moved many times. */
    if (bytes->from >= have && bytes->size - have >= len) {
        if (have > 0)
            memmove(bytes->data, bytes->data + bytes->from, have);
        bytes->from = 0;
        bytes->to = have;
        return bytes->data + bytes->to;
    }
    if (size < 1024)
        size = 1024;
    while (size - have < len || size / 2 < have)
        size *= 2;
    if ((grown = bytes->from == 0 ? realloc(bytes->data, size) : malloc(size)) == NULL) {
        kdpi_fail(KDP_ENOMEM, "out of memory: %zu bytes for WebSocket messages", size);
        return NULL;
    }
    if (bytes->from > 0) {
        memcpy(grown, bytes->data + bytes->from, have);
        free(bytes->data);
    }
    bytes->data = grown;
    bytes->size = size;
    bytes->from = 0;
    bytes->to = have;
    return bytes->data + bytes->to;
}

int
kdp_ws_open(struct kdp_ws **wsp, const struct kdp_ws_config *config)
{
    struct kdp_ws *ws = calloc(1, sizeof *ws);

    *wsp = NULL;
    if (ws == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: WebSocket");
    ws->server = config->server;
    ws->message_max = config->message_max != 0 ? config->message_max : KDP_WS_MESSAGE_MAX;
    ws->mask_seed = config->mask_seed;
    ws->mask_used = sizeof ws->masks / sizeof *ws->masks;
    kdp_ws_codec_init(&ws->codec, &config->deflate, config->server);
    *wsp = ws;
    return 0;
}

void
kdp_ws_close(struct kdp_ws *ws)
{
    if (ws == NULL)
        return;
    kdp_ws_codec_release(&ws->codec);
    free(ws->in.data);
    free(ws->message.data);
    free(ws->out.data);
    free(ws->packed.data);
    free(ws);
}

/* ---- room ---- */

void *
kdp_ws_room(struct kdp_ws *ws, size_t *sizep)
{
    struct kdp_ws_bytes *in = &ws->in;

    if (in->from == in->to) {
        in->from = in->to = 0;
        if (in->size > 4 * KDP_WS_IN_SIZE) { /* a big message is over: its memory need not stay */
            free(in->data);
            *in = (struct kdp_ws_bytes){NULL, 0, 0, 0};
        }
    }
    if (in->to - in->from > ws->message_max + KDP_WS_IN_SIZE) {
        /* cannot be when every message is taken before more is received */
        kdpi_fail(KDP_ENOMEM, "out of memory: %zu bytes of WebSocket input not taken", in->to - in->from);
        return NULL;
    }
    if (in->data == NULL && kdp_ws_bytes_room(in, KDP_WS_IN_SIZE) == NULL)
        return NULL;
    if (kdp_ws_bytes_room(in, KDP_WS_ROOM_MIN) == NULL)
        return NULL;
    *sizep = in->size - in->to;
    return in->data + in->to;
}

void
kdp_ws_received(struct kdp_ws *ws, size_t len)
{
    KDP_ASSERT(len <= ws->in.size - ws->in.to);
    ws->in.to += len;
}

/* ---- refusals ---- */

/* The connection ends here: the words stay for every further call, and the peer is told its code. */
static int __attribute__((format(printf, 4, 5)))
refuse(struct kdp_ws *ws, int code, uint16_t close_code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(ws->words, sizeof ws->words, fmt, args);
    va_end(args);
    ws->failed = code;
    if (!ws->close_sent)
        kdp_ws_put_close(ws, close_code, ws->words);
    return kdpi_fail((enum kdp_error) - code, "WebSocket protocol broken by the peer: %s", ws->words);
}

static int
refuse_memory(struct kdp_ws *ws)
{
    if (!ws->close_sent)
        kdp_ws_put_close(ws, 1011, "out of memory");
    snprintf(ws->words, sizeof ws->words, "out of memory");
    ws->failed = -KDP_ENOMEM;
    return kdpi_fail(KDP_ENOMEM, "out of memory: WebSocket message");
}

static int
refuse_again(const struct kdp_ws *ws)
{
    if (ws->failed == -KDP_ENOMEM)
        return kdpi_fail(KDP_ENOMEM, "out of memory: WebSocket message");
    return kdpi_fail((enum kdp_error) - ws->failed, "WebSocket protocol broken by the peer: %s", ws->words);
}

static int
refuse_size(struct kdp_ws *ws)
{
    return refuse(ws, -KDP_EFORMAT, 1009, "a message of more than %zu bytes", ws->message_max);
}

/* ---- frame heads ---- */

static int
check_first(struct kdp_ws *ws, unsigned first)
{
    unsigned opcode = first & 15;
    bool fin = (first & 0x80) != 0, packed = (first & 0x40) != 0;

    if ((first & 0x30) != 0 || (packed && !ws->codec.on))
        return refuse(ws, -KDP_EFORMAT, 1002, "reserved bits 0x%x set", first & 0x70);
    if ((opcode > KDP_WS_BINARY && opcode < KDP_WS_CLOSE) || opcode > KDP_WS_PONG)
        return refuse(ws, -KDP_EFORMAT, 1002, "unknown opcode %u", opcode);
    if (opcode >= KDP_WS_CLOSE) {
        if (!fin)
            return refuse(ws, -KDP_EFORMAT, 1002, "a control frame in fragments");
        if (packed)
            return refuse(ws, -KDP_EFORMAT, 1002, "a control frame marked as compressed");
        return 0;
    }
    if (opcode == KDP_WS_CONTINUATION) {
        if (ws->message_kind == 0)
            return refuse(ws, -KDP_EFORMAT, 1002, "a fragment of no message");
        if (packed)
            return refuse(ws, -KDP_EFORMAT, 1002, "a later fragment marked as compressed");
    } else if (ws->message_kind != 0) {
        return refuse(ws, -KDP_EFORMAT, 1002, "a new message inside a fragmented one");
    }
    return 0;
}

/* Begins a frame whose head is right.  Frames of data join or begin a message, or are one by themselves. */
static int
begin_frame(struct kdp_ws *ws, unsigned first, uint64_t len)
{
    ws->opcode = first & 15;
    ws->fin = (first & 0x80) != 0;
    ws->compressed = (first & 0x40) != 0;
    ws->left = len;
    ws->seen = 0;
    ws->mask_at = 0;
    ws->in_frame = true;
    ws->in_place = true;
    if (ws->opcode >= KDP_WS_CLOSE) {
        if (len > KDP_WS_CONTROL_MAX)
            return refuse(ws, -KDP_EFORMAT, 1002, "a control frame of more than 125 bytes");
        return 0;
    }
    if (ws->opcode != KDP_WS_CONTINUATION) {
        ws->utf8 = (struct kdp_utf8){0, 0, 0};
        if (len > ws->message_max && !ws->compressed) /* compressed, it may be longer than what comes out */
            return refuse_size(ws);
        if (ws->fin && !ws->compressed)
            return 0;
        ws->message_kind = ws->opcode;
        ws->message_compressed = ws->compressed;
        if (ws->message.size > 4 * KDP_WS_IN_SIZE) {
            free(ws->message.data);
            ws->message = (struct kdp_ws_bytes){NULL, 0, 0, 0};
        }
        ws->message.from = ws->message.to = 0;
    } else if (!ws->message_compressed && len > ws->message_max - ws->message.to) {
        return refuse_size(ws);
    }
    ws->in_place = false;
    return 0;
}

/* 1: a frame was begun; 0: more bytes are needed. */
static int
read_head(struct kdp_ws *ws)
{
    struct kdp_ws_bytes *in = &ws->in;
    const unsigned char *p;
    size_t have = in->to - in->from, need = 2;
    uint64_t len;
    int rc;

    if (have == 0)
        return 0;
    p = (const unsigned char *)in->data + in->from;
    if ((rc = check_first(ws, p[0])) != 0)
        return rc;
    if (have < 2)
        return 0;
    ws->masked = (p[1] & 0x80) != 0;
    if (ws->masked != ws->server)
        return refuse(ws, -KDP_EFORMAT, 1002,
                      ws->server ? "a frame without a mask" : "a masked frame from a server");
    len = p[1] & 0x7f;
    if (len >= 126) {
        /* a control frame's length is told wrong before its longer form has come */
        if ((p[0] & 15) >= KDP_WS_CLOSE)
            return refuse(ws, -KDP_EFORMAT, 1002, "a control frame of more than 125 bytes");
        need += len == 126 ? 2 : 8;
    }
    if (ws->masked)
        need += 4;
    if (have < need)
        return 0;
    if (len == 126) {
        len = (uint64_t)p[2] << 8 | p[3];
        if (len < 126)
            return refuse(ws, -KDP_EFORMAT, 1002, "length %u not in its shortest form", (unsigned)len);
    } else if (len == 127) {
        len = 0;
        for (int i = 2; i < 10; i++)
            len = len << 8 | p[i];
        if (len > INT64_MAX)
            return refuse(ws, -KDP_EFORMAT, 1002, "a length with its highest bit set");
        if (len < 65536)
            return refuse(ws, -KDP_EFORMAT, 1002, "length %u not in its shortest form", (unsigned)len);
    }
    if (ws->masked)
        memcpy(ws->mask, p + need - 4, 4);
    in->from += need;
    rc = begin_frame(ws, p[0], len);
    return rc != 0 ? rc : 1;
}

/* ---- payload ---- */

static void
unmask(struct kdp_ws *ws, char *data, size_t len)
{
    unsigned char key[8];
    uint64_t word, block;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++)
        key[k] = ws->mask[(ws->mask_at + k) & 3];
    memcpy(&word, key, 8);
    for (; i + 8 <= len; i += 8) {
        memcpy(&block, data + i, 8);
        block ^= word;
        memcpy(data + i, &block, 8);
    }
    for (; i < len; i++)
        data[i] = (char)((unsigned char)data[i] ^ key[i & 7]);
    ws->mask_at = (unsigned)(ws->mask_at + len) & 3;
}

static int
refuse_text(struct kdp_ws *ws)
{
    return refuse(ws, -KDP_EFORMAT, 1007, "text that is not UTF-8");
}

/* A piece of a message that is put together apart. */
static int
take_piece(struct kdp_ws *ws, const char *data, size_t len, bool last)
{
    struct kdp_ws_bytes *message = &ws->message;
    size_t before = message->to;
    int rc = 0;

    if (ws->message_compressed) {
        rc = kdp_ws_inflate(&ws->codec, data, len, last, message, ws->message_max);
    } else if (len > 0) {
        if (kdp_ws_bytes_room(message, len) == NULL)
            return refuse_memory(ws);
        memcpy(message->data + message->to, data, len);
        message->to += len;
    }
    if (rc == -KDP_ENOMEM)
        return refuse_memory(ws);
    if (rc == -KDP_ERANGE)
        return refuse_size(ws);
    /* what came out before the error is checked first: the text may have been wrong before the compression was */
    if (ws->message_kind == KDP_WS_TEXT && message->to > before &&
        !kdp_utf8_go_on(&ws->utf8, message->data + before, message->to - before))
        return refuse_text(ws);
    if (rc != 0)
        return refuse(ws, -KDP_EFORMAT, 1007, "a compressed message that cannot be decompressed");
    if (last && ws->message_kind == KDP_WS_TEXT && !kdp_utf8_whole(&ws->utf8))
        return refuse_text(ws);
    return 0;
}

/* 1: a message; 2: go on; 0: more bytes are needed. */
static int
take_apart(struct kdp_ws *ws, struct kdp_ws_message *out)
{
    struct kdp_ws_bytes *in = &ws->in;
    size_t have = in->to - in->from;
    char *data = in->data + in->from;
    bool last;
    int rc;

    if (have > ws->left)
        have = (size_t)ws->left;
    if (have == 0 && ws->left > 0)
        return 0;
    if (ws->masked && have > 0)
        unmask(ws, data, have);
    ws->left -= have;
    in->from += have;
    last = ws->left == 0 && ws->fin;
    if ((rc = take_piece(ws, data, have, last)) != 0)
        return rc;
    if (ws->left > 0)
        return 0;
    ws->in_frame = false;
    if (!last)
        return 2;
    out->kind = (enum kdp_ws_kind)ws->message_kind;
    out->data = ws->message.data != NULL ? ws->message.data : "";
    out->len = ws->message.to;
    out->close_code = 0;
    ws->message_kind = 0;
    return 1;
}

static bool
close_code_is_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static int
take_close(struct kdp_ws *ws, struct kdp_ws_message *out)
{
    struct kdp_utf8 utf8 = {0, 0, 0};

    ws->close_received = true;
    out->close_code = 1005;
    if (out->len == 1)
        return refuse(ws, -KDP_EFORMAT, 1002, "a close frame of one byte");
    if (out->len >= 2) {
        out->close_code = (uint16_t)((unsigned char)out->data[0] << 8 | (unsigned char)out->data[1]);
        out->data += 2;
        out->len -= 2;
        if (!close_code_is_valid(out->close_code))
            return refuse(ws, -KDP_EFORMAT, 1002, "close code %u, which is not for the wire",
                          out->close_code);
        if (!kdp_utf8_go_on(&utf8, out->data, out->len) || !kdp_utf8_whole(&utf8))
            return refuse(ws, -KDP_EFORMAT, 1007, "a close reason that is not UTF-8");
    }
    if (!ws->close_sent && kdp_ws_put_close(ws, out->close_code, "") != 0)
        return refuse_memory(ws);
    return 1;
}

/* RFC 6455 5.5.3 lets only the last of several pings be answered; so does who sends pings and does not read. */
static int
take_ping(struct kdp_ws *ws, const struct kdp_ws_message *ping)
{
    if (ws->close_sent)
        return 1;
    if (ws->out.to - ws->out.from > KDP_WS_PONG_PENDING) {
        ws->pong_owed = true;
        ws->pong_len = (uint8_t)ping->len;
        if (ping->len > 0)
            memcpy(ws->pong, ping->data, ping->len);
        return 1;
    }
    ws->pong_owed = false;
    if (kdp_ws_put(ws, KDP_WS_PONG, ping->data, ping->len) != 0)
        return refuse_memory(ws);
    return 1;
}

static int
take_in_place(struct kdp_ws *ws, struct kdp_ws_message *out)
{
    struct kdp_ws_bytes *in = &ws->in;
    size_t have = in->to - in->from;
    char *data = in->data + in->from;

    if (have > ws->left)
        have = (size_t)ws->left;
    if (have > ws->seen || ws->left == 0) {
        if (ws->masked)
            unmask(ws, data + ws->seen, have - ws->seen);
        if (ws->opcode == KDP_WS_TEXT && !kdp_utf8_go_on(&ws->utf8, data + ws->seen, have - ws->seen))
            return refuse_text(ws);
        ws->seen = have;
    }
    if (have < ws->left)
        return 0;
    if (ws->opcode == KDP_WS_TEXT && !kdp_utf8_whole(&ws->utf8))
        return refuse_text(ws);
    in->from += have;
    ws->in_frame = false;
    out->kind = (enum kdp_ws_kind)ws->opcode;
    out->data = data;
    out->len = have;
    out->close_code = 0;
    if (ws->opcode == KDP_WS_CLOSE)
        return take_close(ws, out);
    if (ws->opcode == KDP_WS_PING)
        return take_ping(ws, out);
    return 1;
}

int
kdp_ws_next(struct kdp_ws *ws, struct kdp_ws_message *message)
{
    int rc;

    if (ws->failed != 0)
        return refuse_again(ws);
    for (;;) {
        if (ws->close_received) { /* nothing that comes behind it counts */
            ws->in.from = ws->in.to;
            return 0;
        }
        if (!ws->in_frame && (rc = read_head(ws)) <= 0)
            return rc;
        rc = ws->in_place ? take_in_place(ws, message) : take_apart(ws, message);
        if (rc != 2)
            return rc;
    }
}
