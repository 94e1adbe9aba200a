/* rest.c - REST requests: which path, which parameters, and the answers that are not about one market (docs/exchange.md 2, 3). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "server_private.h"

#define BASE "/trade-api/v2"
#define COST 10 /* tokens of a request; no endpoint here costs another number */

/* ---- parameters ---- */
static int
hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes in place; false when an escape is none or gives a NUL. */
static bool
decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at != 0; at++) {
        if (*at == '%') {
            int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);

            if (low < 0 || (high | low) == 0)
                return false;
            *to++ = (char)(high << 4 | low);
            at += 2;
        } else {
            *to++ = *at == '+' ? ' ' : *at;
        }
    }
    *to = 0;
    return true;
}

static bool
query_read(struct sim_query *query, struct kdp_http_slice target)
{
    char *at, *question;

    query->count = 0;
    query->memory = malloc(target.len + 1);
    KDP_ASSERT(query->memory != NULL);
    memcpy(query->memory, target.data, target.len);
    query->memory[target.len] = 0;
    if (strlen(query->memory) != target.len)
        return false;
    query->path = query->memory;
    question = strchr(query->memory, '?');
    if (question != NULL) {
        *question = 0;
        for (at = strtok_r(question + 1, "&", &question); at != NULL; at = strtok_r(NULL, "&", &question)) {
            struct sim_param *param;
            char *equals = strchr(at, '=');

            if (query->count == sizeof query->params / sizeof *query->params)
                return false;
            param = &query->params[query->count];
            if (equals == NULL)
                continue;
            *equals = 0;
            if (strlen(at) >= sizeof param->name)
                continue;
            strcpy(param->name, at);
            param->value = equals + 1;
            if (!decode(param->value))
                return false;
            query->count++;
        }
    }
    return decode(query->memory);
}

const char *
sim_query_get(const struct sim_query *query, const char *name)
{
    for (unsigned i = 0; i < query->count; i++) {
        if (strcmp(query->params[i].name, name) == 0)
            return query->params[i].value;
    }
    return NULL;
}

bool
sim_query_int(const struct sim_query *query, const char *name, int64_t fallback, int64_t min, int64_t max,
              int64_t *out)
{
    const char *text = sim_query_get(query, name);
    char *end;

    *out = fallback;
    if (text == NULL || text[0] == 0)
        return true;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == 0 && *out >= min && *out <= max;
}

/* ---- the exchange as a whole ---- */
static void
answer(struct sim_conn *conn, int status, struct sim_text *text)
{
    sim_http_answer(conn, status, "", text->data, text->len);
    sim_text_free(text);
}

static void
status(struct sim_conn *conn)
{
    struct kdp_sim *sim = conn->sim;
    bool on = !sim_paused(sim);
    const char *word = on ? "true" : "false";
    struct sim_text text = {0};

    sim_putf(&text,
             "{\"exchange_active\":%s,\"trading_active\":%s,\"intra_exchange_transfers_active\":%s,"
             "\"exchange_estimated_resume_time\":",
             word, word, word);
    sim_put_time(&text, on ? KDP_TIME_NULL : sim->now_ns + (sim->paused_until_ns - sim->mono_ns), 0);
    sim_lit(&text, ",\"exchange_index_statuses\":[");
    for (unsigned i = 0; i < 4; i++) {
        static const char *const names[] = {"Default", "Combos", "Crypto", "Sports"};

        sim_putf(
            &text,
            "%s{\"exchange_index\":%u,\"description\":\"%s\",\"exchange_active\":%s,\"trading_active\":%s,"
            "\"intra_exchange_transfers_active\":%s}",
            i == 0 ? "" : ",", i, names[i], word, word, word);
    }
    sim_lit(&text, "]}");
    answer(conn, on ? 200 : 503, &text);
}

/* Open around the clock but for the weekly pause (Thursday 03:00 to 05:00 Eastern Time), which this exchange does not keep: it
 * runs for hours, not weeks, and pauses on command. */
