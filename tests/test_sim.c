/* test_sim.c - the simulator's server: handshake, subscriptions, numbers and books, as a client sees them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "http_fetch.h"
#include "kdp_test.h"
#include "sim_fixture.h"

static struct sim_fixture fixture;

static void
begin(uint32_t markets, uint32_t rate)
{
    fixture.config.exchange.seed = 3;
    fixture.config.exchange.markets = markets;
    fixture.config.exchange.rate = rate;
    fixture.config.taker_side = true;
    sim_start(&fixture);
}

/* Quiet, then a snapshot of every market, which must say what the books say already. */
static void
check_books(struct sim_client *client, unsigned count)
{
    struct sim_book *was = malloc(SIM_BOOKS_MAX * sizeof *was);
    char tickers[8192], command[9000];
    uint64_t want;

    CHECK(was != NULL);
    free(sim_tell(&fixture, "quiet"));
    sim_send(client, "{\"id\":900,\"cmd\":\"list_subscriptions\"}"); /* behind all that was on its way */
    want = client->kinds[KDP_MESSAGE_OK_LIST] + 1;
    CHECK(sim_until(client, &client->kinds[KDP_MESSAGE_OK_LIST], want));
    memcpy(was, client->books, SIM_BOOKS_MAX * sizeof *was);
    sim_tickers(&fixture, count, tickers, sizeof tickers);
    snprintf(command, sizeof command,
             "{\"id\":901,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"action\":\"get_snapshot\","
             "\"market_tickers\":[%s]}}",
             tickers);
    want = client->kinds[KDP_MESSAGE_SNAPSHOT] + count;
    sim_send(client, command);
    CHECK(sim_until(client, &client->kinds[KDP_MESSAGE_SNAPSHOT], want));
    CHECK_INT(client->last_id, 901);
    for (uint32_t i = 0; i < client->book_count; i++)
        CHECK_MEM(client->books[i].size_e2, was[i].size_e2, sizeof was[i].size_e2);
    free(was);
}

static void
stream(bool ed25519, bool deflate, bool yes_price)
{
    static struct sim_client client;
    char tickers[4096], command[5000];

    fixture.config.no_rsa = ed25519;
    begin(30, 3000);
    CHECK_INT(sim_connect(&client, &fixture, ed25519, deflate), 0);
    client.yes_price = yes_price;
    sim_tickers(&fixture, 20, tickers, sizeof tickers);
    snprintf(
        command, sizeof command,
        "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\",\"trade\",\"ticker\"],"
        "\"market_tickers\":[%s],\"use_yes_price\":%s}}",
        tickers, yes_price ? "true" : "false");
    sim_send(&client, command);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SUBSCRIBED], 3));
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_DELTA], 2000));
    CHECK(sim_until(&client, &client.trades, 5));
    CHECK(sim_until(&client, &client.tickers, 5));
    check_books(&client, 20);
    CHECK_INT(client.book_count, 20);
    CHECK_INT(client.gaps, 0);
    CHECK_INT(client.negative, 0);
    CHECK_INT(client.refused, 0);
    CHECK_INT(client.unknown, 0);
    sim_disconnect(&client);
    sim_stop(&fixture);
}

KDP_TEST(books_follow_with_an_rsa_key)
{
    stream(false, false, false);
}

KDP_TEST(books_follow_with_an_ed25519_key_on_the_yes_scale)
{
    stream(true, false, true);
}

KDP_TEST(books_follow_compressed)
{
    fixture.config.deflate = true;
    stream(true, true, true);
}

KDP_TEST(books_follow_with_60_frames_in_a_record)
{
    fixture.config.per_record = 60;
    stream(true, false, true);
}

/* ---- commands ---- */
static struct sim_client client;
static char list[4096]; /* ten tickers */

static void
begin_quiet(void)
{
    fixture.config.no_rsa = true;
    begin(20, 0);
    sim_tickers(&fixture, 10, list, sizeof list);
    CHECK_INT(sim_connect(&client, &fixture, true, false), 0);
}

