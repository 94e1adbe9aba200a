/* test_setting.c - settings: who wins, what is refused with which words, the .env reader. */
#include "kdp_test.h"

#include "clock.h"
#include "envfile.h"
#include "error.h"
#include "setting.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

static struct kdp_settings *
fresh(void)
{
    struct kdp_settings *settings;

    CHECK_INT(kdpi_settings_new(&settings), 0);
    return settings;
}

static const char *
write_env(const char *text)
{
    static char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/env", kdp_test_dir());
    file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
    return path;
}

/* ---- .env --------------------------------------------------------------------------------------- */

static char seen[1024];

static int
note(void *arg, const char *key, const char *value, unsigned line)
{
    size_t used = strlen(seen);

    (void)arg;
    snprintf(seen + used, sizeof seen - used, "%u:%s=[%s];", line, key, value);
    return 0;
}

static const char *
parse(const char *text, size_t len)
{
    seen[0] = '\0';
    if (kdpi_envfile_parse(".env", text, len, note, NULL) != 0)
        return kdp_error_text();
    return seen;
}

#define CHECK_ENV(text, want) CHECK_STR(parse(text, sizeof(text) - 1), want)

KDP_TEST(env_lines_of_every_form_are_read)
{
    CHECK_ENV("A=1\nB = two words \n\n# no\n  C=3", "1:A=[1];2:B=[two words];5:C=[3];");
    CHECK_ENV("export A=1\nexport\tB=2\nexports=3\n", "1:A=[1];2:B=[2];3:exports=[3];");
    CHECK_ENV("A='a # b \\n $X'\nB=\"a # b\\t\\\"\\\\\\$X\"\n", "1:A=[a # b \\n $X];2:B=[a # b\t\"\\$X];");
    CHECK_ENV("A=x#y\nB=x #y\nC= # c\nD=\n", "1:A=[x#y];2:B=[x];3:C=[];4:D=[];");
    CHECK_ENV("A=\"x\" # why\nB=it's\n", "1:A=[x];2:B=[it's];");
}

KDP_TEST(env_tolerates_crlf_and_a_byte_order_mark)
{
    CHECK_ENV("\xef\xbb\xbf"
              "A=1\r\nB='2'\r\n\r\nC=3\r\n",
              "1:A=[1];2:B=[2];4:C=[3];");
}

KDP_TEST(env_does_not_expand_anything)
{
    CHECK_ENV("A=$HOME\nB=\"$(id)\"\nC=`id`\n", "1:A=[$HOME];2:B=[$(id)];3:C=[`id`];");
}

KDP_TEST(env_errors_name_file_line_and_reason)
{
    CHECK_ENV("A=1\nnonsense\n", "bad line: .env line 2: there is no = behind the name");
    CHECK_ENV("=1\n", "bad line: .env line 1: it does not begin with a variable's name");
    CHECK_ENV("\n\n1A=1\n", "bad line: .env line 3: it does not begin with a variable's name");
    CHECK_ENV("A=\"x\n", "bad line: .env line 1: the double quote is not closed on this line");
    CHECK_ENV("A='x\nB=1\n", "bad line: .env line 1: the single quote is not closed on this line");
    CHECK_ENV("A='x'y\n", "bad line: .env line 1: something stands behind the closing quote");
    CHECK_ENV("A=\"\\q\"\n",
              "bad line: .env line 1: only \\n \\t \\\" \\\\ \\$ are escapes in double quotes");
    CHECK_ENV("A=a\0b\n", "bad line: .env line 1: it holds a zero byte");
    CHECK(strlen(kdp_error_hint()) > 0);
}

KDP_TEST(env_survives_random_bytes)
{
    uint64_t state = kdp_test_seed();
    static const char some[] = "AB_=\"'\\#\n\r \t$x1\xef";
    char text[64];

    for (int i = 0; i < 20000; i++) {
        size_t len = kdp_test_random(&state) % sizeof text;

        for (size_t j = 0; j < len; j++)
            text[j] = some[kdp_test_random(&state) % (sizeof some - 1)];
        parse(text, len);
    }
}