static void
schedule(struct sim_conn *conn)
{
    static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                       "friday", "saturday", "sunday"};
    struct kdp_sim *sim = conn->sim;
    struct sim_text text = {0};

    sim_lit(&text, "{\"schedule\":{\"standard_hours\":[{\"start_time\":\"2025-01-01T00:00:00Z\",\"end_time\":"
                   "\"2035-01-01T00:00:00Z\"");
    for (unsigned i = 0; i < 7; i++)
        sim_putf(&text, ",\"%s\":[{\"open_time\":\"00:00\",\"close_time\":\"00:00\"}]", days[i]);
    sim_lit(&text, "}],\"maintenance_windows\":[");
    if (sim_paused(sim)) {
        sim_lit(&text, "{\"start_datetime\":");
        sim_put_time(&text, sim->now_ns - 60 * KDP_NS_PER_S, 0);
        sim_lit(&text, ",\"end_datetime\":");
        sim_put_time(&text, sim->now_ns + (sim->paused_until_ns - sim->mono_ns), 0);
        sim_lit(&text, "}");
    }
    sim_lit(&text, "]}}");
    answer(conn, 200, &text);
}

/* docs/exchange.md 2.1: tokens a second; what the bucket holds is three seconds of them. */
static const struct tier {
    const char *name;
    int64_t read, write;
} tiers[] = {{"basic", 200, 100},      {"advanced", 300, 300},  {"expert", 600, 600},
             {"premier", 1200, 1200},  {"paragon", 2400, 2400}, {"prime", 4800, 4800},
             {"prestige", 12000, 9600}};

/* The one that was asked for; else the least that has so many tokens. */
static const struct tier *
tier_of(const struct kdp_sim *sim)
{
    unsigned last = sizeof tiers / sizeof *tiers - 1, i = 0;

    for (; i <= last && sim->config.tier != NULL; i++) {
        if (strcmp(tiers[i].name, sim->config.tier) == 0)
            return &tiers[i];
    }
    for (i = 0; i < last && sim->config.read_refill != 0; i++) {
        if (tiers[i].read >= sim->config.read_refill)
            return &tiers[i];
    }
    return &tiers[last];
}

static void
limits(struct sim_conn *conn, bool is_signed)
{
    struct kdp_sim *sim = conn->sim;
    struct sim_text text = {0};
    const struct tier *tier = tier_of(sim);
    int64_t refill = sim->config.read_refill != 0 ? sim->config.read_refill : tier->read;
    int64_t capacity = sim->config.read_capacity != 0 ? sim->config.read_capacity : 3 * refill;

    if (!is_signed) {
        sim_http_error(conn, 401, "token_authentication_failure", "authentication required");
        return;
    }
    sim_putf(&text,
             "{\"usage_tier\":\"%s\",\"read\":{\"refill_rate\":%lld,\"bucket_capacity\":%lld},"
             "\"write\":{\"refill_rate\":%lld,\"bucket_capacity\":%lld},\"grants\":[]}",
             tier->name, (long long)refill, (long long)capacity, (long long)tier->write,
             (long long)(3 * tier->write));
    answer(conn, 200, &text);
}

static void
cutoff(struct sim_conn *conn)
{
    static const char *const names[] = {"market_settled_ts", "trades_created_ts", "orders_updated_ts",
                                        "market_positions_last_updated_ts"};
    struct sim_text text = {0};

    for (unsigned i = 0; i < 4; i++) {
        sim_putf(&text, "%s\"%s\":", i == 0 ? "{" : ",", names[i]);
        sim_put_time(&text, sim_cutoff_ns(conn->sim), 0);
    }
    sim_lit(&text, "}");
    answer(conn, 200, &text);
}

