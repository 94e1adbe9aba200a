/* test_stream_crash.c - a plant killed at random moments under full load, and the loss of power on top of it.
 *
 * A child writes self-checking inputs and records through a kdp_stream as fast as it can; a reader process
 * follows the ring and notes, for every sequence number, which input made the record it saw.  The child is
 * killed; sometimes the start after it is killed too.  Then the directory is opened, closed and read whole.
 * KDP_CRASH_ROUNDS sets the number of kills (20), KDP_SEED the moments. */
#include "clock.h"
#include "error.h"
#include "instruments.h"
#include "kdp_test.h"
#include "plantfile.h"
#include "ring_layout.h"
#include "stream.h"
#include "stream_fill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING (1u << 20)
#define SEQ_MAX (1u << 24) /* sequence numbers followed in one directory */
#define ROUNDS_PER_DIR 10  /* the check reads everything, so a directory may not grow for ever */
#define SYNCED_MAX 4096

struct synced { /* a file as the last sync of it left it */
    uint64_t inode, size;
    int named; /* its folder was synced since it was made */
};

struct shared {
    atomic_uint ready;   /* the child has opened its stream */
    atomic_uint stop;    /* the reader is to end */
    atomic_ullong seen;  /* highest sequence number that the reader has had whole */
    atomic_ullong count; /* records it has had */
    atomic_uint syncing; /* the shim below keeps its notes */
    atomic_uint synced_count;
    struct synced synced[SYNCED_MAX];
    uint32_t input_of[SEQ_MAX]; /* 0: not seen */
};

static struct shared *shared;

/* ---- the shim: what would be on the disk ---- */

static struct synced *
note_of(uint64_t inode)
{
    unsigned count = atomic_load(&shared->synced_count);

    for (unsigned i = 0; i < count; i++)
        if (shared->synced[i].inode == inode)
            return &shared->synced[i];
    if (count == SYNCED_MAX)
        abort();
    shared->synced[count] = (struct synced){.inode = inode};
    atomic_store(&shared->synced_count, count + 1);
    return &shared->synced[count];
}

static int
note_sync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -1;
    if (S_ISDIR(st.st_mode)) {
        char path[64];
        DIR *dir;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        dir = opendir(path);
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
            note_of(entry->d_ino)->named = 1;
        if (dir != NULL)
            closedir(dir);
    } else {
        note_of((uint64_t)st.st_ino)->size = (uint64_t)st.st_size;
    }
    usleep((useconds_t)(st.st_size % 700)); /* a disk takes its time, and a kill may fall into it */
    return 0;
}

/* In place of libc's in this program: nothing needs to reach a real disk here. */
int
fdatasync(int fd)
{
    return shared != NULL && atomic_load(&shared->syncing) ? note_sync(fd) : 0;
}

int
fsync(int fd)
{
    return fdatasync(fd);
}

/* ---- processes ---- */

static struct kdp_stream_config
config_of(const char *dir)
{
    return (struct kdp_stream_config){.dir = dir,
                                      .ring_bytes = RING,
                                      .raw_ring_bytes = RING,
                                      .segment_bytes = 3 << 20,
                                      .sync_interval_ns = 2 * KDP_NS_PER_MS,
                                      .tape_keep_ns = INT64_MAX,
                                      .raw_keep_ns = INT64_MAX};
}

static void
writer_process(const char *dir)
{
    struct kdp_stream_config config = config_of(dir);
    struct kdp_input_start start;
    struct kdp_stream *stream;
    struct fill fill = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (kdp_stream_open(&stream, &config, &start) != 0 || kdp_stream_agent_start(stream) != 0)
        kdp_test_fail(__FILE__, __LINE__, "writer: %s", kdp_error_text());
    fill_start(&fill, stream, &start);
    atomic_store(&shared->ready, 1);
    while (fill_input(&fill))
        ;
    kdp_test_fail(__FILE__, __LINE__, "writer: blocked or failed: %s", kdp_error_text());
}

