/* test_tls.c - connections over loopback: both versions, every way a certificate can be wrong, every way a stream can end, the
 * receive time, and writers faster than readers. */
#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "support/test_ca.h"
#include "tls.h"
#include "tls_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One server on a thread; what it does with its one connection is the case's. */
struct fixture {
    char ca_path[600], cert_path[600], key_path[600];
    struct test_ca *ca;
    struct kdp_tls_context *client, *server;
    int listener;
    uint16_t port;
    pthread_t thread;
    void (*serve)(struct fixture *fixture, int fd);
    volatile int stop;
    int64_t sent_ns;
    size_t amount;
    int pipe[2]; /* the case tells the server when to go on */
};

static struct fixture fixture;

static int
listen_on(const char *address, uint16_t *portp)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(*portp)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(*portp)};
    bool is_six = strchr(address, ':') != NULL;
    struct sockaddr *at = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    socklen_t len = is_six ? sizeof six : sizeof four;
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    CHECK_INT(inet_pton(at->sa_family, address, is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr), 1);
    if (bind(fd, at, len) != 0 || listen(fd, 8) != 0 || getsockname(fd, at, &len) != 0) {
        close(fd);
        return -1;
    }
    *portp = ntohs(is_six ? six.sin6_port : four.sin_port);
    return fd;
}

static void
set_up(const char *names, long from_s, long to_s)
{
    const char *dir = kdp_test_dir();

    memset(&fixture, 0, sizeof fixture);
    snprintf(fixture.ca_path, sizeof fixture.ca_path, "%s/ca.pem", dir);
    snprintf(fixture.cert_path, sizeof fixture.cert_path, "%s/cert.pem", dir);
    snprintf(fixture.key_path, sizeof fixture.key_path, "%s/key.pem", dir);
    fixture.ca = test_ca_new("Corp Proxy CA", fixture.ca_path);
    test_ca_issue(fixture.ca, names, from_s, to_s, fixture.cert_path, fixture.key_path);
    CHECK_INT(kdp_tls_client(&fixture.client, fixture.ca_path), 0);
    CHECK_INT(kdp_tls_server(&fixture.server, fixture.cert_path, fixture.key_path), 0);
    fixture.listener = listen_on("127.0.0.1", &fixture.port);
    CHECK(fixture.listener >= 0);
    CHECK_INT(pipe(fixture.pipe), 0);
}

static void *
server_thread(void *arg)
{
    struct fixture *f = arg;
    int fd = accept(f->listener, NULL, NULL);

    CHECK(fd >= 0);
    f->serve(f, fd);
    return NULL;
}

static void
start(void (*serve)(struct fixture *, int))
{
    fixture.serve = serve;
    CHECK_INT(pthread_create(&fixture.thread, NULL, server_thread, &fixture), 0);
}

static void
tear_down(void)
{
    CHECK_INT(pthread_join(fixture.thread, NULL), 0);
    kdp_tls_context_free(fixture.client);
    kdp_tls_context_free(fixture.server);
    test_ca_free(fixture.ca);
    close(fixture.listener);
    close(fixture.pipe[0]);
    close(fixture.pipe[1]);
}

static int
dial(struct kdp_tls **tlsp, const char *host, struct kdp_tls_context *context, int64_t timeout_ms)
{
    struct kdp_tls_options options = {.host = host,
                                      .port = fixture.port,
                                      .context = context,
                                      .deadline_mono_ns = kdpi_mono_ns() + timeout_ms * KDP_NS_PER_MS,
                                      .stop = &fixture.stop,
                                      .busy_poll_us = 50};

    return kdp_tls_connect(tlsp, &options);
}

static void
ready(const struct kdp_tls *tls, short events)
{
    struct pollfd fd = {kdp_tls_fd(tls), events, 0};

    CHECK(poll(&fd, 1, 10000) == 1);
}

/* Reads just len bytes. */
static void
read_all(struct kdp_tls *tls, void *buf, size_t len)
{
    size_t got = 0;
    int64_t ns;

    while (got < len) {
        int64_t n = kdp_tls_read(tls, (char *)buf + got, len - got, &ns);

        if (n < 0)
            kdp_test_fail(__FILE__, __LINE__, "read: %s", kdp_error_text());
        if (n == 0)
            ready(tls, POLLIN);
        got += (size_t)n;
    }
}

