/* rules.c - see rules.h. */
#include "rules.h"

#include <stdio.h>
#include <string.h>

bool
kdp_glob_match(const char *glob, struct kdp_text text)
{
    const char *star = NULL;
    size_t at = 0, retry = 0;

    /* one star is undone at a time: the last one can take what the earlier ones need not, so no recursion */
    while (at < text.len) {
        if (*glob == '*') {
            star = ++glob;
            retry = at;
        } else if (*glob != '\0' && (*glob == '?' || *glob == text.data[at])) {
            glob++;
            at++;
        } else if (star != NULL) {
            glob = star;
            at = ++retry;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

static bool
one_of(const char *const *list, unsigned count, struct kdp_text text)
{
    for (unsigned i = 0; i < count; i++)
        if (strlen(list[i]) == text.len && memcmp(list[i], text.data, text.len) == 0)
            return true;
    return false;
}

enum kdp_rules_verdict
kdp_rules_match(const struct kdp_rules *rules, struct kdp_text ticker, struct kdp_text event,
                struct kdp_text series, int64_t volume_e2, bool combo)
{
    unsigned i;

    if (combo && !rules->combos)
        return KDP_RULES_NO;
    for (i = 0; i < rules->ticker_count && !kdp_glob_match(rules->tickers[i], ticker); i++)
        ;
    if (rules->ticker_count > 0 && i == rules->ticker_count)
        return KDP_RULES_NO;
    if (rules->event_count > 0 && !one_of(rules->events, rules->event_count, event))
        return KDP_RULES_NO;
    /* a volume that is not known (KDP_INT64_NULL is the least number) is that of a new market: the next listing tells */
    if (rules->min_volume_e2 > 0 && volume_e2 < rules->min_volume_e2)
        return KDP_RULES_NO;
    if (rules->series_count > 0) {
        if (series.len == 0)
            return KDP_RULES_SERIES_UNKNOWN;
        if (!one_of(rules->series, rules->series_count, series))
            return KDP_RULES_NO;
    }
    return KDP_RULES_YES;
}

bool
kdp_rules_all(const struct kdp_rules *rules)
{
    return rules->series_count == 0 && rules->event_count == 0 && rules->ticker_count == 0 &&
           rules->min_volume_e2 <= 0;
}

static size_t
words(char *buf, size_t size, size_t at, const char *what, const char *const *list, unsigned count)
{
    for (unsigned i = 0; i < count && at < size; i++) {
        int n = snprintf(buf + at, size - at, "%s%s", i > 0 ? " " : what, list[i]);

        at += n > 0 ? (size_t)n : 0;
    }
    return at;
}

void
kdp_rules_words(const struct kdp_rules *rules, char *buf, size_t size)
{
    size_t at = 0;

    if (size == 0)
        return;
    *buf = '\0';
    at = words(buf, size, at, "series ", rules->series, rules->series_count);
    at = words(buf, size, at, at > 0 ? "; events " : "events ", rules->events, rules->event_count);
    at = words(buf, size, at, at > 0 ? "; tickers " : "tickers ", rules->tickers, rules->ticker_count);
    if (rules->min_volume_e2 > 0 && at < size)
        at += (size_t)snprintf(buf + at, size - at, "%sat least %lld contracts in 24 h", at > 0 ? "; " : "",
                               (long long)(rules->min_volume_e2 / 100));
    if (at == 0)
        at += (size_t)snprintf(buf, size, "all open ordinary markets");
    if (rules->combos && at < size)
        snprintf(buf + at, size - at, "; combos too");
}