uint64_t
sim_trade_key(const struct kdp_sim *sim)
{
    return (sim->config.exchange.seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- cursors: a number that says nothing to whoever holds it, and carries no filter ---- */
void
sim_put_cursor(struct sim_conn *conn, const struct sim_query *query, struct sim_text *text, bool more,
               uint64_t number)
{
    struct kdp_sim *sim = conn->sim;
    const char *same = sim_query_get(query, "cursor"), *last = sim->last_cursor;

    if (same == NULL)
        same = "";
    sim_lit(text, "\"cursor\":");
    if (conn->harm.loop && same[0] != 0)
        sim_put_json(text, same, strlen(same));
    else if (conn->harm.turn && same[0] != 0 && last[0] != 0 && strcmp(same, last) != 0)
        sim_put_json(text, last, strlen(last));
    else if (more)
        sim_putf(text, "\"C%016llx\"", (unsigned long long)(number ^ sim_trade_key(sim)));
    else
        sim_lit(text, "\"\"");
    snprintf(sim->last_cursor, sizeof sim->last_cursor, "%s", same);
}

bool
sim_cursor_read(const struct kdp_sim *sim, const struct sim_query *query, uint64_t *numberp, bool *givenp)
{
    const char *text = sim_query_get(query, "cursor");
    char *end;

    *givenp = text != NULL && text[0] != 0;
    if (!*givenp)
        return true;
    if (strlen(text) != 17 || text[0] != 'C')
        return false;
    *numberp = strtoull(text + 1, &end, 16) ^ sim_trade_key(sim);
    return *end == 0;
}

/* ---- dispatch ---- */
static const char *
below(const char *path, const char *prefix) /* what follows the prefix, NULL: another path */
{
    size_t len = strlen(prefix);

    return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

static void
dispatch(struct sim_conn *conn, const struct sim_query *query, bool is_signed)
{
    const char *path = query->path, *rest;
    struct sim_text text = {0};

    if (strcmp(path, "/exchange/status") == 0) {
        status(conn);
    } else if (strcmp(path, "/exchange/schedule") == 0) {
        schedule(conn);
    } else if (strcmp(path, "/account/limits") == 0) {
        limits(conn, is_signed);
    } else if (strcmp(path, "/account/endpoint_costs") == 0) {
        sim_lit(&text, "{\"default_cost\":10,\"endpoint_costs\":[{\"method\":\"DELETE\",\"path\":\"/"
                       "portfolio/orders/{order_id}\",\"cost\":2}]}");
        answer(conn, 200, &text);
    } else if (strcmp(path, "/historical/cutoff") == 0) {
        cutoff(conn);
    } else if (strcmp(path, "/markets/trades") == 0 || strcmp(path, "/historical/trades") == 0) {
        sim_rest_trades(conn, query, path[1] == 'h');
    } else if (strcmp(path, "/markets/orderbooks") == 0) {
        sim_rest_orderbooks(conn, query);
    } else if (sim_rest_candles(conn, query)) {
        return;
    } else if (strcmp(path, "/markets") == 0 || strcmp(path, "/historical/markets") == 0) {
        sim_rest_markets(conn, query, path[1] == 'h');
    } else if ((rest = below(path, "/historical/markets/")) != NULL && strchr(rest, '/') == NULL) {
        sim_rest_market(conn, rest, strlen(rest), true);
    } else if ((rest = below(path, "/markets/")) != NULL && strchr(rest, '/') == NULL) {
        sim_rest_market(conn, rest, strlen(rest), false);
    } else if (rest != NULL && strcmp(strchr(rest, '/'), "/orderbook") == 0) {
        sim_rest_orderbook(conn, query, rest, (size_t)(strchr(rest, '/') - rest));
    } else if (strcmp(path, "/events") == 0 || strcmp(path, "/events/multivariate") == 0) {
        sim_rest_events(conn, query, path[7] != 0);
    } else if (strcmp(path, "/series/fee_changes") == 0 || strcmp(path, "/events/fee_changes") == 0) {
        sim_rest_fees(conn, query, path[1] == 'e');
    } else if ((rest = below(path, "/events/")) != NULL && strchr(rest, '/') == NULL) {
        sim_rest_event(conn, query, rest, strlen(rest));
    } else if (strcmp(path, "/series") == 0) {
        sim_rest_series(conn, query, NULL, 0);
    } else if ((rest = below(path, "/series/")) != NULL && strchr(rest, '/') == NULL) {
        sim_rest_series(conn, query, rest, strlen(rest));
    } else {
        sim_http_error(conn, 404, "not_found", "no such path");
    }
}

/* One bucket for the account, however many connections and keys; no refill asked for and no tier: no bucket. */
static bool
take_tokens(struct kdp_sim *sim)
{
    int64_t refill = sim->config.read_refill;
    double capacity;

    sim->rest_signed++;
    if (refill == 0 && sim->config.tier == NULL)
        return true;
    if (refill == 0)
        refill = tier_of(sim)->read;
    capacity = (double)(sim->config.read_capacity != 0 ? sim->config.read_capacity : 3 * refill);
    if (sim->tokens_ns == 0)
        sim->tokens = capacity;
    else
        sim->tokens += (double)(sim->mono_ns - sim->tokens_ns) * 1e-9 * (double)refill;
    sim->tokens_ns = sim->mono_ns;
    if (sim->tokens > capacity)
        sim->tokens = capacity;
    if (sim->tokens < COST)
        return false;
    sim->tokens -= COST;
    return true;
}

static void
moved(struct sim_conn *conn, struct sim_query *query) /* a trailing slash */
{
    struct sim_text headers = {0};
    size_t len = strlen(query->path);

    while (len > 1 && query->path[len - 1] == '/')
        len--;
    sim_lit(&headers, "Location: " BASE);
    for (size_t i = 0; i < len; i++) { /* nothing that could end the line */
        if (query->path[i] > ' ' && query->path[i] < 127)
            sim_put(&headers, &query->path[i], 1);
    }
    sim_lit(&headers, "\r\n");
    headers.data[headers.len] = 0;
    sim_http_answer(conn, 301, headers.data, "", 0);
    sim_text_free(&headers);
}

void
sim_rest(struct sim_conn *conn, const struct kdp_http_request *request)
{
    struct kdp_sim *sim = conn->sim;
    struct sim_auth_words words = {"", ""};
    struct sim_query query;
    enum sim_auth auth = sim_auth_check(sim, request, &words);
    size_t from = conn->out.len;

    conn->public = auth == SIM_AUTH_NONE;
    if (!query_read(&query, request->target)) {
        sim_http_error(conn, 400, "bad_request", "a query that cannot be read");
    } else if (strncmp(query.path, "/reporting/", 11) == 0 && !sim_rest_harmed(conn, &query)) {
        sim_bulk(conn, query.path + 11);
    } else if (strncmp(query.path, BASE "/", sizeof BASE) != 0) {
        sim_http_error(conn, 404, "not_found", "no such path");
    } else if (query.path += sizeof BASE - 1, auth == SIM_AUTH_BAD) {
        sim_http_error(conn, 401, words.code, words.message);
    } else if (auth == SIM_AUTH_GOOD && !take_tokens(sim)) {
        sim->stats.rest_limited++;
        sim_http_error(conn, 429, "too_many_requests", "too many requests");
    } else if (request->method.len != 3 || memcmp(request->method.data, "GET", 3) != 0) {
        sim_http_error(conn, 405, "method_not_allowed", "only GET is served here");
    } else if (sim_rest_harmed(conn, &query)) {
        /* nothing more */
    } else if (query.path[strlen(query.path) - 1] == '/') {
        moved(conn, &query);
    } else if (sim_paused(sim) && strcmp(query.path, "/exchange/status") != 0 &&
               strcmp(query.path, "/exchange/schedule") != 0) {
        sim_http_error(conn, 503, "service_unavailable", "the exchange is in maintenance");
    } else if (!(sim->stale && auth == SIM_AUTH_NONE) || !sim_cache_give(conn, request->target)) {
        dispatch(conn, &query, auth == SIM_AUTH_GOOD);
        if (sim->stale && auth == SIM_AUTH_NONE && !conn->harm.any)
            sim_cache_take(conn, request->target, from);
    }
    free(query.memory);
    conn->public = false;
    conn->harm = (struct sim_harm){0};
}
