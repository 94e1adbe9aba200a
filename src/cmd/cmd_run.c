/* cmd_run.c - kdp run: the exchange's stream, captured as long as nobody ends it.
 *
 * The feed thread is the main thread: sockets (exchange/live.h), plant and screen take turns on it; the tape agent is a thread
 * and the sealer a child process (topology.h).  The end: the session looks for late trades once more while the books are still
 * live, then lines are hung up, the tape is drained, the lake sealed. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "commands.h"
#include "error.h"
#include "live.h"
#include "log.h"
#include "rejects.h"
#include "run_rules.h"
#include "run_screen.h"
#include "run_setup.h"
#include "run_summary.h"
#include "topology.h"

#define GAUGES_NS KDP_NS_PER_S
#define UP_WAIT_NS \
    (30 * KDP_NS_PER_S) /* --seconds begins to count at the latest after so long without a connection */
#define LOAD_SCAN 4096u /* markets looked at in one turn */
#define STOPPING_NS (500 * KDP_NS_PER_MS)
#define WAITED_MIN_NS (100 * KDP_NS_PER_MS)

enum gauge { /* names below */
             GAUGE_PLANNED,
             GAUGE_LIVE,
             GAUGE_LINES_UP,
             GAUGE_LINES_WANTED,
             GAUGE_LAST_FRAME,
             GAUGE_FEED_AGE,
             GAUGE_TO_RING,
             GAUGE_LOST,
             GAUGE_SIMULATED,
             GAUGE_KEYLESS,
             GAUGE_SAMPLED,
             GAUGES
};
static const char *const gauge_names[GAUGES] = {
    "kdp_books_planned", "kdp_books_live",      "kdp_lines_up",       "kdp_lines_wanted",
    "kdp_last_frame_ns", "kdp_feed_age_p99_ns", "kdp_to_ring_p99_ns", "kdp_lost",
    "kdp_simulated",     "kdp_keyless",         "kdp_books_sampled"};

struct run {
    struct kdp_cli *cli;
    struct kdp_topology topology;
    struct kdp_live *live;
    struct kdp_run_screen *screen;
    struct kdp_run_view view;
    struct kdp_run_result result;
    struct kdp_run_rules rules;
    struct kdp_rejects rejects;
    struct kdp_counter *gauges[GAUGES];
    const char *dir;
    bool keyless;          /* trades polled, books sampled: no line */
    bool simulated, ended; /* ended: no more inputs can be fed */
    int signo;             /* what asked for the end; 0: --seconds or nothing */
    bool terminal, listed, ever_up;
    char warned[256]; /* the last warning */
    int64_t started_mono, up_mono, seconds_ns, gauges_mono;
    int64_t last_frame_ns, waited_told_ns, stopping_mono;
    uint64_t *load; /* messages of each market when it was last looked at */
    uint32_t load_count, load_next;
    uint64_t mark_seq; /* what is waited for to become durable, 0: nothing */
    int64_t mark_mono, behind_ns;
};

static volatile sig_atomic_t hung_up;

static void
on_hangup(int sig)
{
    (void)sig;
    hung_up = 1;
}

/* ---- what live.c calls ---- */

static int
feed(void *arg, enum kdp_input_kind kind, unsigned flags, unsigned line, int64_t recv_ns, const void *fixed,
     size_t fixed_len, const void *rest, size_t rest_len)
{
    struct run *run = arg;
    int rc = kdp_topology_feed(&run->topology, kind, flags, line, recv_ns, fixed, fixed_len, rest, rest_len);

    if (rc != 0)
        run->ended = true; /* the tape takes nothing more: no order can be made of the end */
    if (kind == KDP_INPUT_FRAME ||
        (run->keyless && kind == KDP_INPUT_REST && ((const struct kdp_input_rest *)fixed)->status == 200))
        run->last_frame_ns = recv_ns;
    return rc;
}

/* The plant speaks while it consumes an input, from START on. */
static void
notice(void *arg, const struct kdp_notice *what)
{
    struct run *run = arg;

    if (run->live != NULL)
        kdp_live_notice(run->live, what);
}

