/* command.h - one row per subcommand: it drives dispatch, help, completion and the man pages' SYNOPSIS check.
 *
 * To add a command NAME:
 *   1. src/cmd/cmd_NAME.c with  int kdp_cmd_NAME(struct kdp_cli *cli);  and its prototype in src/cmd/commands.h
 *   2. a row in commands[] of src/cmd/main.c, and the file in src/cmd/CMakeLists.txt
 *   3. missing options as rows of src/base/setting_table.c (shared by all commands that have an option of that name)
 *   4. docs/man/kdp-NAME.1, whose SYNOPSIS says the same as usage, with an entry per option
 *   5. a script tests/cli/NAME.sh, registered with kdp_script_test in tests/CMakeLists.txt
 * The test cli.every_command_is_documented holds it to that; cli.help_examples_work runs the two examples.
 *
 * What run may rely on: the options are read and every value fits its row (a wrong one ended the process with 2 before
 * anything was opened); SIGINT and SIGTERM only set kdp_cli_interrupted, and system calls then return EINTR (no SA_RESTART),
 * again each second; SIGPIPE is ignored; the log is open.  What it does: the answer on stdout, the rest on stderr through the functions below;
 * it looks at kdp_cli_interrupted and kdp_cli_output_failed in every loop that may be long; it returns the exit code
 * (0 done, 1 failed or incomplete, 2 usage or settings, kdp_cli_stopped(cli) when cut short) and never calls exit. */
#ifndef KDPI_COMMAND_H
#define KDPI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "setting.h"

#define KDP_EXIT_DONE 0
#define KDP_EXIT_FAILED 1
#define KDP_EXIT_USAGE 2
#define KDP_EXIT_PAUSED 3
#define KDP_EXIT_NO_SQL 4 /* internal: of the sealer, when libduckdb.so is missing */

struct kdp_cli; /* one invocation: its command, effective settings, positional arguments, streams */

struct kdp_command {
    const char *name;
    const char *group;   /* look, capture, ask, history, tend; NULL: not listed in kdp -h (internal) */
    const char *summary; /* a few words for kdp -h */
    const char *usage;   /* without "usage: kdp ", e.g. "replay --input FILE [--input FILE ...] [options]" */
    const char *about;   /* one or two lines below the usage */
    /* the settings it takes, blank-separated, in labelled blocks: "when: start end|output: format data".  "*" before a
     * name: required.  "name=VALUE": this command's own default.  --env-file, --log-level, --log-file, --color and --quiet
     * are taken by every command and not named here. */
    const char *settings;
    const char *exits; /* "0 done, 1 failed, 2 usage, 130 stopped by Ctrl-C"; NULL: the first three */
    /* two lines, each a command that works in a folder with session.jsonl and, unless the group is capture, ./data of it;
     * the test puts a ticker of the session in the place of any KX... ticker */
    const char *examples;
    int positional_min, positional_max; /* arguments that are no options */
    int (*run)(struct kdp_cli *cli);
};

/* Values by setting name, after defaults, .env, environment and flags.  A name the command does not list is a bug. */
const char *kdp_cli_text(const struct kdp_cli *cli, const char *name); /* NULL: not given and no default */
bool kdp_cli_given(const struct kdp_cli *cli, const char *name);       /* by flag, environment or .env */
bool kdp_cli_switch(const struct kdp_cli *cli, const char *name);
int64_t kdp_cli_count(const struct kdp_cli *cli,
                      const char *name); /* COUNT, BYTES, SPAN (ns); 0 when not given */
unsigned kdp_cli_list(const struct kdp_cli *cli, const char *name, const char *const **valuesp);
/* kdp_cli_origin says where a value came from, for messages: "--base-url", ".env line 3, KALSHI_BASE_URL". */
void kdp_cli_origin(const struct kdp_cli *cli, const char *name, char *buf, size_t size);
/* kdp_cli_time reads a TIME setting as nanoseconds: 0 on success (*nsp KDP_TIME_NULL when not given). */
int kdp_cli_time(const struct kdp_cli *cli, const char *name, int64_t *nsp);
/* kdp_cli_range reads --start and --end (start included, end not; INT64_MIN and INT64_MAX where not given): 0, or the exit
 * code 2 after saying that start is not before end. */
