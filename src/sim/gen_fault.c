/* gen_fault.c - what happens to frames on their way, and what the client must have in the end.
 *
 * The client's side is the rule book of a right client, kept without a plant: a hole in the numbers makes
 * every book of that subscription stale, a stale book ignores changes until its snapshot, a level never goes
 * below zero. */
#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "gen_private.h"

static bool
faults_on(const struct kdp_gen *gen)
{
    return gen->faulty && !gen->ending;
}

/* Every book of a connection is stale from now on; a closed market stays closed. */
static void
make_stale(struct kdp_gen *gen, uint32_t conn)
{
    for (uint32_t i = 0; i < gen->market_count; i++) {
        struct gen_client *client = &gen->clients[i];

        if (client->state == KDP_GEN_LIVE && gen->events[gen->markets[i].event].conn == conn)
            client->state = KDP_GEN_STALE;
    }
}

void
gen_disconnect_client(struct kdp_gen *gen, uint32_t conn)
{
    for (unsigned channel = 0; channel < GEN_CHANNELS; channel++) {
        struct gen_sub *sub = &gen->conns[conn].subs[channel];

        sub->delivered = 0;
        sub->skip = 0;
        sub->hole = false;
    }
    if (gen->clients != NULL)
        make_stale(gen, conn);
}

static void
note_top(struct gen_client *client)
{
    int32_t top[4];
    const struct gen_book *book = &client->book;

    for (unsigned side = 0; side < 2; side++) {
        top[2 * side] = book->count[side] > 0 ? book->levels[side][0].price_e4 : 0;
        top[2 * side + 1] = book->count[side] > 0 ? book->levels[side][0].size_e2 : 0;
    }
    if (memcmp(top, client->top, sizeof top) != 0) {
        memcpy(client->top, top, sizeof top);
        client->bbo_changes++;
    }
}

/* At the close the exchange sends a snapshot without levels that nobody asked for; of a book that had orders
 * it says so. */
static bool
means_close(const struct gen_client *client, const struct gen_item *item)
{
    return !item->asked && client->book.count[GEN_YES] == 0 && client->book.count[GEN_NO] == 0 &&
           (client->state == KDP_GEN_CLOSED || (client->state == KDP_GEN_LIVE && client->bbo_changes > 0));
}

static void
apply(struct kdp_gen *gen, const struct gen_item *item)
{
    struct gen_client *client = &gen->clients[item->market];

    switch (item->effect) {
    case GEN_SNAPSHOT:
        client->book = gen->markets[item->market].book;
        client->state = client->final || means_close(client, item) ? KDP_GEN_CLOSED : KDP_GEN_LIVE;
        note_top(client);
        break;
    case GEN_DELTA:
        if (client->state == KDP_GEN_CLOSED && !client->final) /* it was only empty */
            client->state = KDP_GEN_LIVE;
        if (client->state != KDP_GEN_LIVE)
            break;
        KDP_ASSERT(gen_book_change(&client->book, item->side, item->price_e4, item->delta_e2));
        note_top(client);
        break;
    case GEN_NEGATIVE_LEVEL:
    case GEN_REMOVED:
        if (client->state == KDP_GEN_LIVE)
            client->state = KDP_GEN_STALE;
        break;
    case GEN_TRADED:
        client->trades++;
        break;
    case GEN_DETERMINED:
        client->state = KDP_GEN_CLOSED;
        client->final = true;
        break;
    default:
        break;
    }
    if (client->state == KDP_GEN_UNSEEN)
        client->state = KDP_GEN_STALE;
}

static void
notice_hole(struct kdp_gen *gen, const struct gen_item *item)
{
    struct gen_conn *c = &gen->conns[item->conn];

    if (item->channel != GEN_BOOK)
        return;
    make_stale(gen, item->conn);
    if (gen_chance(gen, gen->config.fault_ppm[KDP_GEN_FAULT_RESYNC])) {
        c->resync = 0;
        c->resync_ns = gen->now_ns + 30 * KDP_NS_PER_MS + (int64_t)gen_below(gen, 40) * KDP_NS_PER_MS;
    }
}

