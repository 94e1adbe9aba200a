/* tape_survey.c - one segment file looked through from end to end. */
#include "tape_survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "crc32c.h"
#include "error.h"
#include "memory.h"
#include "tape_scan.h"

#define NAMED 1u
#define DESCRIBED 2u

struct walk {
    struct kdpi_survey *survey;
    const struct kdp_tape_check *check;
    struct kdp_tape_totals *totals;
    struct kdpi_scan scan;
    uint8_t *payload;
    uint64_t expected; /* offset where the next block should begin */
    uint64_t next_seq; /* 0: any */
    int64_t running_max;
    uint64_t families[4];
    uint64_t done_bytes, total_bytes;
};

static void
found(struct walk *walk, enum kdp_tape_finding_kind kind, uint64_t offset, uint64_t first_seq,
      uint64_t last_seq, const char *what)
{
    struct kdp_tape_finding finding = {kind, walk->survey->path, offset, first_seq, last_seq, what};

    if (kind == KDP_TAPE_DAMAGE)
        walk->survey->damages++;
    else
        walk->survey->notices++;
    if (walk->check != NULL && walk->check->finding != NULL)
        walk->check->finding(walk->check->arg, &finding);
}

void
kdpi_survey_release(struct kdpi_survey *survey)
{
    free(survey->path);
    free(survey->blocks);
    free(survey->holes);
    kdpi_dict_release(&survey->dict);
    memset(survey, 0, sizeof *survey);
}

static int
describe(void *arg, const struct kdp_tape_instrument *instrument)
{
    struct kdpi_survey *survey = arg;
    uint32_t *mark;

    if (kdpi_dict_put(&survey->dict, instrument, false) < 0)
        return -KDP_ENOMEM;
    mark = kdpi_dict_mark(&survey->dict, instrument->id);
    if (mark == NULL)
        return -KDP_ENOMEM;
    *mark |= DESCRIBED;
    return 0;
}

/* Recomputes what the head says of its records; NULL when all agrees. */
static const char *
recount(struct walk *walk, const struct kdpi_tape_block_head *head)
{
    uint64_t instruments[4] = {0}, families[4], counts[KDP_TEMPLATE_MAX + 1] = {0};
    int64_t min = INT64_MAX, max = INT64_MIN, running = walk->running_max;
    bool follows =
        head->first_seq == walk->next_seq; /* else the sums of what is missing are in its head, not here */
    const uint8_t *at = walk->payload, *end = at + head->bytes;
    bool wrong = false;
    uint32_t mask = 0;

    while (at < end) {
        size_t size = kdpi_tape_record_size(at, (size_t)(end - at));
        struct kdp_head record;

        memcpy(&record, at, sizeof record);
        min = record.recv_ns < min ? record.recv_ns : min;
        max = record.recv_ns > max ? record.recv_ns : max;
        mask |= 1u << (record.template_id % 32);
        if (record.template_id <= KDP_TEMPLATE_MAX)
            counts[record.template_id]++;
        if (record.instrument != 0) {
            unsigned bit = kdpi_tape_filter_bit(record.instrument);
            uint32_t *mark = kdpi_dict_mark(&walk->survey->dict, record.instrument);

            instruments[bit / 64] |= UINT64_C(1) << (bit % 64);
            if (mark != NULL) {
                walk->survey->unnamed += *mark == 0;
                *mark |= NAMED;
            }
        }
        at += size;
    }
    if (max > running)
        running = max;
    memcpy(families, walk->families, sizeof families);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++)
        if (counts[id] > 0)
            kdpi_tape_families(families, id, counts[id]);
    for (unsigned i = 0; i < 4 && walk->survey->records == 0; i++)
        walk->survey->first_families[i] = families[i] - walk->families[i];
    /* go on from what the head says: one wrong sum is one finding, not one in every block after it */
    walk->running_max = head->recv_running_max_ns;
    memcpy(walk->families, head->family_count, sizeof walk->families);
    for (unsigned id = 0; id <= KDP_TEMPLATE_MAX; id++)
        walk->totals->by_template[id] += counts[id];
    if (walk->totals->recv_min_ns == KDP_TIME_NULL || min < walk->totals->recv_min_ns)
        walk->totals->recv_min_ns = min;
    if (max > walk->totals->recv_max_ns)
        walk->totals->recv_max_ns = max;
    if (min != head->recv_min_ns || max != head->recv_max_ns)
        return "receive times of the head are not those of the records";
    if (follows ? running != head->recv_running_max_ns : running > head->recv_running_max_ns)
        return "the running maximum of receive time is wrong";
    if (mask != head->template_mask)
        return "the mask of record types is wrong";
    if (memcmp(instruments, head->instruments, sizeof instruments) != 0)
        return "the instrument filter is wrong";
    for (unsigned i = 0; i < 4; i++)
        wrong |= follows ? families[i] != head->family_count[i] : families[i] > head->family_count[i];
    if (wrong)
        return "the counts of the feed families are wrong";
    return NULL;
}

