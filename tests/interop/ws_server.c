/* ws_server.c - an echo server on the net library, for foreign clients.
 *
 *   ws_server [--tls CERT KEY] [--deflate] [--part N]
 *
 * Prints its port and serves until its input ends.  TEXT and BINARY come back, in fragments of N bytes with --part; the text
 * "close CODE REASON" is answered with that CLOSE, "ping WORD" with a PING and, once its PONG is here, "pong WORD". */
#include "error.h"
#include "tls.h"
#include "ws.h"
#include "ws_handshake.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 64

struct client {
    struct kdp_tls *tls;
    struct kdp_ws *ws; /* NULL: the upgrade is under way */
    char head[KDP_HTTP_HEAD_MAX];
    size_t head_len;
    bool over;  /* closes when all is sent */
    bool asked; /* a PING was asked for: its PONG is told */
};

static struct client *clients[CLIENTS_MAX];
static struct kdp_tls_context *context;
static bool deflate;
static size_t part;

static void
drop(unsigned i)
{
    kdp_tls_close(clients[i]->tls, false);
    kdp_ws_close(clients[i]->ws);
    free(clients[i]);
    clients[i] = NULL;
}

static int
upgrade(struct client *client)
{
    struct kdp_http_request request;
    struct kdp_ws_config config = {.server = true};
    char answer[1024];
    int64_t recv_ns;
    int64_t n = kdp_tls_read(client->tls, client->head + client->head_len,
                             sizeof client->head - client->head_len, &recv_ns);
    int rc;

    if (n <= 0)
        return (int)n;
    client->head_len += (size_t)n;
    if ((rc = kdp_http_request_read(client->head, client->head_len, &request)) <= 0)
        return rc;
    rc = kdp_ws_accept(&request, deflate, &config.deflate, answer, sizeof answer);
    if (rc < 0) {
        static const char refusal[] =
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

        kdp_tls_write(client->tls, refusal, sizeof refusal - 1);
        return rc;
    }
    if (kdp_tls_write(client->tls, answer, (size_t)rc) != rc || kdp_ws_open(&client->ws, &config) != 0)
        return -KDP_ENET;
    if (client->head_len > request.head_len) {
        size_t rest = client->head_len - request.head_len, room;
        void *to = kdp_ws_room(client->ws, &room);

        memcpy(to, client->head + request.head_len, rest);
        kdp_ws_received(client->ws, rest);
    }
    return 0;
}

static int
answer(struct client *client, const struct kdp_ws_message *message)
{
    struct kdp_ws *ws = client->ws;
    char text[160];
    unsigned code;
    int at = 0, rc = 0;

    if (message->kind == KDP_WS_PONG) {
        snprintf(text, sizeof text, "pong %.*s", (int)message->len, message->data);
        if (!client->asked)
            return 0;
        client->asked = false;
        return kdp_ws_put(ws, KDP_WS_TEXT, text, strlen(text));
    }
    if (message->kind > KDP_WS_BINARY || kdp_ws_closing(ws))
        return 0;
    snprintf(text, sizeof text, "%.*s", message->len < 130 ? (int)message->len : 0, message->data);
    if (message->kind == KDP_WS_TEXT && sscanf(text, "close %u %n", &code, &at) == 1 && at > 0)
        return kdp_ws_put_close(ws, (uint16_t)code, text + at);
    if (message->kind == KDP_WS_TEXT && strncmp(text, "ping ", 5) == 0) {
        client->asked = true;
        return kdp_ws_put(ws, KDP_WS_PING, text + 5, strlen(text + 5));
    }
    if (part == 0 || message->len == 0)
        return kdp_ws_put(ws, message->kind, message->data, message->len);
    for (size_t done = 0; done < message->len && rc == 0; done += part)
        rc = kdp_ws_put_part(ws, done == 0 ? message->kind : KDP_WS_CONTINUATION, message->data + done,
                             message->len - done < part ? message->len - done : part,
                             message->len - done <= part);
    return rc;
}

