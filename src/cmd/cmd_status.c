/* cmd_status.c - kdp status: is all well?  Collects what status.h says, then prints it. */
#include "commands.h"
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "table.h"
#include "words.h"

#define PART_WIDTH 11
#define STATE_WIDTH 13

/* ---- collecting ---- */

void
kdp_status_line(struct kdp_status *status, const char *part, const char *state, bool bad, const char *fmt,
                ...)
{
    struct kdp_status_line *line = &status->line[status->lines];
    va_list args;

    KDP_ASSERT(status->lines < KDP_STATUS_LINES);
    status->lines++;
    status->bad |= bad;
    line->part = part;
    line->bad = bad;
    snprintf(line->state, sizeof line->state, "%s", state);
    va_start(args, fmt);
    vsnprintf(line->words, sizeof line->words, fmt, args);
    va_end(args);
}

static struct kdp_status_fact *
add_fact(struct kdp_status *status, const char *part, const char *name, enum kdp_status_kind kind)
{
    struct kdp_status_fact *fact = &status->fact[status->facts];

    KDP_ASSERT(status->facts < KDP_STATUS_FACTS);
    status->facts++;
    fact->part = part;
    fact->name = name;
    fact->list = status->list;
    fact->row = status->row;
    fact->kind = kind;
    fact->value[0] = '\0';
    return fact;
}

void
kdp_status_list(struct kdp_status *status, const char *part, const char *list)
{
    status->list = list;
    status->row = 0;
    add_fact(status, part, "", KDP_STATUS_NOTHING); /* holds its place when it stays empty */
}

void
kdp_status_row(struct kdp_status *status)
{
    status->row++;
}

void
kdp_status_list_end(struct kdp_status *status)
{
    status->list = NULL;
    status->row = 0;
}

void
kdp_status_text(struct kdp_status *status, const char *part, const char *name, const char *value)
{
    struct kdp_status_fact *fact =
        add_fact(status, part, name, value != NULL ? KDP_STATUS_TEXT : KDP_STATUS_NOTHING);

    snprintf(fact->value, sizeof fact->value, "%s", value != NULL ? value : "");
}

void
kdp_status_number(struct kdp_status *status, const char *part, const char *name, const char *fmt, ...)
{
    struct kdp_status_fact *fact = add_fact(status, part, name, KDP_STATUS_NUMBER);
    va_list args;

    va_start(args, fmt);
    vsnprintf(fact->value, sizeof fact->value, fmt, args);
    va_end(args);
}

void
kdp_status_switch(struct kdp_status *status, const char *part, const char *name, bool value)
{
    struct kdp_status_fact *fact = add_fact(status, part, name, KDP_STATUS_SWITCH);

    snprintf(fact->value, sizeof fact->value, "%s", value ? "true" : "false");
}

void
kdp_status_time(struct kdp_status *status, const char *part, const char *name, int64_t ns)
{
    char text[KDPI_TIME_TEXT];

    kdpi_time_format(text, ns, 0);
    kdp_status_text(status, part, name, text[0] != '\0' ? text : NULL);
}

/* ---- printing ---- */

/* Words wrapped under their column where the terminal is narrow; pipes get one line. */
static void
print_words(const char *words, int width)
{
    int room = width - PART_WIDTH - STATE_WIDTH;

    if (width == 0 || room < 20) {
        puts(words);
        return;
    }
    while (kdp_text_columns(words) > (size_t)room) {
        int cut = room;

        while (cut > 0 && words[cut] != ' ')
            cut--;
        if (cut == 0)
            break;
        printf("%.*s\n%*s", cut, words, PART_WIDTH + STATE_WIDTH, "");
        words += cut + 1;
    }
    puts(words);
}

