/* status_exchange.c - the exchange and the key: asked over REST, all at once, for five seconds at most. */
#include "status.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "http.h"
#include "kdp/records.h"
#include "rest.h"
#include "screen.h"
#include "sign.h"
#include "url.h"
#include "words.h"

#define PATIENCE (5 * KDP_NS_PER_S)
#define LOOK_MS 100
#define PAUSES_MAX 128u
#define PAUSES_AHEAD (35 * KDP_NS_PER_DAY) /* maintenance is announced so long before */
#define CLOCK_GRAIN KDP_NS_PER_S           /* a Date has no more */
#define CLOCK_BAD (5 * KDP_NS_PER_S)       /* further off than that, times in the stream mislead */

enum question { STATUS, SCHEDULE, LIMITS, QUESTIONS };
static const char *const paths[QUESTIONS] = {"/exchange/status", "/exchange/schedule", "/account/limits"};

struct asking {
    struct kdp_status *status;
    struct kdp_http *open,
        *signing; /* without a signature, which a CDN may answer; with one; NULL: not asked */
    struct kdp_signer *signer;
    struct kdp_http_answer *answers[QUESTIONS];
    int64_t clock_lo_ns, clock_hi_ns; /* theirs less ours is between them, when lo <= hi */
    bool clock_known;
    char host[256];
    char words[512], hint[512];         /* why nothing could be asked */
    char key_words[512], key_hint[512]; /* why there is no signer, when one was wanted */
};

/* ---- asking ---- */

/* Each Date bounds the difference of the clocks: it was true at some moment between sending and getting. */
static void
narrow_clock(struct asking *a, const struct kdp_http_answer *answer)
{
    int64_t lo_ns, hi_ns;

    if (answer->date_ns == KDP_TIME_NULL)
        return;
    lo_ns = answer->date_ns - answer->got_ns;
    hi_ns = answer->date_ns + KDP_NS_PER_S - answer->sent_ns;
    if (!a->clock_known || lo_ns > a->clock_lo_ns)
        a->clock_lo_ns = lo_ns;
    if (!a->clock_known || hi_ns < a->clock_hi_ns)
        a->clock_hi_ns = hi_ns;
    a->clock_known = true;
}

static bool
is_unsigned_time(const struct kdp_http_answer *answer)
{
    char code[64], message[256];

    if (answer->status != 401)
        return false;
    kdpi_rest_error(answer->body, answer->len, code, message);
    return strstr(code, "timestamp") != NULL || strstr(message, "timestamp") != NULL;
}

/* Takes what has come; a key refused for the time of its signature is tried once more, with the exchange's own time, which
 * the refusal has just told. */
static void
take(struct asking *a, struct kdp_http *http, bool *againp)
{
    struct kdp_http_answer *answer;

    while (http != NULL && (answer = kdp_http_take(http)) != NULL) {
        narrow_clock(a, answer);
        if (is_unsigned_time(answer) && !*againp && kdp_http_get(http, answer->request, answer->path) == 0) {
            *againp = true;
            kdp_http_answer_free(answer);
            continue;
        }
        kdp_http_answer_free(a->answers[answer->request]);
        a->answers[answer->request] = answer;
    }
}

static void
ask(struct asking *a)
{
    int64_t deadline_ns =
        kdpi_mono_ns() + PATIENCE + KDP_NS_PER_S / 2; /* the requests' own bound comes first */
    bool again = false;

    for (;;) {
        struct pollfd polls[2];
        nfds_t n = 0;

        take(a, a->open, &again);
        take(a, a->signing, &again);
        if (a->open != NULL && kdp_http_pending(a->open) > 0)
            polls[n++] = (struct pollfd){.fd = kdp_http_fd(a->open), .events = POLLIN};
        if (a->signing != NULL && kdp_http_pending(a->signing) > 0)
            polls[n++] = (struct pollfd){.fd = kdp_http_fd(a->signing), .events = POLLIN};
        if (n == 0 || kdpi_mono_ns() >= deadline_ns || kdp_cli_interrupted() != 0)
            return;
        poll(polls, n, LOOK_MS);
    }
}

