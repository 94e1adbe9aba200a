/* test_tls_connect.c - what becomes of a connection that does not come about. */
#include "clock.h"
#include "error.h"
#include "support/tls_fixture.h"
#include "tls_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Makes a listener's queue full: the kernel drops what asks for a connection, as a firewall would. */
static unsigned
fill_queue(int listener, const char *address, uint16_t port, int *fds, unsigned max)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

    CHECK_INT(inet_pton(AF_INET, address, &at.sin_addr), 1);
    CHECK_INT(listen(listener, 0), 0);
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
    count = fill_queue(fixture.listener, "127.0.0.1", fixture.port, fds, 32);
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

/* Addresses of a name as the resolver would give them. */
static const struct addrinfo *
addresses(const char *const *texts, unsigned count, uint16_t port)
{
    static struct addrinfo infos[32];
    static struct sockaddr_in at[32];

    for (unsigned i = 0; i < count; i++) {
        at[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        CHECK_INT(inet_pton(AF_INET, texts[i], &at[i].sin_addr), 1);
        infos[i] = (struct addrinfo){.ai_family = AF_INET,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_addr = (struct sockaddr *)&at[i],
                                     .ai_addrlen = sizeof at[i],
                                     .ai_next = i + 1 < count ? &infos[i + 1] : NULL};
    }
    return infos;
}

KDP_TEST(every_address_of_a_name_is_tried_and_a_silent_one_costs_a_quarter_second)
{
    /* 127.0.0.2 refuses, 127.0.0.3 is silent, 127.0.0.1 answers */
    static const char *const three[] = {"127.0.0.2", "127.0.0.3", "127.0.0.1"};
    struct kdp_tls_options options = {.host = "three.example"};
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    int fds[32], silent, fd;
    unsigned count;
    int64_t start_ns;

    set_up("DNS:localhost", -3600, 3600);
    options.port = fixture.port;
    silent = listen_on("127.0.0.3", &fixture.port);
    CHECK(silent >= 0);
    count = fill_queue(silent, "127.0.0.3", fixture.port, fds, 32);
    start_ns = kdpi_mono_ns();
    options.deadline_mono_ns = start_ns + 20 * KDP_NS_PER_S;
    fd = kdp_tls_connect_any(&options, addresses(three, 3, fixture.port));
    CHECK(fd >= 0);
    CHECK_INT(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    CHECK_INT(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
    CHECK(kdpi_mono_ns() - start_ns <
          5 * KDP_NS_PER_S); /* the kernel alone would try the silent one for minutes */
    close(fd);
    /* none answers: the last refusal is told */
    CHECK_INT(kdp_tls_connect_any(&options, addresses(three, 1, fixture.port)), -KDP_ENET);
    CHECK(strstr(kdp_error_text(), "cannot connect: three.example:") != NULL);
    close(silent);
    while (count > 0)
        close(fds[--count]);
}

KDP_TEST(an_address_of_version_6_is_connected_to)
{
    struct kdp_tls *tls;
    uint16_t port = 0;

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
