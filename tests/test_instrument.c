/* test_instrument.c - tickers and their ids, while the index grows from place to place. */
#include "instrument.h"
#include "kdp_test.h"

#include <stdio.h>
#include <string.h>

#define MAX 40000u /* the index begins with room for 2,048 */

static struct kdp_text
ticker(char mem[32], uint32_t n)
{
    snprintf(mem, 32, "KXTEST-26NOV22-T%u", n * 7u);
    return (struct kdp_text){mem, strlen(mem)};
}

KDP_TEST(every_ticker_keeps_its_id_as_the_index_grows)
{
    struct kdp_instruments *table = kdp_instruments_open(MAX);
    char mem[32];

    CHECK(table != NULL);
    for (uint32_t n = 1; n <= MAX; n++) {
        CHECK_INT(kdp_instruments_find(table, ticker(mem, n)), 0);
        CHECK_INT(kdp_instruments_intern(table, ticker(mem, n)), n);
        if ((n & (n - 1)) == 0) /* around each doubling */
            for (uint32_t m = 1; m <= n; m++)
                CHECK_INT(kdp_instruments_find(table, ticker(mem, m)), m);
    }
    for (uint32_t n = 1; n <= MAX; n++) {
        CHECK_INT(kdp_instruments_intern(table, ticker(mem, n)), n);
        CHECK_STR(kdp_instruments_at(table, n)->ticker, ticker(mem, n).data);
    }
    CHECK_INT(kdp_instruments_max(table), MAX);
    CHECK_INT(kdp_instruments_intern(table, ticker(mem, MAX + 1)), 0); /* full */
    kdp_instruments_close(table);
}

KDP_TEST(ids_of_earlier_runs_are_found_as_the_index_grows)
{
    struct kdp_instruments *table = kdp_instruments_open(MAX);
    char mem[32];

    CHECK(table != NULL);
    for (uint32_t id = 2; id <= MAX; id += 2)
        CHECK_INT(kdp_instruments_restore(table, id, ticker(mem, id)), 0);
    for (uint32_t id = 2; id <= MAX; id += 2)
        CHECK_INT(kdp_instruments_find(table, ticker(mem, id)), id);
    CHECK_INT(kdp_instruments_find(table, ticker(mem, 3)), 0);
    kdp_instruments_close(table);
}

KDP_TEST(few_markets_take_little_memory)
{
    struct kdp_instruments *table = kdp_instruments_open(262144u * 32u);
    char mem[32];

    CHECK(table != NULL);
    for (uint32_t n = 1; n <= 1000; n++)
        CHECK(kdp_instruments_intern(table, ticker(mem, n)) != 0);
    CHECK(kdp_instruments_used(table) < 5u << 20);
    kdp_instruments_close(table);
}
