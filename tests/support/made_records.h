/* made_records.h - streams of records made up from a seed, for tests of what carries records and does not care what they say.
 *
 * Instruments come up in order with a Definition each; then levels, trades, BBOs, states and snapshots of several lengths.
 * The same seed gives the same bytes. */
#ifndef KDP_MADE_RECORDS_H
#define KDP_MADE_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "kdp/records.h"

struct made_records {
    uint64_t random;
    uint64_t next_seq;
    int64_t recv_ns; /* of the next record; grows by step_ns, and now and then steps back */
    int64_t step_ns;
    uint32_t instruments; /* how many there are to be */
    uint32_t defined;     /* how many have had their Definition */
};

void made_records_start(struct made_records *made, uint64_t seed, uint64_t first_seq, uint32_t instruments);
/* made_records_next writes one record into buf (KDP_RECORD_MAX bytes, aligned to 8) and returns its size. */
size_t made_records_next(struct made_records *made, void *buf);
/* made_records_fill writes whole records while they fit in len bytes; returns the bytes used, *countp the records. */
size_t made_records_fill(struct made_records *made, void *buf, size_t len, uint64_t *countp);
/* made_ticker writes the ticker of an instrument (at most 40 bytes with its NUL). */
void made_ticker(char *buf, uint32_t instrument);

#endif