/* ---- precedence --------------------------------------------------------------------------------- */

KDP_TEST(flag_wins_over_environment_over_env_file_over_default)
{
    const struct kdp_setting *level = kdpi_setting_find("log-level");
    struct kdp_settings *settings = fresh();
    char origin[4608], want[4608];
    const char *path = write_env("\nLOG_LEVEL=error\n");

    unsetenv("LOG_LEVEL");
    CHECK_STR(kdpi_settings_text(settings, level), "warning");
    kdpi_settings_origin(settings, level, origin, sizeof origin);
    CHECK_STR(origin, "default");
    CHECK(!kdpi_settings_given(settings, level));
    CHECK_INT(kdpi_settings_env_file(settings, path, true), 0);
    CHECK_STR(kdpi_settings_text(settings, level), "error");
    kdpi_settings_origin(settings, level, origin, sizeof origin);
    snprintf(want, sizeof want, "%s line 2, LOG_LEVEL", path);
    CHECK_STR(origin, want);
    setenv("LOG_LEVEL", "info", 1);
    CHECK_INT(kdpi_settings_environment(settings), 0);
    CHECK_STR(kdpi_settings_text(settings, level), "info");
    CHECK_INT(kdpi_settings_flag(settings, level, "debug"), 0);
    CHECK_STR(kdpi_settings_text(settings, level), "debug");
    kdpi_settings_origin(settings, level, origin, sizeof origin);
    CHECK_STR(origin, "--log-level, over environment, LOG_LEVEL");
    kdpi_settings_free(settings);
}

/* kdp reads the flags before the files, so the order of the calls must not decide. */
KDP_TEST(precedence_does_not_depend_on_the_order_of_reading)
{
    const struct kdp_setting *level = kdpi_setting_find("log-level");
    struct kdp_settings *settings = fresh();
    char origin[4608];

    setenv("LOG_LEVEL", "info", 1);
    CHECK_INT(kdpi_settings_flag(settings, level, "debug"), 0);
    CHECK_INT(kdpi_settings_env_file(settings, write_env("LOG_LEVEL=error\n"), true), 0);
    CHECK_INT(kdpi_settings_environment(settings), 0);
    CHECK_STR(kdpi_settings_text(settings, level), "debug");
    CHECK_INT(kdpi_settings_source(settings, level), KDP_SOURCE_FLAG);
    kdpi_settings_origin(settings, level, origin, sizeof origin);
    CHECK_STR(origin, "--log-level, over environment, LOG_LEVEL");
    kdpi_settings_free(settings);
}

KDP_TEST(an_empty_variable_counts_as_not_given)
{
    const struct kdp_setting *data = kdpi_setting_find("data");
    struct kdp_settings *settings = fresh();

    setenv("KDP_DATA", "", 1);
    CHECK_INT(kdpi_settings_env_file(settings, write_env("KDP_DATA=\n"), true), 0);
    CHECK_INT(kdpi_settings_environment(settings), 0);
    CHECK_STR(kdpi_settings_text(settings, data), "./data");
    CHECK(!kdpi_settings_given(settings, data));
    kdpi_settings_free(settings);
}

KDP_TEST(the_last_of_two_lines_wins)
{
    const struct kdp_setting *data = kdpi_setting_find("data"), *key = kdpi_setting_find("api-key");
    struct kdp_settings *settings = fresh();

    CHECK_INT(kdpi_settings_env_file(
                  settings, write_env("KDP_DATA=a\nKDP_DATA=b\nKALSHI_API_KEY=k\nKALSHI_API_KEY=\n"), true),
              0);
    CHECK_STR(kdpi_settings_text(settings, data), "b");
    CHECK(kdpi_settings_text(settings, key) == NULL);
    kdpi_settings_free(settings);
}

KDP_TEST(a_missing_env_file_is_an_error_only_when_named)
{
    struct kdp_settings *settings = fresh();

    CHECK_INT(kdpi_settings_env_file(settings, "/nonexistent/.env", false), 0);
    CHECK_INT(kdpi_settings_env_file(settings, "/nonexistent/.env", true), -KDP_ENOENT);
    CHECK_INT(kdpi_settings_env_file(settings, "/", true), -KDP_EUSAGE);
    kdpi_settings_free(settings);
}

