/* gen.c - the generator's life: settings, the virtual clock, and what happens next. */
#include "gen_private.h"

#include <stdlib.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"

#define TAIL_FRAMES \
    (2u * BURST_MAX) /* before an exact end only single frames without effect on books are made */

void
kdp_gen_config_init(struct kdp_gen_config *config)
{
    *config =
        (struct kdp_gen_config){.seed = 1,
                                .markets = 100,
                                .connections = 1,
                                .rate = 1000,
                                .start_ns = INT64_C(1795359570) * KDP_NS_PER_S, /* 2026-11-22T14:59:30Z */
                                .created = true};
}

static const struct {
    const char *name;
    uint32_t ppm;
} fault_table[KDP_GEN_FAULTS] = {
#define KDP_X(name, word, ppm, text) {word, ppm},
    KDP_GEN_FAULT_LIST(KDP_X)
#undef KDP_X
};

int
kdp_gen_faults_parse(const char *list, uint32_t fault_ppm[KDP_GEN_FAULTS])
{
    const char *p = list;

    memset(fault_ppm, 0, KDP_GEN_FAULTS * sizeof *fault_ppm);
    while (*p != '\0') {
        size_t len = strcspn(p, ","), name_len = strcspn(p, ",=");
        unsigned i = 0;

        while (i < KDP_GEN_FAULTS &&
               (strlen(fault_table[i].name) != name_len || memcmp(fault_table[i].name, p, name_len) != 0))
            i++;
        if (i == KDP_GEN_FAULTS) {
            int rc = kdpi_fail(KDP_EUSAGE, "no such fault: %.*s", (int)(name_len < 64 ? name_len : 64), p);

            kdpi_hint("Faults are gap, resync, dup, reconnect, malformed, negative, reorder-ack, unknown");
            return rc;
        }
        fault_ppm[i] = fault_table[i].ppm;
        if (name_len < len) {
            int64_t ppm;

            if (kdpi_decimal_parse(p + name_len + 1, len - name_len - 1, 6, &ppm) != KDP_DECIMAL_OK ||
                ppm < 0 || ppm > 1000000) {
                int rc = kdpi_fail(KDP_EUSAGE, "not a chance: %.*s", (int)(len < 64 ? len : 64), p);

                kdpi_hint(
                    "A fault's chance per frame is a number from 0 to 1 with at most 6 decimals: gap=0.001");
                return rc;
            }
            fault_ppm[i] = (uint32_t)ppm;
        }
        p += len;
        p += *p == ',';
    }
    return 0;
}

static int
check(const struct kdp_gen_config *config)
{
    if (config->markets < 1 || config->markets > KDP_GEN_MARKETS_MAX)
        return kdpi_fail(KDP_ERANGE, "markets out of range: %u: 1 to %u", config->markets,
                         KDP_GEN_MARKETS_MAX);
    if (config->connections < 1 || config->connections > KDP_GEN_CONNECTIONS_MAX)
        return kdpi_fail(KDP_ERANGE, "connections out of range: %u: 1 to %u", config->connections,
                         KDP_GEN_CONNECTIONS_MAX);
    if (config->rate < 1 || config->rate > 100000000)
        return kdpi_fail(KDP_ERANGE, "frames a second out of range: %u: 1 to 100000000", config->rate);
    if (config->start_ns < INT64_C(1483228800) * KDP_NS_PER_S ||
        config->start_ns >= INT64_C(4070908800) * KDP_NS_PER_S)
        return kdpi_fail(KDP_ERANGE, "start out of range: from 2017-01-01 to 2098-12-31");
    return 0;
}