static int
add_block(struct kdpi_survey *survey, const struct kdpi_tape_block_head *head, bool good)
{
    struct kdpi_survey_block *blocks =
        kdpi_grow(survey->blocks, &survey->block_room, sizeof *blocks, survey->block_count + 1);

    if (blocks == NULL)
        return -KDP_ENOMEM;
    survey->blocks = blocks;
    survey->blocks[survey->block_count++] = (struct kdpi_survey_block){*head, good};
    return 0;
}

static int
see_records(struct walk *walk, const struct kdpi_tape_block_head *head, const char *fault)
{
    struct kdpi_survey *survey = walk->survey;
    uint64_t first = head->first_seq, last = first + head->count - 1;
    bool good;

    if (fault == NULL)
        fault = kdpi_tape_payload_fault(walk->payload, head->bytes, first, head->count);
    good = fault == NULL;
    if (good && first < walk->next_seq) {
        fault = "sequences stand here a second time";
        good = false;
    }
    if (good) {
        fault = recount(walk, head);
        if (walk->next_seq != 0 && first > walk->next_seq && walk->survey->trailer_fault != NULL)
            found(walk, KDP_TAPE_DAMAGE, head->offset, walk->next_seq, first - 1, "sequences are missing");
        survey->records += head->count;
        survey->last_seq = last;
        walk->next_seq = last + 1;
        walk->totals->records += head->count;
        walk->totals->payload_bytes += head->bytes;
    }
    if (fault != NULL)
        found(walk, KDP_TAPE_DAMAGE, head->offset, first, last, fault);
    walk->totals->blocks++;
    return add_block(survey, head, good);
}

static int
see_block(void *arg, const struct kdpi_tape_block_head *head)
{
    struct walk *walk = arg;
    struct kdpi_survey *survey = walk->survey;
    const char *fault = NULL;
    int rc;

    if (walk->check != NULL && walk->check->stop != NULL && walk->check->stop(walk->check->arg))
        return kdpi_fail(KDP_ESTOPPED, "stopped");
    if (walk->check != NULL && walk->check->progress != NULL)
        walk->check->progress(walk->check->arg, walk->done_bytes + head->offset, walk->total_bytes);
    if (head->offset != walk->expected)
        found(walk, KDP_TAPE_DAMAGE, walk->expected, walk->next_seq, 0, "no whole block begins here");
    walk->expected = head->offset + sizeof *head + head->bytes;
    rc =
        kdpi_tape_pread(walk->scan.fd, walk->payload, head->bytes, head->offset + sizeof *head, survey->path);
    if (rc <= 0)
        return rc < 0 ? rc : kdpi_fail(KDP_ETRUNCATED, "ends too early: %s", survey->path);
    if (kdpi_crc32c(0, walk->payload, head->bytes) != head->payload_crc)
        fault = "bad checksum";
    /* without a header the first block says whose segment it is */
    if ((survey->header_fault == NULL || survey->session != 0) && head->session != survey->session &&
        fault == NULL)
        fault = "a block of another session";
    if (survey->session == 0)
        survey->session = head->session;
    if (head->kind == KDPI_TAPE_KIND_RECORDS)
        return see_records(walk, head, fault);
    if (fault == NULL)
        fault = kdpi_dict_decode(walk->payload, head->bytes, head->count, describe, survey);
    if (fault == NULL && (head->recv_min_ns != KDP_TIME_NULL || head->recv_max_ns != KDP_TIME_NULL ||
                          head->template_mask != 0 || head->recv_running_max_ns != 0))
        fault = "a dictionary's head says more than it may";
    if (fault != NULL)
        found(walk, KDP_TAPE_DAMAGE, head->offset, 0, 0, fault);
    walk->totals->dictionary_bytes += head->bytes;
    return 0;
}

