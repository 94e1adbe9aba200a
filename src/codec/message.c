/* message.c - the envelope of a frame, and the decoder; see message.h. */
#include "message_private.h"

#include "error.h"

#include <stdlib.h>

#define MS_MAX (INT64_MAX / KDP_NS_PER_MS)
#define WORD_MAX 4096u

const char *
kdpi_refusal_text(enum kdp_refusal refusal)
{
    static const char *const texts[KDP_REFUSALS] = {
#define KDP_X(name, text) text,
        KDP_REFUSAL_LIST(KDP_X)
#undef KDP_X
    };

    return (unsigned)refusal < KDP_REFUSALS ? texts[refusal] : "?";
}

struct kdp_decoder *
kdpi_decoder_open(void)
{
    struct kdp_decoder *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    kdpi_json_init(&d->json, &d->keys, d->scratch, sizeof d->scratch);
    for (uint8_t member = 1; member < KDP_MEMBERS; member++) {
        unsigned slot = kdpi_member_slot(kdpi_member_names[member], kdpi_member_lengths[member]);

        while (d->member_table[slot] != 0)
            slot = (slot + 1) % KDPI_MEMBER_SLOTS;
        d->member_table[slot] = member;
    }
    return d;
}

void
kdpi_decoder_close(struct kdp_decoder *decoder)
{
    free(decoder);
}

static enum kdp_message_kind
kind_of(struct kdp_text type)
{
    static const struct {
        const char *word;
        enum kdp_message_kind kind;
    } kinds[] = {
        {"orderbook_delta", KDP_MESSAGE_DELTA},
        {"ticker", KDP_MESSAGE_TICKER},
        {"trade", KDP_MESSAGE_TRADE},
        {"orderbook_snapshot", KDP_MESSAGE_SNAPSHOT},
        {"multivariate_market_lifecycle", KDP_MESSAGE_LIFECYCLE},
        {"market_lifecycle_v2", KDP_MESSAGE_LIFECYCLE},
        {"event_lifecycle", KDP_MESSAGE_EVENT},
        {"event_fee_update", KDP_MESSAGE_EVENT},
        {"subscribed", KDP_MESSAGE_SUBSCRIBED},
        {"unsubscribed", KDP_MESSAGE_UNSUBSCRIBED},
        {"ok", KDP_MESSAGE_OK},
        {"error", KDP_MESSAGE_ERROR},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kdpi_text_equal(type, kinds[i].word, strlen(kinds[i].word)))
            return kinds[i].kind;
    }
    return KDP_MESSAGE_UNKNOWN;
}

/* Everything but the union, which kdpi_body_clear prepares once the kind is known. */
void
kdpi_message_clear(struct kdp_decoder *d, struct kdp_message *msg)
{
    d->msg = msg;
    d->times.ms = d->times.time_ns = d->times.ts_ns = d->times.seconds_ns = KDP_TIME_NULL;
    msg->kind = KDP_MESSAGE_UNKNOWN;
    msg->refusal = KDP_REFUSAL_NONE;
    msg->trusted = true;
    msg->position = 0;
    msg->member = "";
    msg->type = msg->market_ticker = kdpi_no_text;
    msg->has_id = msg->has_sid = msg->has_seq = false;
    msg->id = 0;
    msg->sid = 0;
    msg->seq = 0;
    msg->sending_ts_ms = KDP_INT64_NULL;
    msg->ts_ms = KDP_INT64_NULL;
    msg->exch_ns = KDP_TIME_NULL;
    msg->unknown_members = 0;
}

/* What the envelope held before it was known what it envelops. */
struct envelope {
    size_t msg_at, tickers_at; /* SIZE_MAX: not given */
    bool msg_read;
    struct kdp_text cmd;
    bool books; /* orderbook_delta is among the channels */
    int8_t use_yes_price;
};

/* Looks for the channel of books in a command's list, or a single name. */
static void
take_channels(struct kdp_decoder *d, struct envelope *e)
{
    struct kdp_json *json = &d->json;
    struct kdp_text name;

    if (kdpi_json_peek(json) != KDP_JSON_ARRAY) {
        e->books |= kdpi_json_scalar(json, &name) == KDP_JSON_STRING && kdpi_text_is(name, "orderbook_delta");
        return;
    }
    kdpi_json_array(json);
    while (kdpi_json_element(json))
        e->books |= kdpi_json_scalar(json, &name) == KDP_JSON_STRING && kdpi_text_is(name, "orderbook_delta");
}

