/* gap.c - gaps that are open, and what each waits for.
 *
 * A gap waits for the books it made stale, a lost line also for the line itself, a hole in the trades for the
 * word that REST has filled it.  A book that waits for one gap when another makes it stale ties the two
 * together: from then on they are a group, which ends when nothing of it is waited for any more.  So a gap is
 * never called healed too early, a book has one link whatever happened to it, and each step costs the same
 * however many books there are; that a group's first gap may be told as healed later than its own books were
 * is the price.  A gap outlives its subscription and its connection.
 *
 * The table is bounded: a gap past it is told as open and not followed up (counted). */
#include <string.h>

#include "plant_private.h"
#include "record.h"

static struct plant_gap *
at(struct kdp_plant *plant, uint32_t number)
{
    return &plant->gaps[number - 1];
}

/* Gives the number of a new group of one gap, 0 when the table is full. */
static uint32_t
open_gap(struct kdp_plant *plant, const struct plant_gap *gap)
{
    uint32_t number = plant->gaps_free;

    if (number != 0)
        plant->gaps_free = at(plant, number)->next;
    else if (plant->gaps_used < GAPS_MAX)
        number = ++plant->gaps_used;
    else {
        plant_count(plant, COUNT_GAPS_UNTRACKED, 1);
        return 0;
    }
    *at(plant, number) = *gap;
    at(plant, number)->root = at(plant, number)->last = number;
    return number;
}

static void
close_gap(struct kdp_plant *plant, uint32_t number, enum kdp_gap_status status, enum kdp_healed_by by)
{
    struct plant_gap *gap = at(plant, number);

    emit_gap(plant, gap, status, by, NULL);
    if (gap->sub != 0)
        kdp_sub_at(plant->lines, gap->sub - 1)->gap = 0;
    if (status == KDP_GAP_STATUS_HEALED && gap->kind == KDP_GAP_KIND_SEQUENCE) {
        plant->totals.gaps_healed += gap->count;
        plant_count(plant, COUNT_GAPS_HEALED, gap->count);
    }
    if (status == KDP_GAP_STATUS_HEALED && gap->trades)
        plant->totals.trades_unhealed -= gap->missed;
    *gap = (struct plant_gap){.next = plant->gaps_free};
    plant->gaps_free = number;
}

/* One thing less is waited for; the last one ends every gap of the group. */
static void
done(struct kdp_plant *plant, uint32_t number, enum kdp_healed_by by)
{
    uint32_t root = at(plant, number)->root;

    if (--at(plant, root)->left > 0)
        return;
    for (uint32_t next; root != 0; root = next) {
        const struct plant_gap *gap = at(plant, root);
        enum kdp_healed_by how = by;

        next = gap->next;
        if (gap->kind == KDP_GAP_KIND_LINE_DOWN)
            how = KDP_HEALED_BY_RECONNECT;
        else if (gap->ended != KDP_HEALED_BY_NONE && by != KDP_HEALED_BY_CLOSED)
            how = (enum kdp_healed_by)gap->ended;
        close_gap(plant, root, KDP_GAP_STATUS_HEALED, how);
    }
}

static void
tie(struct kdp_plant *plant, uint32_t a, uint32_t b)
{
    uint32_t to = at(plant, a)->root, from = at(plant, b)->root;

    if (to == from)
        return;
    at(plant, to)->left += at(plant, from)->left;
    at(plant, at(plant, to)->last)->next = from;
    at(plant, to)->last = at(plant, from)->last;
    for (uint32_t number = from; number != 0; number = at(plant, number)->next)
        at(plant, number)->root = to;
}

static void
add_book(struct kdp_plant *plant, uint32_t number, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

    if (item->gap != 0) {
        tie(plant, item->gap, number);
    } else {
        item->gap = number;
        at(plant, at(plant, number)->root)->left++;
    }
}

void
gap_book_done(struct kdp_plant *plant, uint32_t id, enum kdp_healed_by by)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    uint32_t number = item->gap;

    if (number == 0)
        return;
    item->gap = 0;
    done(plant, number, by);
}

