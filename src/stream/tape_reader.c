/* tape_reader.c - all segments of a directory as one list of blocks. */
#include "tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "numbered.h"
#include "tape_dict.h"
#include "tape_format.h"
#include "tape_segment.h"

#define NONE SIZE_MAX

struct kdp_tape {
    char dir[KDPI_TAPE_PATH], folder[KDPI_TAPE_PATH];
    struct kdpi_segment **segments; /* pointers: entries hand out their addresses */
    size_t segment_count, segment_room;
    size_t *starts;            /* index of each segment's first block; one more entry than segments */
    size_t loaded;             /* block loaded last, NONE: none */
    size_t loaded_where;       /* its segment */
    uint8_t *buffer, *entries; /* for payloads, and for dictionary blocks */
};

/* ---- the list of segments ---- */

static void
recount(struct kdp_tape *tape)
{
    size_t total = 0;

    for (size_t i = 0; i < tape->segment_count; i++) {
        tape->starts[i] = total;
        total += tape->segments[i]->block_count;
    }
    tape->starts[tape->segment_count] = total;
}

static int
in_order(const struct kdp_tape *tape, const struct kdpi_segment *segment)
{
    for (size_t i = tape->segment_count; i-- > 0;) {
        const struct kdpi_segment *before = tape->segments[i];
        uint64_t first =
            segment->block_count > 0 && !segment->sealed ? segment->blocks[0].first_seq : segment->first_seq;

        if (before->last_seq == 0)
            continue;
        if (segment->first_seq == 0 || first > before->last_seq)
            return 0;
        return kdpi_fail(KDP_EFORMAT, "segments overlap: %s begins at sequence %llu, %s ends at %llu",
                         segment->path, (unsigned long long)first, before->path,
                         (unsigned long long)before->last_seq);
    }
    return 0;
}

