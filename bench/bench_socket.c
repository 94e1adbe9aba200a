/* bench_socket.c - the exchange's socket to the ring, over TLS on loopback, open loop.
 *
 *   bench_socket CERT.pem KEY.pem DIR [quick]
 *
 * A child process sends made-up frames on one core at times fixed in advance; the receiver runs on the other.  A frame's
 * latency counts from the time it was due, so a sender or receiver that falls behind is not forgiven.  Contestants take turns,
 * each over a connection of its own and the same bytes:
 *   floor   bare OpenSSL: reads, finds the frames, looks at each one's first bytes
 *   lws     libwebsockets' client: the message is in the callback's hands (where the library was there at build time)
 *   kdp     src/net, the input ring, the plant: the frame's records are visible in the ring
 * Forms: 1, 8 or 60 frames in a TLS record; blocking (poll) and busy.  Beside each stands how late the sender was, and a hiccup
 * meter: a thread that asks for 1 ms of sleep and notes by how much it overslept.  The last part sends as fast as it goes, with
 * raw tape and tape on (DIR), everything of the receiver on one core. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#if KDP_BENCH_LWS
#include <libwebsockets.h>
#endif

#include "bench.h"
#include "error.h"
#include "histogram.h"
#include "plant.h"
#include "stream.h"
#include "tls.h"
#include "ws.h"
#include "ws_handshake.h"

#define MARKETS 20u
#define FRAMES_MAX 1000000u
#define RING_BYTES ((size_t)64 << 20)

struct order { /* what the sender is to do next; shared between the processes */
    _Atomic int ready, port, quit;
    uint32_t frames, per_record;
    double rate; /* frames a second, 0: as fast as it goes */
    struct kdp_histogram late;
    _Atomic uint64_t due[FRAMES_MAX]; /* monotonic ns */
};
static struct order *order;
static char *text; /* all frames with their WebSocket heads */
static uint32_t *at;
static const char *cert_file;

static void
die(const char *what)
{
    fprintf(stderr, "bench_socket: %s: %s\n", what, kdp_error_text());
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void
pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* ---- frames: a snapshot of each market, then changes that come and go at ten prices ---- */
static void
make_frames(void)
{
    size_t room = (size_t)FRAMES_MAX * 400, used = 0;

    text = malloc(room);
    at = malloc((FRAMES_MAX + 1) * sizeof *at);
    if (text == NULL || at == NULL)
        die("out of memory");
    for (uint32_t i = 0; i < FRAMES_MAX; i++) {
        char *body = text + used + 4;
        uint32_t market = i % MARKETS, turn = i / MARKETS;
        int len;

        at[i] = (uint32_t)used;
        if (i < MARKETS)
            len = snprintf(
                body, 400,
                "{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":%u,\"msg\":{\"market_ticker\":"
                "\"KXBENCH-26NOV23-T%02u\",\"market_id\":\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f%02u\","
                "\"yes_dollars_fp\":[[\"0.4100\",\"500.00\"]],\"no_dollars_fp\":[[\"0.5600\",\"33.25\"]]}}",
                i + 1, market, market);
        else
            len =
                snprintf(body, 400,
                         "{\"type\":\"orderbook_delta\",\"sid\":1,\"seq\":%u,\"msg\":{\"market_ticker\":"
                         "\"KXBENCH-26NOV23-T%02u\",\"market_id\":\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f%02u\","
                         "\"price_dollars\":\"0.%02u00\",\"delta_fp\":\"%s12.50\",\"side\":\"yes\","
                         "\"ts\":\"2026-11-23T14:03:07.412Z\",\"ts_ms\":1795442587412}}",
                         i + 1, market, market, 30 + (turn + 1) / 2 % 10, turn % 2 == 1 ? "" : "-");
        if (len < 126 || len >= 400)
            die("a frame of another length than its head says");
        body[-4] = (char)0x81;
        body[-3] = 126;
        body[-2] = (char)(len >> 8);
        body[-1] = (char)len;
        used += (size_t)len + 4;
    }
    at[FRAMES_MAX] = (uint32_t)used;
}

/* ---- the sender ---- */
static void
upgrade(SSL *ssl)
{
    static char head[8192], reply[1024];
    struct kdp_http_request request;
    struct kdp_ws_deflate deflate;
    size_t len = 0;
    int n;

    do {
        n = SSL_read(ssl, head + len, (int)(sizeof head - len));
        if (n <= 0)
            die("no upgrade request");
        len += (size_t)n;
    } while ((n = kdp_http_request_read(head, len, &request)) == 0);
    n = n < 0 ? n : kdp_ws_accept(&request, false, &deflate, reply, sizeof reply);
    if (n < 0 || SSL_write(ssl, reply, n) != n)
        die("the upgrade");
}

static void
serve(SSL *ssl)
{
    int64_t start = bench_now_ns() + 50000000;

    for (uint32_t i = 0; i < order->frames;) {
        uint32_t n = order->per_record < order->frames - i ? order->per_record : order->frames - i;
        int64_t due = order->rate > 0 ? start + (int64_t)((double)i * 1e9 / order->rate) : bench_now_ns();
        int64_t now;

        while ((now = bench_now_ns()) < due)
            ;
        if (order->rate > 0)
            kdp_histogram_add(&order->late, now - due);
        for (uint32_t j = 0; j < n; j++)
            atomic_store_explicit(&order->due[i + j], (uint64_t)due, memory_order_relaxed);
        for (uint32_t from = at[i], end = at[i + n]; from < end;) {
            int written = SSL_write(ssl, text + from, (int)(end - from < 16384 ? end - from : 16384));

            if (written <= 0)
                return;
            from += (uint32_t)written;
        }
        i += n;
    }
}

static void
sender(const char *cert, const char *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    pin(0);
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        die("certificate and key");
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        die("cannot listen");
    atomic_store(&order->port, ntohs(address.sin_port));
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        SSL *ssl = SSL_new(context);
        char rest[4096];

        if (fd < 0 || atomic_load(&order->quit))
            _exit(0);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            upgrade(ssl);
            serve(ssl);
            shutdown(fd, SHUT_WR);
            while (read(fd, rest, sizeof rest) > 0)
                ;
        }
        SSL_free(ssl);
        close(fd);
    }
}

