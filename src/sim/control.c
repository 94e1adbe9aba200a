/* control.c - the control socket DIR/control: one line in, "ok" or "refused" and a text out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define CONTROLS_MAX 32u

struct sim_control {
    struct sim_control *next;
    int fd;
    char line[1024];
    size_t len;
    struct sim_text out;
    size_t sent;
    bool answering;
};

/* ---- the lines ---- */
static void
put_levels(FILE *out, const struct kdp_exchange_level *levels, uint32_t count, bool mirror)
{
    fputc('[', out);
    for (uint32_t i = 0; i < count; i++) {
        struct sim_text text = {0};

        sim_puts(&text, i == 0 ? "[\"" : ",[\"");
        sim_put_price(&text, mirror ? 10000 - levels[i].price_e4 : levels[i].price_e4);
        sim_lit(&text, "\",\"");
        sim_put_size(&text, levels[i].size_e2);
        sim_lit(&text, "\"]");
        fwrite(text.data, 1, text.len, out);
        sim_text_free(&text);
    }
    fputc(']', out);
}

void
kdp_sim_books(const struct kdp_sim *sim, FILE *out)
{
    fputs("{\"markets\":{", out);
    for (uint32_t i = 0; i < kdp_exchange_market_count(sim->exchange); i++) {
        struct kdp_exchange_market m;

        kdp_exchange_market_at(sim->exchange, i, &m);
        fprintf(out, "%s\n\"%s\":{\"status\":\"%s\",\"bids\":", i == 0 ? "" : ",", m.ticker,
                sim_statuses[m.status % 9]);
        put_levels(out, m.bids[0], m.bid_count[0], false);
        fputs(",\"asks\":", out);
        put_levels(out, m.bids[1], m.bid_count[1], true);
        fputc('}', out);
    }
    fputs("\n}}\n", out);
}

static void
put_stats(const struct kdp_sim *sim, struct sim_text *reply)
{
    struct kdp_sim_stats stats;
    bool first = true;

    kdp_sim_stats(sim, &stats);
    sim_putf(reply,
             "{\"seconds\":%.3f,\"markets\":%u,\"markets_open\":%u,\"past_markets\":%u,\"trades\":%llu,"
             "\"frames_sent\":%llu,"
             "\"frames_lost\":%llu,\"rest_requests\":%llu,\"rest_limited\":%llu,\"rest_signed\":%llu,\"auth_"
             "refused\":%llu,"
             "\"clients\":%llu,"
             "\"clients_seen\":%llu,\"overflows\":%llu,\"faults_done\":%llu,\"faults_missed\":%llu,\"faults_"
             "waiting\":%u,"
             "\"quiet\":%s,\"paused\":%s,\"connections\":[",
             (double)(sim->mono_ns - sim->opened_mono_ns) * 1e-9, stats.markets, stats.markets_open,
             stats.past_markets, (unsigned long long)sim_trade_count(sim),
             (unsigned long long)stats.frames_sent, (unsigned long long)sim->lost_frames,
             (unsigned long long)stats.rest_requests, (unsigned long long)stats.rest_limited,
             (unsigned long long)sim->rest_signed, (unsigned long long)sim->auth_refused,
             (unsigned long long)stats.clients, (unsigned long long)stats.clients_seen,
             (unsigned long long)sim->overflows, (unsigned long long)stats.faults_done,
             (unsigned long long)sim->faults_missed, sim->armed_count, sim->quiet ? "true" : "false",
             sim_paused(sim) ? "true" : "false");
    for (const struct sim_session *s = sim->sessions; s != NULL; s = s->next) {
        size_t out;

        kdp_ws_output(s->ws, &out);
        sim_putf(reply, "%s\n{\"connection\":%u,\"output\":%zu,\"commands\":%llu,\"subscriptions\":[",
                 first ? "" : ",", s->number, out, (unsigned long long)s->commands);
        first = true;
        for (unsigned i = 0; i < SIM_CHANNELS; i++) {
            const struct sim_sub *sub = &s->subs[i];

            if (!sub->on)
                continue;
            sim_putf(reply, "%s{\"sid\":%u,\"channel\":\"%s\",\"seq\":%llu,\"markets\":", first ? "" : ",",
                     sub->sid, sim_channels[i].name, (unsigned long long)sub->seq);
            if (sub->all || !sim_channels[i].filtered)
                sim_lit(reply, "\"all\"}");
            else
                sim_putf(reply, "%u}", sub->wanted.count);
            first = false;
        }
        sim_lit(reply, "]}");
        first = false;
    }
    sim_lit(reply, "]}\n");
}

static void
put_stream(struct sim_text *reply, char *data, size_t len)
{
    sim_put(reply, data, len);
    free(data);
}

static int
put_printed(const struct kdp_sim *sim, bool books, struct sim_text *reply)
{
    char *data = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&data, &len);

    if (file == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for an answer");
    if (books)
        kdp_sim_books(sim, file);
    else
        kdp_sim_fault_list(file);
    fclose(file);
    put_stream(reply, data, len);
    return 0;
}

