/* ws_private.h - what the files of the WebSocket core share: growing bytes, compression, the connection itself. */
#ifndef KDPI_WS_PRIVATE_H
#define KDPI_WS_PRIVATE_H

#define ZLIB_CONST /* next_in is const */
#include <zlib.h>

#include "ws.h"
#include "ws_utf8.h"

#define KDP_WS_IN_SIZE (256u << 10) /* of the input buffer at rest */
#define KDP_WS_ROOM_MIN (16u << 10) /* what kdp_ws_room promises */
#define KDP_WS_CONTROL_MAX 125u     /* payload of a control frame */
#define KDP_WS_HEAD_MAX 14u         /* 2, 8 of length, 4 of mask */
#define KDP_WS_PONG_PENDING \
    (64u << 10) /* output beyond which pings are answered later, and only the last of them */

/* Bytes that are put in behind and taken from the front. */
struct kdp_ws_bytes {
    char *data;
    size_t size, from, to;
};
/* kdp_ws_bytes_room makes room for len bytes behind to: where, NULL (words kept) when there is no memory. */
char *kdp_ws_bytes_room(struct kdp_ws_bytes *bytes, size_t len);

/* ---- permessage-deflate ---- */
struct kdp_ws_codec {
    bool on;
    bool inflate_fresh, deflate_fresh; /* each message begins without the ones before */
    bool inflating, deflating; /* the streams below are open: they cost memory and are opened when needed */
    bool ended;                /* the last block given to inflate called itself final */
    uint8_t inflate_bits, deflate_bits;
    unsigned finals; /* final blocks that were gone on from in this message */
    z_stream in, out;
    unsigned char *window; /* what inflate knew, kept over the end of a deflate stream */
};
void kdp_ws_codec_init(struct kdp_ws_codec *codec, const struct kdp_ws_deflate *agreed, bool server);
void kdp_ws_codec_release(struct kdp_ws_codec *codec);
/* kdp_ws_inflate decompresses a piece of a message behind to->to; last: the message ends with it.  0; -KDP_ENOMEM; -KDP_ERANGE
 * when more than max bytes would stand in to; -KDP_EFORMAT.  Words are kept for ENOMEM alone. */
int kdp_ws_inflate(struct kdp_ws_codec *codec, const char *data, size_t len, bool last,
                   struct kdp_ws_bytes *to, size_t max);
/* kdp_ws_deflate compresses a whole message behind to->to. */
int kdp_ws_deflate(struct kdp_ws_codec *codec, const void *data, size_t len, struct kdp_ws_bytes *to);

/* ---- the connection ---- */
struct kdp_ws {
    bool server;
    size_t message_max;

    /* input: [in.from, in.to) is not yet taken */
    struct kdp_ws_bytes in;
    bool in_frame; /* the head of a frame was read; the rest here says which */
    bool fin, compressed, masked;
    uint8_t opcode;
    bool in_place; /* the payload is kept in the buffer and handed out there */
    uint8_t mask[4];
    uint64_t left;    /* payload bytes from in.from on; of these, */
    size_t seen;      /* when in_place, so many are unmasked and checked */
    unsigned mask_at; /* which mask byte is next */

    /* the message under way, when it is not in_place */
    uint8_t message_kind; /* 0: none */
    bool message_compressed;
    struct kdp_ws_bytes message;
    struct kdp_utf8 utf8;

    /* output */
    struct kdp_ws_bytes out;
    struct kdp_ws_bytes packed; /* a message as compressed */
    bool out_part;              /* a fragmented message is under way */
    bool close_sent, close_received;
    bool pong_owed;
    uint8_t pong_len;
    char pong[KDP_WS_CONTROL_MAX];

    uint64_t mask_seed;
    unsigned mask_used;
    uint32_t masks[64]; /* from the system, a batch at a time */

    struct kdp_ws_codec codec;
    int failed; /* the error every further call returns */
    char words[256];
};

#endif