static void
tell(void *arg, enum kdp_action_kind kind, const char *text, const char *hint)
{
    struct run *run = arg;

    if (kind == KDP_ACTION_WARN && strncmp(text, run->warned, sizeof run->warned - 1) == 0)
        return; /* of another connection, the same */
    if (kind == KDP_ACTION_WARN)
        snprintf(run->warned, sizeof run->warned, "%s", text);
    /* off a terminal the log goes where the words go */
    kdpi_log(kind == KDP_ACTION_WARN && run->terminal ? KDP_LOG_WARNING : KDP_LOG_INFO,
             kind == KDP_ACTION_WARN ? "warning" : "notice", "words=\"%s\"", text);
    if (run->screen == NULL)
        return; /* the end is told already */
    if (kind == KDP_ACTION_WARN)
        kdp_run_screen_warn(run->screen, kdpi_now_ns(), text, hint);
    else
        kdp_run_screen_event(run->screen, kdpi_now_ns(), text);
}

/* Of the topology; before there is a screen as any command says it. */
static void
warn(void *arg, const char *text, const char *hint)
{
    struct run *run = arg;

    if (run->screen == NULL) {
        kdp_cli_warning(run->cli, hint, "%s", text);
        return;
    }
    tell(run, KDP_ACTION_WARN, text, hint);
    /* drawn now: with a full disk nothing is drawn again before there is space */
    kdp_run_screen_poll(run->screen, kdpi_mono_ns() + KDP_RUN_DRAW_NS, kdpi_now_ns());
}

static void
frame_rejected(void *arg, const struct kdp_input_head *input, const char *frame,
               const struct kdp_message *msg)
{
    struct run *run = arg;
    char where[64];

    snprintf(where, sizeof where, "connection %u", input->line);
    kdp_rejects_add(&run->rejects, false, where, input->index, msg->position, msg->member,
                    kdpi_refusal_text(msg->refusal), frame, input->length);
    kdpi_log(KDP_LOG_WARNING, "malformed", "line=%u member=%s why=\"%s\"", input->line, msg->member,
             kdpi_refusal_text(msg->refusal));
}

static void
reload(struct run *run)
{
    struct kdp_run_rules fresh;
    char words[512];
    int rc = kdp_run_rules_read(&fresh, run->cli);

    if (rc == 0)
        rc = kdp_session_reload(kdp_live_session(run->live), &fresh.rules);
    if (rc != 0) {
        snprintf(words, sizeof words, "rules not read again: %s", kdp_error_text());
        tell(run, KDP_ACTION_WARN, words, "The rules of before hold. Mend the file, then send SIGHUP again");
        return;
    }
    kdp_run_rules_release(&run->rules);
    run->rules = fresh;
    kdp_rules_words(&run->rules.rules, words, sizeof words);
    tell(run, KDP_ACTION_NOTICE, words, NULL);
}

/* How far SQL is behind the stream: it reads files, tape and ring, so what it waits for is the sync of the tape.  A mark is
 * set at the head; how long it took to become durable is what is told, or how long it has been waited for. */
static void
watch_durable(struct run *run, int64_t mono_ns)
{
    uint64_t durable = kdp_ring_durable_seq(run->topology.ring);

    if (durable < run->mark_seq) {
        if (mono_ns - run->mark_mono > run->behind_ns)
            run->behind_ns = mono_ns - run->mark_mono;
        return;
    }
    run->behind_ns = run->mark_seq != 0 ? mono_ns - run->mark_mono : 0;
    run->mark_seq = kdp_ring_head_seq(run->topology.ring);
    run->mark_mono = mono_ns;
    if (durable >= run->mark_seq) {
        run->behind_ns = 0;
        run->mark_seq = 0;
    }
}

/* Rules that fit nothing are a slip, more often than not; what opens later is taken all the same. */
static void
warn_of_nothing(struct run *run, const struct kdp_session_stats *session)
{
    char words[512], rules[400];

    if (run->listed || !session->listed)
        return;
    run->listed = true;
    if (session->markets_planned > 0)
        return;
    kdp_rules_words(&run->rules.rules, rules, sizeof rules);
    snprintf(words, sizeof words, "no open market fits the rules: %s", rules);
    tell(run, KDP_ACTION_WARN, words,
         "Those that open later are captured. Is it spelled as the exchange does?");
}

