/* tls_words.c - why a handshake failed, in words a person can act on. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "tls_private.h"

static void
name_words(const X509_NAME *name, char *buf, size_t size)
{
    static const int parts[] = {NID_commonName, NID_organizationalUnitName, NID_organizationName};
    unsigned char *text = NULL;

    snprintf(buf, size, "nobody");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int at = X509_NAME_get_index_by_NID(name, parts[i], -1);
        int len;

        if (at < 0)
            continue;
        len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        if (len < 0)
            continue;
        kdpi_escape(buf, size, (const char *)text, (size_t)len);
        OPENSSL_free(text);
        return;
    }
}

static void
time_words(const ASN1_TIME *when, char *buf, size_t size)
{
    struct tm tm;

    if (when == NULL || ASN1_TIME_to_tm(when, &tm) != 1)
        snprintf(buf, size, "an unreadable date");
    else
        snprintf(buf, size, "%04d-%02d-%02d %02d:%02d UTC", (tm.tm_year + 1900) % 10000,
                 (tm.tm_mon + 1) % 100, tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100);
}

/* The names a certificate is for, the first few of them. */
static void
subject_words(X509 *cert, char *buf, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    int shown = 0, others = 0;

    buf[0] = '\0';
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char word[72];

        if (name->type != GEN_DNS)
            continue;
        if (shown == 3) {
            others++;
            continue;
        }
        kdpi_escape(word, sizeof word, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                    (size_t)ASN1_STRING_length(name->d.dNSName));
        used += (size_t)snprintf(buf + used, size - used, "%s\"%s\"", shown++ > 0 ? ", " : "", word);
    }
    if (others > 0)
        snprintf(buf + used, size - used, " and %d more", others);
    if (shown == 0) {
        char word[128];

        name_words(X509_get_subject_name(cert), word, sizeof word);
        snprintf(buf, size, "\"%s\"", word);
    }
    GENERAL_NAMES_free(names);
}

/* Called for each certificate of the chain; the verdict is OpenSSL's, and stays. */
int
kdp_tls_verify(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct kdp_tls *tls = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (good || tls == NULL)
        return good;
    tls->verify_error = X509_STORE_CTX_get_error(store);
    if (cert != NULL) {
        name_words(X509_get_issuer_name(cert), tls->issuer, sizeof tls->issuer);
        time_words(tls->verify_error == X509_V_ERR_CERT_NOT_YET_VALID ? X509_get0_notBefore(cert)
                                                                      : X509_get0_notAfter(cert),
                   tls->expiry, sizeof tls->expiry);
        subject_words(cert, tls->names, sizeof tls->names);
    }
    return good;
}

static int
not_trusted(struct kdp_tls *tls)
{
    int rc;

    switch (tls->verify_error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_UNTRUSTED:
        rc = kdpi_fail(KDP_EREFUSED, "certificate not trusted: %s: issued by unknown \"%s\"", tls->host,
                       tls->issuer);
        kdpi_hint("If that issuer is yours, add its root: --ca-file FILE.pem. Checking cannot be turned off");
        return rc;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        rc = kdpi_fail(KDP_EREFUSED, "certificate not trusted: %s: expired on %s", tls->host, tls->expiry);
        kdpi_hint("Is this machine's clock right? If it is, the server's owner must renew it");
        return rc;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        rc = kdpi_fail(KDP_EREFUSED, "certificate not trusted: %s: not valid before %s", tls->host,
                       tls->expiry);
        kdpi_hint("Is this machine's clock right? timedatectl set-ntp true");
        return rc;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        rc = kdpi_fail(KDP_EREFUSED, "certificate not trusted: %s: it is for %s", tls->host,
                       tls->names[0] != '\0' ? tls->names : "another host");
        kdpi_hint("Mend the host name in the URL. Checking cannot be turned off");
        return rc;
    default:
        rc = kdpi_fail(KDP_EREFUSED, "certificate not trusted: %s: %s", tls->host,
                       X509_verify_cert_error_string(tls->verify_error));
        kdpi_hint("Checking cannot be turned off");
        return rc;
    }
}

int
kdp_tls_handshake_failed(struct kdp_tls *tls, int ssl_error)
{
    unsigned long error = ERR_peek_error();
    const char *why;
    int rc;

    if (tls->verify_error != X509_V_OK && !tls->server)
        return not_trusted(tls);
    if (tls->errnum != 0)
        return kdpi_fail(KDP_ENET, "TLS handshake failed: %s: %s", tls->peer,
                         kdp_tls_errno_words(tls->errnum));
    if (tls->eof) {
        rc = kdpi_fail(KDP_ENET, "TLS handshake failed: %s: the connection was closed", tls->peer);
        if (!tls->server)
            kdpi_hint("Does that port speak TLS? A plain one has ws:// or http:// in its URL");
        return rc;
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
        (ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER || ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST ||
         ERR_GET_REASON(error) == SSL_R_PACKET_LENGTH_TOO_LONG)) {
        rc = kdpi_fail(KDP_ENET, "TLS handshake failed: %s does not speak TLS", tls->peer);
        if (!tls->server)
            kdpi_hint("A plain port has ws:// or http:// in its URL");
        return rc;
    }
    why = ERR_reason_error_string(error);
    return kdpi_fail(KDP_ENET, "TLS handshake failed: %s: %s", tls->peer,
                     why != NULL                          ? why
                     : ssl_error == SSL_ERROR_ZERO_RETURN ? "the connection was closed"
                                                          : "unknown reason");
}
