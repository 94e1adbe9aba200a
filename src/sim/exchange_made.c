/* exchange_made.c - the generated source: the generator's universe, books and popularity, on the exchange's clock.
 *
 * The generator is told to have a sink instead of clients: what it would format it tells.  Time is the exchange's: a step of
 * trading is due at next_ns and tells a few events; the pause after it is exponential around what its events stand for, so that
 * the rate is met in the mean whatever the steps do.  Rushes of a second or two at five times the rate come about every 16 s.
 * What happens to markets by the clock waits in a heap of timers. */
#include "exchange_made.h"

#include <stdlib.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "memory.h"

#define RUSH_TIMES 5
#define TRADE_SHARE 20 /* of the events about one in so many is a trade */

const char *
exchange_made_ticker(const struct kdp_exchange *ex, uint32_t made, size_t *lenp)
{
    const struct gen_market *market = &ex->made->gen->markets[made];

    *lenp = market->ticker_len;
    return gen_ticker(ex->made->gen, market);
}

/* With recordings beside it nothing made up may have a recorded name: series of this exchange begin with KX, so the others
 * begin with KY. */
char *
made_rename(const struct exchange_made *made, char *begin, char *end)
{
    if (made->renamed && end - begin > 1)
        begin[1] = 'Y';
    return end;
}

/* ---- timers: a binary heap, the earliest first; of equal times the order is that of the heap, which is the same in every run */

static bool
before(const struct made_due *a, const struct made_due *b)
{
    return a->due_ns < b->due_ns;
}

static void
put_due(struct exchange_made *made, struct made_due due)
{
    size_t at = made->heap_count++;

    for (; at > 0 && before(&due, &made->heap[(at - 1) / 2]); at = (at - 1) / 2)
        made->heap[at] = made->heap[(at - 1) / 2];
    made->heap[at] = due;
}

bool
made_is_void(const struct exchange_made *made, const struct made_due *due)
{
    return due->what <= MADE_OPEN && made->places[due->which].birth != due->birth;
}

/* An event that closed early leaves its timer behind, due in months perhaps: those go when room is needed. */
static void
drop_void(struct exchange_made *made)
{
    size_t all = made->heap_count;

    made->heap_count = 0;
    for (size_t i = 0; i < all; i++) /* what is put lies before what is looked at */
        if (!made_is_void(made, &made->heap[i]))
            put_due(made, made->heap[i]);
}

void
made_later(struct exchange_made *made, int64_t due_ns, enum made_timer what, uint32_t which)
{
    struct made_due due = {due_ns, (uint32_t)what, which, 0};

    if (what <= MADE_OPEN)
        due.birth = made->places[which].birth;
    if (made->heap_count == made->heap_room) {
        drop_void(made);
        if (made->heap_count > made->heap_room / 2) {
            void *grown = kdpi_grow(made->heap, &made->heap_room, sizeof *made->heap, made->heap_count + 1);

            KDP_ASSERT(grown !=
                       NULL); /* a few per event at most: only a bug comes to this without memory for them */
            made->heap = grown;
        }
    }
    put_due(made, due);
}

static struct made_due
take_due(struct exchange_made *made)
{
    struct made_due first = made->heap[0], last = made->heap[--made->heap_count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= made->heap_count)
            break;
        if (child + 1 < made->heap_count && before(&made->heap[child + 1], &made->heap[child]))
            child++;
        if (!before(&made->heap[child], &last))
            break;
        made->heap[at] = made->heap[child];
        at = child;
    }
    if (made->heap_count > 0)
        made->heap[at] = last;
    return first;
}

/* ---- what the generator tells ---- */

/* Time goes on within a step by whole microseconds, or not at all: several things share one. */
static int64_t
tick(struct exchange_made *made)
{
    struct kdp_gen *gen = made->gen;

    if ((gen_random(gen) & (made->pause_ns < 8000 ? 15 : 1)) == 0)
        gen->now_ns += 1000;
    return gen->now_ns;
}

static void
on_delta(void *arg, uint32_t market, unsigned side, int32_t price_e4, int32_t delta_e2)
{
    struct exchange_made *made = arg;

    exchange_tell_delta(made->ex, made->place[market], tick(made), side, price_e4, delta_e2);
}

