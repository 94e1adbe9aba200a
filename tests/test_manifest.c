/* test_manifest.c - what a manifest keeps, and which ones are refused: docs/design/lake.md, history.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "manifest.h"

#define DAY_0 INT64_C(1794960000000000000) /* 2026-11-18T00:00:00Z */

static char scratch[4096];

static const char *
manifest_path(void)
{
    snprintf(scratch, sizeof scratch, "%s/trades", kdp_test_dir());
    mkdir(scratch, 0777);
    snprintf(scratch, sizeof scratch, "%s/trades/manifest.json", kdp_test_dir());
    return scratch;
}

static void
put(const char *text, size_t len)
{
    FILE *out = fopen(manifest_path(), "w");

    CHECK(out != NULL);
    CHECK_INT(fwrite(text, 1, len, out), len);
    CHECK_INT(fclose(out), 0);
}

static char *
get(void)
{
    FILE *in = fopen(manifest_path(), "r");
    char *text = calloc(1, 1 << 20);

    CHECK(in != NULL && text != NULL);
    (void)!fread(text, 1, (1 << 20) - 1, in);
    fclose(in);
    return text;
}

static void
add(struct kdp_manifest *manifest, const char *scope, int64_t start_ns, int64_t end_ns)
{
    struct kdp_manifest_window window = {(char *)(uintptr_t)scope, start_ns, end_ns};

    CHECK_INT(kdp_manifest_windows(manifest, &window, 1), 0);
}

/* The windows of a scope as "start-end ...". */
static const char *
shown(const struct kdp_manifest *manifest, const char *scope)
{
    static char text[1024];
    size_t count, used = 0;
    const struct kdp_manifest_window *windows = kdp_manifest_scope(manifest, scope, &count);

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64 "-%" PRId64, i > 0 ? " " : "",
                                 windows[i].start_ns, windows[i].end_ns);
    return text;
}

KDP_TEST(windows_that_touch_or_overlap_become_one_and_those_of_others_do_not)
{
    struct kdp_manifest manifest = {0};

    add(&manifest, "B", 10, 20);
    add(&manifest, "A", 30, 40);
    add(&manifest, "A", 10, 20);
    CHECK_STR(shown(&manifest, "A"), "10-20 30-40");
    add(&manifest, "A", 20, 25);
    CHECK_STR(shown(&manifest, "A"), "10-25 30-40");
    add(&manifest, "A", 12, 14);
    CHECK_STR(shown(&manifest, "A"), "10-25 30-40");
    add(&manifest, "A", 50, 60);
    add(&manifest, "A", 24, 55);
    CHECK_STR(shown(&manifest, "A"), "10-60");
    CHECK_STR(shown(&manifest, "B"), "10-20");
    CHECK_STR(shown(&manifest, "AB"), "");
    CHECK_INT(manifest.window_count, 2);
    kdp_manifest_release(&manifest);
}

KDP_TEST(a_range_is_taken_out_of_windows_at_any_place)
{
    struct kdp_manifest manifest = {0};

    add(&manifest, "A", 10, 20);
    add(&manifest, "A", 30, 40);
    add(&manifest, "B", 0, 100);
    CHECK_INT(kdp_manifest_forget(&manifest, "A", 0, 10), 0);
    CHECK_INT(kdp_manifest_forget(&manifest, "A", 12, 14), 1);
    CHECK_STR(shown(&manifest, "A"), "10-12 14-20 30-40");
    CHECK_INT(kdp_manifest_forget(&manifest, "A", 18, 35), 1);
    CHECK_STR(shown(&manifest, "A"), "10-12 14-18 35-40");
    CHECK_INT(kdp_manifest_forget(&manifest, "A", 0, 1000), 1);
    CHECK_STR(shown(&manifest, "A"), "");
    CHECK_STR(shown(&manifest, "B"), "0-100");
    CHECK_INT(kdp_manifest_forget(&manifest, "C", 0, 1000), 0);
    kdp_manifest_release(&manifest);
}

/* Random windows against a row of single numbers. */
KDP_TEST(windows_say_what_a_row_of_single_numbers_says)
{
    struct kdp_manifest manifest = {0};
    uint64_t random = kdp_test_seed();
    bool in[200] = {false};

    for (int step = 0; step < 3000; step++) {
        int64_t from = (int64_t)(kdp_test_random(&random) % 200),
                to = from + 1 + (int64_t)(kdp_test_random(&random) % 12);
        bool adds = kdp_test_random(&random) % 2 == 0;
        const struct kdp_manifest_window *windows;
        size_t count, at = 0;

        to = to < 200 ? to : 200;
        if (adds)
            add(&manifest, "A", from, to);
        else
            CHECK(kdp_manifest_forget(&manifest, "A", from, to) >= 0);
        for (int64_t i = from; i < to; i++)
            in[i] = adds;
        windows = kdp_manifest_scope(&manifest, "A", &count);
        for (int64_t i = 0; i < 200; i++) {
            while (at < count && windows[at].end_ns <= i)
                at++;
            CHECK_INT(at < count && windows[at].start_ns <= i, in[i]);
        }
        for (size_t i = 1; i < count; i++)
            CHECK(windows[i].start_ns > windows[i - 1].end_ns);
    }
    kdp_manifest_release(&manifest);
}

