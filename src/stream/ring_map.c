/* ring_map.c - making, finding and checking the shared memory object of ring.h. */
#include "ring_layout.h"

#include "crc32c.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEFAULT_BYTES (UINT64_C(256) << 20)
#define DEFAULT_RAW_BYTES (UINT64_C(64) << 20)
#define SHM_FOLDER "/dev/shm" /* where Linux keeps shared memory objects */

static uint64_t
page_up(uint64_t bytes)
{
    return (bytes + KDP_RING_PAGE - 1) / KDP_RING_PAGE * KDP_RING_PAGE;
}

static int
size_is_good(uint64_t bytes)
{
    return bytes >= KDP_RING_BYTES_MIN && bytes <= KDP_RING_BYTES_MAX && (bytes & (bytes - 1)) == 0;
}

/* Places follow from the three sizes; attach computes them anew and compares. */
static void
lay_out(struct kdp_ring_header *header, uint64_t record_bytes, uint64_t raw_bytes)
{
    uint64_t entries = 8;

    /* more entries than a full ring of the shortest records needs, so that a live one is never overwritten */
    while (entries < record_bytes / KDP_RING_RECORD_MIN / KDP_RING_TABLE_STEP + 2)
        entries *= 2;
    header->record_bytes = record_bytes;
    header->raw_bytes = raw_bytes;
    header->table_entries = entries;
    header->counters_at = 2 * KDP_RING_PAGE;
    header->table_at = header->counters_at + page_up(KDP_COUNTERS_MAX * sizeof(struct kdp_ring_counter_slot));
    header->records_at = header->table_at + page_up(entries * sizeof(uint64_t));
    header->raw_at = header->records_at + record_bytes;
    header->total_bytes = header->raw_at + raw_bytes;
}

static uint32_t
header_crc(const struct kdp_ring_header *header)
{
    struct kdp_ring_header copy = *header;

    copy.crc = 0;
    return kdpi_crc32c(0, &copy, sizeof copy);
}

static void
point(struct kdp_ring *ring, void *base, bool writable)
{
    struct kdp_ring_header *header = base;
    uint8_t *bytes = base;

    ring->header = header;
    ring->shared = (struct kdp_ring_shared *)(void *)(bytes + KDP_RING_PAGE);
    ring->slots = (struct kdp_ring_counter_slot *)(void *)(bytes + header->counters_at);
    ring->table = (_Atomic uint64_t *)(void *)(bytes + header->table_at);
    ring->records = bytes + header->records_at;
    ring->raw = bytes + header->raw_at;
    ring->record_bytes = header->record_bytes;
    ring->raw_bytes = header->raw_bytes;
    ring->table_entries = header->table_entries;
    /* 64 KiB, so that the intent is stored once in a thousand records; less in a small ring, whose readers
     * lose it */
    ring->intent_step = header->record_bytes / 64 < 65536 ? header->record_bytes / 64 : 65536;
    ring->mapped_bytes = header->total_bytes;
    ring->writable = writable;
    ring->unreliable = header->unreliable != 0;
}

static void
start_empty(struct kdp_ring *ring, uint64_t start_seq, uint64_t start_input)
{
    struct kdp_ring_shared *shared = ring->shared;
    struct kdp_ring_mark *mark = &shared->marks.mark[0];

    for (int i = 0; i < 2; i++) {
        atomic_store(&shared->pads.records[i], KDP_RING_NO_OFFSET);
        atomic_store(&shared->pads.inputs[i], KDP_RING_NO_OFFSET);
    }
    atomic_store(&shared->pads.start_seq, start_seq);
    atomic_store(&mark->seq, start_seq - 1);
    atomic_store(&mark->applied, start_input - 1);
    atomic_store(&mark->applied_seq, start_seq - 1);
    atomic_store(&mark[1].offset, KDP_RING_NO_OFFSET);
    atomic_store(&shared->head.seq, start_seq - 1);
    atomic_store(&shared->head.applied, start_input - 1);
    atomic_store(&shared->input.index, start_input - 1);
    atomic_store(&shared->durable.seq, start_seq - 1);
    atomic_store(&shared->durable.index, start_input - 1);
    ring->plant.seq = start_seq;
    ring->plant.applied = start_input - 1;
    ring->plant.applied_seq = start_seq - 1;
    ring->plant.input_index = start_input - 1;
    ring->plant.limit = ring->record_bytes;
    ring->plant.input_limit = ring->raw_bytes;
}

