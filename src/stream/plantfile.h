/* plantfile.h - DIR/plant and DIR/plant.lock: which run holds a data directory, and what a killed one left
 * behind.
 *
 * DIR/plant is text, "key=value" by line, the last line a CRC-32C of those before; it is replaced by rename
 * and synced, so that it is there whole or not at all.  Its state says how far a run had come:
 *
 *     starting   the ring named may or may not exist; nothing was published in it
 *     running    the ring exists and may hold what the tape lacks
 *     closed     all is on the tape, and start_seq is the next number even if the tape is cut meanwhile
 */
#ifndef KDPI_PLANTFILE_H
#define KDPI_PLANTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kdp_plant_state { KDP_PLANT_NONE, KDP_PLANT_STARTING, KDP_PLANT_RUNNING, KDP_PLANT_CLOSED };

struct kdp_plantfile {
    enum kdp_plant_state state;  /* NONE: there is no such file */
    char ring[64];               /* "": none */
    char old_ring[64];           /* while starting: drained already, to be removed */
    uint64_t session, start_seq; /* no number below start_seq is given out again */
    uint64_t ring_bytes;
    int64_t started_ns;
    int pid;
    bool raw, tape; /* what the run writes */
};

/* kdpi_plantfile_read gives 0 with state NONE when there is no file; -KDP_EFORMAT or -KDP_ECHECKSUM for a
 * damaged one. */
int kdpi_plantfile_read(const char *dir, struct kdp_plantfile *file);
int kdpi_plantfile_write(const char *dir, const struct kdp_plantfile *file);
int kdpi_plantfile_remove(const char *dir);

/* kdpi_plant_lock takes DIR/plant.lock for this process: a file descriptor to keep open, -KDP_EBUSY with
 * words that name process and start when another holds it. */
int kdpi_plant_lock(const char *dir, int64_t now_ns);

/* kdpi_folder_hint adds to an error just kept what can be done when a data folder cannot be made or written. */
void kdpi_folder_hint(int errnum);

#endif
