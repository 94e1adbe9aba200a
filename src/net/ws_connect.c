/* ws_connect.c - the way to an open WebSocket, step by step under one deadline; see ws_connect.h. */
#include "ws_connect.h"

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "kdp/version.h"
#include "rest.h"
#include "words.h"
#include "ws_handshake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STOP_LOOK_MS 50
#define BODY_WAIT (2 * KDP_NS_PER_S) /* for the words of a refusal: they are not worth more */

/* One attempt under way. */
struct attempt {
    const struct kdp_ws_connect *how;
    struct kdp_tls *tls;
    int64_t deadline_ns;
    size_t len; /* of bytes */
    int64_t recv_ns;
    char bytes[KDP_HTTP_HEAD_MAX + sizeof((struct kdp_ws_connected *)0)->body];
};

/* Waits until the socket may be read, or also written: 0, or -KDP_ETIMEOUT, -KDP_ESTOPPED. */
static int
wait_ready(const struct attempt *a, bool writing, int64_t deadline_ns)
{
    for (;;) {
        struct pollfd p = {.fd = kdp_tls_fd(a->tls), .events = POLLIN};
        int64_t left_ns = deadline_ns - kdpi_mono_ns();
        int ms = STOP_LOOK_MS;

        if (a->how->stop != NULL && __atomic_load_n(a->how->stop, __ATOMIC_RELAXED) != 0)
            return kdpi_fail(KDP_ESTOPPED, "stopped");
        if (left_ns <= 0)
            return kdpi_fail(KDP_ETIMEOUT, "no answer in time: %s: waited %.3g s for the stream to open",
                             a->how->url.host, (double)a->how->timeout_ns / (double)KDP_NS_PER_S);
        if (left_ns < STOP_LOOK_MS * KDP_NS_PER_MS)
            ms = (int)(left_ns / KDP_NS_PER_MS) + 1;
        if (writing || kdp_tls_wants_write(a->tls))
            p.events |= POLLOUT;
        if (poll(&p, 1, ms) > 0)
            return 0;
    }
}

