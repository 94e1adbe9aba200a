/* message_fixture.c - see message_fixture.h. */
#include "message_fixture.h"

#include <stdlib.h>

struct kdp_message msg;

struct kdp_decoder *
decoder(void)
{
    static struct kdp_decoder *d;

    if (d == NULL)
        d = kdpi_decoder_open();
    CHECK(d != NULL);
    return d;
}

enum kdp_refusal
decode_bytes(const char *frame, size_t len)
{
    static char *copy;

    free(copy);
    copy = malloc(len != 0 ? len : 1);
    CHECK(copy != NULL);
    memcpy(copy, frame, len);
    memset(&msg, 0xa5, sizeof msg);
    return kdpi_decode(decoder(), copy, len, &msg);
}

void
good(const char *frame, enum kdp_message_kind kind)
{
    if (decode_bytes(frame, strlen(frame)) != KDP_REFUSAL_NONE)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s: %s at %zu", frame, msg.member,
                      kdpi_refusal_text(msg.refusal), msg.position);
    CHECK(msg.trusted);
    CHECK_INT(msg.kind, kind);
    CHECK_STR(msg.member, "");
}

void
bad(const char *frame, enum kdp_refusal refusal, const char *member, const char *there)
{
    const char *at = strstr(frame, there);

    CHECK(at != NULL);
    decode_bytes(frame, strlen(frame));
    if (msg.refusal != refusal || strcmp(msg.member, member) != 0 || msg.position != (size_t)(at - frame))
        kdp_test_fail(__FILE__, __LINE__, "%s: got %s of \"%s\" at %zu, want %s of \"%s\" at %zu", frame,
                      kdpi_refusal_text(msg.refusal), msg.member, msg.position, kdpi_refusal_text(refusal),
                      member, (size_t)(at - frame));
    CHECK(msg.trusted);
}

bool
is(struct kdp_text text, const char *want)
{
    return text.len == strlen(want) && memcmp(text.data, want, text.len) == 0;
}
