/* replay_summary.c - see replay_summary.h; the JSON members' names are a promise to scripts. */
#include "replay_summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "decimal.h"
#include "screen.h"
#include "words.h"

#define SHOWN_MAX 20 /* markets on a screen, busiest first */

static int
by_ticker(const void *a, const void *b)
{
    return strcmp(((const struct kdp_plant_market *)a)->ticker, ((const struct kdp_plant_market *)b)->ticker);
}

static int
by_busyness(const void *a, const void *b)
{
    const struct kdp_plant_market *x = *(const struct kdp_plant_market *const *)a,
                                  *y = *(const struct kdp_plant_market *const *)b;

    return x->messages != y->messages ? (x->messages < y->messages ? 1 : -1) : strcmp(x->ticker, y->ticker);
}

static int
by_count(const void *a, const void *b)
{
    const struct kdp_replay_type *x = a, *y = b;

    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

static void
collect_types(struct kdp_replay_result *result, const struct kdp_plant *plant)
{
    uint64_t count;
    const char *name;

    for (unsigned i = 0; (name = kdp_plant_type_at(plant, i, &count)) != NULL; i++) {
        unsigned at = 0;

        while (at < result->type_count && strcmp(result->types[at].name, name) != 0)
            at++;
        if (at == sizeof result->types / sizeof *result->types)
            continue;
        if (at == result->type_count) {
            snprintf(result->types[at].name, sizeof result->types[at].name, "%s", name);
            result->type_count++;
        }
        result->types[at].count += count;
    }
    qsort(result->types, result->type_count, sizeof *result->types, by_count);
}

/* Puts what the plant knows of a market in the place of what was known, which it goes on counting from. */
static void
take_market(struct kdp_plant_market *known, struct kdp_plant_market market)
{
    market.ticker = known->ticker;
    market.bbo_changes += known->bbo_changes;
    market.trades += known->trades;
    market.messages += known->messages;
    if (market.last_ts_ms == KDP_INT64_NULL)
        market.last_ts_ms = known->last_ts_ms;
    *known = market;
}

void
kdp_replay_collect_counts(struct kdp_replay_result *result, const struct kdp_plant *plant)
{
    struct kdp_plant_totals totals;
    const uint64_t *from = (const uint64_t *)&totals;
    uint64_t *to = (uint64_t *)&result->totals;

    static_assert(sizeof totals % sizeof *from == 0, "counts and nothing else");
    kdp_plant_totals(plant, &totals);
    for (size_t i = 0; i < sizeof totals / sizeof *from; i++)
        to[i] += from[i];
    kdp_plant_hash(plant, result->hash);
    kdp_plant_memory(plant, &result->book_bytes, &result->market_bytes);
    collect_types(result, plant);
}

void
kdp_replay_collect_markets(struct kdp_replay_result *result, const struct kdp_plant *plant)
{
    struct kdp_plant_market market, *markets;
    uint32_t before = result->market_count, seen = 0;

    for (uint32_t i = 0; i < before; i++) /* of a run that is over */
        if (result->markets[i].state == KDP_BOOK_STATE_LIVE ||
            result->markets[i].state == KDP_BOOK_STATE_SAMPLED)
            result->markets[i].state = KDP_BOOK_STATE_STALE;
    for (uint32_t i = 0; kdp_plant_market_at(plant, i, &market); i++)
        seen += market.ticker != NULL && market.messages > 0;
    markets = realloc(result->markets, ((size_t)before + seen + 1) * sizeof *markets);
    if (markets == NULL)
        return;
    result->markets = markets;
    for (uint32_t i = 0; kdp_plant_market_at(plant, i, &market); i++) {
        struct kdp_plant_market *known;

        if (market.ticker == NULL || market.messages == 0)
            continue;
        known = bsearch(&market, markets, before, sizeof *markets, by_ticker);
        if (known != NULL) {
            take_market(known, market);
            continue;
        }
        market.ticker = strdup(market.ticker);
        if (market.ticker != NULL)
            markets[result->market_count++] = market;
    }
    qsort(markets, result->market_count, sizeof *markets, by_ticker);
}

void
kdp_replay_collect(struct kdp_replay_result *result, const struct kdp_plant *plant)
{
    kdp_replay_collect_counts(result, plant);
    kdp_replay_collect_markets(result, plant);
}

void
kdp_replay_release(struct kdp_replay_result *result)
{
    for (uint32_t i = 0; i < result->market_count; i++)
        free((void *)(uintptr_t)result->markets[i].ticker);
    free(result->markets);
}

/* live, sampled, stale or closed: to a script a book that waits for its snapshot is stale like one that never had one.
 */
static const char *
state_word(enum kdp_book_state state)
{
    return state == KDP_BOOK_STATE_LIVE      ? "live"
           : state == KDP_BOOK_STATE_CLOSED  ? "closed"
           : state == KDP_BOOK_STATE_SAMPLED ? "sampled"
                                             : "stale";
}

static void
json_price(FILE *out, const char *name, int32_t price_e4)
{
    char buf[KDPI_DECIMAL_TEXT];

    if (price_e4 == KDP_PRICE_NULL) {
        fprintf(out, ",\"%s\":null", name);
    } else {
        kdpi_decimal_format(buf, price_e4, 4);
        fprintf(out, ",\"%s\":\"%s\"", name, buf);
    }
}

static void
json_size(FILE *out, const char *name, bool null, int64_t size_e2)
{
    char buf[KDPI_DECIMAL_TEXT];

    if (null) {
        fprintf(out, ",\"%s\":null", name);
    } else {
        kdpi_decimal_format(buf, size_e2, 2);
        fprintf(out, ",\"%s\":\"%s\"", name, buf);
    }
}

void
kdp_replay_json(const struct kdp_replay_result *result, FILE *out)
{
    fprintf(out, "{\"frames\":%" PRIu64 ",\"by_type\":{", result->totals.frames + result->unwrapped);
    for (unsigned i = 0; i < result->type_count; i++) {
        fputs(i > 0 ? "," : "", out);
        kdpi_json_text(out, result->types[i].name, strlen(result->types[i].name));
        fprintf(out, ":%" PRIu64, result->types[i].count);
    }
    fprintf(out,
            "},\"malformed\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"connections\":%" PRIu64
            ",\"records\":%" PRIu64 ",\"stream_hash\":",
            result->totals.malformed + result->unwrapped, result->totals.gaps, result->totals.connections,
            result->totals.records);
    if (result->fresh)
        fprintf(out, "\"%s\"", result->hash);
    else
        fputs("null", out);
    fputs(",\"markets\":[", out);
    for (uint32_t i = 0; i < result->market_count; i++) {
        const struct kdp_plant_market *market = &result->markets[i];

        fprintf(out, "%s{\"ticker\":", i > 0 ? "," : "");
        kdpi_json_text(out, market->ticker, strlen(market->ticker));
        fprintf(out, ",\"state\":\"%s\"", state_word(market->state));
        json_price(out, "yes_bid", market->top.bid_e4);
        json_size(out, "yes_bid_size", market->top.bid_e4 == KDP_PRICE_NULL, market->top.bid_size_e2);
        json_price(out, "yes_ask", market->top.ask_e4);
        json_size(out, "yes_ask_size", market->top.ask_e4 == KDP_PRICE_NULL, market->top.ask_size_e2);
        fprintf(out, ",\"bid_levels\":%u,\"ask_levels\":%u", market->bid_levels, market->ask_levels);
        json_size(out, "bid_size_total", false, market->bid_size_total_e2);
        json_size(out, "ask_size_total", false, market->ask_size_total_e2);
        fprintf(out,
                ",\"bbo_changes\":%" PRIu64 ",\"trades\":%" PRIu64 ",\"last_ts_ms\":", market->bbo_changes,
                market->trades);
        if (market->last_ts_ms == KDP_INT64_NULL)
            fputs("null}", out);
        else
            fprintf(out, "%" PRId64 "}", market->last_ts_ms);
    }
    fputc(']', out);
}

static void
print_table(const struct kdp_replay_result *result, const struct kdp_cli *cli, FILE *out)
{
    const struct kdp_plant_market **order = calloc(result->market_count + 1u, sizeof *order);
    double seconds = (double)(result->played_ns - result->started_ns) / 1e9;
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], d[KDPI_SCREEN_TEXT],
        e[KDPI_SCREEN_TEXT], f[KDPI_SCREEN_TEXT];
    uint32_t shown = result->market_count < SHOWN_MAX ? result->market_count : SHOWN_MAX;
    size_t width = 6;
    struct rusage usage;

    if (order == NULL)
        return;
    for (uint32_t i = 0; i < result->market_count; i++)
        order[i] = &result->markets[i];
    qsort(order, result->market_count, sizeof *order, by_busyness);
    for (uint32_t i = 0; i < shown; i++)
        width = strlen(order[i]->ticker) > width ? strlen(order[i]->ticker) : width;
    kdpi_screen_count(a, result->totals.frames + result->unwrapped);
    kdpi_screen_span(b, result->span_ns);
    kdpi_screen_count(c, result->totals.malformed + result->unwrapped);
    fprintf(out, "input      %s frames, %s received", a, b);
    if (seconds > 0 && result->span_ns > 0) {
        kdpi_screen_count(d, (uint64_t)((double)result->span_ns / 1e9 / seconds));
        fprintf(out, " (%s x)", d);
    }
    kdpi_screen_count(e, result->totals.connections);
    kdpi_screen_count(f, result->totals.gaps);
    fprintf(out, ", connections %s, malformed %s, gaps %s\n", e, c, f);
    fputs("types      ", out);
    for (unsigned i = 0; i < result->type_count; i++) {
        kdpi_screen_count(a, result->types[i].count);
        fprintf(out, "%s%s %s", i > 0 ? ", " : "", result->types[i].name, a);
    }
    kdpi_screen_count(a, result->totals.records);
    if (result->fresh)
        fprintf(out, "\nrecords    %s   stream hash %s (the input alone decides it)\n", a, result->hash);
    else
        fprintf(out, "\nrecords    %s   no stream hash: the data folder was not empty\n", a);
    if (result->market_count > 0 && getrusage(RUSAGE_SELF, &usage) == 0) {
        kdpi_screen_count(a, (result->book_bytes + result->market_bytes) / result->market_count);
        kdpi_screen_count(b, result->market_count);
        kdpi_screen_count(c, result->book_bytes / result->market_count);
        kdpi_screen_bytes(d, (uint64_t)usage.ru_maxrss * 1024);
        fprintf(out, "memory     %s bytes a market (%s markets; its book %s), process %s with its rings\n", a,
                b, c, d);
    }
    fprintf(out, "%-*s  STATE   %12s  %6s  %6s  %12s  %11s  %11s  %8s\n", (int)width, "MARKET", "BID SIZE",
            "BID", "ASK", "ASK SIZE", "LEVELS", "BBO CHANGES", "TRADES");
    for (uint32_t i = 0; i < shown; i++) {
        const struct kdp_plant_market *m = order[i];
        const char *state = state_word(m->state);
        /* a stale book shows no prices */
        bool prices = m->state == KDP_BOOK_STATE_LIVE || m->state == KDP_BOOK_STATE_SAMPLED;

        if (m->state == KDP_BOOK_STATE_STALE || m->state == KDP_BOOK_STATE_NONE ||
            m->state == KDP_BOOK_STATE_RECOVERING)
            state = "STALE";
        if (m->state == KDP_BOOK_STATE_SAMPLED)
            state = "sample";
        strcpy(a, "-");
        strcpy(b, "-");
        strcpy(c, "-");
        strcpy(d, "-");
        if (prices && m->top.bid_e4 != KDP_PRICE_NULL) {
            kdpi_screen_size(a, m->top.bid_size_e2);
            kdpi_screen_price(b, m->top.bid_e4);
        }
        if (prices && m->top.ask_e4 != KDP_PRICE_NULL) {
            kdpi_screen_price(c, m->top.ask_e4);
            kdpi_screen_size(d, m->top.ask_size_e2);
        }
        fprintf(out, "%-*s  %-6s  %12s  %-6s  %-6s  %12s  %5u/%5u", (int)width, m->ticker, state, a, b, c, d,
                m->bid_levels, m->ask_levels);
        kdpi_screen_count(e, m->bbo_changes);
        kdpi_screen_count(f, m->trades);
        fprintf(out, "  %11s  %8s\n", e, f);
    }
    if (result->market_count > shown)
        kdp_cli_say(cli, "%u of %u markets, busiest first; --summary json has all", shown,
                    result->market_count);
    free(order);
}

void
kdp_replay_print(const struct kdp_replay_result *result, const struct kdp_cli *cli)
{
    const char *summary = kdp_cli_text(cli, "summary");

    if (summary != NULL && strcmp(summary, "json") == 0) {
        kdp_replay_json(result, stdout);
        fputs("}\n", stdout);
    } else {
        print_table(result, cli, stdout);
    }
}
