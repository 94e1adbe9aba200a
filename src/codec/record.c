/* record.c - see record.h.  Records are read by memcpy: what comes from a file or a packet may lie anywhere.
 */
#include "record.h"
#include "error.h"
#include "record_layout.h"

#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian");
static_assert(KDP_RECORD_MAX % 8 == 0, "a record that is full needs no padding");

static uint16_t
load_u16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t
load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static size_t
padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static const struct kdp_record_layout *
layout_of(unsigned template_id)
{
    const struct kdp_record_layout *layout;

    if (template_id > KDP_TEMPLATE_MAX)
        return NULL;
    layout = &kdpi_record_layouts[template_id];
    return layout->size != 0 ? layout : NULL;
}

static bool
zeros_hold(const uint8_t *at, const struct kdp_zero_word *zeros, unsigned count)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < count; i++)
        bits |= load_u64(at + zeros[i].offset) & zeros[i].mask;
    return bits == 0;
}

/* Checks group and texts behind the fixed part; returns the end of the last, 0 when they do not hold. */
static size_t
check_tail(const uint8_t *at, size_t avail, const struct kdp_record_layout *layout)
{
    size_t used = layout->size;

    if (layout->item != 0) {
        struct kdp_group_size group;

        if (avail - used < sizeof group)
            return 0;
        memcpy(&group, at + used, sizeof group);
        used += sizeof group;
        if (group.block_length != layout->item || group.groups != 0 || group.texts != 0)
            return 0;
        if ((avail - used) / layout->item < group.count)
            return 0;
        for (unsigned i = 0; i < group.count; i++, used += layout->item) {
            if (!zeros_hold(at + used, layout->item_zeros, layout->item_zero_count))
                return 0;
        }
    }
    for (unsigned i = 0; i < layout->texts; i++) {
        size_t len;

        if (avail - used < 2)
            return 0;
        len = load_u16(at + used);
        used += 2;
        if (avail - used < len || memchr(at + used, 0, len) != NULL)
            return 0;
        used += len;
    }
    return used;
}

size_t
kdpi_record_size(const void *rec, size_t avail)
{
    const struct kdp_record_layout *layout;
    const uint8_t *at = rec;
    size_t used, size;

    if (avail < sizeof(struct kdp_head))
        return 0;
    if (avail > KDP_RECORD_MAX)
        avail = KDP_RECORD_MAX;
    layout = layout_of(load_u16(at + offsetof(struct kdp_head, template_id)));
    if (layout == NULL || avail < layout->size)
        return 0;
    if (load_u16(at + offsetof(struct kdp_head, block_length)) != layout->size - 8 ||
        load_u16(at + offsetof(struct kdp_head, schema_id)) != KDP_SCHEMA_ID ||
        load_u16(at + offsetof(struct kdp_head, version)) != KDP_SCHEMA_VERSION)
        return 0;
    if (!zeros_hold(at, layout->zeros, layout->zero_count))
        return 0;
    if (layout->item == 0 && layout->texts == 0)
        return layout->size;
    used = check_tail(at, avail, layout);
    size = padded(used);
    if (used == 0 || size > avail)
        return 0;
    for (; used < size; used++) {
        if (at[used] != 0)
            return 0;
    }
    return size;
}

/* The end of the group, which is where the texts begin. */
static size_t
texts_at(const uint8_t *at, const struct kdp_record_layout *layout)
{
    size_t used = layout->size;

    if (layout->item != 0)
        used += sizeof(struct kdp_group_size) +
                (size_t)layout->item * load_u16(at + used + offsetof(struct kdp_group_size, count));
    return used;
}

size_t
kdpi_record_size_trusted(const void *rec)
{
    const uint8_t *at = rec;
    const struct kdp_record_layout *layout = layout_of(load_u16(at + offsetof(struct kdp_head, template_id)));
    size_t used;

    if (layout == NULL)
        return 0;
    used = texts_at(at, layout);
    for (unsigned i = 0; i < layout->texts; i++)
        used += 2u + load_u16(at + used);
    return padded(used);
}

const void *
kdpi_record_group(const void *rec, uint32_t *countp)
{
    const uint8_t *at = rec;
    const struct kdp_record_layout *layout = layout_of(load_u16(at + offsetof(struct kdp_head, template_id)));

    *countp = 0;
    if (layout == NULL || layout->item == 0)
        return NULL;
    *countp = load_u16(at + layout->size + offsetof(struct kdp_group_size, count));
    return at + layout->size + sizeof(struct kdp_group_size);
}

