/* histogram.h - counts of durations in buckets of 1/16 octave, for percentiles within 4.5 %: fixed size, no allocation. */
#ifndef KDPI_HISTOGRAM_H
#define KDPI_HISTOGRAM_H

#include <stdint.h>

#define KDP_HISTOGRAM_BUCKETS 976 /* 16 for values below 16, then 16 an octave up to 2^64 */

struct kdp_histogram {
    uint64_t count, sum;
    uint64_t max;
    uint64_t buckets[KDP_HISTOGRAM_BUCKETS];
};

/* kdp_histogram_add counts a value in ns; a negative one counts as 0. */
void kdp_histogram_add(struct kdp_histogram *histogram, int64_t ns);
/* kdp_histogram_at gives the value that a share q (0 to 1) of all counts do not pass; 0 when there are none. */
uint64_t kdp_histogram_at(const struct kdp_histogram *histogram, double q);
/* kdp_histogram_merge adds all of from to histogram. */
void kdp_histogram_merge(struct kdp_histogram *histogram, const struct kdp_histogram *from);

#endif
