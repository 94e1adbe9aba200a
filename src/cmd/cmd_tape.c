/* cmd_tape.c - kdp tape verify|info|repair: looking after the segment files of a data folder. */
#include "command.h"
#include "commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "error.h"
#include "raw.h"
#include "record.h"
#include "screen.h"
#include "table.h"
#include "tape.h"
#include "tape_check.h"

#define FINDINGS_MAX 1000 /* listed; all are counted */

struct tape_job {
    struct kdp_cli *cli;
    const char *dir;
    enum kdp_format format;
    struct kdp_table *(*begin)(const struct tape_job *job); /* of what is listed; NULL: nothing is */
    struct kdp_table *table; /* begun with its first row, so that a table without rows has no heading */
    struct kdp_progress progress;
    uint64_t listed, raw_damages;
    struct kdp_tape_totals totals;
};

static bool
list_on(struct tape_job *job)
{
    if (job->begin == NULL || job->listed++ >= FINDINGS_MAX)
        return false;
    if (job->table == NULL)
        job->table = job->begin(job);
    return true;
}

/* The table is done: 0, or an exit code.  csv and json have their heading or brackets without rows too. */
static int
list_end(struct tape_job *job, const char *nothing)
{
    int rc = 0;

    if (job->table == NULL && job->format != KDP_FORMAT_TABLE)
        job->table = job->begin(job);
    if (job->table != NULL)
        rc = kdp_table_end(job->table);
    else
        puts(nothing);
    job->table = NULL;
    if (rc == 0)
        return 0;
    kdpi_fail(KDP_ENOMEM, "out of memory");
    return kdp_cli_error(job->cli, -KDP_ENOMEM);
}

static bool
stop(void *arg)
{
    (void)arg;
    return kdp_cli_interrupted() != 0;
}

static void
progress(void *arg, uint64_t done, uint64_t total)
{
    struct tape_job *job = arg;
    char text[KDPI_SCREEN_TEXT];

    if (kdp_progress_due(&job->progress))
        kdp_progress_update(&job->progress, (double)done, (double)total, "%s", kdpi_screen_bytes(text, done));
}

static const char *
plain(char *buf, size_t size, uint64_t value, uint64_t none)
{
    if (value == none)
        return NULL;
    snprintf(buf, size, "%" PRIu64, value);
    return buf;
}

static void
list_finding(void *arg, const struct kdp_tape_finding *finding)
{
    struct tape_job *job = arg;
    char number[32];

    if (!list_on(job))
        return;
    kdp_table_cell(job->table, finding->kind == KDP_TAPE_DAMAGE ? "DAMAGE" : "notice",
                   finding->kind == KDP_TAPE_DAMAGE ? "damage" : "notice");
    kdp_table_cell(job->table, finding->path, NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, finding->offset, UINT64_MAX), NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, finding->first_seq, 0), NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, finding->last_seq, 0), NULL);
    kdp_table_cell(job->table, finding->what, NULL);
}

/* Reads the whole tape; findings go to the table when there is one. */
static int
look_through(struct tape_job *job)
{
    struct kdp_tape_check check = {.finding = list_finding, .progress = progress, .stop = stop, .arg = job};
    int rc;

    kdp_progress_start(&job->progress, job->cli, "tape");
    rc = kdp_tape_verify(job->dir, &check, &job->totals);
    kdp_progress_end(&job->progress);
    if (rc == -KDP_ESTOPPED)
        return kdp_cli_stopped(job->cli);
    return rc != 0 ? kdp_cli_error(job->cli, rc) : 0;
}

/* ---- verify ---- */

static struct kdp_table *
findings_table(const struct tape_job *job)
{
    struct kdp_table *table = kdp_table_new(stdout, job->format);

    kdp_table_column(table, "KIND", "kind", KDP_COLUMN_TEXT);
    kdp_table_column(table, "FILE", "file", KDP_COLUMN_TEXT);
    kdp_table_column(table, "BYTE", "byte", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "FROM SEQ", "first_seq", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "TO SEQ", "last_seq", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "WHAT", "what", KDP_COLUMN_TEXT);
    kdp_table_width(table, 0); /* a path that is cut cannot be typed */
    return table;
}

static bool
is_damage(int rc)
{
    return rc == -KDP_ECHECKSUM || rc == -KDP_EFORMAT || rc == -KDP_ETRUNCATED;
}

static void
list_raw(struct tape_job *job, const char *path, uint64_t offset)
{
    struct kdp_tape_finding finding = {
        .kind = KDP_TAPE_DAMAGE, .path = path, .offset = offset, .what = kdp_error_text()};

    list_finding(job, &finding);
    job->totals.damages++;
    job->raw_damages++;
}

