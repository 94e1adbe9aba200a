#include "sim_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"

static void *
serve(void *arg)
{
    struct sim_fixture *fixture = arg;

    while (!atomic_load(&fixture->stop)) {
        if (kdp_sim_work(fixture->sim, 20) != 0)
            break;
    }
    return NULL;
}

void
sim_start(struct sim_fixture *fixture)
{
    snprintf(fixture->dir, sizeof fixture->dir, "%s/sim", kdp_test_dir());
    fixture->config.dir = fixture->dir;
    if (kdp_sim_open(&fixture->sim, &fixture->config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    snprintf(fixture->base, sizeof fixture->base, "http%s://127.0.0.1:%u/trade-api/v2",
             fixture->config.plain ? "" : "s", kdp_sim_port(fixture->sim));
    snprintf(fixture->url, sizeof fixture->url, "ws%s://127.0.0.1:%u/trade-api/ws/v2",
             fixture->config.plain ? "" : "s", kdp_sim_port(fixture->sim));
    CHECK_INT(pthread_create(&fixture->thread, NULL, serve, fixture), 0);
}

void
sim_stop(struct sim_fixture *fixture)
{
    atomic_store(&fixture->stop, true);
    pthread_join(fixture->thread, NULL);
    kdp_sim_close(fixture->sim);
}

char *
sim_tell(struct sim_fixture *fixture, const char *line)
{
    char *reply = NULL;
    size_t len;

    if (kdp_sim_ask(fixture->dir, line, &reply, &len) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s", line, kdp_error_text());
    return reply;
}

void
sim_tickers(struct sim_fixture *fixture, unsigned count, char *buf, size_t size)
{
    char *all = sim_tell(fixture, "books"), *at = all;
    size_t used = 0;

    buf[0] = 0;
    for (unsigned i = 0; i < count; i++) {
        char *end;

        at = strstr(at, "\n\"");
        CHECK(at != NULL);
        end = strchr(at + 2, '"');
        used += (size_t)snprintf(buf + used, size - used, "%s\"%.*s\"", i == 0 ? "" : ",",
                                 (int)(end - at - 2), at + 2);
        CHECK(used < size);
        at = end;
    }
    free(all);
}

int
sim_connect(struct sim_client *client, struct sim_fixture *fixture, bool ed25519, bool deflate)
{
    char path[600], key[64] = "", *env = NULL, line[256];
    FILE *file;
    int rc;

    *client = (struct sim_client){.yes_price = false};
    snprintf(path, sizeof path, "%s/sim.env", fixture->dir);
    file = fopen(path, "r");
    CHECK(file != NULL);
    while ((env = fgets(line, sizeof line, file)) != NULL) {
        if (sscanf(line, "KALSHI_API_KEY=%63s", key) == 1)
            break;
    }
    fclose(file);
    snprintf(path, sizeof path, "%s/%s.pem", fixture->dir, ed25519 ? "ed25519" : "rsa");
    CHECK_INT(kdp_signer_open(&client->signer, key, path), 0);
    snprintf(path, sizeof path, "%s/ca.pem", fixture->dir);
    if (!fixture->config.plain)
        CHECK_INT(kdp_tls_client(&client->context, path), 0);
    CHECK_INT(kdpi_url_parse(&client->how.url, fixture->url), 0);
    client->how.context = client->context;
    client->how.signer = client->signer;
    client->how.deflate = deflate;
    client->how.timeout_ns = 10 * KDP_NS_PER_S;
    client->decoder = kdpi_decoder_open();
    client->books = calloc(SIM_BOOKS_MAX, sizeof *client->books);
    CHECK(client->decoder != NULL && client->books != NULL);
    rc = kdp_ws_connect(&client->how, &client->link);
    return rc;
}

void
sim_disconnect(struct sim_client *client)
{
    if (client->link.tls != NULL)
        kdp_tls_close(client->link.tls, false);
    kdp_ws_close(client->link.ws);
    kdp_tls_context_free(client->context);
    kdp_signer_close(client->signer);
    kdpi_decoder_close(client->decoder);
    free(client->books);
}

static void
flush(struct sim_client *client)
{
    for (;;) {
        size_t len;
        const void *bytes = kdp_ws_output(client->link.ws, &len);
        int64_t took = len > 0 ? kdp_tls_write(client->link.tls, bytes, len) : 0;

        if (took <= 0)
            break;
        kdp_ws_sent(client->link.ws, (size_t)took);
    }
}

void
sim_send(struct sim_client *client, const char *text)
{
    CHECK_INT(kdp_ws_put(client->link.ws, KDP_WS_TEXT, text, strlen(text)), 0);
    flush(client);
}

struct sim_book *
sim_book_of(struct sim_client *client, const char *ticker)
{
    for (uint32_t i = 0; i < client->book_count; i++) {
        if (strcmp(client->books[i].ticker, ticker) == 0)
            return &client->books[i];
    }
    CHECK(client->book_count < SIM_BOOKS_MAX);
    snprintf(client->books[client->book_count].ticker, sizeof client->books[0].ticker, "%s", ticker);
    return &client->books[client->book_count++];
}

static void
apply(struct sim_client *client, const struct kdp_message *m)
{
    char ticker[201];
    struct sim_book *book;

    snprintf(ticker, sizeof ticker, "%.*s", (int)m->market_ticker.len, m->market_ticker.data);
    book = sim_book_of(client, ticker);
    if (m->kind == KDP_MESSAGE_SNAPSHOT) {
        memset(book->size_e2, 0, sizeof book->size_e2);
        for (uint32_t i = 0; i < m->snapshot.count; i++) {
            const struct kdp_message_level *level = &m->snapshot.levels[i];
            bool no = level->side == KDP_SIDE_NO;

            book->size_e2[no][no && client->yes_price ? 10000 - level->price_e4 : level->price_e4] =
                level->size_e2;
        }
        book->seen = true;
        book->snapshots++;
    } else {
        bool no = m->delta.side == KDP_SIDE_NO;
        int64_t *size =
            &book->size_e2[no][no && client->yes_price ? 10000 - m->delta.price_e4 : m->delta.price_e4];

        *size += m->delta.delta_e2;
        client->negative += *size < 0;
        book->deltas++;
    }
}

static void
take(struct sim_client *client, const char *text, size_t len)
{
    struct kdp_message m;

    client->frames++;
    if (kdpi_decode(client->decoder, text, len, &m) != KDP_REFUSAL_NONE) {
        client->refused++;
        return;
    }
    client->kinds[m.kind]++;
    if (m.has_seq && m.sid < 16) {
        if (m.seq != client->seq[m.sid] + 1) {
            client->gaps++;
            client->missed += m.seq - client->seq[m.sid] - 1;
        }
        client->seq[m.sid] = m.seq;
    }
    if (m.has_id)
        client->last_id = m.id;
    client->last_sid = m.sid;
    switch (m.kind) {
    case KDP_MESSAGE_SNAPSHOT:
    case KDP_MESSAGE_DELTA:
        apply(client, &m);
        return;
    case KDP_MESSAGE_TRADE:
        client->trades++;
        return;
    case KDP_MESSAGE_TICKER:
        client->tickers++;
        return;
    case KDP_MESSAGE_LIFECYCLE:
        client->lives++;
        return;
    case KDP_MESSAGE_EVENT:
        client->events++;
        return;
    case KDP_MESSAGE_ERROR:
        client->error_code = m.error.code;
        break;
    case KDP_MESSAGE_UNKNOWN:
        client->unknown++;
        break;
    default:
        break;
    }
    snprintf(client->last_text, sizeof client->last_text, "%.*s", (int)len, text);
}

unsigned
sim_read(struct sim_client *client, int ms)
{
    struct pollfd pfd = {.fd = kdp_tls_fd(client->link.tls), .events = POLLIN};
    unsigned frames = 0;

    poll(&pfd, 1, ms);
    while (!client->closed) {
        struct kdp_ws_message message;
        size_t room;
        void *at = kdp_ws_room(client->link.ws, &room);
        int64_t recv_ns, got;
        int rc;

        CHECK(at != NULL);
        got = kdp_tls_read(client->link.tls, at, room, &recv_ns);
        if (got < 0)
            client->closed = true;
        if (got <= 0)
            break;
        client->records++;
        kdp_ws_received(client->link.ws, (size_t)got);
        while ((rc = kdp_ws_next(client->link.ws, &message)) == 1) {
            if (message.kind == KDP_WS_TEXT) {
                take(client, message.data, message.len);
                frames++;
            } else if (message.kind == KDP_WS_CLOSE) {
                client->close_code = message.close_code;
            }
        }
        if (rc < 0)
            client->closed = true;
    }
    flush(client);
    return frames;
}

bool
sim_until(struct sim_client *client, const uint64_t *counter, uint64_t want)
{
    int64_t end = kdpi_mono_ns() + 10 * KDP_NS_PER_S;

    while (*counter < want && !client->closed && kdpi_mono_ns() < end)
        sim_read(client, 20);
    return *counter >= want;
}
