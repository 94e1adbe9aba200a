/* retention.c - which files of the tapes go, and when.
 *
 * Only sealed files, oldest first, and never the last of either tape, which says where the sequence ends. Too
 * old is counted from the newest receive time that the agent has seen (see kdp_stream_sealed_floor).  A
 * segment of the tape waits for the lake when there is one; a raw file waits for nobody, the lake does not
 * read it.  The quota takes whichever tape's oldest file is older; when nothing may go, capture waits. */
#include "raw_format.h"
#include "stream_private.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct candidate { /* the oldest file of a tape, when it may go */
    char path[PATH_MAX];
    uint64_t bytes;
    int64_t newest_ns;
    bool present;
};

/* Sums the segments and finds the oldest that may go. */
static int
look_at_tape(struct kdp_stream *stream, uint64_t *usedp, struct candidate *oldest)
{
    uint64_t floor = atomic_load_explicit(&stream->sealed_floor, memory_order_acquire);
    struct kdp_tape_segment segment, next;
    int rc;

    oldest->present = false;
    rc = stream->agent.view == NULL ? kdp_tape_open(&stream->agent.view, stream->dir)
                                    : kdp_tape_refresh(stream->agent.view);
    if (rc < 0)
        return rc;
    for (size_t i = 0; kdp_tape_segment_at(stream->agent.view, i, &segment); i++) {
        *usedp += segment.bytes;
        if (i != 0 || !segment.sealed || !kdp_tape_segment_at(stream->agent.view, 1, &next))
            continue;
        if (stream->config.lake && segment.last_seq > floor)
            continue;
        snprintf(oldest->path, sizeof oldest->path, "%s", segment.path);
        oldest->bytes = segment.bytes;
        oldest->newest_ns = segment.recv_running_max_ns;
        oldest->present = true;
    }
    return 0;
}

static int
look_at_raw(struct kdp_stream *stream, uint64_t *usedp, struct candidate *oldest)
{
    uint64_t *numbers, end, last_index;
    char path[KDP_RAW_PATH];
    struct stat st;
    size_t count;
    int fd, rc = kdpi_raw_numbers(stream->dir, &numbers, &count);

    oldest->present = false;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        kdpi_raw_path(path, stream->dir, numbers[i]);
        if (stat(path, &st) != 0)
            continue;
        *usedp += (uint64_t)st.st_size;
        if (i != 0 || count == 1 || (st.st_mode & S_IWUSR) != 0)
            continue;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        rc = kdpi_raw_scan(fd, path, false, &end, &last_index, &oldest->newest_ns);
        close(fd);
        snprintf(oldest->path, sizeof oldest->path, "%.*s", PATH_MAX - 1, path);
        oldest->bytes = (uint64_t)st.st_size;
        oldest->present = rc >= 0;
        rc = rc < 0 ? rc : 0;
    }
    free(numbers);
    return rc;
}

static bool
too_old(const struct kdp_stream *stream, const struct candidate *file, int64_t keep_ns)
{
    int64_t newest_ns = stream->agent.newest_ns;

    return file->present && newest_ns > INT64_MIN + keep_ns && file->newest_ns < newest_ns - keep_ns;
}

int
kdpi_retention(struct kdp_stream *stream)
{
    uint64_t quota = stream->config.quota_bytes, used;
    struct candidate tape, raw;
    const struct candidate *victim;
    int rc;

    /* one file a turn, and a new look: simple, and a turn is seconds apart from the next */
    for (;;) {
        used = 0;
        rc = look_at_tape(stream, &used, &tape);
        if (rc == 0)
            rc = look_at_raw(stream, &used, &raw);
        if (rc != 0)
            return rc;
        stream->agent.used = used;
        stream->agent.written = 0;
        victim = NULL;
        if (too_old(stream, &tape, stream->config.tape_keep_ns))
            victim = &tape;
        else if (too_old(stream, &raw, stream->config.raw_keep_ns))
            victim = &raw;
        else if (quota != 0 && used > quota && (tape.present || raw.present))
            victim = !raw.present || (tape.present && tape.newest_ns <= raw.newest_ns) ? &tape : &raw;
        if (victim == NULL)
            return quota != 0 && used > quota
                       ? kdpi_fail(KDP_EFULL, "%s of %s", stream->quota_text, stream->dir)
                       : 0;
        if (unlink(victim->path) != 0 && errno != ENOENT)
            return kdpi_fail_errno(errno, "cannot remove %s", victim->path);
    }
}

void
kdpi_retention_close(struct kdp_stream *stream)
{
    kdp_tape_close(stream->agent.view);
    stream->agent.view = NULL;
}
