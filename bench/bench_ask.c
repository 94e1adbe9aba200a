/* bench_ask.c - pages of trades asked over TLS on loopback: the asker beside a plain libcurl loop, in turns.
 *
 *   bench_ask CERT.pem KEY.pem [PAGES [PARALLEL]]       (a certificate for localhost)
 *
 * A child process serves a page of 1,000 trades (about 300 kB) to every request, over kept connections, uncompressed.
 *   floor    libcurl's multi interface, handles used again, bytes counted and thrown away, one thread
 *   bodies   the same, each body kept whole in memory as it comes
 *   asker    exchange/asker.h: a thread of its own, whole bodies, checked to be one JSON object
 *   decoded  the same, and each trade read
 * Printed for each: pages a second, and CPU a page: of the process, of the caller's thread (all of it for the first two), of the server.
 * On a machine that is shared CPU is the one to compare. */
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asker.h"
#include "bench.h"
#include "error.h"
#include "rest.h"

#define PARALLEL_MAX 64u
#define ROUNDS 5u

static char page[1u << 20];
static size_t page_len;
static SSL_CTX *server_tls;
static volatile int *port; /* shared with the child */

static void
die(const char *what)
{
    fprintf(stderr, "bench_ask: %s: %s\n", what, kdp_error_text());
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* ---- the server ---- */

static void
make_page(void)
{
    size_t head, body = 0;
    char *text = malloc(sizeof page);

    if (text == NULL)
        die("out of memory");
    body += (size_t)sprintf(text, "{\"cursor\":\"CgwIh7\",\"trades\":[");
    for (unsigned i = 0; i < 1000; i++)
        body += (size_t)sprintf(
            text + body,
            "%s{\"trade_id\":\"0b0e9c5e-6a1f-4d0b-9b6d-%012u\",\"ticker\":\"KXHIGHNY-26NOV22-B51.5\","
            "\"count_fp\":\"%u.00\",\"created_time\":\"2026-11-22T15:03:%02u.%06uZ\",\"yes_price_dollars\":"
            "\"0.4200\","
            "\"no_price_dollars\":\"0.5800\",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\","
            "\"is_block_trade\":false}",
            i > 0 ? "," : "", i, i % 90 + 1, i % 60, i * 37 % 1000000);
    body += (size_t)sprintf(text + body, "]}");
    head = (size_t)sprintf(
        page, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body);
    memcpy(page + head, text, body);
    page_len = head + body;
    free(text);
}

static void *
serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    SSL *ssl = SSL_new(server_tls);
    char head[16384];
    size_t used = 0;

    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        for (;;) {
            char *end;
            int n = SSL_read(ssl, head + used, (int)(sizeof head - 1 - used));

            if (n <= 0)
                break;
            used += (size_t)n;
            head[used] = '\0';
            while ((end = strstr(head, "\r\n\r\n")) != NULL) {
                for (size_t at = 0; at < page_len;) {
                    n = SSL_write(ssl, page + at, (int)(page_len - at < 16384 ? page_len - at : 16384));
                    if (n <= 0)
                        goto done;
                    at += (size_t)n;
                }
                used -= (size_t)(end + 4 - head);
                memmove(head, end + 4, used + 1);
            }
        }
    }
done:
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void
server(const char *cert, const char *key)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGPIPE, SIG_IGN);
    server_tls = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(server_tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(server_tls, key, SSL_FILETYPE_PEM) != 1 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        die("cannot serve");
    *port = ntohs(address.sin_port);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;

        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
            die("no thread");
        pthread_detach(thread);
    }
}

/* ---- the contestants: each gives the bytes it had of count pages ---- */

struct load {
    char url[128];
    const char *ca;
    unsigned parallel;
    CURLM *multi;
    CURL *easy[PARALLEL_MAX];
    struct body {
        char *bytes;
        size_t len, room;
        bool kept;
    } body[PARALLEL_MAX];
    struct kdp_asker *asker;
    struct kdp_rest_reader *reader; /* NULL: not decoded */
};

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct body *body = arg;

    size *= count;
    if (body->kept) {
        while (body->len + size > body->room)
            if ((body->bytes = realloc(body->bytes, body->room = body->room == 0 ? 16384 : body->room * 2)) ==
                NULL)
                die("out of memory");
        memcpy(body->bytes + body->len, bytes, size);
    }
    body->len += size;
    return size;
}

static void
open_curl(struct load *load, bool kept)
{
    char url[160];

    load->multi = curl_multi_init();
    snprintf(url, sizeof url, "%s/markets/trades?limit=1000", load->url);
    for (unsigned i = 0; i < load->parallel; i++) {
        CURL *easy = load->easy[i] = curl_easy_init();

        load->body[i].kept = kept;
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_CAINFO, load->ca);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &load->body[i]);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &load->body[i]);
    }
}

static uint64_t
run_curl(void *arg, uint64_t count)
{
    struct load *load = arg;
    uint64_t sum = 0, asked = 0, done = 0;
    CURLMsg *message;
    int running, left;

    for (; asked < load->parallel && asked < count; asked++)
        curl_multi_add_handle(load->multi, load->easy[asked]);
    while (done < count) {
        bool finished = false;

        curl_multi_perform(load->multi, &running);
        while ((message = curl_multi_info_read(load->multi, &left)) != NULL) {
            CURL *easy = message->easy_handle;
            struct body *body;

            if (message->data.result != CURLE_OK)
                die(curl_easy_strerror(message->data.result));
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &body);
            sum += body->len;
            if (body->kept) { /* a caller keeps it, so the next has memory of its own */
                free(body->bytes);
                *body = (struct body){.kept = true};
            }
            body->len = 0;
            curl_multi_remove_handle(load->multi, easy);
            if (asked < count) {
                curl_multi_add_handle(load->multi, easy);
                asked++;
            }
            done++;
            finished = true;
        }
        if (!finished && done < count)
            curl_multi_poll(load->multi, NULL, 0, 1000, NULL);
    }
    return sum;
}

