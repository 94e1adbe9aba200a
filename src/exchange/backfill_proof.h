/* backfill_proof.h - is a market's past whole?  What the lake has, day by day, against the exchange's own candles.
 *
 * Candles of an hour, because UTC days are whole hours in every time zone the exchange may count in; a candle of a day may begin
 * at another midnight.  At the ends of a range that is not in whole hours, candles of a minute.  end_period_ts is said to be part
 * of its period; whether a trade of that instant, or of the second that begins with it, counts for the candle before is not
 * certain, so a day is whole when one of the three readings fits. */
#ifndef KDPI_BACKFILL_PROOF_H
#define KDPI_BACKFILL_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kdp_proof_day {
    uint64_t trades;
    int64_t lake_e2;    /* volume of the part of the day that candles can prove */
    int64_t instant_e2; /* of it, in the very instant where that part begins */
    int64_t second_e2;  /* of it, in the second that begins there */
    int64_t candles_e2; /* what the exchange says */
};

struct kdp_proof {
    int32_t first; /* day number of days[0] */
    unsigned count;
    struct kdp_proof_day *days; /* count and one more: of the first second behind the last */
    bool any_candle;
};

enum kdp_proof_verdict {
    KDP_PROOF_WHOLE,
    KDP_PROOF_SHORT,       /* the exchange has more */
    KDP_PROOF_OVER,        /* the lake has more */
    KDP_PROOF_NOT_PROVABLE /* the exchange says nothing */
};

/* kdp_proof_open makes room for the days that [from, to) touches. */
int kdp_proof_open(struct kdp_proof *proof, int64_t from_ns, int64_t to_ns);
void kdp_proof_release(struct kdp_proof *proof);
/* kdp_proof_candle adds a candle that ends with end_ns; one outside the days is left out. */
void kdp_proof_candle(struct kdp_proof *proof, int64_t end_ns, int64_t volume_e2);
/* kdp_proof_day_at gives a day by its number, NULL: not of this market's (one behind the last is). */
struct kdp_proof_day *kdp_proof_day_at(struct kdp_proof *proof, int32_t day);
/* kdp_proof_judge: told says whether the exchange gave candles of the market at all (none is an answer).  *missing_e2p: how much
 * is short, or over (negative). */
enum kdp_proof_verdict kdp_proof_judge(const struct kdp_proof *proof, unsigned index, bool told,
                                       int64_t *missing_e2p);

struct kdp_proof_span { /* a part of a range that candles of one length prove */
    int64_t start_ns, end_ns;
    unsigned minutes;
};
/* kdp_proof_spans divides [from, to) into at most three: minutes up to the hour, hours, minutes.  What is not in whole minutes at
 * the ends cannot be proven.  Returns how many. */
unsigned kdp_proof_spans(int64_t from_ns, int64_t to_ns, struct kdp_proof_span spans[3]);

/* kdp_proof_on_grid: price bands as of kdp_definition_ranges, flat: start, end, step; whole cents are on every grid. */
struct kdp_definition_ranges;
bool kdp_proof_on_grid(int32_t price_e4, const struct kdp_definition_ranges *ranges, unsigned count);

#endif