/* ---- telling ---- */

/* Where a setting's value is from, for the words of an error that it may have caused: "" for a default. */
static void
put_origin(const struct kdp_status *status, char *buf, size_t size)
{
    char origin[256];

    buf[0] = '\0';
    if (!kdp_cli_given(status->cli, "base-url"))
        return;
    kdp_cli_origin(status->cli, "base-url", origin, sizeof origin);
    snprintf(buf, size, " (%s)", origin);
}

static void
tell_nothing(struct asking *a, const struct kdp_http_answer *answer)
{
    struct kdp_status *status = a->status;
    const char *words = answer != NULL ? answer->error : "no answer in time", *next;
    char origin[300];

    put_origin(status, origin, sizeof origin);
    if (answer != NULL && strncmp(words, "no such host", 12) == 0)
        next = "Mend the name; if it is right, the network is down";
    else if (answer != NULL && answer->error_code == KDP_EREFUSED)
        next = "If that issuer is yours, add its root: --ca-file FILE.pem. Checking cannot be turned off";
    else
        next = "Is that the address, and is the network up?";
    kdp_status_line(status, "exchange", "no answer", true, "%s%s", words, origin);
    kdp_status_line(status, "", "", true, "%s", next);
    kdp_status_text(status, "exchange", "state", "no answer");
    kdp_status_text(status, "exchange", "error", words);
}

/* What our clock is ahead of the exchange's; 0 while that is less than a Date can tell.  false: nothing is known, or several
 * answers contradict each other, since our clock was set while they came. */
static bool
clock_off(const struct asking *a, int64_t *off_nsp)
{
    int64_t lo_ns = a->clock_lo_ns, hi_ns = a->clock_hi_ns;

    if (!a->clock_known || lo_ns > hi_ns + CLOCK_GRAIN)
        return false;
    *off_nsp = lo_ns - CLOCK_GRAIN <= 0 && hi_ns + CLOCK_GRAIN >= 0 ? 0 : -(lo_ns + (hi_ns - lo_ns) / 2);
    return true;
}

static bool
clock_is_right(const struct asking *a)
{
    int64_t off_ns;

    return clock_off(a, &off_ns) && off_ns == 0;
}

static void
tell_clock(struct asking *a)
{
    struct kdp_status *status = a->status;
    char span[KDPI_SCREEN_TEXT];
    int64_t off_ns;
    bool bad;

    if (!clock_off(a, &off_ns)) {
        kdp_status_text(status, "exchange", "clock_off_s", NULL);
        return;
    }
    kdp_status_number(status, "exchange", "clock_off_s", "%.1f", (double)off_ns / (double)KDP_NS_PER_S);
    if (off_ns == 0)
        return;
    bad = off_ns < -CLOCK_BAD || off_ns > CLOCK_BAD;
    kdpi_screen_span(span, off_ns < 0 ? -off_ns : off_ns);
    kdp_status_line(status, "", "clock", bad, "this clock is %s %s the exchange's", span,
                    off_ns > 0 ? "ahead of" : "behind");
    if (bad)
        kdp_status_line(
            status, "", "", bad,
            "Signing with the exchange's time, receive times are wrong. Mend it: timedatectl set-ntp true");
}

/* The pauses from now on, of an answer that has them. */
static uint32_t
read_pauses(struct asking *a, struct kdp_rest_reader *reader, int64_t now_ns, struct kdp_rest_pause *pauses)
{
    const struct kdp_http_answer *answer = a->answers[SCHEDULE];
    enum kdp_refusal refusal;

    if (answer == NULL || answer->status != 200)
        return 0;
    return kdpi_rest_schedule(reader, answer->body, answer->len, now_ns, now_ns + PAUSES_AHEAD, pauses,
                              PAUSES_MAX, &refusal);
}

