/* sql_cell.h - one value of a DuckDB vector as text: exact digits, RFC 3339 times, JSON for nested values. */
#ifndef KDPI_SQL_CELL_H
#define KDPI_SQL_CELL_H

#include <stdio.h>

#include "duckdb_api.h"

/* kdp_sql_cell_put writes row of vector to out; false when it is SQL NULL (nothing is written then).  nested:
 * inside a list or struct, where texts are quoted. */
bool kdp_sql_cell_put(FILE *out, const struct kdp_duckdb *duck, duckdb_vector vector,
                      duckdb_logical_type type, idx_t row, bool nested);
/* kdp_sql_cell_int reads integers, decimals (scaled) and times up to 64 bits; false for NULL and other types.
 */
bool kdp_sql_cell_int(const struct kdp_duckdb *duck, duckdb_vector vector, duckdb_logical_type type,
                      idx_t row, int64_t *valuep);

#endif
