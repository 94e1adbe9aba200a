/* ladder.c - see ladder.h. */
#include "ladder.h"

#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "kdp/book.h"
#include "screen.h"

#define BAR_MOST 15    /* columns of the longest bar */
#define BAR_LEAST 1    /* less than this it never is */
#define BUY_COLUMNS 18 /* "  buy YES at 0.4405" */

struct widths {
    int price, bids, offers, bar;
};

/* bar draws size against the largest in most columns; a level too small for one still shows a mark. */
static void
bar(int64_t size_e2, int64_t max_e2, int most, bool right)
{
    int whole = (int)((double)size_e2 / (double)max_e2 * most + 0.5);
    bool utf8 = kdp_cli_utf8();

    whole = whole < 0 ? 0 : whole > most ? most : whole;
    if (right)
        printf("%*s", most - (whole > 0 ? whole : 1), "");
    if (whole == 0)
        fputs(!utf8 ? "." : right ? "▕" : "▏", stdout);
    for (int i = 0; i < whole; i++)
        fputs(utf8 ? "▆" : "#", stdout);
}

static void
put_line(const struct kdp_cli *cli, const struct kdp_ladder_level *level, uint8_t side, bool best,
         int64_t max_e2, struct widths width)
{
    char price[KDPI_SCREEN_TEXT], other[KDPI_SCREEN_TEXT], size[KDPI_SCREEN_TEXT];

    kdpi_screen_price(price, level->price_e4);
    kdpi_screen_price(other, KDP_PRICE_MAX - level->price_e4);
    kdpi_screen_size_column(size, level->size_e2);
    if (side == KDP_SIDE_NO) { /* offers for YES, which are bids for NO */
        fputs(kdp_cli_paint(cli, stdout, KDP_PAINT_NO), stdout);
        bar(level->size_e2, max_e2, width.bar, true);
        printf("  %*s", width.bids, size);
        fputs(kdp_cli_paint(cli, stdout, KDP_PAINT_OFF), stdout);
        printf("  %-*s  %-*s", width.price, price, width.price, other);
        if (best)
            printf("  buy YES at %s", price);
    } else {
        printf("%*s  %*s", width.bar, "", width.bids, "");
        printf("  %-*s  %-*s  ", width.price, price, width.price, other);
        fputs(kdp_cli_paint(cli, stdout, KDP_PAINT_YES), stdout);
        printf("%*s  ", width.offers, size);
        bar(level->size_e2, max_e2, width.bar, false);
        fputs(kdp_cli_paint(cli, stdout, KDP_PAINT_OFF), stdout);
        if (best)
            printf("  buy NO at %s", other);
    }
    putchar('\n');
}

static void
put_middle(const struct kdp_ladder_level *bid, const struct kdp_ladder_level *offer, struct widths width)
{
    static const char dashes[] = "----------";
    int32_t spread = offer != NULL && bid != NULL ? offer->price_e4 - bid->price_e4 : 0;
    char mid[KDPI_DECIMAL_TEXT], apart[KDPI_SCREEN_TEXT];

    printf("%*s  %*s  %.*s  %.*s", width.bar, "", width.bids, "", width.price, dashes, width.price, dashes);
    if (bid == NULL || offer == NULL) {
        puts(bid == NULL && offer == NULL ? "  the book is empty"
             : bid == NULL                ? "  no YES bids"
                                          : "  no NO bids");
        return;
    }
    /* the middle of two prices of four decimals needs five */
    kdpi_decimal_format(mid, (int64_t)(bid->price_e4 + offer->price_e4) * 5, 5);
    for (size_t len = strlen(mid); len > 4 && mid[len - 1] == '0'; len--)
        mid[len - 1] = '\0';
    kdpi_screen_price(apart, spread < 0 ? -spread : spread);
    if (spread > 0)
        printf("  spread %s, mid %s\n", apart, mid);
    else if (spread == 0)
        puts("  LOCKED: bid and offer meet");
    else
        printf("  CROSSED by %s\n", apart);
}

static void
measure(const struct kdp_ladder_level *levels, uint32_t count, int64_t *max_e2, int *price_width,
        int *size_width)
{
    char text[KDPI_SCREEN_TEXT];

    for (uint32_t i = 0; i < count; i++) {
        int width = (int)strlen(kdpi_screen_price(text, levels[i].price_e4));

        *price_width = width > *price_width ? width : *price_width;
        width = (int)strlen(kdpi_screen_price(text, KDP_PRICE_MAX - levels[i].price_e4));
        *price_width = width > *price_width ? width : *price_width;
        width = (int)strlen(kdpi_screen_size_column(text, levels[i].size_e2));
        *size_width = width > *size_width ? width : *size_width;
        *max_e2 = levels[i].size_e2 > *max_e2 ? levels[i].size_e2 : *max_e2;
    }
}

void
kdp_ladder_draw(const struct kdp_cli *cli, const struct kdp_ladder_level *bids, uint32_t bid_count,
                const struct kdp_ladder_level *offers, uint32_t offer_count)
{
    struct widths width = {.price = 4, .bids = 7, .offers = 7, .bar = BAR_MOST};
    int columns = kdp_cli_width(stdout), rest;
    int64_t max_e2 = 1;

    measure(bids, bid_count, &max_e2, &width.price, &width.offers);
    measure(offers, offer_count, &max_e2, &width.price, &width.bids);
    if (width.price > 10)
        width.price = 10;
    rest = columns - (width.bids + 2 * width.price + width.offers + 10 + BUY_COLUMNS);
    if (columns > 0 && rest < 2 * BAR_MOST)
        width.bar = rest > 2 * BAR_LEAST ? rest / 2 : BAR_LEAST;
    printf("%*s  %*s  %-*s  %-*s  YES BIDS\n", width.bar, "", width.bids, "NO BIDS", width.price, "YES",
           width.price, "NO");
    for (uint32_t i = offer_count; i-- > 0;)
        put_line(cli, &offers[i], KDP_SIDE_NO, i == 0, max_e2, width);
    put_middle(bid_count > 0 ? &bids[0] : NULL, offer_count > 0 ? &offers[0] : NULL, width);
    for (uint32_t i = 0; i < bid_count; i++)
        put_line(cli, &bids[i], KDP_SIDE_YES, i == 0, max_e2, width);
}

void
kdp_ladder_json(const char *name, const struct kdp_ladder_level *levels, uint32_t count)
{
    printf(",\n \"%s\": [", name);
    for (uint32_t i = 0; i < count; i++) {
        char price[KDPI_DECIMAL_TEXT], size[KDPI_DECIMAL_TEXT];

        kdpi_decimal_format(price, levels[i].price_e4, 4);
        kdpi_decimal_format(size, levels[i].size_e2, 2);
        printf("%s\n  {\"price\": \"%s\", \"size\": \"%s\"}", i > 0 ? "," : "", price, size);
    }
    printf("]");
}
