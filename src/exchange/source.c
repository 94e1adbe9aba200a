/* source.c - see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "error.h"

#define INPUT_BYTES (256u << 10) /* one read of a compressed file */
#define HEAD_BYTES 64u

enum source_kind { KDP_SOURCE_PLAIN, KDP_SOURCE_GZIP, KDP_SOURCE_ZSTD };

struct kdp_source {
    char *name;
    int fd;
    int64_t (*read)(void *arg, void *buf, size_t size); /* NULL: the file */
    void *read_arg;
    bool own_fd, at_end;
    bool in_member; /* a gzip member or zstd frame has begun and not ended */
    bool padded;    /* zeros after a gzip member were seen */
    bool pending;   /* the zstd decoder holds text that found no room */
    enum source_kind kind;
    int error; /* the error that every further read repeats; its words are in error_text */
    char error_text[512], error_hint[256];
    uint64_t taken, given, size;
    unsigned char *in; /* NULL when plain and past the head */
    size_t in_pos, in_len, head_len;
    unsigned char head[HEAD_BYTES];
    z_stream gzip;
    ZSTD_DStream *zstd;
};

static int64_t
read_some(struct kdp_source *source, void *buf, size_t size)
{
    int64_t got =
        source->read != NULL ? source->read(source->read_arg, buf, size) : read(source->fd, buf, size);

    if (got < 0 && source->read != NULL)
        return got;
    if (got < 0 &&
        errno == EINTR) /* a pipe may stay silent for ever: whoever was asked to end must get to know */
        return kdpi_fail(KDP_ESTOPPED, "stopped while reading: %s", source->name);
    if (got < 0)
        return kdpi_fail_errno(errno, "cannot read: %s", source->name);
    source->taken += (uint64_t)got;
    return got;
}

/* Fills the input buffer as far as the first bytes need: a pipe may give them one by one. */
static int
read_head(struct kdp_source *source)
{
    while (source->in_len < HEAD_BYTES) {
        int64_t got = read_some(source, source->in + source->in_len, INPUT_BYTES - source->in_len);

        if (got < 0)
            return (int)got;
        if (got == 0) {
            source->at_end = true;
            break;
        }
        source->in_len += (size_t)got;
    }
    source->head_len = source->in_len < HEAD_BYTES ? source->in_len : HEAD_BYTES;
    memcpy(source->head, source->in, source->head_len);
    return 0;
}

static int
begin(struct kdp_source *source)
{
    static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};
    const unsigned char *head = source->head;

    if (source->head_len >= 2 && head[0] == 0x1f && head[1] == 0x8b) {
        source->kind = KDP_SOURCE_GZIP;
        source->in_member = true;
        if (inflateInit2(&source->gzip, 15 + 16) != Z_OK)
            return kdpi_fail(KDP_ENOMEM, "cannot read: %s: no memory for zlib", source->name);
    } else if (source->head_len >= 4 &&
               (memcmp(head, zstd_magic, 4) == 0 || /* or a skippable frame */
                (memcmp(head + 1, "\x2a\x4d\x18", 3) == 0 && (head[0] & 0xf0) == 0x50))) {
        source->kind = KDP_SOURCE_ZSTD;
        source->zstd = ZSTD_createDStream();
        if (source->zstd == NULL)
            return kdpi_fail(KDP_ENOMEM, "cannot read: %s: no memory for zstd", source->name);
    }
    return 0;
}

static int
open_source(struct kdp_source **sourcep, const char *path, const struct kdp_source *from)
{
    struct kdp_source *source;
    struct stat st;
    int rc;

    *sourcep = NULL;
    source = calloc(1, sizeof *source);
    if (source == NULL)
        return kdpi_fail(KDP_ENOMEM, "cannot open: %s: out of memory", path);
    source->fd = -1;
    source->read = from->read;
    source->read_arg = from->read_arg;
    source->size = from->size;
    source->in = malloc(INPUT_BYTES);
    source->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    if (source->in == NULL || source->name == NULL) {
        rc = kdpi_fail(KDP_ENOMEM, "cannot open: %s: out of memory", path);
        goto err;
    }
    if (source->read == NULL && strcmp(path, "-") == 0) {
        source->fd = STDIN_FILENO;
    } else if (source->read == NULL) {
        source->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (source->fd < 0) {
            rc = kdpi_fail_errno(errno, "cannot open: %s", path);
            kdpi_hint("Is the name right? - is standard input");
            goto err;
        }
        source->own_fd = true;
    }
    if (source->read == NULL && fstat(source->fd, &st) == 0 && S_ISREG(st.st_mode))
        source->size = (uint64_t)st.st_size;
    rc = read_head(source);
    if (rc == 0)
        rc = begin(source);
    if (rc != 0)
        goto err;
    *sourcep = source;
    return 0;
err:
    kdp_source_close(source);
    return rc;
}

int
kdp_source_open(struct kdp_source **sourcep, const char *path)
{
    return open_source(sourcep, path, &(struct kdp_source){.size = 0});
}

int
kdp_source_open_read(struct kdp_source **sourcep, const char *name,
                     int64_t (*read)(void *arg, void *buf, size_t size), void *arg, uint64_t size)
{
    return open_source(sourcep, name, &(struct kdp_source){.read = read, .read_arg = arg, .size = size});
}

static int
refill(struct kdp_source *source)
{
    int64_t got;

    if (source->at_end)
        return 0;
    got = read_some(source, source->in, INPUT_BYTES);
    if (got < 0)
        return (int)got;
    source->in_pos = 0;
    source->in_len = (size_t)got;
    source->at_end = got == 0;
    return 0;
}

