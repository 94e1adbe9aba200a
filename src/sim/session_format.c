/* session_format.c - the bodies of messages (docs/exchange.md 4.5 to 4.8), each made once for all who get it.
 *
 * A body begins SIM_HEAD bytes into its text: the envelope, which differs from client to client by sid and seq, is written
 * right before it, so that a message is one slice of memory and is not copied together. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "server_private.h"

void
sim_body_begin(struct sim_text *text)
{
    text->len = 0;
    sim_text_room(text, SIM_HEAD + 512);
    text->len = SIM_HEAD;
}

/* sim_name gives {"market_ticker":"T","market_id":"U" of a market; made when first asked for. */
const char *
sim_name(struct kdp_sim *sim, uint32_t market)
{
    if (market >= sim->names_size) {
        uint32_t size = sim->names_size != 0 ? sim->names_size : 1024;
        char **grown;

        while (size <= market)
            size *= 2;
        grown = realloc(sim->names, size * sizeof *grown);
        KDP_ASSERT(grown != NULL);
        memset(grown + sim->names_size, 0, (size - sim->names_size) * sizeof *grown);
        sim->names = grown;
        sim->names_size = size;
    }
    if (sim->names[market] == NULL) {
        struct kdp_exchange_market m;
        struct sim_text text = {0};

        kdp_exchange_market_at(sim->exchange, market, &m);
        sim_lit(&text, "{\"market_ticker\":");
        sim_put_json(&text, m.ticker, strlen(m.ticker));
        sim_putf(&text, ",\"market_id\":\"%s\"", m.market_id);
        text.data[text.len] = 0;
        sim->names[market] = text.data;
    }
    return sim->names[market];
}

/* The exchange gives the place of a market settled long ago to a new one: nobody is subscribed to that by having been to the
 * old one. */
void
sim_renamed(struct kdp_sim *sim, uint32_t market)
{
    const char *ticker;
    struct sim_text text = {0};
    size_t len;

    if (market >= sim->names_size || sim->names[market] == NULL)
        return;
    ticker = kdp_exchange_ticker(sim->exchange, market, &len);
    sim_lit(&text, "{\"market_ticker\":");
    sim_put_json(&text, ticker, len);
    sim_lit(&text, ",");
    if (strncmp(sim->names[market], text.data, text.len) != 0) {
        free(sim->names[market]);
        sim->names[market] = NULL;
        for (struct sim_session *s = sim->sessions; s != NULL; s = s->next) {
            for (unsigned i = 0; i < SIM_CHANNELS; i++) {
                sim_bit_clear(&s->subs[i].wanted, market);
                sim_bit_clear(&s->subs[i].active, market);
            }
        }
    }
    sim_text_free(&text);
}

static void
put_ts(struct sim_text *text, int64_t ns)
{
    sim_lit(text, ",\"ts\":");
    sim_put_int(text, ns / KDP_NS_PER_S);
    sim_lit(text, ",\"ts_ms\":");
    sim_put_int(text, ns / KDP_NS_PER_MS);
}

void
sim_body_delta(struct kdp_sim *sim, const struct kdp_exchange_event *event, bool yes_price,
               struct sim_text *text)
{
    bool no = event->delta.side == KDP_SIDE_NO;

    sim_body_begin(text);
    sim_puts(text, sim_name(sim, event->market));
    sim_lit(text, ",\"price_dollars\":\"");
    sim_put_price(text, no && yes_price ? 10000 - event->delta.price_e4 : event->delta.price_e4);
    sim_lit(text, "\",\"delta_fp\":\"");
    sim_put_size(text, event->delta.delta_e2);
    sim_puts(text, no ? "\",\"side\":\"no\",\"ts\":" : "\",\"side\":\"yes\",\"ts\":");
    sim_put_time(text, event->time_ns, 3);
    sim_lit(text, ",\"ts_ms\":");
    sim_put_int(text, event->time_ns / KDP_NS_PER_MS);
    sim_lit(text, "}");
}

