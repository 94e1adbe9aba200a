/* sim_past_fixture.c - see sim_past_fixture.h. */
#include "sim_past_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "http.h"
#include "kdp_test.h"
#include "rest.h"
#include "sim_fixture.h"

struct sim_fixture fixture;
struct kdp_http *http;
struct kdp_rest_reader *rest;
struct kdp_rest_end end;

struct seen truth[TRADES_MAX], seen[TRADES_MAX];
uint32_t truth_count, seen_count;

/* ---- asking ---- */
void
open_http(struct kdp_signer *signer)
{
    struct kdp_http_config config = {
        .base_url = fixture.base, .signer = signer, .timeout_ns = 5 * KDP_NS_PER_S, .body_max = 64u << 20};

    CHECK_INT(kdp_http_open(&http, &config), 0);
}

void
begin(uint64_t seed, uint32_t markets, uint64_t trades, int64_t hours)
{
    fixture.config.plain = fixture.config.no_rsa = true;
    fixture.config.taker_side = true;
    fixture.config.exchange.seed = seed;
    fixture.config.past.markets = markets;
    fixture.config.past.trades = trades;
    fixture.config.past.span_ns = hours * 3600 * KDP_NS_PER_S;
    sim_start(&fixture);
    rest = kdpi_rest_open();
    CHECK(rest != NULL);
    open_http(NULL);
}

void
finish(void)
{
    kdp_http_close(http);
    kdpi_rest_close(rest);
    sim_stop(&fixture);
}

struct kdp_http_answer *
get(const char *path)
{
    int64_t until_ns = kdpi_mono_ns() + 10 * KDP_NS_PER_S;
    struct kdp_http_answer *answer;

    CHECK_INT(kdp_http_get(http, 1, path), 0);
    while ((answer = kdp_http_take(http)) == NULL) {
        struct pollfd p = {.fd = kdp_http_fd(http), .events = POLLIN};

        CHECK(kdpi_mono_ns() < until_ns);
        poll(&p, 1, 1000);
    }
    return answer;
}

int
status_of(const char *path)
{
    struct kdp_http_answer *answer = get(path);
    int status = answer->status;

    kdp_http_answer_free(answer);
    return status;
}

static bool
on_trade(void *arg, const struct kdp_message *m)
{
    struct seen *s = &seen[seen_count++];

    (void)arg;
    CHECK(seen_count < TRADES_MAX && m->market_ticker.len < sizeof s->ticker);
    *s = (struct seen){.time_ns = m->exch_ns,
                       .count_e2 = m->trade.count_e2,
                       .price_e4 = m->trade.price_e4,
                       .block = m->trade.block};
    memcpy(s->id, m->trade.trade_id, sizeof s->id);
    memcpy(s->ticker, m->market_ticker.data, m->market_ticker.len);
    return true;
}

/* One page of trades to seen; its cursor stands in end. */
void
page(const char *path, const char *query, const char *cursor)
{
    char full[512];
    struct kdp_http_answer *answer;

    snprintf(full, sizeof full, "%s?limit=500%s%s%s", path, query, cursor[0] != 0 ? "&cursor=" : "", cursor);
    answer = get(full);
    CHECK_INT(answer->status, 200);
    kdpi_rest_trades(rest, answer->body, answer->len, on_trade, NULL, &end);
    CHECK_INT(end.refusal, KDP_REFUSAL_NONE);
    CHECK_INT(end.refused, 0);
    kdp_http_answer_free(answer);
}

/* All pages; newest first. */
void
walk(const char *path, const char *query, const char *between)
{
    uint32_t from = seen_count;

    page(path, query, "");
    while (end.cursor[0] != 0) {
        char cursor[64];

        snprintf(cursor, sizeof cursor, "%s", end.cursor);
        if (between != NULL)
            free(sim_tell(&fixture, between));
        page(path, query, cursor);
    }
    for (uint32_t i = from + 1; i < seen_count; i++)
        CHECK(seen[i].time_ns <= seen[i - 1].time_ns);
}

/* ---- the truth ---- */
static void
uuid_read(const char *text, uint8_t id[16])
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned byte;

        text += *text == '-';
        CHECK_INT(sscanf(text, "%2x", &byte), 1);
        id[i] = (uint8_t)byte;
        text += 2;
    }
}

void
read_truth(void)
{
    char path[600], line[700], id[40], ticker[48], price[16], count[32], taker[8], block[8];
    long long ns;
    FILE *file;

    snprintf(path, sizeof path, "%s/truth.csv", kdp_test_dir());
    snprintf(line, sizeof line, "trades %s", path);
    free(sim_tell(&fixture, line));
    file = fopen(path, "r");
    CHECK(file != NULL && fgets(line, sizeof line, file) != NULL);
    truth_count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        struct seen *t = &truth[truth_count++];
        int64_t value;

        CHECK(truth_count < TRADES_MAX);
        CHECK_INT(sscanf(line, "%39[^,],%47[^,],%15[^,],%31[^,],%7[^,],%7[^,],%lld", id, ticker, price, count,
                         taker, block, &ns),
                  7);
        *t = (struct seen){.time_ns = ns, .block = block[0] == 't'};
        uuid_read(id, t->id);
        strcpy(t->ticker, ticker);
        CHECK_INT(kdpi_decimal_parse(price, strlen(price), 4, &value), KDP_DECIMAL_OK);
        t->price_e4 = (int32_t)value;
        CHECK_INT(kdpi_decimal_parse(count, strlen(count), 2, &t->count_e2), KDP_DECIMAL_OK);
    }
    fclose(file);
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* seen against truth; once: nothing came twice. */
void
same_as_truth(bool once)
{
    uint32_t kept = 0;

    qsort(seen, seen_count, sizeof *seen, by_id);
    qsort(truth, truth_count, sizeof *truth, by_id);
    for (uint32_t i = 0; i < seen_count; i++) {
        if (i == 0 || memcmp(seen[i].id, seen[kept - 1].id, 16) != 0)
            seen[kept++] = seen[i];
    }
    if (once)
        CHECK_INT(kept, seen_count);
    CHECK_INT(kept, truth_count);
    for (uint32_t i = 0; i < kept; i++) {
        CHECK_MEM(seen[i].id, truth[i].id, 16);
        CHECK_STR(seen[i].ticker, truth[i].ticker);
        CHECK_INT(seen[i].time_ns, truth[i].time_ns);
        CHECK_INT(seen[i].count_e2, truth[i].count_e2);
        CHECK_INT(seen[i].price_e4, truth[i].price_e4);
        CHECK_INT(seen[i].block, truth[i].block);
    }
}

int64_t
cutoff(void)
{
    struct kdp_http_answer *answer = get("/historical/cutoff");
    struct kdp_rest_cutoff c;

    CHECK_INT(kdpi_rest_cutoff(rest, answer->body, answer->len, &c), KDP_REFUSAL_NONE);
    CHECK_INT(c.market_settled_ns, c.trades_created_ns);
    kdp_http_answer_free(answer);
    return c.trades_created_ns;
}