static void
write_all(struct kdp_tls *tls, const void *bytes, size_t len)
{
    size_t sent = 0;

    while (sent < len || kdp_tls_wants_write(tls)) {
        int64_t n = kdp_tls_write(tls, (const char *)bytes + sent, len - sent);

        if (n < 0)
            kdp_test_fail(__FILE__, __LINE__, "write: %s", kdp_error_text());
        sent += (size_t)n;
        if (kdp_tls_wants_write(tls))
            ready(tls, POLLOUT);
        else if (n == 0 && sent < len) /* the handshake is not over */
            ready(tls, POLLIN);
    }
}

/* The end of a stream: code and words. */
static void
ends(struct kdp_tls *tls, int code, const char *words)
{
    char byte[64];
    int64_t ns, n;

    while ((n = kdp_tls_read(tls, byte, sizeof byte, &ns)) >= 0)
        if (n == 0)
            ready(tls, POLLIN);
    if (n != code || strstr(kdp_error_text(), words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "got %d, \"%s\"; want %d, \"%s\"", (int)n, kdp_error_text(), code,
                      words);
    CHECK_INT(kdp_tls_read(tls, byte, sizeof byte, &ns), code); /* and again */
    CHECK(strstr(kdp_error_text(), words) != NULL);
}

static void
wait_for_go(struct fixture *f)
{
    char byte;

    CHECK_INT(read(f->pipe[0], &byte, 1), 1);
}

static void
go(void)
{
    CHECK_INT(write(fixture.pipe[1], "g", 1), 1);
}

/* Sends back what comes, until the client goes. */
static void
serve_echo(struct fixture *f, int fd)
{
    static char buf[100000];
    struct kdp_tls *tls;
    int64_t ns, n;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    while ((n = kdp_tls_read(tls, buf, sizeof buf, &ns)) >= 0) {
        if (n > 0)
            write_all(tls, buf, (size_t)n);
        else
            ready(tls, POLLIN);
    }
    CHECK_INT(n, -KDP_ECLOSED);
    CHECK_STR(kdp_error_text(), "connection closed by the client");
    kdp_tls_close(tls, false);
}

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

static void
serve_failing_handshake(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char byte;
    int64_t ns, n;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    while ((n = kdp_tls_read(tls, &byte, 1, &ns)) == 0)
        ready(tls, POLLIN);
    CHECK(n < 0);
    kdp_tls_close(tls, false);
}

static void
dial_fails(const char *host, struct kdp_tls_context *context, int code, const char *words, const char *hint)
{
    struct kdp_tls *tls;
    int rc = dial(&tls, host, context, 10000);

    if (rc != code || strstr(kdp_error_text(), words) == NULL || strstr(kdp_error_hint(), hint) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "got %d, \"%s\", \"%s\"; want \"%s\"", rc, kdp_error_text(),
                      kdp_error_hint(), words);
    CHECK(tls == NULL);
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
        kdp_tls_context_free(fixture.server);
        fixture.server = NULL;
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
            kdp_tls_context_free(fixture.server);
            fixture.server = NULL;
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

/* ---- receive time ---- */

static void
serve_time(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char byte;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    for (unsigned i = 0; i < 5; i++) {
        read_all(tls, &byte, 1);
        __atomic_store_n(&f->sent_ns, kdpi_now_ns(), __ATOMIC_SEQ_CST);
        write_all(tls, "tick", 4);
    }
    kdp_tls_close(tls, false);
}

KDP_TEST(the_receive_time_is_when_the_kernel_had_the_bytes_not_when_they_were_read)
{
    for (unsigned plain = 0; plain < 2; plain++) {
        struct kdp_tls *tls;
        char tick[16];
        unsigned kernel = 0;
        int64_t last_ns = 0;

        set_up("DNS:localhost", -3600, 3600);
        if (plain) {
            kdp_tls_context_free(fixture.server);
            fixture.server = NULL;
        }
        start(serve_time);
        CHECK_INT(dial(&tls, "localhost", plain ? NULL : fixture.client, 10000), 0);
        for (unsigned i = 0; i < 5; i++) {
            int64_t recv_ns = 0, readable_ns, sent_ns, n;

            write_all(tls, "?", 1);
            ready(tls, POLLIN);
            readable_ns = kdpi_now_ns();
            poll(NULL, 0, 30); /* not to wait for anything: the read is to be late */
            n = kdp_tls_read(tls, tick, sizeof tick, &recv_ns);
            CHECK_INT(n, 4);
            sent_ns = __atomic_load_n(&fixture.sent_ns, __ATOMIC_SEQ_CST);
            /* loopback has no way between the two; a clock set meanwhile would show here, 50 ms are forgiven */
            CHECK(recv_ns >= sent_ns - 50 * KDP_NS_PER_MS && recv_ns >= last_ns);
            CHECK(recv_ns <= kdpi_now_ns());
            kernel += recv_ns <= readable_ns;
            last_ns = recv_ns;
        }
        kdp_tls_close(tls, false);
        tear_down();
        if (kernel == 0)
            kdp_test_skip("this kernel gives no receive times: the wall clock stands in");
        CHECK(kernel >= 3); /* it begins to take them a moment after it was asked to */
    }
}

/* ---- much at once ---- */

static void
serve_records(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    char byte, text[150];
    int left = 1;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    read_all(tls, &byte, 1);
    for (unsigned i = 0; i < 200; i++) {
        memset(text, (int)('A' + i % 26), sizeof text);
        write_all(tls, text, sizeof text);
    }
    /* until the other end's kernel has all of it */
    for (unsigned i = 0; i < 1000 && left != 0; i++) {
        struct tcp_info info;
        socklen_t len = sizeof info;

        CHECK_INT(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
        if ((left = (int)info.tcpi_unacked) != 0)
            poll(NULL, 0, 1);
    }
    CHECK_INT(left, 0);
    go();
    read_all(tls, &byte, 1);
    kdp_tls_close(tls, false);
}

KDP_TEST(one_read_brings_many_records)
{
    static char buf[65536];
    struct kdp_tls *tls;
    int64_t ns;

    set_up("DNS:localhost", -3600, 3600);
    start(serve_records);
    CHECK_INT(dial(&tls, "localhost", fixture.client, 10000), 0);
    write_all(tls, "x", 1);
    wait_for_go(&fixture);
    CHECK_INT(kdp_tls_read(tls, buf, 1000, &ns), 1000); /* full: the rest is not lost */
    CHECK_INT(kdp_tls_read(tls, buf + 1000, sizeof buf - 1000, &ns), 29000);
    for (unsigned i = 0; i < 30000; i++)
        CHECK_INT(buf[i], 'A' + i / 150 % 26);
    CHECK_INT(kdp_tls_read(tls, buf, sizeof buf, &ns), 0);
    write_all(tls, "x", 1);
    ends(tls, -KDP_ECLOSED, "closed by");
    kdp_tls_close(tls, false);
    tear_down();
}

static uint64_t
sum_of(uint64_t sum, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + (unsigned char)bytes[i];
    return sum;
}

#define FLOOD (12u << 20)

static void
serve_late(struct fixture *f, int fd)
{
    static char buf[60001];
    struct kdp_tls *tls;
    uint64_t sum = 0;
    size_t got = 0;
    int64_t ns;
    char byte;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    read_all(tls, &byte, 1);
    wait_for_go(f);
    while (got < FLOOD) {
        int64_t n = kdp_tls_read(tls, buf, sizeof buf, &ns);

        CHECK(n >= 0);
        if (n == 0)
            ready(tls, POLLIN);
        sum = sum_of(sum, buf, (size_t)n);
        got += (size_t)n;
    }
    write_all(tls, &sum, sizeof sum);
    ends(tls, -KDP_ECLOSED, "closed by");
    kdp_tls_close(tls, false);
}

KDP_TEST(a_writer_faster_than_the_reader_loses_nothing_and_is_told_to_wait)
{
    for (unsigned plain = 0; plain < 2; plain++) {
        char *bytes = malloc(FLOOD);
        struct kdp_tls *tls;
        uint64_t state = kdp_test_seed(), sum;
        size_t sent = 0;
        unsigned waits = 0;
        bool told = false;

        CHECK(bytes != NULL);
        for (size_t i = 0; i < FLOOD; i++)
            bytes[i] = (char)(i * 2654435761u >> 13);
        set_up("DNS:localhost", -3600, 3600);
        if (plain) {
            kdp_tls_context_free(fixture.server);
            fixture.server = NULL;
        }
        start(serve_late);
        CHECK_INT(dial(&tls, "localhost", plain ? NULL : fixture.client, 10000), 0);
        write_all(tls, "x", 1);
        while (sent < FLOOD || kdp_tls_wants_write(tls)) {
            /* other lengths and places each time: nothing has to be offered twice alike */
            size_t piece = 1 + kdp_test_random(&state) % 70000;
            int64_t n = kdp_tls_write(tls, bytes + sent, piece < FLOOD - sent ? piece : FLOOD - sent);

            CHECK(n >= 0);
            sent += (size_t)n;
            if (kdp_tls_wants_write(tls)) {
                waits++;
                CHECK_INT(kdp_tls_write(tls, bytes + sent, FLOOD - sent < 10 ? FLOOD - sent : 10), 0);
                if (!told)
                    go();
                told = true;
                ready(tls, POLLOUT);
            }
        }
        CHECK(waits > 0);
        read_all(tls, &sum, sizeof sum);
        CHECK(sum == sum_of(0, bytes, FLOOD));
        kdp_tls_close(tls, false);
        tear_down();
        free(bytes);
    }
}

KDP_TEST(what_waits_to_be_sent_stays_in_order_and_has_a_bound)
{
    static char sent[8 << 20], got[8 << 20];
    struct kdp_tls tls = {0};
    int fds[2];
    size_t put = 0, taken = 0, piece = 0;
    ssize_t n;
    bool good = true;

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    tls.fd = fds[0];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 2654435761u >> 11);
    for (unsigned round = 0; put + 30000 < sizeof sent && round < 2000; round++) {
        piece = 1 + round * 7919 % 20000;
        if ((good = kdp_tls_send(&tls, sent + put, piece)))
            put += piece;
        else
            break;
        /* now and then a little is read, so that what waits is sent in part */
        if (round % 4 == 0 && (n = recv(fds[1], got + taken, 30000, MSG_DONTWAIT)) > 0)
            taken += (size_t)n;
    }
    CHECK(!good && tls.errnum == ENOBUFS); /* more came than was read, until the bound */
    CHECK(tls.out_to - tls.out_from > 400000 && tls.out_to - tls.out_from <= 512u << 10);
    tls.errnum = 0;
    while (taken < put) {
        kdp_tls_flush(&tls);
        CHECK((n = recv(fds[1], got + taken, sizeof got - taken, MSG_DONTWAIT)) > 0);
        taken += (size_t)n;
    }
    CHECK_INT(taken, put);
    CHECK_MEM(got, sent, put);
    free(tls.out);
    close(fds[0]);
    close(fds[1]);
}

/* ---- keys that change under way: a server of OpenSSL's own ---- */

static void
serve_rekey(struct fixture *f, int fd)
{
    SSL *ssl = SSL_new(f->server->ssl);
    char four[4];

    SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_set_fd(ssl, fd);
    CHECK_INT(SSL_accept(ssl), 1);
    for (unsigned i = 0; i < 20; i++) {
        if (SSL_version(ssl) == TLS1_3_VERSION) {
            CHECK_INT(SSL_key_update(ssl, i & 1 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED),
                      1);
        } else if (i % 5 == 0) {
            CHECK_INT(SSL_renegotiate(ssl), 1);
            CHECK_INT(SSL_do_handshake(ssl), 1); /* asks; the client's answer is read below */
        }
        CHECK_INT(SSL_write(ssl, "ping", 4), 4);
        CHECK_INT(SSL_read(ssl, four, 4), 4);
        CHECK_MEM(four, "pong", 4);
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

KDP_TEST(new_keys_and_renegotiation_go_unnoticed)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

    for (unsigned v = 0; v < 2; v++) {
        struct kdp_tls *tls;
        char four[4];

        set_up("DNS:localhost", -3600, 3600);
        SSL_CTX_set_max_proto_version(fixture.server->ssl, versions[v]);
        start(serve_rekey);
        CHECK_INT(dial(&tls, "localhost", fixture.client, 10000), 0);
        for (unsigned i = 0; i < 20; i++) {
            read_all(tls, four, 4);
            CHECK_MEM(four, "ping", 4);
            write_all(tls, "pong", 4);
        }
        ends(tls, -KDP_ECLOSED, "closed by");
        kdp_tls_close(tls, false);
        tear_down();
    }
}

/* ---- no connection at all ---- */

KDP_TEST(a_name_that_does_not_exist_is_told)
{
    /* a label of 64 characters is no name: no server has to be asked */
    set_up("DNS:localhost", -3600, 3600);
    dial_fails("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", fixture.client,
               -KDP_ENET, "no such host: aaaa", "Mend the name");
}

KDP_TEST(a_port_where_nobody_listens_is_told)
{
    set_up("DNS:localhost", -3600, 3600);
    close(fixture.listener);
    dial_fails("127.0.0.1", fixture.client, -KDP_ENET, "cannot connect: 127.0.0.1:", "listens");
    CHECK(strstr(kdp_error_text(), "connection refused") != NULL);
    dial_fails("localhost", fixture.client, -KDP_ENET, "cannot connect: localhost:", "");
}

KDP_TEST(a_server_that_says_nothing_is_given_up_at_the_deadline)
{
    struct kdp_tls *tls;
    int64_t start_ns = kdpi_mono_ns(), took_ns;

    set_up("DNS:localhost", -3600, 3600); /* the kernel takes the connection, nobody speaks TLS */
    start_ns = kdpi_mono_ns();
    CHECK_INT(dial(&tls, "localhost", fixture.client, 300), -KDP_ETIMEOUT);
    took_ns = kdpi_mono_ns() - start_ns;
    CHECK(took_ns >= 300 * KDP_NS_PER_MS && took_ns < 3 * KDP_NS_PER_S);
    CHECK(strstr(kdp_error_text(), "no answer in time: TLS handshake with localhost:") != NULL);
    CHECK(tls == NULL);
}

static void *
stop_soon(void *arg)
{
    (void)arg;
    poll(NULL, 0, 20);
    __atomic_store_n(&fixture.stop, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* A listener whose queue is full: the kernel drops what asks for a connection, as a firewall would. */
static unsigned
fill_queue(int *fds, unsigned max)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    CHECK_INT(listen(fixture.listener, 0), 0);
    at.sin_port = htons(fixture.port);
    for (unsigned i = 0; i < max; i++) {
        struct pollfd fd = {socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), POLLOUT, 0};

        fds[i] = fd.fd;
        CHECK(connect(fd.fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
        if (poll(&fd, 1, 200) == 0)
            return i + 1;
    }
    kdp_test_skip("this kernel's queue of connections has no end");
}

static void *stop_soon(void *arg);

KDP_TEST(an_address_that_does_not_answer_is_given_up)
{
    struct kdp_tls *tls;
    pthread_t thread;
    int fds[32];
    unsigned count;
    int64_t start_ns;

    set_up("DNS:localhost", -3600, 3600);
    count = fill_queue(fds, 32);
    start_ns = kdpi_mono_ns();
    CHECK_INT(dial(&tls, "127.0.0.1", fixture.client, 300), -KDP_ETIMEOUT);
    CHECK(strstr(kdp_error_text(), "no answer in time: connecting to 127.0.0.1:") != NULL);
    CHECK(kdpi_mono_ns() - start_ns < 3 * KDP_NS_PER_S);
    CHECK_INT(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    start_ns = kdpi_mono_ns();
    CHECK_INT(dial(&tls, "127.0.0.1", fixture.client, 60000), -KDP_ESTOPPED);
    CHECK(kdpi_mono_ns() - start_ns < 5 * KDP_NS_PER_S);
    CHECK_INT(pthread_join(thread, NULL), 0);
    while (count > 0)
        close(fds[--count]);
}

KDP_TEST(a_stop_ends_the_waiting)
{
    struct kdp_tls *tls;
    pthread_t thread;
    int64_t start_ns;

    set_up("DNS:localhost", -3600, 3600);
    CHECK_INT(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    start_ns = kdpi_mono_ns();
    CHECK_INT(dial(&tls, "localhost", fixture.client, 60000), -KDP_ESTOPPED);
    CHECK(kdpi_mono_ns() - start_ns < 5 * KDP_NS_PER_S);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static void
serve_http(struct fixture *f, int fd)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    char hello[1000];

    (void)f;
    CHECK(read(fd, hello, sizeof hello) > 0);
    CHECK_INT(write(fd, text, sizeof text - 1), sizeof text - 1);
    shutdown(fd, SHUT_WR);
    while (read(fd, hello, sizeof hello) > 0)
        ;
    close(fd);
}

KDP_TEST(a_plain_port_is_told)
{
    set_up("DNS:localhost", -3600, 3600);
    start(serve_http);
    dial_fails("localhost", fixture.client, -KDP_ENET, "does not speak TLS", "ws://");
    tear_down();
}

static void
serve_nothing(struct fixture *f, int fd)
{
    (void)f;
    close(fd);
}

KDP_TEST(a_connection_closed_in_the_handshake_is_told)
{
    set_up("DNS:localhost", -3600, 3600);
    start(serve_nothing);
    dial_fails("localhost", fixture.client, -KDP_ENET, "TLS handshake failed: localhost:", "");
    tear_down();
}

KDP_TEST(every_address_of_a_name_is_tried)
{
    struct kdp_tls *tls;
    uint16_t port = 0;

    /* localhost is ::1 too, where nobody listens */
    set_up("DNS:localhost", -3600, 3600);
    start(serve_echo);
    CHECK_INT(dial(&tls, "localhost", fixture.client, 10000), 0);
    kdp_tls_close(tls, false);
    tear_down();
    set_up("IP:::1", -3600, 3600);
    close(fixture.listener);
    fixture.listener = listen_on("::1", &port);
    if (fixture.listener < 0)
        kdp_test_skip("no IPv6 on this machine");
    fixture.port = port;
    start(serve_echo);
    if (dial(&tls, "::1", fixture.client, 10000) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    kdp_tls_close(tls, false);
    tear_down();
}

KDP_TEST(a_socket_connected_to_itself_is_known)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
    uint16_t port = 0;

    CHECK_INT(bind(fd, (struct sockaddr *)&at, len), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&at, len), 0); /* what the kernel may do by itself */
    CHECK(kdp_tls_is_itself(fd));
    close(fd);
    fd = listen_on("127.0.0.1", &port);
    at.sin_port = htons(port);
    CHECK_INT(connect(other, (struct sockaddr *)&at, len), 0);
    CHECK(!kdp_tls_is_itself(other));
    close(other);
    close(fd);
}

/* ---- a server that speaks first ---- */

static void
serve_first(struct fixture *f, int fd)
{
    struct kdp_tls *tls;
    int64_t n;

    CHECK_INT(kdp_tls_accept(&tls, fd, f->server), 0);
    while ((n = kdp_tls_write(tls, "welcome", 7)) == 0)
        ready(tls, POLLIN);
    CHECK_INT(n, 7);
    ends(tls, -KDP_ECLOSED, "closed by the client");
    kdp_tls_close(tls, false);
}

KDP_TEST(a_handshake_goes_on_with_writes_too)
{
    struct kdp_tls *tls;
    char seven[7];

    set_up("DNS:localhost", -3600, 3600);
    start(serve_first);
    CHECK_INT(dial(&tls, "localhost", fixture.client, 10000), 0);
    read_all(tls, seven, 7);
    CHECK_MEM(seven, "welcome", 7);
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
