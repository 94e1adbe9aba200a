/* bench_parse.h - what bench_parse and its peer share: the frames, and what must come out of each. */
#ifndef KDP_BENCH_PARSE_H
#define KDP_BENCH_PARSE_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_FRAMES 50        /* few enough that a branch predictor learns their key orders */
#define BENCH_FRAMES_MANY 2000 /* too many for it */
#define BENCH_FRAME_SIZE 512   /* with the padding that the peer wants behind a frame */

struct bench_frames {
    unsigned count;
    size_t len[BENCH_FRAMES_MANY];
    char data[BENCH_FRAMES_MANY][BENCH_FRAME_SIZE];
};

/* Every field of a delta goes into the sum, so that contestants must agree about all of them. */
static inline uint64_t
bench_delta_sum(int64_t price_e4, int64_t delta_e2, unsigned side, uint64_t sid, uint64_t seq,
                int64_t exch_ns, int64_t ts_ms, size_t ticker_len)
{
    return (uint64_t)price_e4 * 3 + (uint64_t)delta_e2 * 5 + side * 7u + sid * 11 + seq * 13 +
           (uint64_t)exch_ns * 17 + (uint64_t)ts_ms * 19 + ticker_len * 23;
}

#ifdef __cplusplus
extern "C"
#endif
    uint64_t
    bench_simdjson_fields(void *frames, uint64_t count);
#ifdef __cplusplus
extern "C"
#endif
    uint64_t
    bench_simdjson_lookup(void *frames, uint64_t count);

#endif
