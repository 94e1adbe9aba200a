/* http_trust.c - certificates of REST requests; see http_private.h. */
#include "http_private.h"

#include "error.h"
#include "tls_private.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

int
kdpi_http_trust_open(struct kdp_http_trust *trust, const struct kdp_tls_context *context, const char *ca_file)
{
    struct kdp_tls_context *own = NULL;
    int rc = context == NULL ? kdp_tls_client(&own, ca_file) : 0;

    if (rc == 0) {
        trust->store = SSL_CTX_get_cert_store(own != NULL ? own->ssl : context->ssl);
        X509_STORE_up_ref(trust->store);
    }
    if (own != NULL)
        kdp_tls_context_free(own);
    return rc;
}

void
kdpi_http_trust_close(struct kdp_http_trust *trust)
{
    X509_STORE_free(trust->store);
    trust->store = NULL;
}

/* Notes why a chain is refused, and who issued the certificate where it ended. */
static int
on_verify(int ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct kdp_http_trust *trust = ssl != NULL ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (trust == NULL)
        return ok;
    if (ok) { /* of the whole chain when it is said of its end; until then the last reason stands, for another connection may
                 just be putting it into words */
        if (X509_STORE_CTX_get_error_depth(store) == 0)
            trust->verify_error = X509_V_OK;
        return ok;
    }
    trust->verify_error = X509_STORE_CTX_get_error(store);
    trust->issuer[0] = '\0';
    if (cert != NULL) {
        X509_NAME *name = X509_get_issuer_name(cert);

        if (X509_NAME_get_text_by_NID(name, NID_commonName, trust->issuer, sizeof trust->issuer) <= 0 &&
            X509_NAME_get_text_by_NID(name, NID_organizationName, trust->issuer, sizeof trust->issuer) <= 0)
            trust->issuer[0] = '\0';
    }
    return ok;
}

static CURLcode
on_context(CURL *easy, void *context, void *arg)
{
    struct kdp_http_trust *trust = arg;
    SSL_CTX *ssl = context;

    (void)easy;
    SSL_CTX_set1_cert_store(ssl, trust->store);
    SSL_CTX_set_app_data(ssl, trust);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
    return CURLE_OK;
}

bool
kdpi_http_trust_set(struct kdp_http_trust *trust, CURL *easy)
{
    bool ok = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;

    ok = ok && curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK;
    return ok && curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust) == CURLE_OK;
}

void
kdpi_http_trust_words(const struct kdp_http_trust *trust, const char *host, const char *curl_words, char *buf,
                      size_t size)
{
    char issuer[sizeof trust->issuer * 4 + 1];

    kdpi_escape(issuer, sizeof issuer, trust->issuer, strlen(trust->issuer));
    switch (trust->verify_error) {
    case X509_V_OK: /* the chain is fine, so it is the name */
        snprintf(buf, size, "certificate not trusted: %s: %s", host, curl_words);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        snprintf(buf, size, "certificate not trusted: %s: issued by unknown \"%s\"", host, issuer);
        return;
    default:
        snprintf(buf, size, "certificate not trusted: %s: %s", host,
                 X509_verify_cert_error_string(trust->verify_error));
        return;
    }
}
