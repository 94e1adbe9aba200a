/* rest_field.c - objects of REST read by a table: one row a member, its kind and where it goes. */
#include "rest_private.h"

const struct kdp_rest_field *
kdpi_rest_field_find(const struct kdp_rest_field *fields, struct kdp_text name)
{
    for (; fields->name != NULL; fields++)
        if (kdpi_text_equal(name, fields->name, strlen(fields->name)))
            return fields;
    return NULL;
}

/* The refusal just made gets the member's name: the frame decoder's functions know only their own members. */
static void
name_refusal(struct kdp_rest_reader *reader, bool whole, const char *member)
{
    if (whole && reader->msg.refusal != KDP_REFUSAL_NONE)
        reader->msg.member = member;
}

static void
take_json(struct kdp_rest_reader *reader, struct kdp_text *textp)
{
    struct kdp_text text;

    if (!kdpi_json_null(&reader->d->json) && kdpi_json_raw(&reader->d->json, &text))
        *textp = text;
}

void
kdpi_rest_field_take(struct kdp_rest_reader *reader, const struct kdp_rest_field *field, void *object)
{
    struct kdp_decoder *d = reader->d;
    bool whole = reader->msg.refusal == KDP_REFUSAL_NONE, yes;
    void *place = (char *)object + field->offset;
    int64_t number;

    switch (field->kind) {
    case KDP_REST_TEXT:
        kdpi_take_text(d, KDP_MEMBER_UNKNOWN, field->max, place);
        break;
    case KDP_REST_JSON:
        take_json(reader, place);
        break;
    case KDP_REST_TIME:
        kdpi_rest_take_time(reader, field->name, place);
        break;
    case KDP_REST_SIZE:
    case KDP_REST_OLD_SIZE: /* whole contracts: never replaces the new one, whichever comes first */
        if (kdpi_take_decimal(d, KDP_MEMBER_UNKNOWN, 2, 0, INT64_MAX, &number) &&
            (field->kind == KDP_REST_SIZE || *(int64_t *)place == KDP_INT64_NULL))
            *(int64_t *)place = number;
        break;
    case KDP_REST_WHOLE:
        kdpi_take_decimal(d, KDP_MEMBER_UNKNOWN, 0, 0, INT64_MAX, place);
        break;
    case KDP_REST_DOUBLE:
        kdpi_take_strike(d, KDP_MEMBER_UNKNOWN, place);
        break;
    case KDP_REST_INDEX:
        if (kdpi_take_decimal(d, KDP_MEMBER_UNKNOWN, 0, 0, UINT8_MAX, &number))
            *(int16_t *)place = (int16_t)number;
        break;
    case KDP_REST_FLAG:
        if (kdpi_take_bool(d, KDP_MEMBER_UNKNOWN, &yes))
            *(int8_t *)place = yes;
        break;
    }
    name_refusal(reader, whole, field->name);
}

void
kdpi_rest_fields(struct kdp_rest_reader *reader, const struct kdp_rest_field *fields, void *object)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key;

    for (const struct kdp_rest_field *f = fields; f->name != NULL; f++)
        if (f->kind == KDP_REST_TEXT || f->kind == KDP_REST_JSON)
            *(struct kdp_text *)((char *)object + f->offset) = kdpi_no_text;
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        const struct kdp_rest_field *field = kdpi_rest_field_find(fields, key);

        if (field != NULL)
            kdpi_rest_field_take(reader, field, object);
    }
}
