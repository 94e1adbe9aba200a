/* test_http.c - REST requests against a server of the test's own: order, kept connections, and everything that goes wrong. */
#include "http.h"
#include "http_fetch.h"

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "kdp_test.h"
#include "net_server.h"

#include <openssl/pem.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define S KDP_NS_PER_S

static struct net_server *server;
static struct kdp_http *http;

static void
open_both(net_handler handler, struct kdp_http_config config)
{
    static char url[64];

    server = net_server_open(handler, NULL, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/trade-api/v2", net_server_port(server));
    config.base_url = url;
    CHECK_INT(kdp_http_open(&http, &config), 0);
}

static void
close_both(void)
{
    kdp_http_close(http);
    net_server_close(server);
}

/* The next answer, waited for through the fd alone. */
static struct kdp_http_answer *
next(void)
{
    int64_t deadline_ns = kdpi_mono_ns() + 20 * S;
    struct kdp_http_answer *answer;

    for (;;) {
        struct pollfd p = {.fd = kdp_http_fd(http), .events = POLLIN};

        answer = kdp_http_take(http);
        if (answer != NULL)
            return answer;
        CHECK(kdpi_mono_ns() < deadline_ns);
        poll(&p, 1, 5000);
    }
}

static struct kdp_http_answer *
ask(const char *path)
{
    CHECK_INT(kdp_http_get(http, 77, path), 0);
    return next();
}

static bool
echo(void *arg, struct net_conn *conn, const char *head)
{
    char target[1024], body[1100];

    (void)arg;
    net_target(head, target, sizeof target);
    snprintf(body, sizeof body, "%u %s", net_number(conn), target);
    net_answer(conn, "200 OK", "Date: Sun, 22 Nov 2026 15:04:05 GMT\r\n", body);
    return true;
}

KDP_TEST(an_answer_has_what_was_asked)
{
    struct kdp_http_answer *answer;
    int64_t before_ns = kdpi_now_ns();

    open_both(echo, (struct kdp_http_config){0});
    CHECK_INT(kdp_http_pending(http), 0);
    answer = ask("/markets?limit=1000&cursor=a%2Fb");
    CHECK_INT(answer->request, 77);
    CHECK_INT(answer->status, 200);
    CHECK_STR(answer->path, "/markets?limit=1000&cursor=a%2Fb");
    CHECK_STR(answer->body, "0 /trade-api/v2/markets?limit=1000&cursor=a%2Fb");
    CHECK_INT(answer->len, strlen(answer->body));
    CHECK_INT(answer->date_ns, INT64_C(1795359845) * S);
    CHECK(answer->sent_ns >= before_ns && answer->got_ns >= answer->sent_ns);
    CHECK(answer->took_ns > 0 && answer->wait_ns > 0 && answer->wait_ns <= answer->took_ns);
    kdp_http_answer_free(answer);
    CHECK_INT(kdp_http_pending(http), 0);
    CHECK(kdp_http_take(http) == NULL);
    close_both();
}

KDP_TEST(connections_are_kept)
{
    open_both(echo, (struct kdp_http_config){.parallel = 1});
    for (int i = 0; i < 20; i++) {
        struct kdp_http_answer *answer = ask("/a");

        CHECK_STR(answer->body, "0 /trade-api/v2/a");
        kdp_http_answer_free(answer);
    }
    CHECK_INT(net_server_connections(server), 1);
    close_both();
}

static atomic_uint inside, inside_most;

/* Answers when three are here at once, or after 5 s. */
static bool
together(void *arg, struct net_conn *conn, const char *head)
{
    int64_t deadline_ns = kdpi_mono_ns() + 5 * S;

    (void)arg, (void)head;
    atomic_fetch_add(&inside, 1);
    while (atomic_load(&inside_most) < 3 && kdpi_mono_ns() < deadline_ns) {
        unsigned now = atomic_load(&inside);

        if (now > atomic_load(&inside_most))
            atomic_store(&inside_most, now);
        poll(NULL, 0, 1);
    }
    atomic_fetch_sub(&inside, 1);
    net_answer(conn, "200 OK", "", "");
    return true;
}

KDP_TEST(several_are_under_way_at_once)
{
    uint64_t seen = 0;

    open_both(together, (struct kdp_http_config){.parallel = 3});
    for (uint64_t i = 0; i < 12; i++)
        CHECK_INT(kdp_http_get(http, i, "/a"), 0);
    CHECK_INT(kdp_http_pending(http), 12);
    for (int i = 0; i < 12; i++) {
        struct kdp_http_answer *answer = next();

        CHECK_INT(answer->status, 200);
        CHECK_INT(answer->len, 0);
        CHECK_STR(answer->body, "");
        seen |= UINT64_C(1) << answer->request;
        kdp_http_answer_free(answer);
    }
    CHECK_INT(seen, 0xfff);
    CHECK_INT(atomic_load(&inside_most), 3);
    CHECK(net_server_connections(server) <= 3);
    close_both();
}

/* What the path names is what the server does. */
static bool
trouble(void *arg, struct net_conn *conn, const char *head)
{
    char target[1024];
    const char *what;

    (void)arg;
    net_target(head, target, sizeof target);
    what = strrchr(target, '/') + 1;
    if (strcmp(what, "429") == 0) {
        net_answer(conn, "429 Too Many Requests", "", "{\"error\":\"too many requests\"}");
        return true;
    }
    if (strcmp(what, "503") == 0) {
        net_answer(conn, "503 Service Unavailable", "", "{}");
        return true;
    }
    if (strcmp(what, "redirect") == 0) {
        net_answer(conn, "301 Moved Permanently", "Location: /trade-api/v2/429\r\n", "");
        return true;
    }
    if (strcmp(what, "cut") == 0) {
        static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"markets\":[";

        net_send(conn, cut, sizeof cut - 1);
        return false;
    }
    if (strcmp(what, "reset") == 0) {
        net_reset(conn);
        return false;
    }
    if (strcmp(what, "nothing") == 0)
        return false;
    if (strcmp(what, "garbage") == 0) {
        net_send(conn, "what?\r\n\r\n", 9);
        return false;
    }
    if (strcmp(what, "big") == 0) {
        static char body[70000];

        memset(body, 'x', sizeof body - 1);
        net_answer(conn, "200 OK", "", body);
        return true;
    }
    if (strcmp(what, "fits") == 0) {
        static char body[65537];

        memset(body, 'y', sizeof body - 1);
        net_answer(conn, "200 OK", "", body);
        return true;
    }
    if (strcmp(what, "gzip") == 0) {
        net_answer(conn, "200 OK", "Content-Encoding: gzip\r\n", "not gzip at all");
        return true;
    }
    if (strcmp(what, "folded") == 0) { /* 1,000 times the letter a */
        static const char folded[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 29\r\n\r\n"
                                     "\x1f\x8b\x08\0\0\0\0\0\x02\x03\x4b\x4c\x1c\x05\xa3\x60\x14\x0c\x77\0\0"
                                     "\x03\xda\x38\x9a\xe8\x03\0\0";

        net_send(conn, folded, sizeof folded - 1);
        return true;
    }
    net_wait_gone(conn); /* "silence" */
    return false;
}

KDP_TEST(refusals_are_answers)
{
    struct kdp_http_answer *answer;

    open_both(trouble, (struct kdp_http_config){0});
    answer = ask("/429");
    CHECK_INT(answer->status, 429);
    CHECK_STR(answer->body, "{\"error\":\"too many requests\"}");
    kdp_http_answer_free(answer);
    answer = ask("/503");
    CHECK_INT(answer->status, 503);
    kdp_http_answer_free(answer);
    answer = ask("/redirect");
    CHECK_INT(answer->status, 301);
    kdp_http_answer_free(answer);
    CHECK_INT(net_server_requests(server), 3); /* the redirect was not followed, nothing was tried again */
    close_both();
}

static void
no_answer(const char *path, int code, const char *words)
{
    struct kdp_http_answer *answer = ask(path);

    CHECK_INT(answer->status, 0);
    CHECK_INT(answer->error_code, code);
    CHECK_INT(answer->len, 0);
    if (strncmp(answer->error, words, strlen(words)) != 0)
        CHECK_STR(answer->error, words);
    kdp_http_answer_free(answer);
}

KDP_TEST(cut_answers_are_no_answers)
{
    open_both(trouble, (struct kdp_http_config){0});
    no_answer("/cut", KDP_ENET, "answer cut short: 127.0.0.1: ");
    no_answer("/reset", KDP_ENET, "answer cut short: 127.0.0.1: ");
    no_answer("/nothing", KDP_ENET, "answer cut short: 127.0.0.1: ");
    no_answer("/garbage", KDP_ENET, "request failed: 127.0.0.1: ");
    no_answer("/gzip", KDP_ENET, "request failed: 127.0.0.1: ");
    close_both();
}

KDP_TEST(an_answer_that_is_too_long_is_refused)
{
    struct kdp_http_answer *answer;

    open_both(trouble, (struct kdp_http_config){.body_max = 65536});
    no_answer("/big", KDP_EFORMAT, "answer too long: 127.0.0.1: more than 65536 bytes");
    answer = ask("/fits");
    CHECK_INT(answer->status, 200);
    CHECK_INT(answer->len, 65536);
    CHECK_INT(answer->body[65535], 'y');
    kdp_http_answer_free(answer);
    close_both();
}

KDP_TEST(a_compressed_answer_counts_unfolded)
{
    struct kdp_http_answer *answer;

    open_both(trouble, (struct kdp_http_config){.body_max = 1000});
    answer = ask("/folded");
    CHECK_INT(answer->status, 200);
    CHECK_INT(answer->len, 1000);
    CHECK_INT(strspn(answer->body, "a"), 1000);
    kdp_http_answer_free(answer);
    close_both();
    open_both(trouble, (struct kdp_http_config){.body_max = 999});
    no_answer("/folded", KDP_EFORMAT, "answer too long: 127.0.0.1: more than 999 bytes");
    close_both();
}

KDP_TEST(silence_ends_at_the_timeout)
{
    int64_t began_ns = kdpi_mono_ns();

    open_both(trouble, (struct kdp_http_config){.timeout_ns = S / 5});
    no_answer("/silence", KDP_ETIMEOUT, "no answer in time: 127.0.0.1: waited 0.2 s");
    CHECK(kdpi_mono_ns() - began_ns >= S / 5);
    close_both();
}

KDP_TEST(closing_gives_up_what_is_under_way)
{
    int64_t began_ns;

    open_both(trouble, (struct kdp_http_config){.parallel = 2});
    for (uint64_t i = 0; i < 10; i++)
        CHECK_INT(kdp_http_get(http, i, "/silence"), 0);
    while (net_server_requests(server) < 2)
        poll(NULL, 0, 1);
    began_ns = kdpi_mono_ns();
    kdp_http_close(http);
    CHECK(kdpi_mono_ns() - began_ns < 5 * S);
    net_server_close(server);
}

KDP_TEST(nobody_there)
{
    struct kdp_http_config config = {0};
    struct kdp_http_answer *answer;
    char url[64];

    server = net_server_open(echo, NULL, NULL, NULL); /* for a port that was free a moment ago */
    snprintf(url, sizeof url, "http://127.0.0.1:%u", net_server_port(server));
    net_server_close(server);
    config.base_url = url;
    CHECK_INT(http_fetch(&config, "/exchange/status", &answer), 0);
    CHECK_INT(answer->status, 0);
    CHECK_INT(answer->error_code, KDP_ENET);
    CHECK_STR(answer->error, "cannot connect: 127.0.0.1: connection refused");
    kdp_http_answer_free(answer);
}

KDP_TEST(no_such_host)
{
    struct kdp_http_config config = {.base_url = "https://no-such-host.invalid/trade-api/v2",
                                     .timeout_ns = 10 * S};
    struct kdp_http_answer *answer;

    CHECK_INT(http_fetch(&config, "/exchange/status", &answer), 0);
    CHECK_INT(answer->status, 0);
    if (answer->error_code != KDP_ETIMEOUT) /* a machine whose resolver is out of reach says nothing at all */
        CHECK_STR(answer->error, "no such host: no-such-host.invalid");
    kdp_http_answer_free(answer);
}

static bool
show_headers(void *arg, struct net_conn *conn, const char *head)
{
    char key[128], ms[64], sig[1024], bearer[128], body[1500];

    (void)arg;
    net_header(head, "KALSHI-ACCESS-KEY", key, sizeof key);
    net_header(head, "KALSHI-ACCESS-TIMESTAMP", ms, sizeof ms);
    net_header(head, "KALSHI-ACCESS-SIGNATURE", sig, sizeof sig);
    net_header(head, "Authorization", bearer, sizeof bearer);
    snprintf(body, sizeof body, "%s %zu %zu %s", key, strlen(ms), strlen(sig), bearer);
    net_answer(conn, "200 OK", "Date: Sun, 22 Nov 2026 15:04:05 GMT\r\nAge: 15\r\n", body);
    return true;
}

KDP_TEST(requests_are_signed_and_teach_the_clock)
{
    struct kdp_signer *signer;
    struct kdp_http_answer *answer;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const char *dir = kdp_test_dir();
    char path[512];
    int64_t offset_ns;
    FILE *file;

    snprintf(path, sizeof path, "%s/key.pem", dir);
    file = fopen(path, "w");
    CHECK(key != NULL && file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK_INT(fclose(file), 0);
    EVP_PKEY_free(key);
    CHECK_INT(kdp_signer_open(&signer, "id-1", path), 0);
    open_both(show_headers, (struct kdp_http_config){.signer = signer, .token = "old-token"});
    answer = ask("/markets?limit=5");
    CHECK_INT(answer->status, 200);
    CHECK_STR(answer->body, "id-1 13 88 Bearer old-token");
    /* the answer came out of a cache: its Date is 15 s old */
    CHECK_INT(answer->date_ns, INT64_C(1795359860) * S);
    offset_ns = kdp_signer_offset_ns(signer) - (answer->date_ns - answer->got_ns);
    CHECK(offset_ns > -2 * S && offset_ns < 2 * S);
    kdp_http_answer_free(answer);
    close_both();
    kdp_signer_close(signer);
}

static void
fetch_tls(const char *dir, const char *ca, const char *host, int status, const char *words)
{
    struct kdp_http_config config = {.timeout_ns = 10 * S};
    struct kdp_http_answer *answer;
    char url[128], ca_file[512];

    snprintf(url, sizeof url, "https://%s:%u/trade-api/v2", host, net_server_port(server));
    snprintf(ca_file, sizeof ca_file, "%s/%s", dir, ca != NULL ? ca : "");
    config.base_url = url;
    config.ca_file = ca != NULL ? ca_file : NULL;
    CHECK_INT(http_fetch(&config, "/x", &answer), 0);
    CHECK_INT(answer->status, status);
    if (status == 0) {
        CHECK_INT(answer->error_code, KDP_EREFUSED);
        if (strncmp(answer->error, words, strlen(words)) != 0)
            CHECK_STR(answer->error, words);
    }
    kdp_http_answer_free(answer);
}

static void
open_tls(const char *dir, const char *host, int days_from, int days_to)
{
    char cert[512], key[512];

    net_certificates(dir, "Corp Proxy CA", host, days_from, days_to);
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    server = net_server_open(echo, NULL, cert, key);
}

KDP_TEST(certificates_are_checked)
{
    const char *dir = kdp_test_dir();

    open_tls(dir, "localhost", -1, 10);
    fetch_tls(dir, "ca.pem", "localhost", 200, NULL);
    fetch_tls(dir, "ca.pem", "127.0.0.1", 200, NULL);
    fetch_tls(dir, NULL, "localhost", 0,
              "certificate not trusted: localhost: issued by unknown \"Corp Proxy CA\"");
    net_server_close(server);
    open_tls(dir, "other.example", -1, 10);
    fetch_tls(dir, "ca.pem", "localhost", 0, "certificate not trusted: localhost: ");
    net_server_close(server);
    open_tls(dir, "localhost", -10, -1);
    fetch_tls(dir, "ca.pem", "localhost", 0, "certificate not trusted: localhost: certificate has expired");
    net_server_close(server);
}

KDP_TEST(settings_that_cannot_work)
{
    static const char *const urls[] = {"wss://a/b", "https://a/b?c=d", "ftp://a", ""};
    struct kdp_http_config config = {0};

    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        config.base_url = urls[i];
        CHECK_INT(kdp_http_open(&http, &config), -KDP_EUSAGE);
        CHECK(http == NULL);
    }
    config.base_url = "https://localhost";
    config.ca_file = "/nonexistent/ca.pem";
    CHECK_INT(kdp_http_open(&http, &config), -KDP_ENOENT);
    CHECK_STR(kdp_error_text(), "cannot read the CA file: /nonexistent/ca.pem: no such file or directory");
    config.ca_file = NULL;
    config.token = "two words";
    CHECK_INT(kdp_http_open(&http, &config), -KDP_EUSAGE);
    config.token = NULL;
    CHECK_INT(kdp_http_open(&http, &config), 0);
    CHECK_INT(kdp_http_get(http, 1, "markets"), -KDP_EINVAL);
    kdp_http_close(http);
}
