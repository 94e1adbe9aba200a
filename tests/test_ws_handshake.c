/* test_ws_handshake.c - HTTP heads and the upgrade, both ends. */
#include "clock.h"
#include "error.h"
#include "http_head.h"
#include "kdp/records.h"
#include "kdp_test.h"
#include "ws_handshake.h"

#include <stdio.h>

static struct kdp_ws_request request;
static struct kdp_ws_reply reply;
static struct kdp_http_request head;

static void
build(const char *url_text, const char *headers, bool deflate)
{
    struct kdp_url url;

    CHECK_INT(kdpi_url_parse(&url, url_text), 0);
    CHECK_INT(kdp_ws_request_build(&request, &url, headers, deflate), 0);
    CHECK_INT(strlen(request.text), request.len);
}

KDP_TEST(the_accept_key_is_that_of_the_rfc)
{
    char out[29];

    CHECK_INT(kdp_ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", 24, out), 0);
    CHECK_STR(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

KDP_TEST(the_request_names_host_path_and_headers)
{
    char key[25];

    build("wss://example.com/trade-api/ws/v2?a=b", "KALSHI-ACCESS-KEY: x\r\nB: y\r\n", true);
    CHECK(strncmp(request.text, "GET /trade-api/ws/v2?a=b HTTP/1.1\r\nHost: example.com\r\n", 54) == 0);
    CHECK(strstr(request.text, "\r\nKALSHI-ACCESS-KEY: x\r\nB: y\r\n\r\n") != NULL);
    CHECK(strstr(request.text, "permessage-deflate; client_max_window_bits\r\n") != NULL);
    CHECK_INT(strlen(request.key), 24);
    memcpy(key, request.key, 25);
    build("wss://[::1]:8443/x", "", false);
    CHECK(strstr(request.text, "\r\nHost: [::1]:8443\r\n") != NULL);
    CHECK(strstr(request.text, "Extensions") == NULL);
    CHECK(strcmp(key, request.key) != 0);
    build("ws://h:443/", "", false);
    CHECK(strstr(request.text, "\r\nHost: h:443\r\n") != NULL);
    CHECK_INT(kdp_http_request_read(request.text, request.len, &head), 1);
}

KDP_TEST(a_request_that_does_not_fit_is_refused)
{
    struct kdp_url url;
    char headers[4200];

    CHECK_INT(kdpi_url_parse(&url, "wss://h/x"), 0);
    memset(headers, 'x', sizeof headers - 1);
    headers[sizeof headers - 1] = '\0';
    CHECK_INT(kdp_ws_request_build(&request, &url, headers, true), -KDP_ERANGE);
}

/* A 101 to the request in hand, with these headers beside the three that must be there. */
static const char *
switching(const char *more)
{
    static char text[4096];
    char accept[29];

    CHECK_INT(kdp_ws_accept_key(request.key, 24, accept), 0);
    snprintf(text, sizeof text,
             "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nCONNECTION: keep-alive, upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n%s\r\n",
             accept, more);
    return text;
}

static int
read_reply(const char *text)
{
    return kdp_ws_reply_read(&request, text, strlen(text), &reply);
}

static void
reply_is_refused(const char *text, const char *words)
{
    int rc = read_reply(text);

    if (rc != -KDP_EFORMAT || strstr(kdp_error_text(), words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "%s: got %d, \"%s\"", text, rc, kdp_error_text());
}

KDP_TEST(an_upgrade_is_taken_at_any_cut)
{
    const char *text;
    char frames[4200];
    size_t len;

    build("wss://h/x", "", true);
    text =
        switching("Date: Sun, 22 Nov 2026 15:04:05 GMT\r\nSec-WebSocket-Extensions: permessage-deflate; "
                  "server_no_context_takeover; client_max_window_bits=12;server_max_window_bits=\"10\"\r\n");
    len = strlen(text);
    for (size_t cut = 0; cut < len; cut++)
        CHECK_INT(kdp_ws_reply_read(&request, text, cut, &reply), 0);
    snprintf(frames, sizeof frames, "%s\x81\x01x", text); /* frames may follow at once */
    CHECK_INT(kdp_ws_reply_read(&request, frames, len + 3, &reply), 1);
    CHECK_INT(reply.status, 101);
    CHECK_STR(reply.reason, "Switching Protocols");
    CHECK_INT(reply.head_len, len);
    CHECK_INT(reply.content_length, -1);
    CHECK(reply.deflate.on && reply.deflate.server_no_context_takeover &&
          !reply.deflate.client_no_context_takeover);
    CHECK_INT(reply.deflate.client_max_window_bits, 12);
    CHECK_INT(reply.deflate.server_max_window_bits, 10);
    CHECK_INT(reply.date_ns, INT64_C(1795359845) * KDP_NS_PER_S);
    CHECK_INT(read_reply(switching("")), 1);
    CHECK(!reply.deflate.on);
    CHECK_INT(reply.date_ns, KDP_TIME_NULL);
}

KDP_TEST(replies_before_the_reply_are_passed_over)
{
    char text[4096];

    build("wss://h/x", "", false);
    snprintf(text, sizeof text, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n%s", switching(""));
    for (size_t cut = 0; cut < strlen(text); cut++)
        CHECK_INT(kdp_ws_reply_read(&request, text, cut, &reply), 0);
    CHECK_INT(read_reply(text), 1);
    CHECK_INT(reply.status, 101);
    CHECK_INT(reply.head_len, strlen(text));
}

KDP_TEST(a_refusal_is_no_error_here)
{
    build("wss://h/x", "", true);
    CHECK_INT(read_reply("HTTP/1.1 401 Unauthorized\r\nContent-Length: 31\r\nDate: Sun, 22 Nov 2026 15:04:05 "
                         "GMT\r\n\r\n{}"),
              1);
    CHECK_INT(reply.status, 401);
    CHECK_STR(reply.reason, "Unauthorized");
    CHECK_INT(reply.content_length, 31);
    CHECK_INT(reply.date_ns, INT64_C(1795359845) * KDP_NS_PER_S);
    CHECK_INT(read_reply("HTTP/1.0 503 \r\n\r\n"), 1);
    CHECK_INT(reply.status, 503);
    CHECK_INT(read_reply("HTTP/1.1 302\r\nLocation: https://elsewhere/\r\nDate: yesterday\r\n\r\n"), 1);
    CHECK_INT(reply.date_ns, KDP_TIME_NULL);
}

KDP_TEST(a_101_that_does_not_answer_is_refused)
{
    char text[512];

    build("wss://h/x", "", true);
    reply_is_refused("HTTP/1.1 101 OK\r\n\r\n", "Upgrade");
    reply_is_refused("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n", "Connection");
    reply_is_refused("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
                     "no Sec-WebSocket-Accept");
    reply_is_refused("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                     "Sec-WebSocket-Accept: \"s3pP");
    snprintf(text, sizeof text, "%s", switching(""));
    memcpy(text, "HTTP/1.0", 8);
    reply_is_refused(text, "HTTP version");
    reply_is_refused(switching("Sec-WebSocket-Extensions: x-webkit-frame\r\n"), "not offered");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n"),
                     "twice");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate\r\n"
                               "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
                     "twice");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate; x=y\r\n"), "parameters");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n"),
                     "parameters");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n"),
                     "parameters");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=08\r\n"),
                     "parameters");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
                     "parameters");
    reply_is_refused(
        switching("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover=1\r\n"),
        "parameters");
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                               "server_no_context_takeover\r\n"),
                     "parameters");
    reply_is_refused(
        switching("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\r\n"), "");
    reply_is_refused(switching("Sec-WebSocket-Extensions: (\r\n"), "Sec-WebSocket-Extensions");
    reply_is_refused(switching("Sec-WebSocket-Protocol: chat\r\n"), "subprotocol");
    build("wss://h/x", "", false);
    reply_is_refused(switching("Sec-WebSocket-Extensions: permessage-deflate\r\n"), "not offered");
    build("wss://h/x", "Sec-WebSocket-Protocol: chat\r\n", false);
    CHECK_INT(read_reply(switching("Sec-WebSocket-Protocol: chat\r\n")), 1);
}

