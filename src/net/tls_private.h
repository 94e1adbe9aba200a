/* tls_private.h - what the files of the connection share. */
#ifndef KDPI_TLS_PRIVATE_H
#define KDPI_TLS_PRIVATE_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "tls.h"

#define KDP_TLS_RECORD 16384u /* the most one TLS record carries */

struct kdp_tls_context {
    SSL_CTX *ssl;
    bool server;
};

struct kdp_tls {
    int fd;
    bool server;
    SSL *ssl;       /* NULL: plain */
    char peer[300]; /* host:port, for the words */
    char host[256];

    /* what came from the socket and was not yet given to OpenSSL; one recvmsg fills it, so one time is true for all of it */
    unsigned char *in;
    size_t in_size, in_from, in_to;
    int64_t recv_ns;
    bool drained; /* the kernel said with the last bytes that no more are there */
    bool eof;
    int errnum; /* of the socket, 0: none */

    /* what the socket did not take at once */
    unsigned char *out;
    size_t out_size, out_from, out_to;

    int failed; /* the error every further read returns */
    bool cut;   /* eof came without a goodbye */
    char words[320];
    bool handshake_over;
    /* of the certificate that was not trusted */
    int verify_error;
    char issuer[128];
    char expiry[64];
    char names[320]; /* that it is for, in quotes */
};

/* ---- tls_socket.c: names, addresses, bytes ---- */
/* kdp_tls_dial resolves and connects; a non-blocking socket, or an error with words. */
int kdp_tls_dial(const struct kdp_tls_options *options);
/* kdp_tls_connect_any connects to the first of these addresses that answers: a socket, or an error. */
struct addrinfo;
int kdp_tls_connect_any(const struct kdp_tls_options *options, const struct addrinfo *next);
/* kdp_tls_is_itself says whether a socket is connected to itself: asked for a port of the range that the kernel takes its own
 * ports from, where nobody listens, it may choose the same one, and TCP allows that.  Whoever should listen there could not
 * any more. */
bool kdp_tls_is_itself(int fd);
void kdp_tls_socket_options(int fd, uint32_t busy_poll_us);
/* kdp_tls_fill receives into in, when that is empty: bytes there (> 0), 0 none now, -1 end or error (eof, errnum). */
int64_t kdp_tls_fill(struct kdp_tls *tls);
/* kdp_tls_receive receives at once into buf, and sets recv_ns and drained. */
int64_t kdp_tls_receive(struct kdp_tls *tls, void *buf, size_t size);
/* kdp_tls_flush sends what waits: true when nothing waits any more. */
bool kdp_tls_flush(struct kdp_tls *tls);
/* kdp_tls_send sends, or keeps what the socket does not take; false: an error (errnum). */
bool kdp_tls_send(struct kdp_tls *tls, const void *bytes, size_t len);
/* kdp_tls_wait polls a little: at most 50 ms and to the deadline.  0, -KDP_ETIMEOUT or -KDP_ESTOPPED without words. */
int kdp_tls_wait(int fd, short events, const struct kdp_tls_options *options);
const char *kdp_tls_errno_words(int errnum); /* "connection refused" */

/* ---- tls_words.c ---- */
int kdp_tls_verify(int good, X509_STORE_CTX *store); /* notes what is wrong, changes nothing */
/* kdp_tls_handshake_failed says in words why; ssl_error as SSL_get_error gave it. */
int kdp_tls_handshake_failed(struct kdp_tls *tls, int ssl_error);

#endif
