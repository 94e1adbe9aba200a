/* place.h - a place in the stream as a person writes it: oldest, now, end, a sequence number, or a time of receipt. */
#ifndef KDPI_PLACE_H
#define KDPI_PLACE_H

#include <stdint.h>

struct kdp_place {
    enum { KDP_PLACE_OLDEST, KDP_PLACE_NOW, KDP_PLACE_END, KDP_PLACE_SEQ, KDP_PLACE_TIME } kind;
    uint64_t seq; /* of SEQ */
    int64_t ns;   /* of TIME */
};

/* kdpi_place_parse reads text: 0, or -KDP_EUSAGE with words and hint.  One to nine digits are a sequence number, as is
 * "seq:" and digits; ten digits and more, or "@" and digits, are Unix seconds; else the times of clock.h. */
int kdpi_place_parse(const char *text, struct kdp_place *place);

#endif
