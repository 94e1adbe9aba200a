#!/bin/bash
# kdp demo: an event's page, against a simulated exchange and against answers made for each case; without a key.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }

server=0 sim=0
trap 'for p in $server $sim; do [ $p = 0 ] || kill -9 $p 2>/dev/null; done; rm -rf "$work"' EXIT
mkdir www
export LC_ALL=C.UTF-8
answer() { printf '%s\n%s' "$2" "$3" >"www/$1.new"; mv "www/$1.new" "www/$1"; } # LAST PART OF THE PATH, STATUS, BODY
lacks() { [[ $out != *"$1"* ]] || wrong "stdout has: $1"; }
json() { python3 -c "import json, sys; d = json.load(open('.out')); sys.exit(0 if ($1) else 1)" || wrong "json: $1"; }
narrow() { # COLUMNS: no line of the page is wider
    COLUMNS=$1 python3 - "$KDP" "${@:2}" >.wide 2>&1 <<'PY' || { cat .wide; wrong "wider than $1"; }
import os, pty, re, subprocess, sys
ours, theirs = pty.openpty()
run = subprocess.Popen(sys.argv[1:], stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=dict(os.environ, LC_ALL="C.UTF-8"))
os.close(theirs)
text = b""
while True:
    try:
        part = os.read(ours, 65536)
    except OSError:
        break
    if not part:
        break
    text += part
lines = re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).replace("\r", "").split("\n")
wide = [line for line in lines if len(line.rstrip()) > int(os.environ["COLUMNS"])]
print("\n".join(wide))
sys.exit(1 if run.wait() != 0 or wide or len(lines) < 8 else 0)
PY
}

# ---- what is wrong is said before anything is asked ----
export KALSHI_BASE_URL=http://127.0.0.1:9/x
kdp demo; exits 2; no_answer; says 'kdp demo needs a --series, an --event or a --ticker'
kdp demo --series A --event B; exits 2; no_answer; says 'one of them'
kdp demo --series A --series B; exits 2; says 'kdp demo takes one --series, written out'
kdp demo --ticker 'A*'; exits 2; says 'kdp demo takes one --ticker, written out'
kdp demo --series ''; exits 2; no_answer
kdp demo --series A --limit 1001; exits 2; says '--limit is at most 1,000'
kdp demo --series A --depth 0; exits 2; no_answer
kdp demo --series A --api-key x; exits 2; no_answer; says 'KALSHI_PRIVATE_KEY_PATH is empty'

# ---- made answers ----
echo 0 >www/offset
echo key-1 >www/id
python3 "$here/exchange.py" www >server.out 2>&1 &
server=$!
for _ in $(seq 200); do
    [ ! -e www/port ] || break
    sleep 0.05
done
export KALSHI_BASE_URL=http://127.0.0.1:$(cat www/port)/x
m() { # TICKER WORDS STRIKES BID ASK LAST VOLUME24 [MORE]
    printf '{"ticker":"%s","event_ticker":"%s","status":"%s","yes_sub_title":"%s",%s,"yes_bid_dollars":"%s","yes_ask_dollars":"%s","last_price_dollars":"%s","volume_24h_fp":"%s","volume_fp":"%s","open_interest_fp":"7.00","open_time":"2026-01-01T00:00:00Z","close_time":"%s"}' \
        "$1" "${event-E-1}" "${status-active}" "$2" "$3" "$4" "$5" "$6" "$7" "$7" "${close-2096-01-01T00:00:00Z}"
}
low=$(m E-1-T47 '46° or below' '"strike_type":"less","cap_strike":47' 0.0000 0.0100 0.0100 8120.00)
mid=$(m E-1-B47.5 '47° to 48°' '"strike_type":"between","floor_strike":47,"cap_strike":48' 0.4200 0.4400 0.4300 91233.75)
top=$(m E-1-T48 '49° or above' '"strike_type":"greater","floor_strike":48' 0.0640 0.0815 0.0000 0.00)
later=$(event=E-2 close=2096-02-01T00:00:00Z m E-2-X 'x' '"strike_type":"custom"' 0.1 0.2 0.1 999999.00)
gone=$(event=E-0 close=2020-01-01T00:00:00Z m E-0-X 'x' '"strike_type":"custom"' 0.1 0.2 0.1 999999.00)
answer 'markets?series_ticker=E&status=open&limit=1000' 200 "{\"markets\":[$later,$top],\"cursor\":\"c/1\"}"
answer 'markets?series_ticker=E&status=open&limit=1000&cursor=c%2F1' 200 "{\"markets\":[$mid,$low,$gone],\"cursor\":\"\"}"
answer E 200 '{"series":{"ticker":"E","title":"The series"}}'
answer E-1 200 "{\"event\":{\"event_ticker\":\"E-1\",\"series_ticker\":\"E\",\"title\":\"Highest \\u001b[31mtemperature\",\"mutually_exclusive\":true},\"markets\":[$top,$mid,$low]}"
answer orderbook 200 '{"orderbook_fp":{"yes_dollars":[["0.4100","2000.00"],["0.4200","1240.00"]],"no_dollars":[["0.5500","310.00"],["0.5600","33.25"]]}}'
trade() { printf '{"trade_id":"5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d%s","ticker":"E-1-B47.5","count_fp":"%s","yes_price_dollars":"%s","no_price_dollars":"%s","taker_outcome_side":"%s","taker_book_side":"%s","created_time":"%s","is_block_trade":%s}' "$@"; }
answer 'trades?ticker=E-1-B47.5&limit=100' 200 "{\"trades\":[$(trade 01 12.50 0.4300 0.5700 yes bid 2026-11-20T15:03:07.412345Z false),$(trade 02 200.00 0.4200 0.5800 no ask 2026-11-20T15:03:02.002118Z true),$(trade 03 1.00 0.3800 0.6200 yes bid 2026-11-19T23:00:00Z false)],\"cursor\":\"more\"}"

