/* definition.c - what a market is: Definitions, made of what was said before and what is said now.
 *
 * A definition is kept as the bytes of its record, so that the day's repetition and a new message's changes
 * start from what was said last, and a listing that says the same again is no record. */
#include <string.h>

#include "plant_private.h"
#include "rest.h"

struct terms { /* a Definition's content, to be changed and then built */
    struct kdp_definition fixed;
    struct kdp_definition_ranges ranges[16];
    uint32_t range_count;
    struct kdp_text texts[6];
};

bool
definition_combo(const struct kdp_instrument *item)
{
    return item->ticker_len >= 5 && memcmp(item->ticker, "KXMVE", 5) == 0;
}

const struct kdp_definition *
definition_of(const struct kdp_instrument *item)
{
    return (const struct kdp_definition *)(const void *)item->definition;
}

static void
terms_of(const struct kdp_instrument *item, struct terms *terms)
{
    const struct kdp_definition *was = definition_of(item);
    const void *ranges;

    memset(terms, 0, sizeof *terms);
    if (was == NULL) {
        for (unsigned i = 1; i < 6; i++)
            terms->texts[i] = (struct kdp_text){"", 0};
        terms->texts[0] = (struct kdp_text){item->ticker, item->ticker_len};
        terms->fixed.open_ns = terms->fixed.close_ns = terms->fixed.expiry_ns = KDP_TIME_NULL;
        terms->fixed.floor_strike_e6 = terms->fixed.cap_strike_e6 = KDP_INT64_NULL;
        terms->fixed.provisional = KDP_BOOL_YES;
        terms->fixed.combo = definition_combo(item) ? KDP_BOOL_YES : KDP_BOOL_NO;
        return;
    }
    terms->fixed = *was;
    ranges = kdpi_record_group(was, &terms->range_count);
    if (terms->range_count > 0)
        memcpy(terms->ranges, ranges, terms->range_count * sizeof *terms->ranges);
    for (unsigned i = 0; i < 6; i++)
        terms->texts[i] = kdpi_record_text(was, i);
}

static void
take_lifecycle(struct terms *terms, const struct kdp_message *msg)
{
    const __typeof__(msg->lifecycle) *life = &msg->lifecycle;

    if (life->kind == KDP_LIFECYCLE_KIND_CREATED)
        terms->fixed.provisional = KDP_BOOL_NO;
    if (life->open_ns != KDP_TIME_NULL)
        terms->fixed.open_ns = life->open_ns;
    if (life->close_ns != KDP_TIME_NULL)
        terms->fixed.close_ns = life->close_ns;
    if (life->expiry_ns != KDP_TIME_NULL)
        terms->fixed.expiry_ns = life->expiry_ns;
    if (life->floor_strike_e6 != KDP_INT64_NULL)
        terms->fixed.floor_strike_e6 = life->floor_strike_e6;
    if (life->cap_strike_e6 != KDP_INT64_NULL)
        terms->fixed.cap_strike_e6 = life->cap_strike_e6;
    if (life->strike_type != KDP_STRIKE_TYPE_NONE)
        terms->fixed.strike_type = life->strike_type;
    if (life->exchange_index >= 0)
        terms->fixed.exchange_index = (uint8_t)life->exchange_index;
    if (life->can_close_early >= 0)
        terms->fixed.can_close_early = (uint8_t)life->can_close_early;
    switch (life->kind) {
    case KDP_LIFECYCLE_KIND_CREATED:
        terms->fixed.status = KDP_MARKET_STATUS_INITIALIZED;
        break;
    case KDP_LIFECYCLE_KIND_ACTIVATED:
        terms->fixed.status = KDP_MARKET_STATUS_ACTIVE;
        break;
    case KDP_LIFECYCLE_KIND_DEACTIVATED:
        terms->fixed.status = KDP_MARKET_STATUS_INACTIVE;
        break;
    case KDP_LIFECYCLE_KIND_DETERMINED:
        terms->fixed.status = KDP_MARKET_STATUS_DETERMINED;
        break;
    case KDP_LIFECYCLE_KIND_SETTLED:
        terms->fixed.status = KDP_MARKET_STATUS_FINALIZED;
        break;
    default:
        break;
    }
    if (life->range_count > 0) {
        terms->range_count = life->range_count;
        memcpy(terms->ranges, life->ranges, life->range_count * sizeof *terms->ranges);
    }
    if (life->event_ticker.len > 0)
        terms->texts[1] = life->event_ticker;
    if (life->title.len > 0)
        terms->texts[3] = life->title;
    if (life->yes_sub_title.len > 0)
        terms->texts[4] = life->yes_sub_title;
    if (life->structure.len > 0)
        terms->texts[5] = life->structure;
}

