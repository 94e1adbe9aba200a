/* session_books.c - the subscription for books of each line, and the ladder that heals what is not live. */
#include <string.h>

#include "error.h"
#include "session_private.h"

#define SUBSCRIBE_WAIT (5 * SECOND) /* for the reply of a subscribe, or any data of it */
#define SUBSCRIBE_TRIES 3u
#define REFUSED_WAIT (60 * SECOND)
#define UNSUBSCRIBE_WAIT (2 * SECOND)
#define ADDS_OUT 4u
#define SNAP_TRIES 3u           /* one get_snapshot and two repeats */
#define SLOW_WAIT (30 * SECOND) /* until what nothing healed is asked for again */
#define FEW 3u       /* so many stubborn books are never a reason to give up a subscription with a live one */
#define BATCH_MIN 8u /* error 26 is narrowed down to so many */
/* An ok reply names all markets of the subscription: 1.5 MB of 50,000.  Above LIST_LONG of them changes of less than a batch
 * wait for each other, by LIST_COST for each: new markets of a whole exchange half a second, those of some series not at all. */
#define LIST_LONG 1000u
#define LIST_COST (SECOND / 100000)

static uint32_t
batch_of(const struct kdp_session *s, const struct line *line)
{
    uint32_t batch = line->batch != 0 ? line->batch : s->config.subscribe_batch;
    uint32_t room;

    if (line->split != 0 && line->split < batch)
        batch = line->split;
    room = line->cap > line->subs[CHAN_BOOK].members ? line->cap - line->subs[CHAN_BOOK].members : 0;

    return line->cap != 0 && room < batch ? room : batch;
}

/* Markets whose snapshots are still to come: more are asked for when these are answered. */
static uint32_t
room_to_ask(const struct kdp_session *s, const struct line *line)
{
    uint32_t most = 4 * s->config.subscribe_batch;

    return line->lists[LIST_WAIT].count < most ? most - line->lists[LIST_WAIT].count : 0;
}

static void
asked(struct kdp_session *s, struct market *m)
{
    m->asked_ns = s->mono;
    list_put(s, m, LIST_WAIT);
}

static bool
too_soon(struct kdp_session *s, const struct line *line)
{
    uint32_t members = line->subs[CHAN_BOOK].members;
    int64_t at = line->listed_ns + (int64_t)members * LIST_COST;

    if (members <= LIST_LONG || s->mono >= at)
        return false;
    session_wake(s, at);
    return true;
}

/* ---- commands ---- */

static bool
subscribe(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[CHAN_BOOK];
    bool first = sub->state != SUB_ON;
    uint32_t most = batch_of(s, line), batch = most, count = 0, id;

    if (most > room_to_ask(s, line))
        most = room_to_ask(s, line);
    if (most == 0 || line->lists[LIST_ADD].count == 0)
        return false;
    if (!first && (most < batch || line->lists[LIST_ADD].count < batch) && too_soon(s, line))
        return false;
    if (!command_may(s, at))
        return false;
    id = command_begin(s, at, first ? COMMAND_SUBSCRIBE : COMMAND_ADD, CHAN_BOOK);
    while (count < most && line->lists[LIST_ADD].count > 0) {
        struct market *m = market_at(s, line->lists[LIST_ADD].head);

        if (!command_ticker(s, m, &count))
            break;
        m->flags |= MARKET_MEMBER;
        m->add_cmd = id;
        asked(s, m);
    }
    sub->members += count;
    if (first) {
        sub->state = SUB_ASKED;
        sub->relearn = false;
        sub->at_ns = s->mono;
        sub->cmd = id;
        sub->tries++;
    } else {
        line->adds_out++;
        line->listed_ns = s->mono;
    }
    return command_end(s, at, count, action);
}

static bool
snapshots(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    uint32_t most = s->config.snapshot_batch, count = 0, id;

    if (line->lists[LIST_SNAP].count == 0 || room_to_ask(s, line) == 0 || !command_may(s, at))
        return false;
    id = command_begin(s, at, COMMAND_SNAP, CHAN_BOOK);
    while (count < most && line->lists[LIST_SNAP].count > 0) {
        struct market *m = market_at(s, line->lists[LIST_SNAP].head);

        if (!command_ticker(s, m, &count))
            break;
        if (m->asks < UINT8_MAX)
            m->asks++;
        if (m->book == KDP_BOOK_STATE_STALE && (m->flags & MARKET_RECOVERING) == 0) {
            m->flags |= MARKET_RECOVERING;
            fifo_put(s, &s->recovering, market_slot(s, m));
        }
        m->snap_cmd = id;
        asked(s, m);
    }
    return command_end(s, at, count, action);
}

