/* bench_parse.c - decoding an orderbook_delta frame: ours, simdjson's on-demand reader, and a floor that only
 * looks at each byte.  Variants of a frame in turn, fifty of them or more than a branch predictor remembers,
 * in the exchange's key order and with the keys of each frame shuffled; then the other kinds, one frame each.
 */
#include "bench.h"
#include "bench_parse.h"
#include "message_private.h"

#include <emmintrin.h>

static uint64_t random_state = 20261122;
static struct kdp_decoder *decoder;

static unsigned
pick(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % below;
}

static void
shuffle(const char **items, unsigned n)
{
    for (unsigned i = n; i > 1; i--) {
        unsigned j = pick(i);
        const char *item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
}

static size_t
join(char *out, size_t size, const char *const *items, unsigned n)
{
    size_t len = 0;

    for (unsigned i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? "," : "", items[i]);
    return len;
}

static void
make_frames(struct bench_frames *frames, unsigned count, bool shuffled)
{
    memset(frames, 0, sizeof *frames);
    frames->count = count;
    for (unsigned i = 0; i < count; i++) {
        char seq[32], ticker[64], price[40], delta[40], side[20], ts[64], ts_ms[40], inner[400], msg[420];
        unsigned ms = pick(1000), us = pick(1000), second = pick(60);
        long long at_ms = 1795183380000LL + second * 1000 + ms;
        const char *body[7] = {
            ticker, "\"market_id\":\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03\"", price, delta, side, ts, ts_ms};
        const char *envelope[4] = {"\"type\":\"orderbook_delta\"", "\"sid\":2", seq, msg};

        snprintf(seq, sizeof seq, "\"seq\":%u", 100000 + pick(900000));
        snprintf(ticker, sizeof ticker, "\"market_ticker\":\"KXDEMO15M-26NOV%02u%02u%02u-%02u\"",
                 pick(28) + 1, pick(24), pick(60), pick(60));
        snprintf(price, sizeof price, "\"price_dollars\":\"0.%02u%s\"", pick(98) + 1,
                 pick(3) == 0 ? "50" : "00");
        snprintf(delta, sizeof delta, "\"delta_fp\":\"%s%u.%02u\"", pick(2) ? "-" : "",
                 pick(4) ? pick(1000) : pick(100000), pick(7) == 0 ? pick(100) : 0);
        snprintf(side, sizeof side, "\"side\":\"%s\"", pick(2) ? "yes" : "no");
        snprintf(ts, sizeof ts, "\"ts\":\"2026-11-20T14:03:%02u.%03u%03uZ\"", second, ms, us);
        snprintf(ts_ms, sizeof ts_ms, "\"ts_ms\":%lld", at_ms);
        if (shuffled) {
            shuffle(body, 7);
            shuffle(envelope, 4);
        }
        join(inner, sizeof inner, body, 7);
        snprintf(msg, sizeof msg, "\"msg\":{%s}", inner);
        frames->data[i][0] = '{';
        frames->len[i] = 1 + join(frames->data[i] + 1, 440, envelope, 4);
        frames->data[i][frames->len[i]++] = '}';
    }
}

static uint64_t
run_kdp(void *arg, uint64_t count)
{
    struct bench_frames *frames = arg;
    struct kdp_message msg;
    uint64_t sum = 0;

    for (uint64_t i = 0, f = 0; i < count; i++, f = f + 1 < frames->count ? f + 1 : 0) {
        if (kdpi_decode(decoder, frames->data[f], frames->len[f], &msg) != KDP_REFUSAL_NONE) {
            fprintf(stderr, "refused: %s\n", frames->data[f]);
            exit(1);
        }
        sum += bench_delta_sum(msg.delta.price_e4, msg.delta.delta_e2, msg.delta.side, msg.sid, msg.seq,
                               msg.exch_ns, msg.ts_ms, msg.market_ticker.len);
    }
    return sum;
}

/* What no reader can be under: every byte loaded, quotes and backslashes counted. */
static uint64_t
run_floor(void *arg, uint64_t count)
{
    struct bench_frames *frames = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0, f = 0; i < count; i++, f = f + 1 < frames->count ? f + 1 : 0) {
        const char *p = frames->data[f], *end = p + frames->len[f];

        for (; p < end; p += 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i hit =
                _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));

            sum += (unsigned)_mm_movemask_epi8(hit);
        }
    }
    return sum;
}

