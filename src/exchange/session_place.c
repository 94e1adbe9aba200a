/* session_place.c - which line carries which book, the lists on which a book waits there, and moving books between lines. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "session_private.h"

#define BALANCE_EVERY (10 * SECOND)
#define BALANCE_RATE 500u /* messages a second below which a line is never too busy */
#define BALANCE_MOVES 200u

/* ---- lists of a line ---- */

void
list_out(struct kdp_session *s, struct market *m)
{
    struct list *list;

    if (m->list == LIST_NONE)
        return;
    list = &s->lines[m->line].lists[m->list];
    if (m->prev != 0)
        s->markets[m->prev].next = m->next;
    else
        list->head = m->next;
    if (m->next != 0)
        s->markets[m->next].prev = m->prev;
    else
        list->tail = m->prev;
    list->count--;
    m->next = m->prev = 0;
    m->list = LIST_NONE;
}

void
list_put(struct kdp_session *s, struct market *m, enum list_name name)
{
    struct list *list = &s->lines[m->line].lists[name];
    uint32_t slot = market_slot(s, m);

    KDP_ASSERT(m->line != 0 && name != LIST_NONE);
    list_out(s, m);
    m->prev = list->tail;
    if (list->tail != 0)
        s->markets[list->tail].next = slot;
    else
        list->head = slot;
    list->tail = slot;
    list->count++;
    m->list = (uint8_t)name;
    s->dirty = true;
}

void
list_front(struct kdp_session *s, struct market *m, enum list_name name)
{
    struct list *list = &s->lines[m->line].lists[name];
    uint32_t slot = market_slot(s, m);

    KDP_ASSERT(m->line != 0 && name != LIST_NONE);
    list_out(s, m);
    m->next = list->head;
    if (list->head != 0)
        s->markets[list->head].prev = slot;
    else
        list->tail = slot;
    list->head = slot;
    list->count++;
    m->list = (uint8_t)name;
    s->dirty = true;
}

/* ---- counts ---- */

static void
count(struct kdp_session *s, const struct market *m, bool in)
{
    if ((m->flags & MARKET_PLANNED) == 0 || m->line == 0)
        return;
    s->lines[m->line].planned += in ? 1u : (uint32_t)-1;
    if (m->book == KDP_BOOK_STATE_LIVE)
        s->lines[m->line].live += in ? 1u : (uint32_t)-1;
}

void
place_book(struct kdp_session *s, struct market *m, uint8_t state)
{
    count(s, m, false);
    m->book = state;
    count(s, m, true);
}

/* ---- placing ---- */

static bool
has_room(const struct line *line)
{
    return line->cap == 0 || line->planned < line->cap;
}

static uint16_t
line_more(struct kdp_session *s)
{
    struct line *line;

    if (s->line_count == KDP_LINES_LIVE_MAX)
        return 0;
    line = &s->lines[++s->line_count];
    line->state = LINE_WAITING;
    line->at_ns = s->mono;
    line->cap = s->cap;
    s->dirty = true;
    return (uint16_t)s->line_count;
}

static uint16_t
line_choose(struct kdp_session *s, uint16_t except)
{
    uint16_t best = 0;

    for (uint16_t i = 1; i <= s->line_count; i++)
        if (i != except && !s->lines[i].barred && has_room(&s->lines[i]) &&
            (best == 0 || s->lines[i].planned < s->lines[best].planned))
            best = i;
    return best != 0 ? best : line_more(s);
}

void
place_on(struct kdp_session *s, struct market *m, uint16_t line)
{
    list_out(s, m);
    count(s, m, false);
    m->line = line;
    count(s, m, true);
    m->flags &= (uint16_t)~MARKET_MEMBER;
    m->asks = m->rung = 0;
    if (m->from_line != line) {
        list_put(s, m, LIST_ADD);
        return;
    }
    /* back to where it still is: nothing is to be deleted there */
    m->from_line = 0;
    m->flags = (uint16_t)((m->flags & ~(unsigned)MARKET_FROM_DROP) | MARKET_MEMBER);
    if (m->book != KDP_BOOK_STATE_LIVE && m->book != KDP_BOOK_STATE_CLOSED)
        list_put(s, m, LIST_SNAP);
}

