/* json_scan.c - tokens of the JSON reader: strings, numbers and literals, checked byte by byte; see
 * json_scan.h. */
#include "json_scan.h"

#include <emmintrin.h>

/* Length of the well-formed UTF-8 sequence at p (which starts with a byte of 0x80 or more), 0 when it is not
 * one; the table of RFC 3629 section 4, which leaves no room for overlongs, surrogates and values over
 * U+10FFFF. */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t need;

    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        need = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        need = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        need = 4;
    else
        return 0;
    if (left < need)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    }
    return need;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hex digits at p as a number, -1 when they are not; the caller saw that four bytes are there. */
static int
hex4(const char *p)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Length of the escape at p ('\\'), 0 with *refusalp and *whyp set when it is none. */
static size_t
escape_length(const char *p, const char *end, enum kdp_refusal *refusalp, const char **whyp)
{
    int unit;

    *refusalp = KDP_REFUSAL_TRUNCATED;
    *whyp = "the text ends inside an escape";
    if (end - p < 2)
        return 0;
    if (p[1] != 'u') {
        if (p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL)
            return 2;
        *refusalp = KDP_REFUSAL_ESCAPE;
        *whyp = "no such escape";
        return 0;
    }
    for (int i = 2; i < 6; i++) {
        if (p + i == end)
            return 0;
        if (hex_digit(p[i]) < 0) {
            *refusalp = KDP_REFUSAL_ESCAPE;
            *whyp = "expected four hex digits";
            return 0;
        }
    }
    unit = hex4(p + 2);
    if (unit < 0xd800 || unit > 0xdfff)
        return 6;
    *refusalp = KDP_REFUSAL_ESCAPE;
    *whyp = "a surrogate without its partner";
    if (unit > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return 0;
    unit = hex4(p + 8);
    return unit >= 0xdc00 && unit <= 0xdfff ? 12 : 0;
}

/* One byte at p that ends a plain run is stepped over: an escape or a UTF-8 sequence, or it is refused. */
static const char *
step_special(struct kdp_json *json, const char *p, bool *escapedp)
{
    const char *end = json->end;
    size_t len;

    if (*p == '\\') {
        enum kdp_refusal refusal;
        const char *why;

        len = escape_length(p, end, &refusal, &why);
        if (len == 0) {
            kdpi_json_refuse(json, refusal,
                             (size_t)((refusal == KDP_REFUSAL_TRUNCATED ? end : p) - json->text), why);
            return NULL;
        }
        *escapedp = true;
        return p + len;
    }
    if ((unsigned char)*p < 0x20) {
        kdpi_json_refuse(json, KDP_REFUSAL_CONTROL, (size_t)(p - json->text),
                         "a control character must be escaped");
        return NULL;
    }
    len = utf8_sequence((const unsigned char *)p, (size_t)(end - p));
    if (len == 0) {
        kdpi_json_refuse(json, KDP_REFUSAL_UTF8, (size_t)(p - json->text), "not UTF-8");
        return NULL;
    }
    return p + len;
}

/* Sixteen bytes a step.  A frame inside a recording's line is a string in which every few bytes a quote is
 * escaped, so escaped quotes, where no backslash stands beside another, are passed by the block as well. */
const char *
kdpi_scan_string(struct kdp_json *json, const char *p, bool *escapedp)
{
    const char *end = json->end;
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);

    *escapedp = false;
    while (end - p >= 17) { /* one more, which a backslash at the end of a block escapes */
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned quotes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, quote));
        unsigned slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, backslash));
        /* as signed bytes, controls and all non-ASCII bytes are less than a space */
        unsigned others = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(x, space));
        unsigned escaped = slashes << 1, closing = quotes & ~escaped;
        unsigned inside =
            closing != 0 ? (closing & (0 - closing)) - 1 : 0xffffu; /* the bits before the closing quote */
        unsigned odd = (others | (slashes & escaped) | (escaped & ~quotes)) & inside;

        if (odd == 0) {
            bool last = (slashes & inside & 0x8000u) != 0;

            *escapedp |= (slashes & inside) != 0;
            if (closing != 0)
                return p + __builtin_ctz(closing);
            p += last ? 15 : 16; /* a backslash at the end begins the next block */
            if (last && p[1] != '"') {
                p = step_special(json, p, escapedp);
                if (p == NULL)
                    return NULL;
            }
            continue;
        }
        *escapedp |= (slashes & ((odd & (0 - odd)) - 1)) != 0; /* quotes escaped before it */
        p += __builtin_ctz(odd);
        /* an escaped byte that is no quote: its backslash stands before it */
        if ((escaped & ~quotes) >> __builtin_ctz(odd) & 1)
            p--;
        p = step_special(json, p, escapedp);
        if (p == NULL)
            return NULL;
    }
    for (;;) {
        while (p < end && *p != '"' && *p != '\\' && (signed char)*p >= 0x20)
            p++;
        if (p == end) {
            kdpi_json_refuse(json, KDP_REFUSAL_TRUNCATED, (size_t)(p - json->text),
                             "the text ends inside a string");
            return NULL;
        }
        if (*p == '"')
            return p;
        p = step_special(json, p, escapedp);
        if (p == NULL)
            return NULL;
    }
}

