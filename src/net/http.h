/* http.h - REST requests on a thread of their own (libcurl), so that no TLS handshake or slow answer ever stands in the way of
 * the feed.
 *
 * Requests go out in the order given, a few at a time over kept connections (HTTP/1.1 or 2).  Each is signed, when there is a
 * signer, at the moment it is sent.  Nothing is tried again here: that is the caller's business, which counts tokens. */
#ifndef KDPI_HTTP_H
#define KDPI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sign.h"

struct kdp_tls_context;

struct kdp_http;
struct kdp_http_config {
    const char *base_url; /* https://host/trade-api/v2 */
    const char *ca_file;  /* NULL: the system's roots alone */
    /* of a client made with that ca_file: its roots are used, and the context may go before this; NULL: they are read */
    const struct kdp_tls_context *context;
    struct kdp_signer *signer; /* NULL: unsigned */
    const char *token;         /* NULL, or a bearer token */
    unsigned parallel;         /* requests under way at once, 0: 4 */
    int64_t timeout_ns;        /* of each, 0: 15 s */
    size_t body_max;           /* bytes, 0: 16 MiB less 64 KiB: one input must hold it */
    /* asked on the thread of the requests before one is sent: 0 lets it go now, else it is asked again after so many ns at the
     * latest; NULL: each goes when its turn comes */
    int64_t (*gate)(void *arg, const char *path, int64_t mono_ns);
    void *gate_arg;
};
int kdp_http_open(struct kdp_http **httpp, const struct kdp_http_config *config);
/* kdp_http_close gives up what is under way, at once. */
void kdp_http_close(struct kdp_http *http);
/* kdp_http_get queues a GET of base + path ("/markets?limit=1000"; begins with '/', copied). */
int kdp_http_get(struct kdp_http *http, uint64_t request, const char *path);

struct kdp_http_answer {
    uint64_t request;
    int status;       /* 0: no answer; error tells why */
    const char *path; /* as asked; these three live until the answer is freed */
    const char *body;
    size_t len;
    char error[256]; /* words for a person when status is 0 */
    int error_code; /* enum kdp_error when status is 0: ENET, ETIMEOUT, EREFUSED (certificate), EFORMAT (too long) */
    bool connected;          /* with status 0: a connection stood, so it is no slip in the address */
    int64_t sent_ns, got_ns; /* wall clock */
    int64_t sent_mono_ns;
    int64_t took_ns;
    int64_t wait_ns; /* of it, from the connection being there to the first byte of the answer */
    int64_t date_ns; /* of its Date header (and Age, where a cache answered), KDP_TIME_NULL */
    int64_t age_ns;  /* of its Age header, 0 */
};
/* kdp_http_take gives the next answer, NULL: none yet.  kdp_http_fd polls readable while there is one. */
struct kdp_http_answer *kdp_http_take(struct kdp_http *http);
void kdp_http_answer_free(struct kdp_http_answer *answer);
int kdp_http_fd(const struct kdp_http *http);
unsigned kdp_http_pending(struct kdp_http *http); /* asked and not yet taken */

#endif