kdp demo --series E; exits 0
[[ $out == 'E-1  Highest \x1b[31mtemperature   closes in '*' d '*', 1 winner of 3'$'\n'* ]] || wrong 'the heading'
prints 'MARKET      YES WINS AT     BID     ASK  LAST  VOLUME 24 H  OPEN INT.'
prints 'E-1-T47     46° or below  -      0.01    0.01     8,120             7'
prints 'E-1-B47.5   47° to 48°    0.42   0.44    0.43    91,233.75          7'
prints 'E-1-T48     49° or above  0.064  0.0815  -            0             7'
prints 'sum of all                0.484  0.5315'
prints 'Book of E-1-B47.5, 47° to 48°: 2 NO and 2 YES levels'
prints '▆▆   310     0.45  0.55'
prints '▕    33.25  0.44  0.56  buy YES at 0.44'
prints '----  ----  spread 0.02, mid 0.43'
prints '0.42  0.58  1,240     '
prints 'buy NO at 0.58'
prints 'Last 3 trades, 2026-11-19 23:00 to 2026-11-20 15:03 UTC, 0.38 to 0.43  '
prints '  213.50 contracts'
prints '2026-11-20 15:03:07.412345   0.43   12.50  YES'
prints '2026-11-20 15:03:02.002118   0.42  200     NO (at 0.58), block trade'
[ "$err" = "${err/#6 requests, /}" ] && wrong 'it took other than 6 requests, one of them for a further page'
says " Without a key the exchange's answers may be 15 s old."
grep -q signed www/log && wrong 'a request was signed without a key'
kdp demo --series E --quiet; exits 0; silent
kdp demo --series E --depth 1 --limit 1; exits 0; prints 'best 1 of 2 NO and 2 YES levels'; lacks '0.45  0.55'; lacks 'block trade'
LC_ALL=C kdp demo --series E; exits 0; prints '##'; lacks '▆'; lacks '█'; prints '0.38 to 0.43  178  213.50'
for width in 60 80 100; do narrow "$width" demo --series E; done
kdp demo --series E --simulated; exits 0; prints 'SIMULATED  E-1  Highest'

kdp demo --series E --format csv; exits 0
[ "$(wc -l <.out)" = 4 ] || wrong 'csv has other than a heading and three rows'
prints 'ticker,yes_wins_at,status,result,yes_bid,yes_ask,last_price,volume_24h,volume,open_interest,close_time'
prints 'E-1-T47,46° or below,active,,,0.0100,0.0100,8120.00,8120.00,7.00,2096-01-01T00:00:00.000000000Z'
prints 'E-1-T48,49° or above,active,,0.0640,0.0815,,0.00,0.00,7.00,2096-01-01T00:00:00.000000000Z'
kdp demo --event E-1 --format json; exits 0
json 'd["event"]["event_ticker"] == "E-1" and d["event"]["mutually_exclusive"] is True and d["event"]["markets"] == 3'
json '[m["ticker"] for m in d["markets"]] == ["E-1-T47", "E-1-B47.5", "E-1-T48"] and d["markets"][0]["yes_bid"] is None'
json 'd["book"]["ticker"] == "E-1-B47.5" and d["book"]["yes_bids"][0] == {"price": "0.4200", "size": "1240.00"} and d["book"]["yes_asks"][0] == {"price": "0.4400", "size": "33.25"}'
json '[t["taker_side"] for t in d["trades"]] == ["yes", "no", "yes"] and d["trades"][1]["is_block"] is True and d["trades"][0]["trade_id"] == "5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d01" and d["trades"][0]["timestamp"] == "2026-11-20T15:03:07.412345000Z"'
json 'd["simulated"] is False and len(d["trades"]) == 3'

