/* test_asker.c - requests of commands against a server that misbehaves on command. */
#include "asker.h"
#include "asker_fixture.h"

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "net_server.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>

#define S KDP_NS_PER_S

/* Every path fails so many times in the way its name says, then answers: /KIND/TIMES/NAME. */
static bool
trouble(void *arg, struct net_conn *conn, const char *head)
{
    static struct {
        char name[64];
        atomic_int seen;
    } paths[64];
    static atomic_uint used;
    static atomic_flag busy = ATOMIC_FLAG_INIT;
    char target[256], kind[32] = "", body[300];
    int times = 0, seen = -1;

    (void)arg;
    net_target(head, target, sizeof target);
    CHECK(sscanf(target, "/trade-api/v2/%31[^/]/%d", kind, &times) >= 1);
    while (atomic_flag_test_and_set(&busy))
        ;
    for (unsigned i = 0; i < atomic_load(&used) && seen < 0; i++)
        if (strcmp(paths[i].name, target) == 0)
            seen = atomic_fetch_add(&paths[i].seen, 1);
    if (seen < 0) {
        unsigned at = atomic_fetch_add(&used, 1);

        CHECK(at < 64);
        snprintf(paths[at].name, sizeof paths[at].name, "%s", target);
        atomic_store(&paths[at].seen, 1);
        seen = 0;
    }
    atomic_flag_clear(&busy);
    if (seen >= times) {
        snprintf(body, sizeof body, "{\"path\":\"%s\"}", target);
        net_answer(conn, "200 OK", "Age: 9\r\n", body);
        return true;
    }
    if (strcmp(kind, "limited") == 0) {
        net_answer(conn, "429 Too Many Requests", "", "{\"error\":\"too many requests\"}");
    } else if (strcmp(kind, "down") == 0) {
        net_answer(conn, "503 Service Unavailable", "", "{\"code\":\"down\",\"message\":\"be right back\"}");
    } else if (strcmp(kind, "html") == 0) {
        net_answer(conn, "200 OK", "", "<html>hello</html>");
    } else if (strcmp(kind, "empty") == 0) {
        net_answer(conn, "200 OK", "", "");
    } else if (strcmp(kind, "list") == 0) {
        net_answer(conn, "200 OK", "", "[1,2]");
    } else if (strcmp(kind, "short") == 0) { /* announces more than it sends */
        put(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":[1,");
        return false;
    } else if (strcmp(kind, "less") == 0) { /* announces less than it sends */
        put(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":{\"b\":1}}");
    } else if (strcmp(kind, "cut") == 0) { /* announces nothing, and ends after a whole inner object */
        put(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":[{\"b\":1}");
        return false;
    } else if (strcmp(kind, "reset") == 0) {
        net_reset(conn);
        return false;
    } else if (strcmp(kind, "slow") == 0) {
        put(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        net_wait_gone(conn);
        return false;
    } else if (strcmp(kind, "long") == 0) {
        memset(body, ' ', sizeof body);
        put(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n");
        for (int i = 0; i < 4; i++)
            net_send(conn, body, sizeof body);
    } else {
        net_answer(conn, "404 Not Found", "",
                   "{\"error\":{\"code\":\"not_found\",\"message\":\"no such thing\"}}");
    }
    return true;
}

/* Asks for one path that must be answered after so many tries, one less where libcurl does one of them itself: it does when a kept
 * connection ends without a byte. */
static void
mended(const char *path, unsigned tries)
{
    struct kdp_asker_answer *answer;
    char want[256];
    int rc = kdp_asker_one(asker, path, &answer);

    if (rc != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s", path, kdp_error_text());
    snprintf(want, sizeof want, "{\"path\":\"/trade-api/v2%s\"}", path);
    CHECK_INT(answer->status, 200);
    CHECK_STR(answer->body, want);
    CHECK_STR(answer->path, path);
    CHECK(answer->tries == tries || (strncmp(path, "/reset", 6) == 0 && answer->tries + 1 == tries));
    CHECK_INT(answer->age_ns, 9 * S);
    kdp_asker_free(answer);
}

KDP_TEST(what_a_repeat_can_mend_is_repeated)
{
    struct kdp_asker_stats stats;

    open_both(trouble, (struct kdp_asker_config){.body_max = 1000, .timeout_ns = S / 4});
    mended("/fine/0", 1);
    mended("/limited/3", 4);
    mended("/down/2", 3);
    mended("/html/1", 2);
    mended("/empty/1", 2);
    mended("/list/1", 2);
    mended("/short/2", 3);
    mended("/cut/2", 3);
    mended("/less/1", 2);
    mended("/reset/2", 3);
    mended("/slow/1", 2);
    mended("/long/1", 2);
    kdp_asker_stats(asker, &stats);
    CHECK(stats.retried == 17 || stats.retried == 16);
    CHECK_INT(stats.requests, 12 + stats.retried);
    CHECK_INT(stats.limited, 3);
    CHECK_INT(kdp_asker_pending(asker), 0);
    close_both();
}

static void
given_up(const char *path, int rc, const char *words)
{
    struct kdp_asker_answer *answer;
    uint64_t request = 0;

    CHECK_INT(kdp_asker_get(asker, 5, path), 0);
    CHECK_INT(kdp_asker_next(asker, &answer, &request), rc);
    CHECK(answer == NULL);
    CHECK_INT(request, 5);
    CHECK_STR(kdp_error_text(), words);
    CHECK(kdp_error_hint()[0] != '\0');
}

KDP_TEST(what_no_repeat_mends_ends_in_words)
{
    struct kdp_asker_answer *answer;

    open_both(trouble, (struct kdp_asker_config){.body_max = 1000, .timeout_ns = S / 4, .tries = 3});
    given_up("/down/9", -KDP_ENET, "the exchange failed: 127.0.0.1: 503 \"be right back\": /down/9; 3 tries");
    given_up("/limited/9", -KDP_EREFUSED,
             "asked too often: 127.0.0.1: 429 \"too many requests\": /limited/9; 3 tries");
    given_up("/html/9", -KDP_EFORMAT,
             "not an answer of the exchange: 127.0.0.1: /html/9: it is HTML or XML; 3 tries");
    given_up("/cut/9", -KDP_EFORMAT, "answer cut short: 127.0.0.1: /cut/9: 13 bytes; 3 tries");
    given_up("/slow/9", -KDP_ETIMEOUT, "no answer in time: 127.0.0.1: waited 0.25 s: /slow/9; 3 tries");
    given_up("/long/9", -KDP_EFORMAT, "answer too long: 127.0.0.1: more than 1000 bytes: /long/9; 3 tries");
    CHECK_INT(kdp_asker_one(asker, "/missing/9", &answer), 0);
    CHECK_INT(answer->status, 404);
    CHECK_INT(answer->tries, 1);
    CHECK_INT(kdp_asker_refused(asker, answer), -KDP_ENOENT);
    CHECK_STR(kdp_error_text(), "not on the exchange: 127.0.0.1: 404 \"no such thing\": /missing/9");
    kdp_asker_free(answer);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), -KDP_ENOENT);
    close_both();
}

KDP_TEST(all_together_are_repeated_so_often_and_no_more)
{
    struct kdp_asker_answer *answer;
    struct kdp_asker_stats stats;
    uint64_t request;
    unsigned failed = 0;

    open_both(trouble, (struct kdp_asker_config){.budget = 5});
    for (uint64_t i = 0; i < 4; i++) {
        char path[32];

        snprintf(path, sizeof path, "/down/99/%llu", (unsigned long long)i);
        CHECK_INT(kdp_asker_get(asker, i, path), 0);
    }
    while (kdp_asker_pending(asker) > 0) {
        CHECK_INT(kdp_asker_next(asker, &answer, &request), -KDP_ENET);
        CHECK(strstr(kdp_error_text(), "5 of 4 requests had to be repeated, that is too many") != NULL);
        failed++;
    }
    CHECK_INT(failed, 4);
    kdp_asker_stats(asker, &stats);
    CHECK_INT(stats.retried, 5);
    CHECK_INT(stats.requests, 9);
    close_both();
}

static unsigned said;

static void
on_say(const void *arg, const char *words)
{
    CHECK(arg == &said);
    CHECK_STR(words, "the exchange failed: 127.0.0.1: 503 \"be right back\": /down/5; 3 tries; again in 1 s");
    said++;
}

KDP_TEST(a_long_wait_is_said_once)
{
    open_both(trouble, (struct kdp_asker_config){.say = on_say, .say_arg = &said});
    mended("/down/2", 3);
    CHECK_INT(said, 0); /* two failures are nothing to speak of */
    mended("/down/5", 6);
    CHECK_INT(said, 1);
    close_both();
}

KDP_TEST(what_the_caller_cannot_read_is_asked_again)
{
    struct kdp_asker_answer *answer;

    open_both(trouble, (struct kdp_asker_config){.tries = 3});
    CHECK_INT(kdp_asker_one(asker, "/fine/0/a", &answer), 0);
    CHECK_INT(kdp_asker_again(asker, answer, "the list of trades is missing"), 0);
    CHECK_INT(kdp_asker_pending(asker), 1);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), 0);
    CHECK_INT(answer->tries, 2);
    CHECK_INT(kdp_asker_again(asker, answer, "the list of trades is missing"), 0);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), 0);
    CHECK_INT(answer->tries, 3);
    CHECK_INT(kdp_asker_again(asker, answer, "the list of trades is missing"), -KDP_EFORMAT);
    CHECK_STR(kdp_error_text(),
              "cannot be read: 127.0.0.1: /fine/0/a: the list of trades is missing; 3 tries");
    CHECK_INT(kdp_asker_pending(asker), 0);
    close_both();
}