KDP_TEST(lists_grow_by_flags_and_commas_and_files_keep_their_commas)
{
    const struct kdp_setting *types = kdpi_setting_find("types"), *input = kdpi_setting_find("input");
    struct kdp_settings *settings = fresh();
    const char *const *items;

    CHECK_INT(kdpi_settings_flag(settings, types, "trade,bbo"), 0);
    CHECK_INT(kdpi_settings_flag(settings, types, "state,"), 0);
    CHECK_INT(kdpi_settings_list(settings, types, &items), 3);
    CHECK_STR(items[1], "bbo");
    CHECK_STR(items[2], "state");
    CHECK_INT(kdpi_settings_flag(settings, input, "a,b.jsonl"), 0);
    CHECK_INT(kdpi_settings_list(settings, input, &items), 1);
    CHECK_STR(items[0], "a,b.jsonl");
    kdpi_settings_free(settings);
}

/* ---- values ------------------------------------------------------------------------------------- */

static int64_t
bytes(const char *text)
{
    int64_t value = -1;

    return kdpi_parse_bytes(text, &value) == 0 ? value : -1;
}

static int64_t
span(const char *text)
{
    int64_t value = -1;

    return kdpi_parse_span(text, &value) == 0 ? value : -1;
}

KDP_TEST(sizes_and_spans_are_exact)
{
    CHECK_INT(bytes("64M"), 64 << 20);
    CHECK_INT(bytes("64mib"), 64 << 20);
    CHECK_INT(bytes("1.5GB"), 1500000000);
    CHECK_INT(bytes("0.5k"), 512);
    CHECK_INT(bytes("123"), 123);
    CHECK_INT(bytes("1.5X"), -1);
    CHECK_INT(bytes("-1"), -1);
    CHECK_INT(bytes("9999999999G"), -1);
    CHECK_INT(bytes(""), -1);
    CHECK_INT(span("10ms"), 10 * KDP_NS_PER_MS);
    CHECK_INT(span("1.5s"), 1500 * KDP_NS_PER_MS);
    CHECK_INT(span("90"), 90 * KDP_NS_PER_S);
    CHECK_INT(span("1m"), 60 * KDP_NS_PER_S);
    CHECK_INT(span("15min"), 900 * KDP_NS_PER_S);
    CHECK_INT(span("7d"), 7 * KDP_NS_PER_DAY);
    CHECK_INT(span("1M"), -1); /* a month is no span */
    CHECK_INT(span("1 s"), -1);
    CHECK_INT(span("1."), -1);
    CHECK_INT(span("1000000d"), -1);
}

static const char *
refused(const char *name, const char *text)
{
    const struct kdp_setting *setting = kdpi_setting_find(name);
    struct kdp_settings *settings = fresh();
    int rc;

    CHECK_INT(kdpi_settings_flag(settings, setting, text), 0);
    rc = kdpi_settings_check(settings, setting);
    kdpi_settings_free(settings);
    if (rc == 0)
        return "";
    CHECK_INT(rc, -KDP_EUSAGE);
    CHECK(strlen(kdp_error_hint()) > 0);
    return kdp_error_text();
}

