/* rest_trade.c - trades over REST, of both tiers (docs/exchange.md 3.4, 3.6).
 *
 * A page of a thousand is a third of a megabyte, and a backfill asks for hundreds a second: each trade is written straight into
 * room that was made for all of it. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define TRADE_ROOM 512u /* bytes of a trade's text but for its ticker */

static char *
put(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}
#define LIT(at, literal) put((at), "" literal "", sizeof(literal) - 1)

static char *
put_price(char *at, int32_t price_e4) /* 0 to 10000 */
{
    uint32_t rest = (uint32_t)price_e4 % 10000;

    at[0] = (char)('0' + price_e4 / 10000);
    at[1] = '.';
    at[2] = (char)('0' + rest / 1000);
    at[3] = (char)('0' + rest / 100 % 10);
    at[4] = (char)('0' + rest / 10 % 10);
    at[5] = (char)('0' + rest % 10);
    return at + 6;
}

static char *
put_count(char *at, int64_t count_e2)
{
    char digits[24];
    unsigned n = 0;
    uint64_t whole = (uint64_t)count_e2 / 100;
    uint32_t rest = (uint32_t)((uint64_t)count_e2 % 100);

    do {
        digits[n++] = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole != 0);
    while (n > 0)
        *at++ = digits[--n];
    *at++ = '.';
    *at++ = (char)('0' + rest / 10);
    *at++ = (char)('0' + rest % 10);
    return at;
}

/* As the exchange writes times: up to six digits of a second, and no zeros behind. */
static char *
put_time(char *at, int64_t ns)
{
    static int64_t second = INT64_MIN; /* whose text stands in date; one thread */
    static char date[KDPI_TIME_TEXT];
    uint32_t us = (uint32_t)(ns % KDP_NS_PER_S / 1000);

    if (ns / KDP_NS_PER_S != second) {
        second = ns / KDP_NS_PER_S;
        kdpi_time_format(date, second * KDP_NS_PER_S, 0);
    }
    at = put(at, date, 19);
    if (us != 0) {
        *at++ = '.';
        for (uint32_t unit = 100000; us != 0; unit /= 10) {
            *at++ = (char)('0' + us / unit);
            us %= unit;
        }
    }
    *at++ = 'Z';
    return at;
}

static char *
put_id(char *at, const uint8_t id[16])
{
    static const char hex[] = "0123456789abcdef";

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[id[i] >> 4];
        *at++ = hex[id[i] & 15];
    }
    return at;
}

static bool
is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
            return false;
    }
    return true;
}

void
sim_put_trade(const struct kdp_sim *sim, struct sim_text *text, const struct kdp_exchange_trade *trade)
{
    bool yes = trade->taker_side == KDP_SIDE_YES;
    size_t len;
    const char *ticker = sim_market_ticker(sim, trade->market, &len);
    char *at;

    if (!is_plain(ticker, len)) { /* a recorded market may be called anything */
        sim_lit(text, "{\"ticker\":");
        sim_put_json(text, ticker, len);
        sim_lit(text, ",");
        sim_text_room(text, TRADE_ROOM);
        at = text->data + text->len;
    } else {
        sim_text_room(text, TRADE_ROOM + len);
        at = LIT(text->data + text->len, "{\"ticker\":\"");
        at = put(at, ticker, len);
        at = LIT(at, "\",");
    }
    at = LIT(at, "\"trade_id\":\"");
    at = put_id(at, trade->trade_id);
    at = LIT(at, "\",\"count_fp\":\"");
    at = put_count(at, trade->count_e2);
    at = LIT(at, "\",\"yes_price_dollars\":\"");
    at = put_price(at, trade->yes_price_e4);
    at = LIT(at, "\",\"no_price_dollars\":\"");
    at = put_price(at, 10000 - trade->yes_price_e4);
    at = yes ? LIT(at, "\",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\"")
             : LIT(at, "\",\"taker_outcome_side\":\"no\",\"taker_book_side\":\"ask\"");
    if (sim->config.taker_side)
        at = yes ? LIT(at, ",\"taker_side\":\"yes\"") : LIT(at, ",\"taker_side\":\"no\"");
    at = LIT(at, ",\"created_time\":\"");
    at = put_time(at, trade->time_ns);
    at = trade->block ? LIT(at, "\",\"is_block_trade\":true}") : LIT(at, "\",\"is_block_trade\":false}");
    text->len = (size_t)(at - text->data);
}

