#!/bin/bash
# kdp sim: one line when it is ready, keys and settings in its folder, REST that can be asked, control lines, true books, clean ends.
. "$(dirname "$0")/lib.sh"

sim_pid=
end_sim() { [ -z "$sim_pid" ] || kill -KILL "$sim_pid" 2>/dev/null; rm -rf "$work"; }
trap end_sim EXIT
start() { # ARGS: a simulator in the background; waits until it says that it is ready
    : >sim.out
    "$KDP" sim "$@" >sim.out 2>sim.err </dev/null &
    sim_pid=$!
    last="kdp sim $*"
    for _ in $(seq 1000); do
        [ ! -s sim.out ] || return 0
        kill -0 $sim_pid 2>/dev/null || break
        sleep 0.01
    done
    out=$(cat sim.out) err=$(cat sim.err)
    wrong 'the simulator does not start'
}
ended() { # sets code
    for _ in $(seq 1000); do
        kill -0 $sim_pid 2>/dev/null || break
        sleep 0.01
    done
    wait $sim_pid 2>/dev/null
    code=$?
    sim_pid=
}
get() { curl -sS --cacert d/ca.pem "$KALSHI_BASE_URL$1"; }

start --markets 40 --rate 2000 --history 1h --dir d --books books.json
grep -q "^SIMULATED exchange on https://127.0.0.1:[0-9]*, 40 markets, seed 7; settings: d/sim.env$" sim.out || wrong "it says: $(cat sim.out)"
[ "$(stat -c %a d/rsa.pem d/ed25519.pem d/server-key.pem | sort -u)" = 600 ] || wrong 'keys that others can read'
. d/sim.env
if command -v curl >/dev/null; then
    get /exchange/status | grep -q '"trading_active":true' || wrong 'no status'
    get "/markets?limit=3" | grep -q '"cursor":"C' || wrong 'no next page of markets'
    get "/markets?status=active" | grep -q '"code":"bad_request"' || wrong 'active is no filter word'
    ticker=$(get "/markets?limit=1" | sed 's/.*"ticker":"\([^"]*\)","event.*/\1/')
    get "/markets/$ticker/orderbook?depth=1" | grep -q '"orderbook_fp":{"yes_dollars":\[' || wrong 'no book'
    get "/markets/trades?limit=2" | grep -q '"is_block_trade":' || wrong 'no trades'
    get /account/limits | grep -q 'authentication' || wrong 'limits without a signature'
    [ "$(curl -s -o /dev/null -w '%{http_code} %{redirect_url}' --cacert d/ca.pem "$KALSHI_BASE_URL/markets/?limit=1")" = "301 ${KALSHI_BASE_URL}/markets" ] || wrong 'a trailing slash is not redirected'
    [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert d/ca.pem -H 'Upgrade: websocket' -H 'Connection: Upgrade' "${KALSHI_WS_URL/wss/https}")" = 401 ] || wrong 'an unsigned upgrade is not refused with 401'
    ! curl -s "$KALSHI_BASE_URL/exchange/status" || wrong 'its certificate is trusted without its CA'
fi
kdp sim ctl --dir d stats; exits 0; prints '"markets":'; silent
kdp sim ctl --dir d gap sid=book count=3; exits 0; silent; no_answer
kdp sim ctl --dir d gapp; exits 1; says 'no fault gapp'; says 'Did you mean gap?'
kdp sim ctl --dir d gap colour=red; exits 1; says 'gap takes no colour'
kdp sim ctl --dir d faults; exits 0; prints 'mass-cancel'
kdp sim ctl --dir d books; exits 0
ticker=$(printf '%s' "$out" | grep -o '^"[^"]*":{"status":"active"' | sed -n '1s/^"\([^"]*\)".*/\1/p')
kdp sim ctl --dir d mass-cancel "$ticker"; exits 0; prints "$ticker"
kdp sim ctl --dir d reset; exits 1; says 'no connection it could meet'
kdp sim ctl --dir d quiet; exits 0
kdp sim ctl --dir d books; exits 0
printf '%s\n' "$out" >now.json
kdp sim ctl --dir d trades; exits 0; prints '"trade_id":"'
kdp sim --dir d; exits 1; says 'another simulator runs in this folder'
kdp sim --dir e --port "$(sed -n 's/.*:\([0-9]*\)\/trade-api\/v2$/\1/p' d/sim.env)"; exits 1; says 'cannot listen on 127.0.0.1 port'; says '--port'
kill -INT $sim_pid; ended
exits 0
[ ! -e d/control ] || wrong 'a control socket is left'
cmp now.json books.json || wrong 'the books at the end are not those of the quiet'

