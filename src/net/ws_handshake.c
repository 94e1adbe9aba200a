/* ws_handshake.c - the HTTP/1.1 upgrade of RFC 6455 section 4, both ends. */
#include "ws_handshake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "error.h"
#include "http_head.h"
#include "kdp/records.h"
#include "kdp/version.h"

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define DEFLATE "permessage-deflate"

int
kdp_ws_accept_key(const char *key, size_t len, char out[29])
{
    unsigned char text[128], digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;

    if (len + sizeof ACCEPT_GUID - 1 > sizeof text)
        return kdpi_fail(KDP_EFORMAT, "a WebSocket key of %zu bytes", len);
    memcpy(text, key, len);
    memcpy(text + len, ACCEPT_GUID, sizeof ACCEPT_GUID - 1);
    if (EVP_Digest(text, len + sizeof ACCEPT_GUID - 1, digest, &digest_len, EVP_sha1(), NULL) != 1 ||
        digest_len != 20)
        return kdpi_fail(KDP_EUNSUPPORTED, "no SHA-1 in this OpenSSL, which the WebSocket handshake needs");
    EVP_EncodeBlock((unsigned char *)out, digest, 20);
    return 0;
}

int
kdp_ws_request_build(struct kdp_ws_request *request, const struct kdp_url *url, const char *headers,
                     bool deflate)
{
    unsigned char nonce[16];
    char port[8] = "";
    bool six = strchr(url->host, ':') != NULL;
    int len;

    if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
        return kdpi_fail(KDP_EIO, "no random bytes for the WebSocket handshake");
    EVP_EncodeBlock((unsigned char *)request->key, nonce, sizeof nonce);
    if (url->port != (url->tls ? 443 : 80))
        snprintf(port, sizeof port, ":%u", url->port);
    len =
        snprintf(request->text, sizeof request->text,
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s%s%s%s\r\n"
                 "User-Agent: kdp/" KDP_VERSION "\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "%s%s\r\n",
                 url->path, six ? "[" : "", url->host, six ? "]" : "", port, request->key,
                 deflate ? "Sec-WebSocket-Extensions: " DEFLATE "; client_max_window_bits\r\n" : "", headers);
    if (len < 0 || (size_t)len >= sizeof request->text)
        return kdpi_fail(KDP_ERANGE, "WebSocket request too long: %d bytes, %zu are possible", len,
                         sizeof request->text - 1);
    request->len = (size_t)len;
    request->deflate = deflate;
    return 0;
}

/* ---- the client reads the reply ---- */

struct reply_facts {
    bool upgrade, connection, accept;
    unsigned deflates;
};

static int
not_http(const char *bytes, size_t len)
{
    char shown[128];

    return kdpi_fail(KDP_EFORMAT, "not an HTTP reply: it begins with \"%s\"",
                     kdpi_escape(shown, sizeof shown, bytes, len < 24 ? len : 24));
}

static int
bad_reply(const char *why, struct kdp_http_slice what)
{
    char shown[256];

    return kdpi_fail(KDP_EFORMAT, "the server's upgrade does not answer the request: %s%s%s%s", why,
                     what.len > 0 ? ": \"" : "", kdpi_escape(shown, sizeof shown, what.data, what.len),
                     what.len > 0 ? "\"" : "");
}

static int
read_status(struct kdp_http_slice line, struct kdp_ws_reply *reply)
{
    const char *p = line.data;

    if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' ||
        (line.len > 12 && p[12] != ' '))
        return not_http(line.data, line.len);
    for (int i = 9; i < 12; i++)
        if (p[i] < '0' || p[i] > '9')
            return not_http(line.data, line.len);
    reply->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    if (reply->status == 101 && p[7] != '1')
        return bad_reply("HTTP version", (struct kdp_http_slice){p, 8});
    kdpi_escape(reply->reason, sizeof reply->reason, line.len > 13 ? p + 13 : "",
                line.len > 13 ? line.len - 13 : 0);
    return 0;
}

static int
read_agreed(const struct kdp_ws_request *request, struct kdp_http_slice value, struct kdp_ws_reply *reply,
            struct reply_facts *facts)
{
    const char *at = value.data, *end = at + value.len;
    struct kdp_http_slice name, parameters;
    bool client_bits;
    int rc;

