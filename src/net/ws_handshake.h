/* ws_handshake.h - the HTTP/1.1 upgrade, both ends, over memory. */
#ifndef KDPI_WS_HANDSHAKE_H
#define KDPI_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "url.h"
#include "ws.h"

#define KDP_HTTP_HEAD_MAX 16384u

/* ---- client ---- */
struct kdp_ws_request {
    char key[25]; /* base64 of 16 random bytes */
    char text[4096];
    size_t len;
    bool deflate; /* permessage-deflate was offered */
};
/* kdp_ws_request_build writes the upgrade request; headers are further lines ("Name: value\r\n"...), "" for none.  deflate
 * offers permessage-deflate. */
int kdp_ws_request_build(struct kdp_ws_request *request, const struct kdp_url *url, const char *headers,
                         bool deflate);

struct kdp_ws_reply {
    int status;             /* HTTP status */
    size_t head_len;        /* bytes up to and with the empty line */
    int64_t date_ns;        /* of its Date, KDP_TIME_NULL */
    int64_t content_length; /* -1: not given */
    struct kdp_ws_deflate deflate;
    char reason[128];
};
/* kdp_ws_reply_read looks at the bytes received so far: 1 when the head is whole (status 101 was checked: accept key,
 * upgrade, extensions that were offered; replies 100 and 103 before it are passed over and part of head_len), 0 when more is needed, -KDP_EFORMAT when it is not an HTTP reply or a 101 that does
 * not answer this request.  Any other status is no error here. */
int kdp_ws_reply_read(const struct kdp_ws_request *request, const char *bytes, size_t len,
                      struct kdp_ws_reply *reply);

/* ---- server: one HTTP request head; the simulator's REST uses it too ---- */
struct kdp_http_slice {
    const char *data;
    size_t len;
};
struct kdp_http_request {
    struct kdp_http_slice method, target, version;
    size_t head_len;
    uint32_t header_count;
    struct {
        struct kdp_http_slice name, value;
    } headers[64];
    int64_t content_length; /* 0 when not given */
    bool keep_alive;
};
/* kdp_http_request_read: 1 when the head is whole, 0 when more is needed, -KDP_EFORMAT. */
int kdp_http_request_read(const char *bytes, size_t len, struct kdp_http_request *request);
/* kdp_http_header finds a header, any case; data NULL when it is not there. */
struct kdp_http_slice kdp_http_header(const struct kdp_http_request *request, const char *name);
/* kdp_ws_accept checks that a request is an upgrade and writes the 101 reply into buf; its length, or -KDP_EFORMAT with words
 * (answer 400).  The reply ends in an empty line: further headers go in front of its last two bytes.  deflate: whether this end agrees to permessage-deflate when it was offered; what was agreed is filled in. */
int kdp_ws_accept(const struct kdp_http_request *request, bool deflate, struct kdp_ws_deflate *agreed,
                  char *buf, size_t size);

#endif
