/* render_out.h - a bounded place to write text to that counts what it would have taken; private to render*.c.
 */
#ifndef KDPI_RENDER_OUT_H
#define KDPI_RENDER_OUT_H

#include <stddef.h>
#include <string.h>

#include "message.h"

struct out {
    char *buf;
    size_t size, len;
};

static inline struct out
out_open(char *buf, size_t size)
{
    return (struct out){buf, size, 0};
}

static inline void
out_char(struct out *out, char c)
{
    if (out->len < out->size)
        out->buf[out->len] = c;
    out->len++;
}

static inline void
out_bytes(struct out *out, const char *data, size_t len)
{
    if (len > 0 && out->len < out->size)
        memcpy(out->buf + out->len, data, len < out->size - out->len ? len : out->size - out->len);
    out->len += len;
}

static inline void
out_str(struct out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

static inline size_t
out_close(struct out *out)
{
    if (out->size > 0)
        out->buf[out->len < out->size ? out->len : out->size - 1] = '\0';
    return out->len;
}

/* kdpi_out_clean writes text from outside for a terminal or a cell: valid UTF-8 as it is, other bytes as U+FFFD,
 * and nothing that could move a cursor: control characters (C1 too) as \xNN, or as JSON escapes (with quote
 * and backslash) for json. */
void kdpi_out_clean(struct out *out, struct kdp_text text, int json);
void kdpi_out_unsigned(struct out *out, uint64_t value);
void kdpi_out_decimal(struct out *out, int64_t value, unsigned scale);

#endif
