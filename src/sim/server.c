/* server.c - the simulator's sockets and its one loop: connections, the exchange's clock, faults, control.
 *
 * Level-triggered epoll, one thread.  A round reads the clocks once, takes what came, lets the exchange run, makes the snapshots
 * owed and writes each connection's output.  Frames go out in TLS records of so many as asked for: a batch that is not full
 * waits at most HOLD_NS for more. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define HOLD_NS (20 * KDP_NS_PER_MS)
#define RECORD_MAX 16384u
#define RUN_MAX 2000u                /* events in a round */
#define CATCH_BELOW (1u << 20)       /* bytes of output above which catching up waits */
#define IDLE_NS (120 * KDP_NS_PER_S) /* of a connection that is no session */
#define READS_MAX 16u                /* of one connection in a round */

int64_t
sim_exchange_now(const struct kdp_sim *sim)
{
    return sim->now_ns + sim->clock_offset_ns;
}

struct sim_conn *
sim_conn_find(struct kdp_sim *sim, uint32_t number)
{
    struct sim_conn *conn = sim->conns;

    while (conn != NULL && conn->number != number)
        conn = conn->next;
    return conn;
}

/* Marks it: it is closed at the end of the round, when nobody holds it any more. */
void
sim_conn_end(struct sim_conn *conn, bool reset)
{
    conn->dead = true;
    conn->reset = conn->reset || reset;
}

static void
conn_free(struct kdp_sim *sim, struct sim_conn *conn)
{
    struct kdp_ws *ws = conn->session != NULL ? conn->session->ws : NULL;

    if (conn->session != NULL)
        sim_session_close(conn->session);
    sim_armed_forget(sim, conn->number);
    sim_bulk_end(conn);
    kdp_ws_close(ws);
    kdp_tls_close(conn->tls, conn->reset);
    sim_text_free(&conn->out);
    free(conn);
    sim->conn_count--;
}

