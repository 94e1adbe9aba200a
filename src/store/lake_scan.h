/* lake_scan.h - the stream of a data directory as a table function of DuckDB: kdp_tape(table, from, to).
 *
 * table is a number of kdp_lake_tables, from and to are sequence numbers, both included.  Only the columns a
 * statement asks for are decoded, tape blocks without the table's records are skipped, and a long range is
 * shared between DuckDB's threads, each with a reader of its own.  Damage on the tape ends the statement with
 * the reader's words: a result with a silent hole would be worse. */
#ifndef KDPI_LAKE_SCAN_H
#define KDPI_LAKE_SCAN_H

#include "duckdb_api.h"

/* kdp_lake_scan_register adds the function to a connection's database; dir must stay valid as long as that.
 */
int kdp_lake_scan_register(const struct kdp_duckdb *duck, duckdb_connection connection, const char *dir);

#endif
