/* stream_fill.c - see stream_fill.h. */
#include "stream_fill.h"

#include "clock.h"
#include "error.h"
#include "kdp_test.h"
#include "raw.h"
#include "record.h"
#include "tape.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t state = a * 0x9e3779b97f4a7c15u + b;

    return kdp_test_random(&state);
}

static size_t
length_of(uint64_t index)
{
    return (size_t)(mix(index, 1) % 400);
}

static void
fill_payload(uint8_t *payload, uint64_t index)
{
    for (size_t i = 0; i < length_of(index); i++)
        payload[i] = (uint8_t)("{\"seq\":12345678,"[i % 16] ^ (i % 13 == 0 ? (int)(index & 15) : 0));
}

/* Waits until there is room; false when there will be none. */
static bool
wait_for_room(struct fill *fill)
{
    if (kdp_stream_blocked(fill->stream) != NULL || kdp_stream_failed(fill->stream) != 0)
        return false;
    if (fill->by_hand)
        kdp_stream_agent_work(fill->stream, fill->mono_ns += 10 * KDP_NS_PER_MS);
    else
        sched_yield();
    return kdp_stream_blocked(fill->stream) == NULL;
}

static struct kdp_head *
claim(struct fill *fill)
{
    struct kdp_head *head;

    while ((head = kdp_ring_claim(fill->ring, KDP_RECORD_MAX)) == NULL)
        if (!wait_for_room(fill))
            return NULL;
    return head;
}

static void
finish(struct fill *fill, struct kdp_head *head, size_t size, uint64_t input)
{
    head->seq = kdp_ring_next_seq(fill->ring);
    head->recv_ns = fill->recv_ns;
    head->src_seq = (uint32_t)input; /* the input that made it */
    kdp_ring_commit(fill->ring, size);
}

static void
put_level(struct fill *fill, struct kdp_head *mem, uint64_t input)
{
    struct kdp_level *level = (void *)mem;
    struct kdp_builder b;

    kdpi_build_start(&b, mem, KDP_TEMPLATE_LEVEL);
    level->head.instrument = fill->next_instrument - 1;
    level->price_e4 = (int32_t)(input % 10000);
    level->side = KDP_SIDE_YES;
    level->delta_e2 = (int64_t)input;
    level->size_e2 = (int64_t)mix(kdp_ring_next_seq(fill->ring), input);
    finish(fill, mem, kdpi_build_finish(&b), input);
}

static void
put_definition(struct fill *fill, struct kdp_head *mem, uint64_t input)
{
    char ticker[32];
    struct kdp_text text = {ticker, 0}, none = {"", 0};
    struct kdp_builder b;

    text.len = (size_t)snprintf(ticker, sizeof ticker, "KXTEST-%u", fill->next_instrument);
    kdpi_build_start(&b, mem, KDP_TEMPLATE_DEFINITION);
    mem->instrument = fill->next_instrument++;
    fill->defined = true;
    kdpi_build_group(&b, 0);
    kdpi_build_text(&b, text);
    for (int i = 1; i < 6; i++)
        kdpi_build_text(&b, none);
    finish(fill, mem, kdpi_build_finish(&b), input);
}

static struct kdp_input_head *
claim_input(struct fill *fill, size_t length)
{
    struct kdp_input_head *head;

    while ((head = kdp_ring_input_claim(fill->ring, length)) == NULL)
        if (!wait_for_room(fill))
            return NULL;
    head->length = (uint32_t)length;
    head->flags = 0;
    head->line = 1;
    head->recv_ns = fill->recv_ns;
    return head;
}

void
fill_start(struct fill *fill, struct kdp_stream *stream, const struct kdp_input_start *start)
{
    struct kdp_input_head *head;
    struct kdp_text detail = {"", 0};
    struct kdp_builder b;
    struct kdp_gap *gap;
    uint64_t index;

    fill->stream = stream;
    fill->ring = kdp_stream_ring(stream);
    fill->next_instrument = start->next_instrument;
    fill->defined = false;
    if (fill->step_ns == 0)
        fill->step_ns = 1000;
    head = claim_input(fill, sizeof *start);
    CHECK(head != NULL);
    head->kind = KDP_INPUT_START;
    memcpy(head + 1, start, sizeof *start);
    index = kdp_ring_input_commit(fill->ring, head);
    if (start->unused_from != 0) {
        gap = (void *)claim(fill);
        kdpi_build_start(&b, gap, KDP_TEMPLATE_GAP);
        gap->kind = KDP_GAP_KIND_UNUSED_RANGE;
        gap->expected = start->unused_from;
        gap->seen = start->next_seq;
        kdpi_build_text(&b, detail);
        finish(fill, &gap->head, kdpi_build_finish(&b), index);
    }
    kdp_ring_input_applied(fill->ring, index);
}

bool
fill_input(struct fill *fill)
{
    struct kdp_input_head *head = claim_input(fill, length_of(kdp_ring_head_input(fill->ring) + 1));
    struct kdp_head *rec;
    uint64_t index;

    if (head == NULL)
        return false;
    fill->recv_ns += fill->step_ns;
    head->kind = KDP_INPUT_FRAME;
    fill_payload((uint8_t *)(head + 1), kdp_ring_head_input(fill->ring) + 1);
    index = kdp_ring_input_commit(fill->ring, head);
    if (index % 40 == 0 || !fill->defined) {
        if ((rec = claim(fill)) == NULL)
            return false;
        put_definition(fill, rec, index);
    }
    for (uint64_t k = 0; k < index % 4; k++) {
        if ((rec = claim(fill)) == NULL)
            return false;
        put_level(fill, rec, index);
        if (index % 7 == 0)
            kdp_ring_publish(fill->ring);
    }
    kdp_ring_input_applied(fill->ring, index);
    return true;
}

