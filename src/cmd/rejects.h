/* rejects.h - frames and lines that were refused are kept, with the reason, in DIR/rejects. */
#ifndef KDPI_REJECTS_H
#define KDPI_REJECTS_H

#include <stdio.h>

#include "command.h"

struct kdp_rejects {
    const struct kdp_cli *cli;
    const char *dir;
    char name[64];      /* of the file in DIR/rejects, made anew; "": one of this moment */
    uint64_t bytes_max; /* kept of one run, 0: no bound; the rest is counted */
    uint64_t count;     /* refused so far */
    uint64_t kept_bytes;
    FILE *out; /* opened with the first */
    char path[4096];
};

/* kdp_rejects_add keeps one; file and line say where it was (line 0: file says all), position is a byte in text.  The first
 * ten are named on the screen when named is set. */
void kdp_rejects_add(struct kdp_rejects *rejects, bool named, const char *file, uint64_t line,
                     size_t position, const char *member, const char *why, const char *text, size_t len);
void kdp_rejects_close(struct kdp_rejects *rejects);

#endif
