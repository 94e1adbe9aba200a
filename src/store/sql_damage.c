/* sql_damage.c - when a statement fails because of a file of the lake: which one, and what to do about it. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "sql_views.h"

#define MAGIC "PAR1" /* a Parquet file begins and ends with it */
#define MAGIC_LEN 4

static const char *
system_words(int errnum, char *words, size_t size)
{
    char buf[128];

    snprintf(words, size, "%s", strerror_r(errnum, buf, sizeof buf));
    words[0] = (char)tolower((unsigned char)words[0]);
    return words;
}

/* What can be seen of a file without reading it through; NULL: nothing is wrong. */
static const char *
look_at(const char *path, uint64_t bytes, char *words, size_t size)
{
    char head[MAGIC_LEN], tail[MAGIC_LEN];
    const char *why = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return system_words(errno, words, size);
    if (fstat(fd, &st) != 0) {
        why = system_words(errno, words, size);
    } else if ((uint64_t)st.st_size != bytes) {
        snprintf(words, size, "%lld bytes, its manifest says %" PRIu64, (long long)st.st_size, bytes);
        why = words;
    } else if (pread(fd, head, MAGIC_LEN, 0) != MAGIC_LEN ||
               pread(fd, tail, MAGIC_LEN, st.st_size - MAGIC_LEN) != MAGIC_LEN ||
               memcmp(head, MAGIC, MAGIC_LEN) != 0 || memcmp(tail, MAGIC, MAGIC_LEN) != 0) {
        why = "not Parquet";
    }
    close(fd);
    return why;
}

static int
blame(const struct kdp_sql_views *views, unsigned table, const char *path, const char *why)
{
    const char *name = kdp_sql_views_table(table), *file = strrchr(path, '/');

    kdpi_fail(KDP_ECHECKSUM, "damaged lake file: %s: %s", path, why);
    if (table >= KDP_LAKE_TABLES_MAX)
        kdpi_hint("Put back a copy, or move the folder %s/%s aside: kdp backfill then fetches it anew",
                  views->dir, name);
    else
        kdpi_hint(
            "Put back a copy, or move the folder %s/%s aside: kdp seal then makes it anew as far as the tape "
            "reaches%s",
            views->dir, name,
            file != NULL && strncmp(file, "/hist-", 6) == 0 ? ", kdp backfill the rest" : "");
    return -KDP_ECHECKSUM;
}

/* Whether DuckDB speaks of files; *tablep: of those of one table, whose view could not be made. */
static bool
is_of_files(int *tablep)
{
    static const char create[] = "CREATE OR REPLACE VIEW ";
    const char *at = strstr(kdp_error_hint(), create);

    *tablep = -1;
    for (unsigned i = 0; i < KDP_SQL_TABLES_MAX && at != NULL; i++) {
        const char *name = kdp_sql_views_table(i);
        size_t len = name != NULL ? strlen(name) : 0;

        if (name != NULL && strncmp(at + sizeof create - 1, name, len) == 0 &&
            at[sizeof create - 1 + len] == ' ')
            *tablep = (int)i;
    }
    return *tablep >= 0 || strcasestr(kdp_error_text(), "parquet") != NULL ||
           strstr(kdp_error_text(), "TProtocol") != NULL;
}

int
kdp_sql_views_damage(const struct kdp_sql_views *views)
{
    char path[PATH_MAX + KDP_MANIFEST_PATH + 64], words[128], said[700];
    int table;

    if (!is_of_files(&table))
        return 0;
    /* their sizes and both ends first: DuckDB's words name what it noticed, which may be a consequence */
    for (unsigned named = 0; named < 2; named++)
        for (unsigned i = 0; i < KDP_SQL_TABLES_MAX; i++)
            for (size_t f = 0; f < views->manifests[i].count; f++) {
                const struct kdp_manifest_file *file = &views->manifests[i].files[f];
                const char *why = NULL;

                if (file->from > views->cut)
                    continue;
                snprintf(path, sizeof path, "%s/%s/%s", views->dir, kdp_sql_views_table(i), file->path);
                if (named == 0) {
                    why = look_at(path, file->bytes, words, sizeof words);
                } else if (strstr(kdp_error_text(), path) != NULL) {
                    const char *last;

                    snprintf(said, sizeof said, "%s", kdp_error_text());
                    last = strstr(said, path) + strlen(path);
                    last += strspn(last, "'\": ");
                    why = *last != '\0' ? last : "DuckDB cannot read it";
                }
                if (why != NULL)
                    return blame(views, i, path, why);
            }
    if (table < 0)
        return 0;
    snprintf(path, sizeof path, "one of %s/%s", views->dir, kdp_sql_views_table((unsigned)table));
    snprintf(said, sizeof said, "%s", kdp_error_text());
    return blame(views, (unsigned)table, path, said);
}