static bool
each_trade(void *arg, const struct kdp_message *trade)
{
    *(uint64_t *)arg += (uint64_t)trade->trade.count_e2 != 0;
    return true;
}

static uint64_t
run_asker(void *arg, uint64_t count)
{
    struct load *load = arg;
    uint64_t sum = 0, asked = 0, trades = 0;

    for (uint64_t done = 0; done < count; done++) {
        struct kdp_asker_answer *answer;

        for (; asked < count && asked < done + 4u * load->parallel; asked++)
            if (kdp_asker_get(load->asker, asked, "/markets/trades?limit=1000") != 0)
                die("not asked");
        if (kdp_asker_next(load->asker, &answer, NULL) != 0)
            die("no answer");
        sum += answer->len;
        if (load->reader != NULL) {
            struct kdp_rest_end end;

            kdpi_rest_trades(load->reader, answer->body, answer->len, each_trade, &trades, &end);
            if (end.refusal != KDP_REFUSAL_NONE || end.items != 1000)
                die("not decoded");
        }
        kdp_asker_free(answer);
    }
    return sum;
}

static void
open_asker(struct load *load, bool decoded)
{
    struct kdp_asker_config config = {
        .base_url = load->url, .ca_file = load->ca, .parallel = load->parallel, .tokens_per_s = INT64_MAX};

    if (kdp_asker_open(&load->asker, &config) != 0)
        die("asker");
    if (decoded)
        load->reader = kdpi_rest_open();
}

static int
by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double
median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof values[0], by_size);
    return values[ROUNDS / 2];
}

static int64_t
cpu_of(int who, bool kernel)
{
    struct rusage usage;

    getrusage(who, &usage);
    return kernel ? (int64_t)usage.ru_stime.tv_sec * 1000000000 + usage.ru_stime.tv_usec * 1000
                  : (int64_t)usage.ru_utime.tv_sec * 1000000000 + usage.ru_utime.tv_usec * 1000;
}

static int64_t
cpu_of_child(pid_t child)
{
    clockid_t clock;
    struct timespec ts;

    if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &ts) != 0)
        return 0;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int
main(int argc, char **argv)
{
    uint64_t pages = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    unsigned parallel = argc > 4 ? (unsigned)atoi(argv[4]) : 8;
    static struct load load[4];
    struct {
        const char *name;
        uint64_t (*run)(void *arg, uint64_t count);
        double best, cpu[ROUNDS], caller[ROUNDS];
    } who[4] = {{.name = "floor", .run = run_curl},
                {.name = "bodies", .run = run_curl},
                {.name = "asker", .run = run_asker},
                {.name = "decoded", .run = run_asker}};
    pid_t child;

    if (argc < 3 || pages == 0 || parallel == 0 || parallel > PARALLEL_MAX) {
        fprintf(stderr, "usage: bench_ask CERT.pem KEY.pem [PAGES [PARALLEL]]\n");
        return 2;
    }
    make_page();
    port = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (port == MAP_FAILED)
        die("no memory");
    child = fork();
    if (child == 0)
        server(argv[1], argv[2]);
    while (*port == 0)
        if (waitpid(child, NULL, WNOHANG) == child)
            die("no server");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(load[i].url, sizeof load[i].url, "https://localhost:%d/trade-api/v2", *port);
        load[i].ca = argv[1];
        load[i].parallel = parallel;
        if (i < 2)
            open_curl(&load[i], i == 1);
        else
            open_asker(&load[i], i == 3);
        who[i].run(&load[i], parallel * 2); /* connections stand */
    }
    printf("name=case case=ask page_bytes=%zu pages=%llu parallel=%u\n", page_len, (unsigned long long)pages,
           parallel);
    for (unsigned r = 0; r < ROUNDS; r++)
        for (unsigned i = 0; i < 4; i++) {
            int64_t user = cpu_of(RUSAGE_SELF, false), kernel = cpu_of(RUSAGE_SELF, true),
                    caller = bench_cpu_ns(), served = cpu_of_child(child), began = bench_now_ns(), took;
            uint64_t sum = who[i].run(&load[i], pages);
            double rate, n = (double)pages * 1000;

            took = bench_now_ns() - began;
            user = cpu_of(RUSAGE_SELF, false) - user;
            kernel = cpu_of(RUSAGE_SELF, true) - kernel;
            caller = bench_cpu_ns() - caller;
            served = cpu_of_child(child) - served;
            rate = (double)pages * 1e9 / (double)took;
            if (rate > who[i].best)
                who[i].best = rate;
            who[i].cpu[r] = (double)(user + kernel) / n;
            who[i].caller[r] = (double)caller / n;
            printf("name=%s round=%u pages_per_s=%.0f mb_per_s=%.0f user_us=%.0f kernel_us=%.0f "
                   "caller_us=%.0f server_us=%.0f\n",
                   who[i].name, r, rate, (double)sum * 1e3 / (double)took, (double)user / n,
                   (double)kernel / n, (double)caller / n, (double)served / n);
        }
    for (unsigned i = 0; i < 4; i++)
        printf("name=ask_%s pages_per_s=%.0f cpu_us=%.0f caller_us=%.0f cpu_over_floor=%.2f "
               "cpu_over_bodies=%.2f\n",
               who[i].name, who[i].best, median(who[i].cpu), median(who[i].caller),
               median(who[i].cpu) / median(who[0].cpu), median(who[i].cpu) / median(who[1].cpu));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
