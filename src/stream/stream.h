/* stream.h - a data directory opened for writing: lock, ring, agent, and the rules of restart in one place.
 *
 * DIR/plant (text, key=value, replaced by rename) names ring, session, process and start for readers; DIR/plant.lock is
 * held while a plant runs; DIR/instruments is the append-only log of ids and tickers, so that an id never means two things
 * even when old segments are gone. */
#ifndef KDPI_STREAM_H
#define KDPI_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "ring.h"

struct kdp_stream_config {
    const char *dir;
    size_t ring_bytes, raw_ring_bytes; /* 0: defaults */
    uint64_t segment_bytes;            /* 0: default */
    int64_t sync_interval_ns;          /* 0: 10 ms */
    int raw_level;
    bool raw_off, tape_off; /* for comparisons; a plant has both on */
    bool refuse_existing;   /* replay without --append: a directory that has a tape is -KDP_EEXIST */
    uint64_t quota_bytes;   /* of tape and raw together, 0: none */
    bool lake;              /* retention of the tape waits for kdp_stream_sealed_floor */
    int64_t tape_keep_ns, raw_keep_ns; /* retention; 0: defaults (2 days, 7 days) */
    /* of a raw tape being replayed: the number and the id that the run on it began with after a hole; 0: as found */
    uint64_t next_seq;
    uint32_t next_instrument;
};

struct kdp_stream_instrument {
    uint32_t id;
    const char *ticker; /* NUL-terminated */
};

struct kdp_stream; /* one per data directory and process */

/* kdp_stream_open takes the lock (-KDP_EBUSY names pid and since when), drains a ring that a killed run left to the tapes,
 * cuts torn tails, makes the new ring and writes DIR/plant.  *startp says how the run begins (the plant logs it as its first
 * input).  The ring is ready; no agent thread runs yet. */
int kdp_stream_open(struct kdp_stream **streamp, const struct kdp_stream_config *config,
                    struct kdp_input_start *startp);
struct kdp_ring *kdp_stream_ring(struct kdp_stream *stream);
/* kdp_stream_instruments gives what earlier runs interned, ascending by id. */
const struct kdp_stream_instrument *kdp_stream_instruments(const struct kdp_stream *stream, size_t *countp);
/* kdp_stream_taken_over gives the records that a killed run had left in its ring, for the notice at start. */
uint64_t kdp_stream_taken_over(const struct kdp_stream *stream);

/* The agent: work is one duty cycle (takes inputs and records, writes, syncs when due) and returns what it did; a full disk
 * is not an error: it tries again, *_blocked says so, and the writer of the ring waits.  start and stop run it on a thread
 * of its own; drain makes everything published durable before it returns. */
int kdp_stream_agent_work(struct kdp_stream *stream, int64_t mono_ns);
int kdp_stream_agent_start(struct kdp_stream *stream);
int kdp_stream_agent_drain(struct kdp_stream *stream);
/* kdp_stream_blocked: NULL, or why the tape cannot be written at the moment ("no space left on device"). */
const char *kdp_stream_blocked(const struct kdp_stream *stream);
/* kdp_stream_failed: 0, or the error that stopped the agent for good (damaged file, I/O error), its words kept for the
 * caller's thread. */
int kdp_stream_failed(const struct kdp_stream *stream);

/* kdp_stream_close drains, stops the agent, seals, removes ring and DIR/plant, gives the lock back.  When the tapes cannot
 * take what the ring holds (disk full, I/O error) it returns that error and leaves ring and DIR/plant for the next start. */
int kdp_stream_close(struct kdp_stream *stream);

/* kdp_stream_sealed_floor lets the lake say up to which sequence it has sealed everything; with config.lake retention keeps
 * what is above.  Any thread.  Ages are counted in receive time from the newest input seen, not by the wall clock, so that a
 * replay of an old recording does not delete what it writes; a replay keeps everything with INT64_MAX. */
void kdp_stream_sealed_floor(struct kdp_stream *stream, uint64_t seq);

/* kdp_plant_info reads DIR/plant: 0, or -KDP_ENOENT when no plant runs or died there. */
struct kdp_plant_info {
    char ring[64];
    uint64_t session, start_seq;
    int64_t started_ns;
    int pid;
    bool alive; /* the lock is held */
};
int kdp_plant_info(const char *dir, struct kdp_plant_info *info);

#endif
