/* test_sim_faults.c - fault lines as text, and each fault as a client meets it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "faults.h"
#include "http.h"
#include "http_fetch.h"
#include "kdp_test.h"
#include "server_private.h"
#include "sim_fixture.h"

/* ---- lines ---- */
static void
refused(const char *line, const char *words)
{
    struct kdp_sim_fault fault;

    CHECK_INT(kdp_sim_fault_parse(&fault, line), -KDP_EUSAGE);
    if (strstr(kdp_error_text(), words) == NULL && strstr(kdp_error_hint(), words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "%s: \"%s\" lacks \"%s\"", line, kdp_error_text(), words);
}

KDP_TEST(every_fault_has_defaults_that_can_be_read)
{
    struct kdp_sim_fault fault;

    for (unsigned i = 0; i < KDP_SIM_FAULTS; i++) {
        CHECK_INT(kdp_sim_fault_parse(&fault, kdp_sim_fault_word((enum kdp_sim_fault_kind)i)), 0);
        CHECK_INT(fault.kind, i);
    }
}

KDP_TEST(a_line_is_read_with_names_and_without)
{
    struct kdp_sim_fault a, b;

    CHECK_INT(kdp_sim_fault_parse(&a, "gap sid=trade count=7 conn=4"), 0);
    CHECK_INT(kdp_sim_fault_parse(&b, "  gap   trade 7\t4 "), 0);
    CHECK_MEM(&a, &b, sizeof a);
    CHECK_INT(a.channel, 1);
    CHECK_INT(a.count, 7);
    CHECK_INT(a.conn, 4);
    CHECK_INT(kdp_sim_fault_parse(&a, "gap sid=12 conn=all"), 0);
    CHECK_INT(a.sid, 12);
    CHECK_INT(a.conn, KDP_SIM_CONN_ALL);
    CHECK_INT(a.count, 3); /* the row's own */
    CHECK_INT(kdp_sim_fault_parse(&a, "stall 2.5s off"), 0);
    CHECK_INT(a.seconds_ns, 2500000000);
    CHECK(!a.pings);
    CHECK_INT(kdp_sim_fault_parse(&a, "clock offset=-1h"), 0);
    CHECK_INT(a.offset_ns, INT64_C(-3600000000000));
    CHECK_INT(kdp_sim_fault_parse(&a, "random 7 0.25"), 0);
    CHECK_INT(a.seed, 7);
    CHECK_INT(a.rate_e6, 250000);
    CHECK_INT(kdp_sim_fault_parse(&a, "mass-cancel KXA-1"), 0);
    CHECK_STR(a.market, "KXA-1");
    CHECK_INT(kdp_sim_fault_parse(&a, "rest-error status=404 path=/markets/ count=2"), 0);
    CHECK_STR(a.path, "/markets/");
    CHECK_INT(a.status, 404);
    CHECK_INT(kdp_sim_fault_parse(&a, "big-snapshot 3M"), 0);
    CHECK_INT(a.bytes, 3 << 20);
}

KDP_TEST(a_wrong_line_is_refused_in_words)
{
    refused("", "empty");
    refused("gapp", "Did you mean gap?");
    refused("nonsense-of-a-word", "kdp sim ctl faults");
    refused("gap colour=red", "takes no colour");
    refused("gap sid=nobody", "sid=nobody");
    refused("gap count=-1", "count=-1");
    refused("gap count=1 count=2", "given twice");
    refused("gap book 3 any extra", "takes no extra");
    refused("reset conn=0", "conn=0");
    refused("stall seconds=soon", "seconds=soon");
    refused("close status=99", "status=99");
    refused("deflate value=maybe", "value=maybe");
    refused("random 1 rate=a", "rate=a");
    refused("big-snapshot bytes=90M", "bytes=90M");
    refused("rest-error path=markets", "path=markets");
    refused("gap \x1b[31m", "\\x1b");
}

KDP_TEST(script_lines_say_when)
{
    enum kdp_sim_when when;
    int64_t span_ns;
    const char *rest;

    CHECK_INT(kdp_sim_line_when(" AT 12.5s gap 3", &when, &span_ns, &rest), 0);
    CHECK_INT(when, KDP_SIM_AT);
    CHECK_INT(span_ns, 12500000000);
    CHECK_STR(rest, "gap 3");
    CHECK_INT(kdp_sim_line_when("EVERY 1min reset", &when, &span_ns, &rest), 0);
    CHECK_INT(when, KDP_SIM_EVERY);
    CHECK_INT(span_ns, 60 * KDP_NS_PER_S);
    CHECK_INT(kdp_sim_line_when("# a note", &when, &span_ns, &rest), 0);
    CHECK_STR(rest, "");
    CHECK_INT(kdp_sim_line_when("reset", &when, &span_ns, &rest), 0);
    CHECK_INT(when, KDP_SIM_NOW);
    CHECK_STR(rest, "reset");
    CHECK_INT(kdp_sim_line_when("AT soon reset", &when, &span_ns, &rest), -KDP_EUSAGE);
    CHECK_INT(kdp_sim_line_when("AT 1s", &when, &span_ns, &rest), -KDP_EUSAGE);
    CHECK_INT(kdp_sim_line_when("EVERY 0s reset", &when, &span_ns, &rest), -KDP_EUSAGE);
}

/* ---- at the other end ---- */
static struct sim_fixture fixture;
static struct sim_client client;
static char list[4096]; /* ten tickers */

static void
tell(const char *line)
{
    free(sim_tell(&fixture, line));
}

static void
subscribe(const char *channels)
{
    char command[5000];

    snprintf(command, sizeof command,
             "{\"id\":1,\"cmd\":\"subscribe\",\"params\":{\"channels\":[%s],\"market_tickers\":[%s]}}",
             channels, list);
    sim_send(&client, command);
}

static void
begin(uint32_t rate)
{
    fixture.config.exchange.seed = 5;
    fixture.config.exchange.markets = 20;
    fixture.config.exchange.rate = rate;
    fixture.config.no_rsa = true;
    sim_start(&fixture);
    sim_tickers(&fixture, 10, list, sizeof list);
    CHECK_INT(sim_connect(&client, &fixture, true, false), 0);
}

static void
with_books(uint32_t rate)
{
    begin(rate);
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 10));
}

