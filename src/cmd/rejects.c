/* rejects.c - see rejects.h. */
#include "rejects.h"

#include <string.h>
#include <sys/stat.h>

#include "clock.h"

static FILE *
open_file(struct kdp_rejects *rejects)
{
    char stamp[KDPI_TIME_TEXT];

    if (rejects->out != NULL || rejects->path[0] != '\0') /* tried once */
        return rejects->out;
    snprintf(rejects->path, sizeof rejects->path, "%s/rejects", rejects->dir);
    mkdir(rejects->path, 0777);
    kdpi_time_format(stamp, kdpi_now_ns(), 6);
    snprintf(rejects->path, sizeof rejects->path, "%s/rejects/%s.jsonl", rejects->dir,
             rejects->name[0] != '\0' ? rejects->name : stamp);
    rejects->out = fopen(rejects->path, "we");
    return rejects->out;
}

/* Bytes that may not be UTF-8 are kept as code points below 256. */
static void
json_bytes(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

void
kdp_rejects_add(struct kdp_rejects *rejects, bool named, const char *file, uint64_t line, size_t position,
                const char *member, const char *why, const char *text, size_t len)
{
    bool keep = rejects->bytes_max == 0 || rejects->kept_bytes < rejects->bytes_max;
    FILE *out = keep ? open_file(rejects) : NULL;

    rejects->count++;
    rejects->kept_bytes += len + 128;
    if (out != NULL) {
        fputs("{\"file\":", out);
        json_bytes(out, file, strlen(file));
        fprintf(out,
                ",\"line\":%llu,\"position\":%zu,\"member\":\"%s\",\"reason\":", (unsigned long long)line,
                position, member);
        json_bytes(out, why, strlen(why)); /* expected "," or "}" */
        fputs(",\"text\":", out);
        json_bytes(out, text, len);
        fputs("}\n", out);
    }
    if (!named)
        return;
    if (rejects->count <= 10)
        kdp_cli_warning(rejects->cli, NULL, "%s line %llu, column %zu: %s%s%s", file,
                        (unsigned long long)line, position + 1, member, member[0] != '\0' ? ": " : "", why);
    if (rejects->count == 10)
        kdp_cli_warning(rejects->cli, NULL, "10 refused lines named, the rest is counted; all are kept in %s",
                        rejects->path);
}

void
kdp_rejects_close(struct kdp_rejects *rejects)
{
    if (rejects->out != NULL)
        fclose(rejects->out);
    rejects->out = NULL;
}
