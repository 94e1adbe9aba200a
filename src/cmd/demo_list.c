/* demo_list.c - kdp demo's answer for programs: csv and json; see demo.h. */
#include "demo.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "record.h"
#include "table.h"
#include "words.h"

const char *
kdp_demo_word(const char *list, unsigned value)
{
    return kdpi_enum_word(kdpi_enum_find(list), value);
}

static void
cell_price(struct kdp_table *table, int32_t price_e4)
{
    char text[KDPI_DECIMAL_TEXT];

    kdpi_decimal_format(text, price_e4, 4);
    kdp_table_cell(table, price_e4 != KDP_PRICE_NULL ? text : NULL, NULL);
}

static void
cell_size(struct kdp_table *table, int64_t size_e2)
{
    char text[KDPI_DECIMAL_TEXT];

    kdpi_decimal_format(text, size_e2, 2);
    kdp_table_cell(table, size_e2 != KDP_INT64_NULL ? text : NULL, NULL);
}

static void
cell_time(struct kdp_table *table, int64_t ns)
{
    char text[KDPI_TIME_TEXT];

    kdpi_time_format(text, ns, 9);
    kdp_table_cell(table, ns != KDP_TIME_NULL ? text : NULL, NULL);
}

static int
list_markets(const struct kdp_demo *demo, enum kdp_format format)
{
    struct kdp_table *table = kdp_table_new(stdout, format);
    static const struct {
        const char *name;
        enum kdp_column_kind kind;
    } names[] = {
        {"ticker", KDP_COLUMN_TICKER},     {"yes_wins_at", KDP_COLUMN_TEXT}, {"status", KDP_COLUMN_TEXT},
        {"result", KDP_COLUMN_TEXT},       {"yes_bid", KDP_COLUMN_DOT},      {"yes_ask", KDP_COLUMN_DOT},
        {"last_price", KDP_COLUMN_DOT},    {"volume_24h", KDP_COLUMN_DOT},   {"volume", KDP_COLUMN_DOT},
        {"open_interest", KDP_COLUMN_DOT}, {"close_time", KDP_COLUMN_TEXT}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        kdp_table_column(table, names[i].name, names[i].name, names[i].kind);
    for (uint32_t i = 0; i < demo->market_count; i++) {
        const struct kdp_demo_market *m = &demo->markets[i];

        kdp_table_cell(table, m->ticker, NULL);
        kdp_table_cell(table, m->yes, NULL);
        kdp_table_cell(table, kdp_demo_word("market_status", m->status), NULL);
        kdp_table_cell(table, m->result != KDP_RESULT_NONE ? kdp_demo_word("result", m->result) : NULL, NULL);
        cell_price(table, m->bid_e4);
        cell_price(table, m->ask_e4);
        cell_price(table, m->last_e4);
        cell_size(table, m->volume_24h_e2);
        cell_size(table, m->volume_e2);
        cell_size(table, m->open_interest_e2);
        cell_time(table, m->close_ns);
    }
    return kdp_table_end(table);
}

int
kdp_demo_csv(const struct kdp_demo *demo)
{
    return list_markets(demo, KDP_FORMAT_CSV);
}

static void
json_word(const char *name, const char *value)
{
    printf(", \"%s\": ", name);
    kdpi_json_text(stdout, value, strlen(value));
}

static void
list_trades(const struct kdp_demo *demo, uint32_t rows)
{
    struct kdp_table *table = kdp_table_new(stdout, KDP_FORMAT_JSON);

    kdp_table_column(table, "trade_id", "trade_id", KDP_COLUMN_TEXT);
    kdp_table_column(table, "timestamp", "timestamp", KDP_COLUMN_TEXT);
    kdp_table_column(table, "price", "price", KDP_COLUMN_DOT);
    kdp_table_column(table, "volume", "volume", KDP_COLUMN_DOT);
    kdp_table_column(table, "taker_side", "taker_side", KDP_COLUMN_TEXT);
    kdp_table_column(table, "is_block", "is_block", KDP_COLUMN_NUMBER);
    for (uint32_t i = 0; i < demo->trade_count && i < rows; i++) {
        const struct kdp_demo_trade *t = &demo->trades[i];
        char id[40], *at = id;

        for (unsigned k = 0; k < 16; k++)
            at += sprintf(at, "%s%02x", k == 4 || k == 6 || k == 8 || k == 10 ? "-" : "", t->id[k]);
        kdp_table_cell(table, id, NULL);
        cell_time(table, t->at_ns);
        cell_price(table, t->price_e4);
        cell_size(table, t->count_e2);
        kdp_table_cell(table, t->taker_side == KDP_SIDE_YES ? "yes" : "no", NULL);
        kdp_table_cell(table, t->block ? "true" : "false", NULL);
    }
    kdp_table_end(table);
}

void
kdp_demo_json(const struct kdp_demo *demo, uint32_t depth, uint32_t rows)
{
    char time[KDPI_TIME_TEXT];

    kdpi_time_format(time, demo->now_ns, 9);
    printf("{\"simulated\": %s, \"asked_at\": \"%s\",\n\"event\": {\"event_ticker\": ",
           kdp_cli_switch(demo->cli, "simulated") ? "true" : "false", time);
    kdpi_json_text(stdout, demo->about.ticker, strlen(demo->about.ticker));
    json_word("series_ticker", demo->about.series);
    json_word("title", demo->about.title);
    json_word("sub_title", demo->about.sub_title);
    json_word("category", demo->about.category);
    printf(", \"mutually_exclusive\": %s, \"markets\": %u},\n\"markets\": ",
           demo->about.exclusive < 0    ? "null"
           : demo->about.exclusive == 1 ? "true"
                                        : "false",
           demo->market_all);
    list_markets(demo, KDP_FORMAT_JSON);
    printf(",\n\"book\": {\"ticker\": ");
    kdpi_json_text(stdout, demo->busiest->ticker, strlen(demo->busiest->ticker));
    json_word("yes_wins_at", demo->busiest->yes);
    printf(", \"served\": %s", demo->no_book ? "false" : "true");
    kdp_ladder_json("yes_bids", demo->bids, demo->bid_count < depth ? demo->bid_count : depth);
    kdp_ladder_json("yes_asks", demo->offers, demo->offer_count < depth ? demo->offer_count : depth);
    printf("},\n\"trades\": ");
    list_trades(demo, rows);
    printf("}\n");
}
