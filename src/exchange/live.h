/* live.h - the feed thread of a live run: carries out what the session says, on sockets and REST, and hands every input to
 * the plant in one order.
 *
 *   feed thread   polls every line (epoll), reads big, parses frames in place, feeds the plant, sends commands
 *   REST thread   src/net/http.h
 *   connectors    one short-lived thread for each connection being made (name, TCP, TLS, upgrade, signature)
 *
 * All inputs are made on the thread that calls kdp_live_run; connectors and REST hand over through a queue and an eventfd. */
#ifndef KDPI_LIVE_H
#define KDPI_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "input.h"
#include "notice.h"
#include "session.h"
#include "sign.h"

struct kdp_live;

struct kdp_live_config {
    const char *ws_url, *base_url, *ca_file, *token;
    struct kdp_signer *signer;
    bool deflate;
    size_t input_max;      /* bytes of the longest input that feed takes; 0: KDP_INPUT_MAX */
    uint32_t busy_poll_us; /* > 0: the feed thread never sleeps */
    struct kdp_session_config session;
    /* feed logs one input and lets the plant consume it; the plant calls kdp_live_notice meanwhile.  Its error ends the run. */
    int (*feed)(void *arg, enum kdp_input_kind kind, unsigned flags, unsigned line, int64_t recv_ns,
                const void *fixed, size_t fixed_len, const void *rest, size_t rest_len);
    /* told of what a person should know; kind is KDP_ACTION_WARN or KDP_ACTION_NOTICE */
    void (*tell)(void *arg, enum kdp_action_kind kind, const char *text, const char *hint);
    /* called at least 5 times a second on the feed thread, between inputs: screens, counters, signals.  Not 0 ends the run:
     * 1 drain and end, 2 end at once. */
    int (*idle)(void *arg);
    void *arg;
};

int kdp_live_open(struct kdp_live **livep, const struct kdp_live_config *config);
/* kdp_live_run works until idle says to end (0), or what ended it (an error with words).  The lines are still up after it, so
 * that books can be told as they were. */
int kdp_live_run(struct kdp_live *live);
/* kdp_live_hang_up ends every line, and feed is told of each; no more inputs after it. */
int kdp_live_hang_up(struct kdp_live *live);
void kdp_live_close(struct kdp_live *live);
void kdp_live_notice(void *live, const struct kdp_notice *notice); /* a kdp_notice_fn */
struct kdp_session *kdp_live_session(struct kdp_live *live);

struct kdp_live_stats {
    uint64_t frames, bytes, answers;
    uint64_t too_long; /* messages and answers longer than the input ring takes */
    bool draining;
    bool clock_off; /* this clock is more than 2 s off the exchange's */
    /* histograms of ns: exchange time of a trade to its receipt (a millisecond's precision; without a key of those traded
     * since the start), receipt to ring (of messages, without a key of answers) */
    const struct kdp_histogram *age, *to_ring;
};
void kdp_live_stats(const struct kdp_live *live, struct kdp_live_stats *stats);

#endif