static void
take_params(struct kdp_decoder *d, struct envelope *e)
{
    struct kdp_json *json = &d->json;
    struct kdp_message *msg = d->msg;
    size_t at = kdpi_json_offset(json);
    struct kdp_text key;
    bool yes;

    if (kdpi_json_null(json))
        return;
    if (kdpi_json_peek(json) != KDP_JSON_OBJECT) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, KDP_MEMBER_PARAMS, at);
        return;
    }
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        enum kdp_member member = kdpi_member_find(d, key);

        switch (member) {
        case KDP_MEMBER_USE_YES_PRICE:
            if (kdpi_take_bool(d, member, &yes))
                e->use_yes_price = yes;
            break;
        case KDP_MEMBER_TICKER:
            kdpi_take_text(d, member, KDPI_TICKER_MAX, &msg->market_ticker);
            break;
        case KDP_MEMBER_TICKERS:
            kdpi_tickers_count(d, member);
            break;
        case KDP_MEMBER_CHANNELS:
            take_channels(d, e);
            break;
        case KDP_MEMBER_SID:
        case KDP_MEMBER_SIDS:
        case KDP_MEMBER_ACTION:
        case KDP_MEMBER_MARKET_ID:
        case KDP_MEMBER_MARKET_IDS:
        case KDP_MEMBER_SEND_SNAPSHOT:
        case KDP_MEMBER_SKIP_ACK:
            break;
        default:
            msg->unknown_members++;
        }
    }
}

static void
take_type(struct kdp_decoder *d)
{
    if (!kdpi_take_text(d, KDP_MEMBER_TYPE, WORD_MAX, &d->msg->type))
        return;
    d->msg->kind = kind_of(d->msg->type);
    kdpi_body_clear(d);
}

static void
envelope_member(struct kdp_decoder *d, struct envelope *e, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;
    int64_t number;

    switch (member) {
    case KDP_MEMBER_TYPE:
        take_type(d);
        return;
    case KDP_MEMBER_ID:
        if (kdpi_take_decimal(d, member, 0, -INT64_MAX, INT64_MAX, &msg->id))
            msg->has_id = true;
        return;
    case KDP_MEMBER_SID:
        if (kdpi_take_decimal(d, member, 0, 0, UINT32_MAX, &number)) {
            msg->has_sid = true;
            msg->sid = (uint32_t)number;
        }
        return;
    case KDP_MEMBER_SEQ:
        if (kdpi_take_decimal(d, member, 0, 0, INT64_MAX, &number)) {
            msg->has_seq = true;
            msg->seq = (uint64_t)number;
        }
        return;
    case KDP_MEMBER_SENDING:
        kdpi_take_decimal(d, member, 0, 0, MS_MAX, &msg->sending_ts_ms);
        return;
    case KDP_MEMBER_MSG:
        e->msg_at = kdpi_json_offset(&d->json);
        if (msg->kind != KDP_MESSAGE_UNKNOWN) {
            e->msg_read = true;
            kdpi_body_read(d);
        }
        return; /* else it is skipped, and read again when the type came later */
    case KDP_MEMBER_TICKERS:
        e->tickers_at = kdpi_json_offset(&d->json);
        return;
    case KDP_MEMBER_MARKET_IDS:
        return;
    case KDP_MEMBER_CMD:
        kdpi_take_text(d, member, WORD_MAX, &e->cmd);
        return;
    case KDP_MEMBER_PARAMS:
        take_params(d, e);
        return;
    default:
        msg->unknown_members++;
    }
}

/* The frame is whole: what had to wait for its type. */
static void
settle(struct kdp_decoder *d, struct envelope *e)
{
    struct kdp_message *msg = d->msg;

    if (msg->type.len == 0 && e->cmd.len != 0) {
        msg->kind = KDP_MESSAGE_COMMAND;
        msg->command.cmd = e->cmd;
        msg->command.books = e->books && kdpi_text_is(e->cmd, "subscribe");
        msg->command.use_yes_price = e->use_yes_price;
        return;
    }
    if (msg->type.len == 0 && msg->has_seq) /* a number was used up, and nothing says by what */
        kdpi_value_refuse(d, KDP_REFUSAL_MISSING, KDP_MEMBER_TYPE, 0);
    if (msg->kind == KDP_MESSAGE_UNKNOWN)
        return;
    if (e->msg_at != SIZE_MAX && !e->msg_read) {
        kdpi_json_seek(&d->json, e->msg_at);
        kdpi_body_read(d);
    }
    if (e->tickers_at != SIZE_MAX && msg->kind == KDP_MESSAGE_OK && msg->ok.count == 0) {
        kdpi_json_seek(&d->json, e->tickers_at);
        msg->ok.count = kdpi_tickers_count(d, KDP_MEMBER_TICKERS);
    }
    if (e->msg_at == SIZE_MAX && msg->kind >= KDP_MESSAGE_SNAPSHOT)
        kdpi_value_refuse(d, KDP_REFUSAL_MISSING, KDP_MEMBER_MSG, 0);
    kdpi_body_finish(d, e->msg_at != SIZE_MAX ? e->msg_at : 0);
}

