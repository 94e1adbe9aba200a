/* bench_rest.c - decoding pages of REST: 1,000 markets with their long texts, 1,000 trades, a hundred books; ours, ours without
 * the check for keys given twice, and a floor that only looks at each byte. */
#include "bench.h"
#include "rest_private.h"

#include <emmintrin.h>

struct page {
    struct kdp_rest_reader *reader;
    char kind; /* m, t, b */
    char *body;
    size_t len;
};

static uint64_t items;

static bool
each_market(void *arg, const struct kdp_rest_market *m)
{
    *(uint64_t *)arg += (uint64_t)m->close_ns + m->ticker.len;
    items++;
    return true;
}

static bool
each_trade(void *arg, const struct kdp_message *m)
{
    *(uint64_t *)arg += (uint64_t)m->exch_ns + (uint64_t)m->trade.count_e2;
    items++;
    return true;
}

static bool
each_book(void *arg, const struct kdp_rest_book *book)
{
    *(uint64_t *)arg += book->count;
    items++;
    return true;
}

static uint64_t
run_decode(void *arg, uint64_t count)
{
    struct page *page = arg;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        struct kdp_rest_end end;

        if (page->kind == 'm')
            kdpi_rest_markets(page->reader, page->body, page->len, each_market, &sum, &end);
        else if (page->kind == 't')
            kdpi_rest_trades(page->reader, page->body, page->len, each_trade, &sum, &end);
        else
            kdpi_rest_books(page->reader, page->body, page->len, each_book, &sum, &end);
        if (end.refusal != KDP_REFUSAL_NONE || end.refused != 0)
            abort();
    }
    return sum;
}

static uint64_t
run_floor(void *arg, uint64_t count)
{
    struct page *page = arg;
    const __m128i quote = _mm_set1_epi8('"');
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++)
        for (size_t at = 0; at + 16 <= page->len; at += 16)
            sum += (uint64_t)_mm_movemask_epi8(
                _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(page->body + at)), quote));
    return sum;
}

static const char rules[] = "If the highest temperature recorded at the named station on the named day, as "
                            "reported by the source agency's climate "
                            "report, is between the two values given, then the market resolves to "
                            "\\\"Yes\\\".\\n\\nThe report's first final value counts. "
                            "Revisions after expiration will not be taken into account. ";

static size_t
make_market(char *out, size_t size, unsigned i)
{
    size_t len = (size_t)snprintf(
        out, size,
        "%s{\"ticker\":\"KXDEMO-26NOV%02u-B%u.5\",\"event_ticker\":\"KXDEMO-26NOV%02u\",\"market_type\":"
        "\"binary\",\"title\":\"Will "
        "the high be %u to %u on Nov %u?\",\"subtitle\":\"\",\"yes_sub_title\":\"%u to "
        "%u\",\"no_sub_title\":\"%u to %u\","
        "\"created_time\":\"2026-11-20T14:00:05.412345Z\",\"updated_time\":\"2026-11-20T14:00:05.412345Z\","
        "\"open_time\":"
        "\"2026-11-20T15:00:00Z\",\"close_time\":\"2026-11-23T04:59:00Z\",\"latest_expiration_time\":\"2026-"
        "11-30T15:00:00Z\","
        "\"expected_expiration_time\":\"2026-11-23T15:00:00Z\",\"expiration_time\":\"2026-11-30T15:00:00Z\","
        "\"settlement_timer_seconds\":300,\"status\":\"active\",\"notional_value_dollars\":\"1.0000\",\"yes_"
        "bid_dollars\":\"0.%02u00\","
        "\"yes_ask_dollars\":\"0.%02u00\",\"no_bid_dollars\":\"0.5600\",\"no_ask_dollars\":\"0.5800\",\"yes_"
        "bid_size_fp\":\"87.00\","
        "\"yes_ask_size_fp\":\"33.25\",\"last_price_dollars\":\"0.4300\",\"previous_yes_bid_dollars\":\"0."
        "4100\","
        "\"previous_yes_ask_dollars\":\"0.4400\",\"previous_price_dollars\":\"0.4200\",\"volume_fp\":\"%u."
        "75\",\"volume_24h_fp\":"
        "\"812.00\",\"open_interest_fp\":\"40211.00\",\"result\":\"\",\"can_close_early\":true,\"expiration_"
        "value\":\"\","
        "\"price_level_structure\":\"linear_cent\",\"price_ranges\":[{\"start\":\"0.0000\",\"end\":\"1."
        "0000\",\"step\":\"0.0100\"}],"
        "\"settlement_bounds_type\":\"default\",\"strike_type\":\"between\",\"floor_strike\":%u,\"cap_"
        "strike\":%u,\"custom_strike\":"
        "null,\"liquidity_dollars\":\"0.0000\",\"exchange_index\":0,\"is_provisional\":false,\"rules_"
        "primary\":\"",
        i == 0 ? "" : ",", i % 28 + 1, i, i % 28 + 1, i, i + 1, i % 28 + 1, i, i + 1, i, i + 1, i % 40 + 10,
        i % 40 + 12, i * 37, i, i + 1);

    for (int n = 0; n < 4; n++)
        len += (size_t)snprintf(out + len, size - len, "%s", rules);
    return len + (size_t)snprintf(out + len, size - len, "\",\"rules_secondary\":\"%s\"}", rules);
}

