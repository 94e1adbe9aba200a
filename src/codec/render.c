/* render.c - records as JSON and csv, driven by the field tables; the words for people are in render_what.c.
 */
#include "render.h"
#include "clock.h"
#include "error.h"
#include "render_out.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>

/* A value is written as JSON has it, or as the bare text of a cell, where nothing stands for null. */
enum style { STYLE_JSON, STYLE_CELL };

/* What a column takes its value from; own fields, group and texts follow at their bases. */
enum source {
    SOURCE_NONE,
    SOURCE_SEQ,
    SOURCE_TYPE,
    SOURCE_TICKER,
    SOURCE_TIMESTAMP,
    SOURCE_RECV_TS,
    SOURCE_SEQUENCE,
    SOURCE_LINE,
    SOURCE_ORIGIN,
    SOURCE_FLAGS,
    SOURCE_INSTRUMENT, /* from here on only when asked for */
    SOURCE_EXCH_TS,
    SOURCE_PUB_DELAY_NS,
    SOURCE_WHAT,
    SOURCE_HEAD_END,
    SOURCE_FIELD = 32,
    SOURCE_GROUP = 128,
    SOURCE_TEXT = 160,
    SOURCE_END = 256
};

static const char *const head_names[SOURCE_HEAD_END] = {
    NULL,   "seq",    "type",  "ticker",     "timestamp", "recv_ts",      "sequence",
    "line", "origin", "flags", "instrument", "exch_ts",   "pub_delay_ns", "what"};

static const char *
field_name(const struct kdp_field_desc *field)
{
    return field->column != NULL ? field->column : field->name;
}

/* ---- values ---- */

static void
put_quote(struct out *out, enum style style)
{
    if (style == STYLE_JSON)
        out_char(out, '"');
}

static void
put_null(struct out *out, enum style style)
{
    if (style == STYLE_JSON)
        out_str(out, "null");
}

static void
put_time(struct out *out, int64_t ns, enum style style)
{
    char text[KDPI_TIME_TEXT];

    if (ns == KDP_TIME_NULL) {
        put_null(out, style);
        return;
    }
    put_quote(out, style);
    out_bytes(out, text, kdpi_time_format(text, ns, 9));
    put_quote(out, style);
}

static void
put_text(struct out *out, struct kdp_text text, enum style style)
{
    if (text.len == 0) {
        put_null(out, style);
        return;
    }
    put_quote(out, style);
    kdpi_out_clean(out, text, style == STYLE_JSON);
    put_quote(out, style);
}

static void
put_word(struct out *out, const struct kdp_enum_desc *words, unsigned value, enum style style)
{
    put_quote(out, style);
    out_str(out, kdpi_enum_word(words, value));
    put_quote(out, style);
}

static void
put_uuid(struct out *out, const uint8_t *bytes, enum style style)
{
    static const char hex[] = "0123456789abcdef";

    put_quote(out, style);
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out_char(out, '-');
        out_char(out, hex[bytes[i] >> 4]);
        out_char(out, hex[bytes[i] & 15]);
    }
    put_quote(out, style);
}

static void
put_scaled(struct out *out, int64_t value, int64_t null, unsigned scale, enum style style)
{
    if (value == null) {
        put_null(out, style);
        return;
    }
    put_quote(out, style);
    kdpi_out_decimal(out, value, scale);
    put_quote(out, style);
}

