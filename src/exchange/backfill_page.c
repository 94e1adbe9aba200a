/* backfill_page.c - chains of pages: the requests of one job in one tier, and what stands on their answers. */
#include "backfill_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "memory.h"

#define OVERLAP_S 1     /* whether min_ts and max_ts are part of the range is not documented */
#define EMPTY_MAX 1000u /* pages in a row without a trade but with a cursor */
#define STUCK_MAX 3u    /* new beginnings that got no further */
#define BOTH_PAGES_MAX \
    20u /* of the live tier before the historical one confirms them: what a kill may cost */
#define LATEST_S INT64_C(9000000000)

/* ---- chains ---- */
static int64_t
floor_s(int64_t ns)
{
    int64_t s = ns / KDP_NS_PER_S;

    return ns % KDP_NS_PER_S < 0 ? s - 1 : s;
}

/* bounds begins a chain's pages anew, for what is older than from. */
static void
bounds(const struct kdp_backfill *b, const struct backfill_job *job, int64_t from_ns)
{
    struct backfill_chain *chain = job->chain;
    int64_t pad = OVERLAP_S + (int64_t)job->attempt;

    chain->min_s = floor_s(job->start_ns) - pad;
    if (chain->min_s < 0)
        chain->min_s = 0;
    chain->max_s = floor_s(from_ns - 1) + 1 + pad;
    chain->from_ns = from_ns;
    if (chain->max_s > LATEST_S)
        chain->max_s = LATEST_S;
    chain->no_min = b->no_min && !kdpi_backfill_everything(b, job);
    chain->cursor[0] = '\0';
    chain->last_ns = chain->bound_ns = INT64_MAX;
    chain->restart_ns = job->whole_ns;
    chain->empty = 0;
    chain->seen_count = 0;
}