# ---- one market: its own book, empty on one side or both, and without trades ----
answer E-1-T48 200 "{\"market\":$top}"
answer 'trades?ticker=E-1-T48&limit=100' 200 '{"trades":[],"cursor":""}'
kdp demo --ticker E-1-T48; exits 0; prints 'Book of E-1-T48, 49° or above: 2 NO and 2 YES levels'; prints 'No trades of E-1-T48 yet'
answer orderbook 200 '{"orderbook_fp":{"yes_dollars":[["0.4100","2000.00"]],"no_dollars":null}}'
kdp demo --ticker E-1-T48; exits 0; prints ': 0 NO and 1 YES levels'; prints '----  ----  no NO bids'; prints '0.41  0.59  2,000'
answer orderbook 200 '{"orderbook_fp":{"yes_dollars":[],"no_dollars":[["0.9000","5.00"]]}}'
kdp demo --ticker E-1-T48; exits 0; prints '----  ----  no YES bids'; prints 'buy YES at 0.10'
answer orderbook 200 '{"orderbook_fp":{}}'
kdp demo --ticker E-1-T48; exits 0; prints '----  ----  the book is empty'
narrow 60 demo --ticker E-1-T48
kdp demo --ticker E-1-T48 --format json; exits 0; json 'd["book"]["yes_bids"] == [] and d["book"]["yes_asks"] == [] and d["trades"] == [] and d["book"]["served"] is True'
rm www/orderbook
kdp demo --ticker E-1-T48; exits 0; prints 'the exchange serves none'
answer orderbook 200 '{"orderbook_fp":{}}'
answer 'trades?ticker=E-1-T48&limit=100' 200 "{\"trades\":[$(trade 01 1.00 0.4300 0.5700 yes bid 2026-11-20T15:03:07.4Z false)]}"
kdp demo --ticker E-1-T48; exits 0; prints 'The only trade, 2026-11-20 15:03 UTC, 1 contract'

# ---- an event that is over, one of 60 markets that do not exclude each other, one that is described nowhere ----
answer E-3 200 "{\"event\":{\"event_ticker\":\"E-3\",\"mutually_exclusive\":true,\"markets\":[$(event=E-3 status=finalized close=2026-01-02T00:00:00Z m E-3-A a '"result":"yes"' 0 1 0.9 5.00),$(event=E-3 status=finalized close=2026-01-02T00:00:00Z m E-3-B b '"result":"no"' 0 1 0.1 6.00)]}}"
answer 'trades?ticker=E-3-B&limit=100' 200 '{"trades":null}'
kdp demo --event E-3; exits 0; prints 'closed 2026-01-02 00:00 UTC, 1 winner of 2'; prints 'finalized, yes'; lacks 'sum of all'
narrow 60 demo --event E-3
many=
for i in $(seq 60); do many+=${many:+,}$(m "E-1-$i" 'Notre Dame wins the championship game by more than 10.5 points' '"strike_type":"structured"' 0.1 0.2 0.1 "$i.00"); done
answer E-4 200 "{\"event\":{\"event_ticker\":\"E-4\",\"title\":\"t\",\"mutually_exclusive\":false},\"markets\":[$many]}"
answer 'trades?ticker=E-1-60&limit=100' 200 '{"trades":[]}'
kdp demo --event E-4; exits 0; prints ', 60 markets'; prints '20 of 60 markets'; lacks 'sum of all'; prints $'\n'E-1-41' '; lacks $'\n'E-1-40' '
kdp demo --event E-4 --format csv; exits 0; [ "$(wc -l <.out)" = 61 ] || wrong 'csv has not all markets'
narrow 60 demo --event E-4; narrow 100 demo --event E-4
answer 'markets?event_ticker=E-5&limit=1000' 200 "{\"markets\":[$(event=E-5 m E-5-A a '"title":"Told by its market"' 0.1 0.2 0.1 5.00)]}"
answer 'trades?ticker=E-5-A&limit=100' 200 '{"trades":[]}'
answer 'markets?event_ticker=E-6&limit=1000' 200 '{"markets":[]}'
answer E-6 200 '{"event":{"event_ticker":"E-6"},"markets":[]}'
kdp demo --event E-6; exits 1; no_answer; says 'the exchange lists no market of E-6'; says 'kdp backfill --event E-6'
grep -qx '/x/historical/markets?event_ticker=E-6&limit=1000' www/log || wrong 'the other tier was not asked'
grep -qx '/x/historical/trades?ticker=E-5-A&limit=100' www/log && wrong 'trades were looked for twice before there was need'
kdp demo --event E-5; exits 0; prints 'E-5  Told by its market   closes in '; prints ', 1 market'
grep -qx '/x/historical/trades?ticker=E-5-A&limit=100' www/log || wrong 'it was traded, and the older trades were not asked for'

