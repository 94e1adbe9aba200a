/* meta_fetch.c - see meta_fetch.h.
 *
 * Work is a list of chains: a chain is a path that is asked for page by page, or once.  Answers make further chains: a market
 * leads to its event, an event to its series.  A listing of the historical tier begins when that of the live tier has ended,
 * so that a market which moves from one to the other meanwhile is in at least one of them. */
#include "meta_fetch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "error.h"
#include "terms.h"

#define UNDER_WAY 16u /* requests given to the asker at once; it spaces them out itself */
#define PATH_MAX_BYTES 3072u
#define NAME_MAX_BYTES 256u /* of a ticker; the exchange's own bound is 200 */

enum what { MARKETS, MARKET, EVENTS, EVENT, SERIES, FEES };

struct chain {
    enum what what;
    bool historical, essential;
    char *path; /* without cursor */
    char name[NAME_MAX_BYTES];
};

struct seen { /* a set of 64-bit hashes: of what was asked for, and of cursors */
    uint64_t *slots;
    size_t count, size;
};

struct fetch {
    struct kdp_asker *asker;
    struct kdp_history *history;
    struct kdp_terms *terms;
    struct kdp_rest_reader *reader;
    const struct kdp_meta_hooks *hooks;
    struct kdp_meta_totals *totals;
    bool beside; /* events, series and fees too */
    struct chain *chains;
    size_t count, room, next; /* chains before next have been started */
    struct seen seen;
    const struct chain *chain; /* whose answer is being read */
    int rc;                    /* of the row that could not be filed */
    bool missing;              /* memory ran out while chains were added */
};

/* ---- sets and chains ---- */

/* seen_add says whether the text is new. */
static bool
seen_add(struct fetch *fetch, uint64_t kind, const char *text, size_t len)
{
    struct seen *seen = &fetch->seen;
    uint64_t hash = XXH3_64bits_withSeed(text, len, kind) | 1;
    size_t at;

    if ((seen->count + 1) * 2 > seen->size) {
        size_t size = seen->size > 0 ? seen->size * 2 : 1024;
        uint64_t *slots = calloc(size, sizeof *slots);

        if (slots == NULL) {
            fetch->missing = true;
            return false;
        }
        for (size_t i = 0; i < seen->size; i++) {
            if (seen->slots[i] == 0)
                continue;
            for (at = seen->slots[i] >> 1 & (size - 1); slots[at] != 0; at = (at + 1) & (size - 1))
                ;
            slots[at] = seen->slots[i];
        }
        free(seen->slots);
        seen->slots = slots;
        seen->size = size;
    }
    for (at = hash >> 1 & (seen->size - 1); seen->slots[at] != 0; at = (at + 1) & (seen->size - 1)) {
        if (seen->slots[at] == hash)
            return false;
    }
    seen->slots[at] = hash;
    seen->count++;
    return true;
}

/* chain_add remembers a path to ask for, unless it has been asked for.  A %s in fmt stands for name, escaped. */
static void
chain_add(struct fetch *fetch, enum what what, bool historical, bool essential, const char *fmt,
          struct kdp_text name)
{
    char escaped[3 * NAME_MAX_BYTES + 1] = "", path[PATH_MAX_BYTES];
    const char *mark = strstr(fmt, "%s");
    struct chain *chain;

    if (mark != NULL && (name.len == 0 || name.len >= NAME_MAX_BYTES ||
                         !kdpi_query_escape(escaped, sizeof escaped, name.data, name.len)))
        return;
    if (mark != NULL)
        snprintf(path, sizeof path, "%.*s%s%s", (int)(mark - fmt), fmt, escaped, mark + 2);
    else
        snprintf(path, sizeof path, "%s", fmt);
    if (!seen_add(fetch, 0, path, strlen(path)))
        return;
    if (fetch->count == fetch->room) {
        size_t room = fetch->room > 0 ? fetch->room * 2 : 64;
        struct chain *chains = realloc(fetch->chains, room * sizeof *chains);

        if (chains == NULL) {
            fetch->missing = true;
            return;
        }
        fetch->chains = chains;
        fetch->room = room;
    }
    chain = &fetch->chains[fetch->count];
    chain->what = what;
    chain->historical = historical;
    chain->essential = essential;
    snprintf(chain->name, sizeof chain->name, "%.*s", (int)(mark != NULL ? name.len : 0), name.data);
    chain->path = strdup(path);
    if (chain->path == NULL)
        fetch->missing = true;
    else
        fetch->count++;
}

static struct kdp_text
text_of(const char *word)
{
    return (struct kdp_text){word, strlen(word)};
}

static void
want_series(struct fetch *fetch, struct kdp_text series)
{
    if (!fetch->beside)
        return;
    chain_add(fetch, SERIES, false, false, "/series/%s", series);
    chain_add(fetch, FEES, false, false, "/series/fee_changes?series_ticker=%s&show_historical=true", series);
}

static void
want_event(struct fetch *fetch, struct kdp_text event)
{
    if (!fetch->beside)
        return;
    chain_add(fetch, EVENT, false, false, "/events/%s", event);
    chain_add(fetch, FEES, false, false, "/events/fee_changes?event_ticker=%s&show_historical=true", event);
}

