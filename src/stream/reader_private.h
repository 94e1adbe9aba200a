/* reader_private.h - what the two files of the reader share; nobody else includes it.
 *
 * reader.c finds records, reader_names.c their tickers. */
#ifndef KDPI_READER_PRIVATE_H
#define KDPI_READER_PRIVATE_H

#include "kdp/reader.h"
#include "ring.h"
#include "stream.h"
#include "tape.h"
#include "tape_dict.h"

struct kdp_reader {
    char *dir;
    unsigned flags;
    struct kdp_tape *tape;
    struct kdp_ring *ring; /* NULL: no plant, or not found yet */
    struct kdp_plant_info plant;
    bool plant_runs;
    int64_t plant_checked_ns;

    uint64_t next_seq;
    int64_t skip_ns; /* records received before this do not count until one was not; KDP_TIME_NULL: none */
    bool in_ring;    /* the cursor stands before next_seq, or where next_seq will come */
    struct kdp_ring_cursor cursor;
    const uint8_t *at, *end; /* what is left of the tape's block */
    uint64_t run_end_seq;    /* the sequence after it */
    bool definitions;        /* there are some in it */
    uint32_t template_mask, instrument;
    uint64_t overruns;

    struct kdpi_dict dict;
    uint64_t dict_below,
        dict_newest;        /* numbers of segments: those below are still to be asked; the newest asked */
    uint64_t dict_last_seq; /* where the tape ended then */
    uint64_t ring_learnt;   /* definitions in the ring up to this sequence are known */
    int pending;            /* an error met while waiting, for next to tell */
    char pending_text[1024], pending_hint[512];
    uint64_t buf[KDP_RECORD_MAX / 8];
};

/* kdpi_reader_learn takes a name from a Definition. */
void kdpi_reader_learn(struct kdp_reader *reader, const void *record, size_t size);

#endif
