/* http.c - REST requests on a thread of their own: queue, libcurl's multi handle, answers; see http.h.
 *
 * The caller's side and the thread share two lists under one mutex.  The thread sleeps in curl_multi_poll and is woken by
 * curl_multi_wakeup; the caller is woken by an eventfd that reads as ready while an answer waits. */
#include "http.h"

#include "clock.h"
#include "error.h"
#include "http_head.h"
#include "http_private.h"
#include "kdp/records.h"
#include "kdp/version.h"
#include "words.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PARALLEL 4u
#define PARALLEL_MAX 64u
#define TIMEOUT (15 * KDP_NS_PER_S)
#define BODY_MAX ((16u << 20) - (64u << 10))
#define PENDING_MAX 65536u
#define PATH_MAX_LEN 16384u /* a hundred escaped tickers */
#define POLL_MS 1000

/* One request, from being asked to its answer being freed. */
struct request {
    struct kdp_http_answer answer; /* first: the caller frees by it */
    struct request *next;
    struct kdp_http *http;
    CURL *easy;
    struct curl_slist *headers;
    char *path, *body;
    size_t body_room;
    bool too_big, no_memory;
    int64_t head_wall_ns; /* when its Date came */
    int64_t age_s;        /* of an answer out of a cache: its Date is that much older */
    char words[CURL_ERROR_SIZE];
};

struct list {
    struct request *first, **lastp;
};

struct kdp_http {
    struct kdp_http_trust trust;
    struct kdp_http_config config; /* its texts are copies */
    char *base, *base_path, *token, host[256];
    CURLM *multi;
    pthread_t thread;
    bool started;
    int fd;
    atomic_bool stop; /* relaxed: a flag on its own; the wake-up is what orders */
    pthread_mutex_t lock;
    /* under lock */
    struct list asked, answered;
    unsigned pending;
    /* the thread's own */
    struct list active;
    unsigned active_count;
};

/* ---- lists ---- */

static void
list_init(struct list *list)
{
    list->first = NULL;
    list->lastp = &list->first;
}

static void
list_push(struct list *list, struct request *request)
{
    request->next = NULL;
    *list->lastp = request;
    list->lastp = &request->next;
}

static struct request *
list_pop(struct list *list)
{
    struct request *request = list->first;

    if (request != NULL) {
        list->first = request->next;
        if (list->first == NULL)
            list->lastp = &list->first;
    }
    return request;
}

static void
list_remove(struct list *list, struct request *request)
{
    struct request **at = &list->first;

    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    if (*at == NULL)
        list->lastp = at;
}

/* ---- requests ---- */

static void
request_release(struct request *request)
{
    if (request->easy != NULL) {
        if (request->http->multi != NULL)
            curl_multi_remove_handle(request->http->multi, request->easy);
        curl_easy_cleanup(request->easy);
    }
    request->easy = NULL;
    curl_slist_free_all(request->headers);
    request->headers = NULL;
}

static void
request_free(struct request *request)
{
    if (request == NULL)
        return;
    free(request->path);
    free(request->body);
    free(request);
}

void
kdp_http_answer_free(struct kdp_http_answer *answer)
{
    request_free((struct request *)answer);
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct request *request = arg;
    size_t len = size * count, max = request->http->config.body_max;

    if (len > max - request->answer.len) {
        request->too_big = true;
        return 0;
    }
    if (request->answer.len + len + 1 > request->body_room) {
        size_t room = request->body_room != 0 ? request->body_room : 16384;
        char *grown;

        while (room < request->answer.len + len + 1)
            room *= 2;
        grown = realloc(request->body, room);
        if (grown == NULL) {
            request->no_memory = true;
            return 0;
        }
        request->body = grown;
        request->body_room = room;
    }
    memcpy(request->body + request->answer.len, bytes, len);
    request->answer.len += len;
    return len;
}

