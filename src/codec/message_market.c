/* message_market.c - what stands in msg of the lifecycle channels. */
#include "message_private.h"

#define WORD_MAX 4096u
#define PRICE_MAX 10000

static const char *const event_types[] = {
    [KDP_LIFECYCLE_KIND_NONE] = "",
    [KDP_LIFECYCLE_KIND_CREATED] = "created",
    [KDP_LIFECYCLE_KIND_OPENED] = "opened",
    [KDP_LIFECYCLE_KIND_ACTIVATED] = "activated",
    [KDP_LIFECYCLE_KIND_DEACTIVATED] = "deactivated",
    [KDP_LIFECYCLE_KIND_CLOSE_DATE_UPDATED] = "close_date_updated",
    [KDP_LIFECYCLE_KIND_CLOSED] = "closed",
    [KDP_LIFECYCLE_KIND_DETERMINED] = "determined",
    [KDP_LIFECYCLE_KIND_SETTLED] = "settled",
    [KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED] = "price_level_structure_updated",
    [KDP_LIFECYCLE_KIND_METADATA_UPDATED] = "metadata_updated",
    NULL,
};
static const char *const strike_types[] = {
    [KDP_STRIKE_TYPE_NONE] = "",
    [KDP_STRIKE_TYPE_GREATER] = "greater",
    [KDP_STRIKE_TYPE_GREATER_OR_EQUAL] = "greater_or_equal",
    [KDP_STRIKE_TYPE_LESS] = "less",
    [KDP_STRIKE_TYPE_LESS_OR_EQUAL] = "less_or_equal",
    [KDP_STRIKE_TYPE_BETWEEN] = "between",
    [KDP_STRIKE_TYPE_FUNCTIONAL] = "functional",
    [KDP_STRIKE_TYPE_CUSTOM] = "custom",
    [KDP_STRIKE_TYPE_STRUCTURED] = "structured",
    NULL,
};
static const char *const results[] = {[KDP_RESULT_NONE] = "",
                                      [KDP_RESULT_YES] = "yes",
                                      [KDP_RESULT_NO] = "no",
                                      [KDP_RESULT_SCALAR] = "scalar",
                                      NULL};

void
kdpi_lifecycle_clear(struct kdp_message *msg)
{
    bool multivariate = kdpi_text_is(msg->type, "multivariate_market_lifecycle");

    memset(&msg->lifecycle, 0,
           offsetof(struct kdp_message, lifecycle.ranges) - offsetof(struct kdp_message, lifecycle));
    msg->lifecycle.multivariate = multivariate;
    msg->lifecycle.open_ns = msg->lifecycle.close_ns = KDP_TIME_NULL;
    msg->lifecycle.at_ns = msg->lifecycle.expiry_ns = KDP_TIME_NULL;
    msg->lifecycle.settlement_value_e6 = KDP_INT64_NULL;
    msg->lifecycle.floor_strike_e6 = msg->lifecycle.cap_strike_e6 = KDP_INT64_NULL;
    msg->lifecycle.can_close_early = -1;
    msg->lifecycle.exchange_index = -1;
    msg->lifecycle.event_ticker = msg->lifecycle.title = kdpi_no_text;
    msg->lifecycle.yes_sub_title = msg->lifecycle.structure = kdpi_no_text;
}

/* A word of a list that the exchange keeps adding to: one we do not know is counted, not refused, since the
 * rest of the message (ticks, times) is worth more than the word. */
static void
take_open_word(struct kdp_decoder *d, enum kdp_member member, const char *const *words, uint8_t *indexp)
{
    struct kdp_text text;

    if (!kdpi_take_text(d, member, WORD_MAX, &text))
        return;
    for (uint8_t i = 1; words[i] != NULL; i++) {
        if (kdpi_text_equal(text, words[i], strlen(words[i]))) {
            *indexp = i;
            return;
        }
    }
    d->msg->unknown_members++;
}

static void
take_range(struct kdp_decoder *d)
{
    struct kdp_message *msg = d->msg;
    struct kdp_json *json = &d->json;
    size_t at = kdpi_json_offset(json);
    int64_t start = KDP_INT64_NULL, end = KDP_INT64_NULL, step = KDP_INT64_NULL;
    struct kdp_definition_ranges *range;
    struct kdp_text key;

    if (kdpi_json_peek(json) != KDP_JSON_OBJECT) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, KDP_MEMBER_RANGES, at);
        return;
    }
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        enum kdp_member member = kdpi_member_find(d, key);

        if (member == KDP_MEMBER_START)
            kdpi_take_decimal(d, member, 4, 0, PRICE_MAX, &start);
        else if (member == KDP_MEMBER_END)
            kdpi_take_decimal(d, member, 4, 0, PRICE_MAX, &end);
        else if (member == KDP_MEMBER_STEP)
            kdpi_take_decimal(d, member, 4, 1, PRICE_MAX, &step);
        else
            msg->unknown_members++;
    }
    if (start == KDP_INT64_NULL || end == KDP_INT64_NULL || step == KDP_INT64_NULL) {
        kdpi_value_refuse(d, KDP_REFUSAL_MISSING, KDP_MEMBER_RANGES, at);
        return;
    }
    if (end < start) {
        kdpi_value_refuse(d, KDP_REFUSAL_CONFLICT, KDP_MEMBER_RANGES, at);
        return;
    }
    if (msg->lifecycle.range_count == sizeof msg->lifecycle.ranges / sizeof msg->lifecycle.ranges[0]) {
        kdpi_value_refuse(d, KDP_REFUSAL_TOO_LONG, KDP_MEMBER_RANGES, at);
        return;
    }
    range = &msg->lifecycle.ranges[msg->lifecycle.range_count++];
    memset(range, 0, sizeof *range);
    range->start_e4 = (int32_t)start;
    range->end_e4 = (int32_t)end;
    range->step_e4 = (int32_t)step;
}

