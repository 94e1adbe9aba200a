/* exchange_life.c - the lives of made-up markets by the clock: created, opened, paused, closed, determined, settled, succeeded.
 *
 * An event closes at its close time, or earlier once it was told so; at the same moment the next event of its series is created
 * and opens some seconds later in the same slot of popularity, so that trading never ends.  Markets that were settled stay
 * listed until their places are needed: the oldest of the same size goes first. */
#include "exchange_made.h"

#include "clock.h"
#include "error.h"

#define COMBOS_ROOM_MAX 65536u
#define MS KDP_NS_PER_MS

static int64_t
some_ms(struct kdp_gen *gen, uint32_t least, uint32_t most)
{
    return (int64_t)(least + gen_below(gen, most - least + 1)) * MS;
}

static struct exchange_market *
market_of(const struct exchange_made *made, uint32_t index)
{
    return &made->ex->markets[made->place[index]];
}

/* A market of the generator gets its place in the exchange, or again. */
bool
made_market_add(struct exchange_made *made, uint32_t index, int64_t created_ns, int64_t open_ns)
{
    struct kdp_exchange *ex = made->ex;
    struct gen_market *g = &made->gen->markets[index];
    struct exchange_market *market;

    if (made->place[index] == NOWHERE) {
        made->place[index] = exchange_market_add(ex);
        if (made->place[index] == NOWHERE)
            return false;
    }
    market = market_of(made, index);
    *market = (struct exchange_market){.hash_next = NOWHERE,
                                       .made = index,
                                       .state = KDP_MARKET_STATUS_ACTIVE,
                                       .combo = (g->flags & GEN_COMBO) != 0,
                                       .created_ns = created_ns,
                                       .open_ns = open_ns,
                                       .close_ns = made->gen->events[g->event].close_s * KDP_NS_PER_S,
                                       .determined_ns = KDP_TIME_NULL,
                                       .settled_ns = KDP_TIME_NULL,
                                       .updated_ns = created_ns,
                                       .settlement_value_e6 = KDP_INT64_NULL};
    if (!market->combo)
        g->flags |= GEN_SUBSCRIBED; /* whoever listens gets all */
    exchange_name(ex, made->place[index]);
    return true;
}

/* ---- closing, determining, settling ---- */

static void
close_market(struct exchange_made *made, uint32_t index)
{
    struct kdp_gen *gen = made->gen;
    struct gen_market *g = &gen->markets[index];
    struct exchange_market *market = market_of(made, index);

    g->flags = (uint8_t)((g->flags | GEN_CLOSED) & ~GEN_ACTIVE);
    market->state = KDP_MARKET_STATUS_CLOSED;
    market->close_ns = market->close_ns < gen->now_ns ? market->close_ns : gen->now_ns;
    market->updated_ns = gen->now_ns;
    if (market->combo)
        return;
    /* the resting orders go, told one by one or not at all, then a snapshot that nobody asked for has no levels */
    if (gen_below(gen, 2) != 0)
        gen_mass_cancel(gen, index);
    g->book.count[GEN_YES] = g->book.count[GEN_NO] = 0;
    for (uint32_t times = 1 + gen_below(gen, 2); times > 0; times--)
        exchange_tell_market(made->ex, KDP_EXCHANGE_SNAPSHOT, made->place[index], gen->now_ns);
}

static void
determine_market(struct exchange_made *made, uint32_t index, bool won, bool scalar)
{
    struct exchange_market *market = market_of(made, index);

    market->state = KDP_MARKET_STATUS_DETERMINED;
    market->result = scalar ? KDP_RESULT_SCALAR : won ? KDP_RESULT_YES : KDP_RESULT_NO;
    market->settlement_value_e6 = scalar ? 500000 : won ? 1000000 : 0;
    market->determined_ns = made->gen->now_ns;
    exchange_tell_life(made->ex, made->place[index], made->gen->now_ns, KDP_LIFECYCLE_KIND_DETERMINED);
}

static void
settle_market(struct exchange_made *made, uint32_t index)
{
    struct exchange_market *market = market_of(made, index);

    market->state = KDP_MARKET_STATUS_FINALIZED;
    market->settled_ns = made->gen->now_ns;
    exchange_tell_life(made->ex, made->place[index], made->gen->now_ns, KDP_LIFECYCLE_KIND_SETTLED);
}

/* ---- successors ---- */

