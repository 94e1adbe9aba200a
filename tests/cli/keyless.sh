#!/bin/bash
# keyless.sh - kdp run --keyless against the simulator: every trade of its own list is there once, through 429s, 503s and cut
# bodies, over Ctrl-C and a restart; books are samples, never best prices; the raw tape replays to the same stream.
. "$(dirname "$0")/lib.sh"
"$KDP" __complete '' | grep -qx sim || { echo 'SKIPPED: this build has no simulator'; exit 77; }

# ---- an address without an exchange ends with words, soon and in the end ----
kdp run --keyless --base-url http://127.0.0.1:9/x --test-pace 1 --data gone --no-lake; exits 1; no_answer
says 'no trades could be read in '; says '--base-url'
[[ $err != *'API key'* ]] || wrong 'a key was asked for'
kdp run --keyless --base-url http://no.such.host.invalid/x --data gone2; exits 1; says 'no such host: no.such.host.invalid'
kdp run; exits 2; says 'kdp run --keyless'

# ---- a simulated exchange ----
sim=0
trap '[ $sim = 0 ] || kill $sim; rm -rf "$work"' EXIT
"$KDP" sim --dir sim --markets 120 --rate 2000 --seed 5 >sim.out 2>&1 </dev/null &
sim=$!
for _ in $(seq 600); do
    [ ! -s sim/sim.env ] || break
    kill -0 $sim 2>/dev/null || { cat sim.out; exit 1; }
    sleep 0.05
done
grep -vE 'API_KEY|PRIVATE_KEY' sim/sim.env >nokey.env
tell() { "$KDP" sim ctl --dir sim "$@" >/dev/null || wrong "the simulator refused: $*"; }
member() { printf '%s' "$out" | grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2-; }
rows() { printf '%s' "$out" | sed 's/.*"rows":{\([^}]*\)}.*/\1/' | tr , '\n' | sed -n "s/^\"$1\"://p"; } # TABLE
# trades FROM_NS TO_NS: those of the simulator's list in between are on the tape, and none twice
trades() {
    tell trades "$work/truth.csv"
    awk -F, -v from="$1" -v to="$2" 'NR > 1 && $7 >= from && $7 < to { print $1 }' truth.csv | sort >want
    "$KDP" tap --data "$3" --from oldest --to end --types trade --format json 2>/dev/null |
        sed 's/.*"trade_id":"\([^"]*\)".*/\1/' | sort >have
    [ "$(wc -l <want)" -ge "$4" ] || wrong "the simulator made $(wc -l <want) trades only"
    [ -z "$(uniq -d have)" ] || wrong "twice: $(uniq -d have | wc -l) trades"
    [ -z "$(comm -23 want have)" ] || wrong "missing: $(comm -23 want have | wc -l) of $(wc -l <want) trades"
}
ns() { printf '%s000000000' "$(date -u -d "$1" +%s)"; }

# a key that is there is not used; refusals and broken bodies in the middle
tell rest-error status=429 count=3
tell 'AT 0.5s rest-error status=503 seconds=0.5 path=/markets/trades'
tell 'AT 1.2s rest-cut count=3'
tell 'AT 1.5s page-empty count=2'
kdp run --keyless --env-file sim/sim.env --test-pace 5 --seconds 3 --summary json --data d
exits 0; says 'the key is not used'
[ "$(member frames)" = 0 ] || wrong 'there were frames'
[ "$(member lost)" = 0 ] || wrong 'something was lost'
[ "$(member books_sampled)" -ge 90 ] || wrong 'few books are sampled'
[ "$(printf '%s' "$out" | grep -o '"state":"live"' | wc -l)" = 0 ] || wrong 'a book is live without a stream'
[ "$(rows bbo)" = 0 ] && [ "$(rows orderbook_deltas)" = 0 ] || wrong 'samples made best prices or changes'
[ "$(rows ticker)" -ge 1 ] || wrong 'no ticker'
hash=$(member stream_hash)
to=$(member complete_to | tr -d '"')
# since the whole second after the run's own beginning, whatever its start took
from=$("$KDP" tap --data d --from oldest --to end --types state --format json 2>/dev/null | head -n 1 | sed 's/.*"recv_ts":"\([^"]*\)".*/\1/')
from=$(($(date -u -d "$from" +%s) + 1))000000000
trades "$from" "$(ns "$to")" d 50
kdp replay --input d/raw --data again --summary json --no-lake; exits 0
[ "$(member stream_hash)" = "$hash" ] || wrong "the raw tape replays to $(member stream_hash), the run gave $hash"

# a run that was killed, and a second one: the pause between is made good
"$KDP" run --keyless --env-file nokey.env --test-pace 5 --data d --no-lake >.out2 2>.err2 </dev/null &
plant=$!
for _ in $(seq 400); do
    "$KDP" status --env-file nokey.env --data d 2>/dev/null | grep -q ' 100 of 100 books SAMPLED' && break
    sleep 0.05
done
kdp status --env-file nokey.env --data d; prints 'keyless'; prints 'trades polled'
ticker=$("$KDP" tap --data d --from oldest --to end --types state --format json 2>/dev/null | grep '"sampled"' | tail -n 1 | sed 's/.*"ticker":"\([^"]*\)".*/\1/')
kdp book --data d --ticker "$ticker"; exits 0; prints SAMPLED
kill -KILL $plant; wait $plant 2>/dev/null
tell tail count=200 # trades that nobody sees
kdp run --keyless --env-file nokey.env --test-pace 5 --seconds 1 --data d --no-lake; exits 0
prints 'SIMULATED, KEYLESS'; prints 'SAMPLED when stopped'; prints 'late by p50'; prints 'kdp run --keyless --env-file nokey.env --data d'
to=$(printf '%s' "$out" | sed -n 's/.*complete to \([0-9:]*\) UTC.*/\1/p')
[ -n "$to" ] || wrong 'the pause is not verified'
trades "$from" "$(ns "$(date -u +%F) $to")" d 250
kdp tap --data d --from oldest --to end --types gap; prints 'healed'
kdp book --data d --ticker "$ticker"; exits 0; prints 'STALE' # its run is over

# with the key, in the same folder: live
kdp run --env-file sim/sim.env --test-pace 5 --seconds 1 --summary json --data d --no-lake; exits 0
[ "$(printf '%s' "$out" | grep -o '"state":"live"' | wc -l)" -ge 90 ] || wrong 'few books are live with a key'
kdp tape verify d; exits 0
kill $sim; wait $sim; sim=0
done_testing
