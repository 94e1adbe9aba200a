/* server_text.c - growing texts, and the numbers of the wire in them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "server_private.h"

void
sim_text_free(struct sim_text *text)
{
    free(text->data);
    *text = (struct sim_text){0};
}

void
sim_text_room(struct sim_text *text, size_t len)
{
    size_t size = text->size != 0 ? text->size : 1024;
    char *grown;

    if (text->size - text->len >= len)
        return;
    while (size - text->len < len)
        size *= 2;
    grown = realloc(text->data, size);
    KDP_ASSERT(grown != NULL); /* a tool for tests: without memory there is nothing it could serve */
    text->data = grown;
    text->size = size;
}

void
sim_put(struct sim_text *text, const char *bytes, size_t len)
{
    sim_text_room(text, len + 1);
    if (len > 0) /* an empty text has no bytes at all */
        memcpy(text->data + text->len, bytes, len);
    text->len += len;
}

void
sim_puts(struct sim_text *text, const char *word)
{
    sim_put(text, word, strlen(word));
}

void
sim_putf(struct sim_text *text, const char *fmt, ...)
{
    va_list args;
    int len;

    sim_text_room(text, 256);
    va_start(args, fmt);
    len = vsnprintf(text->data + text->len, text->size - text->len, fmt, args);
    va_end(args);
    KDP_ASSERT(len >= 0);
    if ((size_t)len >= text->size - text->len) {
        sim_text_room(text, (size_t)len + 1);
        va_start(args, fmt);
        vsnprintf(text->data + text->len, text->size - text->len, fmt, args);
        va_end(args);
    }
    text->len += (size_t)len;
}

void
sim_put_price(struct sim_text *text, int64_t price_e4)
{
    sim_text_room(text, KDPI_DECIMAL_TEXT);
    text->len += kdpi_decimal_format(text->data + text->len, price_e4, 4);
}

void
sim_put_size(struct sim_text *text, int64_t size_e2)
{
    sim_text_room(text, KDPI_DECIMAL_TEXT);
    text->len += kdpi_decimal_format(text->data + text->len, size_e2, 2);
}

void
sim_put_int(struct sim_text *text, int64_t value)
{
    sim_text_room(text, KDPI_DECIMAL_TEXT);
    text->len += kdpi_decimal_format(text->data + text->len, value, 0);
}

void
sim_put_json(struct sim_text *text, const char *word, size_t len)
{
    sim_text_room(text, 6 * len + 3);
    text->data[text->len++] = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)word[i];

        if (c == '"' || c == '\\') {
            text->data[text->len++] = '\\';
            text->data[text->len++] = (char)c;
        } else if (c < 0x20) {
            text->len += (size_t)snprintf(text->data + text->len, 7, "\\u%04x", c);
        } else {
            text->data[text->len++] = (char)c;
        }
    }
    text->data[text->len++] = '"';
}

void
sim_put_time(struct sim_text *text, int64_t ns, int digits)
{
    if (ns == KDP_TIME_NULL) {
        sim_lit(text, "null");
        return;
    }
    sim_text_room(text, KDPI_TIME_TEXT + 2);
    text->data[text->len++] = '"';
    text->len += kdpi_time_format(text->data + text->len, ns, digits);
    text->data[text->len++] = '"';
}

void
sim_put_uuid(struct sim_text *text, const uint8_t bytes[16])
{
    static const char hex[] = "0123456789abcdef";
    char buf[36], *at = buf;

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    sim_put(text, buf, sizeof buf);
}