static void
put_side(struct sim_text *text, const char *key, const struct kdp_exchange_level *levels, uint32_t count,
         bool mirror)
{
    if (count == 0) /* an empty side has no key */
        return;
    sim_puts(text, key);
    for (uint32_t i = 0; i < count; i++) {
        const struct kdp_exchange_level *level =
            &levels[count - 1 - i]; /* ascending in its leg, as REST has it */

        sim_puts(text, i == 0 ? "[\"" : ",[\"");
        sim_put_price(text, mirror ? 10000 - level->price_e4 : level->price_e4);
        sim_lit(text, "\",\"");
        sim_put_size(text, level->size_e2);
        sim_lit(text, "\"]");
    }
    sim_lit(text, "]");
}

void
sim_body_snapshot(struct kdp_sim *sim, uint32_t market, bool yes_price, struct sim_text *text)
{
    struct kdp_exchange_market m;

    kdp_exchange_market_at(sim->exchange, market, &m);
    sim_body_begin(text);
    sim_puts(text, sim_name(sim, market));
    put_side(text, ",\"yes_dollars_fp\":[", m.bids[0], m.bid_count[0], false);
    put_side(text, ",\"no_dollars_fp\":[", m.bids[1], m.bid_count[1], yes_price);
    sim_lit(text, "}");
}

void
sim_body_trade(struct kdp_sim *sim, const struct kdp_exchange_trade *trade, struct sim_text *text)
{
    bool yes = trade->taker_side == KDP_SIDE_YES;
    const char *name = sim_name(sim, trade->market);
    const char *id = strstr(name, ",\"market_id\""); /* trades do not carry it */

    sim_body_begin(text);
    sim_lit(text, "{\"trade_id\":\"");
    sim_put_uuid(text, trade->trade_id);
    sim_lit(text, "\",");
    sim_put(text, name + 1, (size_t)(id - name) - 1);
    sim_lit(text, ",\"yes_price_dollars\":\"");
    sim_put_price(text, trade->yes_price_e4);
    sim_lit(text, "\",\"no_price_dollars\":\"");
    sim_put_price(text, 10000 - trade->yes_price_e4);
    sim_lit(text, "\",\"count_fp\":\"");
    sim_put_size(text, trade->count_e2);
    sim_lit(text, "\"");
    if (sim->config.taker_side)
        sim_puts(text, yes ? ",\"taker_side\":\"yes\"" : ",\"taker_side\":\"no\"");
    sim_puts(text, yes ? ",\"taker_outcome_side\":\"yes\",\"taker_book_side\":\"bid\",\"is_block_trade\":"
                       : ",\"taker_outcome_side\":\"no\",\"taker_book_side\":\"ask\",\"is_block_trade\":");
    sim_puts(text, trade->block ? "true" : "false");
    put_ts(text, trade->time_ns);
    sim_lit(text, "}");
}

void
sim_body_ticker(struct kdp_sim *sim, uint32_t market, int64_t time_ns, struct sim_text *text)
{
    struct kdp_exchange_market m;
    const struct kdp_exchange_level *bid, *ask;

    kdp_exchange_market_at(sim->exchange, market, &m);
    bid = m.bid_count[0] > 0 ? &m.bids[0][0] : NULL;
    ask = m.bid_count[1] > 0 ? &m.bids[1][0] : NULL;
    sim_body_begin(text);
    sim_puts(text, sim_name(sim, market));
    sim_lit(text, ",\"price_dollars\":\"");
    if (m.last_e4 != KDP_PRICE_NULL)
        sim_put_price(text, m.last_e4);
    sim_lit(text, "\",\"yes_bid_dollars\":\"");
    sim_put_price(text, bid != NULL ? bid->price_e4 : 0);
    sim_lit(text, "\",\"yes_ask_dollars\":\"");
    sim_put_price(text, ask != NULL ? 10000 - ask->price_e4 : 10000);
    sim_lit(text, "\",\"yes_bid_size_fp\":\"");
    sim_put_size(text, bid != NULL ? bid->size_e2 : 0);
    sim_lit(text, "\",\"yes_ask_size_fp\":\"");
    sim_put_size(text, ask != NULL ? ask->size_e2 : 0);
    sim_lit(text, "\",\"last_trade_size_fp\":\"");
    sim_put_size(text, m.last_e4 != KDP_PRICE_NULL ? m.last_size_e2 : 0);
    sim_lit(text, "\",\"volume_fp\":\"");
    sim_put_size(text, m.volume_e2);
    sim_lit(text, "\",\"open_interest_fp\":\"");
    sim_put_size(text, m.open_interest_e2);
    sim_lit(text, "\",\"dollar_volume\":");
    sim_put_int(text, m.dollar_volume);
    sim_lit(text, ",\"dollar_open_interest\":");
    sim_put_int(text, m.dollar_open_interest);
    put_ts(text, time_ns);
    sim_lit(text, ",\"time\":");
    sim_put_time(text, time_ns, 6);
    sim_lit(text, "}");
}