/* ---- receivers: each returns with every frame counted ---- */
struct receiver {
    bool busy;
    struct kdp_histogram latency;
    uint32_t frames;
    uint64_t sum;
    struct kdp_ring *ring; /* of kdp */
    struct kdp_plant *plant;
    int64_t first_ns, last_ns, cpu_ns;
};

static void
arrived(struct receiver *r, int64_t now)
{
    uint64_t due = atomic_load_explicit(&order->due[r->frames], memory_order_relaxed);

    if (r->frames >= MARKETS)
        kdp_histogram_add(&r->latency, now - (int64_t)due);
    r->frames++;
}

static void
wait_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    poll(&poll_fd, 1, 1000);
}

static void
receive_floor(struct receiver *r)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)atomic_load(&order->port))};
    size_t room = 1u << 18, len = 0, used = 0;
    unsigned char *buf = malloc(room);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool upgraded = false;
    SSL *ssl = SSL_new(context);

    SSL_CTX_set_read_ahead(context, 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("cannot connect");
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, request, (int)sizeof request - 1) <= 0)
        die("handshake");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (r->frames < order->frames) {
        int n = SSL_read(ssl, buf + len, (int)(room - len));

        if (n <= 0) {
            if (SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ)
                break;
            if (!r->busy)
                wait_readable(fd);
            continue;
        }
        len += (size_t)n;
        if (!upgraded) {
            unsigned char *end = memmem(buf, len, "\r\n\r\n", 4);

            if (end == NULL)
                continue;
            used = (size_t)(end - buf) + 4;
            upgraded = true;
        }
        while (len - used >= 4) {
            size_t size = (size_t)buf[used + 2] << 8 | buf[used + 3];

            if (len - used < size + 4)
                break;
            r->sum += buf[used + 4] + buf[used + 4 + size - 1];
            used += size + 4;
            arrived(r, bench_now_ns());
        }
        memmove(buf, buf + used, len - used);
        len -= used;
        used = 0;
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    free(buf);
}

