/* test_ring.c - the ring of src/stream/ring.h: places, publication, overruns, attaching to what is there. */
#include "error.h"
#include "kdp_test.h"
#include "ring.h"
#include "ring_layout.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL (64u << 10)

/* Records of four sizes, so that the end of the ring is met at every distance; every field follows from seq.
 */
static const uint16_t test_template[] = {KDP_TEMPLATE_LEVEL, KDP_TEMPLATE_TRADE, KDP_TEMPLATE_BBO,
                                         KDP_TEMPLATE_TICKER};
static const size_t test_size[] = {sizeof(struct kdp_level), sizeof(struct kdp_trade), sizeof(struct kdp_bbo),
                                   sizeof(struct kdp_ticker)};

static size_t
size_of(uint64_t seq)
{
    uint64_t state = seq;

    return test_size[kdp_test_random(&state) % 4];
}

static void
build(void *mem, uint64_t seq)
{
    struct kdp_head *head = mem;
    uint64_t state = seq, *words = mem;
    unsigned kind = (unsigned)(kdp_test_random(&state) % 4);

    for (size_t i = 6; i < test_size[kind] / 8; i++)
        words[i] = seq * 0x9e3779b97f4a7c15u + i;
    *head = (struct kdp_head){.block_length = (uint16_t)(test_size[kind] - 8),
                              .template_id = test_template[kind],
                              .schema_id = KDP_SCHEMA_ID,
                              .version = KDP_SCHEMA_VERSION,
                              .seq = seq,
                              .recv_ns = (int64_t)seq,
                              .instrument = (uint32_t)seq};
}

static void
check_record(const void *rec, size_t size, uint64_t seq)
{
    uint64_t want[KDP_RECORD_MAX / 8];

    CHECK_INT(size, size_of(seq));
    build(want, seq);
    CHECK_MEM(rec, want, size);
}

static bool
put(struct kdp_ring *ring)
{
    uint64_t seq = kdp_ring_next_seq(ring);
    void *mem = kdp_ring_claim(ring, size_of(seq));

    if (mem == NULL)
        return false;
    build(mem, seq);
    kdp_ring_commit(ring, size_of(seq));
    return true;
}

static struct kdp_ring *
ring_new(size_t bytes, uint64_t start_seq, bool unreliable)
{
    struct kdp_ring_config config = {.bytes = bytes,
                                     .raw_bytes = SMALL,
                                     .session = 7,
                                     .start_seq = start_seq,
                                     .start_input = 1,
                                     .unreliable = unreliable};
    struct kdp_ring *ring;

    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    return ring;
}

/* Takes everything there is as the agent does, at most max bytes at a time, and checks that it goes on at
 * *seqp. */
static void
take_all(struct kdp_ring *ring, size_t max, uint64_t *seqp)
{
    const void *records;
    size_t bytes;

    while ((bytes = kdp_ring_take(ring, max, &records)) > 0) {
        CHECK(bytes <= max);
        for (size_t at = 0; at < bytes; at += size_of((*seqp)++))
            check_record((const uint8_t *)records + at, size_of(*seqp), *seqp);
        kdp_ring_taken(ring, bytes);
    }
}

KDP_TEST(nothing_is_seen_before_publication)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, false);
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8], seq = 1;
    const void *records;

    CHECK_INT(kdp_ring_seek(&cursor, ring, 1), 0);
    CHECK(put(ring) && put(ring));
    CHECK_INT(kdp_ring_next(&cursor, buf), 0);
    CHECK_INT(kdp_ring_take(ring, KDP_RECORD_MAX, &records), 0);
    CHECK_INT(kdp_ring_head_seq(ring), 0);
    kdp_ring_publish(ring);
    CHECK_INT(kdp_ring_head_seq(ring), 2);
    check_record(buf, (size_t)kdp_ring_next(&cursor, buf), 1);
    check_record(buf, (size_t)kdp_ring_next(&cursor, buf), 2);
    CHECK_INT(kdp_ring_next(&cursor, buf), 0);
    take_all(ring, 1 << 20, &seq);
    CHECK_INT(seq, 3);
    CHECK_INT(kdp_ring_lacking(ring), 0);
    kdp_ring_close(ring);
}

