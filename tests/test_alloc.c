/* test_alloc.c - the feed path calls no allocator once the plant is open: malloc and its kin are counted
 * here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kdp_test.h"
#include "plant.h"
#include "ws.h"

/* volatile: the compiler knows that malloc reads no variable of ours */
static volatile unsigned long calls;
static volatile int counting;

/* glibc's own allocator under its internal names; the linker takes ours for everybody else */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *was, size_t size);
extern void __libc_free(void *was);

#define COUNTED __attribute__((visibility("default"), used, noinline))

COUNTED void *
malloc(size_t size)
{
    calls += (unsigned long)counting;
    return __libc_malloc(size);
}

COUNTED void *
calloc(size_t count, size_t size)
{
    calls += (unsigned long)counting;
    return __libc_calloc(count, size);
}

COUNTED void *
realloc(void *was, size_t size)
{
    calls += (unsigned long)counting;
    return __libc_realloc(was, size);
}

COUNTED void
free(void *was)
{
    calls += (unsigned long)(counting && was != NULL);
    __libc_free(was);
}

static struct kdp_ring *ring;
static struct kdp_plant *plant;
static int64_t now = INT64_C(1795183387000000000);

static void
input(enum kdp_input_kind kind, const void *bytes, size_t len)
{
    struct kdp_input_head *head = kdp_ring_input_claim(ring, len);

    *head =
        (struct kdp_input_head){.length = (uint32_t)len, .kind = (uint8_t)kind, .line = 1, .recv_ns = now};
    memcpy(head + 1, bytes, len);
    kdp_ring_input_commit(ring, head);
    counting = 1;
    CHECK_INT(kdp_plant_input(plant, head, head + 1), 0);
    counting = 0;
    now += 1000000;
}

static void
frame(const char *text)
{
    input(KDP_INPUT_FRAME, text, strlen(text));
}

KDP_TEST(counting_works)
{
    void *volatile was;

    counting = 1;
    was = malloc(10);
    free(was);
    counting = 0;
    CHECK_INT(calls, 2);
}

