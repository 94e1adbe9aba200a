/* cmd_preview.c - kdp preview: what a daily bulk file of the exchange holds, read as a stream. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "error.h"
#include "preview.h"
#include "screen.h"

#define TABLE_ROWS 10u        /* shown unless --limit says otherwise */
#define TABLE_ROWS_MAX 10000u /* a table is kept until its end */
#define KEPT_BYTES_MAX (8u << 20)
#define HEAD_ROWS 1000u /* of csv: they decide which columns there are */
#define LOOK_EVERY 4096u

static void
free_kept(struct kdp_preview *preview)
{
    while (preview->first != NULL) {
        struct kdp_preview_row *next = preview->first->next;

        free(preview->first);
        preview->first = next;
    }
    preview->lastp = &preview->first;
}

static int
keep(struct kdp_preview *preview, const struct kdp_row *row)
{
    struct kdp_preview_row *kept = kdp_preview_keep(row);

    if (kept == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory for the rows shown");
    *preview->lastp = kept;
    preview->lastp = &kept->next;
    preview->kept++;
    preview->kept_bytes += row->len;
    return 0;
}

/* The rows that were kept to learn the columns go out, and those behind them directly. */
static int
write_kept(struct kdp_preview *preview)
{
    int code = kdp_preview_choose(preview);

    if (code != 0)
        return code;
    for (const struct kdp_preview_row *row = preview->first; row != NULL; row = row->next)
        kdp_preview_write_row(preview, row->count, row->fields);
    free_kept(preview);
    return 0;
}

/* One wanted row: 0, or a negative error, or an exit code (positive). */
static int
take_row(struct kdp_preview *preview, const struct kdp_row *row, bool stream)
{
    if (!stream) {
        kdp_bulk_look_row(&preview->look, &preview->columns, row);
        if (preview->to_lake) {
            int rc = kdp_bulk_lake_row(&preview->lake, preview->input.rows, row);

            if (rc != 0)
                return rc;
        }
        if (preview->kept < preview->limit && preview->kept_bytes < KEPT_BYTES_MAX)
            return keep(preview, row);
        return 0;
    }
    preview->look.rows++;
    if (preview->shown_count == 0) {
        int rc = keep(preview, row);

        if (rc == 0 && (preview->kept == HEAD_ROWS || preview->kept_bytes > KEPT_BYTES_MAX))
            rc = write_kept(preview);
        return rc;
    }
    kdp_preview_write_row(preview, row->count, row->fields);
    return 0;
}

static void
show_progress(struct kdp_preview *preview, struct kdp_progress *progress)
{
    char rows[KDPI_SCREEN_TEXT], rate[KDPI_SCREEN_TEXT];
    int64_t spent_ns = kdpi_mono_ns() - preview->started_ns;
    uint64_t taken = kdp_source_taken(preview->input.source);

    kdp_progress_update(
        progress, (double)taken, (double)kdp_source_size(preview->input.source), "%s rows  %s/s",
        kdpi_screen_count(rows, preview->read),
        kdpi_screen_bytes(rate, spent_ns > 0 ? (uint64_t)((double)taken * 1e9 / (double)spent_ns) : 0));
}

static void
keep_words(struct kdp_preview *preview, int error)
{
    preview->error = error;
    snprintf(preview->error_text, sizeof preview->error_text, "%s", kdp_error_text());
    snprintf(preview->error_hint, sizeof preview->error_hint, "%s", kdp_error_hint());
}

/* Reads all rows: 0, or an exit code; what ended the file early is kept in preview->error. */
static int
read_rows(struct kdp_preview *preview, bool stream)
{
    struct kdp_progress progress;
    struct kdp_row row;
    int got = 0, rc = 0;

    kdp_progress_start(&progress, preview->cli, "preview");
    while (rc == 0 && (got = kdp_rows_next(preview->input.rows, &row)) == 1) {
        preview->read++;
        kdp_bulk_columns_learn(&preview->columns, preview->input.rows);
        if (kdp_bulk_filter_row(&preview->filter, &preview->columns, preview->input.rows, &row)) {
            rc = take_row(preview, &row, stream);
            preview->enough =
                preview->enough || (stream && preview->limit != 0 && preview->look.rows == preview->limit);
            if (preview->enough)
                break;
        }
        if (preview->read % LOOK_EVERY == 0) {
            if (kdp_cli_interrupted() != 0 || kdp_cli_output_failed())
                break;
            if (kdp_progress_due(&progress))
                show_progress(preview, &progress);
        }
    }
    kdp_progress_end(&progress);
    preview->complete = rc == 0 && got == 0;
    preview->took_ns = kdpi_mono_ns() - preview->started_ns;
    if (rc < 0)
        return kdp_cli_error(preview->cli, rc);
    if (got < 0 && got != -KDP_ESTOPPED)
        keep_words(preview, got);
    return rc;
}

/* Files what was read; an exit code when that fails. */
static int
file_rows(struct kdp_preview *preview)
{
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT];
    int rc;

    if (preview->lake.there) {
        kdp_cli_notice(preview->cli, NULL, "the lake in %s has that day already: nothing was added",
                       kdp_cli_text(preview->cli, "data"));
        return 0;
    }
    rc = kdp_bulk_lake_end(&preview->lake, preview->complete && !preview->filter.any);
    if (rc != 0)
        return kdp_cli_error(preview->cli, rc);
    kdp_cli_say(preview->cli, "lake: %s rows of %s filed into %s, %s could not be",
                kdpi_screen_count(a, preview->lake.inserted), preview->lake.file,
                kdp_cli_text(preview->cli, "data"), kdpi_screen_count(b, preview->lake.rejects.count));
    return preview->lake.rejects.count > 0 ? KDP_EXIT_FAILED : 0;
}

