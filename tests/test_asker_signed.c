/* test_asker_signed.c - requests with a key: its signature, its account's budget, and that nobody reads it in words. */
#include "asker.h"
#include "asker_fixture.h"
#include "asker_private.h"

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "net_server.h"
#include "sign.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define S KDP_NS_PER_S

#define KEY_ID "0b0e9c5e-6a1f-4d0b-9b6d-5a1c0f3e2d7b"

static struct kdp_signer *
make_signer(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct kdp_signer *signer;
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/key.pem", kdp_test_dir());
    file = fopen(path, "w");
    CHECK(key != NULL && file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK_INT(fclose(file), 0);
    EVP_PKEY_free(key);
    CHECK_INT(kdp_signer_open(&signer, KEY_ID, path), 0);
    return signer;
}

/* Its clock is an hour ahead: signatures of ours are refused until ours has learnt that.  /never is refused always. */
static bool
other_clock(void *arg, struct net_conn *conn, const char *head)
{
    static const char date_form[] = "%a, %d %b %Y %H:%M:%S GMT";
    time_t there = (time_t)(kdpi_now_ns() / S) + 3600;
    char date[80], headers[128], stamp[64], target[256];
    struct tm tm;
    long long ms;

    (void)arg;
    gmtime_r(&there, &tm);
    strftime(date, sizeof date, date_form, &tm);
    snprintf(headers, sizeof headers, "Date: %s\r\n", date);
    net_target(head, target, sizeof target);
    net_header(head, "KALSHI-ACCESS-TIMESTAMP", stamp, sizeof stamp);
    ms = atoll(stamp);
    if (strstr(target, "/never") != NULL || ms < ((long long)there - 60) * 1000 ||
        ms > ((long long)there + 60) * 1000)
        net_answer(conn, "401 Unauthorized", headers,
                   "{\"code\":\"header_timestamp_expired\",\"message\":\"timestamp expired\"}");
    else
        net_answer(conn, "200 OK", headers, "{}");
    return true;
}

KDP_TEST(a_signature_of_the_wrong_time_is_healed_once)
{
    struct kdp_signer *signer = make_signer();
    struct kdp_asker_answer *answer;
    struct kdp_asker_stats stats;

    open_both(other_clock, (struct kdp_asker_config){.signer = signer, .tokens_per_s = INT64_MAX});
    CHECK_INT(kdp_asker_one(asker, "/markets", &answer), 0);
    CHECK_INT(answer->status, 200);
    CHECK_INT(answer->tries, 2);
    kdp_asker_free(answer);
    CHECK_INT(kdp_asker_one(asker, "/never", &answer), 0);
    CHECK_INT(answer->status, 401);
    CHECK_INT(answer->tries, 2);
    CHECK_INT(kdp_asker_refused(asker, answer), -KDP_EREFUSED);
    CHECK_STR(kdp_error_text(),
              "the exchange refused the time of the signature: 127.0.0.1: 401 \"timestamp expired\"");
    kdp_asker_free(answer);
    kdp_asker_stats(asker, &stats);
    CHECK_INT(stats.retried, 0); /* it is no failure of theirs */
    close_both();
    kdp_signer_close(signer);
}

/* Says everything it was told about the key: nothing of it may come out at our end. */
static bool
indiscreet(void *arg, struct net_conn *conn, const char *head)
{
    char key[128], bearer[128], target[256], body[600];
    const char *status = "401 Unauthorized";

    (void)arg;
    net_target(head, target, sizeof target);
    net_header(head, "KALSHI-ACCESS-KEY", key, sizeof key);
    net_header(head, "Authorization", bearer, sizeof bearer);
    CHECK_STR(key, KEY_ID);
    CHECK_STR(bearer, "Bearer s3cret-token");
    snprintf(body, sizeof body, "{\"code\":\"%s\",\"message\":\"no key %s here, %s\"}", key, key, bearer);
    if (strstr(target, "/403") != NULL)
        status = "403 Forbidden";
    else if (strstr(target, "/404") != NULL)
        status = "404 Not Found";
    else if (strstr(target, "/429") != NULL)
        status = "429 Too Many Requests";
    else if (strstr(target, "/500") != NULL)
        status = "500 Internal Server Error";
    else if (strstr(target, "/200") != NULL) {
        status = "200 OK";
        snprintf(body, sizeof body, "%.23s", key);
    } else if (strstr(target, "/cut") != NULL) {
        status = "200 OK";
        snprintf(body, sizeof body, "{\"%s", key);
    }
    net_answer(conn, status, "", body);
    return true;
}

KDP_TEST(no_words_have_the_key_or_the_token_in_them)
{
    static const char *const paths[] = {"/401", "/403", "/404", "/429", "/500", "/200", "/cut"};
    struct kdp_signer *signer = make_signer();
    struct kdp_asker_answer *answer;

    open_both(indiscreet, (struct kdp_asker_config){.signer = signer, .token = "s3cret-token", .tries = 2});
    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char words[1200];
        int rc = kdp_asker_one(asker, paths[i], &answer);

        if (rc == 0)
            rc = kdp_asker_refused(asker, answer);
        kdp_asker_free(answer);
        CHECK(rc < 0);
        snprintf(words, sizeof words, "%s|%s", kdp_error_text(), kdp_error_hint());
        CHECK(strlen(words) > 20);
        CHECK(strstr(words, "0b0e9c5e") == NULL && strstr(words, "s3cret") == NULL);
        if (i == 0)
            CHECK(strncmp(words, "the exchange refused the key: 127.0.0.1: 401 \"no key ****", 57) == 0);
    }
    close_both();
    kdp_signer_close(signer);
}

