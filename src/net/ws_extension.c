/* ws_extension.c - Sec-WebSocket-Extensions (RFC 6455 9.1) and the parameters of permessage-deflate (RFC 7692 7.1). */
#include <string.h>

#include "error.h"
#include "http_head.h"

static const char *
skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

/* One item up to a separator that is not in quotes. */
static const char *
item_end(const char *p, const char *end, const char *separators)
{
    bool quoted = false;

    for (; p < end; p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\')
            return NULL; /* no parameter that is known needs one */
        else if (!quoted && strchr(separators, *p) != NULL)
            break;
    }
    return quoted ? NULL : p;
}

static struct kdp_http_slice
trimmed(const char *from, const char *to)
{
    from = skip_blanks(from, to);
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct kdp_http_slice){from, (size_t)(to - from)};
}

int
kdp_ws_extension(const char **atp, const char *end, struct kdp_http_slice *name,
                 struct kdp_http_slice *parameters)
{
    const char *p = *atp, *stop, *semicolon;

    for (;;) { /* empty members of a list are allowed */
        p = skip_blanks(p, end);
        if (p == end)
            return 0;
        if (*p != ',')
            break;
        p++;
    }
    if ((stop = item_end(p, end, ",")) == NULL || (semicolon = item_end(p, stop, ";")) == NULL)
        return -KDP_EFORMAT;
    *name = trimmed(p, semicolon);
    *parameters = (struct kdp_http_slice){semicolon, (size_t)(stop - semicolon)};
    *atp = stop;
    return kdp_http_is_token(*name) ? 1 : -KDP_EFORMAT;
}

/* 8 to 15, without a leading zero; 0 when it is not. */
static uint8_t
window_bits(struct kdp_http_slice value)
{
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"') {
        value.data++;
        value.len -= 2;
    }
    if (value.len == 1 && (value.data[0] == '8' || value.data[0] == '9'))
        return (uint8_t)(value.data[0] - '0');
    if (value.len == 2 && value.data[0] == '1' && value.data[1] >= '0' && value.data[1] <= '5')
        return (uint8_t)(10 + value.data[1] - '0');
    return 0;
}

int
kdp_ws_deflate_read(struct kdp_http_slice parameters, bool offer, struct kdp_ws_deflate *deflate,
                    bool *client_bits_saidp)
{
    const char *p = parameters.data, *end = p + parameters.len, *stop;
    bool server_bits_said = false;

    *deflate = (struct kdp_ws_deflate){.on = true};
    *client_bits_saidp = false;
    while (p < end) {
        struct kdp_http_slice name, value = {NULL, 0};
        const char *equals;
        uint8_t bits;

        p++; /* the semicolon */
        if ((stop = item_end(p, end, ";")) == NULL)
            return -KDP_EFORMAT;
        if ((equals = memchr(p, '=', (size_t)(stop - p))) != NULL)
            value = trimmed(equals + 1, stop);
        name = trimmed(p, equals != NULL ? equals : stop);
        bits = window_bits(value);
        p = stop;
        if (kdp_http_is(name, "server_no_context_takeover") && equals == NULL &&
            !deflate->server_no_context_takeover) {
            deflate->server_no_context_takeover = true;
        } else if (kdp_http_is(name, "client_no_context_takeover") && equals == NULL &&
                   !deflate->client_no_context_takeover) {
            deflate->client_no_context_takeover = true;
        } else if (kdp_http_is(name, "server_max_window_bits") && bits != 0 && !server_bits_said) {
            server_bits_said = true;
            deflate->server_max_window_bits = bits;
        } else if (kdp_http_is(name, "client_max_window_bits") && (bits != 0 || (offer && equals == NULL)) &&
                   !*client_bits_saidp) {
            *client_bits_saidp = true;
            deflate->client_max_window_bits = bits;
        } else {
            return -KDP_EFORMAT;
        }
    }
    return 0;
}
