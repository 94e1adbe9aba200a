#!/bin/bash
# kill.sh [SEED ...] - kdp killed under load, 20 rounds with fixed seeds or KDP_CRASH_ROUNDS; see kill.py.
#
# Each round prints its seed and what was done to it; the folder of one that goes wrong is kept and named.
set -u
: "${KDP:?the path of kdp}"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }
for name in $(compgen -e | grep -E '^(KALSHI_|QUESTDB_|KDP_|LOG_LEVEL$|COLUMNS$)'); do
    case $name in KDP_DUCKDB_LIB | KDP_CRASH_ROUNDS) ;; *) unset "$name" ;; esac
done
words=$("$KDP" query 'SELECT 1' --data "${TMPDIR:-/tmp}" 2>&1) # rows are counted in SQL
case $words in *DuckDB* | *libduckdb*) echo "SKIPPED: $words"; exit 77 ;; esac
if [ $# = 0 ]; then
    # shellcheck disable=SC2046
    set -- $(seq "${KDP_CRASH_ROUNDS:-20}")
fi
exec python3 "$(dirname "$0")/kill.py" "$@"
