/* fuzz_record.c - bytes that claim to be a record: the checker never reads past them, what it takes can be
 * walked, shown and built again, and every other reader of the same bytes agrees. */
#include "error.h"
#include "render.h"

#include <stdlib.h>
#include <string.h>

static char text[KDPI_RENDER_MAX];

/* Groups and texts lie within the record, one behind the other. */
static void
walk(const uint8_t *rec, size_t size, const struct kdp_record_desc *desc)
{
    const uint8_t *at = rec + 8 + desc->block_length;
    uint32_t count;
    const uint8_t *items = kdpi_record_group(rec, &count);

    if (desc->group != NULL) {
        KDP_ASSERT(items == at + sizeof(struct kdp_group_size));
        at = items + (size_t)count * desc->group_item;
        KDP_ASSERT(at <= rec + size);
    } else {
        KDP_ASSERT(items == NULL && count == 0);
    }
    for (unsigned i = 0; i < desc->text_count; i++) {
        struct kdp_text slice = kdpi_record_text(rec, i);

        KDP_ASSERT((const uint8_t *)slice.data == at + 2);
        at += 2 + slice.len;
        KDP_ASSERT(at <= rec + size);
    }
    KDP_ASSERT((size_t)(rec + size - at) < 8);
}

/* The same parts given to the builder make the same bytes. */
static void
rebuild(const uint8_t *rec, size_t size, const struct kdp_record_desc *desc)
{
    static uint8_t memory[KDP_RECORD_MAX] __attribute__((aligned(8)));
    struct kdp_builder b;
    uint32_t count;
    const void *items = kdpi_record_group(rec, &count);

    memset(memory, 0xa5, sizeof memory);
    memcpy(kdpi_build_start(&b, memory, (uint8_t)desc->template_id), rec, 8u + desc->block_length);
    if (desc->group != NULL && count <= kdpi_build_group_max(desc->template_id)) {
        void *to = kdpi_build_group(&b, count);

        if (count > 0)
            memcpy(to, items, (size_t)count * desc->group_item);
    }
    for (unsigned i = 0; i < desc->text_count; i++)
        kdpi_build_text(&b, kdpi_record_text(rec, i));
    KDP_ASSERT(kdpi_build_finish(&b) == size);
    KDP_ASSERT(memcmp(memory, rec, size) == 0);
}

/* One line, no byte that moves a cursor, quotes and brackets closed. */
static void
check_json(const char *line, size_t len)
{
    int depth = 0;
    bool string = false;

    KDP_ASSERT(len < KDPI_RENDER_MAX && strlen(line) == len);
    for (const char *p = line; *p != '\0'; p++) {
        KDP_ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
        if (string) {
            if (*p == '\\')
                p++;
            else if (*p == '"')
                string = false;
        } else if (*p == '"') {
            string = true;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            KDP_ASSERT(--depth > 0 || p[1] == '\0');
        }
    }
    KDP_ASSERT(!string && depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kdpi_render_columns columns;
    const struct kdp_record_desc *desc;
    uint8_t *rec = aligned_alloc(8, (size + 15) & ~(size_t)7);
    size_t got = kdpi_record_size(data, size);

    KDP_ASSERT(rec != NULL && got <= size && got <= KDP_RECORD_MAX && got % 8 == 0);
    if (got != 0) {
        memcpy(rec, data, got);
        desc = kdpi_record_desc(((const struct kdp_head *)rec)->template_id);
        KDP_ASSERT(desc != NULL);
        KDP_ASSERT(kdpi_record_size_trusted(rec) == got);
        KDP_ASSERT(kdpi_record_size(rec, got) == got && kdpi_record_size(rec, got - 1) == 0);
        walk(rec, got, desc);
        rebuild(rec, got, desc);
        if (columns.count == 0)
            KDP_ASSERT(kdpi_render_select(&columns, ~0u, NULL) == 0);
        check_json(text, kdpi_render_json(text, sizeof text, (const struct kdp_head *)rec, "T"));
        KDP_ASSERT(kdpi_render_csv_row(text, sizeof text, &columns, (const struct kdp_head *)rec, NULL) <
                   sizeof text);
        KDP_ASSERT(kdpi_render_what(text, sizeof text, (const struct kdp_head *)rec, "T") < sizeof text);
    }
    free(rec);
    return 0;
}