KDP_TEST(what_is_no_reply_is_told_at_once_and_in_harmless_words)
{
    static char long_head[20000];

    build("wss://h/x", "", false);
    reply_is_refused("SSH-2.0-OpenSSH_9.2", "not an HTTP reply: it begins with \"SSH-2.0-OpenSSH_9.2\"");
    reply_is_refused("S", "not an HTTP reply");
    reply_is_refused("\x1b[2Jboo", "\\x1b[2Jboo");
    reply_is_refused("HTTP/2 200\r\n\r\n", "not an HTTP reply");
    reply_is_refused("HTTP/1.1 2x0 OK\r\n\r\n", "not an HTTP reply");
    reply_is_refused("HTTP/1.1 2000 OK\r\n\r\n", "not an HTTP reply");
    reply_is_refused("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header line");
    reply_is_refused("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "a header line");
    reply_is_refused("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "a header line");
    reply_is_refused("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "a header line");
    reply_is_refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length");
    reply_is_refused("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length");
    reply_is_refused("HTTP/1.1 200 OK\r\nContent-Length: 12345678901234567890\r\n\r\n", "Content-Length");
    memset(long_head, 'x', sizeof long_head - 1);
    memcpy(long_head, "HTTP/1.1 200 OK\r\n", 17);
    reply_is_refused(long_head, "longer than 16384");
}

KDP_TEST(http_dates_are_read)
{
#define DATE(text) kdp_http_date((struct kdp_http_slice){text, strlen(text)})
    CHECK_INT(DATE("Sun, 06 Nov 1994 08:49:37 GMT"), INT64_C(784111777) * KDP_NS_PER_S);
    CHECK_INT(DATE("Thu, 29 Feb 2024 23:59:59 GMT"), INT64_C(1709251199) * KDP_NS_PER_S);
    CHECK_INT(DATE("Thu, 29 Feb 2023 23:59:59 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 06 Nov 1994 08:49:37 UTC"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 06 Nox 1994 08:49:37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 06 Nov 1994 8:49:37 GMT "), KDP_TIME_NULL);
    CHECK_INT(DATE("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    CHECK_INT(DATE("Sun, 06 Nov 1994 25:49:37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 32 Nov 1994 08:49:37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 0x Nov 1994 08:49:37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 06-Nov-1994 08:49:37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 06 Nov 1994 08.49.37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sunday, 06-Nov-94 08:49:37 GMT"), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun Nov  6 08:49:37 1994 GMT."), KDP_TIME_NULL);
    CHECK_INT(DATE("Sun, 06 Nov 1994 08:49:37 GMT "), KDP_TIME_NULL);
    CHECK_INT(DATE(""), KDP_TIME_NULL);
}

/* ---- server ---- */

static int
read_head(const char *text)
{
    return kdp_http_request_read(text, strlen(text), &head);
}

KDP_TEST(a_request_head_is_taken_apart_at_any_cut)
{
    static const char text[] =
        "GET /trade-api/v2/markets?limit=3 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nconTENT-length:  5 \t\r\n"
        "Cookie: a, b\r\n\r\n12345";
    size_t len = strlen(text) - 5;

    for (size_t cut = 0; cut < len; cut++)
        CHECK_INT(kdp_http_request_read(text, cut, &head), 0);
    CHECK_INT(read_head(text), 1);
    CHECK_INT(head.head_len, len);
    CHECK_INT(head.method.len, 3);
    CHECK_INT(head.target.len, 29);
    CHECK_MEM(head.target.data, "/trade-api/v2/markets?limit=3", 29);
    CHECK_INT(head.content_length, 5);
    CHECK(head.keep_alive);
    CHECK_INT(head.header_count, 4);
    CHECK_INT(kdp_http_header(&head, "x-empty").len, 0);
    CHECK(kdp_http_header(&head, "x-empty").data != NULL);
    CHECK(kdp_http_header(&head, "x-none").data == NULL);
    CHECK_MEM(kdp_http_header(&head, "HOST").data, "h", 1);
    CHECK_INT(read_head("GET / HTTP/1.0\r\n\r\n"), 1);
    CHECK(!head.keep_alive);
    CHECK_INT(read_head("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n"), 1);
    CHECK(!head.keep_alive);
    CHECK_INT(read_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 1);
    CHECK(head.keep_alive);
}

KDP_TEST(requests_that_could_be_read_in_two_ways_are_refused)
{
    static const char *const bad[] = {
        "\x16\x03\x01\x02",
        " GET / HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n",
        "GET /\x80 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        "GET / HTTP/1.1\r\n: h\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 4,4\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    static char many[8192], long_head[KDP_HTTP_HEAD_MAX + 1];
    size_t len;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_head(bad[i]) != -KDP_EFORMAT)
            kdp_test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
    CHECK_INT(read_head("POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"), 1);
    len = (size_t)snprintf(many, sizeof many, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < 64; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "N%u: v\r\n", i);
    snprintf(many + len, sizeof many - len, "\r\n");
    CHECK_INT(read_head(many), 1);
    CHECK_INT(head.header_count, 64);
    snprintf(many + len, sizeof many - len, "One: more\r\n\r\n");
    CHECK_INT(read_head(many), -KDP_EFORMAT);
    memset(long_head, 'x', sizeof long_head - 1);
    CHECK_INT(kdp_http_request_read(long_head, KDP_HTTP_HEAD_MAX - 1, &head), 0);
    CHECK_INT(kdp_http_request_read(long_head, KDP_HTTP_HEAD_MAX, &head), -KDP_EFORMAT);
}

#define UPGRADE                                                                                \
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static struct kdp_ws_deflate agreed;
static char answer[1024];

static int
accept_text(const char *text, bool deflate)
{
    CHECK_INT(read_head(text), 1);
    return kdp_ws_accept(&head, deflate, &agreed, answer, sizeof answer);
}

KDP_TEST(an_upgrade_is_answered)
{
    CHECK_INT(accept_text(UPGRADE "\r\n", true), strlen(answer));
    CHECK_STR(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    CHECK(!agreed.on);
    CHECK_INT(kdp_ws_accept(&head, true, &agreed, answer, 100), -KDP_ERANGE);
}

KDP_TEST(what_is_no_upgrade_is_refused)
{
    static const char *const bad[] = {
        "POST /ws HTTP/1.1\r\n\r\n",
        "GET /ws HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
        "13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Version: "
        "13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
        "8\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
        "13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
        "13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhb*BsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
        "13\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (accept_text(bad[i], true) != -KDP_EFORMAT)
            kdp_test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
        CHECK(strstr(kdp_error_text(), "not a WebSocket request: ") != NULL);
    }
}

static void
offer_is_answered(const char *offers, const char *want)
{
    char text[1024], line[256];

    snprintf(text, sizeof text, UPGRADE "%s\r\n", offers);
    CHECK(accept_text(text, true) > 0);
    if (want == NULL) {
        CHECK(!agreed.on && strstr(answer, "Extensions") == NULL);
        return;
    }
    CHECK(agreed.on);
    snprintf(line, sizeof line, "\r\nSec-WebSocket-Extensions: permessage-deflate%s\r\n\r\n", want);
    if (strstr(answer, line) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "%s: answered %s", offers, answer);
}

KDP_TEST(the_first_offer_that_can_be_kept_is_agreed_to)
{
#define OFFER "Sec-WebSocket-Extensions: "
    offer_is_answered(OFFER "permessage-deflate\r\n", "");
    offer_is_answered(OFFER "permessage-deflate; client_max_window_bits\r\n", "");
    offer_is_answered(OFFER "Permessage-Deflate;client_max_window_bits=10\r\n",
                      "; client_max_window_bits=10");
    offer_is_answered(OFFER "permessage-deflate; server_max_window_bits=9; server_no_context_takeover\r\n",
                      "; server_no_context_takeover; server_max_window_bits=9");
    CHECK_INT(agreed.server_max_window_bits, 9);
    CHECK(agreed.server_no_context_takeover);
    offer_is_answered(OFFER "permessage-deflate; client_no_context_takeover\r\n",
                      "; client_no_context_takeover");
    offer_is_answered(OFFER
                      "permessage-deflate; mystery, permessage-deflate; server_max_window_bits=\"12\"\r\n",
                      "; server_max_window_bits=12");
    offer_is_answered(OFFER "x-other; a=\"b, c; d\"\r\n" OFFER ", permessage-deflate ,\r\n", "");
    offer_is_answered(OFFER "permessage-deflate; server_max_window_bits\r\n", NULL);
    offer_is_answered(OFFER "permessage-deflate; server_max_window_bits=16\r\n", NULL);
    offer_is_answered(OFFER "permessage-deflate; client_max_window_bits=8; client_max_window_bits=8\r\n",
                      NULL);
    offer_is_answered(OFFER "permessage-deflate-2\r\n", NULL);
    offer_is_answered(OFFER "\"unfinished\r\n", NULL);
    offer_is_answered(OFFER "\r\n", NULL);
    CHECK(accept_text(UPGRADE OFFER "permessage-deflate\r\n\r\n", false) > 0);
    CHECK(!agreed.on && strstr(answer, "Extensions") == NULL);
}

KDP_TEST(both_ends_of_ours_agree)
{
    build("ws://localhost:8080/feed", "", true);
    CHECK_INT(kdp_http_request_read(request.text, request.len, &head), 1);
    CHECK(kdp_ws_accept(&head, true, &agreed, answer, sizeof answer) > 0);
    CHECK_INT(read_reply(answer), 1);
    CHECK_INT(reply.status, 101);
    CHECK(agreed.on && reply.deflate.on);
}