/* ---- header and footer ---- */

static int
see_ends(struct walk *walk, bool last)
{
    struct kdpi_survey *survey = walk->survey;
    int rc = kdpi_tape_pread(walk->scan.fd, &survey->header, sizeof survey->header, 0, survey->path);

    survey->header_fault = "the file ends inside its header";
    survey->trailer_fault = "no trailer";
    if (rc > 0)
        survey->header_fault = kdpi_tape_header_fault(&survey->header, survey->number);
    if (rc >= 0 && survey->header_fault != NULL) {
        if (memcmp(survey->header.magic, KDPI_TAPE_MAGIC, sizeof survey->header.magic) == 0 &&
            survey->header.version > KDP_TAPE_VERSION)
            return kdpi_tape_version_fail(survey->path, survey->header.version);
        survey->torn = last && kdpi_tape_header_torn(&survey->header, survey->size);
    }
    if (rc < 0 || survey->size < sizeof survey->header + sizeof survey->trailer)
        return rc < 0 ? rc : 0;
    rc = kdpi_tape_pread(walk->scan.fd, &survey->trailer, sizeof survey->trailer,
                         survey->size - sizeof survey->trailer, survey->path);
    if (rc > 0)
        survey->trailer_fault = kdpi_tape_trailer_fault(&survey->trailer, survey->number, survey->size);
    return rc < 0 ? rc : 0;
}

static int
check_hash(struct walk *walk)
{
    struct kdpi_survey *survey = walk->survey;
    uint64_t end = survey->size - sizeof survey->trailer;
    XXH3_state_t *state = XXH3_createState();
    XXH128_canonical_t hash;

    if (state == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: check of %s", survey->path);
    XXH3_128bits_reset(state);
    for (uint64_t at = 0; at < end;) {
        size_t len = end - at < KDP_TAPE_BLOCK_MAX ? (size_t)(end - at) : KDP_TAPE_BLOCK_MAX;
        int rc = kdpi_tape_pread(walk->scan.fd, walk->payload, len, at, survey->path);

        if (rc <= 0) {
            XXH3_freeState(state);
            return rc < 0 ? rc : kdpi_fail(KDP_ETRUNCATED, "ends too early: %s", survey->path);
        }
        XXH3_128bits_update(state, walk->payload, len);
        at += len;
    }
    XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    if (memcmp(&hash, survey->trailer.hash, sizeof hash) != 0)
        found(walk, KDP_TAPE_DAMAGE, UINT64_MAX, 0, 0, "the file's hash is not the one in its trailer");
    return 0;
}

static bool
hole_noted(const struct kdpi_survey *survey, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < survey->hole_count && first <= last; i++)
        if (survey->holes[i].first <= first && survey->holes[i].last >= first)
            first = survey->holes[i].last + 1;
    return first > last;
}

