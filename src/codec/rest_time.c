/* rest_time.c - the exchange's schedule: when it pauses, in UTC.
 *
 * Standard hours are given in Eastern Time.  Its summer time is computed by the rule in force since 2007 (second Sunday of
 * March to first Sunday of November, each at 2 o'clock), so that no time zone database has to be there and the same body
 * gives the same pauses on every machine. */
#include "rest_private.h"

#define SESSIONS_MAX KDPI_REST_SESSIONS_MAX
#define MINUTES_DAY 1440
#define DAY_MAX 106000 /* in the year 2260: its nanoseconds fit */
#define DAYS_MAX 800   /* of a window asked for */
#define EDGE_DAYS 9    /* looked at before and behind it, so that a pause over its edge keeps its own ends */
#define NS_PER_MINUTE (60 * KDP_NS_PER_S)
#define EST_OFFSET (-300) /* minutes */

static const char *const day_names[7] = {"sunday",   "monday", "tuesday", "wednesday",
                                         "thursday", "friday", "saturday"};

/* ---- Eastern Time ---- */

/* The day of the week, Sunday 0; 1970-01-01 was a Thursday. */
static unsigned
weekday(int32_t day)
{
    return (unsigned)((day % 7 + 11) % 7);
}

/* The day number of the nth Sunday of a month that begins on day first. */
static int32_t
sunday(int32_t first, int nth)
{
    return first + (int32_t)((7 - weekday(first)) % 7) + 7 * (nth - 1);
}

/* The first day of a month: years of this program's range are Gregorian. */
static int32_t
month_day(int year, int month)
{
    static const int16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int y = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162 + before[month - 1] + (leap && month > 2);
}

/* The year a day lies in. */
static int
year_of(int32_t day)
{
    int year = 1970 + day / 366;

    while (month_day(year + 1, 1) <= day)
        year++;
    return year;
}

/* Eastern Time to UTC.  An hour that the clocks pass twice is the first of them when early, else the second; one they skip
 * is read on the winter clock, which is the same instant as an hour later in summer time. */
static int64_t
eastern_ns(int32_t day, int minute, bool early)
{
    int year = year_of(day);
    int64_t local = (int64_t)day * MINUTES_DAY + minute;
    int64_t begins = (int64_t)sunday(month_day(year, 3), 2) * MINUTES_DAY + 180; /* summer's own 3 o'clock */
    int64_t ends = (int64_t)sunday(month_day(year, 11), 1) * MINUTES_DAY + (early ? 120 : 60);
    bool summer = local >= begins && local < ends;

    return (local - EST_OFFSET - (summer ? 60 : 0)) * NS_PER_MINUTE;
}

/* ---- reading ---- */

/* "HH:MM" or "HH:MM:SS" as minutes, up to 24:00; -1 for another text. */
static int
take_minute(struct kdp_rest_reader *reader, const char *member)
{
    struct kdp_value value = kdpi_value_take(reader->d, KDP_MEMBER_UNKNOWN);
    const char *p = value.text.data;
    int minute;

    if (value.kind != KDP_JSON_STRING || value.text.len < 5 || p[2] != ':' ||
        (value.text.len > 5 && p[5] != ':'))
        goto refused;
    for (unsigned i = 0; i < 5; i++)
        if (i != 2 && (p[i] < '0' || p[i] > '9'))
            goto refused;
    minute = ((p[0] - '0') * 10 + p[1] - '0') * 60;
    if (p[3] > '5' || minute + (p[3] - '0') * 10 + p[4] - '0' > MINUTES_DAY)
        goto refused;
    return minute + (p[3] - '0') * 10 + p[4] - '0';

refused:
    kdpi_rest_refuse(reader, KDP_REFUSAL_TIME, member, value.at);
    return -1;
}

