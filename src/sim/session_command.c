/* session_command.c - a client's commands (docs/exchange.md 4.2 and 4.3): read, judged, done, answered.
 *
 * A command is read whole before anything of it is done, since its members may stand in any order. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "server_private.h"

#define SIDS_MAX 64u
#define SESSION_MARKETS_MAX 500000u /* docs/exchange.md 4.1, as is the next */
#define COMMANDS_A_SECOND 10000u

struct command {
    bool has_id, has_params;
    int64_t id;
    char cmd[32], action[32];
    enum sim_channel channels[SIM_CHANNELS];
    unsigned channel_count;
    bool channels_given, channel_unknown;
    bool ticker_given, tickers_given, ids_given;
    uint32_t market_count;   /* in sim->markets */
    struct sim_text unknown; /* tickers that are none, as JSON */
    uint32_t sids[SIDS_MAX], sid_count;
    bool sid_given, sids_given;
    bool initial, skip_ack, yes_price, indices, underlyings;
    bool shard_factor_given, shard_key_given;
    int64_t shard_factor, shard_key;
};

static bool
copy_text(char *to, size_t size, struct kdp_text text)
{
    size_t len = text.len < size ? text.len : size - 1;

    memcpy(to, text.data, len);
    to[len] = 0;
    return text.len < size;
}

static void
add_market(struct kdp_sim *sim, struct command *c, uint32_t market)
{
    if (c->market_count == sim->markets_size) {
        uint32_t size = sim->markets_size != 0 ? 2 * sim->markets_size : 1024;
        uint32_t *grown = realloc(sim->markets, size * sizeof *grown);

        KDP_ASSERT(grown != NULL);
        sim->markets = grown;
        sim->markets_size = size;
    }
    sim->markets[c->market_count++] = market;
}

static void
read_ticker(struct kdp_sim *sim, struct command *c)
{
    struct kdp_text text;
    uint32_t market;

    if (!kdpi_json_string(&sim->json, &text))
        return;
    market = kdp_exchange_find(sim->exchange, text.data, text.len);
    if (market != UINT32_MAX) {
        add_market(sim, c, market);
        return;
    }
    if (c->unknown.len < 64 * 1024) {
        sim_puts(&c->unknown, c->unknown.len == 0 ? "" : ",");
        sim_put_json(&c->unknown, text.data, text.len);
    }
}

static void
read_market_id(struct kdp_sim *sim, struct command *c)
{
    struct kdp_text text;
    char id[37];

    if (!kdpi_json_string(&sim->json, &text))
        return;
    for (uint32_t i = 0; text.len == 36 && i < kdp_exchange_market_count(sim->exchange); i++) {
        kdp_exchange_market_id(sim->exchange, i, id);
        if (memcmp(id, text.data, 36) == 0) {
            add_market(sim, c, i);
            return;
        }
    }
    sim_puts(&c->unknown, c->unknown.len == 0 ? "" : ",");
    sim_put_json(&c->unknown, text.data, text.len);
}

static void
read_channel(struct kdp_sim *sim, struct command *c)
{
    struct kdp_text text;
    unsigned i = 0;

    if (!kdpi_json_string(&sim->json, &text))
        return;
    while (i < SIM_CHANNELS && !kdpi_text_equal(text, sim_channels[i].name, strlen(sim_channels[i].name)))
        i++;
    for (unsigned k = 0; k < c->channel_count; k++) {
        if (c->channels[k] == i)
            return;
    }
    if (i == SIM_CHANNELS)
        c->channel_unknown = true;
    else
        c->channels[c->channel_count++] = (enum sim_channel)i;
}

static void
read_sid(struct kdp_sim *sim, struct command *c)
{
    int64_t sid;

    if (!kdpi_json_int64(&sim->json, &sid))
        return;
    if (c->sid_count == SIDS_MAX)
        kdpi_json_refuse(&sim->json, KDP_REFUSAL_TOO_LONG, kdpi_json_offset(&sim->json), "too many sids");
    else
        c->sids[c->sid_count++] = sid > 0 && sid < UINT32_MAX ? (uint32_t)sid : 0;
}

static void
each(struct kdp_sim *sim, struct command *c, void (*read)(struct kdp_sim *sim, struct command *c))
{
    if (kdpi_json_array(&sim->json)) {
        while (kdpi_json_element(&sim->json))
            read(sim, c);
    }
}

