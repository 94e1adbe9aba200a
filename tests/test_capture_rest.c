/* test_capture_rest.c - recorded REST answers decode without a refusal, and add up to what their text says.
 *
 * tests/data/rest_sums.txt has a line for each file of captures/rest and captures/trades, made by tests/support/rest_sums.py
 * (json and decimal of Python, nothing of kdp); the last case makes it again. */
#include "clock.h"
#include "json.h"
#include "kdp_test.h"
#include "rest.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

/* In the order of their names, as in a line of sums. */
/* clang-format off */
#define SUMS(X) \
    X(bid_e4) X(books) X(candles) X(count_e2) X(end_s) X(events) X(exclusive) X(interest_e2) X(level_e4) X(levels) \
    X(markets) X(mean_e6) X(multiplier_e6) X(ohlc_e4) X(other_e4) X(price_e4) X(ranges) X(series) X(size_e2) \
    X(tagged) X(terms) X(traded_e2) X(trades) X(volume_e2) X(words)
/* clang-format on */

struct sums {
#define KDP_X(name) int64_t name;
    SUMS(KDP_X)
#undef KDP_X
};

#define SUMS_FILE KDP_SOURCE_DIR "/tests/data/rest_sums.txt"

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

static int64_t
or_0(int64_t value, int64_t null)
{
    return value == null ? 0 : value;
}

static int64_t
price(int32_t price_e4)
{
    return or_0(price_e4, KDP_PRICE_NULL);
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
    sums.terms += (int64_t)(m->rules_primary.len + m->rules_secondary.len);
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
    for (uint32_t i = 0; i < book->count; i++) {
        sums.level_e4 += book->levels[i].price_e4;
        sums.size_e2 += book->levels[i].size_e2;
    }
    return true;
}

static bool
each_event(void *arg, const struct kdp_rest_event *event)
{
    (void)arg;
    CHECK(event->event_ticker.len > 0 && event->series_ticker.len > 0 && event->title.len > 0);
    sums.events++;
    sums.exclusive += event->mutually_exclusive == 1;
    sums.words += (int64_t)(event->title.len + event->sub_title.len + event->category.len);
    return true;
}

static bool
each_series(void *arg, const struct kdp_rest_series *series)
{
    (void)arg;
    sums.series++;
    sums.multiplier_e6 += or_0(series->fee_multiplier_e6, KDP_INT64_NULL);
    sums.words += (int64_t)(series->title.len + series->contract_url.len + series->fee_type.len);
    sums.tagged += series->tags.len > 0;
    return true;
}

static int64_t
ohlc(const struct kdp_rest_ohlc *prices)
{
    return price(prices->open_e4) + price(prices->high_e4) + price(prices->low_e4) + price(prices->close_e4);
}

static bool
each_candle(void *arg, const struct kdp_rest_candle *candle)
{
    (void)arg;
    sums.candles++;
    sums.end_s += candle->end_ns / KDP_NS_PER_S;
    sums.traded_e2 += or_0(candle->volume_e2, KDP_INT64_NULL);
    sums.interest_e2 += or_0(candle->open_interest_e2, KDP_INT64_NULL);
    sums.mean_e6 += or_0(candle->mean_e6, KDP_INT64_NULL);
    sums.ohlc_e4 += ohlc(&candle->bid) + ohlc(&candle->ask) + ohlc(&candle->price);
    sums.other_e4 += price(candle->previous_e4) + price(candle->min_e4) + price(candle->max_e4);
    return true;
}

static bool
no_fee_change(void *arg, const struct kdp_rest_fee_change *change)
{
    (void)arg;
    CHECK(change == NULL); /* none was recorded */
    return true;
}

