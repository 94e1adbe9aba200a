/* tls.c - one connection: OpenSSL between a buffer of received bytes and a buffer of bytes to be sent.
 *
 * The BIO under OpenSSL takes from a buffer that one recvmsg fills: many records cost one system call, and the kernel's time of
 * that call is true for all of them.  OpenSSL's own read-ahead does the same, but moves all that it has read to the front of its
 * buffer before each record, which is quadratic in what a call brings.  Downward the BIO takes everything: what the socket does
 * not take waits in a buffer of ours, so that a record is never half written inside OpenSSL, whose rules for going on with one
 * (the same bytes again, and no others) no caller has to know. */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "tls_private.h"

#define CLIENT_IN_SIZE (256u << 10)
#define SERVER_IN_SIZE (32u << 10) /* a server has many connections, and little comes in */

/* ---- the BIO ---- */

static int
bio_read(BIO *bio, char *buf, int size)
{
    struct kdp_tls *tls = BIO_get_data(bio);
    int64_t have;

    BIO_clear_retry_flags(bio);
    have = kdp_tls_fill(tls);
    if (have == 0)
        BIO_set_retry_read(bio);
    if (have <= 0)
        return have == 0 || tls->errnum != 0 ? -1 : 0;
    if (have > size)
        have = size;
    memcpy(buf, tls->in + tls->in_from, (size_t)have);
    tls->in_from += (size_t)have;
    return (int)have;
}

static int
bio_write(BIO *bio, const char *bytes, int len)
{
    BIO_clear_retry_flags(bio);
    return kdp_tls_send(BIO_get_data(bio), bytes, (size_t)len) ? len : -1;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct kdp_tls *tls = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return tls->eof;
    default:
        return 0;
    }
}

static BIO_METHOD *method;

static void
make_method(void)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kdp socket");

    if (made == NULL || BIO_meth_set_read(made, bio_read) != 1 || BIO_meth_set_write(made, bio_write) != 1 ||
        BIO_meth_set_ctrl(made, bio_ctrl) != 1)
        return;
    method = made;
}

/* ---- contexts ---- */

static int
openssl_words(const char *what, const char *where)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    return kdpi_fail(KDP_EFORMAT, "%s: %s: %s", what, where, why != NULL ? why : "OpenSSL gives no reason");
}

static int
context_new(struct kdp_tls_context **contextp, bool server)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct kdp_tls_context *context = calloc(1, sizeof *context);

    *contextp = NULL;
    pthread_once(&once, make_method);
    ERR_clear_error();
    if (context == NULL || method == NULL ||
        (context->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())) == NULL) {
        free(context);
        return kdpi_fail(KDP_ENOMEM, "out of memory: TLS");
    }
    context->server = server;
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_COMPRESSION);
    *contextp = context;
    return 0;
}

/* Why a file of certificates or keys cannot be used: the system's word when it cannot be read, else OpenSSL's. */
static int
file_words(const char *what, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0) {
        rc = kdpi_fail_errno(errno, "cannot read the %s: %s", what, path);
    } else {
        close(fd);
        rc = kdpi_fail(KDP_EFORMAT, "not a usable %s: %s: not in PEM form", what, path);
    }
    return rc;
}

int
kdp_tls_client(struct kdp_tls_context **contextp, const char *ca_file)
{
    struct kdp_tls_context *context;
    int rc = context_new(contextp, false);

    if (rc != 0)
        return rc;
    context = *contextp;
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, kdp_tls_verify);
    SSL_CTX_set_default_verify_paths(context->ssl); /* a machine without roots: then nothing is trusted */
    if (ca_file != NULL && SSL_CTX_load_verify_file(context->ssl, ca_file) != 1) {
        rc = file_words("CA file", ca_file);
        kdpi_hint("Name a file of certificates in PEM form, or leave it out: --ca-file (KALSHI_CA_FILE)");
        kdp_tls_context_free(context);
        *contextp = NULL;
        return rc;
    }
    ERR_clear_error();
    return 0;
}

int
kdp_tls_server(struct kdp_tls_context **contextp, const char *cert_file, const char *key_file)
{
    struct kdp_tls_context *context;
    int rc = context_new(contextp, true);

    if (rc != 0)
        return rc;
    context = *contextp;
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION); /* a client could ask for nothing else */
    SSL_CTX_set_num_tickets(context->ssl, 0);
    if (SSL_CTX_use_certificate_chain_file(context->ssl, cert_file) != 1)
        rc = file_words("certificate", cert_file);
    else if (SSL_CTX_use_PrivateKey_file(context->ssl, key_file, SSL_FILETYPE_PEM) != 1)
        rc = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509
                 ? openssl_words("certificate and key do not belong together", key_file)
                 : file_words("private key", key_file);
    if (rc != 0) {
        kdp_tls_context_free(context);
        *contextp = NULL;
    }
    ERR_clear_error();
    return rc;
}

