/* command.h - one row per subcommand: it drives dispatch, help, completion and the man pages' SYNOPSIS check.
 *
 * To add a command: a file src/cmd/cmd_NAME.c with its run function, a row in commands[] (main.c), a man page
 * docs/man/kdp-NAME.1, and a case in tests/cli; the test cli.every_command_is_documented holds it to that.
 * run returns the process's exit code (0 done, 1 failed or incomplete, 2 usage or settings, 130/143 cut short). */
#ifndef KDPI_COMMAND_H
#define KDPI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "setting.h"

#define KDP_EXIT_DONE 0
#define KDP_EXIT_FAILED 1
#define KDP_EXIT_USAGE 2
#define KDP_EXIT_PAUSED 3

struct kdp_cli; /* one invocation: its command, effective settings, positional arguments, streams */

struct kdp_command {
    const char *name;
    const char *group;    /* look, capture, ask, history, tend; NULL: not listed in kdp -h (internal) */
    const char *summary;  /* a few words for kdp -h */
    const char *usage;    /* without "usage: kdp ", e.g. "replay --input FILE [--input FILE ...] [options]" */
    const char *about;    /* one or two lines below the usage */
    const char *settings; /* names of the settings it takes, blank-separated, "*" before one that is required, "|" to begin
                             a new labelled block: "when: start end|output: format data" */
    const char *examples; /* two lines, each a command that works */
    int positional_min, positional_max; /* arguments that are no options */
    int (*run)(struct kdp_cli *cli);
};

/* Values by setting name, after defaults, .env, environment and flags.  A name the command does not list is a bug. */
const char *kdp_cli_text(const struct kdp_cli *cli, const char *name);  /* NULL: not given and no default */
bool kdp_cli_given(const struct kdp_cli *cli, const char *name);        /* by flag, environment or .env */
bool kdp_cli_switch(const struct kdp_cli *cli, const char *name);
int64_t kdp_cli_count(const struct kdp_cli *cli, const char *name);     /* COUNT, BYTES, SPAN (ns); 0 when not given */
unsigned kdp_cli_list(const struct kdp_cli *cli, const char *name, const char *const **valuesp);
/* kdp_cli_time reads a TIME setting as nanoseconds: 0 on success (*nsp KDP_TIME_NULL when not given). */
int kdp_cli_time(const struct kdp_cli *cli, const char *name, int64_t *nsp);
unsigned kdp_cli_positional(const struct kdp_cli *cli, const char *const **argsp);

enum kdp_format { KDP_FORMAT_TABLE, KDP_FORMAT_CSV, KDP_FORMAT_JSON };
enum kdp_format kdp_cli_format(const struct kdp_cli *cli); /* --format, default table */
bool kdp_cli_color(const struct kdp_cli *cli, FILE *stream);
bool kdp_cli_quiet(const struct kdp_cli *cli);
int kdp_cli_width(FILE *stream); /* columns of the terminal, 0 when it is none */

/* kdp_cli_error prints "kdp: error: TEXT" and the indented hint from the thread's error words (error.h) and returns the exit
 * code that goes with code: 2 for USAGE, else 1.  _warning and _notice print their own words and go on (not with --quiet). */
int kdp_cli_error(const struct kdp_cli *cli, int code);
void kdp_cli_warning(const struct kdp_cli *cli, const char *hint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void kdp_cli_notice(const struct kdp_cli *cli, const char *hint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* kdp_cli_interrupted: 0, or the signal (SIGINT, SIGTERM) that asked us to end; a second one ends the process at once. */
int kdp_cli_interrupted(void);
/* kdp_cli_finish flushes stdout and turns a failed write into an error (a closed pipe into a quiet end). */
int kdp_cli_finish(const struct kdp_cli *cli, int code);

/* A progress bar on stderr by the rules of the screens' guide: after 0.5 s, on a terminal, wiped before the answer; with
 * --progress and no terminal a plain line each 10 s. */
struct kdp_progress {
    const char *what;
    int64_t started_ns, drawn_ns;
    bool on, plain, drawn;
};
void kdp_progress_start(struct kdp_progress *progress, const struct kdp_cli *cli, const char *what);
/* done and total in the same unit (total 0: unknown); text says the rest ("56,483 frames  634,000/s"). */
void kdp_progress_update(struct kdp_progress *progress, double done, double total, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void kdp_progress_end(struct kdp_progress *progress);

#endif
