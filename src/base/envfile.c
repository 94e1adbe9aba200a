/* envfile.c - the .env reader of envfile.h: one pass over the text, one line at a time. */
#include "envfile.h"
#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_key(const char *text, size_t len)
{
    if (len == 0 || (text[0] >= '0' && text[0] <= '9'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '_' && !isalnum((unsigned char)text[i]))
            return false;
    }
    return true;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int
refuse(const char *name, unsigned line, const char *why)
{
    int code = kdpi_fail(KDP_EUSAGE, "bad line: %s line %u: %s", name, line, why);

    kdpi_hint("A line is KEY=VALUE, KEY='VALUE' or # a comment; see env.example");
    return code;
}

/* Takes a quoted value at *pp (behind the opening quote) into out; NULL or what is wrong. */
static const char *
unquote(const char **pp, const char *end, char quote, char *out)
{
    const char *p = *pp;

    for (; p < end && *p != quote; p++) {
        char c = *p;

        if (quote == '"' && c == '\\' && p + 1 < end) {
            c = *++p;
            if (c == 'n')
                c = '\n';
            else if (c == 't')
                c = '\t';
            else if (c != '"' && c != '\\' && c != '$')
                return "only \\n \\t \\\" \\\\ \\$ are escapes in double quotes";
        }
        *out++ = c;
    }
    if (p == end)
        return quote == '"' ? "the double quote is not closed on this line"
                            : "the single quote is not closed on this line";
    *out = '\0';
    p++;
    while (p < end && is_blank(*p))
        p++;
    if (p < end && *p != '#')
        return "something stands behind the closing quote";
    *pp = p;
    return NULL;
}

static void
bare_value(const char *p, const char *end, char *out)
{
    const char *stop = p;

    if (p < end && *p == '#')
        end = p; /* KEY= # comment */
    for (; stop < end; stop++) {
        if (*stop == '#' && is_blank(stop[-1]))
            break;
    }
    while (stop > p && is_blank(stop[-1]))
        stop--;
    memcpy(out, p, (size_t)(stop - p));
    out[stop - p] = '\0';
}

/* One line without its end; scratch holds at least its length + 2 bytes. */
static int
parse_line(const char *name, const char *p, const char *end, unsigned line, char *scratch,
           kdpi_envfile_each each, void *arg)
{
    const char *key, *wrong;
    size_t key_len;
    char *value;

    while (p < end && is_blank(*p))
        p++;
    if (p == end || *p == '#')
        return 0;
    if (memchr(p, '\0', (size_t)(end - p)) != NULL)
        return refuse(name, line, "it holds a zero byte");
    if (end - p > 7 && memcmp(p, "export", 6) == 0 && is_blank(p[6])) {
        p += 7;
        while (p < end && is_blank(*p))
            p++;
    }
    key = p;
    while (p < end && *p != '=' && !is_blank(*p))
        p++;
    key_len = (size_t)(p - key);
    if (!is_key(key, key_len))
        return refuse(name, line, "it does not begin with a variable's name");
    while (p < end && is_blank(*p))
        p++;
    if (p == end || *p != '=')
        return refuse(name, line, "there is no = behind the name");
    p++;
    while (p < end && is_blank(*p))
        p++;
    memcpy(scratch, key, key_len);
    scratch[key_len] = '\0';
    value = scratch + key_len + 1;
    if (p < end && (*p == '"' || *p == '\'')) {
        char quote = *p++;

        wrong = unquote(&p, end, quote, value);
        if (wrong != NULL)
            return refuse(name, line, wrong);
    } else {
        bare_value(p, end, value);
    }
    return each(arg, scratch, value, line);
}

int
kdpi_envfile_parse(const char *name, const char *text, size_t len, kdpi_envfile_each each, void *arg)
{
    const char *p = text, *end = text + len;
    char *scratch = malloc(len + 2);
    int rc = 0;

    if (scratch == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: %s", name);
    if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (unsigned line = 1; p < end && rc == 0; line++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        const char *stop = eol != NULL ? eol : end;

        if (stop > p && stop[-1] == '\r')
            stop--;
        rc = parse_line(name, p, stop, line, scratch, each, arg);
        p = eol != NULL ? eol + 1 : end;
    }
    free(scratch);
    return rc;
}

int
kdpi_envfile_read(const char *path, kdpi_envfile_each each, void *arg)
{
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t used = 0;
    char *text;

    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot read the settings file: %s", path);
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        close(fd);
        return kdpi_fail(KDP_EUSAGE, "cannot read the settings file: %s: it is a folder", path);
    }
    text = malloc(KDP_ENVFILE_MAX + 1);
    if (text == NULL) {
        close(fd);
        return kdpi_fail(KDP_ENOMEM, "out of memory: %s", path);
    }
    while (used <= KDP_ENVFILE_MAX) {
        ssize_t got = read(fd, text + used, KDP_ENVFILE_MAX + 1 - used);

        if (got < 0) {
            rc = kdpi_fail_errno(errno, "cannot read the settings file: %s", path);
            goto out;
        }
        if (got == 0)
            break;
        used += (size_t)got;
    }
    if (used > KDP_ENVFILE_MAX)
        rc = kdpi_fail(KDP_EUSAGE, "settings file too large: %s: over %u bytes", path, KDP_ENVFILE_MAX);
    else
        rc = kdpi_envfile_parse(path, text, used, each, arg);
out:
    free(text);
    close(fd);
    return rc;
}
