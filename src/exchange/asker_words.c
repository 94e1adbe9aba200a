/* asker_words.c - what a person is told when a request comes to nothing: what, where, why, and what to do next. */
#include "asker_private.h"

#include "error.h"
#include "http.h"
#include "rest.h"
#include "screen.h"
#include "sign.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

#define PATH_TEXT 120
#define NEXT_STATE "Does the exchange pause? See: kdp status"

/* A path without what says little: long cursors and lists are cut. */
static void
put_path(char buf[PATH_TEXT], const char *path)
{
    size_t len = strlen(path);

    if (len < PATH_TEXT - 4)
        kdpi_escape(buf, PATH_TEXT, path, len);
    else
        snprintf(buf, PATH_TEXT, "%.*s...", PATH_TEXT - 8, path);
}

/* 503 "service unavailable": the status, and the exchange's own words, in which nothing of the key may come back to us. */
static void
put_status(const struct kdp_asker *asker, char *buf, size_t size, int status, const char *body, size_t len)
{
    char code[64], message[256];

    kdpi_rest_error(body, len, code, message);
    if (message[0] == '\0')
        snprintf(message, sizeof message, "%s", code);
    kdp_signer_hide(asker->config.signer, message, strlen(message));
    kdpi_hide(message, strlen(message), asker->token);
    if (message[0] != '\0')
        snprintf(buf, size, "%d \"%s\"", status, message);
    else
        snprintf(buf, size, "%d", status);
}

/* What we asked with: a slip in the address is the first thing to look at, so where it was set is told. */
static int
no_answer(const struct asker_ask *ask, const char *times)
{
    const struct kdp_asker *asker = ask->asker;
    const struct kdp_http_answer *http = ask->http;
    char path[PATH_TEXT], from[300] = "";
    int rc;

    put_path(path, ask->path);
    if (asker->base_url_from != NULL)
        snprintf(from, sizeof from, " (%s)", asker->base_url_from);
    if (asker->spoke || (http->connected && http->error_code != KDP_ETIMEOUT)) {
        rc = kdpi_fail((enum kdp_error)http->error_code, "%s: %s%s", http->error, path, times);
        if (http->error_code == KDP_EFORMAT)
            kdpi_hint("Is that the address of the exchange's API? See --base-url (KALSHI_BASE_URL)");
        else
            kdpi_hint("Is the network well, and the exchange? See: kdp status; then try again");
        return rc;
    }
    rc = kdpi_fail((enum kdp_error)http->error_code, "%s%s", http->error, from);
    if (strncmp(http->error, "no such host", 12) == 0)
        kdpi_hint("Mend the name; if it is right, the network is down");
    else if (http->error_code == KDP_EREFUSED)
        kdpi_hint("If that issuer is yours, add its root: --ca-file FILE.pem. Checking cannot be turned off");
    else
        kdpi_hint("Is that the address, and is the network up?");
    return rc;
}

