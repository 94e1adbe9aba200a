/* live_connect.c - connections are made on threads of their own: a name that does not resolve or a handshake that hangs must
 * not hold up the lines that work.
 *
 * A connector lives from one attempt's beginning to its end; at most one for each line.  It touches nothing of the feed thread
 * but the queue it hands itself over by. */
#include "live_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "log.h"

struct live_connector {
    struct kdp_live *live;
    struct live_connector *next;
    uint16_t line;
    pthread_t thread;
    struct kdp_ws_connect how;
    struct kdp_ws_connected made;
    int rc;
    char words[512], hint[256]; /* an error's words stay with the thread they came up on */
};

static void *
connector_main(void *arg)
{
    struct live_connector *connector = arg;
    struct kdp_live *live = connector->live;
    uint64_t one = 1;
    ssize_t n;

    connector->rc = kdp_ws_connect(&connector->how, &connector->made);
    if (connector->rc != 0) {
        snprintf(connector->words, sizeof connector->words, "%s", kdp_error_text());
        snprintf(connector->hint, sizeof connector->hint, "%s", kdp_error_hint());
    }
    pthread_mutex_lock(&live->lock);
    connector->next = live->made;
    live->made = connector;
    pthread_mutex_unlock(&live->lock);
    n = write(live->made_fd, &one, sizeof one);
    (void)n; /* the counter cannot run over */
    return NULL;
}

static void
connector_free(struct live_connector *connector)
{
    if (connector->made.tls != NULL)
        kdp_tls_close(connector->made.tls, false);
    if (connector->made.ws != NULL)
        kdp_ws_close(connector->made.ws);
    free(connector);
}

int
live_connect(struct kdp_live *live, struct live_line *line)
{
    struct live_connector *connector;
    sigset_t all, was;
    int rc;

    if (line->connector != NULL || line->up)
        return 0; /* under way already */
    connector = calloc(1, sizeof *connector);
    if (connector == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory to make a connection");
    connector->live = live;
    connector->line = line->number;
    connector->how = (struct kdp_ws_connect){.url = live->ws_url,
                                             .context = live->context,
                                             .signer = live->config.signer,
                                             .token = live->config.token,
                                             .deflate = live->config.deflate,
                                             .busy_poll_us = live->config.busy_poll_us,
                                             .timeout_ns = 15 * KDP_NS_PER_S,
                                             .stop = &live->stop};
    sigfillset(&all); /* signals are the feed thread's */
    pthread_sigmask(SIG_SETMASK, &all, &was);
    rc = pthread_create(&connector->thread, NULL, connector_main, connector);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (rc != 0) {
        free(connector);
        return kdpi_fail_errno(rc, "cannot start a thread for connection %u", line->number);
    }
    line->connector = connector;
    return 0;
}

int
live_connected(struct kdp_live *live)
{
    struct live_connector *connector;
    uint64_t count;
    int rc = 0;

    while (read(live->made_fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&live->lock);
    connector = live->made;
    live->made = NULL;
    pthread_mutex_unlock(&live->lock);
    while (connector != NULL) {
        struct live_connector *next = connector->next;
        struct live_line *line = &live->lines[connector->line];

        pthread_join(connector->thread, NULL); /* it has nothing left to do */
        line->connector = NULL;
        if (rc != 0) {
            ; /* the run is over: only given back */
        } else if (connector->rc == 0) {
            rc = live_line_adopt(live, line, &connector->made);
        } else {
            kdpi_log(KDP_LOG_WARNING, "connect", "line=%u status=%d why=\"%s\"", connector->line,
                     connector->made.status, connector->words);
            kdp_session_refused(live->session, connector->line, connector->made.status, -connector->rc,
                                connector->made.body, connector->words, connector->hint, kdpi_mono_ns());
        }
        connector_free(connector);
        connector = next;
    }
    return rc;
}

void
live_connect_give_up(struct kdp_live *live)
{
    struct live_connector *connector;

    __atomic_store_n(&live->stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 1; i < live->lines_end; i++) {
        connector = live->lines[i].connector;
        if (connector != NULL)
            pthread_join(connector->thread, NULL);
        live->lines[i].connector = NULL;
    }
    while ((connector = live->made) != NULL) {
        live->made = connector->next;
        connector_free(connector);
    }
}
