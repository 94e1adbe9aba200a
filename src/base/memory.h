/* memory.h - memory in the two ways this program takes it: reserved once for a bound, or an array that grows. */
#ifndef KDPI_MEMORY_H
#define KDPI_MEMORY_H

#include <stddef.h>

/* kdpi_reserve gives address space of so many bytes, all zero, whose pages are taken as they are touched; NULL when the
 * system refuses (sets no error words).  kdpi_unreserve gives it back; NULL is allowed. */
void *kdpi_reserve(size_t bytes);
void kdpi_unreserve(void *memory, size_t bytes);

/* kdpi_grow makes room for wanted items of item bytes in a malloc'd array that has room for *roomp (NULL: none): the
 * array, moved or not, with *roomp updated.  At least doubled, so that adding one by one stays cheap.  NULL when there is
 * no memory (the words are kept; the old array is untouched and still the caller's). */
void *kdpi_grow(void *array, size_t *roomp, size_t item, size_t wanted);

#endif
