/* http_fetch.c - one REST request from beginning to end, blocking; see http_fetch.h. */
#include "http_fetch.h"

#include <poll.h>

#include "clock.h"
#include "error.h"

#define TIMEOUT_NS (15 * KDP_NS_PER_S) /* of a request whose config names none */
#define SLACK_NS (2 * KDP_NS_PER_S)

int
http_fetch(const struct kdp_http_config *config, const char *path, struct kdp_http_answer **answerp)
{
    int64_t deadline_ns =
        kdpi_mono_ns() + (config->timeout_ns > 0 ? config->timeout_ns : TIMEOUT_NS) + SLACK_NS;
    struct kdp_http *http;
    int rc;

    *answerp = NULL;
    rc = kdp_http_open(&http, config);
    if (rc != 0)
        return rc;
    rc = kdp_http_get(http, 1, path);
    while (rc == 0 && (*answerp = kdp_http_take(http)) == NULL) {
        struct pollfd p = {.fd = kdp_http_fd(http), .events = POLLIN};
        int64_t left_ns = deadline_ns - kdpi_mono_ns();

        if (left_ns <= 0)
            rc = kdpi_fail(KDP_ETIMEOUT, "no answer in time: %s", path);
        else
            poll(&p, 1, (int)(left_ns / KDP_NS_PER_MS) + 1);
    }
    kdp_http_close(http);
    return rc;
}
