/* history_fixture.c - see history_fixture.h. */
#include "history_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "record.h"

void
past_ticker(char ticker[PAST_TICKER], unsigned market)
{
    snprintf(ticker, PAST_TICKER, "KXHIST-26NOV-T%u", market);
}

void
past_trade(struct kdp_message *msg, char ticker[PAST_TICKER], const struct past *past, uint64_t n)
{
    uint64_t random = (uint64_t)past->market << 32 | n, a = kdp_test_random(&random),
             b = kdp_test_random(&random);

    past_ticker(ticker, past->market);
    memset(msg, 0, sizeof *msg);
    msg->kind = KDP_MESSAGE_TRADE;
    msg->market_ticker = (struct kdp_text){ticker, strlen(ticker)};
    msg->exch_ns = past->first_ns + (int64_t)n * past->step_ns;
    memcpy(msg->trade.trade_id, &a, 8);
    memcpy(msg->trade.trade_id + 8, &b, 8);
    msg->trade.price_e4 = (int32_t)(100 + a % 9800);
    msg->trade.count_e2 = (int64_t)(100 + b % 100000);
    msg->trade.taker_side = (uint8_t)(1 + a % 2);
}

struct kdp_history *
history_open_with(const struct kdp_history_config *config)
{
    struct kdp_history *history;

    if (kdp_history_open(&history, config) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    return history;
}

struct kdp_history *
history_open(const char *dir)
{
    struct kdp_history_config config = {.dir = dir};

    return history_open_with(&config);
}

void
history_give(struct kdp_history *history, const struct past *past, uint64_t from, uint64_t to)
{
    struct kdp_message msg;
    char ticker[PAST_TICKER];

    for (uint64_t n = to; n-- > from;) {
        past_trade(&msg, ticker, past, n);
        if (kdp_history_trade(history, &msg, DAY_0 + 1000 * HOUR_NS) != 0)
            kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
    }
}

void
history_flush(struct kdp_history *history)
{
    if (kdp_history_flush(history) != 0)
        kdp_test_fail(__FILE__, __LINE__, "%s", kdp_error_text());
}

const char *
history_misses(struct kdp_history *history, const char *scope, int64_t start_ns, int64_t end_ns)
{
    static char text[512];
    struct kdp_history_window *windows;
    size_t count, used = 0;

    CHECK_INT(kdp_history_missing(history, "trades", scope, start_ns, end_ns, &windows, &count), 0);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64 "-%" PRId64, i > 0 ? " " : "",
                                 (windows[i].start_ns - DAY_0) / KDP_NS_PER_S,
                                 (windows[i].end_ns - DAY_0) / KDP_NS_PER_S);
    free(windows);
    return text;
}

struct lake_fixture *
stream_start(const char *name)
{
    struct lake_fixture *f = calloc(1, sizeof *f);

    CHECK(f != NULL);
    snprintf(f->dir, sizeof f->dir, "%s/%s", kdp_test_dir(), name);
    CHECK_INT(mkdir(f->dir, 0777), 0);
    return f;
}

static void
add(struct lake_fixture *f, struct kdp_builder *b, struct kdp_head *head, int64_t recv_ns, int64_t exch_ns)
{
    size_t size;

    head->seq = f->count + 1;
    head->recv_ns = recv_ns;
    head->exch_ns = exch_ns;
    size = kdpi_build_finish(b);
    f->bytes = realloc(f->bytes, f->len + size);
    f->offsets = realloc(f->offsets, (f->count + 2) * sizeof *f->offsets);
    CHECK(f->bytes != NULL && f->offsets != NULL);
    memcpy(f->bytes + f->len, head, size);
    f->offsets[f->count++] = f->len;
    f->len += size;
    f->offsets[f->count] = f->len;
}

void
stream_market(struct lake_fixture *f, int64_t recv_ns, uint32_t instrument, const char *ticker)
{
    static const char *const texts[] = {"KXHIST-26NOV", "KXHIST", "A market", "", "linear_cent"};
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    struct kdp_builder b;
    struct kdp_definition *market = kdpi_build_start(&b, mem, KDP_TEMPLATE_DEFINITION);

    market->head.instrument = instrument;
    market->open_ns = market->close_ns = market->expiry_ns = KDP_TIME_NULL;
    market->floor_strike_e6 = market->cap_strike_e6 = KDP_INT64_NULL;
    market->status = KDP_MARKET_STATUS_ACTIVE;
    kdpi_build_group(&b, 0);
    kdpi_build_text(&b, (struct kdp_text){ticker, strlen(ticker)});
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        kdpi_build_text(&b, (struct kdp_text){texts[i], strlen(texts[i])});
    add(f, &b, &market->head, recv_ns, KDP_TIME_NULL);
}

void
stream_trade(struct lake_fixture *f, int64_t recv_ns, int64_t exch_ns, uint32_t instrument)
{
    stream_trade_of(f, recv_ns, exch_ns, instrument, KDP_ORIGIN_WS);
}

void
stream_trade_of(struct lake_fixture *f, int64_t recv_ns, int64_t exch_ns, uint32_t instrument,
                unsigned origin)
{
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    uint64_t id = f->count + 1;
    struct kdp_builder b;
    struct kdp_trade *trade = kdpi_build_start(&b, mem, KDP_TEMPLATE_TRADE);

    memcpy(trade->trade_id, &id, sizeof id);
    trade->price_e4 = 4300;
    trade->taker_side = KDP_SIDE_YES;
    trade->count_e2 = 100;
    trade->head.origin = (uint8_t)origin;
    trade->head.instrument = instrument;
    add(f, &b, &trade->head, recv_ns, exch_ns);
}

void
stream_gap(struct lake_fixture *f, int64_t recv_ns, unsigned status, int64_t opened_ns)
{
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    struct kdp_builder b;
    struct kdp_gap *gap = kdpi_build_start(&b, mem, KDP_TEMPLATE_GAP);

    gap->kind = KDP_GAP_KIND_TRADES;
    gap->status = (uint8_t)status;
    gap->opened_ns = opened_ns;
    gap->healed_ns = KDP_TIME_NULL;
    kdpi_build_text(&b, (struct kdp_text){"", 0});
    add(f, &b, &gap->head, recv_ns, KDP_TIME_NULL);
}