static const char help[] =
    "books            true books of all markets, as JSON\n"
    "trades [FROM_NS] trades since then, a JSON object a line, oldest first\n"
    "trades FILE [FROM [TO]] the same into a file, .csv or lines of JSON; says counts and sums\n"
    "cutoff [+SPAN | TIME | now] where the tiers part, moved on\n"
    "stats            counters and connections, as JSON\n"
    "quiet | go       nothing more happens by itself, and it goes on\n"
    "faults           the table of faults\n"
    "clear            no fault waits any more, no mix goes on\n"
    "AT SPAN LINE     later; EVERY SPAN LINE again and again\n"
    "stop             end the simulator\n"
    "FAULT ...        a line of that table: gap sid=book count=3\n";

static bool
is(const char *line, const char *word, const char **restp)
{
    size_t len = strlen(word);

    if (strncmp(line, word, len) != 0 || (line[len] != 0 && line[len] != ' '))
        return false;
    *restp = line + len + strspn(line + len, " ");
    return true;
}

int
sim_control_line(struct kdp_sim *sim, const char *line, struct sim_text *reply)
{
    struct kdp_sim_fault fault;
    const char *rest;
    int rc;

    line += strspn(line, " \t");
    if (is(line, "books", &rest) && *rest == 0)
        return put_printed(sim, true, reply);
    if (is(line, "faults", &rest) && *rest == 0)
        return put_printed(sim, false, reply);
    if (is(line, "help", &rest) && *rest == 0) {
        sim_puts(reply, help);
    } else if (is(line, "stats", &rest) && *rest == 0) {
        put_stats(sim, reply);
    } else if (is(line, "trades", &rest)) {
        return sim_truth(sim, rest, reply);
    } else if (is(line, "cutoff", &rest)) {
        return sim_cutoff_line(sim, rest, reply);
    } else if (is(line, "quiet", &rest) && *rest == 0) {
        sim->quiet = true;
    } else if (is(line, "go", &rest) && *rest == 0) {
        sim->catching = sim->catching || sim->quiet;
        sim->quiet = false;
        if (sim->config.exchange.hold)
            kdp_exchange_release(sim->exchange, sim->now_ns);
        sim->config.exchange.hold = false;
    } else if (is(line, "clear", &rest) && *rest == 0) {
        sim->armed_count = 0;
        sim->armed_mask = 0;
        sim->mix_rate_e6 = 0;
    } else if (is(line, "stop", &rest) && *rest == 0) {
        sim->stopping = true;
    } else if (is(line, "AT", &rest) || is(line, "EVERY", &rest)) {
        return sim_fault_line(sim, line);
    } else {
        rc = kdp_sim_fault_parse(&fault, line);
        if (rc == 0) {
            rc = sim_fault_do(sim, &fault, reply);
            if (rc == 0 && reply->len > 0)
                sim_lit(reply, "\n");
        }
        return rc;
    }
    return 0;
}

/* ---- the socket ---- */

/* A path of any length fits when it goes through the folder's own descriptor. */
static int
address(const char *dir, struct sockaddr_un *un, int *dir_fdp)
{
    *dir_fdp = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fdp < 0) {
        int rc = kdpi_fail_errno(errno, "no such simulator folder: %s", dir);

        kdpi_hint("kdp sim --dir %s starts one in it; kdp sim ctl without --dir finds the one that runs",
                  dir);
        return rc;
    }
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/control", *dir_fdp);
    return 0;
}

int
sim_control_open(struct kdp_sim *sim)
{
    struct sockaddr_un un;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sim->control_listener};
    int dir_fd, rc = address(sim->dir, &un, &dir_fd), probe;

    if (rc != 0)
        return rc;
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, (const struct sockaddr *)&un, sizeof un) == 0) {
        close(probe);
        close(dir_fd);
        rc = kdpi_fail(KDP_EBUSY, "another simulator runs in this folder: %s", sim->dir);
        kdpi_hint("Give another with --dir, or end that one: kdp sim ctl --dir %s stop", sim->dir);
        return rc;
    }
    if (probe >= 0)
        close(probe);
    unlink(un.sun_path);
    sim->control_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sim->control_listener < 0 ||
        bind(sim->control_listener, (const struct sockaddr *)&un, sizeof un) != 0 ||
        chmod(un.sun_path, 0600) != 0 || listen(sim->control_listener, 16) != 0 ||
        epoll_ctl(sim->epoll, EPOLL_CTL_ADD, sim->control_listener, &event) != 0)
        rc = kdpi_fail_errno(errno, "cannot make the control socket: %s/control", sim->dir);
    close(dir_fd);
    return rc;
}

static void
control_end(struct kdp_sim *sim, struct sim_control *control)
{
    struct sim_control **at = &sim->controls;

    while (*at != control)
        at = &(*at)->next;
    *at = control->next;
    close(control->fd);
    sim_text_free(&control->out);
    free(control);
}