static bool
unsubscribe(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct sub *sub = &s->lines[at].subs[CHAN_BOOK];

    sub->cmd = command_begin(s, at, COMMAND_UNSUBSCRIBE, CHAN_BOOK);
    sub->state = SUB_ENDING;
    sub->relearn = false;
    sub->at_ns = s->mono;
    session_wake(s, s->mono + UNSUBSCRIBE_WAIT);
    return command_end(s, at, 0, action);
}

/* What is no longer carried here: the entry still counts when its flag does. */
static bool
drop_counts(const struct market *m, uint16_t at)
{
    return ((m->flags & MARKET_DROP) != 0 && m->line == at) ||
           ((m->flags & MARKET_FROM_DROP) != 0 && m->from_line == at);
}

static void
dropped(struct kdp_session *s, struct market *m, uint16_t at)
{
    if ((m->flags & MARKET_FROM_DROP) != 0 && m->from_line == at) {
        m->flags &= (uint16_t)~MARKET_FROM_DROP;
        m->from_line = 0;
    }
    if ((m->flags & MARKET_DROP) != 0 && m->line == at) {
        m->flags &= (uint16_t) ~(MARKET_DROP | MARKET_MEMBER);
        m->line = 0;
        m->book = KDP_BOOK_STATE_NONE;
    }
    market_release(s, m);
}

/* Never the last market of a subscription: that is unsubscribed. */
static bool
drop(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[CHAN_BOOK];
    uint32_t count = 0, slot;
    size_t left = 0;

    if (line->drop.count == 0 || (line->drop.count < s->config.subscribe_batch && too_soon(s, line)) ||
        !command_may(s, at))
        return false;
    for (size_t i = 0; i < line->drop.count; i++)
        left += drop_counts(market_at(s, line->drop.at[line->drop.first + i]), at);
    if (left >= sub->members && left > 0) {
        while (fifo_take(&line->drop, &slot))
            if (drop_counts(market_at(s, slot), at))
                dropped(s, market_at(s, slot), at);
        return unsubscribe(s, at, action);
    }
    while (count < s->config.subscribe_batch && fifo_take(&line->drop, &slot)) {
        struct market *m = market_at(s, slot);

        if (!drop_counts(m, at))
            continue;
        if (count == 0)
            command_begin(s, at, COMMAND_DELETE, CHAN_BOOK);
        if (!command_ticker(s, m, &count)) {
            fifo_put(s, &line->drop, slot);
            break;
        }
        dropped(s, m, at);
    }
    if (count == 0)
        return false;
    sub->members -= count < sub->members ? count : sub->members;
    line->listed_ns = s->mono;
    return command_end(s, at, count, action);
}

/* ---- the ladder ---- */

static bool
overdue(struct kdp_session *s, const struct line *line, const struct market *m)
{
    int64_t wait = s->config.snapshot_wait_ns, at = m->asked_ns + wait;

    if (s->mono < at) {
        session_wake(s, at);
        return false;
    }
    /* while the answers of a big batch are still coming in, asking again would only make it longer */
    if (line->progress_ns + wait > s->mono && line->answered_ns <= m->asked_ns &&
        s->mono < m->asked_ns + 5 * wait) {
        session_wake(s, line->progress_ns + wait);
        return false;
    }
    return true;
}

static void
look_at_waiting(struct kdp_session *s, uint16_t at)
{
    struct line *line = &s->lines[at];

    while (line->lists[LIST_WAIT].count > 0) {
        struct market *m = market_at(s, line->lists[LIST_WAIT].head);

        if (!overdue(s, line, m))
            break;
        list_put(s, m, m->asks < SNAP_TRIES ? LIST_SNAP : LIST_STUCK);
    }
    while (line->lists[LIST_SLOW].count > 0) {
        struct market *m = market_at(s, line->lists[LIST_SLOW].head);

        if (m->asked_ns + SLOW_WAIT > s->mono) {
            session_wake(s, m->asked_ns + SLOW_WAIT);
            break;
        }
        m->asks = SNAP_TRIES - 1;
        list_put(s, m, (m->flags & MARKET_MEMBER) != 0 ? LIST_SNAP : LIST_ADD);
    }
}

static void
want_rest(struct kdp_session *s, struct market *m)
{
    if ((m->flags & MARKET_REST) == 0) {
        m->flags |= MARKET_REST;
        s->rest_books++;
    }
    m->asked_ns = s->mono;
    list_put(s, m, LIST_SLOW);
}