/* A planned market finds its line; one that was about to be deleted there simply stays. */
void
place_market(struct kdp_session *s, struct market *m)
{
    uint16_t line;

    if ((m->flags & MARKET_DROP) != 0) {
        m->flags &= (uint16_t)~MARKET_DROP;
        count(s, m, true);
        if (m->book != KDP_BOOK_STATE_LIVE)
            list_put(s, m, LIST_SNAP);
        return;
    }
    line = line_choose(s, 0);
    if (line == 0) {
        if (s->homeless.count == 0)
            session_say(s, KDP_ACTION_WARN, "Plan fewer markets: --series, --event, --ticker",
                        "the exchange takes no more than %u markets on %u connections: the rest has no book",
                        s->cap, s->line_count);
        fifo_put(s, &s->homeless, market_slot(s, m));
        return;
    }
    place_on(s, m, line);
}

static void
drop_from(struct kdp_session *s, struct market *m)
{
    if (m->from_line == 0 || (m->flags & MARKET_FROM_DROP) != 0)
        return;
    m->flags |= MARKET_FROM_DROP;
    fifo_put(s, &s->lines[m->from_line].drop, market_slot(s, m));
}

void
place_clear(struct kdp_session *s, struct market *m)
{
    list_out(s, m);
    if (m->line == 0)
        return;
    s->lines[m->line].planned--;
    if (m->book == KDP_BOOK_STATE_LIVE)
        s->lines[m->line].live--;
    drop_from(s, m);
    s->rest_books -= (m->flags & MARKET_REST) != 0;
    m->flags &= (uint16_t) ~(MARKET_REST | MARKET_RECOVERING);
    if ((m->flags & MARKET_MEMBER) != 0) {
        m->flags |= MARKET_DROP;
        fifo_put(s, &s->lines[m->line].drop, market_slot(s, m));
    } else {
        m->line = 0;
    }
}

void
place_homeless(struct kdp_session *s)
{
    uint32_t slot;
    bool room = true;

    /* all of them are looked at: those that have ended must not stay in the list */
    for (size_t n = s->homeless.count; n > 0 && fifo_take(&s->homeless, &slot); n--) {
        struct market *m = market_at(s, slot);

        if ((m->flags & MARKET_PLANNED) == 0 || m->line != 0)
            continue;
        room = room && line_choose(s, 0) != 0;
        if (room)
            place_market(s, m);
        else
            fifo_put(s, &s->homeless, slot);
    }
}

/* The new line subscribes first; what the old one carries is deleted when the new one owns the book. */
void
place_move(struct kdp_session *s, struct market *m, uint16_t line)
{
    if (m->from_line != 0 || line == m->line || (m->flags & MARKET_PLANNED) == 0)
        return;
    if ((m->flags & MARKET_MEMBER) != 0 && m->add_cmd != 0)
        return; /* the add is not answered: whether there is something to delete here is not known */
    if ((m->flags & MARKET_MEMBER) != 0)
        m->from_line = m->line;
    place_on(s, m, line);
}

/* The exchange took so many markets in one subscription and no more: the same is expected of the others. */
void
place_cap(struct kdp_session *s, uint16_t at, uint32_t cap)
{
    if (s->cap == 0 || cap < s->cap)
        s->cap = cap;
    s->lines[at].cap = cap;
    session_say(s, KDP_ACTION_NOTICE, "",
                "the exchange takes %u markets in a subscription: using more connections", cap);
    for (uint16_t i = 1; i <= s->line_count; i++) {
        struct line *line = &s->lines[i];

        if (line->cap == 0)
            line->cap = s->cap;
        while (line->planned > line->cap && line->lists[LIST_ADD].count > 0) {
            struct market *m = market_at(s, line->lists[LIST_ADD].tail);

            list_out(s, m);
            line->planned--;
            line->live -= m->book == KDP_BOOK_STATE_LIVE;
            m->line = 0;
            place_market(s, m);
        }
    }
}

/* A line that the exchange finds too slow twice gives half of its books to another one. */
void
place_halve(struct kdp_session *s, uint16_t from)
{
    uint16_t to = line_more(s);
    bool every_second = false;

    if (to == 0)
        to = line_choose(s, from);
    if (to == 0 || to == from)
        return;
    session_say(s, KDP_ACTION_NOTICE, "", "connection %u overflows: half of its books go to connection %u",
                from, to);
    for (uint32_t slot = 1; slot < s->slots && has_room(&s->lines[to]); slot++) {
        struct market *m = market_at(s, slot);

        if (m->instrument != 0 && m->line == from && (m->flags & MARKET_PLANNED) != 0) {
            every_second = !every_second;
            if (every_second)
                place_move(s, m, to);
        }
    }
}

