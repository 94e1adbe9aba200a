/* fuzz_ws_reply.c - replies to an upgrade: the same verdict at any cut, and facts that lie in the bytes.
 *
 * First byte: bit 0 permessage-deflate was offered.  "ACCEPT" in the text is replaced by the right answer to the key, which a
 * fuzzer cannot know. */
#include "error.h"
#include "http_head.h"
#include "ws_handshake.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kdp_ws_request request = {.key = "dGhlIHNhbXBsZSBub25jZQ=="};
    struct kdp_ws_reply reply, other;
    char *text, accept[29];
    size_t len = 0;
    int whole, cut = 0;

    if (size < 1 || size > 20000)
        return 0;
    request.deflate = (data[0] & 1) != 0;
    KDP_ASSERT(kdp_ws_accept_key(request.key, 24, accept) == 0);
    KDP_ASSERT((text = malloc(size * 5)) != NULL);
    for (size_t i = 1; i < size;) {
        if (size - i >= 6 && memcmp(data + i, "ACCEPT", 6) == 0) {
            memcpy(text + len, accept, 28);
            len += 28;
            i += 6;
        } else {
            text[len++] = (char)data[i++];
        }
    }
    whole = kdp_ws_reply_read(&request, text, len, &reply);
    if (whole == 1) {
        KDP_ASSERT(reply.head_len >= 4 && reply.head_len <= len);
        KDP_ASSERT(memcmp(text + reply.head_len - 4, "\r\n\r\n", 4) == 0);
        KDP_ASSERT(reply.status >= 0 && reply.status <= 999 && reply.content_length >= -1);
        KDP_ASSERT(memchr(reply.reason, '\0', sizeof reply.reason) != NULL);
        KDP_ASSERT(!reply.deflate.on || (request.deflate && reply.status == 101));
        KDP_ASSERT(reply.deflate.server_max_window_bits == 0 ||
                   (reply.deflate.server_max_window_bits >= 8 && reply.deflate.server_max_window_bits <= 15));
        KDP_ASSERT(reply.deflate.client_max_window_bits == 0 ||
                   (reply.deflate.client_max_window_bits >= 8 && reply.deflate.client_max_window_bits <= 15));
    } else if (whole < 0) {
        KDP_ASSERT(whole == -KDP_EFORMAT && kdp_error_text()[0] != '\0');
    }
    /* growing, as it is received: the first verdict is the last one's */
    for (size_t at = 0; at <= len && cut == 0; at += 1 + len / 64) {
        char *exact = malloc(at + 1); /* so that a byte read too far is seen */

        KDP_ASSERT(exact != NULL);
        memcpy(exact, text, at);
        cut = kdp_ws_reply_read(&request, exact, at, &other);
        free(exact);
    }
    if (cut != 0)
        KDP_ASSERT(cut == whole);
    if (cut == 1)
        KDP_ASSERT(other.head_len == reply.head_len && other.status == reply.status &&
                   memcmp(&other.deflate, &reply.deflate, sizeof other.deflate) == 0);
    free(text);
    return 0;
}