static void
finish(void)
{
    sim_disconnect(&client);
    sim_stop(&fixture);
}

static void
send_list(const char *before, const char *after)
{
    char command[5000];

    snprintf(command, sizeof command, "%s[%s]%s", before, list, after);
    sim_send(&client, command);
}

static void
gives_error(const char *command, int code)
{
    uint64_t want = client.kinds[KDP_MESSAGE_ERROR] + 1;

    client.error_code = 0;
    sim_send(&client, command);
    if (!sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], want) || client.error_code != code)
        kdp_test_fail(__FILE__, __LINE__, "%s: error %d, want %d: %s", command, (int)client.error_code, code,
                      client.last_text);
}

KDP_TEST(wrong_commands_get_their_codes)
{
    begin_quiet();
    gives_error("nothing", 1);
    gives_error("[]", 1);
    gives_error("{\"id\":\"a\",\"cmd\":\"subscribe\"}", 1);
    gives_error("{\"id\":1,\"cmd\":\"fly\"}", 5);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\"}", 2);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{}}", 3);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[]}}", 3);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"multivariate\"]}}", 8);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"]}}", 14);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_"
                "tickers\":[]}}",
                14);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"trade\"],\"market_ticker\":"
                "\"A\",\"market_tickers\":[\"B\"]}}",
                11);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_"
                "tickers\":[\"KXNONE-1\"]}}",
                11);
    CHECK(strstr(client.last_text, "\"market_tickers\":[\"KXNONE-1\"]") != NULL);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"cfbenchmarks_value\"]}}", 24);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"pyth_value\"]}}", 28);
    gives_error(
        "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"communications\"],\"shard_factor\":0}}",
        19);
    gives_error(
        "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"communications\"],\"shard_key\":0}}",
        20);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"communications\"],\"shard_"
                "factor\":4,\"shard_key\":4}}",
                21);
    gives_error("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"communications\"],\"shard_"
                "factor\":101}}",
                22);
    gives_error("{\"id\":1,\"cmd\":\"update_subscription\",\"params\":{\"action\":\"get_snapshot\"}}", 12);
    gives_error("{\"id\":1,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"sids\":[1],\"action\":"
                "\"get_snapshot\"}}",
                12);
    gives_error(
        "{\"id\":1,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"action\":\"get_snapshot\"}}", 7);
    gives_error("{\"id\":1,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[]}}", 4);
    gives_error("{\"id\":1,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[3]}}", 7);
    CHECK_INT(client.kinds[KDP_MESSAGE_SUBSCRIBED], 0);
    /* of a subscription: with its sid, and a number where the channel has them */
    send_list(
        "{\"id\":2,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_tickers\":",
        "}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 10));
    gives_error("{\"id\":3,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1}}", 15);
    gives_error("{\"id\":3,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"action\":\"dance\"}}", 13);
    CHECK_INT(client.last_sid, 1);
    CHECK_INT(client.seq[1], 12);
    CHECK_INT(client.gaps, 0);
    finish();
}

