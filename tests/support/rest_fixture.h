/* rest_fixture.h - decoding REST bodies in a test: all that was handed out becomes text, a line an item. */
#ifndef KDP_REST_FIXTURE_H
#define KDP_REST_FIXTURE_H

#include "kdp_test.h"
#include "rest.h"

extern struct kdp_rest_end rest_end; /* how the last body ended */
extern unsigned rest_stop_after;     /* items after which the callback has had enough; 0: never */

extern bool rest_terms;     /* the terms of markets are wanted */
extern int64_t rest_number; /* adjusted end of candles, default of costs */

struct kdp_rest_reader *rest_reader(void);
/* Each decodes a copy that ends where the body ends, and gives the lines. */
const char *rest_trades(const char *body);
const char *rest_markets(const char *body);
const char *rest_books(const char *body);
const char *rest_events(const char *body);
/* what: trades, markets, books, events, event markets, series, fee changes, candles, costs. */
const char *rest_decode(const char *what, const char *body);
/* The same for bytes; '\n' at the end of each line. */
const char *rest_lines(const char *what, const char *body, size_t len);

#endif
