/* topology.c - starts and ends what topology.h draws. */
#include "topology.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "error.h"
#include "lake.h"
#include "log.h"
#include "record.h"
#include "tape.h"

static void
pause_ns(int64_t ns)
{
    struct timespec ts = {.tv_sec = ns / KDP_NS_PER_S, .tv_nsec = ns % KDP_NS_PER_S};

    nanosleep(&ts, NULL);
}

__attribute__((format(printf, 3, 4))) static void
warn(struct kdp_topology *topology, const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (topology->warn != NULL)
        topology->warn(topology->warn_arg, text, hint);
    else
        kdp_cli_warning(topology->cli, hint, "%s", text);
}

/* The tape is behind: the source and the plant wait here, and say so once when the reason is the disk. */
static int
wait_for_tape(void *arg)
{
    struct kdp_topology *topology = arg;
    const char *blocked = kdp_stream_blocked(topology->stream);
    int64_t before_ns = kdpi_mono_ns();
    int rc = kdp_stream_failed(topology->stream);

    if (rc != 0)
        return rc;
    if (blocked != NULL && !topology->told_blocked) {
        topology->told_blocked = true;
        kdpi_log(KDP_LOG_WARNING, "tape_blocked", "why=\"%s\" durable_seq=%llu", blocked,
                 (unsigned long long)kdp_ring_durable_seq(topology->ring));
        warn(topology, "Free space: it goes on by itself and fetches the missed trades",
             "%s/tape: %s: capture waits; the tape ends whole at sequence %llu", topology->dir, blocked,
             (unsigned long long)kdp_ring_durable_seq(topology->ring));
    }
    if (kdp_cli_interrupted() != 0 && blocked != NULL) {
        kdpi_fail(KDP_ESTOPPED, "stopped while the tape could not be written: %s", blocked);
        kdpi_hint("What the tape lacks is kept in shared memory: free space, and the next start writes it");
        return -KDP_ESTOPPED;
    }
    pause_ns(50000);
    topology->waited_ns += kdpi_mono_ns() - before_ns;
    if (blocked == NULL)
        topology->told_blocked = false; /* that is over: the next time it is told anew */
    return 0;
}

/* For so long back a run knows what the runs before it said.  Each UTC day writes every open book down anew, so
 * that a day and an hour have all that is open; a fixed span gives a replay, which keeps everything, the same
 * as the run that let old segments go. */
#define RESTORE_NS (25 * INT64_C(3600) * KDP_NS_PER_S)
#define HOLE_PAD_NS (60 * KDP_NS_PER_S) /* its window begins so long before it, at most */
#define TOLD                                                                                       \
    (1u << KDP_TEMPLATE_DEFINITION | 1u << KDP_TEMPLATE_STATE | 1u << KDP_TEMPLATE_BOOK_SNAPSHOT | \
     1u << KDP_TEMPLATE_GAP)

/* Holes in the trades are filled from the oldest on, so that one that is filled, or lost for good, ends all before it. */
static void
restore_hole(struct kdp_topology *topology, int64_t *newestp, const struct kdp_gap *gap)
{
    struct kdp_text of = kdpi_record_text(gap, 0); /* of a hole in numbers: whose they were */

    if (gap->kind != KDP_GAP_KIND_TRADES &&
        !(gap->kind == KDP_GAP_KIND_SEQUENCE && of.len == 5 && memcmp(of.data, "trade", 5) == 0))
        return;
    if (gap->status == KDP_GAP_STATUS_OPEN) {
        if (topology->trades_open_ns == 0)
            topology->trades_open_ns = gap->opened_ns;
        *newestp = gap->opened_ns;
    } else if (gap->opened_ns >= *newestp) {
        topology->trades_open_ns = 0;
    } else if (topology->trades_open_ns != 0 && gap->opened_ns > topology->trades_open_ns) {
        topology->trades_open_ns = gap->opened_ns;
    }
}

