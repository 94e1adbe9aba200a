#!/bin/bash
# A captured market's terms: kdp run captures an exchange that changes them; afterwards, offline, any instant gives what
# the exchange said then, with rules out of the raw tape, and sealing again files nothing twice.
. "$(dirname "$0")/lib.sh"
kdp query --data . 'SELECT 1'
[ $code = 0 ] || { echo "skipped: no libduckdb.so"; exit 77; }

sim_pid=
end_sim() { [ -z "$sim_pid" ] || kill -KILL "$sim_pid" 2>/dev/null; rm -rf "$work"; }
trap end_sim EXIT
"$KDP" sim --markets 40 --rate 200 --dir s >sim.out 2>sim.err </dev/null &
sim_pid=$!
for _ in $(seq 1000); do
    [ ! -s s/sim.env ] || break
    sleep 0.01
done
cp s/sim.env .env || { cat sim.err; exit 1; }
ticker=$("$KDP" sim ctl --dir s books | sed -n 's/^"\([^"]*\)":{"status":"active".*/\1/p' | sed -n 3p)
[ -n "$ticker" ] || wrong 'the simulator has no active market'

"$KDP" run --data d --test-pace 10 --seconds 60 >run.out 2>run.err </dev/null &
run_pid=$!
known() { # SQL CONDITION: waits until the stream says so of the market
    for _ in $(seq 100); do
        [ "$("$KDP" query --data d --format csv "SELECT count(*) > 0 FROM $1 AND ticker = '$ticker'" 2>/dev/null | tail -n 1)" = true ] && return 0
        kill -0 $run_pid 2>/dev/null || break
        sleep 0.05
    done
    out=$(cat run.err) err=
    wrong "never in the stream: $1"
}
# what the exchange itself says of the market, asked by a folder of its own, and when
truth() { # NAME
    "$KDP" market --ticker "$ticker" --data "truth-$1" --format json >"$1.json" 2>"$1.err" || wrong "no truth: $(cat "$1.err")"
    date -u +%Y-%m-%dT%H:%M:%S.%NZ >"$1.at"
}
known "definitions WHERE NOT provisional"; truth listed
"$KDP" sim ctl --dir s ticks "$ticker" >/dev/null; known "lifecycle WHERE event_type = 'price_level_structure_updated'"; truth ticks
"$KDP" sim ctl --dir s close-later "$ticker" >/dev/null; known "lifecycle WHERE event_type = 'close_date_updated'"; truth later
"$KDP" sim ctl --dir s close-now "$ticker" >/dev/null; known "lifecycle WHERE event_type = 'closed'"; truth closed
"$KDP" sim ctl --dir s settle-now "$ticker" >/dev/null; known "lifecycle WHERE event_type = 'settled'"; truth settled
kill -INT $run_pid; wait $run_pid; code=$? last='kdp run'; exits 0
kill -KILL $sim_pid; wait $sim_pid 2>/dev/null; sim_pid=

for state in listed ticks later closed settled; do
    kdp market --ticker "$ticker" --data d --no-fetch --format json --at "$(cat $state.at)"; exits 0
    printf '%s' "$out" >got.json
    python3 - $state.json got.json <<'P' || wrong "not what the exchange said when it was $state"
import json, sys
truth, got = (json.load(open(name)) for name in sys.argv[1:])
for name in ("ticker", "event_ticker", "title", "yes_sub_title", "status", "strike_type", "floor_strike", "cap_strike", "price_level_structure",
             "price_ranges", "open_time", "close_time", "expiration_time", "result", "settlement_value", "can_close_early", "created_time",
             "rules_primary_hash", "rules_secondary_hash", "custom_strike"):
    # a close that moves takes the expected expiration with it, and the stream tells only of the close
    if name == "expiration_time" and sys.argv[1] not in ("listed.json", "ticks.json"):
        continue
    assert truth["market"][name] == got["market"][name], (name, truth["market"][name], got["market"][name])
assert truth["rules_primary"] == got["rules_primary"] and got["rules_primary"], got["rules_primary"]
P
done
[ "$(cat listed.json ticks.json closed.json settled.json | grep -o '"status": "[a-z]*"' | sort -u | wc -l)" -ge 3 ] || wrong 'the exchange did not change'

# every market of the listing has its rules, and the raw tape is not filed a second time
rows() { "$KDP" query --data d --format csv "SELECT count(*), count(DISTINCT ticker), count(rules_primary_hash), (SELECT count(*) FROM texts) FROM market_terms" 2>/dev/null | tail -n 1; }
before=$(rows)
[[ $before == 4[0-9],4[0-9],4[0-9],* ]] || wrong "terms of the listing: $before"
kdp seal --data d --summary json; exits 0; prints '"terms": 0,'
[ "$(rows)" = "$before" ] || wrong "sealing again made rows: $before then $(rows)"
# taken away, they come back the same out of the raw tape alone
"$KDP" query --data d --format csv "SELECT * FROM market_terms ORDER BY ALL" >a.csv 2>/dev/null
rm -r d/market_terms d/texts
kdp seal --data d --summary json; exits 0
[[ $out != *'"terms": 0,'* ]] || wrong 'nothing was filed again'
"$KDP" query --data d --format csv "SELECT * FROM market_terms ORDER BY ALL" >b.csv 2>/dev/null
cmp a.csv b.csv || wrong 'filed again it is not the same'
done_testing
