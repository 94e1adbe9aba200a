/* net_server.c - see net_server.h. */
#include "net_server.h"

#include "kdp_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 64
#define HEAD_MAX 32768

struct net_conn {
    struct net_server *server;
    pthread_t thread;
    int fd;
    SSL *ssl;
    unsigned number;
    bool reset;
    char head[HEAD_MAX + 1];
};

struct net_server {
    net_handler handler;
    void *arg;
    SSL_CTX *context;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint connections, requests;
    struct net_conn *conns[CONNS_MAX];
    pthread_mutex_t lock; /* of each connection's fd, between its own thread and the closing one */
};

static ssize_t
take(struct net_conn *conn, void *buf, size_t size)
{
    return conn->ssl != NULL ? SSL_read(conn->ssl, buf, (int)size) : recv(conn->fd, buf, size, 0);
}

void
net_send(struct net_conn *conn, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) { /* a client that went away is no failure of the test */
        ssize_t n = conn->ssl != NULL ? SSL_write(conn->ssl, p, len > 16384 ? 16384 : (int)len)
                                      : send(conn->fd, p, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

void
net_answer(struct net_conn *conn, const char *status, const char *headers, const char *body)
{
    char head[1024];
    int len = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
                       strlen(body), headers);

    CHECK(len > 0 && (size_t)len < sizeof head);
    net_send(conn, head, (size_t)len);
    net_send(conn, body, strlen(body));
}

void
net_reset(struct net_conn *conn)
{
    conn->reset = true;
}

void
net_wait_gone(struct net_conn *conn)
{
    struct pollfd p = {.fd = conn->fd, .events = POLLRDHUP};

    while (!atomic_load(&conn->server->stop) && poll(&p, 1, 20) == 0)
        ;
}

unsigned
net_number(const struct net_conn *conn)
{
    return conn->number;
}

void
net_target(const char *head, char *buf, size_t size)
{
    const char *from = strchr(head, ' ');

    CHECK(from != NULL);
    snprintf(buf, size, "%.*s", (int)strcspn(from + 1, " \r\n"), from + 1);
}

bool
net_header(const char *head, const char *name, char *buf, size_t size)
{
    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            line += strlen(name) + 1;
            line += strspn(line, " ");
            snprintf(buf, size, "%.*s", (int)strcspn(line, "\r\n"), line);
            return true;
        }
    }
    buf[0] = '\0';
    return false;
}

static void *
serve(void *arg)
{
    struct net_conn *conn = arg;
    struct net_server *server = conn->server;
    size_t used = 0;
    bool keep = true;

    if (server->context != NULL) {
        conn->ssl = SSL_new(server->context);
        SSL_set_fd(conn->ssl, conn->fd);
        keep = SSL_accept(conn->ssl) == 1;
    }
    while (keep && !atomic_load(&server->stop)) {
        char *end, kept;
        ssize_t n;

        while ((end = strstr(conn->head, "\r\n\r\n")) == NULL) {
            n = used < HEAD_MAX ? take(conn, conn->head + used, HEAD_MAX - used) : 0;
            if (n <= 0)
                goto done;
            used += (size_t)n;
            conn->head[used] = '\0';
        }
        end += 4;
        kept = *end;
        *end = '\0';
        atomic_fetch_add(&server->requests, 1);
        keep = server->handler(server->arg, conn, conn->head);
        *end = kept;
        used -= (size_t)(end - conn->head);
        memmove(conn->head, end, used);
        conn->head[used] = '\0';
    }
done:
    if (conn->reset) {
        struct linger hard = {1, 0};

        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    } else if (conn->ssl != NULL && keep) {
        SSL_shutdown(conn->ssl);
    }
    if (conn->ssl != NULL)
        SSL_free(conn->ssl);
    ERR_clear_error();
    pthread_mutex_lock(&server->lock);
    close(conn->fd);
    conn->fd = -1;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void *
accept_all(void *arg)
{
    struct net_server *server = arg;

    while (!atomic_load(&server->stop)) {
        struct pollfd p = {.fd = server->fd, .events = POLLIN};
        struct net_conn *conn;
        unsigned number;
        int fd;

        if (poll(&p, 1, 20) <= 0)
            continue;
        fd = accept(server->fd, NULL, NULL);
        number = atomic_load(&server->connections);
        if (fd < 0)
            continue;
        CHECK(number < CONNS_MAX);
        conn = calloc(1, sizeof *conn);
        CHECK(conn != NULL);
        /* so that a closing server is not kept waiting by a silent client */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(struct timeval));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        conn->server = server;
        conn->fd = fd;
        conn->number = number;
        server->conns[number] = conn;
        atomic_fetch_add(&server->connections, 1); /* before it can answer anything */
        CHECK_INT(pthread_create(&conn->thread, NULL, serve, conn), 0);
    }
    return NULL;
}

