/* test_rules.c - which markets are wanted. */
#include "kdp_test.h"
#include "rules.h"

static struct kdp_text
text(const char *words)
{
    return (struct kdp_text){words, strlen(words)};
}

static bool
glob(const char *pattern, const char *words)
{
    return kdp_glob_match(pattern, text(words));
}

KDP_TEST(globs_match_whole_names)
{
    CHECK(glob("KXHIGHNY-26NOV22-B51.5", "KXHIGHNY-26NOV22-B51.5"));
    CHECK(!glob("KXHIGHNY", "KXHIGHNY-26NOV22-B51.5"));
    CHECK(glob("KXHIGHNY*", "KXHIGHNY-26NOV22-B51.5"));
    CHECK(glob("*", "") && glob("", "") && !glob("", "A") && !glob("?", ""));
    CHECK(glob("*-B51.?", "KXHIGHNY-26NOV22-B51.5"));
    CHECK(glob("KX*-*-B*.5", "KXHIGHNY-26NOV22-B51.5"));
    CHECK(!glob("KX*-*-T*", "KXHIGHNY-26NOV22-B51.5"));
    CHECK(glob("*A*A*A", "AAA") && !glob("*A*A*A*A", "AAA"));
    CHECK(glob("**?", "A") && !glob("A?", "A"));
    CHECK(!glob("B51x5", "B51.5")); /* no other character means anything */
}

KDP_TEST(a_glob_takes_no_longer_for_many_stars)
{
    char name[201];

    memset(name, 'A', sizeof name - 1);
    name[200] = '\0';
    for (int i = 0; i < 1000; i++)
        CHECK(!glob("*A*A*A*A*A*A*A*A*A*A*A*A*A*A*A*A*A*B", name));
}

KDP_TEST(a_market_is_wanted_when_every_kind_of_rule_agrees)
{
    static const char *const series[] = {"KXA", "KXB"}, *const events[] = {"KXA-1"},
                             *const tickers[] = {"*-T?", "*-B*"};
    struct kdp_rules rules = {0};

#define MATCH(ticker, event, series_, volume, combo) \
    kdp_rules_match(&rules, text(ticker), text(event), text(series_), volume, combo)
    CHECK_INT(MATCH("KXA-1-T3", "KXA-1", "KXA", KDP_INT64_NULL, false), KDP_RULES_YES);
    CHECK_INT(MATCH("KXMVE-1", "", "", 0, true), KDP_RULES_NO);
    CHECK(kdp_rules_all(&rules));
    rules.combos = true;
    CHECK_INT(MATCH("KXMVE-1", "", "", 0, true), KDP_RULES_YES);
    CHECK(kdp_rules_all(&rules));
    rules.series = series, rules.series_count = 2;
    CHECK(!kdp_rules_all(&rules));
    CHECK_INT(MATCH("KXA-1-T3", "KXA-1", "KXB", 0, false), KDP_RULES_YES);
    CHECK_INT(MATCH("KXA-1-T3", "KXA-1", "KXC", 0, false), KDP_RULES_NO);
    CHECK_INT(MATCH("KXA-1-T3", "KXA-1", "", 0, false),
              KDP_RULES_SERIES_UNKNOWN); /* never read out of the ticker */
    rules.tickers = tickers, rules.ticker_count = 2;
    CHECK_INT(MATCH("KXA-1-X3", "KXA-1", "", 0, false), KDP_RULES_NO); /* nothing to ask for */
    CHECK_INT(MATCH("KXA-1-B33", "KXA-1", "KXA", 0, false), KDP_RULES_YES);
    rules.events = events, rules.event_count = 1;
    CHECK_INT(MATCH("KXA-2-B33", "KXA-2", "KXA", 0, false), KDP_RULES_NO);
    CHECK_INT(MATCH("KXA-1-B33", "KXA-1", "KXA", 0, false), KDP_RULES_YES);
    rules.min_volume_e2 = 10000;
    CHECK_INT(MATCH("KXA-1-B33", "KXA-1", "KXA", 9999, false), KDP_RULES_NO);
    CHECK_INT(MATCH("KXA-1-B33", "KXA-1", "KXA", KDP_INT64_NULL, false), KDP_RULES_NO);
    CHECK_INT(MATCH("KXA-1-B33", "KXA-1", "KXA", 10000, false), KDP_RULES_YES);
#undef MATCH
}

KDP_TEST(words_say_what_the_rules_are)
{
    static const char *const series[] = {"KXA", "KXB"}, *const tickers[] = {"KX*-T5?"};
    struct kdp_rules rules = {.series = series, .series_count = 2, .tickers = tickers, .ticker_count = 1};
    struct kdp_rules none = {0};
    char words[128], small[12];

    kdp_rules_words(&rules, words, sizeof words);
    CHECK_STR(words, "series KXA KXB; tickers KX*-T5?");
    rules.min_volume_e2 = 5000;
    rules.combos = true;
    kdp_rules_words(&rules, words, sizeof words);
    CHECK_STR(words, "series KXA KXB; tickers KX*-T5?; at least 50 contracts in 24 h; combos too");
    kdp_rules_words(&none, words, sizeof words);
    CHECK_STR(words, "all open ordinary markets");
    kdp_rules_words(&rules, small, sizeof small);
    CHECK_STR(small, "series KXA ");
}