static void
free_place(struct exchange_made *made, uint32_t event)
{
    unsigned room = made->places[event].room;

    made->places[event].next = NOWHERE;
    if (made->settled_last[room] != NOWHERE)
        made->places[made->settled_last[room]].next = event;
    else
        made->settled_first[room] = event;
    made->settled_last[room] = event;
}

static void
clear_place(struct exchange_made *made, uint32_t event)
{
    const struct gen_event *e = &made->gen->events[event];

    for (uint32_t i = 0; i < e->markets; i++) {
        exchange_forget(made->ex, made->place[e->first + i]);
        exchange_unname(made->ex, made->place[e->first + i]);
    }
}

/* A place for an event of count markets: fresh, or that of the event of that size (or the next size) settled longest ago. */
static uint32_t
find_place(struct exchange_made *made, uint32_t count, uint32_t *firstp)
{
    struct kdp_gen *gen = made->gen;

    if (gen->event_count < gen->event_max &&
        gen->market_max - made->combo_max - (gen->market_count - made->combo_count) >= count) {
        uint32_t event = gen->event_count++;

        *firstp = gen->market_count;
        gen->market_count += count;
        made->places[event].room = (uint8_t)count;
        return event;
    }
    for (unsigned room = count; room <= OUTCOMES_MAX; room++) {
        uint32_t event = made->settled_first[room];

        if (event == NOWHERE)
            continue;
        made->settled_first[room] = made->places[event].next;
        if (made->settled_first[room] == NOWHERE)
            made->settled_last[room] = NOWHERE;
        *firstp = gen->events[event].first;
        clear_place(made, event);
        return event;
    }
    return NOWHERE;
}

static void
tell_event(struct exchange_made *made, uint32_t index, bool fee_update, bool fee)
{
    struct exchange_texts *texts = made->ex->texts;
    const struct gen_event *event = &made->gen->events[index];
    struct kdp_exchange_event e = {.kind = KDP_EXCHANGE_EVENT, .time_ns = made->gen->now_ns};

    e.market = made->place[event->first];
    *made_rename(made, texts->event_ticker, gen_put_event_ticker(made->gen, event, texts->event_ticker)) =
        '\0';
    *made_rename(made, texts->series_ticker, gen_put_series(event, texts->series_ticker)) = '\0';
    *gen_put_event_title(made->gen, event, texts->title) = '\0';
    e.event.event_ticker = texts->event_ticker;
    e.event.series_ticker = texts->series_ticker;
    e.event.title = texts->title;
    e.event.sub_title = "";
    e.event.collateral = gen_event_exclusive(event) ? "MECNET" : "";
    e.event.fee_update = fee_update;
    e.event.fee_type = fee ? "quadratic" : NULL;
    e.event.fee_multiplier_e6 = fee ? 500000 : KDP_INT64_NULL;
    exchange_tell(made->ex, &e);
}

static void
succeed(struct exchange_made *made, uint32_t old)
{
    struct kdp_gen *gen = made->gen;
    uint8_t series = gen_series_left(gen, gen->events[old].series);
    uint32_t count = gen_series_table[series].markets, slot = gen->events[old].slot, first = 0, index;
    int64_t open_ns = gen->now_ns + some_ms(gen, 1000, 3000);

    if (count > gen->events[old].markets)
        count = gen->events[old].markets;
    index = find_place(made, count, &first);
    if (index == NOWHERE && made->places[old].settled) { /* its own, which waited for that */
        index = old;
        first = gen->events[old].first;
        clear_place(made, old);
    } else if (index == NOWHERE) { /* until others are settled, or it is */
        made_later(made, gen->now_ns + 5 * KDP_NS_PER_S, MADE_SUCCEED, old);
        return;
    } else {
        made->places[old].heir = true;
        if (made->places[old].settled)
            free_place(made, old);
    }
    while (gen_close_of(gen, series, gen->turns[series]) < gen->now_ns / KDP_NS_PER_S + 60)
        gen->turns[series]++; /* its time has passed while others of the series ran */
    if (!gen_event_make(gen, series, count, index, first, slot))
        KDP_ASSERT(false); /* names have their places: nothing is allocated */
    made->places[index].birth = ++made->births;
    made->places[index].heir = made->places[index].settled = false;
    made->places[index].close_s = gen->events[index].close_s;
    for (uint32_t i = 0; i < count; i++) {
        gen->markets[first + i].flags = 0;
        if (!made_market_add(made, first + i, gen->now_ns, open_ns)) {
            made->ex->error = kdpi_fail(KDP_ENOMEM, "no memory for a market more");
            return;
        }
    }
    tell_event(made, index, false, false);
    for (uint32_t i = 0; i < count; i++)
        exchange_tell_life(made->ex, made->place[first + i], gen->now_ns, KDP_LIFECYCLE_KIND_CREATED);
    made_later(made, open_ns, MADE_OPEN, index);
    made_later(made, gen->events[index].close_s * KDP_NS_PER_S, MADE_CLOSE, index);
}

