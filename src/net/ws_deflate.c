/* ws_deflate.c - permessage-deflate (RFC 7692) over zlib: one stream each way, opened with its first message.
 *
 * A message is a raw deflate stream flushed to a byte boundary, without the flush's last four bytes 00 00 ff ff. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ws_private.h"

#define WINDOW_MAX 32768u
#define STEP 4096u       /* the least room inflate is given at a time */
#define PIECE (1u << 30) /* zlib counts in 32 bits */
/* Final blocks inside one message.  Nobody needs more than one, and each costs two copies of the window for two bytes. */
#define FINALS_MAX 8u

static const unsigned char tail[4] = {0x00, 0x00, 0xff, 0xff};

void
kdp_ws_codec_init(struct kdp_ws_codec *codec, const struct kdp_ws_deflate *agreed, bool server)
{
    uint8_t server_bits = agreed->server_max_window_bits != 0 ? agreed->server_max_window_bits : 15;
    uint8_t client_bits = agreed->client_max_window_bits != 0 ? agreed->client_max_window_bits : 15;

    memset(codec, 0, sizeof *codec);
    codec->on = agreed->on;
    codec->inflate_fresh = server ? agreed->client_no_context_takeover : agreed->server_no_context_takeover;
    codec->deflate_fresh = server ? agreed->server_no_context_takeover : agreed->client_no_context_takeover;
    codec->inflate_bits = server ? client_bits : server_bits;
    codec->deflate_bits = server ? server_bits : client_bits;
}

void
kdp_ws_codec_release(struct kdp_ws_codec *codec)
{
    if (codec->inflating)
        inflateEnd(&codec->in);
    if (codec->deflating)
        deflateEnd(&codec->out);
    free(codec->window);
    codec->inflating = codec->deflating = false;
    codec->window = NULL;
}

static int
no_memory(void)
{
    return kdpi_fail(KDP_ENOMEM, "out of memory: compressed WebSocket message");
}

/* A block that calls itself final ends zlib's stream, but not ours: the next begins with the same window. */
static int
inflate_again(struct kdp_ws_codec *codec)
{
    uInt known = 0;

    if (codec->window == NULL && (codec->window = malloc(WINDOW_MAX)) == NULL)
        return no_memory();
    if (inflateGetDictionary(&codec->in, codec->window, &known) != Z_OK || inflateReset(&codec->in) != Z_OK)
        return -KDP_EFORMAT;
    if (known > 0 && inflateSetDictionary(&codec->in, codec->window, known) != Z_OK)
        return -KDP_EFORMAT;
    codec->ended = false;
    return 0;
}

static int
inflate_piece(struct kdp_ws_codec *codec, const unsigned char *data, size_t len, struct kdp_ws_bytes *to,
              size_t max)
{
    z_stream *z = &codec->in;
    int rc;

    z->next_in = data;
    z->avail_in = (uInt)len; /* at most what one read brought */
    for (;;) {
        size_t have = to->to - to->from, room;

        if (codec->ended && z->avail_in > 0) {
            if (codec->finals++ == FINALS_MAX)
                return -KDP_EFORMAT;
            if ((rc = inflate_again(codec)) != 0)
                return rc;
        }
        /* one byte more than allowed, so that a message of just max bytes can be told from a longer one */
        if (have > max)
            return -KDP_ERANGE;
        if (to->size - to->to < STEP && kdp_ws_bytes_room(to, STEP) == NULL)
            return -KDP_ENOMEM;
        room = to->size - to->to;
        if (room > max + 1 - have)
            room = max + 1 - have;
        if (room > PIECE)
            room = PIECE;
        z->next_out = (unsigned char *)to->data + to->to;
        z->avail_out = (uInt)room;
        rc = inflate(z, Z_SYNC_FLUSH);
        to->to += room - z->avail_out;
        if (rc == Z_STREAM_END) {
            codec->ended = true;
            if (z->avail_in == 0)
                break;
            continue;
        }
        if (rc == Z_MEM_ERROR)
            return no_memory();
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return -KDP_EFORMAT;
        if (z->avail_out > 0 && z->avail_in == 0)
            break;
        if (rc == Z_BUF_ERROR && z->avail_out > 0)
            return -KDP_EFORMAT; /* no progress with input and room: cannot be */
    }
    return to->to - to->from > max ? -KDP_ERANGE : 0;
}

int
kdp_ws_inflate(struct kdp_ws_codec *codec, const char *data, size_t len, bool last, struct kdp_ws_bytes *to,
               size_t max)
{
    int rc;

    if (!codec->inflating) {
        if (inflateInit2(&codec->in, -(int)codec->inflate_bits) != Z_OK)
            return no_memory();
        codec->inflating = true;
    }
    while (len > 0) {
        size_t piece = len < PIECE ? len : PIECE;

        if ((rc = inflate_piece(codec, (const unsigned char *)data, piece, to, max)) != 0)
            return rc;
        data += piece;
        len -= piece;
    }
    if (!last)
        return 0;
    /* Behind a final block there is nothing to flush; else the flush must bring the stream to the beginning of a block, which
     * zlib tells with 128: a message cut inside a block would spoil the next. */
    if (!codec->ended) {
        if ((rc = inflate_piece(codec, tail, sizeof tail, to, max)) != 0)
            return rc;
        if (!codec->ended && (codec->in.data_type & (128 | 7)) != 128)
            return -KDP_EFORMAT;
    }
    codec->finals = 0;
    if (codec->inflate_fresh) {
        codec->ended = false;
        return inflateReset(&codec->in) == Z_OK ? 0 : -KDP_EFORMAT;
    }
    return 0;
}

int
kdp_ws_deflate(struct kdp_ws_codec *codec, const void *data, size_t len, struct kdp_ws_bytes *to)
{
    z_stream *z = &codec->out;
    size_t left = len;

    if (!codec->deflating) {
        /* Level 1: what is sent in numbers is the simulator's load.  zlib has no raw window of 256 bytes, but with 512 it looks
         * back 250 at most (it keeps 262 bytes of look-ahead free), which such a peer can read. */
        int bits = codec->deflate_bits == 8 ? 9 : codec->deflate_bits;

        if (deflateInit2(z, 1, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return no_memory();
        codec->deflating = true;
    } else if (codec->deflate_fresh) {
        deflateReset(z);
    }
    z->next_in = data;
    z->avail_in = 0;
    do {
        if (z->avail_in == 0 && left > 0) {
            z->avail_in = left < PIECE ? (uInt)left : PIECE;
            left -= z->avail_in;
        }
        if (kdp_ws_bytes_room(to, STEP) == NULL)
            return -KDP_ENOMEM;
        size_t room = to->size - to->to < PIECE ? to->size - to->to : PIECE;
        z->next_out = (unsigned char *)to->data + to->to;
        z->avail_out = (uInt)room;
        deflate(z, left > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH);
        to->to += room - z->avail_out;
    } while (z->avail_in > 0 || left > 0 || z->avail_out == 0);
    /* Z_SYNC_FLUSH ends in the tail, always: something was put in since the last one, or len is 0 */
    if (to->to - to->from >= sizeof tail && memcmp(to->data + to->to - sizeof tail, tail, sizeof tail) == 0)
        to->to -= sizeof tail;
    if (to->to == to->from) { /* an empty message is an empty block: RFC 7692 7.2.3.6 */
        if (kdp_ws_bytes_room(to, 1) == NULL)
            return -KDP_ENOMEM;
        to->data[to->to++] = 0;
    }
    return 0;
}
