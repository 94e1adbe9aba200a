/* test_sim.c - the simulator's server: handshake, subscriptions, numbers and books, as a client sees them. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "error.h"
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
