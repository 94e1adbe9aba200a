/* bench_exchange.c - the simulator's exchange: how soon it is there, what a market takes, how many events it makes.
 *
 *   bench_exchange [MARKETS [RATE]]      120000 and 1000000
 *
 * Without a listener and with one that only counts: what is beyond is the server's. */
#include "bench.h"
#include "exchange.h"

#define NOW INT64_C(1795359570000000000)
#define PIECE 1000u

static uint64_t counted;

static void
count(void *arg, const struct kdp_exchange_event *event)
{
    (void)arg;
    counted += (uint64_t)event->kind + 1;
}

static long
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long all = 0, pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &all, &pages) != 2)
            pages = 0;
        fclose(file);
    }
    return pages * 4096;
}

int
main(int argc, char **argv)
{
    struct kdp_exchange_config config = {.now_ns = NOW, .seed = 1};
    struct kdp_exchange *ex;
    struct kdp_exchange_stats stats;
    int64_t from, end = NOW;
    long before = resident();

    config.markets = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 120000;
    config.rate = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    config.combo_rate = 12;
    bench_machine();
    from = bench_cpu_ns();
    if (kdp_exchange_open(&ex, &config) != 0) {
        fprintf(stderr, "bench_exchange: cannot open\n");
        return 1;
    }
    printf("name=exchange.open markets=%u seconds=%.3f bytes_per_market=%.0f\n", config.markets,
           (double)(bench_cpu_ns() - from) / 1e9,
           (double)(resident() - before) / (double)kdp_exchange_market_count(ex));
    for (unsigned listening = 0; listening < 2; listening++) {
        uint64_t all = 0, was = 0;

        kdp_exchange_listen(ex, listening ? count : NULL, NULL);
        kdp_exchange_stats(ex, &stats);
        for (unsigned i = 0; i <= KDP_EXCHANGE_RAW; i++)
            was += stats.events[i];
        end += INT64_C(5000000000);
        from = bench_cpu_ns();
        while (kdp_exchange_run(ex, end, PIECE) <= end)
            ;
        from = bench_cpu_ns() - from;
        kdp_exchange_stats(ex, &stats);
        for (unsigned i = 0; i <= KDP_EXCHANGE_RAW; i++)
            all += stats.events[i];
        printf("name=exchange.run%s markets=%u events=%llu per_s=%.0f ns=%.1f deltas=%llu trades=%llu\n",
               listening != 0 ? "_heard" : "", config.markets, (unsigned long long)(all - was),
               (double)(all - was) * 1e9 / (double)from, (double)from / (double)(all - was),
               (unsigned long long)stats.events[KDP_EXCHANGE_DELTA],
               (unsigned long long)stats.events[KDP_EXCHANGE_TRADE]);
    }
    kdp_exchange_close(ex);
    return counted > 0 ? 0 : 1;
}
