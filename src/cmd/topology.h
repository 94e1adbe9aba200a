/* topology.h - every thread, process and ring of a run on one page.
 *
 *   who          runs in          reads                    writes                  when it is slow
 *   source       main thread      sockets, REST answers    raw ring                waits for the tape agent
 *                                 (live), or a recording
 *   plant        main thread      its own inputs           ring, counters          waits for the tape agent
 *   REST         own thread       HTTP (live)              queue of answers        nobody waits
 *   connector    short threads    one for each line that   an open connection      nobody waits
 *                                 is being made (live)
 *   tape agent   own thread       raw ring, ring           DIR/raw, DIR/tape       reliable: source and plant wait
 *   sealer       child process    ring and tape (reader)   DIR/<table>/date=...    falls behind; nobody waits
 *   tap, query   other processes  ring and tape (reader)   -                       overrun, goes on from the tape
 *
 *   ring         depth              what it carries                    reliable reader
 *   raw ring     --raw-ring-size    struct kdp_input_head + payload    tape agent
 *   ring         --ring-size        records, struct kdp_head + body    tape agent
 */
#ifndef KDPI_TOPOLOGY_H
#define KDPI_TOPOLOGY_H

#include <stdbool.h>

#include "command.h"
#include "plant.h"
#include "sealer.h"
#include "stream.h"

struct kdp_topology {
    const struct kdp_cli *cli;
    struct kdp_stream *stream;
    struct kdp_ring *ring;
    struct kdp_plant *plant;
    struct kdp_input_start start; /* how the run begins */
    int64_t
        trades_open_ns; /* receive time of the oldest hole in the trades that no run before has filled, 0: none */
    int64_t last_trade_ns; /* exchange time of the newest trade of the last 2 hours of them, 0: none */
    int64_t first_ns;      /* receive time of their first record that is still there, 0: none */
    const char *dir;
    bool lake; /* there is a sealer */
    struct kdp_sealer sealer;
    bool fresh; /* the data directory was empty: the stream hash counts */
    bool told_blocked;
    bool behind;       /* the tape lacks half a ring, and that was told */
    int64_t waited_ns; /* for the tape, since the start */
    int64_t look_mono, floor_mono;
    struct kdp_counter *backlog_alarms, *sealer_restarts;
    void (*warn)(void *arg, const char *text, const char *hint);
    void *warn_arg;
    size_t input_max; /* bytes of the largest input the raw ring takes */
    uint8_t *again;   /* room for an input that is gone over again */
};

struct kdp_topology_config {
    const char *dir;
    bool refuse_existing, lake, hash;
    void (*rejected)(void *arg, const struct kdp_input_head *input, const char *frame,
                     const struct kdp_message *msg);
    void *rejected_arg;
    /* of a live run */
    bool live; /* retention, quota and the clock for pub_delay are on */
    kdp_notice_fn notice;
    void *notice_arg;
    /* says a warning where a screen is drawn; NULL: as any command does */
    void (*warn)(void *arg, const char *text, const char *hint);
    void *warn_arg;
    /* asked when the directory is open: the START of a run whose process died or was stopped and that goes on now; its inputs up to
     * the last that was applied are then given once more, START first, by kdp_topology_again_feed.  NULL, or a NULL answer: a run
     * begins. */
    const struct kdp_input_start *(*resume)(void *arg, const struct kdp_input_start *start);
    void *resume_arg;
};

/* kdp_topology_again_feed lets the plant consume an input that it had before, without logging it (see kdp_plant_catch_up);
 * kdp_topology_resume ends that: the next input is new. */
int kdp_topology_again_feed(struct kdp_topology *topology, enum kdp_input_kind kind, unsigned flags,
                            unsigned line, int64_t recv_ns, const void *fixed, size_t fixed_len,
                            const void *rest, size_t rest_len);
int kdp_topology_resume(struct kdp_topology *topology, uint64_t applied, int64_t recv_ns);

/* kdp_topology_open opens the data directory, starts the tape agent and the sealer, and makes the plant ready
 * for its START input, which the caller feeds (its time is the caller's to say). */
int kdp_topology_open(struct kdp_topology *topology, const struct kdp_cli *cli,
                      const struct kdp_topology_config *config);
/* kdp_topology_again ends the run and begins another in the same directory, as a process started anew would: for the replay
 * of a raw tape, which may hold many runs.  The sealer goes on.  next_seq and next_instrument are those of struct
 * kdp_stream_config.  The plant of the run before is gone after it, its stream hash goes on. */
int kdp_topology_again(struct kdp_topology *topology, const struct kdp_topology_config *config,
                       uint64_t next_seq, uint32_t next_instrument);
/* kdp_topology_feed logs one input (head of fixed bytes, then the rest) and lets the plant consume it. */
int kdp_topology_feed(struct kdp_topology *topology, enum kdp_input_kind kind, unsigned flags, unsigned line,
                      int64_t recv_ns, const void *fixed, size_t fixed_len, const void *rest,
                      size_t rest_len);
/* kdp_topology_tick looks after what runs beside the plant, a few times a second on a live run: how far the tape is behind
 * (told at half a ring), whether the sealer lives (started again when it died), and what of the tape the lake has. */
void kdp_topology_tick(struct kdp_topology *topology, int64_t mono_ns);
/* kdp_topology_close drains to the tape, ends the sealer and waits for it, closes everything; returns the
 * first error. */
int kdp_topology_close(struct kdp_topology *topology);

#endif
