/* live_private.h - what the files of the feed thread share. */
#ifndef KDPI_LIVE_PRIVATE_H
#define KDPI_LIVE_PRIVATE_H

#include <pthread.h>

#include "histogram.h"
#include "http.h"
#include "live.h"
#include "tls.h"
#include "url.h"
#include "ws.h"
#include "ws_connect.h"

#define LIVE_BURST_BYTES \
    (1u << 20) /* what one line is given before the others and the timers have their turn */
#define LIVE_BURST_NS (KDP_NS_PER_MS)
#define LIVE_OUTPUT_MAX (16u << 20) /* a line that takes less than we have to say is dead */

struct live_line {
    uint16_t number;
    bool up;
    bool ready;    /* bytes or messages may be waiting: it gets a turn */
    bool blocked;  /* the socket takes no more: polled for writing */
    uint32_t epoch;
    struct kdp_tls *tls;
    struct kdp_ws *ws;
    int64_t recv_ns; /* of the bytes that messages are taken from */
    struct live_connector *connector;
};

struct kdp_live {
    struct kdp_live_config config;
    struct kdp_url ws_url;
    struct kdp_session *session;
    struct kdp_http *http;
    struct kdp_tls_context *context;
    size_t message_max;
    int epoll;
    struct live_line lines[KDP_LINES_LIVE_MAX + 1]; /* from 1 */
    unsigned lines_end;                             /* beyond the highest line ever used */
    /* connections made hand themselves over here */
    pthread_mutex_t lock;
    struct live_connector *made; /* under lock */
    int made_fd;
    volatile int stop; /* connectors give up */
    /* clocks */
    int64_t tick_mono, idle_mono, loop_mono;
    int64_t wall_less_mono;
    bool clock_off, clock_told;
    bool draining;
    uint64_t frames, bytes, too_long, answers;
    int64_t answer_ns, polled_from_ns; /* of the answer being fed; what was traded before is of a pause */
    struct kdp_histogram age, to_ring;
};

/* live_feed hands one input to the plant; what is known of the clock goes with it. */
int live_feed(struct kdp_live *live, enum kdp_input_kind kind, unsigned line, int64_t recv_ns,
              const void *fixed, size_t fixed_len, const void *rest, size_t rest_len);

/* ---- live_line.c ---- */
/* live_line_adopt makes a connection just made the line's, and says so to plant and session. */
int live_line_adopt(struct kdp_live *live, struct live_line *line, struct kdp_ws_connected *made);
/* live_line_work reads and hands on what there is, up to its share; an error ends the run, never the state of a line. */
int live_line_work(struct kdp_live *live, struct live_line *line);
int live_line_send(struct kdp_live *live, struct live_line *line); /* the output, as far as it goes */
/* live_line_end closes it; plant and session are told. */
int live_line_end(struct kdp_live *live, struct live_line *line, uint32_t reason, const char *words);

/* ---- live_connect.c ---- */
int live_connect(struct kdp_live *live, struct live_line *line); /* starts a connector */
int live_connected(struct kdp_live *live);                       /* takes what connectors have made */
void live_connect_give_up(struct kdp_live *live);                /* ends all of them */

#endif
