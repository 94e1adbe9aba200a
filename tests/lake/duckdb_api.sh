#!/bin/bash
# Our short header of DuckDB against the real one, where there is one: prototypes, numbers, sizes.
# KDP_DUCKDB_HEADER names duckdb.h (npm pack duckdb@1.4.4 has one in src/duckdb/src/include); else the system's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
header=${KDP_DUCKDB_HEADER:-/usr/include/duckdb.h}
if [ ! -f "$header" ]; then
    echo "SKIPPED: no duckdb.h: set KDP_DUCKDB_HEADER"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/kdp-duckdb-api.XXXXXX")
trap 'rm -rf "$work"' EXIT
cc=(gcc -std=gnu17 -Wall -Wno-strict-prototypes -I"$here/../../src/store" -I"$(dirname "$header")")
"${cc[@]}" -c "$here/duckdb_api_check.c" -o "$work/check.o"
"${cc[@]}" "$here/duckdb_api_values.c" -o "$work/ours"
"${cc[@]}" -DKDP_DUCKDB_REAL_HEADER "$here/duckdb_api_values.c" -o "$work/theirs"
"$work/ours" >"$work/ours.txt"
"$work/theirs" >"$work/theirs.txt"
diff "$work/ours.txt" "$work/theirs.txt"
echo "$(wc -l <"$work/ours.txt") numbers and all prototypes agree"
