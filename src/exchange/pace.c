/* pace.c - the token bucket and back-off; see pace.h. */
#include "pace.h"

#include "clock.h"

#define S ((double)KDP_NS_PER_S)
#define SHARE 0.98       /* of the rate, in peace */
#define SHARE_LEAST 0.05 /* of it, however often it is refused */
#define LOWER 0.95       /* what a refusal leaves of share */
#define HIGHER 0.01      /* of the rate, added to share each second */
#define BURST_LOWER 0.75
#define BURST_HIGHER 0.02
#define START_S 0.25 /* worth of tokens at the beginning: other runs may have used the account until now */
#define PAUSE_S 0.1  /* of refill after a refusal, so that their bucket is not empty any more */
#define HOLD_MAX 60u
#define RATE_MAX INT64_C(100000000)

static double
least(double a, double b)
{
    return a < b ? a : b;
}

/* The most our bucket may hold: half of theirs, the other half is for jitter; a request must fit all the same. */
static double
burst_max(const struct kdp_pace *pace)
{
    double half = (double)pace->capacity / 2;

    half = least(half, (double)pace->rate);
    return half < KDP_PACE_COST ? KDP_PACE_COST : half;
}

static void
set_limits(struct kdp_pace *pace, int64_t rate, int64_t capacity)
{
    pace->rate = rate <= 0 || rate == INT64_MAX ? 0 : rate > RATE_MAX ? RATE_MAX : rate;
    pace->capacity = capacity > 0 ? capacity : pace->rate;
}

void
kdp_pace_init(struct kdp_pace *pace, int64_t rate, int64_t capacity, uint64_t seed, int64_t now_ns)
{
    *pace = (struct kdp_pace){.percent = 100, .random = seed, .at_ns = now_ns, .share = SHARE};
    set_limits(pace, rate, capacity);
    pace->burst = burst_max(pace);
    pace->tokens = least(pace->burst, START_S * (double)pace->rate);
    if (pace->tokens < KDP_PACE_COST)
        pace->tokens = KDP_PACE_COST;
    pace->refused_ns = INT64_MIN;
    pace->held_ns = INT64_MIN;
}

/* Brings everything to now. */
static void
refill(struct kdp_pace *pace, int64_t now_ns)
{
    double span_s = (double)(now_ns - pace->at_ns) / S, most = burst_max(pace), rate = (double)pace->rate;

    if (now_ns <= pace->at_ns)
        return;
    pace->at_ns = now_ns;
    if (pace->started)
        pace->offered += span_s * rate;
    pace->tokens += span_s * rate * pace->share;
    if (pace->tokens > pace->burst)
        pace->tokens = pace->burst;
    pace->share = least(SHARE, pace->share + span_s * HIGHER);
    if (pace->burst < most)
        pace->burst = least(most, pace->burst + span_s * most * BURST_HIGHER);
}

void
kdp_pace_limits(struct kdp_pace *pace, int64_t rate, int64_t capacity, int64_t now_ns)
{
    refill(pace, now_ns);
    set_limits(pace, rate, capacity);
    pace->burst = burst_max(pace);
    pace->tokens = least(pace->tokens, pace->burst);
}

int64_t
kdp_pace_wait(struct kdp_pace *pace, int64_t cost, int64_t now_ns)
{
    double need = (double)(cost < 0 ? 0 : cost);

    refill(pace, now_ns);
    if (now_ns < pace->held_ns)
        return pace->held_ns - now_ns;
    if (pace->rate == 0)
        return 0;
    need = least(
        need,
        pace->burst); /* what costs more than the bucket holds goes when it is full, and leaves a debt */
    if (pace->tokens >= need)
        return 0;
    return (int64_t)((need - pace->tokens) / ((double)pace->rate * pace->share) * S) + 1;
}

int64_t
kdp_pace_take(struct kdp_pace *pace, int64_t cost, int64_t now_ns)
{
    int64_t wait_ns = kdp_pace_wait(pace, cost, now_ns);

    if (wait_ns == 0 && cost > 0) {
        if (!pace->started)
            pace->first = (double)cost;
        pace->started = true;
        pace->tokens -= (double)cost;
        pace->spent += (double)cost;
        pace->until = pace->offered;
    }
    return wait_ns;
}

void
kdp_pace_refused(struct kdp_pace *pace, int64_t sent_ns, int64_t now_ns)
{
    double pause = -PAUSE_S * (double)pace->rate * pace->share;

    refill(pace, now_ns);
    if (sent_ns <= pace->refused_ns) /* under way when another was refused: the same event */
        return;
    pace->refused_ns = now_ns;
    pace->share = pace->share * LOWER < SHARE_LEAST ? SHARE_LEAST : pace->share * LOWER;
    pace->burst = pace->burst * BURST_LOWER < KDP_PACE_COST ? KDP_PACE_COST : pace->burst * BURST_LOWER;
    pace->tokens = least(pace->tokens, pause);
    /* the first may be chance; when what was sent after it is refused too, all wait */
    if (pace->refusals > 0)
        pace->held_ns = now_ns + kdp_backoff_ns(pace->refusals - 1, &pace->random) / 100 * pace->percent;
    if (pace->refusals < HOLD_MAX)
        pace->refusals++;
}

void
kdp_pace_passed(struct kdp_pace *pace, int64_t sent_ns)
{
    if (sent_ns > pace->refused_ns)
        pace->refusals = 0;
}

double
kdp_pace_used(const struct kdp_pace *pace)
{
    return pace->until <= 0 ? 0 : least(1, (pace->spent - pace->first) / pace->until);
}

int64_t
kdp_backoff_ns(unsigned n, uint64_t *random)
{
    int64_t wait_ns = (n < 6 ? INT64_C(1) << n : 60) * KDP_NS_PER_S;

    *random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (*random ^ (*random >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);

    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return wait_ns - (int64_t)(z % (uint64_t)(wait_ns / 4));
}
