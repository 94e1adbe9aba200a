/* test_ca.c - see test_ca.h. */
#include "test_ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "kdp_test.h"

struct test_ca {
    EVP_PKEY *key;
    X509 *cert;
};

static X509 *
certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, long from_s, long to_s,
            const char *names)
{
    static long serial = 1;
    X509 *cert = X509_new();
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    CHECK(cert != NULL);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
    X509_set_pubkey(cert, key);
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer != NULL ? issuer : cert, cert, NULL, NULL, 0);
    extension = names != NULL ? X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, names)
                              : X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE");
    CHECK(extension != NULL);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    CHECK(X509_sign(cert, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
    return cert;
}

static void
write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK_INT(cert != NULL ? PEM_write_X509(file, cert)
                           : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
              1);
    CHECK_INT(fclose(file), 0);
}

struct test_ca *
test_ca_new(const char *name, const char *path)
{
    struct test_ca *ca = calloc(1, sizeof *ca);

    CHECK(ca != NULL);
    CHECK((ca->key = EVP_EC_gen("P-256")) != NULL);
    ca->cert = certificate(ca->key, name, NULL, NULL, -7200, 7200, NULL);
    write_pem(path, ca->cert, NULL);
    return ca;
}

void
test_ca_free(struct test_ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca);
}

void
test_ca_issue(struct test_ca *ca, const char *names, long from_s, long to_s, const char *cert_path,
              const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert;

    CHECK(key != NULL);
    cert = certificate(key, "test server", ca->cert, ca->key, from_s, to_s, names);
    write_pem(cert_path, cert, NULL);
    write_pem(key_path, NULL, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}
