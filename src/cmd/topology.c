/* topology.c - starts and ends what topology.h draws. */
#include "topology.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "log.h"
#include "record.h"
#include "tape.h"

extern char **environ;

static void
pause_ns(int64_t ns)
{
    struct timespec ts = {.tv_sec = ns / KDP_NS_PER_S, .tv_nsec = ns % KDP_NS_PER_S};

    nanosleep(&ts, NULL);
}

/* The tape is behind: the source and the plant wait here, and say so once when the reason is the disk. */
static int
wait_for_tape(void *arg)
{
    struct kdp_topology *topology = arg;
    const char *blocked = kdp_stream_blocked(topology->stream);
    int rc = kdp_stream_failed(topology->stream);

    if (rc != 0)
        return rc;
    if (blocked != NULL && !topology->told_blocked) {
        topology->told_blocked = true;
        kdpi_log(KDP_LOG_WARNING, "tape_blocked", "why=\"%s\" durable_seq=%llu", blocked,
                 (unsigned long long)kdp_ring_durable_seq(topology->ring));
        kdp_cli_warning(topology->cli, "Free space: it goes on by itself",
                        "%s: capture waits; the tape ends whole at sequence %llu", blocked,
                        (unsigned long long)kdp_ring_durable_seq(topology->ring));
    }
    if (kdp_cli_interrupted() != 0 && blocked != NULL)
        return kdpi_fail(KDP_ESTOPPED, "stopped while the tape could not be written: %s", blocked);
    pause_ns(50000);
    topology->waited_ns += 50000;
    return 0;
}

