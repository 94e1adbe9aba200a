/* screen.h - numbers as people read them on every screen: exact, with thousands commas, without zeros that
 * say nothing.
 *
 * Never for csv, json or SQL, which have always the same digits (decimal.h), and never for sequence numbers
 * and ids, which are typed back in and have no commas.  Nothing here rounds a price or size; spans are cut
 * and bytes are rounded.  Each function writes at most KDPI_SCREEN_TEXT bytes with the NUL into buf and
 * returns it, so that it may stand as an argument. A null value is "-". */
#ifndef KDPI_SCREEN_H
#define KDPI_SCREEN_H

#include <stdint.h>

#define KDPI_SCREEN_TEXT 32

char *kdpi_screen_price(char *buf,
                        int32_t price_e4); /* 0.43, 0.964, 0.8815: two decimals, the others where not zero */
char *kdpi_screen_size(char *buf, int64_t size_e2);   /* 1,240 and 33.25 */
char *kdpi_screen_change(char *buf, int64_t size_e2); /* a size with its sign: +1,240, -33.25, +0 */
char *kdpi_screen_count(char *buf, uint64_t count);   /* 1,204,551 */
/* cash at any scale: 12.00, 1,234.50, 0.125; at scale 0 without decimals */
char *kdpi_screen_cash(char *buf, int64_t value, unsigned scale);

/* For columns of numbers with their dots in line: spaces stand behind a number for the decimals it does not
 * show, up to 4 of a price and 2 (and the dot) of a size.  Right-align what they return. */
char *kdpi_screen_price_column(char *buf, int32_t price_e4);
char *kdpi_screen_size_column(char *buf, int64_t size_e2);

char *kdpi_screen_span(
    char *buf, int64_t ns); /* 840 ns, 12 us, 2.1 ms, 32 ms, 1.9 s, 42 s, 5 min 12 s, 13 h 56 min, 3 d 4 h */
char *kdpi_screen_bytes(char *buf, uint64_t bytes); /* 512 B, 109.3 MB, 60 GB: powers of 1,000 */
char *kdpi_screen_hash(char *buf, uint64_t hash);   /* 16 hex digits */

#endif