KDP_TEST(many_laps_with_the_end_met_at_every_distance)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, false);
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8], taken = 1, random = kdp_test_seed();

    CHECK_INT(kdp_ring_seek(&cursor, ring, 1), 0);
    while (kdp_ring_next_seq(ring) < 200000) {
        uint64_t burst = kdp_test_random(&random) % 200;
        uint64_t before = cursor.seq;

        while (burst-- > 0)
            CHECK(put(ring));
        kdp_ring_publish(ring);
        while (kdp_ring_next(&cursor, buf) > 0)
            check_record(buf, size_of(before), before), before++;
        CHECK_INT(before, kdp_ring_next_seq(ring));
        take_all(ring, KDP_RECORD_MAX + kdp_test_random(&random) % 8000, &taken);
        CHECK_INT(taken, before);
    }
    kdp_ring_close(ring);
}

KDP_TEST(what_the_agent_has_not_taken_is_never_overwritten)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, false);
    uint64_t taken = 1, random = kdp_test_seed(), full = 0;

    /* to the brim, then a random share of it taken, again and again: what comes out is always whole and in
     * order */
    for (int round = 0; round < 2000; round++) {
        const void *records;
        size_t bytes, max = KDP_RECORD_MAX + kdp_test_random(&random) % SMALL;

        while (put(ring))
            ;
        full++;
        CHECK(kdp_ring_lacking(ring) > SMALL - 2 * KDP_RECORD_MAX);
        CHECK(kdp_ring_backlog(ring) > 0.95);
        bytes = kdp_ring_take(ring, max, &records);
        CHECK(bytes > 0);
        for (size_t at = 0; at < bytes; at += size_of(taken++))
            check_record((const uint8_t *)records + at, size_of(taken), taken);
        kdp_ring_taken(ring, bytes);
    }
    CHECK(full == 2000);
    kdp_ring_publish(ring);
    take_all(ring, 4096, &taken);
    CHECK_INT(taken, kdp_ring_next_seq(ring));
    kdp_ring_close(ring);
}

KDP_TEST(a_claim_that_must_wait_publishes_so_that_room_can_be_made)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, false);
    uint64_t taken = 1;

    /* one input with ten rings' worth of records and no publish in between */
    for (int i = 0; i < 10000; i++) {
        if (put(ring))
            continue;
        take_all(ring, 1 << 20, &taken);
        CHECK(taken > 1);
        CHECK(put(ring));
    }
    kdp_ring_close(ring);
}

KDP_TEST(seek_finds_every_record_that_is_still_there)
{
    struct kdp_ring *ring = ring_new(SMALL, 1000, true);
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8], tail;

    CHECK_INT(kdp_ring_tail_seq(ring), 1000);
    CHECK_INT(kdp_ring_seek(&cursor, ring, 1000), 0);
    CHECK_INT(kdp_ring_next(&cursor, buf), 0);
    CHECK_INT(kdp_ring_seek(&cursor, ring, 1001), -KDP_ERANGE);
    CHECK_INT(cursor.seq, 1000);
    for (int lap = 0; lap < 20; lap++) {
        for (int i = 0; i < 537; i++)
            CHECK(put(ring));
        kdp_ring_publish(ring);
        tail = kdp_ring_tail_seq(ring);
        CHECK(tail == 1000 || kdp_ring_head_seq(ring) - tail > 300);
        for (uint64_t seq = tail; seq <= kdp_ring_head_seq(ring); seq++) {
            CHECK_INT(kdp_ring_seek(&cursor, ring, seq), 0);
            check_record(buf, (size_t)kdp_ring_next(&cursor, buf), seq);
        }
        CHECK_INT(kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring) + 1), 0);
        CHECK_INT(kdp_ring_next(&cursor, buf), 0);
        CHECK_INT(kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring) + 2), -KDP_ERANGE);
        CHECK_INT(cursor.seq, kdp_ring_next_seq(ring));
    }
    CHECK_INT(kdp_ring_seek(&cursor, ring, 1000), -KDP_EOVERRUN);
    CHECK_INT(cursor.seq, kdp_ring_next_seq(ring));
    CHECK_INT(kdp_ring_seek(&cursor, ring, 1), -KDP_EOVERRUN);
    CHECK(put(ring));
    kdp_ring_publish(ring);
    check_record(buf, (size_t)kdp_ring_next(&cursor, buf), kdp_ring_head_seq(ring));
    kdp_ring_close(ring);
}