/* Decodes one body; the kind is a letter: m, t, b, e, s, c, f, and M for the markets of events. */
static void
decode(char kind, const char *body, size_t len)
{
    struct kdp_rest_end end;

    switch (kind) {
    case 'm':
        kdpi_rest_markets(reader, body, len, each_market, NULL, &end);
        break;
    case 'M':
        kdpi_rest_event_markets(reader, body, len, each_market, NULL, &end);
        break;
    case 't':
        kdpi_rest_trades(reader, body, len, each_trade, NULL, &end);
        break;
    case 'b':
        kdpi_rest_books(reader, body, len, each_book, NULL, &end);
        break;
    case 'e':
        kdpi_rest_events(reader, body, len, each_event, NULL, &end);
        break;
    case 's':
        kdpi_rest_series(reader, body, len, each_series, NULL, &end);
        break;
    case 'f':
        kdpi_rest_fee_changes(reader, body, len, no_fee_change, NULL, &end);
        break;
    default:
        kdpi_rest_candles(reader, body, len, each_candle, NULL, &end, NULL);
        break;
    }
    if (end.refusal != KDP_REFUSAL_NONE || end.refused != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s: %s at %zu: %.*s",
                      kdpi_refusal_text(end.refusal != KDP_REFUSAL_NONE ? end.refusal : end.item_refusal),
                      end.member, end.position, len < 3000 ? (int)len : 3000, body);
}

/* The same with texts put into the body they would have come in. */
__attribute__((format(printf, 2, 3))) static void
decode_made(char kind, const char *fmt, ...)
{
    va_list args, again;
    char *body;
    int len;

    va_start(args, fmt);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    body = malloc((size_t)len + 1);
    CHECK(body != NULL);
    vsnprintf(body, (size_t)len + 1, fmt, again);
    decode(kind, body, (size_t)len);
    free(body);
    va_end(again);
    va_end(args);
}

#define TEXT(text) (int)(text).len, (text).data

struct found { /* members by which an object is known */
    bool ticker, open_time, trade, book, event, series, frequency, candles, nested;
    struct kdp_text body, response, yes, no; /* what a recorder put around or made of it */
};

static struct found
look(struct kdp_text text)
{
    struct found f = {0};
    struct kdp_json json;
    struct kdp_text key;

    kdpi_json_init(&json, NULL, NULL, 0);
    kdpi_json_begin(&json, text.data, text.len);
    kdpi_json_object(&json);
    while (kdpi_json_member(&json, &key)) {
        f.ticker |= kdpi_text_is(key, "ticker");
        f.open_time |= kdpi_text_is(key, "open_time");
        f.trade |= kdpi_text_is(key, "trade_id");
        f.book |= kdpi_text_is(key, "orderbook_fp") || kdpi_text_is(key, "orderbook");
        f.nested |= kdpi_text_is(key, "nested");
        f.event |= kdpi_text_is(key, "event_ticker");
        f.series |= kdpi_text_is(key, "series_ticker");
        f.frequency |= kdpi_text_is(key, "frequency");
        f.candles |= kdpi_text_is(key, "candlesticks") || kdpi_text_is(key, "market_candlesticks");
        if (kdpi_text_is(key, "response_body"))
            kdpi_json_raw(&json, &f.body);
        else if (kdpi_text_is(key, "response"))
            kdpi_json_raw(&json, &f.response);
        else if (kdpi_text_is(key, "yes_bids"))
            kdpi_json_raw(&json, &f.yes);
        else if (kdpi_text_is(key, "no_bids"))
            kdpi_json_raw(&json, &f.no);
    }
    CHECK(kdpi_json_end(&json));
    return f;
}

/* A text that is itself JSON. */
static struct kdp_text
unescaped(struct kdp_text raw)
{
    static char scratch[1 << 16];
    struct kdp_text text;
    struct kdp_json json;

    kdpi_json_init(&json, NULL, scratch, sizeof scratch);
    kdpi_json_begin(&json, raw.data, raw.len);
    CHECK(kdpi_json_string(&json, &text));
    return text;
}

static void walk(struct kdp_text text);

static void
walk_into(struct kdp_text text, bool object)
{
    struct kdp_json json;
    struct kdp_text value;

    kdpi_json_init(&json, NULL, NULL, 0);
    kdpi_json_begin(&json, text.data, text.len);
    if (object)
        kdpi_json_object(&json);
    else
        kdpi_json_array(&json);
    while (object ? kdpi_json_member(&json, NULL) : kdpi_json_element(&json))
        if (kdpi_json_raw(&json, &value) && (value.data[0] == '{' || value.data[0] == '['))
            walk(value);
    CHECK(kdpi_json_end(&json));
}