static void
make_page(struct page *page, char kind, bool keys)
{
    size_t size = 16u << 20, len = 0;
    char *out = malloc(size);

    page->reader = kdpi_rest_open();
    page->kind = kind;
    page->body = out;
    if (out == NULL || page->reader == NULL)
        abort();
    if (!keys)
        page->reader->d->json.keys = NULL;
    len += (size_t)snprintf(out, size, "{\"%s\":[",
                            kind == 'm'   ? "markets"
                            : kind == 't' ? "trades"
                                          : "orderbooks");
    for (unsigned i = 0; i < (kind == 'b' ? 100 : 1000); i++) {
        if (kind == 'm') {
            len += make_market(out + len, size - len, i);
        } else if (kind == 't') {
            len += (size_t)snprintf(out + len, size - len,
                                    "%s{\"trade_id\":\"5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f%04x\",\"ticker\":"
                                    "\"KXDEMO-26DEC01-T3\",\"count_fp\":\"%u.50\","
                                    "\"yes_price_dollars\":\"0.%02u50\",\"no_price_dollars\":\"0.%02u50\","
                                    "\"taker_outcome_side\":\"yes\","
                                    "\"taker_book_side\":\"bid\",\"taker_side\":\"yes\",\"created_time\":"
                                    "\"2026-11-20T14:03:07.%06uZ\","
                                    "\"is_block_trade\":false}",
                                    i == 0 ? "" : ",", i, i, i % 90 + 5, 99 - (i % 90 + 5), i);
        } else {
            len +=
                (size_t)snprintf(out + len, size - len,
                                 "%s{\"ticker\":\"KXDEMO-26DEC01-T%u\",\"orderbook_fp\":{\"yes_dollars\":[",
                                 i == 0 ? "" : ",", i);
            for (unsigned level = 1; level < 40; level++)
                len += (size_t)snprintf(out + len, size - len, "%s[\"0.%02u00\",\"%u.25\"]",
                                        level == 1 ? "" : ",", level, level * i);
            len += (size_t)snprintf(out + len, size - len, "],\"no_dollars\":[[\"0.5600\",\"33.25\"]]}}");
        }
    }
    len += (size_t)snprintf(out + len, size - len, "],\"cursor\":\"CgwI\"}");
    page->len = len;
}

int
main(void)
{
    static const struct {
        char kind;
        const char *name;
    } kinds[] = {{'m', "markets"}, {'t', "trades"}, {'b', "books"}};

    bench_machine();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct page ours, unchecked;
        struct bench_contestant contestants[] = {{.name = "ours", .run = run_decode, .arg = &ours},
                                                 {.name = "unchecked", .run = run_decode, .arg = &unchecked},
                                                 {.name = "floor", .run = run_floor, .arg = &ours}};

        make_page(&ours, kinds[i].kind, true);
        make_page(&unchecked, kinds[i].kind, false);
        printf("name=case case=rest_%s bytes=%zu\n", kinds[i].name, ours.len);
        bench_compare(contestants, 3, 3);
        printf("name=rate case=rest_%s ours_mb_s=%.0f unchecked_mb_s=%.0f floor_mb_s=%.0f\n", kinds[i].name,
               (double)ours.len * 1000 / contestants[0].p50, (double)ours.len * 1000 / contestants[1].p50,
               (double)ours.len * 1000 / contestants[2].p50);
    }
    return 0;
}