static void
finish(void)
{
    sim_disconnect(&client);
    sim_stop(&fixture);
}

static uint64_t
errors(void)
{
    return client.kinds[KDP_MESSAGE_ERROR];
}

KDP_TEST(gap_takes_numbers)
{
    with_books(2000);
    tell("gap sid=book count=5");
    CHECK(sim_until(&client, &client.gaps, 1));
    sim_until(&client, &client.kinds[KDP_MESSAGE_DELTA], client.kinds[KDP_MESSAGE_DELTA] + 100);
    CHECK_INT(client.gaps, 1);
    CHECK_INT(client.missed, 5);
    finish();
}

KDP_TEST(lost_trades_leave_no_trace_in_the_numbers)
{
    char line[300];

    begin(0);
    subscribe("\"trade\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SUBSCRIBED], 1));
    tell("lose count=2");
    snprintf(line, sizeof line, "tail 1 %.*s", (int)strcspn(list + 1, "\""), list + 1);
    for (unsigned i = 0; i < 2; i++)
        tell(line);
    sim_send(&client, "{\"id\":9,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[1]}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_UNSUBSCRIBED], 1));
    CHECK_INT(client.trades, 0);
    CHECK_INT(client.missed, 0);
    finish();
}

KDP_TEST(a_tail_of_trades_is_numbered_and_not_sent)
{
    char *trades, line[300], first[201];

    begin(0);
    CHECK_INT(sscanf(list, "\"%200[^\"]", first), 1);
    subscribe("\"trade\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SUBSCRIBED], 1));
    snprintf(line, sizeof line, "tail 3 %s", first);
    tell(line);
    sim_send(&client, "{\"id\":9,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[1]}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_UNSUBSCRIBED], 1));
    CHECK_INT(client.trades, 0);
    CHECK_INT(client.missed, 3); /* told by the number of the reply alone */
    trades = sim_tell(&fixture, "trades 0");
    CHECK(strstr(trades, first) != NULL);
    free(trades);
    finish();
}

KDP_TEST(snapshots_twice_never_early_or_ignored)
{
    begin(0);
    tell("duplicate");
    tell("early-data");
    subscribe("\"orderbook_delta\"");
    sim_read(&client, 5000);
    CHECK(client.kinds[KDP_MESSAGE_SNAPSHOT] > 0);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 11));
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SUBSCRIBED], 1));
    CHECK_INT(client.gaps, 0);
    tell("ignore-get-snapshot");
    sim_send(&client, "{\"id\":2,\"cmd\":\"update_subscription\",\"params\":{\"sid\":1,\"action\":\"get_"
                      "snapshot\",\"market_tickers\":[\"X\"]}}");
    sim_send(&client, "{\"id\":3,\"cmd\":\"list_subscriptions\"}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_OK_LIST], 1));
    CHECK_INT(errors(), 0);
    finish();
}