static void
read_params(struct kdp_sim *sim, struct command *c)
{
    struct kdp_json *json = &sim->json;
    struct kdp_text key, text;

    if (kdpi_json_null(json))
        return;
    if (!kdpi_json_object(json))
        return;
    c->has_params = true;
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "channels")) {
            c->channels_given = true;
            each(sim, c, read_channel);
        } else if (kdpi_text_is(key, "market_ticker")) {
            c->ticker_given = true;
            read_ticker(sim, c);
        } else if (kdpi_text_is(key, "market_tickers")) {
            c->tickers_given = !kdpi_json_null(json);
            if (c->tickers_given)
                each(sim, c, read_ticker);
        } else if (kdpi_text_is(key, "market_id")) {
            c->ids_given = true;
            read_market_id(sim, c);
        } else if (kdpi_text_is(key, "market_ids")) {
            c->ids_given = true;
            each(sim, c, read_market_id);
        } else if (kdpi_text_is(key, "sid")) {
            c->sid_given = true;
            read_sid(sim, c);
        } else if (kdpi_text_is(key, "sids")) {
            c->sids_given = true;
            each(sim, c, read_sid);
        } else if (kdpi_text_is(key, "action")) {
            if (kdpi_json_string(json, &text))
                copy_text(c->action, sizeof c->action, text);
        } else if (kdpi_text_is(key, "send_initial_snapshot")) {
            kdpi_json_bool(json, &c->initial);
        } else if (kdpi_text_is(key, "skip_ticker_ack")) {
            kdpi_json_bool(json, &c->skip_ack);
        } else if (kdpi_text_is(key, "use_yes_price")) {
            kdpi_json_bool(json, &c->yes_price);
        } else if (kdpi_text_is(key, "shard_factor")) {
            c->shard_factor_given = kdpi_json_int64(json, &c->shard_factor);
        } else if (kdpi_text_is(key, "shard_key")) {
            c->shard_key_given = kdpi_json_int64(json, &c->shard_key);
        } else if (kdpi_text_is(key, "index_ids")) {
            c->indices = true;
        } else if (kdpi_text_is(key, "underlying_tickers")) {
            c->underlyings = true;
        }
    }
}

static bool
read_command(struct kdp_sim *sim, const char *text, size_t len, struct command *c)
{
    struct kdp_json *json = &sim->json;
    struct kdp_text key, word;

    kdpi_json_begin(json, text, len);
    kdpi_json_object(json);
    while (kdpi_json_member(json, &key)) {
        if (kdpi_text_is(key, "id")) {
            c->has_id = kdpi_json_peek(json) == KDP_JSON_NUMBER && kdpi_json_int64(json, &c->id);
            if (!c->has_id)
                kdpi_json_refuse(json, KDP_REFUSAL_TYPE, kdpi_json_offset(json), "id is no number");
        } else if (kdpi_text_is(key, "cmd")) {
            if (kdpi_json_string(json, &word))
                copy_text(c->cmd, sizeof c->cmd, word);
        } else if (kdpi_text_is(key, "params")) {
            read_params(sim, c);
        }
    }
    return kdpi_json_end(json);
}

/* ---- answers ---- */
static void
refuse(struct sim_session *session, const struct command *c, struct sim_sub *sub, int code, const char *words)
{
    sim_session_error(session, c->has_id, c->id, sub, code, words);
}

static void
answer(struct sim_session *session, struct sim_text *text)
{
    if (!session->muted)
        sim_session_frame(session, KDP_WS_TEXT, text->data, text->len);
    sim_text_free(text);
}

static void
begin(struct sim_text *text, const struct command *c)
{
    sim_lit(text, "{");
    if (c->has_id && c->id != 0)
        sim_putf(text, "\"id\":%lld,", (long long)c->id);
}

static void
end(struct sim_session *session, struct sim_text *text)
{
    if (session->sim->config.sending_ts)
        sim_putf(text, ",\"sending_ts_ms\":%lld", (long long)(session->sim->now_ns / 1000000));
    sim_lit(text, "}");
    answer(session, text);
}

static bool
no_ack(struct sim_session *session)
{
    return sim_is_armed(session->sim, KDP_SIM_FAULT_NO_ACK) &&
           sim_armed_take(session->sim, KDP_SIM_FAULT_NO_ACK, session->number, NULL) != NULL;
}

static void
tell_unknown(struct sim_session *session, const struct command *c, struct sim_sub *sub)
{
    struct sim_text text = {0};

    if (c->unknown.len == 0)
        return;
    begin(&text, c);
    if (sub != NULL) {
        sim_putf(&text, "\"sid\":%u,", sub->sid);
        if (sim_channels[sub - session->subs].numbered)
            sim_putf(&text, "\"seq\":%llu,", (unsigned long long)++sub->seq);
    }
    sim_lit(&text, "\"type\":\"error\",\"msg\":{\"code\":11,\"msg\":\"Invalid parameter: unknown "
                   "market\",\"market_tickers\":[");
    sim_put(&text, c->unknown.data, c->unknown.len);
    sim_lit(&text, "]}");
    end(session, &text);
}