KDP_TEST(values_that_do_not_fit_are_refused_with_a_next_step)
{
    CHECK_STR(refused("at", "15:04"), "--at \"15:04\" is not a time");
    CHECK_STR(refused("at", "2026-11-22T15:04:00Z"), "");
    CHECK_STR(refused("at", "1795348800"), "");
    CHECK_STR(refused("start", "20261122"), "--start \"20261122\" is not a time");
    CHECK_STR(kdp_error_hint(), "A day is written 2026-11-22");
    CHECK_STR(refused("from", "yesterday"), "--from \"yesterday\" is not a place in the stream");
    CHECK_STR(refused("from", "784200"), "");
    CHECK_STR(refused("from", "now"), "");
    CHECK_STR(refused("from", "@1795348800"), "");
    CHECK_STR(refused("to", "end"), "");
    CHECK_STR(refused("format", "xml"), "--format \"xml\" is not a choice");
    CHECK_STR(refused("format", "CSV"), "");
    CHECK_STR(refused("limit", "1e5"), "--limit \"1e5\" is not a whole number");
    CHECK_STR(refused("limit", "0"), "--limit \"0\" is not in range");
    CHECK_STR(refused("ring-size", "lots"), "--ring-size \"lots\" is not a size");
    CHECK_STR(refused("ring-size", "1K"), "--ring-size \"1K\" is not in range");
    CHECK_STR(refused("base-url", "example.com"), "--base-url \"example.com\" is not an address");
    CHECK_STR(refused("base-url", "https:///x"), "--base-url \"https:///x\" is not an address");
    CHECK_STR(refused("ws-url", "https://example.com"), "--ws-url \"https://example.com\" is not an address");
    CHECK_STR(refused("ws-url", "wss://example.com/x"), "");
    CHECK_STR(refused("interval", "\033[2J"), "--interval \"\\x1b[2J\" is not a span of time");
}

KDP_TEST(a_refusal_names_where_the_value_stands)
{
    const struct kdp_setting *port = kdpi_setting_find("questdb-rdb-port");
    struct kdp_settings *settings = fresh();
    const char *path = write_env("# x\nQUESTDB_RDB_PORT=high\n");
    char want[4608];

    unsetenv("QUESTDB_RDB_PORT");
    CHECK_INT(kdpi_settings_env_file(settings, path, true), 0);
    CHECK_INT(kdpi_settings_check(settings, port), -KDP_EUSAGE);
    snprintf(want, sizeof want, "QUESTDB_RDB_PORT (%s line 2) \"high\" is not a whole number", path);
    CHECK_STR(kdp_error_text(), want);
    kdpi_settings_free(settings);
}

KDP_TEST(every_default_of_the_table_fits_its_own_row)
{
    const struct kdp_setting *setting;
    struct kdp_settings *settings = fresh();

    for (size_t i = 0; (setting = kdpi_setting_at(i)) != NULL; i++) {
        CHECK_INT(kdpi_settings_check(settings, setting), 0);
        CHECK(setting->about != NULL && setting->about[strlen(setting->about) - 1] != '.');
        CHECK((setting->env != NULL) == (setting->section != KDP_SECTION_COMMAND));
        CHECK(setting->type == KDP_SETTING_SWITCH || setting->unit != NULL);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(kdpi_setting_at(j)->name, setting->name) != 0);
    }
    kdpi_settings_free(settings);
}

/* The names that scripts of the tools before rely on. */
KDP_TEST(the_known_variables_are_there)
{
    static const char *const names[] = {
        "KALSHI_API_KEY",       "KALSHI_PRIVATE_KEY_PATH", "KALSHI_BASE_URL",  "KALSHI_WS_URL",
        "KALSHI_WS_AUTH_TOKEN", "KALSHI_CA_FILE",          "QUESTDB_RDB_HOST", "QUESTDB_RDB_PORT",
        "QUESTDB_HDB_HOST",     "QUESTDB_HDB_PORT",        "LOG_LEVEL",        "KDP_DATA"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_STR(kdpi_setting_nearest_env(names[i]), names[i]);
    CHECK_STR(kdpi_setting_nearest_env("KALSHI_APIKEY"), "KALSHI_API_KEY");
    CHECK(kdpi_setting_nearest_env("PATH") == NULL);
}

KDP_TEST(word_distance_counts_slips)
{
    CHECK_INT(kdpi_word_distance("replay", "replay"), 0);
    CHECK_INT(kdpi_word_distance("repaly", "replay"), 1);
    CHECK_INT(kdpi_word_distance("rplay", "replay"), 1);
    CHECK_INT(kdpi_word_distance("at_seq", "AT-SEQ"), 0);
    CHECK_INT(kdpi_word_distance("", "abc"), 3);
    CHECK_INT(kdpi_word_distance("kitten", "sitting"), 3);
}