void
sim_put_ranges(struct sim_text *text, const struct kdp_exchange_market *market)
{
    sim_lit(text, "[");
    for (uint32_t i = 0; i < market->range_count; i++) {
        sim_puts(text, i == 0 ? "{\"start\":\"" : ",{\"start\":\"");
        sim_put_price(text, market->ranges[i].start_e4);
        sim_lit(text, "\",\"end\":\"");
        sim_put_price(text, market->ranges[i].end_e4);
        sim_lit(text, "\",\"step\":\"");
        sim_put_price(text, market->ranges[i].step_e4);
        sim_lit(text, "\"}");
    }
    sim_lit(text, "]");
}

static const char *const strike_types[] = {"",           "greater",       "greater_or_equal",
                                           "less",       "less_or_equal", "between",
                                           "functional", "custom",        "structured"};

static void
put_number(struct sim_text *text, const char *key, int64_t value_e6) /* a JSON number; not there when null */
{
    char buf[KDPI_DECIMAL_TEXT];
    size_t len;

    if (value_e6 == KDP_INT64_NULL)
        return;
    sim_puts(text, key);
    len = kdpi_decimal_format(buf, value_e6, 6);
    while (len > 0 && buf[len - 1] == '0')
        len--;
    if (len > 0 && buf[len - 1] == '.')
        len--;
    sim_put(text, buf, len);
}

static void
put_strikes(struct sim_text *text, const struct kdp_exchange_market *m)
{
    if (m->strike_type != KDP_STRIKE_TYPE_NONE && m->strike_type < sizeof strike_types / sizeof *strike_types)
        sim_putf(text, ",\"strike_type\":\"%s\"", strike_types[m->strike_type]);
    put_number(text, ",\"floor_strike\":", m->floor_strike_e6);
    put_number(text, ",\"cap_strike\":", m->cap_strike_e6);
}

static void
put_word(struct sim_text *text, const char *key, const char *word)
{
    sim_puts(text, key);
    if (word == NULL)
        word = "";
    sim_put_json(text, word, strlen(word));
}

static void
put_seconds(struct sim_text *text, const char *key, int64_t ns)
{
    if (ns == KDP_TIME_NULL)
        return;
    sim_puts(text, key);
    sim_put_int(text, ns / KDP_NS_PER_S);
}

static void
put_created(struct sim_text *text, const struct kdp_exchange_market *m)
{
    put_seconds(text, ",\"open_ts\":", m->open_ns);
    put_seconds(text, ",\"close_ts\":", m->close_ns);
    if (m->exchange_index >= 0)
        sim_putf(text, ",\"exchange_index\":%d", m->exchange_index);
    put_word(text, ",\"price_level_structure\":", m->structure);
    sim_lit(text, ",\"price_ranges\":");
    sim_put_ranges(text, m);
    put_word(text, ",\"additional_metadata\":{\"name\":", m->yes_sub_title);
    put_word(text, ",\"title\":", m->title);
    put_word(text, ",\"yes_sub_title\":", m->yes_sub_title);
    put_word(text, ",\"no_sub_title\":", m->yes_sub_title);
    sim_lit(text, ",\"rules_primary\":\"If it is so, the market resolves to Yes.\",\"rules_secondary\":\"\","
                  "\"can_close_early\":true");
    put_word(text, ",\"event_ticker\":", m->event_ticker);
    put_seconds(text, ",\"expected_expiration_ts\":", m->expiry_ns);
    put_strikes(text, m);
    sim_lit(text, "}");
}

