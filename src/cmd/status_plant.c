/* status_plant.c - the plant and its stores, as the data folder and the shared memory tell: nothing is asked, nothing held. */
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "kdp/records.h"
#include "lake.h"
#include "raw_format.h"
#include "ring.h"
#include "screen.h"
#include "stream.h"
#include "tape.h"

#define QUIET_NS (30 * KDP_NS_PER_S) /* without a frame for so long while lines are up: told */
#define KEYLESS_QUIET_NS (60 * KDP_NS_PER_S)
#define RATE_MIN_NS (60 * KDP_NS_PER_S) /* of stream, before a rate means anything */
#define HELD 1e6                        /* bytes that are no growth to speak of */
#define LAKE_LATE_NS (300 * KDP_NS_PER_S)

/* ---- the plant ---- */

struct counters {
    uint64_t planned, live, lines_up, lines_wanted, last_frame_ns, feed_age_ns, to_ring_ns, lost, simulated,
        keyless, sampled, frames;
    bool run; /* those of kdp run are there: else it is a replay */
};

static void
read_counters(const struct kdp_ring *ring, struct counters *c)
{
    const struct {
        const char *name;
        uint64_t *value;
    } wanted[] = {{"kdp_books_planned", &c->planned},
                  {"kdp_books_live", &c->live},
                  {"kdp_lines_up", &c->lines_up},
                  {"kdp_lines_wanted", &c->lines_wanted},
                  {"kdp_last_frame_ns", &c->last_frame_ns},
                  {"kdp_feed_age_p99_ns", &c->feed_age_ns},
                  {"kdp_to_ring_p99_ns", &c->to_ring_ns},
                  {"kdp_lost", &c->lost},
                  {"kdp_keyless", &c->keyless},
                  {"kdp_books_sampled", &c->sampled},
                  {"kdp_simulated", &c->simulated},
                  {"kalshi_frames_total", &c->frames}};
    const char *name;
    uint64_t value;

    memset(c, 0, sizeof *c);
    for (unsigned i = 0; (name = kdp_ring_counter_at(ring, i, &value)) != NULL; i++) {
        c->run |= strcmp(name, "kdp_lines_wanted") == 0;
        for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++)
            if (strcmp(name, wanted[n].name) == 0)
                *wanted[n].value = value;
    }
}

/* A run without a key: it has no line, and its last answer stands for the last frame. */
static void
tell_keyless(struct kdp_status *status, const struct counters *c, const char *head)
{
    char sampled[KDPI_SCREEN_TEXT], planned[KDPI_SCREEN_TEXT], age[KDPI_SCREEN_TEXT], span[KDPI_SCREEN_TEXT];
    int64_t quiet_ns = c->last_frame_ns != 0 ? kdpi_now_ns() - (int64_t)c->last_frame_ns : 0;
    bool quiet = quiet_ns > KEYLESS_QUIET_NS, books = c->sampled < c->planned;
    const char *state = c->last_frame_ns == 0 ? "starting"
                        : quiet               ? "no answer"
                        : books               ? "not all sampled"
                                              : "keyless";

    kdpi_screen_count(sampled, c->sampled);
    kdpi_screen_count(planned, c->planned);
    kdpi_screen_span(age, (int64_t)c->feed_age_ns);
    kdp_status_line(status, "plant", state, (quiet || books) && !status->paused,
                    "%s, trades polled, %s of %s books SAMPLED, %s%s%s", head, sampled, planned,
                    c->feed_age_ns != 0 ? "trades p99 " : "delay of trades not known",
                    c->feed_age_ns != 0 ? age : "", c->feed_age_ns != 0 ? " late" : "");
    if (quiet)
        kdp_status_line(status, "", "quiet", !status->paused, "no answer for %s",
                        kdpi_screen_span(span, quiet_ns));
    if (c->lost > 0)
        kdp_status_line(status, "", "lost", true,
                        "%" PRIu64 " trades that the exchange no longer had when they were asked for",
                        c->lost);
    kdp_status_text(status, "plant", "state", state);
}

