/* setting.c - the effective values of one invocation: who gave what, and whether it fits. */
#include "setting.h"
#include "clock.h"
#include "envfile.h"
#include "error.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct value {
    char *text; /* the last one given */
    char **items;
    unsigned count;
    enum kdp_setting_source source, over; /* over: what this source beat, KDP_SOURCE_NONE: nothing */
    unsigned line;                        /* of the .env, when it came or would have come from there */
};

struct kdp_settings {
    char *env_file;
    size_t count;
    struct value values[]; /* by index of the table */
};

/* ---- readers of single values ------------------------------------------------------------------- */

int
kdpi_parse_count(const char *text, int64_t *outp)
{
    int64_t value = 0;

    if (*text == '\0')
        return -KDP_EFORMAT;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - 9) / 10)
            return -KDP_EFORMAT;
        value = value * 10 + (*text - '0');
    }
    *outp = value;
    return 0;
}

/* Reads digits with an optional fraction times unit; exact, since the fraction has at most 9 digits.  *restp
 * is set behind the number when unit is 0. */
__extension__ typedef __int128 wide;

static int
scaled(const char *text, int64_t unit, const char **restp, int64_t *outp)
{
    wide whole = 0, part = 0, scale = 1;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        whole = whole * 10 + (*p - '0');
        if (whole > INT64_MAX)
            return -KDP_EFORMAT;
    }
    if (p == text)
        return -KDP_EFORMAT;
    if (*p == '.') {
        const char *first = ++p;

        for (; *p >= '0' && *p <= '9' && p - first < 9; p++, scale *= 10)
            part = part * 10 + (*p - '0');
        if (p == first)
            return -KDP_EFORMAT;
    }
    *restp = p;
    whole = whole * unit + part * unit / scale;
    if (whole > INT64_MAX)
        return -KDP_EFORMAT;
    *outp = (int64_t)whole;
    return 0;
}

struct suffix {
    const char *word;
    int64_t unit;
};

static int
with_suffix(const char *text, const struct suffix *suffixes, size_t count, bool any_case, int64_t *outp)
{
    const char *rest;
    int64_t ignored;

    if (scaled(text, 1, &rest, &ignored) != 0)
        return -KDP_EFORMAT;
    for (size_t i = 0; i < count; i++) {
        if ((any_case ? strcasecmp(rest, suffixes[i].word) : strcmp(rest, suffixes[i].word)) == 0)
            return scaled(text, suffixes[i].unit, &rest, outp);
    }
    return -KDP_EFORMAT;
}

int
kdpi_parse_bytes(const char *text, int64_t *outp)
{
    static const struct suffix suffixes[] = {
        {"", 1},
        {"B", 1},
        {"K", INT64_C(1) << 10},
        {"M", INT64_C(1) << 20},
        {"G", INT64_C(1) << 30},
        {"T", INT64_C(1) << 40},
        {"KiB", INT64_C(1) << 10},
        {"MiB", INT64_C(1) << 20},
        {"GiB", INT64_C(1) << 30},
        {"TiB", INT64_C(1) << 40},
        {"kB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", INT64_C(1000000000000)},
    };

    return with_suffix(text, suffixes, sizeof suffixes / sizeof suffixes[0], true, outp);
}

int
kdpi_parse_span(const char *text, int64_t *outp)
{
    static const struct suffix suffixes[] = {
        {"", KDP_NS_PER_S},
        {"ns", 1},
        {"us", 1000},
        {"ms", KDP_NS_PER_MS},
        {"s", KDP_NS_PER_S},
        {"sec", KDP_NS_PER_S},
        {"m", 60 * KDP_NS_PER_S},
        {"min", 60 * KDP_NS_PER_S},
        {"h", 3600 * KDP_NS_PER_S},
        {"d", KDP_NS_PER_DAY},
        {"w", 7 * KDP_NS_PER_DAY},
    };

    return with_suffix(text, suffixes, sizeof suffixes / sizeof suffixes[0], false, outp);
}