/* ---- what is due ---- */

static void
due_close(struct exchange_made *made, uint32_t index)
{
    struct kdp_gen *gen = made->gen;
    struct gen_event *event = &gen->events[index];

    if (event->closing)
        return;
    if (made->places[index].close_s * KDP_NS_PER_S > gen->now_ns) { /* it was moved */
        made_later(made, made->places[index].close_s * KDP_NS_PER_S, MADE_CLOSE, index);
        return;
    }
    event->closing = true;
    for (uint32_t i = 0; i < event->markets; i++)
        close_market(made, event->first + i);
    made_later(made, gen->now_ns + some_ms(gen, 3000, 20000), MADE_DETERMINE, index);
    succeed(made, index);
}

static void
due_determine(struct exchange_made *made, uint32_t index)
{
    struct kdp_gen *gen = made->gen;
    const struct gen_event *event = &gen->events[index];
    uint32_t outcome = gen_outcome(gen, event);
    bool scalar = gen_below(gen, 32) == 0;

    for (uint32_t i = 0; i < event->markets; i++)
        determine_market(made, event->first + i,
                         gen_market_won(event, &gen->markets[event->first + i], outcome), scalar);
    made_later(made, gen->now_ns + some_ms(gen, 5000, 30000), MADE_SETTLE, index);
}

static void
due_settle(struct exchange_made *made, uint32_t index)
{
    const struct gen_event *event = &made->gen->events[index];

    for (uint32_t i = 0; i < event->markets; i++)
        settle_market(made, event->first + i);
    made->places[index].settled = true;
    if (made->places[index].heir)
        free_place(made, index);
}

/* The first orders come, one by one. */
static void
open_market(struct exchange_made *made, uint32_t index)
{
    struct kdp_gen *gen = made->gen;
    struct gen_market *g = &gen->markets[index];
    struct gen_book book;

    if ((g->flags & GEN_CLOSED) != 0)
        return;
    g->flags |= GEN_ACTIVE | GEN_SUBSCRIBED;
    gen_book_fill(gen, g, false);
    book = g->book;
    memset(&g->book, 0, sizeof g->book);
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned i = book.count[side]; i-- > 0;) {
            if (gen_book_change(&g->book, side, book.levels[side][i].price_e4, book.levels[side][i].size_e2))
                gen_put_delta(gen, index, side, book.levels[side][i].price_e4, book.levels[side][i].size_e2,
                              false);
        }
    }
}

/* ---- combinations ---- */

uint32_t
made_combos_room(uint32_t combo_rate)
{
    uint64_t room = (uint64_t)combo_rate * 7200;

    return combo_rate == 0 ? 0 : room > COMBOS_ROOM_MAX ? COMBOS_ROOM_MAX : (uint32_t)room;
}

static void
new_combo(struct exchange_made *made, int64_t age_ns)
{
    struct kdp_gen *gen = made->gen;
    uint32_t index;
    /* at most half of the places are of combinations that live */
    int64_t life_ns = (int64_t)made->combo_max * KDP_NS_PER_S / made->ex->config.combo_rate / 2;
    struct exchange_market *market;

    if (made->combo_count < made->combo_max) {
        index = gen->market_count++;
        made->combo[made->combo_count++] = index;
    } else {
        index = made->combo[made->combo_next];
        if (market_of(made, index)->state != KDP_MARKET_STATUS_FINALIZED) {
            made->ex->stats.combos_left_out++;
            return;
        }
        made->combo_next = (made->combo_next + 1) % made->combo_max;
        exchange_forget(made->ex, made->place[index]);
        exchange_unname(made->ex, made->place[index]);
    }
    if (!gen_combo_make(gen, index) ||
        !made_market_add(made, index, gen->now_ns - age_ns, gen->now_ns - age_ns)) {
        made->ex->error = kdpi_fail(KDP_ENOMEM, "no memory for a market more");
        return;
    }
    gen->markets[index].flags |= GEN_ACTIVE;
    market = market_of(made, index);
    life_ns = life_ns < 3600 * KDP_NS_PER_S ? life_ns : 3600 * KDP_NS_PER_S;
    life_ns = life_ns / 4 + life_ns / 1024 * gen_below(gen, 768);
    market->close_ns = (gen->now_ns + life_ns) / KDP_NS_PER_S * KDP_NS_PER_S + KDP_NS_PER_S;
    if (gen->combo_count < COMBOS_MAX)
        gen->combos[gen->combo_count++] = index;
    else
        gen->combos[gen_below(gen, COMBOS_MAX)] = index;
    made_later(made, market->close_ns, MADE_COMBO_CLOSE, index);
    if (age_ns == 0)
        exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_CREATED);
}

