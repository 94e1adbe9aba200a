/* rows_scan.c - see rows_scan.h. */
#include "rows_scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "rows.h"

/* Bytes of the UTF-8 character at p (not ASCII), 0 when it is none. */
static unsigned
utf8_length(const unsigned char *p)
{
    unsigned min2 = 0x80, max2 = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return p[1] >= 0x80 && p[1] <= 0xbf ? 2 : 0;
    if ((p[0] & 0xf0) == 0xe0) {
        if (p[0] == 0xe0)
            min2 = 0xa0;
        if (p[0] == 0xed)
            max2 = 0x9f;
        return p[1] >= min2 && p[1] <= max2 && p[2] >= 0x80 && p[2] <= 0xbf ? 3 : 0;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (p[0] == 0xf0)
            min2 = 0x90;
        if (p[0] == 0xf4)
            max2 = 0x8f;
        return p[1] >= min2 && p[1] <= max2 && p[2] >= 0x80 && p[2] <= 0xbf && p[3] >= 0x80 && p[3] <= 0xbf
                   ? 4
                   : 0;
    }
    return 0;
}

static int
hex_value(const char *p)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i];
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Past an escape (p at the backslash); NULL with the fault noted. */
static const char *
pass_escape(const char *p, struct kdp_rows_scan *scan)
{
    int code;

    if (strchr("\"\\/bfnrt", p[1]) != NULL && p[1] != '\0')
        return p + 2;
    if (p[1] == 'u') {
        code = hex_value(p + 2);
        if (code >= 0xd800 && code <= 0xdbff && p[6] == '\\' && p[7] == 'u') {
            int low = hex_value(p + 8);

            if (low >= 0xdc00 && low <= 0xdfff)
                return p + 12;
        } else if (code >= 0 && (code < 0xd800 || code > 0xdfff)) {
            return p + 6;
        }
    }
    scan->fault = p;
    scan->why = "invalid escape in a text";
    return NULL;
}

const char *
kdpi_rows_string(const char *p, bool *escapedp, struct kdp_rows_scan *scan)
{
    for (;;) {
        unsigned char c;

#ifdef __SSE2__
        for (;;) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
            /* signed: what is below blank, a control character or not ASCII, wants a look */
            __m128i hit = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
                _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
            unsigned mask = (unsigned)_mm_movemask_epi8(hit);

            if (mask != 0) {
                p += __builtin_ctz(mask);
                break;
            }
            p += 16;
        }
#else
        while (*p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
            p++;
#endif
        c = (unsigned char)*p;
        if (c == '"')
            return p;
        if (c == '\\') {
            *escapedp = true;
            p = pass_escape(p, scan);
            if (p == NULL)
                return NULL;
        } else if (c >= 0x80) {
            unsigned len = utf8_length((const unsigned char *)p);

            if (len == 0) {
                scan->fault = p;
                scan->why = "invalid UTF-8 in a text";
                return NULL;
            }
            p += len;
        } else {
            scan->fault = p;
            scan->why = "a control character in a text";
            return NULL;
        }
    }
}

static const char *
pass_digits(const char *p)
{
    while ((unsigned)(*p - '0') < 10)
        p++;
    return p;
}

static const char *
pass_number(const char *p, struct kdp_rows_scan *scan)
{
    const char *first = p, *digits;

    p += *p == '-';
    digits = p;
    p = pass_digits(p);
    if (p == digits || (*digits == '0' && p - digits > 1))
        goto bad;
    if (*p == '.') {
        digits = ++p;
        p = pass_digits(p);
        if (p == digits)
            goto bad;
    }
    if ((*p | 32) == 'e') {
        p++;
        p += *p == '+' || *p == '-';
        digits = p;
        p = pass_digits(p);
        if (p == digits)
            goto bad;
    }
    return p;
bad:
    scan->fault = *p == '\0' ? p : first;
    scan->why = "not a JSON number";
    return NULL;
}

