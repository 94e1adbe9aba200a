/* lake_fill.c - see lake_fill.h. */
#include "lake_fill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "error.h"
#include "words.h"

#define WORDS_MAX 64u

int
kdp_lake_fill_init(struct kdp_lake_fill *fill, const struct kdp_duckdb *duck, uint32_t instrument_max,
                   kdp_lake_ticker_t ticker, void *arg)
{
    duckdb_logical_type type = duck->create_logical_type(DUCKDB_TYPE_VARCHAR);
    uint64_t *valid;

    memset(fill, 0, sizeof *fill);
    fill->duck = duck;
    fill->ticker = ticker;
    fill->ticker_arg = arg;
    fill->instrument_max = instrument_max;
    fill->known = calloc((size_t)instrument_max + 1, 1);
    fill->dictionary = duck->create_vector(type, (idx_t)instrument_max + 1);
    duck->destroy_logical_type(&type);
    if (fill->known == NULL || fill->dictionary == NULL) {
        kdp_lake_fill_release(fill);
        return kdpi_fail(KDP_ENOMEM, "no memory for the tickers of %u markets", instrument_max);
    }
    /* entry 0 stands for "no market" and is NULL */
    duck->vector_ensure_validity_writable(fill->dictionary);
    valid = duck->vector_get_validity(fill->dictionary);
    valid[0] &= ~UINT64_C(1);
    return 0;
}

void
kdp_lake_fill_release(struct kdp_lake_fill *fill)
{
    if (fill->dictionary != NULL)
        fill->duck->destroy_vector(&fill->dictionary);
    free(fill->known);
    fill->known = NULL;
}

static void
set_null(const struct kdp_lake_fill *fill, duckdb_vector vector, uint64_t **validp, size_t row)
{
    if (*validp == NULL) {
        fill->duck->vector_ensure_validity_writable(vector);
        *validp = fill->duck->vector_get_validity(vector);
    }
    (*validp)[row / 64] &= ~(UINT64_C(1) << (row % 64));
}

static void
put_text(const struct kdp_lake_fill *fill, duckdb_vector vector, size_t row, const char *text, size_t len)
{
    char escaped[4 * KDP_RECORD_MAX + 1];

    if (!kdpi_utf8_whole(text, len)) { /* DuckDB does not check what it is given */
        for (size_t i = 0; i < len && i < KDP_RECORD_MAX; i++)
            escaped[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
        text = escaped;
        len = len < KDP_RECORD_MAX ? len : KDP_RECORD_MAX;
    }
    fill->duck->vector_assign_string_element_len(vector, row, text, len);
}

static int
fill_tickers(struct kdp_lake_fill *fill, duckdb_vector vector, const struct kdp_lake_row *rows, size_t count)
{
    const struct kdp_duckdb *duck = fill->duck;
    duckdb_selection_vector sel = duck->create_selection_vector(count);
    sel_t *at;
    uint64_t *valid = NULL;

    if (sel == NULL)
        return -KDP_ENOMEM;
    /* a fresh selection each time: DuckDB may keep the chunk, and with it this memory */
    at = duck->selection_vector_get_data_ptr(sel);
    for (size_t i = 0; i < count; i++) {
        uint32_t id = rows[i].rec->instrument;

        if (id > fill->instrument_max) {
            at[i] = 0;
            continue;
        }
        if (fill->known[id] == 0) {
            const char *ticker = id == 0 ? NULL : fill->ticker(fill->ticker_arg, id);

            if (ticker != NULL)
                put_text(fill, fill->dictionary, id, ticker, strlen(ticker));
            else
                set_null(fill, fill->dictionary, &valid, id);
            fill->known[id] = 1;
        }
        at[i] = id;
    }
    duck->vector_reference_vector(vector, fill->dictionary);
    duck->slice_vector(vector, sel, count);
    duck->destroy_selection_vector(sel);
    return 0;
}

static void
fill_group(const struct kdp_lake_fill *fill, const struct kdp_record_desc *desc, duckdb_vector vector,
           const struct kdp_lake_row *rows, size_t count)
{
    char text[16 * KDP_RECORD_MAX], number[KDPI_DECIMAL_TEXT];
    uint64_t *valid = NULL;

    for (size_t row = 0; row < count; row++) {
        uint32_t items;
        const uint8_t *item = kdpi_record_group(rows[row].rec, &items);
        size_t used = 0;

        if (item == NULL || items == 0) {
            set_null(fill, vector, &valid, row);
            continue;
        }
        text[used++] = '[';
        for (uint32_t i = 0; i < items && used < sizeof text - 256; i++, item += desc->group_item) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s{", i > 0 ? "," : "");
            for (unsigned f = 0; f < desc->group_field_count; f++) {
                const struct kdp_field_desc *field = &desc->group_fields[f];
                int64_t value = 0;
                int32_t narrow;

                if (field->kind == KDP_FIELD_PRICE) {
                    memcpy(&narrow, item + field->offset, sizeof narrow);
                    value = narrow;
                } else {
                    memcpy(&value, item + field->offset, sizeof value);
                }
                kdpi_decimal_format(number, value, field->scale);
                used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%s\":\"%s\"", f > 0 ? "," : "",
                                         field->column != NULL ? field->column : field->name, number);
            }
            text[used++] = '}';
        }
        text[used++] = ']';
        put_text(fill, vector, row, text, used);
    }
}

