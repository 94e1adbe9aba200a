/* kdp_test.c - the harness of kdp_test.h: registration, selection of one case, scratch folders. */
#include "kdp_test.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct kdp_test_case *first_case;
static struct kdp_test_case **last_case = &first_case;
static char scratch[512];
static const char *running = "?";

void
kdp_test_register(struct kdp_test_case *test)
{
    *last_case = test;
    last_case = &test->next;
}

uint64_t
kdp_test_seed(void)
{
    const char *text = getenv("KDP_SEED");

    return text != NULL ? strtoull(text, NULL, 0) : 20261122u;
}

uint64_t
kdp_test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void
kdp_test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "FAILED %s at %s:%d: ", running, file, line);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n  KDP_SEED=%llu", (unsigned long long)kdp_test_seed());
    if (scratch[0] != '\0')
        fprintf(stderr, ", wreck kept in %s", scratch);
    fputc('\n', stderr);
    fflush(NULL);
    _exit(1);
}

void
kdp_test_skip(const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "SKIPPED %s: ", running);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(NULL);
    _exit(77);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

const char *
kdp_test_dir(void)
{
    const char *tmp = getenv("TMPDIR");

    if (scratch[0] == '\0') {
        snprintf(scratch, sizeof scratch, "%s/kdp-test.XXXXXX", tmp != NULL ? tmp : "/tmp");
        if (mkdtemp(scratch) == NULL)
            kdp_test_fail(__FILE__, __LINE__, "cannot make %s", scratch);
    }
    return scratch;
}

const char *
kdp_test_captures(void)
{
    static char path[1024];
    const char *set = getenv("KDP_CAPTURES");

    snprintf(path, sizeof path, "%s", set != NULL ? set : KDP_SOURCE_DIR "/../shared/captures");
    if (access(path, R_OK) != 0)
        kdp_test_skip("no recorded traffic: %s is absent (KDP_CAPTURES names another place)", path);
    return path;
}

static void
run_case(const struct kdp_test_case *test)
{
    running = test->name;
    test->run();
    if (scratch[0] != '\0') {
        nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        scratch[0] = '\0';
    }
}

int
main(int argc, char **argv)
{
    const struct kdp_test_case *test;
    int found = 0;

    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (test = first_case; test != NULL; test = test->next)
            puts(test->name);
        return 0;
    }
    for (test = first_case; test != NULL; test = test->next) {
        if (argc > 1 && strcmp(argv[1], test->name) != 0)
            continue;
        found = 1;
        run_case(test);
    }
    if (!found) {
        fprintf(stderr, "no case %s; --list names them\n", argc > 1 ? argv[1] : "");
        return 2;
    }
    return 0;
}
