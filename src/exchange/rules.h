/* rules.h - which markets are wanted: by series, event, ticker glob and volume; none = all open ordinary markets. */
#ifndef KDPI_RULES_H
#define KDPI_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

struct
    kdp_rules { /* texts are the owner's and outlive it; a market is wanted when every kind that is given agrees */
    const char *const *series, *const *events, *const *tickers;
    unsigned series_count, event_count, ticker_count;
    int64_t min_volume_e2; /* of 24 h, 0: any; asked of listed markets and of those again each listing */
    bool combos;
};

enum kdp_rules_verdict {
    KDP_RULES_NO,
    KDP_RULES_YES,
    KDP_RULES_SERIES_UNKNOWN /* ask /events/{event} first */
};
/* series is empty while it is not known; a market's hierarchy is never read out of its ticker. */
enum kdp_rules_verdict kdp_rules_match(const struct kdp_rules *rules, struct kdp_text ticker,
                                       struct kdp_text event, struct kdp_text series, int64_t volume_e2,
                                       bool combo);
bool kdp_rules_all(const struct kdp_rules *rules); /* nothing is given but combos */
/* kdp_glob_match: * any run, ? any one byte. */
bool kdp_glob_match(const char *glob, struct kdp_text text);
/* kdp_rules_words writes "series KXHIGHNY; tickers KX*-T5?" or "all open ordinary markets". */
void kdp_rules_words(const struct kdp_rules *rules, char *buf, size_t size);

#endif
