/* file.c - see file.h. */
#include "file.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
kdpi_file_write(int fd, const void *bytes, size_t len, uint64_t offset, const char *path)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t put = pwrite(fd, at, len, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return kdpi_fail_errno(put == 0 ? ENOSPC : errno, "cannot write %s", path);
        at += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return 0;
}

int
kdpi_file_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot open %s", path);
    if (fsync(fd) != 0)
        rc = kdpi_fail_errno(errno, "cannot sync %s", path);
    close(fd);
    return rc;
}

int
kdpi_file_replace(const char *path, const void *text, size_t len)
{
    char beside[PATH_MAX], folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd, rc;

    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside)
        return kdpi_fail(KDP_EINVAL, "path is too long: %.64s...", path);
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else /* "/" itself when the file is in the root */
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return kdpi_fail_errno(errno, "cannot make %s", beside);
    rc = kdpi_file_write(fd, text, len, 0, beside);
    if (rc == 0 && fsync(fd) != 0)
        rc = kdpi_fail_errno(errno, "cannot sync %s", beside);
    if (close(fd) != 0 && rc == 0)
        rc = kdpi_fail_errno(errno, "cannot write %s", beside);
    if (rc == 0 && rename(beside, path) != 0)
        rc = kdpi_fail_errno(errno, "cannot rename %s", beside);
    if (rc != 0) {
        (void)unlink(beside);
        return rc;
    }
    return kdpi_file_sync(folder);
}
