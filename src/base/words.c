/* words.c - see words.h; the distance is optimal string alignment over three rows. */
#include "words.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 63

static int
fold(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned
kdpi_word_distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return 1000;
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned change = above[j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));

            row[j] = least(change, least(above[j] + 1, row[j - 1] + 1));
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[la % 3][lb];
}

int
kdpi_word_near(const char *typed, const char *meant, unsigned distance)
{
    size_t len = strlen(typed), other = strlen(meant);

    if (len > other)
        len = other;
    return distance <= (len <= 3 ? 1 : len <= 7 ? 2 : 3);
}

void
kdpi_json_text(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

void
kdpi_hide(char *text, size_t len, const char *secret)
{
    size_t size = secret != NULL ? strlen(secret) : 0;
    char *end = text + len;

    if (size < 4)
        return;
    while ((text = memmem(text, (size_t)(end - text), secret, size)) != NULL) {
        memset(text, '*', size);
        text += size;
    }
}

bool
kdpi_utf8_whole(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + len;

    while (at < end) {
        unsigned c = *at++;
        unsigned more = c < 0x80                ? 0
                        : c >= 0xc2 && c < 0xe0 ? 1
                        : (c & 0xf0) == 0xe0    ? 2
                        : c >= 0xf0 && c < 0xf5 ? 3
                                                : 9;

        if (more == 0)
            continue;
        if (more > 3 || (size_t)(end - at) < more || (at[0] & 0xc0) != 0x80)
            return false;
        if ((c == 0xe0 && at[0] < 0xa0) || (c == 0xed && at[0] >= 0xa0) || (c == 0xf0 && at[0] < 0x90) ||
            (c == 0xf4 && at[0] >= 0x90))
            return false;
        for (unsigned i = 1; i < more; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += more;
    }
    return true;
}
