/* test_tls_stream.c - bytes of a connection: when they came, many at once, more than the other end reads, keys that change. */
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
            without_tls();
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
            without_tls();
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
