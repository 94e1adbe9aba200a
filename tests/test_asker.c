/* test_asker.c - requests of commands against a server that misbehaves on command. */
#include "asker.h"
#include "asker_private.h"

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "net_server.h"
#include "sign.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define S KDP_NS_PER_S

static struct net_server *server;
static struct kdp_asker *asker;
static char url[64];

static void
open_both(net_handler handler, struct kdp_asker_config config)
{
    server = net_server_open(handler, NULL, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/trade-api/v2", net_server_port(server));
    config.base_url = url;
    if (config.pace_percent == 0)
        config.pace_percent = 1;
    if (config.tokens_per_s == 0 && config.signer == NULL)
        config.tokens_per_s = INT64_MAX;
    CHECK_INT(kdp_asker_open(&asker, &config), 0);
}

static void
close_both(void)
{
    kdp_asker_close(asker);
    net_server_close(server);
}

static void
put(struct net_conn *conn, const char *text)
{
    net_send(conn, text, strlen(text));
}

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
    mended("/reset/2", 3);
    mended("/slow/1", 2);
    mended("/long/1", 2);
    kdp_asker_stats(asker, &stats);
    CHECK(stats.retried == 16 || stats.retried == 15);
    CHECK_INT(stats.requests, 11 + stats.retried);
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
    given_up(
        "/html/9", -KDP_EFORMAT,
        "not an answer of the exchange: 127.0.0.1: /html/9: it begins with \"<html>hello</html>\"; 3 tries");
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
