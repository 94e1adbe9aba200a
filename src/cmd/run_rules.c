/* run_rules.c - see run_rules.h.  The file is read like a .env: NAME=VALUE lines, a comma between values, # for comments. */
#include "run_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "decimal.h"
#include "envfile.h"
#include "error.h"

struct reading {
    struct kdp_run_rules *rules;
    const char *path;
};

static int
add(struct kdp_run_list *list, const char *text, size_t len, const char *kind)
{
    char **grown;

    if (len == 0)
        return 0;
    if (list->count >= KDP_RUN_RULES_MAX)
        return kdpi_fail(KDP_EUSAGE, "more than %u rules by %s", KDP_RUN_RULES_MAX, kind);
    grown = realloc(list->texts, (list->count + 1u) * sizeof *grown);
    if (grown == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the rules");
    list->texts = grown;
    grown[list->count] = strndup(text, len);
    if (grown[list->count] == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the rules");
    list->count++;
    return 0;
}

static int
add_words(struct kdp_run_list *list, const char *text, const char *kind)
{
    int rc = 0;

    while (rc == 0 && *text != '\0') {
        size_t skip = strspn(text, ", \t"), len = strcspn(text + skip, ", \t");

        rc = add(list, text + skip, len, kind);
        text += skip + len;
    }
    return rc;
}

static int
each_line(void *arg, const char *key, const char *value, unsigned line)
{
    struct reading *reading = arg;
    struct kdp_run_rules *rules = reading->rules;

    if (strcasecmp(key, "series") == 0)
        return add_words(&rules->series, value, key);
    if (strcasecmp(key, "event") == 0)
        return add_words(&rules->events, value, key);
    if (strcasecmp(key, "ticker") == 0)
        return add_words(&rules->tickers, value, key);
    if (strcasecmp(key, "min_volume") == 0) {
        if (kdpi_decimal_parse(value, strlen(value), 2, &rules->rules.min_volume_e2) == KDP_DECIMAL_OK &&
            rules->rules.min_volume_e2 >= 0)
            return 0;
        kdpi_fail(KDP_EUSAGE, "%s line %u: min_volume \"%s\" is not a number of contracts", reading->path,
                  line, value);
        kdpi_hint("For example min_volume=1000");
        return -KDP_EUSAGE;
    }
    if (strcasecmp(key, "combos") == 0) {
        bool yes = strcasecmp(value, "yes") == 0;

        if (yes || strcasecmp(value, "no") == 0) {
            rules->rules.combos = yes;
            return 0;
        }
        return kdpi_fail(KDP_EUSAGE, "%s line %u: combos \"%s\" is not yes or no", reading->path, line,
                         value);
    }
    kdpi_fail(KDP_EUSAGE, "%s line %u: no rule %s", reading->path, line, key);
    kdpi_hint("Rules are series, event, ticker, min_volume and combos");
    return -KDP_EUSAGE;
}

static int
take_option(struct kdp_run_list *list, const struct kdp_cli *cli, const char *name)
{
    const char *const *values;
    unsigned count = kdp_cli_list(cli, name, &values);
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = add(list, values[i], strlen(values[i]), name);
    return rc;
}

int
kdp_run_rules_read(struct kdp_run_rules *out, const struct kdp_cli *cli)
{
    struct kdp_run_rules made = {0};
    struct reading reading = {.rules = &made, .path = kdp_cli_text(cli, "rules")};
    int rc = 0;

    if (reading.path != NULL && access(reading.path, R_OK) != 0)
        return kdpi_fail(KDP_EUSAGE, "cannot read the rules: %s: %s", reading.path, strerror(errno));
    if (reading.path != NULL)
        rc = kdpi_envfile_read(reading.path, each_line, &reading);
    if (rc == 0)
        rc = take_option(&made.series, cli, "series");
    if (rc == 0)
        rc = take_option(&made.events, cli, "event");
    if (rc == 0)
        rc = take_option(&made.tickers, cli, "ticker");
    if (rc != 0) {
        kdp_run_rules_release(&made);
        return rc;
    }
    if (kdp_cli_given(cli, "min-volume"))
        made.rules.min_volume_e2 = kdp_cli_count(cli, "min-volume") * 100;
    if (kdp_cli_given(cli, "combos"))
        made.rules.combos = kdp_cli_switch(cli, "combos");
    made.rules.series = (const char *const *)made.series.texts;
    made.rules.series_count = made.series.count;
    made.rules.events = (const char *const *)made.events.texts;
    made.rules.event_count = made.events.count;
    made.rules.tickers = (const char *const *)made.tickers.texts;
    made.rules.ticker_count = made.tickers.count;
    *out = made;
    return 0;
}

static void
release(struct kdp_run_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        free(list->texts[i]);
    free(list->texts);
}

void
kdp_run_rules_release(struct kdp_run_rules *rules)
{
    release(&rules->series);
    release(&rules->events);
    release(&rules->tickers);
    *rules = (struct kdp_run_rules){0};
}