/* One record of the runs before: holes in a walk of their own, for how far back trades matter hangs on them. */
static void
restore_one(struct kdp_topology *topology, const struct kdp_head *head, uint64_t seq_end, bool holes,
            bool trades, int64_t *newestp)
{
    const struct kdp_trade *trade = (const void *)head;

    if (head->seq >= seq_end)
        return;
    if (holes) {
        if (head->template_id == KDP_TEMPLATE_GAP)
            restore_hole(topology, newestp, (const void *)head);
    } else if (head->template_id == KDP_TEMPLATE_TRADE) {
        if (!trades)
            return;
        kdp_plant_restore_trade(topology->plant, trade->trade_id, head->recv_ns);
        if (head->exch_ns > topology->last_trade_ns)
            topology->last_trade_ns = head->exch_ns;
    } else if ((TOLD >> head->template_id & 1u) != 0) {
        kdp_plant_restore_record(topology->plant, head);
    }
}

static int
restore_walk(struct kdp_topology *topology, struct kdp_tape *tape, int64_t last_ns, uint64_t seq_end,
             bool holes)
{
    size_t blocks = kdp_tape_block_count(tape), trades_from;
    int64_t newest_ns = 0, from_ns = last_ns - KDP_TRADES_SPAN_NS;
    int rc = 0;

    if (topology->trades_open_ns != 0 && topology->trades_open_ns - HOLE_PAD_NS < from_ns)
        from_ns = topology->trades_open_ns - HOLE_PAD_NS;
    trades_from = kdp_tape_find_time(tape, from_ns);
    for (size_t i = kdp_tape_find_time(tape, last_ns - RESTORE_NS); rc == 0 && i < blocks; i++) {
        const struct kdp_tape_block *block = kdp_tape_block_at(tape, i);
        bool trades = i >= trades_from;
        uint32_t wanted = holes ? 1u << KDP_TEMPLATE_GAP : TOLD | (trades ? 1u << KDP_TEMPLATE_TRADE : 0);
        uint32_t bytes = block->bytes;
        const void *records;

        if ((block->template_mask & wanted) == 0)
            continue;
        rc = kdp_tape_load(tape, i, &records);
        for (size_t at = 0, size; rc == 0 && at < bytes; at += size) {
            const struct kdp_head *head = (const void *)((const char *)records + at);

            size = kdpi_record_size_trusted(head); /* the tape has checked the framing */
            if (size == 0 || size > bytes - at)
                break;
            restore_one(topology, head, seq_end, holes, trades, &newest_ns);
        }
    }
    return rc;
}

/* Gives the plant what stands on the tape of the runs before: trades of the last 2 hours and since the oldest hole that
 * is open, which must not stand in the stream a second time, terms, and the last state of each book. */
static int
restore(struct kdp_topology *topology, const char *dir, const struct kdp_input_start *resume)
{
    uint64_t seq_end = resume != NULL ? resume->next_seq : UINT64_MAX;
    struct kdp_tape *tape;
    size_t blocks;
    int rc = kdp_tape_open(&tape, dir);

    if (rc != 0)
        return rc;
    blocks = kdp_tape_block_count(tape);
    while (blocks > 0 && kdp_tape_block_at(tape, blocks - 1)->first_seq >= seq_end)
        blocks--;
    if (blocks > 0) {
        int64_t last_ns = kdp_tape_block_at(tape, blocks - 1)->recv_running_max_ns;

        topology->trades_open_ns = 0;
        topology->first_ns = kdp_tape_block_at(tape, 0)->recv_min_ns;
        rc = restore_walk(topology, tape, last_ns, seq_end, true);
        if (rc == 0)
            rc = restore_walk(topology, tape, last_ns, seq_end, false);
    }
    kdp_tape_close(tape);
    return rc;
}

