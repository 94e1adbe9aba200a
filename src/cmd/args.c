/* args.c - from argv to settings: options by the command's row, "Did you mean" for the rest. */
#include "cli_private.h"
#include "clock.h"
#include "error.h"
#include "log.h"
#include "words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
kdp_setting_word_next(const char **at, struct kdp_setting_word *word)
{
    const char *p = *at;
    size_t len, name_len;

    for (;;) {
        p += strspn(p, " |");
        len = strcspn(p, " |");
        if (len == 0)
            return false;
        if (p[len - 1] != ':')
            break;
        KDP_ASSERT(len <= sizeof word->block);
        memcpy(word->block, p, len - 1);
        word->block[len - 1] = '\0';
        p += len;
    }
    *at = p + len;
    word->required = *p == '*';
    if (word->required) {
        p++;
        len--;
    }
    name_len = strcspn(p, "= |");
    word->has_fallback = name_len < len;
    KDP_ASSERT(name_len < sizeof word->name && len - name_len < sizeof word->fallback);
    memcpy(word->name, p, name_len);
    word->name[name_len] = '\0';
    word->fallback[0] = '\0';
    if (word->has_fallback) {
        memcpy(word->fallback, p + name_len + 1, len - name_len - 1);
        word->fallback[len - name_len - 1] = '\0';
    }
    return true;
}

static bool
listed(const char *list, const char *name)
{
    struct kdp_setting_word word = {0};

    while (kdp_setting_word_next(&list, &word)) {
        if (strcmp(word.name, name) == 0)
            return true;
    }
    return false;
}

bool
kdp_command_takes(const struct kdp_command *command, const struct kdp_setting *setting)
{
    if (listed(command->settings, setting->name) || listed(KDP_COMMON_SETTINGS, setting->name))
        return true;
    return setting->env != NULL && strcmp(command->name, "config") == 0;
}

/* ---- words that are not options ----------------------------------------------------------------- */

/* What other tools call it; looked up before the distance, since "symbol" is far from "ticker". */
static const struct {
    const char *word, *option;
} synonyms[] = {
    {"symbol", "ticker"},
    {"symbols", "ticker"},
    {"market", "ticker"},
    {"tickers", "ticker"},
    {"instrument", "ticker"},
    {"file", "input"},
    {"feed-file", "input"},
    {"dir", "data"},
    {"data-dir", "data"},
    {"db", "data"},
    {"since", "start"},
    {"begin", "start"},
    {"start-date", "start"},
    {"end-date", "end"},
    {"until", "end"},
    {"time", "at"},
    {"out", "output"},
    {"duration", "seconds"},
    {"timeout", "seconds"},
    {"levels", "depth"},
    {"rows", "limit"},
    {"max-rows", "limit"},
    {"csv", "format csv"},
    {"json", "format json"},
    {"verbose", "log-level debug"},
    {"debug", "log-level debug"},
    {"silent", "quiet"},
    {"url", "base-url"},
    {"key", "api-key"},
    {"key-file", "private-key"},
    {"colour", "color"},
    {"resolution", "interval"},
    {"bar", "interval"},
    {"fields", "columns"},
    {"type", "types"},
    {"count", "limit"},
};

static const char *
nearest_option(const struct kdp_command *command, const char *typed)
{
    const struct kdp_setting *setting;
    const char *best = NULL;
    unsigned least = 1000;

    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        char name[48] = "";

        memcpy(name, synonyms[i].option, strcspn(synonyms[i].option, " "));
        setting = kdpi_setting_find(name);
        if (kdpi_word_distance(typed, synonyms[i].word) == 0 && setting != NULL &&
            kdp_command_takes(command, setting))
            return synonyms[i].option;
    }
    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        unsigned distance = kdpi_word_distance(typed, setting->name);

        if (kdp_command_takes(command, setting) && distance < least &&
            kdpi_word_near(typed, setting->name, distance)) {
            least = distance;
            best = setting->name;
        }
    }
    return best;
}

