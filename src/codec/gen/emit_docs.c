/* emit_docs.c - writes the generated sections of docs/design/records.md. */
#include "gen.h"

#include <ctype.h>
#include <string.h>

static const char *const sbe_types[GEN_PRIMITIVES] = {"uint8",  "uint16", "uint32",
                                                      "uint64", "int32",  "int64"};

/* Text for a cell of a Markdown table. */
static void
put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|' || *text == '<' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
}

/* The same as the start of a sentence. */
static void
put_sentence(FILE *out, const char *text)
{
    if (*text != '\0')
        fputc(toupper((unsigned char)*text), out);
    put_text(out, *text != '\0' ? text + 1 : text);
}

static void
put_type(FILE *out, const struct gen_type *type)
{
    if (type->kind == GEN_ENUM || type->kind == GEN_SET) {
        fprintf(out, "uint8 [%s](#%s)", type->cname, type->cname);
        return;
    }
    fputs(sbe_types[type->primitive], out);
    if (type->array)
        fprintf(out, "[%u]", type->length);
    if (type->unit != NULL)
        fprintf(out, " %s", type->unit);
    if (type->scale > 0)
        fprintf(out, " e-%u", type->scale);
    if (type->optional)
        fputs(", or null", out);
}

static void
put_heading(FILE *out, bool columns)
{
    fprintf(out, "\n| byte | field | type |%s meaning |\n|---|---|---|%s---|\n", columns ? " column |" : "",
            columns ? "---|" : "");
}

static void
put_fields(FILE *out, const struct gen_field *field, unsigned base, bool columns)
{
    for (; field != NULL; field = field->next) {
        fprintf(out, "| %u | `%s` | ", base + field->offset, field->cname);
        put_type(out, field->type);
        fputs(" | ", out);
        if (columns && field->column != NULL)
            fprintf(out, "`%s`", field->column);
        if (columns)
            fputs(" | ", out);
        put_text(out, field->reserved ? "zero" : field->about);
        fputs(" |\n", out);
    }
}

static void
put_record(FILE *out, const struct gen_message *message, unsigned head_size)
{
    fprintf(out, "\n### %u %s\n\n", message->id, message->cname);
    put_sentence(out, message->about);
    fprintf(out, ". `struct kdp_%s`, %u bytes", message->cname, message->size);
    if (message->group != NULL || message->texts != NULL)
        fputs(" and what follows", out);
    fprintf(out, " (blockLength %u); table `%s`; ", message->size - 8, message->table);
    if (message->stream != 0)
        fprintf(out, "stream %u.\n", message->stream);
    else
        fputs("in every stream.\n", out);
    if (message->fields != NULL) {
        put_heading(out, true);
        put_fields(out, message->fields, 0, true);
    } else {
        fprintf(out, "\nNothing of its own behind the %u bytes of the head.\n", head_size);
    }
    if (message->group != NULL) {
        fprintf(out, "\nGroup `%s`", message->group_cname);
        if (message->group_about[0] != '\0') {
            fputs(" (", out);
            put_text(out, message->group_about);
            fputc(')', out);
        }
        fprintf(out, ": `struct kdp_group_size`, then items of %u bytes, `struct kdp_%s_%s`:\n",
                message->item_size, message->cname, message->group_cname);
        put_heading(out, true);
        put_fields(out, message->group_fields, 0, true);
    }
    if (message->texts != NULL) {
        fputs("\nTexts, in this order:\n\n| text | column | meaning |\n|---|---|---|\n", out);
        for (const struct gen_field *text = message->texts; text != NULL; text = text->next) {
            fprintf(out, "| `%s` | ", text->cname);
            if (text->column != NULL)
                fprintf(out, "`%s`", text->column);
            fputs(" | ", out);
            put_text(out, text->about);
            fputs(" |\n", out);
        }
    }
}

static void
put_words(FILE *out, const struct gen_type *type)
{
    fprintf(out, "\n### %s\n\n", type->cname);
    if (type->about[0] != '\0') {
        put_sentence(out, type->about);
        fputs(".\n\n", out);
    }
    fprintf(out, "| %s | word | meaning |\n|---|---|---|\n", type->kind == GEN_SET ? "bit (value)" : "value");
    for (const struct gen_value *value = type->values; value != NULL; value = value->next) {
        if (type->kind == GEN_SET)
            fprintf(out, "| %u (%u) | ", value->number, 1u << value->number);
        else
            fprintf(out, "| %u | ", value->number);
        fprintf(out, "%s | ", value->cname);
        put_text(out, value->about);
        fputs(" |\n", out);
    }
}

static unsigned
end_of(const struct gen_field *field)
{
    unsigned end = 0;

    for (; field != NULL; field = field->next)
        end = field->offset + field->size;
    return end;
}

bool
emit_docs(FILE *out, const struct gen_schema *schema, const char *section)
{
    unsigned header_size = end_of(schema->header->members);
    unsigned head_size = header_size + end_of(schema->head->members);

    if (strcmp(section, "limits") == 0) {
        fprintf(
            out,
            "Schema id %u, version %u, template ids up to %u, no record over %u bytes, head of %u bytes.\n",
            schema->id, schema->version, schema->template_max, schema->record_max, head_size);
    } else if (strcmp(section, "head") == 0) {
        put_heading(out, false);
        put_fields(out, schema->header->members, 0, false);
        put_fields(out, schema->head->members, header_size, false);
        fputc('\n', out);
    } else if (strcmp(section, "group size") == 0) {
        put_heading(out, false);
        put_fields(out, schema->group_size->members, 0, false);
        fputc('\n', out);
    } else if (strcmp(section, "records") == 0) {
        for (const struct gen_message *message = schema->messages; message != NULL; message = message->next)
            put_record(out, message, head_size);
        fputc('\n', out);
    } else if (strcmp(section, "words") == 0) {
        for (const struct gen_type *type = schema->types; type != NULL; type = type->next) {
            if (type->kind == GEN_ENUM || type->kind == GEN_SET)
                put_words(out, type);
        }
        fputc('\n', out);
    } else {
        return false;
    }
    return true;
}
