/* cmd_replay.c - kdp replay: recorded sessions through the plant, at any speed, with the same stream as the
 * live line gave.
 *
 * The source here does what sockets do in a live run: it hands inputs to the topology, one after the other.
 * What it decides itself (times where a recording has none, the ends of files) depends on the recordings
 * alone, so that the stream does too. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "commands.h"
#include "decimal.h"
#include "error.h"
#include "recording.h"
#include "rejects.h"
#include "replay_summary.h"
#include "topology.h"

#define LINES_MAX 65536

struct replay {
    struct kdp_cli *cli;
    struct kdp_topology_config config;
    struct kdp_topology topology;
    struct kdp_progress progress;
    struct kdp_replay_result result;
    const char *dir;
    double speed; /* 0: as fast as it goes */
    unsigned leg_flags;
    uint8_t up[LINES_MAX / 8];       /* lines that must be taken down at the end of a file */
    bool started, stopped;           /* the run has its START, and its STOP */
    bool as_recorded;                /* the numbers of a raw tape's run are those given out here */
    int64_t first_ns, last_ns;       /* receive times of inputs */
    int64_t pace_from_ns, pace_mono; /* of the file being played */
    struct kdp_rejects rejects;
};

static void
reject(struct replay *replay, uint64_t line_number, size_t position, const char *member, const char *why,
       const char *text, size_t len)
{
    replay->result.rejected++;
    kdp_rejects_add(&replay->rejects, true, replay->result.file, line_number, position, member, why, text,
                    len);
}

static void
frame_rejected(void *arg, const struct kdp_input_head *input, const char *frame,
               const struct kdp_message *msg)
{
    struct replay *replay = arg;

    reject(replay, replay->result.line, msg->position, msg->member, kdpi_refusal_text(msg->refusal), frame,
           input->length);
}

/* ---- feeding ---- */

/* The first input of every run; its time is that of the first thing recorded, not of the replay. */
static int
start(struct replay *replay, int64_t recv_ns)
{
    struct kdp_input_start what = replay->topology.start;

    if (replay->first_ns == 0)
        replay->first_ns = recv_ns;
    replay->started = true;
    replay->last_ns = recv_ns;
    what.session = 0; /* a replay's raw tape is the same each time */
    return kdp_topology_feed(&replay->topology, KDP_INPUT_START, 0, 0, recv_ns, &what, sizeof what, NULL, 0);
}

static int
feed(struct replay *replay, enum kdp_input_kind kind, unsigned flags, unsigned line, int64_t recv_ns,
     const void *fixed, size_t fixed_len, const void *rest, size_t rest_len)
{
    int rc = replay->started ? 0 : start(replay, recv_ns);

    if (rc != 0)
        return rc;
    replay->last_ns = recv_ns;
    replay->stopped = kind == KDP_INPUT_STOP;
    return kdp_topology_feed(&replay->topology, kind, flags, line, recv_ns, fixed, fixed_len, rest, rest_len);
}

static int
take_down(struct replay *replay)
{
    struct kdp_input_line what = {.epoch = 0, .reason = KDP_REASON_INPUT};
    static const char words[] = "end of the recording";
    int rc = 0;

    for (unsigned line = 0; line < LINES_MAX && rc == 0; line++)
        if ((replay->up[line / 8] & (1u << line % 8)) != 0)
            rc = feed(replay, KDP_INPUT_DISCONNECTED, 0, line, replay->last_ns, &what, sizeof what, words,
                      sizeof words - 1);
    memset(replay->up, 0, sizeof replay->up);
    return rc;
}

/* Waits until it is time for an input received at recv_ns. */
static void
pace(struct replay *replay, int64_t recv_ns)
{
    int64_t due;

    if (replay->speed == 0 || recv_ns == KDP_TIME_NULL)
        return;
    if (replay->pace_mono == 0) {
        replay->pace_mono = kdpi_mono_ns();
        replay->pace_from_ns = recv_ns;
    }
    due = replay->pace_mono + (int64_t)((double)(recv_ns - replay->pace_from_ns) / replay->speed);
    for (;;) {
        int64_t left = due - kdpi_mono_ns();
        struct timespec ts = {.tv_nsec = left > 20 * KDP_NS_PER_MS ? 20 * KDP_NS_PER_MS : left};

        if (left <= 0 || kdp_cli_interrupted() != 0)
            return;
        nanosleep(&ts, NULL);
    }
}

/* What the run on a raw tape never gave out is not made. */
static void
end_as_recorded(struct replay *replay, const struct kdp_recorded *in)
{
    kdp_plant_end(replay->topology.plant, in->head != NULL && replay->as_recorded ? in->seq_end : UINT64_MAX);
}

/* A START of a raw tape: a run of another process begins.  Its numbers are kept where everything before it
 * has been played, holes included, so that the stream is the same record by record. */