KDP_TEST(what_the_agent_lacks_can_be_read_to_the_last_record_of_a_full_ring)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, false);
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8], taken = 1, random = kdp_test_seed();
    const void *records;
    size_t bytes, share;

    for (int round = 0; round < 500; round++) {
        while (put(ring))
            ;
        for (uint64_t seq = taken; seq <= kdp_ring_head_seq(ring); seq += 1 + kdp_test_random(&random) % 90) {
            CHECK_INT(kdp_ring_seek(&cursor, ring, seq), 0);
            check_record(buf, (size_t)kdp_ring_next(&cursor, buf), seq);
        }
        bytes = kdp_ring_take(ring, KDP_RECORD_MAX + kdp_test_random(&random) % SMALL, &records);
        for (share = 0; share < bytes && kdp_test_random(&random) % 200 != 0; taken++)
            share += size_of(taken);
        kdp_ring_taken(ring, share);
    }
    kdp_ring_close(ring);
}

KDP_TEST(a_range_can_be_skipped_before_the_first_record)
{
    struct kdp_ring *ring = ring_new(SMALL, 5, false);
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8];

    kdp_ring_skip_to(ring, 500);
    CHECK_INT(kdp_ring_start_seq(ring), 500);
    CHECK_INT(kdp_ring_head_seq(ring), 499);
    CHECK(put(ring));
    kdp_ring_publish(ring);
    CHECK_INT(kdp_ring_seek(&cursor, ring, 500), 0);
    check_record(buf, (size_t)kdp_ring_next(&cursor, buf), 500);
    kdp_ring_close(ring);
}

/* ---- one object, several mappings ---- */

static const char *
ring_name(void)
{
    static char name[64];

    snprintf(name, sizeof name, "/kdp-test-ring-%d", (int)getpid());
    return name;
}

static void
remove_ring(void)
{
    shm_unlink(ring_name());
}

static struct kdp_ring *
named_new(size_t bytes, bool unreliable)
{
    struct kdp_ring_config config = {.name = ring_name(),
                                     .bytes = bytes,
                                     .raw_bytes = SMALL,
                                     .session = 7,
                                     .start_seq = 1,
                                     .start_input = 1,
                                     .tape_dir = "/somewhere",
                                     .unreliable = unreliable};
    struct kdp_ring *ring;

    atexit(remove_ring);
    remove_ring();
    CHECK_INT(kdp_ring_create(&ring, &config), 0);
    return ring;
}

static struct kdp_ring *trap_writer;
static uint8_t *trap_page;
static int trapped;

/* Comes in the middle of a reader's copy, between two words of one record: the writer goes once round the
 * ring. */
static void
on_fault(int sig)
{
    (void)sig;
    trapped++;
    for (uint64_t lap = trap_writer->plant.offset + SMALL; trap_writer->plant.offset < lap;)
        put(trap_writer);
    kdp_ring_publish(trap_writer);
    mprotect(trap_page, 4096, PROT_READ);
}

KDP_TEST(a_record_overwritten_while_it_is_copied_is_an_overrun)
{
    struct kdp_ring *writer = named_new(SMALL, true), *reader;
    struct sigaction action = {.sa_handler = on_fault}, old;
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8], seq = 1;
    int rounds = 0;

    CHECK_INT(kdp_ring_attach(&reader, ring_name(), false), 0);
    trap_writer = writer;
    CHECK_INT(kdp_ring_seek(&cursor, reader, 1), 0);
    sigaction(SIGSEGV, &action, &old);
    while (rounds < 40) {
        uint64_t in_page;

        CHECK(put(writer));
        kdp_ring_publish(writer);
        seq = kdp_ring_head_seq(writer);
        CHECK_INT(kdp_ring_seek(&cursor, reader, seq), 0);
        in_page = cursor.offset % 4096;
        if (in_page + size_of(seq) <= 4096 || in_page > 4096 - 8 || cursor.offset % SMALL > SMALL - 8192)
            continue; /* does not lie across two pages */
        trap_page = reader->records + (cursor.offset % SMALL / 4096 + 1) * 4096;
        mprotect(trap_page, 4096, PROT_NONE);
        trapped = 0;
        CHECK_INT(kdp_ring_next(&cursor, buf), -KDP_EOVERRUN);
        CHECK_INT(trapped, 1);
        CHECK_INT(cursor.seq, seq);
        rounds++;
    }
    sigaction(SIGSEGV, &old, NULL);
    kdp_ring_close(reader);
    kdp_ring_close(writer);
}