# the same folder is the same account with the same certificate
before=$(sha256sum d/ca.pem d/rsa.pem; grep API_KEY d/sim.env)
start --markets 20 --dir d --plain --format json --seconds 30
grep -q '^{"port":[0-9]*,"dir":"d","base_url":"http://127.0.0.1:' sim.out || wrong "json: $(cat sim.out)"
[ "$(sha256sum d/ca.pem d/rsa.pem; grep API_KEY d/sim.env)" = "$before" ] || wrong 'other keys in the same folder'
kdp sim ctl --dir d stop; exits 0
ended; exits 0

# without --dir it is the one that runs; what a killed one left is none
mkdir u
TMPDIR=$PWD/u start --markets 5 --rate 0
kill -KILL $sim_pid; ended
TMPDIR=$PWD/u kdp sim ctl stats; exits 2; says 'no simulator is running'
TMPDIR=$PWD/u start --markets 5 --rate 0
TMPDIR=$PWD/u kdp sim ctl stats; exits 0; prints '"markets":5,'
TMPDIR=$PWD/u kdp sim ctl stop; exits 0
ended; exits 0

# a past, its own list of it, and where the tiers part
start --markets 5 --rate 0 --history 30d --history-trades 5000 --history-markets 30 --tier basic --dir p --plain
grep -q ', 5 markets, a past of 5,000 trades of 30, seed 7;' sim.out || wrong "it says: $(cat sim.out)"
. p/sim.env
kdp sim ctl --dir p trades all.csv; exits 0; prints '{"trades":5000,"historical":'
[ "$(wc -l <all.csv)" = 5001 ] || wrong 'not 5,000 trades in its list'
[ "$(tail -n +2 all.csv | cut -d, -f1 | sort -u | wc -l)" = 5000 ] || wrong 'ids that are not unique'
kdp sim ctl --dir p trades all.jsonl 2000-01-01 2000-01-02; exits 0; prints '{"trades":0,'
kdp sim ctl --dir p trades all.csv soon; exits 1; says 'not a time: soon'
kdp sim ctl --dir p cutoff; exits 0; at=$out
kdp sim ctl --dir p cutoff +1d; exits 0; now=$out
moved=$(($(date -u -d "$now" +%s) - $(date -u -d "$at" +%s))) # a minute may have begun between
[ $moved = 86400 ] || [ $moved = 86460 ] || wrong "the cutoff is $now, and was $at"
kdp sim ctl --dir p cutoff 2001-01-01; exits 1; says 'never goes back'
kdp sim ctl --dir p cutoff soon; exits 1; says 'soon'
if command -v curl >/dev/null; then
    rest=$(curl -sS "$KALSHI_BASE_URL/historical/cutoff" | sed 's/.*"trades_created_ts":"\([^"]*\)".*/\1/')
    [ $(($(date -u -d "$rest" +%s) - $(date -u -d "$now" +%s))) -le 60 ] || wrong "REST has another cutoff: $rest, not $now"
    day=$(date -u -d '20 days ago' +%F)
    curl -sS "${KALSHI_BASE_URL%/trade-api/v2}/reporting/market_data_$day.json" | grep -q '"payout_type":"Binary Option"' || wrong 'no daily file'
fi
kdp sim ctl --dir p terms; exits 0
kdp sim ctl --dir p unknown-ticker 5; exits 1; says 'unknown-ticker value=5'
kdp sim ctl --dir p stop; exits 0
ended; exits 0
printf 'ticker,created_time,price,count,taker_side,trade_id\nKXB-X-Y,2026-05-15T09:59:59.123456Z,0.5,7,no,c7e7366c-2f1e-5400-cea1-2ef084faf8ab\n' >trades.csv
start --trades trades.csv --no-shift --dir q --plain
kdp sim ctl --dir q trades; exits 0; prints '"ticker":"KXB-X-Y","yes_price":"0.5000","count":"7.00","taker":"no","block":false,"time_ns":1778839199123456000}'
kdp sim ctl --dir q stop; exits 0
ended; exits 0
printf 'nothing\n' >words; kdp sim --trades words; exits 1; says 'no trades in words'
kdp sim --answers trades.csv; exits 1; says 'no market objects in trades.csv'
kdp sim --history-trades 5; exits 2; says '--history'
kdp sim --history 1d --history-trades 5 --trades trades.csv; exits 2; says '--trades'
kdp sim --tier golden; exits 2; says 'golden'

kdp sim ctl --dir nowhere stats; exits 1; says 'nowhere'
kdp sim --dir /proc/none; exits 1; says '/proc/none'
kdp sim --address 1.2.3.4.5; exits 2; says '1.2.3.4.5'
kdp sim --faults 'gap; nonsense'; exits 2; says 'nonsense'
printf '# fine\nAT 1s gap\nAT soon gap\n' >script
kdp sim --script script; exits 2; says 'script line 3'; says 'AT soon'
kdp sim nonsense; exits 2
kdp sim --speed max; exits 2; says '--speed'
mkdir t
TMPDIR=$PWD/t kdp sim --markets 5 --seconds 0.2 --quiet; exits 0; silent
[ -z "$(ls t)" ] || wrong 'its own folder is left'
done_testing
