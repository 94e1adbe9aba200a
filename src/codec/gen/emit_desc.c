/* emit_desc.c - writes the tables of record.h and record_layout.h: what each record is made of, as data. */
#include "gen.h"

#include <string.h>

static void
put_string(FILE *out, const char *text)
{
    if (text == NULL) {
        fputs("NULL", out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
    fputc('"', out);
}

static const char *
kind_of(const struct gen_type *type, bool text)
{
    static const char *const plain[GEN_PRIMITIVES] = {"U8", "U16", "U32", "U64", "I32", "I64"};
    static const struct {
        const char *unit, *kind;
    } kinds[] = {{"time", "TIME"}, {"price", "PRICE"},   {"size", "SIZE"}, {"cash", "CASH"},
                 {"hash", "U64"},  {"number", "NUMBER"}, {"uuid", "UUID"}};

    if (text)
        return "TEXT";
    if (type->kind == GEN_ENUM)
        return strcmp(type->name, "Bool") == 0 ? "BOOL" : "ENUM";
    for (size_t i = 0; type->unit != NULL && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].unit, type->unit) == 0)
            return kinds[i].kind;
    }
    return plain[type->primitive];
}

static void
put_fields(FILE *out, const char *kind, const struct gen_message *message, const struct gen_field *field,
           bool text)
{
    bool any = false;

    for (; field != NULL; field = field->next) {
        /* a hash is a U64 shown in 16 hex digits, see record.h */
        bool hash = field->type->unit != NULL && strcmp(field->type->unit, "hash") == 0;

        if (field->reserved)
            continue;
        if (!any)
            fprintf(out, "static const struct kdp_field_desc %s_%s[] = {\n", message->cname, kind);
        any = true;
        fputs("    {", out);
        put_string(out, field->cname);
        fputs(", ", out);
        put_string(out, field->column);
        fputs(", ", out);
        put_string(out, field->about);
        fprintf(out, ", KDP_FIELD_%s, %u, %d, %u, ", kind_of(field->type, text),
                hash ? 16 : field->type->scale, field->type->optional, field->offset);
        if (field->type->kind == GEN_ENUM || field->type->kind == GEN_SET)
            fprintf(out, "&kdpi_words[WORDS_%s]},\n", field->type->cname);
        else
            fputs("NULL},\n", out);
    }
    if (any)
        fputs("};\n", out);
}

static unsigned
count_fields(const struct gen_field *field)
{
    unsigned count = 0;

    for (; field != NULL; field = field->next)
        count += !field->reserved;
    return count;
}

/* Reserved bytes as masks over the 8-byte words they lie in: the checker then compares whole words. */
static unsigned
put_zeros(FILE *out, const char *kind, const struct gen_message *message, const struct gen_field *fields)
{
    unsigned count = 0;
    uint64_t mask = 0;
    unsigned word = 0;

    for (const struct gen_field *field = fields; field != NULL; field = field->next) {
        for (unsigned at = field->offset; field->reserved && at < field->offset + field->size; at++) {
            if (mask != 0 && at / 8 != word) {
                fprintf(out, "    {%u, UINT64_C(0x%016llx)},\n", word * 8, (unsigned long long)mask);
                mask = 0;
            }
            if (mask == 0) {
                word = at / 8;
                if (count++ == 0)
                    fprintf(out, "static const struct kdp_zero_word %s_%s[] = {\n", message->cname, kind);
            }
            mask |= UINT64_C(0xff) << (at % 8 * 8);
        }
    }
    if (count > 0)
        fprintf(out, "    {%u, UINT64_C(0x%016llx)},\n};\n", word * 8, (unsigned long long)mask);
    return count;
}

static void
put_words(FILE *out, const struct gen_schema *schema)
{
    unsigned count = 0;

    for (const struct gen_type *type = schema->types; type != NULL; type = type->next) {
        if (type->kind != GEN_ENUM && type->kind != GEN_SET)
            continue;
        fprintf(out, "static const char *const words_%s[] = {", type->cname);
        for (const struct gen_value *value = type->values; value != NULL; value = value->next) {
            fprintf(out, "[%u] = ", value->number);
            put_string(out, value->cname);
            fputs(value->next != NULL ? ", " : "};\n", out);
        }
    }
    fputs("enum {\n", out);
    for (const struct gen_type *type = schema->types; type != NULL; type = type->next) {
        if (type->kind == GEN_ENUM || type->kind == GEN_SET)
            fprintf(out, "    WORDS_%s = %u,\n", type->cname, count++);
    }
    fputs("};\n", out);
    fputs("const struct kdp_enum_desc kdpi_words[] = {\n", out);
    for (const struct gen_type *type = schema->types; type != NULL; type = type->next) {
        if (type->kind == GEN_ENUM || type->kind == GEN_SET)
            fprintf(out, "    {\"%s\", words_%s, sizeof words_%s / sizeof *words_%s},\n", type->cname,
                    type->cname, type->cname, type->cname);
    }
    fprintf(out, "};\nconst unsigned kdpi_words_count = %u;\n\n", count);
}

static void
put_array(FILE *out, const struct gen_message *message, const char *kind, unsigned count)
{
    if (count > 0)
        fprintf(out, ", %s_%s, %u", message->cname, kind, count);
    else
        fputs(", NULL, 0", out);
}

void
emit_desc(FILE *out, const struct gen_schema *schema)
{
    unsigned zeros[GEN_TEMPLATE_LIMIT + 1][2];

    fputs("/* record_desc.c - the tables of record.h.  Made from schema/records.xml by the build. */\n"
          "#include \"record.h\"\n"
          "#include \"record_layout.h\"\n\n",
          out);
    put_words(out, schema);
    for (const struct gen_message *message = schema->messages; message != NULL; message = message->next) {
        put_fields(out, "fields", message, message->fields, false);
        put_fields(out, "items", message, message->group_fields, false);
        put_fields(out, "texts", message, message->texts, true);
        zeros[message->id][0] = put_zeros(out, "zeros", message, message->fields);
        zeros[message->id][1] = put_zeros(out, "item_zeros", message, message->group_fields);
    }
    fputs("\nconst struct kdp_record_desc kdpi_record_descs[KDP_TEMPLATE_MAX + 1] = {\n", out);
    for (const struct gen_message *message = schema->messages; message != NULL; message = message->next) {
        fprintf(out, "    [%u] = {\"%s\", ", message->id, message->cname);
        put_string(out, message->table);
        fputs(", ", out);
        put_string(out, message->about);
        fprintf(out, ", %u, %u, %u", message->id, message->size - 8, message->stream);
        put_array(out, message, "fields", count_fields(message->fields));
        fputs(", ", out);
        put_string(out, message->group_cname);
        fprintf(out, ", %u", message->item_size);
        put_array(out, message, "items", count_fields(message->group_fields));
        put_array(out, message, "texts", count_fields(message->texts));
        fputs("},\n", out);
    }
    fputs("};\n\nconst struct kdp_record_layout kdpi_record_layouts[KDP_TEMPLATE_MAX + 1] = {\n", out);
    for (const struct gen_message *message = schema->messages; message != NULL; message = message->next) {
        fprintf(out, "    [%u] = {%u, %u, %u", message->id, message->size, message->item_size,
                count_fields(message->texts));
        put_array(out, message, "zeros", zeros[message->id][0]);
        put_array(out, message, "item_zeros", zeros[message->id][1]);
        fputs("},\n", out);
    }
    fputs("};\n", out);
}
