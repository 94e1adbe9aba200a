/* bulk.c - see bulk.h. */
#include "bulk.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "clock.h"
#include "decimal.h"
#include "kdp/records.h"

#define MARKETS 1000u

static uint64_t
mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Numbers of one row: the same wherever the row is made. */
static uint64_t
draw(uint64_t *state)
{
    return *state = mix(*state);
}

static uint64_t
first_state(const struct kdp_bulk *bulk, uint64_t row)
{
    return mix(mix(bulk->seed ^ (uint64_t)bulk->kind << 40) ^ (uint64_t)(uint32_t)bulk->day << 32) ^ mix(row);
}

static void
name_market(struct kdp_bulk_row *out, int32_t day, uint64_t number)
{
    static const char *const series[] = {
        "KXHIGHNY", "KXBTCD",        "KXETHD",    "KXNFLGAME",
        "KXINXY",   "KXFEDDECISION", "KXNBAGAME", "KXMVESPORTSMULTIGAMEEXTENDED"};
    static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                         "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
    unsigned which = (unsigned)(number % 8);
    char date[16];
    int year = 0, month = 1, of_month = 1;

    kdpi_day_format(date, day);
    sscanf(date, "%d-%d-%d", &year, &month, &of_month);
    snprintf(out->series, sizeof out->series, "%s", series[which]);
    if (which == 7)
        snprintf(out->ticker, sizeof out->ticker, "%s-S%04d%08" PRIX64, series[which], year % 10000,
                 number & UINT32_MAX);
    else if (which == 1)
        snprintf(out->ticker, sizeof out->ticker, "%s-%02d%s%02d17-T%" PRIu64 ".99", series[which],
                 year % 100, months[(month - 1) % 12], of_month, 10000 + number);
    else
        snprintf(out->ticker, sizeof out->ticker, "%s-%02d%s%02d-B%" PRIu64, series[which], year % 100,
                 months[(month - 1) % 12], of_month, number);
}

void
kdp_bulk_row(const struct kdp_bulk *bulk, uint64_t row, struct kdp_bulk_row *out)
{
    static const char *const states[] = {"active", "active", "finalized", "closed"};
    uint64_t state = first_state(bulk, row), markets = bulk->markets != 0 ? bulk->markets : MARKETS, r;

    *out = (struct kdp_bulk_row){
        .high_e4 = KDP_INT64_NULL, .low_e4 = KDP_INT64_NULL, .created_ns = KDP_TIME_NULL, .status = ""};
    r = draw(&state);
    if (bulk->kind == KDP_BULK_TRADES) {
        /* the square makes some markets much busier than others */
        uint64_t u = r >> 32;

        name_market(out, bulk->day, (u * u >> 32) * markets >> 32);
        r = draw(&state);
        out->contracts_e2 = (int64_t)(1 + r % 500) * 100;
        if (r >> 60 == 0)
            out->contracts_e2 += (int64_t)(r >> 20) % 100;
        out->price_e4 = (int64_t)(1 + draw(&state) % 99) * 100;
        if (r >> 61 == 0)
            out->price_e4 += (int64_t)(r >> 40) % 100;
        /* whole microseconds from row to row, so that any machine makes the same */
        out->created_ns = (int64_t)bulk->day * KDP_NS_PER_DAY +
                          KDP_NS_PER_DAY / 1000 / (int64_t)bulk->rows * (int64_t)row * 1000;
        return;
    }
    name_market(out, bulk->day, row);
    out->status = states[r % 4];
    if (r >> 62 != 0) { /* one market in four was not traded */
        out->contracts_e2 = (int64_t)(draw(&state) % 100000) * 100;
        out->open_interest_e2 = (int64_t)(draw(&state) % 500000) * 100;
        out->low_e4 = (int64_t)(1 + draw(&state) % 50) * 100;
        out->high_e4 = out->low_e4 + (int64_t)(draw(&state) % 50) * 100;
        if (r >> 59 == 15) {
            out->contracts_e2 += 25;
            out->high_e4 += 50;
            out->block_e2 = 10000;
        }
    }
}

/* A decimal without zeros that say nothing, now and then as a text. */
static size_t
put_number(char *out, size_t room, const char *name, int64_t value, unsigned scale, bool text)
{
    char digits[KDPI_DECIMAL_TEXT];
    size_t len;

    if (value == KDP_INT64_NULL)
        return (size_t)snprintf(out, room, ",\"%s\":null", name);
    len = kdpi_decimal_format(digits, value, scale);
    if (scale > 0) {
        while (digits[len - 1] == '0')
            len--;
        if (digits[len - 1] == '.')
            len--;
    }
    return (size_t)snprintf(out, room, ",\"%s\":%s%.*s%s", name, text ? "\"" : "", (int)len, digits,
                            text ? "\"" : "");
}

size_t
kdp_bulk_text(const struct kdp_bulk *bulk, uint64_t row, char *buf)
{
    struct kdp_bulk_row r;
    char day[16], time[KDPI_TIME_TEXT];
    size_t len = 0, room = KDP_BULK_ROW_MAX;
    bool text = mix(first_state(bulk, row) + 1) % 8 == 0;

    if (bulk->rows == 0)
        return (size_t)snprintf(buf, room, "[]\n");
    kdp_bulk_row(bulk, row, &r);
    kdpi_day_format(day, bulk->day);
    len = (size_t)snprintf(buf, room, "%s{\"date\":\"%s\",\"ticker_name\":\"%s\",\"report_ticker\":\"%s\"",
                           row == 0 ? "[" : "", day, r.ticker, r.series);
    if (bulk->kind == KDP_BULK_TRADES) {
        kdpi_time_format(time, r.created_ns, 6);
        len += put_number(buf + len, room - len, "contracts_traded", r.contracts_e2, 2, text);
        len += put_number(buf + len, room - len, "price", r.price_e4, 2, false);
        len += (size_t)snprintf(buf + len, room - len, ",\"create_ts\":\"%s\"}", time);
    } else {
        len += (size_t)snprintf(buf + len, room - len, ",\"payout_type\":\"Binary Option\"");
        len += put_number(buf + len, room - len, "open_interest", r.open_interest_e2, 2, text);
        len += put_number(buf + len, room - len, "daily_volume", r.contracts_e2, 2, text);
        len += put_number(buf + len, room - len, "block_volume", r.block_e2, 2, false);
        len += put_number(buf + len, room - len, "high", r.high_e4, 2, false);
        len += put_number(buf + len, room - len, "low", r.low_e4, 2, false);
        len += (size_t)snprintf(buf + len, room - len, ",\"status\":\"%s\"}", r.status);
    }
    len += (size_t)snprintf(buf + len, room - len, "%s", row + 1 == bulk->rows ? "]\n" : ",\n");
    return len;
}

void
kdp_bulk_name(const struct kdp_bulk *bulk, char *buf, size_t size)
{
    char day[16];

    kdpi_day_format(day, bulk->day);
    snprintf(buf, size, "%s_data_%s.json", bulk->kind == KDP_BULK_TRADES ? "trade" : "market", day);
}