static int
no_room(const char *name, uint64_t bytes)
{
    struct statvfs fs;
    unsigned long long free_mib = 0;

    if (statvfs(SHM_FOLDER, &fs) == 0)
        free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    kdpi_fail(KDP_EFULL, "shared memory is too small: ring %s needs %llu MiB, %s has %llu MiB free", name,
              (unsigned long long)(bytes + (1 << 20) - 1) >> 20, SHM_FOLDER, free_mib);
    kdpi_hint("make the ring smaller with --ring-size, or %s larger (mount -o remount,size=1G %s; docker run "
              "--shm-size=1g)",
              SHM_FOLDER, SHM_FOLDER);
    return -KDP_EFULL;
}

/* Maps the object's memory with every page present, so that neither a full /dev/shm nor a first touch shows
 * later. */
static int
map_new(const char *name, uint64_t bytes, void **basep)
{
    int fd = -1, flags = MAP_PRIVATE | MAP_ANONYMOUS, rc;
    void *base;

    if (name != NULL) {
        fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
            return kdpi_fail_errno(errno, "cannot make shared memory object %s", name);
        /* reserves the pages; a plain ftruncate would give SIGBUS at the first touch beyond the space there
         * is */
        do
            rc = posix_fallocate(fd, 0, (off_t)bytes);
        while (rc == EINTR);
        if (rc != 0) {
            close(fd);
            shm_unlink(name);
            return rc == ENOSPC ? no_room(name, bytes)
                                : kdpi_fail_errno(rc, "cannot reserve shared memory for ring %s", name);
        }
        flags = MAP_SHARED;
    }
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    rc = errno;
    if (fd >= 0)
        close(fd);
    if (base == MAP_FAILED) {
        if (name != NULL)
            shm_unlink(name);
        return kdpi_fail_errno(rc, "cannot map a ring of %llu bytes", (unsigned long long)bytes);
    }
    madvise(base, bytes, MADV_HUGEPAGE); /* fewer TLB misses where the system allows it, no loss where not */
    /* all pages at once; a kernel before 5.14 takes a fault for each */
    if (madvise(base, bytes, MADV_POPULATE_WRITE) != 0)
        for (uint64_t at = 0; at < bytes; at += KDP_RING_PAGE)
            ((volatile uint8_t *)base)[at] = 0;
    *basep = base;
    return 0;
}

static struct kdp_ring *
handle_new(void)
{
    struct kdp_ring *ring = aligned_alloc(KDP_RING_LINE, sizeof *ring);

    if (ring != NULL)
        memset(ring, 0, sizeof *ring);
    return ring;
}

