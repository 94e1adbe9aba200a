/* message_body.c - what stands in msg: replies, book, ticker and trade; the lifecycle channels are in
 * message_market.c. */
#include "message_private.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PRICE_MAX 10000 /* 1 dollar */
#define WORD_MAX 4096u  /* bytes of a text that we only pass on */

static const char *const side_words[] = {
    [KDP_SIDE_NONE] = "", [KDP_SIDE_YES] = "yes", [KDP_SIDE_NO] = "no", NULL};
static const char *const book_side_words[] = {
    [KDP_SIDE_NONE] = "", [KDP_SIDE_YES] = "bid", [KDP_SIDE_NO] = "ask", NULL};

void
kdpi_body_clear(struct kdp_decoder *d)
{
    struct kdp_message *msg = d->msg;

    d->yes_price_e4 = d->no_price_e4 = KDP_INT64_NULL;
    d->outcome_side = d->book_side = d->taker_side = KDP_SIDE_NONE;
    memset(d->side_rank, 0, sizeof d->side_rank);
    d->has_event_type = false;
    switch (msg->kind) {
    case KDP_MESSAGE_DELTA:
        msg->delta.price_e4 = KDP_PRICE_NULL;
        msg->delta.side = KDP_SIDE_NONE;
        msg->delta.delta_e2 = KDP_INT64_NULL;
        break;
    case KDP_MESSAGE_SNAPSHOT:
        memset(&msg->snapshot, 0, sizeof msg->snapshot);
        msg->snapshot.levels = d->levels;
        break;
    case KDP_MESSAGE_TICKER:
        msg->ticker.price_e4 = msg->ticker.bid_e4 = msg->ticker.ask_e4 = KDP_PRICE_NULL;
        msg->ticker.bid_size_e2 = msg->ticker.ask_size_e2 = msg->ticker.last_size_e2 = KDP_INT64_NULL;
        msg->ticker.volume_e2 = msg->ticker.open_interest_e2 = KDP_INT64_NULL;
        msg->ticker.dollar_volume = msg->ticker.dollar_open_interest = KDP_INT64_NULL;
        break;
    case KDP_MESSAGE_TRADE:
        memset(&msg->trade, 0, sizeof msg->trade);
        msg->trade.price_e4 = KDP_PRICE_NULL;
        msg->trade.count_e2 = KDP_INT64_NULL;
        break;
    case KDP_MESSAGE_LIFECYCLE:
        kdpi_lifecycle_clear(msg);
        break;
    case KDP_MESSAGE_EVENT:
        memset(&msg->event, 0, sizeof msg->event);
        msg->event.kind = kdpi_text_is(msg->type, "event_fee_update") ? KDP_EVENT_KIND_FEE_OVERRIDE
                                                                      : KDP_EVENT_KIND_CREATED;
        msg->event.exchange_index = -1;
        msg->event.fee_multiplier_e6 = KDP_INT64_NULL;
        msg->event.event_ticker = msg->event.series_ticker = msg->event.title = kdpi_no_text;
        msg->event.sub_title = msg->event.collateral = msg->event.fee_type = kdpi_no_text;
        break;
    case KDP_MESSAGE_SUBSCRIBED:
        msg->subscribed.channel = kdpi_no_text;
        break;
    case KDP_MESSAGE_ERROR:
        msg->error.code = 0;
        msg->error.text = kdpi_no_text;
        break;
    default:
        msg->ok.count = 0;
        break;
    }
}

uint32_t
kdpi_tickers_count(struct kdp_decoder *d, enum kdp_member member)
{
    size_t at = kdpi_json_offset(&d->json);
    uint32_t count = 0;

    if (kdpi_json_peek(&d->json) != KDP_JSON_ARRAY) {
        if (!kdpi_json_null(&d->json))
            kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, at);
        return 0;
    }
    kdpi_json_array(&d->json);
    while (kdpi_json_element(&d->json)) {
        struct kdp_value value = kdpi_value_take(d, member);

        if (value.kind != KDP_JSON_STRING)
            kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, value.at);
        else if (value.text.len > KDPI_TICKER_MAX)
            kdpi_value_refuse(d, KDP_REFUSAL_TOO_LONG, member, value.at);
        count++;
    }
    return count;
}