static void
add_books(struct kdp_plant *plant, uint32_t number, const struct kdp_sub *sub)
{
    for (uint32_t id = sub->first_instrument; id != 0; id = kdp_instruments_at(plant->instruments, id)->next)
        if (kdp_instruments_at(plant->instruments, id)->state != KDP_BOOK_STATE_CLOSED)
            add_book(plant, number, id);
}

/* ---- sequence gaps ---- */

void
gap_sequence(struct kdp_plant *plant, struct kdp_sub *sub, uint64_t expected, uint64_t seen)
{
    struct plant_gap gap = {.kind = KDP_GAP_KIND_SEQUENCE,
                            .line = plant->input->line,
                            .channel = sub->channel,
                            .trades = sub->channel == KDP_CHANNEL_TRADE,
                            .listing = sub->channel == KDP_CHANNEL_LIFECYCLE && plant->planning,
                            .sid = sub->sid,
                            .epoch = sub->epoch,
                            .sub = kdp_sub_index(plant->lines, sub) + 1,
                            .count = 1,
                            .expected = expected,
                            .seen = seen,
                            .missed = seen - expected,
                            .opened_ns = plant->input->recv_ns,
                            .learnt_ns = plant->now_ns};
    struct plant_gap *joined = sub->gap != 0 ? at(plant, sub->gap) : NULL;
    uint32_t number;

    plant->totals.gaps++;
    plant->totals.missed[sub->channel] += seen - expected;
    plant_count(plant, COUNT_GAPS, 1);
    plant_count(plant, COUNT_MISSED, seen - expected);
    gap.markets = market_all_stale(plant, sub, KDP_REASON_GAP, expected, seen - 1);
    emit_gap(plant, &gap, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, NULL);
    if (gap.trades || gap.listing) {
        /* each for itself: what came before a moment may be filled, what came after not yet */
        plant->totals.trades_unhealed += gap.trades ? gap.missed : 0;
        gap.left = 1;
        gap.sub = 0;
        open_gap(plant, &gap);
    } else if (sub->channel == KDP_CHANNEL_BOOK || sub->books > 0) {
        if (joined != NULL) {
            joined->seen = seen;
            joined->count++;
            joined->markets += gap.markets;
            number = sub->gap;
        } else {
            gap.nobody = sub->books == 0; /* whose they were cannot be told: first snapshots, mostly */
            gap.left = gap.nobody;
            number = sub->gap = open_gap(plant, &gap);
            plant->gaps_nobody += number != 0 && gap.nobody;
        }
        if (number != 0) {
            add_books(plant, number, sub);
            if (at(plant, at(plant, number)->root)->left == 0) { /* all of them are closed */
                at(plant, at(plant, number)->root)->left = 1;
                done(plant, number, KDP_HEALED_BY_CLOSED);
            }
        }
    }
    tell_gap(plant, KDP_NOTICE_GAP, sub, expected, seen);
}

/* A gap of a subscription that had no book yet does not wait for the unknown any more. */
static void
mended(struct kdp_plant *plant, uint32_t number, enum kdp_healed_by how)
{
    struct plant_gap *gap = at(plant, number);

    if (!gap->nobody)
        return;
    gap->nobody = false;
    plant->gaps_nobody--;
    done(plant, number, how);
}

void
gap_sub_ends(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_healed_by how)
{
    uint32_t number = sub->gap;
    struct plant_gap *gap;

    if (number == 0)
        return;
    sub->gap = 0;
    gap = at(plant, number);
    gap->sub = 0;
    gap->ended = (uint8_t)how;
    mended(plant, number, how);
}

void
gap_asked(struct kdp_plant *plant, const struct kdp_sub *sub)
{
    if (sub->gap != 0)
        mended(plant, sub->gap, KDP_HEALED_BY_SNAPSHOT);
}

void
gap_tick(struct kdp_plant *plant)
{
    if (plant->gaps_nobody == 0 || plant->waiting != 0 || !plant->planning)
        return;
    for (uint32_t number = 1; number <= plant->gaps_used; number++)
        mended(plant, number, KDP_HEALED_BY_SNAPSHOT);
}