void
fill_check_record(const struct kdp_head *rec)
{
    const struct kdp_level *level = (const void *)rec;

    if (rec->template_id != KDP_TEMPLATE_LEVEL)
        return;
    if (level->delta_e2 != (int64_t)rec->src_seq || level->size_e2 != (int64_t)mix(rec->seq, rec->src_seq) ||
        level->price_e4 != (int32_t)(rec->src_seq % 10000) || rec->instrument == 0)
        kdp_test_fail(__FILE__, __LINE__, "record %llu is not what was written",
                      (unsigned long long)rec->seq);
}

/* ---- checking a directory ---- */

void (*fill_on_record)(const struct kdp_head *rec);
static uint8_t *counts; /* by input index: 1 on the raw tape, 2 and it counts */
static uint64_t counts_room;

static void
check_raw(const char *dir, struct fill_seen *seen)
{
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    uint64_t seq_end, previous = 0;
    uint8_t want[512];
    int rc;

    free(counts);
    counts_room = 0;
    CHECK_INT(kdp_raw_last_index(dir, &seen->last_input), 0);
    counts_room = seen->last_input + 1;
    counts = calloc(1, counts_room);
    CHECK(counts != NULL);
    if (seen->last_input == 0)
        return;
    CHECK_INT(kdp_raw_reader_open(&reader, dir), 0);
    while ((rc = kdp_raw_next(reader, &head)) == 1) {
        CHECK(head->index > previous && head->index < counts_room);
        previous = head->index;
        if (seen->inputs++ == 0)
            seen->first_input = head->index;
        counts[head->index] = kdp_raw_counts(reader, &seq_end) ? 2 : 1;
        if (head->kind == KDP_INPUT_START) {
            seen->starts++;
            continue;
        }
        CHECK_INT(head->length, length_of(head->index));
        fill_payload(want, head->index);
        CHECK_MEM(head + 1, want, head->length);
    }
    if (rc != 0)
        kdp_test_fail(__FILE__, __LINE__, "raw tape: %s", kdp_error_text());
    kdp_raw_reader_close(reader);
    CHECK_INT(previous, seen->last_input);
}

static void
check_one(const struct kdp_head *rec, uint64_t *nextp, struct fill_seen *seen)
{
    const struct kdp_gap *gap = (const void *)rec;

    if (*nextp != 0 && rec->seq != *nextp) {
        if (rec->template_id != KDP_TEMPLATE_GAP || gap->kind != KDP_GAP_KIND_UNUSED_RANGE ||
            gap->expected != *nextp || gap->seen != rec->seq)
            kdp_test_fail(__FILE__, __LINE__, "sequence %llu where %llu follows",
                          (unsigned long long)rec->seq, (unsigned long long)*nextp);
        seen->unused += rec->seq - *nextp;
    }
    *nextp = rec->seq + 1;
    if (seen->records++ == 0)
        seen->first_seq = rec->seq;
    seen->last_seq = rec->seq;
    fill_check_record(rec);
    if (fill_on_record != NULL)
        fill_on_record(rec);
    /* what retention took from the raw tape is no loss */
    if (rec->src_seq >= counts_room || (counts[rec->src_seq] != 2 && rec->src_seq >= seen->first_input))
        kdp_test_fail(__FILE__, __LINE__,
                      "record %llu: its input %u is not on the raw tape or does not count",
                      (unsigned long long)rec->seq, rec->src_seq);
    if (rec->template_id == KDP_TEMPLATE_DEFINITION) {
        CHECK(rec->instrument > seen->last_instrument);
        seen->last_instrument = rec->instrument;
        seen->definitions++;
    } else if (rec->template_id == KDP_TEMPLATE_LEVEL && seen->first_seq == 1) {
        CHECK_INT(rec->instrument, seen->last_instrument);
    }
}

void
fill_check(const char *dir, uint64_t from, struct fill_seen *seen)
{
    struct kdp_tape *tape;
    const void *records;
    uint64_t next = from;

    memset(seen, 0, sizeof *seen);
    check_raw(dir, seen);
    CHECK_INT(kdp_tape_open(&tape, dir), 0);
    for (size_t i = 0; i < kdp_tape_block_count(tape); i++) {
        const struct kdp_tape_block *block = kdp_tape_block_at(tape, i);

        if (kdp_tape_load(tape, i, &records) != 0)
            kdp_test_fail(__FILE__, __LINE__, "tape: %s", kdp_error_text());
        for (size_t at = 0, size = 0; at < block->bytes; at += size) {
            const struct kdp_head *rec = (const void *)((const uint8_t *)records + at);

            size = kdpi_record_size(rec, block->bytes - at);
            CHECK(size != 0);
            CHECK(rec->src_seq <= block->input_index);
            check_one(rec, &next, seen);
        }
    }
    kdp_tape_close(tape);
}