/* Finds the objects of the exchange in what a recorder put around them, and decodes each. */
static void
walk(struct kdp_text text)
{
    struct found f;

    while (text.len > 0 && strchr(" \n\r\t", text.data[0]) != NULL)
        text = (struct kdp_text){text.data + 1, text.len - 1};
    if (text.len == 0 || text.data[0] != '{') {
        walk_into(text, false);
        return;
    }
    f = look(text);
    if (f.body.len > 0) {
        walk(unescaped(f.body));
    } else if (f.response.len > 0) {
        walk(f.response);
    } else if (f.book && !f.nested) {
        decode('b', text.data, text.len);
    } else if (f.yes.len > 0) {
        decode_made('b', "{\"orderbook_fp\":{\"yes_dollars\":%.*s,\"no_dollars\":%.*s}}", TEXT(f.yes),
                    TEXT(f.no));
    } else if (f.candles) {
        decode('c', text.data, text.len);
    } else if (f.ticker && f.trade) {
        decode_made('t', "{\"trades\":[%.*s]}", TEXT(text));
    } else if (f.ticker && f.open_time) {
        decode_made('m', "{\"market\":%.*s}", TEXT(text));
    } else if (f.ticker && f.frequency) {
        decode_made('s', "{\"series\":%.*s}", TEXT(text));
    } else {
        if (f.event && f.series)
            decode_made('e', "{\"events\":[%.*s]}", TEXT(text));
        walk_into(text, true);
    }
}

/* A row of ticker,created_time,price,count,taker_side,trade_id as the trade it was made of. */
static void
csv_row(const char *row, size_t len)
{
    struct kdp_text cell[6];
    size_t n = 0;

    for (const char *end = row + len; n < 6 && row <= end; n++) {
        const char *comma = memchr(row, ',', (size_t)(end - row));

        cell[n] = (struct kdp_text){row, (size_t)((comma != NULL ? comma : end) - row)};
        row = comma != NULL ? comma + 1 : end + 1;
    }
    CHECK_INT(n, 6);
    if (kdpi_text_is(cell[0], "ticker"))
        return;
    decode_made('t',
                "{\"trades\":[{\"ticker\":\"%.*s\",\"created_time\":\"%.*s\",\"yes_price_dollars\":%.*s,"
                "\"count\":%.*s,\"taker_side\":\"%.*s\",\"trade_id\":\"%.*s\"}]}",
                TEXT(cell[0]), TEXT(cell[1]), TEXT(cell[2]), TEXT(cell[3]), TEXT(cell[4]), TEXT(cell[5]));
}

/* Decodes a file of one JSON text, or of one a line, or of rows. */
static void
add_up(const char *name)
{
    size_t len;
    char *data = load(name, &len);

    memset(&sums, 0, sizeof sums);
    if (strstr(name, ".jsonl") != NULL || strstr(name, ".csv") != NULL) {
        for (char *line = data, *end; (end = memchr(line, '\n', len - (size_t)(line - data))) != NULL;
             line = end + 1) {
            size_t size = (size_t)(end - line);

            if (size > 0 && line[size - 1] == '\r')
                size--;
            if (strstr(name, ".csv") != NULL)
                csv_row(line, size);
            else if (size > 0)
                walk((struct kdp_text){line, size});
        }
    } else {
        walk((struct kdp_text){data, len});
    }
    free(data);
}

static void
put_sums(char *line, size_t size, const char *name)
{
    size_t used = (size_t)snprintf(line, size, "%s", name);

#define KDP_X(sum)     \
    if (sums.sum != 0) \
        used += (size_t)snprintf(line + used, size - used, " " #sum "=%lld", (long long)sums.sum);
    SUMS(KDP_X)
#undef KDP_X
    CHECK(used < size);
}

/* Each file of the sums that begins with prefix; how many there were. */
static unsigned
files_add_up(const char *prefix)
{
    FILE *file = fopen(SUMS_FILE, "r");
    char line[1024], name[1024], got[1024];
    unsigned files = 0;

    CHECK(file != NULL);
    reader = kdpi_rest_open();
    CHECK(reader != NULL);
    kdpi_rest_want_terms(reader, true);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " "), line);
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        add_up(name);
        put_sums(got, sizeof got, name);
        CHECK_STR(got, line);
        files++;
    }
    fclose(file);
    kdpi_rest_close(reader);
    return files;
}