/* One market alone: out of the subscription and in again, then its book over REST. */
static bool
single_step(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[CHAN_BOOK];
    uint32_t count = 0;

    for (uint32_t slot = line->lists[LIST_STUCK].head, next; slot != 0; slot = next) {
        struct market *m = market_at(s, slot);

        next = m->next;
        if (m->rung > 0)
            want_rest(s, m);
    }
    if (line->lists[LIST_STUCK].count == 0 || !command_may(s, at))
        return false;
    command_begin(s, at, COMMAND_DELETE, CHAN_BOOK);
    while (line->lists[LIST_STUCK].count > 0 && count < s->config.subscribe_batch &&
           count + 1 < sub->members) {
        struct market *m = market_at(s, line->lists[LIST_STUCK].head);

        if (!command_ticker(s, m, &count))
            break;
        m->rung = 1;
        m->asks = SNAP_TRIES - 1;
        m->flags &= (uint16_t)~MARKET_MEMBER;
        list_put(s, m, LIST_ADD);
    }
    sub->members -= count;
    if (count == 0) { /* nothing else is in it */
        line->next_id--;
        return unsubscribe(s, at, action);
    }
    return command_end(s, at, count, action);
}

static bool
few(const struct line *line, uint32_t count)
{
    return line->live > 0 && (count <= FEW || (uint64_t)count * 20 < line->subs[CHAN_BOOK].members);
}

static bool
climb(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    uint32_t stuck = line->lists[LIST_STUCK].count;

    if (stuck == 0)
        return false;
    if (few(line, stuck))
        return single_step(s, at, action);
    if (line->rung == 0) {
        if (!command_may(s, at))
            return false;
        line->rung = 1;
        session_say(s, KDP_ACTION_NOTICE, "", "connection %u: %u books unanswered: subscribing anew", at,
                    stuck);
        return unsubscribe(s, at, action);
    }
    if (line->rung == 1) {
        line->rung = 2;
        line_reconnect(s, at, "%u books unanswered", stuck);
        return false;
    }
    while (line->lists[LIST_STUCK].count > 0)
        want_rest(s, market_at(s, line->lists[LIST_STUCK].head));
    return false;
}

bool
books_work(struct kdp_session *s, uint16_t at, struct kdp_action *action)
{
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[CHAN_BOOK];

    switch (sub->state) {
    case SUB_LATER:
        if (s->mono < sub->at_ns) {
            session_wake(s, sub->at_ns);
            return false;
        }
        sub->state = SUB_OFF;
        return subscribe(s, at, action);
    case SUB_OFF:
        return subscribe(s, at, action);
    case SUB_ASKED:
        if (s->mono < sub->at_ns + SUBSCRIBE_WAIT) {
            session_wake(s, sub->at_ns + SUBSCRIBE_WAIT);
            return false;
        }
        if (sub->tries >= SUBSCRIBE_TRIES) {
            sub->tries = 0;
            line_reconnect(s, at, "subscribe unanswered");
            return false;
        }
        sub_ended(s, at, CHAN_BOOK, 0);
        return subscribe(s, at, action);
    case SUB_ENDING:
        if (s->mono < sub->at_ns + UNSUBSCRIBE_WAIT) {
            session_wake(s, sub->at_ns + UNSUBSCRIBE_WAIT);
            return false;
        }
        sub_ended(s, at, CHAN_BOOK, 0);
        return subscribe(s, at, action);
    default:
        break;
    }
    if (sub->relearn)
        return command_may(s, at) && unsubscribe(s, at, action);
    look_at_waiting(s, at);
    if (line->lists[LIST_ADD].count + line->lists[LIST_SNAP].count + line->lists[LIST_WAIT].count +
                line->lists[LIST_STUCK].count ==
            0 &&
        (line->lists[LIST_SLOW].count == 0 || few(line, line->lists[LIST_SLOW].count)))
        line->rung = 0; /* single ones that nothing heals must not keep all others off the ladder */
    if (snapshots(s, at, action) || climb(s, at, action))
        return true;
    if (line->adds_out >= ADDS_OUT) { /* a lost reply is not waited for longer than this */
        if (s->mono < line->sent[line->next_id % COMMANDS_KEPT].at_ns + SUBSCRIBE_WAIT) {
            session_wake(s, line->sent[line->next_id % COMMANDS_KEPT].at_ns + SUBSCRIBE_WAIT);
            return drop(s, at, action);
        }
        line->adds_out = 0;
    }
    return subscribe(s, at, action) || drop(s, at, action);
}