/* A footer with a whole trailer: is it what the blocks say? */
static int
check_footer(struct walk *walk)
{
    struct kdpi_survey *survey = walk->survey;
    const struct kdpi_tape_trailer *trailer = &survey->trailer;
    uint64_t index_bytes = trailer->index_count * sizeof(struct kdp_tape_block), noted = 0,
             seq = survey->first_seq;
    uint64_t hole_bytes = trailer->hole_count * sizeof(struct kdpi_tape_hole), bytes;
    const char *fault = NULL;
    uint8_t *footer;
    size_t known = 0;
    int rc;

    bytes = index_bytes + hole_bytes + trailer->dictionary_bytes;
    footer = malloc(bytes + 8);
    if (footer == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: check of %s", survey->path);
    rc = kdpi_tape_pread(walk->scan.fd, footer, bytes, trailer->index_offset, survey->path);
    if (rc <= 0) {
        free(footer);
        return rc < 0 ? rc : kdpi_fail(KDP_ETRUNCATED, "ends too early: %s", survey->path);
    }
    if (kdpi_crc32c(0, footer, bytes) != trailer->footer_crc) {
        fault = "bad checksum of the footer";
    } else {
        survey->holes = malloc(hole_bytes + 1);
        if (survey->holes == NULL) {
            free(footer);
            return kdpi_fail(KDP_ENOMEM, "out of memory: check of %s", survey->path);
        }
        memcpy(survey->holes, footer + index_bytes, hole_bytes);
        survey->hole_count = trailer->hole_count;
        fault = kdpi_dict_decode(footer + index_bytes + hole_bytes, trailer->dictionary_bytes,
                                 trailer->dictionary_count, describe, survey);
    }
    for (size_t i = 0; i < survey->block_count && fault == NULL; i++) {
        struct kdp_tape_block block;

        kdpi_tape_block_of(&survey->blocks[i].head, &block);
        while (known < trailer->index_count &&
               memcmp(footer + known * sizeof block, &block, sizeof block) != 0)
            known++;
        if (known++ >= trailer->index_count)
            fault = "the index is not what the blocks say";
    }
    free(footer);
    if (fault == NULL && known < trailer->index_count && survey->damages == 0)
        fault = "the index names blocks that are not there";
    if (fault != NULL)
        found(walk, KDP_TAPE_DAMAGE, trailer->index_offset, 0, 0, fault);
    for (uint32_t i = 0; i < survey->hole_count; i++) {
        noted += survey->holes[i].last - survey->holes[i].first + 1;
        found(walk, KDP_TAPE_NOTICE, UINT64_MAX, survey->holes[i].first, survey->holes[i].last,
              "lost, as kdp tape repair noted");
    }
    for (size_t i = 0; i < survey->block_count; i++) {
        const struct kdpi_tape_block_head *head = &survey->blocks[i].head;

        if (!survey->blocks[i].good)
            continue;
        if (head->first_seq > seq && !hole_noted(survey, seq, head->first_seq - 1))
            found(walk, KDP_TAPE_DAMAGE, head->offset, seq, head->first_seq - 1, "sequences are missing");
        seq = head->first_seq + head->count;
    }
    if (seq <= trailer->last_seq && !hole_noted(survey, seq, trailer->last_seq))
        found(walk, KDP_TAPE_DAMAGE, trailer->index_offset, seq, trailer->last_seq, "sequences are missing");
    if (survey->damages == 0 &&
        (trailer->records != survey->records || trailer->index_offset != survey->end ||
         trailer->recv_running_max_ns != walk->running_max || trailer->session != survey->session ||
         (survey->hole_count == 0 && trailer->last_seq != survey->last_seq)))
        found(walk, KDP_TAPE_DAMAGE, survey->size - sizeof *trailer, 0, 0,
              "the trailer's sums are not those of the blocks");
    walk->totals->lost += noted;
    return check_hash(walk);
}

/* A trailer that is one but for its checksum, or a file already made read-only. */
static bool
was_sealed(const struct kdpi_survey *survey)
{
    return memcmp(survey->trailer.magic, KDPI_TAPE_SEAL_MAGIC, sizeof survey->trailer.magic) == 0 ||
           (survey->trailer.trailer_bytes == KDPI_TAPE_TRAILER_BYTES &&
            survey->trailer.number == survey->number) ||
           survey->read_only;
}

static void
check_tail(struct walk *walk, bool last)
{
    struct kdpi_survey *survey = walk->survey;
    uint64_t rest = survey->size - survey->end;
    char words[160];

    if (!last || was_sealed(survey)) {
        snprintf(words, sizeof words, "the footer is damaged or cut off: %s", survey->trailer_fault);
        found(walk, KDP_TAPE_DAMAGE, survey->end, 0, 0, words);
    } else if (rest > 0) {
        snprintf(words, sizeof words, "torn tail of %llu bytes, cut by the next start",
                 (unsigned long long)rest);
        found(walk, KDP_TAPE_NOTICE, survey->end, 0, 0, words);
    } else {
        found(walk, KDP_TAPE_NOTICE, UINT64_MAX, 0, 0,
              "not sealed: a plant writes it, or the last run was killed");
    }
}

static int
look_through(struct walk *walk, bool last)
{
    struct kdpi_survey *survey = walk->survey;
    int rc = see_ends(walk, last);

    if (rc != 0)
        return rc;
    survey->first_seq = survey->header_fault == NULL ? survey->header.first_seq : 0;
    survey->session = survey->header_fault == NULL ? survey->header.session : 0;
    survey->end = KDPI_TAPE_HEADER_BYTES;
    if (survey->torn) {
        found(walk, KDP_TAPE_NOTICE, UINT64_MAX, 0, 0,
              "begun and never written out, removed by the next start");
        return 0;
    }
    if (survey->header_fault != NULL)
        found(walk, KDP_TAPE_DAMAGE, 0, 0, 0, survey->header_fault);
    if (survey->header_fault == NULL) {
        walk->next_seq = survey->first_seq;
        walk->running_max = survey->header.recv_running_max_ns;
        memcpy(walk->families, survey->header.family_count, sizeof walk->families);
    }
    walk->scan.size = survey->trailer_fault == NULL ? survey->trailer.index_offset : survey->size;
    /* only the end of the tape may be torn; elsewhere what is no block is damage, and what comes after it
     * counts */
    walk->scan.thorough = !last || survey->trailer_fault == NULL || was_sealed(survey);
    walk->scan.end = walk->expected = KDPI_TAPE_HEADER_BYTES;
    if (survey->size > KDPI_TAPE_HEADER_BYTES)
        rc = kdpi_tape_scan(&walk->scan);
    if (rc != 0)
        return rc;
    if (survey->size > KDPI_TAPE_HEADER_BYTES)
        survey->end = walk->scan.end;
    if (survey->first_seq == 0 && survey->block_count > 0)
        survey->first_seq = survey->blocks[0].head.first_seq;
    if (survey->trailer_fault == NULL && survey->end != survey->trailer.index_offset)
        found(walk, KDP_TAPE_DAMAGE, survey->end, walk->next_seq, 0, "no whole block begins here");
    if (survey->unnamed > 0)
        found(walk, KDP_TAPE_NOTICE, UINT64_MAX, 0, 0,
              "instruments are named that no dictionary before describes");
    if (survey->trailer_fault == NULL)
        return check_footer(walk);
    check_tail(walk, last);
    return 0;
}

int
kdpi_survey_segment(struct kdpi_survey *survey, const char *folder, uint64_t number, bool last,
                    const struct kdp_tape_check *check, struct kdp_tape_totals *totals, uint64_t done_bytes,
                    uint64_t total_bytes)
{
    struct walk walk = {.survey = survey,
                        .check = check,
                        .totals = totals,
                        .running_max = KDP_TIME_NULL,
                        .done_bytes = done_bytes,
                        .total_bytes = total_bytes};
    char path[KDPI_TAPE_PATH];
    struct stat st;
    int rc = kdpi_tape_path(path, sizeof path, folder, number);

    memset(survey, 0, sizeof *survey);
    survey->number = number;
    if (rc != 0)
        return rc;
    survey->path = strdup(path);
    walk.payload = malloc(KDP_TAPE_BLOCK_MAX);
    walk.scan.buffer = malloc(KDP_TAPE_BLOCK_MAX);
    walk.scan.fd = -1;
    if (survey->path == NULL || walk.payload == NULL || walk.scan.buffer == NULL) {
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: check of %s", path);
        goto out;
    }
    walk.scan.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (walk.scan.fd < 0 || fstat(walk.scan.fd, &st) != 0) {
        rc = kdpi_fail_errno(errno, "cannot open: %s", path);
        goto out;
    }
    survey->there = true;
    survey->size = (uint64_t)st.st_size;
    survey->read_only = (st.st_mode & 0222) == 0;
    walk.scan.path = survey->path;
    walk.scan.number = number;
    walk.scan.each = see_block;
    walk.scan.arg = &walk;
    rc = look_through(&walk, last);
out:
    if (walk.scan.fd >= 0)
        close(walk.scan.fd);
    free(walk.payload);
    free(walk.scan.buffer);
    return rc;
}
