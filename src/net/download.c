/* download.c - see download.h.
 *
 * libcurl pushes; a reader pulls.  What comes goes into one buffer, and curl is told to pause while the reader has not emptied it,
 * so that a slow reader stops the sender by TCP's own means. */
#include "download.h"

#include "clock.h"
#include "error.h"
#include "http_private.h"
#include "kdp/version.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BUFFER_BYTES (512u << 10)
#define CONNECT_NS (15 * KDP_NS_PER_S)
#define STALL_NS (30 * KDP_NS_PER_S)
#define WAIT_NS (500 * KDP_NS_PER_MS)
#define TRIES 5u
#define LOOK_MS 100

struct kdp_download {
    struct kdp_download_config config;
    struct kdp_http_trust trust;
    struct kdp_url url;
    char *address;
    CURLM *multi;
    CURL *easy; /* the request under way, NULL: none */
    struct curl_slist *headers;
    char *buffer;
    size_t begin, end;
    uint64_t got;  /* bytes of the file taken into the buffer */
    uint64_t skip; /* of an answer that begins anew: bytes had already */
    uint64_t size;
    unsigned resumed, failed; /* cuts mended; tries without a byte since */
    bool paused, finished, head_done;
    bool judged, bad_range, changed; /* of the answer under way: looked at, and what is wrong with it */
    char tag[256];                   /* ETag, or Last-Modified, as sent with If-Range */
    char answer_tag[256], answer_modified[64];
    uint64_t range_from; /* of the answer's Content-Range */
    bool has_range;
    int64_t heard_ns; /* monotonic, of the last byte */
    char words[CURL_ERROR_SIZE];
};

/* ---- what libcurl calls ---- */

/* Whether what begins to come is the file, or the rest of the same file: asked before its first byte is kept. */
static bool
judge(struct kdp_download *d, long status)
{
    const char *tag =
        d->answer_tag[0] != '\0' && strncmp(d->answer_tag, "W/", 2) != 0 ? d->answer_tag : d->answer_modified;
    curl_off_t length = -1;

    if (d->judged)
        return !d->bad_range && !d->changed;
    d->judged = true;
    if (status == 206) {
        d->bad_range = d->got == 0 || !d->has_range || d->range_from != d->got;
        d->changed = d->tag[0] != '\0' && tag[0] != '\0' && strcmp(tag, d->tag) != 0;
    } else if (d->got == 0) {
        snprintf(d->tag, sizeof d->tag, "%s", tag);
        curl_easy_getinfo(d->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        d->size = length > 0 ? (uint64_t)length : 0;
    } else { /* the whole file once more: of a server without ranges, or because it is another one now */
        d->changed = d->tag[0] == '\0' || strcmp(tag, d->tag) != 0;
        d->skip = d->got;
    }
    return !d->bad_range && !d->changed;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct kdp_download *d = arg;
    size_t len = size * count, skip;
    long status = 0;

    curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
    d->head_done = true;
    d->heard_ns = kdpi_mono_ns();
    if (status != 200 && status != 206)
        return len; /* the words of a refusal are not the file */
    if (!judge(d, status))
        return 0;
    if (d->end + len > BUFFER_BYTES) {
        if (d->begin > 0) {
            memmove(d->buffer, d->buffer + d->begin, d->end - d->begin);
            d->end -= d->begin;
            d->begin = 0;
        }
        if (d->end + len > BUFFER_BYTES) {
            d->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
    }
    skip = d->skip < len ? (size_t)d->skip : len;
    d->skip -= skip;
    memcpy(d->buffer + d->end, bytes + skip, len - skip);
    d->end += len - skip;
    d->got += len - skip;
    if (len > skip)
        d->failed = 0;
    return len;
}

static bool
header_is(const char *line, size_t len, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);

    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
        return false;
    line += name_len + 1;
    len -= name_len + 1;
    while (len > 0 && (*line == ' ' || *line == '\t'))
        line++, len--;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    if (len >= size)
        len = 0; /* one that long is taken for none */
    memcpy(value, line, len);
    value[len] = '\0';
    return true;
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
    struct kdp_download *d = arg;
    size_t len = size * count;
    unsigned long long from;
    char value[256];

    d->heard_ns = kdpi_mono_ns();
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) { /* a further head, after a redirect */
        d->answer_tag[0] = d->answer_modified[0] = '\0';
        d->has_range = false;
    } else if (header_is(line, len, "ETag", value, sizeof value)) {
        memcpy(d->answer_tag, value, sizeof value);
    } else if (header_is(line, len, "Last-Modified", value, sizeof d->answer_modified)) {
        memcpy(d->answer_modified, value, sizeof d->answer_modified);
    } else if (header_is(line, len, "Content-Range", value, sizeof value)) {
        d->has_range = sscanf(value, "bytes %llu-", &from) == 1;
        d->range_from = d->has_range ? from : 0;
    } else if (len == 2 && line[0] == '\r') {
        long status = 0;

        curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
        d->head_done = status >= 200 && (status < 300 || status >= 400);
    }
    return len;
}