/* The copy of a fixed-size value out of a record: fields are aligned there, memcpy keeps the compiler honest.
 */
#define EACH(type, base, null)                     \
    do {                                           \
        type *out = data;                          \
        for (size_t i = 0; i < count; i++) {       \
            type value;                            \
            memcpy(&value, (base), sizeof value);  \
            out[i] = value;                        \
            if (null)                              \
                set_null(fill, vector, &valid, i); \
        }                                          \
    } while (0)

static const uint8_t *
item_of(const struct kdp_lake_row *row, size_t item_bytes)
{
    uint32_t items;
    const uint8_t *group = kdpi_record_group(row->rec, &items);

    return group != NULL && row->item < items ? group + row->item * item_bytes : NULL;
}

static unsigned
word_index(const struct kdp_enum_desc *words, unsigned value)
{
    unsigned count = words->count < WORDS_MAX ? words->count : WORDS_MAX;

    return value < count && words->words[value] != NULL ? value : count; /* the last word is "?" */
}

/* fill_fixed writes values that lie at base[i] + offset; base[i] NULL: SQL NULL. */
static void
fill_fixed(const struct kdp_lake_fill *fill, const struct kdp_lake_column *column, duckdb_vector vector,
           const uint8_t *const *base, size_t count)
{
    static const uint8_t nothing[16];
    void *data = fill->duck->vector_get_data(vector);
    uint64_t *valid = NULL;
    size_t at = column->offset;
    bool nullable = column->nullable != 0;
    const uint8_t *from[2048];

    for (size_t i = 0; i < count; i++) {
        from[i] = base[i] != NULL ? base[i] + at : nothing;
        if (base[i] == NULL)
            set_null(fill, vector, &valid, i);
    }
    switch ((enum kdp_field_kind)column->kind) {
    case KDP_FIELD_U8:
        EACH(uint8_t, from[i], false);
        break;
    case KDP_FIELD_U16:
        EACH(uint16_t, from[i], false);
        break;
    case KDP_FIELD_U32:
        EACH(uint32_t, from[i], false);
        break;
    case KDP_FIELD_U64:
        EACH(uint64_t, from[i], false);
        break;
    case KDP_FIELD_I32:
    case KDP_FIELD_PRICE:
        EACH(int32_t, from[i], nullable && value == KDP_PRICE_NULL);
        break;
    case KDP_FIELD_I64:
    case KDP_FIELD_TIME:
    case KDP_FIELD_SIZE:
    case KDP_FIELD_CASH:
    case KDP_FIELD_NUMBER:
        EACH(int64_t, from[i], nullable && value == KDP_INT64_NULL);
        break;
    case KDP_FIELD_BOOL:
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)data)[i] = from[i][0] != 0;
        break;
    case KDP_FIELD_UUID: {
        duckdb_hugeint *out = data;

        for (size_t i = 0; i < count; i++) {
            uint64_t high, low;

            memcpy(&high, from[i], 8);
            memcpy(&low, from[i] + 8, 8);
            /* DuckDB orders UUIDs as signed numbers: the top bit is turned */
            out[i].upper = (int64_t)(__builtin_bswap64(high) ^ (UINT64_C(1) << 63));
            out[i].lower = __builtin_bswap64(low);
        }
        break;
    }
    case KDP_FIELD_ENUM: {
        bool none = nullable; /* the word of value 0 is "none" then */

        for (size_t i = 0; i < count; i++) {
            ((uint8_t *)data)[i] = (uint8_t)word_index(column->words, from[i][0]);
            if (none && from[i][0] == 0)
                set_null(fill, vector, &valid, i);
        }
        break;
    }
    case KDP_FIELD_TEXT:
        break;
    }
}