static void
put_field(struct out *out, const struct kdp_field_desc *field, const uint8_t *base, enum style style)
{
    const uint8_t *at = base + field->offset;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int32_t i32;
    int64_t i64;
    char text[24];

    switch ((enum kdp_field_kind)field->kind) {
    case KDP_FIELD_U8:
        kdpi_out_unsigned(out, *at);
        break;
    case KDP_FIELD_U16:
        memcpy(&u16, at, sizeof u16);
        kdpi_out_unsigned(out, u16);
        break;
    case KDP_FIELD_U32:
        memcpy(&u32, at, sizeof u32);
        kdpi_out_unsigned(out, u32);
        break;
    case KDP_FIELD_U64:
        memcpy(&u64, at, sizeof u64);
        if (field->scale == 16) {
            put_quote(out, style);
            snprintf(text, sizeof text, "%016" PRIx64, u64);
            out_str(out, text);
            put_quote(out, style);
        } else {
            kdpi_out_unsigned(out, u64);
        }
        break;
    case KDP_FIELD_I32:
        memcpy(&i32, at, sizeof i32);
        if (field->nullable && i32 == INT32_MIN)
            put_null(out, style);
        else
            kdpi_out_decimal(out, i32, 0);
        break;
    case KDP_FIELD_I64:
        memcpy(&i64, at, sizeof i64);
        if (field->nullable && i64 == INT64_MIN)
            put_null(out, style);
        else
            kdpi_out_decimal(out, i64, 0);
        break;
    case KDP_FIELD_TIME:
        memcpy(&i64, at, sizeof i64);
        put_time(out, i64, style);
        break;
    case KDP_FIELD_PRICE:
        memcpy(&i32, at, sizeof i32);
        put_scaled(out, i32, KDP_PRICE_NULL, field->scale, style);
        break;
    case KDP_FIELD_SIZE:
    case KDP_FIELD_CASH:
    case KDP_FIELD_NUMBER:
        memcpy(&i64, at, sizeof i64);
        put_scaled(out, i64, KDP_INT64_NULL, field->scale, style);
        break;
    case KDP_FIELD_UUID:
        put_uuid(out, at, style);
        break;
    case KDP_FIELD_BOOL:
        if (*at > 1)
            put_word(out, NULL, *at, style);
        else
            out_str(out, *at == 1 ? "true" : "false");
        break;
    case KDP_FIELD_ENUM:
        put_word(out, field->words, *at, style);
        break;
    case KDP_FIELD_TEXT:
        break; /* lies behind the fixed part: see put_own */
    }
}

static void
put_flags(struct out *out, unsigned flags, enum style style)
{
    const struct kdp_enum_desc *words = kdpi_enum_find("flags");
    bool any = false;

    if (style == STYLE_JSON)
        out_char(out, '[');
    for (unsigned bit = 0; bit < 8; bit++) {
        if ((flags >> bit & 1) == 0)
            continue;
        if (any)
            out_char(out, style == STYLE_JSON ? ',' : ' ');
        any = true;
        put_word(out, words, bit, style);
    }
    if (style == STYLE_JSON)
        out_char(out, ']');
}

static void
put_key(struct out *out, const char *name, bool first)
{
    if (!first)
        out_char(out, ',');
    out_char(out, '"');
    out_str(out, name);
    out_str(out, "\":");
}

static void
put_group(struct out *out, const struct kdp_record_desc *desc, const void *rec)
{
    uint32_t count;
    const uint8_t *item = kdpi_record_group(rec, &count);

    out_char(out, '[');
    for (uint32_t i = 0; i < count; i++, item += desc->group_item) {
        if (i > 0)
            out_char(out, ',');
        out_char(out, '{');
        for (unsigned k = 0; k < desc->group_field_count; k++) {
            put_key(out, field_name(&desc->group_fields[k]), k == 0);
            put_field(out, &desc->group_fields[k], item, STYLE_JSON);
        }
        out_char(out, '}');
    }
    out_char(out, ']');
}

/* ---- the head ---- */

/* A Definition knows its ticker itself; it is where everybody else has it from. */
static struct kdp_text
ticker_of(const struct kdp_record_desc *desc, const struct kdp_head *rec, const char *ticker)
{
    for (unsigned i = 0; i < desc->text_count; i++) {
        if (strcmp(desc->texts[i].name, "ticker") == 0)
            return kdpi_record_text(rec, i);
    }
    return (struct kdp_text){ticker != NULL ? ticker : "", ticker != NULL ? strlen(ticker) : 0};
}

static void
put_head(struct out *out, enum source source, const struct kdp_record_desc *desc, const struct kdp_head *rec,
         const char *ticker, enum style style)
{
    switch (source) {
    case SOURCE_SEQ:
        kdpi_out_unsigned(out, rec->seq);
        break;
    case SOURCE_TYPE:
        put_quote(out, style);
        out_str(out, desc->name);
        put_quote(out, style);
        break;
    case SOURCE_TICKER:
        put_text(out, ticker_of(desc, rec, ticker), style);
        break;
    case SOURCE_TIMESTAMP:
        put_time(out, rec->exch_ns != KDP_TIME_NULL ? rec->exch_ns : rec->recv_ns, style);
        break;
    case SOURCE_RECV_TS:
        put_time(out, rec->recv_ns, style);
        break;
    case SOURCE_SEQUENCE:
        kdpi_out_unsigned(out, rec->src_seq);
        break;
    case SOURCE_LINE:
        kdpi_out_unsigned(out, rec->line);
        break;
    case SOURCE_ORIGIN:
        put_word(out, kdpi_enum_find("origin"), rec->origin, style);
        break;
    case SOURCE_FLAGS:
        put_flags(out, rec->flags, style);
        break;
    case SOURCE_INSTRUMENT:
        kdpi_out_unsigned(out, rec->instrument);
        break;
    case SOURCE_EXCH_TS:
        put_time(out, rec->exch_ns, style);
        break;
    case SOURCE_PUB_DELAY_NS:
        kdpi_out_unsigned(out, rec->pub_delay_ns);
        break;
    default:
        break;
    }
}

