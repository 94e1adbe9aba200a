/* session_market.c - markets by instrument id: names, terms, what is planned, timers of open and close.
 *
 * Only markets the rules can want have a slot; a combination that nobody wants costs the four zero bytes of its place in
 * slot_of.  A slot is given back when the market has ended and the exchange was told.  Names lie in blocks of 16 bytes with
 * free lists by size, so that 84,000 markets a day leave nothing behind. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"
#include "session_private.h"

#define NAME_MAX_BYTES 200u
#define EVENT_BUCKETS (1u << 16)
#define LINGER \
    (3600 * SECOND) /* a closed market's book stays subscribed so long, unless it is determined before */

/* ---- names ---- */

static size_t
name_blocks(size_t len)
{
    return (len + 2 + 1 + 15) / 16;
}

const char *
name_text(const struct kdp_session *s, uint32_t name, size_t *lenp)
{
    const char *block = s->names + (size_t)name * 16;
    uint16_t len;

    memcpy(&len, block, 2);
    *lenp = name != 0 ? len : 0;
    return name != 0 ? block + 2 : "";
}

static uint32_t
name_keep(struct kdp_session *s, struct kdp_text text)
{
    size_t blocks = name_blocks(text.len);
    uint16_t len = (uint16_t)text.len;
    uint32_t name = 0;
    char *block;

    if (text.len == 0 || text.len > NAME_MAX_BYTES)
        return 0;
    if (s->names_free[blocks] != 0) {
        name = s->names_free[blocks];
        memcpy(&s->names_free[blocks], s->names + (size_t)name * 16, sizeof(uint32_t));
    } else if ((s->names_used + blocks) * 16 <= NAMES_BYTES) {
        name = (uint32_t)s->names_used;
        s->names_used += blocks;
    } else {
        return 0;
    }
    block = s->names + (size_t)name * 16;
    memcpy(block, &len, 2);
    memcpy(block + 2, text.data, text.len);
    block[2 + text.len] = '\0';
    return name;
}

static void
name_drop(struct kdp_session *s, uint32_t name)
{
    size_t len, blocks;

    if (name == 0)
        return;
    name_text(s, name, &len);
    blocks = name_blocks(len);
    memcpy(s->names + (size_t)name * 16, &s->names_free[blocks], sizeof(uint32_t));
    s->names_free[blocks] = name;
}

static struct kdp_text
name_slice(const struct kdp_session *s, uint32_t name)
{
    struct kdp_text text;

    text.data = name_text(s, name, &text.len);
    return text;
}

/* A ticker goes into commands, paths and reload texts: what could end a string or a line there is not taken. */
static bool
name_plain(struct kdp_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '"' || text.data[i] == '\\')
            return false;
    return text.len > 0 && text.len <= NAME_MAX_BYTES;
}

/* ---- the table ---- */

void
fifo_put(struct kdp_session *s, struct fifo *fifo, uint32_t slot)
{
    if (fifo->first + fifo->count == fifo->room && fifo->first > 0 && fifo->first >= fifo->count) {
        memmove(fifo->at, fifo->at + fifo->first, fifo->count * sizeof *fifo->at);
        fifo->first = 0;
    }
    if (fifo->first + fifo->count == fifo->room) {
        uint32_t *grown = kdpi_grow(fifo->at, &fifo->room, sizeof *grown, fifo->room + 64);

        if (grown == NULL) {
            session_fail(s, KDP_ENOMEM, "", "out of memory: list of markets");
            return;
        }
        fifo->at = grown;
    }
    fifo->at[fifo->first + fifo->count++] = slot;
    s->dirty = true;
}

bool
fifo_take(struct fifo *fifo, uint32_t *slotp)
{
    if (fifo->count == 0)
        return false;
    *slotp = fifo->at[fifo->first++];
    if (--fifo->count == 0)
        fifo->first = 0;
    return true;
}

void
fifo_free(struct fifo *fifo)
{
    free(fifo->at);
    memset(fifo, 0, sizeof *fifo);
}

