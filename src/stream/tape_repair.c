/* tape_repair.c - kdp tape repair: a new file from what is whole of a damaged one.
 *
 * Each segment that verify finds fault with is written anew under another name: header, one dictionary, its
 * good blocks, and a footer that notes what is lost.  The damaged file is then linked as NAME.damaged and the
 * new one renamed over it, so that at any moment a whole file stands under the segment's name.  A segment
 * that is missing becomes one that holds nothing but the note. */
#include "tape_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "clock.h"
#include "crc32c.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "numbered.h"
#include "plantfile.h"
#include "tape_seal.h"
#include "tape_survey.h"

struct repair {
    char folder[KDPI_TAPE_PATH];
    bool write;
    void (*each)(void *arg, const struct kdp_tape_mend *mend);
    void *arg;
    struct kdpi_survey *surveys; /* of the segments there are */
    size_t count;
    struct kdpi_dict known; /* instruments of all segments: ids are never reused, so any may describe them */
    struct kdpi_tape_end previous;
    int mended;
};

struct rewrite { /* of one segment */
    int fd;
    char path[KDPI_TAPE_PATH];
    uint64_t end;
    XXH3_state_t *hash;
    struct kdp_tape_block *blocks;
    size_t block_count;
    struct kdpi_tape_hole *holes;
    uint32_t hole_count;
    uint32_t *ids;
    uint32_t id_count;
    uint64_t records, next_seq, families[4];
    int64_t running_max;
    uint8_t *payload;
};

static int
put(struct rewrite *out, const void *bytes, size_t len)
{
    int rc = kdpi_file_write(out->fd, bytes, len, out->end, out->path);

    if (rc == 0) {
        XXH3_128bits_update(out->hash, bytes, len);
        out->end += len;
    }
    return rc;
}

/* Sequences first to last are not in what was saved. */
static int
note_hole(struct rewrite *out, uint64_t first, uint64_t last)
{
    struct kdpi_tape_hole *grown = realloc(out->holes, (out->hole_count + 1) * sizeof *grown);

    if (grown == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: repair");
    out->holes = grown;
    out->holes[out->hole_count++] = (struct kdpi_tape_hole){first, last};
    return 0;
}

/* ---- what is to be saved ---- */

/* Where the segment has to begin and end, its neighbours considered: a hole reaches from one to the other. */
struct span {
    uint64_t first, last;
};

static struct span
span_of(const struct repair *repair, size_t index)
{
    const struct kdpi_survey *survey = &repair->surveys[index];
    struct span span = {survey->first_seq, survey->last_seq};

    if (survey->header_fault != NULL && repair->previous.number != 0)
        span.first = repair->previous.last_seq + 1;
    if (survey->trailer_fault == NULL && survey->trailer.last_seq > span.last)
        span.last = survey->trailer.last_seq;
    if (index + 1 < repair->count && repair->surveys[index + 1].header_fault == NULL &&
        repair->surveys[index + 1].header.previous_number == survey->number &&
        repair->surveys[index + 1].header.previous_last_seq > span.last)
        span.last = repair->surveys[index + 1].header.previous_last_seq;
    return span;
}

/* Notes the holes between first and last that the blocks leave: those of an earlier repair stay noted. */
static int
find_holes(const struct kdpi_survey *survey, struct span span, struct rewrite *out)
{
    uint64_t next = span.first;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < survey->block_count; i++) {
        const struct kdpi_survey_block *block = &survey->blocks[i];

        if (!block->good)
            continue;
        if (next != 0 && block->head.first_seq > next)
            rc = note_hole(out, next, block->head.first_seq - 1);
        next = block->head.first_seq + block->head.count;
    }
    if (rc == 0 && next != 0 && span.last >= next)
        rc = note_hole(out, next, span.last);
    return rc;
}

static bool
needs_repair(const struct repair *repair, size_t index)
{
    const struct kdpi_survey *survey = &repair->surveys[index];
    struct span span = span_of(repair, index);

    if (survey->torn)
        return false;
    return survey->damages > 0 || (survey->last_seq < span.last && survey->trailer_fault != NULL);
}

/* ---- writing ---- */

/* The counts of the feed families before a segment whose header is gone: what its first block says, less its
 * own. */
