/* gen_universe.c - what is traded, in numbers: ticks, chances, popularity, and the making of events and
 * markets. */
#include <stdlib.h>

#include "clock.h"
#include "gen_private.h"

#define WEIGHT_MIN 2048u
#define WEIGHT_MAX (1u << 21)
#define SERIES_QUARTER 0u /* of gen_series_table */
#define SERIES_GAMES 1u

const struct gen_structure gen_structures[GEN_STRUCTURES] = {
    {"linear_cent", 1, {{0, 10000, 100}}},
    {"tapered_deci_cent", 3, {{0, 1000, 10}, {1000, 9000, 100}, {9000, 10000, 10}}},
    {"center_centi_edge_centi_cent", 1, {{0, 10000, 1}}},
    {"deci_cent", 1, {{0, 10000, 10}}},
    {"center_whole_edge_half_cent", 3, {{0, 1000, 50}, {1000, 9000, 100}, {9000, 10000, 50}}},
    {"center_whole_edge_quint_cent", 3, {{0, 1000, 20}, {1000, 9000, 100}, {9000, 10000, 20}}},
    {"center_half_edge_half_cent", 3, {{0, 1000, 50}, {1000, 9000, 50}, {9000, 10000, 50}}},
    {"center_half_edge_quint_cent", 3, {{0, 1000, 20}, {1000, 9000, 50}, {9000, 10000, 20}}},
    {"center_half_edge_deci_cent", 3, {{0, 1000, 10}, {1000, 9000, 50}, {9000, 10000, 10}}},
    {"center_quint_edge_quint_cent", 3, {{0, 1000, 20}, {1000, 9000, 20}, {9000, 10000, 20}}},
    {"center_quint_edge_deci_cent", 3, {{0, 1000, 10}, {1000, 9000, 20}, {9000, 10000, 10}}},
    {"center_deci_edge_centi_cent", 3, {{0, 100, 1}, {100, 9900, 10}, {9900, 10000, 1}}},
    {"banded_centi_cent", 3, {{0, 500, 1}, {500, 9500, 50}, {9500, 10000, 1}}},
    {"", 1, {{0, 10000, 10}}},
};
static const struct gen_band *
band_of(uint8_t structure, int32_t price_e4)
{
    const struct gen_structure *s = &gen_structures[structure];
    unsigned i = 0;

    while (i + 1 < s->bands && price_e4 > s->band[i].end_e4)
        i++;
    return &s->band[i];
}

int32_t
gen_tick_floor(uint8_t structure, int32_t price_e4)
{
    const struct gen_band *band = band_of(structure, price_e4);

    if (price_e4 <= 0)
        return 0;
    return band->start_e4 + (price_e4 - band->start_e4) / band->step_e4 * band->step_e4;
}

int32_t
gen_tick_below(uint8_t structure, int32_t price_e4)
{
    return price_e4 <= 1 ? 0 : gen_tick_floor(structure, price_e4 - 1);
}

/* The chances: a peak somewhere, halving on both sides, nothing impossible. */
static void
set_chances(struct kdp_gen *gen, struct gen_event *event)
{
    unsigned naming = gen_series_table[event->series].naming;
    unsigned peak = naming == BY_RATE ? 0 : event->outcomes / 3u + gen_below(gen, event->outcomes / 3u + 1);

    event->sum = 0;
    for (unsigned i = 0; i < event->outcomes; i++) {
        unsigned far = i > peak ? i - peak : peak - i;
        uint32_t weight = 300000u >> (event->outcomes <= 2 ? 0 : naming == BY_RATE ? 2 * far : far);

        weight += weight / 512 * gen_below(gen, 256);
        event->weight[i] = weight < 2 * WEIGHT_MIN ? 2 * WEIGHT_MIN : weight;
        event->sum += event->weight[i];
    }
}

void
gen_fair_step(struct kdp_gen *gen, struct gen_event *event)
{
    unsigned which = gen_below(gen, event->outcomes);
    uint32_t old = event->weight[which], step = (old >> gen_series_table[event->series].calm) + 1;
    uint32_t new = gen_below(gen, 2) != 0 ? old + step : old - step;

    if (new < WEIGHT_MIN || new > WEIGHT_MAX)
        return;
    event->weight[which] = new;
    event->sum += new - old;
}

int32_t
gen_fair(const struct kdp_gen *gen, const struct gen_market *market)
{
    const struct gen_event *event = &gen->events[market->event];
    uint64_t part = 0;
    int32_t fair;

    if (gen_series_table[event->series].naming == BY_VALUE) {
        for (unsigned i = market->strike + 1u; i < event->outcomes; i++)
            part += event->weight[i];
    } else {
        part = event->weight[market->strike];
    }
    fair = (int32_t)(part * 10000 / event->sum);
    return fair < 2 ? 2 : fair > 9998 ? 9998 : fair;
}

uint32_t
gen_outcome(struct kdp_gen *gen, const struct gen_event *event)
{
    uint32_t at = gen_below(gen, event->sum), which = 0;

    while (which + 1 < event->outcomes && at >= event->weight[which])
        at -= event->weight[which++];
    return which;
}

