/* bench_ring.c - one record into the ring: claim, 72 bytes copied, commit, publish; alone, and with readers.
 *
 * The floor copies the same 72 bytes to the next place of an array as large as the ring.  The ring has no
 * tape agent here (unreliable), so nothing ever waits.  Time is the writer's own CPU time, since readers
 * share the machine's cores. */
#include "bench.h"
#include "ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>

#define BYTES ((size_t)64 << 20)
#define COUNT 400000u

static uint8_t *array;
static struct kdp_ring *ring;
static struct kdp_level level = {.head = {.block_length = sizeof level - 8,
                                          .template_id = KDP_TEMPLATE_LEVEL,
                                          .schema_id = KDP_SCHEMA_ID,
                                          .version = KDP_SCHEMA_VERSION},
                                 .delta_e2 = 100};
static atomic_bool stop;
static atomic_ullong records_read, overruns;

static uint64_t
floor_copy(void *arg, uint64_t count)
{
    static size_t at;
    (void)arg;

    for (uint64_t i = 0; i < count; i++) {
        if (at + sizeof level > BYTES)
            at = 0;
        level.head.seq = i;
        memcpy(array + at, &level, sizeof level);
        at += sizeof level;
    }
    return array[at / 2];
}

static uint64_t
put(uint64_t count, uint64_t batch)
{
    for (uint64_t i = 0; i < count; i++) {
        void *mem = kdp_ring_claim(ring, sizeof level);

        level.head.seq = kdp_ring_next_seq(ring);
        memcpy(mem, &level, sizeof level);
        kdp_ring_commit(ring, sizeof level);
        if (i % batch == 0)
            kdp_ring_publish(ring);
    }
    kdp_ring_publish(ring);
    return kdp_ring_head_seq(ring);
}

static uint64_t
put_each(void *arg, uint64_t count)
{
    (void)arg;
    return put(count, 1);
}

static uint64_t
put_eight(void *arg, uint64_t count)
{
    (void)arg;
    return put(count, 8);
}

static void *
read_ring(void *arg)
{
    uint64_t buf[KDP_RECORD_MAX / 8], count = 0, lost = 0;
    struct kdp_ring_cursor cursor;
    int rc;

    (void)arg;
    kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring));
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        rc = kdp_ring_next(&cursor, buf);
        if (rc > 0) {
            count++;
        } else if (rc < 0) {
            lost++;
            kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring));
        } else {
            sched_yield();
        }
    }
    atomic_fetch_add(&records_read, count);
    atomic_fetch_add(&overruns, lost);
    return NULL;
}

static uint64_t
read_back(void *arg, uint64_t count)
{
    uint64_t buf[KDP_RECORD_MAX / 8], sum = 0;
    struct kdp_ring_cursor cursor;

    (void)arg;
    kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring) - count);
    for (uint64_t i = 0; i < count; i++)
        sum += (uint64_t)kdp_ring_next(&cursor, buf);
    return sum;
}

static void
with_readers(unsigned n)
{
    static const char *const names[] = {"ring.floor_copy", NULL, NULL};
    char name[32];
    struct bench_contestant contestants[] = {{.name = names[0], .run = floor_copy},
                                             {.name = name, .run = put_each}};
    pthread_t threads[8];

    snprintf(name, sizeof name, "ring.put_%u_readers", n);
    atomic_store(&stop, false);
    atomic_store(&records_read, 0);
    atomic_store(&overruns, 0);
    for (unsigned i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, read_ring, NULL);
    bench_compare(contestants, 2, COUNT);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    printf("name=ring.readers readers=%u records_read=%llu overruns=%llu\n", n,
           (unsigned long long)atomic_load(&records_read), (unsigned long long)atomic_load(&overruns));
}

int
main(void)
{
    struct kdp_ring_config config = {
        .bytes = BYTES, .raw_bytes = 65536, .start_seq = 1, .start_input = 1, .unreliable = true};
    struct bench_contestant alone[] = {{.name = "ring.floor_copy", .run = floor_copy},
                                       {.name = "ring.put_publish_each", .run = put_each},
                                       {.name = "ring.put_publish_8th", .run = put_eight},
                                       {.name = "ring.read", .run = read_back}};

    bench_machine();
    array = malloc(BYTES);
    if (array == NULL || kdp_ring_create(&ring, &config) != 0)
        return 1;
    memset(array, 1, BYTES);
    bench_compare(alone, 4, COUNT);
    with_readers(1);
    with_readers(8);
    kdp_ring_close(ring);
    free(array);
    return 0;
}
