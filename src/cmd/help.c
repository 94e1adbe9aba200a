/* help.c - the help pages, drawn from the rows; 80 columns, one screen. */
#include "cli_private.h"
#include "error.h"
#include "kdp/version.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH 80
#define LABEL 9 /* columns of the label at the left */
#define NAME_WIDTH 11
#define SECOND 46 /* where the second command of a line begins */
#define FLAG_WIDTH 20

static const char *const groups[] = {"look", "capture", "ask", "history", "tend"};

/* The old names, so that a habit of the tools before finds its way. */
static const struct {
    const char *old, *now;
} renamed[] = {
    {"public_demo", "demo"},
    {"market_data_recorder", "record"},
    {"historical_fetcher", "backfill"},
    {"market_data_preview", "preview"},
    {"recorder", "record"},
    {"ticker_plant", "run"},
    {"fetcher", "backfill"},
    {"previewer", "preview"},
    {"subscriber", "tap"},
    {"sql", "query"},
    {"orderbook", "book"},
    {"candles", "ohlc"},
    {"bars", "ohlc"},
    {"generate", "gen"},
    {"settings", "config"},
    {"play", "replay"},
    {"tail", "tap"},
};

/* Commands that other pages and tools name already; each is forgotten here by having a row in commands[]. */
static const char *const planned[] = {"demo",     "market",  "status", "top",    "run",  "record", "sim",
                                      "backfill", "preview", "eod",    "verify", "feed", "export", "bench"};

/* A row of the settings is shared by all commands that take it; where a command makes less or something else of it, its help
 * has words of its own (unit NULL: the row's). */
static const struct {
    const char *command, *setting, *unit, *about;
} own_words[] = {
    {"demo", "series", NULL, "of this series the open event that closes first"},
    {"demo", "event", NULL, "this event, open or not"},
    {"demo", "ticker", "T", "the event of this market, and its book and trades"},
    {"demo", "depth", NULL, "levels a side: 5 in the ladder, all in json"},
    {"demo", "limit", NULL, "last trades: 5 on the page, 100 in json"},
    {"market", "ticker", "T", "the market, written out"},
    {"market", "at", NULL, "the terms in force at a time (UTC)"},
    {"ohlc", "ticker", "T", "the market, written out"},
    {"book", "ticker", "T", "the market, written out"},
    {"backfill", "all", NULL, "every market there is"},
    {"backfill", "what", NULL, "of trades,candles,markets (their terms)"},
    {"backfill", "interval", NULL, "of the candles of --what: 1m, 1h or 1d"},
    {"backfill", "read-tokens", NULL, "instead of the account's: a request takes 10"},
    {"backfill", "format", NULL, "of the report: table, csv or json"},
    {"preview", "date", NULL, "the exchange's file of a day; that day of a file"},
    {"preview", "what", NULL, "which file of --date: trades or markets"},
    {"preview", "limit", NULL, "rows shown; csv and json: all"},
    {"preview", "columns", NULL, "members to show, in this order"},
    {"sim", "input", NULL, "a recording to serve; may be repeated"},
    {"sim", "seed", NULL, "the same seed makes the same exchange"},
    {"sim", "format", NULL, "json: the first line as an object"},
    {"config", "all", NULL, "those at their defaults too"},
};

static void
spaces(FILE *out, size_t count)
{
    for (; count > 0; count--)
        fputc(' ', out);
}

void
kdp_help_main(FILE *out)
{
    const char *title = "kdp " KDP_VERSION ": market data of the Kalshi exchange.";
    static const char *const shown[] = {"demo", "query"}; /* their first examples */
    const struct kdp_command *command;

    fprintf(out, "%s", title);
    spaces(out, WIDTH - strlen(title) - strlen("usage: kdp COMMAND [options]"));
    fputs("usage: kdp COMMAND [options]\n", out);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        size_t column = 0; /* 0: nothing of this group printed yet */

        for (size_t i = 0; (command = kdp_command_at(i)) != NULL; i++) {
            size_t need = NAME_WIDTH + strlen(command->summary);

            if (command->group == NULL || strcmp(command->group, groups[g]) != 0)
                continue;
            if (column == 0) {
                fprintf(out, "%-*s", LABEL, groups[g]);
            } else if (column < SECOND && SECOND + need <= WIDTH) { /* the second of two on a line */
                spaces(out, SECOND - column);
                fprintf(out, "%-*s%s", NAME_WIDTH, command->name, command->summary);
                column = WIDTH;
                continue;
            } else {
                fputc('\n', out);
                spaces(out, LABEL);
            }
            fprintf(out, "%-*s%s", NAME_WIDTH, command->name, command->summary);
            column = LABEL + need;
        }
        if (column > 0)
            fputc('\n', out);
    }
    fputs("help     kdp help COMMAND, kdp COMMAND -h, man kdp\n", out);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        command = kdp_command_find(shown[i]);
        if (command != NULL)
            fprintf(out, "  %.*s\n", (int)strcspn(command->examples, "\n"), command->examples);
    }
}

/* Prints text from column at on, wrapped at width 80, further lines beginning at column at. */
static size_t
wrap(FILE *out, const char *text, size_t at, size_t column)
{
    while (*text != '\0') {
        size_t len = strcspn(text, " "), gap = strspn(text + len, " ");

        if (column > at && column + 1 + len > WIDTH) {
            fputc('\n', out);
            spaces(out, at);
            column = at;
        } else if (column > at) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, len, out);
        column += len;
        text += len + gap;
    }
    return column;
}

