#!/bin/bash
# Every test that docs/guarantees.md names exists; every promise names one.
. "$(dirname "$0")/lib.sh"
: "${KDP_BUILD:?the build folder}"

ctest --test-dir "$KDP_BUILD" -N | sed -n 's/^ *Test *#[0-9]*: //p' >tests.txt
[ "$(wc -l <tests.txt)" -gt 50 ] || wrong 'too few tests to be true'
last=docs/guarantees.md
while read -r name; do
    grep -qxF "$name" tests.txt || wrong "no such test: $name"
done < <(grep -E '^\| [^|]+ \| `' "$source_dir/docs/guarantees.md" | grep -oE '`[a-z0-9_]+\.[A-Za-z0-9_.]+`' | tr -d '`')
bare=$(grep -E '^\| ' "$source_dir/docs/guarantees.md" | grep -vE '^\| promise \||\| `[^|]*` \|$')
[ -z "$bare" ] || wrong "a promise without a test: $bare"
done_testing
