/* instruments.c - see instruments.h. */
#include "instruments.h"

#include "crc32c.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICKER_MAX KDP_RECORD_MAX
#define LINE_MAX_BYTES (TICKER_MAX * 3 + 32)

struct kdpi_instruments {
    char path[PATH_MAX];
    char dir[PATH_MAX];
    int fd;
    uint64_t bytes; /* of good lines in the file */
    uint32_t max;
    struct kdp_stream_instrument *items;
    size_t count, room;
    char *pending; /* lines not written yet */
    size_t pending_len, pending_room;
};

static int
remember(struct kdpi_instruments *log, uint32_t id, const char *ticker, size_t len)
{
    struct kdp_stream_instrument *items = kdpi_grow(log->items, &log->room, sizeof *items, log->count + 1);
    char *copy;

    if (items == NULL)
        return -KDP_ENOMEM;
    log->items = items;
    copy = malloc(len + 1);
    if (copy == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the list of instruments");
    memcpy(copy, ticker, len);
    copy[len] = '\0';
    log->items[log->count].id = id;
    log->items[log->count++].ticker = copy;
    return 0;
}

/* ---- lines ---- */

static size_t
format_line(char *line, uint32_t id, const char *ticker, size_t len)
{
    size_t used = (size_t)snprintf(line, 16, "%" PRIu32 " ", id);

    if (len == 0)
        line[used++] = '-';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)ticker[i];

        if (c <= ' ' || c >= 0x7f || c == '%' || (c == '-' && len == 1))
            used += (size_t)snprintf(line + used, 4, "%%%02X", c);
        else
            line[used++] = (char)c;
    }
    return used + (size_t)snprintf(line + used, 11, " %08" PRIx32 "\n", kdpi_crc32c(0, line, used));
}

/* Reads one line of len bytes (without its end): the ticker's length, or -1 when it is not whole. */
static int
parse_line(const char *line, size_t len, uint32_t *idp, char ticker[TICKER_MAX])
{
    const char *at = line, *end;
    char *stop, sum[9] = "";
    unsigned long long id;
    int used = 0;

    if (len < 12 || len > LINE_MAX_BYTES || line[len - 9] != ' ')
        return -1;
    memcpy(sum, line + len - 8, 8);
    if (strspn(sum, "0123456789abcdef") != 8 || strtoul(sum, NULL, 16) != kdpi_crc32c(0, line, len - 9))
        return -1;
    end = line + len - 9;
    id = *at >= '1' && *at <= '9' ? strtoull(at, &stop, 10) : 0;
    if (id == 0 || id > UINT32_MAX || *stop != ' ' || stop + 1 >= end)
        return -1;
    *idp = (uint32_t)id;
    at = stop + 1;
    if (end - at == 1 && *at == '-')
        return 0;
    for (; at < end && used < (int)TICKER_MAX; at++) {
        if (*at != '%') {
            ticker[used++] = *at;
        } else if (end - at >= 3) {
            memcpy(sum, at + 1, 2);
            sum[2] = '\0';
            ticker[used++] = (char)strtoul(sum, NULL, 16);
            at += 2;
        } else {
            return -1;
        }
    }
    return at == end ? used : -1;
}

/* ---- reading ---- */

static int
slurp(struct kdpi_instruments *log, char **textp, size_t *lenp)
{
    struct stat st;
    size_t have = 0;
    ssize_t got;

    *textp = NULL;
    if (fstat(log->fd, &st) != 0)
        return kdpi_fail_errno(errno, "cannot look at %s", log->path);
    *textp = malloc((size_t)st.st_size + 1);
    if (*textp == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory to read %s", log->path);
    while (have < (size_t)st.st_size) {
        got = pread(log->fd, *textp + have, (size_t)st.st_size - have, (off_t)have);
        if (got < 0)
            return kdpi_fail_errno(errno, "cannot read %s", log->path);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    (*textp)[have] = '\0';
    *lenp = have;
    return 0;
}

/* Reads every good line; *bytesp: the good ones from the start, *damagedp: a bad line has good ones behind
 * it. */
static int
read_lines(struct kdpi_instruments *log, const char *text, size_t len, uint64_t *bytesp)
{
    char ticker[TICKER_MAX];
    bool bad = false;
    size_t at = 0;

    *bytesp = 0;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end != NULL ? (size_t)(end - text) - at : len - at;
        uint32_t id = 0;
        int got = end != NULL ? parse_line(text + at, line, &id, ticker) : -1;

        at += line + 1;
        if (got < 0 || id <= log->max) { /* ids only grow */
            bad = true;
            continue;
        }
        log->max = id;
        if (got > 0) {
            int rc = remember(log, id, ticker, (size_t)got);

            if (rc != 0)
                return rc;
        }
        if (!bad)
            *bytesp = at;
    }
    return 0;
}

/* ---- mending from the tape ---- */

struct mending {
    struct kdpi_instruments *log;
    size_t known; /* items that came from the file */
    int rc;
};

static int
by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct kdp_stream_instrument *)a)->id,
             y = ((const struct kdp_stream_instrument *)b)->id;

    return x < y ? -1 : x > y;
}