/* ---- lines ---- */

void
gap_line_down(struct kdp_plant *plant, struct kdp_line *line, uint32_t hit)
{
    struct plant_gap gap = {.kind = KDP_GAP_KIND_LINE_DOWN,
                            .line = plant->input->line,
                            .epoch = line->epoch,
                            .count = 1,
                            .markets = hit,
                            .left = 1, /* the line itself */
                            .opened_ns = plant->input->recv_ns,
                            .learnt_ns = plant->now_ns};
    struct plant_gap trades = gap;
    const struct kdp_sub *sub;
    bool any_trades = false;

    if (line->first_sub == 0)
        return;
    for (uint32_t number = line->first_sub; number != 0; number = sub->line_next) {
        sub = kdp_sub_at(plant->lines, number - 1);
        if (sub->channel == KDP_CHANNEL_TRADE) {
            any_trades = true;
            trades.sid = sub->sid;
        }
    }
    emit_gap(plant, &gap, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, NULL);
    line->gap = open_gap(plant, &gap);
    if (line->gap != 0)
        for (uint32_t number = line->first_sub; number != 0; number = sub->line_next) {
            sub = kdp_sub_at(plant->lines, number - 1);
            add_books(plant, line->gap, sub);
        }
    if (!any_trades || !plant->planning)
        return; /* a recording has nobody who would ask for them */
    trades.kind = KDP_GAP_KIND_TRADES;
    trades.channel = KDP_CHANNEL_TRADE;
    trades.trades = true;
    trades.markets = 0;
    emit_gap(plant, &trades, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, NULL);
    open_gap(plant, &trades);
}

/* What the pause before this run cost: told for each line as it comes back. */
static void
line_resumed(struct kdp_plant *plant, struct kdp_line *line, uint16_t number)
{
    struct plant_gap gap = {.kind = KDP_GAP_KIND_LINE_DOWN,
                            .line = plant->input->line,
                            .epoch = line->epoch,
                            .count = 1,
                            .left = 1,
                            .opened_ns = plant->resumed_ns,
                            .learnt_ns = plant->now_ns};
    uint32_t max = kdp_instruments_max(plant->instruments);

    /* a book whose line nobody knows counts with the first that comes back */
    for (uint32_t id = 1; id <= max; id++) {
        struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        if (item->before != 0 && (item->before_line == number || item->before_line == 0))
            gap.markets++;
    }
    emit_gap(plant, &gap, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, NULL);
    line->gap = open_gap(plant, &gap);
    for (uint32_t id = 1; gap.markets > 0 && id <= max; id++) {
        struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        if (item->before == 0 || (item->before_line != number && item->before_line != 0))
            continue;
        item->before = 0;
        if (line->gap != 0 && item->state == KDP_BOOK_STATE_STALE)
            add_book(plant, line->gap, id);
    }
}

void
gap_line_up(struct kdp_plant *plant, struct kdp_line *line, uint16_t number)
{
    uint32_t gap;

    if (plant->resumed_ns != KDP_TIME_NULL && !line->resumed)
        line_resumed(plant, line, number);
    line->resumed = true;
    gap = line->gap;
    line->gap = 0;
    if (gap != 0)
        done(plant, gap, KDP_HEALED_BY_RECONNECT);
}

/* ---- trades ---- */

