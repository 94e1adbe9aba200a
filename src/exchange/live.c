/* live.c - the loop of the feed thread; docs/design/live.md has the rules.
 *
 * Each turn: sockets that are ready, what connectors and REST have brought, what the session says to do, the clock.  Nothing
 * here decides what is asked of the exchange. */
#include "live_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "log.h"
#include "screen.h"

#define TICK_NS KDP_NS_PER_S
#define IDLE_NS (100 * KDP_NS_PER_MS)
#define STEP_NS (100 * KDP_NS_PER_MS)   /* the wall clock moved: semantics of KDP_TIMER_CLOCK_STEP */
#define CLOCK_OFF_NS (2 * KDP_NS_PER_S) /* more than a Date can be mistaken by */
#define DEAF_NS (2 * KDP_NS_PER_S)      /* a turn so long was spent waiting for the tape */
#define ACTIONS_MAX 1000                /* in one turn */
#define ID_MADE 0x10000u                /* ids in the poll that are no lines */
#define ID_HTTP 0x10001u

int
live_feed(struct kdp_live *live, enum kdp_input_kind kind, unsigned line, int64_t recv_ns, const void *fixed,
          size_t fixed_len, const void *rest, size_t rest_len)
{
    return live->config.feed(live->config.arg, kind, live->clock_off ? KDP_INPUT_CLOCK_OFF : 0, line, recv_ns,
                             fixed, fixed_len, rest, rest_len);
}

static int
feed_timer(struct kdp_live *live, const struct kdp_input_timer *timer)
{
    return live_feed(live, KDP_INPUT_TIMER, 0, kdpi_now_ns(), timer, sizeof *timer, NULL, 0);
}

void
kdp_live_notice(void *arg, const struct kdp_notice *notice)
{
    struct kdp_live *live = arg;

    if (notice->kind == KDP_NOTICE_TRADE && notice->line >= 1 && notice->line < live->lines_end &&
        notice->trade.exch_ns > 0)
        kdp_histogram_add(&live->age, live->lines[notice->line].recv_ns - notice->trade.exch_ns);
    else if (notice->kind == KDP_NOTICE_TRADE && notice->line == 0 &&
             notice->trade.exch_ns >= live->polled_from_ns)
        kdp_histogram_add(&live->age, live->answer_ns - notice->trade.exch_ns);
    kdp_session_notice(live->session, notice);
}

/* ---- REST ---- */

/* An answer becomes an input, then the session is told: path and head are one part, the body is the other. */
static void look_at_clock(struct kdp_live *live);

static int
feed_answer(struct kdp_live *live, uint64_t request, int status, int code, const char *path, const char *body,
            size_t len, const char *words, int64_t got_ns)
{
    struct {
        struct kdp_input_rest head;
        char path[4096];
    } fixed = {.head = {.status = (uint32_t)status, .request = request}};
    size_t path_len = strlen(path);
    char instead[256];
    int rc;

    if (path_len > sizeof fixed.path)
        path_len = sizeof fixed.path;
    memcpy(fixed.path, path, path_len);
    fixed.head.path_len = (uint32_t)path_len;
    if (status == 0) {
        body = words;
        len = strlen(words);
    } else if (sizeof fixed.head + path_len + len > live->message_max) {
        live->too_long++;
        snprintf(instead, sizeof instead, "an answer of %zu bytes is longer than the input ring takes (%zu)",
                 len, live->message_max);
        body = words = instead;
        len = strlen(instead);
    }
    if (live->config.session.keyless) {
        struct kdp_session_stats stats;

        kdp_session_stats(live->session, &stats);
        live->polled_from_ns = stats.polled_from_ns;
        live->answer_ns = got_ns;
    }
    live->answers += status != 0;
    rc = live_feed(live, KDP_INPUT_REST, 0, got_ns, &fixed, sizeof fixed.head + path_len, body, len);
    if (live->config.session.keyless && status != 0)
        kdp_histogram_add(&live->to_ring, kdpi_now_ns() - got_ns);
    if (rc == 0)
        kdp_session_answer(live->session, request, status, code, body, len, words, kdpi_mono_ns(),
                           kdpi_now_ns());
    if (live->answers == 1 && status != 0)
        look_at_clock(live); /* without a key trades wait for it */
    return rc;
}

