/* bulk.h - made-up daily bulk files (docs/exchange.md section 7): one JSON array of flat objects, the day's markets or its
 * trades.
 *
 * Each row is a function of (kind, day, seed, row) alone, so that a file of any length takes no memory, any part of it can
 * be made by itself, and a test knows every row without keeping one.  About one value in eight has the other form that the
 * exchange may send: numbers as texts, fractional contracts and cents, null. */
#ifndef KDPI_BULK_H
#define KDPI_BULK_H

#include <stddef.h>
#include <stdint.h>

#define KDP_BULK_ROW_MAX 512u /* bytes of one row with what stands around it */

enum kdp_bulk_kind { KDP_BULK_MARKETS, KDP_BULK_TRADES };

struct kdp_bulk {
    enum kdp_bulk_kind kind;
    int32_t day; /* since 1970-01-01 */
    uint64_t seed;
    uint64_t rows;
    uint64_t markets; /* different tickers of a file of trades, 0: 1,000 */
};

struct kdp_bulk_row { /* what a row says, exactly */
    char ticker[64], series[32];
    const char *status; /* of markets */
    int64_t contracts_e2, open_interest_e2, block_e2;
    int64_t price_e4, high_e4, low_e4; /* KDP_INT64_NULL: null; e4 of a dollar, cents in the file */
    int64_t created_ns;                /* of trades; ascending with the row */
};

/* kdp_bulk_row gives row number row (0 to rows - 1). */
void kdp_bulk_row(const struct kdp_bulk *bulk, uint64_t row, struct kdp_bulk_row *out);
/* kdp_bulk_text writes the row as it stands in the file, "[" before the first, what divides it from the next, "]" behind the
 * last: rows 0 to rows - 1 one after the other are the file, of a file without rows row 0 is all of it.  buf holds
 * KDP_BULK_ROW_MAX bytes; returns how many were written. */
size_t kdp_bulk_text(const struct kdp_bulk *bulk, uint64_t row, char *buf);
/* kdp_bulk_name writes "market_data_2026-09-19.json" (64 bytes will do). */
void kdp_bulk_name(const struct kdp_bulk *bulk, char *buf, size_t size);

#endif
