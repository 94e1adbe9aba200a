/* live_line.c - one connection of the feed thread: bytes to messages to inputs, and commands out.
 *
 * A read that filled its room leaves the line ready: TLS may hold bytes decrypted that no poll sees. */
#include "live_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "log.h"

static int
feed_line(struct kdp_live *live, struct live_line *line, enum kdp_input_kind kind, uint32_t reason,
          const char *words)
{
    struct kdp_input_line what = {.epoch = line->epoch, .reason = reason};

    return live_feed(live, kind, line->number, kdpi_now_ns(), &what, sizeof what, words, strlen(words));
}

int
live_line_adopt(struct kdp_live *live, struct live_line *line, struct kdp_ws_connected *made)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = line->number};
    int rc;

    if (line->up) /* the session asked twice: the one that works stays */
        return 0;
    if (epoll_ctl(live->epoll, EPOLL_CTL_ADD, kdp_tls_fd(made->tls), &event) != 0)
        return kdpi_fail_errno(errno, "cannot watch connection %u", line->number);
    line->tls = made->tls;
    line->ws = made->ws;
    made->tls = NULL;
    made->ws = NULL;
    line->up = line->ready = true;
    line->blocked = false;
    line->epoch++;
    line->recv_ns = kdpi_now_ns(); /* of messages that came with the reply */
    rc = feed_line(live, line, KDP_INPUT_CONNECTED, KDP_REASON_CONNECTED, live->config.ws_url);
    if (rc != 0)
        return rc;
    kdpi_log(KDP_LOG_INFO, "connected", "line=%u epoch=%u tls=%s", line->number, line->epoch,
             kdp_tls_version(line->tls));
    kdp_session_up(live->session, line->number, kdpi_mono_ns());
    return 0;
}

/* Writes what there is to say: 0 all of it, 1 the socket takes no more now, or an error. */
static int
push(struct live_line *line)
{
    for (;;) {
        size_t len;
        const void *out = kdp_ws_output(line->ws, &len);
        int64_t n;

        if (len == 0 && !kdp_tls_wants_write(line->tls))
            return 0;
        n = kdp_tls_write(line->tls, out, len < 16384 ? len : 16384);
        if (n < 0)
            return (int)n;
        kdp_ws_sent(line->ws, (size_t)n);
        if (n == 0)
            return len > 0 || kdp_tls_wants_write(line->tls);
    }
}

int
live_line_end(struct kdp_live *live, struct live_line *line, uint32_t reason, const char *words)
{
    char kept[256];
    int rc;

    if (!line->up)
        return 0;
    snprintf(kept, sizeof kept, "%s", words); /* they may lie in what is closed now */
    if (!kdp_ws_closing(line->ws))
        kdp_ws_put_close(line->ws, 1000, "");
    (void)push(line);                /* what was to be said, when it can be at once */
    kdp_tls_close(line->tls, false); /* closing the socket takes it out of the poll */
    kdp_ws_close(line->ws);
    line->tls = NULL;
    line->ws = NULL;
    line->up = line->ready = line->blocked = false;
    kdpi_log(live->draining ? KDP_LOG_INFO : KDP_LOG_WARNING, "disconnected", "line=%u epoch=%u why=\"%s\"",
             line->number, line->epoch, kept);
    rc = feed_line(live, line, KDP_INPUT_DISCONNECTED, reason, kept);
    kdp_session_down(live->session, line->number, reason, kept, kdpi_mono_ns());
    return rc;
}

int
live_line_send(struct kdp_live *live, struct live_line *line)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = line->number};
    size_t len;
    int rc;

    if (!line->up)
        return 0;
    rc = push(line);
    if (rc < 0)
        return live_line_end(live, line, KDP_REASON_DISCONNECTED, kdp_error_text());
    (void)kdp_ws_output(line->ws, &len);
    if (len > LIVE_OUTPUT_MAX)
        return live_line_end(live, line, KDP_REASON_DISCONNECTED, "the exchange does not read what is sent");
    if ((rc > 0) == line->blocked)
        return 0;
    line->blocked = rc > 0;
    event.events |= line->blocked ? (uint32_t)EPOLLOUT : 0u;
    if (epoll_ctl(live->epoll, EPOLL_CTL_MOD, kdp_tls_fd(line->tls), &event) != 0)
        return kdpi_fail_errno(errno, "cannot watch connection %u", line->number);
    return 0;
}

