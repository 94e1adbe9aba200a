/* duckdb_api_check.c - compiled, never run: our prototypes against DuckDB's own header, which comes first. */
#define KDP_DUCKDB_REAL_HEADER 1
#include "duckdb.h"

#include "duckdb_api.h"

#define KDP_X(type, name, args)                                                              \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&duckdb_##name),                  \
                                                __typeof__(((struct kdp_duckdb *)0)->name)), \
                   "duckdb_" #name " has another prototype");
KDP_DUCKDB_FUNCTIONS(KDP_X)
#undef KDP_X