/* ---- what happened ---- */

static void
answered(struct kdp_session *s, struct market *m, struct line *line)
{
    line->progress_ns = s->mono;
    if (m->list == LIST_WAIT && m->asked_ns > line->answered_ns)
        line->answered_ns = m->asked_ns;
    if (m->list != LIST_ADD)
        list_out(s, m);
    m->asks = m->rung = 0;
    m->add_cmd = m->snap_cmd = 0;
    if ((m->flags & MARKET_REST) != 0) {
        m->flags &= (uint16_t)~MARKET_REST;
        s->rest_books--;
    }
    m->flags &= (uint16_t)~MARKET_RECOVERING;
    if (m->from_line != 0 && (m->flags & MARKET_FROM_DROP) == 0) {
        m->flags |= MARKET_FROM_DROP;
        fifo_put(s, &s->lines[m->from_line].drop, market_slot(s, m));
    }
}

static void
snapshot(struct kdp_session *s, struct market *m, const struct kdp_notice *notice)
{
    struct line *line;
    struct sub *sub;

    if (notice->line == 0 || notice->line > s->line_count)
        return;
    line = &s->lines[notice->line];
    sub = &line->subs[CHAN_BOOK];
    if (line->state != LINE_UP)
        return;
    sub_on(s, notice->line, CHAN_BOOK, notice->sid); /* data may overtake the reply, or stand for it */
    if (sub->sid != notice->sid)
        return;
    if (m->line == notice->line && (m->flags & MARKET_MEMBER) != 0)
        answered(s, m, line);
    else if (m->line != notice->line && m->from_line == 0 && m->line != 0)
        m->from_line = notice->line; /* it came after all where it was given up */
}

void
books_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    struct market *m = market_find(s, notice->instrument);
    uint8_t was;

    if (m == NULL || (m->flags & MARKET_PLANNED) == 0)
        return;
    was = m->book;
    s->dirty = true;
    place_book(s, m, notice->book.state);
    if (notice->book.snapshot && notice->book.owner)
        snapshot(s, m, notice);
    if (m->line == 0 || (m->flags & MARKET_MEMBER) == 0)
        return;
    if (m->book == KDP_BOOK_STATE_CLOSED) {
        if (m->list != LIST_ADD)
            list_out(s, m); /* a closed market is not waited for */
        m->asks = m->rung = 0;
    } else if (m->book == KDP_BOOK_STATE_STALE && was != KDP_BOOK_STATE_STALE &&
               (m->list == LIST_NONE || m->list == LIST_SLOW)) {
        m->asks = m->rung = 0;
        /* a book that goes stale again at once is asked for at the pace of an unanswered one */
        list_put(s, m, m->asked_ns != 0 && s->mono - m->asked_ns < SECOND ? LIST_WAIT : LIST_SNAP);
    }
}

/* A hole in the subscription: what went stale by it is asked for at once (each was told before), and so are the few
 * whose snapshot may have been in the hole. */
void
books_gap(struct kdp_session *s, uint16_t at)
{
    struct line *line;
    struct list *wait;

    if (at == 0 || at > s->line_count)
        return;
    line = &s->lines[at];
    wait = &line->lists[LIST_WAIT];
    if (line->state != LINE_UP || line->subs[CHAN_BOOK].state != SUB_ON ||
        wait->count > s->config.snapshot_batch)
        return;
    while (wait->count > 0)
        list_put(s, market_at(s, wait->head), LIST_SNAP);
}

/* The subscription is gone, with or without its line: everything of it is to be added anew. */
void
books_lost(struct kdp_session *s, uint16_t at)
{
    struct line *line = &s->lines[at];
    uint32_t slot;

    line->answered_ns = 0;
    while (fifo_take(&line->drop, &slot))
        if (drop_counts(market_at(s, slot), at))
            dropped(s, market_at(s, slot), at);
    for (slot = 1; slot < s->slots; slot++) {
        struct market *m = market_at(s, slot);

        if (m->instrument == 0)
            continue;
        if (m->from_line == at)
            m->from_line = 0;
        if (m->line != at || (m->flags & MARKET_MEMBER) == 0)
            continue;
        m->flags &= (uint16_t)~MARKET_MEMBER;
        m->asks = line->rung > 0 ? SNAP_TRIES - 1 : 0;
        list_put(s, m, LIST_ADD);
    }
}

