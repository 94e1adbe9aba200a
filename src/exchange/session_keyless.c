/* session_keyless.c - a run without a key: trades of all markets polled, books and best prices of some sampled.
 *
 * Polls are for freshness alone: newest first, from a little before the newest trade known, until a page adds nothing.  What
 * makes the trades complete are the windows of session_trades.c, read whole when REST can lag no more; a poll that fails or is
 * cut short loses nothing.  Answers may come out of a cache of 15 s, so nothing here takes one for the present moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "session_private.h"

#define BUSIEST 100u      /* sampled when no rules are given */
#define SINGLES_MAX 200u  /* so many when each book is a request of its own */
#define BATCH 100u        /* the exchange's bound */
#define BATCH_BYTES 5300u /* of a path that every server takes */
#define POLL_PAGES 2000u  /* of one poll: what is older the windows read */
#define REFUSED_AGAIN (10 * SECOND)
#define CLOCK_WAIT (2 * SECOND) /* for the exchange's time, after its first answer */

void
keyless_begin(struct kdp_session *s)
{
    s->keyless.began_ns = s->mono;
    s->keyless.began_wall = s->wall;
    s->keyless.next = s->keyless.at = 0;
    trades_begin(s, s->mono);
}

/* ---- which books ---- */

void
keyless_fits(struct kdp_session *s, struct market *m, bool fits)
{
    uint16_t was = m->flags & MARKET_FIT;

    m->flags = (uint16_t)(fits ? m->flags | MARKET_FIT : m->flags & ~MARKET_FIT);
    if ((m->flags & MARKET_FIT) != was)
        s->keyless.choose = true;
}

static bool
busier(const struct kdp_session *s, uint32_t a, uint32_t b)
{
    const struct market *x = &s->markets[a], *y = &s->markets[b];

    return x->volume_e2 != y->volume_e2 ? x->volume_e2 > y->volume_e2 : a < b;
}

/* chosen is a heap while it is filled, its least busy market first. */
static void
sink(struct kdp_session *s, uint32_t place)
{
    uint32_t *at = s->keyless.chosen;

    for (uint32_t child; (child = 2 * place + 1) < s->keyless.count; place = child) {
        uint32_t kept = at[place];

        if (child + 1 < s->keyless.count && busier(s, at[child], at[child + 1]))
            child++;
        if (!busier(s, kept, at[child]))
            return;
        at[place] = at[child];
        at[child] = kept;
    }
}

static void
offer(struct kdp_session *s, uint32_t slot, uint32_t most)
{
    uint32_t *at = s->keyless.chosen;

    if (s->keyless.count < most) {
        at[s->keyless.count++] = slot;
        if (s->keyless.count == most)
            for (uint32_t place = most / 2; place-- > 0;)
                sink(s, place);
    } else if (most > 0 && busier(s, slot, at[0])) {
        at[0] = slot;
        sink(s, 0);
    }
}

