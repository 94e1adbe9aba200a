/* terms.h - what the exchange's REST bodies say a market, event or series is, as rows of the metadata tables.
 *
 * The same terms said again are no new row (the history writer compares with the newest of the key), so callers give
 * everything they see.  Long texts go into the table texts once and are named by their hash.  Rules: docs/design/metadata.md.
 * One thread; the memory is about 1.2 MB whatever is filed. */
#ifndef KDPI_TERMS_H
#define KDPI_TERMS_H

#include "history.h"
#include "rest.h"

struct kdp_terms;
int kdp_terms_open(struct kdp_terms **termsp, struct kdp_history *history);
void kdp_terms_close(struct kdp_terms *terms); /* the rows given stay with the history */

/* kdp_terms_market and the rest give one row each: 0, or the error of the history writer.  market: from a reader that was
 * told kdpi_rest_want_terms. */
int kdp_terms_market(struct kdp_terms *terms, const struct kdp_rest_market *market);
int kdp_terms_event(struct kdp_terms *terms, const struct kdp_rest_event *event);
int kdp_terms_series(struct kdp_terms *terms, const struct kdp_rest_series *series);
int kdp_terms_fee_change(struct kdp_terms *terms, const struct kdp_rest_fee_change *change);

struct kdp_terms_totals { /* given since open, changed or not */
    uint64_t markets, events, series, fee_changes;
    uint64_t texts;       /* of them, new to this run: given to the table texts */
    uint64_t texts_again; /* named only: the same text had been given before */
    uint64_t text_bytes;  /* of the texts given */
};
void kdp_terms_totals(const struct kdp_terms *terms, struct kdp_terms_totals *totals);

/* kdp_terms_hash writes the name of a text: 32 hex digits and NUL. */
void kdp_terms_hash(char buf[33], const char *text, size_t len);

#endif
