/* numbered.h - folders of files named by a number of eight digits, as both tapes have them. */
#ifndef KDPI_NUMBERED_H
#define KDPI_NUMBERED_H

#include <stddef.h>
#include <stdint.h>

/* kdpi_numbered lists the numbers of the files NNNNNNNN<suffix> in folder, ascending, in memory the caller
 * frees; other names are passed over.  A folder that is not there is an empty list. */
int kdpi_numbered(const char *folder, const char *suffix, uint64_t **numbersp, size_t *countp);

#endif