/* The exchange during maintenance. */
static bool
maintenance(void *arg, struct net_conn *conn, const char *head)
{
    static atomic_int calls;
    char target[256];

    (void)arg;
    net_target(head, target, sizeof target);
    if (strstr(target, "/exchange/status") != NULL)
        net_answer(conn, "503 Service Unavailable", "",
                   "{\"exchange_active\":false,\"trading_active\":false}");
    else if (strstr(target, "/exchange/schedule") != NULL)
        net_answer(conn, "504 Gateway Timeout", "",
                   atomic_fetch_add(&calls, 1) == 0 ? "{\"error\":{\"code\":\"upstream\",\"message\":\"no\"}}"
                                                    : "{\"schedule\":{}}");
    else
        net_answer(conn, "301 Moved Permanently", "Location: /trade-api/v2/elsewhere\r\n", "");
    return true;
}

KDP_TEST(state_and_schedule_are_answers_while_it_is_down)
{
    struct kdp_asker_answer *answer;

    open_both(maintenance, (struct kdp_asker_config){0});
    CHECK_INT(kdp_asker_one(asker, "/exchange/status", &answer), 0);
    CHECK_INT(answer->status, 503);
    CHECK_STR(answer->body, "{\"exchange_active\":false,\"trading_active\":false}");
    CHECK_INT(answer->tries, 1);
    kdp_asker_free(answer);
    CHECK_INT(kdp_asker_one(asker, "/exchange/schedule", &answer), 0);
    CHECK_INT(answer->status, 504);
    CHECK_INT(answer->tries, 2); /* the first was an error's body */
    kdp_asker_free(answer);
    close_both();
}