static void
help_option(FILE *out, const char *command, const char *label, const struct kdp_setting *setting,
            const struct kdp_setting_word *word)
{
    char flag[64], about[256], fallback[128] = "";
    const char *value = word->has_fallback ? word->fallback : setting->fallback;
    const char *unit = setting->unit, *words = setting->about;
    size_t column;

    for (size_t i = 0; i < sizeof own_words / sizeof *own_words; i++) {
        if (strcmp(own_words[i].command, command) == 0 && strcmp(own_words[i].setting, setting->name) == 0) {
            unit = own_words[i].unit != NULL ? own_words[i].unit : unit;
            words = own_words[i].about;
        }
    }
    if (setting->type == KDP_SETTING_SWITCH && value != NULL && strcmp(value, "yes") == 0)
        snprintf(flag, sizeof flag, "--no-%s", setting->name);
    else
        snprintf(flag, sizeof flag, "--%s%s%s", setting->name, unit != NULL ? " " : "",
                 unit != NULL ? unit : "");
    if (setting->type != KDP_SETTING_SWITCH && value != NULL && *value != '\0')
        snprintf(fallback, sizeof fallback, "[%s]", value);
    snprintf(about, sizeof about, "%s%s%s%s",
             setting->type == KDP_SETTING_SWITCH && flag[2] == 'n' && flag[3] == 'o' && flag[4] == '-'
                 ? "do not "
                 : "",
             words, setting->env != NULL ? "; " : "", setting->env != NULL ? setting->env : "");
    fprintf(out, "%-*s%-*s", LABEL, label, FLAG_WIDTH - 1, flag);
    if (strlen(flag) > FLAG_WIDTH - 1 &&
        LABEL + strlen(flag) + 1 + strlen(about) + strlen(fallback) < WIDTH) {
        column = LABEL + strlen(flag) + 1 + strlen(about); /* it has room behind the long flag */
        fprintf(out, " %s%*s%s\n", about, (int)(*fallback != '\0' ? WIDTH - column - strlen(fallback) : 0),
                "", fallback);
        return;
    }
    if (strlen(flag) > FLAG_WIDTH - 1) {
        fputc('\n', out);
        spaces(out, LABEL + FLAG_WIDTH);
    } else {
        fputc(' ', out);
    }
    column = wrap(out, about, LABEL + FLAG_WIDTH, LABEL + FLAG_WIDTH);
    if (*fallback != '\0') {
        if (column + 1 + strlen(fallback) > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        spaces(out, WIDTH - column - strlen(fallback));
        fputs(fallback, out);
    }
    fputc('\n', out);
}

void
kdp_help_command(FILE *out, const struct kdp_command *command)
{
    struct kdp_setting_word word = {0};
    const char *at = command->settings, *p;
    char block[sizeof word.block] = "";
    size_t column;

    fputs("usage: kdp ", out);
    wrap(out, command->usage, 11, 11);
    fputc('\n', out);
    for (p = command->about; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
        char line[512];
        size_t len = strcspn(p, "\n");

        KDP_ASSERT(len < sizeof line);
        memcpy(line, p, len);
        line[len] = '\0';
        wrap(out, line, 0, 0);
        fputc('\n', out);
    }
    while (kdp_setting_word_next(&at, &word)) {
        const struct kdp_setting *setting = kdpi_setting_find(word.name);
        bool first = strcmp(block, word.block) != 0;

        KDP_ASSERT(setting != NULL);
        memcpy(block, word.block, sizeof block);
        help_option(out, command->name, first ? block : "", setting, &word);
    }
    fputs("common   ", out);
    column = wrap(out, "--quiet, --color WHEN, --log-level L, --log-file FILE, --env-file FILE: see man kdp",
                  LABEL, LABEL);
    fprintf(out, "%sexit     ", column > 0 ? "\n" : "");
    wrap(out, command->exits != NULL ? command->exits : "0 done, 1 failed, 2 usage or settings", LABEL,
         LABEL);
    fputc('\n', out);
    for (p = command->examples; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n')
        fprintf(out, "  %.*s\n", (int)strcspn(p, "\n"), p);
}

int
kdp_unknown_command(const char *name)
{
    const struct kdp_command *command;
    const char *best = NULL, *later = NULL;
    unsigned least = 1000;
    char shown[160];
    int rc;

    if (strncmp(name, "tools.", 6) == 0)
        name += 6;
    for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++) {
        if (strcmp(name, planned[i]) == 0 && kdp_command_find(name) == NULL)
            later = planned[i];
    }
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        if (kdpi_word_distance(name, renamed[i].old) > 1)
            continue;
        if (kdp_command_find(renamed[i].now) != NULL)
            best = renamed[i].now;
        else
            later = renamed[i].now;
    }
    for (size_t i = 0; best == NULL && later == NULL && (command = kdp_command_at(i)) != NULL; i++) {
        unsigned distance = kdpi_word_distance(name, command->name);

        if (command->group != NULL && distance < least && kdpi_word_near(name, command->name, distance))
            least = distance;
    }
    for (size_t i = 0; best == NULL && least < 1000 && (command = kdp_command_at(i)) != NULL; i++) {
        if (command->group != NULL && kdpi_word_distance(name, command->name) == least)
            best = command->name;
    }
    kdpi_escape(shown, sizeof shown, name, strlen(name));
    rc = kdpi_fail(KDP_EUSAGE, "no command %s", shown);
    if (best != NULL)
        kdpi_hint("Did you mean kdp %s?", best);
    else if (later != NULL)
        kdpi_hint("kdp %s comes with a later version; kdp -h lists what this one has", later);
    else
        kdpi_hint("kdp -h lists the commands");
    return kdp_cli_error(NULL, rc);
}
