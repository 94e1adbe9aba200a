#!/bin/bash
# kdp backfill against kdp sim: every trade of the exchange's own list once, whatever the answers; resume, dry run, proof, exit codes.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }
"$KDP" __complete '' | grep -qx sim || { echo 'SKIPPED: no kdp sim'; exit 77; }
"$KDP" gen --markets 3 --frames 300 --output s.jsonl --quiet && "$KDP" replay --input s.jsonl --data probe --quiet >/dev/null 2>&1
if ! "$KDP" query 'SELECT 1' --data probe >/dev/null 2>&1; then
    echo 'SKIPPED: no libduckdb.so'
    exit 77
fi

sim=0
trap '[ $sim = 0 ] || kill -9 $sim 2>/dev/null; rm -rf "$work"' EXIT
"$KDP" sim --dir sim --markets 20 --rate 0 --history 20d --history-trades 30000 --history-markets 30 >sim.out 2>&1 </dev/null &
sim=$!
disown $sim
for _ in $(seq 600); do
    [ ! -s sim/sim.env ] || break
    sleep 0.05
done
cp sim/sim.env .env || { cat sim.out; exit 1; }
ctl() { "$KDP" sim ctl --dir sim "$@" >/dev/null || wrong "sim ctl $*"; }
start=$(date -u -d '-19 days' +%Y-%m-%d) end=$(date -u +%Y-%m-%d)
range=(--start "$start" --end "$end")
"$KDP" sim ctl --dir sim trades truth.csv "${start}T00:00:00Z" "${end}T00:00:00Z" >/dev/null || wrong 'the list of the exchange'
member() { python3 -c 'import json, sys; v = json.load(open(".out"))[sys.argv[1]]; print(json.dumps(v))' "$1"; }
is() { [ "$(member "$1")" = "$2" ] || wrong "$1 is $(member "$1"), not $2"; }
same() { # DATA [TICKER]: SQL has what the exchange lists, each once
    "$KDP" query "SELECT trade_id, ticker, epoch_us(\"timestamp\") AS us, price, volume, taker_side FROM trades" --data "$1" --format csv >here.csv 2>/dev/null
    python3 - "$start" "$end" "${2-}" <<'PY' || wrong "$1 is not what the exchange lists${2+ of $2}"
import calendar, csv, sys, time
lo, hi = (calendar.timegm(time.strptime(d, "%Y-%m-%d")) * 10**9 for d in sys.argv[1:3])
want = {}
for r in csv.DictReader(open("truth.csv")):
    if lo <= int(r["time_ns"]) < hi and sys.argv[3] in ("", r["ticker"]):
        want[r["trade_id"]] = (r["ticker"], int(r["time_ns"]) // 1000, float(r["yes_price"]), float(r["count"]), r["taker"])
rows = list(csv.DictReader(open("here.csv")))
got = {r["trade_id"]: (r["ticker"], int(r["us"]), float(r["price"]), float(r["volume"]), r["taker_side"]) for r in rows}
print(len(want), "listed,", len(rows), "rows,", len(got), "ids")
bad = [k for k in want if got.get(k) != want[k]][:3]
for k in bad: print(k, want[k], got.get(k))
sys.exit(len(rows) != len(got) or want != got)
PY
}
ticker=$(cut -d, -f2 truth.csv | sed 1d | sort | uniq -c | sort -rn | awk 'NR == 3 { print $2 }')

# ---- words ----
kdp backfill --start 2026-01-02 --end 2026-01-01 --all; exits 2; no_answer; says '--start 2026-01-02 is not before --end 2026-01-01'
kdp backfill "${range[@]}"; exits 2; no_answer; says 'which trades? No scope is given'
kdp backfill "${range[@]}" --all --ticker X; exits 2; no_answer; says 'two scopes are given'
kdp backfill "${range[@]}" --ticker X --what books; exits 2; no_answer; says '--what books is not known'
kdp backfill --all --end 2026-01-01; exits 2; no_answer
kdp backfill "${range[@]}" --ticker "KX'; DROP TABLE trades"; exits 2; no_answer; says "not a ticker: KX'; DROP TABLE trades"
kdp backfill "${range[@]}" --ticker "$(printf 'K%.0s' $(seq 300))"; exits 2; no_answer; says 'not a ticker: KKK'
kdp backfill "${range[@]}" --ticker KXNOSUCH-26DEC01-T1; exits 1; no_answer; says 'no market KXNOSUCH-26DEC01-T1 on the exchange'
kdp backfill "${range[@]}" --series KXNOSUCH; exits 1; no_answer; says 'no series KXNOSUCH on the exchange'; says 'Nearest: '
[ ! -e data/trades/manifest.json ] || ! grep -q KXNOSUCH data/trades/manifest.json || wrong 'a market that is not there is remembered as whole'

# ---- what it would do ----
kdp backfill --ticker "$ticker" "${range[@]}" --dry-run --data none; exits 0
prints 'would ask  19 days ('; prints 'the end day is not included)'; prints 'no trade was asked for, nothing was written'
[ ! -e none ] || wrong 'a dry run made a folder'

# ---- one market, twice ----
kdp backfill --ticker "$ticker" "${range[@]}" --data one; exits 0
says 'asking     19 days ('
prints 'exchange   SIMULATED'; prints ' inserted, 0 already here, 0 duplicates, 0 impossible'; prints 'complete   19 of 19 days, no gaps: '; prints " by the exchange's own candles"; prints '0 answered 429'
same one "$ticker"
kdp backfill --ticker "$ticker" "${range[@]}" --data one; exits 0
says 'nothing to do'; prints 'trades     0 inserted, '; prints 'complete   19 of 19 days'
kdp backfill --ticker "$ticker" "${range[@]}" --data one --verify --format json; exits 0
is complete true; is gaps '[]'; is days_complete 19; is duplicates 0
same one "$ticker"

# ---- ill answers; stopped and killed; then the rest, over what is there ----
for fault in 'rest-cut count=3' 'rest-short count=3' 'rest-html count=2' 'rest-error status=503 count=3' 'cursor-refused count=2' 'page-loop count=2' 'page-empty count=2' 'page-mixed count=2' 'page-twice count=2'; do
    # shellcheck disable=SC2086
    ctl $fault path=/markets/trades
    ctl $fault path=/historical/trades
done
kdp backfill --all "${range[@]}" --data one --test-pace 2 --summary json; exits 0
is complete true; is gaps '[]'
same one
[ "$(member trades_inserted)" != 0 ] || wrong 'nothing was inserted'
[ "$(member retries)" -ge 5 ] || wrong 'hardly anything was tried again'
[ "$(member loops)" -ge 2 ] || wrong 'no chain of pages was begun anew'

for moment in 0.05 0.1 0.2 0.3; do
    "$KDP" backfill --all "${range[@]}" --data killed --read-tokens 3000 --quiet >/dev/null 2>&1 &
    pid=$!
    sleep $moment
    kill -9 $pid
    wait $pid 2>/dev/null
done
"$KDP" backfill --all "${range[@]}" --data stopped --read-tokens 100 --env-file .env >stopped.out 2>stopped.err &
pid=$!
for _ in $(seq 200); do # under way
    grep -q '^asking' stopped.err && break
    sleep 0.02
done
kill -INT $pid
wait $pid
code=$?
exits 130
grep -q '^next       kdp backfill --all --start .* --read-tokens 100 --env-file .env --data stopped$' stopped.out || { cat stopped.out; wrong 'a stopped run does not say how to go on'; }
for folder in killed stopped; do
    kdp backfill --all "${range[@]}" --data $folder --format json; exits 0; is complete true
    same $folder
done

# ---- a range that is in no whole hours is proven by minutes at its ends ----
kdp backfill --all --start "${start}T02:37:00Z" --end "$(date -u -d '-2 days' +%Y-%m-%d)T05:35:00Z" --data one --verify --format json; exits 0
is complete true; is gaps '[]'; is volume_over '"0.00"'
[ "$(member volume)" = "$(member volume_of_candles)" ] || wrong 'minutes, hours and minutes are not the whole'

# ---- candles, as the exchange has them ----
kdp backfill --ticker "$ticker" "${range[@]}" --data one --what candles --interval 1h; exits 0; prints 'candles    '
sum=$("$KDP" query "SELECT sum(volume) = (SELECT sum(volume) FROM trades WHERE ticker = '$ticker') FROM candles WHERE ticker = '$ticker' AND interval_s = 3600" --data one --format csv 2>/dev/null | tail -n 1)
[ "$sum" = true ] || wrong 'candles and trades of the lake differ'
kdp backfill --ticker "$ticker" "${range[@]}" --data one --what candles --interval 1h; exits 0; prints 'candles    0 read'
kdp backfill --ticker "$ticker" "${range[@]}" --data one --what markets; exits 0; prints 'markets    1'
kdp backfill --ticker "${ticker%?}*" "${range[@]}" --data one --what markets --format json; exits 0; [ "$(member markets_read)" -ge 1 ] || wrong 'no terms of what a glob names'
done_testing