static void
tell_lines(struct kdp_status *status, const struct counters *c, const char *head)
{
    char live[KDPI_SCREEN_TEXT], planned[KDPI_SCREEN_TEXT], age[KDPI_SCREEN_TEXT], frames[KDPI_SCREEN_TEXT];
    int64_t quiet_ns = c->last_frame_ns != 0 ? kdpi_now_ns() - (int64_t)c->last_frame_ns : 0;
    bool lines = c->lines_up < c->lines_wanted, books = c->live < c->planned;
    const char *state = c->lines_up == 0 ? "no line" : lines ? "line down" : books ? "not all live" : "live";

    kdpi_screen_count(live, c->live);
    kdpi_screen_count(planned, c->planned);
    kdpi_screen_count(frames, c->frames);
    kdpi_screen_span(age, (int64_t)c->feed_age_ns);
    /* while the exchange pauses, lines may be down and books stale: nothing of ours is wrong then */
    kdp_status_line(status, "plant", state, (lines || books || c->lines_up == 0) && !status->paused,
                    "%s, %s of %s books live, %s%s", head, live, planned,
                    c->feed_age_ns != 0 ? "feed age p99 " : "feed age not known",
                    c->feed_age_ns != 0 ? age : "");
    if (lines)
        kdp_status_line(status, "", "", !status->paused, "%" PRIu64 " of %" PRIu64 " connections up",
                        c->lines_up, c->lines_wanted);
    if (quiet_ns > QUIET_NS)
        kdp_status_line(status, "", "quiet", false, "no frame for %s", kdpi_screen_span(age, quiet_ns));
    if (c->lost > 0)
        kdp_status_line(status, "", "lost", true,
                        "%" PRIu64 " trades that the exchange no longer had when they were asked for",
                        c->lost);
    kdp_status_text(status, "plant", "state", state);
}

static void
tell_run(struct kdp_status *status, const struct counters *c, const char *head)
{
    if (c->keyless != 0)
        tell_keyless(status, c, head);
    else
        tell_lines(status, c, head);
    kdp_status_switch(status, "plant", "keyless", c->keyless != 0);
    kdp_status_switch(status, "plant", "simulated", c->simulated != 0);
    kdp_status_number(status, "plant", "books_planned", "%" PRIu64, c->planned);
    kdp_status_number(status, "plant", "books_live", "%" PRIu64, c->live);
    kdp_status_number(status, "plant", "books_sampled", "%" PRIu64, c->sampled);
    kdp_status_number(status, "plant", "lines_wanted", "%" PRIu64, c->lines_wanted);
    kdp_status_number(status, "plant", "lines_up", "%" PRIu64, c->lines_up);
    kdp_status_number(status, "plant", "frames", "%" PRIu64, c->frames);
    kdp_status_time(status, "plant", "last_frame",
                    c->last_frame_ns != 0 ? (int64_t)c->last_frame_ns : KDP_TIME_NULL);
    kdp_status_number(status, "plant", "feed_age_p99_ms", "%.3f", (double)c->feed_age_ns / 1e6);
    kdp_status_number(status, "plant", "to_ring_p99_ms", "%.3f", (double)c->to_ring_ns / 1e6);
    kdp_status_number(status, "plant", "lost", "%" PRIu64, c->lost);
}

static void
tell_alive(struct kdp_status *status, const char *dir, const struct kdp_plant_info *info)
{
    char head[400], up[KDPI_SCREEN_TEXT], frames[KDPI_SCREEN_TEXT];
    struct kdp_ring *ring;
    struct counters c;

    snprintf(head, sizeof head, "%s, pid %d, up %s", dir, info->pid,
             kdpi_screen_span(up, kdpi_now_ns() - info->started_ns));
    if (info->ring[0] == '\0' || kdp_ring_attach(&ring, info->ring, false) != 0) {
        kdp_status_line(status, "plant", "starting", false, "%s", head);
        kdp_status_text(status, "plant", "state", "starting");
        return;
    }
    read_counters(ring, &c);
    kdp_ring_close(ring);
    if (c.run) {
        if (c.simulated != 0)
            snprintf(head + strlen(head), sizeof head - strlen(head), ", simulated");
        tell_run(status, &c, head);
        return;
    }
    kdp_status_line(status, "plant", "replay", false, "%s, %s frames", head,
                    kdpi_screen_count(frames, c.frames));
    kdp_status_text(status, "plant", "state", "replay");
    kdp_status_number(status, "plant", "frames", "%" PRIu64, c.frames);
}

