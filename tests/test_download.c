/* Files read from a server as they come: cuts are mended, other files are not mixed in, and an end is an end. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "download.h"
#include "error.h"
#include "kdp_test.h"
#include "net_server.h"

#define FILE_BYTES 300000u

enum how { WHOLE, CUT, SILENT, NO_RANGE, WRONG_RANGE, CHANGED, GONE_LATER, MISSING, NEVER };

struct served {
    enum how how;
    char bytes[FILE_BYTES];
};

static unsigned
number_behind(const char *text, const char *word)
{
    const char *at = strstr(text, word);

    return at != NULL ? (unsigned)strtoul(at + strlen(word), NULL, 10) : 0;
}

static bool
serve(void *arg, struct net_conn *conn, const char *head)
{
    struct served *served = arg;
    char range[64], line[256], tag[64];
    bool ranged = net_header(head, "Range", range, sizeof range);
    unsigned from = ranged ? number_behind(range, "bytes=") : 0, count = net_number(conn);
    size_t send;

    if (served->how == MISSING || (served->how == GONE_LATER && count > 0)) {
        net_answer(conn, "404 Not Found", "Connection: close\r\n", "gone");
        return false;
    }
    if (served->how == NEVER && count > 0)
        return false;
    if (ranged)
        CHECK(net_header(head, "If-Range", tag, sizeof tag) && strcmp(tag, "\"one\"") == 0);
    snprintf(tag, sizeof tag, "\"%s\"", served->how == CHANGED && count > 0 ? "two" : "one");
    if (ranged && (served->how == NO_RANGE || served->how == CHANGED))
        ranged = false;
    if (!ranged)
        from = 0;
    snprintf(line, sizeof line, "HTTP/1.1 %s\r\nContent-Length: %u\r\nETag: %s\r\nConnection: close\r\n",
             ranged ? "206 Partial Content" : "200 OK", FILE_BYTES - from, tag);
    net_send(conn, line, strlen(line));
    if (ranged) {
        snprintf(line, sizeof line, "Content-Range: bytes %u-%u/%u\r\n", from + (served->how == WRONG_RANGE),
                 FILE_BYTES - 1, FILE_BYTES);
        net_send(conn, line, strlen(line));
    }
    net_send(conn, "\r\n", 2);
    send = FILE_BYTES - from;
    if (served->how == CUT)
        send = send > 50000 ? 50000 : send;
    else if (served->how != WHOLE && count == 0)
        send /= 2;
    net_send(conn, served->bytes + from, send);
    if (served->how == SILENT && count == 0)
        net_wait_gone(conn);
    return false;
}

struct result {
    int opened, rc;
    size_t len;
    unsigned resumed;
    char bytes[FILE_BYTES + 1];
};

static int
never_stopped(void)
{
    return 0;
}

/* Reads what a server of that kind gives, to the end or an error. */
static struct result *
fetch(enum how how, int (*stopped)(void))
{
    struct result *result = calloc(1, sizeof *result);
    struct served *served = calloc(1, sizeof *served);
    struct kdp_download_config config = {
        .tries = 2, .wait_ns = KDP_NS_PER_MS, .stall_ns = 300 * KDP_NS_PER_MS, .stopped = stopped};
    struct net_server *server;
    struct kdp_download *download;
    char url[64];
    int64_t got = 0;

    served->how = how;
    for (size_t i = 0; i < FILE_BYTES; i++)
        served->bytes[i] = (char)(i * 2654435761u >> 13);
    server = net_server_open(serve, served, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/file", net_server_port(server));
    config.url = url;
    result->opened = kdp_download_open(&download, &config);
    if (result->opened == 0) {
        while ((got = kdp_download_read(download, result->bytes + result->len, 7000)) > 0) {
            result->len += (size_t)got;
            CHECK(result->len <= FILE_BYTES);
        }
        result->rc = (int)got;
        result->resumed = kdp_download_resumed(download);
        CHECK(memcmp(result->bytes, served->bytes, result->len) == 0);
    }
    kdp_download_close(download);
    net_server_close(server);
    free(served);
    return result;
}

static void
check(enum how how, int opened, int rc, size_t len, int resumed, const char *words)
{
    struct result *result = fetch(how, never_stopped);

    CHECK_INT(result->opened, opened);
    CHECK_INT(result->rc, rc);
    if (len != SIZE_MAX)
        CHECK_INT(result->len, len);
    if (resumed >= 0)
        CHECK_INT(result->resumed, resumed);
    if (words != NULL && strstr(kdp_error_text(), words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "no \"%s\" in: %s", words, kdp_error_text());
    free(result);
}

KDP_TEST(a_file_comes_whole)
{
    check(WHOLE, 0, 0, FILE_BYTES, 0, NULL);
}

KDP_TEST(a_download_that_breaks_off_goes_on_where_it_was)
{
    check(CUT, 0, 0, FILE_BYTES, 5, NULL);
}

KDP_TEST(a_server_that_falls_silent_is_asked_again)
{
    check(SILENT, 0, 0, FILE_BYTES, 1, NULL);
}

KDP_TEST(a_server_without_ranges_begins_anew_and_nothing_comes_twice)
{
    check(NO_RANGE, 0, 0, FILE_BYTES, 1, NULL);
}

KDP_TEST(a_part_that_was_not_asked_for_is_refused)
{
    check(WRONG_RANGE, 0, -KDP_EFORMAT, FILE_BYTES / 2, 0, "another part of the file");
}

KDP_TEST(a_file_that_changed_is_not_mixed_with_what_it_was)
{
    check(CHANGED, 0, -KDP_EFORMAT, FILE_BYTES / 2, 0, "the file changed on the server");
}

KDP_TEST(a_file_that_went_away_ends_the_download)
{
    check(GONE_LATER, 0, -KDP_ENOENT, FILE_BYTES / 2, 0, "no such file on the server");
}

KDP_TEST(a_server_that_answers_no_more_is_given_up_and_the_bytes_had_are_told)
{
    check(NEVER, 0, -KDP_ENET, FILE_BYTES / 2, 0, "the download is cut");
    check(NEVER, 0, -KDP_ENET, FILE_BYTES / 2, 0, "150000 bytes, 2 tries");
}

KDP_TEST(what_is_not_there_is_said_at_once)
{
    check(MISSING, -KDP_ENOENT, 0, 0, 0, "no such file on the server");
}

static int
stopped_at_once(void)
{
    return 1;
}

KDP_TEST(who_was_asked_to_end_ends)
{
    struct result *result = fetch(SILENT, stopped_at_once);

    CHECK(result->opened == -KDP_ESTOPPED || result->rc == -KDP_ESTOPPED);
    free(result);
}