/* Opens stream and plant and starts the tape agent. */
static int
begin_run(struct kdp_topology *topology, const struct kdp_topology_config *config,
          const struct kdp_stream_config *stream)
{
    struct kdp_plant_config plant = {.max_markets = (uint32_t)kdp_cli_count(topology->cli, "max-markets"),
                                     .wait = wait_for_tape,
                                     .wait_arg = topology,
                                     .rejected = config->rejected,
                                     .rejected_arg = config->rejected_arg,
                                     .now_ns = config->live ? kdpi_now_ns : NULL,
                                     .notice = config->notice,
                                     .notice_arg = config->notice_arg};
    const struct kdp_input_start *resume = NULL;
    const struct kdp_stream_instrument *known;
    size_t known_count;
    int rc = kdp_stream_open(&topology->stream, stream, &topology->start);

    if (rc != 0)
        return rc;
    if (config->resume != NULL)
        resume = config->resume(config->resume_arg, &topology->start);
    topology->ring = kdp_stream_ring(topology->stream);
    topology->input_max = kdp_ring_input_max(topology->ring);
    if (config->live) {
        topology->backlog_alarms = kdp_ring_counter(topology->ring, "kdp_tape_backlog_alarms");
        topology->sealer_restarts = kdp_ring_counter(topology->ring, "kdp_sealer_restarts_total");
        if (topology->backlog_alarms == NULL || topology->sealer_restarts == NULL)
            return kdpi_fail(KDP_EFULL, "no room for a counter in the ring");
    }
    topology->fresh =
        topology->fresh || ((resume != NULL ? resume : &topology->start)->flags & KDP_START_FRESH) != 0;
    plant.ring = topology->ring;
    plant.hash = config->hash && topology->fresh;
    rc = kdp_plant_open(&topology->plant, &plant);
    if (rc == 0) {
        known = kdp_stream_instruments(topology->stream, &known_count);
        while (resume != NULL && known_count > 0 && known[known_count - 1].id >= resume->next_instrument)
            known_count--; /* met in the run: it meets them again, in the same order */
        rc = kdp_plant_restore(topology->plant, known, known_count);
    }
    if (rc == 0 && ((resume != NULL ? resume : &topology->start)->flags & KDP_START_FRESH) == 0)
        rc = restore(topology, config->dir, resume);
    if (rc == 0 && resume != NULL)
        rc = kdp_plant_catch_up(topology->plant, resume->next_seq);
    return rc == 0 ? kdp_stream_agent_start(topology->stream) : rc;
}

/* A live run has both tapes, and one that may go on needs them; only a replay may go without. */
static bool
writes(const struct kdp_cli *cli, const struct kdp_topology_config *config, const char *which)
{
    return config->live || config->resume != NULL || kdp_cli_switch(cli, which);
}

static struct kdp_stream_config
stream_config(const struct kdp_cli *cli, const struct kdp_topology_config *config)
{
    return (struct kdp_stream_config){
        .dir = config->dir,
        .ring_bytes = (size_t)kdp_cli_count(cli, "ring-size"),
        .raw_ring_bytes = (size_t)kdp_cli_count(cli, "raw-ring-size"),
        .segment_bytes = (uint64_t)kdp_cli_count(cli, "segment-size"),
        .sync_interval_ns = kdp_cli_count(cli, "sync-interval"),
        .raw_off = !writes(cli, config, "raw"),
        .tape_off = !writes(cli, config, "tape"),
        .refuse_existing = config->refuse_existing,
        .lake = config->lake,
        .quota_bytes = config->live ? (uint64_t)kdp_cli_count(cli, "tape-quota") : 0,
        /* what is played is kept whole, however many days it spans */
        .tape_keep_ns = config->live ? kdp_cli_count(cli, "tape-keep") : INT64_MAX,
        .raw_keep_ns = config->live ? kdp_cli_count(cli, "raw-keep") : INT64_MAX};
}