static uint32_t
session_markets(const struct sim_session *session)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < SIM_CHANNELS; i++)
        count += session->subs[i].wanted.count;
    return count;
}

/* Adds the command's markets: how many were refused because a bound was reached. */
static uint32_t
add_markets(struct sim_session *session, struct sim_sub *sub, const struct command *c)
{
    struct kdp_sim *sim = session->sim;
    bool books = sub == &session->subs[SIM_BOOK], tickers = sub == &session->subs[SIM_TICKER];
    uint32_t room = SESSION_MARKETS_MAX - session_markets(session), over = 0;

    if (sub->all)
        return 0; /* all are there */
    for (uint32_t i = 0; i < c->market_count; i++) {
        if (sim_bit(&sub->wanted, sim->markets[i]))
            continue;
        if (room == 0 || (sim->sub_markets_max != 0 && sub->wanted.count >= sim->sub_markets_max)) {
            over++;
            continue;
        }
        sim_bit_set(&sub->wanted, sim->markets[i]);
        sim_name(sim, sim->markets[i]); /* kept: by it a new market in this place is known */
        room--;
        if (books || (tickers && sub->initial))
            sim_session_ask(sub, sim->markets[i], false, 0);
    }
    return over;
}

static void
early_data(struct sim_session *session)
{
    if (sim_is_armed(session->sim, KDP_SIM_FAULT_EARLY_DATA) && session->subs[SIM_BOOK].ask_count > 0 &&
        sim_armed_take(session->sim, KDP_SIM_FAULT_EARLY_DATA, session->number, NULL) != NULL)
        sim_session_pump(session);
}

static int
subscribe_check(const struct command *c, const char **words)
{
    bool communications = false;

    if (!c->has_params)
        return *words = "Params required", 2;
    if (c->channel_unknown)
        return *words = "Unknown channel name", 8;
    if (c->channel_count == 0)
        return *words = "Channels required", 3;
    if (c->ticker_given && c->tickers_given)
        return *words = "Invalid parameter: market_ticker and market_tickers exclude each other", 11;
    for (unsigned i = 0; i < c->channel_count; i++) {
        enum sim_channel channel = c->channels[i];

        if (channel == SIM_BOOK && c->market_count == 0 && c->unknown.len == 0)
            return *words = "Market ticker required", 14;
        if (c->ids_given && channel != SIM_TICKER)
            return *words = "Invalid parameter: market_id is of the ticker channel", 11;
        if ((channel == SIM_CFBENCHMARKS || channel == SIM_CFBENCHMARKS_5HZ) && !c->indices)
            return *words = "Index ids required", 24;
        if (channel == SIM_PYTH && !c->underlyings)
            return *words = "Underlying tickers required", 28;
        communications |= channel == SIM_COMMUNICATIONS;
    }
    if (communications && c->shard_factor_given && c->shard_factor <= 0)
        return *words = "Shard factor must be above 0", 19;
    if (communications && c->shard_key_given && !c->shard_factor_given)
        return *words = "Shard factor required", 20;
    if (communications && c->shard_factor_given && c->shard_factor > 100)
        return *words = "Shard factor must be at most 100", 22;
    if (communications && c->shard_key_given && (c->shard_key < 0 || c->shard_key >= c->shard_factor))
        return *words = "Shard key out of range", 21;
    if (c->market_count == 0 && c->unknown.len > 0)
        return *words = "Invalid parameter: unknown market", 11;
    return 0;
}

