/* check.c - our records and those of the official SBE tool, byte for byte: every template, many values. */
#include "record.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

static uint64_t state;

uint64_t
value_next(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t
value_text(char *buf)
{
    size_t len = value_next() % 20;

    for (size_t i = 0; i < len; i++)
        buf[i] = (char)('a' + value_next() % 26);
    return len;
}

static void
put_field(uint8_t *base, const struct kdp_field_desc *field)
{
    static const uint8_t widths[] = {1, 2, 4, 8, 4, 8, 8, 4, 8, 8, 8, 16};
    uint64_t values[2];

    if (field->kind == KDP_FIELD_BOOL || field->kind == KDP_FIELD_ENUM) {
        base[field->offset] = (uint8_t)VALUE_WORD();
        return;
    }
    values[0] = value_next();
    values[1] = field->kind == KDP_FIELD_UUID ? value_next() : 0;
    memcpy(base + field->offset, values, widths[field->kind]); /* little-endian */
}

static size_t
our_encode(unsigned id, void *memory)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(id);
    struct kdp_builder b;
    struct kdp_head *head = kdpi_build_start(&b, memory, (uint8_t)id);

    head->seq = value_next();
    head->exch_ns = (int64_t)value_next();
    head->recv_ns = (int64_t)value_next();
    head->instrument = (uint32_t)value_next();
    head->pub_delay_ns = (uint32_t)value_next();
    head->src_seq = (uint32_t)value_next();
    head->line = (uint16_t)value_next();
    head->flags = (uint8_t)(value_next() & 0xfc);
    head->origin = (uint8_t)VALUE_WORD();
    for (unsigned i = 0; i < desc->field_count; i++)
        put_field(memory, &desc->fields[i]);
    if (desc->group != NULL) {
        uint32_t count = (uint32_t)VALUE_GROUP();
        uint8_t *item = kdpi_build_group(&b, count);

        for (uint32_t i = 0; i < count; i++, item += desc->group_item) {
            for (unsigned k = 0; k < desc->group_field_count; k++)
                put_field(item, &desc->group_fields[k]);
        }
    }
    for (unsigned i = 0; i < desc->text_count; i++) {
        char text[32];
        size_t len = value_text(text);

        kdpi_build_text(&b, (struct kdp_text){text, len});
    }
    return kdpi_build_finish(&b);
}

int
main(void)
{
    static uint8_t ours[KDP_RECORD_MAX] __attribute__((aligned(8)));
    static char theirs[KDP_RECORD_MAX];
    unsigned compared = 0;

    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        for (unsigned round = 0; round < 1000; round++) {
            size_t size, their_size;

            state = id * 1000003u + round;
            memset(ours, 0xa5, sizeof ours);
            size = our_encode(id, ours);
            state = id * 1000003u + round;
            memset(theirs, 0, sizeof theirs);
            their_size = sbe_encode(id, theirs, sizeof theirs);
            if (((their_size + 7) & ~(size_t)7) != size || memcmp(ours, theirs, size) != 0) {
                size_t at = 0;

                while (at < size && ours[at] == (uint8_t)theirs[at])
                    at++;
                fprintf(stderr, "%s, round %u: %zu and %zu bytes, first difference at %zu\n",
                        kdpi_record_desc(id)->name, round, size, their_size, at);
                return 1;
            }
            if (kdpi_record_size(theirs, size) != size) {
                fprintf(stderr, "%s, round %u: the official tool's record is refused\n",
                        kdpi_record_desc(id)->name, round);
                return 1;
            }
            compared++;
        }
    }
    printf("%u records of %u templates are the same bytes\n", compared, KDP_TEMPLATE_MAX);
    return 0;
}
