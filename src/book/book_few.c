/* book_few.c - few levels of a book finer than cents: two short sorted arrays a side in the book itself.
 *
 * What happens happens near the best price, which is last: a search from there takes a few comparisons, and
 * to insert or remove moves a few levels. */
#include <string.h>

#include "book_private.h"

bool
kdpi_few_find(const struct kdp_book *book, unsigned side, int32_t key, unsigned *atp)
{
    const int16_t *keys = book->few.keys[side];
    unsigned at = book->few_count[side];

    while (at > 0 && keys[at - 1] > key)
        at--;
    *atp = at;
    if (at == 0 || keys[at - 1] != key)
        return false;
    *atp = at - 1;
    return true;
}

void
kdpi_few_insert(struct kdp_book *book, unsigned side, unsigned at, int32_t key, int64_t size_e2)
{
    int16_t *keys = book->few.keys[side] + at;
    int64_t *sizes = book->few.sizes[side] + at;
    unsigned behind = book->few_count[side]++ - at;

    memmove(keys + 1, keys, behind * sizeof *keys);
    memmove(sizes + 1, sizes, behind * sizeof *sizes);
    *keys = (int16_t)key;
    *sizes = size_e2;
}

void
kdpi_few_remove(struct kdp_book *book, unsigned side, unsigned at)
{
    int16_t *keys = book->few.keys[side] + at;
    int64_t *sizes = book->few.sizes[side] + at;
    unsigned behind = --book->few_count[side] - at;

    memmove(keys, keys + 1, behind * sizeof *keys);
    memmove(sizes, sizes + 1, behind * sizeof *sizes);
    keys[behind] = 0;
    sizes[behind] = 0;
}

void
kdpi_few_clear(struct kdp_book *book, unsigned side)
{
    unsigned count = book->few_count[side];

    memset(book->few.keys[side], 0, count * sizeof book->few.keys[side][0]);
    memset(book->few.sizes[side], 0, count * sizeof book->few.sizes[side][0]);
    book->few_count[side] = 0;
}