static void
update_gauges(struct run *run, int64_t mono_ns)
{
    struct kdp_plant_totals totals;
    struct kdp_session_stats session;
    struct kdp_live_stats live;

    if (mono_ns - run->gauges_mono < GAUGES_NS)
        return;
    run->gauges_mono = mono_ns;
    kdp_plant_totals(run->topology.plant, &totals);
    kdp_session_stats(kdp_live_session(run->live), &session);
    kdp_live_stats(run->live, &live);
    warn_of_nothing(run, &session);
    run->ever_up = run->ever_up || session.lines_up > 0 || session.answered;
    run->view.requests = session.requests;
    run->view.lost = kdp_run_lost(&totals, 0);
    run->view.lake = run->topology.lake;
    run->view.lake_waits = run->topology.lake && run->topology.sealer.pid == 0;
    run->view.sql_behind_ns = run->behind_ns;
    kdp_counter_set(run->gauges[GAUGE_PLANNED],
                    totals.planned_live + totals.planned_sampled + totals.planned_stale);
    kdp_counter_set(run->gauges[GAUGE_SAMPLED], totals.planned_sampled);
    kdp_counter_set(run->gauges[GAUGE_LIVE], totals.planned_live);
    kdp_counter_set(run->gauges[GAUGE_LINES_UP], session.lines_up);
    kdp_counter_set(run->gauges[GAUGE_LINES_WANTED], session.lines_wanted);
    kdp_counter_set(run->gauges[GAUGE_LAST_FRAME], (uint64_t)run->last_frame_ns);
    kdp_counter_set(run->gauges[GAUGE_FEED_AGE], kdp_histogram_at(live.age, 0.99));
    kdp_counter_set(run->gauges[GAUGE_TO_RING], kdp_histogram_at(live.to_ring, 0.99));
    kdp_counter_set(run->gauges[GAUGE_LOST], run->view.lost);
}

/* What capture waited for the tape stands in the stream. */
static int
tell_waited(struct run *run)
{
    int64_t waited = run->topology.waited_ns - run->waited_told_ns;
    struct kdp_input_timer timer = {.kind = KDP_TIMER_TAPE_WAITED, .arg = (uint64_t)waited};

    if (waited < WAITED_MIN_NS)
        return 0;
    run->waited_told_ns = run->topology.waited_ns;
    return feed(run, KDP_INPUT_TIMER, 0, 0, kdpi_now_ns(), &timer, sizeof timer, NULL, 0);
}

/* Tells the session how much each market brings, a part of them with each call, so that it can spread the load. */
static void
measure_load(struct run *run)
{
    uint64_t now;

    for (unsigned i = 0; i < LOAD_SCAN; i++) {
        if (!kdp_plant_messages_at(run->topology.plant, run->load_next, &now)) {
            run->load_next = 0;
            return;
        }
        if (run->load_next >= run->load_count) {
            uint32_t count = run->load_count == 0 ? LOAD_SCAN : run->load_count * 2;
            uint64_t *grown = realloc(run->load, count * sizeof *grown);

            if (grown == NULL)
                return; /* markets beyond are placed by their number alone */
            memset(grown + run->load_count, 0, (count - run->load_count) * sizeof *grown);
            run->load = grown;
            run->load_count = count;
        }
        if (now != run->load[run->load_next])
            kdp_session_load(kdp_live_session(run->live), run->load_next + 1,
                             (uint32_t)(now - run->load[run->load_next]));
        run->load[run->load_next++] = now;
    }
}

/* Whether it is time to end: by a signal, by --seconds, or because the terminal it was started from is gone. */
static bool
is_over(struct run *run, int64_t mono_ns)
{
    struct kdp_session_stats session;

    if (kdp_cli_interrupted() != 0) {
        run->signo = kdp_cli_interrupted();
        return true;
    }
    if (run->seconds_ns == 0)
        return false;
    if (run->up_mono == 0) {
        kdp_session_stats(kdp_live_session(run->live), &session);
        if (session.lines_up > 0 || session.answered || mono_ns - run->started_mono > UP_WAIT_NS)
            run->up_mono = mono_ns;
    }
    return run->up_mono != 0 && mono_ns - run->up_mono >= run->seconds_ns;
}

