#!/bin/bash
# compare.sh KDP FILE...: replays each recording with kdp and with reference.py and compares the two answers member by
# member.  Exit 0 all equal, 1 something differs, 77 nothing to compare with (no python3, zstd or recording).
# A name with * stands for all files that match; LEG=yes is handed to both as --leg.
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
kdp=$1
shift
command -v python3 >/dev/null || { echo "skipped: python3 is not installed (apt install python3)"; exit 77; }
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
code=0 compared=0
for file in "$@"; do
    if [ ! -r "$file" ]; then
        echo "skipped: no recording $file (KDP_CAPTURES names another place)"
        continue
    fi
    case $file in
    *.zst) command -v zstd >/dev/null || { echo "skipped: zstd is not installed (apt install zstd)"; continue; } ;;
    esac
    compared=$((compared + 1))
    rm -rf "$scratch/data"
    if ! "$kdp" replay --input "$file" --data "$scratch/data" --no-lake --leg "${LEG:-no}" --summary json --no-progress \
        >"$scratch/kdp.json" 2>"$scratch/kdp.err"; then
        echo "DIFFERS $file: kdp replay failed"
        sed 's/^/  /' "$scratch/kdp.err" | head -n 5
        code=1
        continue
    fi
    if ! python3 "$here/reference.py" --leg "${LEG:-no}" "$file" >"$scratch/ref.json" 2>"$scratch/ref.err"; then
        echo "DIFFERS $file: the reference failed"
        tail -n 5 "$scratch/ref.err" | sed 's/^/  /'
        code=1
        continue
    fi
    if python3 "$here/difference.py" "$scratch/kdp.json" "$scratch/ref.json" >"$scratch/report"; then
        echo "equal   $file"
    else
        echo "DIFFERS $file"
        code=1
    fi
    cat "$scratch/report"
done
[ $compared -gt 0 ] || exit 77
exit $code