/* The value of a header line of that name; NULL for another. */
static const char *
header_value(const char *line, size_t len, const char *name, size_t *lenp)
{
    size_t name_len = strlen(name);

    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
        return NULL;
    line += name_len + 1;
    len -= name_len + 1;
    while (len > 0 && (*line == ' ' || *line == '\t'))
        line++, len--;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    *lenp = len;
    return line;
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
    struct request *request = arg;
    size_t len = size * count, value_len;
    const char *value;

    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) { /* a further head, after an informational one */
        request->answer.date_ns = KDP_TIME_NULL;
        request->age_s = 0;
    } else if ((value = header_value(line, len, "Date", &value_len)) != NULL) {
        request->answer.date_ns = kdp_http_date((struct kdp_http_slice){value, value_len});
        request->head_wall_ns = kdpi_now_ns();
    } else if ((value = header_value(line, len, "Age", &value_len)) != NULL && value_len < 7) {
        request->age_s = 0;
        for (size_t i = 0; i < value_len && value[i] >= '0' && value[i] <= '9'; i++)
            request->age_s = request->age_s * 10 + (value[i] - '0');
    }
    return len;
}

static bool
add_header(struct request *request, const char *line)
{
    struct curl_slist *list = curl_slist_append(request->headers, line);

    if (list == NULL)
        return false;
    request->headers = list;
    return true;
}

/* The signature's three lines, for this moment. */
static bool
add_signature(struct request *request, int64_t wall_ns)
{
    const struct kdp_http *http = request->http;
    char lines[KDP_SIGN_HEADERS_MAX], *line, *save = NULL;
    char path[PATH_MAX_LEN + 1024];

    if (http->config.signer == NULL)
        return true;
    snprintf(path, sizeof path, "%s%s", http->base_path, request->path);
    path[strcspn(path, "?")] = '\0';
    if (kdp_signer_headers(http->config.signer, wall_ns, "GET", path, lines, sizeof lines) < 0)
        return false;
    for (line = strtok_r(lines, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save))
        if (!add_header(request, line))
            return false;
    return true;
}

static bool
set_up(struct request *request)
{
    struct kdp_http *http = request->http;
    long timeout_ms = (long)(http->config.timeout_ns / KDP_NS_PER_MS);
    char url[PATH_MAX_LEN + 2048], token[1100];
    CURL *easy = request->easy;
    bool ok;

    snprintf(url, sizeof url, "%s%s", http->base, request->path);
    ok = add_header(request, "Accept: application/json");
    if (http->token != NULL) {
        snprintf(token, sizeof token, "Authorization: Bearer %s", http->token);
        ok = ok && add_header(request, token);
    }
    ok = ok && curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_USERAGENT, "kdp/" KDP_VERSION) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK;
    /* what is signed is the path as written; a redirect is an answer, since the signature is for this place alone */
    ok = ok && curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    /* the stream cannot go through a proxy, so a run would only half work behind one: the environment's are not used */
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) ==
                   CURLE_OK; /* no waiting for a resolver at the end */
    ok = ok && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->words) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, request) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PRIVATE, request) == CURLE_OK;
    return ok && kdpi_http_trust_set(&http->trust, easy);
}

/* ---- the thread ---- */