static void
on_trade(void *arg, uint32_t market, int32_t yes_e4, int32_t count_e2, unsigned taker, bool block,
         uint64_t id_high, uint64_t id_low)
{
    struct exchange_made *made = arg;
    struct kdp_exchange_trade trade = {.market = made->place[market],
                                       .yes_price_e4 = yes_e4,
                                       .count_e2 = count_e2,
                                       .taker_side = taker == GEN_YES ? KDP_SIDE_YES : KDP_SIDE_NO,
                                       .block = block,
                                       .time_ns = made->silent ? made->gen->now_ns : tick(made)};

    id_high = (id_high & ~UINT64_C(0xf000)) | 0x4000;
    id_low = (id_low & ~(UINT64_C(15) << 60)) | UINT64_C(9) << 60;
    for (unsigned i = 0; i < 8; i++) {
        trade.trade_id[i] = (uint8_t)(id_high >> (56 - 8 * i));
        trade.trade_id[8 + i] = (uint8_t)(id_low >> (56 - 8 * i));
    }
    exchange_tell_trade(made->ex, &trade, made->silent);
    /* about one trade in eight is one of a combination */
    if (made->combo_count > 0 && !made->ex->markets[trade.market].combo && gen_below(made->gen, 22) < 3)
        made_combo_trade(made);
}

static void
on_ticker(void *arg, uint32_t market)
{
    struct exchange_made *made = arg;

    exchange_tell_market(made->ex, KDP_EXCHANGE_TICKER, made->place[market], tick(made));
}

/* ---- life ---- */

/* Trades before now: made up at prices around what the markets are worth, with no trace in the books, which are those of now. */
static void
make_history(struct exchange_made *made)
{
    struct kdp_gen *gen = made->gen;
    const struct kdp_exchange_config *config = &made->ex->config;
    int64_t gap = KDP_NS_PER_S * TRADE_SHARE / (config->rate < 20 ? 20 : config->rate);
    int64_t end = gen->now_ns;

    if (config->history_ns <= 0)
        return;
    if (config->history_ns / gap > (int64_t)LOG_MAX)
        gap = config->history_ns / (int64_t)LOG_MAX;
    made->silent = true;
    gen->now_ns = end - config->history_ns;
    while (gen->now_ns < end) {
        uint32_t index = gen_pick_trading(gen), count = 1 + (gen_below(gen, 8) == 0 ? gen_below(gen, 4) : 0);
        struct gen_market *market;
        uint64_t draw;

        if (index == NOWHERE)
            return;
        market = &gen->markets[index];
        draw = gen_random(gen);
        for (uint32_t i = 0; i < count; i++) { /* several levels taken at once share their microsecond */
            int32_t price = gen_tick_floor(market->structure, gen_fair(gen, market));

            price = price < 1 ? 1 : price;
            gen_trade(gen, index, price, (int32_t)(1 + (draw >> 8) % 5000) * ((draw & 7) == 0 ? 1 : 100),
                      draw >> 7 & 1);
            draw = draw >> 1 | draw << 63;
        }
        if ((draw & 3) == 0)
            gen_fair_step(gen, &gen->events[market->event]);
        gen->now_ns += gap * count * gen_pause(gen_random(gen)) / 1024 / 1000 * 1000;
    }
    gen->now_ns = end;
    made->silent = false;
}

