/* book_pool.c - one reservation of address space: layouts, then books, then blocks for books finer than
 * cents.
 *
 * Memory is taken from the system as it is first touched and handed out again after use, never given back
 * before the pool closes.  Free memory is all zero but for the links of the free lists, so that nothing is
 * cleared twice.  Under AddressSanitizer whatever is free is poisoned: a use after free shows as it would
 * with malloc. */
#include <string.h>
#include <sys/mman.h>

#include "book_private.h"
#include "error.h"
#include "memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POOL_POISONS 1
#endif
#ifdef POOL_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(start, bytes) __asan_poison_memory_region((start), (bytes))
#define UNPOISON(start, bytes) __asan_unpoison_memory_region((start), (bytes))
#else
#define POISON(start, bytes) ((void)(start), (void)(bytes))
#define UNPOISON(start, bytes) ((void)(start), (void)(bytes))
#endif

/* Block sizes: four classes to each doubling from 1 KiB, so that at most a fifth of a block is slack. */
#define BLOCK_MIN_SHIFT 10u
#define BLOCK_CLASSES 36u
#define BLOCK_ALIGN 64u
#define HUGE_PAGE ((size_t)2 << 20)

struct kdp_book_pool {
    size_t mapped_bytes;
    struct kdpi_layout *layouts;
    uint32_t layout_count;
    uint32_t books_max;
    uint32_t books_touched; /* books below this index were handed out at least once */
    uint32_t books_used;
    char *books;
    struct kdp_book *free_book;
    char *blocks;
    size_t blocks_max_bytes, blocks_touched_bytes, blocks_used_bytes;
    uint64_t *free_block[BLOCK_CLASSES]; /* linked through their first word */
};

static size_t
round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1u) / unit * unit;
}

static size_t
class_bytes(unsigned index)
{
    return (size_t)(4u + index % 4u) << (BLOCK_MIN_SHIFT - 2u + index / 4u);
}

struct kdp_book_pool *
kdp_book_pool_open(uint32_t books_max, size_t bytes_max)
{
    size_t head = round_up(sizeof(struct kdp_book_pool), BLOCK_ALIGN);
    size_t layouts = round_up(KDPI_LAYOUTS_MAX * sizeof(struct kdpi_layout), BLOCK_ALIGN);
    size_t books = (size_t)books_max * KDPI_BOOK_BYTES,
           mapped = round_up(head + layouts + books, BLOCK_ALIGN);
    struct kdp_book_pool *pool;
    char *memory;

    if (bytes_max > SIZE_MAX / 2 || mapped + bytes_max < mapped)
        return NULL;
    mapped += bytes_max;
    memory = kdpi_reserve(mapped);
    if (memory == NULL)
        return NULL;
    /* Books are picked at random by the market: with 4 KiB pages each pick misses the TLB too.  Small pools
     * stay on small pages.  A kernel that refuses costs speed only. */
    if (books >= 8 * HUGE_PAGE)
        (void)madvise(memory, mapped, MADV_HUGEPAGE);
    pool = (struct kdp_book_pool *)(void *)memory;
    pool->mapped_bytes = mapped;
    pool->layouts = (struct kdpi_layout *)(void *)(memory + head);
    pool->books_max = books_max;
    pool->books = memory + head + layouts;
    pool->blocks = memory + (mapped - bytes_max);
    pool->blocks_max_bytes = bytes_max;
    POISON(pool->books, mapped - head - layouts);
    kdpi_layouts_open(pool);
    return pool;
}

void
kdp_book_pool_close(struct kdp_book_pool *pool)
{
    if (pool == NULL)
        return;
    /* the next mapping at this address must not inherit our marks */
    UNPOISON(pool, pool->mapped_bytes);
    kdpi_unreserve(pool, pool->mapped_bytes);
}

