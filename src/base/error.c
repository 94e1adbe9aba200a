/* error.c - the per-thread error words of error.h. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char last_text[1024];
static _Thread_local char last_hint[512];

int
kdpi_fail(enum kdp_error code, const char *fmt, ...)
{
    char text[sizeof last_text];
    va_list args;

    /* formatted apart first: an argument may be the previous error's text */
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(last_text, text, sizeof text);
    last_hint[0] = '\0';
    return -(int)code;
}

static enum kdp_error
code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return KDP_ENOENT;
    case EEXIST:
        return KDP_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS:
        return KDP_EACCESS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit on file sizes ends like a full disk: wait, and go on when it is lifted */
        return KDP_EFULL;
    case ENOMEM:
        return KDP_ENOMEM;
    case EBUSY:
        return KDP_EBUSY;
    default:
        return KDP_EIO;
    }
}

int
kdpi_fail_errno(int errnum, const char *fmt, ...)
{
    char text[sizeof last_text - 128], word[128];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(word, sizeof word, "%s", strerror(errnum));
    if (word[0] >= 'A' && word[0] <= 'Z' && word[1] >= 'a' && word[1] <= 'z')
        word[0] = (char)(word[0] + ('a' - 'A'));
    return kdpi_fail(code_of_errno(errnum), "%s: %s", text, word);
}

void
kdpi_hint(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(last_hint, sizeof last_hint, fmt, args);
    va_end(args);
}

const char *
kdp_error_text(void)
{
    return last_text;
}

const char *
kdp_error_hint(void)
{
    return last_hint;
}

const char *
kdp_error_name(int code)
{
    switch (code < 0 ? -code : code) {
#define KDP_X(name, value, text) \
    case value:                  \
        return "E" #name;
        KDP_ERROR_LIST(KDP_X)
#undef KDP_X
    default:
        return "E?";
    }
}

char *
kdpi_escape(char *buf, size_t size, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;

    for (size_t i = 0; i < len && used + 5 <= size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f) {
            buf[used++] = '\\';
            buf[used++] = 'x';
            buf[used++] = hex[c >> 4];
            buf[used++] = hex[c & 15];
        } else {
            buf[used++] = (char)c;
        }
    }
    if (size > 0)
        buf[used < size ? used : size - 1] = '\0';
    return buf;
}

void
kdpi_assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "kdp: bug: %s:%d: %s does not hold\n", file, line, expr);
    fflush(NULL);
    abort();
}
