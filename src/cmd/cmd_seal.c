/* cmd_seal.c - kdp seal: the sealer, a process of its own beside the plant (which never loads DuckDB), or run
 * by hand.
 *
 * With --follow it seals as the stream grows until its stdin is closed, which is the parent's sign, then up
 * to the head, and ends.  If it dies, capture goes on and sealing waits; the next one starts where the
 * manifests end. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "commands.h"
#include "error.h"
#include "lake.h"
#include "terms_tape.h"

#define LOOK_MS 200
#define TERMS_EVERY_NS (60 * KDP_NS_PER_S)
#define TERMS_AT_ONCE_NS KDP_NS_PER_S       /* of a pass, then sealing has its turn: 100 MB of raw tape */
#define TERMS_AT_END_NS (10 * KDP_NS_PER_S) /* who ends a plant waits no longer */

/* parent_waits sleeps a while; false when stdin was closed.  A Ctrl-C reaches the plant and its sealer alike:
 * the plant then still writes its last records, so the sealer goes on until the pipe is closed.  Only at a
 * terminal, without a parent, a signal is the sign. */
static bool
parent_waits(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char drop[256];
    int ready = poll(&in, 1, LOOK_MS), failed = ready < 0 ? errno : 0;

    if (kdp_cli_interrupted() != 0 && isatty(STDIN_FILENO))
        return false;
    if (failed != 0)
        return failed == EINTR;
    if (ready == 0)
        return true;
    return read(STDIN_FILENO, drop, sizeof drop) > 0;
}

/* A plant that was killed leaves a sealer which seals what there is and ends; one that is started at once
 * afterwards finds it at work.  Its parent may end meanwhile: what is left to do is done all the same. */
static int
open_after_others(struct kdp_lake **lakep, const struct kdp_lake_config *config)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * KDP_NS_PER_MS};
    int rc;

    while ((rc = kdp_lake_open(lakep, config)) == -KDP_EBUSY && kdp_cli_interrupted() == 0)
        nanosleep(&look, NULL);
    return rc;
}

static void
tell_hole(void *arg)
{
    kdp_cli_warning(arg, "They are not in the lake", "%s", kdp_error_text());
}

/* How long a pass may last, and until when that is: since its first input, for to find that may take long, too. */
static int64_t pass_most_ns, pass_end_ns;

static int
pass_is_over(void)
{
    if (pass_end_ns == 0)
        pass_end_ns = kdpi_mono_ns() + pass_most_ns;
    return kdpi_mono_ns() >= pass_end_ns;
}

/* The terms of markets out of the raw tape: never in the way of sealing, so what fails here is said once and tried again, and a
 * pass beside a plant has little time.  False: it was over, and there is more. */
static bool
file_terms(const struct kdp_cli *cli, struct kdp_terms_tape *tape, int64_t most_ns, bool *toldp)
{
    uint64_t missed = tape->missed_to;
    int rc;

    tape->stopped = kdp_cli_switch(cli, "follow") ? pass_is_over : kdp_cli_interrupted;
    pass_most_ns = most_ns;
    pass_end_ns = 0;
    rc = kdp_terms_tape_pass(tape);
    if (rc < 0 && rc != -KDP_ESTOPPED && !*toldp) {
        kdp_cli_warning(cli, kdp_error_hint(), "terms of markets wait: %s", kdp_error_text());
        *toldp = true;
    }
    if (tape->missed_to != missed)
        kdp_cli_warning(cli, "kdp market --refresh and kdp backfill --what markets ask for terms again",
                        "inputs %" PRIu64 " to %" PRIu64
                        " left the raw tape before the terms of markets in them were filed",
                        tape->missed_from, tape->missed_to);
    return rc != -KDP_ESTOPPED;
}

static void
summary(const struct kdp_lake_totals *totals, const struct kdp_terms_tape *tape, int64_t took_ns)
{
    const struct kdp_lake_table *tables;
    unsigned count;

    tables = kdp_lake_tables(&count);
    printf("{\"rows\": {");
    for (unsigned i = 0; i < count; i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", tables[i].name, totals->rows[i]);
    printf("}, \"files\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"days_closed\": %" PRIu64
           ", \"removed\": %" PRIu64 ", \"sealed_seq\": %" PRIu64 ", \"terms\": %" PRIu64
           ", \"seconds\": %.3f}\n",
           totals->files, totals->bytes, totals->days_closed, totals->removed, totals->sealed_seq,
           tape->markets, (double)took_ns / 1e9);
}

int
kdp_cmd_seal(struct kdp_cli *cli)
{
    struct kdp_lake_config config = {.dir = kdp_cli_text(cli, "data"),
                                     .compression = kdp_cli_text(cli, "lake-compression"),
                                     .hole = tell_hole,
                                     .hole_arg = cli};
    struct kdp_terms_tape tape = {.dir = config.dir, .compression = config.compression};
    bool terms = kdp_cli_switch(cli, "terms"), terms_told = false;
    int64_t started_ns = kdpi_mono_ns(), terms_ns = started_ns + TERMS_EVERY_NS;
    struct kdp_lake_totals totals;
    struct kdp_lake *lake;
    int rc;

    rc = kdp_cli_switch(cli, "follow") ? open_after_others(&lake, &config) : kdp_lake_open(&lake, &config);
    if (rc == -KDP_ENOLIB &&
        kdp_cli_switch(cli, "follow")) { /* the plant goes on; sealing waits for the library */
        kdp_cli_warning(cli, kdp_error_hint(), "%s", kdp_error_text());
        return KDP_EXIT_NO_SQL;
    }
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    if (kdp_cli_switch(cli, "follow")) {
        bool told = false;

        while (parent_waits()) {
            rc = kdp_lake_work(lake);
            if (rc == -KDP_EFULL) {
                /* the stream is on the tape: sealing waits for space */
                if (!told)
                    kdp_cli_warning(cli, kdp_error_hint(), "%s", kdp_error_text());
                told = true;
            } else if (rc < 0) {
                break;
            } else if (rc > 0) {
                told = false;
            } else if (terms && kdpi_mono_ns() >= terms_ns) {
                if (file_terms(cli, &tape, TERMS_AT_ONCE_NS, &terms_told))
                    terms_ns = kdpi_mono_ns() + TERMS_EVERY_NS;
            }
        }
    }
    if (rc >= 0 || rc == -KDP_EFULL)
        rc = kdp_lake_drain(lake);
    if (rc >= 0 && terms)
        file_terms(cli, &tape, TERMS_AT_END_NS, &terms_told);
    kdp_lake_totals(lake, &totals);
    kdp_lake_close(lake);
    if (rc < 0)
        return kdp_cli_error(cli, rc);
    if (kdp_cli_given(cli, "summary"))
        summary(&totals, &tape, kdpi_mono_ns() - started_ns);
    return KDP_EXIT_DONE;
}
