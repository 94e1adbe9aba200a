/* test_sign.c - signatures checked with the public key, every kind of file that is no usable key, and the learnt clock. */
#include "sign.h"

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "kdp_test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define S KDP_NS_PER_S
#define WALL (INT64_C(1795348800123) * KDP_NS_PER_MS)

static struct kdp_signer *signer;

static const char *
path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", kdp_test_dir(), name);
    return path;
}

static void
write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

/* A key as PKCS#8, or as its own older form. */
static void
write_key(const char *path, EVP_PKEY *key, bool old, const char *password)
{
    const EVP_CIPHER *cipher = password != NULL ? EVP_aes_128_cbc() : NULL;
    int len = password != NULL ? (int)strlen(password) : 0;
    BIO *bio = BIO_new_file(path, "w");

    CHECK(key != NULL && bio != NULL);
    if (old) {
        CHECK_INT(PEM_write_bio_PrivateKey_traditional(bio, key, cipher, (const unsigned char *)password, len,
                                                       NULL, NULL),
                  1);
    } else {
        CHECK_INT(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, password, len, NULL, NULL), 1);
    }
    CHECK_INT(BIO_free(bio), 1);
}

static EVP_PKEY *
rsa_key(unsigned bits)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
}

/* The value of a header line of buf. */
static void
header(const char *buf, const char *name, char *value, size_t size)
{
    const char *line = strstr(buf, name);

    CHECK(line != NULL && (line == buf || line[-1] == '\n'));
    line += strlen(name);
    CHECK_MEM(line, ": ", 2);
    snprintf(value, size, "%.*s", (int)strcspn(line + 2, "\r"), line + 2);
}

/* Verifies the signature that kdp_signer_headers makes, strictly as the exchange does. */
static void
verify(EVP_PKEY *key, const char *method, const char *path, const char *want_signed, size_t base64_len)
{
    char buf[KDP_SIGN_HEADERS_MAX], value[1024];
    unsigned char sig[1024];
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;
    int len = kdp_signer_headers(signer, WALL, method, path, buf, sizeof buf);

    CHECK(len > 0);
    CHECK_INT(len, strlen(buf));
    CHECK_MEM(buf + len - 2, "\r\n", 2);
    header(buf, "KALSHI-ACCESS-KEY", value, sizeof value);
    CHECK_STR(value, "0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03");
    header(buf, "KALSHI-ACCESS-TIMESTAMP", value, sizeof value);
    CHECK_INT(strncmp(value, want_signed, strlen(value)), 0); /* the same time in header and text */
    header(buf, "KALSHI-ACCESS-SIGNATURE", value, sizeof value);
    CHECK_INT(strlen(value), base64_len);
    len = EVP_DecodeBlock(sig, (unsigned char *)value, (int)base64_len);
    CHECK(len > 0);
    while (len > 0 && value[base64_len - 1] == '=')
        len--, value[--base64_len] = '\0';
    CHECK_INT(EVP_DigestVerifyInit(ctx, &pkey_ctx, rsa ? EVP_sha256() : NULL, NULL, key), 1);
    if (rsa) {
        CHECK_INT(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING), 1);
        CHECK_INT(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, 32), 1); /* that and no other */
        CHECK_INT(EVP_PKEY_CTX_set_rsa_mgf1_md(pkey_ctx, EVP_sha256()), 1);
    }
    CHECK_INT(
        EVP_DigestVerify(ctx, sig, (size_t)len, (const unsigned char *)want_signed, strlen(want_signed)), 1);
    CHECK(EVP_DigestVerify(ctx, sig, (size_t)len, (const unsigned char *)"x", 1) != 1);
    EVP_MD_CTX_free(ctx);
}

static void
good_key(EVP_PKEY *key, bool old, const char *words, size_t base64_len)
{
    const char *path = path_of("key.pem");

    write_key(path, key, old, NULL);
    CHECK_INT(kdp_signer_open(&signer, "0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03", path), 0);
    CHECK_STR(kdp_signer_words(signer), words);
    verify(key, "GET", "/trade-api/v2/markets/trades?ticker=KXDEMO-26DEC01-T3&limit=1000",
           "1795348800123GET/trade-api/v2/markets/trades", base64_len);
    verify(key, "GET", "/trade-api/ws/v2", "1795348800123GET/trade-api/ws/v2", base64_len);
    kdp_signer_close(signer);
    EVP_PKEY_free(key);
}

KDP_TEST(rsa_key_of_either_form)
{
    EVP_PKEY *key = rsa_key(2048);

    EVP_PKEY_up_ref(key);
    good_key(key, true, "RSA 2048", 344);
    good_key(key, false, "RSA 2048", 344);
}

KDP_TEST(rsa_key_of_4096_bits)
{
    good_key(rsa_key(4096), false, "RSA 4096", 684);
}

KDP_TEST(ed25519_key)
{
    good_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), false, "Ed25519", 88);
}