static int
start_sealer(struct kdp_topology *topology, const char *dir)
{
    char self[4096], name[] = "kdp", command[] = "seal", follow[] = "--follow", option[] = "--data";
    char *argv[] = {name, command, follow, option, NULL, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    int ends[2], rc;

    if (len <= 0)
        return kdpi_fail_errno(errno, "cannot find this program's own file");
    self[len] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return kdpi_fail_errno(errno, "cannot make a pipe for the sealer");
    argv[4] = strdup(dir);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    /* a process group of its own: Ctrl-C is for us, and we end the sealer when it has had everything */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    rc = posix_spawn(&topology->sealer, self, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(argv[4]);
    close(ends[0]);
    if (rc != 0) {
        close(ends[1]);
        topology->sealer = 0;
        return kdpi_fail_errno(rc, "cannot start the sealer: %s", self);
    }
    topology->sealer_stdin = ends[1];
    return 0;
}

/* For so long back a run knows what the runs before it said.  Each UTC day writes every open book down anew, so
 * that a day and an hour have all that is open; a fixed span gives a replay, which keeps everything, the same
 * as the run that let old segments go. */
#define RESTORE_NS (25 * INT64_C(3600) * KDP_NS_PER_S)
#define TOLD \
    (1u << KDP_TEMPLATE_DEFINITION | 1u << KDP_TEMPLATE_STATE | 1u << KDP_TEMPLATE_BOOK_SNAPSHOT)

/* Gives the plant what stands on the tape of the runs before: trades of the last 2 hours, which must not stand
 * in the stream a second time, terms, and the last state of each book. */
static int
restore(struct kdp_topology *topology, const char *dir)
{
    struct kdp_tape *tape;
    size_t blocks;
    int rc = kdp_tape_open(&tape, dir);

    if (rc != 0)
        return rc;
    blocks = kdp_tape_block_count(tape);
    if (blocks > 0) {
        int64_t last_ns = kdp_tape_block_at(tape, blocks - 1)->recv_running_max_ns;
        size_t trades_from = kdp_tape_find_time(tape, last_ns - KDP_TRADES_SPAN_NS);

        for (size_t i = kdp_tape_find_time(tape, last_ns - RESTORE_NS); rc == 0 && i < blocks; i++) {
            const struct kdp_tape_block *block = kdp_tape_block_at(tape, i);
            bool trades = i >= trades_from && (block->template_mask & 1u << KDP_TEMPLATE_TRADE) != 0;
            uint32_t bytes = block->bytes;
            const void *records;

            if (!trades && (block->template_mask & TOLD) == 0)
                continue;
            rc = kdp_tape_load(tape, i, &records);
            for (size_t at = 0, size; rc == 0 && at < bytes; at += size) {
                const struct kdp_head *head = (const void *)((const char *)records + at);

                size = kdpi_record_size_trusted(head); /* the tape has checked the framing */
                if (size == 0 || size > bytes - at)
                    break;
                if (head->template_id == KDP_TEMPLATE_TRADE && trades)
                    kdp_plant_restore_trade(topology->plant, ((const struct kdp_trade *)(const void *)head)->trade_id,
                                            head->recv_ns);
                else if ((TOLD >> head->template_id & 1u) != 0)
                    kdp_plant_restore_record(topology->plant, head);
            }
        }
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
                                     .rejected_arg = config->rejected_arg};
    const struct kdp_stream_instrument *known;
    size_t known_count;
    int rc = kdp_stream_open(&topology->stream, stream, &topology->start);

    if (rc != 0)
        return rc;
    topology->ring = kdp_stream_ring(topology->stream);
    topology->input_max = kdp_ring_input_max(topology->ring);
    topology->fresh = topology->fresh || (topology->start.flags & KDP_START_FRESH) != 0;
    plant.ring = topology->ring;
    plant.hash = config->hash && topology->fresh;
    rc = kdp_plant_open(&topology->plant, &plant);
    if (rc == 0) {
        known = kdp_stream_instruments(topology->stream, &known_count);
        rc = kdp_plant_restore(topology->plant, known, known_count);
    }
    if (rc == 0 && (topology->start.flags & KDP_START_FRESH) == 0)
        rc = restore(topology, config->dir);
    return rc == 0 ? kdp_stream_agent_start(topology->stream) : rc;
}

static struct kdp_stream_config
stream_config(const struct kdp_cli *cli, const struct kdp_topology_config *config)
{
    return (struct kdp_stream_config){.dir = config->dir,
                                      .ring_bytes = (size_t)kdp_cli_count(cli, "ring-size"),
                                      .raw_ring_bytes = (size_t)kdp_cli_count(cli, "raw-ring-size"),
                                      .segment_bytes = (uint64_t)kdp_cli_count(cli, "segment-size"),
                                      .sync_interval_ns = kdp_cli_count(cli, "sync-interval"),
                                      .raw_off = !kdp_cli_switch(cli, "raw"),
                                      .tape_off = !kdp_cli_switch(cli, "tape"),
                                      .refuse_existing = config->refuse_existing,
                                      .lake = config->lake,
                                      /* what is played is kept whole, however many days it spans */
                                      .tape_keep_ns = INT64_MAX,
                                      .raw_keep_ns = INT64_MAX};
}

int
kdp_topology_open(struct kdp_topology *topology, const struct kdp_cli *cli,
                  const struct kdp_topology_config *config)
{
    struct kdp_stream_config stream = stream_config(cli, config);
    int rc;

    *topology = (struct kdp_topology){.cli = cli, .sealer_stdin = -1};
    rc = begin_run(topology, config, &stream);
    if (rc == 0 && config->lake && kdp_cli_switch(cli, "tape"))
        rc = start_sealer(topology, config->dir);
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

static int
end_sealer(struct kdp_topology *topology)
{
    int status = 0;
    pid_t got;

    if (topology->sealer == 0)
        return 0;
    close(topology->sealer_stdin); /* its sign to seal up to the head and end */
    do
        got = waitpid(topology->sealer, &status, 0);
    while (got < 0 && errno == EINTR);
    topology->sealer = 0;
    if (got > 0 && WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KDP_EXIT_NO_SQL))
        return 0; /* without DuckDB the sealer has said so, and sealing waits */
    kdpi_fail(KDP_EINCOMPLETE, "the lake was not sealed: the sealer ended with %s %d",
              WIFSIGNALED(status) ? "signal" : "code",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    kdpi_hint("Nothing is lost, the tape has it: kdp seal --data DIR seals what is missing");
    return -KDP_EINCOMPLETE;
}

int
kdp_topology_close(struct kdp_topology *topology)
{
    int rc = 0, later;

    if (topology->stream != NULL)
        rc = kdp_stream_agent_drain(topology->stream);
    later = end_sealer(topology);
    kdp_plant_close(topology->plant);
    topology->plant = NULL;
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