static int
idle(void *arg)
{
    struct run *run = arg;
    int64_t mono_ns = kdpi_mono_ns(), left_ns = 0;
    struct kdp_live_stats stats;

    if (hung_up) {
        hung_up = 0;
        if (run->terminal && !isatty(STDERR_FILENO)) /* nobody watches any more, and nobody could end it */
            raise(SIGTERM);
        else
            reload(run);
    }
    if (tell_waited(run) != 0)
        return 2;
    kdp_topology_tick(&run->topology, mono_ns);
    if (!run->keyless)
        measure_load(run);
    kdp_run_result_tick(&run->result, run->topology.plant, mono_ns);
    watch_durable(run, mono_ns);
    update_gauges(run, mono_ns);
    kdp_live_stats(run->live, &stats);
    if (stats.draining) {
        if (mono_ns - run->stopping_mono < STOPPING_NS)
            return 1;
        run->stopping_mono = mono_ns;
        kdp_session_drained(kdp_live_session(run->live), mono_ns, &left_ns);
        kdp_run_screen_stopping(run->screen, run->signo, "last look for late trades", left_ns);
        return 1;
    }
    kdp_run_screen_poll(run->screen, mono_ns, kdpi_now_ns());
    if (!is_over(run, mono_ns))
        return 0;
    kdp_run_result_stop(&run->result, run->topology.plant, mono_ns);
    return 1;
}

/* ---- beginning and end ---- */

static int
open_live(struct run *run, struct kdp_signer *signer)
{
    const struct kdp_cli *cli = run->cli;
    const struct kdp_input_start *start = &run->topology.start;
    struct kdp_live_config config = {.ws_url = kdp_cli_text(cli, "ws-url"),
                                     .base_url = kdp_cli_text(cli, "base-url"),
                                     .ca_file = kdp_cli_text(cli, "ca-file"),
                                     .token = kdp_cli_text(cli, "ws-auth-token"),
                                     .signer = signer,
                                     .deflate = kdp_cli_switch(cli, "deflate"),
                                     .input_max = run->topology.input_max,
                                     .feed = feed,
                                     .tell = tell,
                                     .idle = idle,
                                     .arg = run};

    config.busy_poll_us = (uint32_t)(kdp_cli_count(cli, "busy-poll") / 1000);
    config.session.rules = &run->rules.rules;
    config.session.pace_percent = (uint32_t)kdp_cli_count(cli, "test-pace");
    config.session.keyless = run->keyless;
    config.session.connections = (uint32_t)kdp_cli_count(cli, "connections");
    config.session.seed = start->session;
    config.session.restarted = (start->flags & KDP_START_FRESH) == 0;
    config.session.last_wall_ns = start->last_ns;
    config.session.trades_open_ns = run->topology.trades_open_ns;
    config.session.last_trade_ns = run->topology.last_trade_ns;
    config.session.first_wall_ns = run->topology.first_ns;
    return kdp_live_open(&run->live, &config);
}

static int
begin(struct run *run, struct kdp_signer *signer)
{
    struct kdp_topology_config config = {.dir = run->dir,
                                         .lake = kdp_cli_switch(run->cli, "lake"),
                                         .hash = true,
                                         .rejected = frame_rejected,
                                         .rejected_arg = run,
                                         .live = true,
                                         .notice = notice,
                                         .notice_arg = run,
                                         .warn = warn,
                                         .warn_arg = run};
    struct kdp_input_start start;
    int64_t now_ns;
    int rc = kdp_topology_open(&run->topology, run->cli, &config);

    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < GAUGES; i++) {
        run->gauges[i] = kdp_ring_counter(run->topology.ring, gauge_names[i]);
        if (run->gauges[i] == NULL)
            return kdpi_fail(KDP_EFULL, "no room for the counter %s", gauge_names[i]);
    }
    kdp_counter_set(run->gauges[GAUGE_SIMULATED], run->simulated);
    kdp_counter_set(run->gauges[GAUGE_KEYLESS], run->keyless);
    if (kdp_stream_taken_over(run->topology.stream) > 0)
        kdp_cli_notice(run->cli, NULL, "last run was killed; %llu records taken over from the ring",
                       (unsigned long long)kdp_stream_taken_over(run->topology.stream));
    rc = open_live(run, signer);
    if (rc != 0)
        return rc;
    now_ns = kdpi_now_ns();
    start = run->topology.start;
    run->started_mono = kdpi_mono_ns();
    run->result.seq_next = start.next_seq;
    kdp_run_result_start(&run->result, start.next_seq, run->started_mono, now_ns);
    return feed(run, KDP_INPUT_START, 0, 0, now_ns, &start, sizeof start, NULL, 0);
}