KDP_TEST(nothing_is_followed_elsewhere)
{
    struct kdp_asker_answer *answer;

    open_both(maintenance, (struct kdp_asker_config){0});
    CHECK_INT(kdp_asker_one(asker, "/series/", &answer), 0);
    CHECK_INT(answer->status, 301);
    CHECK_INT(net_server_requests(server), 1);
    CHECK_INT(kdp_asker_refused(asker, answer), -KDP_EREFUSED);
    CHECK_STR(kdp_error_text(), "the exchange sends us elsewhere: 127.0.0.1: 301: /series/");
    kdp_asker_free(answer);
    close_both();
}

/* ---- order ---- */

/* /bad fails for a while, everything else takes a millisecond. */
static bool
one_bad(void *arg, struct net_conn *conn, const char *head)
{
    static atomic_int seen;
    char target[256];

    (void)arg;
    net_target(head, target, sizeof target);
    poll(NULL, 0, 1);
    if (strstr(target, "/bad") != NULL && atomic_fetch_add(&seen, 1) < 3)
        net_answer(conn, "500 Internal Server Error", "", "");
    else
        net_answer(conn, "200 OK", "", "{}");
    return true;
}

KDP_TEST(a_repeat_goes_before_what_is_new)
{
    struct kdp_asker_answer *answer;
    unsigned before = 0;

    open_both(one_bad, (struct kdp_asker_config){.parallel = 2});
    CHECK_INT(kdp_asker_get(asker, 7, "/bad"), 0);
    for (unsigned i = 0; i < 1000; i++)
        CHECK_INT(kdp_asker_get(asker, 1, "/good"), 0);
    for (;;) {
        uint64_t request;

        CHECK_INT(kdp_asker_next(asker, &answer, &request), 0);
        kdp_asker_free(answer);
        if (request == 7)
            break;
        before++;
    }
    CHECK(before < 500); /* its waits are 10, 20 and 40 ms, in each of which some dozen others are answered */
    close_both();
}