/* A price in dollars, or of the old form in cents: the old one never replaces the new one. */
static void
take_price(struct kdp_decoder *d, enum kdp_member member, bool old, int32_t *pricep)
{
    int64_t price;

    if (!old && kdpi_take_decimal(d, member, 4, 0, PRICE_MAX, &price))
        *pricep = (int32_t)price;
    else if (old && kdpi_take_cents(d, member, 0, PRICE_MAX, &price) && *pricep == KDP_PRICE_NULL)
        *pricep = (int32_t)price;
}

static void
take_size(struct kdp_decoder *d, enum kdp_member member, bool old, int64_t min, int64_t *sizep)
{
    int64_t size;

    if (!old && kdpi_take_decimal(d, member, 2, min, INT64_MAX, &size))
        *sizep = size;
    else if (old && kdpi_take_cents(d, member, min, INT64_MAX, &size) && *sizep == KDP_INT64_NULL)
        *sizep = size;
}

static bool
delta_member(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;

    switch (member) {
    case KDP_MEMBER_PRICE_D:
    case KDP_MEMBER_PRICE:
        take_price(d, member, member == KDP_MEMBER_PRICE, &msg->delta.price_e4);
        return true;
    case KDP_MEMBER_DELTA_FP:
    case KDP_MEMBER_DELTA:
        take_size(d, member, member == KDP_MEMBER_DELTA, -INT64_MAX, &msg->delta.delta_e2);
        return true;
    case KDP_MEMBER_SIDE:
        kdpi_take_word(d, member, side_words, &msg->delta.side);
        return true;
    case KDP_MEMBER_ORDER_ID:
    case KDP_MEMBER_SUBACCOUNT:
    case KDP_MEMBER_UPDATE_REASON:
        return true;
    default:
        return false;
    }
}

/* Takes [price, size]; false when it was refused. */
static bool
take_level(struct kdp_decoder *d, enum kdp_member member, bool old, struct kdp_message_level *level)
{
    struct kdp_json *json = &d->json;
    size_t at = kdpi_json_offset(json);
    int64_t price = KDP_INT64_NULL, size = KDP_INT64_NULL;
    unsigned parts = 0;

    if (kdpi_json_peek(json) != KDP_JSON_ARRAY) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, at);
        return false;
    }
    kdpi_json_array(json);
    for (; kdpi_json_element(json); parts++) {
        if (parts == 0 && old)
            kdpi_take_cents(d, member, 0, PRICE_MAX, &price);
        else if (parts == 0)
            kdpi_take_decimal(d, member, 4, 0, PRICE_MAX, &price);
        else if (parts == 1)
            kdpi_take_decimal(d, member, 2, 0, INT64_MAX,
                              &size); /* whole contracts of the old form as well */
    }
    if (parts != 2 || price == KDP_INT64_NULL || size == KDP_INT64_NULL) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, at);
        return false;
    }
    level->price_e4 = (int32_t)price;
    level->size_e2 = size;
    return true;
}

static void
drop_side(struct kdp_message *msg, struct kdp_message_level *levels, uint8_t side)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < msg->snapshot.count; i++) {
        if (levels[i].side != side)
            levels[kept++] = levels[i];
    }
    msg->snapshot.count = kept;
}

/* One side's levels.  While forms changed a frame could hold several of them for a side: the highest rank
 * counts. */
