/* play.c - see play.h. */
#include "play.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"

static void
reject(struct kdp_play *play, uint64_t line_number, size_t position, const char *member, const char *why,
       const char *text, size_t len)
{
    play->result.rejected++;
    /* those of a run that goes on were named before; they are all kept anew, so that the file is whole */
    kdp_rejects_add(&play->rejects, play->again == 0, play->result.file, line_number, position, member, why,
                    text, len);
}

static void
frame_rejected(void *arg, const struct kdp_input_head *input, const char *frame,
               const struct kdp_message *msg)
{
    struct kdp_play *play = arg;

    reject(play, play->result.line, msg->position, msg->member, kdpi_refusal_text(msg->refusal), frame,
           input->length);
}

/* ---- feeding ---- */

/* One input to the plant: a new one, or one that the process before had given it. */
static int
give(struct kdp_play *play, enum kdp_input_kind kind, unsigned flags, unsigned line, int64_t recv_ns,
     const void *fixed, size_t fixed_len, const void *rest, size_t rest_len)
{
    int rc;

    play->fed++;
    if (play->again == 0)
        return kdp_topology_feed(&play->topology, kind, flags, line, recv_ns, fixed, fixed_len, rest,
                                 rest_len);
    rc = kdp_topology_again_feed(&play->topology, kind, flags, line, recv_ns, fixed, fixed_len, rest,
                                 rest_len);
    if (rc == 0 && --play->again == 0) {
        rc = kdp_topology_resume(&play->topology, play->applied, recv_ns);
        play->pace_mono = 0;
    }
    return rc;
}

/* The first input of every run; its time is that of the first thing recorded, not of the replay. */
static int
start(struct kdp_play *play, int64_t recv_ns)
{
    struct kdp_input_start what = play->again > 0 ? *play->resumed : play->topology.start;

    if (play->first_ns == 0)
        play->first_ns = recv_ns;
    play->started = true;
    play->last_ns = recv_ns;
    what.session = 0; /* a replay's raw tape is the same each time */
    return give(play, KDP_INPUT_START, 0, 0, recv_ns, &what, sizeof what, NULL, 0);
}

static int
feed(struct kdp_play *play, enum kdp_input_kind kind, unsigned flags, unsigned line, int64_t recv_ns,
     const void *fixed, size_t fixed_len, const void *rest, size_t rest_len)
{
    int rc = play->started ? 0 : start(play, recv_ns);

    if (rc != 0)
        return rc;
    play->last_ns = recv_ns;
    play->stopped = kind == KDP_INPUT_STOP;
    return give(play, kind, flags, line, recv_ns, fixed, fixed_len, rest, rest_len);
}

int
kdp_play_take_down(struct kdp_play *play)
{
    struct kdp_input_line what = {.epoch = 0, .reason = KDP_REASON_INPUT};
    static const char words[] = "end of the recording";
    int rc = 0;

    for (unsigned line = 0; line < KDP_PLAY_LINES && rc == 0; line++)
        if ((play->up[line / 8] & (1u << line % 8)) != 0)
            rc = feed(play, KDP_INPUT_DISCONNECTED, 0, line, play->last_ns, &what, sizeof what, words,
                      sizeof words - 1);
    memset(play->up, 0, sizeof play->up);
    return rc;
}