/* A filter that had nothing to look at would quietly give no row. */
static int
check_filter(struct kdp_preview *preview)
{
    const char *what,
        *lacks = kdp_bulk_filter_lacks(&preview->filter, &preview->columns, preview->input.rows, &what);

    if (lacks == NULL || preview->read == 0)
        return 0;
    kdpi_fail(KDP_ENOENT, "%s has nothing to look at: %s: no row has a member %s", lacks, preview->input.name,
              what);
    kdpi_hint("kdp preview without it lists the members that there are");
    return kdp_cli_error(preview->cli, -KDP_ENOENT);
}

static int
finish(struct kdp_preview *preview, int code)
{
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT];
    double seconds = (double)preview->took_ns / 1e9;

    if (kdp_cli_interrupted() != 0) {
        kdp_cli_say(preview->cli, "stopped after %s rows; the rest was not read",
                    kdpi_screen_count(a, preview->read));
        return code != 0 ? code : kdp_cli_stopped(preview->cli);
    }
    if (preview->error != 0) {
        kdpi_fail((enum kdp_error) - preview->error, "%s", preview->error_text);
        if (preview->error_hint[0] != '\0')
            kdpi_hint("%s", preview->error_hint);
        return kdp_cli_error(preview->cli, preview->error);
    }
    if (preview->new_columns > 0)
        kdp_cli_warning(preview->cli, "Name the columns wanted: --columns a,b,c",
                        "%s values of members that turned up late were left out",
                        kdpi_screen_count(a, preview->new_columns));
    if (preview->input.download != NULL && kdp_download_resumed(preview->input.download) > 0)
        kdp_cli_notice(preview->cli, NULL, "the download was cut %u times and went on where it was",
                       kdp_download_resumed(preview->input.download));
    kdp_cli_say(preview->cli, "%s %s in %s, %s/s", kdpi_screen_count(a, preview->read),
                preview->read == 1 ? "row" : "rows", kdpi_screen_span(b, preview->took_ns),
                kdpi_screen_bytes(
                    c, seconds > 0 ? (uint64_t)((double)kdp_rows_offset(preview->input.rows) / seconds) : 0));
    return code;
}

