/* schema.c - from the XML tree to the model of gen.h.  What is not understood is refused: an attribute or
 * element passed over in silence would give a layout that other SBE tools read differently. */
#include "gen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned size;
} primitives[GEN_PRIMITIVES] = {{"uint8", 1},  {"uint16", 2}, {"uint32", 4},
                                {"uint64", 8}, {"int32", 4},  {"int64", 8}};

unsigned
gen_primitive_size(enum gen_primitive primitive)
{
    return primitives[primitive].size;
}

/* ---- names and attributes ---- */

/* check_attrs refuses attributes that are not in the NULL-ended list. */
static void
check_attrs(const struct xml_node *node, ...)
{
    for (const struct xml_attr *attr = node->attrs; attr != NULL; attr = attr->next) {
        const char *known;
        bool found = false;
        va_list list;

        va_start(list, node);
        while (!found && (known = va_arg(list, const char *)) != NULL)
            found = strcmp(known, attr->name) == 0;
        va_end(list);
        if (!found)
            gen_fail(attr->line, "attribute %s of <%s> is not known here", attr->name, node->name);
    }
}

static void
check_no_text(const struct xml_node *node)
{
    if (node->text[0] != '\0')
        gen_fail(node->line, "<%s> has text in it: \"%.40s\"", node->name, node->text);
}

static const char *
need(const struct xml_node *node, const char *name)
{
    const char *value = xml_attr(node, name);

    if (value == NULL || value[0] == '\0')
        gen_fail(node->line, "<%s> needs attribute %s", node->name, name);
    return value;
}

static unsigned
number(const struct xml_node *node, const char *what, const char *text, unsigned max)
{
    char *end;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9')
        gen_fail(node->line, "%s of <%s> is \"%s\", not a number", what, node->name, text);
    value = strtoul(text, &end, 10);
    if (*end != '\0')
        gen_fail(node->line, "%s of <%s> is \"%s\", not a number", what, node->name, text);
    if (value > max)
        gen_fail(node->line, "%s of <%s> is %s, more than %u", what, node->name, text, max);
    return (unsigned)value;
}

/* A name as SBE wants it: letters, digits and underscores, a letter first. */
static const char *
need_name(const struct xml_node *node)
{
    const char *name = need(node, "name");

    for (const char *p = name; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

        if (!letter && (p == name || ((*p < '0' || *p > '9') && *p != '_')))
            gen_fail(node->line, "\"%s\" is not a name: letters, digits and _, a letter first", name);
    }
    return name;
}

/* "bookSnapshot" and "BookSnapshot" give "book_snapshot". */
static const char *
snake(const char *name)
{
    char *text = gen_alloc(2 * strlen(name) + 1), *out = text;

    for (const char *p = name; *p != '\0'; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            if (p != name && p[-1] != '_' && (p[-1] < 'A' || p[-1] > 'Z'))
                *out++ = '_';
            *out++ = (char)(*p - 'A' + 'a');
        } else {
            *out++ = *p;
        }
    }
    return text;
}

/* The column of a field is its C name without the unit, which SQL types tell by themselves. */
static const char *
column_of(const struct xml_node *node, const char *cname)
{
    static const char *const units[] = {"_e4", "_e2", "_e6", "_ns"};
    const char *given = xml_attr(node, "kdp:column");
    size_t len = strlen(cname);

    if (given != NULL)
        return strcmp(given, "-") == 0 ? NULL : given;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t unit = strlen(units[i]);

        if (len > unit && strcmp(cname + len - unit, units[i]) == 0)
            return gen_strndup(cname, len - unit);
    }
    return cname;
}

static const char *
about_of(const struct xml_node *node)
{
    const char *about = xml_attr(node, "description");

    return about != NULL ? about : "";
}

static bool
is_reserved(const char *name)
{
    return strncmp(name, "reserved", 8) == 0;
}

/* ---- types ---- */

static const struct gen_type *
find_type(const struct gen_schema *schema, const char *name)
{
    for (const struct gen_type *type = schema->types; type != NULL; type = type->next) {
        if (strcmp(type->name, name) == 0)
            return type;
    }
    return NULL;
}

