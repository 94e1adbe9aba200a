/* tls.h - one TCP connection, with TLS or plain: bytes in with the kernel's receive time, bytes out.
 *
 * TLS 1.2 and 1.3; a client always checks certificate and host name, and there is no way to turn that off.  The receive time
 * comes through TLS by a BIO over recvmsg with SO_TIMESTAMPNS: of the bytes a read returns, the time of the segment that
 * completed them; the wall clock where the kernel gives none.  One thread at a time. */
#ifndef KDPI_TLS_H
#define KDPI_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kdp_tls_context; /* certificates; shared by connections and threads */
/* kdp_tls_client: the system's roots, and those of ca_file when it is not NULL. */
int kdp_tls_client(struct kdp_tls_context **contextp, const char *ca_file);
int kdp_tls_server(struct kdp_tls_context **contextp, const char *cert_file, const char *key_file);
void kdp_tls_context_free(struct kdp_tls_context *context);

struct kdp_tls;

struct kdp_tls_options {
    const char *host; /* for the name check and SNI */
    uint16_t port;
    struct kdp_tls_context *context; /* NULL: plain TCP */
    int64_t deadline_mono_ns;
    const volatile int
        *stop; /* not NULL: give up with -KDP_ESTOPPED when *stop is not 0; looked at 20 times a second */
    uint32_t busy_poll_us; /* SO_BUSY_POLL, 0: off */
};
/* kdp_tls_connect resolves, connects and shakes hands, blocking up to the deadline; the connection is then non-blocking.
 * Errors: -KDP_ENET (no such host, refused, reset), -KDP_ETIMEOUT, -KDP_EREFUSED (certificate not trusted: the words name the
 * issuer and --ca-file). */
int kdp_tls_connect(struct kdp_tls **tlsp, const struct kdp_tls_options *options);
/* kdp_tls_accept takes a connected socket of a server, non-blocking; the handshake goes on with reads and
 * writes.  After an error the socket is still the caller's. */
int kdp_tls_accept(struct kdp_tls **tlsp, int fd, struct kdp_tls_context *context);
/* kdp_tls_close sends close_notify when it can be sent at once, and closes the socket.  reset: no goodbye, a TCP RST. */
void kdp_tls_close(struct kdp_tls *tls, bool reset);

/* kdp_tls_read gives bytes (> 0), 0 when there are none now, -KDP_ECLOSED at the end of the stream (orderly or cut short: the
 * words tell), -KDP_ENET.  It reads until size is full or nothing is left.  When it filled size, more may stand decrypted where
 * no poll sees it: read again before polling.  Poll level-triggered (with an edge-triggered poll, read again on EPOLLHUP and
 * EPOLLERR until an error comes).  *recv_nsp is set when bytes came. */
int64_t kdp_tls_read(struct kdp_tls *tls, void *buf, size_t size, int64_t *recv_nsp);
/* kdp_tls_write gives how many bytes were taken (0: none now), or an error; one call of at most 16 KiB is one TLS record.  What
 * was taken may wait here: while kdp_tls_wants_write says so, poll for writing too and call it again (len may be 0). */
int64_t kdp_tls_write(struct kdp_tls *tls, const void *bytes, size_t len);
int kdp_tls_fd(const struct kdp_tls *tls);
bool kdp_tls_wants_write(const struct kdp_tls *tls);
const char *kdp_tls_version(const struct kdp_tls *tls); /* "TLSv1.3", "none" */

#endif
