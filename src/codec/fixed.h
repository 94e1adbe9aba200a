/* fixed.h - numbers in the forms the exchange writes them: "0.4200", "-12.50", 1795183387412.
 *
 * Eight digits are read as one word.  Each function is true only for the exact form it knows and leaves every
 * other one, good or bad, to the general parsers (decimal.h, clock.h), which alone say what is wrong with a
 * text.  The bytes must be ASCII: what is 0x80 or more would pass for a digit. */
#ifndef KDPI_FIXED_H
#define KDPI_FIXED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KDPI_DIGITS UINT64_C(0x3030303030303030)

static inline uint64_t
kdpi_load8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word); /* little-endian: the first byte is the lowest */
    return word;
}

/* True when each byte of word, after its digit's 0x30 was taken off, is 0 to 9. */
static inline bool
kdpi_are_digits(uint64_t word)
{
    return ((word + UINT64_C(0x7676767676767676)) & UINT64_C(0x8080808080808080)) == 0;
}

/* The value of eight digits, the first one in the lowest byte. */
static inline uint64_t
kdpi_eight_digits(uint64_t word)
{
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (word * 10000 + (word >> 32)) & UINT64_C(0xffffffff);
}

/* count (1 to 8) digits at p; the eight bytes that end with the last one are read, so they must be readable.
 */
static inline bool
kdpi_fixed_digits(const char *p, size_t count, uint64_t *outp)
{
    unsigned unused = 8 * (8 - (unsigned)count);
    uint64_t word = (kdpi_load8(p + count - 8) ^ KDPI_DIGITS) >> unused << unused;

    *outp = kdpi_eight_digits(word);
    return kdpi_are_digits(word);
}

/* "0.4200": a price with four digits behind the point; two bytes behind it are read as well. */
static inline bool
kdpi_fixed_price(const char *p, size_t len, int64_t *outp)
{
    uint64_t word;
    uint32_t four;

    if (len != 6)
        return false;
    word = (kdpi_load8(p) ^ UINT64_C(0x303030302e30)) & UINT64_C(0xffffffffffff);
    /* the byte of the point must be nothing; 0x7f more makes its sign bit tell */
    if (((word + UINT64_C(0x767676767f76)) & UINT64_C(0x808080808080)) != 0)
        return false;
    four = (uint32_t)(word >> 16);
    four = (four * 10 + (four >> 8)) & 0x00ff00ffu;
    *outp = (int64_t)((word & 0xff) * 10000 + ((four * 100 + (four >> 16)) & 0xffff));
    return true;
}

/* "-12.50": a size with two digits behind the point and at most eight before it; eight bytes before p are
 * read as well. */
static inline bool
kdpi_fixed_size(const char *p, size_t len, int64_t *outp)
{
    bool negative = *p == '-';
    const char *first = p + negative, *point = p + len - 3;
    size_t whole = (size_t)(point - first);
    unsigned tens = (unsigned char)point[1] - (unsigned)'0', ones = (unsigned char)point[2] - (unsigned)'0';
    uint64_t value;

    /* one digit at least; no zero leads but a lone one */
    if (len < 4 || whole - 1 > 7 || *point != '.' || (*first == '0' && whole != 1))
        return false;
    if (!kdpi_fixed_digits(first, whole, &value) || tens > 9 || ones > 9)
        return false;
    value = value * 100 + tens * 10 + ones;
    *outp = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

#endif
