/* backfill_run.h - what the files of kdp backfill share: one run from its arguments to its report.
 *
 * cmd_backfill.c reads the arguments and names the steps; backfill_markets.c finds the markets of a scope; backfill_fetch.c
 * carries out exchange/backfill.h over the asker and files into the history; backfill_candles.c asks candles, for proof and for
 * the table; backfill_verify.c compares the lake with them; backfill_report.c says how it went. */
#ifndef KDPI_BACKFILL_RUN_H
#define KDPI_BACKFILL_RUN_H

#include "ask_setup.h"
#include "backfill.h"
#include "backfill_proof.h"
#include "command.h"
#include "history.h"
#include "rest.h"
#include "sql.h"

#define KDP_BACKFILL_SLACK (3600 * KDP_NS_PER_S) /* life of a market: times in its terms move */
#define KDP_BACKFILL_TOLERANCE \
    (60 * KDP_NS_PER_S) /* a trade so long before opening or after the close is possible */
#define KDP_BACKFILL_LAG (20 * KDP_NS_PER_S) /* an unsigned answer may be 15 s old */
#define KDP_BACKFILL_TRIES 3u

struct backfill_market {
    char *ticker, *event;
    bool known;                            /* the exchange has told of it; else only its ticker is known */
    bool old;                              /* found in the historical tier */
    int64_t open_ns, close_ns, settled_ns; /* KDP_TIME_NULL */
    int64_t volume_e2;                     /* in its whole life; KDP_INT64_NULL */
    uint32_t range_count;
    struct kdp_definition_ranges *ranges;
    int64_t from_ns,
        to_ns; /* its part of the range: where its life touches it; trades are asked for in all of it */
    struct kdp_proof proof;
    bool candles;     /* the exchange has told candles of it, be it none */
    bool total_short; /* no candles, and the exchange's total is more than is here */
    bool outside;     /* it has trades outside its life */
    int64_t here_e2;  /* of --all: volume in the lake, which tells whom to ask for first */
};

struct backfill_gap {
    size_t market;
    int32_t day;
    int64_t missing_e2;
};

struct backfill_run {
    const struct kdp_cli *cli;
    const char *dir;
    struct kdp_ask ask;
    struct kdp_history *history; /* NULL: dry run or verification of what is not there */
    struct kdp_rest_reader *reader;
    struct kdp_progress progress;

    bool all, dry, verify_alone;
    bool trades, candles, markets_too; /* --what */
    unsigned interval_min;             /* of the candles for the table */
    unsigned parallel;
    int64_t start_ns, end_ns; /* as asked; end clipped to what is sure by now */
    int64_t ahead_ns;         /* our clock of the exchange's, once it was asked; 0 and more */
    int64_t cutoff_ns, market_cutoff_ns;

    struct backfill_market *markets; /* of --all: those that the lake has trades of */
    size_t market_count, market_room;

    /* how it went */
    int64_t began_ns;
    double weight; /* requests that the trades may take */
    uint64_t windows, windows_here;
    uint64_t asked_trades; /* pages */
    int64_t store_ns;      /* CPU of writing */
    int64_t look_ns;       /* when the cutoff was read last */
    bool stopped;
    struct kdp_backfill_stats driver; /* summed over the fetches */
    bool store_failed;                /* an error was the lake's, not the exchange's */
    uint64_t given_up;                /* what could not be read: of lists, and of the last fetch */
    uint64_t lists_refused;           /* of them, of lists */
    char given_up_words[512];
    struct kdp_history_totals totals;
    /* of the verification */
    bool verified;
    uint64_t trades_here; /* in the lake, of the scope and range */
    int64_t volume_e2;    /* here */
    int64_t proven_e2;    /* of it, where candles say something */
    int64_t candle_volume_e2, surplus_e2;
    uint64_t duplicates, impossible;
    char impossible_words[256];
    unsigned days, days_complete, days_not_provable;
    uint64_t not_asked;   /* markets of --all whose candles would cost more than their trades did */
    uint64_t total_short; /* markets without candles whose total of the exchange is more than is here */
    int64_t total_short_e2;
    uint64_t volume_differs; /* markets whose total of the exchange is not its candles' */
    struct backfill_gap *gaps;
    size_t gap_count, gap_room;
    unsigned tries;
    uint64_t candle_rows, terms; /* candles given; markets whose terms were seen */
};

/* kdp_backfill_stopped is the asker's question; after the first Ctrl-C it allows the few seconds of a clean end. */
int kdp_backfill_stopped(void);
void kdp_backfill_finishing(bool on);
int64_t kdp_backfill_cpu_ns(bool process);

/* backfill_markets.c: 0, or an error with its words. */
int kdp_backfill_tiers(struct backfill_run *run);        /* reads the cutoff, and the exchange's clock */
int kdp_backfill_find_markets(struct backfill_run *run); /* all but --all */
struct backfill_market *kdp_backfill_market_add(struct backfill_run *run, const char *ticker, size_t len);
/* kdp_backfill_market_find gives a market by its ticker once kdp_backfill_markets_sort was called; NULL: none. */
struct backfill_market *kdp_backfill_market_find(struct backfill_run *run, const char *ticker);
void kdp_backfill_markets_sort(struct backfill_run *run);
void kdp_backfill_markets_release(struct backfill_run *run);

/* backfill_fetch.c */
struct backfill_range {
    const char *scope;
    int64_t start_ns, end_ns;
    double weight;
};
struct backfill_ranges {
    struct backfill_range *list;
    size_t count, room;
};
int kdp_backfill_plan(struct backfill_run *run, struct backfill_ranges *ranges); /* what is missing here */
int kdp_backfill_fetch(struct backfill_run *run, const struct backfill_ranges *ranges, unsigned attempt);

/* backfill_candles.c */
int kdp_backfill_prove(struct backfill_run *run);         /* candles of all markets, into their proofs */
int kdp_backfill_fetch_candles(struct backfill_run *run); /* --what candles */

/* backfill_verify.c */
int kdp_backfill_verify(struct backfill_run *run); /* candles, lake, gaps */
int kdp_backfill_again(struct backfill_run *run);  /* fetches the gaps again, up to three times */

/* backfill_report.c */
void kdp_backfill_say_asking(const struct backfill_run *run);
void kdp_backfill_report(struct backfill_run *run, bool complete);
void kdp_backfill_report_dry(const struct backfill_run *run, const struct backfill_ranges *ranges);
#endif
