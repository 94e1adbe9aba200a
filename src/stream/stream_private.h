/* stream_private.h - what stream.c, agent.c and retention.c share. */
#ifndef KDPI_STREAM_PRIVATE_H
#define KDPI_STREAM_PRIVATE_H

#include <limits.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "instruments.h"
#include "raw.h"
#include "stream.h"
#include "tape.h"

struct kdp_stream {
    char dir[PATH_MAX];              /* absolute */
    struct kdp_stream_config config; /* defaults filled in */
    char ring_name[64];
    int lock_fd;
    struct kdp_ring *ring;
    struct kdp_raw_writer *raw;   /* NULL: raw_off */
    struct kdp_tape_writer *tape; /* NULL: tape_off */
    struct kdpi_instruments *instruments;
    struct kdp_input_start start;
    uint64_t taken_over, ring_bytes, tape_last; /* tape_last: as the run begins */
    int64_t started_ns;

    struct { /* the agent thread's, or whose thread calls kdp_stream_agent_work */
        int64_t last_sync_ns, retry_ns, retention_ns;
        uint64_t appended_seq; /* last record given to the tape */
        int64_t newest_ns;     /* greatest receive time seen */
        uint64_t written;      /* bytes given to the tapes since the quota was last measured, at most */
        uint64_t used;         /* bytes on disk when it was */
        struct kdp_tape *view; /* for retention; NULL: not open */
        struct kdp_counter *tape_bytes, *input_bytes, *syncs, *sync_ns_max, *blocked;
    } agent;

    /* agent -> anybody */
    alignas(64) _Atomic(const char *) blocked;
    atomic_int failed;
    char failed_text[512]; /* written before failed is */
    char quota_text[64];
    /* anybody -> agent */
    alignas(64) _Atomic uint64_t sealed_floor;

    pthread_t thread;
    bool running; /* the thread was started; only its owner looks */
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    uint64_t drains_wanted, drains_done; /* under mutex */
    int drain_rc;
    bool stop;
};

/* kdpi_agent_note keeps the ids that the definitions among records give out, and says where the records end.
 */
int kdpi_agent_note(struct kdp_stream *stream, const void *records, size_t bytes, uint64_t *last_seqp);

/* kdpi_retention deletes what is too old, and what the quota asks for; 0, -KDP_EFULL when the quota is passed
 * and nothing may go, or an error. */
int kdpi_retention(struct kdp_stream *stream);
void kdpi_retention_close(struct kdp_stream *stream);

#endif
