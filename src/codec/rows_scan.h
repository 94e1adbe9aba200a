/* rows_scan.h - single values of a large JSON file, passed over and checked: of rows.c alone.
 *
 * The text ends in zeros, which are no part of any JSON, so that nothing here looks for its end. */
#ifndef KDPI_ROWS_SCAN_H
#define KDPI_ROWS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a scan stopped, and why. */
struct kdp_rows_scan {
    const char *fault;
    const char *why; /* static words */
};

static inline const char *
kdpi_rows_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

/* Each gives the place behind what it passed, or NULL with the fault noted.  kdpi_rows_string begins behind the opening quote and
 * ends at the closing one. */
const char *kdpi_rows_string(const char *p, bool *escapedp, struct kdp_rows_scan *scan);
const char *kdpi_rows_scalar(const char *p, uint8_t *kindp, bool *escapedp, struct kdp_rows_scan *scan);
/* an array or object within a row; keys given twice in it are not looked for, since nothing reads it */
const char *kdpi_rows_nested(const char *p, struct kdp_rows_scan *scan);
/* kdpi_rows_unescape undoes the escapes of a text that was read whole before; it is cut at size - 1. */
size_t kdpi_rows_unescape(const char *text, size_t len, char *buf, size_t size);

#endif
