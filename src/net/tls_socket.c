/* tls_socket.c - names and addresses, the connecting, and the bytes of one socket with the kernel's receive time. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "tls_private.h"

#define LOOK_NS (50 * KDP_NS_PER_MS) /* how often *stop is looked at */
#define NEXT_ADDRESS_NS \
    (250 * KDP_NS_PER_MS) /* RFC 8305: a further address is tried beside one that is slow */
#define ADDRESSES_MAX 16
#define OUT_MAX (512u << 10) /* bytes that wait; one record and what a handshake sends are far less */

#ifndef TCP_INQ
#define TCP_INQ 36
#endif
#ifndef TCP_CM_INQ
#define TCP_CM_INQ TCP_INQ
#endif

const char *
kdp_tls_errno_words(int errnum)
{
    static _Thread_local char words[96];

    snprintf(words, sizeof words, "%s", strerror(errnum));
    if (words[0] >= 'A' && words[0] <= 'Z' && words[1] >= 'a')
        words[0] = (char)(words[0] + ('a' - 'A'));
    return words;
}

static bool
stopped(const struct kdp_tls_options *options)
{
    return options->stop != NULL && __atomic_load_n(options->stop, __ATOMIC_RELAXED) != 0;
}

static int
until(const struct kdp_tls_options *options, int64_t next_ns)
{
    int64_t now = kdpi_mono_ns(), left = options->deadline_mono_ns - now;

    if (left > LOOK_NS)
        left = LOOK_NS;
    if (next_ns != 0 && left > next_ns - now)
        left = next_ns - now;
    return left <= 0 ? 0 : (int)((left + KDP_NS_PER_MS - 1) / KDP_NS_PER_MS);
}

int
kdp_tls_wait(int fd, short events, const struct kdp_tls_options *options)
{
    struct pollfd poll_fd = {fd, events, 0};

    if (stopped(options))
        return -KDP_ESTOPPED;
    if (kdpi_mono_ns() >= options->deadline_mono_ns)
        return -KDP_ETIMEOUT;
    poll(&poll_fd, 1, until(options, 0));
    return 0;
}

/* ---- names ---- */

/* The system's resolver cannot be told when to give up, so it works on a thread of its own, which is left to itself when the
 * time is over; whoever lets go last frees this. */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t over;
    int holders;
    bool done;
    int rc, errnum;
    struct addrinfo *found;
    char host[256], port[8];
};

static void
let_go(struct lookup *lookup)
{
    bool last;

    pthread_mutex_lock(&lookup->lock);
    last = --lookup->holders == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (!last)
        return;
    if (lookup->found != NULL)
        freeaddrinfo(lookup->found);
    pthread_cond_destroy(&lookup->over);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

static void *
look_up(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
    int rc = getaddrinfo(lookup->host, lookup->port, &hints, &found), errnum = errno;

    /* AI_ADDRCONFIG does not count loopback addresses; a machine that has no others still finds localhost */
    if (rc != 0 && rc != EAI_AGAIN) {
        hints.ai_flags = 0;
        rc = getaddrinfo(lookup->host, lookup->port, &hints, &found);
        errnum = errno;
    }
    pthread_mutex_lock(&lookup->lock);
    lookup->rc = rc;
    lookup->errnum = errnum;
    lookup->found = rc == 0 ? found : NULL;
    lookup->done = true;
    pthread_cond_signal(&lookup->over);
    pthread_mutex_unlock(&lookup->lock);
    let_go(lookup);
    return NULL;
}

static struct lookup *
start_lookup(const struct kdp_tls_options *options, int *errorp)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    pthread_condattr_t attr;
    pthread_attr_t detached;
    pthread_t thread;
    int rc;

    if (lookup == NULL) {
        *errorp = kdpi_fail(KDP_ENOMEM, "out of memory: looking up %s", options->host);
        return NULL;
    }
    pthread_mutex_init(&lookup->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->over, &attr);
    pthread_condattr_destroy(&attr);
    snprintf(lookup->host, sizeof lookup->host, "%s", options->host);
    snprintf(lookup->port, sizeof lookup->port, "%u", options->port);
    lookup->holders = 2;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    rc = pthread_create(&thread, &detached, look_up, lookup);
    pthread_attr_destroy(&detached);
    if (rc != 0) {
        lookup->holders = 1;
        let_go(lookup);
        *errorp = kdpi_fail_errno(rc, "cannot start a thread to look up %s", options->host);
        return NULL;
    }
    return lookup;
}