void
kdp_tls_context_free(struct kdp_tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

/* ---- connections ---- */

static void
tls_free(struct kdp_tls *tls)
{
    SSL_free(tls->ssl);
    free(tls->in);
    free(tls->out);
    free(tls);
}

/* The socket stays the caller's when this fails. */
static int
tls_new(struct kdp_tls **tlsp, int fd, struct kdp_tls_context *context)
{
    struct kdp_tls *tls = calloc(1, sizeof *tls);
    BIO *bio;

    *tlsp = NULL;
    if (tls == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: connection");
    tls->fd = fd;
    snprintf(tls->peer, sizeof tls->peer, "the client");
    if (context == NULL) {
        *tlsp = tls;
        return 0;
    }
    tls->server = context->server;
    tls->in_size = tls->server ? SERVER_IN_SIZE : CLIENT_IN_SIZE;
    ERR_clear_error();
    if ((tls->in = malloc(tls->in_size)) == NULL || (tls->ssl = SSL_new(context->ssl)) == NULL ||
        (bio = BIO_new(method)) == NULL) {
        tls_free(tls);
        return kdpi_fail(KDP_ENOMEM, "out of memory: TLS connection");
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    *tlsp = tls;
    return 0;
}

int
kdp_tls_accept(struct kdp_tls **tlsp, int fd, struct kdp_tls_context *context)
{
    int flags = fcntl(fd, F_GETFL), rc;

    *tlsp = NULL;
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return kdpi_fail_errno(errno, "cannot use a connection");
    kdp_tls_socket_options(fd, 0);
    if ((rc = tls_new(tlsp, fd, context)) != 0)
        return rc;
    (*tlsp)->server = true;
    if ((*tlsp)->ssl != NULL)
        SSL_set_accept_state((*tlsp)->ssl);
    return 0;
}

static int
expect_host(struct kdp_tls *tls, const char *host)
{
    unsigned char address[16];
    bool numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    static const unsigned char http11[] = "\x08http/1.1";

    SSL_set_connect_state(tls->ssl);
    SSL_set_alpn_protos(tls->ssl, http11, sizeof http11 - 1);
    if (numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host) != 1
                : (SSL_set_tlsext_host_name(tls->ssl, tls->host) != 1 || SSL_set1_host(tls->ssl, host) != 1))
        return kdpi_fail(KDP_EUSAGE, "not a host name: %s", host);
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return 0;
}

static int
shake_hands(struct kdp_tls *tls, const struct kdp_tls_options *options)
{
    for (;;) {
        int done, error, rc;

        ERR_clear_error();
        tls->drained = false;
        done = SSL_do_handshake(tls->ssl);
        if (done == 1)
            break;
        error = SSL_get_error(tls->ssl, done);
        if (error != SSL_ERROR_WANT_READ)
            return kdp_tls_handshake_failed(tls, error);
        rc = kdp_tls_wait(tls->fd, (short)(POLLIN | (kdp_tls_flush(tls) ? 0 : POLLOUT)), options);
        if (rc == -KDP_ESTOPPED)
            return kdpi_fail(KDP_ESTOPPED, "stopped during the TLS handshake with %s", tls->peer);
        if (rc == -KDP_ETIMEOUT)
            return kdpi_fail(KDP_ETIMEOUT, "no answer in time: TLS handshake with %s", tls->peer);
    }
    tls->handshake_over = true;
    return 0;
}

int
kdp_tls_connect(struct kdp_tls **tlsp, const struct kdp_tls_options *options)
{
    struct kdp_tls *tls;
    int fd, rc;

    *tlsp = NULL;
    if ((fd = kdp_tls_dial(options)) < 0)
        return fd;
    if ((rc = tls_new(&tls, fd, options->context)) != 0) {
        close(fd);
        return rc;
    }
    snprintf(tls->host, sizeof tls->host, "%s", options->host);
    snprintf(tls->peer, sizeof tls->peer, "%s:%u", options->host, options->port);
    if (tls->ssl != NULL &&
        ((rc = expect_host(tls, options->host)) != 0 || (rc = shake_hands(tls, options)) != 0)) {
        close(fd);
        tls_free(tls);
        return rc;
    }
    *tlsp = tls;
    return 0;
}

void
kdp_tls_close(struct kdp_tls *tls, bool reset)
{
    if (tls == NULL)
        return;
    if (reset) {
        struct linger linger = {1, 0};

        setsockopt(tls->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    } else if (tls->errnum == 0) {
        char rest[16384];

        if (tls->ssl != NULL && SSL_is_init_finished(tls->ssl) &&
            (tls->failed == 0 || (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)) {
            ERR_clear_error();
            SSL_shutdown(tls->ssl);
        }
        kdp_tls_flush(tls);
        shutdown(tls->fd, SHUT_WR);
        /* closed with bytes unread, the socket would send a reset, and what was just sent could be lost to it */
        for (int i = 0; i < 64 && recv(tls->fd, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
            ;
    }
    close(tls->fd);
    tls_free(tls);
}

/* ---- bytes ---- */

static int
fail_for_good(struct kdp_tls *tls, enum kdp_error code, const char *words)
{
    char kept[sizeof tls->words];

    snprintf(kept, sizeof kept, "%s", words); /* may be the last error's */
    memcpy(tls->words, kept, sizeof kept);
    tls->failed = -(int)code;
    return kdpi_fail(code, "%s", tls->words);
}

static int
end_of_stream(struct kdp_tls *tls, bool orderly)
{
    char words[sizeof tls->words];

    if (tls->errnum != 0) {
        snprintf(words, sizeof words, "connection lost: %s: %s", tls->peer, kdp_tls_errno_words(tls->errnum));
        return fail_for_good(tls, KDP_ENET, words);
    }
    snprintf(words, sizeof words, "connection %s by %s", orderly ? "closed" : "cut short", tls->peer);
    return fail_for_good(tls, KDP_ECLOSED, words);
}

static int
read_failed(struct kdp_tls *tls, int ssl_error)
{
    char words[sizeof tls->words];
    const char *why;

    if (!SSL_is_init_finished(tls->ssl) && !tls->handshake_over) {
        int rc = kdp_tls_handshake_failed(tls, ssl_error);

        return fail_for_good(tls, (enum kdp_error) - rc, kdp_error_text());
    }
    if (tls->errnum != 0 || tls->eof)
        return end_of_stream(tls, false);
    why = ERR_reason_error_string(ERR_peek_error());
    snprintf(words, sizeof words, "connection broken: %s: TLS: %s", tls->peer,
             why != NULL ? why : "unknown reason");
    return fail_for_good(tls, KDP_ENET, words);
}

static int64_t
read_plain(struct kdp_tls *tls, char *buf, size_t size)
{
    size_t got = 0;

    while (got < size) {
        int64_t n = kdp_tls_receive(tls, buf + got, size - got);

        if (n > 0)
            got += (size_t)n;
        else if (n == 0 || got > 0)
            break;
        else
            return end_of_stream(tls, true);
    }
    return (int64_t)got;
}

static int64_t
read_ssl(struct kdp_tls *tls, char *buf, size_t size)
{
    size_t got = 0;

    while (got < size) {
        size_t n = 0;
        int error, rc;

        ERR_clear_error();
        rc = SSL_read_ex(tls->ssl, buf + got, size - got, &n);
        if (rc == 1) {
            got += n;
            /* a call that would only find out that nothing is left is time between the bytes and whoever waits for them */
            if (tls->drained && tls->in_from == tls->in_to && SSL_pending(tls->ssl) == 0)
                break;
            continue;
        }
        error = SSL_get_error(tls->ssl, rc);
        if (error == SSL_ERROR_WANT_READ)
            break;
        rc = error == SSL_ERROR_ZERO_RETURN ? end_of_stream(tls, true) : read_failed(tls, error);
        if (got == 0)
            return rc;
        break; /* what came before the end is handed out first; the error waits */
    }
    return (int64_t)got;
}

int64_t
kdp_tls_read(struct kdp_tls *tls, void *buf, size_t size, int64_t *recv_nsp)
{
    int64_t got;

    if (tls->failed != 0)
        return kdpi_fail((enum kdp_error) - tls->failed, "%s", tls->words);
    if (tls->out_from < tls->out_to)
        kdp_tls_flush(tls); /* an error shows in what is read */
    tls->drained = false;
    got = tls->ssl != NULL ? read_ssl(tls, buf, size) : read_plain(tls, buf, size);
    if (got > 0)
        *recv_nsp = tls->recv_ns;
    return got;
}

int64_t
kdp_tls_write(struct kdp_tls *tls, const void *bytes, size_t len)
{
    size_t taken = 0;

    if (tls->failed != 0)
        return kdpi_fail((enum kdp_error) - tls->failed, "%s", tls->words);
    tls->drained = false; /* a handshake under way reads, too */
    while (kdp_tls_flush(tls) && taken < len) {
        size_t piece = len - taken, n = 0;

        if (piece > KDP_TLS_RECORD)
            piece = KDP_TLS_RECORD;
        if (tls->ssl == NULL) {
            if (!kdp_tls_send(tls, (const char *)bytes + taken, piece))
                break;
            n = piece;
        } else {
            int error, rc;

            ERR_clear_error();
            rc = SSL_write_ex(tls->ssl, (const char *)bytes + taken, piece, &n);
            if (rc != 1) {
                error = SSL_get_error(tls->ssl, rc);
                if (error == SSL_ERROR_WANT_READ) /* the handshake goes on with what is read */
                    break;
                if (tls->errnum == 0)
                    return read_failed(tls, error);
                break;
            }
        }
        taken += n;
    }
    /* What was received before the other end went away can still be read: only writing is over. */
    if (tls->errnum != 0 && taken == 0)
        return kdpi_fail(KDP_ENET, "connection lost: %s: %s", tls->peer, kdp_tls_errno_words(tls->errnum));
    return (int64_t)taken;
}

int
kdp_tls_fd(const struct kdp_tls *tls)
{
    return tls->fd;
}

bool
kdp_tls_wants_write(const struct kdp_tls *tls)
{
    return tls->out_from < tls->out_to;
}

const char *
kdp_tls_version(const struct kdp_tls *tls)
{
    return tls->ssl != NULL ? SSL_get_version(tls->ssl) : "none";
}
