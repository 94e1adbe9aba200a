/* run_summary.h - what kdp run says at its end: a block of lines for a person, with --summary json replay's object and the
 * members of a live run.
 *
 *   kdp_run_result_start     when the plant is ready for its START input
 *   kdp_run_result_tick      between inputs (struct kdp_live_config.idle): adds up book-seconds
 *   kdp_run_result_stop      when the drain begins, lines still up: books and states as they are now
 *   kdp_run_result_end       after the drain, before the plant is closed: all counts
 *   (kdp_topology_close)
 *   kdp_run_result_print     when the tape is closed: what is on disk is looked up here
 *   kdp_run_result_release
 *
 * One thread. */
#ifndef KDPI_RUN_SUMMARY_H
#define KDPI_RUN_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "replay_summary.h"
#include "session.h"

struct kdp_run_result {
    struct kdp_replay_result plant; /* its markets are those of _stop, with the trades of _end */
    /* filled in by the caller before _print */
    const char *dir;
    const char *what;      /* "SIMULATED" or NULL */
    bool keyless;          /* trades polled, books sampled */
    struct kdp_session_stats session; /* so: as it was at the end */
    struct kdp_histogram age;         /* so: how late trades came, ns */
    uint32_t run;          /* number of the run in its folder, from 1; 0: not known */
    unsigned connections;  /* wanted at the end */
    uint64_t reconnects;   /* struct kdp_session_stats */
    uint64_t seq_next;     /* number of the record after the last */
    uint64_t not_taped;    /* records made and not on the tape: 0 when durable reached the head */
    bool lake, lake_whole; /* there is one; its child ended well, so that every row is in SQL from files */
    int64_t start_wall_ns, end_wall_ns;
    struct kdp_histogram latency; /* receipt to ring; copied, the live part is closed by then */
    /* kept by the functions below */
    int64_t tick_mono_ns, book_ns; /* books that are live or should be, times time */
    uint64_t seq_first;            /* number of the first record */
    uint64_t live_at_stop, planned_at_stop, stale_at_stop_ns;
    bool stopped;
};

void kdp_run_result_start(struct kdp_run_result *result, uint64_t seq_first, int64_t mono_ns,
                          int64_t wall_ns);
void kdp_run_result_tick(struct kdp_run_result *result, const struct kdp_plant *plant, int64_t mono_ns);
void kdp_run_result_stop(struct kdp_run_result *result, const struct kdp_plant *plant, int64_t mono_ns);
void kdp_run_result_end(struct kdp_run_result *result, const struct kdp_plant *plant, int64_t wall_ns);
/* kdp_run_lost is the number behind the word lost: trades missed and not got by REST, and records not on the tape. */
uint64_t kdp_run_lost(const struct kdp_plant_totals *totals, uint64_t not_taped);
/* kdp_run_result_print says it on stdout, as --summary json or as lines for a person. */
void kdp_run_result_print(const struct kdp_run_result *result, const struct kdp_cli *cli);
void kdp_run_result_release(struct kdp_run_result *result);

#endif
