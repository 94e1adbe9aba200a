/* test_ws_connect.c - opening a WebSocket: agreed, refused in words, silent, cut, stopped. */
#include "ws_connect.h"

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "kdp_test.h"
#include "net_server.h"
#include "ws_handshake.h"

#include <openssl/pem.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define S KDP_NS_PER_S

static struct net_server *server;
static struct kdp_ws_connect how;
static struct kdp_ws_connected made;
static char last_head[8192]; /* of the request, written before the answer */

/* Agrees to an upgrade and sends what follows behind the reply in one write. */
static void
agree(struct net_conn *conn, const char *head, const char *behind, size_t len)
{
    struct kdp_http_request request;
    struct kdp_ws_deflate agreed;
    char reply[4096];
    int n;

    CHECK_INT(kdp_http_request_read(head, strlen(head), &request), 1);
    n = kdp_ws_accept(&request, false, &agreed, reply, sizeof reply);
    CHECK(n > 0 && (size_t)n + len < sizeof reply);
    memcpy(reply + n, behind, len);
    net_send(conn, reply, (size_t)n + len);
}

static bool
serve(void *arg, struct net_conn *conn, const char *head)
{
    char target[256];

    (void)arg;
    net_target(head, target, sizeof target);
    snprintf(last_head, sizeof last_head, "%s", head);
    if (strcmp(target, "/ws") == 0) {
        agree(conn, head, "", 0);
    } else if (strcmp(target, "/frame") == 0) {
        agree(conn, head, "\x81\x05hello", 7);
    } else if (strcmp(target, "/401") == 0) {
        net_answer(conn, "401 Unauthorized",
                   "Date: Sun, 22 Nov 2026 15:04:05 GMT\r\nContent-Type: application/json\r\n",
                   "{\"code\":\"header_timestamp_expired\",\"message\":\"header timestamp expired\"}");
    } else if (strcmp(target, "/chunked") == 0) {
        static const char text[] = "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "b\r\n{\"error\":{\"\r\n23;x=y\r\ncode\":\"nope\",\"message\":\"no "
                                   "\\u00fc\"}\r\n1\r\n}\r\n0\r\n\r\n";

        net_send(conn, text, sizeof text - 1);
    } else if (strcmp(target, "/429") == 0) {
        net_answer(conn, "429 Too Many Requests", "", "{\"error\":\"too many requests\"}");
    } else if (strcmp(target, "/html") == 0) { /* until the connection ends, and more than is kept of it */
        static char page[6000];

        memset(page, '<', sizeof page - 1);
        net_send(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n", 28);
        net_send(conn, page, sizeof page - 1);
        return false;
    } else if (strcmp(target, "/moved") == 0) {
        net_answer(conn, "302 Found", "Location: wss://elsewhere.example/ws\r\n", "");
    } else if (strcmp(target, "/wrong-key") == 0) {
        static const char text[] =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

        net_send(conn, text, sizeof text - 1);
    } else if (strcmp(target, "/garbage") == 0) {
        net_send(conn, "SSH-2.0-OpenSSH_9.2\r\n\r\n", 23);
    } else if (strcmp(target, "/endless") == 0) {
        for (int i = 0; i < 2000; i++)
            net_send(conn, i == 0 ? "HTTP/1.1 101 X\r\n" : "X-Header: 1234\r\n", 16);
    } else if (strcmp(target, "/half") == 0) {
        net_send(conn, "HTTP/1.1 101 Swi", 16);
        return false;
    } else if (strcmp(target, "/reset") == 0) {
        net_reset(conn);
        return false;
    }
    net_wait_gone(conn);
    return false;
}

static void
begin(void)
{
    server = net_server_open(serve, NULL, NULL, NULL);
    how = (struct kdp_ws_connect){.timeout_ns = 10 * S};
}

static int
to(const char *target)
{
    char url[256];

    snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", net_server_port(server), target);
    CHECK_INT(kdpi_url_parse(&how.url, url), 0);
    return kdp_ws_connect(&how, &made);
}

static void
drop(void)
{
    kdp_tls_close(made.tls, true);
    kdp_ws_close(made.ws);
}

KDP_TEST(an_open_stream)
{
    struct kdp_ws_message message;

    begin();
    CHECK_INT(to("/ws"), 0);
    CHECK(made.tls != NULL && made.ws != NULL);
    CHECK_INT(kdp_ws_next(made.ws, &message), 0);
    drop();
    net_server_close(server);
}

KDP_TEST(frames_that_came_with_the_reply_are_there)
{
    struct kdp_ws_message message;

    begin();
    CHECK_INT(to("/frame"), 0);
    CHECK_INT(kdp_ws_next(made.ws, &message), 1);
    CHECK_INT(message.kind, KDP_WS_TEXT);
    CHECK_INT(message.len, 5);
    CHECK_MEM(message.data, "hello", 5);
    CHECK_INT(kdp_ws_next(made.ws, &message), 0);
    drop();
    net_server_close(server);
}

static void
refused(const char *target, int status, const char *words, const char *body)
{
    CHECK_INT(to(target), -KDP_EREFUSED);
    CHECK(made.tls == NULL && made.ws == NULL);
    CHECK_INT(made.status, status);
    CHECK_STR(kdp_error_text(), words);
    if (body != NULL)
        CHECK_STR(made.body, body);
}

KDP_TEST(refusals_in_the_exchange_s_words)
{
    begin();
    refused("/401", 401, "the exchange refused the key: 127.0.0.1: 401 \"header timestamp expired\"",
            "{\"code\":\"header_timestamp_expired\",\"message\":\"header timestamp expired\"}");
    CHECK_INT(made.date_ns, INT64_C(1795359845) * S);
    CHECK(strstr(kdp_error_hint(), "kdp status") != NULL);
    refused("/chunked", 401, "the exchange refused the key: 127.0.0.1: 401 \"no \xc3\xbc\"",
            "{\"error\":{\"code\":\"nope\",\"message\":\"no \\u00fc\"}}");
    refused("/429", 429, "the exchange refused the stream: 127.0.0.1: 429 \"too many requests\"",
            "{\"error\":\"too many requests\"}");
    refused("/html", 502, "the exchange refused the stream: 127.0.0.1: 502 \"Bad Gateway\"", NULL);
    CHECK_INT(strspn(made.body, "<"), sizeof made.body - 1);
    refused("/moved", 302, "the exchange refused the stream: 127.0.0.1: 302 \"Found\"", "");
    net_server_close(server);
}

KDP_TEST(what_is_no_websocket)
{
    begin();
    CHECK_INT(to("/wrong-key"), -KDP_EFORMAT);
    CHECK_INT(to("/garbage"), -KDP_EFORMAT);
    CHECK_INT(to("/endless"), -KDP_EFORMAT);
    CHECK(made.tls == NULL && made.ws == NULL);
    net_server_close(server);
}

KDP_TEST(connections_that_end_early)
{
    int rc;

    begin();
    CHECK_INT(to("/half"), -KDP_ECLOSED);
    rc = to("/reset");
    CHECK(rc == -KDP_ECLOSED || rc == -KDP_ENET);
    CHECK(kdp_error_text()[0] != '\0');
    net_server_close(server);
}

KDP_TEST(silence_ends_at_the_timeout)
{
    int64_t began_ns = kdpi_mono_ns();

    begin();
    how.timeout_ns = S / 5;
    CHECK_INT(to("/silence"), -KDP_ETIMEOUT);
    CHECK_STR(kdp_error_text(), "no answer in time: 127.0.0.1: waited 0.2 s for the stream to open");
    CHECK(kdpi_mono_ns() - began_ns >= S / 5);
    net_server_close(server);
}

KDP_TEST(a_stop_is_heard)
{
    volatile int stop = 1;
    int64_t began_ns = kdpi_mono_ns();

    begin();
    how.stop = &stop;
    CHECK_INT(to("/silence"), -KDP_ESTOPPED);
    CHECK(kdpi_mono_ns() - began_ns < 5 * S);
    net_server_close(server);
}

KDP_TEST(the_upgrade_is_signed_and_teaches_the_clock)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    char path[512], value[256];
    struct kdp_signer *signer;
    int64_t off_ns;
    FILE *file;

    begin();
    snprintf(path, sizeof path, "%s/key.pem", kdp_test_dir());
    file = fopen(path, "w");
    CHECK(key != NULL && file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK_INT(fclose(file), 0);
    CHECK_INT(kdp_signer_open(&signer, "id-1", path), 0);
    how.signer = signer;
    how.token = "old-token";
    CHECK_INT(to("/ws"), 0);
    drop();
    CHECK(net_header(last_head, "KALSHI-ACCESS-KEY", value, sizeof value));
    CHECK_STR(value, "id-1");
    CHECK(net_header(last_head, "KALSHI-ACCESS-SIGNATURE", value, sizeof value));
    CHECK_INT(strlen(value), 88);
    CHECK(net_header(last_head, "Authorization", value, sizeof value));
    CHECK_STR(value, "Bearer old-token");
    CHECK_INT(kdp_signer_offset_ns(signer), 0);
    /* refused for its time, and the next signature has the exchange's */
    CHECK_INT(to("/401"), -KDP_EREFUSED);
    off_ns = made.date_ns - kdpi_now_ns();
    CHECK(off_ns < -2 * S || off_ns > 2 * S); /* else this machine's clock stands at the example's time */
    off_ns -= kdp_signer_offset_ns(signer);
    CHECK(off_ns > -2 * S && off_ns < 2 * S);
    net_server_close(server);
    kdp_signer_close(signer);
    EVP_PKEY_free(key);
}

KDP_TEST(over_tls)
{
    char cert[512], key[512], ca[512], url[128];
    const char *dir = kdp_test_dir();
    struct kdp_tls_context *trusting, *plain;

    net_certificates(dir, "Corp Proxy CA", "localhost", -1, 10);
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    server = net_server_open(serve, NULL, cert, key);
    how = (struct kdp_ws_connect){.timeout_ns = 10 * S};
    snprintf(url, sizeof url, "wss://localhost:%u/frame", net_server_port(server));
    CHECK_INT(kdpi_url_parse(&how.url, url), 0);
    CHECK_INT(kdp_ws_connect(&how, &made), -KDP_EINVAL); /* nothing to check it by is not an agreement */
    CHECK_INT(kdp_tls_client(&trusting, ca), 0);
    CHECK_INT(kdp_tls_client(&plain, NULL), 0);
    how.context = trusting;
    CHECK_INT(kdp_ws_connect(&how, &made), 0);
    drop();
    how.context = plain;
    CHECK_INT(kdp_ws_connect(&how, &made), -KDP_EREFUSED);
    CHECK_INT(made.status, 0);
    CHECK_STR(kdp_error_text(), "certificate not trusted: localhost: issued by unknown \"Corp Proxy CA\"");
    net_server_close(server);
    kdp_tls_context_free(trusting);
    kdp_tls_context_free(plain);
}