static void
take_levels(struct kdp_decoder *d, enum kdp_member member, uint8_t side, uint8_t rank)
{
    struct kdp_message *msg = d->msg;
    struct kdp_json *json = &d->json;
    size_t at = kdpi_json_offset(json);

    *(side == KDP_SIDE_YES ? &msg->snapshot.has_yes : &msg->snapshot.has_no) = true;
    if (kdpi_json_null(json) || d->side_rank[side] >= rank)
        return;
    if (kdpi_json_peek(json) != KDP_JSON_ARRAY) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, at);
        return;
    }
    if (d->side_rank[side] != 0)
        drop_side(msg, d->levels, side);
    d->side_rank[side] = rank;
    kdpi_json_array(json);
    while (kdpi_json_element(json)) {
        struct kdp_message_level *level = &d->levels[msg->snapshot.count];

        if (msg->snapshot.count == KDPI_LEVELS_MAX) {
            kdpi_value_refuse(d, KDP_REFUSAL_TOO_LONG, member, kdpi_json_offset(json));
            continue;
        }
        level->side = side;
        if (take_level(d, member, rank == 1, level))
            msg->snapshot.count++;
    }
}

static bool
snapshot_member(struct kdp_decoder *d, enum kdp_member member)
{
    switch (member) {
    case KDP_MEMBER_YES_FP:
        take_levels(d, member, KDP_SIDE_YES, 3);
        return true;
    case KDP_MEMBER_NO_FP:
        take_levels(d, member, KDP_SIDE_NO, 3);
        return true;
    case KDP_MEMBER_YES_D:
        take_levels(d, member, KDP_SIDE_YES, 2);
        return true;
    case KDP_MEMBER_NO_D:
        take_levels(d, member, KDP_SIDE_NO, 2);
        return true;
    case KDP_MEMBER_YES:
        take_levels(d, member, KDP_SIDE_YES, 1);
        return true;
    case KDP_MEMBER_NO:
        take_levels(d, member, KDP_SIDE_NO, 1);
        return true;
    default:
        return false;
    }
}

static bool
ticker_member(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;

    switch (member) {
    case KDP_MEMBER_PRICE_D:
    case KDP_MEMBER_PRICE:
        take_price(d, member, member == KDP_MEMBER_PRICE, &msg->ticker.price_e4);
        return true;
    case KDP_MEMBER_BID_D:
    case KDP_MEMBER_BID:
        take_price(d, member, member == KDP_MEMBER_BID, &msg->ticker.bid_e4);
        return true;
    case KDP_MEMBER_ASK_D:
    case KDP_MEMBER_ASK:
        take_price(d, member, member == KDP_MEMBER_ASK, &msg->ticker.ask_e4);
        return true;
    case KDP_MEMBER_BID_SIZE:
        take_size(d, member, false, 0, &msg->ticker.bid_size_e2);
        return true;
    case KDP_MEMBER_ASK_SIZE:
        take_size(d, member, false, 0, &msg->ticker.ask_size_e2);
        return true;
    case KDP_MEMBER_LAST_SIZE:
        take_size(d, member, false, 0, &msg->ticker.last_size_e2);
        return true;
    case KDP_MEMBER_VOLUME_FP:
    case KDP_MEMBER_VOLUME:
        take_size(d, member, member == KDP_MEMBER_VOLUME, 0, &msg->ticker.volume_e2);
        return true;
    case KDP_MEMBER_OPEN_FP:
    case KDP_MEMBER_OPEN:
        take_size(d, member, member == KDP_MEMBER_OPEN, 0, &msg->ticker.open_interest_e2);
        return true;
    case KDP_MEMBER_DOLLAR_VOLUME:
        kdpi_take_decimal(d, member, 0, -INT64_MAX, INT64_MAX, &msg->ticker.dollar_volume);
        return true;
    case KDP_MEMBER_DOLLAR_OPEN:
        kdpi_take_decimal(d, member, 0, -INT64_MAX, INT64_MAX, &msg->ticker.dollar_open_interest);
        return true;
    case KDP_MEMBER_CLOCK:
        return true;
    default:
        return false;
    }
}