bool
gen_deliver(struct kdp_gen *gen, struct gen_item *item)
{
    if (item->kind == KDP_GEN_DISCONNECTED)
        gen_disconnect_client(gen, item->conn);
    if (item->kind != KDP_GEN_FRAME)
        return true;
    if (item->channel < GEN_CHANNELS && gen->clients != NULL) {
        struct gen_sub *sub = &gen->conns[item->conn].subs[item->channel];

        /* the end of a numbering comes through: nothing after it would show a hole */
        if (item->effect != GEN_UNSUBSCRIBED) {
            if (sub->skip == 0 && faults_on(gen) && gen_chance(gen, gen->config.fault_ppm[KDP_GEN_FAULT_GAP]))
                sub->skip = 1 + gen_below(gen, 14);
            if (sub->skip > 0) {
                sub->skip--;
                sub->hole = true;
                return false;
            }
        }
        if (item->seq != sub->delivered + 1)
            notice_hole(gen, item);
        sub->delivered = item->effect == GEN_UNSUBSCRIBED ? 0 : item->seq;
        sub->hole = false;
        if (item->effect == GEN_UNSUBSCRIBED)
            sub->skip = 0;
    }
    if (item->effect == GEN_UNSUBSCRIBED) {
        if (gen->clients != NULL)
            make_stale(gen, item->conn);
    } else if (item->effect != GEN_NOTHING) {
        gen->markets[item->market].flags |= GEN_SEEN;
        if (gen->clients != NULL)
            apply(gen, item);
    }
    return true;
}

void
gen_step_faults(struct kdp_gen *gen)
{
    static const char *const strangers[] = {
        "{\"type\":\"weather_report\",\"sid\":77,\"seq\":1,\"msg\":{\"sky\":\"clear\",\"wind\":[1,2.5e3,-0.0]"
        "}}",
        "{\"type\":\"user_order\",\"sid\":78,\"msg\":{}}",
        "{\"nothing\":\"at all\"}",
        "{\"type\":\"orderbook_delta_v3\",\"sid\":79,\"msg\":{\"market_ticker\":\"KXA\",\"levels\":{\"yes\":["
        "[1,2]]}}}",
    };
    const uint32_t *ppm = gen->config.fault_ppm;

    if (!faults_on(gen))
        return;
    if (gen_chance(gen, ppm[KDP_GEN_FAULT_RECONNECT]) && gen->connected == gen->config.connections)
        gen_reconnect(gen, gen_below(gen, gen->config.connections));
    if (gen_chance(gen, ppm[KDP_GEN_FAULT_UNKNOWN])) {
        const char *text = strangers[gen_below(gen, sizeof strangers / sizeof strangers[0])];

        gen_put_text(gen, gen_below(gen, gen->config.connections), text, strlen(text));
    }
    if (gen_chance(gen, ppm[KDP_GEN_FAULT_NEGATIVE])) {
        uint32_t index = gen_pick(gen);
        const struct gen_market *market = &gen->markets[index];
        unsigned side = gen_below(gen, 2);

        if ((market->flags & GEN_SUBSCRIBED) == 0 || market->book.count[side] == 0)
            return;
        gen_put_delta(gen, index, side, market->book.levels[side][0].price_e4,
                      -market->book.levels[side][0].size_e2 - 1, true);
        if (gen_chance(gen, ppm[KDP_GEN_FAULT_RESYNC]) &&
            gen->mending_count < sizeof gen->mending / sizeof gen->mending[0]) {
            gen->mending[gen->mending_count++] = index;
            gen->mending_ns = gen->now_ns + 50 * KDP_NS_PER_MS;
        }
    }
}

bool
gen_step_notice(struct kdp_gen *gen)
{
    for (uint32_t conn = 0; conn < gen->config.connections; conn++) {
        struct gen_conn *c = &gen->conns[conn];

        for (unsigned channel = 0; channel < GEN_CHANNELS; channel++)
            c->subs[channel].skip = 0;
        if (c->subs[GEN_BOOK].hole && c->count > 0 && c->cursor > 0) {
            gen_put_snapshot(gen, c->list[0], ++c->next_id);
            return true;
        }
    }
    return false;
}
