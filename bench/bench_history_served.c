/* bench_history_served.c - pages of trades as the simulator serves them, over TLS, beside one page that it has in its cache: the
 * same bytes through the same sockets, made once.
 *
 *   bench_history_served [TRADES]      2000000
 *
 * CPU of the simulator's thread alone; the client is libcurl on another core.  Whole exchange, one market, and the cache take turns. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bench.h"
#include "clock.h"
#include "error.h"
#include "http.h"
#include "server.h"

#define ROUNDS 7
#define PAGES 150 /* in a turn */

static struct kdp_sim *sim;
static struct kdp_http *http;
static _Atomic bool stop;
static clockid_t server_clock;
static char cursor[64];

static void *
serve(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop))
        if (kdp_sim_work(sim, 50) != 0)
            abort();
    return NULL;
}

static int64_t
server_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(server_clock, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static size_t
get(const char *path)
{
    struct kdp_http_answer *answer;
    const char *at;
    size_t len;

    if (kdp_http_get(http, 1, path) != 0)
        abort();
    while ((answer = kdp_http_take(http)) == NULL) {
        struct pollfd p = {.fd = kdp_http_fd(http), .events = POLLIN};

        poll(&p, 1, 1000);
    }
    if (answer->status != 200) {
        fprintf(stderr, "%s: %d %s\n", path, answer->status, answer->error);
        exit(1);
    }
    at = answer->len > 60 ? strstr(answer->body + answer->len - 40, "\"cursor\":\"") : NULL;
    snprintf(cursor, sizeof cursor, "%.*s", at != NULL ? (int)strcspn(at + 10, "\"") : 0,
             at != NULL ? at + 10 : "");
    len = answer->len;
    kdp_http_answer_free(answer);
    return len;
}

struct turn {
    const char *name, *query;
    bool cached;
    double ns, bytes;
    char cursor[64];
};

/* PAGES pages; CPU of the simulator a page. */
static double
take(struct turn *turn)
{
    int64_t began = server_cpu_ns();

    turn->bytes = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        char path[256];

        snprintf(path, sizeof path, "/historical/trades?limit=1000%s%s%s", turn->query,
                 turn->cursor[0] != 0 ? "&cursor=" : "", turn->cursor);
        turn->bytes += (double)get(path);
        if (!turn->cached)
            memcpy(turn->cursor, cursor, sizeof cursor);
    }
    return (double)(server_cpu_ns() - began) / PAGES;
}

int
main(int argc, char **argv)
{
    struct kdp_sim_config config = {
        .no_rsa = true, .taker_side = true, .exchange.seed = 7, .exchange.now_ns = kdpi_now_ns()};
    struct kdp_http_config client = {.timeout_ns = 10 * KDP_NS_PER_S};
    char base[64], ca[4200], market[64] = "", reply_line[] = "stale-cache off", *reply;
    struct turn turns[] = {{.name = "whole_exchange", .query = ""},
                           {.name = "one_market", .query = market},
                           {.name = "cached", .query = "&max_ts=9000000000", .cached = true}};
    double best[3] = {1e18, 1e18, 1e18};
    int64_t began = bench_now_ns();
    pthread_t thread;
    size_t len;

    config.past.trades = argc > 1 ? (uint64_t)strtoull(argv[1], NULL, 10) : 2000000;
    config.past.markets = 300;
    config.past.span_ns = 30 * KDP_NS_PER_DAY;
    if (kdp_sim_open(&sim, &config) != 0) {
        fprintf(stderr, "%s\n", kdp_error_text());
        return 1;
    }
    printf("opened %.2f s\n", (double)(bench_now_ns() - began) * 1e-9);
    pthread_create(&thread, NULL, serve, NULL);
    pthread_getcpuclockid(thread, &server_clock);
    snprintf(base, sizeof base, "https://127.0.0.1:%u/trade-api/v2", kdp_sim_port(sim));
    snprintf(ca, sizeof ca, "%s/ca.pem", kdp_sim_dir(sim));
    client.base_url = base;
    client.ca_file = ca;
    if (kdp_http_open(&http, &client) != 0 || kdp_sim_ask(kdp_sim_dir(sim), "cutoff now", &reply, &len) != 0)
        return 1;
    free(reply);
    /* the market that is open longest has the most */
    snprintf(market, sizeof market, "&ticker=%s", "");
    {
        struct kdp_http_answer *answer;
        const char *at;

        kdp_http_get(http, 1, "/historical/markets?limit=1");
        while ((answer = kdp_http_take(http)) == NULL)
            poll(&(struct pollfd){.fd = kdp_http_fd(http), .events = POLLIN}, 1, 1000);
        at = answer->status == 200 ? strstr(answer->body, "\"ticker\":\"") : NULL;
        if (at == NULL)
            return 1;
        snprintf(market, sizeof market, "&ticker=%.*s", (int)strcspn(at + 10, "\""), at + 10);
        kdp_http_answer_free(answer);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 3; i++) {
            double ns;

            memcpy(reply_line, turns[i].cached ? "stale-cache on " : "stale-cache off", sizeof reply_line);
            if (kdp_sim_ask(kdp_sim_dir(sim), reply_line, &reply, &len) != 0)
                return 1;
            free(reply);
            if (turns[i].cached)
                get("/historical/trades?limit=1000&max_ts=9000000000");
            ns = take(&turns[i]);
            best[i] = ns < best[i] ? ns : best[i];
        }
    }
    for (unsigned i = 0; i < 3; i++)
        printf("bench=history_served what=%s cpu_us_a_page=%.1f bytes_a_page=%.0f trades_a_cpu_second=%.0f "
               "ratio_to_cached=%.2f\n",
               turns[i].name, best[i] * 1e-3, turns[i].bytes / PAGES, 1000.0 / (best[i] * 1e-9),
               best[i] / best[2]);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    kdp_http_close(http);
    kdp_sim_close(sim);
    return 0;
}
