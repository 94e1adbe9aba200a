/* table.h - rows as a table for people, csv for programs or json, by --format.
 *
 * Declare the columns, give the cells row by row from left to right, end.  csv and json are written as they come; a table
 * is kept until the end, since its widths follow from its cells, so cap its rows.  One thread.
 *
 *   struct kdp_table *table = kdp_table_new(stdout, kdp_cli_format(cli));
 *   kdp_table_column(table, "MARKET", "ticker", KDP_COLUMN_TICKER);
 *   kdp_table_column(table, "VOLUME", "volume", KDP_COLUMN_DOT);
 *   kdp_table_cell(table, "1,240", "1240.00"); ...
 *   kdp_table_end(table);                                                                                               */
#ifndef KDPI_TABLE_H
#define KDPI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "command.h"

enum kdp_column_kind {
    KDP_COLUMN_TEXT,   /* left; text in json */
    KDP_COLUMN_TICKER, /* left; loses its middle where the terminal is narrow (the strike is at the end) */
    KDP_COLUMN_RIGHT,  /* right; text in json */
    KDP_COLUMN_NUMBER, /* right; a number in json */
    KDP_COLUMN_DOT     /* decimal points in line; text in json, so that a decimal stays exact */
};

struct kdp_table;

/* kdp_table_new never returns NULL: lack of memory for a table ends in kdp_table_end's error. */
struct kdp_table *kdp_table_new(FILE *out, enum kdp_format format);
/* heading for people, name for csv and json; both are copied. */
void kdp_table_column(struct kdp_table *table, const char *heading, const char *name,
                      enum kdp_column_kind kind);
/* kdp_table_width limits a table's lines (0: none); by default that is the terminal's width, none for pipes. */
void kdp_table_width(struct kdp_table *table, int width);
/* kdp_table_cell gives the next cell: as people read it, and as programs do (NULL: the same).  NULL for shown is an absent
 * value: "-" in a table, empty in csv, null in json. */
void kdp_table_cell(struct kdp_table *table, const char *shown, const char *plain);
/* kdp_table_rule draws a line of dashes under the heading (as SQL shells do); table only. */
void kdp_table_rule(struct kdp_table *table);
/* kdp_table_end prints what is left and frees the table: 0, or -KDP_ENOMEM. */
int kdp_table_end(struct kdp_table *table);

/* kdp_text_columns counts the terminal columns of UTF-8 text (one per character; no wide letters occur in tickers). */
size_t kdp_text_columns(const char *text);

#endif
