/* test_base.c - decimals, times and error words of src/base. */
#include "clock.h"
#include "crc32c.h"
#include "decimal.h"
#include "error.h"
#include "kdp_test.h"

#include <errno.h>

static void
decimal_is(const char *text, unsigned scale, enum kdp_decimal verdict, int64_t want)
{
    int64_t got = 0;

    if (kdpi_decimal_parse(text, strlen(text), scale, &got) != verdict ||
        (verdict == KDP_DECIMAL_OK && got != want))
        kdp_test_fail(__FILE__, __LINE__, "\"%s\" at scale %u: got %lld", text, scale, (long long)got);
}

KDP_TEST(decimals_are_exact_or_refused)
{
    decimal_is("0.62", 4, KDP_DECIMAL_OK, 6200);
    decimal_is("0.6200", 4, KDP_DECIMAL_OK, 6200);
    decimal_is("0.620000", 4, KDP_DECIMAL_OK, 6200);
    decimal_is("-12.50", 2, KDP_DECIMAL_OK, -1250);
    decimal_is("1e-2", 4, KDP_DECIMAL_OK, 100);
    decimal_is("1.5E2", 2, KDP_DECIMAL_OK, 15000);
    decimal_is("0", 4, KDP_DECIMAL_OK, 0);
    decimal_is("0e99", 4, KDP_DECIMAL_OK, 0);
    decimal_is("9223372036854775807", 0, KDP_DECIMAL_OK, INT64_MAX);
    decimal_is("9223372036854775808", 0, KDP_DECIMAL_TOO_BIG, 0);
    decimal_is("92233720368547758.08", 2, KDP_DECIMAL_TOO_BIG, 0);
    decimal_is("1e30", 2, KDP_DECIMAL_TOO_BIG, 0);
    decimal_is("0.12345", 4, KDP_DECIMAL_TOO_FINE, 0);
    decimal_is("1e-9", 4, KDP_DECIMAL_TOO_FINE, 0);
    decimal_is("0.001", 2, KDP_DECIMAL_TOO_FINE, 0);
    static const char *const bad[] = {"",    "-",   ".5", "1.", "+1",  "01",  "1e",
                                      "1e+", "0x1", " 1", "1 ", "nan", "--1", "1.2.3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        decimal_is(bad[i], 4, KDP_DECIMAL_SYNTAX, 0);
}

KDP_TEST(decimals_print_back)
{
    char buf[KDPI_DECIMAL_TEXT];

    CHECK_INT(kdpi_decimal_format(buf, 4300, 4), 6);
    CHECK_STR(buf, "0.4300");
    kdpi_decimal_format(buf, -1250, 2);
    CHECK_STR(buf, "-12.50");
    kdpi_decimal_format(buf, 7, 0);
    CHECK_STR(buf, "7");
    kdpi_decimal_format(buf, -1, 6);
    CHECK_STR(buf, "-0.000001");
    kdpi_decimal_format(buf, INT64_MIN, 6);
    CHECK_STR(buf, "-9223372036854.775808");
}

static void
time_is(const char *text, int rc, int64_t want)
{
    int64_t got = -1;

    if (kdpi_time_parse(text, strlen(text), &got) != rc || (rc == 0 && got != want))
        kdp_test_fail(__FILE__, __LINE__, "\"%s\": got %lld", text, (long long)got);
}

KDP_TEST(times_in_every_written_form)
{
    time_is("2026-11-16", 0, INT64_C(1794787200000000000));
    time_is("2026-11-16T13:00:00Z", 0, INT64_C(1794834000000000000));
    time_is("2026-11-16T13:00:00.5Z", 0, INT64_C(1794834000500000000));
    time_is("2026-11-16T13:00:00.123456789Z", 0, INT64_C(1794834000123456789));
    time_is("2026-11-16T08:00:00-05:00", 0, INT64_C(1794834000000000000));
    time_is("2026-11-16T14:00:00+01:00", 0, INT64_C(1794834000000000000));
    time_is("1794834000", 0, INT64_C(1794834000000000000));
    time_is("1794834000.25", 0, INT64_C(1794834000250000000));
    time_is("1970-01-01T00:00:00Z", 0, 0);
    static const char *const bad[] = {"",
                                      "15:04",
                                      "2026-13-01",
                                      "2026-02-29",
                                      "2026-11-16T13:00Z",
                                      "2026-11-16T13:00:00",
                                      "2026-11-16T25:00:00Z",
                                      "2026-11-16T13:00:00.1234567890Z",
                                      "2026-11-16T13:00:00.Z",
                                      "now",
                                      "-5",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        time_is(bad[i], -KDP_EFORMAT, 0);
}

KDP_TEST(times_print_back)
{
    char buf[KDPI_TIME_TEXT];
    uint64_t seed = kdp_test_seed();

    CHECK_INT(kdpi_time_format(buf, INT64_C(1794834000123456789), 9), 30);
    CHECK_STR(buf, "2026-11-16T13:00:00.123456789Z");
    kdpi_time_format(buf, INT64_C(1794834000123456789), 3);
    CHECK_STR(buf, "2026-11-16T13:00:00.123Z");
    kdpi_time_format(buf, INT64_C(1794834000123456789), 0);
    CHECK_STR(buf, "2026-11-16T13:00:00Z");
    CHECK_INT(kdpi_time_format(buf, INT64_MIN, 9), 0);
    /* the earliest and the latest there are: nothing overflows on the way */
    kdpi_time_format(buf, INT64_MIN + 1, 9);
    CHECK_STR(buf, "1677-09-21T00:12:43.145224193Z");
    kdpi_time_format(buf, INT64_MAX, 9);
    CHECK_STR(buf, "2262-04-11T23:47:16.854775807Z");
    kdpi_time_format(buf, -1, 9);
    CHECK_STR(buf, "1969-12-31T23:59:59.999999999Z");
    for (int i = 0; i < 10000; i++) {
        int64_t ns = (int64_t)(kdp_test_random(&seed) % (UINT64_C(9183110400) * 1000000000u)), back = 0;

        CHECK_INT(kdpi_time_parse(buf, kdpi_time_format(buf, ns, 9), &back), 0);
        CHECK_INT(back, ns);
    }
    CHECK_INT(kdpi_day_of(-1), -1);
    CHECK_INT(kdpi_day_of(KDP_NS_PER_DAY), 1);
}

KDP_TEST(errors_keep_words_and_next_step)
{
    CHECK_INT(kdpi_fail(KDP_EFORMAT, "not a tape: %s", "x.seg"), -KDP_EFORMAT);
    CHECK_STR(kdp_error_text(), "not a tape: x.seg");
    CHECK_STR(kdp_error_hint(), "");
    kdpi_hint("try %s", "kdp tape info");
    CHECK_STR(kdp_error_hint(), "try kdp tape info");
    CHECK_INT(kdpi_fail_errno(ENOSPC, "cannot write %s", "a"), -KDP_EFULL);
    CHECK_STR(kdp_error_text(), "cannot write a: no space left on device");
    CHECK_STR(kdp_error_hint(), "");
    kdpi_fail(KDP_EIO, "outer: %s", kdp_error_text());
    CHECK_STR(kdp_error_text(), "outer: cannot write a: no space left on device");
    CHECK_STR(kdp_error_name(-KDP_EFULL), "EFULL");
    char buf[64];
    CHECK_STR(kdpi_escape(buf, sizeof buf, "a\x1b[2J\n", 6), "a\\x1b[2J\\x0a");
}

KDP_TEST(crc32c_is_castagnoli_at_every_length)
{
    static uint8_t bytes[8192];
    uint64_t seed = kdp_test_seed();

    CHECK_INT(kdpi_crc32c(0, "123456789", 9), 0xe3069283u);
    CHECK_INT(kdpi_crc32c(0, "", 0), 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)kdp_test_random(&seed);
    for (size_t len = 0; len < sizeof bytes; len += len < 64 ? 1 : 37) {
        uint32_t whole = kdpi_crc32c_portable(0, bytes, len);

        CHECK_INT(kdpi_crc32c(0, bytes, len), whole);
        CHECK_INT(kdpi_crc32c(kdpi_crc32c(0, bytes, len / 3), bytes + len / 3, len - len / 3), whole);
    }
}
