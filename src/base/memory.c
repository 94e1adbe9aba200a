/* memory.c - see memory.h. */
#include "memory.h"

#include "error.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ROOM_MIN 64u

void *
kdpi_reserve(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void
kdpi_unreserve(void *memory, size_t bytes)
{
    if (memory != NULL)
        munmap(memory, bytes);
}

void *
kdpi_grow(void *array, size_t *roomp, size_t item, size_t wanted)
{
    size_t room = *roomp < ROOM_MIN / 2 ? ROOM_MIN : *roomp * 2;
    void *grown;

    if (array != NULL && wanted <= *roomp)
        return array;
    if (room < wanted)
        room = wanted;
    grown = room > SIZE_MAX / item ? NULL : realloc(array, room * item);
    if (grown == NULL) {
        kdpi_fail(KDP_ENOMEM, "out of memory: %zu items of %zu bytes", room, item);
        return NULL;
    }
    *roomp = room;
    return grown;
}