void
sim_control_accept(struct kdp_sim *sim)
{
    int fd = accept4(sim->control_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct sim_control *control;
    struct epoll_event event = {.events = EPOLLIN};
    unsigned count = 0;

    if (fd < 0)
        return;
    for (control = sim->controls; control != NULL; control = control->next)
        count++;
    control = count < CONTROLS_MAX ? calloc(1, sizeof *control) : NULL;
    event.data.ptr = control;
    if (control == NULL || epoll_ctl(sim->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(control);
        close(fd);
        return;
    }
    control->fd = fd;
    control->next = sim->controls;
    sim->controls = control;
}

static void
answer(struct kdp_sim *sim, struct sim_control *control)
{
    struct sim_text reply = {0};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = control};
    int rc;

    control->line[strcspn(control->line, "\r\n")] = 0;
    rc = sim_control_line(sim, control->line, &reply);
    if (rc == 0) {
        sim_lit(&control->out, "ok\n");
        if (reply.len > 0)
            sim_put(&control->out, reply.data, reply.len);
    } else {
        sim_putf(&control->out, "refused\n%s\n%s", kdp_error_text(), kdp_error_hint());
    }
    sim_text_free(&reply);
    control->answering = true;
    epoll_ctl(sim->epoll, EPOLL_CTL_MOD, control->fd, &event);
}

bool
sim_control_event(struct kdp_sim *sim, void *ptr, uint32_t events)
{
    struct sim_control *control = sim->controls;
    ssize_t got;

    while (control != NULL && control != ptr)
        control = control->next;
    if (control == NULL)
        return false;
    if (!control->answering) {
        got = read(control->fd, control->line + control->len, sizeof control->line - 1 - control->len);
        if (got > 0)
            control->len += (size_t)got;
        control->line[control->len] = 0;
        if (strchr(control->line, '\n') != NULL)
            answer(sim, control);
        else if ((got < 0 && errno != EAGAIN) || got == 0 || control->len == sizeof control->line - 1)
            control_end(sim, control);
        return true;
    }
    (void)events;
    got =
        send(control->fd, control->out.data + control->sent, control->out.len - control->sent, MSG_NOSIGNAL);
    if (got > 0)
        control->sent += (size_t)got;
    if ((got < 0 && errno != EAGAIN) || control->sent == control->out.len)
        control_end(sim, control);
    return true;
}

void
sim_control_close(struct kdp_sim *sim)
{
    while (sim->controls != NULL) {
        struct sim_control *control = sim->controls;

        if (control->answering && control->sent < control->out.len) /* the answer to "stop" */
            (void)!send(control->fd, control->out.data + control->sent, control->out.len - control->sent,
                        MSG_NOSIGNAL);
        control_end(sim, control);
    }
    if (sim->control_listener >= 0)
        close(sim->control_listener);
}

/* ---- the other end: kdp sim ctl ---- */
int
kdp_sim_ask(const char *dir, const char *line, char **replyp, size_t *lenp)
{
    struct sockaddr_un un;
    struct sim_text all = {0};
    struct timeval patience = {.tv_sec = 60};
    char buf[65536];
    ssize_t got = 0;
    int dir_fd, fd, rc = address(dir, &un, &dir_fd);
    size_t head;

    if (rc != 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(fd, (const struct sockaddr *)&un, sizeof un) != 0) {
        rc = kdpi_fail(KDP_ENET, "no simulator answers in this folder: %s: %s", dir, strerror(errno));
        kdpi_hint("kdp sim --dir %s starts one", dir);
    } else if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 || send(fd, "\n", 1, MSG_NOSIGNAL) < 0) {
        rc = kdpi_fail_errno(errno, "cannot ask the simulator: %s", dir);
    }
    while (rc == 0 && (got = read(fd, buf, sizeof buf)) > 0)
        sim_put(&all, buf, (size_t)got);
    if (fd >= 0)
        close(fd);
    close(dir_fd);
    if (rc == 0 && (got < 0 || all.len == 0))
        rc = kdpi_fail(KDP_ECLOSED, "the simulator gave no answer: %s", dir);
    if (rc != 0) {
        sim_text_free(&all);
        return rc;
    }
    sim_put(&all, "", 1);
    if (strncmp(all.data, "ok\n", 3) == 0) {
        memmove(all.data, all.data + 3, all.len - 3);
        *replyp = all.data;
        *lenp = all.len - 4;
        return 0;
    }
    head = strcspn(all.data, "\n");
    {
        char *words = all.data[head] != 0 ? all.data + head + 1 : all.data, *hint = strchr(words, '\n');

        if (hint != NULL)
            *hint++ = 0;
        rc = kdpi_fail(KDP_EREFUSED, "%s", words);
        if (hint != NULL && *hint != 0)
            kdpi_hint("%s", hint);
    }
    sim_text_free(&all);
    return rc;
}