/* A line that cannot be had while others can (a limit of connections, say) gives its books to them. */
void
place_bar(struct kdp_session *s, uint16_t at)
{
    s->lines[at].barred = true;
    for (uint32_t slot = 1; slot < s->slots; slot++) {
        struct market *m = market_at(s, slot);
        uint16_t to;

        if (m->instrument == 0 || m->line != at ||
            (m->flags & (MARKET_PLANNED | MARKET_MEMBER)) != MARKET_PLANNED)
            continue;
        to = line_choose(s, at);
        if (to == 0)
            break;
        place_on(s, m, to);
    }
    session_say(s, KDP_ACTION_WARN, "It is tried again; the books are on the other connections meanwhile",
                "connection %u cannot be had: %s", at, s->lines[at].last_words);
}

void
kdp_session_load(struct kdp_session *s, uint32_t instrument, uint32_t messages)
{
    struct market *m = market_find(s, instrument);

    if (m == NULL || m->line == 0)
        return;
    m->load = m->load > UINT32_MAX - messages ? UINT32_MAX : m->load + messages;
    s->lines[m->line].load += messages;
}

/* What waits to be added to a subscription that is full finds another line: its place was taken while it was deleted and was to be
 * added anew. */
static void
place_waiting(struct kdp_session *s)
{
    for (uint16_t i = 1; i <= s->line_count; i++) {
        struct line *line = &s->lines[i];

        while (line->cap != 0 && line->subs[CHAN_BOOK].members >= line->cap &&
               line->lists[LIST_ADD].count > 0) {
            uint16_t other = line_choose(s, i);

            if (other == 0)
                return;
            place_on(s, market_at(s, line->lists[LIST_ADD].tail), other);
        }
    }
}

/* place_balance moves books off the busiest line when it has more than 1.5 times the mean; called every 10 s. */
void
place_balance(struct kdp_session *s)
{
    uint64_t sum = 0, excess;
    uint16_t most = 1, least = 1;
    uint32_t moved = 0;
    int64_t span = s->mono - s->balance_ns;

    if (span < BALANCE_EVERY) {
        session_wake(s, s->balance_ns + BALANCE_EVERY);
        return;
    }
    s->balance_ns = s->mono;
    session_wake(s, s->mono + BALANCE_EVERY);
    place_homeless(s);
    place_waiting(s);
    for (uint16_t i = 1; i <= s->line_count; i++) {
        sum += s->lines[i].load;
        if (s->lines[i].load > s->lines[most].load)
            most = i;
        if (s->lines[i].load < s->lines[least].load)
            least = i;
    }
    excess = (s->lines[most].load - s->lines[least].load) / 2;
    if (s->line_count > 1 && s->lines[least].state == LINE_UP && s->lines[most].state == LINE_UP &&
        s->lines[most].load * 2 * s->line_count > sum * 3 &&
        s->lines[most].load > BALANCE_RATE * (uint64_t)(span / SECOND)) {
        /* big ones first: few moves, and a book that alone is the excess stays where it is */
        for (unsigned pass = 0; pass < 2; pass++)
            for (uint32_t slot = 1; slot < s->slots && moved < BALANCE_MOVES && excess > 0; slot++) {
                struct market *m = market_at(s, slot);

                if (m->instrument == 0 || m->line != most || m->load == 0 || m->load > excess ||
                    m->book != KDP_BOOK_STATE_LIVE || m->from_line != 0 ||
                    (pass == 0 && m->load * 8ull < excess) || !has_room(&s->lines[least]))
                    continue;
                excess -= m->load;
                place_move(s, m, least);
                moved++;
            }
        if (moved > 0)
            session_say(s, KDP_ACTION_NOTICE, "", "%u books moved from connection %u to connection %u", moved,
                        most, least);
    }
    if (sum > 0)
        for (uint32_t slot = 1; slot < s->slots; slot++)
            s->markets[slot].load = 0;
    for (uint16_t i = 1; i <= s->line_count; i++)
        s->lines[i].load = 0;
}
