/* server_http.c - from bytes to requests: REST with keep-alive, and the upgrade to a WebSocket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

static const char *
reason(int status)
{
    static const struct {
        int status;
        const char *words;
    } rows[] = {{200, "OK"},
                {301, "Moved Permanently"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {413, "Content Too Large"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"}};

    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].status == status)
            return rows[i].words;
    }
    return "Unknown";
}

static void
put_date(const struct kdp_sim *sim, struct sim_text *text)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(sim_exchange_now(sim) / KDP_NS_PER_S);
    struct tm tm;

    gmtime_r(&now, &tm);
    sim_putf(text, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
sim_http_answer(struct sim_conn *conn, int status, const char *headers, const char *body, size_t len)
{
    struct sim_harm harm = status == 200 ? conn->harm : (struct sim_harm){0};
    size_t give = harm.cut || harm.shortened || harm.chunk_cut ? len / 2 : len;
    bool typed = strncmp(headers, "Content-Type:", 13) == 0;

    if (harm.cut || harm.chunk_cut) /* more is promised than comes */
        conn->http_end = true;
    sim_putf(&conn->out, "HTTP/1.1 %d %s\r\n", status, reason(status));
    put_date(conn->sim, &conn->out);
    if (harm.chunk_cut)
        sim_lit(&conn->out, "Transfer-Encoding: chunked\r\n");
    else
        sim_putf(&conn->out, "Content-Length: %zu\r\n", harm.big + (harm.shortened ? give : len));
    sim_putf(&conn->out, "%s%s%s", typed ? "" : "Content-Type: application/json\r\n", headers,
             conn->public && status == 200 ? "Cache-Control: public, max-age=15\r\n" : "");
    sim_puts(&conn->out, conn->http_end ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
    if (harm.big > 0) {
        sim_text_room(&conn->out, harm.big);
        memset(conn->out.data + conn->out.len, ' ', harm.big);
        conn->out.len += harm.big;
    }
    if (harm.chunk_cut)
        sim_putf(&conn->out, "%zx\r\n", give);
    sim_put(&conn->out, body, give);
    if (harm.chunk_cut)
        sim_lit(&conn->out, "\r\n");
}

/* Three shapes of errors are about (docs/exchange.md 2); status counts first for whoever reads them. */
void
sim_http_error(struct sim_conn *conn, int status, const char *code, const char *message)
{
    struct kdp_sim *sim = conn->sim;
    unsigned shape = sim->error_shape == 3 ? sim->error_turn++ % 3 : sim->error_shape;
    struct sim_text text = {0};

    if (status == 429 || shape == 2) {
        sim_lit(&text, "{\"error\":");
        sim_put_json(&text, message, strlen(message));
        sim_lit(&text, "}");
    } else {
        sim_puts(&text, shape == 1 ? "{\"error\":{\"code\":" : "{\"code\":");
        sim_put_json(&text, code, strlen(code));
        sim_lit(&text, ",\"message\":");
        sim_put_json(&text, message, strlen(message));
        sim_puts(&text, shape == 1 ? "}}" : ",\"details\":\"\"}");
    }
    sim_http_answer(conn, status, "", text.data, text.len);
    sim_text_free(&text);
}

static bool
target_is(const struct kdp_http_request *request, const char *path)
{
    size_t len = strlen(path);

    return request->target.len >= len && memcmp(request->target.data, path, len) == 0 &&
           (request->target.len == len || request->target.data[len] == '?');
}

