/* sql_cell.c - see sql_cell.h. */
#include "sql_cell.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "words.h"

#define HUGE_TEXT 48

__extension__ typedef unsigned __int128 huge; /* what DuckDB's widest integers need */

static bool
is_null(const struct kdp_duckdb *duck, duckdb_vector vector, idx_t row)
{
    const uint64_t *valid = duck->vector_get_validity(vector);

    return valid != NULL && (valid[row / 64] >> (row % 64) & 1) == 0;
}

/* put_huge writes a 128-bit integer with the last scale digits behind a point. */
static void
put_huge(FILE *out, bool negative, huge value, unsigned scale)
{
    char text[HUGE_TEXT + 64], *at = text + sizeof text;
    unsigned digits = 0;

    *--at = '\0';
    do {
        if (digits == scale && scale > 0)
            *--at = '.';
        *--at = (char)('0' + (int)(value % 10));
        value /= 10;
        digits++;
    } while (value != 0 || digits <= scale);
    if (negative)
        *--at = '-';
    fputs(at, out);
}

static void
put_signed(FILE *out, int64_t value, unsigned scale)
{
    put_huge(out, value < 0, value < 0 ? -(huge)value : (huge)value, scale);
}

/* put_day and put_clock work by the proleptic Gregorian calendar, for any year DuckDB has. */
static void
put_day(FILE *out, int64_t days)
{
    /* days from civil, turned round (H. Hinnant's algorithm), era of 400 years */
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, year = yoe + era * 400;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;

    fprintf(out, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, year + (month <= 2 ? 1 : 0), month, day);
}

static void
put_clock(FILE *out, int64_t part, int64_t per_second, int digits)
{
    int64_t seconds = part / per_second;

    fprintf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (digits > 0)
        fprintf(out, ".%0*" PRId64, digits, part % per_second);
}

/* put_time writes a time counted in 1/per_second since 1970; DuckDB's infinities are the two ends of int64.
 */
static void
put_time(FILE *out, int64_t value, int64_t per_second, int digits)
{
    int64_t per_day = per_second * 86400, day = value / per_day, part = value % per_day;

    if (value == INT64_MAX || value == -INT64_MAX) {
        fputs(value > 0 ? "infinity" : "-infinity", out);
        return;
    }
    if (part < 0) {
        part += per_day;
        day--;
    }
    put_day(out, day);
    putc('T', out);
    put_clock(out, part, per_second, digits);
    putc('Z', out);
}

/* put_double writes the shortest text that reads back as the same number. */
static void
put_double(FILE *out, double value, int digits_max)
{
    char text[40];

    for (int digits = 1; digits <= digits_max; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (digits_max == 9 ? strtof(text, NULL) == (float)value
                            : !(strtod(text, NULL) < value || strtod(text, NULL) > value))
            break;
    }
    fputs(text, out);
}

static void
put_text(FILE *out, const char *text, size_t len, bool nested)
{
    if (nested)
        kdpi_json_text(out, text, len);
    else
        fwrite(text, 1, len, out);
}

static void
put_enum(FILE *out, const struct kdp_duckdb *duck, duckdb_logical_type type, const void *data, idx_t row,
         bool nested)
{
    uint32_t index;
    char *word;

    switch (duck->enum_internal_type(type)) {
    case DUCKDB_TYPE_UTINYINT:
        index = ((const uint8_t *)data)[row];
        break;
    case DUCKDB_TYPE_USMALLINT:
        index = ((const uint16_t *)data)[row];
        break;
    default:
        index = ((const uint32_t *)data)[row];
        break;
    }
    word = duck->enum_dictionary_value(type, index);
    put_text(out, word != NULL ? word : "", word != NULL ? strlen(word) : 0, nested);
    duck->free(word);
}

static void
put_item(FILE *out, const struct kdp_duckdb *duck, duckdb_vector vector, duckdb_logical_type type, idx_t row)
{
    if (!kdp_sql_cell_put(out, duck, vector, type, row, true))
        fputs("null", out);
}

static void
put_items(FILE *out, const struct kdp_duckdb *duck, duckdb_vector child, duckdb_logical_type type,
          idx_t first, idx_t count)
{
    putc('[', out);
    for (idx_t i = 0; i < count; i++) {
        if (i > 0)
            putc(',', out);
        put_item(out, duck, child, type, first + i);
    }
    putc(']', out);
}

