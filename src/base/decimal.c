/* decimal.c - see decimal.h. */
#include "decimal.h"

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum kdp_decimal
kdpi_decimal_parse(const char *text, size_t len, unsigned scale, int64_t *outp)
{
    const char *p = text, *end = text + len, *whole, *whole_end, *frac, *frac_end;
    int64_t exponent = 0;
    uint64_t value = 0;
    int negative = 0, too_fine = 0;
    int64_t point; /* digits before the decimal point after the exponent is applied */
    int64_t index = 0;

    if (p < end && *p == '-') {
        negative = 1;
        p++;
    }
    whole = p;
    while (p < end && is_digit(*p))
        p++;
    whole_end = p;
    if (whole == whole_end || (*whole == '0' && whole_end - whole > 1))
        return KDP_DECIMAL_SYNTAX;
    frac = frac_end = p;
    if (p < end && *p == '.') {
        frac = ++p;
        while (p < end && is_digit(*p))
            p++;
        frac_end = p;
        if (frac == frac_end)
            return KDP_DECIMAL_SYNTAX;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int exponent_negative = 0;
        const char *first;

        p++;
        if (p < end && (*p == '+' || *p == '-'))
            exponent_negative = *p++ == '-';
        first = p;
        for (; p < end && is_digit(*p); p++)
            exponent = exponent > 9999 ? exponent : exponent * 10 + (*p - '0');
        if (p == first)
            return KDP_DECIMAL_SYNTAX;
        if (exponent_negative)
            exponent = -exponent;
    }
    if (p != end)
        return KDP_DECIMAL_SYNTAX;
    /* take the digits in order; those beyond point + scale must be zero */
    point = (int64_t)(whole_end - whole) + exponent;
    for (int part = 0; part < 2; part++) {
        const char *q = part == 0 ? whole : frac, *q_end = part == 0 ? whole_end : frac_end;

        for (; q < q_end; q++, index++) {
            unsigned digit = (unsigned)(*q - '0');

            if (index >= point + (int64_t)scale) {
                too_fine |= digit != 0;
                continue;
            }
            if (value > (uint64_t)INT64_MAX / 10 || value * 10 > (uint64_t)INT64_MAX - digit)
                return KDP_DECIMAL_TOO_BIG;
            value = value * 10 + digit;
        }
    }
    if (too_fine)
        return KDP_DECIMAL_TOO_FINE;
    for (; value != 0 && index < point + (int64_t)scale; index++) {
        if (value > (uint64_t)INT64_MAX / 10)
            return KDP_DECIMAL_TOO_BIG;
        value *= 10;
    }
    *outp = negative ? -(int64_t)value : (int64_t)value;
    return KDP_DECIMAL_OK;
}

size_t
kdpi_decimal_format(char *buf, int64_t value, unsigned scale)
{
    char digits[KDPI_DECIMAL_TEXT];
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t count = 0, len = 0;

    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0 || count <= scale);
    if (value < 0)
        buf[len++] = '-';
    while (count > 0) {
        if (count == scale)
            buf[len++] = '.';
        buf[len++] = digits[--count];
    }
    buf[len] = '\0';
    return len;
}
