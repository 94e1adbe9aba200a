/* bench.h - measuring loops and the one line each result is printed as.
 *
 * Two ways: bench_compare runs several contestants in turn, many short repetitions of each, so that what else
 * the machine does hits all of them alike, and prints nanoseconds an operation (min, p50, max over the
 * repetitions); bench_samples prints percentiles of single operations.  KDP_BENCH_REPS sets the repetitions.
 */
#ifndef KDP_BENCH_H
#define KDP_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define BENCH_REPS_MAX 1001

struct bench_contestant {
    const char *name;
    /* run does count operations and returns a sum over their results, so that none can be left out */
    uint64_t (*run)(void *arg, uint64_t count);
    void *arg;
    double ns[BENCH_REPS_MAX]; /* per operation, by repetition */
    double min, p50, max;
    uint64_t sum;
};

static inline int64_t
bench_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* bench_cpu_ns is the time this thread was on a CPU: what to use where the machine is shared. */
static inline int64_t
bench_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* bench_ticks reads the time-stamp counter after all earlier instructions have finished. */
static inline uint64_t
bench_ticks(void)
{
    unsigned aux;

    return __rdtscp(&aux);
}

static inline int
bench_less(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static inline unsigned
bench_reps(void)
{
    const char *text = getenv("KDP_BENCH_REPS");
    unsigned long reps = text != NULL ? strtoul(text, NULL, 10) : 101;

    return reps < 3 ? 3 : reps > BENCH_REPS_MAX ? BENCH_REPS_MAX : (unsigned)reps;
}

/* bench_machine prints the line that says where the figures come from. */
static inline void
bench_machine(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256], cpu[128] = "unknown";

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            snprintf(cpu, sizeof cpu, "%.100s", strchr(line, ':') + 2);
            cpu[strcspn(cpu, "\n")] = '\0';
            break;
        }
    }
    if (file != NULL)
        fclose(file);
    printf("name=machine cpu=\"%s\" compiler=\"%s\"\n", cpu, __VERSION__);
}

static inline void
bench_compare(struct bench_contestant *contestants, unsigned n, uint64_t count)
{
    unsigned reps = bench_reps();

    for (unsigned i = 0; i < n; i++)
        contestants[i].sum = contestants[i].run(contestants[i].arg, count); /* warm */
    for (unsigned r = 0; r < reps; r++) {
        for (unsigned i = 0; i < n; i++) {
            int64_t start = bench_cpu_ns();

            contestants[i].sum += contestants[i].run(contestants[i].arg, count);
            contestants[i].ns[r] = (double)(bench_cpu_ns() - start) / (double)count;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        qsort(contestants[i].ns, reps, sizeof(double), bench_less);
        contestants[i].min = contestants[i].ns[0];
        contestants[i].p50 = contestants[i].ns[reps / 2];
        contestants[i].max = contestants[i].ns[reps - 1];
        printf("name=%s min_ns=%.1f p50_ns=%.1f max_ns=%.1f reps=%u ops=%llu sum=%llx\n", contestants[i].name,
               contestants[i].min, contestants[i].p50, contestants[i].max, reps, (unsigned long long)count,
               (unsigned long long)contestants[i].sum);
    }
}

/* bench_samples sorts count nanoseconds of single operations in place and prints their percentiles. */
static inline void
bench_samples(const char *name, double *ns, size_t count)
{
    if (count == 0)
        return;
    qsort(ns, count, sizeof(double), bench_less);
    printf("name=%s p50_ns=%.0f p99_ns=%.0f p999_ns=%.0f max_ns=%.0f samples=%zu\n", name, ns[count / 2],
           ns[count * 99 / 100], ns[count * 999 / 1000], ns[count - 1], count);
}

#endif