static int
by_slot(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static uint32_t
samples_most(const struct kdp_session *s)
{
    uint32_t most = s->all ? BUSIEST : s->config.samples_max;

    return s->keyless.single && most > SINGLES_MAX ? SINGLES_MAX : most;
}

static void
tell_chosen(struct kdp_session *s, uint32_t fit, uint32_t most)
{
    uint32_t left_out = fit > most ? fit - most : 0;

    if (s->keyless.chosen_once && (left_out > 0) == (s->keyless.left_out > 0))
        return;
    s->keyless.left_out = left_out;
    if (left_out > 0 && !s->all)
        session_say(s, KDP_ACTION_WARN,
                    "Narrower rules sample all they name: --series, --event, --ticker, --min-volume",
                    "books: the busiest %u of %u markets that fit are sampled", most, fit);
    else if (left_out > 0)
        session_say(s, KDP_ACTION_NOTICE, "",
                    "books: the busiest %u of %u markets are sampled (others: --series, --event, --ticker)",
                    most, fit);
    else
        session_say(s, KDP_ACTION_NOTICE, "", "books: %u are sampled each %lld s", fit,
                    (long long)(s->config.sample_ns / SECOND));
}

/* The busiest of those that the rules want, as many as can be asked for politely. */
static void
choose(struct kdp_session *s)
{
    uint32_t most = samples_most(s), fit = 0, next = 0;
    uint32_t after = s->keyless.at > 0 && s->keyless.at <= s->keyless.count
                         ? s->keyless.chosen[s->keyless.at - 1]
                         : 0; /* the round under way has come so far */

    s->keyless.choose = false;
    s->keyless.choose_ns = s->mono + SECOND;
    s->keyless.count = 0;
    for (uint32_t slot = 1; slot < s->slots; slot++)
        if (s->markets[slot].instrument != 0 && (s->markets[slot].flags & MARKET_FIT) != 0) {
            fit++;
            offer(s, slot, most);
        }
    qsort(s->keyless.chosen, s->keyless.count, sizeof *s->keyless.chosen, by_slot);
    for (uint32_t slot = 1; slot < s->slots; slot++) {
        struct market *m = &s->markets[slot];

        if (next < s->keyless.count && s->keyless.chosen[next] == slot) {
            next++;
            session_plan(s, m);
        } else if (m->instrument != 0) {
            market_unplan(s, m);
        }
    }
    /* places are others now; it goes on behind the market it had reached, or markets that come and go would keep it from its end */
    for (s->keyless.at = 0; s->keyless.at < s->keyless.count && s->keyless.chosen[s->keyless.at] <= after;)
        s->keyless.at++;
    s->keyless.next = s->keyless.at;
    s->keyless.quotes = false;
    if (!s->keyless.chosen_once)
        s->keyless.round_due_ns = s->mono;
    tell_chosen(s, fit, most);
    s->keyless.chosen_once = true;
    s->dirty = true;
}

void
keyless_work(struct kdp_session *s)
{
    /* volumes are known when the listing is whole; a market that opened meanwhile waits for its end */
    if (!s->keyless.choose || s->listing.running || !s->stats.listed || s->stopping)
        return;
    if (s->mono < s->keyless.choose_ns)
        session_wake(s, s->keyless.choose_ns);
    else
        choose(s);
}

/* ---- trades ---- */

/* With a clock that is behind, the first poll would fetch what was traded before the stream, and history may have filed that. */
bool
keyless_ready(struct kdp_session *s)
{
    const struct keyless *k = &s->keyless;

    if (!s->config.keyless || k->clock_known)
        return true;
    if (k->heard_ns == 0)
        return false; /* its answer makes the session look again */
    if (s->mono >= k->heard_ns + CLOCK_WAIT)
        return true;
    session_wake(s, k->heard_ns + CLOCK_WAIT);
    return false;
}

bool
keyless_poll(struct kdp_session *s, struct request *request)
{
    struct keyless *k = &s->keyless;

    if (k->asked)
        return false;
    if (!k->walking) {
        if (s->mono < k->due_ns) {
            session_wake(s, k->due_ns);
            return false;
        }
        k->walking = true;
        k->pages = 0;
        k->cursor[0] = '\0';
        k->due_ns = s->mono + s->config.trade_poll_ns;
        k->to_ns = s->stopping ? k->stop_ns : KDP_TIME_NULL;
        k->from_ns =
            s->last_trade_ns != KDP_TIME_NULL && s->last_trade_ns - s->config.window_pad_ns > s->audited_ns
                ? s->last_trade_ns - s->config.window_pad_ns
                : s->audited_ns;
    }
    k->asked = true;
    request->what = ASK_POLL;
    return trades_path(s, false, k->from_ns, k->to_ns, k->cursor);
}

static void
poll_answer(struct kdp_session *s, const struct request *request, int status, const char *words)
{
    struct keyless *k = &s->keyless;

    k->asked = false;
    if (status == 0)
        return; /* the same page again, when requests are answered again */
    if (status >= 300) {
        k->walking = false;
        k->due_ns = s->mono + REFUSED_AGAIN;
        if (status == 400 && !s->no_bounds && k->cursor[0] == '\0') {
            s->no_bounds = true;
            k->due_ns = s->mono;
            return;
        }
        if (!k->refused_said)
            session_say(s, KDP_ACTION_WARN, "It is asked again each 10 s; what is missed is fetched then",
                        "trades cannot be polled: %s", words);
        k->refused_said = true;
        return;
    }
    k->refused_said = false;
    s->stats.polls++;
    if (request->fresh == 0 || request->cursor[0] == '\0' || strcmp(request->cursor, k->cursor) == 0 ||
        ++k->pages >= POLL_PAGES ||
        (request->oldest_ns != KDP_TIME_NULL && request->oldest_ns < k->from_ns)) {
        k->walking = false;
        return;
    }
    memcpy(k->cursor, request->cursor, sizeof k->cursor);
}

/* ---- books ---- */

static bool
is_sampled(struct kdp_session *s, uint32_t place)
{
    const struct market *m = market_at(s, s->keyless.chosen[place]);

    return m->instrument != 0 && (m->flags & MARKET_PLANNED) != 0 && m->status < KDP_MARKET_STATUS_CLOSED;
}

/* Writes the names of the batch from at on, each after what stands between them; gives the place behind the last. */
static uint32_t
names(struct kdp_session *s, const char *first, const char *other, uint32_t *countp)
{
    uint32_t place = s->keyless.at, end = s->keyless.quotes ? s->keyless.next : s->keyless.count, count = 0;

    for (; place < end && count < BATCH && s->out_len < BATCH_BYTES; place++) {
        const char *before = count == 0 ? first : other, *name;
        size_t len;

        if (!is_sampled(s, place))
            continue;
        name = market_name(s, market_at(s, s->keyless.chosen[place]), &len);
        out_put(s, before, strlen(before));
        out_escape(s, name, len);
        count++;
    }
    *countp = count;
    return place;
}

/* One book of the batch, where the exchange gives no batches. */
static bool
ask_single(struct kdp_session *s, struct request *request, enum kdp_rest_kind *kindp)
{
    struct keyless *k = &s->keyless;

    while (k->at < k->count && !is_sampled(s, k->at))
        k->at++;
    if (k->at >= k->count)
        return false;
    *kindp = KDP_REST_SAMPLE;
    if (!book_path(s, market_at(s, k->chosen[k->at])->instrument, request)) {
        k->at++;
        return false;
    }
    k->at++;
    request->what = ASK_SAMPLE;
    return true;
}

static bool
ask_batch(struct kdp_session *s, struct request *request, enum kdp_rest_kind *kindp)
{
    struct keyless *k = &s->keyless;
    uint32_t count = 0;

    out_begin(s);
    if (!k->quotes && !k->single && !k->none) {
        *kindp = KDP_REST_SAMPLE;
        request->what = ASK_SAMPLE;
        out_put(s, "/markets/orderbooks", 19);
        k->next = names(s, "?tickers=", "&tickers=", &count);
        k->quotes = true;
        if (count > 0)
            return true;
        out_begin(s);
    }
    *kindp = KDP_REST_QUOTES;
    request->what = ASK_QUOTES;
    out_put(s, "/markets?limit=1000", 19);
    k->next = names(s, "&tickers=", ",", &count);
    k->quotes = false;
    k->at = k->next;
    return count > 0;
}

/* A round: books of a batch, prices of the same, and the next batch; where books come one by one, they follow the prices. */
bool
keyless_sample(struct kdp_session *s, struct request *request, enum kdp_rest_kind *kindp)
{
    struct keyless *k = &s->keyless;

    if (s->stopping || k->count == 0)
        return false;
    if (k->round_ns == 0) {
        if (s->mono < k->round_due_ns) {
            session_wake(s, k->round_due_ns);
            return false;
        }
        k->round_ns = s->mono;
        k->round_due_ns = s->mono + s->config.sample_ns;
        k->at = k->next = 0;
        k->quotes = k->singles = false;
    }
    while (!k->singles && k->at < k->count)
        if (ask_batch(s, request, kindp))
            return true;
    if (k->single && !k->none) {
        if (!k->singles) {
            k->singles = true;
            k->at = 0;
        }
        while (k->at < k->count)
            if (ask_single(s, request, kindp))
                return true;
    }
    s->stats.sample_round_ns = s->mono - k->round_ns;
    k->round_ns = 0;
    session_wake(s, k->round_due_ns);
    return false;
}

static void
sample_answer(struct kdp_session *s, const struct request *request, int status, const char *words)
{
    struct keyless *k = &s->keyless;
    bool refused = status == 400 || status == 401 || status == 403 || status == 404 || status == 405;

    if (status >= 200 && status < 300) {
        s->stats.samples += request->items;
    } else if (refused && request->object == 0 && !k->single) {
        k->single = k->choose = true; /* it has no such request, or not for us */
        session_say(s, KDP_ACTION_NOTICE, "", "books are asked for one by one: %s", words);
    } else if ((status == 401 || status == 403) && request->object != 0 && !k->none) {
        k->none = true;
        session_say(s, KDP_ACTION_WARN,
                    "Trades and best prices go on. With a key there are live books: kdp run",
                    "books are not public here: %s", words);
    }
}

/* ---- answers ---- */

void
keyless_answer(struct kdp_session *s, const struct request *request, int status, const char *words)
{
    if (request->what != ASK_POLL &&
        status == 0) /* not answered: the next round begins when requests are answered again */
        s->keyless.round_due_ns = s->mono;
    if (request->what == ASK_POLL)
        poll_answer(s, request, status, words);
    else if (request->what == ASK_SAMPLE)
        sample_answer(s, request, status, words);
}

/* A stream that never comes up ends a run with words; so does an address at which there is no exchange. */
void
keyless_refused(struct kdp_session *s, int status, int code, const char *words)
{
    struct keyless *k = &s->keyless;

    snprintf(k->words, sizeof k->words, "%s", words);
    k->reached = k->reached || status == 429 || status == 408 || status >= 500;
    if (s->stats.answered || k->reached || s->stopping)
        return;
    if (status == 0 && code == KDP_EREFUSED)
        session_fail(s, code, "", "%s", words);
    else if (s->mono - k->began_ns > s->config.silence_ns)
        session_fail(s, status == 0 ? KDP_ENET : KDP_EREFUSED,
                     "Is the address right (--base-url, KALSHI_BASE_URL)? kdp status asks it",
                     "no trades could be read in %lld s: %s", (long long)(s->config.silence_ns / SECOND),
                     words);
}
