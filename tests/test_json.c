/* test_json.c - the JSON reader: what RFC 8259 allows, what it does not, and the reader's own bounds. */
#include "json.h"
#include "kdp_test.h"

#include <stdio.h>
#include <stdlib.h>

static struct kdp_json_keys keys;
static char scratch[1 << 16];

static void
begin(struct kdp_json *json, const char *text, size_t len)
{
    kdpi_json_init(json, &keys, scratch, sizeof scratch);
    kdpi_json_begin(json, text, len);
}

/* A copy without anything behind it, so that a sanitizer sees every byte read too far. */
static char *
exact(const char *text, size_t len)
{
    char *copy = malloc(len != 0 ? len : 1);

    CHECK(copy != NULL);
    if (len != 0)
        memcpy(copy, text, len);
    return copy;
}

struct refused {
    const char *text;
    enum kdp_refusal refusal;
    size_t position;
};

static void
check_refused(const struct refused *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(cases[i].text);
        char *copy = exact(cases[i].text, len);
        struct kdp_json json;

        begin(&json, copy, len);
        CHECK(!kdpi_json_end(&json));
        if (json.refusal != cases[i].refusal || json.position != cases[i].position)
            kdp_test_fail(__FILE__, __LINE__, "%s: got %s at %zu, want %s at %zu", cases[i].text,
                          kdpi_refusal_text(json.refusal), json.position, kdpi_refusal_text(cases[i].refusal),
                          cases[i].position);
        CHECK(json.why[0] != '\0');
        /* sticky: nothing can be taken any more */
        CHECK(kdpi_json_peek(&json) == KDP_JSON_NONE && !kdpi_json_skip(&json) && !kdpi_json_end(&json));
        free(copy);
    }
}
#define CHECK_REFUSED(cases) check_refused(cases, sizeof(cases) / sizeof((cases)[0]))

KDP_TEST(valid_texts_are_accepted)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "10",
        "0.0",
        "-0.25",
        "1e5",
        "1E5",
        "1e+5",
        "1e-5",
        "0e0",
        "1.5e300",
        "123456789012345678901234567890.000000000000000000000001e-999999",
        "\"\"",
        "\"a\"",
        "\" \"",
        "\"\x7f\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\"",
        "\"\\u00e9\\u4E2D\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uD83D\\uDE00x\"",
        "\"\\uffff\"",
        "\"\xc2\x80\"",
        "\"\xdf\xbf\"",
        "\"\xe0\xa0\x80\"",
        "\"\xed\x9f\xbf\"",
        "\"\xee\x80\x80\"",
        "\"\xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80\"",
        "\"\xf4\x8f\xbf\xbf\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[]]",
        "[{}]",
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "\t\r\n [\n1\t,\r2 ] \n",
        "{\"a\":1}",
        "{\"a\":1,\"b\":2}",
        " { \"a\" : 1 , \"b\" : [ ] } ",
        "{\"\":0}",
        "{\"a\":{\"a\":{\"a\":1}}}",
        "[{\"a\":1},{\"a\":1}]",
        "{\"a\":{\"b\":1},\"b\":{\"a\":1}}",
        "{\"a\\u0062\":1,\"ac\":2}",
        "[true,false,null,\"true\"]",
        "\"0123456789abcdef0123456789abcdef0123456789abcde\\n\xc3\xa9 tail that is longer than a block\"",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *copy = exact(texts[i], strlen(texts[i]));
        struct kdp_json json;

        begin(&json, copy, strlen(texts[i]));
        if (!kdpi_json_end(&json))
            kdp_test_fail(__FILE__, __LINE__, "%s: %s at %zu", texts[i], json.why, json.position);
        free(copy);
    }
}

