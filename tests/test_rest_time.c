/* test_rest_time.c - the exchange's schedule: pauses in UTC, through both changes of the clocks. */
#include "clock.h"
#include "rest_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAY(name) "\"" name "\":[{\"open_time\":\"00:00\",\"close_time\":\"00:00\"}]"
#define THURSDAY                                                                                         \
    "\"thursday\":[{\"open_time\":\"00:00\",\"close_time\":\"03:00\"},{\"open_time\":\"05:00\",\"close_" \
    "time\":\"00:00\"}]"
#define WEEK      \
    DAY("monday") \
    "," DAY("tuesday") "," DAY("wednesday") "," DAY("friday") "," DAY("saturday") "," DAY("sunday")
#define HOURS(days) "{\"start_time\":\"2024-12-01T00:00:00Z\",\"end_time\":\"2200-12-01T00:00:00Z\"," days "}"
#define BODY(hours, windows) \
    "{\"schedule\":{\"maintenance_windows\":[" windows "],\"standard_hours\":[" hours "]}}"

static enum kdp_refusal refusal;

static int64_t
at(const char *text)
{
    int64_t ns;

    CHECK_INT(kdpi_time_parse(text, strlen(text), &ns), 0);
    return ns;
}

/* The pauses of a window as text. */
static const char *
pauses_max(const char *body, int64_t from_ns, int64_t to_ns, uint32_t max)
{
    static char lines[65536];
    struct kdp_rest_pause list[64];
    char *copy = malloc(strlen(body) + 1), start[KDPI_TIME_TEXT], end[KDPI_TIME_TEXT];
    size_t used = 0;
    uint32_t n;

    CHECK(copy != NULL && max <= 64);
    memcpy(copy, body, strlen(body));
    memset(list, 0xee, sizeof list);
    n = kdpi_rest_schedule(rest_reader(), copy, strlen(body), from_ns, to_ns, list, max, &refusal);
    free(copy);
    CHECK(n <= max);
    lines[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        CHECK(list[i].start_ns < list[i].end_ns && list[i].end_ns > from_ns && list[i].start_ns < to_ns);
        CHECK(i == 0 || list[i].start_ns >= list[i - 1].start_ns);
        kdpi_time_format(start, list[i].start_ns, 0);
        kdpi_time_format(end, list[i].end_ns, 0);
        used += (size_t)snprintf(lines + used, sizeof lines - used, "%s %s%s\n", start, end,
                                 list[i].weekly ? "" : " maintenance");
    }
    return lines;
}

static const char *
pauses(const char *body, const char *from, const char *to)
{
    return pauses_max(body, at(from), at(to), 64);
}

/* 03:00 to 05:00 on Thursdays in New York: 08:00 UTC in winter, 07:00 in summer. */
KDP_TEST(the_weekly_pause_winter_and_summer)
{
    const char *body = BODY(HOURS(WEEK "," THURSDAY), "");

    CHECK_STR(pauses(body, "2026-11-22", "2026-12-04"),
              "2026-11-26T08:00:00Z 2026-11-26T10:00:00Z\n2026-12-03T08:00:00Z 2026-12-03T10:00:00Z\n");
    CHECK_INT(refusal, KDP_REFUSAL_NONE);
    /* clocks go forward on 8 March 2026, back on 1 November 2026 */
    CHECK_STR(pauses(body, "2026-03-01", "2026-03-14"),
              "2026-03-05T08:00:00Z 2026-03-05T10:00:00Z\n2026-03-12T07:00:00Z 2026-03-12T09:00:00Z\n");
    CHECK_STR(pauses(body, "2026-10-25", "2026-11-07"),
              "2026-10-29T07:00:00Z 2026-10-29T09:00:00Z\n2026-11-05T08:00:00Z 2026-11-05T10:00:00Z\n");
}

KDP_TEST(a_pause_under_way_keeps_its_ends)
{
    const char *body = BODY(HOURS(WEEK "," THURSDAY), "");

    CHECK_STR(pauses(body, "2026-11-26T09:00:00Z", "2026-11-26T09:00:01Z"),
              "2026-11-26T08:00:00Z 2026-11-26T10:00:00Z\n");
    CHECK_STR(pauses(body, "2026-11-26T10:00:00Z", "2026-11-26T11:00:00Z"), ""); /* ends are not included */
    CHECK_STR(pauses(body, "2026-11-26T07:00:00Z", "2026-11-26T08:00:00Z"), "");
}