int kdp_cli_range(const struct kdp_cli *cli, int64_t *start_nsp, int64_t *end_nsp);
/* kdp_cli_typed writes those of the named options (blank-separated) that stood on the command line once more, " --NAME VALUE", so
 * that a next step means the same exchange and the same markets.  kdp_cli_shell_word quotes a word where a shell needs it. */
void kdp_cli_typed(FILE *out, const struct kdp_cli *cli, const char *names);
void kdp_cli_shell_word(char *buf, size_t size, const char *word);
unsigned kdp_cli_positional(const struct kdp_cli *cli, const char *const **argsp);

enum kdp_format { KDP_FORMAT_TABLE, KDP_FORMAT_CSV, KDP_FORMAT_JSON };
enum kdp_format kdp_cli_format(const struct kdp_cli *cli); /* --format, default table */
bool kdp_cli_color(const struct kdp_cli *cli, FILE *stream);
bool kdp_cli_quiet(const struct kdp_cli *cli);
bool kdp_cli_utf8(void);         /* the locale's letters are UTF-8: bars may be drawn with block characters */
int kdp_cli_width(FILE *stream); /* columns of the terminal (COLUMNS wins, 20 at least), 0 when it is none */

/* The colours of kdp: add to what words already say.  kdp_cli_paint gives the escape sequence, "" where colours are off. */
enum kdp_paint { KDP_PAINT_OFF, KDP_PAINT_YES, KDP_PAINT_NO, KDP_PAINT_ALERT, KDP_PAINT_HEAD };
const char *kdp_cli_paint(const struct kdp_cli *cli, FILE *stream, enum kdp_paint paint);

/* kdp_cli_error prints "kdp: error: TEXT" and the indented hint from the thread's error words (error.h) and returns the exit
 * code that goes with code: 2 for USAGE, else 1.  _warning and _notice print their own words and go on (not with --quiet);
 * hint may be NULL.  kdp_cli_usage is for arguments that the settings table cannot judge: prints the words as an error with
 * "kdp help NAME" as the next step, or hint when that is not NULL, and returns 2. */
int kdp_cli_error(const struct kdp_cli *cli, int code);
int kdp_cli_usage(const struct kdp_cli *cli, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void kdp_cli_warning(const struct kdp_cli *cli, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void kdp_cli_notice(const struct kdp_cli *cli, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* kdp_cli_say prints a line of conversation on stderr, not with --quiet. */
void kdp_cli_say(const struct kdp_cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* kdp_cli_interrupted: 0, or the signal (SIGINT, SIGTERM) that asked us to end; a second one ends the process at once.
 * kdp_cli_stopped is the exit code of a job cut short: 130 or 143. */
int kdp_cli_interrupted(void);
int kdp_cli_stopped(const struct kdp_cli *cli);
/* kdp_cli_output_failed: stdout takes nothing any more (pipe closed, disk full); the command should end with what it would
 * return otherwise, main says the rest. */
bool kdp_cli_output_failed(void);
/* kdp_cli_finish flushes stdout and turns a failed write into an error (a closed pipe into a quiet end); main calls it. */
int kdp_cli_finish(const struct kdp_cli *cli, int code);

/* A text inside csv, quoted where needed; words.h has kdpi_json_text. */
void kdp_cli_csv_text(FILE *out, const char *text, size_t len);

/* A progress bar on stderr: after 0.5 s, on a terminal, at most 80 columns, redrawn 10 times a second, wiped before the
 * answer; with --progress and no terminal a plain line each 10 s; none with --no-progress or --quiet. */
struct kdp_progress {
    const char *what;
    int64_t started_ns, drawn_ns;
    bool on, plain, drawn;
};
void kdp_progress_start(struct kdp_progress *progress, const struct kdp_cli *cli, const char *what);
/* kdp_progress_due is a cheap question before an update whose words cost something; call it every few thousand steps. */
bool kdp_progress_due(const struct kdp_progress *progress);
/* done and total in the same unit (total 0: unknown); text says the rest ("56,483 frames  634,000/s"). */
void kdp_progress_update(struct kdp_progress *progress, double done, double total, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void kdp_progress_end(struct kdp_progress *progress);

/* The rows, for help, completion and checks. */
const struct kdp_command *kdp_command_at(size_t index); /* NULL past the end */
const struct kdp_command *kdp_command_find(const char *name);

#endif