KDP_TEST(answers_of_january_2026)
{
    CHECK_INT(files_add_up("rest/golden_2026-01/"), 29);
}

KDP_TEST(markets_and_books_of_2026)
{
    CHECK_INT(files_add_up("rest/markets_2026-07/"), 3);
    CHECK_INT(files_add_up("rest/demo_2026-07-01/"), 1);
    CHECK_INT(files_add_up("rest/sports_2026-08/"), 4);
}

KDP_TEST(old_forms)
{
    CHECK_INT(files_add_up("rest/old_format_"), 3);
    CHECK_INT(files_add_up("rest/soccer_2026-03/"), 1);
}

KDP_TEST(trades_of_a_day_and_of_a_weekend)
{
    CHECK_INT(files_add_up("trades/"), 2);
}

/* Each file among the captures has its line of sums. */
static void
look_through(const char *folder, const char *text, unsigned *filesp)
{
    char path[1024], name[1024];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/%s", kdp_test_captures(), folder);
    dir = opendir(path);
    if (dir == NULL)
        kdp_test_skip("no %s among the captures", folder);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        CHECK((size_t)snprintf(name, sizeof name, "%s/%s", folder, entry->d_name) < sizeof name - 2);
        if (entry->d_type == DT_DIR) {
            look_through(name, text, filesp);
            continue;
        }
        ++*filesp;
        if (strstr(text, name) == NULL)
            kdp_test_fail(__FILE__, __LINE__, "%s: no line in tests/data/rest_sums.txt", name);
    }
    closedir(dir);
}

static char *
whole(FILE *file)
{
    static char text[1 << 16];
    size_t len = fread(text, 1, sizeof text - 1, file);

    CHECK(len > 0 && len < sizeof text - 1);
    text[len] = '\0';
    return text;
}

KDP_TEST(no_file_is_left_out)
{
    FILE *file = fopen(SUMS_FILE, "r");
    unsigned files = 0;
    char *text;

    CHECK(file != NULL);
    text = whole(file);
    fclose(file);
    look_through("rest", text, &files);
    look_through("trades", text, &files);
    CHECK_INT(files, 43);
}

KDP_TEST(the_sums_are_those_of_python)
{
    char command[2048], *want, *got;
    FILE *file;

    if (system("python3 -c 'import decimal' && command -v zstd >/dev/null") != 0)
        kdp_test_skip("no python3 or no zstd program");
    CHECK((size_t)snprintf(command, sizeof command,
                           "python3 -B '" KDP_SOURCE_DIR "/tests/support/rest_sums.py' '%s'",
                           kdp_test_captures()) < sizeof command);
    file = popen(command, "r");
    CHECK(file != NULL);
    got = strdup(whole(file));
    CHECK_INT(pclose(file), 0);
    file = fopen(SUMS_FILE, "r");
    CHECK(got != NULL && file != NULL);
    want = whole(file);
    CHECK_STR(got, want);
    fclose(file);
    free(got);
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
                  {'M', "golden_2026-01/event_single_response.json", "response", 1},
                  {'M', "golden_2026-01/events_list_response.json", "response", 0},
                  {'s', "golden_2026-01/series_list_response.json", "response", 241},
                  {'s', "golden_2026-01/series_single_response.json", "response", 1},
                  {'c', "golden_2026-01/series_candlesticks_response.json", "response", 90},
                  {'c', "golden_2026-01/candlesticks_batch_response.json", "response", 90},
                  {'c', "golden_2026-01/event_candlesticks_response.json", "response", 90},
                  {'f', "golden_2026-01/series_fee_changes_response.json", "response", 0},
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
        CHECK_INT(sums.markets + sums.trades + sums.books + sums.events + sums.series + sums.candles,
                  bodies[i].items);
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
