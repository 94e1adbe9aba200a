/* backfill_proof.c - see backfill_proof.h. */
#include "backfill_proof.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "kdp/records.h"

#define MINUTE (60 * KDP_NS_PER_S)
#define HOUR (60 * MINUTE)
#define DAYS_MAX 40000 /* a hundred years: more is a mistake */

int
kdp_proof_open(struct kdp_proof *proof, int64_t from_ns, int64_t to_ns)
{
    int32_t last = kdpi_day_of(to_ns - 1);

    kdp_proof_release(proof);
    proof->first = kdpi_day_of(from_ns);
    if (to_ns <= from_ns || last - proof->first >= DAYS_MAX)
        return kdpi_fail(KDP_ERANGE, "a range of more than %d days", DAYS_MAX);
    proof->count = (unsigned)(last - proof->first) + 1;
    proof->days = calloc(proof->count + 1, sizeof *proof->days);
    return proof->days != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "no memory for %u days of a market", proof->count);
}

void
kdp_proof_release(struct kdp_proof *proof)
{
    free(proof->days);
    *proof = (struct kdp_proof){0};
}

struct kdp_proof_day *
kdp_proof_day_at(struct kdp_proof *proof, int32_t day)
{
    return day >= proof->first && day - proof->first <= (int64_t)proof->count
               ? &proof->days[day - proof->first]
               : NULL;
}

void
kdp_proof_candle(struct kdp_proof *proof, int64_t end_ns, int64_t volume_e2)
{
    struct kdp_proof_day *day = kdp_proof_day_at(proof, kdpi_day_of(end_ns - KDP_NS_PER_S));

    if (day == NULL || day == &proof->days[proof->count])
        return;
    day->candles_e2 += volume_e2;
    proof->any_candle = true;
}

enum kdp_proof_verdict
kdp_proof_judge(const struct kdp_proof *proof, unsigned index, bool told, int64_t *missing_e2p)
{
    const struct kdp_proof_day *day = &proof->days[index], *next = &proof->days[index + 1];
    /* a trade at the border counts for the day it begins; in the very instant, or in that second, for the day before */
    const int64_t readings[3] = {day->lake_e2, day->lake_e2 - day->instant_e2 + next->instant_e2,
                                 day->lake_e2 - day->second_e2 + next->second_e2};
    int64_t nearest_e2 = INT64_MAX;

    *missing_e2p = 0;
    if (!told || (!proof->any_candle && day->lake_e2 != 0))
        return KDP_PROOF_NOT_PROVABLE;
    for (int i = 0; i < 3; i++) { /* what lies between two readings fits none */
        int64_t short_e2 = day->candles_e2 - readings[i];

        if (short_e2 == 0)
            return KDP_PROOF_WHOLE;
        if (short_e2 > 0 && short_e2 < nearest_e2)
            nearest_e2 = short_e2;
    }
    if (day->candles_e2 > day->lake_e2) {
        *missing_e2p = nearest_e2;
        return KDP_PROOF_SHORT;
    }
    *missing_e2p = day->candles_e2 - day->lake_e2;
    return KDP_PROOF_OVER;
}

static int64_t
up(int64_t ns, int64_t unit)
{
    return (ns + unit - 1) / unit * unit;
}

unsigned
kdp_proof_spans(int64_t from_ns, int64_t to_ns, struct kdp_proof_span spans[3])
{
    int64_t from = up(from_ns, MINUTE), to = to_ns / MINUTE * MINUTE;
    int64_t first_hour = up(from, HOUR), last_hour = to / HOUR * HOUR;
    unsigned count = 0;

    if (first_hour >= last_hour) {
        if (from < to)
            spans[count++] = (struct kdp_proof_span){from, to, 1};
        return count;
    }
    if (from < first_hour)
        spans[count++] = (struct kdp_proof_span){from, first_hour, 1};
    spans[count++] = (struct kdp_proof_span){first_hour, last_hour, 60};
    if (last_hour < to)
        spans[count++] = (struct kdp_proof_span){last_hour, to, 1};
    return count;
}

bool
kdp_proof_on_grid(int32_t price_e4, const struct kdp_definition_ranges *ranges, unsigned count)
{
    if (price_e4 <= 0 || price_e4 >= 10000)
        return false;
    if (price_e4 % 100 == 0 || count == 0)
        return true;
    for (unsigned i = 0; i < count; i++)
        if (price_e4 >= ranges[i].start_e4 && price_e4 <= ranges[i].end_e4 && ranges[i].step_e4 > 0 &&
            (price_e4 - ranges[i].start_e4) % ranges[i].step_e4 == 0)
            return true;
    return false;
}