static void
print_table(const struct kdp_status *status)
{
    int width = kdp_cli_width(stdout);

    for (unsigned i = 0; i < status->lines; i++) {
        const struct kdp_status_line *line = &status->line[i];
        int pad = STATE_WIDTH - (int)kdp_text_columns(line->state);

        printf("%-*s%s%s%s%*s", PART_WIDTH, line->part,
               kdp_cli_paint(status->cli, stdout, line->bad ? KDP_PAINT_ALERT : KDP_PAINT_OFF), line->state,
               kdp_cli_paint(status->cli, stdout, KDP_PAINT_OFF), pad > 0 ? pad : 1, "");
        print_words(line->words, width);
    }
}

static void
print_json_value(const struct kdp_status_fact *fact)
{
    printf("\"%s\": ", fact->name);
    if (fact->kind == KDP_STATUS_TEXT)
        kdpi_json_text(stdout, fact->value, strlen(fact->value));
    else
        fputs(fact->kind == KDP_STATUS_NOTHING ? "null" : fact->value, stdout);
}

/* The list that begins at fact i; returns the index of its last fact. */
static unsigned
print_json_list(const struct kdp_status *status, unsigned i)
{
    const char *list = status->fact[i].list;
    unsigned row = 0;

    printf("\"%s\": [", list);
    while (i + 1 < status->facts && status->fact[i + 1].list == list) {
        const struct kdp_status_fact *fact = &status->fact[++i];

        if (fact->row != row)
            printf("%s{", row != 0 ? "}, " : "");
        else
            fputs(", ", stdout);
        row = fact->row;
        print_json_value(fact);
    }
    printf("%s]", row != 0 ? "}" : "");
    return i;
}

static void
print_json(const struct kdp_status *status, int code)
{
    const char *part = "";

    putchar('{');
    for (unsigned i = 0; i < status->facts; i++) {
        const struct kdp_status_fact *fact = &status->fact[i];

        if (strcmp(part, fact->part) != 0)
            printf("%s\"%s\": {", i > 0 ? "}, " : "", fact->part);
        else
            fputs(", ", stdout);
        part = fact->part;
        if (fact->list != NULL)
            i = print_json_list(status, i);
        else
            print_json_value(fact);
    }
    printf("}, \"exit\": %d}\n", code);
}

static void
print_csv(const struct kdp_status *status)
{
    puts("part,name,value");
    for (unsigned i = 0; i < status->facts; i++) {
        const struct kdp_status_fact *fact = &status->fact[i];

        if (fact->list != NULL && fact->row == 0)
            continue;
        if (fact->list != NULL)
            printf("%s,%s.%u.%s,", fact->part, fact->list, fact->row, fact->name);
        else
            printf("%s,%s,", fact->part, fact->name);
        kdp_cli_csv_text(stdout, fact->value, strlen(fact->value));
        putchar('\n');
    }
}

static void
questdb(struct kdp_status *status)
{
    const char *host = kdp_cli_text(status->cli, "questdb-rdb-host");

    if (host == NULL)
        kdp_status_line(status, "questdb", "not set up", false, "QUESTDB_RDB_HOST is empty");
    else
        kdp_status_line(status, "questdb", "not used", false,
                        "QUESTDB_RDB_HOST is set; this version does not write to it yet");
    kdp_status_text(status, "questdb", "state", host == NULL ? "not set up" : "not used");
}

int
kdp_cmd_status(struct kdp_cli *cli)
{
    static struct kdp_status status;
    int code;

    status.cli = cli;
    kdp_status_exchange(&status);
    if (kdp_cli_interrupted() != 0)
        return kdp_cli_stopped(cli);
    kdp_status_plant(&status);
    kdp_status_stores(&status);
    questdb(&status);
    code = status.bad ? KDP_EXIT_FAILED : status.paused ? KDP_EXIT_PAUSED : KDP_EXIT_DONE;
    if (kdp_cli_format(cli) == KDP_FORMAT_JSON)
        print_json(&status, code);
    else if (kdp_cli_format(cli) == KDP_FORMAT_CSV)
        print_csv(&status);
    else
        print_table(&status);
    return code;
}