int
kdp_topology_open(struct kdp_topology *topology, const struct kdp_cli *cli,
                  const struct kdp_topology_config *config)
{
    struct kdp_stream_config stream = stream_config(cli, config);
    int rc;

    *topology = (struct kdp_topology){
        .cli = cli, .dir = config->dir, .warn = config->warn, .warn_arg = config->warn_arg};
    rc = begin_run(topology, config, &stream);
    if (rc == 0 && config->lake && writes(cli, config, "tape")) {
        topology->lake = true;
        /* a recording has no REST answers, and who plays a raw tape can seal by hand */
        rc = kdp_sealer_start(&topology->sealer, config->dir, config->live, kdpi_mono_ns());
    }
    if (rc == 0)
        kdpi_log(KDP_LOG_INFO, "start", "data=\"%s\" session=%016llx next_seq=%llu flags=%u", config->dir,
                 (unsigned long long)topology->start.session, (unsigned long long)topology->start.next_seq,
                 topology->start.flags);
    if (rc != 0)
        kdp_topology_close(topology);
    return rc;
}

int
kdp_topology_again(struct kdp_topology *topology, const struct kdp_topology_config *config, uint64_t next_seq,
                   uint32_t next_instrument)
{
    struct kdp_stream_config stream = stream_config(topology->cli, config);
    struct kdp_plant *before = topology->plant;
    int rc = kdp_stream_close(topology->stream);

    topology->stream = NULL;
    topology->plant = NULL;
    stream.refuse_existing = false;
    stream.next_seq = next_seq;
    stream.next_instrument = next_instrument;
    if (rc == 0)
        rc = begin_run(topology, config, &stream);
    if (rc == 0)
        kdp_plant_follow(topology->plant, before);
    kdp_plant_close(before);
    return rc;
}

int
kdp_topology_feed(struct kdp_topology *topology, enum kdp_input_kind kind, unsigned flags, unsigned line,
                  int64_t recv_ns, const void *fixed, size_t fixed_len, const void *rest, size_t rest_len)
{
    size_t length = fixed_len + rest_len;
    struct kdp_input_head *head;
    int rc;

    while ((head = kdp_ring_input_claim(topology->ring, length)) == NULL) {
        rc = wait_for_tape(topology);
        if (rc != 0)
            return rc;
    }
    head->length = (uint32_t)length;
    head->kind = (uint8_t)kind;
    head->flags = (uint8_t)flags;
    head->line = (uint16_t)line;
    head->recv_ns = recv_ns;
    if (fixed_len > 0)
        memcpy(head + 1, fixed, fixed_len);
    if (rest_len > 0)
        memcpy((char *)(head + 1) + fixed_len, rest, rest_len);
    kdp_ring_input_commit(topology->ring, head);
    return kdp_plant_input(topology->plant, head, head + 1);
}