KDP_TEST(syntax_is_refused_with_its_byte)
{
    static const struct refused cases[] = {
        {"[1 2]", KDP_REFUSAL_SYNTAX, 3},
        {"[1,]", KDP_REFUSAL_SYNTAX, 3},
        {"[,1]", KDP_REFUSAL_SYNTAX, 1},
        {"[1,,2]", KDP_REFUSAL_SYNTAX, 3},
        {"[1}", KDP_REFUSAL_SYNTAX, 2},
        {"{\"a\":1]", KDP_REFUSAL_SYNTAX, 6},
        {"{\"a\" 1}", KDP_REFUSAL_SYNTAX, 5},
        {"{\"a\":}", KDP_REFUSAL_SYNTAX, 5},
        {"{\"a\"}", KDP_REFUSAL_SYNTAX, 4},
        {"{a:1}", KDP_REFUSAL_SYNTAX, 1},
        {"{1:1}", KDP_REFUSAL_SYNTAX, 1},
        {"{'a':1}", KDP_REFUSAL_SYNTAX, 1},
        {"{\"a\":1,}", KDP_REFUSAL_SYNTAX, 7},
        {"{,}", KDP_REFUSAL_SYNTAX, 1},
        {"{\"a\":1 \"b\":2}", KDP_REFUSAL_SYNTAX, 7},
        {"['a']", KDP_REFUSAL_SYNTAX, 1},
        {"[tru]", KDP_REFUSAL_SYNTAX, 4},
        {"[True]", KDP_REFUSAL_SYNTAX, 1},
        {"[nul1]", KDP_REFUSAL_SYNTAX, 4},
        {"[truee]", KDP_REFUSAL_SYNTAX, 5},
        {"[NaN]", KDP_REFUSAL_SYNTAX, 1},
        {"[Infinity]", KDP_REFUSAL_SYNTAX, 1},
        {"]", KDP_REFUSAL_SYNTAX, 0},
        {"}", KDP_REFUSAL_SYNTAX, 0},
        {"/* c */ 1", KDP_REFUSAL_SYNTAX, 0},
        {"[1, // c\n2]", KDP_REFUSAL_SYNTAX, 4},
        {"\xef\xbb\xbf{}", KDP_REFUSAL_SYNTAX, 0},
        {"[\f1]", KDP_REFUSAL_SYNTAX, 1},
        {"[\xc2\xa0"
         "1]",
         KDP_REFUSAL_SYNTAX, 1},
        {"{\"a\":1}}", KDP_REFUSAL_TRAILING, 7},
        {"[1]2", KDP_REFUSAL_TRAILING, 3},
        {"1 2", KDP_REFUSAL_TRAILING, 2},
        {"{} {}", KDP_REFUSAL_TRAILING, 3},
        {"\"a\"x", KDP_REFUSAL_TRAILING, 3},
        {"null,", KDP_REFUSAL_TRAILING, 4},
        {"1x", KDP_REFUSAL_TRAILING, 1},
        {"[1x]", KDP_REFUSAL_SYNTAX, 2},
        {"[0x1]", KDP_REFUSAL_SYNTAX, 2},
    };

    CHECK_REFUSED(cases);
}

KDP_TEST(numbers_outside_the_grammar_are_refused)
{
    static const struct refused cases[] = {
        {"[01]", KDP_REFUSAL_NUMBER, 2},     {"[-01]", KDP_REFUSAL_NUMBER, 3},
        {"[00]", KDP_REFUSAL_NUMBER, 2},     {"[+1]", KDP_REFUSAL_NUMBER, 1},
        {"[.5]", KDP_REFUSAL_NUMBER, 1},     {"[1.]", KDP_REFUSAL_NUMBER, 3},
        {"[-]", KDP_REFUSAL_NUMBER, 2},      {"[-a]", KDP_REFUSAL_NUMBER, 2},
        {"[1e]", KDP_REFUSAL_NUMBER, 3},     {"[1e+]", KDP_REFUSAL_NUMBER, 4},
        {"[1.e1]", KDP_REFUSAL_NUMBER, 3},   {"[-.5]", KDP_REFUSAL_NUMBER, 2},
        {"[1.5e-x]", KDP_REFUSAL_NUMBER, 6}, {"[--1]", KDP_REFUSAL_NUMBER, 2},
    };

    CHECK_REFUSED(cases);
}