static int
take_answers(struct kdp_live *live)
{
    struct kdp_http_answer *answer;
    int rc = 0;

    while (rc == 0 && (answer = kdp_http_take(live->http)) != NULL) {
        if (answer->status == 0)
            kdpi_log(KDP_LOG_WARNING, "rest", "path=\"%s\" why=\"%s\"", answer->path, answer->error);
        else
            kdpi_log(answer->status >= 400 ? KDP_LOG_WARNING : KDP_LOG_DEBUG, "rest",
                     "path=\"%s\" status=%d bytes=%zu took_ms=%lld", answer->path, answer->status,
                     answer->len, (long long)(answer->took_ns / KDP_NS_PER_MS));
        rc = feed_answer(live, answer->request, answer->status, answer->error_code, answer->path,
                         answer->body, answer->len, answer->error, answer->got_ns);
        kdp_http_answer_free(answer);
    }
    return rc;
}

/* ---- what the session says ---- */

static int
send_command(struct kdp_live *live, const struct kdp_action *action)
{
    struct live_line *line = &live->lines[action->line];
    int rc;

    if (!line->up)
        return 0; /* it went down meanwhile: the session will hear of it */
    rc = live_feed(live, KDP_INPUT_COMMAND, action->line, kdpi_now_ns(), NULL, 0, action->text, action->len);
    if (rc != 0)
        return rc;
    kdpi_log(KDP_LOG_DEBUG, "command", "line=%u text=\"%.200s\"", action->line, action->text);
    if (kdp_ws_put(line->ws, KDP_WS_TEXT, action->text, action->len) != 0)
        return live_line_end(live, line, KDP_REASON_DISCONNECTED, kdp_error_text());
    return live_line_send(live, line);
}

static int
ping(struct kdp_live *live, struct live_line *line)
{
    if (!line->up)
        return 0;
    if (kdp_ws_put(line->ws, KDP_WS_PING, "kdp", 3) != 0)
        return live_line_end(live, line, KDP_REASON_DISCONNECTED, kdp_error_text());
    return live_line_send(live, line);
}

/* A plan of many markets is longer than an input may be; each line of it stands for itself. */
static int
feed_reload(struct kdp_live *live, const char *text, size_t len)
{
    int rc = 0;

    do {
        size_t part = len;

        if (part > live->message_max) {
            const char *end = memrchr(text, '\n', live->message_max);

            part = end != NULL ? (size_t)(end - text) + 1 : live->message_max;
        }
        rc = live_feed(live, KDP_INPUT_RELOAD, 0, kdpi_now_ns(), NULL, 0, text, part);
        text += part;
        len -= part;
    } while (rc == 0 && len > 0);
    return rc;
}

static struct live_line *
line_of(struct kdp_live *live, uint16_t number)
{
    KDP_ASSERT(number >= 1 && number <= KDP_LINES_LIVE_MAX);
    if (number >= live->lines_end)
        live->lines_end = number + 1u;
    live->lines[number].number = number;
    return &live->lines[number];
}

static int
act(struct kdp_live *live, const struct kdp_action *action)
{
    int rc;

    switch (action->kind) {
    case KDP_ACTION_CONNECT:
        return live_connect(live, line_of(live, action->line));
    case KDP_ACTION_DISCONNECT:
        return live_line_end(live, line_of(live, action->line),
                             action->reason != KDP_REASON_NONE ? action->reason : KDP_REASON_DISCONNECTED,
                             action->text != NULL ? action->text : "");
    case KDP_ACTION_COMMAND:
        (void)line_of(live, action->line);
        return send_command(live, action);
    case KDP_ACTION_PING:
        return ping(live, line_of(live, action->line));
    case KDP_ACTION_GET:
        rc = kdp_http_get(live->http, action->request, action->text);
        if (rc == 0)
            return 0;
        return feed_answer(live, action->request, 0, -rc, action->text, NULL, 0, kdp_error_text(),
                           kdpi_now_ns());
    case KDP_ACTION_TIMER:
        return feed_timer(live, &action->timer);
    case KDP_ACTION_RELOAD:
        return feed_reload(live, action->text, action->len);
    case KDP_ACTION_WARN:
    case KDP_ACTION_NOTICE:
        live->config.tell(live->config.arg, action->kind, action->text, action->hint);
        return 0;
    case KDP_ACTION_FAIL:
        break;
    }
    rc = kdpi_fail((enum kdp_error)(action->code != 0 ? action->code : KDP_EREFUSED), "%s", action->text);
    if (action->hint != NULL && action->hint[0] != '\0')
        kdpi_hint("%s", action->hint);
    return rc;
}

