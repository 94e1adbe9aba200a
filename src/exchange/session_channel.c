/* session_channel.c - subscriptions for trades, tickers and lifecycle, all on line 1. */
#include <string.h>

#include "error.h"
#include "session_private.h"

#define REPLY_WAIT (5 * SECOND)
#define REPLY_TRIES 3u
#define UNKNOWN_WAIT (60 * SECOND) /* a channel the exchange does not know is asked for again */

static uint16_t
flag_of(enum chan chan)
{
    return chan == CHAN_TRADE ? MARKET_TRADE : chan == CHAN_TICKER ? MARKET_TICKER : 0;
}

static bool
by_name(const struct kdp_session *s, enum chan chan)
{
    return (chan == CHAN_TRADE || chan == CHAN_TICKER) && !s->all && !s->lines[1].subs[chan].all;
}

static bool
wanted(const struct kdp_session *s, enum chan chan)
{
    return chan != CHAN_MULTI || s->all || s->rules.rules.combos;
}

void
channel_plan(struct kdp_session *s, struct market *m)
{
    for (enum chan chan = CHAN_TRADE; chan <= CHAN_TICKER; chan++)
        if (by_name(s, chan) && (m->flags & flag_of(chan)) == 0)
            fifo_put(s, &s->lines[1].subs[chan].add, market_slot(s, m));
}

void
channel_unplan(struct kdp_session *s, struct market *m)
{
    for (enum chan chan = CHAN_TRADE; chan <= CHAN_TICKER; chan++)
        if ((m->flags & flag_of(chan)) != 0)
            fifo_put(s, &s->lines[1].subs[chan].drop, market_slot(s, m));
}

/* Nothing is subscribed any more: the list is made anew from what is planned. */
void
channel_lost(struct kdp_session *s, uint16_t at, enum chan chan)
{
    struct sub *sub = &s->lines[at].subs[chan];
    uint16_t flag = flag_of(chan);
    uint32_t slot;

    if (flag == 0)
        return;
    while (fifo_take(&sub->add, &slot))
        ;
    while (fifo_take(&sub->drop, &slot))
        ;
    for (slot = 1; slot < s->slots; slot++) {
        struct market *m = market_at(s, slot);

        if (m->instrument == 0)
            continue;
        m->flags &= (uint16_t)~flag;
        if ((m->flags & MARKET_PLANNED) == 0)
            market_release(s, m);
        else if (by_name(s, chan))
            fifo_put(s, &sub->add, slot);
    }
}

static void
mark(struct kdp_session *s, struct market *m, uint16_t flag, bool in)
{
    if (in) {
        m->flags |= flag;
    } else {
        m->flags &= (uint16_t)~flag;
        market_release(s, m);
    }
}

/* list writes the tickers of one command from a queue: those that still are to be added, or deleted. */
static uint32_t
list(struct kdp_session *s, uint16_t at, enum chan chan, enum command_kind kind)
{
    struct sub *sub = &s->lines[at].subs[chan];
    struct fifo *fifo = kind == COMMAND_DELETE ? &sub->drop : &sub->add;
    uint16_t flag = flag_of(chan);
    uint32_t count = 0, slot;

    while (count < s->config.subscribe_batch && fifo_take(fifo, &slot)) {
        struct market *m = market_at(s, slot);
        bool in = (m->flags & flag) != 0, planned = (m->flags & MARKET_PLANNED) != 0;

        if (m->instrument == 0 || planned == in || planned != (kind != COMMAND_DELETE))
            continue;
        if (count == 0) {
            sub->cmd = command_begin(s, at, kind, chan);
            if (kind == COMMAND_SUBSCRIBE && chan == CHAN_TICKER)
                out_format(s, ",\"send_initial_snapshot\":true");
        }
        if (!command_ticker(s, m, &count)) {
            fifo_put(s, fifo, slot);
            break;
        }
        mark(s, m, flag, planned);
    }
    return count;
}

static bool
subscribe(struct kdp_session *s, uint16_t at, enum chan chan, struct kdp_action *action)
{
    struct sub *sub = &s->lines[at].subs[chan];
    uint32_t count = 0;

    if (!wanted(s, chan) || (by_name(s, chan) && sub->add.count == 0) || !command_may(s, at))
        return false;
    if (by_name(s, chan)) {
        count = list(s, at, chan, COMMAND_SUBSCRIBE); /* an empty list would subscribe to everything */
        if (count == 0)
            return false;
    } else {
        sub->cmd = command_begin(s, at, COMMAND_SUBSCRIBE, chan);
    }
    sub->members = count;
    sub->state = SUB_ASKED;
    sub->at_ns = s->mono;
    sub->tries++;
    return command_end(s, at, count, action);
}

static bool
unsubscribe(struct kdp_session *s, uint16_t at, enum chan chan, struct kdp_action *action)
{
    struct sub *sub = &s->lines[at].subs[chan];

    if (!command_may(s, at))
        return false;
    sub->cmd = command_begin(s, at, COMMAND_UNSUBSCRIBE, chan);
    sub->state = SUB_ENDING;
    sub->at_ns = s->mono;
    return command_end(s, at, 0, action);
}

