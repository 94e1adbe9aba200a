/* test_json_jansson.c - our JSON reader against jansson on generated and mutated texts: the same verdicts and
 * values.
 *
 * Known differences, left out of the comparison: jansson refuses numbers beyond int64 and double, and keys
 * with a NUL; we refuse more than 32 levels and keys over 1,024 bytes. */
#include "kdp_test.h"

#ifdef KDP_JANSSON

#include "json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 4000
#define ROUNDS 200000

static uint64_t seed;
static char text[TEXT_MAX + 512];
static size_t text_len;
static struct kdp_json_keys keys;
static char scratch[TEXT_MAX + 512];

static unsigned
pick(unsigned below)
{
    return (unsigned)(kdp_test_random(&seed) % below);
}

static void
put(const char *word)
{
    size_t len = strlen(word);

    if (text_len + len <= TEXT_MAX) {
        memcpy(text + text_len, word, len);
        text_len += len;
    }
}

static void
put_space(void)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t", "\r", "  "};

    put(spaces[pick(9)]);
}

static void
put_string(void)
{
    static const char *const pieces[] = {"a",
                                         "b",
                                         "key",
                                         " ",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\u0041",
                                         "\\u00e9",
                                         "\\u4e2D",
                                         "\\ud83d\\ude00",
                                         "\xc3\xa9",
                                         "\xe4\xb8\xad",
                                         "\xf0\x9f\x98\x80",
                                         "\x7f",
                                         "\\u0000",
                                         "0123456789abcdef"};

    put("\"");
    for (unsigned n = pick(5); n > 0; n--)
        put(pieces[pick(sizeof pieces / sizeof pieces[0])]);
    put("\"");
}

static void
put_key(void)
{
    static const char *const few[] = {"\"a\"",     "\"b\"", "\"c\"", "\"\\u0061\"", "\"market_ticker\"",
                                      "\"ts_ms\"", "\"\""};

    if (pick(3) == 0) {
        char word[32];

        snprintf(word, sizeof word, "\"k%u\"", pick(40));
        put(word);
    } else if (pick(2) == 0) {
        put(few[pick(7)]);
    } else {
        put_string();
    }
}

static void
put_number(void)
{
    static const char *const odd[] = {
        "0",    "-0",    "-1",   "1.5",  "-2.25", "1e3",  "1E-3",
        "2e+2", "0.420", "1e10", "12.5", "0e0",   "-0.0", "9223372036854775807"};
    char word[64];

    if (pick(2) == 0) {
        put(odd[pick(14)]);
    } else {
        snprintf(word, sizeof word, "%s%u", pick(2) ? "-" : "", pick(1u << 30));
        put(word);
    }
}

static void
put_value(unsigned depth)
{
    unsigned kind = pick(depth < 6 ? 9 : 6);

    put_space();
    if (kind < 2) {
        put_string();
    } else if (kind < 4) {
        put_number();
    } else if (kind < 6) {
        static const char *const words[] = {"true", "false", "null"};

        put(words[pick(3)]);
    } else {
        bool object = kind != 6;
        unsigned n = pick(6);

        put(object ? "{" : "[");
        for (unsigned i = 0; i < n; i++) {
            if (i > 0)
                put(",");
            put_space();
            if (object) {
                put_key();
                put_space();
                put(":");
            }
            put_value(depth + 1);
        }
        put_space();
        put(object ? "}" : "]");
    }
    put_space();
}

static void
mutate(void)
{
    static const char bytes[] = "{}[]\",:\\ 0123456789.-+eEutfnrabls\n\x01\x80\xc0\xed\xf4\xff";

    for (unsigned changes = pick(4); changes > 0 && text_len > 0; changes--) {
        size_t at = pick((unsigned)text_len);

        switch (pick(5)) {
        case 0:
            memmove(text + at, text + at + 1, text_len - at - 1);
            text_len--;
            break;
        case 1:
            memmove(text + at + 1, text + at, text_len - at);
            text_len++;
            break;
        case 2:
            text_len = at;
            break;
        default:
            text[at] = bytes[pick(sizeof bytes - 1)];
        }
    }
}