static void
compare(const char *order, struct bench_frames *frames)
{
    static struct bench_contestant all[4];
    char names[4][64];
    unsigned n = 0;
    double peer = 0, peer_min = 0;

    snprintf(names[0], sizeof names[0], "parse_delta_kdp_%s", order);
    all[n++] = (struct bench_contestant){.name = names[0], .run = run_kdp, .arg = frames};
    snprintf(names[1], sizeof names[1], "parse_delta_floor_%s", order);
    all[n++] = (struct bench_contestant){.name = names[1], .run = run_floor, .arg = frames};
#ifdef KDP_BENCH_SIMDJSON
    if (getenv("KDP_BENCH_NO_PEER") !=
        NULL) /* valgrind does not know all instructions of a peer made for this CPU */
        goto compare;
    snprintf(names[2], sizeof names[2], "parse_delta_simdjson_fields_%s", order);
    all[n++] = (struct bench_contestant){.name = names[2], .run = bench_simdjson_fields, .arg = frames};
    snprintf(names[3], sizeof names[3], "parse_delta_simdjson_lookup_%s", order);
    all[n++] = (struct bench_contestant){.name = names[3], .run = bench_simdjson_lookup, .arg = frames};
compare:
#endif
    bench_compare(all, n, 20000);
    for (unsigned i = 2; i < n; i++) {
        if (all[i].sum != all[0].sum) {
            fprintf(stderr, "%s and %s do not agree about the frames\n", all[0].name, all[i].name);
            exit(1);
        }
        peer = i == 2 || all[i].p50 < peer ? all[i].p50 : peer;
        peer_min = i == 2 || all[i].min < peer_min ? all[i].min : peer_min;
    }
    if (n > 2)
        printf("name=parse_delta_ratio_%s kdp_over_simdjson_p50=%.2f kdp_over_simdjson_min=%.2f bytes=%zu\n",
               order, all[0].p50 / peer, all[0].min / peer_min, frames->len[0]);
}

/* One frame again and again: the other kinds, and the general way. */
struct single {
    const char *name;
    bool general;
    size_t len;
    char frame[4096];
};

static uint64_t
run_single(void *arg, uint64_t count)
{
    const struct single *single = arg;
    static struct kdp_message msg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        if ((single->general ? kdpi_decode_general(decoder, single->frame, single->len, &msg)
                             : kdpi_decode(decoder, single->frame, single->len, &msg)) != KDP_REFUSAL_NONE)
            exit(1);
        sum += msg.market_ticker.len + (uint64_t)msg.kind;
    }
    return sum;
}

/* A recording's line, {"recv_ns","conn","raw"}, taken apart: reading and unescaping what kdpi_decode gets. */
static uint64_t
run_wrapped(void *arg, uint64_t count)
{
    static struct kdp_json_keys keys;
    static char scratch[8192];
    const struct single *single = arg;
    struct kdp_json json;
    struct kdp_text key, raw;
    int64_t recv_ns = 0;
    uint64_t sum = 0;

    kdpi_json_init(&json, &keys, scratch, sizeof scratch);
    for (uint64_t i = 0; i < count; i++) {
        kdpi_json_begin(&json, single->frame, single->len);
        kdpi_json_object(&json);
        while (kdpi_json_member(&json, &key)) {
            if (kdpi_text_is(key, "recv_ns"))
                kdpi_json_int64(&json, &recv_ns);
            else if (kdpi_text_is(key, "raw") && kdpi_json_string(&json, &raw))
                sum += raw.len;
        }
        if (!kdpi_json_end(&json))
            exit(1);
        sum += (uint64_t)recv_ns;
    }
    return sum;
}

static void
wrap(struct single *line, const char *frame)
{
    line->len = (size_t)snprintf(line->frame, sizeof line->frame,
                                 "{\"recv_ns\":1795183387415616128,\"conn\":1,\"raw\":\"");
    for (; *frame != '\0'; frame++) {
        if (*frame == '"')
            line->frame[line->len++] = '\\';
        line->frame[line->len++] = *frame;
    }
    line->frame[line->len++] = '"';
    line->frame[line->len++] = '}';
}

static void
levels(struct single *single, const char *name)
{
    size_t size = sizeof single->frame;

    single->len += (size_t)snprintf(single->frame + single->len, size - single->len, ",\"%s\":[", name);
    for (unsigned i = 0; i < 31; i++)
        single->len +=
            (size_t)snprintf(single->frame + single->len, size - single->len, "%s[\"0.%02u00\",\"%u.%02u\"]",
                             i > 0 ? "," : "", i + 1, pick(5000), pick(7) == 0 ? pick(100) : 0);
    single->len += (size_t)snprintf(single->frame + single->len, size - single->len, "]");
}