static const struct gen_type *
need_type(const struct gen_schema *schema, const struct xml_node *node)
{
    const char *name = need(node, "type");
    const struct gen_type *type = find_type(schema, name);

    if (type != NULL)
        return type;
    for (int i = 0; i < GEN_PRIMITIVES; i++) {
        if (strcmp(primitives[i].name, name) == 0) {
            struct gen_type *plain = gen_alloc(sizeof *plain);

            *plain = (struct gen_type){.name = name,
                                       .cname = name,
                                       .about = "",
                                       .line = node->line,
                                       .primitive = (enum gen_primitive)i,
                                       .length = 1};
            return plain;
        }
    }
    gen_fail(node->line, "no type \"%s\" is defined above", name);
}

static enum gen_primitive
primitive_of(const struct xml_node *node, const char *attr)
{
    const char *name = need(node, attr);

    for (int i = 0; i < GEN_PRIMITIVES; i++) {
        if (strcmp(primitives[i].name, name) == 0)
            return (enum gen_primitive)i;
    }
    gen_fail(node->line, "%s \"%s\" is not one of uint8, uint16, uint32, uint64, int32, int64", attr, name);
}

static unsigned
type_size(const struct gen_type *type)
{
    unsigned size = 0;

    if (type->kind == GEN_COMPOSITE) {
        for (const struct gen_field *f = type->members; f != NULL; f = f->next)
            size += f->size;
        return size;
    }
    return primitives[type->primitive].size * (type->kind == GEN_SIMPLE ? type->length : 1);
}

/* The unit a type stands for, which decides how it is shown and which SQL type it gets. */
static void
read_unit(const struct xml_node *node, struct gen_type *type)
{
    static const struct {
        const char *name;
        enum gen_primitive primitive;
        unsigned length, scale_max;
    } units[] = {{"time", GEN_INT64, 1, 0}, {"price", GEN_INT32, 1, 9},  {"size", GEN_INT64, 1, 9},
                 {"cash", GEN_INT64, 1, 9}, {"number", GEN_INT64, 1, 9}, {"uuid", GEN_UINT8, 16, 0},
                 {"hash", GEN_UINT64, 1, 0}};
    const char *scale = xml_attr(node, "kdp:scale");
    size_t i;

    type->unit = xml_attr(node, "kdp:kind");
    if (type->unit == NULL) {
        if (scale != NULL)
            gen_fail(node->line, "kdp:scale without kdp:kind");
        return;
    }
    for (i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].name, type->unit) == 0)
            break;
    }
    if (i == sizeof units / sizeof *units)
        gen_fail(node->line, "kdp:kind \"%s\" is not one of time, price, size, cash, number, uuid, hash",
                 type->unit);
    if (units[i].primitive != type->primitive || units[i].length != type->length)
        gen_fail(node->line, "kdp:kind \"%s\" wants primitiveType %s, length %u", type->unit,
                 primitives[units[i].primitive].name, units[i].length);
    if (scale != NULL)
        type->scale = number(node, "kdp:scale", scale, units[i].scale_max);
}

static void
read_simple(const struct xml_node *node, struct gen_type *type)
{
    const char *length = xml_attr(node, "length"), *presence = xml_attr(node, "presence");

    check_attrs(node, "name", "primitiveType", "presence", "length", "description", "characterEncoding",
                "kdp:kind", "kdp:scale", "kdp:name", NULL);
    type->kind = GEN_SIMPLE;
    type->primitive = primitive_of(node, "primitiveType");
    type->length = 1;
    if (length != NULL) {
        type->length = number(node, "length", length, 255);
        type->array = true;
        if (type->primitive != GEN_UINT8)
            gen_fail(node->line, "arrays are of uint8 only");
    }
    if (presence != NULL && strcmp(presence, "optional") == 0)
        type->optional = true;
    else if (presence != NULL && strcmp(presence, "required") != 0)
        gen_fail(node->line, "presence \"%s\" is not one of required, optional", presence);
    if (type->optional && type->primitive != GEN_INT32 && type->primitive != GEN_INT64)
        gen_fail(node->line, "only int32 and int64 may be optional: their nulls are INT32_MIN and INT64_MIN");
    read_unit(node, type);
    if (node->children != NULL)
        gen_fail(node->children->line, "<%s> in <type>", node->children->name);
}

