/* Recorded traffic served by the simulator's exchange: in the end its books are those of a plain reading of the same file, in
 * which a snapshot replaces and a change adds.  Skipped, visibly, where no recordings lie beside the source tree. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "exchange.h"
#include "kdp_test.h"
#include "recording.h"

#define NOW (INT64_C(1795359570) * KDP_NS_PER_S)
#define MARKETS_MAX 64u

struct plain { /* one market, sizes by side and price */
    char ticker[64];
    uint16_t line;
    uint32_t sid;
    bool seen;
    uint64_t trades;
    int64_t size[2][10001];
};

static struct plain *plain;
static unsigned plain_count;

static struct plain *
plain_of(struct kdp_text ticker)
{
    for (unsigned i = 0; i < plain_count; i++)
        if (strlen(plain[i].ticker) == ticker.len && memcmp(plain[i].ticker, ticker.data, ticker.len) == 0)
            return &plain[i];
    CHECK(plain_count < MARKETS_MAX && ticker.len < sizeof plain->ticker);
    memset(&plain[plain_count], 0, sizeof plain[plain_count]);
    memcpy(plain[plain_count].ticker, ticker.data, ticker.len);
    return &plain[plain_count++];
}

static void
read_plainly(const char *path)
{
    struct kdp_recording *recording;
    struct kdp_recorded in;
    struct kdp_decoder *decoder = kdpi_decoder_open();
    struct kdp_message msg;

    plain_count = 0;
    CHECK(decoder != NULL);
    CHECK_INT(kdp_recording_open(&recording, path), 0);
    while (kdp_recording_next(recording, &in) > 0) {
        struct plain *p;

        if (in.kind == KDP_INPUT_CONNECTED)
            for (unsigned i = 0; i < plain_count; i++)
                if (plain[i].line == in.line)
                    plain[i].seen = false;
        if (in.kind != KDP_INPUT_FRAME || kdpi_decode(decoder, in.text, in.len, &msg) != KDP_REFUSAL_NONE)
            continue;
        if (msg.kind == KDP_MESSAGE_SNAPSHOT) {
            p = plain_of(msg.market_ticker);
            memset(p->size, 0, sizeof p->size);
            for (uint32_t i = 0; i < msg.snapshot.count; i++)
                p->size[msg.snapshot.levels[i].side == KDP_SIDE_NO][msg.snapshot.levels[i].price_e4] =
                    msg.snapshot.levels[i].size_e2;
            p->line = in.line;
            p->sid = msg.sid;
            p->seen = true;
        } else if (msg.kind == KDP_MESSAGE_DELTA) {
            p = plain_of(msg.market_ticker);
            if (p->seen && p->line == in.line && p->sid == msg.sid)
                p->size[msg.delta.side == KDP_SIDE_NO][msg.delta.price_e4] += msg.delta.delta_e2;
        } else if (msg.kind == KDP_MESSAGE_TRADE) {
            plain_of(msg.market_ticker)->trades++;
        }
    }
    kdp_recording_close(recording);
    kdpi_decoder_close(decoder);
}

static void
compare(const char *path)
{
    struct kdp_exchange_config config = {.now_ns = NOW, .inputs = &path, .input_count = 1};
    struct kdp_exchange *ex;
    unsigned books = 0;

    read_plainly(path);
    CHECK_INT(kdp_exchange_open(&ex, &config), 0);
    CHECK_INT(kdp_exchange_run(ex, INT64_MAX - 1, 0), INT64_MAX);
    for (unsigned i = 0; i < plain_count; i++) {
        const struct plain *p = &plain[i];
        uint32_t index = kdp_exchange_find(ex, p->ticker, strlen(p->ticker));
        struct kdp_exchange_market market;

        CHECK(index != UINT32_MAX);
        kdp_exchange_market_at(ex, index, &market);
        CHECK_INT(market.trades, p->trades);
        if (!p->seen)
            continue;
        for (unsigned side = 0; side < 2; side++) {
            uint32_t n = 0;

            for (int32_t price = 10000; price >= 0; price--) {
                if (p->size[side][price] == 0)
                    continue;
                if (n >= market.bid_count[side] || market.bids[side][n].price_e4 != price ||
                    market.bids[side][n].size_e2 != p->size[side][price])
                    kdp_test_fail(__FILE__, __LINE__, "%s: %s: level %d of side %u is not as read", path,
                                  p->ticker, price, side);
                n++;
            }
            CHECK_INT(market.bid_count[side], n);
        }
        books++;
    }
    if (books == 0)
        kdp_test_fail(__FILE__, __LINE__, "%s has no book", path);
    kdp_exchange_close(ex);
}

KDP_TEST(recorded_traffic_ends_with_its_books)
{
    char folder[512], path[1024];
    unsigned files = 0;
    struct dirent *entry;
    DIR *dir;

    snprintf(folder, sizeof folder, "%s/ws", kdp_test_captures());
    dir = opendir(folder);
    if (dir == NULL)
        kdp_test_skip("no recordings in %s", folder);
    plain = malloc(MARKETS_MAX * sizeof *plain);
    CHECK(plain != NULL);
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (strstr(entry->d_name, ".jsonl") == NULL || len > 400)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        compare(path);
        files++;
    }
    closedir(dir);
    free(plain);
    if (files == 0)
        kdp_test_skip("no recordings in %s", folder);
}
