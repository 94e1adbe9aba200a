/* faults.c - fault lines: the table, and the reading of one line against it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "error.h"
#include "faults.h"
#include "setting.h"
#include "words.h"

static const struct row {
    const char *word, *args, *defaults;
    unsigned mix;
    const char *text;
} rows[KDP_SIM_FAULTS] = {
#define KDP_X(name, word, args, defaults, mix, text) {word, args, defaults, mix, text},
    KDP_SIM_FAULT_LIST(KDP_X)
#undef KDP_X
};

static const struct arg {
    const char *word, *unit, *text;
} args[KDP_SIM_ARGS] = {
#define KDP_X(name, word, unit, text) {word, unit, text},
    KDP_SIM_ARG_LIST(KDP_X)
#undef KDP_X
};

/* In the order of enum sim_channel. */
static const char *const channels[] = {"book", "trade", "ticker", "lifecycle", "combo"};

const char *
kdp_sim_fault_word(enum kdp_sim_fault_kind kind)
{
    return rows[kind].word;
}

unsigned
kdp_sim_fault_mix(enum kdp_sim_fault_kind kind)
{
    return rows[kind].mix;
}

static bool
has_word(const char *list, const char *word, size_t len) /* of a blank-separated list */
{
    for (const char *at = list; *at != 0;) {
        size_t n = strcspn(at, " ");

        if (n == len && strncmp(at, word, len) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

static int
bad_value(const struct row *row, unsigned arg, const char *value)
{
    char safe[80];

    kdpi_escape(safe, sizeof safe, value, strlen(value));
    kdpi_fail(KDP_EUSAGE, "%s %s=%s: not %s", row->word, args[arg].word, safe, args[arg].unit);
    kdpi_hint("%s is %s", args[arg].word, args[arg].text);
    return -KDP_EUSAGE;
}

static bool
read_count(const char *value, int64_t max, int64_t *outp)
{
    return kdpi_parse_count(value, outp) == 0 && *outp >= 0 && *outp <= max;
}

static bool
read_sid(struct kdp_sim_fault *fault, const char *value)
{
    int64_t n;

    for (unsigned i = 0; i < sizeof channels / sizeof *channels; i++) {
        if (strcmp(value, channels[i]) == 0) {
            fault->sid = KDP_SIM_SID_CHANNEL;
            fault->channel = i;
            return true;
        }
    }
    if (!read_count(value, UINT32_MAX, &n) || n == 0)
        return false;
    fault->sid = (uint32_t)n;
    fault->channel = UINT32_MAX;
    return true;
}

static bool
copy_word(char *to, size_t size, const char *value)
{
    size_t len = strlen(value);

    if (len == 0 || len >= size)
        return false;
    memcpy(to, value, len + 1);
    return true;
}

static bool
read_conn(struct kdp_sim_fault *fault, const char *value)
{
    int64_t n;

    if (strcmp(value, "any") == 0) {
        fault->conn = KDP_SIM_CONN_ANY;
    } else if (strcmp(value, "all") == 0) {
        fault->conn = KDP_SIM_CONN_ALL;
    } else {
        if (!read_count(value, UINT32_MAX - 1, &n) || n == 0)
            return false;
        fault->conn = (uint32_t)n;
    }
    return true;
}

static bool
read_value(struct kdp_sim_fault *fault, unsigned arg, const char *value)
{
    int64_t n = 0;
    bool minus = value[0] == '-';

    switch ((enum kdp_sim_arg)arg) {
    case KDP_SIM_ARG_CONN:
        return read_conn(fault, value);
    case KDP_SIM_ARG_SID:
        return read_sid(fault, value);
    case KDP_SIM_ARG_COUNT:
        if (!read_count(value, 10000000, &n))
            return false;
        fault->count = (uint32_t)n;
        return true;
    case KDP_SIM_ARG_SECONDS:
        return kdpi_parse_span(value, &fault->seconds_ns) == 0 && fault->seconds_ns >= 0 &&
               fault->seconds_ns <= KDP_NS_PER_DAY;
    case KDP_SIM_ARG_BYTES:
        return kdpi_parse_bytes(value, &fault->bytes) == 0 && fault->bytes > 0 &&
               fault->bytes <= INT64_C(60) << 20;
    case KDP_SIM_ARG_STATUS:
        if (!read_count(value, 4999, &n) || (n < 400 && n != 200))
            return false;
        fault->status = (uint32_t)n;
        return true;
    case KDP_SIM_ARG_MARKET:
        return copy_word(fault->market, sizeof fault->market, value);
    case KDP_SIM_ARG_PATH:
        return value[0] == '/' && copy_word(fault->path, sizeof fault->path, value);
    case KDP_SIM_ARG_OFFSET:
        if (kdpi_parse_span(value + minus, &n) != 0 || n < 0 || n > 3650 * KDP_NS_PER_DAY)
            return false;
        fault->offset_ns = minus ? -n : n;
        return true;
    case KDP_SIM_ARG_PINGS:
        fault->pings = strcmp(value, "on") == 0;
        return fault->pings || strcmp(value, "off") == 0;
    case KDP_SIM_ARG_VALUE:
        if (!has_word(fault->kind == KDP_SIM_FAULT_ERROR_SHAPE      ? "flat wrapped text turn"
                      : fault->kind == KDP_SIM_FAULT_UNKNOWN_TICKER ? "empty 404 400"
                                                                    : "on off",
                      value, strlen(value)))
            return false;
        return copy_word(fault->value, sizeof fault->value, value);
    case KDP_SIM_ARG_SEED:
        if (!read_count(value, INT64_MAX, &n))
            return false;
        fault->seed = (uint64_t)n;
        return true;
    case KDP_SIM_ARG_RATE:
        if (kdpi_decimal_parse(value, strlen(value), 6, &n) != KDP_DECIMAL_OK || n < 0 ||
            n > INT64_C(1000000000))
            return false;
        fault->rate_e6 = (uint32_t)n;
        return true;
    case KDP_SIM_ARGS:
        break;
    }
    return false;
}

static unsigned
arg_find(const char *word, size_t len)
{
    unsigned i = 0;

    while (i < KDP_SIM_ARGS && !(strlen(args[i].word) == len && strncmp(args[i].word, word, len) == 0))
        i++;
    return i;
}

/* The argument that a bare word stands for: the first of the row's list that the line did not give; KDP_SIM_ARGS: none. */
static unsigned
arg_next(const struct row *row, uint32_t given)
{
    for (const char *at = row->args; *at != 0;) {
        size_t n = strcspn(at, " ");
        unsigned i = arg_find(at, n);

        if ((given >> i & 1) == 0)
            return i;
        at += n + (at[n] == ' ');
    }
    return KDP_SIM_ARGS;
}

static int
read_words(struct kdp_sim_fault *fault, const struct row *row, const char *text)
{
    uint32_t given = 0;

    for (;;) {
        char word[256];
        size_t len;
        const char *value, *equals;
        unsigned arg;

        text += strspn(text, " \t");
        len = strcspn(text, " \t");
        if (len == 0)
            break;
        if (len >= sizeof word)
            return kdpi_fail(KDP_EUSAGE, "%s: an argument of %zu bytes", row->word, len);
        memcpy(word, text, len);
        word[len] = 0;
        text += len;
        equals = strchr(word, '=');
        arg = equals != NULL ? arg_find(word, (size_t)(equals - word)) : arg_next(row, given);
        value = equals != NULL ? equals + 1 : word;
        if (arg == KDP_SIM_ARGS || !has_word(row->args, args[arg].word, strlen(args[arg].word))) {
            char safe[80];

            kdpi_escape(safe, sizeof safe, word, equals != NULL ? (size_t)(equals - word) : len);
            kdpi_fail(KDP_EUSAGE, "%s takes no %s", row->word, safe);
            kdpi_hint("It takes: %s", row->args[0] != 0 ? row->args : "nothing");
            return -KDP_EUSAGE;
        }
        if ((given >> arg & 1) != 0)
            return kdpi_fail(KDP_EUSAGE, "%s: %s is given twice", row->word, args[arg].word);
        if (!read_value(fault, arg, value))
            return bad_value(row, arg, value);
        given |= UINT32_C(1) << arg;
    }
    fault->given |= given;
    return 0;
}

int
kdp_sim_fault_parse(struct kdp_sim_fault *fault, const char *line)
{
    char word[64], safe[80];
    size_t len;
    unsigned kind = 0, best = 0, least = 1000;

    *fault = (struct kdp_sim_fault){.channel = UINT32_MAX};
    line += strspn(line, " \t");
    len = strcspn(line, " \t");
    if (len == 0 || len >= sizeof word) {
        kdpi_fail(KDP_EUSAGE, len == 0 ? "an empty fault line" : "no fault of a name that long");
        kdpi_hint("kdp sim ctl faults lists them");
        return -KDP_EUSAGE;
    }
    memcpy(word, line, len);
    word[len] = 0;
    while (kind < KDP_SIM_FAULTS && strcmp(rows[kind].word, word) != 0)
        kind++;
    if (kind == KDP_SIM_FAULTS) {
        for (unsigned i = 0; i < KDP_SIM_FAULTS; i++) {
            unsigned distance = kdpi_word_distance(word, rows[i].word);

            if (distance < least) {
                least = distance;
                best = i;
            }
        }
        kdpi_fail(KDP_EUSAGE, "no fault %s", kdpi_escape(safe, sizeof safe, word, len));
        if (kdpi_word_near(word, rows[best].word, least))
            kdpi_hint("Did you mean %s?", rows[best].word);
        else
            kdpi_hint("kdp sim ctl faults lists them");
        return -KDP_EUSAGE;
    }
    fault->kind = (enum kdp_sim_fault_kind)kind;
    KDP_ASSERT(read_words(fault, &rows[kind], rows[kind].defaults) == 0);
    return read_words(fault, &rows[kind], line + len);
}

void
kdp_sim_fault_list(FILE *out)
{
    for (unsigned i = 0; i < KDP_SIM_FAULTS; i++) {
        fprintf(out, "%-20s %s\n", rows[i].word, rows[i].text);
        if (rows[i].args[0] != 0)
            fprintf(out, "%-20s   takes %s%s%s%s\n", "", rows[i].args, rows[i].defaults[0] != 0 ? " [" : "",
                    rows[i].defaults, rows[i].defaults[0] != 0 ? "]" : "");
    }
    fputs("\narguments, name=value or in the order given:\n", out);
    for (unsigned i = 0; i < KDP_SIM_ARGS; i++)
        fprintf(out, "%-8s %-10s %s\n", args[i].word, args[i].unit, args[i].text);
}

int
kdp_sim_line_when(const char *line, enum kdp_sim_when *whenp, int64_t *span_nsp, const char **restp)
{
    char span[32], safe[64];
    const char *at = line + strspn(line, " \t");
    size_t len = strcspn(at, " \t"), span_len;
    enum kdp_sim_when when;

    *whenp = KDP_SIM_NOW;
    *span_nsp = 0;
    *restp = *at == '#' ? "" : at;
    if (len == 2 && strncmp(at, "AT", 2) == 0)
        when = KDP_SIM_AT;
    else if (len == 5 && strncmp(at, "EVERY", 5) == 0)
        when = KDP_SIM_EVERY;
    else
        return 0;
    at += len;
    at += strspn(at, " \t");
    span_len = strcspn(at, " \t");
    if (span_len < sizeof span) {
        memcpy(span, at, span_len);
        span[span_len] = 0;
    }
    if (span_len == 0 || span_len >= sizeof span || kdpi_parse_span(span, span_nsp) != 0 || *span_nsp < 0 ||
        (when == KDP_SIM_EVERY && *span_nsp < KDP_NS_PER_MS)) {
        kdpi_fail(KDP_EUSAGE, "%.*s %s: not a span of time", (int)len, when == KDP_SIM_AT ? "AT" : "EVERY",
                  kdpi_escape(safe, sizeof safe, at, span_len));
        kdpi_hint("AT 12.5s gap sid=book count=3, or: EVERY 60s reset");
        return -KDP_EUSAGE;
    }
    at += span_len;
    at += strspn(at, " \t");
    *whenp = when;
    *restp = at;
    if (*at == 0)
        return kdpi_fail(KDP_EUSAGE, "%s %s: nothing to do then", when == KDP_SIM_AT ? "AT" : "EVERY", span);
    return 0;
}
