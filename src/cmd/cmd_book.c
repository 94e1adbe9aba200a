/* cmd_book.c - kdp book: the book of one market at an instant, as a ladder, csv or json. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "book_at.h"
#include "clock.h"
#include "command.h"
#include "commands.h"
#include "decimal.h"
#include "error.h"
#include "ladder.h"
#include "record.h"
#include "screen.h"
#include "sql.h"
#include "sql_say.h"
#include "table.h"
#include "words.h"

#define DEPTH 10 /* levels a side on the screen, when not asked for others */

/* side_levels lists up to max levels of a side, best first; the return is how many there are in all. */
static uint32_t
side_levels(const struct kdp_book_at *book, uint8_t side, struct kdp_ladder_level *levels, uint32_t max)
{
    uint32_t count = 0;

    for (int32_t i = 0; i <= KDP_PRICE_MAX; i++) {
        int32_t price = side == KDP_SIDE_YES ? KDP_PRICE_MAX - i : i;
        int64_t size = book->size_e2[side - KDP_SIDE_YES][price];

        if (size == 0)
            continue;
        if (count < max)
            levels[count] = (struct kdp_ladder_level){price, size};
        count++;
    }
    return count;
}

static const char *
word(unsigned template_id, const char *field, unsigned value)
{
    const struct kdp_record_desc *desc = kdpi_record_desc(template_id);

    for (unsigned i = 0; i < desc->field_count; i++)
        if (strcmp(desc->fields[i].name, field) == 0)
            return kdpi_enum_word(desc->fields[i].words, value);
    return "?";
}

static const char *
state_word(const struct kdp_book_at *book)
{
    return word(KDP_TEMPLATE_STATE, "state", book->state);
}

/* has_prices: a book that is not live, closed or sampled may be wrong; it is named and not shown. */
static bool
has_prices(const struct kdp_book_at *book)
{
    return book->state == KDP_BOOK_STATE_LIVE || book->state == KDP_BOOK_STATE_CLOSED ||
           book->state == KDP_BOOK_STATE_SAMPLED;
}

static void
ladder(const struct kdp_cli *cli, const struct kdp_book_at *book, const char *ticker, int64_t at_ns,
       uint32_t depth)
{
    struct kdp_ladder_level *bids = calloc(2 * (size_t)depth, sizeof *bids), *offers = bids + depth;
    char time[KDPI_TIME_TEXT] = "", safe[4 * KDP_BOOK_AT_NAME];
    uint32_t bid_count, offer_count, bid_all, offer_all;

    if (bids == NULL)
        return;
    printf("%s", ticker);
    if (book->title[0] != '\0')
        printf("  %s", kdpi_escape(safe, sizeof safe, book->title, strlen(book->title)));
    if (at_ns != KDP_TIME_NULL) {
        kdpi_time_format(time, at_ns, at_ns % KDP_NS_PER_S == 0 ? 0 : 9);
        time[10] = ' ';
        time[strlen(time) - 1] = '\0';
        printf("  received by %s UTC", time);
    }
    if (!has_prices(book)) {
        kdpi_time_format(time, book->state_ns, 6);
        time[10] = ' ';
        time[strlen(time) - 1] = '\0';
        printf("  %s%s%s\n", kdp_cli_paint(cli, stdout, KDP_PAINT_ALERT),
               book->state == KDP_BOOK_STATE_STALE ? "STALE" : state_word(book),
               kdp_cli_paint(cli, stdout, KDP_PAINT_OFF));
        printf("no prices: not known to be right since %s UTC, reason: %s\n", time,
               word(KDP_TEMPLATE_STATE, "reason", book->reason));
        free(bids);
        return;
    }
    if (book->state ==
        KDP_BOOK_STATE_SAMPLED) { /* how it was then, and nothing of the time between two looks */
        kdpi_time_format(time, book->changed_ns, 0);
        time[10] = ' ';
        time[strlen(time) - 1] = '\0';
        printf("  %sSAMPLED%s %s UTC\n", kdp_cli_paint(cli, stdout, KDP_PAINT_ALERT),
               kdp_cli_paint(cli, stdout, KDP_PAINT_OFF), time);
    } else {
        printf("  %s\n", state_word(book));
    }
    bid_all = side_levels(book, KDP_SIDE_YES, bids, depth);
    offer_all = side_levels(book, KDP_SIDE_NO, offers, depth);
    bid_count = bid_all < depth ? bid_all : depth;
    offer_count = offer_all < depth ? offer_all : depth;
    kdp_ladder_draw(cli, bids, bid_count, offers, offer_count);
    if (bid_count < bid_all || offer_count < offer_all)
        kdp_cli_say(cli,
                    "best %" PRIu32 " of %" PRIu32 " NO and %" PRIu32
                    " YES levels; more: --depth N, all: --format csv",
                    depth, offer_all, bid_all);
    free(bids);
}

