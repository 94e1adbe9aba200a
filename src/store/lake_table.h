/* lake_table.h - the tables of the lake: which columns they have and where in a record each comes from.
 *
 * Derived at run time from the record descriptions that the schema generator makes (record.h), so that a
 * field added to schema/records.xml is a column here without further work.  Order of columns: ticker,
 * timestamp, recv_ts, the record's own fields and texts, then sequence, line, origin, flags, seq. */
#ifndef KDPI_LAKE_TABLE_H
#define KDPI_LAKE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

#define KDP_LAKE_TABLES_MAX 16u
#define KDP_LAKE_COLUMNS_MAX 40u
#define KDP_LAKE_SCHEMA_VERSION 1u /* of names and types of columns; goes into every file and manifest */

enum kdp_lake_source {
    KDP_LAKE_TICKER,    /* of head.instrument; NULL for none */
    KDP_LAKE_TIMESTAMP, /* head.exch_ns, else head.recv_ns */
    KDP_LAKE_RECV,
    KDP_LAKE_SEQUENCE, /* head.src_seq, NULL for 0 */
    KDP_LAKE_LINE,     /* NULL for 0 */
    KDP_LAKE_ORIGIN,
    KDP_LAKE_FLAGS,
    KDP_LAKE_SEQ,
    KDP_LAKE_FIELD, /* offset in the record */
    KDP_LAKE_ITEM,  /* offset in the group's item; NULL in the one row of a record without items */
    KDP_LAKE_TEXT,  /* offset is the text's index; NULL when empty */
    KDP_LAKE_GROUP  /* the whole group as a JSON array of objects */
};

struct kdp_lake_column {
    const char *name;
    const char *about;
    char sql[20]; /* its type in files and in SQL: "DECIMAL(9,4)" */
    uint8_t source;
    uint8_t kind; /* enum kdp_field_kind of FIELD and ITEM */
    uint8_t scale;
    uint8_t nullable; /* may be NULL: also a word "none", and items of a record that has none */
    uint16_t offset;
    const struct kdp_enum_desc *words;
};

struct kdp_lake_table {
    const char *name;
    const char *about;
    const struct kdp_record_desc *desc;
    bool per_item; /* one row per item of the group (at least one), not one per record */
    unsigned column_count;
    struct kdp_lake_column columns[KDP_LAKE_COLUMNS_MAX];
};

/* kdp_lake_tables gives all tables; number 0 and on.  Any thread. */
const struct kdp_lake_table *kdp_lake_tables(unsigned *countp);
/* kdp_lake_table_find gives a table's number by name, -1 for none; kdp_lake_table_of the one that holds
 * records of a template, -1 for none. */
int kdp_lake_table_find(const char *name);
int kdp_lake_table_of(unsigned template_id);
/* kdp_lake_rows gives how many rows a valid record has in its table. */
static inline uint32_t
kdp_lake_rows(const struct kdp_lake_table *table, const struct kdp_head *rec)
{
    uint32_t count = 1;

    if (table->per_item && (kdpi_record_group(rec, &count) == NULL || count == 0))
        count = 1;
    return count;
}

#endif
