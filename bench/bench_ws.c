/* bench_ws.c - WebSocket frames: what it costs to take them apart, over memory and over TLS on loopback.
 *
 *   bench_ws        over memory, ns a frame: floor copies the bytes to where they are received, which nobody can do without; plain
 *                   is a client's input, masked a server's, packed permessage-deflate with context takeover.  Frames of 220
 *                   bytes of JSON, 60 at a time.
 *   bench_ws tls    over TLS: CPU of the receiving thread and frames a second, with 1, 8 and 60 frames in a record; how many
 *                   frames one read brought is printed beside it, since it decides much. */
#include "bench.h"
#include "error.h"
#include "tls.h"
#include "ws.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 60

struct stream {
    struct kdp_ws *ws;
    char *bytes; /* one batch; of packed, many, since they depend on each other */
    size_t len, batch_len[1000];
    unsigned batches;
};

static void
frame_text(char *text, unsigned i)
{
    int n = snprintf(
        text, 221,
        "{\"type\":\"orderbook_delta\",\"sid\":1,\"seq\":%u,\"msg\":{\"market_ticker\":\"KXDEMO-26DEC01-T%"
        "u\","
        "\"market_id\":\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03\",\"price_dollars\":\"0.%02u00\",\"delta_fp\":"
        "\"-12.50\",\"side\":\"yes\",\"ts_ms\":17951833874",
        i, i * 7 % 50, i * 13 % 97 + 1);

    for (; n < 218; n++)
        text[n] = '0';
    memcpy(text + 218, "}}", 3);
}

static void
make_stream(struct stream *stream, bool from_server, bool packed)
{
    struct kdp_ws_config config = {.server = from_server, .deflate.on = packed, .mask_seed = 1};
    struct kdp_ws *peer;
    char text[256];
    const void *out;

    kdp_ws_open(&peer, &config);
    stream->batches = packed ? 1000 : 1;
    for (unsigned b = 0; b < stream->batches; b++) {
        size_t before, after;

        kdp_ws_output(peer, &before);
        for (unsigned i = 0; i < BATCH; i++) {
            frame_text(text, b * BATCH + i);
            kdp_ws_put(peer, KDP_WS_TEXT, text, 220);
        }
        kdp_ws_output(peer, &after);
        stream->batch_len[b] = after - before;
    }
    out = kdp_ws_output(peer, &stream->len);
    stream->bytes = malloc(stream->len);
    memcpy(stream->bytes, out, stream->len);
    kdp_ws_close(peer);
    config.server = !from_server;
    kdp_ws_open(&stream->ws, &config);
}

static uint64_t
run_parse(void *arg, uint64_t count)
{
    struct stream *stream = arg;
    struct kdp_ws_message message;
    uint64_t sum = 0, done = 0;
    size_t at = 0;
    unsigned batch = 0;

    while (done < count) {
        size_t room;
        char *to = kdp_ws_room(stream->ws, &room);

        memcpy(to, stream->bytes + at, stream->batch_len[batch]);
        kdp_ws_received(stream->ws, stream->batch_len[batch]);
        at += stream->batch_len[batch];
        if (++batch == stream->batches) {
            batch = 0;
            at = 0;
        }
        while (kdp_ws_next(stream->ws, &message) > 0) {
            sum += message.len + (unsigned char)message.data[100];
            done++;
        }
    }
    return sum;
}

static uint64_t
run_floor(void *arg, uint64_t count)
{
    struct stream *stream = arg;
    uint64_t sum = 0;

    for (uint64_t done = 0; done < count; done += BATCH) {
        size_t room;
        char *to = kdp_ws_room(stream->ws, &room);

        memcpy(to, stream->bytes, stream->batch_len[0]);
        __asm__ volatile("" ::"r"(to) : "memory");
        sum += (unsigned char)to[done % 1000];
    }
    return sum;
}

/* ---- over TLS ---- */

static void
make_certificate(const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *file;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"bench", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, names, -1);
    X509_sign(cert, key, EVP_sha256());
    if ((file = fopen(cert_path, "w")) == NULL || PEM_write_X509(file, cert) != 1 || fclose(file) != 0 ||
        (file = fopen(key_path, "w")) == NULL ||
        PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(file) != 0)
        exit(1);
    X509_EXTENSION_free(names);
    X509_free(cert);
    EVP_PKEY_free(key);
}

struct sender {
    struct kdp_tls_context *context;
    struct stream *stream;
    int listener;
    unsigned per_record;
    uint64_t frames;
};