KDP_TEST(subscriptions_are_merged_changed_and_ended)
{
    char one[300];

    begin_quiet();
    snprintf(one, sizeof one,
             "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\"],\"market_"
             "ticker\":%.*s}}",
             (int)strcspn(list, ","), list);
    sim_send(&client, one);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 1));
    send_list("{\"id\":2,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"orderbook_delta\",\"trade\"],"
              "\"market_tickers\":",
              "}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 10));
    CHECK_INT(client.kinds[KDP_MESSAGE_SUBSCRIBED], 3);
    CHECK_STR(client.last_text,
              "{\"id\":2,\"type\":\"subscribed\",\"msg\":{\"channel\":\"trade\",\"sid\":2}}");
    sim_send(&client, "{\"id\":7,\"cmd\":\"list_subscriptions\"}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_OK_LIST], 1));
    CHECK_STR(client.last_text, "{\"id\":7,\"type\":\"ok\",\"msg\":[{\"channel\":\"orderbook_delta\",\"sid\":"
                                "1},{\"channel\":\"trade\",\"sid\":2}]}");
    send_list("{\"id\":3,\"cmd\":\"update_subscription\",\"params\":{\"sids\":[1],\"action\":\"add_markets\","
              "\"market_tickers\":",
              "}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_OK], 1));
    CHECK(strstr(client.last_text,
                 "{\"id\":3,\"sid\":1,\"seq\":11,\"type\":\"ok\",\"msg\":{\"market_tickers\":[\"") ==
          client.last_text);
    snprintf(one, sizeof one,
             "{\"id\":4,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"action\":\"delete_markets\","
             "\"market_tickers\":[%.*s]}}",
             (int)strcspn(list, ","), list);
    sim_send(&client, one);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_OK], 2));
    snprintf(one, sizeof one, "%.*s", (int)strcspn(list, ","), list);
    CHECK(strstr(client.last_text, one) == NULL);
    sim_send(&client, "{\"id\":6,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[1,2]}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_UNSUBSCRIBED], 2));
    CHECK_STR(client.last_text, "{\"id\":6,\"sid\":2,\"seq\":1,\"type\":\"unsubscribed\"}");
    CHECK_INT(client.gaps, 0);
    CHECK_INT(client.kinds[KDP_MESSAGE_SNAPSHOT], 10);
    finish();
}