/* What the answer to a request says, for people: 503 "service unavailable". */
static void
put_refusal(const struct asking *a, const struct kdp_http_answer *answer, char *buf, size_t size)
{
    char code[64], message[256];

    kdpi_rest_error(answer->body, answer->len, code, message);
    if (message[0] == '\0')
        snprintf(message, sizeof message, "%s", code);
    kdp_signer_hide(a->signer, message,
                    strlen(message)); /* what they say may repeat what others of our programs said */
    kdpi_hide(message, strlen(message), kdp_cli_text(a->status->cli, "ws-auth-token"));
    if (message[0] != '\0')
        snprintf(buf, size, "%d \"%s\"", answer->status, message);
    else
        snprintf(buf, size, "%d", answer->status);
}

static void
tell_state(struct asking *a, const struct kdp_rest_status *exchange, const struct kdp_rest_pause *pauses,
           uint32_t count, int64_t now_ns)
{
    struct kdp_status *status = a->status;
    const struct kdp_http_answer *answer = a->answers[STATUS];
    bool trading = exchange->exchange_active && exchange->trading_active,
         all = exchange->shards_trading == exchange->shards;
    const struct kdp_rest_pause *pause = NULL;
    char shards[64] = "", span[128], resume[160] = "", answered[KDPI_SCREEN_TEXT];
    const char *state;

    for (uint32_t i = 0; i < count; i++)
        if (pauses[i].start_ns <= now_ns && (pause == NULL || pauses[i].end_ns > pause->end_ns))
            pause = &pauses[i];
    if (exchange->shards > 0)
        snprintf(shards, sizeof shards, "%u of %u shards trade; ", exchange->shards_trading,
                 exchange->shards);
    kdpi_screen_span(answered, answer->wait_ns);
    state = trading && all              ? "open"
            : pause != NULL             ? "paused"
            : trading                   ? "partly open"
            : exchange->exchange_active ? "no trading"
                                        : "closed";
    status->paused = pause != NULL && !(trading && all);
    if (exchange->resume_ns != KDP_TIME_NULL) {
        kdp_status_span(span, sizeof span, KDP_TIME_NULL, exchange->resume_ns);
        snprintf(resume, sizeof resume,
                 exchange->resume_ns > now_ns ? "expected back %s" : "was expected back %s", span);
    }
    if (trading && all) {
        kdp_status_line(status, "exchange", state, false, "%sanswered in %s%s", shards, answered,
                        clock_is_right(a) ? "; clock here right to 1 s" : "");
    } else if (pause != NULL) {
        kdp_status_span(span, sizeof span, KDP_TIME_NULL, pause->end_ns);
        kdp_status_line(status, "exchange", state, false, "%sby its schedule until %s%s%s", shards, span,
                        resume[0] != '\0' ? "; " : "", resume);
    } else {
        kdp_status_line(status, "exchange", state, true, "%snot by its schedule; %s", shards,
                        resume[0] != '\0' ? resume : "it does not say until when");
    }
    kdp_status_text(status, "exchange", "state", state);
    kdp_status_switch(status, "exchange", "exchange_active", exchange->exchange_active);
    kdp_status_switch(status, "exchange", "trading_active", exchange->trading_active);
    kdp_status_switch(status, "exchange", "trading", trading);
    kdp_status_number(status, "exchange", "shards", "%u", exchange->shards);
    kdp_status_number(status, "exchange", "shards_trading", "%u", exchange->shards_trading);
    kdp_status_number(status, "exchange", "answered_ms", "%.1f", (double)answer->wait_ns / 1e6);
    kdp_status_time(status, "exchange", "pause_end", pause != NULL ? pause->end_ns : exchange->resume_ns);
    kdp_status_time(status, "exchange", "estimated_resume", exchange->resume_ns);
    kdp_status_shards(status, exchange, status->paused);
}

