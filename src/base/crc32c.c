/* crc32c.c - see crc32c.h.
 *
 * With SSE 4.2 a large buffer is cut in three streams, since the instruction takes 3 cycles but one can start
 * in each; their sums are joined by multiplying with x^(8*n) modulo the polynomial, which is what crc_shift
 * does. */
#include "crc32c.h"

#include <string.h>

#define POLY 0x82f63b78u /* bit-reversed */
#define LANE 1024u       /* bytes of one of the three streams */

static uint32_t table[8][256];
static uint32_t lane_shift[4][256]; /* multiplies a sum by x^(8 * LANE) */

/* Product of two polynomials modulo POLY, both bit-reversed. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? (b >> 1) ^ POLY : b >> 1;
    }
    return product;
}

__attribute__((constructor)) static void
build_tables(void)
{
    uint32_t power = UINT32_C(1) << 31; /* x^0 */

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ POLY : crc >> 1;
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xff];
    for (uint32_t i = 0; i < LANE; i++)
        power = multiply(power, UINT32_C(1) << (31 - 8)); /* times x^8 */
    for (uint32_t byte = 0; byte < 4; byte++)
        for (uint32_t i = 0; i < 256; i++)
            lane_shift[byte][i] = multiply(power, i << (8 * byte));
}

uint32_t
kdpi_crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t word;

    crc = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        word ^= crc;
        crc = table[7][word & 0xff] ^ table[6][(word >> 8) & 0xff] ^ table[5][(word >> 16) & 0xff] ^
              table[4][(word >> 24) & 0xff] ^ table[3][(word >> 32) & 0xff] ^ table[2][(word >> 40) & 0xff] ^
              table[1][(word >> 48) & 0xff] ^ table[0][word >> 56];
    }
    for (; len > 0; p++, len--)
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
static uint32_t
crc_shift(uint32_t crc)
{
    return lane_shift[0][crc & 0xff] ^ lane_shift[1][(crc >> 8) & 0xff] ^ lane_shift[2][(crc >> 16) & 0xff] ^
           lane_shift[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t
crc_sse42(uint32_t start, const uint8_t *p, size_t len)
{
    uint64_t a = ~start, b, c, word;

    for (; len >= 3 * LANE; p += 3 * LANE, len -= 3 * LANE) {
        b = c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            memcpy(&word, p + i, 8);
            a = __builtin_ia32_crc32di(a, word);
            memcpy(&word, p + LANE + i, 8);
            b = __builtin_ia32_crc32di(b, word);
            memcpy(&word, p + 2 * LANE + i, 8);
            c = __builtin_ia32_crc32di(c, word);
        }
        a = crc_shift(crc_shift((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        a = __builtin_ia32_crc32di(a, word);
    }
    for (; len > 0; p++, len--)
        a = __builtin_ia32_crc32qi((uint32_t)a, *p);
    return ~(uint32_t)a;
}
#endif

uint32_t
kdpi_crc32c(uint32_t crc, const void *bytes, size_t len)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc_sse42(crc, bytes, len);
#endif
    return kdpi_crc32c_portable(crc, bytes, len);
}
