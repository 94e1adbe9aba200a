/* server_open.c - the simulator opened and closed: its past, its exchange, the socket it listens on, what it leaves behind. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

static int
listen_on(struct kdp_sim *sim)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *list = NULL;
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sim->listener};
    char port[8];
    int rc, on = 1;

    snprintf(port, sizeof port, "%u", sim->config.port);
    rc = getaddrinfo(sim->config.address, port, &hints, &list);
    if (rc != 0)
        return kdpi_fail(KDP_EUSAGE, "not an address to listen on: %s: %s", sim->config.address,
                         gai_strerror(rc));
    sim->listener = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rc = 0;
    if (sim->listener < 0 || setsockopt(sim->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(sim->listener, list->ai_addr, list->ai_addrlen) != 0 || listen(sim->listener, 256) != 0 ||
        getsockname(sim->listener, (struct sockaddr *)&name, &len) != 0 ||
        epoll_ctl(sim->epoll, EPOLL_CTL_ADD, sim->listener, &event) != 0) {
        int wrong = errno;

        rc = kdpi_fail_errno(wrong, "cannot listen on %s port %u", sim->config.address, sim->config.port);
        if (wrong == EADDRINUSE)
            kdpi_hint(
                "Another program has that port: give another with --port, or leave it out for a free one");
        else if (wrong == EADDRNOTAVAIL)
            kdpi_hint("This machine does not have that address: --address 127.0.0.1, or 0.0.0.0 for all");
    }
    freeaddrinfo(list);
    if (rc == 0)
        sim->port = ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&name)->sin6_port
                                                     : ((struct sockaddr_in *)(void *)&name)->sin_port);
    return rc;
}

/* With a past of its own the running exchange makes up no history: the one ends where the other begins. */
static int
open_past(struct kdp_sim *sim)
{
    struct kdp_past_config *past = &sim->config.past;
    int64_t first_ns, last_ns;
    int rc;

    sim->cutoff_back_ns = sim->config.cutoff_back_ns;
    if (past->trades > 0 || past->file_count > 0 || past->answer_count > 0) {
        past->now_ns = sim->config.exchange.now_ns;
        past->seed = sim->config.exchange.seed;
        rc = kdp_past_open(&sim->past, past);
        if (rc != 0)
            return rc;
        sim->config.exchange.history_ns = 0;
        sim->config.exchange.empty = true;
        kdp_past_span(sim->past, &first_ns, &last_ns);
        if (sim->cutoff_back_ns == 0 && first_ns != KDP_TIME_NULL)
            sim->cutoff_back_ns = past->now_ns - (first_ns + (last_ns - first_ns) / 2);
        else if (sim->cutoff_back_ns == 0) /* markets alone: two months, as on the real exchange */
            sim->cutoff_back_ns = 60 * KDP_NS_PER_DAY;
    } else if (sim->cutoff_back_ns == 0) { /* two hours, or half of what was made up */
        sim->cutoff_back_ns = sim->config.exchange.history_ns / 2;
        if (sim->cutoff_back_ns < 7200 * KDP_NS_PER_S)
            sim->cutoff_back_ns = 7200 * KDP_NS_PER_S;
    }
    return 0;
}

