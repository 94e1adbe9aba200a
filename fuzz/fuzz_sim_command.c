/* fuzz_sim_command.c - client commands and control lines into the simulator, without sockets: it never crashes, and whatever it
 * sends is JSON unless a fault made it otherwise.
 *
 * The input is cut at newlines; a line that begins with '!' is a control line, with '@' a fault line to be read only, the rest
 * are commands of the one session. */
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
    return strstr(line, "trades ") != NULL || strstr(line, "burst") != NULL || strstr(line, "big-snapshot") != NULL ||
           strstr(line, "new-market") != NULL || strstr(line, "tail") != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdp_decoder *decoder;
    struct kdp_sim_config config = {
        .exchange = {.now_ns = INT64_C(1795183387000000000), .markets = 6, .rate = 500, .seed = 1},
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
