/* exchange_recrest.c - REST answers found in a raw tape: what they say of markets, and trades that the stream had lost.
 *
 * Books of REST answers are not used: they have no place in the numbers, and the stream's next snapshot tells the same. */
#include "exchange_recorded.h"

static bool
on_market(void *arg, const struct kdp_rest_market *item)
{
    struct exchange_recorded *rec = arg;
    struct recorded_market *market = recorded_market_get(rec, item->ticker);
    struct kdp_message msg = {.kind = KDP_MESSAGE_LIFECYCLE};
    struct exchange_market *place;

    if (market == NULL)
        return true;
    msg.lifecycle.event_ticker = item->event_ticker;
    msg.lifecycle.title = item->title;
    msg.lifecycle.yes_sub_title = item->yes_sub_title;
    msg.lifecycle.structure = item->structure;
    msg.lifecycle.open_ns = item->open_ns;
    msg.lifecycle.close_ns = item->close_ns;
    msg.lifecycle.expiry_ns = item->expiry_ns;
    msg.lifecycle.strike_type = item->strike_type;
    msg.lifecycle.floor_strike_e6 = item->floor_strike_e6;
    msg.lifecycle.cap_strike_e6 = item->cap_strike_e6;
    msg.lifecycle.exchange_index = item->exchange_index;
    msg.lifecycle.range_count = item->range_count;
    memcpy(msg.lifecycle.ranges, item->ranges, sizeof item->ranges);
    if (market->index == NOWHERE && !recorded_market_born(rec, market, !rec->scanning))
        return true;
    recorded_define(rec, market, &msg);
    if (!market->has_ticker) { /* a ticker is newer */
        if (item->last_e4 != KDP_PRICE_NULL)
            market->last_e4 = item->last_e4;
        if (item->volume_e2 != KDP_INT64_NULL)
            market->volume_e2 = item->volume_e2;
        if (item->open_interest_e2 != KDP_INT64_NULL)
            market->open_interest_e2 = item->open_interest_e2;
    }
    place = &rec->ex->markets[market->index];
    if (item->status >= KDP_MARKET_STATUS_CLOSED) {
        place->state = item->status;
        place->result = item->result;
        place->settlement_value_e6 = item->settlement_value_e6;
        place->determined_ns = place->settled_ns = KDP_TIME_NULL;
        if (item->settlement_ns != KDP_TIME_NULL)
            place->determined_ns = place->settled_ns = recorded_time(rec, item->settlement_ns);
    }
    return true;
}

static bool
on_trade(void *arg, const struct kdp_message *msg)
{
    struct exchange_recorded *rec = arg;
    struct recorded_market *market = recorded_market_get(rec, msg->market_ticker);

    if (market == NULL || (market->index == NOWHERE && !recorded_market_born(rec, market, !rec->scanning)))
        return true;
    rec->now_ns = recorded_time_of(rec, msg);
    recorded_trade(rec, market, msg);
    return true;
}

void
recorded_rest(struct exchange_recorded *rec)
{
    struct kdp_input_rest what;
    struct kdp_rest_end end;
    const char *body;
    size_t len;

    if (rec->in.len < sizeof what)
        return;
    memcpy(&what, rec->in.text, sizeof what);
    if (what.status != 200 || what.path_len > rec->in.len - sizeof what)
        return;
    body = rec->in.text + sizeof what + what.path_len;
    len = rec->in.len - sizeof what - what.path_len;
    rec->now_ns = rec->due_ns;
    if (KDP_REST_KIND(what.request) == KDP_REST_MARKETS || KDP_REST_KIND(what.request) == KDP_REST_QUOTES)
        kdpi_rest_markets(rec->rest, body, len, on_market, rec, &end);
    else if (KDP_REST_KIND(what.request) == KDP_REST_TRADES || KDP_REST_KIND(what.request) == KDP_REST_POLL)
        kdpi_rest_trades(rec->rest, body, len, on_trade, rec, &end);
}
