#!/bin/sh
# http2.sh: the asker against node's HTTP/2 server: it is spoken where it is offered, connections are kept, a page that is cut or whose
# connection goes is asked for again.  Needs KDP_HTTP2_ASK (ours) and node; without node it is skipped, visibly.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v node >/dev/null 2>&1 || { echo "SKIPPED: no node here" >&2; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/kdp-interop.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost >"$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; exit 1; }
node "$here/http2_server.js" "$dir/cert.pem" "$dir/key.pem" "$dir" >"$dir/node.log" 2>&1 &
server=$!
for _ in $(seq 200); do
    [ ! -s "$dir/port" ] || break
    kill -0 "$server" 2>/dev/null || { cat "$dir/node.log" >&2; exit 1; }
    sleep 0.05
done
"$KDP_HTTP2_ASK" "https://localhost:$(cat "$dir/port")/x" "$dir/cert.pem" >"$dir/out" || { cat "$dir/out" "$dir/log" >&2; exit 1; }
cat "$dir/out"
grep -q '^whole=60 of=60 retried=[2-9]$' "$dir/out" || { echo "not what was asked for" >&2; exit 1; }
for path in cut end refused gone; do
    # twice, or more often: its repeat may be on the connection that goes down
    [ "$(grep -c "^2 [0-9]* /x/$path\$" "$dir/log")" -ge 2 ] || { echo "$path was not asked for again" >&2; cat "$dir/log" >&2; exit 1; }
done
many=$(cut -d' ' -f2 "$dir/log" | sort -u | wc -l)
[ "$many" -le 8 ] || { echo "$many connections for 4 requests at once" >&2; exit 1; }
