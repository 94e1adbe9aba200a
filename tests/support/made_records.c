/* made_records.c - streams of records made up from a seed. */
#include "made_records.h"

#include <stdio.h>
#include <string.h>

#include "kdp_test.h"
#include "record.h"

void
made_records_start(struct made_records *made, uint64_t seed, uint64_t first_seq, uint32_t instruments)
{
    memset(made, 0, sizeof *made);
    made->random = seed;
    made->next_seq = first_seq;
    made->recv_ns = INT64_C(1795000000000000000) + (int64_t)first_seq * 1000;
    made->step_ns = 1000;
    made->instruments = instruments;
}

void
made_ticker(char *buf, uint32_t instrument)
{
    snprintf(buf, 40, "KXMADE-26NOV22-B%u.5", instrument);
}

static void
head(struct made_records *made, struct kdp_head *at, uint32_t instrument)
{
    at->seq = made->next_seq++;
    at->exch_ns = made->recv_ns - 2000000;
    at->recv_ns = made->recv_ns;
    at->instrument = instrument;
    at->src_seq = (uint32_t)made->next_seq;
    at->line = 1;
    at->origin = KDP_ORIGIN_WS;
    made->recv_ns += made->step_ns;
    if (kdp_test_random(&made->random) % 64 == 0)
        made->recv_ns -= 3 * made->step_ns; /* receive times may step back a little */
}

static struct kdp_text
text_of(const char *text)
{
    return (struct kdp_text){text, strlen(text)};
}

static size_t
definition(struct made_records *made, void *buf, uint32_t instrument)
{
    struct kdp_definition_ranges *ranges;
    struct kdp_definition *at;
    struct kdp_builder b;
    char ticker[40];

    made_ticker(ticker, instrument);
    at = kdpi_build_start(&b, buf, KDP_TEMPLATE_DEFINITION);
    head(made, &at->head, instrument);
    at->open_ns = at->close_ns = at->expiry_ns = KDP_TIME_NULL;
    at->floor_strike_e6 = at->cap_strike_e6 = KDP_INT64_NULL;
    at->status = KDP_MARKET_STATUS_ACTIVE;
    ranges = kdpi_build_group(&b, 1 + instrument % 3);
    for (uint32_t i = 0; i < 1 + instrument % 3; i++) {
        ranges[i].start_e4 = (int32_t)(i * 1000);
        ranges[i].end_e4 = (int32_t)(i * 1000 + 1000);
        ranges[i].step_e4 = i == 0 ? 10 : 100;
    }
    kdpi_build_text(&b, text_of(ticker));
    kdpi_build_text(&b, text_of("KXMADE-26NOV22"));
    kdpi_build_text(&b, text_of("KXMADE"));
    kdpi_build_text(&b, text_of("A market made up"));
    kdpi_build_text(&b, text_of(""));
    kdpi_build_text(&b, text_of("linear_cent"));
    return kdpi_build_finish(&b);
}

size_t
made_records_next(struct made_records *made, void *buf)
{
    uint64_t pick = kdp_test_random(&made->random);
    uint32_t instrument;
    struct kdp_builder b;

    if (made->defined < made->instruments && (made->defined == 0 || pick % 4 == 0))
        return definition(made, buf, ++made->defined);
    instrument = made->defined == 0 ? 0 : 1 + (uint32_t)(pick >> 8) % made->defined;
    pick >>= 40;
    if (pick % 100 < 70) {
        struct kdp_level *at = kdpi_build_start(&b, buf, KDP_TEMPLATE_LEVEL);

        head(made, &at->head, instrument);
        at->price_e4 = (int32_t)(pick % 100) * 100;
        at->side = 1 + pick % 2;
        at->delta_e2 = (int64_t)(pick % 5000) - 2500;
        at->size_e2 = 5000;
    } else if (pick % 100 < 85) {
        struct kdp_bbo *at = kdpi_build_start(&b, buf, KDP_TEMPLATE_BBO);

        head(made, &at->head, instrument);
        at->bid_e4 = 4200;
        at->ask_e4 = 4400;
        at->bid_size_e2 = 124000;
        at->ask_size_e2 = 3325;
        at->book_hash = pick;
        at->book_state = KDP_BOOK_STATE_LIVE;
    } else if (pick % 100 < 92) {
        struct kdp_trade *at = kdpi_build_start(&b, buf, KDP_TEMPLATE_TRADE);

        head(made, &at->head, instrument);
        memcpy(at->trade_id, &pick, sizeof pick);
        at->price_e4 = 4300;
        at->taker_side = KDP_SIDE_YES;
        at->count_e2 = 1250;
    } else if (pick % 100 < 96) {
        struct kdp_state *at = kdpi_build_start(&b, buf, KDP_TEMPLATE_STATE);

        head(made, &at->head, instrument);
        at->subject = KDP_SUBJECT_INSTRUMENT;
        at->state = KDP_BOOK_STATE_LIVE;
        at->reason = KDP_REASON_RECOVERY;
        kdpi_build_text(&b, text_of(pick % 2 ? "made up" : ""));
    } else {
        struct kdp_book_snapshot *at = kdpi_build_start(&b, buf, KDP_TEMPLATE_BOOK_SNAPSHOT);
        struct kdp_book_snapshot_levels *levels;
        uint32_t count = 1 + (uint32_t)(pick >> 12) % 70;

        head(made, &at->head, instrument);
        at->levels_total = count;
        at->parts = 1;
        at->reason = KDP_REASON_SUBSCRIBE;
        at->book_state = KDP_BOOK_STATE_LIVE;
        levels = kdpi_build_group(&b, count);
        for (uint32_t i = 0; i < count; i++) {
            levels[i].price_e4 = (int32_t)(i + 1) * 100;
            levels[i].side = KDP_SIDE_YES;
            levels[i].size_e2 = 100 + i;
        }
    }
    return kdpi_build_finish(&b);
}

size_t
made_records_fill(struct made_records *made, void *buf, size_t len, uint64_t *countp)
{
    uint64_t record[KDP_RECORD_MAX / 8];
    size_t used = 0;

    if (countp != NULL)
        *countp = 0;
    while (used + KDP_RECORD_MAX <= len) {
        size_t size = made_records_next(made, record);

        memcpy((uint8_t *)buf + used, record, size);
        used += size;
        if (countp != NULL)
            ++*countp;
    }
    return used;
}