static void
take_day(struct kdp_rest_reader *reader, struct kdp_rest_hours *hours, unsigned day)
{
    struct kdp_json *json = &reader->d->json;
    struct kdp_text key;

    if (kdpi_json_null(json))
        return;
    kdpi_json_array(json);
    hours->days[day].given = true;
    hours->days[day].count = 0;
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_element(json)) {
        size_t at = kdpi_json_offset(json);
        int open = -1, close = -1;
        uint8_t n = hours->days[day].count;

        kdpi_json_object(json);
        while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
            if (kdpi_text_is(key, "open_time"))
                open = take_minute(reader, "open_time");
            else if (kdpi_text_is(key, "close_time"))
                close = take_minute(reader, "close_time");
        }
        if (open < 0 || close < 0 || n == SESSIONS_MAX) {
            /* a session we cannot read: the day says nothing we could rely on */
            kdpi_rest_refuse(reader, n == SESSIONS_MAX ? KDP_REFUSAL_TOO_LONG : KDP_REFUSAL_MISSING,
                             day_names[day], at);
            hours->days[day].given = false;
            while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_element(json))
                kdpi_json_skip(json);
            return;
        }
        hours->days[day].sessions[n].open = (int16_t)open;
        hours->days[day].sessions[n].close = (int16_t)(close <= open ? close + MINUTES_DAY : close);
        hours->days[day].count++;
    }
}

static void
take_hours(struct kdp_rest_reader *reader, struct kdp_rest_schedule *schedule)
{
    struct kdp_json *json = &reader->d->json;
    size_t at = kdpi_json_offset(json);
    struct kdp_rest_hours *hours;
    struct kdp_text key;

    if (schedule->count == KDPI_REST_HOURS_MAX) {
        kdpi_rest_refuse(reader, KDP_REFUSAL_TOO_LONG, "standard_hours", at);
        return;
    }
    hours = &schedule->entries[schedule->count++];
    memset(hours, 0, sizeof *hours);
    hours->start_ns = INT64_MIN;
    hours->end_ns = INT64_MAX;
    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "start_time")) {
            kdpi_rest_take_time(reader, "start_time", &hours->start_ns);
            continue;
        }
        if (kdpi_text_is(key, "end_time")) {
            kdpi_rest_take_time(reader, "end_time", &hours->end_ns);
            continue;
        }
        for (unsigned day = 0; day < 7; day++) {
            if (kdpi_text_equal(key, day_names[day], strlen(day_names[day]))) {
                take_day(reader, hours, day);
                break;
            }
        }
    }
}

/* ---- pauses ---- */

struct pauses {
    struct kdp_rest_pause *list;
    uint32_t count, max;
    int64_t from_ns, to_ns;
};

/* Keeps a pause in its place by start; of more than max the latest are dropped. */
static void
add_pause(struct pauses *p, int64_t start_ns, int64_t end_ns, bool weekly)
{
    uint32_t at = p->count;

    if (start_ns >= end_ns || end_ns <= p->from_ns || start_ns >= p->to_ns)
        return;
    while (at > 0 && p->list[at - 1].start_ns > start_ns)
        at--;
    if (at == p->max)
        return;
    if (p->count < p->max)
        p->count++;
    memmove(&p->list[at + 1], &p->list[at], (p->count - at - 1) * sizeof *p->list);
    p->list[at] = (struct kdp_rest_pause){start_ns, end_ns, weekly};
}

static void
take_window(struct kdp_rest_reader *reader, struct pauses *p)
{
    struct kdp_json *json = &reader->d->json;
    size_t at = kdpi_json_offset(json);
    int64_t start_ns = KDP_TIME_NULL, end_ns = KDP_TIME_NULL;
    struct kdp_text key;

    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "start_datetime"))
            kdpi_rest_take_time(reader, "start_datetime", &start_ns);
        else if (kdpi_text_is(key, "end_datetime"))
            kdpi_rest_take_time(reader, "end_datetime", &end_ns);
    }
    if (start_ns == KDP_TIME_NULL || end_ns == KDP_TIME_NULL)
        kdpi_rest_refuse(reader, KDP_REFUSAL_MISSING, "maintenance_windows", at);
    else
        add_pause(p, start_ns, end_ns, false);
}