int
kdp_lake_fill_column(struct kdp_lake_fill *fill, const struct kdp_lake_column *column, duckdb_vector vector,
                     const struct kdp_lake_row *rows, size_t count)
{
    const uint8_t *base[2048];
    uint64_t *valid = NULL;
    void *data;

    KDP_ASSERT(count <= 2048);
    if (column->source == KDP_LAKE_TICKER)
        return fill_tickers(fill, vector, rows, count);
    data = fill->duck->vector_get_data(vector);
    switch ((enum kdp_lake_source)column->source) {
    case KDP_LAKE_TICKER:
        break;
    case KDP_LAKE_TIMESTAMP:
        for (size_t i = 0; i < count; i++) {
            const struct kdp_head *rec = rows[i].rec;
            ((int64_t *)data)[i] = rec->exch_ns != KDP_TIME_NULL ? rec->exch_ns : rec->recv_ns;
        }
        break;
    case KDP_LAKE_RECV:
        for (size_t i = 0; i < count; i++)
            ((int64_t *)data)[i] = rows[i].rec->recv_ns;
        break;
    case KDP_LAKE_SEQUENCE:
        for (size_t i = 0; i < count; i++) {
            ((int64_t *)data)[i] = rows[i].rec->src_seq;
            if (rows[i].rec->src_seq == 0)
                set_null(fill, vector, &valid, i);
        }
        break;
    case KDP_LAKE_LINE:
        for (size_t i = 0; i < count; i++) {
            ((uint16_t *)data)[i] = rows[i].rec->line;
            if (rows[i].rec->line == 0)
                set_null(fill, vector, &valid, i);
        }
        break;
    case KDP_LAKE_ORIGIN:
        for (size_t i = 0; i < count; i++)
            base[i] = &rows[i].rec->origin;
        fill_fixed(fill, column, vector, base, count);
        break;
    case KDP_LAKE_FLAGS:
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)data)[i] = rows[i].rec->flags;
        break;
    case KDP_LAKE_SEQ:
        for (size_t i = 0; i < count; i++) {
            ((int64_t *)data)[i] = (int64_t)rows[i].rec->seq;
            if (rows[i].rec->seq == 0) /* history: never was in the stream */
                set_null(fill, vector, &valid, i);
        }
        break;
    case KDP_LAKE_FIELD:
        for (size_t i = 0; i < count; i++)
            base[i] = (const uint8_t *)rows[i].rec;
        fill_fixed(fill, column, vector, base, count);
        break;
    case KDP_LAKE_ITEM: {
        size_t item_bytes = kdpi_record_desc(KDP_TEMPLATE_BOOK_SNAPSHOT)->group_item;

        for (size_t i = 0; i < count; i++)
            base[i] = item_of(&rows[i], item_bytes);
        fill_fixed(fill, column, vector, base, count);
        break;
    }
    case KDP_LAKE_TEXT:
        for (size_t i = 0; i < count; i++) {
            struct kdp_text text = kdpi_record_text(rows[i].rec, column->offset);

            if (text.len > 0)
                put_text(fill, vector, i, text.data, text.len);
            else
                set_null(fill, vector, &valid, i);
        }
        break;
    case KDP_LAKE_GROUP:
        if (count > 0)
            fill_group(fill, kdpi_record_desc(rows[0].rec->template_id), vector, rows, count);
        break;
    }
    return 0;
}

static duckdb_logical_type
logical_type(const struct kdp_duckdb *duck, const struct kdp_lake_column *column)
{
    static const uint8_t types[] = {
        [KDP_FIELD_U8] = DUCKDB_TYPE_UTINYINT,       [KDP_FIELD_U16] = DUCKDB_TYPE_USMALLINT,
        [KDP_FIELD_U32] = DUCKDB_TYPE_UINTEGER,      [KDP_FIELD_U64] = DUCKDB_TYPE_UBIGINT,
        [KDP_FIELD_I32] = DUCKDB_TYPE_INTEGER,       [KDP_FIELD_I64] = DUCKDB_TYPE_BIGINT,
        [KDP_FIELD_TIME] = DUCKDB_TYPE_TIMESTAMP_NS, [KDP_FIELD_UUID] = DUCKDB_TYPE_UUID,
        [KDP_FIELD_BOOL] = DUCKDB_TYPE_BOOLEAN,      [KDP_FIELD_TEXT] = DUCKDB_TYPE_VARCHAR,
    };
    const char *names[WORDS_MAX + 1];
    char unused[WORDS_MAX][8]; /* an ENUM's words must differ, also those no value has */
    unsigned count;

    switch ((enum kdp_field_kind)column->kind) {
    case KDP_FIELD_ENUM:
        count = column->words->count < WORDS_MAX ? column->words->count : WORDS_MAX;
        for (unsigned i = 0; i < count; i++) {
            names[i] = column->words->words[i];
            if (names[i] == NULL) {
                snprintf(unused[i], sizeof unused[i], "#%u", i);
                names[i] = unused[i];
            }
        }
        names[count] = "?"; /* a value of a later version of the schema */
        return duck->create_enum_type(names, count + 1);
    case KDP_FIELD_PRICE:
        return duck->create_decimal_type(9, column->scale);
    case KDP_FIELD_SIZE:
    case KDP_FIELD_CASH:
    case KDP_FIELD_NUMBER:
        return column->scale > 0 ? duck->create_decimal_type(18, column->scale)
                                 : duck->create_logical_type(DUCKDB_TYPE_BIGINT);
    default:
        return duck->create_logical_type((duckdb_type)types[column->kind]);
    }
}

void
kdp_lake_bind(const struct kdp_duckdb *duck, const struct kdp_lake_table *table, duckdb_bind_info info)
{
    for (unsigned i = 0; i < table->column_count; i++) {
        duckdb_logical_type type = logical_type(duck, &table->columns[i]);

        duck->bind_add_result_column(info, table->columns[i].name, type);
        duck->destroy_logical_type(&type);
    }
}
