/* cmd_config.c - kdp config: effective settings and their sources, the table of defaults, env.example. */
#include "cli_private.h"
#include "commands.h"
#include "envfile.h"
#include "error.h"
#include "sign.h"
#include "table.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX 4608

static const char *const section_titles[] = {
    "General",
    "The exchange (a live run needs the key; replay and the simulator do not)",
    "The plant: rings, tapes, retention",
    "QuestDB (optional; this version does not write to it yet)",
};

/* https://name:password@host is shown as https://host. */
static void
hide_userinfo(char *url)
{
    char *host = strstr(url, "://"), *stop, *at = NULL;

    if (host == NULL)
        return;
    host += 3;
    stop = host + strcspn(host, "/?#");
    for (char *p = host; p < stop; p++)
        at = *p == '@' ? p : at;
    if (at != NULL)
        memmove(host, at + 1, strlen(at + 1) + 1);
}

/* What a person may see of a value: secrets never, a key file with its permissions. */
static void
shown_value(const struct kdp_cli *cli, const struct kdp_setting *setting, char *buf, size_t size)
{
    const char *text = kdpi_settings_text(cli->settings, setting);
    struct stat st;

    if (text == NULL) {
        snprintf(buf, size, "%s", "");
        return;
    }
    if (setting->type == KDP_SETTING_SECRET) {
        snprintf(buf, size, "set, not shown");
        return;
    }
    if (strcmp(setting->name, "private-key") == 0 && kdp_signer_is_key(text)) {
        snprintf(buf, size, "a key, not the name of a file: not shown");
        return;
    }
    kdpi_escape(buf, size, text, strlen(text));
    if (setting->type == KDP_SETTING_URL)
        hide_userinfo(buf);
    if (strcmp(setting->name, "private-key") == 0 || strcmp(setting->name, "ca-file") == 0) {
        size_t used = strlen(buf);

        if (stat(text, &st) != 0)
            snprintf(buf + used, size - used, " (%s)", errno == ENOENT ? "no such file" : strerror(errno));
        else
            snprintf(buf + used, size - used, " (%04o)", (unsigned)st.st_mode & 07777u);
    }
}

static bool
is_shown(const struct kdp_cli *cli, const struct kdp_setting *setting, bool all)
{
    return setting->env != NULL && (all || kdpi_settings_given(cli->settings, setting));
}

static int
effective(const struct kdp_cli *cli, bool all)
{
    struct kdp_table *table = kdp_table_new(stdout, kdp_cli_format(cli));
    char value[VALUE_MAX], origin[VALUE_MAX];
    const struct kdp_setting *setting;
    unsigned hidden = 0;

    kdp_table_column(table, "SETTING", "setting", KDP_COLUMN_TEXT);
    kdp_table_column(table, "VALUE", "value", KDP_COLUMN_TEXT);
    kdp_table_column(table, "FROM", "from", KDP_COLUMN_TEXT);
    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (!is_shown(cli, setting, all)) {
            hidden += setting->env != NULL;
            continue;
        }
        shown_value(cli, setting, value, sizeof value);
        kdpi_settings_origin(cli->settings, setting, origin, sizeof origin);
        kdp_table_cell(table, setting->name, NULL);
        kdp_table_cell(table, *value != '\0' ? value : NULL, NULL);
        kdp_table_cell(table, origin, NULL);
    }
    if (kdp_table_end(table) != 0)
        return kdp_cli_error(cli, -KDP_ENOMEM);
    if (hidden > 0)
        kdp_cli_say(cli, "%u more at their defaults: kdp config --all", hidden);
    return KDP_EXIT_DONE;
}

/* The table as it is built in, whatever the environment says. */
static int
defaults(const struct kdp_cli *cli)
{
    struct kdp_table *table = kdp_table_new(stdout, kdp_cli_format(cli));
    const struct kdp_setting *setting;

    kdp_table_column(table, "SETTING", "setting", KDP_COLUMN_TEXT);
    kdp_table_column(table, "VARIABLE", "variable", KDP_COLUMN_TEXT);
    kdp_table_column(table, "DEFAULT", "default", KDP_COLUMN_TEXT);
    if (kdp_cli_format(cli) != KDP_FORMAT_TABLE)
        kdp_table_column(table, "ABOUT", "about", KDP_COLUMN_TEXT);
    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (setting->env == NULL)
            continue;
        kdp_table_cell(table, setting->name, NULL);
        kdp_table_cell(table, setting->env, NULL);
        kdp_table_cell(table, setting->fallback, NULL);
        if (kdp_cli_format(cli) != KDP_FORMAT_TABLE)
            kdp_table_cell(table, setting->about, NULL);
    }
    return kdp_table_end(table) != 0 ? kdp_cli_error(cli, -KDP_ENOMEM) : KDP_EXIT_DONE;
}

static int
env_example(void)
{
    const struct kdp_setting *setting;

    printf(
        "# Settings of kdp.  Copy this file to .env and fill in what you need; all of it is optional.\n"
        "# Options win over the environment, the environment over this file; kdp config shows what holds.\n"
        "# Written by kdp config --env-example.\n");
    for (unsigned section = 0; section < KDP_SECTION_COMMAND; section++) {
        printf("\n# %s\n", section_titles[section]);
        for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
            const char *fallback = setting->fallback != NULL ? setting->fallback : "";

            if (setting->env == NULL || setting->section != (enum kdp_setting_section)section)
                continue;
            printf("# %s (--%s)\n", setting->about, setting->name);
            /* a default stands as a comment, so that a later version's default is not frozen by a copy of
             * this file */
            printf("%s%s=%s\n", *fallback != '\0' ? "#" : "", setting->env, fallback);
        }
    }
    return KDP_EXIT_DONE;
}

struct slips {
    const struct kdp_cli *cli;
    const char *file;
};

/* A variable that is none of ours may be another program's, unless it is a slip away from one of ours. */
static int
look_for_slip(void *arg, const char *key, const char *value, unsigned line)
{
    const struct slips *slips = arg;
    const char *near = kdpi_setting_nearest_env(key);
    char hint[128];

    (void)value;
    if (near == NULL || strcmp(near, key) == 0)
        return 0;
    snprintf(hint, sizeof hint, "Did you mean %s?", near);
    kdp_cli_warning(slips->cli, hint, "%s line %u: no setting %s", slips->file, line, key);
    return 0;
}

static int
check(const struct kdp_cli *cli)
{
    struct slips slips = {cli, kdp_cli_text(cli, "env-file")};
    unsigned given = 0, total = 0;
    const struct kdp_setting *setting;

    /* the file has been read once without an error; that it may be absent is no error here either */
    (void)kdpi_envfile_read(slips.file, look_for_slip, &slips);

    /* a value that does not fit has ended the process already: kdp config takes, and so checks, every setting
     */
    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        total += setting->env != NULL;
        given += setting->env != NULL && kdpi_settings_given(cli->settings, setting);
    }
    printf("settings   all fit: %u given, %u at their defaults\n", given, total - given);
    return KDP_EXIT_DONE;
}

int
kdp_cmd_config(struct kdp_cli *cli)
{
    bool all = kdp_cli_switch(cli, "all"), table = kdp_cli_switch(cli, "defaults"),
         only_check = kdp_cli_switch(cli, "check");
    bool example = kdp_cli_switch(cli, "env-example");

    if (all + table + only_check + example > 1)
        return kdp_cli_usage(cli, NULL, "--all, --defaults, --check and --env-example exclude each other");
    if (example)
        return env_example();
    if (only_check)
        return check(cli);
    return table ? defaults(cli) : effective(cli, all);
}
