/* cmd_config.c - kdp config: effective settings and their sources, the table of defaults, env.example. */
#include "cli_private.h"
#include "commands.h"
#include "error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX 4608

static const char *const section_titles[] = {
    "General",
    "The exchange (for live capture; recorded sessions need none of it)",
    "The plant: rings, tapes, retention",
    "QuestDB (optional; the embedded lake needs none of it)",
};

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
    kdpi_escape(buf, size, text, strlen(text));
    if (strcmp(setting->name, "private-key") == 0 || strcmp(setting->name, "ca-file") == 0) {
        size_t used = strlen(buf);

        if (stat(text, &st) != 0)
            snprintf(buf + used, size - used, " (%s)", errno == ENOENT ? "no such file" : strerror(errno));
        else
            snprintf(buf + used, size - used, " (%04o)", (unsigned)st.st_mode & 07777u);
    }
}

static void
put_row(const struct kdp_cli *cli, const struct kdp_setting *setting, size_t name_width, size_t value_width,
        bool first)
{
    char value[VALUE_MAX], origin[VALUE_MAX];

    shown_value(cli, setting, value, sizeof value);
    kdpi_settings_origin(cli->settings, setting, origin, sizeof origin);
    switch (kdp_cli_format(cli)) {
    case KDP_FORMAT_TABLE:
        printf("%-*s  %-*s  %s\n", (int)name_width, setting->name, (int)value_width,
               *value != '\0' ? value : "-", origin);
        break;
    case KDP_FORMAT_CSV:
        kdp_cli_csv_text(stdout, setting->name, strlen(setting->name));
        putchar(',');
        kdp_cli_csv_text(stdout, value, strlen(value));
        putchar(',');
        kdp_cli_csv_text(stdout, origin, strlen(origin));
        putchar('\n');
        break;
    case KDP_FORMAT_JSON:
        printf("%s\n  {\"setting\": ", first ? "" : ",");
        kdp_cli_json_text(stdout, setting->name, strlen(setting->name));
        printf(", \"value\": ");
        if (*value != '\0')
            kdp_cli_json_text(stdout, value, strlen(value));
        else
            printf("null");
        printf(", \"from\": ");
        kdp_cli_json_text(stdout, origin, strlen(origin));
        putchar('}');
        break;
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
    enum kdp_format format = kdp_cli_format(cli);
    size_t name_width = strlen("SETTING"), value_width = strlen("VALUE");
    unsigned shown = 0, hidden = 0;
    const struct kdp_setting *setting;
    char value[VALUE_MAX];

    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (!is_shown(cli, setting, all))
            continue;
        shown_value(cli, setting, value, sizeof value);
        if (strlen(setting->name) > name_width)
            name_width = strlen(setting->name);
        if (strlen(value) > value_width)
            value_width = strlen(value);
    }
    if (format == KDP_FORMAT_TABLE)
        printf("%-*s  %-*s  %s\n", (int)name_width, "SETTING", (int)value_width, "VALUE", "FROM");
    else
        printf(format == KDP_FORMAT_CSV ? "setting,value,from\n" : "[");
    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (is_shown(cli, setting, all))
            put_row(cli, setting, name_width, value_width, shown++ == 0);
        else if (setting->env != NULL)
            hidden++;
    }
    if (format == KDP_FORMAT_JSON)
        printf("%s]\n", shown > 0 ? "\n" : "");
    if (hidden > 0)
        kdp_cli_say(cli, "%u more at their defaults: kdp config --all", hidden);
    return KDP_EXIT_DONE;
}

/* The table as it is built in, whatever the environment says. */
static int
defaults(const struct kdp_cli *cli)
{
    enum kdp_format format = kdp_cli_format(cli);
    const struct kdp_setting *setting;
    bool first = true;

    if (format == KDP_FORMAT_TABLE)
        printf("%-17s %-24s %s\n", "SETTING", "VARIABLE", "DEFAULT");
    else
        printf(format == KDP_FORMAT_CSV ? "setting,variable,default,about\n" : "[");
    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        const char *fallback = setting->fallback != NULL ? setting->fallback : "";

        if (setting->env == NULL)
            continue;
        if (format == KDP_FORMAT_TABLE) {
            printf("%-17s %-24s %s\n", setting->name, setting->env, *fallback != '\0' ? fallback : "-");
        } else if (format == KDP_FORMAT_CSV) {
            printf("%s,%s,", setting->name, setting->env);
            kdp_cli_csv_text(stdout, fallback, strlen(fallback));
            putchar(',');
            kdp_cli_csv_text(stdout, setting->about, strlen(setting->about));
            putchar('\n');
        } else {
            printf("%s\n  {\"setting\": \"%s\", \"variable\": \"%s\", \"default\": ", first ? "" : ",",
                   setting->name, setting->env);
            if (*fallback != '\0')
                kdp_cli_json_text(stdout, fallback, strlen(fallback));
            else
                printf("null");
            printf(", \"about\": ");
            kdp_cli_json_text(stdout, setting->about, strlen(setting->about));
            putchar('}');
            first = false;
        }
    }
    if (format == KDP_FORMAT_JSON)
        printf("\n]\n");
    return KDP_EXIT_DONE;
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

static int
check(const struct kdp_cli *cli)
{
    unsigned given = 0, total = 0;
    const struct kdp_setting *setting;

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