/* ---- one request ---- */

static void
drop(struct kdp_download *d)
{
    if (d->easy != NULL) {
        curl_multi_remove_handle(d->multi, d->easy);
        curl_easy_cleanup(d->easy);
    }
    d->easy = NULL;
    curl_slist_free_all(d->headers);
    d->headers = NULL;
}

static bool
set_up(struct kdp_download *d, int64_t connect_ns)
{
    char range[64], line[300];
    CURL *easy = d->easy;
    bool ok;

    ok = curl_easy_setopt(easy, CURLOPT_URL, d->address) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok &&
         curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, d->url.tls ? "https" : "http,https") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 5L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK; /* as all of kdp's requests */
    ok = ok && curl_easy_setopt(easy, CURLOPT_USERAGENT, "kdp/" KDP_VERSION) == CURLE_OK;
    ok = ok &&
         curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ns / KDP_NS_PER_MS)) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L * 1024) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, d->words) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, d) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, d) == CURLE_OK;
    if (ok && d->got > 0) {
        snprintf(range, sizeof range, "%llu-", (unsigned long long)d->got);
        ok = curl_easy_setopt(easy, CURLOPT_RANGE, range) == CURLE_OK;
        if (ok && d->tag[0] != '\0') {
            snprintf(line, sizeof line, "If-Range: %s", d->tag);
            d->headers = curl_slist_append(NULL, line);
            ok = d->headers != NULL && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, d->headers) == CURLE_OK;
        }
    }
    return ok && kdpi_http_trust_set(&d->trust, easy);
}

static int
start(struct kdp_download *d)
{
    d->easy = curl_easy_init();
    d->head_done = d->has_range = d->paused = d->judged = d->bad_range = d->changed = false;
    d->answer_tag[0] = d->answer_modified[0] = '\0';
    d->skip = 0;
    d->words[0] = '\0';
    d->heard_ns = kdpi_mono_ns();
    if (d->easy == NULL || !set_up(d, d->config.connect_ns) ||
        curl_multi_add_handle(d->multi, d->easy) != CURLM_OK) {
        drop(d);
        return kdpi_fail(KDP_ENOMEM, "cannot ask for %s: out of memory", d->address);
    }
    return 0;
}

/* Why there is no answer, or no more of it. */
static int
fail_curl(struct kdp_download *d, CURLcode code)
{
    char words[256];
    long os_errno = 0;
    int rc;

    curl_easy_getinfo(d->easy, CURLINFO_OS_ERRNO, &os_errno);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        rc = kdpi_fail(KDP_ENET, "no such host: %s", d->url.host);
        kdpi_hint("Mend the name; if it is right, the network is down");
        return rc;
    case CURLE_PEER_FAILED_VERIFICATION:
        kdpi_http_trust_words(&d->trust, d->url.host, d->words, words, sizeof words);
        rc = kdpi_fail(KDP_EREFUSED, "%s", words);
        kdpi_hint("If the server is yours, add its root: --ca-file FILE. Checking cannot be turned off");
        return rc;
    case CURLE_COULDNT_CONNECT:
        rc = kdpi_fail(KDP_ENET, "cannot connect: %s: %s", d->url.host,
                       os_errno == ECONNREFUSED ? "connection refused"
                       : os_errno != 0          ? strerror((int)os_errno)
                                                : d->words);
        kdpi_hint("Is the address right? It was asked for %s", d->address);
        return rc;
    case CURLE_OPERATION_TIMEDOUT:
        rc = kdpi_fail(KDP_ETIMEOUT, "no answer in time: %s", d->url.host);
        kdpi_hint("Try again later");
        return rc;
    default:
        rc = kdpi_fail(KDP_ENET, "the download broke: %s: %s", d->url.host,
                       d->words[0] != '\0' ? d->words : curl_easy_strerror(code));
        kdpi_hint("Try again later");
        return rc;
    }
}

