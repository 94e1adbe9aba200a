/* url.c - see url.h. */
#include "url.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

static const struct {
    const char *prefix;
    bool tls, websocket;
} schemes[] = {
    {"https://", true, false}, {"http://", false, false}, {"wss://", true, true}, {"ws://", false, true}};

static int
wrong(const char *text, const char *why)
{
    return kdpi_fail(KDP_EUSAGE, "not a URL: %s: %s", text, why);
}

static int
parse_port(const char *text, const char *from, size_t len, uint16_t *portp)
{
    unsigned long port = 0;

    if (len == 0 || len > 5)
        return wrong(text, "the port is a number from 1 to 65535");
    for (size_t i = 0; i < len; i++) {
        if (from[i] < '0' || from[i] > '9')
            return wrong(text, "the port is a number from 1 to 65535");
        port = port * 10 + (unsigned long)(from[i] - '0');
    }
    if (port < 1 || port > 65535)
        return wrong(text, "the port is a number from 1 to 65535");
    *portp = (uint16_t)port;
    return 0;
}

int
kdpi_url_parse(struct kdp_url *url, const char *text)
{
    const char *at = NULL, *host, *path;
    size_t authority, host_len, path_len;

    memset(url, 0, sizeof *url);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes && at == NULL; i++) {
        if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
            at = text + strlen(schemes[i].prefix);
            url->tls = schemes[i].tls;
            url->websocket = schemes[i].websocket;
        }
    }
    if (at == NULL)
        return wrong(text, "it begins with https://, http://, wss:// or ws://");
    for (const char *p = at; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p == 0x7f || *p == '#' || *p == '"' || *p == '\\')
            return wrong(text, "blanks, control characters, quotes and # have no place in it");
    authority = strcspn(at, "/?");
    path = at + authority;
    if (memchr(at, '@', authority) != NULL)
        return wrong(text, "a user name has no place in it");
    host = at;
    if (*host == '[') { /* an IPv6 address */
        const char *end = memchr(host, ']', authority);

        if (end == NULL)
            return wrong(text, "no ] behind the address");
        host++;
        host_len = (size_t)(end - host);
        at = end + 1;
    } else {
        host_len = strcspn(host, ":/?");
        at = host + host_len;
    }
    if (host_len == 0 || host_len >= sizeof url->host)
        return wrong(text, "no host name in it");
    memcpy(url->host, host, host_len);
    url->port = url->tls ? 443 : 80;
    if (at < path) {
        int rc = *at == ':' ? parse_port(text, at + 1, (size_t)(path - at - 1), &url->port)
                            : wrong(text, "only a port follows the address");

        if (rc != 0)
            return rc;
    }
    path_len = strlen(path);
    if (path_len + 2 > sizeof url->path)
        return wrong(text, "too long");
    if (*path != '/')
        url->path[0] = '/';
    memcpy(url->path + (*path != '/'), path, path_len);
    path_len += *path != '/';
    while (path_len > 1 && url->path[path_len - 1] == '/')
        url->path[--path_len] = '\0';
    return 0;
}
