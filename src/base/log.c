/* log.c - one mutex, one file, a small table of recent lines so that a storm of equal ones stays one line. */
#include "log.h"
#include "clock.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define RECENT_MAX \
    64 /* distinct lines remembered; the oldest is told of and forgotten when a new one needs its place */
#define WORDS_MAX 768
#define FOLD_NS (60 * KDP_NS_PER_S)

struct recent {
    uint64_t hash; /* 0: free */
    uint64_t count;
    int64_t written_ns, first_ns, last_ns; /* first and last of those not written */
    enum kdp_log_level level;
    char words[160]; /* enough to recognise it by */
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_path;
static int log_fd = -1; /* -1: not open yet */
static bool log_failed;
static enum kdp_log_level log_least = KDP_LOG_WARNING;
static struct recent recents[RECENT_MAX];
static uint64_t warnings;
static char last_warning[WORDS_MAX];
static int64_t (*log_clock)(void) = kdpi_now_ns;

int
kdpi_log_level(const char *text)
{
    if (strcasecmp(text, "critical") == 0 || strcasecmp(text, "fatal") == 0)
        return KDP_LOG_ERROR;
    if (strcasecmp(text, "warn") == 0)
        return KDP_LOG_WARNING;
    for (int i = 0; i < 4; i++) {
        if (strcasecmp(text, level_names[i]) == 0)
            return i;
    }
    return -1;
}

static void
write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, text, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return; /* a log that cannot be written must not end what it tells of */
        text += put;
        len -= (size_t)put;
    }
}

static int
target(void)
{
    if (log_fd >= 0)
        return log_fd;
    if (log_path == NULL || log_failed)
        return STDERR_FILENO;
    log_fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (log_fd < 0) {
        log_failed = true;
        fprintf(stderr, "kdp: warning: cannot write the log: %s: %s\n", log_path, strerror(errno));
        return STDERR_FILENO;
    }
    return log_fd;
}

/* One write per line, so that lines of several processes in one file stay whole. */
static void
put_line(enum kdp_log_level level, int64_t now_ns, const char *words)
{
    char time[KDPI_TIME_TEXT], line[WORDS_MAX + 128];
    int len;

    kdpi_time_format(time, now_ns, 9);
    len = snprintf(line, sizeof line, "time=%s level=%s event=%s\n", time, level_names[level], words);
    if (len > 0)
        write_all(target(), line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

static void
tell_repeats(struct recent *recent, int64_t now_ns)
{
    char first[KDPI_TIME_TEXT], last[KDPI_TIME_TEXT], words[WORDS_MAX];

    if (recent->hash != 0 && recent->count > 0) {
        kdpi_time_format(first, recent->first_ns, 9);
        kdpi_time_format(last, recent->last_ns, 9);
        snprintf(words, sizeof words, "repeated of=\"%s\" count=%llu first=%s last=%s", recent->words,
                 (unsigned long long)recent->count, first, last);
        put_line(recent->level, now_ns, words);
    }
    memset(recent, 0, sizeof *recent);
}

static uint64_t
hash_of(const char *words)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *words != '\0'; words++)
        hash = (hash ^ (unsigned char)*words) * UINT64_C(0x100000001b3);
    return hash != 0 ? hash : 1;
}

/* Returns true when the line is a repeat and only counted; remembers it otherwise. */
static bool
fold(enum kdp_log_level level, int64_t now_ns, const char *words)
{
    uint64_t hash = hash_of(words);
    struct recent *place = &recents[0];

    for (unsigned i = 0; i < RECENT_MAX; i++) {
        struct recent *recent = &recents[i];

        if (recent->hash != 0 && now_ns - recent->written_ns >= FOLD_NS)
            tell_repeats(recent, now_ns);
        if (recent->hash == hash) {
            if (recent->count++ == 0)
                recent->first_ns = now_ns;
            recent->last_ns = now_ns;
            return true;
        }
        if (place->hash != 0 && (recent->hash == 0 || recent->written_ns < place->written_ns))
            place = recent;
    }
    tell_repeats(place, now_ns);
    place->hash = hash;
    place->written_ns = now_ns;
    place->level = level;
    snprintf(place->words, sizeof place->words, "%s", words);
    for (char *p = place->words; *p != '\0'; p++) {
        if (*p == '"')
            *p = '\'';
    }
    return false;
}

void
kdpi_log_open(const char *path, enum kdp_log_level level)
{
    pthread_mutex_lock(&lock);
    if (log_fd >= 0)
        close(log_fd);
    log_fd = -1;
    log_failed = false;
    free(log_path);
    log_path = path != NULL ? strdup(path) : NULL;
    log_least = level;
    pthread_mutex_unlock(&lock);
}

void
kdpi_log_close(void)
{
    int64_t now_ns = log_clock();

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < RECENT_MAX; i++)
        tell_repeats(&recents[i], now_ns);
    if (log_fd >= 0)
        close(log_fd);
    log_fd = -1;
    free(log_path);
    log_path = NULL;
    pthread_mutex_unlock(&lock);
}

static bool
log_on(enum kdp_log_level level)
{
    return level <= log_least;
}

void
kdpi_log(enum kdp_log_level level, const char *event, const char *fmt, ...)
{
    char raw[WORDS_MAX], words[WORDS_MAX];
    int64_t now_ns;
    size_t used;
    va_list args;

    if (!log_on(level) && level > KDP_LOG_WARNING)
        return;
    used = (size_t)snprintf(raw, sizeof raw, "%s%s", event, *fmt != '\0' ? " " : "");
    if (used < sizeof raw) {
        va_start(args, fmt);
        vsnprintf(raw + used, sizeof raw - used, fmt, args);
        va_end(args);
    }
    kdpi_escape(words, sizeof words, raw, strlen(raw));
    now_ns = log_clock();
    pthread_mutex_lock(&lock);
    if (level <= KDP_LOG_WARNING) {
        warnings++;
        memcpy(last_warning, words, sizeof last_warning);
    }
    if (log_on(level) && !fold(level, now_ns, words))
        put_line(level, now_ns, words);
    pthread_mutex_unlock(&lock);
}

uint64_t
kdpi_log_warnings(char *buf, unsigned long size)
{
    uint64_t count;

    pthread_mutex_lock(&lock);
    count = warnings;
    if (buf != NULL && size > 0)
        snprintf(buf, size, "%s", last_warning);
    pthread_mutex_unlock(&lock);
    return count;
}

void
kdpi_log_set_clock(int64_t (*now_ns)(void))
{
    log_clock = now_ns != NULL ? now_ns : kdpi_now_ns;
}
