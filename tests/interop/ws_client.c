/* ws_client.c - a client on the net library, for foreign servers.
 *
 *   ws_client echo URL [options]    sends back what comes until the server closes; prints TEXT of up to 100 bytes with --print
 *   ws_client talk URL [options]    to an echo server: every length that has another head, fragments with a PING between them,
 *                                   16 MB, PINGs, the server's own PINGs and CLOSE; says what was exchanged
 *   options: --ca-file FILE, --deflate, --expect-deflate, --version TLSv1.2 */
#include "clock.h"
#include "error.h"
#include "ws_connect.h"
#include "ws_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kdp_tls *tls;
static struct kdp_ws *ws;
static unsigned pings, pongs;
static int64_t deadline_ns;

static _Noreturn void
fail(const char *what)
{
    fprintf(stderr, "ws_client: %s: %s\n", what, kdp_error_text());
    exit(1);
}

static void
send_out(void)
{
    size_t len;
    const void *out;

    while ((out = kdp_ws_output(ws, &len)), len > 0) {
        int64_t sent = kdp_tls_write(tls, out, len);

        if (sent <= 0)
            break;
        kdp_ws_sent(ws, (size_t)sent);
    }
}

/* The next message; false at the end of the connection. */
static bool
hear(struct kdp_ws_message *message)
{
    for (;;) {
        size_t room, len;
        int64_t n, recv_ns;
        void *to;
        int rc = kdp_ws_next(ws, message);

        send_out();
        if (rc < 0)
            return false;
        if (rc > 0) {
            pings += message->kind == KDP_WS_PING;
            pongs += message->kind == KDP_WS_PONG;
            return true;
        }
        if (kdp_ws_closed(ws))
            return false;
        if (kdpi_mono_ns() > deadline_ns) {
            kdpi_fail(KDP_ETIMEOUT, "nothing for 60 s");
            fail("hear");
        }
        if ((to = kdp_ws_room(ws, &room)) == NULL)
            fail("room");
        if ((n = kdp_tls_read(tls, to, room, &recv_ns)) < 0)
            return false;
        kdp_ws_received(ws, (size_t)n);
        if (n == 0) {
            struct pollfd fd = {kdp_tls_fd(tls), POLLIN, 0};

            kdp_ws_output(ws, &len);
            if (len > 0 || kdp_tls_wants_write(tls))
                fd.events |= POLLOUT;
            poll(&fd, 1, 1000);
        }
    }
}

/* The next TEXT or BINARY must be this. */
static void
expect(enum kdp_ws_kind kind, const char *data, size_t len)
{
    struct kdp_ws_message message;

    deadline_ns = kdpi_mono_ns() + 60 * KDP_NS_PER_S;
    do
        if (!hear(&message))
            fail("the server went away");
    while (message.kind >= KDP_WS_CLOSE && message.kind != KDP_WS_CLOSE);
    if (message.kind != kind || message.len != len || memcmp(message.data, data, len) != 0) {
        fprintf(stderr, "ws_client: sent %u of %zu bytes, %u of %zu came back%s\n", kind, len, message.kind,
                message.len, message.len == len ? ", with other bytes" : "");
        exit(1);
    }
}

