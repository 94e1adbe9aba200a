/* frame.c - one frame: its sequence number, and which market what it says goes to.
 *
 * Order of work: decode, count its type, track its sequence number (a gap makes the subscription's books
 * stale and says so before anything else of the frame is looked at), apply, publish once.  A frame that is
 * not whole JSON is counted and changes nothing, so that the next number reveals what it took with it; a
 * frame that is whole but holds a value that cannot be represented uses up its number and makes the book it
 * speaks of stale. */
#include <string.h>

#include "plant_private.h"

#define REPEATS 32u /* so many one after the other are no repeats */

static void
count_type(struct kdp_plant *plant, struct kdp_text type)
{
    unsigned i;

    if (type.len == 0)
        return;
    for (i = 0; i < plant->type_count; i++)
        if (plant->types[i].len == type.len && memcmp(plant->types[i].name, type.data, type.len) == 0)
            break;
    if (i == plant->type_count) {
        if (i == TYPES_MAX || type.len >= sizeof plant->types[i].name) {
            type = (struct kdp_text){"other", 5}; /* what nobody sends is not worth a table without end */
            for (i = 0; i < plant->type_count; i++)
                if (plant->types[i].len == 5 && memcmp(plant->types[i].name, "other", 5) == 0)
                    break;
            if (i == TYPES_MAX)
                i = TYPES_MAX - 1;
        }
        if (i == plant->type_count) {
            memcpy(plant->types[i].name, type.data, type.len);
            plant->types[i].len = type.len;
            plant->type_count++;
        }
    }
    plant->types[i].count++;
    if (i > 0 &&
        plant->types[i].count > plant->types[i - 1].count) { /* busiest first: the search above stays short */
        __typeof__(plant->types[0]) swap = plant->types[i];

        plant->types[i] = plant->types[i - 1];
        plant->types[i - 1] = swap;
    }
}

static enum kdp_channel
channel_of(enum kdp_message_kind kind)
{
    switch (kind) {
    case KDP_MESSAGE_SNAPSHOT:
    case KDP_MESSAGE_DELTA:
        return KDP_CHANNEL_BOOK;
    case KDP_MESSAGE_TICKER:
        return KDP_CHANNEL_TICKER;
    case KDP_MESSAGE_TRADE:
        return KDP_CHANNEL_TRADE;
    case KDP_MESSAGE_LIFECYCLE:
    case KDP_MESSAGE_EVENT:
        return KDP_CHANNEL_LIFECYCLE;
    default:
        return KDP_CHANNEL_UNKNOWN;
    }
}

/* Gives the frame's subscription after its number was taken; false: the frame is to be dropped. */
static bool
track(struct kdp_plant *plant, const struct kdp_message *msg, struct kdp_sub **subp)
{
    uint16_t number = plant->input->line;
    struct kdp_line *line = kdp_lines_at(plant->lines, number);
    struct kdp_sub *sub;
    uint64_t expected;
    bool first;

    *subp = NULL;
    /* recordings may have left the sid out: what they hold of books is then one subscription */
    if (!msg->has_sid && msg->kind != KDP_MESSAGE_SNAPSHOT && msg->kind != KDP_MESSAGE_DELTA)
        return true;
    sub = kdp_sub_find(plant->lines, number, msg->has_sid ? msg->sid : 0);
    if (sub == NULL) {
        plant_count(plant, COUNT_POOL_FULL, 1);
        return false;
    }
    *subp = sub;
    if (sub->channel == KDP_CHANNEL_UNKNOWN)
        sub->channel = (uint8_t)channel_of(msg->kind);
    if (!msg->has_seq)
        return true;
    first = !sub->started;
    switch (kdp_sub_track(line, sub, msg->seq, msg->kind == KDP_MESSAGE_SNAPSHOT, &expected)) {
    case KDP_SEQ_NEXT:
        sub->repeats = 0;
        return true;
    case KDP_SEQ_GAP:
        sub->repeats = 0;
        gap_sequence(plant, sub, expected, msg->seq);
        if (first && line->marked)
            tell_gap(plant, KDP_NOTICE_BAD_FIRST, sub, expected, msg->seq);
        return true;
    case KDP_SEQ_RESTART: { /* a recording without connection marks was made over several connections */
        uint8_t leg = line->leg;

        line_up(plant, number, false, 0, (struct kdp_text){"", 0});
        line->leg = leg;
        sub = kdp_sub_find(plant->lines, number, msg->has_sid ? msg->sid : 0);
        if (sub == NULL)
            return false;
        kdp_sub_track(line, sub, msg->seq, true, &expected);
        sub->channel = (uint8_t)channel_of(msg->kind);
        *subp = sub;
        return true;
    }
    case KDP_SEQ_DUPLICATE:
    default:
        plant->totals.duplicates++;
        plant_count(plant, COUNT_DUPLICATES, 1);
        /* its numbers began anew, or one of them was far too high: all that follows would be dropped */
        if (line->marked && ++sub->repeats % REPEATS == 0)
            tell_gap(plant, KDP_NOTICE_REPEATS, sub, expected, msg->seq);
        return false;
    }
}

