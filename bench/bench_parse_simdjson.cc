/* bench_parse_simdjson.cc - the same work with simdjson's on-demand reader, two ways: walking the fields, and looking each
 * one up.  Decimals and the time go through the plainest code that reads their fixed forms, inline. */
#include "bench_parse.h"

#include <simdjson.h>

#include <cstdio>
#include <cstdlib>

using namespace simdjson;

static ondemand::parser parser;

[[noreturn]] static void
fail(const char *frame)
{
    std::fprintf(stderr, "simdjson refused: %s\n", frame);
    std::exit(1);
}

static inline int64_t
decimal(std::string_view text, unsigned scale)
{
    int64_t value = 0;
    unsigned digits = 0;
    bool negative = text[0] == '-', point = false;

    for (size_t i = negative; i < text.size(); i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        value = value * 10 + (text[i] - '0');
        digits += point;
    }
    for (; digits < scale; digits++)
        value *= 10;
    return negative ? -value : value;
}

static inline int64_t
two(const char *p)
{
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* "2026-11-20T14:03:07.412345Z"; the day is kept from one frame to the next. */
static inline int64_t
time_ns(std::string_view text)
{
    static char day[10];
    static int64_t day_s;
    const char *p = text.data();
    int64_t micros = 0;

    if (text.size() != 27)
        return 0;
    if (std::memcmp(day, p, 10) != 0) {
        int64_t y = two(p) * 100 + two(p + 2), m = two(p + 5), d = two(p + 8);
        int64_t yy = y - (m <= 2), era = yy / 400, yoe = yy - era * 400;
        int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

        day_s = (era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468) * 86400;
        std::memcpy(day, p, 10);
    }
    for (int i = 20; i < 26; i++)
        micros = micros * 10 + (p[i] - '0');
    return (day_s + two(p + 11) * 3600 + two(p + 14) * 60 + two(p + 17)) * 1000000000 + micros * 1000;
}

static inline int64_t
settle(int64_t fine_ns, int64_t ts_ms)
{
    return fine_ns / 1000000 == ts_ms ? fine_ns : ts_ms * 1000000;
}

static uint64_t
one_by_fields(const char *frame, size_t len)
{
    int64_t price = 0, delta = 0, fine = 0;
    uint64_t sid = 0, seq = 0, ts_ms = 0;
    std::string_view type, ticker, id, side, text;
    ondemand::document doc;
    ondemand::object envelope, msg;

    if (parser.iterate(frame, len, BENCH_FRAME_SIZE).get(doc) || doc.get_object().get(envelope))
        fail(frame);
    for (auto field : envelope) {
        std::string_view key;

        if (field.unescaped_key().get(key))
            fail(frame);
        if (key == "type") {
            if (field.value().get_string().get(type))
                fail(frame);
        } else if (key == "sid") {
            if (field.value().get_uint64().get(sid))
                fail(frame);
        } else if (key == "seq") {
            if (field.value().get_uint64().get(seq))
                fail(frame);
        } else if (key == "msg") {
            if (field.value().get_object().get(msg))
                fail(frame);
            for (auto member : msg) {
                std::string_view name;

                if (member.unescaped_key().get(name))
                    fail(frame);
                if (name == "market_ticker") {
                    if (member.value().get_string().get(ticker))
                        fail(frame);
                } else if (name == "market_id") {
                    if (member.value().get_string().get(id))
                        fail(frame);
                } else if (name == "price_dollars") {
                    if (member.value().get_string().get(text))
                        fail(frame);
                    price = decimal(text, 4);
                } else if (name == "delta_fp") {
                    if (member.value().get_string().get(text))
                        fail(frame);
                    delta = decimal(text, 2);
                } else if (name == "side") {
                    if (member.value().get_string().get(side))
                        fail(frame);
                } else if (name == "ts") {
                    if (member.value().get_string().get(text))
                        fail(frame);
                    fine = time_ns(text);
                } else if (name == "ts_ms") {
                    if (member.value().get_uint64().get(ts_ms))
                        fail(frame);
                }
            }
        }
    }
    if (type != "orderbook_delta")
        fail(frame);
    return bench_delta_sum(price, delta, side == "yes" ? 1 : 2, sid, seq, settle(fine, (int64_t)ts_ms), (int64_t)ts_ms,
                           ticker.size());
}

static uint64_t
one_by_lookup(const char *frame, size_t len)
{
    uint64_t sid, seq, ts_ms;
    std::string_view type, ticker, id, side, price, delta, ts;
    ondemand::document doc;
    ondemand::object msg;

    if (parser.iterate(frame, len, BENCH_FRAME_SIZE).get(doc) || doc["type"].get_string().get(type) ||
        doc["sid"].get_uint64().get(sid) || doc["seq"].get_uint64().get(seq) || doc["msg"].get_object().get(msg) ||
        msg["market_ticker"].get_string().get(ticker) || msg["market_id"].get_string().get(id) ||
        msg["price_dollars"].get_string().get(price) || msg["delta_fp"].get_string().get(delta) ||
        msg["side"].get_string().get(side) || msg["ts"].get_string().get(ts) || msg["ts_ms"].get_uint64().get(ts_ms))
        fail(frame);
    if (type != "orderbook_delta")
        fail(frame);
    return bench_delta_sum(decimal(price, 4), decimal(delta, 2), side == "yes" ? 1 : 2, sid, seq,
                           settle(time_ns(ts), (int64_t)ts_ms), (int64_t)ts_ms, ticker.size());
}

uint64_t
bench_simdjson_fields(void *arg, uint64_t count)
{
    auto *frames = static_cast<bench_frames *>(arg);
    uint64_t sum = 0;

    for (uint64_t i = 0, f = 0; i < count; i++, f = f + 1 < frames->count ? f + 1 : 0)
        sum += one_by_fields(frames->data[f], frames->len[f]);
    return sum;
}

uint64_t
bench_simdjson_lookup(void *arg, uint64_t count)
{
    auto *frames = static_cast<bench_frames *>(arg);
    uint64_t sum = 0;

    for (uint64_t i = 0, f = 0; i < count; i++, f = f + 1 < frames->count ? f + 1 : 0)
        sum += one_by_lookup(frames->data[f], frames->len[f]);
    return sum;
}