void
made_combo_trade(struct exchange_made *made)
{
    struct kdp_gen *gen = made->gen;
    uint32_t which, index, count;

    if (gen->combo_count == 0)
        return;
    which = gen_below(gen, gen->combo_count);
    index = gen->combos[which];
    if ((gen->markets[index].flags & GEN_ACTIVE) == 0) {
        gen->combos[which] = gen->combos[--gen->combo_count];
        return;
    }
    count = 100 + gen_below(gen, 20000);
    gen_trade(gen, index, gen->markets[index].last_e4, (int32_t)count, gen_below(gen, 2));
}

/* ---- what happens now and then ---- */

static void
step_pause(struct exchange_made *made)
{
    struct kdp_gen *gen = made->gen;
    uint32_t index = made->paused;

    if (index != NOWHERE) {
        made->paused = NOWHERE;
        if (!market_of(made, index)->held || (gen->markets[index].flags & GEN_CLOSED) != 0)
            return;
        market_of(made, index)->held = false;
        exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_ACTIVATED);
        gen_mass_cancel(gen, index); /* reactivation cancels every resting order */
        gen->markets[index].flags |= GEN_ACTIVE;
        return;
    }
    index = gen_pick_trading(gen);
    if (index == NOWHERE)
        return;
    made->paused = index;
    gen->markets[index].flags &= (uint8_t)~GEN_ACTIVE;
    market_of(made, index)->held = true;
    exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_DEACTIVATED);
}

/* The next structure in place: resting orders stay where they are. */
void
made_ticks(struct exchange_made *made, uint32_t index)
{
    struct gen_market *g = &made->gen->markets[index];

    g->structure = (uint8_t)((g->structure + 1) % GEN_STRUCTURES);
    exchange_tell_life(made->ex, made->place[index], made->gen->now_ns,
                       KDP_LIFECYCLE_KIND_PRICE_LEVEL_STRUCTURE_UPDATED);
}

static void
move_close(struct exchange_made *made, uint32_t event, int64_t close_s)
{
    const struct gen_event *e = &made->gen->events[event];

    made->places[event].close_s = close_s;
    for (uint32_t i = 0; i < e->markets; i++) {
        market_of(made, e->first + i)->close_ns = close_s * KDP_NS_PER_S;
        exchange_tell_life(made->ex, made->place[e->first + i], made->gen->now_ns,
                           KDP_LIFECYCLE_KIND_CLOSE_DATE_UPDATED);
    }
}

static void
step_life(struct exchange_made *made)
{
    struct kdp_gen *gen = made->gen;
    uint32_t index = gen_pick_trading(gen), event, count;

    if (index == NOWHERE)
        return;
    event = gen->markets[index].event;
    switch (gen_below(gen, 12)) {
    case 0:
    case 1:
    case 2:
        step_pause(made);
        break;
    case 3:
    case 4:
        if (gen->slot_count <= 64 || gen->events[event].slot >= 24) /* the most looked at keep theirs */
            made_ticks(made, index);
        break;
    case 5:
        exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_METADATA_UPDATED);
        break;
    case 6:
        if (!gen_event_is_timed(&gen->events[event]))
            move_close(made, event, made->places[event].close_s + 3600);
        break;
    case 7: { /* an early end, said some seconds before; among few events a rare thing */
        int64_t close_s = gen->now_ns / KDP_NS_PER_S + 2 + gen_below(gen, 4);

        event = gen->markets[gen->slots[gen_below(gen, gen->slot_count)]].event;
        if (gen_below(gen, 500) >= gen->slot_count || gen->events[event].closing ||
            gen_event_is_timed(&gen->events[event]) || made->places[event].close_s <= close_s ||
            (gen->markets[gen->events[event].first].flags & GEN_ACTIVE) == 0)
            break;
        move_close(made, event, close_s);
        made_later(made, close_s * KDP_NS_PER_S, MADE_CLOSE, event);
        break;
    }
    case 8:
        tell_event(made, event, true, gen_below(gen, 2) != 0);
        break;
    default: /* agreed outside the book */
        count = 100000 + 100 * gen_below(gen, 9000);
        gen_trade_block(gen, index, gen->markets[index].last_e4 > 0 ? gen->markets[index].last_e4 : 100,
                        (int32_t)count, gen_below(gen, 2));
        break;
    }
}