static int
check_wishes(struct kdp_cli *cli)
{
    const char *const *what;
    unsigned whats = kdp_cli_list(cli, "what", &what);
    int inputs = (kdp_cli_text(cli, "file") != NULL) + (kdp_cli_text(cli, "url") != NULL);

    if (inputs > 1)
        return kdp_cli_usage(cli, NULL, "--file and --url: one of them");
    if (inputs == 0 && !kdp_cli_given(cli, "date"))
        return kdp_cli_usage(
            cli, "kdp preview --file trade_data_2026-09-19.json.gz, or --date 2026-09-19 --what trades",
            "no file: --file, --url or --date says which");
    if (whats > 1 || (whats == 1 && strcmp(what[0], "trades") != 0 && strcmp(what[0], "markets") != 0))
        return kdp_cli_usage(cli, "Choose --what trades or --what markets", "--what %s: no such bulk file",
                             whats > 1 ? "takes one" : what[0]);
    if (kdp_cli_switch(cli, "to-lake") &&
        (kdp_cli_switch(cli, "interactive") ||
         (kdp_cli_format(cli) != KDP_FORMAT_TABLE && kdp_cli_text(cli, "summary") == NULL)))
        return kdp_cli_usage(cli, NULL, "--to-lake beside --interactive, csv or json: one of them");
    if (kdp_cli_switch(cli, "interactive") &&
        (isatty(STDOUT_FILENO) == 0 || kdp_cli_format(cli) != KDP_FORMAT_TABLE ||
         kdp_cli_text(cli, "summary") != NULL))
        return kdp_cli_usage(cli, "For scripts: --format csv, --format json or --summary json",
                             "--interactive draws a screen, and %s",
                             isatty(STDOUT_FILENO) == 0 ? "stdout is not a terminal"
                                                        : "another form was asked for");
    return 0;
}

int
kdp_cmd_preview(struct kdp_cli *cli)
{
    static struct kdp_preview preview; /* large, and a command runs once */
    bool summary = kdp_cli_text(cli, "summary") != NULL,
         stream = !summary && kdp_cli_format(cli) != KDP_FORMAT_TABLE;
    int code, rc;

    preview.cli = cli;
    preview.lastp = &preview.first;
    preview.limit = (uint64_t)kdp_cli_count(cli, "limit");
    code = check_wishes(cli);
    if (code == 0)
        code = kdp_bulk_filter_read(&preview.filter, cli);
    if (code == 0 && !stream && preview.limit > TABLE_ROWS_MAX)
        code = kdp_cli_usage(cli, "csv and json have no limit, --interactive shows any row",
                             "--limit: a table has at most %u rows", TABLE_ROWS_MAX);
    if (code != 0)
        return code;
    if (!stream && !kdp_cli_given(cli, "limit"))
        preview.limit = TABLE_ROWS;
    preview.started_ns = kdpi_mono_ns();
    rc = kdp_bulk_look_open(&preview.look);
    if (rc == 0)
        rc = kdp_bulk_input_open(&preview.input, cli);
    preview.to_lake = kdp_cli_switch(cli, "to-lake");
    if (rc == 0 && preview.to_lake)
        rc = kdp_bulk_lake_open(&preview.lake, cli, preview.input.name);
    if (rc != 0) {
        code =
            rc == -KDP_ESTOPPED && kdp_cli_interrupted() != 0 ? kdp_cli_stopped(cli) : kdp_cli_error(cli, rc);
    } else if (kdp_cli_switch(cli, "interactive")) {
        code = kdp_pager_run(&preview);
    } else {
        code = read_rows(&preview, stream);
        if (code == 0)
            code = check_filter(&preview);
        if (code == 0 && stream && preview.shown_count == 0)
            code = write_kept(&preview);
        if (stream && code == 0)
            kdp_preview_write_end(&preview);
        else if (code == 0 && summary)
            kdp_preview_json(&preview);
        else if (code == 0)
            code = kdp_preview_table(&preview);
        if (code == 0)
            code = finish(&preview, preview.to_lake ? file_rows(&preview) : 0);
    }
    if (preview.to_lake)
        kdp_bulk_lake_close(&preview.lake);
    free_kept(&preview);
    kdp_bulk_look_close(&preview.look);
    kdp_bulk_input_close(&preview.input);
    return kdp_cli_finish(cli, code);
}
