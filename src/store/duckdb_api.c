/* duckdb_api.c - see duckdb_api.h. */
#include "duckdb_api.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

/* A way to a function pointer through memory: ISO C has no cast from void * to one. */
static bool
resolve(void *library, const char *name, void *slot)
{
    void *symbol = dlsym(library, name);

    memcpy(slot, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* beside writes the path of lib/libduckdb.so next to the running program, "" when it cannot be told. */
static void
beside(char *path, size_t size)
{
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    char *slash;

    path[0] = '\0';
    if (len <= 0)
        return;
    exe[len] = '\0';
    slash = strrchr(exe, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    if ((size_t)snprintf(path, size, "%s/lib/libduckdb.so", exe) >= size)
        path[0] = '\0';
    /* tests and benches are one or two folders below the program */
    for (int up = 0; up < 2 && path[0] != '\0' && access(path, R_OK) != 0; up++) {
        slash = strrchr(exe, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
        if ((size_t)snprintf(path, size, "%s/lib/libduckdb.so", exe) >= size)
            path[0] = '\0';
    }
}

int
kdp_duckdb_load(const struct kdp_duckdb **duckp)
{
    static struct kdp_duckdb duck;
    const char *named = getenv("KDP_DUCKDB_LIB");
    char path[PATH_MAX];
    void *library = NULL;

    *duckp = NULL;
    if (duck.library != NULL) {
        *duckp = &duck;
        return 0;
    }
    if (named != NULL && named[0] != '\0') {
        library = dlopen(named, RTLD_LAZY | RTLD_LOCAL);
        if (library == NULL) {
            int rc = kdpi_fail(KDP_ENOLIB, "cannot load DuckDB: KDP_DUCKDB_LIB: %s", dlerror());
            kdpi_hint("Name a libduckdb.so of DuckDB 1.5 there, or unset it; ./run --build-only fetches one");
            return rc;
        }
    } else {
        beside(path, sizeof path);
        if (path[0] != '\0' && access(path, R_OK) == 0) {
            library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
            if (library == NULL) {
                int rc = kdpi_fail(KDP_ENOLIB, "cannot load DuckDB: %s", dlerror());
                kdpi_hint("Delete that file and fetch it anew: ./run --build-only");
                return rc;
            }
        }
        if (library == NULL)
            library = dlopen("libduckdb.so", RTLD_LAZY | RTLD_LOCAL);
        if (library == NULL) {
            int rc = kdpi_fail(KDP_ENOLIB, "SQL needs libduckdb.so: not in build/lib, not on the system");
            kdpi_hint("./run --build-only fetches it. Without it run, replay, tap, book, top work");
            return rc;
        }
    }
#define KDP_X(type, name, args)                                                                           \
    if (!resolve(library, "duckdb_" #name, &duck.name)) {                                                 \
        dlclose(library);                                                                                 \
        kdpi_fail(KDP_ENOLIB, "this libduckdb.so is too old for kdp: it lacks duckdb_" #name);            \
        kdpi_hint("kdp needs DuckDB 1.4 or later; ./run --build-only fetches the one it is tested with"); \
        return -KDP_ENOLIB;                                                                               \
    }
    KDP_DUCKDB_FUNCTIONS(KDP_X)
#undef KDP_X
    duck.library = library;
    *duckp = &duck;
    return 0;
}
