/* cmd_record.c - kdp record: a file of recorded messages into the stores, whatever form they have, and on where it stopped.
 *
 * This is replay with a bookmark.  What was recorded so far is known from the raw tape: the index of the last input applied, less
 * that of the START of this process's run, is how many inputs of the file the stream has (docs/design/record.md).  The bookmark
 * holds what is needed to say so, is written before the first input of a process, and never moves while it plays. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "commands.h"
#include "crc32c.h"
#include "error.h"
#include "file.h"
#include "play.h"
#include "raw.h"
#include "screen.h"

#define IDENTITY_BYTES 4096u /* the beginning of a file names it, so that it may grow */

struct bookmark {
    uint64_t start_index;      /* of this process's START on the raw tape */
    uint64_t before_index;     /* of the one before in this run, 0: none */
    uint64_t base;             /* inputs of the run applied before this process */
    uint64_t applied;          /* index of the last of them */
    uint64_t skip;             /* inputs of the file that runs before this run have */
    uint64_t begins;           /* 1: the run begins with this START */
    uint64_t finished;         /* 1: to the file's end */
    uint64_t fed, size, lines; /* then: inputs of the file in the stream, bytes and lines of it */
    uint64_t leg;
    struct kdp_input_start first; /* the START that the run began with */
};

struct record {
    struct kdp_play play;
    struct bookmark mark, old;
    bool has_old, keep; /* there is a bookmark; there can be one */
    char path[4096], file[4096];
    uint64_t size;
    const char *not_whole; /* why the run before cannot go on, NULL */
};

/* ---- the bookmark ---- */

#define FIELDS(X)                                                                                         \
    X("start_index", start_index)                                                                         \
    X("before_index", before_index)                                                                       \
    X("base", base)                                                                                       \
    X("applied", applied)                                                                                 \
    X("skip", skip) X("begins", begins) X("finished", finished) X("fed", fed) X("size", size)             \
        X("lines", lines) X("leg", leg) X("next_seq", first.next_seq) X("unused_from", first.unused_from) \
            X("first_applied", first.applied)

static int
write_mark(struct record *record)
{
    const struct bookmark *mark = &record->mark;
    char text[1536];
    size_t len = 0;

    if (!record->keep)
        return 0;
#define X(name, member) \
    len += (size_t)snprintf(text + len, sizeof text - len, "%s=%" PRIu64 "\n", name, mark->member);
    FIELDS(X)
#undef X
    len += (size_t)snprintf(text + len, sizeof text - len,
                            "next_instrument=%" PRIu32 "\nflags=%" PRIu32 "\nlast_ns=%" PRId64 "\n",
                            mark->first.next_instrument, mark->first.flags, mark->first.last_ns);
    len += (size_t)snprintf(text + len, sizeof text - len, "crc=%08" PRIx32 "\n", kdpi_crc32c(0, text, len));
    return kdpi_file_replace(record->path, text, len);
}

static uint64_t
field(const char *text, const char *name)
{
    size_t len = strlen(name);
    const char *at = text;

    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return strtoull(at + len + 1, NULL, 10);
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return 0;
}

/* A bookmark that cannot be read counts as none: then nothing of the file is known to be here. */
static void
read_mark(struct record *record)
{
    struct bookmark *mark = &record->old;
    char text[2048], *crc;
    FILE *file = fopen(record->path, "re");
    size_t len;

    if (file == NULL)
        return;
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    crc = strstr(text, "crc=");
    if (crc == NULL || strtoul(crc + 4, NULL, 16) != kdpi_crc32c(0, text, (size_t)(crc - text))) {
        kdp_cli_warning(
            record->play.cli,
            "Nothing is known of what was recorded of this file before: if it was, it comes twice",
            "damaged bookmark: %s", record->path);
        return;
    }
#define X(name, member) mark->member = field(text, name);
    FIELDS(X)
#undef X
    mark->first.next_instrument = (uint32_t)field(text, "next_instrument");
    mark->first.flags = (uint32_t)field(text, "flags");
    mark->first.last_ns = (int64_t)field(text, "last_ns");
    if (strstr(text, "last_ns=-") != NULL)
        mark->first.last_ns = strtoll(strstr(text, "last_ns=-") + 8, NULL, 10);
    record->has_old = true;
}