int
asker_gave_up(const struct asker_ask *ask, enum asker_trouble trouble, bool budget)
{
    const struct kdp_asker *asker = ask->asker;
    const struct kdp_http_answer *http = ask->http;
    char path[PATH_TEXT], status[360], times[96], tokens[KDPI_SCREEN_TEXT];
    int rc = -KDP_ENET;

    put_path(path, ask->path);
    put_status(asker, status, sizeof status, http->status, http->body, http->len);
    if (budget)
        snprintf(times, sizeof times, "; %llu of %llu requests had to be repeated, that is too many",
                 (unsigned long long)asker->repeats, (unsigned long long)asker->asked);
    else if (ask->answer.tries > 1)
        snprintf(times, sizeof times, "; %u tries", ask->answer.tries);
    else
        times[0] = '\0';
    switch (trouble) {
    case ASKER_NO_ANSWER:
        return no_answer(ask, times);
    case ASKER_LIMITED:
        rc = kdpi_fail(KDP_EREFUSED, "asked too often: %s: %s: %s%s", asker->host, status, path, times);
        if (asker->share->pace.rate == 0)
            kdpi_hint("Ask at a lower rate, or later");
        else
            kdpi_hint(
                "Does something else use this account, or this network? The budget is %s tokens a second",
                kdpi_screen_count(tokens, (uint64_t)asker->share->pace.rate));
        return rc;
    case ASKER_FAILED:
        rc = kdpi_fail(KDP_ENET, "the exchange failed: %s: %s: %s%s", asker->host, status, path, times);
        kdpi_hint(NEXT_STATE);
        return rc;
    case ASKER_NOT_JSON:
        if (http->len > 0 && http->body[0] == '{')
            rc = kdpi_fail(KDP_EFORMAT, "answer cut short: %s: %s: %zu bytes%s", asker->host, path, http->len,
                           times);
        else
            rc = kdpi_fail(KDP_EFORMAT, "not an answer of the exchange: %s: %s: %s%s", asker->host, path,
                           http->len == 0         ? "it is empty"
                           : http->body[0] == '<' ? "it is HTML or XML"
                                                  : "it is no JSON object",
                           times);
        kdpi_hint("Is that the address of the exchange's API? See --base-url (KALSHI_BASE_URL)");
        return rc;
    case ASKER_UNREADABLE:
        rc = kdpi_fail(KDP_EFORMAT, "cannot be read: %s: %s: %s%s", asker->host, path, ask->why, times);
        kdpi_hint("What the exchange sends may be newer than this program: kdp version");
        return rc;
    case ASKER_FINE:
        break;
    }
    return rc;
}

int
kdp_asker_refused(const struct kdp_asker *asker, const struct kdp_asker_answer *answer)
{
    char path[PATH_TEXT], status[360], code[64], message[256];
    int rc;

    put_path(path, answer->path);
    put_status(asker, status, sizeof status, answer->status, answer->body, answer->len);
    kdpi_rest_error(answer->body, answer->len, code, message);
    if (answer->status == 401 && asker->config.signer == NULL) {
        rc = kdpi_fail(KDP_EREFUSED, "the exchange wants a key: %s: %s: %s", asker->host, status, path);
        kdpi_hint("Set KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH; see env.example");
    } else if (answer->status == 401 &&
               (strstr(code, "timestamp") != NULL || strstr(message, "timestamp") != NULL)) {
        rc = kdpi_fail(KDP_EREFUSED, "the exchange refused the time of the signature: %s: %s", asker->host,
                       status);
        kdpi_hint(
            "This clock is off, and the exchange's could not be learnt. Mend it: timedatectl set-ntp true");
    } else if (answer->status == 401) {
        rc = kdpi_fail(KDP_EREFUSED, "the exchange refused the key: %s: %s", asker->host, status);
        kdpi_hint(
            "Do ID and file belong together, and to this environment (KALSHI_BASE_URL)? Try again with: kdp "
            "status");
    } else if (answer->status == 404) {
        rc = kdpi_fail(KDP_ENOENT, "not on the exchange: %s: %s: %s", asker->host, status, path);
        kdpi_hint("Is the name right, and the address? See --base-url (KALSHI_BASE_URL)");
    } else if (answer->status >= 300 && answer->status < 400) {
        rc =
            kdpi_fail(KDP_EREFUSED, "the exchange sends us elsewhere: %s: %s: %s", asker->host, status, path);
        kdpi_hint("Is that the address of the exchange's API? See --base-url (KALSHI_BASE_URL)");
    } else if (answer->status == 500 || answer->status == 503 || answer->status == 504) {
        rc = kdpi_fail(KDP_ENET, "the exchange failed: %s: %s: %s", asker->host, status, path);
        kdpi_hint(NEXT_STATE);
    } else {
        rc = kdpi_fail(KDP_EREFUSED, "the exchange refused: %s: %s: %s", asker->host, status, path);
        kdpi_hint(answer->status == 403
                      ? "May this key ask for that? Its scopes are in the account settings there"
                      : "What was asked is wrong for the exchange: kdp help tells what can be");
    }
    return rc;
}