size_t
kdpi_render_json(char *buf, size_t size, const struct kdp_head *rec, const char *ticker)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(rec->template_id);
    struct out out = out_open(buf, size);

    KDP_ASSERT(desc != NULL);
    out_char(&out, '{');
    for (enum source source = SOURCE_SEQ; source < SOURCE_WHAT; source = (enum source)(source + 1)) {
        put_key(&out, head_names[source], source == SOURCE_SEQ);
        put_head(&out, source, desc, rec, ticker, STYLE_JSON);
    }
    for (unsigned i = 0; i < desc->field_count; i++) {
        put_key(&out, field_name(&desc->fields[i]), false);
        put_field(&out, &desc->fields[i], (const uint8_t *)rec, STYLE_JSON);
    }
    if (desc->group != NULL) {
        put_key(&out, desc->group, false);
        put_group(&out, desc, rec);
    }
    for (unsigned i = 0; i < desc->text_count; i++) {
        if (strcmp(desc->texts[i].name, "ticker") == 0)
            continue;
        put_key(&out, field_name(&desc->texts[i]), false);
        put_text(&out, kdpi_record_text(rec, i), STYLE_JSON);
    }
    out_char(&out, '}');
    return out_close(&out);
}

/* ---- columns ---- */

static_assert(SOURCE_HEAD_END <= SOURCE_FIELD && SOURCE_END == UINT8_MAX + 1, "a source is one byte");

static enum source
own_source(const struct kdp_record_desc *desc, const char *name, size_t len)
{
    for (unsigned i = 0; i < desc->field_count; i++) {
        const char *own = field_name(&desc->fields[i]);

        if (strlen(own) == len && memcmp(own, name, len) == 0)
            return (enum source)(SOURCE_FIELD + i);
    }
    if (desc->group != NULL && strlen(desc->group) == len && memcmp(desc->group, name, len) == 0)
        return SOURCE_GROUP;
    for (unsigned i = 0; i < desc->text_count; i++) {
        const char *own = field_name(&desc->texts[i]);

        if (strlen(own) == len && memcmp(own, name, len) == 0)
            return (enum source)(SOURCE_TEXT + i);
    }
    return SOURCE_NONE;
}

/* Adds the column of that name: 1 added, 0 there already, -1 unknown in every record. */
static int
add_column(struct kdpi_render_columns *columns, const char *name, size_t len)
{
    struct kdpi_render_column *column = &columns->columns[columns->count];

    for (unsigned i = 0; i < columns->count; i++) {
        if (strlen(columns->columns[i].name) == len && memcmp(columns->columns[i].name, name, len) == 0)
            return 0;
    }
    KDP_ASSERT(columns->count < KDPI_RENDER_COLUMNS); /* the schema has fewer names */
    column->name = NULL;
    for (unsigned source = SOURCE_SEQ; source < SOURCE_HEAD_END; source++) {
        if (strlen(head_names[source]) != len || memcmp(head_names[source], name, len) != 0)
            continue;
        memset(column->source, (int)source, sizeof column->source);
        column->name = head_names[source];
        columns->count++;
        return 1;
    }
    memset(column->source, SOURCE_NONE, sizeof column->source);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);
        enum source source = desc != NULL ? own_source(desc, name, len) : SOURCE_NONE;

        if (desc == NULL || source == SOURCE_NONE)
            continue;
        column->source[id] = (uint8_t)source;
        column->name = source >= SOURCE_TEXT    ? field_name(&desc->texts[source - SOURCE_TEXT])
                       : source == SOURCE_GROUP ? desc->group
                                                : field_name(&desc->fields[source - SOURCE_FIELD]);
    }
    if (column->name == NULL)
        return -1;
    columns->count++;
    return 1;
}

static void
add_all(struct kdpi_render_columns *columns, uint32_t mask)
{
    for (unsigned source = SOURCE_SEQ; source < SOURCE_INSTRUMENT; source++)
        add_column(columns, head_names[source], strlen(head_names[source]));
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        if ((mask >> id & 1) == 0 || desc == NULL)
            continue;
        for (unsigned i = 0; i < desc->field_count; i++)
            add_column(columns, field_name(&desc->fields[i]), strlen(field_name(&desc->fields[i])));
        if (desc->group != NULL)
            add_column(columns, desc->group, strlen(desc->group));
        for (unsigned i = 0; i < desc->text_count; i++)
            add_column(columns, field_name(&desc->texts[i]), strlen(field_name(&desc->texts[i])));
    }
}