static void
put_map(FILE *out, const struct kdp_duckdb *duck, duckdb_vector vector, duckdb_logical_type type, idx_t row)
{
    const duckdb_list_entry *entry = (const duckdb_list_entry *)duck->vector_get_data(vector) + row;
    duckdb_vector pairs = duck->list_vector_get_child(vector);
    duckdb_logical_type key = duck->map_type_key_type(type), value = duck->map_type_value_type(type);

    putc('{', out);
    for (idx_t i = 0; i < entry->length; i++) {
        char *text = NULL;
        size_t len;
        FILE *buffer = open_memstream(&text, &len);

        /* a JSON key is a text, whatever the key's type */
        if (buffer != NULL) {
            kdp_sql_cell_put(buffer, duck, duck->struct_vector_get_child(pairs, 0), key, entry->offset + i,
                             false);
            fclose(buffer);
        }
        if (i > 0)
            putc(',', out);
        kdpi_json_text(out, text != NULL ? text : "", text != NULL ? len : 0);
        free(text);
        putc(':', out);
        put_item(out, duck, duck->struct_vector_get_child(pairs, 1), value, entry->offset + i);
    }
    putc('}', out);
    duck->destroy_logical_type(&key);
    duck->destroy_logical_type(&value);
}

static void
put_nested(FILE *out, const struct kdp_duckdb *duck, duckdb_vector vector, duckdb_logical_type type,
           duckdb_type id, idx_t row)
{
    duckdb_logical_type child;

    if (id == DUCKDB_TYPE_LIST) {
        const duckdb_list_entry *entry = (const duckdb_list_entry *)duck->vector_get_data(vector) + row;

        child = duck->list_type_child_type(type);
        put_items(out, duck, duck->list_vector_get_child(vector), child, entry->offset, entry->length);
        duck->destroy_logical_type(&child);
    } else if (id == DUCKDB_TYPE_ARRAY) {
        idx_t size = duck->array_type_array_size(type);

        child = duck->array_type_child_type(type);
        put_items(out, duck, duck->array_vector_get_child(vector), child, row * size, size);
        duck->destroy_logical_type(&child);
    } else if (id == DUCKDB_TYPE_MAP) {
        put_map(out, duck, vector, type, row);
    } else {
        idx_t count = duck->struct_type_child_count(type);

        putc('{', out);
        for (idx_t i = 0; i < count; i++) {
            char *name = duck->struct_type_child_name(type, i);

            if (i > 0)
                putc(',', out);
            kdpi_json_text(out, name, strlen(name));
            duck->free(name);
            putc(':', out);
            child = duck->struct_type_child_type(type, i);
            put_item(out, duck, duck->struct_vector_get_child(vector, i), child, row);
            duck->destroy_logical_type(&child);
        }
        putc('}', out);
    }
}

static void
put_interval(FILE *out, const duckdb_interval *interval)
{
    int64_t micros = interval->micros, sign = micros < 0 ? -1 : 1;

    fprintf(out, "%d months %d days %s", interval->months, interval->days, sign < 0 ? "-" : "");
    put_clock(out, micros * sign, 1000000, 6);
}

static void
put_blob(FILE *out, const duckdb_string_t *string)
{
    uint32_t len;
    const char *bytes = kdp_duckdb_string(string, &len);

    for (uint32_t i = 0; i < len; i++)
        fprintf(out, "%02x", (unsigned char)bytes[i]);
}

static void
put_uuid(FILE *out, const duckdb_hugeint *uuid)
{
    uint64_t high = (uint64_t)uuid->upper ^ (UINT64_C(1) << 63), low = uuid->lower;

    fprintf(out, "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
            high >> 16 & 0xffff, high & 0xffff, low >> 48, low & UINT64_C(0xffffffffffff));
}

static void
put_hugeint(FILE *out, const duckdb_hugeint *value, unsigned scale)
{
    huge bits = (huge)(uint64_t)value->upper << 64 | value->lower;

    put_huge(out, value->upper < 0, value->upper < 0 ? -bits : bits, scale);
}

bool
kdp_sql_cell_int(const struct kdp_duckdb *duck, duckdb_vector vector, duckdb_logical_type type, idx_t row,
                 int64_t *valuep)
{
    const void *data = duck->vector_get_data(vector);
    duckdb_type id = duck->get_type_id(type);

    if (is_null(duck, vector, row))
        return false;
    if (id == DUCKDB_TYPE_DECIMAL)
        id = duck->decimal_internal_type(type);
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_UTINYINT:
        *valuep = ((const uint8_t *)data)[row];
        return true;
    case DUCKDB_TYPE_TINYINT:
        *valuep = ((const int8_t *)data)[row];
        return true;
    case DUCKDB_TYPE_SMALLINT:
        *valuep = ((const int16_t *)data)[row];
        return true;
    case DUCKDB_TYPE_USMALLINT:
        *valuep = ((const uint16_t *)data)[row];
        return true;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE:
        *valuep = ((const int32_t *)data)[row];
        return true;
    case DUCKDB_TYPE_UINTEGER:
        *valuep = ((const uint32_t *)data)[row];
        return true;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UBIGINT: /* a hash keeps its bits */
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        *valuep = ((const int64_t *)data)[row];
        return true;
    case DUCKDB_TYPE_HUGEINT: {
        const duckdb_hugeint *wide = (const duckdb_hugeint *)data + row;

        *valuep = (int64_t)wide->lower;
        return wide->upper == ((int64_t)wide->lower < 0 ? -1 : 0);
    }
    default:
        return false;
    }
}

