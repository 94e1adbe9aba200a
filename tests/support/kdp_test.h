/* kdp_test.h - the test harness: cases register themselves, ctest runs each in a process of its own.
 *
 * A test file is a list of KDP_TEST(name) { ... } bodies and nothing else; main is in kdp_test.c.  The program
 * takes "--list" (one case name a line) or the name of one case; with no argument it runs all, for debuggers.
 * A failed check prints file, line and both values and ends the process with 1; skip() ends it with 77.
 * Checks are never compiled out. */
#ifndef KDP_TEST_H
#define KDP_TEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kdp_test_case {
    const char *name;
    void (*run)(void);
    struct kdp_test_case *next;
};

void kdp_test_register(struct kdp_test_case *test);
_Noreturn void kdp_test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* kdp_test_skip prints why and ends the case with 77, which ctest shows as Skipped. */
_Noreturn void kdp_test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* kdp_test_dir makes a fresh folder under TMPDIR for this case and removes it when the case passes. */
const char *kdp_test_dir(void);
/* kdp_test_seed is KDP_SEED from the environment or a fixed default; it is printed when a case fails. */
uint64_t kdp_test_seed(void);
/* kdp_test_random is a splitmix64 step; the same seed gives the same run everywhere. */
uint64_t kdp_test_random(uint64_t *state);
/* kdp_test_captures is the folder of recorded traffic (KDP_CAPTURES, else ../shared/captures beside the source
 * tree); the case is skipped, visibly, when it is absent. */
const char *kdp_test_captures(void);

#define KDP_TEST(ident)                                                       \
    static void test_##ident(void);                                           \
    __attribute__((constructor)) static void register_##ident(void)           \
    {                                                                         \
        static struct kdp_test_case test_case = {#ident, test_##ident, NULL}; \
        kdp_test_register(&test_case);                                        \
    }                                                                         \
    static void test_##ident(void)

#define CHECK(cond)                                         \
    do {                                                    \
        if (!(cond))                                        \
            kdp_test_fail(__FILE__, __LINE__, "%s", #cond); \
    } while (0)
#define CHECK_INT(got, want)                                                                 \
    do {                                                                                     \
        long long got_ = (long long)(got), want_ = (long long)(want);                        \
        if (got_ != want_)                                                                   \
            kdp_test_fail(__FILE__, __LINE__, "%s: got %lld, want %lld", #got, got_, want_); \
    } while (0)
#define CHECK_STR(got, want)                                                                               \
    do {                                                                                                   \
        const char *got_ = (got), *want_ = (want);                                                         \
        if (got_ == NULL || strcmp(got_, want_) != 0)                                                      \
            kdp_test_fail(__FILE__, __LINE__, "%s: got \"%s\", want \"%s\"", #got, got_ ? got_ : "(null)", \
                          want_);                                                                          \
    } while (0)
#define CHECK_MEM(got, want, len)                                                  \
    do {                                                                           \
        if (memcmp((got), (want), (len)) != 0)                                     \
            kdp_test_fail(__FILE__, __LINE__, "%s: differs from %s", #got, #want); \
    } while (0)

#endif