static void
feed(struct receiver *r, enum kdp_input_kind kind, int64_t recv_ns, const void *data, size_t len)
{
    struct kdp_input_head *head;

    while ((head = kdp_ring_input_claim(r->ring, len)) == NULL)
        sched_yield(); /* the tape agent is behind */
    *head = (struct kdp_input_head){
        .length = (uint32_t)len, .kind = (uint8_t)kind, .line = 1, .recv_ns = recv_ns};
    memcpy(head + 1, data, len);
    kdp_ring_input_commit(r->ring, head);
    kdp_plant_input(r->plant, head, head + 1);
}

static void
receive_kdp(struct receiver *r)
{
    struct kdp_tls_options options = {.host = "localhost",
                                      .port = (uint16_t)atomic_load(&order->port),
                                      .deadline_mono_ns = bench_now_ns() + INT64_C(10000000000)};
    struct kdp_ws_config config = {.server = false};
    struct kdp_input_line line = {.epoch = 1, .reason = KDP_REASON_CONNECTED};
    static struct kdp_ws_request request;
    static struct kdp_url url;
    struct kdp_ws_message message;
    struct kdp_ws_reply reply;
    struct kdp_tls *tls;
    struct kdp_ws *ws;
    char head[4096];
    size_t len = 0;
    int64_t recv_ns = 0;
    int rc;

    if (kdp_tls_client(&options.context, cert_file) != 0 || kdp_tls_connect(&tls, &options) != 0 ||
        kdpi_url_parse(&url, "wss://localhost/") != 0 ||
        kdp_ws_request_build(&request, &url, "", false) != 0 ||
        kdp_tls_write(tls, request.text, request.len) != (int64_t)request.len)
        die("cannot connect");
    while ((rc = kdp_ws_reply_read(&request, head, len, &reply)) == 0) {
        int64_t n = kdp_tls_read(tls, head + len, sizeof head - len, &recv_ns);

        if (n < 0)
            die("the upgrade's reply");
        len += (size_t)n;
    }
    if (rc < 0 || reply.status != 101 || kdp_ws_open(&ws, &config) != 0)
        die("the upgrade's reply");
    feed(r, KDP_INPUT_CONNECTED, bench_now_ns(), &line, sizeof line);
    if (len > reply.head_len) {
        size_t room;

        memcpy(kdp_ws_room(ws, &room), head + reply.head_len, len - reply.head_len);
        kdp_ws_received(ws, len - reply.head_len);
    }
    while (r->frames < order->frames) {
        size_t room;
        void *buf = kdp_ws_room(ws, &room);
        int64_t n = kdp_tls_read(tls, buf, room, &recv_ns);

        if (n < 0)
            break;
        if (n == 0) {
            if (!r->busy)
                wait_readable(kdp_tls_fd(tls));
            continue;
        }
        kdp_ws_received(ws, (size_t)n);
        while (kdp_ws_next(ws, &message) > 0) {
            feed(r, KDP_INPUT_FRAME, recv_ns, message.data, message.len);
            arrived(r, bench_now_ns());
        }
    }
    kdp_ws_close(ws);
    kdp_tls_close(tls, true);
    kdp_tls_context_free(options.context);
}

#if KDP_BENCH_LWS
static int
on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct receiver *r = lws_context_user(lws_get_context(wsi));
    const unsigned char *bytes = in;

    (void)user;
    if (reason == LWS_CALLBACK_CLIENT_RECEIVE && lws_is_final_fragment(wsi) &&
        lws_remaining_packet_payload(wsi) == 0) {
        r->sum += bytes[0] + bytes[len - 1];
        arrived(r, bench_now_ns());
    }
    return 0;
}