static void
read_words(const struct xml_node *node, struct gen_type *type)
{
    bool set = type->kind == GEN_SET;
    const char *item = set ? "choice" : "validValue";
    struct gen_value **last = &type->values;

    check_attrs(node, "name", "encodingType", "description", NULL);
    check_no_text(node);
    type->primitive = primitive_of(node, "encodingType");
    type->length = 1;
    if (type->primitive != GEN_UINT8)
        gen_fail(node->line, "enumerations and sets are uint8 here");
    for (const struct xml_node *child = node->children; child != NULL; child = child->next) {
        struct gen_value *value = gen_alloc(sizeof *value);

        if (strcmp(child->name, item) != 0)
            gen_fail(child->line, "<%s> in <%s>: only <%s> stands there", child->name, node->name, item);
        check_attrs(child, "name", "description", NULL);
        value->name = need_name(child);
        value->cname = snake(value->name);
        value->about = about_of(child);
        /* 255 is the null of a uint8 */
        value->number = number(child, "the value", child->text, set ? 7 : 254);
        for (const struct gen_value *other = type->values; other != NULL; other = other->next) {
            if (strcmp(other->cname, value->cname) == 0)
                gen_fail(child->line, "%s \"%s\" stands twice in %s", item, value->name, type->name);
            if (other->number == value->number)
                gen_fail(child->line, "%s and %s of %s are both %u", other->name, value->name, type->name,
                         value->number);
        }
        *last = value;
        last = &value->next;
    }
    if (type->values == NULL)
        gen_fail(node->line, "%s has no <%s>", type->name, item);
}

/* Appends a field and gives it its place; offset is the end of the one before. */
static void
place(struct gen_field ***lastp, struct gen_field *field, unsigned *offsetp)
{
    unsigned unit = field->type->kind == GEN_COMPOSITE ? 8 : primitives[field->type->primitive].size;

    field->size = type_size(field->type);
    field->offset = *offsetp;
    if (field->offset % unit != 0)
        gen_fail(field->line,
                 "%s would lie at byte %u, not a multiple of its size %u: put reserved bytes before it",
                 field->name, field->offset, unit);
    *offsetp += field->size;
    **lastp = field;
    *lastp = &field->next;
}

static void
read_composite(const struct gen_schema *schema, const struct xml_node *node, struct gen_type *type)
{
    struct gen_field **last = &type->members;
    unsigned offset = 0;

    check_attrs(node, "name", "description", NULL);
    check_no_text(node);
    for (const struct xml_node *child = node->children; child != NULL; child = child->next) {
        struct gen_field *field = gen_alloc(sizeof *field);
        const char *cname = xml_attr(child, "kdp:name");

        check_no_text(child);
        field->line = child->line;
        field->name = need_name(child);
        field->cname = cname != NULL ? cname : snake(field->name);
        field->about = about_of(child);
        if (strcmp(child->name, "ref") == 0) {
            check_attrs(child, "name", "type", "description", NULL);
            field->type = need_type(schema, child);
        } else if (strcmp(child->name, "type") == 0) {
            struct gen_type *inner = gen_alloc(sizeof *inner);

            inner->name = field->name;
            inner->line = child->line;
            read_simple(child, inner);
            field->type = inner;
        } else {
            gen_fail(child->line, "<%s> in <composite>: only <type> and <ref> stand there", child->name);
        }
        for (const struct gen_field *other = type->members; other != NULL; other = other->next) {
            if (strcmp(other->cname, field->cname) == 0)
                gen_fail(child->line, "\"%s\" stands twice in %s", field->name, type->name);
        }
        place(&last, field, &offset);
    }
    if (type->members == NULL)
        gen_fail(node->line, "composite %s is empty", type->name);
}