static int
no_such_host(const struct kdp_tls_options *options, int rc, int errnum)
{
    int code;

    if (rc == EAI_NONAME || rc == EAI_NODATA || rc == EAI_FAIL || rc == EAI_ADDRFAMILY) {
        code = kdpi_fail(KDP_ENET, "no such host: %s", options->host);
        kdpi_hint("Mend the name; if it is right, the network is down");
    } else {
        code = kdpi_fail(KDP_ENET, "cannot look up %s: %s", options->host,
                         rc == EAI_SYSTEM  ? kdp_tls_errno_words(errnum)
                         : rc == EAI_AGAIN ? "the name server does not answer"
                                           : gai_strerror(rc));
        kdpi_hint("The network may be down, or /etc/resolv.conf names no server that can be reached");
    }
    return code;
}

/* The addresses of a host, or NULL and *errorp. */
static struct lookup *
resolve(const struct kdp_tls_options *options, int *errorp)
{
    struct lookup *lookup = start_lookup(options, errorp);
    struct timespec until_ts;
    bool done;

    if (lookup == NULL)
        return NULL;
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->done && !stopped(options) && kdpi_mono_ns() < options->deadline_mono_ns) {
        int64_t at = kdpi_mono_ns() + LOOK_NS;

        if (at > options->deadline_mono_ns)
            at = options->deadline_mono_ns;
        until_ts.tv_sec = (time_t)(at / KDP_NS_PER_S);
        until_ts.tv_nsec = (long)(at % KDP_NS_PER_S);
        pthread_cond_timedwait(&lookup->over, &lookup->lock, &until_ts);
    }
    done = lookup->done;
    pthread_mutex_unlock(&lookup->lock);
    if (done && lookup->rc == 0)
        return lookup;
    if (done)
        *errorp = no_such_host(options, lookup->rc, lookup->errnum);
    else if (stopped(options))
        *errorp = kdpi_fail(KDP_ESTOPPED, "stopped while looking up %s", options->host);
    else
        *errorp = kdpi_fail(KDP_ETIMEOUT, "no answer in time: looking up %s", options->host);
    let_go(lookup);
    return NULL;
}

/* ---- connecting ---- */

void
kdp_tls_socket_options(int fd, uint32_t busy_poll_us)
{
    int on = 1, us = (int)busy_poll_us;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof on);
    if (us >
        0) /* refused to others than root above net.core.busy_read: the feed thread then polls by itself */
        setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us);
}

static int
start_connect(const struct addrinfo *address, int *fdp)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *fdp = -1;
    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        int errnum = errno;

        close(fd);
        return errnum;
    }
    *fdp = fd;
    return 0;
}

bool
kdp_tls_is_itself(int fd)
{
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_len = sizeof own, peer_len = sizeof peer;

    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && own_len == peer_len &&
           memcmp(&own, &peer, own_len) == 0;
}

static int
connect_result(int fd)
{
    int errnum = 0;
    socklen_t len = sizeof errnum;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0)
        return errno;
    return errnum == 0 && kdp_tls_is_itself(fd) ? ECONNREFUSED : errnum;
}

static int
cannot_connect(const struct kdp_tls_options *options, int errnum)
{
    int code = kdpi_fail(errnum == ETIMEDOUT ? KDP_ETIMEOUT : KDP_ENET, "cannot connect: %s:%u: %s",
                         options->host, options->port, kdp_tls_errno_words(errnum));

    if (errnum == ECONNREFUSED)
        kdpi_hint("Nothing listens at that port, or a firewall refuses: is the URL right?");
    else if (errnum == ENETUNREACH || errnum == EHOSTUNREACH)
        kdpi_hint("There is no way to that address from here: is the network up?");
    return code;
}

/* Addresses are tried in the system's order, a further one beside those under way each 250 ms or as soon as one has failed: one
 * address family that leads nowhere costs a quarter of a second, not the deadline. */
int
kdp_tls_connect_any(const struct kdp_tls_options *options, const struct addrinfo *next)
{
    struct pollfd fds[ADDRESSES_MAX];
    nfds_t count = 0;
    int64_t next_ns = 0;
    int last_error = EHOSTUNREACH, fd, chosen = -1, tried = 0, rc = 0;

    for (;;) {
        int64_t now = kdpi_mono_ns();

        if (stopped(options)) {
            rc = kdpi_fail(KDP_ESTOPPED, "stopped while connecting to %s", options->host);
            break;
        }
        if (now >= options->deadline_mono_ns) {
            rc = kdpi_fail(KDP_ETIMEOUT, "no answer in time: connecting to %s:%u", options->host,
                           options->port);
            kdpi_hint("The server is down, or a firewall drops what is sent to that port");
            break;
        }
        if (next != NULL && tried < ADDRESSES_MAX && (count == 0 || now >= next_ns)) {
            int errnum = start_connect(next, &fd);

            next = next->ai_next;
            tried++;
            if (errnum != 0) {
                last_error = errnum;
                continue;
            }
            fds[count++] = (struct pollfd){fd, POLLOUT, 0};
            next_ns = now + NEXT_ADDRESS_NS;
        }
        if (count == 0) {
            rc = cannot_connect(options, last_error);
            break;
        }
        if (poll(fds, count, until(options, next != NULL ? next_ns : 0)) <= 0)
            continue;
        for (nfds_t i = 0; i < count && chosen < 0;) {
            int errnum;

            if (fds[i].revents == 0) {
                i++;
                continue;
            }
            if ((errnum = connect_result(fds[i].fd)) == 0) {
                chosen = fds[i].fd;
            } else {
                last_error = errnum;
                close(fds[i].fd);
                fds[i] = fds[--count];
                next_ns = 0;
            }
        }
        if (chosen >= 0)
            break;
    }
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].fd != chosen)
            close(fds[i].fd);
    return chosen >= 0 ? chosen : rc;
}

