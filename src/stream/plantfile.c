/* plantfile.c - see plantfile.h. */
#include "plantfile.h"

#include "clock.h"
#include "crc32c.h"
#include "error.h"
#include "file.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES 15u
#define LOCK_PAUSE_NS (20 * KDP_NS_PER_MS)

static const char *const state_words[] = {"none", "starting", "running", "closed"};

static int
path_of(char path[PATH_MAX], const char *dir, const char *name)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return kdpi_fail(KDP_EINVAL, "path is too long: %.64s...", dir);
    return 0;
}

/* The value of a key as a number; what is no number is damage, which the checksum has excluded, and gives 0.
 */
static uint64_t
number(const char *value, int base)
{
    return strtoull(value, NULL, base);
}

static void
take_line(struct kdp_plantfile *file, const char *key, const char *value)
{
    if (strcmp(key, "ring") == 0)
        snprintf(file->ring, sizeof file->ring, "%s", value);
    else if (strcmp(key, "old_ring") == 0)
        snprintf(file->old_ring, sizeof file->old_ring, "%s", value);
    else if (strcmp(key, "session") == 0)
        file->session = number(value, 16);
    else if (strcmp(key, "start_seq") == 0)
        file->start_seq = number(value, 10);
    else if (strcmp(key, "ring_bytes") == 0)
        file->ring_bytes = number(value, 10);
    else if (strcmp(key, "started_ns") == 0)
        file->started_ns = (int64_t)number(value, 10);
    else if (strcmp(key, "pid") == 0)
        file->pid = (int)number(value, 10);
    else if (strcmp(key, "raw") == 0)
        file->raw = number(value, 10) != 0;
    else if (strcmp(key, "tape") == 0)
        file->tape = number(value, 10) != 0;
    else if (strcmp(key, "state") == 0)
        for (unsigned i = KDP_PLANT_STARTING; i <= KDP_PLANT_CLOSED; i++)
            if (strcmp(value, state_words[i]) == 0)
                file->state = (enum kdp_plant_state)i;
    /* other keys are for people */
}

int
kdpi_plantfile_read(const char *dir, struct kdp_plantfile *file)
{
    char path[PATH_MAX], text[2048], *line, *end, *value, *check;
    ssize_t len;
    int fd, rc = path_of(path, dir, "plant");

    memset(file, 0, sizeof *file);
    if (rc != 0)
        return rc;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : kdpi_fail_errno(errno, "cannot open %s", path);
    len = read(fd, text, sizeof text - 1);
    rc = errno;
    close(fd);
    if (len < 0)
        return kdpi_fail_errno(rc, "cannot read %s", path);
    text[len] = '\0';
    check = strstr(text, "\ncrc=");
    if (check == NULL || strlen(text) != (size_t)len)
        return kdpi_fail(KDP_EFORMAT, "%s is not a plant file", path);
    check++;
    if (number(check + 4, 16) != kdpi_crc32c(0, text, (size_t)(check - text)))
        return kdpi_fail(KDP_ECHECKSUM, "%s is damaged", path);
    for (line = text; line < check; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        value = strchr(line, '=');
        if (value == NULL)
            continue;
        *value = '\0';
        take_line(file, line, value + 1);
    }
    if (file->state == KDP_PLANT_NONE || file->start_seq == 0) {
        memset(file, 0, sizeof *file);
        return kdpi_fail(KDP_EFORMAT, "%s names no state", path);
    }
    return 0;
}

int
kdpi_plantfile_write(const char *dir, const struct kdp_plantfile *file)
{
    char path[PATH_MAX], text[2048], when[KDPI_TIME_TEXT];
    int rc = path_of(path, dir, "plant"), len;

    if (rc != 0)
        return rc;
    kdpi_time_format(when, file->started_ns, 0);
    len = snprintf(text, sizeof text,
                   "kdp=plant 1\nstate=%s\nring=%s\nold_ring=%s\nsession=%016" PRIx64 "\npid=%d\nstarted=%s\n"
                   "started_ns=%" PRId64 "\nstart_seq=%" PRIu64 "\nring_bytes=%" PRIu64 "\nraw=%d\ntape=%d\n",
                   state_words[file->state], file->ring, file->old_ring, file->session, file->pid, when,
                   file->started_ns, file->start_seq, file->ring_bytes, file->raw, file->tape);
    len += snprintf(text + len, sizeof text - (size_t)len, "crc=%08" PRIx32 "\n",
                    kdpi_crc32c(0, text, (size_t)len));
    /* durable before the run goes on: after a loss of power the directory must still say that a run had
     * begun, or its numbers would be given out twice */
    return kdpi_file_replace(path, text, (size_t)len);
}