int
kdp_gen_open(struct kdp_gen **genp, const struct kdp_gen_config *config)
{
    struct kdp_gen *gen;
    int rc = check(config);

    *genp = NULL;
    if (rc != 0)
        return rc;
    gen = calloc(1, sizeof *gen);
    if (gen == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the generator");
    gen->config = *config;
    gen->random = config->seed * UINT64_C(0xd1342543de82ef95) + 1;
    gen->now_ns = config->start_ns / 1000 * 1000;
    gen->gap_ns = KDP_NS_PER_S / config->rate;
    gen->second = INT64_MIN;
    gen->paused = gen->removed = UINT32_MAX;
    gen->sending = gen_below(gen, 2) != 0;
    gen->taker_side = gen_below(gen, 2) != 0;
    for (unsigned i = 0; i < KDP_GEN_FAULTS; i++)
        gen->faulty |= i != KDP_GEN_FAULT_RESYNC && config->fault_ppm[i] != 0;
    gen->text_size = 1u << 20;
    gen->item_max = 1024;
    gen->junk_size = 4096;
    gen->text = malloc(gen->text_size);
    gen->items = malloc(gen->item_max * sizeof *gen->items);
    gen->junk = malloc(gen->junk_size);
    if (gen->text == NULL || gen->items == NULL || gen->junk == NULL || gen_universe_open(gen) != 0)
        goto err;
    if (gen->faulty || config->track) {
        gen->clients = calloc(gen->market_max, sizeof *gen->clients);
        if (gen->clients == NULL)
            goto err;
    }
    for (uint32_t i = 0; i < gen->market_count; i++) {
        if (gen_list_add(gen, gen->events[gen->markets[i].event].conn, i) != 0)
            goto err;
    }
    *genp = gen;
    return 0;
err:
    kdp_gen_close(gen);
    return kdpi_fail(KDP_ENOMEM, "no memory for %u markets", config->markets);
}

void
kdp_gen_close(struct kdp_gen *gen)
{
    if (gen == NULL)
        return;
    for (unsigned i = 0; i < KDP_GEN_CONNECTIONS_MAX; i++)
        free(gen->conns[i].list);
    free(gen->markets);
    free(gen->clients);
    free(gen->events);
    free(gen->names);
    free(gen->alias);
    free(gen->slots);
    free(gen->text);
    free(gen->items);
    free(gen->junk);
    free(gen);
}

uint32_t
gen_pause(uint64_t draw)
{
    static const uint16_t quantile[64] = {
        8,    24,   41,   58,   75,   93,   110,  128,  147,  165,  184,  204,  224,  244,  265,  286,
        307,  329,  351,  374,  398,  421,  446,  471,  497,  523,  550,  578,  607,  636,  666,  698,
        730,  763,  797,  833,  870,  908,  947,  989,  1032, 1076, 1123, 1172, 1224, 1278, 1335, 1396,
        1460, 1529, 1602, 1681, 1767, 1861, 1964, 2079, 2207, 2355, 2527, 2733, 2992, 3338, 3864, 4995};

    return quantile[draw & 63];
}

/* The pause after a step: exponential around the time its frames stand for. */
static void
pass_time(struct kdp_gen *gen, uint32_t frames)
{
    uint64_t draw = gen_random(gen);
    int64_t ns = gen->gap_ns * frames * gen_pause(draw) / 1024;

    /* one step in sixteen begins a rush: its pause is a tenth, and the next one's is longer for it */
    if ((draw >> 6 & 15) == 0) {
        gen->owed_ns += ns - ns / 10;
        ns /= 10;
    } else {
        ns += gen->owed_ns / 8;
        gen->owed_ns -= gen->owed_ns / 8;
    }
    gen->now_ns += ns / 1000 * 1000;
}

uint32_t
gen_pick_trading(struct kdp_gen *gen)
{
    for (unsigned tries = 0; tries < 32; tries++) {
        const struct gen_event *last = &gen->events[gen->last_event];
        uint32_t index = gen_below(gen, 4) == 0 ? last->first + gen_below(gen, last->markets) : gen_pick(gen);

        if ((gen->markets[index].flags & (GEN_ACTIVE | GEN_SUBSCRIBED)) == (GEN_ACTIVE | GEN_SUBSCRIBED)) {
            gen->last_event = gen->markets[index].event;
            return index;
        }
    }
    return UINT32_MAX;
}

static void
step_tail(struct kdp_gen *gen)
{
    uint32_t index;

    gen->ending = true;
    if (gen_step_notice(gen))
        return;
    index = gen_pick_trading(gen);
    if (index != UINT32_MAX && gen->conns[0].subs[GEN_TICKER].sid != 0)
        gen_put_ticker(gen, index);
    else
        gen_put_ok_list(gen, 0, ++gen->conns[0].next_id);
    pass_time(gen, 1);
}

static bool
starting(const struct kdp_gen *gen)
{
    return gen->connected < gen->config.connections ||
           (gen->config.created && gen->created_next < gen->initial_events);
}

static void
step(struct kdp_gen *gen)
{
    const struct kdp_gen_config *config = &gen->config;
    uint32_t index;

    gen->text_used = 0;
    gen->item_next = gen->item_count = 0;
    if (starting(gen)) {
        gen_step_start(gen);
        return;
    }
    if (config->frames != 0 && config->frames - gen->frames <= TAIL_FRAMES) {
        step_tail(gen);
        return;
    }
    if (config->span_ns != 0 && gen->now_ns - config->start_ns >= config->span_ns) {
        gen->ending = true;
        gen->finished = !gen_step_notice(gen);
        return;
    }
    if (gen_below(gen, 16) != 0 && gen_step_start(gen))
        return;
    if (gen_below(gen, 4) == 0)
        gen_step_due(gen);
    else if (gen_below(gen, 512) == 0)
        gen_step_life(gen);
    if (gen->item_count == 0) {
        index = gen_pick_trading(gen);
        if (index != UINT32_MAX)
            gen_step_quotes(gen, index);
    }
    gen_step_faults(gen);
    pass_time(gen, gen->item_count);
    gen->idle_steps = gen->item_count > 0 ? 0 : gen->idle_steps + 1;
    if (gen->idle_steps > 64) { /* nothing trades: time goes on all the same */
        gen_put_ok_list(gen, 0, ++gen->conns[0].next_id);
        pass_time(gen, 1);
        gen->idle_steps = 0;
    }
}

/* A frame that is none, made of the next real one: cut, with a control character, or with bytes that are no
 * UTF-8. */
static int
make_junk(struct kdp_gen *gen, const struct gen_item *item, struct kdp_gen_frame *frame)
{
    size_t len = item->len;

    if (len + 1 > gen->junk_size) {
        char *grown = realloc(gen->junk, 2 * len);

        if (grown == NULL)
            return kdpi_fail(KDP_ENOMEM, "no memory for a frame of %zu bytes", len);
        gen->junk = grown;
        gen->junk_size = 2 * len;
    }
    memcpy(gen->junk, gen->text + item->offset, len);
    switch (gen_below(gen, 4)) {
    case 0:
        len = 1 + gen_below(gen, (uint32_t)len - 1);
        break;
    case 1: /* in the type's text */
        gen->junk[10] = '\x01';
        break;
    case 2:
        gen->junk[10] = (char)0xc0;
        break;
    default:
        gen->junk[len - 1] = ',';
        break;
    }
    *frame = (struct kdp_gen_frame){KDP_GEN_FRAME, (uint16_t)(item->conn + 1), item->recv_ns, gen->junk, len};
    return 1;
}

int
kdp_gen_next(struct kdp_gen *gen, struct kdp_gen_frame *frame)
{
    for (;;) {
        struct gen_item *item;
        bool faults = gen->faulty && !gen->ending;

        if (gen->out_of_memory)
            return kdpi_fail(KDP_ENOMEM, "no memory for %u markets", gen->market_count);
        if (gen->config.frames != 0 && gen->frames >= gen->config.frames)
            return 0;
        if (gen->twice) {
            gen->twice = false;
            item = &gen->items[gen->item_next - 1];
            gen->frames++;
            *frame = (struct kdp_gen_frame){KDP_GEN_FRAME, (uint16_t)(item->conn + 1), item->recv_ns,
                                            gen->text + item->offset, item->len};
            return 1;
        }
        if (gen->item_next == gen->item_count) {
            if (gen->finished)
                return 0;
            step(gen);
            continue;
        }
        item = &gen->items[gen->item_next];
        if (faults && item->kind == KDP_GEN_FRAME && !gen->junked &&
            gen_chance(gen, gen->config.fault_ppm[KDP_GEN_FAULT_MALFORMED])) {
            gen->junked = true;
            gen->frames++;
            return make_junk(gen, item, frame);
        }
        gen->junked = false;
        gen->item_next++;
        if (!gen_deliver(gen, item))
            continue;
        if (item->kind == KDP_GEN_FRAME) {
            gen->frames++;
            gen->twice = faults && gen_chance(gen, gen->config.fault_ppm[KDP_GEN_FAULT_DUP]);
        }
        *frame = (struct kdp_gen_frame){(enum kdp_gen_kind)item->kind, (uint16_t)(item->conn + 1),
                                        item->recv_ns, gen->text + item->offset, item->len};
        return 1;
    }
}

uint32_t
kdp_gen_market_count(const struct kdp_gen *gen)
{
    return gen->market_count;
}

void
kdp_gen_market_at(struct kdp_gen *gen, uint32_t index, bool client, struct kdp_gen_market *out)
{
    const struct gen_market *market = &gen->markets[index];
    const struct gen_client *c = client && gen->clients != NULL ? &gen->clients[index] : NULL;
    const struct gen_book *book = c != NULL ? &c->book : &market->book;

    *out = (struct kdp_gen_market){.ticker = gen_ticker(gen, market), .trades = market->trades};
    out->state = (market->flags & GEN_SEEN) == 0     ? KDP_GEN_UNSEEN
                 : (market->flags & GEN_CLOSED) != 0 ? KDP_GEN_CLOSED
                                                     : KDP_GEN_LIVE;
    if (c != NULL) {
        out->state = (enum kdp_gen_state)c->state;
        out->trades = c->trades;
        out->bbo_changes = c->bbo_changes;
    }
    out->bid_levels = book->count[GEN_YES];
    out->ask_levels = book->count[GEN_NO];
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned i = 0; i < book->count[side]; i++) {
            int32_t price = book->levels[side][i].price_e4;

            gen->shown[side][i] = (struct kdp_gen_level){side == GEN_YES ? price : 10000 - price,
                                                         book->levels[side][i].size_e2};
            *(side == GEN_YES ? &out->bid_size_total_e2 : &out->ask_size_total_e2) +=
                book->levels[side][i].size_e2;
        }
    }
    out->bids = gen->shown[GEN_YES];
    out->asks = gen->shown[GEN_NO];
}

size_t
kdp_gen_memory(const struct kdp_gen *gen)
{
    size_t bytes =
        sizeof *gen + gen->text_size + gen->junk_size + gen->item_max * sizeof *gen->items + gen->names_size;

    bytes += gen->market_max * (sizeof *gen->markets + (gen->clients != NULL ? sizeof *gen->clients : 0));
    bytes +=
        gen->event_max * sizeof *gen->events + gen->slot_count * (sizeof *gen->alias + sizeof *gen->slots);
    for (unsigned i = 0; i < KDP_GEN_CONNECTIONS_MAX; i++)
        bytes += gen->conns[i].capacity * sizeof(uint32_t);
    return bytes;
}
