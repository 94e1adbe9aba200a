/* test_place.c - places in the stream as people write them. */
#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "place.h"

#include <string.h>

KDP_TEST(places_are_read_as_people_write_them)
{
    struct kdp_place place;

    CHECK_INT(kdpi_place_parse("oldest", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_OLDEST);
    CHECK_INT(kdpi_place_parse("now", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_NOW);
    CHECK_INT(kdpi_place_parse("end", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_END);
    CHECK_INT(kdpi_place_parse("784200", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_SEQ);
    CHECK_INT(place.seq, 784200);
    CHECK_INT(kdpi_place_parse("999999999", &place), 0); /* nine digits */
    CHECK_INT(place.kind, KDP_PLACE_SEQ);
    CHECK_INT(kdpi_place_parse("1700000000", &place), 0); /* ten */
    CHECK_INT(place.kind, KDP_PLACE_TIME);
    CHECK_INT(place.ns, INT64_C(1700000000000000000));
    CHECK_INT(kdpi_place_parse("@100", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_TIME);
    CHECK_INT(place.ns, INT64_C(100000000000));
    CHECK_INT(kdpi_place_parse("seq:5000000000", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_SEQ);
    CHECK_INT(place.seq, INT64_C(5000000000));
    CHECK_INT(kdpi_place_parse("2026-11-22T15:04:00Z", &place), 0);
    CHECK_INT(place.kind, KDP_PLACE_TIME);
    static const char *const bad[] = {
        "", "15:04", "yesterday", "-5", "seq:", "seq:x", "@", "@2026-11-22", "12 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (kdpi_place_parse(bad[i], &place) != -KDP_EUSAGE)
            kdp_test_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
        CHECK(kdp_error_hint()[0] != '\0');
    }
}
