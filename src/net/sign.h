/* sign.h - signed requests (docs/exchange.md 1.1): RSA-PSS or Ed25519 by what the key is, and the exchange's clock.
 *
 * One signer serves all threads: the key is only read, the offset is atomic. */
#ifndef KDPI_SIGN_H
#define KDPI_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KDP_SIGN_HEADERS_MAX 1024 /* bytes of the three header lines */

struct kdp_signer;

/* kdp_signer_open reads a private key in PEM form (PKCS#1 or PKCS#8; RSA of 2048 bits or more, or Ed25519).  Errors name the
 * file, what it holds instead ("EC P-256 private key", "a public key", "encrypted") and the next step. */
int kdp_signer_open(struct kdp_signer **signerp, const char *key_id, const char *pem_path);
/* kdp_signer_open_clock makes one without a key: it writes no header line and keeps the exchange's clock. */
int kdp_signer_open_clock(struct kdp_signer **signerp);
void kdp_signer_close(struct kdp_signer *signer);
/* kdp_signer_words gives "RSA 2048" or "Ed25519". */
const char *kdp_signer_words(const struct kdp_signer *signer);
/* kdp_signer_is_key says whether text that should be the name of a file is a key itself, put there by mistake: it must not be
 * printed. */
bool kdp_signer_is_key(const char *text);
/* kdp_signer_hide writes stars over the key's ID wherever it stands in text: what others say may repeat it.  NULL: nothing. */
void kdp_signer_hide(const struct kdp_signer *signer, char *text, size_t len);
/* kdp_signer_headers writes the three header lines for one request, "Name: value\r\n" each; path may carry a query, which is
 * not signed.  wall_ns is the local clock; the learnt offset is added.  Returns the length, or a negative error. */
int kdp_signer_headers(const struct kdp_signer *signer, int64_t wall_ns, const char *method, const char *path,
                       char *buf, size_t size);

/* The exchange's clock against ours, learnt from HTTP Date headers (whole seconds; what the answer took is taken into
 * account).  Kept here because a signature needs it: offset = theirs - ours in ns, 0 while |offset| is within what a Date can
 * tell (1.5 s).  Any thread. */
void kdp_signer_learn(struct kdp_signer *signer, int64_t date_ns, int64_t sent_wall_ns, int64_t got_wall_ns);
int64_t kdp_signer_offset_ns(const struct kdp_signer *signer);

#endif