/* Everything the summary says, and then the end in order: hang up, STOP. */
static int
finish(struct run *run)
{
    struct kdp_plant_totals *kept = &run->result.plant.totals, totals;
    struct kdp_session_stats session;
    struct kdp_live_stats live;
    int rc = 0;

    kdp_session_stats(kdp_live_session(run->live), &session);
    kdp_live_stats(run->live, &live);
    run->result.connections = session.lines_wanted;
    run->result.reconnects = session.reconnects;
    run->result.latency = *live.to_ring;
    run->result.keyless = run->keyless;
    run->result.age = *live.age;
    run->result.session = session;
    if (!run->result.stopped)
        kdp_run_result_stop(&run->result, run->topology.plant, kdpi_mono_ns());
    kdp_run_result_end(&run->result, run->topology.plant, kdpi_now_ns());
    if (!run->ended)
        rc = kdp_live_hang_up(run->live);
    if (rc == 0 && !run->ended)
        rc = feed(run, KDP_INPUT_STOP, 0, 0, kdpi_now_ns(), NULL, 0, NULL, 0);
    /* what hanging up wrote down is on the tape too, and says nothing of how the books were */
    kdp_plant_totals(run->topology.plant, &totals);
    kept->records = totals.records;
    kept->snapshot_rows = totals.snapshot_rows;
    memcpy(kept->records_by_template, totals.records_by_template, sizeof kept->records_by_template);
    kdp_plant_hash(run->topology.plant, run->result.plant.hash);
    run->result.plant.fresh = run->topology.fresh;
    run->result.seq_next = kdp_ring_next_seq(run->topology.ring);
    return rc;
}

static void
stopping(struct run *run, const char *words)
{
    if (run->screen != NULL)
        kdp_run_screen_stopping(run->screen, run->signo, words, 0);
}

static int
close_all(struct run *run)
{
    int rc;

    stopping(run, "writing the tape");
    rc = kdp_stream_agent_drain(run->topology.stream);
    run->result.not_taped = kdp_ring_head_seq(run->topology.ring) - kdp_ring_durable_seq(run->topology.ring);
    if (kdp_cli_switch(run->cli, "lake"))
        stopping(run, "tape synced, sealing the lake");
    run->result.lake = kdp_cli_switch(run->cli, "lake");
    {
        int closed = kdp_topology_close(&run->topology);

        run->result.lake_whole = run->result.lake && closed == 0 && !run->topology.sealer.no_sql;
        rc = rc != 0 ? rc : closed;
    }
    if (rc != 0 && run->result.not_taped > 0)
        kdpi_hint("What the tape lacks is kept in shared memory: free space, and the next start writes it");
    return rc;
}

/* --seconds is over and there was no connection to count from. */
static int
never_up(const struct run *run)
{
    struct kdp_session_line line = {0};
    int rc;

    if (run->keyless) {
        const char *words = kdp_session_words(kdp_live_session(run->live));

        rc = kdpi_fail(KDP_ENET, "no trades could be read: %s",
                       words[0] != '\0' ? words : "the exchange does not answer");
        kdpi_hint("Is the address right (--base-url, KALSHI_BASE_URL)? kdp status asks it");
        return rc;
    }
    kdp_session_line_at(kdp_live_session(run->live), 1, &line);
    rc = kdpi_fail(KDP_ENET, "no connection in %lld s: %s", (long long)(UP_WAIT_NS / KDP_NS_PER_S),
                   line.last_words[0] != '\0' ? line.last_words : "the exchange does not answer");
    kdpi_hint("Is it up? kdp status asks it");
    return rc;
}

