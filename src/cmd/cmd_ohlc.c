/* cmd_ohlc.c - kdp ohlc: bars of one market by exchange time.
 *
 * Trades of one exchange time have no known order; the first is then the one from the live line, then the one
 * learnt first (docs/design/lake.md). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "commands.h"
#include "decimal.h"
#include "error.h"
#include "kdp/records.h"
#include "screen.h"
#include "sql.h"
#include "sql_say.h"
#include "table.h"

#define SQL_TIME 40

static void
sql_time(char *out, int64_t ns)
{
    kdpi_time_format(out, ns, 9);
    out[strlen(out) - 1] = '\0'; /* no zone: the column has none, it is UTC */
}

static int
ask(struct kdp_sql *sql, const char *ticker, int64_t interval_ns, int64_t start_ns, int64_t end_ns,
    struct kdp_sql_result **resultp)
{
    char text[1500], from[SQL_TIME], to[SQL_TIME];
    const char *parameters[] = {ticker};

    sql_time(from, start_ns > 0 ? start_ns : 0);
    sql_time(to, end_ns < INT64_MAX ? end_ns : INT64_C(9000000000) * KDP_NS_PER_S);
    snprintf(text, sizeof text,
             "SELECT bar * %" PRId64
             " AS start, arg_min(price, k), max(price), min(price), arg_max(price, k), "
             "sum(volume)::DECIMAL(18,2), count(*) FROM (SELECT epoch_ns(\"timestamp\") // %" PRId64
             " AS bar, price, volume, " KDP_SQL_TRADE_ORDER
             " AS k FROM trades WHERE ticker = $1 AND \"timestamp\" >= "
             "TIMESTAMP_NS '%s' AND \"timestamp\" < TIMESTAMP_NS '%s') GROUP BY bar ORDER BY bar",
             interval_ns, interval_ns, from, to);
    return kdp_sql_ask(sql, text, parameters, 1, resultp);
}

/* known says whether anything at all is known of a ticker: 1, 0, or an error. */
static int
known(struct kdp_sql *sql, const char *ticker)
{
    const char *parameters[] = {ticker};
    struct kdp_sql_result *result;
    int rc = kdp_sql_ask(
        sql,
        "SELECT 1 FROM (SELECT ticker FROM definitions UNION ALL BY NAME SELECT ticker FROM trades) "
        "WHERE ticker = $1 LIMIT 1",
        parameters, 1, &result);

    if (rc == 0) {
        rc = kdp_sql_next(result);
        kdp_sql_free(result);
    }
    return rc;
}

static void
put_start(struct kdp_table *table, int64_t start_ns, int64_t interval_ns)
{
    char exact[KDPI_TIME_TEXT], shown[KDPI_TIME_TEXT];

    kdpi_time_format(exact, start_ns, 9);
    kdpi_time_format(shown, start_ns, 0);
    shown[10] = ' ';
    shown[interval_ns % KDP_NS_PER_DAY == 0 ? 10 : interval_ns % (60 * KDP_NS_PER_S) == 0 ? 16 : 19] = '\0';
    kdp_table_cell(table, shown, exact);
}

static void
put_price(struct kdp_table *table, struct kdp_sql_result *result, unsigned column)
{
    char shown[KDPI_SCREEN_TEXT], exact[KDPI_DECIMAL_TEXT];
    int64_t price_e4 = 0;

    kdp_sql_int(result, column, &price_e4);
    kdpi_decimal_format(exact, price_e4, 4);
    kdp_table_cell(table, kdpi_screen_price(shown, (int32_t)price_e4), exact);
}