/* A hole in the trades of an earlier run, or its end: what is still open at START is healed with this run's own. */
void
gap_restore(struct kdp_plant *plant, const struct kdp_gap *rec)
{
    struct kdp_text of = kdpi_record_text(rec, 0);
    uint32_t at = 0;

    if (rec->kind != KDP_GAP_KIND_TRADES &&
        (rec->kind != KDP_GAP_KIND_SEQUENCE || of.len != 5 || memcmp(of.data, "trade", 5) != 0))
        return;
    while (at < plant->holes_count &&
           (plant->holes[at].kind != rec->kind || plant->holes[at].sid != rec->sid ||
            plant->holes[at].epoch != rec->epoch || plant->holes[at].expected != rec->expected ||
            plant->holes[at].opened_ns != rec->opened_ns))
        at++;
    if (rec->status != KDP_GAP_STATUS_OPEN) {
        if (at < plant->holes_count)
            plant->holes[at] = plant->holes[--plant->holes_count];
    } else if (at == HOLES_MAX) {
        plant_count(plant, COUNT_GAPS_UNTRACKED, 1);
    } else if (at == plant->holes_count) {
        plant->holes[plant->holes_count++] = (struct plant_gap){.kind = rec->kind,
                                                                .channel = KDP_CHANNEL_TRADE,
                                                                .line = rec->head.line,
                                                                .trades = true,
                                                                .sid = rec->sid,
                                                                .epoch = rec->epoch,
                                                                .markets = rec->markets,
                                                                .left = 1,
                                                                .expected = rec->expected,
                                                                .seen = rec->seen,
                                                                .opened_ns = rec->opened_ns};
    }
}

/* They are counted where they began: only their end is told here. */
void
gap_restart(struct kdp_plant *plant)
{
    for (uint32_t i = 0; plant->resumed_ns != KDP_TIME_NULL && i < plant->holes_count; i++) {
        plant->holes[i].learnt_ns = plant->now_ns;
        open_gap(plant, &plant->holes[i]);
    }
    plant->holes_count = 0;
}

static void
trades_resumed(struct kdp_plant *plant, uint32_t sid, uint32_t epoch)
{
    struct plant_gap gap = {.kind = KDP_GAP_KIND_TRADES,
                            .line = plant->input->line,
                            .channel = KDP_CHANNEL_TRADE,
                            .trades = true,
                            .sid = sid,
                            .epoch = epoch,
                            .count = 1,
                            .left = 1,
                            .opened_ns = plant->resumed_ns,
                            .learnt_ns = plant->now_ns};

    if (plant->resumed_ns == KDP_TIME_NULL || plant->trades_resumed || !plant->planning)
        return;
    plant->trades_resumed = true;
    emit_gap(plant, &gap, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, NULL);
    open_gap(plant, &gap);
}

void
gap_trades_resumed(struct kdp_plant *plant, const struct kdp_sub *sub)
{
    trades_resumed(plant, sub->sid, sub->epoch);
}

void
gap_trades_polled(struct kdp_plant *plant)
{
    trades_resumed(plant, 0, 0);
}

void
gap_trades_behind(struct kdp_plant *plant, int64_t since_ns)
{
    int64_t now_ns = plant->input->recv_ns;
    struct plant_gap gap = {.kind = KDP_GAP_KIND_TRADES,
                            .line = plant->input->line,
                            .channel = KDP_CHANNEL_TRADE,
                            .trades = true,
                            .count = 1,
                            .left = 1,
                            .opened_ns = since_ns > 0 && since_ns < now_ns ? since_ns : now_ns,
                            .learnt_ns = plant->now_ns};

    emit_gap(plant, &gap, KDP_GAP_STATUS_OPEN, KDP_HEALED_BY_NONE, NULL);
    open_gap(plant, &gap);
}

void
gap_trades(struct kdp_plant *plant, int64_t until_ns, bool healed)
{
    for (uint32_t number = 1; number <= plant->gaps_used; number++) {
        const struct plant_gap *gap = at(plant, number);

        if (gap->root == 0 || !gap->trades || gap->learnt_ns >= until_ns)
            continue;
        close_gap(plant, number, healed ? KDP_GAP_STATUS_HEALED : KDP_GAP_STATUS_LOST,
                  healed ? KDP_HEALED_BY_REST : KDP_HEALED_BY_NONE);
    }
}

void
gap_listed(struct kdp_plant *plant, int64_t until_ns)
{
    for (uint32_t number = 1; number <= plant->gaps_used; number++)
        if (at(plant, number)->root != 0 && at(plant, number)->listing &&
            at(plant, number)->learnt_ns < until_ns)
            close_gap(plant, number, KDP_GAP_STATUS_HEALED, KDP_HEALED_BY_REST);
}
