/* backfill_markets.c - which markets a scope means: listed from both tiers, every page of them, settled ones too. */
#include "backfill_run.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "clock.h"
#include "error.h"
#include "memory.h"
#include "message.h"
#include "words.h"

#define PAGES_MAX 100000u
#define BEGINNINGS_MAX 3u /* of a list whose cursor is refused, or leads back */
#define NEAREST 3
#define PATH_MAX_LEN 2048

enum kind { ONE, LIST };

struct listing {
    enum kind kind;
    char path[PATH_MAX_LEN]; /* without its cursor */
    char cursor[1024];
    size_t market; /* of ONE */
    bool old;      /* of the historical tier */
    unsigned pages, beginnings;
    uint64_t *seen; /* hashes of its cursors */
    size_t seen_count, seen_room;
};

struct finding {
    struct backfill_run *run;
    struct listing *listings;
    size_t count, room;
    const char *const *globs; /* of --ticker with * or ?: what a listed market must match */
    unsigned glob_count;
    struct listing *current;
    uint64_t odd; /* names that are none */
    int rc;
};

/* ---- the list ---- */
static int
by_ticker(const void *a, const void *b)
{
    return strcmp(((const struct backfill_market *)a)->ticker, ((const struct backfill_market *)b)->ticker);
}

void
kdp_backfill_markets_sort(struct backfill_run *run)
{
    size_t kept = 0;

    if (run->market_count == 0)
        return;
    qsort(run->markets, run->market_count, sizeof *run->markets, by_ticker);
    for (size_t i = 0; i < run->market_count;
         i++) { /* a market that was moving between the tiers is in both lists */
        if (kept > 0 && strcmp(run->markets[kept - 1].ticker, run->markets[i].ticker) == 0) {
            struct backfill_market *twice = &run->markets[i], keep = run->markets[kept - 1];

            if (!keep.known && twice->known) {
                run->markets[kept - 1] = *twice;
                *twice = keep;
            }
            free(twice->ticker);
            free(twice->event);
            free(twice->ranges);
            kdp_proof_release(&twice->proof);
            continue;
        }
        run->markets[kept++] = run->markets[i];
    }
    run->market_count = kept;
}

struct backfill_market *
kdp_backfill_market_find(struct backfill_run *run, const char *ticker)
{
    struct backfill_market key = {.ticker = (char *)(uintptr_t)ticker};

    return run->market_count == 0
               ? NULL
               : bsearch(&key, run->markets, run->market_count, sizeof *run->markets, by_ticker);
}

struct backfill_market *
kdp_backfill_market_add(struct backfill_run *run, const char *ticker, size_t len)
{
    struct backfill_market *market,
        *markets = kdpi_grow(run->markets, &run->market_room, sizeof *markets, run->market_count + 1);

    if (markets == NULL)
        return NULL;
    run->markets = markets;
    market = &markets[run->market_count];
    *market = (struct backfill_market){.open_ns = KDP_TIME_NULL,
                                       .close_ns = KDP_TIME_NULL,
                                       .settled_ns = KDP_TIME_NULL,
                                       .volume_e2 = KDP_INT64_NULL,
                                       .from_ns = run->start_ns,
                                       .to_ns = run->end_ns,
                                       .ticker = strndup(ticker, len)};
    if (market->ticker == NULL) {
        kdpi_fail(KDP_ENOMEM, "no memory for another market");
        return NULL;
    }
    run->market_count++;
    return market;
}

void
kdp_backfill_markets_release(struct backfill_run *run)
{
    for (size_t i = 0; i < run->market_count; i++) {
        free(run->markets[i].ticker);
        free(run->markets[i].event);
        free(run->markets[i].ranges);
        kdp_proof_release(&run->markets[i].proof);
    }
    free(run->markets);
    run->markets = NULL;
    run->market_count = run->market_room = 0;
}

/* ---- what a listing says ---- */
/* Terms that contradict themselves tell no life. */
static bool
tells_life(const struct kdp_rest_market *market)
{
    return market->open_ns == KDP_TIME_NULL || market->close_ns == KDP_TIME_NULL ||
           market->close_ns > market->open_ns;
}