/* more: what the first kdp_sql_next gave. */
static int
print(const struct kdp_cli *cli, struct kdp_sql_result *result, int more, int64_t interval_ns,
      int64_t head_ns, uint64_t *barsp, uint64_t *tradesp)
{
    static const struct {
        const char *heading, *name;
        enum kdp_column_kind kind;
    } columns[] = {
        {"START (UTC)", "start", KDP_COLUMN_TEXT}, {"OPEN", "open", KDP_COLUMN_DOT},
        {"HIGH", "high", KDP_COLUMN_DOT},          {"LOW", "low", KDP_COLUMN_DOT},
        {"CLOSE", "close", KDP_COLUMN_DOT},        {"VOLUME", "volume", KDP_COLUMN_DOT},
        {"TRADES", "trades", KDP_COLUMN_NUMBER},
    };
    enum kdp_format format = kdp_cli_format(cli);
    struct kdp_table *table = kdp_table_new(stdout, format);

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        kdp_table_column(table, columns[i].heading, columns[i].name, columns[i].kind);
    kdp_table_column(table, "", "closed", format == KDP_FORMAT_JSON ? KDP_COLUMN_NUMBER : KDP_COLUMN_TEXT);
    for (; more > 0 && !kdp_cli_output_failed(); more = kdp_sql_next(result)) {
        char shown[KDPI_SCREEN_TEXT], exact[KDPI_DECIMAL_TEXT];
        int64_t start_ns = 0, volume_e2 = 0, trades = 0;
        bool closed;

        kdp_sql_int(result, 0, &start_ns);
        kdp_sql_int(result, 5, &volume_e2);
        kdp_sql_int(result, 6, &trades);
        closed = head_ns == KDP_TIME_NULL || start_ns + interval_ns <= head_ns;
        put_start(table, start_ns, interval_ns);
        for (unsigned i = 1; i <= 4; i++)
            put_price(table, result, i);
        kdpi_decimal_format(exact, volume_e2, 2);
        kdp_table_cell(table, kdpi_screen_size(shown, volume_e2), exact);
        snprintf(exact, sizeof exact, "%" PRId64, trades);
        kdp_table_cell(table, kdpi_screen_count(shown, (uint64_t)trades), exact);
        kdp_table_cell(table, closed ? "" : "not closed", closed ? "true" : "false");
        ++*barsp;
        *tradesp += (uint64_t)trades;
    }
    if (kdp_table_end(table) != 0)
        return -KDP_ENOMEM;
    return more < 0 ? more : 0;
}

int
kdp_cmd_ohlc(struct kdp_cli *cli)
{
    struct kdp_sql_config config = {.dir = kdp_cli_text(cli, "data"),
                                    .at_seq = (uint64_t)kdp_cli_count(cli, "at-seq"),
                                    .stopped = kdp_cli_interrupted};
    int64_t interval_ns = kdp_cli_count(cli, "interval"), begun_ns = kdpi_mono_ns(), start_ns, end_ns;
    char bars_text[KDPI_SCREEN_TEXT], trades_text[KDPI_SCREEN_TEXT];
    struct kdp_sql_result *result = NULL;
    const char *const *tickers;
    uint64_t bars = 0, trades = 0;
    struct kdp_sql *sql;
    int rc, more = 0;

    if (kdp_cli_list(cli, "ticker", &tickers) != 1 || strpbrk(tickers[0], "*?") != NULL)
        return kdp_cli_usage(cli, "Bars of many: kdp query, with time_bucket",
                             "kdp ohlc takes one --ticker, written out");
    if (interval_ns > KDP_NS_PER_DAY || KDP_NS_PER_DAY % interval_ns != 0)
        return kdp_cli_usage(cli, "1s, 5s, 1m, 5m, 15m, 1h, 4h, 1d for example",
                             "--interval must divide a day: a bar would start elsewhere each day");
    rc = kdp_cli_range(cli, &start_ns, &end_ns);
    if (rc != 0)
        return rc;
    rc = kdp_sql_open(&sql, &config);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    kdp_sql_say_hole(cli, sql);
    kdp_sql_narrow(sql, start_ns, end_ns, 0);
    rc = ask(sql, tickers[0], interval_ns, start_ns, end_ns, &result);
    if (rc == 0)
        rc = more = kdp_sql_next(result);
    if (rc == 0) { /* no bar: is there such a market?  Asked before anything is printed */
        kdp_sql_narrow(sql, INT64_MIN, INT64_MAX, 0);
        rc = known(sql, tickers[0]);
        rc = rc == 0 ? kdp_say_unknown_ticker(config.dir, sql, tickers[0]) : rc;
    }
    if (rc >= 0)
        rc = print(cli, result, more, interval_ns, kdp_sql_cut_ns(sql), &bars, &trades);
    if (rc == 0)
        kdp_sql_say_cut(cli, sql, kdpi_mono_ns() - begun_ns,
                        interval_ns == 60 * KDP_NS_PER_S ? "minutes without a trade are left out"
                                                         : "bars without a trade are left out",
                        "%s %s of %s %s", kdpi_screen_count(bars_text, bars), bars == 1 ? "bar" : "bars",
                        kdpi_screen_count(trades_text, trades), trades == 1 ? "trade" : "trades");
    kdp_sql_free(result);
    kdp_sql_close(sql);
    if (rc == -KDP_ESTOPPED || kdp_cli_interrupted() != 0)
        return kdp_cli_stopped(cli);
    return rc == 0 ? KDP_EXIT_DONE : kdp_cli_error(cli, rc);
}
