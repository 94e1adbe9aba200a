/* Recordings as a source of the simulator's exchange, frame by frame: scales, reconnects, closes, doubles, names, times. */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "exchange.h"
#include "kdp_test.h"
#include "raw.h"

#define NOW (INT64_C(1795359570) * KDP_NS_PER_S)
#define WAS (INT64_C(1700000000) * KDP_NS_PER_S)

static struct {
    struct kdp_exchange *ex;
    unsigned count[KDP_EXCHANGE_RAW + 1];
    uint8_t life[16];
    unsigned lives;
    int64_t last_ns, delta_sum;
    char raw[128];
} seen;

static void
on_event(void *arg, const struct kdp_exchange_event *event)
{
    (void)arg;
    seen.count[event->kind]++;
    seen.last_ns = event->time_ns;
    if (event->kind == KDP_EXCHANGE_MARKET && seen.lives < sizeof seen.life)
        seen.life[seen.lives++] = event->lifecycle;
    if (event->kind == KDP_EXCHANGE_DELTA)
        seen.delta_sum += event->delta.delta_e2;
    if (event->kind == KDP_EXCHANGE_RAW)
        snprintf(seen.raw, sizeof seen.raw, "%.*s", (int)event->raw.len, event->raw.data);
}

/* Lines of "MS CONN FRAME" with ' for ", MS milliseconds after WAS; "+" for a frame marks a connection. */
static bool hold, loop;

static struct kdp_exchange *
open_lines(const char *const *lines, unsigned count)
{
    char path[600];
    const char *input = path;
    struct kdp_exchange_config config = {
        .now_ns = NOW, .inputs = &input, .input_count = 1, .hold = hold, .loop = loop};
    FILE *file;

    snprintf(path, sizeof path, "%s/in.jsonl", kdp_test_dir());
    file = fopen(path, "w");
    CHECK(file != NULL);
    for (unsigned i = 0; i < count; i++) {
        unsigned ms, conn;
        int at;
        char frame[2048];

        CHECK(sscanf(lines[i], "%u %u %n", &ms, &conn, &at) == 2);
        snprintf(frame, sizeof frame, "%s", lines[i] + at);
        for (char *c = frame; *c != '\0'; c++)
            *c = *c == '\'' ? '"' : *c;
        fprintf(file, "{\"recv_ns\":%lld,\"conn\":%u,%s%s}\n", (long long)(WAS + ms * KDP_NS_PER_MS), conn,
                frame[0] == '+' ? "\"event\":\"connected\"" : "\"raw\":", frame[0] == '+' ? "" : frame);
    }
    CHECK_INT(fclose(file), 0);
    memset(&seen, 0, sizeof seen);
    CHECK_INT(kdp_exchange_open(&seen.ex, &config), 0);
    kdp_exchange_listen(seen.ex, on_event, NULL);
    return seen.ex;
}
#define OPEN(lines) open_lines((lines), sizeof(lines) / sizeof *(lines))

static struct kdp_exchange_market
look(const char *ticker)
{
    struct kdp_exchange_market market;
    uint32_t index = kdp_exchange_find(seen.ex, ticker, strlen(ticker));

    CHECK(index != UINT32_MAX);
    kdp_exchange_market_at(seen.ex, index, &market);
    return market;
}

#define SUB(id, sid) "{'type':'subscribed','id':" id ",'msg':{'channel':'orderbook_delta','sid':" sid "}}"
#define SNAP(sid, seq, levels)                              \
    "{'type':'orderbook_snapshot','sid':" sid ",'seq':" seq \
    ",'msg':{'market_ticker':'KXA-26NOV22-T1'" levels "}}"
#define DELTA(sid, seq, side, price, delta)                                                   \
    "{'type':'orderbook_delta','sid':" sid ",'seq':" seq                                      \
    ",'msg':{'market_ticker':'KXA-26NOV22-T1','price_dollars':'" price "','delta_fp':'" delta \
    "','side':'" side "'}}"