int
kdp_topology_again_feed(struct kdp_topology *topology, enum kdp_input_kind kind, unsigned flags,
                        unsigned line, int64_t recv_ns, const void *fixed, size_t fixed_len, const void *rest,
                        size_t rest_len)
{
    struct kdp_input_head *head;

    if (topology->again == NULL)
        topology->again = malloc(sizeof *head + topology->input_max + 8);
    if (topology->again == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for an input");
    head = (void *)topology->again;
    *head = (struct kdp_input_head){.length = (uint32_t)(fixed_len + rest_len),
                                    .kind = (uint8_t)kind,
                                    .flags = (uint8_t)flags,
                                    .line = (uint16_t)line,
                                    .recv_ns = recv_ns};
    if (fixed_len > 0)
        memcpy(head + 1, fixed, fixed_len);
    if (rest_len > 0)
        memcpy((char *)(head + 1) + fixed_len, rest, rest_len);
    return kdp_plant_input(topology->plant, head, head + 1);
}

int
kdp_topology_resume(struct kdp_topology *topology, uint64_t applied, int64_t recv_ns)
{
    struct kdp_input_start what = topology->start;
    int rc = kdp_plant_caught_up(topology->plant);

    free(topology->again);
    topology->again = NULL;
    if (rc != 0)
        return rc;
    what.session = 0;
    what.flags |= KDP_START_RESUMED;
    what.applied = applied;
    return kdp_topology_feed(topology, KDP_INPUT_START, 0, 0, recv_ns, &what, sizeof what, NULL, 0);
}

/* ---- what a live run looks after ---- */

#define LOOK_NS (KDP_NS_PER_S / 2)
#define FLOOR_NS (5 * KDP_NS_PER_S)
#define BACKLOG_ALARM 0.5
#define BACKLOG_OVER 0.25 /* the next alarm is a new one */

static void
look_at_backlog(struct kdp_topology *topology)
{
    double backlog = kdp_ring_backlog(topology->ring);

    if (backlog < BACKLOG_OVER)
        topology->behind = false;
    if (backlog < BACKLOG_ALARM || topology->behind)
        return;
    topology->behind = true;
    kdp_counter_add(topology->backlog_alarms, 1);
    kdpi_log(KDP_LOG_WARNING, "tape_behind", "backlog=%.2f durable_seq=%llu", backlog,
             (unsigned long long)kdp_ring_durable_seq(topology->ring));
    warn(topology, "A slow disk, or one that is busy; --ring-size and --raw-ring-size give it more time",
         "the tape is behind: %.0f%% of the ring waits for the disk; at 100%% capture waits", backlog * 100);
}

static void
look_at_sealer(struct kdp_topology *topology, int64_t mono_ns)
{
    switch (kdp_sealer_check(&topology->sealer, mono_ns)) {
    case 1:
        kdpi_log(KDP_LOG_WARNING, "sealer_died", "how=\"%s\"", topology->sealer.words);
        warn(topology, NULL, "the sealer ended with %s; capture goes on, it is started again in %lld s",
             topology->sealer.words, (long long)((topology->sealer.again_mono - mono_ns) / KDP_NS_PER_S));
        break;
    case 2:
        kdp_counter_add(topology->sealer_restarts, 1);
        kdpi_log(KDP_LOG_INFO, "sealer_started", "restarts=%llu",
                 (unsigned long long)topology->sealer.restarts);
        break;
    default:
        break;
    }
}

void
kdp_topology_tick(struct kdp_topology *topology, int64_t mono_ns)
{
    uint64_t sealed;

    if (mono_ns - topology->look_mono < LOOK_NS)
        return;
    topology->look_mono = mono_ns;
    look_at_backlog(topology);
    if (!topology->lake)
        return;
    look_at_sealer(topology, mono_ns);
    if (mono_ns - topology->floor_mono < FLOOR_NS)
        return;
    topology->floor_mono = mono_ns;
    /* a lake that cannot be read holds the tape as one that is behind does: nothing goes that it may not have */
    if (kdp_lake_sealed(topology->dir, &sealed) == 0)
        kdp_stream_sealed_floor(topology->stream, sealed);
}

int
kdp_topology_close(struct kdp_topology *topology)
{
    int rc = 0, later;

    if (topology->stream != NULL)
        rc = kdp_stream_agent_drain(topology->stream);
    later = kdp_sealer_end(&topology->sealer);
    kdp_plant_close(topology->plant);
    topology->plant = NULL;
    free(topology->again);
    topology->again = NULL;
    if (topology->stream != NULL) {
        int closed = kdp_stream_close(topology->stream);

        rc = rc != 0 ? rc : closed;
    }
    topology->stream = NULL;
    if (rc != 0 || later != 0)
        kdpi_log(KDP_LOG_ERROR, "end", "why=\"%s\"", kdp_error_text());
    else
        kdpi_log(KDP_LOG_INFO, "end", "waited_ms=%lld", (long long)(topology->waited_ns / KDP_NS_PER_MS));
    return rc != 0 ? rc : later;
}
