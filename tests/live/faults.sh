#!/bin/bash
# faults.sh --rounds N [--seed N] [--jobs N] - N seeded mixes of faults against kdp run; see e2e.py.
set -u
rounds=20
[ "${1-}" != --rounds ] || { rounds=$2; shift 2; }
exec "$(dirname "$0")/live.sh" e2e.py --mixes "$rounds" "$@"
