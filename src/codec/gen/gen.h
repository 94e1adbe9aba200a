/* gen.h - the schema generator: from schema/records.xml to C layouts, field tables and the reference
 * document.
 *
 * A host tool that needs nothing but libc, so that a bare machine can build.  xml.c reads the file, schema.c
 * turns it into the model below and refuses what the other parts could not lay out, emit_*.c write.  Every
 * error is "FILE:LINE: error: ..." on stderr and exit code 1; nothing is written then.  Memory comes from one
 * arena that is freed at the end. */
#ifndef KDP_GEN_H
#define KDP_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define GEN_FILE_MAX (1u << 20) /* bytes of a schema */
#define GEN_DEPTH_MAX 16        /* nested elements */
#define GEN_TEMPLATE_LIMIT 31u  /* readers keep template ids in a 32-bit mask */
#define GEN_MEMBERS_MAX 64u     /* fields of one block, values of one enumeration are bounded by their byte */

/* ---- kdp_schema.c ---- */
void *gen_alloc(size_t size); /* zeroed, lives until the end */
char *gen_strndup(const char *text, size_t len);
_Noreturn void gen_fail(int line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- xml.c ---- */
struct xml_attr {
    const char *name, *value;
    int line;
    struct xml_attr *next;
};
struct xml_node {
    const char *name;
    int line;
    struct xml_attr *attrs;
    struct xml_node *children, *next;
    const char *text; /* its characters without leading and trailing space, "" when none */
};
/* xml_read reads len bytes at text (NUL behind them) and returns the root element. */
struct xml_node *xml_read(const char *text, size_t len);
const char *xml_attr(const struct xml_node *node, const char *name); /* NULL: absent */

/* ---- schema.c ---- */
enum gen_primitive { GEN_UINT8, GEN_UINT16, GEN_UINT32, GEN_UINT64, GEN_INT32, GEN_INT64, GEN_PRIMITIVES };
enum gen_type_kind { GEN_SIMPLE, GEN_ENUM, GEN_SET, GEN_COMPOSITE };

struct gen_value { /* of an enum (number) or a set (bit) */
    const char *name, *cname, *about;
    unsigned number;
    struct gen_value *next;
};

struct gen_type {
    const char *name, *cname, *about;
    int line;
    enum gen_type_kind kind;
    enum gen_primitive primitive;
    unsigned length; /* items; 0 only as varData */
    bool array;      /* a length was written */
    bool optional;
    const char *unit; /* kdp:kind: "time", "price", ...; NULL */
    unsigned scale;   /* kdp:scale */
    struct gen_value *values;
    struct gen_field *members; /* of a composite */
    struct gen_type *next;
};

struct gen_field {
    const char *name, *cname, *about;
    const char *column; /* NULL: not in tables */
    int line;
    const struct gen_type *type;
    unsigned offset; /* from the start of the record, item or composite */
    unsigned size;
    bool reserved;
    struct gen_field *next;
};

struct gen_message {
    const char *name, *cname, *about, *table;
    int line;
    unsigned id, stream;
    unsigned size;                                 /* fixed part with the message header */
    struct gen_field *fields;                      /* without the head */
    const char *group, *group_cname, *group_about; /* NULL: no group */
    unsigned item_size;
    struct gen_field *group_fields;
    struct gen_field *texts;
    struct gen_message *next;
};

struct gen_schema {
    unsigned id, version, record_max, template_max;
    struct gen_type *types;
    struct gen_message *messages;
    const struct gen_type *header, *group_size, *head, *text;
};

void schema_read(struct gen_schema *schema, const struct xml_node *root);
unsigned gen_primitive_size(enum gen_primitive primitive);

/* ---- emit_*.c ---- */
void emit_header(FILE *out, const struct gen_schema *schema);
void emit_desc(FILE *out, const struct gen_schema *schema);
/* emit_docs writes the generated section of that name: "limits", "head", "group size", "records" or "words";
 * false: no such section.  */
bool emit_docs(FILE *out, const struct gen_schema *schema, const char *section);

#endif