static void
others(const struct bench_frames *frames)
{
    static struct single delta = {"parse_delta_general", true, 0, ""},
                         ticker = {"parse_ticker", false, 0, ""}, trade = {"parse_trade", false, 0, ""},
                         snapshot = {"parse_snapshot_62_levels", false, 0, ""},
                         line = {"parse_wrapped_line", false, 0, ""};
    static struct bench_contestant all[5];
    struct single *const singles[5] = {&delta, &ticker, &trade, &snapshot, &line};

    delta.len = frames->len[0];
    memcpy(delta.frame, frames->data[0], delta.len);
    ticker.len = (size_t)snprintf(
        ticker.frame, sizeof ticker.frame,
        "{\"type\":\"ticker\",\"sid\":3,\"msg\":{\"market_ticker\":\"KXDEMO-26DEC01-T3\",\"market_id\":"
        "\"0b1f8c52-6d38-4e0a-9c55-5a1b6e1d2f03\",\"price_dollars\":\"0.4350\",\"yes_bid_dollars\":\"0."
        "4200\","
        "\"yes_ask_dollars\":\"0.4400\",\"yes_bid_size_fp\":\"87.00\",\"yes_ask_size_fp\":\"33.25\",\"last_"
        "trade_size_fp\":"
        "\"12.50\",\"volume_fp\":\"91233.75\",\"open_interest_fp\":\"40211.00\",\"dollar_volume\":39712,"
        "\"dollar_open_interest\":17410,\"ts\":1795183387,\"ts_ms\":1795183387412,\"time\":\"2026-11-20T14:"
        "03:07.412345Z\"}}");
    trade.len = (size_t)snprintf(trade.frame, sizeof trade.frame,
                                 "{\"type\":\"trade\",\"sid\":2,\"seq\":41,\"msg\":{\"trade_id\":\"5b0e7c1e-"
                                 "8a5e-4a7e-9a51-0c2b7a6f9d10\","
                                 "\"market_ticker\":\"KXDEMO-26DEC01-T3\",\"yes_price_dollars\":\"0.4350\","
                                 "\"no_price_dollars\":\"0.5650\",\"count_fp\":"
                                 "\"12.50\",\"taker_side\":\"yes\",\"taker_outcome_side\":\"yes\",\"taker_"
                                 "book_side\":\"bid\",\"is_block_trade\":false,"
                                 "\"ts\":1795183387,\"ts_ms\":1795183387412}}");
    snapshot.len =
        (size_t)snprintf(snapshot.frame, sizeof snapshot.frame,
                         "{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":1,\"msg\":{\"market_ticker\":"
                         "\"KXDEMO-26DEC01-T3\"");
    levels(&snapshot, "yes_dollars_fp");
    levels(&snapshot, "no_dollars_fp");
    snapshot.len += (size_t)snprintf(snapshot.frame + snapshot.len, 3, "}}");
    wrap(&line, frames->data[0]);
    for (unsigned i = 0; i < 5; i++)
        all[i] = (struct bench_contestant){
            .name = singles[i]->name, .run = i < 4 ? run_single : run_wrapped, .arg = singles[i]};
    bench_compare(all, 5, 2000);
}

int
main(int argc, char **argv)
{
    static struct bench_frames frames;

    decoder = kdpi_decoder_open();
    if (decoder == NULL)
        return 1;
    bench_machine();
    make_frames(&frames, BENCH_FRAMES, false);
    compare("feed_order", &frames);
    if (argc > 1 && strcmp(argv[1], "feed_order") == 0) /* one case, for callgrind.sh */
        return 0;
    if (getenv("KDP_BENCH_NO_PEER") == NULL)
        others(&frames);
    make_frames(&frames, BENCH_FRAMES, true);
    compare("shuffled", &frames);
    if (getenv("KDP_BENCH_NO_PEER") == NULL) {
        make_frames(&frames, BENCH_FRAMES_MANY, false);
        compare("feed_order_2000", &frames);
        make_frames(&frames, BENCH_FRAMES_MANY, true);
        compare("shuffled_2000", &frames);
    }
    kdpi_decoder_close(decoder);
    return 0;
}
