/* server_auth.c - what the exchange checks of a signed request (docs/exchange.md 1.1): key id, time, signature. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "clock.h"
#include "server_private.h"

#define WINDOW_MS \
    30000 /* 10 s off were taken and 60 s refused when it was tried; the limit is not published */

static bool
decode(struct kdp_http_slice text, unsigned char *out, size_t size, size_t *lenp)
{
    size_t pad = 0;
    int len;

    if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > size)
        return false;
    while (pad < 2 && text.data[text.len - 1 - pad] == '=')
        pad++;
    len = EVP_DecodeBlock(out, (const unsigned char *)text.data, (int)text.len);
    if (len < 0 || (size_t)len < pad)
        return false;
    *lenp = (size_t)len - pad;
    return true;
}

static bool
verify(EVP_PKEY *key, bool rsa, const unsigned char *sig, size_t sig_len, const struct sim_text *text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    bool good;

    good = context != NULL && key != NULL &&
           EVP_DigestVerifyInit(context, &options, rsa ? EVP_sha256() : NULL, NULL, key) == 1;
    if (good && rsa)
        good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(options, EVP_sha256()) == 1;
    good = good && EVP_DigestVerify(context, sig, sig_len, (const unsigned char *)text->data, text->len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

static enum sim_auth
bad(struct kdp_sim *sim, struct sim_auth_words *words, const char *code, const char *message)
{
    words->code = code;
    words->message = message;
    sim->auth_refused++;
    return SIM_AUTH_BAD;
}

enum sim_auth
sim_auth_check(struct kdp_sim *sim, const struct kdp_http_request *request, struct sim_auth_words *words)
{
    struct kdp_http_slice key = kdp_http_header(request, "KALSHI-ACCESS-KEY");
    struct kdp_http_slice stamp = kdp_http_header(request, "KALSHI-ACCESS-TIMESTAMP");
    struct kdp_http_slice sign = kdp_http_header(request, "KALSHI-ACCESS-SIGNATURE");
    struct sim_text text = {0};
    unsigned char sig[1024];
    size_t sig_len = 0, path_len;
    const char *query;
    int64_t ms = 0, off;
    bool good;

    if (key.data == NULL && stamp.data == NULL && sign.data == NULL)
        return SIM_AUTH_NONE;
    if (key.data == NULL || stamp.data == NULL || sign.data == NULL)
        return bad(sim, words, "missing_header", "all three KALSHI-ACCESS headers are needed");
    if (key.len != strlen(sim->key_id) || memcmp(key.data, sim->key_id, key.len) != 0)
        return bad(sim, words, "NOT_FOUND", "no such API key");
    if (stamp.len == 0 || stamp.len > 15)
        return bad(sim, words, "invalid_timestamp", "KALSHI-ACCESS-TIMESTAMP is in milliseconds");
    for (size_t i = 0; i < stamp.len; i++) {
        if (stamp.data[i] < '0' || stamp.data[i] > '9')
            return bad(sim, words, "invalid_timestamp", "KALSHI-ACCESS-TIMESTAMP is in milliseconds");
        ms = ms * 10 + (stamp.data[i] - '0');
    }
    off = ms - sim_exchange_now(sim) / KDP_NS_PER_MS;
    if (off > WINDOW_MS || off < -WINDOW_MS)
        return bad(sim, words, "header_timestamp_expired",
                   "the timestamp is too far from the exchange's clock");
    if (!decode(sign, sig, sizeof sig, &sig_len))
        return bad(sim, words, "INCORRECT_API_KEY_SIGNATURE", "the signature is not base64");
    query = memchr(request->target.data, '?', request->target.len);
    path_len = query != NULL ? (size_t)(query - request->target.data) : request->target.len;
    sim_put(&text, stamp.data, stamp.len);
    sim_put(&text, request->method.data, request->method.len);
    sim_put(&text, request->target.data, path_len);
    good = sig_len == 64 ? verify(sim->ed25519, false, sig, sig_len, &text)
                         : verify(sim->rsa, true, sig, sig_len, &text);
    sim_text_free(&text);
    return good ? SIM_AUTH_GOOD : bad(sim, words, "INCORRECT_API_KEY_SIGNATURE", "invalid signature");
}
