/* render_out.c - text from outside, made harmless. */
#include "render_out.h"
#include "decimal.h"

#include <stdint.h>

/* The length of the UTF-8 character at p, 0 when there is none: no overlong forms, no surrogates, nothing
 * over U+10FFFF. */
static size_t
character(const unsigned char *p, size_t left)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static void
out_escape(struct out *out, unsigned code, int json)
{
    static const char hex[] = "0123456789abcdef";

    out_str(out, json ? "\\u00" : "\\x");
    out_char(out, hex[code >> 4]);
    out_char(out, hex[code & 15]);
}

void
kdpi_out_clean(struct out *out, struct kdp_text text, int json)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t left = text.len;

    while (left > 0) {
        size_t len = character(p, left);

        if (len == 0) {
            out_str(out, "\xef\xbf\xbd");
            len = 1;
        } else if (json && (*p == '"' || *p == '\\')) {
            out_char(out, '\\');
            out_char(out, (char)*p);
        } else if (*p < 0x20 || *p == 0x7f) {
            out_escape(out, *p, json);
        } else if (*p == 0xc2 && p[1] < 0xa0) {
            out_escape(out, p[1], json);
        } else {
            out_bytes(out, (const char *)p, len);
        }
        p += len;
        left -= len;
    }
}

void
kdpi_out_unsigned(struct out *out, uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    out_bytes(out, digits + at, sizeof digits - at);
}

void
kdpi_out_decimal(struct out *out, int64_t value, unsigned scale)
{
    char text[KDPI_DECIMAL_TEXT];

    out_bytes(out, text, kdpi_decimal_format(text, value, scale));
}
