/* test_asker_body.c - whole JSON objects and others, beside the JSON reader. */
#include "asker_private.h"

#include "json.h"
#include "kdp_test.h"

#include <stdio.h>
#include <stdlib.h>

static bool
whole(const char *text)
{
    return asker_whole(text, strlen(text));
}

KDP_TEST(one_object_is_whole_and_nothing_else_is)
{
    CHECK(whole("{}"));
    CHECK(whole(" \r\n{\"a\":[1,{\"b\":\"}]\"}]}\n\t "));
    CHECK(whole("{\"a\":\"\\\"}\\\\\"}"));
    CHECK(!whole(""));
    CHECK(!whole("   "));
    CHECK(!whole("{"));
    CHECK(!whole("}"));
    CHECK(!whole("[]"));
    CHECK(!whole("null"));
    CHECK(!whole("<html></html>"));
    CHECK(!whole("{}{}"));
    CHECK(!whole("{} {}"));
    CHECK(!whole("{}}"));
    CHECK(!whole("{{}"));
    CHECK(!whole("{\"a\":\"}"));
    CHECK(!whole("{\"a\":\"\\\"}"));
    CHECK(!whole("{\"a\":[{\"b\":1}"));
    CHECK(!whole("{\"a\":1},"));
}

/* Writes a value of random shape, with strings full of what could mislead; returns the end. */
static char *
put_value(char *p, uint64_t *random, unsigned depth)
{
    static const char *const pieces[] = {"{",          "}", "[",   "]",        "\\\"", "\\\\", "\\u007d", "x",
                                         "0123456789", ":", "\\n", "\xc3\xa9", ",",    "\\/",  "}}}}"};
    unsigned kind = (unsigned)(kdp_test_random(random) % (depth == 0 ? 3 : 5));

    if (kind == 0)
        return p + sprintf(p, "-12.5e3");
    if (kind == 1)
        return p + sprintf(p, "null");
    if (kind == 2) {
        *p++ = '"';
        for (unsigned n = (unsigned)(kdp_test_random(random) % 30); n > 0; n--)
            p += sprintf(p, "%s", pieces[kdp_test_random(random) % (sizeof pieces / sizeof pieces[0])]);
        *p++ = '"';
        return p;
    }
    *p++ = kind == 3 ? '[' : '{';
    for (unsigned n = (unsigned)(kdp_test_random(random) % 9), i = 0; i < n; i++) {
        p += sprintf(p, "%s", i > 0 ? ", " : "");
        if (kind == 4)
            p += sprintf(p, "\"k%u\" :", i);
        p = put_value(p, random, depth - 1);
    }
    *p++ = kind == 3 ? ']' : '}';
    return p;
}

KDP_TEST(no_cut_of_a_body_is_whole)
{
    static char text[4u << 20];
    static struct kdp_json_keys keys;
    uint64_t random = kdp_test_seed();
    unsigned long_ones = 0;

    for (unsigned round = 0; round < 400; round++) {
        struct kdp_json json;
        char *p = text;
        size_t len;

        p += sprintf(p, "%*s{\"first\":", (int)(round % 7), "");
        p = put_value(p, &random, 4);
        p += sprintf(p, ",\"last\":");
        p = put_value(p, &random, 4);
        *p++ = '}';
        len = (size_t)(p - text);
        long_ones += len > 500;
        kdpi_json_init(&json, &keys, NULL, 0);
        kdpi_json_begin(&json, text, len);
        CHECK(kdpi_json_end(&json)); /* it is what we think */
        CHECK(asker_whole(text, len));
        for (size_t cut = 0; cut < len && cut < 2000; cut++)
            CHECK(!asker_whole(text, cut));
        for (unsigned i = 0; i < 20; i++) { /* and no tail of one, or of two put together */
            size_t from = 7 + kdp_test_random(&random) % (len - 7);

            CHECK(!asker_whole(text + from, len - from));
        }
        memcpy(text + len, text, len);
        CHECK(!asker_whole(text, 2 * len));
    }
    CHECK(long_ones > 20);
}

/* What the reader takes is whole, whatever was changed; the other way round not, since the inside is not looked at. */
KDP_TEST(what_the_reader_takes_is_whole)
{
    static const char made[] =
        "{\"trades\":[{\"id\":\"a\\\\\",\"n\":1},{\"id\":\"}\\\"{\",\"n\":[2,3]}],\"cursor\":\"x\"}";
    static struct kdp_json_keys keys;
    uint64_t random = kdp_test_seed();
    unsigned taken = 0;

    for (unsigned round = 0; round < 200000; round++) {
        static const char letters[] = "{}[]\"\\,: a1";
        char text[sizeof made + 70] = "";
        size_t pad = round % 70, len = pad + sizeof made - 1;
        struct kdp_json json;

        memset(text, ' ', pad);
        memcpy(text + pad, made, sizeof made);
        for (unsigned n = round % 3; n > 0; n--)
            text[pad + 1 + kdp_test_random(&random) % (sizeof made - 2)] =
                letters[kdp_test_random(&random) % (sizeof letters - 1)];
        kdpi_json_init(&json, &keys, NULL, 0);
        kdpi_json_begin(&json, text, len);
        if (kdpi_json_peek(&json) == KDP_JSON_OBJECT && kdpi_json_end(&json)) {
            CHECK(asker_whole(text, len));
            taken++;
        }
    }
    CHECK(taken > 60000 && taken < 190000);
}