int
kdpi_choice_index(const char *choices, const char *text)
{
    size_t len = strlen(text);
    const char *p = choices;

    for (int i = 0; p != NULL; i++) {
        const char *bar = strchr(p, '|');
        size_t n = bar != NULL ? (size_t)(bar - p) : strlen(p);

        if (n == len && strncasecmp(p, text, len) == 0)
            return i;
        p = bar != NULL ? bar + 1 : NULL;
    }
    return -1;
}

/* ---- the values --------------------------------------------------------------------------------- */

static void
value_clear(struct value *value)
{
    free(value->text);
    for (unsigned i = 0; i < value->count; i++)
        free(value->items[i]);
    free(value->items);
    value->text = NULL;
    value->items = NULL;
    value->count = 0;
}

static int
value_add(struct value *value, const char *text, size_t len)
{
    char **items = realloc(value->items, (value->count + 1) * sizeof *items);

    if (items == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    value->items = items;
    items[value->count] = strndup(text, len);
    if (items[value->count] == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    value->count++;
    return 0;
}

/* Lists grow while the source stays the same; a stronger source replaces; a weaker one, read later, is only noted. */
static int
value_set(struct value *value, const struct kdp_setting *setting, const char *text,
          enum kdp_setting_source source)
{
    bool list = setting->type == KDP_SETTING_LIST || setting->type == KDP_SETTING_FILES;

    if (source < value->source) {
        value->over = source > value->over && source > KDP_SOURCE_DEFAULT ? source : value->over;
        return 0;
    }
    if (source != value->source) {
        enum kdp_setting_source over = value->source > KDP_SOURCE_DEFAULT ? value->source : KDP_SOURCE_NONE;

        value_clear(value);
        value->over = over;
        value->source = source;
    }
    free(value->text);
    value->text = strdup(text);
    if (value->text == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    if (!list)
        return 0;
    if (setting->type == KDP_SETTING_FILES)
        return value_add(value, text, strlen(text));
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int rc = len > 0 ? value_add(value, text, len) : 0;

        if (rc != 0)
            return rc;
        text += len + (text[len] == ',');
    }
    return 0;
}

int
kdpi_settings_new(struct kdp_settings **settingsp)
{
    struct kdp_settings *settings;
    size_t count = 0;

    *settingsp = NULL;
    while (kdpi_setting_at(count) != NULL)
        count++;
    settings = calloc(1, sizeof *settings + count * sizeof settings->values[0]);
    if (settings == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    settings->count = count;
    *settingsp = settings;
    for (size_t i = 0; i < count; i++) {
        const struct kdp_setting *setting = kdpi_setting_at(i);
        int rc = setting->fallback != NULL ? kdpi_settings_default(settings, setting, setting->fallback) : 0;

        if (rc != 0)
            return rc;
    }
    return 0;
}

void
kdpi_settings_free(struct kdp_settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings->count; i++)
        value_clear(&settings->values[i]);
    free(settings->env_file);
    free(settings);
}

static struct value *
slot(struct kdp_settings *settings, const struct kdp_setting *setting)
{
    return &settings->values[kdpi_setting_index(setting)];
}

static const struct value *
peek(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    return &settings->values[kdpi_setting_index(setting)];
}

int
kdpi_settings_default(struct kdp_settings *settings, const struct kdp_setting *setting, const char *value)
{
    struct value *held = slot(settings, setting);

    if (held->source > KDP_SOURCE_DEFAULT)
        return 0;
    value_clear(held);
    return value_set(held, setting, value, KDP_SOURCE_DEFAULT);
}

static const struct kdp_setting *
by_env(const char *name)
{
    const struct kdp_setting *setting;

    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        if (setting->env != NULL && strcmp(setting->env, name) == 0)
            return setting;
    }
    return NULL;
}

static int
take_env_line(void *arg, const char *key, const char *value, unsigned line)
{
    struct kdp_settings *settings = arg;
    const struct kdp_setting *setting = by_env(key);
    struct value *held;

    if (setting == NULL)
        return 0;
    held = slot(settings, setting);
    if (held->source == KDP_SOURCE_ENV_FILE) { /* the last line of a name wins, as in a shell */
        value_clear(held);
        held->source = KDP_SOURCE_NONE;
        if (*value == '\0' && setting->fallback != NULL)
            return kdpi_settings_default(settings, setting, setting->fallback);
    }
    if (*value == '\0')
        return 0;
    held->line = line;
    return value_set(held, setting, value, KDP_SOURCE_ENV_FILE);
}

int
kdpi_settings_env_file(struct kdp_settings *settings, const char *path, bool required)
{
    const char *shown = strncmp(path, "./", 2) == 0 ? path + 2 : path;
    int rc;

    free(settings->env_file);
    settings->env_file = strdup(shown);
    if (settings->env_file == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    rc = kdpi_envfile_read(shown, take_env_line, settings);
    if (rc == -KDP_ENOENT) {
        if (!required)
            return 0;
        kdpi_hint("Copy env.example to it, or leave --env-file out");
    }
    return rc;
}

int
kdpi_settings_environment(struct kdp_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct kdp_setting *setting = kdpi_setting_at(i);
        const char *value = setting->env != NULL ? getenv(setting->env) : NULL;
        int rc = value != NULL && *value != '\0'
                     ? value_set(slot(settings, setting), setting, value, KDP_SOURCE_ENVIRONMENT)
                     : 0;

        if (rc != 0)
            return rc;
    }
    return 0;
}

int
kdpi_settings_flag(struct kdp_settings *settings, const struct kdp_setting *setting, const char *value)
{
    return value_set(slot(settings, setting), setting, value, KDP_SOURCE_FLAG);
}

/* ---- checks ------------------------------------------------------------------------------------- */

static int
parse_number(const struct kdp_setting *setting, const char *text, int64_t *outp)
{
    switch (setting->type) {
    case KDP_SETTING_COUNT:
        return kdpi_parse_count(text, outp);
    case KDP_SETTING_BYTES:
        return kdpi_parse_bytes(text, outp);
    case KDP_SETTING_SPAN:
        return kdpi_parse_span(text, outp);
    default:
        return -KDP_EINVAL;
    }
}

/* "--limit" or "KDP_DATA (.env line 3)": what the person wrote the value behind. */
static void
given_as(const struct kdp_settings *settings, const struct kdp_setting *setting, char *buf, size_t size)
{
    const struct value *value = peek(settings, setting);

    if (value->source == KDP_SOURCE_ENVIRONMENT)
        snprintf(buf, size, "%s (environment)", setting->env);
    else if (value->source == KDP_SOURCE_ENV_FILE)
        snprintf(buf, size, "%s (%s line %u)", setting->env, settings->env_file, value->line);
    else
        snprintf(buf, size, "--%s", setting->name);
}

static int
refuse(const struct kdp_settings *settings, const struct kdp_setting *setting, const char *text,
       const char *what)
{
    char as[256], shown[128];

    given_as(settings, setting, as, sizeof as);
    kdpi_escape(shown, sizeof shown, text, strlen(text));
    if (setting->type == KDP_SETTING_SECRET)
        return kdpi_fail(KDP_EUSAGE, "%s is not %s", as, what);
    return kdpi_fail(KDP_EUSAGE, "%s \"%s\" is not %s", as, shown, what);
}

static int
check_number(const struct kdp_settings *settings, const struct kdp_setting *setting, const char *text)
{
    static const char *const what[] = {[KDP_SETTING_COUNT] = "a whole number",
                                       [KDP_SETTING_BYTES] = "a size",
                                       [KDP_SETTING_SPAN] = "a span of time"};
    static const char *const how[] = {[KDP_SETTING_COUNT] = "Write digits only, for example 600",
                                      [KDP_SETTING_BYTES] = "Write for example 64M, 2G or 1.5GB",
                                      [KDP_SETTING_SPAN] = "Write for example 10ms, 5s, 15min or 7d"};
    int64_t value, low, high;
    int rc;

    if (parse_number(setting, text, &value) != 0) {
        rc = refuse(settings, setting, text, what[setting->type]);
        kdpi_hint("%s", how[setting->type]);
        return rc;
    }
    if ((setting->min == 0 && setting->max == 0) || (value >= setting->min && value <= setting->max))
        return 0;
    rc = refuse(settings, setting, text, "in range");
    low = setting->min;
    high = setting->max;
    if (setting->type == KDP_SETTING_COUNT && high == INT64_MAX)
        kdpi_hint("Least is %lld", (long long)low);
    else if (setting->type == KDP_SETTING_COUNT)
        kdpi_hint("It goes from %lld to %lld", (long long)low, (long long)high);
    else if (setting->type == KDP_SETTING_BYTES && value < low)
        kdpi_hint("Least is %lldK", (long long)(low >> 10));
    else if (setting->type == KDP_SETTING_BYTES)
        kdpi_hint("Most is %lldM", (long long)(high >> 20));
    else if (value < low)
        kdpi_hint("Least is %lldms", (long long)(low / KDP_NS_PER_MS));
    else
        kdpi_hint("Most is %llds", (long long)(high / KDP_NS_PER_S));
    return rc;
}

static int
check_time(const struct kdp_settings *settings, const struct kdp_setting *setting, const char *text)
{
    int64_t ns;
    int rc;

    /* 20261122 is a day of August 1970 as Unix seconds, and nobody means that */
    if (setting->type == KDP_SETTING_TIME && strlen(text) == 8 && strspn(text, "0123456789") == 8 &&
        (strncmp(text, "19", 2) == 0 || strncmp(text, "20", 2) == 0)) {
        rc = refuse(settings, setting, text, "a time");
        kdpi_hint("A day is written %.4s-%.2s-%.2s", text, text + 4, text + 6);
        return rc;
    }
    if (kdpi_time_parse(text, strlen(text), &ns) == 0)
        return 0;
    if (setting->type == KDP_SETTING_PLACE) {
        const char *time = *text == '@' ? text + 1 : text;

        if (kdpi_choice_index(setting->choices, text) >= 0 || kdpi_parse_count(text, &ns) == 0 ||
            (strncmp(text, "seq:", 4) == 0 && kdpi_parse_count(text + 4, &ns) == 0) ||
            kdpi_time_parse(time, strlen(time), &ns) == 0)
            return 0;
        rc = refuse(settings, setting, text, "a place in the stream");
        kdpi_hint("Write %.*s%s, a sequence number, or a time such as 2026-11-22T15:04:00Z",
                  (int)strcspn(setting->choices, "|"), setting->choices,
                  strchr(setting->choices, '|') ? ", now" : "");
        return rc;
    }
    rc = refuse(settings, setting, text, "a time");
    kdpi_hint("Write 2026-11-22, 2026-11-22T15:04:00Z or Unix seconds");
    return rc;
}

static int
check_url(const struct kdp_settings *settings, const struct kdp_setting *setting, const char *text)
{
    const char *colon = strstr(text, "://");
    char scheme[16] = "";
    int rc;

    if (colon != NULL && (size_t)(colon - text) < sizeof scheme)
        memcpy(scheme, text, (size_t)(colon - text));
    if (colon != NULL && kdpi_choice_index(setting->choices, scheme) >= 0 && colon[3] != '\0' &&
        colon[3] != '/' && strpbrk(text, " \t\r\n") == NULL)
        return 0;
    rc = refuse(settings, setting, text, "an address");
    kdpi_hint("It looks like %s", setting->fallback);
    return rc;
}

static int
check_one(const struct kdp_settings *settings, const struct kdp_setting *setting, const char *text)
{
    int rc;

    switch (setting->type) {
    case KDP_SETTING_COUNT:
    case KDP_SETTING_BYTES:
    case KDP_SETTING_SPAN:
        return check_number(settings, setting, text);
    case KDP_SETTING_TIME:
    case KDP_SETTING_PLACE:
        return check_time(settings, setting, text);
    case KDP_SETTING_URL:
        return check_url(settings, setting, text);
    case KDP_SETTING_CHOICE:
        if (kdpi_choice_index(setting->choices, text) >= 0)
            return 0;
        rc = refuse(settings, setting, text, "a choice");
        kdpi_hint("Choose one of %s", setting->choices);
        return rc;
    default:
        if (*text == '\0' && setting->env == NULL)
            return kdpi_fail(KDP_EUSAGE, "--%s is empty", setting->name);
        return 0;
    }
}

int
kdpi_settings_check(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    const struct value *value = peek(settings, setting);

    if (value->text == NULL || setting->type == KDP_SETTING_SWITCH)
        return 0;
    return check_one(settings, setting, value->text);
}

/* ---- getters ------------------------------------------------------------------------------------ */

const char *
kdpi_settings_text(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    const struct value *value = peek(settings, setting);

    return value->text != NULL && *value->text != '\0' ? value->text : NULL;
}

bool
kdpi_settings_given(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    return peek(settings, setting)->source > KDP_SOURCE_DEFAULT &&
           kdpi_settings_text(settings, setting) != NULL;
}

bool
kdpi_settings_switch(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    const char *text = kdpi_settings_text(settings, setting);

    KDP_ASSERT(setting->type == KDP_SETTING_SWITCH);
    return text != NULL && strcmp(text, "yes") == 0;
}

int64_t
kdpi_settings_count(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    const char *text = kdpi_settings_text(settings, setting);
    int64_t value = 0;
    int rc = text != NULL ? parse_number(setting, text, &value) : 0;

    KDP_ASSERT(rc == 0);
    return value;
}

unsigned
kdpi_settings_list(const struct kdp_settings *settings, const struct kdp_setting *setting,
                   const char *const **valuesp)
{
    const struct value *value = peek(settings, setting);

    KDP_ASSERT(setting->type == KDP_SETTING_LIST || setting->type == KDP_SETTING_FILES);
    *valuesp = (const char *const *)value->items;
    return value->count;
}

enum kdp_setting_source
kdpi_settings_source(const struct kdp_settings *settings, const struct kdp_setting *setting)
{
    return peek(settings, setting)->source;
}

static void
source_words(const struct kdp_settings *settings, const struct kdp_setting *setting,
             enum kdp_setting_source source, char *buf, size_t size)
{
    switch (source) {
    case KDP_SOURCE_NONE:
        snprintf(buf, size, "not set");
        break;
    case KDP_SOURCE_DEFAULT:
        snprintf(buf, size, "default");
        break;
    case KDP_SOURCE_ENV_FILE:
        snprintf(buf, size, "%s line %u, %s", settings->env_file, peek(settings, setting)->line,
                 setting->env);
        break;
    case KDP_SOURCE_ENVIRONMENT:
        snprintf(buf, size, "environment, %s", setting->env);
        break;
    case KDP_SOURCE_FLAG:
        snprintf(buf, size, "--%s", setting->name);
        break;
    }
}

void
kdpi_settings_origin(const struct kdp_settings *settings, const struct kdp_setting *setting, char *buf,
                     size_t size)
{
    const struct value *value = peek(settings, setting);
    char over[256];

    source_words(settings, setting, value->source, buf, size);
    if (value->over != KDP_SOURCE_NONE) {
        size_t used = strlen(buf);

        source_words(settings, setting, value->over, over, sizeof over);
        snprintf(buf + used, size - used, ", over %s", over);
    }
}