static int
closed_by_peer(struct kdp_live *live, struct live_line *line, const struct kdp_ws_message *message)
{
    char words[256], reason[160];

    kdpi_escape(reason, sizeof reason, message->data != NULL ? message->data : "", message->len);
    snprintf(words, sizeof words, "the exchange closed it: %u%s%s%s", message->close_code,
             reason[0] != '\0' ? " \"" : "", reason, reason[0] != '\0' ? "\"" : "");
    return live_line_end(live, line, KDP_REASON_DISCONNECTED, words); /* its echo goes out there */
}

/* Hands on the messages that are whole, until the line's share is used up (*spentp) or there are no more. */
static int
take_messages(struct kdp_live *live, struct live_line *line, int64_t until_mono, bool *datap, bool *spentp)
{
    struct kdp_ws_message message;
    unsigned count = 0;
    int rc = 0, got;

    while (rc == 0 && (got = kdp_ws_next(line->ws, &message)) != 0) {
        if (got < 0) {
            char words[256];

            snprintf(words, sizeof words, "%s", kdp_error_text());
            /* the close that says what was wrong stands in the output */
            return live_line_end(live, line, KDP_REASON_DISCONNECTED, words);
        }
        if (message.kind == KDP_WS_CLOSE)
            return closed_by_peer(live, line, &message);
        if (message.kind != KDP_WS_TEXT && message.kind != KDP_WS_BINARY)
            continue; /* a ping is answered in the output already */
        if (message.len > live->message_max) {
            char words[128];

            live->too_long++;
            snprintf(words, sizeof words, "a message of %zu bytes is longer than the input ring takes (%zu)",
                     message.len, live->message_max);
            return live_line_end(live, line, KDP_REASON_DISCONNECTED, words);
        }
        rc =
            live_feed(live, KDP_INPUT_FRAME, line->number, line->recv_ns, NULL, 0, message.data, message.len);
        kdp_histogram_add(&live->to_ring, kdpi_now_ns() - line->recv_ns);
        live->frames++;
        *datap = true;
        if ((++count & 31) == 0 && kdpi_mono_ns() >= until_mono) {
            *spentp = true;
            break;
        }
    }
    return rc;
}

int
live_line_work(struct kdp_live *live, struct live_line *line)
{
    int64_t until = kdpi_mono_ns() + LIVE_BURST_NS;
    size_t taken = 0;
    bool data = false, heard = false, spent = false;
    int rc = 0;

    line->ready = false;
    rc = take_messages(live, line, until, &data, &spent); /* left over from the turn before */
    while (rc == 0 && line->up && !spent) {
        size_t room_size;
        void *room = kdp_ws_room(line->ws, &room_size);
        int64_t n;

        if (room == NULL)
            return kdpi_fail(KDP_ENOMEM, "no memory to receive into");
        n = kdp_tls_read(line->tls, room, room_size, &line->recv_ns);
        line->ready = n == (int64_t)room_size;
        if (n == 0)
            break;
        if (n < 0) {
            char words[256];

            snprintf(words, sizeof words, "%s", kdp_error_text());
            rc = live_line_end(live, line, KDP_REASON_DISCONNECTED, words);
            break;
        }
        heard = true;
        taken += (size_t)n;
        live->bytes += (uint64_t)n;
        kdp_ws_received(line->ws, (size_t)n);
        rc = take_messages(live, line, until, &data, &spent);
        if (!line->ready && !spent)
            break;
        spent = spent || taken >= LIVE_BURST_BYTES || kdpi_mono_ns() >= until;
    }
    if (line->up)
        line->ready = line->ready || spent; /* messages are left over */
    if (rc == 0 && line->up && (heard || data))
        kdp_session_heard(live->session, line->number, data, kdpi_mono_ns());
    return rc == 0 ? live_line_send(live, line) : rc; /* pongs */
}