static void
nearest(const char *typed, const char *name, const char **bestp, unsigned *distancep)
{
    unsigned distance = kdpi_word_distance(typed, name);

    if (distance < *distancep) {
        *bestp = name;
        *distancep = distance;
    }
}

static int
unknown_column(const char *name, size_t len)
{
    const char *best = "";
    unsigned distance = 1000;
    char typed[64], shown[256];

    if (len == 0)
        return kdpi_fail(KDP_EUSAGE, "a name is missing in the list of columns");
    snprintf(typed, sizeof typed, "%.*s", (int)(len < sizeof typed ? len : sizeof typed - 1), name);
    for (unsigned source = SOURCE_SEQ; source < SOURCE_HEAD_END; source++)
        nearest(typed, head_names[source], &best, &distance);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        for (unsigned i = 0; desc != NULL && i < desc->field_count; i++)
            nearest(typed, field_name(&desc->fields[i]), &best, &distance);
        for (unsigned i = 0; desc != NULL && i < desc->text_count; i++)
            nearest(typed, field_name(&desc->texts[i]), &best, &distance);
        if (desc != NULL && desc->group != NULL)
            nearest(typed, desc->group, &best, &distance);
    }
    kdpi_fail(KDP_EUSAGE, "no column %s in any record",
              kdpi_escape(shown, sizeof shown, typed, strlen(typed)));
    if (kdpi_word_near(typed, best, distance))
        kdpi_hint("Did you mean %s?", best);
    else
        kdpi_hint("Columns of all records: %s, %s, %s, ...; of each: docs/design/records.md",
                  head_names[SOURCE_SEQ], head_names[SOURCE_TYPE], head_names[SOURCE_TICKER]);
    return -KDP_EUSAGE;
}

int
kdpi_render_select(struct kdpi_render_columns *columns, uint32_t mask, const char *list)
{
    columns->count = 0;
    if (list == NULL) {
        add_all(columns, mask);
        return 0;
    }
    for (;;) {
        size_t len = strcspn(list, ",");
        int rc = add_column(columns, list, len);

        if (rc < 0)
            return unknown_column(list, len);
        if (rc == 0)
            return kdpi_fail(KDP_EUSAGE, "column %.*s stands twice", (int)len, list);
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}

size_t
kdpi_render_cell(char *buf, size_t size, const struct kdpi_render_column *column, const struct kdp_head *rec,
                 const char *ticker)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(rec->template_id);
    struct out out = out_open(buf, size);
    enum source source;

    KDP_ASSERT(desc != NULL);
    source = (enum source)column->source[rec->template_id];
    if (source == SOURCE_WHAT)
        return kdpi_render_what(buf, size, rec, ticker);
    if (source >= SOURCE_TEXT)
        put_text(&out, kdpi_record_text(rec, source - SOURCE_TEXT), STYLE_CELL);
    else if (source == SOURCE_GROUP)
        put_group(&out, desc, rec);
    else if (source >= SOURCE_FIELD)
        put_field(&out, &desc->fields[source - SOURCE_FIELD], (const uint8_t *)rec, STYLE_CELL);
    else
        put_head(&out, source, desc, rec, ticker, STYLE_CELL);
    return out_close(&out);
}

static void
put_csv(struct out *out, const char *cell, size_t len)
{
    if (memchr(cell, ',', len) == NULL && memchr(cell, '"', len) == NULL) {
        out_bytes(out, cell, len);
        return;
    }
    out_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (cell[i] == '"')
            out_char(out, '"');
        out_char(out, cell[i]);
    }
    out_char(out, '"');
}

size_t
kdpi_render_csv_header(char *buf, size_t size, const struct kdpi_render_columns *columns)
{
    struct out out = out_open(buf, size);

    for (unsigned i = 0; i < columns->count; i++) {
        if (i > 0)
            out_char(&out, ',');
        out_str(&out, columns->columns[i].name);
    }
    return out_close(&out);
}

size_t
kdpi_render_csv_row(char *buf, size_t size, const struct kdpi_render_columns *columns,
                    const struct kdp_head *rec, const char *ticker)
{
    struct out out = out_open(buf, size);
    char cell[KDPI_RENDER_MAX];

    for (unsigned i = 0; i < columns->count; i++) {
        size_t len = kdpi_render_cell(cell, sizeof cell, &columns->columns[i], rec, ticker);

        if (i > 0)
            out_char(&out, ',');
        put_csv(&out, cell, len < sizeof cell ? len : sizeof cell - 1);
    }
    return out_close(&out);
}