/* The rule against the C library's own zone, for every hour of 40 years around the changes. */
KDP_TEST(eastern_time_as_the_c_library_has_it)
{
    static const char *const names[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
    char body[1024];

    setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1); /* the rule in POSIX form: needs no database */
    tzset();
    for (int year = 2007; year < 2047; year++) {
        for (int month = 1; month <= 12; month += month == 1 ? 2 : month == 4 ? 6 : 1) {
            for (int day = 1; day <= 15; day++) {
                struct tm open = {.tm_year = year - 1900,
                                  .tm_mon = month - 1,
                                  .tm_mday = day,
                                  .tm_hour = 5,
                                  .tm_isdst = -1};
                time_t opens = mktime(&open);
                struct kdp_rest_pause list[2];
                size_t len;

                len = (size_t)snprintf(
                    body, sizeof body,
                    "{\"schedule\":{\"standard_hours\":[{\"%s\":[{\"open_time\":\"05:00\",\"close_time\":"
                    "\"00:00\"}]}]}}",
                    names[open.tm_wday]);
                /* midnight is before the clocks change, 5 o'clock after it */
                CHECK_INT(kdpi_rest_schedule(rest_reader(), body, len, (opens - 60) * KDP_NS_PER_S,
                                             opens * KDP_NS_PER_S, list, 2, &refusal),
                          1);
                CHECK_INT(list[0].end_ns / KDP_NS_PER_S, opens);
                open =
                    (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};
                CHECK_INT(list[0].start_ns / KDP_NS_PER_S, mktime(&open));
            }
        }
    }
}

KDP_TEST(hours_that_clocks_skip_or_pass_twice)
{
    const char *twice =
        BODY("{\"sunday\":[{\"open_time\":\"00:00\",\"close_time\":\"01:30\"},{\"open_time\":\"01:45\","
             "\"close_time\":\"00:00\"}]}",
             "");
    const char *skipped =
        BODY("{\"sunday\":[{\"open_time\":\"00:00\",\"close_time\":\"02:15\"},{\"open_time\":\"02:45\","
             "\"close_time\":\"00:00\"}]}",
             "");

    /* 1:30 the first time to 1:45 the second: the pause is not told too short */
    CHECK_STR(pauses(twice, "2026-11-01", "2026-11-02"), "2026-11-01T05:30:00Z 2026-11-01T06:45:00Z\n");
    /* 2:15 and 2:45 are not on any clock: read on the winter one */
    CHECK_STR(pauses(skipped, "2026-03-08", "2026-03-09"), "2026-03-08T07:15:00Z 2026-03-08T07:45:00Z\n");
}

KDP_TEST(maintenance_windows_stand_among_the_others)
{
    CHECK_STR(
        pauses(
            BODY(HOURS(WEEK "," THURSDAY),
                 "{\"start_datetime\":\"2026-12-01T04:00:00Z\",\"end_datetime\":\"2026-12-01T06:00:00-05:"
                 "00\"},"
                 "{\"start_datetime\":\"2026-11-25T04:00:00Z\",\"end_datetime\":\"2026-11-25T06:00:00Z\"},"
                 "{\"start_datetime\":\"2026-10-25T04:00:00Z\",\"end_datetime\":\"2026-10-25T06:00:00Z\"}"),
            "2026-11-22", "2026-12-02"),
        "2026-11-25T04:00:00Z 2026-11-25T06:00:00Z maintenance\n2026-11-26T08:00:00Z 2026-11-26T10:00:00Z\n"
        "2026-12-01T04:00:00Z 2026-12-01T11:00:00Z maintenance\n");
}

KDP_TEST(days_of_every_kind)
{
    /* a day closed altogether, and the night before it: from Friday 17:00 to Sunday 00:00 */
    CHECK_STR(
        pauses(BODY("{\"friday\":[{\"open_time\":\"08:00\",\"close_time\":\"17:00\"}],\"saturday\":[]}", ""),
               "2026-11-21", "2026-11-22"),
        "2026-11-20T22:00:00Z 2026-11-22T05:00:00Z\n");
    /* a day that is not said is no pause */
    CHECK_STR(pauses(BODY("{\"friday\":null}", ""), "2026-11-20", "2026-11-28"), "");
    /* a session over midnight, sessions out of order */
    CHECK_STR(pauses(BODY("{\"monday\":[{\"open_time\":\"20:00\",\"close_time\":\"02:00\"},{\"open_time\":"
                          "\"06:00\",\"close_time\":"
                          "\"18:00\"}],\"tuesday\":[{\"open_time\":\"04:00\",\"close_time\":\"24:00\"}]}",
                          ""),
                     "2026-11-23T05:00:00Z", "2026-11-25"),
              "2026-11-23T05:00:00Z 2026-11-23T11:00:00Z\n2026-11-23T23:00:00Z 2026-11-24T01:00:00Z\n"
              "2026-11-24T07:00:00Z 2026-11-24T09:00:00Z\n");
    /* 23:59 is the end of the day, and seconds may be written */
    CHECK_STR(pauses(BODY("{\"monday\":[{\"open_time\":\"00:00:00\",\"close_time\":\"23:59:59\"}]}", ""),
                     "2026-11-22", "2026-11-30"),
              "");
}