static void
count_before(const struct repair *repair, const struct kdpi_survey *survey, struct kdpi_tape_header *header)
{
    size_t first = 0;

    while (survey != NULL && first < survey->block_count && !survey->blocks[first].good)
        first++;
    if (survey != NULL && first < survey->block_count) {
        for (unsigned i = 0; i < 4; i++) {
            uint64_t said = survey->blocks[first].head.family_count[i], own = survey->first_families[i];

            header->family_count[i] = said > own ? said - own : 0;
        }
    } else if (repair->previous.session == header->session) {
        memcpy(header->family_count, repair->previous.family_count, sizeof header->family_count);
    }
}

static int
write_header(const struct repair *repair, const struct kdpi_survey *survey, uint64_t number, struct span span,
             struct rewrite *out)
{
    struct kdpi_tape_header header = {.number = number};

    if (survey != NULL && survey->header_fault == NULL) {
        header = survey->header;
    } else {
        header.session = survey != NULL && survey->session != 0 ? survey->session : repair->previous.session;
        header.first_seq = span.first;
        header.created_ns = kdpi_now_ns();
        header.previous_number = repair->previous.number;
        header.previous_last_seq = repair->previous.number == 0 ? 0 : repair->previous.last_seq;
        memcpy(header.previous_hash, repair->previous.hash, sizeof header.previous_hash);
        header.recv_running_max_ns = repair->previous.recv_running_max_ns;
        count_before(repair, survey, &header);
        kdpi_tape_header_finish(&header);
    }
    out->running_max = header.recv_running_max_ns;
    out->next_seq = header.first_seq;
    memcpy(out->families, header.family_count, sizeof out->families);
    return put(out, &header, sizeof header);
}

static int
read_payload(const struct kdpi_survey *survey, int fd, const struct kdpi_tape_block_head *head,
             uint8_t *payload)
{
    int rc = kdpi_tape_pread(fd, payload, head->bytes, head->offset + sizeof *head, survey->path);

    if (rc <= 0)
        return rc < 0 ? rc : kdpi_fail(KDP_ETRUNCATED, "ends too early: %s", survey->path);
    if (kdpi_crc32c(0, payload, head->bytes) != head->payload_crc)
        return kdpi_fail(KDP_EFORMAT, "changed while it was being repaired: %s", survey->path);
    return 0;
}

/* The ids that the good records name and that anything describes. */
static int
name_all(const struct repair *repair, const struct kdpi_survey *survey, struct rewrite *out)
{
    size_t room = 0;
    uint32_t *ids;

    for (uint32_t page = 0; page < survey->dict.page_count; page++) {
        for (uint32_t i = 0; survey->dict.pages[page] != NULL && i < KDPI_DICT_PAGE; i++) {
            uint32_t id = page * KDPI_DICT_PAGE + i;

            if (!(survey->dict.pages[page]->mark[i] & 1) || kdpi_dict_find(&repair->known, id) == NULL)
                continue;
            ids = kdpi_grow(out->ids, &room, sizeof *ids, (size_t)out->id_count + 1);
            if (ids == NULL)
                return -KDP_ENOMEM;
            out->ids = ids;
            out->ids[out->id_count++] = id;
        }
    }
    return 0;
}

static int
put_block(struct rewrite *out, struct kdpi_tape_block_head *head)
{
    int rc;

    head->offset = out->end;
    head->synced = out->end; /* the file is synced whole before it gets its name */
    kdpi_tape_head_finish(head);
    rc = put(out, head, sizeof *head);
    return rc != 0 ? rc : put(out, out->payload, head->bytes);
}

static int
write_dictionary(const struct repair *repair, const struct kdpi_survey *survey, uint64_t first_seq,
                 uint64_t number, uint64_t session, struct rewrite *out)
{
    uint32_t at = 0;
    int rc = name_all(repair, survey, out);

    while (rc == 0 && at < out->id_count) {
        struct kdpi_tape_block_head head = {
            .kind = KDPI_TAPE_KIND_DICTIONARY,
            .first_seq = first_seq,
            .recv_min_ns = KDP_TIME_NULL,
            .recv_max_ns = KDP_TIME_NULL,
            .number = number,
            .session = session,
        };

        for (; at < out->id_count; at++) {
            const struct kdpi_dict_item *item = kdpi_dict_find(&repair->known, out->ids[at]);

            if (head.bytes + kdpi_dict_entry_bytes(item) > KDP_TAPE_BLOCK_MAX)
                break;
            kdpi_dict_encode(out->payload + head.bytes, out->ids[at], item);
            head.bytes += (uint32_t)kdpi_dict_entry_bytes(item);
            head.count++;
        }
        head.payload_crc = kdpi_crc32c(0, out->payload, head.bytes);
        rc = put_block(out, &head);
    }
    return rc;
}

