/* json_scan.h - the reader's tokens, for json.c alone.
 *
 * Each function takes the place of a token in the reader's text and returns the place behind it, or NULL
 * after it has refused the text.  None reads past json->end. */
#ifndef KDPI_JSON_SCAN_H
#define KDPI_JSON_SCAN_H

#include "json.h"

/* kdpi_scan_string starts behind the opening quote and returns the closing one; *escapedp tells of escapes.
 */
const char *kdpi_scan_string(struct kdp_json *json, const char *p, bool *escapedp);
/* kdpi_scan_number starts at '-' or a digit. */
const char *kdpi_scan_number(struct kdp_json *json, const char *p);
const char *kdpi_scan_literal(struct kdp_json *json, const char *p, const char *word);
/* kdpi_scan_unescape writes the text [p, end), which kdpi_scan_string has passed, and returns its length,
 * SIZE_MAX when it does not fit. */
size_t kdpi_scan_unescape(char *out, size_t size, const char *p, const char *end);

#endif
