/* setting.h - the one table of settings: flags, environment, .env, env.example, kdp config, help and docs come from it.
 *
 * Order of strength: flag, environment variable, .env (--env-file F, default ./.env when present), default.  The table is in
 * setting_table.c; a row's flag name is its name ("base-url" is --base-url).  Values are kept as text with where they came
 * from; typed getters check nothing any more, since kdpi_settings_check has refused what does not fit.  An empty value in
 * the environment or .env counts as not given. */
#ifndef KDPI_SETTING_H
#define KDPI_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kdp_setting_type {
    KDP_SETTING_TEXT,
    KDP_SETTING_PATH,
    KDP_SETTING_URL,
    KDP_SETTING_SECRET,
    KDP_SETTING_COUNT,  /* a whole number */
    KDP_SETTING_BYTES,  /* 64M, 2G, 1.5GB (powers of 1,000 with B, of 1,024 with iB or a bare letter) */
    KDP_SETTING_SPAN,   /* 10ms, 5s, 15min, 7d; a bare number is seconds; m is minutes */
    KDP_SETTING_CHOICE, /* one of choices, "a|b|c", any case */
    KDP_SETTING_SWITCH, /* a flag without a value; --no-NAME turns it off */
    KDP_SETTING_TIME,   /* 2026-11-22, 2026-11-22T15:04:00Z, Unix seconds; kept as text */
    KDP_SETTING_PLACE, /* a place in the stream: one of choices, a sequence number, or a time; kept as text */
    KDP_SETTING_LIST,  /* repeatable, and commas separate */
    KDP_SETTING_FILES  /* repeatable paths: a comma is part of the name */
};

/* The sections of env.example and of kdp config; a setting without a variable belongs to commands alone. */
enum kdp_setting_section {
    KDP_SECTION_GENERAL,
    KDP_SECTION_EXCHANGE,
    KDP_SECTION_CAPTURE,
    KDP_SECTION_QUESTDB,
    KDP_SECTION_COMMAND
};

struct kdp_setting {
    const char *name; /* "base-url" */
    const char *env;  /* "KALSHI_BASE_URL"; NULL: flag only */
    enum kdp_setting_type type;
    const char *unit;     /* placeholder in help: "DIR", "N", "FILE" */
    const char *fallback; /* default as text; NULL: none */
    int64_t min, max;     /* of COUNT, BYTES, SPAN (ns); 0 and 0: no bounds but 0 or more */
    const char *choices;
    const char *about; /* one line, no full stop */
    enum kdp_setting_section section;
};

const struct kdp_setting *kdpi_setting_find(const char *name);
const struct kdp_setting *kdpi_setting_at(size_t index); /* NULL past the end */
size_t kdpi_setting_index(const struct kdp_setting *setting);
/* kdpi_setting_nearest gives the variable nearest to a name that is none, NULL when none is near. */
const char *kdpi_setting_nearest_env(const char *name);

enum kdp_setting_source {
    KDP_SOURCE_NONE, /* not given and no default */
    KDP_SOURCE_DEFAULT,
    KDP_SOURCE_ENV_FILE,
    KDP_SOURCE_ENVIRONMENT,
    KDP_SOURCE_FLAG
};

struct kdp_settings; /* the effective values of one invocation */

int kdpi_settings_new(struct kdp_settings **settingsp);
void kdpi_settings_free(struct kdp_settings *settings);
/* kdpi_settings_default replaces the table's default for this invocation (a command may have its own). */
int kdpi_settings_default(struct kdp_settings *settings, const struct kdp_setting *setting,
                          const char *value);
/* kdpi_settings_env_file reads a .env; a file that is not there is an error only when required.  Errors name file and line.
 * Variables that are no settings are ignored: the file may serve other programs too. */
int kdpi_settings_env_file(struct kdp_settings *settings, const char *path, bool required);
/* kdpi_settings_environment takes the variables of the process. */
int kdpi_settings_environment(struct kdp_settings *settings);
/* kdpi_settings_flag takes one flag; value is "yes" or "no" for a switch. */
int kdpi_settings_flag(struct kdp_settings *settings, const struct kdp_setting *setting, const char *value);
/* kdpi_settings_check refuses a value that does not fit its row: -KDP_EUSAGE with words that name where it came from. */
int kdpi_settings_check(const struct kdp_settings *settings, const struct kdp_setting *setting);

const char *kdpi_settings_text(const struct kdp_settings *settings,
                               const struct kdp_setting *setting); /* or NULL */
bool kdpi_settings_given(const struct kdp_settings *settings, const struct kdp_setting *setting);
bool kdpi_settings_switch(const struct kdp_settings *settings, const struct kdp_setting *setting);
int64_t kdpi_settings_count(const struct kdp_settings *settings, const struct kdp_setting *setting);
unsigned kdpi_settings_list(const struct kdp_settings *settings, const struct kdp_setting *setting,
                            const char *const **valuesp);
enum kdp_setting_source kdpi_settings_source(const struct kdp_settings *settings,
                                             const struct kdp_setting *setting);
/* kdpi_settings_origin says in words where the value came from and what it overrode:
 * "--log-level, over .env line 5, LOG_LEVEL". */
void kdpi_settings_origin(const struct kdp_settings *settings, const struct kdp_setting *setting, char *buf,
                          size_t size);

/* Readers of single values: 0 or -KDP_EFORMAT, no words. */
int kdpi_parse_count(const char *text, int64_t *outp);
int kdpi_parse_bytes(const char *text, int64_t *outp);
int kdpi_parse_span(const char *text, int64_t *outp);
/* kdpi_choice_index gives which of "a|b|c" text is (any case), -1 when none. */
int kdpi_choice_index(const char *choices, const char *text);

#endif