void
kdp_status_plant(struct kdp_status *status)
{
    const char *dir = kdp_cli_text(status->cli, "data");
    struct kdp_plant_info info;
    int rc = kdp_plant_info(dir, &info);
    char up[KDPI_TIME_TEXT];

    kdp_status_text(status, "plant", "dir", dir);
    if (rc == 0) {
        kdp_status_number(status, "plant", "pid", "%d", info.pid);
        kdp_status_time(status, "plant", "started", info.started_ns);
    }
    if (rc == 0 && info.alive) {
        tell_alive(status, dir, &info);
    } else if (rc == 0) {
        kdpi_time_format(up, info.started_ns, 0);
        kdp_status_line(status, "plant", "dead", true,
                        "%s, pid %d of %.10s %.8s UTC was killed; the next kdp run takes over what it left",
                        dir, info.pid, up, up + 11);
        kdp_status_text(status, "plant", "state", "dead");
    } else if (rc == -KDP_ENOENT) {
        kdp_status_line(status, "plant", "not running", false, "%s", dir);
        kdp_status_text(status, "plant", "state", "not running");
    } else {
        kdp_status_line(status, "plant", "not known", true, "%s", kdp_error_text());
        kdp_status_text(status, "plant", "state", "not known");
    }
}

/* ---- the stores ---- */

struct store { /* one of the two tapes: what there is, and how long its stream took */
    uint64_t bytes;
    int64_t span_ns;
};

static double
per_day(const struct store *store)
{
    return store->span_ns >= RATE_MIN_NS
               ? (double)store->bytes * (double)KDP_NS_PER_DAY / (double)store->span_ns
               : 0;
}

/* The tape's segments, each from its first to its last receive time, so that pauses between runs do not count. */
static void
measure_tape(const struct kdp_tape *tape, struct store *store)
{
    struct kdp_tape_segment segment;

    for (size_t i = 0; kdp_tape_segment_at(tape, i, &segment); i++) {
        size_t first = kdp_tape_find(tape, segment.first_seq);
        const struct kdp_tape_block *block =
            first < kdp_tape_block_count(tape) ? kdp_tape_block_at(tape, first) : NULL;

        store->bytes += segment.bytes;
        if (segment.last_seq != 0 && block != NULL && block->recv_min_ns > 0 &&
            segment.recv_running_max_ns > block->recv_min_ns)
            store->span_ns += segment.recv_running_max_ns - block->recv_min_ns;
    }
}

/* The first receive time of a raw file and its run; false when there is none yet. */
static bool
read_raw_head(const char *path, uint64_t *sessionp, int64_t *firstp, uint64_t *bytesp)
{
    struct kdp_raw_header header;
    struct kdp_raw_block block;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    *bytesp = 0;
    if (fd < 0)
        return false;
    *bytesp = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    ok = pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
         pread(fd, &block, sizeof block, KDP_RAW_HEADER) == (ssize_t)sizeof block &&
         kdpi_raw_block_is_good(&block, KDP_RAW_HEADER);
    close(fd);
    *sessionp = header.session;
    *firstp = block.recv_min_ns;
    return ok;
}

/* The last receive time of a raw file: reads the heads of all its blocks. */
static int64_t
read_raw_end(const char *path)
{
    int64_t newest_ns = KDP_TIME_NULL;
    uint64_t end, last_index;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return KDP_TIME_NULL;
    if (kdpi_raw_scan(fd, path, false, &end, &last_index, &newest_ns) < 0)
        newest_ns = KDP_TIME_NULL;
    close(fd);
    return newest_ns;
}

/* A file ends where the next of the same run begins; only the last file of a run is read through. */
static void
measure_raw(const char *dir, struct store *store)
{
    uint64_t *numbers, session = 0, next_session = 0, bytes = 0;
    int64_t began_ns = KDP_TIME_NULL, next_ns = KDP_TIME_NULL, end_ns;
    char path[KDP_RAW_PATH], last[KDP_RAW_PATH] = "";
    size_t count;

    if (kdpi_raw_numbers(dir, &numbers, &count) != 0)
        return;
    for (size_t i = 0; i <= count; i++) {
        bool there = false;

        if (i < count) {
            kdpi_raw_path(path, dir, numbers[i]);
            there = read_raw_head(path, &next_session, &next_ns, &bytes);
            store->bytes += bytes;
            if (!there)
                continue;
        }
        if (there && last[0] != '\0' && next_session == session) {
            memcpy(last, path, sizeof last);
            continue;
        }
        end_ns = last[0] != '\0' ? read_raw_end(last) : KDP_TIME_NULL;
        if (end_ns != KDP_TIME_NULL && began_ns > 0 && end_ns > began_ns)
            store->span_ns += end_ns - began_ns;
        if (there) {
            began_ns = next_ns;
            session = next_session;
            memcpy(last, path, sizeof last);
        }
    }
    free(numbers);
}