int
exchange_made_open(struct kdp_exchange *ex)
{
    const struct kdp_exchange_config *config = &ex->config;
    struct exchange_made *made;
    struct kdp_gen *gen;
    uint32_t combos = made_combos_room(config->combo_rate);

    if (config->markets > KDP_GEN_MARKETS_MAX)
        return kdpi_fail(KDP_ERANGE, "markets out of range: %u: 1 to %u", config->markets,
                         KDP_GEN_MARKETS_MAX);
    if (config->rate > 100000000 || config->combo_rate > 10000)
        return kdpi_fail(KDP_ERANGE, "rate out of range: at most 100000000, of combinations 10000");
    if (config->now_ns < INT64_C(1483228800) * KDP_NS_PER_S ||
        config->now_ns >= INT64_C(4070908800) * KDP_NS_PER_S)
        return kdpi_fail(KDP_ERANGE, "the time is out of range: from 2017-01-01 to 2098-12-31");
    made = ex->made = calloc(1, sizeof *made);
    gen = calloc(1, sizeof *gen);
    if (made == NULL || gen == NULL) {
        free(gen);
        return kdpi_fail(KDP_ENOMEM, "no memory for %u markets", config->markets);
    }
    made->ex = ex;
    made->gen = gen;
    made->renamed = config->input_count > 0;
    made->paused = NOWHERE;
    made->sink = (struct gen_sink){on_delta, on_trade, on_ticker, made, made->renamed};
    gen->sink = &made->sink;
    kdp_gen_config_init(&gen->config);
    gen->config.seed = config->seed;
    gen->config.markets = config->markets;
    gen->config.rate = config->rate;
    gen->config.start_ns = config->now_ns;
    gen->random = config->seed * UINT64_C(0xd1342543de82ef95) + 1;
    gen->now_ns = config->now_ns / 1000 * 1000;
    gen->market_max = config->markets + config->markets / 8 + 256 + combos;
    if (gen_universe_open(gen) != 0)
        goto err;
    made->combo_max = combos;
    made->combo = calloc(combos + 1u, sizeof *made->combo);
    made->place = malloc(gen->market_max * sizeof *made->place);
    made->places = calloc(gen->event_max, sizeof *made->places);
    made->heap = kdpi_grow(NULL, &made->heap_room, sizeof *made->heap, gen->event_max);
    if (made->combo == NULL || made->place == NULL || made->places == NULL || made->heap == NULL)
        goto err;
    memset(made->place, 0xff, gen->market_max * sizeof *made->place);
    memset(made->settled_first, 0xff, sizeof made->settled_first);
    memset(made->settled_last, 0xff, sizeof made->settled_last);
    for (uint32_t i = 0; i < gen->market_count; i++) {
        int64_t open_ns = gen->now_ns - (1 + i % 30) * KDP_NS_PER_DAY;

        if (!made_market_add(made, i, open_ns - 3600 * KDP_NS_PER_S, open_ns))
            goto err;
    }
    made->next_ns = INT64_MAX;
    if (config->rate > 0) { /* rushes take their part of the mean: 1.25 s of 17.25 s */
        made->pause_ns = KDP_NS_PER_S * 69 / 53 / config->rate;
        made->next_ns = gen->now_ns;
        made->rush_ns = gen->now_ns + 8 * KDP_NS_PER_S;
        gen->gap_ns = made->pause_ns;
    }
    make_history(made);
    made_lives_begin(made);
    return 0;
err:
    return kdpi_fail(KDP_ENOMEM, "no memory for %u markets", config->markets);
}

void
exchange_made_close(struct kdp_exchange *ex)
{
    struct exchange_made *made = ex->made;

    if (made == NULL)
        return;
    kdp_gen_close(made->gen);
    free(made->combo);
    free(made->place);
    free(made->places);
    free(made->heap);
    free(made);
    ex->made = NULL;
}

size_t
exchange_made_memory(const struct kdp_exchange *ex)
{
    const struct exchange_made *made = ex->made;

    if (made == NULL)
        return 0;
    return sizeof *made + kdp_gen_memory(made->gen) + made->gen->market_max * sizeof *made->place +
           made->gen->event_max * sizeof *made->places + made->heap_room * sizeof *made->heap +
           made->combo_max * sizeof *made->combo;
}

int64_t
exchange_made_due(const struct kdp_exchange *ex)
{
    const struct exchange_made *made = ex->made;

    if (made == NULL)
        return INT64_MAX;
    return made->heap_count > 0 && made->heap[0].due_ns < made->next_ns ? made->heap[0].due_ns
                                                                        : made->next_ns;
}

/* How long until the next step, after one of so many events. */
static void
pass_time(struct exchange_made *made, uint64_t events)
{
    struct kdp_gen *gen = made->gen;
    uint64_t draw = gen_random(gen);
    int64_t ns = made->pause_ns * (int64_t)events * gen_pause(draw) / 1024;

    if (made->next_ns >= made->rush_ns) {
        made->rushing = !made->rushing;
        made->rush_ns =
            made->next_ns + (made->rushing ? KDP_NS_PER_S / 2 + gen_below(gen, 1500) * KDP_NS_PER_MS
                                           : (8 + gen_below(gen, 16)) * KDP_NS_PER_S);
    }
    if (made->rushing)
        ns /= RUSH_TIMES;
    ns += made->rest_ns;
    made->rest_ns = ns % 1000;
    made->next_ns += ns / 1000 * 1000;
}

