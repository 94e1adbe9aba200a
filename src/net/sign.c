/* sign.c - signatures of the exchange, and what its Date headers tell of its clock; see sign.h. */
#include "sign.h"

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "words.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX 65536
#define KEY_ID_MAX 128
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096                /* its signature still fits KDP_SIGN_HEADERS_MAX */
#define SIGNED_MAX 4096                  /* bytes of time, method and path */
#define CLOCK_STEP (100 * KDP_NS_PER_MS) /* our clock was set; less is two clocks read one after the other */
#define DATE_GRAIN (1500 * KDP_NS_PER_MS)
#define DATE_TOOK_MAX (60 * KDP_NS_PER_S)

struct kdp_signer {
    EVP_PKEY *key;
    bool rsa;
    char key_id[KEY_ID_MAX + 1];
    char words[16];
    /* learnt when the wall clock was so far from the monotonic one, 0: nothing was learnt.  Relaxed: a reader that
     * sees one of them new is off until the next call. */
    _Atomic int64_t offset_ns, less_ns;
};

/* ---- reading the key ---- */

bool
kdp_signer_is_key(const char *text)
{
    /* how PKCS#8, PKCS#1 and SEC 1 begin in base64; no folder is called that */
    static const char *const begins[] = {"MII", "MC4CAQ", "MFECAQ", "MHcCAQ", "MIGH"};

    if (strstr(text, "-----BEGIN") != NULL || strstr(text, "PRIVATE KEY") != NULL)
        return true;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (strncmp(text, begins[i], strlen(begins[i])) == 0 && strlen(text) >= 60)
            return access(text, F_OK) != 0;
    return false;
}

static void
hint_owner(const char *path)
{
    struct passwd *entry;
    char owner[64];
    struct stat st;

    if (stat(path, &st) != 0) {
        kdpi_hint("Its folder cannot be entered, or the file belongs to another user: ls -ld %s", path);
        return;
    }
    entry = getpwuid(st.st_uid);
    snprintf(owner, sizeof owner, "%s", entry != NULL ? entry->pw_name : "another user");
    if (st.st_uid == geteuid()) {
        kdpi_hint("Let its owner read it: chmod 600 %s", path);
        return;
    }
    entry = getpwuid(geteuid());
    if (entry != NULL)
        kdpi_hint("It belongs to %s, you are %s: sudo chown %s %s", owner, entry->pw_name, entry->pw_name,
                  path);
    else
        kdpi_hint("It belongs to %s: sudo chown %u %s", owner, (unsigned)geteuid(), path);
}

static int
fail_read(int errnum, const char *path)
{
    int rc = kdpi_fail_errno(errnum, "cannot read the private key: %s", path);

    if (errnum == EACCES || errnum == EPERM)
        hint_owner(path);
    else
        kdpi_hint(
            "Put the key file that the exchange gave there, or set KALSHI_PRIVATE_KEY_PATH (--private-key)");
    return rc;
}

/* Reads the file, with a NUL behind it; its length, or an error with words. */
static int
read_pem(const char *path, char **textp)
{
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

    if (fd < 0)
        return fail_read(errno, path);
    if (fstat(fd, &st) != 0) {
        rc = fail_read(errno, path);
        goto out;
    }
    if (S_ISDIR(st.st_mode)) {
        rc = fail_read(EISDIR, path);
        goto out;
    }
    text = malloc(PEM_MAX + 1);
    if (text == NULL) {
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
        goto out;
    }
    for (;;) {
        ssize_t n = read(fd, text + len, PEM_MAX - len);

        if (n > 0)
            len += (size_t)n;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = fail_read(errno, path);
            goto out;
        }
        if (n == 0 || len == PEM_MAX)
            break;
    }
    text[len] = '\0';
    rc = (int)len;
    *textp = text;
    text = NULL;
out:
    close(fd);
    free(text);
    return rc;
}

static int
unusable(const char *path, const char *what, const char *hint)
{
    int rc = kdpi_fail(KDP_EFORMAT, "not a usable key: %s: %s", path, what);

    if (hint != NULL)
        kdpi_hint("%s", hint);
    else
        kdpi_hint("The exchange takes RSA or Ed25519 private keys in PEM form: make one in the account "
                  "settings there");
    return rc;
}

static int
no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)arg = true;
    return -1;
}