/* Down for 40 requests; notes how many different ones it saw meanwhile. */
static atomic_int down_seen, down_different;

static bool
down_for_a_while(void *arg, struct net_conn *conn, const char *head)
{
    static atomic_uint known[8];
    char target[256];
    unsigned number;

    (void)arg;
    net_target(head, target, sizeof target);
    CHECK(sscanf(target, "/trade-api/v2/%u", &number) == 1 && number < 256);
    if (atomic_fetch_add(&down_seen, 1) < 40) {
        if ((atomic_fetch_or(&known[number / 32], 1u << number % 32) >> number % 32 & 1) == 0)
            atomic_fetch_add(&down_different, 1);
        net_answer(conn, "503 Service Unavailable", "", "");
    } else {
        net_answer(conn, "200 OK", "", "{}");
    }
    return true;
}

KDP_TEST(an_exchange_that_is_down_does_not_use_up_the_tries_of_all)
{
    bool got[200] = {false};
    unsigned count = 0;

    open_both(down_for_a_while, (struct kdp_asker_config){.parallel = 2});
    for (unsigned i = 0; i < 200; i++) {
        char path[16];

        snprintf(path, sizeof path, "/%u", i);
        CHECK_INT(kdp_asker_get(asker, i, path), 0);
    }
    while (kdp_asker_pending(asker) > 0) {
        struct kdp_asker_answer *answer;
        uint64_t request;

        CHECK_INT(kdp_asker_next(asker, &answer, &request), 0);
        CHECK(request < 200 && !got[request]);
        got[request] = true;
        count++;
        kdp_asker_free(answer);
    }
    CHECK_INT(count, 200);
    CHECK(atomic_load(&down_different) <= 16); /* those handed over before it was clear */
    close_both();
}

/* ---- ends ---- */

static int
stop_after_a_few(void)
{
    static int calls;

    return ++calls > 3 ? 2 : 0;
}

KDP_TEST(a_signal_ends_the_waiting)
{
    struct kdp_asker_answer *answer;
    int64_t began_ns = kdpi_mono_ns();

    open_both(trouble, (struct kdp_asker_config){.stopped = stop_after_a_few});
    CHECK_INT(kdp_asker_get(asker, 1, "/slow/99"), 0);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), -KDP_ESTOPPED);
    CHECK(kdpi_mono_ns() - began_ns < 5 * S);
    CHECK_INT(kdp_asker_pending(asker), 1);
    close_both(); /* with it under way */
}