static size_t
put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Backslashes of the 64 bytes at p. */
static uint64_t
backslashes64(const char *p)
{
    const __m128i backslash = _mm_set1_epi8('\\');
    uint64_t mask = 0;

    for (unsigned i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));

        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, backslash)) << (16 * i);
    }
    return mask;
}

/* Copies len bytes in steps of 16: up to 15 bytes behind them are read and written as well. */
static char *
copy_run(char *o, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i += 16)
        _mm_storeu_si128((__m128i *)(void *)(o + i), _mm_loadu_si128((const __m128i *)(const void *)(p + i)));
    return o + len;
}

/* Takes windows of 64 bytes while 80 are there and the same room.  A quote, a slash or a backslash is its own
 * escape less the backslash before it, so that a frame inside a recording's line is copied in runs from
 * backslash to backslash. Stops at any other escape, before it. */
static char *
unescape_windows(char *o, const char **textp, const char *end)
{
    const char *p = *textp;

    while (end - p >= 80) {
        uint64_t mask = backslashes64(p);
        const char *run = p, *next = p + 64;
        bool other = false;

        while (mask != 0 && !other) {
            const char *slash = p + __builtin_ctzll(mask);

            mask &= mask - 1;
            if (slash[1] == '"' || slash[1] == '/') {
                o = copy_run(o, run, (size_t)(slash - run));
                run = slash + 1;
            } else if (slash[1] == '\\') {
                o = copy_run(o, run, (size_t)(slash - run));
                run = slash + 1;
                if (mask != 0)
                    mask &= mask - 1; /* the one escaped */
                else if (slash == p + 63)
                    next = p + 65; /* it is the first of the next window, and goes with this one */
            } else {
                other = true;
                next = slash;
            }
        }
        o = copy_run(o, run, (size_t)(next - run));
        p = next;
        if (other)
            break;
    }
    *textp = p;
    return o;
}

size_t
kdpi_scan_unescape(char *out, size_t size, const char *p, const char *end)
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    const __m128i backslash = _mm_set1_epi8('\\');
    char *o = out, *o_end = out + size;

    while (p < end) {
        size_t left = (size_t)(end - p);

        /* what is written is never longer than what was read */
        if (left >= 80 && (size_t)(o_end - o) >= left + 16) {
            o = unescape_windows(o, &p, end);
        } else if (left >= 16 && o_end - o >= 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
            unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, backslash));
            unsigned run = mask != 0 ? (unsigned)__builtin_ctz(mask) : 16;

            _mm_storeu_si128((__m128i *)(void *)o, x);
            p += run;
            o += run;
        } else if (*p != '\\') {
            if (o == o_end)
                return SIZE_MAX;
            *o++ = *p++;
            continue;
        }
        if (p == end || *p != '\\')
            continue;
        /* a backslash; the scan has checked what follows */
        if (p[1] != 'u') {
            if (o == o_end)
                return SIZE_MAX;
            *o++ = plain[(unsigned char)p[1]];
            p += 2;
        } else {
            uint32_t code = (uint32_t)hex4(p + 2);

            p += 6;
            if (code >= 0xd800 && code <= 0xdbff) {
                code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex4(p + 2) - 0xdc00);
                p += 6;
            }
            if (o_end - o < 4)
                return SIZE_MAX;
            o += put_utf8(o, code);
        }
    }
    return (size_t)(o - out);
}

const char *
kdpi_scan_number(struct kdp_json *json, const char *p)
{
    const char *end = json->end;

    if (*p == '-')
        p++;
    if (p < end && *p == '0') {
        p++;
        if (p < end && *p >= '0' && *p <= '9') {
            kdpi_json_refuse(json, KDP_REFUSAL_NUMBER, (size_t)(p - json->text),
                             "a number has no leading zero");
            return NULL;
        }
    } else {
        const char *first = p;

        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == first)
            goto no_digit;
    }
    if (p < end && *p == '.') {
        const char *first = ++p;

        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == first)
            goto no_digit;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        const char *first;

        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        first = p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == first)
            goto no_digit;
    }
    return p;

no_digit:
    if (p == end)
        kdpi_json_refuse(json, KDP_REFUSAL_TRUNCATED, (size_t)(p - json->text),
                         "the text ends inside a number");
    else
        kdpi_json_refuse(json, KDP_REFUSAL_NUMBER, (size_t)(p - json->text), "expected a digit");
    return NULL;
}

const char *
kdpi_scan_literal(struct kdp_json *json, const char *p, const char *word)
{
    for (; *word != '\0'; p++, word++) {
        if (p == json->end) {
            kdpi_json_refuse(json, KDP_REFUSAL_TRUNCATED, (size_t)(p - json->text),
                             "the text ends inside a word");
            return NULL;
        }
        if (*p != *word) {
            kdpi_json_refuse(json, KDP_REFUSAL_SYNTAX, (size_t)(p - json->text),
                             "expected true, false or null");
            return NULL;
        }
    }
    return p;
}
