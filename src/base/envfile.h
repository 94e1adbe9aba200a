/* envfile.h - reads a .env file: KEY=VALUE lines as shells and container tools write them.
 *
 * Blank lines and lines that begin with # are skipped; "export " before a key is allowed; a value is bare (ends at " #" or
 * the line's end, blanks around it go), in single quotes (literal), or in double quotes (\n \t \" \\ \$ are escapes).
 * Nothing is expanded: $HOME stays $HOME.  CRLF line ends and a byte order mark are tolerated. */
#ifndef KDPI_ENVFILE_H
#define KDPI_ENVFILE_H

#include <stddef.h>

#define KDP_ENVFILE_MAX (1u << 20) /* bytes; a larger file is refused */

/* Called for each line with a key; strings are valid during the call; a negative return ends the reading with it. */
typedef int (*kdpi_envfile_each)(void *arg, const char *key, const char *value, unsigned line);

/* kdpi_envfile_parse reads text; name stands in messages.  0, or -KDP_EUSAGE with words that name file, line and reason. */
int kdpi_envfile_parse(const char *name, const char *text, size_t len, kdpi_envfile_each each, void *arg);
/* kdpi_envfile_read reads a file; -KDP_ENOENT when it is not there. */
int kdpi_envfile_read(const char *path, kdpi_envfile_each each, void *arg);

#endif
