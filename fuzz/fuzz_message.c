/* fuzz_message.c - the frame decoder: slices lie in the frame or in the scratch, values in their ranges, and
 * the same frame gives the same message whatever was decoded before. */
#include "error.h"
#include "message_private.h"

#include <stdlib.h>

static struct kdp_decoder *decoder, *fresh;
static const char *frame_start;
static size_t frame_size;

static void
check_text(const struct kdp_decoder *d, struct kdp_text text)
{
    KDP_ASSERT(text.data != NULL);
    if (text.len == 0)
        return;
    KDP_ASSERT((text.data >= frame_start && text.data + text.len <= frame_start + frame_size) ||
               (text.data >= d->scratch && text.data + text.len <= d->scratch + sizeof d->scratch));
}

static void
check_price(int32_t price)
{
    KDP_ASSERT(price == KDP_PRICE_NULL || (price >= 0 && price <= 10000));
}

static bool
same_text(struct kdp_text a, struct kdp_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool
count_ticker(void *arg, struct kdp_text ticker)
{
    (void)ticker;
    ++*(uint32_t *)arg;
    return true;
}

static void
check_body(const struct kdp_decoder *d, const struct kdp_message *msg)
{
    uint32_t count = 0;

    switch (msg->kind) {
    case KDP_MESSAGE_DELTA:
        check_price(msg->delta.price_e4);
        KDP_ASSERT(msg->delta.side <= KDP_SIDE_NO);
        break;
    case KDP_MESSAGE_SNAPSHOT:
        KDP_ASSERT(msg->snapshot.count <= KDPI_LEVELS_MAX);
        for (uint32_t i = 0; i < msg->snapshot.count; i++) {
            check_price(msg->snapshot.levels[i].price_e4);
            KDP_ASSERT(msg->snapshot.levels[i].price_e4 >= 0 && msg->snapshot.levels[i].size_e2 >= 0);
            KDP_ASSERT(msg->snapshot.levels[i].side == KDP_SIDE_YES ||
                       msg->snapshot.levels[i].side == KDP_SIDE_NO);
        }
        break;
    case KDP_MESSAGE_TICKER:
        check_price(msg->ticker.price_e4);
        check_price(msg->ticker.bid_e4);
        check_price(msg->ticker.ask_e4);
        break;
    case KDP_MESSAGE_TRADE:
        check_price(msg->trade.price_e4);
        KDP_ASSERT(msg->trade.taker_side <= KDP_SIDE_NO);
        break;
    case KDP_MESSAGE_LIFECYCLE:
        KDP_ASSERT(msg->lifecycle.range_count <= 16);
        check_text(d, msg->lifecycle.event_ticker);
        check_text(d, msg->lifecycle.title);
        check_text(d, msg->lifecycle.yes_sub_title);
        check_text(d, msg->lifecycle.structure);
        break;
    case KDP_MESSAGE_EVENT:
        check_text(d, msg->event.event_ticker);
        check_text(d, msg->event.series_ticker);
        check_text(d, msg->event.title);
        check_text(d, msg->event.sub_title);
        check_text(d, msg->event.collateral);
        check_text(d, msg->event.fee_type);
        break;
    case KDP_MESSAGE_SUBSCRIBED:
        check_text(d, msg->subscribed.channel);
        break;
    case KDP_MESSAGE_ERROR:
        check_text(d, msg->error.text);
        break;
    case KDP_MESSAGE_COMMAND:
        check_text(d, msg->command.cmd);
        break;
    case KDP_MESSAGE_OK:
        kdpi_message_tickers(frame_start, frame_size, count_ticker, &count);
        KDP_ASSERT(msg->refusal != KDP_REFUSAL_NONE || count >= msg->ok.count);
        break;
    default:
        break;
    }
}

static void
check_same(const struct kdp_message *a, const struct kdp_message *b)
{
    KDP_ASSERT(a->kind == b->kind && a->trusted == b->trusted && a->position == b->position);
    KDP_ASSERT(strcmp(a->member, b->member) == 0);
    if (!a->trusted)
        return;
    KDP_ASSERT(same_text(a->type, b->type) && same_text(a->market_ticker, b->market_ticker));
    KDP_ASSERT(a->has_id == b->has_id && a->has_sid == b->has_sid && a->has_seq == b->has_seq);
    KDP_ASSERT(a->id == b->id && a->sid == b->sid && a->seq == b->seq &&
               a->sending_ts_ms == b->sending_ts_ms);
    KDP_ASSERT(a->ts_ms == b->ts_ms && a->exch_ns == b->exch_ns && a->unknown_members == b->unknown_members);
    switch (a->kind) {
    case KDP_MESSAGE_DELTA:
        KDP_ASSERT(a->delta.price_e4 == b->delta.price_e4 && a->delta.side == b->delta.side &&
                   a->delta.delta_e2 == b->delta.delta_e2);
        break;
    case KDP_MESSAGE_TICKER: /* no padding between its members */
        KDP_ASSERT(a->ticker.price_e4 == b->ticker.price_e4 && a->ticker.bid_e4 == b->ticker.bid_e4 &&
                   a->ticker.ask_e4 == b->ticker.ask_e4);
        KDP_ASSERT(memcmp(&a->ticker.bid_size_e2, &b->ticker.bid_size_e2, 7 * sizeof(int64_t)) == 0);
        break;
    case KDP_MESSAGE_TRADE:
        KDP_ASSERT(memcmp(a->trade.trade_id, b->trade.trade_id, 16) == 0 &&
                   a->trade.trade_id_hashed == b->trade.trade_id_hashed);
        KDP_ASSERT(a->trade.price_e4 == b->trade.price_e4 && a->trade.count_e2 == b->trade.count_e2 &&
                   a->trade.taker_side == b->trade.taker_side && a->trade.block == b->trade.block);
        break;
    case KDP_MESSAGE_SNAPSHOT:
        KDP_ASSERT(a->snapshot.count == b->snapshot.count && a->snapshot.has_yes == b->snapshot.has_yes &&
                   a->snapshot.has_no == b->snapshot.has_no);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdp_message first, second;
    const char *frame = (const char *)data;
    enum kdp_refusal refusal;

    if (decoder == NULL) {
        decoder = kdpi_decoder_open();
        fresh = kdpi_decoder_open();
        KDP_ASSERT(decoder != NULL && fresh != NULL);
    }
    frame_start = frame;
    frame_size = size;
    memset(&first, 0xa5, sizeof first); /* nothing read may come from the message before */
    memset(&second, 0x5a, sizeof second);
    refusal = kdpi_decode(decoder, frame, size, &first);
    KDP_ASSERT(refusal == first.refusal && refusal < KDP_REFUSALS && first.position <= size);
    KDP_ASSERT(first.kind < KDP_MESSAGE_KINDS && (first.trusted || first.kind == KDP_MESSAGE_UNKNOWN));
    KDP_ASSERT(first.trusted || refusal != KDP_REFUSAL_NONE);
    if (first.trusted) {
        check_text(decoder, first.type);
        check_text(decoder, first.market_ticker);
        KDP_ASSERT(first.market_ticker.len <= KDPI_TICKER_MAX);
        check_body(decoder, &first);
    }

    /* another decoder, in the middle of something else before, and without the fast way */
    kdpi_decode(fresh, "{\"type\":\"ticker\",\"msg\":{\"a\":[{\"b", 31, &second);
    KDP_ASSERT(kdpi_decode_general(fresh, frame, size, &second) == refusal);
    check_same(&first, &second);
    return 0;
}
