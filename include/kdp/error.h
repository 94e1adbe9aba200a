/* error.h - what a negative result of this library means, in a code and in words.
 *
 * A function that can fail returns 0 or more, or -KDP_E...  The words say what, where and why in one line, and often what to
 * do next in a second; they are kept per thread. */
#ifndef KDP_ERROR_H
#define KDP_ERROR_H

/* name, value, text.  Append only: the numbers are printed and stored. */
#define KDP_ERROR_LIST(X)                      \
    X(INVAL, 1, "invalid argument")            \
    X(NOMEM, 2, "out of memory")               \
    X(IO, 3, "input or output failed")         \
    X(NOENT, 4, "not found")                   \
    X(EXIST, 5, "exists already")              \
    X(ACCESS, 6, "permission denied")          \
    X(FULL, 7, "no space left")                \
    X(FORMAT, 8, "not in the expected format") \
    X(CHECKSUM, 9, "bad checksum")             \
    X(VERSION, 10, "newer format version")     \
    X(RANGE, 11, "out of range")               \
    X(BUSY, 12, "in use by another process")   \
    X(OVERRUN, 13, "reader was overtaken")     \
    X(TRUNCATED, 14, "ends too early")         \
    X(UNSUPPORTED, 15, "not supported")        \
    X(NOLIB, 16, "library missing")            \
    X(USAGE, 17, "command or settings wrong")  \
    X(STOPPED, 18, "stopped by a signal")      \
    X(INCOMPLETE, 19, "incomplete")            \
    X(NET, 20, "network failed")               \
    X(CLOSED, 21, "connection closed")         \
    X(TIMEOUT, 22, "no answer in time")        \
    X(REFUSED, 23, "refused by the server")

enum kdp_error {
#define KDP_X(name, value, text) KDP_E##name = (value),
    KDP_ERROR_LIST(KDP_X)
#undef KDP_X
};

/* kdp_error_text and kdp_error_hint give the last words of the calling thread; "" when there are none.  Valid until the
 * thread's next call of a function that can fail. */
const char *kdp_error_text(void);
const char *kdp_error_hint(void);
/* kdp_error_name gives "ENOENT"-like names without the KDP_ prefix for a code of either sign. */
const char *kdp_error_name(int code);

#endif