#define TRADE(sid, seq, id)                                                                                  \
    "{'type':'trade','sid':" sid ",'seq':" seq ",'msg':{'trade_id':'5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d" id   \
    "','market_ticker':'KXA-26NOV22-T1','yes_price_dollars':'0.4000','no_price_dollars':'0.6000','count_fp'" \
    ":"                                                                                                      \
    "'2.00','taker_side':'yes','ts':1700000000,'ts_ms':1700000000500}}"

KDP_TEST(no_prices_are_on_the_scale_that_the_client_asked_for)
{
    static const char *const lines[] = {
        "0 1 +",
        "0 1 {'id':1,'cmd':'subscribe','params':{'channels':['orderbook_delta'],'use_yes_price':true,"
        "'market_tickers':['KXA-26NOV22-T1']}}",
        "1 1 " SUB("1", "1"),
        "2 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00']],'no_dollars_fp':[['0.4400','7.00']]"),
        "3 1 " DELTA("1", "2", "no", "0.4500", "3.25"),
    };
    struct kdp_exchange *ex = OPEN(lines);
    struct kdp_exchange_market market = look("KXA-26NOV22-T1");

    CHECK_INT(market.bid_count[1], 1); /* from the start: its first snapshot */
    CHECK_INT(market.bids[1][0].price_e4, 5600);
    CHECK_INT(kdp_exchange_run(ex, INT64_MAX - 1, 0), INT64_MAX);
    market = look("KXA-26NOV22-T1");
    CHECK_INT(market.bid_count[1], 2);
    CHECK_INT(market.bids[1][1].price_e4, 5500);
    CHECK_INT(market.bids[1][1].size_e2, 325);
    CHECK_INT(market.bid_e4, 4000);
    CHECK_INT(market.ask_e4, 4400);
    CHECK_INT(seen.count[KDP_EXCHANGE_DELTA], 1);
    CHECK_INT(seen.count[KDP_EXCHANGE_SNAPSHOT], 0);
    kdp_exchange_close(ex);
}

KDP_TEST(a_difference_after_a_reconnect_is_told_as_changes)
{
    static const char *const lines[] = {
        "0 1 +",
        "2 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00'],['0.3900','1.00']]"),
        "500 1 +",
        "501 1 " DELTA("1", "1", "yes", "0.4000", "9.00"), /* before its snapshot: it does not count */
        "502 1 " SNAP("1", "2", ",'yes_dollars_fp':[['0.4000','4.00'],['0.3800','2.00']]"),
        "503 1 " DELTA("1", "9", "yes", "0.4000", "1.00"), /* after a gap: the exchange had none */
    };
    struct kdp_exchange *ex = OPEN(lines);
    struct kdp_exchange_market market;

    CHECK_INT(kdp_exchange_run(ex, INT64_MAX - 1, 0), INT64_MAX);
    market = look("KXA-26NOV22-T1");
    CHECK_INT(seen.count[KDP_EXCHANGE_DELTA], 4); /* -1.00, -1.00, +2.00, and the change */
    CHECK_INT(seen.delta_sum, 100);
    CHECK_INT(market.bid_count[0], 2);
    CHECK_INT(market.bids[0][0].size_e2, 500);
    CHECK_INT(market.bids[0][1].price_e4, 3800);
    CHECK_INT(seen.last_ns, NOW + 503 * KDP_NS_PER_MS);
    kdp_exchange_close(ex);
}