KDP_TEST(scopes_come_back_as_they_were_whatever_is_in_them)
{
    static const char *const scopes[] = {"*",
                                         "KXABC-26DEC01-T3.5",
                                         "a \"quoted\" \\ one",
                                         "line\nand\ttab\x01\x7f",
                                         "\xc3\xa4\xe2\x82\xac",
                                         "date=2026-11-18/'); DROP"};
    struct kdp_manifest manifest = {.schema_version = 1}, again;
    char longest[KDP_MANIFEST_SCOPE_MAX + 2];

    memset(longest, '"', sizeof longest);
    longest[KDP_MANIFEST_SCOPE_MAX] = '\0';
    for (unsigned i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
        add(&manifest, scopes[i], (int64_t)i, INT64_MAX - i);
    add(&manifest, longest, INT64_MIN + 1, 0);
    manifest_path();
    CHECK_INT(kdp_manifest_write(&manifest, kdp_test_dir(), "trades"), 0);
    CHECK_INT(kdp_manifest_read(&again, kdp_test_dir(), "trades"), 0);
    CHECK_INT(again.window_count, manifest.window_count);
    for (size_t i = 0; i < again.window_count; i++) {
        CHECK_STR(again.windows[i].scope, manifest.windows[i].scope);
        CHECK(again.windows[i].start_ns == manifest.windows[i].start_ns);
        CHECK(again.windows[i].end_ns == manifest.windows[i].end_ns);
    }
    kdp_manifest_release(&again);
    kdp_manifest_release(&manifest);
}

KDP_TEST(scopes_that_cannot_be_kept_are_refused)
{
    struct kdp_manifest manifest = {0};
    struct kdp_manifest_window window = {NULL, 0, 1};
    char longer[KDP_MANIFEST_SCOPE_MAX + 2];

    memset(longer, 'A', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CHECK_INT(kdp_manifest_windows(&manifest, &window, 1), -KDP_EINVAL);
    window.scope = longer;
    CHECK_INT(kdp_manifest_windows(&manifest, &window, 1), -KDP_EINVAL);
    longer[1] = (char)0xff;
    longer[2] = '\0';
    CHECK_INT(kdp_manifest_windows(&manifest, &window, 1), -KDP_EINVAL);
    longer[1] = '\0';
    window.end_ns = 0;
    CHECK_INT(kdp_manifest_windows(&manifest, &window, 1), -KDP_EINVAL);
    CHECK_INT(manifest.window_count, 0);
    kdp_manifest_release(&manifest);
}

KDP_TEST(the_format_is_the_lowest_that_says_all_of_it)
{
    struct kdp_manifest_file part = {.path = "date=2026-11-18/part-1-9.parquet",
                                     .from = 1,
                                     .to = 9,
                                     .rows = 9},
                             hist = {.path = "date=2026-11-18/hist-1-1.parquet", .rows = 5},
                             all = {.path = "all/hist-1-2.parquet", .rows = 5};
    struct kdp_manifest manifest = {.schema_version = 1, .sealed_seq = 9}, again;
    char *text;

    manifest_path();
    CHECK_INT(kdp_manifest_add(&manifest, &part), 0);
    CHECK_INT(kdp_manifest_write(&manifest, kdp_test_dir(), "trades"), 0);
    text = get(); /* what a kdp without history writes and reads */
    CHECK(strstr(text, "\"format\": 1,") != NULL && strstr(text, "windows") == NULL);
    free(text);
    CHECK_INT(kdp_manifest_add(&manifest, &hist), 0);
    CHECK_INT(kdp_manifest_add(&manifest, &all), 0);
    CHECK_INT(kdp_manifest_write(&manifest, kdp_test_dir(), "trades"), 0);
    text = get();
    CHECK(strstr(text, "\"format\": 2,") != NULL);
    free(text);
    CHECK_INT(kdp_manifest_read(&again, kdp_test_dir(), "trades"), 0);
    CHECK_INT(again.count, 3);
    CHECK(!kdp_manifest_is_history(&again.files[0]) && kdp_manifest_is_history(&again.files[1]));
    CHECK_INT(again.files[2].day, KDP_MANIFEST_DAY_ALL);
    kdp_manifest_release(&again);
    kdp_manifest_release(&manifest);
    add(&manifest, "A", 1, 2);
    CHECK_INT(kdp_manifest_write(&manifest, kdp_test_dir(), "trades"), 0);
    text = get();
    CHECK(strstr(text, "\"format\": 2,") != NULL);
    free(text);
    kdp_manifest_release(&manifest);
}

KDP_TEST(damaged_windows_are_refused_with_their_place)
{
    static const char *const cases[] = {
        "{\"format\": 2, \"windows\": [{\"scope\": \"A\", \"start\": 5, \"end\": 5}]}",
        "{\"format\": 2, \"windows\": [{\"scope\": \"\", \"start\": 1, \"end\": 5}]}",
        "{\"format\": 2, \"windows\": [{\"start\": 1, \"end\": 5}]}",
        "{\"format\": 2, \"windows\": [{\"scope\": \"A\\u0000B\", \"start\": 1, \"end\": 5}]}",
        "{\"format\": 2, \"windows\": [{\"scope\": 7, \"start\": 1, \"end\": 5}]}",
        "{\"format\": 2, \"windows\": [{\"scope\": \"A\", \"start\": 1.5, \"end\": 5}]}",
        "{\"format\": 2, \"windows\": {\"scope\": \"A\"}}",
        "{\"format\": 2, \"windows\": [3]}",
        "{\"format\": 2, \"files\": [{\"path\": \"all/../x.parquet\"}]}",
        "{\"format\": 2, \"files\": [{\"path\": \"all/.parquet\"}]}",
        "{\"format\": 2, \"files\": [{\"path\": \"al/x.parquet\"}]}",
    };
    struct kdp_manifest manifest;

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(cases[i], strlen(cases[i]));
        if (kdp_manifest_read(&manifest, kdp_test_dir(), "trades") != -KDP_EFORMAT)
            kdp_test_fail(__FILE__, __LINE__, "case %u is taken", i);
        CHECK(strstr(kdp_error_text(), "byte") != NULL);
        kdp_manifest_release(&manifest);
    }
}

/* Every cut and every flipped bit of a whole manifest is refused or read as something sound, never a crash. */
KDP_TEST(a_manifest_cut_or_flipped_anywhere_is_refused_or_sound)
{
    struct kdp_manifest_file file = {
        .path = "date=2026-11-18/hist-1-1.parquet", .rows = 5, .ns_min = DAY_0, .ns_max = DAY_0};
    struct kdp_manifest manifest = {.schema_version = 1}, again;
    char *text;
    size_t len;

    manifest_path();
    CHECK_INT(kdp_manifest_add(&manifest, &file), 0);
    add(&manifest, "A \"b\"", 1, 2);
    add(&manifest, "*", 10, 20);
    CHECK_INT(kdp_manifest_write(&manifest, kdp_test_dir(), "trades"), 0);
    kdp_manifest_release(&manifest);
    text = get();
    len = strlen(text);
    for (size_t cut = 0; cut + 1 < len; cut++) { /* without the last byte, a newline, it is whole */
        put(text, cut);
        CHECK(kdp_manifest_read(&again, kdp_test_dir(), "trades") < 0);
        kdp_manifest_release(&again);
    }
    for (size_t bit = 0; bit < len * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        put(text, len);
        if (kdp_manifest_read(&again, kdp_test_dir(), "trades") == 0)
            for (size_t i = 0; i < again.window_count; i++)
                CHECK(again.windows[i].start_ns < again.windows[i].end_ns &&
                      again.windows[i].scope[0] != '\0');
        kdp_manifest_release(&again);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(text);
}

KDP_TEST(a_hundred_thousand_windows_are_read_and_found_quickly)
{
    struct kdp_manifest manifest = {.schema_version = 1}, again;
    struct kdp_manifest_window *windows = calloc(100000, sizeof *windows);
    int64_t began_ns;
    char scope[32];
    size_t count;

    CHECK(windows != NULL);
    for (unsigned i = 0; i < 100000; i++) { /* 1,000 markets, out of order */
        snprintf(scope, sizeof scope, "KXMANY-26NOV-T%u", i * 7919 % 1000);
        windows[i] = (struct kdp_manifest_window){strdup(scope), (int64_t)(i / 1000) * 20,
                                                  (int64_t)(i / 1000) * 20 + 10};
    }
    CHECK_INT(kdp_manifest_windows(&manifest, windows, 100000), 0);
    CHECK_INT(manifest.window_count, 100000);
    manifest_path();
    CHECK_INT(kdp_manifest_write(&manifest, kdp_test_dir(), "trades"), 0);
    began_ns = kdpi_mono_ns();
    CHECK_INT(kdp_manifest_read(&again, kdp_test_dir(), "trades"), 0);
    printf("100,000 windows read in %.1f ms\n", (double)(kdpi_mono_ns() - began_ns) / 1e6);
    CHECK(kdpi_mono_ns() - began_ns <
          2 * KDP_NS_PER_S); /* a tenth of it is usual; sanitizers and others on the machine */
    CHECK_INT(again.window_count, 100000);
    kdp_manifest_scope(&again, "KXMANY-26NOV-T500", &count);
    CHECK_INT(count, 100);
    for (unsigned i = 0; i < 100000; i++)
        free(windows[i].scope);
    free(windows);
    kdp_manifest_release(&again);
    kdp_manifest_release(&manifest);
}
