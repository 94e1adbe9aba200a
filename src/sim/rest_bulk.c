/* rest_bulk.c - the exchange's daily files (docs/exchange.md 7), made of its own trades and written as they are taken.
 *
 * GET /reporting/trade_data_YYYY-MM-DD.json[.gz] and market_data_YYYY-MM-DD.json: one JSON array each, of a whole UTC day.  A day
 * without trades, or one that is not over, is 404.  Trades of the last two weeks are there as .gz alone, older ones and markets
 * as they are alone, as a reader who tries .gz first finds them.  The body goes in chunks: its length is not known before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define BULK_FULL ((size_t)256 << 10) /* output above which nothing more is made */
#define BULK_PIECE ((size_t)64 << 10)
#define PACKED_NS (14 * KDP_NS_PER_DAY)

struct sim_bulk {
    bool markets, packed, begun, finished;
    int64_t from_ns, to_ns;
    char day[12];
    uint64_t number; /* of the next trade */
    uint32_t market; /* the next one */
    struct sim_text piece;
    z_stream z;
};

static int64_t
day_from(const char *text) /* YYYY-MM-DD; KDP_TIME_NULL: none */
{
    int64_t ns;

    if (strspn(text, "0123456789-") < 10 || kdpi_time_parse(text, 10, &ns) != 0)
        return KDP_TIME_NULL;
    return ns;
}

static void
put_cents(struct sim_text *text, int32_t price_e4)
{
    sim_put_int(text, price_e4 / 100);
    if (price_e4 % 100 != 0)
        sim_putf(text, price_e4 % 10 != 0 ? ".%02d" : ".%d",
                 price_e4 % 10 != 0 ? price_e4 % 100 : price_e4 % 100 / 10);
}

static void
put_names(struct sim_text *text, const struct kdp_exchange_market *m, const char *day)
{
    sim_lit(text, "{\"date\":\"");
    sim_puts(text, day);
    sim_lit(text, "\",\"ticker_name\":");
    sim_put_json(text, m->ticker, strlen(m->ticker));
    sim_lit(text, ",\"report_ticker\":");
    sim_put_json(text, m->series_ticker, strlen(m->series_ticker));
}

/* false: the day has no more */
static bool
put_trade(struct kdp_sim *sim, struct sim_bulk *bulk)
{
    struct kdp_exchange_trade trade;
    struct kdp_exchange_market m;

    do {
        if (bulk->number >= sim_trade_count(sim))
            return false;
    } while (!sim_trade_at(sim, bulk->number++, &trade));
    if (trade.time_ns >= bulk->to_ns)
        return false;
    if (bulk->begun)
        sim_lit(&bulk->piece, ",\n");
    bulk->begun = true;
    sim_market_at(sim, trade.market, &m);
    put_names(&bulk->piece, &m, bulk->day);
    sim_lit(&bulk->piece, ",\"create_ts\":");
    sim_put_time(&bulk->piece, trade.time_ns, 6);
    sim_lit(&bulk->piece, ",\"contracts_traded\":");
    if (trade.count_e2 % 100 == 0) {
        sim_put_int(&bulk->piece, trade.count_e2 / 100);
    } else {
        sim_lit(&bulk->piece, "\"");
        sim_put_size(&bulk->piece, trade.count_e2);
        sim_lit(&bulk->piece, "\"");
    }
    sim_lit(&bulk->piece, ",\"price\":");
    put_cents(&bulk->piece, trade.yes_price_e4);
    sim_lit(&bulk->piece, "}");
    return true;
}

static bool
put_market(struct kdp_sim *sim, struct sim_bulk *bulk)
{
    int64_t volume_e2 = 0, block_e2 = 0;
    int32_t high_e4 = 0, low_e4 = 10000;
    const struct kdp_exchange_trade *trade;
    struct kdp_exchange_market m;
    struct sim_walk walk;

    for (;; bulk->market++) {
        if (bulk->market >= sim_market_count(sim))
            return false;
        sim_market_at(sim, bulk->market, &m);
        if (m.open_ns < bulk->to_ns && m.close_ns > bulk->from_ns)
            break;
    }
    sim_walk_begin(&walk, sim, bulk->market++, bulk->to_ns - 1);
    while ((trade = sim_walk_next(&walk)) != NULL && trade->time_ns >= bulk->from_ns) {
        volume_e2 += trade->count_e2;
        block_e2 += trade->block ? trade->count_e2 : 0;
        high_e4 = trade->yes_price_e4 > high_e4 ? trade->yes_price_e4 : high_e4;
        low_e4 = trade->yes_price_e4 < low_e4 ? trade->yes_price_e4 : low_e4;
    }
    if (bulk->begun)
        sim_lit(&bulk->piece, ",\n");
    bulk->begun = true;
    put_names(&bulk->piece, &m, bulk->day);
    sim_lit(&bulk->piece, ",\"payout_type\":\"Binary Option\",\"open_interest\":");
    sim_put_size(&bulk->piece, m.open_interest_e2);
    sim_lit(&bulk->piece, ",\"daily_volume\":");
    sim_put_size(&bulk->piece, volume_e2);
    sim_lit(&bulk->piece, ",\"block_volume\":");
    sim_put_size(&bulk->piece, block_e2);
    sim_lit(&bulk->piece, ",\"high\":");
    put_cents(&bulk->piece, high_e4);
    sim_lit(&bulk->piece, ",\"low\":");
    put_cents(&bulk->piece, volume_e2 > 0 ? low_e4 : 0);
    sim_puts(&bulk->piece, m.settled_ns != KDP_TIME_NULL && m.settled_ns < bulk->to_ns
                               ? ",\"status\":\"finalized\"}"
                           : m.close_ns < bulk->to_ns ? ",\"status\":\"closed\"}"
                                                      : ",\"status\":\"active\"}");
    return true;
}