static int
fill(struct backfill_market *market, const struct kdp_rest_market *from, bool old)
{
    market->known = true;
    market->old = old;
    market->event =
        strndup(from->event_ticker.data != NULL ? from->event_ticker.data : "", from->event_ticker.len);
    market->open_ns = from->open_ns;
    market->close_ns = from->close_ns;
    if (!tells_life(from))
        market->open_ns = market->close_ns = KDP_TIME_NULL;
    market->settled_ns = from->settlement_ns;
    market->volume_e2 = from->volume_e2;
    market->range_count = from->range_count;
    market->ranges = calloc(from->range_count + 1u, sizeof *market->ranges);
    if (market->event == NULL || market->ranges == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for another market");
    memcpy(market->ranges, from->ranges, from->range_count * sizeof *market->ranges);
    return 0;
}

/* The part of the range in which the market lived: what its candles are asked for.  Its trades are asked for in the whole
 * range (kdp_backfill_plan): terms may be wrong, and a trade outside them is to be found, not passed over. */
static bool
touches(const struct backfill_run *run, struct backfill_market *market)
{
    if (market->open_ns != KDP_TIME_NULL && market->open_ns - KDP_BACKFILL_SLACK > market->from_ns)
        market->from_ns = market->open_ns - KDP_BACKFILL_SLACK;
    if (market->close_ns != KDP_TIME_NULL && market->close_ns + KDP_BACKFILL_SLACK < market->to_ns)
        market->to_ns = market->close_ns + KDP_BACKFILL_SLACK;
    return market->from_ns < market->to_ns && market->from_ns < run->end_ns && market->to_ns > run->start_ns;
}

static bool
is_named(const struct backfill_run *run, const char *ticker)
{
    const char *const *names;
    unsigned count = kdp_cli_list(run->cli, "ticker", &names);
    bool named = false;

    for (unsigned i = 0; i < count && !named; i++)
        named = strcmp(names[i], ticker) == 0;
    return named;
}

/* What may be a market's name: it stands in requests, in SQL and in the manifest, and "*" there means all. */
static bool
is_name(const char *text, size_t len)
{
    bool plain = len > 0 && len <= KDPI_TICKER_MAX;

    for (size_t i = 0; i < len && plain; i++)
        plain = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
                (text[i] >= 'a' && text[i] <= 'z') || strchr("-._:~+@", text[i]) != NULL;
    return plain;
}

static bool
listed(void *arg, const struct kdp_rest_market *from)
{
    struct finding *finding = arg;
    struct backfill_run *run = finding->run;
    struct backfill_market *market;
    char ticker[256];

    if (finding->current->kind == ONE) {
        market = &run->markets[finding->current->market];
        if (!market->known)
            finding->rc = fill(market, from, finding->current->old);
        return false;
    }
    if (!is_name(from->ticker.data, from->ticker.len)) {
        finding->odd++;
        return true;
    }
    snprintf(ticker, sizeof ticker, "%.*s", (int)from->ticker.len, from->ticker.data);
    if (finding->glob_count > 0) {
        bool match = false;

        for (unsigned i = 0; i < finding->glob_count && !match; i++)
            match = fnmatch(finding->globs[i], ticker, 0) == 0;
        if (!match)
            return true;
    }
    /* one whose life does not touch the range is not kept: a glob goes over every market there is */
    if (tells_life(from) &&
        ((from->open_ns != KDP_TIME_NULL && from->open_ns - KDP_BACKFILL_SLACK >= run->end_ns) ||
         (from->close_ns != KDP_TIME_NULL && from->close_ns + KDP_BACKFILL_SLACK <= run->start_ns)))
        return true;
    market = kdp_backfill_market_add(run, ticker, from->ticker.len);
    finding->rc = market != NULL ? fill(market, from, finding->current->old) : -KDP_ENOMEM;
    return finding->rc == 0;
}

/* ---- asking ---- */
static struct listing *
add(struct finding *finding, enum kind kind, bool old)
{
    struct listing *listings =
        kdpi_grow(finding->listings, &finding->room, sizeof *listings, finding->count + 1);

    if (listings == NULL)
        return NULL;
    finding->listings = listings;
    listings[finding->count] = (struct listing){.kind = kind, .old = old};
    return &listings[finding->count++];
}

static int
add_list(struct finding *finding, const char *filter, const char *value)
{
    for (int old = 0; old < 2; old++) {
        struct listing *l = add(finding, LIST, old == 1);

        if (l == NULL)
            return -KDP_ENOMEM;
        snprintf(l->path, sizeof l->path, "/%s?limit=1000&%s=", old ? "historical/markets" : "markets",
                 filter);
        if (!kdpi_query_escape(l->path, sizeof l->path, value, strlen(value)))
            return kdpi_fail(KDP_EUSAGE, "too long for a name: %s", value);
    }
    return 0;
}

static int
ask(struct finding *finding, size_t index)
{
    struct listing *l = &finding->listings[index];
    char path[PATH_MAX_LEN + 3 * sizeof l->cursor];

    snprintf(path, sizeof path, "%s", l->path);
    if (l->cursor[0] != '\0') {
        strcat(path, "&cursor=");
        kdpi_query_escape(path, sizeof path, l->cursor, strlen(l->cursor));
    }
    return kdp_asker_get(finding->run->ask.asker, index, path);
}

static int
one_path(struct finding *finding, size_t index)
{
    struct listing *l = &finding->listings[index];

    snprintf(l->path, sizeof l->path, "/%smarkets/", l->old ? "historical/" : "");
    kdpi_query_escape(l->path, sizeof l->path, finding->run->markets[l->market].ticker,
                      strlen(finding->run->markets[l->market].ticker));
    return ask(finding, index);
}

/* begin_again lists from the first page on; a market that is listed twice is one when they are sorted. */
static int
begin_again(struct finding *finding, struct listing *l, const char *why)
{
    int rc;

    l->cursor[0] = '\0';
    l->seen_count = l->pages = 0;
    if (++l->beginnings <= BEGINNINGS_MAX)
        return ask(finding, (size_t)(l - finding->listings));
    rc = kdpi_fail(KDP_EFORMAT, "the list of markets cannot be read to its end: %s: %s", l->path, why);
    kdpi_hint("Try again; kdp status tells how the exchange is");
    return rc;
}

/* next_page asks for what follows, unless the cursor was there before. */
static int
next_page(struct finding *finding, struct listing *l, const char *cursor)
{
    uint64_t hash = XXH3_64bits(cursor, strlen(cursor)), *seen;

    for (size_t i = 0; i < l->seen_count; i++)
        if (l->seen[i] == hash)
            return begin_again(finding, l, "its pages repeat themselves");
    if (++l->pages > PAGES_MAX)
        return begin_again(finding, l, "it has too many pages");
    seen = kdpi_grow(l->seen, &l->seen_room, sizeof *seen, l->seen_count + 1);
    if (seen == NULL)
        return -KDP_ENOMEM;
    l->seen = seen;
    seen[l->seen_count++] = hash;
    strcpy(l->cursor, cursor);
    return ask(finding, (size_t)(l - finding->listings));
}

/* Markets of a list that cannot be read are none of the run: it is not complete without them. */
static void
note_refused(struct backfill_run *run, const struct listing *l, const struct kdp_rest_end *end)
{
    run->given_up += end->refused;
    if (run->given_up_words[0] == '\0')
        snprintf(run->given_up_words, sizeof run->given_up_words, "%s: %s of a market: %s", l->path,
                 end->member, kdpi_refusal_text(end->item_refusal));
}

static int
take(struct finding *finding, struct kdp_asker_answer *answer)
{
    struct kdp_asker *asker = finding->run->ask.asker;
    struct listing *l = &finding->listings[answer->request];
    size_t before = finding->run->market_count;
    struct kdp_rest_end end;
    int rc;

    if (answer->status != 200) {
        if (l->cursor[0] != '\0' && answer->status != 401 && answer->status != 403) {
            kdp_asker_free(answer);
            return begin_again(finding, l, "its cursor is refused");
        }
        rc =
            answer->status == 404 || (answer->status == 400 && l->old) ? 0 : kdp_asker_refused(asker, answer);
        kdp_asker_free(answer);
        if (rc == 0 && l->kind == ONE && !l->old) { /* settled long ago, then */
            l->old = true;
            return one_path(finding, (size_t)(l - finding->listings));
        }
        return rc;
    }
    finding->current = l;
    finding->rc = 0;
    kdpi_rest_markets(finding->run->reader, answer->body, answer->len, listed, finding, &end);
    if (finding->rc != 0) {
        kdp_asker_free(answer);
        return finding->rc;
    }
    if (end.refusal != KDP_REFUSAL_NONE) {
        while (finding->run->market_count > before) { /* it comes again whole */
            struct backfill_market *market = &finding->run->markets[--finding->run->market_count];

            free(market->ticker);
            free(market->event);
            free(market->ranges);
        }
        return kdp_asker_again(asker, answer, "not a list of markets");
    }
    kdp_asker_free(answer);
    if (l->kind == ONE) /* one that cannot be read is asked for by its ticker all the same */
        return 0;
    if (end.refused > 0)
        note_refused(finding->run, l, &end);
    return end.cursor[0] == '\0' ? 0 : next_page(finding, l, end.cursor);
}

static int
ask_all(struct finding *finding)
{
    int rc = 0;

    for (size_t i = 0; i < finding->count && rc == 0; i++)
        rc = finding->listings[i].kind == ONE ? one_path(finding, i) : ask(finding, i);
    while (rc == 0 && kdp_asker_pending(finding->run->ask.asker) > 0) {
        struct kdp_asker_answer *answer;
        uint64_t request;

        rc = kdp_asker_next(finding->run->ask.asker, &answer, &request);
        if (rc == 0)
            rc = take(finding, answer);
        if (kdp_progress_due(&finding->run->progress))
            kdp_progress_update(&finding->run->progress, 0, 0, "%zu markets", finding->run->market_count);
    }
    return rc;
}

/* ---- an unknown series ---- */
struct near {
    const char *wanted;
    bool there;
    unsigned known;
    struct {
        char ticker[64], title[96];
        unsigned distance;
    } best[NEAREST + 1];
};

static bool
consider(void *arg, const struct kdp_rest_series *series)
{
    struct near *near = arg;
    char ticker[64], title[96];
    unsigned distance;

    snprintf(ticker, sizeof ticker, "%.*s", (int)series->ticker.len, series->ticker.data);
    kdpi_escape(title, sizeof title, series->title.data != NULL ? series->title.data : "", series->title.len);
    near->known++;
    near->there = near->there || strcmp(ticker, near->wanted) == 0;
    distance = kdpi_word_distance(near->wanted, ticker);
    for (int i = 0; i < NEAREST; i++) {
        if (near->best[i].ticker[0] != '\0' && near->best[i].distance <= distance)
            continue;
        memmove(&near->best[i + 1], &near->best[i], (size_t)(NEAREST - 1 - i) * sizeof near->best[0]);
        near->best[i].distance = distance;
        snprintf(near->best[i].ticker, sizeof near->best[i].ticker, "%s", ticker);
        snprintf(near->best[i].title, sizeof near->best[i].title, "%s", title);
        break;
    }
    return true;
}

/* Nothing was listed of a series: is there such a one?  1 yes, or an error with the nearest. */
static int
series_there(struct backfill_run *run, const char *series)
{
    struct kdp_asker_answer *answer;
    struct near near = {.wanted = series};
    struct kdp_rest_end end;
    char list[640] = "";
    int rc = kdp_asker_one(run->ask.asker, "/series", &answer);

    if (rc != 0)
        return rc;
    if (answer->status == 200)
        kdpi_rest_series(run->reader, answer->body, answer->len, consider, &near, &end);
    kdp_asker_free(answer);
    if (near.there)
        return 1;
    for (int i = 0; i < NEAREST && near.best[i].ticker[0] != '\0'; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s%s%s%s", i > 0 ? ", " : "",
                 near.best[i].ticker, near.best[i].title[0] != '\0' ? " (" : "", near.best[i].title,
                 near.best[i].title[0] != '\0' ? ")" : "");
    rc = kdpi_fail(KDP_ENOENT, "no series %s on the exchange (%u known)", series, near.known);
    if (list[0] != '\0')
        kdpi_hint("Nearest: %s", list);
    else
        kdpi_hint("kdp status tells whether the exchange can be reached");
    return rc;
}

/* ---- the scopes ---- */
static int
find(struct finding *finding)
{
    struct backfill_run *run = finding->run;
    const char *const *names;
    unsigned count = kdp_cli_list(run->cli, "ticker", &names);
    const char **globs = calloc(count + 1u, sizeof *globs);
    int rc = globs != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "no memory for the markets");

    for (unsigned i = 0; i < count && rc == 0; i++) {
        struct listing *l;

        if (strpbrk(names[i], "*?") != NULL) {
            globs[finding->glob_count++] = names[i];
            continue;
        }
        if (!is_name(names[i], strlen(names[i]))) {
            char shown[64];

            rc = kdpi_fail(KDP_EUSAGE, "not a ticker: %s",
                           kdpi_escape(shown, sizeof shown, names[i], strnlen(names[i], 40)));
            kdpi_hint("Letters, digits, - and . such as KXHIGHNY-26NOV22-B51.5");
            break;
        }
        l = add(finding, ONE, false);
        if (l == NULL || kdp_backfill_market_add(run, names[i], strlen(names[i])) == NULL)
            rc = -KDP_ENOMEM;
        else
            l->market = run->market_count - 1;
    }
    finding->globs = globs;
    if (rc == 0 && finding->glob_count > 0)
        rc = add_list(finding, "mve_filter", "exclude");
    count = kdp_cli_list(run->cli, "series", &names);
    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = add_list(finding, "series_ticker", names[i]);
    count = kdp_cli_list(run->cli, "event", &names);
    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = add_list(finding, "event_ticker", names[i]);
    if (rc == 0)
        rc = ask_all(finding);
    free(globs);
    return rc;
}

