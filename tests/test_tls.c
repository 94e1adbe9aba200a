/* test_tls.c - connections over loopback: both versions, every way a certificate can be wrong, every way a stream can end. */
#include "clock.h"
#include "error.h"
#include "support/tls_fixture.h"
#include "tls_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void
echo_over(const char *host, int version, const char *name)
{
    static char text[300000], back[300000];
    struct kdp_tls *tls;

    set_up("DNS:localhost,IP:127.0.0.1", -3600, 3600);
    if (version != 0) {
        SSL_CTX_set_max_proto_version(fixture.server->ssl, version);
        SSL_CTX_set_min_proto_version(fixture.server->ssl, version);
    }
    start(serve_echo);
    if (dial(&tls, host, fixture.client, 10000) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    CHECK_STR(kdp_tls_version(tls), name);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i >> 5);
    write_all(tls, "x", 1);
    read_all(tls, back, 1);
    CHECK_INT(back[0], 'x');
    for (size_t at = 0; at < sizeof text; at += 30000) { /* less than what both sockets hold */
        write_all(tls, text + at, 30000);
        read_all(tls, back + at, 30000);
    }
    CHECK_MEM(back, text, sizeof text);
    kdp_tls_close(tls, false);
    tear_down();
}

KDP_TEST(tls_1_3_by_name)
{
    echo_over("localhost", 0, "TLSv1.3");
}

KDP_TEST(tls_1_2_by_address)
{
    echo_over("127.0.0.1", TLS1_2_VERSION, "TLSv1.2");
}