KDP_TEST(no_list_of_markets_means_all_of_them)
{
    begin_quiet();
    sim_send(&client,
             "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"trade\"],\"market_tickers\":[]}}");
    sim_send(&client, "{\"id\":2,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"market_lifecycle_v2\","
                      "\"multivariate_market_lifecycle\"]}}");
    send_list("{\"id\":3,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"ticker\"],\"send_initial_"
              "snapshot\":true,\"market_tickers\":",
              "}}");
    CHECK(sim_until(&client, &client.tickers, 10));
    for (unsigned i = 0; i < 5; i++)
        free(sim_tell(&fixture, "tail 1")); /* numbered, not sent: of whatever market */
    free(sim_tell(&fixture, "ticks"));
    CHECK(sim_until(&client, &client.lives, 1));
    CHECK_INT(client.last_sid, 2);
    sim_send(&client, "{\"id\":6,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[1]}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_UNSUBSCRIBED], 1));
    CHECK_INT(client.seq[1], 6);
    finish();
}

KDP_TEST(acknowledgements_can_do_without_the_list)
{
    begin_quiet();
    send_list("{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"trade\"],\"skip_ticker_ack\":true,"
              "\"market_tickers\":",
              "}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SUBSCRIBED], 1));
    send_list("{\"id\":2,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"action\":\"add_markets\","
              "\"market_tickers\":",
              "}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_OK], 1));
    CHECK_STR(client.last_text, "{\"id\":2,\"sid\":1,\"seq\":1,\"type\":\"ok\",\"msg\":{}}");
    finish();
}

KDP_TEST(a_client_that_does_not_pong_is_dropped)
{
    int64_t end = kdpi_mono_ns() + 10 * KDP_NS_PER_S;
    bool gone = false;

    fixture.config.ping_ms = 50;
    fixture.config.pong_wait_ms = 300;
    begin_quiet();
    for (unsigned i = 0; i < 10; i++) /* it reads, so it answers, and stays */
        sim_read(&client, 60);
    CHECK(!client.closed);
    while (!gone && kdpi_mono_ns() < end) {
        char *stats = sim_tell(&fixture, "stats");

        gone = strstr(stats, "\"clients\":0,") != NULL;
        free(stats);
    }
    CHECK(gone);
    finish();
}

/* ---- REST ---- */
static int
ask(const char *path, struct kdp_signer *signer, char *body, size_t size)
{
    char ca[600];
    struct kdp_http_config config = {.base_url = fixture.base,
                                     .ca_file = fixture.config.plain ? NULL : ca,
                                     .signer = signer,
                                     .timeout_ns = 5 * KDP_NS_PER_S};
    struct kdp_http_answer *answer;
    int status;

    snprintf(ca, sizeof ca, "%s/ca.pem", fixture.dir);
    CHECK_INT(http_fetch(&config, path, &answer), 0);
    status = answer->status;
    snprintf(body, size, "%.*s", (int)answer->len, answer->body != NULL ? answer->body : "");
    kdp_http_answer_free(answer);
    return status;
}

/* How often word is in text.  By hand: under a sanitizer each strstr measures the whole rest first. */
static unsigned
times(const char *text, const char *word)
{
    unsigned count = 0;

    for (const char *at = text; *at != 0; at++) {
        size_t i = 0;

        while (word[i] != 0 && at[i] == word[i])
            i++;
        count += word[i] == 0;
    }
    return count;
}

/* Follows the cursors to the end: how often word was seen. */
static unsigned
walk(const char *path, const char *word)
{
    static char body[1 << 20];
    char next[512];
    unsigned count = 0;

    snprintf(next, sizeof next, "%s", path);
    for (unsigned pages = 0; pages < 1000; pages++) {
        char *cursor;

        CHECK_INT(ask(next, NULL, body, sizeof body), 200);
        count += times(body, word);
        cursor = strstr(body, "\"cursor\":\"") + 10;
        if (*cursor == '"')
            return count;
        cursor[strcspn(cursor, "\"")] = 0;
        snprintf(next, sizeof next, "%s&cursor=%s", path, cursor);
    }
    kdp_test_fail(__FILE__, __LINE__, "%s: the cursors never end", path);
}

KDP_TEST(listings_are_whole_over_their_pages)
{
    char path[300], body[4096], *trades;
    unsigned all, of_first, some;
    size_t len;

    fixture.config.exchange.history_ns = 150 * 60 * KDP_NS_PER_S;
    fixture.config.plain = true; /* many requests, each a connection */
    begin_quiet();
    CHECK_INT(walk("/markets?limit=7", "\"event_ticker\""), 20);
    CHECK_INT(walk("/markets?limit=7&mve_filter=exclude&status=open", "\"event_ticker\""), 20);
    CHECK_INT(walk("/events?limit=3&with_nested_markets=true", "\"market_type\""), 20);
    trades = sim_tell(&fixture, "trades 0");
    snprintf(path, sizeof path, "\"ticker\":%.*s", (int)strcspn(list, ","), list);
    all = times(trades, "\"trade_id\"");
    of_first = times(trades, path);
    free(trades);
    CHECK(all > 1000);
    /* each trade is in one of the two tiers, the newest first */
    CHECK_INT(walk("/markets/trades?limit=700", "\"trade_id\"") +
                  walk("/historical/trades?limit=1000", "\"trade_id\""),
              all);
    CHECK(walk("/historical/trades?limit=1000", "\"trade_id\"") > 0);
    len = strcspn(list + 1, "\"");
    snprintf(path, sizeof path, "/markets/trades?limit=500&ticker=%.*s", (int)len, list + 1);
    some = walk(path, "\"trade_id\"");
    snprintf(path, sizeof path, "/historical/trades?limit=1000&ticker=%.*s", (int)len, list + 1);
    CHECK_INT(some + walk(path, "\"trade_id\""), of_first);
    CHECK_INT(ask("/markets?status=open,closed", NULL, body, sizeof body), 400);
    CHECK_INT(ask("/markets?min_updated_ts=1&mve_filter=exclude", NULL, body, sizeof body), 200);
    CHECK_INT(ask("/markets?min_updated_ts=1&status=open", NULL, body, sizeof body), 400);
    CHECK_INT(ask("/markets?limit=1001", NULL, body, sizeof body), 400);
    CHECK_INT(ask("/markets?cursor=zzz", NULL, body, sizeof body), 400);
    CHECK_INT(ask("/markets/trades?limit=%zz", NULL, body, sizeof body), 400);
    finish();
}

/* The volume of an hour is that of its minutes and of its trades. */
KDP_TEST(candles_agree_with_each_other)
{
    static char body[1 << 20];
    char path[400];
    long long start = kdpi_now_ns() / KDP_NS_PER_S / 3600 * 3600 - 3600, sums[2] = {0, 0};

    fixture.config.exchange.history_ns = 6 * 3600 * KDP_NS_PER_S;
    begin_quiet();
    for (unsigned i = 0; i < 2; i++) {
        /* period_interval=60 gives the hour, 1 its minutes: start is not in it, the end is */
        snprintf(path, sizeof path,
                 "/series/KX/markets/%.*s/candlesticks?start_ts=%lld&end_ts=%lld&period_interval=%u",
                 (int)strcspn(list + 1, "\""), list + 1, i == 0 ? start + 3600 : start + 60, start + 3600,
                 i == 0 ? 60 : 1);
        CHECK_INT(ask(path, NULL, body, sizeof body), 200);
        for (const char *at = body; (at = strstr(at, "\"volume_fp\":\"")) != NULL; at++)
            sums[i] += (long long)(strtod(at + 13, NULL) * 100 + 0.5);
    }
    CHECK(sums[0] > 0);
    CHECK_INT(sums[1], sums[0]);
    CHECK(strstr(body, "\"mean_dollars\":\"0.") != NULL);
    CHECK_INT(ask("/series/KX/markets/NONE/candlesticks?start_ts=1&end_ts=2&period_interval=1", NULL, body,
                  sizeof body),
              404);
    snprintf(path, sizeof path,
             "/markets/candlesticks?market_tickers=%.*s&start_ts=1&end_ts=2&period_interval=7",
             (int)strcspn(list + 1, "\""), list + 1);
    CHECK_INT(ask(path, NULL, body, sizeof body), 400);
    finish();
}

KDP_TEST(signed_requests_take_tokens)
{
    char body[4096], line[300], key[64] = "", path[600];
    struct kdp_signer *signer;
    unsigned limited = 0;
    FILE *file;

    fixture.config.plain = true;
    fixture.config.read_refill = 1;
    fixture.config.read_capacity = 40;
    begin_quiet();
    snprintf(path, sizeof path, "%s/sim.env", fixture.dir);
    file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        sscanf(line, "KALSHI_API_KEY=%63s", key);
    fclose(file);
    snprintf(path, sizeof path, "%s/ed25519.pem", fixture.dir);
    CHECK_INT(kdp_signer_open(&signer, key, path), 0);
    CHECK_INT(ask("/account/limits", signer, body, sizeof body), 200);
    CHECK(strstr(body, "\"refill_rate\":1,\"bucket_capacity\":40") != NULL);
    for (unsigned i = 0; i < 6; i++) {
        int status = ask("/exchange/status?x=1", signer, body, sizeof body);

        CHECK(status == 200 || status == 429);
        limited += status == 429;
        if (status == 429)
            CHECK_STR(body, "{\"error\":\"too many requests\"}");
    }
    CHECK(limited > 0);
    CHECK_INT(ask("/exchange/status", NULL, body, sizeof body), 200); /* who does not sign takes none */
    kdp_signer_close(signer);
    snprintf(path, sizeof path, "%s/ed25519.pem", fixture.dir);
    CHECK_INT(kdp_signer_open(&signer, "00000000-0000-4000-8000-000000000000", path), 0);
    CHECK_INT(ask("/exchange/status", signer, body, sizeof body), 401);
    kdp_signer_close(signer);
    finish();
}

/* ---- the HTTP of it, byte by byte ---- */
static char raw_answer[65536];

/* Sends bytes over a connection of its own and reads until the server closes it or has answered so many requests. */
static void
raw(const char *bytes, unsigned answers)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(kdp_sim_port(fixture.sim))};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0, sent = strlen(bytes);
    ssize_t got;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    CHECK_INT(send(fd, bytes, sent, MSG_NOSIGNAL), sent);
    do {
        got = read(fd, raw_answer + len, sizeof raw_answer - 1 - len);
        if (got > 0)
            len += (size_t)got;
        raw_answer[len] = 0;
    } while (got > 0 && (times(raw_answer, "HTTP/1.1 ") < answers || raw_answer[len - 1] != '}'));
    close(fd);
}

static void
says(const char *words)
{
    if (strstr(raw_answer, words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "\"%s\" lacks \"%s\"", raw_answer, words);
}

KDP_TEST(http_is_spoken_as_the_exchange_does)
{
    static char long_head[40000];
    char request[2048], lines[KDP_SIGN_HEADERS_MAX];

    fixture.config.plain = true;
    fixture.config.read_refill = 1;
    fixture.config.read_capacity = 10;
    begin_quiet();
    /* two requests in one piece, over one connection that stays */
    raw("GET /trade-api/v2/exchange/status HTTP/1.1\r\nHost: x\r\n\r\nGET /trade-api/v2/nonsense "
        "HTTP/1.1\r\nHost: x\r\n\r\n",
        2);
    says("HTTP/1.1 200 OK\r\nDate: ");
    says("Connection: keep-alive");
    says("Cache-Control: public, max-age=15");
    says("HTTP/1.1 404 Not Found");
    raw("GET /trade-api/v2/markets/?limit=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 2);
    says("HTTP/1.1 301 Moved Permanently");
    says("Location: /trade-api/v2/markets\r\n");
    raw("POST /trade-api/v2/markets HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 1);
    says("HTTP/1.1 405");
    raw("nonsense\r\n\r\n", 1);
    says("HTTP/1.1 400");
    memset(long_head, 'a', sizeof long_head - 1);
    memcpy(long_head, "GET / HTTP/1.1\r\nX: ", 19);
    raw(long_head, 1);
    says("HTTP/1.1 4");
    /* an upgrade without a signature gets a 401 with JSON, and no WebSocket */
    raw("GET /trade-api/ws/v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        1);
    says("HTTP/1.1 401 Unauthorized");
    says("{\"code\":\"token_authentication_failure\"");
    /* all three headers or none */
    raw("GET /trade-api/v2/exchange/status HTTP/1.1\r\nHost: x\r\nKALSHI-ACCESS-KEY: 1\r\n\r\n", 1);
    says("HTTP/1.1 401");
    /* the second signed request finds no token: no header says when to come again */
    CHECK(kdp_signer_headers(client.signer, kdpi_now_ns(), "GET", "/trade-api/v2/markets", lines,
                             sizeof lines) > 0);
    snprintf(request, sizeof request,
             "GET /trade-api/v2/markets?limit=1 HTTP/1.1\r\nHost: x\r\n%s\r\nGET /trade-api/v2/markets "
             "HTTP/1.1\r\nHost: x\r\n%s\r\n",
             lines, lines);
    raw(request, 2);
    says("HTTP/1.1 200 OK");
    says("HTTP/1.1 429 Too Many Requests");
    says("{\"error\":\"too many requests\"}");
    CHECK(strcasestr(raw_answer, "retry-after") == NULL);
    /* a signature is for its path */
    snprintf(request, sizeof request, "GET /trade-api/v2/events HTTP/1.1\r\nHost: x\r\n%s\r\n", lines);
    raw(request, 1);
    says("HTTP/1.1 401");
    /* and for its time */
    CHECK(kdp_signer_headers(client.signer, kdpi_now_ns() - 60 * KDP_NS_PER_S, "GET", "/trade-api/v2/markets",
                             lines, sizeof lines) > 0);
    snprintf(request, sizeof request, "GET /trade-api/v2/markets HTTP/1.1\r\nHost: x\r\n%s\r\n", lines);
    raw(request, 1);
    says("header_timestamp_expired");
    CHECK(kdp_signer_headers(client.signer, kdpi_now_ns() + 10 * KDP_NS_PER_S, "GET",
                             "/trade-api/v2/exchange/schedule", lines, sizeof lines) > 0);
    snprintf(request, sizeof request, "GET /trade-api/v2/exchange/schedule HTTP/1.1\r\nHost: x\r\n%s\r\n",
             lines);
    raw(request, 1);
    says("HTTP/1.1 429"); /* taken as signed; the bucket is empty */
    finish();
}
