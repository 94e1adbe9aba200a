/* cli_private.h - what the files of the framework share; commands see command.h only. */
#ifndef KDPI_CLI_PRIVATE_H
#define KDPI_CLI_PRIVATE_H

#include "command.h"

/* taken by every command, in the order help shows them */
#define KDP_COMMON_SETTINGS "quiet color log-level log-file env-file"

struct kdp_cli {
    const struct kdp_command *command; /* NULL before one is known */
    struct kdp_settings *settings;
    const char **positional;
    unsigned positional_count;
    bool help; /* -h was among the arguments */
};

/* Iterates over a settings string: each call fills *word; false at the end.  at starts as the string itself. */
struct kdp_setting_word {
    char block[24]; /* label, "" before the first */
    char name[48];
    char fallback[96]; /* own default; has_fallback */
    bool has_fallback, required;
};
bool kdp_setting_word_next(const char **at, struct kdp_setting_word *word);

/* kdp_command_takes: the command's own options and the common ones; kdp config takes every setting that has a variable. */
bool kdp_command_takes(const struct kdp_command *command, const struct kdp_setting *setting);

/* kdp_args_read fills cli from the arguments behind the command's name: 0, or the exit code after the words are said. */
int kdp_args_read(struct kdp_cli *cli, int argc, char **argv);
/* kdp_args_settle reads .env and environment and checks every value the command takes: 0 or an exit code. */
int kdp_args_settle(struct kdp_cli *cli);

void kdp_help_main(FILE *out);
void kdp_help_command(FILE *out, const struct kdp_command *command);
int kdp_unknown_command(const char *name);

void kdp_signals_install(void);
/* set while a progress bar stands on the screen, so that a second Ctrl-C leaves a clean line */
extern volatile int kdp_bar_drawn;
/* what gives a terminal back that was taken over, called when a second signal ends the process; NULL: nothing was */
extern void (*volatile kdp_signal_restore)(void);

#endif