/* How far the lake is behind the tape, in receive time; -1 when there is no lake. */
static int64_t
lake_behind(const char *dir, const struct kdp_tape *tape, uint64_t *sealedp)
{
    size_t blocks = kdp_tape_block_count(tape), first;
    const struct kdp_tape_block *from, *to;
    char path[4200];

    *sealedp = 0;
    snprintf(path, sizeof path, "%s/lake.lock", dir); /* made by the first sealer, and stays */
    if (access(path, F_OK) != 0 || kdp_lake_sealed(dir, sealedp) != 0)
        return -1;
    if (blocks == 0 || *sealedp >= kdp_tape_last_seq(tape))
        return 0;
    first = kdp_tape_find(tape, *sealedp + 1);
    from = first < blocks ? kdp_tape_block_at(tape, first) : NULL;
    to = kdp_tape_block_at(tape, blocks - 1);
    if (from == NULL || from->recv_min_ns <= 0 || to->recv_running_max_ns < from->recv_min_ns)
        return 0;
    return to->recv_running_max_ns - from->recv_min_ns;
}

/* What kdp backfill or kdp market filed has no place in the stream, and no sealer made it. */
static bool
has_history(const char *dir)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/history.lock", dir);
    return access(path, F_OK) == 0;
}

/* "49 GB a day: full in 1 d 2 h", and whether retention ends the growth before that. */
static void
growth_words(char *buf, size_t size, double tape_day, double raw_day, double keep_bytes, double left,
             double used, double *daysp)
{
    char bytes[KDPI_SCREEN_TEXT], most[KDPI_SCREEN_TEXT], span[KDPI_SCREEN_TEXT];
    double days = tape_day + raw_day > 0 ? left / (tape_day + raw_day) : -1;

    *daysp = -1;
    if (days < 0) {
        snprintf(buf, size, "growth known after a minute of stream");
        return;
    }
    kdpi_screen_bytes(bytes, (uint64_t)(tape_day + raw_day));
    if (keep_bytes <= left) {
        if (keep_bytes < HELD)
            snprintf(buf, size, "%s a day, and as much goes by age", bytes);
        else
            snprintf(buf, size, "%s a day, at most %s by age", bytes,
                     kdpi_screen_bytes(most, (uint64_t)(used + keep_bytes)));
        return;
    }
    *daysp = days;
    if (days > 36500)
        snprintf(buf, size, "%s a day", bytes);
    else
        snprintf(buf, size, "%s a day: full in %s", bytes,
                 kdpi_screen_span(span, (int64_t)(days * (double)KDP_NS_PER_DAY)));
}

