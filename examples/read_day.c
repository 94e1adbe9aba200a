/* read_day.c - prints the trades of a data directory, oldest first: one reader over tape and ring, plant or no plant.
 *
 *   cc read_day.c $(pkg-config --cflags --libs kdp) -o read_day
 *   ./read_day DIR [FROM]        FROM: oldest (default), a sequence number, or a time such as 2026-11-16T13:00:00Z
 *
 * One line a trade: seq, ticker, exchange time in ns, price in dollars, contracts, what the taker bought. */
#include <inttypes.h>
#include <stdio.h>

#include <kdp/error.h>
#include <kdp/reader.h>
#include <kdp/records.h>

static void
print(struct kdp_reader *reader, const struct kdp_trade *trade)
{
    const char *ticker = kdp_reader_ticker(reader, trade->head.instrument);

    /* 1e-4 dollar and 1e-2 contract: exact integers, so divide for the eye only */
    printf("%" PRIu64 " %s %" PRId64 " %d.%04d %" PRId64 ".%02d %s\n", trade->head.seq,
           ticker != NULL ? ticker : "-", trade->head.exch_ns != KDP_TIME_NULL ? trade->head.exch_ns : 0,
           (int)(trade->price_e4 / 10000), (int)(trade->price_e4 % 10000), trade->count_e2 / 100,
           (int)(trade->count_e2 % 100), trade->taker_side == KDP_SIDE_YES ? "yes" : "no");
}

int
main(int argc, char **argv)
{
    const struct kdp_head *rec;
    struct kdp_reader *reader;
    int size;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [FROM]\n", argv[0]);
        return 2;
    }
    if (kdp_reader_open(&reader, argv[1], argc > 2 ? argv[2] : "oldest", 0) != 0) {
        fprintf(stderr, "%s\n%s\n", kdp_error_text(), kdp_error_hint());
        return 1;
    }
    /* skips blocks of the tape that hold no trade; records of other kinds still come */
    kdp_reader_filter(reader, 1u << KDP_TEMPLATE_TRADE, 0);
    /* 0: nothing more at the moment.  To follow a running plant, kdp_reader_wait here and ask again. */
    while ((size = kdp_reader_next(reader, &rec)) > 0) {
        if (rec->template_id == KDP_TEMPLATE_TRADE)
            print(reader, (const struct kdp_trade *)(const void *)rec);
    }
    if (size < 0)
        fprintf(stderr, "%s\n", kdp_error_text());
    kdp_reader_close(reader);
    return size < 0 || fflush(stdout) != 0;
}
