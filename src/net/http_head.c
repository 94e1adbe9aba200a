/* http_head.c - see http_head.h.
 *
 * Strict where reading loosely has led two programs to see two different requests (bare line feeds, folded lines, blanks before
 * the colon, lengths given twice), since a head that nobody writes in earnest is better refused than guessed at. */
#include "http_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "kdp/records.h"

int
kdp_http_head_end(const char *bytes, size_t len)
{
    size_t limit = len < KDP_HTTP_HEAD_MAX ? len : KDP_HTTP_HEAD_MAX;
    const char *end = memmem(bytes, limit, "\r\n\r\n", 4);

    if (end != NULL)
        return (int)(end - bytes) + 4;
    return len < KDP_HTTP_HEAD_MAX ? 0 : -KDP_EFORMAT;
}

bool
kdp_http_line(const char **atp, const char *end, struct kdp_http_slice *line)
{
    const char *p = *atp;

    line->data = p;
    for (; p < end && *p != '\r'; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    if (end - p < 2 || p[1] != '\n')
        return false;
    line->len = (size_t)(p - line->data);
    *atp = p + 2;
    return true;
}

static bool
is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool
kdp_http_is_token(struct kdp_http_slice slice)
{
    for (size_t i = 0; i < slice.len; i++)
        if (!is_token_char(slice.data[i]))
            return false;
    return slice.len > 0;
}

static struct kdp_http_slice
trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct kdp_http_slice){from, (size_t)(to - from)};
}

bool
kdp_http_field(struct kdp_http_slice line, struct kdp_http_slice *name, struct kdp_http_slice *value)
{
    const char *colon = memchr(line.data, ':', line.len);

    if (colon == NULL)
        return false;
    *name = (struct kdp_http_slice){line.data, (size_t)(colon - line.data)};
    *value = trim(colon + 1, line.data + line.len);
    return kdp_http_is_token(*name);
}

bool
kdp_http_is(struct kdp_http_slice slice, const char *word)
{
    return slice.len == strlen(word) && strncasecmp(slice.data, word, slice.len) == 0;
}

bool
kdp_http_lists(struct kdp_http_slice value, const char *word)
{
    const char *p = value.data, *end;

    if (value.len == 0) /* data may be NULL */
        return false;
    end = p + value.len;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        if (comma == NULL)
            comma = end;
        if (kdp_http_is(trim(p, comma), word))
            return true;
        p = comma < end ? comma + 1 : end;
    }
    return false;
}

int64_t
kdp_http_length(struct kdp_http_slice value)
{
    int64_t length = 0;

    if (value.len == 0 || value.len > 15)
        return -1;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return -1;
        length = length * 10 + (value.data[i] - '0');
    }
    return length;
}

int64_t
kdp_http_date(struct kdp_http_slice value)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *text = value.data;
    char iso[KDPI_TIME_TEXT];
    int64_t ns;

    /* the one form that servers may send (RFC 9110 5.6.7); the day's name is not compared with the date */
    if (value.len != 29 || text[3] != ',' || text[4] != ' ' || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || memcmp(text + 25, " GMT", 4) != 0)
        return KDP_TIME_NULL;
    for (int month = 0; month < 12; month++) {
        if (memcmp(text + 8, months + 3 * month, 3) != 0)
            continue;
        snprintf(iso, sizeof iso, "%.4s-%02d-%.2sT%.8sZ", text + 12, month + 1, text + 5, text + 17);
        return kdpi_time_parse(iso, strlen(iso), &ns) == 0 ? ns : KDP_TIME_NULL;
    }
    return KDP_TIME_NULL;
}