size_t
kdp_book_pool_used(const struct kdp_book_pool *pool)
{
    return sizeof *pool + pool->layout_count * sizeof(struct kdpi_layout) +
           pool->books_used * KDPI_BOOK_BYTES + pool->blocks_used_bytes;
}

struct kdpi_layout *
kdpi_pool_layouts(struct kdp_book_pool *pool)
{
    return pool->layouts;
}

uint32_t *
kdpi_pool_layout_count(struct kdp_book_pool *pool)
{
    return &pool->layout_count;
}

struct kdp_book *
kdp_book_new(struct kdp_book_pool *pool)
{
    struct kdp_book *book = pool->free_book;

    if (book != NULL) {
        UNPOISON(book, sizeof *book);
        pool->free_book = book->next_free;
        book->next_free = NULL;
    } else if (pool->books_touched < pool->books_max) {
        book = (struct kdp_book *)(void *)(pool->books + pool->books_touched++ * KDPI_BOOK_BYTES);
        UNPOISON(book, sizeof *book);
    } else {
        return NULL;
    }
    pool->books_used++;
    book->state = KDP_BOOK_STATE_STALE;
    book->since_ns = KDP_TIME_NULL;
    for (unsigned side = 0; side < 2; side++)
        book->best_key[side] = book->last_key[side] = KDPI_NO_KEY;
    kdpi_book_attach(book, &pool->layouts[0]);
    return book;
}

void
kdp_book_free(struct kdp_book_pool *pool, struct kdp_book *book)
{
    KDP_ASSERT((char *)book >= pool->books &&
               (char *)book < pool->books + pool->books_touched * KDPI_BOOK_BYTES);
    KDP_ASSERT(book->layout != NULL && book->layout->pool == pool);
    kdpi_book_clear(book);
    if (book->wide != NULL)
        kdpi_block_give(pool, book->wide, book->wide_class);
    kdpi_book_detach(book);
    /* the sizes are zero already; with them a free book would cost its memory's bandwidth once more */
    memset(book, 0, offsetof(struct kdp_book, sizes));
    memset((char *)book + offsetof(struct kdp_book, since_ns), 0,
           sizeof *book - offsetof(struct kdp_book, since_ns));
    book->next_free = pool->free_book;
    pool->free_book = book;
    pool->books_used--;
    POISON(book, sizeof *book);
}

uint64_t *
kdpi_block_take(struct kdp_book_pool *pool, size_t bytes, uint8_t *classp)
{
    unsigned index = 0;
    uint64_t *block;

    while (index < BLOCK_CLASSES && class_bytes(index) < bytes)
        index++;
    KDP_ASSERT(index < BLOCK_CLASSES);
    *classp = (uint8_t)index;
    if (pool->free_block[index] == NULL &&
        class_bytes(index) <= pool->blocks_max_bytes - pool->blocks_touched_bytes) {
        block = (uint64_t *)(void *)(pool->blocks + pool->blocks_touched_bytes);
        pool->blocks_touched_bytes += class_bytes(index);
        pool->blocks_used_bytes += class_bytes(index);
        UNPOISON(block, bytes);
        return block;
    }
    for (; index < BLOCK_CLASSES && pool->free_block[index] == NULL; index++)
        ; /* nothing new to be had: a larger one that is free will do */
    if (index == BLOCK_CLASSES)
        return NULL;
    *classp = (uint8_t)index;
    block = pool->free_block[index];
    UNPOISON(block, bytes);
    pool->free_block[index] = (uint64_t *)(uintptr_t)block[0];
    block[0] = 0;
    pool->blocks_used_bytes += class_bytes(index);
    return block;
}

void
kdpi_block_give(struct kdp_book_pool *pool, uint64_t *block, uint8_t class_index)
{
    block[0] = (uint64_t)(uintptr_t)pool->free_block[class_index];
    pool->free_block[class_index] = block;
    pool->blocks_used_bytes -= class_bytes(class_index);
    POISON(block, class_bytes(class_index));
}
