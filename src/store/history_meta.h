/* history_meta.h - the tables of metadata among those that only history has: what series, events and markets are by their
 * terms, as versions (docs/design/metadata.md). */
#ifndef KDPI_HISTORY_META_H
#define KDPI_HISTORY_META_H

#include "history.h"

/* In the order in which a flush writes them: what names a text or an event comes after it, and market_terms, whose manifest
 * says how far the raw tape is filed, last. */
enum kdp_meta_table {
    KDP_META_TEXT,
    KDP_META_SERIES,
    KDP_META_EVENT,
    KDP_META_FEE_CHANGE,
    KDP_META_MARKET,
    KDP_META_TABLES
};
extern const struct kdp_history_table kdp_history_meta_tables[KDP_META_TABLES];

#endif