KDP_TEST(a_reader_that_is_a_lap_behind_is_told)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, true);
    struct kdp_ring_cursor cursor;
    uint64_t buf[KDP_RECORD_MAX / 8];

    CHECK_INT(kdp_ring_seek(&cursor, ring, 1), 0);
    while (ring->plant.offset < SMALL + 4096)
        CHECK(put(ring));
    kdp_ring_publish(ring);
    CHECK_INT(kdp_ring_next(&cursor, buf), -KDP_EOVERRUN);
    CHECK_INT(kdp_ring_next(&cursor, buf), -KDP_EOVERRUN);
    CHECK_INT(kdp_ring_seek(&cursor, ring, kdp_ring_tail_seq(ring)), 0);
    while (kdp_ring_next(&cursor, buf) > 0)
        ;
    CHECK_INT(cursor.seq, kdp_ring_next_seq(ring));
    kdp_ring_close(ring);
}

KDP_TEST(an_object_of_that_name_is_refused_not_overwritten)
{
    struct kdp_ring *ring = named_new(SMALL, false), *second;
    struct kdp_ring_config config = {
        .name = ring_name(), .bytes = SMALL, .raw_bytes = SMALL, .start_seq = 1, .start_input = 1};

    CHECK_INT(kdp_ring_create(&second, &config), -KDP_EEXIST);
    CHECK(strstr(kdp_error_text(), ring_name()) != NULL);
    kdp_ring_close(ring);
    CHECK_INT(kdp_ring_unlink(ring_name()), 0);
    CHECK_INT(kdp_ring_unlink(ring_name()), -KDP_ENOENT);
    CHECK_INT(kdp_ring_attach(&second, ring_name(), false), -KDP_ENOENT);
    config.bytes = SMALL + 4096;
    CHECK_INT(kdp_ring_create(&second, &config), -KDP_EINVAL);
}

KDP_TEST(a_small_shared_memory_is_a_message_that_names_the_option)
{
    struct kdp_ring_config config = {.name = ring_name(),
                                     .bytes = UINT64_C(1) << 36,
                                     .raw_bytes = SMALL,
                                     .start_seq = 1,
                                     .start_input = 1};
    struct kdp_ring *ring;

    atexit(remove_ring);
    remove_ring();
    CHECK_INT(kdp_ring_create(&ring, &config), -KDP_EFULL); /* 64 GiB: more than half of any memory here */
    CHECK(strstr(kdp_error_text(), "MiB free") != NULL);
    CHECK(strstr(kdp_error_hint(), "--ring-size") != NULL);
    CHECK_INT(shm_unlink(ring_name()), -1);
}

static void
attach_gives(int want, const char *words)
{
    struct kdp_ring *ring;

    CHECK_INT(kdp_ring_attach(&ring, ring_name(), true), want);
    if (want == 0)
        kdp_ring_close(ring);
    else if (strstr(kdp_error_text(), words) == NULL)
        kdp_test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", kdp_error_text(), words);
}

static void
poke(int fd, off_t at, uint64_t value)
{
    CHECK_INT(pwrite(fd, &value, sizeof value, at), sizeof value);
}