KDP_TEST(strings_outside_the_grammar_are_refused)
{
    static const struct refused cases[] = {
        {"[\"\\x\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"ab\\'\"]", KDP_REFUSAL_ESCAPE, 4},
        {"[\"\\u12g4\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\U0041\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\ud800\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\ud800\\n\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\udc00\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\udc00\\ud800\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\ud83d\\u0041\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"\\ud83d\\ud83d\"]", KDP_REFUSAL_ESCAPE, 2},
        {"[\"a\x01\"]", KDP_REFUSAL_CONTROL, 3},
        {"[\"a\nb\"]", KDP_REFUSAL_CONTROL, 3},
        {"[\"0123456789abcdef\t\"]", KDP_REFUSAL_CONTROL, 18},
        {"{\"a\x1f\":1}", KDP_REFUSAL_CONTROL, 3},
        {"[\"\x80\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xc0\xaf\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xc1\xbf\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xe0\x9f\xbf\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xf0\x8f\xbf\xbf\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xed\xa0\x80\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xed\xbf\xbf\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xf4\x90\x80\x80\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xf5\x80\x80\x80\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"\xff\"]", KDP_REFUSAL_UTF8, 2},
        {"[\"a\xc3\"]", KDP_REFUSAL_UTF8, 3},
        {"[\"a\xe2\x82\"]", KDP_REFUSAL_UTF8, 3},
        {"[\"0123456789abcdef0123456789\xf0\x9f\x98\"]", KDP_REFUSAL_UTF8, 28},
    };
    static const char nul[] = "[\"a\0b\"]";
    struct kdp_json json;

    CHECK_REFUSED(cases);
    begin(&json, nul, sizeof nul - 1);
    CHECK(!kdpi_json_end(&json));
    CHECK_INT(json.refusal, KDP_REFUSAL_CONTROL);
    CHECK_INT(json.position, 3);
}

/* Wherever a text is cut it is refused; as TRUNCATED, but where the cut makes another whole text or a bad
 * word of it. */
KDP_TEST(a_cut_text_is_refused_everywhere)
{
    static const char text[] =
        "{\"a\":[1.5e3,-2,true,null,\"x\\n\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":false}}";

    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = exact(text, len);
        struct kdp_json json;

        begin(&json, copy, len);
        CHECK(!kdpi_json_end(&json));
        if (json.refusal != KDP_REFUSAL_TRUNCATED && json.refusal != KDP_REFUSAL_ESCAPE)
            kdp_test_fail(__FILE__, __LINE__, "cut at %zu: %s", len, json.why);
        if (json.refusal == KDP_REFUSAL_TRUNCATED)
            CHECK_INT(json.position, len);
        free(copy);
    }
}

KDP_TEST(keys_given_twice_are_refused)
{
    static const struct refused cases[] = {
        {"{\"a\":1,\"a\":2}", KDP_REFUSAL_DUPLICATE_KEY, 7},
        {"{\"a\":1,\"b\":2,\"a\":2}", KDP_REFUSAL_DUPLICATE_KEY, 13},
        {"{\"\":1,\"\":2}", KDP_REFUSAL_DUPLICATE_KEY, 6},
        {"{\"a\":1,\"\\u0061\":2}", KDP_REFUSAL_DUPLICATE_KEY, 7},
        {"{\"\\u0061\":1,\"a\":2}", KDP_REFUSAL_DUPLICATE_KEY, 12},
        {"{\"\\u00e9\":1,\"\xc3\xa9\":2}", KDP_REFUSAL_DUPLICATE_KEY, 12},
        {"{\"x\":{\"b\":1,\"c\":{},\"b\":2}}", KDP_REFUSAL_DUPLICATE_KEY, 19},
        {"{\"x\":{\"x\":[{\"x\":1}]},\"x\":2}", KDP_REFUSAL_DUPLICATE_KEY, 21},
        {"[{\"a\":1},{\"b\":1,\"b\":1}]", KDP_REFUSAL_DUPLICATE_KEY, 16},
    };

    CHECK_REFUSED(cases);
}

/* Many objects, keys of all lengths, at all depths: found when twice, and only then. */
KDP_TEST(keys_are_told_apart_in_large_objects)
{
    static char text[400000];
    size_t len = 0, n = 4000;
    uint64_t seed = kdp_test_seed();
    struct kdp_json json;

    text[len++] = '{';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%0*zu\":{\"k\":%zu,\"%zu\":0}",
                                i > 0 ? "," : "", (int)(i % 40), i, i, i);
    text[len++] = '}';
    begin(&json, text, len);
    if (!kdpi_json_end(&json))
        kdp_test_fail(__FILE__, __LINE__, "%s at %zu", json.why, json.position);
    for (int round = 0; round < 20; round++) {
        size_t twice = kdp_test_random(&seed) % n;
        size_t at = len - 1;
        size_t more =
            (size_t)snprintf(text + at, sizeof text - at, ",\"%0*zu\":1}", (int)(twice % 40), twice);

        begin(&json, text, at + more);
        CHECK(!kdpi_json_end(&json));
        CHECK_INT(json.refusal, KDP_REFUSAL_DUPLICATE_KEY);
        CHECK_INT(json.position, at + 1);
        text[at] = '}';
    }
    /* a refused text leaves nothing behind */
    begin(&json, text, len);
    CHECK(kdpi_json_end(&json));
}