/* levels prints all levels (or the best depth of each side) as csv, or inside the json object. */
static int
csv(const struct kdp_book_at *book, uint32_t depth)
{
    struct kdp_table *table = kdp_table_new(stdout, KDP_FORMAT_CSV);
    struct kdp_ladder_level *levels = calloc(depth, sizeof *levels);

    if (levels == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    kdp_table_column(table, "side", "side", KDP_COLUMN_TEXT);
    kdp_table_column(table, "price", "price", KDP_COLUMN_DOT);
    kdp_table_column(table, "size", "size", KDP_COLUMN_DOT);
    for (uint8_t side = KDP_SIDE_YES; side <= KDP_SIDE_NO && has_prices(book); side++) {
        uint32_t count = side_levels(book, side, levels, depth);

        for (uint32_t i = 0; i < count && i < depth; i++) {
            char price[KDPI_DECIMAL_TEXT], size[KDPI_DECIMAL_TEXT];

            kdpi_decimal_format(price, levels[i].price_e4, 4);
            kdpi_decimal_format(size, levels[i].size_e2, 2);
            kdp_table_cell(table, side == KDP_SIDE_YES ? "yes" : "no", NULL);
            kdp_table_cell(table, price, NULL);
            kdp_table_cell(table, size, NULL);
        }
    }
    free(levels);
    return kdp_table_end(table);
}

static void
json_time(const char *name, int64_t ns)
{
    char time[KDPI_TIME_TEXT];

    kdpi_time_format(time, ns, 9);
    if (ns == KDP_TIME_NULL)
        printf(", \"%s\": null", name);
    else
        printf(", \"%s\": \"%s\"", name, time);
}

static int
json(const struct kdp_book_at *book, const char *ticker, int64_t at_ns, uint32_t depth)
{
    struct kdp_ladder_level *levels = calloc(depth, sizeof *levels);

    if (levels == NULL)
        return kdpi_fail(KDP_ENOMEM, "out of memory");
    printf("{\"ticker\": ");
    kdpi_json_text(stdout, ticker, strlen(ticker));
    printf(", \"title\": ");
    kdpi_json_text(stdout, book->title, strlen(book->title));
    json_time("received_by", at_ns);
    printf(", \"state\": \"%s\", \"reason\": \"%s\"", state_word(book),
           word(KDP_TEMPLATE_STATE, "reason", book->reason));
    json_time("last_change", book->changed_ns);
    printf(", \"seq\": %" PRIu64 ", \"snapshot_seq\": %" PRIu64 ", \"changes\": %" PRIu64, book->seq,
           book->snapshot_seq, book->deltas);
    if (has_prices(book))
        printf(", \"book_hash\": \"%016" PRIx64 "\"", kdp_book_at_hash(book));
    else
        printf(", \"book_hash\": null");
    for (uint8_t side = KDP_SIDE_YES; side <= KDP_SIDE_NO; side++) {
        uint32_t count = has_prices(book) ? side_levels(book, side, levels, depth) : 0;

        kdp_ladder_json(side == KDP_SIDE_YES ? "yes_bids" : "yes_asks", levels,
                        count < depth ? count : depth);
    }
    printf("}\n");
    free(levels);
    return 0;
}

/* rebuild asks the tape, and the lake when the tape does not reach back far enough. */
static int
rebuild(struct kdp_book_at *book, const char *dir, const char *ticker, int64_t at_ns)
{
    struct kdp_sql_config config = {.dir = dir, .stopped = kdp_cli_interrupted};
    bool known_tape = false, known_lake = false;
    struct kdp_sql *sql = NULL;
    char when[KDPI_TIME_TEXT];
    int rc = kdp_book_at_tape(book, dir, ticker, at_ns, &known_tape);

    if (rc != 0 && (rc < 0 || book->found))
        return rc < 0 ? rc : 0;
    if (rc == 0) {
        rc = kdp_sql_open(&sql, &config);
        if (rc == -KDP_ENOLIB && !known_tape)
            return kdp_say_unknown_ticker(dir, NULL, ticker);
        if (rc == 0)
            rc = kdp_book_at_lake(book, sql, ticker, at_ns, &known_lake);
    } else {
        rc = 0; /* the tape is whole and has no snapshot of it */
    }
    if (rc == 0 && !known_tape && !known_lake)
        rc = kdp_say_unknown_ticker(dir, sql, ticker);
    kdp_sql_close(sql);
    if (rc < 0 || book->found)
        return rc < 0 ? rc : 0;
    kdpi_time_format(when, at_ns, 9);
    kdpi_fail(KDP_ENOENT, at_ns != KDP_TIME_NULL ? "no book of %s received by %s" : "no book of %s%s", ticker,
              when);
    kdpi_hint(
        "Its first snapshot: kdp query \"SELECT min(recv_ts) FROM orderbook_snapshots WHERE ticker = '%s'\"",
        ticker);
    return -KDP_ENOENT;
}

int
kdp_cmd_book(struct kdp_cli *cli)
{
    const char *dir = kdp_cli_text(cli, "data");
    enum kdp_format format = kdp_cli_format(cli);
    struct kdp_book_at *book;
    const char *const *tickers;
    int64_t at_ns, asked;
    uint32_t depth;
    int rc;

    if (kdp_cli_list(cli, "ticker", &tickers) != 1 || strpbrk(tickers[0], "*?") != NULL)
        return kdp_cli_usage(
            cli, "Those in the data folder: kdp query \"SELECT DISTINCT ticker FROM definitions\"",
            "kdp book takes one --ticker, written out");
    rc = kdp_cli_time(cli, "at", &at_ns);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    asked = kdp_cli_count(cli, "depth");
    depth = asked > 0 ? (uint32_t)asked : format == KDP_FORMAT_TABLE ? DEPTH : KDP_BOOK_AT_PRICES;
    book = malloc(sizeof *book);
    if (book == NULL) {
        kdpi_fail(KDP_ENOMEM, "out of memory");
        return kdp_cli_error(cli, -KDP_ENOMEM);
    }
    rc = rebuild(book, dir, tickers[0], at_ns);
    if (rc == 0 && format == KDP_FORMAT_TABLE)
        ladder(cli, book, tickers[0], at_ns, depth);
    else if (rc == 0 && format == KDP_FORMAT_CSV)
        rc = csv(book, depth);
    else if (rc == 0)
        rc = json(book, tickers[0], at_ns, depth);
    if (rc == 0 && has_prices(book)) {
        char time[KDPI_TIME_TEXT];

        kdpi_time_format(time, book->changed_ns, 9);
        time[strlen(time) - 1] = '\0';
        kdp_cli_say(cli, "%s %s UTC, sequence %" PRIu64 ", hash %016" PRIx64,
                    book->state == KDP_BOOK_STATE_SAMPLED ? "seen so first" : "last change", time, book->seq,
                    kdp_book_at_hash(book));
    }
    free(book);
    return rc == 0 ? KDP_EXIT_DONE : rc == -KDP_ESTOPPED ? kdp_cli_stopped(cli) : kdp_cli_error(cli, rc);
}