static void
read_types(struct gen_schema *schema, const struct xml_node *node)
{
    struct gen_type **last = &schema->types;

    check_attrs(node, NULL);
    check_no_text(node);
    while (*last != NULL)
        last = &(*last)->next;
    for (const struct xml_node *child = node->children; child != NULL; child = child->next) {
        struct gen_type *type = gen_alloc(sizeof *type);
        const struct gen_type *other;

        type->name = need_name(child);
        type->cname = snake(type->name);
        type->about = about_of(child);
        type->line = child->line;
        other = find_type(schema, type->name);
        if (other != NULL)
            gen_fail(child->line, "type \"%s\" is defined twice, first in line %d", type->name, other->line);
        if (strcmp(child->name, "type") == 0) {
            check_no_text(child);
            read_simple(child, type);
        } else if (strcmp(child->name, "enum") == 0) {
            type->kind = GEN_ENUM;
            read_words(child, type);
        } else if (strcmp(child->name, "set") == 0) {
            type->kind = GEN_SET;
            read_words(child, type);
        } else if (strcmp(child->name, "composite") == 0) {
            type->kind = GEN_COMPOSITE;
            read_composite(schema, child, type);
        } else {
            gen_fail(child->line, "<%s> in <types>: only type, enum, set and composite stand there",
                     child->name);
        }
        *last = type;
        last = &type->next;
    }
}

/* ---- messages ---- */

/* Columns that every record has from the head, or in its rendering; a record may not have another of that
 * name. */
static const char *const head_columns[] = {"ticker",     "timestamp",    "recv_ts", "sequence", "line",
                                           "origin",     "seq",          "type",    "flags",    "exch_ts",
                                           "instrument", "pub_delay_ns", "what"};

static void
check_names(const struct gen_field *list, const struct gen_field *field, const char *where)
{
    for (; list != NULL; list = list->next) {
        if (strcmp(list->cname, field->cname) == 0)
            gen_fail(field->line, "\"%s\" stands twice in %s", field->name, where);
    }
}

static void
check_columns(const struct gen_field *list, const struct gen_field *field, const char *where)
{
    for (; list != NULL && field->column != NULL; list = list->next) {
        if (list->column != NULL && strcmp(list->column, field->column) == 0)
            gen_fail(field->line, "%s and %s of %s have the same column %s", list->name, field->name, where,
                     field->column);
    }
}

static struct gen_field *
read_field(const struct gen_schema *schema, const struct xml_node *node, const struct gen_message *message,
           const struct gen_field *block)
{
    struct gen_field *field = gen_alloc(sizeof *field);

    check_attrs(node, "name", "id", "type", "description", "kdp:column", NULL);
    check_no_text(node);
    if (node->children != NULL)
        gen_fail(node->children->line, "<%s> in <%s>", node->children->name, node->name);
    field->line = node->line;
    field->name = need_name(node);
    field->cname = snake(field->name);
    check_names(block, field, message->name);
    number(node, "id", need(node, "id"), 65535);
    field->about = about_of(node);
    field->type = need_type(schema, node);
    field->reserved = is_reserved(field->name);
    if (!field->reserved)
        field->column = column_of(node, field->cname);
    else if (field->type->kind != GEN_SIMPLE || field->type->primitive != GEN_UINT8)
        gen_fail(node->line, "%s is not of bytes", field->name);
    else if (xml_attr(node, "kdp:column") != NULL)
        gen_fail(node->line, "%s cannot be a column", field->name);
    for (size_t i = 0; field->column != NULL && i < sizeof head_columns / sizeof *head_columns; i++) {
        if (strcmp(head_columns[i], field->column) == 0)
            gen_fail(node->line,
                     "column %s of %s.%s is one of the head's: give it another, or kdp:column=\"-\"",
                     field->column, message->name, field->name);
    }
    /* a group's items become rows that carry the columns of their record too */
    check_columns(message->fields, field, message->name);
    check_columns(message->group_fields, field, message->name);
    check_columns(message->texts, field, message->name);
    return field;
}

/* Ids are unique within a message, its group included: SBE addresses fields by them. */
static void
check_ids(const struct xml_node *parent, const struct xml_node *node, const struct xml_node *message)
{
    const char *id = need(node, "id");

    for (const struct xml_node *other = message->children; other != NULL; other = other->next) {
        const char *other_id = xml_attr(other, "id");

        if (other == node && parent == message)
            return;
        if (other_id != NULL && strcmp(other_id, id) == 0)
            gen_fail(node->line, "id %s stands twice in <%s>, first in line %d", id, message->name,
                     other->line);
        for (const struct xml_node *inner = other->children; inner != NULL; inner = inner->next) {
            const char *inner_id = xml_attr(inner, "id");

            if (inner == node)
                return;
            if (inner_id != NULL && strcmp(inner_id, id) == 0)
                gen_fail(node->line, "id %s stands twice in <%s>, first in line %d", id, message->name,
                         inner->line);
        }
    }
}

