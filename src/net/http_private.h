/* http_private.h - which certificates the REST requests trust, and words for one that is not trusted.
 *
 * The store is made once, or is that of the stream's connections: the system's roots are some hundred certificates to read, which
 * would else be read again for each connection.  One thread; OpenSSL's stores lock themselves. */
#ifndef KDPI_HTTP_PRIVATE_H
#define KDPI_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "tls.h"
#include "url.h"

struct kdp_http_trust {
    X509_STORE *store;
    int verify_error; /* X509_V_ERR_... of the last certificate refused */
    char issuer[128];
};

/* What context trusts; when it is NULL, the system's roots, and those of ca_file when that is not NULL. */
int kdpi_http_trust_open(struct kdp_http_trust *trust, const struct kdp_tls_context *context,
                         const char *ca_file);
void kdpi_http_trust_close(struct kdp_http_trust *trust);
/* kdpi_http_trust_set makes a request check certificates against the store; false when curl cannot. */
bool kdpi_http_trust_set(struct kdp_http_trust *trust, CURL *easy);
/* kdpi_http_trust_words says what is wrong with the certificate refused last; curl_words where that was not the chain. */
void kdpi_http_trust_words(const struct kdp_http_trust *trust, const char *host, const char *curl_words,
                           char *buf, size_t size);

#endif