static int
start_again(struct replay *replay, const struct kdp_recorded *in)
{
    struct kdp_input_start was;
    bool hole;
    int rc = 0;

    if (in->len < KDP_START_V1_BYTES)
        return 0;
    was.last_ns = KDP_TIME_NULL; /* one of an earlier version does not say */
    memcpy(&was, in->text, in->len < sizeof was ? in->len : sizeof was);
    hole = was.unused_from != 0 && replay->topology.fresh && (replay->as_recorded || !replay->started);
    if (replay->started || hole) {
        kdp_replay_collect(&replay->result, replay->topology.plant);
        rc = kdp_topology_again(&replay->topology, &replay->config, hole ? was.next_seq : 0,
                                hole ? was.next_instrument : 0);
    }
    if (rc != 0)
        return rc;
    replay->as_recorded = replay->topology.fresh && (replay->as_recorded || !replay->started) &&
                          was.next_seq == kdp_ring_next_seq(replay->topology.ring);
    memset(replay->up, 0, sizeof replay->up);
    end_as_recorded(replay, in);
    /* when the runs before ended is part of the input; a raw tape whose first runs are gone has none of it */
    if ((replay->topology.start.flags & KDP_START_FRESH) == 0)
        replay->topology.start.last_ns = was.last_ns;
    return start(replay, in->recv_ns);
}

static int
play(struct replay *replay, const struct kdp_recorded *in)
{
    pace(replay, in->recv_ns);
    end_as_recorded(replay, in);
    switch (in->kind) {
    case KDP_INPUT_START:
        return start_again(replay, in);
    case KDP_INPUT_STOP:
        return feed(replay, KDP_INPUT_STOP, in->flags, 0, in->recv_ns, NULL, 0, NULL, 0);
    case KDP_INPUT_CONNECTED:
    case KDP_INPUT_FRAME:
    case KDP_INPUT_COMMAND:
        replay->up[in->line / 8] |= (uint8_t)(1u << in->line % 8);
        break;
    case KDP_INPUT_DISCONNECTED:
        replay->up[in->line / 8] &= (uint8_t) ~(1u << in->line % 8);
        break;
    default:
        break;
    }
    if (in->len > replay->topology.input_max) {
        replay->result.unwrapped++;
        reject(replay, in->number, 0, "", "longer than half the input ring (--raw-ring-size)", in->text,
               in->len < 4096 ? in->len : 4096);
        return 0;
    }
    if (in->kind == KDP_INPUT_FRAME || in->kind == KDP_INPUT_COMMAND)
        return feed(replay, in->kind, in->flags | replay->leg_flags, in->line, in->recv_ns, NULL, 0, in->text,
                    in->len);
    if (in->head != NULL)
        return feed(replay, in->kind, in->flags, in->line, in->recv_ns, NULL, 0, in->text, in->len);
    {
        struct kdp_input_line what = {.epoch = 0,
                                      .reason = in->kind == KDP_INPUT_CONNECTED ? KDP_REASON_CONNECTED
                                                                                : KDP_REASON_DISCONNECTED};

        return feed(replay, in->kind, in->flags, in->line, in->recv_ns, &what, sizeof what, in->text,
                    in->len);
    }
}

static void
show_progress(struct replay *replay, struct kdp_recording *recording, int64_t started_ns)
{
    struct kdp_plant_totals totals;
    uint64_t done, all;
    double seconds = (double)(kdpi_mono_ns() - started_ns) / 1e9;

    if (!kdp_progress_due(&replay->progress))
        return;
    kdp_plant_totals(replay->topology.plant, &totals);
    totals.frames += replay->result.totals.frames; /* of runs that are over */
    kdp_recording_progress(recording, &done, &all);
    kdp_progress_update(&replay->progress, (double)done, (double)all, "%llu frames  %.0f/s",
                        (unsigned long long)totals.frames,
                        seconds > 0 ? (double)totals.frames / seconds : 0.0);
}

static int
play_file(struct replay *replay, const char *path)
{
    struct kdp_recording *recording;
    struct kdp_recorded in;
    int64_t started_ns = kdpi_mono_ns();
    uint64_t count = 0;
    int rc, got;

    replay->result.file = path;
    replay->result.line = 0;
    rc = kdp_recording_open(&recording, path);
    if (rc != 0)
        return rc;
    replay->pace_mono = 0;
    while (rc == 0 && (got = kdp_recording_next(recording, &in)) != 0) {
        if (got < 0) {
            rc = got;
            break;
        }
        replay->result.line = in.number;
        if (in.kind == KDP_RECORDED_MALFORMED) {
            replay->result.unwrapped++;
            reject(replay, in.number, in.position, "", in.why, in.text, in.len);
            continue;
        }
        rc = play(replay, &in);
        if ((++count & 1023) == 0)
            show_progress(replay, recording, started_ns);
        if ((count & 63) == 0 || replay->speed != 0)
            if (kdp_cli_interrupted() != 0)
                break;
    }
    kdp_recording_close(recording);
    return rc;
}

