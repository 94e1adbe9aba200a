/* play.h - recordings through the plant: what kdp replay and kdp record have in common.
 *
 * The source here does what sockets do in a live run: it hands inputs to the topology, one after the other.  What it decides
 * itself (times where a recording has none, the ends of files) depends on the recordings alone, so that the stream does too. */
#ifndef KDPI_PLAY_H
#define KDPI_PLAY_H

#include "command.h"
#include "recording.h"
#include "rejects.h"
#include "replay_summary.h"
#include "topology.h"

#define KDP_PLAY_LINES 65536

struct kdp_play {
    struct kdp_cli *cli;
    struct kdp_topology_config config;
    struct kdp_topology topology;
    struct kdp_progress progress;
    struct kdp_replay_result result;
    const char *dir;
    double speed; /* 0: as fast as it goes */
    unsigned leg_flags;
    uint8_t up[KDP_PLAY_LINES / 8];  /* lines that must be taken down at the end of a file */
    bool started, stopped;           /* the run has its START, and its STOP */
    bool as_recorded;                /* the numbers of a raw tape's run are those given out here */
    int64_t first_ns, last_ns;       /* receive times of inputs */
    int64_t pace_from_ns, pace_mono; /* of the file being played */
    struct kdp_rejects rejects;
    /* of kdp record */
    bool old_forms; /* messages of other recorders are read too */
    uint64_t identity;
    uint64_t fed;     /* inputs given to the plant since the run began, its START included */
    uint64_t again;   /* so many of them were applied before this process: they are gone over again */
    uint64_t applied; /* index of the last of them on the raw tape */
    uint64_t skip;    /* inputs of the recording that another run has: passed over */
    const struct kdp_input_start *resumed; /* the START of the run that goes on */
    const char *name;                      /* of the bar */
};

/* kdp_play_open opens the data directory, kdp_play_file plays one recording to its end (interrupted: not so far, and 0),
 * kdp_play_take_down ends what its end leaves connected, kdp_play_stop logs the end of the run, if rc was nothing worse than the
 * recording's own end; it returns rc, or the error of its own. */
int kdp_play_open(struct kdp_play *play);
int kdp_play_file(struct kdp_play *play, const char *path);
int kdp_play_take_down(struct kdp_play *play);
int kdp_play_stop(struct kdp_play *play, int rc);
/* kdp_play_close ends the run's topology, prints the summary and releases everything: the exit code. */
int kdp_play_close(struct kdp_play *play, int rc);
/* kdp_play_speed reads --speed. */
int kdp_play_speed(struct kdp_play *play);

#endif