/* Head sums are made anew from the records, since one of them may be what was wrong. */
static void
recount(struct kdpi_tape_block_head *head, const uint8_t *payload, struct rewrite *out)
{
    const uint8_t *at = payload, *end = at + head->bytes;

    head->template_mask = 0;
    memset(head->instruments, 0, sizeof head->instruments);
    head->recv_min_ns = INT64_MAX;
    head->recv_max_ns = INT64_MIN;
    while (at < end) {
        struct kdp_head record;

        memcpy(&record, at, sizeof record);
        if (record.recv_ns < head->recv_min_ns)
            head->recv_min_ns = record.recv_ns;
        if (record.recv_ns > head->recv_max_ns)
            head->recv_max_ns = record.recv_ns;
        head->template_mask |= 1u << (record.template_id % 32);
        if (record.instrument != 0) {
            unsigned bit = kdpi_tape_filter_bit(record.instrument);

            head->instruments[bit / 64] |= UINT64_C(1) << (bit % 64);
        }
        kdpi_tape_families(out->families, record.template_id, 1);
        at += kdpi_tape_record_size(at, (size_t)(end - at));
    }
    if (head->recv_max_ns > out->running_max)
        out->running_max = head->recv_max_ns;
    head->recv_running_max_ns = out->running_max;
    /* behind a hole the counts of what is lost stand only in the head itself */
    for (unsigned i = 0; i < 4; i++)
        if (head->first_seq != out->next_seq && head->family_count[i] > out->families[i])
            out->families[i] = head->family_count[i];
    memcpy(head->family_count, out->families, sizeof head->family_count);
    out->next_seq = head->first_seq + head->count;
}