KDP_TEST(no_snapshot_and_no_acknowledgement)
{
    begin(0);
    tell("no-snapshot count=4");
    tell("no-ack");
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 6));
    sim_send(&client, "{\"id\":3,\"cmd\":\"list_subscriptions\"}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_OK_LIST], 1));
    CHECK_INT(client.kinds[KDP_MESSAGE_SNAPSHOT], 6);
    CHECK_INT(client.kinds[KDP_MESSAGE_SUBSCRIBED], 0);
    finish();
}

KDP_TEST(terminal_errors_end_a_subscription)
{
    with_books(0);
    tell("overflow");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], 1));
    CHECK_INT(client.error_code, 25);
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 20));
    CHECK_INT(client.last_sid, 2); /* a new subscription, a new number */
    tell("channel-error sid=2");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], 2));
    CHECK_INT(client.error_code, 10);
    CHECK_INT(client.gaps, 0);
    finish();
}

KDP_TEST(limits_are_told_by_their_codes)
{
    char command[5000];

    begin(0);
    tell("cap count=4");
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], 1));
    CHECK_INT(client.error_code, 26);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 4));
    tell("cap 0");
    tell("too-many");
    snprintf(command, sizeof command,
             "{\"id\":2,\"cmd\":\"update_subscription\",\"params\":{\"sids\":[1],\"action\":\"add_markets\","
             "\"market_tickers\":[%s]}}",
             list);
    sim_send(&client, command);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], 2));
    CHECK_INT(client.error_code, 27);
    tell("unauthorized");
    sim_send(&client, command);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], 3));
    CHECK_INT(client.error_code, 9);
    sim_send(&client, command);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 10));
    CHECK_INT(client.gaps, 0);
    finish();
}

KDP_TEST(messages_can_be_wrong_in_every_way)
{
    begin(2000);
    tell("first-seq count=40");
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_DELTA], 50));
    CHECK_INT(client.gaps, 1);
    CHECK_INT(client.missed, 39);
    tell("negative");
    CHECK(sim_until(&client, &client.negative, 1));
    tell("malformed count=2");
    CHECK(sim_until(&client, &client.refused, 2));
    tell("unknown-type count=3");
    CHECK(sim_until(&client, &client.unknown, 3));
    tell("unknown-fields");
    tell("big-snapshot 2M");
    sim_send(&client, "{\"id\":2,\"cmd\":\"unsubscribe\",\"params\":{\"sids\":[1]}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_UNSUBSCRIBED], 1));
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 20));
    CHECK_INT(client.refused, 2);
    CHECK_INT(client.gaps, 2); /* the one of the beginning, and where the malformed ones were */
    finish();
}

static void
ends_with(const char *line, uint16_t code)
{
    with_books(500);
    tell(line);
    for (unsigned i = 0; i < 500 && !client.closed && client.close_code == 0; i++)
        sim_read(&client, 20);
    CHECK(client.closed || client.close_code != 0);
    CHECK_INT(client.close_code, code);
    finish();
}

KDP_TEST(reset_ends_without_a_close)
{
    ends_with("reset", 0);
}

KDP_TEST(close_has_its_code)
{
    ends_with("close status=1013", 1013);
}

KDP_TEST(a_text_that_is_not_utf8)
{
    ends_with("bad-utf8", 0);
}

KDP_TEST(a_frame_that_says_it_has_4_gib)
{
    ends_with("oversized", 0);
}

KDP_TEST(a_frame_with_reserved_bits)
{
    ends_with("bad-frame", 0);
}

KDP_TEST(a_stalled_line_loses_or_holds)
{
    uint64_t frames;

    with_books(2000);
    tell("stall seconds=0.3 pings=on");
    CHECK(sim_until(&client, &client.gaps, 1)); /* when it goes on, numbers are missing */
    CHECK(client.missed > 50);
    tell("stall 0.3 off");
    sim_read(&client, 0);
    frames = client.frames;
    CHECK(sim_until(&client, &client.frames, frames + 500));
    CHECK_INT(client.gaps, 1); /* nothing more was lost */
    finish();
}