/* False: the exchange says nothing of this step. */
bool
sim_body_lifecycle(struct kdp_sim *sim, const struct kdp_exchange_event *event, struct sim_text *text)
{
    static const char *const words[] = {"",
                                        "created",
                                        "",
                                        "activated",
                                        "deactivated",
                                        "close_date_updated",
                                        "",
                                        "determined",
                                        "settled",
                                        "price_level_structure_updated",
                                        "metadata_updated"};
    static const char *const results[] = {"", "yes", "no", "scalar"};
    struct kdp_exchange_market m;

    if (event->lifecycle >= sizeof words / sizeof *words || words[event->lifecycle][0] == 0)
        return false; /* the scheduled open and close happen in silence (docs/exchange.md 4.8) */
    kdp_exchange_market_at(sim->exchange, event->market, &m);
    sim_body_begin(text);
    sim_lit(text, "{\"market_ticker\":");
    sim_put_json(text, m.ticker, strlen(m.ticker));
    sim_putf(text, ",\"event_type\":\"%s\"", words[event->lifecycle]);
    switch (event->lifecycle) {
    case KDP_LIFECYCLE_KIND_CREATED:
        put_created(text, &m);
        break;
    case KDP_LIFECYCLE_KIND_ACTIVATED:
    case KDP_LIFECYCLE_KIND_DEACTIVATED:
        sim_puts(text, event->lifecycle == KDP_LIFECYCLE_KIND_DEACTIVATED ? ",\"is_deactivated\":true"
                                                                          : ",\"is_deactivated\":false");
        break;
    case KDP_LIFECYCLE_KIND_CLOSE_DATE_UPDATED:
        put_seconds(text, ",\"close_ts\":", m.close_ns);
        break;
    case KDP_LIFECYCLE_KIND_DETERMINED:
        put_seconds(text, ",\"determination_ts\":",
                    m.determined_ns != KDP_TIME_NULL ? m.determined_ns : event->time_ns);
        sim_putf(text, ",\"result\":\"%s\"", m.result <= KDP_RESULT_SCALAR ? results[m.result] : "");
        if (m.settlement_value_e6 != KDP_INT64_NULL) {
            sim_lit(text, ",\"settlement_value\":\"");
            sim_put_price(text, m.settlement_value_e6 / 100);
            sim_lit(text, "\"");
        }
        break;
    case KDP_LIFECYCLE_KIND_SETTLED:
        put_seconds(text, ",\"settled_ts\":", m.settled_ns != KDP_TIME_NULL ? m.settled_ns : event->time_ns);
        break;
    case KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED:
        put_word(text, ",\"price_level_structure\":", m.structure);
        sim_lit(text, ",\"price_ranges\":");
        sim_put_ranges(text, &m);
        break;
    default:
        put_strikes(text, &m);
        put_word(text, ",\"yes_sub_title\":", m.yes_sub_title);
        break;
    }
    sim_lit(text, "}");
    return true;
}

void
sim_body_event(struct kdp_sim *sim, const struct kdp_exchange_event *event, struct sim_text *text)
{
    (void)sim;
    sim_body_begin(text);
    put_word(text, "{\"event_ticker\":", event->event.event_ticker);
    if (event->event.fee_update) {
        if (event->event.fee_type != NULL && event->event.fee_type[0] != 0)
            put_word(text, ",\"fee_type_override\":", event->event.fee_type);
        else
            sim_lit(text, ",\"fee_type_override\":null");
        if (event->event.fee_multiplier_e6 != KDP_INT64_NULL)
            put_number(text, ",\"fee_multiplier_override\":", event->event.fee_multiplier_e6);
        else
            sim_lit(text, ",\"fee_multiplier_override\":null");
    } else {
        sim_lit(text, ",\"exchange_index\":0");
        put_word(text, ",\"title\":", event->event.title);
        put_word(text, ",\"subtitle\":", event->event.sub_title);
        put_word(text, ",\"collateral_return_type\":", event->event.collateral);
        put_word(text, ",\"series_ticker\":", event->event.series_ticker);
    }
    sim_lit(text, "}");
}
