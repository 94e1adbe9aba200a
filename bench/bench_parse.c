/* bench_parse.c - decoding an orderbook_delta frame: ours, simdjson's on-demand reader, and a floor that only
 * looks at each byte.  Fifty variants of a frame in turn, in the exchange's key order and with the keys of
 * each frame shuffled. */
#include "bench.h"
#include "bench_parse.h"
#include "message.h"

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
make_frames(struct bench_frames *frames, int shuffled)
{
    memset(frames, 0, sizeof *frames);
    for (unsigned i = 0; i < BENCH_FRAMES; i++) {
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

    for (uint64_t i = 0, f = 0; i < count; i++, f = f + 1 < BENCH_FRAMES ? f + 1 : 0) {
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

    for (uint64_t i = 0, f = 0; i < count; i++, f = f + 1 < BENCH_FRAMES ? f + 1 : 0) {
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
    snprintf(names[2], sizeof names[2], "parse_delta_simdjson_fields_%s", order);
    all[n++] = (struct bench_contestant){.name = names[2], .run = bench_simdjson_fields, .arg = frames};
    snprintf(names[3], sizeof names[3], "parse_delta_simdjson_lookup_%s", order);
    all[n++] = (struct bench_contestant){.name = names[3], .run = bench_simdjson_lookup, .arg = frames};
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

int
main(void)
{
    static struct bench_frames frames;

    decoder = kdpi_decoder_open();
    if (decoder == NULL)
        return 1;
    bench_machine();
    make_frames(&frames, 0);
    compare("feed_order", &frames);
    make_frames(&frames, 1);
    compare("shuffled", &frames);
    kdpi_decoder_close(decoder);
    return 0;
}