/* What a file without a key we can read holds. */
static int
fail_other(const char *path, const char *text)
{
    const char *begin = strstr(text, "-----BEGIN ");
    char line[64] = "";

    if (begin != NULL) {
        begin += strlen("-----BEGIN ");
        snprintf(line, sizeof line, "%.*s", (int)strcspn(begin, "-\r\n"), begin);
    }
    if (strstr(line, "PUBLIC KEY") != NULL)
        return unusable(path, "a public key",
                        "The other half is wanted, the private key that was shown once when it was made");
    if (strstr(line, "CERTIFICATE") != NULL)
        return unusable(path, "a certificate", NULL);
    if (strstr(line, "OPENSSH") != NULL)
        return unusable(path, "an OpenSSH key", NULL);
    if (strstr(line, "PRIVATE KEY") != NULL)
        return unusable(path, "a private key that is damaged",
                        "Copy it again, whole, from its BEGIN line to its END line");
    return unusable(path, "no PEM key in it", NULL);
}

/* The key's kind as a person says it: "RSA 2048", "Ed25519", "EC P-256". */
static void
key_words(EVP_PKEY *key, char *buf, size_t size)
{
    static const char *const curves[][2] = {
        {"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"}};
    const char *kind = EVP_PKEY_get0_type_name(key);
    char group[48] = "";

    if (EVP_PKEY_is_a(key, "ED25519")) {
        snprintf(buf, size, "Ed25519");
    } else if (EVP_PKEY_is_a(key, "RSA")) {
        snprintf(buf, size, "RSA %d", EVP_PKEY_get_bits(key));
    } else if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1) {
        const char *name = group;

        for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
            if (strcmp(group, curves[i][0]) == 0)
                name = curves[i][1];
        snprintf(buf, size, "EC %s", name);
    } else {
        snprintf(buf, size, "%s", kind != NULL ? kind : "unknown");
    }
}

static int
parse_key(struct kdp_signer *signer, const char *path, const char *text, int len)
{
    BIO *bio = BIO_new_mem_buf(text, len);
    bool encrypted = false;
    char words[64], what[96];
    int bits;

    if (bio == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    signer->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
    BIO_free(bio);
    ERR_clear_error(); /* its words are for programmers; ours are below */
    if (encrypted) {
        int rc = kdpi_fail(KDP_EFORMAT, "not a usable key: %s: encrypted", path);

        kdpi_hint("Nobody is there to type a password: openssl pkey -in %s -out PLAIN.pem, and chmod 600 it",
                  path);
        return rc;
    }
    if (signer->key == NULL)
        return fail_other(path, text);
    key_words(signer->key, words, sizeof words);
    bits = EVP_PKEY_get_bits(signer->key);
    signer->rsa = EVP_PKEY_is_a(signer->key, "RSA") == 1;
    if (!signer->rsa && !EVP_PKEY_is_a(signer->key, "ED25519")) {
        snprintf(what, sizeof what, "%s private key", words);
        return unusable(path, what, NULL);
    }
    if (signer->rsa && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)) {
        snprintf(what, sizeof what, "%s private key: from %d to %d bits are taken", words, RSA_BITS_MIN,
                 RSA_BITS_MAX);
        return unusable(path, what, NULL);
    }
    snprintf(signer->words, sizeof signer->words, "%s", words);
    return 0;
}

