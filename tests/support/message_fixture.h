/* message_fixture.h - decoding a frame in a test: one decoder, one message, and the two things a test says of
 * them. */
#ifndef KDP_MESSAGE_FIXTURE_H
#define KDP_MESSAGE_FIXTURE_H

#include <stdbool.h>

#include "kdp_test.h"
#include "message.h"

#define TICKER "KXDEMO-26DEC01-T3"
#define NS(s) (INT64_C(s) * INT64_C(1000000000))

extern struct kdp_message msg; /* what the last frame said */

struct kdp_decoder *decoder(void);
/* decode_bytes decodes a copy that ends where the frame ends; the copy lives until the next frame. */
enum kdp_refusal decode_bytes(const char *frame, size_t len);
/* good: decodes without a refusal, as that kind. */
void good(const char *frame, enum kdp_message_kind kind);
/* bad: whole JSON, refused for that reason at the place where the text `there` stands first. */
void bad(const char *frame, enum kdp_refusal refusal, const char *member, const char *there);
bool is(struct kdp_text text, const char *want);

#endif
