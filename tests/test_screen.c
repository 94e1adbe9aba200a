/* test_screen.c - numbers for people. */
#include "kdp_test.h"
#include "screen.h"

static char buf[KDPI_SCREEN_TEXT];

KDP_TEST(prices_have_two_decimals_and_more_where_not_zero)
{
    CHECK_STR(kdpi_screen_price(buf, 4300), "0.43");
    CHECK_STR(kdpi_screen_price(buf, 9640), "0.964");
    CHECK_STR(kdpi_screen_price(buf, 8815), "0.8815");
    CHECK_STR(kdpi_screen_price(buf, 1), "0.0001");
    CHECK_STR(kdpi_screen_price(buf, 0), "0.00");
    CHECK_STR(kdpi_screen_price(buf, 10000), "1.00");
    CHECK_STR(kdpi_screen_price(buf, -200), "-0.02");
    CHECK_STR(kdpi_screen_price(buf, INT32_MIN), "-");
    CHECK_STR(kdpi_screen_price(buf, INT32_MAX), "214,748.3647");
}

KDP_TEST(sizes_have_commas_and_decimals_only_when_fractional)
{
    CHECK_STR(kdpi_screen_size(buf, 124000), "1,240");
    CHECK_STR(kdpi_screen_size(buf, 3325), "33.25");
    CHECK_STR(kdpi_screen_size(buf, 1250), "12.50");
    CHECK_STR(kdpi_screen_size(buf, 100001), "1,000.01");
    CHECK_STR(kdpi_screen_size(buf, 0), "0");
    CHECK_STR(kdpi_screen_size(buf, 1), "0.01");
    CHECK_STR(kdpi_screen_size(buf, -99900), "-999");
    CHECK_STR(kdpi_screen_size(buf, INT64_MIN), "-");
    CHECK_STR(kdpi_screen_size(buf, INT64_MAX), "92,233,720,368,547,758.07");
    CHECK_STR(kdpi_screen_size(buf, -INT64_MAX), "-92,233,720,368,547,758.07");
    CHECK_STR(kdpi_screen_change(buf, 20000), "+200");
    CHECK_STR(kdpi_screen_change(buf, -1250), "-12.50");
    CHECK_STR(kdpi_screen_change(buf, 0), "+0");
}

KDP_TEST(counts_have_commas)
{
    CHECK_STR(kdpi_screen_count(buf, 0), "0");
    CHECK_STR(kdpi_screen_count(buf, 999), "999");
    CHECK_STR(kdpi_screen_count(buf, 1000), "1,000");
    CHECK_STR(kdpi_screen_count(buf, 1204551), "1,204,551");
    CHECK_STR(kdpi_screen_count(buf, UINT64_MAX), "18,446,744,073,709,551,615");
}

KDP_TEST(cash_has_two_decimals_at_least)
{
    CHECK_STR(kdpi_screen_cash(buf, 12000000, 6), "12.00");
    CHECK_STR(kdpi_screen_cash(buf, 1234500000, 6), "1,234.50");
    CHECK_STR(kdpi_screen_cash(buf, 125000, 6), "0.125");
    CHECK_STR(kdpi_screen_cash(buf, -1, 6), "-0.000001");
    CHECK_STR(kdpi_screen_cash(buf, 1234567, 0), "1,234,567");
    CHECK_STR(kdpi_screen_cash(buf, INT64_MIN, 6), "-");
}

KDP_TEST(columns_keep_their_dots_in_line)
{
    CHECK_STR(kdpi_screen_price_column(buf, 4300), "0.43  ");
    CHECK_STR(kdpi_screen_price_column(buf, 9640), "0.964 ");
    CHECK_STR(kdpi_screen_price_column(buf, 8815), "0.8815");
    CHECK_STR(kdpi_screen_price_column(buf, INT32_MIN), "-     ");
    CHECK_STR(kdpi_screen_size_column(buf, 124000), "1,240   ");
    CHECK_STR(kdpi_screen_size_column(buf, 3325), "33.25");
    CHECK_STR(kdpi_screen_size_column(buf, INT64_MIN), "-   ");
}

KDP_TEST(spans_have_one_or_two_units_and_are_cut)
{
    const int64_t s = INT64_C(1000000000);

    CHECK_STR(kdpi_screen_span(buf, 0), "0 ns");
    CHECK_STR(kdpi_screen_span(buf, 840), "840 ns");
    CHECK_STR(kdpi_screen_span(buf, 1000), "1.0 us");
    CHECK_STR(kdpi_screen_span(buf, 12999), "12 us");
    CHECK_STR(kdpi_screen_span(buf, 2199999), "2.1 ms");
    CHECK_STR(kdpi_screen_span(buf, 32000000), "32 ms");
    CHECK_STR(kdpi_screen_span(buf, 999999999), "999 ms");
    CHECK_STR(kdpi_screen_span(buf, s), "1.0 s");
    CHECK_STR(kdpi_screen_span(buf, 10 * s - 1), "9.9 s");
    CHECK_STR(kdpi_screen_span(buf, 60 * s - 1), "59 s");
    CHECK_STR(kdpi_screen_span(buf, 60 * s), "1 min 0 s");
    CHECK_STR(kdpi_screen_span(buf, 312 * s), "5 min 12 s");
    CHECK_STR(kdpi_screen_span(buf, 3600 * s - 1), "59 min 59 s");
    CHECK_STR(kdpi_screen_span(buf, (13 * 60 + 56) * 60 * s), "13 h 56 min");
    CHECK_STR(kdpi_screen_span(buf, 76 * 3600 * s), "3 d 4 h");
    CHECK_STR(kdpi_screen_span(buf, -32000000), "-32 ms");
    CHECK_STR(kdpi_screen_span(buf, INT64_MAX), "106751 d 23 h");
    CHECK_STR(kdpi_screen_span(buf, INT64_MIN), "-");
}

KDP_TEST(bytes_are_in_powers_of_1000)
{
    CHECK_STR(kdpi_screen_bytes(buf, 0), "0 B");
    CHECK_STR(kdpi_screen_bytes(buf, 999), "999 B");
    CHECK_STR(kdpi_screen_bytes(buf, 1000), "1 kB");
    CHECK_STR(kdpi_screen_bytes(buf, 109312345), "109.3 MB");
    CHECK_STR(kdpi_screen_bytes(buf, UINT64_C(60000000000)), "60 GB");
    CHECK_STR(kdpi_screen_bytes(buf, 999949), "999.9 kB");
    CHECK_STR(kdpi_screen_bytes(buf, 999950), "1 MB");
    CHECK_STR(kdpi_screen_bytes(buf, UINT64_MAX), "18.4 EB");
}

KDP_TEST(hashes_have_16_hex_digits)
{
    CHECK_STR(kdpi_screen_hash(buf, UINT64_C(0x9f3c2b1e77a04d15)), "9f3c2b1e77a04d15");
    CHECK_STR(kdpi_screen_hash(buf, 0), "0000000000000000");
}