bool
kdp_sql_cell_put(FILE *out, const struct kdp_duckdb *duck, duckdb_vector vector, duckdb_logical_type type,
                 idx_t row, bool nested)
{
    const void *data = duck->vector_get_data(vector);
    duckdb_type id = duck->get_type_id(type);
    unsigned scale = 0;
    bool quote;

    if (id == DUCKDB_TYPE_SQLNULL || is_null(duck, vector, row))
        return false;
    if (id == DUCKDB_TYPE_DECIMAL) {
        scale = duck->decimal_scale(type);
        id = duck->decimal_internal_type(type);
    }
    /* inside JSON everything but numbers, booleans and nested values is a text */
    quote = nested && (id == DUCKDB_TYPE_TIMESTAMP || id == DUCKDB_TYPE_TIMESTAMP_S ||
                       id == DUCKDB_TYPE_TIMESTAMP_MS || id == DUCKDB_TYPE_TIMESTAMP_NS ||
                       id == DUCKDB_TYPE_TIMESTAMP_TZ || id == DUCKDB_TYPE_DATE || id == DUCKDB_TYPE_TIME ||
                       id == DUCKDB_TYPE_INTERVAL || id == DUCKDB_TYPE_UUID || id == DUCKDB_TYPE_BLOB);
    if (quote)
        putc('"', out);
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
        fputs(((const uint8_t *)data)[row] != 0 ? "true" : "false", out);
        break;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER: {
        int64_t value = id == DUCKDB_TYPE_TINYINT     ? ((const int8_t *)data)[row]
                        : id == DUCKDB_TYPE_SMALLINT  ? ((const int16_t *)data)[row]
                        : id == DUCKDB_TYPE_INTEGER   ? ((const int32_t *)data)[row]
                        : id == DUCKDB_TYPE_BIGINT    ? ((const int64_t *)data)[row]
                        : id == DUCKDB_TYPE_UTINYINT  ? ((const uint8_t *)data)[row]
                        : id == DUCKDB_TYPE_USMALLINT ? ((const uint16_t *)data)[row]
                                                      : (int64_t)((const uint32_t *)data)[row];
        put_signed(out, value, scale);
        break;
    }
    case DUCKDB_TYPE_UBIGINT:
        put_huge(out, false, ((const uint64_t *)data)[row], 0);
        break;
    case DUCKDB_TYPE_HUGEINT:
        put_hugeint(out, (const duckdb_hugeint *)data + row, scale);
        break;
    case DUCKDB_TYPE_UHUGEINT: {
        const duckdb_hugeint *value = (const duckdb_hugeint *)data + row;

        put_huge(out, false, (huge)(uint64_t)value->upper << 64 | value->lower, 0);
        break;
    }
    case DUCKDB_TYPE_FLOAT:
        put_double(out, (double)((const float *)data)[row], 9);
        break;
    case DUCKDB_TYPE_DOUBLE:
        put_double(out, ((const double *)data)[row], 17);
        break;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        put_time(out, ((const int64_t *)data)[row], 1000000, 6);
        break;
    case DUCKDB_TYPE_TIMESTAMP_S:
        put_time(out, ((const int64_t *)data)[row], 1, 0);
        break;
    case DUCKDB_TYPE_TIMESTAMP_MS:
        put_time(out, ((const int64_t *)data)[row], 1000, 3);
        break;
    case DUCKDB_TYPE_TIMESTAMP_NS:
        put_time(out, ((const int64_t *)data)[row], KDP_NS_PER_S, 9);
        break;
    case DUCKDB_TYPE_DATE:
        put_day(out, ((const int32_t *)data)[row]);
        break;
    case DUCKDB_TYPE_TIME:
        put_clock(out, ((const int64_t *)data)[row], 1000000, 6);
        break;
    case DUCKDB_TYPE_INTERVAL:
        put_interval(out, (const duckdb_interval *)data + row);
        break;
    case DUCKDB_TYPE_UUID:
        put_uuid(out, (const duckdb_hugeint *)data + row);
        break;
    case DUCKDB_TYPE_VARCHAR: {
        uint32_t len;
        const char *text = kdp_duckdb_string((const duckdb_string_t *)data + row, &len);

        put_text(out, text, len, nested);
        break;
    }
    case DUCKDB_TYPE_BLOB:
        put_blob(out, (const duckdb_string_t *)data + row);
        break;
    case DUCKDB_TYPE_ENUM:
        put_enum(out, duck, type, data, row, nested);
        break;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_MAP:
    case DUCKDB_TYPE_STRUCT:
        put_nested(out, duck, vector, type, id, row);
        break;
    default:
        put_text(out, "(cast it to VARCHAR)", strlen("(cast it to VARCHAR)"), nested);
        break;
    }
    if (quote)
        putc('"', out);
    return true;
}