static void
on_refused(struct kdp_plant *plant, const char *frame, const struct kdp_message *msg, struct kdp_sub *sub)
{
    uint32_t id;

    plant->totals.malformed++;
    plant_count(plant, COUNT_MALFORMED, 1);
    if (plant->config.rejected != NULL)
        plant->config.rejected(plant->config.rejected_arg, plant->input, frame, msg);
    if (sub == NULL)
        return;
    if (msg->kind == KDP_MESSAGE_UNKNOWN) { /* its type cannot be told: it may have been a change */
        market_all_stale(plant, sub, KDP_REASON_MALFORMED, msg->seq, msg->seq);
        return;
    }
    if (msg->kind != KDP_MESSAGE_DELTA && msg->kind != KDP_MESSAGE_SNAPSHOT)
        return;
    id = kdp_instruments_find(plant->instruments, msg->market_ticker);
    if (id == 0) /* we cannot tell whose change was lost */
        market_all_stale(plant, sub, KDP_REASON_MALFORMED, msg->seq, msg->seq);
    else if (kdp_instruments_at(plant->instruments, id)->state == KDP_BOOK_STATE_CLOSED)
        kdp_instruments_at(plant->instruments, id)->holed = true;
    else if (kdp_instruments_at(plant->instruments, id)->state == KDP_BOOK_STATE_LIVE)
        market_state(plant, id, KDP_BOOK_STATE_STALE, KDP_REASON_MALFORMED, sub, msg->seq, msg->seq);
}

/* The list of an ok reply is the whole set after the change: what is not in it any more gets no changes from
 * now on. */
struct still_in {
    struct kdp_plant *plant;
    uint32_t sub; /* index + 1 */
    uint32_t kept;
};

static bool
keep_listed(void *arg, struct kdp_text ticker)
{
    struct still_in *in = arg;
    uint32_t id = kdp_instruments_find(in->plant->instruments, ticker);

    struct kdp_instrument *item = id != 0 ? kdp_instruments_at(in->plant->instruments, id) : NULL;

    if (item != NULL && item->sub == in->sub && item->listed != in->plant->lists) {
        item->listed = in->plant->lists;
        in->kept++;
    }
    return true;
}

static void
on_ok(struct kdp_plant *plant, struct kdp_sub *sub, const struct kdp_message *msg, const char *frame,
      size_t len)
{
    struct still_in in = {plant, 0, 0};

    if (sub == NULL || sub->channel != KDP_CHANNEL_BOOK || msg->ok.count == 0 || sub->books == 0)
        return;
    in.sub = kdp_sub_index(plant->lines, sub) + 1;
    plant->lists++;
    kdpi_message_tickers(frame, len, keep_listed, &in);
    if (in.kept == sub->books)
        return; /* the common case: something was added */
    for (uint32_t id = sub->first_instrument, next; id != 0; id = next) {
        const struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);

        next = item->next;
        if (item->listed != plant->lists)
            market_leave(plant, id, sub, msg->seq);
    }
}

