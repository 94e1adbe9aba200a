/* test_capture_rest.c - recorded REST answers decode without a refusal, and add up to what their text says.
 *
 * The sums were computed by a few lines of Python (json and decimal) from the same files. */
#include "clock.h"
#include "json.h"
#include "kdp_test.h"
#include "rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

struct sums {
    uint64_t markets, trades, books, events;
    int64_t volume_e2, bid_e4, ranges; /* of markets */
    int64_t count_e2, price_e4;        /* of trades */
    int64_t levels, size_e2;           /* of books */
};

static struct sums sums;
static struct kdp_rest_reader *reader;

static char *
load(const char *name, size_t *lenp)
{
    char path[1024];
    size_t size = 0, room = 1u << 20;
    char *data = malloc(room), *plain;
    ZSTD_DStream *stream;
    ZSTD_inBuffer in;
    ZSTD_outBuffer out;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", kdp_test_captures(), name);
    file = fopen(path, "rb");
    if (file == NULL)
        kdp_test_skip("no %s among the captures", name);
    CHECK(data != NULL);
    for (size_t n; (n = fread(data + size, 1, room - size, file)) > 0;) {
        size += n;
        if (size == room)
            data = realloc(data, room *= 2);
        CHECK(data != NULL);
    }
    fclose(file);
    *lenp = size;
    if (strstr(name, ".zst") == NULL)
        return data;
    stream = ZSTD_createDStream();
    plain = malloc(room = 64u << 20);
    CHECK(stream != NULL && plain != NULL);
    in = (ZSTD_inBuffer){data, size, 0};
    out = (ZSTD_outBuffer){plain, room, 0};
    while (in.pos < in.size) {
        CHECK(!ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)));
        CHECK(out.pos < out.size);
    }
    ZSTD_freeDStream(stream);
    free(data);
    *lenp = out.pos;
    return plain;
}

static bool
each_market(void *arg, const struct kdp_rest_market *m)
{
    (void)arg;
    CHECK(m->ticker.len > 0 && m->event_ticker.len > 0 && m->status != KDP_MARKET_STATUS_UNKNOWN);
    CHECK(m->open_ns != KDP_TIME_NULL && m->close_ns > m->open_ns && m->expiry_ns != KDP_TIME_NULL);
    sums.markets++;
    sums.volume_e2 += m->volume_e2;
    sums.bid_e4 += m->bid_e4;
    sums.ranges += m->range_count;
    return true;
}

static bool
each_trade(void *arg, const struct kdp_message *m)
{
    (void)arg;
    CHECK(m->trade.taker_side != KDP_SIDE_NONE && !m->trade.trade_id_hashed);
    sums.trades++;
    sums.count_e2 += m->trade.count_e2;
    sums.price_e4 += m->trade.price_e4;
    return true;
}

static bool
each_book(void *arg, const struct kdp_rest_book *book)
{
    (void)arg;
    sums.books++;
    sums.levels += book->count;
    for (uint32_t i = 0; i < book->count; i++)
        sums.size_e2 += book->levels[i].size_e2;
    return true;
}

static bool
each_event(void *arg, const struct kdp_rest_event *event)
{
    (void)arg;
    CHECK(event->event_ticker.len > 0 && event->series_ticker.len > 0 && event->title.len > 0);
    sums.events++;
    return true;
}

/* Decodes one body; the kind is a letter: m, t, b, e. */
static void
decode(char kind, const char *body, size_t len)
{
    struct kdp_rest_end end;

    if (kind == 'm')
        kdpi_rest_markets(reader, body, len, each_market, NULL, &end);
    else if (kind == 't')
        kdpi_rest_trades(reader, body, len, each_trade, NULL, &end);
    else if (kind == 'b')
        kdpi_rest_books(reader, body, len, each_book, NULL, &end);
    else
        kdpi_rest_events(reader, body, len, each_event, NULL, &end);
    if (end.refusal != KDP_REFUSAL_NONE || end.refused != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s at %zu: %.*s",
                      kdpi_refusal_text(end.refusal != KDP_REFUSAL_NONE ? end.refusal : end.item_refusal),
                      end.member, end.position, len < 3000 ? (int)len : 3000, body);
}