static void
catch_hangup(void)
{
    struct sigaction action = {0};

    action.sa_handler = on_hangup;
    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, NULL);
}

int
kdp_cmd_run(struct kdp_cli *cli)
{
    static struct run run; /* large, and a command runs once */
    struct kdp_signer *signer = NULL;
    int rc, closed, exit_code = kdp_run_addresses(cli);
    bool had_input;

    run.cli = cli;
    run.dir = kdp_cli_text(cli, "data");
    run.simulated = kdp_cli_switch(cli, "simulated");
    run.keyless = kdp_cli_switch(cli, "keyless");
    run.seconds_ns = kdp_cli_count(cli, "seconds");
    run.terminal = isatty(STDERR_FILENO);
    run.rejects = (struct kdp_rejects){.cli = cli, .dir = run.dir, .bytes_max = UINT64_C(64) << 20};
    if (exit_code == 0)
        exit_code = run.keyless ? kdp_run_keyless(cli, &signer) : kdp_run_credentials(cli, &signer);
    if (exit_code != 0)
        return exit_code;
    rc = kdp_run_rules_read(&run.rules, cli);
    exit_code = rc != 0 ? kdp_cli_error(cli, rc) : kdp_run_names(cli);
    if (exit_code != 0) {
        kdp_run_rules_release(&run.rules);
        kdp_signer_close(signer);
        return exit_code;
    }
    catch_hangup();
    kdp_run_rings(cli);
    run.view = (struct kdp_run_view){.keyless = run.keyless};
    run.view.what = run.simulated && run.keyless ? "SIMULATED, KEYLESS"
                    : run.keyless                ? "KEYLESS"
                    : run.simulated              ? "SIMULATED"
                                                 : NULL;
    rc = begin(&run, signer);
    if (rc == 0) {
        struct kdp_live_stats stats;

        kdp_live_stats(run.live, &stats);
        run.view.plant = run.topology.plant;
        run.view.age = stats.age;
        run.view.to_ring = stats.to_ring;
        run.screen = kdp_run_screen_open(cli, &run.view, kdpi_mono_ns(), kdpi_now_ns());
        if (run.screen == NULL)
            rc = kdpi_fail(KDP_ENOMEM, "no memory for the screen");
    }
    if (rc == 0)
        rc = kdp_live_run(run.live);
    exit_code = KDP_EXIT_DONE;
    if (rc == 0 && run.keyless) {
        struct kdp_session_stats session;

        kdp_session_stats(kdp_live_session(run.live), &session);
        run.ever_up = run.ever_up || session.answered; /* since the gauges were set last */
    }
    if (rc == 0 && !run.ever_up && run.signo == 0)
        rc = never_up(&run);
    if (rc != 0) {
        kdp_run_screen_close(run.screen);
        run.screen = NULL;
        exit_code = kdp_cli_error(cli, rc);
    }
    run.result.dir = run.dir;
    run.result.what = run.view.what;
    if (run.live != NULL && (closed = finish(&run)) != 0 && exit_code == KDP_EXIT_DONE)
        exit_code = kdp_cli_error(cli, closed);
    kdp_live_close(run.live);
    run.live = NULL;
    if (run.topology.stream != NULL && (closed = close_all(&run)) != 0 && exit_code == KDP_EXIT_DONE)
        exit_code = kdp_cli_error(cli, closed);
    kdp_run_screen_close(run.screen);
    kdp_rejects_close(&run.rejects);
    kdp_signer_close(signer);
    /* what never got to a frame has its error for an answer */
    had_input = run.result.plant.totals.frames > 0 || (run.keyless && run.ever_up);
    if (exit_code == KDP_EXIT_DONE || had_input)
        kdp_run_result_print(&run.result, cli);
    kdp_run_result_release(&run.result);
    free(run.load);
    kdp_run_rules_release(&run.rules);
    if (run.signo == SIGTERM && exit_code == KDP_EXIT_DONE)
        exit_code = 128 + SIGTERM;
    return kdp_cli_finish(cli, exit_code);
}