/* Names the file by its beginning. */
static int
identify(struct record *record)
{
    char bytes[IDENTITY_BYTES];
    struct stat st;
    ssize_t got;
    int fd, rc;

    if (strcmp(record->file, "-") == 0)
        return 0;
    fd = open(record->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        rc = kdpi_fail_errno(errno, "cannot read %s", record->file);
        kdpi_hint(
            "Is the name right? - is standard input; kdp gen --output FILE makes a session to practise on");
        return rc;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return 0;
    }
    got = pread(fd, bytes, sizeof bytes, 0);
    close(fd);
    if (got < 0)
        return kdpi_fail_errno(errno, "cannot read %s", record->file);
    record->keep = got > 0;
    record->size = (uint64_t)st.st_size;
    record->play.identity = XXH3_64bits(bytes, (size_t)got);
    snprintf(record->path, sizeof record->path, "%s/record/%016" PRIx64 ".mark", record->play.dir,
             record->play.identity);
    snprintf(record->play.rejects.name, sizeof record->play.rejects.name, "record-%016" PRIx64,
             record->play.identity);
    return 0;
}

/* ---- going on ---- */

/* Asked with the directory open: the START of the run to go on with, NULL when a run begins. */
static const struct kdp_input_start *
resume(void *arg, const struct kdp_input_start *start)
{
    struct record *record = arg;
    struct bookmark *old = &record->old;
    uint64_t last_start, fed, applied = start->applied;
    bool ours = applied >= old->start_index;

    record->mark = (struct bookmark){.begins = 1, .first = *start, .leg = record->play.leg_flags};
    if (!record->has_old)
        return NULL;
    fed = ours ? old->base + (applied - old->start_index) + old->begins : old->base;
    if (!ours)
        applied = old->applied;
    if (old->finished != 0) { /* the file has grown since: a new run has the rest */
        record->mark.skip = old->skip + (old->fed > 0 ? old->fed - 1 : 0);
        record->not_whole = "it had ended";
        return NULL;
    }
    if (fed == 0) {
        record->mark.skip = old->skip;
        return NULL;
    }
    if (kdp_raw_last_start(record->play.dir, applied, &last_start) != 0)
        record->not_whole = "the raw tape cannot be read";
    else if ((start->flags & KDP_START_RING_LOST) != 0)
        record->not_whole = "what had not reached the disk is lost";
    else if (last_start != (ours ? old->start_index : old->before_index))
        record->not_whole = "another run came in between";
    if (record->not_whole != NULL) {
        record->mark.skip = old->skip + fed - 1;
        return NULL;
    }
    record->mark = *old;
    record->mark.begins = 0;
    record->mark.base = record->play.again = fed;
    record->mark.applied = record->play.applied = applied;
    record->mark.before_index = last_start;
    record->play.resumed = &record->mark.first;
    return record->play.resumed;
}

static void
say_resumed(const struct record *record)
{
    char count[KDPI_SCREEN_TEXT];

    if (record->play.again > 0)
        kdp_cli_notice(record->play.cli, NULL, "going on with %s: %s messages of it are here already",
                       record->file, kdpi_screen_count(count, record->play.again - 1));
    else if (record->not_whole != NULL)
        kdp_cli_notice(
            record->play.cli, "To have it whole in one run: another folder, --data DIR",
            "going on with %s behind %s messages in a new run, since %s; books wait for their next snapshot",
            record->file, kdpi_screen_count(count, record->play.skip), record->not_whole);
}

/* All of the file is here: 0 and nothing to do. */
static bool
is_done(const struct record *record)
{
    char lines[KDPI_SCREEN_TEXT];

    if (!record->has_old || record->old.finished == 0 || record->size > record->old.size)
        return false;
    kdp_cli_notice(record->play.cli, NULL, "%s was recorded to its end, %s lines: nothing new in it",
                   record->file, kdpi_screen_count(lines, record->old.lines));
    return true;
}