int
markets_open(struct kdp_session *s)
{
    s->slot_of = kdpi_reserve(IDS_MAX * sizeof *s->slot_of);
    s->markets = kdpi_reserve(MARKETS_MAX * sizeof *s->markets);
    s->names = kdpi_reserve(NAMES_BYTES);
    s->heap = kdpi_reserve(MARKETS_MAX * sizeof *s->heap);
    s->events = kdpi_reserve(EVENTS_MAX * sizeof *s->events);
    s->event_hash = kdpi_reserve(EVENT_BUCKETS * sizeof *s->event_hash);
    s->slots = s->event_next = 1;
    s->names_used = 1;
    if (s->slot_of == NULL || s->markets == NULL || s->names == NULL || s->heap == NULL ||
        s->events == NULL || s->event_hash == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: table of markets");
    return 0;
}

void
markets_close(struct kdp_session *s)
{
    kdpi_unreserve(s->slot_of, IDS_MAX * sizeof *s->slot_of);
    kdpi_unreserve(s->markets, MARKETS_MAX * sizeof *s->markets);
    kdpi_unreserve(s->names, NAMES_BYTES);
    kdpi_unreserve(s->heap, MARKETS_MAX * sizeof *s->heap);
    kdpi_unreserve(s->events, EVENTS_MAX * sizeof *s->events);
    kdpi_unreserve(s->event_hash, EVENT_BUCKETS * sizeof *s->event_hash);
    fifo_free(&s->tell);
    fifo_free(&s->recovering);
    fifo_free(&s->homeless);
}

struct market *
market_at(struct kdp_session *s, uint32_t slot)
{
    return &s->markets[slot];
}

uint32_t
market_slot(const struct kdp_session *s, const struct market *m)
{
    return (uint32_t)(m - s->markets);
}

struct market *
market_find(struct kdp_session *s, uint32_t instrument)
{
    uint32_t slot = instrument < IDS_MAX ? s->slot_of[instrument] : 0;

    return slot != 0 ? &s->markets[slot] : NULL;
}

const char *
market_name(const struct kdp_session *s, const struct market *m, size_t *lenp)
{
    return name_text(s, m->ticker, lenp);
}

static struct market *
market_new(struct kdp_session *s, uint32_t instrument, struct kdp_text ticker)
{
    uint32_t slot = s->free_slot, name;
    struct market *m;

    if (instrument == 0 || instrument >= IDS_MAX || !name_plain(ticker) ||
        (slot == 0 && s->slots == MARKETS_MAX) || (name = name_keep(s, ticker)) == 0) {
        if (s->markets_refused++ == 0)
            session_say(s, KDP_ACTION_WARN, "Its trades are kept, its book is not",
                        "a market cannot be planned: %.*s", (int)(ticker.len < 80 ? ticker.len : 80),
                        ticker.data);
        return NULL;
    }
    if (slot != 0)
        s->free_slot = s->markets[slot].next;
    else
        slot = s->slots++;
    m = &s->markets[slot];
    memset(m, 0, sizeof *m);
    m->instrument = instrument;
    m->ticker = name;
    m->open_ns = m->close_ns = KDP_TIME_NULL;
    m->volume_e2 = KDP_INT64_NULL;
    s->slot_of[instrument] = slot;
    s->known++;
    return m;
}

/* ---- timers: a heap by wall time, each market in it at most once ---- */

static void
heap_set(struct kdp_session *s, uint32_t place, uint32_t slot)
{
    s->heap[place] = slot;
    s->markets[slot].heap = place + 1;
}

static void
heap_up(struct kdp_session *s, uint32_t place, uint32_t slot)
{
    while (place > 0 && s->markets[s->heap[(place - 1) / 2]].due_ns > s->markets[slot].due_ns) {
        heap_set(s, place, s->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_set(s, place, slot);
}

static void
heap_down(struct kdp_session *s, uint32_t place, uint32_t slot)
{
    for (uint32_t child; (child = 2 * place + 1) < s->heap_count; place = child) {
        if (child + 1 < s->heap_count &&
            s->markets[s->heap[child + 1]].due_ns < s->markets[s->heap[child]].due_ns)
            child++;
        if (s->markets[s->heap[child]].due_ns >= s->markets[slot].due_ns)
            break;
        heap_set(s, place, s->heap[child]);
    }
    heap_set(s, place, slot);
}

static void
timer_off(struct kdp_session *s, struct market *m)
{
    uint32_t place, last;

    if (m->heap == 0)
        return;
    place = m->heap - 1;
    m->heap = 0;
    last = s->heap[--s->heap_count];
    if (place == s->heap_count)
        return;
    if (place > 0 && s->markets[s->heap[(place - 1) / 2]].due_ns > s->markets[last].due_ns)
        heap_up(s, place, last);
    else
        heap_down(s, place, last);
}

static void
timer_set(struct kdp_session *s, struct market *m)
{
    int64_t due = KDP_TIME_NULL;

    if ((m->flags & MARKET_OPENED) == 0)
        due = m->open_ns;
    else if (m->close_ns != KDP_TIME_NULL && (m->flags & MARKET_CLOSED) == 0)
        due = m->close_ns;
    else if (m->close_ns != KDP_TIME_NULL && (m->flags & MARKET_PLANNED) != 0)
        due = m->close_ns + LINGER;
    if (m->heap != 0 && m->due_ns == due)
        return;
    timer_off(s, m);
    if (due == KDP_TIME_NULL)
        return;
    m->due_ns = due;
    heap_up(s, s->heap_count++, market_slot(s, m));
    s->dirty = true;
}

/* ---- what is planned ---- */

static void
tell(struct kdp_session *s, struct market *m)
{
    if ((m->flags & MARKET_TELL) != 0)
        return;
    m->flags |= MARKET_TELL;
    fifo_put(s, &s->tell, market_slot(s, m));
}

void
session_plan(struct kdp_session *s, struct market *m)
{
    if ((m->flags & MARKET_PLANNED) != 0)
        return;
    m->flags |= MARKET_PLANNED;
    s->planned++;
    tell(s, m);
    if (!s->config.keyless) {
        place_market(s, m);
        channel_plan(s, m);
    }
    s->dirty = true;
}

void
market_unplan(struct kdp_session *s, struct market *m)
{
    if ((m->flags & MARKET_PLANNED) == 0)
        return;
    m->flags &= (uint16_t)~MARKET_PLANNED;
    s->planned--;
    tell(s, m);
    if (!s->config.keyless) {
        place_clear(s, m);
        channel_unplan(s, m);
    }
    s->dirty = true;
}

void
market_release(struct kdp_session *s, struct market *m)
{
    const uint16_t held = MARKET_PLANNED | MARKET_MEMBER | MARKET_DROP | MARKET_FROM_DROP | MARKET_TELL |
                          MARKET_TRADE | MARKET_TICKER | MARKET_SERIES | MARKET_FIT;
    uint32_t slot = market_slot(s, m);

    if (m->instrument == 0 || (m->flags & held) != 0 || m->heap != 0)
        return;
    list_out(s, m);
    s->slot_of[m->instrument] = 0;
    name_drop(s, m->ticker);
    name_drop(s, m->event);
    memset(m, 0, sizeof *m);
    m->next = s->free_slot;
    s->free_slot = slot;
    s->known--;
}

/* ---- events: the series a market belongs to is asked for, never read out of its name ---- */

static uint32_t *
event_bucket(struct kdp_session *s, struct kdp_text name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)name.data[i]) * 16777619u;
    return &s->event_hash[(hash ^ hash >> 16) & (EVENT_BUCKETS - 1)];
}

static struct event *
event_find(struct kdp_session *s, struct kdp_text name)
{
    for (uint32_t index = *event_bucket(s, name); index != 0; index = s->events[index].hash_next) {
        struct kdp_text have = name_slice(s, s->events[index].name);

        if (have.len == name.len && memcmp(have.data, name.data, name.len) == 0)
            return &s->events[index];
    }
    return NULL;
}

/* A full table forgets the oldest event that nobody waits for. */
static struct event *
event_new(struct kdp_session *s, struct kdp_text name)
{
    struct event *event = NULL;
    uint32_t *bucket, index = 0, kept = name_keep(s, name);

    if (kept == 0)
        return NULL;
    for (unsigned tries = 0; tries < 64 && event == NULL; tries++) {
        index = s->event_next;
        s->event_next = s->event_next + 1 == EVENTS_MAX ? 1 : s->event_next + 1;
        if (s->events[index].waiting == 0)
            event = &s->events[index];
    }
    if (event == NULL) {
        name_drop(s, kept);
        return NULL;
    }
    if (event->name != 0) {
        for (bucket = event_bucket(s, name_slice(s, event->name)); *bucket != index;
             bucket = &s->events[*bucket].hash_next)
            ;
        *bucket = event->hash_next;
        s->events_to_ask -= event->asked == 1;
        name_drop(s, event->name);
        name_drop(s, event->series);
    } else {
        s->event_count++;
    }
    memset(event, 0, sizeof *event);
    event->name = kept;
    bucket = event_bucket(s, name);
    event->hash_next = *bucket;
    *bucket = index;
    return event;
}

static void consider(struct kdp_session *s, struct market *m);

static void
event_series(struct kdp_session *s, struct event *event, struct kdp_text series)
{
    if (event->series == 0)
        event->series = name_keep(s, series);
    s->events_to_ask -= event->asked == 1;
    event->asked = 3;
    if (event->waiting == 0)
        return;
    event->waiting = 0;
    for (uint32_t slot = 1; slot < s->slots; slot++) {
        struct market *m = &s->markets[slot];

        if ((m->flags & MARKET_SERIES) != 0 && event_find(s, name_slice(s, m->event)) == event) {
            m->flags &= (uint16_t)~MARKET_SERIES;
            consider(s, m);
        }
    }
}

void
market_event_known(struct kdp_session *s, struct kdp_text name, struct kdp_text series)
{
    struct event *event;

    if (s->rules.rules.series_count == 0 || !name_plain(name) || !name_plain(series))
        return;
    event = event_find(s, name);
    if (event == NULL)
        event = event_new(s, name);
    if (event != NULL && event->series == 0)
        event_series(s, event, series);
}

bool
market_event_ask(struct kdp_session *s, uint32_t *indexp)
{
    uint32_t index = s->event_cursor;

    if (s->events_to_ask == 0)
        return false;
    for (uint32_t n = 0; n < EVENTS_MAX; n++) {
        index = index + 1 >= EVENTS_MAX ? 1 : index + 1;
        if (index > s->event_count)
            index = 1;
        if (s->events[index].asked == 1) {
            s->events[index].asked = 2;
            s->events_to_ask--;
            s->event_cursor = *indexp = index;
            return true;
        }
    }
    return false;
}

void
market_event_answer(struct kdp_session *s, uint32_t index, struct kdp_text series, bool final)
{
    struct event *event = &s->events[index];

    if (event->asked != 2)
        return;
    if (series.len > 0 || final || ++event->tries >= 3) {
        event_series(s, event, series);
    } else {
        event->asked = 1;
        s->events_to_ask++;
    }
}

static struct kdp_text
series_of(struct kdp_session *s, struct market *m, struct event **eventp)
{
    struct kdp_text none = {"", 0};
    struct event *event = m->event != 0 ? event_find(s, name_slice(s, m->event)) : NULL;

    *eventp = event;
    return event != NULL ? name_slice(s, event->series) : none;
}

static void
ask_series(struct kdp_session *s, struct market *m, struct event *event)
{
    if ((m->flags & MARKET_SERIES) != 0)
        return;
    if (event == NULL && m->event != 0)
        event = event_new(s, name_slice(s, m->event));
    if (event == NULL || event->asked == 3) /* asked in vain: the next listing may know */
        return;
    m->flags |= MARKET_SERIES;
    event->waiting++;
    if (event->asked == 0) {
        event->asked = 1;
        s->events_to_ask++;
        s->dirty = true;
    }
}

/* ---- one market, as it is known now ---- */

static void
stop_market(struct kdp_session *s, struct market *m)
{
    keyless_fits(s, m, false);
    market_unplan(s, m);
    timer_off(s, m);
    market_release(s, m);
}

static void
consider(struct kdp_session *s, struct market *m)
{
    int64_t now = session_exchange_now(s);
    struct event *event;
    struct kdp_text series = series_of(s, m, &event);

    if ((m->flags & MARKET_ENDED) != 0) {
        stop_market(s, m);
        return;
    }
    switch (kdp_rules_match(&s->rules.rules, name_slice(s, m->ticker), name_slice(s, m->event), series,
                            m->volume_e2, (m->flags & MARKET_COMBO) != 0)) {
    case KDP_RULES_NO:
        stop_market(s, m);
        return;
    case KDP_RULES_SERIES_UNKNOWN:
        ask_series(s, m, event);
        if ((m->flags & MARKET_SERIES) == 0)
            stop_market(s, m);
        return;
    case KDP_RULES_YES:
        break;
    }
    if (m->close_ns != KDP_TIME_NULL && m->close_ns + LINGER <= now) {
        stop_market(s, m);
        return;
    }
    if ((m->flags & MARKET_CLOSED) != 0 && m->close_ns != KDP_TIME_NULL && m->close_ns > now)
        m->flags &= (uint16_t)~MARKET_CLOSED; /* the close was moved to later */
    /* an initialized market opens by itself at open_ns, and the exchange says nothing of it */
    if ((m->flags & MARKET_OPENED) == 0 &&
        (m->open_ns == KDP_TIME_NULL || (m->status >= KDP_MARKET_STATUS_ACTIVE) ||
         (m->status == KDP_MARKET_STATUS_UNKNOWN && m->open_ns <= now)))
        m->flags |= MARKET_OPENED;
    if ((m->flags & MARKET_OPENED) != 0 && s->config.keyless)
        keyless_fits(s, m, m->status < KDP_MARKET_STATUS_CLOSED);
    else if ((m->flags & MARKET_OPENED) != 0)
        session_plan(s, m);
    timer_set(s, m);
}

void
market_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    const struct kdp_rules *rules = &s->rules.rules;
    struct kdp_text series = {"", 0};
    struct market *m = market_find(s, notice->instrument);
    bool ended = notice->market.status >= KDP_MARKET_STATUS_DETERMINED;
    const char *listed = notice->market.listed && !notice->market.quoted ? listing_series(s) : NULL;

    if (listed != NULL) {
        series = (struct kdp_text){listed, strlen(listed)};
        market_event_known(s, notice->market.event_ticker, series);
    }
    if (m == NULL) {
        /* most of what the lifecycle tells of is of no interest: decided without a slot */
        if (ended || (notice->market.combo && !rules->combos) ||
            (notice->market.close_ns != KDP_TIME_NULL &&
             notice->market.close_ns + LINGER <= session_exchange_now(s)) ||
            kdp_rules_match(rules, notice->market.ticker, notice->market.event_ticker, series,
                            notice->market.volume_e2, notice->market.combo) == KDP_RULES_NO)
            return;
        m = market_new(s, notice->instrument, notice->market.ticker);
        if (m == NULL)
            return;
    }
    if (s->ever_up ||
        notice->market.listed) /* just made, or just listed: not merely known from an earlier run */
        m->seen = s->listing.pass > 0 ? s->listing.pass : 1;
    if (notice->market.combo)
        m->flags |= MARKET_COMBO;
    if (m->event == 0 && name_plain(notice->market.event_ticker)) /* other rules may ask for it */
        m->event = name_keep(s, notice->market.event_ticker);
    if (notice->market.open_ns != KDP_TIME_NULL)
        m->open_ns = notice->market.open_ns;
    if (notice->market.close_ns != KDP_TIME_NULL)
        m->close_ns = notice->market.close_ns;
    if (notice->market.status != KDP_MARKET_STATUS_UNKNOWN)
        m->status = notice->market.status;
    if (notice->market.volume_e2 != KDP_INT64_NULL)
        m->volume_e2 = notice->market.volume_e2;
    if (ended)
        m->flags |= MARKET_ENDED;
    consider(s, m);
}