KDP_TEST(closing_gives_up_what_is_in_any_state)
{
    struct kdp_asker_answer *answer;

    open_both(trouble, (struct kdp_asker_config){.parallel = 2, .pace_percent = 100});
    CHECK_INT(kdp_asker_get(asker, 1, "/fine/0"), 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK_INT(kdp_asker_get(asker, 2, "/down/99"), 0);
    CHECK_INT(kdp_asker_get(asker, 2, "/slow/99"), 0);
    for (unsigned i = 0; i < 20; i++)
        CHECK_INT(kdp_asker_get(asker, 3, "/fine/0"), 0);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), 0);
    close_both();
    CHECK_STR(answer->path, "/fine/0"); /* what was given stays the caller's */
    CHECK_STR(answer->body, "{\"path\":\"/trade-api/v2/fine/0\"}");
    kdp_asker_free(answer);
}

/* ---- nobody there ---- */

static void
nobody(const char *base_url, int rc, unsigned requests, const char *words, const char *hint)
{
    struct kdp_asker_config config = {.base_url = base_url,
                                      .base_url_from = "base-url, .env line 3",
                                      .tokens_per_s = INT64_MAX,
                                      .timeout_ns = 10 * S,
                                      .pace_percent = 1};
    struct kdp_asker_answer *answer;
    struct kdp_asker_stats stats;

    CHECK_INT(kdp_asker_open(&asker, &config), 0);
    CHECK_INT(kdp_asker_one(asker, "/markets", &answer), rc);
    if (strncmp(kdp_error_text(), words, strlen(words)) != 0)
        CHECK_STR(kdp_error_text(), words);
    CHECK(strstr(kdp_error_text(), "(base-url, .env line 3)") != NULL);
    CHECK_STR(kdp_error_hint(), hint);
    kdp_asker_stats(asker, &stats);
    CHECK_INT(stats.requests, requests);
    kdp_asker_close(asker);
}

KDP_TEST(an_address_where_nobody_answers_is_said_soon)
{
    char base[128], words[256], cert[512], key[512];
    const char *dir = kdp_test_dir();

    server = net_server_open(trouble, NULL, NULL, NULL);
    snprintf(base, sizeof base, "http://127.0.0.1:%u/x", net_server_port(server));
    net_server_close(server);
    nobody(base, -KDP_ENET, 2, "cannot connect: 127.0.0.1: connection refused",
           "Is that the address, and is the network up?");
    net_certificates(dir, "Corp Proxy CA", "localhost", -1, 10);
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    server = net_server_open(trouble, NULL, cert, key);
    snprintf(base, sizeof base, "https://localhost:%u/x", net_server_port(server));
    snprintf(words, sizeof words, "certificate not trusted: localhost: issued by unknown \"Corp Proxy CA\"");
    nobody(base, -KDP_EREFUSED, 1, words,
           "If that issuer is yours, add its root: --ca-file FILE.pem. Checking cannot be turned off");
    net_server_close(server);
}

KDP_TEST(what_cannot_be_asked_is_refused_at_once)
{
    struct kdp_asker_config config = {.base_url = "wss://a/b"};
    struct kdp_asker_answer *answer;

    CHECK_INT(kdp_asker_open(&asker, &config), -KDP_EUSAGE);
    CHECK(asker == NULL);
    config.base_url = "http://127.0.0.1:9/x";
    CHECK_INT(kdp_asker_open(&asker, &config), 0);
    CHECK_INT(kdp_asker_get(asker, 1, "markets"), -KDP_EINVAL);
    CHECK_INT(kdp_asker_get(asker, 1, "/a"), 0);
    CHECK_INT(kdp_asker_one(asker, "/b", &answer), -KDP_EBUSY);
    kdp_asker_close(asker);
    CHECK_INT(kdp_asker_open(&asker, &config), 0);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), -KDP_ENOENT);
    CHECK(answer == NULL);
    kdp_asker_close(asker);
}