static void
reader_process(const char *dir)
{
    uint64_t buf[KDP_RECORD_MAX / 8];
    const struct kdp_head *head = (const void *)buf;
    struct kdp_ring_cursor cursor;
    struct kdp_plant_info info;
    struct kdp_ring *ring;
    int rc;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (kdp_plant_info(dir, &info) != 0 || kdp_ring_attach(&ring, info.ring, false) != 0)
        kdp_test_fail(__FILE__, __LINE__, "reader: %s", kdp_error_text());
    kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring));
    for (;;) {
        bool last = atomic_load(&shared->stop) != 0;

        while ((rc = kdp_ring_next(&cursor, buf)) > 0) {
            fill_check_record(head);
            if (head->seq < SEQ_MAX) {
                if (shared->input_of[head->seq] != 0 && shared->input_of[head->seq] != head->src_seq)
                    kdp_test_fail(__FILE__, __LINE__, "number %llu means two things",
                                  (unsigned long long)head->seq);
                shared->input_of[head->seq] = head->src_seq;
            }
            atomic_store(&shared->seen, head->seq);
            atomic_fetch_add(&shared->count, 1);
        }
        if (rc == -KDP_EOVERRUN)
            kdp_ring_seek(&cursor, ring, kdp_ring_head_seq(ring));
        else if (rc < 0)
            kdp_test_fail(__FILE__, __LINE__, "reader: %s", kdp_error_text());
        else if (last)
            _exit(0); /* it had all that the dead ring shows */
        else
            sched_yield();
    }
}

static pid_t
start_process(void (*body)(const char *), const char *dir)
{
    pid_t child = fork();

    if (child == 0) {
        body(dir);
        _exit(3);
    }
    CHECK(child > 0);
    return child;
}

