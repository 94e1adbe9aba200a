/* histogram.c - see histogram.h. */
#include "histogram.h"

#define SUB 16u /* buckets of an octave */

static unsigned
bucket_of(uint64_t value)
{
    unsigned octave;

    if (value < SUB)
        return (unsigned)value;
    octave = 63u - (unsigned)__builtin_clzll(value); /* 4 to 63 */
    return (octave - 3) * SUB + (unsigned)(value >> (octave - 4) & (SUB - 1));
}

/* The highest value of a bucket. */
static uint64_t
top_of(unsigned bucket)
{
    unsigned octave = bucket / SUB + 3, step = bucket % SUB;

    if (bucket < SUB)
        return bucket;
    return (UINT64_C(1) << octave) + ((uint64_t)(step + 1) << (octave - 4)) - 1;
}

void
kdp_histogram_add(struct kdp_histogram *histogram, int64_t ns)
{
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns;

    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[bucket_of(value)]++;
}

uint64_t
kdp_histogram_at(const struct kdp_histogram *histogram, double q)
{
    uint64_t wanted = (uint64_t)(q * (double)histogram->count + 0.5), seen = 0;

    if (histogram->count == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < KDP_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted)
            return top_of(i) < histogram->max ? top_of(i) : histogram->max;
    }
    return histogram->max;
}

void
kdp_histogram_merge(struct kdp_histogram *histogram, const struct kdp_histogram *from)
{
    histogram->count += from->count;
    histogram->sum += from->sum;
    if (from->max > histogram->max)
        histogram->max = from->max;
    for (unsigned i = 0; i < KDP_HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += from->buckets[i];
}