/* ---- the listing ---- */
struct filter {
    const char *ticker;
    uint32_t market; /* UINT32_MAX: all */
    bool unknown;    /* a ticker that is no market: no trades */
    int block;       /* -1: both */
    int64_t limit, min_ns, max_ns;
    uint64_t cursor;
    bool given; /* the cursor */
};

static const char *
filter_read(struct filter *f, const struct kdp_sim *sim, const struct sim_query *query)
{
    const char *block = sim_query_get(query, "is_block_trade");
    int64_t min_s, max_s;

    f->ticker = sim_query_get(query, "ticker");
    if (f->ticker != NULL && f->ticker[0] == 0)
        f->ticker = NULL;
    if (!sim_query_int(query, "limit", 100, 0, 1000, &f->limit))
        return "limit is 0 to 1000";
    if (f->limit == 0)
        f->limit = 100;
    if (!sim_query_int(query, "min_ts", 0, 0, INT64_C(9000000000), &min_s) ||
        !sim_query_int(query, "max_ts", INT64_C(9000000000), 0, INT64_C(9000000000), &max_s))
        return "a time is Unix seconds";
    if (block != NULL && block[0] != 0 && strcmp(block, "true") != 0 && strcmp(block, "false") != 0)
        return "is_block_trade is true or false";
    if (!sim_cursor_read(sim, query, &f->cursor, &f->given))
        return "invalid cursor";
    f->block = block == NULL || block[0] == 0 ? -1 : block[0] == 't';
    f->min_ns = min_s * KDP_NS_PER_S;
    f->max_ns = max_s * KDP_NS_PER_S;
    f->market = UINT32_MAX;
    if (f->ticker != NULL) {
        f->market = sim_market_find(sim, f->ticker, strlen(f->ticker));
        f->unknown = f->market == UINT32_MAX;
    }
    return NULL;
}

void
sim_rest_trades(struct sim_conn *conn, const struct sim_query *query, bool historical)
{
    struct kdp_sim *sim = conn->sim;
    struct filter filter = {0};
    const char *wrong = filter_read(&filter, sim, query);
    static struct kdp_exchange_trade page[1000]; /* one thread */
    int64_t cutoff_ns = sim_cutoff_ns(sim), page_count = 0;
    const struct kdp_exchange_trade *trade;
    struct sim_walk walk = {.sim = sim};
    struct sim_text text = {0};
    uint64_t at = 0;
    bool more = false;

    if (wrong == NULL && filter.given && !sim_walk_from(&walk, sim, filter.market, filter.cursor))
        wrong = "invalid cursor";
    if (wrong != NULL) {
        sim_http_error(conn, 400, "bad_request", wrong);
        return;
    }
    if (filter.unknown && sim->unknown_shape != 0) {
        if (sim->unknown_shape == 1)
            sim_http_error(conn, 404, "not_found", "market not found");
        else
            sim_http_error(conn, 400, "bad_request", "invalid ticker");
        return;
    }
    if (historical && filter.max_ns >= cutoff_ns)
        filter.max_ns = cutoff_ns - 1;
    if (!historical && filter.min_ns < cutoff_ns)
        filter.min_ns = cutoff_ns;
    if (!filter.given)
        sim_walk_begin(&walk, sim, filter.market, filter.max_ns);
    if (conn->harm.empty)
        filter.limit = 0;
    sim_lit(&text, "{\"trades\":[");
    if (conn->harm.twice && filter.given && sim->last_trade.count_e2 != 0 && filter.limit > 0)
        page[page_count++] = sim->last_trade;
    while (!filter.unknown) { /* newest first */
        at = walk.at;
        trade = sim_walk_next(&walk);
        if (trade == NULL || trade->time_ns < filter.min_ns)
            break;
        if (trade->time_ns > filter.max_ns || (filter.block >= 0 && trade->block != filter.block))
            continue;
        if (page_count == filter.limit) {
            more = true;
            break;
        }
        page[page_count++] = *trade;
    }
    for (int64_t i = 0; i < page_count; i++) {
        if (i > 0)
            sim_lit(&text, ",");
        sim_put_trade(sim, &text, &page[conn->harm.mixed ? page_count - 1 - i : i]);
    }
    if (page_count > 0)
        sim->last_trade = page[page_count - 1];
    sim_lit(&text, "],");
    sim_put_cursor(conn, query, &text, more, at);
    sim_lit(&text, "}");
    sim_http_answer(conn, 200, "", text.data, text.len);
    sim_text_free(&text);
}
