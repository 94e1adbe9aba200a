/* asker.c - requests of commands: queue, repeats, limits; see asker.h.
 *
 * The bucket is asked on the thread of the requests, at the moment one would go (net/http.h's gate), so a caller that is busy
 * with an answer for a second does not lose the budget of that second: a few requests are always handed over ahead.  What
 * came is judged on the caller's thread. */
#include "asker_private.h"

#include "clock.h"
#include "error.h"
#include "http.h"
#include "log.h"
#include "kdp/records.h"
#include "rest.h"
#include "sign.h"
#include "url.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARALLEL 8u
#define AHEAD 2u /* times parallel: handed over beyond those under way */
#define TRIES 8u
#define TRIES_UNKNOWN 2u /* while nothing at all has answered: most likely the address is wrong */
#define BUDGET 1000u
#define TRIES_OWN 3u
#define SAY_TRIES 3u
#define SAY_SPAN (30 * KDP_NS_PER_S)
#define LOOK_MS 100
#define PENDING_MAX 1000000u
#define PATH_MAX_LEN 16384u /* as net/http.h */
#define LIMITS_PATH "/account/limits"
#define COSTS_PATH "/account/endpoint_costs"

/* ---- lists ---- */

static void
fresh_push(struct kdp_asker *asker, struct asker_ask *ask)
{
    ask->next = NULL;
    *asker->fresh_last = ask;
    asker->fresh_last = &ask->next;
}

static struct asker_ask *
fresh_pop(struct kdp_asker *asker)
{
    struct asker_ask *ask = asker->fresh;

    asker->fresh = ask->next;
    if (asker->fresh == NULL)
        asker->fresh_last = &asker->fresh;
    return ask;
}

static void
swap(struct kdp_asker *asker, unsigned a, unsigned b)
{
    struct asker_ask *kept = asker->waiting[a];

    asker->waiting[a] = asker->waiting[b];
    asker->waiting[b] = kept;
}

static bool
before(const struct kdp_asker *asker, unsigned a, unsigned b)
{
    return asker->waiting[a]->due_ns < asker->waiting[b]->due_ns;
}