KDP_TEST(a_slow_link_is_slow)
{
    int64_t at;

    with_books(0);
    tell("slow bytes=20000 seconds=30");
    at = kdpi_mono_ns();
    tell("burst 200");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_DELTA], 100));
    CHECK(kdpi_mono_ns() - at > KDP_NS_PER_S / 2);
    finish();
}

KDP_TEST(a_client_that_does_not_read_loses_its_subscription)
{
    char *stats;
    bool done = false;
    int64_t end;

    with_books(0);
    subscribe("\"trade\"");
    tell("burst 100000");
    end = kdpi_mono_ns() + 10 * KDP_NS_PER_S;
    while (!done && kdpi_mono_ns() < end) {
        tell("burst 20000");
        stats = sim_tell(&fixture, "stats");
        done = strstr(stats, "\"overflows\":0") == NULL;
        free(stats);
    }
    CHECK(done);
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_ERROR], 1));
    CHECK_INT(client.error_code, 25);
    CHECK_INT(client.gaps, 0);
    finish();
}

KDP_TEST(upgrades_are_refused_for_a_time)
{
    struct sim_client other;

    begin(0);
    tell("refuse status=503 seconds=30 count=1");
    CHECK_INT(sim_connect(&other, &fixture, true, false), -KDP_EREFUSED);
    CHECK_INT(other.link.status, 503);
    sim_disconnect(&other);
    CHECK_INT(sim_connect(&other, &fixture, true, false), 0);
    sim_disconnect(&other);
    tell("clock offset=-1h");
    CHECK_INT(sim_connect(&other, &fixture, true, false), -KDP_EREFUSED);
    CHECK_INT(other.link.status, 401);
    CHECK(strstr(other.link.body, "header_timestamp_expired") != NULL);
    CHECK(other.link.date_ns < kdpi_now_ns() - 3000 * KDP_NS_PER_S);
    sim_disconnect(&other);
    finish();
}

static int
ask(const char *path, char *body, size_t size)
{
    char ca[600];
    struct kdp_http_config config = {.base_url = fixture.base, .ca_file = ca, .timeout_ns = 2 * KDP_NS_PER_S};
    struct kdp_http_answer *answer;
    int status;

    snprintf(ca, sizeof ca, "%s/ca.pem", fixture.dir);
    CHECK_INT(http_fetch(&config, path, &answer), 0);
    status = answer->status;
    if (body != NULL)
        snprintf(body, size, "%.*s", (int)answer->len, answer->body != NULL ? answer->body : "");
    kdp_http_answer_free(answer);
    return status;
}

KDP_TEST(requests_fail_on_purpose)
{
    char body[4096];

    begin(0);
    CHECK_INT(ask("/exchange/status", NULL, 0), 200);
    tell("rest-error status=503 path=/markets count=1");
    CHECK_INT(ask("/exchange/status", NULL, 0), 200);
    CHECK_INT(ask("/markets?limit=1", NULL, 0), 503);
    CHECK_INT(ask("/markets?limit=1", NULL, 0), 200);
    tell("rest-cut count=1");
    CHECK_INT(ask("/markets?limit=1", NULL, 0), 0);
    tell("rest-hang count=1");
    CHECK_INT(ask("/markets?limit=1", NULL, 0), 0);
    tell("error-shape flat");
    CHECK_INT(ask("/markets/NONE", body, sizeof body), 404);
    CHECK(strncmp(body, "{\"code\":\"not_found\"", 19) == 0);
    tell("error-shape wrapped");
    CHECK_INT(ask("/markets/NONE", body, sizeof body), 404);
    CHECK(strncmp(body, "{\"error\":{\"code\":", 17) == 0);
    tell("error-shape text");
    CHECK_INT(ask("/markets/NONE", body, sizeof body), 404);
    CHECK(strncmp(body, "{\"error\":\"", 10) == 0);
    tell("stale-cache on");
    CHECK_INT(ask("/markets/trades?limit=1", body, sizeof body), 200);
    CHECK(strstr(body, "trade_id") == NULL);
    tell("tail count=1");
    CHECK_INT(ask("/markets/trades?limit=1", body, sizeof body), 200);
    CHECK(strstr(body, "trade_id") == NULL); /* of a moment ago */
    tell("stale-cache off");
    CHECK_INT(ask("/markets/trades?limit=1", body, sizeof body), 200);
    CHECK(strstr(body, "trade_id") != NULL);
    finish();
}