int
kdp_backfill_find_markets(struct backfill_run *run)
{
    struct finding finding = {.run = run};
    const char *const *names;
    size_t kept = 0;
    int rc = find(&finding);

    for (size_t i = 0; i < finding.count; i++)
        free(finding.listings[i].seen);
    free(finding.listings);
    if (rc != 0)
        return rc;
    if (finding.odd > 0)
        kdp_cli_warning(run->cli, NULL, "%" PRIu64 " listed markets have names that cannot be used: left out",
                        finding.odd);
    if (run->market_count == 0) {
        unsigned count = kdp_cli_list(run->cli, "series", &names);

        for (unsigned i = 0; i < count; i++) {
            rc = series_there(run, names[i]);
            if (rc < 0)
                return rc;
        }
        if (count == 0) {
            bool event = kdp_cli_list(run->cli, "event", &names) > 0;

            if (!event)
                kdp_cli_list(run->cli, "ticker", &names);
            rc = kdpi_fail(KDP_ENOENT, "no market %s %s on the exchange, in this range",
                           event ? "of event" : "like", names[0]);
            kdpi_hint("kdp demo --series S shows the markets of a series");
            return rc;
        }
    }
    kdp_backfill_markets_sort(run);
    for (size_t i = 0; i < run->market_count; i++) {
        struct backfill_market market = run->markets[i];

        bool lived = touches(run, &market);

        if (!lived && is_named(run, market.ticker)) { /* asked for by its name: whatever its terms say */
            market.from_ns = run->start_ns;
            market.to_ns = run->end_ns;
            lived = true;
        }
        if (lived) {
            run->markets[kept++] = market;
            continue;
        }
        free(market.ticker);
        free(market.event);
        free(market.ranges);
    }
    run->market_count = kept;
    return 0;
}