static bool
update(struct kdp_session *s, uint16_t at, enum chan chan, struct kdp_action *action)
{
    struct sub *sub = &s->lines[at].subs[chan];
    uint16_t flag = flag_of(chan);
    uint32_t count = 0, slot;
    size_t left = 0;

    if (!wanted(s, chan) || (sub->relearn && !sub->ending_said)) {
        sub->ending_said = true;
        return unsubscribe(s, at, chan, action);
    }
    if (!by_name(s, chan))
        return false;
    if (sub->add.count > 0 && command_may(s, at) && (count = list(s, at, chan, COMMAND_ADD)) > 0) {
        sub->members += count;
        return command_end(s, at, count, action);
    }
    if (sub->drop.count == 0 || !command_may(s, at))
        return false;
    for (size_t i = 0; i < sub->drop.count; i++) {
        const struct market *m = market_at(s, sub->drop.at[sub->drop.first + i]);

        left += (m->flags & (flag | MARKET_PLANNED)) == flag;
    }
    if (left > 0 &&
        left >= sub->members) { /* the last ones: an empty subscription would be one of everything */
        while (fifo_take(&sub->drop, &slot))
            if ((market_at(s, slot)->flags & (flag | MARKET_PLANNED)) == flag)
                mark(s, market_at(s, slot), flag, false);
        sub->members = 0;
        return unsubscribe(s, at, chan, action);
    }
    if ((count = list(s, at, chan, COMMAND_DELETE)) == 0)
        return false;
    sub->members -= count < sub->members ? count : sub->members;
    return command_end(s, at, count, action);
}

static bool
one(struct kdp_session *s, uint16_t at, enum chan chan, struct kdp_action *action)
{
    struct sub *sub = &s->lines[at].subs[chan];

    switch (sub->state) {
    case SUB_ON:
        return update(s, at, chan, action);
    case SUB_ASKED:
        if (s->mono < sub->at_ns + REPLY_WAIT) {
            session_wake(s, sub->at_ns + REPLY_WAIT);
            return false;
        }
        if (sub->tries >= REPLY_TRIES) {
            sub->tries = 0;
            line_reconnect(s, at, "subscribe to %s unanswered", chan_name(chan));
            return false;
        }
        sub_ended(s, at, chan, 0);
        break;
    case SUB_ENDING:
        if (s->mono < sub->at_ns + REPLY_WAIT) {
            session_wake(s, sub->at_ns + REPLY_WAIT);
            return false;
        }
        sub_ended(s, at, chan, 0);
        break;
    case SUB_LATER:
        if (s->mono < sub->at_ns) {
            session_wake(s, sub->at_ns);
            return false;
        }
        sub->state = SUB_OFF;
        break;
    default:
        break;
    }
    sub->relearn = sub->ending_said = false;
    return subscribe(s, at, chan, action);
}

bool
channel_work(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    if (at != 1)
        return false;
    for (enum chan chan = CHAN_TRADE; chan <= CHAN_MULTI; chan++)
        if (one(s, at, chan, action))
            return true;
    return false;
}

void
channel_refused(struct kdp_session *s, uint16_t at, const struct sent *sent, int64_t code)
{
    enum chan chan = (enum chan)sent->chan;
    struct sub *sub = &s->lines[at].subs[chan];

    if (code == 26 && by_name(s, chan)) {
        /* more markets than one subscription may name: all of them then, which has no list */
        session_say(s, KDP_ACTION_NOTICE, "", "%s: too many markets for a list: subscribing to all",
                    chan_name(chan));
        sub->all = true;
        if (sub->state == SUB_ON)
            sub->relearn = true; /* ended first: a subscribe would only be merged into it */
        else
            sub_ended(s, at, chan, session_jitter(s, s->config.backoff_min_ns));
        return;
    }
    if (code == 27) {
        if (sub->state == SUB_ENDING)
            sub->state = SUB_ON;
        else if (sub->state == SUB_ASKED)
            sub_ended(s, at, chan, session_jitter(s, s->config.backoff_min_ns));
        else if (sub->state == SUB_ON && sent->kind != COMMAND_UNSUBSCRIBE)
            sub->relearn = true; /* which of its markets it has is not known: it is made anew */
        return;
    }
    if (sent->kind == COMMAND_SUBSCRIBE && sub->state == SUB_ASKED)
        sub_ended(s, at, chan, session_jitter(s, UNKNOWN_WAIT));
}

/* Other rules: a subscription to all becomes one by name, or the other way round. */
void
channel_rules(struct kdp_session *s)
{
    for (enum chan chan = CHAN_TRADE; chan <= CHAN_TICKER; chan++) {
        struct sub *sub = &s->lines[1].subs[chan];

        sub->all = false;
        if (sub->state == SUB_ON || sub->state == SUB_ASKED)
            sub->relearn = true;
        else
            channel_lost(s, 1, chan);
    }
    s->dirty = true;
}
