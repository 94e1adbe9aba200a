/* reader_names.c - tickers of instruments: from the definitions read, the tape's dictionaries, the ring. */
#include "reader_private.h"
#include "tape_format.h"

void
kdpi_reader_learn(struct kdp_reader *reader, const void *record, size_t size)
{
    struct kdp_tape_instrument instrument;

    if (kdpi_dict_of_definition(record, size, &instrument))
        kdpi_dict_put(&reader->dict, &instrument, false);
}

/* Definitions in the ring that the tape does not have yet, or not when its dictionary was read. */
static void
learn_from_ring(struct kdp_reader *reader)
{
    uint64_t from = reader->ring_learnt + 1, head, buf[KDP_RECORD_MAX / 8];
    struct kdp_ring_cursor cursor;
    int size;

    if (reader->ring == NULL)
        return;
    head = kdp_ring_head_seq(reader->ring);
    if (from <= reader->dict_last_seq)
        from = reader->dict_last_seq + 1;
    if (from < kdp_ring_tail_seq(reader->ring))
        from = kdp_ring_tail_seq(reader->ring);
    if (from > head || kdp_ring_seek(&cursor, reader->ring, from) != 0)
        return;
    while (cursor.seq <= head && (size = kdp_ring_next(&cursor, buf)) > 0)
        if (((const struct kdp_head *)(const void *)buf)->template_id == KDP_TEMPLATE_DEFINITION)
            kdpi_reader_learn(reader, buf, (size_t)size);
    reader->ring_learnt = cursor.seq - 1;
}

/* Asks dictionaries, newest first, until id is known (0: all of them). */
static void
learn_from_tape(struct kdp_reader *reader, uint32_t id)
{
    uint64_t below = UINT64_MAX, newest = 0, last;

    if (reader->at >= reader->end) /* else the run handed out would move */
        kdp_tape_refresh(reader->tape);
    last = kdp_tape_last_seq(reader->tape);
    /* what came since: the newest segment, and those down to the one that was newest before */
    while (last != reader->dict_last_seq && kdpi_tape_dictionary(reader->tape, &below, &reader->dict) != 0) {
        if (newest == 0)
            newest = below;
        if (reader->dict_newest == 0)
            reader->dict_below = below; /* the first time: those below it follow when they are asked for */
        if (below <= reader->dict_newest || reader->dict_newest == 0)
            break;
    }
    if (newest != 0)
        reader->dict_newest = newest;
    reader->dict_last_seq = last;
    /* a damaged dictionary is passed over: others may know the id, and the damage is told where its records
     * are read */
    while (reader->dict_below != 0 && (id == 0 || kdpi_dict_find(&reader->dict, id) == NULL))
        if (kdpi_tape_dictionary(reader->tape, &reader->dict_below, &reader->dict) == 0)
            reader->dict_below = 0;
}

const char *
kdp_reader_ticker(struct kdp_reader *reader, uint32_t instrument)
{
    const struct kdpi_dict_item *item = kdpi_dict_find(&reader->dict, instrument);

    if (item == NULL && instrument != 0) {
        learn_from_tape(reader, instrument);
        item = kdpi_dict_find(&reader->dict, instrument);
    }
    if (item == NULL && instrument != 0) {
        learn_from_ring(reader);
        item = kdpi_dict_find(&reader->dict, instrument);
    }
    return item == NULL ? NULL : item->ticker;
}

uint32_t
kdp_reader_instrument(struct kdp_reader *reader, const char *ticker)
{
    uint32_t id = kdpi_dict_id(&reader->dict, ticker);

    if (id != 0)
        return id;
    learn_from_tape(reader, 0);
    learn_from_ring(reader);
    return kdpi_dict_id(&reader->dict, ticker);
}

uint32_t
kdp_reader_instrument_max(struct kdp_reader *reader)
{
    learn_from_tape(reader, 0);
    learn_from_ring(reader);
    return reader->dict.id_max;
}