    while ((rc = kdp_ws_extension(&at, end, &name, &parameters)) > 0) {
        if (!request->deflate || !kdp_http_is(name, DEFLATE))
            return bad_reply("an extension that was not offered", name);
        if (facts->deflates++ > 0)
            return bad_reply("an extension agreed to twice", name);
        if (kdp_ws_deflate_read(parameters, false, &reply->deflate, &client_bits) != 0)
            return bad_reply("parameters of " DEFLATE, parameters);
    }
    return rc < 0 ? bad_reply("Sec-WebSocket-Extensions", value) : 0;
}

static int
read_reply_field(const struct kdp_ws_request *request, struct kdp_http_slice name,
                 struct kdp_http_slice value, struct kdp_ws_reply *reply, struct reply_facts *facts)
{
    char want[29];
    int rc;

    if (kdp_http_is(name, "Content-Length")) {
        int64_t length = kdp_http_length(value);

        if (length < 0 || (reply->content_length >= 0 && reply->content_length != length))
            return kdpi_fail(KDP_EFORMAT, "not an HTTP reply: its Content-Length is wrong");
        reply->content_length = length;
    } else if (kdp_http_is(name, "Date")) {
        reply->date_ns = kdp_http_date(value);
    } else if (reply->status == 101) {
        if (kdp_http_is(name, "Upgrade")) {
            facts->upgrade = facts->upgrade || kdp_http_lists(value, "websocket");
        } else if (kdp_http_is(name, "Connection")) {
            facts->connection = facts->connection || kdp_http_lists(value, "upgrade");
        } else if (kdp_http_is(name, "Sec-WebSocket-Accept")) {
            if ((rc = kdp_ws_accept_key(request->key, strlen(request->key), want)) != 0)
                return rc;
            if (value.len != 28 || memcmp(value.data, want, 28) != 0)
                return bad_reply("Sec-WebSocket-Accept", value);
            facts->accept = true;
        } else if (kdp_http_is(name, "Sec-WebSocket-Extensions")) {
            return read_agreed(request, value, reply, facts);
        } else if (kdp_http_is(name, "Sec-WebSocket-Protocol") &&
                   strcasestr(request->text, "\nSec-WebSocket-Protocol:") == NULL) {
            return bad_reply("a subprotocol that was not offered", value);
        }
    }
    return 0;
}

/* One head; 103 and its like come before the reply that counts. */
static int
read_one_reply(const struct kdp_ws_request *request, const char *bytes, size_t len,
               struct kdp_ws_reply *reply)
{
    struct kdp_http_slice line, name, value;
    struct reply_facts facts = {0};
    const char *at = bytes, *end;
    int rc, head = kdp_http_head_end(bytes, len);

    if (memcmp(bytes, "HTTP/1.", len < 7 ? len : 7) != 0)
        return not_http(bytes, len);
    if (head < 0)
        return kdpi_fail(KDP_EFORMAT, "not an HTTP reply: its head is longer than %u bytes",
                         KDP_HTTP_HEAD_MAX);
    if (head == 0)
        return 0;
    *reply = (struct kdp_ws_reply){.date_ns = KDP_TIME_NULL, .content_length = -1};
    end = bytes + head - 2; /* without the empty line */
    if (!kdp_http_line(&at, end, &line))
        return not_http(bytes, len);
    if ((rc = read_status(line, reply)) != 0)
        return rc;
    while (at < end) {
        if (!kdp_http_line(&at, end, &line) || !kdp_http_field(line, &name, &value))
            return kdpi_fail(KDP_EFORMAT, "not an HTTP reply: a header line is malformed");
        if ((rc = read_reply_field(request, name, value, reply, &facts)) != 0)
            return rc;
    }
    if (reply->status == 101 && !facts.upgrade)
        return bad_reply("no \"Upgrade: websocket\"", (struct kdp_http_slice){"", 0});
    if (reply->status == 101 && !facts.connection)
        return bad_reply("no \"Connection: Upgrade\"", (struct kdp_http_slice){"", 0});
    if (reply->status == 101 && !facts.accept)
        return bad_reply("no Sec-WebSocket-Accept", (struct kdp_http_slice){"", 0});
    reply->head_len = (size_t)head;
    return 1;
}

