/* server_setup.c - the simulator's folder: a CA and a certificate of its own, two client keys, and the settings for kdp run.
 *
 * What a folder holds already is used again, so that a simulator that is started anew in it is the same exchange to clients
 * that kept its certificate and key. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "clock.h"
#include "error.h"
#include "file.h"
#include "server_private.h"

#define DAYS 3650

static int
tls_error(const char *what, const char *path)
{
    char words[160];

    ERR_error_string_n(ERR_get_error(), words, sizeof words);
    return kdpi_fail(KDP_EIO, "%s: %s: %s", what, path, words);
}

static void
path_of(const struct kdp_sim *sim, const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s", sim->dir, name);
}

/* Opens a file that only its owner may read; a key must never be world-readable, not even for a moment. */
static FILE *
open_private(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file;

    if (fd < 0)
        return NULL;
    if (fchmod(fd, 0600) != 0 || (file = fdopen(fd, "w")) == NULL) {
        close(fd);
        return NULL;
    }
    return file;
}

static int
close_written(FILE *file, bool good, const char *path)
{
    good = fflush(file) == 0 && good;
    if (fclose(file) != 0 || !good)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    return 0;
}

static int
write_key(const struct kdp_sim *sim, const char *name, EVP_PKEY *key, bool traditional)
{
    char path[4096];
    FILE *file;
    BIO *bio;
    bool good;

    path_of(sim, name, path);
    file = open_private(path);
    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    bio = BIO_new_fp(file, BIO_NOCLOSE);
    good = bio != NULL &&
           (traditional ? PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL)
                        : PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) == 1;
    BIO_free(bio);
    return close_written(file, good, path);
}

static EVP_PKEY *
read_key(const struct kdp_sim *sim, const char *name)
{
    char path[4096];
    FILE *file;
    EVP_PKEY *key;

    path_of(sim, name, path);
    file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    return key;
}

static bool
extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *ext;
    bool good;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return good;
}