static void
receive_lws(struct receiver *r)
{
    static const struct lws_protocols protocols[] = {
        {.name = "bench", .callback = on_lws, .rx_buffer_size = 1 << 16}, {.name = NULL}};
    struct lws_context_creation_info info = {.port = CONTEXT_PORT_NO_LISTEN,
                                             .protocols = protocols,
                                             .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
                                             .client_ssl_ca_filepath = cert_file,
                                             .user = r,
                                             .pt_serv_buf_size = 1 << 16,
                                             .gid = (gid_t)-1,
                                             .uid = (uid_t)-1};
    struct lws_client_connect_info connect_info = {.address = "localhost",
                                                   .host = "localhost",
                                                   .origin = "localhost",
                                                   .path = "/",
                                                   .ssl_connection = LCCSCF_USE_SSL | LCCSCF_ALLOW_SELFSIGNED,
                                                   .local_protocol_name = "bench",
                                                   .port = atomic_load(&order->port)};
    int64_t until = bench_now_ns() + INT64_C(60000000000);
    struct lws_context *context;

    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    if (context == NULL)
        die("libwebsockets");
    connect_info.context = context;
    if (lws_client_connect_via_info(&connect_info) == NULL)
        die("libwebsockets cannot connect");
    while (r->frames < order->frames && bench_now_ns() < until)
        lws_service(context, r->busy ? -1 : 0);
    lws_context_destroy(context);
}
#endif

/* ---- runs ---- */
static _Atomic int hiccup_on;
static struct kdp_histogram hiccups;

static void *
hiccup_meter(void *arg)
{
    (void)arg;
    while (atomic_load(&hiccup_on)) {
        struct timespec ms = {.tv_nsec = 1000000};
        int64_t before = bench_now_ns();

        nanosleep(&ms, NULL);
        kdp_histogram_add(&hiccups, bench_now_ns() - before - 1000000);
    }
    return NULL;
}

static void
print_latency(const char *name, const char *form, const struct kdp_histogram *h)
{
    printf("name=%s form=%s p50_ns=%llu p90_ns=%llu p99_ns=%llu p999_ns=%llu max_ns=%llu samples=%llu\n",
           name, form, (unsigned long long)kdp_histogram_at(h, 0.5),
           (unsigned long long)kdp_histogram_at(h, 0.9), (unsigned long long)kdp_histogram_at(h, 0.99),
           (unsigned long long)kdp_histogram_at(h, 0.999), (unsigned long long)h->max,
           (unsigned long long)h->count);
}

