/* fuzz_json.c - the JSON reader: slices lie where they may, and every way of walking a text gives one
 * verdict. */
#include "error.h"
#include "json.h"

#include <stdlib.h>

static struct kdp_json_keys keys;

static void
check_slice(const struct kdp_json *json, struct kdp_text slice)
{
    const char *scratch_end = json->scratch + json->scratch_size;

    KDP_ASSERT((slice.data >= json->text && slice.data + slice.len <= json->end) ||
               (slice.data >= json->scratch && slice.data + slice.len <= scratch_end));
}

static void
walk(struct kdp_json *json)
{
    struct kdp_text text;
    bool truth;

    switch (kdpi_json_peek(json)) {
    case KDP_JSON_OBJECT:
        kdpi_json_object(json);
        while (kdpi_json_member(json, &text)) {
            check_slice(json, text);
            walk(json);
        }
        break;
    case KDP_JSON_ARRAY:
        kdpi_json_array(json);
        while (kdpi_json_element(json))
            walk(json);
        break;
    case KDP_JSON_STRING:
        if (kdpi_json_string(json, &text))
            check_slice(json, text);
        break;
    case KDP_JSON_NUMBER:
        if (kdpi_json_number(json, &text)) {
            check_slice(json, text);
            KDP_ASSERT(text.len > 0);
        }
        break;
    case KDP_JSON_TRUE:
    case KDP_JSON_FALSE:
        kdpi_json_bool(json, &truth);
        break;
    case KDP_JSON_NULL:
        KDP_ASSERT(kdpi_json_null(json) || json->refusal != KDP_REFUSAL_NONE);
        break;
    case KDP_JSON_NONE:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char *scratch = malloc(size + 1);
    struct kdp_json skipped, walked, raw;
    struct kdp_text whole;
    bool good;

    KDP_ASSERT(scratch != NULL);
    kdpi_json_init(&skipped, &keys, NULL, 0);
    kdpi_json_begin(&skipped, text, size);
    good = kdpi_json_end(&skipped);
    KDP_ASSERT(good == (skipped.refusal == KDP_REFUSAL_NONE));
    KDP_ASSERT(skipped.position <= size && skipped.why != NULL);

    kdpi_json_init(&walked, &keys, scratch, size + 1);
    kdpi_json_begin(&walked, text, size);
    walk(&walked);
    KDP_ASSERT(kdpi_json_end(&walked) == good);
    KDP_ASSERT(walked.refusal == skipped.refusal && walked.position == skipped.position);

    kdpi_json_init(&raw, &keys, NULL, 0);
    kdpi_json_begin(&raw, text, size);
    if (kdpi_json_raw(&raw, &whole) && good) {
        check_slice(&walked, whole);
        kdpi_json_begin(&raw, whole.data, whole.len);
        KDP_ASSERT(kdpi_json_end(&raw));
    }
    free(scratch);
    return 0;
}