static void
give(struct kdp_http *http, struct request *request)
{
    uint64_t one = 1;
    ssize_t n;

    request->answer.path = request->path;
    request->answer.body = request->body != NULL ? request->body : "";
    if (request->body != NULL)
        request->body[request->answer.len] = '\0';
    pthread_mutex_lock(&http->lock);
    list_push(&http->answered, request);
    pthread_mutex_unlock(&http->lock);
    do
        n = write(http->fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

static void
fail(struct request *request, enum kdp_error code, const char *words)
{
    request->answer.status = 0;
    request->answer.error_code = (int)code;
    request->answer.len = 0;
    snprintf(request->answer.error, sizeof request->answer.error, "%s", words);
}

/* Why there is no answer, in words. */
static void
fail_curl(struct request *request, CURLcode code)
{
    const struct kdp_http *http = request->http;
    char words[256];
    long os_errno = 0;

    curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &os_errno);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        snprintf(words, sizeof words, "no such host: %s", http->host);
        fail(request, KDP_ENET, words);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(words, sizeof words, "no answer in time: %s: waited %.3g s", http->host,
                 (double)http->config.timeout_ns / (double)KDP_NS_PER_S);
        fail(request, KDP_ETIMEOUT, words);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
        kdpi_http_trust_words(&http->trust, http->host, request->words, words, sizeof words);
        fail(request, KDP_EREFUSED, words);
        return;
    case CURLE_COULDNT_CONNECT:
        snprintf(words, sizeof words, "cannot connect: %s: %s", http->host,
                 os_errno == ECONNREFUSED ? "connection refused"
                 : os_errno != 0          ? strerror((int)os_errno)
                                          : request->words);
        fail(request, KDP_ENET, words);
        return;
    case CURLE_SSL_CONNECT_ERROR:
        if (strcasestr(request->words, "wrong version number") != NULL ||
            strcasestr(request->words, "packet length too long") != NULL) {
            snprintf(words, sizeof words, "TLS handshake failed: %s does not speak TLS at that port",
                     http->host);
            fail(request, KDP_ENET, words);
            return;
        }
        break;
    case CURLE_WRITE_ERROR:
        if (request->too_big) {
            snprintf(words, sizeof words, "answer too long: %s: more than %zu bytes", http->host,
                     http->config.body_max);
            fail(request, KDP_EFORMAT, words);
            return;
        }
        if (request->no_memory) {
            fail(request, KDP_ENOMEM, "out of memory");
            return;
        }
        break;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        snprintf(words, sizeof words, "answer cut short: %s: %s", http->host,
                 request->words[0] != '\0' ? request->words : curl_easy_strerror(code));
        fail(request, KDP_ENET, words);
        return;
    default:
        break;
    }
    snprintf(words, sizeof words, "request failed: %s: %s", http->host,
             request->words[0] != '\0' ? request->words : curl_easy_strerror(code));
    fail(request, KDP_ENET, words);
}

