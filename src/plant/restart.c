/* restart.c - what a run knows of those before it: terms, and which books readers still believe to be live.
 *
 * Nothing here makes a book: a book is live after a snapshot of this run alone.  The walk over the tape is the
 * caller's; what it gives is kept aside until START says that the runs before are known. */
#include <string.h>

#include "clock.h"
#include "plant_private.h"

#define PLAN_WAIT_NS (5 * 60 * KDP_NS_PER_S)

void
kdp_plant_restore_record(struct kdp_plant *plant, const void *record)
{
    const struct kdp_head *head = record;
    struct kdp_instrument *item;

    if (head->template_id == KDP_TEMPLATE_GAP)
        gap_restore(plant, record);
    if (head->instrument == 0 || head->instrument > kdp_instruments_max(plant->instruments))
        return;
    item = kdp_instruments_at(plant->instruments, head->instrument);
    if (item->ticker == NULL)
        return;
    if (head->template_id == KDP_TEMPLATE_DEFINITION) {
        const struct kdp_definition *def = record;

        /* of one that is a ticker alone nothing is kept: it is made of the ticker again */
        if (def->provisional != KDP_BOOL_YES || def->status != KDP_MARKET_STATUS_UNKNOWN ||
            def->open_ns != KDP_TIME_NULL || def->close_ns != KDP_TIME_NULL)
            definition_restore(plant, head->instrument, record);
    } else if (head->template_id == KDP_TEMPLATE_STATE) {
        const struct kdp_state *state = record;

        if (state->subject != KDP_SUBJECT_INSTRUMENT)
            return;
        item->before = state->state;
        item->waited = state->state != KDP_BOOK_STATE_CLOSED && state->reason != KDP_REASON_UNSUBSCRIBED;
        if (head->line != 0 && state->reason != KDP_REASON_DAY)
            item->before_line = head->line;
    } else if (head->template_id == KDP_TEMPLATE_BOOK_SNAPSHOT) {
        /* the day's snapshot alone says of a quiet book that it is live */
        const struct kdp_book_snapshot *snapshot = record;

        item->before = snapshot->book_state;
        item->waited = snapshot->book_state != KDP_BOOK_STATE_CLOSED;
        if (head->line != 0 && snapshot->reason != KDP_REASON_DAY)
            item->before_line = head->line;
    }
}

static void
forget(struct kdp_instrument *item)
{
    item->definition =
        NULL; /* its place is lost: a few bytes, and only where an older version wrote the START */
    item->definition_room = 0;
    item->before = KDP_BOOK_STATE_NONE;
    item->waited = false;
}

static void
take_up(struct kdp_plant *plant, uint32_t id)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    const struct kdp_definition *def = definition_of(item);

    switch ((enum kdp_book_state)item->before) {
    case KDP_BOOK_STATE_LIVE:
    case KDP_BOOK_STATE_RECOVERING:
    case KDP_BOOK_STATE_SAMPLED:
        market_announce(plant, id);
        market_put_state(plant, item, KDP_BOOK_STATE_STALE);
        item->not_live_ns = plant->now_ns;
        emit_state(plant, KDP_SUBJECT_INSTRUMENT, id, KDP_BOOK_STATE_STALE, KDP_REASON_RESTART, NULL, 0, 0,
                   (struct kdp_text){"", 0});
        break;
    case KDP_BOOK_STATE_STALE:
        market_put_state(plant, item, KDP_BOOK_STATE_STALE);
        item->not_live_ns = plant->now_ns;
        break;
    case KDP_BOOK_STATE_CLOSED:
        market_put_state(plant, item, KDP_BOOK_STATE_CLOSED);
        item->before = KDP_BOOK_STATE_NONE;
        break;
    default:
        item->before = KDP_BOOK_STATE_NONE;
        break;
    }
    if (def != NULL &&
        (def->status == KDP_MARKET_STATUS_DETERMINED || def->status == KDP_MARKET_STATUS_FINALIZED))
        market_final(plant, id);
    if (!item->waited) /* nobody is waiting for it */
        item->before = KDP_BOOK_STATE_NONE;
}

void
restart_input(struct kdp_plant *plant, const struct kdp_input_start *start)
{
    uint32_t max = kdp_instruments_max(plant->instruments);

    if ((start->flags & KDP_START_FRESH) == 0)
        plant->resumed_ns = start->last_ns;
    for (uint32_t id = 1; id <= max; id++) {
        struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        if (item->ticker == NULL)
            continue;
        if (plant->resumed_ns == KDP_TIME_NULL)
            forget(item);
        else
            take_up(plant, id);
    }
    gap_restart(plant);
    plant->started_ns = plant->resumed_ns != KDP_TIME_NULL ? plant->now_ns : KDP_TIME_NULL;
    if (plant->config.notice == NULL || plant->resumed_ns == KDP_TIME_NULL)
        return;
    for (uint32_t id = 1; id <= max; id++) {
        const struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        if (item->ticker != NULL && (item->definition != NULL || item->waited))
            tell_market(plant, id, NULL, false, item->waited && item->state != KDP_BOOK_STATE_CLOSED);
    }
}

/* The rules of this run may be others: a book that was live before and is not planned five minutes after the
 * start is nobody's, and keeps no gap open. */
void
restart_tick(struct kdp_plant *plant)
{
    uint32_t max = kdp_instruments_max(plant->instruments);

    if (plant->started_ns == KDP_TIME_NULL || !plant->planning ||
        plant->now_ns - plant->started_ns < PLAN_WAIT_NS)
        return;
    plant->started_ns = KDP_TIME_NULL;
    for (uint32_t id = 1; id <= max; id++) {
        struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        if (item->ever_planned)
            continue;
        item->before = KDP_BOOK_STATE_NONE;
        gap_book_done(plant, id, KDP_HEALED_BY_CLOSED);
    }
}