void
markets_unknown(struct kdp_session *s)
{
    for (uint32_t slot = 1; slot < s->slots; slot++) {
        struct market *m = &s->markets[slot];

        if (m->instrument == 0 || m->seen != 0 || m->book == KDP_BOOK_STATE_LIVE)
            continue;
        m->flags &= (uint16_t)~MARKET_MEMBER; /* it was never taken: there is nothing to take back */
        stop_market(s, m);
    }
}

void
markets_replan(struct kdp_session *s)
{
    for (uint32_t slot = 1; slot < s->slots; slot++) {
        struct market *m = &s->markets[slot];

        if (m->instrument == 0)
            continue;
        m->flags &= (uint16_t)~MARKET_SERIES;
        consider(s, m);
    }
}

bool
market_timer(struct kdp_session *s, struct kdp_action *action)
{
    int64_t now = session_exchange_now(s);

    while (s->heap_count > 0) {
        struct market *m = &s->markets[s->heap[0]];

        if (m->due_ns > now) {
            session_wake(s, s->mono + (m->due_ns - now));
            return false;
        }
        action->kind = KDP_ACTION_TIMER;
        action->timer.arg32 = m->instrument;
        if ((m->flags & MARKET_OPENED) == 0) {
            m->flags |= MARKET_OPENED;
            if (m->status == KDP_MARKET_STATUS_INITIALIZED)
                m->status = KDP_MARKET_STATUS_ACTIVE;
            action->timer.kind = KDP_TIMER_OPEN;
            consider(s, m);
            return true;
        }
        if ((m->flags & MARKET_CLOSED) == 0) {
            m->flags |= MARKET_CLOSED;
            action->timer.kind = KDP_TIMER_CLOSE;
            timer_set(s, m);
            return true;
        }
        stop_market(s, m);
    }
    return false;
}