/* A key that opens, in text form as it was issued, goes on being read: labels of both forms, text around it. */
KDP_TEST(text_around_a_key_is_stepped_over)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const char *path = path_of("key.pem");
    char text[1024] = "\xef\xbb\xbfkey of the demo account\r\n\r\n";
    FILE *file;
    size_t len = strlen(text);

    write_key(path, key, false, NULL);
    file = fopen(path, "r");
    CHECK(file != NULL);
    len += fread(text + len, 1, sizeof text - len - 1, file);
    text[len] = '\0';
    fclose(file);
    write_text(path, text);
    CHECK_INT(kdp_signer_open(&signer, "id", path), 0);
    kdp_signer_close(signer);
    EVP_PKEY_free(key);
}

/* words with path in the place of @ */
static const char *
with_path(char want[1024], const char *words, const char *path)
{
    size_t before = strcspn(words, "@");

    snprintf(want, 1024, "%.*s%s%s", (int)before, words, words[before] == '@' ? path : "",
             words[before] == '@' ? words + before + 1 : "");
    return want;
}

static void
bad_key(const char *path, int code, const char *what, const char *hint)
{
    char want[1024];

    CHECK_INT(kdp_signer_open(&signer, "id", path), -code);
    CHECK(signer == NULL);
    CHECK_STR(kdp_error_text(), with_path(want, what, path));
    CHECK_STR(kdp_error_hint(), with_path(want, hint, path));
}

#define TAKES \
    "The exchange takes RSA or Ed25519 private keys in PEM form: make one in the account settings there"

KDP_TEST(keys_of_the_wrong_kind_are_named)
{
    static const struct {
        const char *group, *words;
    } curves[] = {{"P-256", "not a usable key: @: EC P-256 private key"},
                  {"P-384", "not a usable key: @: EC P-384 private key"},
                  {"secp256k1", "not a usable key: @: EC secp256k1 private key"}};
    const char *path = path_of("key.pem");
    EVP_PKEY *key;
    FILE *file;

    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        key = EVP_EC_gen(curves[i].group);
        write_key(path, key, i % 2 == 0, NULL);
        EVP_PKEY_free(key);
        bad_key(path, KDP_EFORMAT, curves[i].words, TAKES);
    }
    key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    write_key(path, key, false, NULL);
    EVP_PKEY_free(key);
    bad_key(path, KDP_EFORMAT, "not a usable key: @: X25519 private key", TAKES);
    key = rsa_key(1024);
    write_key(path, key, false, NULL);
    bad_key(path, KDP_EFORMAT, "not a usable key: @: RSA 1024 private key: from 2048 to 4096 bits are taken",
            TAKES);
    file = fopen(path, "w");
    CHECK(file != NULL && PEM_write_PUBKEY(file, key) == 1 && fclose(file) == 0);
    bad_key(path, KDP_EFORMAT, "not a usable key: @: a public key",
            "The other half is wanted, the private key that was shown once when it was made");
    for (int old = 0; old < 2; old++) {
        write_key(path, key, old == 1, "secret");
        bad_key(path, KDP_EFORMAT, "not a usable key: @: encrypted",
                "Nobody is there to type a password: openssl pkey -in @ -out PLAIN.pem, and chmod 600 it");
    }
    EVP_PKEY_free(key);
}

