#!/bin/sh
# sim.sh websockets|ws: a foreign program as the client of kdp sim: both kinds of key, with permessage-deflate and without, 1, 8
# and 60 frames in a record.  Needs KDP, and build/venv or build/peers; without them it is skipped, visibly.
set -eu
peer=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

skip() {
    echo "SKIPPED: $1" >&2
    exit 77
}

case $peer in
websockets)
    [ -x "$root/build/venv/bin/python3" ] || skip "no build/venv: ./test makes it"
    client() { "$root/build/venv/bin/python3" "$here/sim_client.py" "$@"; }
    ;;
ws)
    command -v node >/dev/null 2>&1 || skip "no node here"
    [ -d "$root/build/peers/node_modules/ws" ] || skip "no build/peers: ./test makes it"
    client() { NODE_PATH=$root/build/peers/node_modules node --dns-result-order=ipv4first "$here/sim_client.js" "$@"; }
    ;;
esac

dir=$(mktemp -d "${TMPDIR:-/tmp}/kdp-interop.XXXXXX")
sim=
stop_sim() {
    [ -z "$sim" ] || { kill "$sim" && wait "$sim"; } 2>/dev/null || :
    sim=
}
trap 'stop_sim; rm -rf "$dir"' EXIT
for frames in 1 8 60; do
    # a server that has begun to listen has written its settings
    "$KDP" sim --dir "$dir/sim$frames" --markets 40 --rate 500 --per-record $frames --deflate >"$dir/log" 2>&1 &
    sim=$!
    for _ in $(seq 200); do
        [ ! -s "$dir/sim$frames/sim.env" ] || break
        kill -0 "$sim" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
        sleep 0.05
    done
    case $frames in
    1) set -- rsa no ;;
    8) set -- ed25519 yes ;;
    *) set -- rsa yes ;;
    esac
    client "$dir/sim$frames/sim.env" "$@" || { cat "$dir/log" >&2; exit 1; }
    stop_sim
done