/* The same with an object put into the body it would have come in. */
static void
decode_wrapped(char kind, struct kdp_text object)
{
    const char *open = kind == 'm' ? "{\"market\":" : kind == 't' ? "{\"trades\":[" : "{\"events\":[";
    const char *close = kind == 'm' ? "}" : "]}";
    size_t len = strlen(open) + object.len + strlen(close);
    char *body = malloc(len + 1);

    CHECK(body != NULL);
    snprintf(body, len + 1, "%s%.*s%s", open, (int)object.len, object.data, close);
    decode(kind, body, len);
    free(body);
}

/* Finds what a recorder put around the objects of the exchange, and decodes each object found. */
static void
walk(struct kdp_text text)
{
    bool ticker = false, open_time = false, trade = false, book = false, event = false, series = false;
    struct kdp_json json;
    struct kdp_text key, value;

    kdpi_json_init(&json, NULL, NULL, 0);
    kdpi_json_begin(&json, text.data, text.len);
    if (kdpi_json_peek(&json) == KDP_JSON_OBJECT) {
        kdpi_json_object(&json);
        while (kdpi_json_member(&json, &key)) {
            ticker |= kdpi_text_is(key, "ticker");
            open_time |= kdpi_text_is(key, "open_time");
            trade |= kdpi_text_is(key, "trade_id");
            book |= kdpi_text_is(key, "orderbook_fp") || kdpi_text_is(key, "orderbook");
            event |= kdpi_text_is(key, "event_ticker");
            series |= kdpi_text_is(key, "series_ticker");
        }
        CHECK(kdpi_json_end(&json));
        if (book) {
            decode('b', text.data, text.len);
            return;
        }
        if (ticker && (open_time || trade)) {
            decode_wrapped(trade ? 't' : 'm', text);
            return;
        }
        if (event && series)
            decode_wrapped('e', text);
        kdpi_json_begin(&json, text.data, text.len);
        kdpi_json_object(&json);
        while (kdpi_json_member(&json, &key))
            if (kdpi_json_raw(&json, &value) && (value.data[0] == '{' || value.data[0] == '['))
                walk(value);
    } else if (kdpi_json_peek(&json) == KDP_JSON_ARRAY) {
        kdpi_json_array(&json);
        while (kdpi_json_element(&json))
            if (kdpi_json_raw(&json, &value) && (value.data[0] == '{' || value.data[0] == '['))
                walk(value);
    }
    CHECK(kdpi_json_end(&json));
}

/* A file of one JSON text, or of one a line. */
static void
file_adds_up(const char *name, struct sums want)
{
    size_t len;
    char *data = load(name, &len);

    reader = kdpi_rest_open();
    CHECK(reader != NULL);
    memset(&sums, 0, sizeof sums);
    if (strstr(name, ".jsonl") != NULL) {
        for (char *line = data, *end; (end = memchr(line, '\n', len - (size_t)(line - data))) != NULL;
             line = end + 1)
            if (end > line)
                walk((struct kdp_text){line, (size_t)(end - line)});
    } else {
        walk((struct kdp_text){data, len});
    }
    CHECK_INT(sums.markets, want.markets);
    CHECK_INT(sums.trades, want.trades);
    CHECK_INT(sums.books, want.books);
    CHECK_INT(sums.events, want.events);
    CHECK_INT(sums.volume_e2, want.volume_e2);
    CHECK_INT(sums.bid_e4, want.bid_e4);
    CHECK_INT(sums.ranges, want.ranges);
    CHECK_INT(sums.count_e2, want.count_e2);
    CHECK_INT(sums.price_e4, want.price_e4);
    CHECK_INT(sums.levels, want.levels);
    CHECK_INT(sums.size_e2, want.size_e2);
    kdpi_rest_close(reader);
    free(data);
}

KDP_TEST(markets_of_2026)
{
    file_adds_up("rest/markets_2026-07/crypto_hourly_2026-07-10_0022-0723.jsonl.zst",
                 (struct sums){.markets = 2104, .volume_e2 = 18963102, .bid_e4 = 149800, .ranges = 2104});
    file_adds_up("rest/markets_2026-07/sports_pairs_2026-07-09.jsonl.zst",
                 (struct sums){.markets = 1478, .volume_e2 = 2845747740, .bid_e4 = 4571500, .ranges = 1478});
    file_adds_up("rest/old_format_2026-03/markets_KXFEDMENTION-26MAR.json",
                 (struct sums){.markets = 46, .volume_e2 = 35811800, .bid_e4 = 187700, .ranges = 46});
    file_adds_up("rest/sports_2026-08/events_sports_nested.json.zst",
                 (struct sums){
                     .markets = 245, .events = 32, .volume_e2 = 2843351389, .bid_e4 = 657000, .ranges = 245});
}