KDP_TEST(maintenance_drops_sessions_and_says_so)
{
    char body[4096];
    struct sim_client other;

    with_books(100);
    tell("maintenance seconds=30");
    for (unsigned i = 0; i < 500 && client.close_code == 0; i++)
        sim_read(&client, 20);
    CHECK_INT(client.close_code, 1001);
    CHECK_INT(ask("/exchange/status", body, sizeof body), 503);
    CHECK(strstr(body, "\"trading_active\":false") != NULL);
    CHECK_INT(sim_connect(&other, &fixture, true, false), -KDP_EREFUSED);
    CHECK_INT(other.link.status, 503);
    sim_disconnect(&other);
    finish();
}

KDP_TEST(acts_on_markets_are_told)
{
    char line[300], first[201], *books, want[300];

    begin(0);
    CHECK_INT(sscanf(list, "\"%200[^\"]", first), 1);
    subscribe("\"orderbook_delta\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 10));
    sim_send(&client, "{\"id\":2,\"cmd\":\"subscribe\",\"params\":{\"channels\":[\"market_lifecycle_v2\"]}}");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SUBSCRIBED], 2));
    snprintf(line, sizeof line, "ticks %s", first);
    tell(line);
    CHECK(sim_until(&client, &client.lives, 1));
    snprintf(line, sizeof line, "deactivate %s", first);
    tell(line);
    CHECK(sim_until(&client, &client.lives, 2));
    tell("activate");
    CHECK(sim_until(&client, &client.lives, 3));
    snprintf(want, sizeof want, "\"%s\":{\"status\":\"active\",\"bids\":[],\"asks\":[]}", first);
    books = sim_tell(&fixture, "books");
    CHECK(strstr(books, want) != NULL); /* reactivation cancels every order */
    free(books);
    snprintf(line, sizeof line, "close-now %s", first);
    tell(line);
    CHECK(sim_until(&client, &client.lives, 4));
    CHECK(sim_until(&client, &client.events, 1)); /* its successor */
    snprintf(line, sizeof line, "settle-now %s", first);
    tell(line);
    CHECK(sim_until(&client, &client.lives, 7));
    tell("new-market");
    CHECK(sim_until(&client, &client.events, 2));
    CHECK_INT(client.gaps, 0);
    finish();
}

/* What a mix did, as a number: the faults that wait, those done and those that met nobody, step by step. */
static uint64_t
mix_trace(uint64_t seed)
{
    struct kdp_sim_config config = {
        .exchange = {.now_ns = INT64_C(1795183387000000000), .markets = 10, .seed = 1}, .taker_side = true};
    struct kdp_sim *sim;
    struct sim_text reply = {0};
    char line[64];
    uint64_t hash = 1;

    CHECK_INT(sim_open_bare(&sim, &config), 0);
    sim->mono_ns = KDP_NS_PER_S;
    snprintf(line, sizeof line, "random %llu 20", (unsigned long long)seed);
    CHECK_INT(sim_control_line(sim, line, &reply), 0);
    for (unsigned i = 0; i < 300; i++) {
        sim->mono_ns += KDP_NS_PER_S / 50;
        sim_fault_work(sim);
        for (uint32_t k = 0; k < sim->armed_count; k++)
            hash = hash * 31 + (uint64_t)sim->armed[k].fault.kind * 1000 + sim->armed[k].fault.count;
        hash = hash * 31 + sim->stats.faults_done * 1000 + sim->faults_missed;
    }
    CHECK(sim->armed_count > 20);
    kdp_sim_close(sim);
    return hash;
}

KDP_TEST(a_mix_is_the_same_again)
{
    uint64_t first = mix_trace(11);

    CHECK(mix_trace(11) == first);
    CHECK(mix_trace(12) != first);
}

KDP_TEST(a_mix_of_everything_leaves_the_server_alive)
{
    char *stats;

    begin(1000);
    subscribe("\"orderbook_delta\",\"trade\"");
    CHECK(sim_until(&client, &client.kinds[KDP_MESSAGE_SNAPSHOT], 10));
    tell("random 11 200");
    for (unsigned i = 0; i < 100 && !client.closed; i++)
        sim_read(&client, 5);
    tell("clear");
    stats = sim_tell(&fixture, "stats");
    CHECK(strstr(stats, "\"faults_done\":0,") == NULL);
    free(stats);
    finish();
}