KDP_TEST(bounds_are_kept)
{
    static char text[200000];
    struct kdp_json json;
    size_t len;

    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    begin(&json, text + 1, 64); /* 32 levels */
    CHECK(kdpi_json_end(&json));
    begin(&json, text, 66);
    CHECK(!kdpi_json_end(&json));
    CHECK_INT(json.refusal, KDP_REFUSAL_DEPTH);
    CHECK_INT(json.position, 32);

    for (unsigned n = KDPI_JSON_KEYS_MAX; n <= KDPI_JSON_KEYS_MAX + 1; n++) {
        len = 0;
        text[len++] = '{';
        for (unsigned i = 0; i < n; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%u\":0", i > 0 ? "," : "", i);
        text[len++] = '}';
        begin(&json, text, len);
        CHECK_INT(kdpi_json_end(&json), n == KDPI_JSON_KEYS_MAX);
        CHECK_INT(json.refusal, n == KDPI_JSON_KEYS_MAX ? KDP_REFUSAL_NONE : KDP_REFUSAL_TOO_LONG);
    }

    for (unsigned n = KDPI_JSON_KEY_MAX; n <= KDPI_JSON_KEY_MAX + 1; n++) {
        len = (size_t)snprintf(text, sizeof text, "{\"%0*u\":0}", (int)n, 0u);
        begin(&json, text, len);
        CHECK_INT(kdpi_json_end(&json), n == KDPI_JSON_KEY_MAX);
    }
    CHECK_INT(json.refusal, KDP_REFUSAL_TOO_LONG);
    CHECK_INT(json.position, 1);
}

KDP_TEST(texts_are_unescaped_only_when_they_have_escapes)
{
    static const char text[] =
        "{\"pl\\u0061in\":\"as it "
        "is\",\"esc\":\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\\u0041\\u00e9\\u4e2d\\ud83d\\ude00 and a "
        "tail of more than sixteen bytes\\n\",\"nul\":\"a\\u0000b\"}";
    struct kdp_json json;
    struct kdp_text key, value;

    begin(&json, text, sizeof text - 1);
    CHECK(kdpi_json_object(&json));
    CHECK(kdpi_json_member(&json, &key) && kdpi_text_is(key, "plain"));
    CHECK(kdpi_json_string(&json, &value) && kdpi_text_is(value, "as it is"));
    CHECK(value.data > text && value.data < text + sizeof text);
    CHECK(kdpi_json_member(&json, &key) && kdpi_text_is(key, "esc"));
    CHECK(kdpi_json_string(&json, &value));
    CHECK(kdpi_text_is(
        value,
        "a\"b\\c/d\b\f\n\r\tA\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80 and a tail of more than sixteen bytes\n"));
    CHECK(kdpi_json_member(&json, &key));
    CHECK(kdpi_json_string(&json, &value));
    CHECK_INT(value.len, 3);
    CHECK_MEM(value.data, "a\0b", 3);
    CHECK(!kdpi_json_member(&json, &key) && kdpi_json_end(&json));
}

/* Blocks of 16 and windows of 64 bytes: each special piece at each place, and a frame escaped whole, against
 * a byte-wise reading. */