static int
write_blocks(const struct kdpi_survey *survey, struct rewrite *out)
{
    int fd = open(survey->path, O_RDONLY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot open: %s", survey->path);
    out->blocks = calloc(survey->block_count + 1, sizeof *out->blocks);
    if (out->blocks == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: repair of %s", survey->path);
    for (size_t i = 0; rc == 0 && i < survey->block_count; i++) {
        struct kdpi_tape_block_head head = survey->blocks[i].head;

        if (!survey->blocks[i].good)
            continue;
        rc = read_payload(survey, fd, &head, out->payload);
        if (rc != 0)
            break;
        recount(&head, out->payload, out);
        rc = put_block(out, &head);
        if (rc == 0) {
            kdpi_tape_block_of(&head, &out->blocks[out->block_count++]);
            out->records += head.count;
        }
    }
    close(fd);
    return rc;
}

/* The damaged file keeps a name of its own; the new one takes the old name in one step. */
static int
exchange(const char *path, const char *fresh, const char *folder, char *kept, size_t kept_size)
{
    kept[0] = '\0';
    for (unsigned i = 1; i < 1000; i++) {
        if (i == 1)
            snprintf(kept, kept_size, "%s.damaged", path);
        else
            snprintf(kept, kept_size, "%s.damaged.%u", path, i);
        if (link(path, kept) == 0)
            break;
        if (errno == ENOENT) { /* it was missing */
            kept[0] = '\0';
            break;
        }
        if (errno != EEXIST)
            return kdpi_fail_errno(errno, "cannot keep the damaged file as %s", kept);
    }
    if (rename(fresh, path) != 0)
        return kdpi_fail_errno(errno, "cannot rename %s", fresh);
    return kdpi_file_sync(folder);
}

static int
write_segment(struct repair *repair, const struct kdpi_survey *survey, uint64_t number, struct span span,
              struct rewrite *out, char *kept, size_t kept_size)
{
    uint64_t session = survey != NULL && survey->session != 0 ? survey->session : repair->previous.session;
    char path[KDPI_TAPE_PATH];
    struct kdpi_seal seal;
    int rc;

    rc = kdpi_tape_path(path, sizeof path, repair->folder, number);
    if (rc == 0 && (size_t)snprintf(out->path, sizeof out->path, "%s.new", path) >= sizeof out->path)
        rc = kdpi_fail(KDP_EINVAL, "name too long: %s", path);
    if (rc != 0)
        return rc;
    out->fd = open(out->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out->fd < 0)
        return kdpi_fail_errno(errno, "cannot make: %s", out->path);
    rc = write_header(repair, survey, number, span, out);
    if (rc == 0 && survey != NULL)
        rc = write_dictionary(repair, survey, span.first, number, session, out);
    if (rc == 0 && survey != NULL)
        rc = write_blocks(survey, out);
    if (rc == 0) {
        seal = (struct kdpi_seal){
            .fd = out->fd,
            .path = out->path,
            .folder = repair->folder,
            .number = number,
            .session = session,
            .end = out->end,
            .blocks = out->blocks,
            .block_count = out->block_count,
            .holes = out->holes,
            .hole_count = out->hole_count,
            .dict = &repair->known,
            .ids = out->ids,
            .id_count = out->id_count,
            .records = out->records,
            .last_seq = span.last,
            .recv_running_max_ns = out->running_max,
            .repaired = true,
            .hash = out->hash,
        };
        rc = kdpi_tape_seal(&seal, repair->previous.hash);
    }
    close(out->fd);
    if (rc == 0)
        rc = exchange(path, out->path, repair->folder, kept, kept_size);
    if (rc != 0)
        unlink(out->path);
    return rc;
}

/* Tells of one segment, and writes it when asked to.  survey NULL: it is missing. */
static int
mend(struct repair *repair, const struct kdpi_survey *survey, uint64_t number, struct span span)
{
    char path[KDPI_TAPE_PATH], kept[KDPI_TAPE_PATH + 32] = "";
    struct rewrite out = {.end = 0, .hash = XXH3_createState(), .payload = malloc(KDP_TAPE_BLOCK_MAX)};
    struct kdp_tape_mend told = {.path = path};
    int rc = kdpi_tape_path(path, sizeof path, repair->folder, number);

    if (out.hash == NULL || out.payload == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: repair of %s", path);
    if (rc == 0) {
        XXH3_128bits_reset(out.hash);
        rc = survey != NULL ? find_holes(survey, span, &out) : note_hole(&out, span.first, span.last);
    }
    if (rc == 0 && repair->write)
        rc = write_segment(repair, survey, number, span, &out, kept, sizeof kept);
    if (rc == 0) {
        repair->mended++;
        for (size_t i = 0; survey != NULL && i < survey->block_count; i++)
            told.blocks += survey->blocks[i].good;
        told.records = survey != NULL ? survey->records : 0;
        told.kept = kept[0] != '\0' ? kept : NULL;
        for (uint32_t i = 0; i < out.hole_count; i++) {
            if (told.lost_first == 0)
                told.lost_first = out.holes[i].first;
            told.lost_last = out.holes[i].last;
            told.lost += out.holes[i].last - out.holes[i].first + 1;
        }
        if (repair->each != NULL)
            repair->each(repair->arg, &told);
    }
    if (out.hash != NULL)
        XXH3_freeState(out.hash);
    free(out.payload);
    free(out.blocks);
    free(out.holes);
    free(out.ids);
    return rc;
}

/* ---- the whole tape ---- */

/* Segments that are missing before index: each takes its share of the sequences that are. */
static int
mend_missing(struct repair *repair, size_t index)
{
    const struct kdpi_survey *survey = &repair->surveys[index];
    uint64_t number = repair->previous.number + 1, first = repair->previous.last_seq + 1, last;
    int rc = 0;

    if (repair->previous.number == 0 || survey->header_fault != NULL)
        return 0; /* a tape begins anywhere; without a header nothing says how far the hole reaches */
    last = survey->header.previous_last_seq;
    for (; rc == 0 && number < survey->number && first <= last; number++) {
        struct span span = {first, number + 1 == survey->number ? last : first};

        rc = mend(repair, NULL, number, span);
        repair->previous.number = number;
        repair->previous.last_seq = span.last;
        first = span.last + 1;
    }
    return rc;
}

static int
mend_segment(struct repair *repair, size_t index)
{
    const struct kdpi_survey *survey = &repair->surveys[index];
    struct span span = span_of(repair, index);
    int rc = 0;

    if (needs_repair(repair, index)) {
        if (span.first == 0 || span.last == 0) {
            rc = kdpi_fail(KDP_EFORMAT,
                           "nothing can be saved: %s: no whole block, and no neighbour says what it held",
                           survey->path);
            kdpi_hint("Move the file away; the tape then ends before it. Its raw tape, if there is one, can "
                      "be replayed");
            return rc;
        }
        rc = mend(repair, survey, survey->number, span);
    } else if (survey->trailer_fault == NULL) {
        memcpy(repair->previous.hash, survey->trailer.hash, sizeof repair->previous.hash);
    }
    repair->previous.number = survey->number;
    repair->previous.session = survey->session;
    if (span.last != 0)
        repair->previous.last_seq = span.last;
    if (survey->block_count > 0) {
        const struct kdpi_tape_block_head *head = &survey->blocks[survey->block_count - 1].head;

        repair->previous.recv_running_max_ns = head->recv_running_max_ns;
        memcpy(repair->previous.family_count, head->family_count, sizeof repair->previous.family_count);
    }
    return rc;
}

static void
learn(struct repair *repair, const struct kdpi_survey *survey)
{
    for (uint32_t page = 0; page < survey->dict.page_count; page++) {
        for (uint32_t i = 0; survey->dict.pages[page] != NULL && i < KDPI_DICT_PAGE; i++) {
            const struct kdpi_dict_item *item = &survey->dict.pages[page]->item[i];
            struct kdp_tape_instrument instrument = {page * KDPI_DICT_PAGE + i, item->ticker,
                                                     item->ticker_len, item->ranges, item->range_count};

            if (item->ticker != NULL)
                kdpi_dict_put(&repair->known, &instrument, false);
        }
    }
}

static int
data_folder(const struct repair *repair, char *buf, size_t size)
{
    char *slash;

    /* DIR/tape or DIR/./tape: the lock lies in what holds the segments' folder */
    if (realpath(repair->folder, buf) == NULL || strlen(buf) + 1 > size)
        return kdpi_fail_errno(errno, "cannot find: %s", repair->folder);
    slash = strrchr(buf, '/');
    if (slash != NULL && slash != buf && strcmp(slash, "/tape") == 0)
        *slash = '\0';
    return 0;
}

int
kdp_tape_repair(const char *dir, bool write, void (*each)(void *arg, const struct kdp_tape_mend *mend),
                void *arg)
{
    struct repair *repair = calloc(1, sizeof *repair);
    struct kdp_tape_totals totals = {0};
    uint64_t *numbers = NULL;
    char data[PATH_MAX];
    size_t count = 0;
    struct stat st;
    int rc, lock = -1;

    if (repair == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: repair");
    repair->write = write;
    repair->each = each;
    repair->arg = arg;
    repair->previous.recv_running_max_ns = KDP_TIME_NULL;
    kdpi_dict_init(&repair->known);
    rc = kdpi_tape_folder(repair->folder, sizeof repair->folder, dir);
    if (rc == 0 && stat(repair->folder, &st) != 0)
        rc = kdpi_fail(KDP_ENOENT, "no tape: %s", repair->folder);
    if (rc == 0 && write) {
        rc = data_folder(repair, data, sizeof data);
        if (rc == 0)
            lock = rc = kdpi_plant_lock(data, kdpi_now_ns());
        if (rc > 0)
            rc = 0;
    }
    if (rc == 0)
        rc = kdpi_numbered(repair->folder, ".seg", &numbers, &count);
    repair->surveys = calloc(count + 1, sizeof *repair->surveys);
    if (rc == 0 && repair->surveys == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: repair");
    for (; rc == 0 && repair->count < count; repair->count++) {
        struct kdpi_survey *survey = &repair->surveys[repair->count];

        rc = kdpi_survey_segment(survey, repair->folder, numbers[repair->count], repair->count + 1 == count,
                                 NULL, &totals, 0, 0);
        if (rc == 0)
            learn(repair, survey);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = mend_missing(repair, i);
        if (rc == 0)
            rc = mend_segment(repair, i);
    }
    for (size_t i = 0; repair->surveys != NULL && i < count; i++)
        kdpi_survey_release(&repair->surveys[i]);
    rc = rc < 0 ? rc : repair->mended;
    if (lock >= 0)
        close(lock);
    kdpi_dict_release(&repair->known);
    free(repair->surveys);
    free(numbers);
    free(repair);
    return rc;
}