static void
put_chunk(struct sim_text *out, const char *bytes, size_t len)
{
    if (len == 0)
        return; /* it would be the last */
    sim_putf(out, "%zx\r\n", len);
    sim_put(out, bytes, len);
    sim_lit(out, "\r\n");
}

static void
pack(struct sim_conn *conn, struct sim_bulk *bulk)
{
    unsigned char packed[16384];
    int rc;

    bulk->z.next_in = (unsigned char *)bulk->piece.data;
    bulk->z.avail_in = (unsigned)bulk->piece.len;
    do {
        bulk->z.next_out = packed;
        bulk->z.avail_out = sizeof packed;
        rc = deflate(&bulk->z, bulk->finished ? Z_FINISH : Z_NO_FLUSH);
        KDP_ASSERT(rc != Z_STREAM_ERROR);
        put_chunk(&conn->out, (const char *)packed, sizeof packed - bulk->z.avail_out);
    } while (bulk->z.avail_out == 0);
}

void
sim_bulk_pump(struct sim_conn *conn)
{
    struct sim_bulk *bulk = conn->bulk;

    while (!bulk->finished && conn->out.len - conn->out_sent < BULK_FULL) {
        bulk->piece.len = 0;
        if (!bulk->begun)
            sim_lit(&bulk->piece, "[");
        while (bulk->piece.len < BULK_PIECE && !bulk->finished)
            bulk->finished = bulk->markets ? !put_market(conn->sim, bulk) : !put_trade(conn->sim, bulk);
        if (bulk->finished)
            sim_lit(&bulk->piece, "]\n");
        if (bulk->packed)
            pack(conn, bulk);
        else
            put_chunk(&conn->out, bulk->piece.data, bulk->piece.len);
        if (bulk->finished)
            sim_lit(&conn->out, "0\r\n\r\n");
    }
    if (bulk->finished)
        sim_bulk_end(conn);
}

void
sim_bulk_end(struct sim_conn *conn)
{
    struct sim_bulk *bulk = conn->bulk;

    if (bulk == NULL)
        return;
    if (bulk->packed)
        deflateEnd(&bulk->z);
    sim_text_free(&bulk->piece);
    free(bulk);
    conn->bulk = NULL;
}

/* name: what follows /reporting/ */
void
sim_bulk(struct sim_conn *conn, const char *name)
{
    struct kdp_sim *sim = conn->sim;
    bool markets = strncmp(name, "market_data_", 12) == 0, packed;
    struct sim_bulk *bulk;
    struct kdp_exchange_trade trade;
    int64_t from_ns = KDP_TIME_NULL;
    uint64_t number;

    if (markets || strncmp(name, "trade_data_", 11) == 0)
        from_ns = day_from(name + (markets ? 12 : 11));
    name += markets ? 22 : 21; /* behind the day, where there is one */
    packed = from_ns != KDP_TIME_NULL && strcmp(name, ".json.gz") == 0;
    if (from_ns == KDP_TIME_NULL || (!packed && strcmp(name, ".json") != 0) ||
        packed != (!markets && from_ns > sim->now_ns - PACKED_NS) || from_ns + KDP_NS_PER_DAY > sim->now_ns) {
        sim_http_error(conn, 404, "not_found", "no such file");
        return;
    }
    number = sim_trade_from(sim, from_ns);
    while (number < sim_trade_count(sim) && !sim_trade_at(sim, number, &trade))
        number++;
    if (number == sim_trade_count(sim) || trade.time_ns >= from_ns + KDP_NS_PER_DAY) {
        sim_http_error(conn, 404, "not_found", "nothing was traded on that day");
        return;
    }
    bulk = conn->bulk = calloc(1, sizeof *bulk);
    KDP_ASSERT(bulk != NULL);
    *bulk = (struct sim_bulk){.markets = markets,
                              .packed = packed,
                              .from_ns = from_ns,
                              .to_ns = from_ns + KDP_NS_PER_DAY,
                              .number = number};
    kdpi_day_format(bulk->day, kdpi_day_of(from_ns));
    if (packed) /* 15 + 16: with the head of a gzip file */
        KDP_ASSERT(deflateInit2(&bulk->z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    sim_putf(&conn->out,
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\nConnection: %s\r\n\r\n",
             packed ? "application/gzip" : "application/json", conn->http_end ? "close" : "keep-alive");
}
