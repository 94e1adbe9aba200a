/* test_trade_set.c - a trade id is known for at least 2 hours, and memory stays bounded. */
#include "kdp_test.h"
#include "trade_set.h"

#define HOUR (INT64_C(3600) * 1000000000)

static struct kdp_trade_set *set;

static bool
add(uint64_t n, int64_t at_ns)
{
    uint8_t id[16] = {0};

    if (set == NULL)
        set = kdp_trade_set_open(4096);
    memcpy(id, &n, sizeof n);
    memcpy(id + 8, &n, sizeof n);
    return kdp_trade_set_add(set, id, at_ns);
}

KDP_TEST(id_is_new_once)
{
    CHECK(add(1, 0));
    CHECK(!add(1, 0));
    CHECK(add(2, 0));
    CHECK(add(0, 0)); /* the nil id is an id */
    CHECK(!add(0, 0));
}

KDP_TEST(id_is_remembered_for_at_least_2_hours)
{
    for (uint64_t n = 1; n <= 200; n++) { /* one a minute */
        int64_t now = (int64_t)n * HOUR / 60;

        CHECK(add(n, now));
        for (uint64_t m = n > 120 ? n - 120 : 1; m <= n; m++)
            CHECK(!add(m, now));
    }
}

KDP_TEST(id_is_forgotten_in_the_end)
{
    CHECK(add(1, 0));
    CHECK(add(2, 30 * HOUR)); /* the first generation is the old one now */
    CHECK(!add(1, 30 * HOUR));
    CHECK(add(3, 60 * HOUR));
    CHECK(add(1, 60 * HOUR));
}

KDP_TEST(id_is_remembered_while_there_is_room)
{
    CHECK(add(1, 0));
    CHECK(add(2, 5 * HOUR));
    CHECK(add(3, 11 * HOUR)); /* a hole that was open all the while is read again */
    CHECK(!add(1, 11 * HOUR));
}

KDP_TEST(full_generation_is_counted_and_the_last_ones_are_kept)
{
    for (uint64_t n = 1; n <= 4096 * 3; n++)
        CHECK(add(n, 0));
    CHECK(kdp_trade_set_early(set) >= 2);
    for (uint64_t n = 4096 * 3 - 4095; n <= 4096 * 3; n++)
        CHECK(!add(n, 0));
}
