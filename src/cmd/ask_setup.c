/* ask_setup.c - see ask_setup.h. */
#include "ask_setup.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli_private.h"
#include "clock.h"
#include "error.h"
#include "screen.h"
#include "url.h"

#define CLOCK_BAD (5 * KDP_NS_PER_S) /* as of kdp status */

/* A setting the command does not take is not given. */
static const char *
text(const struct kdp_cli *cli, const char *name)
{
    return kdp_command_takes(cli->command, kdpi_setting_find(name)) ? kdp_cli_text(cli, name) : NULL;
}

/* The old token: sent, since old setups rely on it, but said to be of no use. */
static void
say_token(const struct kdp_cli *cli, bool key)
{
    char origin[256];

    kdp_cli_origin(cli, "ws-auth-token", origin, sizeof origin);
    kdp_cli_warning(cli,
                    !key ? "Set KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH; then the token can go"
                         : "There is a key: the token can go",
                    "KALSHI_WS_AUTH_TOKEN (%s) is sent, but the exchange wants a signature", origin);
}

/* A core file would have the key in it, so none is written while there is one; prlimit allows it to those who must look. */
static void
no_core(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
}

int
kdp_ask_credentials(const struct kdp_cli *cli, bool needed, struct kdp_signer **signerp)
{
    const char *key_id = text(cli, "api-key"), *path = text(cli, "private-key");
    bool token = text(cli, "ws-auth-token") != NULL;
    int rc;

    *signerp = NULL;
    if (token)
        say_token(cli, key_id != NULL && path != NULL);
    if (key_id == NULL && path == NULL && (token || !needed))
        return 0;
    if (key_id == NULL || path == NULL) {
        if (key_id == NULL && path == NULL)
            kdpi_fail(KDP_EUSAGE, "no API key: KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH are empty (flags, "
                                  "environment, .env)");
        else
            kdpi_fail(KDP_EUSAGE, "no API key: %s is empty (flags, environment, .env)",
                      key_id == NULL ? "KALSHI_API_KEY" : "KALSHI_PRIVATE_KEY_PATH");
        if (needed)
            kdpi_hint("The exchange streams to signed sessions only. Fill in .env (see env.example), or "
                      "without a key: "
                      "kdp run --keyless");
        else
            kdpi_hint("Both are needed, the key's ID and its file; or neither, then public data is asked for "
                      "without a "
                      "key");
        return kdp_cli_error(cli, -KDP_EUSAGE);
    }
    rc = kdp_signer_open(signerp, key_id, path);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    no_core();
    return 0;
}

int
kdp_ask_address(const struct kdp_cli *cli, const char *name, bool websocket)
{
    const char *given = kdp_cli_text(cli, name);
    char origin[256], kept[512], hint[256];
    struct kdp_url url;
    int rc = kdpi_url_parse(&url, given);

    if (rc == 0 && url.websocket == websocket)
        return 0;
    kdp_cli_origin(cli, name, origin, sizeof origin);
    if (rc == 0)
        snprintf(kept, sizeof kept, "%s: its scheme is not %s", given, websocket ? "wss" : "https");
    else
        snprintf(kept, sizeof kept, "%s", kdp_error_text());
    snprintf(hint, sizeof hint, "%s", rc == 0 ? "" : kdp_error_hint());
    rc = kdpi_fail(KDP_EUSAGE, "%s (%s) is no address: %s", name, origin, kept);
    if (hint[0] != '\0')
        kdpi_hint("%s", hint);
    else
        kdpi_hint("kdp config --defaults shows the exchange's own");
    return kdp_cli_error(cli, rc);
}

static void
say_trouble(const void *arg, const char *words)
{
    if (kdp_bar_drawn) /* it comes back with its next update */
        fputs("\r\033[K", stderr);
    kdp_cli_notice(arg, NULL, "%s", words);
}

int
kdp_ask_open(struct kdp_ask *ask, const struct kdp_cli *cli, const struct kdp_asker_config *wants)
{
    struct kdp_asker_config config = wants != NULL ? *wants : (struct kdp_asker_config){0};
    char origin[256], from[300];
    int code, rc;

    *ask = (struct kdp_ask){.cli = cli};
    code = kdp_ask_address(cli, "base-url", false);
    if (code == 0)
        code = kdp_ask_credentials(cli, false, &ask->signer);
    if (code != 0)
        return code;
    kdp_cli_origin(cli, "base-url", origin, sizeof origin);
    if (strncmp(origin, "--", 2) == 0)
        snprintf(from, sizeof from, "%s", origin); /* it names the setting itself */
    else
        snprintf(from, sizeof from, "base-url, %s", origin);
    config.base_url = kdp_cli_text(cli, "base-url");
    config.base_url_from = from;
    config.ca_file = text(cli, "ca-file");
    config.token = text(cli, "ws-auth-token");
    config.signer = ask->signer;
    if (config.stopped == NULL)
        config.stopped = kdp_cli_interrupted;
    config.say = say_trouble;
    config.say_arg = cli;
    if (config.seed == 0)
        config.seed = (uint64_t)kdpi_now_ns();
    if (text(cli, "test-pace") != NULL)
        config.pace_percent = (unsigned)kdp_cli_count(cli, "test-pace");
    rc = kdp_asker_open(&ask->asker, &config);
    if (rc == 0)
        return 0;
    code = kdp_cli_error(cli, rc);
    kdp_ask_close(ask);
    return code;
}

/* A signature had to be made with the exchange's time: it worked, but what is received is filed under this clock's. */
static void
say_clock(const struct kdp_cli *cli, int64_t offset_ns)
{
    char span[KDPI_SCREEN_TEXT];

    kdpi_screen_span(span, offset_ns < 0 ? -offset_ns : offset_ns);
    kdp_cli_warning(cli, "Signing with the exchange's time. Mend it: timedatectl set-ntp true",
                    "this clock is %s %s the exchange's", span, offset_ns < 0 ? "ahead of" : "behind");
}

void
kdp_ask_close(struct kdp_ask *ask)
{
    int64_t offset_ns = ask->signer != NULL ? kdp_signer_offset_ns(ask->signer) : 0;

    if (offset_ns > CLOCK_BAD || offset_ns < -CLOCK_BAD)
        say_clock(ask->cli, offset_ns);
    kdp_asker_close(ask->asker);
    kdp_signer_close(ask->signer);
    *ask = (struct kdp_ask){0};
}
