/* test_ring_thread.c - the ring between threads, and its state at every instruction at which its process may
 * be killed. */
#include "error.h"
#include "kdp_test.h"
#include "ring.h"
#include "ring_layout.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL (64u << 10)
#define RECORDS 300000u

static void
build(void *mem, uint64_t seq)
{
    struct kdp_level *level = mem;

    *level = (struct kdp_level){.head = {.block_length = sizeof *level - 8,
                                         .template_id = KDP_TEMPLATE_LEVEL,
                                         .schema_id = KDP_SCHEMA_ID,
                                         .version = KDP_SCHEMA_VERSION,
                                         .seq = seq,
                                         .exch_ns = (int64_t)(seq * 3)},
                                .delta_e2 = (int64_t)(seq * 5),
                                .size_e2 = (int64_t)(seq * 7)};
}

static void
check(const void *rec, uint64_t seq)
{
    struct kdp_level want;

    build(&want, seq);
    CHECK_MEM(rec, &want, sizeof want);
}

static void *
agent(void *arg)
{
    struct kdp_ring *ring = arg;
    const void *records;
    uint64_t seq = 1;

    while (seq <= RECORDS) {
        size_t bytes = kdp_ring_take(ring, 16384, &records);

        for (size_t at = 0; at < bytes; at += sizeof(struct kdp_level))
            check((const uint8_t *)records + at, seq++);
        kdp_ring_taken(ring, bytes);
        kdp_ring_set_durable(ring, seq - 1, 0);
        if (bytes == 0)
            sched_yield();
    }
    return NULL;
}

struct reader {
    const struct kdp_ring *ring;
    uint64_t read, overruns;
};

static void *
read_all(void *arg)
{
    struct reader *reader = arg;
    uint64_t buf[KDP_RECORD_MAX / 8];
    struct kdp_ring_cursor cursor;
    uint64_t seq;
    int rc;

    kdp_ring_seek(&cursor, reader->ring, 1);
    for (seq = cursor.seq; seq <= RECORDS; seq = cursor.seq) {
        rc = kdp_ring_next(&cursor, buf);
        if (rc > 0) {
            CHECK_INT(rc, sizeof(struct kdp_level));
            check(buf, seq);
            reader->read++;
        } else if (rc == -KDP_EOVERRUN) {
            reader->overruns++;
            kdp_ring_seek(&cursor, reader->ring, kdp_ring_head_seq(reader->ring));
            CHECK(cursor.seq > seq);
        } else {
            CHECK_INT(rc, 0);
            sched_yield();
        }
    }
    return NULL;
}

static struct kdp_ring *
ring_new(const char *name)
{
    struct kdp_ring_config config = {
        .name = name, .bytes = SMALL, .raw_bytes = SMALL, .session = 7, .start_seq = 1, .start_input = 1};
    struct kdp_ring *ring;

    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    return ring;
}

KDP_TEST(one_writer_one_agent_and_three_readers)
{
    struct kdp_ring *ring = ring_new(NULL);
    struct reader readers[3] = {{.ring = ring}, {.ring = ring}, {.ring = ring}};
    pthread_t agent_thread, threads[3];
    uint64_t waits = 0;

    pthread_create(&agent_thread, NULL, agent, ring);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, read_all, &readers[i]);
    while (kdp_ring_next_seq(ring) <= RECORDS) {
        void *mem = kdp_ring_claim(ring, sizeof(struct kdp_level));

        if (mem == NULL) {
            waits++;
            sched_yield();
            continue;
        }
        build(mem, kdp_ring_next_seq(ring));
        kdp_ring_commit(ring, sizeof(struct kdp_level));
        if (kdp_ring_next_seq(ring) % 7 == 0 || kdp_ring_next_seq(ring) > RECORDS)
            kdp_ring_publish(ring);
    }
    pthread_join(agent_thread, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        CHECK(readers[i].read > 0);
    }
    CHECK_INT(kdp_ring_durable_seq(ring), RECORDS);
    CHECK_INT(kdp_ring_head_seq(ring), RECORDS);
    kdp_ring_close(ring);
}

/* ---- killed at every instruction ---- */

#ifdef KDP_SANITIZED
#define INPUTS 6u /* an instrumented step is twenty steps */
#else
#define INPUTS 24u
#endif

/* Input i makes i % 4 records; every fifth publishes in the middle, every third before it says that it is
 * applied. */
static uint64_t
last_seq_of(uint64_t input)
{
    uint64_t seq = 0;

    for (uint64_t i = 1; i <= input; i++)
        seq += i % 4;
    return seq;
}

