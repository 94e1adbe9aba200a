/* http_fetch.h - one REST request from beginning to end, blocking. */
#ifndef KDP_HTTP_FETCH_H
#define KDP_HTTP_FETCH_H

#include "http.h"

/* http_fetch: 0 with the answer (kdp_http_answer_free), or an error with words; -KDP_ETIMEOUT 2 s after the request should have
 * ended by itself. */
int http_fetch(const struct kdp_http_config *config, const char *path, struct kdp_http_answer **answerp);

#endif