/* ---- what the plant is told ---- */

bool
market_reload(struct kdp_session *s, struct kdp_action *action)
{
    uint32_t slot;
    bool any = false;

    if (s->rules_told && s->tell.count == 0)
        return false;
    out_begin(s);
    if (!s->rules_told) {
        char words[1024];

        kdp_rules_words(&s->rules.rules, words, sizeof words);
        /* without a key the trades of all markets are polled, whatever is sampled */
        out_format(s, "rules %s\n%s%s", words, s->all || s->config.keyless ? "all\n" : "",
                   s->config.keyless ? "keyless\n" : "");
        s->rules_told = any = true;
    }
    while (s->out_len < OUT_BYTES - 256 && fifo_take(&s->tell, &slot)) {
        struct market *m = &s->markets[slot];
        bool planned = (m->flags & MARKET_PLANNED) != 0, told = (m->flags & MARKET_TOLD) != 0;
        size_t len;
        const char *name = market_name(s, m, &len);

        if ((m->flags & MARKET_TELL) == 0)
            continue;
        m->flags &= (uint16_t)~MARKET_TELL;
        if (planned != told) {
            out_format(s, "%c%.*s\n", planned ? '+' : '-', (int)len, name);
            m->flags ^= MARKET_TOLD;
            any = true;
        }
        market_release(s, m);
    }
    if (!any)
        return false;
    action->kind = KDP_ACTION_RELOAD;
    action->text = s->out;
    action->len = s->out_len;
    return true;
}
