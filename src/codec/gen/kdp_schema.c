/* kdp_schema.c - the program: kdp_schema SCHEMA.xml [--header FILE] [--desc FILE] [--docs FILE] [--check-docs
 * FILE]
 *
 * --header writes <kdp/records.h>, --desc the tables of record.h.  --docs rewrites the parts of a Markdown
 * file between
 * "<!-- generated: NAME -->" and "<!-- end -->" and leaves the rest; --check-docs only says whether that
 * would change it (exit code 1). */
#include "gen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
    struct chunk *next;
    max_align_t data[];
};

static struct chunk *chunks;
static const char *schema_path = "";

void *
gen_alloc(size_t size)
{
    struct chunk *chunk = calloc(1, sizeof *chunk + size);

    if (chunk == NULL) {
        fputs("kdp_schema: out of memory\n", stderr);
        exit(1);
    }
    chunk->next = chunks;
    chunks = chunk;
    return chunk->data;
}

char *
gen_strndup(const char *text, size_t len)
{
    char *copy = gen_alloc(len + 1);

    memcpy(copy, text, len);
    return copy;
}

void
gen_fail(int line, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: error: ", schema_path, line);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static _Noreturn void
fail_file(const char *what, const char *path)
{
    fprintf(stderr, "kdp_schema: error: cannot %s: %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static const char *
read_file(const char *path, size_t *lenp)
{
    FILE *in = fopen(path, "rb");
    char *text = gen_alloc(GEN_FILE_MAX + 1);

    if (in == NULL)
        fail_file("open", path);
    *lenp = fread(text, 1, GEN_FILE_MAX + 1, in);
    if (ferror(in))
        fail_file("read", path);
    fclose(in);
    if (*lenp > GEN_FILE_MAX) {
        fprintf(stderr, "kdp_schema: error: too long: %s: more than %u bytes\n", path, GEN_FILE_MAX);
        exit(1);
    }
    text[*lenp] = '\0';
    return text;
}

/* Writes beside the file and renames, so that a broken run leaves no half a header that make takes for a
 * whole one. */
static void
write_file(const char *path, const char *text, size_t len)
{
    size_t size = strlen(path) + 5;
    char *temporary = gen_alloc(size);
    FILE *out;

    snprintf(temporary, size, "%s.new", path);
    out = fopen(temporary, "wb");
    if (out == NULL)
        fail_file("write", temporary);
    if (fwrite(text, 1, len, out) != len || fflush(out) != 0)
        fail_file("write", temporary);
    if (fclose(out) != 0)
        fail_file("write", temporary);
    if (rename(temporary, path) != 0)
        fail_file("write", path);
}

typedef void emit_fn(FILE *out, const struct gen_schema *schema);

static void
write_emitted(const char *path, const struct gen_schema *schema, emit_fn *emit)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        fail_file("write", path);
    emit(out, schema);
    if (fclose(out) != 0)
        fail_file("write", path);
    write_file(path, text, len);
    free(text);
}

static int
line_of(const char *text, const char *at)
{
    int line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Copies the document with its generated sections made anew. */
static void
renew_docs(FILE *out, const char *path, const char *text, const struct gen_schema *schema)
{
    static const char begin[] = "<!-- generated: ", close[] = " -->\n", end[] = "<!-- end -->";
    const char *p = text, *section;
    int sections = 0;

    while ((section = strstr(p, begin)) != NULL) {
        const char *name = section + sizeof begin - 1;
        const char *name_end = strstr(name, close), *stop = strstr(name, end);
        const char *next = strstr(name, begin);

        if (name_end == NULL || stop == NULL || stop < name_end || (next != NULL && next < stop)) {
            fprintf(stderr, "%s:%d: error: a generated section without \"%s\"\n", path,
                    line_of(text, section), end);
            exit(1);
        }
        name_end += sizeof close - 1;
        fwrite(p, 1, (size_t)(name_end - p), out);
        if (!emit_docs(out, schema, gen_strndup(name, (size_t)(name_end - name) - (sizeof close - 1)))) {
            fprintf(stderr, "%s:%d: error: no generated section of that name\n", path,
                    line_of(text, section));
            exit(1);
        }
        p = stop;
        sections++;
    }
    if (sections == 0) {
        fprintf(stderr, "%s:1: error: no \"%sNAME -->\" in it\n", path, begin);
        exit(1);
    }
    fputs(p, out);
}

static int
do_docs(const char *path, const struct gen_schema *schema, bool check)
{
    size_t old_len, len = 0;
    const char *old = read_file(path, &old_len);
    char *text = NULL;
    FILE *out = open_memstream(&text, &len);
    bool same;

    if (out == NULL)
        fail_file("write", path);
    renew_docs(out, path, old, schema);
    if (fclose(out) != 0)
        fail_file("write", path);
    same = len == old_len && memcmp(text, old, len) == 0;
    if (!same && check) {
        size_t i = 0;

        while (i < len && i < old_len && text[i] == old[i])
            i++;
        fprintf(stderr,
                "%s:%d: error: no longer what %s says; rewrite it with: cmake --build build --target docs\n",
                path, line_of(old, old + i), schema_path);
    } else if (!same) {
        write_file(path, text, len);
    }
    free(text);
    return !same && check;
}

int
main(int argc, char **argv)
{
    struct gen_schema schema = {0};
    size_t len;
    const char *text;
    int rc = 0;

    if (argc < 2 || argc % 2 != 0) {
        fputs(
            "usage: kdp_schema SCHEMA.xml [--header FILE] [--desc FILE] [--docs FILE] [--check-docs FILE]\n",
            stderr);
        return 2;
    }
    schema_path = argv[1];
    text = read_file(schema_path, &len);
    schema_read(&schema, xml_read(text, len));
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--header") == 0) {
            write_emitted(argv[i + 1], &schema, emit_header);
        } else if (strcmp(argv[i], "--desc") == 0) {
            write_emitted(argv[i + 1], &schema, emit_desc);
        } else if (strcmp(argv[i], "--docs") == 0) {
            rc |= do_docs(argv[i + 1], &schema, false);
        } else if (strcmp(argv[i], "--check-docs") == 0) {
            rc |= do_docs(argv[i + 1], &schema, true);
        } else {
            fprintf(stderr, "kdp_schema: error: no option %s\n", argv[i]);
            return 2;
        }
    }
    while (chunks != NULL) {
        struct chunk *chunk = chunks;

        chunks = chunk->next;
        free(chunk);
    }
    return rc;
}