static void
want_all(struct fetch *fetch, const struct kdp_meta_scope *scope)
{
    static const struct kdp_text none = {"", 0};

    for (unsigned i = 0; i < scope->ticker_count; i++)
        chain_add(fetch, MARKET, false, true, "/markets/%s", text_of(scope->tickers[i]));
    for (unsigned i = 0; i < scope->event_count; i++) {
        want_event(fetch, text_of(scope->events[i]));
        chain_add(fetch, MARKETS, false, true, "/markets?event_ticker=%s&limit=1000",
                  text_of(scope->events[i]));
    }
    for (unsigned i = 0; i < scope->series_count; i++) {
        struct kdp_text series = text_of(scope->series[i]);
        bool combos = strncmp(scope->series[i], "KXMVE", 5) == 0;

        want_series(fetch, series);
        if (fetch->beside) {
            chain_add(fetch, EVENTS, false, false,
                      combos ? "/events/multivariate?series_ticker=%s&limit=200"
                             : "/events?series_ticker=%s&limit=200",
                      series);
            chain_add(fetch, FEES, false, false, "/events/fee_changes?show_historical=true", none);
        }
        chain_add(fetch, MARKETS, false, true, "/markets?series_ticker=%s&limit=1000", series);
    }
    if (!scope->all)
        return;
    if (fetch->beside) {
        chain_add(fetch, SERIES, false, false, "/series", none);
        chain_add(fetch, EVENTS, false, false, "/events?limit=200", none);
        chain_add(fetch, FEES, false, false, "/series/fee_changes?show_historical=true", none);
        chain_add(fetch, FEES, false, false, "/events/fee_changes?show_historical=true", none);
    }
    chain_add(fetch, MARKETS, false, true, "/markets?mve_filter=exclude&limit=1000", none);
}

/* The same of the other tier, when the live one has been read. */
static void
want_historical(struct fetch *fetch, const struct chain *live)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof path, "/historical%s", live->path);
    chain_add(fetch, live->what, true, false, path, (struct kdp_text){"", 0});
    if (fetch->count > 0 && strcmp(fetch->chains[fetch->count - 1].path, path) == 0)
        memcpy(fetch->chains[fetch->count - 1].name, live->name, sizeof live->name);
}

/* ---- answers ---- */

static bool
filed(struct fetch *fetch, int rc)
{
    if (fetch->rc == 0)
        fetch->rc = rc;
    return fetch->rc == 0;
}

static bool
on_market(void *arg, const struct kdp_rest_market *market)
{
    struct fetch *fetch = arg;

    fetch->totals->markets++;
    fetch->totals->historical += fetch->chain->historical;
    if (fetch->hooks->market != NULL)
        fetch->hooks->market(fetch->hooks->arg, market, fetch->chain->historical);
    if (fetch->chain->what == MARKET) /* chains may move: fetch->chain is not used after this */
        want_event(fetch, market->event_ticker);
    return fetch->terms == NULL || filed(fetch, kdp_terms_market(fetch->terms, market));
}

static bool
on_event(void *arg, const struct kdp_rest_event *event)
{
    struct fetch *fetch = arg;

    fetch->totals->events++;
    want_series(fetch, event->series_ticker);
    return fetch->terms == NULL || filed(fetch, kdp_terms_event(fetch->terms, event));
}

static bool
on_series(void *arg, const struct kdp_rest_series *series)
{
    struct fetch *fetch = arg;

    fetch->totals->series++;
    return fetch->terms == NULL || filed(fetch, kdp_terms_series(fetch->terms, series));
}

static bool
on_fee_change(void *arg, const struct kdp_rest_fee_change *change)
{
    struct fetch *fetch = arg;

    fetch->totals->fee_changes++;
    return fetch->terms == NULL || filed(fetch, kdp_terms_fee_change(fetch->terms, change));
}

static int
start(struct fetch *fetch, size_t index, const char *cursor)
{
    const struct chain *chain = &fetch->chains[index];
    char path[PATH_MAX_BYTES + 3 * 1024 + 16];
    size_t used;

    used = (size_t)snprintf(path, sizeof path, "%s", chain->path);
    if (cursor[0] != '\0') {
        used += (size_t)snprintf(path + used, sizeof path - used,
                                 "%ccursor=", strchr(chain->path, '?') != NULL ? '&' : '?');
        if (!kdpi_query_escape(path + used, sizeof path - used, cursor, strlen(cursor)))
            return kdpi_fail(KDP_EFORMAT, "%s: a cursor of %zu bytes", chain->path, strlen(cursor));
    }
    return kdp_asker_get(fetch->asker, index, path);
}

static void
note_refused(struct fetch *fetch, const struct chain *chain, const struct kdp_rest_end *end)
{
    if (end->refused > 0 && fetch->totals->refused == 0)
        snprintf(fetch->totals->refused_why, sizeof fetch->totals->refused_why, "%s: %s of %s: %s",
                 chain->path, end->member != NULL ? end->member : "a value",
                 chain->what == MARKETS || chain->what == MARKET ? "a market" : "an item",
                 kdpi_refusal_text(end->item_refusal));
    fetch->totals->refused += end->refused;
}

