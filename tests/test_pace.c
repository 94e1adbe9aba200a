/* test_pace.c - the token bucket against a model of the exchange's, with a clock moved by hand. */
#include "pace.h"

#include "clock.h"
#include "kdp_test.h"

#include <stdbool.h>
#include <stdlib.h>

#define S KDP_NS_PER_S
#define MS KDP_NS_PER_MS

/* The exchange: a bucket that refills without a break, and refuses what it cannot pay for. */
struct exchange {
    double rate, capacity, tokens;
    int64_t at_ns;
    unsigned passed, refused;
};

static void
exchange_refill(struct exchange *exchange, int64_t now_ns)
{
    exchange->tokens += (double)(now_ns - exchange->at_ns) / (double)S * exchange->rate;
    if (exchange->tokens > exchange->capacity)
        exchange->tokens = exchange->capacity;
    exchange->at_ns = now_ns;
}

static bool
exchange_takes(struct exchange *exchange, int64_t now_ns)
{
    exchange_refill(exchange, now_ns);
    if (exchange->tokens < KDP_PACE_COST) {
        exchange->refused++;
        return false;
    }
    exchange->tokens -= KDP_PACE_COST;
    exchange->passed++;
    return true;
}

/* A client that asks as often as its bucket lets it; requests are on their way for latency and up to jitter more, so they may
 * overtake each other.  stall: it sends nothing for the first of so many ns in each second. */
struct world {
    struct kdp_pace pace;
    struct exchange exchange;
    int64_t latency_ns, jitter_ns, stall_ns;
    uint64_t random;
    struct flight {
        int64_t sent_ns, there_ns;
    } flight[4096];
    unsigned flights;
};

static int
by_arrival(const void *a, const void *b)
{
    const struct flight *x = a, *y = b;

    return x->there_ns < y->there_ns ? -1 : x->there_ns > y->there_ns;
}

static void
arrive(struct world *world, int64_t until_ns)
{
    unsigned done = 0;

    qsort(world->flight, world->flights, sizeof world->flight[0], by_arrival);
    while (done < world->flights && world->flight[done].there_ns <= until_ns) {
        const struct flight *flight = &world->flight[done++];
        /* the answer is back a latency later, but nothing is sent in between that would change what it says */
        if (exchange_takes(&world->exchange, flight->there_ns))
            kdp_pace_passed(&world->pace, flight->sent_ns);
        else
            kdp_pace_refused(&world->pace, flight->sent_ns, until_ns);
    }
    memmove(world->flight, world->flight + done, (world->flights - done) * sizeof world->flight[0]);
    world->flights -= done;
}

static void
run(struct world *world, int64_t from_ns, int64_t to_ns)
{
    for (int64_t now_ns = from_ns; now_ns < to_ns;) {
        int64_t wait_ns = 0;

        arrive(world, now_ns);
        if ((now_ns - from_ns) % S >= world->stall_ns)
            while ((wait_ns = kdp_pace_take(&world->pace, KDP_PACE_COST, now_ns)) == 0) {
                int64_t extra_ns =
                    world->jitter_ns == 0
                        ? 0
                        : (int64_t)(kdp_test_random(&world->random) % (uint64_t)world->jitter_ns);

                CHECK(world->flights < 4096);
                world->flight[world->flights++] =
                    (struct flight){now_ns, now_ns + world->latency_ns + extra_ns};
            }
        now_ns += wait_ns > 0 && wait_ns < MS ? wait_ns : MS; /* a timer of a millisecond */
    }
    arrive(world, to_ns + S);
}

static void
begin(struct world *world, int64_t rate, int64_t capacity, double tokens)
{
    *world = (struct world){.latency_ns = 80 * MS, .jitter_ns = 50 * MS, .random = kdp_test_seed()};
    world->exchange = (struct exchange){.rate = (double)rate, .capacity = (double)capacity, .tokens = tokens};
    kdp_pace_init(&world->pace, rate, capacity, 7, 0);
}