int
kdp_tls_dial(const struct kdp_tls_options *options)
{
    struct lookup *lookup;
    int rc = 0;

    if ((lookup = resolve(options, &rc)) == NULL)
        return rc;
    rc = kdp_tls_connect_any(options, lookup->found);
    let_go(lookup);
    if (rc >= 0)
        kdp_tls_socket_options(rc, options->busy_poll_us);
    return rc;
}

/* ---- bytes ---- */

int64_t
kdp_tls_receive(struct kdp_tls *tls, void *buf, size_t size)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int)) + 64];
    } control;
    struct iovec iov = {buf, size};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct timespec ts;
    bool timed = false;
    ssize_t got;

    if (tls->drained || tls->eof)
        return tls->eof ? -1 : 0;
    do
        got = recvmsg(tls->fd, &msg, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN))
        return 0;
    if (got <= 0) {
        tls->eof = true;
        tls->errnum = got < 0 ? errno : 0;
        return -1;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            timed = ts.tv_sec > 0;
        } else if (c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ) {
            int left;

            /* 0 says that no more is there, and no end of the stream either: a second call can be saved */
            memcpy(&left, CMSG_DATA(c), sizeof left);
            tls->drained = left == 0;
        }
    }
    tls->recv_ns = timed ? (int64_t)ts.tv_sec * KDP_NS_PER_S + ts.tv_nsec : kdpi_now_ns();
    return got;
}

int64_t
kdp_tls_fill(struct kdp_tls *tls)
{
    int64_t got;

    if (tls->in_from < tls->in_to)
        return (int64_t)(tls->in_to - tls->in_from);
    got = kdp_tls_receive(tls, tls->in, tls->in_size);
    tls->in_from = 0;
    tls->in_to = got > 0 ? (size_t)got : 0;
    return got;
}

/* How many bytes the socket took; -1 after an error. */
static int64_t
send_some(struct kdp_tls *tls, const unsigned char *bytes, size_t len)
{
    size_t sent = 0;

    while (sent < len) {
        ssize_t n = send(tls->fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            sent += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN)) {
            break;
        } else if (n == 0 || errno != EINTR) {
            tls->errnum = n == 0 ? EPIPE : errno;
            return -1;
        }
    }
    return (int64_t)sent;
}

bool
kdp_tls_flush(struct kdp_tls *tls)
{
    int64_t sent;

    if (tls->out_from == tls->out_to)
        return true;
    sent = send_some(tls, tls->out + tls->out_from, tls->out_to - tls->out_from);
    if (sent < 0)
        return false;
    tls->out_from += (size_t)sent;
    if (tls->out_from < tls->out_to)
        return false;
    tls->out_from = tls->out_to = 0;
    return true;
}

bool
kdp_tls_send(struct kdp_tls *tls, const void *bytes, size_t len)
{
    int64_t sent = 0;
    size_t left;

    if (!kdp_tls_flush(tls)) {
        if (tls->errnum != 0)
            return false;
    } else if ((sent = send_some(tls, bytes, len)) < 0) {
        return false;
    }
    left = len - (size_t)sent;
    if (left == 0)
        return true;
    if (tls->out_from > 0) {
        memmove(tls->out, tls->out + tls->out_from, tls->out_to - tls->out_from);
        tls->out_to -= tls->out_from;
        tls->out_from = 0;
    }
    if (tls->out_size - tls->out_to < left) {
        size_t size = tls->out_size == 0 ? 32768 : tls->out_size;
        unsigned char *grown;

        while (size - tls->out_to < left)
            size *= 2;
        /* a peer that reads nothing and asks for answers (key updates) is not waited for without end */
        if (size > OUT_MAX || (grown = realloc(tls->out, size)) == NULL) {
            tls->errnum = ENOBUFS;
            return false;
        }
        tls->out = grown;
        tls->out_size = size;
    }
    memcpy(tls->out + tls->out_to, (const unsigned char *)bytes + sent, left);
    tls->out_to += left;
    return true;
}