static void *
send_frames(void *arg)
{
    struct sender *sender = arg;
    int fd = accept(sender->listener, NULL, NULL);
    size_t frame = sender->stream->len / (2 * BATCH), at = 0;
    struct kdp_tls *tls;
    uint64_t done = 0;

    if (kdp_tls_accept(&tls, fd, sender->context) != 0)
        exit(1);
    while (done < sender->frames) {
        struct pollfd wait = {fd, POLLIN | POLLOUT, 0};
        int64_t n =
            kdp_tls_write(tls, sender->stream->bytes + at % sender->stream->len, frame * sender->per_record);

        if (n < 0)
            exit(1);
        if (n == 0) { /* the socket is full, or the handshake waits for the other end */
            wait.events = (short)(kdp_tls_wants_write(tls) ? POLLOUT : POLLIN);
            poll(&wait, 1, 10);
        }
        at = (at + (size_t)n) % sender->stream->len;
        done += (uint64_t)n / frame;
    }
    while (kdp_tls_wants_write(tls)) {
        struct pollfd wait = {fd, POLLOUT, 0};

        poll(&wait, 1, 1000);
        kdp_tls_write(tls, "", 0);
    }
    kdp_tls_close(tls, false);
    return NULL;
}

static void
run_tls(struct stream *stream)
{
    static const unsigned sizes[] = {1, 8, 60}; /* each ends a record with the end of two batches */
    char dir[] = "/tmp/kdp-bench.XXXXXX", cert[64], key[64];
    struct kdp_tls_context *client;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    struct sender sender = {.stream = stream, .frames = 600000};

    if (mkdtemp(dir) == NULL || (stream->bytes = realloc(stream->bytes, stream->len * 2)) == NULL)
        exit(1);
    memcpy(stream->bytes + stream->len, stream->bytes, stream->len);
    stream->len *= 2;
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    make_certificate(cert, key);
    sender.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (kdp_tls_client(&client, cert) != 0 || kdp_tls_server(&sender.context, cert, key) != 0 ||
        bind(sender.listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(sender.listener, 4) != 0 ||
        getsockname(sender.listener, (struct sockaddr *)&at, &at_len) != 0)
        exit(1);
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct kdp_tls_options options = {.host = "127.0.0.1",
                                          .port = ntohs(at.sin_port),
                                          .context = client,
                                          .deadline_mono_ns = bench_now_ns() + INT64_C(10000000000)};
        struct kdp_ws_message message;
        struct kdp_tls *tls;
        pthread_t thread;
        uint64_t frames = 0, reads = 0;
        int64_t wall, cpu, recv_ns;

        sender.per_record = sizes[s];
        pthread_create(&thread, NULL, send_frames, &sender);
        if (kdp_tls_connect(&tls, &options) != 0) {
            fprintf(stderr, "bench_ws: %s\n", kdp_error_text());
            exit(1);
        }
        wall = bench_now_ns();
        cpu = bench_cpu_ns();
        while (frames < sender.frames) {
            struct pollfd wait = {kdp_tls_fd(tls), POLLIN, 0};
            size_t room;
            void *to = kdp_ws_room(stream->ws, &room);
            int64_t n = kdp_tls_read(tls, to, room, &recv_ns);

            if (n < 0)
                break;
            kdp_ws_received(stream->ws, (size_t)n);
            while (kdp_ws_next(stream->ws, &message) > 0)
                frames++;
            reads += n > 0;
            if (n == 0)
                poll(&wait, 1, 1000);
        }
        cpu = bench_cpu_ns() - cpu;
        wall = bench_now_ns() - wall;
        printf("name=tls_%u_per_record cpu_ns=%.0f frames_per_s=%.0f frames_per_read=%.0f frames=%llu "
               "version=%s\n",
               sizes[s], (double)cpu / (double)frames, (double)frames * 1e9 / (double)wall,
               (double)frames / (double)reads, (unsigned long long)frames, kdp_tls_version(tls));
        pthread_join(thread, NULL);
        kdp_tls_close(tls, false);
    }
    unlink(cert);
    unlink(key);
    rmdir(dir);
    close(sender.listener);
    kdp_tls_context_free(client);
    kdp_tls_context_free(sender.context);
}

int
main(int argc, char **argv)
{
    static struct stream plain, masked, packed;
    struct bench_contestant contestants[] = {{.name = "floor", .run = run_floor, .arg = &plain},
                                             {.name = "plain", .run = run_parse, .arg = &plain},
                                             {.name = "masked", .run = run_parse, .arg = &masked},
                                             {.name = "packed", .run = run_parse, .arg = &packed}};

    bench_machine();
    make_stream(&plain, true, false);
    if (argc > 1 && strcmp(argv[1], "tls") == 0) {
        run_tls(&plain);
        return 0;
    }
    make_stream(&masked, false, false);
    make_stream(&packed, true, true);
    bench_compare(contestants, 4, BATCH * 1000);
    return 0;
}