static void
accept_some(struct kdp_sim *sim)
{
    for (unsigned i = 0; i < 16; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        int fd = accept4(sim->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct sim_conn *conn;

        if (fd < 0)
            return;
        conn = sim->conn_count < SIM_REQUESTS_MAX ? calloc(1, sizeof *conn) : NULL;
        if (conn == NULL || kdp_tls_accept(&conn->tls, fd, sim->context) != 0) {
            free(conn);
            close(fd);
            continue;
        }
        conn->sim = sim;
        conn->fd = fd;
        conn->number = ++sim->conn_last;
        conn->events = EPOLLIN;
        conn->made_ns = sim->mono_ns;
        conn->next = sim->conns;
        sim->conns = conn;
        sim->conn_count++;
        event.data.ptr = conn;
        if (epoll_ctl(sim->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            sim_conn_end(conn, false);
    }
}

/* ---- in ---- */
static void
take_messages(struct sim_conn *conn)
{
    struct sim_session *session = conn->session;
    struct kdp_ws_message message;
    size_t before, after;
    int got;

    for (;;) {
        kdp_ws_output(session->ws, &before);
        got = kdp_ws_next(session->ws, &message);
        kdp_ws_output(session->ws, &after);
        if (after > before) /* a pong or a close that it put there */
            sim_session_count(session, after - before);
        if (got != 1)
            break;
        conn->heard_ns = conn->sim->mono_ns;
        if (message.kind == KDP_WS_TEXT)
            sim_session_command(session, message.data, message.len);
    }
    if (got < 0) /* the close is in the output; it goes out as far as it will */
        conn->http_end = true;
}

static void
conn_read(struct sim_conn *conn)
{
    for (unsigned i = 0; i < READS_MAX && !conn->dead; i++) {
        int64_t recv_ns, got;
        size_t room;
        char *at;

        if (conn->session != NULL) {
            at = kdp_ws_room(conn->session->ws, &room);
        } else {
            at = conn->in + conn->in_len;
            room = sizeof conn->in - conn->in_len;
        }
        if (at == NULL || room == 0) {
            if (at == NULL)
                sim_conn_end(conn, false);
            return;
        }
        got = kdp_tls_read(conn->tls, at, room, &recv_ns);
        if (got < 0) {
            sim_conn_end(conn, false);
            return;
        }
        if (got == 0)
            return;
        if (conn->session != NULL) {
            kdp_ws_received(conn->session->ws, (size_t)got);
            take_messages(conn);
        } else {
            conn->in_len += (size_t)got;
            conn->made_ns = conn->sim->mono_ns;
            sim_http_input(conn);
            if (conn->session != NULL)
                take_messages(conn);
        }
    }
}

/* ---- out ---- */

/* How many bytes of the output make the next record; 0: wait for more frames. */
static size_t
record_len(const struct sim_session *session, size_t out)
{
    unsigned per_record = session->sim->config.per_record;
    size_t len = 0;
    uint32_t i = 0;

    if (per_record == 0 || session->frame_count == 0)
        return out < RECORD_MAX ? out : RECORD_MAX;
    if (session->frame_count < per_record && session->sim->mono_ns - session->frames_since_ns < HOLD_NS)
        return 0;
    while (i < per_record && i < session->frame_count) {
        len += session->frames[(session->frame_first + i++) % session->frame_size];
        if (len >= RECORD_MAX)
            break;
    }
    if (len > out)
        len = out;
    return len < RECORD_MAX ? len : RECORD_MAX;
}

static void
frames_sent(struct sim_session *session, size_t len)
{
    while (len > 0 && session->frame_count > 0) {
        uint32_t *first = &session->frames[session->frame_first];

        if (*first > len) {
            *first -= (uint32_t)len;
            return;
        }
        len -= *first;
        session->frame_first = (session->frame_first + 1) % session->frame_size;
        session->frame_count--;
    }
    session->frames_since_ns = session->sim->mono_ns;
}

/* How much a slow link takes now. */
static size_t
link_room(struct sim_conn *conn, size_t len)
{
    struct kdp_sim *sim = conn->sim;

    if (conn->slow_bytes == 0)
        return len;
    if (sim->mono_ns >= conn->slow_until_ns) {
        conn->slow_bytes = 0;
        return len;
    }
    conn->slow_credit += (sim->mono_ns - conn->slow_at_ns) / 1000 * conn->slow_bytes / 1000000;
    conn->slow_at_ns = sim->mono_ns;
    if (conn->slow_credit > conn->slow_bytes / 4) /* a quarter of a second at once */
        conn->slow_credit = conn->slow_bytes / 4;
    if (conn->slow_credit <= 0)
        return 0;
    return (int64_t)len < conn->slow_credit ? len : (size_t)conn->slow_credit;
}

static bool
write_session(struct sim_conn *conn)
{
    struct sim_session *session = conn->session;

    for (;;) {
        size_t out, len;
        const char *bytes = kdp_ws_output(session->ws, &out);
        int64_t took;

        if (out == 0) {
            for (unsigned i = 0; i < SIM_CHANNELS; i++)
                session->subs[i].bytes = 0;
            session->allowed = 0;
            break;
        }
        len = record_len(session, out);
        len = len > 0 ? link_room(conn, len) : 0;
        if (len == 0)
            return true; /* later, by the clock */
        took = kdp_tls_write(conn->tls, bytes, len);
        if (took < 0)
            return false;
        if (took == 0)
            return true;
        if (conn->slow_bytes != 0)
            conn->slow_credit -= took;
        kdp_ws_sent(session->ws, (size_t)took);
        frames_sent(session, (size_t)took);
    }
    if (session->raw_len > 0) {
        int64_t took = kdp_tls_write(conn->tls, session->raw, session->raw_len);

        if (took > 0)
            session->raw_len = 0;
        return took >= 0;
    }
    return true;
}

void
sim_conn_write(struct sim_conn *conn)
{
    struct kdp_sim *sim = conn->sim;
    int64_t took;

    if (conn->dead || sim->mono_ns < conn->stall_until_ns)
        return;
    if (conn->bulk != NULL) {
        sim_bulk_pump(conn);
        if (conn->bulk == NULL) /* the last of it is in the output: what was asked meanwhile comes behind */
            sim_http_input(conn);
    }
    while (conn->out_sent < conn->out.len) {
        size_t len = conn->out.len - conn->out_sent;

        len = conn->session == NULL ? link_room(conn, len) : len;
        if (len == 0)
            break; /* later, by the clock */
        took = kdp_tls_write(conn->tls, conn->out.data + conn->out_sent, len < RECORD_MAX ? len : RECORD_MAX);
        if (took < 0) {
            sim_conn_end(conn, false);
            return;
        }
        if (took == 0)
            break;
        if (conn->slow_bytes != 0)
            conn->slow_credit -= took;
        conn->made_ns = sim->mono_ns; /* it is not idle */
        conn->out_sent += (size_t)took;
    }
    if (conn->out.len > 0 && conn->out_sent == conn->out.len) {
        if (conn->session == NULL)
            conn->slow_bytes = 0; /* of that answer alone */
        if (conn->out.len > 1u << 20)
            sim_text_free(&conn->out);
        conn->out.len = conn->out_sent = 0;
    }
    if (conn->session != NULL && conn->out.len == 0 && !write_session(conn)) {
        sim_conn_end(conn, false);
        return;
    }
    if (kdp_tls_wants_write(conn->tls) && kdp_tls_write(conn->tls, "", 0) < 0)
        sim_conn_end(conn, false);
}

static bool
has_output(const struct sim_conn *conn, bool *laterp) /* later: it waits for the clock, not for the socket */
{
    size_t out = 0;

    *laterp = false;
    if (conn->sim->mono_ns < conn->stall_until_ns)
        return false;
    *laterp = conn->session == NULL && conn->slow_bytes != 0 && conn->out.len > 0;
    if (*laterp)
        return false;
    if (kdp_tls_wants_write(conn->tls) || conn->out.len > 0 || conn->bulk != NULL)
        return true;
    if (conn->session == NULL)
        return false;
    kdp_ws_output(conn->session->ws, &out);
    if (out == 0)
        return false;
    *laterp = conn->slow_bytes != 0 || record_len(conn->session, out) == 0;
    return !*laterp;
}

/* Pings, timeouts, ends; then what epoll shall wait for. */
static void
conn_keep(struct sim_conn *conn)
{
    struct kdp_sim *sim = conn->sim;
    struct sim_session *session = conn->session;
    uint32_t events = EPOLLIN;
    bool later, out;

    if (session == NULL) {
        if (sim->mono_ns - conn->made_ns > IDLE_NS ||
            (conn->http_end && conn->out.len == 0 && conn->bulk == NULL && !conn->held &&
             !kdp_tls_wants_write(conn->tls)))
            sim_conn_end(conn, false);
    } else {
        bool stalled = sim->mono_ns < conn->stall_until_ns;

        if (session->muted && sim->mono_ns >= conn->mute_until_ns)
            session->muted = false;
        if (stalled) {
            conn->heard_ns = sim->mono_ns; /* it could not be heard */
        } else if (sim->mono_ns >= conn->ping_ns) {
            sim_session_frame(session, KDP_WS_PING, "heartbeat", 9);
            conn->ping_ns = sim->mono_ns + (int64_t)sim->config.ping_ms * KDP_NS_PER_MS;
            sim_conn_write(conn);
        }
        if (session->overrun ||
            sim->mono_ns - conn->heard_ns > (int64_t)sim->config.pong_wait_ms * KDP_NS_PER_MS)
            sim_conn_end(conn, true);
        if (kdp_ws_closing(session->ws)) {
            size_t left;

            kdp_ws_output(session->ws, &left);
            if (left == 0 && (kdp_ws_closed(session->ws) || conn->http_end))
                sim_conn_end(conn, false);
        }
    }
    if (conn->dead)
        return;
    out = has_output(conn, &later);
    if (conn->session == NULL && conn->in_len == sizeof conn->in)
        events = 0; /* a request behind one that is not answered yet */
    if (out)
        events |= EPOLLOUT;
    if (events != conn->events) {
        struct epoll_event event = {.events = events, .data.ptr = conn};

        if (epoll_ctl(sim->epoll, EPOLL_CTL_MOD, conn->fd, &event) != 0)
            sim_conn_end(conn, false);
        conn->events = events;
    }
}

/* ---- the loop ---- */
void
sim_read_clocks(struct kdp_sim *sim)
{
    sim->now_ns = kdpi_now_ns();
    sim->mono_ns = kdpi_mono_ns();
}

static int
run_exchange(struct kdp_sim *sim)
{
    int64_t next;

    if (sim->catching) {
        for (const struct sim_session *s = sim->sessions; s != NULL; s = s->next) {
            size_t out;

            kdp_ws_output(s->ws, &out);
            if (out > CATCH_BELOW) {
                sim->run_mono_ns = sim->mono_ns + KDP_NS_PER_MS;
                return 0;
            }
        }
    }
    next = kdp_exchange_run(sim->exchange, sim->now_ns, RUN_MAX);
    if (next < 0)
        return (int)next;
    if (next > sim->now_ns)
        sim->catching = false;
    sim->run_mono_ns = next == INT64_MAX ? INT64_MAX : sim->mono_ns + (next - sim->now_ns);
    return 0;
}

/* When the next round is due at the latest, mono. */
static int64_t
next_due(const struct kdp_sim *sim)
{
    int64_t due = sim->quiet || sim_paused(sim) ? INT64_MAX : sim->run_mono_ns, fault = sim_fault_due(sim);

    if (fault < due)
        due = fault;
    for (const struct sim_conn *conn = sim->conns; conn != NULL; conn = conn->next) {
        bool later;

        if (conn->session == NULL && conn->slow_bytes == 0)
            continue;
        if (conn->session != NULL && conn->ping_ns < due)
            due = conn->ping_ns;
        if (conn->session != NULL && sim_session_owes(conn->session) && conn->events == EPOLLIN)
            due = sim->mono_ns;
        has_output(conn, &later);
        if (later && sim->mono_ns + KDP_NS_PER_MS < due)
            due = sim->mono_ns + KDP_NS_PER_MS;
    }
    return due;
}

static int
wait_events(struct kdp_sim *sim, struct epoll_event *events, int max, int64_t wait_ns)
{
    struct timespec span = {wait_ns / KDP_NS_PER_S, wait_ns % KDP_NS_PER_S};
    int got = epoll_pwait2(sim->epoll, events, max, &span, NULL);

    if (got < 0 && errno == ENOSYS) /* before Linux 5.11 */
        got = epoll_wait(sim->epoll, events, max, (int)((wait_ns + KDP_NS_PER_MS - 1) / KDP_NS_PER_MS));
    return got;
}

void
sim_end_dead(struct kdp_sim *sim)
{
    struct sim_conn **at = &sim->conns;

    while (*at != NULL) {
        struct sim_conn *conn = *at;

        if (conn->dead) {
            *at = conn->next;
            conn_free(sim, conn);
        } else {
            at = &conn->next;
        }
    }
}

int
kdp_sim_work(struct kdp_sim *sim, int wait_ms)
{
    struct epoll_event events[64];
    int64_t until, due;
    int got, rc = 0;

    sim_read_clocks(sim);
    due = next_due(sim);
    until = sim->mono_ns + (int64_t)wait_ms * KDP_NS_PER_MS;
    if (due > until)
        due = until;
    got = wait_events(sim, events, 64, due > sim->mono_ns ? due - sim->mono_ns : 0);
    if (got < 0 && errno != EINTR)
        return kdpi_fail_errno(errno, "the simulator cannot wait for its sockets");
    sim_read_clocks(sim);
    for (int i = 0; i < got; i++) {
        void *ptr = events[i].data.ptr;

        if (ptr == &sim->listener)
            accept_some(sim);
        else if (ptr == &sim->control_listener)
            sim_control_accept(sim);
        else if (!sim_control_event(sim, ptr, events[i].events) &&
                 (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            conn_read(ptr);
    }
    sim_fault_work(sim);
    if (!sim->quiet && !sim_paused(sim))
        rc = run_exchange(sim);
    for (struct sim_conn *conn = sim->conns; conn != NULL; conn = conn->next) {
        if (conn->session != NULL)
            sim_session_pump(conn->session);
        sim_conn_write(conn);
        conn_keep(conn);
    }
    sim_end_dead(sim);
    return rc != 0 ? rc : sim->stopping;
}
