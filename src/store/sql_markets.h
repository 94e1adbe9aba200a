/* sql_markets.h - the view markets_asof and the macro markets_at (markets.sql): what a market was by its terms, and when. */
#ifndef KDPI_SQL_MARKETS_H
#define KDPI_SQL_MARKETS_H

#include <stdbool.h>
#include <stdio.h>

/* kdp_sql_markets_wanted says whether a statement may mean the view or the macro, _needs whether they read a table. */
bool kdp_sql_markets_wanted(const char *text);
bool kdp_sql_markets_needs(const char *table);
/* kdp_sql_markets_put writes the statements that make them, a line each; they come after the views they read. */
void kdp_sql_markets_put(FILE *out);

#endif