KDP_TEST(books_of_every_age)
{
    file_adds_up("rest/sports_2026-08/combo_orderbooks.json",
                 (struct sums){.books = 20, .levels = 17, .size_e2 = 389800});
    file_adds_up("rest/old_format_2025-11/orderbook_polls_KXNBASPREAD-25NOV05BKNIND-IND12.json",
                 (struct sums){.books = 745, .levels = 242, .size_e2 = 234345800});
    file_adds_up("rest/old_format_2026-03/orderbook_soccer.json",
                 (struct sums){.books = 1, .levels = 48, .size_e2 = 54316500});
}

KDP_TEST(trades_of_a_day)
{
    file_adds_up("trades/kxeth15m_trades_26MAY15.jsonl.zst",
                 (struct sums){.trades = 81547, .count_e2 = 180209523, .price_e4 = 381320240});
    file_adds_up("rest/soccer_2026-03/trades.json",
                 (struct sums){.trades = 5, .count_e2 = 3900, .price_e4 = 19400});
}

/* Bodies as the exchange sent them, each by the decoder of its endpoint. */
static struct kdp_text
response(const char *name, const char *member)
{
    struct kdp_text key, value = {"", 0};
    struct kdp_json json;
    char path[256];
    size_t len;
    char *data;

    snprintf(path, sizeof path, "rest/%s", name);
    data = load(path, &len); /* kept: the slice points into it */
    kdpi_json_init(&json, NULL, NULL, 0);
    kdpi_json_begin(&json, data, len);
    kdpi_json_object(&json);
    while (kdpi_json_member(&json, &key))
        if (kdpi_text_equal(key, member, strlen(member)))
            kdpi_json_raw(&json, &value);
    CHECK(kdpi_json_end(&json) && value.len > 0);
    return value;
}

KDP_TEST(bodies_as_they_were_sent)
{
    static const struct {
        char kind;
        const char *name, *member;
        unsigned items;
    } bodies[] = {{'t', "golden_2026-01/trades_list_response.json", "response", 5},
                  {'m', "golden_2026-01/markets_list_response.json", "response", 5},
                  {'m', "golden_2026-01/market_single_response.json", "response", 1},
                  {'m', "golden_2026-01/event_single_response.json", "response", 1},
                  {'e', "golden_2026-01/event_single_response.json", "response", 1},
                  {'e', "golden_2026-01/events_list_response.json", "response", 5},
                  {'e', "golden_2026-01/events_multivariate_list_response.json", "response", 5},
                  {'b', "golden_2026-01/orderbook_response.json", "response", 1},
                  {'m', "sports_2026-08/market_single.json", "single", 1},
                  {'b', "sports_2026-08/market_single.json", "orderbook", 1}};

    reader = kdpi_rest_open();
    CHECK(reader != NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct kdp_text body = response(bodies[i].name, bodies[i].member);

        memset(&sums, 0, sizeof sums);
        decode(bodies[i].kind, body.data, body.len);
        CHECK_INT(sums.markets + sums.trades + sums.books + sums.events, bodies[i].items);
    }
}

KDP_TEST(status_and_schedule_as_they_were_sent)
{
    struct kdp_text body = response("golden_2026-01/exchange_status_response.json", "response");
    struct kdp_rest_status status;
    struct kdp_rest_pause pauses[8];
    enum kdp_refusal refusal;
    int64_t from_ns, want_ns;

    reader = kdpi_rest_open();
    CHECK(reader != NULL);
    CHECK_INT(kdpi_rest_status(reader, body.data, body.len, &status), KDP_REFUSAL_NONE);
    CHECK(status.exchange_active && status.trading_active && status.resume_ns == KDP_TIME_NULL);
    body = response("golden_2026-01/exchange_schedule_response.json", "response");
    CHECK_INT(kdpi_time_parse("2026-11-23", 10, &from_ns), 0);
    CHECK_INT(kdpi_rest_schedule(reader, body.data, body.len, from_ns, from_ns + 7 * KDP_NS_PER_DAY, pauses,
                                 8, &refusal),
              1);
    CHECK_INT(refusal, KDP_REFUSAL_NONE);
    CHECK_INT(kdpi_time_parse("2026-11-26T08:00:00Z", 20, &want_ns), 0);
    CHECK_INT(pauses[0].start_ns, want_ns);
    CHECK_INT(pauses[0].end_ns, want_ns + 7200 * KDP_NS_PER_S);
}
