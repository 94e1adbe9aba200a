/* screen.c - see screen.h.  No locale has a part in it. */
#include "screen.h"
#include "clock.h"
#include "decimal.h"

#include <stdio.h>
#include <string.h>

/* Writes value with commas at p and returns the end. */
static char *
put_count(char *p, uint64_t value)
{
    char digits[24];
    int count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        *p++ = digits[--count];
        if (count > 0 && count % 3 == 0)
            *p++ = ',';
    }
    *p = '\0';
    return p;
}

/* Writes a value of scale decimals: as many of them as are not zero at the end, but at least so many. */
static char *
put_decimal(char *p, uint64_t value, unsigned scale, unsigned least)
{
    uint64_t unit = 1;
    unsigned left = scale;

    for (unsigned i = 0; i < scale; i++)
        unit *= 10;
    p = put_count(p, value / unit);
    for (value %= unit; left > least && value % 10 == 0; left--)
        value /= 10;
    if (left == 0)
        return p;
    *p = '.';
    for (unsigned i = left; i > 0; i--) {
        p[i] = (char)('0' + value % 10);
        value /= 10;
    }
    p += left + 1;
    *p = '\0';
    return p;
}

static uint64_t
magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static char *
dash(char *buf)
{
    buf[0] = '-';
    buf[1] = '\0';
    return buf + 1;
}

static char *
put_price(char *buf, int32_t price_e4)
{
    char *p = buf;

    if (price_e4 == INT32_MIN)
        return dash(buf);
    if (price_e4 < 0)
        *p++ = '-';
    return put_decimal(p, magnitude(price_e4), 4, 2);
}

char *
kdpi_screen_price(char *buf, int32_t price_e4)
{
    put_price(buf, price_e4);
    return buf;
}

static char *
put_size(char *buf, int64_t size_e2)
{
    uint64_t value = magnitude(size_e2);
    char *p = buf;

    if (size_e2 == INT64_MIN)
        return dash(buf);
    if (size_e2 < 0)
        *p++ = '-';
    /* 12.50, not 12.5: a size has two decimals or none */
    return value % 100 == 0 ? put_count(p, value / 100) : put_decimal(p, value, 2, 2);
}

char *
kdpi_screen_size(char *buf, int64_t size_e2)
{
    put_size(buf, size_e2);
    return buf;
}

char *
kdpi_screen_change(char *buf, int64_t size_e2)
{
    if (size_e2 < 0) {
        put_size(buf, size_e2);
    } else {
        buf[0] = '+';
        put_size(buf + 1, size_e2);
    }
    return buf;
}

char *
kdpi_screen_count(char *buf, uint64_t count)
{
    put_count(buf, count);
    return buf;
}

char *
kdpi_screen_cash(char *buf, int64_t value, unsigned scale)
{
    char *p = buf;

    if (value == INT64_MIN) {
        dash(buf);
        return buf;
    }
    if (value < 0)
        *p++ = '-';
    put_decimal(p, magnitude(value), scale, scale < 2 ? scale : 2);
    return buf;
}

/* Fills up with spaces to so many characters behind the point. */
static char *
fill(char *buf, char *end, unsigned decimals)
{
    const char *dot = strchr(buf, '.');
    size_t shown = dot != NULL ? (size_t)(end - dot) : 0;

    for (; shown < decimals + 1u; shown++)
        *end++ = ' ';
    *end = '\0';
    return buf;
}

char *
kdpi_screen_price_column(char *buf, int32_t price_e4)
{
    return fill(buf, put_price(buf, price_e4), 4);
}

char *
kdpi_screen_size_column(char *buf, int64_t size_e2)
{
    return fill(buf, put_size(buf, size_e2), 2);
}

char *
kdpi_screen_span(char *buf, int64_t ns)
{
    static const struct {
        uint64_t unit;
        const char *name;
    } parts[] = {{1, "ns"}, {1000, "us"}, {1000000, "ms"}, {1000000000, "s"}};
    uint64_t span = magnitude(ns), s = span / (uint64_t)KDP_NS_PER_S;
    const char *sign = ns < 0 ? "-" : "";
    int i = 0;

    if (ns == INT64_MIN) {
        dash(buf);
    } else if (s >= 86400) {
        snprintf(buf, KDPI_SCREEN_TEXT, "%s%u d %u h", sign, (unsigned)(s / 86400),
                 (unsigned)(s / 3600 % 24));
    } else if (s >= 3600) {
        snprintf(buf, KDPI_SCREEN_TEXT, "%s%u h %u min", sign, (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
    } else if (s >= 60) {
        snprintf(buf, KDPI_SCREEN_TEXT, "%s%u min %u s", sign, (unsigned)(s / 60), (unsigned)(s % 60));
    } else {
        /* one decimal below 10 of a unit: 1.9 s, 42 s */
        unsigned tenths;

        while (i < 3 && span >= parts[i].unit * 1000)
            i++;
        tenths = i > 0 ? (unsigned)(span * 10 / parts[i].unit) : (unsigned)span * 10;
        if (i > 0 && tenths < 100)
            snprintf(buf, KDPI_SCREEN_TEXT, "%s%u.%u %s", sign, tenths / 10, tenths % 10, parts[i].name);
        else
            snprintf(buf, KDPI_SCREEN_TEXT, "%s%u %s", sign, tenths / 10, parts[i].name);
    }
    return buf;
}

char *
kdpi_screen_bytes(char *buf, uint64_t bytes)
{
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1, tenths = bytes;
    unsigned i = 0;

    if (bytes < 1000) {
        snprintf(buf, KDPI_SCREEN_TEXT, "%u B", (unsigned)bytes);
        return buf;
    }
    do {
        unit *= 1000;
        i++;
        tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
    } while (tenths >= 10000);
    if (tenths % 10 == 0)
        snprintf(buf, KDPI_SCREEN_TEXT, "%u %s", (unsigned)(tenths / 10), names[i]);
    else
        snprintf(buf, KDPI_SCREEN_TEXT, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
                 names[i]);
    return buf;
}

char *
kdpi_screen_hash(char *buf, uint64_t hash)
{
    snprintf(buf, KDPI_SCREEN_TEXT, "%016llx", (unsigned long long)hash);
    return buf;
}