static const char *
pass_word(const char *p, const char *word, struct kdp_rows_scan *scan)
{
    size_t i = 0;

    while (word[i] != '\0' && p[i] == word[i])
        i++;
    if (word[i] == '\0')
        return p + i;
    scan->fault = p[i] == '\0' ? p + i : p;
    scan->why = "expected a value";
    return NULL;
}

const char *
kdpi_rows_scalar(const char *p, uint8_t *kindp, bool *escapedp, struct kdp_rows_scan *scan)
{
    switch (*p) {
    case '"':
        *kindp = KDP_JSON_STRING;
        p = kdpi_rows_string(p + 1, escapedp, scan);
        return p != NULL ? p + 1 : NULL;
    case 'n':
        *kindp = KDP_JSON_NULL;
        return pass_word(p, "null", scan);
    case 't':
        *kindp = KDP_JSON_TRUE;
        return pass_word(p, "true", scan);
    case 'f':
        *kindp = KDP_JSON_FALSE;
        return pass_word(p, "false", scan);
    default:
        if (*p == '-' || (unsigned)(*p - '0') < 10) {
            *kindp = KDP_JSON_NUMBER;
            return pass_number(p, scan);
        }
        scan->fault = p;
        scan->why = "expected a value";
        return NULL;
    }
}

const char *
kdpi_rows_nested(const char *p, struct kdp_rows_scan *scan)
{
    char open[KDP_ROWS_DEPTH_MAX];
    unsigned depth = 0;
    uint8_t kind;
    bool escaped;

    for (;;) {
        /* a value is due */
        p = kdpi_rows_blanks(p);
        if (*p == '{' || *p == '[') {
            if (depth == KDP_ROWS_DEPTH_MAX) {
                scan->fault = p;
                scan->why = "nested too deep";
                return NULL;
            }
            open[depth++] = *p;
            p = kdpi_rows_blanks(p + 1);
            if (*p != (open[depth - 1] == '{' ? '}' : ']')) {
                if (open[depth - 1] == '[')
                    continue;
                goto key;
            }
        } else {
            p = kdpi_rows_scalar(p, &kind, &escaped, scan);
            if (p == NULL)
                return NULL;
            p = kdpi_rows_blanks(p);
        }
        /* a value has ended, or stands at its closing bracket when it was empty */
        for (;;) {
            if (*p == (open[depth - 1] == '{' ? '}' : ']')) {
                if (--depth == 0)
                    return p + 1;
                p = kdpi_rows_blanks(p + 1);
                continue;
            }
            break;
        }
        if (*p != ',') {
            scan->fault = p;
            scan->why = "expected \",\" or a closing bracket";
            return NULL;
        }
        p = kdpi_rows_blanks(p + 1);
        if (open[depth - 1] == '[')
            continue;
    key:
        if (*p != '"') {
            scan->fault = p;
            scan->why = "expected a member's name";
            return NULL;
        }
        p = kdpi_rows_string(p + 1, &escaped, scan);
        if (p == NULL)
            return NULL;
        p = kdpi_rows_blanks(p + 1);
        if (*p != ':') {
            scan->fault = p;
            scan->why = "expected \":\"";
            return NULL;
        }
        p++;
    }
}

static char *
put_code(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 63));
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

size_t
kdpi_rows_unescape(const char *text, size_t len, char *buf, size_t size)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *p = text, *end = text + len;
    char *out = buf;

    while (p < end && (size_t)(out - buf) + 5 < size) {
        const char *which;

        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        which = strchr(plain, p[1]);
        if (which != NULL) {
            *out++ = meant[which - plain];
            p += 2;
        } else {
            unsigned code = (unsigned)hex_value(p + 2);

            p += 6;
            if (code >= 0xd800 && code <= 0xdbff) {
                code = 0x10000 + ((code - 0xd800) << 10) + ((unsigned)hex_value(p + 2) - 0xdc00);
                p += 6;
            }
            out = put_code(out, code);
        }
    }
    *out = '\0';
    return (size_t)(out - buf);
}