/* Reads one answer of status 200; *againp: it could not be read. */
static int
read_answer(struct fetch *fetch, size_t index, const struct kdp_asker_answer *answer, bool *againp)
{
    struct chain chain = fetch->chains[index];
    struct kdp_rest_end end = {0};
    int rc = 0;

    fetch->chain = &chain;
    if (fetch->history != NULL)
        kdp_history_seen(fetch->history, answer->got_ns - answer->age_ns);
    switch (chain.what) {
    case MARKETS:
    case MARKET:
        kdpi_rest_markets(fetch->reader, answer->body, answer->len, on_market, fetch, &end);
        break;
    case EVENTS:
    case EVENT:
        kdpi_rest_events(fetch->reader, answer->body, answer->len, on_event, fetch, &end);
        break;
    case SERIES:
        kdpi_rest_series(fetch->reader, answer->body, answer->len, on_series, fetch, &end);
        break;
    case FEES:
        kdpi_rest_fee_changes(fetch->reader, answer->body, answer->len, on_fee_change, fetch, &end);
        break;
    }
    fetch->chain = NULL;
    *againp = fetch->rc == 0 && end.refusal != KDP_REFUSAL_NONE;
    if (fetch->rc != 0 || *againp)
        return fetch->rc;
    note_refused(fetch, &chain, &end);
    if (end.cursor[0] != '\0' && chain.what != MARKET && chain.what != EVENT) {
        if (seen_add(fetch, index + 1, end.cursor, strlen(end.cursor)))
            return start(fetch, index, end.cursor);
        fetch->totals->looped++;
    }
    if (chain.what == MARKETS && !chain.historical)
        want_historical(fetch, &chain);
    return rc;
}

static int
take(struct fetch *fetch, struct kdp_asker_answer *answer)
{
    size_t index = (size_t)answer->request;
    bool again = false;
    int rc = 0;

    KDP_ASSERT(index < fetch->count);
    if (answer->status == 200) {
        rc = read_answer(fetch, index, answer, &again);
        if (again)
            return kdp_asker_again(fetch->asker, answer, "it is not what was asked for");
    } else if (answer->status == 404 || (!fetch->chains[index].essential && answer->status < 500 &&
                                         answer->status != 401 && answer->status != 429)) {
        struct chain chain = fetch->chains[index];

        if ((chain.what == MARKET || chain.what == MARKETS) && !chain.historical)
            want_historical(fetch, &chain);
        else
            fetch->totals->absent++;
    } else {
        rc = kdp_asker_refused(fetch->asker, answer);
    }
    fetch->totals->requests++;
    kdp_asker_free(answer);
    if (rc == 0 && fetch->missing)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    if (rc == 0 && fetch->history != NULL && kdp_history_full(fetch->history))
        rc = kdp_history_flush(fetch->history);
    return rc;
}

static int
work(struct fetch *fetch)
{
    int rc = 0;

    while (rc == 0) {
        struct kdp_asker_answer *answer;
        uint64_t request;

        while (rc == 0 && fetch->next < fetch->count && kdp_asker_pending(fetch->asker) < UNDER_WAY)
            rc = start(fetch, fetch->next++, "");
        if (rc != 0 || kdp_asker_pending(fetch->asker) == 0)
            break;
        rc = kdp_asker_next(fetch->asker, &answer, &request);
        if (rc == 0)
            rc = take(fetch, answer);
        if (rc == 0 && fetch->hooks->progress != NULL)
            fetch->hooks->progress(fetch->hooks->arg, fetch->totals);
    }
    return rc;
}

int
kdp_meta_fetch(struct kdp_asker *asker, struct kdp_history *history, const struct kdp_meta_scope *scope,
               const struct kdp_meta_hooks *hooks, struct kdp_meta_totals *totals)
{
    static const struct kdp_meta_hooks none = {0};
    struct fetch fetch = {.asker = asker,
                          .history = history,
                          .hooks = hooks != NULL ? hooks : &none,
                          .totals = totals,
                          .beside = !scope->markets_only};
    int rc = 0;

    memset(totals, 0, sizeof *totals);
    fetch.reader = kdpi_rest_open();
    if (fetch.reader == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory");
    else if (history != NULL)
        rc = kdp_terms_open(&fetch.terms, history);
    if (rc == 0) {
        kdpi_rest_want_terms(fetch.reader, true);
        want_all(&fetch, scope);
        rc = fetch.missing ? kdpi_fail(KDP_ENOMEM, "out of memory") : work(&fetch);
    }
    if (fetch.terms != NULL) {
        struct kdp_terms_totals given;

        kdp_terms_totals(fetch.terms, &given);
        totals->texts = given.texts;
    }
    kdp_terms_close(fetch.terms);
    kdpi_rest_close(fetch.reader);
    for (size_t i = 0; i < fetch.count; i++)
        free(fetch.chains[i].path);
    free(fetch.chains);
    free(fetch.seen.slots);
    return rc;
}
