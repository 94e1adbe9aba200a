/* message_value.c - single values of a frame: taken by kind, bounded, refused with their member and place. */
#include "message_private.h"

#include "decimal.h"

#define MS_MAX (INT64_MAX / KDP_NS_PER_MS)
#define YEAR_1_S "-62135596800" /* what a zero time becomes where the year 1 is the epoch */

const char *const kdpi_member_names[KDP_MEMBERS] = {"",
#define KDP_X(ident, name) name,
                                                    KDP_MEMBER_LIST(KDP_X)
#undef KDP_X
};

const uint8_t kdpi_member_lengths[KDP_MEMBERS] = {0,
#define KDP_X(ident, name) sizeof(name) - 1,
                                                  KDP_MEMBER_LIST(KDP_X)
#undef KDP_X
};

enum kdp_member
kdpi_member_find(const struct kdp_decoder *d, struct kdp_text name)
{
    unsigned slot = kdpi_member_slot(name.data, name.len);
    enum kdp_member member;

    for (; (member = d->member_table[slot]) != KDP_MEMBER_UNKNOWN; slot = (slot + 1) % KDPI_MEMBER_SLOTS) {
        if (kdpi_text_equal(name, kdpi_member_names[member], kdpi_member_lengths[member]))
            return member;
    }
    return KDP_MEMBER_UNKNOWN;
}

void
kdpi_value_refuse(struct kdp_decoder *d, enum kdp_refusal refusal, enum kdp_member member, size_t at)
{
    struct kdp_message *msg = d->msg;

    if (msg->refusal != KDP_REFUSAL_NONE)
        return;
    msg->refusal = refusal;
    msg->member = kdpi_member_names[member];
    msg->position = at;
}

struct kdp_value
kdpi_value_take(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_value value;

    value.member = member;
    value.at = kdpi_json_offset(&d->json);
    value.kind = kdpi_json_scalar(&d->json, &value.text);
    return value;
}

bool
kdpi_value_absent(const struct kdp_value *value)
{
    return value->kind == KDP_JSON_NULL || value->kind == KDP_JSON_NONE ||
           (value->kind == KDP_JSON_STRING && value->text.len == 0);
}

/* A value that is there and is a number, or a string that should hold one. */
static bool
is_numeric(struct kdp_decoder *d, const struct kdp_value *value)
{
    if (kdpi_value_absent(value))
        return false;
    if (value->kind == KDP_JSON_NUMBER || value->kind == KDP_JSON_STRING)
        return true;
    kdpi_value_refuse(d, KDP_REFUSAL_TYPE, value->member, value->at);
    return false;
}

static bool
take_scaled(struct kdp_decoder *d, enum kdp_member member, unsigned scale, int64_t factor, int64_t min,
            int64_t max, int64_t *outp)
{
    struct kdp_value value = kdpi_value_take(d, member);
    enum kdp_refusal refusal;
    int64_t number = 0;

    if (!is_numeric(d, &value))
        return false;
    switch (kdpi_decimal_parse(value.text.data, value.text.len, scale, &number)) {
    case KDP_DECIMAL_OK:
        if (!__builtin_mul_overflow(number, factor, &number) && number >= min && number <= max) {
            *outp = number;
            return true;
        }
        refusal = KDP_REFUSAL_RANGE;
        break;
    case KDP_DECIMAL_TOO_FINE:
        refusal = KDP_REFUSAL_TOO_FINE;
        break;
    case KDP_DECIMAL_TOO_BIG:
        refusal = KDP_REFUSAL_RANGE;
        break;
    default:
        refusal = KDP_REFUSAL_TYPE;
        break;
    }
    kdpi_value_refuse(d, refusal, member, value.at);
    return false;
}

bool
kdpi_take_decimal(struct kdp_decoder *d, enum kdp_member member, unsigned scale, int64_t min, int64_t max,
                  int64_t *outp)
{
    return take_scaled(d, member, scale, 1, min, max, outp);
}

bool
kdpi_take_strike(struct kdp_decoder *d, enum kdp_member member, int64_t *outp)
{
    struct kdp_value value = kdpi_value_take(d, member);

    if (!is_numeric(d, &value))
        return false;
    switch (kdpi_decimal_parse(value.text.data, value.text.len, 6, outp)) {
    case KDP_DECIMAL_OK:
        return true;
    case KDP_DECIMAL_TOO_FINE:
    case KDP_DECIMAL_TOO_BIG:
        d->msg->unknown_members++;
        return false;
    default:
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, value.at);
        return false;
    }
}