static void
child_run(struct kdp_ring *ring)
{
    const void *bytes;
    size_t len;

    for (uint64_t i = 1; i <= INPUTS; i++) {
        struct kdp_input_head *head = kdp_ring_input_claim(ring, 40);

        head->length = 40;
        head->kind = KDP_INPUT_FRAME;
        kdp_ring_input_commit(ring, head);
        for (uint64_t k = 0; k < i % 4; k++) {
            build(kdp_ring_claim(ring, sizeof(struct kdp_level)), kdp_ring_next_seq(ring));
            kdp_ring_commit(ring, sizeof(struct kdp_level));
            if (i % 5 == 0)
                kdp_ring_publish(ring);
        }
        if (i % 3 == 0)
            kdp_ring_publish(ring);
        kdp_ring_input_applied(ring, i);
        if (i % 6 == 0) { /* the agent on the same thread: nothing may depend on its being behind */
            len = kdp_ring_input_take(ring, 1 << 20, &bytes);
            kdp_ring_input_taken(ring, len);
            len = kdp_ring_take(ring, 1 << 20, &bytes);
            kdp_ring_taken(ring, len);
        }
    }
}

/* What the next process would find if the child were killed now. */
static void
recover_copy(const struct kdp_ring *seen, uint8_t *memory, uint64_t *seqp, uint64_t *appliedp)
{
    struct kdp_ring ring = *seen;
    ptrdiff_t shift = memory - (uint8_t *)seen->header;
    const void *records;
    uint64_t seq, applied, index;
    size_t bytes;

    memcpy(memory, seen->header, KDP_RING_PAGE * 2);
    memcpy(memory + seen->header->records_at, seen->records, 8192);
    memcpy(memory + seen->header->raw_at, seen->raw, 8192);
    ring.header = (void *)memory;
    ring.shared = (void *)(memory + KDP_RING_PAGE);
    ring.records = seen->records + shift;
    ring.raw = seen->raw + shift;
    ring.writable = true;
    ring.agent.passed = atomic_load(&ring.shared->taken.offset);
    ring.agent.input_taken = atomic_load(&ring.shared->input_taken.offset);
    CHECK_INT(kdp_ring_recover(&ring), 0);
    seq = kdp_ring_head_seq(&ring);
    applied = kdp_ring_applied_input(&ring);
    index = kdp_ring_head_input(&ring);
    CHECK(applied <= index);
    /* all records of the inputs that count but the last, some or all of the last, none of any other */
    CHECK(applied == 0 || seq >= last_seq_of(applied - 1));
    CHECK(seq <= last_seq_of(applied));
    CHECK(seq >= *seqp && applied >= *appliedp);
    /* the records below the head are whole, and their last has the number that was recovered */
    bytes = kdp_ring_take(&ring, 1 << 20, &records);
    CHECK_INT(bytes % sizeof(struct kdp_level), 0);
    for (size_t left = bytes / sizeof(struct kdp_level); left > 0; left--)
        check((const struct kdp_level *)records + (bytes / sizeof(struct kdp_level) - left), seq + 1 - left);
    *seqp = seq;
    *appliedp = applied;
}

KDP_TEST(killed_at_any_instruction_the_ring_says_what_was_published_and_applied)
{
    char name[64];
    struct kdp_ring *ring, *seen;
    uint64_t seq = 0, applied = 0, steps = 0, states = 0;
    uint8_t *memory;
    int status;
    pid_t child;

    snprintf(name, sizeof name, "/kdp-test-step-%d", (int)getpid());
    shm_unlink(name);
    ring = ring_new(name);
    CHECK_INT(kdp_ring_attach(&seen, name, true), 0);
    shm_unlink(name);
    memory = aligned_alloc(4096, seen->mapped_bytes);
    CHECK(memory != NULL);
    child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        raise(SIGSTOP);
        child_run(ring);
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        kdp_test_skip("processes may not be traced here");
    for (;;) {
        uint64_t before_seq = seq, before_applied = applied;

        recover_copy(seen, memory, &seq, &applied);
        states += seq != before_seq || applied != before_applied;
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child ||
            WIFEXITED(status))
            break;
        steps++;
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(applied, INPUTS);
    CHECK_INT(seq, last_seq_of(INPUTS));
    CHECK(states >= INPUTS); /* each input was seen alone */
    CHECK(steps > 1000);
    free(memory);
    kdp_ring_close(seen);
    kdp_ring_close(ring);
}