static void
tell_exchange(struct asking *a)
{
    struct kdp_status *status = a->status;
    const struct kdp_http_answer *answer = a->answers[STATUS];
    struct kdp_rest_reader *reader = kdpi_rest_open();
    struct kdp_rest_pause pauses[PAUSES_MAX];
    struct kdp_rest_status exchange;
    int64_t now_ns = kdpi_now_ns();
    char words[400];
    uint32_t count;

    if (reader == NULL)
        return;
    /* the exchange's time, where ours is off: it is its schedule */
    if (a->clock_known)
        now_ns += a->clock_lo_ns > 0 ? a->clock_lo_ns : a->clock_hi_ns < 0 ? a->clock_hi_ns : 0;
    if (answer == NULL || answer->status == 0) {
        tell_nothing(a, answer);
    } else if (kdpi_rest_status(reader, answer->body, answer->len, &exchange) == KDP_REFUSAL_NONE) {
        count = read_pauses(a, reader, now_ns, pauses); /* a 503 may hold the same body */
        tell_state(a, &exchange, pauses, count, now_ns);
        tell_clock(a);
        kdp_status_pauses(status, pauses, count, now_ns);
        kdp_status_list_shards(status, &exchange);
        kdp_status_list_pauses(status, pauses, count, now_ns);
    } else {
        put_refusal(a, answer, words, sizeof words);
        kdp_status_line(status, "exchange", "not known", true, "%s answered %s to %s", a->host, words,
                        answer->path);
        if (answer->status == 404)
            kdp_status_line(status, "", "", true,
                            "Is it the address of the exchange's API? See --base-url (KALSHI_BASE_URL)");
        kdp_status_text(status, "exchange", "state", "not known");
        kdp_status_text(status, "exchange", "error", words);
        tell_clock(a);
    }
    kdpi_rest_close(reader);
}

/* ---- the key ---- */

static void
key_line(struct kdp_status *status, const char *state, bool bad, const char *words, const char *next)
{
    kdp_status_line(status, "key", state, bad, "%s", words);
    if (next != NULL && next[0] != '\0')
        kdp_status_line(status, "", "", bad, "%s", next);
    kdp_status_text(status, "key", "state", state);
    if (bad)
        kdp_status_text(status, "key", "error", words);
}

/* Reads the key, and keeps the words when it cannot be used: they are told behind the exchange's. */
static void
open_key(struct asking *a)
{
    const char *id = kdp_cli_text(a->status->cli, "api-key"),
               *path = kdp_cli_text(a->status->cli, "private-key");

    if (id == NULL && path == NULL)
        return;
    if (id == NULL || path == NULL) {
        snprintf(a->key_words, sizeof a->key_words, "%s is empty",
                 id == NULL ? "KALSHI_API_KEY" : "KALSHI_PRIVATE_KEY_PATH");
        snprintf(a->key_hint, sizeof a->key_hint, "Both are needed: the key's ID and its file");
    } else if (kdp_signer_open(&a->signer, id, path) != 0) {
        snprintf(a->key_words, sizeof a->key_words, "%s", kdp_error_text());
        snprintf(a->key_hint, sizeof a->key_hint, "%s", kdp_error_hint());
    }
}

static void
tell_key(struct asking *a)
{
    struct kdp_status *status = a->status;
    const struct kdp_http_answer *answer = a->answers[LIMITS];
    const char *kind = kdp_signer_words(a->signer);
    struct kdp_rest_reader *reader;
    struct kdp_rest_limits limits;
    char words[512], refusal[400], tokens[KDPI_SCREEN_TEXT];

    if (answer == NULL || answer->status == 0) {
        snprintf(words, sizeof words, "%s; not asked for, the exchange does not answer", kind);
        key_line(status, "set up", false, words, NULL);
    } else if (answer->status == 401 || answer->status == 403) {
        put_refusal(a, answer, refusal, sizeof refusal);
        snprintf(words, sizeof words, "%s: %s: %s", kind, a->host, refusal);
        key_line(status, "refused", true, words,
                 "Do ID and file belong together, and to this environment (KALSHI_BASE_URL)?");
    } else if (answer->status == 200 && (reader = kdpi_rest_open()) != NULL) {
        if (kdpi_rest_limits(reader, answer->body, answer->len, &limits) != KDP_REFUSAL_NONE)
            memset(&limits, 0, sizeof limits);
        kdpi_rest_close(reader);
        kdpi_screen_count(tokens, (uint64_t)limits.read_refill);
        snprintf(words, sizeof words, "%s%s%s%s%s%s%s", kind, limits.tier[0] != '\0' ? ", " : "", limits.tier,
                 limits.tier[0] != '\0' ? " tier" : "", limits.read_refill > 0 ? ", " : "",
                 limits.read_refill > 0 ? tokens : "", limits.read_refill > 0 ? " tokens/s" : "");
        key_line(status, "accepted", false, words, NULL);
        kdp_status_text(status, "key", "tier", limits.tier[0] != '\0' ? limits.tier : NULL);
        kdp_status_number(status, "key", "tokens_per_s", "%lld", (long long)limits.read_refill);
    } else { /* an exchange without that page, or one that is busy, has not refused */
        put_refusal(a, answer, refusal, sizeof refusal);
        snprintf(words, sizeof words, "%s; not checked: %s answered %s", kind, a->host, refusal);
        key_line(status, "set up", false, words, NULL);
    }
    kdp_status_text(status, "key", "kind", kind);
}

