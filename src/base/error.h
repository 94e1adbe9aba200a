/* error.h - the three kinds of trouble, kept apart.
 *
 * A bug: KDP_ASSERT, on in release builds too; prints the expression and aborts.
 * The environment (files, memory, settings, servers): a function returns 0 or more on success, or a negative -KDP_E...
 *   from the one list of kdp/error.h; the words for a person are kept per thread: what, where and why in one line, and
 *   optionally a second line that says what to do next.  Cold paths only.
 * Data from the exchange: a verdict enum of the module, a counter and a change of book state, never an error here. */
#ifndef KDPI_ERROR_H
#define KDPI_ERROR_H

#include <stddef.h>

#include "kdp/error.h" /* the list of codes, and the words as a user of the library gets them */

/* kdpi_fail keeps the words for a person (WHAT: WHERE: WHY, lower case, no full stop) and returns -code, so that a
 * caller writes: return kdpi_fail(KDP_ENOENT, "no such file: %s", path); */
int kdpi_fail(enum kdp_error code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* kdpi_fail_errno is kdpi_fail with ": " and the system's word for errnum appended; the code is chosen from errnum. */
int kdpi_fail_errno(int errnum, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* kdpi_hint adds the second line (what to type next) to the error just kept. */
void kdpi_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* kdpi_escape copies text to buf with control characters written as \xNN, so that nothing from outside can move a
 * terminal's cursor; returns buf. */
char *kdpi_escape(char *buf, size_t size, const char *text, size_t len);

_Noreturn void kdpi_assert_failed(const char *expr, const char *file, int line);

#define KDP_ASSERT(expr) ((expr) ? (void)0 : kdpi_assert_failed(#expr, __FILE__, __LINE__))

#endif
