/* fuzz_recording.c - any bytes as a recording: read to the end without a crash, every text inside its bounds,
 * and the two ways that a line is taken apart agree. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "recording.h"
#include "unwrap.h"

static unsigned long sink;

static void
touch(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sink += (unsigned char)text[i];
}

static void
read_whole(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    struct kdp_recording *recording;
    struct kdp_recorded r = {.head = NULL};
    uint64_t last = 0;
    int rc;

    if (fd < 0) {
        fd = memfd_create("recording", 0);
        KDP_ASSERT(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    KDP_ASSERT(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    rc = kdp_recording_open(&recording, path);
    if (rc != 0) {
        KDP_ASSERT(recording == NULL && kdp_error_text()[0] != '\0');
        return;
    }
    while ((rc = kdp_recording_next(recording, &r)) == 1) {
        KDP_ASSERT(r.number > last || r.head != NULL);
        KDP_ASSERT(r.kind == KDP_RECORDED_MALFORMED ? r.refusal != KDP_REFUSAL_NONE && r.why[0] != '\0'
                                                    : r.refusal == KDP_REFUSAL_NONE);
        last = r.number;
        touch(r.text, r.len);
    }
    KDP_ASSERT(rc == 0 || kdp_error_text()[0] != '\0');
    KDP_ASSERT(r.head != NULL || kdp_recording_next(recording, &r) == rc);
    kdp_recording_close(recording);
}

/* A space before a line keeps it from the short way: both must find the same. */
static void
both_ways(const uint8_t *data, size_t size)
{
    static struct kdp_unwrapper *unwrapper;
    struct kdp_unwrapped a, b;
    char *line, *scratch_a, *scratch_b;

    if (unwrapper == NULL)
        unwrapper = kdpi_unwrapper_open();
    line = malloc(size + 1 + KDPI_UNWRAP_SLACK);
    scratch_a = malloc(size + 1 + KDPI_UNWRAP_SLACK);
    scratch_b = malloc(size + 1 + KDPI_UNWRAP_SLACK);
    KDP_ASSERT(line != NULL && scratch_a != NULL && scratch_b != NULL);
    line[0] = ' ';
    if (size > 0)
        memcpy(line + 1, data, size);
    memset(line + 1 + size, '"', KDPI_UNWRAP_SLACK);
    kdpi_unwrap(unwrapper, line + 1, size, scratch_a, &a);
    kdpi_unwrap(unwrapper, line, size + 1, scratch_b, &b);
    /* the short way leaves the frame's UTF-8 to the frame's decoder */
    if (b.refusal != KDP_REFUSAL_UTF8 && a.form != KDP_LINE_BARE) {
        KDP_ASSERT(a.form == b.form && a.refusal == b.refusal && a.conn == b.conn && a.recv_ns == b.recv_ns);
        if (a.refusal == KDP_REFUSAL_NONE)
            KDP_ASSERT(a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0));
        else
            KDP_ASSERT(a.position + 1 == b.position);
    }
    if (a.refusal == KDP_REFUSAL_NONE && a.form != KDP_LINE_MARK) {
        touch(a.text, a.len);
        kdpi_frame_time(unwrapper, a.text, a.len);
        kdpi_frame_is_command(unwrapper, a.text, a.len);
    }
    free(line);
    free(scratch_a);
    free(scratch_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_whole(data, size);
    both_ways(data, size);
    return 0;
}
