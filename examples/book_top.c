/* book_top.c - rebuilds one market's book from the records alone and prints its best prices whenever they change.
 *
 *   cc book_top.c $(pkg-config --cflags --libs kdp) -o book_top
 *   ./book_top DIR TICKER
 *
 * A book that is not known to be right prints as "stale": what it shows would look right and be wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <kdp/book.h>
#include <kdp/error.h>
#include <kdp/reader.h>
#include <kdp/records.h>

static void
take_snapshot(struct kdp_book *book, const struct kdp_book_snapshot *snapshot)
{
    const struct kdp_group_size *group = (const void *)(snapshot + 1);
    const struct kdp_book_snapshot_levels *levels = (const void *)(group + 1);

    if (snapshot->part == 0)
        kdp_book_begin(book);
    for (uint32_t i = 0; i < group->count; i++)
        kdp_book_put(book, levels[i].side, levels[i].price_e4, levels[i].size_e2);
    if (snapshot->part + 1 == snapshot->parts)
        kdp_book_commit(book);
}

static void
take(struct kdp_book *book, const struct kdp_head *rec)
{
    const void *body = rec;
    const struct kdp_level *level = body;
    const struct kdp_state *state = body;
    int64_t size_e2;

    if (rec->template_id == KDP_TEMPLATE_BOOK_SNAPSHOT)
        take_snapshot(book, body);
    else if (rec->template_id == KDP_TEMPLATE_LEVEL)
        kdp_book_apply(book, level->side, level->price_e4, level->delta_e2, &size_e2);
    else if (rec->template_id == KDP_TEMPLATE_STATE && state->subject == KDP_SUBJECT_INSTRUMENT)
        kdp_book_set_state(book, state->state);
}

static void
print(uint64_t seq, const struct kdp_book *book, const struct kdp_top *top)
{
    printf("%" PRIu64, seq);
    if (kdp_book_state(book) != KDP_BOOK_STATE_LIVE)
        printf(" stale\n");
    else /* an empty side has price KDP_PRICE_NULL and size 0 */
        printf(" %" PRId64 " @ %d | %d @ %" PRId64 "\n", top->bid_size_e2,
               top->bid_e4 == KDP_PRICE_NULL ? -1 : top->bid_e4,
               top->ask_e4 == KDP_PRICE_NULL ? -1 : top->ask_e4, top->ask_size_e2);
}

int
main(int argc, char **argv)
{
    struct kdp_book_pool *pool = kdp_book_pool_open(1, 1u << 20);
    struct kdp_book *book = pool != NULL ? kdp_book_new(pool) : NULL;
    enum kdp_book_state before = KDP_BOOK_STATE_NONE;
    struct kdp_reader *reader;
    const struct kdp_head *rec;
    struct kdp_top top;
    int size;

    if (argc != 3 || book == NULL) {
        fprintf(stderr, "usage: %s DIR TICKER\n", argv[0]);
        return 2;
    }
    if (kdp_reader_open(&reader, argv[1], "oldest", 0) != 0) {
        fprintf(stderr, "%s\n%s\n", kdp_error_text(), kdp_error_hint());
        return 1;
    }
    while ((size = kdp_reader_next(reader, &rec)) > 0) {
        if (rec->instrument == 0 || rec->instrument != kdp_reader_instrument(reader, argv[2]))
            continue;
        take(book, rec);
        if ((rec->flags & KDP_FLAGS_LAST) == 0)
            continue; /* the message goes on: its middle is no state that the exchange ever had */
        if (kdp_book_settle(book, rec->recv_ns, &top) || kdp_book_state(book) != before)
            print(rec->seq, book, &top);
        before = kdp_book_state(book);
    }
    kdp_reader_close(reader);
    kdp_book_pool_close(pool);
    return size < 0 || fflush(stdout) != 0;
}