/* The markets of a refused add, wherever they wait by now, are to be added again, in their order. */
static uint32_t
add_back(struct kdp_session *s, struct line *line, uint32_t id)
{
    static const enum list_name lists[] = {LIST_SNAP, LIST_STUCK, LIST_WAIT};
    uint32_t back = 0;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (uint32_t slot = line->lists[lists[i]].tail, prev; slot != 0; slot = prev) {
            struct market *m = market_at(s, slot);

            prev = m->prev;
            if (m->add_cmd != id)
                continue;
            m->flags &= (uint16_t)~MARKET_MEMBER;
            m->asks = 0;
            list_front(s, m, LIST_ADD);
            back++;
        }
    return back;
}

static uint32_t
snap_back(struct kdp_session *s, struct line *line, uint32_t id)
{
    uint32_t back = 0;

    for (uint32_t slot = line->lists[LIST_WAIT].tail, prev; slot != 0; slot = prev) {
        struct market *m = market_at(s, slot);

        prev = m->prev;
        if (m->snap_cmd != id)
            continue;
        if (m->asks > 0)
            m->asks--;
        list_front(s, m, LIST_SNAP);
        back++;
    }
    return back;
}

/* A command was refused: its markets go back to where they were, or to another line. */
void
books_refused(struct kdp_session *s, uint16_t at, const struct sent *sent, int64_t code)
{
    struct line *line = &s->lines[at];
    struct sub *sub = &line->subs[CHAN_BOOK];
    bool adding = sent->kind == COMMAND_SUBSCRIBE || sent->kind == COMMAND_ADD;
    uint32_t back;

    if (sent->kind == COMMAND_ADD && line->adds_out > 0)
        line->adds_out--;
    if (sent->kind == COMMAND_UNSUBSCRIBE && sub->state == SUB_ENDING && code == 27)
        sub->state = SUB_ON; /* the ladder comes to it again */
    if (code != 26 && code != 27 && (!adding || code == 9)) {
        /* not understood, and it will not be the next time: the ladder goes on when the wait is over */
        if (adding && sub->state == SUB_ASKED && sub->cmd == sent->id)
            sub_ended(s, at, CHAN_BOOK, session_jitter(s, REFUSED_WAIT));
        return;
    }
    back = adding ? add_back(s, line, sent->id) : snap_back(s, line, sent->id);
    if (!adding)
        return;
    sub->members -= back < sub->members ? back : sub->members;
    if (sent->kind == COMMAND_SUBSCRIBE && sub->cmd == sent->id && sub->state == SUB_ASKED) {
        sub->state = SUB_OFF;
        sub->members = 0;
        sub->tries = 0;
    }
    if (code == 27)
        return;
    if (code != 26) { /* one of them is not taken: looked for by halves, the others must not go without */
        if (back > 1) {
            line->split = (back + 1) / 2;
        } else if (back == 1) {
            struct market *m = market_at(s, line->lists[LIST_ADD].head);

            m->rung = 1;
            want_rest(s, m);
        }
        return;
    }
    if (sent->count > BATCH_MIN && sent->count > sub->members / 8)
        line->batch = sent->count / 2; /* narrowing down how many it takes */
    else if (sub->members > 0)
        place_cap(s, at, sub->members);
    else if (sent->count > 1 && sub->state == SUB_ON) {
        /* the refused ones fill it: some of them were taken all the same, and which is not known. Asked for again and again they
         * would be refused for ever: it is ended, and begun with fewer */
        line->batch = (sent->count + 1) / 2;
        sub->relearn = true;
    } else
        sub_ended(s, at, CHAN_BOOK, session_jitter(s, 10 * SECOND));
}

bool
books_recovering(struct kdp_session *s, struct kdp_action *action)
{
    uint32_t slot;

    while (fifo_take(&s->recovering, &slot)) {
        struct market *m = market_at(s, slot);

        /* the flag stays until the episode ends: it is told once */
        if ((m->flags & MARKET_RECOVERING) == 0 || m->book != KDP_BOOK_STATE_STALE)
            continue;
        action->kind = KDP_ACTION_TIMER;
        action->timer.kind = KDP_TIMER_RECOVERING;
        action->timer.arg32 = m->instrument;
        return true;
    }
    return false;
}

void
books_rest_done(struct kdp_session *s, struct market *m, bool there)
{
    if ((m->flags & MARKET_REST) == 0)
        return;
    m->flags &= (uint16_t)~MARKET_REST;
    s->rest_books--;
    if (!there)
        m->asked_ns = s->mono + 10 * SLOW_WAIT; /* the exchange does not know it: once in a long while */
}