static int
add_segment(struct kdp_tape *tape, uint64_t number, bool last)
{
    struct kdpi_segment *segment;
    int rc;

    if (tape->segment_count == tape->segment_room) {
        size_t room = tape->segment_room == 0 ? 64 : tape->segment_room * 2;
        struct kdpi_segment **grown = realloc(tape->segments, room * sizeof *grown);
        size_t *starts;

        if (grown == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory: segments of %s", tape->folder);
        tape->segments = grown;
        starts = realloc(tape->starts, (room + 1) * sizeof *starts);
        if (starts == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory: segments of %s", tape->folder);
        tape->starts = starts;
        tape->segment_room = room;
    }
    segment = malloc(sizeof *segment);
    if (segment == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: segments of %s", tape->folder);
    rc = kdpi_segment_open(segment, tape->folder, number, last, tape->buffer);
    if (rc == 0) {
        rc = in_order(tape, segment);
        if (rc != 0)
            kdpi_segment_close(segment);
    }
    if (rc != 0) {
        free(segment);
        return rc == -KDP_ENOENT ? 0 : rc; /* removed since it was listed */
    }
    tape->segments[tape->segment_count++] = segment;
    return 1;
}

/* Segments that came since: 1 when there are any. */
static int
look_for_more(struct kdp_tape *tape)
{
    uint64_t *numbers = NULL, newest;
    size_t count = 0;
    int rc, more = 0;

    rc = kdpi_tape_folder(tape->folder, sizeof tape->folder, tape->dir);
    if (rc == 0)
        rc = kdpi_numbered(tape->folder, ".seg", &numbers, &count);
    newest = tape->segment_count > 0 ? tape->segments[tape->segment_count - 1]->number : 0;
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        if (numbers[i] <= newest)
            continue;
        rc = add_segment(tape, numbers[i], i + 1 == count);
        more |= rc > 0;
    }
    free(numbers);
    return rc < 0 ? rc : more;
}

static void
drop_removed(struct kdp_tape *tape)
{
    size_t gone = 0, kept = 0;
    bool holes = false;

    /* retention takes the oldest first, so only they are looked for; others are found when they cannot be
     * opened */
    while (gone + 1 < tape->segment_count && access(tape->segments[gone]->path, F_OK) != 0 && errno == ENOENT)
        tape->segments[gone++]->gone = true;
    if (gone > 0 && tape->loaded != NONE)
        tape->loaded = tape->loaded >= tape->starts[gone] ? tape->loaded - tape->starts[gone] : NONE;
    for (size_t i = 0; i < tape->segment_count; i++) {
        struct kdpi_segment *segment = tape->segments[i];

        if (segment->gone && i >= gone) {
            struct kdpi_segment anew; /* repair puts another file in its place */

            holes = true;
            if (kdpi_segment_open(&anew, tape->folder, segment->number, false, tape->buffer) == 0) {
                kdpi_segment_close(segment);
                *segment = anew;
            }
        }
        if (segment->gone) {
            kdpi_segment_close(segment);
            free(segment);
        } else {
            tape->segments[kept++] = segment;
        }
    }
    if (kept == tape->segment_count && !holes)
        return;
    tape->segment_count = kept;
    tape->loaded_where = NONE;
    if (holes)
        tape->loaded = NONE;
}

int
kdp_tape_open(struct kdp_tape **tapep, const char *dir)
{
    struct kdp_tape *tape = calloc(1, sizeof *tape);
    size_t len = strlen(dir);
    int rc;

    *tapep = NULL;
    if (tape == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: tape of %s", dir);
    tape->loaded = tape->loaded_where = NONE;
    tape->buffer = malloc(KDP_TAPE_BLOCK_MAX);
    tape->starts = calloc(1, sizeof *tape->starts);
    if (tape->buffer == NULL || tape->starts == NULL)
        rc = kdpi_fail(KDP_ENOMEM, "out of memory: tape of %s", dir);
    else if (len >= sizeof tape->dir)
        rc = kdpi_fail(KDP_EINVAL, "name too long: %s", dir);
    else {
        memcpy(tape->dir, dir, len + 1);
        rc = look_for_more(tape);
    }
    if (rc < 0) {
        kdp_tape_close(tape);
        return rc;
    }
    recount(tape);
    *tapep = tape;
    return 0;
}

void
kdp_tape_close(struct kdp_tape *tape)
{
    if (tape == NULL)
        return;
    for (size_t i = 0; i < tape->segment_count; i++) {
        kdpi_segment_close(tape->segments[i]);
        free(tape->segments[i]);
    }
    free(tape->segments);
    free(tape->starts);
    free(tape->buffer);
    free(tape->entries);
    free(tape);
}

int
kdp_tape_refresh(struct kdp_tape *tape)
{
    char next[KDPI_TAPE_PATH];
    int rc, more = 0;

    drop_removed(tape);
    for (;;) {
        struct kdpi_segment *segment =
            tape->segment_count > 0 ? tape->segments[tape->segment_count - 1] : NULL;
        bool later;

        if (segment == NULL) {
            rc = look_for_more(tape);
            more |= rc > 0;
            break;
        }
        /* asked before the growing one is looked at: what comes to it before a later one begins is then seen
         */
        rc = kdpi_tape_path(next, sizeof next, tape->folder, segment->number + 1);
        if (rc != 0)
            break;
        later = access(next, F_OK) == 0;
        rc = kdpi_segment_refresh(segment, !later, tape->buffer);
        more |= rc > 0;
        if (rc < 0 || !later)
            break;
        rc = look_for_more(tape);
        more |= rc > 0;
        if (rc <= 0)
            break;
    }
    recount(tape);
    return rc < 0 ? rc : more;
}

/* ---- blocks ---- */

static size_t
segment_of(const struct kdp_tape *tape, size_t index)
{
    size_t low = 0, high = tape->segment_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (tape->starts[middle] <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint64_t
kdp_tape_first_seq(const struct kdp_tape *tape)
{
    return kdp_tape_block_count(tape) == 0 ? 0 : kdp_tape_block_at(tape, 0)->first_seq;
}

uint64_t
kdp_tape_begin(const struct kdp_tape *tape)
{
    const struct kdpi_segment *segment = tape->segment_count > 0 ? tape->segments[0] : NULL;
    uint64_t first = kdp_tape_first_seq(tape);

    /* what the header names as the end before it is where retention has cut; of segment 1 it is the beginning */
    if (first == 0 || first != segment->first_seq || (segment->previous_number == 0 && segment->number != 1))
        return first;
    return segment->previous_last_seq + 1;
}

uint64_t
kdp_tape_last_seq(const struct kdp_tape *tape)
{
    for (size_t i = tape->segment_count; i-- > 0;)
        if (tape->segments[i]->last_seq != 0)
            return tape->segments[i]->last_seq;
    return 0;
}

bool
kdp_tape_segment_at(const struct kdp_tape *tape, size_t index, struct kdp_tape_segment *out)
{
    const struct kdpi_segment *segment;

    if (index >= tape->segment_count)
        return false;
    segment = tape->segments[index];
    *out = (struct kdp_tape_segment){
        .path = segment->path,
        .number = segment->number,
        .session = segment->session,
        .first_seq = segment->first_seq,
        .last_seq = segment->last_seq,
        .bytes = segment->size,
        .created_ns = segment->created_ns,
        .recv_running_max_ns = segment->recv_running_max_ns,
        .blocks = segment->block_count,
        .sealed = segment->sealed,
    };
    return true;
}

size_t
kdp_tape_block_count(const struct kdp_tape *tape)
{
    return tape->starts[tape->segment_count];
}

/* An index that cannot be read leaves this; loading the block then tells why. */
static const struct kdp_tape_block unreadable;

const struct kdp_tape_block *
kdp_tape_block_at(const struct kdp_tape *tape, size_t index)
{
    size_t where = segment_of(tape, index);

    KDP_ASSERT(index < kdp_tape_block_count(tape));
    if (kdpi_segment_index(tape->segments[where]) != 0)
        return &unreadable;
    return &tape->segments[where]->blocks[index - tape->starts[where]];
}

size_t
kdp_tape_find(const struct kdp_tape *tape, uint64_t seq)
{
    size_t where = 0, high = tape->segment_count, at, end;

    while (where < high) { /* the first segment that ends at seq or later; those without records end where the
                              last did */
        size_t middle = where + (high - where) / 2, probe = middle;

        while (probe > where && tape->segments[probe]->last_seq == 0)
            probe--;
        if (tape->segments[probe]->last_seq < seq)
            where = middle + 1;
        else
            high = middle;
    }
    if (where == tape->segment_count)
        return kdp_tape_block_count(tape);
    at = tape->starts[where];
    end = tape->starts[where + 1];
    while (at < end) {
        size_t middle = at + (end - at) / 2;
        const struct kdp_tape_block *block = kdp_tape_block_at(tape, middle);

        if (block->first_seq + block->count <= seq)
            at = middle + 1;
        else
            end = middle;
    }
    return at;
}

size_t
kdp_tape_find_time(const struct kdp_tape *tape, int64_t ns)
{
    size_t where = 0, high = tape->segment_count, at, end;

    while (where < high) {
        size_t middle = where + (high - where) / 2;

        if (tape->segments[middle]->recv_running_max_ns < ns)
            where = middle + 1;
        else
            high = middle;
    }
    if (where == tape->segment_count)
        return kdp_tape_block_count(tape);
    at = tape->starts[where];
    end = tape->starts[where + 1];
    while (at < end) {
        size_t middle = at + (end - at) / 2;

        if (kdp_tape_block_at(tape, middle)->recv_running_max_ns < ns)
            at = middle + 1;
        else
            end = middle;
    }
    return at;
}

/* ---- holes ---- */

/* Are first to last all noted as lost in these segments? */
static bool
noted(const struct kdp_tape *tape, size_t from, size_t to, uint64_t first, uint64_t last)
{
    for (size_t i = from; i <= to && first <= last; i++) {
        struct kdpi_segment *segment = tape->segments[i];

        if (kdpi_segment_index(segment) != 0)
            continue;
        for (uint32_t hole = 0; hole < segment->hole_count; hole++)
            if (segment->holes[hole].first <= first && segment->holes[hole].last >= first)
                first = segment->holes[hole].last + 1;
    }
    return first > last;
}

enum kdp_tape_gap
kdp_tape_gap(const struct kdp_tape *tape, size_t index, uint64_t *firstp, uint64_t *lastp)
{
    const struct kdp_tape_block *block = kdp_tape_block_at(tape, index), *previous;
    size_t where = segment_of(tape, index), before = 0;
    uint64_t first = tape->segments[0]->first_seq, last;

    if (index > 0) {
        previous = kdp_tape_block_at(tape, index - 1);
        if (previous->count == 0)
            return KDP_TAPE_GAP_NONE; /* unreadable: load says so */
        before = segment_of(tape, index - 1);
        first = previous->first_seq + previous->count;
    } /* else the tape begins somewhere, and its first header says where */
    if (block->count == 0 || first == 0 || block->first_seq <= first)
        return KDP_TAPE_GAP_NONE;
    last = block->first_seq - 1;
    *firstp = first;
    *lastp = last;
    if (index == tape->starts[where]) {
        /* a segment's header says where the one before it ended: from there to its own first number none was
         * given out */
        uint64_t unused = tape->segments[where]->previous_last_seq + 1,
                 begins = tape->segments[where]->first_seq;
        bool lost_before = unused > first, lost_after = begins <= last;

        if (!lost_before && !lost_after)
            return KDP_TAPE_GAP_UNUSED;
        if (!lost_before && begins > first)
            *firstp = begins;
        if (!lost_after && unused <= last)
            *lastp = unused - 1;
    }
    return noted(tape, before, where, *firstp, *lastp) ? KDP_TAPE_GAP_NOTED : KDP_TAPE_GAP_LOST;
}

int
kdpi_tape_lost(const struct kdp_tape *tape, size_t index, uint64_t first, uint64_t last)
{
    size_t where = segment_of(tape, index), before = index > 0 ? segment_of(tape, index - 1) : 0;
    const struct kdpi_segment *segment = tape->segments[where], *previous = tape->segments[before];
    unsigned long long a = (unsigned long long)first, b = (unsigned long long)last,
                       offset = KDPI_TAPE_HEADER_BYTES;
    int rc;

    if (where == before) {
        if (index > tape->starts[where]) {
            const struct kdp_tape_block *block = kdp_tape_block_at(tape, index - 1);

            offset = block->offset + KDPI_TAPE_BLOCK_HEAD_BYTES + block->bytes;
        }
        rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte %llu, sequences %llu to %llu", segment->path,
                       offset, a, b);
    } else if (first >= segment->first_seq) {
        rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: byte %llu, sequences %llu to %llu", segment->path,
                       offset, a, b);
    } else if (before + 1 == where && previous->number + 1 < segment->number) {
        rc = kdpi_fail(KDP_ENOENT, "segment missing: %s/%08llu.seg%s: sequences %llu to %llu", tape->folder,
                       (unsigned long long)previous->number + 1,
                       previous->number + 2 < segment->number ? " and later ones" : "", a, b);
    } else {
        if (index > 0 && before + 1 < where)
            previous = tape->segments[before + 1];
        rc = kdpi_fail(KDP_ECHECKSUM, "bad checksum: %s: ends too early, sequences %llu to %llu",
                       previous->path, a, b);
    }
    kdpi_tape_hint(tape->folder);
    return rc;
}

/* The blocks after from up to index: is anything lost between them?  Segments whose sums say that nothing is
 * missing are passed over without a look. */
static int
check_passed(struct kdp_tape *tape, size_t from, size_t index)
{
    for (size_t i = from == NONE ? 0 : from + 1; i <= index; i++) {
        size_t where = segment_of(tape, i);
        uint64_t first, last;

        if (kdp_tape_gap(tape, i, &first, &last) == KDP_TAPE_GAP_LOST) {
            tape->loaded = i; /* said once */
            return kdpi_tape_lost(tape, i, first, last);
        }
        if (kdpi_segment_contiguous(tape->segments[where])) {
            size_t end = tape->starts[where + 1] - 1;

            i = end < index ? end : index;
        }
    }
    return 0;
}

int
kdpi_tape_load_block(struct kdp_tape *tape, size_t index, const void **recordsp)
{
    size_t where = segment_of(tape, index);

    KDP_ASSERT(index < kdp_tape_block_count(tape));
    if (tape->loaded_where != NONE && tape->loaded_where != where)
        kdpi_segment_rest(tape->segments[tape->loaded_where]);
    tape->loaded = index;
    tape->loaded_where = where;
    return kdpi_segment_load(tape->segments[where], index - tape->starts[where], tape->buffer, recordsp);
}

int
kdp_tape_load(struct kdp_tape *tape, size_t index, const void **recordsp)
{
    *recordsp = NULL;
    KDP_ASSERT(index < kdp_tape_block_count(tape));
    if (tape->loaded != NONE ? index > tape->loaded : index == 0) {
        int rc = check_passed(tape, tape->loaded, index);

        if (rc != 0)
            return rc;
    }
    return kdpi_tape_load_block(tape, index, recordsp);
}

/* ---- dictionaries ---- */

static int
put_older(void *arg, const struct kdp_tape_instrument *instrument)
{
    return kdpi_dict_put(arg, instrument, true) < 0;
}

static int
put_newer(void *arg, const struct kdp_tape_instrument *instrument)
{
    return kdpi_dict_put(arg, instrument, false) < 0;
}

int
kdpi_tape_dictionary(struct kdp_tape *tape, uint64_t *belowp, struct kdpi_dict *dict)
{
    size_t where = tape->segment_count;
    int rc;

    while (where > 0 && tape->segments[where - 1]->number >= *belowp)
        where--;
    if (where == 0)
        return 0;
    /* not the buffer of payloads: whoever asks may be in the midst of a block */
    if (tape->entries == NULL && (tape->entries = malloc(KDP_TAPE_BLOCK_MAX)) == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: dictionary of %s", tape->folder);
    *belowp = tape->segments[where - 1]->number;
    /* a growing segment may say the same id twice, and its later word counts */
    rc = kdpi_segment_dictionary(tape->segments[where - 1], tape->entries,
                                 where == tape->segment_count ? put_newer : put_older, dict);
    return rc < 0 ? rc : 1;
}

int
kdp_tape_dictionary(struct kdp_tape *tape,
                    void (*each)(void *arg, const struct kdp_tape_instrument *instrument), void *arg)
{
    uint64_t below = UINT64_MAX;
    struct kdpi_dict dict;
    int rc = 0;

    kdpi_dict_init(&dict);
    do {
        rc = kdpi_tape_dictionary(tape, &below, &dict);
    } while (rc > 0);
    for (uint32_t page = 0; rc == 0 && page < dict.page_count; page++) {
        for (uint32_t i = 0; dict.pages[page] != NULL && i < KDPI_DICT_PAGE; i++) {
            const struct kdpi_dict_item *item = &dict.pages[page]->item[i];
            struct kdp_tape_instrument instrument = {page * KDPI_DICT_PAGE + i, item->ticker,
                                                     item->ticker_len, item->ranges, item->range_count};

            if (item->ticker != NULL)
                each(arg, &instrument);
        }
    }
    kdpi_dict_release(&dict);
    return rc;
}

int
kdpi_tape_segment_dictionary(const char *folder, uint64_t number, kdpi_dict_each each, void *arg)
{
    uint8_t *buffer = malloc(KDP_TAPE_BLOCK_MAX);
    struct kdpi_segment segment;
    int rc;

    if (buffer == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory: dictionary of a segment");
    rc = kdpi_segment_open(&segment, folder, number, true, buffer);
    if (rc == 0) {
        rc = kdpi_segment_dictionary(&segment, buffer, each, arg);
        kdpi_segment_close(&segment);
    }
    free(buffer);
    return rc;
}