KDP_TEST(a_close_is_a_snapshot_without_levels)
{
    static const char *const lines[] = {
        "0 1 +",
        "1 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00']]"),
        "2 1 " SNAP("1", "2", ""),
        "3 1 " SNAP("1", "3", ""),
    };
    struct kdp_exchange *ex = OPEN(lines);

    CHECK_INT(look("KXA-26NOV22-T1").status, KDP_MARKET_STATUS_ACTIVE);
    CHECK_INT(kdp_exchange_run(ex, INT64_MAX - 1, 0), INT64_MAX);
    CHECK_INT(seen.count[KDP_EXCHANGE_SNAPSHOT], 2);
    CHECK_INT(seen.count[KDP_EXCHANGE_DELTA], 0);
    CHECK_INT(look("KXA-26NOV22-T1").bid_count[0], 0);
    CHECK_INT(look("KXA-26NOV22-T1").status, KDP_MARKET_STATUS_CLOSED);
    kdp_exchange_close(ex);
}

KDP_TEST(what_comes_twice_counts_once)
{
    static const char *const lines[] = {
        "0 1 +",
        "0 2 +",
        "1 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00']]"),
        "2 1 " DELTA("1", "2", "yes", "0.4000", "1.00"),
        "2 1 " DELTA("1", "2", "yes", "0.4000", "1.00"),
        "3 2 " DELTA("1", "1", "yes", "0.4000", "1.00"), /* not the book's subscription */
        "4 1 " TRADE("2", "1", "10"),
        "4 1 " TRADE("2", "1", "10"),
        "5 2 " TRADE("2", "1", "10"), /* the same trade on another line */
        "6 2 " TRADE("2", "2", "11"),
        "7 2 {'type':'weather','sid':9,'msg':{'wind':1}}",
    };
    struct kdp_exchange *ex = OPEN(lines);
    const struct kdp_exchange_trade *trade;

    CHECK_INT(kdp_exchange_run(ex, NOW + 9 * KDP_NS_PER_S, 0), INT64_MAX);
    CHECK_INT(look("KXA-26NOV22-T1").bids[0][0].size_e2, 600);
    CHECK_INT(kdp_exchange_trade_count(ex), 2);
    trade = kdp_exchange_trade_at(ex, 0);
    CHECK_INT(trade->trade_id[0], 0x5b);
    CHECK_INT(trade->trade_id[15], 0x10);
    CHECK_INT(trade->count_e2, 200);
    CHECK_INT(trade->taker_side, KDP_SIDE_YES);
    CHECK_INT(look("KXA-26NOV22-T1").volume_24h_e2, 400);
    CHECK_STR(seen.raw, "{\"type\":\"weather\",\"sid\":9,\"msg\":{\"wind\":1}}");
    kdp_exchange_close(ex);
}

KDP_TEST(a_market_comes_into_being_when_it_was_created)
{
    static const char *const lines[] = {
        "0 1 {'type':'event_lifecycle','sid':3,'seq':1,'msg':{'event_ticker':'KXA-26NOV22','title':'t',"
        "'subtitle':'s','collateral_return_type':'MECNET','series_ticker':'KXSERIES'}}",
        "1000 1 {'type':'market_lifecycle_v2','sid':3,'seq':2,'msg':{'market_ticker':'KXA-26NOV22-T1',"
        "'event_type':'created','open_ts':1700000010,'close_ts':1700000100,'price_level_structure':'deci_"
        "cent',"
        "'price_ranges':[{'start':'0.0000','end':'1.0000','step':'0.0010'}],'additional_metadata':{'title':'"
        "T',"
        "'yes_sub_title':'Y','event_ticker':'KXA-26NOV22','strike_type':'greater','floor_strike':3.5}}}",
        "2000 1 {'type':'market_lifecycle_v2','sid':3,'seq':3,'msg':{'market_ticker':'KXA-26NOV22-T1',"
        "'event_type':'determined','determination_ts':1700000002,'result':'yes','settlement_value':'1.0000'}"
        "}",
    };
    struct kdp_exchange *ex = OPEN(lines);
    struct kdp_exchange_market market;

    CHECK_INT(kdp_exchange_find(ex, "KXA-26NOV22-T1", 14), UINT32_MAX);
    kdp_exchange_run(ex, NOW + 1500 * KDP_NS_PER_MS, 0);
    CHECK_INT(seen.lives, 1);
    CHECK_INT(seen.life[0], KDP_LIFECYCLE_KIND_CREATED);
    CHECK_INT(seen.count[KDP_EXCHANGE_EVENT], 1);
    market = look("KXA-26NOV22-T1");
    CHECK_INT(market.status, KDP_MARKET_STATUS_INITIALIZED);
    CHECK_INT(market.open_ns, NOW + 10 * KDP_NS_PER_S);
    CHECK_INT(market.close_ns, NOW + 100 * KDP_NS_PER_S);
    CHECK_STR(market.event_ticker, "KXA-26NOV22");
    CHECK_STR(market.series_ticker, "KXSERIES");
    CHECK_STR(market.structure, "deci_cent");
    CHECK_INT(market.ranges[0].step_e4, 10);
    CHECK_INT(market.floor_strike_e6, 3500000);
    CHECK_STR(market.yes_sub_title, "Y");
    CHECK_INT(kdp_exchange_run(ex, INT64_MAX - 1, 0), INT64_MAX);
    market = look("KXA-26NOV22-T1");
    CHECK_INT(market.status, KDP_MARKET_STATUS_DETERMINED);
    CHECK_INT(market.result, KDP_RESULT_YES);
    CHECK_INT(seen.life[1], KDP_LIFECYCLE_KIND_DETERMINED);
    kdp_exchange_close(ex);
}