static int
fail_status(struct kdp_download *d, long status)
{
    int rc;

    if (status == 404 || status == 410) {
        rc = kdpi_fail(KDP_ENOENT, "no such file on the server: %s: %ld", d->address, status);
        kdpi_hint("Is the address right? Open it in a browser to see");
        return rc;
    }
    rc = kdpi_fail(KDP_EREFUSED, "the server refused: %s: status %ld", d->address, status);
    kdpi_hint(status == 403 ? "A public bucket answers 403 for a file that it does not have: try another day"
                            : "Try again later");
    return rc;
}

static int
fail_other(struct kdp_download *d)
{
    int rc;

    if (d->changed) {
        rc = kdpi_fail(KDP_EFORMAT,
                       "the file changed on the server: %s: after %llu of its bytes the connection broke",
                       d->address, (unsigned long long)d->got);
        kdpi_hint("What it was before cannot be had any more: begin again");
        return rc;
    }
    rc =
        kdpi_fail(KDP_EFORMAT, "the server gives another part of the file than asked: %s: not from byte %llu",
                  d->address, (unsigned long long)d->got);
    kdpi_hint("Begin again; a proxy in between may be the reason");
    return rc;
}

/* Lets curl work until there are bytes, the answer ended, or something is wrong: 1 bytes or (with head) a head, 0 the end. */
static int
work(struct kdp_download *d, bool head, CURLcode *codep)
{
    int64_t stall_ns = d->config.stall_ns;

    *codep = CURLE_OK;
    for (;;) {
        int running = 0, left;
        CURLMsg *msg;

        if (d->paused) {
            d->paused = false;
            curl_easy_pause(d->easy, CURLPAUSE_CONT);
        }
        if (curl_multi_perform(d->multi, &running) != CURLM_OK) {
            *codep = CURLE_OUT_OF_MEMORY;
            return 0;
        }
        if (head ? d->head_done : d->end > d->begin)
            return 1;
        while ((msg = curl_multi_info_read(d->multi, &left)) != NULL)
            if (msg->msg == CURLMSG_DONE) {
                *codep = msg->data.result;
                return 0;
            }
        if (d->config.stopped != NULL && d->config.stopped() != 0) {
            *codep = CURLE_ABORTED_BY_CALLBACK;
            return 0;
        }
        if (kdpi_mono_ns() - d->heard_ns > stall_ns) {
            *codep = CURLE_OPERATION_TIMEDOUT;
            return 0;
        }
        curl_multi_poll(d->multi, NULL, 0, LOOK_MS, NULL);
    }
}

static int
stopped(struct kdp_download *d)
{
    return kdpi_fail(KDP_ESTOPPED, "stopped while reading: %s", d->address);
}

/* Waits before a further try. */
static int
wait_a_little(struct kdp_download *d)
{
    /* not before the first, which most often works; after that longer each time */
    int64_t until =
        kdpi_mono_ns() + (d->failed > 0 ? d->config.wait_ns << (d->failed < 6 ? d->failed - 1 : 5) : 0);

    while (kdpi_mono_ns() < until) {
        struct timespec ts = {.tv_nsec = LOOK_MS * KDP_NS_PER_MS / 2};

        if (d->config.stopped != NULL && d->config.stopped() != 0)
            return stopped(d);
        nanosleep(&ts, NULL);
    }
    return 0;
}

/* The head of an answer: 0 and its body may come, 1 when no more will, or an error. */
static int
take_head(struct kdp_download *d)
{
    CURLcode code;
    long status = 0;
    int rc = start(d), got;

    if (rc != 0)
        return rc;
    got = work(d, true, &code);
    if (got == 0 && code == CURLE_ABORTED_BY_CALLBACK)
        return stopped(d);
    curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
    if (got == 0 && code != CURLE_OK && status < 200)
        return fail_curl(d, code);
    if (status == 416 && d->got > 0 && (d->size == 0 || d->size == d->got)) {
        d->finished = true; /* nothing was missing but the end */
        return 0;
    }
    if (status != 200 && status != 206)
        return fail_status(d, status);
    return judge(d, status) ? 0 : fail_other(d);
}

