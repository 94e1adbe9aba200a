/* lake_table.c - see lake_table.h. */
#include "lake_table.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "record_layout.h"

static struct kdp_lake_table tables[KDP_LAKE_TABLES_MAX];
static unsigned table_count;
static int8_t by_template[KDP_TEMPLATE_MAX + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
type_of(struct kdp_lake_column *column)
{
    const char *word = "BIGINT";

    switch ((enum kdp_field_kind)column->kind) {
    case KDP_FIELD_U8:
        word = "UTINYINT";
        break;
    case KDP_FIELD_U16:
        word = "USMALLINT";
        break;
    case KDP_FIELD_U32:
        word = "UINTEGER";
        break;
    case KDP_FIELD_U64:
        word = "UBIGINT";
        break;
    case KDP_FIELD_I32:
        word = "INTEGER";
        break;
    case KDP_FIELD_I64:
        word = "BIGINT";
        break;
    case KDP_FIELD_TIME:
        word = "TIMESTAMP_NS";
        break;
    case KDP_FIELD_UUID:
        word = "UUID";
        break;
    case KDP_FIELD_BOOL:
        word = "BOOLEAN";
        break;
    case KDP_FIELD_ENUM:
    case KDP_FIELD_TEXT:
        word = "VARCHAR";
        break;
    case KDP_FIELD_PRICE: /* 9 digits fit the 4 bytes a price has */
        snprintf(column->sql, sizeof column->sql, "DECIMAL(9,%u)", column->scale);
        return;
    case KDP_FIELD_SIZE:
    case KDP_FIELD_CASH:
    case KDP_FIELD_NUMBER:
        if (column->scale > 0) {
            snprintf(column->sql, sizeof column->sql, "DECIMAL(18,%u)", column->scale);
            return;
        }
        break;
    }
    snprintf(column->sql, sizeof column->sql, "%s", word);
}

static struct kdp_lake_column *
add(struct kdp_lake_table *table, const char *name, const char *about, enum kdp_lake_source source,
    enum kdp_field_kind kind)
{
    struct kdp_lake_column *column = &table->columns[table->column_count++];

    KDP_ASSERT(table->column_count <= KDP_LAKE_COLUMNS_MAX);
    column->name = name;
    column->about = about;
    column->source = (uint8_t)source;
    column->kind = (uint8_t)kind;
    column->nullable = source != KDP_LAKE_TIMESTAMP && source != KDP_LAKE_RECV && source != KDP_LAKE_FLAGS &&
                       source != KDP_LAKE_SEQ;
    type_of(column);
    return column;
}

static const struct kdp_enum_desc *
words_named(const char *name)
{
    for (unsigned i = 0; i < kdpi_words_count; i++)
        if (strcasecmp(kdpi_words[i].name, name) == 0)
            return &kdpi_words[i];
    return NULL;
}

/* has_none: the first word means that there is no value; it is NULL in SQL. */
static bool
has_none(const struct kdp_enum_desc *words)
{
    return words != NULL && words->count > 0 && words->words[0] != NULL &&
           strcmp(words->words[0], "none") == 0;
}

static void
add_field(struct kdp_lake_table *table, const struct kdp_field_desc *field, enum kdp_lake_source source)
{
    const char *name = field->column;
    struct kdp_lake_column *column;

    /* A table of items needs the part numbers, which a table of records would not: with them the parts of one
     * snapshot are found again (seq - part is the same for all of them). */
    if (name == NULL && table->per_item)
        name = field->name;
    if (name == NULL)
        return;
    column = add(table, name, field->about, source, (enum kdp_field_kind)field->kind);
    column->scale = field->scale;
    column->nullable = field->nullable || source == KDP_LAKE_ITEM || has_none(field->words);
    column->offset = field->offset;
    column->words = field->words;
    type_of(column);
}

static void
build(void)
{
    memset(by_template, -1, sizeof by_template);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);
        struct kdp_lake_table *table = &tables[table_count];
        struct kdp_lake_column *seq;

        if (desc == NULL || desc->table == NULL)
            continue;
        KDP_ASSERT(table_count < KDP_LAKE_TABLES_MAX);
        table->name = desc->table;
        table->about = desc->about;
        table->desc = desc;
        table->per_item = id == KDP_TEMPLATE_BOOK_SNAPSHOT;
        add(table, "ticker", "the market", KDP_LAKE_TICKER, KDP_FIELD_TEXT);
        add(table, "timestamp", "the exchange's time, else that of receipt", KDP_LAKE_TIMESTAMP,
            KDP_FIELD_TIME);
        add(table, "recv_ts", "time of receipt", KDP_LAKE_RECV, KDP_FIELD_TIME);
        for (unsigned i = 0; i < desc->field_count; i++)
            add_field(table, &desc->fields[i], KDP_LAKE_FIELD);
        if (table->per_item)
            for (unsigned i = 0; i < desc->group_field_count; i++)
                add_field(table, &desc->group_fields[i], KDP_LAKE_ITEM);
        for (unsigned i = 0; i < desc->text_count; i++) {
            /* the ticker of a definition is the ticker of its instrument: there already */
            if (desc->texts[i].column == NULL || strcmp(desc->texts[i].column, "ticker") == 0)
                continue;
            add(table, desc->texts[i].column, desc->texts[i].about, KDP_LAKE_TEXT, KDP_FIELD_TEXT)->offset =
                (uint16_t)i;
        }
        if (!table->per_item && desc->group != NULL)
            add(table, id == KDP_TEMPLATE_DEFINITION ? "price_ranges" : desc->group,
                "JSON array, as the exchange gives it", KDP_LAKE_GROUP, KDP_FIELD_TEXT);
        add(table, "sequence", "the exchange's seq within the subscription", KDP_LAKE_SEQUENCE,
            KDP_FIELD_I64);
        add(table, "line", "connection that brought it", KDP_LAKE_LINE, KDP_FIELD_U16);
        add(table, "origin", "where it was learnt", KDP_LAKE_ORIGIN, KDP_FIELD_ENUM)->words =
            words_named("origin");
        add(table, "flags", "bits of the record's head", KDP_LAKE_FLAGS, KDP_FIELD_U8);
        seq = add(table, "seq", "place in the stream", KDP_LAKE_SEQ, KDP_FIELD_I64);
        if (id == KDP_TEMPLATE_TRADE) { /* the one table that history adds rows to */
            seq->nullable = true;
            seq->about = "place in the stream, none for what history brought";
        }
        by_template[id] = (int8_t)table_count++;
    }
}

const struct kdp_lake_table *
kdp_lake_tables(unsigned *countp)
{
    pthread_once(&once, build);
    if (countp != NULL)
        *countp = table_count;
    return tables;
}

int
kdp_lake_table_find(const char *name)
{
    kdp_lake_tables(NULL);
    for (unsigned i = 0; i < table_count; i++)
        if (strcmp(tables[i].name, name) == 0)
            return (int)i;
    return -1;
}

int
kdp_lake_table_of(unsigned template_id)
{
    kdp_lake_tables(NULL);
    return template_id <= KDP_TEMPLATE_MAX ? by_template[template_id] : -1;
}