# ---- nothing of that name ----
kdp demo --series KXHIGHNYC; exits 1; no_answer; says 'kdp: error: no series KXHIGHNYC on the exchange'; says 'A series is the first part of a ticker'
answer 'markets?series_ticker=KXHIGHNYC&status=open&limit=1000' 200 '{"markets":[]}'
answer series 200 '{"series":[{"ticker":"KXBTC","title":"b"},{"ticker":"KXHIGHDEN","title":"d"},{"ticker":"KXHIGHNY","title":"Highest temperature in NYC"},{"ticker":"KXHIGHCHI","title":"c"}]}'
kdp demo --series KXHIGHNYC; exits 1; no_answer
says 'kdp: error: no series KXHIGHNYC on the exchange (4 known)'
says '  Nearest: KXHIGHNY (Highest temperature in NYC), KXHIGHDEN, KXHIGHCHI'
answer 'markets?series_ticker=QQ&status=open&limit=1000' 200 '{"markets":null}'
kdp demo --series QQ; exits 1; says 'no series QQ on the exchange (4 known)'; says 'A series is the first part of a ticker'
answer Z 200 '{"series":{"ticker":"Z","title":"The last of them"}}'
answer 'markets?series_ticker=Z&status=open&limit=1000' 200 '{"markets":[]}'
answer 'events?series_ticker=Z&limit=1' 200 '{"events":[{"event_ticker":"Z-9"}]}'
kdp demo --series Z; exits 1; no_answer; says 'no open event in Z (The last of them)'; says 'One that is not open: kdp demo --event Z-9'
answer 'events?series_ticker=Z&limit=1' 200 '{"events":[]}'
kdp demo --series Z; exits 1; says 'It has no event at all now'
answer 'markets?event_ticker=KXA-1&limit=1000' 200 '{"markets":[]}'
kdp demo --event KXA-1; exits 1; no_answer; says 'no event KXA-1 on the exchange'; says 'kdp demo --series KXA'
kdp demo --ticker KXA-1-T; exits 1; no_answer; says 'no market KXA-1-T on the exchange'
answer E-1 403 '{"error":{"code":"forbidden","message":"not \u001b[2Jyou"}}'
kdp demo --event E-1; exits 1; no_answer; [[ $err != *$'\e'* ]] || wrong 'a control character of the exchange'
# ---- Ctrl-C, while the exchange does not answer ----
: >www/E-7
"$KDP" demo --event E-7 >.out 2>.err </dev/null &
waiting=$!
for _ in $(seq 200); do
    ! grep -q /E-7 www/log || break
    sleep 0.05
done
kill -INT $waiting
code=0; wait $waiting || code=$?
out=$(cat .out) err=$(cat .err) last='kdp demo, SIGINT'
exits 130; no_answer
kill $server; wait $server 2>/dev/null; server=0

# ---- the simulated exchange, signed and not ----
if "$KDP" __complete '' | grep -qx sim; then
    "$KDP" sim --dir sim --markets 300 --rate 2000 >sim.out 2>&1 </dev/null &
    sim=$!
    for _ in $(seq 600); do
        [ ! -s sim/sim.env ] || break
        sleep 0.05
    done
    unset KALSHI_BASE_URL
    grep -v 'API_KEY\|PRIVATE_KEY' sim/sim.env >nokey.env
    kdp demo --env-file nokey.env --series KXHIGHNY; exits 0
    prints 'SIMULATED  KXHIGHNY-'; prints 'YES WINS AT'; prints 'sum of all'; prints 'spread '; says '5 requests, '; says 'Without a key'
    kdp demo --env-file sim/sim.env --series KXHIGHNY --format json; exits 0
    [[ $err != *'Without a key'* ]] || wrong 'it has a key'
    json 'd["simulated"] is True and len(d["markets"]) == d["event"]["markets"]'
    json 'd["book"]["yes_bids"][0]["price"] < d["book"]["yes_asks"][0]["price"]'
    kdp demo --env-file nokey.env --series KXHIGHNYC; exits 1; says 'Nearest: KXHIGHNY'
    kill $sim; wait $sim 2>/dev/null; sim=0
fi
done_testing