KDP_TEST(the_budget_is_used_and_nothing_refused)
{
    static const int64_t rates[] = {200, 300, 1200, 12000};

    for (unsigned r = 0; r < 4; r++)
        for (int64_t seconds = 1; seconds <= 3; seconds++) {
            struct world world;
            int64_t rate = rates[r];

            begin(&world, rate, rate * seconds, (double)(rate * seconds));
            run(&world, 0, 60 * S);
            CHECK_INT(world.exchange.refused, 0);
            CHECK(world.exchange.passed * KDP_PACE_COST >= (unsigned)(60 * rate * 95 / 100));
            CHECK(kdp_pace_used(&world.pace) >= 0.95);
            CHECK(world.pace.share > 0.97);
        }
}

KDP_TEST(nothing_is_refused_when_the_capacity_is_not_known)
{
    struct world world;

    begin(&world, 200, 0, 200);
    world.exchange.capacity = 200; /* a second's worth, the least that was ever said */
    run(&world, 0, 60 * S);
    CHECK_INT(world.exchange.refused, 0);
    CHECK(world.exchange.passed >= 1140);
}

KDP_TEST(a_client_that_stalls_catches_up_without_a_refusal)
{
    struct world world;

    begin(&world, 200, 600, 600);
    world.stall_ns = 450 * MS;
    run(&world, 0, 60 * S);
    CHECK_INT(world.exchange.refused, 0);
    CHECK(world.exchange.passed >= 1140);
}

KDP_TEST(a_run_started_again_and_again_is_not_refused)
{
    struct world world;

    begin(&world, 200, 200, 200);
    for (int64_t i = 0; i < 20;
         i++) { /* each dies after 0.7 s, and is back 0.3 s later with a bucket of its own */
        kdp_pace_init(&world.pace, 200, 200, (uint64_t)i, i * S);
        run(&world, i * S, i * S + 700 * MS);
    }
    CHECK_INT(world.exchange.refused, 0);
}

KDP_TEST(an_account_used_by_others_too_is_shared)
{
    struct world world;
    unsigned before;

    begin(&world, 200, 400, 400);
    world.exchange.rate = 120; /* somebody else takes the rest */
    run(&world, 0, 60 * S);
    before = world.exchange.refused;
    run(&world, 60 * S, 240 * S);
    /* it settles there, and looks now and then whether there is more */
    CHECK(world.exchange.refused - before <= 180 * 12 * 4 / 100);
    CHECK(world.exchange.passed >= 240 * 12 * 90 / 100);
    world.exchange.rate = 200; /* they are gone */
    run(&world, 240 * S, 300 * S);
    CHECK(world.pace.share > 0.97);
}

KDP_TEST(refusals_by_chance_do_not_stop_it)
{
    struct kdp_pace pace;
    uint64_t random = kdp_test_seed();
    unsigned passed = 0;
    int64_t now_ns = 0;

    kdp_pace_init(&pace, 200, 600, 7, 0);
    for (; now_ns < 600 * S; now_ns += MS)
        while (kdp_pace_take(&pace, KDP_PACE_COST, now_ns) == 0) {
            if (kdp_test_random(&random) % 100 < 3) { /* whatever the budget is */
                kdp_pace_refused(&pace, now_ns, now_ns);
            } else {
                kdp_pace_passed(&pace, now_ns);
                passed++;
            }
        }
    CHECK(passed > 600 * 20 * 45 / 100);
}

KDP_TEST(a_storm_of_refusals_is_waited_out)
{
    struct kdp_pace pace;
    int64_t now_ns = 0;
    unsigned sent = 0;

    kdp_pace_init(&pace, 200, 200, 7, 0);
    while (now_ns < 120 * S) {
        int64_t wait_ns = kdp_pace_take(&pace, KDP_PACE_COST, now_ns);

        if (wait_ns == 0) {
            sent++;
            kdp_pace_refused(&pace, now_ns, now_ns + MS);
            now_ns += MS;
        } else {
            CHECK(wait_ns <= 60 * S);
            now_ns += wait_ns;
        }
    }
    CHECK(sent <= 12); /* twice as long each time */
    sent = 0;
    for (int64_t end_ns = now_ns + 200 * S; now_ns < end_ns;) {
        int64_t wait_ns = kdp_pace_take(&pace, KDP_PACE_COST, now_ns);

        if (wait_ns == 0) {
            sent++;
            kdp_pace_passed(&pace, now_ns);
            now_ns += MS;
        } else {
            now_ns += wait_ns;
        }
    }
    CHECK(sent > 200 * 20 / 2); /* and comes back */
    CHECK(pace.share > 0.9);
}

