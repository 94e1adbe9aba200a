/* http_head.h - the lines of an HTTP/1 head, read strictly, for both ends. */
#ifndef KDPI_HTTP_HEAD_H
#define KDPI_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws_handshake.h"

/* kdp_http_head_end gives the length of a head with its empty line, 0 when it is not all there, -KDP_EFORMAT when it is longer
 * than KDP_HTTP_HEAD_MAX. */
int kdp_http_head_end(const char *bytes, size_t len);
/* kdp_http_line takes the next line, without its CR LF, from *atp on.  false: a control character in it, or a bare CR or LF. */
bool kdp_http_line(const char **atp, const char *end, struct kdp_http_slice *line);
/* kdp_http_field takes a line apart: a name that is a token, and the value without blanks around it. */
bool kdp_http_field(struct kdp_http_slice line, struct kdp_http_slice *name, struct kdp_http_slice *value);

bool kdp_http_is(struct kdp_http_slice slice, const char *word); /* equal, any case */
bool kdp_http_is_token(struct kdp_http_slice slice);
/* kdp_http_lists says whether word is in a list with commas, any case. */
bool kdp_http_lists(struct kdp_http_slice value, const char *word);
/* kdp_http_length reads a Content-Length: digits alone, at most 2^53; -1 when it is none. */
int64_t kdp_http_length(struct kdp_http_slice value);
/* kdp_http_date reads a Date ("Sun, 06 Nov 1994 08:49:37 GMT"); KDP_TIME_NULL when it is none. */
int64_t kdp_http_date(struct kdp_http_slice value);

/* ---- Sec-WebSocket-Extensions ---- */
/* kdp_ws_extension takes the next extension of a header value from *atp on: its name and its parameters as one slice.  1, 0 at
 * the end, -KDP_EFORMAT. */
int kdp_ws_extension(const char **atp, const char *end, struct kdp_http_slice *name,
                     struct kdp_http_slice *parameters);
/* kdp_ws_deflate_read reads the parameters of permessage-deflate: 0, or -KDP_EFORMAT (unknown, twice, out of range).  Of an
 * offer, client_max_window_bits may have no value; *client_bits_saidp: it was there at all. */
int kdp_ws_deflate_read(struct kdp_http_slice parameters, bool offer, struct kdp_ws_deflate *deflate,
                        bool *client_bits_saidp);
/* kdp_ws_accept_key gives the 28 characters that answer a key. */
int kdp_ws_accept_key(const char *key, size_t len, char out[29]);

#endif
