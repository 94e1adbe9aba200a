/* emit.c - records into the ring: heads, bodies, the stream hash. */
#include <string.h>

#include "clock.h"
#include "error.h"
#include "plant_private.h"

#define SNAPSHOT_LEVELS                                                                    \
    ((KDP_RECORD_MAX - sizeof(struct kdp_book_snapshot) - sizeof(struct kdp_group_size)) / \
     sizeof(struct kdp_book_snapshot_levels))

#define OF_A_BOOK                                                                           \
    (1u << KDP_TEMPLATE_LEVEL | 1u << KDP_TEMPLATE_BBO | 1u << KDP_TEMPLATE_BOOK_SNAPSHOT | \
     1u << KDP_TEMPLATE_STATE)

bool
emit_again(const struct kdp_plant *plant)
{
    return plant->catching_up && plant->again_seq < plant->again_end;
}

/* Gives room in the ring, waiting while the tape is behind.  A claim that fails has made visible what is
 * complete, so that the tape agent can make room. */
static void *
claim(struct kdp_plant *plant)
{
    void *rec = kdp_ring_claim(plant->ring, KDP_RECORD_MAX);

    while (rec == NULL) {
        KDP_ASSERT(plant->config.wait != NULL);
        plant_count(plant, COUNT_RING_WAITS, 1);
        plant->wait_error = plant->config.wait(plant->config.wait_arg);
        if (plant->wait_error != 0)
            return NULL;
        rec = kdp_ring_claim(plant->ring, KDP_RECORD_MAX);
    }
    return rec;
}

void *
emit_start(struct kdp_plant *plant, uint8_t template_id, uint32_t instrument, const struct kdp_message *msg)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(template_id);
    const struct kdp_input_head *input = plant->input;
    struct kdp_head *head;

    uint64_t seq = emit_again(plant) ? plant->again_seq : kdp_ring_next_seq(plant->ring);

    if (plant->wait_error != 0 || seq >= plant->seq_end)
        return NULL;
    head = emit_again(plant) ? (void *)plant->again : claim(plant);
    if (head == NULL)
        return NULL;
    memset(head, 0, 8u + desc->block_length);
    head->block_length = desc->block_length;
    head->template_id = template_id;
    head->schema_id = KDP_SCHEMA_ID;
    head->version = KDP_SCHEMA_VERSION;
    head->seq = seq;
    head->exch_ns = msg != NULL ? msg->exch_ns : KDP_TIME_NULL;
    head->recv_ns = input->recv_ns;
    head->instrument = instrument;
    head->src_seq = msg != NULL && msg->has_seq ? (uint32_t)msg->seq : 0;
    head->line = input->line;
    head->flags = plant->flags;
    if ((OF_A_BOOK >> template_id & 1u) != 0 && instrument != 0 &&
        kdp_instruments_at(plant->instruments, instrument)->unsure)
        head->flags |= KDP_FLAGS_MAYBE_BAD_BOOK;
    head->origin = plant->origin;
    if (plant->config.now_ns != NULL) {
        int64_t delay = plant->config.now_ns() - input->recv_ns;

        head->pub_delay_ns = delay < 0 ? 0 : delay > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)delay;
        plant_count(plant, COUNT_LATENCY_SUM, head->pub_delay_ns);
        plant_count(plant, COUNT_LATENCY_COUNT, 1);
    }
    return head;
}

void
emit_end(struct kdp_plant *plant, void *rec, size_t size)
{
    const struct kdp_head *head = rec;

    plant->totals.records++;
    plant->totals.records_by_template[head->template_id]++;
    if (plant->hash != NULL) {
        if (head->pub_delay_ns == 0) {
            XXH3_128bits_update(plant->hash, rec, size);
        } else {
            struct kdp_head plain = *head;

            plain.pub_delay_ns = 0;
            XXH3_128bits_update(plant->hash, &plain, sizeof plain);
            XXH3_128bits_update(plant->hash, (const uint8_t *)rec + sizeof plain, size - sizeof plain);
        }
    }
    if (emit_again(plant))
        plant->again_seq++;
    else
        kdp_ring_commit(plant->ring, size);
}

/* Copies a text that may be too long for its record; the builder cuts the rest, this bounds one member's
 * share. */