bool
kdpi_uuid_parse(struct kdp_text text, uint8_t out[16])
{
    unsigned nibbles = 0, value = 0;

    if (text.len != 36)
        return false;
    for (unsigned i = 0; i < 36; i++) {
        char c = text.data[i], lower = (char)(c | 0x20);

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-')
                return false;
            continue;
        }
        if (c >= '0' && c <= '9')
            value = value << 4 | (unsigned)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (unsigned)(lower - 'a' + 10);
        else
            return false;
        if (nibbles++ % 2 == 1)
            out[nibbles / 2 - 1] = (uint8_t)value;
    }
    return true;
}

static void
take_trade_id(struct kdp_decoder *d)
{
    struct kdp_message *msg = d->msg;
    struct kdp_text text;
    XXH128_canonical_t hash;

    if (!kdpi_take_text(d, KDP_MEMBER_TRADE_ID, WORD_MAX, &text))
        return;
    if (kdpi_uuid_parse(text, msg->trade.trade_id))
        return;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(text.data, text.len));
    memcpy(msg->trade.trade_id, &hash, sizeof msg->trade.trade_id);
    msg->trade.trade_id_hashed = true;
}

/* One leg's price into *pricep; where it stands is kept for the one that may contradict the other. */
static void
take_leg(struct kdp_decoder *d, enum kdp_member member, bool old, int64_t *pricep)
{
    int64_t price;

    if (pricep == &d->no_price_e4)
        d->no_price_at = kdpi_json_offset(&d->json);
    if (old ? kdpi_take_cents(d, member, 0, PRICE_MAX, &price) && *pricep == KDP_INT64_NULL
            : kdpi_take_decimal(d, member, 4, 0, PRICE_MAX, &price))
        *pricep = price;
}

static bool
trade_member(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;

    switch (member) {
    case KDP_MEMBER_TRADE_ID:
        take_trade_id(d);
        return true;
    case KDP_MEMBER_YES_PRICE_D:
    case KDP_MEMBER_YES_PRICE:
        take_leg(d, member, member == KDP_MEMBER_YES_PRICE, &d->yes_price_e4);
        return true;
    case KDP_MEMBER_NO_PRICE_D:
    case KDP_MEMBER_NO_PRICE:
        take_leg(d, member, member == KDP_MEMBER_NO_PRICE, &d->no_price_e4);
        return true;
    case KDP_MEMBER_COUNT_FP:
    case KDP_MEMBER_COUNT:
        take_size(d, member, member == KDP_MEMBER_COUNT, 0, &msg->trade.count_e2);
        return true;
    case KDP_MEMBER_OUTCOME_SIDE:
        kdpi_take_word(d, member, side_words, &d->outcome_side);
        return true;
    case KDP_MEMBER_BOOK_SIDE:
        kdpi_take_word(d, member, book_side_words, &d->book_side);
        return true;
    case KDP_MEMBER_TAKER_SIDE:
        kdpi_take_word(d, member, side_words, &d->taker_side);
        return true;
    case KDP_MEMBER_BLOCK:
        kdpi_take_bool(d, member, &msg->trade.block);
        return true;
    default:
        return false;
    }
}