static X509 *
make_cert(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, const char *alt_names)
{
    X509 *cert = X509_new();
    X509_NAME *subject;
    bool good = cert != NULL && X509_set_version(cert, 2) == 1;
    uint64_t serial = (uint64_t)kdpi_now_ns();

    if (!good)
        return NULL;
    subject = X509_get_subject_name(cert);
    good = ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -86400) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), (long)DAYS * 86400) != NULL &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"kdp sim", -1, -1,
                                      0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) ==
               1 &&
           X509_set_issuer_name(cert, issuer != NULL ? X509_get_subject_name(issuer) : subject) == 1;
    if (issuer == NULL)
        issuer = cert;
    good = good && extension(cert, issuer, NID_subject_key_identifier, "hash") &&
           extension(cert, issuer, NID_authority_key_identifier, "keyid:always");
    if (alt_names == NULL)
        good = good && extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    else
        good = good && extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
               extension(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
               extension(cert, issuer, NID_ext_key_usage, "serverAuth") &&
               extension(cert, issuer, NID_subject_alt_name, alt_names);
    if (good && X509_sign(cert, issuer_key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static int
write_certs(const struct kdp_sim *sim, const char *name, X509 *first, X509 *second)
{
    char path[4096];
    FILE *file;
    bool good;

    path_of(sim, name, path);
    file = fopen(path, "we");
    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    good = PEM_write_X509(file, first) == 1 && (second == NULL || PEM_write_X509(file, second) == 1);
    return close_written(file, good, path);
}

/* The address the server listens on must be in its certificate, or a client that is told of it cannot check it. */
static void
alt_names(const struct kdp_sim *sim, char *buf, size_t size)
{
    const char *address = sim->config.address;
    int len = snprintf(buf, size, "DNS:localhost,IP:127.0.0.1,IP:::1");

    struct in6_addr any;

    if (strcmp(address, "127.0.0.1") != 0 && strcmp(address, "::1") != 0 &&
        (inet_pton(AF_INET, address, &any) == 1 || inet_pton(AF_INET6, address, &any) == 1))
        snprintf(buf + len, size - (size_t)len, ",IP:%s", address);
}

static int
make_certificates(struct kdp_sim *sim)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = NULL, *cert = NULL;
    char names[256];
    int rc;

    alt_names(sim, names, sizeof names);
    if (ca_key != NULL && key != NULL && (ca = make_cert(ca_key, "kdp sim CA", NULL, ca_key, NULL)) != NULL)
        cert = make_cert(key, "localhost", ca, ca_key, names);
    if (cert == NULL)
        rc = tls_error("cannot make a certificate", sim->dir);
    else if ((rc = write_certs(sim, "ca.pem", ca, NULL)) == 0 &&
             (rc = write_certs(sim, "server.pem", cert, ca)) == 0)
        rc = write_key(sim, "server-key.pem", key, false);
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rc;
}

static bool
there(const struct kdp_sim *sim, const char *name)
{
    char path[4096];

    path_of(sim, name, path);
    return access(path, R_OK) == 0;
}

/* One key id for both keys, made of their public parts: whoever has the folder has the same account again. */
static int
make_key_id(struct kdp_sim *sim)
{
    EVP_PKEY *keys[2] = {sim->rsa, sim->ed25519};
    unsigned char all[2048], digest[SHA256_DIGEST_LENGTH];
    size_t used = 0;

    for (unsigned i = 0; i < 2; i++) {
        unsigned char *at = all + used;
        int len = keys[i] != NULL ? i2d_PUBKEY(keys[i], NULL) : 0;

        if (keys[i] == NULL)
            continue;
        if (len <= 0 || used + (size_t)len > sizeof all || i2d_PUBKEY(keys[i], &at) != len)
            return tls_error("cannot read back a key", sim->dir);
        used += (size_t)len;
    }
    SHA256(all, used, digest);
    snprintf(sim->key_id, sizeof sim->key_id,
             "%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x", digest[0], digest[1],
             digest[2], digest[3], digest[4], digest[5], digest[6] & 15u, digest[7], 8u + (digest[8] & 3u),
             digest[8] >> 4, digest[9], digest[10], digest[11], digest[12], digest[13], digest[14],
             digest[15]);
    return 0;
}

static int
make_dir(struct kdp_sim *sim)
{
    const char *tmp = getenv("TMPDIR");
    char path[4096];

    if (sim->config.dir != NULL) {
        sim->dir = strdup(sim->config.dir);
        if (sim->dir == NULL)
            return kdpi_fail(KDP_ENOMEM, "no memory for a path");
        if (mkdir(sim->dir, 0700) != 0 && errno != EEXIST)
            return kdpi_fail_errno(errno, "cannot make the folder: %s", sim->dir);
        if (access(sim->dir, W_OK | X_OK) != 0) {
            int rc = kdpi_fail_errno(errno, "cannot write in the folder: %s", sim->dir);

            kdpi_hint("Give another with --dir, or leave it out: a fresh folder is made");
            return rc;
        }
        return 0;
    }
    snprintf(path, sizeof path, "%s/kdp-sim.XXXXXX", tmp != NULL && tmp[0] != 0 ? tmp : "/tmp");
    if (mkdtemp(path) == NULL)
        return kdpi_fail_errno(errno, "cannot make a folder: %s", path);
    sim->dir_made = true;
    sim->dir = strdup(path);
    return sim->dir != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "no memory for a path");
}

int
sim_setup(struct kdp_sim *sim)
{
    char cert[4096], key[4096];
    int rc = make_dir(sim);

    if (rc != 0)
        return rc;
    sim->rsa = read_key(sim, "rsa.pem");
    sim->ed25519 = read_key(sim, "ed25519.pem");
    ERR_clear_error();
    if (sim->rsa == NULL && !sim->config.no_rsa) {
        sim->rsa = EVP_RSA_gen(2048);
        if (sim->rsa == NULL)
            return tls_error("cannot make a key", sim->dir);
        if ((rc = write_key(sim, "rsa.pem", sim->rsa, true)) != 0)
            return rc;
    }
    if (sim->ed25519 == NULL) {
        sim->ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        if (sim->ed25519 == NULL)
            return tls_error("cannot make a key", sim->dir);
        if ((rc = write_key(sim, "ed25519.pem", sim->ed25519, false)) != 0)
            return rc;
    }
    if ((rc = make_key_id(sim)) != 0)
        return rc;
    if (!(there(sim, "ca.pem") && there(sim, "server.pem") && there(sim, "server-key.pem")) &&
        (rc = make_certificates(sim)) != 0)
        return rc;
    if (sim->config.plain)
        return 0;
    path_of(sim, "server.pem", cert);
    path_of(sim, "server-key.pem", key);
    return kdp_tls_server(&sim->context, cert, key);
}

int
sim_write_env(struct kdp_sim *sim)
{
    const char *address = sim->config.address;
    const char *host = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0 ? "localhost" : address;
    const char *s = sim->config.plain ? "" : "s", *open = strchr(host, ':') != NULL ? "[" : "";
    const char *close_word = open[0] != 0 ? "]" : "";
    struct sim_text text = {0};
    char path[4096], full[4096], *absolute = realpath(sim->dir, full);
    int rc;

    if (absolute == NULL)
        return kdpi_fail_errno(errno, "cannot find the folder: %s", sim->dir);
    sim_putf(&text,
             "# A SIMULATED exchange (kdp sim): kdp run --env-file %s/sim.env\n"
             "KALSHI_BASE_URL=http%s://%s%s%s:%u/trade-api/v2\n"
             "KALSHI_WS_URL=ws%s://%s%s%s:%u/trade-api/ws/v2\n"
             "KALSHI_BULK_URL=http%s://%s%s%s:%u/reporting\n",
             absolute, s, open, host, close_word, sim->port, s, open, host, close_word, sim->port, s, open,
             host, close_word, sim->port);
    if (!sim->config.plain)
        sim_putf(&text, "KALSHI_CA_FILE=%s/ca.pem\n", absolute);
    sim_putf(&text,
             "KALSHI_API_KEY=%s\n"
             "KALSHI_PRIVATE_KEY_PATH=%s/%s.pem\n"
             "KDP_SIMULATED=yes\n"
             "# the same account has an Ed25519 key: %s/ed25519.pem\n",
             sim->key_id, absolute, sim->rsa != NULL ? "rsa" : "ed25519", absolute);
    path_of(sim, "sim.env", path);
    rc = kdpi_file_replace(path, text.data, text.len);
    sim_text_free(&text);
    return rc;
}