int
kdpi_plantfile_remove(const char *dir)
{
    char path[PATH_MAX];
    int rc = path_of(path, dir, "plant");

    if (rc != 0)
        return rc;
    if (unlink(path) != 0 && errno != ENOENT)
        return kdpi_fail_errno(errno, "cannot remove %s", path);
    return kdpi_file_sync(dir);
}

/* Open file description locks: they end with the process like any, do not vanish when some other part of the
 * process opens and closes the file, and can be asked for without being taken. */
static struct flock
whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static int
busy(const char *dir, int fd)
{
    char text[128] = "", since[KDPI_TIME_TEXT] = "?";
    long long started_ns = 0;
    int pid = 0;

    if (pread(fd, text, sizeof text - 1, 0) > 0 && sscanf(text, "%d %lld", &pid, &started_ns) == 2)
        kdpi_time_format(since, started_ns, 0);
    kdpi_fail(KDP_EBUSY, "%s is in use by another plant: pid %d, since %.10s %.8s UTC", dir, pid, since,
              strlen(since) > 11 ? since + 11 : "");
    kdpi_hint("Reading works meanwhile (query, tap, book). A second plant: --data OTHER");
    return -KDP_EBUSY;
}

void
kdpi_folder_hint(int errnum)
{
    switch (errnum) {
    case EACCES:
    case EPERM:
        kdpi_hint("You may not write there: run as its owner, or take another: --data DIR (KDP_DATA)");
        break;
    case ENOENT:
        kdpi_hint(
            "The folder above it must be there: mkdir -p makes it; or take another: --data DIR (KDP_DATA)");
        break;
    case ENOSPC:
        kdpi_hint("Free space, or take another: --data DIR (KDP_DATA)");
        break;
    default:
        kdpi_hint("Take another: --data DIR (KDP_DATA)");
    }
}

/* Says whether the process that wrote its number into the lock file is gone, or has ended and waits for its parent. */
static bool
holder_is_dead(int fd)
{
    char text[128] = "", path[64], stat[512];
    const char *end;
    ssize_t len;
    int pid = 0, file;

    if (pread(fd, text, sizeof text - 1, 0) <= 0 || sscanf(text, "%d", &pid) != 1 || pid <= 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT;
    len = read(file, stat, sizeof stat - 1);
    close(file);
    if (len <= 0)
        return true;
    stat[len] = '\0';
    end = strrchr(stat, ')'); /* behind the name, which may hold anything */
    return end != NULL && (end[2] == 'Z' || end[2] == 'X');
}

int
kdpi_plant_lock(const char *dir, int64_t now_ns)
{
    char path[PATH_MAX], text[64];
    struct flock lock = whole_file();
    int fd, len, refused = 0, rc = path_of(path, dir, "plant.lock");

    if (rc != 0)
        return rc;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        int errnum = errno;

        rc = kdpi_fail_errno(errnum, "cannot write in the data folder %s", dir);
        kdpi_folder_hint(errnum);
        return rc;
    }
    /* of a plant that was killed while it started a child, the child holds the lock until its exec */
    for (unsigned tries = 0; (rc = fcntl(fd, F_OFD_SETLK, &lock)) != 0; tries++) {
        struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

        refused = errno;
        if ((refused != EAGAIN && refused != EACCES) || tries == LOCK_TRIES || !holder_is_dead(fd))
            break;
        nanosleep(&pause, NULL);
    }
    if (rc != 0) {
        rc = refused == EAGAIN || refused == EACCES ? busy(dir, fd)
                                                    : kdpi_fail_errno(refused, "cannot lock %s", path);
        close(fd);
        return rc;
    }
    /* for the words above only: on a full disk it stays empty, and the lock holds all the same */
    len = snprintf(text, sizeof text, "%d %" PRId64 "\n", (int)getpid(), now_ns);
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, text, (size_t)len, 0);
    return fd;
}

int
kdp_plant_info(const char *dir, struct kdp_plant_info *info)
{
    char path[PATH_MAX];
    struct flock lock = whole_file();
    struct kdp_plantfile file;
    int fd, rc = kdpi_plantfile_read(dir, &file);

    memset(info, 0, sizeof *info);
    if (rc == 0)
        rc = path_of(path, dir, "plant.lock");
    if (rc != 0)
        return rc;
    if (file.state != KDP_PLANT_RUNNING)
        return kdpi_fail(KDP_ENOENT, "no plant runs in %s", dir);
    snprintf(info->ring, sizeof info->ring, "%s", file.ring);
    info->session = file.session;
    info->start_seq = file.start_seq;
    info->started_ns = file.started_ns;
    info->pid = file.pid;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        info->alive = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
        close(fd);
    }
    return 0;
}