/* Replies: whatever their kind, the sid may stand in msg. */
static bool
reply_member(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;
    int64_t number;

    switch (member) {
    case KDP_MEMBER_SID:
        if (kdpi_take_decimal(d, member, 0, 0, UINT32_MAX, &number) && !msg->has_sid) {
            msg->has_sid = true;
            msg->sid = (uint32_t)number;
        }
        return true;
    case KDP_MEMBER_CHANNEL:
        if (msg->kind != KDP_MESSAGE_SUBSCRIBED)
            return msg->kind == KDP_MESSAGE_UNSUBSCRIBED;
        kdpi_take_text(d, member, WORD_MAX, &msg->subscribed.channel);
        return true;
    case KDP_MEMBER_TICKERS:
        if (msg->kind == KDP_MESSAGE_OK)
            msg->ok.count = kdpi_tickers_count(d, member);
        return msg->kind == KDP_MESSAGE_OK || msg->kind == KDP_MESSAGE_ERROR;
    case KDP_MEMBER_MARKET_IDS:
        return true;
    case KDP_MEMBER_CODE:
        if (msg->kind != KDP_MESSAGE_ERROR)
            return false;
        kdpi_take_decimal(d, member, 0, -INT64_MAX, INT64_MAX, &msg->error.code);
        return true;
    case KDP_MEMBER_MSG:
        if (msg->kind != KDP_MESSAGE_ERROR)
            return false;
        kdpi_take_text(d, member, WORD_MAX, &msg->error.text);
        return true;
    default:
        return false;
    }
}

static bool
event_member(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;
    int64_t number;

    switch (member) {
    case KDP_MEMBER_EVENT_TICKER:
        kdpi_take_text(d, member, KDPI_TICKER_MAX, &msg->event.event_ticker);
        return true;
    case KDP_MEMBER_SERIES_TICKER:
        kdpi_take_text(d, member, KDPI_TICKER_MAX, &msg->event.series_ticker);
        return true;
    case KDP_MEMBER_TITLE:
        kdpi_take_text(d, member, WORD_MAX, &msg->event.title);
        return true;
    case KDP_MEMBER_SUBTITLE:
    case KDP_MEMBER_SUB_TITLE:
        kdpi_take_text(d, member, WORD_MAX, &msg->event.sub_title);
        return true;
    case KDP_MEMBER_COLLATERAL:
        kdpi_take_text(d, member, WORD_MAX, &msg->event.collateral);
        return true;
    case KDP_MEMBER_FEE_TYPE:
        kdpi_take_text(d, member, WORD_MAX, &msg->event.fee_type);
        return true;
    case KDP_MEMBER_FEE_MULTIPLIER:
        kdpi_take_decimal(d, member, 6, -INT64_MAX, INT64_MAX, &msg->event.fee_multiplier_e6);
        return true;
    case KDP_MEMBER_EXCHANGE_INDEX:
        if (kdpi_take_decimal(d, member, 0, 0, UINT8_MAX, &number))
            msg->event.exchange_index = (int16_t)number;
        return true;
    default:
        return false;
    }
}

bool
kdpi_body_member(struct kdp_decoder *d, enum kdp_member member)
{
    switch (member) {
    case KDP_MEMBER_TICKER:
        kdpi_take_text(d, member, KDPI_TICKER_MAX, &d->msg->market_ticker);
        return true;
    case KDP_MEMBER_TS:
    case KDP_MEMBER_TS_MS:
    case KDP_MEMBER_TIME:
        kdpi_take_frame_time(d, member);
        return true;
    case KDP_MEMBER_MARKET_ID:
        return true;
    default:
        break;
    }
    switch (d->msg->kind) {
    case KDP_MESSAGE_DELTA:
        return delta_member(d, member);
    case KDP_MESSAGE_SNAPSHOT:
        return snapshot_member(d, member);
    case KDP_MESSAGE_TICKER:
        return ticker_member(d, member);
    case KDP_MESSAGE_TRADE:
        return trade_member(d, member);
    case KDP_MESSAGE_LIFECYCLE:
        return kdpi_lifecycle_member(d, member);
    case KDP_MESSAGE_EVENT:
        return event_member(d, member);
    default:
        return reply_member(d, member);
    }
}