KDP_TEST(tls_1_1_is_refused)
{
    set_up("DNS:localhost", -3600, 3600);
    SSL_CTX_set_min_proto_version(fixture.server->ssl, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(fixture.server->ssl, TLS1_1_VERSION);
    SSL_CTX_set_security_level(fixture.server->ssl, 0);
    start(serve_failing_handshake);
    dial_fails("localhost", fixture.client, -KDP_ENET, "TLS handshake failed: localhost:", "");
    tear_down();
}

KDP_TEST(an_unknown_issuer_is_named_with_the_way_to_trust_it)
{
    struct kdp_tls_context *strange;

    set_up("DNS:localhost", -3600, 3600);
    CHECK_INT(kdp_tls_client(&strange, NULL), 0); /* the system's roots alone */
    start(serve_failing_handshake);
    dial_fails("localhost", strange, -KDP_EREFUSED,
               "certificate not trusted: localhost: issued by unknown \"Corp Proxy CA\"", "--ca-file");
    kdp_tls_context_free(strange);
    tear_down();
}

KDP_TEST(a_wrong_host_name_is_refused)
{
    set_up("DNS:api.example.com,DNS:*.example.org", -3600, 3600);
    start(serve_failing_handshake);
    dial_fails("localhost", fixture.client, -KDP_EREFUSED,
               "certificate not trusted: localhost: it is for \"api.example.com\", \"*.example.org\"",
               "host name");
    tear_down();
    set_up("DNS:localhost", -3600, 3600);
    start(serve_failing_handshake);
    dial_fails("127.0.0.1", fixture.client, -KDP_EREFUSED,
               "certificate not trusted: 127.0.0.1: it is for \"localhost\"", "");
    tear_down();
    set_up("DNS:a.example,IP:10.0.0.1,DNS:b.example,DNS:c.example,DNS:d.example,DNS:e.example", -3600, 3600);
    start(serve_failing_handshake);
    dial_fails("localhost", fixture.client, -KDP_EREFUSED,
               "\"a.example\", \"b.example\", \"c.example\" and 2 more", "");
    tear_down();
}

KDP_TEST(an_expired_certificate_is_refused)
{
    set_up("DNS:localhost", -7200, -3600);
    start(serve_failing_handshake);
    dial_fails("localhost", fixture.client, -KDP_EREFUSED,
               "certificate not trusted: localhost: expired on 20", "clock");
    tear_down();
    set_up("DNS:localhost", 3600, 7200);
    start(serve_failing_handshake);
    dial_fails("localhost", fixture.client, -KDP_EREFUSED,
               "certificate not trusted: localhost: not valid before 20", "clock");
    tear_down();
}

/* ---- ends ---- */

/* Handshake and 5 bytes, then the end that the case wants, by amount. */
static void
serve_end(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char five[5];

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    read_all(tls, five, 5);
    write_all(tls, five, 5);
    if (f->amount == 1)
        shutdown(fd, SHUT_RDWR); /* no goodbye of TLS */
    if (f->amount == 2)
        wait_for_go(f);
    kdp_tls_close(tls, f->amount == 2);
}

static void
end_is(size_t how, bool plain, int code, const char *words)
{
    struct kdp_tls *tls;
    char five[5];

    set_up("DNS:localhost", -3600, 3600);
    fixture.amount = how;
    if (plain) {
        without_tls();
    }
    start(serve_end);
    CHECK_INT(dial(&tls, "localhost", plain ? NULL : fixture.client, 10000), 0);
    CHECK_STR(kdp_tls_version(tls), plain ? "none" : "TLSv1.3");
    write_all(tls, "hello", 5);
    read_all(tls, five, 5);
    CHECK_MEM(five, "hello", 5);
    if (how == 2)
        go();
    ends(tls, code, words);
    CHECK(kdp_tls_write(tls, "x", 1) < 0);
    kdp_tls_close(tls, false);
    tear_down();
}

KDP_TEST(an_orderly_end_is_told)
{
    end_is(0, false, -KDP_ECLOSED, "connection closed by localhost:");
    end_is(0, true, -KDP_ECLOSED, "connection closed by localhost:");
}

KDP_TEST(a_stream_cut_short_is_told_from_an_orderly_end)
{
    end_is(1, false, -KDP_ECLOSED, "connection cut short by localhost:");
}

KDP_TEST(a_reset_is_told)
{
    end_is(2, false, -KDP_ENET, "connection lost: localhost:");
    end_is(2, true, -KDP_ENET, "connection reset by peer");
}

static void
serve_garbage(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char byte;
    int64_t ns;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    read_all(tls, &byte, 1);
    write_all(tls, "good", 4);
    CHECK_INT(write(fd, "\x17\x03\x03\x00\x20 these bytes were never encrypted", 38), 38);
    while (kdp_tls_read(tls, &byte, 1, &ns) == 0) /* until the client has gone */
        ready(tls, POLLIN);
    kdp_tls_close(tls, false);
}

KDP_TEST(a_record_that_was_changed_on_the_way_ends_the_connection)
{
    struct kdp_tls *tls;
    char good[4];

    set_up("DNS:localhost", -3600, 3600);
    start(serve_garbage);
    CHECK_INT(dial(&tls, "localhost", fixture.client, 10000), 0);
    write_all(tls, "x", 1);
    read_all(tls, good, 4);
    CHECK_MEM(good, "good", 4);
    ends(tls, -KDP_ENET, "connection broken: localhost:");
    kdp_tls_close(tls, false);
    tear_down();
}

static void
serve_and_go(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char text[1000];
    char byte;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    read_all(tls, &byte, 1);
    memset(text, 'e', sizeof text);
    write_all(tls, text, sizeof text);
    kdp_tls_close(tls, false);
    go();
}

KDP_TEST(what_came_before_the_end_is_handed_out)
{
    for (unsigned plain = 0; plain < 2; plain++) {
        static char buf[4096];
        struct kdp_tls *tls;
        int64_t ns;

        set_up("DNS:localhost", -3600, 3600);
        if (plain) {
            without_tls();
        }
        start(serve_and_go);
        CHECK_INT(dial(&tls, "localhost", plain ? NULL : fixture.client, 10000), 0);
        write_all(tls, "x", 1);
        wait_for_go(&fixture); /* all of it, and the end, are there now */
        ready(tls, POLLIN);
        CHECK_INT(kdp_tls_read(tls, buf, sizeof buf, &ns), 1000);
        ends(tls, -KDP_ECLOSED, "connection closed by");
        kdp_tls_close(tls, false);
        tear_down();
    }
}

static void
serve_reset(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char byte;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    read_all(tls, &byte, 1);
    kdp_tls_close(tls, true);
    go();
}

KDP_TEST(writing_to_one_who_is_gone_kills_nobody)
{
    struct kdp_tls *tls;

    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    set_up("DNS:localhost", -3600, 3600);
    start(serve_reset);
    CHECK_INT(dial(&tls, "localhost", fixture.client, 10000), 0);
    write_all(tls, "x", 1);
    wait_for_go(&fixture);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_INT(kdp_tls_write(tls, "some words", 10), -KDP_ENET);
        CHECK(strstr(kdp_error_text(), "connection lost: localhost:") != NULL);
    }
    kdp_tls_close(tls, false);
    tear_down();
}

/* ---- files ---- */

KDP_TEST(files_that_cannot_be_used_are_named)
{
    struct kdp_tls_context *context;
    char path[600];
    FILE *file;

    set_up("DNS:localhost", -3600, 3600);
    CHECK_INT(kdp_tls_client(&context, "/no/such/ca.pem"), -KDP_ENOENT);
    CHECK_STR(kdp_error_text(), "cannot read the CA file: /no/such/ca.pem: no such file or directory");
    CHECK(context == NULL);
    snprintf(path, sizeof path, "%s/words.pem", kdp_test_dir());
    CHECK((file = fopen(path, "w")) != NULL);
    fputs("no certificate\n", file);
    fclose(file);
    CHECK_INT(kdp_tls_client(&context, path), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "not a usable CA file: ") != NULL);
    CHECK_INT(kdp_tls_server(&context, "/no/such/cert.pem", fixture.key_path), -KDP_ENOENT);
    CHECK_INT(kdp_tls_server(&context, fixture.cert_path, path), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "not a usable private key: ") != NULL);
    test_ca_issue(fixture.ca, "DNS:other", -3600, 3600, path, fixture.key_path); /* another key */
    CHECK_INT(kdp_tls_server(&context, fixture.cert_path, fixture.key_path), -KDP_EFORMAT);
    CHECK(strstr(kdp_error_text(), "do not belong together") != NULL);
    CHECK(context == NULL);
}
