/* server.h - the simulator's server side: REST and WebSocket over TLS, on one port, faithful to docs/exchange.md; and faults.
 *
 * One thread: sockets, the exchange's clock and the control socket share one epoll loop. */
#ifndef KDPI_SIM_SERVER_H
#define KDPI_SIM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "exchange.h"
#include "past.h"

struct kdp_sim_config {
    struct kdp_exchange_config exchange;
    struct kdp_past_config
        past;               /* what was before, when it has trades or files; its time is filled in here */
    int64_t cutoff_back_ns; /* the tiers part so long before now; 0: in the middle of the history */
    const char *
        dir; /* certificates, keys, control socket, env file; made when it is not there; NULL: a fresh one, removed */
    const char *address;   /* "127.0.0.1" */
    uint16_t port;         /* 0: a free one */
    bool no_rsa;           /* an Ed25519 key alone: making the other takes up to a second */
    bool plain;            /* no TLS */
    bool deflate;          /* agree to permessage-deflate */
    bool sending_ts;       /* sending_ts_ms in every message */
    bool taker_side;       /* the deprecated member */
    unsigned per_record;   /* frames in one TLS record: 1, 8, 60; 0: as they come */
    uint32_t ping_ms;      /* ping each [10,000] ms */
    uint32_t pong_wait_ms; /* drop a client that does not answer in [30,000] ms */
    int64_t read_refill,
        read_capacity;         /* REST tokens a second and at most; 0: the tier's, without one unlimited */
    const char *tier;          /* of the account: basic, advanced and so on; NULL: by the tokens */
    const char *const *faults; /* fault lines to begin with (faults.h), and a script file */
    unsigned fault_count;
    const char *script;
};

struct kdp_sim;
/* kdp_sim_open listens and writes DIR: ca.pem, rsa.pem and ed25519.pem (two client keys), sim.env (settings for kdp run, with
 * the key id), control (socket). */
int kdp_sim_open(struct kdp_sim **simp, const struct kdp_sim_config *config);
uint16_t kdp_sim_port(const struct kdp_sim *sim);
const char *kdp_sim_dir(const struct kdp_sim *sim);
/* kdp_sim_work serves for at most wait_ms; 0, 1 when it was asked to end (control line "stop"), or an error that ends it. */
int kdp_sim_work(struct kdp_sim *sim, int wait_ms);
void kdp_sim_close(struct kdp_sim *sim);

struct kdp_sim_stats {
    uint64_t frames_sent, rest_requests, rest_limited, clients_seen, clients, faults_done;
    uint32_t markets, markets_open; /* of the running exchange */
    uint32_t past_markets;
    uint64_t past_trades;
};
void kdp_sim_stats(const struct kdp_sim *sim, struct kdp_sim_stats *stats);
/* kdp_sim_books writes the true books as JSON: {"markets":{TICKER:{"status":..,"bids":[["0.4200","87.00"],..],"asks":[..]}}} on
 * the YES scale, best first; the form that kdp gen --books has. */
void kdp_sim_books(const struct kdp_sim *sim, FILE *out);
/* kdp_sim_ask sends one control line to the simulator of a folder, from another process: 0 with its answer (the caller's, NUL
 * behind it), or an error; -KDP_EREFUSED with the simulator's own words when it would not do it. */
int kdp_sim_ask(const char *dir, const char *line, char **replyp, size_t *lenp);

#endif
