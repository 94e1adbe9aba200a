/* history_bulk.c - the tables of the exchange's daily bulk files (docs/design/bulk.md): as they stand there, but in dollars and
 * with exact types.  They are no part of trades: a bulk trade has neither id nor taker. */
#include "history_private.h"

#define PRICE "DECIMAL(9,4)"
#define SIZE "DECIMAL(18,2)"

static const struct kdp_history_column market_columns[] = {
    {"ticker", "VARCHAR", "the market", false},
    {"timestamp", "TIMESTAMP_NS", "the day of the file, its first moment", false},
    {"series", "VARCHAR", "its series (report_ticker)", false},
    {"payout_type", "VARCHAR", "as the exchange calls it", false},
    {"status", "VARCHAR", "at the end of the day", false},
    {"open_interest", SIZE, "contracts", false},
    {"daily_volume", SIZE, "contracts traded on the day", false},
    {"block_volume", SIZE, "of them, in block trades", false},
    {"high", PRICE, "highest price of the day, dollars", false},
    {"low", PRICE, "lowest price of the day, dollars", false},
    {"seen_ts", "TIMESTAMP_NS", "when it was filed", true},
};

static const struct kdp_history_column trade_columns[] = {
    {"ticker", "VARCHAR", "the market", false},
    {"timestamp", "TIMESTAMP_NS", "when it was made", false},
    {"number", "BIGINT", "of the row in the day's file, from 1", false},
    {"series", "VARCHAR", "its series (report_ticker)", false},
    {"price", PRICE, "of YES, dollars", false},
    {"volume", SIZE, "contracts", false},
    {"seen_ts", "TIMESTAMP_NS", "when it was filed", true},
};

const struct kdp_history_table kdp_history_bulk_tables[KDP_BULK_TABLES] = {
    {.name = "bulk_markets",
     .about = "the exchange's daily files: every market of a day with its volumes",
     .columns = market_columns,
     .column_count = sizeof market_columns / sizeof market_columns[0],
     .key = "ticker, \"timestamp\"",
     .sort = "ticker, \"timestamp\", seen_ts",
     .by_day = true,
     .newest = true},
    {.name = "bulk_trades",
     .about = "the exchange's daily files: every trade of a day, without id and taker",
     .columns = trade_columns,
     .column_count = sizeof trade_columns / sizeof trade_columns[0],
     .key = "ticker, \"timestamp\", number",
     .sort = "ticker, \"timestamp\", number",
     .by_day = true,
     .newest = true},
};