static int
act_all(struct kdp_live *live)
{
    struct kdp_action action;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < ACTIONS_MAX; i++) {
        memset(&action, 0, sizeof action);
        if (!kdp_session_next(live->session, kdpi_mono_ns(), kdpi_now_ns(), &action))
            break;
        rc = act(live, &action);
    }
    return rc;
}

/* ---- the clock ---- */

static void
look_at_clock(struct kdp_live *live)
{
    int64_t offset = live->config.signer != NULL ? kdp_signer_offset_ns(live->config.signer) : 0;
    char span[KDPI_SCREEN_TEXT], words[160];

    kdp_session_clock(live->session, offset);
    live->clock_off = offset > CLOCK_OFF_NS || offset < -CLOCK_OFF_NS;
    if (!live->clock_off || live->clock_told)
        return;
    live->clock_told = true;
    snprintf(words, sizeof words, "this clock is %s %s the exchange's",
             kdpi_screen_span(span, offset < 0 ? -offset : offset), offset < 0 ? "ahead of" : "behind");
    live->config.tell(live->config.arg, KDP_ACTION_WARN, words,
                      live->config.session.keyless ? "Trades are asked for in the exchange's time, receive "
                                                     "times are flagged. Mend it: timedatectl set-ntp true"
                                                   : "Signing with the exchange's time, receive times are "
                                                     "flagged. Mend it: timedatectl set-ntp true");
}

static int
tick(struct kdp_live *live, int64_t mono_ns)
{
    struct kdp_input_timer timer = {.kind = KDP_TIMER_TICK};
    int64_t less = kdpi_now_ns() - kdpi_mono_ns(), moved = less - live->wall_less_mono;
    int rc;

    live->tick_mono = mono_ns + TICK_NS;
    look_at_clock(live);
    rc = feed_timer(live, &timer);
    if (rc == 0 && (moved > STEP_NS || moved < -STEP_NS)) {
        timer = (struct kdp_input_timer){.kind = KDP_TIMER_CLOCK_STEP, .arg = (uint64_t)moved};
        kdpi_log(KDP_LOG_WARNING, "clock_step", "ns=%lld", (long long)moved);
        rc = feed_timer(live, &timer);
    }
    live->wall_less_mono = less;
    return rc;
}

/* While the tape was behind nobody listened: what was not heard in that time is no silence of the exchange. */
static void
forgive_silence(struct kdp_live *live, int64_t mono_ns)
{
    if (mono_ns - live->loop_mono > DEAF_NS)
        for (unsigned i = 1; i < live->lines_end; i++)
            if (live->lines[i].up)
                kdp_session_heard(live->session, live->lines[i].number, true, mono_ns);
    live->loop_mono = mono_ns;
}

/* ---- the loop ---- */

static int
wait_ms(const struct kdp_live *live, int64_t mono_ns)
{
    int64_t due = kdp_session_due(live->session), left;

    if (live->config.busy_poll_us > 0)
        return 0;
    for (unsigned i = 1; i < live->lines_end; i++)
        if (live->lines[i].ready)
            return 0;
    if (live->tick_mono < due)
        due = live->tick_mono;
    if (live->idle_mono < due)
        due = live->idle_mono;
    left = due - mono_ns;
    return left <= 0 ? 0 : (int)((left + KDP_NS_PER_MS - 1) / KDP_NS_PER_MS);
}

static int
turn(struct kdp_live *live, int timeout_ms)
{
    struct epoll_event events[KDP_LINES_LIVE_MAX + 2];
    int count = epoll_wait(live->epoll, events, sizeof events / sizeof *events, timeout_ms), rc = 0;

    if (count < 0 && errno != EINTR)
        return kdpi_fail_errno(errno, "cannot wait for the exchange");
    for (int i = 0; rc == 0 && i < count; i++) {
        uint32_t id = events[i].data.u32;

        if (id >= live->lines_end || !live->lines[id].up)
            continue;
        live->lines[id].ready = true;
        if ((events[i].events & EPOLLOUT) != 0)
            rc = live_line_send(live, &live->lines[id]);
    }
    for (unsigned i = 1; rc == 0 && i < live->lines_end; i++)
        if (live->lines[i].ready) {
            rc = live_line_work(live, &live->lines[i]);
            if (rc == 0)
                rc = act_all(live);
        }
    for (int i = 0; rc == 0 && i < count; i++) {
        if (events[i].data.u32 == ID_MADE)
            rc = live_connected(live);
        else if (events[i].data.u32 == ID_HTTP)
            rc = take_answers(live);
    }
    return rc == 0 ? act_all(live) : rc;
}

