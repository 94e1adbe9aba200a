/* url.h - the URLs of settings taken apart: http, https, ws, wss; no user, no fragment. */
#ifndef KDPI_URL_H
#define KDPI_URL_H

#include <stdbool.h>
#include <stdint.h>

struct kdp_url {
    bool tls;        /* https, wss */
    bool websocket;  /* ws, wss */
    uint16_t port;   /* given, else 443 or 80 */
    char host[254];  /* a name or an address; IPv6 without its brackets */
    char path[1024]; /* begins with '/', no trailing '/' unless it is all; query included */
};

/* kdpi_url_parse reads text; 0, or -KDP_EUSAGE with words that say what is wrong with it. */
int kdpi_url_parse(struct kdp_url *url, const char *text);

#endif
