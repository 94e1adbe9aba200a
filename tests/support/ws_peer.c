/* ws_peer.c - see ws_peer.h. */
#include "ws_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kdp_test.h"
#include "ws_handshake.h"

#define TALKS_MAX 64

struct ws_talk {
    struct ws_peer *peer;
    pthread_t thread;
    int fd;
    unsigned n;
    struct kdp_ws *ws;
};
struct ws_peer {
    struct ws_peer_config config;
    int fd;
    uint16_t port;
    int stop[2]; /* closing the writing end ends everything */
    pthread_t thread;
    pthread_mutex_t lock;
    unsigned upgrades; /* under lock */
    struct ws_talk talks[TALKS_MAX];
    unsigned talk_count;
};

/* Waits until fd can be read or written; false when the test is over. */
static bool
ready(const struct ws_peer *peer, int fd, short events)
{
    struct pollfd polls[2] = {{.fd = fd, .events = events}, {.fd = peer->stop[0], .events = POLLIN}};

    return poll(polls, 2, 30000) > 0 && polls[1].revents == 0;
}

void
ws_talk_bytes(struct ws_talk *talk, const void *bytes, size_t len)
{
    for (const char *p = bytes; len > 0 && ready(talk->peer, talk->fd, POLLOUT);) {
        ssize_t n = send(talk->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

static bool
flush(struct ws_talk *talk)
{
    for (;;) {
        size_t len;
        const void *out = kdp_ws_output(talk->ws, &len);
        ssize_t n;

        if (len == 0)
            return true;
        if (!ready(talk->peer, talk->fd, POLLOUT))
            return false;
        n = send(talk->fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return false;
        kdp_ws_sent(talk->ws, (size_t)n);
    }
}

bool
ws_talk_put(struct ws_talk *talk, enum kdp_ws_kind kind, const void *data, size_t len)
{
    return kdp_ws_put(talk->ws, kind, data, len) == 0 && flush(talk);
}

bool
ws_talk_close(struct ws_talk *talk, uint16_t code, const char *reason)
{
    return kdp_ws_put_close(talk->ws, code, reason) == 0 && flush(talk);
}

bool
ws_talk_next(struct ws_talk *talk, struct kdp_ws_message *message)
{
    for (;;) {
        size_t size;
        void *room;
        ssize_t n;
        int got = kdp_ws_next(talk->ws, message);

        if (got != 0)
            return got > 0 && flush(talk);
        if (!flush(talk) || !ready(talk->peer, talk->fd, POLLIN))
            return false;
        room = kdp_ws_room(talk->ws, &size);
        CHECK(room != NULL);
        n = recv(talk->fd, room, size, 0);
        if (n <= 0)
            return false;
        kdp_ws_received(talk->ws, (size_t)n);
    }
}

void
ws_talk_reset(struct ws_talk *talk)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(talk->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void
answer_request(struct ws_talk *talk, const struct kdp_http_request *request)
{
    static const char none[] = "{}";
    const struct ws_peer_config *config = &talk->peer->config;
    char target[1024], head[256], *body = calloc(1, 4u << 20);
    int status = 404;

    CHECK(body != NULL);
    snprintf(target, sizeof target, "%.*s", (int)request->target.len, request->target.data);
    strcpy(body, none);
    if (config->answer != NULL)
        status = config->answer(target, body, 4u << 20, config->arg);
    snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
             strlen(body));
    ws_talk_bytes(talk, head, strlen(head));
    ws_talk_bytes(talk, body, strlen(body));
    free(body);
}

static void
upgrade(struct ws_talk *talk, const struct kdp_http_request *request)
{
    const struct ws_peer_config *config = &talk->peer->config;
    struct kdp_ws_deflate agreed;
    struct kdp_ws_config ws = {.server = true};
    char reply[1024];
    int len;

    if (config->refuse != 0) {
        len = snprintf(reply, sizeof reply,
                       "HTTP/1.1 %d X\r\nContent-Length: 23\r\n\r\n{\"error\":{\"code\":\"no\"}}",
                       config->refuse);
        ws_talk_bytes(talk, reply, (size_t)len);
        return;
    }
    len = kdp_ws_accept(request, false, &agreed, reply, sizeof reply);
    CHECK(len > 0);
    CHECK_INT(kdp_ws_open(&talk->ws, &ws), 0);
    ws_talk_bytes(talk, reply, (size_t)len);
    pthread_mutex_lock(&talk->peer->lock);
    talk->n = ++talk->peer->upgrades;
    pthread_mutex_unlock(&talk->peer->lock);
    if (config->serve != NULL)
        config->serve(talk, talk->n, config->arg);
    kdp_ws_close(talk->ws);
}

static void *
talk_main(void *arg)
{
    struct ws_talk *talk = arg;
    struct kdp_http_request request;
    char head[KDP_HTTP_HEAD_MAX];
    size_t used = 0;
    int got = 0;

    if (talk->peer->config.mute)
        (void)ready(talk->peer, talk->peer->stop[0], POLLIN);
    while (got == 0 && !talk->peer->config.mute && used < sizeof head &&
           ready(talk->peer, talk->fd, POLLIN)) {
        ssize_t n = recv(talk->fd, head + used, sizeof head - used, 0);

        if (n <= 0)
            break;
        used += (size_t)n;
        got = kdp_http_request_read(head, used, &request);
    }
    if (got == 1 && kdp_http_header(&request, "Upgrade").data != NULL)
        upgrade(talk, &request);
    else if (got == 1)
        answer_request(talk, &request);
    close(talk->fd);
    return NULL;
}

static void *
peer_main(void *arg)
{
    struct ws_peer *peer = arg;

    while (ready(peer, peer->fd, POLLIN)) {
        struct ws_talk *talk = &peer->talks[peer->talk_count];

        CHECK(peer->talk_count < TALKS_MAX);
        talk->peer = peer;
        talk->fd = accept4(peer->fd, NULL, NULL, SOCK_CLOEXEC);
        if (talk->fd < 0)
            continue;
        CHECK_INT(pthread_create(&talk->thread, NULL, talk_main, talk), 0);
        peer->talk_count++;
    }
    return NULL;
}

struct ws_peer *
ws_peer_open(const struct ws_peer_config *config)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct ws_peer *peer = calloc(1, sizeof *peer);

    CHECK(peer != NULL);
    peer->config = *config;
    pthread_mutex_init(&peer->lock, NULL);
    CHECK_INT(pipe(peer->stop), 0);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(peer->fd >= 0);
    CHECK_INT(bind(peer->fd, (struct sockaddr *)&address, len), 0);
    CHECK_INT(listen(peer->fd, 16), 0);
    CHECK_INT(getsockname(peer->fd, (struct sockaddr *)&address, &len), 0);
    peer->port = ntohs(address.sin_port);
    CHECK_INT(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
    return peer;
}

uint16_t
ws_peer_port(const struct ws_peer *peer)
{
    return peer->port;
}

void
ws_peer_close(struct ws_peer *peer)
{
    close(peer->stop[1]);
    pthread_join(peer->thread, NULL);
    for (unsigned i = 0; i < peer->talk_count; i++)
        pthread_join(peer->talks[i].thread, NULL);
    close(peer->stop[0]);
    close(peer->fd);
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}