KDP_TEST(hours_hold_until_their_end)
{
    CHECK_STR(
        pauses(BODY("{\"start_time\":\"2024-01-01T00:00:00Z\",\"end_time\":\"2026-11-27T00:00:00Z\"," WEEK
                    "," THURSDAY "},"
                    "{\"start_time\":\"2026-11-27T00:00:00Z\",\"end_time\":\"2200-01-01T00:00:00Z\"," WEEK
                    "}",
                    ""),
               "2026-11-22", "2026-12-11"),
        "2026-11-26T08:00:00Z 2026-11-26T10:00:00Z\n");
    /* none that holds: nothing is known, so no pause */
    CHECK_STR(pauses(BODY("{\"start_time\":\"2030-01-01T00:00:00Z\"," WEEK "," THURSDAY "}", ""),
                     "2026-11-22", "2026-12-11"),
              "");
    CHECK_STR(pauses(BODY("", ""), "2026-11-22", "2026-12-11"), "");
    CHECK_INT(refusal, KDP_REFUSAL_NONE);
}

KDP_TEST(the_earliest_are_kept_when_there_is_no_room)
{
    const char *body =
        BODY(HOURS(WEEK "," THURSDAY),
             "{\"start_datetime\":\"2026-12-25T04:00:00Z\",\"end_datetime\":\"2026-12-25T06:00:00Z\"},"
             "{\"start_datetime\":\"2026-12-24T04:00:00Z\",\"end_datetime\":\"2026-12-24T06:00:00Z\"}");

    CHECK_STR(pauses_max(body, at("2026-11-22"), at("2027-11-22"), 2),
              "2026-11-26T08:00:00Z 2026-11-26T10:00:00Z\n2026-12-03T08:00:00Z 2026-12-03T10:00:00Z\n");
    CHECK_STR(pauses_max(body, at("2026-11-22"), at("2027-11-22"), 0), "");
}

KDP_TEST(windows_without_end_are_bounded)
{
    const char *body = BODY(HOURS(WEEK "," THURSDAY), "");

    pauses_max(body, INT64_MIN, INT64_MAX, 64);
    pauses_max(body, INT64_MAX, INT64_MAX, 64);
    pauses_max(body, INT64_MIN, INT64_MIN, 64);
    CHECK_STR(pauses_max(body, at("2026-12-01"), at("2026-11-01"), 64), "");
    CHECK_STR(pauses_max(body, 0, at("1970-01-02"), 64), ""); /* before the hours begin to hold */
}

KDP_TEST(what_cannot_be_read_is_told_and_the_rest_is_there)
{
    const char *thursday = "2026-11-26T08:00:00Z 2026-11-26T10:00:00Z\n";

    CHECK_STR(pauses(BODY(HOURS(WEEK "," THURSDAY),
                          "{\"start_datetime\":\"tomorrow\",\"end_datetime\":\"2026-11-25T06:00:00Z\"}"),
                     "2026-11-22", "2026-11-28"),
              thursday);
    CHECK_INT(refusal, KDP_REFUSAL_TIME);
    CHECK_STR(
        pauses(BODY(HOURS("\"monday\":[{\"open_time\":\"25:00\",\"close_time\":\"26:00\"}]," THURSDAY), ""),
               "2026-11-22", "2026-11-28"),
        thursday);
    CHECK_INT(refusal, KDP_REFUSAL_TIME);
    CHECK_STR(pauses(BODY(HOURS("\"monday\":[{\"open_time\":\"05:00\"}]," THURSDAY), ""), "2026-11-22",
                     "2026-11-28"),
              thursday);
    CHECK_INT(refusal, KDP_REFUSAL_MISSING);
    CHECK_STR(pauses("{\"schedule\":null}", "2026-11-22", "2026-11-28"), "");
    CHECK_INT(refusal, KDP_REFUSAL_MISSING);
    CHECK_STR(pauses("{\"schedule\":{\"standard_hours\":{}}}", "2026-11-22", "2026-11-28"), "");
    CHECK_INT(refusal, KDP_REFUSAL_TYPE);
    CHECK_STR(pauses("{\"schedule\":{\"standard_hours\":[1]}}", "2026-11-22", "2026-11-28"), "");
    CHECK_INT(refusal, KDP_REFUSAL_TYPE);
    CHECK_STR(pauses("{\"schedule\":{", "2026-11-22", "2026-11-28"), "");
    CHECK_INT(refusal, KDP_REFUSAL_TRUNCATED);
}
