/* replay_summary.h - what a replay says at its end: a table for a person, one JSON object for scripts. */
#ifndef KDPI_REPLAY_SUMMARY_H
#define KDPI_REPLAY_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "plant.h"

struct kdp_replay_type {
    char name[64];
    uint64_t count;
};

struct kdp_replay_result {
    const char *file; /* being read, for messages */
    uint64_t line;
    uint64_t rejected;  /* lines and frames kept among the rejects */
    uint64_t unwrapped; /* lines that should have held a frame and did not */
    uint64_t taken_over;
    int64_t started_ns, played_ns; /* monotonic */
    int64_t span_ns;               /* receive times of the recording */
    bool fresh;
    char hash[33];
    size_t book_bytes, market_bytes; /* in use at the end */
    struct kdp_plant_totals totals;
    struct kdp_replay_type types[65];
    unsigned type_count;
    struct kdp_plant_market *markets; /* by ticker; tickers are copies */
    uint32_t market_count;
};

/* kdp_replay_collect copies out of the plant what will be said after it is closed.  After more than one plant (a raw tape of
 * several runs) counts are sums, and a market's book is that of the last plant that heard of it. */
void kdp_replay_collect(struct kdp_replay_result *result, const struct kdp_plant *plant);
/* its two halves, for a run whose books are looked at before its end and whose counts after it */
void kdp_replay_collect_counts(struct kdp_replay_result *result, const struct kdp_plant *plant);
void kdp_replay_collect_markets(struct kdp_replay_result *result, const struct kdp_plant *plant);
/* kdp_replay_json writes the summary's object without its closing brace, so that members may follow. */
void kdp_replay_json(const struct kdp_replay_result *result, FILE *out);
void kdp_replay_print(const struct kdp_replay_result *result, const struct kdp_cli *cli);
void kdp_replay_release(struct kdp_replay_result *result);

#endif