int
kdpi_backfill_chain_start(struct kdp_backfill *b, struct backfill_job *job)
{
    job->chain = calloc(1, sizeof *job->chain);
    if (job->chain == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for another chain of pages");
    job->whole_ns = job->end_ns;
    job->state = BACKFILL_BETWEEN;
    b->running[b->active++] = job;
    bounds(b, job, job->whole_ns);
    return 0;
}

void
kdpi_backfill_chain_end(struct kdp_backfill *b, struct backfill_job *job)
{
    unsigned i = 0;

    while (i < b->active && b->running[i] != job)
        i++;
    if (i < b->active)
        b->running[i] = b->running[--b->active];
    free(job->chain->seen);
    free(job->chain);
    job->chain = NULL;
}

void
kdpi_backfill_path(const struct kdp_backfill *b, const struct backfill_job *job, char *path)
{
    const struct backfill_chain *chain = job->chain;
    const char *tier = kdpi_backfill_tier(job) == KDPI_BACKFILL_LIVE ? "markets" : "historical";
    const char *scope = b->scopes[job->scope];
    size_t used = (size_t)snprintf(path, KDPI_BACKFILL_PATH, "/%s/trades?limit=%u", tier, b->config.page);
    bool fits = true;

    if (!kdpi_backfill_everything(b, job)) {
        strcat(path, "&ticker=");
        fits = kdpi_query_escape(path, KDPI_BACKFILL_PATH, scope, strlen(scope));
    }
    used = strlen(path);
    if (!chain->no_min)
        used += (size_t)snprintf(path + used, KDPI_BACKFILL_PATH - used, "&min_ts=%" PRId64, chain->min_s);
    snprintf(path + used, KDPI_BACKFILL_PATH - used, "&max_ts=%" PRId64, chain->max_s);
    if (chain->cursor[0] != '\0') {
        strcat(path, "&cursor=");
        fits = fits && kdpi_query_escape(path, KDPI_BACKFILL_PATH, chain->cursor, strlen(chain->cursor));
    }
    KDP_ASSERT(fits); /* a ticker has 200 bytes at most, a cursor less than 1,024 */
}

/* Remembers a hash: 1, 0 when it was seen in this chain already, or an error. */
static int
remember(struct backfill_chain *chain, uint64_t hash)
{
    uint64_t *seen;

    for (size_t i = chain->seen_count; i > 0; i--) /* loops are short: the end first */
        if (chain->seen[i - 1] == hash)
            return 0;
    seen = kdpi_grow(chain->seen, &chain->seen_room, sizeof *seen, chain->seen_count + 1);
    if (seen == NULL)
        return -KDP_ENOMEM;
    chain->seen = seen;
    seen[chain->seen_count++] = hash;
    return 1;
}

static uint64_t
hash_bytes(const void *bytes, size_t len, uint64_t hash)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* begin_again asks anew for what is older than what is whole, without a cursor. */
static int
begin_again(struct kdp_backfill *b, struct backfill_job *job, const char *why)
{
    struct backfill_chain *chain = job->chain;
    bool further = job->whole_ns < chain->restart_ns;

    b->stats.looped++;
    chain->stuck = further && !chain->unordered ? 0 : chain->stuck + 1;
    if (chain->stuck >= STUCK_MAX) {
        int rc = kdpi_backfill_give_up(b, job, why);

        return rc != 0 ? rc : KDP_BACKFILL_TAKEN;
    }
    if (chain->unordered)
        job->whole_ns = job->end_ns;
    bounds(b, job, job->whole_ns);
    job->state = BACKFILL_BETWEEN;
    return KDP_BACKFILL_TAKEN;
}

/* ---- reading a page ---- */
static bool
take_row(void *arg, const struct kdp_message *trade)
{
    struct kdp_backfill *b = arg;
    struct backfill_row *rows, *row;
    const struct kdp_text *ticker = &trade->market_ticker;

    rows = kdpi_grow(b->page.rows, &b->page.room, sizeof *rows, b->page.count + 1);
    if (rows == NULL) {
        b->page.failed = true;
        return false;
    }
    b->page.rows = rows;
    row = &rows[b->page.count++];
    row->ns = trade->exch_ns;
    row->count_e2 = trade->trade.count_e2;
    memcpy(row->id, trade->trade.trade_id, sizeof row->id);
    row->price_e4 = trade->trade.price_e4;
    row->taker = trade->trade.taker_side;
    row->hashed = trade->trade.trade_id_hashed;
    row->block = trade->trade.block;
    row->name = (uint32_t)b->page.names_len;
    row->name_len = (uint32_t)ticker->len;
    row->strange = false;
    if (b->page.scope != NULL) {
        row->strange =
            ticker->len != b->page.scope_len || memcmp(ticker->data, b->page.scope, ticker->len) != 0;
    } else {
        char *names = kdpi_grow(b->page.names, &b->page.names_room, 1, b->page.names_len + ticker->len);

        if (names == NULL) {
            b->page.failed = true;
            return false;
        }
        b->page.names = names;
        memcpy(names + b->page.names_len, ticker->data, ticker->len);
        b->page.names_len += ticker->len;
    }
    return true;
}

static int
give(struct kdp_backfill *b, const struct backfill_row *row, int64_t got_ns)
{
    struct kdp_message trade;

    /* all that a trade of REST has; the rest of the struct is other kinds' */
    memset(&trade, 0, offsetof(struct kdp_message, trade) + sizeof trade.trade);
    trade.kind = KDP_MESSAGE_TRADE;
    trade.trusted = true;
    trade.member = "";
    trade.sending_ts_ms = KDP_INT64_NULL;
    if (b->page.scope != NULL)
        trade.market_ticker = (struct kdp_text){b->page.scope, b->page.scope_len};
    else
        trade.market_ticker = (struct kdp_text){b->page.names + row->name, row->name_len};
    trade.exch_ns = row->ns;
    trade.ts_ms = row->ns / KDP_NS_PER_MS;
    memcpy(trade.trade.trade_id, row->id, sizeof row->id);
    trade.trade.trade_id_hashed = row->hashed;
    trade.trade.price_e4 = row->price_e4;
    trade.trade.count_e2 = row->count_e2;
    trade.trade.taker_side = row->taker;
    trade.trade.block = row->block;
    b->stats.given++;
    return b->config.sink.trade(b->config.sink.arg, &trade, got_ns);
}

/* A page of other markets alone is the answer to another question: it says nothing of ours, neither an end nor a cursor. */
static bool
all_strange(const struct kdp_backfill *b)
{
    for (size_t i = 0; i < b->page.count; i++)
        if (!b->page.rows[i].strange)
            return false;
    return b->page.count > 0;
}

struct glance {     /* what a page tells of its chain */
    size_t in;      /* trades within the seconds asked for */
    uint64_t hash;  /* of all trades, in any order */
    bool all_older; /* all are older than asked for: the exchange does not keep to min_ts */
};

/* file looks at the order of the page and gives the sink what is in range. */
static int
file(struct kdp_backfill *b, struct backfill_job *job, int64_t got_ns, struct glance *glance)
{
    struct backfill_chain *chain = job->chain;
    int64_t min_ns = chain->no_min ? INT64_MIN : chain->min_s * KDP_NS_PER_S;
    int64_t max_ns = (chain->max_s + 1) * KDP_NS_PER_S, before_ns = chain->last_ns;
    size_t older = 0;

    *glance = (struct glance){0};
    for (size_t i = 0; i < b->page.count; i++) {
        const struct backfill_row *row = &b->page.rows[i];
        int rc = 0;

        glance->hash += hash_bytes(row->id, sizeof row->id, UINT64_C(0xcbf29ce484222325));
        if (row->strange) {
            b->stats.strange++;
            continue;
        }
        if (row->ns < min_ns || row->ns >= max_ns) {
            older += row->ns < min_ns;
            b->stats.outside++;
            continue;
        }
        glance->in++;
        if (row->ns > chain->last_ns && !chain->unordered) {
            chain->unordered = true;
            b->stats.unordered++;
            job->whole_ns = job->end_ns;
            rc = kdpi_backfill_unsay(b, job);
        }
        chain->last_ns = row->ns;
        if (rc == 0 && row->ns >= job->start_ns && row->ns < job->end_ns)
            rc = give(b, row, got_ns);
        if (rc != 0)
            return rc;
    }
    /* without min_ts a single trade that is too old, and no business of this page, looks like the end: the page behind it, which
     * would be out of order then, has to agree */
    chain->bound_ns = chain->no_min ? before_ns : chain->last_ns;
    glance->all_older = older > 0 && older == b->page.count;
    return 0;
}

static void
advance(struct backfill_job *job, const struct glance *glance)
{
    const struct backfill_chain *chain = job->chain;
    int64_t whole_ns;

    if (glance->in == 0 || chain->unordered || chain->bound_ns == INT64_MAX)
        return;
    whole_ns = chain->bound_ns + 1; /* others of that instant may follow */
    if (whole_ns < job->start_ns)
        whole_ns = job->start_ns;
    if (whole_ns < job->whole_ns)
        job->whole_ns = whole_ns;
}

static int
tier_read(struct kdp_backfill *b, struct backfill_job *job)
{
    int rc = kdpi_backfill_tier_read(b, job);

    return rc != 0 ? rc : KDP_BACKFILL_TAKEN;
}

/* go_on decides what follows upon a page: a verdict, or an error. */
static int
go_on(struct kdp_backfill *b, struct backfill_job *job, const struct glance *glance,
      const struct kdp_rest_end *end)
{
    struct backfill_chain *chain = job->chain;
    bool ordered = !chain->unordered, divide;
    int fresh;

    if ((ordered && chain->bound_ns < job->start_ns) || glance->all_older)
        return tier_read(b, job);
    if (end->cursor[0] == '\0') {
        /* a page filled to the last place that says it is the end may have been cut there; what it has not seen whole is asked
         * for again, which costs a request where it was the end indeed */
        if (ordered && end->items + end->refused >= b->config.page && glance->in > 0 &&
            chain->last_ns + 1 > job->start_ns) {
            if (chain->last_ns + 1 < chain->from_ns) {
                bounds(b, job, chain->last_ns + 1);
                job->state = BACKFILL_BETWEEN;
                return KDP_BACKFILL_TAKEN;
            }
            if (!b->cursors) { /* no page of this exchange ever had one: there may be more of these seconds */
                int rc =
                    kdpi_backfill_give_up(b, job, "more trades at a time than a page holds, and no cursor");

                return rc != 0 ? rc : KDP_BACKFILL_TAKEN;
            }
        }
        return tier_read(b, job);
    }
    b->cursors = true;
    fresh = remember(chain, hash_bytes(end->cursor, strlen(end->cursor), 1));
    if (fresh > 0 && b->page.count > 0)
        fresh = remember(chain, glance->hash);
    if (fresh < 0)
        return fresh;
    chain->empty = b->page.count > 0 ? 0 : chain->empty + 1;
    if (fresh == 0 || chain->empty > EMPTY_MAX)
        return begin_again(b, job,
                           fresh == 0 ? "its pages repeat themselves" : "its pages are empty and do not end");
    /* of two tiers the second confirms what the first has shown, before too much of it would be lost by a kill; what has trades
     * that cannot be kept is put aside, so that the rest can be whole */
    divide = job->lossy != 0 || (job->tiers == (KDPI_BACKFILL_LIVE | KDPI_BACKFILL_HISTORY) &&
                                 chain->pages % BOTH_PAGES_MAX == 0);
    if (ordered && divide && job->whole_ns < job->end_ns && job->whole_ns > job->start_ns) {
        int rc = kdpi_backfill_split(b, job, job->whole_ns);

        return rc != 0 ? rc : tier_read(b, job);
    }
    strcpy(chain->cursor, end->cursor);
    job->state = BACKFILL_BETWEEN;
    return KDP_BACKFILL_TAKEN;
}

/* 404: the tier does not know the market, so it has no trades of it.  Of all markets it is the address that is wrong, unless an
 * exchange that tells of no cutoff has but one tier. */
static bool
may_be_absent(const struct kdp_backfill *b, const struct backfill_job *job)
{
    if (!kdpi_backfill_everything(b, job))
        return true;
    return job->tiers == KDPI_BACKFILL_HISTORY && b->stats.cutoff_ns == KDP_TIME_NULL && b->stats.pages > 0;
}

static int
not_a_page(struct kdp_backfill *b, struct backfill_job *job, int status)
{
    struct backfill_chain *chain = job->chain;
    int rc;

    if (chain->cursor[0] != '\0' && status >= 400 && status < 500 && status != 401 && status != 403)
        return begin_again(b, job, "its cursor is refused");
    if (status == 404 && may_be_absent(b, job)) {
        b->stats.absent++;
        return tier_read(b, job);
    }
    if (status == 400 && !chain->no_min && !kdpi_backfill_everything(b, job)) {
        bounds(b, job, job->whole_ns);
        chain->no_min = true; /* some clients saw min_ts refused beside ticker: does it go without? */
        job->state = BACKFILL_BETWEEN;
        return KDP_BACKFILL_TAKEN;
    }
    rc = kdpi_backfill_give_up(b, job, "refused");
    return rc != 0 ? rc : KDP_BACKFILL_REFUSED;
}

static int64_t
cpu(const struct kdp_backfill *b)
{
    return b->config.cpu != NULL ? b->config.cpu() : 0;
}

int
kdpi_backfill_page(struct kdp_backfill *b, struct backfill_job *job, int status, const char *body, size_t len,
                   int64_t got_ns)
{
    bool all = kdpi_backfill_everything(b, job);
    struct kdp_rest_end end;
    struct glance glance;
    int64_t at_ns = cpu(b), read_ns;
    int rc;

    if (status != 200)
        return not_a_page(b, job, status);
    b->page.count = b->page.names_len = 0;
    b->page.failed = false;
    b->page.scope = all ? NULL : b->scopes[job->scope];
    b->page.scope_len = all ? 0 : strlen(b->page.scope);
    kdpi_rest_trades(b->reader, body, len, take_row, b, &end);
    read_ns = cpu(b);
    b->stats.parse_ns += read_ns - at_ns;
    if (b->page.failed)
        return kdpi_fail(KDP_ENOMEM, "no memory for a page of trades");
    if (end.refusal != KDP_REFUSAL_NONE)
        return KDP_BACKFILL_AGAIN;
    if (all_strange(b)) {
        b->stats.strange += b->page.count;
        return KDP_BACKFILL_AGAIN;
    }
    b->stats.pages++;
    b->stats.rows += end.items;
    b->stats.refused += end.refused;
    job->chain->pages++;
    if (job->chain->no_min && !b->no_min) {
        b->no_min = true; /* it does, and need not be tried for each market */
        b->stats.unfiltered++;
    }
    rc = file(b, job, got_ns, &glance);
    if (rc == 0 && end.refused > 0) {
        rc = kdpi_backfill_settle_job(b, job); /* what was whole before this page */
        job->lossy |= kdpi_backfill_tier(job);
    }
    b->stats.sink_ns += cpu(b) - read_ns;
    if (rc != 0)
        return rc;
    advance(job, &glance);
    return go_on(b, job, &glance, &end);
}
