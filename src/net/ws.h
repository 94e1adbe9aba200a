/* ws.h - the WebSocket protocol (RFC 6455, RFC 7692) over memory: bytes in, messages out, no I/O and no clock.
 *
 * The caller writes received bytes straight into the room this gives, and messages are handed out in place: an unfragmented,
 * uncompressed message of a server is a slice of what came out of TLS.  Checked as the RFC asks: masks, reserved bits, opcodes,
 * control frames (between fragments too), lengths in their shortest form, UTF-8 of text and of close reasons, close codes.
 * Memory is bounded by message_max; nothing is allocated per message.  One thread. */
#ifndef KDPI_WS_H
#define KDPI_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDP_WS_MESSAGE_MAX (64u << 20) /* docs/exchange.md 4.1 */

enum kdp_ws_kind {
    KDP_WS_CONTINUATION = 0, /* only in kdp_ws_put_part */
    KDP_WS_TEXT = 1,
    KDP_WS_BINARY = 2,
    KDP_WS_CLOSE = 8,
    KDP_WS_PING = 9,
    KDP_WS_PONG = 10
};

/* What permessage-deflate was agreed to be; on = false: not agreed. */
struct kdp_ws_deflate {
    bool on;
    bool server_no_context_takeover, client_no_context_takeover;
    uint8_t server_max_window_bits, client_max_window_bits; /* 8 to 15; 0 means 15 */
};

struct kdp_ws_config {
    bool server;        /* which end this is: a server's input is masked, a client's output */
    size_t message_max; /* after decompression; 0: KDP_WS_MESSAGE_MAX */
    struct kdp_ws_deflate deflate;
    uint64_t mask_seed; /* 0: from the system; tests give one */
};

struct kdp_ws;
int kdp_ws_open(struct kdp_ws **wsp, const struct kdp_ws_config *config);
void kdp_ws_close(struct kdp_ws *ws);

/* kdp_ws_room gives at least 16 KiB (*sizep), mostly far more, to receive into; NULL (-KDP_ENOMEM kept) when memory is out.  All
 * messages must have been taken before: kdp_ws_next gave 0.  kdp_ws_received says how many bytes were put there. */
void *kdp_ws_room(struct kdp_ws *ws, size_t *sizep);
void kdp_ws_received(struct kdp_ws *ws, size_t len);

/* A message is valid until the next kdp_ws_next or kdp_ws_room. */
struct kdp_ws_message {
    enum kdp_ws_kind kind; /* TEXT, BINARY: whole messages; CLOSE, PING, PONG as they come */
    const char *data;      /* of CLOSE: the reason */
    size_t len;
    uint16_t close_code; /* of CLOSE: 1005 when none was given */
};
/* kdp_ws_next gives the next message: 1, 0 when more bytes are needed, or -KDP_EFORMAT when the peer broke the protocol (the
 * words say how; a CLOSE with the right code stands in the output already; every later call returns the same), or -KDP_ENOMEM.
 * A PING is answered and a first CLOSE is echoed in the output before they are handed out (while much output waits, only the
 * last of several PINGs is answered).  Behind a CLOSE nothing counts any more: 0. */
int kdp_ws_next(struct kdp_ws *ws, struct kdp_ws_message *message);

/* Output: frames are appended to one buffer.  put sends a whole message (compressed when that was agreed and it is TEXT or
 * BINARY of 64 bytes or more); put_part sends a fragment, never compressed; put_close a CLOSE, after which nothing more is
 * taken.  0 or -KDP_ENOMEM, -KDP_ECLOSED. */
int kdp_ws_put(struct kdp_ws *ws, enum kdp_ws_kind kind, const void *data, size_t len);
int kdp_ws_put_part(struct kdp_ws *ws, enum kdp_ws_kind kind, const void *data, size_t len, bool last);
int kdp_ws_put_close(struct kdp_ws *ws, uint16_t code, const char *reason);
const void *kdp_ws_output(const struct kdp_ws *ws, size_t *lenp);
void kdp_ws_sent(struct kdp_ws *ws, size_t len); /* the first len bytes of the output are on their way */
bool kdp_ws_closing(const struct kdp_ws *ws);    /* a CLOSE was sent */
bool kdp_ws_closed(const struct kdp_ws *ws);     /* one was sent and one received */

#endif