int
kdp_ring_create(struct kdp_ring **ringp, const struct kdp_ring_config *config)
{
    struct kdp_ring_header header = {.version = KDP_RING_VERSION};
    uint64_t bytes = config->bytes != 0 ? config->bytes : DEFAULT_BYTES;
    uint64_t raw_bytes = config->raw_bytes != 0 ? config->raw_bytes : DEFAULT_RAW_BYTES;
    struct kdp_ring *ring;
    void *base = NULL;
    int rc;

    *ringp = NULL;
    if (!size_is_good(bytes) || !size_is_good(raw_bytes)) {
        kdpi_fail(KDP_EINVAL, "ring size %llu: not a power of two from 64 KiB to 64 GiB",
                  (unsigned long long)(size_is_good(bytes) ? raw_bytes : bytes));
        kdpi_hint("for example --ring-size 256M");
        return -KDP_EINVAL;
    }
    KDP_ASSERT(config->start_seq >= 1 && config->start_input >= 1);
    if (config->tape_dir != NULL && strlen(config->tape_dir) >= sizeof header.tape_dir)
        return kdpi_fail(KDP_EINVAL, "path of the data directory is longer than %zu bytes",
                         sizeof header.tape_dir - 1);
    lay_out(&header, bytes, raw_bytes);
    ring = handle_new();
    if (ring == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for a ring");
    rc = map_new(config->name, header.total_bytes, &base);
    if (rc != 0) {
        free(ring);
        return rc;
    }
    memcpy(header.magic, KDP_RING_MAGIC, sizeof header.magic);
    header.session = config->session;
    header.start_input = config->start_input;
    header.pid = getpid();
    header.unreliable = config->unreliable;
    if (config->tape_dir != NULL)
        strcpy(header.tape_dir, config->tape_dir); /* length checked above */
    header.crc = header_crc(&header);
    /* all but the magic first: an object without it was never finished */
    memcpy((uint8_t *)base + sizeof header.magic, (uint8_t *)&header + sizeof header.magic,
           sizeof header - sizeof header.magic);
    point(ring, base, true);
    start_empty(ring, config->start_seq, config->start_input);
    atomic_signal_fence(memory_order_release);
    memcpy(base, header.magic, sizeof header.magic);
    *ringp = ring;
    return 0;
}

/* Says why the first page of an object of file_bytes bytes cannot be a ring's, or returns 0. */
static int
check_header(const struct kdp_ring_header *header, uint64_t file_bytes, const char *name)
{
    struct kdp_ring_header want;

    if (memcmp(header->magic, KDP_RING_MAGIC, sizeof header->magic) != 0)
        return kdpi_fail(KDP_EFORMAT, "shared memory object %s is not a ring (or was never finished)", name);
    if (header->version > KDP_RING_VERSION)
        return kdpi_fail(KDP_EVERSION, "ring %s has format version %u, this program knows %u", name,
                         header->version, KDP_RING_VERSION);
    if (header->version == 0 || header_crc(header) != header->crc)
        return kdpi_fail(KDP_ECHECKSUM, "ring %s: its first page is damaged", name);
    if (!size_is_good(header->record_bytes) || !size_is_good(header->raw_bytes))
        return kdpi_fail(KDP_EFORMAT, "ring %s: sizes out of range", name);
    lay_out(&want, header->record_bytes, header->raw_bytes);
    if (want.table_entries != header->table_entries || want.counters_at != header->counters_at ||
        want.table_at != header->table_at || want.records_at != header->records_at ||
        want.raw_at != header->raw_at || want.total_bytes != header->total_bytes ||
        memchr(header->tape_dir, '\0', sizeof header->tape_dir) == NULL)
        return kdpi_fail(KDP_EFORMAT, "ring %s: sizes and places do not agree", name);
    if (file_bytes < header->total_bytes)
        return kdpi_fail(KDP_ETRUNCATED, "ring %s: %llu bytes, its header says %llu", name,
                         (unsigned long long)file_bytes, (unsigned long long)header->total_bytes);
    return 0;
}

int
kdp_ring_attach(struct kdp_ring **ringp, const char *name, bool writable)
{
    struct kdp_ring_header header;
    struct kdp_ring *ring;
    struct stat st;
    void *base;
    int fd, rc;

    *ringp = NULL;
    fd = shm_open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot open ring %s", name);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return kdpi_fail(KDP_EFORMAT, "shared memory object %s is not a ring", name);
    }
    /* read, not mapped, until its length is known: touching a mapping beyond the file's end would be SIGBUS
     */
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        rc = kdpi_fail(KDP_ETRUNCATED, "shared memory object %s is too short to be a ring", name);
    else
        rc = check_header(&header, (uint64_t)st.st_size, name);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    base = mmap(NULL, header.total_bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    rc = errno;
    close(fd);
    if (base == MAP_FAILED)
        return kdpi_fail_errno(rc, "cannot map ring %s", name);
    ring = handle_new();
    if (ring == NULL) {
        munmap(base, header.total_bytes);
        return kdpi_fail(KDP_ENOMEM, "no memory for a ring");
    }
    point(ring, base, writable);
    ring->agent.passed = atomic_load_explicit(&ring->shared->taken.offset, memory_order_acquire);
    ring->agent.input_taken = atomic_load_explicit(&ring->shared->input_taken.offset, memory_order_acquire);
    *ringp = ring;
    return 0;
}

void
kdp_ring_close(struct kdp_ring *ring)
{
    if (ring == NULL)
        return;
    munmap(ring->header, ring->mapped_bytes);
    free(ring);
}

int
kdp_ring_unlink(const char *name)
{
    if (shm_unlink(name) != 0)
        return kdpi_fail_errno(errno, "cannot remove ring %s", name);
    return 0;
}

/* Finds the index of the last committed input by walking those the agent had not taken. */
static int
last_input(const struct kdp_ring *ring, uint64_t *indexp)
{
    uint64_t head = atomic_load(&ring->shared->input.offset),
             at = atomic_load(&ring->shared->input_taken.offset);
    uint64_t mask = ring->raw_bytes - 1;
    struct kdp_input_head input;
    bool walked = false;

    *indexp = atomic_load(&ring->shared->input.index);
    if (at > head || head - at > ring->raw_bytes || (head | at) % 8 != 0)
        return -1;
    while (at < head) {
        uint64_t left = ring->raw_bytes - (at & mask);
        uint32_t length;

        memcpy(&length, ring->raw + (at & mask), sizeof length);
        if (length == KDP_RING_INPUT_PAD) {
            at += left;
            continue;
        }
        if (left < sizeof input || length > kdp_ring_input_max(ring) || left - sizeof input < length)
            return -1;
        memcpy(&input, ring->raw + (at & mask), sizeof input);
        if (input.index == 0 || (walked && input.index != *indexp + 1))
            return -1;
        walked = true;
        *indexp = input.index;
        at += (sizeof input + length + 7) & ~UINT64_C(7);
    }
    return at == head ? 0 : -1;
}

int
kdp_ring_recover(struct kdp_ring *ring)
{
    struct kdp_ring_shared *shared = ring->shared;
    uint64_t head = atomic_load(&shared->head.offset), taken = atomic_load(&shared->taken.offset);
    uint64_t seq = 0, applied = 0, applied_seq = 0, index;
    bool found = false;

    KDP_ASSERT(ring->writable);
    for (int i = 0; i < 2; i++) {
        const struct kdp_ring_mark *mark = &shared->marks.mark[i];
        uint64_t mark_applied = atomic_load(&mark->applied);

        if (atomic_load(&mark->offset) != head || (found && mark_applied < applied))
            continue;
        found = true;
        seq = atomic_load(&mark->seq);
        applied = mark_applied;
        applied_seq = atomic_load(&mark->applied_seq);
    }
    if (!found || taken > head || head - taken > ring->record_bytes || (head | taken) % 8 != 0 ||
        seq < applied_seq || last_input(ring, &index) != 0)
        return kdpi_fail(KDP_EFORMAT, "ring of session %016llx: its offsets do not fit together",
                         (unsigned long long)ring->header->session);
    if (seq > applied_seq && applied < index)
        applied++; /* begun, see publish() */
    atomic_store(&shared->head.seq, seq);
    atomic_store(&shared->head.applied, applied);
    atomic_store(&shared->input.index, index);
    return 0;
}
