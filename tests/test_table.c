/* test_table.c - the table printer and numbers for people. */
#include "kdp_test.h"

#include "table.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

static char *
three_rows(enum kdp_format format, int width)
{
    static char *text;
    size_t len;
    FILE *out;
    struct kdp_table *table;

    free(text);
    out = open_memstream(&text, &len);
    CHECK(out != NULL);
    table = kdp_table_new(out, format);
    kdp_table_width(table, width);
    kdp_table_column(table, "MARKET", "ticker", KDP_COLUMN_TICKER);
    kdp_table_column(table, "SIZE", "size", KDP_COLUMN_DOT);
    kdp_table_column(table, "N", "n", KDP_COLUMN_NUMBER);
    kdp_table_cell(table, "KXNFLGAME-26NOV22BUFNE-BUF", NULL);
    kdp_table_cell(table, "1,240", "1240.00");
    kdp_table_cell(table, "7", NULL);
    kdp_table_cell(table, "A,\"B\"", NULL);
    kdp_table_cell(table, "33.25", NULL);
    kdp_table_cell(table, NULL, NULL);
    CHECK_INT(kdp_table_end(table), 0);
    CHECK_INT(fclose(out), 0);
    return text;
}

KDP_TEST(points_stand_in_line)
{
    CHECK_STR(three_rows(KDP_FORMAT_TABLE, 0), "MARKET                          SIZE  N\n"
                                               "KXNFLGAME-26NOV22BUFNE-BUF  1,240     7\n"
                                               "A,\"B\"                          33.25  -\n");
}

KDP_TEST(a_ticker_loses_its_middle_and_numbers_stay)
{
    CHECK_STR(three_rows(KDP_FORMAT_TABLE, 28), "MARKET               SIZE  N\n"
                                                "KXNFLGA~FNE-BUF  1,240     7\n"
                                                "A,\"B\"               33.25  -\n");
}

KDP_TEST(csv_quotes_and_leaves_absent_cells_empty)
{
    CHECK_STR(three_rows(KDP_FORMAT_CSV, 20), "ticker,size,n\n"
                                              "KXNFLGAME-26NOV22BUFNE-BUF,1240.00,7\n"
                                              "\"A,\"\"B\"\"\",33.25,\n");
}

KDP_TEST(json_keeps_decimals_as_text_and_has_null)
{
    CHECK_STR(three_rows(KDP_FORMAT_JSON, 20),
              "[\n"
              "  {\"ticker\": \"KXNFLGAME-26NOV22BUFNE-BUF\", \"size\": \"1240.00\", \"n\": 7},\n"
              "  {\"ticker\": \"A,\\\"B\\\"\", \"size\": \"33.25\", \"n\": null}\n"
              "]\n");
}