void
kdpi_body_read(struct kdp_decoder *d)
{
    struct kdp_json *json = &d->json;
    enum kdp_json_kind kind = kdpi_json_peek(json);
    size_t at = kdpi_json_offset(json);
    struct kdp_text key;

    if (kind == KDP_JSON_ARRAY && d->msg->kind == KDP_MESSAGE_OK) {
        d->msg->kind = KDP_MESSAGE_OK_LIST;
        kdpi_json_array(json);
        while (kdpi_json_element(json))
            d->msg->ok.count++;
        return;
    }
    if (kind != KDP_JSON_OBJECT) {
        if (kind != KDP_JSON_NULL && kind != KDP_JSON_NONE)
            kdpi_value_refuse(d, KDP_REFUSAL_TYPE, KDP_MEMBER_MSG, at);
        kdpi_json_skip(json);
        return;
    }
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        enum kdp_member member = kdpi_member_find(d, key);

        if (member == KDP_MEMBER_UNKNOWN || !kdpi_body_member(d, member))
            d->msg->unknown_members++;
    }
}

static void
require(struct kdp_decoder *d, bool there, enum kdp_member member, size_t at)
{
    if (!there)
        kdpi_value_refuse(d, KDP_REFUSAL_MISSING, member, at);
}

static void
finish_trade(struct kdp_decoder *d, size_t at)
{
    struct kdp_message *msg = d->msg;
    static const uint8_t none[16];

    if (d->yes_price_e4 != KDP_INT64_NULL && d->no_price_e4 != KDP_INT64_NULL &&
        d->yes_price_e4 + d->no_price_e4 != PRICE_MAX)
        kdpi_value_refuse(d, KDP_REFUSAL_CONFLICT, KDP_MEMBER_NO_PRICE_D, d->no_price_at);
    if (d->yes_price_e4 != KDP_INT64_NULL)
        msg->trade.price_e4 = (int32_t)d->yes_price_e4;
    else if (d->no_price_e4 != KDP_INT64_NULL)
        msg->trade.price_e4 = (int32_t)(PRICE_MAX - d->no_price_e4);
    msg->trade.taker_side = d->outcome_side != KDP_SIDE_NONE ? d->outcome_side
                            : d->book_side != KDP_SIDE_NONE  ? d->book_side
                                                             : d->taker_side;
    require(d, memcmp(msg->trade.trade_id, none, sizeof none) != 0, KDP_MEMBER_TRADE_ID, at);
    require(d, msg->trade.price_e4 != KDP_PRICE_NULL, KDP_MEMBER_YES_PRICE_D, at);
    require(d, msg->trade.count_e2 != KDP_INT64_NULL, KDP_MEMBER_COUNT_FP, at);
}

void
kdpi_body_finish(struct kdp_decoder *d, size_t at)
{
    struct kdp_message *msg = d->msg;

    if (msg->kind >= KDP_MESSAGE_SNAPSHOT && msg->kind <= KDP_MESSAGE_LIFECYCLE)
        require(d, msg->market_ticker.len != 0, KDP_MEMBER_TICKER, at);
    switch (msg->kind) {
    case KDP_MESSAGE_SUBSCRIBED:
        require(d, msg->has_sid, KDP_MEMBER_SID, at);
        require(d, msg->subscribed.channel.len != 0, KDP_MEMBER_CHANNEL, at);
        break;
    case KDP_MESSAGE_DELTA:
        require(d, msg->delta.price_e4 != KDP_PRICE_NULL, KDP_MEMBER_PRICE_D, at);
        require(d, msg->delta.delta_e2 != KDP_INT64_NULL, KDP_MEMBER_DELTA_FP, at);
        require(d, msg->delta.side != KDP_SIDE_NONE, KDP_MEMBER_SIDE, at);
        break;
    case KDP_MESSAGE_TRADE:
        finish_trade(d, at);
        break;
    case KDP_MESSAGE_LIFECYCLE:
        require(d, d->has_event_type, KDP_MEMBER_EVENT_TYPE, at);
        break;
    case KDP_MESSAGE_EVENT:
        require(d, msg->event.event_ticker.len != 0, KDP_MEMBER_EVENT_TICKER, at);
        break;
    default:
        break;
    }
    kdpi_time_settle(&d->times, msg);
}
