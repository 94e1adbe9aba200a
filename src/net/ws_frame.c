/* ws_frame.c - what goes out: frames appended to one buffer, masked by a client. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "error.h"
#include "ws_private.h"

#define COMPRESS_MIN 64u /* bytes; below, a frame gets no shorter */

/* RFC 6455 10.3 wants masks that cannot be foretold, so that what one end sends cannot be made to look like something else to a
 * proxy; they come from the system, a batch at a time. */
static int
next_mask(struct kdp_ws *ws, unsigned char mask[4])
{
    if (ws->mask_seed != 0) { /* splitmix64, for tests */
        uint64_t z = (ws->mask_seed += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        memcpy(mask, &z, 4);
        return 0;
    }
    if (ws->mask_used == sizeof ws->masks / sizeof *ws->masks) {
        /* up to 256 bytes come whole, once the system's pool is ready */
        while (getrandom(ws->masks, sizeof ws->masks, 0) != (ssize_t)sizeof ws->masks)
            if (errno != EINTR)
                return kdpi_fail_errno(errno, "no random bytes for WebSocket masks");
        ws->mask_used = 0;
    }
    memcpy(mask, &ws->masks[ws->mask_used++], 4);
    return 0;
}

static void
mask_copy(char *to, const char *from, size_t len, const unsigned char mask[4])
{
    unsigned char key[8];
    uint64_t word, block;
    size_t i = 0;

    memcpy(key, mask, 4);
    memcpy(key + 4, mask, 4);
    memcpy(&word, key, 8);
    for (; i + 8 <= len; i += 8) {
        memcpy(&block, from + i, 8);
        block ^= word;
        memcpy(to + i, &block, 8);
    }
    for (; i < len; i++)
        to[i] = (char)((unsigned char)from[i] ^ key[i & 7]);
}

static int
append(struct kdp_ws *ws, unsigned first, const char *data, size_t len)
{
    unsigned char head[KDP_WS_HEAD_MAX], mask[4] = {0};
    size_t head_len = 2;
    char *to;
    int rc;

    if (!ws->server && (rc = next_mask(ws, mask)) != 0)
        return rc;
    if ((to = kdp_ws_bytes_room(&ws->out, len + KDP_WS_HEAD_MAX)) == NULL)
        return -KDP_ENOMEM;
    head[0] = (unsigned char)first;
    if (len < 126) {
        head[1] = (unsigned char)len;
    } else if (len < 65536) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        head_len = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
        head_len = 10;
    }
    if (!ws->server) {
        head[1] |= 0x80;
        memcpy(head + head_len, mask, 4);
        head_len += 4;
    }
    memcpy(to, head, head_len);
    if (!ws->server)
        mask_copy(to + head_len, data, len, mask);
    else if (len > 0)
        memcpy(to + head_len, data, len);
    ws->out.to += head_len + len;
    return 0;
}

int
kdp_ws_put(struct kdp_ws *ws, enum kdp_ws_kind kind, const void *data, size_t len)
{
    int rc;

    if (ws->close_sent)
        return kdpi_fail(KDP_ECLOSED, "WebSocket is closing");
    KDP_ASSERT(kind == KDP_WS_TEXT || kind == KDP_WS_BINARY || kind == KDP_WS_PING || kind == KDP_WS_PONG);
    if (kind >= KDP_WS_CLOSE) {
        KDP_ASSERT(len <= KDP_WS_CONTROL_MAX);
        return append(ws, 0x80u | kind, data, len);
    }
    KDP_ASSERT(!ws->out_part); /* a message inside a fragmented one */
    if (!ws->codec.on || len < COMPRESS_MIN)
        return append(ws, 0x80u | kind, data, len);
    ws->packed.from = ws->packed.to = 0;
    if ((rc = kdp_ws_deflate(&ws->codec, data, len, &ws->packed)) != 0)
        return rc;
    return append(ws, 0xc0u | kind, ws->packed.data, ws->packed.to);
}

int
kdp_ws_put_part(struct kdp_ws *ws, enum kdp_ws_kind kind, const void *data, size_t len, bool last)
{
    int rc;

    if (ws->close_sent)
        return kdpi_fail(KDP_ECLOSED, "WebSocket is closing");
    KDP_ASSERT(kind <= KDP_WS_BINARY && ws->out_part == (kind == KDP_WS_CONTINUATION));
    if ((rc = append(ws, (last ? 0x80u : 0) | kind, data, len)) == 0)
        ws->out_part = !last;
    return rc;
}

int
kdp_ws_put_close(struct kdp_ws *ws, uint16_t code, const char *reason)
{
    char payload[KDP_WS_CONTROL_MAX];
    size_t len = 0, text = strlen(reason);
    int rc;

    if (ws->close_sent)
        return kdpi_fail(KDP_ECLOSED, "WebSocket is closing");
    if (code != 0 && code != 1005) { /* 1005 says that there was none */
        payload[0] = (char)(code >> 8);
        payload[1] = (char)code;
        if (text > sizeof payload - 2) {
            text = sizeof payload - 2;
            while (text > 0 && ((unsigned char)reason[text] & 0xc0) == 0x80)
                text--; /* not inside a character */
        }
        memcpy(payload + 2, reason, text);
        len = 2 + text;
    }
    if ((rc = append(ws, 0x80u | KDP_WS_CLOSE, payload, len)) == 0) {
        ws->close_sent = true;
        ws->pong_owed = false;
    }
    return rc;
}

const void *
kdp_ws_output(const struct kdp_ws *ws, size_t *lenp)
{
    *lenp = ws->out.to - ws->out.from;
    return *lenp > 0 ? ws->out.data + ws->out.from : "";
}

void
kdp_ws_sent(struct kdp_ws *ws, size_t len)
{
    KDP_ASSERT(len <= ws->out.to - ws->out.from);
    ws->out.from += len;
    if (ws->out.from == ws->out.to) {
        ws->out.from = ws->out.to = 0;
        if (ws->out.size > 4 * KDP_WS_IN_SIZE) {
            free(ws->out.data);
            ws->out = (struct kdp_ws_bytes){NULL, 0, 0, 0};
        }
    }
    if (ws->pong_owed && ws->out.to - ws->out.from <= KDP_WS_PONG_PENDING) {
        ws->pong_owed = false;
        kdp_ws_put(ws, KDP_WS_PONG, ws->pong,
                   ws->pong_len); /* without memory the peer waits for its next ping */
    }
}

bool
kdp_ws_closing(const struct kdp_ws *ws)
{
    return ws->close_sent;
}

bool
kdp_ws_closed(const struct kdp_ws *ws)
{
    return ws->close_sent && ws->close_received;
}
