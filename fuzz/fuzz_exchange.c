/* fuzz_exchange.c - any bytes as a recording that the simulated exchange serves: no crash, and what a listener adds up is the
 * book.
 *
 * The first byte chooses speed, loop and scale; the rest is the recording. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "exchange.h"

#define NOW INT64_C(1795359570000000000)
#define MARKETS 16u

static struct kdp_exchange *ex;
static int64_t size[MARKETS][2][10001];
static uint64_t told;

static void
take(uint32_t index)
{
    struct kdp_exchange_market market;

    if (index >= MARKETS)
        return;
    memset(size[index], 0, sizeof size[index]);
    kdp_exchange_market_at(ex, index, &market);
    KDP_ASSERT(market.range_count > 0 && strlen(market.market_id) == 36 && market.event_ticker != NULL);
    for (unsigned side = 0; side < 2; side++)
        for (uint32_t i = 0; i < market.bid_count[side]; i++)
            size[index][side][market.bids[side][i].price_e4] = market.bids[side][i].size_e2;
}

static void
on_event(void *arg, const struct kdp_exchange_event *event)
{
    (void)arg;
    told++;
    if (event->market >= MARKETS)
        return;
    if (event->kind == KDP_EXCHANGE_DELTA) {
        int64_t *at = &size[event->market][event->delta.side == KDP_SIDE_NO][event->delta.price_e4];

        KDP_ASSERT(!__builtin_add_overflow(*at, event->delta.delta_e2, at) && *at >= 0);
    } else if (event->kind == KDP_EXCHANGE_SNAPSHOT || event->kind == KDP_EXCHANGE_MARKET) {
        struct kdp_exchange_market market;

        kdp_exchange_market_at(ex, event->market, &market);
        if (event->kind == KDP_EXCHANGE_SNAPSHOT || event->lifecycle == KDP_LIFECYCLE_KIND_CREATED)
            take(event->market);
    }
}

static void
check(void)
{
    for (uint32_t index = 0; index < MARKETS && index < kdp_exchange_market_count(ex); index++) {
        struct kdp_exchange_market market;

        kdp_exchange_market_at(ex, index, &market);
        KDP_ASSERT(kdp_exchange_find(ex, market.ticker, strlen(market.ticker)) != UINT32_MAX ||
                   strlen(market.ticker) == 0 || memchr(market.ticker, '\0', 1) == NULL);
        for (unsigned side = 0; side < 2; side++) {
            int64_t count = 0;

            for (uint32_t i = 0; i < market.bid_count[side]; i++)
                KDP_ASSERT(size[index][side][market.bids[side][i].price_e4] == market.bids[side][i].size_e2);
            for (int32_t price = 0; price <= 10000; price++)
                count += size[index][side][price] != 0;
            KDP_ASSERT(count == market.bid_count[side]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char path[64];
    static int fd = -1;
    const char *input = path;
    struct kdp_exchange_config config = {.now_ns = NOW, .inputs = &input, .input_count = 1};
    int64_t due = NOW;

    if (len == 0)
        return 0;
    if (fd < 0) {
        fd = memfd_create("recording", 0);
        KDP_ASSERT(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    config.speed = (data[0] & 1) != 0 ? 3.5 : 1;
    config.loop = (data[0] & 2) != 0;
    config.leg_yes = (data[0] & 4) != 0;
    KDP_ASSERT(ftruncate(fd, 0) == 0 && pwrite(fd, data + 1, len - 1, 0) == (ssize_t)len - 1);
    memset(size, 0, sizeof size);
    told = 0;
    if (kdp_exchange_open(&ex, &config) != 0) {
        KDP_ASSERT(ex == NULL && kdp_error_text()[0] != '\0');
        return 0;
    }
    for (uint32_t i = 0; i < kdp_exchange_market_count(ex); i++)
        take(i);
    kdp_exchange_listen(ex, on_event, NULL);
    for (unsigned i = 0; i < 500 && due != INT64_MAX; i++) {
        due = kdp_exchange_run(ex, due, 1);
        if (due < 0)
            break;
    }
    check();
    kdp_exchange_close(ex);
    return 0;
}
