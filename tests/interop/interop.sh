#!/bin/sh
# interop.sh client|server websockets|ws: our end against a foreign program, over TLS, with permessage-deflate and without.
#
# Needs KDP_PEER_CLIENT and KDP_PEER_SERVER (ours), and build/venv (Python's websockets) or build/peers (npm's ws); without
# the foreign one the test is skipped, visibly.
set -eu
end=$1
peer=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

skip() {
    echo "SKIPPED: $1" >&2
    exit 77
}

command -v openssl >/dev/null 2>&1 || skip "no openssl here"
case $peer in
websockets)
    [ -x "$root/build/venv/bin/python3" ] || skip "no build/venv: ./test makes it"
    foreign() { "$root/build/venv/bin/python3" "$here/websockets_peer.py" "$@"; }
    ;;
ws)
    command -v node >/dev/null 2>&1 || skip "no node here"
    [ -d "$root/build/peers/node_modules/ws" ] || skip "no build/peers: ./test makes it"
    foreign() { NODE_PATH=$root/build/peers/node_modules node --dns-result-order=ipv4first "$here/ws_peer.js" "$@"; }
    ;;
esac

dir=$(mktemp -d "${TMPDIR:-/tmp}/kdp-interop.XXXXXX")
server=
stop_server() {
    exec 3>&- || :
    [ -z "$server" ] || wait "$server" || :
    server=
}
trap 'stop_server; rm -rf "$dir"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost >"$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; exit 1; }
mkfifo "$dir/in"

# A server ends with its input; its first line is its port.
start_server() { # COMMAND...
    : >"$dir/port"
    "$@" <"$dir/in" >"$dir/port" &
    server=$!
    exec 3>"$dir/in"
    for _ in $(seq 200); do
        port=$(head -n 1 "$dir/port")
        [ -z "$port" ] || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    echo "no port from: $*" >&2
    exit 1
}

url() { printf 'wss://localhost:%s/' "$port"; }

if [ "$end" = client ]; then
    for deflate in '' deflate; do
        start_server foreign server "$dir/cert.pem" "$dir/key.pem" $deflate
        "$KDP_PEER_CLIENT" talk "$(url)" --ca-file "$dir/cert.pem"
        "$KDP_PEER_CLIENT" talk "$(url)" --ca-file "$dir/cert.pem" --deflate ${deflate:+--expect-deflate}
        stop_server
    done
else
    start_server "$KDP_PEER_SERVER" --tls "$dir/cert.pem" "$dir/key.pem" --deflate
    for deflate in no yes small; do
        foreign client "$(url)" "$dir/cert.pem" $deflate
    done
    stop_server
    start_server "$KDP_PEER_SERVER" --tls "$dir/cert.pem" "$dir/key.pem" --part 1001
    foreign client "$(url)" "$dir/cert.pem" no
    stop_server
fi