static void
tell_stores(struct kdp_status *status, const char *dir, const struct kdp_tape *tape)
{
    struct store on_tape = {0, 0}, on_raw = {0, 0};
    uint64_t quota = (uint64_t)kdp_cli_count(status->cli, "tape-quota"), free_bytes = 0, used, limit, sealed;
    double tape_keep = (double)kdp_cli_count(status->cli, "tape-keep") / (double)KDP_NS_PER_DAY;
    double raw_keep = (double)kdp_cli_count(status->cli, "raw-keep") / (double)KDP_NS_PER_DAY, most, left,
           days;
    char has[KDPI_SCREEN_TEXT], of[KDPI_SCREEN_TEXT], growth[128], lake[96], span[KDPI_SCREEN_TEXT];
    const char *state = "ok";
    struct statvfs fs;
    int64_t behind_ns;

    measure_tape(tape, &on_tape);
    measure_raw(dir, &on_raw);
    if (statvfs(dir, &fs) == 0)
        free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    used = on_tape.bytes + on_raw.bytes;
    limit = quota != 0 && quota < used + free_bytes ? quota : used + free_bytes;
    left = limit > used ? (double)(limit - used) : 0;
    /* what both tapes come to when their ages alone end their growth */
    most = per_day(&on_tape) * tape_keep + per_day(&on_raw) * raw_keep - (double)used;
    growth_words(growth, sizeof growth, per_day(&on_tape), per_day(&on_raw), most > 0 ? most : 0, left,
                 (double)used, &days);
    behind_ns = lake_behind(dir, tape, &sealed);
    if (behind_ns < 0)
        snprintf(lake, sizeof lake, "%s", has_history(dir) ? "lake of history alone" : "no lake");
    else if (behind_ns == 0)
        snprintf(lake, sizeof lake, "lake complete");
    else
        snprintf(lake, sizeof lake, "lake %s behind", kdpi_screen_span(span, behind_ns));
    /* at its quota the tape lives on, as its oldest files go; a disk that is full it cannot help */
    if (limit == quota ? used > quota + quota / 100 : left < (double)limit / 100)
        state = "full";
    else if (behind_ns > LAKE_LATE_NS)
        state = "lake late";
    else if (limit == quota && left < (double)limit / 100)
        snprintf(growth, sizeof growth, "at its quota: the oldest goes");
    kdp_status_line(status, "stores", state, strcmp(state, "ok") != 0, "tape %s%s%s%s, %s; %s",
                    kdpi_screen_bytes(has, used), limit == quota ? " of " : ", ",
                    kdpi_screen_bytes(of, limit == quota ? limit : free_bytes), limit == quota ? "" : " free",
                    growth, lake);
    if (strcmp(state, "full") == 0)
        kdp_status_line(status, "", "", true,
                        limit == quota ? "A larger --tape-quota, or a shorter --tape-keep and --raw-keep"
                                       : "Free space; capture then goes on by itself");
    if (strcmp(state, "lake late") == 0)
        kdp_status_line(status, "", "", true, "kdp seal brings it up to date, and says what hinders it");
    kdp_status_text(status, "stores", "state", state);
    kdp_status_number(status, "stores", "tape_bytes", "%" PRIu64, on_tape.bytes);
    kdp_status_number(status, "stores", "raw_bytes", "%" PRIu64, on_raw.bytes);
    kdp_status_number(status, "stores", "limit_bytes", "%" PRIu64, limit);
    kdp_status_switch(status, "stores", "quota", quota != 0);
    kdp_status_number(status, "stores", "free_bytes", "%" PRIu64, free_bytes);
    if (per_day(&on_tape) + per_day(&on_raw) > 0)
        kdp_status_number(status, "stores", "bytes_per_day", "%.0f", per_day(&on_tape) + per_day(&on_raw));
    else
        kdp_status_text(status, "stores", "bytes_per_day", NULL);
    if (days >= 0)
        kdp_status_number(status, "stores", "days_until_full", "%.2f", days);
    else
        kdp_status_text(status, "stores", "days_until_full", NULL);
    kdp_status_number(status, "stores", "last_seq", "%" PRIu64, kdp_tape_last_seq(tape));
    if (behind_ns >= 0) {
        kdp_status_number(status, "stores", "sealed_seq", "%" PRIu64, sealed);
        kdp_status_number(status, "stores", "lake_behind_s", "%.3f",
                          (double)behind_ns / (double)KDP_NS_PER_S);
    } else {
        kdp_status_text(status, "stores", "sealed_seq", NULL);
        kdp_status_text(status, "stores", "lake_behind_s", NULL);
    }
}

void
kdp_status_stores(struct kdp_status *status)
{
    const char *dir = kdp_cli_text(status->cli, "data");
    struct kdp_tape *tape;

    if (access(dir, F_OK) != 0 && errno == ENOENT) {
        kdp_status_line(status, "stores", "none yet", false, "%s is not there; kdp run makes it", dir);
        kdp_status_text(status, "stores", "state", "none yet");
        return;
    }
    if (kdp_tape_open(&tape, dir) != 0) {
        kdp_status_line(status, "stores", "not readable", true, "%s", kdp_error_text());
        if (kdp_error_hint()[0] != '\0')
            kdp_status_line(status, "", "", true, "%s", kdp_error_hint());
        kdp_status_text(status, "stores", "state", "not readable");
        kdp_status_text(status, "stores", "error", kdp_error_text());
        return;
    }
    tell_stores(status, dir, tape);
    kdp_tape_close(tape);
}