static void
check_fixed(const struct gen_field *field)
{
    if (field->type->kind == GEN_COMPOSITE)
        gen_fail(field->line, "%s is a composite: only the head is one", field->name);
    if (field->type->kind == GEN_SIMPLE && field->type->length == 0)
        gen_fail(field->line, "%s has no length", field->name);
    if (field->type->array && !field->reserved && field->type->unit == NULL)
        gen_fail(field->line, "%s is an array without kdp:kind: nothing would know how to show it",
                 field->name);
}

static void
read_group(const struct gen_schema *schema, const struct xml_node *node, const struct xml_node *parent,
           struct gen_message *message)
{
    struct gen_field **last = &message->group_fields;

    check_attrs(node, "name", "id", "dimensionType", "description", NULL);
    check_no_text(node);
    if (message->group != NULL)
        gen_fail(node->line, "a second group in %s: record.h gives room for one", message->name);
    message->group = need_name(node);
    message->group_cname = snake(message->group);
    message->group_about = about_of(node);
    if (strcmp(need(node, "dimensionType"), schema->group_size->name) != 0)
        gen_fail(node->line, "dimensionType of group %s is not %s", message->group, schema->group_size->name);
    number(node, "id", need(node, "id"), 65535);
    for (const struct xml_node *child = node->children; child != NULL; child = child->next) {
        struct gen_field *field;

        if (strcmp(child->name, "field") != 0)
            gen_fail(child->line, "<%s> in <group>: only <field> stands there", child->name);
        field = read_field(schema, child, message, message->group_fields);
        check_ids(node, child, parent);
        check_fixed(field);
        place(&last, field, &message->item_size);
    }
    if (message->item_size == 0)
        gen_fail(node->line, "group %s is empty", message->group);
    if (message->item_size % 8 != 0)
        gen_fail(node->line, "an item of %s has %u bytes: fill it up with reserved ones to a multiple of 8",
                 message->group, message->item_size);
}

static void
read_text(const struct gen_schema *schema, const struct xml_node *node, struct gen_message *message)
{
    struct gen_field *field = read_field(schema, node, message, message->texts);
    struct gen_field **last = &message->texts;
    unsigned index = 0;

    if (field->type != schema->text)
        gen_fail(node->line, "data %s is not of type %s", field->name, schema->text->name);
    if (field->reserved)
        gen_fail(node->line, "data cannot be reserved");
    check_names(message->fields, field, message->name);
    for (; *last != NULL; last = &(*last)->next)
        index++;
    field->offset = index;
    *last = field;
}

static void
read_message(struct gen_schema *schema, const struct xml_node *node)
{
    struct gen_message *message = gen_alloc(sizeof *message), **end = &schema->messages;
    const char *stream = xml_attr(node, "kdp:stream");
    struct gen_field **last = &message->fields;
    bool head = false;
    unsigned least, texts = 0;

    check_attrs(node, "name", "id", "description", "kdp:table", "kdp:stream", NULL);
    check_no_text(node);
    message->line = node->line;
    message->name = need_name(node);
    message->cname = snake(message->name);
    message->about = about_of(node);
    message->table = need(node, "kdp:table");
    message->id = number(node, "id", need(node, "id"), GEN_TEMPLATE_LIMIT);
    message->stream = stream != NULL ? number(node, "kdp:stream", stream, 65535) : 0;
    message->size = 8;
    if (message->id == 0)
        gen_fail(node->line, "message id 0");
    for (; *end != NULL; end = &(*end)->next) {
        if ((*end)->id == message->id)
            gen_fail(node->line, "messages %s and %s are both id %u", (*end)->name, message->name,
                     message->id);
        if (strcmp((*end)->cname, message->cname) == 0)
            gen_fail(node->line, "message \"%s\" stands twice", message->name);
        if (strcmp((*end)->table, message->table) == 0)
            gen_fail(node->line, "messages %s and %s have the same table", (*end)->name, message->name);
    }
    for (const struct xml_node *child = node->children; child != NULL; child = child->next) {
        if (strcmp(child->name, "field") == 0) {
            struct gen_field *field;

            if (message->group != NULL || message->texts != NULL)
                gen_fail(child->line, "a field behind a group or data: fields come first");
            if (!head) {
                if (need_type(schema, child) != schema->head)
                    gen_fail(child->line, "the first field of %s is not the head", message->name);
                check_attrs(child, "name", "id", "type", NULL);
                head = true;
                message->size += type_size(schema->head);
            } else {
                field = read_field(schema, child, message, message->fields);
                check_fixed(field);
                place(&last, field, &message->size);
            }
        } else if (strcmp(child->name, "group") == 0) {
            if (message->texts != NULL)
                gen_fail(child->line, "a group behind data: data comes last");
            read_group(schema, child, node, message);
        } else if (strcmp(child->name, "data") == 0) {
            read_text(schema, child, message);
            texts++;
        } else {
            gen_fail(child->line, "<%s> in <%s>: only field, group and data stand there", child->name,
                     node->name);
        }
        check_ids(node, child, node);
    }
    if (!head)
        gen_fail(node->line, "%s has no head", message->name);
    if (message->size % 8 != 0)
        gen_fail(node->line,
                 "the fixed part of %s ends at byte %u: fill it up with reserved ones to a multiple of 8",
                 message->name, message->size);
    least = message->size + (message->group != NULL ? 8 + message->item_size : 0) + 2 * texts;
    if (least > schema->record_max)
        gen_fail(node->line, "%s has %u bytes at least, more than kdp:recordMax %u", message->name, least,
                 schema->record_max);
    if (message->id > schema->template_max)
        schema->template_max = message->id;
    *end = message;
}

