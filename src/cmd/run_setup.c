/* run_setup.c - see run_setup.h. */
#include "run_setup.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "ask_setup.h"
#include "cli_private.h"
#include "error.h"
#include "screen.h"
#include "url.h"

#define RING_LEAST (UINT64_C(4) << 20)

int
kdp_run_credentials(const struct kdp_cli *cli, struct kdp_signer **signerp)
{
    return kdp_ask_credentials(cli, true, signerp);
}

int
kdp_run_keyless(const struct kdp_cli *cli, struct kdp_signer **signerp)
{
    static const char *const ignored[] = {"api-key", "private-key", "ws-auth-token"};
    int rc = kdp_signer_open_clock(signerp);

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (kdp_cli_text(cli, ignored[i]) != NULL) {
            char origin[256];

            kdp_cli_origin(cli, ignored[i], origin, sizeof origin);
            kdp_cli_notice(cli, "With it the books are live: kdp run, without --keyless",
                           "--keyless: the key is not used (%s)", origin);
            break;
        }
    return rc == 0 ? 0 : kdp_cli_error(cli, rc);
}

int
kdp_run_addresses(const struct kdp_cli *cli)
{
    int code = kdp_ask_address(cli, "base-url", false);

    return code != 0 || kdp_cli_switch(cli, "keyless") ? code : kdp_ask_address(cli, "ws-url", true);
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

    return code != 0 || kdp_cli_switch(cli, "keyless") ? code : name_of(cli, "ws-url");
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
