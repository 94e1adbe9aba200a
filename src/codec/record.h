/* record.h - working with records as bytes: their length, their groups and texts, building one field after the other.
 *
 * A record is its fixed part, then its groups (each behind a struct kdp_group_size), then its texts (u16 length and
 * bytes each), then zeros to a multiple of 8.  The length follows from the content alone. */
#ifndef KDPI_RECORD_H
#define KDPI_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"
#include "message.h"

/* kdpi_record_size gives the record's whole length with padding, or 0 when the at most avail bytes at rec hold no valid
 * record (too short, unknown template or version, bad block length, group or text past the end, over KDP_RECORD_MAX, a NUL in
 * a text, reserved or padding bytes not zero).  It reads nothing past avail.  rec needs no alignment.  Values are not
 * checked: an enumeration may hold a number without a word, a text bytes that are not UTF-8. */
size_t kdpi_record_size(const void *rec, size_t avail);
/* kdpi_record_size_trusted is the same without the checks, for records out of our own ring; 0 for an unknown template. */
size_t kdpi_record_size_trusted(const void *rec);

/* kdpi_record_group gives the items of group number index (0 or 1 group per message) and their count. */
const void *kdpi_record_group(const void *rec, uint32_t *countp);
/* kdpi_record_text gives text number index (0 = first in the schema), len 0 when empty or absent. */
struct kdp_text kdpi_record_text(const void *rec, unsigned index);

/* A builder over memory of KDP_RECORD_MAX bytes: start zeroes the fixed part and fills the message header, group reserves
 * count zeroed items, text appends (cut at a UTF-8 boundary where the record would pass KDP_RECORD_MAX, keeping 2 bytes for
 * each text still to come; a NUL becomes a space), finish pads and returns the record's length.  A group or texts that were
 * not given are empty.  More items than kdpi_build_group_max, a second group or a text too many is a bug and dies. */
struct kdp_builder {
    uint8_t *at;
    size_t used;
    uint8_t template_id;
    uint8_t texts_left;
};
void *kdpi_build_start(struct kdp_builder *b, void *mem, uint8_t template_id);
void *kdpi_build_group(struct kdp_builder *b, uint32_t count);
/* kdpi_build_group_max gives how many items a record of that template can hold with all its texts empty; 0: no group. */
uint32_t kdpi_build_group_max(unsigned template_id);
void kdpi_build_text(struct kdp_builder *b, struct kdp_text text);
size_t kdpi_build_finish(struct kdp_builder *b);

/* What the generator knows of each record: one table for tap, query, export and docs. */
enum kdp_field_kind {
    KDP_FIELD_U8,
    KDP_FIELD_U16,
    KDP_FIELD_U32,
    KDP_FIELD_U64,
    KDP_FIELD_I32,
    KDP_FIELD_I64,
    KDP_FIELD_TIME,
    KDP_FIELD_PRICE,
    KDP_FIELD_SIZE,
    KDP_FIELD_CASH,
    KDP_FIELD_NUMBER,
    KDP_FIELD_UUID,
    KDP_FIELD_BOOL,
    KDP_FIELD_ENUM,
    KDP_FIELD_TEXT
};
struct kdp_enum_desc {
    const char *name;
    const char *const *words; /* by value (of flags: by bit); NULL where a value has none */
    unsigned count;
};
struct kdp_field_desc {
    const char *name;   /* C name, "price_e4" */
    const char *column; /* "price"; NULL: not in tables */
    const char *about;
    uint8_t kind; /* enum kdp_field_kind */
    uint8_t
        scale; /* digits after the point of PRICE, SIZE, CASH, NUMBER; 16 of a U64: a hash, in 16 hex digits */
    uint8_t nullable;
    uint16_t offset; /* in the record, in the group's item, or the index of a TEXT */
    const struct kdp_enum_desc *words;
};
struct kdp_record_desc {
    const char *name;  /* "book_snapshot" */
    const char *table; /* "orderbook_snapshots" */
    const char *about;
    uint16_t template_id, block_length, stream_id;
    const struct kdp_field_desc *fields; /* without the head and reserved bytes */
    unsigned field_count;
    const char *group; /* NULL: none */
    uint16_t group_item;
    const struct kdp_field_desc *group_fields;
    unsigned group_field_count;
    const struct kdp_field_desc *texts;
    unsigned text_count;
};
/* kdpi_record_desc gives the description of a template id, NULL for one that does not exist; ids run from 1 to
 * KDP_TEMPLATE_MAX. */
const struct kdp_record_desc *kdpi_record_desc(unsigned template_id);
/* kdpi_enum_word gives the word of a value, "?" for one unknown. */
const char *kdpi_enum_word(const struct kdp_enum_desc *words, unsigned value);
/* kdpi_enum_find gives the words of an enumeration by its name ("origin", "book_state", "flags"), NULL: none. */
const struct kdp_enum_desc *kdpi_enum_find(const char *name);

#endif