static void
wait_for(pid_t child, int how)
{
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    if (how == SIGKILL ? !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
                       : !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        kdp_test_fail(__FILE__, __LINE__, "process %d ended with status %x", (int)child, status);
}

/* Puts the cursor before number seq of a dead ring, or behind its last one.  The number at the ring's head is stored after the
 * offset that decides (publish() in ring.c), so a kill may leave it one publication behind: the records tell. */
static void
seek_in_dead_ring(struct kdp_ring_cursor *cursor, const struct kdp_ring *ring, uint64_t seq)
{
    uint64_t buf[KDP_RECORD_MAX / 8], head = kdp_ring_head_seq(ring);

    CHECK_INT(kdp_ring_seek(cursor, ring, seq <= head ? seq : head + 1), 0);
    while (cursor->seq < seq && kdp_ring_next(cursor, buf) > 0)
        ;
}

/* One run under load, killed after some time; *durablep: what its ring called durable at the end, *headp: the last number
 * that anybody can have read. */
static void
run_and_kill(const char *dir, uint64_t *random, uint64_t *durablep, uint64_t *headp)
{
    struct kdp_ring_cursor cursor;
    struct kdp_plant_info info;
    struct kdp_ring *ring;
    pid_t writer, reader;

    atomic_store(&shared->ready, 0);
    atomic_store(&shared->stop, 0);
    writer = start_process(writer_process, dir);
    while (atomic_load(&shared->ready) == 0) {
        int status;

        if (waitpid(writer, &status, WNOHANG) == writer)
            kdp_test_fail(__FILE__, __LINE__, "the writer ended before it was killed");
        usleep(200);
    }
    reader = start_process(reader_process, dir);
    usleep((useconds_t)(kdp_test_random(random) % 25000));
    kill(writer, SIGKILL);
    wait_for(writer, SIGKILL);
    atomic_store(&shared->stop, 1);
    wait_for(reader, 0);
    CHECK_INT(kdp_plant_info(dir, &info), 0);
    CHECK_INT(kdp_ring_attach(&ring, info.ring, false), 0);
    *durablep = kdp_ring_durable_seq(ring);
    seek_in_dead_ring(&cursor, ring, UINT64_MAX);
    *headp = cursor.seq - 1;
    /* room was given back only for what is durable (and a filler at most): the jump after a lost ring relies
     * on it */
    seek_in_dead_ring(&cursor, ring, *durablep + 1);
    CHECK(cursor.seq == *durablep + 1);
    CHECK(atomic_load(&ring->shared->taken.offset) <= cursor.offset + KDP_RECORD_MAX);
    kdp_ring_close(ring);
}

static void
opener_process(const char *dir)
{
    struct kdp_stream_config config = config_of(dir);
    struct kdp_input_start start;
    struct kdp_stream *stream;

    if (kdp_stream_open(&stream, &config, &start) != 0)
        kdp_test_fail(__FILE__, __LINE__, "opener: %s", kdp_error_text());
    for (;;)
        pause();
}

/* Some starts are killed as well, at any point of taking over. */
static void
kill_some_starts(const char *dir, uint64_t *random)
{
    while (kdp_test_random(random) % 3 == 0) {
        pid_t opener = start_process(opener_process, dir);

        usleep((useconds_t)(kdp_test_random(random) % 4000));
        kill(opener, SIGKILL);
        wait_for(opener, SIGKILL);
    }
}

/* Opens the directory, logs a START, closes it in order: no ring is left. */
static struct kdp_input_start
settle(const char *dir)
{
    struct kdp_stream_config config = config_of(dir);
    struct kdp_input_start start;
    struct kdp_stream *stream;
    struct fill fill = {.by_hand = true};

    if (kdp_stream_open(&stream, &config, &start) != 0)
        kdp_test_fail(__FILE__, __LINE__, "start: %s", kdp_error_text());
    fill_start(&fill, stream, &start);
    CHECK_INT(kdp_stream_close(stream), 0);
    return start;
}

/* Called for every record of the tape: it is the one the reader saw under that number. */
static void
compare(const struct kdp_head *rec)
{
    if (rec->seq < SEQ_MAX && shared->input_of[rec->seq] != 0) {
        CHECK_INT(shared->input_of[rec->seq], rec->src_seq);
        shared->input_of[rec->seq] = 0;
    }
}

/* The directory is whole, and says what the reader saw but the numbers from unused_from up to next_seq. */
static void
check_all(const char *dir, uint64_t lost_from, uint64_t lost_to, struct fill_seen *seen)
{
    const struct kdp_stream_instrument *items;
    struct kdpi_instruments *log;
    size_t count;

    fill_on_record = compare;
    fill_check(dir, 1, seen);
    fill_on_record = NULL;
    for (uint64_t seq = 1; seq <= atomic_load(&shared->seen) && seq < SEQ_MAX; seq++)
        if (shared->input_of[seq] != 0 && !(seq >= lost_from && seq < lost_to))
            kdp_test_fail(__FILE__, __LINE__, "record %llu was seen and is not on the tape",
                          (unsigned long long)seq);
    CHECK_INT(kdpi_instruments_open(&log, dir), 0);
    items = kdpi_instruments_list(log, &count);
    CHECK(count >= seen->definitions);
    for (size_t i = 0; i < count; i++) {
        char want[32];

        snprintf(want, sizeof want, "KXTEST-%u", items[i].id);
        CHECK_STR(items[i].ticker, want);
        CHECK(i == 0 || items[i].id > items[i - 1].id);
    }
    kdpi_instruments_close(log);
}

static int
rounds(void)
{
    const char *text = getenv("KDP_CRASH_ROUNDS");

#ifdef KDP_SANITIZED
    return text != NULL ? atoi(text) : 6;
#else
    return text != NULL ? atoi(text) : 20;
#endif
}

static void
share_memory(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
}

static const char *
fresh_dir(int number)
{
    static char dir[600];

    if (number > 0) {
        char command[700];

        settle(dir);
        snprintf(command, sizeof command, "rm -rf %s", dir);
        CHECK_INT(system(command), 0);
    }
    snprintf(dir, sizeof dir, "%s/data%d", kdp_test_dir(), number);
    memset(shared->input_of, 0, sizeof shared->input_of);
    atomic_store(&shared->seen, 0);
    atomic_store(&shared->synced_count, 0);
    return dir;
}

/* The names of the rings in shared memory whose directory is this test's: none may be left over. */
static void
no_ring_is_left(void)
{
    struct dirent *entry;
    DIR *dir = opendir("/dev/shm");

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char name[300], tape_dir[512] = "";
        int fd;

        if (strncmp(entry->d_name, "kdp-", 4) != 0)
            continue;
        snprintf(name, sizeof name, "/%s", entry->d_name);
        fd = shm_open(name, O_RDONLY, 0);
        if (fd < 0)
            continue;
        if (pread(fd, tape_dir, sizeof tape_dir - 1, offsetof(struct kdp_ring_header, tape_dir)) > 0 &&
            strstr(tape_dir, kdp_test_dir()) != NULL)
            kdp_test_fail(__FILE__, __LINE__, "%s was left in shared memory", name);
        close(fd);
    }
    if (dir != NULL)
        closedir(dir);
}

