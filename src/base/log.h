/* log.h - the log: key=value lines with UTC nanoseconds, for cold paths only.
 *
 *   time=2026-11-22T15:04:41.902117384Z level=warning event=gap line=2 missed=14
 *
 * A line equal to one of the last minute (its event and its words) is not written again but counted; when the minute is
 * over, or the log is closed, one line tells how often: event=repeated of="gap line=2" count=41 first=... last=... .
 * Any thread may log.  The target is opened with the first line, so a command that has nothing to say makes no file. */
#ifndef KDPI_LOG_H
#define KDPI_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum kdp_log_level { KDP_LOG_ERROR, KDP_LOG_WARNING, KDP_LOG_INFO, KDP_LOG_DEBUG };

/* kdpi_log_level reads error, critical, warning, warn, info or debug in any case; -1 for anything else. */
int kdpi_log_level(const char *text);
/* kdpi_log_open says where lines go: a path (appended to), or NULL for stderr.  A file that cannot be opened when the first
 * line comes is told of on stderr once, and stderr takes its place. */
void kdpi_log_open(const char *path, enum kdp_log_level level);
/* kdpi_log_close tells what was repeated and closes the file.  Logging goes on to stderr if someone still does. */
void kdpi_log_close(void);
/* kdpi_log writes one line; fmt gives the key=value words behind the event, or "".  Control characters are escaped; no
 * secret may be in it. */
void kdpi_log(enum kdp_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* kdpi_log_warnings gives the number of warnings and errors so far, repeated ones counted too, and the last one's words
 * (valid until the next), for screens that show only that. */
uint64_t kdpi_log_warnings(char *buf, unsigned long size);

/* The clock, for tests; NULL is the wall clock. */
void kdpi_log_set_clock(int64_t (*now_ns)(void));

#endif
