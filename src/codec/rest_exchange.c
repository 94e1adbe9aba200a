/* rest_exchange.c - REST bodies about the exchange itself: its state, where history begins, an account's limits, and errors. */
#include "rest_private.h"

#include "error.h"

#define SCALE 1000000

/* A member that is true or false; anything else but null is refused. */
static void
take_bool(struct kdp_json *json, bool *yesp)
{
    if (!kdpi_json_null(json))
        kdpi_json_bool(json, yesp);
}

static void
take_shard(struct kdp_rest_reader *reader, struct kdp_rest_shard *shard)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key, text = kdpi_no_text;
    int64_t index;

    *shard = (struct kdp_rest_shard){.index = -1, .active = true};
    json->scratch_used = 0;
    kdpi_message_clear(reader->d, &reader->msg);
    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "exchange_active"))
            take_bool(json, &shard->active);
        else if (kdpi_text_is(key, "trading_active"))
            take_bool(json, &shard->trading);
        else if (kdpi_text_is(key, "intra_exchange_transfers_active"))
            take_bool(json, &shard->transfers);
        else if (kdpi_text_is(key, "description"))
            kdpi_take_text(reader->d, KDP_MEMBER_UNKNOWN, KDPI_REST_WORD_MAX, &text);
        else if (kdpi_text_is(key, "exchange_index") &&
                 kdpi_take_decimal(reader->d, KDP_MEMBER_UNKNOWN, 0, 0, UINT8_MAX, &index))
            shard->index = (int16_t)index;
    }
    kdpi_escape(shard->description, sizeof shard->description, text.data, text.len);
}

static void
take_shards(struct kdp_rest_reader *reader, struct kdp_rest_status *status)
{
    struct kdp_json *json = &reader->d->json;

    if (kdpi_json_null(json))
        return;
    kdpi_json_array(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_element(json)) {
        struct kdp_rest_shard shard;

        take_shard(reader, &shard);
        if (status->shards < KDPI_REST_SHARDS_MAX)
            status->shard[status->shards] = shard;
        status->shards++;
        status->shards_trading += shard.active && shard.trading;
    }
}

enum kdp_refusal
kdpi_rest_status(struct kdp_rest_reader *reader, const char *body, size_t len, struct kdp_rest_status *status)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_rest_status result = {.resume_ns = KDP_TIME_NULL};
    bool has_active = false, has_trading = false;
    struct kdp_text key;

    kdpi_rest_begin(reader, body, len);
    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "exchange_active")) {
            has_active = true;
            take_bool(json, &result.exchange_active);
        } else if (kdpi_text_is(key, "trading_active")) {
            has_trading = true;
            take_bool(json, &result.trading_active);
        } else if (kdpi_text_is(key, "exchange_estimated_resume_time")) {
            kdpi_rest_take_time(reader, "exchange_estimated_resume_time", &result.resume_ns);
        } else if (kdpi_text_is(key, "exchange_index_statuses")) {
            result.shards = result.shards_trading = 0;
            take_shards(reader, &result);
        }
    }
    if (!kdpi_json_end(json))
        return json->refusal;
    if (!has_active)
        return KDP_REFUSAL_MISSING;
    if (!has_trading)
        result.trading_active = result.exchange_active;
    *status = result;
    return KDP_REFUSAL_NONE; /* a resume time that is none tells nothing and hides nothing */
}

enum kdp_refusal
kdpi_rest_cutoff(struct kdp_rest_reader *reader, const char *body, size_t len, struct kdp_rest_cutoff *cutoff)
{
    static const struct kdp_rest_field fields[] = {
        {"market_settled_ts", KDP_REST_TIME, 0, offsetof(struct kdp_rest_cutoff, market_settled_ns)},
        {"trades_created_ts", KDP_REST_TIME, 0, offsetof(struct kdp_rest_cutoff, trades_created_ns)},
        {NULL, 0, 0, 0},
    };
    struct kdp_rest_cutoff result = {KDP_TIME_NULL, KDP_TIME_NULL};
    struct kdp_json *json = &reader->d->json;

    *cutoff = result;
    kdpi_rest_begin(reader, body, len);
    if (kdpi_json_peek(json) == KDP_JSON_OBJECT)
        kdpi_rest_fields(reader, fields, &result);
    else
        kdpi_json_refuse(json, KDP_REFUSAL_NOT_OBJECT, 0, "expected an object");
    if (!kdpi_json_end(json))
        return json->refusal;
    if (reader->msg.refusal != KDP_REFUSAL_NONE)
        return reader->msg.refusal;
    if (result.market_settled_ns == KDP_TIME_NULL && result.trades_created_ns == KDP_TIME_NULL)
        return KDP_REFUSAL_MISSING;
    *cutoff = result;
    return KDP_REFUSAL_NONE;
}

/* A bucket's number of tokens, cut to whole ones; 0 for what is none. */
static int64_t
take_tokens(struct kdp_rest_reader *reader)
{
    int64_t tokens = 0;

    if (!kdpi_take_decimal(reader->d, KDP_MEMBER_UNKNOWN, 6, 0, INT64_MAX, &tokens))
        return 0;
    return tokens / SCALE;
}

enum kdp_refusal
kdpi_rest_limits(struct kdp_rest_reader *reader, const char *body, size_t len, struct kdp_rest_limits *limits)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key, tier = kdpi_no_text;

    memset(limits, 0, sizeof *limits);
    kdpi_rest_begin(reader, body, len);
    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "usage_tier")) {
            kdpi_take_text(reader->d, KDP_MEMBER_UNKNOWN, sizeof limits->tier - 1, &tier);
        } else if (kdpi_text_is(key, "read") && kdpi_json_peek(json) == KDP_JSON_OBJECT) {
            kdpi_json_object(json);
            while (kdpi_json_member(json, &key)) {
                if (kdpi_text_is(key, "refill_rate"))
                    limits->read_refill = take_tokens(reader);
                else if (kdpi_text_is(key, "bucket_capacity"))
                    limits->read_capacity = take_tokens(reader);
            }
        }
    }
    if (!kdpi_json_end(json)) {
        memset(limits, 0, sizeof *limits);
        return json->refusal;
    }
    kdpi_escape(limits->tier, sizeof limits->tier, tier.data, tier.len);
    return KDP_REFUSAL_NONE;
}

/* The texts of an error object; either may be missing. */
static void
take_error(struct kdp_json *json, char code[64], char message[256])
{
    struct kdp_text key, text;

    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        bool is_code = kdpi_text_is(key, "code"), is_error = kdpi_text_is(key, "error");

        if (is_error && kdpi_json_peek(json) == KDP_JSON_OBJECT && json->depth == 1) {
            take_error(json, code, message);
        } else if (is_code || is_error || kdpi_text_is(key, "message")) {
            enum kdp_json_kind kind = kdpi_json_scalar(json, &text);

            if (kind != KDP_JSON_STRING && kind != KDP_JSON_NUMBER)
                continue;
            if (is_code)
                kdpi_escape(code, 64, text.data, text.len);
            else if (!is_error || message[0] == '\0')
                kdpi_escape(message, 256, text.data, text.len);
        }
    }
}

void
kdpi_rest_error(const char *body, size_t len, char code[64], char message[256])
{
    char scratch[4096];
    struct kdp_json json;

    code[0] = message[0] = '\0';
    kdpi_json_init(&json, NULL, scratch, sizeof scratch);
    kdpi_json_begin(&json, body, len);
    if (kdpi_json_peek(&json) == KDP_JSON_OBJECT)
        take_error(&json, code, message);
    if (!kdpi_json_end(&json))
        code[0] = message[0] = '\0';
}
