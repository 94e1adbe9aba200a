/* error.h - the three kinds of trouble, kept apart.
 *
 * A bug: KDP_ASSERT, on in release builds too; prints the expression and aborts.
 * The environment (files, memory, settings, servers): a function returns 0 or more on success, or a negative -KDP_E...
 *   from the one list below; the words for a person are kept per thread: what, where and why in one line, and
 *   optionally a second line that says what to do next.  Cold paths only.
 * Data from the exchange: a verdict enum of the module, a counter and a change of book state, never an error here. */
#ifndef KDPI_ERROR_H
#define KDPI_ERROR_H

#include <stddef.h>

/* name, value, text.  Append only: the numbers are printed and stored. */
#define KDP_ERROR_LIST(X)                                                                                     \
    X(INVAL, 1, "invalid argument")                                                                           \
    X(NOMEM, 2, "out of memory")                                                                              \
    X(IO, 3, "input or output failed")                                                                        \
    X(NOENT, 4, "not found")                                                                                  \
    X(EXIST, 5, "exists already")                                                                             \
    X(ACCESS, 6, "permission denied")                                                                         \
    X(FULL, 7, "no space left")                                                                               \
    X(FORMAT, 8, "not in the expected format")                                                                \
    X(CHECKSUM, 9, "bad checksum")                                                                            \
    X(VERSION, 10, "newer format version")                                                                    \
    X(RANGE, 11, "out of range")                                                                              \
    X(BUSY, 12, "in use by another process")                                                                  \
    X(OVERRUN, 13, "reader was overtaken")                                                                    \
    X(TRUNCATED, 14, "ends too early")                                                                        \
    X(UNSUPPORTED, 15, "not supported")                                                                       \
    X(NOLIB, 16, "library missing")                                                                           \
    X(USAGE, 17, "command or settings wrong")                                                                 \
    X(STOPPED, 18, "stopped by a signal")                                                                     \
    X(INCOMPLETE, 19, "incomplete")

enum kdp_error {
#define KDP_X(name, value, text) KDP_E##name = (value),
    KDP_ERROR_LIST(KDP_X)
#undef KDP_X
};

/* kdpi_fail keeps the words for a person (WHAT: WHERE: WHY, lower case, no full stop) and returns -code, so that a
 * caller writes: return kdpi_fail(KDP_ENOENT, "no such file: %s", path); */
int kdpi_fail(enum kdp_error code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* kdpi_fail_errno is kdpi_fail with ": " and the system's word for errnum appended; the code is chosen from errnum. */
int kdpi_fail_errno(int errnum, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* kdpi_hint adds the second line (what to type next) to the error just kept. */
void kdpi_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* kdpi_error_text and kdpi_error_hint give the thread's last words; "" when there are none.  Valid until the next
 * kdpi_fail on this thread. */
const char *kdpi_error_text(void);
const char *kdpi_error_hint(void);
/* kdpi_error_name gives "ENOENT"-like names without the KDP_ prefix for a code of either sign. */
const char *kdpi_error_name(int code);
/* kdpi_escape copies text to buf with control characters written as \xNN, so that nothing from outside can move a
 * terminal's cursor; returns buf. */
char *kdpi_escape(char *buf, size_t size, const char *text, size_t len);

_Noreturn void kdpi_assert_failed(const char *expr, const char *file, int line);

#define KDP_ASSERT(expr) ((expr) ? (void)0 : kdpi_assert_failed(#expr, __FILE__, __LINE__))

#endif