static void
take_listed(struct terms *terms, const struct kdp_rest_market *listed)
{
    struct kdp_definition *fixed = &terms->fixed;

    fixed->provisional = KDP_BOOL_NO;
    fixed->open_ns = listed->open_ns != KDP_TIME_NULL ? listed->open_ns : fixed->open_ns;
    fixed->close_ns = listed->close_ns != KDP_TIME_NULL ? listed->close_ns : fixed->close_ns;
    fixed->expiry_ns = listed->expiry_ns != KDP_TIME_NULL ? listed->expiry_ns : fixed->expiry_ns;
    if (listed->floor_strike_e6 != KDP_INT64_NULL)
        fixed->floor_strike_e6 = listed->floor_strike_e6;
    if (listed->cap_strike_e6 != KDP_INT64_NULL)
        fixed->cap_strike_e6 = listed->cap_strike_e6;
    if (listed->strike_type != KDP_STRIKE_TYPE_NONE)
        fixed->strike_type = listed->strike_type;
    if (listed->status != KDP_MARKET_STATUS_UNKNOWN)
        fixed->status = listed->status;
    if (listed->mve_collection.len > 0)
        fixed->combo = KDP_BOOL_YES;
    if (listed->exchange_index >= 0)
        fixed->exchange_index = (uint8_t)listed->exchange_index;
    if (listed->can_close_early >= 0)
        fixed->can_close_early = (uint8_t)listed->can_close_early;
    if (listed->range_count > 0 && listed->range_count <= 16) {
        terms->range_count = listed->range_count;
        memcpy(terms->ranges, listed->ranges, listed->range_count * sizeof *terms->ranges);
    }
    if (listed->event_ticker.len > 0)
        terms->texts[1] = listed->event_ticker;
    if (listed->title.len > 0)
        terms->texts[3] = listed->title;
    if (listed->yes_sub_title.len > 0)
        terms->texts[4] = listed->yes_sub_title;
    if (listed->structure.len > 0)
        terms->texts[5] = listed->structure;
}

/* Builds the record, with a head of zeros for everything after the message header. */
static size_t
build(const struct terms *terms, void *mem)
{
    struct kdp_builder b;
    struct kdp_definition *def = kdpi_build_start(&b, mem, KDP_TEMPLATE_DEFINITION);
    struct kdp_head head = def->head;

    *def = terms->fixed;
    def->head = head;
    if (terms->range_count > 0)
        memcpy(kdpi_build_group(&b, terms->range_count), terms->ranges,
               terms->range_count * sizeof *terms->ranges);
    else
        kdpi_build_group(&b, 0);
    for (unsigned i = 0; i < 6; i++)
        kdpi_build_text(&b, emit_bounded(terms->texts[i], i == 3 || i == 4 ? 220 : KDPI_TICKER_MAX));
    return kdpi_build_finish(&b);
}

static void
keep(struct kdp_plant *plant, struct kdp_instrument *item, const void *mem, size_t size)
{
    uint8_t *room = kdp_instruments_keep(plant->instruments, item, size);

    if (room != NULL)
        memcpy(room, mem, size);
}

/* Writes what was built; mem gets the head too. */
static bool
write_down(struct kdp_plant *plant, uint32_t id, void *mem, size_t size, const struct kdp_message *msg)
{
    void *rec = emit_start(plant, KDP_TEMPLATE_DEFINITION, id, msg);

    if (rec == NULL)
        return false;
    memcpy(mem, rec, sizeof(struct kdp_head));
    memcpy(rec, mem, size);
    emit_end(plant, rec, size);
    kdp_instruments_at(plant->instruments, id)->announced = true;
    return true;
}

void
emit_definition(struct kdp_plant *plant, uint32_t id, const struct kdp_message *msg)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    bool known = item->definition != NULL;
    struct terms terms;
    size_t size;

    terms_of(item, &terms);
    if (msg != NULL && msg->kind == KDP_MESSAGE_LIFECYCLE)
        take_lifecycle(&terms, msg);
    size = build(&terms, mem);
    /* made of the ticker alone, as it will be again: not worth its place, which is never given back */
    if (write_down(plant, id, mem, size, msg) && (known || msg != NULL))
        keep(plant, item, mem, size);
}

bool
definition_listed(struct kdp_plant *plant, uint32_t id, const struct kdp_rest_market *listed)
{
    struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    const struct kdp_definition *was = definition_of(item);
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    const size_t head = sizeof(struct kdp_head);
    struct terms terms;
    bool same;
    size_t size;

    terms_of(item, &terms);
    take_listed(&terms, listed);
    size = build(&terms, mem);
    same = was != NULL && kdpi_record_size_trusted(was) == size &&
           memcmp(mem + head, (const uint8_t *)was + head, size - head) == 0;
    if (same && item->announced)
        return false;
    if (was == NULL || was->open_ns != terms.fixed.open_ns)
        item->open_told = false;
    if (was == NULL || was->close_ns != terms.fixed.close_ns)
        item->close_told = false;
    if (write_down(plant, id, mem, size, NULL) && !same)
        keep(plant, item, mem, size);
    return !same;
}

void
definition_restore(struct kdp_plant *plant, uint32_t id, const struct kdp_definition *def)
{
    keep(plant, kdp_instruments_at(plant->instruments, id), def, kdpi_record_size_trusted(def));
}
