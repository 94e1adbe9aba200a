/* fuzz_sim_command.c - client commands, control lines and requests into the simulator, without sockets: it never crashes, and
 * whatever it sends is JSON unless a fault made it otherwise.
 *
 * The input is cut at newlines; a line that begins with '!' is a control line, with '@' a fault line to be read only, with '/' the
 * target of an unsigned request below the API ("//" below the host), the rest are commands of the one session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "server_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drain(struct sim_session *session, struct kdp_ws *client, struct kdp_decoder *decoder, bool harmed)
{
    struct kdp_ws_message message;
    struct kdp_message m;
    size_t len, room;
    const char *bytes;
    void *to;

    while ((bytes = kdp_ws_output(session->ws, &len)), len > 0) {
        to = kdp_ws_room(client, &room);
        KDP_ASSERT(to != NULL);
        if (len > room)
            len = room;
        memcpy(to, bytes, len);
        kdp_ws_received(client, len);
        kdp_ws_sent(session->ws, len);
        while (kdp_ws_next(client, &message) == 1) {
            if (message.kind != KDP_WS_TEXT)
                continue;
            kdpi_decode(decoder, message.data, message.len, &m);
            KDP_ASSERT(m.trusted || harmed);
        }
    }
    session->frame_count = 0;
    session->allowed = 0;
}

static bool
too_much(const char *line) /* work that would take seconds, and files that would be written */
{
    return strstr(line, "trades ") != NULL || strstr(line, "burst") != NULL ||
           strstr(line, "big-snapshot") != NULL || strstr(line, "new-market") != NULL ||
           strstr(line, "tail") != NULL;
}

/* One request; its answer has a head, and is as long as that says where it says it. */
static void
ask(struct kdp_sim *sim, const char *target)
{
    struct sim_conn *conn = calloc(1, sizeof *conn);
    size_t size = strlen(target) + 64;
    char *head = malloc(size);
    struct kdp_http_request request;
    int len;

    KDP_ASSERT(conn != NULL && head != NULL);
    conn->sim = sim;
    conn->number = 1;
    len = snprintf(head, size, "GET %s%s HTTP/1.1\r\nHost: x\r\n\r\n",
                   target[1] == '/' ? "" : "/trade-api/v2", target[1] == '/' ? target + 1 : target);
    if (kdp_http_request_read(head, (size_t)len, &request) == 1) {
        sim_rest(conn, &request);
        for (unsigned i = 0; i < 100 && conn->bulk != NULL; i++) {
            sim_bulk_pump(conn);
            conn->out.len = 12;
        }
        KDP_ASSERT(conn->held || (conn->out.len >= 12 && memcmp(conn->out.data, "HTTP/1.1 ", 9) == 0));
    }
    sim_bulk_end(conn);
    sim_text_free(&conn->out);
    free(conn);
    free(head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdp_decoder *decoder;
    struct kdp_sim_config config = {
        .exchange = {.now_ns = INT64_C(1795183387000000000), .markets = 6, .rate = 500, .seed = 1},
        .past = {.trades = 300, .markets = 6, .span_ns = INT64_C(864000000000000)},
        .taker_side = true};
    struct kdp_ws_config server = {.server = true, .message_max = 1 << 20}, client_config = {.mask_seed = 1};
    struct kdp_sim *sim;
    struct kdp_ws *ws, *client;
    struct sim_session *session;
    struct sim_text reply = {0};
    bool harmed = false;

    if (size > 20000)
        return 0;
    if (decoder == NULL)
        decoder = kdpi_decoder_open();
    KDP_ASSERT(decoder != NULL && sim_open_bare(&sim, &config) == 0);
    KDP_ASSERT(kdp_ws_open(&ws, &server) == 0 && kdp_ws_open(&client, &client_config) == 0);
    sim->mono_ns = 1000000000;
    session = sim_session_open(sim, 1, ws);
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end != NULL ? (size_t)(end - (data + at)) : size - at;
        char *line = malloc(len + 1);

        KDP_ASSERT(line != NULL);
        memcpy(line, data + at, len);
        line[len] = 0;
        if (line[0] == '!') {
            harmed |= strstr(line, "malformed") != NULL || strstr(line, "random") != NULL ||
                      strstr(line, "bad-utf8") != NULL;
            if (!too_much(line))
                sim_control_line(sim, line + 1, &reply);
            reply.len = 0;
        } else if (line[0] == '@') {
            struct kdp_sim_fault fault;
            enum kdp_sim_when when;
            int64_t span_ns;
            const char *rest;

            if (kdp_sim_line_when(line + 1, &when, &span_ns, &rest) == 0)
                kdp_sim_fault_parse(&fault, rest);
        } else if (line[0] == '/') {
            ask(sim, line);
        } else {
            sim_session_command(session, line, len);
        }
        free(line);
        sim->mono_ns += 100000000;
        sim->now_ns += 100000000;
        if (!harmed) /* the mix could choose a burst */
            sim_fault_work(sim);
        KDP_ASSERT(kdp_exchange_run(sim->exchange, config.exchange.now_ns + sim->mono_ns, 50) > 0);
        sim_session_pump(session);
        drain(session, client, decoder, harmed);
        at += len + 1;
    }
    sim_text_free(&reply);
    sim_session_close(session);
    kdp_ws_close(ws);
    kdp_ws_close(client);
    kdp_sim_close(sim);
    return 0;
}
