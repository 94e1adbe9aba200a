/* xml.c - the subset of XML that a schema needs: elements, attributes, character data, comments, the
 * declaration and the five named entities.  DOCTYPE, CDATA, processing instructions and numeric references
 * are refused, not skipped. */
#include "gen.h"

#include <stdlib.h>
#include <string.h>

struct xml_reader {
    const char *p, *end;
    int line;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_name(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.');
}

static bool
at(const struct xml_reader *r, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(r->end - r->p) >= len && memcmp(r->p, word, len) == 0;
}

static void
skip(struct xml_reader *r, size_t count)
{
    for (; count > 0 && r->p < r->end; count--) {
        if (*r->p++ == '\n')
            r->line++;
    }
}

static bool
skip_space(struct xml_reader *r)
{
    const char *before = r->p;

    while (r->p < r->end && is_space(*r->p))
        skip(r, 1);
    return r->p != before;
}

static void
skip_until(struct xml_reader *r, const char *word, const char *what)
{
    int line = r->line;

    while (!at(r, word)) {
        if (r->p >= r->end)
            gen_fail(line, "%s is not closed: no %s until the end of the file", what, word);
        skip(r, 1);
    }
    skip(r, strlen(word));
}

static void
skip_comment(struct xml_reader *r)
{
    int line = r->line;

    skip(r, 4);
    while (!at(r, "--")) {
        if (r->p >= r->end)
            gen_fail(line, "comment is not closed: no --> until the end of the file");
        skip(r, 1);
    }
    if (!at(r, "-->"))
        gen_fail(r->line, "\"--\" inside a comment");
    skip(r, 3);
}

static char *
read_name(struct xml_reader *r, const char *what)
{
    const char *first = r->p;

    if (r->p >= r->end || !is_name(*r->p, true))
        gen_fail(r->line, "expected %s", what);
    while (r->p < r->end && is_name(*r->p, false))
        r->p++;
    return gen_strndup(first, (size_t)(r->p - first));
}

/* Copies [from, to) with the named entities resolved. */
static char *
unescape(const char *from, const char *to, int line)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    char *text = gen_alloc((size_t)(to - from) + 1), *out = text;

    while (from < to) {
        size_t i, count = sizeof entities / sizeof *entities;

        if (*from == '\n')
            line++;
        if (*from != '&') {
            *out++ = *from++;
            continue;
        }
        for (i = 0; i < count; i++) {
            size_t len = strlen(entities[i].name);

            if ((size_t)(to - from) >= len && memcmp(from, entities[i].name, len) == 0) {
                *out++ = entities[i].c;
                from += len;
                break;
            }
        }
        if (i == count)
            gen_fail(line, "only &lt; &gt; &amp; &quot; and &apos; may follow \"&\"");
    }
    return text;
}

static struct xml_attr *
read_attr(struct xml_reader *r, const struct xml_node *node)
{
    struct xml_attr *attr = gen_alloc(sizeof *attr);
    const char *first;
    char quote;
    int line;

    attr->line = r->line;
    attr->name = read_name(r, "an attribute, \">\" or \"/>\"");
    if (xml_attr(node, attr->name) != NULL)
        gen_fail(attr->line, "attribute %s of <%s> is given twice", attr->name, node->name);
    skip_space(r);
    if (r->p >= r->end || *r->p != '=')
        gen_fail(r->line, "expected \"=\" after attribute %s", attr->name);
    skip(r, 1);
    skip_space(r);
    if (r->p >= r->end || (*r->p != '"' && *r->p != '\''))
        gen_fail(r->line, "the value of attribute %s is not in quotes", attr->name);
    quote = *r->p;
    skip(r, 1);
    first = r->p;
    line = r->line;
    while (r->p < r->end && *r->p != quote) {
        if (*r->p == '<')
            gen_fail(r->line, "\"<\" in the value of attribute %s: write &lt;, or close its quotes",
                     attr->name);
        skip(r, 1);
    }
    if (r->p >= r->end)
        gen_fail(line, "the value of attribute %s has no closing quote", attr->name);
    attr->value = unescape(first, r->p, line);
    skip(r, 1);
    return attr;
}

