/* decimal.h - exact decimals: text to scaled integers and back, never through floating point, never rounded.
 *
 * Scales (docs/exchange.md section 5): prices 4 digits (1e-4 dollar), sizes 2 (1e-2 contract), cash 6 (1e-6 dollar). */
#ifndef KDPI_DECIMAL_H
#define KDPI_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define KDPI_DECIMAL_TEXT 24 /* bytes that hold any formatted int64 decimal with its NUL */

enum kdp_decimal {
    KDP_DECIMAL_OK = 0,
    KDP_DECIMAL_SYNTAX,   /* not a JSON number: [-]digits[.digits][e[+-]digits] */
    KDP_DECIMAL_TOO_FINE, /* a digit other than 0 beyond the scale */
    KDP_DECIMAL_TOO_BIG   /* does not fit an int64_t at that scale */
};

/* kdpi_decimal_parse reads the whole of text[0..len) as a decimal at the given scale (0 to 9).  Zeros beyond the scale
 * are accepted ("0.620000" at scale 4), exponents too ("1e-2"); "+1", ".5", "1.", "" and "01" are SYNTAX. */
enum kdp_decimal kdpi_decimal_parse(const char *text, size_t len, unsigned scale, int64_t *outp);

/* kdpi_decimal_format writes value with exactly scale fractional digits ("0.4300", "-12.50") into buf of
 * KDPI_DECIMAL_TEXT bytes and returns its length. */
size_t kdpi_decimal_format(char *buf, int64_t value, unsigned scale);

#endif
