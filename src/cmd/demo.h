/* demo.h - kdp demo: one event of the exchange as a person would like to see it, asked for over REST with or without a key.
 *
 * demo_series.c finds the event of a series, demo_ask.c asks for all of an event, demo_draw.c prints the page and demo_list.c csv
 * and json; nothing is printed before all is there. */
#ifndef KDPI_DEMO_H
#define KDPI_DEMO_H

#include "ask_setup.h"
#include "ladder.h"
#include "rest.h"

#define KDP_DEMO_NAME (KDPI_TICKER_MAX + 1)
#define KDP_DEMO_WORDS 400 /* bytes of a title */

struct kdp_demo_market {
    char ticker[KDP_DEMO_NAME], event[KDP_DEMO_NAME];
    char yes[KDP_DEMO_WORDS], title[KDP_DEMO_WORDS];
    uint8_t status, strike_type, result;
    int64_t floor_e6, cap_e6;
    int64_t open_ns, close_ns;
    int64_t volume_e2, volume_24h_e2, open_interest_e2;
    int32_t bid_e4, ask_e4, last_e4; /* KDP_PRICE_NULL: none, an empty side too */
};

struct kdp_demo_trade {
    uint8_t id[16], taker_side;
    bool id_hashed, block;
    int32_t price_e4;
    int64_t count_e2, at_ns;
};

struct kdp_demo {
    const struct kdp_cli *cli;
    struct kdp_ask ask;
    struct kdp_rest_reader *reader;
    const char *series, *event, *ticker; /* what was asked for, one of them; NULL: the others */
    uint32_t trades_wanted;

    struct {
        char ticker[KDP_DEMO_NAME], series[KDP_DEMO_NAME];
        char title[KDP_DEMO_WORDS], sub_title[KDP_DEMO_WORDS], category[KDP_DEMO_WORDS];
        int8_t exclusive; /* mutually_exclusive; -1 not said */
    } about;
    struct kdp_demo_market *markets; /* of the event, in order */
    uint32_t market_count, market_room,
        market_all;                         /* all: as the exchange gave; more than a bound are not kept */
    const struct kdp_demo_market *busiest;  /* whose book and trades are shown */
    struct kdp_ladder_level *bids, *offers; /* best first */
    uint32_t bid_count, offer_count;
    struct kdp_demo_trade *trades; /* newest first */
    uint32_t trade_count;
    int64_t now_ns; /* when the event was looked at */
    int64_t age_ns; /* oldest answer, as the exchange's cache says */
    bool no_book;   /* the exchange serves none of it */
    bool no_memory;
    bool more_open; /* the series has more open markets than were looked at */
};

/* One request, and what its body is for; take returns false for a body that cannot be read, which is then asked for again. */
struct kdp_demo_want {
    char path[2048];
    bool (*take)(struct kdp_demo *demo, void *arg, const char *body, size_t len);
    void *arg;
    bool missing; /* answered 404 */
};
/* kdp_demo_path makes a path of a name and what stands around it. */
void kdp_demo_path(struct kdp_demo_want *want, const char *before, const char *name, const char *behind);
/* kdp_demo_get asks count things at once and takes their bodies; a 404 is for the caller to judge.  0, or an error with its
 * words. */
int kdp_demo_get(struct kdp_demo *demo, struct kdp_demo_want *wants, unsigned count);
/* kdp_demo_copy keeps a text of the exchange, escaped for a screen. */
void kdp_demo_copy(char *to, size_t size, struct kdp_text from);

/* kdp_demo_choose fills in the ticker of the series' open event that closes first; of those that close together, of the one
 * with most trading.  0, or an error with its words. */
int kdp_demo_choose(struct kdp_demo *demo);
/* kdp_demo_ask asks until all is there: 0, or an exit code after the words are said. */
int kdp_demo_ask(struct kdp_demo *demo);
void kdp_demo_release(struct kdp_demo *demo);

/* kdp_demo_word names a value of an enumeration ("market_status", "result"). */
const char *kdp_demo_word(const char *list, unsigned value);
/* The answer in its three forms; depth and rows are levels a side and lines of trades.  0, or an error as of kdpi_fail. */
void kdp_demo_table(const struct kdp_demo *demo, uint32_t depth, uint32_t rows);
int kdp_demo_csv(const struct kdp_demo *demo);
void kdp_demo_json(const struct kdp_demo *demo, uint32_t depth, uint32_t rows);

#endif