struct net_server *
net_server_open(net_handler handler, void *arg, const char *cert_file, const char *key_file)
{
    struct net_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    CHECK(server != NULL);
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&server->lock, NULL);
    server->handler = handler;
    server->arg = arg;
    if (cert_file != NULL) {
        server->context = SSL_CTX_new(TLS_server_method());
        CHECK(SSL_CTX_use_certificate_chain_file(server->context, cert_file) == 1);
        CHECK(SSL_CTX_use_PrivateKey_file(server->context, key_file, SSL_FILETYPE_PEM) == 1);
    }
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server->fd >= 0);
    CHECK_INT(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(server->fd, 64), 0);
    CHECK_INT(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    CHECK_INT(pthread_create(&server->thread, NULL, accept_all, server), 0);
    return server;
}

void
net_server_close(struct net_server *server)
{
    atomic_store(&server->stop, true);
    pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < atomic_load(&server->connections); i++) {
        pthread_mutex_lock(&server->lock);
        if (server->conns[i]->fd >= 0)
            shutdown(server->conns[i]->fd, SHUT_RDWR);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->conns[i]->thread, NULL);
        free(server->conns[i]);
    }
    close(server->fd);
    SSL_CTX_free(server->context);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

uint16_t
net_server_port(const struct net_server *server)
{
    return server->port;
}

unsigned
net_server_connections(struct net_server *server)
{
    return atomic_load(&server->connections);
}

unsigned
net_server_requests(struct net_server *server)
{
    return atomic_load(&server->requests);
}

/* ---- certificates ---- */

static X509 *
make_cert(const char *subject, X509 *issuer, EVP_PKEY *key, EVP_PKEY *issuer_key, const char *san,
          int days_from, int days_to, long serial)
{
    X509 *cert = X509_new();
    X509_NAME *name;
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    CHECK(cert != NULL);
    name = X509_get_subject_name(cert);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0) ==
          1);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), (long)days_from * 86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), (long)days_to * 86400);
    X509_set_pubkey(cert, key);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
    X509V3_set_ctx(&ctx, issuer != NULL ? issuer : cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, san != NULL ? NID_subject_alt_name : NID_basic_constraints,
                                    san != NULL ? san : "critical,CA:TRUE");
    CHECK(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    CHECK(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

static FILE *
open_in(const char *dir, const char *name)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "w");
    CHECK(file != NULL);
    return file;
}

void
net_certificates(const char *dir, const char *ca_name, const char *host, int days_from, int days_to)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    char san[300];
    X509 *ca, *cert;
    FILE *file;

    CHECK(ca_key != NULL && key != NULL);
    snprintf(san, sizeof san, "DNS:%s%s", host, strcmp(host, "localhost") == 0 ? ",IP:127.0.0.1" : "");
    ca = make_cert(ca_name, NULL, ca_key, ca_key, NULL, -3650, 3650, 1);
    cert = make_cert(host, ca, key, ca_key, san, days_from, days_to, 2);
    file = open_in(dir, "ca.pem");
    CHECK(PEM_write_X509(file, ca) == 1 && fclose(file) == 0);
    file = open_in(dir, "cert.pem");
    CHECK(PEM_write_X509(file, cert) == 1 && fclose(file) == 0);
    file = open_in(dir, "key.pem");
    CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0);
    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}