static void
subscribe(struct sim_session *session, const struct command *c)
{
    struct kdp_sim *sim = session->sim;
    const char *words = "";
    int code = subscribe_check(c, &words);
    bool silent;

    if (code == 11 && c->unknown.len > 0 && c->market_count == 0) {
        tell_unknown(session, c, NULL);
        return;
    }
    if (code != 0) {
        refuse(session, c, NULL, code, words);
        return;
    }
    silent = no_ack(session);
    for (unsigned i = 0; i < c->channel_count; i++) {
        enum sim_channel channel = c->channels[i];
        struct sim_sub *sub = &session->subs[channel];
        const struct kdp_sim_fault *fault;
        struct sim_text text = {0};
        uint32_t over = 0;

        if (!sub->on) {
            *sub = (struct sim_sub){.on = true,
                                    .channel = channel,
                                    .yes_price = c->yes_price,
                                    .skip_ack = c->skip_ack,
                                    .initial = c->initial,
                                    .sid = session->next_sid++};
            sim->sub_count[channel]++;
            if (sim_channels[channel].numbered && sim_is_armed(sim, KDP_SIM_FAULT_FIRST_SEQ) &&
                (fault = sim_armed_take(sim, KDP_SIM_FAULT_FIRST_SEQ, session->number, sub)) != NULL)
                sub->seq = fault->count > 0 ? fault->count - 1 : 0;
        }
        if (sim_channels[channel].filtered && c->market_count == 0)
            sub->all = true;
        else if (sim_channels[channel].filtered)
            over = add_markets(session, sub, c);
        if (channel == SIM_BOOK)
            early_data(session);
        begin(&text, c);
        sim_putf(&text, "\"type\":\"subscribed\",\"msg\":{\"channel\":\"%s\",\"sid\":%u}",
                 sim_channels[channel].name, sub->sid);
        if (silent)
            sim_text_free(&text);
        else
            end(session, &text);
        if (over > 0)
            refuse(session, c, sub, 26, "Subscription market limit exceeded");
    }
    tell_unknown(session, c, NULL);
}

static struct sim_sub *
find_sid(struct sim_session *session, uint32_t sid)
{
    for (unsigned i = 0; i < SIM_CHANNELS; i++) {
        if (session->subs[i].on && session->subs[i].sid == sid)
            return &session->subs[i];
    }
    return NULL;
}