static int
truncated(struct kdp_source *source)
{
    int rc = kdpi_fail(KDP_ETRUNCATED,
                       "the compressed data end too early: %s: %llu bytes of text read from its %llu bytes",
                       source->name, (unsigned long long)source->given, (unsigned long long)source->taken);

    kdpi_hint(
        "What could be read was used. The rest is missing from the file: copy it again from where it came");
    return rc;
}

static int
damaged(struct kdp_source *source, const char *why)
{
    int rc = kdpi_fail(KDP_EFORMAT, "the compressed data are damaged: %s: near byte %llu: %s", source->name,
                       (unsigned long long)(source->taken - (source->in_len - source->in_pos)), why);

    kdpi_hint("%llu bytes of text before that place were read. Copy the file again from where it came",
              (unsigned long long)source->given);
    return rc;
}

/* After a member's end: another member, zeros as tape blocks pad them, or bytes that are no gzip. */
static int
next_member(struct kdp_source *source)
{
    while (source->in_pos < source->in_len && source->in[source->in_pos] == 0) {
        source->in_pos++;
        source->padded = true;
    }
    if (source->in_pos == source->in_len)
        return 0;
    if (source->padded || source->in[source->in_pos] != 0x1f)
        return damaged(source, "bytes that are no gzip follow a gzip member");
    if (inflateReset(&source->gzip) != Z_OK)
        return damaged(source, "zlib refuses to go on");
    source->in_member = true;
    return 0;
}

static int64_t
read_gzip(struct kdp_source *source, void *buf, size_t size)
{
    z_stream *z = &source->gzip;

    z->next_out = buf;
    z->avail_out = size > (1u << 30) ? 1u << 30 : (unsigned)size;
    size = z->avail_out;
    while (z->avail_out == size) {
        int rc;

        if (source->in_pos == source->in_len) {
            rc = refill(source);
            if (rc != 0)
                return rc;
            if (source->at_end)
                return source->in_member ? truncated(source) : 0;
        }
        if (!source->in_member) {
            rc = next_member(source);
            if (rc != 0)
                return rc;
            continue;
        }
        z->next_in = source->in + source->in_pos;
        z->avail_in = (unsigned)(source->in_len - source->in_pos);
        rc = inflate(z, Z_NO_FLUSH);
        source->in_pos = source->in_len - z->avail_in;
        if (rc == Z_STREAM_END)
            source->in_member = false;
        else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            if (z->avail_out != size)
                break; /* what came before the damage is given first; the next call meets it again */
            return damaged(source, z->msg != NULL ? z->msg : "zlib gives no reason");
        }
    }
    return (int64_t)(size - z->avail_out);
}

static int64_t
read_zstd(struct kdp_source *source, void *buf, size_t size)
{
    ZSTD_outBuffer out = {buf, size, 0};

    while (out.pos == 0) {
        ZSTD_inBuffer in;
        size_t rc;

        if (source->in_pos == source->in_len && !source->pending) {
            int err = refill(source);

            if (err != 0)
                return err;
            if (source->at_end)
                return source->in_member ? truncated(source) : 0;
        }
        in = (ZSTD_inBuffer){source->in, source->in_len, source->in_pos};
        rc = ZSTD_decompressStream(source->zstd, &out, &in);
        if (ZSTD_isError(rc))
            return damaged(source, ZSTD_getErrorName(rc));
        source->in_pos = in.pos;
        source->in_member = rc != 0;
        /* a full output buffer means that more text may wait inside the decoder, with no further input */
        source->pending = out.pos == size && rc != 0;
    }
    return (int64_t)out.pos;
}

static int64_t
read_plain(struct kdp_source *source, void *buf, size_t size)
{
    if (source->in_pos < source->in_len) {
        size_t left = source->in_len - source->in_pos, count = left < size ? left : size;

        memcpy(buf, source->in + source->in_pos, count);
        source->in_pos += count;
        return (int64_t)count;
    }
    return source->at_end ? 0 : read_some(source, buf, size);
}

int64_t
kdp_source_read(struct kdp_source *source, void *buf, size_t size)
{
    int64_t got;

    if (source->error != 0) {
        kdpi_fail((enum kdp_error) - source->error, "%s", source->error_text);
        if (source->error_hint[0] != '\0')
            kdpi_hint("%s", source->error_hint);
        return source->error;
    }
    if (source->kind == KDP_SOURCE_GZIP)
        got = read_gzip(source, buf, size);
    else if (source->kind == KDP_SOURCE_ZSTD)
        got = read_zstd(source, buf, size);
    else
        got = read_plain(source, buf, size);
    if (got < 0) {
        const char *text = kdp_error_text();
        size_t len = strlen(text);

        source->error = (int)got;
        if (len >= sizeof source->error_text)
            len = sizeof source->error_text - 1;
        memcpy(source->error_text, text, len);
        source->error_text[len] = '\0';
        snprintf(source->error_hint, sizeof source->error_hint, "%s", kdp_error_hint());
        return got;
    }
    source->given += (uint64_t)got;
    return got;
}

void
kdp_source_close(struct kdp_source *source)
{
    if (source == NULL)
        return;
    if (source->own_fd)
        close(source->fd);
    if (source->kind == KDP_SOURCE_GZIP)
        inflateEnd(&source->gzip);
    ZSTD_freeDStream(source->zstd);
    free(source->in);
    free(source->name);
    free(source);
}

const void *
kdp_source_head(const struct kdp_source *source, size_t *lenp)
{
    *lenp = source->head_len;
    return source->head;
}

const char *
kdp_source_name(const struct kdp_source *source)
{
    return source->name;
}

uint64_t
kdp_source_taken(const struct kdp_source *source)
{
    return source->taken - (source->in_len - source->in_pos);
}

uint64_t
kdp_source_size(const struct kdp_source *source)
{
    return source->size;
}