/* Waits until it is time for an input received at recv_ns. */
static void
pace(struct kdp_play *play, int64_t recv_ns)
{
    int64_t due;

    if (play->speed == 0 || recv_ns == KDP_TIME_NULL || play->again > 0)
        return;
    if (play->pace_mono == 0) {
        play->pace_mono = kdpi_mono_ns();
        play->pace_from_ns = recv_ns;
    }
    due = play->pace_mono + (int64_t)((double)(recv_ns - play->pace_from_ns) / play->speed);
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
end_as_recorded(struct kdp_play *play, const struct kdp_recorded *in)
{
    kdp_plant_end(play->topology.plant, in->head != NULL && play->as_recorded ? in->seq_end : UINT64_MAX);
}

/* A START of a raw tape: a run of another process begins.  Its numbers are kept where everything before it
 * has been played, holes included, so that the stream is the same record by record. */
static int
start_again(struct kdp_play *play, const struct kdp_recorded *in)
{
    struct kdp_input_start was;
    bool hole;
    int rc = 0;

    if (in->len < KDP_START_V1_BYTES)
        return 0;
    was.last_ns = KDP_TIME_NULL; /* one of an earlier version does not say */
    memcpy(&was, in->text, in->len < sizeof was ? in->len : sizeof was);
    hole = was.unused_from != 0 && play->topology.fresh && (play->as_recorded || !play->started);
    if (play->started || hole) {
        kdp_replay_collect(&play->result, play->topology.plant);
        rc = kdp_topology_again(&play->topology, &play->config, hole ? was.next_seq : 0,
                                hole ? was.next_instrument : 0);
    }
    if (rc != 0)
        return rc;
    play->as_recorded = play->topology.fresh && (play->as_recorded || !play->started) &&
                        was.next_seq == kdp_ring_next_seq(play->topology.ring);
    memset(play->up, 0, sizeof play->up);
    end_as_recorded(play, in);
    /* when the runs before ended is part of the input; a raw tape whose first runs are gone has none of it */
    if ((play->topology.start.flags & KDP_START_FRESH) == 0)
        play->topology.start.last_ns = was.last_ns;
    return start(play, in->recv_ns);
}

/* A START of a process that went on with the run of the one before: the run knows nothing of it. */
static bool
goes_on(const struct kdp_recorded *in)
{
    struct kdp_input_start was;

    if (in->len < KDP_START_V1_BYTES)
        return false;
    memcpy(&was, in->text, KDP_START_V1_BYTES);
    return (was.flags & KDP_START_RESUMED) != 0;
}

static int
play_input(struct kdp_play *play, const struct kdp_recorded *in)
{
    pace(play, in->recv_ns);
    end_as_recorded(play, in);
    switch (in->kind) {
    case KDP_INPUT_START:
        if (goes_on(in))
            return 0;
        return start_again(play, in);
    case KDP_INPUT_STOP:
        return feed(play, KDP_INPUT_STOP, in->flags, 0, in->recv_ns, NULL, 0, NULL, 0);
    case KDP_INPUT_CONNECTED:
    case KDP_INPUT_FRAME:
    case KDP_INPUT_COMMAND:
        play->up[in->line / 8] |= (uint8_t)(1u << in->line % 8);
        break;
    case KDP_INPUT_DISCONNECTED:
        play->up[in->line / 8] &= (uint8_t) ~(1u << in->line % 8);
        break;
    default:
        break;
    }
    if (in->len > play->topology.input_max) {
        play->result.unwrapped++;
        reject(play, in->number, 0, "", "longer than half the input ring (--raw-ring-size)", in->text,
               in->len < 4096 ? in->len : 4096);
        return 0;
    }
    if (in->kind == KDP_INPUT_FRAME || in->kind == KDP_INPUT_COMMAND)
        return feed(play, in->kind, in->flags | play->leg_flags, in->line, in->recv_ns, NULL, 0, in->text,
                    in->len);
    if (in->head != NULL)
        return feed(play, in->kind, in->flags, in->line, in->recv_ns, NULL, 0, in->text, in->len);
    {
        struct kdp_input_line what = {.epoch = 0,
                                      .reason = in->kind == KDP_INPUT_CONNECTED ? KDP_REASON_CONNECTED
                                                                                : KDP_REASON_DISCONNECTED};

        return feed(play, in->kind, in->flags, in->line, in->recv_ns, &what, sizeof what, in->text, in->len);
    }
}

static void
show_progress(struct kdp_play *play, struct kdp_recording *recording, int64_t started_ns)
{
    struct kdp_plant_totals totals;
    uint64_t done, all;
    double seconds = (double)(kdpi_mono_ns() - started_ns) / 1e9;

    if (!kdp_progress_due(&play->progress))
        return;
    kdp_plant_totals(play->topology.plant, &totals);
    totals.frames += play->result.totals.frames; /* of runs that are over */
    kdp_recording_progress(recording, &done, &all);
    kdp_progress_update(&play->progress, (double)done, (double)all, "%llu frames  %.0f/s",
                        (unsigned long long)totals.frames,
                        seconds > 0 ? (double)totals.frames / seconds : 0.0);
}

int
kdp_play_file(struct kdp_play *play, const char *path)
{
    struct kdp_recording *recording;
    struct kdp_recorded in;
    int64_t started_ns = kdpi_mono_ns();
    uint64_t count = 0;
    int rc, got;

    play->result.file = path;
    play->result.line = 0;
    rc = kdp_recording_open(&recording, path);
    if (rc == 0 && play->old_forms)
        rc = kdp_recording_old_forms(recording, play->identity);
    if (rc != 0) {
        kdp_recording_close(recording);
        return rc;
    }
    play->pace_mono = 0;
    while (rc == 0 && (got = kdp_recording_next(recording, &in)) != 0) {
        if (got < 0) {
            rc = got;
            break;
        }
        play->result.line = in.number;
        if (in.kind == KDP_RECORDED_MALFORMED && play->skip == 0) {
            play->result.unwrapped++;
            reject(play, in.number, in.position, in.member, in.why, in.text, in.len);
        }
        if (in.kind == KDP_RECORDED_MALFORMED)
            continue;
        if (play->skip > 0) { /* of a run before that cannot go on */
            play->skip--;
            continue;
        }
        rc = play_input(play, &in);
        if ((++count & 1023) == 0)
            show_progress(play, recording, started_ns);
        if ((count & 63) == 0 || play->speed != 0)
            if (kdp_cli_interrupted() != 0)
                break;
    }
    kdp_recording_close(recording);
    return rc;
}

int
kdp_play_speed(struct kdp_play *play)
{
    const char *text = kdp_cli_text(play->cli, "speed");
    int64_t thousandths;

    if (text == NULL || strcmp(text, "max") == 0)
        return 0;
    if (kdpi_decimal_parse(text, strlen(text), 3, &thousandths) != KDP_DECIMAL_OK || thousandths <= 0) {
        kdpi_fail(KDP_EUSAGE, "--speed \"%s\" is not a speed", text);
        kdpi_hint("write max, or how many times the recorded pace: 1, 10, 0.5");
        return -KDP_EUSAGE;
    }
    play->speed = (double)thousandths / 1000.0;
    return 0;
}

int
kdp_play_open(struct kdp_play *play)
{
    int rc;

    play->config.rejected = frame_rejected;
    play->config.rejected_arg = play;
    play->rejects.cli = play->cli;
    play->rejects.dir = play->dir;
    play->result.started_ns = kdpi_mono_ns();
    rc = kdp_topology_open(&play->topology, play->cli, &play->config);
    if (rc != 0)
        return rc;
    play->config.resume = NULL; /* that was asked of this opening */
    play->result.taken_over = kdp_stream_taken_over(play->topology.stream);
    if (play->result.taken_over > 0)
        kdp_cli_notice(play->cli, NULL, "last run was killed; %llu records taken over from the ring",
                       (unsigned long long)play->result.taken_over);
    kdp_progress_start(&play->progress, play->cli, play->name);
    return 0;
}

int
kdp_play_stop(struct kdp_play *play, int rc)
{
    char kept[2048], hint[1024];
    int stop;

    if (!play->started || play->stopped ||
        (rc != 0 && rc != -KDP_ETRUNCATED && rc != -KDP_ECHECKSUM && rc != -KDP_EFORMAT))
        return rc;
    snprintf(kept, sizeof kept, "%s", kdp_error_text());
    snprintf(hint, sizeof hint, "%s", kdp_error_hint());
    stop = feed(play, KDP_INPUT_STOP, 0, 0, play->last_ns, NULL, 0, NULL, 0);
    if (rc == 0)
        return stop;
    if (stop == 0) {
        kdpi_fail((enum kdp_error) - rc, "%s", kept);
        if (hint[0] != '\0')
            kdpi_hint("%s", hint);
    }
    return rc;
}

int
kdp_play_close(struct kdp_play *play, int rc)
{
    int closed, exit_code;

    kdp_progress_end(&play->progress);
    play->result.played_ns = kdpi_mono_ns();
    play->result.span_ns = play->started ? play->last_ns - play->first_ns : 0;
    play->result.fresh = play->topology.fresh;
    exit_code = rc == 0 ? KDP_EXIT_DONE : kdp_cli_error(play->cli, rc);
    if (play->topology.plant != NULL)
        kdp_replay_collect(&play->result, play->topology.plant);
    closed = kdp_topology_close(&play->topology);
    if (closed != 0) {
        int code = kdp_cli_error(play->cli, closed);

        exit_code = exit_code == KDP_EXIT_DONE ? code : exit_code;
    }
    kdp_rejects_close(&play->rejects);
    kdp_replay_print(&play->result, play->cli);
    kdp_replay_release(&play->result);
    if (kdp_cli_interrupted() != 0 && exit_code == KDP_EXIT_DONE)
        exit_code = kdp_cli_stopped(play->cli);
    return exit_code;
}
