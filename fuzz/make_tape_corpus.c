/* make_tape_corpus.c - the seeds of fuzz/corpus/tape: small segments, sealed, growing, torn, repaired, empty.
 *
 *   make_tape_corpus fuzz/corpus/tape
 *
 * The same bytes every time but for the header's time of creation. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kdp_test.h"
#include "made_records.h"
#include "tape.h"
#include "tape_check.h"

/* the harness's, which has a main of its own */
uint64_t
kdp_test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static char work[] = "/tmp/kdp-corpus-XXXXXX";
static const char *target;

static void
keep(const char *name, uint8_t what, const char *from, size_t cut)
{
    static uint8_t bytes[1 << 16];
    char to[600];
    ssize_t len;
    int fd = open(from, O_RDONLY);

    if (fd < 0 || (len = read(fd, bytes, sizeof bytes)) < 0 || (size_t)len < cut)
        abort();
    close(fd);
    snprintf(to, sizeof to, "%s/%s", target, name);
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, &what, 1) != 1 || write(fd, bytes, (size_t)len - cut) != len - (ssize_t)cut)
        abort();
    close(fd);
}

int
main(int argc, char **argv)
{
    static uint64_t records[4096];
    struct kdp_tape_config config = {.dir = work, .session = 7, .segment_bytes = 1 << 20};
    struct kdp_tape_writer *writer;
    struct made_records made;
    char path[128];
    uint64_t cut;
    int fd;

    if (argc != 2 || mkdtemp(work) == NULL) {
        fprintf(stderr, "usage: make_tape_corpus FOLDER\n");
        return 2;
    }
    target = argv[1];
    mkdir(target, 0777);
    snprintf(path, sizeof path, "%s/tape/00000001.seg", work);
    made_records_start(&made, 1, 1, 3);
    if (kdp_tape_writer_open(&writer, &config, 1, &cut) != 0)
        return 1;
    for (int i = 0; i < 3; i++) {
        size_t bytes = made_records_fill(&made, records, 2600, NULL);

        if (kdp_tape_append(writer, records, bytes, (uint64_t)i) != 0 || kdp_tape_sync(writer) != 0)
            return 1;
    }
    keep("growing", 0x87, path, 0);
    keep("torn", 0x07, path, 100);
    keep("header", 0x07, path, 0);
    if (kdp_tape_writer_close(writer) != 0)
        return 1;
    keep("sealed", 0x87, path, 0);
    keep("sealed-as-is", 0x07, path, 0);
    keep("footer-cut", 0x03, path, 60);
    chmod(path, 0644);
    fd = open(path, O_RDWR);
    if (fd < 0 || pwrite(fd, "?", 1, 6000) != 1)
        return 1;
    close(fd);
    keep("damaged", 0x03, path, 0);
    if (kdp_tape_repair(work, true, NULL, NULL) != 1)
        return 1;
    keep("repaired", 0x87, path, 0);
    return 0;
}
