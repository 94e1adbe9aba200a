/* sealer.h - the lake's child process, and what happens when it dies: capture goes on, and it is started again.
 *
 * It runs kdp seal --follow, a reader of ring and tape like any other; its standard input is the pipe whose end tells it to
 * seal up to the head and go.  One thread. */
#ifndef KDPI_SEALER_H
#define KDPI_SEALER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KDP_SEALER_BACKOFF_MIN_NS (INT64_C(1) * 1000000000)
#define KDP_SEALER_BACKOFF_MAX_NS (INT64_C(60) * 1000000000)

struct kdp_sealer {
    char dir[4096];
    pid_t pid;   /* 0: not running */
    int input;   /* the end of its standard input that is ours, -1: none */
    bool terms;  /* it files the terms of markets too, out of the raw tape */
    bool no_sql; /* it has said that DuckDB is not there: sealing waits */
    int64_t started_mono, again_mono, backoff_ns;
    uint64_t restarts;
    char words[96]; /* how the last one ended, for a person */
};

int kdp_sealer_start(struct kdp_sealer *sealer, const char *dir, bool terms, int64_t mono_ns);
/* kdp_sealer_check looks whether it still runs and starts it again when it is time: 1 when it was found dead (words say
 * how), 2 when it was started again, 0. */
int kdp_sealer_check(struct kdp_sealer *sealer, int64_t mono_ns);
/* kdp_sealer_end lets it seal what there is and waits for it: 0, or an error when the lake lacks something. */
int kdp_sealer_end(struct kdp_sealer *sealer);

#endif