static int
send_all(struct attempt *a, const char *bytes, size_t len)
{
    while (len > 0) {
        int64_t n = kdp_tls_write(a->tls, bytes, len);
        int rc;

        if (n < 0)
            return (int)n;
        if (n == 0 && (rc = wait_ready(a, true, a->deadline_ns)) != 0)
            return rc;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Receives once, waiting for it: bytes > 0, or an error. */
static int64_t
receive(struct attempt *a, int64_t deadline_ns)
{
    for (;;) {
        int64_t n = kdp_tls_read(a->tls, a->bytes + a->len, sizeof a->bytes - a->len, &a->recv_ns);
        int rc;

        if (n != 0) {
            if (n > 0)
                a->len += (size_t)n;
            return n;
        }
        rc = wait_ready(a, false, deadline_ns);
        if (rc != 0)
            return rc;
    }
}

/* ---- a refusal ---- */

/* Whether the head says that the body comes in chunks. */
static bool
is_chunked(const char *head, size_t len)
{
    static const char name[] = "\ntransfer-encoding:";

    for (size_t i = 0; i + sizeof name - 1 < len; i++) {
        if (strncasecmp(head + i, name, sizeof name - 1) == 0) {
            const char *value = head + i + sizeof name - 1;
            const char *line_end = memchr(value, '\n', len - (size_t)(value - head));

            for (; line_end != NULL && line_end - value >= 7; value++)
                if (strncasecmp(value, "chunked", 7) == 0)
                    return true;
            return false;
        }
    }
    return false;
}

/* Takes the chunk marks out of a body, as far as it goes; its length.  *wholep: the last chunk was there. */
static size_t
unchunk(char *body, size_t len, bool *wholep)
{
    size_t at = 0, out = 0;

    *wholep = false;
    while (at < len) {
        size_t size = 0, digits = 0;
        const char *eol = memchr(body + at, '\n', len - at);

        if (eol == NULL)
            break;
        for (; digits < 6; digits++) {
            char c = (char)(body[at + digits] | 0x20);

            if (c >= '0' && c <= '9')
                size = size * 16 + (size_t)(c - '0');
            else if (c >= 'a' && c <= 'f')
                size = size * 16 + (size_t)(c - 'a' + 10);
            else
                break;
        }
        if (digits == 0 || size == 0) {
            *wholep = true;
            break;
        }
        at = (size_t)(eol - body) + 1;
        if (size > len - at)
            size = len - at;
        memmove(body + out, body + at, size);
        out += size;
        at += size + 2; /* and the line's end behind it */
    }
    return out;
}

/* Reads what the server says about its refusal: as much as fits and comes soon. */
static void
read_body(struct attempt *a, const struct kdp_ws_reply *reply, struct kdp_ws_connected *out)
{
    int64_t deadline_ns = kdpi_mono_ns() + BODY_WAIT;
    bool chunked = is_chunked(a->bytes, reply->head_len);
    char copy[sizeof out->body];
    size_t len;

    if (deadline_ns > a->deadline_ns)
        deadline_ns = a->deadline_ns;
    for (;;) {
        bool whole = false;

        len = a->len - reply->head_len;
        if (len > sizeof copy - 1)
            len = sizeof copy - 1;
        memcpy(copy, a->bytes + reply->head_len, len);
        if (chunked)
            len = unchunk(copy, len, &whole);
        else if (reply->content_length >= 0 && (uint64_t)reply->content_length <= a->len - reply->head_len)
            whole = true;
        if (whole || a->len == sizeof a->bytes || len == sizeof copy - 1 || receive(a, deadline_ns) < 0)
            break;
    }
    if (!chunked && reply->content_length >= 0 && (uint64_t)reply->content_length < len)
        len = (size_t)reply->content_length;
    memcpy(out->body, copy, len);
    out->body[len] = '\0';
}

/* What the server says may repeat what we said. */
static void
hide(const struct kdp_ws_connect *how, char *text)
{
    kdp_signer_hide(how->signer, text, strlen(text));
    kdpi_hide(text, strlen(text), how->token);
}

static int
refused(struct attempt *a, const struct kdp_ws_reply *reply, struct kdp_ws_connected *out)
{
    char code[64], message[256], reason[256];
    const char *host = a->how->url.host;
    int rc;

    out->status = reply->status;
    read_body(a, reply, out);
    hide(a->how, out->body);
    kdpi_rest_error(out->body, strlen(out->body), code, message);
    kdpi_escape(reason, sizeof reason, reply->reason, strlen(reply->reason));
    if (message[0] == '\0')
        snprintf(message, sizeof message, "%s", code[0] != '\0' ? code : reason);
    hide(a->how, message);
    if (reply->status == 401 || reply->status == 403) {
        rc = kdpi_fail(KDP_EREFUSED, "the exchange refused the key: %s: %d \"%s\"", host, reply->status,
                       message);
        kdpi_hint(
            "Do ID and file belong together, and to this environment (KALSHI_BASE_URL)? Try again with: "
            "kdp status");
        return rc;
    }
    rc = kdpi_fail(KDP_EREFUSED, "the exchange refused the stream: %s: %d \"%s\"", host, reply->status,
                   message);
    if (reply->status >= 300 && reply->status < 400)
        kdpi_hint("It points somewhere else, which is not followed with a signature: mend the address "
                  "(KALSHI_WS_URL)");
    return rc;
}

/* ---- the way ---- */

static int
upgrade(struct attempt *a, struct kdp_ws_connected *out)
{
    const struct kdp_ws_connect *how = a->how;
    char headers[KDP_SIGN_HEADERS_MAX + 1200] = "";
    struct kdp_ws_request request;
    struct kdp_ws_reply reply;
    int64_t sent_ns = kdpi_now_ns();
    int rc = 0;

    if (how->signer != NULL)
        rc = kdp_signer_headers(how->signer, sent_ns, "GET", how->url.path, headers, sizeof headers);
    if (rc < 0)
        return rc;
    if (how->token != NULL && how->token[0] != '\0')
        snprintf(headers + rc, sizeof headers - (size_t)rc, "Authorization: Bearer %.1100s\r\n", how->token);
    rc = kdp_ws_request_build(&request, &how->url, headers, how->deflate);
    if (rc == 0)
        rc = send_all(a, request.text, request.len);
    while (rc == 0) {
        int64_t n;

        rc = kdp_ws_reply_read(&request, a->bytes, a->len, &reply);
        if (rc != 0)
            break;
        if (a->len >= KDP_HTTP_HEAD_MAX)
            return kdpi_fail(KDP_EFORMAT, "not a WebSocket: %s: its reply's head has more than %u bytes",
                             how->url.host, KDP_HTTP_HEAD_MAX);
        n = receive(a, a->deadline_ns);
        if (n < 0)
            rc = (int)n;
    }
    if (rc < 0)
        return rc;
    out->date_ns = reply.date_ns;
    if (how->signer != NULL)
        kdp_signer_learn(how->signer, reply.date_ns, sent_ns, a->recv_ns);
    if (reply.status != 101)
        return refused(a, &reply, out);
    out->status = 101;
    rc = kdp_ws_open(&out->ws,
                     &(struct kdp_ws_config){.message_max = how->message_max, .deflate = reply.deflate});
    for (size_t at = reply.head_len; rc == 0 && at < a->len;) {
        size_t room, len = a->len - at;
        void *to = kdp_ws_room(out->ws, &room);

        if (to == NULL)
            return -KDP_ENOMEM;
        if (len > room)
            len = room;
        memcpy(to, a->bytes + at, len);
        kdp_ws_received(out->ws, len);
        at += len;
    }
    return rc;
}

int
kdp_ws_connect(const struct kdp_ws_connect *how, struct kdp_ws_connected *out)
{
    struct attempt a = {.how = how, .deadline_ns = kdpi_mono_ns() + how->timeout_ns};
    struct kdp_tls_options options = {.host = how->url.host,
                                      .port = how->url.port,
                                      .context = how->url.tls ? how->context : NULL,
                                      .deadline_mono_ns = a.deadline_ns,
                                      .stop = how->stop,
                                      .busy_poll_us = how->busy_poll_us};
    int rc;

    memset(out, 0, sizeof *out);
    out->date_ns = KDP_TIME_NULL;
    if (how->url.tls && how->context == NULL)
        return kdpi_fail(KDP_EINVAL, "no certificates to check %s by", how->url.host);
    rc = kdp_tls_connect(&a.tls, &options);
    if (rc != 0)
        return rc;
    rc = upgrade(&a, out);
    if (rc != 0) {
        kdp_tls_close(a.tls, false);
        if (out->ws != NULL)
            kdp_ws_close(out->ws);
        out->ws = NULL;
        return rc;
    }
    out->tls = a.tls;
    return 0;
}
