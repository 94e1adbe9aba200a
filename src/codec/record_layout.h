/* record_layout.h - where a record's parts lie: what record.c needs of the schema, and nothing for people. */
#ifndef KDPI_RECORD_LAYOUT_H
#define KDPI_RECORD_LAYOUT_H

#include <stdint.h>

#include "record.h"

struct kdp_zero_word { /* reserved bytes within one 8-byte word */
    uint16_t offset;
    uint64_t mask;
};
struct kdp_record_layout {
    uint16_t size; /* fixed part with the message header, a multiple of 8; 0: no such template */
    uint16_t item; /* bytes of a group's item, a multiple of 8; 0: no group */
    uint16_t texts;
    const struct kdp_zero_word *zeros;
    unsigned zero_count;
    const struct kdp_zero_word *item_zeros;
    unsigned item_zero_count;
};

/* made by the schema generator, by template id */
extern const struct kdp_record_layout kdpi_record_layouts[KDP_TEMPLATE_MAX + 1];
extern const struct kdp_record_desc kdpi_record_descs[KDP_TEMPLATE_MAX + 1];
extern const struct kdp_enum_desc kdpi_words[];
extern const unsigned kdpi_words_count;

#endif