static void
make_plant(struct receiver *r)
{
    struct kdp_ring_config ring = {
        .bytes = RING_BYTES, .raw_bytes = RING_BYTES, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant = {.max_markets = 1024};

    if (kdp_ring_create(&r->ring, &ring) != 0)
        die("ring");
    plant.ring = r->ring;
    if (kdp_plant_open(&r->plant, &plant) != 0)
        die("plant");
}

struct contestant {
    const char *name;
    void (*receive)(struct receiver *r);
    struct kdp_histogram total;
};

static void
latencies(struct contestant *contestants, unsigned n, uint32_t frames, unsigned rounds)
{
    static const unsigned per[] = {1, 8, 60};
    static const double rates[] = {1000, 50000}; /* quiet and at load */

    for (unsigned rate = 0; rate < 2; rate++)
        for (unsigned form = 0; form < 3; form++)
            for (unsigned busy = 0; busy < 2; busy++) {
                char words[64];
                pthread_t meter;

                snprintf(words, sizeof words, "%s_%u_per_record_%s", rate == 0 ? "quiet" : "load", per[form],
                         busy ? "busy" : "blocking");
                memset(&order->late, 0, sizeof order->late);
                memset(&hiccups, 0, sizeof hiccups);
                atomic_store(&hiccup_on, 1);
                pthread_create(&meter, NULL, hiccup_meter, NULL);
                for (unsigned i = 0; i < n; i++)
                    memset(&contestants[i].total, 0, sizeof contestants[i].total);
                for (unsigned round = 0; round < rounds; round++)
                    for (unsigned i = 0; i < n; i++) {
                        static struct receiver r;

                        memset(&r, 0, sizeof r);
                        r.busy = busy;
                        order->rate = rates[rate];
                        order->per_record = per[form];
                        order->frames = rate == 0 ? frames / 20 : frames;
                        if (contestants[i].receive == receive_kdp)
                            make_plant(&r);
                        contestants[i].receive(&r);
                        if (r.frames != order->frames)
                            fprintf(stderr, "bench_socket: %s got %u of %u frames\n", contestants[i].name,
                                    r.frames, order->frames);
                        kdp_histogram_merge(&contestants[i].total, &r.latency);
                        if (r.plant != NULL) {
                            kdp_plant_close(r.plant);
                            kdp_ring_close(r.ring);
                        }
                    }
                atomic_store(&hiccup_on, 0);
                pthread_join(meter, NULL);
                for (unsigned i = 0; i < n; i++)
                    print_latency(contestants[i].name, words, &contestants[i].total);
                print_latency("sender_late", words, &order->late);
                print_latency("hiccup", words, &hiccups);
                printf("name=ratio form=%s kdp_over_floor_p50=%.2f p99=%.2f p999=%.2f\n", words,
                       (double)kdp_histogram_at(&contestants[0].total, 0.5) /
                           (double)kdp_histogram_at(&contestants[1].total, 0.5),
                       (double)kdp_histogram_at(&contestants[0].total, 0.99) /
                           (double)kdp_histogram_at(&contestants[1].total, 0.99),
                       (double)kdp_histogram_at(&contestants[0].total, 0.999) /
                           (double)kdp_histogram_at(&contestants[1].total, 0.999));
                fflush(stdout);
            }
}

/* As fast as it goes: the receiver's core has the feed, the plant and the tape agent, which writes both tapes. */
static void
sustained(const char *dir, uint32_t frames)
{
    static const unsigned per[] = {60, 8, 1};
    char folder[4096];

    for (unsigned form = 0; form < 3; form++) {
        struct kdp_stream_config config = {
            .dir = folder, .ring_bytes = RING_BYTES, .raw_ring_bytes = RING_BYTES};
        struct kdp_plant_config plant = {.max_markets = 1024};
        struct kdp_input_start start;
        static struct receiver r;
        struct kdp_stream *stream;
        int64_t before, cpu;
        struct timespec ts;

        memset(&r, 0, sizeof r);
        snprintf(folder, sizeof folder, "%s/sustained-%u", dir, per[form]);
        if (kdp_stream_open(&stream, &config, &start) != 0)
            die("stream");
        r.ring = plant.ring = kdp_stream_ring(stream);
        if (kdp_plant_open(&r.plant, &plant) != 0 || kdp_stream_agent_start(stream) != 0)
            die("plant");
        order->rate = 0;
        order->per_record = per[form];
        order->frames = frames;
        r.busy = false;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        cpu = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
        before = bench_now_ns();
        receive_kdp(&r);
        kdp_stream_agent_drain(stream);
        before = bench_now_ns() - before;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        cpu = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - cpu;
        printf("name=sustained per_record=%u frames=%u wall_ns=%lld cpu_ns=%lld frames_per_s=%.0f "
               "cpu_ns_per_frame=%.0f "
               "frames_per_core_s=%.0f\n",
               per[form], r.frames, (long long)before, (long long)cpu,
               (double)r.frames * 1e9 / (double)before, (double)cpu / (double)r.frames,
               (double)r.frames * 1e9 / (double)cpu);
        fflush(stdout);
        kdp_plant_close(r.plant);
        kdp_stream_close(stream);
    }
}

int
main(int argc, char **argv)
{
    static struct contestant contestants[] = {
        {.name = "kdp", .receive = receive_kdp},
        {.name = "floor", .receive = receive_floor},
#if KDP_BENCH_LWS
        {.name = "lws", .receive = receive_lws},
#endif
    };
    bool quick = argc == 5 && strcmp(argv[4], "quick") == 0;
    pid_t child;

    if (argc < 4) {
        fprintf(stderr, "usage: bench_socket CERT.pem KEY.pem DIR [quick]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    cert_file = argv[1];
    order = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (order == MAP_FAILED)
        die("out of memory");
    make_frames();
    child = fork();
    if (child == 0)
        sender(argv[1], argv[2]);
    pin(1);
    while (atomic_load(&order->port) == 0 && waitpid(child, NULL, WNOHANG) == 0)
        usleep(1000);
    if (atomic_load(&order->port) == 0)
        return 1;
    bench_machine();
    latencies(contestants, sizeof contestants / sizeof *contestants, quick ? 20000 : 100000, quick ? 1 : 3);
    sustained(argv[3], quick ? 100000 : FRAMES_MAX);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return 0;
}