bool
kdpi_take_cents(struct kdp_decoder *d, enum kdp_member member, int64_t min, int64_t max, int64_t *outp)
{
    return take_scaled(d, member, 0, 100, min, max, outp);
}

bool
kdpi_take_text(struct kdp_decoder *d, enum kdp_member member, size_t max, struct kdp_text *outp)
{
    struct kdp_value value = kdpi_value_take(d, member);

    if (kdpi_value_absent(&value))
        return false;
    if (value.kind != KDP_JSON_STRING || value.text.len > max) {
        kdpi_value_refuse(d, value.kind != KDP_JSON_STRING ? KDP_REFUSAL_TYPE : KDP_REFUSAL_TOO_LONG, member,
                          value.at);
        return false;
    }
    *outp = value.text;
    return true;
}

bool
kdpi_take_bool(struct kdp_decoder *d, enum kdp_member member, bool *outp)
{
    struct kdp_value value = kdpi_value_take(d, member);

    if (kdpi_value_absent(&value))
        return false;
    if (value.kind != KDP_JSON_TRUE && value.kind != KDP_JSON_FALSE) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, value.at);
        return false;
    }
    *outp = value.kind == KDP_JSON_TRUE;
    return true;
}

bool
kdpi_take_word(struct kdp_decoder *d, enum kdp_member member, const char *const *words, uint8_t *indexp)
{
    struct kdp_value value = kdpi_value_take(d, member);

    if (kdpi_value_absent(&value))
        return false;
    if (value.kind != KDP_JSON_STRING) {
        kdpi_value_refuse(d, KDP_REFUSAL_TYPE, member, value.at);
        return false;
    }
    for (uint8_t i = 0; words[i] != NULL; i++) {
        if (strlen(words[i]) == value.text.len && memcmp(words[i], value.text.data, value.text.len) == 0) {
            *indexp = i;
            return true;
        }
    }
    kdpi_value_refuse(d, KDP_REFUSAL_ENUM, member, value.at);
    return false;
}

bool
kdpi_take_seconds(struct kdp_decoder *d, enum kdp_member member, int64_t *nsp)
{
    struct kdp_value value = kdpi_value_take(d, member);
    int64_t ns;

    if (!is_numeric(d, &value) || kdpi_text_is(value.text, "0") || kdpi_text_is(value.text, YEAR_1_S))
        return false;
    if (kdpi_time_parse(value.text.data, value.text.len, &ns) != 0) {
        kdpi_value_refuse(d, KDP_REFUSAL_TIME, member, value.at);
        return false;
    }
    *nsp = ns;
    return true;
}

void
kdpi_take_frame_time(struct kdp_decoder *d, enum kdp_member member)
{
    struct kdp_frame_times *times = &d->times;
    struct kdp_value value = kdpi_value_take(d, member);
    int64_t number;

    if (!is_numeric(d, &value))
        return;
    if (member == KDP_MEMBER_TS_MS) {
        if (kdpi_decimal_parse(value.text.data, value.text.len, 0, &number) != KDP_DECIMAL_OK || number < 0 ||
            number > MS_MAX)
            kdpi_value_refuse(d, KDP_REFUSAL_TIME, member, value.at);
        else
            times->ms = number;
        return;
    }
    if (kdpi_time_parse(value.text.data, value.text.len, &number) != 0) {
        kdpi_value_refuse(d, KDP_REFUSAL_TIME, member, value.at);
        return;
    }
    if (memchr(value.text.data, '-', value.text.len) == NULL)
        times->seconds_ns = number;
    else if (member == KDP_MEMBER_TIME)
        times->time_ns = number;
    else
        times->ts_ns = number;
}

void
kdpi_time_settle(const struct kdp_frame_times *times, struct kdp_message *msg)
{
    int64_t fine = times->time_ns != KDP_TIME_NULL ? times->time_ns : times->ts_ns;

    if (fine == KDP_TIME_NULL)
        fine = times->seconds_ns;
    msg->ts_ms = times->ms;
    msg->exch_ns = fine;
    if (times->ms == KDP_TIME_NULL) {
        /* times are not before 1970, so that the division cuts towards the past */
        if (fine != KDP_TIME_NULL)
            msg->ts_ms = fine / KDP_NS_PER_MS;
    } else if (fine == KDP_TIME_NULL || fine / KDP_NS_PER_MS != times->ms) {
        msg->exch_ns = times->ms * KDP_NS_PER_MS;
    }
}
