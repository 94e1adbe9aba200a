/* ws_utf8.c - see ws_utf8.h.
 *
 * Of a character's bytes only the second has bounds that depend on the first (no overlong forms, no surrogates, nothing above
 * U+10FFFF), so the state is how many bytes are missing and the bounds of the next.  Runs of ASCII, which is what the exchange
 * sends, are passed 32 bytes at a time. */
#include "ws_utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static const unsigned char *
pass_ascii(const unsigned char *p, const unsigned char *end)
{
    uint64_t words[4];

    while (end - p >= 32) {
        memcpy(words, p, sizeof words);
        if (((words[0] | words[1] | words[2] | words[3]) & HIGH_BITS) != 0)
            break;
        p += 32;
    }
    while (end - p >= 8) {
        memcpy(words, p, 8);
        if ((words[0] & HIGH_BITS) != 0)
            break;
        p += 8;
    }
    while (p < end && *p < 0x80)
        p++;
    return p;
}

static bool
begin(struct kdp_utf8 *utf8, unsigned char c)
{
    utf8->lo = 0x80;
    utf8->hi = 0xbf;
    if (c < 0xc2) /* a byte from inside a character, or an overlong form */
        return false;
    if (c < 0xe0) {
        utf8->need = 1;
    } else if (c < 0xf0) {
        utf8->need = 2;
        if (c == 0xe0)
            utf8->lo = 0xa0; /* less would be overlong */
        if (c == 0xed)
            utf8->hi = 0x9f; /* more would be a surrogate */
    } else if (c < 0xf5) {
        utf8->need = 3;
        if (c == 0xf0)
            utf8->lo = 0x90;
        if (c == 0xf4)
            utf8->hi = 0x8f; /* more would be above U+10FFFF */
    } else {
        return false;
    }
    return true;
}

bool
kdp_utf8_go_on(struct kdp_utf8 *utf8, const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data, *end = p + len;

    while (p < end) {
        if (utf8->need == 0) {
            p = pass_ascii(p, end);
            if (p == end)
                break;
            if (!begin(utf8, *p++))
                return false;
        } else {
            if (*p < utf8->lo || *p > utf8->hi)
                return false;
            utf8->lo = 0x80;
            utf8->hi = 0xbf;
            utf8->need--;
            p++;
        }
    }
    return true;
}
