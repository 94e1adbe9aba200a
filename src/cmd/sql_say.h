/* sql_say.h - what query, ohlc and book tell beside their answers. */
#ifndef KDPI_SQL_SAY_H
#define KDPI_SQL_SAY_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "sql.h"

/* kdp_sql_say_hole warns when part of the stream is neither in the lake nor on the tape. */
void kdp_sql_say_hole(const struct kdp_cli *cli, const struct kdp_sql *sql);
/* kdp_sql_say_cut prints the last line on stderr: "WORDS in 2.1 ms, as of 15:06:12.104 UTC; TAIL"; with tail
 * NULL it ends in how to repeat the answer, "again: --at-seq 784873". */
void kdp_sql_say_cut(const struct kdp_cli *cli, struct kdp_sql *sql, int64_t took_ns, const char *tail,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* kdp_say_unknown_ticker makes the error for a ticker that the data folder does not know, with the nearest
 * ones that it does, and returns its code.  sql may be NULL: then only the stream's tickers are looked at. */
int kdp_say_unknown_ticker(const char *dir, struct kdp_sql *sql, const char *ticker);

#endif