/* 0, or an error: the connection ends. */
static int
serve(struct client *client)
{
    struct kdp_ws_message message;
    int64_t n = 1, recv_ns;
    size_t len;
    const void *out;
    int rc = 0;

    if (client->ws == NULL && ((rc = upgrade(client)) < 0 || client->ws == NULL))
        return rc;
    while (n > 0) {
        size_t room;
        void *to;

        while (!client->over && (rc = kdp_ws_next(client->ws, &message)) > 0)
            if ((rc = answer(client, &message)) < 0)
                return rc;
        client->over = client->over || rc < 0 || kdp_ws_closed(client->ws);
        kdp_ws_output(client->ws, &len);
        if (client->over || len > 64u << 20) /* who does not read is not read from */
            break;
        if ((to = kdp_ws_room(client->ws, &room)) == NULL)
            return -KDP_ENOMEM;
        n = kdp_tls_read(client->tls, to, room, &recv_ns);
        kdp_ws_received(client->ws, n > 0 ? (size_t)n : 0);
    }
    while ((out = kdp_ws_output(client->ws, &len)), len > 0) {
        int64_t sent = kdp_tls_write(client->tls, out, len);

        if (sent <= 0) {
            if (sent < 0)
                return (int)sent;
            break;
        }
        kdp_ws_sent(client->ws, (size_t)sent);
    }
    if (n < 0)
        return (int)n;
    return client->over && len == 0 && !kdp_tls_wants_write(client->tls) ? -KDP_ECLOSED : 0;
}

static void
take_client(int listener)
{
    int fd = accept(listener, NULL, NULL);

    for (unsigned i = 0; i < CLIENTS_MAX && fd >= 0; i++) {
        if (clients[i] != NULL)
            continue;
        clients[i] = calloc(1, sizeof *clients[i]);
        if (clients[i] != NULL && kdp_tls_accept(&clients[i]->tls, fd, context) == 0)
            return;
        free(clients[i]);
        clients[i] = NULL;
        break;
    }
    close(fd);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    struct pollfd fds[CLIENTS_MAX + 2];
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            if (kdp_tls_server(&context, argv[i + 1], argv[i + 2]) != 0) {
                fprintf(stderr, "ws_server: %s\n", kdp_error_text());
                return 1;
            }
            i += 2;
        } else if (strcmp(argv[i], "--deflate") == 0) {
            deflate = true;
        } else if (strcmp(argv[i], "--part") == 0 && i + 1 < argc) {
            part = strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "ws_server: no option %s\n", argv[i]);
            return 2;
        }
    }
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &at_len) != 0) {
        perror("ws_server");
        return 1;
    }
    printf("%u\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        nfds_t count = 2;
        unsigned who[CLIENTS_MAX + 2] = {0};

        fds[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
        fds[1] = (struct pollfd){listener, POLLIN, 0};
        for (unsigned i = 0; i < CLIENTS_MAX; i++) {
            size_t len = 0;

            if (clients[i] == NULL)
                continue;
            if (clients[i]->ws != NULL)
                kdp_ws_output(clients[i]->ws, &len);
            who[count] = i;
            fds[count++] = (struct pollfd){
                kdp_tls_fd(clients[i]->tls),
                (short)(POLLIN | (len > 0 || kdp_tls_wants_write(clients[i]->tls) ? POLLOUT : 0)), 0};
        }
        if (poll(fds, count, -1) < 0)
            return 1;
        if (fds[0].revents != 0) {
            for (unsigned i = 0; i < CLIENTS_MAX; i++)
                if (clients[i] != NULL)
                    drop(i);
            kdp_tls_context_free(context);
            close(listener);
            return 0;
        }
        for (nfds_t k = 2; k < count; k++)
            if (fds[k].revents != 0 && serve(clients[who[k]]) < 0)
                drop(who[k]);
        if (fds[1].revents != 0)
            take_client(listener);
    }
}