/* An exchange with an account: says its limits to those who sign. */
static atomic_int limits_asked, costs_asked, unsigned_seen, signed_seen;

static bool
account(void *arg, struct net_conn *conn, const char *head)
{
    char key[128], target[256];
    bool is_signed = net_header(head, "KALSHI-ACCESS-KEY", key, sizeof key);

    (void)arg;
    net_target(head, target, sizeof target);
    atomic_fetch_add(is_signed ? &signed_seen : &unsigned_seen, 1);
    if (strstr(target, "/account/limits") != NULL) {
        atomic_fetch_add(&limits_asked, 1);
        net_answer(conn, "200 OK", "",
                   "{\"usage_tier\":\"premier\",\"read\":{\"refill_rate\":1200,\"bucket_capacity\":3600}}");
    } else if (strstr(target, "/account/endpoint_costs") != NULL) {
        atomic_fetch_add(&costs_asked, 1);
        net_answer(conn, "404 Not Found", "", "{}");
    } else {
        net_answer(conn, "200 OK", "", "{}");
    }
    return true;
}

static void
ask_some(struct kdp_asker *from, unsigned count)
{
    struct kdp_asker_answer *answer;

    for (unsigned i = 0; i < count; i++)
        CHECK_INT(kdp_asker_get(from, i, "/markets"), 0);
    while (kdp_asker_pending(from) > 0) {
        CHECK_INT(kdp_asker_next(from, &answer, NULL), 0);
        CHECK_INT(answer->status, 200);
        kdp_asker_free(answer);
    }
}

KDP_TEST(signed_requests_share_the_account_and_unsigned_ones_nothing)
{
    struct kdp_signer *signer = make_signer();
    struct kdp_asker *second, *open;
    struct kdp_asker_stats stats;
    struct kdp_asker_config config = {.pace_percent = 1, .signer = signer};
    double spent;

    open_both(account, config);
    config.base_url = url;
    CHECK_INT(kdp_asker_open(&second, &config), 0);
    config.signer = NULL;
    CHECK_INT(kdp_asker_open(&open, &config), 0);
    ask_some(asker, 6);
    ask_some(second, 6);
    CHECK_INT(atomic_load(&limits_asked), 1);
    CHECK_INT(atomic_load(&costs_asked), 1);
    CHECK_INT(atomic_load(&unsigned_seen), 0);
    kdp_asker_stats(second, &stats);
    CHECK_STR(stats.tier, "premier");
    CHECK_INT(stats.tokens_per_s, 1200);
    CHECK_INT(stats.capacity, 3600);
    CHECK(asker->share == second->share && asker->share != open->share);
    spent = asker->share->pace.spent;
    CHECK(spent == 14 * KDP_PACE_COST);

    ask_some(open, 6);
    CHECK_INT(atomic_load(&unsigned_seen), 6); /* and asked for no limits */
    CHECK_INT(atomic_load(&limits_asked), 1);
    CHECK(asker->share->pace.spent == spent);
    CHECK(open->share->pace.spent == 6 * KDP_PACE_COST);
    kdp_asker_stats(open, &stats);
    CHECK_STR(stats.tier, "");
    CHECK_INT(stats.tokens_per_s, KDP_PACE_RATE);
    kdp_asker_close(open);
    kdp_asker_close(second);
    close_both();
    kdp_signer_close(signer);
}