void
exchange_made_step(struct kdp_exchange *ex)
{
    struct exchange_made *made = ex->made;
    struct kdp_gen *gen = made->gen;
    uint64_t told = ex->told;
    uint32_t index;

    if (made->heap_count > 0 && made->heap[0].due_ns <= made->next_ns) {
        struct made_due due = take_due(made);

        if (due.due_ns > gen->now_ns)
            gen->now_ns = due.due_ns;
        made_due(made, &due);
        return;
    }
    if (made->next_ns > gen->now_ns)
        gen->now_ns = made->next_ns;
    index = gen_pick_trading(gen);
    if (index != NOWHERE)
        gen_step_quotes(gen, index);
    pass_time(made, ex->told > told ? ex->told - told : 1);
}

/* ---- acts ---- */

/* An act happens now, which may be later than what happened last. */
static void
act_now(struct exchange_made *made)
{
    int64_t now_ns = made->ex->clock_ns / 1000 * 1000;

    if (now_ns > made->gen->now_ns)
        made->gen->now_ns = now_ns;
}

void
exchange_made_cancel(struct kdp_exchange *ex, uint32_t index)
{
    act_now(ex->made);
    gen_mass_cancel(ex->made->gen, ex->markets[index].made);
}

void
exchange_made_ticks(struct kdp_exchange *ex, uint32_t index)
{
    act_now(ex->made);
    made_ticks(ex->made, ex->markets[index].made);
}

void
exchange_made_burst(struct kdp_exchange *ex, unsigned events)
{
    struct exchange_made *made = ex->made;
    uint64_t end = ex->told + events;

    act_now(made);
    for (unsigned idle = 0; ex->told < end && idle < 1000;) {
        uint64_t told = ex->told;
        uint32_t index = gen_pick_trading(made->gen);

        if (index != NOWHERE)
            gen_step_quotes(made->gen, index);
        idle = ex->told > told ? 0 : idle + 1;
    }
}

void
exchange_made_trade(struct kdp_exchange *ex, uint32_t index)
{
    struct exchange_made *made = ex->made;
    struct kdp_gen *gen = made->gen;
    uint32_t at = ex->markets[index].made;
    struct gen_market *market = &gen->markets[at];
    unsigned taker = gen_below(gen, 2), side;

    act_now(made);
    if (market->book.count[1 - taker] == 0)
        taker = 1 - taker;
    side = 1 - taker;
    if (market->book.count[side] > 0) {
        struct gen_level best = market->book.levels[side][0];
        int32_t count = best.size_e2 < 100 ? best.size_e2 : 100;

        gen_trade(gen, at, side == GEN_YES ? best.price_e4 : 10000 - best.price_e4, count, taker);
        if (gen_book_change(&market->book, side, best.price_e4, -count))
            gen_put_delta(gen, at, side, best.price_e4, -count, false);
    } else {
        gen_trade(gen, at, market->last_e4 > 0 ? market->last_e4 : 5000, 100, taker);
    }
}

int
exchange_made_act(struct kdp_exchange *ex, enum kdp_exchange_act act, uint32_t index)
{
    act_now(ex->made);
    return made_act(ex->made, act, index == NOWHERE ? NOWHERE : ex->markets[index].made);
}

/* ---- looks ---- */

/* A strike out of the words that a lifecycle message has for it. */
static int64_t
strike_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    int64_t value;

    if (at == NULL)
        return KDP_INT64_NULL;
    at += strlen(name);
    return kdpi_decimal_parse(at, strspn(at, "0123456789."), 6, &value) == KDP_DECIMAL_OK ? value
                                                                                          : KDP_INT64_NULL;
}