static void
tell_no_key(struct asking *a)
{
    struct kdp_status *status = a->status;
    char origin[256], words[512];

    if (a->key_words[0] != '\0') {
        key_line(status, "unusable", true, a->key_words, a->key_hint);
    } else if (kdp_cli_given(status->cli, "ws-auth-token")) {
        kdp_cli_origin(status->cli, "ws-auth-token", origin, sizeof origin);
        snprintf(words, sizeof words, "KALSHI_WS_AUTH_TOKEN (%s) is sent, but the exchange wants a signature",
                 origin);
        key_line(status, "token only", false, words, NULL);
    } else {
        key_line(status, "not set up", false, "KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH are empty", NULL);
    }
}

/* Opens what asks, and asks. */
static void
begin(struct asking *a, struct kdp_http_config *config)
{
    int rc = kdp_http_open(&a->open, config);

    if (rc == 0)
        rc = kdp_http_get(a->open, STATUS, paths[STATUS]);
    if (rc == 0)
        rc = kdp_http_get(a->open, SCHEDULE, paths[SCHEDULE]);
    if (rc == 0 && a->signer != NULL) {
        config->signer = a->signer;
        rc = kdp_http_open(&a->signing, config);
        if (rc == 0)
            rc = kdp_http_get(a->signing, LIMITS, paths[LIMITS]);
    }
    if (rc != 0)
        snprintf(a->words, sizeof a->words, "%s", kdp_error_text());
    snprintf(a->hint, sizeof a->hint, "%s", kdp_error_hint());
}

void
kdp_status_exchange(struct kdp_status *status)
{
    struct asking a = {.status = status};
    struct kdp_http_config config = {.base_url = kdp_cli_text(status->cli, "base-url"),
                                     .ca_file = kdp_cli_text(status->cli, "ca-file"),
                                     .timeout_ns = PATIENCE};
    struct kdp_url url;

    open_key(&a);
    if (kdpi_url_parse(&url, config.base_url) == 0)
        snprintf(a.host, sizeof a.host, "%s", url.host);
    begin(&a, &config);
    if (a.words[0] == '\0')
        ask(&a);
    kdp_status_text(status, "exchange", "url", config.base_url);
    if (a.words[0] == '\0') {
        tell_exchange(&a);
    } else {
        kdp_status_line(status, "exchange", "not asked", true, "%s", a.words);
        if (a.hint[0] != '\0')
            kdp_status_line(status, "", "", true, "%s", a.hint);
        kdp_status_text(status, "exchange", "state", "not asked");
        kdp_status_text(status, "exchange", "error", a.words);
    }
    if (a.signer != NULL)
        tell_key(&a);
    else
        tell_no_key(&a);
    kdp_http_close(a.open);
    kdp_http_close(a.signing);
    kdp_signer_close(a.signer);
    for (unsigned i = 0; i < QUESTIONS; i++)
        kdp_http_answer_free(a.answers[i]);
}