KDP_TEST(requests_cost_what_the_exchange_says)
{
    static const char body[] =
        "{\"default_cost\":12,\"endpoint_costs\":["
        "{\"method\":\"GET\",\"path\":\"/trade-api/v2/markets/{ticker}\",\"cost\":3},"
        "{\"method\":\"DELETE\",\"path\":\"/markets\",\"cost\":4},"
        "{\"method\":\"GET\",\"path\":\"/series/{s}/markets/{t}/candlesticks\",\"cost\":50},"
        "{\"method\":\"GET\",\"path\":\"/free\",\"cost\":0},"
        "{\"method\":\"GET\",\"path\":\"/wrong\",\"cost\":-7}]}";
    struct asker_share *share = asker_share_take(NULL, 200, 7, 100);

    CHECK_INT(asker_share_cost(share, "/markets"), 10);
    asker_share_costs(share, "/trade-api/v2", body, strlen(body));
    CHECK_INT(asker_share_cost(share, "/markets"), 12);
    CHECK_INT(asker_share_cost(share, "/markets/KXA-1"), 3);
    CHECK_INT(asker_share_cost(share, "/markets/KXA-1?x=/y"), 3);
    CHECK_INT(asker_share_cost(share, "/markets/"), 12);
    CHECK_INT(asker_share_cost(share, "/markets/KXA-1/orderbook"), 12);
    CHECK_INT(asker_share_cost(share, "/series/A/markets/B/candlesticks?period_interval=1"), 50);
    CHECK_INT(asker_share_cost(share, "/series/A/markets/B/candlestick"), 12);
    CHECK_INT(asker_share_cost(share, "/free"), 0);
    CHECK_INT(asker_share_cost(share, "/wrong"), 12);
    asker_share_costs(share, "/trade-api/v2", "{}", 2);
    CHECK_INT(asker_share_cost(share, "/markets/KXA-1"), 10);
    asker_share_give(share);
}

KDP_TEST(a_caller_that_is_busy_loses_no_budget)
{
    struct kdp_asker_answer *answer;
    int64_t deadline_ns;

    open_both(account, (struct kdp_asker_config){.tokens_per_s = 1000, .parallel = 4});
    for (unsigned i = 0; i < 12; i++)
        CHECK_INT(kdp_asker_get(asker, i, "/markets"), 0);
    CHECK_INT(kdp_asker_next(asker, &answer, NULL), 0);
    kdp_asker_free(answer);
    /* it reads now, and does not come back until the others have gone all the same */
    deadline_ns = kdpi_mono_ns() + 20 * S;
    while (net_server_requests(server) < 12) {
        CHECK(kdpi_mono_ns() < deadline_ns);
        poll(NULL, 0, 2);
    }
    ask_some(asker, 0);
    close_both();
}

/* An exchange with a bucket of its own: 2,000 tokens a second, and a second's worth at most; of what it is asked for below, half would
 * be refused to a client that does not wait. */
static bool
strict(void *arg, struct net_conn *conn, const char *head)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static double tokens = 2000;
    static int64_t at_ns;
    int64_t now_ns = kdpi_mono_ns();
    bool ok;

    (void)arg, (void)head;
    pthread_mutex_lock(&lock);
    if (at_ns != 0 && now_ns > at_ns)
        tokens += (double)(now_ns - at_ns) * 2e-6;
    at_ns = now_ns;
    tokens = tokens > 2000 ? 2000 : tokens;
    ok = tokens >= 10;
    tokens -= ok ? 10 : 0;
    pthread_mutex_unlock(&lock);
    if (ok)
        net_answer(conn, "200 OK", "", "{}");
    else
        net_answer(conn, "429 Too Many Requests", "", "{\"error\":\"too many requests\"}");
    return true;
}

KDP_TEST(a_budget_is_used_over_real_connections)
{
    struct kdp_asker_stats stats;
    int64_t began_ns = kdpi_mono_ns(), took_ns;

    open_both(strict, (struct kdp_asker_config){.tokens_per_s = 2000});
    ask_some(asker, 400);
    took_ns = kdpi_mono_ns() - began_ns;
    kdp_asker_stats(asker, &stats);
    CHECK_INT(stats.limited, 0);
    CHECK_INT(stats.requests, 400);
    CHECK(took_ns > 17 * S / 10);                             /* 4,000 tokens, of which 500 were there */
    CHECK(stats.budget_used > 0.8 && stats.budget_used <= 1); /* a machine under load is late now and then */
    close_both();
}