KDP_TEST(a_foreign_torn_or_short_object_is_refused_by_name)
{
    struct kdp_ring *ring = named_new(SMALL, false);
    uint64_t total = ring->mapped_bytes;
    uint8_t page[KDP_RING_PAGE];
    struct kdp_ring_header header;
    int fd;

    kdp_ring_close(ring);
    fd = shm_open(ring_name(), O_RDWR, 0);
    CHECK(fd >= 0);
    CHECK_INT(pread(fd, page, sizeof page, 0), sizeof page);
    attach_gives(0, "");
    CHECK_INT(ftruncate(fd, (off_t)total - 1), 0);
    attach_gives(-KDP_ETRUNCATED, "bytes");
    CHECK_INT(ftruncate(fd, 4095), 0);
    attach_gives(-KDP_ETRUNCATED, "too short");
    CHECK_INT(ftruncate(fd, 0), 0);
    attach_gives(-KDP_ETRUNCATED, "too short");
    CHECK_INT(ftruncate(fd, (off_t)total), 0);
    attach_gives(-KDP_EFORMAT, "not a ring"); /* all zero */
    /* a header that was being written when its process died: everything but the magic */
    CHECK_INT(pwrite(fd, page + 8, sizeof page - 8, 8), sizeof page - 8);
    attach_gives(-KDP_EFORMAT, "never finished");
    CHECK_INT(pwrite(fd, page, sizeof page, 0), sizeof page);
    attach_gives(0, "");
    /* every single bit of the first page counts */
    for (size_t bit = 0; bit < 8 * 256; bit++) {
        uint8_t flipped = (uint8_t)(page[bit / 8] ^ 1u << bit % 8);

        CHECK_INT(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        CHECK(kdp_ring_attach(&ring, ring_name(), false) < 0);
        CHECK_INT(pwrite(fd, page + bit / 8, 1, (off_t)(bit / 8)), 1);
    }
    /* a right checksum over wrong sizes, a newer version */
    memcpy(&header, page, sizeof header);
    poke(fd, offsetof(struct kdp_ring_header, version), header.version + 1);
    attach_gives(-KDP_EVERSION, "version 2");
    close(fd);
}

/* ---- inputs ---- */

static struct kdp_input_head *
put_input(struct kdp_ring *ring, size_t length)
{
    struct kdp_input_head *head = kdp_ring_input_claim(ring, length);

    if (head == NULL)
        return NULL;
    *head = (struct kdp_input_head){
        .length = (uint32_t)length, .kind = KDP_INPUT_FRAME, .recv_ns = (int64_t)length};
    memset(head + 1, (int)(length % 251), length);
    kdp_ring_input_commit(ring, head);
    return head;
}

KDP_TEST(inputs_come_whole_in_order_and_wait_for_the_agent)
{
    struct kdp_ring *ring = ring_new(SMALL, 1, false);
    uint64_t random = kdp_test_seed(), put_count = 0, got = 0, waited = 0, lengths[20000];

    CHECK_INT(kdp_ring_input_max(ring), SMALL / 2 - 24);
    while (put_count < 20000) {
        size_t length =
            (size_t)(kdp_test_random(&random) % (kdp_test_random(&random) % 50 == 0 ? SMALL / 2 - 24 : 500));
        const void *inputs;
        size_t bytes;

        if (put_input(ring, length) != NULL) {
            lengths[put_count++] = length;
            CHECK_INT(kdp_ring_head_input(ring), put_count);
            continue;
        }
        waited++;
        while ((bytes = kdp_ring_input_take(ring, 10000, &inputs)) > 0) {
            for (size_t at = 0, one = 0; at < bytes; at += one, got++) {
                const struct kdp_input_head *head = (const void *)((const uint8_t *)inputs + at);

                one = (24 + lengths[got] + 7) / 8 * 8;
                CHECK(bytes <= 10000 || one == bytes);
                CHECK_INT(head->index, got + 1);
                CHECK_INT(head->length, lengths[got]);
                for (size_t i = 0; i < one - 24; i++)
                    CHECK_INT(((const uint8_t *)(head + 1))[i], i < lengths[got] ? lengths[got] % 251 : 0);
            }
            kdp_ring_input_taken(ring, bytes);
        }
        CHECK_INT(got, put_count);
        CHECK_INT(kdp_ring_input_lacking(ring), 0);
    }
    CHECK(waited > 20);
    kdp_ring_close(ring);
}

KDP_TEST(counters_are_listed_by_any_process)
{
    struct kdp_ring *ring = named_new(SMALL, false), *other;
    struct kdp_counter *a = kdp_ring_counter(ring, "kalshi_trades_processed_total"),
                       *b = kdp_ring_counter(ring, "b");
    uint64_t value;
    char name[16];

    kdp_counter_add(a, 41);
    kdp_counter_add(a, 1);
    kdp_counter_set(b, 7);
    CHECK(kdp_ring_counter(ring, "b") == b);
    CHECK_INT(kdp_ring_attach(&other, ring_name(), false), 0);
    CHECK_STR(kdp_ring_counter_at(other, 0, &value), "kalshi_trades_processed_total");
    CHECK_INT(value, 42);
    CHECK_STR(kdp_ring_counter_at(other, 1, &value), "b");
    CHECK_INT(value, 7);
    CHECK(kdp_ring_counter_at(other, 2, &value) == NULL);
    for (int i = 2; i < KDP_COUNTERS_MAX; i++) {
        snprintf(name, sizeof name, "c%d", i);
        CHECK(kdp_ring_counter(ring, name) != NULL);
    }
    CHECK(kdp_ring_counter(ring, "one too many") == NULL);
    kdp_ring_close(other);
    kdp_ring_close(ring);
}