static int64_t
life_pause(const struct exchange_made *made)
{
    int64_t ns = 512 * 2 * made->pause_ns;

    return ns < KDP_NS_PER_S / 2 ? KDP_NS_PER_S / 2 : ns;
}

void
made_due(struct exchange_made *made, const struct made_due *due)
{
    struct kdp_gen *gen = made->gen;

    if (made_is_void(made, due))
        return;
    switch ((enum made_timer)due->what) {
    case MADE_CLOSE:
        due_close(made, due->which);
        break;
    case MADE_DETERMINE:
        due_determine(made, due->which);
        break;
    case MADE_SETTLE:
        due_settle(made, due->which);
        break;
    case MADE_SUCCEED:
        succeed(made, due->which);
        break;
    case MADE_OPEN:
        for (uint32_t i = 0; i < gen->events[due->which].markets; i++)
            open_market(made, gen->events[due->which].first + i);
        break;
    case MADE_LIFE:
        step_life(made);
        made_later(made,
                   due->due_ns + life_pause(made) * gen_pause(gen_random(gen)) / 1024 / 1000 * 1000 + 1000,
                   MADE_LIFE, 0);
        break;
    case MADE_COMBO_NEW:
        new_combo(made, 0);
        made_later(made,
                   due->due_ns +
                       KDP_NS_PER_S / made->ex->config.combo_rate * gen_pause(gen_random(gen)) / 1024 / 1000 *
                           1000 +
                       1000,
                   MADE_COMBO_NEW, 0);
        break;
    case MADE_COMBO_CLOSE:
        close_market(made, due->which);
        made_later(made, gen->now_ns + some_ms(gen, 1000, 10000), MADE_COMBO_DETERMINE, due->which);
        break;
    case MADE_COMBO_DETERMINE:
        determine_market(made, due->which, gen_below(gen, 8) == 0, false);
        made_later(made, gen->now_ns + some_ms(gen, 1000, 10000), MADE_COMBO_SETTLE, due->which);
        break;
    case MADE_COMBO_SETTLE:
        settle_market(made, due->which);
        break;
    }
}

/* At the beginning: every event's close time, and in a big universe some that have not opened or have ended already. */
void
made_lives_begin(struct exchange_made *made)
{
    struct kdp_gen *gen = made->gen;
    bool moves = made->ex->config.rate > 0;

    for (uint32_t i = 0; i < gen->event_count; i++) {
        struct gen_event *event = &gen->events[i];

        made->places[i].room = event->markets;
        made->places[i].birth = ++made->births;
        /* when nothing moves, a day is put between now and the first close */
        made->places[i].close_s = event->close_s + (moves ? 0 : 86400);
        for (uint32_t j = 0; j < event->markets; j++) {
            struct exchange_market *market = market_of(made, event->first + j);
            struct gen_market *g = &gen->markets[event->first + j];

            market->close_ns = made->places[i].close_s * KDP_NS_PER_S;
            if (i < 64 || i % 32 > 1)
                continue;
            g->flags &= (uint8_t)~GEN_ACTIVE;
            memset(g->book.count, 0, sizeof g->book.count);
            if (i % 32 == 0) {
                market->created_ns = gen->now_ns - KDP_NS_PER_S;
                market->open_ns = gen->now_ns + (30 + i % 600) * KDP_NS_PER_S;
                if (!moves)
                    market->open_ns = gen->now_ns + KDP_NS_PER_DAY;
            } else {
                market->state = KDP_MARKET_STATUS_CLOSED;
                market->close_ns = gen->now_ns - (int64_t)(1 + i % 900) * KDP_NS_PER_S;
                event->closing = true;
                g->flags |= GEN_CLOSED;
            }
        }
        if (!moves)
            continue;
        if (event->closing) {
            made_later(made, gen->now_ns + some_ms(gen, 1000, 20000), MADE_DETERMINE, i);
            made_later(made, gen->now_ns + some_ms(gen, 1000, 20000), MADE_SUCCEED, i);
            continue;
        }
        if (i >= 64 && i % 32 == 0)
            made_later(made, gen->now_ns + (30 + i % 600) * KDP_NS_PER_S, MADE_OPEN, i);
        made_later(made, event->close_s * KDP_NS_PER_S, MADE_CLOSE, i);
    }
    if (moves)
        made_later(made, gen->now_ns + life_pause(made), MADE_LIFE, 0);
    if (made->ex->config.combo_rate > 0) {
        for (unsigned i = 0; i < 32; i++)
            new_combo(made, (int64_t)(1 + i) * KDP_NS_PER_S);
        made_later(made, gen->now_ns + KDP_NS_PER_S / made->ex->config.combo_rate, MADE_COMBO_NEW, 0);
    }
}

