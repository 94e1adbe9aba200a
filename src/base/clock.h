/* clock.h - time as int64_t nanoseconds since 1970-01-01 UTC, KDP_TIME_NULL where there is none.
 *
 * The plant reads no clock: its times arrive with its inputs.  Range of everything here: years 1970 to 2261. */
#ifndef KDPI_CLOCK_H
#define KDPI_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define KDP_NS_PER_S INT64_C(1000000000)
#define KDP_NS_PER_MS INT64_C(1000000)
#define KDP_NS_PER_DAY (INT64_C(86400) * KDP_NS_PER_S)
#define KDPI_TIME_TEXT 31 /* bytes that hold any formatted time with its NUL */

/* kdpi_now_ns reads the wall clock, kdpi_mono_ns the monotonic one. */
int64_t kdpi_now_ns(void);
int64_t kdpi_mono_ns(void);

/* kdpi_time_parse reads what a person or the exchange writes as a time: "2026-11-16", "2026-11-16T13:00:00Z" with 0
 * to 9 fractional digits and Z or an offset such as -05:00, or Unix seconds (digits, optionally with a fraction).
 * Returns 0, or -KDP_EFORMAT with *outp untouched; sets no error words. */
int kdpi_time_parse(const char *text, size_t len, int64_t *outp);

/* kdpi_time_format writes "2026-11-16T13:00:00.123456789Z" (digits = 9, 6, 3 or 0 fractional digits, cut, not rounded)
 * into buf of KDPI_TIME_TEXT bytes and returns its length; a null time gives "". */
size_t kdpi_time_format(char *buf, int64_t ns, int digits);

/* kdpi_day_of gives the UTC day number (days since 1970-01-01); kdpi_day_format writes "2026-11-16" (11 bytes). */
int32_t kdpi_day_of(int64_t ns);
size_t kdpi_day_format(char *buf, int32_t day);

#endif
