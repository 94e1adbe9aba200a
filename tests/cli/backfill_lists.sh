#!/bin/bash
# kdp backfill against an exchange whose lists of markets and whose cutoff are not what they should be: never complete without a market.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }
if ! "$KDP" query 'SELECT 1' --data . >/dev/null 2>&1; then
    echo 'SKIPPED: no libduckdb.so'
    exit 77
fi
server=0
trap '[ $server = 0 ] || kill $server 2>/dev/null; rm -rf "$work"' EXIT
mkdir www
echo 0 >www/offset
python3 "$here/exchange.py" www >server.out 2>&1 &
server=$!
disown $server
for _ in $(seq 200); do
    [ ! -e www/port ] || break
    sleep 0.05
done
port=$(cat www/port) || { cat server.out; exit 1; }
answer() { printf '200\n%s' "$2" >"www/$1"; } # NAME BODY; what is not there is 404, trades and candles too
market() { printf '{"ticker":"%s","event_ticker":"KXA-1","open_time":"%s","close_time":"2026-06-03T00:00:00Z"}' "$1" "${2-2026-06-01T00:00:00Z}"; }
list='markets?limit=1000&series_ticker=KXA'
run() { kdp backfill "$@" --start 2026-06-01 --end 2026-06-02 --data "data$((++runs))" --base-url "http://127.0.0.1:$port/x" --test-pace 1 --read-tokens 0 --format json; }
runs=0
answer cutoff '{"trades_created_ts":"2026-07-01T00:00:00Z","market_settled_ts":"2026-07-01T00:00:00Z"}'

# ---- lists ----
answer "$list" "{\"markets\":[$(market KXA-1-A)],\"cursor\":\"c1\"}"
run --series KXA; exits 1; no_answer
says 'the list of markets cannot be read to its end: /'; says "series_ticker=KXA: its cursor is refused"; says 'Try again'
answer "$list&cursor=c1" "{\"markets\":[$(market KXA-1-B)],\"cursor\":\"\"}"
run --series KXA; exits 0; prints '"complete": true'; prints '"markets": 2'
answer "$list&cursor=c1" "{\"markets\":[$(market KXA-1-B)],\"cursor\":\"c2\"}"
answer "$list&cursor=c2" "{\"markets\":[$(market KXA-1-C)],\"cursor\":\"c1\"}"
run --series KXA; exits 1; no_answer; says 'series_ticker=KXA: its pages repeat themselves'
answer "$list&cursor=c2" "{\"markets\":[$(market KXA-1-C soon)],\"cursor\":\"\"}"
run --series KXA; exits 1; prints '"complete": false'; prints '"markets": 2'; prints '"given_up": 2' # a list in each tier

# ---- the cutoff ----
answer "$list" "{\"markets\":[$(market KXA-1-A)],\"cursor\":\"\"}"
answer cutoff '{"trades_created_ts":null,"market_settled_ts":null}'
run --series KXA; exits 0; prints '"complete": true'
answer cutoff '{"trades_created_ts":"soon"}'
run --series KXA; exits 1; no_answer; says 'cannot be read: 127.0.0.1: /historical/cutoff: not a cutoff; 8 tries'; says 'kdp version'

# ---- an address where nothing is ----
rm www/cutoff
run --all; exits 1; prints '"complete": false'; prints '"given_up": 1'

# ---- our clock is an hour ahead: what is yet to come there is not fetched yet ----
answer cutoff '{"trades_created_ts":"2026-07-01T00:00:00Z"}'
echo -3600 >www/offset
kdp backfill --ticker KXA-1-A --start 2026-06-01 --end 2199-01-01 --data ahead --base-url "http://127.0.0.1:$port/x" --dry-run --format json; exits 0
says "this clock is "; says " ahead of the exchange's"
python3 -c 'import calendar, json, sys, time
end = calendar.timegm(time.strptime(json.load(open(".out"))["end"], "%Y-%m-%dT%H:%M:%SZ"))
sys.exit(not 3600 < time.time() - end < 3700)' || wrong 'the end is not of the clock of the exchange'
echo 0 >www/offset
rm www/cutoff

# ---- no candles, and a total of the exchange that is more than what it serves: incomplete ----
rm www/*.* "www/$list"* 2>/dev/null
answer cutoff '{"trades_created_ts":"2026-07-01T00:00:00Z"}'
printf '200\n{"market":{"ticker":"KXA-1-D","event_ticker":"KXA-1","volume_fp":"100.00","open_time":"2026-06-01T01:00:00Z","close_time":"2026-06-01T05:00:00Z"}}' >www/KXA-1-D
trade() { printf '{"trade_id":"5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d1%s","ticker":"KXA-1-D","count_fp":"%s","yes_price_dollars":"0.4350","no_price_dollars":"0.5650","taker_outcome_side":"yes","taker_book_side":"bid","created_time":"2026-06-01T02:00:0%sZ","is_block_trade":false}' "$1" "$2" "$1"; }
page='trades?limit=1000&ticker=KXA-1-D&min_ts=1780271999&max_ts=1780358401'
answer "$page" "{\"trades\":[$(trade 2 30.00),$(trade 1 30.00)],\"cursor\":\"\"}"
run --ticker KXA-1-D; exits 1; prints '"complete": false'; prints '"tries": 3'; prints '"trades_inserted": 2'; prints '"days_not_provable": 1'; prints '"markets_total_short": 1'; prints '"total_short_volume": "40.00"'
answer "$page" "{\"trades\":[$(trade 3 40.00),$(trade 2 30.00),$(trade 1 30.00)],\"cursor\":\"\"}"
run --ticker KXA-1-D; exits 0; prints '"days_not_provable": 0'; prints '"days_complete": 1'; prints '"markets_total_short": 0' # the total proves it

# ---- the key is refused behind the first page: what was whole is kept ----
answer "$page" "{\"trades\":[$(trade 3 40.00),$(trade 2 30.00)],\"cursor\":\"n\"}"
printf '401\n{"error":{"code":"bad_signature","message":"invalid signature"}}' >"www/$page&cursor=n"
run --ticker KXA-1-D; exits 1; no_answer; says '401 "invalid signature"'
answer "$page&cursor=n" "{\"trades\":[$(trade 1 30.00)],\"cursor\":\"\"}"
page='trades?limit=1000&ticker=KXA-1-D&min_ts=1780271999&max_ts=1780279204' # below what is whole
answer "$page" "{\"trades\":[$(trade 2 30.00),$(trade 1 30.00)],\"cursor\":\"\"}"
runs=$((runs - 1))
: >www/log
run --ticker KXA-1-D; exits 0; prints '"trades_inserted": 1'; prints '"already_here": 1'; prints '"trades_here": 3'
grep -q 'max_ts=1780358401' www/log && wrong 'what was whole is asked for again'
rm www/cutoff

# ---- nothing is here, and no list says what should be ----
run --all --verify; exits 1; prints '"complete": false'
done_testing
