/* tls_fixture.c - see tls_fixture.h. */
#include "tls_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"

struct fixture fixture;

int
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

void
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

void
start(void (*serve)(struct fixture *, int))
{
    fixture.serve = serve;
    CHECK_INT(pthread_create(&fixture.thread, NULL, server_thread, &fixture), 0);
}

void
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

int
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

void
ready(const struct kdp_tls *tls, short events)
{
    struct pollfd fd = {kdp_tls_fd(tls), events, 0};

    CHECK(poll(&fd, 1, 10000) == 1);
}

/* Reads just len bytes. */
void
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

void
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
void
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

void
wait_for_go(struct fixture *f)
{
    char byte;

    CHECK_INT(read(f->pipe[0], &byte, 1), 1);
}

void
go(void)
{
    CHECK_INT(write(fixture.pipe[1], "g", 1), 1);
}

/* Sends back what comes, until the client goes. */
void
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

void
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

void
dial_fails(const char *host, struct kdp_tls_context *context, int code, const char *words, const char *hint)
{
    struct kdp_tls *tls;
    int rc = dial(&tls, host, context, 10000);

    if (rc != code || strstr(kdp_error_text(), words) == NULL || strstr(kdp_error_hint(), hint) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "got %d, \"%s\", \"%s\"; want \"%s\"", rc, kdp_error_text(),
                      kdp_error_hint(), words);
    CHECK(tls == NULL);
}

void
without_tls(void)
{
    kdp_tls_context_free(fixture.server);
    fixture.server = NULL;
}