KDP_TEST(killed_at_random_moments_nothing_is_missing_or_doubled)
{
    uint64_t random = kdp_test_seed(), durable, head, records = 0;
    const char *dir = NULL;

    share_memory();
    for (int i = 0; i < rounds(); i++) {
        struct kdp_input_start start;
        struct fill_seen seen;

        if (i % ROUNDS_PER_DIR == 0)
            dir = fresh_dir(i / ROUNDS_PER_DIR);
        run_and_kill(dir, &random, &durable, &head);
        CHECK(atomic_load(&shared->seen) <= head && durable <= head);
        kill_some_starts(dir, &random);
        if (kdp_test_random(&random) % 2 == 0)
            continue; /* the next run takes over under load */
        start = settle(dir);
        CHECK_INT(start.unused_from, 0);
        CHECK(start.next_seq > head);
        check_all(dir, 0, 0, &seen);
        CHECK_INT(seen.unused, 0);
        CHECK(seen.last_seq >= head);
        records += seen.records;
    }
    settle(dir);
    no_ring_is_left();
    printf("rounds=%d records_seen=%llu records_checked=%llu\n", rounds(),
           (unsigned long long)atomic_load(&shared->count), (unsigned long long)records);
    CHECK(atomic_load(&shared->count) > 1000);
}

/* ---- loss of power ---- */

/* Leaves of a file what its last sync put on the disk, and a random share of what came after, holes in it
 * included. */
static void
lose_tail(const char *path, const struct stat *st, uint64_t *random)
{
    const struct synced *note = note_of((uint64_t)st->st_ino);
    uint64_t size = (uint64_t)st->st_size, lost = size > note->size ? size - note->size : 0, keep;
    int fd;

    if (!note->named && kdp_test_random(random) % 2 == 0) {
        CHECK_INT(unlink(path), 0); /* the folder never knew it */
        return;
    }
    if (lost == 0)
        return;
    chmod(path, 0644); /* read-only or not, the file system does what it does */
    keep = note->size + kdp_test_random(random) % (lost + 1);
    fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    if (keep > note->size && kdp_test_random(random) % 2 == 0) {
        static const uint8_t zeros[4096];
        uint64_t at = note->size + kdp_test_random(random) % (keep - note->size);
        uint64_t len = keep - at < sizeof zeros ? keep - at : sizeof zeros;

        CHECK_INT(pwrite(fd, zeros, len, (off_t)at), (ssize_t)len);
    }
    CHECK_INT(ftruncate(fd, (off_t)keep), 0);
    close(fd);
    chmod(path, st->st_mode & 0777);
}

static void
lose_folder(const char *folder, uint64_t *random)
{
    DIR *dir = opendir(folder);
    char path[1200];
    struct stat st;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            lose_tail(path, &st, random);
    }
    if (dir != NULL)
        closedir(dir);
}

static void
lose_power(const char *dir, uint64_t *random)
{
    char folder[700];
    struct kdp_plant_info info;
    struct stat st;

    CHECK_INT(kdp_plant_info(dir, &info), 0);
    CHECK_INT(kdp_ring_unlink(info.ring), 0);
    snprintf(folder, sizeof folder, "%s/tape", dir);
    lose_folder(folder, random);
    snprintf(folder, sizeof folder, "%s/raw", dir);
    lose_folder(folder, random);
    snprintf(folder, sizeof folder, "%s/instruments", dir);
    if (stat(folder, &st) == 0)
        lose_tail(folder, &st, random);
}

KDP_TEST(a_loss_of_power_takes_no_more_than_what_was_not_durable)
{
    uint64_t random = kdp_test_seed() + 1, durable, head, lost = 0;
    const char *dir = NULL;

    share_memory();
    atomic_store(&shared->syncing, 1);
    for (int i = 0; i < rounds(); i++) {
        struct kdp_input_start start;
        struct fill_seen seen;

        /* one loss a directory, after a run that ended in order and one that was killed */
        dir = fresh_dir(i);
        settle(dir);
        run_and_kill(dir, &random, &durable, &head);
        if (i % 2 == 0)
            run_and_kill(dir, &random, &durable, &head);
        lose_power(dir, &random);
        kill_some_starts(dir, &random);
        start = settle(dir);
        CHECK((start.flags & KDP_START_KILLED) != 0);
        /* what was called durable is there; what was seen and lost lies in the hole that is named, never
         * given out anew */
        CHECK(start.unused_from > durable);
        CHECK(start.next_seq > head && start.next_seq > atomic_load(&shared->seen));
        check_all(dir, start.unused_from, start.next_seq, &seen);
        CHECK_INT(seen.unused, start.next_seq - start.unused_from);
        lost += head >= start.unused_from ? head - start.unused_from + 1 : 0;
    }
    no_ring_is_left();
    printf("rounds=%d records_seen=%llu records_lost=%llu\n", rounds(),
           (unsigned long long)atomic_load(&shared->count), (unsigned long long)lost);
    CHECK(lost > 0); /* or the model takes nothing away */
}