static void
look_book(const struct kdp_exchange *ex, const struct gen_market *market, struct kdp_exchange_market *out)
{
    for (unsigned side = 0; side < 2; side++) {
        out->bid_count[side] = market->book.count[side];
        for (unsigned i = 0; i < market->book.count[side]; i++)
            ex->texts->levels[side][i] = (struct kdp_exchange_level){market->book.levels[side][i].price_e4,
                                                                     market->book.levels[side][i].size_e2};
        out->bids[side] = ex->texts->levels[side];
    }
    out->ask_e4 = 10000;
    if (out->bid_count[GEN_YES] > 0) {
        out->bid_e4 = out->bids[GEN_YES][0].price_e4;
        out->bid_size_e2 = out->bids[GEN_YES][0].size_e2;
    }
    if (out->bid_count[GEN_NO] > 0) {
        out->ask_e4 = 10000 - out->bids[GEN_NO][0].price_e4;
        out->ask_size_e2 = out->bids[GEN_NO][0].size_e2;
    }
}

static void
look_event(const struct exchange_made *made, const struct gen_market *market, struct kdp_exchange_market *out)
{
    struct exchange_texts *texts = made->ex->texts;
    const struct gen_event *event = &made->gen->events[market->event];
    char strike[128];

    *made_rename(made, texts->event_ticker, gen_put_event_ticker(made->gen, event, texts->event_ticker)) =
        '\0';
    *made_rename(made, texts->series_ticker, gen_put_series(event, texts->series_ticker)) = '\0';
    *gen_put_event_title(made->gen, event, texts->event_title) = '\0';
    out->exclusive = gen_event_exclusive(event);
    *gen_put_market_title(made->gen, market, texts->title) = '\0';
    *gen_put_sub_title(made->gen, market, texts->yes_sub_title) = '\0';
    *gen_put_strike(made->gen, market, strike) = '\0';
    out->floor_strike_e6 = strike_of(strike, "\"floor_strike\":");
    out->cap_strike_e6 = strike_of(strike, "\"cap_strike\":");
    out->strike_type = strstr(strike, "\"greater\"") != NULL   ? KDP_STRIKE_TYPE_GREATER
                       : strstr(strike, "\"less\"") != NULL    ? KDP_STRIKE_TYPE_LESS
                       : strstr(strike, "\"between\"") != NULL ? KDP_STRIKE_TYPE_BETWEEN
                                                               : KDP_STRIKE_TYPE_CUSTOM;
}

void
exchange_made_look(const struct kdp_exchange *ex, uint32_t index, struct kdp_exchange_market *out)
{
    const struct exchange_made *made = ex->made;
    const struct gen_market *market = &made->gen->markets[ex->markets[index].made];
    const struct gen_structure *s = &gen_structures[market->structure];
    struct exchange_texts *texts = ex->texts;

    if (out->combo) {
        memcpy(texts->event_ticker, out->ticker, market->ticker_len - 12u);
        texts->event_ticker[market->ticker_len - 12u] = '\0';
        strcpy(texts->series_ticker, "KXMVESPORTSMULTIGAMEEXTENDED");
        strcpy(texts->event_title, "Several at once");
        strcpy(texts->title, "yes Buffalo,yes Over 44.5 points scored,no Denver");
        texts->yes_sub_title[0] = '\0';
        out->strike_type = KDP_STRIKE_TYPE_CUSTOM;
        out->exchange_index = 1;
    } else {
        look_event(made, market, out);
    }
    out->event_ticker = texts->event_ticker;
    out->series_ticker = texts->series_ticker;
    out->title = texts->title;
    out->event_title = texts->event_title;
    out->yes_sub_title = texts->yes_sub_title;
    out->structure = s->name;
    out->range_count = s->bands;
    for (unsigned i = 0; i < s->bands; i++)
        out->ranges[i] = (struct kdp_definition_ranges){
            .start_e4 = s->band[i].start_e4, .end_e4 = s->band[i].end_e4, .step_e4 = s->band[i].step_e4};
    out->expiry_ns = out->close_ns == KDP_TIME_NULL ? KDP_TIME_NULL : out->close_ns + 3600 * KDP_NS_PER_S;
    look_book(ex, market, out);
    out->last_e4 = market->trades > 0 ? market->last_e4 : KDP_PRICE_NULL;
    out->last_size_e2 = market->last_size_e2;
    out->volume_e2 = market->volume_e2;
    out->open_interest_e2 = market->open_interest_e2;
    out->dollar_volume = market->volume_cash_e6 / 1000000;
    out->dollar_open_interest = market->open_interest_e2 * market->last_e4 / 1000000;
}