/* ---- acts from outside ---- */

/* One more event: it takes the place in popularity of one that is little looked at, which goes on without. */
static int
act_new(struct exchange_made *made, uint32_t index)
{
    struct kdp_gen *gen = made->gen;
    uint32_t events = gen->event_count;

    if (index != NOWHERE) {
        succeed(made, gen->markets[index].event);
    } else {
        for (unsigned tries = 0; tries < 1000; tries++) {
            const struct gen_event *event = &gen->events[gen_below(gen, events)];

            if (event->closing || (event->slot < gen->slot_count / 2 && tries < 500))
                continue;
            succeed(made, (uint32_t)(event - gen->events));
            break;
        }
    }
    return made->ex->error;
}

static int
act_settle(struct exchange_made *made, uint32_t event)
{
    struct kdp_gen *gen = made->gen;
    const struct exchange_market *first = market_of(made, gen->events[event].first);

    if (first->state == KDP_MARKET_STATUS_FINALIZED)
        return kdpi_fail(KDP_EUSAGE, "it is settled already");
    made->places[event].birth = ++made->births; /* the timers that would do it later are void */
    if (first->state != KDP_MARKET_STATUS_DETERMINED)
        due_determine(made, event);
    made->places[event].birth = ++made->births;
    due_settle(made, event);
    return 0;
}

int
made_act(struct exchange_made *made, enum kdp_exchange_act act, uint32_t index)
{
    struct kdp_gen *gen = made->gen;
    struct exchange_market *market;
    struct gen_market *g;

    if (act == KDP_EXCHANGE_NEW)
        return act_new(made, index);
    market = market_of(made, index);
    g = &gen->markets[index];
    if (act == KDP_EXCHANGE_TERMS) {
        exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_METADATA_UPDATED);
        return 0;
    }
    if (act == KDP_EXCHANGE_FEES && !market->combo) {
        made->fees = !made->fees;
        tell_event(made, g->event, true, made->fees);
        return 0;
    }
    if (act == KDP_EXCHANGE_SETTLE && !market->combo) {
        if (!gen->events[g->event].closing)
            made_act(made, KDP_EXCHANGE_CLOSE, index);
        return act_settle(made, g->event);
    }
    if (market->combo || (g->flags & GEN_CLOSED) != 0)
        return kdpi_fail(KDP_EUSAGE, market->combo ? "not for combinations" : "it is closed already");
    switch (act) {
    case KDP_EXCHANGE_LATER:
        move_close(made, g->event, made->places[g->event].close_s + 3600);
        return 0;
    case KDP_EXCHANGE_PAUSE:
        if (market->held || (g->flags & GEN_ACTIVE) == 0)
            return kdpi_fail(KDP_EUSAGE, "it does not trade");
        g->flags &= (uint8_t)~GEN_ACTIVE;
        market->held = true;
        exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_DEACTIVATED);
        return 0;
    case KDP_EXCHANGE_RESUME:
        if (!market->held)
            return kdpi_fail(KDP_EUSAGE, "it is not paused");
        market->held = false;
        exchange_tell_life(made->ex, made->place[index], gen->now_ns, KDP_LIFECYCLE_KIND_ACTIVATED);
        gen_mass_cancel(gen, index);
        g->flags |= GEN_ACTIVE;
        return 0;
    default:
        move_close(made, g->event, gen->now_ns / KDP_NS_PER_S);
        due_close(made, g->event);
        return 0;
    }
}
