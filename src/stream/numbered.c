/* numbered.c - see numbered.h. */
#include "numbered.h"

#include "error.h"
#include "memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The number of a name of 8 or more digits and the suffix, 0 when it is none. */
static uint64_t
number_of(const char *name, const char *suffix)
{
    size_t digits = strspn(name, "0123456789");

    if (digits < 8 || digits > 18 || strcmp(name + digits, suffix) != 0)
        return 0;
    return strtoull(name, NULL, 10);
}

int
kdpi_numbered(const char *folder, const char *suffix, uint64_t **numbersp, size_t *countp)
{
    uint64_t *numbers = NULL, *grown, number;
    size_t count = 0, room = 0;
    struct dirent *entry;
    DIR *dir = opendir(folder);
    int errnum;

    *numbersp = NULL;
    *countp = 0;
    if (dir == NULL)
        return errno == ENOENT ? 0 : kdpi_fail_errno(errno, "cannot list %s", folder);
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        number = number_of(entry->d_name, suffix);
        if (number == 0)
            continue;
        grown = kdpi_grow(numbers, &room, sizeof *numbers, count + 1);
        if (grown == NULL) {
            free(numbers);
            closedir(dir);
            return -KDP_ENOMEM;
        }
        numbers = grown;
        numbers[count++] = number;
    }
    errnum = errno;
    closedir(dir);
    if (errnum != 0) {
        free(numbers);
        return kdpi_fail_errno(errnum, "cannot list %s", folder);
    }
    if (count > 1)
        qsort(numbers, count, sizeof *numbers, by_number);
    *numbersp = numbers;
    *countp = count;
    return 0;
}