static void
take_from_tape(void *arg, const struct kdp_tape_instrument *instrument)
{
    struct mending *mending = arg;
    struct kdp_stream_instrument key = {.id = instrument->id};

    if (mending->rc != 0 || instrument->id == 0)
        return;
    if (mending->known > 0 && bsearch(&key, mending->log->items, mending->known, sizeof key, by_id) != NULL)
        return;
    mending->rc = remember(mending->log, instrument->id, instrument->ticker, instrument->ticker_len);
    if (instrument->id > mending->log->max)
        mending->log->max = instrument->id;
}

/* Writes the file anew from the items, whole or not at all. */
static int
write_anew(struct kdpi_instruments *log)
{
    size_t len = 0;
    char *text = malloc((log->count + 1) * LINE_MAX_BYTES);
    int fd, rc;

    if (text == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the list of instruments");
    for (size_t i = 0; i < log->count; i++)
        len += format_line(text + len, log->items[i].id, log->items[i].ticker, strlen(log->items[i].ticker));
    if (log->max > (log->count > 0 ? log->items[log->count - 1].id : 0))
        len += format_line(text + len, log->max, "", 0);
    rc = kdpi_file_replace(log->path, text, len);
    free(text);
    if (rc != 0)
        return rc;
    fd = open(log->path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot open %s", log->path);
    close(log->fd);
    log->fd = fd;
    log->bytes = len;
    return 0;
}

static int
mend(struct kdpi_instruments *log)
{
    struct mending mending = {.log = log, .known = log->count};
    struct kdp_tape *tape;
    int rc = kdp_tape_open(&tape, log->dir);

    if (rc != 0)
        return rc;
    rc = kdp_tape_dictionary(tape, take_from_tape, &mending);
    kdp_tape_close(tape);
    if (mending.rc != 0)
        return mending.rc;
    if (rc != 0)
        return rc;
    if (log->count > 1)
        qsort(log->items, log->count, sizeof *log->items, by_id);
    return write_anew(log);
}

int
kdpi_instruments_open(struct kdpi_instruments **logp, const char *dir)
{
    struct kdpi_instruments *log = calloc(1, sizeof *log);
    char *text = NULL;
    size_t len = 0;
    int rc;

    *logp = NULL;
    if (log == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory for the list of instruments");
    log->fd = -1;
    if ((size_t)snprintf(log->dir, sizeof log->dir, "%s", dir) >= sizeof log->dir - 16) {
        rc = kdpi_fail(KDP_EINVAL, "path is too long: %.64s...", dir);
        goto err;
    }
    memcpy(log->path, log->dir, strlen(log->dir));
    memcpy(log->path + strlen(log->dir), "/instruments", sizeof "/instruments");
    log->fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (log->fd < 0) {
        rc = kdpi_fail_errno(errno, "cannot open %s", log->path);
        goto err;
    }
    rc = slurp(log, &text, &len);
    if (rc == 0)
        rc = read_lines(log, text, len, &log->bytes);
    /* the tape helps out when there is nothing, or a line in it is bad: a torn tail was never synced, so the
     * tape knows none of its ids, but a damaged last line looks the same */
    if (rc == 0 && (log->bytes < len || len == 0))
        rc = mend(log);
    free(text);
    if (rc != 0)
        goto err;
    *logp = log;
    return 0;
err:
    kdpi_instruments_close(log);
    return rc;
}

void
kdpi_instruments_close(struct kdpi_instruments *log)
{
    if (log == NULL)
        return;
    if (log->fd >= 0)
        close(log->fd);
    for (size_t i = 0; i < log->count; i++) {
        char *ticker;

        memcpy(&ticker, &log->items[i].ticker, sizeof ticker);
        free(ticker);
    }
    free(log->items);
    free(log->pending);
    free(log);
}

const struct kdp_stream_instrument *
kdpi_instruments_list(const struct kdpi_instruments *log, size_t *countp)
{
    *countp = log->count;
    return log->items;
}

uint32_t
kdpi_instruments_max(const struct kdpi_instruments *log)
{
    return log->max;
}

/* ---- appending ---- */

int
kdpi_instruments_add(struct kdpi_instruments *log, uint32_t id, const char *ticker, size_t len)
{
    char *pending = kdpi_grow(log->pending, &log->pending_room, 1, log->pending_len + LINE_MAX_BYTES);

    KDP_ASSERT(id > log->max && len <= TICKER_MAX);
    if (pending == NULL)
        return -KDP_ENOMEM;
    log->pending = pending;
    log->pending_len += format_line(log->pending + log->pending_len, id, ticker, len);
    log->max = id;
    return 0;
}

int
kdpi_instruments_sync(struct kdpi_instruments *log)
{
    int rc;

    if (log->pending_len == 0)
        return 0;
    rc = kdpi_file_write(log->fd, log->pending, log->pending_len, log->bytes, log->path);
    if (rc != 0) {
        (void)!ftruncate(log->fd, (off_t)log->bytes); /* else the next try writes over it */
        return rc;
    }
    if (fdatasync(log->fd) != 0)
        return kdpi_fail_errno(errno, "cannot sync %s", log->path);
    log->bytes += log->pending_len;
    log->pending_len = 0;
    return 0;
}
