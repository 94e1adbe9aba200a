/* session_rest.c - requests: a model of the exchange's token bucket, what to ask next, back-off, and answers. */
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "error.h"
#include "rest.h"
#include "session_private.h"

#define COST 10            /* tokens of a GET */
#define LOST (90 * SECOND) /* the client gives up long before; then the answer will never come */
#define PARALLEL 4u
#define E9 INT64_C(1000000000)

/* ---- tokens ---- */

static bool
tokens(struct kdp_session *s)
{
    int64_t span = s->mono - s->tokens_ns, most = s->capacity * E9;

    s->tokens_ns = s->mono;
    if (span > 0 && span < 60 * SECOND)
        s->tokens_e9 += span * s->rate;
    else if (span >= 60 * SECOND)
        s->tokens_e9 = most;
    if (s->tokens_e9 > most)
        s->tokens_e9 = most;
    if (s->tokens_e9 >= COST * E9)
        return true;
    session_wake(s, s->mono + (COST * E9 - s->tokens_e9) / s->rate + 1);
    return false;
}

/* ---- asking ---- */

static struct request *
request_free(struct kdp_session *s)
{
    for (unsigned i = 0; i < REQUESTS_MAX; i++) {
        struct request *request = &s->requests[i];

        if (request->number != 0 && s->mono - request->sent_ns > LOST)
            rest_answer(s, request->number, 0, KDP_ETIMEOUT, "", 0, "no answer");
    }
    if (s->in_flight >= PARALLEL)
        return NULL;
    for (unsigned i = 0; i < REQUESTS_MAX; i++)
        if (s->requests[i].number == 0)
            return &s->requests[i];
    return NULL;
}

/* Small and urgent ones first, then the listing, and a long backlog last. */
static bool
choose(struct kdp_session *s, struct request *request, enum kdp_rest_kind *kindp)
{
    *kindp = KDP_REST_OTHER;
    if (status_ask(s, request))
        return true;
    if (cutoff_ask(s, request))
        return true;
    *kindp = s->config.keyless ? KDP_REST_POLL : KDP_REST_TRADES;
    if (keyless_ready(s) && trades_ask(s, request, false))
        return true;
    if (s->config.keyless &&
        ((keyless_ready(s) && keyless_poll(s, request)) || keyless_sample(s, request, kindp)))
        return true;
    *kindp = KDP_REST_BOOK;
    if (book_ask(s, request))
        return true;
    *kindp = KDP_REST_AUDIT;
    if (audit_ask(s, request))
        return true;
    *kindp = KDP_REST_MARKETS;
    request->what = ASK_LISTING;
    if (listing_ask(s))
        return true;
    *kindp = s->config.keyless
                 ? KDP_REST_POLL
                 : KDP_REST_TRADES; /* what a long pause cost: thousands of pages, behind all else */
    return keyless_ready(s) && trades_ask(s, request, true);
}

bool
rest_work(struct kdp_session *s, struct kdp_action *action)
{
    struct request *request = request_free(s);
    enum kdp_rest_kind kind;

    if (request == NULL) {
        session_wake(s, s->mono + SECOND);
        return false;
    }
    if (s->rest_hold_ns > s->mono) {
        session_wake(s, s->rest_hold_ns);
        return false;
    }
    if (!tokens(s))
        return false;
    memset(request, 0, sizeof *request);
    request->oldest_ns = request->newest_ns = KDP_TIME_NULL;
    if (!choose(s, request, &kind)) {
        request->number = 0;
        return false;
    }
    /* a book is known to the plant by its instrument, everything else by a number of ours */
    request->number = kind == KDP_REST_BOOK || request->what == ASK_AUDIT
                          ? KDP_REST_REQUEST(kind, market_at(s, request->object)->instrument)
                      : request->what == ASK_AUDITS ? KDP_REST_REQUEST(kind, 0)
                                                    : KDP_REST_REQUEST(kind, ++s->next_number);
    request->sent_ns = s->mono;
    s->in_flight++;
    s->tokens_e9 -= COST * E9;
    s->stats.requests++;
    action->kind = KDP_ACTION_GET;
    action->request = request->number;
    action->text = s->out;
    action->len = s->out_len;
    return true;
}

/* ---- answers ---- */

static struct request *
request_find(struct kdp_session *s, uint64_t number)
{
    for (unsigned i = 0; i < REQUESTS_MAX; i++)
        if (s->requests[i].number == number && number != 0)
            return &s->requests[i];
    return NULL;
}

bool
rest_circle(struct circle *circle, const char *cursor)
{
    uint64_t hash = XXH3_64bits(cursor, strlen(cursor));
    bool met = circle->count > 0 && hash == circle->anchor;

    circle->count++;
    if ((circle->count & (circle->count - 1)) == 0)
        circle->anchor = hash;
    return met;
}