static void
upgrade(struct sim_conn *conn, const struct kdp_http_request *request)
{
    struct kdp_sim *sim = conn->sim;
    const struct kdp_sim_fault *fault = NULL;
    struct sim_auth_words words = {"token_authentication_failure", "authentication required"};
    struct kdp_ws_config config = {.server = true, .message_max = 16u << 20};
    struct kdp_ws *ws = NULL;
    char reply[1024];
    int len;

    if (sim_is_armed(sim, KDP_SIM_FAULT_REFUSE) &&
        (fault = sim_armed_take(sim, KDP_SIM_FAULT_REFUSE, conn->number, NULL)) != NULL) {
        sim_http_error(conn, (int)fault->status,
                       fault->status == 401 ? "authentication_error" : "service_unavailable",
                       fault->status == 429 ? "too many requests" : "refused on purpose");
        return;
    }
    if (sim_auth_check(sim, request, &words) != SIM_AUTH_GOOD) {
        sim_http_error(conn, 401, words.code, words.message);
        return;
    }
    if (sim_paused(sim)) {
        sim_http_error(conn, 503, "service_unavailable", "the exchange is in maintenance");
        return;
    }
    if (sim->session_count >= SIM_CONNECTIONS_MAX) {
        sim_http_error(conn, 429, "too_many_connections", "too many connections");
        return;
    }
    len = kdp_ws_accept(request, sim->config.deflate, &config.deflate, reply, sizeof reply);
    if (len < 0) {
        sim_http_error(conn, 400, "bad_request", kdp_error_text());
        return;
    }
    if (kdp_ws_open(&ws, &config) != 0) {
        sim_http_error(conn, 503, "service_unavailable", "no memory");
        return;
    }
    sim_put(&conn->out, reply, (size_t)len - 2);
    put_date(sim, &conn->out);
    sim_lit(&conn->out, "\r\n");
    conn->session = sim_session_open(sim, conn->number, ws);
    conn->heard_ns = sim->mono_ns;
    conn->ping_ns = sim->mono_ns + (int64_t)sim->config.ping_ms * KDP_NS_PER_MS;
}

static void
request_done(struct sim_conn *conn, const struct kdp_http_request *request)
{
    struct kdp_sim *sim = conn->sim;
    struct kdp_http_slice wish = kdp_http_header(request, "Upgrade");

    sim->stats.rest_requests++;
    conn->http_end = !request->keep_alive;
    if (request->content_length > 64 * 1024) {
        conn->http_end = true;
        sim_http_error(conn, 413, "bad_request", "a body that long is not taken");
        return;
    }
    conn->skip = request->content_length > 0 ? (size_t)request->content_length : 0;
    if (target_is(request, "/trade-api/ws/v2")) {
        sim->stats.rest_requests--;
        if (wish.data == NULL)
            sim_http_error(conn, 400, "bad_request", "this path wants a WebSocket upgrade");
        else
            upgrade(conn, request);
        return;
    }
    sim_rest(conn, request);
}

void
sim_http_input(struct sim_conn *conn)
{
    while (conn->session == NULL && !conn->http_end && !conn->held && conn->bulk == NULL) {
        struct kdp_http_request request;
        size_t used;
        int got;

        used = conn->skip < conn->in_len ? conn->skip : conn->in_len;
        memmove(conn->in, conn->in + used, conn->in_len - used);
        conn->in_len -= used;
        conn->skip -= used;
        if (conn->skip > 0 || conn->in_len == 0)
            return;
        got = kdp_http_request_read(conn->in, conn->in_len, &request);
        if (got == 0 && conn->in_len < KDP_HTTP_HEAD_MAX)
            return;
        if (got != 1) {
            conn->http_end = true;
            sim_http_error(conn, got == 0 ? 431 : 400, "bad_request",
                           got == 0 ? "the head is too long" : "not HTTP");
            return;
        }
        request_done(conn, &request);
        used = request.head_len;
        memmove(conn->in, conn->in + used, conn->in_len - used);
        conn->in_len -= used;
    }
    if (conn->session != NULL && conn->in_len > 0) { /* frames that came with the upgrade */
        size_t room;
        char *at = kdp_ws_room(conn->session->ws, &room);

        if (at == NULL || room < conn->in_len) {
            sim_conn_end(conn, false);
            return;
        }
        memcpy(at, conn->in, conn->in_len);
        kdp_ws_received(conn->session->ws, conn->in_len);
        conn->in_len = 0;
    }
}