bool
gen_market_won(const struct gen_event *event, const struct gen_market *market, uint32_t outcome)
{
    return gen_series_table[event->series].naming == BY_VALUE ? outcome > market->strike
                                                              : outcome == market->strike;
}

static void
put_uuid(char *at, uint64_t a, uint64_t b)
{
    static const char hex[] = "0123456789abcdef";

    a = (a & ~UINT64_C(0xf000)) | 0x4000;
    b = (b & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    for (unsigned i = 0; i < 32; i++) {
        uint64_t word = i < 16 ? a : b;

        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        *at++ = hex[word >> (60 - 4 * (i % 16)) & 15];
    }
}

/* Keeps a market's ticker and the two members that begin most of its messages. */
static bool
set_name(struct kdp_gen *gen, struct gen_market *market, const char *ticker, size_t len)
{
    size_t need = 2 * len + 128;
    uint64_t a = gen_random(gen), b = gen_random(gen);
    char *at;

    if (gen->sink != NULL) { /* a place of its own, so that the next market there finds it free */
        market->name = (uint32_t)(market - gen->markets) * GEN_NAME_MAX;
        market->ticker_len = (uint16_t)(len < GEN_NAME_MAX ? len : GEN_NAME_MAX - 1);
        memcpy(gen->names + market->name, ticker, market->ticker_len);
        gen->names[market->name + market->ticker_len] = '\0';
        if (gen->sink->renamed && (market->flags & GEN_COMBO) == 0)
            gen->names[market->name + 1] = 'Y';
        return true;
    }
    if (gen->names_size - gen->names_used < need) {
        size_t size = gen->names_size * 2 + need;
        char *grown = realloc(gen->names, size);

        if (grown == NULL)
            return false;
        gen->names = grown;
        gen->names_size = size;
    }
    market->name = (uint32_t)gen->names_used;
    market->ticker_len = (uint16_t)len;
    at = gen->names + gen->names_used;
    memcpy(at, ticker, len);
    at[len] = '\0';
    at += len + 1;
    memcpy(at, "\"market_ticker\":\"", 17);
    memcpy(at + 17, ticker, len);
    memcpy(at + 17 + len, "\",\"market_id\":\"", 15);
    put_uuid(at + 32 + len, a, b);
    at[68 + len] = '"';
    market->ident_len = (uint16_t)(69 + len);
    gen->names_used += len + 1 + market->ident_len;
    return true;
}

/* A series by month has a century of tickers; then games take its place. */
uint8_t
gen_series_left(const struct kdp_gen *gen, uint8_t series)
{
    return gen_series_table[series].naming == BY_RATE && gen->turns[series] >= 1000 ? SERIES_GAMES : series;
}

bool
gen_event_make(struct kdp_gen *gen, uint8_t series, uint32_t count, uint32_t index, uint32_t first,
               uint32_t slot)
{
    const struct gen_series *s = &gen_series_table[series];
    struct gen_event *event = &gen->events[index];

    *event = (struct gen_event){.first = first,
                                .turn = gen->turns[series]++,
                                .series = series,
                                .markets = (uint8_t)count,
                                .outcomes = s->outcomes,
                                .structure = s->structure,
                                .conn = (uint8_t)(index % gen->config.connections)};
    event->close_s = gen_close_of(gen, series, event->turn);
    event->slot = slot;
    set_chances(gen, event);
    for (uint32_t i = 0; i < count; i++) {
        struct gen_market *market = &gen->markets[first + i];
        char ticker[128], *end = gen_put_event_ticker(gen, event, ticker);

        *market = (struct gen_market){
            .event = index, .strike = (uint8_t)i, .structure = s->structure, .flags = GEN_ACTIVE};
        end = gen_put_market_suffix(gen, event, i, end);
        if (!set_name(gen, market, ticker, (size_t)(end - ticker))) {
            gen->out_of_memory = true;
            return false;
        }
        gen->slots[slot + i] = first + i;
    }
    return true;
}

uint32_t
gen_event_add(struct kdp_gen *gen, uint8_t wanted, uint32_t markets_max, uint32_t old)
{
    uint8_t series = gen_series_left(gen, wanted);
    uint32_t count = gen_series_table[series].markets;
    uint32_t index = gen->event_count;
    const struct gen_event *event = &gen->events[index];

    if (count > markets_max)
        count = markets_max;
    if (index == gen->event_max || gen->market_max - gen->market_count < count)
        return UINT32_MAX;
    if (!gen_event_make(gen, series, count, index, gen->market_count,
                        old == UINT32_MAX ? gen->market_count : gen->events[old].slot))
        return UINT32_MAX;
    gen->market_count += count;
    gen->event_count++;
    for (uint32_t i = 0; i < count; i++) {
        struct gen_market *market = &gen->markets[event->first + i];

        gen_book_fill(gen, market, old == UINT32_MAX && event->slot > gen->slot_count / 16);
    }
    return index;
}

bool
gen_combo_make(struct kdp_gen *gen, uint32_t index)
{
    static const char hex[] = "0123456789ABCDEF";
    char ticker[80], *at;
    uint64_t a = gen_random(gen), b = gen_random(gen);
    struct gen_market *market = &gen->markets[index];

    *market = (struct gen_market){.structure = 11, .flags = GEN_COMBO};
    at = gen_string(ticker, "KXMVESPORTSMULTIGAMEEXTENDED-S2026");
    for (unsigned i = 0; i < 10; i++)
        *at++ = hex[a >> 4 * i & 15];
    *at++ = '-';
    for (unsigned i = 0; i < 11; i++)
        *at++ = hex[b >> 4 * i & 15];
    if (!set_name(gen, market, ticker, (size_t)(at - ticker))) {
        gen->out_of_memory = true;
        return false;
    }
    market->last_e4 = (int32_t)(10 + gen_below(gen, 300) * 10);
    return true;
}

uint32_t
gen_combo_add(struct kdp_gen *gen)
{
    if (gen->market_count == gen->market_max || !gen_combo_make(gen, gen->market_count))
        return UINT32_MAX;
    return gen->market_count++;
}

/* floor(sqrt(value)) */
static uint64_t
root(uint64_t value)
{
    uint64_t low = 0, high = UINT64_C(1) << 32;

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;

        if (middle * middle <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Walker's alias table over the slots, Vose's way, in whole numbers: a slot's share is 1/r^1.25 for the r-th
 * event, halved with each step away from the middle of the event's strikes. */
static int
make_alias(struct kdp_gen *gen)
{
    uint32_t n = gen->slot_count, small = 0, large = n;
    uint64_t *weight = malloc(n * sizeof *weight), sum = 0;
    unsigned shift = 0;
    uint32_t *stack = malloc(n * sizeof *stack); /* small ones from the front, large ones from the back */

    gen->alias = malloc(n * sizeof *gen->alias);
    if (weight == NULL || stack == NULL || gen->alias == NULL) {
        free(weight);
        free(stack);
        return -1;
    }
    for (uint32_t i = 0; i < gen->initial_events; i++) {
        const struct gen_event *event = &gen->events[i];
        uint64_t share = (UINT64_C(1) << 44) / ((uint64_t)(i + 2) * root(root((uint64_t)(i + 2) << 32)));

        for (unsigned j = 0; j < event->markets; j++) {
            unsigned far = (unsigned)abs((int)(2 * j + 1) - (int)event->markets) / 2;

            weight[event->slot + j] = (share >> (far > 4 ? 4 : far)) + 1;
            sum += weight[event->slot + j];
        }
    }
    while (sum >> shift >= UINT64_C(1) << 31) /* so that a share shifted by 32 bits fits */
        shift++;
    for (uint32_t i = 0; i < n; i++) {
        weight[i] *= n; /* below sum: small */
        if (weight[i] < sum)
            stack[small++] = i;
        else
            stack[--large] = i;
    }
    while (small > 0 && large < n) {
        uint32_t s = stack[--small], l = stack[large];

        gen->alias[s] = (struct gen_alias){(uint32_t)(((weight[s] >> shift) << 32) / (sum >> shift)), l};
        weight[l] -= sum - weight[s];
        if (weight[l] < sum) {
            large++;
            stack[small++] = l;
        }
    }
    for (; small > 0; small--)
        gen->alias[stack[small - 1]] = (struct gen_alias){UINT32_MAX, stack[small - 1]};
    while (large < n) {
        gen->alias[stack[large]] = (struct gen_alias){UINT32_MAX, stack[large]};
        large++;
    }
    free(weight);
    free(stack);
    return 0;
}

uint32_t
gen_pick(struct kdp_gen *gen)
{
    uint64_t draw = gen_random(gen);
    uint32_t slot = (uint32_t)(((draw >> 32) * gen->slot_count) >> 32);

    if ((uint32_t)draw > gen->alias[slot].limit)
        slot = gen->alias[slot].other;
    return gen->slots[slot];
}

int
gen_universe_open(struct kdp_gen *gen)
{
    uint32_t n = gen->config.markets;

    if (gen->market_max == 0)
        gen->market_max = n + n / 4 + 4096;
    gen->event_max = gen->market_max;
    gen->markets = calloc(gen->market_max, sizeof *gen->markets);
    gen->events = calloc(gen->event_max, sizeof *gen->events);
    gen->slots = calloc(n, sizeof *gen->slots);
    gen->names_size = gen->sink != NULL ? (size_t)gen->market_max * GEN_NAME_MAX : (size_t)n * 160 + 65536;
    gen->names = malloc(gen->names_size);
    if (gen->markets == NULL || gen->events == NULL || gen->slots == NULL || gen->names == NULL)
        return -1;
    gen->slot_count = n;
    for (uint32_t i = 0; gen->market_count < n; i++) {
        if (gen_event_add(gen, (uint8_t)(i % GEN_SERIES), n - gen->market_count, UINT32_MAX) == UINT32_MAX)
            return -1;
        if (i % GEN_SERIES == SERIES_QUARTER && gen->quarters < 8 && i / GEN_SERIES < 4)
            gen->quarter[gen->quarters++] = i;
    }
    gen->initial_events = gen->event_count;
    return make_alias(gen);
}
