/* bulk_input.c - see bulk_input.h. */
#include "bulk_input.h"

#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "error.h"

static int64_t
read_download(void *arg, void *buf, size_t size)
{
    return kdp_download_read(arg, buf, size);
}

static int64_t
read_source(void *arg, void *buf, size_t size)
{
    return kdp_source_read(arg, buf, size);
}

static int
open_file(struct kdp_bulk_input *input, const char *path)
{
    const unsigned char *head;
    struct stat st;
    size_t len;
    int rc;

    snprintf(input->name, sizeof input->name, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = kdpi_fail(KDP_EINVAL, "cannot read: %s: it is a folder", path);
        kdpi_hint("Name one file in it: --file %s/trade_data_2026-09-19.json.gz", path);
        return rc;
    }
    rc = kdp_source_open(&input->source, path);
    if (rc != 0)
        return rc;
    head = kdp_source_head(input->source, &len);
    input->plain = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
                   !(len >= 2 && head[0] == 0x1f && head[1] == 0x8b) &&
                   !(len >= 4 && head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f);
    return 0;
}

static int
open_address(struct kdp_bulk_input *input, const struct kdp_cli *cli, const char *url)
{
    struct kdp_download_config config = {
        .url = url, .ca_file = kdp_cli_text(cli, "ca-file"), .stopped = kdp_cli_interrupted};
    int rc;

    snprintf(input->name, sizeof input->name, "%s", url);
    rc = kdp_download_open(&input->download, &config);
    if (rc != 0)
        return rc;
    return kdp_source_open_read(&input->source, url, read_download, input->download,
                                kdp_download_size(input->download));
}

static bool
ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);

    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

/* A bucket that is not listed answers 403 for what it does not have. */
static bool
not_there(int rc)
{
    return rc == -KDP_ENOENT || (rc == -KDP_EREFUSED && strstr(kdp_error_text(), "status 403") != NULL);
}

static int
no_such_day(const char *url)
{
    size_t len = strcspn(url, "?");
    int rc = kdpi_fail(KDP_ENOENT, "no file for that day: %s: the server does not have it", url);

    if (ends_with(url, len, ".json.gz"))
        kdpi_hint("Older days are plain: %.*s.json; or leave the ending out and both are tried", (int)len - 8,
                  url);
    else if (ends_with(url, len, ".json"))
        kdpi_hint("Recent days are compressed: %.*s.gz; or leave the ending out and both are tried", (int)len,
                  url);
    else
        kdpi_hint("Tried with .json.gz and .json. Files come a day or two late, and begin with 2021-06-30: "
                  "try another day");
    return rc;
}

/* An address without an ending stands for the compressed file, or else the plain one. */
static int
open_url(struct kdp_bulk_input *input, const struct kdp_cli *cli, const char *url)
{
    static const char *const endings[] = {".json.gz", ".json"};
    size_t len = strcspn(url, "?");
    char full[1200];
    int rc = -KDP_ENOENT;

    if (strncmp(url, "file://", 7) == 0)
        return open_file(input, strncmp(url + 7, "localhost/", 10) == 0 ? url + 16 : url + 7);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        rc = kdpi_fail(KDP_EUSAGE, "--url \"%s\" is not an address", url);
        kdpi_hint("It begins with https://, http:// or file://; a file's name goes behind --file");
        return rc;
    }
    if (strlen(url) > 1000)
        return kdpi_fail(KDP_EUSAGE, "--url is longer than 1,000 bytes");
    if (ends_with(url, len, ".json") || ends_with(url, len, ".gz") || ends_with(url, len, ".jsonl") ||
        ends_with(url, len, ".zst") || url[len] == '?') {
        rc = open_address(input, cli, url);
        return not_there(rc) ? no_such_day(url) : rc;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings && not_there(rc); i++) {
        snprintf(full, sizeof full, "%s%s", url, endings[i]);
        rc = open_address(input, cli, full);
    }
    return not_there(rc) ? no_such_day(url) : rc;
}

static int
open_day(struct kdp_bulk_input *input, const struct kdp_cli *cli)
{
    const char *base = kdp_cli_text(cli, "bulk-url"), *const * what;
    unsigned count = kdp_cli_list(cli, "what", &what);
    char url[1200], day[16];
    int64_t ns;
    int rc = kdp_cli_time(cli, "date", &ns);

    if (rc != 0)
        return -KDP_EUSAGE;
    kdpi_day_format(day, kdpi_day_of(ns));
    snprintf(url, sizeof url, "%.900s%s%s_data_%s", base, base[strlen(base) - 1] == '/' ? "" : "/",
             count > 0 && strcmp(what[0], "markets") == 0 ? "market" : "trade", day);
    return open_url(input, cli, url);
}

int
kdp_bulk_input_open(struct kdp_bulk_input *input, const struct kdp_cli *cli)
{
    const char *file = kdp_cli_text(cli, "file"), *url = kdp_cli_text(cli, "url");
    int rc;

    *input = (struct kdp_bulk_input){.source = NULL};
    rc = file != NULL  ? open_file(input, file)
         : url != NULL ? open_url(input, cli, url)
                       : open_day(input, cli);
    return rc != 0 ? rc : kdp_rows_open(&input->rows, input->name, read_source, input->source);
}

void
kdp_bulk_input_close(struct kdp_bulk_input *input)
{
    kdp_rows_close(input->rows);
    kdp_source_close(input->source);
    kdp_download_close(input->download);
    *input = (struct kdp_bulk_input){.source = NULL};
}

void
kdp_bulk_input_name(const struct kdp_bulk_input *input, char *buf, size_t size)
{
    size_t len = strcspn(input->name, "?");
    const char *slash = memrchr(input->name, '/', len),
               *name = slash != NULL && slash[1] != '\0' ? slash + 1 : input->name;

    snprintf(buf, size, "%.*s", (int)(len - (size_t)(name - input->name)), name);
}