/* The raw tape beside the tape, where there is one: every input of every file is read. */
static int
verify_raw(struct tape_job *job)
{
    const struct kdp_input_head *head;
    struct kdp_raw_reader *reader;
    uint64_t offset;
    int rc = kdp_raw_reader_open(&reader, job->dir);

    if (rc == -KDP_ENOENT)
        return 0;
    if (is_damage(rc)) {
        list_raw(job, job->dir, UINT64_MAX);
        return 0;
    }
    if (rc != 0)
        return kdp_cli_error(job->cli, rc);
    while ((rc = kdp_raw_next(reader, &head)) != 0 && !stop(NULL)) {
        if (is_damage(rc)) {
            const char *path = kdp_raw_where(reader, &offset);

            list_raw(job, path, offset);
        } else if (rc < 0) {
            break;
        }
    }
    kdp_raw_reader_close(reader);
    if (stop(NULL))
        return kdp_cli_stopped(job->cli);
    return rc < 0 ? kdp_cli_error(job->cli, rc) : 0;
}

static int
verify(struct tape_job *job)
{
    const struct kdp_tape_totals *t = &job->totals;
    char records[KDPI_SCREEN_TEXT], bytes[KDPI_SCREEN_TEXT], segments[KDPI_SCREEN_TEXT];
    int64_t started_ns = kdpi_mono_ns();
    int code;

    job->begin = findings_table;
    code = look_through(job);
    if (code == 0)
        code = verify_raw(job);
    if (code != 0) {
        if (job->table != NULL)
            kdp_table_end(job->table);
        return code;
    }
    code = list_end(job, "no damage");
    if (code != 0)
        return code;
    if (job->listed > FINDINGS_MAX)
        kdp_cli_say(job->cli, "and %" PRIu64 " more", job->listed - FINDINGS_MAX);
    kdp_cli_say(job->cli,
                "segments %s, %s, %s records, sequences %" PRIu64 " to %" PRIu64 ", damage %" PRIu64
                ", %.1f s",
                kdpi_screen_count(segments, t->segments), kdpi_screen_bytes(bytes, t->bytes),
                kdpi_screen_count(records, t->records), t->first_seq, t->last_seq, t->damages,
                (double)(kdpi_mono_ns() - started_ns) / 1e9);
    if (t->damages == 0)
        return KDP_EXIT_DONE;
    if (job->raw_damages > 0)
        kdp_cli_say(job->cli, "the raw tape is only needed to replay it; its whole blocks can still be read");
    if (t->damages > job->raw_damages)
        kdp_cli_say(job->cli, "kdp tape repair %s shows what can be saved and asks before it writes",
                    job->dir);
    return KDP_EXIT_FAILED;
}

/* ---- info ---- */

static void
row(struct kdp_table *table, const char *name, const char *shown, const char *value)
{
    kdp_table_cell(table, name, NULL);
    kdp_table_cell(table, shown, value);
}

static void
count_row(struct kdp_table *table, const char *name, uint64_t count)
{
    char shown[KDPI_SCREEN_TEXT], value[32];

    snprintf(value, sizeof value, "%" PRIu64, count);
    row(table, name, kdpi_screen_count(shown, count), value);
}

static void
time_row(struct kdp_table *table, const char *name, int64_t ns)
{
    char shown[KDPI_TIME_TEXT], value[KDPI_TIME_TEXT];

    kdpi_time_format(value, ns, 9);
    snprintf(shown, sizeof shown, "%s", value);
    row(table, name, ns == KDP_TIME_NULL ? NULL : shown, value);
}

static void
bytes_row(struct kdp_table *table, const char *name, uint64_t count)
{
    char shown[KDPI_SCREEN_TEXT], value[32];

    snprintf(value, sizeof value, "%" PRIu64, count);
    row(table, name, kdpi_screen_bytes(shown, count), value);
}

static void
seq_row(struct kdp_table *table, const char *name, uint64_t seq)
{
    char value[32];

    row(table, name, plain(value, sizeof value, seq, 0), NULL);
}

