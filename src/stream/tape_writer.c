/* tape_writer.c - from runs of records to blocks: the tape agent's side.
 *
 * One pass over the records of a call finds their borders, checks their order and gathers what the blocks'
 * heads say; the records themselves are never copied, pwritev takes them from where they lie. */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"
#include "crc32c.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "tape_dict.h"
#include "tape_format.h"
#include "tape_seal.h"

#define SEGMENT_BYTES_DEFAULT (UINT64_C(256) << 20)
#define IOV_BATCH 256
#define TEMPLATES 32

struct plan { /* a block about to be written */
    struct kdpi_tape_block_head head;
    const void *payload;
};

struct kdp_tape_writer {
    char folder[KDPI_TAPE_PATH], path[KDPI_TAPE_PATH];
    uint64_t session, segment_bytes;
    const char *(*ticker)(void *arg, uint32_t id);
    void *ticker_arg;
    int fd;            /* of the open segment, -1: none yet */
    int failed;        /* an error after which nothing can be written for certain */
    uint64_t number;   /* of the open segment, or of the next one */
    uint64_t end;      /* bytes of whole blocks */
    uint64_t synced;   /* of which on the disk */
    bool folder_dirty; /* the segment's name is not on the disk yet */
    uint64_t next_seq;
    int64_t recv_running_max_ns;
    uint64_t family_count[4];
    struct kdpi_tape_end previous; /* the segment before the open one */
    XXH3_state_t *hash;            /* over the open segment up to end */

    struct kdp_tape_block *blocks; /* index of the open segment */
    size_t block_count, block_room;
    struct kdpi_dict dict;
    uint32_t *ids; /* instruments the open segment names */
    uint32_t id_count;
    size_t id_room;
    uint64_t seed_below; /* dictionaries of segments before this number have not been looked at */
    uint64_t records;    /* in the open segment */

    struct plan *plans; /* of one call */
    size_t plan_count, plan_room;
    uint8_t *entries; /* dictionary payloads of one call */
    size_t entries_room;
};

/* ---- opening and closing ---- */