static int
waiting_push(struct kdp_asker *asker, struct asker_ask *ask)
{
    unsigned at = asker->waiting_count;

    if (at == asker->waiting_room) {
        unsigned room = at == 0 ? 64 : at * 2;
        struct asker_ask **grown = realloc(asker->waiting, room * sizeof *grown);

        if (grown == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory");
        asker->waiting = grown;
        asker->waiting_room = room;
    }
    asker->waiting[at] = ask;
    asker->waiting_count++;
    for (; at > 0 && before(asker, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(asker, at, (at - 1) / 2);
    return 0;
}

static struct asker_ask *
waiting_pop(struct kdp_asker *asker)
{
    struct asker_ask *ask = asker->waiting[0];
    unsigned at = 0, child;

    asker->waiting[0] = asker->waiting[--asker->waiting_count];
    while ((child = 2 * at + 1) < asker->waiting_count) {
        if (child + 1 < asker->waiting_count && before(asker, child + 1, child))
            child++;
        if (!before(asker, child, at))
            break;
        swap(asker, at, child);
        at = child;
    }
    return ask;
}

static void
ask_free(struct asker_ask *ask)
{
    if (ask == NULL)
        return;
    kdp_http_answer_free(ask->http);
    free(ask->path);
    free(ask);
}

void
kdp_asker_free(struct kdp_asker_answer *answer)
{
    ask_free((struct asker_ask *)answer);
}

/* ---- opening ---- */

/* On the thread of the requests. */
static int64_t
gate(void *arg, const char *path, int64_t mono_ns)
{
    struct kdp_asker *asker = arg;
    struct asker_share *share = asker->share;
    int64_t wait_ns;

    pthread_mutex_lock(&share->lock);
    wait_ns = kdp_pace_take(&share->pace, asker_share_cost(share, path), mono_ns);
    if (wait_ns == 0) {
        if (asker->sent++ == 0)
            asker->first_ns = mono_ns;
    }
    pthread_mutex_unlock(&share->lock);
    return wait_ns;
}

static char *
copy(const char *text, bool *okp)
{
    char *made = text != NULL ? strdup(text) : NULL;

    *okp = *okp && (text == NULL || made != NULL);
    return made;
}

static int
open_parts(struct kdp_asker *asker, const struct kdp_asker_config *config)
{
    struct kdp_http_config http = {.base_url = config->base_url,
                                   .ca_file = config->ca_file,
                                   .signer = config->signer,
                                   .token = config->token,
                                   .parallel = config->parallel,
                                   .timeout_ns = config->timeout_ns,
                                   .body_max = config->body_max == 0 ? 16u << 20 : config->body_max,
                                   .gate = gate,
                                   .gate_arg = asker};
    int64_t rate = config->tokens_per_s == 0 ? KDP_PACE_RATE : config->tokens_per_s;
    struct kdp_url url;
    bool ok = true;
    int rc = kdpi_url_parse(&url, config->base_url);

    if (rc != 0)
        return rc;
    snprintf(asker->host, sizeof asker->host, "%s", url.host);
    snprintf(asker->base_path, sizeof asker->base_path, "%s", url.path);
    asker->base_url = copy(config->base_url, &ok);
    asker->base_url_from = copy(config->base_url_from, &ok);
    asker->token = copy(config->token, &ok);
    /* a rate given by hand is this asker's own */
    asker->share =
        asker_share_take(config->signer != NULL && config->tokens_per_s == 0 ? config->base_url : NULL, rate,
                         config->seed, config->pace_percent);
    if (!ok || asker->share == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    return kdp_http_open(&asker->http, &http);
}

int
kdp_asker_open(struct kdp_asker **askerp, const struct kdp_asker_config *config)
{
    struct kdp_asker *asker = calloc(1, sizeof *asker);
    int rc;

    *askerp = NULL;
    if (asker == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    asker->config = *config;
    if (asker->config.parallel == 0)
        asker->config.parallel = PARALLEL;
    if (asker->config.tries == 0)
        asker->config.tries = TRIES;
    if (asker->config.pace_percent == 0)
        asker->config.pace_percent = 100;
    asker->room = asker->config.parallel * (1 + AHEAD);
    asker->fresh_last = &asker->fresh;
    asker->random = config->seed ^ UINT64_C(0x6b6470);
    rc = open_parts(asker, &asker->config);
    if (rc != 0) {
        kdp_asker_close(asker);
        return rc;
    }
    *askerp = asker;
    return 0;
}

void
kdp_asker_close(struct kdp_asker *asker)
{
    struct asker_ask *ask;

    if (asker == NULL)
        return;
    kdp_http_close(asker->http); /* and the answers that nobody took */
    while ((ask = asker->all) != NULL) {
        asker->all = ask->all_next;
        ask_free(ask);
    }
    asker_share_give(asker->share);
    free(asker->waiting);
    free(asker->base_url);
    free(asker->base_url_from);
    free(asker->token);
    free(asker);
}

static void
link_in(struct kdp_asker *asker, struct asker_ask *ask)
{
    ask->all_prev = NULL;
    ask->all_next = asker->all;
    if (asker->all != NULL)
        asker->all->all_prev = ask;
    asker->all = ask;
    asker->pending += !ask->own;
}

static void
link_out(struct kdp_asker *asker, struct asker_ask *ask)
{
    if (ask->all_prev != NULL)
        ask->all_prev->all_next = ask->all_next;
    else
        asker->all = ask->all_next;
    if (ask->all_next != NULL)
        ask->all_next->all_prev = ask->all_prev;
    asker->pending -= !ask->own;
}

/* ---- asking ---- */

static struct asker_ask *
ask_new(struct kdp_asker *asker, uint64_t request, const char *path)
{
    struct asker_ask *ask = calloc(1, sizeof *ask);

    if (ask == NULL || (ask->path = strdup(path)) == NULL) {
        free(ask);
        return NULL;
    }
    ask->asker = asker;
    ask->answer.request = request;
    return ask;
}

int
kdp_asker_get(struct kdp_asker *asker, uint64_t request, const char *path)
{
    struct asker_ask *ask;

    if (*path != '/' || strlen(path) >= PATH_MAX_LEN)
        return kdpi_fail(KDP_EINVAL, "not a path to ask for: %.64s", path);
    if (asker->pending >= PENDING_MAX)
        return kdpi_fail(KDP_EFULL, "%u requests wait already", PENDING_MAX);
    ask = ask_new(asker, request, path);
    if (ask == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    link_in(asker, ask);
    fresh_push(asker, ask);
    asker->asked++;
    return 0;
}

/* Gives it to the thread of the requests; when that cannot take it, it is dropped. */
static int
hand(struct kdp_asker *asker, struct asker_ask *ask, uint64_t *requestp)
{
    int rc = kdp_http_get(asker->http, (uint64_t)(uintptr_t)ask, ask->path);

    if (rc != 0) {
        *requestp = ask->answer.request;
        link_out(asker, ask);
        ask_free(ask);
        return rc;
    }
    asker->out++;
    ask->answer.tries++;
    return 0;
}

/* What the account may: asked once for all askers that share its bucket, ahead of the first request.  Until it is known, the least
 * tier holds. */
static int
ask_limits(struct kdp_asker *asker, uint64_t *requestp)
{
    static const char *const paths[] = {LIMITS_PATH, COSTS_PATH};
    struct asker_share *share = asker->share;
    bool asked;

    if (asker->config.signer == NULL || share->place == NULL)
        return 0;
    pthread_mutex_lock(&share->lock);
    asked = share->asked;
    share->asked = true;
    pthread_mutex_unlock(&share->lock);
    for (unsigned i = 0; !asked && i < sizeof paths / sizeof paths[0]; i++) {
        struct asker_ask *ask = ask_new(asker, 0, paths[i]);
        int rc;

        if (ask == NULL)
            return kdpi_fail(KDP_ENOMEM, "out of memory");
        ask->own = true;
        link_in(asker, ask);
        rc = hand(asker, ask, requestp);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Hands over what may go: what is due again comes before what is new.  While everything fails, only what has failed is tried: the
 * rest would but use up its tries. */
static int
hand_over(struct kdp_asker *asker, uint64_t *requestp)
{
    int64_t now_ns = kdpi_mono_ns();
    int rc = asker->fresh != NULL ? ask_limits(asker, requestp) : 0;

    while (rc == 0 && asker->out < asker->room) {
        if (asker->waiting_count > 0 && asker->waiting[0]->due_ns <= now_ns)
            rc = hand(asker, waiting_pop(asker), requestp);
        else if (asker->fresh != NULL &&
                 (asker->waiting_count == 0 || asker->troubles < 2 * asker->config.parallel))
            rc = hand(asker, fresh_pop(asker), requestp);
        else
            break;
    }
    return rc;
}

/* ---- judging ---- */

static bool
is_state(const char *path)
{
    return strcmp(path, "/exchange/status") == 0 || strcmp(path, "/exchange/schedule") == 0;
}

static enum asker_trouble
judge(const struct asker_ask *ask)
{
    const struct kdp_http_answer *http = ask->http;
    char code[64], message[256];

    if (http->status == 0)
        return ASKER_NO_ANSWER;
    if (http->status == 429)
        return ASKER_LIMITED;
    if (http->status == 200)
        return asker_whole(http->body, http->len) ? ASKER_FINE : ASKER_NOT_JSON;
    if (http->status < 500 && http->status != 408 && http->status != 425)
        return ASKER_FINE;
    /* these two say what they always say also when the exchange is down */
    if ((http->status == 500 || http->status == 503 || http->status == 504) && is_state(ask->path) &&
        asker_whole(http->body, http->len)) {
        kdpi_rest_error(http->body, http->len, code, message);
        if (code[0] == '\0' && message[0] == '\0')
            return ASKER_FINE;
    }
    return ASKER_FAILED;
}

static bool
is_expired(const struct kdp_http_answer *http)
{
    char code[64], message[256];

    if (http->status != 401)
        return false;
    kdpi_rest_error(http->body, http->len, code, message);
    return strstr(code, "timestamp") != NULL || strstr(message, "timestamp") != NULL;
}

static unsigned
tries_of(const struct asker_ask *ask, enum asker_trouble trouble)
{
    const struct kdp_asker *asker = ask->asker;
    const struct kdp_http_answer *http = ask->http;

    if (ask->own)
        return TRIES_OWN;
    if (trouble != ASKER_NO_ANSWER)
        return asker->config.tries;
    if (http->error_code == KDP_EREFUSED || http->error_code == KDP_EIO || http->error_code == KDP_ENOMEM)
        return 1;
    /* nothing has answered yet: most likely the address is wrong, and a person waits */
    if (!asker->spoke && (!http->connected || http->error_code == KDP_ETIMEOUT) &&
        asker->config.tries > TRIES_UNKNOWN)
        return TRIES_UNKNOWN;
    return asker->config.tries;
}

static const char *
trouble_words(enum asker_trouble trouble)
{
    return trouble == ASKER_LIMITED  ? "asked too often"
           : trouble == ASKER_FAILED ? "it failed"
                                     : "no JSON object";
}

/* A person who waits for minutes should know what for. */
static void
say(struct kdp_asker *asker, const struct asker_ask *ask, enum asker_trouble trouble, int64_t wait_ns)
{
    int64_t now_ns = kdpi_mono_ns();
    char words[700];

    if (asker->config.say == NULL || ask->own || ask->answer.tries < SAY_TRIES ||
        (asker->said_ns != 0 && now_ns - asker->said_ns < SAY_SPAN))
        return;
    asker->said_ns = now_ns;
    asker_gave_up(ask, trouble, false);
    snprintf(words, sizeof words, "%s; again in %lld s", kdp_error_text(),
             (long long)((wait_ns + KDP_NS_PER_S - 1) / KDP_NS_PER_S));
    asker->config.say(asker->config.say_arg, words);
}

/* Lets it wait for its next try: 0; or keeps the words for why there is none: its error. */
static int
again(struct kdp_asker *asker, struct asker_ask *ask, enum asker_trouble trouble)
{
    int64_t wait_ns;
    uint64_t budget = asker->config.budget != 0 ? asker->config.budget : BUDGET + asker->asked / 10;
    bool spent = !ask->own && asker->repeats >= budget;

    if (ask->answer.tries >= tries_of(ask, trouble) || spent)
        return asker_gave_up(ask, trouble, spent);
    asker->repeats += !ask->own;
    wait_ns = kdp_backoff_ns(ask->answer.tries - 1, &asker->random) / 100 * asker->config.pace_percent;
    ask->due_ns = kdpi_mono_ns() + wait_ns;
    kdpi_log(KDP_LOG_INFO, "ask_again", "path=%.200s status=%d why=\"%s\" tries=%u wait_ms=%lld", ask->path,
             ask->http->status,
             trouble == ASKER_NO_ANSWER    ? ask->http->error
             : trouble == ASKER_UNREADABLE ? ask->why
                                           : trouble_words(trouble),
             ask->answer.tries, (long long)(wait_ns / KDP_NS_PER_MS));
    say(asker, ask, trouble, wait_ns);
    kdp_http_answer_free(ask->http);
    ask->http = NULL;
    return waiting_push(asker, ask);
}

static void
count(struct kdp_asker *asker, const struct kdp_http_answer *http, enum asker_trouble trouble)
{
    struct asker_share *share = asker->share;
    int64_t now_ns = kdpi_mono_ns();

    asker->out--;
    asker->bytes += http->len;
    asker->last_ns = http->sent_mono_ns + http->took_ns;
    asker->limited += trouble == ASKER_LIMITED;
    asker->spoke |= http->status != 0;
    asker->troubles = trouble == ASKER_FINE ? 0 : asker->troubles + 1;
    pthread_mutex_lock(&share->lock);
    if (trouble == ASKER_LIMITED)
        kdp_pace_refused(&share->pace, http->sent_mono_ns, now_ns);
    else if (http->status != 0)
        kdp_pace_passed(&share->pace, http->sent_mono_ns);
    pthread_mutex_unlock(&share->lock);
}

static void
take_own(struct kdp_asker *asker, struct asker_ask *ask, enum asker_trouble trouble)
{
    const struct kdp_http_answer *http = ask->http;

    if (trouble != ASKER_FINE && again(asker, ask, trouble) == 0)
        return;
    if (trouble == ASKER_FINE && http->status == 200 && strcmp(ask->path, LIMITS_PATH) == 0)
        asker_share_limits(asker->share, http->body, http->len);
    else if (trouble == ASKER_FINE && http->status == 200)
        asker_share_costs(asker->share, asker->base_path, http->body, http->len);
    link_out(asker, ask);
    ask_free(ask);
}

static void
fill(struct asker_ask *ask)
{
    struct kdp_asker_answer *answer = &ask->answer;

    answer->path = ask->path;
    answer->status = ask->http->status;
    answer->body = ask->http->body;
    answer->len = ask->http->len;
    answer->got_ns = ask->http->got_ns;
    answer->date_ns = ask->http->date_ns;
    answer->age_ns = ask->http->age_ns;
}

/* One answer of the exchange: 1 with *answerp, 0 when there is nothing to give, or the error of its request. */
static int
take(struct kdp_asker *asker, struct kdp_http_answer *http, struct kdp_asker_answer **answerp,
     uint64_t *requestp)
{
    struct asker_ask *ask = (struct asker_ask *)(uintptr_t)http->request;
    enum asker_trouble trouble;
    int rc;

    ask->http = http;
    trouble = judge(ask);
    count(asker, http, trouble);
    ask->due_ns = INT64_MIN; /* at once, if it is sent again without a wait */
    if (!ask->healed && asker->config.signer != NULL && is_expired(http) && waiting_push(asker, ask) == 0) {
        ask->healed = true; /* its Date has just told the time */
        kdp_http_answer_free(http);
        ask->http = NULL;
        return 0;
    }
    if (ask->own) {
        take_own(asker, ask, trouble);
        return 0;
    }
    if (trouble == ASKER_FINE) {
        link_out(asker, ask);
        fill(ask);
        *answerp = &ask->answer;
        *requestp = ask->answer.request;
        return 1;
    }
    rc = again(asker, ask, trouble);
    if (rc == 0)
        return 0;
    link_out(asker, ask);
    *requestp = ask->answer.request;
    ask_free(ask);
    return rc;
}

int
kdp_asker_next(struct kdp_asker *asker, struct kdp_asker_answer **answerp, uint64_t *requestp)
{
    uint64_t request;

    *answerp = NULL;
    if (requestp == NULL)
        requestp = &request;
    if (asker->late_rc != 0) {
        int rc = asker->late_rc;

        *requestp = asker->late_request;
        asker->late_rc = 0;
        return kdpi_fail((enum kdp_error) - rc, "cannot send a request: %s", kdp_error_name(rc));
    }
    while (asker->pending > 0) {
        struct pollfd p = {.fd = kdp_http_fd(asker->http), .events = POLLIN};
        struct kdp_http_answer *http;
        int64_t wait_ns = LOOK_MS * KDP_NS_PER_MS;
        int rc = hand_over(asker, requestp);

        if (rc != 0)
            return rc;
        http = kdp_http_take(asker->http);
        if (http != NULL) {
            rc = take(asker, http, answerp, requestp);
            if (rc != 0) {
                if (rc > 0) /* the next goes while the caller reads this one */
                    asker->late_rc = hand_over(asker, &asker->late_request);
                return rc > 0 ? 0 : rc;
            }
            continue;
        }
        if (asker->config.stopped != NULL && asker->config.stopped() != 0)
            return kdpi_fail(KDP_ESTOPPED, "stopped");
        if (asker->waiting_count > 0 && asker->waiting[0]->due_ns - kdpi_mono_ns() < wait_ns)
            wait_ns = asker->waiting[0]->due_ns - kdpi_mono_ns();
        poll(&p, 1,
             wait_ns <= 0 ? (asker->out < asker->room ? 0 : LOOK_MS) : (int)(wait_ns / KDP_NS_PER_MS) + 1);
    }
    return kdpi_fail(KDP_ENOENT, "nothing is asked");
}

int
kdp_asker_again(struct kdp_asker *asker, struct kdp_asker_answer *answer, const char *why)
{
    struct asker_ask *ask = (struct asker_ask *)answer;
    int rc;

    ask->why = why;
    link_in(asker, ask);
    rc = again(asker, ask, ASKER_UNREADABLE);
    if (rc != 0) {
        link_out(asker, ask);
        ask_free(ask);
    }
    return rc;
}

int
kdp_asker_one(struct kdp_asker *asker, const char *path, struct kdp_asker_answer **answerp)
{
    int rc;

    *answerp = NULL;
    if (asker->pending > 0)
        return kdpi_fail(KDP_EBUSY, "other requests are under way: %s", path);
    rc = kdp_asker_get(asker, 0, path);
    return rc != 0 ? rc : kdp_asker_next(asker, answerp, NULL);
}

unsigned
kdp_asker_pending(const struct kdp_asker *asker)
{
    return asker->pending;
}

void
kdp_asker_stats(const struct kdp_asker *asker, struct kdp_asker_stats *stats)
{
    struct asker_share *share = asker->share;
    int64_t now_ns = kdpi_mono_ns();

    *stats = (struct kdp_asker_stats){.retried = asker->repeats,
                                      .limited = asker->limited,
                                      .bytes = asker->bytes,
                                      .last_ns = asker->last_ns};
    pthread_mutex_lock(&share->lock);
    stats->requests = asker->sent;
    stats->first_ns = asker->first_ns;
    stats->tokens_per_s = share->pace.rate;
    stats->capacity = share->pace.capacity;
    stats->budget_used = kdp_pace_used(&share->pace);
    stats->wait_ns = kdp_pace_wait(&share->pace, share->default_cost, now_ns);
    memcpy(stats->tier, share->tier, sizeof stats->tier);
    pthread_mutex_unlock(&share->lock);
}
