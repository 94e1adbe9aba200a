/* tls_fixture.h - one server on a thread, what it does with its one connection being the case's, and a client beside it. */
#ifndef KDP_TLS_FIXTURE_H
#define KDP_TLS_FIXTURE_H

#include <pthread.h>

#include "kdp_test.h"
#include "test_ca.h"
#include "tls.h"

struct fixture {
    char ca_path[600], cert_path[600], key_path[600];
    struct test_ca *ca;
    struct kdp_tls_context *client, *server;
    int listener;
    uint16_t port;
    pthread_t thread;
    void (*serve)(struct fixture *fixture, int fd);
    volatile int stop;
    int64_t sent_ns;
    size_t amount;
    int pipe[2]; /* the case tells the server when to go on */
};

extern struct fixture fixture;

/* set_up makes a root, a certificate of it for names, valid from_s to to_s from now, both contexts, and listens; without_tls
 * takes the server's TLS away again. */
void set_up(const char *names, long from_s, long to_s);
void without_tls(void);
void start(void (*serve)(struct fixture *f, int fd)); /* on the one connection that will come */
void tear_down(void);                                 /* waits for it */
int listen_on(const char *address, uint16_t *portp);

int dial(struct kdp_tls **tlsp, const char *host, struct kdp_tls_context *context, int64_t timeout_ms);
/* dial_fails dials and wants this code, and these words in error and hint. */
void dial_fails(const char *host, struct kdp_tls_context *context, int code, const char *words,
                const char *hint);

void ready(const struct kdp_tls *tls, short events); /* polls, with an end */
void read_all(struct kdp_tls *tls, void *buf, size_t len);
void write_all(struct kdp_tls *tls, const void *bytes, size_t len);
void ends(struct kdp_tls *tls, int code, const char *words); /* reads to the end, which is this one */
void go(void);                                               /* one side tells the other to go on */
void wait_for_go(struct fixture *f);

void serve_echo(struct fixture *f, int fd);
void serve_failing_handshake(struct fixture *f, int fd);

#endif