/* All that needs no socket and no folder: what tests and fuzzers of sessions want. */
int
sim_open_bare(struct kdp_sim **simp, const struct kdp_sim_config *config)
{
    struct kdp_sim *sim = calloc(1, sizeof *sim);
    int rc;

    *simp = NULL;
    if (sim == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a simulator");
    *simp = sim;
    sim->config = *config;
    sim->epoll = sim->listener = sim->control_listener = -1;
    if (sim->config.address == NULL)
        sim->config.address = "127.0.0.1";
    if (sim->config.ping_ms == 0)
        sim->config.ping_ms = 10000;
    if (sim->config.pong_wait_ms == 0)
        sim->config.pong_wait_ms = 30000;
    sim_read_clocks(sim);
    sim->opened_mono_ns = sim->mono_ns;
    sim->random = config->exchange.seed;
    sim->keys = calloc(1, sizeof *sim->keys);
    sim->scratch = malloc(1u << 20);
    if (sim->keys == NULL || sim->scratch == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a simulator");
    kdpi_json_init(&sim->json, sim->keys, sim->scratch, 1u << 20);
    if (sim->config.exchange.now_ns == 0)
        sim->config.exchange.now_ns = sim->now_ns;
    rc = open_past(sim);
    if (rc == 0)
        rc = kdp_exchange_open(&sim->exchange, &sim->config.exchange);
    if (rc == 0)
        kdp_exchange_listen(sim->exchange, sim_event, sim);
    return rc;
}

int
kdp_sim_open(struct kdp_sim **simp, const struct kdp_sim_config *config)
{
    struct kdp_sim *sim = NULL;
    int rc = sim_open_bare(&sim, config);

    *simp = NULL;
    if (rc == 0) {
        sim->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (sim->epoll < 0)
            rc = kdpi_fail_errno(errno, "cannot make the simulator's loop");
    }
    if (rc == 0 && (rc = listen_on(sim)) == 0 && (rc = sim_setup(sim)) == 0 &&
        (rc = sim_control_open(sim)) == 0)
        rc = sim_write_env(sim);
    for (unsigned i = 0; rc == 0 && i < config->fault_count; i++)
        rc = sim_fault_line(sim, config->faults[i]);
    if (rc == 0 && config->script != NULL)
        rc = sim_fault_script(sim, config->script);
    if (rc != 0) {
        kdp_sim_close(sim);
        return rc;
    }
    *simp = sim;
    return 0;
}

static void
remove_dir(const struct kdp_sim *sim)
{
    static const char *const names[] = {"ca.pem",  "server.pem",  "server-key.pem",
                                        "rsa.pem", "ed25519.pem", "sim.env"};
    char path[4096];

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", sim->dir, names[i]);
        unlink(path);
    }
    rmdir(sim->dir);
}

void
kdp_sim_close(struct kdp_sim *sim)
{
    char path[4096];

    if (sim == NULL)
        return;
    for (struct sim_conn *conn = sim->conns; conn != NULL; conn = conn->next) {
        if (conn->session != NULL)
            kdp_ws_put_close(conn->session->ws, 1001, "the exchange goes away");
        sim_conn_write(conn);
        conn->dead = true;
    }
    sim_end_dead(sim);
    if (sim->control_listener >= 0) {
        snprintf(path, sizeof path, "%s/control", sim->dir);
        unlink(path);
    }
    sim_control_close(sim);
    if (sim->listener >= 0)
        close(sim->listener);
    if (sim->epoll >= 0)
        close(sim->epoll);
    if (sim->dir_made)
        remove_dir(sim);
    for (uint32_t i = 0; i < sim->names_size; i++)
        free(sim->names[i]);
    free(sim->names);
    sim_fault_close(sim);
    sim_cache_free(sim);
    sim_terms_free(sim);
    sim_text_free(&sim->body[0]);
    sim_text_free(&sim->body[1]);
    sim_text_free(&sim->other);
    kdp_exchange_close(sim->exchange);
    kdp_past_close(sim->past);
    kdp_tls_context_free(sim->context);
    EVP_PKEY_free(sim->rsa);
    EVP_PKEY_free(sim->ed25519);
    free(sim->dir);
    free(sim->markets);
    free(sim->keys);
    free(sim->scratch);
    free(sim);
}

uint16_t
kdp_sim_port(const struct kdp_sim *sim)
{
    return sim->port;
}

const char *
kdp_sim_dir(const struct kdp_sim *sim)
{
    return sim->dir;
}

void
kdp_sim_stats(const struct kdp_sim *sim, struct kdp_sim_stats *stats)
{
    *stats = sim->stats;
    stats->clients = sim->session_count;
    stats->markets = kdp_exchange_market_count(sim->exchange);
    stats->past_markets = kdp_past_market_count(sim->past);
    stats->past_trades = kdp_past_count(sim->past);
    stats->markets_open = 0;
    for (uint32_t i = 0; i < stats->markets; i++) {
        struct kdp_exchange_market m;

        kdp_exchange_market_at(sim->exchange, i, &m);
        stats->markets_open += m.status == KDP_MARKET_STATUS_ACTIVE;
    }
}