static const struct kdp_rest_hours *
hours_of(const struct kdp_rest_schedule *schedule, int32_t day)
{
    int64_t noon = eastern_ns(day, MINUTES_DAY / 2, true);

    for (uint32_t i = 0; i < schedule->count; i++) {
        if (noon >= schedule->entries[i].start_ns && noon < schedule->entries[i].end_ns)
            return &schedule->entries[i];
    }
    return NULL;
}

/* What lies between two sessions is a pause, from a minute up: closing times are given to the minute, and a day that
 * closes at 23:59 goes on. */
static void
close_until(struct pauses *p, int64_t *closed_ns, int64_t open_ns, int64_t close_ns)
{
    if (*closed_ns != KDP_TIME_NULL && open_ns - *closed_ns > NS_PER_MINUTE)
        add_pause(p, *closed_ns, open_ns, true);
    if (*closed_ns == KDP_TIME_NULL || close_ns > *closed_ns)
        *closed_ns = close_ns;
}

static void
add_weekly(const struct kdp_rest_schedule *schedule, struct pauses *p)
{
    int32_t first = kdpi_day_of(p->from_ns) - EDGE_DAYS, last = kdpi_day_of(p->to_ns) + EDGE_DAYS;
    int64_t closed_ns = KDP_TIME_NULL; /* where the sessions seen so far end */

    if (schedule->count == 0)
        return;
    if (first < 0)
        first = 0;
    if (last > first + DAYS_MAX)
        last = first + DAYS_MAX;
    if (last > DAY_MAX)
        last = DAY_MAX;
    for (int32_t day = first; day <= last; day++) {
        const struct kdp_rest_hours *hours = hours_of(schedule, day);
        unsigned of_week = weekday(day);
        int from = 0;

        if (hours == NULL || !hours->days[of_week].given) {
            close_until(p, &closed_ns, eastern_ns(day, 0, true), eastern_ns(day + 1, 0, true));
            continue;
        }
        /* in order of their opening, however they are listed */
        for (unsigned n = 0; n < hours->days[of_week].count; n++) {
            unsigned next = SESSIONS_MAX;

            for (unsigned i = 0; i < hours->days[of_week].count; i++) {
                int open = hours->days[of_week].sessions[i].open;

                if (open >= from && (next == SESSIONS_MAX || open < hours->days[of_week].sessions[next].open))
                    next = i;
            }
            if (next == SESSIONS_MAX)
                break;
            from = hours->days[of_week].sessions[next].open + 1;
            close_until(p, &closed_ns, eastern_ns(day, hours->days[of_week].sessions[next].open, false),
                        eastern_ns(day, hours->days[of_week].sessions[next].close, true));
        }
    }
}

uint32_t
kdpi_rest_schedule(struct kdp_rest_reader *reader, const char *body, size_t len, int64_t from_ns,
                   int64_t to_ns, struct kdp_rest_pause *pauses, uint32_t max, enum kdp_refusal *refusalp)
{
    struct kdp_json *json = &reader->d->json;
    struct pauses p = {pauses, 0, max, from_ns, to_ns};
    struct kdp_rest_schedule *schedule = &reader->schedule;
    bool there = false;
    struct kdp_text key;

    schedule->count = 0;
    kdpi_rest_begin(reader, body, len);
    kdpi_json_object(json);
    while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
        if (!kdpi_text_is(key, "schedule") || kdpi_json_null(json))
            continue;
        there = true;
        kdpi_json_object(json);
        while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_member(json, &key)) {
            bool hours = kdpi_text_is(key, "standard_hours");

            if ((!hours && !kdpi_text_is(key, "maintenance_windows")) || kdpi_json_null(json))
                continue;
            kdpi_json_array(json);
            while (json->refusal == KDP_REFUSAL_NONE && kdpi_json_element(json)) {
                if (hours)
                    take_hours(reader, schedule);
                else
                    take_window(reader, &p);
            }
        }
    }
    if (!kdpi_json_end(json)) {
        *refusalp = json->refusal;
        return 0;
    }
    add_weekly(schedule, &p);
    *refusalp = there ? reader->msg.refusal : KDP_REFUSAL_MISSING;
    return p.count;
}
