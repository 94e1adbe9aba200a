/* clock.c - clocks, and times to and from text without libc's zones and locales. */
#include "clock.h"
#include "error.h"

#include <time.h>

int64_t
kdpi_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * KDP_NS_PER_S + ts.tv_nsec;
}

int64_t
kdpi_mono_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * KDP_NS_PER_S + ts.tv_nsec;
}

/* Days from civil and back: the era arithmetic of Howard Hinnant's public description. */
static int64_t
days_from_civil(int64_t y, unsigned m, unsigned d)
{
    int64_t era;
    unsigned yoe, doy, doe;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = (unsigned)(y - era * 400);
    doy = (153 * (m + (m > 2 ? (unsigned)-3 : 9u)) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void
civil_from_days(int64_t z, int *yp, unsigned *mp, unsigned *dp)
{
    int64_t era;
    unsigned doe, yoe, doy, mp0;

    z += 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    doe = (unsigned)(z - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp0 = (5 * doy + 2) / 153;
    *dp = doy - (153 * mp0 + 2) / 5 + 1;
    *mp = mp0 < 10 ? mp0 + 3 : mp0 - 9;
    *yp = (int)(yoe + era * 400 + (*mp <= 2));
}

static int
digits(const char *text, size_t count, unsigned *outp)
{
    unsigned value = 0;

    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *outp = value;
    return 0;
}

/* Reads ".123" at *textp as nanoseconds; more than 9 digits are not a time. */
static int
fraction(const char **textp, const char *end, int64_t *nsp)
{
    const char *p = *textp;
    int64_t ns = 0;
    int n = 0;

    *nsp = 0;
    if (p == end || *p != '.')
        return 0;
    for (p++; p < end && *p >= '0' && *p <= '9'; p++, n++) {
        if (n == 9)
            return -1;
        ns = ns * 10 + (*p - '0');
    }
    if (n == 0)
        return -1;
    for (; n < 9; n++)
        ns *= 10;
    *textp = p;
    *nsp = ns;
    return 0;
}

static int
parse_unix(const char *text, size_t len, int64_t *outp)
{
    const char *p = text, *end = text + len;
    int64_t s = 0, ns;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        s = s * 10 + (*p - '0');
        if (s > INT64_MAX / KDP_NS_PER_S - 1)
            return -KDP_EFORMAT;
    }
    if (p == text || fraction(&p, end, &ns) != 0 || p != end)
        return -KDP_EFORMAT;
    *outp = s * KDP_NS_PER_S + ns;
    return 0;
}

int
kdpi_time_parse(const char *text, size_t len, int64_t *outp)
{
    static const unsigned char month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p, *end = text + len;
    unsigned year, month, day, hour = 0, minute = 0, second = 0, oh, om;
    int64_t ns = 0, offset_s = 0, seconds;

    if (len < 10 || text[4] != '-' || text[7] != '-')
        return parse_unix(text, len, outp);
    if (digits(text, 4, &year) != 0 || digits(text + 5, 2, &month) != 0 || digits(text + 8, 2, &day) != 0)
        return -KDP_EFORMAT;
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1])
        return -KDP_EFORMAT;
    if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
        return -KDP_EFORMAT;
    p = text + 10;
    if (p < end) {
        if (end - p < 9 || (*p != 'T' && *p != 't' && *p != ' ') || p[3] != ':' || p[6] != ':')
            return -KDP_EFORMAT;
        if (digits(p + 1, 2, &hour) != 0 || digits(p + 4, 2, &minute) != 0 || digits(p + 7, 2, &second) != 0)
            return -KDP_EFORMAT;
        if (hour > 23 || minute > 59 || second > 60)
            return -KDP_EFORMAT;
        p += 9;
        if (fraction(&p, end, &ns) != 0 || p == end)
            return -KDP_EFORMAT;
        if (*p == 'Z' || *p == 'z') {
            p++;
        } else if ((*p == '+' || *p == '-') && end - p == 6 && p[3] == ':' && digits(p + 1, 2, &oh) == 0 &&
                   digits(p + 4, 2, &om) == 0 && oh < 24 && om < 60) {
            offset_s = (int64_t)(oh * 3600 + om * 60);
            if (*p == '-')
                offset_s = -offset_s;
            p += 6;
        } else {
            return -KDP_EFORMAT;
        }
        if (p != end)
            return -KDP_EFORMAT;
    }
    seconds =
        days_from_civil((int64_t)year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second);
    *outp = (seconds - offset_s) * KDP_NS_PER_S + ns;
    return 0;
}

static void
put(char *buf, unsigned value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        buf[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

size_t
kdpi_day_format(char *buf, int32_t day)
{
    unsigned month, dom;
    int year;

    civil_from_days(day, &year, &month, &dom);
    put(buf, (unsigned)year, 4);
    buf[4] = '-';
    put(buf + 5, month, 2);
    buf[7] = '-';
    put(buf + 8, dom, 2);
    buf[10] = '\0';
    return 10;
}

int32_t
kdpi_day_of(int64_t ns)
{
    int64_t day = ns / KDP_NS_PER_DAY;

    return (int32_t)(ns % KDP_NS_PER_DAY < 0 ? day - 1 : day);
}

size_t
kdpi_time_format(char *buf, int64_t ns, int ndigits)
{
    int32_t day;
    int64_t rest;
    unsigned s, fraction_ns;
    size_t len;

    if (ns == INT64_MIN) {
        buf[0] = '\0';
        return 0;
    }
    day = kdpi_day_of(ns);
    rest = ns % KDP_NS_PER_DAY; /* not ns - day * ...: the first day's start lies below INT64_MIN */
    if (rest < 0)
        rest += KDP_NS_PER_DAY;
    s = (unsigned)(rest / KDP_NS_PER_S);
    fraction_ns = (unsigned)(rest % KDP_NS_PER_S);
    len = kdpi_day_format(buf, day);
    buf[len] = 'T';
    put(buf + 11, s / 3600, 2);
    buf[13] = ':';
    put(buf + 14, s / 60 % 60, 2);
    buf[16] = ':';
    put(buf + 17, s % 60, 2);
    len = 19;
    if (ndigits > 0) {
        for (int i = ndigits; i < 9; i++)
            fraction_ns /= 10;
        buf[len] = '.';
        put(buf + len + 1, fraction_ns, ndigits);
        len += 1 + (size_t)ndigits;
    }
    buf[len++] = 'Z';
    buf[len] = '\0';
    return len;
}