KDP_TEST(what_was_never_said_is_derived)
{
    static const char *const lines[] = {
        "1 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00']]"),
        "2 1 " DELTA("1", "2", "yes", "0.0110", "1.00"),
        "3 1 " DELTA("1", "3", "yes", "0.4010", "1.00"),
        "4 1 {'type':'ticker','sid':2,'msg':{'market_ticker':'KXMVEX-S1-2','price_dollars':'0.3000',"
        "'yes_bid_dollars':'0.2900','yes_ask_dollars':'0.3100','yes_bid_size_fp':'4.00','yes_ask_size_fp':"
        "'5.00','last_trade_size_fp':'1.00','volume_fp':'10.00','open_interest_fp':'6.00','dollar_volume':3,"
        "'dollar_open_interest':2,'ts':1700000000,'ts_ms':1700000000004,'time':'2023-11-14T22:13:20.004Z'}}",
    };
    struct kdp_exchange *ex = OPEN(lines);
    struct kdp_exchange_market market = look("KXA-26NOV22-T1");

    CHECK_STR(market.event_ticker, "KXA-26NOV22");
    CHECK_STR(market.series_ticker, "KXA");
    CHECK_STR(market.structure, "linear_cent");
    CHECK_INT(kdp_exchange_run(ex, INT64_MAX - 1, 0), INT64_MAX);
    CHECK_INT(seen.lives, 2); /* a tenth of a cent at the edge, then one in the middle */
    CHECK_INT(seen.life[0], KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED);
    CHECK_STR(look("KXA-26NOV22-T1").structure, "deci_cent");
    market = look("KXMVEX-S1-2");
    CHECK(market.combo);
    CHECK_INT(market.last_e4, 3000);
    CHECK_INT(market.bid_e4, 2900);
    CHECK_INT(market.ask_size_e2, 500);
    CHECK_INT(market.volume_e2, 1000);
    CHECK_INT(seen.count[KDP_EXCHANGE_TICKER], 1);
    kdp_exchange_close(ex);
}

static size_t
put_input(char *at, uint64_t index, uint8_t kind, const void *fixed, size_t fixed_len, const char *rest)
{
    size_t len = fixed_len + strlen(rest);
    struct kdp_input_head head = {
        .length = (uint32_t)len, .kind = kind, .line = kind == KDP_INPUT_FRAME, .index = index};

    head.recv_ns = WAS + (int64_t)index * KDP_NS_PER_MS;
    memset(at, 0, (sizeof head + len + 7) & ~(size_t)7);
    memcpy(at, &head, sizeof head);
    if (fixed_len > 0)
        memcpy(at + sizeof head, fixed, fixed_len);
    memcpy(at + sizeof head + fixed_len, rest, strlen(rest));
    return (sizeof head + len + 7) & ~(size_t)7;
}