struct kdp_text
kdpi_record_text(const void *rec, unsigned index)
{
    const uint8_t *at = rec;
    const struct kdp_record_layout *layout = layout_of(load_u16(at + offsetof(struct kdp_head, template_id)));
    struct kdp_text text = {"", 0};
    size_t used;

    if (layout == NULL || index >= layout->texts)
        return text;
    used = texts_at(at, layout);
    while (index-- > 0)
        used += 2u + load_u16(at + used);
    text.len = load_u16(at + used);
    text.data = (const char *)at + used + 2;
    return text;
}

/* ---- building ---- */

/* The layout that kdpi_build_start found to exist. */
static const struct kdp_record_layout *
layout_built(const struct kdp_builder *b)
{
    return &kdpi_record_layouts[b->template_id];
}

void *
kdpi_build_start(struct kdp_builder *b, void *mem, uint8_t template_id)
{
    const struct kdp_record_layout *layout = layout_of(template_id);
    struct kdp_head *head = mem;

    KDP_ASSERT(layout != NULL);
    memset(mem, 0, layout->size);
    head->block_length = (uint16_t)(layout->size - 8);
    head->template_id = template_id;
    head->schema_id = KDP_SCHEMA_ID;
    head->version = KDP_SCHEMA_VERSION;
    b->at = mem;
    b->used = layout->size;
    b->template_id = template_id;
    b->texts_left = (uint8_t)layout->texts;
    return mem;
}

uint32_t
kdpi_build_group_max(unsigned template_id)
{
    const struct kdp_record_layout *layout = layout_of(template_id);

    if (layout == NULL || layout->item == 0)
        return 0;
    return (uint32_t)((KDP_RECORD_MAX - layout->size - sizeof(struct kdp_group_size) - 2u * layout->texts) /
                      layout->item);
}

void *
kdpi_build_group(struct kdp_builder *b, uint32_t count)
{
    const struct kdp_record_layout *layout = layout_built(b);
    struct kdp_group_size group = {layout->item, (uint16_t)count, 0, 0};
    uint8_t *items;

    KDP_ASSERT(layout->item != 0 &&
               b->used == layout->size); /* a template with a group, and none written yet */
    KDP_ASSERT(count <= kdpi_build_group_max(b->template_id));
    memcpy(b->at + b->used, &group, sizeof group);
    items = b->at + b->used + sizeof group;
    memset(items, 0, (size_t)count * layout->item);
    b->used += sizeof group + (size_t)count * layout->item;
    return items;
}

/* A record with a group whose group was not given gets an empty one. */
static void
settle_group(struct kdp_builder *b)
{
    const struct kdp_record_layout *layout = layout_built(b);

    if (layout->item != 0 && b->used == layout->size)
        kdpi_build_group(b, 0);
}

/* The length of text within room bytes that ends no character half-way.  Bytes that are not UTF-8 are cut
 * where room ends: a character has at most 3 bytes behind its first. */
static size_t
cut(struct kdp_text text, size_t room)
{
    size_t len = room;

    if (text.len <= room)
        return text.len;
    while (len > 0 && room - len < 3 && ((uint8_t)text.data[len] & 0xc0) == 0x80)
        len--;
    return ((uint8_t)text.data[len] & 0xc0) == 0x80 ? room : len;
}

void
kdpi_build_text(struct kdp_builder *b, struct kdp_text text)
{
    uint16_t len;
    uint8_t *to;

    settle_group(b);
    KDP_ASSERT(b->texts_left > 0);
    b->texts_left--;
    len = (uint16_t)cut(text, KDP_RECORD_MAX - b->used - 2 - 2u * b->texts_left);
    memcpy(b->at + b->used, &len, sizeof len);
    b->used += sizeof len;
    to = b->at + b->used;
    if (len > 0)
        memcpy(to, text.data, len);
    for (uint8_t *nul = to; (nul = memchr(nul, 0, (size_t)(to + len - nul))) != NULL;)
        *nul = ' ';
    b->used += len;
}

size_t
kdpi_build_finish(struct kdp_builder *b)
{
    size_t size;

    settle_group(b);
    while (b->texts_left > 0)
        kdpi_build_text(b, (struct kdp_text){"", 0});
    size = padded(b->used);
    memset(b->at + b->used, 0, size - b->used);
    b->used = size;
    return size;
}

/* ---- descriptions ---- */

const struct kdp_record_desc *
kdpi_record_desc(unsigned template_id)
{
    return layout_of(template_id) != NULL ? &kdpi_record_descs[template_id] : NULL;
}

const char *
kdpi_enum_word(const struct kdp_enum_desc *words, unsigned value)
{
    return words != NULL && value < words->count && words->words[value] != NULL ? words->words[value] : "?";
}

const struct kdp_enum_desc *
kdpi_enum_find(const char *name)
{
    for (unsigned i = 0; i < kdpi_words_count; i++) {
        if (strcmp(kdpi_words[i].name, name) == 0)
            return &kdpi_words[i];
    }
    return NULL;
}