int
kdp_backfill_tiers(struct backfill_run *run)
{
    struct kdp_rest_cutoff cutoff = {KDP_TIME_NULL, KDP_TIME_NULL};
    struct kdp_asker_answer *answer;
    int rc;

    run->cutoff_ns = run->market_cutoff_ns = KDP_TIME_NULL;
    rc = kdp_asker_one(run->ask.asker, "/historical/cutoff", &answer);
    while (rc == 0 && answer->status == 200) {
        enum kdp_refusal refusal = kdpi_rest_cutoff(run->reader, answer->body, answer->len, &cutoff);

        /* of one that tells no time both tiers are asked, as without a cutoff */
        if (refusal == KDP_REFUSAL_NONE || refusal == KDP_REFUSAL_MISSING)
            break;
        rc = kdp_asker_again(run->ask.asker, answer, "not a cutoff");
        if (rc == 0)
            rc = kdp_asker_next(run->ask.asker, &answer, NULL);
    }
    if (rc != 0)
        return rc;
    /* windows up to a time that is yet to come there would be holes for ever */
    if (answer->date_ns != KDP_TIME_NULL && answer->got_ns > answer->date_ns + KDP_NS_PER_S)
        run->ahead_ns = answer->got_ns - answer->date_ns - KDP_NS_PER_S;
    if (answer->status != 200 && answer->status != 404) { /* 404: one tier, or of before the split */
        rc = kdp_asker_refused(run->ask.asker, answer);
        kdp_asker_free(answer);
        return rc;
    }
    kdp_asker_free(answer);
    run->cutoff_ns = cutoff.trades_created_ns;
    run->market_cutoff_ns = cutoff.market_settled_ns;
    return 0;
}