static void
take_ranges(struct kdp_decoder *d)
{
    struct kdp_json *json = &d->json;
    size_t at = kdpi_json_offset(json);

    if (kdpi_json_null(json))
        return;
    if (kdpi_json_peek(json) != KDP_JSON_ARRAY) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, KDP_MEMBER_RANGES, at);
        return;
    }
    kdpi_json_array(json);
    while (kdpi_json_element(json))
        take_range(d);
}

/* additional_metadata holds the same members as a metadata_updated message holds in msg itself. */
static void
take_metadata(struct kdp_decoder *d)
{
    struct kdp_json *json = &d->json;
    size_t at = kdpi_json_offset(json);
    struct kdp_text key;

    if (kdpi_json_null(json))
        return;
    if (kdpi_json_peek(json) != KDP_JSON_OBJECT) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, KDP_MEMBER_METADATA, at);
        return;
    }
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        enum kdp_member member = kdpi_member_find(d, key);

        /* not within itself: one level is all there is */
        if (member == KDP_MEMBER_UNKNOWN || member == KDP_MEMBER_METADATA ||
            !kdpi_lifecycle_member(d, member))
            d->msg->unknown_members++;
    }
}

bool
kdpi_lifecycle_member(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_message *msg = d->msg;
    int64_t number;
    bool yes;

    switch (member) {
    case KDP_MEMBER_EVENT_TYPE:
        d->has_event_type = true;
        take_open_word(d, member, event_types, &msg->lifecycle.kind);
        return true;
    case KDP_MEMBER_RESULT:
        kdpi_take_word(d, member, results, &msg->lifecycle.result);
        return true;
    case KDP_MEMBER_STRIKE_TYPE:
        take_open_word(d, member, strike_types, &msg->lifecycle.strike_type);
        return true;
    case KDP_MEMBER_OPEN_TS:
        kdpi_take_seconds(d, member, &msg->lifecycle.open_ns);
        return true;
    case KDP_MEMBER_CLOSE_TS:
        kdpi_take_seconds(d, member, &msg->lifecycle.close_ns);
        return true;
    case KDP_MEMBER_DETERMINATION_TS:
    case KDP_MEMBER_SETTLED_TS:
        kdpi_take_seconds(d, member, &msg->lifecycle.at_ns);
        return true;
    case KDP_MEMBER_EXPIRY_TS:
        kdpi_take_seconds(d, member, &msg->lifecycle.expiry_ns);
        return true;
    case KDP_MEMBER_SETTLEMENT:
        kdpi_take_decimal(d, member, 6, 0, INT64_MAX, &msg->lifecycle.settlement_value_e6);
        return true;
    case KDP_MEMBER_FLOOR:
        kdpi_take_strike(d, member, &msg->lifecycle.floor_strike_e6);
        return true;
    case KDP_MEMBER_CAP:
        kdpi_take_strike(d, member, &msg->lifecycle.cap_strike_e6);
        return true;
    case KDP_MEMBER_CLOSE_EARLY:
        if (kdpi_take_bool(d, member, &yes))
            msg->lifecycle.can_close_early = yes;
        return true;
    case KDP_MEMBER_EXCHANGE_INDEX:
        if (kdpi_take_decimal(d, member, 0, 0, UINT8_MAX, &number))
            msg->lifecycle.exchange_index = (int16_t)number;
        return true;
    case KDP_MEMBER_EVENT_TICKER:
        kdpi_take_text(d, member, KDPI_TICKER_MAX, &msg->lifecycle.event_ticker);
        return true;
    case KDP_MEMBER_TITLE:
        kdpi_take_text(d, member, WORD_MAX, &msg->lifecycle.title);
        return true;
    case KDP_MEMBER_YES_SUB_TITLE:
        kdpi_take_text(d, member, WORD_MAX, &msg->lifecycle.yes_sub_title);
        return true;
    case KDP_MEMBER_STRUCTURE:
        kdpi_take_text(d, member, WORD_MAX, &msg->lifecycle.structure);
        return true;
    case KDP_MEMBER_RANGES:
        take_ranges(d);
        return true;
    case KDP_MEMBER_METADATA:
        take_metadata(d);
        return true;
    case KDP_MEMBER_DEACTIVATED:
    case KDP_MEMBER_NAME:
    case KDP_MEMBER_NO_SUB_TITLE:
    case KDP_MEMBER_RULES_1:
    case KDP_MEMBER_RULES_2:
    case KDP_MEMBER_CUSTOM_STRIKE:
    case KDP_MEMBER_FUNCTIONAL_STRIKE:
        return true; /* known, and not in the stream: rules and custom strikes belong to the metadata table */
    default:
        return false;
    }
}
