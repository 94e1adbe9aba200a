/* gen_line.c - see gen_line.h. */
#include "gen_line.h"

#include <string.h>

#include "gen_private.h"

#define LIT(at, text) (memcpy((at), (text), sizeof(text) - 1), (at) += sizeof(text) - 1)

/* A text between quotes.  What is no UTF-8 stays as it is: the line then carries the same wrong bytes as the
 * frame. */
static char *
escape(char *at, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = c;
        } else if ((unsigned char)c < 0x20) {
            LIT(at, "\\u00");
            *at++ = hex[(unsigned char)c >> 4];
            *at++ = hex[c & 15];
        } else {
            *at++ = c;
        }
    }
    return at;
}

/* The channel of a frame, from its type. */
static const char *
channel_of(const struct kdp_gen_frame *frame)
{
    static const struct {
        const char *type, *channel;
    } names[] = {{"orderbook_", "orderbook_delta"},
                 {"ticker\"", "ticker"},
                 {"trade\"", "trade"},
                 {"market_life", "market_lifecycle_v2"},
                 {"event_", "market_lifecycle_v2"},
                 {"multivariate", "multivariate_market_lifecycle"}};

    for (size_t i = 0; i < sizeof names / sizeof names[0] && frame->len > 24; i++) {
        if (memcmp(frame->text + 9, names[i].type, strlen(names[i].type)) == 0)
            return names[i].channel;
    }
    return "control";
}

static char *
put_raw(char *at, const struct kdp_gen_frame *frame)
{
    LIT(at, "\"raw\":\"");
    at = escape(at, frame->text, frame->len);
    LIT(at, "\"}\n");
    return at;
}

size_t
kdp_gen_line(char *buf, const struct kdp_gen_frame *frame, enum kdp_gen_form form)
{
    char *at = buf;

    if (form != KDP_GEN_WRAPPED && frame->kind != KDP_GEN_FRAME)
        return 0;
    switch (form) {
    case KDP_GEN_WRAPPED:
        LIT(at, "{\"recv_ns\":");
        at = gen_decimal(at, (uint64_t)frame->recv_ns);
        LIT(at, ",\"conn\":");
        at = gen_decimal(at, frame->conn);
        *at++ = ',';
        if (frame->kind == KDP_GEN_CONNECTED)
            LIT(at, "\"event\":\"connected\"}\n");
        else if (frame->kind == KDP_GEN_DISCONNECTED)
            LIT(at, "\"event\":\"disconnected\"}\n");
        else
            at = put_raw(at, frame);
        break;
    case KDP_GEN_BARE:
        memcpy(at, frame->text, frame->len);
        at += frame->len;
        *at++ = '\n';
        break;
    case KDP_GEN_BLUEPRINT:
        LIT(at, "{\"channel\":\"");
        at = gen_string(at, channel_of(frame));
        /* a frame that is no JSON can only stand as a text */
        if (frame->recv_ns % 3000 == 0 || frame->len < 2 || frame->text[frame->len - 1] != '}' ||
            (frame->len > 10 &&
             ((unsigned char)frame->text[10] < 0x20 || (unsigned char)frame->text[10] >= 0x80))) {
            LIT(at, "\",\"message\":\"");
            at = escape(at, frame->text, frame->len);
            LIT(at, "\"}\n");
        } else {
            LIT(at, "\",\"message\":");
            memcpy(at, frame->text, frame->len);
            at += frame->len;
            LIT(at, "}\n");
        }
        break;
    case KDP_GEN_RECV_MS:
        LIT(at, "{\"recv_ms\":");
        at = gen_decimal(at, (uint64_t)frame->recv_ns / 1000000);
        *at++ = ',';
        at = put_raw(at, frame);
        break;
    }
    return (size_t)(at - buf);
}