int
kdp_tape_writer_open(struct kdp_tape_writer **writerp, const struct kdp_tape_config *config,
                     uint64_t first_seq, uint64_t *cutp)
{
    struct kdp_tape_writer *writer = calloc(1, sizeof *writer);
    uint64_t cut = 0;
    size_t len;
    int rc;

    *writerp = NULL;
    if (cutp != NULL)
        *cutp = 0;
    if (writer == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: tape writer");
    writer->fd = -1;
    kdpi_dict_init(&writer->dict);
    len = strlen(config->dir);
    if (len + sizeof "/tape" > sizeof writer->folder) {
        rc = kdpi_fail(KDP_EINVAL, "name too long: %s", config->dir);
        goto err;
    }
    memcpy(writer->folder, config->dir, len);
    memcpy(writer->folder + len, "/tape", sizeof "/tape");
    if ((mkdir(config->dir, 0777) != 0 && errno != EEXIST) ||
        (mkdir(writer->folder, 0777) != 0 && errno != EEXIST)) {
        rc = kdpi_fail_errno(errno, "cannot make the folder: %s", writer->folder);
        goto err;
    }
    writer->session = config->session;
    writer->ticker = config->ticker;
    writer->ticker_arg = config->ticker_arg;
    writer->segment_bytes = config->segment_bytes != 0 ? config->segment_bytes : SEGMENT_BYTES_DEFAULT;
    writer->hash = XXH3_createState();
    if (writer->hash == NULL) {
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: tape writer");
        goto err;
    }
    rc = kdpi_tape_find_end(writer->folder, &writer->previous, &cut);
    if (rc != 0)
        goto err;
    if (first_seq == 0 || first_seq <= writer->previous.last_seq) {
        rc = kdpi_fail(KDP_EINVAL, "sequence goes back: %s ends at %llu, asked to go on at %llu",
                       writer->folder, (unsigned long long)writer->previous.last_seq,
                       (unsigned long long)first_seq);
        goto err;
    }
    writer->number = writer->previous.number + 1;
    writer->seed_below = writer->number;
    writer->next_seq = first_seq;
    writer->recv_running_max_ns = writer->previous.recv_running_max_ns;
    if (writer->previous.session == writer->session)
        memcpy(writer->family_count, writer->previous.family_count, sizeof writer->family_count);
    if (cutp != NULL)
        *cutp = cut;
    *writerp = writer;
    return 0;
err:
    if (cutp != NULL)
        *cutp = cut;
    if (writer->hash != NULL)
        XXH3_freeState(writer->hash);
    kdpi_dict_release(&writer->dict);
    free(writer);
    return rc;
}

static int
segment_begin(struct kdp_tape_writer *writer)
{
    struct kdpi_tape_header header = {
        .session = writer->session,
        .number = writer->number,
        .first_seq = writer->next_seq,
        .created_ns = kdpi_now_ns(),
        .previous_number = writer->previous.number,
        .previous_last_seq = writer->previous.last_seq,
        .recv_running_max_ns = writer->recv_running_max_ns,
    };
    int rc = kdpi_tape_path(writer->path, sizeof writer->path, writer->folder, writer->number);

    if (rc != 0)
        return rc;
    memcpy(header.previous_hash, writer->previous.hash, sizeof header.previous_hash);
    memcpy(header.family_count, writer->family_count, sizeof header.family_count);
    kdpi_tape_header_finish(&header);
    writer->fd = open(writer->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (writer->fd < 0)
        return kdpi_fail_errno(errno, "cannot make: %s", writer->path);
    rc = kdpi_file_write(writer->fd, &header, sizeof header, 0, writer->path);
    if (rc != 0) {
        close(writer->fd);
        writer->fd = -1;
        unlink(writer->path);
        return rc;
    }
    XXH3_128bits_reset(writer->hash);
    XXH3_128bits_update(writer->hash, &header, sizeof header);
    writer->end = sizeof header;
    writer->synced = 0;
    writer->folder_dirty = true;
    writer->block_count = 0;
    writer->id_count = 0;
    writer->records = 0;
    return 0;
}

static int
segment_seal(struct kdp_tape_writer *writer)
{
    struct kdpi_seal seal = {
        .fd = writer->fd,
        .path = writer->path,
        .folder = writer->folder,
        .number = writer->number,
        .session = writer->session,
        .end = writer->end,
        .blocks = writer->blocks,
        .block_count = writer->block_count,
        .dict = &writer->dict,
        .ids = writer->ids,
        .id_count = writer->id_count,
        .records = writer->records,
        .last_seq = writer->next_seq - 1,
        .recv_running_max_ns = writer->recv_running_max_ns,
        .hash = writer->hash,
    };
    struct kdpi_tape_end *previous = &writer->previous;
    int rc = kdpi_tape_seal(&seal, previous->hash);

    if (rc != 0)
        return rc;
    previous->number = writer->number;
    previous->last_seq = writer->next_seq - 1;
    close(writer->fd);
    writer->fd = -1;
    writer->number++;
    return 0;
}

int
kdp_tape_writer_close(struct kdp_tape_writer *writer)
{
    int rc = 0;

    if (writer == NULL)
        return 0;
    if (writer->fd >= 0) {
        if (writer->block_count == 0)
            unlink(writer->path); /* begun, then the disk was full: nothing to keep */
        else if (writer->failed != 0)
            rc = writer->failed;
        else
            rc = segment_seal(writer);
        if (writer->fd >= 0)
            close(writer->fd); /* the next open finishes what could not be sealed */
    }
    XXH3_freeState(writer->hash);
    kdpi_dict_release(&writer->dict);
    free(writer->blocks);
    free(writer->ids);
    free(writer->plans);
    free(writer->entries);
    free(writer);
    return rc;
}

/* ---- instruments ---- */

static int
keep_older(void *arg, const struct kdp_tape_instrument *instrument)
{
    return kdpi_dict_put(arg, instrument, true) < 0 ? -KDP_ENOMEM : 0;
}

/* An instrument comes that this run has not defined: earlier segments may have.  They are asked newest first
 * and only as far back as needed; what is damaged there is not this writer's trouble. */
static int
seed(struct kdp_tape_writer *writer, uint32_t id)
{
    while (writer->seed_below > 1 && kdpi_dict_find(&writer->dict, id) == NULL) {
        int rc;

        writer->seed_below--;
        rc = kdpi_tape_segment_dictionary(writer->folder, writer->seed_below, keep_older, &writer->dict);
        if (rc == -KDP_ENOMEM)
            return rc;
        if (rc == -KDP_ENOENT) { /* retention has been here: nothing below either */
            writer->seed_below = 1;
            break;
        }
    }
    if (kdpi_dict_find(&writer->dict, id) == NULL && writer->ticker != NULL) {
        struct kdp_tape_instrument instrument = {.id = id, .ticker = writer->ticker(writer->ticker_arg, id)};

        if (instrument.ticker != NULL) {
            instrument.ticker_len = strlen(instrument.ticker);
            return kdpi_dict_put(&writer->dict, &instrument, true) < 0 ? -KDP_ENOMEM : 0;
        }
    }
    return 0;
}

/* The open segment names an instrument for the first time, or anew after its Definition changed. */
static int
name_instrument(struct kdp_tape_writer *writer, uint32_t id)
{
    uint32_t *mark = kdpi_dict_mark(&writer->dict, id);
    uint32_t *ids;
    int rc = 0;

    if (mark == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: instruments of the tape");
    ids = kdpi_grow(writer->ids, &writer->id_room, sizeof *ids, (size_t)writer->id_count + 1);
    if (ids == NULL)
        return -KDP_ENOMEM;
    writer->ids = ids;
    if (kdpi_dict_find(&writer->dict, id) == NULL)
        rc = seed(writer, id);
    if (rc != 0)
        return rc;
    *mark = (uint32_t)writer->number;
    if (kdpi_dict_find(&writer->dict, id) != NULL) /* else never defined: the segment cannot describe it */
        writer->ids[writer->id_count++] = id;
    return 0;
}

static int
learn(struct kdp_tape_writer *writer, const void *record, size_t size)
{
    struct kdp_tape_instrument instrument;
    uint32_t *mark;
    int rc;

    if (!kdpi_dict_of_definition(record, size, &instrument))
        return 0;
    rc = kdpi_dict_put(&writer->dict, &instrument, false);
    if (rc <= 0)
        return rc;
    mark = kdpi_dict_mark(&writer->dict, instrument.id);
    if (mark != NULL)
        *mark = 0; /* what the segment says of it has changed, so it is said again */
    return 0;
}

/* ---- appending ---- */

static struct plan *
plan_add(struct kdp_tape_writer *writer, uint32_t kind, uint64_t input_index)
{
    struct plan *plan, *plans;

    plans = kdpi_grow(writer->plans, &writer->plan_room, sizeof *plans, writer->plan_count + 1);
    if (plans == NULL)
        return NULL;
    writer->plans = plans;
    plan = &writer->plans[writer->plan_count++];
    memset(plan, 0, sizeof *plan);
    plan->head.kind = kind;
    plan->head.recv_min_ns = plan->head.recv_max_ns = KDP_TIME_NULL;
    plan->head.input_index = input_index;
    plan->head.session = writer->session;
    plan->head.number = writer->number;
    plan->head.synced = writer->synced;
    return plan;
}

static uint32_t
mark_of(const struct kdpi_dict *dict, uint32_t id)
{
    uint32_t page = id / KDPI_DICT_PAGE;

    return page < dict->page_count && dict->pages[page] != NULL ? dict->pages[page]->mark[id % KDPI_DICT_PAGE]
                                                                : 0;
}

/* Takes whole records from at until the block is full: what stands in the head is gathered in the same pass.
 */
static int
plan_records(struct kdp_tape_writer *writer, struct plan *plan, const uint8_t *at, const uint8_t *end)
{
    struct kdpi_tape_block_head *head = &plan->head;
    uint32_t counts[TEMPLATES] = {0}, last_instrument = 0, count = 0, mark = (uint32_t)writer->number;
    int64_t recv_min = INT64_MAX, recv_max = INT64_MIN;
    const uint8_t *start = at, *summed = at;
    uint64_t seq = writer->next_seq;
    uint32_t crc = 0;

    head->first_seq = seq;
    plan->payload = start;
    while (at < end) {
        struct kdp_head record;
        size_t size = kdpi_tape_record_size(at, (size_t)(end - at));

        if (size == 0)
            return kdpi_fail(KDP_EFORMAT, "not a record: after sequence %llu", (unsigned long long)(seq - 1));
        if ((size_t)(at - start) + size > KDP_TAPE_BLOCK_MAX)
            break;
        memcpy(&record, at, sizeof record);
        if (record.seq != seq)
            return kdpi_fail(KDP_EFORMAT, "record out of order: sequence %llu where %llu follows",
                             (unsigned long long)record.seq, (unsigned long long)seq);
        counts[record.template_id % TEMPLATES]++;
        recv_min = record.recv_ns < recv_min ? record.recv_ns : recv_min;
        recv_max = record.recv_ns > recv_max ? record.recv_ns : recv_max;
        if (record.template_id == KDP_TEMPLATE_DEFINITION) {
            int rc = learn(writer, at, size);

            if (rc != 0)
                return rc;
            last_instrument = 0;
        }
        if (record.instrument != last_instrument && record.instrument != 0) {
            unsigned bit = kdpi_tape_filter_bit(record.instrument);

            last_instrument = record.instrument;
            head->instruments[bit / 64] |= UINT64_C(1) << (bit % 64);
            if (mark_of(&writer->dict, record.instrument) != mark) {
                int rc = name_instrument(writer, record.instrument);

                if (rc != 0)
                    return rc;
            }
        }
        seq++;
        count++;
        at += size;
        if (at - summed >= 32768) { /* while the bytes are still in the nearest cache */
            crc = kdpi_crc32c(crc, summed, (size_t)(at - summed));
            summed = at;
        }
    }
    head->payload_crc = kdpi_crc32c(crc, summed, (size_t)(at - summed));
    head->bytes = (uint32_t)(at - start);
    head->count = count;
    head->recv_min_ns = recv_min;
    head->recv_max_ns = recv_max;
    if (recv_max > writer->recv_running_max_ns)
        writer->recv_running_max_ns = recv_max;
    head->recv_running_max_ns = writer->recv_running_max_ns;
    for (unsigned id = 0; id < TEMPLATES; id++) {
        if (counts[id] == 0)
            continue;
        head->template_mask |= 1u << id;
        kdpi_tape_families(writer->family_count, id, counts[id]);
    }
    memcpy(head->family_count, writer->family_count, sizeof head->family_count);
    writer->next_seq = seq;
    return 0;
}

/* Dictionary blocks for the instruments named since first_id; they go before the record blocks of the call.
 */
static int
plan_dictionary(struct kdp_tape_writer *writer, uint32_t first_id, uint64_t first_seq, uint64_t input_index)
{
    size_t bytes = 0, at = 0;
    struct plan *plan = NULL;
    uint8_t *entries;

    for (uint32_t i = first_id; i < writer->id_count; i++)
        bytes += kdpi_dict_entry_bytes(kdpi_dict_find(&writer->dict, writer->ids[i]));
    entries = kdpi_grow(writer->entries, &writer->entries_room, 1, bytes);
    if (entries == NULL)
        return -KDP_ENOMEM;
    writer->entries = entries;
    for (uint32_t i = first_id; i < writer->id_count; i++) {
        const struct kdpi_dict_item *item = kdpi_dict_find(&writer->dict, writer->ids[i]);
        size_t size = kdpi_dict_entry_bytes(item);

        if (plan == NULL || plan->head.bytes + size > KDP_TAPE_BLOCK_MAX) {
            plan = plan_add(writer, KDPI_TAPE_KIND_DICTIONARY, input_index);
            if (plan == NULL)
                return -KDP_ENOMEM;
            plan->payload = entries + at;
            plan->head.first_seq = first_seq;
        }
        kdpi_dict_encode(entries + at, writer->ids[i], item);
        at += size;
        plan->head.bytes += (uint32_t)size;
        plan->head.count++;
        plan->head.payload_crc = kdpi_crc32c(plan->head.payload_crc, entries + at - size, size);
    }
    return 0;
}

static int
write_plans(struct kdp_tape_writer *writer, struct iovec *iov, size_t count)
{
    uint64_t offset = writer->end;

    while (count > 0) {
        ssize_t done = pwritev(writer->fd, iov, count > IOV_BATCH ? IOV_BATCH : (int)count, (off_t)offset);

        if (done < 0) {
            if (errno == EINTR)
                continue;
            return kdpi_fail_errno(errno, "cannot write %s", writer->path);
        }
        offset += (uint64_t)done;
        while (count > 0 && (size_t)done >= iov->iov_len) {
            done -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (uint8_t *)iov->iov_base + done;
            iov->iov_len -= (size_t)done;
        }
    }
    return 0;
}

/* Gives the planned blocks their places, writes them, and only then lets index and hash know. */
static int
commit(struct kdp_tape_writer *writer, size_t dictionaries)
{
    size_t count = writer->plan_count, blocks = count - dictionaries;
    struct iovec iov_few[2 * 16], *iov = iov_few;
    struct kdp_tape_block *grown;
    uint64_t offset = writer->end;
    int rc;

    grown = kdpi_grow(writer->blocks, &writer->block_room, sizeof *grown, writer->block_count + blocks);
    if (grown == NULL)
        return -KDP_ENOMEM;
    writer->blocks = grown;
    if (count > 16) {
        iov = malloc(2 * count * sizeof *iov);
        if (iov == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory: tape writer");
    }
    for (size_t i = 0; i < count; i++) {
        /* dictionary blocks were planned last and are written first */
        struct plan *plan = &writer->plans[i < dictionaries ? blocks + i : i - dictionaries];

        plan->head.offset = offset;
        kdpi_tape_head_finish(&plan->head);
        iov[2 * i].iov_base = &plan->head;
        iov[2 * i].iov_len = sizeof plan->head;
        memcpy(&iov[2 * i + 1].iov_base, &plan->payload, sizeof plan->payload); /* pwritev only reads */
        iov[2 * i + 1].iov_len = plan->head.bytes;
        offset += sizeof plan->head + plan->head.bytes;
    }
    rc = write_plans(writer, iov, 2 * count);
    if (iov != iov_few)
        free(iov);
    if (rc != 0) {
        if (ftruncate(writer->fd, (off_t)writer->end) != 0)
            writer->failed = rc = kdpi_fail_errno(errno, "cannot shorten: %s", writer->path);
        else if (rc != -KDP_EFULL)
            writer->failed = rc;
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        const struct plan *plan = &writer->plans[i < dictionaries ? blocks + i : i - dictionaries];

        XXH3_128bits_update(writer->hash, &plan->head, sizeof plan->head);
        XXH3_128bits_update(writer->hash, plan->payload, plan->head.bytes);
        if (plan->head.kind == KDPI_TAPE_KIND_RECORDS) {
            kdpi_tape_block_of(&plan->head, &writer->blocks[writer->block_count++]);
            writer->records += plan->head.count;
        }
    }
    writer->end = offset;
    return 0;
}

int
kdp_tape_append(struct kdp_tape_writer *writer, const void *records, size_t bytes, uint64_t input_index)
{
    const uint8_t *at = records, *end = at + bytes;
    uint64_t next_seq = writer->next_seq, family_count[4];
    int64_t running_max = writer->recv_running_max_ns;
    uint32_t id_count;
    size_t blocks;
    int rc = 0;

    if (writer->failed != 0)
        return kdpi_fail((enum kdp_error) - writer->failed, "the tape cannot be written any more: %s",
                         writer->path);
    if (bytes == 0)
        return 0;
    if (writer->fd >= 0 && writer->end >= writer->segment_bytes)
        rc = segment_seal(writer);
    if (rc == 0 && writer->fd < 0)
        rc = segment_begin(writer);
    if (rc != 0)
        return rc;
    id_count = writer->id_count;
    memcpy(family_count, writer->family_count, sizeof family_count);
    writer->plan_count = 0;
    while (rc == 0 && at < end) {
        struct plan *plan = plan_add(writer, KDPI_TAPE_KIND_RECORDS, input_index);

        rc = plan == NULL ? -KDP_ENOMEM : plan_records(writer, plan, at, end);
        if (rc == 0)
            at += plan->head.bytes;
    }
    blocks = writer->plan_count;
    if (rc == 0 && writer->id_count > id_count)
        rc = plan_dictionary(writer, id_count, next_seq, input_index);
    if (rc == 0)
        rc = commit(writer, writer->plan_count - blocks);
    if (rc == 0)
        return 0;
    /* as if it had not been called; what was learnt of instruments stays true */
    while (writer->id_count > id_count)
        *kdpi_dict_mark(&writer->dict, writer->ids[--writer->id_count]) = 0;
    writer->next_seq = next_seq;
    writer->recv_running_max_ns = running_max;
    memcpy(writer->family_count, family_count, sizeof family_count);
    return rc;
}

int
kdp_tape_sync(struct kdp_tape_writer *writer)
{
    int rc;

    if (writer->failed != 0)
        return kdpi_fail((enum kdp_error) - writer->failed, "the tape cannot be written any more: %s",
                         writer->path);
    if (writer->fd < 0 || (writer->synced == writer->end && !writer->folder_dirty))
        return 0;
    if (fdatasync(writer->fd) != 0) {
        /* the kernel may have dropped the pages that failed and would call the next sync a success */
        writer->failed = kdpi_fail_errno(errno, "cannot sync: %s", writer->path);
        if (writer->failed == -KDP_EFULL)
            writer->failed = kdpi_fail(KDP_EIO, "cannot sync: %s: no space left on device", writer->path);
        return writer->failed;
    }
    if (writer->folder_dirty) {
        rc = kdpi_file_sync(writer->folder);
        if (rc != 0)
            return rc;
        writer->folder_dirty = false;
    }
    writer->synced = writer->end;
    return 0;
}