KDP_TEST(refusals_of_requests_under_way_together_count_once)
{
    struct kdp_pace pace;
    double share;

    kdp_pace_init(&pace, 200, 200, 7, 0);
    CHECK_INT(kdp_pace_take(&pace, 10, S), 0);
    kdp_pace_refused(&pace, S, 2 * S);
    share = pace.share;
    for (int i = 0; i < 10; i++)
        kdp_pace_refused(&pace, S + i * MS, 2 * S);
    CHECK(pace.share == share);
    CHECK_INT(pace.refusals, 1);
}

KDP_TEST(what_costs_more_than_the_bucket_holds_goes_all_the_same)
{
    struct kdp_pace pace;
    int64_t now_ns = 0;

    kdp_pace_init(&pace, 200, 20, 7, 0);
    for (int i = 0; i < 10; i++) {
        int64_t wait_ns;

        while ((wait_ns = kdp_pace_take(&pace, 100, now_ns)) > 0)
            now_ns += wait_ns;
    }
    CHECK(now_ns >= 4 * S && now_ns <= 6 * S); /* 1,000 tokens at 196 a second */
    CHECK_INT(kdp_pace_take(&pace, 0, now_ns), kdp_pace_wait(&pace, 0, now_ns));
}

KDP_TEST(without_a_limit_nothing_waits)
{
    struct kdp_pace pace;

    kdp_pace_init(&pace, INT64_MAX, 0, 7, 0);
    for (int i = 0; i < 100000; i++)
        CHECK_INT(kdp_pace_take(&pace, 10, 0), 0);
    CHECK(kdp_pace_used(&pace) == 0);
    kdp_pace_refused(&pace, 0, S); /* but whoever refuses twice is let alone for a while */
    CHECK_INT(kdp_pace_take(&pace, 10, S), 0);
    kdp_pace_refused(&pace, 2 * S, 2 * S);
    CHECK(kdp_pace_take(&pace, 10, 2 * S) > S / 2);
}

KDP_TEST(what_was_used_is_told_of_the_time_of_asking_alone)
{
    struct kdp_pace pace;
    int64_t now_ns = 0;

    kdp_pace_init(&pace, 200, 200, 7, 0);
    CHECK(kdp_pace_used(&pace) == 0);
    for (unsigned i = 0; i < 11; i++, now_ns += 100 * MS)
        CHECK_INT(kdp_pace_take(&pace, 10, now_ns), 0);
    CHECK(kdp_pace_used(&pace) > 0.49 &&
          kdp_pace_used(&pace) < 0.51); /* 100 of 200 tokens in the second after the first */
    CHECK_INT(kdp_pace_wait(&pace, 10, now_ns + 100 * S),
              0); /* and what comes after the last is not asked about */
    CHECK(kdp_pace_used(&pace) > 0.49);
}

KDP_TEST(new_limits_hold_at_once)
{
    struct kdp_pace pace;
    int64_t now_ns = 0;
    unsigned sent = 0;

    kdp_pace_init(&pace, 200, 0, 7, 0);
    kdp_pace_limits(&pace, 12000, 36000, 0);
    for (; now_ns < 10 * S; now_ns += MS)
        while (kdp_pace_take(&pace, 10, now_ns) == 0)
            sent++;
    CHECK(sent >= 11400 && sent <= 12000);
}

KDP_TEST(waits_double_to_a_minute_and_differ)
{
    uint64_t random = 1;
    int64_t first = kdp_backoff_ns(0, &random);

    CHECK(kdp_backoff_ns(0, &random) != first);
    for (unsigned n = 0; n < 100; n++) {
        int64_t most = (n < 6 ? (int64_t)1 << n : 60) * S, wait_ns = kdp_backoff_ns(n, &random);

        CHECK(wait_ns <= most && wait_ns > most * 3 / 4 - 1);
    }
}