static int
unknown_option(const struct kdp_cli *cli, const char *typed, size_t len)
{
    const struct kdp_command *command = cli->command;
    char name[64] = "", shown[160];
    const char *nearest;
    int rc;

    memcpy(name, typed, len < sizeof name ? len : sizeof name - 1);
    kdpi_escape(shown, sizeof shown, name, strlen(name));
    nearest = nearest_option(command, name[0] == '-' ? name + (name[1] == '-' ? 2 : 1) : name);
    rc = kdpi_fail(KDP_EUSAGE, "no option %s in kdp %s", shown, command->name);
    if (nearest != NULL)
        kdpi_hint("Did you mean --%s? kdp help %s", nearest, command->name);
    else
        kdpi_hint("kdp help %s lists its options", command->name);
    return kdp_cli_error(cli, rc);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static int
take_option(struct kdp_cli *cli, char **argv, int argc, int *ip)
{
    const char *arg = argv[*ip], *name = arg + 2, *equals = strchr(name, '='), *value;
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct kdp_setting *setting = NULL;
    bool off = false;
    char word[64];
    int rc;

    if (len > 0 && len < sizeof word) {
        memcpy(word, name, len);
        word[len] = '\0';
        setting = kdpi_setting_find(word);
        if (setting == NULL && strncmp(word, "no-", 3) == 0) {
            setting = kdpi_setting_find(word + 3);
            off = setting != NULL && setting->type == KDP_SETTING_SWITCH;
            if (!off)
                setting = NULL;
        }
    }
    if (setting == NULL || !kdp_command_takes(cli->command, setting))
        return unknown_option(cli, arg, len + 2);
    if (setting->type == KDP_SETTING_SWITCH) {
        if (equals != NULL)
            return kdp_cli_usage(cli, NULL, "--%s takes no value", word);
        value = off ? "no" : "yes";
    } else if (equals != NULL) {
        value = equals + 1;
    } else if (*ip + 1 < argc) {
        value = argv[++*ip];
    } else {
        return kdp_cli_usage(cli, NULL, "--%s needs a value: --%s %s", word, word,
                             setting->unit != NULL ? setting->unit : "VALUE");
    }
    rc = kdpi_settings_flag(cli->settings, setting, value);
    return rc != 0 ? kdp_cli_error(cli, rc) : 0;
}

static bool
is_help(const char *arg)
{
    return strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0;
}

int
kdp_args_read(struct kdp_cli *cli, int argc, char **argv)
{
    const struct kdp_command *command = cli->command;
    const char *at = command->settings;
    struct kdp_setting_word word = {0};
    bool options = true;
    int rc;

    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i])) {
            cli->help = true;
            return 0;
        }
    }
    cli->positional = calloc((size_t)argc + 1, sizeof *cli->positional);
    if (cli->positional == NULL)
        return kdp_cli_error(cli, kdpi_fail(KDP_ENOMEM, "out of memory"));
    while (kdp_setting_word_next(&at, &word)) {
        const struct kdp_setting *setting = kdpi_setting_find(word.name);

        KDP_ASSERT(setting != NULL);
        rc = word.has_fallback ? kdpi_settings_default(cli->settings, setting, word.fallback) : 0;
        if (rc != 0)
            return kdp_cli_error(cli, rc);
    }
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] == '-') {
            rc = take_option(cli, argv, argc, &i);
            if (rc != 0)
                return rc;
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            return unknown_option(cli, argv[i], strlen(argv[i]));
        } else {
            cli->positional[cli->positional_count++] = argv[i];
        }
    }
    return 0;
}

static int
check_required(const struct kdp_cli *cli)
{
    const struct kdp_command *command = cli->command;
    const char *at = command->settings;
    struct kdp_setting_word word = {0};

    while (kdp_setting_word_next(&at, &word)) {
        const struct kdp_setting *setting = kdpi_setting_find(word.name);

        if (word.required && !kdpi_settings_given(cli->settings, setting))
            return kdp_cli_usage(cli, NULL, "kdp %s needs --%s %s", command->name, word.name,
                                 setting->unit != NULL ? setting->unit : "");
    }
    if (cli->positional_count < (unsigned)command->positional_min)
        return kdp_cli_usage(cli, NULL, "too few arguments: kdp %s", command->usage);
    if (cli->positional_count > (unsigned)command->positional_max) {
        char shown[160];
        const char *extra = cli->positional[command->positional_max];

        kdpi_escape(shown, sizeof shown, extra, strlen(extra));
        return kdp_cli_usage(cli, NULL, "one argument too many: \"%s\"", shown);
    }
    return 0;
}

/* Lines of a log are no conversation: on a terminal they go beside the data, if there is a data folder yet.
 */
static void
open_log(const struct kdp_cli *cli)
{
    const struct kdp_setting *data = kdpi_setting_find("data"), *file = kdpi_setting_find("log-file");
    const char *path = kdpi_settings_text(cli->settings, file);
    const char *level = kdpi_settings_text(cli->settings, kdpi_setting_find("log-level"));
    char beside[4096];

    if (path != NULL && strcmp(path, "-") == 0) {
        path = NULL;
    } else if (path == NULL && isatty(STDERR_FILENO) && kdp_command_takes(cli->command, data)) {
        const char *dir = kdpi_settings_text(cli->settings, data);

        if (dir != NULL && access(dir, W_OK | X_OK) == 0 &&
            snprintf(beside, sizeof beside, "%s/log", dir) < (int)sizeof beside)
            path = beside;
    }
    kdpi_log_open(path, level != NULL ? (enum kdp_log_level)kdpi_log_level(level) : KDP_LOG_WARNING);
}

int
kdp_args_settle(struct kdp_cli *cli)
{
    const struct kdp_setting *env_file = kdpi_setting_find("env-file"), *setting;
    int rc;

    rc = kdpi_settings_check(cli->settings, env_file);
    if (rc == 0)
        rc = kdpi_settings_env_file(cli->settings, kdpi_settings_text(cli->settings, env_file),
                                    kdpi_settings_given(cli->settings, env_file));
    if (rc == -KDP_ENOENT || rc == -KDP_EACCESS || rc == -KDP_EIO)
        rc = -KDP_EUSAGE; /* the settings are wrong before anything was tried */
    if (rc == 0)
        rc = kdpi_settings_environment(cli->settings);
    for (size_t i = 0; rc == 0 && (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (kdp_command_takes(cli->command, setting))
            rc = kdpi_settings_check(cli->settings, setting);
    }
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    rc = check_required(cli);
    if (rc == 0)
        open_log(cli);
    return rc;
}