/* ---- the whole ---- */

static const struct gen_type *
need_composite(const struct gen_schema *schema, const char *name, unsigned size, int line)
{
    const struct gen_type *type = find_type(schema, name);

    if (type == NULL || type->kind != GEN_COMPOSITE)
        gen_fail(type != NULL ? type->line : line, "composite %s is not defined", name);
    if (size != 0 && type_size(type) != size)
        gen_fail(type->line, "composite %s has %u bytes, not %u", name, type_size(type), size);
    return type;
}

void
schema_read(struct gen_schema *schema, const struct xml_node *root)
{
    const char *order;
    bool types = false;

    if (strcmp(root->name, "sbe:messageSchema") != 0)
        gen_fail(root->line, "the root is <%s>, not <sbe:messageSchema>", root->name);
    check_attrs(root, "xmlns:sbe", "xmlns:kdp", "package", "id", "version", "semanticVersion", "byteOrder",
                "description", "kdp:recordMax", NULL);
    check_no_text(root);
    schema->id = number(root, "id", need(root, "id"), 65535);
    schema->version = number(root, "version", need(root, "version"), 65535);
    schema->record_max = number(root, "kdp:recordMax", need(root, "kdp:recordMax"), 65528);
    if (schema->record_max % 8 != 0)
        gen_fail(root->line, "kdp:recordMax %u is not a multiple of 8", schema->record_max);
    order = xml_attr(root, "byteOrder");
    if (order != NULL && strcmp(order, "littleEndian") != 0)
        gen_fail(root->line, "byteOrder \"%s\": only littleEndian is laid out here", order);
    for (const struct xml_node *child = root->children; child != NULL; child = child->next) {
        if (strcmp(child->name, "types") == 0) {
            if (schema->messages != NULL)
                gen_fail(child->line, "<types> behind a message");
            read_types(schema, child);
        } else if (strcmp(child->name, "sbe:message") == 0) {
            if (!types) {
                schema->header = need_composite(schema, "messageHeader", 8, root->line);
                schema->group_size = need_composite(schema, "groupSizeEncoding", 8, root->line);
                schema->head = need_composite(schema, "head", 0, root->line);
                schema->text = need_composite(schema, "Text", 2, root->line);
                if (type_size(schema->head) % 8 != 0)
                    gen_fail(schema->head->line, "the head has %u bytes, not a multiple of 8",
                             type_size(schema->head));
                types = true;
            }
            read_message(schema, child);
        } else {
            gen_fail(child->line, "<%s> in <%s>: only types and sbe:message stand there", child->name,
                     root->name);
        }
    }
    if (schema->messages == NULL)
        gen_fail(root->line, "there is no <sbe:message>");
}
