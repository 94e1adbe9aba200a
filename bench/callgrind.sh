#!/bin/sh
# callgrind.sh PROGRAM FUNCTION [ARG...]: instructions per operation of one contestant, for example
#
#   bench/callgrind.sh bench_book run_kdp cents-200
#
# FUNCTION is the contestant's run function.  Exact and repeatable, which wall clocks on a shared machine are not.
# Needs valgrind and the build of the preset "bench".
set -eu
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
program=$1 function=$2
shift 2
exe=$(dirname "$0")/../build/bench/bench/$program
[ -x "$exe" ] || { echo "callgrind.sh: no $exe: cmake --preset bench && cmake --build --preset bench" >&2; exit 2; }
command -v valgrind >/dev/null || { echo "callgrind.sh: valgrind is not installed: apt install valgrind" >&2; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# bench_compare runs each contestant once to warm up and then KDP_BENCH_REPS times; collection is on inside FUNCTION only
KDP_BENCH_REPS=3 valgrind --tool=callgrind --toggle-collect="$function" --callgrind-out-file="$out/callgrind" \
    "$exe" "$@" >"$out/lines" 2>"$out/log" || { cat "$out/log" >&2; exit 1; }
instructions=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/log")
ops=$(sed -n 's/.* ops=\([0-9]*\) .*/\1/p' "$out/lines" | head -n 1)
[ "${instructions:-0}" -gt 0 ] || { echo "callgrind.sh: nothing counted: has $program a function $function?" >&2; exit 1; }
awk -v p="$program" -v f="$function" -v a="$*" -v i="$instructions" -v o="$ops" \
    'BEGIN { printf "name=%s function=%s args=\"%s\" instructions_per_op=%.1f\n", p, f, a, i / (4 * o) }'
