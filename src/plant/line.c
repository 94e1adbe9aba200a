/* line.c - connections and subscriptions as they begin and end. */
#include <string.h>

#include "plant_private.h"

void
line_down(struct kdp_plant *plant, uint16_t number, enum kdp_reason reason)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, number);
    struct kdp_sub *sub;
    uint32_t hit = 0;

    for (uint32_t index = line->first_sub; index != 0; index = sub->line_next) {
        sub = kdp_sub_at(plant->lines, index - 1);
        hit += market_all_stale(plant, sub, reason, sub->started ? sub->last + 1 : 0, 0);
    }
    if (line->marked && reason != KDP_REASON_INPUT && reason != KDP_REASON_RESTART)
        gap_line_down(plant, line, hit);
    while (line->first_sub != 0) {
        sub = kdp_sub_at(plant->lines, line->first_sub - 1);
        gap_sub_ends(plant, sub, KDP_HEALED_BY_RECONNECT);
        market_disown_all(plant, sub);
        kdp_sub_free(plant->lines, sub);
    }
    line->connected = false;
}

void
line_up(struct kdp_plant *plant, uint16_t number, bool marked, uint32_t epoch, struct kdp_text url)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, number);

    if (line->connected)
        line_down(plant, number, KDP_REASON_DISCONNECTED);
    line->epoch = epoch > line->epoch ? epoch : line->epoch + 1;
    line->connected = true;
    line->marked = marked;
    line->leg = KDP_LEG_UNSAID;
    memset(line->pending, 0, sizeof line->pending);
    plant->totals.connections++;
    emit_state(plant, KDP_SUBJECT_LINE, 0, KDP_BOOK_STATE_LIVE, KDP_REASON_CONNECTED, NULL, 0, 0, url);
    if (marked)
        gap_line_up(plant, line, number);
}

void
sub_ends(struct kdp_plant *plant, struct kdp_sub *sub, enum kdp_reason reason, uint64_t seq)
{
    market_all_stale(plant, sub, reason, seq, 0);
    gap_sub_ends(plant, sub, KDP_HEALED_BY_RESUBSCRIBE);
    market_disown_all(plant, sub);
    kdp_sub_free(plant->lines, sub);
}
