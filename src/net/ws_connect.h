/* ws_connect.h - from a URL to an open WebSocket, blocking, for a thread that may wait: name, TCP, TLS, upgrade. */
#ifndef KDPI_WS_CONNECT_H
#define KDPI_WS_CONNECT_H

#include "sign.h"
#include "tls.h"
#include "url.h"
#include "ws.h"

struct kdp_ws_connect {
    struct kdp_url url;
    struct kdp_tls_context *context;
    struct kdp_signer *signer; /* NULL: unsigned; learns the exchange's clock from the reply */
    const char *token;         /* NULL, or a bearer token to send as well */
    bool deflate;
    size_t message_max;
    uint32_t busy_poll_us;
    int64_t timeout_ns; /* of the whole */
    const volatile int *stop;
};
struct kdp_ws_connected {
    struct kdp_tls *tls; /* the caller's from here on; NULL after an error */
    struct kdp_ws *ws;   /* frames that came with the reply are in it already */
    int status;          /* HTTP status of a refusal, 0 when it did not come that far */
    char body[2048];     /* of a refusal, NUL-terminated */
    int64_t date_ns;
};
/* kdp_ws_connect: 0; -KDP_EREFUSED with status and body when the server answered with another status than 101; else what
 * kdp_tls_connect returns, or -KDP_EFORMAT.  A redirect is a refusal. */
int kdp_ws_connect(const struct kdp_ws_connect *how, struct kdp_ws_connected *out);

#endif