KDP_TEST(escapes_are_found_at_every_place)
{
    static const char *const pieces[][2] = {{"\\\"", "\""},
                                            {"\\\\", "\\"},
                                            {"\\/", "/"},
                                            {"\\n", "\n"},
                                            {"\\u0041", "A"},
                                            {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                                            {"\xc3\xa9", "\xc3\xa9"},
                                            {"\\\"\\\\\\\"", "\"\\\""},
                                            {"\\\\\\\\\\\\", "\\\\\\"}};
    const size_t n = sizeof pieces / sizeof pieces[0];
    uint64_t seed = kdp_test_seed();

    for (unsigned round = 0; round < 20000; round++) {
        char text[700] = "\"", want[700];
        size_t len = 1, want_len = 0;
        unsigned plain = 1 + (unsigned)(kdp_test_random(&seed) % 40);
        struct kdp_json json;
        struct kdp_text got;
        char *copy;

        while (len < 80 + round % 400) {
            uint64_t r = kdp_test_random(&seed);

            if (r % plain == 0) {
                const char *const *piece = pieces[r / 64 % n];

                len += (size_t)snprintf(text + len, sizeof text - len, "%s", piece[0]);
                want_len += (size_t)snprintf(want + want_len, sizeof want - want_len, "%s", piece[1]);
            } else {
                text[len++] = want[want_len++] = (char)('a' + r / 64 % 26);
            }
        }
        text[len++] = '"';
        copy = exact(text, len);
        kdpi_json_init(&json, &keys, scratch, round % 3 == 0 ? want_len + 4 : sizeof scratch);
        kdpi_json_begin(&json, copy, len);
        if (!kdpi_json_string(&json, &got) || got.len != want_len || memcmp(got.data, want, want_len) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%.*s: %s, %.*s", (int)len, text, json.why, (int)got.len,
                          got.data);
        CHECK(kdpi_json_end(&json));
        free(copy);
    }
}

KDP_TEST(a_full_scratch_is_a_refusal)
{
    static const char text[] = "[\"01234567\\n\",\"abcdefgh\\n\"]";
    struct kdp_json json;
    struct kdp_text value;

    kdpi_json_init(&json, &keys, scratch, 12);
    kdpi_json_begin(&json, text, sizeof text - 1);
    CHECK(kdpi_json_array(&json));
    CHECK(kdpi_json_element(&json) && kdpi_json_string(&json, &value));
    CHECK(kdpi_text_is(value, "01234567\n"));
    CHECK(kdpi_json_element(&json) && !kdpi_json_string(&json, &value));
    CHECK_INT(json.refusal, KDP_REFUSAL_TOO_LONG);
    CHECK_INT(json.position, 14);
    kdpi_json_begin(&json, text, sizeof text - 1);
    CHECK(kdpi_json_end(&json)); /* skipping needs no scratch */
}

KDP_TEST(walking_takes_or_skips)
{
    static const char text[] =
        " { \"skip\" : { \"a\" : [ 1 , { } ] } , \"n\" : -12 , \"list\":[1,[2],\"3\"], \"no\":null,"
        "\"yes\":true, \"price\":\"0.4200\", \"raw\" : { \"x\" : [ 1 ] } , \"last\":2e2 } ";
    struct kdp_json json;
    struct kdp_text key, raw = {NULL, 0};
    int64_t n = 0, last = 0, price = 0, sum = 0, value;
    bool yes = false, was_null = false;

    begin(&json, text, sizeof text - 1);
    CHECK(kdpi_json_object(&json));
    while (kdpi_json_member(&json, &key)) {
        if (kdpi_text_is(key, "n"))
            CHECK(kdpi_json_int64(&json, &n));
        else if (kdpi_text_is(key, "list") && kdpi_json_array(&json))
            while (kdpi_json_element(&json))
                sum += kdpi_json_peek(&json) != KDP_JSON_ARRAY && kdpi_json_int64(&json, &value) ? value : 0;
        else if (kdpi_text_is(key, "no"))
            was_null = kdpi_json_null(&json);
        else if (kdpi_text_is(key, "yes"))
            CHECK(!kdpi_json_null(&json) && kdpi_json_bool(&json, &yes));
        else if (kdpi_text_is(key, "price"))
            CHECK(kdpi_json_decimal(&json, 4, &price));
        else if (kdpi_text_is(key, "raw"))
            CHECK(kdpi_json_raw(&json, &raw));
        else if (kdpi_text_is(key, "last"))
            CHECK(kdpi_json_int64(&json, &last));
    }
    CHECK(kdpi_json_end(&json));
    CHECK_INT(n, -12);
    CHECK_INT(sum, 4);
    CHECK_INT(price, 4200);
    CHECK_INT(last, 200);
    CHECK(was_null && yes);
    CHECK(kdpi_text_is(raw, "{ \"x\" : [ 1 ] }"));
}

KDP_TEST(leaving_early_still_checks_the_rest)
{
    static const char good[] = "{\"a\":[1,2,3],\"b\":2}", bad[] = "{\"a\":[1,2,3],\"b\":}";
    struct kdp_json json;
    struct kdp_text key;

    begin(&json, good, sizeof good - 1);
    CHECK(kdpi_json_object(&json) && kdpi_json_member(&json, &key) && kdpi_json_array(&json) &&
          kdpi_json_element(&json));
    CHECK(kdpi_json_end(&json));
    begin(&json, bad, sizeof bad - 1);
    CHECK(kdpi_json_object(&json) && kdpi_json_member(&json, &key) && kdpi_json_array(&json) &&
          kdpi_json_element(&json));
    CHECK(!kdpi_json_end(&json));
    CHECK_INT(json.position, 17);
}

KDP_TEST(wrong_kinds_and_ranges_are_refused_where_they_stand)
{
    static const struct {
        const char *text;
        int what; /* 0 string, 1 number, 2 int64, 3 decimal at 4, 4 bool, 5 object, 6 array */
        enum kdp_refusal refusal;
    } cases[] = {
        {"[ 1]", 0, KDP_REFUSAL_TYPE},
        {"[ \"1\"]", 1, KDP_REFUSAL_TYPE},
        {"[ true]", 2, KDP_REFUSAL_TYPE},
        {"[ null]", 2, KDP_REFUSAL_TYPE},
        {"[ \"x\"]", 2, KDP_REFUSAL_TYPE},
        {"[ \"\"]", 2, KDP_REFUSAL_TYPE},
        {"[ 1.5]", 2, KDP_REFUSAL_TOO_FINE},
        {"[ \"1.5\"]", 2, KDP_REFUSAL_TOO_FINE},
        {"[ 9223372036854775808]", 2, KDP_REFUSAL_RANGE},
        {"[ 1e19]", 2, KDP_REFUSAL_RANGE},
        {"[ \"0.42005\"]", 3, KDP_REFUSAL_TOO_FINE},
        {"[ 0.00001]", 3, KDP_REFUSAL_TOO_FINE},
        {"[ 1]", 4, KDP_REFUSAL_TYPE},
        {"[ \"true\"]", 4, KDP_REFUSAL_TYPE},
        {"[ []]", 5, KDP_REFUSAL_TYPE},
        {"[ {}]", 6, KDP_REFUSAL_TYPE},
        {"[ 1]", 5, KDP_REFUSAL_TYPE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kdp_json json;
        struct kdp_text text;
        int64_t number;
        bool truth, taken = true;

        begin(&json, cases[i].text, strlen(cases[i].text));
        CHECK(kdpi_json_array(&json) && kdpi_json_element(&json));
        switch (cases[i].what) {
        case 0:
            taken = kdpi_json_string(&json, &text);
            break;
        case 1:
            taken = kdpi_json_number(&json, &text);
            break;
        case 2:
            taken = kdpi_json_int64(&json, &number);
            break;
        case 3:
            taken = kdpi_json_decimal(&json, 4, &number);
            break;
        case 4:
            taken = kdpi_json_bool(&json, &truth);
            break;
        case 5:
            taken = kdpi_json_object(&json);
            break;
        case 6:
            taken = kdpi_json_array(&json);
            break;
        }
        CHECK(!taken);
        if (json.refusal != cases[i].refusal || json.position != 2)
            kdp_test_fail(__FILE__, __LINE__, "%s: %s at %zu", cases[i].text, kdpi_refusal_text(json.refusal),
                          json.position);
    }
}

KDP_TEST(a_value_can_be_read_again)
{
    static const char text[] = "{\"msg\":{\"a\":[1,2]},\"type\":\"x\"}";
    struct kdp_json json;
    struct kdp_text key;
    size_t at = 0;
    int64_t value, sum = 0;

    begin(&json, text, sizeof text - 1);
    CHECK(kdpi_json_object(&json));
    while (kdpi_json_member(&json, &key)) {
        if (kdpi_text_is(key, "msg"))
            at = kdpi_json_offset(&json);
    }
    CHECK(kdpi_json_end(&json));
    kdpi_json_seek(&json, at);
    CHECK(kdpi_json_object(&json) && kdpi_json_member(&json, &key) && kdpi_text_is(key, "a") &&
          kdpi_json_array(&json));
    while (kdpi_json_element(&json))
        sum += kdpi_json_int64(&json, &value) ? value : 0;
    CHECK_INT(sum, 3);
    CHECK(!kdpi_json_member(&json, &key));
    CHECK_INT(json.refusal, KDP_REFUSAL_NONE);
}
