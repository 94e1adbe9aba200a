/* http2_ask.c - asks a foreign HTTP/2 server for pages, some of which go wrong at first: http2_ask URL CA_FILE.
 *
 * Prints one line: how many pages were whole, and how many requests were repeated; exit code 1 when one was not answered. */
#include "asker.h"

#include "kdp/error.h"

#include <stdio.h>
#include <string.h>

#define PAGES 60u

int
main(int argc, char **argv)
{
    static const char *const odd[] = {"/cut", "/end", "/refused", "/gone", "/goaway"};
    struct kdp_asker_config config = {.tokens_per_s = INT64_MAX, .pace_percent = 1, .parallel = 4};
    struct kdp_asker_stats stats;
    struct kdp_asker *asker;
    unsigned whole = 0;

    if (argc != 3)
        return 2;
    config.base_url = argv[1];
    config.ca_file = argv[2];
    if (kdp_asker_open(&asker, &config) != 0)
        goto err;
    for (unsigned i = 0; i < PAGES; i++) {
        char path[32];

        snprintf(path, sizeof path, "/page/%u", i);
        if (kdp_asker_get(asker, i, i % 10 == 5 && i / 10 < 5 ? odd[i / 10] : path) != 0)
            goto err;
    }
    while (kdp_asker_pending(asker) > 0) {
        struct kdp_asker_answer *answer;

        if (kdp_asker_next(asker, &answer, NULL) != 0)
            goto err;
        whole +=
            answer->status == 200 && answer->len == strlen("{\"trades\":[],\"cursor\":\"\"}") + 1000 * 37 - 1;
        kdp_asker_free(answer);
    }
    kdp_asker_stats(asker, &stats);
    printf("whole=%u of=%u retried=%llu\n", whole, PAGES, (unsigned long long)stats.retried);
    kdp_asker_close(asker);
    return whole == PAGES ? 0 : 1;

err:
    fprintf(stderr, "%s\n", kdp_error_text());
    return 1;
}