/* A tape of our own also holds answers of REST: what markets are, and trades that the stream had lost. */
KDP_TEST(answers_on_a_raw_tape_are_used)
{
    static const char path[] = "/trade-api/v2/markets";
    static const char markets[] =
        "/trade-api/v2/markets{\"markets\":[{\"ticker\":\"KXB-1-X\",\"event_ticker\":\"KXB-1\",\"status\":"
        "\"active\",\"title\":\"Will it?\",\"market_type\":\"binary\",\"open_time\":\"2023-11-14T00:00:00Z\","
        "\"close_time\":\"2023-11-15T00:00:00Z\",\"volume_fp\":\"12.00\",\"price_level_structure\":\"deci_"
        "cent\","
        "\"price_ranges\":[{\"start\":\"0.0000\",\"end\":\"1.0000\",\"step\":\"0.0010\"}]}],\"cursor\":\"\"}";
    static const char trades[] =
        "/trade-api/v2/markets{\"trades\":[{\"trade_id\":\"5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10\",\"ticker\":"
        "\"KXB-1-X\",\"yes_price_dollars\":\"0.4000\",\"no_price_dollars\":\"0.6000\",\"count_fp\":\"3.00\","
        "\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\",\"is_block_trade\":false,\"created_"
        "time\":"
        "\"2023-11-14T22:13:20.001Z\"}],\"cursor\":\"\"}";
    struct kdp_input_rest what = {.status = 200, .path_len = sizeof path - 1};
    struct kdp_raw_config raw_config = {.dir = kdp_test_dir(), .session = 1};
    const char *input = kdp_test_dir();
    struct kdp_exchange_config config = {.now_ns = NOW, .inputs = &input, .input_count = 1};
    struct kdp_input_start start = {.next_seq = 1, .next_instrument = 1};
    struct kdp_raw_writer *writer;
    static char inputs[8192];
    size_t bytes = 0;
    uint64_t torn;
    struct kdp_exchange_market market;

    CHECK_INT(kdp_raw_writer_open(&writer, &raw_config, 1, &torn), 0);
    bytes += put_input(inputs, 1, KDP_INPUT_START, &start, sizeof start, "");
    what.request = KDP_REST_REQUEST(KDP_REST_MARKETS, 1);
    bytes += put_input(inputs + bytes, 2, KDP_INPUT_REST, &what, sizeof what, markets);
    what.request = KDP_REST_REQUEST(KDP_REST_TRADES, 2);
    bytes += put_input(inputs + bytes, 3, KDP_INPUT_REST, &what, sizeof what, trades);
    CHECK_INT(kdp_raw_append(writer, inputs, bytes), 0);
    CHECK_INT(kdp_raw_writer_close(writer), 0);
    memset(&seen, 0, sizeof seen);
    CHECK_INT(kdp_exchange_open(&seen.ex, &config), 0);
    kdp_exchange_listen(seen.ex, on_event, NULL);
    market = look("KXB-1-X");
    CHECK_STR(market.title, "Will it?");
    CHECK_STR(market.event_ticker, "KXB-1");
    CHECK_INT(market.ranges[0].step_e4, 10);
    CHECK_INT(kdp_exchange_run(seen.ex, INT64_MAX - 1, 0), INT64_MAX);
    CHECK_INT(kdp_exchange_trade_count(seen.ex), 1);
    CHECK_INT(look("KXB-1-X").trades, 1);
    CHECK_INT(look("KXB-1-X").last_e4, 4000);
    kdp_exchange_close(seen.ex);
}

