/* run_setup.c - see run_setup.h. */
#include "run_setup.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "cli_private.h"
#include "error.h"
#include "screen.h"
#include "url.h"

#define RING_LEAST (UINT64_C(4) << 20)

int
kdp_run_credentials(const struct kdp_cli *cli, struct kdp_signer **signerp)
{
    const char *key_id = kdp_cli_text(cli, "api-key"), *path = kdp_cli_text(cli, "private-key");
    bool token = kdp_cli_given(cli, "ws-auth-token");
    char origin[256];
    int rc;

    *signerp = NULL;
    if (token) {
        kdp_cli_origin(cli, "ws-auth-token", origin, sizeof origin);
        kdp_cli_warning(cli,
                        key_id == NULL || path == NULL
                            ? "Set KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH; then the token can go"
                            : "There is a key: the token can go",
                        "KALSHI_WS_AUTH_TOKEN (%s) is sent, but the exchange wants a signature", origin);
    }
    if (key_id == NULL && path == NULL && token)
        return 0;
    if (key_id == NULL || path == NULL) {
        if (key_id == NULL && path == NULL)
            kdpi_fail(KDP_EUSAGE, "no API key: KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH are empty (flags, "
                                  "environment, .env)");
        else
            kdpi_fail(KDP_EUSAGE, "no API key: %s is empty (flags, environment, .env)",
                      key_id == NULL ? "KALSHI_API_KEY" : "KALSHI_PRIVATE_KEY_PATH");
        kdpi_hint(
            "The exchange streams to signed sessions only. Fill in .env (see env.example), or practise on: "
            "kdp sim");
        return kdp_cli_error(cli, -KDP_EUSAGE);
    }
    rc = kdp_signer_open(signerp, key_id, path);
    return rc == 0 ? 0 : kdp_cli_error(cli, rc);
}

static int
address(const struct kdp_cli *cli, const char *name, bool websocket)
{
    const char *text = kdp_cli_text(cli, name);
    char origin[256], kept[512], hint[256];
    struct kdp_url url;
    int rc = kdpi_url_parse(&url, text);

    if (rc == 0 && url.websocket == websocket)
        return 0;
    kdp_cli_origin(cli, name, origin, sizeof origin);
    if (rc == 0)
        snprintf(kept, sizeof kept, "%s: its scheme is not %s", text, websocket ? "wss" : "https");
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

int
kdp_run_addresses(const struct kdp_cli *cli)
{
    int code = address(cli, "base-url", false);

    return code != 0 ? code : address(cli, "ws-url", true);
}

static int
name_of(const struct kdp_cli *cli, const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char origin[256];
    struct kdp_url url;
    int rc = kdpi_url_parse(&url, kdp_cli_text(cli, name));

    if (rc != 0 || getaddrinfo(url.host, NULL, &hints, &found) == 0) {
        if (found != NULL)
            freeaddrinfo(found);
        return 0;
    }
    kdp_cli_origin(cli, name, origin, sizeof origin);
    rc = kdpi_fail(KDP_ENET, "no such host: %s (%s, %s)", url.host, name, origin);
    kdpi_hint("Mend the name; if it is right, the network is down");
    return kdp_cli_error(cli, rc);
}

int
kdp_run_names(const struct kdp_cli *cli)
{
    int code = name_of(cli, "base-url");

    return code != 0 ? code : name_of(cli, "ws-url");
}

void
kdp_run_rings(struct kdp_cli *cli)
{
    uint64_t ring = (uint64_t)kdp_cli_count(cli, "ring-size"),
             raw = (uint64_t)kdp_cli_count(cli, "raw-ring-size"), room;
    char text[32], a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT];
    struct statvfs fs;

    if (kdp_cli_given(cli, "ring-size") || kdp_cli_given(cli, "raw-ring-size") ||
        statvfs("/dev/shm", &fs) != 0)
        return;
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    room -= room / 16; /* the counters, and what others take meanwhile */
    if (ring + raw <= room)
        return;
    while (ring + raw > room && ring > RING_LEAST) { /* below that, opening it says what is missing */
        ring /= 2;
        raw = ring / 2;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)ring);
    kdpi_settings_default(cli->settings, kdpi_setting_find("ring-size"), text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)raw);
    kdpi_settings_default(cli->settings, kdpi_setting_find("raw-ring-size"), text);
    kdp_cli_notice(
        cli,
        "The tape may then be behind for less time before capture waits. More: docker run --shm-size 512m",
        "/dev/shm has room for %s: rings of %s and %s", kdpi_screen_bytes(a, room),
        kdpi_screen_bytes(b, ring), kdpi_screen_bytes(c, raw));
}