KDP_TEST(files_that_are_no_keys)
{
    const char *path = path_of("key.pem");
    char *big;

    write_text(path, "");
    bad_key(path, KDP_EFORMAT, "not a usable key: @: no PEM key in it", TAKES);
    write_text(path, "0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03\n");
    bad_key(path, KDP_EFORMAT, "not a usable key: @: no PEM key in it", TAKES);
    write_text(path, "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\n-----END PRIVATE KEY-----\n");
    bad_key(path, KDP_EFORMAT, "not a usable key: @: a private key that is damaged",
            "Copy it again, whole, from its BEGIN line to its END line");
    write_text(path, "-----BEGIN RSA PRIVATE KEY-----\n");
    bad_key(path, KDP_EFORMAT, "not a usable key: @: a private key that is damaged",
            "Copy it again, whole, from its BEGIN line to its END line");
    write_text(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    bad_key(path, KDP_EFORMAT, "not a usable key: @: a certificate", TAKES);
    write_text(path, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    bad_key(path, KDP_EFORMAT, "not a usable key: @: an OpenSSH key", TAKES);
    big = calloc(1, 200001);
    CHECK(big != NULL);
    memset(big, 'A', 200000);
    write_text(path, big);
    free(big);
    bad_key(path, KDP_EFORMAT, "not a usable key: @: no PEM key in it", TAKES);
}

KDP_TEST(files_that_cannot_be_read)
{
    static const char hint[] =
        "Put the key file that the exchange gave there, or set KALSHI_PRIVATE_KEY_PATH (--private-key)";
    const char *path = path_of("none.pem");

    bad_key(path, KDP_ENOENT, "cannot read the private key: @: no such file or directory", hint);
    bad_key(kdp_test_dir(), KDP_EIO, "cannot read the private key: @: is a directory", hint);
}

/* Run as root, this takes the part of a user who may not. */
KDP_TEST(a_key_of_another_user_says_whose_it_is)
{
    const char *path = path_of("key.pem");
    struct passwd *other = getpwnam("nobody");
    char hint[256];

    write_text(path, "x");
    CHECK_INT(chmod(path, 0), 0);
    if (geteuid() != 0) {
        bad_key(path, KDP_EACCESS, "cannot read the private key: @: permission denied",
                "Let its owner read it: chmod 600 @");
        return;
    }
    if (other == NULL)
        kdp_test_skip("no user called nobody");
    CHECK_INT(chmod(kdp_test_dir(), 0755), 0);
    CHECK_INT(seteuid(other->pw_uid), 0);
    if (eaccess(kdp_test_dir(), X_OK) != 0) {
        CHECK_INT(seteuid(0), 0);
        kdp_test_skip("TMPDIR is closed to the user nobody");
    }
    snprintf(hint, sizeof hint, "It belongs to root, you are nobody: sudo chown nobody @");
    bad_key(path, KDP_EACCESS, "cannot read the private key: @: permission denied", hint);
    CHECK_INT(seteuid(0), 0);
}

KDP_TEST(key_ids_that_cannot_be_sent)
{
    static const char *const ids[] = {"", "two words", "a\r\nX: y", "\xc3\xa4"};
    char text[200];

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        CHECK_INT(kdp_signer_open(&signer, ids[i], "/nonexistent"), -KDP_EUSAGE);
        CHECK(signer == NULL);
    }
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    CHECK_INT(kdp_signer_open(&signer, text, "/nonexistent"), -KDP_EUSAGE);
}

static void
open_ed25519(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    write_key(path_of("key.pem"), key, false, NULL);
    EVP_PKEY_free(key);
    CHECK_INT(kdp_signer_open(&signer, "id", path_of("key.pem")), 0);
}

KDP_TEST(too_little_room_is_an_error)
{
    char buf[KDP_SIGN_HEADERS_MAX], path[5000];

    open_ed25519();
    CHECK(kdp_signer_headers(signer, WALL, "GET", "/a", buf, 20) < 0);
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    CHECK(kdp_signer_headers(signer, WALL, "GET", path, buf, sizeof buf) < 0);
    path[100] = '?'; /* a long query is not signed */
    CHECK(kdp_signer_headers(signer, WALL, "GET", path, buf, sizeof buf) > 0);
    kdp_signer_close(signer);
}

/* What the signer's offset is after an answer whose Date was date, sent and got at these times of our clock. */
static int64_t
learnt(int64_t date, int64_t sent, int64_t got)
{
    kdp_signer_learn(signer, date, sent, got);
    return kdp_signer_offset_ns(signer);
}

KDP_TEST(the_clock_is_learnt_from_dates)
{
    char buf[KDP_SIGN_HEADERS_MAX], ms[64];
    const int64_t t = INT64_C(1795348800) * S;

    open_ed25519();
    CHECK_INT(kdp_signer_offset_ns(signer), 0);
    CHECK_INT(learnt(KDP_TIME_NULL, t, t), 0);
    /* within what a Date can tell: our clock 0.4 s behind to 0.9 s ahead, and a slow answer */
    CHECK_INT(learnt(t, t + S / 10, t + S / 5), 0);
    CHECK_INT(learnt(t, t + 3 * S / 2, t + 8 * S / 5), 0);
    CHECK_INT(learnt(t, t - 5 * S, t + S / 10), 0);
    CHECK_INT(learnt(t, t - S / 10, t + 9 * S), 0);
    /* an hour ahead of the exchange's: the middle of what is possible */
    CHECK_INT(learnt(t, t + 3602 * S, t + 3603 * S), -3602 * S);
    CHECK(kdp_signer_headers(signer, t + 3602 * S, "GET", "/a", buf, sizeof buf) > 0);
    header(buf, "KALSHI-ACCESS-TIMESTAMP", ms, sizeof ms);
    CHECK_STR(ms, "1795348800000");
    /* the next answers agree and move nothing */
    CHECK_INT(learnt(t + S, t + 3603 * S, t + 3603 * S), -3602 * S);
    CHECK_INT(learnt(t, t + 3590 * S, t + 3610 * S), -3602 * S);
    /* our clock was set right: while an answer was under way nothing is learnt, the next one tells */
    CHECK_INT(learnt(t, t + 3602 * S, t), -3602 * S);
    CHECK_INT(learnt(t, t + S / 2, t + S / 2), 0);
    /* behind, and an answer that took longer than anything can be told from */
    CHECK_INT(learnt(t, t - 100 * S, t - 100 * S), 100 * S + S / 2);
    CHECK_INT(learnt(t, t - 1000 * S, t - 1000 * S + 61 * S), 100 * S + S / 2);
    kdp_signer_close(signer);
}
