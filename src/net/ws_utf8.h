/* ws_utf8.h - UTF-8 checked as it comes: the first byte that cannot be right is refused, wherever the text was cut. */
#ifndef KDPI_WS_UTF8_H
#define KDPI_WS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at the beginning of a text. */
struct kdp_utf8 {
    uint8_t need;   /* bytes the character under way still lacks */
    uint8_t lo, hi; /* the bounds of the next of them */
};

/* kdp_utf8_go_on checks a further piece; false when a byte is wrong (nothing more can be asked of the text then). */
bool kdp_utf8_go_on(struct kdp_utf8 *utf8, const char *data, size_t len);
/* kdp_utf8_whole says whether the text may end here. */
static inline bool
kdp_utf8_whole(const struct kdp_utf8 *utf8)
{
    return utf8->need == 0;
}

#endif