static int
read_speed(struct replay *replay)
{
    const char *text = kdp_cli_text(replay->cli, "speed");
    int64_t thousandths;

    if (text == NULL || strcmp(text, "max") == 0)
        return 0;
    if (kdpi_decimal_parse(text, strlen(text), 3, &thousandths) != KDP_DECIMAL_OK || thousandths <= 0) {
        kdpi_fail(KDP_EUSAGE, "--speed \"%s\" is not a speed", text);
        kdpi_hint("write max, or how many times the recorded pace: 1, 10, 0.5");
        return -KDP_EUSAGE;
    }
    replay->speed = (double)thousandths / 1000.0;
    return 0;
}

int
kdp_cmd_replay(struct kdp_cli *cli)
{
    static struct replay replay; /* large, and a command runs once */
    const char *const *inputs, *leg = kdp_cli_text(cli, "leg");
    unsigned count = kdp_cli_list(cli, "input", &inputs);
    int rc, closed, exit_code;

    replay.cli = cli;
    replay.dir = kdp_cli_text(cli, "data");
    replay.rejects = (struct kdp_rejects){.cli = cli, .dir = replay.dir};
    replay.leg_flags = leg != NULL && strcmp(leg, "yes") == 0 ? KDP_INPUT_LEG_YES : 0;
    replay.config = (struct kdp_topology_config){.dir = replay.dir,
                                                 .lake = kdp_cli_switch(cli, "lake"),
                                                 .hash = true,
                                                 .refuse_existing = !kdp_cli_switch(cli, "append"),
                                                 .rejected = frame_rejected,
                                                 .rejected_arg = &replay};
    rc = read_speed(&replay);
    for (unsigned i = 0; i < count && rc == 0; i++)
        if (strcmp(inputs[i], "-") != 0 && access(inputs[i], R_OK) != 0)
            rc = kdpi_fail_errno(errno, "cannot read %s", inputs[i]);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    replay.result.started_ns = kdpi_mono_ns();
    rc = kdp_topology_open(&replay.topology, cli, &replay.config);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    replay.result.taken_over = kdp_stream_taken_over(replay.topology.stream);
    if (replay.result.taken_over > 0)
        kdp_cli_notice(cli, NULL, "last run was killed; %llu records taken over from the ring",
                       (unsigned long long)replay.result.taken_over);
    kdp_progress_start(&replay.progress, cli, "replay");
    for (unsigned i = 0; i < count && rc == 0; i++) {
        if (i > 0)
            rc = take_down(&replay);
        if (rc == 0)
            rc = play_file(&replay, inputs[i]);
        if (rc == -KDP_ESTOPPED)
            rc = 0; /* not the recording's fault: the run ends in order */
        if (kdp_cli_interrupted() != 0)
            break;
    }
    if (replay.started && !replay.stopped &&
        (rc == 0 || rc == -KDP_ETRUNCATED || rc == -KDP_ECHECKSUM || rc == -KDP_EFORMAT)) {
        char kept[2048], hint[1024];
        int stop;

        snprintf(kept, sizeof kept, "%s", kdp_error_text());
        snprintf(hint, sizeof hint, "%s", kdp_error_hint());
        stop = feed(&replay, KDP_INPUT_STOP, 0, 0, replay.last_ns, NULL, 0, NULL, 0);
        if (rc == 0) {
            rc = stop;
        } else if (stop == 0) {
            kdpi_fail((enum kdp_error) - rc, "%s", kept);
            if (hint[0] != '\0')
                kdpi_hint("%s", hint);
        }
    }
    kdp_progress_end(&replay.progress);
    replay.result.played_ns = kdpi_mono_ns();
    replay.result.span_ns = replay.started ? replay.last_ns - replay.first_ns : 0;
    replay.result.fresh = replay.topology.fresh;
    exit_code = rc == 0 ? KDP_EXIT_DONE : kdp_cli_error(cli, rc);
    if (replay.topology.plant != NULL)
        kdp_replay_collect(&replay.result, replay.topology.plant);
    closed = kdp_topology_close(&replay.topology);
    if (closed != 0) {
        int code = kdp_cli_error(cli, closed);

        exit_code = exit_code == KDP_EXIT_DONE ? code : exit_code;
    }
    kdp_rejects_close(&replay.rejects);
    kdp_replay_print(&replay.result, cli);
    kdp_replay_release(&replay.result);
    if (kdp_cli_interrupted() != 0 && exit_code == KDP_EXIT_DONE)
        exit_code = 128 + kdp_cli_interrupted();
    return kdp_cli_finish(cli, exit_code);
}