static struct xml_node *read_element(struct xml_reader *r, int depth);

static const char *
trim(const char *first, const char *last, int line)
{
    while (first < last && is_space(*first)) {
        if (*first++ == '\n')
            line++;
    }
    while (last > first && is_space(last[-1]))
        last--;
    return unescape(first, last, line);
}

static void
read_content(struct xml_reader *r, struct xml_node *node, int depth)
{
    struct xml_node **last = &node->children;

    for (;;) {
        const char *first = r->p;
        int line = r->line;
        const char *text;

        while (r->p < r->end && *r->p != '<')
            skip(r, 1);
        text = trim(first, r->p, line);
        if (*text != '\0') {
            if (node->text[0] != '\0')
                gen_fail(line, "the text of <%s> is interrupted", node->name);
            node->text = text;
        }
        if (r->p >= r->end)
            gen_fail(node->line, "<%s> is not closed", node->name);
        if (at(r, "<!--")) {
            skip_comment(r);
        } else if (at(r, "<!") || at(r, "<?")) {
            gen_fail(r->line, "only elements, comments and plain text are understood here");
        } else if (at(r, "</")) {
            const char *name;

            line = r->line;
            skip(r, 2);
            name = read_name(r, "the name of the element to close");
            if (strcmp(name, node->name) != 0)
                gen_fail(line, "</%s> closes <%s> of line %d", name, node->name, node->line);
            skip_space(r);
            if (r->p >= r->end || *r->p != '>')
                gen_fail(r->line, "expected \">\" after </%s", name);
            skip(r, 1);
            return;
        } else {
            *last = read_element(r, depth + 1);
            last = &(*last)->next;
        }
    }
}

static struct xml_node *
read_element(struct xml_reader *r, int depth)
{
    struct xml_node *node = gen_alloc(sizeof *node);
    struct xml_attr **last = &node->attrs;

    if (depth > GEN_DEPTH_MAX)
        gen_fail(r->line, "elements are nested more than %d deep", GEN_DEPTH_MAX);
    node->line = r->line;
    node->text = "";
    skip(r, 1);
    node->name = read_name(r, "the name of an element");
    for (;;) {
        bool space = skip_space(r);

        if (r->p >= r->end)
            gen_fail(node->line, "<%s is not closed", node->name);
        if (at(r, "/>")) {
            skip(r, 2);
            return node;
        }
        if (*r->p == '>') {
            skip(r, 1);
            read_content(r, node, depth);
            return node;
        }
        if (!space)
            gen_fail(r->line, "expected a space, \">\" or \"/>\" in <%s", node->name);
        *last = read_attr(r, node);
        last = &(*last)->next;
    }
}

static void
skip_misc(struct xml_reader *r)
{
    for (;;) {
        skip_space(r);
        if (!at(r, "<!--"))
            return;
        skip_comment(r);
    }
}

struct xml_node *
xml_read(const char *text, size_t len)
{
    struct xml_reader r = {text, text + len, 1};
    struct xml_node *root;
    int line = 1;

    for (size_t i = 0; i < len; i++) {
        line += text[i] == '\n';
        if ((unsigned char)text[i] < 0x20 && !is_space(text[i]))
            gen_fail(line, "control character 0x%02x", (unsigned)text[i]);
    }
    if (at(&r, "<?xml"))
        skip_until(&r, "?>", "the XML declaration");
    skip_misc(&r);
    if (r.p >= r.end || *r.p != '<')
        gen_fail(r.line, "expected the root element");
    if (at(&r, "<!") || at(&r, "<?"))
        gen_fail(r.line, "only elements, comments and plain text are understood here");
    root = read_element(&r, 1);
    skip_misc(&r);
    if (r.p < r.end)
        gen_fail(r.line, "something stands behind the end of <%s>", root->name);
    return root;
}

const char *
xml_attr(const struct xml_node *node, const char *name)
{
    for (const struct xml_attr *attr = node->attrs; attr != NULL; attr = attr->next) {
        if (strcmp(attr->name, name) == 0)
            return attr->value;
    }
    return NULL;
}
