/* cmd_completion.c - kdp completion SHELL prints a small script; kdp __complete does the work for all three
 * shells, so that what they offer comes from the same rows as everything else. */
#include "cli_private.h"
#include "commands.h"
#include "error.h"
#include "kdp/reader.h"
#include "history.h"
#include "lake_table.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char bash_script[] = "# bash completion of kdp: eval \"$(kdp completion bash)\"\n"
                                  "_kdp() {\n"
                                  "    local IFS=$'\\n'\n"
                                  "    COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" __complete "
                                  "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\" -- "
                                  "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
                                  "}\n"
                                  "complete -o default -F _kdp kdp\n";

static const char zsh_script[] =
    "#compdef kdp\n"
    "# zsh completion of kdp: eval \"$(kdp completion zsh)\"\n"
    "_kdp() {\n"
    "    local -a found\n"
    "    found=(\"${(@f)$(${words[1]} __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    if [[ -n ${found[1]} ]]; then compadd -- \"${found[@]}\"; else _files; fi\n"
    "}\n"
    "compdef _kdp kdp\n";

static const char fish_script[] = "# fish completion of kdp: kdp completion fish | source\n"
                                  "complete -c kdp -f -a '(set -l w (commandline -opc) (commandline -ct); "
                                  "$w[1] __complete $w[2..-1] 2>/dev/null)'\n"
                                  "complete -c kdp -F -n 'string match -qr -- "
                                  "\"^--(input|output|file|feed-file|trades|answers|script|rules|books|dir|"
                                  "data|env-file|log-file|private-key|ca-file)$"
                                  "\" "
                                  "(commandline -opc)[-1]'\n";

int
kdp_cmd_completion(struct kdp_cli *cli)
{
    const char *const *args;

    kdp_cli_positional(cli, &args);
    if (strcmp(args[0], "bash") == 0)
        fputs(bash_script, stdout);
    else if (strcmp(args[0], "zsh") == 0)
        fputs(zsh_script, stdout);
    else if (strcmp(args[0], "fish") == 0)
        fputs(fish_script, stdout);
    else
        return kdp_cli_usage(cli, "Choose one of bash, zsh, fish", "no completion for this shell: %s",
                             args[0]);
    return KDP_EXIT_DONE;
}

static void
offer(const char *prefix, const char *word)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0)
        puts(word);
}

static void
offer_commands(const char *prefix)
{
    const struct kdp_command *command;

    for (size_t i = 0; (command = kdp_command_at(i)) != NULL; i++) {
        if (command->group != NULL)
            offer(prefix, command->name);
    }
    offer(prefix, "help");
}

static void
offer_options(const struct kdp_command *command, const char *prefix)
{
    const struct kdp_setting *setting;
    char word[64];

    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (!kdp_command_takes(command, setting))
            continue;
        snprintf(word, sizeof word, "--%s%s",
                 setting->type == KDP_SETTING_SWITCH && setting->fallback != NULL ? "no-" : "",
                 setting->name);
        offer(prefix, word);
    }
}

static void
offer_words(const char *p, const char *prefix)
{
    char word[64];

    while (p != NULL && *p != '\0') {
        size_t len = strcspn(p, "|");

        snprintf(word, sizeof word, "%.*s", (int)len, p);
        offer(prefix, word);
        p += len;
        p += *p == '|';
    }
}

#define TICKERS_MAX 1000u /* more than this nobody reads, and a shell takes long to sort */

#define SERIES_TEXT 64u

/* A series is what stands before a ticker's first hyphen; each is offered once. */
static bool
is_new(char (*seen)[SERIES_TEXT], unsigned count, const char *ticker, const char *prefix)
{
    int len = (int)strcspn(ticker, "-");

    snprintf(seen[count], SERIES_TEXT, "%.*s", len, ticker);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(seen[i], seen[count]) == 0)
            return false;
    return strncmp(seen[count], prefix, strlen(prefix)) == 0;
}