KDP_TEST(a_recording_that_is_held_begins_when_it_is_let_go)
{
    static const char *const lines[] = {
        "0 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00']]"),
        "1000 1 " DELTA("1", "2", "yes", "0.4000", "1.00"),
    };
    struct kdp_exchange *ex;
    int64_t close_ns;

    hold = true;
    ex = OPEN(lines);
    close_ns = look("KXA-26NOV22-T1").close_ns;
    CHECK_INT(kdp_exchange_run(ex, NOW + 60 * KDP_NS_PER_S, 0), INT64_MAX);
    CHECK_INT(look("KXA-26NOV22-T1").bids[0][0].size_e2, 500);
    kdp_exchange_release(ex, NOW + 60 * KDP_NS_PER_S);
    CHECK_INT(kdp_exchange_run(ex, NOW + 60 * KDP_NS_PER_S, 0), NOW + 61 * KDP_NS_PER_S);
    CHECK_INT(look("KXA-26NOV22-T1").close_ns, close_ns + 60 * KDP_NS_PER_S);
    CHECK_INT(kdp_exchange_run(ex, NOW + 61 * KDP_NS_PER_S, 0), INT64_MAX);
    CHECK_INT(look("KXA-26NOV22-T1").bids[0][0].size_e2, 600);
    CHECK_INT(seen.last_ns, NOW + 61 * KDP_NS_PER_S);
    kdp_exchange_close(ex);
}

KDP_TEST(a_loop_begins_again_but_for_what_was_determined)
{
    static const char *const lines[] = {
        "0 1 " SNAP("1", "1", ",'yes_dollars_fp':[['0.4000','5.00']]"),
        "1 1 {'type':'orderbook_snapshot','sid':1,'seq':2,'msg':{'market_ticker':'KXB-1-T1','yes_dollars_fp':"
        "[['0.3000','2.00']]}}",
        "2 1 " DELTA("1", "3", "yes", "0.4000", "1.00"),
        "3 1 " TRADE("2", "1", "10"),
        "4 1 {'type':'market_lifecycle_v2','sid':3,'seq':3,'msg':{'market_ticker':'KXB-1-T1','event_type':"
        "'determined','determination_ts':1700000002,'result':'yes','settlement_value':'1.0000'}}",
    };
    struct kdp_exchange *ex;

    loop = true;
    ex = OPEN(lines);
    kdp_exchange_run(ex, NOW + 900 * KDP_NS_PER_MS, 0);
    CHECK_INT(seen.lives, 1);
    CHECK_INT(seen.count[KDP_EXCHANGE_DELTA], 1);
    kdp_exchange_run(ex, NOW + 1900 * KDP_NS_PER_MS, 0);
    CHECK_INT(seen.lives, 1);                     /* determined once */
    CHECK_INT(seen.count[KDP_EXCHANGE_DELTA], 3); /* back to 5.00, and up again */
    CHECK_INT(seen.count[KDP_EXCHANGE_SNAPSHOT], 0);
    CHECK_INT(look("KXA-26NOV22-T1").bids[0][0].size_e2, 600);
    CHECK_INT(look("KXB-1-T1").status, KDP_MARKET_STATUS_DETERMINED);
    CHECK_INT(kdp_exchange_trade_count(ex), 2);
    CHECK(memcmp(kdp_exchange_trade_at(ex, 0)->trade_id, kdp_exchange_trade_at(ex, 1)->trade_id, 16) != 0);
    kdp_exchange_close(ex);
}

KDP_TEST(a_recording_that_is_not_there_is_told)
{
    const char *input = "/nowhere/at/all.jsonl";
    struct kdp_exchange_config config = {.now_ns = NOW, .inputs = &input, .input_count = 1};
    struct kdp_exchange *ex;

    CHECK(kdp_exchange_open(&ex, &config) < 0);
    CHECK(ex == NULL);
    config.input_count = 0;
    CHECK(kdp_exchange_open(&ex, &config) < 0);
}