static int
info(struct tape_job *job)
{
    const struct kdp_tape_totals *t = &job->totals;
    struct kdp_table *table;
    int code = look_through(job);

    if (code != 0)
        return code;
    table = kdp_table_new(stdout, job->format);
    kdp_table_column(table, "WHAT", "what", KDP_COLUMN_TEXT);
    kdp_table_column(table, "VALUE", "value", KDP_COLUMN_RIGHT);
    count_row(table, "segments", t->segments);
    count_row(table, "sealed", t->sealed);
    count_row(table, "runs", t->sessions);
    bytes_row(table, "bytes", t->bytes);
    count_row(table, "blocks", t->blocks);
    count_row(table, "records", t->records);
    seq_row(table, "first_seq", t->first_seq);
    seq_row(table, "last_seq", t->last_seq);
    count_row(table, "numbers_unused", t->unused);
    count_row(table, "numbers_lost", t->lost);
    time_row(table, "first_received", t->recv_min_ns);
    time_row(table, "last_received", t->recv_max_ns);
    count_row(table, "instruments", t->instruments);
    bytes_row(table, "dictionary_bytes", t->dictionary_bytes);
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++)
        if (kdpi_record_desc(id) != NULL)
            count_row(table, kdpi_record_desc(id)->table, t->by_template[id]);
    count_row(table, "damage", t->damages);
    if (kdp_table_end(table) != 0) {
        kdpi_fail(KDP_ENOMEM, "out of memory");
        return kdp_cli_error(job->cli, -KDP_ENOMEM);
    }
    if (t->damages == 0)
        return KDP_EXIT_DONE;
    kdp_cli_say(job->cli, "kdp tape verify %s names the damage", job->dir);
    return KDP_EXIT_FAILED;
}

/* ---- repair ---- */

static void
tell_mend(void *arg, const struct kdp_tape_mend *mend)
{
    struct tape_job *job = arg;
    char number[32];

    if (!list_on(job))
        return;
    kdp_table_cell(job->table, mend->path, NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, mend->blocks, UINT64_MAX), NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, mend->records, UINT64_MAX), NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, mend->lost, UINT64_MAX), NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, mend->lost_first, 0), NULL);
    kdp_table_cell(job->table, plain(number, sizeof number, mend->lost_last, 0), NULL);
    kdp_table_cell(job->table, mend->kept, NULL);
}

static struct kdp_table *
mends_table(const struct tape_job *job)
{
    struct kdp_table *table = kdp_table_new(stdout, job->format);

    kdp_table_column(table, "FILE", "file", KDP_COLUMN_TEXT);
    kdp_table_column(table, "BLOCKS SAVED", "blocks_saved", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "RECORDS SAVED", "records_saved", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "LOST", "lost", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "FROM SEQ", "lost_first_seq", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "TO SEQ", "lost_last_seq", KDP_COLUMN_NUMBER);
    kdp_table_column(table, "KEPT AS", "kept_as", KDP_COLUMN_TEXT);
    kdp_table_width(table, 0);
    return table;
}

/* One pass, dry or not: how many segments are concerned, or the negative exit code. */
static int
mend_pass(struct tape_job *job, bool write, bool show)
{
    int count, code;

    job->listed = 0;
    job->begin = show ? mends_table : NULL;
    count = kdp_tape_repair(job->dir, write, tell_mend, job);
    if (count < 0) {
        code = kdp_cli_error(job->cli, count);
        if (job->table != NULL)
            kdp_table_end(job->table);
        return -code;
    }
    code = show ? list_end(job, "nothing to repair") : 0;
    return code != 0 ? -code : count;
}

static bool
agreed(void)
{
    char answer[16] = "";

    fputs("Write these? The damaged files stay as *.damaged. [y/N] ", stderr);
    fflush(stderr);
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static int
repair(struct tape_job *job)
{
    bool yes = kdp_cli_switch(job->cli, "yes");
    int count;

    if (yes) {
        count = mend_pass(job, true, true);
        return count < 0 ? -count : KDP_EXIT_DONE;
    }
    count = mend_pass(job, false, true);
    if (count <= 0)
        return -count;
    fflush(stdout);
    if (!isatty(STDIN_FILENO)) {
        kdp_cli_say(job->cli, "nothing was written; kdp tape repair --yes %s writes it", job->dir);
        return KDP_EXIT_FAILED;
    }
    if (!agreed()) {
        kdp_cli_say(job->cli, "nothing was written");
        return KDP_EXIT_FAILED;
    }
    count = mend_pass(job, true, false);
    if (count >= 0)
        kdp_cli_say(job->cli, "%d written", count);
    return count < 0 ? -count : KDP_EXIT_DONE;
}

int
kdp_cmd_tape(struct kdp_cli *cli)
{
    const char *const *args;
    unsigned count = kdp_cli_positional(cli, &args);
    struct tape_job job = {.cli = cli, .format = kdp_cli_format(cli)};

    if (count == 2 && kdp_cli_given(cli, "data"))
        return kdp_cli_usage(cli, "Give one of the two", "the folder is named twice: %s and --data", args[1]);
    job.dir = count == 2 ? args[1] : kdp_cli_text(cli, "data");
    if (strcmp(args[0], "verify") == 0)
        return verify(&job);
    if (strcmp(args[0], "info") == 0)
        return info(&job);
    if (strcmp(args[0], "repair") == 0)
        return repair(&job);
    return kdp_cli_usage(cli, "It is verify, info or repair", "kdp tape does not know \"%s\"", args[0]);
}