void
frame_input(struct kdp_plant *plant, const char *frame, size_t len)
{
    struct kdp_line *line = kdp_lines_at(plant->lines, plant->input->line);
    enum kdp_channel channel;
    struct kdp_message msg;
    struct kdp_sub *sub;

    if (!line->connected) /* where connections are marked, one whose mark is missing is a new one all the same
                           */
        line_up(plant, plant->input->line, line->marked && (plant->input->flags & KDP_INPUT_BARE) == 0, 0,
                (struct kdp_text){"", 0});
    plant->totals.frames++;
    plant_count(plant, COUNT_FRAMES, 1);
    kdpi_decode(plant->decoder, frame, len, &msg);
    if (!msg.trusted) {
        on_refused(plant, frame, &msg, NULL);
        return;
    }
    count_type(plant, msg.type);
    plant_count(plant, COUNT_UNKNOWN_MEMBERS, msg.unknown_members);
    if (!track(plant, &msg, &sub))
        return;
    if (msg.refusal != KDP_REFUSAL_NONE) {
        on_refused(plant, frame, &msg, sub);
        return;
    }
    channel =
        sub != NULL ? (enum kdp_channel)sub->channel : KDP_CHANNEL_UNKNOWN; /* of a reply that may end it */
    switch (msg.kind) {
    case KDP_MESSAGE_DELTA:
        if (sub != NULL)
            market_delta(plant, sub, &msg);
        break;
    case KDP_MESSAGE_SNAPSHOT:
        if (sub != NULL)
            market_snapshot(plant, sub, &msg);
        break;
    case KDP_MESSAGE_TRADE:
        tell_trade(plant, &msg);
        market_trade(plant, &msg);
        break;
    case KDP_MESSAGE_TICKER:
        market_ticker(plant, &msg);
        break;
    case KDP_MESSAGE_LIFECYCLE:
        market_lifecycle(plant, &msg);
        break;
    case KDP_MESSAGE_EVENT:
        market_event(plant, &msg);
        break;
    case KDP_MESSAGE_SUBSCRIBED:
        if (sub != NULL) {
            sub->announced = true;
            sub->channel = (uint8_t)kdpi_channel_of(msg.subscribed.channel.data, msg.subscribed.channel.len);
            if (sub->channel == KDP_CHANNEL_BOOK)
                sub->leg = (uint8_t)kdp_line_reply_leg(line, msg.has_id, msg.id);
            if (sub->channel == KDP_CHANNEL_TRADE)
                gap_trades_resumed(plant, sub);
        }
        tell_reply(plant, KDP_NOTICE_SUBSCRIBED, &msg, sub != NULL ? sub->channel : KDP_CHANNEL_UNKNOWN);
        break;
    case KDP_MESSAGE_OK:
        on_ok(plant, sub, &msg, frame, len);
        tell_reply(plant, KDP_NOTICE_OK, &msg, channel);
        break;
    case KDP_MESSAGE_UNSUBSCRIBED:
        if (sub != NULL)
            sub_ends(plant, sub, KDP_REASON_UNSUBSCRIBED, msg.seq);
        tell_reply(plant, KDP_NOTICE_UNSUBSCRIBED, &msg, channel);
        break;
    case KDP_MESSAGE_ERROR: /* 25 and 10 end the subscription, docs/exchange.md 4.3 */
        if (sub != NULL && (msg.error.code == 25 || msg.error.code == 10))
            sub_ends(plant, sub, msg.error.code == 25 ? KDP_REASON_OVERFLOW : KDP_REASON_CHANNEL_ERROR,
                     msg.seq);
        tell_reply(plant, KDP_NOTICE_ERROR, &msg, channel);
        break;
    case KDP_MESSAGE_COMMAND:
        if (msg.command.books)
            kdp_line_command(line, msg.has_id ? msg.id : 0,
                             msg.command.use_yes_price < 0   ? KDP_LEG_UNSAID
                             : msg.command.use_yes_price > 0 ? KDP_LEG_YES
                                                             : KDP_LEG_NO);
        break;
    case KDP_MESSAGE_UNKNOWN:
        plant->totals.unknown_types++;
        plant_count(plant, COUNT_UNKNOWN_TYPES, 1);
        break;
    case KDP_MESSAGE_OK_LIST:
    case KDP_MESSAGE_KINDS:
        break;
    }
}
