#!/bin/bash
# The terms of a series from an exchange that refuses, cuts and loops: every market of both tiers once, what is not served is no error.
. "$(dirname "$0")/lib.sh"
kdp query --data . 'SELECT 1'
[ $code = 0 ] || { echo "skipped: no libduckdb.so"; exit 77; }
python3 "$here/market_pages.py" . >server.out 2>&1 &
server=$!; disown
trap 'kill -KILL $server 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 500); do
    [ ! -s port ] || break
    sleep 0.01
done
base="http://127.0.0.1:$(cat port)/x"
one() { "$KDP" query --data "$1" --format csv "$2" 2>/dev/null | tail -n 1; }

# a market of the live tier, one that only the historical tier has, one that neither has: each asked for once, its event and series too
kdp market --ticker KXS-26NOV18-T3 --data m --base-url "$base" --test-pace 1; exits 0; prints 'YES wins   3 or above'; prints 'strike     greater 3.5'; prints 'result     yes'
[ "$(grep -c '/markets/KXS-26NOV18-T3$' log)" = 1 ] || wrong 'asked more than once'
kdp market --ticker KXS-26NOV24-T34 --data m --base-url "$base" --test-pace 1; exits 0; prints 'rules      If it is over 34.'
[ "$(grep -c '/historical/markets/KXS-26NOV24-T34$' log)" = 1 ] || wrong 'the historical tier was not asked'
kdp market --ticker KXS-26NOV24-T99 --data m --base-url "$base" --test-pace 1; exits 1; no_answer; says 'neither in m nor on the exchange'
[ "$(one m 'SELECT count(*), count(DISTINCT event_ticker), (SELECT count(*) FROM event_terms), (SELECT count(*) FROM series_terms) FROM market_terms')" = 2,2,2,1 ] ||
    wrong "two markets of two events: $(one m 'SELECT count(*) FROM market_terms')"
# before the result was there
kdp market --ticker KXS-26NOV18-T3 --data m --no-fetch --at 2026-11-18T01:00:00Z; exits 0
[[ $out != *'result  '* ]] || wrong 'a result before it was known'

if "$KDP" __complete '' | grep -qx backfill; then
    : >log
    kdp backfill --series KXS --start 2026-11-10 --end 2026-11-11 --what markets --data b --base-url "$base" --test-pace 1; exits 0
    [ "$(one b 'SELECT count(*), count(DISTINCT ticker), sum(floor_strike) FROM market_terms')" = 35,35,612.500000 ] ||
        wrong "35 markets once each: $(one b 'SELECT count(*), count(DISTINCT ticker), sum(floor_strike) FROM market_terms')"
    [ "$(one b "SELECT count(*) FROM texts")" = 36 ] || wrong "36 texts: $(one b 'SELECT count(*) FROM texts')"
    [ "$(one b "SELECT count(*) FROM series_terms")" = 1 ] || wrong 'one series'
    # a page that was refused and cut came again, and the loop ended
    [ "$(grep -c '/x/markets?series_ticker=KXS&limit=1000&cursor=10$' log)" = 3 ] || wrong "the second page: $(grep cursor=10 log)"
    [ "$(grep -c . log)" -le 40 ] || wrong 'too many requests'
    # the historical tier was asked for after the live one had ended
    [ "$(grep -n '/x/historical/markets?series_ticker' log | sed -n '1s/:.*//p')" -gt "$(grep -n '/x/markets?series_ticker.*cursor=20' log | sed -n '1s/:.*//p')" ] || wrong 'the tiers in the wrong order'
fi
done_testing