int
kdp_ws_reply_read(const struct kdp_ws_request *request, const char *bytes, size_t len,
                  struct kdp_ws_reply *reply)
{
    size_t before = 0;
    int rc;

    for (;;) {
        if (len == before)
            return 0;
        if ((rc = read_one_reply(request, bytes + before, len - before, reply)) <= 0)
            return rc;
        before += reply->head_len;
        if (before > KDP_HTTP_HEAD_MAX)
            return kdpi_fail(KDP_EFORMAT, "not an HTTP reply: its head is longer than %u bytes",
                             KDP_HTTP_HEAD_MAX);
        if (reply->status == 101 || reply->status >= 200 || reply->status < 100)
            break;
    }
    reply->head_len = before;
    return 1;
}

/* ---- the server reads the request ---- */

static int
bad_request(const char *why)
{
    return kdpi_fail(KDP_EFORMAT, "not an HTTP request: %s", why);
}

static int
read_request_line(struct kdp_http_slice line, struct kdp_http_request *request)
{
    const char *end = line.data + line.len, *first = memchr(line.data, ' ', line.len), *second;

    if (first == NULL || (second = memchr(first + 1, ' ', (size_t)(end - first - 1))) == NULL)
        return bad_request("the first line is not METHOD TARGET VERSION");
    request->method = (struct kdp_http_slice){line.data, (size_t)(first - line.data)};
    request->target = (struct kdp_http_slice){first + 1, (size_t)(second - first - 1)};
    request->version = (struct kdp_http_slice){second + 1, (size_t)(end - second - 1)};
    if (!kdp_http_is_token(request->method))
        return bad_request("the method is not a word");
    if (request->target.len == 0 || request->target.data[0] != '/')
        return bad_request("the target does not begin with /");
    for (size_t i = 0; i < request->target.len; i++)
        if ((unsigned char)request->target.data[i] <= ' ' || (unsigned char)request->target.data[i] >= 0x7f)
            return bad_request("a character in the target that belongs escaped");
    if (request->version.len != 8 || memcmp(request->version.data, "HTTP/1.", 7) != 0 ||
        (request->version.data[7] != '0' && request->version.data[7] != '1'))
        return bad_request("the version is not HTTP/1.0 or HTTP/1.1");
    return 0;
}

int
kdp_http_request_read(const char *bytes, size_t len, struct kdp_http_request *request)
{
    struct kdp_http_slice line, name, value;
    const char *at = bytes, *end;
    bool length_said = false;
    int rc, head = kdp_http_head_end(bytes, len);

    if (head < 0)
        return bad_request("its head is longer than 16384 bytes");
    /* what is no HTTP at all (TLS on a plain port) is told with its first byte */
    if (len > 0 && !kdp_http_is_token((struct kdp_http_slice){bytes, 1}))
        return bad_request("the method is not a word");
    if (head == 0)
        return 0;
    memset(request, 0, offsetof(struct kdp_http_request, headers));
    request->content_length = 0;
    end = bytes + head - 2;
    if (!kdp_http_line(&at, end, &line))
        return bad_request("the first line is malformed");
    if ((rc = read_request_line(line, request)) != 0)
        return rc;
    request->keep_alive = request->version.data[7] == '1';
    while (at < end) {
        if (!kdp_http_line(&at, end, &line) || !kdp_http_field(line, &name, &value))
            return bad_request("a header line is malformed");
        if (request->header_count == sizeof request->headers / sizeof *request->headers)
            return bad_request("more than 64 headers");
        request->headers[request->header_count].name = name;
        request->headers[request->header_count++].value = value;
        if (kdp_http_is(name, "Content-Length")) {
            int64_t length = kdp_http_length(value);

            if (length < 0 || (length_said && length != request->content_length))
                return bad_request("its Content-Length is wrong");
            request->content_length = length;
            length_said = true;
        } else if (kdp_http_is(name, "Transfer-Encoding")) {
            return bad_request("a body in pieces (Transfer-Encoding) is not taken");
        } else if (kdp_http_is(name, "Connection")) {
            if (kdp_http_lists(value, "close"))
                request->keep_alive = false;
            else if (kdp_http_lists(value, "keep-alive"))
                request->keep_alive = true;
        }
    }
    request->head_len = (size_t)head;
    return 1;
}