/* After a cut: asks for the rest, several times if need be; 0, or the error that stays. */
static int
resume(struct kdp_download *d, int cut)
{
    unsigned long long had = d->got;
    int rc = cut;

    while (d->failed < d->config.tries) {
        drop(d);
        rc = wait_a_little(d);
        if (rc == -KDP_ESTOPPED)
            return rc;
        d->failed++;
        rc = take_head(d);
        if (rc == 0) {
            d->resumed++;
            return 0;
        }
        /* what is gone, changed or not to be trusted does not come back */
        if (rc == -KDP_ESTOPPED || rc == -KDP_EFORMAT || rc == -KDP_ENOENT)
            return rc;
    }
    {
        char text[512];

        snprintf(text, sizeof text, "%s", kdp_error_text());
        rc = kdpi_fail((enum kdp_error) - rc, "the download is cut: %s: %llu%s bytes, %u tries to go on: %s",
                       d->address, had, d->size != 0 ? "" : " of unknown many", d->failed, text);
        kdpi_hint("What came before the cut was read. Try again later");
    }
    return rc;
}

int
kdp_download_open(struct kdp_download **downloadp, const struct kdp_download_config *config)
{
    struct kdp_download *d = calloc(1, sizeof *d);
    int rc;

    *downloadp = NULL;
    if (d == NULL)
        return kdpi_fail(KDP_ENOMEM, "cannot ask for %s: out of memory", config->url);
    d->config = *config;
    d->config.connect_ns = config->connect_ns != 0 ? config->connect_ns : CONNECT_NS;
    d->config.stall_ns = config->stall_ns != 0 ? config->stall_ns : STALL_NS;
    d->config.tries = config->tries != 0 ? config->tries : TRIES;
    d->config.wait_ns = config->wait_ns != 0 ? config->wait_ns : WAIT_NS;
    rc = kdpi_url_parse(&d->url, config->url);
    if (rc == 0 && d->url.websocket)
        rc = kdpi_fail(KDP_EUSAGE, "not the address of a file: %s: it begins with https:// or http://",
                       config->url);
    if (rc == 0) {
        d->address = strdup(config->url);
        d->buffer = malloc(BUFFER_BYTES);
        curl_global_init(CURL_GLOBAL_DEFAULT);
        d->multi = curl_multi_init();
        if (d->address == NULL || d->buffer == NULL || d->multi == NULL)
            rc = kdpi_fail(KDP_ENOMEM, "cannot ask for %s: out of memory", config->url);
    }
    if (rc == 0 && d->url.tls)
        rc = kdpi_http_trust_open(&d->trust, NULL, config->ca_file);
    if (rc == 0)
        rc = take_head(d);
    if (rc != 0) {
        kdp_download_close(d);
        return rc;
    }
    *downloadp = d;
    return 0;
}

int64_t
kdp_download_read(struct kdp_download *d, void *buf, size_t size)
{
    while (d->begin == d->end) {
        CURLcode code;
        int rc;

        d->begin = d->end = 0;
        if (d->finished)
            return 0;
        if (work(d, false, &code) == 1)
            break;
        if (code == CURLE_ABORTED_BY_CALLBACK)
            return stopped(d);
        if (d->bad_range || d->changed)
            return fail_other(d);
        if (code == CURLE_OK && (d->size == 0 || d->got >= d->size)) {
            d->finished = true;
            continue;
        }
        rc = resume(d, code == CURLE_OK ? kdpi_fail(KDP_ENET, "the answer ended early") : fail_curl(d, code));
        if (rc != 0)
            return rc;
    }
    if (size > d->end - d->begin)
        size = d->end - d->begin;
    memcpy(buf, d->buffer + d->begin, size);
    d->begin += size;
    return (int64_t)size;
}

void
kdp_download_close(struct kdp_download *d)
{
    if (d == NULL)
        return;
    drop(d);
    if (d->multi != NULL)
        curl_multi_cleanup(d->multi);
    if (d->trust.store != NULL)
        kdpi_http_trust_close(&d->trust);
    free(d->address);
    free(d->buffer);
    free(d);
}

uint64_t
kdp_download_size(const struct kdp_download *d)
{
    return d->size;
}

unsigned
kdp_download_resumed(const struct kdp_download *d)
{
    return d->resumed;
}