static enum kdp_refusal
refuse_whole(struct kdp_message *msg, enum kdp_refusal refusal, size_t position)
{
    msg->kind = KDP_MESSAGE_UNKNOWN;
    msg->trusted = false;
    msg->has_id = msg->has_sid = msg->has_seq = false;
    msg->market_ticker = kdpi_no_text;
    msg->ts_ms = KDP_INT64_NULL;
    msg->exch_ns = KDP_TIME_NULL;
    msg->member = "";
    msg->position = position;
    return msg->refusal = refusal;
}

enum kdp_refusal
kdpi_decode(struct kdp_decoder *decoder, const char *frame, size_t len, struct kdp_message *msg)
{
    if (kdpi_decode_fast(decoder, frame, len, msg))
        return KDP_REFUSAL_NONE;
    return kdpi_decode_general(decoder, frame, len, msg);
}

enum kdp_refusal
kdpi_decode_general(struct kdp_decoder *d, const char *frame, size_t len, struct kdp_message *msg)
{
    struct kdp_json *json = &d->json;
    struct envelope e = {.msg_at = SIZE_MAX, .tickers_at = SIZE_MAX, .cmd = {"", 0}, .use_yes_price = -1};
    struct kdp_text key;
    bool object;

    kdpi_message_clear(d, msg);
    if (len > KDPI_FRAME_MAX)
        return refuse_whole(msg, KDP_REFUSAL_TOO_LONG, KDPI_FRAME_MAX);
    kdpi_json_begin(json, frame, len);
    object = kdpi_json_peek(json) == KDP_JSON_OBJECT;
    if (object && kdpi_json_object(json)) {
        while (kdpi_json_member(json, &key))
            envelope_member(d, &e, kdpi_member_find(d, key));
    }
    if (!kdpi_json_end(json))
        return refuse_whole(msg, json->refusal, json->position);
    if (!object)
        return refuse_whole(msg, KDP_REFUSAL_NOT_OBJECT, 0);
    settle(d, &e);
    KDP_ASSERT(json->refusal == KDP_REFUSAL_NONE || json->refusal == KDP_REFUSAL_TOO_LONG);
    if (json->refusal != KDP_REFUSAL_NONE) /* the scratch, on the second way through msg */
        return refuse_whole(msg, json->refusal, json->position);
    return msg->refusal;
}

/* One list, or one single ticker; false when each has had enough. */
static bool
walk_tickers(struct kdp_json *json, bool (*each)(void *arg, struct kdp_text ticker), void *arg)
{
    struct kdp_text ticker;

    if (kdpi_json_peek(json) != KDP_JSON_ARRAY) {
        if (kdpi_json_scalar(json, &ticker) == KDP_JSON_STRING && ticker.len != 0)
            return each(arg, ticker);
        return true;
    }
    kdpi_json_array(json);
    while (kdpi_json_element(json)) {
        json->scratch_used = 0;
        if (kdpi_json_scalar(json, &ticker) == KDP_JSON_STRING && !each(arg, ticker))
            return false;
    }
    return true;
}

void
kdpi_message_tickers(const char *frame, size_t len, bool (*each)(void *arg, struct kdp_text ticker),
                     void *arg)
{
    char scratch[KDPI_JSON_KEY_MAX];
    struct kdp_json json;
    struct kdp_text key;

    /* decoded before, so that its keys need no second check */
    kdpi_json_init(&json, NULL, scratch, sizeof scratch);
    kdpi_json_begin(&json, frame, len);
    if (kdpi_json_peek(&json) != KDP_JSON_OBJECT)
        return;
    kdpi_json_object(&json);
    while (kdpi_json_member(&json, &key)) {
        json.scratch_used = 0;
        if (kdpi_text_is(key, "market_tickers") || kdpi_text_is(key, "market_ticker")) {
            if (!walk_tickers(&json, each, arg))
                return;
        } else if ((kdpi_text_is(key, "msg") || kdpi_text_is(key, "params")) &&
                   kdpi_json_peek(&json) == KDP_JSON_OBJECT) {
            kdpi_json_object(&json);
            while (kdpi_json_member(&json, &key)) {
                json.scratch_used = 0;
                if ((kdpi_text_is(key, "market_tickers") || kdpi_text_is(key, "market_ticker")) &&
                    !walk_tickers(&json, each, arg))
                    return;
            }
        }
    }
}
