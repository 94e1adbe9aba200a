/* setting.h - the one table of settings: flags, environment, .env, env.example, kdp config, help and docs come from it.
 *
 * Order of strength: flag, environment variable, .env (--env-file F, default ./.env when present), default.  The table is in
 * setting.c; a row's flag name is its name ("base-url" is --base-url).  Values are kept as text with where they came from;
 * typed getters check nothing any more, since kdpi_settings_check has refused what does not fit. */
#ifndef KDPI_SETTING_H
#define KDPI_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kdp_setting_type {
    KDP_SETTING_TEXT, KDP_SETTING_PATH, KDP_SETTING_URL, KDP_SETTING_SECRET, KDP_SETTING_COUNT, /* 0..max */
    KDP_SETTING_BYTES,  /* 64M, 2G, 1.5GB (powers of 1,000 with B, of 1,024 with iB or a bare letter) */
    KDP_SETTING_SPAN,   /* 10ms, 5s, 15min, 7d */
    KDP_SETTING_CHOICE, /* one of choices, "a|b|c" */
    KDP_SETTING_SWITCH, /* a flag without a value; --no-NAME turns it off */
    KDP_SETTING_TIME,   /* a time argument or a place in the stream; kept as text */
    KDP_SETTING_LIST    /* repeatable */
};

struct kdp_setting {
    const char *name;    /* "base-url" */
    const char *env;     /* "KALSHI_BASE_URL"; NULL: flag only */
    enum kdp_setting_type type;
    const char *unit;    /* placeholder in help: "DIR", "N", "FILE" */
    const char *fallback; /* default as text; NULL: none */
    int64_t min, max;    /* of COUNT, BYTES, SPAN (ns) */
    const char *choices;
    const char *about;   /* one line, no full stop */
};

const struct kdp_setting *kdpi_setting_find(const char *name);
const struct kdp_setting *kdpi_setting_at(size_t index); /* NULL past the end */

struct kdp_settings; /* the effective values of one invocation */

#endif