/* The tickers or series of the data folder that the words name; a folder that cannot be read offers none. */
static void
offer_tickers(const char *const *words, unsigned count, const char *prefix, bool series)
{
    const char *dir = getenv("KDP_DATA"), *ticker;
    static char seen[TICKERS_MAX][SERIES_TEXT];
    struct kdp_reader *reader;
    unsigned offered = 0;

    if (dir == NULL || *dir == '\0')
        dir = kdpi_setting_find("data")->fallback;
    for (unsigned i = 1; i < count; i++) {
        if (strncmp(words[i], "--data=", 7) == 0)
            dir = words[i] + 7;
        else if (strcmp(words[i - 1], "--data") == 0)
            dir = words[i];
    }
    if (access(dir, R_OK | X_OK) != 0 || kdp_reader_open(&reader, dir, "now", 0) != 0)
        return;
    for (uint32_t id = 1; id <= kdp_reader_instrument_max(reader) && offered < TICKERS_MAX; id++) {
        ticker = kdp_reader_ticker(reader, id);
        if (ticker == NULL)
            continue;
        if (series ? is_new(seen, offered, ticker, prefix) : strncmp(ticker, prefix, strlen(prefix)) == 0) {
            puts(series ? seen[offered] : ticker);
            offered++;
        }
    }
    kdp_reader_close(reader);
}

static void
offer_tables(const char *prefix)
{
    unsigned count;
    const struct kdp_lake_table *tables = kdp_lake_tables(&count);
    const struct kdp_history_table *others;

    for (unsigned i = 0; i < count; i++)
        offer(prefix, tables[i].name);
    others = kdp_history_tables(&count);
    for (unsigned i = 0; i < count; i++)
        offer(prefix, others[i].name);
}

static void
offer_types(const char *prefix)
{
    for (unsigned id = 1; id <= KDP_TEMPLATE_MAX; id++) {
        const struct kdp_record_desc *desc = kdpi_record_desc(id);

        if (desc != NULL)
            offer(prefix, desc->name);
    }
}

/* The words typed so far, the last one unfinished: "COMMAND ... PREFIX". */
int
kdp_cmd_complete(struct kdp_cli *cli)
{
    const char *const *words;
    unsigned count = kdp_cli_positional(cli, &words);
    const char *prefix = count > 0 ? words[count - 1] : "";
    const struct kdp_command *command = count > 1 ? kdp_command_find(words[0]) : NULL;
    const struct kdp_setting *setting = NULL;

    if (count <= 1 || (count == 2 && strcmp(words[0], "help") == 0)) {
        offer_commands(prefix);
        return KDP_EXIT_DONE;
    }
    if (command == NULL)
        return KDP_EXIT_DONE;
    if (strncmp(words[count - 2], "--", 2) == 0)
        setting = kdpi_setting_find(words[count - 2] + 2);
    if (setting != NULL && setting->type != KDP_SETTING_SWITCH && kdp_command_takes(command, setting)) {
        if (setting->type == KDP_SETTING_CHOICE || setting->type == KDP_SETTING_PLACE)
            offer_words(setting->choices, prefix);
        else if (strcmp(setting->name, "ticker") == 0)
            offer_tickers(words, count - 2, prefix, false);
        else if (strcmp(setting->name, "series") == 0)
            offer_tickers(words, count - 2, prefix, true);
        else if (strcmp(setting->name, "what") == 0)
            offer_words(strcmp(command->name, "backfill") == 0 ? "trades|candles|markets" : "trades|markets",
                        prefix);
        else if (strcmp(setting->name, "interval") == 0)
            offer_words(strcmp(command->name, "backfill") == 0 ? "1m|1h|1d" : "1s|1m|5m|1h|1d", prefix);
        else if (strcmp(setting->name, "types") == 0)
            offer_types(prefix);
        return KDP_EXIT_DONE;
    }
    if (strcmp(command->name, "schema") == 0)
        offer_tables(prefix);
    if (strcmp(command->name, "completion") == 0) {
        offer(prefix, "bash");
        offer(prefix, "zsh");
        offer(prefix, "fish");
    }
    if (*prefix == '-')
        offer_options(command, prefix);
    return KDP_EXIT_DONE;
}