struct kdp_http_slice
kdp_http_header(const struct kdp_http_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->header_count; i++)
        if (kdp_http_is(request->headers[i].name, name))
            return request->headers[i].value;
    return (struct kdp_http_slice){NULL, 0};
}

/* The first offer of permessage-deflate that can be kept; what cannot is passed over. */
static void
choose_deflate(const struct kdp_http_request *request, struct kdp_ws_deflate *agreed)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        struct kdp_http_slice value = request->headers[i].value, name, parameters;
        const char *at = value.data, *end = at + value.len;
        bool client_bits;

        if (!kdp_http_is(request->headers[i].name, "Sec-WebSocket-Extensions"))
            continue;
        while (kdp_ws_extension(&at, end, &name, &parameters) > 0)
            if (kdp_http_is(name, DEFLATE) &&
                kdp_ws_deflate_read(parameters, true, agreed, &client_bits) == 0)
                return;
    }
    *agreed = (struct kdp_ws_deflate){.on = false};
}

static bool
key_is_right(struct kdp_http_slice key)
{
    unsigned char raw[18];
    char text[25];

    if (key.len != 24 || memcmp(key.data + 22, "==", 2) != 0 || memchr(key.data, '=', 22) != NULL)
        return false;
    memcpy(text, key.data, 24);
    text[24] = '\0';
    return EVP_DecodeBlock(raw, (const unsigned char *)text, 24) == 18;
}

int
kdp_ws_accept(const struct kdp_http_request *request, bool deflate, struct kdp_ws_deflate *agreed, char *buf,
              size_t size)
{
    struct kdp_http_slice key = kdp_http_header(request, "Sec-WebSocket-Key");
    char accept[29], extension[192] = "";
    int rc, len;

    *agreed = (struct kdp_ws_deflate){.on = false};
    if (!kdp_http_is(request->method, "GET") || request->version.data[7] != '1')
        return kdpi_fail(KDP_EFORMAT, "not a WebSocket request: it is not GET over HTTP/1.1");
    if (kdp_http_header(request, "Host").data == NULL)
        return kdpi_fail(KDP_EFORMAT, "not a WebSocket request: no Host");
    if (!kdp_http_lists(kdp_http_header(request, "Upgrade"), "websocket"))
        return kdpi_fail(KDP_EFORMAT, "not a WebSocket request: no \"Upgrade: websocket\"");
    if (!kdp_http_lists(kdp_http_header(request, "Connection"), "upgrade"))
        return kdpi_fail(KDP_EFORMAT, "not a WebSocket request: no \"Connection: Upgrade\"");
    if (!kdp_http_is(kdp_http_header(request, "Sec-WebSocket-Version"), "13"))
        return kdpi_fail(KDP_EFORMAT, "not a WebSocket request: Sec-WebSocket-Version is not 13");
    if (!key_is_right(key))
        return kdpi_fail(KDP_EFORMAT, "not a WebSocket request: Sec-WebSocket-Key is not 16 bytes in base64");
    if ((rc = kdp_ws_accept_key(key.data, key.len, accept)) != 0)
        return rc;
    if (deflate)
        choose_deflate(request, agreed);
    if (agreed->on) {
        len = snprintf(extension, sizeof extension, "Sec-WebSocket-Extensions: " DEFLATE "%s%s",
                       agreed->server_no_context_takeover ? "; server_no_context_takeover" : "",
                       agreed->client_no_context_takeover ? "; client_no_context_takeover" : "");
        if (agreed->server_max_window_bits != 0)
            len += snprintf(extension + len, sizeof extension - (size_t)len, "; server_max_window_bits=%u",
                            agreed->server_max_window_bits);
        if (agreed->client_max_window_bits != 0)
            len += snprintf(extension + len, sizeof extension - (size_t)len, "; client_max_window_bits=%u",
                            agreed->client_max_window_bits);
        snprintf(extension + len, sizeof extension - (size_t)len, "\r\n");
    }
    len = snprintf(buf, size,
                   "HTTP/1.1 101 Switching Protocols\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: %s\r\n"
                   "%s\r\n",
                   accept, extension);
    if (len < 0 || (size_t)len >= size)
        return kdpi_fail(KDP_ERANGE, "no room for the upgrade reply");
    return len;
}