/* The plant has worked off an answer; kdp_session_answer follows. */
void
rest_notice(struct kdp_session *s, const struct kdp_notice *notice)
{
    struct request *request = request_find(s, notice->rest.request);
    size_t len = notice->rest.cursor.len;

    if (request == NULL)
        return;
    request->told = true;
    request->items = notice->rest.items;
    request->fresh = notice->rest.fresh;
    request->oldest_ns = notice->rest.oldest_ns;
    request->newest_ns = notice->rest.newest_ns;
    request->refused = notice->rest.refused || len >= sizeof request->cursor;
    len = len < sizeof request->cursor ? len : 0;
    if (len > 0)
        memcpy(request->cursor, notice->rest.cursor.data, len);
    request->cursor[len] = '\0';
}

static void
hold(struct kdp_session *s, int64_t sent_ns, int status, const char *words)
{
    int64_t wait = s->config.backoff_min_ns << (s->rest_tries < 12 ? s->rest_tries : 12);

    if (wait > s->config.backoff_max_ns)
        wait = s->config.backoff_max_ns;
    /* what was under way when the last one failed says nothing more: four answers of one moment are one try */
    if (sent_ns < s->rest_failed_ns)
        return;
    s->rest_failed_ns = s->mono;
    s->rest_hold_ns = s->mono + session_jitter(s, wait);
    if (s->config.keyless && s->rest_tries == 1)
        status_want(s); /* a pause may be why */
    if (++s->rest_tries == 5 && !session_quiet(s))
        session_say(
            s, KDP_ACTION_WARN,
            status == 429
                ? "Others use the same account or address. It is asked more slowly, and nothing is given up"
                : "Is the address right (--base-url)? kdp status asks it. Capture goes on, and so do the "
                  "requests",
            "requests are not answered: %s", words);
}

static void
dispatch(struct kdp_session *s, const struct request *request, int status, const char *body, size_t len,
         const char *words)
{
    if ((request->what == ASK_WINDOW || request->what == ASK_POLL) && status >= 200 && status < 300)
        s->stats.answered = true;
    switch (request->what) {
    case ASK_WINDOW:
        trades_answer(s, request, status, words);
        break;
    case ASK_CUTOFF:
        cutoff_answer(s, status, body, len);
        break;
    case ASK_POLL:
    case ASK_SAMPLE:
    case ASK_QUOTES:
        keyless_answer(s, request, status, words);
        break;
    case ASK_BOOK:
    case ASK_AUDIT:
    case ASK_AUDITS:
        audit_answer(s, request, status);
        break;
    case ASK_LISTING:
        listing_answer(s, request, status, words);
        break;
    default:
        status_answer(s, request, status, body, len);
        break;
    }
}

void
rest_answer(struct kdp_session *s, uint64_t number, int status, int code, const char *body, size_t len,
            const char *words)
{
    struct request *found = request_find(s, number), request;
    char word[64] = "", message[256] = "", said[256], text[300];
    bool again, expired = false;

    if (found == NULL)
        return;
    request = *found;
    found->number = 0;
    s->in_flight--;
    s->dirty = true;
    if (status != 0 && s->keyless.heard_ns == 0)
        s->keyless.heard_ns = s->mono;
    words = words != NULL ? words : "";
    body = body != NULL ? body : "";
    if (status == 429) {
        s->stats.requests_limited++;
        s->tokens_e9 = 0;
    }
    if (status >= 300) {
        kdpi_rest_error(body, len, word, message);
        kdpi_escape(said, sizeof said, message[0] != '\0' ? message : word,
                    strlen(message[0] != '\0' ? message : word));
        if (words[0] == '\0') {
            if (said[0] != '\0')
                snprintf(text, sizeof text, "%d \"%s\"", status, said);
            else
                snprintf(text, sizeof text, "HTTP status %d", status);
            words = text;
        }
        /* signed with a clock that was off: the refusal's Date has told the signer better */
        expired = status == 401 && strcmp(word, "header_timestamp_expired") == 0;
    }
    again = expired || status == 0 || status == 429 || status >= 500 || status == 408 ||
            (status > 200 && status < 300); /* nothing whole */
    /* a page that the plant could not read is no answer either */
    if (!again && status < 300 && request.what >= ASK_WINDOW && request.what != ASK_EVENT &&
        (!request.told || request.refused)) {
        again = true;
        words = "an answer that is not the exchange's";
    }
    if (again) {
        /* the status of an exchange in maintenance comes as 503 with its normal body */
        if (!(request.what == ASK_STATUS && status >= 500) && !(expired && !s->clock_learnt))
            hold(s, request.sent_ns, status, words);
        if (s->config.keyless)
            keyless_refused(s, status, code, words);
        s->clock_learnt |= expired;
        dispatch(s, &request, request.what == ASK_STATUS && status >= 500 ? 200 : 0, body, len, words);
        return;
    }
    s->rest_tries = 0;
    if (s->config.keyless && status >= 300)
        keyless_refused(s, status, code, words);
    dispatch(s, &request, status, body, len, words);
}