struct kdp_text
emit_bounded(struct kdp_text text, size_t max)
{
    if (text.len > max) {
        text.len = max;
        while (text.len > 0 && ((unsigned char)text.data[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    return text;
}

void
emit_state(struct kdp_plant *plant, enum kdp_subject subject, uint32_t id, enum kdp_book_state state,
           enum kdp_reason reason, const struct kdp_sub *sub, uint64_t from_seq, uint64_t to_seq,
           struct kdp_text detail)
{
    struct kdp_state *rec = emit_start(plant, KDP_TEMPLATE_STATE, id, NULL);
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    struct kdp_builder b;
    struct kdp_state *out;
    size_t size;

    if (rec == NULL)
        return;
    out = kdpi_build_start(&b, mem, KDP_TEMPLATE_STATE);
    out->head = rec->head;
    out->subject = (uint8_t)subject;
    out->state = (uint8_t)state;
    out->reason = (uint8_t)reason;
    if (sub != NULL) {
        out->sid = sub->sid;
        out->epoch = sub->epoch;
    } else if (subject == KDP_SUBJECT_LINE) {
        out->epoch = kdp_lines_at(plant->lines, plant->input->line)->epoch;
    }
    out->from_seq = from_seq;
    out->to_seq = to_seq;
    kdpi_build_text(&b, emit_bounded(detail, 400));
    size = kdpi_build_finish(&b);
    memcpy(rec, mem, size);
    emit_end(plant, rec, size);
}

/* Writes the levels of one side from item on into the part; returns how many. */
static uint32_t
put_side(struct kdp_plant *plant, const struct kdp_book *book, uint8_t side,
         struct kdp_book_snapshot_levels *all)
{
    uint32_t count = kdp_book_depth(book, side, plant->depth, KDPI_LEVELS_MAX);

    for (uint32_t i = 0; i < count; i++)
        all[i] = (struct kdp_book_snapshot_levels){
            .price_e4 = plant->depth[i].price_e4, .side = side, .size_e2 = plant->depth[i].size_e2};
    return count;
}

void
emit_snapshot(struct kdp_plant *plant, uint32_t id, enum kdp_reason reason, const struct kdp_message *msg)
{
    static _Thread_local struct kdp_book_snapshot_levels all[KDPI_LEVELS_MAX];
    const struct kdp_book *book = kdp_instruments_at(plant->instruments, id)->book;
    uint32_t total, at = 0, parts;

    total = put_side(plant, book, KDP_SIDE_YES, all);
    total += put_side(plant, book, KDP_SIDE_NO, all + total);
    parts = total == 0 ? 1 : (total + (uint32_t)SNAPSHOT_LEVELS - 1) / (uint32_t)SNAPSHOT_LEVELS;
    for (uint32_t part = 0; part < parts; part++) {
        uint32_t count = total - at < SNAPSHOT_LEVELS ? total - at : (uint32_t)SNAPSHOT_LEVELS;
        struct kdp_book_snapshot *rec = emit_start(plant, KDP_TEMPLATE_BOOK_SNAPSHOT, id, msg);
        struct kdp_group_size *group;

        if (rec == NULL)
            return;
        plant->totals.snapshot_rows += count > 0 ? count : 1;
        rec->head.flags |= (uint8_t)(KDP_FLAGS_SNAPSHOT | (part + 1 == parts ? KDP_FLAGS_LAST : 0));
        rec->book_hash = kdp_book_hash(book);
        rec->levels_total = total;
        rec->part = (uint16_t)part;
        rec->parts = (uint16_t)parts;
        rec->reason = (uint8_t)reason;
        rec->book_state = kdp_instruments_at(plant->instruments, id)->state;
        group = (struct kdp_group_size *)(rec + 1);
        *group = (struct kdp_group_size){.block_length = sizeof *all, .count = (uint16_t)count};
        if (count > 0)
            memcpy(group + 1, all + at, count * sizeof *all);
        emit_end(plant, rec, sizeof *rec + sizeof *group + count * sizeof *all);
        at += count;
    }
    plant_count(plant, COUNT_SNAPSHOTS, 1);
}

void
emit_bbo(struct kdp_plant *plant, uint32_t id, const struct kdp_top *top, const struct kdp_message *msg)
{
    const struct kdp_instrument *item = kdp_instruments_at(plant->instruments, id);
    struct kdp_bbo *rec = emit_start(plant, KDP_TEMPLATE_BBO, id, msg);

    if (rec == NULL)
        return;
    rec->head.flags |= KDP_FLAGS_TOB | KDP_FLAGS_LAST;
    rec->bid_e4 = top->bid_e4;
    rec->ask_e4 = top->ask_e4;
    rec->bid_size_e2 = top->bid_e4 == KDP_PRICE_NULL ? KDP_INT64_NULL : top->bid_size_e2;
    rec->ask_size_e2 = top->ask_e4 == KDP_PRICE_NULL ? KDP_INT64_NULL : top->ask_size_e2;
    rec->book_hash = kdp_book_hash(item->book);
    rec->book_state = item->state;
    emit_end(plant, rec, sizeof *rec);
    plant_count(plant, COUNT_BBO, 1);
}

void
emit_gap(struct kdp_plant *plant, const struct plant_gap *gap, enum kdp_gap_status status,
         enum kdp_healed_by by, const char *detail)
{
    uint8_t mem[KDP_RECORD_MAX] __attribute__((aligned(8)));
    struct kdp_gap *rec = emit_start(plant, KDP_TEMPLATE_GAP, 0, NULL), *out;
    struct kdp_builder b;
    size_t size;

    if (rec == NULL)
        return;
    if (detail == NULL)
        detail = gap->kind == KDP_GAP_KIND_LINE_DOWN ? "" : kdpi_channel_name((enum kdp_channel)gap->channel);
    out = kdpi_build_start(&b, mem, KDP_TEMPLATE_GAP);
    out->head = rec->head;
    if (gap->line != 0) /* the end of a gap names the line that the gap is of, whatever ended it */
        out->head.line = gap->line;
    out->kind = gap->kind;
    out->status = (uint8_t)status;
    out->healed_by = (uint8_t)by;
    out->sid = gap->sid;
    out->epoch = gap->epoch;
    out->markets = gap->markets;
    out->expected = gap->expected;
    out->seen = gap->seen;
    out->opened_ns = gap->opened_ns;
    out->healed_ns = status == KDP_GAP_STATUS_HEALED ? plant->input->recv_ns : KDP_TIME_NULL;
    kdpi_build_text(&b, (struct kdp_text){detail, strlen(detail)});
    size = kdpi_build_finish(&b);
    memcpy(rec, mem, size);
    emit_end(plant, rec, size);
}