int
kdp_signer_open(struct kdp_signer **signerp, const char *key_id, const char *pem_path)
{
    struct kdp_signer *signer;
    char *text = NULL;
    int rc;

    *signerp = NULL;
    if (*key_id == '\0' || strlen(key_id) > KEY_ID_MAX)
        return kdpi_fail(KDP_EUSAGE, "not a key ID: KALSHI_API_KEY has %s",
                         *key_id == '\0' ? "nothing in it" : "more than 128 characters");
    for (const char *p = key_id; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~') /* it goes into a header line */
            return kdpi_fail(KDP_EUSAGE,
                             "not a key ID: KALSHI_API_KEY has blanks or special characters in it");
    if (kdp_signer_is_key(pem_path)) {
        int code =
            kdpi_fail(KDP_EUSAGE, "not the name of a file: KALSHI_PRIVATE_KEY_PATH has the key itself in it");

        kdpi_hint("Put the key into a file, chmod 600 it, and give the file's name");
        return code;
    }
    signer = calloc(1, sizeof *signer);
    if (signer == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    memcpy(signer->key_id, key_id, strlen(key_id) + 1);
    rc = read_pem(pem_path, &text);
    if (rc < 0)
        goto err;
    rc = parse_key(signer, pem_path, text, rc);
    OPENSSL_cleanse(text, PEM_MAX);
    free(text);
    if (rc != 0)
        goto err;
    *signerp = signer;
    return 0;

err:
    kdp_signer_close(signer);
    return rc;
}

int
kdp_signer_open_clock(struct kdp_signer **signerp)
{
    *signerp = calloc(1, sizeof **signerp);
    return *signerp != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "out of memory: clock");
}

void
kdp_signer_close(struct kdp_signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_free(signer->key);
    free(signer);
}

void
kdp_signer_hide(const struct kdp_signer *signer, char *text, size_t len)
{
    if (signer != NULL)
        kdpi_hide(text, len, signer->key_id);
}

const char *
kdp_signer_words(const struct kdp_signer *signer)
{
    return signer->words;
}

/* ---- signing ---- */

/* The signature of text into sig; its length, or an error. */
static int
sign_text(const struct kdp_signer *signer, const char *text, size_t len, unsigned char *sig, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;
    bool ok = ctx != NULL &&
              EVP_DigestSignInit(ctx, &pkey_ctx, signer->rsa ? EVP_sha256() : NULL, NULL, signer->key) == 1;

    if (ok && signer->rsa)
        ok = EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(pkey_ctx, EVP_sha256()) == 1;
    ok = ok && EVP_DigestSign(ctx, sig, &size, (const unsigned char *)text, len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok) {
        char why[128];

        ERR_error_string_n(ERR_get_error(), why, sizeof why);
        ERR_clear_error();
        return kdpi_fail(KDP_EIO, "cannot sign with this key: %s", why);
    }
    return (int)size;
}

int
kdp_signer_headers(const struct kdp_signer *signer, int64_t wall_ns, const char *method, const char *path,
                   char *buf, size_t size)
{
    unsigned char sig[RSA_BITS_MAX / 8];
    char text[SIGNED_MAX], base64[4 * ((sizeof sig + 2) / 3) + 1];
    long long ms = (long long)((wall_ns + kdp_signer_offset_ns(signer)) / KDP_NS_PER_MS);
    int len = snprintf(text, sizeof text, "%lld%s%.*s", ms, method, (int)strcspn(path, "?"), path);

    if (signer->key == NULL) {
        buf[0] = '\0';
        return 0;
    }
    if (len < 0 || (size_t)len >= sizeof text)
        return kdpi_fail(KDP_EINVAL, "a path of %zu bytes is too long to sign", strlen(path));
    len = sign_text(signer, text, (size_t)len, sig, sizeof sig);
    if (len < 0)
        return len;
    EVP_EncodeBlock((unsigned char *)base64, sig, len);
    len =
        snprintf(buf, size,
                 "KALSHI-ACCESS-KEY: %s\r\nKALSHI-ACCESS-SIGNATURE: %s\r\nKALSHI-ACCESS-TIMESTAMP: %lld\r\n",
                 signer->key_id, base64, ms);
    if (len < 0 || (size_t)len >= size)
        return kdpi_fail(KDP_EINVAL, "no room for the signature's header lines");
    return len;
}

/* ---- the exchange's clock ---- */

/* The true time at the exchange was in [date, date + 1 s) somewhere between sending and getting.  What that interval cannot
 * tell from the offset in force changes nothing, so that the offset does not wander with each answer. */
void
kdp_signer_learn(struct kdp_signer *signer, int64_t date_ns, int64_t sent_wall_ns, int64_t got_wall_ns)
{
    int64_t took = got_wall_ns - sent_wall_ns, offset, doubt, off;

    if (date_ns == KDP_TIME_NULL || took < 0 || took > DATE_TOOK_MAX)
        return; /* none, or our own clock was set in between */
    doubt = (took + KDP_NS_PER_S) / 2;
    if (doubt < DATE_GRAIN)
        doubt = DATE_GRAIN;
    offset = date_ns + KDP_NS_PER_S / 2 - (sent_wall_ns + took / 2);
    off = offset - kdp_signer_offset_ns(signer);
    if (off >= -doubt && off <= doubt)
        offset -= off; /* what is in force */
    else if (offset >= -DATE_GRAIN && offset <= DATE_GRAIN)
        offset = 0;
    atomic_store_explicit(&signer->offset_ns, offset, memory_order_relaxed);
    atomic_store_explicit(&signer->less_ns, kdpi_now_ns() - kdpi_mono_ns(), memory_order_relaxed);
}

/* When our clock was set since, the exchange's was not: the next signature is right, and nobody waits for a Date. */
int64_t
kdp_signer_offset_ns(const struct kdp_signer *signer)
{
    int64_t offset = atomic_load_explicit(&signer->offset_ns, memory_order_relaxed);
    int64_t less = atomic_load_explicit(&signer->less_ns, memory_order_relaxed);
    int64_t step = kdpi_now_ns() - kdpi_mono_ns() - less;

    return less == 0 || (step < CLOCK_STEP && step > -CLOCK_STEP) ? offset : offset - step;
}