KDP_TEST(feed_path_allocates_nothing)
{
    struct kdp_ring_config config = {
        .bytes = 1 << 24, .raw_bytes = 1 << 22, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct kdp_plant_config plant_config = {.max_markets = 5000, .hash = true};
    struct kdp_input_start start = {.next_seq = 1, .next_instrument = 1, .flags = KDP_START_FRESH};
    struct kdp_input_line line = {0};
    uint64_t seed = kdp_test_seed(), seq = 0;
    char text[4096];

    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    plant_config.ring = ring;
    CHECK_INT(kdp_plant_open(&plant, &plant_config), 0);
    input(KDP_INPUT_START, &start, sizeof start);
    input(KDP_INPUT_CONNECTED, &line, sizeof line);
    for (unsigned i = 0; i < 60000; i++) {
        unsigned market = (unsigned)(kdp_test_random(&seed) % 2000),
                 kind = (unsigned)(kdp_test_random(&seed) % 100);
        unsigned price = (unsigned)(kdp_test_random(&seed) % 9999 + 1);

        if (kind < 3 || i < 2000) { /* with sub-cent levels, so that layouts grow */
            snprintf(text, sizeof text,
                     "{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":%llu,\"msg\":{\"market_ticker\":"
                     "\"KXALLOC-%u\",\"yes_dollars_fp\":[[\"0.%04u\","
                     "\"3.25\"],[\"0.4200\",\"87.00\"]],\"no_dollars_fp\":[[\"0.5600\",\"33.25\"]]}}",
                     (unsigned long long)++seq, i < 2000 ? i : market, price == 4200 ? 4100 : price);
        } else if (kind < 80) {
            snprintf(text, sizeof text,
                     "{\"type\":\"orderbook_delta\",\"sid\":1,\"seq\":%llu,\"msg\":{\"market_ticker\":"
                     "\"KXALLOC-%u\",\"price_dollars\":\"0.%04u\","
                     "\"delta_fp\":\"12.50\",\"side\":\"%s\",\"ts\":\"2026-11-20T14:03:07.412Z\",\"ts_ms\":"
                     "1795183387412}}",
                     (unsigned long long)++seq, market, price, kind & 1 ? "yes" : "no");
        } else if (kind < 90) {
            snprintf(text, sizeof text,
                     "{\"type\":\"trade\",\"sid\":2,\"seq\":%u,\"msg\":{\"trade_id\":\"%08x-8a5e-4a7e-9a51-"
                     "0c2b7a6f9d10\",\"market_ticker\":\"KXALLOC-%u\","
                     "\"yes_price_dollars\":\"0.4350\",\"no_price_dollars\":\"0.5650\",\"count_fp\":\"12."
                     "50\",\"taker_outcome_side\":\"yes\","
                     "\"taker_book_side\":\"bid\",\"is_block_trade\":false,\"ts_ms\":1795183387412}}",
                     i + 1, i, market);
        } else if (kind < 95) { /* a new market, a change of ticks, a tab in its title, a type nobody knows */
            snprintf(text, sizeof text,
                     "{\"type\":\"market_lifecycle_v2\",\"sid\":4,\"seq\":%u,\"msg\":{\"market_ticker\":"
                     "\"KXALLOC-%u\",\"event_type\":\"created\",\"open_ts\":"
                     "1795176000,\"close_ts\":1796155200,\"price_level_structure\":\"deci_cent\",\"price_"
                     "ranges\":[{\"start\":\"0.0000\",\"end\":\"1.0000\","
                     "\"step\":\"0.0010\"}],\"additional_metadata\":{\"title\":\"a\\tb\",\"event_ticker\":"
                     "\"E\"}}}",
                     i + 1, kind & 1 ? market : 2000 + i % 3000);
        } else if (kind < 97) {
            seq += 3; /* a gap, told and mended */
            snprintf(text, sizeof text, "{\"type\":\"new_thing_%u\",\"sid\":1,\"seq\":%llu,\"msg\":{}}",
                     i % 100, (unsigned long long)++seq);
        } else {
            snprintf(text, sizeof text, "{\"type\":\"orderbook_delta\",\"sid\":1,\"se");
        }
        if (i == 30000)
            now += INT64_C(86400000000000); /* a new day */
        frame(text);
    }
    CHECK_INT(calls, 0);
}

KDP_TEST(websocket_messages_allocate_nothing)
{
    for (unsigned packed = 0; packed < 2; packed++) {
        struct kdp_ws_config config = {.server = true, .deflate.on = packed != 0};
        struct kdp_ws *server, *client;
        struct kdp_ws_message message;
        static char text[3000];
        unsigned heard = 0;

        memset(text, 'k', sizeof text);
        CHECK_INT(kdp_ws_open(&server, &config), 0);
        config.server = false;
        CHECK_INT(kdp_ws_open(&client, &config), 0);
        for (unsigned i = 0; i < 3000; i++) {
            size_t len, room;
            const void *out;
            void *to;

            counting = i >= 100; /* buffers and streams are made with the first messages */
            CHECK_INT(kdp_ws_put(server, KDP_WS_TEXT, text, 100 + i * 29 % 2900), 0);
            CHECK_INT(kdp_ws_put_part(server, KDP_WS_TEXT, text, 1000, false), 0);
            CHECK_INT(kdp_ws_put_part(server, KDP_WS_CONTINUATION, text, 1000, true), 0);
            CHECK_INT(kdp_ws_put(server, KDP_WS_PING, "heartbeat", 9), 0);
            out = kdp_ws_output(server, &len);
            to = kdp_ws_room(client, &room);
            CHECK(len <= room);
            memcpy(to, out, len);
            kdp_ws_received(client, len);
            kdp_ws_sent(server, len);
            while (kdp_ws_next(client, &message) > 0)
                heard++;
            kdp_ws_output(client, &len);
            kdp_ws_sent(client, len); /* the pong */
            counting = 0;
        }
        CHECK_INT(heard, 9000);
        kdp_ws_close(server);
        kdp_ws_close(client);
    }
    CHECK_INT(calls, 0);
}