static void
differ(const char *what)
{
    kdp_test_fail(__FILE__, __LINE__, "%s: %.*s", what, (int)text_len, text);
}

static void
compare(struct kdp_json *json, json_t *want)
{
    struct kdp_text slice;
    json_t *item;
    size_t count = 0;
    int64_t number;
    bool truth;

    switch (kdpi_json_peek(json)) {
    case KDP_JSON_OBJECT:
        if (!json_is_object(want))
            differ("object");
        kdpi_json_object(json);
        for (; kdpi_json_member(json, &slice); count++) {
            item = json_object_getn(want, slice.data, slice.len);
            if (item == NULL)
                differ("key");
            compare(json, item);
        }
        if (count != json_object_size(want))
            differ("number of keys");
        break;
    case KDP_JSON_ARRAY:
        if (!json_is_array(want))
            differ("array");
        kdpi_json_array(json);
        for (; kdpi_json_element(json); count++) {
            item = json_array_get(want, count);
            if (item == NULL)
                differ("element");
            compare(json, item);
        }
        if (count != json_array_size(want))
            differ("number of elements");
        break;
    case KDP_JSON_STRING:
        if (!json_is_string(want) || !kdpi_json_string(json, &slice) ||
            slice.len != json_string_length(want) ||
            memcmp(slice.data, json_string_value(want), slice.len) != 0)
            differ("string");
        break;
    case KDP_JSON_NUMBER:
        if (json_is_integer(want)) {
            if (!kdpi_json_int64(json, &number) || number != json_integer_value(want))
                differ("integer");
        } else {
            char copy[TEXT_MAX];

            if (!json_is_real(want) || !kdpi_json_number(json, &slice))
                differ("real");
            snprintf(copy, sizeof copy, "%.*s", (int)slice.len, slice.data);
            if (!(strtod(copy, NULL) == json_real_value(want)))
                differ("value of a real");
        }
        break;
    case KDP_JSON_TRUE:
    case KDP_JSON_FALSE:
        if (!json_is_boolean(want) || !kdpi_json_bool(json, &truth) || truth != json_is_true(want))
            differ("truth");
        break;
    case KDP_JSON_NULL:
        if (!json_is_null(want) || !kdpi_json_null(json))
            differ("null");
        break;
    case KDP_JSON_NONE:
        differ("nothing");
    }
}

KDP_TEST(verdicts_and_values_agree)
{
    unsigned accepted = 0, refused = 0, left_out = 0;

    seed = kdp_test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct kdp_json json;
        json_error_t error;
        json_t *want;
        bool good;

        text_len = 0;
        put_value(0);
        mutate();
        want = json_loadb(text, text_len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        kdpi_json_init(&json, &keys, scratch, sizeof scratch);
        kdpi_json_begin(&json, text, text_len);
        good = kdpi_json_end(&json);
        if ((want == NULL && (json_error_code(&error) == json_error_numeric_overflow ||
                              json_error_code(&error) == json_error_null_byte_in_key)) ||
            json.refusal == KDP_REFUSAL_DEPTH || json.refusal == KDP_REFUSAL_TOO_LONG) {
            left_out++;
        } else if (good != (want != NULL)) {
            kdp_test_fail(__FILE__, __LINE__, "we: %s at %zu, jansson: %s: %.*s", json.why, json.position,
                          want != NULL ? "accepted" : error.text, (int)text_len, text);
        } else if (good) {
            kdpi_json_begin(&json, text, text_len);
            compare(&json, want);
            if (!kdpi_json_end(&json))
                differ("end");
            accepted++;
        } else {
            refused++;
        }
        json_decref(want);
    }
    CHECK(accepted > ROUNDS / 5 && refused > ROUNDS / 5 && left_out < ROUNDS / 10);
}

#else

KDP_TEST(verdicts_and_values_agree)
{
    kdp_test_skip("built without jansson (apt install libjansson-dev)");
}

#endif