static void
finish(struct request *request, CURLcode code)
{
    struct kdp_http *http = request->http;
    struct kdp_http_answer *answer = &request->answer;
    curl_off_t before_us = 0, tcp_us = 0, first_us = 0;
    long status = 0;

    answer->got_ns = kdpi_now_ns();
    answer->took_ns = kdpi_mono_ns() - answer->sent_mono_ns;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    /* not PRETRANSFER: it is noted behind the sending, and a thread that was put to sleep in between notes it late */
    curl_easy_getinfo(request->easy, CURLINFO_CONNECT_TIME_T, &tcp_us);
    curl_easy_getinfo(request->easy, CURLINFO_APPCONNECT_TIME_T, &before_us);
    answer->connected = (strncmp(http->base, "https:", 6) == 0 ? before_us : tcp_us) > 0;
    if (before_us < tcp_us)
        before_us = tcp_us;
    curl_easy_getinfo(request->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
    answer->wait_ns = first_us > before_us ? (first_us - before_us) * 1000 : 0;
    answer->age_ns = request->age_s * KDP_NS_PER_S;
    if (answer->date_ns != KDP_TIME_NULL) {
        answer->date_ns += answer->age_ns;
        if (http->config.signer != NULL)
            kdp_signer_learn(http->config.signer, answer->date_ns, answer->sent_ns + before_us * 1000,
                             request->head_wall_ns);
    }
    if (status != 200 && request->body != NULL) { /* an error's words may repeat what we said */
        kdp_signer_hide(http->config.signer, request->body, answer->len);
        kdpi_hide(request->body, answer->len, http->token);
    }
    if (code == CURLE_OK)
        answer->status = (int)status;
    else
        fail_curl(request, code);
    request_release(request);
    give(http, request);
}

/* Sends one request; what cannot be sent is answered at once. */
static void
start(struct kdp_http *http, struct request *request)
{
    request->answer.sent_ns = kdpi_now_ns();
    request->answer.sent_mono_ns = kdpi_mono_ns();
    request->easy = curl_easy_init();
    if (request->easy != NULL && add_signature(request, request->answer.sent_ns) && set_up(request) &&
        curl_multi_add_handle(http->multi, request->easy) == CURLM_OK) {
        list_push(&http->active, request);
        http->active_count++;
        return;
    }
    fail(request, KDP_EIO, request->easy == NULL ? "out of memory" : "cannot make the request");
    if (request->easy != NULL)
        curl_easy_cleanup(request->easy);
    request->easy = NULL;
    request_release(request);
    give(http, request);
}

/* The next request that may go; NULL: there is none, or it must wait, for *wait_msp at most. */
static struct request *
next_asked(struct kdp_http *http, int *wait_msp)
{
    struct request *request;
    int64_t wait_ns = 0;

    pthread_mutex_lock(&http->lock);
    request = http->asked.first; /* only this thread takes from it */
    pthread_mutex_unlock(&http->lock);
    if (request != NULL && http->config.gate != NULL)
        wait_ns = http->config.gate(http->config.gate_arg, request->path, kdpi_mono_ns());
    if (wait_ns > 0) {
        if (wait_ns < POLL_MS * KDP_NS_PER_MS)
            *wait_msp = (int)(wait_ns / KDP_NS_PER_MS) + 1;
        return NULL;
    }
    pthread_mutex_lock(&http->lock);
    request = list_pop(&http->asked);
    pthread_mutex_unlock(&http->lock);
    return request;
}

static void *
run(void *arg)
{
    struct kdp_http *http = arg;
    struct request *request;

    while (!atomic_load_explicit(&http->stop, memory_order_relaxed)) {
        CURLMsg *message;
        bool finished = false;
        int running, left, wait_ms = POLL_MS;

        while (http->active_count < http->config.parallel && (request = next_asked(http, &wait_ms)) != NULL)
            start(http, request);
        curl_multi_perform(http->multi, &running);
        while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
            CURLcode code = message->data.result;

            if (message->msg != CURLMSG_DONE)
                continue;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
            list_remove(&http->active, request);
            http->active_count--;
            finish(request, code);
            finished = true;
        }
        if (!finished) /* else there is room for the next one: look for it before sleeping */
            curl_multi_poll(http->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

/* ---- the caller's side ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_ready;

static void
init_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* The base as curl and as the signature want it, from what a person wrote. */
static int
read_base(struct kdp_http *http, const char *text)
{
    struct kdp_url url;
    int rc = kdpi_url_parse(&url, text);
    bool ip6;

    if (rc != 0)
        return rc;
    if (url.websocket || strchr(url.path, '?') != NULL)
        return kdpi_fail(
            KDP_EUSAGE, "not a URL for requests: %s: it begins with https:// and has no question mark", text);
    ip6 = strchr(url.host, ':') != NULL;
    if (strcmp(url.path, "/") == 0)
        url.path[0] = '\0';
    snprintf(http->host, sizeof http->host, "%s", url.host);
    http->base_path = strdup(url.path);
    if (http->base_path == NULL ||
        asprintf(&http->base, "%s://%s%s%s:%u%s", url.tls ? "https" : "http", ip6 ? "[" : "", url.host,
                 ip6 ? "]" : "", url.port, url.path) < 0) {
        http->base = NULL;
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    return 0;
}

static int
read_token(struct kdp_http *http, const char *token)
{
    if (token == NULL || *token == '\0')
        return 0;
    for (const char *p = token; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || p - token >= 1024)
            return kdpi_fail(KDP_EUSAGE,
                             "not a token: blanks, special characters or more than 1,024 characters in it");
    http->token = strdup(token);
    return http->token != NULL ? 0 : kdpi_fail(KDP_ENOMEM, "out of memory");
}

static int
start_thread(struct kdp_http *http)
{
    sigset_t all, before;
    int errnum;

    sigfillset(&all); /* signals are for the threads that know what to do with them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errnum = pthread_create(&http->thread, NULL, run, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum != 0)
        return kdpi_fail_errno(errnum, "cannot start a thread");
    pthread_setname_np(http->thread, "kdp-http");
    http->started = true;
    return 0;
}

int
kdp_http_open(struct kdp_http **httpp, const struct kdp_http_config *config)
{
    struct kdp_http *http;
    int rc;

    *httpp = NULL;
    pthread_once(&curl_once, init_curl);
    http = calloc(1, sizeof *http);
    if (http == NULL || !curl_ready) {
        free(http);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    pthread_mutex_init(&http->lock, NULL);
    list_init(&http->asked);
    list_init(&http->answered);
    list_init(&http->active);
    http->config = *config;
    http->config.parallel = config->parallel == 0 ? PARALLEL : config->parallel;
    if (http->config.parallel > PARALLEL_MAX)
        http->config.parallel = PARALLEL_MAX;
    if (http->config.timeout_ns <= 0)
        http->config.timeout_ns = TIMEOUT;
    if (http->config.body_max == 0)
        http->config.body_max = BODY_MAX;
    http->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    http->multi = curl_multi_init();
    if (http->fd < 0 || http->multi == NULL) {
        rc = http->fd < 0 ? kdpi_fail_errno(errno, "cannot make an eventfd")
                          : kdpi_fail(KDP_ENOMEM, "out of memory");
        goto err;
    }
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->config.parallel);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)http->config.parallel);
    rc = read_base(http, config->base_url);
    if (rc == 0)
        rc = read_token(http, config->token);
    if (rc == 0)
        rc = kdpi_http_trust_open(&http->trust, config->context, config->ca_file);
    if (rc == 0)
        rc = start_thread(http);
    if (rc != 0)
        goto err;
    *httpp = http;
    return 0;

err:
    kdp_http_close(http);
    return rc;
}

void
kdp_http_close(struct kdp_http *http)
{
    struct request *request;

    if (http == NULL)
        return;
    if (http->started) {
        atomic_store_explicit(&http->stop, true, memory_order_relaxed);
        curl_multi_wakeup(http->multi);
        pthread_join(http->thread, NULL);
    }
    while ((request = list_pop(&http->active)) != NULL) {
        request_release(request);
        request_free(request);
    }
    while ((request = list_pop(&http->asked)) != NULL)
        request_free(request);
    while ((request = list_pop(&http->answered)) != NULL)
        request_free(request);
    curl_multi_cleanup(http->multi);
    if (http->fd >= 0)
        close(http->fd);
    kdpi_http_trust_close(&http->trust);
    pthread_mutex_destroy(&http->lock);
    free(http->base);
    free(http->base_path);
    free(http->token);
    free(http);
}

int
kdp_http_get(struct kdp_http *http, uint64_t id, const char *path)
{
    struct request *request;
    bool full;

    if (*path != '/' || strlen(path) >= PATH_MAX_LEN)
        return kdpi_fail(KDP_EINVAL, "not a path to ask for: %.64s", path);
    request = calloc(1, sizeof *request);
    if (request == NULL || (request->path = strdup(path)) == NULL) {
        free(request);
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    }
    request->http = http;
    request->answer.request = id;
    request->answer.date_ns = KDP_TIME_NULL;
    pthread_mutex_lock(&http->lock);
    full = http->pending >= PENDING_MAX;
    if (!full) {
        http->pending++;
        list_push(&http->asked, request);
    }
    pthread_mutex_unlock(&http->lock);
    if (full) {
        request_free(request);
        return kdpi_fail(KDP_EFULL, "%u requests wait already", PENDING_MAX);
    }
    curl_multi_wakeup(http->multi);
    return 0;
}

struct kdp_http_answer *
kdp_http_take(struct kdp_http *http)
{
    struct request *request;
    uint64_t count;

    pthread_mutex_lock(&http->lock);
    request = list_pop(&http->answered);
    if (request != NULL)
        http->pending--;
    if (http->answered.first == NULL && read(http->fd, &count, sizeof count) < 0)
        count = 0; /* nothing to read: it was quiet already */
    pthread_mutex_unlock(&http->lock);
    return request != NULL ? &request->answer : NULL;
}

int
kdp_http_fd(const struct kdp_http *http)
{
    return http->fd;
}

unsigned
kdp_http_pending(struct kdp_http *http)
{
    unsigned pending;

    pthread_mutex_lock(&http->lock);
    pending = http->pending;
    pthread_mutex_unlock(&http->lock);
    return pending;
}
