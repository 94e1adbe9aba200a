/* session_audit.c - audits of books against REST, a few at a time round robin, and REST books for what nothing else heals. */
#include <string.h>

#include "session_private.h"

#define KEEP (20 * SECOND) /* the plant keeps an audited book's states for so long before it is compared */
#define BATCH_PATH 6000u   /* bytes of a path that every server takes */
#define SINGLES 5u         /* when the exchange has no request for many books */

/* ---- rounds ---- */

static void
choose(struct kdp_session *s)
{
    uint32_t most = s->config.book_audit_batch, n;

    most = most > 100 ? 100 : most;
    if (s->audit_single && most > SINGLES)
        most = SINGLES;
    s->audit_count = s->audit_told = 0;
    for (n = 1; n < s->slots && s->audit_count < most; n++) {
        const struct market *m;

        s->audit_cursor = s->audit_cursor + 1 < s->slots ? s->audit_cursor + 1 : 1;
        m = market_at(s, s->audit_cursor);
        if (m->instrument != 0 && (m->flags & MARKET_PLANNED) != 0 && m->book == KDP_BOOK_STATE_LIVE)
            s->audit_instruments[s->audit_count++] = m->instrument;
    }
    s->audit_ask_ns = s->mono + KEEP;
    s->audit_asked = s->audit_count == 0;
    s->audit_next = 0;
}

bool
audit_work(struct kdp_session *s, struct kdp_action *action)
{
    if (s->stopping)
        return false;
    if (s->audit_told < s->audit_count) {
        action->kind = KDP_ACTION_TIMER;
        action->timer.kind = KDP_TIMER_AUDIT;
        action->timer.arg32 = s->audit_instruments[s->audit_told++];
        return true;
    }
    if (s->mono < s->book_audit_ns || !s->audit_asked) {
        session_wake(s, s->audit_asked ? s->book_audit_ns : s->audit_ask_ns);
        return false;
    }
    s->book_audit_ns = s->mono + s->config.book_audit_ns;
    choose(s);
    session_wake(s, s->audit_asked ? s->book_audit_ns : s->audit_ask_ns);
    return s->audit_count > 0 && audit_work(s, action);
}

bool
book_path(struct kdp_session *s, uint32_t instrument, struct request *request)
{
    struct market *m = market_find(s, instrument);
    const char *name;
    size_t len;

    if (m == NULL)
        return false;
    for (unsigned i = 0; i < REQUESTS_MAX;
         i++) /* one answer of a market at a time, so that they cannot be confused */
        if (s->requests[i].number != 0 &&
            (s->requests[i].what == ASK_BOOK || s->requests[i].what == ASK_AUDIT) &&
            (uint32_t)s->requests[i].number == instrument)
            return false;
    name = market_name(s, m, &len);
    request->object = market_slot(s, m);
    out_begin(s);
    return out_put(s, "/markets/", 9) && out_escape(s, name, len) && out_put(s, "/orderbook", 10);
}

bool
audit_ask(struct kdp_session *s, struct request *request)
{
    uint32_t count = 0;

    if (s->audit_asked || s->stopping || s->mono < s->audit_ask_ns)
        return false;
    for (unsigned i = 0; i < REQUESTS_MAX; i++)
        if (s->requests[i].number != 0 && s->requests[i].what == ASK_AUDITS)
            return false;
    if (s->audit_single) {
        request->what = ASK_AUDIT;
        while (s->audit_next < s->audit_count && s->audit_next < SINGLES)
            if (book_path(s, s->audit_instruments[s->audit_next++], request))
                return true;
        s->audit_asked = true;
        return false;
    }
    request->what = ASK_AUDITS;
    out_begin(s);
    out_put(s, "/markets/orderbooks", 19);
    for (uint32_t i = 0; i < s->audit_count && s->out_len < BATCH_PATH - 700; i++) {
        struct market *m = market_find(s, s->audit_instruments[i]);
        const char *name;
        size_t len;

        if (m == NULL)
            continue;
        name = market_name(s, m, &len);
        out_put(s, count++ == 0 ? "?tickers=" : "&tickers=", 9);
        out_escape(s, name, len);
    }
    s->audit_asked = true;
    return count > 0;
}

/* ---- books that nothing else heals ---- */

bool
book_ask(struct kdp_session *s, struct request *request)
{
    if (s->rest_books == 0 || s->stopping)
        return false;
    request->what = ASK_BOOK;
    for (uint16_t at = 1; at <= s->line_count; at++)
        for (uint32_t slot = s->lines[at].lists[LIST_SLOW].head; slot != 0; slot = market_at(s, slot)->next) {
            struct market *m = market_at(s, slot);

            if ((m->flags & MARKET_REST) != 0 && book_path(s, m->instrument, request))
                return true;
        }
    return false;
}

void
audit_answer(struct kdp_session *s, const struct request *request, int status)
{
    struct market *m = market_find(s, (uint32_t)request->number);

    switch (request->what) {
    case ASK_AUDITS:
        if (status == 404 || status == 400 || status == 405) {
            s->audit_single = true; /* it has no such request: a few single ones instead */
            s->audit_asked = false;
            s->audit_next = 0;
        }
        break;
    case ASK_BOOK:
        if (m != NULL && status != 0)
            books_rest_done(s, m, status < 300);
        break;
    default:
        break;
    }
}

void
audit_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    s->stats.book_audits++;
    s->stats.book_disagreements += !notice->audit.agrees;
    s->stats.drifts += notice->audit.drift;
}
