/* fuzz_http_request.c - request heads as a server reads them: slices within the bytes, the same verdict at any cut, and an
 * accepted upgrade that our own client takes. */
#include "error.h"
#include "ws_handshake.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(struct kdp_http_slice slice, const char *text, size_t len)
{
    KDP_ASSERT(slice.data >= text && slice.data + slice.len <= text + len);
}

static void
upgrade(const struct kdp_http_request *request)
{
    static char answer[4096];
    struct kdp_ws_request asked = {.deflate = true};
    struct kdp_ws_deflate agreed;
    struct kdp_ws_reply reply;
    struct kdp_http_slice key = kdp_http_header(request, "sec-websocket-key");
    int len = kdp_ws_accept(request, true, &agreed, answer, sizeof answer);

    if (len < 0) {
        KDP_ASSERT(len == -KDP_EFORMAT && kdp_error_text()[0] != '\0');
        return;
    }
    KDP_ASSERT(key.len == 24);
    memcpy(asked.key, key.data, 24);
    KDP_ASSERT(kdp_ws_reply_read(&asked, answer, (size_t)len, &reply) == 1);
    KDP_ASSERT(reply.status == 101 && reply.head_len == (size_t)len);
    KDP_ASSERT(memcmp(&reply.deflate, &agreed, sizeof agreed) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdp_http_request request, other;
    const char *text = (const char *)data;
    int whole, cut = 0;

    if (size > 20000)
        return 0;
    whole = kdp_http_request_read(text, size, &request);
    if (whole == 1) {
        KDP_ASSERT(request.head_len >= 4 && request.head_len <= size && request.header_count <= 64);
        KDP_ASSERT(request.content_length >= 0);
        inside(request.method, text, request.head_len);
        inside(request.target, text, request.head_len);
        inside(request.version, text, request.head_len);
        for (uint32_t i = 0; i < request.header_count; i++) {
            inside(request.headers[i].name, text, request.head_len);
            inside(request.headers[i].value, text, request.head_len);
        }
        upgrade(&request);
    } else if (whole < 0) {
        KDP_ASSERT(whole == -KDP_EFORMAT && kdp_error_text()[0] != '\0');
    }
    for (size_t at = 0; at <= size && cut == 0; at += 1 + size / 64) {
        char *exact = malloc(at + 1);

        KDP_ASSERT(exact != NULL);
        if (at > 0)
            memcpy(exact, text, at);
        cut = kdp_http_request_read(exact, at, &other);
        free(exact);
    }
    if (cut != 0)
        KDP_ASSERT(cut == whole);
    return 0;
}
