#!/bin/bash
# Commands that ask the exchange: each thing that can be wrong in one sentence with a next step, and the exit code that goes with it.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }

server=0 tls=0
trap 'for p in $server $tls; do [ $p = 0 ] || kill $p 2>/dev/null; done; rm -rf "$work"' EXIT
mkdir www
echo 0 >www/offset
echo key-1 >www/id
answer() { printf '%s\n%s' "$2" "$3" >"www/$1.new"; mv "www/$1.new" "www/$1"; } # NAME STATUS BODY
python3 "$here/exchange.py" www >server.out 2>&1 &
server=$!
disown $server
openssl genpkey -algorithm ed25519 -out ed.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem 2>/dev/null
openssl genrsa -out small.pem 1024 2>/dev/null
openssl pkey -in ed.pem -pubout -out public.pem 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.pem -days 2 -subj '/CN=Corp Proxy CA' \
    -addext subjectAltName=DNS:localhost 2>/dev/null
python3 - >tls.port 2>tls.out <<'END' &
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("tls.pem", "tls.key")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    try:
        context.wrap_socket(listener.accept()[0], server_side=True).close()
    except OSError:
        pass
END
tls=$!
disown $tls
for _ in $(seq 200); do
    [ ! -e www/port ] || break
    sleep 0.05
done
port=$(cat www/port) || { cat server.out; exit 1; }
url=http://127.0.0.1:$port/x
wrong_by() { # WORDS HINT EXIT ARGS...: one sentence, and what to do next
    local words=$1 hint=$2 exit=$3
    shift 3
    kdp demo --series KXA "$@"
    exits "$exit"
    no_answer
    says "kdp: error: $words"
    says "  $hint"
    [ "$(printf '%s\n' "$err" | grep -c '^kdp: error')" = 1 ] || wrong 'not one error'
    [ "$(printf '%s\n' "$err" | grep -vc '^kdp: warning\|^kdp: error\|^  ')" = 0 ] || wrong 'more than the sentence and its hint'
}

# the key
wrong_by 'no API key: KALSHI_PRIVATE_KEY_PATH is empty (flags, environment, .env)' 'Both are needed' 2 --base-url "$url" --api-key key-1
wrong_by 'no API key: KALSHI_API_KEY is empty (flags, environment, .env)' 'Both are needed' 2 --base-url "$url" --private-key ed.pem
wrong_by 'cannot read the private key: gone.pem: no such file or directory' 'Put the key file' 1 --base-url "$url" --api-key key-1 --private-key gone.pem
wrong_by 'not a usable key: ec.pem: EC P-256 private key' 'The exchange takes RSA or Ed25519' 1 --base-url "$url" --api-key key-1 --private-key ec.pem
wrong_by 'not a usable key: small.pem: RSA 1024 private key' 'The exchange takes RSA or Ed25519' 1 --base-url "$url" --api-key key-1 --private-key small.pem
wrong_by 'not a usable key: public.pem: a public key' 'The other half is wanted' 1 --base-url "$url" --api-key key-1 --private-key public.pem
if [ "$(id -u)" != 0 ]; then
    cp ed.pem closed.pem && chmod 000 closed.pem
    wrong_by 'cannot read the private key: closed.pem: permission denied' 'Let its owner read it: chmod 600 closed.pem' 1 --base-url "$url" --api-key key-1 --private-key closed.pem
fi
wrong_by 'the exchange refused the key: 127.0.0.1: 401 "invalid signature"' 'Do ID and file belong together' 1 --base-url "$url" --api-key key-2 --private-key ed.pem
[ ! -s www/log ] || [ "$(grep -c signed www/log)" -le 4 ] || wrong 'a refused key is tried again and again'

# a clock that is off is healed from the refusal's Date: the exchange then answers what it answers to others
answer markets 200 '{"markets":[],"cursor":""}'
answer KXA 200 '{"series":{"ticker":"KXA","title":"A","frequency":"daily","category":"X"}}'
for offset in 3600 -86400; do
    echo $offset >www/offset
    kdp demo --series KXA --base-url "$url" --api-key key-1 --private-key ed.pem
    [[ $err != *401* && $err != *timestamp* ]] || wrong 'the clock was not healed'
    [[ $err =~ 'kdp: warning: this clock is '('1 h 0 min'|'59 min 59 s'|'1 d 0 h'|'24 h 0 min'|'23 h 59 min')[^a-z]*' '(behind|ahead of)' the exchange'\''s'$'\n''  Signing with the exchange' ]] || wrong 'the clock is not told'
    grep -q signed www/log || wrong 'it was not signed'
done
echo 0 >www/offset
rm www/markets www/KXA

# the address
printf '#\n\nKALSHI_BASE_URL=https://no-such-host.invalid/x\n' >.env
kdp demo --series KXA; exits 1; no_answer
if [[ $err != *'no answer in time'* ]]; then # a machine whose resolver is out of reach says nothing at all
    says 'kdp: error: no such host: no-such-host.invalid (base-url, .env line 3, KALSHI_BASE_URL)'
    says '  Mend the name; if it is right, the network is down'
fi
rm .env
wrong_by 'cannot connect: 127.0.0.1: connection refused (--base-url)' 'Is that the address, and is the network up?' 1 --base-url http://127.0.0.1:9/x
wrong_by 'TLS handshake failed: 127.0.0.1 does not speak TLS at that port (--base-url)' 'Is that the address' 1 --base-url "https://127.0.0.1:$port/x"
for _ in $(seq 200); do
    [ ! -s tls.port ] || break
    sleep 0.05
done
wrong_by 'certificate not trusted: localhost: issued by unknown "Corp Proxy CA" (--base-url)' 'If that issuer is yours, add its root: --ca-file FILE.pem' 1 \
    --base-url "https://localhost:$(cat tls.port)/x"
wrong_by 'cannot read the CA file: gone.pem: no such file or directory' '' 1 --base-url "$url" --ca-file gone.pem
wrong_by '--base-url "wss://a/b" is not an address' 'It looks like https://' 2 --base-url wss://a/b

# what it answers
wrong_by 'no series KXA on the exchange' '' 1 --base-url "$url"
answer KXA 403 '{"code":"forbidden","message":"not for \u001b[31myou"}'
wrong_by 'the exchange refused: 127.0.0.1: 403 "not for \x1b[31myou": /series/KXA' 'May this key ask for that?' 1 --base-url "$url"
answer KXA 301 ''
wrong_by 'the exchange sends us elsewhere: 127.0.0.1: 301: /series/KXA' "Is that the address of the exchange's API?" 1 --base-url "$url"
done_testing