static void
talk(void)
{
    static const size_t lengths[] = {0,   1,    2,     63,    64,    65,    124,   125,     126,     127,
                                     128, 1000, 16384, 65534, 65535, 65536, 65537, 1000000, 16000000};
    struct kdp_ws_message message;
    char *text = malloc(16000000);
    unsigned messages = 0, had;

    if (text == NULL)
        exit(1);
    for (size_t i = 0; i < 16000000; i++)
        text[i] = (char)(' ' + (i * i / 77 + i) % 94);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (enum kdp_ws_kind kind = KDP_WS_TEXT; kind <= KDP_WS_BINARY; kind++) {
            if (kdp_ws_put(ws, kind, text, lengths[i]) != 0)
                fail("put");
            expect(kind, text, lengths[i]);
            messages++;
        }
    }
    /* characters of every length, and fragments that cut them, with a PING between */
    if (kdp_ws_put_part(ws, KDP_WS_TEXT, "\xc3\xa4 \xe2\x82", 5, false) != 0 ||
        kdp_ws_put(ws, KDP_WS_PING, "between", 7) != 0 ||
        kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "", 0, false) != 0 ||
        kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "\xac \xf0\x9f\x98", 5, false) != 0 ||
        kdp_ws_put_part(ws, KDP_WS_CONTINUATION, "\x80.", 2, true) != 0)
        fail("put_part");
    expect(KDP_WS_TEXT, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80.", 12);
    messages++;
    /* many at once */
    for (unsigned i = 0; i < 500; i++)
        if (kdp_ws_put(ws, KDP_WS_TEXT, text + i, 200 + i) != 0)
            fail("put");
    for (unsigned i = 0; i < 500; i++, messages++)
        expect(KDP_WS_TEXT, text + i, 200 + i);
    /* a PING of ours, one of the server's: its echo of our answer tells that it came */
    had = pongs;
    if (kdp_ws_put(ws, KDP_WS_PING, "beat", 4) != 0 || kdp_ws_put(ws, KDP_WS_TEXT, "ping us", 7) != 0)
        fail("put");
    expect(KDP_WS_TEXT, "pong us", 7);
    if (pings == 0 || pongs == had) {
        fprintf(stderr, "ws_client: %u pings, %u pongs\n", pings, pongs - had);
        exit(1);
    }
    if (kdp_ws_put(ws, KDP_WS_TEXT, "close 4321 enough", 17) != 0)
        fail("put");
    do
        if (!hear(&message))
            fail("no CLOSE");
    while (message.kind != KDP_WS_CLOSE);
    if (message.close_code != 4321 || message.len != 6 || memcmp(message.data, "enough", 6) != 0) {
        fprintf(stderr, "ws_client: closed with %u \"%.*s\"\n", message.close_code, (int)message.len,
                message.data);
        exit(1);
    }
    while (hear(&message)) /* the server ends the connection */
        ;
    printf("%u messages, %u pings, %u pongs, %s\n", messages, pings, pongs, kdp_tls_version(tls));
    free(text);
}

static void
echo(bool print)
{
    struct kdp_ws_message message;
    bool open = true;

    deadline_ns = kdpi_mono_ns() + 600 * KDP_NS_PER_S;
    while (open && hear(&message)) {
        if (message.kind > KDP_WS_BINARY)
            continue;
        if (print)
            printf("%.*s\n", message.len < 100 ? (int)message.len : 100, message.data);
        open = kdp_ws_closing(ws) || kdp_ws_put(ws, message.kind, message.data, message.len) == 0;
    }
    /* what is left goes out, and the server closes first: it may still look at our CLOSE */
    deadline_ns = kdpi_mono_ns() + 2 * KDP_NS_PER_S;
    for (size_t len = 1; kdpi_mono_ns() < deadline_ns;) {
        char rest[4096];
        int64_t recv_ns;
        struct pollfd fd = {kdp_tls_fd(tls), POLLIN, 0};

        send_out();
        kdp_ws_output(ws, &len);
        if (kdp_tls_read(tls, rest, sizeof rest, &recv_ns) < 0)
            break;
        if (len > 0 || kdp_tls_wants_write(tls))
            fd.events |= POLLOUT;
        poll(&fd, 1, 100);
    }
}

int
main(int argc, char **argv)
{
    struct kdp_ws_connect how = {.timeout_ns = 20 * KDP_NS_PER_S};
    struct kdp_ws_connected connected;
    const char *ca_file = NULL, *version = NULL;
    bool print = false, expect_deflate = false;

    if (argc < 3 || kdpi_url_parse(&how.url, argv[2]) != 0)
        fail("usage: ws_client echo|talk URL [options]");
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--ca-file") == 0 && i + 1 < argc)
            ca_file = argv[++i];
        else if (strcmp(argv[i], "--version") == 0 && i + 1 < argc)
            version = argv[++i];
        else if (strcmp(argv[i], "--deflate") == 0)
            how.deflate = true;
        else if (strcmp(argv[i], "--expect-deflate") == 0)
            expect_deflate = true;
        else if (strcmp(argv[i], "--print") == 0)
            print = true;
        else
            fail(argv[i]);
    }
    if (how.url.tls && kdp_tls_client(&how.context, ca_file) != 0)
        fail("CA file");
    if (kdp_ws_connect(&how, &connected) != 0)
        fail("connect");
    tls = connected.tls;
    ws = connected.ws;
    if (version != NULL && strcmp(version, kdp_tls_version(tls)) != 0) {
        fprintf(stderr, "ws_client: %s was spoken\n", kdp_tls_version(tls));
        return 1;
    }
    if (expect_deflate && !ws->codec.on) {
        fprintf(stderr, "ws_client: no permessage-deflate was agreed\n");
        return 1;
    }
    deadline_ns = kdpi_mono_ns() + 60 * KDP_NS_PER_S;
    if (strcmp(argv[1], "talk") == 0)
        talk();
    else
        echo(print);
    kdp_tls_close(tls, false);
    kdp_ws_close(ws);
    kdp_tls_context_free(how.context);
    return 0;
}
