/* stream_fill.h - a stand-in for the plant: inputs and records whose every byte follows from their numbers,
 * written through a kdp_stream, and the check that a data directory holds exactly such. */
#ifndef KDP_STREAM_FILL_H
#define KDP_STREAM_FILL_H

#include <stdbool.h>
#include <stdint.h>

#include "stream.h"

struct fill {
    struct kdp_stream *stream;
    struct kdp_ring *ring;
    uint32_t next_instrument;
    int64_t recv_ns, step_ns; /* receive time of the next input, and what it grows by */
    bool defined;             /* an instrument in this run */
    bool by_hand; /* full rings are emptied by calling the agent, else by waiting for its thread */
    int64_t mono_ns;
};

/* fill_start begins a run: the START input, and when it names a hole the Gap record. */
void fill_start(struct fill *fill, struct kdp_stream *stream, const struct kdp_input_start *start);
/* fill_input writes one input and its 0 to 3 records, every 40th the definition of a new instrument before
 * them.  false: the agent is blocked or has failed, and the ring is full; nothing was written. */
bool fill_input(struct fill *fill);
void fill_check_record(const struct kdp_head *rec);

struct fill_seen { /* what fill_check found */
    uint64_t first_seq, last_seq, records, inputs, first_input, last_input, starts, definitions, unused;
    uint32_t last_instrument;
};
/* When set, fill_check calls it with every record of the tape. */
extern void (*fill_on_record)(const struct kdp_head *rec);
/* fill_check reads dir's tape and raw tape whole and fails the test unless: sequences go on without break or
 * repeat but where a Gap record names the hole; every record and input is whole; every record's input is on
 * the raw tape and counts there; an id is defined once and before its first use.  With from != 0 the first
 * record is that one. */
void fill_check(const char *dir, uint64_t from, struct fill_seen *seen);

#endif