static int
play_all(struct record *record)
{
    struct kdp_play *play = &record->play;
    int rc = kdp_play_file(play, record->file), marked;
    uint64_t fed = play->fed;

    if (rc == -KDP_ESTOPPED)
        rc = 0;
    if (kdp_cli_interrupted() != 0 && record->keep) {
        kdp_cli_say(play->cli, "stopped at line %" PRIu64 "; the same command goes on there",
                    play->result.line);
        return rc; /* no STOP: the run goes on with the next process */
    }
    rc = kdp_play_stop(play, rc);
    if (rc == 0 && play->again > 0) {
        rc =
            kdpi_fail(KDP_EINVAL, "%s is not what was being recorded: it ends %" PRIu64 " messages too early",
                      record->file, play->again);
        kdpi_hint("Was the file replaced? Record it into another folder: --data DIR");
        return rc;
    }
    if (rc == 0 || rc == -KDP_ETRUNCATED || rc == -KDP_ECHECKSUM || rc == -KDP_EFORMAT) {
        char text[1024], hint[512];

        snprintf(text, sizeof text, "%s", kdp_error_text());
        snprintf(hint, sizeof hint, "%s", kdp_error_hint());
        /* only what is on the disk may be called done */
        marked = kdp_stream_agent_drain(play->topology.stream);
        if (play->rejects.out != NULL &&
            (fflush(play->rejects.out) != 0 || fsync(fileno(play->rejects.out)) != 0))
            marked = kdpi_fail_errno(errno, "cannot write %s", play->rejects.path);
        record->mark.finished = 1;
        record->mark.fed = fed;
        record->mark.size = record->size;
        record->mark.lines = play->result.line;
        if (marked == 0)
            marked = write_mark(record);
        if (rc == 0)
            return marked;
        kdpi_fail((enum kdp_error) - rc, "%s", text);
        if (hint[0] != '\0')
            kdpi_hint("%s", hint);
    }
    return rc;
}

int
kdp_cmd_record(struct kdp_cli *cli)
{
    static struct record record; /* large, and a command runs once */
    struct kdp_play *play = &record.play;
    const char *leg = kdp_cli_text(cli, "leg");
    char folder[4096];
    int rc, code;

    play->cli = cli;
    play->name = "record";
    play->dir = kdp_cli_text(cli, "data");
    play->old_forms = true;
    play->leg_flags = leg != NULL && strcmp(leg, "yes") == 0 ? KDP_INPUT_LEG_YES : 0;
    snprintf(record.file, sizeof record.file, "%s", kdp_cli_text(cli, "feed-file"));
    play->config = (struct kdp_topology_config){.dir = play->dir,
                                                .lake = kdp_cli_switch(cli, "lake"),
                                                .hash = true,
                                                .resume = resume,
                                                .resume_arg = &record};
    rc = kdp_play_speed(play);
    if (rc == 0)
        rc = identify(&record);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    if (kdp_cli_given(cli, "questdb-host") || kdp_cli_given(cli, "questdb-port"))
        kdp_cli_notice(cli, NULL,
                       "no store but the lake yet: what is recorded goes into %s, and QuestDB comes later",
                       play->dir);
    if (record.keep)
        read_mark(&record);
    if (record.has_old && record.old.finished == 0 && record.old.leg != play->leg_flags) {
        rc = kdpi_fail(KDP_EUSAGE, "--leg is another one than %s was begun with", record.file);
        kdpi_hint("Give the same, or another folder: --data DIR");
        return kdp_cli_error(cli, rc);
    }
    if (is_done(&record)) {
        if (kdp_cli_text(cli, "summary") != NULL)
            kdp_replay_print(&play->result, cli);
        return kdp_cli_finish(cli, KDP_EXIT_DONE);
    }
    rc = kdp_play_open(play);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    play->skip = record.mark.skip;
    if (play->skip > 0) /* what the runs before could not take stays where it is */
        snprintf(play->rejects.name, sizeof play->rejects.name, "record-%016" PRIx64 "-from-%" PRIu64,
                 play->identity, play->skip + 1);
    say_resumed(&record);
    record.mark.start_index = kdp_ring_head_input(play->topology.ring) + 1;
    snprintf(folder, sizeof folder, "%s/record", play->dir);
    if (record.keep && mkdir(folder, 0755) != 0 && errno != EEXIST)
        rc = kdpi_fail_errno(errno, "cannot make %s", folder);
    if (rc == 0)
        rc = write_mark(&record);
    if (rc == 0)
        rc = play_all(&record);
    code = kdp_play_close(play, rc);
    if (play->rejects.count > 0)
        kdp_cli_notice(cli, NULL, "lines that could not be taken are kept, with line and reason, in %s",
                       play->rejects.path);
    return kdp_cli_finish(cli, code);
}