int
kdp_live_run(struct kdp_live *live)
{
    int64_t left;
    int rc = act_all(live);

    live->loop_mono = kdpi_mono_ns();
    while (rc == 0) {
        int64_t now = kdpi_mono_ns();
        int wish = 0;

        forgive_silence(live, now);
        if (now >= live->tick_mono)
            rc = tick(live, now);
        if (rc == 0 && now >= live->idle_mono) {
            live->idle_mono = now + IDLE_NS;
            wish = live->config.idle(live->config.arg);
        }
        if (rc != 0 || wish == 2)
            break;
        if (wish == 1 && !live->draining) {
            live->draining = true;
            kdp_session_stop(live->session, now, kdpi_now_ns());
        }
        if (live->draining && (kdp_session_drained(live->session, now, &left) || left <= 0))
            break;
        rc = turn(live, wait_ms(live, now));
    }
    return rc;
}

int
kdp_live_hang_up(struct kdp_live *live)
{
    int rc = 0;

    for (unsigned i = 1; rc == 0 && i < live->lines_end; i++)
        rc = live_line_end(live, &live->lines[i], KDP_REASON_INPUT, "the run ends");
    return rc;
}

static int
watch(struct kdp_live *live, int fd, uint32_t id)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = id};

    return epoll_ctl(live->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : kdpi_fail_errno(errno, "cannot poll");
}

int
kdp_live_open(struct kdp_live **livep, const struct kdp_live_config *config)
{
    struct kdp_live *live = calloc(1, sizeof *live);
    struct kdp_http_config http = {.base_url = config->base_url,
                                   .ca_file = config->ca_file,
                                   .signer = config->signer,
                                   .token = config->token};
    int rc;

    *livep = live;
    if (live == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the feed");
    live->config = *config;
    live->epoll = live->made_fd = -1;
    live->lines_end = 1;
    pthread_mutex_init(&live->lock, NULL);
    live->message_max =
        config->input_max > 0 && config->input_max < KDP_INPUT_MAX ? config->input_max : KDP_INPUT_MAX;
    /* one input holds a body, its path and its head */
    if (live->message_max < KDP_INPUT_MAX)
        http.body_max = live->message_max > 65536 * 2 ? live->message_max - 65536 : live->message_max / 2;
    live->wall_less_mono = kdpi_now_ns() - kdpi_mono_ns();
    /* without a key there is no line, and what is trusted is trusted for REST */
    rc = kdpi_url_parse(&live->ws_url, config->session.keyless ? config->base_url : config->ws_url);
    if (rc == 0 && live->ws_url.tls)
        rc = kdp_tls_client(&live->context, config->ca_file);
    if (rc == 0 && ((live->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
                    (live->made_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0))
        rc = kdpi_fail_errno(errno, "cannot poll");
    if (rc == 0)
        rc = watch(live, live->made_fd, ID_MADE);
    http.context = live->context; /* NULL: the stream is plain */
    if (rc == 0)
        rc = kdp_http_open(&live->http, &http);
    if (rc == 0)
        rc = watch(live, kdp_http_fd(live->http), ID_HTTP);
    if (rc == 0)
        rc = kdp_session_open(&live->session, &config->session);
    if (rc != 0) {
        kdp_live_close(live);
        *livep = NULL;
    }
    return rc;
}

void
kdp_live_close(struct kdp_live *live)
{
    if (live == NULL)
        return;
    live_connect_give_up(live);
    for (unsigned i = 1; i < live->lines_end; i++) { /* after an error: nobody is told any more */
        if (!live->lines[i].up)
            continue;
        kdp_tls_close(live->lines[i].tls, false);
        kdp_ws_close(live->lines[i].ws);
    }
    if (live->http != NULL)
        kdp_http_close(live->http);
    if (live->session != NULL)
        kdp_session_close(live->session);
    if (live->context != NULL)
        kdp_tls_context_free(live->context);
    if (live->made_fd >= 0)
        close(live->made_fd);
    if (live->epoll >= 0)
        close(live->epoll);
    pthread_mutex_destroy(&live->lock);
    free(live);
}

struct kdp_session *
kdp_live_session(struct kdp_live *live)
{
    return live->session;
}

void
kdp_live_stats(const struct kdp_live *live, struct kdp_live_stats *stats)
{
    *stats = (struct kdp_live_stats){.frames = live->frames,
                                     .bytes = live->bytes,
                                     .answers = live->answers,
                                     .too_long = live->too_long,
                                     .draining = live->draining,
                                     .clock_off = live->clock_off,
                                     .age = &live->age,
                                     .to_ring = &live->to_ring};
}