static void
acknowledge(struct sim_session *session, const struct command *c, struct sim_sub *sub)
{
    struct kdp_sim *sim = session->sim;
    struct sim_text text = {0};
    bool first = true;

    if (no_ack(session))
        return;
    begin(&text, c);
    sim_putf(&text, "\"sid\":%u,", sub->sid);
    if (sim_channels[sub - session->subs].numbered)
        sim_putf(&text, "\"seq\":%llu,", (unsigned long long)++sub->seq);
    sim_lit(&text, "\"type\":\"ok\",\"msg\":{");
    if (!sub->skip_ack) {
        sim_lit(&text, "\"market_tickers\":[");
        for (size_t w = 0; w < sub->wanted.size; w++) {
            for (uint64_t bits = sub->wanted.words[w]; bits != 0; bits &= bits - 1) {
                size_t len;
                const char *ticker = kdp_exchange_ticker(
                    sim->exchange, (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(bits), &len);

                if (!first)
                    sim_lit(&text, ",");
                sim_put_json(&text, ticker, len);
                first = false;
            }
        }
        sim_lit(&text, "]");
    }
    sim_lit(&text, "}");
    end(session, &text);
}

static void
get_snapshot(struct sim_session *session, const struct command *c, struct sim_sub *sub)
{
    struct kdp_sim *sim = session->sim;

    if (sub != &session->subs[SIM_BOOK]) {
        refuse(session, c, sub, 13, "Unsupported action");
        return;
    }
    if (c->market_count == 0 && c->unknown.len == 0) {
        refuse(session, c, sub, 14, "Market ticker required");
        return;
    }
    if (sim_is_armed(sim, KDP_SIM_FAULT_IGNORE_GET) &&
        sim_armed_take(sim, KDP_SIM_FAULT_IGNORE_GET, session->number, sub) != NULL)
        return;
    for (uint32_t i = 0; i < c->market_count; i++) {
        if (sim_bit(&sub->wanted, sim->markets[i]))
            sim_session_ask(sub, sim->markets[i], true, c->id);
        else
            refuse(session, c, sub, 11, "Invalid parameter: not a market of this subscription");
    }
    tell_unknown(session, c, sub);
}

static void
update(struct sim_session *session, const struct command *c)
{
    struct kdp_sim *sim = session->sim;
    struct sim_sub *sub;
    uint32_t over;

    if (!c->has_params) {
        refuse(session, c, NULL, 2, "Params required");
        return;
    }
    if (c->sid_count != 1 || (c->sid_given && c->sids_given)) {
        refuse(session, c, NULL, 12, "Exactly one subscription id required");
        return;
    }
    sub = find_sid(session, c->sids[0]);
    if (sub == NULL) {
        refuse(session, c, NULL, 7, "Unknown subscription id");
        return;
    }
    if (c->action[0] == 0) {
        refuse(session, c, sub, 15, "Action required");
        return;
    }
    if (sim_is_armed(sim, KDP_SIM_FAULT_TOO_MANY) &&
        sim_armed_take(sim, KDP_SIM_FAULT_TOO_MANY, session->number, sub) != NULL) {
        refuse(session, c, sub, 27, "Too many requests");
        return;
    }
    if (strcmp(c->action, "get_snapshot") == 0) {
        get_snapshot(session, c, sub);
        return;
    }
    if (strcmp(c->action, "add_markets") != 0 && strcmp(c->action, "delete_markets") != 0) {
        refuse(session, c, sub, 13, "Unsupported action");
        return;
    }
    if (c->ticker_given && c->tickers_given) {
        refuse(session, c, sub, 11, "Invalid parameter: market_ticker and market_tickers exclude each other");
        return;
    }
    if (c->market_count == 0 && c->unknown.len == 0) {
        refuse(session, c, sub, 14, "Market ticker required");
        return;
    }
    if (!sim_channels[sub - session->subs].filtered) {
        refuse(session, c, sub, 13, "Unsupported action");
        return;
    }
    if (c->action[0] == 'a') {
        over = add_markets(session, sub, c);
        early_data(session);
        if (over > 0)
            refuse(session, c, sub, 26, "Subscription market limit exceeded");
        else
            acknowledge(session, c, sub);
    } else {
        for (uint32_t i = 0; i < c->market_count; i++) {
            sim_bit_clear(&sub->wanted, sim->markets[i]);
            sim_bit_clear(&sub->active, sim->markets[i]);
        }
        acknowledge(session, c, sub);
    }
    tell_unknown(session, c, sub);
}

static void
unsubscribe(struct sim_session *session, const struct command *c)
{
    if (!c->has_params) {
        refuse(session, c, NULL, 2, "Params required");
        return;
    }
    if (c->sid_count == 0) {
        refuse(session, c, NULL, 4, "Subscription ids required");
        return;
    }
    for (uint32_t i = 0; i < c->sid_count; i++) {
        struct sim_sub *sub = find_sid(session, c->sids[i]);
        struct sim_text text = {0};

        if (sub == NULL) {
            refuse(session, c, NULL, 7, "Unknown subscription id");
            continue;
        }
        begin(&text, c);
        sim_putf(&text, "\"sid\":%u,", sub->sid);
        if (sim_channels[sub - session->subs].numbered)
            sim_putf(&text, "\"seq\":%llu,", (unsigned long long)++sub->seq);
        sim_lit(&text, "\"type\":\"unsubscribed\"");
        end(session, &text);
        sim_session_drop(session, (enum sim_channel)(sub - session->subs));
    }
}

static void
list(struct sim_session *session, const struct command *c)
{
    struct sim_text text = {0};
    bool first = true;

    begin(&text, c);
    sim_lit(&text, "\"type\":\"ok\",\"msg\":[");
    for (unsigned i = 0; i < SIM_CHANNELS; i++) {
        if (!session->subs[i].on)
            continue;
        sim_putf(&text, "%s{\"channel\":\"%s\",\"sid\":%u}", first ? "" : ",", sim_channels[i].name,
                 session->subs[i].sid);
        first = false;
    }
    sim_lit(&text, "]");
    end(session, &text);
}

void
sim_session_command(struct sim_session *session, const char *text, size_t len)
{
    struct kdp_sim *sim = session->sim;
    struct command c = {0};

    session->commands++;
    if (sim->mono_ns / 1000000000 != session->command_second) {
        session->command_second = sim->mono_ns / 1000000000;
        session->command_count = 0;
    }
    if (!read_command(sim, text, len, &c)) {
        c.id = 0;
        refuse(session, &c, NULL, 1, "Unable to process message");
    } else if (++session->command_count > COMMANDS_A_SECOND) {
        refuse(session, &c, NULL, 27, "Too many requests");
    } else if (sim_is_armed(sim, KDP_SIM_FAULT_UNAUTHORIZED) &&
               sim_armed_take(sim, KDP_SIM_FAULT_UNAUTHORIZED, session->number, NULL) != NULL) {
        refuse(session, &c, NULL, 9, "Authentication required");
    } else if (strcmp(c.cmd, "subscribe") == 0) {
        subscribe(session, &c);
    } else if (strcmp(c.cmd, "update_subscription") == 0) {
        update(session, &c);
    } else if (strcmp(c.cmd, "unsubscribe") == 0) {
        unsubscribe(session, &c);
    } else if (strcmp(c.cmd, "list_subscriptions") == 0) {
        list(session, &c);
    } else {
        refuse(session, &c, NULL, 5, "Unknown command");
    }
    sim_text_free(&c.unknown);
}
