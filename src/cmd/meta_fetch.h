/* meta_fetch.h - asks the exchange for the terms of series, events and markets and files them as versions.
 *
 * Both tiers, all pages, as many requests at once as the asker has room for; what one scope has in common with another (an
 * event of two tickers, a series of ten events) is asked for once.  404 is an answer: a market may be in the other tier, and
 * an exchange may not serve a path at all; both are counted.  A page that cannot be read is asked for again like a cut one.
 * What was filed stands with the next kdp_history_flush: one is done here whenever the batch is full, the last is the
 * caller's.  One thread; nothing else may be under way at the asker, and after an error answers to this may still be: close it. */
#ifndef KDPI_META_FETCH_H
#define KDPI_META_FETCH_H

#include "asker.h"
#include "history.h"
#include "rest.h"

struct kdp_meta_scope { /* the sum of all its parts */
    const char *const *tickers, *const *events, *const *series;
    unsigned ticker_count, event_count, series_count;
    bool all;          /* every series, event and market but combinations */
    bool markets_only; /* no series, events and fee changes beside the markets */
};

struct kdp_meta_totals {
    uint64_t series, events, markets, fee_changes; /* seen in answers, changed or not */
    uint64_t historical;                           /* of the markets, from that tier */
    uint64_t texts;                                /* new to the table texts */
    uint64_t requests;                             /* answers taken; repeats are in the asker's stats */
    uint64_t absent; /* 404: neither tier has the ticker, or a path is not served */
    uint64_t
        refused; /* items with a value that cannot be represented; the first one's words are in refused_why */
    uint64_t looped; /* chains of pages that came back to a cursor: left there */
    char refused_why[160];
};

struct kdp_meta_hooks { /* each may be NULL */
    void *arg;
    /* each market as it is decoded, with its terms; texts are valid during the call */
    void (*market)(void *arg, const struct kdp_rest_market *market, bool historical);
    void (*progress)(void *arg, const struct kdp_meta_totals *totals); /* after each answer */
};

/* kdp_meta_fetch: 0, also with absent tickers; or the error of asker or history, whose words stand: what was filed until then
 * stays.  history may be NULL: only the hooks are called.  *totals is valid in either case. */
int kdp_meta_fetch(struct kdp_asker *asker, struct kdp_history *history, const struct kdp_meta_scope *scope,
                   const struct kdp_meta_hooks *hooks, struct kdp_meta_totals *totals);

#endif
