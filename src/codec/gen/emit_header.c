/* emit_header.c - writes <kdp/records.h>: structs, enumerations and the assertions that hold them to the
 * schema. */
#include "gen.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const c_types[GEN_PRIMITIVES] = {"uint8_t",  "uint16_t", "uint32_t",
                                                    "uint64_t", "int32_t",  "int64_t"};

static void
put_upper(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fputc(toupper((unsigned char)*text), out);
}

/* Text for inside a comment: what would end it is broken up. */
static void
put_comment(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        fputc(*text == '\n' ? ' ' : *text, out);
        if (text[0] == '*' && text[1] == '/')
            fputc(' ', out);
    }
}

static void
put_words(FILE *out, const struct gen_type *type)
{
    if (type->about[0] != '\0') {
        fputs("/* ", out);
        put_comment(out, type->about);
        fputs(" */\n", out);
    }
    fprintf(out, "enum kdp_%s {\n", type->cname);
    for (const struct gen_value *value = type->values; value != NULL; value = value->next) {
        fputs("    KDP_", out);
        put_upper(out, type->cname);
        fputc('_', out);
        put_upper(out, value->cname);
        fprintf(out, " = %u,", type->kind == GEN_SET ? 1u << value->number : value->number);
        if (value->about[0] != '\0') {
            fputs(" /* ", out);
            put_comment(out, value->about);
            fputs(" */", out);
        }
        fputc('\n', out);
    }
    fputs("};\n", out);
}

static void
put_member(FILE *out, const struct gen_field *field, unsigned base)
{
    fprintf(out, "    %s %s", c_types[field->type->primitive], field->cname);
    if (field->type->array)
        fprintf(out, "[%u]", field->type->length);
    fprintf(out, "; /* %u", base + field->offset);
    if (field->about[0] != '\0') {
        fputs(": ", out);
        put_comment(out, field->about);
    }
    fputs(" */\n", out);
}

static void
put_members(FILE *out, const struct gen_field *field, unsigned base)
{
    for (; field != NULL; field = field->next)
        put_member(out, field, base);
}

static void
put_assert(FILE *out, const char *name, const struct gen_field *field, unsigned base)
{
    fprintf(out, "static_assert(offsetof(struct kdp_%s, %s) == %u, \"kdp_%s.%s\");\n", name, field->cname,
            base + field->offset, name, field->cname);
}

static void
put_asserts(FILE *out, const char *name, const struct gen_field *field, unsigned base, unsigned size)
{
    for (; field != NULL; field = field->next)
        put_assert(out, name, field, base);
    if (size != 0)
        fprintf(out, "static_assert(sizeof(struct kdp_%s) == %u, \"kdp_%s\");\n\n", name, size, name);
}

static unsigned
end_of(const struct gen_field *field)
{
    unsigned end = 0;

    for (; field != NULL; field = field->next)
        end = field->offset + field->size;
    return end;
}

static void
put_message(FILE *out, const struct gen_message *message, unsigned head_size)
{
    if (message->group != NULL) {
        char *name = gen_alloc(strlen(message->cname) + strlen(message->group_cname) + 2);

        sprintf(name, "%s_%s", message->cname, message->group_cname);
        fprintf(out, "/* one item of the group %s of %s", message->group_cname, message->cname);
        if (message->group_about[0] != '\0') {
            fputs(": ", out);
            put_comment(out, message->group_about);
        }
        fprintf(out, " */\nstruct kdp_%s {\n", name);
        put_members(out, message->group_fields, 0);
        fputs("};\n", out);
        put_asserts(out, name, message->group_fields, 0, message->item_size);
    }
    fputs("/* ", out);
    put_comment(out, message->about);
    fprintf(out, " */\nstruct kdp_%s {\n    struct kdp_head head; /* 0 */\n", message->cname);
    put_members(out, message->fields, 0);
    if (message->group != NULL)
        fprintf(out, "    /* behind it: a struct kdp_group_size and its struct kdp_%s_%s */\n",
                message->cname, message->group_cname);
    if (message->texts != NULL) {
        fputs("    /* texts:", out);
        for (const struct gen_field *text = message->texts; text != NULL; text = text->next)
            fprintf(out, " %s%s", text->cname, text->next != NULL ? "," : "");
        fputs(" */\n", out);
    }
    fputs("};\n", out);
    fprintf(out,
            "static_assert(offsetof(struct kdp_%s, head) == 0 && sizeof(struct kdp_head) == %u, "
            "\"kdp_%s.head\");\n",
            message->cname, head_size, message->cname);
    put_asserts(out, message->cname, message->fields, 0, message->size);
}

void
emit_header(FILE *out, const struct gen_schema *schema)
{
    unsigned header_size = end_of(schema->header->members);
    unsigned head_size = header_size + end_of(schema->head->members);

    fprintf(
        out,
        "/* records.h - the records of the stream, as they lie in the ring, on the tape and in packets.\n"
        " *\n"
        " * Made from schema/records.xml by the build; docs/design/records.md explains it.  Little-endian; "
        "every field\n"
        " * lies on a multiple of its own size, reserved bytes are zero, a record is padded with zeros to a "
        "multiple of\n"
        " * 8 and has at most KDP_RECORD_MAX bytes.  The number behind each field is its byte offset. */\n"
        "#ifndef KDP_RECORDS_H\n"
        "#define KDP_RECORDS_H\n"
        "\n"
        "#include <assert.h>\n"
        "#include <stddef.h>\n"
        "#include <stdint.h>\n"
        "\n"
        "#define KDP_SCHEMA_ID %uu\n"
        "#define KDP_SCHEMA_VERSION %uu\n"
        "#define KDP_RECORD_MAX %uu /* bytes, padding included */\n"
        "#define KDP_TIME_NULL INT64_MIN\n"
        "#define KDP_INT64_NULL INT64_MIN\n"
        "#define KDP_PRICE_NULL INT32_MIN\n"
        "\n",
        schema->id, schema->version, schema->record_max);
    for (const struct gen_type *type = schema->types; type != NULL; type = type->next) {
        if (type->kind == GEN_ENUM || type->kind == GEN_SET)
            put_words(out, type);
    }
    fputs("\nenum kdp_template {\n", out);
    for (const struct gen_message *message = schema->messages; message != NULL; message = message->next) {
        fputs("    KDP_TEMPLATE_", out);
        put_upper(out, message->cname);
        fprintf(out, " = %u,\n", message->id);
    }
    fprintf(out, "};\n#define KDP_TEMPLATE_MAX %u\n\n", schema->template_max);

    fputs("/* the start of every record: the SBE message header and what all records have */\nstruct "
          "kdp_head {\n",
          out);
    put_members(out, schema->header->members, 0);
    put_members(out, schema->head->members, header_size);
    fputs("};\n", out);
    put_asserts(out, "head", schema->header->members, 0, 0);
    put_asserts(out, "head", schema->head->members, header_size, head_size);

    fputs("/* before the items of a group */\nstruct kdp_group_size {\n", out);
    put_members(out, schema->group_size->members, 0);
    fputs("};\n", out);
    put_asserts(out, "group_size", schema->group_size->members, 0, end_of(schema->group_size->members));

    for (const struct gen_message *message = schema->messages; message != NULL; message = message->next)
        put_message(out, message, head_size);
    fputs("#endif\n", out);
}
